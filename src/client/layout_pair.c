/*
 * layout_pair.c
 *		A file for each direction: golang-migrate and Diesel.
 */
#include "layout.h"

#include <string.h>

/* -------------------------------------------------------- golang-migrate */

#define LARGEST_UINT64 "18446744073709551615"

static const char *const golang_hint =
	"golang-migrate has NUMBER_NAME.up.sql and NUMBER_NAME.down.sql.";

/* NUMBER_NAME.up.sql or NUMBER_NAME.down.sql: its suffix, else NULL. */
static const char *
golang_suffix(const char *name)
{
	if (!name_is_numbered(name) || name[strspn(name, "0123456789")] != '_')
		return NULL;
	if (name_ends(name, ".up.sql"))
		return ".up.sql";
	return name_ends(name, ".down.sql") ? ".down.sql" : NULL;
}

/* A down script may be a plain directory's. */
static bool
golang_claims(Directory *directory, SourceFile *file)
{
	const char *suffix = golang_suffix(file->name);

	/* 1_x.up.sql with markers in it is one of dbmate or goose */
	return suffix != NULL && strcmp(suffix, ".up.sql") == 0 &&
		   !layout_dbmate.claims(directory, file) &&
		   !layout_goose.claims(directory, file);
}

static void
golang_read(Directory *directory, const Options *options)
{
	PointerList parts = {0};

	(void) options;
	for (int i = 0; i < directory->files.count; i++)
	{
		SourceFile *file = directory->files.items[i];
		const char *suffix = golang_suffix(file->name);
		Part *part;

		if (suffix != NULL)
		{
			part =
				part_add(&parts, file,
						 strcmp(suffix, ".up.sql") == 0 ? PART_UP : PART_DOWN,
						 number_up_to(directory, file, LARGEST_UINT64),
						 name_without(file->name, suffix));
			part->version = part->group;
			part->sort_key = part->group;
			part->title = strchr(part->stem, '_') + 1;
		}
		else if (name_is_go(file->name))
			file_is_go(directory, file);
		else if (name_is_top(file->name) && name_is_sql(file->name))
			file_unknown(directory, file, golang_hint);
	}
	parts_join(directory, &parts, golang_hint);
	verify_join(directory);
}

static bool
golang_create(Directory *directory, const Options *options,
			  PointerList *created)
{
	char *stem = new_stem(directory, options, NULL);
	const char *title;

	if (stem == NULL)
		return false;
	title = strchr(stem, '_') + 1;
	return new_fits(directory, stem, LARGEST_UINT64) &&
		   new_is_last(directory, stem, number_from_name(stem)) &&
		   new_file(directory, created, format("%s.up.sql", stem),
					format("-- %s\n\n", title)) &&
		   new_file(directory, created, format("%s.down.sql", stem),
					format("-- undo %s\n\n", title));
}

const Layout layout_golang_migrate = {
	.name = "golang-migrate",
	.claims = golang_claims,
	.read = golang_read,
	.create = golang_create,
};

/* ---------------------------------------------------------------- diesel */

static const char *const diesel_hint =
	"Diesel has NAME/up.sql, and beside it down.sql and verify.sql.";

static const struct
{
	const char *name;
	PartRole role;
} diesel_files[] = {
	{"up.sql", PART_UP},
	{"down.sql", PART_DOWN},
	{"verify.sql", PART_VERIFY},
};

/* Is it NAME/file? */
static bool
diesel_is(const char *name, const char *file)
{
	const char *slash = strchr(name, '/');

	return slash != NULL && strcmp(slash + 1, file) == 0;
}

static bool
diesel_claims(Directory *directory, SourceFile *file)
{
	(void) directory;
	return !name_is_verify(file->name) && (diesel_is(file->name, "up.sql") ||
										   diesel_is(file->name, "down.sql"));
}

/* What stands before the first _, without dashes. */
static char *
diesel_version(const char *name)
{
	char *version = memory_new(strlen(name) + 1);
	size_t length = 0;

	for (; *name != '\0' && *name != '_'; name++)
	{
		if (*name != '-')
			version[length++] = *name;
	}
	return version;
}

static void
diesel_part(PointerList *parts, SourceFile *file, PartRole role)
{
	const char *slash = strchr(file->name, '/');
	char *stem = memory_copy(file->name, (size_t) (slash - file->name));
	const char *underscore = strchr(stem, '_');
	Part *part = part_add(parts, file, role, stem, stem);

	part->version = diesel_version(stem);
	part->sort_key = key_by_bytes(part->version);
	part->title = underscore != NULL ? underscore + 1 : stem;
}

/* metadata.toml of Diesel: one key. */
static void
diesel_metadata(Directory *directory, SourceFile *file, Migration *migration)
{
	Line line = {0};
	char *key;
	char *value;

	if (!file_read(directory, file))
		return;
	while (line_next(file, &line))
	{
		if (!line_setting(&line, &key, &value))
			continue;
		if (strcmp(key, "run_in_transaction") != 0 || value == NULL)
			problem_add(directory, file->path, line.number, 0,
						line_text(&line),
						"The only key that is known is run_in_transaction.",
						"unknown setting");
		else if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			problem_add(directory, file->path, line.number, 0,
						line_text(&line), NULL,
						"run_in_transaction is true or false");
		else
			migration_set_transactional(migration, value[0] == 't');
	}
}

static void
diesel_read(Directory *directory, const Options *options)
{
	PointerList parts = {0};

	(void) options;
	for (int i = 0; i < directory->files.count; i++)
	{
		SourceFile *file = directory->files.items[i];
		bool known = false;

		if (name_is_verify(file->name) || !name_is_sql(file->name))
			continue;
		for (int k = 0; k < 3 && !known; k++)
		{
			known = diesel_is(file->name, diesel_files[k].name);
			if (known)
				diesel_part(&parts, file, diesel_files[k].role);
		}
		if (!known)
			file_unknown(directory, file, diesel_hint);
	}
	parts_join(directory, &parts, diesel_hint);
	for (int i = 0; i < parts.count; i++)
	{
		Part *part = parts.items[i];
		SourceFile *file =
			file_find(directory, format("%s/metadata.toml", part->stem));

		if (part->role == PART_UP && part->migration != NULL && file != NULL)
			diesel_metadata(directory, file, part->migration);
	}
	verify_join(directory);
}

/* 20240131235959 as Diesel writes it. */
static char *
diesel_dashes(const char *time)
{
	return format("%.4s-%.2s-%.2s-%s", time, time + 4, time + 6, time + 8);
}

static bool
diesel_create(Directory *directory, const Options *options,
			  PointerList *created)
{
	const Migration *newest = newest_migration(directory);
	const char *title = new_title(directory, options);
	char *version;
	char *stem;

	if (title == NULL)
		return false;
	version = version_after(newest != NULL ? newest->version : NULL, NULL);
	if (strlen(version) == 14 &&
		(newest == NULL || newest->id[strcspn(newest->id, "-_")] == '-'))
		version = diesel_dashes(version);
	stem = format("%s_%s", version, title);
	return new_is_last(directory, stem, key_by_bytes(diesel_version(stem))) &&
		   new_file(directory, created, format("%s/up.sql", stem),
					format("-- %s\n\n", title)) &&
		   new_file(directory, created, format("%s/down.sql", stem),
					format("-- undo %s\n\n", title));
}

const Layout layout_diesel = {
	.name = "diesel",
	.claims = diesel_claims,
	.read = diesel_read,
	.create = diesel_create,
};
