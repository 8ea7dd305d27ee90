/*
 * release_swap.c
 *		The last step of a release: the table is a table again.
 *
 * The reverse of adopting, from a list of steps like it.  What was granted on
 * the face in the meantime is granted on the table; what depends on the face
 * is run again and finds the table under its name.
 */
#include "document/reshape.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

/* What stands on the view itself and would go with it. */
static void
refuse_on_face(DbvcReshape *reshape, Oid face)
{
	List *rows = dbvc_reshape_rows(
		"SELECT 'trigger ' || pg_catalog.quote_ident(g.tgname) FROM "
		"pg_catalog.pg_trigger g WHERE g.tgrelid = $1 AND NOT g.tgisinternal "
		"AND g.tgname <> $2 UNION ALL "
		"SELECT 'rule ' || pg_catalog.quote_ident(r.rulename) FROM "
		"pg_catalog.pg_rewrite r WHERE r.ev_class = $1 AND r.rulename <> "
		"'_RETURN' ORDER BY 1",
		face, DBVC_FACE_TRIGGER, 0);
	ListCell *lc;

	foreach (lc, rows)
		dbvc_problem(reshape, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
					 "the view has a %s of its own",
					 ((char **) lfirst(lc))[0]);
}

/* Who reads by column grants was given this for the view's sake. */
static void
revoke_system_column(DbvcReshape *reshape, const DbvcTable *table)
{
	char *names = dbvc_reshape_value(
		"SELECT pg_catalog.string_agg(DISTINCT CASE x.grantee WHEN 0 THEN "
		"'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid("
		"x.grantee)) END, ', ') FROM pg_catalog.pg_attribute a, "
		"pg_catalog.aclexplode(a.attacl) x WHERE a.attrelid = $1 AND "
		"a.attname = 'xmin' AND EXISTS (SELECT 1 FROM "
		"pg_catalog.pg_attribute v, pg_catalog.aclexplode(v.attacl) y WHERE "
		"v.attrelid = $1 AND v.attname = $2 AND y.grantee = x.grantee)",
		table->oid, table->version, 0);

	if (names != NULL)
		dbvc_step(reshape, "revoke what the view read beside the columns",
				  "REVOKE SELECT (xmin) ON TABLE %s FROM %s", table->base,
				  names);
}

/* It goes without CASCADE. */
static void
refuse_on_items(DbvcReshape *reshape, const DbvcTable *table)
{
	/* but for the view, which goes first, and what goes with the table */
	List *rows = dbvc_reshape_rows(
		"SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0) "
		"FROM pg_catalog.pg_depend d WHERE d.refclassid = "
		"'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = $1 AND "
		"d.deptype = 'n' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_rewrite "
		"r WHERE r.tableoid = d.classid AND r.oid = d.objid AND r.ev_class = "
		"$3::pg_catalog.oid) AND NOT EXISTS (SELECT 1 FROM "
		"pg_catalog.pg_depend "
		"o WHERE o.classid = d.classid AND o.objid = d.objid AND o.objsubid = "
		"d.objsubid AND o.refclassid = d.refclassid AND o.refobjid = $1 AND "
		"o.deptype IN ('a', 'i')) ORDER BY 1",
		table->items_oid, NULL, (int) table->face_oid);
	ListCell *lc;

	foreach (lc, rows)
		dbvc_problem(reshape, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
					 "%s depends on the items table",
					 ((char **) lfirst(lc))[0]);
}

static void
refuse_name(DbvcReshape *reshape, const DbvcTable *table, const char *name)
{
	Oid schema = get_namespace_oid(table->schema, false);

	if (OidIsValid(get_relname_relid(name, schema)))
		dbvc_problem(reshape, ERRCODE_DUPLICATE_TABLE,
					 "the name \"%s\" is taken in schema \"%s\"", name,
					 table->schema);
}

static void
list_steps(DbvcReshape *reshape, const DbvcTable *table)
{
	char *old_name = makeObjectName(table->name, NULL, "dbvc_old");
	char *old = dbvc_qualified(table->schema, old_name);
	char *schema = get_namespace_name(get_rel_namespace(table->oid));
	List *dependents = NIL;

	refuse_on_face(reshape, table->face_oid);
	refuse_on_items(reshape, table);
	refuse_name(reshape, table, old_name);
	if (strcmp(schema, table->schema) != 0)
		refuse_name(reshape, table, table->base_name);
	dbvc_dependents_find(reshape, table->face_oid, 0, &dependents);
	dbvc_grants_to_base(reshape, table, table->face_oid, false);
	dbvc_grants_tell_extra(reshape, table, table->face_oid, true);
	revoke_system_column(reshape, table);
	dbvc_step(reshape, "put the view aside", "ALTER VIEW %s RENAME TO %s",
			  table->face, quote_identifier(old_name));
	dbvc_step(reshape, "drop trigger of the base", "DROP TRIGGER %s ON %s",
			  DBVC_BASE_TRIGGER, table->base);
	if (strcmp(schema, table->schema) != 0)
		dbvc_step(reshape, "move table to the view's schema",
				  "ALTER TABLE %s SET SCHEMA %s", table->base,
				  quote_identifier(table->schema));
	dbvc_step(reshape, "rename table", "ALTER TABLE %s RENAME TO %s",
			  dbvc_qualified(table->schema, table->base_name),
			  quote_identifier(table->name));
	reshape->steps = list_concat(reshape->steps, dependents);
	dbvc_step(reshape, DBVC_STEP_REGISTER,
			  "DELETE FROM dbvc.document WHERE base = "
			  "%s::pg_catalog.regclass",
			  quote_literal_cstr(table->face));
	dbvc_step(reshape, "drop the view", "DROP VIEW %s", old);
	dbvc_step(reshape, "drop items table", "DROP TABLE %s", table->items);
	dbvc_step(reshape, "drop column", "ALTER TABLE %s DROP COLUMN %s",
			  table->face, quote_identifier(table->version));
}

/*
 * Items would be lost with their table.  Not by a query: row security must not
 * hide them, and a query without it would run as somebody who is trusted more
 * than the table's owner.
 */
static void
check_empty(const DbvcTable *table)
{
	Relation items = table_open(table->items_oid, NoLock);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(items, NULL);
	TableScanDesc scan = dbvc_table_beginscan(items, snapshot);
	bool found = table_scan_getnextslot(scan, ForwardScanDirection, slot);

	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	table_close(items, NoLock);
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("adopted table %s still has items", table->face),
				 errdetail("They are in %s.", table->items)));
}

static void
unregister(const DbvcStep *step)
{
	DbvcOwnerScope owner;

	dbvc_owner_enter(&owner);
	if (SPI_execute(step->statement, false, 0) != SPI_OK_DELETE ||
		SPI_processed != 1)
		elog(ERROR, "could not unregister an adopted table");
	dbvc_owner_leave(&owner);
}

void
dbvc_release_check(const DbvcAdopted *adopted)
{
	int level = dbvc_reshape_enter(-1);
	DbvcReshape reshape = {0};
	DbvcTable *table = dbvc_table_adopted(adopted);

	list_steps(&reshape, table);
	dbvc_reshape_refuse(&reshape,
						psprintf("adopted table %s cannot be released",
								 table->face));
	dbvc_reshape_leave(level);
}

void
dbvc_release_swap(const DbvcAdopted *adopted)
{
	int level = dbvc_reshape_enter(-1);
	DbvcReshape reshape = {0};
	DbvcTable *table;
	const char *what;
	StringInfoData detail;
	int done = 0;

	/* the order in which they are read */
	dbvc_dependents_lock(adopted->face, 0);
	LockRelationOid(adopted->face, AccessExclusiveLock);
	LockRelationOid(adopted->base, AccessExclusiveLock);
	LockRelationOid(adopted->items, AccessExclusiveLock);
	if (get_rel_relkind(adopted->items) != RELKIND_RELATION)
		elog(ERROR, "items of an adopted table are no table");
	table = dbvc_table_adopted(adopted);
	what = psprintf("adopted table %s cannot be released", table->face);
	dbvc_reshape_check_owner(table->oid);
	dbvc_reshape_check_owner(table->face_oid);
	dbvc_reshape_check_owner(table->items_oid);
	check_empty(table);
	list_steps(&reshape, table);
	dbvc_reshape_refuse(&reshape, what);

	dbvc_reshape_execute(&reshape, &done, what);
	unregister(list_nth(reshape.steps, done++));
	dbvc_reshape_execute(&reshape, &done, what);
	CacheInvalidateRelcacheByRelid(table->oid);
	initStringInfo(&detail);
	appendStringInfoString(&detail, "{\"table\": ");
	escape_json(&detail, table->face);
	appendStringInfo(&detail, ", \"parts\": %s}", table->parts_text);
	dbvc_reshape_record("document_released", GetUserId(), detail.data);
	dbvc_reshape_tell(&reshape);
	dbvc_reshape_leave(level);
}
