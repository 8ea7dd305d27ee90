/*
 * define_statistics.c
 *		Extended statistics.
 */
#include "snapshot/relation.h"

#include "catalog/pg_class.h"
#include "catalog/pg_statistic_ext.h"

/* Which kinds; left out when they are those that one gets by default. */
static void
describe_kinds(DbvcCatalog *catalog, const DbvcRow *row, DbvcJson *json)
{
	ArrayType *array =
		(ArrayType *) dbvc_row_varlena(catalog, DBVC_SHELF_STATISTIC, row,
									   Anum_pg_statistic_ext_stxkind);
	const char *kinds = ARR_DATA_PTR(array);
	int count = ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : 0;
	bool dependencies = memchr(kinds, STATS_EXT_DEPENDENCIES, count) != NULL;
	bool mcv = memchr(kinds, STATS_EXT_MCV, count) != NULL;
	bool distinct = memchr(kinds, STATS_EXT_NDISTINCT, count) != NULL;

	/* none: those of a single expression, which come by themselves */
	if (dependencies == mcv && mcv == distinct)
		return;
	dbvc_json_array(json, "kinds");
	if (dependencies)
		dbvc_json_text(json, NULL, "dependencies");
	if (mcv)
		dbvc_json_text(json, NULL, "mcv");
	if (distinct)
		dbvc_json_text(json, NULL, "ndistinct");
	dbvc_json_end(json);
}

static int
statistics_target(DbvcCatalog *catalog, const DbvcRow *row)
{
	bool isnull;
	Datum target;

	if (!dbvc_row_has(row, Anum_pg_statistic_ext_stxstattarget))
		return -1;
	target = dbvc_row_attribute(catalog, DBVC_SHELF_STATISTIC, row,
								Anum_pg_statistic_ext_stxstattarget, &isnull);
	return DatumGetInt16(target);
}

bool
dbvc_define_statistics(DbvcCatalog *catalog, const DbvcRow *row,
					   DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_statistic_ext statistics = dbvc_form(row, pg_statistic_ext);
	DbvcShelf shelf = DBVC_SHELF_STATISTIC;
	const int16 *numbers;
	int count;
	int target;

	if (!dbvc_relation_is_captured(catalog, statistics->stxrelid) ||
		!dbvc_schema_is_captured(catalog, statistics->stxnamespace) ||
		dbvc_is_extension_member(catalog, StatisticExtRelationId,
								 statistics->oid))
		return false;
	definition->type = "statistics object";
	definition->schema = dbvc_schema_name(catalog, statistics->stxnamespace);
	definition->identity =
		dbvc_qualified_name(definition->schema, NameStr(statistics->stxname));
	definition->parent = dbvc_name_relation(catalog, statistics->stxrelid);

	numbers = dbvc_row_numbers(catalog, shelf, row,
							   Anum_pg_statistic_ext_stxkeys, &count);
	dbvc_describe_column_names(catalog, json, "columns", statistics->stxrelid,
							   numbers, count);
	dbvc_describe_comment(catalog, json, StatisticExtRelationId,
						  statistics->oid, 0);
	dbvc_json_texts(json, "expressions",
					dbvc_deparse_expressions(
						catalog,
						dbvc_row_string(catalog, shelf, row,
										Anum_pg_statistic_ext_stxexprs),
						statistics->stxrelid, &definition->unstable));
	describe_kinds(catalog, row, json);
	dbvc_describe_owner(catalog, json, statistics->stxowner);
	dbvc_json_text(json, "table", definition->parent);
	target = statistics_target(catalog, row);
	if (target >= 0)
		dbvc_json_int(json, "target", target);
	return true;
}
