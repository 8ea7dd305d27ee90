/*
 * detector.c
 *		Which objects' catalog rows have changed?
 *
 * Every row of every catalog that definitions are made from is hashed
 * (SipHash under a secret key of the database) and added to a sum of the
 * object that it belongs to.  Equal sums: the same rows, so nothing that is
 * made from these rows has changed.  Nothing is believed of event triggers,
 * row versions or times: whoever writes a catalog by hand is found as well.
 *
 * Not hashed is what changes by itself: statistics, file nodes, freezing, the
 * place of a row.  Values that are stored outside their row are hashed
 * themselves, not the pointers.
 *
 * What names everything, or is depended on without a trace in pg_depend, goes
 * into one sum of its own, the context: names of roles, schemas, tablespaces,
 * languages and access methods, and all rows of the system's own objects.  When
 * it differs, everything may.
 *
 * Temporary objects are left out, unless something that is not temporary
 * depends on them.
 */
#include "snapshot/snapshot.h"

#include "access/detoast.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_db_role_setting.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_tablespace.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* A slot of an open-addressing table; classid is 0 in one that is not used. */
typedef struct SumSlot
{
	Oid classid;
	Oid objid;
	uint64 sum;
} SumSlot;

/* What is known of an object while rows are read */
#define SUM_LEFT_OUT 1	 /* temporary, or of no interest */
#define SUM_REFERENCED 2 /* though something else depends on it */
#define SUM_NO_COLUMNS 4 /* its columns are of no interest */

typedef struct DbvcUnstable
{
	DbvcObject object;
	uint8 hash[DBVC_SHA256_LEN];
} DbvcUnstable;

struct DbvcSums
{
	MemoryContext context;
	uint8 key[DBVC_SIPHASH_KEY_LEN];
	uint64 names;	 /* the sum of what names everything */
	uint64 versions; /* of the rows; 0 when it is not known */
	uint64 total;	 /* over all objects */
	SumSlot *slots;
	uint32 mask;
	uint32 used;
	DbvcUnstable *unstable;
	int unstable_count;
};

#define MAX_MASKS 16

/* How to deal with the rows of the relation that is being read. */
typedef struct RelationPlan
{
	Oid relation;
	TupleDesc desc;
	Oid owner;			  /* class of the object that a row belongs to, or */
	int class_offset;	  /* where the row says it */
	int key_offset;		  /* and the object */
	int namespace_offset; /* its schema; -1: it is in none */
	int parent_offset;	  /* the relation it hangs on; -1: none */
	int whole_count;	  /* objects that the row is a part of besides: */
	int whole_offset[2];
	Oid whole_class[2];
	int name_offset; /* of relations whose names are in the context; else -1 */
	bool only_name;	 /* there is nothing else to look at */
	int masks;		 /* columns in the fixed part that are not hashed */
	int mask_offset[MAX_MASKS];
	int mask_len[MAX_MASKS];
	AttrNumber missing; /* pg_attribute.attmissingval */
} RelationPlan;

typedef struct Reader
{
	DbvcSums *sums;
	uint8 *flags; /* beside sums->slots */
	RelationPlan plan;
	uint32 last; /* the slot of the row before */
	Oid *temporary_schemas;
	int temporary_schema_count;
	char *buf;
	Size allocated;
} Reader;

/* Fixed columns that change by themselves, or are never looked at. */
static const char *const masked[] = {
	"relfilenode",	  "relpages",		 "reltuples",	   "relallvisible",
	"relallfrozen",	  "relfrozenxid",	 "relminmxid",	   "relhasindex",
	"relhasrules",	  "relhastriggers",	 "relhassubclass", "relrewrite",
	"relispopulated", "reltoastrelid",	 "indcheckxmin",   "atthasmissing",
	"subskiplsn",	  "subtwophasestate"};

/* ------------------------------------------------------------ sums by object */

static inline uint32
sum_hash(Oid classid, Oid objid)
{
	return (uint32) (((((uint64) classid << 32) | objid) *
					  UINT64CONST(0x9E3779B97F4A7C15)) >>
					 32);
}

static inline uint32
sum_find(const DbvcSums *sums, Oid classid, Oid objid)
{
	uint32 at = sum_hash(classid, objid) & sums->mask;

	while (
		OidIsValid(sums->slots[at].classid) &&
		(sums->slots[at].objid != objid || sums->slots[at].classid != classid))
		at = (at + 1) & sums->mask;
	return at;
}

static void
sums_allocate(DbvcSums *sums, uint32 slots)
{
	sums->slots =
		MemoryContextAllocExtended(sums->context,
								   (Size) slots * sizeof(SumSlot),
								   MCXT_ALLOC_ZERO | MCXT_ALLOC_HUGE);
	sums->mask = slots - 1;
}

static DbvcSums *
sums_new(MemoryContext context, uint32 expected)
{
	DbvcSums *sums = MemoryContextAllocZero(context, sizeof(DbvcSums));
	uint32 slots = 1024;

	while (slots / 2 < expected)
		slots *= 2;
	sums->context = context;
	sums_allocate(sums, slots);
	return sums;
}

static void
reader_grow(Reader *reader)
{
	DbvcSums *sums = reader->sums;
	SumSlot *old = sums->slots;
	uint8 *old_flags = reader->flags;
	uint32 count = sums->mask + 1;

	sums_allocate(sums, count * 2);
	reader->flags = MemoryContextAllocZero(sums->context, (Size) count * 2);
	for (uint32 i = 0; i < count; i++)
		if (OidIsValid(old[i].classid))
		{
			uint32 at = sum_find(sums, old[i].classid, old[i].objid);

			sums->slots[at] = old[i];
			reader->flags[at] = old_flags[i];
		}
	pfree(old);
	pfree(old_flags);
}

/* The slot of an object; rows of one object often follow each other. */
static inline uint32
reader_slot(Reader *reader, Oid classid, Oid objid)
{
	DbvcSums *sums = reader->sums;
	SumSlot *slot = &sums->slots[reader->last];

	if (slot->objid == objid && slot->classid == classid)
		return reader->last;
	if (sums->used > sums->mask / 2)
		reader_grow(reader);
	reader->last = sum_find(sums, classid, objid);
	slot = &sums->slots[reader->last];
	if (!OidIsValid(slot->classid))
	{
		slot->classid = classid;
		slot->objid = objid;
		sums->used++;
	}
	return reader->last;
}

/* ----------------------------------------------------------------- plans */

/* Offset of a column behind the row's header; -1 when it is not the same in
 * every row. */
static int
fixed_offset(TupleDesc desc, AttrNumber attnum)
{
	int offset = 0;

	for (int i = 0; i < attnum; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attlen <= 0 || !attribute->attnotnull)
			return -1;
		offset = att_align_nominal(offset, attribute->attalign);
		if (i == attnum - 1)
			return offset;
		offset += attribute->attlen;
	}
	return -1;
}

static int
needed_offset(TupleDesc desc, AttrNumber attnum)
{
	int offset = fixed_offset(desc, attnum);

	if (offset < 0)
		elog(ERROR, "column %d of a catalog has no fixed place", attnum);
	return offset;
}

static bool
ends_with(const char *text, const char *end)
{
	Size len = strlen(text);
	Size end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void
plan_whole(RelationPlan *plan, Oid classid, int offset)
{
	Assert(plan->whole_count < lengthof(plan->whole_offset));
	plan->whole_class[plan->whole_count] = classid;
	plan->whole_offset[plan->whole_count++] = offset;
}

/* What a column means for the sums, by its name. */
static void
plan_column(RelationPlan *plan, AttrNumber attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(plan->desc, attnum - 1);
	const char *name = NameStr(attribute->attname);
	int offset = fixed_offset(plan->desc, attnum);

	if (strcmp(name, "attmissingval") == 0)
		plan->missing = attnum;
	if (offset < 0)
		return;
	if (ends_with(name, "namespace"))
		plan->namespace_offset = offset;
	if (strcmp(name, "tgrelid") == 0 || strcmp(name, "ev_class") == 0 ||
		strcmp(name, "polrelid") == 0)
		plan->parent_offset = offset;
	if (strcmp(name, "ev_class") == 0 || strcmp(name, "conrelid") == 0 ||
		strcmp(name, "indrelid") == 0)
		plan_whole(plan, RelationRelationId, offset);
	if (strcmp(name, "contypid") == 0)
		plan_whole(plan, TypeRelationId, offset);
	if (strcmp(name, "nspname") == 0 || strcmp(name, "rolname") == 0 ||
		strcmp(name, "spcname") == 0 || strcmp(name, "lanname") == 0 ||
		strcmp(name, "amname") == 0)
		plan->name_offset = offset;
	for (int i = 0; i < lengthof(masked); i++)
		if (strcmp(name, masked[i]) == 0)
		{
			if (plan->masks == MAX_MASKS)
				elog(ERROR, "too many masked columns");
			plan->mask_offset[plan->masks] = offset;
			plan->mask_len[plan->masks++] = attribute->attlen;
		}
}

static void
plan_relation(RelationPlan *plan, Relation relation, DbvcShelf shelf)
{
	TupleDesc desc = RelationGetDescr(relation);
	AttrNumber class_attribute = dbvc_shelf_class_attribute(shelf);

	memset(plan, 0, sizeof(*plan));
	plan->relation = RelationGetRelid(relation);
	plan->desc = desc;
	plan->owner = dbvc_shelf_owner(shelf);
	plan->class_offset =
		class_attribute != 0 ? needed_offset(desc, class_attribute) : -1;
	plan->key_offset = needed_offset(desc, dbvc_shelf_key(shelf));
	plan->namespace_offset = -1;
	plan->parent_offset = -1;
	plan->name_offset = -1;
	plan->only_name = plan->relation == AuthIdRelationId ||
					  plan->relation == TableSpaceRelationId;
	for (int i = 1; i <= desc->natts; i++)
		plan_column(plan, i);
}

static inline Oid
oid_at(HeapTuple tuple, int offset)
{
	return *(const Oid *) ((const char *) GETSTRUCT(tuple) + offset);
}

/* ---------------------------------------------------------------- hashing */

static char *
reader_room(Reader *reader, Size size)
{
	if (size > reader->allocated)
	{
		reader->allocated = Max(size, reader->allocated * 2);
		pfree(reader->buf);
		reader->buf =
			MemoryContextAllocHuge(reader->sums->context, reader->allocated);
	}
	return reader->buf;
}

/* Hash a row whose values are all in it. */
static uint64
hash_flat(Reader *reader, HeapTuple tuple)
{
	const RelationPlan *plan = &reader->plan;
	HeapTupleHeader header = tuple->t_data;
	Size start = offsetof(HeapTupleHeaderData, t_bits);
	Size len = tuple->t_len - start;
	uint64 prefix = (uint64) plan->relation | (uint64) header->t_hoff << 32 |
					(uint64) (HeapTupleHasNulls(tuple) ? 1 : 0) << 40 |
					(uint64) HeapTupleHeaderGetNatts(header) << 48;
	char *buf = reader_room(reader, sizeof(prefix) + len);
	char *data = buf + sizeof(prefix) + (header->t_hoff - start);

	memcpy(buf, &prefix, sizeof(prefix));
	memcpy(buf + sizeof(prefix), (const char *) header + start, len);
	for (int i = 0; i < plan->masks; i++)
		memset(data + plan->mask_offset[i], 0, plan->mask_len[i]);
	return dbvc_siphash(reader->sums->key, buf, sizeof(prefix) + len);
}

/*
 * A row with values outside of it, or with one that is not to be looked at:
 * take it apart and put it together without.
 */
static uint64
hash_parts(Reader *reader, HeapTuple tuple)
{
	TupleDesc desc = reader->plan.desc;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc row",
							  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Datum *values = palloc(desc->natts * sizeof(Datum));
	bool *nulls = palloc(desc->natts * sizeof(bool));
	uint64 hash;

	heap_deform_tuple(tuple, desc, values, nulls);
	for (int i = 0; i < desc->natts; i++)
	{
		if (i + 1 == reader->plan.missing)
			nulls[i] = true;
		if (!nulls[i] && TupleDescAttr(desc, i)->attlen == -1 &&
			VARATT_IS_EXTERNAL(DatumGetPointer(values[i])))
			values[i] = PointerGetDatum(detoast_external_attr(
				(struct varlena *) DatumGetPointer(values[i])));
	}
	hash = hash_flat(reader, heap_form_tuple(desc, values, nulls));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return hash;
}

static inline uint64
hash_row(Reader *reader, HeapTuple tuple)
{
	if (HeapTupleHasExternal(tuple) ||
		(reader->plan.missing != 0 &&
		 !heap_attisnull(tuple, reader->plan.missing, reader->plan.desc)))
		return hash_parts(reader, tuple);
	return hash_flat(reader, tuple);
}

/* (OID, name) of a row */
static uint64
hash_name(Reader *reader, HeapTuple tuple)
{
	struct
	{
		Oid relation;
		Oid oid;
		NameData name;
	} named;

	named.relation = reader->plan.relation;
	named.oid = oid_at(tuple, reader->plan.key_offset);
	memcpy(&named.name,
		   (const char *) GETSTRUCT(tuple) + reader->plan.name_offset,
		   NAMEDATALEN);
	return dbvc_siphash(reader->sums->key, &named, sizeof(named));
}

/* Which version of the row this is: not secret, so any mixing does. */
static inline uint64
row_version(Oid relation, HeapTuple tuple)
{
	uint64 a = (uint64) HeapTupleHeaderGetRawXmin(tuple->t_data) << 32 |
			   ItemPointerGetBlockNumberNoCheck(&tuple->t_self);
	uint64 b = (uint64) relation << 16 |
			   ItemPointerGetOffsetNumberNoCheck(&tuple->t_self);

	a ^= b * UINT64CONST(0x9E3779B97F4A7C15);
	a = (a ^ (a >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
	a = (a ^ (a >> 27)) * UINT64CONST(0x94D049BB133111EB);
	return a ^ (a >> 31);
}

/* ---------------------------------------------------------------- reading */

static bool
is_temporary_schema(const Reader *reader, Oid schema)
{
	for (int i = 0; i < reader->temporary_schema_count; i++)
		if (reader->temporary_schemas[i] == schema)
			return true;
	return false;
}

/* Schemas of temporary objects are left out themselves. */
static bool
note_schema(Reader *reader, Form_pg_namespace schema)
{
	const char *name = NameStr(schema->nspname);

	if (strncmp(name, "pg_temp_", strlen("pg_temp_")) != 0 &&
		strncmp(name, "pg_toast_temp_", strlen("pg_toast_temp_")) != 0)
		return false;
	reader->temporary_schemas =
		repalloc(reader->temporary_schemas,
				 (reader->temporary_schema_count + 1) * sizeof(Oid));
	reader->temporary_schemas[reader->temporary_schema_count++] = schema->oid;
	return true;
}

/* Does the row say that its object is left out? */
static bool
is_left_out(Reader *reader, HeapTuple tuple)
{
	const RelationPlan *plan = &reader->plan;

	if (plan->relation == NamespaceRelationId)
		return note_schema(reader, (Form_pg_namespace) GETSTRUCT(tuple));
	if (plan->namespace_offset >= 0 &&
		is_temporary_schema(reader, oid_at(tuple, plan->namespace_offset)))
		return true;
	if (plan->parent_offset >= 0)
	{
		uint32 at = sum_find(reader->sums, RelationRelationId,
							 oid_at(tuple, plan->parent_offset));

		return (reader->flags[at] & SUM_LEFT_OUT) != 0;
	}
	if (plan->relation == RelationRelationId)
	{
		/* nothing is ever made from the index of a toast table */
		Form_pg_class class = (Form_pg_class) GETSTRUCT(tuple);

		return class->relnamespace == PG_TOAST_NAMESPACE &&
			   class->relkind == RELKIND_INDEX;
	}
	return false;
}

/*
 * A temporary object that something else depends on (a function that returns
 * rows of a temporary table) is not left out.
 */
static void
note_reference(Reader *reader, Form_pg_depend depend)
{
	DbvcSums *sums = reader->sums;
	uint32 referenced;

	if (depend->refobjid < FirstNormalObjectId)
		return;
	referenced = sum_find(sums, depend->refclassid, depend->refobjid);
	if ((reader->flags[referenced] & SUM_LEFT_OUT) &&
		!(reader->flags[sum_find(sums, depend->classid, depend->objid)] &
		  SUM_LEFT_OUT))
		reader->flags[referenced] |= SUM_REFERENCED;
}

/* Rows of what the system has, save what users may call theirs. */
static bool
is_of_system(Oid classid, Oid objid)
{
	return objid < FirstNormalObjectId && classid != DbRoleSettingRelationId &&
		   !(classid == NamespaceRelationId && objid == PG_PUBLIC_NAMESPACE);
}

static void
read_row(Relation relation, DbvcShelf shelf, HeapTuple tuple, void *arg)
{
	Reader *reader = arg;
	RelationPlan *plan = &reader->plan;
	DbvcSums *sums = reader->sums;
	bool left_out;
	uint64 hash;
	Oid classid;
	Oid objid;
	uint32 at;

	if (plan->relation != RelationGetRelid(relation))
		plan_relation(plan, relation, shelf);
	if (plan->relation == DependRelationId)
		note_reference(reader, (Form_pg_depend) GETSTRUCT(tuple));
	if (dbvc_catalog_skips(plan->relation, tuple))
		return;

	sums->versions += row_version(plan->relation, tuple);
	left_out = is_left_out(reader, tuple);
	if (plan->name_offset >= 0 && !left_out)
		sums->names += hash_name(reader, tuple);
	if (plan->only_name)
		return;

	classid = plan->class_offset >= 0 ? oid_at(tuple, plan->class_offset)
									  : plan->owner;
	objid = oid_at(tuple, plan->key_offset);
	if (is_of_system(classid, objid))
	{
		sums->names += hash_row(reader, tuple);
		return;
	}
	at = reader_slot(reader, classid, objid);
	if (left_out)
		reader->flags[at] |= SUM_LEFT_OUT;
	else if (plan->relation == AttributeRelationId &&
			 (reader->flags[at] & SUM_NO_COLUMNS))
		return;
	if (plan->relation == RelationRelationId &&
		((Form_pg_class) GETSTRUCT(tuple))->relnamespace == PG_TOAST_NAMESPACE)
		reader->flags[at] |= SUM_NO_COLUMNS;
	hash = hash_row(reader, tuple);
	sums->slots[at].sum += hash;
	for (int i = 0; i < plan->whole_count; i++)
	{
		Oid whole = oid_at(tuple, plan->whole_offset[i]);

		/* when a part is deleted, nothing else tells whose it was */
		if (whole >= FirstNormalObjectId)
			sums->slots[reader_slot(reader, plan->whole_class[i], whole)]
				.sum += hash;
	}

	/* what is added to the system's schema may change how the rest is found */
	if (plan->namespace_offset >= 0 &&
		oid_at(tuple, plan->namespace_offset) == PG_CATALOG_NAMESPACE)
		sums->names += hash;
}

/* Keep what is not left out, and no more room than it needs. */
static DbvcSums *
finish(Reader *reader, MemoryContext context)
{
	DbvcSums *read = reader->sums;
	DbvcSums *sums = sums_new(context, read->used);

	memcpy(sums->key, read->key, sizeof(sums->key));
	sums->names = read->names;
	sums->versions = read->versions;
	for (uint32 i = 0; i <= read->mask; i++)
	{
		const SumSlot *slot = &read->slots[i];

		if (!OidIsValid(slot->classid) ||
			(reader->flags[i] & (SUM_LEFT_OUT | SUM_REFERENCED)) ==
				SUM_LEFT_OUT)
			continue;
		sums->slots[sum_find(sums, slot->classid, slot->objid)] = *slot;
		sums->used++;
		sums->total += slot->sum;
	}
	return sums;
}

DbvcSums *
dbvc_sums_read(Snapshot snapshot, const uint8 key[16], DbvcCatalog **keep)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(context, "dbvc detector",
											   ALLOCSET_DEFAULT_SIZES);
	Reader reader = {0};
	DbvcCatalog *catalog;
	DbvcSums *sums;

	reader.sums = sums_new(work, 16 * 1024);
	reader.flags = MemoryContextAllocZero(work, reader.sums->mask + 1);
	reader.temporary_schemas = MemoryContextAlloc(work, sizeof(Oid));
	reader.allocated = 8192;
	reader.buf = MemoryContextAlloc(work, reader.allocated);
	if (key != NULL)
		memcpy(reader.sums->key, key, DBVC_SIPHASH_KEY_LEN);
	else if (!pg_strong_random(reader.sums->key, DBVC_SIPHASH_KEY_LEN))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("could not generate a random key")));

	catalog = dbvc_catalog_scan(snapshot, keep != NULL, read_row, &reader);
	if (keep != NULL)
		*keep = catalog;
	sums = finish(&reader, context);
	MemoryContextDelete(work);
	return sums;
}

/* ---------------------------------------------------------------- comparing */

uint64
dbvc_sums_object(const DbvcSums *sums, Oid classid, Oid objid)
{
	return sums->slots[sum_find(sums, classid, objid)].sum;
}

bool
dbvc_sums_equal(const DbvcSums *a, const DbvcSums *b, bool versions)
{
	/*
	 * The total is a sum of keyed hashes of whole rows, their OIDs included:
	 * it says no less than the sums of the objects do one by one.
	 */
	return memcmp(a->key, b->key, sizeof(a->key)) == 0 &&
		   a->names == b->names && a->used == b->used &&
		   a->total == b->total && (!versions || a->versions == b->versions);
}

bool
dbvc_sums_comparable(const DbvcSums *a, const DbvcSums *b)
{
	return memcmp(a->key, b->key, sizeof(a->key)) == 0 && a->names == b->names;
}

uint32
dbvc_sums_count(const DbvcSums *sums)
{
	return sums->used;
}

/* Objects of one that the other does not have, or, if both, with another sum. */
static void
add_differing(const DbvcSums *from, const DbvcSums *other, bool both,
			  void (*visit)(const DbvcObject *object, void *arg), void *arg)
{
	for (uint32 i = 0; i <= from->mask; i++)
	{
		const SumSlot *slot = &from->slots[i];
		const SumSlot *twin;
		DbvcObject object = {slot->classid, slot->objid};

		if (!OidIsValid(slot->classid))
			continue;
		twin = &other->slots[sum_find(other, slot->classid, slot->objid)];
		if (!OidIsValid(twin->classid) || (both && twin->sum != slot->sum))
			visit(&object, arg);
	}
}

void
dbvc_sums_differing(const DbvcSums *before, const DbvcSums *after,
					void (*visit)(const DbvcObject *object, void *arg),
					void *arg)
{
	add_differing(before, after, true, visit, arg);
	add_differing(after, before, false, visit, arg);
}

/* ----------------------------------------------------- definitions that may
 * change without a change of rows */

void
dbvc_sums_set_unstable(DbvcSums *sums, const DbvcList *list)
{
	int count = 0;

	for (int i = 0; i < list->count; i++)
		count += list->entries[i].unstable ? 1 : 0;
	sums->unstable_count = 0;
	sums->unstable = MemoryContextAlloc(sums->context,
										Max(count, 1) * sizeof(DbvcUnstable));
	for (int i = 0; i < list->count; i++)
	{
		const DbvcEntry *entry = &list->entries[i];
		DbvcUnstable *unstable = &sums->unstable[sums->unstable_count];

		if (!entry->unstable)
			continue;
		unstable->object.classid = entry->classid;
		unstable->object.objid = entry->objid;
		memcpy(unstable->hash, entry->hash, DBVC_SHA256_LEN);
		sums->unstable_count++;
	}
}

void
dbvc_sums_copy_unstable(DbvcSums *to, const DbvcSums *from)
{
	Size size = Max(from->unstable_count, 1) * sizeof(DbvcUnstable);

	to->unstable_count = from->unstable_count;
	to->unstable = MemoryContextAlloc(to->context, size);
	memcpy(to->unstable, from->unstable,
		   from->unstable_count * sizeof(DbvcUnstable));
}

int
dbvc_sums_unstable(const DbvcSums *sums, int i, DbvcObject *object,
				   const uint8 **hash)
{
	if (i < sums->unstable_count)
	{
		*object = sums->unstable[i].object;
		*hash = sums->unstable[i].hash;
	}
	return sums->unstable_count;
}

/* ---------------------------------------------------------------- as bytes */

#define SUMS_MAGIC 0x64627673 /* dbvs */
#define SUMS_FORMAT 1

typedef struct StoredSums
{
	uint32 magic;
	uint32 format;
	uint32 server_version;
	uint32 definition_version;
	uint64 system_identifier;
	uint32 database;
	uint32 count;
	uint32 unstable_count;
	uint32 unused;
	uint64 names;
	uint64 total;
	uint8 key[DBVC_SIPHASH_KEY_LEN];
	/* count SumSlots and unstable_count DbvcUnstables follow */
} StoredSums;

static uint32
server_version(void)
{
	/* of the running server: a minor one may turn trees to text otherwise */
	return (
		uint32) strtoul(GetConfigOption("server_version_num", false, false),
						NULL, 10);
}

bytea *
dbvc_sums_store(const DbvcSums *sums)
{
	Size slots = (Size) sums->used * sizeof(SumSlot);
	Size unstable = (Size) sums->unstable_count * sizeof(DbvcUnstable);
	Size len = VARHDRSZ + sizeof(StoredSums) + slots + unstable;
	bytea *stored = palloc(len);
	char *at = VARDATA(stored);
	StoredSums head = {0};

	head.magic = SUMS_MAGIC;
	head.format = SUMS_FORMAT;
	head.server_version = server_version();
	head.definition_version = DBVC_DEFINITION_VERSION;
	head.system_identifier = GetSystemIdentifier();
	head.database = MyDatabaseId;
	head.count = sums->used;
	head.unstable_count = sums->unstable_count;
	head.names = sums->names;
	head.total = sums->total;
	memcpy(head.key, sums->key, sizeof(head.key));
	SET_VARSIZE(stored, len);
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	for (uint32 i = 0; i <= sums->mask; i++)
		if (OidIsValid(sums->slots[i].classid))
		{
			memcpy(at, &sums->slots[i], sizeof(SumSlot));
			at += sizeof(SumSlot);
		}
	if (unstable > 0)
		memcpy(at, sums->unstable, unstable);
	return stored;
}

DbvcSums *
dbvc_sums_load(const bytea *stored)
{
	Size len = VARSIZE_ANY_EXHDR(stored);
	const char *at = VARDATA_ANY(stored);
	StoredSums head;
	DbvcSums *sums;
	uint64 total = 0;

	if (len < sizeof(head))
		return NULL;
	memcpy(&head, at, sizeof(head));
	if (head.magic != SUMS_MAGIC || head.format != SUMS_FORMAT ||
		head.server_version != server_version() ||
		head.definition_version != DBVC_DEFINITION_VERSION ||
		head.system_identifier != GetSystemIdentifier() ||
		head.database != MyDatabaseId ||
		len != sizeof(head) + (Size) head.count * sizeof(SumSlot) +
				   (Size) head.unstable_count * sizeof(DbvcUnstable))
		return NULL;
	at += sizeof(head);

	sums = sums_new(CurrentMemoryContext, head.count);
	memcpy(sums->key, head.key, sizeof(sums->key));
	sums->names = head.names;
	sums->total = head.total;
	for (uint32 i = 0; i < head.count; i++, at += sizeof(SumSlot))
	{
		SumSlot slot;
		uint32 to;

		memcpy(&slot, at, sizeof(slot));
		to = sum_find(sums, slot.classid, slot.objid);
		if (!OidIsValid(slot.classid) || OidIsValid(sums->slots[to].classid))
			return NULL;
		sums->slots[to] = slot;
		total += slot.sum;
	}
	sums->used = head.count;
	if (total != head.total)
		return NULL;
	sums->unstable_count = head.unstable_count;
	sums->unstable =
		palloc(Max(head.unstable_count, 1) * sizeof(DbvcUnstable));
	memcpy(sums->unstable, at, head.unstable_count * sizeof(DbvcUnstable));
	return sums;
}

bool
dbvc_sums_stored_key(const bytea *stored, uint8 key[DBVC_SIPHASH_KEY_LEN])
{
	StoredSums head;

	if (VARSIZE_ANY_EXHDR(stored) < sizeof(head))
		return false;
	memcpy(&head, VARDATA_ANY(stored), sizeof(head));
	if (head.magic != SUMS_MAGIC || head.format != SUMS_FORMAT ||
		head.system_identifier != GetSystemIdentifier() ||
		head.database != MyDatabaseId)
		return false;
	memcpy(key, head.key, DBVC_SIPHASH_KEY_LEN);
	return true;
}

const uint8 *
dbvc_sums_key(const DbvcSums *sums)
{
	return sums->key;
}
