/*
 * document_check.c
 *		Do items and documents fit each other?
 *
 * One pass over the base in the order of its key puts every document together
 * and takes it apart again; what no document leads to, items of no document
 * or of no known type, is asked for by queries over the items.  All of it is
 * seen with one snapshot, so that writers do no harm, and nothing is written.
 *
 * A sample is a part of the keys, chosen by their hash: the same ones in both
 * tables.
 */
#include "document/document_check.h"
#include "document/backfill.h"
#include "document/runtime.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "commands/trigger.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "util/util.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

/* Documents that are fetched at a time. */
#define FETCH 200
/* Hashes of keys, of which a sample takes the lower ones. */
#define HASHES (1 << 20)

typedef struct Check
{
	const DbvcAdopted *adopted;
	DbvcFinding *finding;
	double sample;
	int64 seed;
	MemoryContext context;	/* of the check */
	MemoryContext document; /* of one document */
	DbvcReader *reader;
	SPITupleTable *rows;
	int from;
	int to;
	int64 documents;
	int64 split;
	int64 items;
	int64 deleted;
} Check;

static const char *const names[DBVC_CHECKS] = {
	"rows are visible", "triggers",			"documents combine",
	"items are those",	"ranks are unique", "whole documents",
	"types are known",	"no orphans",		"counts",
};

/* ---------------------------------------------------------------- findings */

static void
fault(Check *check, DbvcCheckName name, const char *text)
{
	DbvcFinding *finding = &check->finding[name];
	MemoryContext old = MemoryContextSwitchTo(check->context);

	if (finding->faults++ < DBVC_FAULTS_SHOWN)
		finding->detail =
			psprintf("%s%s%s", finding->detail ? finding->detail : "",
					 finding->detail ? "; " : "", text);
	MemoryContextSwitchTo(old);
}

static void
fault_of(Check *check, DbvcCheckName name, const Datum *key, const char *text)
{
	fault(check, name,
		  psprintf("%s: %s", dbvc_adopted_key_text(check->adopted, key),
				   text));
}

/* ------------------------------------------------------------ one document */

static const char *
item_text(const DbvcAdopted *adopted, int part, const DbvcItem *item)
{
	return psprintf("item \"%.*s\" of type \"%s\"", item->id_len, item->id,
					adopted->parts->part[part].type);
}

/*
 * An id that was generated says nothing, and the second of two elements with
 * the same id has one; every other one is its element's.
 */
static bool
ids_fit(const DbvcItem *item, const DbvcItem *again, int duplicates)
{
	if (dbvc_item_generated(item) ||
		(duplicates > 0 && dbvc_item_generated(again)))
		return true;
	return item->id_len == again->id_len &&
		   memcmp(item->id, again->id, item->id_len) == 0;
}

static void
compare_part(Check *check, const Datum *key, int part, const DbvcItems *items,
			 const DbvcItems *again)
{
	if (items->count != again->count)
	{
		fault_of(check, DBVC_CHECK_ITEMS, key,
				 psprintf("%d items of type \"%s\", %d elements", items->count,
						  check->adopted->parts->part[part].type,
						  again->count));
		return;
	}
	for (int i = 0; i < items->count; i++)
	{
		const DbvcItem *item = &items->item[i];

		if (dbvc_value_same(&item->value, &again->item[i].value) &&
			ids_fit(item, &again->item[i], again->duplicates))
			continue;
		fault_of(check, DBVC_CHECK_ITEMS, key,
				 psprintf("%s is not the element",
						  item_text(check->adopted, part, item)));
		return;
	}
}

static void
check_ranks(Check *check, const Datum *key, const DbvcDocument *document)
{
	for (int part = 0; part < check->adopted->parts->count; part++)
	{
		const DbvcItems *items = &document->items[part];

		for (int i = 1; i < items->count; i++)
		{
			if (items->item[i].ord != items->item[i - 1].ord)
				continue;
			fault_of(check, DBVC_CHECK_RANKS, key,
					 psprintf("%s has the rank of another one",
							  item_text(check->adopted, part,
										&items->item[i])));
			break;
		}
	}
}

static void
check_split(Check *check, const Datum *key, Jsonb *slim, const DbvcRows *rows)
{
	const DbvcParts *parts = check->adopted->parts;
	DbvcDocument *document =
		dbvc_rows_document(check->adopted, slim, rows, false, NULL);
	DbvcDocument *again;
	int misplaced;

	check_ranks(check, key, document);
	if (slim == NULL)
	{
		for (int i = 0; i < rows->count; i++)
		{
			if (rows->row[i].deleted)
				continue;
			fault_of(check, DBVC_CHECK_COMBINE, key,
					 "the document is null and has items");
			return;
		}
		return;
	}
	misplaced = dbvc_doc_misplaced(parts, document);
	if (misplaced >= 0)
	{
		fault_of(check, DBVC_CHECK_COMBINE, key,
				 psprintf("no empty array at \"%s\" for its items",
						  parts->part[misplaced].path));
		return;
	}
	again = dbvc_doc_split(parts, dbvc_doc_combine(parts, document));
	for (int part = 0; part < parts->count; part++)
		compare_part(check, key, part, &document->items[part],
					 &again->items[part]);
	if (!dbvc_jsonb_same(again->slim, slim))
		fault_of(check, DBVC_CHECK_ITEMS, key, "the rest is another one");
}

static void
check_row(Check *check, HeapTuple row, TupleDesc desc)
{
	const DbvcAdopted *adopted = dbvc_adopted_get(check->adopted->base, false);
	int columns = adopted->nkeys;
	Datum *key = dbvc_keyset_read(adopted, row, desc);
	const DbvcRows *rows;
	bool isnull;
	bool missing;
	Datum slim;
	int64 version;

	check->adopted = adopted;
	rows = dbvc_reader_read(check->reader, adopted, GetActiveSnapshot(), key,
							true);
	slim = SPI_getbinval(row, desc, columns + 1, &isnull);
	check->documents++;
	for (int i = 0; i < rows->count; i++)
	{
		if (rows->row[i].deleted)
			check->deleted++;
		else
			check->items++;
	}
	version = DatumGetInt64(SPI_getbinval(row, desc, columns + 2, &missing));
	if (version > 0)
	{
		check->split++;
		check_split(check, key, isnull ? NULL : DatumGetJsonbP(slim), rows);
	}
	else if (rows->count > 0)
		fault_of(check, DBVC_CHECK_WHOLE, key, "it has items");
}

/* ---------------------------------------------------------- all documents */

static void
check_rows(void *arg)
{
	Check *check = arg;

	for (int i = check->from; i < check->to; i++)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(check->document);
		MemoryContextSwitchTo(check->document);
		check_row(check, check->rows->vals[i], check->rows->tupdesc);
	}
}

/* One that cannot even be read is a fault too, and the others go on. */
static void
check_fetched(Check *check, int count)
{
	Check before = *check;
	DbvcFinding findings[DBVC_CHECKS];
	ErrorData *error;

	memcpy(findings, check->finding, sizeof(findings));
	check->from = 0;
	check->to = count;
	error = dbvc_subtransaction(check_rows, check, true);
	if (error == NULL)
		return;
	*check = before;
	memcpy(check->finding, findings, sizeof(findings));
	for (int i = 0; i < count; i++)
	{
		check->from = i;
		check->to = i + 1;
		error = dbvc_subtransaction(check_rows, check, true);
		if (error == NULL)
			continue;
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
				MAKE_SQLSTATE('5', '7', '0', '0', '0') ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
				MAKE_SQLSTATE('5', '3', '0', '0', '0'))
			ReThrowError(error);
		check->documents++;
		fault_of(check, DBVC_CHECK_COMBINE,
				 dbvc_keyset_read(check->adopted, check->rows->vals[i],
								  check->rows->tupdesc),
				 error->message);
	}
}

/* " WHERE ..." or " AND ..." of the sample, for base or items */
static char *
sample_text(const Check *check, const char *alias, bool items,
			const char *before)
{
	if (check->sample >= 1)
		return "";
	return psprintf(
		" %s (pg_catalog.hash_record_extended(ROW(%s), " INT64_FORMAT
		") OPERATOR(pg_catalog.&) %d) OPERATOR(pg_catalog.<) %d",
		before, dbvc_keyset_columns(check->adopted, alias, items), check->seed,
		HASHES - 1, (int) (check->sample * HASHES));
}

static void
check_documents(Check *check)
{
	const DbvcAdopted *adopted = check->adopted;
	Portal portal;
	SPIPlanPtr plan = SPI_prepare(
		psprintf("SELECT %s, b.%s, b.%s FROM %s AS b%s ORDER BY %s",
				 dbvc_keyset_columns(adopted, "b", false),
				 quote_identifier(adopted->doc_name),
				 quote_identifier(
					 get_attname(adopted->base, adopted->base_version, false)),
				 adopted->base_name, sample_text(check, "b", false, "WHERE"),
				 dbvc_keyset_columns(adopted, "b", false)),
		0, NULL);

	if (plan == NULL)
		elog(ERROR, "could not prepare a check");
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	for (;;)
	{
		int count;

		SPI_cursor_fetch(portal, true, FETCH);
		check->rows = SPI_tuptable;
		count = (int) SPI_processed;
		if (count > 0)
			check_fetched(check, count);
		SPI_freetuptable(check->rows);
		if (count < FETCH)
			break;
	}
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
}

/* -------------------------------------------------------- what is no row's */

static int64
ask_number(const char *sql)
{
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not execute \"%s\"", sql);
	{
		int64 number = dbvc_row_int64(0, 1, 0);

		SPI_freetuptable(SPI_tuptable);
		return number;
	}
}

/* Faults that a query counts, with an example. */
static void
check_query(Check *check, DbvcCheckName name, const char *sql)
{
	int64 count;
	char *example;

	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not execute \"%s\"", sql);
	count = dbvc_row_int64(0, 1, 0);
	example = dbvc_row_text(0, 2);
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return;
	fault(check, name,
		  psprintf("%s%s", example,
				   count > 1 && count <= DBVC_FAULTS_SHOWN ? " ..." : ""));
	check->finding[name].faults = count;
}

static void
check_types(Check *check)
{
	const DbvcAdopted *adopted = check->adopted;
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < adopted->parts->count; i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "",
						 quote_literal_cstr(adopted->parts->part[i].type));
	check_query(check, DBVC_CHECK_TYPES,
				psprintf("SELECT pg_catalog.count(*), pg_catalog.min(i.type) "
						 "FROM %s AS i WHERE NOT (i.type "
						 "OPERATOR(pg_catalog.=) ANY "
						 "(ARRAY[%s]::pg_catalog.text[]))%s",
						 adopted->items_name, list.data,
						 sample_text(check, "i", true, "AND")));
}

static void
check_orphans(Check *check)
{
	const DbvcAdopted *adopted = check->adopted;
	StringInfoData join;

	initStringInfo(&join);
	for (int k = 0; k < adopted->nkeys; k++)
		appendStringInfo(&join, "%sb.%s %s i.%s", k > 0 ? " AND " : "",
						 quote_identifier(adopted->key[k].base_name),
						 adopted->key[k].equal,
						 quote_identifier(adopted->key[k].items_name));
	check_query(check, DBVC_CHECK_ORPHANS,
				psprintf("SELECT pg_catalog.count(*), pg_catalog.min(ROW(%s)::"
						 "pg_catalog.text) FROM %s AS i WHERE NOT EXISTS "
						 "(SELECT FROM %s AS b WHERE %s)%s",
						 dbvc_keyset_columns(adopted, "i", true),
						 adopted->items_name, adopted->base_name, join.data,
						 sample_text(check, "i", true, "AND")));
}

static void
check_counts(Check *check)
{
	int64 rows = ask_number(psprintf("SELECT pg_catalog.count(*) FROM %s AS "
									 "i%s",
									 check->adopted->items_name,
									 sample_text(check, "i", true, "WHERE")));
	int64 seen = check->items + check->deleted;
	int64 orphans = check->finding[DBVC_CHECK_ORPHANS].faults;
	DbvcFinding *finding = &check->finding[DBVC_CHECK_COUNTS];

	if (rows != seen + orphans)
		finding->faults = Max(rows - seen - orphans, seen + orphans - rows);
	finding->detail =
		psprintf(INT64_FORMAT " documents, " INT64_FORMAT
							  " of them split; " INT64_FORMAT
							  " items, " INT64_FORMAT " deleted ones",
				 check->documents, check->split, check->items, check->deleted);
	if (finding->faults > 0)
		finding->detail = psprintf("%s; but " INT64_FORMAT " rows of items",
								   finding->detail, rows);
}

static void
check_visible(Check *check, Oid relation, const char *name)
{
	if (check_enable_rls(relation, InvalidOid, true) == RLS_ENABLED)
		fault(check, DBVC_CHECK_VISIBLE,
			  psprintf("row security of %s is in force for role \"%s\"", name,
					   GetUserNameFromId(GetUserId(), false)));
}

static void
check_trigger(Check *check, Oid relation, const char *name,
			  const char *trigger)
{
	Relation rel = table_open(relation, AccessShareLock);
	TriggerDesc *triggers = rel->trigdesc;
	bool found = false;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *t = &triggers->triggers[i];

		if (strcmp(t->tgname, trigger) != 0)
			continue;
		found = t->tgenabled != TRIGGER_DISABLED;
		/* a restore that disables triggers enables them otherwise */
		if (found && relation == check->adopted->base &&
			t->tgenabled != TRIGGER_FIRES_ALWAYS)
			fault(check, DBVC_CHECK_TRIGGERS,
				  psprintf("trigger \"%s\" of %s does not fire always: "
						   "ALTER TABLE %s ENABLE ALWAYS TRIGGER %s",
						   trigger, name, name, trigger));
	}
	table_close(rel, AccessShareLock);
	if (!found)
		fault(check, DBVC_CHECK_TRIGGERS,
			  psprintf("trigger \"%s\" of %s is missing or disabled", trigger,
					   name));
}

void
dbvc_document_check_all(Oid relation, double sample, DbvcFinding *findings)
{
	Check check = {.finding = findings, .sample = sample};
	const DbvcAdopted *adopted = dbvc_adopted_get(relation, false);

	memset(findings, 0, DBVC_CHECKS * sizeof(DbvcFinding));
	for (int i = 0; i < DBVC_CHECKS; i++)
		findings[i].name = names[i];
	check.adopted = adopted;
	check.context = CurrentMemoryContext;
	check.document =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc document",
							  ALLOCSET_DEFAULT_SIZES);
	check.reader = dbvc_reader_make(CurrentMemoryContext);
	check.seed = (int64) pg_prng_uint64(&pg_global_prng_state);
	check_visible(&check, adopted->base, adopted->base_name);
	check_visible(&check, adopted->items, adopted->items_name);
	check_trigger(&check, adopted->face, adopted->name, DBVC_FACE_TRIGGER);
	check_trigger(&check, adopted->base, adopted->base_name,
				  DBVC_BASE_TRIGGER);
	check_trigger(&check, adopted->items, adopted->items_name,
				  DBVC_ITEMS_TRIGGER);
	check_documents(&check);
	check_types(&check);
	check_orphans(&check);
	check_counts(&check);
	MemoryContextDelete(check.document);
}

char *
dbvc_finding_text(const DbvcFinding *finding)
{
	return psprintf(INT64_FORMAT " %s: %s%s", finding->faults,
					finding->faults == 1 ? "fault" : "faults", finding->detail,
					finding->faults > DBVC_FAULTS_SHOWN ? " ..." : "");
}

PG_FUNCTION_INFO_V1(dbvc_document_check);
Datum
dbvc_document_check(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	float4 sample = PG_GETARG_FLOAT4(1);
	DbvcFinding findings[DBVC_CHECKS];

	if (!(sample > 0 && sample <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"sample\" must be above 0, and 1 at most"),
				 errdetail("It is the part of the documents to be checked.")));
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	dbvc_document_check_all(PG_GETARG_OID(0), sample, findings);
	for (int i = 0; i < DBVC_CHECKS; i++)
	{
		const DbvcFinding *finding = &findings[i];
		Datum values[3];
		bool nulls[3] = {false};
		const char *detail = finding->detail;

		if (finding->faults > 0 && i != DBVC_CHECK_COUNTS)
			detail = dbvc_finding_text(finding);
		values[0] = CStringGetTextDatum(finding->name);
		values[1] = BoolGetDatum(finding->faults == 0);
		nulls[2] = detail == NULL;
		values[2] = detail ? CStringGetTextDatum(detail) : (Datum) 0;
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

/* ------------------------------------------------------------------ counts */

typedef struct Count
{
	Oid base;
	Datum values[4];
} Count;

static void
count_rows(void *arg)
{
	Count *count = arg;
	const DbvcAdopted *adopted = dbvc_adopted_get(count->base, false);

	SPI_connect();
	if (SPI_execute(
			psprintf("SELECT b.n, b.split, i.n, i.deleted FROM "
					 "(SELECT pg_catalog.count(*) AS n, pg_catalog.count(*) "
					 "FILTER (WHERE b.%s OPERATOR(pg_catalog.>) 0) AS split "
					 "FROM %s AS b) AS b, "
					 "(SELECT pg_catalog.count(*) FILTER (WHERE i.%s IS NULL) "
					 "AS n, pg_catalog.count(i.%s) AS deleted "
					 "FROM %s AS i) AS i",
					 quote_identifier(get_attname(
						 adopted->base, adopted->base_version, false)),
					 adopted->base_name, DBVC_ITEMS_DELETED,
					 DBVC_ITEMS_DELETED, adopted->items_name),
			true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not count documents");
	for (int i = 0; i < 4; i++)
		count->values[i] = Int64GetDatum(dbvc_row_int64(0, i + 1, 0));
	SPI_finish();
}

/*
 * One table that is not as it was made must not keep the others from being
 * counted: for that one, a warning and no numbers.
 */
PG_FUNCTION_INFO_V1(dbvc_document_count);
Datum
dbvc_document_count(PG_FUNCTION_ARGS)
{
	Count count = {.base = PG_GETARG_OID(0)};
	bool nulls[4] = {false};
	TupleDesc desc;
	ErrorData *error;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	error = dbvc_subtransaction(count_rows, &count, true);
	if (error != NULL)
	{
		if (error->sqlerrcode != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
			ReThrowError(error);
		ereport(WARNING,
				(errcode(error->sqlerrcode), errmsg("%s", error->message),
				 error->detail ? errdetail("%s", error->detail) : 0));
		memset(nulls, true, sizeof(nulls));
	}
	return HeapTupleGetDatum(
		heap_form_tuple(BlessTupleDesc(desc), count.values, nulls));
}
