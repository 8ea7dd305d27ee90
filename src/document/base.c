/*
 * base.c
 *		Statements over the base of an adopted table.
 *
 * The base is written by plain SQL, as the caller: its row security, column
 * privileges, constraints, partitions and triggers are the user's affair and
 * are heeded by the executor.  Only columns that change are named, so that no
 * more privileges are asked for than on the table before.
 */
#include "document/runtime.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

#define PLANS_MAX 32

typedef enum PlanKind
{
	PLAN_INSERT,
	PLAN_UPDATE,
	PLAN_UPDATE_EXPECTED,
	PLAN_DELETE,
	PLAN_DELETE_EXPECTED,
	PLAN_LOCK,
} PlanKind;

void
dbvc_base_describe(DbvcAdopted *adopted, Relation base)
{
	DbvcRuntime *runtime = adopted->runtime;
	TriggerDesc *triggers = base->trigdesc;

	runtime->base_columns = RelationGetNumberOfAttributes(base);
	for (int i = 0; i < RelationGetNumberOfAttributes(base); i++)
	{
		Form_pg_attribute column = TupleDescAttr(base->rd_att, i);

		if (column->attisdropped)
			continue;
		if (column->attgenerated != '\0')
			runtime->generated = bms_add_member(runtime->generated, i + 1);
		if (column->attidentity != '\0')
			runtime->identity = bms_add_member(runtime->identity, i + 1);
	}
	/* partitions may have triggers of their own */
	runtime->before_insert = runtime->before_update = adopted->partitioned;
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (!TRIGGER_FOR_ROW(trigger->tgtype) ||
			!TRIGGER_FOR_BEFORE(trigger->tgtype) ||
			strcmp(trigger->tgname, DBVC_BASE_TRIGGER) == 0)
			continue;
		runtime->before_insert |= TRIGGER_FOR_INSERT(trigger->tgtype) != 0;
		runtime->before_update |= TRIGGER_FOR_UPDATE(trigger->tgtype) != 0;
	}
}

void
dbvc_base_forget(DbvcRuntime *runtime)
{
	SPIPlanPtr items[] = {runtime->items_select, runtime->items_insert,
						  runtime->items_update, runtime->items_delete,
						  runtime->items_forget, runtime->base_visible};

	for (int i = 0; i < lengthof(items); i++)
	{
		if (items[i] != NULL)
			SPI_freeplan(items[i]);
	}
	for (DbvcBasePlan *plan = runtime->plans; plan != NULL; plan = plan->next)
		SPI_freeplan(plan->plan);
	runtime->plans = NULL;
}

/*
 * A plan made while a table was empty may be a sequential scan, and would be
 * kept while the table grows: no such plan is made.
 */
SPIPlanPtr
dbvc_plan_prepare(const char *sql, int nargs, const Oid *types)
{
	/* nor one that sorts what an index has in order, or that is compiled */
	static const char *const unwanted[] = {"enable_seqscan", "enable_sort",
										   "enable_bitmapscan", "jit"};
	MemoryContext context = CurrentMemoryContext;
	int level = NewGUCNestLevel();
	SPIPlanPtr plan;
	CachedPlan *cached;

	for (int i = 0; i < lengthof(unwanted); i++)
		(void) set_config_option(unwanted[i], "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
								 false);
	plan = SPI_prepare_cursor(sql, nargs, unconstify(Oid *, types),
							  CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql,
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep plan of \"%s\"", sql);
	/* it is planned when it is first asked for: now */
	cached = SPI_plan_get_cached_plan(plan);
	if (cached != NULL)
		ReleaseCachedPlan(cached, CurrentResourceOwner);
	AtEOXact_GUC(false, level);
	/* SPI has left its own */
	MemoryContextSwitchTo(context);
	return plan;
}

/* ------------------------------------------------------------- the texts */

static const char *
column_name(const DbvcAdopted *adopted, AttrNumber column)
{
	return quote_identifier(get_attname(adopted->base, column, false));
}

static void
append_columns(StringInfo sql, const DbvcAdopted *adopted)
{
	for (int i = 0; i < adopted->face_columns; i++)
		appendStringInfo(sql, "%sb.%s", i == 0 ? "" : ", ",
						 column_name(adopted, adopted->face_to_base[i]));
}

static void
append_insert(StringInfo sql, const DbvcAdopted *adopted,
			  const Bitmapset *columns)
{
	int column = -1;
	int n = 0;
	StringInfoData values;

	appendStringInfo(sql, "INSERT INTO %s AS b", adopted->base_name);
	if (bms_is_empty(columns))
	{
		appendStringInfoString(sql, " DEFAULT VALUES");
		return;
	}
	initStringInfo(&values);
	while ((column = bms_next_member(columns, column)) >= 0)
	{
		appendStringInfo(sql, "%s%s", n == 0 ? " (" : ", ",
						 column_name(adopted, column));
		appendStringInfo(&values, "%s$%d", n == 0 ? "" : ", ", n + 1);
		n++;
	}
	appendStringInfo(sql, ") OVERRIDING SYSTEM VALUE VALUES (%s)",
					 values.data);
}

static void
append_where(StringInfo sql, const DbvcAdopted *adopted, int first,
			 bool expected)
{
	appendStringInfo(sql, " WHERE %s",
					 dbvc_adopted_base_where(adopted, "b", first));
	if (expected)
		appendStringInfo(sql,
						 " AND b.%s OPERATOR(pg_catalog.=) $%d"
						 " AND b.xmin OPERATOR(pg_catalog.=) $%d",
						 column_name(adopted, adopted->base_version),
						 first + adopted->nkeys, first + adopted->nkeys + 1);
}

static void
append_update(StringInfo sql, const DbvcAdopted *adopted,
			  const Bitmapset *columns, bool expected)
{
	int column = -1;
	int n = 0;

	appendStringInfo(sql, "UPDATE %s AS b SET ", adopted->base_name);
	while ((column = bms_next_member(columns, column)) >= 0)
	{
		appendStringInfo(sql, "%s%s = $%d", n == 0 ? "" : ", ",
						 column_name(adopted, column), n + 1);
		n++;
	}
	/* the trigger raises the version: that is the write */
	if (n == 0)
		appendStringInfo(sql, "%s = b.%s",
						 column_name(adopted, adopted->base_doc),
						 column_name(adopted, adopted->base_doc));
	append_where(sql, adopted, n + 1, expected);
}

static char *
plan_text(const DbvcAdopted *adopted, PlanKind kind, const Bitmapset *columns,
		  bool returning)
{
	StringInfoData sql;

	initStringInfo(&sql);
	switch (kind)
	{
		case PLAN_INSERT:
			append_insert(&sql, adopted, columns);
			break;
		case PLAN_UPDATE:
		case PLAN_UPDATE_EXPECTED:
			append_update(&sql, adopted, columns,
						  kind == PLAN_UPDATE_EXPECTED);
			break;
		case PLAN_DELETE:
		case PLAN_DELETE_EXPECTED:
			appendStringInfo(&sql, "DELETE FROM %s AS b", adopted->base_name);
			append_where(&sql, adopted, 1, kind == PLAN_DELETE_EXPECTED);
			break;
		case PLAN_LOCK:
			appendStringInfoString(&sql, "SELECT ");
			append_columns(&sql, adopted);
			appendStringInfo(&sql, ", b.%s, b.xmin FROM %s AS b",
							 column_name(adopted, adopted->base_version),
							 adopted->base_name);
			append_where(&sql, adopted, 1, false);
			appendStringInfoString(&sql, " FOR NO KEY UPDATE");
			break;
	}
	if (returning)
	{
		appendStringInfoString(&sql, " RETURNING ");
		append_columns(&sql, adopted);
	}
	return sql.data;
}

/* ------------------------------------------------------------- the plans */

/* An application that names only what it changes has many sets of columns. */
static void
drop_oldest(DbvcRuntime *runtime)
{
	DbvcBasePlan **link = &runtime->plans;
	DbvcBasePlan *oldest;

	for (int n = 0; n < PLANS_MAX && *link != NULL; n++)
		link = &(*link)->next;
	while ((oldest = *link) != NULL)
	{
		*link = oldest->next;
		SPI_freeplan(oldest->plan);
		bms_free(oldest->columns);
		pfree(oldest);
	}
}

static DbvcBasePlan *
make_plan(const DbvcAdopted *adopted, PlanKind kind, Bitmapset *columns,
		  bool returning)
{
	DbvcRuntime *runtime = adopted->runtime;
	Oid *types =
		palloc(sizeof(Oid) * (bms_num_members(columns) + DBVC_KEY_MAX + 2));
	int nargs = 0;
	int column = -1;
	SPIPlanPtr prepared;
	DbvcBasePlan *plan;

	while ((column = bms_next_member(columns, column)) >= 0)
		types[nargs++] = get_atttype(adopted->base, column);
	for (int k = 0; kind != PLAN_INSERT && k < adopted->nkeys; k++)
		types[nargs++] = adopted->key[k].type;
	types[nargs] = INT8OID;
	types[nargs + 1] = XIDOID;
	if (kind == PLAN_UPDATE_EXPECTED || kind == PLAN_DELETE_EXPECTED)
		nargs += 2;
	prepared = dbvc_plan_prepare(plan_text(adopted, kind, columns, returning),
								 nargs, types);
	plan = MemoryContextAllocZero(runtime->context, sizeof(DbvcBasePlan));
	plan->kind = kind;
	plan->returning = returning;
	plan->plan = prepared;
	{
		MemoryContext old = MemoryContextSwitchTo(runtime->context);

		plan->columns = bms_copy(columns);
		MemoryContextSwitchTo(old);
	}
	plan->next = runtime->plans;
	runtime->plans = plan;
	drop_oldest(runtime);
	return plan;
}

static SPIPlanPtr
get_plan(const DbvcAdopted *adopted, PlanKind kind, Bitmapset *columns,
		 bool returning)
{
	DbvcBasePlan *plan = adopted->runtime->plans;

	while (plan != NULL &&
		   (plan->kind != kind || plan->returning != returning ||
			!bms_equal(plan->columns, columns)))
		plan = plan->next;
	if (plan == NULL)
		plan = make_plan(adopted, kind, columns, returning);
	return plan->plan;
}

/* Run it; the caller's memory context is the current one before and after. */
static uint64
run_plan(const DbvcAdopted *adopted, PlanKind kind, Bitmapset *columns,
		 const DbvcBaseRow *row, const Datum *key, const DbvcLast *expect,
		 bool returning, bool at_once)
{
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr plan = get_plan(adopted, kind, columns, returning);
	int room = bms_num_members(columns) + DBVC_KEY_MAX + 2;
	Datum *values = MemoryContextAlloc(context, sizeof(Datum) * room);
	char *nulls = MemoryContextAlloc(context, room + 1);
	int nargs = 0;
	int column = -1;
	uint64 rows;

	while ((column = bms_next_member(columns, column)) >= 0)
	{
		nulls[nargs] = row->nulls[column] ? 'n' : ' ';
		values[nargs++] = row->values[column];
	}
	for (int k = 0; key != NULL && k < adopted->nkeys; k++)
	{
		nulls[nargs] = ' ';
		values[nargs++] = key[k];
	}
	if (expect != NULL)
	{
		nulls[nargs] = nulls[nargs + 1] = ' ';
		values[nargs++] = Int64GetDatum(expect->version);
		values[nargs++] = TransactionIdGetDatum(expect->xmin);
	}
	if (kind == PLAN_LOCK)
		rows = dbvc_read_run(plan, values, adopted->base, InvalidSnapshot);
	else
		rows =
			dbvc_write_run(plan, values, nulls, adopted->base,
						   kind != PLAN_DELETE && kind != PLAN_DELETE_EXPECTED,
						   at_once);
	MemoryContextSwitchTo(context);
	pfree(values);
	pfree(nulls);
	return rows;
}

/* The columns of the face, from the result into the row. */
static void
take_row(const DbvcAdopted *adopted, DbvcBaseRow *row)
{
	TupleDesc desc = SPI_tuptable->tupdesc;

	for (int i = 0; i < adopted->face_columns; i++)
	{
		AttrNumber column = adopted->face_to_base[i];
		Form_pg_attribute form = TupleDescAttr(desc, i);

		row->values[column] = SPI_getbinval(SPI_tuptable->vals[0], desc, i + 1,
											&row->nulls[column]);
		if (!row->nulls[column])
			row->values[column] =
				datumCopy(row->values[column], form->attbyval, form->attlen);
	}
}

int
dbvc_base_columns(const DbvcAdopted *adopted)
{
	return adopted->runtime->base_columns;
}

DbvcBaseRow
dbvc_base_row_make(int columns)
{
	DbvcBaseRow row;

	row.values = palloc0(sizeof(Datum) * (columns + 1));
	row.nulls = palloc(sizeof(bool) * (columns + 1));
	memset(row.nulls, true, sizeof(bool) * (columns + 1));
	return row;
}

/* -------------------------------------------------------- the statements */

bool
dbvc_base_insert(const DbvcAdopted *adopted, Bitmapset *columns,
				 DbvcBaseRow *row, bool returning)
{
	uint64 rows = run_plan(adopted, PLAN_INSERT, columns, row, NULL, NULL,
						   returning, false);

	if (rows > 0 && returning)
		take_row(adopted, row);
	return rows > 0;
}

bool
dbvc_base_update(const DbvcAdopted *adopted, Bitmapset *columns,
				 DbvcBaseRow *row, const Datum *key, const DbvcLast *expect,
				 bool returning, bool at_once)
{
	uint64 rows =
		run_plan(adopted, expect ? PLAN_UPDATE_EXPECTED : PLAN_UPDATE, columns,
				 row, key, expect, returning, at_once);

	if (rows > 0 && returning)
		take_row(adopted, row);
	return rows > 0;
}

Bitmapset *
dbvc_base_raise(const DbvcAdopted *adopted, Bitmapset *columns,
				DbvcBaseRow *row, int64 version)
{
	AttrNumber column = adopted->base_version;

	if (pg_class_aclcheck(adopted->base, GetUserId(), ACL_UPDATE) !=
			ACLCHECK_OK &&
		pg_attribute_aclcheck(adopted->base, column, GetUserId(),
							  ACL_UPDATE) != ACLCHECK_OK)
		return columns;
	row->values[column] = Int64GetDatum(version + 1);
	row->nulls[column] = false;
	return bms_add_member(columns, column);
}

bool
dbvc_base_delete(const DbvcAdopted *adopted, const Datum *key,
				 const DbvcLast *expect)
{
	return run_plan(adopted, expect ? PLAN_DELETE_EXPECTED : PLAN_DELETE, NULL,
					NULL, key, expect, false, true) > 0;
}

bool
dbvc_base_lock(const DbvcAdopted *adopted, const Datum *key, DbvcBaseRow *row,
			   DbvcLast *last)
{
	HeapTuple tuple;
	TupleDesc desc;
	bool isnull;

	if (run_plan(adopted, PLAN_LOCK, NULL, NULL, key, NULL, false, false) == 0)
		return false;
	take_row(adopted, row);
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	last->version = DatumGetInt64(
		SPI_getbinval(tuple, desc, adopted->face_columns + 1, &isnull));
	last->xmin = DatumGetTransactionId(
		SPI_getbinval(tuple, desc, adopted->face_columns + 2, &isnull));
	last->rows = NULL;
	return true;
}
