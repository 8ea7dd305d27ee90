/*
 * command_snapshot.c
 *		snapshot, diff and drift: the schema kept, and compared.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

#define TIME_FORMAT "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'"

static const char capture_query[] =
	"SELECT dbvc.snapshot_capture(label => $1::pg_catalog.text, "
	"schemas => $2::pg_catalog.text[], settings => $3::pg_catalog.bool)";

#define SNAPSHOT_QUERY \
	"SELECT s.id, s.label, pg_catalog.to_char(s.captured_at AT TIME ZONE " \
	"'UTC', " TIME_FORMAT "), s.objects, " \
	"pg_catalog.encode(s.fingerprint, 'hex') FROM dbvc.snapshot s "

static const char snapshot_query[] =
	SNAPSHOT_QUERY "WHERE s.id OPERATOR(pg_catalog.=) $1::pg_catalog.text";
/* As the server does: one of all schemas goes before one of some. */
static const char newest_query[] =
	SNAPSHOT_QUERY "ORDER BY s.schemas IS NULL DESC, s.event_id DESC LIMIT 1";

/* A value as a person reads it: strings without quotation marks, an element of an array a line. */
#define SHOWN(value) \
	"CASE WHEN pg_catalog.jsonb_typeof(" value \
	") OPERATOR(pg_catalog.=) 'string' THEN " value \
	" OPERATOR(pg_catalog.#>>) '{}'::pg_catalog.text[] " \
	"WHEN pg_catalog.jsonb_typeof(" value \
	") OPERATOR(pg_catalog.=) 'array' AND " \
	"pg_catalog.jsonb_array_length(" value ") OPERATOR(pg_catalog.>) 1 THEN " \
	"(SELECT pg_catalog.string_agg(e.line, E'\\n' ORDER BY e.n) FROM " \
	"pg_catalog.jsonb_array_elements_text(" value \
	") WITH ORDINALITY e(line, n)) ELSE " value "::pg_catalog.text END"

#define DIFFERENCE_QUERY \
	"SELECT d.change, d.object_type, d.identity, d.attribute, d.before, " \
	"d.after, " SHOWN("d.before") ", " SHOWN( \
		"d.after") ", " \
				   "COALESCE(d.after, d.before) OPERATOR(pg_catalog.->>) " \
				   "'type' FROM "

static const char diff_query[] = DIFFERENCE_QUERY
	"dbvc.snapshot_diff(from_snapshot => $1::pg_catalog.text, "
	"to_snapshot => $2::pg_catalog.text, detail => $3::pg_catalog.bool) d";
static const char drift_query[] =
	DIFFERENCE_QUERY "dbvc.snapshot_drift(detail => $1::pg_catalog.bool) d";

/* Read one snapshot; false: the query failed.  No such snapshot: *snapshot is
 * NULL. */
static bool
find_snapshot(Session *session, const char *id, const Snapshot **snapshot)
{
	Arguments arguments = {0};
	Snapshot *found = NULL;
	PGresult *result;

	if (id != NULL)
		argument_text(&arguments, id);
	result =
		session_query(session, id ? snapshot_query : newest_query, &arguments);
	arguments_free(&arguments);
	if (result == NULL)
		return false;
	if (PQntuples(result) > 0)
	{
		found = memory_new(sizeof(Snapshot));
		found->id = copy_at(result, 0, 0);
		found->label = copy_at(result, 0, 1);
		found->time = copy_at(result, 0, 2);
		found->objects =
			value_at(result, 0, 3) ? atol(value_at(result, 0, 3)) : -1;
		found->fingerprint = copy_at(result, 0, 4);
	}
	PQclear(result);
	*snapshot = found;
	return true;
}

/* The newest one; false: there is none, or the query failed. */
static bool
newest_snapshot(Session *session, const Snapshot **snapshot)
{
	if (!find_snapshot(session, NULL, snapshot))
		return false;
	if (*snapshot == NULL)
		own_error(session->report, "there is no snapshot yet",
				  "Take one: dbvc snapshot.");
	return *snapshot != NULL;
}

/* ----------------------------------------------------------------- snapshot */

static void
argument_schemas(Arguments *arguments, const PointerList *schemas)
{
	PQExpBuffer array;

	if (schemas->count == 0)
	{
		argument_text(arguments, NULL);
		return;
	}
	array = argument_array(arguments, ELEMENT_TEXT, schemas->count);
	for (int i = 0; i < schemas->count; i++)
		array_element(array, schemas->items[i], strlen(schemas->items[i]));
}

ExitStatus
command_snapshot(Report *report, Options *options)
{
	Session session = {0};
	Arguments arguments = {0};
	const Snapshot *snapshot = NULL;
	PGresult *result;
	const char *id;

	if (!session_open(&session, report))
		return session_failed(&session);
	argument_text(&arguments, options->label);
	argument_schemas(&arguments, &options->schemas);
	argument_bool(&arguments, options->settings);
	result = session_query(&session, capture_query, &arguments);
	arguments_free(&arguments);
	if (result == NULL || PQntuples(result) != 1)
		return session_failed(&session);
	id = copy_at(result, 0, 0);
	PQclear(result);
	if (!find_snapshot(&session, id, &snapshot))
		return session_failed(&session);
	if (snapshot == NULL)
	{
		own_error(report,
				  format("snapshot %s was taken, and cannot be seen", id),
				  NULL);
		return session_failed(&session);
	}
	report->snapshot = snapshot;
	report_line(report, "%s  %ld %s  %s",
				paint(report, PAINT_GOOD, one_line(id)), snapshot->objects,
				snapshot->objects == 1 ? "object" : "objects",
				paint(report, PAINT_FAINT, snapshot->fingerprint));
	session_close(&session);
	return STATUS_FINE;
}

/* -------------------------------------------------------------- diff, drift */

/* The first line: what is compared with what. */
static void
show_sides(const Report *report, const Differences *differences)
{
	const Snapshot *from = differences->from;
	const Snapshot *to = differences->to;

	report_line(report, "%s",
				paint(report, PAINT_FAINT,
					  format("%s (%s) -> %s%s%s%s", one_line(from->id),
							 from->time, to != NULL ? one_line(to->id) : "now",
							 to != NULL ? " (" : "",
							 to != NULL ? to->time : "",
							 to != NULL ? ")" : "")));
}

static ExitStatus
answer_differences(Session *session, Differences *differences)
{
	Report *report = session->report;
	int count = PQntuples(differences->rows);

	report->differences = differences;
	session_close(session);
	if (differences->from != NULL)
		show_sides(report, differences);
	if (count == 0)
		report_line(report, "%s",
					paint(report, PAINT_GOOD,
						  strcmp(report->options->command, "drift") == 0
							  ? "no drift"
							  : "no difference"));
	else
		show_differences(report, differences->rows);
	return count > 0 ? STATUS_NO : STATUS_FINE;
}

ExitStatus
command_diff(Report *report, Options *options)
{
	const char *from =
		options->arguments.count > 0 ? options->arguments.items[0] : NULL;
	const char *to =
		options->arguments.count > 1 ? options->arguments.items[1] : NULL;
	Differences *differences = memory_new(sizeof(Differences));
	Arguments arguments = {0};
	Session session = {0};

	if (!session_open(&session, report) ||
		!(from != NULL ? find_snapshot(&session, from, &differences->from)
					   : newest_snapshot(&session, &differences->from)) ||
		(to != NULL && !find_snapshot(&session, to, &differences->to)))
		return session_failed(&session);
	/* what is not there is refused by the server */
	argument_text(&arguments,
				  differences->from ? differences->from->id : from);
	argument_text(&arguments, to);
	argument_bool(&arguments, options->detail);
	differences->rows = session_query(&session, diff_query, &arguments);
	arguments_free(&arguments);
	if (differences->rows == NULL)
		return session_failed(&session);
	return answer_differences(&session, differences);
}

ExitStatus
command_drift(Report *report, Options *options)
{
	Differences *differences = memory_new(sizeof(Differences));
	Arguments arguments = {0};
	Session session = {0};

	if (!session_open(&session, report) ||
		!newest_snapshot(&session, &differences->from))
		return session_failed(&session);
	argument_bool(&arguments, options->detail);
	differences->rows = session_query(&session, drift_query, &arguments);
	arguments_free(&arguments);
	if (differences->rows == NULL)
		return session_failed(&session);
	return answer_differences(&session, differences);
}
