/*
 * client.h
 *		The dbvc program: a directory of migration files, taken to the database.
 *
 * The way of a directory: file.c reads it, layout.c finds out whose layout it
 * is, layout_*.c turn its files into migrations.  verdict.c sends them to the
 * server, which hashes them and says what is new, changed or missing.
 * progress.c calls dbvc.migrate() or dbvc.rollback() and shows what happens
 * meanwhile, monitor.c what that waits for.  command_backfill.c has no
 * directory: it calls dbvc.document_backfill() and shows how far it is; tree.c
 * shows what command_snapshot.c finds different between two schemas.
 * command_*.c are the commands.  Everything the server is asked is public SQL.
 *
 * Memory is taken from malloc() and given back at exit: a run is short, and
 * what it reads is needed until its end.
 */
#ifndef DBVC_CLIENT_H
#define DBVC_CLIENT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* what pqexpbuffer.h wants of PostgreSQL's own headers; bool too */
#define pg_attribute_printf(f, a) __attribute__((format(printf, f, a)))

#include "libpq-fe.h"
#include "pqexpbuffer.h"

/* Exit status of the program. */
typedef enum ExitStatus
{
	STATUS_FINE = 0,
	STATUS_NO = 1,	  /* the answer is no: pending, changed, missing, failed */
	STATUS_USAGE = 2, /* wrong options, or a directory that cannot be used */
	STATUS_SERVER = 3, /* the server, or the way to it */
	STATUS_CANCELLED = 130,
} ExitStatus;

/* ----------------------------------------------------------------- memory */

/* in memory.c; these never return NULL: without memory the program ends */

extern void *memory_new(size_t size); /* zeroed */
extern void *memory_grow(void *old, size_t size);
extern char *memory_copy(const char *text, size_t length); /* adds a NUL */
extern char *format(const char *pattern, ...)
	__attribute__((format(printf, 1, 2)));
extern char *format_list(const char *pattern, va_list arguments)
	__attribute__((format(printf, 1, 0)));
/* The text of a buffer, which is given up; its length too if wanted. */
extern char *buffer_text(PQExpBuffer buffer, size_t *length);

/* A growing array of pointers. */
typedef struct PointerList
{
	void **items;
	int count;
	int allocated;
} PointerList;

extern void list_add(PointerList *list, void *item);

/* ----------------------------------------------------------------- options */

/* A name and its value, from --set name=value. */
typedef struct Placeholder
{
	const char *name;
	const char *value;
} Placeholder;

typedef struct Options
{
	const char *command;
	PointerList arguments; /* of char *: what follows the command */

	/* connection */
	const char *dbname; /* a name, a connection string or a URI */
	const char *host;
	const char *port;
	const char *user;
	bool ask_password; /* at once */
	bool no_password;  /* never */

	/* directory */
	const char *directory;	  /* as the user wrote it, without trailing / */
	const char *layout;		  /* NULL: detect */
	PointerList placeholders; /* of Placeholder */
	bool no_placeholders;	  /* ${...} stays as it is */
	bool skip_callbacks;	  /* Flyway callbacks are known not to run */

	/* running */
	const char *name; /* of a new migration */
	const char *target;
	const char *steps;
	const char *expect;
	const char *reason;
	const char *batch; /* of a backfill: numbers, or NULL */
	const char *max_seconds;
	const char *pause;
	const char *lock_wait;
	const char *max_errors;
	const char *label;	 /* of a snapshot */
	PointerList schemas; /* of char *: what it holds; empty: all */
	bool settings;		 /* those of the database and of roles too */
	bool detail;		 /* of differences */
	bool dry_run;
	bool rehearse;
	bool reversal;
	bool out_of_order;
	bool allow_missing;

	/* output */
	bool json;
	bool quiet;
} Options;

/* --------------------------------------------------------------- directory */

/* Where a run of lines of a script stands in its file: script line
 * script_line is file line file_line, and so on up to the next span. */
typedef struct Span
{
	int script_line; /* both from 1 */
	int file_line;
} Span;

/* One script as it is sent. */
typedef struct Script
{
	const char *path; /* of its file, as shown: DIRECTORY/... */
	char *text;		  /* NUL-terminated UTF-8 without NULs */
	size_t length;
	Span *spans; /* span_count >= 1, script_line ascending from 1 */
	int span_count;
	bool verbatim; /* ${...} in it is no placeholder */
} Script;

typedef struct Migration
{
	char *id;			 /* as the server knows it */
	const char *path;	 /* of the file with its up script, as shown */
	const char *kind;	 /* versioned, repeatable or baseline */
	const char *version; /* in its tool's canonical form: two of one kind with
							the same one are a mistake */
	/*
	 * Natural order of these (digit runs as numbers, the rest by bytes; the
	 * server compares) is the order in which its tool applies migrations.
	 */
	const char *sort_key;
	Script *up;
	Script *down;	   /* NULL: none */
	Script *verify;	   /* NULL: none */
	int transactional; /* 0 no, 1 yes, -1 the scripts tell */
	char *description; /* NULL: none */
	char *author;	   /* from a leading comment "-- Author: ...", or NULL */
	/*
	 * The files as they were, when the scripts are not just their text
	 * (placeholders): an unchanged file is recognised though a value differs.
	 */
	char *source; /* NULL: the scripts are the files' text */
	size_t source_length;
} Migration;

/* Something wrong with a directory; the reader sees file:line:column. */
typedef struct Problem
{
	char *path; /* as shown, or NULL */
	int line;	/* 0: the whole file */
	int column; /* in characters, from 1; 0: the whole line */
	char *message;
	char *hint; /* or NULL */
	char *text; /* the line, for a caret below it, or NULL */
} Problem;

typedef struct Directory
{
	const char *path;		/* as the user wrote it */
	const char *layout;		/* name of its layout; NULL while not known */
	int folder;				/* open descriptor of it, or -1 */
	PointerList files;		/* of SourceFile, by bytes of their names */
	PointerList migrations; /* of Migration, in order once it is open */
	PointerList by_id;		/* the same, by id */
	PointerList problems;	/* of Problem; any of them means: use nothing */
} Directory;

/*
 * Read a directory and everything in it.  Problems are collected, not
 * printed; the caller shows them all (problems_show) and ends with
 * STATUS_USAGE.  In layout.c.
 */
extern Directory *directory_read(const Options *options);
extern void problem_add(Directory *directory, const char *path, int line,
						int column, const char *text, const char *hint,
						const char *message, ...)
	__attribute__((format(printf, 7, 8)));

/* ------------------------------------------------------------------- files */

/* in file.c */

typedef struct SourceFile
{
	const char *name; /* below the directory: "NAME/up.sql" */
	const char *path; /* as shown: DIRECTORY/NAME/up.sql */
	const char *real; /* what is opened: no symbolic link in it; NULL: name */
	dev_t device;	  /* device and inode: what it was when it was listed */
	ino_t inode;
	char *text; /* NULL until file_read() */
	size_t length;
	bool unusable; /* file_read() has said why */
} SourceFile;

/*
 * Fill in directory->files: all regular files, below depth levels of folders,
 * without hidden ones.  A symbolic link that leads out of the directory, a
 * file that is no regular one, or a folder that cannot be read is a problem.
 */
extern void files_list(Directory *directory, int depth);
/*
 * Read a file once: valid UTF-8 without NUL, or false and a problem that
 * gives the line of what is wrong (UTF-16 is named as such).
 */
extern bool file_read(Directory *directory, SourceFile *file);
/* The file of this name below the directory, or NULL. */
extern SourceFile *file_find(const Directory *directory, const char *name);
/* A whole file as a script. */
extern Script *file_script(const SourceFile *file);

/* in utf8.c */

/* How many bytes from the start on are valid UTF-8 (NULs are). */
extern size_t utf8_valid(const char *text, size_t length);
/* The number of characters of a valid text. */
extern int utf8_characters(const char *text, size_t length);
/* A text in which each byte that is not UTF-8 is \xNN. */
extern char *utf8_shown(const char *text);

/* ----------------------------------------------------------------- layouts */

/* in layout.c */

typedef struct Layout
{
	const char
		*name; /* flyway, golang-migrate, diesel, dbmate, goose, plain */
	/* True when this file can only be of this layout. */
	bool (*claims)(Directory *directory, SourceFile *file);
	/* Turn all files into migrations; what does not fit is a problem. */
	void (*read)(Directory *directory, const Options *options);
	/* Write the files of a new migration; returns false and a problem. */
	bool (*create)(Directory *directory, const Options *options,
				   PointerList *created);
} Layout;

extern const Layout layout_flyway;		   /* in layout_flyway.c */
extern const Layout layout_golang_migrate; /* in layout_pair.c */
extern const Layout layout_diesel;		   /* in layout_pair.c */
extern const Layout layout_dbmate;		   /* in layout_marked.c */
extern const Layout layout_goose;		   /* in layout_marked.c */
extern const Layout layout_plain;		   /* in layout_plain.c */

/* `dbvc new NAME`: in new.c; created gets the paths of what was written. */
extern bool directory_new(const Options *options, PointerList *created,
						  Directory **directory);

/* ---------------------------------------------------------- natural order */

/* in natural.c: as dbvc_natural_compare() of the server. */
extern int natural_compare(const char *a, const char *b);

/* ------------------------------------------------------------------ output */

/* What the server said, taken out of a result. */
typedef struct ServerError
{
	char sqlstate[6]; /* "" for an error of the connection */
	char *message;
	char *detail; /* or NULL */
	char *hint;
	char *context;
	/* where in a script, from the context; script_line 0: not in one */
	char *migration;
	char *script; /* up, down or verify */
	int script_line;
	int script_column;
	/* the same in its file, when that is here; file_line 0: it is not */
	const char *file;
	int file_line;
	char *line_text;
} ServerError;

/* One migration in the answer of a command.  Texts are NULL, numbers -1, where
 * the command does not say. */
typedef struct Row
{
	const char *id;
	const char *file;
	const char *kind;
	const char *verdict;
	const char *status;
	const char *action;
	const char *why;
	const char *detail;
	const char *checksum;
	const char *author;
	const char *role; /* who applied or registered it */
	const char *time; /* when */
	const char *check;
	int ok; /* of check: 1, 0, or -1 not run */
	long version;
	long statements;
	double milliseconds;
} Row;

/* What a backfill has done. */
typedef struct Backfill
{
	const char *table;
	long converted;
	long set_aside;
	long remaining;
	double milliseconds;
} Backfill;

/* A snapshot that the server keeps. */
typedef struct Snapshot
{
	const char *id;
	const char *label; /* NULL: none */
	const char *time;
	const char *fingerprint; /* hexadecimal */
	long objects;
} Snapshot;

/* What differs between two of them. */
typedef struct Differences
{
	const Snapshot *from;
	const Snapshot *to; /* NULL: the schema as it is now */
	PGresult *rows;		/* as command_snapshot.c asks for them */
} Differences;

/* What a command found out; shown as text on the way, as JSON at the end. */
typedef struct Report
{
	const Options *options;
	const Directory *directory;		/* NULL: the command takes none */
	bool live;						/* a terminal: lines may be redrawn */
	bool color;						/* on stdout */
	bool color_warn;				/* on stderr */
	int width;						/* of the terminal, in columns */
	PointerList rows;				/* of Row */
	const Backfill *backfill;		/* NULL: there was none */
	const Snapshot *snapshot;		/* that was taken, or NULL */
	const Differences *differences; /* NULL: nothing was compared */
	const char *plan_hash;
	const char *database;
	const char *extension_version;
	int server_version;
	ServerError *error;
	ExitStatus status;
} Report;

/* in report.c */

extern void report_begin(Report *report, const Options *options);
/* A row of the answer, with nothing in it yet but the id. */
extern Row *report_row(Report *report, const char *id);
/* A line for people, not in JSON; takes care of control characters. */
extern void report_line(const Report *report, const char *pattern, ...)
	__attribute__((format(printf, 2, 3)));
/* A line on stderr, also with --json; quiet or not. */
extern void report_warn(const Report *report, const char *pattern, ...)
	__attribute__((format(printf, 2, 3)));
extern void report_problems(const Report *report);
extern void report_error(const Report *report);
/* A command cannot do what it was asked: say why, and return STATUS_USAGE. */
extern ExitStatus usage_answer(Report *report, const char *message);
/* Print the JSON document if there is to be one, and return the status. */
extern ExitStatus report_end(Report *report, ExitStatus status);

typedef enum Paint
{
	PAINT_GOOD,
	PAINT_BAD,
	PAINT_CARE,
	PAINT_FAINT,
} Paint;

/* text in a colour, or as it is where there are none: for report_line(), and
 * for report_warn(). */
extern const char *paint(const Report *report, Paint how, const char *text);
extern const char *paint_warn(const Report *report, Paint how,
							  const char *text);
/* A text without what a terminal would obey; lines and tabs stay. */
extern const char *harmless(const char *text);
/* The same for a name: it does not break a line either. */
extern const char *one_line(const char *text);
/* Milliseconds as a person reads them: "12 ms", "1.2 s", "3 min 5 s". */
extern const char *duration_text(double milliseconds);

/* in json.c */

extern void json_string(PQExpBuffer out, const char *text); /* NULL: null */
extern void json_report(PQExpBuffer out, const Report *report);

/* ------------------------------------------------------------------ server */

/* Arguments of a query, as they are sent. */
typedef struct Arguments
{
	PointerList values; /* of PQExpBuffer or NULL */
	PointerList binary; /* NULL: text */
} Arguments;

typedef struct Session
{
	PGconn *connection;
	void *starter;		 /* a connection in the making, in connection.c */
	PGresult *extension; /* its version, once it was asked */
	Report *report;
	bool cancelled; /* somebody has pressed Ctrl-C */
	bool finishing; /* only what an error needs is still asked */
	/* while migrations run, in progress.c: */
	void (*on_progress)(struct Session *session, const char *message,
						const char *detail);
	void (*on_tick)(struct Session *session); /* about ten times a second */
	void *run;
} Session;

/* in connect.c */

/* Begin to connect: the server works while files are read.  session_open() may
 * be called without it. */
extern void session_start(Session *session, Report *report);
/* Connect and see whether the extension there is one we can talk to; false:
 * report->error says why not. */
extern bool session_open(Session *session, Report *report);
extern void session_close(Session *session);
/* in connection.c */

/* What libpq hands a notice to; arg is the Session. */
extern void session_notice(void *arg, const PGresult *result);
/* The server's word for an error, or libpq's. */
extern ServerError *error_from(const PGconn *connection,
							   const PGresult *result);
/* Our own, in report->error; hint may be NULL. */
extern void own_error(Report *report, const char *message, const char *hint);
/*
 * Run one statement and wait for its end, also when it is cancelled from here.
 * NULL: it failed, and report->error says how.  arguments may be NULL.
 */
extern PGresult *session_query(Session *session, const char *sql,
							   const Arguments *arguments);
/* The same where only success matters. */
extern bool session_execute(Session *session, const char *sql);
/* Status that fits report->error. */
extern ExitStatus session_status(const Session *session);
/* Column of a row, NULL for a null; it lives as long as the result, the copy
 * for good. */
extern const char *value_at(const PGresult *result, int row, int column);
extern const char *copy_at(const PGresult *result, int row, int column);

/* in arguments.c */

extern void argument_text(Arguments *arguments, const char *value);
extern void argument_bool(Arguments *arguments, bool value);
/* An array argument of count elements, in binary form. */
typedef enum ElementType
{
	ELEMENT_BOOL = 16,
	ELEMENT_BYTEA = 17,
	ELEMENT_TEXT = 25,
} ElementType;
extern PQExpBuffer argument_array(Arguments *arguments, ElementType type,
								  int count);
/* Its next element; data NULL: null. */
extern void array_element(PQExpBuffer array, const void *data, size_t length);
extern void arguments_free(Arguments *arguments);

/* in interrupt.c */

/* From here on Ctrl-C is noticed, not obeyed. */
extern void interrupt_begin(void);
extern int interrupt_count(void);
/* A descriptor that becomes readable with each interrupt. */
extern int interrupt_descriptor(void);
extern void interrupt_drain(void);

/* -------------------------------------------------- directory against server */

/* What the server says of one migration of the directory. */
typedef struct Verdict
{
	const Migration *migration; /* NULL: it is missing here */
	const char *id;
	const char *verdict; /* new, same, changed, accepted, missing */
	bool to_register;
	bool pending;
	const char *detail;
	const char *checksum; /* of what is here, hexadecimal; NULL: missing */
} Verdict;

typedef struct Comparison
{
	PointerList verdicts; /* of Verdict */
	PointerList by_id;	  /* the same, by id */
	int changed;
	int missing;
	int to_register;
	int pending;
} Comparison;

/* in verdict.c; false: report->error */

extern bool compare_directory(Session *session, const Directory *directory,
							  Comparison *comparison);
/* Register what has to be; several statements when it is much, so call it
 * in a transaction. */
extern bool register_directory(Session *session, const Comparison *comparison);
/* Find where an error of a script is in its file, and the line's text. */
extern void locate_error(Session *session, const Directory *directory);
/* in directory.c */

/* Bytes of a script, 0 for none; of all scripts of a migration, and of its
 * files as they were. */
extern size_t script_length(const Script *script);
extern size_t migration_bytes(const Migration *migration);
/* NULL: there is none. */
extern const Migration *migration_by_id(const Directory *directory,
										const char *id);
/* Read the directory that an argument names; false: problems, and shown. */
extern bool directory_open(Report *report, Options *options, int argument);
/* The same for the first argument, and connect meanwhile; false: *status says
 * with what to end. */
extern bool directory_and_session(Session *session, Report *report,
								  Options *options, ExitStatus *status);
/* The id that a user means by an id, a version or a file name. */
extern const char *resolve_id(const Directory *directory, const char *name);

/* in progress.c */

/* A run of migrations that is to be started. */
typedef struct RunRequest
{
	const char *call; /* CALL dbvc.migrate(...) or CALL dbvc.rollback(...) */
	const Arguments *arguments;
	PointerList expected;	 /* of char *: ids in order; empty: not known */
	const char *done_status; /* applied, rolled back */
} RunRequest;

/* Start it and show how it goes; false: report->error. */
extern bool run_migrations(Session *session, const RunRequest *request);
/* Of a clock that only goes forward. */
extern double now_milliseconds(void);
/* A line that wraps could not be taken back.  It is cut after so many
 * characters, and where snprintf() has cut one. */
extern void cut_line(char *line, int columns);

/* in monitor.c */

/* What the run waits for, as far as is known; "" if it is not.  Called with
 * each tick, it asks over a connection of its own and never waits. */
extern const char *monitor_ask(Session *session);
/* Ask something else: the answer is what describe makes of the result. */
extern void monitor_other(const char *query,
						  const char *(*describe)(const PGresult *result));
/* What it says is no longer true. */
extern void monitor_forget(void);
extern void monitor_close(void);

/* ---------------------------------------------------------------- commands */

typedef struct Command
{
	const char *name;
	const char *arguments; /* for the usage */
	const char *summary;
	int min_arguments;
	int max_arguments;
	ExitStatus (*run)(Report *report, Options *options);
} Command;

/* in main.c */
extern const Command commands[];

/* in command_migrate.c */

/* What the server would run, and whether all of it is what was compared; what
 * is not is shown.  NULL: report->error. */
extern PGresult *ask_plan(Session *session);
extern bool plan_is_ours(Report *report, const Comparison *comparison,
						 const PGresult *plan);
/* A list for people that is cut off here says how much of it is left. */
#define LINES_SHOWN 50
/* The row of a verdict; a file's path by its migration's id, or NULL. */
extern Row *verdict_row(Report *report, const Verdict *verdict);
extern bool is_verdict(const Verdict *verdict, const char *name);
extern const char *path_of(const Report *report, const char *id);
/* Show what stands in the way of a run: changed and missing files. */
extern bool show_obstacles(Report *report, const Comparison *comparison);
/* register DIR: register, and run nothing. */
extern ExitStatus command_register(Report *report, Options *options);
/* Register all that is to be, in one transaction. */
extern bool register_all(Session *session, const Comparison *comparison);
/* Show report->error, close, and return the status that fits. */
extern ExitStatus session_failed(Session *session);

extern ExitStatus command_migrate(Report *report, Options *options);
extern ExitStatus command_plan(Report *report, Options *options);
extern ExitStatus command_rollback(Report *report, Options *options);

/* in command_check.c */
extern ExitStatus command_check(Report *report, Options *options);

/* in command_answer.c */
extern ExitStatus command_status(Report *report, Options *options);
extern ExitStatus command_verify(Report *report, Options *options);

/* in command_correct.c */
extern ExitStatus command_new(Report *report, Options *options);
extern ExitStatus command_accept(Report *report, Options *options);
extern ExitStatus command_baseline(Report *report, Options *options);
extern ExitStatus command_withdraw(Report *report, Options *options);

/* in command_backfill.c */
extern ExitStatus command_backfill(Report *report, Options *options);

/* in command_snapshot.c */
extern ExitStatus command_snapshot(Report *report, Options *options);
extern ExitStatus command_diff(Report *report, Options *options);
extern ExitStatus command_drift(Report *report, Options *options);

/* in tree.c */
extern void show_differences(const Report *report, const PGresult *result);

/* in options.c */

/* Parse the command line; ends the program for --help, --version and what it
 * does not understand. */
extern void options_parse(Options *options, int argc, char **argv);
extern const Command *command_find(const char *name);
extern ExitStatus command_completion(Report *report, Options *options);
extern ExitStatus command_help(Report *report, Options *options);

#endif /* DBVC_CLIENT_H */
