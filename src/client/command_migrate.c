/*
 * command_migrate.c
 *		migrate, plan, check, rollback: a directory and what to do with it.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

/* So often a run is begun that another client outruns. */
#define ATTEMPTS 5

ExitStatus
session_failed(Session *session)
{
	ExitStatus status = session_status(session);

	session->finishing = true;
	if (session->connection != NULL)
		locate_error(session, session->report->directory);
	report_error(session->report);
	session_close(session);
	return status;
}

/* ---------------------------------------------------------------- verdicts */

Row *
verdict_row(Report *report, const Verdict *verdict)
{
	Row *row = report_row(report, verdict->id);

	row->verdict = verdict->verdict;
	row->detail = verdict->detail;
	if (verdict->migration != NULL)
	{
		row->file = verdict->migration->path;
		row->kind = verdict->migration->kind;
	}
	return row;
}

bool
is_verdict(const Verdict *verdict, const char *name)
{
	return strcmp(verdict->verdict, name) == 0;
}

/* What stands in the way of a run: changed files, missing files. */
bool
show_obstacles(Report *report, const Comparison *comparison)
{
	int shown = 0;
	int all = comparison->changed;

	if (!report->options->allow_missing)
		all += comparison->missing;
	for (int i = 0; i < comparison->verdicts.count; i++)
	{
		const Verdict *verdict = comparison->verdicts.items[i];
		bool missing = is_verdict(verdict, "missing");

		if (!(missing && !report->options->allow_missing) &&
			!is_verdict(verdict, "changed"))
			continue;
		verdict_row(report, verdict);
		if (report->options->json || ++shown > LINES_SHOWN)
			continue;
		report_warn(report, "%s %s: %s",
					paint_warn(report, PAINT_BAD, verdict->verdict),
					verdict->migration ? one_line(verdict->migration->path)
									   : verdict->id,
					verdict->detail ? verdict->detail : "");
	}
	if (all > LINES_SHOWN && !report->options->json)
		report_warn(report, "and %d more", all - LINES_SHOWN);
	if (comparison->changed > 0 && !report->options->json)
		report_warn(report,
					"HINT:  Put changes into a new migration; or, if the "
					"database is what the file says,\n"
					"       dbvc accept %s ID --reason=TEXT",
					one_line(report->options->directory));
	if (all > comparison->changed && !report->options->json)
		report_warn(report,
					"HINT:  Bring the files back; or go on without them: "
					"--allow-missing, or for good\n"
					"       dbvc withdraw ID --reason=TEXT");
	return all > 0;
}

/* --------------------------------------------------------------- registering */

/* BEGIN, register; the caller ends the transaction. */
static bool
begin_and_register(Session *session, const Comparison *comparison)
{
	return session_execute(session, "BEGIN") &&
		   register_directory(session, comparison);
}

/* Register what is to be, all or nothing. */
bool
register_all(Session *session, const Comparison *comparison)
{
	if (comparison->to_register == 0)
		return true;
	return begin_and_register(session, comparison) &&
		   session_execute(session, "COMMIT");
}

/* --------------------------------------------------------------------- plan */

PGresult *
ask_plan(Session *session)
{
	const Options *options = session->report->options;
	Arguments arguments = {0};
	PGresult *result;

	argument_text(&arguments,
				  options->target != NULL
					  ? resolve_id(session->report->directory, options->target)
					  : NULL);
	argument_bool(&arguments, options->out_of_order);
	result = session_query(
		session,
		"SELECT id, version, action, why, kind, checksum, author, "
		"registered_by, plan_hash FROM dbvc.migration_plan("
		"target => $1::pg_catalog.text, out_of_order => $2::pg_catalog.bool)",
		&arguments);
	arguments_free(&arguments);
	return result;
}

const char *
path_of(const Report *report, const char *id)
{
	const Migration *migration =
		report->directory ? migration_by_id(report->directory, id) : NULL;

	return migration != NULL ? migration->path : NULL;
}

static void
show_plan(Report *report, const PGresult *result)
{
	int width = 0;

	for (int i = 0; i < PQntuples(result); i++)
	{
		int length = strlen(value_at(result, i, 0));

		width = length > width && length <= 60 ? length : width;
	}
	for (int i = 0; i < PQntuples(result); i++)
	{
		Row *row = report_row(report, copy_at(result, i, 0));

		row->version = atol(value_at(result, i, 1));
		row->action = copy_at(result, i, 2);
		row->why = copy_at(result, i, 3);
		row->kind = copy_at(result, i, 4);
		row->checksum = copy_at(result, i, 5);
		row->author = copy_at(result, i, 6);
		row->role = copy_at(result, i, 7);
		row->file = path_of(report, row->id);
		report->plan_hash = copy_at(result, i, 8);
		report_line(report, "%4d  %-8s  %-*s  %s", i + 1, row->action, width,
					row->id, row->why);
	}
	if (PQntuples(result) == 0)
		report_line(report, "nothing to do");
	else
		report_line(report, "plan %s", report->plan_hash);
}

/* The row of a migration, a new one if there is none. */
static Row *
row_of(Report *report, const char *id)
{
	for (int i = 0; i < report->rows.count; i++)
	{
		Row *row = report->rows.items[i];

		if (strcmp(row->id, id) == 0)
			return row;
	}
	return report_row(report, id);
}

static int
verdict_id(const void *key, const void *member)
{
	return strcmp(key, (*(const Verdict *const *) member)->id);
}

static const Verdict *
find_verdict(const Comparison *comparison, const char *id)
{
	Verdict **found =
		comparison->by_id.count > 0
			? bsearch(id, comparison->by_id.items, comparison->by_id.count,
					  sizeof(void *), verdict_id)
			: NULL;

	return found != NULL ? *found : NULL;
}

/*
 * What would run must be what was compared: a migration that somebody else has
 * registered, or registered anew meanwhile, is not of this directory.
 */
bool
plan_is_ours(Report *report, const Comparison *comparison,
			 const PGresult *plan)
{
	bool ours = true;
	int shown = 0;

	for (int i = 0; i < PQntuples(plan); i++)
	{
		const char *id = value_at(plan, i, 0);
		const Verdict *verdict = find_verdict(comparison, id);

		if (verdict != NULL && verdict->checksum != NULL &&
			strcmp(verdict->checksum, value_at(plan, i, 5)) == 0)
			continue;
		ours = false;
		if (shown++ == LINES_SHOWN)
			break;
		row_of(report, copy_at(plan, i, 0))->status = "pending";
		if (!report->options->json)
			report_warn(report, "%s %s: would run, but is not what %s holds",
						paint_warn(report, PAINT_BAD, "pending"), id,
						one_line(report->options->directory));
	}
	if (!ours && !report->options->json)
		report_warn(report, "HINT:  It was registered by somebody else: apply "
							"it with CALL dbvc.migrate(), or\n"
							"       dbvc withdraw ID --reason=TEXT");
	return ours;
}

ExitStatus
command_plan(Report *report, Options *options)
{
	Session session = {0};
	Comparison comparison = {0};
	ExitStatus status;
	PGresult *result;
	bool ours;

	if (!directory_and_session(&session, report, options, &status))
		return status;
	if (!compare_directory(&session, report->directory, &comparison))
		return session_failed(&session);
	if (show_obstacles(report, &comparison))
	{
		session_close(&session);
		return STATUS_NO;
	}
	/* what it would be is what it is for a moment */
	if (!begin_and_register(&session, &comparison) ||
		(result = ask_plan(&session)) == NULL ||
		!session_execute(&session, "ROLLBACK"))
		return session_failed(&session);
	show_plan(report, result);
	ours = plan_is_ours(report, &comparison, result);
	PQclear(result);
	session_close(&session);
	return ours ? STATUS_FINE : STATUS_NO;
}

/* ------------------------------------------------------------------- running */

/* The row of the migration that failed, and those before it get their file. */
static void
complete_rows(Report *report)
{
	const ServerError *error = report->error;

	if (error != NULL && error->migration != NULL)
		report_row(report, error->migration)->status = "failed";
	for (int i = 0; i < report->rows.count; i++)
	{
		Row *row = report->rows.items[i];

		if (row->file == NULL)
			row->file = path_of(report, row->id);
	}
}

static int
count_done(const Report *report, const char *status)
{
	int count = 0;

	for (int i = 0; i < report->rows.count; i++)
	{
		const Row *row = report->rows.items[i];

		count += row->status != NULL && strcmp(row->status, status) == 0;
	}
	return count;
}

/* The plan was another one by the time that it was our turn, and nobody has
 * reviewed it: it may be made again. */
static bool
is_outrun(const Session *session)
{
	const Report *report = session->report;

	return report->error != NULL && report->options->expect == NULL &&
		   strcmp(report->error->sqlstate, "VC011") == 0 &&
		   report->rows.count == 0 && !session->cancelled;
}

static void
tell_what_was_done(Report *report, const RunRequest *request, bool fine)
{
	int done = count_done(report, request->done_status);

	if (fine && report->options->dry_run)
		report_line(report, "dry run: everything was executed and taken back; "
							"dbvc.migration_dry_run has the locks");
	else if (done > 0)
		report_line(report, "%d %s %s", done,
					done == 1 ? "migration" : "migrations",
					request->done_status);
	else if (fine)
		report_line(report, "nothing to do");
}

/* Tell how a run has ended, and close the session. */
static ExitStatus
end_run(Session *session, const RunRequest *request, bool fine)
{
	complete_rows(session->report);
	tell_what_was_done(session->report, request, fine);
	if (!fine)
		return session_failed(session);
	session_close(session);
	return session->cancelled ? STATUS_CANCELLED : STATUS_FINE;
}

static const char call_migrate[] =
	"CALL dbvc.migrate(target => $1::pg_catalog.text, "
	"dry_run => $2::pg_catalog.bool, out_of_order => $3::pg_catalog.bool, "
	"expect => $4::pg_catalog.text, progress => true, "
	"rehearse => $5::pg_catalog.bool)";

static ExitStatus
nothing_to_do(Session *session)
{
	report_line(session->report, "nothing to do");
	session_close(session);
	return STATUS_FINE;
}

/*
 * Run what is planned, if it is ours; the server holds it to that.  Returns
 * false if another client was faster, and it is worth looking again.
 */
static bool
run_plan(Session *session, const Comparison *comparison, bool last_attempt,
		 ExitStatus *status)
{
	Report *report = session->report;
	const Options *options = report->options;
	RunRequest request = {.call = call_migrate,
						  .done_status =
							  options->dry_run ? "tried" : "applied"};
	Arguments arguments = {0};
	PGresult *plan = ask_plan(session);
	bool fine;

	if (plan == NULL)
	{
		*status = session_failed(session);
		return true;
	}
	/* without a plan there is nothing to hold the server to */
	if (PQntuples(plan) == 0 && options->expect == NULL)
	{
		*status = nothing_to_do(session);
		return true;
	}
	for (int i = 0; i < PQntuples(plan); i++)
	{
		report->plan_hash = copy_at(plan, i, 8);
		if (strcmp(value_at(plan, i, 2), "apply") == 0)
			list_add(&request.expected, (void *) copy_at(plan, i, 0));
	}
	if (!plan_is_ours(report, comparison, plan))
	{
		session_close(session);
		*status = STATUS_NO;
		return true;
	}
	PQclear(plan);
	argument_text(&arguments,
				  options->target != NULL
					  ? resolve_id(report->directory, options->target)
					  : NULL);
	argument_bool(&arguments, options->dry_run);
	argument_bool(&arguments, options->out_of_order);
	argument_text(&arguments,
				  options->expect ? options->expect : report->plan_hash);
	argument_bool(&arguments, options->rehearse);
	request.arguments = &arguments;
	fine = run_migrations(session, &request);
	arguments_free(&arguments);
	if (!fine && !last_attempt && is_outrun(session))
	{
		report->error = NULL;
		return false;
	}
	*status = end_run(session, &request, fine);
	return true;
}

/* Compare and register; false: *status says with what to end. */
static bool
make_ready(Session *session, Comparison *comparison, ExitStatus *status)
{
	Report *report = session->report;

	if (!compare_directory(session, report->directory, comparison))
	{
		*status = session_failed(session);
		return false;
	}
	if (show_obstacles(report, comparison))
	{
		session_close(session);
		*status = STATUS_NO;
		return false;
	}
	if (!register_all(session, comparison))
	{
		*status = session_failed(session);
		return false;
	}
	for (int i = 0; i < comparison->verdicts.count; i++)
	{
		const Verdict *verdict = comparison->verdicts.items[i];

		if (verdict->to_register && verdict->detail != NULL &&
			strcmp(verdict->detail, "was withdrawn") == 0)
			report_line(report, "%s was withdrawn, and is back", verdict->id);
	}
	return true;
}

ExitStatus
command_migrate(Report *report, Options *options)
{
	Session session = {0};
	ExitStatus status;

	if (!directory_and_session(&session, report, options, &status))
		return status;
	for (int attempt = 1;; attempt++)
	{
		Comparison comparison = {0};

		if (!make_ready(&session, &comparison, &status))
			return status;
		if (comparison.pending == 0 && options->target == NULL &&
			options->expect == NULL)
			return nothing_to_do(&session);
		if (run_plan(&session, &comparison, attempt == ATTEMPTS, &status))
			return status;
	}
}

static bool
is_count(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	return end != text && *end == '\0' && number >= 1 && number <= INT32_MAX;
}

ExitStatus
command_rollback(Report *report, Options *options)
{
	Session session = {0};
	RunRequest request = {.done_status =
							  options->dry_run ? "tried" : "rolled back"};
	Arguments arguments = {0};
	ExitStatus status;

	if (options->steps != NULL && !is_count(options->steps))
		return usage_answer(report, "--steps wants a number, 1 or more");
	if (options->steps != NULL && options->target != NULL)
		return usage_answer(report,
							"--steps and --target cannot both be given");
	if (options->arguments.count > 0 && !directory_open(report, options, 0))
		return STATUS_USAGE;
	if (!session_open(&session, report))
		return session_failed(&session);
	argument_text(&arguments,
				  options->target != NULL
					  ? resolve_id(report->directory, options->target)
					  : NULL);
	argument_text(&arguments, options->steps);
	argument_bool(&arguments, options->dry_run);
	request.arguments = &arguments;
	request.call = "CALL dbvc.rollback(target => $1::pg_catalog.text, "
				   "steps => $2::pg_catalog.int4, "
				   "dry_run => $3::pg_catalog.bool, progress => true)";
	status = end_run(&session, &request, run_migrations(&session, &request));
	arguments_free(&arguments);
	return status;
}

ExitStatus
command_register(Report *report, Options *options)
{
	Session session = {0};
	Comparison comparison = {0};
	ExitStatus status;

	if (!directory_and_session(&session, report, options, &status))
		return status;
	if (!make_ready(&session, &comparison, &status))
		return status;
	for (int i = 0; i < comparison.verdicts.count; i++)
	{
		const Verdict *verdict = comparison.verdicts.items[i];

		if (verdict->to_register)
			verdict_row(report, verdict)->status = "registered";
	}
	report_line(report, "%d registered", comparison.to_register);
	session_close(&session);
	return STATUS_FINE;
}
