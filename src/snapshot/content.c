/*
 * content.c
 *		Many rows of hash and content into a table, fast.
 *
 * A first snapshot of a large schema stores a row for each object.  INSERT
 * ... ON CONFLICT takes twice as long as the rows themselves, so that many
 * rows go past SQL, in the way in which COPY writes: many rows to a heap page
 * and to a WAL record.
 */
#include "snapshot/page.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "util/util.h"

/* Written at a time: so many rows, or so many bytes. */
#define BATCH_ROWS 1000
#define BATCH_BYTES (1024 * 1024)

struct DbvcContents
{
	DbvcContentTable table;
	MemoryContext context; /* of this */
	MemoryContext values;  /* of the rows that wait */
	int count;
	Size bytes;
	Datum hashes[BATCH_ROWS];
	Datum bodies[BATCH_ROWS];
	/* directly */
	Relation relation;
	EState *estate;
	ResultRelInfo *info;
	TupleTableSlot *slots[BATCH_ROWS]; /* made when needed */
};

static const char *const table_names[] = {"definition", "snapshot_page"};

/* Somebody may have added a column, a trigger: then SQL knows what to do. */
static bool
is_plain(Relation relation)
{
	const TupleConstr *constraints = RelationGetDescr(relation)->constr;
	const TriggerDesc *triggers = relation->trigdesc;

	return relation->rd_rel->relkind == RELKIND_RELATION &&
		   !relation->rd_rel->relispartition &&
		   !relation->rd_rel->relhasrules &&
		   !relation->rd_rel->relrowsecurity &&
		   RelationGetDescr(relation)->natts == 2 &&
		   (constraints == NULL || constraints->num_check == 0) &&
		   (triggers == NULL || (!triggers->trig_insert_before_row &&
								 !triggers->trig_insert_after_row &&
								 !triggers->trig_insert_before_statement &&
								 !triggers->trig_insert_after_statement));
}

static void
open_table(DbvcContents *contents)
{
	Oid schema = get_namespace_oid("dbvc", false);
	Relation relation =
		table_open(get_relname_relid(table_names[contents->table], schema),
				   RowExclusiveLock);

	if (!is_plain(relation))
	{
		table_close(relation, NoLock);
		return;
	}
	contents->relation = relation;
	contents->estate = CreateExecutorState();
	contents->info = makeNode(ResultRelInfo);
	InitResultRelInfo(contents->info, relation, 0, NULL, 0);
	ExecOpenIndices(contents->info, false);
}

DbvcContents *
dbvc_contents_begin(DbvcContentTable table, bool direct)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc contents",
							  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	DbvcContents *contents = palloc0(sizeof(DbvcContents));

	contents->table = table;
	contents->context = context;
	contents->values = AllocSetContextCreate(context, "dbvc content values",
											 ALLOCSET_DEFAULT_SIZES);
	if (direct)
		open_table(contents);
	MemoryContextSwitchTo(old);
	return contents;
}

MemoryContext
dbvc_contents_context(DbvcContents *contents)
{
	return contents->values;
}

static void
write_by_sql(DbvcContents *contents)
{
	static DbvcQuery insert[] = {
		{"INSERT INTO dbvc.definition (hash, body) SELECT u.hash, u.body "
		 "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) "
		 "u (hash, body) ON CONFLICT DO NOTHING",
		 2,
		 {BYTEAARRAYOID, TEXTARRAYOID}},
		{"INSERT INTO dbvc.snapshot_page (hash, body) SELECT u.hash, u.body "
		 "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) "
		 "u (hash, body) ON CONFLICT DO NOTHING",
		 2,
		 {BYTEAARRAYOID, BYTEAARRAYOID}}};
	Oid type = contents->table == DBVC_DEFINITIONS ? TEXTOID : BYTEAOID;
	Datum values[2];

	values[0] =
		PointerGetDatum(construct_array(contents->hashes, contents->count,
										BYTEAOID, -1, false, TYPALIGN_INT));
	values[1] =
		PointerGetDatum(construct_array(contents->bodies, contents->count,
										type, -1, false, TYPALIGN_INT));
	(void) dbvc_query_run(&insert[contents->table], values, NULL, false, 0);
}

/* Heap first, then indexes, as COPY does. */
static void
write_directly(DbvcContents *contents)
{
	for (int i = 0; i < contents->count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(contents->context);
		TupleTableSlot *slot;

		if (contents->slots[i] == NULL)
			contents->slots[i] = table_slot_create(contents->relation, NULL);
		MemoryContextSwitchTo(old);
		slot = contents->slots[i];
		slot->tts_values[0] = contents->hashes[i];
		slot->tts_values[1] = contents->bodies[i];
		slot->tts_isnull[0] = slot->tts_isnull[1] = false;
		ExecStoreVirtualTuple(slot);
	}
	table_multi_insert(contents->relation, contents->slots, contents->count,
					   GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < contents->count; i++)
	{
		list_free(dbvc_insert_index_tuples(contents->info, contents->slots[i],
										   contents->estate, false, false));
		ExecClearTuple(contents->slots[i]);
		ResetPerTupleExprContext(contents->estate);
	}
}

static void
flush(DbvcContents *contents)
{
	MemoryContext old = MemoryContextSwitchTo(contents->values);

	CHECK_FOR_INTERRUPTS();
	if (contents->count > 0)
	{
		if (contents->relation != NULL)
			write_directly(contents);
		else
			write_by_sql(contents);
	}
	contents->count = 0;
	contents->bytes = 0;
	MemoryContextSwitchTo(old);
	MemoryContextReset(contents->values);
}

void
dbvc_contents_add(DbvcContents *contents, Datum hash, Datum body)
{
	contents->hashes[contents->count] = hash;
	contents->bodies[contents->count++] = body;
	contents->bytes += VARSIZE_ANY(DatumGetPointer(body));
	if (contents->count == BATCH_ROWS || contents->bytes >= BATCH_BYTES)
		flush(contents);
}

void
dbvc_contents_end(DbvcContents *contents)
{
	flush(contents);
	if (contents->relation != NULL)
	{
		ExecCloseIndices(contents->info);
		for (int i = 0; i < BATCH_ROWS && contents->slots[i] != NULL; i++)
			ExecDropSingleTupleTableSlot(contents->slots[i]);
		FreeExecutorState(contents->estate);
		table_close(contents->relation, NoLock);
		CommandCounterIncrement();
	}
	MemoryContextDelete(contents->context);
}
