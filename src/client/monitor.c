/*
 * monitor.c
 *		What does the run wait for, or how far is it?
 *
 * The connection that runs migrations, or a backfill, is busy, so a second one asks.  It is
 * opened only when a migration takes long enough for somebody to wonder, and
 * only for a terminal.  The run is found by the lock that it holds, not by a
 * process id: behind a pooler nobody knows that.  It never waits, since a pool
 * may have no connection to spare while ours runs.
 */
#include "client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

typedef enum MonitorState
{
	MONITOR_OFF,
	MONITOR_CONNECTING,
	MONITOR_READY,
	MONITOR_ASKED,
	MONITOR_REFUSED, /* there is no second connection to be had */
} MonitorState;

static struct
{
	MonitorState state;
	PGconn *connection;
	PostgresPollingStatusType wanted; /* while connecting */
	const char *answer;
	/* what is asked, if it is not what a run of migrations waits for */
	const char *query;
	const char *(*describe)(const PGresult *result);
} monitor = {.answer = ""};

/* The options of the first connection, with a patience of its own. */
static PGconn *
connect_again(const PGconn *connection)
{
	PQconninfoOption *known = PQconninfo((PGconn *) connection);
	const char *keywords[64];
	const char *values[64];
	int count = 0;
	PGconn *result;

	for (PQconninfoOption *option = known;
		 option != NULL && option->keyword != NULL && count < 61; option++)
	{
		if (option->val == NULL ||
			strcmp(option->keyword, "connect_timeout") == 0 ||
			strcmp(option->keyword, "fallback_application_name") == 0)
			continue;
		keywords[count] = option->keyword;
		values[count++] = option->val;
	}
	keywords[count] = "connect_timeout";
	values[count++] = "2";
	keywords[count] = "fallback_application_name";
	values[count++] = "dbvc monitor";
	keywords[count] = NULL;
	values[count] = NULL;
	result = PQconnectStartParams(keywords, values, 0);
	PQconninfoFree(known);
	return result;
}

/*
 * The holder of the run lock, who waits for it, and what the holder waits for.
 * A statement that is executed by a background worker has a row of its own in
 * pg_stat_progress_create_index.
 */
#define EQ " OPERATOR(pg_catalog.=) "

static const char monitor_query[] =
	"SELECT l.granted, a.pid, a.wait_event_type, a.wait_event, a.usename, "
	"b.pid, b.usename, "
	"pg_catalog.left(pg_catalog.regexp_replace(b.query, E'\\\\s+', ' ', 'g'), "
	"60), "
	"p.phase, p.blocks_done, p.blocks_total "
	"FROM pg_catalog.pg_locks l "
	"JOIN pg_catalog.pg_extension x ON x.extname" EQ "'dbvc' AND x.oid" EQ
	"l.objid "
	"JOIN pg_catalog.pg_stat_activity a ON a.pid" EQ "l.pid "
	"LEFT JOIN pg_catalog.pg_stat_activity b ON b.pid" EQ
	"(SELECT pg_catalog.min(u) "
	"FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) u) "
	"LEFT JOIN pg_catalog.pg_stat_progress_create_index p "
	"ON p.datid" EQ "a.datid "
	"WHERE l.locktype" EQ "'object' AND l.objsubid" EQ "1 AND l.database" EQ
	"a.datid "
	"AND a.datname" EQ "pg_catalog.current_database() "
	"AND l.classid" EQ "'pg_catalog.pg_extension'::pg_catalog.regclass "
	"ORDER BY l.granted DESC LIMIT 20";

static const char *
blocker_text(const PGresult *result, int row)
{
	const char *query = value_at(result, row, 7);

	return format("%s (%s)%s%s", value_at(result, row, 5),
				  value_at(result, row, 6) ? value_at(result, row, 6) : "?",
				  query ? ": " : "", query ? query : "");
}

static const char *
index_text(const PGresult *result, int row)
{
	long done = atol(value_at(result, row, 9));
	long total = atol(value_at(result, row, 10));

	return total > 0 ? format("%s %ld %%", value_at(result, row, 8),
							  100 * done / total)
					 : format("%s", value_at(result, row, 8));
}

/* What a process with the run lock waits for. */
static const char *
describe_holder(const PGresult *result, int row)
{
	const char *type = value_at(result, row, 2);

	if (type != NULL && strcmp(type, "Lock") == 0 &&
		value_at(result, row, 5) != NULL)
		return format("waits for a lock of process %s",
					  blocker_text(result, row));
	if (value_at(result, row, 8) != NULL)
		return index_text(result, row);
	if (type != NULL && strcmp(type, "Client") != 0)
		return format("%s: %s", type, value_at(result, row, 3));
	return "";
}

static const char *
describe(const Session *session, const PGresult *result)
{
	int own = PQbackendPID(session->connection);
	const char *text = "";

	for (int row = 0; row < PQntuples(result); row++)
	{
		bool granted = *value_at(result, row, 0) == 't';

		/* behind a pooler the process id is the pooler's: take the holder */
		if (granted)
			text = describe_holder(result, row);
		else if (atoi(value_at(result, row, 1)) == own)
			return format("waits for another run, process %s",
						  blocker_text(result, row));
	}
	return text;
}

static bool
is_ready(short events)
{
	struct pollfd descriptor = {.fd = PQsocket(monitor.connection),
								.events = events};

	return poll(&descriptor, 1, 0) > 0;
}

static MonitorState
go_on_connecting(void)
{
	if (!is_ready(monitor.wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT))
		return MONITOR_CONNECTING;
	monitor.wanted = PQconnectPoll(monitor.connection);
	if (monitor.wanted == PGRES_POLLING_FAILED)
		return MONITOR_REFUSED;
	return monitor.wanted == PGRES_POLLING_OK ? MONITOR_READY
											  : MONITOR_CONNECTING;
}

static MonitorState
take_answer(const Session *session)
{
	PGresult *result;

	if (PQconsumeInput(monitor.connection) == 0)
		return MONITOR_REFUSED;
	if (PQisBusy(monitor.connection))
		return MONITOR_ASKED;
	while ((result = PQgetResult(monitor.connection)) != NULL)
	{
		if (PQresultStatus(result) == PGRES_TUPLES_OK)
			monitor.answer = monitor.describe != NULL
								 ? monitor.describe(result)
								 : one_line(describe(session, result));
		PQclear(result);
	}
	return MONITOR_READY;
}

const char *
monitor_ask(Session *session)
{
	switch (monitor.state)
	{
		case MONITOR_OFF:
			monitor.connection = connect_again(session->connection);
			monitor.wanted = PGRES_POLLING_WRITING;
			monitor.state = PQstatus(monitor.connection) == CONNECTION_BAD
								? MONITOR_REFUSED
								: MONITOR_CONNECTING;
			break;
		case MONITOR_CONNECTING:
			monitor.state = go_on_connecting();
			break;
		case MONITOR_READY:
			if (PQsendQuery(monitor.connection,
							monitor.query ? monitor.query : monitor_query) ==
				1)
				monitor.state = MONITOR_ASKED;
			else
				monitor.state = MONITOR_REFUSED;
			break;
		case MONITOR_ASKED:
			monitor.state = take_answer(session);
			break;
		case MONITOR_REFUSED:
			monitor.answer = "";
			break;
	}
	return monitor.answer;
}

void
monitor_other(const char *query, const char *(*describe_it)(const PGresult *) )
{
	monitor.query = query;
	monitor.describe = describe_it;
}

void
monitor_forget(void)
{
	monitor.answer = "";
}

void
monitor_close(void)
{
	PQfinish(monitor.connection);
	monitor.connection = NULL;
	monitor.state = MONITOR_OFF;
}
