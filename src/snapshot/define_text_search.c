/*
 * define_text_search.c
 *		Definitions of text search configurations, dictionaries, parsers and
 *		templates.
 */
#include "snapshot/definition.h"

#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_config_map.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"

static int
compare_mappings(const void *a, const void *b)
{
	Form_pg_ts_config_map x = *(const Form_pg_ts_config_map *) a;
	Form_pg_ts_config_map y = *(const Form_pg_ts_config_map *) b;

	if (x->maptokentype != y->maptokentype)
		return x->maptokentype < y->maptokentype ? -1 : 1;
	return x->mapseqno < y->mapseqno ? -1 : x->mapseqno > y->mapseqno;
}

/* For each token type, by number, the dictionaries in their order. */
static void
describe_mappings(DbvcCatalog *catalog, DbvcJson *json, Oid config)
{
	DbvcRow *rows = dbvc_catalog_rows(catalog, DBVC_SHELF_TS_CONFIG_MAP,
									  InvalidOid, config);
	Form_pg_ts_config_map *mappings;
	int count = 0;

	if (rows == NULL)
		return;
	for (DbvcRow *row = rows; row != NULL; row = row->next)
		count++;
	mappings = palloc(sizeof(*mappings) * count);
	count = 0;
	for (DbvcRow *row = rows; row != NULL; row = row->next)
		mappings[count++] = dbvc_form(row, pg_ts_config_map);
	qsort(mappings, count, sizeof(*mappings), compare_mappings);
	dbvc_json_array(json, "mappings");
	for (int i = 0; i < count;)
	{
		int32 token = mappings[i]->maptokentype;

		dbvc_json_object(json, NULL);
		dbvc_json_array(json, "dictionaries");
		for (; i < count && mappings[i]->maptokentype == token; i++)
			dbvc_json_text(json, NULL,
						   dbvc_name_ts_dict(catalog, mappings[i]->mapdict));
		dbvc_json_end(json);
		dbvc_json_text(json, "name", psprintf("%d", token));
		dbvc_json_end(json);
	}
	dbvc_json_end(json);
}

bool
dbvc_define_ts_config(DbvcCatalog *catalog, const DbvcRow *row,
					  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_ts_config form = dbvc_form(row, pg_ts_config);

	if (!dbvc_schema_is_captured(catalog, form->cfgnamespace) ||
		dbvc_is_extension_member(catalog, TSConfigRelationId, form->oid))
		return false;
	definition->type = "text search configuration";
	definition->identity = dbvc_name_ts_config(catalog, form->oid);
	definition->schema = dbvc_schema_name(catalog, form->cfgnamespace);
	dbvc_describe_comment(catalog, json, TSConfigRelationId, form->oid, 0);
	describe_mappings(catalog, json, form->oid);
	dbvc_describe_owner(catalog, json, form->cfgowner);
	dbvc_json_text(json, "parser",
				   dbvc_name_ts_parser(catalog, form->cfgparser));
	dbvc_describe_labels(catalog, json, TSConfigRelationId, form->oid, 0);
	return true;
}

bool
dbvc_define_ts_dict(DbvcCatalog *catalog, const DbvcRow *row,
					DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_ts_dict form = dbvc_form(row, pg_ts_dict);

	if (!dbvc_schema_is_captured(catalog, form->dictnamespace) ||
		dbvc_is_extension_member(catalog, TSDictionaryRelationId, form->oid))
		return false;
	definition->type = "text search dictionary";
	definition->identity = dbvc_name_ts_dict(catalog, form->oid);
	definition->schema = dbvc_schema_name(catalog, form->dictnamespace);
	dbvc_describe_comment(catalog, json, TSDictionaryRelationId, form->oid, 0);
	dbvc_json_text(json, "options",
				   dbvc_row_string(catalog, DBVC_SHELF_TS_DICT, row,
								   Anum_pg_ts_dict_dictinitoption));
	dbvc_describe_owner(catalog, json, form->dictowner);
	dbvc_describe_labels(catalog, json, TSDictionaryRelationId, form->oid, 0);
	dbvc_json_text(json, "template",
				   dbvc_name_ts_template(catalog, form->dicttemplate));
	return true;
}

bool
dbvc_define_ts_parser(DbvcCatalog *catalog, const DbvcRow *row,
					  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_ts_parser form = dbvc_form(row, pg_ts_parser);

	if (!dbvc_schema_is_captured(catalog, form->prsnamespace) ||
		dbvc_is_extension_member(catalog, TSParserRelationId, form->oid))
		return false;
	definition->type = "text search parser";
	definition->identity = dbvc_name_ts_parser(catalog, form->oid);
	definition->schema = dbvc_schema_name(catalog, form->prsnamespace);
	dbvc_describe_comment(catalog, json, TSParserRelationId, form->oid, 0);
	dbvc_describe_function(catalog, json, "end", form->prsend);
	dbvc_describe_function(catalog, json, "gettoken", form->prstoken);
	dbvc_describe_function(catalog, json, "headline", form->prsheadline);
	dbvc_describe_function(catalog, json, "lextypes", form->prslextype);
	dbvc_describe_labels(catalog, json, TSParserRelationId, form->oid, 0);
	dbvc_describe_function(catalog, json, "start", form->prsstart);
	return true;
}

bool
dbvc_define_ts_template(DbvcCatalog *catalog, const DbvcRow *row,
						DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_ts_template form = dbvc_form(row, pg_ts_template);

	if (!dbvc_schema_is_captured(catalog, form->tmplnamespace) ||
		dbvc_is_extension_member(catalog, TSTemplateRelationId, form->oid))
		return false;
	definition->type = "text search template";
	definition->identity = dbvc_name_ts_template(catalog, form->oid);
	definition->schema = dbvc_schema_name(catalog, form->tmplnamespace);
	dbvc_describe_comment(catalog, json, TSTemplateRelationId, form->oid, 0);
	dbvc_describe_function(catalog, json, "init", form->tmplinit);
	dbvc_describe_function(catalog, json, "lexize", form->tmpllexize);
	dbvc_describe_labels(catalog, json, TSTemplateRelationId, form->oid, 0);
	return true;
}
