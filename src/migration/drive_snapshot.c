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
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* So many milliseconds a snapshot waits for a lock that somebody holds. */
#define LOCK_PATIENCE 10000

/* Others wait for the run lock meanwhile.  The caller takes it back. */
static void
be_impatient(void)
{
	if (LockTimeout == 0 || LockTimeout > LOCK_PATIENCE)
		(void) set_config_option("lock_timeout", psprintf("%d", LOCK_PATIENCE),
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
}

static void
take_snapshot(void *arg)
{
	be_impatient();
	/* after a commit a procedure has none, and long values are read by one */
	PushActiveSnapshot(GetTransactionSnapshot());
	(void) dbvc_snapshot_take(arg, NIL, false, GetUserId());
	PopActiveSnapshot();
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

/* The newest snapshot of everything, and how much is different now. */
static int64
count_drift(char **snapshot)
{
	static DbvcQuery newest = {
		"SELECT id FROM dbvc.snapshot WHERE schemas IS NULL "
		"ORDER BY event_id DESC",
		0,
		{0}};
	static DbvcQuery differences = {
		"SELECT count(*) FROM dbvc.snapshot_diff($1)", 1, {TEXTOID}};
	Datum value;
	int64 count;

	if (dbvc_query_run(&newest, NULL, NULL, false, 1) == 0)
		return 0;
	*snapshot = dbvc_row_text(0, 1);
	SPI_freetuptable(SPI_tuptable);
	value = CStringGetTextDatum(*snapshot);
	(void) dbvc_query_run(&differences, &value, NULL, false, 0);
	count = dbvc_row_int64(0, 1, 0);
	SPI_freetuptable(SPI_tuptable);
	return count;
}

static void
look_for_drift(void *arg)
{
	int64 *count = arg;
	Oid role = GetUserId();
	DbvcOwnerScope owner;
	char *snapshot = NULL;

	be_impatient();
	PushActiveSnapshot(GetTransactionSnapshot());
	dbvc_owner_enter(&owner);
	*count = count_drift(&snapshot);
	dbvc_owner_leave(&owner);
	if (*count > 0)
	{
		DbvcCapture *capture = dbvc_capture_live(NULL, false);
		uint8 fingerprint[DBVC_SHA256_LEN];
		int objects;

		(void) dbvc_snapshot_keep(capture, "drift found before a run", NIL,
								  false, role);
		dbvc_owner_enter(&owner);
		dbvc_capture_fingerprint(capture, NIL, false, fingerprint, &objects);
		dbvc_drift_record(snapshot, fingerprint, objects, *count, role);
		dbvc_owner_leave(&owner);
	}
	PopActiveSnapshot();
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

/* Work and commit; the error of either, in the current context. */
static ErrorData *
work_and_commit(void (*work)(void *arg), void *arg)
{
	int guc_level = NewGUCNestLevel();
	ErrorData *error = dbvc_subtransaction(work, arg, true);

	AtEOXact_GUC(false, guc_level);
	if (error != NULL)
		return error;
	error = commit_snapshot();
	/* with its transaction went the session's run lock */
	if (error != NULL)
		dbvc_run_lock(dbvc_extension_oid(), true, true);
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
	error = work_and_commit(take_snapshot, (void *) label);
	if (error != NULL)
		warn_not_taken(error);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
dbvc_look_for_drift(void)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext context =
		AllocSetContextCreate(old, "dbvc drift", ALLOCSET_DEFAULT_SIZES);
	int64 count = 0;
	ErrorData *error;

	MemoryContextSwitchTo(context);
	error = work_and_commit(look_for_drift, &count);
	if (error != NULL && dbvc_cancels_caller(error))
		ReThrowError(error);
	if (error != NULL)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("drift was not looked for: %s", error->message)));
	else if (count > 0)
		ereport(WARNING,
				(errmsg("the schema was changed since the last snapshot"),
				 errdetail("Differences: %lld.", (long long) count),
				 errhint("They are recorded, and kept in a snapshot: compare "
						 "the newest two of dbvc.snapshot with "
						 "dbvc.snapshot_diff().")));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
