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
 * What is depended on without a trace in pg_depend is the context: all rows of
 * the system's own objects, in one sum, and names of roles, schemas,
 * tablespaces, languages and access methods, each like an object of a class of its
 * own.  When the sum differs, or such a name is changed or gone, everything may
 * look otherwise; a new name is in nothing that was there before.
 *
 * Temporary objects are left out, unless something that is not temporary
 * depends on them.
 */
#include "snapshot/row_plan.h"
#include "snapshot/sums.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_db_role_setting.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_tablespace.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* A temporary object. */
typedef struct LeftOut
{
	DbvcObject object;
	bool referenced; /* by something that is not temporary */
} LeftOut;

typedef struct Reader
{
	DbvcSums *sums;
	DbvcStream found;
	DbvcStream *rows; /* their versions */
	HTAB *left_out;
	bool has_left_out;
	DbvcRowPlan plan;
	Oid *temporary_schemas;
	int temporary_schema_count;
	char *buf;
	Size allocated;
} Reader;

/* ------------------------------------------------------------ sums by object */

static inline void
add_sum(DbvcStream *stream, Oid classid, Oid objid, uint64 sum)
{
	DbvcSum *last = &stream->sums[stream->count];

	/* rows of one object often follow each other */
	if (stream->count > 0 && last[-1].objid == objid &&
		last[-1].classid == classid)
	{
		last[-1].sum += sum;
		return;
	}
	if (stream->count == stream->allocated)
	{
		stream->allocated *= 2;
		stream->sums = repalloc_huge(stream->sums, (Size) stream->allocated *
													   sizeof(DbvcSum));
		last = &stream->sums[stream->count];
	}
	last->objid = objid;
	last->classid = (uint16) classid;
	last->unused = 0;
	last->sum = sum;
	stream->count++;
}

static void
stream_init(DbvcStream *stream, MemoryContext context)
{
	stream->allocated = 16 * 1024;
	stream->sums = MemoryContextAllocHuge(context, (Size) stream->allocated *
													   sizeof(DbvcSum));
	stream->count = 0;
}

static LeftOut *
left_out_find(const Reader *reader, Oid classid, Oid objid)
{
	DbvcObject object = {classid, objid};

	return hash_search(reader->left_out, &object, HASH_FIND, NULL);
}

static void
leave_out(Reader *reader, Oid classid, Oid objid)
{
	DbvcObject object = {classid, objid};
	bool found;
	LeftOut *left_out =
		hash_search(reader->left_out, &object, HASH_ENTER, &found);

	if (!found)
		left_out->referenced = false;
	reader->has_left_out = true;
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
	const DbvcRowPlan *plan = &reader->plan;
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
	if (plan->pending_offset >= 0 && data[plan->pending_offset] == 'p')
		data[plan->pending_offset] = 'e';
	if (plan->text_offset >= 0)
	{
		/* most of a name is nothing: close the gap behind its end */
		char *end = data + plan->text_offset;
		char *rest = end + NAMEDATALEN;
		Size rest_len = buf + sizeof(prefix) + len - rest;

		end += strnlen(end, NAMEDATALEN - 1) + 1;
		memmove(end, rest, rest_len);
		len -= rest - end;
	}
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
	const DbvcRowPlan *plan = &reader->plan;

	if (plan->namespace_offset >= 0 &&
		is_temporary_schema(reader, oid_at(tuple, plan->namespace_offset)))
		return true;
	return plan->parent_offset >= 0 && reader->has_left_out &&
		   left_out_find(reader, RelationRelationId,
						 oid_at(tuple, plan->parent_offset)) != NULL;
}

/*
 * A temporary object that something else depends on (a function that returns
 * rows of a temporary table) is not left out.
 */
static void
note_reference(Reader *reader, Form_pg_depend depend)
{
	LeftOut *referenced;

	if (depend->refobjid < FirstNormalObjectId)
		return;
	referenced = left_out_find(reader, depend->refclassid, depend->refobjid);
	if (referenced != NULL &&
		left_out_find(reader, depend->classid, depend->objid) == NULL)
		referenced->referenced = true;
}

/*
 * Defaults and internal triggers of temporary tables are no objects of the
 * sums, but they depend on others and others do on them.
 */
static void
note_part(Reader *reader, HeapTuple tuple)
{
	Oid table;
	Oid part;

	if (reader->plan.relation == AttrDefaultRelationId)
	{
		table = ((Form_pg_attrdef) GETSTRUCT(tuple))->adrelid;
		part = ((Form_pg_attrdef) GETSTRUCT(tuple))->oid;
	}
	else if (reader->plan.relation == TriggerRelationId)
	{
		table = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
		part = ((Form_pg_trigger) GETSTRUCT(tuple))->oid;
	}
	else
		return;
	if (left_out_find(reader, RelationRelationId, table) != NULL)
		leave_out(reader, reader->plan.relation, part);
}

/* Rows of what the system has, save what users may call theirs. */
static bool
is_of_system(Oid classid, Oid objid)
{
	return objid < FirstNormalObjectId && classid != DbRoleSettingRelationId &&
		   !(classid == NamespaceRelationId && objid == PG_PUBLIC_NAMESPACE);
}

/*
 * What depends on what is not shown by definitions, but it is how closure.c
 * finds its way: who loses such a row by hand is looked at again.
 */
static bool
is_reference(Oid relation, HeapTuple tuple)
{
	char type;

	if (relation != DependRelationId)
		return false;
	type = ((Form_pg_depend) GETSTRUCT(tuple))->deptype;
	return type == DEPENDENCY_NORMAL || type == DEPENDENCY_AUTO;
}

static void
read_row(Relation relation, DbvcShelf shelf, HeapTuple tuple, void *arg)
{
	Reader *reader = arg;
	DbvcRowPlan *plan = &reader->plan;
	DbvcSums *sums = reader->sums;
	bool left_out;
	uint64 hash;
	uint64 version;
	Oid classid;
	Oid objid;

	if (plan->relation != RelationGetRelid(relation))
		dbvc_plan_relation(plan, relation, shelf);
	if (plan->relation == DependRelationId && reader->has_left_out)
		note_reference(reader, (Form_pg_depend) GETSTRUCT(tuple));
	if (reader->has_left_out)
		note_part(reader, tuple);
	if (dbvc_catalog_skips(plan->relation, tuple) &&
		!is_reference(plan->relation, tuple))
		return;

	if (plan->relation == NamespaceRelationId &&
		note_schema(reader, (Form_pg_namespace) GETSTRUCT(tuple)))
		return;
	left_out = is_left_out(reader, tuple);
	if (plan->name_offset >= 0)
		add_sum(&reader->found, DBVC_SUM_NAME | plan->relation,
				oid_at(tuple, plan->key_offset), hash_name(reader, tuple));
	if (plan->only_name)
		return;

	classid = plan->class_offset >= 0 ? oid_at(tuple, plan->class_offset)
									  : plan->owner;
	objid = oid_at(tuple, plan->key_offset);
	if (is_of_system(classid, objid) || classid >= DBVC_SUM_NAME)
	{
		sums->names += hash_row(reader, tuple);
		sums->system_rows += row_version(plan->relation, tuple);
		return;
	}
	if (left_out)
		leave_out(reader, classid, objid);
	hash = hash_row(reader, tuple);
	version = row_version(plan->relation, tuple);
	add_sum(&reader->found, classid, objid, hash);
	add_sum(reader->rows, plan->relation == RelationRelationId ? 0 : classid,
			objid, version);
	for (int i = 0; i < plan->whole_count; i++)
	{
		Oid whole = oid_at(tuple, plan->whole_offset[i]);

		/* when a part is deleted, nothing else tells whose it was */
		if (whole >= FirstNormalObjectId)
		{
			add_sum(&reader->found, plan->whole_class[i], whole, hash);
			add_sum(reader->rows, plan->whole_class[i], whole, version);
		}
	}

	/* what is added to the system's schema may change how the rest is found */
	if (plan->namespace_offset >= 0 &&
		oid_at(tuple, plan->namespace_offset) == PG_CATALOG_NAMESPACE)
		sums->names += hash;
}

/* Put the sums in order, without what is left out, in no more room than they
 * need. */
static DbvcSums *
finish(Reader *reader, MemoryContext context)
{
	DbvcSums *sums = MemoryContextAlloc(context, sizeof(DbvcSums));
	uint32 count = reader->found.count;
	DbvcSum *spare = palloc_extended((Size) Max(count, 1) * sizeof(DbvcSum),
									 MCXT_ALLOC_HUGE);
	DbvcSum *gathered = dbvc_sums_gather(reader->found.sums, spare, &count);

	*sums = *reader->sums;
	sums->context = context;
	sums->objects = MemoryContextAllocHuge(context, (Size) Max(count, 1) *
														sizeof(DbvcSum));
	for (uint32 i = 0; i < count; i++)
	{
		if (reader->has_left_out)
		{
			const LeftOut *left_out =
				left_out_find(reader, gathered[i].classid, gathered[i].objid);

			if (left_out != NULL && !left_out->referenced)
				continue;
		}
		sums->objects[sums->count++] = gathered[i];
		sums->total += gathered[i].sum;
	}
	return sums;
}

DbvcSums *
dbvc_sums_read(Snapshot snapshot, const uint8 key[16], DbvcCatalog **keep)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(context, "dbvc detector",
											   ALLOCSET_DEFAULT_SIZES);
	DbvcSums head = {0};
	Reader reader = {0};
	HASHCTL ctl = {0};
	DbvcCatalog *catalog;
	DbvcSums *sums;

	head.context = work;
	if (key != NULL)
		memcpy(head.key, key, DBVC_SIPHASH_KEY_LEN);
	else if (!pg_strong_random(head.key, DBVC_SIPHASH_KEY_LEN))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("could not generate a random key")));
	reader.sums = &head;
	stream_init(&reader.found, work);
	head.rows = reader.rows = palloc(sizeof(DbvcStream));
	stream_init(reader.rows, context);
	reader.temporary_schemas = MemoryContextAlloc(work, sizeof(Oid));
	reader.allocated = 8192;
	reader.buf = MemoryContextAlloc(work, reader.allocated);
	ctl.keysize = sizeof(DbvcObject);
	ctl.entrysize = sizeof(LeftOut);
	ctl.hcxt = work;
	reader.left_out = hash_create("dbvc temporary objects", 256, &ctl,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	catalog = dbvc_catalog_scan(snapshot, keep != NULL, read_row, &reader);
	if (keep != NULL)
		*keep = catalog;
	MemoryContextSwitchTo(work);
	sums = finish(&reader, context);
	MemoryContextSwitchTo(context);
	MemoryContextDelete(work);
	return sums;
}

/* ---------------------------------------------------------------- versions */

/* Could the version of a row be seen at some time from one snapshot to the
 * other? */
static bool
was_visible(HeapTupleHeader header, Snapshot from, Snapshot to)
{
	TransactionId xmin = HeapTupleHeaderGetXmin(header);
	TransactionId xmax;

	if (!HeapTupleHeaderXminFrozen(header) &&
		!TransactionIdIsCurrentTransactionId(xmin) &&
		(XidInMVCCSnapshot(xmin, to) || !TransactionIdDidCommit(xmin)))
		return false;
	if ((header->t_infomask & HEAP_XMAX_INVALID) ||
		HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask))
		return true;
	xmax = HeapTupleHeaderGetUpdateXid(header);
	if (TransactionIdIsCurrentTransactionId(xmax))
		return false; /* our own doing, from before */
	return XidInMVCCSnapshot(xmax, from) || !TransactionIdDidCommit(xmax);
}

bool
dbvc_class_row_was_same(const DbvcSums *sums, Oid relation, Snapshot from,
						Snapshot to)
{
	Relation class = table_open(RelationRelationId, AccessShareLock);
	Reader reader = {0};
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	uint64 hash = 0;
	int count = 0;
	bool same = true;

	reader.sums = unconstify(DbvcSums *, sums);
	reader.allocated = 1024;
	reader.buf = palloc(reader.allocated);
	dbvc_plan_relation(&reader.plan, class, DBVC_SHELF_CLASS);
	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	/* what was committed since a registered snapshot is still there */
	scan =
		systable_beginscan(class, ClassOidIndexId, true, SnapshotAny, 1, &key);
	while (same && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (!was_visible(tuple->t_data, from, to))
			continue;
		same = count == 0 || hash == hash_row(&reader, tuple);
		hash = hash_row(&reader, tuple);
		count++;
	}
	systable_endscan(scan);
	table_close(class, AccessShareLock);
	pfree(reader.buf);
	return same && count > 0;
}
