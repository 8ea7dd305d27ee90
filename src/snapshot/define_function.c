/*
 * define_function.c
 *		Definitions of functions and procedures.
 */
#include "snapshot/define.h"

#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#define COST_OF_COMPILED 1
#define COST_OF_OTHERS 100
#define ROWS_OF_A_SET 1000

/* ------------------------------------------------------------- arguments */

static const char *
mode_name(char mode)
{
	switch (mode)
	{
		case PROARGMODE_OUT:
			return "out";
		case PROARGMODE_INOUT:
			return "inout";
		case PROARGMODE_VARIADIC:
			return "variadic";
		case PROARGMODE_TABLE:
			return "table";
		default:
			return NULL; /* in */
	}
}

static bool
takes_input(char mode)
{
	return mode == PROARGMODE_IN || mode == PROARGMODE_INOUT ||
		   mode == PROARGMODE_VARIADIC;
}

/* Elements of a one-dimensional array of fixed-length elements, or NULL. */
static const void *
array_elements(DbvcCatalog *catalog, const DbvcRow *row, AttrNumber attribute,
			   int *count)
{
	ArrayType *array = (ArrayType *) dbvc_row_varlena(catalog, DBVC_SHELF_PROC,
													  row, attribute);

	if (array == NULL)
		return NULL;
	*count = ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : 0;
	return ARR_DATA_PTR(array);
}

/* Defaults belong to the last input arguments. */
static List *
default_texts(DbvcCatalog *catalog, const DbvcRow *row,
			  DbvcDefinition *definition)
{
	char *tree = dbvc_row_string(catalog, DBVC_SHELF_PROC, row,
								 Anum_pg_proc_proargdefaults);

	return tree == NULL ? NIL
						: dbvc_deparse_expressions(catalog, tree, InvalidOid,
												   &definition->unstable);
}

void
dbvc_describe_arguments(DbvcCatalog *catalog, DbvcJson *json,
						const DbvcRow *row, DbvcDefinition *definition)
{
	Form_pg_proc proc = dbvc_form(row, pg_proc);
	const Oid *types = proc->proargtypes.values;
	int count = proc->pronargs;
	int mode_count = 0;
	const Oid *all_types =
		array_elements(catalog, row, Anum_pg_proc_proallargtypes, &count);
	const char *modes =
		array_elements(catalog, row, Anum_pg_proc_proargmodes, &mode_count);
	List *names = dbvc_text_array_list(
		(ArrayType *) dbvc_row_varlena(catalog, DBVC_SHELF_PROC, row,
									   Anum_pg_proc_proargnames));
	List *defaults = default_texts(catalog, row, definition);
	int without_default = proc->pronargs - list_length(defaults);
	int inputs = 0;

	if (all_types != NULL)
		types = all_types;
	if (count == 0)
		return;
	dbvc_json_array(json, "arguments");
	for (int i = 0; i < count; i++)
	{
		char mode = i < mode_count ? modes[i] : PROARGMODE_IN;
		const char *name = i < list_length(names) ? list_nth(names, i) : "";

		dbvc_json_object(json, NULL);
		if (takes_input(mode) && inputs++ >= without_default)
			dbvc_json_text(json, "default",
						   list_nth(defaults, inputs - 1 - without_default));
		dbvc_json_text(json, "mode", mode_name(mode));
		if (name[0] != '\0')
			dbvc_json_text(json, "name", name);
		dbvc_json_text(json, "type", dbvc_name_type(catalog, types[i], -1));
		dbvc_json_end(json);
	}
	dbvc_json_end(json);
}

/* ------------------------------------------------------------------ body */

typedef enum BodyKind
{
	BODY_SOURCE,   /* text that the language understands */
	BODY_COMPILED, /* a symbol in a file, or in the server */
	BODY_QUERIES,  /* SQL that was parsed when the function was made */
} BodyKind;

static const char *
source_text(DbvcCatalog *catalog, const DbvcRow *row)
{
	return dbvc_row_string(catalog, DBVC_SHELF_PROC, row, Anum_pg_proc_prosrc);
}

static BodyKind
body_kind(DbvcCatalog *catalog, const DbvcRow *row)
{
	Form_pg_proc proc = dbvc_form(row, pg_proc);
	bool isnull;

	if (proc->prolang == ClanguageId || proc->prolang == INTERNALlanguageId)
		return BODY_COMPILED;
	(void) dbvc_row_attribute(catalog, DBVC_SHELF_PROC, row,
							  Anum_pg_proc_prosqlbody, &isnull);
	return isnull ? BODY_SOURCE : BODY_QUERIES;
}

const char *
dbvc_volatility_name(char volatility)
{
	switch (volatility)
	{
		case PROVOLATILE_IMMUTABLE:
			return "immutable";
		case PROVOLATILE_STABLE:
			return "stable";
		default:
			return NULL;
	}
}

const char *
dbvc_parallel_name(char parallel)
{
	switch (parallel)
	{
		case PROPARALLEL_RESTRICTED:
			return "restricted";
		case PROPARALLEL_SAFE:
			return "safe";
		default:
			return NULL;
	}
}

/* What it answers; a procedure says that by its arguments. */
static void
describe_result(DbvcCatalog *catalog, DbvcJson *json, Form_pg_proc proc)
{
	float4 usual_rows = proc->proretset ? ROWS_OF_A_SET : 0;

	if (proc->prokind != PROKIND_PROCEDURE)
		dbvc_json_text(json, "returns",
					   dbvc_name_type(catalog, proc->prorettype, -1));
	dbvc_json_flag(json, "returns_set", proc->proretset);
	if (proc->prorows != usual_rows)
		dbvc_json_number(json, "rows", proc->prorows);
}

static void
describe_transforms(DbvcCatalog *catalog, DbvcJson *json, const DbvcRow *row)
{
	int count = 0;
	const Oid *types =
		array_elements(catalog, row, Anum_pg_proc_protrftypes, &count);
	List *names = NIL;

	for (int i = 0; types != NULL && i < count; i++)
		names =
			lappend(names,
					unconstify(char *, dbvc_name_type(catalog, types[i], -1)));
	dbvc_json_texts(json, "transforms", names);
}

/* Statements that were parsed when the function was made; perhaps none. */
static void
describe_queries(DbvcCatalog *catalog, DbvcJson *json, const DbvcRow *row,
				 DbvcDefinition *definition)
{
	List *queries =
		dbvc_deparse_queries(catalog,
							 dbvc_row_string(catalog, DBVC_SHELF_PROC, row,
											 Anum_pg_proc_prosqlbody),
							 NULL, 0, &definition->unstable);
	ListCell *cell;

	dbvc_json_array(json, "sql_body");
	foreach (cell, queries)
		dbvc_json_text(json, NULL, lfirst(cell));
	dbvc_json_end(json);
}

static void
define_function(DbvcCatalog *catalog, const DbvcRow *row,
				DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_proc proc = dbvc_form(row, pg_proc);
	BodyKind body = body_kind(catalog, row);
	float4 usual_cost =
		body == BODY_COMPILED ? COST_OF_COMPILED : COST_OF_OTHERS;

	dbvc_describe_arguments(catalog, json, row, definition);
	if (body == BODY_SOURCE)
		dbvc_json_text(json, "body", source_text(catalog, row));
	dbvc_describe_comment(catalog, json, ProcedureRelationId, proc->oid, 0);
	if (proc->procost != usual_cost)
		dbvc_json_number(json, "cost", proc->procost);
	dbvc_describe_extensions(catalog, json, ProcedureRelationId, proc->oid);
	dbvc_json_text(json, "language",
				   dbvc_name_language(catalog, proc->prolang));
	dbvc_json_flag(json, "leakproof", proc->proleakproof);
	dbvc_json_text(json, "library",
				   dbvc_row_string(catalog, DBVC_SHELF_PROC, row,
								   Anum_pg_proc_probin));
	dbvc_describe_owner(catalog, json, proc->proowner);
	dbvc_json_text(json, "parallel", dbvc_parallel_name(proc->proparallel));
	describe_result(catalog, json, proc);
	dbvc_json_flag(json, "security_definer", proc->prosecdef);
	dbvc_describe_labels(catalog, json, ProcedureRelationId, proc->oid, 0);
	dbvc_describe_options(json, "settings",
						  dbvc_row_varlena(catalog, DBVC_SHELF_PROC, row,
										   Anum_pg_proc_proconfig),
						  false);
	if (body == BODY_QUERIES)
		describe_queries(catalog, json, row, definition);
	dbvc_json_flag(json, "strict", proc->proisstrict);
	dbvc_describe_function(catalog, json, "support", proc->prosupport);
	if (body == BODY_COMPILED)
		dbvc_json_text(json, "symbol", source_text(catalog, row));
	describe_transforms(catalog, json, row);
	dbvc_json_text(json, "volatility",
				   dbvc_volatility_name(proc->provolatile));
	dbvc_json_flag(json, "window", proc->prokind == PROKIND_WINDOW);
}

/* CREATE TYPE AS RANGE makes constructors, which come and go with the type. */
static bool
is_made_with_range(DbvcCatalog *catalog, Form_pg_proc proc)
{
	return proc->prolang == INTERNALlanguageId &&
		   OidIsValid(dbvc_internal_owner(catalog, ProcedureRelationId,
										  proc->oid, TypeRelationId));
}

bool
dbvc_define_function(DbvcCatalog *catalog, const DbvcRow *row,
					 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_proc proc = dbvc_form(row, pg_proc);

	if (!dbvc_schema_is_captured(catalog, proc->pronamespace) ||
		is_made_with_range(catalog, proc) ||
		dbvc_is_extension_member(catalog, ProcedureRelationId, proc->oid))
		return false;
	definition->type = proc->prokind == PROKIND_AGGREGATE	? "aggregate"
					   : proc->prokind == PROKIND_PROCEDURE ? "procedure"
															: "function";
	definition->identity = dbvc_name_function(catalog, proc->oid);
	definition->schema = dbvc_schema_name(catalog, proc->pronamespace);
	dbvc_describe_acl(catalog, json, "acl",
					  dbvc_row_varlena(catalog, DBVC_SHELF_PROC, row,
									   Anum_pg_proc_proacl),
					  OBJECT_FUNCTION, proc->proowner);
	if (proc->prokind == PROKIND_AGGREGATE)
		return dbvc_define_aggregate(catalog, row, definition, json);
	define_function(catalog, row, definition, json);
	return true;
}
