/*
 * rehearse.c
 *		Proof of reversal: does the way back lead back?
 *
 * The definitions of the database are captured, the script is executed, and
 * then the script of the other direction, in a subtransaction that is rolled
 * back after the definitions have been captured again.  Both captures must be
 * equal.  What the first script did stays, if they are: what is committed is
 * the very execution whose reversal was proven, and no script runs twice.
 * If they are not, nothing stays.
 *
 * Definitions are all that is compared.  Rows that the way back does not bring
 * back, values of sequences and settings of other sessions are not.
 */
#include "migration/migration.h"
#include "snapshot/snapshot.h"

#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* So often a rehearsal is repeated in which others changed definitions. */
#define MAX_ROUNDS 3
/* So many differences an error lists. */
#define DIFFERENCES_SHOWN 20

/* ------------------------------------------------------------- preparation */

/* The content that a run executes would, the other way round, be this one. */
static DbvcState *
state_for_way_back(const DbvcRun *run)
{
	DbvcState *state = palloc(sizeof(DbvcState));

	*state = *run->state;
	state->steps_done = 0;
	state->steps_direction = NULL;
	if (run->direction == DBVC_UP)
	{
		state->applied_version = run->version;
		state->applied_version_event = run->version_event;
		memcpy(state->applied_checksum, run->checksum, DBVC_SHA256_LEN);
	}
	else
	{
		state->version = run->version;
		state->version_event = run->version_event;
		memcpy(state->checksum, run->checksum, DBVC_SHA256_LEN);
	}
	return state;
}

bool
dbvc_has_down_script(const DbvcState *state, int64 version_event)
{
	DbvcOwnerScope owner;
	const DbvcContent *content;

	dbvc_owner_enter(&owner);
	content = dbvc_state_content(state, version_event);
	dbvc_owner_leave(&owner);
	return content->down != NULL;
}

/* Why the way back cannot be tried, or NULL. */
static const char *
find_hindrance(DbvcRehearsal *rehearsal)
{
	DbvcRun *run = rehearsal->run;

	if (strcmp(run->state->kind, DBVC_KIND_REPEATABLE) == 0)
		return DBVC_REPEATABLE_STAYS;
	if (strcmp(run->state->kind, DBVC_KIND_BASELINE) == 0)
		return "it is a baseline, which nothing takes back";
	if (!dbvc_has_down_script(run->state, run->version_event))
		return "it has no down script";
	if (dbvc_run_in_steps(run))
		return psprintf("its %s script runs in steps, which no rollback takes "
						"back",
						dbvc_direction_name(run->direction));
	rehearsal->back =
		dbvc_run_prepare(state_for_way_back(run),
						 run->direction == DBVC_UP ? DBVC_DOWN : DBVC_UP);
	rehearsal->back->plan_hash = run->plan_hash;
	if (dbvc_run_in_steps(rehearsal->back))
		return psprintf("its %s script runs in steps, which no rollback takes "
						"back",
						dbvc_direction_name(rehearsal->back->direction));
	return NULL;
}

DbvcRehearsal *
dbvc_rehearsal_prepare(DbvcRun *run)
{
	DbvcRehearsal *rehearsal = palloc0(sizeof(DbvcRehearsal));

	rehearsal->run = run;
	if (run->error == NULL)
		rehearsal->hindrance = find_hindrance(rehearsal);
	return rehearsal;
}

/* ------------------------------------------------------ deferred constraints */

/*
 * The end of a script is the end of its transaction: what was deferred has
 * been checked, by SET CONSTRAINTS ALL IMMEDIATE.  The next script must find
 * constraints as a new transaction would.  Those that share their name with
 * one that cannot be deferred cannot be named; they stay immediate.
 */
static void
defer_constraints_again(void)
{
	static DbvcQuery query = {
		"SELECT n.nspname::text, c.conname::text FROM pg_constraint c "
		"JOIN pg_namespace n ON n.oid = c.connamespace "
		"WHERE c.condeferrable AND c.condeferred "
		"AND has_schema_privilege(n.oid, 'USAGE') AND NOT EXISTS "
		"(SELECT 1 FROM pg_constraint o WHERE o.conname = c.conname "
		"AND o.connamespace = c.connamespace "
		"AND NOT (o.condeferrable AND o.condeferred)) GROUP BY 1, 2",
		0,
		{0}};
	ConstraintsSetStmt *stmt = makeNode(ConstraintsSetStmt);
	DbvcOwnerScope owner;
	uint64 rows;

	stmt->deferred = true;
	dbvc_owner_enter(&owner);
	rows = dbvc_query_run(&query, NULL, NULL, false, 0);
	for (uint64 row = 0; row < rows; row++)
		stmt->constraints = lappend(stmt->constraints,
									makeRangeVar(dbvc_row_text(row, 1),
												 dbvc_row_text(row, 2), -1));
	SPI_freetuptable(SPI_tuptable);
	if (stmt->constraints != NIL)
		AfterTriggerSetState(stmt);
	dbvc_owner_leave(&owner);
}

/*
 * The state of constraints is saved by the first SET CONSTRAINTS of a
 * subtransaction, and what one inside of it has set, and kept, is not taken
 * back with it.  So every subtransaction that is to be rolled back begins with
 * this.
 */
void
dbvc_constraints_as_at_start(void)
{
	Oid userid;
	int sec_context;

	dbvc_script_user(&userid, &sec_context);
	AfterTriggerSetState(makeNode(ConstraintsSetStmt));
	SetUserIdAndSecContext(userid, sec_context);
	defer_constraints_again();
}

void
dbvc_run_execute_whole(DbvcRun *run, DbvcAfterStatement after, void *arg)
{
	dbvc_run_execute(run, 0, run->script->count, true, after, arg);
	if (run->error == NULL)
		defer_constraints_again();
}

/* ----------------------------------------------------------------- the proof */

typedef struct Proof
{
	MemoryContext context; /* of the captures, which are large */
	DbvcRehearsal *rehearsal;
	DbvcAfterStatement after;
	void *arg;
	DbvcCapture *before;
	List *differences; /* of char *: what the way back leaves behind */
	bool others;	   /* other sessions have changed definitions */
} Proof;

static void
capture_before(Proof *proof)
{
	MemoryContext old = MemoryContextSwitchTo(proof->context);

	PushActiveSnapshot(GetTransactionSnapshot());
	proof->before = dbvc_capture_live(NULL, false);
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
}

/* What differs now, a line each; NIL if nothing does. */
static List *
differences_since(const Proof *proof)
{
	DbvcCapture *before = proof->before;
	MemoryContext old = MemoryContextSwitchTo(proof->context);
	List *lines = NIL;
	ListCell *lc;

	/* a procedure may have none, and long values are read by one */
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach (lc, dbvc_capture_differences(before,
										  dbvc_capture_live(before, false)))
		lines = lappend(lines, dbvc_difference_text(lfirst(lc)));
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	return lines;
}

static void
go_back(void *arg)
{
	Proof *proof = arg;
	DbvcRun *back = proof->rehearsal->back;

	dbvc_constraints_as_at_start();
	dbvc_run_execute_whole(back, NULL, NULL);
	if (back->error == NULL)
		proof->differences = differences_since(proof);
}

static char *
lines_shown(const List *lines)
{
	StringInfoData text;
	int shown = 0;
	ListCell *lc;

	initStringInfo(&text);
	foreach (lc, lines)
	{
		if (shown++ == DIFFERENCES_SHOWN)
		{
			appendStringInfo(&text, "\nand %d more",
							 list_length(lines) - DIFFERENCES_SHOWN);
			break;
		}
		appendStringInfo(&text, "%s%s", text.len > 0 ? "\n" : "",
						 (const char *) lfirst(lc));
	}
	return text.data;
}

static void
raise_not_reversed(const Proof *proof)
{
	const DbvcRun *back = proof->rehearsal->back;

	ereport(ERROR,
			(errcode(ERRCODE_DBVC_NOT_REVERSED),
			 errmsg("%s script of migration \"%s\" does not restore the "
					"definitions",
					dbvc_direction_name(back->direction), back->state->id),
			 errdetail_internal("%s", lines_shown(proof->differences)),
			 errhint("Complete the down script: it must take back all that "
					 "the up script does.")));
}

/* Both scripts; an error that is raised takes back what the first one did. */
static void
there_and_back(void *arg)
{
	Proof *proof = arg;
	DbvcRun *run = proof->rehearsal->run;
	DbvcRun *back = proof->rehearsal->back;
	List *leftovers;
	ErrorData *error;

	dbvc_constraints_as_at_start();
	capture_before(proof);
	dbvc_run_execute_whole(run, proof->after, proof->arg);
	if (run->error != NULL)
		return;
	leftovers = dbvc_session_leftovers();
	error = dbvc_subtransaction(go_back, proof, false);
	dbvc_drop_leftovers(leftovers);
	if (error == NULL)
		error = back->error;
	if (error != NULL)
		ReThrowError(error);
	if (proof->differences != NIL)
		raise_not_reversed(proof);
}

/*
 * Other sessions may change definitions while a rehearsal runs.  What differs
 * now, after everything was rolled back, is not the scripts' doing.
 */
static void
look_at_others(void *arg)
{
	Proof *proof = arg;

	proof->others = differences_since(proof) != NIL;
}

static ErrorData *
rehearse_once(Proof *proof)
{
	List *leftovers = dbvc_session_leftovers();
	int guc_level = NewGUCNestLevel();
	ErrorData *error;

	proof->differences = NIL;
	error = dbvc_subtransaction(there_and_back, proof, true);
	AtEOXact_GUC(false, guc_level);
	if (error != NULL || proof->rehearsal->run->error != NULL)
		dbvc_drop_leftovers(leftovers);
	return error;
}

static void
raise_never_still(void *arg)
{
	const DbvcRun *run = arg;

	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("definitions changed while migration \"%s\" was rehearsed",
					run->state->id),
			 errdetail("Other sessions changed them in %d rehearsals.",
					   MAX_ROUNDS),
			 errhint("Rehearse it when nobody else changes definitions.")));
}

static ErrorData *
rehearse(Proof *proof)
{
	for (int round = 1;; round++)
	{
		ErrorData *error = rehearse_once(proof);
		ErrorData *disturbed;

		if (error == NULL || proof->differences == NIL)
			return error;
		disturbed = dbvc_subtransaction(look_at_others, proof, false);
		if (disturbed == NULL && !proof->others)
			return error;
		if (disturbed == NULL && round == MAX_ROUNDS)
			disturbed = dbvc_subtransaction(raise_never_still,
											proof->rehearsal->run, false);
		if (disturbed != NULL)
			return disturbed;
	}
}

void
dbvc_rehearse(DbvcRehearsal *rehearsal, DbvcAfterStatement after, void *arg)
{
	Proof proof = {.rehearsal = rehearsal, .after = after, .arg = arg};
	DbvcRun *back = rehearsal->back;
	ErrorData *error;

	proof.context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc rehearsal",
							  ALLOCSET_DEFAULT_SIZES);
	/* a script that cannot be parsed need not be tried */
	if (back->error == NULL)
		back->error = rehearse(&proof);
	MemoryContextDelete(proof.context);
	error = back->error;
	if (error == NULL)
		return;
	/* a script's error has told which script, and where in it */
	error->context =
		error->context
			? psprintf("%s\nrehearsal of migration \"%s\"", error->context,
					   back->state->id)
			: psprintf("migration \"%s\", %s script, in its rehearsal",
					   back->state->id, dbvc_direction_name(back->direction));
}

/* --------------------------------------------------------------- in words */

void
dbvc_warn_not_rehearsed(const DbvcRehearsal *rehearsal)
{
	const DbvcRun *run = rehearsal->run;
	bool expected = strcmp(run->state->kind, DBVC_KIND_VERSIONED) != 0;

	ereport(expected ? NOTICE : WARNING,
			(errmsg("not rehearsed: migration \"%s\": %s", run->state->id,
					rehearsal->hindrance)));
}

const char *
dbvc_rehearsal_detail(const DbvcRehearsal *rehearsal)
{
	return rehearsal->run->direction == DBVC_UP
			   ? "rehearsed: its down script restores the definitions"
			   : "rehearsed: its up script restores the definitions";
}
