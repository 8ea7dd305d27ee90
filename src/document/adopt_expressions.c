/*
 * adopt_expressions.c
 *		What stays with the base and will see slim documents.
 */
#include "document/reshape.h"

#include "utils/builtins.h"

/* The table and its partitions, with the number of the document in each. */
#define RELATIONS \
	"WITH r AS (SELECT t.relid AS oid, a.attnum AS doc FROM (" \
	"SELECT $1 AS relid UNION SELECT p.relid FROM " \
	"pg_catalog.pg_partition_tree($1) p) t JOIN pg_catalog.pg_attribute a " \
	"ON a.attrelid = t.relid AND a.attname = $2) "

/* Rows: relation, column number, what it is, expression or NULL for all. */
static const char *const must_hold = RELATIONS
	"SELECT r.oid, r.doc, 'constraint ' || "
	"pg_catalog.quote_ident(k.conname) || ' of ' || "
	"r.oid::pg_catalog.regclass, k.conbin::pg_catalog.text "
	"FROM r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid "
	"WHERE k.contype = 'c' AND (k.conislocal OR r.oid = $1) "
	"UNION ALL "
	"SELECT r.oid, r.doc, 'generated column ' || "
	"pg_catalog.quote_ident(a.attname) || ' of ' || "
	"r.oid::pg_catalog.regclass, d.adbin::pg_catalog.text "
	"FROM r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid "
	"JOIN pg_catalog.pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum "
	"WHERE a.attgenerated <> '' "
	"UNION ALL "
	"SELECT r.oid, r.doc, 'policy ' || pg_catalog.quote_ident(p.polname) || "
	"' of ' || r.oid::pg_catalog.regclass, e.tree "
	"FROM r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid, "
	"LATERAL (VALUES (p.polqual::pg_catalog.text), "
	"(p.polwithcheck::pg_catalog.text)) e (tree) WHERE e.tree IS NOT NULL "
	"UNION ALL "
	"SELECT r.oid, r.doc, 'unique index ' || "
	"i.indexrelid::pg_catalog.regclass, e.tree "
	"FROM r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid, "
	"LATERAL (VALUES (i.indexprs::pg_catalog.text), "
	"(i.indpred::pg_catalog.text)) e (tree) "
	"WHERE e.tree IS NOT NULL AND (i.indisunique OR i.indisexclusion) "
	"UNION ALL "
	"SELECT r.oid, r.doc, 'unique index ' || "
	"i.indexrelid::pg_catalog.regclass, NULL "
	"FROM r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid "
	"WHERE (i.indisunique OR i.indisexclusion) AND r.doc = ANY (i.indkey) "
	"UNION ALL "
	"SELECT r.oid, r.doc, 'partition key of ' || "
	"r.oid::pg_catalog.regclass, t.partexprs::pg_catalog.text "
	"FROM r JOIN pg_catalog.pg_partitioned_table t ON t.partrelid = r.oid "
	"WHERE t.partexprs IS NOT NULL "
	"UNION ALL "
	"SELECT r.oid, r.doc, 'row filter of publication ' || "
	"pg_catalog.quote_ident(p.pubname), f.prqual::pg_catalog.text "
	"FROM r JOIN pg_catalog.pg_publication_rel f ON f.prrelid = r.oid "
	"JOIN pg_catalog.pg_publication p ON p.oid = f.prpubid "
	"WHERE f.prqual IS NOT NULL "
	"ORDER BY 3";

static const char *const may_break = RELATIONS
	"SELECT r.oid, r.doc, i.indexrelid::pg_catalog.regclass, e.tree "
	"FROM r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid, "
	"LATERAL (VALUES (i.indexprs::pg_catalog.text), "
	"(i.indpred::pg_catalog.text)) e (tree) "
	"WHERE e.tree IS NOT NULL AND NOT (i.indisunique OR i.indisexclusion) "
	"UNION ALL "
	"SELECT r.oid, r.doc, i.indexrelid::pg_catalog.regclass, NULL "
	"FROM r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid "
	"WHERE NOT (i.indisunique OR i.indisexclusion) "
	"AND r.doc = ANY (i.indkey) "
	"ORDER BY 3";

static bool
row_holds(const DbvcTable *table, char **row)
{
	return row[3] != NULL &&
		   dbvc_expression_holds(row[3], strtoul(row[0], NULL, 10),
								 atoi(row[1]), table->parts);
}

void
dbvc_expressions_check(DbvcReshape *reshape, const DbvcTable *table)
{
	ListCell *lc;

	foreach (lc, dbvc_reshape_rows(must_hold, table->oid, table->doc->name, 0))
	{
		char **row = lfirst(lc);

		if (!row_holds(table, row))
			dbvc_problem(reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
						 "%s would see slim documents and could say "
						 "something else of them",
						 row[2]);
	}
	foreach (lc, dbvc_reshape_rows(may_break, table->oid, table->doc->name, 0))
	{
		char **row = lfirst(lc);

		if (!row_holds(table, row))
			dbvc_reshape_notice(reshape,
								"index %s covers slim documents from now on: "
								"what is in items it no longer finds",
								row[2]);
	}
}

/* ----------------------------------------------------------- publications */

static void
check_publication(DbvcReshape *reshape, const DbvcTable *table, char **row,
				  List **steps)
{
	bool problem = true;

	if (dbvc_reshape_true(row[2]))
		dbvc_problem(reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
					 "publication %s has a row filter, which items cannot "
					 "have",
					 row[0]);
	else if (dbvc_reshape_true(row[3]))
		dbvc_problem(reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
					 "publication %s has a list of columns with the document "
					 "but not its version",
					 row[0]);
	else if (!dbvc_reshape_true(row[1]))
		dbvc_problem(reshape, ERRCODE_INSUFFICIENT_PRIVILEGE,
					 "publication %s must be given the items table by its "
					 "owner",
					 row[0]);
	else
		problem = false;
	if (problem)
		return;
	*steps = lappend(*steps, row[0]);
}

/*
 * The table is published under its new name.  A list of columns without the
 * document needs no items.
 */
void
dbvc_publications_check(DbvcReshape *reshape, const DbvcTable *table,
						List **steps)
{
	List *rows = dbvc_reshape_rows(
		RELATIONS
		"SELECT DISTINCT pg_catalog.quote_ident(p.pubname), "
		"pg_catalog.pg_has_role(p.pubowner, 'USAGE'), f.prqual IS NOT NULL, "
		"f.prattrs IS NOT NULL, false FROM r "
		"JOIN pg_catalog.pg_publication_rel f ON f.prrelid = r.oid "
		"JOIN pg_catalog.pg_publication p ON p.oid = f.prpubid "
		"WHERE (f.prattrs IS NULL OR r.doc = ANY (f.prattrs)) AND NOT EXISTS "
		"(SELECT 1 FROM pg_catalog.pg_publication_rel i WHERE i.prpubid = "
		"p.oid AND i.prrelid = $3::pg_catalog.oid) "
		"UNION ALL "
		"SELECT pg_catalog.quote_ident(p.pubname), true, false, false, true "
		"FROM pg_catalog.pg_publication p WHERE $3 = 0 AND (p.puballtables OR "
		"EXISTS ("
		"SELECT 1 FROM pg_catalog.pg_publication_namespace n "
		"JOIN pg_catalog.pg_class c ON c.relnamespace = n.pnnspid "
		"WHERE n.pnpubid = p.oid AND c.oid = $1)) ORDER BY 1",
		table->oid, table->doc->name, (int) table->items_oid);
	ListCell *lc;

	foreach (lc, rows)
	{
		char **row = lfirst(lc);

		if (!dbvc_reshape_true(row[4]))
			check_publication(reshape, table, row, steps);
		dbvc_reshape_warn(reshape,
						  "subscribers of publication %s need the tables %s, "
						  "with column %s, and %s",
						  row[0], table->base, DBVC_BASE_VERSION,
						  table->items);
	}
}
