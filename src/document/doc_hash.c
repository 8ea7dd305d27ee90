/*
 * doc_hash.c
 *		Finding items by id or by value.
 *
 * The number of entries is known beforehand, so this is two arrays.
 */
#include "document/doc_raw.h"

#include "common/hashfn.h"
#include "port/pg_bitutils.h"

DbvcHash
dbvc_hash_make(int count)
{
	DbvcHash table;
	uint32 buckets = pg_nextpower2_32((uint32) Max(count, 8));

	table.mask = buckets - 1;
	table.bucket = MemoryContextAllocHuge(CurrentMemoryContext,
										  (Size) buckets * sizeof(int));
	memset(table.bucket, 0xFF, (Size) buckets * sizeof(int));
	table.next = palloc((Size) Max(count, 1) * sizeof(int));
	table.hash = palloc((Size) Max(count, 1) * sizeof(uint32));
	return table;
}

void
dbvc_hash_put(DbvcHash *table, int index, uint32 hash)
{
	int *bucket = &table->bucket[hash & table->mask];

	table->hash[index] = hash;
	table->next[index] = *bucket;
	*bucket = index;
}

uint32
dbvc_hash_id(const DbvcItem *item)
{
	return hash_bytes((const unsigned char *) item->id, item->id_len);
}

uint32
dbvc_hash_value(const DbvcItem *item)
{
	return hash_bytes((const unsigned char *) item->value.data,
					  (int) item->value.len) ^
		   item->value.kind;
}
