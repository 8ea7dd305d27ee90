/*
 * backfill.c
 *		CALL dbvc.document_backfill() and CALL dbvc.document_release().
 */
#include "document/backfill.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rls.h"

#define DEFAULT_BATCH 1000
#define MAX_BATCH 100000
#define DEFAULT_LOCK_WAIT 10000
#define DEFAULT_MAX_ERRORS 10000

/* --------------------------------------------------------------- arguments */

static void
check_can_commit(FunctionCallInfo fcinfo, const char *name)
{
	CallContext *context = (CallContext *) fcinfo->context;

	if (context == NULL || !IsA(context, CallContext) || context->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("CALL dbvc.%s() cannot run inside a transaction",
						name),
				 errdetail("It commits after each batch of documents."),
				 errhint("Send CALL by itself, in autocommit mode.")));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("CALL dbvc.%s() needs isolation level READ COMMITTED",
						name),
				 errhint("SET default_transaction_isolation = 'read "
						 "committed'.")));
}

static int
number_argument(FunctionCallInfo fcinfo, int n, const char *name, int least,
				int most, int if_null)
{
	int value;

	if (PG_ARGISNULL(n))
		return if_null;
	value = PG_GETARG_INT32(n);
	if (value < least || value > most)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"%s\" must be between %d and %d",
							   name, least, most)));
	return value;
}

static const DbvcAdopted *
adopted_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"source\" must not be null")));
	return dbvc_adopted_get(PG_GETARG_OID(0), false);
}

static void
read_options(FunctionCallInfo fcinfo, DbvcDriveOptions *options)
{
	options->batch =
		number_argument(fcinfo, 1, "batch", 1, MAX_BATCH, DEFAULT_BATCH);
	options->max_seconds =
		number_argument(fcinfo, 2, "max_seconds", 1, INT_MAX / 1000, 0);
	options->pause = number_argument(fcinfo, 3, "pause", 0, INT_MAX, 0);
	options->lock_wait =
		number_argument(fcinfo, 4, "lock_wait", 0, INT_MAX, DEFAULT_LOCK_WAIT);
	options->max_errors = DEFAULT_MAX_ERRORS;
}

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

/* The values of the INOUT parameters, as CALL shows them. */
static Datum
result_row(FunctionCallInfo fcinfo, const int64 *numbers, int count)
{
	MemoryContext old = MemoryContextSwitchTo(PortalContext);
	TupleDesc desc;
	Datum values[3];
	bool nulls[3] = {false};
	HeapTuple tuple;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	for (int i = 0; i < count; i++)
		values[i] = Int64GetDatum(numbers[i]);
	tuple = heap_form_tuple(BlessTupleDesc(desc), values, nulls);
	MemoryContextSwitchTo(old);
	return HeapTupleGetDatum(tuple);
}

/* ---------------------------------------------------------------- backfill */

static void
warn_backfill(const DbvcDrive *drive)
{
	const DbvcDocumentRun *run = &drive->run;

	if (drive->duplicates > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " arrays have elements with the same id",
						drive->duplicates),
				 errdetail("Of each the second and later ones have a "
						   "generated id.")));
	if (run->errors > 0)
		ereport(WARNING,
				(errmsg(INT64_FORMAT " documents of %s were set aside",
						run->errors, run->face),
				 errhint("dbvc.document_error says why. They stay as they "
						 "are, and readable.")));
	if (drive->stopped)
		ereport(NOTICE, (errmsg("time is over, " INT64_FORMAT
								" documents of %s are left",
								run->skipped, run->face),
						 errhint("CALL dbvc.document_backfill() again.")));
	else if (run->skipped > 0)
		ereport(WARNING,
				(errmsg(INT64_FORMAT " documents of %s are left: other "
									 "transactions have locked them, or they "
									 "came in meanwhile",
						run->skipped, run->face),
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

	check_can_commit(fcinfo, "document_backfill");
	check_rights(adopted_argument(fcinfo));
	read_options(fcinfo, &options);
	options.max_errors = number_argument(fcinfo, 5, "max_errors", 0, INT_MAX,
										 DEFAULT_MAX_ERRORS);
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
	return result_row(fcinfo, numbers, 3);
}
