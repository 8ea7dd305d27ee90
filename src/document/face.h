/*
 * face.h
 *		A row on its way through the face: face.c and face_update.c.
 */
#ifndef DBVC_FACE_H
#define DBVC_FACE_H

#include "document/runtime.h"

#include "access/htup.h"

/* A row of the face. */
typedef struct DbvcFaceRow
{
	Datum *values;
	bool *nulls;
} DbvcFaceRow;

/* A statement's row on its way. */
typedef struct DbvcFace
{
	const DbvcAdopted *adopted;
	TupleDesc desc;
	DbvcFaceRow old;
	DbvcFaceRow new;
	Datum key[DBVC_KEY_MAX]; /* of old */
	DbvcBaseRow row;		 /* what is written; then what was */
	Bitmapset *changed;		 /* columns of the base, without the document's */
	bool key_changed;
	bool document_changed;
	bool identity;	   /* a value was taken for an identity column */
	bool stored_whole; /* the base has the whole document now */
} DbvcFace;

/* in face.c */

/* The document of a row, split; NULL if it is NULL. */
extern DbvcDocument *dbvc_face_split(const DbvcFace *face,
									 const DbvcFaceRow *row);
/* A generated column was given a value: 428C9. */
extern void dbvc_face_refuse_generated(const DbvcFace *face,
									   AttrNumber column);
/* The statement's own row as it came. */
extern HeapTuple dbvc_face_given(HeapTuple tuple);
/* The statement's own row, with what the base and the merge made of it. */
extern HeapTuple dbvc_face_result(DbvcFace *face, Jsonb *document);
/* A document with the slim that a trigger of the user's may have changed. */
extern Jsonb *dbvc_face_whole(const DbvcFace *face,
							  const DbvcDocument *document);

/* in touched.c */

/* Note that the running statement has written this document. */
extern void dbvc_face_touch(const DbvcFace *face);
/* Has it?  True also when there were too many to know. */
extern bool dbvc_face_touched(const DbvcFace *face);

/* in face_update.c */

/*
 * Make the row what the statement wants, see face_update.c; returns what
 * RETURNING shows, NULL if there is no such row any more.  40001 when somebody
 * else has changed the same.
 */
extern HeapTuple dbvc_face_update(DbvcFace *face, HeapTuple old,
								  HeapTuple new);

/* The row as it is now, locked. */
typedef struct DbvcCurrent
{
	DbvcBaseRow row;
	DbvcStored *stored;
	DbvcDocument *old;	/* as the statement read it */
	Bitmapset *columns; /* that others have changed */
	bool document;		/* others have changed it */
} DbvcCurrent;

/*
 * NULL if it is gone, was written by the statement itself already, or is the
 * one that was tried (NULL: none was): a trigger of the user's has refused it.
 */
extern DbvcCurrent *dbvc_face_lock(DbvcFace *face, const DbvcLast *tried);
/* Somebody else has changed what: 40001. */
DBVC_NORETURN extern void dbvc_face_conflict(const DbvcFace *face,
											 const char *what);

#endif /* DBVC_FACE_H */
