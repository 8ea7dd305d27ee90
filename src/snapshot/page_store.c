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

#include "util/util.h"

/* Rows written by one statement: so many, or so many bytes. */
#define BATCH_ROWS 2000
#define BATCH_BYTES (1024 * 1024)

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

/* Rows of hash and content on their way into a table. */
typedef struct Batch
{
	DbvcQuery *insert;
	Oid type;
	MemoryContext context;
	int count;
	Size bytes;
	Datum hashes[BATCH_ROWS];
	Datum bodies[BATCH_ROWS];
} Batch;

static Batch *
batch_begin(DbvcQuery *insert, Oid type)
{
	Batch *batch = palloc(sizeof(Batch));

	batch->insert = insert;
	batch->type = type;
	batch->context = AllocSetContextCreate(CurrentMemoryContext, "dbvc batch",
										   ALLOCSET_DEFAULT_SIZES);
	batch->count = 0;
	batch->bytes = 0;
	return batch;
}

static void
batch_flush(Batch *batch)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	Datum values[2];

	if (batch->count > 0)
	{
		values[0] = array_datum(batch->hashes, batch->count, BYTEAOID);
		values[1] = array_datum(batch->bodies, batch->count, batch->type);
		(void) dbvc_query_run(batch->insert, values, NULL, false, 0);
	}
	batch->count = 0;
	batch->bytes = 0;
	MemoryContextSwitchTo(old);
	MemoryContextReset(batch->context);
	CHECK_FOR_INTERRUPTS();
}

static void
batch_add(Batch *batch, Datum hash, Datum body)
{
	batch->hashes[batch->count] = hash;
	batch->bodies[batch->count++] = body;
	batch->bytes += VARSIZE_ANY(DatumGetPointer(body));
	if (batch->count == BATCH_ROWS || batch->bytes >= BATCH_BYTES)
		batch_flush(batch);
}

static void
batch_end(Batch *batch)
{
	batch_flush(batch);
	MemoryContextDelete(batch->context);
	pfree(batch);
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
				  int page_count, DbvcBodyReader body, const void *arg)
{
	static DbvcQuery find = {
		"SELECT u.n FROM pg_catalog.unnest($1) WITH ORDINALITY u (hash, n) "
		"WHERE NOT EXISTS (SELECT 1 FROM dbvc.definition d "
		"WHERE d.hash = u.hash)",
		1,
		{BYTEAARRAYOID}};
	static DbvcQuery insert = {
		"INSERT INTO dbvc.definition (hash, body) "
		"SELECT u.hash, u.body FROM ROWS FROM (pg_catalog.unnest($1), "
		"pg_catalog.unnest($2)) u (hash, body) "
		"ON CONFLICT DO NOTHING",
		2,
		{BYTEAARRAYOID, TEXTARRAYOID}};
	Datum *hashes =
		MemoryContextAllocHuge(CurrentMemoryContext,
							   (Size) Max(list->count, 1) * sizeof(Datum));
	int count = 0;
	bool *missing;
	Batch *batch;

	for (int p = 0; p < page_count; p++)
	{
		if (pages[p].stored)
			continue;
		for (int i = 0; i < pages[p].count; i++)
			hashes[count++] =
				hash_datum(list->entries[pages[p].first + i].hash);
	}
	count = sort_hashes(hashes, count);
	missing = find_missing(&find, hashes, count);
	batch = batch_begin(&insert, TEXTOID);
	for (int i = 0; i < count; i++)
	{
		MemoryContext old;
		const char *body_text;
		text *stored;

		if (!missing[i])
			continue;
		body_text = body(arg, (uint8 *) VARDATA(DatumGetPointer(hashes[i])));
		if (body_text == NULL)
			elog(ERROR, "definition %s was not made",
				 dbvc_hex(VARDATA(DatumGetPointer(hashes[i])),
						  DBVC_SHA256_LEN));
		old = MemoryContextSwitchTo(batch->context);
		stored = cstring_to_text(dbvc_from_utf8(body_text));
		MemoryContextSwitchTo(old);
		batch_add(batch, hashes[i], PointerGetDatum(stored));
	}
	batch_end(batch);
	pfree(missing);
	pfree(hashes);
}

static DbvcQuery find_pages = {
	"SELECT u.n FROM pg_catalog.unnest($1) WITH ORDINALITY u (hash, n) "
	"WHERE NOT EXISTS (SELECT 1 FROM dbvc.snapshot_page p "
	"WHERE p.hash = u.hash)",
	1,
	{BYTEAARRAYOID}};
static DbvcQuery insert_pages = {
	"INSERT INTO dbvc.snapshot_page (hash, body) "
	"SELECT u.hash, u.body FROM ROWS FROM (pg_catalog.unnest($1), "
	"pg_catalog.unnest($2)) u (hash, body) "
	"ON CONFLICT DO NOTHING",
	2,
	{BYTEAARRAYOID, BYTEAARRAYOID}};

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
store_pages(DbvcListPage *pages, int count)
{
	DbvcListPage **sorted = palloc(Max(count, 1) * sizeof(DbvcListPage *));
	Batch *batch = batch_begin(&insert_pages, BYTEAOID);
	int n = 0;

	for (int i = 0; i < count; i++)
	{
		if (!pages[i].stored)
			sorted[n++] = &pages[i];
	}
	qsort(sorted, n, sizeof(DbvcListPage *), compare_pages);
	for (int i = 0; i < n; i++)
		batch_add(batch, hash_datum(sorted[i]->hash),
				  PointerGetDatum(sorted[i]->body));
	batch_end(batch);
	pfree(sorted);
}

void
dbvc_list_store(const DbvcList *list, DbvcBodyReader body, const void *arg,
				uint8 root[DBVC_SHA256_LEN])
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc pages",
							  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int count;
	DbvcListPage *pages = dbvc_pages_make(list, &count);
	DbvcListPage top = {0};

	dbvc_pages_make_root(list, pages, count, &top);
	memcpy(root, top.hash, DBVC_SHA256_LEN);
	if (!look_up_pages(&top, 1))
	{
		if (!look_up_pages(pages, count))
		{
			store_definitions(list, pages, count, body, arg);
			store_pages(pages, count);
		}
		store_pages(&top, 1);
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
