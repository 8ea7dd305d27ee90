/*
 * reader.c
 *		The items of one document after the other.
 *
 * Items are read through the primary key, whose first columns are those of the
 * document's key, and put in order here: one descent for a document, however
 * many parts it has.  Documents that come in the order of their keys need not
 * even that: the scan goes on where it stands.
 *
 * An open scan has pins, references and a snapshot.  A function does not learn
 * when its query ends, so they belong to a resource owner of the reader's own,
 * which is released when the query's memory is freed, or at the end of the
 * (sub)transaction, whichever comes first.  Closing early does no harm: the
 * next read opens it again.
 */
#include "document/runtime.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "util/errors.h"

/* Misses that are forgiven before a reader stops to guess at the next key. */
#define CREDIT 4

struct DbvcReader
{
	dlist_node node; /* in "readers" while an owner exists */
	const DbvcAdopted *adopted;
	MemoryContext context;
	MemoryContextCallback callback;
	ResourceOwner owner;
	int level; /* of subtransactions, when it was made */
	Snapshot snapshot;
	Oid user;
	bool spi; /* row security, or no plain table */

	Relation items;
	Relation index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	FmgrInfo *compare; /* of the first column of the key */
	RegProcedure equal[DBVC_KEY_MAX];
	RegProcedure from; /* "greater or equal" of the first column */
	bool onward;	   /* the scan goes on behind the document's items */
	bool waiting;	   /* and the slot has a row that was not used yet */
	int credit;
	Datum previous; /* first column of the key that was read last */
	bool has_previous;

	ItemPointerData *tids;
	int tids_room;
	DbvcRows rows;
	bool noted;
	Datum key[DBVC_KEY_MAX];
	int64 version;
	TransactionId xmin;
};

static dlist_head readers = DLIST_STATIC_INIT(readers);
/* Closing one releases an owner, which calls close_all(). */
static bool closing = false;

/* ------------------------------------------------------ opening, closing */

/* Works in every state of the transaction: no catalogs, no memory is taken. */
static void
reader_close(DbvcReader *reader)
{
	ResourceOwner owner = reader->owner;

	if (owner == NULL)
		return;
	dlist_delete(&reader->node);
	reader->owner = NULL;
	reader->scan = NULL;
	reader->slot = NULL;
	reader->snapshot = NULL;
	reader->noted = false;
	reader->adopted = NULL;
	closing = true;
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_AFTER_LOCKS, false, false);
	ResourceOwnerDelete(owner);
	closing = false;
}

static void
reader_free(void *arg)
{
	reader_close(arg);
	dbvc_rows_drop(&((DbvcReader *) arg)->rows);
}

/*
 * The end of a transaction, or the failure of a part of it and of what was
 * opened there.
 */
static void
close_all(ResourceReleasePhase phase, bool commit, bool top, void *arg)
{
	int level = GetCurrentTransactionNestLevel();
	dlist_mutable_iter iter;

	if (phase != RESOURCE_RELEASE_BEFORE_LOCKS || closing || (commit && !top))
		return;
	dlist_foreach_modify (iter, &readers)
	{
		DbvcReader *reader = dlist_container(DbvcReader, node, iter.cur);

		if (top || reader->level >= level)
			reader_close(reader);
	}
}

DbvcReader *
dbvc_reader_make(MemoryContext context)
{
	static bool registered = false;
	DbvcReader *reader = MemoryContextAllocZero(context, sizeof(DbvcReader));

	if (!registered)
	{
		RegisterResourceReleaseCallback(close_all, NULL);
		registered = true;
	}
	reader->context =
		AllocSetContextCreate(context, "dbvc reader", ALLOCSET_DEFAULT_SIZES);
	reader->callback.func = reader_free;
	reader->callback.arg = reader;
	/* on this one: that of the reader is reset between queries */
	MemoryContextRegisterResetCallback(context, &reader->callback);
	return reader;
}

/* A reader that is fit for this table, snapshot and user. */
void
dbvc_reader_attach(DbvcReader *reader, const DbvcAdopted *adopted,
				   Snapshot snapshot)
{
	if (likely(reader->owner != NULL && reader->adopted == adopted &&
			   reader->snapshot == snapshot && reader->user == GetUserId()))
		return;
	reader_close(reader);
	dbvc_rows_drop(&reader->rows);
	MemoryContextReset(reader->context);
	memset(reader->key, 0, sizeof(reader->key));
	reader->has_previous = false;
	reader->credit = CREDIT;
	reader->adopted = adopted;
	reader->user = GetUserId();
	reader->spi = false;
	reader->tids = NULL;
	reader->tids_room = 0;
	reader->level = GetCurrentTransactionNestLevel();
	reader->owner = ResourceOwnerCreate(NULL, "dbvc reader");
	dlist_push_head(&readers, &reader->node);
	reader->snapshot = RegisterSnapshotOnOwner(snapshot, reader->owner);
}

/* May the rows be read without asking the executor? */
static bool
may_scan(const DbvcAdopted *adopted)
{
	return get_rel_relkind(adopted->items) == RELKIND_RELATION &&
		   pg_class_aclcheck(adopted->items, GetUserId(), ACL_SELECT) ==
			   ACLCHECK_OK &&
		   check_enable_rls(adopted->items, InvalidOid, true) != RLS_ENABLED;
}

static void
open_scan(DbvcReader *reader)
{
	const DbvcAdopted *adopted = reader->adopted;
	MemoryContext old;
	ResourceOwner owner = CurrentResourceOwner;

	/* locks are the transaction's, not ours */
	LockRelationOid(adopted->items, AccessShareLock);
	reader->spi = !may_scan(adopted);
	if (reader->spi)
		return;
	old = MemoryContextSwitchTo(reader->context);
	CurrentResourceOwner = reader->owner;
	reader->items = table_open(adopted->items, NoLock);
	/* another one by now, perhaps */
	list_free(RelationGetIndexList(reader->items));
	CurrentResourceOwner = owner;
	LockRelationOid(reader->items->rd_pkindex, AccessShareLock);
	CurrentResourceOwner = reader->owner;
	reader->index = index_open(reader->items->rd_pkindex, NoLock);
	for (int k = 0; k < adopted->nkeys; k++)
	{
		Oid family = reader->index->rd_opfamily[k];
		Oid type = reader->index->rd_opcintype[k];

		reader->equal[k] = get_opcode(
			get_opfamily_member(family, type, type, BTEqualStrategyNumber));
		if (k == 0)
			reader->from =
				get_opcode(get_opfamily_member(family, type, type,
											   BTGreaterEqualStrategyNumber));
	}
	reader->compare = index_getprocinfo(reader->index, 1, BTORDER_PROC);
	reader->slot = table_slot_create(reader->items, NULL);
	reader->scan = dbvc_index_beginscan(reader->items, reader->index,
										reader->snapshot, adopted->nkeys);
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(old);
}

/* ----------------------------------------------------------- the scan */

static void
start_at(DbvcReader *reader, const Datum *key, bool onward)
{
	ScanKeyData keys[DBVC_KEY_MAX];
	int nkeys = reader->adopted->nkeys;

	for (int k = 0; k < nkeys; k++)
		ScanKeyEntryInitialize(&keys[k], 0, k + 1,
							   onward ? BTGreaterEqualStrategyNumber
									  : BTEqualStrategyNumber,
							   InvalidOid, reader->index->rd_indcollation[k],
							   onward ? reader->from : reader->equal[k],
							   key[k]);
	index_rescan(reader->scan, keys, nkeys, NULL, 0);
	reader->onward = onward;
	reader->waiting = false;
}

/* The first column of the key of the row in the slot, beside the one wanted. */
static int
row_compare(DbvcReader *reader, Datum key)
{
	bool isnull;
	Datum value =
		slot_getattr(reader->slot, reader->adopted->key[0].items, &isnull);

	return DatumGetInt32(FunctionCall2Coll(reader->compare,
										   reader->index->rd_indcollation[0],
										   value, key));
}

/*
 * Does the scan stand where the document's items begin?  If it stands behind
 * them, it has none, when the scan has come from before them.
 */
static bool
stands_at(DbvcReader *reader, Datum key, bool *none)
{
	*none = false;
	if (!reader->onward || !reader->waiting || !reader->has_previous)
		return false;
	/* no way to say whether it was passed when keys do not ascend */
	if (DatumGetInt32(FunctionCall2Coll(reader->compare,
										reader->index->rd_indcollation[0],
										reader->previous, key)) >= 0)
		return false;
	{
		int order = row_compare(reader, key);

		*none = order > 0;
		return order >= 0;
	}
}

static void
take_row(DbvcReader *reader, bool with_deleted)
{
	TupleTableSlot *slot = reader->slot;

	slot_getallattrs(slot);
	dbvc_rows_add(&reader->rows, reader->adopted, slot->tts_values,
				  slot->tts_isnull, &slot->tts_tid, with_deleted);
}

/* The rows from where the scan stands, up to the first of another document. */
static void
scan_onward(DbvcReader *reader, Datum key, bool with_deleted)
{
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!reader->waiting &&
			!index_getnext_slot(reader->scan, ForwardScanDirection,
								reader->slot))
			break;
		reader->waiting = row_compare(reader, key) != 0;
		if (reader->waiting)
			return;
		take_row(reader, with_deleted);
	}
	reader->onward = false;
}

static int
compare_tids(const void *a, const void *b)
{
	return ItemPointerCompare((ItemPointer) a, (ItemPointer) b);
}

/*
 * The rows of one document, from its entries.  Those come in the order of the
 * items' ids; the rows are fetched in the order in which they lie, so that a
 * page is looked up once, not once for each of its rows.
 */
static void
scan_one(DbvcReader *reader, bool with_deleted)
{
	IndexScanDesc scan = reader->scan;
	ItemPointerData *tids = reader->tids;
	ItemPointer tid;
	int count = 0;

	while ((tid = index_getnext_tid(scan, ForwardScanDirection)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (count == reader->tids_room)
		{
			reader->tids_room = Max(64, reader->tids_room * 2);
			tids = reader->tids =
				tids == NULL
					? palloc(sizeof(ItemPointerData) * reader->tids_room)
					: repalloc_huge(tids, sizeof(ItemPointerData) *
											  reader->tids_room);
		}
		tids[count++] = *tid;
	}
	if (count > 1)
		qsort(tids, count, sizeof(ItemPointerData), compare_tids);
	for (int i = 0; i < count; i++)
	{
		bool again = false;
		bool dead = false;

		CHECK_FOR_INTERRUPTS();
		if (table_index_fetch_tuple(scan->xs_heapfetch, &tids[i],
									reader->snapshot, reader->slot, &again,
									&dead))
			take_row(reader, with_deleted);
	}
}

static void
scan_rows(DbvcReader *reader, const Datum *key, bool with_deleted)
{
	bool single = reader->adopted->nkeys == 1;
	bool none = false;

	if (single && stands_at(reader, key[0], &none))
	{
		reader->credit = CREDIT;
		if (!none)
			scan_onward(reader, key[0], with_deleted);
	}
	else if (single && reader->has_previous && reader->credit > 0)
	{
		reader->credit--;
		start_at(reader, key, true);
		scan_onward(reader, key[0], with_deleted);
	}
	else
	{
		start_at(reader, key, false);
		scan_one(reader, with_deleted);
	}
}

static void
keep_previous(DbvcReader *reader, Datum key)
{
	const DbvcKeyColumn *column = &reader->adopted->key[0];

	if (reader->has_previous && !column->typbyval)
		pfree(DatumGetPointer(reader->previous));
	reader->has_previous = false;
	reader->previous = datumCopy(key, column->typbyval, column->typlen);
	reader->has_previous = true;
}

const DbvcRows *
dbvc_reader_read(DbvcReader *reader, const DbvcAdopted *adopted,
				 Snapshot snapshot, const Datum *key, bool with_deleted)
{
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext old;
	DbvcRows *rows = &reader->rows;

	dbvc_reader_attach(reader, adopted, snapshot);
	if (reader->scan == NULL && !reader->spi)
		open_scan(reader);
	reader->noted = false;
	old = MemoryContextSwitchTo(reader->context);
	dbvc_rows_start(rows);
	if (reader->spi)
		dbvc_items_select(adopted, reader->snapshot, key, with_deleted, rows);
	else
	{
		CurrentResourceOwner = reader->owner;
		scan_rows(reader, key, with_deleted);
		if (!reader->waiting)
			ExecClearTuple(reader->slot);
		CurrentResourceOwner = owner;
		keep_previous(reader, key[0]);
	}
	dbvc_rows_finish(rows);
	MemoryContextSwitchTo(old);
	return rows;
}

/* ----------------------------------------------------- what was read last */

void
dbvc_reader_note(DbvcReader *reader, const Datum *key, int64 version,
				 TransactionId xmin)
{
	const DbvcAdopted *adopted = reader->adopted;
	MemoryContext old;

	old = MemoryContextSwitchTo(reader->context);
	for (int k = 0; k < adopted->nkeys; k++)
	{
		const DbvcKeyColumn *column = &adopted->key[k];

		if (!column->typbyval && DatumGetPointer(reader->key[k]) != NULL)
			pfree(DatumGetPointer(reader->key[k]));
		reader->key[k] = datumCopy(key[k], column->typbyval, column->typlen);
	}
	MemoryContextSwitchTo(old);
	reader->version = version;
	reader->xmin = xmin;
	reader->noted = true;
}

bool
dbvc_reader_last(const DbvcAdopted *adopted, Snapshot snapshot,
				 const Datum *key, DbvcLast *last)
{
	dlist_iter iter;

	dlist_foreach (iter, &readers)
	{
		const DbvcReader *reader = dlist_container(DbvcReader, node, iter.cur);
		bool same = reader->noted && reader->adopted == adopted &&
					reader->snapshot == snapshot &&
					reader->user == GetUserId();

		for (int k = 0; same && k < adopted->nkeys; k++)
			same =
				datumIsEqual(reader->key[k], key[k], adopted->key[k].typbyval,
							 adopted->key[k].typlen);
		if (!same)
			continue;
		last->version = reader->version;
		last->xmin = reader->xmin;
		last->rows = reader->version > 0 ? &reader->rows : NULL;
		return true;
	}
	return false;
}
