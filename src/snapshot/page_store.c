/*
 * page_store.c
 *		Tables definition and snapshot_page: each content once.
 *
 * Contents are stored in the order of their hashes, definitions before pages,
 * pages before roots.  Two transactions that store the same contents at the
 * same time then wait for each other once, and never in a circle.
 */
#include "snapshot/page.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "util/errors.h"
#include "util/util.h"

/* Look-ups by one statement. */
#define BATCH_ROWS 2000
/* New pages from which on it pays to write past SQL. */
#define DIRECT_PAGES 4

static Datum
hash_datum(const uint8 hash[DBVC_SHA256_LEN])
{
	bytea *value = palloc(VARHDRSZ + DBVC_SHA256_LEN);

	SET_VARSIZE(value, VARHDRSZ + DBVC_SHA256_LEN);
	memcpy(VARDATA(value), hash, DBVC_SHA256_LEN);
	return PointerGetDatum(value);
}

static Datum
array_datum(Datum *values, int count, Oid type)
{
	return PointerGetDatum(
		construct_array(values, count, type, -1, false, TYPALIGN_INT));
}

/*
 * Positions of the hashes that are not there yet.  Asked with what is
 * committed now: a row that the transaction's own snapshot does not see would
 * be an error of REPEATABLE READ when it is inserted again.
 */
static bool *
find_missing(DbvcQuery *find, Datum *hashes, int count)
{
	bool *missing = palloc0(Max(count, 1) * sizeof(bool));

	for (int first = 0; first < count; first += BATCH_ROWS)
	{
		int n = Min(BATCH_ROWS, count - first);
		Datum array = array_datum(hashes + first, n, BYTEAOID);
		uint64 rows = dbvc_query_latest(find, &array, 0);

		for (uint64 row = 0; row < rows; row++)
		{
			int64 position = dbvc_row_int64(row, 1, 0);

			if (position >= 1 && position <= n)
				missing[first + position - 1] = true;
		}
		SPI_freetuptable(SPI_tuptable);
		pfree(DatumGetPointer(array));
		CHECK_FOR_INTERRUPTS();
	}
	return missing;
}

static int
compare_hashes(const void *a, const void *b)
{
	return memcmp(VARDATA_ANY(DatumGetPointer(*(const Datum *) a)),
				  VARDATA_ANY(DatumGetPointer(*(const Datum *) b)),
				  DBVC_SHA256_LEN);
}

/* Sort hashes and drop duplicates; returns how many are left. */
static int
sort_hashes(Datum *hashes, int count)
{
	int kept = 0;

	qsort(hashes, count, sizeof(Datum), compare_hashes);
	for (int i = 0; i < count; i++)
	{
		if (kept == 0 || compare_hashes(&hashes[kept - 1], &hashes[i]) != 0)
			hashes[kept++] = hashes[i];
	}
	return kept;
}

/*
 * Store the definitions of all entries of new pages.  What is in a stored page
 * was stored with it.  In the order of their hashes: whoever stores the same
 * ones at the same time waits for the first of them, and for no other.
 */
static void
store_definitions(const DbvcList *list, const DbvcListPage *pages,
				  int page_count, DbvcBodyReader body, const void *arg,
				  bool mend, bool direct)
{
	static DbvcQuery find = {
		"SELECT u.n FROM pg_catalog.unnest($1) WITH ORDINALITY u (hash, n) "
		"WHERE NOT EXISTS (SELECT 1 FROM dbvc.definition d "
		"WHERE d.hash = u.hash)",
		1,
		{BYTEAARRAYOID}};
	Datum *hashes =
		MemoryContextAllocHuge(CurrentMemoryContext,
							   (Size) Max(list->count, 1) * sizeof(Datum));
	int count = 0;
	bool *missing;
	DbvcContents *contents;

	for (int p = 0; p < page_count; p++)
	{
		if (pages[p].stored && !mend)
			continue;
		for (int i = 0; i < pages[p].count; i++)
			hashes[count++] =
				hash_datum(list->entries[pages[p].first + i].hash);
	}
	count = sort_hashes(hashes, count);
	missing = find_missing(&find, hashes, count);
	contents = dbvc_contents_begin(DBVC_DEFINITIONS, direct);
	for (int i = 0; i < count; i++)
	{
		MemoryContext old;
		const char *body_text;
		text *stored;

		if (!missing[i])
			continue;
		body_text = body(arg, (uint8 *) VARDATA(DatumGetPointer(hashes[i])));
		if (body_text == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DBVC_HISTORY_DAMAGED),
					 errmsg("a definition of a snapshot is missing"),
					 errdetail("Table dbvc.definition has no row %s.",
							   dbvc_hex(VARDATA(DatumGetPointer(hashes[i])),
										DBVC_SHA256_LEN)),
					 errhint("A new snapshot stores it again, if there is "
							 "still such an object.")));
		old = MemoryContextSwitchTo(dbvc_contents_context(contents));
		stored = cstring_to_text(dbvc_from_utf8(body_text));
		MemoryContextSwitchTo(old);
		dbvc_contents_add(contents, hashes[i], PointerGetDatum(stored));
	}
	dbvc_contents_end(contents);
	pfree(missing);
	pfree(hashes);
}

static DbvcQuery find_pages = {
	"SELECT u.n FROM pg_catalog.unnest($1) WITH ORDINALITY u (hash, n) "
	"WHERE NOT EXISTS (SELECT 1 FROM dbvc.snapshot_page p "
	"WHERE p.hash = u.hash)",
	1,
	{BYTEAARRAYOID}};
/* Sets stored of each; true when all are. */
static bool
look_up_pages(DbvcListPage *pages, int count)
{
	Datum *hashes = palloc(Max(count, 1) * sizeof(Datum));
	bool *missing;
	bool all = true;

	for (int i = 0; i < count; i++)
		hashes[i] = hash_datum(pages[i].hash);
	missing = find_missing(&find_pages, hashes, count);
	for (int i = 0; i < count; i++)
	{
		pages[i].stored = !missing[i];
		all = all && !missing[i];
	}
	pfree(missing);
	pfree(hashes);
	return all;
}

static int
compare_pages(const void *a, const void *b)
{
	return memcmp((*(DbvcListPage *const *) a)->hash,
				  (*(DbvcListPage *const *) b)->hash, DBVC_SHA256_LEN);
}

static void
store_pages(DbvcListPage *pages, int count, bool direct)
{
	DbvcListPage **sorted = palloc(Max(count, 1) * sizeof(DbvcListPage *));
	DbvcContents *contents = dbvc_contents_begin(DBVC_PAGES, direct);
	int n = 0;

	for (int i = 0; i < count; i++)
	{
		if (!pages[i].stored)
			sorted[n++] = &pages[i];
	}
	qsort(sorted, n, sizeof(DbvcListPage *), compare_pages);
	for (int i = 0; i < n; i++)
		dbvc_contents_add(contents, hash_datum(sorted[i]->hash),
						  PointerGetDatum(sorted[i]->body));
	dbvc_contents_end(contents);
	pfree(sorted);
}

/* What is stored by one subtransaction. */
typedef struct Storing
{
	const DbvcList *list;
	DbvcListPage *pages;
	int count;
	DbvcBodyReader body;
	const void *arg;
	bool mend;
	bool direct;
} Storing;

static void
store_all(void *arg)
{
	Storing *storing = arg;

	store_definitions(storing->list, storing->pages, storing->count,
					  storing->body, storing->arg, storing->mend,
					  storing->direct);
	store_pages(storing->pages, storing->count, storing->direct);
}

/*
 * The fast way cannot pass over a row that somebody else has stored since we
 * looked; then everything is done again in the way that can.
 */
static void
store_new(Storing *storing)
{
	ErrorData *error;
	int count = 0;

	for (int i = 0; i < storing->count; i++)
		count += !storing->pages[i].stored;
	storing->direct = count >= DIRECT_PAGES;
	if (storing->direct)
	{
		error = dbvc_subtransaction(store_all, storing, true);
		if (error == NULL)
			return;
		if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
			ReThrowError(error);
		storing->direct = false;
		(void) look_up_pages(storing->pages, storing->count);
	}
	store_all(storing);
}

void
dbvc_list_store(const DbvcList *list, DbvcBodyReader body, const void *arg,
				bool mend, uint8 root[DBVC_SHA256_LEN])
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc pages",
							  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Storing storing = {.list = list, .body = body, .arg = arg, .mend = mend};
	DbvcListPage top = {0};

	storing.pages = dbvc_pages_make(list, &storing.count);
	dbvc_pages_make_root(list, storing.pages, storing.count, &top);
	memcpy(root, top.hash, DBVC_SHA256_LEN);
	if (!look_up_pages(&top, 1) || mend)
	{
		if (!look_up_pages(storing.pages, storing.count) || mend)
			store_new(&storing);
		store_pages(&top, 1, false);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* ------------------------------------------------------------------ reading */

/* Contents of pages in the order of their hashes' positions. */
static uint64
fetch_pages(Datum *hashes, int count)
{
	static DbvcQuery fetch = {
		"SELECT u.n, p.body FROM pg_catalog.unnest($1) WITH ORDINALITY "
		"u (hash, n) LEFT JOIN dbvc.snapshot_page p ON p.hash = u.hash "
		"ORDER BY u.n",
		1,
		{BYTEAARRAYOID}};
	Datum array = array_datum(hashes, count, BYTEAOID);

	return dbvc_query_latest(&fetch, &array, 0);
}

/* A page's bytes, which live in the given context. */
static bytea *
fetched_page(uint64 row, const uint8 hash[DBVC_SHA256_LEN],
			 MemoryContext context)
{
	bool isnull;
	Datum value = dbvc_row_datum(row, 2, &isnull);
	MemoryContext old;
	bytea *body;

	if (isnull)
		dbvc_page_damaged(hash, "is missing");
	old = MemoryContextSwitchTo(context);
	body = DatumGetByteaPCopy(value);
	MemoryContextSwitchTo(old);
	return body;
}

static DbvcList *
load_pages(const DbvcPageRef *pages, int count, MemoryContext context)
{
	DbvcList *list = dbvc_list_new(context);
	Datum *hashes = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		hashes[i] = hash_datum(pages[i].hash);
	for (int first = 0; first < count; first += BATCH_ROWS)
	{
		int n = Min(BATCH_ROWS, count - first);
		SPITupleTable *rows;

		if (fetch_pages(hashes + first, n) != n)
			elog(ERROR, "snapshot pages were fetched more than once");
		rows = SPI_tuptable;
		for (int i = 0; i < n; i++)
		{
			const DbvcPageRef *ref = &pages[first + i];

			dbvc_page_read(fetched_page(i, ref->hash, context), ref, list);
			CHECK_FOR_INTERRUPTS();
		}
		SPI_freetuptable(rows);
	}
	pfree(hashes);
	return list;
}

void
dbvc_root_load(const uint8 root[DBVC_SHA256_LEN], DbvcRoot *out)
{
	Datum hash = hash_datum(root);
	bytea *body;

	if (fetch_pages(&hash, 1) != 1)
		elog(ERROR, "snapshot page was fetched more than once");
	body = fetched_page(0, root, CurrentMemoryContext);
	SPI_freetuptable(SPI_tuptable);
	dbvc_page_read_root(body, root, out);
	pfree(body);
}

DbvcList *
dbvc_list_load(const uint8 root[DBVC_SHA256_LEN], MemoryContext context)
{
	DbvcRoot top;
	DbvcList *list;

	dbvc_root_load(root, &top);
	list = load_pages(top.pages, top.page_count, context);
	pfree(top.pages);
	return list;
}

/* The pages of one root that the other does not have. */
static DbvcList *
load_others(const DbvcRoot *mine, const DbvcRoot *theirs,
			MemoryContext context)
{
	HASHCTL control = {.keysize = DBVC_SHA256_LEN,
					   .entrysize = DBVC_SHA256_LEN,
					   .hcxt = CurrentMemoryContext};
	HTAB *known = hash_create("dbvc pages", Max(theirs->page_count, 1),
							  &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	DbvcPageRef *only = palloc(Max(mine->page_count, 1) * sizeof(DbvcPageRef));
	DbvcList *list;
	int count = 0;

	for (int i = 0; i < theirs->page_count; i++)
		(void) hash_search(known, theirs->pages[i].hash, HASH_ENTER, NULL);
	for (int i = 0; i < mine->page_count; i++)
	{
		if (hash_search(known, mine->pages[i].hash, HASH_FIND, NULL) == NULL)
			only[count++] = mine->pages[i];
	}
	hash_destroy(known);
	list = load_pages(only, count, context);
	pfree(only);
	return list;
}

void
dbvc_list_load_differing(const uint8 a[DBVC_SHA256_LEN],
						 const uint8 b[DBVC_SHA256_LEN], DbvcList **only_a,
						 DbvcList **only_b, MemoryContext context)
{
	DbvcRoot root_a;
	DbvcRoot root_b;

	dbvc_root_load(a, &root_a);
	dbvc_root_load(b, &root_b);
	*only_a = load_others(&root_a, &root_b, context);
	*only_b = load_others(&root_b, &root_a, context);
}
