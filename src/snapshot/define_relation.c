/*
 * define_relation.c
 *		Tables, views, materialized views, foreign tables, composite types.
 */
#include "snapshot/relation.h"

#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/ruleutils.h"

/* --------------------------------------------- for what hangs on a relation */

bool
dbvc_relation_is_captured(DbvcCatalog *catalog, Oid relation)
{
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, relation);
	Form_pg_class class;

	if (row == NULL)
		return false;
	class = dbvc_form(row, pg_class);
	return class->relpersistence != RELPERSISTENCE_TEMP &&
		   dbvc_schema_is_captured(catalog, class->relnamespace) &&
		   !dbvc_is_extension_member(catalog, RelationRelationId, relation);
}

void
dbvc_identify_on(DbvcCatalog *catalog, DbvcDefinition *definition,
				 const char *type, const char *name, Oid relation)
{
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, relation);

	definition->type = type;
	definition->parent = dbvc_name_relation(catalog, relation);
	definition->identity =
		psprintf("%s on %s", quote_identifier(name), definition->parent);
	if (row != NULL)
		definition->schema =
			dbvc_schema_name(catalog, dbvc_form(row, pg_class)->relnamespace);
}

void
dbvc_describe_reloptions(DbvcCatalog *catalog, DbvcJson *json, const char *key,
						 Oid relation)
{
	DbvcRow *row = OidIsValid(relation)
					   ? dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, relation)
					   : NULL;

	if (row != NULL && dbvc_row_has(row, Anum_pg_class_reloptions))
		dbvc_describe_options(json, key,
							  dbvc_row_varlena(catalog, DBVC_SHELF_CLASS, row,
											   Anum_pg_class_reloptions),
							  false);
}

/* --------------------------------------------------- partitions, inheritance */

static int
compare_parents(const ListCell *a, const ListCell *b)
{
	return dbvc_form((DbvcRow *) lfirst(a), pg_inherits)->inhseqno -
		   dbvc_form((DbvcRow *) lfirst(b), pg_inherits)->inhseqno;
}

/* Rows of pg_inherits, in their order. */
static List *
parents_of(DbvcCatalog *catalog, Oid relation)
{
	List *rows = NIL;

	for (DbvcRow *row =
			 dbvc_catalog_row(catalog, DBVC_SHELF_INHERITS, relation);
		 row != NULL; row = row->next)
		rows = lappend(rows, row);
	list_sort(rows, compare_parents);
	return rows;
}

static void
describe_inheritance(DbvcCatalog *catalog, DbvcJson *json, List *parents)
{
	ListCell *cell;

	if (parents == NIL)
		return;
	dbvc_json_array(json, "inherits");
	foreach (cell, parents)
		dbvc_json_text(json, NULL,
					   dbvc_name_relation(catalog,
										  dbvc_form((DbvcRow *) lfirst(cell),
													pg_inherits)
											  ->inhparent));
	dbvc_json_end(json);
}

/* Where a partition belongs, and what it takes. */
static void
describe_partition(DbvcCatalog *catalog, const DbvcRow *row, List *parents,
				   DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_inherits parent;

	if (parents == NIL)
		return;
	parent = dbvc_form((DbvcRow *) linitial(parents), pg_inherits);
	dbvc_json_object(json, "partition_of");
	dbvc_json_text(
		json, "bound",
		dbvc_deparse_expression(catalog,
								dbvc_row_string(catalog, DBVC_SHELF_CLASS, row,
												Anum_pg_class_relpartbound),
								InvalidOid, &definition->unstable));
	dbvc_json_flag(json, "detach_pending", parent->inhdetachpending);
	dbvc_json_text(json, "table",
				   dbvc_name_relation(catalog, parent->inhparent));
	dbvc_json_end(json);
}

/* One column or expression of a partition key. */
typedef struct Key
{
	const char *column; /* or NULL: expression */
	char *expression;
	Oid type;
	Oid collation; /* that it has by itself */
} Key;

static Key
partition_column(DbvcCatalog *catalog, Oid relation, AttrNumber number)
{
	Key key = {dbvc_column_name(catalog, relation, number)};

	for (DbvcRow *row =
			 dbvc_catalog_row(catalog, DBVC_SHELF_ATTRIBUTE, relation);
		 row != NULL; row = row->next)
		if (dbvc_form(row, pg_attribute)->attnum == number)
		{
			key.type = dbvc_form(row, pg_attribute)->atttypid;
			key.collation = dbvc_form(row, pg_attribute)->attcollation;
		}
	return key;
}

static Key
partition_expression(DbvcCatalog *catalog, Oid relation, Node *node)
{
	Key key = {NULL};

	key.expression = dbvc_print_expression(catalog, node, relation);
	key.type = exprType(node);
	key.collation = exprCollation(node);
	return key;
}

static const char *
strategy_name(char strategy)
{
	return strategy == PARTITION_STRATEGY_HASH	 ? "hash"
		   : strategy == PARTITION_STRATEGY_LIST ? "list"
												 : "range";
}

static void
describe_partition_key(DbvcCatalog *catalog, Oid relation,
					   DbvcDefinition *definition, DbvcJson *json)
{
	DbvcShelf shelf = DBVC_SHELF_PARTITIONED;
	DbvcRow *row = dbvc_catalog_row(catalog, shelf, relation);
	Form_pg_partitioned_table table;
	int count;
	int others;
	const int16 *numbers;
	const Oid *opclasses;
	const Oid *collations;
	char *tree;
	List *expressions = NIL;
	Oid am;

	if (row == NULL)
		return;
	table = dbvc_form(row, pg_partitioned_table);
	numbers = dbvc_row_numbers(catalog, shelf, row,
							   Anum_pg_partitioned_table_partattrs, &count);
	opclasses = dbvc_row_oids(catalog, shelf, row,
							  Anum_pg_partitioned_table_partclass, &others);
	collations =
		dbvc_row_oids(catalog, shelf, row,
					  Anum_pg_partitioned_table_partcollation, &others);
	tree = dbvc_row_string(catalog, shelf, row,
						   Anum_pg_partitioned_table_partexprs);
	if (tree != NULL)
		expressions = (List *) dbvc_read_tree(tree, &definition->unstable);
	am = table->partstrat == PARTITION_STRATEGY_HASH ? HASH_AM_OID
													 : BTREE_AM_OID;
	dbvc_json_object(json, "partition_key");
	dbvc_json_array(json, "columns");
	for (int i = 0; i < count && i < others; i++)
	{
		Key key;

		if (numbers[i] != 0)
			key = partition_column(catalog, relation, numbers[i]);
		else
		{
			key =
				partition_expression(catalog, relation, linitial(expressions));
			expressions = list_delete_first(expressions);
		}
		dbvc_json_object(json, NULL);
		if (OidIsValid(collations[i]) && collations[i] != key.collation)
			dbvc_json_text(json, "collation",
						   dbvc_name_collation(catalog, collations[i]));
		dbvc_json_text(json, "column", key.column);
		dbvc_json_text(json, "expression", key.expression);
		dbvc_json_text(json, "operator_class",
					   dbvc_opclass_unless_default(catalog, opclasses[i],
												   key.type, am));
		dbvc_json_end(json);
	}
	dbvc_json_end(json);
	dbvc_json_text(json, "strategy", strategy_name(table->partstrat));
	dbvc_json_end(json);
}

/* -------------------------------------------------------------- other parts */

static const char *
replica_identity_name(char identity)
{
	switch (identity)
	{
		case REPLICA_IDENTITY_FULL:
			return "full";
		case REPLICA_IDENTITY_NOTHING:
			return "nothing";
		case REPLICA_IDENTITY_INDEX:
			return "index"; /* which one, the index says */
		default:
			return NULL;
	}
}

/* What somebody has said of the type of the table's rows. */
static void
describe_row_type(DbvcCatalog *catalog, DbvcJson *json, Oid type)
{
	DbvcRow *row = OidIsValid(type)
					   ? dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, type)
					   : NULL;

	if (row == NULL || (!dbvc_row_has(row, Anum_pg_type_typacl) &&
						dbvc_catalog_rows(catalog, DBVC_SHELF_DESCRIPTION,
										  TypeRelationId, type) == NULL &&
						dbvc_catalog_rows(catalog, DBVC_SHELF_SECLABEL,
										  TypeRelationId, type) == NULL))
		return;
	dbvc_json_object(json, "row_type");
	dbvc_describe_acl(catalog, json, "acl",
					  dbvc_row_varlena(catalog, DBVC_SHELF_TYPE, row,
									   Anum_pg_type_typacl),
					  OBJECT_TYPE, dbvc_form(row, pg_type)->typowner);
	dbvc_describe_comment(catalog, json, TypeRelationId, type, 0);
	dbvc_describe_labels(catalog, json, TypeRelationId, type, 0);
	dbvc_json_end(json);
}

static const char *
access_method(DbvcCatalog *catalog, Form_pg_class class)
{
	if (!OidIsValid(class->relam) || class->relkind == RELKIND_VIEW ||
		(class->relam == HEAP_TABLE_AM_OID &&
		 class->relkind != RELKIND_PARTITIONED_TABLE))
		return NULL;
	return dbvc_name_access_method(catalog, class->relam);
}

static struct varlena *
class_varlena(DbvcCatalog *catalog, const DbvcRow *row, AttrNumber attribute)
{
	return dbvc_row_has(row, attribute)
			   ? dbvc_row_varlena(catalog, DBVC_SHELF_CLASS, row, attribute)
			   : NULL;
}

/* ------------------------------------------------------------------- tables */

static const char *
relation_type(char relkind)
{
	switch (relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return "table";
		case RELKIND_FOREIGN_TABLE:
			return "foreign table";
		case RELKIND_VIEW:
			return "view";
		case RELKIND_MATVIEW:
			return "materialized view";
		case RELKIND_COMPOSITE_TYPE:
			return "composite type";
		default:
			return NULL;
	}
}

static bool
define_composite_type(DbvcCatalog *catalog, const DbvcRow *row,
					  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_class class = dbvc_form(row, pg_class);
	DbvcRow *type = dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, class->reltype);

	/* the type is what one comments on and grants; and what extensions have */
	if (type == NULL ||
		dbvc_is_extension_member(catalog, TypeRelationId, class->reltype))
		return false;
	dbvc_describe_acl(catalog, json, "acl",
					  dbvc_row_varlena(catalog, DBVC_SHELF_TYPE, type,
									   Anum_pg_type_typacl),
					  OBJECT_TYPE, dbvc_form(type, pg_type)->typowner);
	dbvc_define_columns(catalog, row, definition, json);
	dbvc_describe_comment(catalog, json, TypeRelationId, class->reltype, 0);
	dbvc_describe_owner(catalog, json, dbvc_form(type, pg_type)->typowner);
	dbvc_describe_labels(catalog, json, TypeRelationId, class->reltype, 0);
	return true;
}

/* Members from "of_type" on. */
static void
describe_rest(DbvcCatalog *catalog, const DbvcRow *row, List *parents,
			  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_class class = dbvc_form(row, pg_class);
	DbvcRow *foreign = NULL;

	if (class->relkind == RELKIND_FOREIGN_TABLE)
		foreign =
			dbvc_catalog_row(catalog, DBVC_SHELF_FOREIGN_TABLE, class->oid);
	if (OidIsValid(class->reloftype))
		dbvc_json_text(json, "of_type",
					   dbvc_name_type(catalog, class->reloftype, -1));
	if (foreign != NULL)
		dbvc_describe_options(
			json, "options",
			dbvc_row_varlena(catalog, DBVC_SHELF_FOREIGN_TABLE, foreign,
							 Anum_pg_foreign_table_ftoptions),
			false);
	else
		dbvc_describe_reloptions(catalog, json, "options", class->oid);
	dbvc_describe_owner(catalog, json, class->relowner);
	if (class->relkind == RELKIND_PARTITIONED_TABLE)
		describe_partition_key(catalog, class->oid, definition, json);
	if (class->relispartition)
		describe_partition(catalog, row, parents, definition, json);
	if (class->relpersistence == RELPERSISTENCE_UNLOGGED)
		dbvc_json_text(json, "persistence", "unlogged");
	if (class->relkind == RELKIND_VIEW || class->relkind == RELKIND_MATVIEW)
		dbvc_describe_view(catalog, class->oid, definition, json);
	dbvc_json_text(json, "replica_identity",
				   class->relkind == RELKIND_RELATION ||
						   class->relkind == RELKIND_PARTITIONED_TABLE ||
						   class->relkind == RELKIND_MATVIEW
					   ? replica_identity_name(class->relreplident)
					   : NULL);
	dbvc_json_flag(json, "row_security", class->relrowsecurity);
	describe_row_type(catalog, json, class->reltype);
	dbvc_describe_labels(catalog, json, RelationRelationId, class->oid, 0);
	if (foreign != NULL)
		dbvc_json_text(json, "server",
					   dbvc_name_server(catalog,
										((Form_pg_foreign_table) GETSTRUCT(
											 &foreign->tuple))
											->ftserver));
	dbvc_json_text(json, "tablespace",
				   dbvc_name_tablespace(catalog, class->reltablespace));
	dbvc_describe_reloptions(catalog, json, "toast_options",
							 class->reltoastrelid);
}

static void
define_table(DbvcCatalog *catalog, const DbvcRow *row,
			 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_class class = dbvc_form(row, pg_class);
	List *parents = parents_of(catalog, class->oid);

	dbvc_json_text(json, "access_method", access_method(catalog, class));
	dbvc_describe_acl(catalog, json, "acl",
					  class_varlena(catalog, row, Anum_pg_class_relacl),
					  OBJECT_TABLE, class->relowner);
	dbvc_define_columns(catalog, row, definition, json);
	dbvc_describe_comment(catalog, json, RelationRelationId, class->oid, 0);
	dbvc_json_flag(json, "force_row_security", class->relforcerowsecurity);
	if (!class->relispartition)
		describe_inheritance(catalog, json, parents);
	describe_rest(catalog, row, parents, definition, json);
}

bool
dbvc_define_relation(DbvcCatalog *catalog, const DbvcRow *row,
					 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_class class = dbvc_form(row, pg_class);

	if (class->relkind == RELKIND_INDEX ||
		class->relkind == RELKIND_PARTITIONED_INDEX)
		return dbvc_define_index(catalog, row, definition, json);
	if (class->relkind == RELKIND_TOASTVALUE ||
		!dbvc_relation_is_captured(catalog, class->oid))
		return false;
	definition->schema = dbvc_schema_name(catalog, class->relnamespace);
	definition->identity = dbvc_name_relation(catalog, class->oid);
	if (class->relkind == RELKIND_SEQUENCE)
		return dbvc_define_sequence(catalog, row, definition, json);
	definition->type = relation_type(class->relkind);
	if (definition->type == NULL)
		return false;
	if (class->relkind == RELKIND_COMPOSITE_TYPE)
		return define_composite_type(catalog, row, definition, json);
	define_table(catalog, row, definition, json);
	return true;
}
