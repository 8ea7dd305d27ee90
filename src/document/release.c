/*
 * release.c
 *		CALL dbvc.document_release(): make a table what it was.
 *
 * Three acts.  First the state becomes "releasing", under a lock that waits
 * for all writers that began before: from then on nobody splits a document any
 * more.  Then the documents are joined batch by batch while the face stays in
 * use.  When nothing is split any more, the table takes its old place in one
 * last, short transaction.
 *
 * Before the first act everything is checked: what would not come back as it
 * was, or would be lost, is refused while nothing has changed yet.
 */
#include "document/backfill.h"
#include "document/document_check.h"
#include "document/reshape.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "util/errors.h"
#include "util/util.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"

/* Of the locks on the whole table. */
#define LOCK_TIMEOUT_MS 2000
#define LOCK_ATTEMPTS 10

typedef struct Release
{
	bool discard_deleted;
	bool releasing; /* it was begun before */
	const char *state;
} Release;

/* ---------------------------------------------------------------- refusals */

static void
refuse_hidden(const DbvcAdopted *adopted)
{
	Oid relations[] = {adopted->base, adopted->items};

	for (int i = 0; i < lengthof(relations); i++)
	{
		if (check_enable_rls(relations[i], InvalidOid, true) == RLS_ENABLED)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("%s cannot be released by role \"%s\"",
							adopted->name,
							GetUserNameFromId(GetUserId(), false)),
					 errdetail("Row security of \"%s\" is in force for this "
							   "role, and hides rows from it.",
							   get_rel_name(relations[i])),
					 errhint("ALTER TABLE ... NO FORCE ROW LEVEL SECURITY, "
							 "or use a role with BYPASSRLS.")));
	}
}

static void
refuse_deleted(const DbvcAdopted *adopted)
{
	char *sql =
		psprintf("SELECT ROW(%s)::pg_catalog.text, i.type FROM %s "
				 "AS i WHERE i.deleted_at IS NOT NULL LIMIT 1",
				 dbvc_keyset_columns(adopted, "i", true), adopted->items_name);

	if (SPI_execute(sql, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for deleted items");
	if (SPI_processed > 0)
		ereport(
			ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s has items that are softly deleted", adopted->name),
			 errdetail("Document %s has one of type \"%s\". A whole document "
					   "has no place for them.",
					   dbvc_row_text(0, 1), dbvc_row_text(0, 2)),
			 errhint("CALL dbvc.document_release(..., discard_deleted => "
					 "true) if they are not needed any more.")));
	SPI_freetuptable(SPI_tuptable);
}

/* What the check found that would be lost. */
static void
refuse_faults(const DbvcAdopted *adopted)
{
	DbvcFinding findings[DBVC_CHECKS];

	dbvc_document_check_all(adopted->base, 1, findings);
	for (int i = 0; i < DBVC_CHECKS; i++)
	{
		if (findings[i].faults > 0 && i != DBVC_CHECK_RANKS)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("documents of %s would not come back as they are",
							adopted->name),
					 errdetail("Check \"%s\": %s.", findings[i].name,
							   dbvc_finding_text(&findings[i])),
					 errhint("dbvc.document_check() shows them.")));
	}
}

static void
refuse(DbvcDrive *drive)
{
	const DbvcAdopted *adopted = dbvc_adopted_get(drive->run.base, false);
	const Release *release = drive->caller;

	refuse_hidden(adopted);
	dbvc_release_check(adopted);
	if (release->releasing)
		return;
	adopted = dbvc_adopted_get(drive->run.base, false);
	if (!release->discard_deleted)
		refuse_deleted(adopted);
	refuse_faults(adopted);
}

/* --------------------------------------------------------------- the state */

/*
 * Who writes through the face has locked it before the base: in this order no
 * two wait for each other.
 */
static void
lock_tables(const DbvcAdopted *adopted, LOCKMODE mode)
{
	Oid relations[] = {adopted->face, adopted->base, adopted->items};

	for (int i = 0; i < lengthof(relations); i++)
		LockRelationOid(relations[i], mode);
}

static void
set_state(void *arg)
{
	DbvcDrive *drive = arg;
	const Release *release = drive->caller;
	const DbvcAdopted *adopted = dbvc_adopted_get(drive->run.base, false);

	lock_tables(adopted, ShareRowExclusiveLock);
	dbvc_document_set_state(adopted, release->state);
}

static void
try_state(DbvcDrive *drive)
{
	int level = dbvc_reshape_enter(LOCK_TIMEOUT_MS);

	dbvc_reshape_attempt(set_state, drive, LOCK_ATTEMPTS);
	dbvc_reshape_leave(level);
}

/* ----------------------------------------------------------------- the end */

static void
refuse_rest(const DbvcAdopted *adopted)
{
	char *sql =
		psprintf("SELECT EXISTS (SELECT FROM %s AS b WHERE b.%s "
				 "OPERATOR(pg_catalog.<>) 0), EXISTS (SELECT FROM %s AS i)",
				 adopted->base_name,
				 quote_identifier(
					 get_attname(adopted->base, adopted->base_version, false)),
				 adopted->items_name);
	bool isnull;

	if (SPI_execute(sql, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not look for what is left");
	if (DatumGetBool(dbvc_row_datum(0, 1, &isnull)) ||
		DatumGetBool(dbvc_row_datum(0, 2, &isnull)))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("%s still has split documents or items",
							   adopted->name),
						errhint("CALL dbvc.document_release() again.")));
	SPI_freetuptable(SPI_tuptable);
}

static void
swap(void *arg)
{
	DbvcDrive *drive = arg;
	const DbvcAdopted *adopted = dbvc_adopted_get(drive->run.base, false);

	dbvc_dependents_lock(adopted->face, 0);
	/* readers need not wait while this is looked at */
	lock_tables(adopted, ShareRowExclusiveLock);
	refuse_rest(adopted);
	lock_tables(adopted, AccessExclusiveLock);
	dbvc_release_swap(dbvc_adopted_get(drive->run.base, false));
}

static void
try_swap(DbvcDrive *drive)
{
	int level = dbvc_reshape_enter(LOCK_TIMEOUT_MS);

	dbvc_reshape_attempt(swap, drive, LOCK_ATTEMPTS);
	dbvc_reshape_leave(level);
}

static void
stop_for_errors(DbvcDrive *drive)
{
	Datum *key = drive->first_failed;

	ereport(ERROR,
			(errcode(ERRCODE_DBVC_SET_ASIDE),
			 errmsg_plural("%lld document of %s cannot be joined",
						   "%lld documents of %s cannot be joined",
						   drive->run.errors, (long long) drive->run.errors,
						   drive->run.face),
			 errdetail("The first of them is %s.",
					   dbvc_adopted_key_text(
						   dbvc_adopted_get(drive->run.base, false), key)),
			 errhint("dbvc.document_error says why. Mend them and CALL "
					 "dbvc.document_release() again.")));
}

/* ---------------------------------------------------------------- the whole */

static void
release_all(DbvcDrive *drive)
{
	const Release *release = drive->caller;

	dbvc_document_run_begin(&drive->run);
	dbvc_drive_commit(drive, false);
	dbvc_drive_guarded(drive, refuse);
	dbvc_drive_commit(drive, false);
	if (!release->releasing)
	{
		dbvc_drive_guarded(drive, try_state);
		dbvc_drive_commit(drive, false);
	}
	dbvc_drive_all(drive);
	if (drive->stopped || drive->run.skipped > 0)
	{
		dbvc_document_run_end(&drive->run, drive->stopped ? "stopped" : "done",
							  NULL);
		dbvc_drive_commit(drive, false);
		return;
	}
	if (drive->run.errors > 0)
		dbvc_drive_guarded(drive, stop_for_errors);
	dbvc_document_settle(&drive->run);
	dbvc_document_run_step(&drive->run);
	dbvc_drive_commit(drive, false);
	dbvc_drive_guarded(drive, try_swap);
	dbvc_document_run_end(&drive->run, "done", NULL);
	dbvc_drive_commit(drive, false);
}

/* Back to splitting: CALL document_backfill() does the rest. */
static void
cancel_release(DbvcDrive *drive)
{
	dbvc_document_run_begin(&drive->run);
	dbvc_drive_guarded(drive, try_state);
	dbvc_document_run_end(&drive->run, "cancelled", NULL);
	dbvc_drive_commit(drive, false);
}

static void
check_release(const DbvcAdopted *adopted, bool cancel)
{
	if (!has_privs_of_role(GetUserId(), adopted->owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE,
					   get_rel_name(adopted->base));
	if (cancel && !adopted->releasing)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("%s is not being released", adopted->name)));
}

static void
tell(const DbvcDrive *drive)
{
	if (drive->run.skipped == 0)
		return;
	ereport(WARNING,
			(errmsg("%s is not released yet", drive->run.face),
			 errdetail_plural("%lld document is left.",
							  "%lld documents are left.", drive->run.skipped,
							  (long long) drive->run.skipped),
			 errhint("CALL dbvc.document_release() again, or with cancel => "
					 "true.")));
}

PG_FUNCTION_INFO_V1(dbvc_document_release);
Datum
dbvc_document_release(PG_FUNCTION_ARGS)
{
	Release this = {0};
	bool cancel = !PG_ARGISNULL(6) && PG_GETARG_BOOL(6);
	DbvcDriveOptions options;
	DbvcDrive *drive;
	int64 numbers[2];

	dbvc_call_check(fcinfo, "document_release");
	check_release(dbvc_call_adopted(fcinfo), cancel);
	dbvc_call_options(fcinfo, &options);
	this.discard_deleted = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	this.state = cancel ? "adopted" : "releasing";
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	drive = dbvc_drive_open(PG_GETARG_OID(0), DBVC_RELEASE, &options);
	drive->caller = &this;
	this.releasing = drive->batch.adopted->releasing;
	PG_TRY();
	{
		if (cancel)
			cancel_release(drive);
		else
			release_all(drive);
	}
	PG_FINALLY();
	{
		dbvc_drive_close(drive);
	}
	PG_END_TRY();
	tell(drive);
	numbers[0] = drive->run.done;
	numbers[1] = drive->run.skipped;
	MemoryContextDelete(drive->context);
	SPI_finish();
	return dbvc_call_result(fcinfo, numbers, 2);
}
