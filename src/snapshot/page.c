/*
 * page.c
 *		Lists in pages that are stored once per content.
 *
 * The sorted list is cut after an entry whose type and identity hash to a
 * multiple of CUT, so where it is cut depends on nothing but the entries near
 * by: an object more or less, or another definition, changes one page and the
 * root.  A page's name is the SHA-256 of its bytes.
 *
 * Bytes of a page: the magic "dbvc-page", a kind, a version; then numbers as
 * base-128 varints (low groups first), hashes and sums as they are (sums
 * big-endian), strings as length, UTF-8 bytes and a NUL.  A string that is
 * that of the entry before is left out, which a flag says.
 *
 * leaf:	count, entries: flags, [type], identity, [schema], [parent], hash,
 *			classid, objid, sum of rows, [number of attnums, attnums]
 * root:	definition version, major, objects, settings, fingerprint without
 *			and with settings, number of pages, and for each hash and count
 *
 * Whatever is read is verified against its hash, and then not trusted either:
 * a superuser can store what they like.
 */
#include "snapshot/snapshot.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "port/pg_crc32c.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "util/errors.h"
#include "util/util.h"

#define CUT 64
/* Nobody's luck makes a page longer. */
#define PAGE_ENTRIES_MAX 512

#define PAGE_MAGIC "dbvc-page"
#define KIND_LEAF 'L'
#define KIND_ROOT 'R'
#define PAGE_VERSION 1

#define SAME_TYPE 0x01
#define SAME_SCHEMA 0x02
#define SAME_PARENT 0x04
#define UNSTABLE 0x08
#define HAS_ATTNUMS 0x10

/* Rows written by one statement: so many, or so many bytes. */
#define BATCH_ROWS 2000
#define BATCH_BYTES (4 * 1024 * 1024)

typedef struct Page
{
	uint8 hash[DBVC_SHA256_LEN]; /* first: the key */
	bytea *body;
	int first; /* entry of the list */
	int count;
	bool stored;
} Page;

/* ------------------------------------------------------------------ writing */

static void
put_number(StringInfo buf, uint64 value)
{
	while (value >= 0x80)
	{
		appendStringInfoCharMacro(buf, (char) (value | 0x80));
		value >>= 7;
	}
	appendStringInfoCharMacro(buf, (char) value);
}

static void
put_string(StringInfo buf, const char *text)
{
	Size len = strlen(text);

	put_number(buf, len);
	appendBinaryStringInfo(buf, text, len + 1);
}

static void
put_head(StringInfo buf, char kind)
{
	/* room for the header of a bytea */
	appendStringInfoSpaces(buf, VARHDRSZ);
	appendBinaryStringInfo(buf, PAGE_MAGIC, strlen(PAGE_MAGIC));
	appendStringInfoChar(buf, kind);
	appendStringInfoChar(buf, PAGE_VERSION);
}

static bool
same(const char *a, const char *b)
{
	return a == b || strcmp(a, b) == 0;
}

static void
put_entry(StringInfo buf, const DbvcEntry *entry, const DbvcEntry *before)
{
	uint64 rows = pg_hton64(entry->rows);
	uint8 flags = (entry->unstable ? UNSTABLE : 0) |
				  (entry->attnum_count > 0 ? HAS_ATTNUMS : 0);

	if (before != NULL)
		flags |= (same(entry->type, before->type) ? SAME_TYPE : 0) |
				 (same(entry->schema, before->schema) ? SAME_SCHEMA : 0) |
				 (same(entry->parent, before->parent) ? SAME_PARENT : 0);
	appendStringInfoCharMacro(buf, (char) flags);
	if (!(flags & SAME_TYPE))
		put_string(buf, entry->type);
	put_string(buf, entry->identity);
	if (!(flags & SAME_SCHEMA))
		put_string(buf, entry->schema);
	if (!(flags & SAME_PARENT))
		put_string(buf, entry->parent);
	appendBinaryStringInfo(buf, (const char *) entry->hash, DBVC_SHA256_LEN);
	put_number(buf, entry->classid);
	put_number(buf, entry->objid);
	appendBinaryStringInfo(buf, (const char *) &rows, sizeof(rows));
	if (entry->attnum_count > 0)
	{
		put_number(buf, entry->attnum_count);
		for (int i = 0; i < entry->attnum_count; i++)
			put_number(buf, (uint16) entry->attnums[i]);
	}
}

static bool
is_cut_after(const DbvcEntry *entry)
{
	pg_crc32c crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, entry->type, strlen(entry->type) + 1);
	COMP_CRC32C(crc, entry->identity, strlen(entry->identity));
	FIN_CRC32C(crc);
	return crc % CUT == 0;
}

/* Make the buffer a bytea of its own, and hash it. */
static bytea *
finish_page(StringInfo buf, uint8 hash[DBVC_SHA256_LEN])
{
	bytea *body = palloc(buf->len);
	DbvcPiece piece;

	memcpy(body, buf->data, buf->len);
	SET_VARSIZE(body, buf->len);
	piece.data = VARDATA(body);
	piece.len = buf->len - VARHDRSZ;
	dbvc_sha256(&piece, 1, hash);
	return body;
}

static Page *
make_pages(const DbvcList *list, int *count)
{
	int allocated = list->count / (CUT / 2) + 8;
	Page *pages = palloc(allocated * sizeof(Page));
	StringInfoData buf;
	int first = 0;

	*count = 0;
	initStringInfo(&buf);
	while (first < list->count)
	{
		Page *page;
		int end = first;

		do
			end++;
		while (end < list->count && end - first < PAGE_ENTRIES_MAX &&
			   !is_cut_after(&list->entries[end - 1]));
		resetStringInfo(&buf);
		put_head(&buf, KIND_LEAF);
		put_number(&buf, end - first);
		for (int i = first; i < end; i++)
			put_entry(&buf, &list->entries[i],
					  i > first ? &list->entries[i - 1] : NULL);
		if (*count == allocated)
			pages = repalloc(pages, (allocated *= 2) * sizeof(Page));
		page = &pages[(*count)++];
		page->body = finish_page(&buf, page->hash);
		page->first = first;
		page->count = end - first;
		page->stored = false;
		first = end;
		CHECK_FOR_INTERRUPTS();
	}
	pfree(buf.data);
	return pages;
}

static void
make_root(const DbvcList *list, const Page *pages, int count, Page *root)
{
	DbvcList *objects = dbvc_list_filter(list, NIL, false);
	uint8 fingerprint[DBVC_SHA256_LEN];
	StringInfoData buf;

	initStringInfo(&buf);
	put_head(&buf, KIND_ROOT);
	put_number(&buf, DBVC_DEFINITION_VERSION);
	put_number(&buf, PG_MAJORVERSION_NUM);
	put_number(&buf, objects->count);
	put_number(&buf, list->count - objects->count);
	dbvc_list_fingerprint(objects, fingerprint);
	appendBinaryStringInfo(&buf, (char *) fingerprint, DBVC_SHA256_LEN);
	if (objects->count < list->count)
		dbvc_list_fingerprint(list, fingerprint);
	appendBinaryStringInfo(&buf, (char *) fingerprint, DBVC_SHA256_LEN);
	put_number(&buf, count);
	for (int i = 0; i < count; i++)
	{
		appendBinaryStringInfo(&buf, (const char *) pages[i].hash,
							   DBVC_SHA256_LEN);
		put_number(&buf, pages[i].count);
	}
	root->body = finish_page(&buf, root->hash);
	root->stored = false;
	pfree(buf.data);
}

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
store_definitions(const DbvcList *list, const Page *pages, int page_count,
				  DbvcBodyReader body, const void *arg)
{
	static DbvcQuery find = {
		"SELECT u.n FROM pg_catalog.unnest($1) WITH ORDINALITY u (hash, n) "
		"WHERE NOT EXISTS (SELECT 1 FROM dbvc.definition d "
		"WHERE d.hash = u.hash)",
		1,
		{BYTEAARRAYOID}};
	static DbvcQuery insert = {
		"INSERT INTO dbvc.definition (hash, body) "
		"SELECT u.hash, u.body FROM pg_catalog.unnest($1, $2) u (hash, body) "
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
	"SELECT u.hash, u.body FROM pg_catalog.unnest($1, $2) u (hash, body) "
	"ON CONFLICT DO NOTHING",
	2,
	{BYTEAARRAYOID, BYTEAARRAYOID}};

/* Sets stored of each; true when all are. */
static bool
look_up_pages(Page *pages, int count)
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
	return memcmp((*(Page *const *) a)->hash, (*(Page *const *) b)->hash,
				  DBVC_SHA256_LEN);
}

static void
store_pages(Page *pages, int count)
{
	Page **sorted = palloc(Max(count, 1) * sizeof(Page *));
	Batch *batch = batch_begin(&insert_pages, BYTEAOID);
	int n = 0;

	for (int i = 0; i < count; i++)
	{
		if (!pages[i].stored)
			sorted[n++] = &pages[i];
	}
	qsort(sorted, n, sizeof(Page *), compare_pages);
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
	Page *pages = make_pages(list, &count);
	Page top = {0};

	make_root(list, pages, count, &top);
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

/* Where we are in a page's bytes. */
typedef struct Reader
{
	const uint8 *hash;
	const char *at;
	const char *end;
} Reader;

DBVC_NORETURN static void
damaged(const uint8 hash[DBVC_SHA256_LEN], const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DBVC_HISTORY_DAMAGED),
			 errmsg("a page of a snapshot's list is damaged"),
			 errdetail("Page %s of dbvc.snapshot_page %s.",
					   dbvc_hex(hash, DBVC_SHA256_LEN), what),
			 errhint("Restore the row from a backup; take a new snapshot to "
					 "go on.")));
}

static const char *
get_bytes(Reader *reader, Size len)
{
	const char *bytes = reader->at;

	if ((Size) (reader->end - reader->at) < len)
		damaged(reader->hash, "ends early");
	reader->at += len;
	return bytes;
}

static uint64
get_number(Reader *reader)
{
	uint64 value = 0;

	for (int shift = 0; shift < 64; shift += 7)
	{
		uint8 byte = *get_bytes(reader, 1);

		value |= (uint64) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	damaged(reader->hash, "holds a number that is too long");
}

static int
get_count(Reader *reader, Size least_bytes)
{
	uint64 count = get_number(reader);

	if (count > (uint64) (reader->end - reader->at) / least_bytes)
		damaged(reader->hash, "counts more than it holds");
	return (int) count;
}

static const char *
get_string(Reader *reader)
{
	uint64 len = get_number(reader);
	const char *text;

	if (len >= (uint64) (reader->end - reader->at))
		damaged(reader->hash, "ends early");
	text = get_bytes(reader, len + 1);
	if (strlen(text) != len)
		damaged(reader->hash, "holds a string that is not well formed");
	return text;
}

static void
read_head(Reader *reader, const bytea *body, const uint8 hash[DBVC_SHA256_LEN],
		  char kind)
{
	DbvcPiece piece = {VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body)};
	uint8 computed[DBVC_SHA256_LEN];
	const char *head;

	reader->hash = hash;
	reader->at = piece.data;
	reader->end = reader->at + piece.len;
	dbvc_sha256(&piece, 1, computed);
	if (memcmp(computed, hash, DBVC_SHA256_LEN) != 0)
		damaged(hash, "does not match its hash");
	head = get_bytes(reader, strlen(PAGE_MAGIC) + 2);
	if (memcmp(head, PAGE_MAGIC, strlen(PAGE_MAGIC)) != 0 ||
		head[strlen(PAGE_MAGIC)] != kind)
		damaged(hash, "is of another kind");
	if (head[strlen(PAGE_MAGIC) + 1] != PAGE_VERSION)
		damaged(hash, "is of a version that this dbvc does not know");
}

static void
read_attnums(Reader *reader, DbvcList *list, DbvcEntry *entry)
{
	entry->attnum_count = get_count(reader, 1);
	entry->attnums =
		MemoryContextAlloc(list->context,
						   Max(entry->attnum_count, 1) * sizeof(int16));
	for (int i = 0; i < entry->attnum_count; i++)
		entry->attnums[i] = (int16) get_number(reader);
}

/* Strings of an entry stay in the page. */
static void
read_entry(Reader *reader, DbvcList *list, bool first)
{
	DbvcEntry *entry = dbvc_list_append(list);
	const DbvcEntry *before = entry - 1;
	uint8 flags = *get_bytes(reader, 1);
	uint64 rows;

	if (first && (flags & (SAME_TYPE | SAME_SCHEMA | SAME_PARENT)))
		damaged(reader->hash, "refers to an entry before the first");
	entry->type = flags & SAME_TYPE ? before->type : get_string(reader);
	entry->identity = get_string(reader);
	entry->schema = flags & SAME_SCHEMA ? before->schema : get_string(reader);
	entry->parent = flags & SAME_PARENT ? before->parent : get_string(reader);
	memcpy(entry->hash, get_bytes(reader, DBVC_SHA256_LEN), DBVC_SHA256_LEN);
	entry->classid = (Oid) get_number(reader);
	entry->objid = (Oid) get_number(reader);
	memcpy(&rows, get_bytes(reader, sizeof(rows)), sizeof(rows));
	entry->rows = pg_ntoh64(rows);
	entry->unstable = (flags & UNSTABLE) != 0;
	if (flags & HAS_ATTNUMS)
		read_attnums(reader, list, entry);
	if (list->count > 1 && dbvc_entry_compare(before, entry) >= 0)
		damaged(reader->hash, "is not sorted");
}

static void
read_leaf(const bytea *body, const DbvcPageRef *ref, DbvcList *list)
{
	Reader reader;
	int count;

	read_head(&reader, body, ref->hash, KIND_LEAF);
	count = get_count(&reader, 1);
	if (count != ref->count)
		damaged(ref->hash, "holds another number of entries than expected");
	for (int i = 0; i < count; i++)
		read_entry(&reader, list, i == 0);
	if (reader.at != reader.end)
		damaged(ref->hash, "goes on after its end");
}

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
		damaged(hash, "is missing");
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

			read_leaf(fetched_page(i, ref->hash, context), ref, list);
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
	Reader reader;
	bytea *body;

	if (fetch_pages(&hash, 1) != 1)
		elog(ERROR, "snapshot page was fetched more than once");
	body = fetched_page(0, root, CurrentMemoryContext);
	SPI_freetuptable(SPI_tuptable);
	read_head(&reader, body, root, KIND_ROOT);
	out->definition_version = (int) get_number(&reader);
	out->major = (int) get_number(&reader);
	out->objects = (int) get_number(&reader);
	out->settings = (int) get_number(&reader);
	memcpy(out->fingerprint, get_bytes(&reader, DBVC_SHA256_LEN),
		   DBVC_SHA256_LEN);
	memcpy(out->fingerprint_settings, get_bytes(&reader, DBVC_SHA256_LEN),
		   DBVC_SHA256_LEN);
	out->page_count = get_count(&reader, DBVC_SHA256_LEN + 1);
	out->pages = palloc(Max(out->page_count, 1) * sizeof(DbvcPageRef));
	for (int i = 0; i < out->page_count; i++)
	{
		memcpy(out->pages[i].hash, get_bytes(&reader, DBVC_SHA256_LEN),
			   DBVC_SHA256_LEN);
		out->pages[i].count = (int) get_number(&reader);
	}
	if (reader.at != reader.end)
		damaged(root, "goes on after its end");
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
