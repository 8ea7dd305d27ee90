/*
 * connection.c
 *		The way to the server: connecting, asking, cancelling.
 *
 * Nothing here relies on the state of a session, so that a pooler in
 * transaction mode may stand in between: each statement is one round trip with
 * its arguments, and a transaction is held open only where one is needed.
 */
#include "client.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>

/*
 * All that is asked is asked with the search_path that the scripts are to run
 * with, so nothing is left to it: functions are qualified, and operators too.
 */

/* What this program asks for is there since: */
#define OLDEST_EXTENSION "0.1.0"
#define TICK_MILLISECONDS 100

#define EXTENSION_QUERY \
	"SELECT extversion FROM pg_catalog.pg_extension " \
	"WHERE extname OPERATOR(pg_catalog.=) 'dbvc'"
/* Makes a new server process load what the first real question needs. */
#define WARM_UP_QUERY "SELECT FROM dbvc.migration_compare('{}', '{}')"

/* ------------------------------------------------------------------ errors */

static char *
field_copy(const PGresult *result, int field)
{
	const char *text = PQresultErrorField(result, field);

	return text ? memory_copy(text, strlen(text)) : NULL;
}

/*
 * Line and column stand in the context that the extension adds:
 * migration "ID", up script, statement 3, line 5, column 1: ...
 * It is the outermost that is ours; what stands before it may quote a script.
 */
static const char *
own_context(const char *context)
{
	const char *found = NULL;

	for (const char *line = context; line != NULL;
		 line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
	{
		if (strncmp(line, "migration \"", strlen("migration \"")) == 0)
			found = line;
	}
	return found;
}

static void
read_context(ServerError *error)
{
	const char *id = own_context(error->context);
	const char *quote;
	const char *rest;
	char script[8];
	int length = 0;

	if (id == NULL)
		return;
	id += strlen("migration \"");
	quote = strchr(id, '"');
	if (quote == NULL ||
		sscanf(quote, "\", %7[a-z] script%n", script, &length) != 1 ||
		length == 0)
		return;
	rest = quote + length;
	if (strncmp(rest, ", statement ", 12) == 0)
		rest = strstr(rest, ", line ");
	if (rest != NULL)
		sscanf(rest, ", line %d, column %d", &error->script_line,
			   &error->script_column);
	error->migration = memory_copy(id, quote - id);
	error->script = memory_copy(script, strlen(script));
}

/* The server's word for an error, or libpq's. */
static ServerError *
error_from(const PGconn *connection, const PGresult *result)
{
	ServerError *error = memory_new(sizeof(ServerError));
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message;
	size_t length;

	if (sqlstate != NULL)
		snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", sqlstate);
	error->message = field_copy(result, PG_DIAG_MESSAGE_PRIMARY);
	error->detail = field_copy(result, PG_DIAG_MESSAGE_DETAIL);
	error->hint = field_copy(result, PG_DIAG_MESSAGE_HINT);
	error->context = field_copy(result, PG_DIAG_CONTEXT);
	if (error->message == NULL)
	{
		message = PQerrorMessage(connection);
		length = strcspn(message, "");
		while (length > 0 && message[length - 1] == '\n')
			length--;
		error->message = memory_copy(message, length);
	}
	read_context(error);
	return error;
}

static void
own_error(Report *report, const char *message, const char *hint)
{
	report->error = memory_new(sizeof(ServerError));
	report->error->message = memory_copy(message, strlen(message));
	report->error->hint = hint ? memory_copy(hint, strlen(hint)) : NULL;
}

ExitStatus
session_status(const Session *session)
{
	const ServerError *error = session->report->error;

	if (session->cancelled)
		return STATUS_CANCELLED;
	if (error == NULL)
		return STATUS_FINE;
	/* a file that this database cannot hold */
	if (error->file != NULL && error->migration == NULL)
		return STATUS_USAGE;
	if (PQstatus(session->connection) != CONNECTION_OK)
		return STATUS_SERVER;
	/* a script that failed, and what dbvc refuses, are answers */
	if (error->migration != NULL || strncmp(error->sqlstate, "VC", 2) == 0)
		return STATUS_NO;
	return STATUS_SERVER;
}

/* ----------------------------------------------------------------- notices */

static void
warn_field(const Session *session, const PGresult *result, int field,
		   const char *label)
{
	const char *text = PQresultErrorField(result, field);

	if (text != NULL)
		report_warn(session->report, "%s:  %s", label, harmless(text));
}

static void
on_notice(void *arg, const PGresult *result)
{
	Session *session = arg;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *severity =
		PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	bool warning = severity != NULL && strcmp(severity, "WARNING") == 0;
	/* what a script raises has the script for its context */
	bool own = PQresultErrorField(result, PG_DIAG_CONTEXT) == NULL;

	if (message == NULL)
		return;
	if (own && sqlstate != NULL && strcmp(sqlstate, "VC000") == 0 &&
		session->on_progress != NULL)
	{
		session->on_progress(session, message,
							 PQresultErrorField(result,
												PG_DIAG_MESSAGE_DETAIL));
		return;
	}
	/* the last word of a run with nothing in it, which we say ourselves */
	if (own && strcmp(message, "nothing to do") == 0)
		return;
	if (!warning && session->report->options->quiet)
		return;
	if (session->report->live)
		fputs("\r\033[K", stdout);
	fflush(stdout);
	report_warn(session->report, "%s:  %s", severity ? severity : "NOTICE",
				harmless(message));
	if (warning)
	{
		warn_field(session, result, PG_DIAG_MESSAGE_DETAIL, "DETAIL");
		warn_field(session, result, PG_DIAG_MESSAGE_HINT, "HINT");
	}
}

/* -------------------------------------------------------------- connecting */

/* A password from the terminal, not shown; NULL if there is no terminal. */
static char *
ask_password(const char *user)
{
	FILE *terminal = fopen("/dev/tty", "r+");
	struct termios before;
	struct termios silent;
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	if (terminal == NULL || tcgetattr(fileno(terminal), &before) != 0)
		return NULL;
	/* silent first: some type ahead */
	silent = before;
	silent.c_lflag &= ~ECHO;
	tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
	fprintf(terminal, "Password%s%s: ", user ? " for user " : "",
			user ? one_line(user) : "");
	fflush(terminal);
	length = getline(&line, &size, terminal);
	tcsetattr(fileno(terminal), TCSAFLUSH, &before);
	fprintf(terminal, "\n");
	fclose(terminal);
	while (length > 0 &&
		   (line[length - 1] == '\n' || line[length - 1] == '\r'))
		line[--length] = '\0';
	return length >= 0 ? line : NULL;
}

static PGconn *
connect_once(const Options *options, const char *password)
{
	const char *keywords[] = {"dbname",
							  "host",
							  "port",
							  "user",
							  "password",
							  "fallback_application_name",
							  "client_encoding",
							  NULL};
	const char *values[] = {options->dbname, options->host, options->port,
							options->user,	 password,		"dbvc",
							"UTF8",			 NULL};

	return PQconnectdbParams(keywords, values, 1);
}

/*
 * A connection that is made while files are read.  It may be at work when the
 * program ends because of what the files hold, so it has memory of its own.
 */
typedef struct Starter
{
	const Options *options;
	const char *password; /* or NULL */
	PGconn *connection;
	PGresult *extension;
	int done[2]; /* a pipe that is closed at the end */
} Starter;

static void
ignore_notice(void *arg, const PGresult *result)
{
	(void) arg;
	(void) result;
}

/*
 * In a thread of its own: connect, and have the server load its library and
 * catalogs.  Whatever fails here is asked again, and then told.
 */
static void *
start_connection(void *arg)
{
	Starter *starter = arg;

	starter->connection = connect_once(starter->options, starter->password);
	PQsetNoticeReceiver(starter->connection, ignore_notice, NULL);
	if (PQstatus(starter->connection) == CONNECTION_OK)
		starter->extension = PQexec(starter->connection, EXTENSION_QUERY);
	if (PQresultStatus(starter->extension) == PGRES_TUPLES_OK &&
		PQntuples(starter->extension) == 1)
		PQclear(PQexec(starter->connection, WARM_UP_QUERY));
	close(starter->done[1]);
	return NULL;
}

static void
start(Session *session, const char *password)
{
	Starter *starter = memory_new(sizeof(Starter));
	pthread_t thread;

	starter->options = session->report->options;
	starter->password = password;
	session->starter = starter;
	if (pipe(starter->done) == 0 &&
		pthread_create(&thread, NULL, start_connection, starter) == 0)
		pthread_detach(thread);
	else /* then without one */
		start_connection(starter);
}

void
session_start(Session *session, Report *report)
{
	session->report = report;
	interrupt_begin();
	if (!report->options->ask_password)
		start(session, NULL);
}

/* Wait for it; false when somebody does not want to wait any longer. */
static bool
take_connection(Session *session)
{
	Starter *starter = session->starter;
	struct pollfd descriptors[2] = {
		{.fd = starter->done[0], .events = POLLIN},
		{.fd = interrupt_descriptor(), .events = POLLIN},
	};

	while (descriptors[0].revents == 0)
	{
		(void) poll(descriptors, 2, -1);
		if (interrupt_count() > 0)
		{
			session->cancelled = true;
			own_error(session->report, "cancelled", NULL);
			return false;
		}
	}
	session->connection = starter->connection;
	session->extension = starter->extension;
	session->starter = NULL;
	return true;
}

static bool
connect_server(Session *session)
{
	Report *report = session->report;
	const Options *options = report->options;
	const char *password = NULL;

	if (options->ask_password)
		password =
			ask_password(options->user ? options->user : getenv("PGUSER"));
	if (session->starter == NULL)
		start(session, password);
	if (!take_connection(session))
		return false;
	if (PQstatus(session->connection) == CONNECTION_BAD &&
		PQconnectionNeedsPassword(session->connection) && password == NULL &&
		!options->no_password)
	{
		password = ask_password(PQuser(session->connection));
		if (password != NULL || interrupt_count() > 0)
		{
			PQfinish(session->connection);
			session->connection = NULL;
			start(session, password);
			if (!take_connection(session))
				return false;
		}
	}
	if (PQstatus(session->connection) == CONNECTION_BAD)
	{
		report->error = error_from(session->connection, NULL);
		return false;
	}
	PQsetNoticeReceiver(session->connection, on_notice, session);
	report->database = format("%s", PQdb(session->connection));
	report->server_version = PQserverVersion(session->connection);
	return true;
}

/* 0.10.2 as a number that can be compared. */
static long
version_number(const char *version)
{
	int major = 0;
	int minor = 0;
	int patch = 0;

	sscanf(version, "%d.%d.%d", &major, &minor, &patch);
	return major * 1000000L + minor * 1000L + patch;
}

static bool
check_extension(Session *session)
{
	Report *report = session->report;
	PGresult *result = session->extension;
	const char *version;

	session->extension = NULL;
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
	{
		PQclear(result);
		result = session_query(session, EXTENSION_QUERY, NULL);
	}
	if (result == NULL)
		return false;
	if (PQntuples(result) == 0)
	{
		own_error(report,
				  format("database \"%s\" does not have the extension dbvc",
						 one_line(report->database)),
				  "As a superuser: CREATE EXTENSION dbvc.");
		PQclear(result);
		return false;
	}
	version = value_at(result, 0, 0);
	report->extension_version = memory_copy(version, strlen(version));
	PQclear(result);
	version = report->extension_version;
	if (version_number(version) < version_number(OLDEST_EXTENSION))
		own_error(report,
				  format("extension dbvc is of version %s; this program is %s "
						 "and needs " OLDEST_EXTENSION " or later",
						 one_line(version), DBVC_VERSION),
				  "Install the newer extension on the server, then ALTER "
				  "EXTENSION dbvc UPDATE.");
	else if (version_number(version) / 1000000L >
			 version_number(DBVC_VERSION) / 1000000L)
		own_error(report,
				  format("extension dbvc is of version %s, a newer "
						 "generation than this program, which is %s",
						 one_line(version), DBVC_VERSION),
				  "Install the program that came with the extension.");
	else if (version_number(version) / 1000 >
			 version_number(DBVC_VERSION) / 1000)
		report_warn(report,
					"dbvc: this program is of version %s, the extension of "
					"%s: what is new in it is not used",
					DBVC_VERSION, one_line(version));
	return report->error == NULL;
}

bool
session_open(Session *session, Report *report)
{
	session->report = report;
	interrupt_begin();
	if (!connect_server(session))
		return false;
	return check_extension(session);
}

void
session_close(Session *session)
{
	monitor_close();
	PQfinish(session->connection);
	session->connection = NULL;
}

/* ------------------------------------------------------------------ asking */

/* Ask the server to stop; what the statement makes of it comes as its
 * result. */
static void
cancel_statement(Session *session)
{
	PGcancel *cancel = PQgetCancel(session->connection);
	char message[256];

	session->cancelled = true;
	interrupt_drain();
	if (session->report->live)
		fputs("\r\033[K", stdout);
	fflush(stdout);
	report_warn(session->report, "dbvc: cancelling; waiting for the record");
	if (cancel == NULL || !PQcancel(cancel, message, sizeof(message)))
		report_warn(session->report, "dbvc: could not cancel: %s",
					cancel ? message : "no connection");
	PQfreeCancel(cancel);
}

/* Wait for bytes from the server, a tick or Ctrl-C; false: connection lost. */
static bool
wait_for_server(Session *session)
{
	struct pollfd descriptors[2] = {
		{.fd = PQsocket(session->connection), .events = POLLIN},
		{.fd = interrupt_descriptor(), .events = POLLIN},
	};
	int timeout = session->on_tick != NULL ? TICK_MILLISECONDS : -1;

	if (PQflush(session->connection) == 1)
		descriptors[0].events |= POLLOUT;
	(void) poll(descriptors, 2, timeout);
	if (descriptors[1].revents != 0)
		cancel_statement(session);
	if (descriptors[0].revents == 0)
	{
		if (session->on_tick != NULL)
			session->on_tick(session);
		return true;
	}
	return PQconsumeInput(session->connection) == 1;
}

static bool
send_query(Session *session, const char *sql, const Arguments *arguments)
{
	static const Arguments none;
	int count;
	const char **values;
	int *lengths;
	int *formats;
	bool sent;

	if (arguments == NULL)
		arguments = &none;
	count = arguments->values.count;
	values = memory_new((count + 1) * sizeof(*values));
	lengths = memory_new((count + 1) * sizeof(*lengths));
	formats = memory_new((count + 1) * sizeof(*formats));
	for (int i = 0; i < count; i++)
	{
		const PQExpBufferData *value = arguments->values.items[i];

		if (value == NULL)
			continue;
		if (PQExpBufferDataBroken(*value))
		{
			own_error(session->report, "out of memory", NULL);
			return false;
		}
		values[i] = value->data;
		lengths[i] = value->len;
		formats[i] = arguments->binary.items[i] != NULL;
	}
	sent = PQsendQueryParams(session->connection, sql, count, NULL, values,
							 lengths, formats, 0) == 1;
	free(values);
	free(lengths);
	free(formats);
	return sent;
}

/* The last result, or the first error: what libpq says after that is only that
 * the connection is gone. */
static PGresult *
collect_result(Session *session)
{
	PGresult *kept = NULL;

	for (;;)
	{
		PGresult *result;

		while (PQisBusy(session->connection))
		{
			if (!wait_for_server(session))
				break;
		}
		result = PQgetResult(session->connection);
		if (result == NULL)
			return kept;
		if (kept != NULL && PQresultStatus(kept) == PGRES_FATAL_ERROR)
			PQclear(result);
		else
		{
			PQclear(kept);
			kept = result;
		}
	}
}

PGresult *
session_query(Session *session, const char *sql, const Arguments *arguments)
{
	PGresult *result;
	ExecStatusType status;

	/* what was pressed a moment ago counts for all that would come now */
	if (interrupt_count() > 0 && !session->finishing)
	{
		session->cancelled = true;
		own_error(session->report, "cancelled", NULL);
		return NULL;
	}
	result =
		send_query(session, sql, arguments) ? collect_result(session) : NULL;
	status = PQresultStatus(result);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return result;
	if (session->report->error == NULL)
		session->report->error = error_from(session->connection, result);
	PQclear(result);
	return NULL;
}

bool
session_execute(Session *session, const char *sql)
{
	PGresult *result = session_query(session, sql, NULL);

	PQclear(result);
	return result != NULL;
}

const char *
value_at(const PGresult *result, int row, int column)
{
	if (PQgetisnull(result, row, column))
		return NULL;
	return PQgetvalue(result, row, column);
}

const char *
copy_at(const PGresult *result, int row, int column)
{
	const char *value = value_at(result, row, column);

	return value != NULL ? memory_copy(value, strlen(value)) : NULL;
}
