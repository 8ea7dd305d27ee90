/*
 * backfill.c
 *		CALL dbvc.document_backfill(): split what nobody writes.
 */
#include "document/backfill.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"

/* Rights on the table or on its column; what rows are hidden is no error. */
static void
check_right(Oid relation, AttrNumber column, AclMode mode)
{
	AclResult result = pg_class_aclcheck(relation, GetUserId(), mode);

	if (result != ACLCHECK_OK && column != InvalidAttrNumber)
		result = pg_attribute_aclcheck(relation, column, GetUserId(), mode);
	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_TABLE, get_rel_name(relation));
}

static void
check_rights(const DbvcAdopted *adopted)
{
	Oid base = adopted->base;
	Oid items = adopted->items;
	AttrNumber doc = adopted->base_doc;

	check_right(base, doc, ACL_SELECT);
	check_right(base, doc, ACL_UPDATE);
	check_right(items, InvalidAttrNumber, ACL_INSERT);
}

static void
warn_backfill(const DbvcDrive *drive)
{
	const DbvcDocumentRun *run = &drive->run;

	if (drive->duplicates > 0)
		ereport(NOTICE,
				(errmsg_plural("%lld array has elements with the same id",
							   "%lld arrays have elements with the same id",
							   drive->duplicates,
							   (long long) drive->duplicates),
				 errdetail("The second and later ones have generated ids.")));
	if (run->errors > 0)
		ereport(WARNING,
				(errmsg_plural("%lld document of %s was set aside",
							   "%lld documents of %s were set aside",
							   run->errors, (long long) run->errors,
							   run->face),
				 errhint("dbvc.document_error says why. What is set aside "
						 "stays as it is, and readable.")));
	if (run->skipped == 0)
		return;
	ereport(drive->stopped ? NOTICE : WARNING,
			(errmsg_plural("%lld document of %s is left",
						   "%lld documents of %s are left", run->skipped,
						   (long long) run->skipped, run->face),
			 drive->stopped
				 ? errdetail("The time is over.")
				 : errdetail("Other transactions have locked it, or it came "
							 "in meanwhile."),
			 errhint("CALL dbvc.document_backfill() again.")));
}

static void
backfill(DbvcDrive *drive)
{
	dbvc_document_run_begin(&drive->run);
	dbvc_drive_commit(drive, false);
	dbvc_drive_all(drive);
	/* who sees some of the rows only cannot know of the others */
	if (!drive->stopped && drive->run.skipped == 0 &&
		check_enable_rls(drive->run.base, InvalidOid, true) != RLS_ENABLED)
		dbvc_document_settle(&drive->run);
	dbvc_document_run_end(&drive->run, drive->stopped ? "stopped" : "done",
						  NULL);
	dbvc_drive_commit(drive, false);
}

PG_FUNCTION_INFO_V1(dbvc_document_backfill);
Datum
dbvc_document_backfill(PG_FUNCTION_ARGS)
{
	DbvcDriveOptions options;
	DbvcDrive *drive;
	int64 numbers[3];

	dbvc_call_check(fcinfo, "document_backfill");
	check_rights(dbvc_call_adopted(fcinfo));
	dbvc_call_options(fcinfo, &options);
	options.max_errors =
		dbvc_call_number(fcinfo, 5, "max_errors", 0, INT_MAX, DBVC_MAX_ERRORS);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	drive = dbvc_drive_open(PG_GETARG_OID(0), DBVC_BACKFILL, &options);
	PG_TRY();
	{
		backfill(drive);
	}
	PG_FINALLY();
	{
		dbvc_drive_close(drive);
	}
	PG_END_TRY();
	warn_backfill(drive);
	numbers[0] = drive->run.done;
	numbers[1] = drive->run.errors;
	numbers[2] = drive->run.skipped;
	MemoryContextDelete(drive->context);
	SPI_finish();
	return dbvc_call_result(fcinfo, numbers, 3);
}
