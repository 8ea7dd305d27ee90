/*
 * item_statement.c
 *		The statements behind put.c and item_*.c, prepared once per table.
 *
 * Each is written here once, for any adopted table, and kept prepared with
 * what is known of that table; so both are dropped together when it changes.
 */
#include "document/item.h"

#include "document/runtime.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define MAX_ARGS 4
#define EQ "OPERATOR(pg_catalog.=)"
#define PLUS "OPERATOR(pg_catalog.+)"
/*
 * Both indexes of the items begin with key and type, in one order or the
 * other, and a planner that has no statistics yet finds them equal: it might
 * take the one that cannot tell items apart.  The comparison of (type, item_id)
 * as a row says nothing new, but tips the balance: it is one more condition of
 * the primary key, and one more filter behind the other index.
 */
#define THIS_ITEM \
	"{items key} AND type " EQ " {1} AND item_id " EQ " {2} " \
	"AND ROW(type, item_id) OPERATOR(pg_catalog.>=) ROW({1}, {2})"
#define GENERATED_ITEMS \
	"{items key} AND type " EQ " {1} " \
	"AND item_id OPERATOR(pg_catalog.>=) '~' " \
	"AND item_id OPERATOR(pg_catalog.<) '\x7f' " \
	"AND ROW(type, item_id) OPERATOR(pg_catalog.>=) ROW({1}, '~')"
#define WRITTEN "version = version " PLUS " 1, updated_at = pg_catalog.now()"

/*
 * {base}, {face}, {items}: the relations; {doc}, {version}, {face doc}: columns
 * of theirs; {base key} and so on: where it is this key; {items columns}: names
 * of the key's columns; {key}: its parameters; {1}: a parameter behind them.
 */
static const struct
{
	const char *sql;
	Oid args[MAX_ARGS];
} statements[DBVC_STATEMENTS] = {
	[DBVC_RUN_BASE_VERSION] =
		{"SELECT {version} FROM {base} WHERE {base key}"},
	[DBVC_RUN_BASE_DOCUMENT] = {"SELECT {version}, {doc} FROM {base} "
								"WHERE {base key}"},
	[DBVC_RUN_BASE_LOCK] = {"SELECT {version}, {doc} FROM {base} "
							"WHERE {base key} FOR NO KEY UPDATE"},
	/* whole documents are somebody else's affair */
	[DBVC_RUN_BASE_RAISE] =
		{"UPDATE {base} SET {doc} = {doc} WHERE {base key} "
		 "AND {version} OPERATOR(pg_catalog.<>) 0 "
		 "RETURNING {version}"},
	[DBVC_RUN_BASE_SET] = {"UPDATE {base} SET {doc} = {1} WHERE {base key} "
						   "RETURNING {version}",
						   {JSONBOID}},
	[DBVC_RUN_FACE_DOCUMENT] = {"SELECT {face doc} FROM {face} "
								"WHERE {face key}"},
	[DBVC_RUN_FACE_INSERT] =
		{"INSERT INTO {face} ({face columns}, {face doc}) "
		 "VALUES ({key}, {1})",
		 {JSONBOID}},
	[DBVC_RUN_ITEM_FIND] = {"SELECT data, deleted_at IS NOT NULL FROM {items} "
							"WHERE " THIS_ITEM,
							{TEXTOID, TEXTOID}},
	/* an element with this id of its own that has got a generated one */
	[DBVC_RUN_ITEM_TWIN] =
		{"SELECT item_id, data, ord FROM {items} WHERE " GENERATED_ITEMS
		 " AND deleted_at IS NULL AND "
		 "(data OPERATOR(pg_catalog.->) '" DBVC_PART_ID_KEY
		 "')::pg_catalog.text " EQ " {2}",
		 {TEXTOID, TEXTOID}},
	[DBVC_RUN_ITEM_LAST] = {"SELECT ord, item_id, deleted_at IS NULL "
							"FROM {items} WHERE {items key} AND type " EQ
							" {1} "
							"ORDER BY ord DESC LIMIT 1",
							{TEXTOID}},
	[DBVC_RUN_ITEM_HIGHEST] =
		{"SELECT pg_catalog.max(CASE WHEN item_id "
		 "OPERATOR(pg_catalog.~) '^~[0-9]{1,18}$' THEN "
		 "pg_catalog.substr(item_id, 2)::pg_catalog.int8 "
		 "END) FROM {items} WHERE " GENERATED_ITEMS,
		 {TEXTOID}},
	/* ord is given twice so that the index is used */
	[DBVC_RUN_ITEM_LIST] = {"SELECT type, item_id, ord, data, version, "
							"created_at, updated_at, "
							"pg_catalog.jsonb_build_array(type, ord, item_id)"
							"::pg_catalog.text FROM {items} "
							"WHERE {items key} AND type " EQ " {1} "
							"AND deleted_at IS NULL "
							"AND ord OPERATOR(pg_catalog.>=) {2} "
							"AND (ord OPERATOR(pg_catalog.>) {2} OR "
							"item_id OPERATOR(pg_catalog.>) {3}) "
							"ORDER BY ord, item_id LIMIT {4}",
							{TEXTOID, INT8OID, TEXTOID, INT8OID}},
	[DBVC_RUN_ITEM_ADD] =
		{"INSERT INTO {items} ({items columns}, type, item_id, "
		 "ord, data) VALUES ({key}, {1}, {2}, {3}, {4})",
		 {TEXTOID, TEXTOID, INT8OID, JSONBOID}},
	[DBVC_RUN_ITEM_SET] = {"UPDATE {items} SET data = {3}, " WRITTEN
						   ", deleted_at = NULL WHERE " THIS_ITEM,
						   {TEXTOID, TEXTOID, JSONBOID}},
	[DBVC_RUN_ITEM_HIDE] =
		{"UPDATE {items} SET deleted_at = pg_catalog.now(), " WRITTEN
		 " WHERE " THIS_ITEM " AND deleted_at IS NULL",
		 {TEXTOID, TEXTOID}},
	[DBVC_RUN_ITEM_SHOW] = {"UPDATE {items} SET deleted_at = NULL, " WRITTEN
							" WHERE " THIS_ITEM " AND deleted_at IS NOT NULL",
							{TEXTOID, TEXTOID}},
	[DBVC_RUN_ITEM_REMOVE] = {"DELETE FROM {items} WHERE " THIS_ITEM,
							  {TEXTOID, TEXTOID}},
};

/* ----------------------------------------------------- from text to plan */

static void
append_columns(StringInfo sql, const DbvcAdopted *adopted, bool face)
{
	for (int k = 0; k < adopted->nkeys; k++)
	{
		const DbvcKeyColumn *key = &adopted->key[k];

		appendStringInfo(sql, "%s%s", k == 0 ? "" : ", ",
						 quote_identifier(face ? key->face_name
											   : key->items_name));
	}
}

static void
append_face_key(StringInfo sql, const DbvcAdopted *adopted)
{
	for (int k = 0; k < adopted->nkeys; k++)
	{
		const DbvcKeyColumn *key = &adopted->key[k];

		appendStringInfo(sql, "%s%s %s $%d", k == 0 ? "" : " AND ",
						 quote_identifier(key->face_name), key->equal, k + 1);
	}
}

static void
append_key(StringInfo sql, const DbvcAdopted *adopted)
{
	for (int k = 0; k < adopted->nkeys; k++)
		appendStringInfo(sql, "%s$%d", k == 0 ? "" : ", ", k + 1);
}

static void
append_word(StringInfo sql, const DbvcAdopted *adopted, const char *word)
{
	if (strcmp(word, "base") == 0)
		appendStringInfoString(sql, adopted->base_name);
	else if (strcmp(word, "face") == 0)
		appendStringInfoString(sql, adopted->name);
	else if (strcmp(word, "items") == 0)
		appendStringInfoString(sql, adopted->items_name);
	else if (strcmp(word, "doc") == 0)
		appendStringInfoString(sql, quote_identifier(adopted->doc_name));
	else if (strcmp(word, "face doc") == 0)
		appendStringInfoString(sql, quote_identifier(adopted->face_doc_name));
	else if (strcmp(word, "version") == 0)
		appendStringInfoString(sql,
							   quote_identifier(
								   get_attname(adopted->base,
											   adopted->base_version, false)));
	else if (strcmp(word, "base key") == 0)
		appendStringInfoString(sql, dbvc_adopted_base_where(adopted, "", 1));
	else if (strcmp(word, "items key") == 0)
		appendStringInfoString(sql, dbvc_adopted_items_where(adopted, "", 1));
	else if (strcmp(word, "face key") == 0)
		append_face_key(sql, adopted);
	else if (strcmp(word, "key") == 0)
		append_key(sql, adopted);
	else if (strcmp(word, "items columns") == 0)
		append_columns(sql, adopted, false);
	else if (strcmp(word, "face columns") == 0)
		append_columns(sql, adopted, true);
	else
		appendStringInfo(sql, "$%d", adopted->nkeys + atoi(word));
}

/* Words in braces; what does not begin with a letter or 1 to 4 is no word. */
static char *
make_sql(const DbvcAdopted *adopted, const char *template)
{
	StringInfoData sql;

	initStringInfo(&sql);
	while (*template != '\0')
	{
		const char *end = strchr(template, '}');
		char word[32];

		if (*template != '{' || template[2] == ',')
		{
			appendStringInfoChar(&sql, *template ++);
			continue;
		}
		strlcpy(word, template + 1, Min(sizeof(word), end - template));
		append_word(&sql, adopted, word);
		template = end + 1;
	}
	return sql.data;
}

static int
count_args(DbvcStatement statement)
{
	int count = 0;

	while (count < MAX_ARGS && OidIsValid(statements[statement].args[count]))
		count++;
	return count;
}

/* The plans of a table, kept with what is known of it. */
struct DbvcItemPlans
{
	SPIPlanPtr plan[DBVC_STATEMENTS];
	MemoryContextCallback callback;
};

static void
free_plans(void *arg)
{
	struct DbvcItemPlans *plans = arg;

	for (int i = 0; i < DBVC_STATEMENTS; i++)
	{
		if (plans->plan[i] != NULL)
			SPI_freeplan(plans->plan[i]);
	}
}

static SPIPlanPtr
plan_of(const DbvcAdopted *adopted, DbvcStatement statement)
{
	DbvcRuntime *runtime = adopted->runtime;
	struct DbvcItemPlans *plans = runtime->item_plans;
	Oid types[DBVC_KEY_MAX + MAX_ARGS];
	int nargs = count_args(statement);

	if (plans == NULL)
	{
		plans = MemoryContextAllocZero(runtime->context,
									   sizeof(struct DbvcItemPlans));
		plans->callback.func = free_plans;
		plans->callback.arg = plans;
		MemoryContextRegisterResetCallback(runtime->context, &plans->callback);
		runtime->item_plans = plans;
	}
	if (plans->plan[statement] == NULL)
	{
		for (int k = 0; k < adopted->nkeys; k++)
			types[k] = adopted->key[k].type;
		for (int i = 0; i < nargs; i++)
			types[adopted->nkeys + i] = statements[statement].args[i];
		plans->plan[statement] =
			dbvc_plan_prepare(make_sql(adopted, statements[statement].sql),
							  adopted->nkeys + nargs, types);
	}
	return plans->plan[statement];
}

/* --------------------------------------------------------------- running */

static bool
writes_rows(DbvcStatement statement)
{
	return statement == DBVC_RUN_BASE_RAISE ||
		   statement == DBVC_RUN_BASE_SET || statement >= DBVC_RUN_ITEM_ADD;
}

static void
write_rows(const DbvcTarget *target, SPIPlanPtr plan, Datum *values, bool base)
{
	const DbvcAdopted *adopted = target->adopted;

	if (!target->writing)
		dbvc_write_begin(adopted, DBVC_WRITE_SPLIT, false);
	(void) dbvc_write_run(plan, values, NULL,
						  base ? adopted->base : adopted->items, base, false);
	if (!target->writing)
		dbvc_write_end();
}

uint64
dbvc_target_run(DbvcTarget *target, DbvcStatement statement, const Datum *args,
				bool read_only)
{
	const DbvcAdopted *adopted = target->adopted;
	SPIPlanPtr plan = plan_of(adopted, statement);
	int nargs = count_args(statement);
	Datum values[DBVC_KEY_MAX + MAX_ARGS];
	bool writes = writes_rows(statement);

	memcpy(values, target->key, sizeof(Datum) * adopted->nkeys);
	if (target->rows != NULL)
	{
		SPI_freetuptable(target->rows);
		target->rows = NULL;
	}
	if (nargs > 0)
		memcpy(values + adopted->nkeys, args, sizeof(Datum) * nargs);
	if (!writes)
	{
		int rc = SPI_execute_plan(plan, values, NULL, read_only, 0);

		if (rc < 0)
			elog(ERROR, "could not run a statement of an adopted table: %s",
				 SPI_result_code_string(rc));
	}
	else
		write_rows(target, plan, values, statement < DBVC_RUN_ITEM_ADD);
	target->rows = SPI_tuptable;
	return SPI_processed;
}

void
dbvc_target_open(DbvcTarget *target, Oid relation, ArrayType *key,
				 LOCKMODE lock)
{
	const DbvcAdopted *adopted = dbvc_adopted_get(relation, false);

	LockRelationOid(adopted->base, lock);
	/* what is known may be outdated once the lock was waited for */
	adopted = dbvc_adopted_get(relation, false);
	target->call = CurrentMemoryContext;
	target->adopted = adopted;
	target->key = dbvc_adopted_key(adopted, key);
	target->version = 0;
	target->locked = false;
	target->rows = NULL;
	target->writing = false;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

void
dbvc_target_missing(const DbvcTarget *target)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND), errmsg("document does not exist"),
			 errdetail("There is none with the key %s in %s that this role "
					   "may see.",
					   dbvc_adopted_key_text(target->adopted, target->key),
					   target->adopted->name),
			 errhint("INSERT it, or use dbvc.document_put().")));
}

void
dbvc_argument_require(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("%s must not be null", name)));
}
