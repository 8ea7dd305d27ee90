/*
 * dependents.c
 *		What depends on a table, and makes it see the one in its place.
 *
 * A view, a function with a parsed body and a policy hold the table by OID and
 * go on reading it under its new name.  That is right as long as they do not
 * look at the document: they stay where they are, as foreign keys do.  The
 * others are run again from their text, which PostgreSQL deparses before the
 * names change: CREATE OR REPLACE and ALTER POLICY keep what they are (OID,
 * owner, grants, comments, their own dependents) and find the new bearer of
 * the name.
 */
#include "document/reshape.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "nodes/pg_list.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* clang-format off */

#define CLASS(name) "'pg_catalog." name "'::pg_catalog.regclass"

/* Does an object of a catalog depend on the relation? */
#define DEPENDS(catalog, object) \
	"EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE " \
	"d.classid = " CLASS(catalog) " AND d.objid = " object " AND " \
	"d.refclassid = " CLASS("pg_class") " AND d.refobjid = $1)"

/* ... on the document, or on any of it if no document is given? */
#define SEES_DOCUMENT(catalog, object) \
	"($3 = 0 OR EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE " \
	"d.classid = " CLASS(catalog) " AND d.objid = " object " AND " \
	"d.refclassid = " CLASS("pg_class") " AND d.refobjid = $1 AND " \
	"d.refobjsubid = $3))"

static const char *const views_sql =
	"SELECT c.oid, c.relkind, "
	"pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), "
	"pg_catalog.pg_has_role(c.relowner, 'USAGE'), "
	SEES_DOCUMENT("pg_rewrite", "r.oid") ", "
	"EXISTS (SELECT 1 FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_constraint k ON k.oid = d.refobjid "
	"  WHERE d.classid = " CLASS("pg_rewrite") " AND d.objid = r.oid AND d.refclassid = " CLASS("pg_constraint")
	"  AND k.conrelid = $1), "
	"r.ev_action::pg_catalog.text, "
	"CASE WHEN c.relkind IN ('v', 'm') AND r.rulename = '_RETURN' THEN pg_catalog.pg_get_viewdef(c.oid) "
	"  ELSE pg_catalog.pg_get_ruledef(r.oid) END, "
	"(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(o.option_name) || ' = ' || "
	"  pg_catalog.quote_literal(o.option_value), ', ') FROM pg_catalog.pg_options_to_table(c.reloptions) o), "
	"c.relpersistence = 't', "
	"EXISTS (SELECT 1 FROM pg_catalog.pg_options_to_table(c.reloptions) o "
	"  WHERE o.option_name = 'security_invoker' AND o.option_value::pg_catalog.bool), "
	"CASE WHEN c.relkind IN ('v', 'm') AND r.rulename = '_RETURN' THEN NULL "
	"  ELSE pg_catalog.quote_ident(r.rulename) END "
	"FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class "
	"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
	"WHERE r.ev_class <> $1 AND " DEPENDS("pg_rewrite", "r.oid") " ORDER BY c.oid, r.oid";

static const char *const functions_sql =
	"SELECT CASE p.prokind WHEN 'p' THEN 'procedure ' ELSE 'function ' END || p.oid::pg_catalog.regprocedure, "
	"pg_catalog.pg_has_role(p.proowner, 'USAGE'), "
	SEES_DOCUMENT("pg_proc", "p.oid") ", "
	"p.prosqlbody::pg_catalog.text, pg_catalog.pg_get_functiondef(p.oid) "
	"FROM pg_catalog.pg_proc p "
	"WHERE p.prosqlbody IS NOT NULL AND " DEPENDS("pg_proc", "p.oid") " ORDER BY p.oid";

static const char *const policies_sql =
	"SELECT 'policy ' || pg_catalog.quote_ident(p.polname) || ' of ' || p.polrelid::pg_catalog.regclass, "
	"pg_catalog.pg_has_role(c.relowner, 'USAGE'), "
	SEES_DOCUMENT("pg_policy", "p.oid") ", "
	"p.polqual::pg_catalog.text, p.polwithcheck::pg_catalog.text, "
	"pg_catalog.quote_ident(p.polname), p.polrelid::pg_catalog.regclass, "
	"pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) "
	"FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid "
	"WHERE p.polrelid <> $1 AND " DEPENDS("pg_policy", "p.oid") " ORDER BY p.oid";

/* The type of a table's rows is renamed with it, and has doc_version. */
static const char *const row_types_sql =
	"SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) "
	"FROM pg_catalog.pg_type t JOIN pg_catalog.pg_depend d ON d.refobjid IN (t.oid, t.typarray) "
	"WHERE t.typrelid = $1 AND d.refclassid = " CLASS("pg_type") " AND d.deptype <> 'i' ORDER BY 1";

/* What nobody has thought of must not read slim documents unnoticed. */
static const char *const unknown_sql =
	"SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_catalog.pg_depend d "
	"WHERE d.refclassid = " CLASS("pg_class") " AND d.refobjid = $1 AND d.deptype = 'n' AND d.classid NOT IN ("
	CLASS("pg_rewrite") ", " CLASS("pg_proc") ", " CLASS("pg_policy") ", " CLASS("pg_constraint") ", "
	CLASS("pg_trigger") ", " CLASS("pg_class") ", " CLASS("pg_statistic_ext") ", " CLASS("pg_attrdef") ", "
	CLASS("pg_publication_rel") ") ORDER BY 1";

/*
 * A plain view reads its tables with its owner's privileges, and so it read
 * the table.  The face reads the base with those of whoever asks, also through
 * such a view: who may read the view must be allowed to read the table, or
 * would be refused from now on.  $1 is the view, $3 the table.
 */
static const char *const readers_sql =
	"WITH RECURSIVE up AS (SELECT $1 AS oid UNION SELECT r.ev_class FROM up "
	"  JOIN pg_catalog.pg_depend d ON d.refclassid = " CLASS("pg_class") " AND d.refobjid = up.oid "
	"  AND d.classid = " CLASS("pg_rewrite") " JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid), "
	"reader AS (SELECT c.oid, c.relowner AS role, 'SELECT' AS privilege FROM up "
	"    JOIN pg_catalog.pg_class c ON c.oid = up.oid "
	"  UNION SELECT c.oid, x.grantee, x.privilege_type FROM up "
	"    JOIN pg_catalog.pg_class c ON c.oid = up.oid, pg_catalog.aclexplode(c.relacl) x "
	"  UNION SELECT a.attrelid, x.grantee, x.privilege_type FROM up "
	"    JOIN pg_catalog.pg_attribute a ON a.attrelid = up.oid, pg_catalog.aclexplode(a.attacl) x), "
	"t AS (SELECT c.oid, c.relrowsecurity, v.relowner FROM pg_catalog.pg_class c, pg_catalog.pg_class v "
	"  WHERE c.oid = $3::pg_catalog.oid AND v.oid = $1) "
	"SELECT DISTINCT CASE r.role WHEN 0 THEN 'PUBLIC' "
	"  ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r.role)) END, r.privilege "
	"FROM reader r, t WHERE CASE r.privilege "
	"WHEN 'SELECT' THEN (t.relrowsecurity AND r.role <> t.relowner) OR EXISTS (SELECT 1 "
	"  FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped "
	"  AND NOT pg_catalog.has_column_privilege(r.role, t.oid, a.attnum, 'SELECT')) "
	"WHEN 'INSERT' THEN pg_catalog.pg_relation_is_updatable(r.oid, true) & 8 <> 0 "
	"  AND NOT pg_catalog.has_any_column_privilege(r.role, t.oid, 'INSERT') "
	"WHEN 'UPDATE' THEN pg_catalog.pg_relation_is_updatable(r.oid, true) & 4 <> 0 "
	"  AND NOT pg_catalog.has_any_column_privilege(r.role, t.oid, 'UPDATE') "
	"WHEN 'DELETE' THEN pg_catalog.pg_relation_is_updatable(r.oid, true) & 16 <> 0 "
	"  AND NOT pg_catalog.has_table_privilege(r.role, t.oid, 'DELETE') "
	"ELSE false END ORDER BY 1, 2";

/* A rule acts with its table's owner's privileges, and who knows how: $1 is that table. */
static const char *const rule_users_sql =
	"SELECT DISTINCT CASE r.role WHEN 0 THEN 'PUBLIC' "
	"  ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r.role)) END, 'act' "
	"FROM (SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = $1 "
	"  UNION SELECT x.grantee FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) x "
	"    WHERE c.oid = $1 AND x.privilege_type = ANY ($2::pg_catalog.text[]) "
	"  UNION SELECT x.grantee FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) x "
	"    WHERE a.attrelid = $1 AND x.privilege_type = ANY ($2::pg_catalog.text[])) r (role), "
	"(VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) p (privilege) "
	"WHERE NOT pg_catalog.has_table_privilege(r.role, $3::pg_catalog.oid, p.privilege) ORDER BY 1";

static const char *const lock_sql =
	"SELECT c.oid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class "
	"WHERE r.ev_class <> $1 AND c.relkind = 'v' AND pg_catalog.pg_has_role(c.relowner, 'USAGE') AND "
	SEES_DOCUMENT("pg_rewrite", "r.oid") " AND " DEPENDS("pg_rewrite", "r.oid") " ORDER BY c.oid DESC";

/* clang-format on */

typedef struct Search
{
	DbvcReshape *reshape; /* problems and notes */
	DbvcReshape found;	  /* steps */
	Oid relation;
	AttrNumber document;
} Search;

static List *
rows_of(const Search *search, const char *sql)
{
	return dbvc_reshape_rows(sql, search->relation, NULL, search->document);
}

/*
 * Must it be re-pointed?  Also when it takes a whole row, of the table or of a
 * join, which the catalogs do not note as a use of the column.
 */
static bool
must_follow(const Search *search, const char *sees, const char *tree,
			const char *name)
{
	int uses = dbvc_expression_uses(tree, search->relation, search->document);

	if (!dbvc_reshape_true(sees) &&
		(uses & (DBVC_USES_WHOLE_ROW | DBVC_USES_DOCUMENT)) == 0)
		return false;
	if (search->document != 0 && (uses & DBVC_USES_SYSTEM_COLUMN) != 0)
		dbvc_problem(search->reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
					 "%s uses the document and a system column, which views "
					 "do not have",
					 name);
	if (search->document != 0 && (uses & DBVC_USES_SAMPLE) != 0)
		dbvc_problem(search->reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
					 "%s uses the document with TABLESAMPLE, which views do "
					 "not have",
					 name);
	return true;
}

static bool
may_replace(const Search *search, const char *owned, const char *name)
{
	if (dbvc_reshape_true(owned))
		return true;
	dbvc_problem(search->reshape, ERRCODE_INSUFFICIENT_PRIVILEGE,
				 "%s must be re-pointed by its owner", name);
	return false;
}

static void
add_step(Search *search, const char *name, const char *statement)
{
	dbvc_step_dependent(&search->found, name, statement);
}

static void
stays(const Search *search, const char *name)
{
	if (search->document != 0)
		dbvc_step_none(search->reshape,
					   "%s does not use the document and stays on the base",
					   name);
}

/* ----------------------------------------------------------------- views */

enum
{
	VIEW_OID,
	VIEW_KIND,
	VIEW_NAME,
	VIEW_OWNED,
	VIEW_SEES,
	VIEW_GROUPS,
	VIEW_TREE,
	VIEW_TEXT,
	VIEW_OPTIONS,
	VIEW_TEMPORARY,
	VIEW_INVOKER,
	VIEW_RULE,
};

static void
check_readers(const Search *search, const char *name, char **row)
{
	Oid view = strtoul(row[VIEW_OID], NULL, 10);
	List *rows =
		row[VIEW_RULE] != NULL
			? dbvc_reshape_rows(rule_users_sql, view, "{INSERT,UPDATE,DELETE}",
								(int) search->relation)
			: dbvc_reshape_rows(readers_sql, view, NULL,
								(int) search->relation);
	ListCell *lc;

	foreach (lc, rows)
	{
		char **reader = lfirst(lc);

		dbvc_problem(search->reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
					 "%s lets role %s %s with the privileges of its owner; "
					 "documents are read and written with those of the role: "
					 "%s",
					 name, reader[0], reader[1],
					 row[VIEW_RULE] != NULL
						 ? "grant it SELECT, INSERT, UPDATE, DELETE on the "
						   "table"
						 : psprintf("grant it %s on the table, or set "
									"security_invoker on the view",
									reader[1]));
	}
}

static void
replace_view(Search *search, char **row, const char *name)
{
	char *text = row[VIEW_TEXT];
	int len = strlen(text);

	if (len > 0 && text[len - 1] == ';')
		text[len - 1] = '\0';
	add_step(search, name,
			 psprintf("CREATE OR REPLACE VIEW %s%s%s%s AS%s", row[VIEW_NAME],
					  row[VIEW_OPTIONS] ? " WITH (" : "",
					  row[VIEW_OPTIONS] ? row[VIEW_OPTIONS] : "",
					  row[VIEW_OPTIONS] ? ")" : "", text));
}

static void
replace_rule(Search *search, char **row, const char *name)
{
	const char *create = "CREATE RULE";

	if (strncmp(row[VIEW_TEXT], create, strlen(create)) != 0)
		elog(ERROR, "unexpected definition of %s", name);
	add_step(search, name,
			 psprintf("CREATE OR REPLACE RULE%s",
					  row[VIEW_TEXT] + strlen(create)));
}

static char *
view_text(char **row)
{
	const char *kind =
		row[VIEW_KIND][0] == RELKIND_MATVIEW ? "materialized view" : "view";

	return row[VIEW_RULE] != NULL
			   ? psprintf("rule %s on %s", row[VIEW_RULE], row[VIEW_NAME])
			   : psprintf("%s %s", kind, row[VIEW_NAME]);
}

static void
find_view(Search *search, char **row)
{
	char *name = view_text(row);

	if (!must_follow(search, row[VIEW_SEES], row[VIEW_TREE], name))
	{
		stays(search, name);
		return;
	}
	if (row[VIEW_KIND][0] == RELKIND_MATVIEW)
		dbvc_problem(search->reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
					 "%s uses the document and cannot be re-pointed: drop it "
					 "and create it again afterwards",
					 name);
	else if (dbvc_reshape_true(row[VIEW_TEMPORARY]))
		dbvc_problem(search->reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
					 "%s uses the document and is temporary", name);
	else if (search->document != 0 && dbvc_reshape_true(row[VIEW_GROUPS]))
		dbvc_problem(search->reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
					 "%s groups by the primary key, which a view does not "
					 "have: name all columns in its GROUP BY",
					 name);
	else if (may_replace(search, row[VIEW_OWNED], name))
	{
		if (search->document != 0 && !dbvc_reshape_true(row[VIEW_INVOKER]))
			check_readers(search, name, row);
		if (row[VIEW_RULE] != NULL)
			replace_rule(search, row, name);
		else
			replace_view(search, row, name);
	}
}

/* ------------------------------------------------- functions and policies */

static void
find_function(Search *search, char **row)
{
	if (!must_follow(search, row[2], row[3], row[0]))
		stays(search, row[0]);
	else if (may_replace(search, row[1], row[0]))
		add_step(search, row[0], row[4]);
}

static void
find_policy(Search *search, char **row)
{
	bool check = must_follow(search, "f", row[4], row[0]);

	if (!must_follow(search, row[2], row[3], row[0]) && !check)
		stays(search, row[0]);
	else if (may_replace(search, row[1], row[0]))
		add_step(search, row[0],
				 psprintf("ALTER POLICY %s ON %s%s%s%s%s%s%s", row[5], row[6],
						  row[7] ? " USING (" : "", row[7] ? row[7] : "",
						  row[7] ? ")" : "", row[8] ? " WITH CHECK (" : "",
						  row[8] ? row[8] : "", row[8] ? ")" : ""));
}

/* ------------------------------------------------------------- the others */

static void
refuse_row_types(Search *search)
{
	ListCell *lc;

	foreach (lc, rows_of(search, row_types_sql))
		dbvc_problem(search->reshape, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
					 "%s uses the type of its rows",
					 ((char **) lfirst(lc))[0]);
}

static void
refuse_unknown(Search *search)
{
	ListCell *lc;

	foreach (lc, rows_of(search, unknown_sql))
		dbvc_problem(search->reshape, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
					 "%s depends on it in a way that is not known",
					 ((char **) lfirst(lc))[0]);
}

/* Nothing takes the place of a partition, and it holds slim documents. */
static void
refuse_partition(const Search *search, const char *sees, const char *tree,
				 const char *name)
{
	if (must_follow(search, sees, tree, name))
		dbvc_problem(search->reshape, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
					 "%s uses the document of partition %s, which will be "
					 "slim: let it use the partitioned table",
					 name, get_rel_name(search->relation));
}

static void
refuse_on_partition(Search *search)
{
	ListCell *lc;

	refuse_row_types(search);
	foreach (lc, rows_of(search, views_sql))
	{
		char **row = lfirst(lc);

		refuse_partition(search, row[VIEW_SEES], row[VIEW_TREE],
						 view_text(row));
	}
	foreach (lc, rows_of(search, functions_sql))
	{
		char **row = lfirst(lc);

		refuse_partition(search, row[2], row[3], row[0]);
	}
	foreach (lc, rows_of(search, policies_sql))
	{
		char **row = lfirst(lc);

		refuse_partition(search, row[2], row[3], row[0]);
		if (!dbvc_reshape_true(row[2]))
			refuse_partition(search, "f", row[4], row[0]);
	}
}

static void
refuse_on_partitions(const Search *search)
{
	char *document = get_attname(search->relation, search->document, false);
	ListCell *lc;

	foreach (lc, find_all_inheritors(search->relation, NoLock, NULL))
	{
		Oid partition = lfirst_oid(lc);
		Search on = {search->reshape,
					 {0},
					 partition,
					 get_attnum(partition, document)};

		if (partition != search->relation)
			refuse_on_partition(&on);
	}
}

void
dbvc_dependents_find(DbvcReshape *reshape, Oid relation, AttrNumber document,
					 List **steps)
{
	Search search = {reshape, {0}, relation, document};
	ListCell *lc;

	refuse_row_types(&search);
	foreach (lc, rows_of(&search, views_sql))
		find_view(&search, lfirst(lc));
	foreach (lc, rows_of(&search, functions_sql))
		find_function(&search, lfirst(lc));
	foreach (lc, rows_of(&search, policies_sql))
		find_policy(&search, lfirst(lc));
	refuse_unknown(&search);
	if (document != 0 &&
		get_rel_relkind(relation) == RELKIND_PARTITIONED_TABLE)
		refuse_on_partitions(&search);
	*steps = search.found.steps;
}

void
dbvc_dependents_lock(Oid relation, AttrNumber document)
{
	List *rows = dbvc_reshape_rows(lock_sql, relation, NULL, document);
	ListCell *lc;

	foreach (lc, rows)
		LockRelationOid(strtoul(((char **) lfirst(lc))[0], NULL, 10),
						AccessExclusiveLock);
}
