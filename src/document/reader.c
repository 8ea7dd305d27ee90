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

/* A buffer larger than this is not kept for the next document. */
#define KEEP_BUFFER (1024 * 1024)
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

	DbvcRows rows;
	bool noted;
	Datum key[DBVC_KEY_MAX];
	int64 version;
	TransactionId xmin;
};

static dlist_head readers = DLIST_STATIC_INIT(readers);
/* Closing one releases an owner, which calls close_all(). */
static bool closing = false;

/*
 * A buffer that no reader has.  To ask the system for one in each query costs
 * a fourth of reading a document of 100 kB.
 */
static char *spare;
static Size spare_size;

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

/* Give the buffer back: nobody looks at what was read any more. */
static void
drop_rows(DbvcReader *reader)
{
	DbvcRows *rows = &reader->rows;

	if (rows->buffer != NULL)
	{
		if (spare == NULL && rows->size <= KEEP_BUFFER)
		{
			spare = rows->buffer;
			spare_size = rows->size;
		}
		else
			pfree(rows->buffer);
	}
	memset(rows, 0, sizeof(DbvcRows));
}

static void
reader_free(void *arg)
{
	reader_close(arg);
	drop_rows(arg);
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
	drop_rows(reader);
	MemoryContextReset(reader->context);
	memset(reader->key, 0, sizeof(reader->key));
	reader->has_previous = false;
	reader->credit = CREDIT;
	reader->adopted = adopted;
	reader->user = GetUserId();
	reader->spi = false;
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

/* ------------------------------------------------------------- the rows */

static char *
rows_room(DbvcRows *rows, Size len)
{
	char *at;

	if (rows->used + len > rows->size)
	{
		Size size = Max(rows->size * 2, rows->used + len + 8192);

		rows->buffer = rows->buffer == NULL
						   ? MemoryContextAllocHuge(TopMemoryContext, size)
						   : repalloc_huge(rows->buffer, size);
		rows->size = size;
	}
	at = rows->buffer + rows->used;
	rows->used += MAXALIGN(len);
	return at;
}

/* Until all are there, a row has offsets in place of pointers. */
static void
rows_add(DbvcRows *rows, DbvcRow *row, Datum id, Datum data, bool with_data)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(id);
	struct varlena *value = (struct varlena *) DatumGetPointer(data);
	char *at;

	if (rows->count == rows->room)
	{
		rows->room = Max(64, rows->room * 2);
		rows->row =
			rows->row == NULL
				? palloc(sizeof(DbvcRow) * rows->room)
				: repalloc_huge(rows->row, sizeof(DbvcRow) * rows->room);
	}
	row->item.id_len = VARSIZE_ANY_EXHDR(text);
	at = rows_room(rows, row->item.id_len);
	memcpy(at, VARDATA_ANY(text), row->item.id_len);
	row->item.id = (char *) (at - rows->buffer);
	row->item.value.data = NULL;
	if (with_data)
	{
		struct varlena *plain = value;

		if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
			plain = detoast_attr(value);
		at = rows_room(rows, VARSIZE_ANY(plain));
		memcpy(at, plain, VARSIZE_ANY(plain));
		row->item.value.data = (char *) (at - rows->buffer) + 1;
		if (plain != value)
			pfree(plain);
	}
	rows->row[rows->count++] = *row;
}

static int
compare_rows(const void *a, const void *b)
{
	const DbvcRow *left = a;
	const DbvcRow *right = b;
	int order;

	if (left->part != right->part)
		return left->part < right->part ? -1 : 1;
	if (left->item.ord != right->item.ord)
		return left->item.ord < right->item.ord ? -1 : 1;
	order = memcmp(left->item.id, right->item.id,
				   Min(left->item.id_len, right->item.id_len));
	return order != 0 ? order : left->item.id_len - right->item.id_len;
}

/* Offsets become pointers, and the order of reading that of the ranks. */
static void
rows_finish(DbvcRows *rows)
{
	bool ordered = true;

	for (int i = 0; i < rows->count; i++)
	{
		DbvcItem *item = &rows->row[i].item;

		item->id = rows->buffer + (Size) item->id;
		if (item->value.data != NULL)
			item->value = dbvc_value_read(
				PointerGetDatum(rows->buffer + ((Size) item->value.data - 1)));
		if (ordered && i > 0 &&
			compare_rows(&rows->row[i - 1], &rows->row[i]) > 0)
			ordered = false;
	}
	if (!ordered)
		qsort(rows->row, rows->count, sizeof(DbvcRow), compare_rows);
}

static void
unknown_type(const DbvcAdopted *adopted, const char *type, int len)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("items of type \"%.*s\" belong to no part of %s",
						   len, type, adopted->name),
					errdetail("Table %s has such items.", adopted->items_name),
					errhint("See dbvc.document_check().")));
}

static int
part_of(const DbvcAdopted *adopted, Datum type, int guess)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(type);
	const char *name = VARDATA_ANY(text);
	int len = VARSIZE_ANY_EXHDR(text);
	const DbvcParts *parts = adopted->parts;

	if (guess < parts->count && strlen(parts->part[guess].type) == len &&
		memcmp(parts->part[guess].type, name, len) == 0)
		return guess;
	guess = dbvc_parts_find(parts, name, len);
	if (guess < 0)
		unknown_type(adopted, name, len);
	return guess;
}

void
dbvc_rows_add(DbvcRows *rows, const DbvcAdopted *adopted, const Datum *values,
			  const bool *nulls, ItemPointer tid, bool with_deleted)
{
	DbvcRow row;

	row.part = part_of(adopted, values[adopted->items_type - 1],
					   rows->count > 0 ? rows->row[rows->count - 1].part : 0);
	row.deleted = !nulls[adopted->items_deleted - 1];
	row.version = DatumGetInt64(values[adopted->items_version - 1]);
	row.tid = *tid;
	row.item.ord = DatumGetInt64(values[adopted->items_ord - 1]);
	rows_add(rows, &row, values[adopted->items_id - 1],
			 values[adopted->items_data - 1], !row.deleted || with_deleted);
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
scan_rows(DbvcReader *reader, const Datum *key, bool with_deleted)
{
	bool single = reader->adopted->nkeys == 1;
	bool none = false;

	if (single && stands_at(reader, key[0], &none))
	{
		reader->credit = CREDIT;
		if (none)
			return;
	}
	else
	{
		bool guess = single && reader->has_previous && reader->credit > 0;

		if (guess)
			reader->credit--;
		start_at(reader, key, guess);
	}
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!reader->waiting &&
			!index_getnext_slot(reader->scan, ForwardScanDirection,
								reader->slot))
			break;
		/* the first row of another document waits in the slot */
		reader->waiting = reader->onward;
		if (reader->onward && row_compare(reader, key[0]) != 0)
			return;
		reader->waiting = false;
		slot_getallattrs(reader->slot);
		dbvc_rows_add(&reader->rows, reader->adopted, reader->slot->tts_values,
					  reader->slot->tts_isnull, &reader->slot->tts_tid,
					  with_deleted);
	}
	/* at the end of the index, or of the document's rows */
	reader->onward = false;
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
	rows->count = 0;
	rows->used = 0;
	old = MemoryContextSwitchTo(reader->context);
	if (rows->size > KEEP_BUFFER)
	{
		pfree(rows->buffer);
		rows->buffer = NULL;
		rows->size = 0;
	}
	if (rows->buffer == NULL && spare != NULL)
	{
		rows->buffer = spare;
		rows->size = spare_size;
		spare = NULL;
	}
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
	rows_finish(rows);
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
