/*
 * main.c
 *		The commands of dbvc, and the way to them.
 */
#include "client.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

const Command commands[] = {
	{"migrate", "DIR", "apply what is pending in a directory", 1, 1,
	 command_migrate},
	{"register", "DIR", "record what is new in a directory, run nothing", 1, 1,
	 command_register},
	{"plan", "DIR", "show what migrate would do, in order, and why", 1, 1,
	 command_plan},
	{"check", "DIR", "is everything in a directory applied, and unchanged?", 1,
	 1, command_check},
	{"status", "", "show every migration the database knows", 0, 0,
	 command_status},
	{"rollback", "[DIR]", "roll back the last migration, or more", 0, 1,
	 command_rollback},
	{"verify", "[ID]", "recompute hashes, and run verify scripts", 0, 1,
	 command_verify},
	{"new", "NAME [DIR]", "make the files of a new migration", 1, 2,
	 command_new},
	{"accept", "DIR ID", "a changed file is what the database has", 2, 2,
	 command_accept},
	{"baseline", "DIR ID", "the database has everything up to here", 2, 2,
	 command_baseline},
	{"withdraw", "ID", "the file of a migration is gone for good", 1, 1,
	 command_withdraw},
	{"backfill", "TABLE", "convert the documents of an adopted table", 1, 1,
	 command_backfill},
	{"snapshot", "", "keep the schema as it is now", 0, 0, command_snapshot},
	{"diff", "[FROM [TO]]", "what differs between two snapshots, or now", 0, 2,
	 command_diff},
	{"drift", "", "what has changed since the newest snapshot?", 0, 0,
	 command_drift},
	{"completion", "bash", "print a completion script for a shell", 1, 1,
	 command_completion},
	{"help", "[COMMAND]", "show this, or the options of a command", 0, 1,
	 command_help},
	{NULL, NULL, NULL, 0, 0, NULL},
};

/* A program may be started without them; the next open() would get their
 * place, and the answer would go to the server. */
static void
open_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
	{
		if (fcntl(fd, F_GETFD) < 0)
			(void) open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
	}
}

int
main(int argc, char **argv)
{
	Options options = {0};
	Report report = {0};
	ExitStatus status;

	open_standard_descriptors();
	setlocale(LC_CTYPE, "");
	/* a reader that goes away ends the output, not the migration */
	signal(SIGPIPE, SIG_IGN);
	options_parse(&options, argc, argv);
	report_begin(&report, &options);
	status = command_find(options.command)->run(&report, &options);
	/* at once: a connection may be in the making in another thread */
	_exit(report_end(&report, status));
}
