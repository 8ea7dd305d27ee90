/*
 * define_view.c
 *		What a view shows.
 */
#include "snapshot/relation.h"

#include "catalog/pg_rewrite.h"
#include "rewrite/rewriteSupport.h"

/* The rule that makes the relation a view. */
static DbvcRow *
return_rule(DbvcCatalog *catalog, Oid view)
{
	for (DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_VIEW_RULE, view);
		 row != NULL; row = row->next)
		if (strcmp(NameStr(dbvc_form(row, pg_rewrite)->rulename),
				   ViewSelectRuleName) == 0)
			return row;
	return NULL;
}

void
dbvc_describe_view(DbvcCatalog *catalog, Oid view, DbvcDefinition *definition,
				   DbvcJson *json)
{
	DbvcRow *rule = return_rule(catalog, view);
	int count = 0;
	const char **columns;
	List *queries;

	if (rule == NULL)
		return;
	columns = dbvc_column_names(catalog, view, &count);
	queries =
		dbvc_deparse_queries(catalog,
							 dbvc_row_string(catalog, DBVC_SHELF_VIEW_RULE,
											 rule, Anum_pg_rewrite_ev_action),
							 columns, count, &definition->unstable);
	if (queries != NIL)
		dbvc_json_text(json, "query", linitial(queries));
}
