/*
 * connect.c
 *		The way to a server, and to an extension that can be talked to.
 */
#include "client.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>

/* What this program asks for is there since: */
#define OLDEST_EXTENSION "0.1.0"
#define EXTENSION_QUERY \
	"SELECT extversion FROM pg_catalog.pg_extension " \
	"WHERE extname OPERATOR(pg_catalog.=) 'dbvc'"

/* Wait until a line was typed; false at Ctrl-C. */
static bool
wait_for_line(int terminal)
{
	struct pollfd descriptors[2] = {
		{.fd = terminal, .events = POLLIN},
		{.fd = interrupt_descriptor(), .events = POLLIN},
	};

	while (descriptors[0].revents == 0)
	{
		if (interrupt_count() > 0)
			return false;
		(void) poll(descriptors, 2, -1);
	}
	return true;
}

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

	if (terminal == NULL)
		return NULL;
	if (tcgetattr(fileno(terminal), &before) != 0)
	{
		fclose(terminal);
		return NULL;
	}
	/* silent first: some type ahead */
	silent = before;
	silent.c_lflag &= ~ECHO;
	tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
	fprintf(terminal, "Password%s%s: ", user ? " for user " : "",
			user ? one_line(user) : "");
	fflush(terminal);
	length =
		wait_for_line(fileno(terminal)) ? getline(&line, &size, terminal) : -1;
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
	pthread_t thread;
	bool threaded;
	int done[2]; /* a pipe that is closed at the end */
} Starter;

static void
ignore_notice(void *arg, const PGresult *result)
{
	(void) arg;
	(void) result;
}

/*
 * In a thread of its own: connect, and ask for the extension.  Whatever fails
 * here is asked again, and then told.
 */
static void *
start_connection(void *arg)
{
	Starter *starter = arg;

	starter->connection = connect_once(starter->options, starter->password);
	PQsetNoticeReceiver(starter->connection, ignore_notice, NULL);
	if (PQstatus(starter->connection) == CONNECTION_OK)
		starter->extension = PQexec(starter->connection, EXTENSION_QUERY);
	close(starter->done[1]);
	return NULL;
}

static void
start(Session *session, const char *password)
{
	Starter *starter = memory_new(sizeof(Starter));
	sigset_t all;
	sigset_t before;

	starter->options = session->report->options;
	starter->password = password;
	session->starter = starter;
	if (pipe(starter->done) != 0)
		starter->done[0] = starter->done[1] = -1;
	/* signals are for the thread that waits */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	starter->threaded =
		starter->done[0] >= 0 &&
		pthread_create(&starter->thread, NULL, start_connection, starter) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!starter->threaded)
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

	while (starter->threaded && descriptors[0].revents == 0)
	{
		(void) poll(descriptors, 2, -1);
		if (interrupt_count() > 0)
		{
			session->cancelled = true;
			own_error(session->report, "cancelled", NULL);
			return false;
		}
	}
	if (starter->threaded)
		pthread_join(starter->thread, NULL); /* it is at its end */
	close(starter->done[0]);
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
	PQsetNoticeReceiver(session->connection, session_notice, session);
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
