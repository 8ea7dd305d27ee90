/*
 * define_sequence.c
 *		Sequences: how they count, not where they are.
 */
#include "snapshot/relation.h"

#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_sequence.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

/* Limits that a sequence of this type and direction has by default. */
static void
default_limits(Form_pg_sequence sequence, int64 *min, int64 *max)
{
	bool down = sequence->seqincrement < 0;
	int64 least = sequence->seqtypid == INT2OID	  ? PG_INT16_MIN
				  : sequence->seqtypid == INT4OID ? PG_INT32_MIN
												  : PG_INT64_MIN;
	int64 most = sequence->seqtypid == INT2OID	 ? PG_INT16_MAX
				 : sequence->seqtypid == INT4OID ? PG_INT32_MAX
												 : PG_INT64_MAX;

	*min = down ? least : 1;
	*max = down ? -1 : most;
}

/* The column that the sequence belongs to, as schema.table.column, and its
 * table. */
static char *
owning_column(DbvcCatalog *catalog, Oid sequence, char *deptype,
			  const char **table)
{
	for (DbvcRow *row = dbvc_catalog_rows(catalog, DBVC_SHELF_DEPEND,
										  RelationRelationId, sequence);
		 row != NULL; row = row->next)
	{
		Form_pg_depend depend = dbvc_form(row, pg_depend);
		const char *column;

		if (depend->refclassid != RelationRelationId ||
			depend->refobjsubid <= 0 ||
			(depend->deptype != DEPENDENCY_AUTO &&
			 depend->deptype != DEPENDENCY_INTERNAL))
			continue;
		column =
			dbvc_column_name(catalog, depend->refobjid, depend->refobjsubid);
		if (column == NULL)
			continue;
		*deptype = depend->deptype;
		*table = dbvc_name_relation(catalog, depend->refobjid);
		return psprintf("%s.%s", *table, quote_identifier(column));
	}
	return NULL;
}

static struct varlena *
class_acl(DbvcCatalog *catalog, const DbvcRow *row)
{
	return dbvc_row_has(row, Anum_pg_class_relacl)
			   ? dbvc_row_varlena(catalog, DBVC_SHELF_CLASS, row,
								  Anum_pg_class_relacl)
			   : NULL;
}

bool
dbvc_define_sequence(DbvcCatalog *catalog, const DbvcRow *relation,
					 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_class class = dbvc_form(relation, pg_class);
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_SEQUENCE, class->oid);
	Form_pg_sequence sequence;
	int64 min;
	int64 max;
	char deptype = '\0';
	char *column;

	if (row == NULL)
		return false;
	sequence = dbvc_form(row, pg_sequence);
	default_limits(sequence, &min, &max);
	column = owning_column(catalog, class->oid, &deptype, &definition->parent);
	definition->type = "sequence";

	dbvc_describe_acl(catalog, json, "acl", class_acl(catalog, relation),
					  OBJECT_SEQUENCE, class->relowner);
	if (sequence->seqcache != 1)
		dbvc_json_int(json, "cache", sequence->seqcache);
	dbvc_describe_comment(catalog, json, RelationRelationId, class->oid, 0);
	dbvc_json_flag(json, "cycle", sequence->seqcycle);
	if (deptype == DEPENDENCY_INTERNAL)
		dbvc_json_text(json, "identity_of", column);
	if (sequence->seqincrement != 1)
		dbvc_json_int(json, "increment", sequence->seqincrement);
	if (sequence->seqmax != max)
		dbvc_json_int(json, "max", sequence->seqmax);
	if (sequence->seqmin != min)
		dbvc_json_int(json, "min", sequence->seqmin);
	if (deptype == DEPENDENCY_AUTO)
		dbvc_json_text(json, "owned_by", column);
	dbvc_describe_owner(catalog, json, class->relowner);
	if (class->relpersistence == RELPERSISTENCE_UNLOGGED)
		dbvc_json_text(json, "persistence", "unlogged");
	dbvc_describe_labels(catalog, json, RelationRelationId, class->oid, 0);
	if (sequence->seqstart !=
		(sequence->seqincrement < 0 ? sequence->seqmax : sequence->seqmin))
		dbvc_json_int(json, "start", sequence->seqstart);
	dbvc_json_text(json, "type",
				   dbvc_name_type(catalog, sequence->seqtypid, -1));
	return true;
}
