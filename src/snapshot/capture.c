/*
 * capture.c
 *		The live schema as a list of definitions, of one moment.
 *
 * Catalog rows are read under one MVCC snapshot, but the server's own code
 * that turns expressions into text reads the catalogs as they are right now
 * (it shows t7 where pg_class under the snapshot still says t).  So after the
 * definitions are made it is checked that nothing was committed meanwhile, or
 * at least that no catalog row was touched; otherwise all is thrown away and
 * made again, a few times.
 *
 * Turning queries into text locks the relations in them until the transaction
 * ends.  Therefore definitions are made in subtransactions that are rolled
 * back, some hundred in each.
 *
 * Where a state is known (stored with the last snapshot, or in memory), only
 * what may have changed since then is made (closure.c).
 */
#include "snapshot/snapshot.h"

#include "access/xact.h"
#include "catalog/objectaddress.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define MAX_ROUNDS 30
#define BATCH 200
#define ARENA_BLOCK ((Size) 256 * 1024)

/* What a capture starts from. */
typedef struct Start
{
	const DbvcCapture *base;
	DbvcSums *sums; /* NULL: nothing is known */
	bool has_key;
	uint8 key[DBVC_SIPHASH_KEY_LEN];
	bool has_root;
	uint8 root[DBVC_SHA256_LEN];
	DbvcList *list;				/* loaded when it is needed */
	const struct Round *before; /* the round that has made it, if any */
} Start;

typedef struct Failure
{
	DbvcObject object;
	ErrorData *error;
} Failure;

/* One attempt. */
typedef struct Round
{
	Start *start;
	DbvcCapture *capture; /* what comes out */
	Snapshot snapshot;
	uint64 completed; /* transactions before the snapshot; 0: not known */
	DbvcSums *sums;
	DbvcCatalog *catalog;
	DbvcObject *objects; /* to define */
	int count;
	int allocated;
	int done;
	int end;		/* of the batch */
	DbvcList *made; /* their entries */
	char *free;		/* room for bodies */
	Size left;
	MemoryContext scratch;	/* for one definition */
	struct Failure *failed; /* objects that raised an error */
	int failed_count;
} Round;

/* ------------------------------------------------------------- definitions */

/* Keep the body; the first that has this hash. */
static void
keep_body(Round *round, const DbvcDefinition *definition)
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
	Round *round = arg;
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
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		   error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		   error->sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
		   error->sqlerrcode == ERRCODE_DISK_FULL ||
		   error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN;
}

/* Define the next objects; the error, if there is one, after which none of
 * them counts. */
static ErrorData *
try_batch(Round *round, int end)
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
note_failure(Round *round, ErrorData *error)
{
	Size size = (Size) (round->failed_count + 1) * sizeof(Failure);
	Failure *failure;

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
define_objects(Round *round)
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
add_object(Round *round, Oid classid, Oid objid)
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

static void
capture_all(Round *round)
{
	const DbvcShelf *shelves = dbvc_definition_shelves();

	round->count = 0;
	for (; *shelves != DBVC_SHELF_COUNT; shelves++)
	{
		int count;
		Oid *keys = dbvc_catalog_keys(round->catalog, *shelves, &count);

		for (int i = 0; i < count; i++)
			add_object(round, dbvc_shelf_relation(*shelves), keys[i]);
		pfree(keys);
	}
	define_objects(round);
	round->capture->list = round->made;
	round->capture->full = true;
}

/* --------------------------------------------------- from what was there */

static DbvcList *
start_list(Start *start, MemoryContext context)
{
	if (start->list == NULL && start->base != NULL)
		start->list = dbvc_capture_list((DbvcCapture *) start->base);
	if (start->list == NULL)
		start->list = dbvc_list_load(start->root, context);
	return start->list;
}

static HTAB *
set_of_objects(const DbvcObject *objects, int count)
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
unstable_are_equal(Round *round)
{
	DbvcSums *sums = round->start->sums;
	int count = dbvc_sums_unstable(sums, INT_MAX, NULL, NULL);
	HTAB *same;
	bool equal;

	if (round->made->count != count)
		return false;
	same = set_of_objects(NULL, 0);
	for (int i = 0; i < count; i++)
	{
		const DbvcEntry *entry = &round->made->entries[i];
		DbvcObject object = {entry->classid, entry->objid};

		if (entry->unstable)
			hash_search(same, &object, HASH_ENTER, NULL);
	}
	for (int i = 0; i < count; i++)
	{
		DbvcObject object;
		const uint8 *hash;

		(void) dbvc_sums_unstable(sums, i, &object, &hash);
		if (hash_search(same, &object, HASH_FIND, NULL) == NULL ||
			hash_search(round->capture->bodies, hash, HASH_FIND, NULL) == NULL)
			break;
		hash_search(same, &object, HASH_REMOVE, NULL);
	}
	equal = hash_get_num_entries(same) == 0;
	hash_destroy(same);
	return equal;
}

static void
take_start(Round *round)
{
	DbvcCapture *capture = round->capture;
	const Start *start = round->start;

	capture->has_root = start->has_root;
	memcpy(capture->root, start->root, DBVC_SHA256_LEN);
	capture->list = start->base != NULL ? start->base->list : start->list;
	dbvc_sums_copy_unstable(round->sums, start->sums);
}

/* What is made again whatever the rows say. */
static DbvcObject *
objects_in_doubt(const Start *start, int *count)
{
	const Round *before = start->before;
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
static void
capture_changed(Round *round)
{
	Start *start = round->start;
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
		capture_all(round);
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
	again = set_of_objects(round->objects, round->count);
	round->capture->list =
		merge_lists(list, again, round->made, round->capture->context);
	hash_destroy(again);
}

/* ----------------------------------------------------------------- rounds */

static Snapshot
latest_snapshot(uint64 *completed)
{
	Snapshot latest = GetLatestSnapshot();

	*completed = latest->snapXactCompletionCount;
	return RegisterSnapshot(latest);
}

/*
 * Is the round's result what its snapshot shows?  Rows are; definitions are
 * when none was made, or nothing was committed meanwhile.
 */
static bool
is_settled(const Round *round)
{
	return (round->capture->objects_defined == 0 &&
			round->failed_count == 0) ||
		   (round->completed != 0 &&
			GetLatestSnapshot()->snapXactCompletionCount == round->completed);
}

/* Has the round tried to define one of the objects, or one that may hang on
 * any? */
static bool
has_defined(const Round *round, const DbvcObject *touched, int count)
{
	HTAB *defined = set_of_objects(round->objects, round->count);
	bool found = false;

	for (int i = 0; i < count && !found; i++)
		found = hash_search(defined, &touched[i], HASH_FIND, NULL) != NULL;
	for (int i = 0; i < round->made->count && count > 0 && !found; i++)
		found = round->made->entries[i].unstable;
	hash_destroy(defined);
	return found;
}

/*
 * Or has, until the later round's snapshot, nobody touched a row that what was
 * made depends on?
 */
static bool
was_untouched(const Round *before, const Round *round)
{
	DbvcCatalog *catalog = dbvc_catalog_open(round->snapshot, false);
	DbvcObject *touched;
	int count;
	bool untouched =
		dbvc_sums_changed(before->sums, round->sums, catalog, before->snapshot,
						  NULL, 0, &touched, &count) &&
		!has_defined(before, touched, count);

	MemoryContextDelete(dbvc_catalog_context(catalog));
	return untouched;
}

static Round *
new_round(Start *start, MemoryContext parent)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "dbvc capture", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Round *round = palloc0(sizeof(Round));

	round->start = start;
	round->capture = palloc0(sizeof(DbvcCapture));
	round->capture->context = context;
	round->capture->base = start->base;
	round->snapshot = latest_snapshot(&round->completed);
	round->sums =
		dbvc_sums_read(round->snapshot, start->has_key ? start->key : NULL,
					   start->sums != NULL ? NULL : &round->catalog);
	MemoryContextSwitchTo(old);
	return round;
}

static void
make_round(Round *round)
{
	MemoryContext work =
		AllocSetContextCreate(round->capture->context, "dbvc capture round",
							  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);

	if (round->start->sums != NULL)
		capture_changed(round);
	else
		capture_all(round);
	if (round->count > 0)
	{
		Size size = (Size) round->count * sizeof(DbvcObject);
		DbvcObject *objects =
			MemoryContextAllocHuge(round->capture->context, size);

		memcpy(objects, round->objects, size);
		round->objects = objects;
	}
	MemoryContextSwitchTo(old);
	if (round->catalog != NULL)
		MemoryContextDelete(dbvc_catalog_context(round->catalog));
	round->catalog = NULL;
	MemoryContextDelete(work);
	if (round->capture->list != NULL && !round->capture->has_root)
		dbvc_sums_set_unstable(round->sums, round->capture->list);
	round->capture->sums = round->sums;
}

/* The next round goes on from what this one has made. */
static void
start_from_round(Start *start, const Round *round)
{
	start->before = round;
	start->base = round->capture;
	start->sums = round->sums;
	start->list = NULL;
	start->has_root = false;
	memcpy(start->key, dbvc_sums_key(round->sums), DBVC_SIPHASH_KEY_LEN);
	start->has_key = true;
}

/* Is there an error that may go away by itself? */
static bool
has_deadlock(const Round *round)
{
	for (int i = 0; i < round->failed_count; i++)
		if (round->failed[i].error->sqlerrcode ==
			ERRCODE_T_R_DEADLOCK_DETECTED)
			return true;
	return false;
}

/*
 * An object that the server cannot show is no reason not to show the others.
 * It is listed by what its rows are, which tells when it changes.
 */
static void
add_failed(void *arg)
{
	Round *round = arg;
	Failure *failure = &round->failed[round->done];
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
	definition.body =
		psprintf("{\"error\":\"%s\",\"rows\":\"" UINT64_FORMAT "\"}",
				 unpack_sql_state(failure->error->sqlerrcode), rows);
	definition.body_len = strlen(definition.body);
	piece.data = definition.body;
	piece.len = definition.body_len;
	dbvc_sha256(&piece, 1, definition.hash);
	ereport(WARNING, (errcode(failure->error->sqlerrcode),
					  errmsg("%s %s cannot be shown in a snapshot",
							 definition.type, definition.identity),
					  errdetail("%s", failure->error->message),
					  errhint("The snapshot only tells when it changes.")));
	dbvc_list_add(round->capture->list, &definition, rows);
	keep_body(round, &definition);
}

/* What came out, when the rounds are over. */
static DbvcCapture *
finish_round(Round *round)
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
	dbvc_sums_forget_rows(round->sums);
	return round->capture;
}

static DbvcCapture *
go_round(Start *start, MemoryContext parent)
{
	Round *before = NULL;
	DbvcCapture *capture = NULL;
	int rounds = 0;
	int defined = 0;
	bool full = false;

	while (capture == NULL && rounds < MAX_ROUNDS)
	{
		Round *round = new_round(start, parent);

		CHECK_FOR_INTERRUPTS();
		if (before != NULL && !has_deadlock(before) &&
			was_untouched(before, round))
			capture = finish_round(before);
		if (capture == NULL)
		{
			rounds++;
			make_round(round);
			defined += round->capture->objects_defined;
			full |= round->capture->full;
			if (!has_deadlock(round) && is_settled(round))
				capture = finish_round(round);
		}
		if (before != NULL)
		{
			/* what was made from it shares its strings */
			UnregisterSnapshot(before->snapshot);
			if (capture != before->capture)
				MemoryContextSetParent(before->capture->context,
									   round->capture->context);
		}
		if (capture != NULL)
		{
			UnregisterSnapshot(round->snapshot);
			if (capture != round->capture)
				MemoryContextDelete(round->capture->context);
		}
		else
			start_from_round(start, round);
		before = round;
	}
	if (capture != NULL)
	{
		capture->rounds = rounds;
		capture->objects_defined = defined;
		capture->full = full;
	}
	else
		UnregisterSnapshot(before->snapshot);
	return capture;
}

/* ------------------------------------------------------------------ entry */

/* Look for what is known already. */
static void
find_start(Start *start, const DbvcCapture *base, bool full)
{
	bytea *stored;

	if (base != NULL)
	{
		start->base = base;
		start->sums = base->sums;
		start->has_root = base->has_root;
		memcpy(start->root, base->root, DBVC_SHA256_LEN);
	}
	else if (dbvc_state_load(&stored, start->root))
	{
		start->sums = dbvc_sums_load(stored);
		start->has_root = true;
		/* with the same key, sums of entries can be compared over time */
		start->has_key = dbvc_sums_stored_key(stored, start->key);
	}
	if (start->sums != NULL)
	{
		memcpy(start->key, dbvc_sums_key(start->sums), DBVC_SIPHASH_KEY_LEN);
		start->has_key = true;
	}
	if (full)
	{
		start->base = NULL;
		start->sums = NULL;
	}
}

DbvcCapture *
dbvc_capture_live(const DbvcCapture *base, bool full)
{
	MemoryContext parent = CurrentMemoryContext;
	DbvcDefinitionScope scope;
	DbvcCapture *capture;
	Start start = {0};
	bool pushed = !ActiveSnapshotSet();

	/* a procedure that has just committed has none; stored values need one */
	if (pushed)
		PushActiveSnapshot(GetTransactionSnapshot());
	dbvc_definition_enter(&scope);
	find_start(&start, base, full);
	capture = go_round(&start, parent);
	dbvc_definition_leave(&scope);
	if (pushed)
		PopActiveSnapshot();
	if (capture != NULL)
		elog(DEBUG1, "dbvc: %d definitions made%s, round %d",
			 capture->objects_defined, capture->full ? " from nothing" : "",
			 capture->rounds);
	else
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the schema changes faster than it can be read"),
				 errdetail("Other sessions have changed it during each of %d "
						   "attempts.",
						   MAX_ROUNDS),
				 errhint("Try again when they have finished.")));
	return capture;
}

DbvcList *
dbvc_capture_list(DbvcCapture *capture)
{
	DbvcOwnerScope scope;

	if (capture->list != NULL)
		return capture->list;
	if (!capture->has_root)
		elog(ERROR, "a capture has neither a list nor a root");
	dbvc_owner_enter(&scope);
	capture->list = dbvc_list_load(capture->root, capture->context);
	dbvc_owner_leave(&scope);
	return capture->list;
}

const char *
dbvc_capture_body(const DbvcCapture *capture,
				  const uint8 hash[DBVC_SHA256_LEN])
{
	const DbvcBody *body;
	DbvcOwnerScope scope;
	char *stored;

	for (const DbvcCapture *at = capture; at != NULL; at = at->base)
		if (at->bodies != NULL &&
			(body = hash_search(at->bodies, hash, HASH_FIND, NULL)) != NULL)
			return body->text;
	dbvc_owner_enter(&scope);
	stored = dbvc_definition_load(hash);
	dbvc_owner_leave(&scope);
	return stored;
}
