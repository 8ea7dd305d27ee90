/*
 * define_conversion.c
 *		Definitions of what turns values into others or sorts them: casts,
 *		transforms, collations, conversions.
 */
#include "snapshot/define.h"

#include "catalog/objectaddress.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_transform.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"

/* A range's type comes with a cast to its multirange. */
static bool
is_made_with_range(DbvcCatalog *catalog, Form_pg_cast form)
{
	DbvcRow *target =
		dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, form->casttarget);

	return target != NULL &&
		   dbvc_form(target, pg_type)->typtype == TYPTYPE_MULTIRANGE &&
		   OidIsValid(dbvc_internal_owner(catalog, CastRelationId, form->oid,
										  TypeRelationId));
}

bool
dbvc_define_cast(DbvcCatalog *catalog, const DbvcRow *row,
				 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_cast form = dbvc_form(row, pg_cast);

	if (dbvc_is_system_object(form->oid) ||
		is_made_with_range(catalog, form) ||
		dbvc_is_extension_member(catalog, CastRelationId, form->oid))
		return false;
	definition->type = "cast";
	definition->identity =
		psprintf("(%s AS %s)",
				 dbvc_name_type_qualified(catalog, form->castsource),
				 dbvc_name_type_qualified(catalog, form->casttarget));
	dbvc_describe_comment(catalog, json, CastRelationId, form->oid, 0);
	if (form->castcontext != COERCION_CODE_EXPLICIT)
		dbvc_json_text(json, "context",
					   form->castcontext == COERCION_CODE_IMPLICIT
						   ? "implicit"
						   : "assignment");
	dbvc_describe_function(catalog, json, "function", form->castfunc);
	if (form->castmethod != COERCION_METHOD_FUNCTION)
		dbvc_json_text(json, "method",
					   form->castmethod == COERCION_METHOD_INOUT ? "inout"
																 : "binary");
	dbvc_describe_labels(catalog, json, CastRelationId, form->oid, 0);
	return true;
}

bool
dbvc_define_transform(DbvcCatalog *catalog, const DbvcRow *row,
					  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_transform form = dbvc_form(row, pg_transform);
	ObjectAddress address = {TransformRelationId, form->oid, 0};
	char *identity;

	if (dbvc_is_extension_member(catalog, TransformRelationId, form->oid))
		return false;
	/* "on language" became "language" in some major; whoever has two transforms
	 * pays for the syscache */
	identity = getObjectIdentity(&address, true);
	if (identity == NULL)
		return false;
	definition->type = "transform";
	definition->identity = identity;
	dbvc_describe_comment(catalog, json, TransformRelationId, form->oid, 0);
	dbvc_describe_function(catalog, json, "from_sql", form->trffromsql);
	dbvc_describe_labels(catalog, json, TransformRelationId, form->oid, 0);
	dbvc_describe_function(catalog, json, "to_sql", form->trftosql);
	return true;
}

static const char *
provider_name(char provider)
{
	switch (provider)
	{
		case COLLPROVIDER_DEFAULT:
			return "default";
		case COLLPROVIDER_ICU:
			return "icu";
		case COLLPROVIDER_LIBC:
			return "libc";
		default:
			return "builtin";
	}
}

/* Without the version of the library, which is no part of the schema, and
 * without the encoding, which is the database's or stands for any. */
bool
dbvc_define_collation(DbvcCatalog *catalog, const DbvcRow *row,
					  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_collation form = dbvc_form(row, pg_collation);

	if (!dbvc_schema_is_captured(catalog, form->collnamespace) ||
		dbvc_is_extension_member(catalog, CollationRelationId, form->oid))
		return false;
	definition->type = "collation";
	definition->identity = dbvc_name_collation(catalog, form->oid);
	definition->schema = dbvc_schema_name(catalog, form->collnamespace);
	dbvc_describe_comment(catalog, json, CollationRelationId, form->oid, 0);
	dbvc_json_text(json, "ctype",
				   dbvc_row_string(catalog, DBVC_SHELF_COLLATION, row,
								   Anum_pg_collation_collctype));
	if (!form->collisdeterministic)
		dbvc_json_bool(json, "deterministic", false);
	dbvc_json_text(json, "lc_collate",
				   dbvc_row_string(catalog, DBVC_SHELF_COLLATION, row,
								   Anum_pg_collation_collcollate));
	dbvc_json_text(json, "locale",
				   dbvc_row_string(catalog, DBVC_SHELF_COLLATION, row,
								   DBVC_COLLATION_LOCALE));
	dbvc_describe_owner(catalog, json, form->collowner);
	dbvc_json_text(json, "provider", provider_name(form->collprovider));
	if (DBVC_COLLATION_RULES != 0)
		dbvc_json_text(json, "rules",
					   dbvc_row_string(catalog, DBVC_SHELF_COLLATION, row,
									   DBVC_COLLATION_RULES));
	dbvc_describe_labels(catalog, json, CollationRelationId, form->oid, 0);
	return true;
}

bool
dbvc_define_conversion(DbvcCatalog *catalog, const DbvcRow *row,
					   DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_conversion form = dbvc_form(row, pg_conversion);

	if (!dbvc_schema_is_captured(catalog, form->connamespace) ||
		dbvc_is_extension_member(catalog, ConversionRelationId, form->oid))
		return false;
	definition->type = "conversion";
	definition->schema = dbvc_schema_name(catalog, form->connamespace);
	definition->identity =
		dbvc_qualified_name(definition->schema, NameStr(form->conname));
	dbvc_describe_comment(catalog, json, ConversionRelationId, form->oid, 0);
	dbvc_json_flag(json, "default", form->condefault);
	dbvc_json_text(json, "destination",
				   pg_encoding_to_char(form->contoencoding));
	dbvc_describe_function(catalog, json, "function", form->conproc);
	dbvc_describe_owner(catalog, json, form->conowner);
	dbvc_describe_labels(catalog, json, ConversionRelationId, form->oid, 0);
	dbvc_json_text(json, "source", pg_encoding_to_char(form->conforencoding));
	return true;
}
