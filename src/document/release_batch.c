/*
 * release_batch.c
 *		Documents that are split, a range of them at a time, made whole.
 *
 * The rows are locked and read by one statement; then nobody else can be at
 * their items, which are read, and removed, one document after the other.  The
 * whole documents go into the base by one statement, and the trigger there
 * makes their doc_version 0.
 */
#include "document/backfill.h"
#include "document/runtime.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* What is to be written. */
typedef struct Joined
{
	int count; /* documents that were combined */
	int plain; /* ... and that had no items */
	Datum **key;
	ItemPointerData *tid;
	Datum *whole;
	Datum **plain_key;
	ItemPointerData *plain_tid;
} Joined;

static void
make_room(Joined *joined, int rows)
{
	memset(joined, 0, sizeof(Joined));
	joined->key = palloc(rows * sizeof(Datum *));
	joined->tid = palloc(rows * sizeof(ItemPointerData));
	joined->whole = palloc(rows * sizeof(Datum));
	joined->plain_key = palloc(rows * sizeof(Datum *));
	joined->plain_tid = palloc(rows * sizeof(ItemPointerData));
}

static void
delete_items(DbvcItemsWriter *writer, const DbvcAdopted *adopted,
			 const Datum *key, const DbvcDocument *document,
			 DbvcItemRow **rows)
{
	for (int part = 0; part < adopted->parts->count; part++)
	{
		const DbvcItems *items = &document->items[part];

		for (int n = 0; n < items->count; n++)
			dbvc_items_delete(writer, key, part, &items->item[n],
							  &rows[part][n]);
	}
}

static int64
count_items(const DbvcAdopted *adopted, const DbvcDocument *document)
{
	int64 count = 0;

	for (int part = 0; part < adopted->parts->count; part++)
		count += document->items[part].count;
	return count;
}

/*
 * Its items would have no place.  (That there are deleted ones was asked for
 * all of the table; one that was deleted since is as good as gone.)
 */
static void
check_place(const DbvcAdopted *adopted, const Datum *key,
			const DbvcDocument *document, int64 items)
{
	int part = document->slim != NULL
				   ? dbvc_doc_misplaced(adopted->parts, document)
				   : 0;

	if (items == 0 || part < 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("items have no place in their document"),
			 errdetail("Document %s of %s has no empty array at \"%s\".",
					   dbvc_adopted_key_text(adopted, key), adopted->name,
					   adopted->parts->part[part].path)));
}

/* The document of a row as it was before it was split. */
static void
join_row(DbvcDrive *drive, DbvcReader *reader, DbvcItemsWriter *writer,
		 Joined *joined, Datum *key, ItemPointer tid, Jsonb *slim)
{
	const DbvcAdopted *adopted = dbvc_adopted_get(drive->run.base, false);
	const DbvcRows *rows =
		dbvc_reader_read(reader, adopted, GetActiveSnapshot(), key, true);
	DbvcItemRow **places;
	DbvcItemRow **deleted_places;
	DbvcDocument *document =
		dbvc_rows_document(adopted, slim, rows, false, &places);
	DbvcDocument *deleted =
		dbvc_rows_document(adopted, NULL, rows, true, &deleted_places);
	int64 items = count_items(adopted, document);

	check_place(adopted, key, document, items);
	if (items > 0)
	{
		Jsonb *whole = dbvc_doc_combine(adopted->parts, document);

		joined->key[joined->count] = key;
		joined->tid[joined->count] = *tid;
		joined->whole[joined->count++] = JsonbPGetDatum(whole);
		drive->batch.bytes += VARSIZE(whole);
		drive->batch.items += items;
	}
	else
	{
		joined->plain_key[joined->plain] = key;
		joined->plain_tid[joined->plain++] = *tid;
	}
	delete_items(writer, adopted, key, document, places);
	delete_items(writer, adopted, key, deleted, deleted_places);
}

static void
join_rows(DbvcDrive *drive, SPITupleTable *rows, Joined *joined)
{
	DbvcBatch *batch = &drive->batch;
	int columns = batch->adopted->nkeys;
	DbvcReader *reader = dbvc_reader_make(drive->work_context);
	DbvcItemsWriter *writer =
		dbvc_items_open(dbvc_adopted_get(drive->run.base, false));

	for (int i = 0; i < batch->found; i++)
	{
		HeapTuple row = rows->vals[i];
		ItemPointer tid;
		bool isnull;
		Datum slim;

		CHECK_FOR_INTERRUPTS();
		if (!dbvc_drive_next(drive, row, rows->tupdesc))
			continue;
		tid = (ItemPointer) DatumGetPointer(
			SPI_getbinval(row, rows->tupdesc, columns + 1, &isnull));
		slim = SPI_getbinval(row, rows->tupdesc, columns + 2, &isnull);
		join_row(drive, reader, writer, joined, batch->key[i], tid,
				 isnull ? NULL : DatumGetJsonbP(slim));
		if (batch->bytes >= dbvc_document_buffer())
			break;
	}
	batch->failed = -1;
	(void) dbvc_items_close(writer);
}

void
dbvc_release_range(DbvcDrive *drive, const DbvcRange *range)
{
	SPITupleTable *rows;
	Joined joined;

	dbvc_drive_lock_rows(drive, range);
	rows = SPI_tuptable;
	make_room(&joined, drive->batch.found);
	/* the items as they are now that the rows are locked */
	PushActiveSnapshot(GetLatestSnapshot());
	dbvc_write_begin(drive->batch.adopted, DBVC_WRITE_WHOLE, false);
	join_rows(drive, rows, &joined);
	PopActiveSnapshot();
	dbvc_drive_update(drive, joined.plain, joined.plain_key, joined.plain_tid,
					  NULL);
	dbvc_drive_update(drive, joined.count, joined.key, joined.tid,
					  joined.whole);
	dbvc_write_end();
	SPI_freetuptable(rows);
	drive->batch.done = joined.count + joined.plain;
}
