/*
 * query.c
 *		dbvc's own queries: prepared once per backend, parameters only.
 */
#include "util/util.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

uint64
dbvc_query_run(DbvcQuery *query, Datum *values, const char *nulls,
			   bool read_only, long limit)
{
	int rc;

	if (query->plan == NULL)
	{
		SPIPlanPtr plan =
			SPI_prepare(query->sql, query->nargs, query->argtypes);

		if (plan == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", query->sql,
				 SPI_result_code_string(SPI_result));
		if (SPI_keepplan(plan) != 0)
			elog(ERROR, "could not keep plan of \"%s\"", query->sql);
		query->plan = plan;
	}
	rc = SPI_execute_plan(query->plan, values, nulls, read_only, limit);
	if (rc < 0)
		elog(ERROR, "could not execute \"%s\": %s", query->sql,
			 SPI_result_code_string(rc));
	return SPI_processed;
}

uint64
dbvc_query_latest(DbvcQuery *query, Datum *values, long limit)
{
	MemoryContext context = CurrentMemoryContext;
	uint64 rows;

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	rows = dbvc_query_run(query, values, NULL, true, limit);
	PopActiveSnapshot();
	MemoryContextSwitchTo(context); /* SPI left its own */
	return rows;
}

List *
dbvc_query_texts(DbvcQuery *query)
{
	uint64 rows = dbvc_query_run(query, NULL, NULL, false, 0);
	List *texts = NIL;

	for (uint64 row = 0; row < rows; row++)
		texts = lappend(texts, dbvc_row_text(row, 1));
	SPI_freetuptable(SPI_tuptable);
	return texts;
}

void
dbvc_row_values(uint64 row, Datum *values, bool *nulls)
{
	heap_deform_tuple(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, values,
					  nulls);
}

Datum
dbvc_row_datum(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						 column, isnull);
}

char *
dbvc_row_text(uint64 row, int column)
{
	bool isnull;
	Datum value = dbvc_row_datum(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

int64
dbvc_row_int64(uint64 row, int column, int64 if_null)
{
	bool isnull;
	Datum value = dbvc_row_datum(row, column, &isnull);

	return isnull ? if_null : DatumGetInt64(value);
}

bytea *
dbvc_row_bytea(uint64 row, int column)
{
	bool isnull;
	Datum value = dbvc_row_datum(row, column, &isnull);

	return isnull ? NULL : DatumGetByteaPCopy(value);
}
