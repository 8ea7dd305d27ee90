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
#include "snapshot/page.h"

#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "port/pg_crc32c.h"

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

DbvcListPage *
dbvc_pages_make(const DbvcList *list, int *count)
{
	int allocated = list->count / (CUT / 2) + 8;
	DbvcListPage *pages = palloc(allocated * sizeof(DbvcListPage));
	StringInfoData buf;
	int first = 0;

	*count = 0;
	initStringInfo(&buf);
	while (first < list->count)
	{
		DbvcListPage *page;
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
			pages = repalloc(pages, (allocated *= 2) * sizeof(DbvcListPage));
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

void
dbvc_pages_make_root(const DbvcList *list, const DbvcListPage *pages,
					 int count, DbvcListPage *root)
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

/* ------------------------------------------------------------------ reading */

/* Where we are in a page's bytes. */
typedef struct Reader
{
	const uint8 *hash;
	const char *at;
	const char *end;
} Reader;

void
dbvc_page_damaged(const uint8 hash[DBVC_SHA256_LEN], const char *what)
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
		dbvc_page_damaged(reader->hash, "ends early");
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
	dbvc_page_damaged(reader->hash, "holds a number that is too long");
}

static int
get_count(Reader *reader, Size least_bytes)
{
	uint64 count = get_number(reader);

	if (count > (uint64) (reader->end - reader->at) / least_bytes)
		dbvc_page_damaged(reader->hash, "counts more than it holds");
	return (int) count;
}

static const char *
get_string(Reader *reader)
{
	uint64 len = get_number(reader);
	const char *text;

	if (len >= (uint64) (reader->end - reader->at))
		dbvc_page_damaged(reader->hash, "ends early");
	text = get_bytes(reader, len + 1);
	if (strlen(text) != len)
		dbvc_page_damaged(reader->hash,
						  "holds a string that is not well formed");
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
		dbvc_page_damaged(hash, "does not match its hash");
	head = get_bytes(reader, strlen(PAGE_MAGIC) + 2);
	if (memcmp(head, PAGE_MAGIC, strlen(PAGE_MAGIC)) != 0 ||
		head[strlen(PAGE_MAGIC)] != kind)
		dbvc_page_damaged(hash, "is of another kind");
	if (head[strlen(PAGE_MAGIC) + 1] != PAGE_VERSION)
		dbvc_page_damaged(hash,
						  "is of a version that this dbvc does not know");
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
		dbvc_page_damaged(reader->hash, "refers to an entry before the first");
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
		dbvc_page_damaged(reader->hash, "is not sorted");
}

void
dbvc_page_read(const bytea *body, const DbvcPageRef *ref, DbvcList *list)
{
	Reader reader;
	int count;

	read_head(&reader, body, ref->hash, KIND_LEAF);
	count = get_count(&reader, 1);
	if (count != ref->count)
		dbvc_page_damaged(ref->hash,
						  "holds another number of entries than expected");
	for (int i = 0; i < count; i++)
		read_entry(&reader, list, i == 0);
	if (reader.at != reader.end)
		dbvc_page_damaged(ref->hash, "goes on after its end");
}

void
dbvc_page_read_root(const bytea *body, const uint8 root[DBVC_SHA256_LEN],
					DbvcRoot *out)
{
	Reader reader;

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
		dbvc_page_damaged(root, "goes on after its end");
}
