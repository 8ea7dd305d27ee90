/*
 * define_aggregate.c
 *		Definitions of aggregates.
 */
#include "snapshot/define.h"

#include "catalog/pg_aggregate.h"
#include "catalog/pg_proc.h"

static const char *
kind_name(char kind)
{
	switch (kind)
	{
		case AGGKIND_ORDERED_SET:
			return "ordered-set";
		case AGGKIND_HYPOTHETICAL:
			return "hypothetical-set";
		default:
			return NULL;
	}
}

/* What the final function may do to the state; NULL when that is as usual for
 * aggregates of this kind. */
static const char *
modify_name(char modify, char kind)
{
	char usual =
		kind == AGGKIND_NORMAL ? AGGMODIFY_READ_ONLY : AGGMODIFY_READ_WRITE;

	if (modify == usual)
		return NULL;
	switch (modify)
	{
		case AGGMODIFY_READ_ONLY:
			return "read_only";
		case AGGMODIFY_SHAREABLE:
			return "shareable";
		default:
			return "read_write";
	}
}

/* How it is computed in a moving frame. */
static void
describe_moving(DbvcCatalog *catalog, DbvcJson *json, const DbvcRow *row)
{
	Form_pg_aggregate form = dbvc_form(row, pg_aggregate);

	if (!OidIsValid(form->aggmtransfn))
		return;
	dbvc_json_object(json, "moving");
	dbvc_describe_function(catalog, json, "final", form->aggmfinalfn);
	dbvc_json_flag(json, "final_extra", form->aggmfinalextra);
	dbvc_json_text(json, "final_modify",
				   modify_name(form->aggmfinalmodify, form->aggkind));
	dbvc_json_text(json, "initial",
				   dbvc_row_string(catalog, DBVC_SHELF_AGGREGATE, row,
								   Anum_pg_aggregate_aggminitval));
	dbvc_describe_function(catalog, json, "inverse", form->aggminvtransfn);
	dbvc_describe_function(catalog, json, "state_function", form->aggmtransfn);
	if (form->aggmtransspace != 0)
		dbvc_json_int(json, "state_space", form->aggmtransspace);
	dbvc_json_text(json, "state_type",
				   dbvc_name_type(catalog, form->aggmtranstype, -1));
	dbvc_json_end(json);
}

bool
dbvc_define_aggregate(DbvcCatalog *catalog, const DbvcRow *row,
					  DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_proc proc = dbvc_form(row, pg_proc);
	DbvcRow *aggregate =
		dbvc_catalog_row(catalog, DBVC_SHELF_AGGREGATE, proc->oid);
	Form_pg_aggregate form;

	if (aggregate == NULL)
		return false;
	form = dbvc_form(aggregate, pg_aggregate);
	dbvc_describe_arguments(catalog, json, row, definition);
	dbvc_describe_function(catalog, json, "combine", form->aggcombinefn);
	dbvc_describe_comment(catalog, json, ProcedureRelationId, proc->oid, 0);
	dbvc_describe_extensions(catalog, json, ProcedureRelationId, proc->oid);
	dbvc_describe_function(catalog, json, "deserialize", form->aggdeserialfn);
	if (form->aggnumdirectargs != 0)
		dbvc_json_int(json, "direct_arguments", form->aggnumdirectargs);
	dbvc_describe_function(catalog, json, "final", form->aggfinalfn);
	dbvc_json_flag(json, "final_extra", form->aggfinalextra);
	dbvc_json_text(json, "final_modify",
				   modify_name(form->aggfinalmodify, form->aggkind));
	dbvc_json_text(json, "initial",
				   dbvc_row_string(catalog, DBVC_SHELF_AGGREGATE, aggregate,
								   Anum_pg_aggregate_agginitval));
	dbvc_json_text(json, "kind", kind_name(form->aggkind));
	describe_moving(catalog, json, aggregate);
	dbvc_describe_owner(catalog, json, proc->proowner);
	dbvc_json_text(json, "parallel", dbvc_parallel_name(proc->proparallel));
	dbvc_json_text(json, "returns",
				   dbvc_name_type(catalog, proc->prorettype, -1));
	dbvc_describe_labels(catalog, json, ProcedureRelationId, proc->oid, 0);
	dbvc_describe_function(catalog, json, "serialize", form->aggserialfn);
	if (OidIsValid(form->aggsortop))
		dbvc_json_text(json, "sort_operator",
					   dbvc_name_operator(catalog, form->aggsortop));
	dbvc_describe_function(catalog, json, "state_function", form->aggtransfn);
	if (form->aggtransspace != 0)
		dbvc_json_int(json, "state_space", form->aggtransspace);
	dbvc_json_text(json, "state_type",
				   dbvc_name_type(catalog, form->aggtranstype, -1));
	return true;
}
