/*
 * adopt_grants.c
 *		Who may do what with face, items and base.
 *
 * The face is a security_invoker view: PostgreSQL asks of whoever reads it
 * SELECT on the view's columns and on every column of the base that the view
 * names, whichever of them the query reads.  So the face gets the very grants
 * of the table, the base keeps them, and a role that may read only some
 * columns could read nothing at all: it is refused, by name.
 *
 * Grants on items follow from those on the document: who may read it may read
 * them, who may change it may change them.  UPDATE brings no SELECT: whoever
 * has the one without the other has been refused.
 */
#include "document/reshape.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

/* clang-format off */

/* Grants of the relation $1, one row a privilege; col is NULL for all.  $2: columns that do not count. */
#define ALL_GRANTS \
	"SELECT x.grantor, x.grantee, x.is_grantable, x.privilege_type AS privilege, " \
	"  NULL::pg_catalog.name AS col, 0::pg_catalog.int2 AS attnum " \
	"FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) x " \
	"WHERE c.oid = $1 AND x.grantee <> c.relowner " \
	"UNION ALL " \
	"SELECT x.grantor, x.grantee, x.is_grantable, x.privilege_type, a.attname, a.attnum " \
	"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid, " \
	"  pg_catalog.aclexplode(a.attacl) x " \
	"WHERE c.oid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> '" DBVC_BASE_VERSION "' " \
	"AND a.attname <> ALL (coalesce($2, '{}')::pg_catalog.name[]) AND x.grantee <> c.relowner"

#define ROLE_NAME(role) \
	"CASE " role " WHEN 0 THEN 'PUBLIC' " \
	"ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(" role ")) END"

static const char *const incomplete_sql =
	"WITH g AS (" ALL_GRANTS "), "
	"has AS (SELECT g.grantee, pg_catalog.string_agg(DISTINCT g.privilege, ', ') AS privileges "
	"  FROM g WHERE g.privilege IN ('SELECT', 'UPDATE', 'DELETE') GROUP BY 1) "
	"SELECT " ROLE_NAME("h.grantee") ", h.privileges, "
	"pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) "
	"FROM has h, pg_catalog.pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped "
	"AND a.attname <> '" DBVC_BASE_VERSION "' "
	"AND NOT pg_catalog.has_column_privilege(h.grantee, $1, a.attnum, 'SELECT') "
	"GROUP BY h.grantee, h.privileges ORDER BY 1";

static const char *const defaults_sql =
	"SELECT pg_catalog.string_agg(DISTINCT " ROLE_NAME("x.grantee") ", ', ') "
	"FROM pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) x "
	"WHERE d.defaclobjtype = 'r' AND x.grantee <> d.defaclrole AND d.defaclrole = (SELECT r.oid FROM pg_catalog.pg_roles r "
	"  WHERE r.rolname = CURRENT_USER) "
	"AND (d.defaclnamespace = 0 OR d.defaclnamespace = (SELECT c.relnamespace FROM pg_catalog.pg_class c "
	"  WHERE c.oid = $1))";

static const char *const owner_sql =
	"SELECT (SELECT pg_catalog.string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type) "
	"  FROM pg_catalog.aclexplode(c.relacl) x WHERE x.grantee = c.relowner AND x.grantor = c.relowner), "
	"EXISTS (SELECT x.privilege_type FROM pg_catalog.aclexplode(pg_catalog.acldefault('r', c.relowner)) x "
	"  EXCEPT SELECT x.privilege_type FROM pg_catalog.aclexplode(c.relacl) x WHERE x.grantee = c.relowner) "
	"FROM pg_catalog.pg_class c WHERE c.oid = $1 AND c.relacl IS NOT NULL";

static const char *const chain_sql =
	"WITH RECURSIVE g AS (" ALL_GRANTS "), "
	"chain AS (SELECT g.*, 0 AS depth FROM g WHERE g.grantor = (SELECT c.relowner FROM pg_catalog.pg_class c "
	"    WHERE c.oid = $1) "
	"  UNION SELECT g.*, h.depth + 1 FROM g JOIN chain h ON g.grantor = h.grantee AND h.is_grantable "
	"    AND g.privilege = h.privilege AND (h.col IS NULL OR h.col = g.col) WHERE h.depth < 20), "
	"placed AS (SELECT g.*, (SELECT pg_catalog.min(h.depth) FROM chain h "
	"    WHERE (h.grantor, h.grantee, h.privilege, h.attnum) = (g.grantor, g.grantee, g.privilege, g.attnum)) "
	"  AS depth FROM g) "
	"SELECT p.grantor, " ROLE_NAME("p.grantor") ", " ROLE_NAME("p.grantee") ", p.is_grantable, "
	"pg_catalog.string_agg(p.privilege || coalesce(' (' || pg_catalog.quote_ident(p.col) || ')', ''), ', ' "
	"  ORDER BY p.attnum, p.privilege), p.depth "
	"FROM placed p GROUP BY p.grantor, p.grantee, p.is_grantable, p.depth ORDER BY p.depth NULLS LAST, 2, 3, 4";

static const char *const column_readers_sql =
	"WITH g AS (" ALL_GRANTS ") "
	"SELECT pg_catalog.string_agg(DISTINCT " ROLE_NAME("g.grantee") ", ', ') FROM g "
	"WHERE g.col IS NOT NULL AND g.privilege = 'SELECT' "
	"AND NOT pg_catalog.has_table_privilege(g.grantee, $1, 'SELECT') AND NOT EXISTS (SELECT 1 "
	"  FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) x "
	"  WHERE a.attrelid = $1 AND a.attname = 'xmin' AND x.grantee = g.grantee)";

/* What follows for items from grants on the base $1 and the face %u; $2 is the document. */
#define ITEMS_GRANTS \
	"b AS (SELECT x.grantee, x.privilege_type FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) x " \
	"    WHERE c.oid IN ($1, %u) AND x.grantee <> c.relowner " \
	"  UNION SELECT x.grantee, x.privilege_type FROM pg_catalog.pg_class c " \
	"    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid, pg_catalog.aclexplode(a.attacl) x " \
	"    WHERE c.oid IN ($1, %u) AND a.attname = $2 AND x.grantee <> c.relowner), " \
	"w AS (SELECT DISTINCT b.grantee, v.place, v.privilege FROM b, (VALUES (1, 'SELECT', 'SELECT'), " \
	"    (2, 'INSERT', 'INSERT'), (2, 'UPDATE', 'INSERT'), (3, 'UPDATE', 'UPDATE'), (4, 'UPDATE', 'DELETE')) " \
	"  v (place, has, privilege) WHERE v.has = b.privilege_type), " \
	"i AS (SELECT x.grantee, x.privilege_type AS privilege FROM pg_catalog.pg_class c, " \
	"    pg_catalog.aclexplode(c.relacl) x WHERE c.oid = $3::pg_catalog.oid AND x.grantee <> c.relowner) "

static const char *const items_missing_sql =
	"WITH " ITEMS_GRANTS
	"SELECT " ROLE_NAME("w.grantee") ", pg_catalog.string_agg(w.privilege, ', ' ORDER BY w.place) FROM w "
	"WHERE (w.grantee, w.privilege) NOT IN (SELECT i.grantee, i.privilege FROM i) GROUP BY w.grantee ORDER BY 1";

static const char *const items_extra_sql =
	"WITH " ITEMS_GRANTS
	"SELECT " ROLE_NAME("i.grantee") ", pg_catalog.string_agg(i.privilege, ', ' ORDER BY i.privilege) FROM i "
	"WHERE (i.grantee, i.privilege) NOT IN (SELECT w.grantee, w.privilege FROM w) GROUP BY i.grantee ORDER BY 1";

/* What the view $1 gives and its base $3 does not. */
static const char *const beyond_base_sql =
	"WITH g AS (" ALL_GRANTS ") "
	"SELECT " ROLE_NAME("g.grantee") ", g.is_grantable, pg_catalog.string_agg(g.privilege || "
	"  coalesce(' (' || pg_catalog.quote_ident(g.col) || ')', ''), ', ' ORDER BY g.attnum, g.privilege) "
	"FROM g WHERE (g.col IS NULL OR $2 IS NULL) AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c, "
	"    pg_catalog.aclexplode(c.relacl) x WHERE c.oid = $3::pg_catalog.oid AND x.grantee = g.grantee "
	"    AND x.privilege_type = g.privilege AND x.is_grantable >= g.is_grantable) "
	"AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) x "
	"    WHERE a.attrelid = $3::pg_catalog.oid AND a.attname = g.col AND x.grantee = g.grantee "
	"    AND x.privilege_type = g.privilege AND x.is_grantable >= g.is_grantable) "
	"GROUP BY g.grantee, g.is_grantable ORDER BY 1, 2";

/* Who may do with the base $1 what the view $3 does not give. */
static const char *const beyond_face_sql =
	"SELECT DISTINCT " ROLE_NAME("x.grantee") ", x.privilege_type FROM pg_catalog.pg_class c, "
	"pg_catalog.aclexplode(c.relacl) x WHERE c.oid = $1 AND x.grantee <> c.relowner AND NOT EXISTS (SELECT 1 "
	"  FROM pg_catalog.pg_class f, pg_catalog.aclexplode(f.relacl) y WHERE f.oid = $3::pg_catalog.oid "
	"  AND y.grantee = x.grantee AND y.privilege_type = x.privilege_type) ORDER BY 1, 2";

/* Grants of the base's columns that the view does not have yet, by name in $2. */
static const char *const new_columns_sql =
	"SELECT " ROLE_NAME("x.grantee") ", x.is_grantable, pg_catalog.string_agg(x.privilege_type || ' (' || "
	"  pg_catalog.quote_ident(a.attname) || ')', ', ' ORDER BY a.attnum, x.privilege_type) "
	"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid, "
	"  pg_catalog.aclexplode(a.attacl) x WHERE c.oid = $1 AND a.attname = ANY ($2::pg_catalog.name[]) "
	"AND x.grantee <> c.relowner GROUP BY x.grantee, x.is_grantable ORDER BY 1, 2";

/* clang-format on */

/* --------------------------------------------------------------- refusals */

void
dbvc_grants_check(DbvcReshape *reshape, const DbvcTable *table)
{
	List *rows = dbvc_reshape_rows(incomplete_sql, table->oid, NULL, 0);
	ListCell *lc;

	foreach (lc, rows)
	{
		char **row = lfirst(lc);

		dbvc_problem(reshape, ERRCODE_FEATURE_NOT_SUPPORTED,
					 "role %s may %s, but not SELECT all columns; missing: "
					 "%s. It could do nothing with the view: grant the rest, "
					 "or revoke what it has",
					 row[0], row[1], row[2]);
	}
}

/* ------------------------------------------------------------------ face */

/* What ALTER DEFAULT PRIVILEGES has just given on a new relation. */
static void
revoke_defaults(DbvcReshape *reshape, const DbvcTable *table,
				const char *relation)
{
	char *names = dbvc_reshape_value(defaults_sql, table->oid, NULL, 0);

	if (names == NULL)
		return;
	dbvc_step(reshape, "revoke what default privileges gave",
			  "REVOKE ALL ON TABLE %s FROM %s", relation, names);
	dbvc_step(reshape, "grant to the owner", "GRANT ALL ON TABLE %s TO %s",
			  relation, table->owner_name);
}

/* An owner may have revoked some of its own rights. */
static void
carry_owner_rights(DbvcReshape *reshape, const DbvcTable *table, Oid from)
{
	List *rows = dbvc_reshape_rows(owner_sql, from, NULL, 0);
	char **row;

	if (rows == NIL)
		return;
	row = linitial(rows);
	if (!dbvc_reshape_true(row[1]))
		return;
	dbvc_step(reshape, "revoke what the owner revoked from itself",
			  "REVOKE ALL ON TABLE %s FROM %s", table->face,
			  table->owner_name);
	if (row[0] != NULL)
		dbvc_step(reshape, "grant to the owner", "GRANT %s ON TABLE %s TO %s",
				  row[0], table->face, table->owner_name);
}

/*
 * In the order in which they can be given: each grantor after whoever gave it
 * the option.  A grant runs as its grantor where the caller may become that;
 * where not, the owner gives it.
 */
static void
carry_grants(DbvcReshape *reshape, Oid from, const DbvcTable *table,
			 const List *without)
{
	List *rows =
		dbvc_reshape_rows(chain_sql, from, dbvc_reshape_array(without), 0);
	Oid caller = GetUserId();
	ListCell *lc;

	foreach (lc, rows)
	{
		char **row = lfirst(lc);
		Oid grantor = strtoul(row[0], NULL, 10);
		bool other = grantor != table->owner && row[5] != NULL;
		bool possible = other && dbvc_can_set_role(caller, grantor);

		dbvc_step(reshape,
				  other ? psprintf("carry grants to %s, given by %s%s", row[2],
								   row[1],
								   possible ? "" : " and now by the owner")
						: psprintf("carry grants to %s", row[2]),
				  "GRANT %s ON TABLE %s TO %s%s", row[4], table->face, row[2],
				  dbvc_reshape_true(row[3]) ? " WITH GRANT OPTION" : "");
		if (possible)
			dbvc_step_role(reshape, grantor);
	}
}

void
dbvc_grants_face(DbvcReshape *reshape, const DbvcTable *table, Oid from,
				 const List *without)
{
	revoke_defaults(reshape, table, table->face);
	carry_owner_rights(reshape, table, from);
	carry_grants(reshape, from, table, without);
}

/* ------------------------------------------------------------------ base */

/* Who reads by column grants needs two columns more: the view names them. */
void
dbvc_grants_base(DbvcReshape *reshape, const DbvcTable *table)
{
	char *names = dbvc_reshape_value(column_readers_sql, table->oid, NULL, 0);

	if (names != NULL)
		dbvc_step(reshape, "grant what the view reads beside the columns",
				  "GRANT SELECT (%s, xmin) ON TABLE %s TO %s",
				  quote_identifier(table->version), table->base, names);
}

/* ----------------------------------------------------------------- items */

static List *
items_grants(const DbvcTable *table, const char *sql)
{
	return dbvc_reshape_rows(psprintf(sql, table->face_oid, table->face_oid),
							 table->oid, table->doc->name,
							 (int) table->items_oid);
}

void
dbvc_grants_items(DbvcReshape *reshape, const DbvcTable *table)
{
	ListCell *lc;

	if (!OidIsValid(table->items_oid))
		revoke_defaults(reshape, table, table->items);
	foreach (lc, items_grants(table, items_extra_sql))
	{
		char **row = lfirst(lc);

		dbvc_step(reshape, psprintf("revoke items from %s", row[0]),
				  "REVOKE %s ON TABLE %s FROM %s CASCADE", row[1],
				  table->items, row[0]);
	}
	foreach (lc, items_grants(table, items_missing_sql))
	{
		char **row = lfirst(lc);

		dbvc_step(reshape, psprintf("grant items to %s", row[0]),
				  "GRANT %s ON TABLE %s TO %s", row[1], table->items, row[0]);
	}
}

/* ---------------------------------------------------------------- refresh */

/*
 * Who was granted something on the view since it is one can do nothing with it
 * as long as the base does not know.
 */
void
dbvc_grants_to_base(DbvcReshape *reshape, const DbvcTable *table, Oid face,
					bool renamed)
{
	List *rows = dbvc_reshape_rows(beyond_base_sql, face,
								   renamed ? "{}" : NULL, (int) table->oid);
	ListCell *lc;

	foreach (lc, rows)
	{
		char **row = lfirst(lc);

		dbvc_step(reshape, psprintf("grant on the base to %s", row[0]),
				  "GRANT %s ON TABLE %s TO %s%s", row[2], table->base, row[0],
				  dbvc_reshape_true(row[1]) ? " WITH GRANT OPTION" : "");
	}
}

void
dbvc_grants_tell_extra(DbvcReshape *reshape, const DbvcTable *table, Oid face,
					   bool released)
{
	List *rows =
		dbvc_reshape_rows(beyond_face_sql, table->oid, NULL, (int) face);
	ListCell *lc;

	foreach (lc, rows)
	{
		char **row = lfirst(lc);

		if (released)
			dbvc_reshape_notice(reshape,
								"role %s has %s on %s again, which it had not "
								"on the view: revoke it, if it should not",
								row[0], row[1], table->face);
		else
			dbvc_reshape_notice(
				reshape,
				"role %s has %s on %s, but not on %s: revoke it "
				"there, too, if it should not read or write "
				"documents",
				row[0], row[1], table->base, table->face);
	}
}

void
dbvc_grants_new_columns(DbvcReshape *reshape, const DbvcTable *table,
						const List *names)
{
	List *rows;
	ListCell *lc;

	if (names == NIL)
		return;
	rows = dbvc_reshape_rows(new_columns_sql, table->oid,
							 dbvc_reshape_array(names), 0);
	foreach (lc, rows)
	{
		char **row = lfirst(lc);

		dbvc_step(reshape, psprintf("carry grants to %s", row[0]),
				  "GRANT %s ON TABLE %s TO %s%s", row[2], table->face, row[0],
				  dbvc_reshape_true(row[1]) ? " WITH GRANT OPTION" : "");
	}
}
