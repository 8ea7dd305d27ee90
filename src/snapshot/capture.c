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
#include "snapshot/capture.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define MAX_ROUNDS 30

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
is_settled(const DbvcRound *round)
{
	return (round->capture->objects_defined == 0 &&
			round->failed_count == 0) ||
		   (round->completed != 0 &&
			GetLatestSnapshot()->snapXactCompletionCount == round->completed);
}

/* Has the round tried to define one of the objects, or one that may hang on
 * any? */
static bool
has_defined(const DbvcRound *round, const DbvcObject *touched, int count)
{
	HTAB *defined = dbvc_capture_set(round->objects, round->count);
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
was_untouched(const DbvcRound *before, const DbvcRound *round)
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

static DbvcRound *
new_round(DbvcStart *start, MemoryContext parent)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "dbvc capture", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	DbvcRound *round = palloc0(sizeof(DbvcRound));

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
make_round(DbvcRound *round)
{
	MemoryContext work =
		AllocSetContextCreate(round->capture->context, "dbvc capture round",
							  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);

	if (round->start->sums != NULL)
		dbvc_capture_changed(round);
	else
		dbvc_capture_all(round);
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
start_from_round(DbvcStart *start, const DbvcRound *round)
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
has_deadlock(const DbvcRound *round)
{
	for (int i = 0; i < round->failed_count; i++)
		if (round->failed[i].error->sqlerrcode ==
			ERRCODE_T_R_DEADLOCK_DETECTED)
			return true;
	return false;
}

/* What came out, when the rounds are over. */
static DbvcCapture *
finish_round(DbvcRound *round)
{
	dbvc_capture_failed(round);
	dbvc_sums_forget_rows(round->sums);
	return round->capture;
}

static DbvcCapture *
go_round(DbvcStart *start, MemoryContext parent)
{
	DbvcRound *before = NULL;
	DbvcCapture *capture = NULL;
	int rounds = 0;
	int defined = 0;
	bool full = false;

	while (capture == NULL && rounds < MAX_ROUNDS)
	{
		DbvcRound *round = new_round(start, parent);

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
find_start(DbvcStart *start, const DbvcCapture *base, bool full)
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
	DbvcStart start = {0};
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
