/*
 * drive.c
 *		CALL dbvc.migrate() and CALL dbvc.rollback().
 *
 * Each migration runs in a transaction of its own.  What fails is rolled back
 * and then recorded in a transaction of its own, and the error is raised to
 * the caller as PostgreSQL gave it.  The run lock is held for the session from
 * before the plan is made until the end, so that two runners do not disturb
 * each other and the second finds nothing left to do.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/portal.h"

#define RUN_BLOCK_SIZE (128 * 1024)
#define BATCH_SIZE 16

typedef struct Drive
{
	const DbvcMigrateOptions *options;
	DbvcDirection direction;
	MemoryContext context;		 /* of the CALL */
	MemoryContext run_context;	 /* of one migration */
	MemoryContext batch_context; /* of the scripts read ahead */
	const uint8 *plan_hash;		 /* NULL unless expect was given */
	List *leftovers;			 /* in the session before */
} Drive;

/* New content may run; but where and after what it runs was planned. */
static bool
plan_still_holds(const DbvcState *state, const DbvcState *planned)
{
	return state->version == planned->version ||
		   (strcmp(state->kind, planned->kind) == 0 &&
			strcmp(state->sort_key ? state->sort_key : "",
				   planned->sort_key ? planned->sort_key : "") == 0 &&
			strcmp(dbvc_join_all(state->requires),
				   dbvc_join_all(planned->requires)) == 0 &&
			strcmp(dbvc_join_all(state->environments),
				   dbvc_join_all(planned->environments)) == 0);
}

/* What the plan names may have changed since: the row is locked now. */
static DbvcState *
lock_state(Drive *drive, const DbvcState *planned)
{
	DbvcState *state = dbvc_state_read(planned->id, true);

	if (state == NULL)
		dbvc_unknown_migration(planned->id);
	if (drive->direction == DBVC_DOWN)
		return state->applied_version != 0 ? state : NULL;
	if (!dbvc_state_pending(state))
		return NULL;
	if (drive->plan_hash != NULL &&
		memcmp(state->checksum, planned->checksum, DBVC_SHA256_LEN) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_PLAN_CHANGED),
				 errmsg("migration \"%s\" was registered again since the plan "
						"was reviewed",
						state->id),
				 errdetail("Reviewed: %s; now: %s.",
						   dbvc_hex(planned->checksum, DBVC_SHA256_LEN),
						   dbvc_hex(state->checksum, DBVC_SHA256_LEN)),
				 errhint("Review dbvc.migration_plan() again.")));
	if (!plan_still_holds(state, planned))
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_PLAN_CHANGED),
				 errmsg("migration \"%s\" was registered anew while "
						"migrations ran",
						state->id),
				 errdetail(
					 "Its kind, place, environments or requirements are not "
					 "those that were planned with."),
				 errhint("Call dbvc.migrate() again.")));
	state->content = planned->content;
	state->content_event = planned->content_event;
	return state;
}

static void
run_whole(DbvcRun *run, bool last)
{
	if (run->error == NULL)
		dbvc_run_execute(run, 0, run->script->count, true, NULL, NULL);
	if (run->error == NULL)
	{
		(void) dbvc_record_end(run);
		dbvc_run_commit(run, !last);
		if (run->error == NULL)
			return;
	}
	dbvc_record_failure(run);
}

static const char *
done_word(const Drive *drive)
{
	return drive->direction == DBVC_UP ? "applied" : "rolled back";
}

/* Run one migration, with its record, in its own transactions. */
static void
run_one(Drive *drive, const DbvcState *planned, List *covered, bool last)
{
	DbvcOwnerScope owner;
	DbvcState *state;
	DbvcRun *run;

	dbvc_owner_enter(&owner);
	state = lock_state(drive, planned);
	dbvc_owner_leave(&owner);
	if (state == NULL)
		return;
	run = dbvc_run_prepare(state, drive->direction);
	run->plan_hash = drive->plan_hash;
	run->covered = covered;
	if (dbvc_run_in_steps(run))
		dbvc_run_steps(run);
	else
		run_whole(run, last);
	if (run->error != NULL)
	{
		uint32 held = QueryCancelHoldoffCount;

		/* a cancel that comes twice must not hide what it has ended */
		QueryCancelHoldoffCount = held + 1;
		dbvc_warn_leftovers(drive->leftovers);
		QueryCancelPending = false;
		QueryCancelHoldoffCount = held;
		ReThrowError(run->error);
	}
	/* INFO is sent whatever client_min_messages is */
	ereport(drive->options->progress ? INFO : NOTICE,
			(errcode(ERRCODE_DBVC_PROGRESS),
			 errmsg("%s \"%s\": %d %s", done_word(drive), run->state->id,
					run->statements,
					run->statements == 1 ? "statement" : "statements")));
}

static void
check_expected(Drive *drive, const DbvcPlan *plan)
{
	const char *hash = dbvc_hex(plan->hash, DBVC_SHA256_LEN);

	if (drive->options->expect == NULL)
		return;
	if (pg_strcasecmp(drive->options->expect, hash) != 0)
		ereport(ERROR, (errcode(ERRCODE_DBVC_PLAN_CHANGED),
						errmsg("plan is not the one that was reviewed"),
						errdetail("Expected plan %s; the plan is now %s.",
								  drive->options->expect, hash),
						errhint("Review dbvc.migration_plan() again.")));
	drive->plan_hash = plan->hash;
}

/* Contents of the migration at n and the ones after it, in one query. */
static void
prefetch(Drive *drive, List *states, int n)
{
	DbvcOwnerScope owner;
	MemoryContext old;
	List *batch = NIL;

	MemoryContextReset(drive->batch_context);
	old = MemoryContextSwitchTo(drive->batch_context);
	for (int i = n; i < list_length(states) && i < n + BATCH_SIZE; i++)
		batch = lappend(batch, list_nth(states, i));
	dbvc_owner_enter(&owner);
	dbvc_state_prefetch(batch);
	dbvc_owner_leave(&owner);
	MemoryContextSwitchTo(old);
}

static void
run_all(Drive *drive, List *states, List *covered)
{
	MemoryContext old = CurrentMemoryContext;
	int count = list_length(states);

	drive->leftovers = dbvc_session_leftovers();
	drive->batch_context =
		AllocSetContextCreate(drive->context, "dbvc scripts",
							  ALLOCSET_DEFAULT_SIZES);
	/* a first block that survives the reset, large enough for most */
	drive->run_context =
		AllocSetContextCreate(drive->context, "dbvc migration", RUN_BLOCK_SIZE,
							  RUN_BLOCK_SIZE, ALLOCSET_DEFAULT_MAXSIZE);
	for (int i = 0; i < count; i++)
	{
		if (drive->direction == DBVC_UP && i % BATCH_SIZE == 0)
			prefetch(drive, states, i);
		MemoryContextSwitchTo(drive->run_context);
		run_one(drive, list_nth(states, i), covered, i + 1 == count);
		covered = NIL;
		MemoryContextSwitchTo(old);
		MemoryContextReset(drive->run_context);
	}
	dbvc_warn_leftovers(drive->leftovers);
}

static void
try_all(Drive *drive, List *states)
{
	ErrorData *error =
		dbvc_dry_run(states, drive->direction, drive->options->progress);

	SPI_commit();
	if (error != NULL)
		ReThrowError(error);
}

static void
drive_locked(Drive *drive)
{
	const DbvcMigrateOptions *options = drive->options;
	DbvcOwnerScope owner;
	List *states;
	List *covered = NIL;

	dbvc_owner_enter(&owner);
	if (drive->direction == DBVC_UP)
	{
		DbvcPlan *plan = dbvc_plan_up(options->target, options->out_of_order);

		check_expected(drive, plan);
		states = dbvc_plan_states(plan, DBVC_ACTION_APPLY);
		/* a baseline comes first: they are recorded together with it */
		covered = dbvc_plan_states(plan, DBVC_ACTION_BASELINE);
	}
	else
		states = dbvc_plan_down(options->target, options->has_steps,
								options->steps);
	dbvc_owner_leave(&owner);
	if (options->dry_run)
		try_all(drive, states);
	else
		run_all(drive, states, covered);
	if (states == NIL)
		ereport(NOTICE, (errmsg("nothing to do")));
}

/* Nothing pending at all: answered without a lock. */
static bool
is_idle(const DbvcMigrateOptions *options, DbvcDirection direction)
{
	DbvcOwnerScope owner;
	bool idle;

	if (direction == DBVC_DOWN || options->expect != NULL ||
		options->target != NULL)
		return false;
	dbvc_owner_enter(&owner);
	idle = !dbvc_state_any_pending();
	dbvc_owner_leave(&owner);
	return idle;
}

void
dbvc_drive(const DbvcMigrateOptions *options, DbvcDirection direction)
{
	Drive drive = {.options = options, .direction = direction};
	MemoryContext old;
	Oid extension = dbvc_extension_oid();
	Oid caller = GetUserId();

	if (is_idle(options, direction))
	{
		ereport(NOTICE, (errmsg("nothing to do")));
		return;
	}
	drive.context = AllocSetContextCreate(PortalContext, "dbvc run",
										  ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(drive.context);
	SPI_commit();
	if (GetUserId() != caller)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("role ended with the first commit"),
				 errhint("SET LOCAL ROLE does not outlive a transaction: use "
						 "SET ROLE.")));
	dbvc_run_lock(extension, true, true);
	PG_TRY();
	{
		drive_locked(&drive);
	}
	PG_FINALLY();
	{
		/* an error may come after commits that did not wait for the disk */
		if (synchronous_commit > SYNCHRONOUS_COMMIT_OFF)
			XLogFlush(XactLastCommitEnd);
		dbvc_run_unlock(extension);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(drive.context);
}
