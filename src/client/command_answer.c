/*
 * command_answer.c
 *		status and verify: what the database knows, without a directory.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

/* A number of seconds; -1 for a null. */
static double
milliseconds_at(const PGresult *result, int row, int column)
{
	const char *value = value_at(result, row, column);

	return value != NULL ? strtod(value, NULL) * 1000 : -1;
}

/* ------------------------------------------------------------------- status */

static const char status_query[] =
	"SELECT s.id, s.status, s.version, s.kind, s.checksum, s.author, "
	"s.applied_by, "
	"pg_catalog.to_char(s.applied_at AT TIME ZONE 'UTC', "
	"'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), "
	"CASE WHEN s.applied_how OPERATOR(pg_catalog.=) 'completed' THEN "
	"EXTRACT(epoch FROM s.duration) END, "
	"pg_catalog.concat_ws(', ', "
	"CASE WHEN s.applied_how OPERATOR(pg_catalog.<>) 'completed' THEN "
	"s.applied_how END, "
	"CASE WHEN s.note OPERATOR(pg_catalog.<>) '' THEN s.note END, "
	"s.error_sqlstate) "
	"FROM dbvc.migration_status s ORDER BY s.\"position\"";

static Paint
status_paint(const char *status)
{
	if (strcmp(status, "applied") == 0)
		return PAINT_GOOD;
	if (strcmp(status, "failed") == 0 || strcmp(status, "interrupted") == 0)
		return PAINT_BAD;
	if (strcmp(status, "skipped") == 0 || strcmp(status, "withdrawn") == 0)
		return PAINT_FAINT;
	return PAINT_CARE;
}

static void
show_status(Report *report, const Row *row, int id_width)
{
	/* padded before it is painted: escape sequences have no width */
	report_line(report, "%s  %-*s  %-20s  %-12s  %9s  %s",
				paint(report, status_paint(row->status),
					  format("%-12s", row->status)),
				id_width, row->id, row->time ? row->time : "",
				row->role ? one_line(row->role) : "",
				row->milliseconds >= 0 ? duration_text(row->milliseconds) : "",
				row->detail ? row->detail : "");
}

ExitStatus
command_status(Report *report, Options *options)
{
	Session session = {0};
	PGresult *result;
	int width = 2;

	(void) options;
	if (!session_open(&session, report) ||
		(result = session_query(&session, status_query, NULL)) == NULL)
		return session_failed(&session);
	for (int i = 0; i < PQntuples(result); i++)
	{
		Row *row = report_row(report, copy_at(result, i, 0));
		int length = strlen(row->id);

		row->status = copy_at(result, i, 1);
		row->version = atol(value_at(result, i, 2));
		row->kind = copy_at(result, i, 3);
		row->checksum = copy_at(result, i, 4);
		row->author = copy_at(result, i, 5);
		row->role = copy_at(result, i, 6);
		row->time = copy_at(result, i, 7);
		row->milliseconds = milliseconds_at(result, i, 8);
		if (*value_at(result, i, 9) != '\0')
			row->detail = copy_at(result, i, 9);
		width = length > width && length <= 60 ? length : width;
	}
	PQclear(result);
	for (int i = 0; i < report->rows.count; i++)
		show_status(report, report->rows.items[i], width);
	if (report->rows.count == 0)
		report_line(report, "no migrations are registered");
	session_close(&session);
	return STATUS_FINE;
}

/* ------------------------------------------------------------------- verify */

static const char *
answer_text(const Report *report, int ok)
{
	if (ok < 0)
		return paint(report, PAINT_CARE, "not run");
	return ok ? paint(report, PAINT_GOOD, "ok     ")
			  : paint(report, PAINT_BAD, "FAILED ");
}

/* One line, or a line for each difference. */
static void
show_answer(Report *report, const Row *row)
{
	const char *detail = row->detail ? harmless(row->detail) : "";
	bool many = strchr(detail, '\n') != NULL;

	report_line(report, "%s  %s  %s%s%s", answer_text(report, row->ok),
				row->id, row->check, *detail && !many ? ": " : "",
				many ? "" : detail);
	while (many && *detail != '\0')
	{
		int length = strcspn(detail, "\n");

		report_line(report, "         %.*s", length, detail);
		detail += length + (detail[length] == '\n');
	}
}

ExitStatus
command_verify(Report *report, Options *options)
{
	Session session = {0};
	Arguments arguments = {0};
	PGresult *result;
	int wrong = 0;

	if (!session_open(&session, report))
		return session_failed(&session);
	argument_text(&arguments, options->arguments.count > 0
								  ? options->arguments.items[0]
								  : NULL);
	argument_bool(&arguments, options->reversal);
	result =
		session_query(&session,
					  "SELECT COALESCE(id, ''), \"check\", ok, detail "
					  "FROM dbvc.migration_verify(id => $1::pg_catalog.text, "
					  "reversal => $2::pg_catalog.bool)",
					  &arguments);
	arguments_free(&arguments);
	if (result == NULL)
		return session_failed(&session);
	for (int i = 0; i < PQntuples(result); i++)
	{
		Row *row = report_row(report, copy_at(result, i, 0));
		const char *ok = value_at(result, i, 2);

		row->check = copy_at(result, i, 1);
		row->ok = ok == NULL ? -1 : *ok == 't';
		row->detail = copy_at(result, i, 3);
		wrong += row->ok == 0;
		/* hashes that are right are for --json */
		if (row->ok != 1)
			show_answer(report, row);
	}
	PQclear(result);
	session_close(&session);
	report_line(report, "%d checks, %d failed", report->rows.count, wrong);
	return wrong > 0 ? STATUS_NO : STATUS_FINE;
}
