/*
 * adopt_steps.c
 *		The SQL that makes base, items and face of a table.
 */
#include "document/reshape.h"

#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* id, tenant: the key's columns in the items table or in the base. */
static char *
key_list(const DbvcTable *table, bool items, const char *prefix)
{
	StringInfoData list;
	ListCell *lc;

	initStringInfo(&list);
	foreach (lc, table->key)
	{
		const DbvcColumn *column = lfirst(lc);

		appendStringInfo(&list, "%s%s%s",
						 lc == list_head(table->key) ? "" : ", ", prefix,
						 items ? quote_identifier(column->items_name)
							   : column->quoted);
	}
	return list.data;
}

static void
create_items(DbvcReshape *reshape, const DbvcTable *table)
{
	StringInfoData key;
	ListCell *lc;

	initStringInfo(&key);
	foreach (lc, table->key)
	{
		const DbvcColumn *column = lfirst(lc);

		appendStringInfo(&key, "%s %s%s%s NOT NULL, ",
						 quote_identifier(column->items_name), column->type,
						 column->collation ? " COLLATE " : "",
						 column->collation ? column->collation : "");
	}
	dbvc_step(
		reshape, "create items table",
		"CREATE %sTABLE %s (%stype pg_catalog.text COLLATE pg_catalog.\"C\" "
		"NOT NULL, item_id pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL, "
		"ord pg_catalog.int8 NOT NULL, data pg_catalog.jsonb NOT NULL, "
		"version pg_catalog.int8 NOT NULL DEFAULT 1, "
		"created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(), "
		"updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(), "
		"deleted_at pg_catalog.timestamptz, "
		"CONSTRAINT %s PRIMARY KEY (%s, type, item_id), "
		"CONSTRAINT %s FOREIGN KEY (%s) REFERENCES %s (%s) "
		"ON UPDATE CASCADE ON DELETE CASCADE)",
		table->persistence == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "",
		table->items, key.data,
		quote_identifier(makeObjectName(table->items_name, NULL, "pkey")),
		key_list(table, true, ""),
		quote_identifier(makeObjectName(table->items_name, "base", "fkey")),
		key_list(table, true, ""), table->base, key_list(table, false, ""));
	dbvc_step(reshape, "create index", "CREATE INDEX %s ON %s (type, %s, ord)",
			  quote_identifier(
				  makeObjectName(table->items_name, "type", "idx")),
			  table->items, key_list(table, true, ""));
}

/* It survives the extension: whoever finds the table must know what it is. */
static void
comment_items(DbvcReshape *reshape, const DbvcTable *table)
{
	char *text = psprintf("items of the documents in %s (column %s), taken "
						  "out of it by dbvc; parts: %s; docs/recovery.md of "
						  "dbvc has the SQL that joins them back without it",
						  table->base, table->doc->quoted, table->parts_text);

	dbvc_step(reshape, "comment on items table", "COMMENT ON TABLE %s IS %s",
			  table->items, quote_literal_cstr(text));
}

void
dbvc_steps_items(DbvcReshape *reshape, const DbvcTable *table)
{
	create_items(reshape, table);
	comment_items(reshape, table);
	if (table->owner != GetUserId())
		dbvc_step(reshape, "give items table to the owner",
				  "ALTER TABLE %s OWNER TO %s", table->items,
				  table->owner_name);
}

/*
 * Whoever sees the document sees its items and may write them, as far as he is
 * granted that.  Who may insert a document need not be able to see it: items
 * are inserted only by dbvc, for a row that it has just written as him, and by
 * the owner, see the trigger in guard.c.
 */
static void
create_policies(DbvcReshape *reshape, const DbvcTable *table)
{
	static const char *const commands[][2] = {{"SELECT", ""},
											  {"UPDATE", "_update"},
											  {"DELETE", "_delete"}};
	/* the items table has its own name in there, which may be any */
	const char *base = strcmp(table->items_name, "b") == 0 ? "base" : "b";
	StringInfoData match;
	ListCell *lc;

	initStringInfo(&match);
	foreach (lc, table->key)
	{
		const DbvcColumn *column = lfirst(lc);

		appendStringInfo(&match, "%s%s.%s %s %s.%s",
						 lc == list_head(table->key) ? "" : " AND ", base,
						 column->quoted, column->equal,
						 quote_identifier(table->items_name),
						 quote_identifier(column->items_name));
	}
	for (int i = 0; i < lengthof(commands); i++)
		dbvc_step(reshape, "row security of items: that of their document",
				  "CREATE POLICY %s%s ON %s FOR %s USING (EXISTS (SELECT 1 "
				  "FROM %s %s WHERE %s))",
				  DBVC_ITEMS_POLICY, commands[i][1], table->items,
				  commands[i][0], table->base, base, match.data);
	dbvc_step(reshape, "row security of items: inserted with their document",
			  "CREATE POLICY %s_insert ON %s FOR INSERT WITH CHECK (true)",
			  DBVC_ITEMS_POLICY, table->items);
}

static void
switch_row_security(DbvcReshape *reshape, const DbvcTable *table, bool is,
					bool to_be, const char *words[2])
{
	if (is != to_be)
		dbvc_step(reshape, psprintf("row security of items: %s", words[is]),
				  "ALTER TABLE %s %s ROW LEVEL SECURITY", table->items,
				  words[is]);
}

void
dbvc_steps_row_security(DbvcReshape *reshape, const DbvcTable *table,
						bool enabled, bool forced, bool has_policy)
{
	if ((table->row_security || table->force_row_security) && !has_policy)
		create_policies(reshape, table);
	switch_row_security(reshape, table, enabled, table->row_security,
						(const char *[2]){"ENABLE", "DISABLE"});
	switch_row_security(reshape, table, forced, table->force_row_security,
						(const char *[2]){"FORCE", "NO FORCE"});
}

char *
dbvc_face_query(const DbvcTable *table)
{
	StringInfoData query;
	ListCell *lc;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT ");
	foreach (lc, table->columns)
	{
		const DbvcColumn *column = lfirst(lc);

		if (lc != list_head(table->columns))
			appendStringInfoString(&query, ", ");
		if (column == table->doc)
			appendStringInfo(&query,
							 "dbvc.document_read(%s::pg_catalog.regclass, "
							 "b.%s, b.%s, b.xmin, %s) AS %s",
							 quote_literal_cstr(table->base), column->quoted,
							 quote_identifier(table->version),
							 key_list(table, false, "b."), column->quoted);
		else
			appendStringInfo(&query, "b.%s", column->quoted);
	}
	/*
	 * The condition is always true and the planner drops it.  It makes the
	 * view depend on the items table, which could be dropped otherwise as if
	 * nobody needed it.
	 */
	appendStringInfo(&query,
					 " FROM %s b WHERE %s::pg_catalog.regclass IS NOT NULL",
					 table->base, quote_literal_cstr(table->items));
	return query.data;
}

void
dbvc_steps_triggers(DbvcReshape *reshape, const DbvcTable *table,
					const char *face)
{
	dbvc_step(reshape, "create trigger of the view",
			  "CREATE TRIGGER %s INSTEAD OF INSERT OR UPDATE OR DELETE ON %s "
			  "FOR EACH ROW EXECUTE FUNCTION dbvc.document_face_trigger()",
			  DBVC_FACE_TRIGGER, face);
}

void
dbvc_steps_owner(DbvcReshape *reshape, const DbvcTable *table)
{
	if (table->owner != GetUserId())
		dbvc_step(reshape, "give view to the owner",
				  "ALTER VIEW %s OWNER TO %s", table->face, table->owner_name);
}

void
dbvc_steps_defaults(DbvcReshape *reshape, const DbvcTable *table)
{
	ListCell *lc;

	foreach (lc, table->columns)
	{
		const DbvcColumn *column = lfirst(lc);

		if (column->fallback != NULL)
			dbvc_step(reshape,
					  psprintf("carry default of column %s", column->quoted),
					  "ALTER VIEW %s ALTER COLUMN %s SET DEFAULT %s",
					  table->face, column->quoted, column->fallback);
		else if (column->identity)
			dbvc_step_none(reshape,
						   "identity of column %s stays on the base; the "
						   "view's trigger takes its values",
						   column->quoted);
		else if (column->generated)
			dbvc_step_none(reshape, "column %s stays generated by the base",
						   column->quoted);
	}
}

void
dbvc_steps_comments(DbvcReshape *reshape, const DbvcTable *table)
{
	ListCell *lc;

	if (table->comment != NULL)
		dbvc_step(reshape, "carry comment", "COMMENT ON VIEW %s IS %s",
				  table->face, table->comment);
	foreach (lc, table->columns)
	{
		const DbvcColumn *column = lfirst(lc);

		if (column->comment != NULL)
			dbvc_step(reshape,
					  psprintf("carry comment of column %s", column->quoted),
					  "COMMENT ON COLUMN %s.%s IS %s", table->face,
					  column->quoted, column->comment);
	}
}
