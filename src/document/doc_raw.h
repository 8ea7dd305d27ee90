/*
 * doc_raw.h
 *		The binary form of jsonb: reading it where it stands, writing it in
 *		one go.  For this folder only.
 *
 * A container is a header with flags and a count, an entry of 32 bits for
 * each child (an object's keys, then its values), and the children's bytes.
 * An entry has the child's kind and the length of its bytes; every
 * JB_OFFSET_STRIDE'th has the offset of their end instead.  Numerics and
 * containers begin at a multiple of four; the padding in front counts as
 * theirs.  So a child's own bytes are the same wherever it stands, and can be
 * copied; only padding and entries have to be made anew.
 *
 * Bytes may be unaligned when they come from a row with a short header.
 */
#ifndef DBVC_DOC_RAW_H
#define DBVC_DOC_RAW_H

#include "document/document.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#define DBVC_RAW_HEADER ((uint32) sizeof(uint32))
#define DBVC_RAW_ENTRY ((uint32) sizeof(JEntry))

/* As jsonb_util.c has it, which keeps it to itself. */
#define DBVC_RAW_MAX_ELEMENTS \
	((int) Min(MaxAllocSize / sizeof(JsonbValue), JB_CMASK))
#define DBVC_RAW_MAX_PAIRS \
	((int) Min(MaxAllocSize / sizeof(JsonbPair), JB_CMASK))

/* Room for so many and one more; never NULL. */
static inline void *
dbvc_raw_array(int count, Size size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext,
								  ((Size) count + 1) * size);
}

static inline uint32
dbvc_raw_uint32(const char *data)
{
	uint32 value;

	memcpy(&value, data, sizeof(value));
	return value;
}

static inline bool
dbvc_raw_is_object(const DbvcValue *value)
{
	return value->kind == JENTRY_ISCONTAINER &&
		   (dbvc_raw_uint32(value->data) & JB_FOBJECT) != 0;
}

static inline bool
dbvc_raw_is_array(const DbvcValue *value)
{
	return value->kind == JENTRY_ISCONTAINER &&
		   (dbvc_raw_uint32(value->data) & JB_FARRAY) != 0;
}

/* Elements of an array, pairs of an object. */
static inline int
dbvc_raw_count(const DbvcValue *container)
{
	return (int) (dbvc_raw_uint32(container->data) & JB_CMASK);
}

/* Order of keys in an object. */
static inline int
dbvc_raw_compare(const char *a, int a_len, const char *b, int b_len)
{
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return memcmp(a, b, a_len);
}

/* Walks over children: elements, keys, or values. */
typedef struct DbvcRawIter
{
	const char *entry; /* the next one's */
	const char *base;  /* of the children's bytes */
	uint32 offset;	   /* where the next one begins, with its padding */
} DbvcRawIter;

extern DbvcRawIter dbvc_raw_elements(const DbvcValue *array);
extern DbvcRawIter dbvc_raw_keys(const DbvcValue *object);
extern DbvcRawIter dbvc_raw_values(const DbvcValue *object);

static inline DbvcValue
dbvc_raw_next(DbvcRawIter *iter)
{
	JEntry entry = dbvc_raw_uint32(iter->entry);
	uint32 start = iter->offset;
	DbvcValue value;

	value.kind = entry & JENTRY_TYPEMASK;
	JBE_ADVANCE_OFFSET(iter->offset, entry);
	if (value.kind == JENTRY_ISNUMERIC || value.kind == JENTRY_ISCONTAINER)
		start = INTALIGN(start);
	value.data = iter->base + start;
	value.len = iter->offset - start;
	iter->entry += DBVC_RAW_ENTRY;
	return value;
}

/* The value of a key; false if the object has none. */
extern bool dbvc_raw_find(const DbvcValue *object, const DbvcKey *key,
						  DbvcValue *value);

/* A jsonb's root as a value, without taking memory. */
extern DbvcValue dbvc_raw_root(const char *data, uint32 len);

/* A jsonb in the making. */
typedef struct DbvcRawWriter
{
	char *data; /* with the varlena's header */
	uint32 len;
	uint32 size;
} DbvcRawWriter;

/* A container in it whose children are being written. */
typedef struct DbvcRawOpen
{
	uint32 entry; /* where the next one's entry goes */
	uint32 base;  /* where the children's bytes begin */
	uint32 end;	  /* of the last one, counted from there */
	uint32 index; /* of the next one */
} DbvcRawOpen;

/*
 * The size is a bound, not a guess: nothing grows.  54000 if it is larger
 * than any jsonb can be.
 */
extern void dbvc_raw_start(DbvcRawWriter *writer, Size size);
extern Jsonb *dbvc_raw_finish(DbvcRawWriter *writer);
pg_noinline extern void dbvc_raw_overflow(void);
pg_noinline extern void dbvc_raw_too_large(void);

static inline char *
dbvc_raw_reserve(DbvcRawWriter *writer, uint32 len)
{
	char *data = writer->data + writer->len;

	if (unlikely(len > writer->size - writer->len))
		dbvc_raw_overflow();
	writer->len += len;
	return data;
}

static inline void
dbvc_raw_pad(DbvcRawWriter *writer)
{
	uint32 len = INTALIGN(writer->len) - writer->len;

	if (len > 0)
		memset(dbvc_raw_reserve(writer, len), 0, len);
}

/* Begin a container: its header, and room for its entries. */
static inline DbvcRawOpen
dbvc_raw_open(DbvcRawWriter *writer, uint32 header, uint32 entries)
{
	DbvcRawOpen open = {0};

	dbvc_raw_pad(writer);
	memcpy(dbvc_raw_reserve(writer, DBVC_RAW_HEADER), &header, sizeof(header));
	open.entry = writer->len;
	dbvc_raw_reserve(writer, entries * DBVC_RAW_ENTRY);
	open.base = writer->len;
	return open;
}

/* A child has been written, with padding in front: its entry. */
static inline void
dbvc_raw_added(DbvcRawWriter *writer, DbvcRawOpen *open, JEntry kind)
{
	uint32 end = writer->len - open->base;
	JEntry entry;

	if (unlikely(end > JENTRY_OFFLENMASK))
		dbvc_raw_too_large();
	if (open->index % JB_OFFSET_STRIDE == 0)
		entry = kind | end | JENTRY_HAS_OFF;
	else
		entry = kind | (end - open->end);
	memcpy(writer->data + open->entry, &entry, sizeof(entry));
	open->entry += DBVC_RAW_ENTRY;
	open->end = end;
	open->index++;
}

/* A child that is copied. */
static inline void
dbvc_raw_add(DbvcRawWriter *writer, DbvcRawOpen *open, const DbvcValue *value)
{
	if (value->kind == JENTRY_ISNUMERIC || value->kind == JENTRY_ISCONTAINER)
		dbvc_raw_pad(writer);
	memcpy(dbvc_raw_reserve(writer, value->len), value->data, value->len);
	dbvc_raw_added(writer, open, value->kind);
}

/* An object of these keys, which are in order, and their values. */
extern Jsonb *dbvc_raw_object(const DbvcValue *keys, const DbvcValue *values,
							  int count);

/* in doc_rewrite.c */

/*
 * End of the parts from "at" on (before "end") that have the same key at this
 * depth as the one at "at".
 */
extern int dbvc_parts_group(const DbvcParts *parts, int at, int end,
							int depth);

/*
 * A copy of the document in which the array of each part that is wanted is
 * replaced: an empty one by one of the items, or, if items is NULL, one with
 * elements by an empty one.  What was replaced is noted by clearing wanted.
 * size bounds the result.
 */
extern Jsonb *dbvc_doc_rewrite(const DbvcParts *parts, Jsonb *document,
							   const DbvcItems *items, bool *wanted,
							   Size size);

/* in doc_ids.c */

/* Give items their ids, of which only the values are set. */
extern void dbvc_items_identify(DbvcItems *items, const DbvcKey *id_key);

/* in doc_hash.c: indexes of something, by a hash of it */

typedef struct DbvcHash
{
	uint32 mask;
	int *bucket;  /* first index there, or -1 */
	int *next;	  /* for each index */
	uint32 *hash; /* for each index */
} DbvcHash;

/* For indexes 0 .. count - 1. */
extern DbvcHash dbvc_hash_make(int count);
extern void dbvc_hash_put(DbvcHash *table, int index, uint32 hash);
extern uint32 dbvc_hash_id(const DbvcItem *item);
extern uint32 dbvc_hash_value(const DbvcItem *item);

/* Indexes with this hash: for (i = first; i >= 0; i = next). */
static inline int
dbvc_hash_from(const DbvcHash *table, int index, uint32 hash)
{
	while (index >= 0 && table->hash[index] != hash)
		index = table->next[index];
	return index;
}

static inline int
dbvc_hash_first(const DbvcHash *table, uint32 hash)
{
	return dbvc_hash_from(table, table->bucket[hash & table->mask], hash);
}

static inline int
dbvc_hash_next(const DbvcHash *table, int index)
{
	return dbvc_hash_from(table, table->next[index], table->hash[index]);
}

static inline bool
dbvc_item_same_id(const DbvcItem *a, const DbvcItem *b)
{
	return a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0;
}

/* in doc_chain.c */

/* A new item that could keep the rank of an old one. */
typedef struct DbvcLink
{
	int new_index;
	int old_index;
	int64 ord;
	int64 weight; /* how much it is worth */
	bool chosen;
} DbvcLink;

/*
 * Choose the links that are worth most together: each new and old item at
 * most once, ranks rising as the new items do, and with room between two for
 * the new items between them, of which there are "items" in all.  Links come
 * in order of new_index.  O(n log n).
 */
extern void dbvc_chain_choose(DbvcLink *links, int count, int items);

/* in doc_slim.c */

/*
 * The merge of three slim documents; conflicts are appended.  See
 * dbvc_doc_merge().
 */
extern Jsonb *dbvc_slim_merge(Jsonb *old, Jsonb *changed, Jsonb *current,
							  List **conflicts);

#endif /* DBVC_DOC_RAW_H */
