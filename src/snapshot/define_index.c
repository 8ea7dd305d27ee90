/*
 * define_index.c
 *		Indexes, on their own and behind a constraint.
 *
 * A constraint says which columns are unique, so its index only adds what ALTER
 * INDEX and the like have done to it.
 */
#include "snapshot/relation.h"

#include "access/stratnum.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/nodeFuncs.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* An index, its columns taken apart. */
typedef struct IndexParts
{
	DbvcCatalog *catalog;
	Form_pg_class class;
	Form_pg_index index;
	const DbvcRow *row; /* of pg_index */
	int key_count;
	int count;
	const int16 *numbers;
	const Oid *collations;
	const Oid *opclasses;
	const int16 *options;
	List *expressions; /* Node */
	DbvcRow **columns; /* rows of pg_attribute, by number - 1 */
	bool *unstable;
} IndexParts;

/* ----------------------------------------------- default operator classes */

/* Which class a type has by default: asked again and again. */
typedef struct DefaultKey
{
	Oid am;
	Oid type;
} DefaultKey;

typedef struct Default
{
	DefaultKey key;
	Oid opclass;
} Default;

static DbvcCatalog *defaults_of; /* whose answers are in it */
static HTAB *defaults;

static void
forget_defaults(void *arg)
{
	if (defaults_of == arg)
	{
		defaults_of = NULL;
		defaults = NULL;
	}
}

static void
take_defaults(DbvcCatalog *catalog)
{
	MemoryContext memory = dbvc_catalog_context(catalog);
	MemoryContextCallback *callback;
	HASHCTL control = {0};

	if (defaults_of == catalog)
		return;
	control.keysize = sizeof(DefaultKey);
	control.entrysize = sizeof(Default);
	control.hcxt = memory;
	defaults_of = NULL;
	defaults = hash_create("dbvc default operator classes", 64, &control,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	callback = MemoryContextAllocZero(memory, sizeof(MemoryContextCallback));
	callback->func = forget_defaults;
	callback->arg = catalog;
	MemoryContextRegisterResetCallback(memory, callback);
	defaults_of = catalog;
}

static Oid
default_opclass(DbvcCatalog *catalog, Oid type, Oid am)
{
	DefaultKey key = {am, type};
	Default *entry;
	bool found;

	take_defaults(catalog);
	entry = hash_search(defaults, &key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		Oid opclass = GetDefaultOpClass(type, am);

		entry = hash_search(defaults, &key, HASH_ENTER, &found);
		entry->opclass = opclass;
	}
	return entry->opclass;
}

const char *
dbvc_opclass_unless_default(DbvcCatalog *catalog, Oid opclass, Oid type,
							Oid am)
{
	DbvcRow *row;
	Form_pg_opclass form;

	if (!OidIsValid(opclass) ||
		(OidIsValid(type) && default_opclass(catalog, type, am) == opclass))
		return NULL;
	row = dbvc_catalog_row(catalog, DBVC_SHELF_OPCLASS, opclass);
	if (row == NULL)
		return dbvc_name_opclass(catalog, opclass);
	/* without the access method, which the index tells */
	form = dbvc_form(row, pg_opclass);
	return dbvc_qualified_name(dbvc_schema_name(catalog, form->opcnamespace),
							   NameStr(form->opcname));
}

/* ------------------------------------------------------------------ reading */

static bool
index_read(IndexParts *out, DbvcCatalog *catalog, Oid index, bool *unstable)
{
	DbvcRow *class = dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, index);
	DbvcShelf shelf = DBVC_SHELF_INDEX;
	char *tree;
	int count;

	memset(out, 0, sizeof(*out));
	out->catalog = catalog;
	out->unstable = unstable;
	out->row = dbvc_catalog_row(catalog, shelf, index);
	if (class == NULL || out->row == NULL)
		return false;
	out->class = dbvc_form(class, pg_class);
	out->index = dbvc_form(out->row, pg_index);
	out->key_count = out->index->indnkeyatts;
	out->numbers = dbvc_row_numbers(catalog, shelf, out->row,
									Anum_pg_index_indkey, &out->count);
	out->collations = dbvc_row_oids(catalog, shelf, out->row,
									Anum_pg_index_indcollation, &count);
	out->opclasses = dbvc_row_oids(catalog, shelf, out->row,
								   Anum_pg_index_indclass, &count);
	out->options = dbvc_row_numbers(catalog, shelf, out->row,
									Anum_pg_index_indoption, &count);
	if (dbvc_row_has(out->row, Anum_pg_index_indexprs))
	{
		tree =
			dbvc_row_string(catalog, shelf, out->row, Anum_pg_index_indexprs);
		out->expressions = (List *) dbvc_read_tree(tree, unstable);
	}
	out->columns = palloc0(sizeof(DbvcRow *) * Max(out->count, 1));
	for (DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_ATTRIBUTE, index);
		 row != NULL; row = row->next)
	{
		AttrNumber number = dbvc_form(row, pg_attribute)->attnum;

		if (number >= 1 && number <= out->count)
			out->columns[number - 1] = row;
	}
	return true;
}

Oid
dbvc_index_constraint(DbvcCatalog *catalog, Oid index)
{
	for (DbvcRow *row = dbvc_catalog_rows(catalog, DBVC_SHELF_DEPEND,
										  RelationRelationId, index);
		 row != NULL; row = row->next)
	{
		Form_pg_depend depend = dbvc_form(row, pg_depend);

		if (depend->refclassid == ConstraintRelationId &&
			depend->deptype == DEPENDENCY_INTERNAL)
			return depend->refobjid;
	}
	return InvalidOid;
}

/* Type and collation of a table's column. */
static void
column_type(DbvcCatalog *catalog, Oid relation, AttrNumber number, Oid *type,
			Oid *collation)
{
	*type = *collation = InvalidOid;
	for (DbvcRow *row =
			 dbvc_catalog_row(catalog, DBVC_SHELF_ATTRIBUTE, relation);
		 row != NULL; row = row->next)
		if (dbvc_form(row, pg_attribute)->attnum == number)
		{
			*type = dbvc_form(row, pg_attribute)->atttypid;
			*collation = dbvc_form(row, pg_attribute)->attcollation;
			return;
		}
}

/* ------------------------------------------------------------------ columns */

/* NULLS FIRST or LAST where it is not what the order implies. */
static const char *
nulls_unless_usual(int16 options)
{
	bool first = (options & INDOPTION_NULLS_FIRST) != 0;

	if (first == ((options & INDOPTION_DESC) != 0))
		return NULL;
	return first ? "first" : "last";
}

static void
describe_statistics(const IndexParts *index, DbvcJson *json, int i)
{
	const DbvcRow *row = index->columns[i];
	bool isnull;
	int target;

	if (row == NULL || !dbvc_row_has(row, Anum_pg_attribute_attstattarget))
		return;
	target = DatumGetInt16(
		dbvc_row_attribute(index->catalog, DBVC_SHELF_ATTRIBUTE, row,
						   Anum_pg_attribute_attstattarget, &isnull));
	if (target >= 0)
		dbvc_json_int(json, "statistics", target);
}

static void
describe_key(const IndexParts *index, DbvcJson *json, int i, Node *expression,
			 const char *operator)
{
	DbvcCatalog *catalog = index->catalog;
	Oid table = index->index->indrelid;
	Oid type;
	Oid collation;

	if (expression != NULL)
	{
		type = exprType(expression);
		collation = exprCollation(expression);
	}
	else
		column_type(catalog, table, index->numbers[i], &type, &collation);
	dbvc_json_object(json, NULL);
	if (OidIsValid(index->collations[i]) && index->collations[i] != collation)
		dbvc_json_text(json, "collation",
					   dbvc_name_collation(catalog, index->collations[i]));
	if (expression == NULL)
		dbvc_json_text(json, "column",
					   dbvc_column_name(catalog, table, index->numbers[i]));
	else
		dbvc_json_text(json, "expression",
					   dbvc_print_expression(catalog, expression, table));
	dbvc_json_text(json, "nulls", nulls_unless_usual(index->options[i]));
	dbvc_json_text(json, "operator", operator);
	dbvc_json_text(json, "operator_class",
				   dbvc_opclass_unless_default(catalog, index->opclasses[i],
											   type, index->class->relam));
	dbvc_describe_options(json, "operator_class_options",
						  dbvc_column_options(catalog, index->columns[i]),
						  false);
	if (index->options[i] & INDOPTION_DESC)
		dbvc_json_text(json, "order", "desc");
	describe_statistics(index, json, i);
	dbvc_json_end(json);
}

static void
describe_keys(const IndexParts *index, DbvcJson *json, const char *key,
			  const Oid *operators)
{
	ListCell *next = list_head(index->expressions);

	dbvc_json_array(json, key);
	for (int i = 0; i < index->key_count; i++)
	{
		Node *expression = NULL;

		if (index->numbers[i] == 0)
		{
			if (next == NULL)
				elog(ERROR, "too few expressions in index %u",
					 index->index->indexrelid);
			expression = lfirst(next);
			next = lnext(index->expressions, next);
		}
		describe_key(index, json, i, expression,
					 operators
						 ? dbvc_name_operator(index->catalog, operators[i])
						 : NULL);
	}
	dbvc_json_end(json);
}

void
dbvc_describe_elements(DbvcCatalog *catalog, DbvcJson *json, Oid oid,
					   const Oid *operators, bool *unstable)
{
	IndexParts index;

	if (index_read(&index, catalog, oid, unstable))
		describe_keys(&index, json, "elements", operators);
}

static void
describe_include(const IndexParts *index, DbvcJson *json)
{
	dbvc_describe_column_names(index->catalog, json, "include",
							   index->index->indrelid,
							   index->numbers + index->key_count,
							   index->count - index->key_count);
}

void
dbvc_describe_include(DbvcCatalog *catalog, DbvcJson *json, Oid oid)
{
	IndexParts index;
	bool unstable = false;

	if (index_read(&index, catalog, oid, &unstable))
		describe_include(&index, json);
}

char *
dbvc_index_predicate(DbvcCatalog *catalog, Oid oid, bool *unstable)
{
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_INDEX, oid);

	if (row == NULL || !dbvc_row_has(row, Anum_pg_index_indpred))
		return NULL;
	return dbvc_deparse_expression(catalog,
								   dbvc_row_string(catalog, DBVC_SHELF_INDEX,
												   row, Anum_pg_index_indpred),
								   dbvc_form(row, pg_index)->indrelid,
								   unstable);
}

/* ------------------------------------------------------------------ indexes */

static const char *
parent_index(const IndexParts *index)
{
	DbvcRow *row = dbvc_catalog_row(index->catalog, DBVC_SHELF_INHERITS,
									index->class->oid);

	return row ? dbvc_name_relation(index->catalog,
									dbvc_form(row, pg_inherits)->inhparent)
			   : NULL;
}

static const char *
index_method(const IndexParts *index)
{
	return index->class->relam == BTREE_AM_OID
			   ? NULL
			   : dbvc_name_access_method(index->catalog, index->class->relam);
}

/* From "not_ready" to "partition_of" for both kinds. */
static void
describe_state(const IndexParts *index, DbvcJson *json)
{
	dbvc_json_flag(json, "not_ready", !index->index->indisready);
	dbvc_json_flag(json, "nulls_not_distinct",
				   index->index->indnullsnotdistinct);
	dbvc_describe_reloptions(index->catalog, json, "options",
							 index->class->oid);
	dbvc_json_text(json, "partition_of", parent_index(index));
}

void
dbvc_describe_constraint_index(DbvcCatalog *catalog, DbvcJson *json, Oid oid)
{
	IndexParts index;
	bool unstable = false;
	StringInfo buf = json->buf;
	int before = buf->len;
	bool was_empty = json->empty[json->depth];
	const char *last_key = json->last_key[json->depth];
	int opened;

	if (!index_read(&index, catalog, oid, &unstable))
		return;
	dbvc_json_object(json, "index");
	opened = buf->len;
	dbvc_json_flag(json, "clustered", index.index->indisclustered);
	dbvc_describe_comment(catalog, json, RelationRelationId, oid, 0);
	dbvc_json_flag(json, "invalid", !index.index->indisvalid);
	describe_state(&index, json);
	dbvc_json_flag(json, "replica_identity", index.index->indisreplident);
	dbvc_json_text(json, "tablespace",
				   dbvc_name_tablespace(catalog, index.class->reltablespace));
	if (buf->len > opened)
	{
		dbvc_json_end(json);
		return;
	}
	/* there was nothing to say */
	json->depth--;
	json->empty[json->depth] = was_empty;
	json->last_key[json->depth] = last_key;
	buf->len = before;
	buf->data[before] = '\0';
}

bool
dbvc_define_index(DbvcCatalog *catalog, const DbvcRow *relation,
				  DbvcDefinition *definition, DbvcJson *json)
{
	IndexParts index;
	Oid oid = dbvc_form(relation, pg_class)->oid;
	Oid table;

	if (!index_read(&index, catalog, oid, &definition->unstable))
		return false;
	table = index.index->indrelid;
	if (!dbvc_relation_is_captured(catalog, table) ||
		OidIsValid(dbvc_index_constraint(catalog, oid)))
		return false;
	definition->type = "index";
	definition->identity = dbvc_name_relation(catalog, oid);
	definition->schema = dbvc_schema_name(catalog, index.class->relnamespace);
	definition->parent = dbvc_name_relation(catalog, table);

	dbvc_json_text(json, "access_method", index_method(&index));
	dbvc_json_flag(json, "clustered", index.index->indisclustered);
	describe_keys(&index, json, "columns", NULL);
	dbvc_describe_comment(catalog, json, RelationRelationId, oid, 0);
	describe_include(&index, json);
	dbvc_json_flag(json, "invalid", !index.index->indisvalid);
	describe_state(&index, json);
	dbvc_json_text(json, "predicate",
				   dbvc_index_predicate(catalog, oid, &definition->unstable));
	dbvc_json_flag(json, "replica_identity", index.index->indisreplident);
	dbvc_describe_labels(catalog, json, RelationRelationId, oid, 0);
	dbvc_json_text(json, "table", definition->parent);
	dbvc_json_text(json, "tablespace",
				   dbvc_name_tablespace(catalog, index.class->reltablespace));
	dbvc_json_flag(json, "unique", index.index->indisunique);
	return true;
}
