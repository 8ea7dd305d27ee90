/*
 * capture.h
 *		A capture while it is being made: what capture.c and capture_objects.c share.
 */
#ifndef DBVC_CAPTURE_H
#define DBVC_CAPTURE_H

#include "snapshot/snapshot.h"

/* What a capture starts from. */
typedef struct DbvcStart
{
	const DbvcCapture *base;
	DbvcSums *sums; /* NULL: nothing is known */
	bool has_key;
	uint8 key[DBVC_SIPHASH_KEY_LEN];
	bool has_root;
	uint8 root[DBVC_SHA256_LEN];
	DbvcList *list;					/* loaded when it is needed */
	const struct DbvcRound *before; /* the round that has made it, if any */
} DbvcStart;

typedef struct DbvcFailure
{
	DbvcObject object;
	ErrorData *error;
} DbvcFailure;

/* One attempt. */
typedef struct DbvcRound
{
	DbvcStart *start;
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
	MemoryContext scratch;		/* for one definition */
	struct DbvcFailure *failed; /* objects that raised an error */
	int failed_count;
} DbvcRound;

/* in capture_objects.c */

/* Make everything; round->catalog is a full one. */
extern void dbvc_capture_all(DbvcRound *round);
/* Make what may have changed since the start; everything, when that is less
 * work or nobody can tell. */
extern void dbvc_capture_changed(DbvcRound *round);
/* List what could not be defined. */
extern void dbvc_capture_failed(DbvcRound *round);
extern HTAB *dbvc_capture_set(const DbvcObject *objects, int count);

#endif /* DBVC_CAPTURE_H */
