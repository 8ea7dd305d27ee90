/*
 * rows.c
 *		Rows of items as they were read, and the document they make.
 */
#include "document/doc_raw.h"
#include "document/runtime.h"

#include "access/detoast.h"
#include "utils/memutils.h"

#include "util/errors.h"

/* A buffer larger than this is not kept for the next document. */
#define KEEP_BUFFER (1024 * 1024)

/*
 * A buffer that no reader has.  To ask the system for one in each query costs
 * a fourth of reading a document of 100 kB.
 */
static char *spare;
static Size spare_size;

void
dbvc_rows_start(DbvcRows *rows)
{
	rows->count = 0;
	rows->used = 0;
	if (rows->size > KEEP_BUFFER)
	{
		pfree(rows->buffer);
		rows->buffer = NULL;
		rows->size = 0;
	}
	if (rows->buffer == NULL && spare != NULL)
	{
		rows->buffer = spare;
		rows->size = spare_size;
		spare = NULL;
	}
}

void
dbvc_rows_drop(DbvcRows *rows)
{
	if (rows->buffer != NULL)
	{
		if (spare == NULL && rows->size <= KEEP_BUFFER)
		{
			spare = rows->buffer;
			spare_size = rows->size;
		}
		else
			pfree(rows->buffer);
	}
	memset(rows, 0, sizeof(DbvcRows));
}

static char *
rows_room(DbvcRows *rows, Size len)
{
	char *at;

	if (rows->used + len > rows->size)
	{
		Size size = Max(rows->size * 2, rows->used + len + 8192);

		rows->buffer = rows->buffer == NULL
						   ? MemoryContextAllocHuge(TopMemoryContext, size)
						   : repalloc_huge(rows->buffer, size);
		rows->size = size;
	}
	at = rows->buffer + rows->used;
	rows->used += MAXALIGN(len);
	return at;
}

/* Until all are there, a row has offsets in place of pointers. */
static void
rows_add(DbvcRows *rows, DbvcRow *row, Datum id, Datum data, bool with_data)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(id);
	struct varlena *value = (struct varlena *) DatumGetPointer(data);
	char *at;

	if (rows->count == rows->room)
	{
		rows->room = Max(64, rows->room * 2);
		rows->row =
			rows->row == NULL
				? palloc(sizeof(DbvcRow) * rows->room)
				: repalloc_huge(rows->row, sizeof(DbvcRow) * rows->room);
	}
	row->item.id_len = VARSIZE_ANY_EXHDR(text);
	at = rows_room(rows, row->item.id_len);
	memcpy(at, VARDATA_ANY(text), row->item.id_len);
	row->item.id = (char *) (at - rows->buffer);
	row->item.value.data = NULL;
	if (with_data)
	{
		struct varlena *plain = value;

		if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
			plain = detoast_attr(value);
		at = rows_room(rows, VARSIZE_ANY(plain));
		memcpy(at, plain, VARSIZE_ANY(plain));
		row->item.value.data = (char *) (at - rows->buffer) + 1;
		if (plain != value)
			pfree(plain);
	}
	rows->row[rows->count++] = *row;
}

static int
compare_rows(const void *a, const void *b)
{
	const DbvcRow *left = a;
	const DbvcRow *right = b;
	int order;

	if (left->part != right->part)
		return left->part < right->part ? -1 : 1;
	if (left->item.ord != right->item.ord)
		return left->item.ord < right->item.ord ? -1 : 1;
	order = memcmp(left->item.id, right->item.id,
				   Min(left->item.id_len, right->item.id_len));
	return order != 0 ? order : left->item.id_len - right->item.id_len;
}

void
dbvc_rows_finish(DbvcRows *rows)
{
	bool ordered = true;

	for (int i = 0; i < rows->count; i++)
	{
		DbvcItem *item = &rows->row[i].item;

		item->id = rows->buffer + (Size) item->id;
		if (item->value.data != NULL)
			item->value = dbvc_value_read(
				PointerGetDatum(rows->buffer + ((Size) item->value.data - 1)));
		if (ordered && i > 0 &&
			compare_rows(&rows->row[i - 1], &rows->row[i]) > 0)
			ordered = false;
	}
	if (!ordered)
		qsort(rows->row, rows->count, sizeof(DbvcRow), compare_rows);
}

static void
unknown_type(const DbvcAdopted *adopted, const char *type, int len)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("items of type \"%.*s\" belong to no part of %s",
						   len, type, adopted->name),
					errdetail("Table %s has such items.", adopted->items_name),
					errhint("See dbvc.document_check().")));
}

static int
part_of(const DbvcAdopted *adopted, Datum type, int guess)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(type);
	const char *name = VARDATA_ANY(text);
	int len = VARSIZE_ANY_EXHDR(text);
	const DbvcParts *parts = adopted->parts;

	if (guess < parts->count && strlen(parts->part[guess].type) == len &&
		memcmp(parts->part[guess].type, name, len) == 0)
		return guess;
	guess = dbvc_parts_find(parts, name, len);
	if (guess < 0)
		unknown_type(adopted, name, len);
	return guess;
}

void
dbvc_rows_add(DbvcRows *rows, const DbvcAdopted *adopted, const Datum *values,
			  const bool *nulls, ItemPointer tid, bool with_deleted)
{
	DbvcRow row;

	row.part = part_of(adopted, values[adopted->items_type - 1],
					   rows->count > 0 ? rows->row[rows->count - 1].part : 0);
	row.deleted = !nulls[adopted->items_deleted - 1];
	row.version = DatumGetInt64(values[adopted->items_version - 1]);
	row.tid = *tid;
	row.item.ord = DatumGetInt64(values[adopted->items_ord - 1]);
	rows_add(rows, &row, values[adopted->items_id - 1],
			 values[adopted->items_data - 1], !row.deleted || with_deleted);
}

DbvcDocument *
dbvc_rows_document(const DbvcAdopted *adopted, Jsonb *slim,
				   const DbvcRows *rows, bool deleted,
				   DbvcItemRow ***item_rows)
{
	const DbvcParts *parts = adopted->parts;
	DbvcDocument *document = dbvc_doc_make(parts, slim);
	int end;

	if (item_rows != NULL)
		*item_rows = palloc0(sizeof(DbvcItemRow *) * (parts->count + 1));
	for (int start = 0; start < rows->count; start = end)
	{
		int part = rows->row[start].part;
		DbvcItems *items = &document->items[part];
		DbvcItemRow *places = NULL;

		for (end = start; end < rows->count && rows->row[end].part == part;)
			end++;
		items->item = dbvc_raw_array(end - start, sizeof(DbvcItem));
		if (item_rows != NULL)
			(*item_rows)[part] = places =
				dbvc_raw_array(end - start, sizeof(DbvcItemRow));
		for (int i = start; i < end; i++)
		{
			const DbvcRow *row = &rows->row[i];

			if (row->deleted != deleted)
				continue;
			if (places != NULL)
			{
				places[items->count].tid = row->tid;
				places[items->count].version = row->version;
			}
			items->item[items->count++] = row->item;
		}
	}
	return document;
}
