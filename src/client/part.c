/*
 * part.c
 *		From files to migrations: which of them belong together.
 */
#include "layout.h"

#include <stdlib.h>
#include <string.h>

static const char *const role_names[] = {
	[PART_UP] = "up script",
	[PART_DOWN] = "down script",
	[PART_VERIFY] = "verify script",
};

Part *
part_add(PointerList *parts, SourceFile *file, PartRole role,
		 const char *group, char *stem)
{
	Part *part = memory_new(sizeof(Part));

	part->file = file;
	part->role = role;
	part->group = group;
	part->stem = stem;
	list_add(parts, part);
	return part;
}

void
file_unknown(Directory *directory, const SourceFile *file, const char *hint)
{
	problem_add(directory, file->path, 0, 0, NULL, hint,
				"is not named as a migration of layout %s", directory->layout);
}

void
file_is_go(Directory *directory, const SourceFile *file)
{
	problem_add(directory, file->path, 0, 0, NULL, "Write it in SQL.",
				"is a migration written in Go, which cannot run here");
}

static int
compare_parts(const void *a, const void *b)
{
	const Part *pa = *(const Part *const *) a;
	const Part *pb = *(const Part *const *) b;
	int result = strcmp(pa->group, pb->group);

	if (result == 0)
		result = (int) pa->role - (int) pb->role;
	if (result == 0)
		result = strcmp(pa->file->name, pb->file->name);
	return result;
}

/* A migration without scripts; its id may be a problem. */
static Migration *
migration_add(Directory *directory, const Part *part)
{
	Migration *migration = memory_new(sizeof(Migration));

	migration->id = id_from_stem(part->stem);
	migration->path = part->file->path;
	migration->kind = part->kind != NULL ? part->kind : "versioned";
	migration->version = part->version;
	migration->sort_key = part->sort_key;
	migration->transactional = -1;
	if (part->title != NULL)
		migration->description = words_from_name(part->title);
	if (!id_is_valid(migration->id))
		problem_add(directory, part->file->path, 0, 0, NULL,
					"An id has 1 to 200 characters: letters and digits of "
					"ASCII, and _ . : + - after the first.",
					"the name gives no id: \"%s\"", migration->id);
	list_add(&directory->migrations, migration);
	return migration;
}

static void
part_attach(Directory *directory, Part *part, Migration *migration)
{
	Line line;

	part->migration = migration;
	if (!file_read(directory, part->file))
		return;
	if (part->role == PART_UP)
	{
		migration->up = file_script(part->file);
		migration->author = header_after(part->file, "Author:", &line);
		if (migration->author != NULL && migration->author[0] == '\0')
			migration->author = NULL;
	}
	else if (part->role == PART_DOWN)
		migration->down = file_script(part->file);
	else
		migration->verify = file_script(part->file);
}

void
parts_join(Directory *directory, PointerList *parts, const char *alone_hint)
{
	const Part *last = NULL;
	Migration *migration = NULL;

	if (parts->count > 0)
		qsort(parts->items, (size_t) parts->count, sizeof(void *),
			  compare_parts);
	for (int i = 0; i < parts->count; i++)
	{
		Part *part = parts->items[i];
		bool same_group =
			last != NULL && strcmp(last->group, part->group) == 0;

		if (same_group && last->role == part->role)
		{
			problem_add(directory, part->file->path, 0, 0, NULL,
						"Each version can be there only once.",
						"is a second %s of version %s, beside %s",
						role_names[part->role], part->group, last->file->path);
			continue;
		}
		if (!same_group)
			migration = NULL;
		if (part->role == PART_UP)
			migration = migration_add(directory, part);
		if (migration == NULL)
			problem_add(directory, part->file->path, 0, 0, NULL, alone_hint,
						"is a %s without its up script",
						role_names[part->role]);
		else
			part_attach(directory, part, migration);
		last = part;
	}
}

void
migration_set_transactional(Migration *migration, int value)
{
	if (migration->transactional != 0)
		migration->transactional = value;
}

/* ------------------------------------------------------------ verify/ */

static int
compare_ids(const void *a, const void *b)
{
	return strcmp((*(const Migration *const *) a)->id,
				  (*(const Migration *const *) b)->id);
}

/* A copy of the list of migrations, by their ids. */
static PointerList
migrations_by_id(const Directory *directory)
{
	PointerList sorted = {0};

	for (int i = 0; i < directory->migrations.count; i++)
		list_add(&sorted, directory->migrations.items[i]);
	if (sorted.count > 0)
		qsort(sorted.items, (size_t) sorted.count, sizeof(void *),
			  compare_ids);
	return sorted;
}

static Migration *
find_migration(const PointerList *sorted, char *id)
{
	Migration key = {.id = id};
	const Migration *wanted = &key;
	Migration **found;

	if (sorted->count == 0)
		return NULL;
	found = bsearch(&wanted, sorted->items, (size_t) sorted->count,
					sizeof(void *), compare_ids);
	return found != NULL ? *found : NULL;
}

void
verify_join(Directory *directory)
{
	PointerList sorted = migrations_by_id(directory);

	for (int i = 0; i < directory->files.count; i++)
	{
		SourceFile *file = directory->files.items[i];
		const char *name = name_base(file->name);
		Migration *migration = NULL;

		if (!name_is_verify(file->name) || !name_is_sql(name))
			continue;
		if (name_ends(name, ".sql") && file->name + strlen("verify/") == name)
			migration =
				find_migration(&sorted,
							   id_from_stem(name_without(name, ".sql")));
		if (migration == NULL)
			problem_add(directory, file->path, 0, 0, NULL,
						"It is called verify/ID.sql, with the id of the "
						"migration that it verifies.",
						"is a verify script without its migration");
		else if (migration->verify != NULL)
			problem_add(directory, file->path, 0, 0, NULL, NULL,
						"is a second verify script of %s, beside %s",
						migration->id, migration->verify->path);
		else if (file_read(directory, file))
			migration->verify = file_script(file);
	}
	free(sorted.items);
}

/* ------------------------------------------------------------ uniqueness */

static int
compare_versions(const void *a, const void *b)
{
	const Migration *ma = *(const Migration *const *) a;
	const Migration *mb = *(const Migration *const *) b;
	int result = strcmp(ma->kind, mb->kind);

	if (result == 0)
		result = strcmp(ma->version, mb->version);
	if (result == 0)
		result = strcmp(ma->path, mb->path);
	return result;
}

static void
check_ids(Directory *directory, const PointerList *sorted)
{
	for (int i = 1; i < sorted->count; i++)
	{
		const Migration *before = sorted->items[i - 1];
		const Migration *after = sorted->items[i];

		if (strcmp(before->id, after->id) == 0)
			problem_add(directory, after->path, 0, 0, NULL,
						"Characters that an id cannot have become _ in it.",
						"has the same id as %s: %s", before->path, after->id);
	}
}

void
migrations_check(Directory *directory)
{
	PointerList sorted = migrations_by_id(directory);

	check_ids(directory, &sorted);
	if (sorted.count > 0)
		qsort(sorted.items, (size_t) sorted.count, sizeof(void *),
			  compare_versions);
	for (int i = 1; i < sorted.count; i++)
	{
		const Migration *before = sorted.items[i - 1];
		const Migration *after = sorted.items[i];

		if (strcmp(before->kind, after->kind) == 0 &&
			strcmp(before->version, after->version) == 0)
			problem_add(directory, after->path, 0, 0, NULL,
						"Each version can be there only once.",
						"has the same version as %s: %s", before->path,
						after->version);
	}
	free(sorted.items);
}
