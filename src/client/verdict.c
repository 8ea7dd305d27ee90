/*
 * verdict.c
 *		The directory against the database: what the server says of each file,
 *		and registering what is new.
 *
 * Files travel as arrays, many in one statement, and the server does the
 * hashing: an edited byte shows whatever the file's size and time are.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

/* A statement carries at most so many bytes of scripts, or one migration. */
#define BATCH_BYTES (64 * 1024 * 1024)

static void
put_text(PQExpBuffer array, const char *text)
{
	array_element(array, text, text != NULL ? strlen(text) : 0);
}

static void
put_script(PQExpBuffer array, const Script *script)
{
	array_element(array, script != NULL ? script->text : NULL,
				  script_length(script));
}

/* The arrays that both statements have, in this order. */
static void
add_arrays(Arguments *arguments, Migration **batch, int count)
{
	static const ElementType types[] = {ELEMENT_TEXT,  ELEMENT_TEXT,
										ELEMENT_TEXT,  ELEMENT_TEXT,
										ELEMENT_TEXT,  ELEMENT_BOOL,
										ELEMENT_BYTEA, ELEMENT_TEXT};
	PQExpBuffer arrays[8];

	for (int i = 0; i < 8; i++)
		arrays[i] = argument_array(arguments, types[i], count);
	for (int i = 0; i < count; i++)
	{
		const Migration *migration = batch[i];
		char transactional = (char) migration->transactional;

		put_text(arrays[0], migration->id);
		put_script(arrays[1], migration->up);
		put_script(arrays[2], migration->down);
		put_script(arrays[3], migration->verify);
		put_text(arrays[4], migration->kind);
		array_element(arrays[5],
					  migration->transactional < 0 ? NULL : &transactional, 1);
		array_element(arrays[6], migration->source, migration->source_length);
		put_text(arrays[7], migration->sort_key);
	}
}

/* How many of the migrations fit into one statement; at least one. */
static int
batch_size(Migration **migrations, int count)
{
	size_t bytes = 0;
	int size = 0;

	while (size < count)
	{
		bytes += migration_bytes(migrations[size]);
		if (size > 0 && bytes > BATCH_BYTES)
			break;
		size++;
	}
	return size;
}

/* --------------------------------------------------------------- comparing */

static int
by_id(const void *a, const void *b)
{
	return strcmp((*(Verdict *const *) a)->id, (*(Verdict *const *) b)->id);
}

static void
take_verdicts(const PGresult *result, const Directory *directory,
			  Comparison *comparison)
{
	for (int row = 0; row < PQntuples(result); row++)
	{
		Verdict *verdict = memory_new(sizeof(Verdict));
		bool missing;

		verdict->id = format("%s", value_at(result, row, 0));
		verdict->verdict = format("%s", value_at(result, row, 1));
		verdict->to_register = *value_at(result, row, 2) == 't';
		verdict->pending = *value_at(result, row, 3) == 't';
		if (value_at(result, row, 4) != NULL)
			verdict->detail = format("%s", value_at(result, row, 4));
		verdict->checksum = copy_at(result, row, 5);
		missing = strcmp(verdict->verdict, "missing") == 0;
		if (!missing)
			verdict->migration = migration_by_id(directory, verdict->id);
		comparison->missing += missing;
		comparison->changed += strcmp(verdict->verdict, "changed") == 0;
		comparison->to_register += verdict->to_register;
		comparison->pending += verdict->pending;
		list_add(&comparison->verdicts, verdict);
	}
}

static bool
compare_batch(Session *session, const Directory *directory, Migration **batch,
			  int count, bool last, Comparison *comparison)
{
	Arguments arguments = {0};
	PGresult *result;

	add_arrays(&arguments, batch, count);
	if (last)
	{
		PQExpBuffer present = argument_array(&arguments, ELEMENT_TEXT,
											 directory->migrations.count);

		for (int i = 0; i < directory->migrations.count; i++)
			put_text(present,
					 ((Migration *) directory->migrations.items[i])->id);
	}
	else
		argument_text(&arguments, NULL);
	result = session_query(
		session,
		"SELECT id, verdict, register, pending, detail, checksum "
		"FROM dbvc.migration_compare(ids => $1::pg_catalog.text[], "
		"up_scripts => $2::pg_catalog.text[], "
		"down_scripts => $3::pg_catalog.text[], "
		"verify_scripts => $4::pg_catalog.text[], "
		"kinds => $5::pg_catalog.text[], "
		"transactional => $6::pg_catalog.bool[], "
		"sources => $7::pg_catalog.bytea[], "
		"sort_keys => $8::pg_catalog.text[], "
		"present => $9::pg_catalog.text[]) "
		"WHERE register OR pending OR "
		"verdict OPERATOR(pg_catalog.<>) ALL (ARRAY['same', 'accepted'])",
		&arguments);
	arguments_free(&arguments);
	if (result == NULL)
		return false;
	take_verdicts(result, directory, comparison);
	PQclear(result);
	return true;
}

/* The database's encoding has no letter for one that a file holds. */
static bool
is_encoding_error(const ServerError *error)
{
	return strcmp(error->sqlstate, "22P05") == 0 ||
		   strcmp(error->sqlstate, "22021") == 0;
}

/* Of several migrations in one statement, find the one that was refused. */
static void
blame_file(Session *session, const Directory *directory, Migration **batch,
		   int count)
{
	ServerError *error = session->report->error;
	Comparison ignored = {0};

	for (int i = 0; i < count; i++)
	{
		session->report->error = NULL;
		if (!compare_batch(session, directory, batch + i, 1, false, &ignored))
		{
			error = session->report->error;
			error->file = batch[i]->path;
			break;
		}
	}
	session->report->error = error;
}

bool
compare_directory(Session *session, const Directory *directory,
				  Comparison *comparison)
{
	Migration **migrations = (Migration **) directory->migrations.items;
	int count = directory->migrations.count;
	int done = 0;

	do
	{
		int size = batch_size(migrations + done, count - done);

		if (!compare_batch(session, directory, migrations + done, size,
						   done + size == count, comparison))
		{
			if (is_encoding_error(session->report->error))
				blame_file(session, directory, migrations + done, size);
			return false;
		}
		done += size;
	} while (done < count);
	for (int i = 0; i < comparison->verdicts.count; i++)
		list_add(&comparison->by_id, comparison->verdicts.items[i]);
	if (comparison->by_id.count > 0)
		qsort(comparison->by_id.items, comparison->by_id.count, sizeof(void *),
			  by_id);
	return true;
}

/* -------------------------------------------------------------- registering */

static bool
register_batch(Session *session, Migration **batch, int count)
{
	Arguments arguments = {0};
	PQExpBuffer descriptions;
	PQExpBuffer authors;
	PGresult *result;

	add_arrays(&arguments, batch, count);
	descriptions = argument_array(&arguments, ELEMENT_TEXT, count);
	authors = argument_array(&arguments, ELEMENT_TEXT, count);
	for (int i = 0; i < count; i++)
	{
		put_text(descriptions, batch[i]->description);
		put_text(authors, batch[i]->author);
	}
	result = session_query(
		session,
		"SELECT pg_catalog.count(r.id) FROM ROWS FROM ("
		"pg_catalog.unnest($1::pg_catalog.text[]), "
		"pg_catalog.unnest($2::pg_catalog.text[]), "
		"pg_catalog.unnest($3::pg_catalog.text[]), "
		"pg_catalog.unnest($4::pg_catalog.text[]), "
		"pg_catalog.unnest($5::pg_catalog.text[]), "
		"pg_catalog.unnest($6::pg_catalog.bool[]), "
		"pg_catalog.unnest($7::pg_catalog.bytea[]), "
		"pg_catalog.unnest($8::pg_catalog.text[]), "
		"pg_catalog.unnest($9::pg_catalog.text[]), "
		"pg_catalog.unnest($10::pg_catalog.text[])) "
		"AS f(id, up_script, down_script, verify_script, kind, transactional, "
		"source, sort_key, description, author), "
		"LATERAL dbvc.migration_register(id => f.id, "
		"up_script => f.up_script, down_script => f.down_script, "
		"verify_script => f.verify_script, description => f.description, "
		"author => f.author, kind => f.kind, "
		"transactional => f.transactional, source => f.source, "
		"sort_key => f.sort_key, keep => true) AS r",
		&arguments);
	arguments_free(&arguments);
	PQclear(result);
	return result != NULL;
}

bool
register_directory(Session *session, const Comparison *comparison)
{
	PointerList chosen = {0};
	Migration **migrations;

	for (int i = 0; i < comparison->verdicts.count; i++)
	{
		const Verdict *verdict = comparison->verdicts.items[i];

		if (verdict->to_register && verdict->migration != NULL)
			list_add(&chosen, (void *) verdict->migration);
	}
	migrations = (Migration **) chosen.items;
	for (int done = 0; done < chosen.count;)
	{
		int size = batch_size(migrations + done, chosen.count - done);

		if (!register_batch(session, migrations + done, size))
			return false;
		done += size;
	}
	free(chosen.items);
	return true;
}

/* ------------------------------------------------------------------- errors */

static char *
line_of(const char *text, int number)
{
	/* a byte order mark is no character of the first line */
	if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
		text += 3;
	while (--number > 0 && (text = strchr(text, '\n')) != NULL)
		text++;
	return text != NULL ? memory_copy(text, strcspn(text, "\r\n")) : NULL;
}

static int
file_line_of(const Script *script, int line)
{
	int result = line;

	for (int i = 0;
		 i < script->span_count && script->spans[i].script_line <= line; i++)
		result =
			script->spans[i].file_line + line - script->spans[i].script_line;
	return result;
}

/* Is the file what the database has?  A down script that runs is the applied
 * version's, whatever the file says by now. */
static bool
is_unchanged(Session *session, const Directory *directory,
			 const ServerError *error)
{
	Report *report = session->report;
	Comparison comparison = {0};
	bool result = false;

	if (strcmp(error->script, "up") == 0)
		return true; /* it was registered a moment ago */
	report->error = NULL;
	if (compare_directory(session, directory, &comparison))
	{
		/* what is the same is not in the answer */
		result = true;
		for (int i = 0; i < comparison.verdicts.count; i++)
		{
			const Verdict *verdict = comparison.verdicts.items[i];

			if (strcmp(verdict->id, error->migration) == 0 &&
				strcmp(verdict->verdict, "same") != 0 &&
				strcmp(verdict->verdict, "accepted") != 0)
				result = false;
		}
	}
	report->error = (ServerError *) error;
	return result;
}

static bool
locate_in_directory(ServerError *error, const Directory *directory)
{
	const Migration *migration = migration_by_id(directory, error->migration);
	const Script *script;

	if (migration == NULL)
		return false;
	script = strcmp(error->script, "down") == 0		? migration->down
			 : strcmp(error->script, "verify") == 0 ? migration->verify
													: migration->up;
	if (script == NULL)
		return false;
	error->file = script->path;
	error->file_line = file_line_of(script, error->script_line);
	error->line_text = line_of(script->text, error->script_line);
	return true;
}

/* The applied version's script; who may not read it sees no line. */
static void
locate_in_database(Session *session, ServerError *error)
{
	Arguments arguments = {0};
	PGresult *result;

	argument_text(&arguments, error->migration);
	argument_text(&arguments, error->script);
	session->report->error = NULL;
	result = session_query(
		session,
		"SELECT CASE WHEN $2 OPERATOR(pg_catalog.=) 'up' THEN v.up_script "
		"WHEN $2 OPERATOR(pg_catalog.=) 'down' THEN v.down_script "
		"ELSE v.verify_script END "
		"FROM dbvc.migration_version v JOIN dbvc.migration_status s "
		"ON s.id OPERATOR(pg_catalog.=) v.id AND v.version "
		"OPERATOR(pg_catalog.=) COALESCE(s.applied_version, s.version) "
		"WHERE v.id OPERATOR(pg_catalog.=) $1",
		&arguments);
	arguments_free(&arguments);
	if (result != NULL && PQntuples(result) == 1 &&
		value_at(result, 0, 0) != NULL)
		error->line_text = line_of(value_at(result, 0, 0), error->script_line);
	PQclear(result);
	session->report->error = error;
}

void
locate_error(Session *session, const Directory *directory)
{
	ServerError *error = session->report->error;

	if (error == NULL || error->migration == NULL || error->script_line == 0)
		return;
	if (directory != NULL && is_unchanged(session, directory, error) &&
		locate_in_directory(error, directory))
		return;
	if (PQstatus(session->connection) == CONNECTION_OK)
		locate_in_database(session, error);
	error->file = format("%s (%s script)", error->migration, error->script);
	error->file_line = error->script_line;
}
