/*
 * sums.c
 *		Sums over catalog rows: a table by object, compared, stored and loaded.
 */
#include "snapshot/sums.h"

#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)

/* One stable pass over a digit of the OIDs; false when they all have the same. */
static bool
sort_digit(const DbvcSum *from, DbvcSum *to, uint32 count, int shift)
{
	uint32 at[DIGITS] = {0};
	uint32 sum = 0;

	for (uint32 i = 0; i < count; i++)
		at[(from[i].objid >> shift) & (DIGITS - 1)]++;
	if (count == 0 || at[(from[0].objid >> shift) & (DIGITS - 1)] == count)
		return false;
	for (int i = 0; i < DIGITS; i++)
	{
		uint32 n = at[i];

		at[i] = sum;
		sum += n;
	}
	for (uint32 i = 0; i < count; i++)
		to[at[(from[i].objid >> shift) & (DIGITS - 1)]++] = from[i];
	return true;
}

/* Add a sum to the run of those with the same objid that starts at first;
 * returns the end of the run. */
static uint32
add_to_run(DbvcSum *sums, uint32 first, uint32 end, DbvcSum sum)
{
	uint32 at = end;

	while (at > first && sums[at - 1].classid > sum.classid)
		at--;
	if (at > first && sums[at - 1].classid == sum.classid)
	{
		sums[at - 1].sum += sum.sum;
		return end;
	}
	memmove(&sums[at + 1], &sums[at], (end - at) * sizeof(DbvcSum));
	sums[at] = sum;
	return end + 1;
}

DbvcSum *
dbvc_sums_gather(DbvcSum *sums, DbvcSum *spare, uint32 *count)
{
	uint32 first = 0; /* of those with the current objid */
	uint32 end = 0;

	for (int shift = 0; shift < 32; shift += DIGIT_BITS)
		if (sort_digit(sums, spare, *count, shift))
		{
			DbvcSum *sorted = spare;

			spare = sums;
			sums = sorted;
		}
	for (uint32 i = 0; i < *count; i++)
	{
		DbvcSum sum = sums[i];

		if (end > first && sums[first].objid != sum.objid)
			first = end;
		end = add_to_run(sums, first, end, sum);
	}
	*count = end;
	return sums;
}

/* ---------------------------------------------------------------- comparing */

uint64
dbvc_sums_object(const DbvcSums *sums, Oid classid, Oid objid)
{
	DbvcSum wanted = {.objid = objid, .classid = (uint16) classid};
	uint32 low = 0;
	uint32 high = sums->count;

	while (low < high)
	{
		uint32 middle = low + (high - low) / 2;
		int order = dbvc_sum_compare(&sums->objects[middle], &wanted);

		if (order == 0)
			return sums->objects[middle].sum;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

bool
dbvc_sums_equal(const DbvcSums *a, const DbvcSums *b)
{
	/*
	 * The total is a sum of keyed hashes of whole rows, their OIDs included:
	 * it says no less than the sums of the objects do one by one.
	 */
	return memcmp(a->key, b->key, sizeof(a->key)) == 0 &&
		   a->names == b->names && a->count == b->count &&
		   a->total == b->total;
}

bool
dbvc_sums_comparable(const DbvcSums *a, const DbvcSums *b)
{
	return memcmp(a->key, b->key, sizeof(a->key)) == 0 && a->names == b->names;
}

uint32
dbvc_sums_count(const DbvcSums *sums)
{
	return sums->count;
}

/* Go through two sorted arrays and show where they differ. */
static void
compare_sums(const DbvcSum *a, uint32 a_count, const DbvcSum *b,
			 uint32 b_count, DbvcSumVisitor visit, void *arg)
{
	const DbvcSum *a_end = a + a_count;
	const DbvcSum *b_end = b + b_count;

	while (a < a_end || b < b_end)
	{
		int order = a == a_end ? 1 : b == b_end ? -1 : dbvc_sum_compare(a, b);
		DbvcObject object;

		object.classid = order <= 0 ? a->classid : b->classid;
		object.objid = order <= 0 ? a->objid : b->objid;
		if (order != 0 || a->sum != b->sum)
			visit(&object, arg);
		a += order <= 0;
		b += order >= 0;
	}
}

void
dbvc_sums_differing(const DbvcSums *before, const DbvcSums *after,
					DbvcSumVisitor visit, void *arg)
{
	compare_sums(before->objects, before->count, after->objects, after->count,
				 visit, arg);
}

static void
gather_rows(DbvcSums *sums)
{
	DbvcSum *spare;
	DbvcSum *gathered;

	if (sums->rows_gathered)
		return;
	spare = MemoryContextAllocHuge(sums->context,
								   (Size) Max(sums->rows->count, 1) *
									   sizeof(DbvcSum));
	gathered = dbvc_sums_gather(sums->rows->sums, spare, &sums->rows->count);
	pfree(gathered == spare ? sums->rows->sums : spare);
	sums->rows->sums = gathered;
	sums->rows_gathered = true;
}

typedef struct Touched
{
	const DbvcSums *before;
	const DbvcSums *after;
	DbvcSumVisitor visit;
	DbvcSumVisitor visit_class;
	void *arg;
} Touched;

static void
visit_rows(const DbvcObject *object, void *arg)
{
	Touched *touched = arg;
	DbvcObject whole = *object;

	if (object->classid == 0)
		whole.classid = RelationRelationId;
	/* temporary objects are not looked at */
	if (dbvc_sums_object(touched->before, whole.classid, whole.objid) == 0 &&
		dbvc_sums_object(touched->after, whole.classid, whole.objid) == 0)
		return;
	if (object->classid == 0)
		touched->visit_class(&whole, touched->arg);
	else
		touched->visit(&whole, touched->arg);
}

bool
dbvc_sums_touched(DbvcSums *before, DbvcSums *after, DbvcSumVisitor visit,
				  DbvcSumVisitor visit_class, void *arg)
{
	Touched touched = {before, after, visit, visit_class, arg};

	if (before->rows == NULL || after->rows == NULL ||
		!dbvc_sums_comparable(before, after) ||
		before->system_rows != after->system_rows)
		return false;
	gather_rows(before);
	gather_rows(after);
	dbvc_sums_differing(before, after, visit, arg);
	compare_sums(before->rows->sums, before->rows->count, after->rows->sums,
				 after->rows->count, visit_rows, &touched);
	return true;
}

void
dbvc_sums_forget_rows(DbvcSums *sums)
{
	if (sums->rows != NULL)
	{
		pfree(sums->rows->sums);
		pfree(sums->rows);
	}
	sums->rows = NULL;
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
	if (from->unstable_count > 0)
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
#define SUMS_FORMAT 3

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
	/* count DbvcSums and unstable_count DbvcUnstables follow */
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
	Size objects = (Size) sums->count * sizeof(DbvcSum);
	Size unstable = (Size) sums->unstable_count * sizeof(DbvcUnstable);
	Size len = VARHDRSZ + sizeof(StoredSums) + objects + unstable;
	bytea *stored = palloc(len);
	char *at = VARDATA(stored);
	StoredSums head = {0};

	head.magic = SUMS_MAGIC;
	head.format = SUMS_FORMAT;
	head.server_version = server_version();
	head.definition_version = DBVC_DEFINITION_VERSION;
	head.system_identifier = GetSystemIdentifier();
	head.database = MyDatabaseId;
	head.count = sums->count;
	head.unstable_count = sums->unstable_count;
	head.names = sums->names;
	head.total = sums->total;
	memcpy(head.key, sums->key, sizeof(head.key));
	SET_VARSIZE(stored, len);
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	memcpy(at, sums->objects, objects);
	at += objects;
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
	Size objects;
	uint64 total = 0;

	if (len < sizeof(head))
		return NULL;
	memcpy(&head, at, sizeof(head));
	if (head.magic != SUMS_MAGIC || head.format != SUMS_FORMAT ||
		head.server_version != server_version() ||
		head.definition_version != DBVC_DEFINITION_VERSION ||
		head.system_identifier != GetSystemIdentifier() ||
		head.database != MyDatabaseId ||
		len != sizeof(head) + (Size) head.count * sizeof(DbvcSum) +
				   (Size) head.unstable_count * sizeof(DbvcUnstable))
		return NULL;
	at += sizeof(head);
	objects = (Size) head.count * sizeof(DbvcSum);

	sums = MemoryContextAllocZero(CurrentMemoryContext, sizeof(DbvcSums));
	sums->context = CurrentMemoryContext;
	memcpy(sums->key, head.key, sizeof(sums->key));
	sums->names = head.names;
	sums->total = head.total;
	sums->count = head.count;
	sums->objects = palloc_extended(objects + 1, MCXT_ALLOC_HUGE);
	memcpy(sums->objects, at, objects);
	for (uint32 i = 0; i < head.count; i++)
	{
		if (i > 0 &&
			dbvc_sum_compare(&sums->objects[i - 1], &sums->objects[i]) >= 0)
			return NULL;
		total += sums->objects[i].sum;
	}
	if (total != head.total)
		return NULL;
	sums->unstable_count = head.unstable_count;
	sums->unstable =
		palloc(Max(head.unstable_count, 1) * sizeof(DbvcUnstable));
	memcpy(sums->unstable, at + objects,
		   head.unstable_count * sizeof(DbvcUnstable));
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
