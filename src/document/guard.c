/*
 * guard.c
 *		Triggers on the base and the items: what only dbvc may write.
 *
 * They keep a document's row and its items in step.  A role that may write
 * both tables could otherwise tear them apart by accident: set an array in a
 * slim document, or delete an item without raising doc_version, on which
 * concurrent writers rely.  They hinder; replica mode passes them by.
 */
#include "document/doc_raw.h"
#include "document/runtime.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "util/errors.h"

/* What dbvc is writing, and at which depth of subtransactions it began to. */
typedef struct Writing
{
	DbvcWriteMode mode;
	int level;
} Writing;

static Writing *writing;
static int depth;
static int room;

static void
drop_levels(int level)
{
	while (depth > 0 && writing[depth - 1].level >= level)
		depth--;
}

static void
at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT ||
		event == XACT_EVENT_PREPARE)
		depth = 0;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId id,
					  SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		drop_levels(GetCurrentTransactionNestLevel());
}

static DbvcWriteMode
current_mode(void)
{
	return depth > 0 ? writing[depth - 1].mode : DBVC_WRITE_NONE;
}

DbvcWriteMode
dbvc_write_begin(DbvcWriteMode mode)
{
	DbvcWriteMode before = current_mode();

	if (room == 0)
	{
		RegisterXactCallback(at_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
		writing = MemoryContextAlloc(TopMemoryContext, sizeof(Writing) * 16);
		room = 16;
	}
	else if (depth == room)
	{
		writing = repalloc(writing, sizeof(Writing) * room * 2);
		room *= 2;
	}
	writing[depth].mode = mode;
	writing[depth].level = GetCurrentTransactionNestLevel();
	depth++;
	return before;
}

void
dbvc_write_end(DbvcWriteMode before)
{
	Assert(depth > 0);
	depth--;
	Assert(current_mode() == before);
}

/* ----------------------------------------------------------------- base */

static bool
find_part(const DbvcPart *part, Jsonb *document, DbvcValue *value)
{
	*value = dbvc_value_read(JsonbPGetDatum(document));
	for (int i = 0; i < part->depth; i++)
	{
		DbvcValue object = *value;

		if (!dbvc_raw_is_object(&object) ||
			!dbvc_raw_find(&object, &part->keys[i], value))
			return false;
	}
	return true;
}

/* What is at the parts' places in a slim document must stay as it is. */
static void
check_places(const DbvcAdopted *adopted, Jsonb *old, Jsonb *new)
{
	for (int p = 0; p < adopted->parts->count; p++)
	{
		const DbvcPart *part = &adopted->parts->part[p];
		DbvcValue before;
		DbvcValue after;
		bool was = old != NULL && find_part(part, old, &before);
		bool is = new != NULL &&find_part(part, new, &after);

		if (was == is && (!was || dbvc_value_same(&before, &after)))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("part \"%s\" of a split document cannot be written in "
						"%s",
						part->path, adopted->base_name),
				 errdetail("Its elements are rows of %s.",
						   adopted->items_name),
				 errhint("Write the whole document to %s, or use "
						 "dbvc.item_save() and dbvc.item_delete().",
						 adopted->name)));
	}
}

static Jsonb *
document_of(HeapTuple tuple, AttrNumber column, TupleDesc desc, Datum *raw)
{
	bool isnull;

	*raw = heap_getattr(tuple, column, desc, &isnull);
	return isnull ? NULL : DatumGetJsonbP(*raw);
}

static void
check_update(const DbvcAdopted *adopted, const TriggerData *trigger,
			 AttrNumber column)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	bool old_null;
	bool new_null;
	Datum old = heap_getattr(trigger->tg_trigtuple, column, desc, &old_null);
	Datum new = heap_getattr(trigger->tg_newtuple, column, desc, &new_null);

	/* not written: the same bytes, without looking behind a pointer to TOAST */
	if (old_null == new_null &&
		(old_null || datumIsEqual(old, new, false, -1)))
		return;
	check_places(adopted,
				 document_of(trigger->tg_trigtuple, column, desc, &old),
				 document_of(trigger->tg_newtuple, column, desc, &new));
}

/* A trigger on a partitioned base fires for its partitions. */
static Oid
root_of(Relation relation)
{
	List *ancestors;
	Oid root;

	if (!relation->rd_rel->relispartition)
		return RelationGetRelid(relation);
	ancestors = get_partition_ancestors(RelationGetRelid(relation));
	root = llast_oid(ancestors);
	list_free(ancestors);
	return root;
}

static AttrNumber
column_in(const TriggerData *trigger, const DbvcAdopted *adopted,
		  AttrNumber column)
{
	if (!trigger->tg_relation->rd_rel->relispartition)
		return column;
	return get_attnum(RelationGetRelid(trigger->tg_relation),
					  get_attname(adopted->base, column, false));
}

static void
check_called(FunctionCallInfo fcinfo, const char *name)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("%s() must be called as a trigger", name)));
}

/* BEFORE INSERT OR UPDATE ON base FOR EACH ROW */
PG_FUNCTION_INFO_V1(dbvc_document_base_trigger);
Datum
dbvc_document_base_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	DbvcWriteMode mode = current_mode();
	const DbvcAdopted *adopted;
	HeapTuple tuple;
	AttrNumber column;
	int64 version = 0;
	Datum value;
	bool isnull;

	check_called(fcinfo, "document_base_trigger");
	adopted = dbvc_adopted_get(root_of(trigger->tg_relation), false);
	column = column_in(trigger, adopted, adopted->base_version);
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		tuple = trigger->tg_trigtuple;
		/* a restore says what it was */
		if (mode == DBVC_WRITE_NONE)
			return PointerGetDatum(tuple);
		/* not 0 when an update moves it to another partition */
		version = DatumGetInt64(
			heap_getattr(tuple, column, RelationGetDescr(trigger->tg_relation),
						 &isnull));
		version = mode == DBVC_WRITE_SPLIT ? Max(version, 1) : 0;
	}
	else
	{
		tuple = trigger->tg_newtuple;
		version = DatumGetInt64(
			heap_getattr(trigger->tg_trigtuple, column,
						 RelationGetDescr(trigger->tg_relation), &isnull));
		if (mode == DBVC_WRITE_WHOLE)
			version = 0;
		else if (mode == DBVC_WRITE_SPLIT)
			version++;
		else if (version > 0)
		{
			check_update(adopted, trigger,
						 column_in(trigger, adopted, adopted->base_doc));
			version++;
		}
	}
	value = Int64GetDatum(version);
	isnull = false;
	return PointerGetDatum(
		heap_modify_tuple_by_cols(tuple,
								  RelationGetDescr(trigger->tg_relation), 1,
								  (int[]){column}, &value, &isnull));
}

/* ---------------------------------------------------------------- items */

/* BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON items FOR EACH STATEMENT */
PG_FUNCTION_INFO_V1(dbvc_document_items_trigger);
Datum
dbvc_document_items_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Oid items;
	const DbvcAdopted *adopted;

	check_called(fcinfo, "document_items_trigger");
	items = RelationGetRelid(trigger->tg_relation);
	/* dbvc, or a foreign key's action */
	if (current_mode() != DBVC_WRITE_NONE || InNoForceRLSOperation())
		return PointerGetDatum(NULL);
	/* a restore */
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) &&
		dbvc_owns_relation(items, GetUserId()))
		return PointerGetDatum(NULL);
	adopted = dbvc_adopted_get(root_of(trigger->tg_relation), false);
	/* together with the base: nothing is left that could be torn */
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		Relation base = RelationIdGetRelation(adopted->base);
		bool locked =
			base != NULL &&
			CheckRelationLockedByMe(base, AccessExclusiveLock, false);

		RelationClose(base);
		if (locked)
			return PointerGetDatum(NULL);
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("items cannot be written directly in %s",
					adopted->items_name),
			 errdetail("They are parts of the documents of %s, which count "
					   "their writes.",
					   adopted->name),
			 errhint("Use dbvc.item_save(), dbvc.item_delete() or the "
					 "documents themselves.")));
}
