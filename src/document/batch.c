/*
 * batch.c
 *		Documents that have never been split, a range of them at a time.
 *
 * The rows are locked and read by one statement, written by another one, and
 * their items by a third.  The trigger on the base makes doc_version 1 of 0.
 */
#include "document/backfill.h"
#include "document/runtime.h"

#include "miscadmin.h"

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

/* Elements with the same id are counted, not warned of one by one. */
static void
check_document(DbvcDrive *drive, const DbvcAdopted *adopted, const Datum *key,
			   Jsonb *doc, const DbvcDocument *document)
{
	if (adopted->strict || adopted->duplicates_error)
		dbvc_document_examine(adopted, key, doc, document);
	for (int i = 0; i < adopted->parts->count; i++)
		drive->batch.duplicates += document->items[i].duplicates > 0;
}

static void
add_document(DbvcDrive *drive, Split *split, Datum *key, ItemPointer tid,
			 Jsonb *doc)
{
	const DbvcAdopted *adopted = dbvc_adopted_get(drive->run.base, false);
	DbvcDocument *document;

	document = dbvc_doc_split(adopted->parts, doc);
	check_document(drive, adopted, key, doc, document);
	if (document->slim == doc)
	{
		add_whole(split, key, tid);
		return;
	}
	split->key[split->count] = key;
	split->tid[split->count] = *tid;
	split->slim[split->count] = JsonbPGetDatum(document->slim);
	split->document[split->count++] = document;
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

static void
insert_items(DbvcDrive *drive, const Split *split)
{
	const DbvcAdopted *adopted = dbvc_adopted_get(drive->run.base, false);
	DbvcItemsWriter *writer = dbvc_items_open(adopted);

	for (int i = 0; i < split->count; i++)
	{
		for (int part = 0; part < adopted->parts->count; part++)
		{
			const DbvcItems *items = &split->document[i]->items[part];

			for (int n = 0; n < items->count; n++)
				dbvc_items_insert(writer, split->key[i], part,
								  &items->item[n]);
		}
	}
	drive->batch.items = dbvc_items_close(writer);
}

void
dbvc_backfill_range(DbvcDrive *drive, const DbvcRange *range)
{
	SPITupleTable *rows;
	Split split;

	dbvc_drive_lock_rows(drive, range);
	rows = SPI_tuptable;
	make_room(&split, drive->batch.found);
	split_rows(drive, &split);
	dbvc_write_begin(drive->batch.adopted, DBVC_WRITE_SPLIT, false);
	dbvc_drive_update(drive, split.whole, split.whole_key, split.whole_tid,
					  NULL);
	dbvc_drive_update(drive, split.count, split.key, split.tid, split.slim);
	if (split.count > 0)
		insert_items(drive, &split);
	dbvc_write_end();
	SPI_freetuptable(rows);
	drive->batch.done = split.count + split.whole;
}
