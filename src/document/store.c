/*
 * store.c
 *		A document as it is stored, and making it another one.
 */
#include "document/doc_raw.h"
#include "document/runtime.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "util/errors.h"

/* -------------------------------------------------------------- reading */

DbvcStored *
dbvc_stored_make(const DbvcAdopted *adopted, const Datum *key, int64 version,
				 bool isnull, Datum data, const DbvcRows *rows)
{
	DbvcStored *stored = palloc0(sizeof(DbvcStored));

	stored->adopted = adopted;
	stored->key = unconstify(Datum *, key);
	stored->version = version;
	stored->isnull = isnull;
	if (version == 0 || rows == NULL)
	{
		if (!isnull)
			stored->document =
				dbvc_doc_split(adopted->parts, DatumGetJsonbP(data));
		return stored;
	}
	if (!isnull)
		stored->document = dbvc_rows_document(adopted, DatumGetJsonbP(data),
											  rows, false, &stored->rows);
	stored->deleted =
		dbvc_rows_document(adopted, NULL, rows, true, &stored->deleted_rows);
	return stored;
}

DbvcStored *
dbvc_stored_read(const DbvcAdopted *adopted, const Datum *key, int64 version,
				 bool isnull, Datum data, Snapshot snapshot)
{
	const DbvcRows *rows = NULL;

	/* the reader lives as long as what it has read: in this context */
	if (version > 0)
		rows = dbvc_reader_read(dbvc_reader_make(CurrentMemoryContext),
								adopted, snapshot, key, true);
	return dbvc_stored_make(adopted, key, version, isnull, data, rows);
}

DbvcStored *
dbvc_stored_lock(const DbvcAdopted *adopted, const Datum *key)
{
	DbvcBaseRow row = dbvc_base_row_make(dbvc_base_columns(adopted));
	DbvcLast last;

	if (!dbvc_base_lock(adopted, key, &row, &last))
		return NULL;
	return dbvc_stored_read(adopted, key, last.version,
							row.nulls[adopted->base_doc],
							row.values[adopted->base_doc],
							dbvc_locked_snapshot());
}

/*
 * What the owner of a row's lock must read with: everything that is committed
 * by now, but under REPEATABLE READ, where a row that has changed could not
 * have been locked.
 */
Snapshot
dbvc_locked_snapshot(void)
{
	return IsolationUsesXactSnapshot() ? GetTransactionSnapshot()
									   : GetLatestSnapshot();
}

/* ------------------------------------------------------------ examining */

static void
examine_part(const DbvcAdopted *adopted, const Datum *key, int part,
			 Jsonb *data)
{
	const DbvcPart *p = &adopted->parts->part[part];
	DbvcValue value = dbvc_value_read(JsonbPGetDatum(data));

	for (int i = 0; i < p->depth; i++)
	{
		DbvcValue object = value;

		if (!dbvc_raw_is_object(&object) ||
			!dbvc_raw_find(&object, &p->keys[i], &value))
			return;
	}
	if (dbvc_raw_is_array(&value) || value.kind == JENTRY_ISNULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("part \"%s\" is not an array", p->path),
			 errdetail("Document %s of %s is checked strictly.",
					   key ? dbvc_adopted_key_text(adopted, key) : "",
					   adopted->name),
			 errhint("Without the option \"strict\" it would be kept as it "
					 "is.")));
}

void
dbvc_document_examine(const DbvcAdopted *adopted, const Datum *key,
					  Jsonb *data, const DbvcDocument *document)
{
	for (int p = 0; p < adopted->parts->count; p++)
	{
		if (adopted->strict && document->items[p].count == 0)
			examine_part(adopted, key, p, data);
		if (likely(document->items[p].duplicates == 0))
			continue;
		ereport(
			adopted->duplicates_error ? ERROR : WARNING,
			(errcode(adopted->duplicates_error ? ERRCODE_UNIQUE_VIOLATION
											   : ERRCODE_WARNING),
			 errmsg_plural("%d element of part \"%s\" has an id that another "
						   "one has",
						   "%d elements of part \"%s\" have an id that "
						   "another one has",
						   document->items[p].duplicates,
						   document->items[p].duplicates,
						   adopted->parts->part[p].path),
			 errdetail("Document %s of %s.",
					   key ? dbvc_adopted_key_text(adopted, key) : "",
					   adopted->name),
			 adopted->duplicates_error
				 ? errhint("Give each element an id of its own.")
				 : errhint("All are kept; the later ones have generated "
						   "ids.")));
	}
}

/* -------------------------------------------------------------- changing */

DbvcChange *
dbvc_change_make(const DbvcStored *stored, const DbvcDocument *document,
				 int *const *match)
{
	const DbvcParts *parts = stored->adopted->parts;
	DbvcChange *change = palloc0(sizeof(DbvcChange));
	DbvcItems none = {0};

	change->all = document == NULL || stored->adopted->releasing;
	change->writes = palloc0(sizeof(DbvcItemWrites) * (parts->count + 1));
	for (int p = 0; p < parts->count; p++)
	{
		bool rows = stored->version > 0 && !stored->isnull;
		const DbvcItems *existing = rows ? &stored->document->items[p] : &none;
		const DbvcItems *items = change->all ? &none : &document->items[p];
		int64 used = stored->deleted
						 ? dbvc_items_highest(&stored->deleted->items[p])
						 : 0;

		if (existing->count == 0 && items->count == 0)
			continue;
		change->writes[p] =
			rows && match != NULL && !change->all
				? dbvc_items_plan(existing, items, match[p], used)
				: dbvc_items_diff(existing, items, used);
		change->count += change->writes[p].count;
	}
	return change;
}

/* The row of a softly deleted item with this id, or NULL. */
static DbvcItemRow *
find_deleted(const DbvcStored *stored, int part, const DbvcItem *item)
{
	const DbvcItems *items;

	if (stored->deleted == NULL)
		return NULL;
	items = &stored->deleted->items[part];
	for (int i = 0; i < items->count; i++)
	{
		if (items->item[i].id_len == item->id_len &&
			memcmp(items->item[i].id, item->id, item->id_len) == 0)
			return &stored->deleted_rows[part][i];
	}
	return NULL;
}

static void
write_item(DbvcItemsWriter *writer, const DbvcStored *stored, const Datum *key,
		   int part, DbvcItemWrite *write)
{
	DbvcItemRow *row =
		write->old_index >= 0 ? &stored->rows[part][write->old_index] : NULL;

	switch (write->action)
	{
		case DBVC_ITEM_DELETE:
			if (stored->adopted->soft_delete)
				dbvc_items_update(writer, key, part, &write->after, row, true);
			else
				dbvc_items_delete(writer, key, part, &write->after, row);
			break;
		case DBVC_ITEM_MOVE:
		case DBVC_ITEM_UPDATE:
			dbvc_items_update(writer, key, part, &write->after, row, false);
			break;
		case DBVC_ITEM_INSERT:
			row = find_deleted(stored, part, &write->after);
			if (row != NULL)
				dbvc_items_update(writer, key, part, &write->after, row,
								  false);
			else
				dbvc_items_insert(writer, key, part, &write->after);
			break;
	}
}

int64
dbvc_change_write(const DbvcStored *stored, const DbvcChange *change,
				  const Datum *key)
{
	DbvcItemsWriter *writer;

	/* with the softly deleted ones, which a whole document cannot have */
	if (stored->adopted->releasing)
	{
		if (stored->version > 0)
			dbvc_items_forget(stored->adopted, key);
		return change->count;
	}
	if (change->count == 0)
		return 0;
	writer = dbvc_items_open(stored->adopted);
	for (int p = 0; p < stored->adopted->parts->count; p++)
	{
		for (int i = 0; i < change->writes[p].count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			write_item(writer, stored, key, p, &change->writes[p].write[i]);
		}
	}
	return dbvc_items_close(writer);
}

bool
dbvc_jsonb_same(const Jsonb *a, const Jsonb *b)
{
	return a == b ||
		   (VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0);
}

int64
dbvc_stored_write(DbvcStored *stored, const DbvcDocument *document,
				  int **match)
{
	const DbvcAdopted *adopted = stored->adopted;
	DbvcChange *change = dbvc_change_make(stored, document, match);
	DbvcBaseRow row = dbvc_base_row_make(dbvc_base_columns(adopted));
	Bitmapset *columns = NULL;
	Jsonb *data = NULL;
	int64 written;

	if (document != NULL)
		data = adopted->releasing ? dbvc_doc_combine(adopted->parts, document)
								  : document->slim;
	if (stored->isnull != (data == NULL) || adopted->releasing ||
		stored->version == 0 ||
		(data != NULL && !dbvc_jsonb_same(data, stored->document->slim)))
	{
		columns = bms_make_singleton(adopted->base_doc);
		row.nulls[adopted->base_doc] = data == NULL;
		row.values[adopted->base_doc] = PointerGetDatum(data);
	}
	else if (change->count == 0)
		return 0;
	columns = dbvc_base_raise(adopted, columns, &row,
							  adopted->releasing ? -1 : stored->version);
	dbvc_write_begin(adopted,
					 adopted->releasing ? DBVC_WRITE_WHOLE : DBVC_WRITE_SPLIT,
					 false);
	dbvc_write_slim(data);
	if (!dbvc_base_update(adopted, columns, &row, stored->key, NULL, false,
						  false))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("document could not be written"),
				 errdetail("Document %s of %s was locked, but is not there "
						   "to be written.",
						   dbvc_adopted_key_text(adopted, stored->key),
						   adopted->name),
				 errhint("Look at the table's policies and triggers.")));
	if (change->count > 0)
		dbvc_write_check_key(stored->key);
	written = dbvc_change_write(stored, change, stored->key);
	dbvc_write_end();
	return written;
}
