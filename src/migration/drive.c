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
#include "snapshot/snapshot.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

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
	int done;					 /* migrations that were run to their end */
	char *first;				 /* ids of the first and last of them */
	char *last;
	char *stopped_at; /* the migration whose steps came not to their end */
	DbvcRun *steps;	  /* at work in steps, and how many were done before */
	int steps_before;
	bool unsnapped; /* something was changed since the last snapshot */
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

/* Record and commit what was executed, or that it failed. */
static void
end_whole(DbvcRun *run, bool last)
{
	if (run->error == NULL)
	{
		(void) dbvc_record_end(run);
		dbvc_run_commit(run, !last);
		if (run->error == NULL)
			return;
	}
	dbvc_record_failure(run);
}

static void
run_whole(DbvcRun *run, bool last)
{
	if (run->error == NULL)
		dbvc_run_execute(run, 0, run->script->count, true, NULL, NULL);
	end_whole(run, last);
}

/*
 * A rehearsal that fails is recorded as one: nothing of the migration was
 * executed, so its state is what it was.
 */
static void
run_rehearsed(DbvcRehearsal *rehearsal, bool last)
{
	DbvcRun *run = rehearsal->run;
	DbvcRun *back = rehearsal->back;

	dbvc_rehearse(rehearsal, NULL, NULL);
	if (back->error != NULL)
	{
		dbvc_record_failed_rehearsal(back);
		run->error = back->error;
		return;
	}
	if (run->error == NULL)
		dbvc_record_rehearsal(back);
	end_whole(run, last);
}

static const char *
done_word(const Drive *drive)
{
	return drive->direction == DBVC_UP ? "applied" : "rolled back";
}

/* What a snapshot is told of a run that has changed something. */
static void
note_done(Drive *drive, const DbvcRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(drive->context);

	drive->unsnapped = true;
	if (run->error != NULL)
		drive->stopped_at = pstrdup(run->state->id);
	else
	{
		drive->last = pstrdup(run->state->id);
		if (drive->done++ == 0)
			drive->first = drive->last;
	}
	MemoryContextSwitchTo(old);
}

static bool
some_steps_done(const Drive *drive)
{
	return drive->steps != NULL &&
		   drive->steps->statements > drive->steps_before;
}

/* Execute, record, commit.  Returns what a rehearsal has found out, or NULL. */
static const char *
execute_run(Drive *drive, DbvcRun *run, bool last)
{
	DbvcRehearsal *rehearsal = NULL;

	if (drive->options->rehearse)
		rehearsal = dbvc_rehearsal_prepare(run);
	if (rehearsal != NULL && rehearsal->hindrance != NULL)
		dbvc_warn_not_rehearsed(rehearsal);
	if (dbvc_run_in_steps(run))
	{
		drive->steps = run;
		drive->steps_before = dbvc_run_steps_done(run);
		dbvc_run_steps(run);
		if (run->error == NULL || some_steps_done(drive))
			note_done(drive, run);
		drive->steps = NULL;
		return NULL;
	}
	if (rehearsal == NULL || rehearsal->back == NULL ||
		rehearsal->hindrance != NULL)
	{
		rehearsal = NULL;
		run_whole(run, last);
	}
	else
		run_rehearsed(rehearsal, last);
	if (run->error == NULL)
		note_done(drive, run);
	return rehearsal ? dbvc_rehearsal_detail(rehearsal) : NULL;
}

static const char *
snapshot_label(const Drive *drive)
{
	const char *call = drive->direction == DBVC_UP ? "migrate" : "rollback";
	StringInfoData label;

	initStringInfo(&label);
	appendStringInfo(&label, "%s: ", call);
	if (drive->done == 1)
		appendStringInfo(&label, "%s", drive->first);
	else if (drive->done > 1)
		appendStringInfo(&label, "%d migrations, %s to %s", drive->done,
						 drive->first, drive->last);
	if (drive->stopped_at != NULL)
		appendStringInfo(&label, "%s%s in part", drive->done > 0 ? ", " : "",
						 drive->stopped_at);
	return label.data;
}

/* One snapshot for each CALL, after its last change. */
static void
snapshot_if_changed(Drive *drive)
{
	MemoryContext old;

	if (!drive->unsnapped || !dbvc_snapshot_on_migrate())
		return;
	drive->unsnapped = false;
	old = MemoryContextSwitchTo(drive->context);
	dbvc_snapshot_after_run(snapshot_label(drive));
	MemoryContextSwitchTo(old);
}

/* Run one migration, with its record, in its own transactions. */
static void
run_one(Drive *drive, const DbvcState *planned, List *covered, bool last)
{
	DbvcOwnerScope owner;
	DbvcState *state;
	DbvcRun *run;
	const char *rehearsed;

	dbvc_owner_enter(&owner);
	state = lock_state(drive, planned);
	dbvc_owner_leave(&owner);
	if (state == NULL)
		return;
	run = dbvc_run_prepare(state, drive->direction);
	run->plan_hash = drive->plan_hash;
	run->covered = covered;
	rehearsed = execute_run(drive, run, last);
	if (run->error != NULL)
	{
		uint32 held = QueryCancelHoldoffCount;

		/* a cancel that comes twice must not hide what it has ended */
		QueryCancelHoldoffCount = held + 1;
		dbvc_warn_leftovers(drive->leftovers);
		QueryCancelPending = false;
		QueryCancelHoldoffCount = held;
		snapshot_if_changed(drive);
		ReThrowError(run->error);
	}
	/* INFO is sent whatever client_min_messages is */
	ereport(drive->options->progress ? INFO : NOTICE,
			(errcode(ERRCODE_DBVC_PROGRESS),
			 errmsg("%s \"%s\": %d %s", done_word(drive), run->state->id,
					run->statements,
					run->statements == 1 ? "statement" : "statements"),
			 rehearsed ? errdetail("%s.", rehearsed) : 0));
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
	if (count > 0 && dbvc_snapshot_on_migrate())
		dbvc_look_for_drift();
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
	snapshot_if_changed(drive);
}

static void
try_all(Drive *drive, List *states)
{
	ErrorData *error =
		dbvc_dry_run(states, drive->direction, drive->options->rehearse,
					 drive->options->progress);

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

/* What commits of this CALL have not waited for. */
static void
flush_commits(void)
{
	if (synchronous_commit > SYNCHRONOUS_COMMIT_OFF)
		XLogFlush(XactLastCommitEnd);
}

/*
 * An error that no script has raised, after migrations were applied: the next
 * one was registered anew, say, or its row is locked.  The transaction, in
 * which nothing has been done, has to go before a snapshot can be taken, and
 * the run lock goes with it.  Who has it then takes a snapshot of his own.
 */
static void
snapshot_after_error(Drive *drive, Oid extension)
{
	ErrorData *error;

	MemoryContextSwitchTo(drive->context);
	error = CopyErrorData();
	FlushErrorState();
	/* a query that has failed left its snapshots; the portal's own is known */
	while (ActiveSnapshotSet() &&
		   GetActiveSnapshot() != ActivePortal->portalSnapshot)
		PopActiveSnapshot();
	SPI_rollback();
	MemoryContextSwitchTo(drive->context);
	if (!dbvc_run_lock_busy(extension))
	{
		dbvc_run_lock(extension, true, false);
		snapshot_if_changed(drive);
		dbvc_run_unlock(extension);
	}
	ReThrowError(error);
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
	PG_CATCH();
	{
		/* an error may come after commits that did not wait for the disk */
		flush_commits();
		if (some_steps_done(&drive))
			drive.unsnapped = true;
		if (drive.unsnapped && dbvc_snapshot_on_migrate())
			snapshot_after_error(&drive, extension);
		else
			dbvc_run_unlock(extension);
		PG_RE_THROW();
	}
	PG_END_TRY();
	flush_commits();
	dbvc_run_unlock(extension);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(drive.context);
}
