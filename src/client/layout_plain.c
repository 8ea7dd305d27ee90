/*
 * layout_plain.c
 *		Numbered files: NUMBER_NAME.sql, with .down.sql and .verify.sql.
 */
#include "layout.h"

#include <string.h>

static const char *const plain_hint =
	"Numbered files are NUMBER_NAME.sql, and beside it NUMBER_NAME.down.sql "
	"and NUMBER_NAME.verify.sql.";

/* Longest first: each of them ends like the last. */
static const struct
{
	const char *suffix;
	PartRole role;
} plain_suffixes[] = {
	{".verify.sql", PART_VERIFY},
	{".down.sql", PART_DOWN},
	{".sql", PART_UP},
};

static int
plain_suffix(const char *name)
{
	int i = 0;

	while (!name_ends(name, plain_suffixes[i].suffix))
		i++;
	return i;
}

/* Files of golang-migrate, dbmate and goose are numbered as well. */
static bool
is_of_other_layout(Directory *directory, SourceFile *file)
{
	return layout_golang_migrate.claims(directory, file) ||
		   layout_dbmate.claims(directory, file) ||
		   layout_goose.claims(directory, file);
}

static bool
plain_claims(Directory *directory, SourceFile *file)
{
	int i;

	if (!name_is_numbered(file->name) || !file_read(directory, file) ||
		is_of_other_layout(directory, file))
		return false;
	i = plain_suffix(file->name);
	if (plain_suffixes[i].role == PART_UP)
		return true;
	return file_find(directory,
					 format("%s.sql",
							name_without(file->name,
										 plain_suffixes[i].suffix))) != NULL;
}

/* Digits, and further ones after . or -: 1.2 and 2024-01-31 are versions. */
static char *
plain_version(const char *stem)
{
	PQExpBufferData version;

	initPQExpBuffer(&version);
	for (;;)
	{
		appendPQExpBufferStr(&version, number_from_name(stem));
		stem += strspn(stem, "0123456789");
		if ((*stem != '.' && *stem != '-') || stem[1] < '0' || stem[1] > '9')
			break;
		appendPQExpBufferChar(&version, *stem++);
	}
	return buffer_text(&version, NULL);
}

/* What follows the number and one separator. */
static const char *
plain_title(const char *stem)
{
	stem += strspn(stem, "0123456789.-");
	return *stem == '_' ? stem + 1 : stem;
}

/* "-- dbvc: transactional=false" before the first statement. */
static void
plain_header(Directory *directory, Part *part)
{
	Line line;
	const char *value = header_after(part->file, "dbvc:", &line);

	if (value == NULL)
		return;
	if (strcmp(value, "transactional=false") == 0)
		migration_set_transactional(part->migration, 0);
	else if (strcmp(value, "transactional=true") == 0)
		migration_set_transactional(part->migration, 1);
	else
		problem_add(directory, part->file->path, line.number, 0,
					line_text(&line),
					"It is \"-- dbvc: transactional=true\" or \"=false\".",
					"unknown setting");
}

static void
plain_read(Directory *directory, const Options *options)
{
	PointerList parts = {0};

	(void) options;
	for (int i = 0; i < directory->files.count; i++)
	{
		SourceFile *file = directory->files.items[i];
		Part *part;
		char *stem;
		int k;

		if (!name_is_top(file->name) || !name_is_sql(file->name))
			continue;
		if (!name_is_numbered(file->name))
		{
			file_unknown(directory, file, plain_hint);
			continue;
		}
		if (!file_read(directory, file))
			continue;
		if (is_of_other_layout(directory, file))
		{
			problem_add(directory, file->path, 0, 0, NULL, plain_hint,
						"is of another layout, by its name or its comments");
			continue;
		}
		k = plain_suffix(file->name);
		stem = name_without(file->name, plain_suffixes[k].suffix);
		part = part_add(&parts, file, plain_suffixes[k].role, stem, stem);
		part->version = plain_version(stem);
		part->sort_key = part->version; /* it is there once only */
		part->title = plain_title(stem);
	}
	parts_join(directory, &parts, plain_hint);
	for (int i = 0; i < parts.count; i++)
	{
		Part *part = parts.items[i];

		if (part->migration != NULL)
			plain_header(directory, part);
	}
	verify_join(directory);
}

static bool
plain_create(Directory *directory, const Options *options,
			 PointerList *created)
{
	char *stem = new_stem(directory, options, "0001");
	const char *title;
	bool with_down = false;

	if (stem == NULL)
		return false;
	title = strchr(stem, '_') + 1;
	for (int i = 0; i < directory->migrations.count; i++)
	{
		const Migration *other = directory->migrations.items[i];

		with_down = with_down || other->down != NULL;
	}
	if (plain_suffixes[plain_suffix(format("%s.sql", stem))].role != PART_UP)
	{
		problem_add(directory, NULL, 0, 0, NULL, plain_hint,
					"the name ends like that of another script: %s", title);
		return false;
	}
	return new_is_last(directory, stem, plain_version(stem)) &&
		   new_file(directory, created, format("%s.sql", stem),
					format("-- %s\n\n", title)) &&
		   (!with_down ||
			new_file(directory, created, format("%s.down.sql", stem),
					 format("-- undo %s\n\n", title)));
}

const Layout layout_plain = {
	.name = "plain",
	.claims = plain_claims,
	.read = plain_read,
	.create = plain_create,
};
