/*
 * lock.c
 *		The run lock: one run of migrations at a time in a database.
 *
 * An advisory lock would do, but any role can take one and so stop all
 * migrations.  The tag used here is that of a sub-object of the extension,
 * which no SQL command locks: nobody but this file can take it.  It shows in
 * pg_locks as locktype "object", classid pg_extension, objsubid 1.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "tcop/utility.h"
#include "utils/snapmgr.h"

#define RUN_LOCK_SUBID 1

static void
set_tag(LOCKTAG *tag, Oid extension)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, ExtensionRelationId, extension,
					   RUN_LOCK_SUBID);
}

void
dbvc_run_lock(Oid extension, bool session, bool wait)
{
	LOCKTAG tag;

	PreventCommandIfReadOnly("a run of migrations");
	/* what is read under the lock must be what is committed by then */
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("migrations need isolation level READ COMMITTED"),
				 errhint("Begin the transaction with ISOLATION LEVEL READ "
						 "COMMITTED.")));
	set_tag(&tag, extension);
	/*
	 * Whoever waits here while the holder builds an index concurrently must
	 * hold no snapshot: the build would wait for it, and nothing would see
	 * the deadlock.
	 */
	if (wait)
		InvalidateCatalogSnapshot();
	if (LockAcquire(&tag, ExclusiveLock, session, !wait) ==
		LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("another session is running migrations"),
				 errdetail("Database \"%s\" runs one migration at a time.",
						   dbvc_database_id()),
				 errhint(
					 "Try again when it has ended. CALL dbvc.migrate() and "
					 "CALL dbvc.rollback() queue.")));
}

void
dbvc_run_unlock(Oid extension)
{
	LOCKTAG tag;

	set_tag(&tag, extension);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

bool
dbvc_run_lock_busy(Oid extension)
{
	LOCKTAG tag;
	LockAcquireResult result;

	set_tag(&tag, extension);
	if (LockHeldByMe(&tag, ExclusiveLock DBVC_LOCK_HELD_EXACTLY))
		return false;
	result = LockAcquire(&tag, ShareLock, false, true);
	if (result == LOCKACQUIRE_NOT_AVAIL)
		return true;
	(void) LockRelease(&tag, ShareLock, false);
	return false;
}
