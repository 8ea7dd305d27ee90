/*
 * define_column.c
 *		Columns of tables, views, foreign tables and composite types.
 */
#include "snapshot/relation.h"

#include "catalog/pg_attrdef.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"

/* A relation's columns and what other catalogs say of each, by attnum - 1. */
typedef struct Columns
{
	DbvcCatalog *catalog;
	DbvcDefinition *definition;
	DbvcJson *json;
	Form_pg_class relation;
	int count;
	DbvcRow **columns; /* NULL: dropped */
	DbvcRow **defaults;
	DbvcRow **not_nulls;
} Columns;

/* ----------------------------------------------------------------- numbers */

const int16 *
dbvc_row_numbers(DbvcCatalog *catalog, DbvcShelf shelf, const DbvcRow *row,
				 AttrNumber attribute, int *count)
{
	ArrayType *array =
		(ArrayType *) dbvc_row_varlena(catalog, shelf, row, attribute);

	*count = array && ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : 0;
	return *count == 0 ? NULL : (const int16 *) ARR_DATA_PTR(array);
}

const Oid *
dbvc_row_oids(DbvcCatalog *catalog, DbvcShelf shelf, const DbvcRow *row,
			  AttrNumber attribute, int *count)
{
	ArrayType *array =
		(ArrayType *) dbvc_row_varlena(catalog, shelf, row, attribute);

	*count = array && ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : 0;
	return *count == 0 ? NULL : (const Oid *) ARR_DATA_PTR(array);
}

void
dbvc_describe_column_names(DbvcCatalog *catalog, DbvcJson *json,
						   const char *key, Oid relation, const int16 *attnums,
						   int count)
{
	if (count == 0)
		return;
	dbvc_json_array(json, key);
	for (int i = 0; i < count; i++)
		dbvc_json_text(json, NULL,
					   dbvc_column_name(catalog, relation, attnums[i]));
	dbvc_json_end(json);
}

/* ------------------------------------------------------------------ columns */

static void
collect_columns(Columns *all)
{
	DbvcCatalog *catalog = all->catalog;
	Oid oid = all->relation->oid;
	bool defaults = false;

	all->columns = palloc0(sizeof(DbvcRow *) * Max(all->count, 1));
	all->defaults = palloc0(sizeof(DbvcRow *) * Max(all->count, 1));
	all->not_nulls = palloc0(sizeof(DbvcRow *) * Max(all->count, 1));
	for (DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_ATTRIBUTE, oid);
		 row != NULL; row = row->next)
	{
		Form_pg_attribute column = dbvc_form(row, pg_attribute);

		if (column->attnum < 1 || column->attnum > all->count ||
			column->attisdropped)
			continue;
		all->columns[column->attnum - 1] = row;
		defaults |= column->atthasdef;
	}
	if (defaults)
		for (DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_ATTRDEF, oid);
			 row != NULL; row = row->next)
		{
			AttrNumber number = dbvc_form(row, pg_attrdef)->adnum;

			if (number >= 1 && number <= all->count)
				all->defaults[number - 1] = row;
		}
	if (!DBVC_NOT_NULL_CONSTRAINTS)
		return;
	for (DbvcRow *row =
			 dbvc_catalog_row(catalog, DBVC_SHELF_TABLE_CONSTRAINT, oid);
		 row != NULL; row = row->next)
	{
		const int16 *numbers;
		int count;

		if (dbvc_form(row, pg_constraint)->contype != 'n')
			continue;
		numbers = dbvc_row_numbers(catalog, DBVC_SHELF_TABLE_CONSTRAINT, row,
								   Anum_pg_constraint_conkey, &count);
		if (count == 1 && numbers[0] >= 1 && numbers[0] <= all->count)
			all->not_nulls[numbers[0] - 1] = row;
	}
}

/* Numbers of the columns that are there, when they are not 1, 2, 3 ... */
static void
note_numbers(Columns *all)
{
	int n = 0;

	for (int i = 0; i < all->count; i++)
		if (all->columns[i] != NULL)
			n++;
	if (n == all->count)
		return;
	all->definition->attnums = palloc(sizeof(int16) * Max(n, 1));
	all->definition->attnum_count = n;
	n = 0;
	for (int i = 0; i < all->count; i++)
		if (all->columns[i] != NULL)
			all->definition->attnums[n++] = i + 1;
}

static const char *
storage_name(char storage)
{
	switch (storage)
	{
		case TYPSTORAGE_PLAIN:
			return "plain";
		case TYPSTORAGE_EXTERNAL:
			return "external";
		case TYPSTORAGE_EXTENDED:
			return "extended";
		default:
			return "main";
	}
}

static int
statistics_target(Columns *all, const DbvcRow *row)
{
	bool isnull;
	Datum target;

	if (!dbvc_row_has(row, Anum_pg_attribute_attstattarget))
		return -1;
	target = dbvc_row_attribute(all->catalog, DBVC_SHELF_ATTRIBUTE, row,
								Anum_pg_attribute_attstattarget, &isnull);
	return DatumGetInt16(target);
}

static struct varlena *
attribute_of(Columns *all, const DbvcRow *row, AttrNumber attribute)
{
	if (!dbvc_row_has(row, attribute))
		return NULL;
	return dbvc_row_varlena(all->catalog, DBVC_SHELF_ATTRIBUTE, row,
							attribute);
}

/*
 * Options that somebody has set.  Some builds of the server stamp each new
 * column with an option of their own, which is another one after a restore and
 * which neither ALTER nor pg_dump know of.
 */
struct varlena *
dbvc_column_options(DbvcCatalog *catalog, const DbvcRow *row)
{
	static const char stamp[] = "pg_attver=";
	struct varlena *options;
	List *texts;
	List *kept = NIL;
	ListCell *cell;

	if (row == NULL || !dbvc_row_has(row, Anum_pg_attribute_attoptions))
		return NULL;
	options = dbvc_row_varlena(catalog, DBVC_SHELF_ATTRIBUTE, row,
							   Anum_pg_attribute_attoptions);
	texts = dbvc_text_array_list((ArrayType *) options);
	foreach (cell, texts)
		if (strncmp(lfirst(cell), stamp, sizeof(stamp) - 1) != 0)
			kept = lappend(kept, lfirst(cell));
	if (kept == NIL)
		return NULL;
	return list_length(kept) == list_length(texts)
			   ? options
			   : (struct varlena *) dbvc_list_text_array(kept);
}

/* The constraint behind NOT NULL, where there is more to say than that. */
static void
describe_not_null(Columns *all, const DbvcRow *row, const char *column)
{
	Form_pg_constraint constraint;
	char *usual;
	bool named;
	bool comment;

	if (row == NULL)
		return;
	constraint = dbvc_form(row, pg_constraint);
	usual =
		makeObjectName(NameStr(all->relation->relname), column, "not_null");
	/* an inherited one has the name of its parent's */
	named = constraint->conislocal &&
			strcmp(usual, NameStr(constraint->conname)) != 0;
	pfree(usual);
	comment = dbvc_catalog_rows(all->catalog, DBVC_SHELF_DESCRIPTION,
								ConstraintRelationId, constraint->oid) != NULL;
	if (!named && !comment && !constraint->connoinherit &&
		constraint->convalidated)
		return;
	dbvc_json_object(all->json, "not_null_constraint");
	dbvc_describe_comment(all->catalog, all->json, ConstraintRelationId,
						  constraint->oid, 0);
	if (named)
		dbvc_json_text(all->json, "name", NameStr(constraint->conname));
	dbvc_json_flag(all->json, "no_inherit", constraint->connoinherit);
	dbvc_json_flag(all->json, "not_validated", !constraint->convalidated);
	dbvc_json_end(all->json);
}

static void
describe_generated(Columns *all, Form_pg_attribute column)
{
	if (column->attgenerated != '\0')
		dbvc_json_text(all->json, "generated",
					   column->attgenerated == 's' ? "stored" : "virtual");
	if (column->attidentity != '\0')
		dbvc_json_text(all->json, "identity",
					   column->attidentity == 'a' ? "always" : "by default");
}

static void
describe_column(Columns *all, int i)
{
	DbvcCatalog *catalog = all->catalog;
	DbvcJson *json = all->json;
	const DbvcRow *row = all->columns[i];
	Form_pg_attribute column = dbvc_form(row, pg_attribute);
	Oid relation = all->relation->oid;
	DbvcRow *type_row =
		dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, column->atttypid);
	Form_pg_type type = type_row ? dbvc_form(type_row, pg_type) : NULL;
	int target;

	dbvc_json_object(json, NULL);
	dbvc_describe_acl(catalog, json, "acl",
					  attribute_of(all, row, Anum_pg_attribute_attacl),
					  OBJECT_COLUMN, all->relation->relowner);
	if (type != NULL && OidIsValid(column->attcollation) &&
		column->attcollation != type->typcollation)
		dbvc_json_text(json, "collation",
					   dbvc_name_collation(catalog, column->attcollation));
	dbvc_describe_comment(catalog, json, RelationRelationId, relation, i + 1);
	if (column->attcompression != '\0')
		dbvc_json_text(json, "compression",
					   column->attcompression == 'l' ? "lz4" : "pglz");
	if (all->defaults[i] != NULL)
		dbvc_json_text(json, "default",
					   dbvc_deparse_expression(
						   catalog,
						   dbvc_row_string(catalog, DBVC_SHELF_ATTRDEF,
										   all->defaults[i],
										   Anum_pg_attrdef_adbin),
						   relation, &all->definition->unstable));
	dbvc_describe_options(json, "fdw_options",
						  attribute_of(all, row,
									   Anum_pg_attribute_attfdwoptions),
						  false);
	describe_generated(all, column);
	/* columns of a partition always are */
	if (column->attinhcount > 0 && !all->relation->relispartition)
	{
		dbvc_json_flag(json, "inherited", true);
		dbvc_json_flag(json, "local", column->attislocal);
	}
	dbvc_json_text(json, "name", NameStr(column->attname));
	dbvc_json_flag(json, "not_null", column->attnotnull);
	describe_not_null(all, all->not_nulls[i], NameStr(column->attname));
	dbvc_describe_options(json, "options", dbvc_column_options(catalog, row),
						  false);
	dbvc_describe_labels(catalog, json, RelationRelationId, relation, i + 1);
	target = statistics_target(all, row);
	if (target >= 0)
		dbvc_json_int(json, "statistics", target);
	if (type != NULL && column->attstorage != type->typstorage)
		dbvc_json_text(json, "storage", storage_name(column->attstorage));
	dbvc_json_text(json, "type",
				   dbvc_name_type(catalog, column->atttypid,
								  column->atttypmod));
	dbvc_json_end(json);
}

void
dbvc_define_columns(DbvcCatalog *catalog, const DbvcRow *relation,
					DbvcDefinition *definition, DbvcJson *json)
{
	Columns all = {catalog, definition, json, dbvc_form(relation, pg_class)};
	bool any = false;

	all.count = all.relation->relnatts;
	collect_columns(&all);
	note_numbers(&all);
	for (int i = 0; i < all.count; i++)
		if (all.columns[i] != NULL)
		{
			if (!any)
				dbvc_json_array(json, "columns");
			any = true;
			describe_column(&all, i);
		}
	if (any)
		dbvc_json_end(json);
	pfree(all.columns);
	pfree(all.defaults);
	pfree(all.not_nulls);
}
