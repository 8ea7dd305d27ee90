/*
 * drive_snapshot.c
 *		A snapshot of the schema after a CALL that has changed something.
 *
 * It has a transaction of its own after everything is committed, so it can
 * fail by itself; then a warning says so, because what was applied is applied.
 */
#include "migration/migration.h"
#include "snapshot/snapshot.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* So many milliseconds a snapshot waits for a lock that somebody holds. */
#define LOCK_PATIENCE 10000

static void
take_snapshot(void *arg)
{
	int guc_level = NewGUCNestLevel();

	/* others wait for the run lock meanwhile */
	if (LockTimeout == 0 || LockTimeout > LOCK_PATIENCE)
		(void) set_config_option("lock_timeout", psprintf("%d", LOCK_PATIENCE),
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
	/* after a commit a procedure has none, and long values are read by one */
	PushActiveSnapshot(GetTransactionSnapshot());
	(void) dbvc_snapshot_take(arg, NIL, false, GetUserId());
	PopActiveSnapshot();
	AtEOXact_GUC(false, guc_level);
}

static void
warn_not_taken(const ErrorData *error)
{
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("no snapshot was taken: %s", error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 errhint("What was run is committed. Repeat the snapshot with "
					 "SELECT dbvc.snapshot_capture().")));
}

/* The snapshot's own commit: an error has begun a new transaction. */
static ErrorData *
commit_snapshot(void)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData *volatile error = NULL;

	PG_TRY();
	{
		SPI_commit();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	return error;
}

void
dbvc_snapshot_after_run(const char *label)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext context =
		AllocSetContextCreate(old, "dbvc snapshot after run",
							  ALLOCSET_DEFAULT_SIZES);
	ErrorData *error;

	MemoryContextSwitchTo(context);
	error = dbvc_subtransaction(take_snapshot, (void *) label, true);
	if (error == NULL)
	{
		error = commit_snapshot();
		/* with its transaction went the session's run lock */
		if (error != NULL)
			dbvc_run_lock(dbvc_extension_oid(), true, true);
	}
	if (error != NULL)
		warn_not_taken(error);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
