/*
 * directory.c
 *		A directory that a command was given: read, sorted, looked up.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

/* What fits into a message of the protocol, with something to spare. */
#define LARGEST_MIGRATION ((size_t) 1000 * 1000 * 1000)

static char *
without_slash(const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	return memory_copy(path, length);
}

size_t
script_length(const Script *script)
{
	return script != NULL ? script->length : 0;
}

size_t
migration_bytes(const Migration *migration)
{
	return script_length(migration->up) + script_length(migration->down) +
		   script_length(migration->verify) + migration->source_length;
}

/* In the order in which they are applied; the server knows better where a
 * migration requires another. */
static int
by_order(const void *a, const void *b)
{
	const Migration *const *ma = a;
	const Migration *const *mb = b;
	bool repeatable_a = strcmp((*ma)->kind, "repeatable") == 0;
	bool repeatable_b = strcmp((*mb)->kind, "repeatable") == 0;

	if (repeatable_a != repeatable_b)
		return repeatable_a ? 1 : -1;
	return natural_compare((*ma)->sort_key, (*mb)->sort_key);
}

static int
by_id(const void *a, const void *b)
{
	return strcmp((*(Migration *const *) a)->id,
				  (*(Migration *const *) b)->id);
}

static void
sort_migrations(Directory *directory)
{
	PointerList *all = &directory->migrations;

	for (int i = 0; i < all->count; i++)
		list_add(&directory->by_id, all->items[i]);
	if (all->count == 0)
		return;
	qsort(directory->by_id.items, all->count, sizeof(void *), by_id);
	qsort(all->items, all->count, sizeof(void *), by_order);
}

/* A migration is one row of a statement, and that has to fit into 1 GB. */
static void
check_sizes(Directory *directory)
{
	for (int i = 0; i < directory->migrations.count; i++)
	{
		const Migration *migration = directory->migrations.items[i];

		if (migration_bytes(migration) > LARGEST_MIGRATION)
			problem_add(directory, migration->path, 0, 0, NULL,
						"Bring the data by another way, or in several "
						"migrations.",
						"is too large with what belongs to it: %zu bytes",
						migration_bytes(migration));
	}
}

bool
directory_open(Report *report, Options *options, int argument)
{
	Directory *directory;

	options->directory = without_slash(options->arguments.items[argument]);
	directory = directory_read(options);
	sort_migrations(directory);
	check_sizes(directory);
	report->directory = directory;
	report_problems(report);
	if (directory->problems.count == 0 && directory->migrations.count == 0)
		report_warn(report, "dbvc: %s holds no migrations",
					one_line(directory->path));
	return directory->problems.count == 0;
}

bool
directory_and_session(Session *session, Report *report, Options *options,
					  ExitStatus *status)
{
	session_start(session, report);
	if (!directory_open(report, options, 0))
		*status = STATUS_USAGE;
	else if (!session_open(session, report))
		*status = session_failed(session);
	else
		return true;
	return false;
}

static int
migration_id(const void *key, const void *member)
{
	return strcmp(key, (*(const Migration *const *) member)->id);
}

const Migration *
migration_by_id(const Directory *directory, const char *id)
{
	Migration **found =
		directory->by_id.count > 0
			? bsearch(id, directory->by_id.items, directory->by_id.count,
					  sizeof(void *), migration_id)
			: NULL;

	return found != NULL ? *found : NULL;
}

const char *
resolve_id(const Directory *directory, const char *name)
{
	const Migration *found = NULL;

	for (int i = 0; directory != NULL && i < directory->migrations.count; i++)
	{
		const Migration *migration = directory->migrations.items[i];

		if (strcmp(migration->id, name) == 0 ||
			strcmp(migration->path, name) == 0)
			return migration->id;
		if (migration->version != NULL && found == NULL &&
			strcmp(migration->kind, "versioned") == 0 &&
			strcmp(migration->version, name) == 0)
			found = migration;
	}
	return found != NULL ? found->id : name;
}
