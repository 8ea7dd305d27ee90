/*
 * guard.c
 *		Triggers on the base and the items: what only dbvc may write.
 *
 * They keep a document's row and its items in step.  A role that may write
 * both tables could otherwise tear them apart by accident: set an array in a
 * slim document, or delete an item without raising doc_version, on which
 * concurrent writers rely.  See write.c for how they know what dbvc writes.
 */
#include "document/doc_raw.h"
#include "document/runtime.h"

#include "access/htup_details.h"
#include "access/table.h"
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

/* More writes than there will be, and no overflow after it. */
#define DBVC_VERSION_MAX (PG_INT64_MAX / 2)

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

DBVC_NORETURN static void
refuse_part(const DbvcAdopted *adopted, const DbvcPart *part)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		 errmsg("part \"%s\" of a split document cannot be written in %s",
				part->path, adopted->base_name),
		 errdetail("Its elements are rows of %s.", adopted->items_name),
		 errhint("Write the whole document to %s, or use dbvc.item_save() and "
				 "dbvc.item_delete().",
				 adopted->name)));
}

/* The same at the places of parts in both? */
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

		if (was != is || (was && !dbvc_value_same(&before, &after)))
			refuse_part(adopted, part);
	}
}

static Jsonb *
document_of(HeapTuple tuple, AttrNumber column, TupleDesc desc)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : DatumGetJsonbP(value);
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

DBVC_NORETURN static void
refuse_call(const char *name, const char *when, const char *each)
{
	ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					errmsg("%s() must be a trigger %s FOR EACH %s", name, when,
						   each)));
}

/* What a row that is written here is about. */
typedef struct Guarded
{
	const DbvcAdopted *adopted;
	const TriggerData *trigger;
	TupleDesc desc;
	HeapTuple tuple; /* as it is to be */
	AttrNumber version_column;
	AttrNumber document_column;
	DbvcWriting *writing; /* NULL: somebody else writes */
} Guarded;

static int64
version_of(const Guarded *row, HeapTuple tuple)
{
	bool isnull;

	return DatumGetInt64(
		heap_getattr(tuple, row->version_column, row->desc, &isnull));
}

static bool
document_changes(const Guarded *row)
{
	bool old_null;
	bool new_null;
	Datum old = heap_getattr(row->trigger->tg_trigtuple, row->document_column,
							 row->desc, &old_null);
	Datum new =
		heap_getattr(row->tuple, row->document_column, row->desc, &new_null);

	/* the same bytes, without looking behind a pointer to TOAST */
	return old_null != new_null ||
		   (!old_null && !datumIsEqual(old, new, false, -1));
}

/* A split document has no elements at the places of its parts. */
static void
check_split(const Guarded *row)
{
	Jsonb *document = document_of(row->tuple, row->document_column, row->desc);
	const DbvcParts *parts = row->adopted->parts;

	for (int p = 0; document != NULL && p < parts->count; p++)
	{
		DbvcValue value;

		if (find_part(&parts->part[p], document, &value) &&
			dbvc_raw_is_array(&value) && dbvc_raw_count(&value) > 0)
			refuse_part(row->adopted, &parts->part[p]);
	}
}

/* What is at the places of parts is what was there. */
static void
check_kept(const Guarded *row)
{
	if (document_changes(row))
		check_places(row->adopted,
					 document_of(row->trigger->tg_trigtuple,
								 row->document_column, row->desc),
					 document_of(row->tuple, row->document_column, row->desc));
}

static void
check_written(const Guarded *row)
{
	if (row->writing->slim == NULL)
		check_split(row);
	else
		check_places(row->adopted, row->writing->slim,
					 document_of(row->tuple, row->document_column, row->desc));
}

static void
note_key(const Guarded *row)
{
	const DbvcAdopted *adopted = row->adopted;
	MemoryContext old = MemoryContextSwitchTo(row->writing->context);

	for (int k = 0; k < adopted->nkeys; k++)
	{
		const DbvcKeyColumn *key = &adopted->key[k];
		bool isnull;
		Datum value = heap_getattr(row->tuple,
								   column_in(row->trigger, adopted, key->base),
								   row->desc, &isnull);

		row->writing->key[k] =
			isnull ? (Datum) 0 : datumCopy(value, key->typbyval, key->typlen);
	}
	MemoryContextSwitchTo(old);
}

static int64
version_inserted(const Guarded *row)
{
	int64 given = version_of(row, row->tuple);

	if (row->writing == NULL)
	{
		/* a restore says what it was; what is impossible it cannot have been */
		if (given < 0 || given > DBVC_VERSION_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" cannot be " INT64_FORMAT,
							DBVC_BASE_VERSION, given),
					 errhint("Leave it out: 0 stands for a document that is "
							 "whole.")));
		if (given > 0)
			check_split(row);
		return given;
	}
	note_key(row);
	switch (row->writing->mode)
	{
		case DBVC_WRITE_WHOLE:
			return 0;
		case DBVC_WRITE_SPLIT:
			check_written(row);
			/* an update that moves the row to another partition has one */
			return Max(given, 1);
		case DBVC_WRITE_BUMP:
			break;
	}
	return given;
}

/*
 * Replication applies what somebody else has written.  If doc_version comes
 * with it, that is a split document, and its items come too.  Otherwise the
 * other side has a plain table, and the document is whole.
 */
static int64
version_applied(const Guarded *row, int64 old)
{
	int64 given = version_of(row, row->tuple);
	Datum key[DBVC_KEY_MAX];
	bool isnull;

	if (given != old || old == 0 || !document_changes(row))
		return given;
	for (int k = 0; k < row->adopted->nkeys; k++)
		key[k] = heap_getattr(row->trigger->tg_trigtuple,
							  column_in(row->trigger, row->adopted,
										row->adopted->key[k].base),
							  row->desc, &isnull);
	dbvc_items_forget(row->adopted, key);
	return 0;
}

static int64
version_updated(const Guarded *row)
{
	int64 old = version_of(row, row->trigger->tg_trigtuple);

	if (row->writing == NULL)
	{
		if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
			return version_applied(row, old);
		if (old == 0)
			return 0;
		check_kept(row);
		return old + 1;
	}
	note_key(row);
	switch (row->writing->mode)
	{
		case DBVC_WRITE_WHOLE:
			if (row->writing->slim != NULL)
				check_written(row);
			return 0;
		case DBVC_WRITE_SPLIT:
			check_written(row);
			break;
		case DBVC_WRITE_BUMP:
			if (old == 0)
				return 0;
			check_kept(row);
			break;
	}
	return old + 1;
}

/* BEFORE INSERT OR UPDATE ON base FOR EACH ROW, always */
PG_FUNCTION_INFO_V1(dbvc_document_base_trigger);
Datum
dbvc_document_base_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Guarded row = {0};
	bool insert;
	Datum value;
	bool isnull = false;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		refuse_call("document_base_trigger", "BEFORE INSERT OR UPDATE", "ROW");
	insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	row.trigger = trigger;
	row.desc = RelationGetDescr(trigger->tg_relation);
	row.tuple = insert ? trigger->tg_trigtuple : trigger->tg_newtuple;
	/* a restore may come to the base before it comes to dbvc.document */
	row.adopted = dbvc_adopted_get(root_of(trigger->tg_relation), insert);
	if (row.adopted == NULL)
		return PointerGetDatum(row.tuple);
	row.writing = dbvc_write_of(row.adopted->base, InvalidOid);
	if (row.writing != NULL)
		row.writing->fired++;
	row.version_column =
		column_in(trigger, row.adopted, row.adopted->base_version);
	row.document_column =
		column_in(trigger, row.adopted, row.adopted->base_doc);
	value =
		Int64GetDatum(insert ? version_inserted(&row) : version_updated(&row));
	return PointerGetDatum(heap_modify_tuple_by_cols(
		row.tuple, row.desc, 1, (int[]){row.version_column}, &value, &isnull));
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

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		refuse_call("document_items_trigger", "BEFORE", "STATEMENT");
	items = RelationGetRelid(trigger->tg_relation);
	/* dbvc, or the action of the items' own foreign key, which acts as owner */
	if (dbvc_write_of(InvalidOid, items) != NULL ||
		(InNoForceRLSOperation() &&
		 trigger->tg_relation->rd_rel->relowner == GetUserId()))
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
		bool locked = false;

		if (base != NULL)
		{
			locked = CheckRelationLockedByMe(base, AccessExclusiveLock, false);
			RelationClose(base);
		}
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
