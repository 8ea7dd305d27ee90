/*
 * items.c
 *		Writing the rows of items.
 *
 * There are two ways.  Where the executor would do nothing but put rows into
 * a table and its indexes, that is done here, for many items at once, as COPY
 * does it.  The foreign key need not be checked: the document's row has just
 * been written by this transaction, or is locked.  Where there is more to do
 * (row security, triggers, partitions, constraints, columns that are not
 * dbvc's), it is plain SQL.
 */
#include "document/runtime.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "util/errors.h"

#define SLOTS_MAX 1000

struct DbvcItemsWriter
{
	const DbvcAdopted *adopted;
	MemoryContext context;
	MemoryContext values; /* of the slots that are waiting */
	bool direct;
	AclMode allowed; /* on the table, found out so far */
	Relation items;
	EState *estate;
	ResultRelInfo *info;
	TupleTableSlot **slots;
	TupleTableSlot *old;
	int made;	 /* slots that exist, */
	int waiting; /* and that hold a row to be inserted */
	Size bytes;
	int64 written;
};

/* ------------------------------------------------------ which way to go */

static bool
only_our_triggers(Relation items)
{
	TriggerDesc *triggers = items->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgfoid != F_RI_FKEY_CHECK_INS &&
			trigger->tgfoid != F_RI_FKEY_CHECK_UPD &&
			strcmp(trigger->tgname, DBVC_ITEMS_TRIGGER) != 0)
			return false;
	}
	return true;
}

static bool
only_our_columns(const DbvcAdopted *adopted, Relation items)
{
	const TupleConstr *constraints = items->rd_att->constr;

	return items->rd_att->natts == adopted->nkeys + 8 &&
		   (constraints == NULL || (constraints->num_check == 0 &&
									!constraints->has_generated_stored));
}

static bool
only_plain_indexes(const ResultRelInfo *info)
{
	for (int i = 0; i < info->ri_NumIndices; i++)
	{
		if (!info->ri_IndexRelationDescs[i]->rd_index->indimmediate ||
			info->ri_IndexRelationInfo[i]->ii_ExclusionOps != NULL)
			return false;
	}
	return true;
}

/* One foreign key, to the base: another one would have to be checked. */
static bool
only_our_reference(const DbvcAdopted *adopted, Relation items)
{
	List *references = RelationGetFKeyList(items);
	ListCell *cell;

	foreach (cell, references)
	{
		if (((ForeignKeyCacheInfo *) lfirst(cell))->confrelid != adopted->base)
			return false;
	}
	return true;
}

static void
open_direct(DbvcItemsWriter *writer)
{
	const DbvcAdopted *adopted = writer->adopted;

	writer->items = table_open(adopted->items, RowExclusiveLock);
	writer->direct =
		writer->items->rd_rel->relkind == RELKIND_RELATION &&
		!writer->items->rd_rel->relispartition &&
		!writer->items->rd_rel->relhasrules &&
		check_enable_rls(adopted->items, InvalidOid, true) != RLS_ENABLED &&
		only_our_triggers(writer->items) &&
		only_our_columns(adopted, writer->items) &&
		only_our_reference(adopted, writer->items);
	if (!writer->direct)
		return;
	writer->estate = CreateExecutorState();
	writer->info = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->info, writer->items, 0, NULL, 0);
	ExecOpenIndices(writer->info, false);
	writer->direct = only_plain_indexes(writer->info);
	writer->slots = palloc0(sizeof(TupleTableSlot *) * SLOTS_MAX);
}

DbvcItemsWriter *
dbvc_items_open(const DbvcAdopted *adopted)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc items",
							  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	DbvcItemsWriter *writer = palloc0(sizeof(DbvcItemsWriter));

	writer->adopted = adopted;
	writer->context = context;
	writer->values = AllocSetContextCreate(context, "dbvc item values",
										   ALLOCSET_DEFAULT_SIZES);
	open_direct(writer);
	MemoryContextSwitchTo(old);
	return writer;
}

/* May it be done without the executor, which would ask for this right? */
static bool
is_direct(DbvcItemsWriter *writer, AclMode right)
{
	if (!writer->direct)
		return false;
	if ((writer->allowed & right) != 0)
		return true;
	/* rights on columns, and refusals, are the executor's affair */
	if (pg_class_aclcheck(writer->adopted->items, GetUserId(), right) !=
		ACLCHECK_OK)
		return false;
	if (right != ACL_INSERT)
		CheckCmdReplicaIdentity(writer->items,
								right == ACL_UPDATE ? CMD_UPDATE : CMD_DELETE);
	writer->allowed |= right;
	return true;
}

/* --------------------------------------------------------------- directly */

static void
flush(DbvcItemsWriter *writer)
{
	MemoryContext old;

	if (writer->waiting == 0)
		return;
	old = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->estate));
	table_multi_insert(writer->items, writer->slots, writer->waiting,
					   GetCurrentCommandId(true), 0, NULL);
	MemoryContextSwitchTo(writer->context);
	for (int i = 0; i < writer->waiting; i++)
	{
		CHECK_FOR_INTERRUPTS();
		list_free(dbvc_insert_index_tuples(writer->info, writer->slots[i],
										   writer->estate, false, false));
		ExecClearTuple(writer->slots[i]);
		ResetPerTupleExprContext(writer->estate);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(writer->values);
	writer->waiting = 0;
	writer->bytes = 0;
}

static void
fill_slot(const DbvcItemsWriter *writer, TupleTableSlot *slot,
		  const Datum *key, int part, const DbvcItem *item, int64 version,
		  TimestampTz created, bool deleted)
{
	const DbvcAdopted *adopted = writer->adopted;
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Datum *values = slot->tts_values;

	memset(slot->tts_isnull, false,
		   sizeof(bool) * slot->tts_tupleDescriptor->natts);
	for (int k = 0; k < adopted->nkeys; k++)
		values[adopted->key[k].items - 1] = key[k];
	values[adopted->items_type - 1] =
		CStringGetTextDatum(adopted->parts->part[part].type);
	values[adopted->items_id - 1] =
		PointerGetDatum(cstring_to_text_with_len(item->id, item->id_len));
	values[adopted->items_ord - 1] = Int64GetDatum(item->ord);
	values[adopted->items_data - 1] =
		JsonbPGetDatum(dbvc_value_jsonb(&item->value));
	values[adopted->items_version - 1] = Int64GetDatum(version);
	values[adopted->items_created - 1] = TimestampTzGetDatum(created);
	values[adopted->items_updated - 1] = TimestampTzGetDatum(now);
	values[adopted->items_deleted - 1] = TimestampTzGetDatum(now);
	slot->tts_isnull[adopted->items_deleted - 1] = !deleted;
	ExecStoreVirtualTuple(slot);
}

static void
insert_directly(DbvcItemsWriter *writer, const Datum *key, int part,
				const DbvcItem *item)
{
	MemoryContext old;
	TupleTableSlot *slot;

	if (writer->waiting == SLOTS_MAX || writer->bytes > dbvc_document_buffer())
		flush(writer);
	old = MemoryContextSwitchTo(writer->context);
	if (writer->waiting == writer->made)
		writer->slots[writer->made++] = table_slot_create(writer->items, NULL);
	slot = writer->slots[writer->waiting++];
	MemoryContextSwitchTo(writer->values);
	fill_slot(writer, slot, key, part, item, 1,
			  GetCurrentTransactionStartTimestamp(), false);
	MemoryContextSwitchTo(old);
	writer->bytes += item->value.len + 200;
}

/* The row as it is, for what of it stays. */
static void
fetch(DbvcItemsWriter *writer, DbvcItemRow *row, TimestampTz *created,
	  int64 *version)
{
	const DbvcAdopted *adopted = writer->adopted;
	bool isnull;

	if (writer->old == NULL)
		writer->old = table_slot_create(writer->items, NULL);
	if (!table_tuple_fetch_row_version(writer->items, &row->tid, SnapshotAny,
									   writer->old))
		elog(ERROR, "item is not where it was read");
	*created = DatumGetTimestampTz(
		slot_getattr(writer->old, adopted->items_created, &isnull));
	*version = DatumGetInt64(
		slot_getattr(writer->old, adopted->items_version, &isnull));
	ExecClearTuple(writer->old);
}

static void
update_directly(DbvcItemsWriter *writer, const Datum *key, int part,
				const DbvcItem *item, DbvcItemRow *row, bool deleted)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	TupleTableSlot *slot;
	TimestampTz created;
	int64 version;
	DbvcUpdateIndexes answer;

	flush(writer);
	fetch(writer, row, &created, &version);
	if (writer->made == 0)
		writer->slots[writer->made++] = table_slot_create(writer->items, NULL);
	slot = writer->slots[0];
	MemoryContextSwitchTo(writer->values);
	fill_slot(writer, slot, key, part, item, version + 1, created, deleted);
	simple_table_tuple_update(writer->items, &row->tid, slot,
							  GetActiveSnapshot(), &answer);
	if (dbvc_update_indexes_any(answer))
		list_free(
			dbvc_insert_index_tuples(writer->info, slot, writer->estate, true,
									 dbvc_update_indexes_summarizing(answer)));
	ExecClearTuple(slot);
	ResetPerTupleExprContext(writer->estate);
	MemoryContextReset(writer->values);
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------ by queries */

static const char *
key_columns(const DbvcAdopted *adopted)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int k = 0; k < adopted->nkeys; k++)
		appendStringInfo(&text, "%s, ",
						 quote_identifier(adopted->key[k].items_name));
	return text.data;
}

/* Parameters: those of the key, then type, item_id, ord, data, deleted_at. */
static SPIPlanPtr
prepare(const DbvcAdopted *adopted, const char *sql, int more)
{
	static const Oid rest[] = {TEXTOID, TEXTOID, INT8OID, JSONBOID,
							   TIMESTAMPTZOID};
	Oid types[DBVC_KEY_MAX + lengthof(rest)];

	for (int k = 0; k < adopted->nkeys; k++)
		types[k] = adopted->key[k].type;
	for (int i = 0; i < more; i++)
		types[adopted->nkeys + i] = rest[i];
	return dbvc_plan_prepare(sql, adopted->nkeys + more, types);
}

static const char *
item_where(const DbvcAdopted *adopted)
{
	return psprintf("%s AND i.type OPERATOR(pg_catalog.=) $%d AND i.item_id "
					"OPERATOR(pg_catalog.=) $%d",
					dbvc_adopted_items_where(adopted, "i", 1),
					adopted->nkeys + 1, adopted->nkeys + 2);
}

static SPIPlanPtr
insert_plan(const DbvcAdopted *adopted)
{
	DbvcRuntime *runtime = adopted->runtime;
	StringInfoData sql;

	if (runtime->items_insert != NULL)
		return runtime->items_insert;
	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "INSERT INTO %s (%stype, item_id, ord, data) VALUES (",
					 adopted->items_name, key_columns(adopted));
	for (int i = 1; i <= adopted->nkeys + 4; i++)
		appendStringInfo(&sql, "%s$%d", i == 1 ? "" : ", ", i);
	appendStringInfoChar(&sql, ')');
	return runtime->items_insert = prepare(adopted, sql.data, 4);
}

static SPIPlanPtr
update_plan(const DbvcAdopted *adopted)
{
	DbvcRuntime *runtime = adopted->runtime;
	int n = adopted->nkeys;

	if (runtime->items_update == NULL)
		runtime->items_update = prepare(
			adopted,
			psprintf("UPDATE %s AS i SET ord = $%d, data = $%d, version = "
					 "i.version OPERATOR(pg_catalog.+) 1, updated_at = "
					 "pg_catalog.now(), deleted_at = $%d WHERE %s",
					 adopted->items_name, n + 3, n + 4, n + 5,
					 item_where(adopted)),
			5);
	return runtime->items_update;
}

static SPIPlanPtr
delete_plan(const DbvcAdopted *adopted)
{
	DbvcRuntime *runtime = adopted->runtime;

	if (runtime->items_delete == NULL)
		runtime->items_delete =
			prepare(adopted,
					psprintf("DELETE FROM %s AS i WHERE %s",
							 adopted->items_name, item_where(adopted)),
					2);
	return runtime->items_delete;
}

static void
run_query(DbvcItemsWriter *writer, SPIPlanPtr plan, const Datum *key, int part,
		  const DbvcItem *item, bool deleted)
{
	const DbvcAdopted *adopted = writer->adopted;
	MemoryContext old;
	Datum values[DBVC_KEY_MAX + 5];
	char nulls[DBVC_KEY_MAX + 5];
	int n = adopted->nkeys;
	uint64 rows;

	/* rows that wait have their values in the same memory */
	flush(writer);
	old = MemoryContextSwitchTo(writer->values);
	memset(nulls, ' ', sizeof(nulls));
	memcpy(values, key, sizeof(Datum) * n);
	values[n] = CStringGetTextDatum(adopted->parts->part[part].type);
	values[n + 1] =
		PointerGetDatum(cstring_to_text_with_len(item->id, item->id_len));
	values[n + 2] = Int64GetDatum(item->ord);
	values[n + 3] = JsonbPGetDatum(dbvc_value_jsonb(&item->value));
	values[n + 4] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	nulls[n + 4] = deleted ? ' ' : 'n';
	rows = dbvc_write_run(plan, values, nulls, adopted->items, false, false);
	MemoryContextSwitchTo(old);
	MemoryContextReset(writer->values);
	/* row security hides it, or a trigger of the user's has skipped it */
	if (rows != 1)
		ereport(
			ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("item \"%.*s\" of type \"%s\" could not be written",
					item->id_len, item->id, adopted->parts->part[part].type),
			 errdetail("Document %s of %s; table %s.",
					   dbvc_adopted_key_text(adopted, key), adopted->name,
					   adopted->items_name),
			 errhint("Look at the table's policies, rules and triggers.")));
}

static bool
base_row_visible(const DbvcAdopted *adopted, Snapshot snapshot,
				 const Datum *key)
{
	DbvcRuntime *runtime = adopted->runtime;

	if (runtime->base_visible == NULL)
		runtime->base_visible =
			prepare(adopted,
					psprintf("SELECT 1 FROM %s AS b WHERE %s",
							 adopted->base_name,
							 dbvc_adopted_base_where(adopted, "b", 1)),
					0);
	return dbvc_read_run(runtime->base_visible, unconstify(Datum *, key),
						 adopted->base, snapshot) > 0;
}

void
dbvc_items_select(const DbvcAdopted *adopted, Snapshot snapshot,
				  const Datum *key, bool with_deleted, DbvcRows *rows)
{
	DbvcRuntime *runtime = adopted->runtime;
	MemoryContext context = CurrentMemoryContext;
	AttrNumber columns[] = {adopted->items_type,	adopted->items_id,
							adopted->items_ord,		adopted->items_data,
							adopted->items_version, adopted->items_deleted};
	Datum values[MaxHeapAttributeNumber];
	bool nulls[MaxHeapAttributeNumber];

	SPI_connect();
	if (runtime->items_select == NULL)
		runtime->items_select = prepare(
			adopted,
			psprintf("SELECT i.type, i.item_id, i.ord, i.data, i.version, "
					 "i.deleted_at, i.ctid FROM %s AS i WHERE %s",
					 adopted->items_name,
					 dbvc_adopted_items_where(adopted, "i", 1)),
			0);
	(void) dbvc_read_run(runtime->items_select, unconstify(Datum *, key),
						 adopted->items, snapshot);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple tuple = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		bool isnull;

		for (int c = 0; c < lengthof(columns); c++)
			values[columns[c] - 1] =
				SPI_getbinval(tuple, desc, c + 1, &nulls[columns[c] - 1]);
		MemoryContextSwitchTo(context);
		dbvc_rows_add(rows, adopted, values, nulls,
					  (ItemPointer) DatumGetPointer(
						  SPI_getbinval(tuple, desc, 7, &isnull)),
					  with_deleted);
	}
	/*
	 * No items, or not allowed to see them?  A cursor gives rows that its
	 * opener may see to somebody who may not: they must not look as if they
	 * had none.
	 */
	if (SPI_processed == 0 && !base_row_visible(adopted, snapshot, key))
		ereport(
			ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("items of a document of %s cannot be read", adopted->name),
			 errdetail("Row security of %s hides the document from \"%s\".",
					   adopted->base_name,
					   GetUserNameFromId(GetUserId(), false))));
	SPI_finish();
	MemoryContextSwitchTo(context);
}

void
dbvc_items_forget(const DbvcAdopted *adopted, const Datum *key)
{
	DbvcRuntime *runtime = adopted->runtime;
	MemoryContext context = CurrentMemoryContext;

	SPI_connect();
	if (runtime->items_forget == NULL)
		runtime->items_forget =
			prepare(adopted,
					psprintf("DELETE FROM %s AS i WHERE %s",
							 adopted->items_name,
							 dbvc_adopted_items_where(adopted, "i", 1)),
					0);
	dbvc_write_begin(adopted, DBVC_WRITE_WHOLE, false);
	(void) dbvc_write_run(runtime->items_forget, unconstify(Datum *, key),
						  NULL, adopted->items, false, false);
	dbvc_write_end();
	SPI_finish();
	MemoryContextSwitchTo(context);
}

/* ---------------------------------------------------------- what is called */

void
dbvc_items_insert(DbvcItemsWriter *writer, const Datum *key, int part,
				  const DbvcItem *item)
{
	writer->written++;
	if (is_direct(writer, ACL_INSERT))
		insert_directly(writer, key, part, item);
	else
		run_query(writer, insert_plan(writer->adopted), key, part, item,
				  false);
}

void
dbvc_items_update(DbvcItemsWriter *writer, const Datum *key, int part,
				  const DbvcItem *item, DbvcItemRow *row, bool deleted)
{
	writer->written++;
	if (is_direct(writer, ACL_UPDATE))
		update_directly(writer, key, part, item, row, deleted);
	else
		run_query(writer, update_plan(writer->adopted), key, part, item,
				  deleted);
}

void
dbvc_items_delete(DbvcItemsWriter *writer, const Datum *key, int part,
				  const DbvcItem *item, DbvcItemRow *row)
{
	writer->written++;
	if (is_direct(writer, ACL_DELETE))
		simple_table_tuple_delete(writer->items, &row->tid,
								  GetActiveSnapshot());
	else
		run_query(writer, delete_plan(writer->adopted), key, part, item,
				  false);
}

int64
dbvc_items_close(DbvcItemsWriter *writer)
{
	int64 written = writer->written;

	flush(writer);
	if (writer->estate != NULL)
	{
		for (int i = 0; i < writer->made; i++)
			ExecDropSingleTupleTableSlot(writer->slots[i]);
		if (writer->old != NULL)
			ExecDropSingleTupleTableSlot(writer->old);
		ExecCloseIndices(writer->info);
		FreeExecutorState(writer->estate);
	}
	table_close(writer->items, NoLock);
	MemoryContextDelete(writer->context);
	/* what comes next must see it */
	if (written > 0)
		CommandCounterIncrement();
	return written;
}
