/*
 * command_check.c
 *		check: is the database what the directory says?
 */
#include "client.h"

#include <string.h>

/* Migrations whose last run has not come to a good end. */
static bool
add_unfinished(Session *session, int *count)
{
	PGresult *result = session_query(
		session,
		"SELECT id, status, error_sqlstate FROM dbvc.migration_status "
		"WHERE status OPERATOR(pg_catalog.=) ANY "
		"(ARRAY['failed', 'interrupted', 'running'])",
		NULL);

	if (result == NULL)
		return false;
	*count = PQntuples(result);
	for (int i = 0; i < *count; i++)
	{
		Row *row = report_row(session->report, copy_at(result, i, 0));

		row->status = copy_at(result, i, 1);
		row->detail = copy_at(result, i, 2);
		row->file = path_of(session->report, row->id);
		report_line(session->report, "%s %s%s%s",
					paint(session->report, PAINT_BAD, row->status), row->id,
					row->detail ? ": " : "", row->detail ? row->detail : "");
	}
	PQclear(result);
	return true;
}

static int
add_pending(Report *report, const Comparison *comparison)
{
	int count = 0;

	for (int i = 0; i < comparison->verdicts.count; i++)
	{
		const Verdict *verdict = comparison->verdicts.items[i];

		if (!verdict->pending || is_verdict(verdict, "missing"))
			continue;
		verdict_row(report, verdict)->status = "pending";
		if (++count <= LINES_SHOWN)
			report_line(report, "%s %s%s%s",
						paint(report, PAINT_CARE, "pending"),
						one_line(verdict->migration->path),
						verdict->detail ? ": " : "",
						verdict->detail ? verdict->detail : "");
	}
	if (count > LINES_SHOWN)
		report_line(report, "and %d more", count - LINES_SHOWN);
	return count;
}

ExitStatus
command_check(Report *report, Options *options)
{
	Session session = {0};
	Comparison comparison = {0};
	ExitStatus status;
	bool obstacles;
	int pending;
	int unfinished = 0;

	if (!directory_and_session(&session, report, options, &status))
		return status;
	if (!compare_directory(&session, report->directory, &comparison))
		return session_failed(&session);
	obstacles = show_obstacles(report, &comparison);
	pending = add_pending(report, &comparison);
	if (!add_unfinished(&session, &unfinished))
		return session_failed(&session);
	session_close(&session);
	if (obstacles || pending > 0 || unfinished > 0)
		return STATUS_NO;
	report_line(report, "%d %s, applied and unchanged",
				report->directory->migrations.count,
				report->directory->migrations.count == 1 ? "migration"
														 : "migrations");
	return STATUS_FINE;
}
