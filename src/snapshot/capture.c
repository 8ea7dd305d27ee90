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
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define MAX_ROUNDS 5
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
	DbvcList *list; /* loaded when it is needed */
} Start;

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
	DbvcList *made; /* their entries */
	char *free;		/* room for bodies */
	Size left;
	MemoryContext scratch; /* for one definition */
	ErrorData *error;
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
	int end = Min(round->done + BATCH, round->count);
	MemoryContext old = MemoryContextSwitchTo(round->scratch);

	for (int i = round->done; i < end; i++)
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

/*
 * Define round->objects into round->made, sorted.  An error ends the work and is kept:
 * what else has happened meanwhile tells whether it means anything.
 */
static void
define_objects(Round *round)
{
	DbvcCapture *capture = round->capture;

	round->made = dbvc_list_new(capture->context);
	capture->bodies = new_bodies(capture->context, Max(round->count, 16));
	round->scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc definition",
							  (Size) 128 * 1024, (Size) 128 * 1024,
							  (Size) 8 * 1024 * 1024);

	/* what was cached earlier may be older than our snapshot */
	InvalidateSystemCaches();
	while (round->done < round->count && round->error == NULL)
	{
		round->error = dbvc_subtransaction(define_batch, round, false);
		round->done = Min(round->done + BATCH, round->count);
	}
	MemoryContextDelete(round->scratch);
	if (round->error == NULL)
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

/*
 * Make what may have changed since the start.  False when everything has to
 * be made; round->catalog is then a full one.
 */
static void
capture_changed(Round *round)
{
	Start *start = round->start;
	int also_count = dbvc_sums_unstable(start->sums, INT_MAX, NULL, NULL);
	DbvcObject *also = palloc(Max(also_count, 1) * sizeof(DbvcObject));
	bool equal = dbvc_sums_equal(start->sums, round->sums, false);
	const uint8 *hash;
	DbvcList *list;
	HTAB *again;

	for (int i = 0; i < also_count; i++)
		(void) dbvc_sums_unstable(start->sums, i, &also[i], &hash);
	if (equal && also_count == 0)
	{
		take_start(round);
		return;
	}
	round->catalog = dbvc_catalog_open(round->snapshot, false);
	if (!dbvc_sums_changed(start->sums, round->sums, round->catalog, also,
						   also_count, &round->objects, &round->count))
	{
		round->catalog = dbvc_catalog_open(round->snapshot, true);
		capture_all(round);
		return;
	}
	list = equal ? NULL : start_list(start, round->capture->context);
	define_objects(round);
	if (round->error != NULL)
		return;
	if (equal && unstable_are_equal(round))
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

/* Has nobody touched the catalogs since the round's snapshot? */
static bool
nothing_happened(const Round *round)
{
	uint64 completed;
	Snapshot now = latest_snapshot(&completed);
	bool same = completed != 0 && completed == round->completed;

	/* someone has committed something: was it about the catalogs? */
	if (!same)
		same = dbvc_sums_equal(round->sums,
							   dbvc_sums_read(now, dbvc_sums_key(round->sums),
											  NULL),
							   true);
	UnregisterSnapshot(now);
	return same;
}

static bool
is_final(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		   error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		   error->sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
		   error->sqlerrcode == ERRCODE_DISK_FULL ||
		   error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN;
}

static DbvcCapture *
new_capture(const Start *start, MemoryContext parent)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "dbvc capture", ALLOCSET_DEFAULT_SIZES);
	DbvcCapture *capture =
		MemoryContextAllocZero(context, sizeof(DbvcCapture));

	capture->context = context;
	capture->base = start->base;
	return capture;
}

/* One attempt in a context of its own; NULL when the catalogs have changed
 * under it. */
static DbvcCapture *
try_round(Start *start, MemoryContext parent)
{
	Round round = {0};
	MemoryContext work;
	MemoryContext old;
	bool done = true;

	round.start = start;
	round.capture = new_capture(start, parent);
	round.snapshot = latest_snapshot(&round.completed);
	old = MemoryContextSwitchTo(round.capture->context);
	work = AllocSetContextCreate(round.capture->context, "dbvc capture round",
								 ALLOCSET_DEFAULT_SIZES);
	round.sums =
		dbvc_sums_read(round.snapshot, start->has_key ? start->key : NULL,
					   start->sums != NULL ? NULL : &round.catalog);
	MemoryContextSwitchTo(work);
	if (start->sums != NULL)
		capture_changed(&round);
	else
		capture_all(&round);

	/* rows alone are of one moment; only definitions are in danger */
	if (round.error != NULL &&
		round.error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED)
		done = false; /* whoever was in the way can go on now */
	else if (round.made != NULL)
		done = nothing_happened(&round);
	UnregisterSnapshot(round.snapshot);
	if (round.error != NULL && (done || is_final(round.error)))
		ReThrowError(round.error);
	MemoryContextSwitchTo(old);
	if (!done)
	{
		start->list = NULL; /* it lived in this round */
		MemoryContextDelete(round.capture->context);
		return NULL;
	}
	round.capture->sums = round.sums;
	if (round.capture->list != NULL && !round.capture->has_root)
		dbvc_sums_set_unstable(round.sums, round.capture->list);
	if (round.catalog != NULL)
		MemoryContextDelete(dbvc_catalog_context(round.catalog));
	MemoryContextDelete(work);
	return round.capture;
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
	DbvcCapture *capture = NULL;
	Start start = {0};
	bool pushed = !ActiveSnapshotSet();

	/* a procedure that has just committed has none; stored values need one */
	if (pushed)
		PushActiveSnapshot(GetTransactionSnapshot());
	dbvc_definition_enter(&scope);
	find_start(&start, base, full);
	for (int round = 1; round <= MAX_ROUNDS && capture == NULL; round++)
	{
		capture = try_round(&start, parent);
		if (capture != NULL)
			capture->rounds = round;
	}
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
