/*
 * command_correct.c
 *		new, accept, baseline, withdraw: what a person decides.
 */
#include "client.h"

#include <string.h>

ExitStatus
command_new(Report *report, Options *options)
{
	PointerList created = {0};
	Directory *directory = NULL;
	bool fine;

	options->name = options->arguments.items[0];
	options->directory =
		options->arguments.count > 1 ? options->arguments.items[1] : ".";
	fine = directory_new(options, &created, &directory);
	report->directory = directory;
	report_problems(report);
	for (int i = 0; i < created.count; i++)
	{
		report_row(report, created.items[i])->file = created.items[i];
		report_line(report, "%s", one_line(created.items[i]));
	}
	return fine ? STATUS_FINE : STATUS_USAGE;
}

static bool
has_reason(Report *report)
{
	const char *reason = report->options->reason;

	if (reason != NULL && reason[0] != '\0')
		return true;
	usage_answer(report, format("%s needs --reason=TEXT; the history keeps it",
								report->options->command));
	return false;
}

static const Migration *
named_migration(Report *report, const char *name)
{
	const Migration *migration =
		migration_by_id(report->directory,
						resolve_id(report->directory, name));

	if (migration == NULL)
		usage_answer(report, format("there is no migration \"%s\" in %s",
									one_line(name),
									one_line(report->directory->path)));
	return migration;
}

static void
argument_script(Arguments *arguments, const Script *script)
{
	argument_text(arguments, script != NULL ? script->text : NULL);
}

/* One statement, and one migration in the answer. */
static ExitStatus
correct(Session *session, const char *sql, const Arguments *arguments,
		const char *id, const char *status)
{
	PGresult *result = session_query(session, sql, arguments);

	if (result == NULL)
		return session_failed(session);
	PQclear(result);
	report_row(session->report, id)->status = status;
	report_line(session->report, "%s %s", status, one_line(id));
	session_close(session);
	return STATUS_FINE;
}

ExitStatus
command_accept(Report *report, Options *options)
{
	Session session = {0};
	Arguments arguments = {0};
	const Migration *migration;
	PQExpBuffer source;

	if (!has_reason(report) || !directory_open(report, options, 0) ||
		!(migration = named_migration(report, options->arguments.items[1])))
		return STATUS_USAGE;
	if (!session_open(&session, report))
		return session_failed(&session);
	argument_text(&arguments, migration->id);
	argument_script(&arguments, migration->up);
	argument_script(&arguments, migration->down);
	argument_script(&arguments, migration->verify);
	argument_text(&arguments, migration->description);
	argument_text(&arguments, migration->author);
	argument_text(&arguments, migration->kind);
	if (migration->transactional < 0)
		argument_text(&arguments, NULL);
	else
		argument_bool(&arguments, migration->transactional == 1);
	argument_text(&arguments, migration->sort_key);
	argument_text(&arguments, options->reason);
	source = argument_array(&arguments, ELEMENT_BYTEA, 1);
	array_element(source, migration->source, migration->source_length);
	return correct(&session,
				   "SELECT r.id FROM dbvc.migration_accept("
				   "id => $1::pg_catalog.text, "
				   "up_script => $2::pg_catalog.text, "
				   "down_script => $3::pg_catalog.text, "
				   "verify_script => $4::pg_catalog.text, "
				   "description => $5::pg_catalog.text, "
				   "author => $6::pg_catalog.text, "
				   "kind => $7::pg_catalog.text, "
				   "transactional => $8::pg_catalog.bool, "
				   "sort_key => $9::pg_catalog.text, "
				   "reason => $10::pg_catalog.text, "
				   "source => ($11::pg_catalog.bytea[])[1], "
				   "exact => true) AS r",
				   &arguments, migration->id, "accepted");
}

ExitStatus
command_baseline(Report *report, Options *options)
{
	Session session = {0};
	Comparison comparison = {0};
	Arguments arguments = {0};
	const Migration *migration;
	PGresult *result;

	if (!has_reason(report) || !directory_open(report, options, 0) ||
		!(migration = named_migration(report, options->arguments.items[1])))
		return STATUS_USAGE;
	/* what has no file is not meant */
	options->allow_missing = true;
	if (!session_open(&session, report) ||
		!compare_directory(&session, report->directory, &comparison))
		return session_failed(&session);
	if (show_obstacles(report, &comparison))
	{
		session_close(&session);
		return STATUS_NO;
	}
	/* it stands for all before it, and these must be of this directory too */
	options->target = migration->id;
	options->out_of_order = true;
	if (!register_all(&session, &comparison) || !(result = ask_plan(&session)))
		return session_failed(&session);
	if (!plan_is_ours(report, &comparison, result))
	{
		session_close(&session);
		return STATUS_NO;
	}
	PQclear(result);
	argument_text(&arguments, migration->id);
	argument_text(&arguments, options->reason);
	if (!(result = session_query(
			  &session,
			  "SELECT dbvc.migration_baseline($1::pg_catalog.text, "
			  "$2::pg_catalog.text)",
			  &arguments)))
		return session_failed(&session);
	report_row(report, migration->id)->status = "baselined";
	report_line(report, "%s recorded as applied, up to %s",
				value_at(result, 0, 0), migration->id);
	PQclear(result);
	session_close(&session);
	return STATUS_FINE;
}

ExitStatus
command_withdraw(Report *report, Options *options)
{
	Session session = {0};
	Arguments arguments = {0};

	if (!has_reason(report))
		return STATUS_USAGE;
	if (!session_open(&session, report))
		return session_failed(&session);
	argument_text(&arguments, options->arguments.items[0]);
	argument_text(&arguments, options->reason);
	return correct(&session,
				   "SELECT dbvc.migration_withdraw($1::pg_catalog.text, "
				   "$2::pg_catalog.text)",
				   &arguments, options->arguments.items[0], "withdrawn");
}
