/*
 * adopt_source.c
 *		The table to be adopted: what it is, and whether it can be.
 */
#include "document/reshape.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

static char *
quoted_or_null(const char *literal)
{
	return literal == NULL ? NULL : quote_literal_cstr(literal);
}

static void
read_columns(DbvcTable *table)
{
	List *rows = dbvc_reshape_rows(
		"SELECT a.attnum, a.attname, "
		"pg_catalog.format_type(a.atttypid, a.atttypmod), "
		"CASE WHEN a.attcollation <> t.typcollation THEN "
		"(SELECT pg_catalog.quote_ident(n.nspname) || '.' || "
		"pg_catalog.quote_ident(o.collname) FROM pg_catalog.pg_collation o "
		"JOIN pg_catalog.pg_namespace n ON n.oid = o.collnamespace "
		"WHERE o.oid = a.attcollation) END, "
		"pg_catalog.pg_get_expr(d.adbin, d.adrelid), "
		"pg_catalog.col_description(a.attrelid, a.attnum), "
		"a.atttypid, a.attnotnull, a.attgenerated <> '', a.attidentity <> '' "
		"FROM pg_catalog.pg_attribute a "
		"JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
		"LEFT JOIN pg_catalog.pg_attrdef d "
		"ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
		"WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped "
		"ORDER BY a.attnum",
		table->oid, NULL, 0);
	ListCell *lc;

	foreach (lc, rows)
	{
		char **row = lfirst(lc);
		DbvcColumn *column = palloc0(sizeof(DbvcColumn));

		column->number = atoi(row[0]);
		column->name = row[1];
		column->quoted = quote_identifier(row[1]);
		column->type = row[2];
		column->collation = row[3];
		column->generated = dbvc_reshape_true(row[8]);
		column->fallback = column->generated ? NULL : row[4];
		column->comment = quoted_or_null(row[5]);
		column->type_oid = strtoul(row[6], NULL, 10);
		column->not_null = dbvc_reshape_true(row[7]);
		column->identity = dbvc_reshape_true(row[9]);
		table->columns = lappend(table->columns, column);
	}
}

DbvcTable *
dbvc_table_read(Oid oid)
{
	List *rows = dbvc_reshape_rows(
		"SELECT n.nspname, c.relname, c.relowner, "
		"pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)), "
		"c.relkind, c.relpersistence, c.relrowsecurity, "
		"c.relforcerowsecurity, "
		"pg_catalog.obj_description(c.oid, 'pg_class') "
		"FROM pg_catalog.pg_class c "
		"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
		"WHERE c.oid = $1",
		oid, NULL, 0);
	DbvcTable *table;
	char **row;

	if (rows == NIL)
		return NULL;
	row = linitial(rows);
	table = palloc0(sizeof(DbvcTable));
	table->oid = oid;
	table->schema = row[0];
	table->name = row[1];
	table->face = dbvc_qualified(row[0], row[1]);
	table->owner = strtoul(row[2], NULL, 10);
	table->owner_name = row[3];
	table->kind = row[4][0];
	table->persistence = row[5][0];
	table->row_security = dbvc_reshape_true(row[6]);
	table->force_row_security = dbvc_reshape_true(row[7]);
	table->comment = quoted_or_null(row[8]);
	table->version = DBVC_BASE_VERSION;
	read_columns(table);
	return table;
}

DbvcColumn *
dbvc_table_column(const DbvcTable *table, const char *name)
{
	ListCell *lc;

	foreach (lc, table->columns)
	{
		DbvcColumn *column = lfirst(lc);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

/* ------------------------------------------------------------------- key */

static bool
is_items_column(const char *name)
{
	static const char *const names[] = {
		DBVC_ITEMS_TYPE,	DBVC_ITEMS_ID,		DBVC_ITEMS_ORD,
		DBVC_ITEMS_DATA,	DBVC_ITEMS_VERSION, DBVC_ITEMS_CREATED,
		DBVC_ITEMS_UPDATED, DBVC_ITEMS_DELETED};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static bool
is_key_name(const DbvcTable *table, const char *name)
{
	ListCell *lc;

	foreach (lc, table->key)
	{
		if (strcmp(((DbvcColumn *) lfirst(lc))->name, name) == 0)
			return true;
	}
	return false;
}

/* Same name as in the base, unless the items table has such a column. */
static void
name_key_columns(DbvcTable *table)
{
	ListCell *lc;

	foreach (lc, table->key)
	{
		DbvcColumn *column = lfirst(lc);
		const char *name = column->name;

		while (is_items_column(name) ||
			   (name != column->name && is_key_name(table, name)))
		{
			char *longer = psprintf("key_%s", name);

			if (strlen(longer) >= NAMEDATALEN)
				longer[pg_mbcliplen(longer, strlen(longer), NAMEDATALEN - 1)] =
					'\0';
			name = longer;
		}
		column->items_name = name;
	}
}

/* Exactly these columns, at once and without a condition. */
static bool
has_unique_index(const DbvcTable *table)
{
	StringInfoData numbers;
	ListCell *lc;

	initStringInfo(&numbers);
	appendStringInfoChar(&numbers, '{');
	foreach (lc, table->key)
		appendStringInfo(&numbers, "%s%d",
						 lc == list_head(table->key) ? "" : ",",
						 ((DbvcColumn *) lfirst(lc))->number);
	appendStringInfoChar(&numbers, '}');
	return dbvc_reshape_value(
			   "SELECT 1 FROM pg_catalog.pg_index i "
			   "WHERE i.indrelid = $1 AND i.indisunique AND i.indimmediate "
			   "AND i.indisvalid AND i.indpred IS NULL "
			   "AND i.indexprs IS NULL AND ARRAY("
			   "SELECT k.n::pg_catalog.int4 FROM "
			   "pg_catalog.unnest(i.indkey::pg_catalog.int2[]) "
			   "WITH ORDINALITY k (n, place) WHERE k.place <= i.indnkeyatts "
			   "ORDER BY 1) OPERATOR(pg_catalog.=) ARRAY(SELECT k.n FROM "
			   "pg_catalog.unnest($2::pg_catalog.int4[]) k (n) ORDER BY 1)",
			   table->oid, numbers.data, 0) != NULL;
}

/* clang-format off */
static const char *const equality_sql =
	"SELECT 'OPERATOR(' || pg_catalog.quote_ident(n.nspname) || '.' || o.oprname || ')' "
	"FROM pg_catalog.pg_index i, "
	"ROWS FROM (pg_catalog.unnest(i.indkey::pg_catalog.int2[]), pg_catalog.unnest(i.indclass::pg_catalog.oid[])) "
	"  k (number, class), "
	"pg_catalog.pg_opclass c, pg_catalog.pg_amop a, pg_catalog.pg_operator o, pg_catalog.pg_namespace n "
	"WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND k.number = $3 AND c.oid = k.class "
	"AND a.amopfamily = c.opcfamily AND a.amopstrategy = 3 AND a.amoplefttype = c.opcintype "
	"AND a.amoprighttype = c.opcintype AND o.oid = a.amopopr AND n.oid = o.oprnamespace "
	"ORDER BY i.indisprimary DESC LIMIT 1";
/* clang-format on */

static void
find_equalities(DbvcTable *table)
{
	ListCell *lc;

	foreach (lc, table->key)
	{
		DbvcColumn *column = lfirst(lc);
		char *equal =
			dbvc_reshape_value(equality_sql, table->oid, NULL, column->number);

		column->equal = equal != NULL ? equal : "OPERATOR(pg_catalog.=)";
	}
}

static List *
primary_key(const DbvcTable *table)
{
	List *rows = dbvc_reshape_rows(
		"SELECT a.attname FROM pg_catalog.pg_index i, "
		"pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k (n, "
		"place), pg_catalog.pg_attribute a WHERE i.indrelid = $1 AND "
		"i.indisprimary AND i.indimmediate AND a.attrelid = i.indrelid AND "
		"a.attnum = k.n AND k.place <= i.indnkeyatts ORDER BY k.place",
		table->oid, NULL, 0);
	List *names = NIL;
	ListCell *lc;

	foreach (lc, rows)
		names = lappend(names, ((char **) lfirst(lc))[0]);
	return names;
}

static void
add_key_column(DbvcReshape *reshape, DbvcTable *table, const char *name)
{
	DbvcColumn *column = dbvc_table_column(table, name);

	if (column == NULL)
		dbvc_problem(reshape, ERRCODE_UNDEFINED_COLUMN,
					 "column \"%s\" of the key does not exist", name);
	else if (is_key_name(table, name))
		dbvc_problem(reshape, ERRCODE_DUPLICATE_COLUMN,
					 "column \"%s\" stands twice in the key", name);
	else
	{
		if (!column->not_null)
			dbvc_problem(reshape, ERRCODE_INVALID_TABLE_DEFINITION,
						 "column \"%s\" of the key is not declared NOT NULL",
						 name);
		table->key = lappend(table->key, column);
	}
}

void
dbvc_table_find_key(DbvcReshape *reshape, DbvcTable *table, const List *names)
{
	bool given = names != NIL;
	ListCell *lc;

	if (!given)
		names = primary_key(table);
	if (names == NIL)
	{
		dbvc_problem(reshape, ERRCODE_INVALID_TABLE_DEFINITION,
					 "it has no primary key, and no key was given: columns "
					 "that are NOT NULL and have a unique index");
		return;
	}
	foreach (lc, names)
		add_key_column(reshape, table, lfirst(lc));
	if (list_length(names) > DBVC_KEY_MAX)
		dbvc_problem(reshape, ERRCODE_TOO_MANY_COLUMNS,
					 "the key has %d columns, at most %d are supported",
					 list_length(names), DBVC_KEY_MAX);
	if (given && list_length(table->key) == list_length(names) &&
		!has_unique_index(table))
		dbvc_problem(reshape, ERRCODE_INVALID_FOREIGN_KEY,
					 "the key's columns have no unique index of their own "
					 "that is valid, not deferrable and without a condition");
	name_key_columns(table);
	find_equalities(table);
}

/* ---------------------------------------------------------------- checks */

/* What the relation is, apart from its columns. */
static void
check_kind(DbvcReshape *reshape, const DbvcTable *table)
{
	static const struct
	{
		const char *sql;
		int sqlstate;
		const char *text;
	} checks[] = {
		{"SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = $1 AND "
		 "c.relpersistence = 't'",
		 ERRCODE_WRONG_OBJECT_TYPE, "it is a temporary table"},
		{"SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = $1 AND "
		 "c.reloftype <> 0",
		 ERRCODE_WRONG_OBJECT_TYPE, "it is a typed table"},
		{"SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
		 "ON n.oid = c.relnamespace WHERE c.oid = $1 AND (c.oid < 16384 OR "
		 "n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast', "
		 "'dbvc'))",
		 ERRCODE_WRONG_OBJECT_TYPE, "it is a table of the system"},
		{"SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = "
		 "'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = $1 AND "
		 "d.deptype IN ('e', 'x')",
		 ERRCODE_WRONG_OBJECT_TYPE, "it belongs to an extension"},
		{"SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = $1 AND "
		 "c.relispartition",
		 ERRCODE_WRONG_OBJECT_TYPE,
		 "it is a partition; adopt the partitioned table"},
		{"SELECT 1 FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c "
		 "ON c.oid = i.inhrelid WHERE i.inhrelid = $1 AND "
		 "NOT c.relispartition",
		 ERRCODE_WRONG_OBJECT_TYPE, "it inherits from another table"},
		{"SELECT 1 FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c "
		 "ON c.oid = i.inhparent WHERE i.inhparent = $1 AND "
		 "c.relkind <> 'p'",
		 ERRCODE_WRONG_OBJECT_TYPE, "other tables inherit from it"},
		{"SELECT 1 FROM pg_catalog.pg_partition_tree($1) t JOIN "
		 "pg_catalog.pg_class c ON c.oid = t.relid WHERE c.relkind = 'f'",
		 ERRCODE_WRONG_OBJECT_TYPE,
		 "one of its partitions is a foreign table"},
		{"SELECT 1 FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid IN "
		 "(SELECT t.relid FROM pg_catalog.pg_partition_tree($1) t "
		 "UNION SELECT $1)",
		 ERRCODE_OBJECT_IN_USE, "it is the target of a subscription"},
	};

	for (int i = 0; i < lengthof(checks); i++)
	{
		if (dbvc_reshape_value(checks[i].sql, table->oid, NULL, 0) != NULL)
			dbvc_problem(reshape, checks[i].sqlstate, "%s", checks[i].text);
	}
}

static void
check_document(DbvcReshape *reshape, const DbvcTable *table)
{
	const DbvcColumn *doc = table->doc;
	ListCell *lc;

	if (doc->type_oid != JSONBOID)
		dbvc_problem(reshape, ERRCODE_WRONG_OBJECT_TYPE,
					 "column %s is of type %s, not jsonb", doc->quoted,
					 doc->type);
	if (doc->generated)
		dbvc_problem(reshape, ERRCODE_WRONG_OBJECT_TYPE,
					 "column %s is generated", doc->quoted);
	foreach (lc, table->key)
	{
		if (lfirst(lc) == doc)
			dbvc_problem(reshape, ERRCODE_INVALID_PARAMETER_VALUE,
						 "column %s is the document and part of the key",
						 doc->quoted);
	}
	if (dbvc_table_column(table, DBVC_BASE_VERSION) != NULL)
		dbvc_problem(reshape, ERRCODE_DUPLICATE_COLUMN,
					 "it has a column \"%s\", which dbvc adds",
					 DBVC_BASE_VERSION);
}

/* Names of relations and of types, which share a schema. */
static void
check_name(DbvcReshape *reshape, const DbvcTable *table, const char *name)
{
	List *rows = dbvc_reshape_rows(
		"SELECT pg_catalog.pg_describe_object(c.tableoid, c.oid, 0) FROM "
		"pg_catalog.pg_class c WHERE c.relnamespace = (SELECT t.relnamespace "
		"FROM pg_catalog.pg_class t WHERE t.oid = $1) AND c.relname = $2 "
		"UNION ALL SELECT pg_catalog.pg_describe_object(y.tableoid, y.oid, 0) "
		"FROM pg_catalog.pg_type y WHERE y.typnamespace = (SELECT "
		"t.relnamespace FROM pg_catalog.pg_class t WHERE t.oid = $1) AND "
		"y.typname = $2 AND y.typrelid = 0 AND y.typelem = 0",
		table->oid, name, 0);

	if (rows != NIL)
		dbvc_problem(reshape, ERRCODE_DUPLICATE_TABLE,
					 "the name \"%s\" is taken in schema \"%s\" by %s", name,
					 table->schema, ((char **) linitial(rows))[0]);
}

static void
check_names(DbvcReshape *reshape, const DbvcTable *table)
{
	if (strcmp(table->base_name, table->items_name) == 0 ||
		strcmp(table->base_name, table->name) == 0 ||
		strcmp(table->items_name, table->name) == 0)
	{
		dbvc_problem(reshape, ERRCODE_DUPLICATE_TABLE,
					 "base \"%s\", items \"%s\" and the view \"%s\" must have "
					 "different names",
					 table->base_name, table->items_name, table->name);
		return;
	}
	check_name(reshape, table, table->base_name);
	check_name(reshape, table, table->items_name);
	check_name(reshape, table,
			   makeObjectName(table->items_name, NULL, "pkey"));
	check_name(reshape, table,
			   makeObjectName(table->items_name, "type", "idx"));
}

static void
check_triggers(DbvcReshape *reshape, const DbvcTable *table, bool reviewed)
{
	List *rows = dbvc_reshape_rows(
		"SELECT pg_catalog.quote_ident(g.tgname), "
		"g.tgrelid::pg_catalog.regclass FROM pg_catalog.pg_trigger g WHERE "
		"g.tgrelid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree($1) t "
		"UNION SELECT $1) AND NOT g.tgisinternal AND g.tgparentid = 0 "
		"ORDER BY 2, 1",
		table->oid, NULL, 0);
	ListCell *lc;

	foreach (lc, rows)
	{
		char **row = lfirst(lc);

		if (reviewed)
			dbvc_step_none(reshape,
						   "trigger %s stays on the base and sees slim "
						   "documents",
						   row[0]);
		else
			dbvc_problem(reshape, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						 "trigger %s of %s stays on the base and would see "
						 "slim documents: review it, then give options => "
						 "'{\"triggers_reviewed\": true}'",
						 row[0], row[1]);
	}
}

/* A rule would fire for what dbvc writes; nobody could tell what it means. */
static void
check_rules(DbvcReshape *reshape, const DbvcTable *table)
{
	List *rows = dbvc_reshape_rows(
		"SELECT pg_catalog.quote_ident(r.rulename) FROM pg_catalog.pg_rewrite "
		"r WHERE r.ev_class = $1 ORDER BY 1",
		table->oid, NULL, 0);
	ListCell *lc;

	foreach (lc, rows)
		dbvc_problem(reshape, ERRCODE_WRONG_OBJECT_TYPE, "it has a rule %s",
					 ((char **) lfirst(lc))[0]);
}

/* What would fail in the middle otherwise. */
static void
check_rights(DbvcReshape *reshape, const DbvcTable *table)
{
	List *rows = dbvc_reshape_rows(
		"SELECT 'CREATE on schema ' || pg_catalog.quote_ident(n.nspname) FROM "
		"pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
		"c.relnamespace WHERE c.oid = $1 AND NOT "
		"pg_catalog.has_schema_privilege(n.oid, 'CREATE') UNION ALL "
		"SELECT 'EXECUTE on function ' || p.oid::pg_catalog.regprocedure FROM "
		"pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = "
		"p.pronamespace WHERE n.nspname = 'dbvc' AND p.proname IN "
		"('document_read', 'document_face_trigger', 'document_base_trigger', "
		"'document_items_trigger') AND NOT "
		"pg_catalog.has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1",
		table->oid, NULL, 0);
	ListCell *lc;

	foreach (lc, rows)
		dbvc_problem(reshape, ERRCODE_INSUFFICIENT_PRIVILEGE,
					 "whoever adopts it needs %s", ((char **) lfirst(lc))[0]);
}

void
dbvc_table_check(DbvcReshape *reshape, DbvcTable *table,
				 bool triggers_reviewed)
{
	check_kind(reshape, table);
	check_rights(reshape, table);
	check_document(reshape, table);
	check_names(reshape, table);
	check_rules(reshape, table);
	check_triggers(reshape, table, triggers_reviewed);
}
