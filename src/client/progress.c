/*
 * progress.c
 *		A run, while it runs: a line for each migration, and on a terminal one
 *		that lives.
 *
 * The server sends a notice as each migration is done.  Between notices, on a
 * terminal, the last line tells which one is at work, for how long, and what
 * it waits for.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A migration that takes longer than this is asked what it waits for. */
#define ASK_AFTER_MILLISECONDS 1000

typedef struct Run
{
	const RunRequest *request;
	int done;
	double started; /* of the migration at work, in milliseconds */
	bool drawn;
} Run;

double
now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000.0 + now.tv_nsec / 1e6;
}

static void
clear_live_line(Run *run)
{
	if (run->drawn)
		fputs("\r\033[K", stdout);
	run->drawn = false;
}

static const char *
counter_text(const Run *run, int number)
{
	int total = run->request->expected.count;

	if (total > 0)
		return format("[%*d/%d]",
					  total > 999  ? 4
					  : total > 99 ? 3
								   : 2,
					  number, total);
	return format("[%d]", number);
}

/* The id of the n-th migration, if it is known. */
static const char *
expected_id(const Run *run, int n)
{
	const PointerList *expected = &run->request->expected;

	return n < expected->count ? expected->items[n] : "";
}

/* applied "ID": 3 statements */
static void
on_progress(Session *session, const char *message, const char *detail)
{
	Run *run = session->run;
	const char *id = strchr(message, '"');
	const char *end = id != NULL ? strchr(id + 1, '"') : NULL;
	double now = now_milliseconds();
	Row *row;
	char statements[32] = "0";

	if (end == NULL)
		return;
	sscanf(end, "\": %31[0-9]", statements);
	row = report_row(session->report, memory_copy(id + 1, end - id - 1));
	row->status = run->request->done_status;
	/* of a dry run the server tells at the end */
	if (!session->report->options->dry_run)
		row->milliseconds = now - run->started;
	row->statements = strtol(statements, NULL, 10);
	if (detail != NULL)
		row->detail = memory_copy(detail, strlen(detail));
	clear_live_line(run);
	report_line(session->report, "%s %s %s  %s  %s",
				counter_text(run, ++run->done),
				paint(session->report, PAINT_GOOD, row->status),
				one_line(row->id),
				row->milliseconds < 0
					? ""
					: paint(session->report, PAINT_FAINT,
							duration_text(row->milliseconds)),
				row->detail ? harmless(row->detail) : "");
	run->started = now;
	monitor_forget();
}

void
cut_line(char *line, int columns)
{
	char *at = line;

	for (int i = 0; *at != '\0' && i < columns; i++)
	{
		do
			at++;
		while ((*at & 0xC0) == 0x80);
	}
	*at = '\0';
	line[utf8_valid(line, at - line)] = '\0';
}

static void
on_tick(Session *session)
{
	Run *run = session->run;
	double elapsed = now_milliseconds() - run->started;
	const char *waits_for = "";
	char line[1024];

	if (elapsed > ASK_AFTER_MILLISECONDS)
		waits_for = monitor_ask(session);
	snprintf(line, sizeof(line), "%s %s  %s  %s",
			 counter_text(run, run->done + 1), expected_id(run, run->done),
			 duration_text(elapsed), waits_for);
	cut_line(line, session->report->width - 1);
	printf("\r\033[K%s", line);
	fflush(stdout);
	run->drawn = true;
}

bool
run_migrations(Session *session, const RunRequest *request)
{
	Run run = {.request = request, .started = now_milliseconds()};
	PGresult *result;

	session->run = &run;
	session->on_progress = on_progress;
	session->on_tick = session->report->live ? on_tick : NULL;
	result = session_query(session, request->call, request->arguments);
	clear_live_line(&run);
	session->on_progress = NULL;
	session->on_tick = NULL;
	session->run = NULL;
	PQclear(result);
	return result != NULL;
}
