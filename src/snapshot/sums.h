/*
 * sums.h
 *		Sums over catalog rows, as detector.c makes them and sums.c keeps them.
 */
#ifndef DBVC_SUMS_H
#define DBVC_SUMS_H

#include "snapshot/snapshot.h"

/* Of one object.  OIDs of catalogs are small. */
typedef struct DbvcSum
{
	Oid objid;
	uint16 classid;
	uint16 unused;
	uint64 sum;
} DbvcSum;

/* Added to the class: the name alone of a role, a schema ... */
#define DBVC_SUM_NAME 0x8000

/* Sums as they come. */
typedef struct DbvcStream
{
	DbvcSum *sums;
	uint32 count;
	uint32 allocated;
} DbvcStream;

typedef struct DbvcUnstable
{
	DbvcObject object;
	uint8 hash[DBVC_SHA256_LEN];
} DbvcUnstable;

struct DbvcSums
{
	MemoryContext context;
	uint8 key[DBVC_SIPHASH_KEY_LEN];
	uint64 names;	  /* the sum of the system's own rows */
	uint64 total;	  /* over all objects */
	DbvcSum *objects; /* by objid and classid */
	uint32 count;
	/*
	 * Which versions of rows were read, by object; that of the pg_class row
	 * itself under class 0, because much gives it a new one and nothing else.
	 * NULL when it is not known.
	 */
	DbvcStream *rows;
	bool rows_gathered;
	uint64 system_rows; /* versions of the system's own */
	DbvcUnstable *unstable;
	int unstable_count;
};

/* Order of the objects. */
static inline int
dbvc_sum_compare(const DbvcSum *a, const DbvcSum *b)
{
	if (a->objid != b->objid)
		return a->objid < b->objid ? -1 : 1;
	return (int) a->classid - (int) b->classid;
}

/* in sums.c */

/*
 * Sort sums in any order by object, and add up those of one object.  spare has
 * room for as many; returns the one of the two where the result is, and its number.
 */
extern DbvcSum *dbvc_sums_gather(DbvcSum *sums, DbvcSum *spare, uint32 *count);

#endif /* DBVC_SUMS_H */
