/*
 * adopt_grants.c
 *		Who may do what with face, items and base.
 */
#include "document/reshape.h"

void
dbvc_grants_check(DbvcReshape *reshape, const DbvcTable *table)
{
}
void
dbvc_grants_face(DbvcReshape *reshape, const DbvcTable *table)
{
}
void
dbvc_grants_items(DbvcReshape *reshape, const DbvcTable *table)
{
}
void
dbvc_grants_base(DbvcReshape *reshape, const DbvcTable *table)
{
}
