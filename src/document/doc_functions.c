/*
 * doc_functions.c
 *		Splitting, combining, comparing and merging for SQL.
 */
#include "document/doc_raw.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

/* The parts of the last call, in fn_extra. */
typedef struct PartsCache
{
	Jsonb *config;
	DbvcParts *parts;
} PartsCache;

static const DbvcParts *
parts_argument(FunctionCallInfo fcinfo, int n)
{
	Jsonb *config = PG_GETARG_JSONB_P(n);
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	PartsCache *cache = fcinfo->flinfo->fn_extra;
	DbvcParts *parts;

	if (cache != NULL && VARSIZE(cache->config) == VARSIZE(config) &&
		memcmp(cache->config, config, VARSIZE(config)) == 0)
		return cache->parts;
	parts = dbvc_parts_parse(config, context);
	if (cache == NULL)
		cache = MemoryContextAllocZero(context, sizeof(PartsCache));
	else
	{
		/* nobody has it if what follows fails */
		fcinfo->flinfo->fn_extra = NULL;
		pfree(cache->config);
		pfree(cache->parts);
	}
	cache->parts = parts;
	cache->config = MemoryContextAlloc(context, VARSIZE(config));
	memcpy(cache->config, config, VARSIZE(config));
	fcinfo->flinfo->fn_extra = cache;
	return parts;
}

/* A row of a text, an item's id, its rank and its value. */
static void
put_row(ReturnSetInfo *result, const char *first, const DbvcItem *item)
{
	text *name = cstring_to_text(first);
	text *id = cstring_to_text_with_len(item->id, item->id_len);
	Jsonb *data = dbvc_value_jsonb(&item->value);
	Datum values[4] = {PointerGetDatum(name), PointerGetDatum(id),
					   Int64GetDatum(item->ord), JsonbPGetDatum(data)};
	bool nulls[4] = {0};

	CHECK_FOR_INTERRUPTS();
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	pfree(name);
	pfree(id);
	pfree(data);
}

PG_FUNCTION_INFO_V1(dbvc_document_parts);
Datum
dbvc_document_parts(PG_FUNCTION_ARGS)
{
	char *text = dbvc_parts_text(parts_argument(fcinfo, 0));

	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
}

PG_FUNCTION_INFO_V1(dbvc_document_slim);
Datum
dbvc_document_slim(PG_FUNCTION_ARGS)
{
	DbvcDocument *document =
		dbvc_doc_split(parts_argument(fcinfo, 1), PG_GETARG_JSONB_P(0));

	PG_RETURN_JSONB_P(document->slim);
}

PG_FUNCTION_INFO_V1(dbvc_document_items);
Datum
dbvc_document_items(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const DbvcParts *parts = parts_argument(fcinfo, 1);
	DbvcDocument *document = dbvc_doc_split(parts, PG_GETARG_JSONB_P(0));

	InitMaterializedSRF(fcinfo, 0);
	for (int p = 0; p < parts->count; p++)
	{
		for (int i = 0; i < document->items[p].count; i++)
			put_row(result, parts->part[p].type, &document->items[p].item[i]);
	}
	return (Datum) 0;
}

/* An argument that is an array, without nulls, of so many elements. */
static Datum *
array_argument(FunctionCallInfo fcinfo, int n, int *count)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(n);
	Datum *values;
	bool *nulls;
	int found;
	int16 typlen;
	bool typbyval;
	char typalign;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &typlen, &typbyval, &typalign);
	deconstruct_array(array, ARR_ELEMTYPE(array), typlen, typbyval, typalign,
					  &values, &nulls, &found);
	if (*count < 0)
		*count = found;
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument %d must be a one-dimensional array", n + 1),
				 errdetail("It has %d dimensions.", ARR_NDIM(array))));
	if (found != *count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arrays of different lengths"),
				 errdetail("The first has %d elements, number %d has %d.",
						   *count, n + 1, found),
				 errhint("Every array has one element for each item.")));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("no element of argument %d may be null", n + 1)));
	return values;
}

static bool
is_same_text(Datum a, Datum b)
{
	Size len = VARSIZE_ANY_EXHDR(DatumGetPointer(a));

	return len == VARSIZE_ANY_EXHDR(DatumGetPointer(b)) &&
		   memcmp(VARDATA_ANY(DatumGetPointer(a)),
				  VARDATA_ANY(DatumGetPointer(b)), len) == 0;
}

/* Which part each type names. */
static int *
parts_of_types(const DbvcParts *parts, const Datum *types, int count)
{
	int *part = palloc((Size) (count + 1) * sizeof(int));

	for (int i = 0; i < count; i++)
	{
		text *type = DatumGetTextPP(types[i]);

		CHECK_FOR_INTERRUPTS();
		/* usually those of a type stand together */
		part[i] = i > 0 && is_same_text(types[i - 1], types[i])
					  ? part[i - 1]
					  : dbvc_parts_find(parts, VARDATA_ANY(type),
										VARSIZE_ANY_EXHDR(type));
		if (part[i] < 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("no part has the type \"%s\"",
								   text_to_cstring(type))));
	}
	return part;
}

PG_FUNCTION_INFO_V1(dbvc_document_combine);
Datum
dbvc_document_combine(PG_FUNCTION_ARGS)
{
	const DbvcParts *parts = parts_argument(fcinfo, 1);
	DbvcDocument *document = dbvc_doc_make(parts, PG_GETARG_JSONB_P(0));
	int count = -1;
	Datum *types = array_argument(fcinfo, 2, &count);
	Datum *values = array_argument(fcinfo, 3, &count);
	int *part = parts_of_types(parts, types, count);

	for (int i = 0; i < count; i++)
		document->items[part[i]].count++;
	for (int p = 0; p < parts->count; p++)
	{
		document->items[p].item =
			dbvc_raw_array(document->items[p].count, sizeof(DbvcItem));
		document->items[p].count = 0;
	}
	for (int i = 0; i < count; i++)
	{
		DbvcItems *items = &document->items[part[i]];

		items->item[items->count++].value = dbvc_value_read(values[i]);
	}
	PG_RETURN_JSONB_P(dbvc_doc_combine(parts, document));
}

static DbvcItems
existing_argument(FunctionCallInfo fcinfo)
{
	DbvcItems items = {.count = -1};
	Datum *ids = array_argument(fcinfo, 0, &items.count);
	Datum *ords = array_argument(fcinfo, 1, &items.count);
	Datum *values = array_argument(fcinfo, 2, &items.count);

	items.item = dbvc_raw_array(items.count, sizeof(DbvcItem));
	for (int i = 0; i < items.count; i++)
	{
		text *id = DatumGetTextPP(ids[i]);

		items.item[i].id = VARDATA_ANY(id);
		items.item[i].id_len = VARSIZE_ANY_EXHDR(id);
		items.item[i].ord = DatumGetInt64(ords[i]);
		items.item[i].value = dbvc_value_read(values[i]);
	}
	return items;
}

static const char *
action_name(DbvcItemAction action)
{
	switch (action)
	{
		case DBVC_ITEM_DELETE:
			return "delete";
		case DBVC_ITEM_MOVE:
			return "move";
		case DBVC_ITEM_UPDATE:
			return "update";
		case DBVC_ITEM_INSERT:
			return "insert";
	}
	return NULL; /* silence the compiler */
}

PG_FUNCTION_INFO_V1(dbvc_document_diff);
Datum
dbvc_document_diff(PG_FUNCTION_ARGS)
{
	static const DbvcPart part = {.path = "elements",
								  .id_key = {DBVC_PART_ID_KEY,
											 sizeof(DBVC_PART_ID_KEY) - 1}};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DbvcItems existing = existing_argument(fcinfo);
	DbvcValue array = dbvc_value_read(PG_GETARG_DATUM(3));
	DbvcItems items = dbvc_items_read(&part, &array);
	DbvcItemWrites writes = dbvc_items_diff(&existing, &items, 0);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < writes.count; i++)
	{
		const DbvcItemWrite *write = &writes.write[i];

		put_row(result, action_name(write->action), &write->after);
	}
	return (Datum) 0;
}

static void
append_name(StringInfo text, const char *name, const char *bytes, int len)
{
	appendStringInfo(text, "\"%s\": ", name);
	if (bytes == NULL)
		appendStringInfoString(text, "null");
	else
		escape_json(text, pnstrdup(bytes, len));
}

static void
append_conflicts(StringInfo text, const DbvcParts *parts, List *conflicts)
{
	ListCell *lc;

	appendStringInfoString(text, "\"conflicts\": [");
	foreach (lc, conflicts)
	{
		const DbvcConflict *conflict = lfirst(lc);

		if (lc != list_head(conflicts))
			appendStringInfoString(text, ", ");
		appendStringInfoChar(text, '{');
		if (conflict->part < 0)
			append_name(text, "key", conflict->key.text, conflict->key.len);
		else
		{
			const char *type = parts->part[conflict->part].type;

			append_name(text, "type", type, (int) strlen(type));
			appendStringInfoString(text, ", ");
			append_name(text, "item_id", conflict->item_id.text,
						conflict->item_id.len);
		}
		appendStringInfoChar(text, '}');
	}
	appendStringInfoChar(text, ']');
}

/* What it would take to write the items, for each type that changes. */
static void
append_writes(StringInfo text, const DbvcParts *parts,
			  const DbvcDocument *current, const DbvcMerge *merge)
{
	const char *comma = "";

	appendStringInfoString(text, ", \"writes\": {");
	for (int p = 0; p < parts->count; p++)
	{
		DbvcItemWrites writes =
			dbvc_items_plan(&current->items[p], &merge->document.items[p],
							merge->match[p], 0);

		if (writes.count == 0)
			continue;
		appendStringInfoString(text, comma);
		escape_json(text, parts->part[p].type);
		appendStringInfo(text,
						 ": {\"delete\": %d, \"change\": %d, \"insert\": %d}",
						 writes.deletes, writes.changes, writes.inserts);
		comma = ", ";
	}
	appendStringInfoChar(text, '}');
}

PG_FUNCTION_INFO_V1(dbvc_document_merge);
Datum
dbvc_document_merge(PG_FUNCTION_ARGS)
{
	const DbvcParts *parts = parts_argument(fcinfo, 3);
	DbvcDocument *old = dbvc_doc_split(parts, PG_GETARG_JSONB_P(0));
	DbvcDocument *changed = dbvc_doc_split(parts, PG_GETARG_JSONB_P(1));
	DbvcDocument *current = dbvc_doc_split(parts, PG_GETARG_JSONB_P(2));
	DbvcMerge *merge = dbvc_doc_merge(parts, old, changed, current);
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoChar(&text, '{');
	append_conflicts(&text, parts, merge->conflicts);
	if (merge->conflicts == NIL)
	{
		Jsonb *whole = dbvc_doc_combine(parts, &merge->document);

		append_writes(&text, parts, current, merge);
		appendStringInfoString(&text, ", \"document\": ");
		JsonbToCString(&text, &whole->root, (int) VARSIZE(whole));
	}
	appendStringInfoChar(&text, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

PG_FUNCTION_INFO_V1(dbvc_document_same_bytes);
Datum
dbvc_document_same_bytes(PG_FUNCTION_ARGS)
{
	struct varlena *a = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
	struct varlena *b = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(1));

	PG_RETURN_BOOL(
		VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0);
}
