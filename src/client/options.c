/*
 * options.c
 *		The command line.  One table says what there is; parsing, usage and
 *		completion come from it.
 */
#include "client.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

typedef enum OptionType
{
	OPTION_FLAG,
	OPTION_TEXT,
	OPTION_LIST,
	OPTION_PLACEHOLDER,
	OPTION_HELP,
	OPTION_VERSION,
} OptionType;

typedef struct OptionSpec
{
	const char *name;
	char letter; /* 0: only the long form */
	OptionType type;
	size_t offset;		  /* in Options */
	const char *argument; /* what it takes, for the usage */
	const char *summary;
	const char *commands; /* where it may stand, with blanks; NULL: all */
} OptionSpec;

#define DIRECTORY_COMMANDS \
	" migrate register plan check rollback accept baseline new "
#define FIELD(name) offsetof(Options, name)

static const OptionSpec specs[] = {
	{"target", 't', OPTION_TEXT, FIELD(target), "ID",
	 "migrate: the last one to apply; rollback: the one to keep",
	 " migrate plan rollback "},
	{"steps", 'n', OPTION_TEXT, FIELD(steps), "N", "how many to roll back",
	 " rollback "},
	{"dry-run", 0, OPTION_FLAG, FIELD(dry_run), NULL,
	 "execute everything and take it back", " migrate rollback "},
	{"rehearse", 0, OPTION_FLAG, FIELD(rehearse), NULL,
	 "apply only what its down script takes back; with --dry-run only try",
	 " migrate "},
	{"reversal", 0, OPTION_FLAG, FIELD(reversal), NULL,
	 "prove that up and down scripts take back each other", " verify "},
	{"expect", 0, OPTION_TEXT, FIELD(expect), "HASH",
	 "run only if the plan is the one that was reviewed", " migrate "},
	{"out-of-order", 0, OPTION_FLAG, FIELD(out_of_order), NULL,
	 "apply also what sorts before an applied one", " migrate plan "},
	{"allow-missing", 0, OPTION_FLAG, FIELD(allow_missing), NULL,
	 "go on though migrations of the database have no file",
	 " migrate register plan check "},
	{"reason", 0, OPTION_TEXT, FIELD(reason), "TEXT",
	 "why; it is kept in the history", " accept baseline withdraw "},
	{"batch", 0, OPTION_TEXT, FIELD(batch), "N",
	 "documents in a transaction, at most", " backfill "},
	{"max-seconds", 0, OPTION_TEXT, FIELD(max_seconds), "N",
	 "end after this time, with what is done", " backfill "},
	{"pause", 0, OPTION_TEXT, FIELD(pause), "MS",
	 "milliseconds to rest after each batch", " backfill "},
	{"lock-wait", 0, OPTION_TEXT, FIELD(lock_wait), "MS",
	 "milliseconds to wait, in all, for documents that are locked",
	 " backfill "},
	{"max-errors", 0, OPTION_TEXT, FIELD(max_errors), "N",
	 "documents that may be set aside", " backfill "},
	{"label", 0, OPTION_TEXT, FIELD(label), "TEXT",
	 "a word about the snapshot, kept with it", " snapshot "},
	{"schema", 0, OPTION_LIST, FIELD(schemas), "NAME",
	 "only what is in this schema; as often as needed", " snapshot "},
	{"settings", 0, OPTION_FLAG, FIELD(settings), NULL,
	 "also settings of the database and of roles", " snapshot "},
	{"detail", 0, OPTION_FLAG, FIELD(detail), NULL,
	 "also parts of what came or went, and effects of renames",
	 " diff drift "},
	{"layout", 'l', OPTION_TEXT, FIELD(layout), "NAME",
	 "flyway, golang-migrate, diesel, dbmate, goose or plain",
	 DIRECTORY_COMMANDS},
	{"set", 0, OPTION_PLACEHOLDER, FIELD(placeholders), "NAME=VALUE",
	 "value of a Flyway placeholder ${NAME}; as often as needed",
	 DIRECTORY_COMMANDS},
	{"no-placeholders", 0, OPTION_FLAG, FIELD(no_placeholders), NULL,
	 "leave ${...} as it is", DIRECTORY_COMMANDS},
	{"skip-callbacks", 0, OPTION_FLAG, FIELD(skip_callbacks), NULL,
	 "go on though Flyway callbacks do not run", DIRECTORY_COMMANDS},
	{"json", 'j', OPTION_FLAG, FIELD(json), NULL,
	 "answer with one JSON document", NULL},
	{"quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL,
	 "print no results, only errors and what hinders", NULL},
	{"dbname", 'd', OPTION_TEXT, FIELD(dbname), "NAME",
	 "database, connection string or URI", NULL},
	{"host", 'h', OPTION_TEXT, FIELD(host), "HOST",
	 "server, or folder of its socket", NULL},
	{"port", 'p', OPTION_TEXT, FIELD(port), "PORT", "port of the server",
	 NULL},
	{"username", 'U', OPTION_TEXT, FIELD(user), "NAME", "role to log in as",
	 NULL},
	{"no-password", 'w', OPTION_FLAG, FIELD(no_password), NULL,
	 "never ask for a password", NULL},
	{"password", 'W', OPTION_FLAG, FIELD(ask_password), NULL,
	 "ask for a password before connecting", NULL},
	{"help", '?', OPTION_HELP, 0, NULL, "show this", NULL},
	{"version", 'V', OPTION_VERSION, 0, NULL, "show the version", NULL},
};

#define SPEC_COUNT ((int) (sizeof(specs) / sizeof(specs[0])))
/* getopt's value of an option: its place in the table, after all letters */
#define SPEC_BASE 256

const Command *
command_find(const char *name)
{
	for (const Command *command = commands; command->name; command++)
	{
		if (strcmp(command->name, name) == 0)
			return command;
	}
	return NULL;
}

static bool
spec_fits(const OptionSpec *spec, const char *command)
{
	return spec->commands == NULL ||
		   strstr(spec->commands, format(" %s ", command)) != NULL;
}

static void __attribute__((noreturn))
usage_error(const char *command, const char *message)
{
	fprintf(stderr, "dbvc: %s\n", message);
	fprintf(stderr, "Try \"dbvc help%s%s\".\n", command ? " " : "",
			command ? command : "");
	exit(STATUS_USAGE);
}

static void
show_specs(FILE *out, const char *command, bool common)
{
	for (int i = 0; i < SPEC_COUNT; i++)
	{
		const OptionSpec *spec = &specs[i];
		char letter[8] = "    ";

		if ((spec->commands == NULL) != common ||
			(command != NULL && !spec_fits(spec, command)))
			continue;
		if (spec->letter != 0)
			snprintf(letter, sizeof(letter), "-%c, ", spec->letter);
		fprintf(out, "  %s--%-24s%s\n", letter,
				spec->argument ? format("%s=%s", spec->name, spec->argument)
							   : spec->name,
				spec->summary);
	}
}

static bool
has_options(const char *command)
{
	for (int i = 0; i < SPEC_COUNT; i++)
	{
		if (specs[i].commands != NULL && spec_fits(&specs[i], command))
			return true;
	}
	return false;
}

static void
show_help(FILE *out, const Command *only)
{
	fprintf(out, "dbvc applies a directory of migrations, and the database "
				 "keeps the books.\n\nUsage:\n");
	for (const Command *command = commands; command->name; command++)
	{
		if (only == NULL || only == command)
			fprintf(out, "  dbvc [OPTIONS] %-22s%s\n",
					format("%s %s", command->name, command->arguments),
					command->summary);
	}
	if (only == NULL || has_options(only->name))
	{
		fprintf(out, "\nOptions:\n");
		show_specs(out, only ? only->name : NULL, false);
	}
	fprintf(out, "\nConnection and output:\n");
	show_specs(out, NULL, true);
	fprintf(out, "\nWhat is not given comes from the environment, as in psql: "
				 "PGHOST, PGDATABASE ...\n");
	fprintf(out, "\nExit status: 0 fine; 1 the answer is no (pending, "
				 "changed, missing, failed);\n2 usage, or a directory that "
				 "cannot be used; 3 server or connection; 130 Ctrl-C.\n");
}

ExitStatus
command_help(Report *report, Options *options)
{
	const Command *only = NULL;

	(void) report;
	if (options->arguments.count > 0)
	{
		only = command_find(options->arguments.items[0]);
		if (only == NULL)
			usage_error(NULL, format("there is no command \"%s\"",
									 one_line(options->arguments.items[0])));
	}
	options->json = false;
	show_help(stdout, only);
	return STATUS_FINE;
}

/* ------------------------------------------------------------------ parsing */

static void
add_placeholder(Options *options, const char *text)
{
	const char *equals = strchr(text, '=');
	Placeholder *placeholder = memory_new(sizeof(Placeholder));

	if (equals == NULL || equals == text)
		usage_error(options->command,
					format("--set wants NAME=VALUE, not \"%s\"",
						   one_line(text)));
	placeholder->name = memory_copy(text, equals - text);
	placeholder->value = equals + 1;
	list_add(&options->placeholders, placeholder);
}

static void
apply_option(Options *options, const OptionSpec *spec)
{
	char *field = (char *) options + spec->offset;

	switch (spec->type)
	{
		case OPTION_FLAG:
			*(bool *) field = true;
			break;
		case OPTION_TEXT:
			/* a variable of a script that is not set */
			if (*optarg == '\0')
				usage_error(options->command,
							format("--%s wants a value", spec->name));
			*(const char **) field = optarg;
			break;
		case OPTION_LIST:
			if (*optarg == '\0')
				usage_error(options->command,
							format("--%s wants a value", spec->name));
			list_add((PointerList *) field, optarg);
			break;
		case OPTION_PLACEHOLDER:
			add_placeholder(options, optarg);
			break;
		case OPTION_HELP:
			break; /* once the command is known */
		case OPTION_VERSION:
			printf("dbvc %s\n", DBVC_VERSION);
			exit(STATUS_FINE);
	}
}

static const OptionSpec *
spec_of(int value)
{
	if (value >= SPEC_BASE)
		return &specs[value - SPEC_BASE];
	for (int i = 0; i < SPEC_COUNT; i++)
	{
		if (specs[i].letter == value)
			return &specs[i];
	}
	return NULL;
}

/* What getopt_long() wants to know. */
static void
getopt_tables(struct option *longs, char *letters)
{
	for (int i = 0; i < SPEC_COUNT; i++)
	{
		bool takes = specs[i].argument != NULL;

		longs[i].name = specs[i].name;
		longs[i].has_arg = takes ? required_argument : no_argument;
		longs[i].flag = NULL;
		longs[i].val = SPEC_BASE + i;
		if (specs[i].letter == 0)
			continue;
		*letters++ = specs[i].letter;
		if (takes)
			*letters++ = ':';
	}
	memset(&longs[SPEC_COUNT], 0, sizeof(*longs));
	*letters = '\0';
}

static void
check_command(const Options *options, const bool *given)
{
	const Command *command = command_find(options->command);
	int count = options->arguments.count;

	if (command == NULL)
		usage_error(NULL, format("there is no command \"%s\"",
								 one_line(options->command)));
	if (count < command->min_arguments || count > command->max_arguments)
		usage_error(command->name, format("%s: it is \"dbvc %s %s\"",
										  count < command->min_arguments
											  ? "something is missing"
											  : "there is too much",
										  command->name, command->arguments));
	for (int i = 0; i < SPEC_COUNT; i++)
	{
		if (given[i] && !spec_fits(&specs[i], command->name))
			usage_error(command->name, format("%s takes no option --%s",
											  command->name, specs[i].name));
	}
}

void
options_parse(Options *options, int argc, char **argv)
{
	struct option longs[SPEC_COUNT + 1];
	char letters[2 * SPEC_COUNT + 1];
	bool given[SPEC_COUNT] = {false};
	bool help = false;
	int value;

	getopt_tables(longs, letters);
	while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1)
	{
		const OptionSpec *spec = spec_of(value);

		/* getopt has said what is wrong, unless somebody typed -? */
		if (value == '?' && strcmp(argv[optind - 1], "-?") != 0)
			usage_error(NULL, "the command line was not understood");
		given[spec - specs] = true;
		help |= spec->type == OPTION_HELP;
		apply_option(options, spec);
	}
	if (help)
	{
		show_help(stdout, optind < argc ? command_find(argv[optind]) : NULL);
		exit(STATUS_FINE);
	}
	if (optind >= argc)
	{
		show_help(stderr, NULL);
		exit(STATUS_USAGE);
	}
	options->command = argv[optind++];
	for (; optind < argc; optind++)
	{
		if (argv[optind][0] == '\0')
			usage_error(options->command, "an argument is empty");
		list_add(&options->arguments, argv[optind]);
	}
	check_command(options, given);
}

/* --------------------------------------------------------------- completion */

static void
put_words(const char *command)
{
	for (int i = 0; i < SPEC_COUNT; i++)
	{
		if (spec_fits(&specs[i], command))
			printf(" --%s%s", specs[i].name, specs[i].argument ? "=" : "");
	}
}

static void
put_commands(const char *separator)
{
	for (const Command *command = commands; command->name; command++)
		printf("%s%s", command == commands ? "" : separator, command->name);
}

/* What follows -l, --layout or --layout= is a layout; bash makes three words
 * of the last one. */
static const char completion_end[] =
	"  esac\n"
	"  local before=${COMP_WORDS[COMP_CWORD-1]}\n"
	"  if [ \"$word\" = = ]; then word=; before==; fi\n"
	"  [ \"$before\" != = ] || before=${COMP_WORDS[COMP_CWORD-2]}\n"
	"  [ \"${COMP_WORDS[COMP_CWORD]}\" != = ] || "
	"before=${COMP_WORDS[COMP_CWORD-1]}\n"
	"  case $before in -l | --layout) words='flyway golang-migrate diesel "
	"dbmate goose plain' ;; esac\n"
	"  COMPREPLY=()\n"
	"  while read -r i; do COMPREPLY+=(\"$i\"); done "
	"< <(compgen -W \"$words\" -- \"$word\")\n"
	"  if [ -n \"$command\" ] && [[ $word != -* ]]; then\n"
	"    while read -r i; do COMPREPLY+=(\"$i\"); done "
	"< <(compgen -d -- \"$word\")\n"
	"  fi\n"
	"  [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace\n"
	"}\n"
	"complete -F _dbvc dbvc\n";

ExitStatus
command_completion(Report *report, Options *options)
{
	(void) report;
	if (strcmp(options->arguments.items[0], "bash") != 0)
		usage_error("completion", "only bash is known");
	options->json = false;
	printf("# bash completion for dbvc; written by: dbvc completion bash\n"
		   "_dbvc() {\n"
		   "  local word=${COMP_WORDS[COMP_CWORD]} command= words= i\n"
		   "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
		   "    case ${COMP_WORDS[i]} in\n      ");
	put_commands(" | ");
	printf(") command=${COMP_WORDS[i]}; break ;;\n    esac\n  done\n"
		   "  case $command in\n    '' | help) words=\"");
	put_commands(" ");
	put_words("");
	printf("\" ;;\n");
	for (const Command *command = commands; command->name; command++)
	{
		if (strcmp(command->name, "help") == 0)
			continue;
		printf("    %s) words=\"", command->name);
		put_words(command->name);
		printf("\" ;;\n");
	}
	fputs(completion_end, stdout);
	return STATUS_FINE;
}
