/*
 * document_call.c
 *		Arguments and results of CALL dbvc.document_backfill() and
 *		CALL dbvc.document_release().
 */
#include "document/backfill.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "utils/memutils.h"
#include "utils/portal.h"

#define DEFAULT_BATCH 1000
#define MAX_BATCH 100000
#define DEFAULT_LOCK_WAIT 10000

void
dbvc_call_check(FunctionCallInfo fcinfo, const char *name)
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

int
dbvc_call_number(FunctionCallInfo fcinfo, int n, const char *name, int least,
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

const DbvcAdopted *
dbvc_call_adopted(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"source\" must not be null")));
	return dbvc_adopted_get(PG_GETARG_OID(0), false);
}

void
dbvc_call_options(FunctionCallInfo fcinfo, DbvcDriveOptions *options)
{
	options->batch =
		dbvc_call_number(fcinfo, 1, "batch", 1, MAX_BATCH, DEFAULT_BATCH);
	options->max_seconds =
		dbvc_call_number(fcinfo, 2, "max_seconds", 1, INT_MAX / 1000, 0);
	options->pause = dbvc_call_number(fcinfo, 3, "pause", 0, INT_MAX, 0);
	options->lock_wait = dbvc_call_number(fcinfo, 4, "lock_wait", 0, INT_MAX,
										  DEFAULT_LOCK_WAIT);
	options->max_errors = DBVC_MAX_ERRORS;
}

/* The values of the INOUT parameters, as CALL shows them. */
Datum
dbvc_call_result(FunctionCallInfo fcinfo, const int64 *numbers, int count)
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
