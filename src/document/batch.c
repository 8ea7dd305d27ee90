/*
 * batch.c
 *		Documents that have never been split, a range of them at a time.
 *
 * The rows are locked and read by one statement, written by another one, and
 * their items by a third.  The trigger on the base makes doc_version 1 of 0.
 */
#include "document/backfill.h"
#include "document/doc_raw.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* What is to be written. */
typedef struct Split
{
	int count; /* documents that were split */
	int whole; /* ... and that need no splitting */
	Datum **key;
	ItemPointerData *tid;
	Datum *slim;
	DbvcDocument **document;
	Datum **whole_key;
	ItemPointerData *whole_tid;
	int64 items;
} Split;

static void
make_room(Split *split, int rows)
{
	memset(split, 0, sizeof(Split));
	split->key = palloc(rows * sizeof(Datum *));
	split->tid = palloc(rows * sizeof(ItemPointerData));
	split->slim = palloc(rows * sizeof(Datum));
	split->document = palloc(rows * sizeof(DbvcDocument *));
	split->whole_key = palloc(rows * sizeof(Datum *));
	split->whole_tid = palloc(rows * sizeof(ItemPointerData));
}

static void
add_whole(Split *split, Datum *key, ItemPointer tid)
{
	split->whole_key[split->whole] = key;
	split->whole_tid[split->whole++] = *tid;
}

/* options.strict: at a part's path is an array, null or nothing. */
static void
check_strict(const DbvcPart *part, DbvcValue value)
{
	for (int depth = 0; depth < part->depth; depth++)
	{
		if (!dbvc_raw_is_object(&value) ||
			!dbvc_raw_find(&value, &part->keys[depth], &value))
			return;
	}
	if (!dbvc_raw_is_array(&value) && value.kind != JENTRY_ISNULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("value at \"%s\" is no array", part->path)));
}

static void
check_document(DbvcDrive *drive, const DbvcAdopted *adopted, Jsonb *doc,
			   const DbvcDocument *document)
{
	for (int i = 0; i < adopted->parts->count; i++)
	{
		const DbvcPart *part = &adopted->parts->part[i];

		if (adopted->strict)
			check_strict(part, dbvc_value_read(JsonbPGetDatum(doc)));
		if (document->items[i].duplicates == 0)
			continue;
		if (adopted->duplicates_error)
			ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
							errmsg("elements at \"%s\" have the same id",
								   part->path)));
		drive->batch.duplicates++;
	}
}

static void
add_document(DbvcDrive *drive, Split *split, Datum *key, ItemPointer tid,
			 Jsonb *doc)
{
	const DbvcAdopted *adopted = dbvc_adopted_get(drive->run.base, false);
	DbvcDocument *document;

	document = dbvc_doc_split(adopted->parts, doc);
	check_document(drive, adopted, doc, document);
	if (document->slim == doc)
	{
		add_whole(split, key, tid);
		return;
	}
	split->key[split->count] = key;
	split->tid[split->count] = *tid;
	split->slim[split->count] = JsonbPGetDatum(document->slim);
	split->document[split->count++] = document;
	for (int part = 0; part < adopted->parts->count; part++)
		split->items += document->items[part].count;
}

static void
split_rows(DbvcDrive *drive, Split *split)
{
	DbvcBatch *batch = &drive->batch;
	SPITupleTable *rows = SPI_tuptable;
	int columns = batch->adopted->nkeys;

	for (int i = 0; i < batch->found; i++)
	{
		HeapTuple row = rows->vals[i];
		bool isnull;
		ItemPointer tid;
		Datum doc;

		CHECK_FOR_INTERRUPTS();
		if (!dbvc_drive_next(drive, row, rows->tupdesc))
			continue;
		tid = (ItemPointer) DatumGetPointer(
			SPI_getbinval(row, rows->tupdesc, columns + 1, &isnull));
		doc = SPI_getbinval(row, rows->tupdesc, columns + 2, &isnull);
		if (isnull)
			add_whole(split, batch->key[i], tid);
		else
		{
			Jsonb *whole = DatumGetJsonbP(doc);

			batch->bytes += VARSIZE(whole);
			add_document(drive, split, batch->key[i], tid, whole);
		}
		if (batch->bytes >= dbvc_document_buffer())
			break;
	}
	batch->failed = -1;
}

/* ------------------------------------------------------------------- items */

/* Columns of the items that are to be written, as arrays. */
typedef struct Columns
{
	const DbvcParts *parts;
	int count;
	Datum *key[DBVC_KEY_MAX];
	Datum *type;
	Datum *id;
	Datum *ord;
	Datum *data;
} Columns;

static void
fill_columns(Columns *columns, const DbvcAdopted *adopted, const Split *split,
			 int from, int to)
{
	for (int i = from; i < to; i++)
	{
		for (int part = 0; part < columns->parts->count; part++)
		{
			const DbvcItems *items = &split->document[i]->items[part];
			Datum type =
				items->count > 0
					? CStringGetTextDatum(columns->parts->part[part].type)
					: (Datum) 0;

			for (int n = 0; n < items->count; n++)
			{
				const DbvcItem *item = &items->item[n];
				int at = columns->count++;

				for (int key = 0; key < adopted->nkeys; key++)
					columns->key[key][at] = split->key[i][key];
				columns->type[at] = type;
				columns->id[at] = PointerGetDatum(
					cstring_to_text_with_len(item->id, item->id_len));
				columns->ord[at] = Int64GetDatum(item->ord);
				columns->data[at] =
					JsonbPGetDatum(dbvc_value_jsonb(&item->value));
			}
		}
	}
}

static void
make_columns(Columns *columns, const DbvcAdopted *adopted, int64 items)
{
	Size size = (items + 1) * sizeof(Datum);

	for (int key = 0; key < adopted->nkeys; key++)
		columns->key[key] = palloc_extended(size, MCXT_ALLOC_HUGE);
	columns->type = palloc_extended(size, MCXT_ALLOC_HUGE);
	columns->id = palloc_extended(size, MCXT_ALLOC_HUGE);
	columns->ord = palloc_extended(size, MCXT_ALLOC_HUGE);
	columns->data = palloc_extended(size, MCXT_ALLOC_HUGE);
}

static Datum
array_of(Oid type, const Datum *elements, int count)
{
	int16 typlen;
	bool typbyval;
	char typalign;

	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_array((Datum *) elements, count, type,
										   typlen, typbyval, typalign));
}

/* INSERT INTO items (id, type, item_id, ord, data) SELECT * FROM unnest()s */
static char *
insert_text(const DbvcAdopted *adopted)
{
	static const char *const columns[] = {DBVC_ITEMS_TYPE, DBVC_ITEMS_ID,
										  DBVC_ITEMS_ORD, DBVC_ITEMS_DATA};
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s (", adopted->items_name);
	for (int i = 0; i < adopted->nkeys; i++)
		appendStringInfo(&sql, "%s, ",
						 quote_identifier(adopted->key[i].items_name));
	appendStringInfo(&sql, "%s, %s, %s, %s) SELECT * FROM ROWS FROM (",
					 columns[0], columns[1], columns[2], columns[3]);
	for (int i = 0; i < adopted->nkeys + lengthof(columns); i++)
		appendStringInfo(&sql, "%spg_catalog.unnest($%d)", i > 0 ? ", " : "",
						 i + 1);
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

static void
insert_items(DbvcDrive *drive, const Split *split)
{
	const DbvcAdopted *adopted = drive->batch.adopted;
	Columns columns = {.parts = dbvc_adopted_get(adopted->base, false)->parts};
	Oid types[DBVC_KEY_MAX + 4];
	Datum values[DBVC_KEY_MAX + 4];
	int n;

	make_columns(&columns, adopted, split->items);
	fill_columns(&columns, adopted, split, 0, split->count);
	for (n = 0; n < adopted->nkeys; n++)
	{
		types[n] = get_array_type(adopted->key[n].type);
		values[n] =
			array_of(adopted->key[n].type, columns.key[n], columns.count);
	}
	types[n] = TEXTARRAYOID;
	values[n++] = array_of(TEXTOID, columns.type, columns.count);
	types[n] = TEXTARRAYOID;
	values[n++] = array_of(TEXTOID, columns.id, columns.count);
	types[n] = INT8ARRAYOID;
	values[n++] = array_of(INT8OID, columns.ord, columns.count);
	types[n] = JSONBARRAYOID;
	values[n++] = array_of(JSONBOID, columns.data, columns.count);
	if (dbvc_drive_query(drive, insert_text(adopted), n, types, values,
						 false) != split->items)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("items were not inserted"),
				 errdetail("A trigger or a rule on %s has kept them from "
						   "that.",
						   adopted->items_name)));
}

void
dbvc_backfill_range(DbvcDrive *drive, const DbvcRange *range)
{
	DbvcWriteMode before;
	SPITupleTable *rows;
	Split split;

	dbvc_drive_lock_rows(drive, range);
	rows = SPI_tuptable;
	make_room(&split, drive->batch.found);
	split_rows(drive, &split);
	before = dbvc_write_begin(DBVC_WRITE_SPLIT);
	dbvc_drive_update(drive, split.whole, split.whole_key, split.whole_tid,
					  NULL);
	dbvc_drive_update(drive, split.count, split.key, split.tid, split.slim);
	if (split.items > 0)
		insert_items(drive, &split);
	dbvc_write_end(before);
	SPI_freetuptable(rows);
	drive->batch.done = split.count + split.whole;
	drive->batch.items = split.items;
}
