/*
 * drive_query.c
 *		The queries of a backfill or a release on the base.
 */
#include "document/backfill.h"
#include "document/runtime.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "util/util.h"

typedef struct KeptPlan
{
	char *sql;
	SPIPlanPtr plan;
	MemoryContextCallback callback;
} KeptPlan;

static void
free_plan(void *arg)
{
	(void) SPI_freeplan(arg);
}

/* Plans are kept, so that they notice what happens to the table between two
 * batches; they go with the drive's memory. */
static SPIPlanPtr
keep_plan(DbvcDrive *drive, const char *sql, int nargs, const Oid *types)
{
	MemoryContext old = CurrentMemoryContext;
	KeptPlan *kept;
	ListCell *lc;

	foreach (lc, drive->plans)
	{
		kept = lfirst(lc);
		if (strcmp(kept->sql, sql) == 0)
			return kept->plan;
	}
	MemoryContextSwitchTo(drive->context);
	kept = palloc0(sizeof(KeptPlan));
	kept->sql = pstrdup(sql);
	kept->plan = SPI_prepare(sql, nargs, (Oid *) types);
	if (kept->plan == NULL || SPI_keepplan(kept->plan) != 0)
		elog(ERROR, "could not prepare \"%s\": %s", sql,
			 SPI_result_code_string(SPI_result));
	kept->callback.func = free_plan;
	kept->callback.arg = kept->plan;
	MemoryContextRegisterResetCallback(drive->context, &kept->callback);
	MemoryContextSwitchTo(drive->context);
	drive->plans = lappend(drive->plans, kept);
	MemoryContextSwitchTo(old);
	return kept->plan;
}

static void
set_off(const char *name)
{
	(void) set_config_option(name, "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

uint64
dbvc_drive_query(DbvcDrive *drive, const char *sql, int nargs,
				 const Oid *types, Datum *values, bool by_index)
{
	SPIPlanPtr plan = keep_plan(drive, sql, nargs, types);
	MemoryContext old = CurrentMemoryContext;
	int level = 0;
	int rc = 0;

	if (by_index)
	{
		level = NewGUCNestLevel();
		set_off("enable_seqscan");
		set_off("enable_bitmapscan");
		set_off("enable_sort");
	}
	if (dbvc_write_current() != NULL)
		(void) dbvc_write_run(plan, values, NULL, drive->batch.adopted->base,
							  true, false);
	else
		rc = SPI_execute_plan(plan, values, NULL, false, 0);
	/* SPI leaves its own behind, which lives as long as the CALL */
	MemoryContextSwitchTo(old);
	if (by_index)
		AtEOXact_GUC(false, level);
	if (rc < 0)
		elog(ERROR, "could not execute \"%s\": %s", sql,
			 SPI_result_code_string(rc));
	return SPI_processed;
}

char *
dbvc_drive_todo(const DbvcDrive *drive)
{
	return psprintf("b.%s OPERATOR(pg_catalog.%s) 0",
					drive->batch.version_name,
					drive->run.operation == DBVC_BACKFILL ? "=" : ">");
}

static int
add_key(const DbvcAdopted *adopted, const Datum *key, Oid *types,
		Datum *values)
{
	memcpy(values, key, adopted->nkeys * sizeof(Datum));
	return dbvc_keyset_types(adopted, types);
}

void
dbvc_drive_lock_rows(DbvcDrive *drive, const DbvcRange *range)
{
	const DbvcAdopted *adopted = drive->batch.adopted;
	Oid types[2 * DBVC_KEY_MAX + 1];
	Datum values[2 * DBVC_KEY_MAX + 1];
	StringInfoData sql;
	int n = 0;

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "SELECT %s, b.ctid, b.%s, b.%s FROM %s AS b WHERE %s",
					 dbvc_keyset_columns(adopted, "b", false),
					 quote_identifier(adopted->doc_name),
					 drive->batch.version_name, adopted->base_name,
					 dbvc_drive_todo(drive));
	if (range->at != NULL)
	{
		appendStringInfo(&sql, " AND %s",
						 dbvc_keyset_compare(adopted, "b", false,
											 BTEqualStrategyNumber, n + 1));
		n += add_key(adopted, range->at, types + n, values + n);
	}
	if (range->after != NULL)
	{
		appendStringInfo(&sql, " AND %s",
						 dbvc_keyset_compare(adopted, "b", false,
											 BTGreaterStrategyNumber, n + 1));
		n += add_key(adopted, range->after, types + n, values + n);
	}
	if (range->upto != NULL)
	{
		appendStringInfo(&sql, " AND %s",
						 dbvc_keyset_compare(adopted, "b", false,
											 BTLessEqualStrategyNumber,
											 n + 1));
		n += add_key(adopted, range->upto, types + n, values + n);
	}
	types[n] = INT8OID;
	values[n++] = Int64GetDatum(range->limit);
	appendStringInfo(&sql, " ORDER BY %s LIMIT $%d FOR NO KEY UPDATE OF b%s",
					 dbvc_keyset_columns(adopted, "b", false), n,
					 range->at != NULL ? "" : " SKIP LOCKED");
	drive->batch.found =
		(int) dbvc_drive_query(drive, sql.data, n, types, values, true);
}

bool
dbvc_drive_next(DbvcDrive *drive, HeapTuple tuple, TupleDesc desc)
{
	DbvcBatch *batch = &drive->batch;
	MemoryContext old = MemoryContextSwitchTo(drive->batch_context);
	Datum *key;

	if (batch->count == 0)
		batch->key = palloc(batch->found * sizeof(Datum *));
	key = dbvc_keyset_read(batch->adopted, tuple, desc);
	MemoryContextSwitchTo(old);
	batch->failed = batch->count;
	batch->key[batch->count++] = key;
	if (hash_get_num_entries(drive->failed) > 0)
	{
		uint64 hash = dbvc_keyset_hash(batch->adopted, key);

		return hash_search(drive->failed, &hash, HASH_FIND, NULL) == NULL;
	}
	return true;
}

/*
 * The trigger on the base says in doc_version what the row is.  Where it did
 * not run, because it is disabled or another one has come after it, a split
 * document would be taken for a whole one.
 */
static void
check_versions(DbvcDrive *drive)
{
	SPITupleTable *rows = SPI_tuptable;

	for (uint64 i = 0; i < rows->numvals; i++)
	{
		int64 version = dbvc_row_int64(i, 1, 0);

		if ((version > 0) == (drive->run.operation == DBVC_BACKFILL))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version of a document was not counted"),
				 errdetail("Trigger \"%s\" of %s has not run, or another one "
						   "has changed what it did.",
						   DBVC_BASE_TRIGGER, drive->batch.adopted->base_name),
				 errhint("Enable it; do not work with "
						 "session_replication_role = replica.")));
	}
	SPI_freetuptable(rows);
}

/*
 * One statement for all.  The rows are locked, so that they are still where
 * they were; and whatever the planner thinks of the table, it cannot do worse
 * than to read all of it, when that is less than to visit each row.
 */
static uint64
update_by_ctid(DbvcDrive *drive, int count, ItemPointerData *tids,
			   Datum *documents)
{
	const char *version = drive->batch.version_name;
	static const Oid types[2] = {TIDARRAYOID, JSONBARRAYOID};
	const DbvcAdopted *adopted = drive->batch.adopted;
	const char *doc = quote_identifier(adopted->doc_name);
	Datum *elements = palloc(count * sizeof(Datum));
	Datum values[2];

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(&tids[i]);
	values[0] = PointerGetDatum(construct_array(elements, count, TIDOID,
												sizeof(ItemPointerData), false,
												TYPALIGN_SHORT));
	if (documents == NULL)
		return dbvc_drive_query(
			drive,
			psprintf("UPDATE %s AS b SET %s = b.%s "
					 "FROM pg_catalog.unnest($1) AS u(tid) "
					 "WHERE b.ctid OPERATOR(pg_catalog.=) u.tid "
					 "RETURNING b.%s",
					 adopted->base_name, doc, doc, version),
			1, types, values, false);
	values[1] = PointerGetDatum(
		construct_array(documents, count, JSONBOID, -1, false, TYPALIGN_INT));
	return dbvc_drive_query(
		drive,
		psprintf("UPDATE %s AS b SET %s = u.doc "
				 "FROM ROWS FROM (pg_catalog.unnest($1), "
				 "pg_catalog.unnest($2)) AS u(tid, doc) "
				 "WHERE b.ctid OPERATOR(pg_catalog.=) u.tid "
				 "RETURNING b.%s",
				 adopted->base_name, doc, version),
		2, types, values, false);
}

/* In a partitioned table a ctid says nothing. */
static uint64
update_by_key(DbvcDrive *drive, int count, Datum **keys, Datum *documents)
{
	const DbvcAdopted *adopted = drive->batch.adopted;
	const char *doc = quote_identifier(adopted->doc_name);
	Oid types[DBVC_KEY_MAX + 1];
	Datum values[DBVC_KEY_MAX + 1];
	int n = dbvc_keyset_types(adopted, types);
	uint64 updated = 0;
	const char *sql =
		psprintf("UPDATE %s AS b SET %s = %s WHERE %s RETURNING b.%s",
				 adopted->base_name, doc,
				 documents ? psprintf("$%d", n + 1) : psprintf("b.%s", doc),
				 dbvc_keyset_compare(adopted, "b", false,
									 BTEqualStrategyNumber, 1),
				 drive->batch.version_name);

	types[n] = JSONBOID;
	for (int i = 0; i < count; i++)
	{
		memcpy(values, keys[i], n * sizeof(Datum));
		if (documents != NULL)
			values[n] = documents[i];
		updated += dbvc_drive_query(drive, sql, n + (documents != NULL), types,
									values, false);
		check_versions(drive);
	}
	return updated;
}

static void
update_rows(DbvcDrive *drive, int count, Datum **keys, ItemPointerData *tids,
			Datum *documents)
{
	uint64 updated;

	if (count == 0)
		return;
	if (drive->batch.adopted->partitioned)
		updated = update_by_key(drive, count, keys, documents);
	else
	{
		updated = update_by_ctid(drive, count, tids, documents);
		check_versions(drive);
	}
	if (updated != count)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("document was not updated"),
				 errdetail("A trigger or a rule on %s has kept it from that.",
						   drive->batch.adopted->base_name)));
}

void
dbvc_drive_update(DbvcDrive *drive, int count, Datum **keys,
				  ItemPointerData *tids, Datum *documents)
{
	/* a trigger of the user's may write another document than is given to it */
	if (documents == NULL ||
		!dbvc_adopted_get(drive->run.base, false)->runtime->before_update)
	{
		update_rows(drive, count, keys, tids, documents);
		return;
	}
	for (int i = 0; i < count; i++)
	{
		dbvc_write_slim(DatumGetJsonbP(documents[i]));
		update_rows(drive, 1, &keys[i], &tids[i], &documents[i]);
	}
	dbvc_write_slim(NULL);
}
