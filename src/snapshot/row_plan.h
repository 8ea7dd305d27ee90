/*
 * row_plan.h
 *		How the detector deals with the rows of a catalog.
 */
#ifndef DBVC_ROW_PLAN_H
#define DBVC_ROW_PLAN_H

#include "snapshot/catalog.h"

#define DBVC_MAX_MASKS 16

/* How to deal with the rows of the relation that is being read. */
typedef struct DbvcRowPlan
{
	Oid relation;
	TupleDesc desc;
	Oid owner;			  /* class of the object that a row belongs to, or */
	int class_offset;	  /* where the row says it */
	int key_offset;		  /* and the object */
	int namespace_offset; /* its schema; -1: it is in none */
	int parent_offset;	  /* the relation it hangs on; -1: none */
	int whole_count;	  /* objects that the row is a part of besides: */
	int whole_offset[2];
	Oid whole_class[2];
	int name_offset; /* of relations whose names are in the context; else -1 */
	bool only_name;	 /* there is nothing else to look at */
	int masks;		 /* columns in the fixed part that are not hashed */
	int mask_offset[DBVC_MAX_MASKS];
	int mask_len[DBVC_MAX_MASKS];
	int text_offset;	/* a name, of which only the used part is hashed; -1 */
	int pending_offset; /* a state that changes from p to e by itself; -1 */
	AttrNumber missing; /* pg_attribute.attmissingval */
} DbvcRowPlan;

/* in row_plan.c */

extern void dbvc_plan_relation(DbvcRowPlan *plan, Relation relation,
							   DbvcShelf shelf);

#endif /* DBVC_ROW_PLAN_H */
