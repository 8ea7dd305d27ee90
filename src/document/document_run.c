/*
 * document_run.c
 *		What is written down about backfills and releases.
 *
 * A run has a row in dbvc.document_run, which each of its batches brings up to
 * date in its own transaction: what the row says is what is committed.  Begin
 * and end are change events too.
 */
#include "document/backfill.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "ledger/ledger.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "tcop/utility.h"
#include "util/util.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/json.h"

/*
 * The lock's tag is that of a sub-object of the table, which no SQL command
 * locks.  It shows in pg_locks as locktype "object", objsubid 1; the view
 * dbvc.document_progress looks for it.
 */
#define DOCUMENT_LOCK_SUBID 1

static void
set_tag(LOCKTAG *tag, Oid base)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, RelationRelationId, base,
					   DOCUMENT_LOCK_SUBID);
}

void
dbvc_document_lock(const DbvcAdopted *adopted)
{
	LOCKTAG tag;

	PreventCommandIfReadOnly("a backfill or a release");
	set_tag(&tag, adopted->base);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("another session is converting or releasing %s",
						adopted->name),
				 errdetail("A table has one backfill or release at a time."),
				 errhint("dbvc.document_progress shows how far it is.")));
}

void
dbvc_document_unlock(Oid base)
{
	LOCKTAG tag;

	set_tag(&tag, base);
	if (LockHeldByMe(&tag, ExclusiveLock DBVC_LOCK_HELD_EXACTLY))
		(void) LockRelease(&tag, ExclusiveLock, true);
}

static const char *
operation_name(DbvcOperation operation)
{
	return operation == DBVC_BACKFILL ? "backfill" : "release";
}

/* {"table": "public.users", "run": 7, ...} */
static void
record_event(const DbvcDocumentRun *run, const char *what, const char *state,
			 const char *reason)
{
	const char *type =
		psprintf("document_%s_%s", operation_name(run->operation), what);
	DbvcEvent *event = dbvc_event_begin(type, run->role);
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfoString(&detail, "{\"table\": ");
	escape_json(&detail, run->face);
	appendStringInfo(&detail, ", \"run\": " INT64_FORMAT, run->id);
	if (state != NULL)
		appendStringInfo(&detail,
						 ", \"state\": \"%s\", \"documents\": " INT64_FORMAT
						 ", \"items\": " INT64_FORMAT
						 ", \"skipped\": " INT64_FORMAT
						 ", \"errors\": " INT64_FORMAT,
						 state, run->done, run->items, run->skipped,
						 run->errors);
	if (reason != NULL)
	{
		appendStringInfoString(&detail, ", \"reason\": ");
		escape_json(&detail, reason);
	}
	appendStringInfoChar(&detail, '}');
	dbvc_event_text(event, DBVC_EVENT_DETAIL, detail.data);
	(void) dbvc_event_append(event);
}

void
dbvc_document_run_begin(DbvcDocumentRun *run)
{
	/* who holds the lock knows that nobody else is at it */
	static DbvcQuery query = {
		"WITH lost AS (UPDATE dbvc.document_run SET state = 'interrupted' "
		"WHERE base = $1 AND state = 'running') "
		"INSERT INTO dbvc.document_run (base, source, operation, role, "
		"bytes_before) VALUES ($1, $2, $3, pg_catalog.pg_get_userbyid($4), "
		"pg_catalog.pg_table_size($1)) RETURNING id",
		4,
		{REGCLASSOID, TEXTOID, TEXTOID, OIDOID}};
	Datum values[4] = {ObjectIdGetDatum(run->base),
					   CStringGetTextDatum(run->face),
					   CStringGetTextDatum(operation_name(run->operation)),
					   ObjectIdGetDatum(run->role)};
	DbvcOwnerScope owner;

	dbvc_owner_enter(&owner);
	(void) dbvc_query_run(&query, values, NULL, false, 0);
	run->id = dbvc_row_int64(0, 1, 0);
	SPI_freetuptable(SPI_tuptable);
	record_event(run, "started", NULL, NULL);
	dbvc_owner_leave(&owner);
}

void
dbvc_document_run_total(DbvcDocumentRun *run, int64 total)
{
	static DbvcQuery query = {
		"UPDATE dbvc.document_run SET total = $2 WHERE id = $1",
		2,
		{INT8OID, INT8OID}};
	Datum values[2] = {Int64GetDatum(run->id), Int64GetDatum(total)};
	DbvcOwnerScope owner;

	run->total = total;
	dbvc_owner_enter(&owner);
	(void) dbvc_query_run(&query, values, NULL, false, 0);
	dbvc_owner_leave(&owner);
}

static void
update_run(const DbvcDocumentRun *run, const char *state, const char *reason)
{
	static DbvcQuery query = {
		"UPDATE dbvc.document_run SET state = $2, done = $3, items = $4, "
		"skipped = $5, errors = $6, reason = $7, "
		"updated_at = pg_catalog.clock_timestamp() WHERE id = $1",
		7,
		{INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID}};
	Datum values[7] = {Int64GetDatum(run->id),
					   CStringGetTextDatum(state),
					   Int64GetDatum(run->done),
					   Int64GetDatum(run->items),
					   Int64GetDatum(run->skipped),
					   Int64GetDatum(run->errors),
					   reason ? CStringGetTextDatum(reason) : (Datum) 0};

	(void) dbvc_query_run(&query, values, reason ? "       " : "      n",
						  false, 0);
}

void
dbvc_document_run_step(const DbvcDocumentRun *run)
{
	DbvcOwnerScope owner;

	dbvc_owner_enter(&owner);
	update_run(run, "running", NULL);
	dbvc_owner_leave(&owner);
}

void
dbvc_document_run_end(const DbvcDocumentRun *run, const char *state,
					  const char *reason)
{
	DbvcOwnerScope owner;

	dbvc_owner_enter(&owner);
	update_run(run, state, reason);
	record_event(run, "ended", state, reason);
	dbvc_owner_leave(&owner);
}

void
dbvc_document_set_aside(const DbvcDocumentRun *run, ArrayType *key,
						const ErrorData *error)
{
	static DbvcQuery query = {
		"WITH before AS (DELETE FROM dbvc.document_error WHERE base = $1 "
		"AND key = $2) INSERT INTO dbvc.document_error (base, key, "
		"operation, sqlstate, reason, run) VALUES ($1, $2, $3, $4, $5, $6)",
		6,
		{REGCLASSOID, TEXTARRAYOID, TEXTOID, TEXTOID, TEXTOID, INT8OID}};
	Datum values[6] = {ObjectIdGetDatum(run->base),
					   PointerGetDatum(key),
					   CStringGetTextDatum(operation_name(run->operation)),
					   CStringGetTextDatum(
						   unpack_sql_state(error->sqlerrcode)),
					   CStringGetTextDatum(error->message),
					   Int64GetDatum(run->id)};
	DbvcOwnerScope owner;

	dbvc_owner_enter(&owner);
	(void) dbvc_query_run(&query, values, NULL, false, 0);
	dbvc_owner_leave(&owner);
}

void
dbvc_document_settle(const DbvcDocumentRun *run)
{
	static DbvcQuery query = {
		"DELETE FROM dbvc.document_error WHERE base = $1 AND run <> $2",
		2,
		{REGCLASSOID, INT8OID}};
	Datum values[2] = {ObjectIdGetDatum(run->base), Int64GetDatum(run->id)};
	DbvcOwnerScope owner;

	dbvc_owner_enter(&owner);
	(void) dbvc_query_run(&query, values, NULL, false, 0);
	dbvc_owner_leave(&owner);
}

void
dbvc_document_set_state(const DbvcAdopted *adopted, const char *state)
{
	static DbvcQuery query = {
		"UPDATE dbvc.document SET state = $2 WHERE base = $1",
		2,
		{REGCLASSOID, TEXTOID}};
	Oid relations[3] = {adopted->base, adopted->face, adopted->items};
	Datum values[2] = {ObjectIdGetDatum(adopted->base),
					   CStringGetTextDatum(state)};
	DbvcOwnerScope owner;

	dbvc_owner_enter(&owner);
	if (dbvc_query_run(&query, values, NULL, false, 0) != 1)
		elog(ERROR, "adopted table %u is gone", relations[0]);
	dbvc_owner_leave(&owner);
	for (int i = 0; i < lengthof(relations); i++)
		CacheInvalidateRelcacheByRelid(relations[i]);
}
