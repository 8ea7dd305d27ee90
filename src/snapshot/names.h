/*
 * names.h
 *		What names.c and its helpers share.
 */
#ifndef DBVC_NAMES_H
#define DBVC_NAMES_H

#include "snapshot/definition.h"

/* in type_name.c */

/*
 * Spell a type: with its modifier, in pg_catalog's view; or qualified, as in
 * identities.  palloc'd.
 */
extern char *dbvc_type_text(DbvcCatalog *catalog, Oid type, int32 typmod,
							bool qualified);

#endif /* DBVC_NAMES_H */
