/*
 * relation.h
 *		What the definers of relations and of what hangs on them share.
 */
#ifndef DBVC_RELATION_H
#define DBVC_RELATION_H

#include "snapshot/definition.h"

#include "nodes/parsenodes.h"

/* Does the row have a value there?  Much cheaper than to fetch it. */
static inline bool
dbvc_row_has(const DbvcRow *row, AttrNumber attribute)
{
	HeapTupleHeader header = row->tuple.t_data;

	return attribute <= HeapTupleHeaderGetNatts(header) &&
		   (!HeapTupleHasNulls(&row->tuple) ||
			!att_isnull(attribute - 1, header->t_bits));
}

/* in normalise.c */

/*
 * The tree as it would be read back from its own text.  Sets *unstable as
 * dbvc_deparse_expression() does.
 */
extern Node *dbvc_normalise(Node *node, bool *unstable);

/* in deparse.c */

/* What a stored tree means, normalised. */
extern Node *dbvc_read_tree(const char *tree, bool *unstable);
/* An expression over the relation as text. */
extern char *dbvc_print_expression(DbvcCatalog *catalog, Node *node,
								   Oid relation);

/* in deparse_query.c */

/* A query as text without a lock on what it reads; NULL when it is none for
 * that.  Modifies the query unless it returns NULL. */
extern char *dbvc_print_reading(DbvcCatalog *catalog, Query *query);

/* in define_relation.c */

/* Is it there, and of a snapshot?  What hangs on it is then too. */
extern bool dbvc_relation_is_captured(DbvcCatalog *catalog, Oid relation);
/* Fill in type, identity, schema and parent of what has a name on a
 * relation, as in "name on schema.table". */
extern void dbvc_identify_on(DbvcCatalog *catalog, DbvcDefinition *definition,
							 const char *type, const char *name, Oid relation);
/* Key "options": what WITH (...) says. */
extern void dbvc_describe_reloptions(DbvcCatalog *catalog, DbvcJson *json,
									 const char *key, Oid relation);

/* in define_column.c */

extern void dbvc_define_columns(DbvcCatalog *catalog, const DbvcRow *relation,
								DbvcDefinition *definition, DbvcJson *json);
/* Options of a row of pg_attribute that somebody has set, or NULL. */
extern struct varlena *dbvc_column_options(DbvcCatalog *catalog,
										   const DbvcRow *row);
/* Names of columns by their numbers, as an array of strings; left out when
 * there are none. */
extern void dbvc_describe_column_names(DbvcCatalog *catalog, DbvcJson *json,
									   const char *key, Oid relation,
									   const int16 *attnums, int count);
/* Elements of an int2[] or int2vector; NULL and 0 when it is null. */
extern const int16 *dbvc_row_numbers(DbvcCatalog *catalog, DbvcShelf shelf,
									 const DbvcRow *row, AttrNumber attribute,
									 int *count);
/* The same of an oid[] or oidvector. */
extern const Oid *dbvc_row_oids(DbvcCatalog *catalog, DbvcShelf shelf,
								const DbvcRow *row, AttrNumber attribute,
								int *count);

/* in define_index.c */

extern bool dbvc_define_index(DbvcCatalog *catalog, const DbvcRow *relation,
							  DbvcDefinition *definition, DbvcJson *json);
/* The constraint that the index is the means of, or InvalidOid. */
extern Oid dbvc_index_constraint(DbvcCatalog *catalog, Oid index);
/* Key "index": what the index of a constraint is beyond the constraint. */
extern void dbvc_describe_constraint_index(DbvcCatalog *catalog,
										   DbvcJson *json, Oid index);
/* Key "elements": what an exclusion constraint compares, and how. */
extern void dbvc_describe_elements(DbvcCatalog *catalog, DbvcJson *json,
								   Oid index, const Oid *operators,
								   bool *unstable);
/* Key "include". */
extern void dbvc_describe_include(DbvcCatalog *catalog, DbvcJson *json,
								  Oid index);
extern char *dbvc_index_predicate(DbvcCatalog *catalog, Oid index,
								  bool *unstable);
/* The operator class's name if it is not the one that the type has by
 * default. */
extern const char *dbvc_opclass_unless_default(DbvcCatalog *catalog,
											   Oid opclass, Oid type, Oid am);

/* in define_view.c */

/* Key "query": what a view shows. */
extern void dbvc_describe_view(DbvcCatalog *catalog, Oid view,
							   DbvcDefinition *definition, DbvcJson *json);

/* in define_sequence.c */

extern bool dbvc_define_sequence(DbvcCatalog *catalog, const DbvcRow *relation,
								 DbvcDefinition *definition, DbvcJson *json);

#endif /* DBVC_RELATION_H */
