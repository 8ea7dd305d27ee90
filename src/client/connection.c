/*
 * connection.c
 *		Asking the server, cancelling, and what it says of itself.
 *
 * Nothing here relies on the state of a session, so that a pooler in
 * transaction mode may stand in between: each statement is one round trip with
 * its arguments, and a transaction is held open only where one is needed.  All
 * is asked with the search_path that the scripts are to run with, so nothing
 * is left to it: functions are qualified, and operators too.
 */
#include "client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MILLISECONDS 100

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
ServerError *
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
		length = strlen(message);
		while (length > 0 && message[length - 1] == '\n')
			length--;
		error->message = memory_copy(message, length);
	}
	read_context(error);
	return error;
}

void
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

void
session_notice(void *arg, const PGresult *result)
{
	Session *session = arg;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *severity =
		PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	bool warning = severity != NULL && strcmp(severity, "WARNING") == 0;
	/* what a script raises has the script for its context */
	bool own = PQresultErrorField(result, PG_DIAG_CONTEXT) == NULL;
	const char *shown;

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
	shown = harmless(message);
	report_warn(session->report, "%s:  %s", severity ? severity : "NOTICE",
				shown);
	/* there may be very many */
	free((char *) shown);
	if (warning)
	{
		warn_field(session, result, PG_DIAG_MESSAGE_DETAIL, "DETAIL");
		warn_field(session, result, PG_DIAG_MESSAGE_HINT, "HINT");
	}
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
