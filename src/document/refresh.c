/*
 * refresh.c
 *		dbvc.document_refresh(): the face follows the base.
 *
 * A view keeps the columns that it was made with.  New ones can be appended
 * and old ones renamed in place; to take one out the view has to be made anew,
 * which works as adopting does: another name for the old one, the new one
 * under the old name, dependents run again, the old one dropped.
 */
#include "document/reshape.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

typedef struct Refresh
{
	Oid source;
	Oid caller;
	List *drop; /* names of columns */
	bool dry_run;
	DbvcReshape *reshape; /* of the last attempt */
	Oid base;
	Oid face;
	Oid items;
	DbvcTable *table; /* the base; its columns are those to be */
	List *old;		  /* of FaceColumn, as the face is */
	List *added;	  /* names */
	bool renamed;
} Refresh;

typedef struct FaceColumn
{
	const DbvcColumn *is;	 /* in the face */
	const DbvcColumn *to_be; /* in the base; NULL: not any more */
} FaceColumn;

void
dbvc_reshape_check_owner(Oid relation)
{
	char *owns = dbvc_reshape_value(
		"SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM "
		"pg_catalog.pg_class c WHERE c.oid = $1",
		relation, NULL, 0);

	if (owns == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("there is no table with OID %u", relation)));
	if (!dbvc_reshape_true(owns))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of relation %s",
							   get_rel_name(relation))));
}

static DbvcColumn *
column_numbered(const DbvcTable *table, AttrNumber number)
{
	ListCell *lc;

	foreach (lc, table->columns)
	{
		DbvcColumn *column = lfirst(lc);

		if (column->number == number)
			return column;
	}
	return NULL;
}

DbvcTable *
dbvc_table_adopted(const DbvcAdopted *adopted)
{
	DbvcTable *table = dbvc_table_read(adopted->base);
	Oid items = adopted->items;
	DbvcColumn *version = column_numbered(table, adopted->base_version);

	table->base_name = table->name;
	table->base = table->face;
	table->name = get_rel_name(adopted->face);
	table->schema = get_namespace_name(get_rel_namespace(adopted->face));
	table->face = dbvc_qualified(table->schema, table->name);
	table->items_name = get_rel_name(items);
	table->items = dbvc_qualified(get_namespace_name(get_rel_namespace(items)),
								  table->items_name);
	table->face_oid = adopted->face;
	table->items_oid = items;
	table->parts = adopted->parts;
	table->parts_text = dbvc_parts_text(adopted->parts);
	table->doc = column_numbered(table, adopted->base_doc);
	for (int k = 0; k < adopted->nkeys; k++)
	{
		DbvcColumn *column = column_numbered(table, adopted->key[k].base);

		column->items_name = pstrdup(adopted->key[k].items_name);
		column->equal = pstrdup(adopted->key[k].equal);
		table->key = lappend(table->key, column);
	}
	table->version = version->name;
	table->columns = list_delete_ptr(table->columns, version);
	return table;
}

/* ------------------------------------------------------------ comparison */

static void
check_dropped(Refresh *refresh)
{
	DbvcTable *table = refresh->table;
	ListCell *lc;

	foreach (lc, refresh->drop)
	{
		const char *name = lfirst(lc);
		DbvcColumn *column = dbvc_table_column(table, name);

		if (column == NULL)
			dbvc_problem(refresh->reshape, ERRCODE_UNDEFINED_COLUMN,
						 "column \"%s\" of %s does not exist", name,
						 table->base);
		else if (column == table->doc || list_member_ptr(table->key, column))
			dbvc_problem(refresh->reshape, ERRCODE_WRONG_OBJECT_TYPE,
						 "column \"%s\" is the document or part of its key",
						 name);
		else
			table->columns = list_delete_ptr(table->columns, column);
	}
}

/* Can the old columns stay where they are, with new ones behind them? */
static bool
compare_columns(Refresh *refresh, const DbvcAdopted *adopted)
{
	DbvcTable *table = refresh->table;
	DbvcTable *face = dbvc_table_read(refresh->face);
	ListCell *lc;
	bool in_place = true;
	int i = 0;

	foreach (lc, face->columns)
	{
		FaceColumn *column = palloc0(sizeof(FaceColumn));
		AttrNumber number;

		column->is = lfirst(lc);
		number = adopted->face_to_base[column->is->number - 1];
		column->to_be = column_numbered(table, number);
		refresh->old = lappend(refresh->old, column);
		in_place &= i < list_length(table->columns) &&
					list_nth(table->columns, i++) == column->to_be;
		if (column->to_be != NULL &&
			strcmp(column->to_be->name, column->is->name) != 0)
			refresh->renamed = true;
	}
	foreach (lc, table->columns)
	{
		const DbvcColumn *column = lfirst(lc);
		bool known = false;
		ListCell *old;

		foreach (old, refresh->old)
			known |= ((FaceColumn *) lfirst(old))->to_be == column;
		if (!known)
			refresh->added = lappend(refresh->added, (char *) column->name);
	}
	return in_place;
}

/* --------------------------------------------------------------- in place */

static bool
is_face_name(const Refresh *refresh, const char *name)
{
	ListCell *lc;

	foreach (lc, refresh->old)
	{
		if (strcmp(((FaceColumn *) lfirst(lc))->is->name, name) == 0)
			return true;
	}
	return false;
}

static void
rename_column(Refresh *refresh, const char *from, const char *to)
{
	dbvc_step(refresh->reshape, psprintf("rename column %s", from),
			  "ALTER VIEW %s RENAME COLUMN %s TO %s", refresh->table->face,
			  from, to);
}

/* A name that another column still has is reached by way of one of dbvc's. */
static void
rename_columns(Refresh *refresh)
{
	ListCell *lc;

	for (int pass = 0; pass < 2; pass++)
	{
		foreach (lc, refresh->old)
		{
			const FaceColumn *column = lfirst(lc);
			char *between = psprintf("dbvc_%d", column->is->number);
			bool clash = is_face_name(refresh, column->to_be->name);

			if (strcmp(column->is->name, column->to_be->name) == 0)
				continue;
			if (pass == 0)
				rename_column(refresh, column->is->quoted,
							  clash ? between : column->to_be->quoted);
			else if (clash)
				rename_column(refresh, between, column->to_be->quoted);
		}
	}
}

static const char *
view_options(Oid view)
{
	return dbvc_reshape_value(
		"SELECT pg_catalog.string_agg(pg_catalog.quote_ident(o.option_name) "
		"|| ' = ' || pg_catalog.quote_literal(o.option_value), ', ') FROM "
		"pg_catalog.pg_class c, pg_catalog.pg_options_to_table(c.reloptions) "
		"o WHERE c.oid = $1",
		view, NULL, 0);
}

static void
change_in_place(Refresh *refresh)
{
	const DbvcTable *table = refresh->table;
	ListCell *lc;

	if (refresh->renamed)
		rename_columns(refresh);
	if (refresh->added == NIL)
		return;
	dbvc_step(refresh->reshape, "add columns",
			  "CREATE OR REPLACE VIEW %s WITH (%s) AS %s", table->face,
			  view_options(refresh->face), dbvc_face_query(table));
	foreach (lc, refresh->added)
	{
		const DbvcColumn *column = dbvc_table_column(table, lfirst(lc));

		if (column->comment != NULL)
			dbvc_step(refresh->reshape,
					  psprintf("carry comment of column %s", column->quoted),
					  "COMMENT ON COLUMN %s.%s IS %s", table->face,
					  column->quoted, column->comment);
	}
}

/* The base's default counts, as it does for whoever writes to the base. */
static void
carry_defaults(Refresh *refresh)
{
	const DbvcTable *table = refresh->table;
	ListCell *lc;

	foreach (lc, table->columns)
	{
		const DbvcColumn *column = lfirst(lc);
		const char *is = NULL;
		ListCell *old;

		foreach (old, refresh->old)
		{
			const FaceColumn *known = lfirst(old);

			if (known->to_be == column)
				is = known->is->fallback;
		}
		if (column->fallback == NULL && is != NULL)
			dbvc_step(refresh->reshape,
					  psprintf("drop default of column %s", column->quoted),
					  "ALTER VIEW %s ALTER COLUMN %s DROP DEFAULT",
					  table->face, column->quoted);
		else if (column->fallback != NULL &&
				 (is == NULL || strcmp(is, column->fallback) != 0))
			dbvc_step(refresh->reshape,
					  psprintf("carry default of column %s", column->quoted),
					  "ALTER VIEW %s ALTER COLUMN %s SET DEFAULT %s",
					  table->face, column->quoted, column->fallback);
	}
}

/* ------------------------------------------------------------------- anew */

static void
carry_comments(Refresh *refresh)
{
	const DbvcTable *table = refresh->table;
	const DbvcTable *face = dbvc_table_read(refresh->face);
	ListCell *lc;

	if (face->comment != NULL)
		dbvc_step(refresh->reshape, "carry comment",
				  "COMMENT ON VIEW %s IS %s", table->face, face->comment);
	foreach (lc, refresh->old)
	{
		const FaceColumn *column = lfirst(lc);

		if (column->to_be != NULL && column->is->comment != NULL)
			dbvc_step(refresh->reshape,
					  psprintf("carry comment of column %s",
							   column->to_be->quoted),
					  "COMMENT ON COLUMN %s.%s IS %s", table->face,
					  column->to_be->quoted, column->is->comment);
	}
}

/* Triggers that others have made on the view; rules they cannot keep. */
static List *
other_triggers(Refresh *refresh)
{
	List *rows = dbvc_reshape_rows(
		"SELECT pg_catalog.pg_get_triggerdef(g.oid) FROM "
		"pg_catalog.pg_trigger g WHERE g.tgrelid = $1 AND NOT "
		"g.tgisinternal AND g.tgname <> $2 ORDER BY g.tgname",
		refresh->face, DBVC_FACE_TRIGGER, 0);
	List *texts = NIL;
	ListCell *lc;

	foreach (lc, rows)
		texts = lappend(texts, ((char **) lfirst(lc))[0]);
	rows = dbvc_reshape_rows(
		"SELECT pg_catalog.quote_ident(r.rulename) FROM pg_catalog.pg_rewrite "
		"r WHERE r.ev_class = $1 AND r.rulename <> '_RETURN' ORDER BY 1",
		refresh->face, NULL, 0);
	foreach (lc, rows)
		dbvc_problem(refresh->reshape, ERRCODE_WRONG_OBJECT_TYPE,
					 "the view has a rule %s", ((char **) lfirst(lc))[0]);
	return texts;
}

static void
drop_columns(Refresh *refresh)
{
	ListCell *lc;

	foreach (lc, refresh->drop)
		dbvc_step(refresh->reshape, "drop column",
				  "ALTER TABLE %s DROP COLUMN %s", refresh->table->base,
				  quote_identifier(lfirst(lc)));
}

static void
make_anew(Refresh *refresh)
{
	DbvcReshape *reshape = refresh->reshape;
	const DbvcTable *table = refresh->table;
	char *old_name = makeObjectName(table->name, NULL, "dbvc_old");
	List *dependents = NIL;
	List *triggers = other_triggers(refresh);
	ListCell *lc;

	if (refresh->renamed)
		dbvc_problem(reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
					 "columns have been renamed: refresh once without "
					 "drop_columns");
	dbvc_dependents_find(reshape, refresh->face, 0, &dependents);
	dbvc_step(reshape, "put the old view aside", "ALTER VIEW %s RENAME TO %s",
			  table->face, quote_identifier(old_name));
	dbvc_step(reshape, "create view", "CREATE VIEW %s WITH (%s) AS %s",
			  table->face, view_options(refresh->face),
			  dbvc_face_query(table));
	dbvc_steps_owner(reshape, table);
	dbvc_step(reshape, DBVC_STEP_REGISTER,
			  "UPDATE dbvc.document SET face = %s::pg_catalog.regclass WHERE "
			  "base = %s::pg_catalog.regclass",
			  quote_literal_cstr(table->face),
			  quote_literal_cstr(table->base));
	dbvc_steps_triggers(reshape, table, table->face);
	foreach (lc, triggers)
		dbvc_step(reshape, "carry trigger", "%s", (char *) lfirst(lc));
	dbvc_steps_defaults(reshape, table);
	carry_comments(refresh);
	dbvc_grants_face(reshape, table, refresh->face, refresh->drop);
	reshape->steps = list_concat(reshape->steps, dependents);
	dbvc_step(reshape, "drop the old view", "DROP VIEW %s",
			  dbvc_qualified(table->schema, old_name));
	drop_columns(refresh);
}

/* ------------------------------------------------------------- both ways */

/*
 * What adopting would have refused.  Now it is there, and refreshing must not
 * stand in its own way.
 */
static void
tell_problems(Refresh *refresh)
{
	DbvcReshape found = {0};
	ListCell *lc;

	dbvc_expressions_check(&found, refresh->table);
	dbvc_grants_check(&found, refresh->table);
	foreach (lc, found.problems)
		dbvc_reshape_warn(refresh->reshape, "%s",
						  ((DbvcProblem *) lfirst(lc))->text);
}

static void
derive_items(Refresh *refresh)
{
	DbvcTable *table = refresh->table;
	List *publications = NIL;
	List *rows = dbvc_reshape_rows(
		"SELECT c.relrowsecurity, c.relforcerowsecurity, EXISTS (SELECT 1 "
		"FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND p.polname = "
		"$2) FROM pg_catalog.pg_class c WHERE c.oid = $1",
		refresh->items, DBVC_ITEMS_POLICY, 0);
	char **row = linitial(rows);
	ListCell *lc;

	dbvc_grants_items(refresh->reshape, table);
	dbvc_steps_row_security(refresh->reshape, table, dbvc_reshape_true(row[0]),
							dbvc_reshape_true(row[1]),
							dbvc_reshape_true(row[2]));
	dbvc_publications_check(refresh->reshape, table, &publications);
	foreach (lc, publications)
		dbvc_step(refresh->reshape, "publish items",
				  "ALTER PUBLICATION %s ADD TABLE %s", (char *) lfirst(lc),
				  table->items);
}

static void
list_steps(Refresh *refresh, const DbvcAdopted *adopted)
{
	refresh->table = dbvc_table_adopted(adopted);
	refresh->old = NIL;
	refresh->added = NIL;
	refresh->renamed = false;
	check_dropped(refresh);
	dbvc_reshape_refuse(refresh->reshape,
						psprintf("adopted table %s cannot be refreshed",
								 refresh->table->face));
	if (compare_columns(refresh, adopted))
	{
		change_in_place(refresh);
		carry_defaults(refresh);
	}
	else
		make_anew(refresh);
	dbvc_grants_new_columns(refresh->reshape, refresh->table, refresh->added);
	dbvc_grants_to_base(refresh->reshape, refresh->table, refresh->face,
						refresh->renamed || refresh->drop != NIL);
	dbvc_grants_base(refresh->reshape, refresh->table);
	dbvc_grants_tell_extra(refresh->reshape, refresh->table, refresh->face,
						   false);
	derive_items(refresh);
	tell_problems(refresh);
}

static void
lock_all(Refresh *refresh)
{
	LOCKMODE mode = refresh->dry_run ? AccessShareLock : AccessExclusiveLock;

	if (!refresh->dry_run && refresh->drop != NIL)
		dbvc_dependents_lock(refresh->face, 0);
	LockRelationOid(refresh->face, mode);
	LockRelationOid(refresh->base, mode);
	LockRelationOid(refresh->items, mode);
}

static const DbvcAdopted *
find_adopted(Refresh *refresh)
{
	const DbvcAdopted *adopted = dbvc_adopted_get(refresh->source, false);

	refresh->base = adopted->base;
	refresh->face = adopted->face;
	refresh->items = adopted->items;
	return adopted;
}

static void
register_face(const DbvcStep *step)
{
	DbvcOwnerScope owner;

	dbvc_owner_enter(&owner);
	if (SPI_execute(step->statement, false, 0) != SPI_OK_UPDATE ||
		SPI_processed != 1)
		elog(ERROR, "could not register the new view");
	dbvc_owner_leave(&owner);
}

static void
execute_steps(Refresh *refresh)
{
	DbvcReshape *reshape = refresh->reshape;
	const char *what =
		psprintf("adopted table %s cannot be refreshed", refresh->table->face);
	StringInfoData detail;
	int done = 0;
	ListCell *lc;

	initStringInfo(&detail);
	appendStringInfoString(&detail, "{\"table\": ");
	escape_json(&detail, refresh->table->face);
	appendStringInfoString(&detail, ", \"steps\": [");
	foreach (lc, reshape->steps)
	{
		if (lc != list_head(reshape->steps))
			appendStringInfoString(&detail, ", ");
		escape_json(&detail, ((DbvcStep *) lfirst(lc))->statement);
	}
	appendStringInfoString(&detail, "]}");
	dbvc_reshape_execute(reshape, &done, what);
	if (done < list_length(reshape->steps))
	{
		register_face(list_nth(reshape->steps, done++));
		dbvc_reshape_execute(reshape, &done, what);
	}
	CacheInvalidateRelcacheByRelid(refresh->base);
	CacheInvalidateRelcacheByRelid(refresh->items);
	CacheInvalidateRelcacheByRelid(
		get_relname_relid(refresh->table->name,
						  get_namespace_oid(refresh->table->schema, false)));
	dbvc_reshape_record("document_refreshed", refresh->caller, detail.data);
}

static void
refresh_work(void *arg)
{
	Refresh *refresh = arg;

	refresh->reshape = palloc0(sizeof(DbvcReshape));
	(void) find_adopted(refresh);
	dbvc_reshape_check_owner(refresh->base);
	dbvc_reshape_check_owner(refresh->face);
	dbvc_reshape_check_owner(refresh->items);
	lock_all(refresh);
	list_steps(refresh, find_adopted(refresh));
	dbvc_reshape_refuse(refresh->reshape,
						psprintf("adopted table %s cannot be refreshed",
								 refresh->table->face));
	if (!refresh->dry_run)
		execute_steps(refresh);
	dbvc_reshape_tell(refresh->reshape);
}

PG_FUNCTION_INFO_V1(dbvc_document_refresh);
Datum
dbvc_document_refresh(PG_FUNCTION_ARGS)
{
	Refresh refresh = {0};
	DbvcLockArguments lock;
	int level;

	dbvc_reshape_need(fcinfo, 0, "source");
	refresh.source = PG_GETARG_OID(0);
	refresh.caller = GetUserId();
	refresh.drop = dbvc_reshape_names(fcinfo, 1, "drop_columns");
	refresh.dry_run = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	dbvc_reshape_lock_arguments(fcinfo, 3, &lock);
	SPI_connect();
	level = dbvc_reshape_enter(lock.timeout);
	dbvc_reshape_attempt(refresh_work, &refresh, lock.attempts);
	dbvc_reshape_leave(level);
	dbvc_reshape_return(fcinfo, refresh.reshape);
	SPI_finish();
	return (Datum) 0;
}
