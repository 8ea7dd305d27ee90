/*
 * catalog.c
 *		Rows of the system catalogs under one snapshot.
 *
 * Each shelf is an open-addressing hash table from (class, key) to a chain of
 * rows.  Rows and their tuples lie tightly in an arena, because a database of
 * 10,000 tables has half a million of them.  A sparse catalog also notes that
 * there is nothing under a key.
 *
 * Several shelves may hold the rows of one relation under different keys: the
 * first is filled when the relation is read, the others of a full catalog
 * when somebody asks for them first.
 */
#include "snapshot/catalog.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_am.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_db_role_setting.h"
#include "catalog/pg_default_acl.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_description.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_init_privs.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_namespace.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_range.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_seclabel.h"
#include "catalog/pg_sequence.h"
#include "catalog/pg_shseclabel.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_tablespace.h"
#include "catalog/pg_transform.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_config_map.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#define DBVC_SHELF_INFO(symbol, relation, index, class_attribute, key, owner) \
	{#symbol, relation, index, class_attribute, key, owner},
static const DbvcShelfInfo infos[DBVC_SHELF_COUNT] = {
	DBVC_SHELVES(DBVC_SHELF_INFO)};

/* Where the rows of a key start; rows is NULL in a slot that is not used. */
typedef struct Slot
{
	Oid classid;
	Oid key;
	DbvcRow *rows;
} Slot;

typedef struct Shelf
{
	TupleDesc desc;
	Slot *slots; /* a power of two of them, at most a third used */
	uint32 mask;
	uint32 used;
	bool read; /* holds every row there is */
} Shelf;

struct DbvcCatalog
{
	MemoryContext context;
	Snapshot snapshot;
	bool full;
	char *free; /* the arena: what is left of the newest block */
	Size left;
	Shelf shelves[DBVC_SHELF_COUNT];
};

#define ARENA_BLOCK ((Size) 1024 * 1024)
#define ARENA_FIRST_BLOCK ((Size) 32 * 1024)
#define SHELF_FIRST_SLOTS 64

/* A key under which a sparse catalog has looked and found nothing. */
static DbvcRow nothing;

/* ---------------------------------------------------------------- shelves */

static void *
arena_alloc(DbvcCatalog *catalog, Size size)
{
	void *piece;

	size = MAXALIGN(size);
	if (size > catalog->left)
	{
		Size block = catalog->full ? ARENA_BLOCK : ARENA_FIRST_BLOCK;

		if (size > block / 4)
			return MemoryContextAlloc(catalog->context, size);
		catalog->free = MemoryContextAlloc(catalog->context, block);
		catalog->left = block;
	}
	piece = catalog->free;
	catalog->free += size;
	catalog->left -= size;
	return piece;
}

/*
 * Objects of one shelf have OIDs not far from each other and are asked for in
 * their order: neighbours stay neighbours, so that they share the processor's
 * cache.  Classes need not be told apart: all objects get their OIDs from one
 * sequence.
 */
static inline uint32
slot_hash(Oid key)
{
	uint64 stretch = ((uint64) (key >> 4)) * UINT64CONST(0x9E3779B97F4A7C15);

	return ((uint32) (stretch >> 32) << 4) | (key & 15);
}

static inline Slot *
slot_find(const Shelf *shelf, Oid classid, Oid key)
{
	uint32 at = slot_hash(key) & shelf->mask;

	while (
		shelf->slots[at].rows != NULL &&
		(shelf->slots[at].key != key || shelf->slots[at].classid != classid))
		at = (at + 1) & shelf->mask;
	return &shelf->slots[at];
}

static void
shelf_grow(DbvcCatalog *catalog, Shelf *shelf)
{
	Slot *old = shelf->slots;
	uint32 count = old ? shelf->mask + 1 : 0;
	uint32 larger = Max(count * 2, SHELF_FIRST_SLOTS);

	shelf->slots =
		MemoryContextAllocExtended(catalog->context,
								   (Size) larger * sizeof(Slot),
								   MCXT_ALLOC_ZERO | MCXT_ALLOC_HUGE);
	shelf->mask = larger - 1;
	for (uint32 i = 0; i < count; i++)
		if (old[i].rows != NULL)
			*slot_find(shelf, old[i].classid, old[i].key) = old[i];
	if (old != NULL)
		pfree(old);
}

/* The slot of a key, made when there is none (then rows is NULL). */
static Slot *
slot_take(DbvcCatalog *catalog, Shelf *shelf, Oid classid, Oid key)
{
	Slot *slot;

	if (shelf->slots == NULL || shelf->used > shelf->mask / 3)
		shelf_grow(catalog, shelf);
	slot = slot_find(shelf, classid, key);
	if (slot->rows == NULL)
	{
		slot->classid = classid;
		slot->key = key;
		shelf->used++;
	}
	return slot;
}

static void
put_row(DbvcCatalog *catalog, Shelf *shelf, Oid classid, Oid key, DbvcRow *row)
{
	Slot *slot = slot_take(catalog, shelf, classid, key);

	row->next = slot->rows == &nothing ? NULL : slot->rows;
	slot->rows = row;
}

static DbvcRow *
copy_row(DbvcCatalog *catalog, HeapTuple tuple)
{
	Size head = MAXALIGN(sizeof(DbvcRow));
	DbvcRow *row = arena_alloc(catalog, head + tuple->t_len);

	row->next = NULL;
	row->tuple = *tuple;
	row->tuple.t_data = (HeapTupleHeader) ((char *) row + head);
	memcpy(row->tuple.t_data, tuple->t_data, tuple->t_len);
	return row;
}

static Oid
oid_attribute(TupleDesc desc, HeapTuple tuple, AttrNumber attribute)
{
	bool isnull;
	Datum value;

	if (attribute == 0)
		return InvalidOid;
	value = heap_getattr(tuple, attribute, desc, &isnull);
	return isnull ? InvalidOid : DatumGetObjectId(value);
}

/* The first shelf with the rows of the same relation. */
static DbvcShelf
primary_shelf(DbvcShelf shelf)
{
	for (int i = 0; i < shelf; i++)
		if (infos[i].relation == infos[shelf].relation)
			return (DbvcShelf) i;
	return shelf;
}

/* ------------------------------------------------------------- left out */

bool
dbvc_catalog_skips(Oid relation, HeapTuple tuple)
{
	switch (relation)
	{
		case AttributeRelationId:
			return ((Form_pg_attribute) GETSTRUCT(tuple))->attnum < 0;
		case TriggerRelationId:
			/* those of constraints count when somebody has switched them off */
			return ((Form_pg_trigger) GETSTRUCT(tuple))->tgisinternal &&
				   ((Form_pg_trigger) GETSTRUCT(tuple))->tgenabled ==
					   TRIGGER_FIRES_ON_ORIGIN;
		case SubscriptionRelationId:
			return ((Form_pg_subscription) GETSTRUCT(tuple))->subdbid !=
				   MyDatabaseId;
		case DbRoleSettingRelationId:
		{
			Oid database =
				((Form_pg_db_role_setting) GETSTRUCT(tuple))->setdatabase;

			return OidIsValid(database) && database != MyDatabaseId;
		}
		case DependRelationId:
		{
			Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);

			if (depend->deptype == DEPENDENCY_EXTENSION ||
				depend->deptype == DEPENDENCY_AUTO_EXTENSION)
				return false;
			return depend->classid != RelationRelationId ||
				   (depend->deptype != DEPENDENCY_INTERNAL &&
					depend->deptype != DEPENDENCY_AUTO);
		}
		default:
			return false;
	}
}

/*
 * Of what a relation depends on internally or automatically only these are
 * of use: who owns a sequence or a toast table, an index's constraint.  The
 * many that say which columns an index has are not.
 */
static bool
is_useless(DbvcCatalog *catalog, HeapTuple tuple)
{
	Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);
	DbvcRow *row;

	if (depend->classid != RelationRelationId ||
		depend->deptype == DEPENDENCY_EXTENSION ||
		depend->deptype == DEPENDENCY_AUTO_EXTENSION ||
		depend->refclassid == ConstraintRelationId)
		return false;
	row = dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, depend->objid);
	return row == NULL || (dbvc_form(row, pg_class)->relkind != 'S' &&
						   dbvc_form(row, pg_class)->relkind != 't');
}

/* Keep a row that was read from the relation of the shelf. */
static void
keep_tuple(DbvcCatalog *catalog, DbvcShelf which, HeapTuple tuple)
{
	const DbvcShelfInfo *info = &infos[which];
	Shelf *shelf = &catalog->shelves[which];

	if (info->relation == DependRelationId && is_useless(catalog, tuple))
		return;
	put_row(catalog, shelf,
			oid_attribute(shelf->desc, tuple, info->class_attribute),
			oid_attribute(shelf->desc, tuple, info->key),
			copy_row(catalog, tuple));
}

/* ---------------------------------------------------------------- reading */

static void
note_descriptor(DbvcCatalog *catalog, Shelf *shelf, Relation relation)
{
	MemoryContext old;

	if (shelf->desc != NULL)
		return;
	old = MemoryContextSwitchTo(catalog->context);
	shelf->desc = CreateTupleDescCopy(RelationGetDescr(relation));
	MemoryContextSwitchTo(old);
}

static DbvcCatalog *
catalog_new(Snapshot snapshot, bool full)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc catalog",
							  ALLOCSET_DEFAULT_SIZES);
	DbvcCatalog *catalog =
		MemoryContextAllocZero(context, sizeof(DbvcCatalog));

	catalog->context = context;
	catalog->snapshot = snapshot;
	catalog->full = full;
	return catalog;
}

DbvcCatalog *
dbvc_catalog_scan(Snapshot snapshot, bool keep, DbvcRowObserver observer,
				  void *arg)
{
	DbvcCatalog *catalog = keep ? catalog_new(snapshot, true) : NULL;

	for (int i = 0; i < DBVC_SHELF_COUNT; i++)
	{
		Relation relation;
		TableScanDesc scan;
		HeapTuple tuple;

		if (primary_shelf(i) != i)
			continue;
		relation = table_open(infos[i].relation, AccessShareLock);
		if (keep)
			note_descriptor(catalog, &catalog->shelves[i], relation);
		scan = dbvc_table_beginscan(relation, snapshot);
		while (
			HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
		{
			CHECK_FOR_INTERRUPTS();
			if (observer != NULL)
				observer(relation, i, tuple, arg);
			if (keep && !dbvc_catalog_skips(infos[i].relation, tuple))
				keep_tuple(catalog, i, tuple);
		}
		table_endscan(scan);
		table_close(relation, AccessShareLock);
		if (keep)
			catalog->shelves[i].read = true;
	}
	return catalog;
}

DbvcCatalog *
dbvc_catalog_open(Snapshot snapshot, bool full)
{
	if (full)
		return dbvc_catalog_scan(snapshot, true, NULL, NULL);
	return catalog_new(snapshot, false);
}

/* The rows of a relation under another key than that of its first shelf. */
static void
fill_from_primary(DbvcCatalog *catalog, DbvcShelf which)
{
	const DbvcShelfInfo *info = &infos[which];
	Shelf *shelf = &catalog->shelves[which];
	Shelf *primary = &catalog->shelves[primary_shelf(which)];

	shelf->desc = primary->desc;
	for (uint32 i = 0; primary->slots != NULL && i <= primary->mask; i++)
		for (DbvcRow *from = primary->slots[i].rows; from != NULL;
			 from = from->next)
		{
			DbvcRow *row = arena_alloc(catalog, sizeof(DbvcRow));
			Oid key = oid_attribute(shelf->desc, &from->tuple, info->key);

			row->tuple = from->tuple;
			put_row(catalog, shelf, InvalidOid, key, row);
		}
	shelf->read = true;
}

/* Fetch the rows of a key by the shelf's index; all rows when it has none. */
static void
fetch_rows(DbvcCatalog *catalog, DbvcShelf which, Oid classid, Oid key)
{
	const DbvcShelfInfo *info = &infos[which];
	Shelf *shelf = &catalog->shelves[which];
	Relation relation = table_open(info->relation, AccessShareLock);
	bool has_index = OidIsValid(info->index);
	ScanKeyData keys[2];
	int n = 0;
	SysScanDesc scan;
	HeapTuple tuple;

	note_descriptor(catalog, shelf, relation);
	if (has_index)
	{
		/* in the order of the index's columns */
		bool class_first = info->relation == DependRelationId;

		if (info->class_attribute != 0 && class_first)
			ScanKeyInit(&keys[n++], info->class_attribute,
						BTEqualStrategyNumber, F_OIDEQ,
						ObjectIdGetDatum(classid));
		ScanKeyInit(&keys[n++], info->key, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(key));
		if (info->class_attribute != 0 && !class_first)
			ScanKeyInit(&keys[n++], info->class_attribute,
						BTEqualStrategyNumber, F_OIDEQ,
						ObjectIdGetDatum(classid));
	}
	scan = systable_beginscan(relation, info->index, has_index,
							  catalog->snapshot, n, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		if (!dbvc_catalog_skips(info->relation, tuple))
			keep_tuple(catalog, which, tuple);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	if (!has_index)
		shelf->read = true;
}

/* ---------------------------------------------------------------- look-up */

DbvcRow *
dbvc_catalog_rows(DbvcCatalog *catalog, DbvcShelf which, Oid classid, Oid key)
{
	Shelf *shelf = &catalog->shelves[which];
	Slot *slot;

	Assert((infos[which].class_attribute == 0) == !OidIsValid(classid));
	if (shelf->slots != NULL)
	{
		slot = slot_find(shelf, classid, key);
		if (slot->rows != NULL)
			return slot->rows == &nothing ? NULL : slot->rows;
	}
	if (shelf->read)
		return NULL;
	if (catalog->full)
		fill_from_primary(catalog, which);
	else
		fetch_rows(catalog, which, classid, key);

	slot = slot_take(catalog, shelf, classid, key);
	if (slot->rows == NULL)
		slot->rows = &nothing;
	return slot->rows == &nothing ? NULL : slot->rows;
}

Snapshot
dbvc_catalog_snapshot(const DbvcCatalog *catalog)
{
	return catalog->snapshot;
}

MemoryContext
dbvc_catalog_context(const DbvcCatalog *catalog)
{
	return catalog->context;
}

bool
dbvc_catalog_is_full(const DbvcCatalog *catalog)
{
	return catalog->full;
}

Datum
dbvc_row_attribute(DbvcCatalog *catalog, DbvcShelf shelf, const DbvcRow *row,
				   AttrNumber attribute, bool *isnull)
{
	return heap_getattr(unconstify(HeapTupleData *, &row->tuple), attribute,
						catalog->shelves[shelf].desc, isnull);
}

struct varlena *
dbvc_row_varlena(DbvcCatalog *catalog, DbvcShelf shelf, const DbvcRow *row,
				 AttrNumber attribute)
{
	bool isnull;
	Datum value = dbvc_row_attribute(catalog, shelf, row, attribute, &isnull);

	return isnull ? NULL : PG_DETOAST_DATUM(value);
}

char *
dbvc_row_string(DbvcCatalog *catalog, DbvcShelf shelf, const DbvcRow *row,
				AttrNumber attribute)
{
	bool isnull;
	Datum value = dbvc_row_attribute(catalog, shelf, row, attribute, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

void
dbvc_catalog_each(DbvcCatalog *catalog, DbvcShelf which,
				  void (*visit)(DbvcRow *row, void *arg), void *arg)
{
	Shelf *shelf = &catalog->shelves[which];

	if (!catalog->full)
		elog(ERROR, "cannot go through a catalog that is not fully read");
	if (!shelf->read)
		fill_from_primary(catalog, which);
	for (uint32 i = 0; shelf->slots != NULL && i <= shelf->mask; i++)
		for (DbvcRow *row = shelf->slots[i].rows; row != NULL; row = row->next)
			if (row != &nothing)
				visit(row, arg);
}

static int
compare_oids(const void *a, const void *b)
{
	Oid x = *(const Oid *) a;
	Oid y = *(const Oid *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

Oid *
dbvc_catalog_keys(DbvcCatalog *catalog, DbvcShelf which, int *count)
{
	Shelf *shelf = &catalog->shelves[which];
	Oid *keys;

	Assert(catalog->full && shelf->read);
	keys = palloc_extended((Size) Max(shelf->used, 1) * sizeof(Oid),
						   MCXT_ALLOC_HUGE);
	*count = 0;
	for (uint32 i = 0; shelf->slots != NULL && i <= shelf->mask; i++)
		if (shelf->slots[i].rows != NULL && shelf->slots[i].rows != &nothing)
			keys[(*count)++] = shelf->slots[i].key;
	qsort(keys, *count, sizeof(Oid), compare_oids);
	return keys;
}

DbvcShelf
dbvc_shelf_of_class(Oid classid)
{
	for (int i = 0; i < DBVC_SHELF_COUNT; i++)
		if (infos[i].relation == classid && infos[i].owner == classid)
			return (DbvcShelf) i;
	return DBVC_SHELF_COUNT;
}

const DbvcShelfInfo *
dbvc_shelf_info(DbvcShelf shelf)
{
	return &infos[shelf];
}
