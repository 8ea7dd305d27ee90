/*
 * define.h
 *		What the definers share among themselves.
 */
#ifndef DBVC_DEFINE_H
#define DBVC_DEFINE_H

#include "snapshot/definition.h"

/* in define_function.c */

/* "arguments": all of them, in order. */
extern void dbvc_describe_arguments(DbvcCatalog *catalog, DbvcJson *json,
									const DbvcRow *row,
									DbvcDefinition *definition);
/* NULL when it is the default. */
extern const char *dbvc_volatility_name(char volatility);
extern const char *dbvc_parallel_name(char parallel);

/* in define_aggregate.c */

/* The members after "acl"; row: of pg_proc. */
extern bool dbvc_define_aggregate(DbvcCatalog *catalog, const DbvcRow *row,
								  DbvcDefinition *definition, DbvcJson *json);
/* in define_privileges.c */

/* Of an object that is none of a snapshot; false when they are as they were
 * at first.  json is that of the body, with nothing in it. */
extern bool dbvc_define_privileges(DbvcCatalog *catalog, Oid classid,
								   DbvcShelf shelf, const DbvcRow *row,
								   DbvcDefinition *definition, DbvcJson *json);

/* in names.c */

/* The schema's name, quoted. */
extern char *dbvc_schema_identity(DbvcCatalog *catalog, Oid schema);

/* in whole.c */

/* What an object depends on internally, of a class; InvalidOid: nothing.  Reads
 * pg_depend, since most of that is on no shelf. */
extern Oid dbvc_internal_owner(DbvcCatalog *catalog, Oid classid, Oid objid,
							   Oid refclassid);

#endif /* DBVC_DEFINE_H */
