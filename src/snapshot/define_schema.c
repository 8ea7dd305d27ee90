/*
 * define_schema.c
 *		Definitions of schemas and of what stands in none: extensions, languages,
 *		access methods, event triggers.
 */
#include "snapshot/definition.h"

#include "catalog/pg_am.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "commands/trigger.h"
#include "utils/builtins.h"

bool
dbvc_define_schema(DbvcCatalog *catalog, const DbvcRow *row,
				   DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_namespace form = dbvc_form(row, pg_namespace);

	if (!dbvc_schema_is_captured(catalog, form->oid) ||
		dbvc_is_extension_member(catalog, NamespaceRelationId, form->oid))
		return false;
	definition->type = "schema";
	definition->identity = pstrdup(quote_identifier(NameStr(form->nspname)));
	dbvc_describe_acl(catalog, json, "acl",
					  dbvc_row_varlena(catalog, DBVC_SHELF_NAMESPACE, row,
									   Anum_pg_namespace_nspacl),
					  OBJECT_SCHEMA, form->nspowner);
	dbvc_describe_comment(catalog, json, NamespaceRelationId, form->oid, 0);
	dbvc_describe_owner(catalog, json, form->nspowner);
	dbvc_describe_labels(catalog, json, NamespaceRelationId, form->oid, 0);
	return true;
}

/* Its members are the extension's affair, also as regards their privileges. */
bool
dbvc_define_extension(DbvcCatalog *catalog, const DbvcRow *row,
					  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_extension form = dbvc_form(row, pg_extension);

	if (dbvc_is_extension_member(catalog, ExtensionRelationId, form->oid))
		return false;
	definition->type = "extension";
	definition->identity = pstrdup(quote_identifier(NameStr(form->extname)));
	dbvc_describe_comment(catalog, json, ExtensionRelationId, form->oid, 0);
	dbvc_describe_owner(catalog, json, form->extowner);
	dbvc_json_flag(json, "relocatable", form->extrelocatable);
	dbvc_json_text(json, "schema",
				   dbvc_schema_name(catalog, form->extnamespace));
	dbvc_describe_labels(catalog, json, ExtensionRelationId, form->oid, 0);
	dbvc_json_text(json, "version",
				   dbvc_row_string(catalog, DBVC_SHELF_EXTENSION, row,
								   Anum_pg_extension_extversion));
	return true;
}

bool
dbvc_define_language(DbvcCatalog *catalog, const DbvcRow *row,
					 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_language form = dbvc_form(row, pg_language);

	if (dbvc_is_system_object(form->oid) ||
		dbvc_is_extension_member(catalog, LanguageRelationId, form->oid))
		return false;
	definition->type = "language";
	definition->identity = dbvc_name_language(catalog, form->oid);
	dbvc_describe_acl(catalog, json, "acl",
					  dbvc_row_varlena(catalog, DBVC_SHELF_LANGUAGE, row,
									   Anum_pg_language_lanacl),
					  OBJECT_LANGUAGE, form->lanowner);
	dbvc_describe_comment(catalog, json, LanguageRelationId, form->oid, 0);
	dbvc_describe_function(catalog, json, "handler", form->lanplcallfoid);
	dbvc_describe_function(catalog, json, "inline", form->laninline);
	dbvc_describe_owner(catalog, json, form->lanowner);
	dbvc_describe_labels(catalog, json, LanguageRelationId, form->oid, 0);
	dbvc_json_flag(json, "trusted", form->lanpltrusted);
	dbvc_describe_function(catalog, json, "validator", form->lanvalidator);
	return true;
}

bool
dbvc_define_access_method(DbvcCatalog *catalog, const DbvcRow *row,
						  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_am form = dbvc_form(row, pg_am);

	if (dbvc_is_system_object(form->oid) ||
		dbvc_is_extension_member(catalog, AccessMethodRelationId, form->oid))
		return false;
	definition->type = "access method";
	definition->identity = dbvc_name_access_method(catalog, form->oid);
	dbvc_describe_comment(catalog, json, AccessMethodRelationId, form->oid, 0);
	dbvc_describe_function(catalog, json, "handler", form->amhandler);
	dbvc_json_text(json, "kind",
				   form->amtype == AMTYPE_INDEX ? "index" : "table");
	dbvc_describe_labels(catalog, json, AccessMethodRelationId, form->oid, 0);
	return true;
}

/* How triggers that do not fire as usual do. */
static const char *
enabled_text(char enabled)
{
	switch (enabled)
	{
		case TRIGGER_DISABLED:
			return "disabled";
		case TRIGGER_FIRES_ON_REPLICA:
			return "replica";
		case TRIGGER_FIRES_ALWAYS:
			return "always";
		default:
			return NULL;
	}
}

bool
dbvc_define_event_trigger(DbvcCatalog *catalog, const DbvcRow *row,
						  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_event_trigger form = dbvc_form(row, pg_event_trigger);

	if (dbvc_is_extension_member(catalog, EventTriggerRelationId, form->oid))
		return false;
	definition->type = "event trigger";
	definition->identity = pstrdup(quote_identifier(NameStr(form->evtname)));
	dbvc_describe_comment(catalog, json, EventTriggerRelationId, form->oid, 0);
	dbvc_json_text(json, "enabled", enabled_text(form->evtenabled));
	dbvc_json_text(json, "event", NameStr(form->evtevent));
	dbvc_describe_function(catalog, json, "function", form->evtfoid);
	dbvc_describe_owner(catalog, json, form->evtowner);
	dbvc_describe_labels(catalog, json, EventTriggerRelationId, form->oid, 0);
	dbvc_describe_names(json, "tags",
						dbvc_row_varlena(catalog, DBVC_SHELF_EVENT_TRIGGER,
										 row, Anum_pg_event_trigger_evttags));
	return true;
}
