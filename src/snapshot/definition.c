/*
 * definition.c
 *		From an object's address to its definition.
 *
 * The classes and who defines them stand in one table.  A definer names the object and
 * writes the members of its body; here the body is opened, closed and hashed.
 */
#include "snapshot/define.h"

#include "catalog/dependency.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "utils/guc.h"

/* In an order in which one would create them. */
/* clang-format off */
#define DEFINERS(X) \
	X(EXTENSION, dbvc_define_extension) \
	X(NAMESPACE, dbvc_define_schema) \
	X(LANGUAGE, dbvc_define_language) \
	X(TYPE, dbvc_define_type) \
	X(PROC, dbvc_define_function) \
	X(CAST, dbvc_define_cast) \
	X(TRANSFORM, dbvc_define_transform) \
	X(OPERATOR, dbvc_define_operator) \
	X(AM, dbvc_define_access_method) \
	X(OPFAMILY, dbvc_define_opfamily) \
	X(OPCLASS, dbvc_define_opclass) \
	X(COLLATION, dbvc_define_collation) \
	X(CONVERSION, dbvc_define_conversion) \
	X(TS_PARSER, dbvc_define_ts_parser) \
	X(TS_TEMPLATE, dbvc_define_ts_template) \
	X(TS_DICT, dbvc_define_ts_dict) \
	X(TS_CONFIG, dbvc_define_ts_config) \
	X(FDW, dbvc_define_fdw) \
	X(SERVER, dbvc_define_server) \
	X(USER_MAPPING, dbvc_define_user_mapping) \
	X(CLASS, dbvc_define_relation) \
	X(CONSTRAINT, dbvc_define_constraint) \
	X(STATISTIC, dbvc_define_statistics) \
	X(TRIGGER, dbvc_define_trigger) \
	X(REWRITE, dbvc_define_rule) \
	X(POLICY, dbvc_define_policy) \
	X(PUBLICATION, dbvc_define_publication) \
	X(PUBLICATION_REL, dbvc_define_publication_rel) \
	X(PUBLICATION_NAMESPACE, dbvc_define_publication_namespace) \
	X(SUBSCRIPTION, dbvc_define_subscription) \
	X(EVENT_TRIGGER, dbvc_define_event_trigger) \
	X(DEFAULT_ACL, dbvc_define_default_acl) \
	X(SETTING, dbvc_define_setting)
/* clang-format on */

#define DEFINER_SHELF(shelf, definer) DBVC_SHELF_##shelf,
static const DbvcShelf shelves[] = {DEFINERS(DEFINER_SHELF) DBVC_SHELF_COUNT};

#define DEFINER_ENTRY(shelf, definer) [DBVC_SHELF_##shelf] = definer,
static const DbvcDefiner definers[DBVC_SHELF_COUNT] = {
	DEFINERS(DEFINER_ENTRY)};

const DbvcShelf *
dbvc_definition_shelves(void)
{
	return shelves;
}

bool
dbvc_define(DbvcCatalog *catalog, Oid classid, Oid objid,
			DbvcDefinition *definition)
{
	DbvcShelf shelf = dbvc_shelf_of_class(classid);
	DbvcRow *row;
	StringInfoData body;
	DbvcJson json;
	DbvcPiece piece;

	if (shelf == DBVC_SHELF_COUNT || definers[shelf] == NULL)
		return false;
	row = dbvc_catalog_row(catalog, shelf, objid);
	if (row == NULL)
		return false;
	memset(definition, 0, sizeof(*definition));
	definition->classid = classid;
	definition->objid = objid;
	initStringInfo(&body);
	dbvc_json_init(&json, &body);
	dbvc_json_object(&json, NULL);
	if (!definers[shelf](catalog, row, definition, &json) &&
		!(json.empty[json.depth] &&
		  dbvc_define_privileges(catalog, classid, shelf, row, definition,
								 &json)))
	{
		pfree(body.data);
		return false;
	}
	dbvc_json_end(&json);
	definition->body = body.data;
	definition->body_len = body.len;
	piece.len = body.len;
	piece.data = dbvc_to_utf8(body.data, &piece.len);
	dbvc_sha256(&piece, 1, definition->hash);
	return true;
}

/* ------------------------------------------------------ what is left out */

/* dbvc itself, and event triggers that call it: they come and go with it. */
static bool
is_dbvc(DbvcCatalog *catalog, Oid classid, Oid objid)
{
	DbvcRow *row;

	if (classid == ExtensionRelationId)
	{
		row = dbvc_catalog_row(catalog, DBVC_SHELF_EXTENSION, objid);
		return row != NULL &&
			   strcmp(NameStr(dbvc_form(row, pg_extension)->extname),
					  "dbvc") == 0;
	}
	if (classid == NamespaceRelationId)
		return strcmp(dbvc_schema_name(catalog, objid), "dbvc") == 0;
	if (classid != EventTriggerRelationId)
		return false;
	row = dbvc_catalog_row(catalog, DBVC_SHELF_EVENT_TRIGGER, objid);
	if (row == NULL)
		return false;
	row = dbvc_catalog_row(catalog, DBVC_SHELF_PROC,
						   dbvc_form(row, pg_event_trigger)->evtfoid);
	return row != NULL &&
		   strcmp(dbvc_schema_name(catalog,
								   dbvc_form(row, pg_proc)->pronamespace),
				  "dbvc") == 0;
}

bool
dbvc_is_extension_member(DbvcCatalog *catalog, Oid classid, Oid objid)
{
	for (DbvcRow *row =
			 dbvc_catalog_rows(catalog, DBVC_SHELF_DEPEND, classid, objid);
		 row != NULL; row = row->next)
	{
		Form_pg_depend depend = dbvc_form(row, pg_depend);

		if (depend->deptype == DEPENDENCY_EXTENSION && depend->objsubid == 0)
			return true;
	}
	return is_dbvc(catalog, classid, objid);
}

/* -------------------------------------------------------- settings, user */

/*
 * Everything that changes how a constant or an identifier is written.
 */
static const struct
{
	const char *name;
	const char *value;
} scope_settings[] = {
	{"datestyle", "ISO, YMD"},
	{"intervalstyle", "postgres"},
	{"timezone", "UTC"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"quote_all_identifiers", "off"},
	{"lc_monetary", "C"},
	{"xmlbinary", "base64"},
	{"xmloption", "content"},
	{"array_nulls", "on"},
	{"standard_conforming_strings", "on"},
	{"transform_null_equals", "off"},
	{"default_text_search_config", "pg_catalog.simple"},
};

void
dbvc_definition_enter(DbvcDefinitionScope *scope)
{
	dbvc_owner_enter(&scope->owner);
	for (int i = 0; i < lengthof(scope_settings); i++)
		(void) set_config_option(scope_settings[i].name,
								 scope_settings[i].value, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
								 false);
}

void
dbvc_definition_leave(DbvcDefinitionScope *scope)
{
	dbvc_owner_leave(&scope->owner);
}
