/*
 * layout_marked.c
 *		Both directions in one file, told by comments: dbmate and goose.
 */
#include "marked.h"

#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- dbmate */

static const char *const dbmate_words[] = {"migrate:up", "migrate:down", NULL};
static const char *const dbmate_hint =
	"dbmate has NUMBER_NAME.sql with the lines \"-- migrate:up\" and "
	"\"-- migrate:down\".";

static bool
dbmate_claims(Directory *directory, SourceFile *file)
{
	return has_marker(directory, file, dbmate_words);
}

/* What stands after the marker. */
static void
dbmate_options(Marked *marked, Block *block, char *options)
{
	char *rest = NULL;

	for (char *word = strtok_r(options, " \t", &rest); word != NULL;
		 word = strtok_r(NULL, " \t", &rest))
	{
		if (strcmp(word, "transaction:false") == 0)
			block->transactional = 0;
		else if (strcmp(word, "transaction:true") == 0)
			block->transactional = 1;
		else
			marked_problem(marked, "The only option is transaction:false.",
						   "unknown option \"%s\"", word);
	}
	if (block->transactional >= 0)
		migration_set_transactional(marked->migration, block->transactional);
}

/* A script has one way to run: all its blocks must say the same. */
static void
dbmate_check_block(Marked *marked, const Block *block)
{
	for (int i = 0; i < marked->blocks.count; i++)
	{
		const Block *other = marked->blocks.items[i];

		if (other->role == block->role &&
			(other->transactional == 0) != (block->transactional == 0))
		{
			marked_problem(marked, "Make migrations of their own of them.",
						   "the block in line %d runs %s a transaction, this "
						   "one does not",
						   other->line,
						   other->transactional == 0 ? "outside" : "in");
			return;
		}
		/* that one was compared with those before it */
		if (other->role == block->role && other != block)
			return;
	}
}

static bool
dbmate_see(Marked *marked)
{
	for (int i = 0; dbmate_words[i] != NULL; i++)
	{
		PartRole role = i == 0 ? PART_UP : PART_DOWN;
		const Block *before = last_block(marked);
		char *options = line_after(&marked->line, dbmate_words[i]);
		Block *block;

		if (options == NULL)
			continue;
		if (marked->line.start[0] != '-')
			marked_problem(marked, NULL,
						   "a marker begins in the first column");
		if (role == PART_DOWN && (before == NULL || before->role == role))
			marked_problem(marked, dbmate_hint,
						   "migrate:down without a migrate:up before it");
		block = block_begin(marked, role);
		dbmate_options(marked, block, options);
		dbmate_check_block(marked, block);
		return true;
	}
	return false;
}

/* dbmate sorts by the bytes of the whole name, and compares digits as text. */
static void
dbmate_place(Directory *directory, Part *part)
{
	(void) directory;
	part->version = memory_copy(part->stem, strspn(part->stem, "0123456789"));
	part->sort_key = key_by_bytes(part->file->name);
}

static void
dbmate_read(Directory *directory, const Options *options)
{
	PointerList parts = marked_parts(directory, dbmate_hint, dbmate_place);

	(void) options;
	for (int i = 0; i < parts.count; i++)
		marked_read(directory, parts.items[i], dbmate_see, "-- migrate:up");
	verify_join(directory);
}

static bool
dbmate_create(Directory *directory, const Options *options,
			  PointerList *created)
{
	char *stem = new_stem(directory, options, NULL);
	char *name;

	if (stem == NULL)
		return false;
	name = format("%s.sql", stem);
	return new_is_last(directory, stem, key_by_bytes(name)) &&
		   new_file(directory, created, name,
					"-- migrate:up\n\n\n-- migrate:down\n\n");
}

const Layout layout_dbmate = {
	.name = "dbmate",
	.claims = dbmate_claims,
	.read = dbmate_read,
	.create = dbmate_create,
};

/* ----------------------------------------------------------------- goose */

#define LARGEST_INT64 "9223372036854775807"

static const char *const goose_words[] = {"+goose", NULL};
static const char *const goose_hint =
	"goose has NUMBER_NAME.sql with the lines \"-- +goose Up\" and "
	"\"-- +goose Down\".";

static bool
goose_claims(Directory *directory, SourceFile *file)
{
	return name_is_go(file->name) || has_marker(directory, file, goose_words);
}

static void
goose_up(Marked *marked)
{
	if (marked->blocks.count > 0)
		marked_problem(marked, goose_hint,
					   "\"+goose Up\" comes once, before \"+goose Down\"");
	else
		block_begin(marked, PART_UP);
}

static void
goose_down(Marked *marked)
{
	const Block *before = last_block(marked);

	if (before == NULL || before->role == PART_DOWN)
		marked_problem(marked, goose_hint,
					   "\"+goose Down\" comes once, after \"+goose Up\"");
	if (marked->statement_line > 0)
		marked_problem(marked, NULL,
					   "the StatementBegin in line %d has no StatementEnd",
					   marked->statement_line);
	marked->statement_line = 0;
	block_begin(marked, PART_DOWN);
}

static void
goose_statement_begin(Marked *marked)
{
	if (marked->statement_line > 0)
		marked_problem(marked, NULL,
					   "the StatementBegin in line %d has no StatementEnd",
					   marked->statement_line);
	marked->statement_line = marked->line.number;
}

static void
goose_statement_end(Marked *marked)
{
	if (marked->statement_line == 0)
		marked_problem(marked, NULL, "StatementEnd without StatementBegin");
	marked->statement_line = 0;
}

static void
goose_no_transaction(Marked *marked)
{
	migration_set_transactional(marked->migration, 0);
}

static void
goose_environment(Marked *marked)
{
	marked_problem(marked, NULL, "environment variables are not substituted");
}

static const struct
{
	const char *name;
	void (*act)(Marked *marked);
} goose_annotations[] = {
	{"Up", goose_up},
	{"Down", goose_down},
	{"StatementBegin", goose_statement_begin},
	{"StatementEnd", goose_statement_end},
	{"NO TRANSACTION", goose_no_transaction},
	{"ENVSUB ON", goose_environment},
	{"ENVSUB OFF", goose_environment},
};

static bool
goose_see(Marked *marked)
{
	const char *name = line_after(&marked->line, goose_words[0]);
	size_t count = sizeof(goose_annotations) / sizeof(goose_annotations[0]);

	if (name == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
	{
		if (strcasecmp(name, goose_annotations[i].name) == 0)
		{
			goose_annotations[i].act(marked);
			return true;
		}
	}
	marked_problem(marked,
				   "There are Up, Down, StatementBegin, StatementEnd and "
				   "NO TRANSACTION.",
				   "unknown annotation \"%s\"", name);
	return true;
}

static void
goose_place(Directory *directory, Part *part)
{
	if (part->stem[strspn(part->stem, "0123456789")] != '_')
		file_unknown(directory, part->file, goose_hint);
	part->version = number_up_to(directory, part->file, LARGEST_INT64);
	part->sort_key = part->version;
}

static void
goose_read(Directory *directory, const Options *options)
{
	PointerList parts = marked_parts(directory, goose_hint, goose_place);

	(void) options;
	for (int i = 0; i < parts.count; i++)
		marked_read(directory, parts.items[i], goose_see, "-- +goose Up");
	for (int i = 0; i < directory->files.count; i++)
	{
		const SourceFile *file = directory->files.items[i];

		if (name_is_go(file->name))
			file_is_go(directory, file);
	}
	verify_join(directory);
}

static bool
goose_create(Directory *directory, const Options *options,
			 PointerList *created)
{
	char *stem = new_stem(directory, options, NULL);

	if (stem == NULL)
		return false;
	return new_fits(directory, stem, LARGEST_INT64) &&
		   new_is_last(directory, stem, number_from_name(stem)) &&
		   new_file(directory, created, format("%s.sql", stem),
					"-- +goose Up\n\n\n-- +goose Down\n\n");
}

const Layout layout_goose = {
	.name = "goose",
	.claims = goose_claims,
	.read = goose_read,
	.create = goose_create,
};
