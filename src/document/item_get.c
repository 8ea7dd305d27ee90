/*
 * item_get.c
 *		Items of a document, in order, page by page.
 *
 * A position is type, rank and id of an item, as a JSON array.  It says where
 * to go on, whatever has become of the item.  Rows are read through the index
 * of types, a part after the other; of a whole document, what splitting it
 * would give is shown, with the same positions that it will have.
 */
#include "document/item.h"

#include "document/doc_raw.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/tuplestore.h"

#include "util/util.h"

#define COLUMNS 8
/* So many rows are read at once. */
#define PAGE 1000

typedef struct Position
{
	const char *type;
	int64 ord;
	const char *id;
} Position;

typedef struct Reading
{
	DbvcTarget target;
	ReturnSetInfo *result;
	const DbvcPart **parts; /* in order of their types */
	int count;
	bool has_after;
	Position after;
	int64 left;			 /* how many more are wanted */
	DbvcDocument *whole; /* if the document is */
} Reading;

DBVC_NORETURN static void
refuse_position(const char *text)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("\"%s\" is no position of an item", text),
					errhint("Give the position of the last row seen.")));
}

static Position
read_position(const char *text)
{
	Position position;
	DbvcValue array;
	DbvcValue part[3];
	DbvcRawIter elements;
	Jsonb *ord;

	if (text[0] != '[')
		refuse_position(text);
	array =
		dbvc_value_read(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	if (!dbvc_raw_is_array(&array) || dbvc_raw_count(&array) != 3)
		refuse_position(text);
	elements = dbvc_raw_elements(&array);
	for (int i = 0; i < 3; i++)
		part[i] = dbvc_raw_next(&elements);
	if (part[0].kind != JENTRY_ISSTRING || part[1].kind != JENTRY_ISNUMERIC ||
		part[2].kind != JENTRY_ISSTRING)
		refuse_position(text);
	ord = dbvc_value_jsonb(&part[1]);
	position.type = pnstrdup(part[0].data, part[0].len);
	position.ord =
		DatumGetInt64(DirectFunctionCall1(jsonb_int8, JsonbPGetDatum(ord)));
	position.id = pnstrdup(part[2].data, part[2].len);
	return position;
}

static int
compare_types(const void *a, const void *b)
{
	return strcmp((*(const DbvcPart *const *) a)->type,
				  (*(const DbvcPart *const *) b)->type);
}

/* The parts asked for, in order. */
static void
choose_parts(Reading *reading, const char *type)
{
	const DbvcParts *parts = reading->target.adopted->parts;

	reading->parts = palloc(sizeof(DbvcPart *) * (parts->count + 1));
	if (type != NULL)
	{
		reading->parts[0] =
			&parts->part[dbvc_item_part(reading->target.adopted, type)];
		reading->count = 1;
		return;
	}
	for (int p = 0; p < parts->count; p++)
		reading->parts[p] = &parts->part[p];
	reading->count = parts->count;
	qsort(reading->parts, reading->count, sizeof(DbvcPart *), compare_types);
}

/* Rows of a type from a position on. */
static void
read_rows(Reading *reading, Position from)
{
	bool isnull;
	uint64 rows;

	do
	{
		Datum args[] = {CStringGetTextDatum(from.type),
						Int64GetDatum(from.ord), CStringGetTextDatum(from.id),
						Int64GetDatum(Min(reading->left, PAGE))};

		CHECK_FOR_INTERRUPTS();
		rows =
			dbvc_target_run(&reading->target, DBVC_RUN_ITEM_LIST, args, true);
		for (uint64 row = 0; row < rows; row++)
			tuplestore_puttuple(reading->result->setResult,
								SPI_tuptable->vals[row]);
		reading->left -= rows;
		if (rows > 0)
		{
			from.id = dbvc_row_text(rows - 1, 2);
			from.ord = DatumGetInt64(dbvc_row_datum(rows - 1, 3, &isnull));
		}
	} while (rows == PAGE && reading->left > 0);
}

static void
put_item(Reading *reading, const char *type, const DbvcItem *item)
{
	Datum values[COLUMNS];
	bool nulls[COLUMNS] = {0};
	StringInfoData position;

	initStringInfo(&position);
	appendStringInfoChar(&position, '[');
	escape_json(&position, type);
	appendStringInfo(&position, ", " INT64_FORMAT ", ", item->ord);
	escape_json(&position, pnstrdup(item->id, item->id_len));
	appendStringInfoChar(&position, ']');
	values[0] = CStringGetTextDatum(type);
	values[1] =
		PointerGetDatum(cstring_to_text_with_len(item->id, item->id_len));
	values[2] = Int64GetDatum(item->ord);
	values[3] = JsonbPGetDatum(dbvc_value_jsonb(&item->value));
	values[4] = Int64GetDatum(0);
	nulls[5] = nulls[6] = true;
	values[7] =
		PointerGetDatum(cstring_to_text_with_len(position.data, position.len));
	tuplestore_putvalues(reading->result->setResult, reading->result->setDesc,
						 values, nulls);
	reading->left--;
}

/* Elements of a whole document, from a position on: no two have one rank. */
static void
read_elements(Reading *reading, const DbvcPart *part, Position from)
{
	const DbvcItems *items =
		&reading->whole->items[part - reading->target.adopted->parts->part];

	for (int i = 0; i < items->count && reading->left > 0; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (items->item[i].ord > from.ord)
			put_item(reading, part->type, &items->item[i]);
	}
}

/* Is the document there?  If it is whole, split it in memory. */
static bool
read_document(Reading *reading)
{
	DbvcTarget *target = &reading->target;
	Datum value;
	bool isnull;

	if (dbvc_target_run(target, DBVC_RUN_BASE_VERSION, NULL, true) == 0)
		return false;
	if (dbvc_row_int64(0, 1, 0) > 0)
		return true;
	if (dbvc_target_run(target, DBVC_RUN_BASE_DOCUMENT, NULL, true) == 0)
		return false;
	value = dbvc_row_datum(0, 2, &isnull);
	if (isnull)
		return false;
	/* its copy outlives the row */
	reading->whole =
		dbvc_doc_split(target->adopted->parts, DatumGetJsonbPCopy(value));
	return true;
}

static void
read_parts(Reading *reading)
{
	for (int p = 0; p < reading->count && reading->left > 0; p++)
	{
		const DbvcPart *part = reading->parts[p];
		Position from = {part->type, PG_INT64_MIN, ""};
		int order =
			reading->has_after ? strcmp(part->type, reading->after.type) : 1;

		if (order < 0)
			continue;
		if (order == 0)
			from = reading->after;
		if (reading->whole != NULL)
			read_elements(reading, part, from);
		else
			read_rows(reading, from);
	}
}

PG_FUNCTION_INFO_V1(dbvc_item_get);
Datum
dbvc_item_get(PG_FUNCTION_ARGS)
{
	Reading reading = {.result = (ReturnSetInfo *) fcinfo->resultinfo,
					   .left = PG_INT64_MAX};

	dbvc_argument_require(fcinfo, 0, "source");
	dbvc_argument_require(fcinfo, 1, "key");
	InitMaterializedSRF(fcinfo, 0);
	if (!PG_ARGISNULL(3))
	{
		reading.after = read_position(text_to_cstring(PG_GETARG_TEXT_PP(3)));
		reading.has_after = true;
	}
	if (!PG_ARGISNULL(4))
		reading.left = PG_GETARG_INT32(4);
	if (reading.left < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("max must not be negative")));
	dbvc_target_open(&reading.target, PG_GETARG_OID(0),
					 PG_GETARG_ARRAYTYPE_P(1), AccessShareLock);
	choose_parts(&reading, PG_ARGISNULL(2)
							   ? NULL
							   : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	if (read_document(&reading))
		read_parts(&reading);
	SPI_finish();
	return (Datum) 0;
}
