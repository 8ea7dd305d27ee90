/*
 * difference.h
 *		What difference*.c share.
 */
#ifndef DBVC_DIFFERENCE_H
#define DBVC_DIFFERENCE_H

#include "snapshot/snapshot.h"

/* A difference that was found, before it is decided whether it is listed. */
typedef struct DbvcFound
{
	DbvcDifference difference; /* first: what is given away */
	const char *type_key;	   /* what it is sorted by: UTF-8 */
	const char *identity_key;
	const char *attribute_key; /* "" for none */
	/*
	 * The object's own catalog rows are the same on both sides, so it differs
	 * only because of something else; a rename may explain it.
	 */
	bool suspect;
	/* renamed: the name, as it stands in the texts of others */
	const char *old_name;
	const char *new_name;
} DbvcFound;

/* A comparison on its way. */
typedef struct DbvcComparing
{
	const DbvcSide *before;
	const DbvcSide *after;
	bool same_oids;
	bool detail;
	MemoryContext result;  /* where the differences go */
	MemoryContext scratch; /* for one pair of objects */
	List *found;		   /* of DbvcFound */
} DbvcComparing;

/* Two entries of one object. */
typedef struct DbvcPair
{
	const DbvcEntry *before;
	const DbvcEntry *after;
	bool same_object; /* proved by its OID */
	bool suspect;
} DbvcPair;

/* in difference.c */

/* Add a difference.  Strings are in database encoding; everything is copied. attribute, before and after may be NULL. */
extern DbvcFound *dbvc_found_add(DbvcComparing *comparing, const char *change,
								 const char *type, const char *identity,
								 const char *attribute, const Jsonb *before,
								 const Jsonb *after);
/* A JSON string. */
extern Jsonb *dbvc_jsonb_string(const char *text);

/* in difference_body.c */

/* The definition of an entry. */
extern Jsonb *dbvc_entry_body(const DbvcSide *side, const DbvcEntry *entry);
/* What differs in the bodies of one object, and its columns. */
extern void dbvc_compare_bodies(DbvcComparing *comparing,
								const DbvcPair *pair);
/* The columns of an object that is there on one side only, a difference each. */
extern void dbvc_found_columns(DbvcComparing *comparing, const char *change,
							   const DbvcEntry *entry, const Jsonb *body);

/* in difference_rename.c */

/* Names that others call a renamed object by, before and after; NULL when they cannot. */
extern const char *dbvc_identity_name(const char *type, const char *identity);
/* The differences that are listed: without those that a listed rename explains. */
extern List *dbvc_without_consequences(List *found);

#endif /* DBVC_DIFFERENCE_H */
