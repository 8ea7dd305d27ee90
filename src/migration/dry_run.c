/*
 * dry_run.c
 *		Try migrations, keep nothing, and tell which locks they took.
 *
 * All of them run in one subtransaction that is rolled back, each in one of
 * its own inside, so that later ones see what earlier ones did.  Locks are
 * read after each statement, because they are gone with the rollback.
 * Deferred constraints are checked after each migration by SET CONSTRAINTS in
 * a subtransaction of its own, which leaves their state as it was.  Sequences
 * advance all the same: nothing takes back nextval().
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A lock that the dry run has taken. */
typedef struct TakenLock
{
	Oid relation;
	char *mode;
	DbvcState *state; /* the first migration to take it */
	int statement;	  /* from 1 */
	TimestampTz since;
} TakenLock;

typedef struct DryRun
{
	MemoryContext context;
	List *states;
	DbvcDirection direction;
	bool rehearse;
	List *taken;	  /* of TakenLock */
	DbvcState *state; /* the migration at work */
	TimestampTz statement_started;
	List *finished; /* of DryResult */
} DryRun;

typedef struct DryResult
{
	DbvcRun *run;
	DbvcRehearsal *rehearsal; /* NULL: none was asked for, or possible */
	const char *detail;
	TimestampTz ended;
} DryResult;

static void
add_taken(DryRun *dry, Oid relation, char *mode, int statement)
{
	TakenLock *taken;
	ListCell *lc;

	foreach (lc, dry->taken)
	{
		taken = lfirst(lc);
		if (taken->relation == relation && strcmp(taken->mode, mode) == 0)
			return;
	}
	taken = palloc(sizeof(TakenLock));
	taken->relation = relation;
	taken->mode = mode;
	taken->state = dry->state;
	taken->statement = statement;
	taken->since = dry->statement_started;
	dry->taken = lappend(dry->taken, taken);
}

/*
 * DbvcAfterStatement: what this backend holds now that it did not hold
 * before.  A lock that an earlier migration of the dry run took is still held
 * and cannot be told from one taken again: it is listed once, with the first.
 * AccessShareLock, which any SELECT takes, is left out.
 */
static void
note_locks(const DbvcScript *script, int number, void *arg)
{
	static DbvcQuery query = {
		"SELECT l.relation::bigint, l.mode FROM pg_locks l "
		"WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' "
		"AND l.granted AND l.database = (SELECT oid FROM pg_database "
		"WHERE datname = current_database()) "
		"AND l.mode <> 'AccessShareLock' ORDER BY l.relation, l.mode",
		0,
		{0}};
	DryRun *dry = arg;
	DbvcOwnerScope owner;
	MemoryContext old;
	uint64 rows;

	dbvc_owner_enter(&owner);
	rows = dbvc_query_run(&query, NULL, NULL, false, 0);
	old = MemoryContextSwitchTo(dry->context);
	for (uint64 row = 0; row < rows; row++)
		add_taken(dry, (Oid) dbvc_row_int64(row, 1, 0), dbvc_row_text(row, 2),
				  number + 1);
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
	dbvc_owner_leave(&owner);
	dry->statement_started = GetCurrentTimestamp();
}

static void
set_constraints_immediate(void *arg)
{
	Oid userid;
	int sec_context;

	dbvc_script_user(&userid, &sec_context);
	AfterTriggerSetState(makeNode(ConstraintsSetStmt));
	SetUserIdAndSecContext(userid, sec_context);
}

/* Check deferred constraints without changing when they are checked. */
static void
check_deferred(DbvcRun *run)
{
	run->error = dbvc_subtransaction(set_constraints_immediate, NULL, false);
	if (run->error != NULL)
		dbvc_run_error_at_end(run);
}

/* Needs top level: for the worker, or a CALL or DO that may commit. */
static bool
is_left_out(const DbvcRun *run, int number)
{
	const DbvcStatement *statement = &run->script->statements[number];

	return statement->kind == DBVC_STATEMENT_TOPLEVEL ||
		   (run->stepwise && statement->commits && !statement->in_block);
}

/*
 * After a statement that was left out, an error may be due to its absence:
 * the index is not there, the partition still attached.  That says nothing
 * about the script.  Nor does one after a COMMIT of the script that was not
 * executed.  The message may quote data and stays out of the record,
 * where detail could not be erased.
 */
static const char *
give_up(DbvcRun *run, int skipped)
{
	const char *detail =
		skipped > 0
			? psprintf(
				  "statements that cannot run in a transaction were not "
				  "tried (%d), nor what follows statement %d, which fails "
				  "without them (SQLSTATE %s)",
				  skipped, run->statements,
				  unpack_sql_state(run->error->sqlerrcode))
			: psprintf("what follows a COMMIT of the script was tried without "
					   "it, and not beyond statement %d, which fails so "
					   "(SQLSTATE %s)",
					   run->statements,
					   unpack_sql_state(run->error->sqlerrcode));

	run->error = NULL;
	return detail;
}

/* Transactional statements run; those for the worker are left out. */
static const char *
try_statements(DbvcRun *run, DryRun *dry)
{
	const DbvcStatement *statements = run->script->statements;
	int skipped = 0;
	bool past_commit = false;
	int at = dbvc_run_resume_at(run);
	int count = run->script->count;

	while (at < count && run->error == NULL)
	{
		int to = at;

		if (at > 0 && statements[at].after_commit)
		{
			check_deferred(run);
			if (run->error != NULL)
				break;
			past_commit = true;
		}
		while (to < count && !is_left_out(run, to) &&
			   (to == at || !statements[to].after_commit))
			to++;
		if (to > at)
			dbvc_run_execute(run, at, to, false, note_locks, dry);
		for (; to < count && is_left_out(run, to); to++)
			skipped++;
		at = to;
	}
	if (run->error != NULL && (skipped > 0 || past_commit))
		return give_up(run, skipped);
	if (run->error == NULL)
		check_deferred(run);
	if (skipped == 0)
		return NULL;
	return psprintf("%d of %d statements cannot run in a transaction and were "
					"not tried",
					skipped, count);
}

static DbvcRehearsal *
prepare_rehearsal(DbvcRun *run)
{
	DbvcRehearsal *rehearsal = dbvc_rehearsal_prepare(run);

	if (rehearsal->hindrance == NULL)
		return rehearsal;
	dbvc_warn_not_rehearsed(rehearsal);
	return NULL;
}

/* The error that ended a try: the script's, or that of the way back. */
static ErrorData *
error_of(const DryResult *result)
{
	if (result->run->error == NULL && result->rehearsal != NULL)
		return result->rehearsal->back->error;
	return result->run->error;
}

static DryResult *
try_migration(DbvcState *state, DbvcDirection direction, DryRun *dry)
{
	DryResult *result = palloc0(sizeof(DryResult));

	dry->state = state;
	dry->statement_started = GetCurrentTimestamp();
	result->run = dbvc_run_prepare(state, direction);
	if (result->run->error == NULL && dry->rehearse)
		result->rehearsal = prepare_rehearsal(result->run);
	if (result->rehearsal != NULL)
	{
		dbvc_rehearse(result->rehearsal, note_locks, dry);
		if (error_of(result) == NULL)
			result->detail = dbvc_rehearsal_detail(result->rehearsal);
	}
	else if (result->run->error == NULL)
		result->detail = try_statements(result->run, dry);
	result->ended = GetCurrentTimestamp();
	return result;
}

/* Relations that the dry run itself created are gone: nobody else could have
 * waited for their locks. */
static char *
relation_name(Oid relation)
{
	static DbvcQuery query = {
		"SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c "
		"JOIN pg_namespace n ON n.oid = c.relnamespace "
		"WHERE c.oid = $1 AND n.nspname NOT IN "
		"('pg_catalog', 'dbvc', 'pg_toast')",
		1,
		{OIDOID}};
	Datum value = ObjectIdGetDatum(relation);
	char *name = NULL;

	if (dbvc_query_run(&query, &value, NULL, false, 1) > 0)
		name = dbvc_row_text(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return name;
}

static char *
locks_as_json(const DryRun *dry, const DryResult *result)
{
	StringInfoData json;
	DbvcOwnerScope owner;
	ListCell *lc;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	dbvc_owner_enter(&owner);
	foreach (lc, dry->taken)
	{
		TakenLock *lock = lfirst(lc);
		char *name;

		if (lock->state != result->run->state)
			continue;
		name = relation_name(lock->relation);
		if (name == NULL)
			continue;
		appendStringInfoString(&json, json.len > 1 ? ",{" : "{");
		appendStringInfoString(&json, "\"relation\":");
		escape_json(&json, name);
		appendStringInfo(&json,
						 ",\"mode\":\"%s\",\"statement\":%d,\"ms\":%.3f}",
						 lock->mode, lock->statement,
						 (double) (result->ended - lock->since) / 1000.0);
	}
	dbvc_owner_leave(&owner);
	appendStringInfoChar(&json, ']');
	return json.data;
}

static ErrorData *
report(DryRun *dry, bool progress)
{
	ErrorData *error = NULL;
	ListCell *lc;

	foreach (lc, dry->finished)
	{
		DryResult *result = lfirst(lc);
		DbvcRun *run = result->run;
		char *locks = locks_as_json(dry, result);

		error = error_of(result);
		if (result->rehearsal != NULL && run->error == NULL)
			dbvc_record_rehearsal(result->rehearsal->back);
		/* if it cannot be taken back, that is what the record says */
		if (error == run->error)
			dbvc_record_dry_run(run, locks, result->detail);
		if (error == NULL)
			ereport(progress ? INFO : NOTICE,
					(errcode(ERRCODE_DBVC_PROGRESS),
					 errmsg("dry run of \"%s\": %d %s", run->state->id,
							run->statements,
							run->statements == 1 ? "statement" : "statements"),
					 result->detail ? errdetail("%s.", result->detail) : 0));
	}
	return error;
}

static void
try_all(void *arg)
{
	DryRun *dry = arg;
	ListCell *lc;

	if (dry->rehearse)
		dbvc_constraints_as_at_start();
	foreach (lc, dry->states)
	{
		DryResult *result = try_migration(lfirst(lc), dry->direction, dry);

		dry->finished = lappend(dry->finished, result);
		if (error_of(result) != NULL)
			break;
	}
}

ErrorData *
dbvc_dry_run(List *states, DbvcDirection direction, bool rehearse,
			 bool progress)
{
	DryRun dry = {.context = CurrentMemoryContext,
				  .states = states,
				  .direction = direction,
				  .rehearse = rehearse};
	List *leftovers = dbvc_session_leftovers();
	int guc_level = NewGUCNestLevel();
	ErrorData *error = dbvc_subtransaction(try_all, &dry, false);

	AtEOXact_GUC(false, guc_level);
	dbvc_warn_leftovers(leftovers);
	if (error != NULL)
		ReThrowError(error); /* not a script's: damaged records, say */
	return report(&dry, progress);
}
