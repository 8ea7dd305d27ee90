/*
 * define_type.c
 *		Definitions of types: enums, domains, ranges, base and shell types.
 *
 * A composite type is a relation (define_relation.c).  Row types, array types and
 * multirange types belong to what they were made with.
 */
#include "snapshot/definition.h"

#include "catalog/pg_constraint.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_range.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

static void
describe_type_acl(DbvcCatalog *catalog, DbvcJson *json, const DbvcRow *row)
{
	dbvc_describe_acl(catalog, json, "acl",
					  dbvc_row_varlena(catalog, DBVC_SHELF_TYPE, row,
									   Anum_pg_type_typacl),
					  OBJECT_TYPE, dbvc_form(row, pg_type)->typowner);
}

/* The default of values of the type, for those who do not give one. */
static void
describe_default(DbvcCatalog *catalog, DbvcJson *json, const DbvcRow *row,
				 DbvcDefinition *definition)
{
	char *tree = dbvc_row_string(catalog, DBVC_SHELF_TYPE, row,
								 Anum_pg_type_typdefaultbin);

	if (tree != NULL)
		dbvc_json_text(json, "default",
					   dbvc_deparse_expression(catalog, tree, InvalidOid,
											   &definition->unstable));
	else
		dbvc_json_text(json, "default",
					   dbvc_row_string(catalog, DBVC_SHELF_TYPE, row,
									   Anum_pg_type_typdefault));
}

static int
compare_labels(const void *a, const void *b)
{
	float4 x = (*(const Form_pg_enum *) a)->enumsortorder;
	float4 y = (*(const Form_pg_enum *) b)->enumsortorder;

	return x < y ? -1 : x > y;
}

static void
define_enum(DbvcCatalog *catalog, const DbvcRow *row, DbvcJson *json)
{
	Form_pg_type type = dbvc_form(row, pg_type);
	DbvcRow *rows =
		dbvc_catalog_rows(catalog, DBVC_SHELF_ENUM, InvalidOid, type->oid);
	Form_pg_enum *labels;
	int count = 0;

	describe_type_acl(catalog, json, row);
	dbvc_describe_comment(catalog, json, TypeRelationId, type->oid, 0);
	dbvc_json_text(json, "kind", "enum");
	for (DbvcRow *label = rows; label != NULL; label = label->next)
		count++;
	labels = palloc(sizeof(*labels) * Max(count, 1));
	count = 0;
	for (DbvcRow *label = rows; label != NULL; label = label->next)
		labels[count++] = dbvc_form(label, pg_enum);
	qsort(labels, count, sizeof(*labels), compare_labels);
	dbvc_json_array(json, "labels");
	for (int i = 0; i < count; i++)
		dbvc_json_text(json, NULL, NameStr(labels[i]->enumlabel));
	dbvc_json_end(json);
	dbvc_describe_owner(catalog, json, type->typowner);
	dbvc_describe_labels(catalog, json, TypeRelationId, type->oid, 0);
}

/* From 18 on NOT NULL of a domain has a name, and can have a comment. */
static const DbvcRow *
not_null_constraint(DbvcCatalog *catalog, Oid domain)
{
	for (DbvcRow *row =
			 dbvc_catalog_rows(catalog, DBVC_SHELF_DOMAIN_CONSTRAINT,
							   InvalidOid, domain);
		 row != NULL; row = row->next)
		if (dbvc_form(row, pg_constraint)->contype == DBVC_CONSTRAINT_NOTNULL)
			return row;
	return NULL;
}

static void
define_domain(DbvcCatalog *catalog, const DbvcRow *row,
			  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_type type = dbvc_form(row, pg_type);
	DbvcRow *base =
		dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, type->typbasetype);
	const DbvcRow *not_null =
		type->typnotnull ? not_null_constraint(catalog, type->oid) : NULL;

	describe_type_acl(catalog, json, row);
	if (base == NULL ||
		dbvc_form(base, pg_type)->typcollation != type->typcollation)
		dbvc_json_text(json, "collation",
					   OidIsValid(type->typcollation)
						   ? dbvc_name_collation(catalog, type->typcollation)
						   : NULL);
	dbvc_describe_comment(catalog, json, TypeRelationId, type->oid, 0);
	describe_default(catalog, json, row, definition);
	dbvc_json_text(json, "kind", "domain");
	dbvc_json_flag(json, "not_null", type->typnotnull);
	if (not_null != NULL && DBVC_NOT_NULL_NAME_IS_KEPT)
	{
		Form_pg_constraint form = dbvc_form(not_null, pg_constraint);

		dbvc_describe_comment_as(catalog, json, "not_null_comment",
								 ConstraintRelationId, form->oid, 0);
		if (strcmp(NameStr(form->conname),
				   makeObjectName(NameStr(type->typname), NULL, "not_null")) !=
			0)
			dbvc_json_text(json, "not_null_name", NameStr(form->conname));
	}
	dbvc_describe_owner(catalog, json, type->typowner);
	dbvc_describe_labels(catalog, json, TypeRelationId, type->oid, 0);
	dbvc_json_text(json, "type",
				   dbvc_name_type(catalog, type->typbasetype,
								  type->typtypmod));
}

static void
define_range(DbvcCatalog *catalog, const DbvcRow *row, DbvcJson *json)
{
	Form_pg_type type = dbvc_form(row, pg_type);
	DbvcRow *range_row =
		dbvc_catalog_row(catalog, DBVC_SHELF_RANGE, type->oid);
	Form_pg_range range;
	DbvcRow *subtype;

	describe_type_acl(catalog, json, row);
	if (range_row == NULL)
		return;
	range = dbvc_form(range_row, pg_range);
	subtype = dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, range->rngsubtype);
	dbvc_describe_function(catalog, json, "canonical", range->rngcanonical);
	if (OidIsValid(range->rngcollation) &&
		(subtype == NULL ||
		 dbvc_form(subtype, pg_type)->typcollation != range->rngcollation))
		dbvc_json_text(json, "collation",
					   dbvc_name_collation(catalog, range->rngcollation));
	dbvc_describe_comment(catalog, json, TypeRelationId, type->oid, 0);
	dbvc_describe_function(catalog, json, "difference", range->rngsubdiff);
	dbvc_json_text(json, "kind", "range");
	dbvc_json_text(json, "multirange",
				   dbvc_name_type_qualified(catalog, range->rngmultitypid));
	dbvc_describe_comment_as(catalog, json, "multirange_comment",
							 TypeRelationId, range->rngmultitypid, 0);
	dbvc_json_text(json, "operator_class",
				   dbvc_name_opclass(catalog, range->rngsubopc));
	dbvc_describe_owner(catalog, json, type->typowner);
	dbvc_describe_labels(catalog, json, TypeRelationId, type->oid, 0);
	dbvc_json_text(json, "subtype",
				   dbvc_name_type(catalog, range->rngsubtype, -1));
}

static const char *
alignment_name(char alignment)
{
	switch (alignment)
	{
		case TYPALIGN_CHAR:
			return "char";
		case TYPALIGN_SHORT:
			return "int2";
		case TYPALIGN_DOUBLE:
			return "double";
		default:
			return NULL; /* int4 */
	}
}

static const char *
storage_name(char storage)
{
	switch (storage)
	{
		case TYPSTORAGE_EXTERNAL:
			return "external";
		case TYPSTORAGE_EXTENDED:
			return "extended";
		case TYPSTORAGE_MAIN:
			return "main";
		default:
			return NULL; /* plain */
	}
}

static char *
one_char(char c)
{
	return psprintf("%c", c);
}

static void
define_base(DbvcCatalog *catalog, const DbvcRow *row,
			DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_type type = dbvc_form(row, pg_type);

	describe_type_acl(catalog, json, row);
	dbvc_json_text(json, "alignment", alignment_name(type->typalign));
	dbvc_describe_function(catalog, json, "analyze", type->typanalyze);
	dbvc_json_flag(json, "by_value", type->typbyval);
	if (type->typcategory != TYPCATEGORY_USER)
		dbvc_json_text(json, "category", one_char(type->typcategory));
	dbvc_json_flag(json, "collatable", OidIsValid(type->typcollation));
	dbvc_describe_comment(catalog, json, TypeRelationId, type->oid, 0);
	describe_default(catalog, json, row, definition);
	if (type->typdelim != ',')
		dbvc_json_text(json, "delimiter", one_char(type->typdelim));
	if (OidIsValid(type->typelem))
		dbvc_json_text(json, "element",
					   dbvc_name_type(catalog, type->typelem, -1));
	dbvc_describe_function(catalog, json, "input", type->typinput);
	dbvc_json_text(json, "kind", "base");
	if (type->typlen != -1)
		dbvc_json_int(json, "length", type->typlen);
	dbvc_describe_function(catalog, json, "modifier_input", type->typmodin);
	dbvc_describe_function(catalog, json, "modifier_output", type->typmodout);
	dbvc_describe_function(catalog, json, "output", type->typoutput);
	dbvc_describe_owner(catalog, json, type->typowner);
	dbvc_json_flag(json, "preferred", type->typispreferred);
	dbvc_describe_function(catalog, json, "receive", type->typreceive);
	dbvc_describe_labels(catalog, json, TypeRelationId, type->oid, 0);
	dbvc_describe_function(catalog, json, "send", type->typsend);
	dbvc_json_text(json, "storage", storage_name(type->typstorage));
	dbvc_describe_function(catalog, json, "subscript", type->typsubscript);
}

/* Only announced: CREATE TYPE name. */
static void
define_shell(DbvcCatalog *catalog, const DbvcRow *row, DbvcJson *json)
{
	Form_pg_type type = dbvc_form(row, pg_type);

	describe_type_acl(catalog, json, row);
	dbvc_describe_comment(catalog, json, TypeRelationId, type->oid, 0);
	dbvc_json_text(json, "kind", "shell");
	dbvc_describe_owner(catalog, json, type->typowner);
	dbvc_describe_labels(catalog, json, TypeRelationId, type->oid, 0);
}

/* The array type that every type has. */
static bool
is_made_with_element(DbvcCatalog *catalog, Form_pg_type type)
{
	DbvcRow *element;

	if (!IsTrueArrayType(type))
		return false;
	element = dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, type->typelem);
	return element != NULL &&
		   dbvc_form(element, pg_type)->typarray == type->oid;
}

bool
dbvc_define_type(DbvcCatalog *catalog, const DbvcRow *row,
				 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_type type = dbvc_form(row, pg_type);

	if (type->typtype == TYPTYPE_COMPOSITE ||
		type->typtype == TYPTYPE_MULTIRANGE ||
		!dbvc_schema_is_captured(catalog, type->typnamespace) ||
		is_made_with_element(catalog, type) ||
		dbvc_is_extension_member(catalog, TypeRelationId, type->oid))
		return false;
	definition->type = "type";
	definition->identity = dbvc_name_type_qualified(catalog, type->oid);
	definition->schema = dbvc_schema_name(catalog, type->typnamespace);
	if (!type->typisdefined)
		define_shell(catalog, row, json);
	else if (type->typtype == TYPTYPE_ENUM)
		define_enum(catalog, row, json);
	else if (type->typtype == TYPTYPE_DOMAIN)
		define_domain(catalog, row, definition, json);
	else if (type->typtype == TYPTYPE_RANGE)
		define_range(catalog, row, json);
	else
		define_base(catalog, row, definition, json);
	return true;
}
