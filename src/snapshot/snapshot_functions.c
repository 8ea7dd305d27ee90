/*
 * snapshot_functions.c
 *		The SQL functions of snapshots.
 */
#include "snapshot/snapshot.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "util/errors.h"
#include "util/util.h"

static bytea *
make_bytea(const void *bytes, Size len)
{
	bytea *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), bytes, len);
	return result;
}

PG_FUNCTION_INFO_V1(dbvc_definition_of);
Datum
dbvc_definition_of(PG_FUNCTION_ARGS)
{
	Oid classid = PG_GETARG_OID(0);
	Oid objid = PG_GETARG_OID(1);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	DbvcDefinition definition = {0};
	DbvcDefinitionScope scope;
	TupleDesc tupdesc;
	Datum values[4] = {0};
	bool nulls[4] = {true, true, true, true};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	dbvc_definition_enter(&scope);
	if (dbvc_define(dbvc_catalog_open(snapshot, false), classid, objid,
					&definition))
	{
		values[0] = CStringGetTextDatum(definition.type);
		values[1] = CStringGetTextDatum(definition.identity);
		values[2] =
			PointerGetDatum(make_bytea(definition.hash, DBVC_SHA256_LEN));
		values[3] = DirectFunctionCall1(
			jsonb_in,
			CStringGetDatum(pnstrdup(definition.body, definition.body_len)));
		memset(nulls, false, sizeof(nulls));
	}
	dbvc_definition_leave(&scope);
	UnregisterSnapshot(snapshot);
	PG_RETURN_DATUM(
		HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}
