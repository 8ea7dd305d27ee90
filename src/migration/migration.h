/*
 * migration.h
 *		Migrations: registered, applied and rolled back inside the database.
 *
 * The way of a script: split.c cuts it into statements with the server's own
 * scanner and parser, classify.c says which of them cannot run in a
 * transaction, execute.c runs the others, worker.c hands the rest to a
 * background worker.  run.c runs one migration in one transaction, steps.c in
 * several, record.c writes down how it ended, and drive.c goes through a plan.
 * rehearse.c proves that a down script takes back what the up script did.
 */
#ifndef DBVC_MIGRATION_H
#define DBVC_MIGRATION_H

#include "ledger/ledger.h"
#include "util/errors.h"
#include "util/util.h"

#include "nodes/parsenodes.h"
#include "utils/elog.h"

/* Kinds of a migration, as they are stored. */
#define DBVC_KIND_VERSIONED "versioned"
#define DBVC_KIND_REPEATABLE "repeatable"
#define DBVC_KIND_BASELINE "baseline"

typedef enum DbvcDirection
{
	DBVC_UP,
	DBVC_DOWN
} DbvcDirection;

/* ---------------------------------------------------------------- content */

/* One content of a migration; strings are in database encoding. */
typedef struct DbvcContent
{
	const char *id;
	const char *up; /* NULL only when it was erased */
	const char *down;
	const char *verify;
	const char *kind;
	const char *description;
	const char *author;
	const char *sort_key; /* NULL: the id */
	List *requires;		  /* of char *, sorted, without duplicates */
	List *environments;	  /* of char *, NIL: everywhere */
	bool has_transactional;
	bool transactional;		 /* if has_transactional */
	bytea *source;			 /* the file as it was, or NULL */
	const char *verify_role; /* who answers for an accepted verify script */
	uint8 checksum[DBVC_SHA256_LEN];
} DbvcContent;

#define DBVC_CHECKSUM_VERSION 1

/* in checksum.c */

/*
 * SHA-256 over what makes a migration what it does: up, down, verify, kind,
 * transactional, requires (docs/migration.md gives the bytes).  Fills
 * content->checksum.
 */
extern void dbvc_checksum(DbvcContent *content);
/* text without a leading byte order mark; points into it. */
extern const char *dbvc_skip_bom(const char *text);

/* ----------------------------------------------------------------- scripts */

typedef enum DbvcStatementKind
{
	DBVC_STATEMENT_PLAIN,	 /* runs in a transaction */
	DBVC_STATEMENT_COPY,	 /* COPY ... FROM stdin with its data */
	DBVC_STATEMENT_TOPLEVEL, /* cannot run in a transaction */
} DbvcStatementKind;

typedef struct DbvcStatement
{
	int start; /* byte offsets into the script, [start, end) */
	int end;
	int line; /* of start, from 1 */
	DbvcStatementKind kind;
	bool is_setting;   /* a session-level SET or RESET: later steps need it */
	bool commits;	   /* CALL or DO, which may commit when at top level */
	bool after_commit; /* the script begins or commits right before it */
	bool in_block;	   /* between the script's BEGIN and COMMIT */
	int data_start;	   /* COPY data in the script, [data_start, data_end) */
	int data_end;
} DbvcStatement;

typedef struct DbvcScript
{
	const char *migration_id; /* NULL: not of a migration */
	const char *label;		  /* "up", "down" or "verify" */
	const char *text;
	int count;
	int allocated;
	DbvcStatement *statements;
	bool needs_steps; /* some statement is for the worker, or after_commit */

	/* while an error context of this script is active (script_error.c) */
	int base;			 /* what positions in errors are relative to */
	int current;		 /* statement at work, from 0, or -1 */
	int error_line;		 /* of the last error; 0 = none */
	int error_column;	 /* in characters, from 1 */
	int error_statement; /* from 1; 0 = none */
	ErrorContextCallback callback;
} DbvcScript;

/* in split.c */

/* A script that is yet to be split; the strings are not copied. */
extern DbvcScript *dbvc_script_new(const char *migration_id, const char *label,
								   const char *text);
/*
 * Cut a script into statements, in the current memory context.  Everything
 * that could not run is refused here, before anything has run, with
 * DBVC_INVALID_SCRIPT or the server's own syntax error; the context, and
 * error_line and error_column, tell where.
 */
extern void dbvc_script_split(DbvcScript *script);
/* Text of a statement, palloc'd. */
extern char *dbvc_statement_text(const DbvcScript *script, int number);

/* in classify.c */

/* Fill in kind, is_setting, commits from the parse tree; refuse what a script
 * may not hold. */
extern void dbvc_classify(DbvcScript *script, DbvcStatement *statement,
						  Node *node);
/* BEGIN or START TRANSACTION without options; COMMIT or END likewise. */
extern bool dbvc_is_plain_begin(Node *node);
extern bool dbvc_is_plain_commit(Node *node);
/* True when the statement cannot run in a transaction block. */
extern bool dbvc_needs_toplevel(Node *node);

/* in script_error.c */

/* Positions of errors raised from here on are turned into line and column of
 * the script, until dbvc_script_error_end() or the error's longjmp. */
extern void dbvc_script_error_begin(DbvcScript *script);
extern void dbvc_script_error_end(DbvcScript *script);
/* 1-based line, and column in characters, of a byte offset. */
extern void dbvc_script_position(const DbvcScript *script, int offset,
								 int *line, int *column);

/* in adopted_hint.c */

/* If the error is about the view in an adopted table's place: what to do. */
extern void dbvc_hint_adopted(ErrorData *error);

/* in execute.c */

/* Called with the number of a statement that has just been executed. */
typedef void (*DbvcAfterStatement)(const DbvcScript *script, int number,
								   void *arg);

/*
 * Execute statements [from, to) of a script as the current user, each parsed
 * when its turn comes, under a per-statement timeout when the script has set
 * one.  Runs in the current transaction; the caller provides a
 * subtransaction and a GUC level.  When truth is not NULL, *truth becomes
 * false as soon as a statement returns a row whose first column is boolean
 * and not true (verify scripts).
 */
extern void dbvc_script_execute(DbvcScript *script, int from, int to,
								DbvcAfterStatement after, void *arg,
								bool *truth);
/* Execute only the session-level SETs among statements [0, to) again. */
extern void dbvc_script_replay_settings(DbvcScript *script, int to);
/* Execute one parsed statement through a portal; toplevel as PortalRun()
 * takes it. */
extern void dbvc_execute_statement(RawStmt *raw, const char *source,
								   bool toplevel, DestReceiver *dest);

/* in copy.c */

/* COPY ... FROM stdin, with len bytes of data taken from memory. */
extern void dbvc_copy_from_script(CopyStmt *stmt, const char *source,
								  const char *data, int len);

/* in leftover.c */

/* Things no rollback of settings takes back: prepared statements, session
 * advisory locks, LISTEN, temporary objects; a List of descriptions. */
extern List *dbvc_session_leftovers(void);
/* Warn of what is in the session now and was not in before. */
extern void dbvc_warn_leftovers(const List *before);
/* Remove what is in the session now, was not in before, and can be removed. */
extern void dbvc_drop_leftovers(const List *before);

/* in worker.c */

/*
 * Execute one statement at top level in a background worker, as the current
 * user with the settings that the script's statements [0, number) have made,
 * and wait without a snapshot.  sql NULL: statement number itself.  Commits
 * the current transaction and leaves a new one.  Returns NULL, or the
 * worker's error with its position in the script.
 */
extern ErrorData *dbvc_toplevel_execute(DbvcScript *script, int number,
										const char *sql);

/* ---------------------------------------------------------- state and plan */

/*
 * What is known of a migration, from dbvc.migration_state: a cache of what
 * change_event says, and the row that serialises registering and applying.
 */
typedef struct DbvcState
{
	char *id;
	int64 version;		 /* newest */
	int64 version_event; /* its event */
	uint8 checksum[DBVC_SHA256_LEN];
	char *kind;
	char *sort_key; /* its place among the others; NULL: the id */
	bool withdrawn; /* no longer to be applied */
	List *requires;
	List *environments;
	int64 applied_version; /* 0: not applied */
	int64 applied_version_event;
	int64 applied_event; /* of the run, acceptance or baseline */
	uint8 applied_checksum[DBVC_SHA256_LEN];
	char *outcome; /* event type of the last run, or NULL */
	int64 run_event;
	char *steps_direction; /* "up", "down" or NULL: of steps_done */
	int64 steps_done;	   /* statements executed and committed */
	uint8 steps_hash[DBVC_SHA256_LEN];

	/* prefetched: the content that content_event registered, or NULL */
	DbvcContent *content;
	int64 content_event;

	/* filled in by dbvc_order() and by planning */
	List *required;		 /* of DbvcState: those that requires names */
	const char *missing; /* one of requires that is not registered */
	bool circular;		 /* requires itself, by way of others */
	bool needed;		 /* by the plan's target */
	bool chosen;
} DbvcState;

/* in state.c; all need an SPI connection and an owner scope */

/* One migration, its row locked FOR UPDATE when lock is set; NULL if there is
 * none.  In the current memory context. */
extern DbvcState *dbvc_state_read(const char *id, bool lock);
/* All migrations, in no order. */
extern List *dbvc_state_read_all(void);
extern bool dbvc_state_pending(const DbvcState *state);
/* True when some migration of this environment is pending. */
extern bool dbvc_state_any_pending(void);
/* The content that an event registered, from the state's prefetched one if it
 * is that, checked against its hashes. */
extern DbvcContent *dbvc_state_content(const DbvcState *state,
									   int64 version_event);
/* Who answers for the verify script of what is applied: the role that applied
 * it, or that accepted another one since; NULL if that is not recorded. */
extern char *dbvc_state_verify_role(const DbvcState *state);
/* Read the newest contents of some states in one query. */
extern void dbvc_state_prefetch(List *states);
/* Insert the row of a new migration, or wait for whoever does. */
extern void dbvc_state_claim(const char *id);
extern void dbvc_state_register(const DbvcContent *content, int64 version,
								int64 event_id);
/* applied_event is the run, or the record in its place, that applied it;
 * event_id the event that says so now. */
extern void dbvc_state_applied(const char *id, int64 version,
							   int64 version_event, const uint8 *checksum,
							   const char *outcome, int64 applied_event,
							   int64 event_id);
extern void dbvc_state_rolled_back(const char *id, int64 event_id);
extern void dbvc_state_outcome(const char *id, const char *outcome,
							   int64 event_id);
extern void dbvc_state_forget_steps(const char *id);
extern void dbvc_state_withdraw(const char *id);
extern void dbvc_state_steps(const char *id, DbvcDirection direction,
							 int64 done, const uint8 *hash);
/* Make the cache anew from the events. */
extern void dbvc_state_rebuild(void);
DBVC_NORETURN extern void dbvc_unknown_migration(const char *id);

/* in order.c */

/* Natural order: digit runs as numbers, the rest by bytes. */
extern int dbvc_natural_compare(const char *a, const char *b);
/*
 * All migrations in the order they are to be applied: by requires, ties in
 * natural order of their sort keys, repeatables last.  Never fails: a
 * requirement that is not registered stands in state->missing, and members of
 * a circle come last with state->circular set.
 */
extern List *dbvc_order(List *states);
/* Raise DBVC_MISSING_REQUIRED or DBVC_CYCLE when a migration that is to run
 * has no place in the order. */
extern void dbvc_check_place(const DbvcState *state);

/* in plan.c */

typedef enum DbvcAction
{
	DBVC_ACTION_APPLY,
	DBVC_ACTION_BASELINE, /* recorded as covered by a baseline, not run */
} DbvcAction;

typedef struct DbvcPlanEntry
{
	DbvcState *state;
	DbvcAction action;
	const char *why;
} DbvcPlanEntry;

typedef struct DbvcPlan
{
	List *entries;				 /* of DbvcPlanEntry */
	uint8 hash[DBVC_SHA256_LEN]; /* over ids and checksums, in order */
} DbvcPlan;

/* True when the migration is for dbvc.environment. */
extern bool dbvc_state_here(const DbvcState *state);
/* A baseline that came too late: something is applied already. */
extern bool dbvc_state_skipped(const DbvcState *state, List *states);
extern DbvcPlan *dbvc_plan_up(const char *target, bool out_of_order);
/* States of the entries with an action, in order. */
extern List *dbvc_plan_states(const DbvcPlan *plan, DbvcAction action);
/* Those that are applied, without repeatable ones, newest first. */
extern List *dbvc_applied_newest_first(const List *states);
/* Applied migrations to roll back, newest first, as a List of DbvcState. */
extern List *dbvc_plan_down(const char *target, bool has_steps, int32 steps);

/* in lock.c */

/*
 * The run lock: one run of migrations at a time in a database.  A stranger
 * cannot take it, because no SQL command locks this tag.  Waits without a
 * snapshot when wait is set, else raises lock_not_available.  Held for the
 * session (procedures) or the transaction (functions).
 */
extern void dbvc_run_lock(Oid extension, bool session, bool wait);
extern void dbvc_run_unlock(Oid extension);
/* True when another session holds it. */
extern bool dbvc_run_lock_busy(Oid extension);

/* ---------------------------------------------------------------- running */

/* One run of a script, recorded once, at its end. */
typedef struct DbvcRun
{
	DbvcState *state;
	DbvcDirection direction;
	int64 version; /* the content that runs */
	int64 version_event;
	const uint8 *checksum;
	bool stepwise; /* registered with transactional => false */
	DbvcScript *script;
	Oid role; /* who applies */
	TimestampTz started_at;
	int64 started_event;	/* of a run in steps, else 0 */
	const uint8 *plan_hash; /* what migrate(expect) named, or NULL */
	List *covered;			/* of DbvcState: what a baseline stands for */
	int statements;			/* executed */
	ErrorData *error;		/* NULL: none */
} DbvcRun;

/* in record.c; these enter an owner scope themselves and need SPI */

extern const char *dbvc_direction_name(DbvcDirection direction);
/* Record how a run ended (completed, rolled_back, failed) and the state that
 * follows.  Returns the event's id. */
extern int64 dbvc_record_end(DbvcRun *run);
/* Record and commit that a run failed, whatever is cancelled meanwhile. */
extern void dbvc_record_failure(DbvcRun *run);
/* Record that an earlier run in steps has no end and never will, that this one
 * has started, or that statements [0, done) are
 * executed and committed. */
extern void dbvc_record_interrupted(DbvcRun *run);
extern void dbvc_record_started(DbvcRun *run, int done);
extern void dbvc_record_step(DbvcRun *run, int done);
/* Record a dry run with the locks it took (JSON text). */
extern void dbvc_record_dry_run(DbvcRun *run, const char *locks,
								const char *detail);
/* Record how a rehearsal ended: back is the script that was to lead back. */
extern void dbvc_record_rehearsal(DbvcRun *back);
/* The same, committed, whatever is cancelled meanwhile. */
extern void dbvc_record_failed_rehearsal(DbvcRun *back);
/* SHA-256 over statements [0, done) of a script. */
extern void dbvc_done_hash(const DbvcScript *script, int done,
						   uint8 out[DBVC_SHA256_LEN]);

/* in run.c */

/*
 * Prepare a run: state's content is read and checked, its script split as the
 * caller.  An error in the script comes back in run->error; damaged records
 * raise.  Needs SPI.
 */
extern DbvcRun *dbvc_run_prepare(DbvcState *state, DbvcDirection direction);
/*
 * Execute statements [from, to) in a subtransaction under a GUC level of its
 * own, as the caller; session-level SETs among [0, from) are made again
 * before.  whole: the transaction ends with this, so deferred constraints are
 * checked now.  Afterwards run->error is NULL or the error, the subtransaction
 * is released or rolled back, and all settings are as before.
 */
extern void dbvc_run_execute(DbvcRun *run, int from, int to, bool whole,
							 DbvcAfterStatement after, void *arg);
/* Add to an error of deferred constraints or of the commit whose it is. */
extern void dbvc_run_error_at_end(DbvcRun *run);
/* True when the run consists of several transactions. */
extern bool dbvc_run_in_steps(const DbvcRun *run);
/* Apply or roll back one migration in the caller's transaction; raises the
 * script's error.  Returns the id of the run's event. */
extern int64 dbvc_run_here(const char *id, DbvcDirection direction,
						   bool dry_run);
/*
 * Commit what a run did and its record; when the commit itself fails (a
 * deferred constraint), record that.  lazily: durable only with the next
 * commit that is not.
 */
extern void dbvc_run_commit(DbvcRun *run, bool lazily);
/*
 * While a script runs, it may not run or correct migrations itself, nor
 * register its own: the run lock, the state rows and a worker's leader would
 * wait for each other.  enter returns what leave wants back; refuse takes the
 * id that is to be registered, or NULL for anything else.
 */
extern const char *dbvc_script_enter(const char *id);
extern void dbvc_script_leave(const char *before);
extern void dbvc_refuse_in_script(const char *id);
/* Become the caller of a script, so that RESET ROLE cannot climb. */
extern void dbvc_script_user(Oid *userid, int *sec_context);

/* in worker_step.c */

/*
 * Execute a statement in the worker and look after what it leaves: the result
 * is in run->error and run->statements.  resumed: an earlier run came as far
 * as this statement; interrupted: and nobody knows how it ended.  Commits.
 */
extern void dbvc_step_in_worker(DbvcRun *run, int number, bool resumed,
								bool interrupted);

/* in steps.c */

/* How many statements an earlier run in this direction has committed. */
extern int dbvc_run_steps_done(const DbvcRun *run);
/* The first statement that is not done; raises DBVC_STEPS_CHANGED when those
 * before it are no longer the ones that were executed. */
extern int dbvc_run_resume_at(const DbvcRun *run);
/* Run in steps, each in a transaction of its own or in the worker, and commit
 * the record of the end.  Afterwards run->error tells. */
extern void dbvc_run_steps(DbvcRun *run);

/* in rehearse.c */

/* A run, and the script that is to take back what it did. */
typedef struct DbvcRehearsal
{
	DbvcRun *run;
	DbvcRun *back; /* its error is what was found out; NULL if hindered */
	const char *hindrance; /* why there is no rehearsal, or NULL */
} DbvcRehearsal;

extern DbvcRehearsal *dbvc_rehearsal_prepare(DbvcRun *run);
/*
 * Execute a run that nothing hinders, as dbvc_run_execute() does with a whole
 * one, and prove that back leads back: to the same definitions.  What the run did
 * stays only if neither run->error nor back->error is set.
 */
extern void dbvc_rehearse(DbvcRehearsal *rehearsal, DbvcAfterStatement after,
						  void *arg);
/*
 * Execute a script as if it had a transaction of its own: what is deferred is
 * checked at its end, and the next script finds constraints as they were.
 */
extern void dbvc_run_execute_whole(DbvcRun *run, DbvcAfterStatement after,
								   void *arg);
/* Constraints as a transaction finds them; and what is pending is checked. */
extern void dbvc_constraints_as_at_start(void);
extern bool dbvc_has_down_script(const DbvcState *state, int64 version_event);
#define DBVC_REPEATABLE_STAYS "it is repeatable, which nothing takes back"
/* Say that a migration is not rehearsed, and why. */
extern void dbvc_warn_not_rehearsed(const DbvcRehearsal *rehearsal);
/* What a sentence about a rehearsal that went well says. */
extern const char *dbvc_rehearsal_detail(const DbvcRehearsal *rehearsal);

/* in reversal.c */

/* What migration_verify() has found out about a migration. */
typedef struct DbvcReversal
{
	const char *id;
	bool known; /* false: it was not tried */
	bool ok;
	const char *detail; /* differences, an error, why it was not tried */
} DbvcReversal;

/*
 * Prove the reversal of one migration, or of all when only is NULL, in
 * subtransactions that are rolled back.  A List of DbvcReversal.
 */
extern List *dbvc_verify_reversal(const char *only);

/* in verify.c */

/* Was it the caller's own statement that was cancelled? */
extern bool dbvc_cancels_caller(const ErrorData *error);

/* in dry_run.c */

/* Try states in a subtransaction that is rolled back; appends a dry_run event
 * for each.  Returns the first error or NULL. */
extern ErrorData *dbvc_dry_run(List *states, DbvcDirection direction,
							   bool rehearse, bool progress);

/* in drive_snapshot.c */

/*
 * Take a snapshot of the schema after a CALL has changed something, in a
 * transaction of its own; a failure is a warning.  label says what ran.
 */
extern void dbvc_snapshot_after_run(const char *label);
/*
 * Before a CALL changes anything: what differs from the last snapshot was not
 * done by migrations.  Recorded and kept as a snapshot of its own, because
 * the one after the run will hold it too.  A failure is a warning.
 */
extern void dbvc_look_for_drift(void);

/* in drive.c: the loops behind CALL dbvc.migrate() and CALL dbvc.rollback() */

typedef struct DbvcMigrateOptions
{
	const char *target;
	const char *expect; /* hexadecimal plan hash, or NULL */
	bool dry_run;
	bool rehearse; /* prove the reversal of each migration first */
	bool out_of_order;
	bool progress;	/* tell of each migration, whatever the client wants */
	bool has_steps; /* rollback only */
	int32 steps;
} DbvcMigrateOptions;

extern void dbvc_drive(const DbvcMigrateOptions *options,
					   DbvcDirection direction);

#endif /* DBVC_MIGRATION_H */
