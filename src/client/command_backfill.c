/*
 * command_backfill.c
 *		backfill: convert what nobody writes, and show how far it is.
 *
 * CALL dbvc.document_backfill() commits as it goes, and writes down how far it
 * is.  The connection that runs it is busy, so another one looks (monitor.c),
 * for a terminal only.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

/* What takes longer than this is worth a bar. */
#define BAR_AFTER_MILLISECONDS 300
#define BAR_WIDTH 30

static const char call_backfill[] =
	"CALL dbvc.document_backfill(source => "
	"$1::pg_catalog.text::pg_catalog.regclass, "
	"batch => $2::pg_catalog.int4, max_seconds => $3::pg_catalog.int4, "
	"pause => $4::pg_catalog.int4, lock_wait => $5::pg_catalog.int4, "
	"max_errors => $6::pg_catalog.int4)";

typedef struct Bar
{
	double started;
	bool drawn;
} Bar;

/* ---------------------------------------------------------------- the bar */

/* Done, total, documents a second, seconds to go, set aside; the run is found
 * by the table's name: behind a pooler nobody knows process ids. */
static char *
progress_query(const PGconn *connection, const char *table)
{
	char *literal =
		PQescapeLiteral((PGconn *) connection, table, strlen(table));
	char *query;

	if (literal == NULL)
		return NULL;
	query = format(
		"SELECT p.done, p.total, p.percent, p.rate, "
		"pg_catalog.date_part('epoch', p.eta OPERATOR(pg_catalog.-) "
		"pg_catalog.clock_timestamp()), p.errors "
		"FROM dbvc.document_progress p "
		"JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) "
		"pg_catalog.to_regclass(%s) "
		"JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) "
		"c.relnamespace "
		"WHERE p.state OPERATOR(pg_catalog.=) 'running' AND "
		"(p.base OPERATOR(pg_catalog.=) c.oid OR p.source "
		"OPERATOR(pg_catalog.=) pg_catalog.concat("
		"pg_catalog.quote_ident(n.nspname), '.', "
		"pg_catalog.quote_ident(c.relname)))",
		literal);
	PQfreemem(literal);
	return query;
}

static const char *
number_or(const PGresult *result, int column, const char *if_null)
{
	const char *value = value_at(result, 0, column);

	return value != NULL ? value : if_null;
}

/* [######......]  45.3 %  9060 of 20000  8136/s  1.2 s to go  3 set aside */
static const char *
describe_progress(const PGresult *result)
{
	static char text[256];
	double percent;
	double left;
	char bar[BAR_WIDTH + 1];
	int filled;

	if (PQntuples(result) == 0)
		return "";
	if (value_at(result, 0, 1) == NULL)
		return "counting the documents";
	percent = strtod(number_or(result, 2, "0"), NULL);
	filled = percent * BAR_WIDTH / 100;
	for (int i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	left = strtod(number_or(result, 4, "-1"), NULL);
	snprintf(text, sizeof(text), "[%s] %5.1f %%  %s of %s  %.0f/s%s%s%s%s%s",
			 bar, percent, number_or(result, 0, "0"),
			 number_or(result, 1, "?"),
			 strtod(number_or(result, 3, "0"), NULL), left > 0 ? "  " : "",
			 left > 0 ? duration_text(left * 1000) : "",
			 left > 0 ? " to go" : "",
			 strcmp(number_or(result, 5, "0"), "0") == 0 ? "" : "  ",
			 strcmp(number_or(result, 5, "0"), "0") == 0
				 ? ""
				 : format("%s set aside", value_at(result, 0, 5)));
	return text;
}

static void
on_tick(Session *session)
{
	Bar *bar = session->run;
	double elapsed = now_milliseconds() - bar->started;
	const char *answer;
	char line[1024];

	if (elapsed < BAR_AFTER_MILLISECONDS)
		return;
	answer = monitor_ask(session);
	snprintf(line, sizeof(line), "%s",
			 *answer != '\0' ? answer : duration_text(elapsed));
	cut_line(line, session->report->width - 1);
	printf("\r\033[K%s", line);
	fflush(stdout);
	bar->drawn = true;
}

/* -------------------------------------------------------------- the command */

static bool
is_number(const char *text, long least)
{
	char *end;
	long number;

	if (text == NULL)
		return true;
	number = strtol(text, &end, 10);
	return end != text && *end == '\0' && number >= least &&
		   number <= INT32_MAX;
}

static const char *
wrong_option(const Options *options)
{
	if (!is_number(options->batch, 1))
		return "--batch wants a number, 1 or more";
	if (!is_number(options->max_seconds, 1))
		return "--max-seconds wants a number, 1 or more";
	if (!is_number(options->pause, 0))
		return "--pause wants a number of milliseconds";
	if (!is_number(options->lock_wait, 0))
		return "--lock-wait wants a number of milliseconds";
	if (!is_number(options->max_errors, 0))
		return "--max-errors wants a number";
	return NULL;
}

static PGresult *
run_backfill(Session *session, const char *table)
{
	const Options *options = session->report->options;
	Bar bar = {.started = now_milliseconds()};
	Arguments arguments = {0};
	PGresult *result;

	argument_text(&arguments, table);
	argument_text(&arguments, options->batch);
	argument_text(&arguments, options->max_seconds);
	argument_text(&arguments, options->pause);
	argument_text(&arguments, options->lock_wait);
	argument_text(&arguments, options->max_errors);
	session->run = &bar;
	if (session->report->live)
	{
		monitor_other(progress_query(session->connection, table),
					  describe_progress);
		session->on_tick = on_tick;
	}
	result = session_query(session, call_backfill, &arguments);
	if (bar.drawn)
		fputs("\r\033[K", stdout);
	session->on_tick = NULL;
	session->run = NULL;
	arguments_free(&arguments);
	return result;
}

static const Backfill *
read_result(const PGresult *result, const char *table, double started)
{
	Backfill *backfill = memory_new(sizeof(Backfill));

	backfill->table = table;
	backfill->converted = atol(number_or(result, 0, "0"));
	backfill->set_aside = atol(number_or(result, 1, "0"));
	backfill->remaining = atol(number_or(result, 2, "0"));
	backfill->milliseconds = now_milliseconds() - started;
	return backfill;
}

ExitStatus
command_backfill(Report *report, Options *options)
{
	const char *table = options->arguments.items[0];
	const char *wrong = wrong_option(options);
	double started = now_milliseconds();
	Session session = {0};
	const Backfill *done;
	PGresult *result;

	if (wrong != NULL)
		return usage_answer(report, wrong);
	if (!session_open(&session, report))
		return session_failed(&session);
	result = run_backfill(&session, table);
	if (result == NULL || PQntuples(result) != 1)
		return session_failed(&session);
	done = report->backfill = read_result(result, table, started);
	PQclear(result);
	report_line(report, "%s %s of %s  %s",
				paint(report, PAINT_GOOD, format("%ld", done->converted)),
				done->converted == 1 ? "document converted"
									 : "documents converted",
				one_line(table),
				paint(report, PAINT_FAINT, duration_text(done->milliseconds)));
	if (done->set_aside > 0)
		report_line(report, "%s set aside: see dbvc.document_error",
					paint(report, PAINT_BAD, format("%ld", done->set_aside)));
	if (done->remaining > 0)
		report_line(report, "%s left: call it again",
					paint(report, PAINT_CARE, format("%ld", done->remaining)));
	session_close(&session);
	if (session.cancelled)
		return STATUS_CANCELLED;
	return done->set_aside > 0 || done->remaining > 0 ? STATUS_NO
													  : STATUS_FINE;
}
