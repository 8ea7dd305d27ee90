/*
 * dependents.c
 *		What depends on a table, and makes it see the one in its place.
 */
#include "document/reshape.h"

void
dbvc_dependents_lock(Oid relation, AttrNumber document)
{
}
void
dbvc_dependents_find(DbvcReshape *reshape, Oid relation, AttrNumber document,
					 List **steps)
{
}
