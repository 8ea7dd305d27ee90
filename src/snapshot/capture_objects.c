/*
 * capture_objects.c
 *		The definitions of a round of a capture: all of them, or those that may have
 *		changed.
 */
#include "snapshot/capture.h"

#include "catalog/objectaddress.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#define BATCH 200
#define ARENA_BLOCK ((Size) 256 * 1024)

/* ------------------------------------------------------------- definitions */

/* Keep the body; the first that has this hash. */
static void
keep_body(DbvcRound *round, const DbvcDefinition *definition)
{
	DbvcCapture *capture = round->capture;
	DbvcBody *body;
	const char *utf8;
	char *copy;
	Size len;
	bool found;

	body = hash_search(capture->bodies, definition->hash, HASH_ENTER, &found);
	if (found)
		return;
	utf8 = dbvc_to_utf8(definition->body, &len);
	if (len + 1 > ARENA_BLOCK / 8)
		copy = MemoryContextAllocHuge(capture->context, len + 1);
	else
	{
		if (len + 1 > round->left)
		{
			round->free = MemoryContextAlloc(capture->context, ARENA_BLOCK);
			round->left = ARENA_BLOCK;
		}
		copy = round->free;
		round->free += len + 1;
		round->left -= len + 1;
	}
	memcpy(copy, utf8, len);
	copy[len] = '\0';
	body->text = copy;
	body->len = len;
}

/* Make the definitions of the next objects; runs in a subtransaction. */
static void
define_batch(void *arg)
{
	DbvcRound *round = arg;
	MemoryContext old = MemoryContextSwitchTo(round->scratch);

	for (int i = round->done; i < round->end; i++)
	{
		const DbvcObject *object = &round->objects[i];
		DbvcDefinition definition;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(round->scratch);
		if (!dbvc_define(round->catalog, object->classid, object->objid,
						 &definition))
			continue;
		dbvc_list_add(round->made, &definition,
					  dbvc_sums_object(round->sums, object->classid,
									   object->objid));
		keep_body(round, &definition);
		round->capture->objects_defined++;
	}
	MemoryContextSwitchTo(old);
}

static uint32
hash_of_body(const void *key, Size keysize)
{
	uint32 hash;

	memcpy(&hash, key, sizeof(hash)); /* it is one already */
	return hash;
}

static HTAB *
new_bodies(MemoryContext context, long expected)
{
	HASHCTL ctl = {0};

	ctl.keysize = DBVC_SHA256_LEN;
	ctl.entrysize = sizeof(DbvcBody);
	ctl.hash = hash_of_body;
	ctl.hcxt = context;
	return hash_create("dbvc bodies", expected, &ctl,
					   HASH_ELEM | HASH_FUNCTION | HASH_CONTEXT);
}

/* Errors that have nothing to do with the schema. */
static bool
is_final(const ErrorData *error)
{
	int category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	if (error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED)
		return false;
	return category == ERRCODE_TRANSACTION_ROLLBACK ||
		   category == ERRCODE_INSUFFICIENT_RESOURCES ||
		   category == ERRCODE_OPERATOR_INTERVENTION ||
		   category == ERRCODE_SYSTEM_ERROR ||
		   error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		   error->sqlerrcode == ERRCODE_DATA_CORRUPTED ||
		   error->sqlerrcode == ERRCODE_INDEX_CORRUPTED;
}

/* Define the next objects; the error, if there is one, after which none of
 * them counts. */
static ErrorData *
try_batch(DbvcRound *round, int end)
{
	int made = round->made->count;
	MemoryContext old = MemoryContextSwitchTo(round->capture->context);
	ErrorData *error;

	round->end = end;
	error = dbvc_subtransaction(define_batch, round, false);
	MemoryContextSwitchTo(old);
	if (error == NULL)
		return NULL;
	if (is_final(error))
		ReThrowError(error);
	round->made->count = made;
	return error;
}

static void
note_failure(DbvcRound *round, ErrorData *error)
{
	Size size = (Size) (round->failed_count + 1) * sizeof(DbvcFailure);
	DbvcFailure *failure;

	round->failed = round->failed == NULL
						? MemoryContextAllocHuge(round->capture->context, size)
						: repalloc_huge(round->failed, size);
	failure = &round->failed[round->failed_count++];
	failure->object = round->objects[round->done];
	failure->error = error;
}

/*
 * Define round->objects into round->made, sorted.  Errors are kept: what else
 * has happened meanwhile tells whether they mean anything.
 */
static void
define_objects(DbvcRound *round)
{
	DbvcCapture *capture = round->capture;

	round->made = dbvc_list_new(capture->context);
	capture->bodies = new_bodies(capture->context, Max(round->count, 16));
	if (round->count == 0)
		return;
	round->scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc definition",
							  (Size) 128 * 1024, (Size) 128 * 1024,
							  (Size) 8 * 1024 * 1024);

	/* what was cached earlier may be older than our snapshot */
	InvalidateSystemCaches();
	while (round->done < round->count)
	{
		int end = Min(round->done + BATCH, round->count);

		if (try_batch(round, end) == NULL)
		{
			round->done = end;
			continue;
		}
		/* one by one: who was it? */
		for (; round->done < end; round->done++)
		{
			ErrorData *error = try_batch(round, round->done + 1);

			if (error != NULL)
				note_failure(round, error);
		}
	}
	MemoryContextDelete(round->scratch);
	dbvc_list_sort(round->made);
}

static void
add_object(DbvcRound *round, Oid classid, Oid objid)
{
	if (round->count == round->allocated)
	{
		Size size;

		round->allocated = Max(round->allocated * 2, 1024);
		size = (Size) round->allocated * sizeof(DbvcObject);
		round->objects =
			round->objects == NULL
				? MemoryContextAllocHuge(CurrentMemoryContext, size)
				: repalloc_huge(round->objects, size);
	}
	round->objects[round->count].classid = classid;
	round->objects[round->count++].objid = objid;
}

/* ------------------------------------------------------------- from nothing */

void
dbvc_capture_all(DbvcRound *round)
{
	const DbvcShelf *shelves = dbvc_definition_shelves();

	round->count = 0;
	for (; *shelves != DBVC_SHELF_COUNT; shelves++)
	{
		int count;
		Oid *keys = dbvc_catalog_keys(round->catalog, *shelves, &count);

		for (int i = 0; i < count; i++)
			add_object(round, dbvc_shelf_info(*shelves)->relation, keys[i]);
		pfree(keys);
	}
	define_objects(round);
	round->capture->list = round->made;
	round->capture->full = true;
}

/* --------------------------------------------------- from what was there */

static DbvcList *
start_list(DbvcStart *start, MemoryContext context)
{
	if (start->list == NULL && start->base != NULL)
		start->list = dbvc_capture_list((DbvcCapture *) start->base);
	if (start->list == NULL)
		start->list = dbvc_list_load(start->root, context);
	return start->list;
}

HTAB *
dbvc_capture_set(const DbvcObject *objects, int count)
{
	HASHCTL ctl = {0};
	HTAB *set;

	ctl.keysize = sizeof(DbvcObject);
	ctl.entrysize = sizeof(DbvcObject);
	ctl.hcxt = CurrentMemoryContext;
	set = hash_create("dbvc objects", Max(count, 16), &ctl,
					  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < count; i++)
		hash_search(set, &objects[i], HASH_ENTER, NULL);
	return set;
}

/* The entries of the list as it was that were not made again, and those that
 * were. */
static DbvcList *
merge_lists(const DbvcList *old, HTAB *again, const DbvcList *made,
			MemoryContext context)
{
	DbvcList *list = dbvc_list_new(context);
	int next = 0;

	for (int i = 0; i < old->count; i++)
	{
		const DbvcEntry *entry = &old->entries[i];
		DbvcObject object = {entry->classid, entry->objid};

		if (hash_search(again, &object, HASH_FIND, NULL) != NULL)
			continue;
		while (next < made->count &&
			   dbvc_entry_compare(&made->entries[next], entry) < 0)
			*dbvc_list_append(list) = made->entries[next++];
		*dbvc_list_append(list) = *entry;
	}
	while (next < made->count)
		*dbvc_list_append(list) = made->entries[next++];
	return list;
}

/* Do definitions that depend on more than pg_depend says still look the same? */
static bool
unstable_are_equal(DbvcRound *round)
{
	DbvcSums *sums = round->start->sums;
	int count = dbvc_sums_unstable(sums, INT_MAX, NULL, NULL);

	if (round->made->count != count)
		return false;
	/* both were noted in the order of a list */
	for (int i = 0; i < count; i++)
	{
		const DbvcEntry *entry = &round->made->entries[i];
		DbvcObject object;
		const uint8 *hash;

		(void) dbvc_sums_unstable(sums, i, &object, &hash);
		if (!entry->unstable || entry->classid != object.classid ||
			entry->objid != object.objid ||
			memcmp(entry->hash, hash, DBVC_SHA256_LEN) != 0)
			return false;
	}
	return true;
}

static void
take_start(DbvcRound *round)
{
	DbvcCapture *capture = round->capture;
	const DbvcStart *start = round->start;

	capture->has_root = start->has_root;
	memcpy(capture->root, start->root, DBVC_SHA256_LEN);
	capture->list = start->base != NULL ? start->base->list : start->list;
	dbvc_sums_copy_unstable(round->sums, start->sums);
}

/* What is made again whatever the rows say. */
static DbvcObject *
objects_in_doubt(const DbvcStart *start, int *count)
{
	const DbvcRound *before = start->before;
	int unstable = dbvc_sums_unstable(start->sums, INT_MAX, NULL, NULL);
	int failed = before != NULL ? before->failed_count : 0;
	DbvcObject *objects =
		palloc_extended((Size) (unstable + failed + 1) * sizeof(DbvcObject),
						MCXT_ALLOC_HUGE);
	const uint8 *hash;

	for (*count = 0; *count < unstable; (*count)++)
		(void) dbvc_sums_unstable(start->sums, *count, &objects[*count],
								  &hash);
	for (int i = 0; i < failed; i++)
		objects[(*count)++] = before->failed[i].object;
	return objects;
}

/* Make what may have changed since the start; everything, when that is less
 * work or nobody can tell. */
void
dbvc_capture_changed(DbvcRound *round)
{
	DbvcStart *start = round->start;
	Snapshot since = start->before != NULL ? start->before->snapshot : NULL;
	bool equal =
		start->before == NULL && dbvc_sums_equal(start->sums, round->sums);
	int also_count;
	DbvcObject *also = objects_in_doubt(start, &also_count);
	DbvcList *list = NULL;
	HTAB *again;

	if (equal && also_count == 0)
	{
		take_start(round);
		return;
	}
	round->catalog = dbvc_catalog_open(round->snapshot, false);
	if (!dbvc_sums_changed(start->sums, round->sums, round->catalog, since,
						   also, also_count, &round->objects, &round->count))
	{
		round->catalog = dbvc_catalog_open(round->snapshot, true);
		dbvc_capture_all(round);
		return;
	}
	if (!equal)
		list = start_list(start, round->capture->context);
	define_objects(round);
	if (equal && round->failed_count == 0 && unstable_are_equal(round))
	{
		take_start(round);
		return;
	}
	if (list == NULL)
		list = start_list(start, round->capture->context);
	again = dbvc_capture_set(round->objects, round->count);
	round->capture->list =
		merge_lists(list, again, round->made, round->capture->context);
	hash_destroy(again);
}

/* -------------------------------------------------------- what has failed */

/*
 * An object that the server cannot show is no reason not to show the others.
 * It is listed with the error's code in place of its definition.
 */
static void
add_failed(void *arg)
{
	DbvcRound *round = arg;
	DbvcFailure *failure = &round->failed[round->done];
	ObjectAddress address;
	DbvcDefinition definition = {0};
	uint64 rows;
	DbvcPiece piece;
	List *names = NIL;
	List *args = NIL;

	ObjectAddressSet(address, failure->object.classid, failure->object.objid);
	definition.classid = address.classId;
	definition.objid = address.objectId;
	definition.type = getObjectTypeDescription(&address, false);
	definition.identity =
		getObjectIdentityParts(&address, &names, &args, false);
	definition.schema = list_length(names) > 1 ? linitial(names) : NULL;
	definition.unstable = true;
	rows = dbvc_sums_object(round->sums, address.classId, address.objectId);
	definition.body = psprintf("{\"error\":\"%s\"}",
							   unpack_sql_state(failure->error->sqlerrcode));
	definition.body_len = strlen(definition.body);
	piece.data = definition.body;
	piece.len = definition.body_len;
	dbvc_sha256(&piece, 1, definition.hash);
	ereport(WARNING, (errcode(failure->error->sqlerrcode),
					  errmsg("%s %s cannot be shown in a snapshot",
							 definition.type, definition.identity),
					  errdetail("%s", failure->error->message),
					  errhint("Snapshots do not see changes of it.")));
	dbvc_list_add(round->capture->list, &definition, rows);
	keep_body(round, &definition);
}

void
dbvc_capture_failed(DbvcRound *round)
{
	MemoryContext old = MemoryContextSwitchTo(round->capture->context);

	for (round->done = 0; round->done < round->failed_count; round->done++)
	{
		ErrorData *error = dbvc_subtransaction(add_failed, round, false);

		if (error != NULL)
			ReThrowError(round->failed[round->done].error);
	}
	MemoryContextSwitchTo(old);
	if (round->failed_count > 0)
	{
		dbvc_list_sort(round->capture->list);
		dbvc_sums_set_unstable(round->sums, round->capture->list);
	}
}
