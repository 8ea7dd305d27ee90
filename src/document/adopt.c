/*
 * adopt.c
 *		dbvc.document_adopt(): a table becomes base, items and face.
 *
 * Everything happens in one transaction under one ACCESS EXCLUSIVE lock on the
 * table, and nothing in it reads or writes a row: two renames of names in the
 * catalogs, a column with a constant default, an empty table.  What is not a
 * name (foreign keys, indexes, policies, sequences) stays with the base, which
 * is the same table; what was made of the name's text (views, functions with a
 * parsed body, policies of other tables) is run again and finds the face.
 */
#include "document/reshape.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

typedef struct Adoption
{
	Oid source;
	Oid caller;
	Jsonb *parts_config;
	Jsonb *options;
	const char *doc;
	List *key;		   /* names, or NIL */
	const char *items; /* or NULL */
	const char *base;  /* or NULL */
	bool dry_run;
	bool triggers_reviewed;
	DbvcParts *parts;
	DbvcReshape *reshape; /* of the last attempt */
} Adoption;

/* ------------------------------------------------------------- arguments */

static void
check_options(Adoption *adoption)
{
	Datum options = JsonbPGetDatum(adoption->options);
	char *text = DatumGetCString(DirectFunctionCall1(jsonb_out, options));
	List *rows;
	ListCell *lc;

	if (!JB_ROOT_IS_OBJECT(adoption->options))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options must be an object")));
	rows = dbvc_reshape_rows(
		"SELECT o.key, pg_catalog.jsonb_typeof(o.value), o.value #>> '{}' "
		"FROM pg_catalog.jsonb_each($2::pg_catalog.jsonb) o",
		InvalidOid, text, 0);
	foreach (lc, rows)
	{
		char **row = lfirst(lc);
		bool boolean = strcmp(row[1], "boolean") == 0;

		if (strcmp(row[0], "triggers_reviewed") == 0 && boolean)
			adoption->triggers_reviewed = dbvc_reshape_true(row[2]);
		else if ((strcmp(row[0], "soft_delete") == 0 ||
				  strcmp(row[0], "strict") == 0) &&
				 boolean)
			continue;
		else if (strcmp(row[0], "duplicates") != 0 || row[2] == NULL ||
				 (strcmp(row[2], "warn") != 0 && strcmp(row[2], "error") != 0))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" is not known or has no such value",
							row[0]),
					 errhint("Options are soft_delete, strict and "
							 "triggers_reviewed, which are true or false, and "
							 "duplicates, which is \"warn\" or \"error\".")));
	}
}

/* Who may, and what it is: asked before anything is locked. */
static void
check_caller(Oid source)
{
	char kind = get_rel_relkind(source);

	dbvc_reshape_check_owner(source);
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE &&
		dbvc_adopted_face_of(source) == InvalidOid)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a table", get_rel_name(source)),
						errhint("Only tables can be adopted.")));
}

/* ----------------------------------------------------------------- steps */

static void
name_relations(const Adoption *adoption, DbvcTable *table)
{
	table->base_name = adoption->base != NULL
						   ? adoption->base
						   : makeObjectName(table->name, NULL, "base");
	table->items_name = adoption->items != NULL
							? adoption->items
							: makeObjectName(table->name, NULL, "items");
	table->base = dbvc_qualified(table->schema, table->base_name);
	table->items = dbvc_qualified(table->schema, table->items_name);
}

static void
create_face(DbvcReshape *reshape, const DbvcTable *table)
{
	dbvc_step(reshape, "create view",
			  "CREATE VIEW %s WITH (security_invoker = true) AS %s",
			  table->face, dbvc_face_query(table));
	dbvc_steps_owner(reshape, table);
}

static void
create_triggers(DbvcReshape *reshape, const DbvcTable *table)
{
	dbvc_steps_triggers(reshape, table, table->face);
	dbvc_step(reshape, "create trigger of the base",
			  "CREATE TRIGGER %s BEFORE INSERT OR UPDATE ON %s FOR EACH ROW "
			  "EXECUTE FUNCTION dbvc.document_base_trigger()",
			  DBVC_BASE_TRIGGER, table->base);
	dbvc_step(reshape, "let it count what replication applies, too",
			  "ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table->base,
			  DBVC_BASE_TRIGGER);
	dbvc_step(reshape, "create trigger of the items table",
			  "CREATE TRIGGER %s BEFORE INSERT OR UPDATE OR DELETE OR "
			  "TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION "
			  "dbvc.document_items_trigger()",
			  DBVC_ITEMS_TRIGGER, table->items);
}

/* Foreign keys name their tables by OID; people want to be told. */
static void
tell_foreign_keys(DbvcReshape *reshape, const DbvcTable *table)
{
	List *rows = dbvc_reshape_rows(
		"SELECT pg_catalog.pg_describe_object(k.tableoid, k.oid, 0) FROM "
		"pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = "
		"0 AND (k.conrelid = $1 OR k.confrelid = $1) ORDER BY 1",
		table->oid, NULL, 0);
	ListCell *lc;

	foreach (lc, rows)
		dbvc_step_none(reshape, "%s stays with the base",
					   ((char **) lfirst(lc))[0]);
}

static void
register_step(const Adoption *adoption, DbvcReshape *reshape,
			  const DbvcTable *table)
{
	Datum options = JsonbPGetDatum(adoption->options);

	dbvc_step(reshape, DBVC_STEP_REGISTER,
			  "INSERT INTO dbvc.document (base, face, items, parts, options) "
			  "VALUES (%s, %s, %s, %s, %s::pg_catalog.jsonb - "
			  "'triggers_reviewed')",
			  quote_literal_cstr(table->base), quote_literal_cstr(table->face),
			  quote_literal_cstr(table->items),
			  quote_literal_cstr(table->parts_text),
			  quote_literal_cstr(
				  DatumGetCString(DirectFunctionCall1(jsonb_out, options))));
}

static void
publish_items(DbvcReshape *reshape, const DbvcTable *table,
			  const List *publications)
{
	ListCell *lc;

	foreach (lc, publications)
		dbvc_step(reshape, "publish items",
				  "ALTER PUBLICATION %s ADD TABLE %s", (char *) lfirst(lc),
				  table->items);
}

static void
list_steps(const Adoption *adoption, DbvcReshape *reshape, DbvcTable *table)
{
	List *dependents = NIL;
	List *publications = NIL;

	dbvc_table_check(reshape, table, adoption->triggers_reviewed);
	dbvc_expressions_check(reshape, table);
	dbvc_grants_check(reshape, table);
	dbvc_publications_check(reshape, table, &publications);
	dbvc_dependents_find(reshape, table->oid, table->doc->number, &dependents);
	tell_foreign_keys(reshape, table);
	dbvc_step(reshape, "rename table", "ALTER TABLE %s RENAME TO %s",
			  table->face, quote_identifier(table->base_name));
	dbvc_step(reshape, "add column",
			  "ALTER TABLE %s ADD COLUMN %s pg_catalog.int8 NOT NULL DEFAULT "
			  "0",
			  table->base, DBVC_BASE_VERSION);
	dbvc_steps_items(reshape, table);
	dbvc_grants_base(reshape, table);
	dbvc_grants_items(reshape, table);
	dbvc_steps_row_security(reshape, table, false, false, false);
	create_face(reshape, table);
	register_step(adoption, reshape, table);
	create_triggers(reshape, table);
	dbvc_steps_defaults(reshape, table);
	dbvc_steps_comments(reshape, table);
	dbvc_grants_face(reshape, table, table->oid, NIL);
	publish_items(reshape, table, publications);
	reshape->steps = list_concat(reshape->steps, dependents);
}

/* -------------------------------------------------------------- the call */

static void
lock_source(const Adoption *adoption)
{
	LOCKMODE mode = adoption->dry_run ? AccessShareLock : AccessExclusiveLock;

	LockRelationOid(adoption->source, mode);
	if (get_rel_relkind(adoption->source) == RELKIND_PARTITIONED_TABLE)
		(void) find_all_inheritors(adoption->source, mode, NULL);
}

static void
register_table(const DbvcStep *step)
{
	DbvcOwnerScope owner;

	dbvc_owner_enter(&owner);
	if (SPI_execute(step->statement, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not register an adopted table");
	dbvc_owner_leave(&owner);
}

static void
record(const Adoption *adoption, const DbvcTable *table)
{
	StringInfoData detail;
	Datum options = JsonbPGetDatum(adoption->options);

	initStringInfo(&detail);
	appendStringInfoString(&detail, "{\"table\": ");
	escape_json(&detail, table->face);
	appendStringInfoString(&detail, ", \"base\": ");
	escape_json(&detail, table->base);
	appendStringInfoString(&detail, ", \"items\": ");
	escape_json(&detail, table->items);
	appendStringInfo(&detail, ", \"parts\": %s, \"options\": %s}",
					 table->parts_text,
					 DatumGetCString(DirectFunctionCall1(jsonb_out, options)));
	dbvc_reshape_record("document_adopted", adoption->caller, detail.data);
}

static void
invalidate(const DbvcTable *table)
{
	Oid schema = get_namespace_oid(table->schema, false);

	CacheInvalidateRelcacheByRelid(table->oid);
	CacheInvalidateRelcacheByRelid(get_relname_relid(table->name, schema));
	CacheInvalidateRelcacheByRelid(
		get_relname_relid(table->items_name, schema));
}

static void
execute_steps(const Adoption *adoption, const DbvcTable *table,
			  const char *what)
{
	int done = 0;

	dbvc_reshape_execute(adoption->reshape, &done, what);
	register_table(list_nth(adoption->reshape->steps, done));
	done++;
	dbvc_reshape_execute(adoption->reshape, &done, what);
	invalidate(table);
	record(adoption, table);
}

static void
adopt(void *arg)
{
	Adoption *adoption = arg;
	DbvcReshape *reshape = palloc0(sizeof(DbvcReshape));
	DbvcTable *table;
	const char *what;

	adoption->reshape = reshape;
	check_caller(adoption->source);
	if (!adoption->dry_run)
		dbvc_dependents_lock(adoption->source,
							 get_attnum(adoption->source, adoption->doc));
	lock_source(adoption);
	check_caller(adoption->source);
	table = dbvc_table_read(adoption->source);
	what = psprintf("table %s cannot be adopted", table->face);
	if (OidIsValid(dbvc_adopted_face_of(adoption->source)))
	{
		dbvc_problem(reshape, ERRCODE_WRONG_OBJECT_TYPE,
					 "it is part of an adopted table");
		dbvc_reshape_refuse(reshape, what);
	}
	name_relations(adoption, table);
	table->parts = adoption->parts;
	table->parts_text = dbvc_parts_text(adoption->parts);
	dbvc_table_find_key(reshape, table, adoption->key);
	table->doc = dbvc_table_column(table, adoption->doc);
	if (table->doc == NULL)
		dbvc_problem(reshape, ERRCODE_UNDEFINED_COLUMN,
					 "column \"%s\" does not exist", adoption->doc);
	else
		list_steps(adoption, reshape, table);
	dbvc_reshape_refuse(reshape, what);
	if (!adoption->dry_run)
		execute_steps(adoption, table, what);
	dbvc_reshape_tell(reshape);
}

PG_FUNCTION_INFO_V1(dbvc_document_adopt);
Datum
dbvc_document_adopt(PG_FUNCTION_ARGS)
{
	Adoption adoption = {0};
	DbvcLockArguments lock;
	int level;

	dbvc_reshape_need(fcinfo, 0, "source");
	dbvc_reshape_need(fcinfo, 1, "parts");
	dbvc_reshape_need(fcinfo, 2, "doc");
	dbvc_reshape_need(fcinfo, 5, "options");
	adoption.source = PG_GETARG_OID(0);
	adoption.caller = GetUserId();
	adoption.parts_config = PG_GETARG_JSONB_P(1);
	adoption.parts =
		dbvc_parts_parse(adoption.parts_config, CurrentMemoryContext);
	adoption.doc = NameStr(*PG_GETARG_NAME(2));
	adoption.key = dbvc_reshape_names(fcinfo, 3, "key");
	adoption.items = PG_ARGISNULL(4) ? NULL : NameStr(*PG_GETARG_NAME(4));
	adoption.options = PG_GETARG_JSONB_P(5);
	adoption.base = PG_ARGISNULL(6) ? NULL : NameStr(*PG_GETARG_NAME(6));
	adoption.dry_run = !PG_ARGISNULL(7) && PG_GETARG_BOOL(7);
	dbvc_reshape_lock_arguments(fcinfo, 8, &lock);
	if (adoption.parts->count == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("no parts are given"),
						errhint("Say which arrays are to become items, for "
								"example '{\"dreamBook\": \"dream\"}'.")));

	SPI_connect();
	level = dbvc_reshape_enter(lock.timeout);
	check_options(&adoption);
	dbvc_reshape_attempt(adopt, &adoption, lock.attempts);
	dbvc_reshape_leave(level);
	dbvc_reshape_return(fcinfo, adoption.reshape);
	SPI_finish();
	return (Datum) 0;
}
