/*
 * face_update.c
 *		An update of a whole document: as it was read, or as it is by now.
 */
#include "document/face.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "util/errors.h"

static bool
is_key(const DbvcAdopted *adopted, AttrNumber column)
{
	for (int k = 0; k < adopted->nkeys; k++)
	{
		if (adopted->key[k].base == column)
			return true;
	}
	return false;
}

static bool
same_value(const DbvcFace *face, int i, const Datum *a, const bool *a_nulls,
		   Datum b, bool b_null)
{
	Form_pg_attribute column = TupleDescAttr(face->desc, i);

	if (a_nulls[i] || b_null)
		return a_nulls[i] == b_null;
	return datum_image_eq(a[i], b, column->attbyval, column->attlen);
}

static Jsonb *
whole_of(const DbvcAdopted *adopted, const DbvcDocument *document)
{
	return document == NULL ? NULL
							: dbvc_doc_combine(adopted->parts, document);
}

/* Which columns the statement changes. */
static void
find_changes(DbvcFace *face)
{
	const DbvcAdopted *adopted = face->adopted;

	for (int i = 0; i < face->desc->natts; i++)
	{
		AttrNumber column = adopted->face_to_base[i];

		face->row.values[column] = face->new.values[i];
		face->row.nulls[column] = face->new.nulls[i];
		if (same_value(face, i, face->old.values, face->old.nulls,
					   face->new.values[i], face->new.nulls[i]))
			continue;
		if (i == adopted->face_doc - 1)
		{
			face->document_changed = true;
			continue;
		}
		if (bms_is_member(column, adopted->runtime->generated))
		{
			/* DEFAULT, which is NULL in a view */
			if (face->new.nulls[i])
				continue;
			dbvc_face_refuse_generated(face, column);
		}
		face->changed = bms_add_member(face->changed, column);
		face->key_changed |= is_key(adopted, column);
	}
}

static Bitmapset *
key_columns(const DbvcAdopted *adopted)
{
	Bitmapset *columns = NULL;

	for (int k = 0; k < adopted->nkeys; k++)
		columns = bms_add_member(columns, adopted->key[k].base);
	return columns;
}

/*
 * Write the row, then its items, then a new key, which takes the items along.
 * document is the one to be, if it is to be written at all.  last: only if the
 * row is still that one.
 */
static bool
write_row(DbvcFace *face, DbvcStored *stored, const DbvcDocument *document,
		  bool write_document, int *const *match, const DbvcLast *last)
{
	const DbvcAdopted *adopted = face->adopted;
	bool returning = adopted->runtime->before_update ||
					 !bms_is_empty(adopted->runtime->generated);
	/* a document that was never split is split when it is written itself */
	bool whole = write_document ? adopted->releasing : stored->version == 0;
	Bitmapset *columns = bms_copy(face->changed);
	Bitmapset *keys = NULL;
	DbvcChange *change = NULL;
	bool done = true;

	if (write_document)
	{
		Jsonb *data = document == NULL ? NULL
					  : whole		   ? whole_of(adopted, document)
									   : document->slim;

		change = dbvc_change_make(stored, document, match);
		face->row.nulls[adopted->base_doc] = data == NULL;
		face->row.values[adopted->base_doc] = PointerGetDatum(data);
		if (stored->isnull || data == NULL || stored->version == 0 || whole ||
			!dbvc_jsonb_same(data, stored->document->slim))
			columns = bms_add_member(columns, adopted->base_doc);
		columns = dbvc_base_raise(adopted, columns, &face->row,
								  whole ? -1 : stored->version);
	}
	if (face->key_changed)
	{
		keys = bms_int_members(key_columns(adopted), face->changed);
		columns = bms_del_members(columns, keys);
	}
	dbvc_write_begin(adopted,
					 whole			  ? DBVC_WRITE_WHOLE
					 : write_document ? DBVC_WRITE_SPLIT
									  : DBVC_WRITE_BUMP,
					 true);
	if (write_document && document != NULL)
		dbvc_write_slim(DatumGetJsonbP(face->row.values[adopted->base_doc]));
	if (keys == NULL || write_document || !bms_is_empty(columns))
	{
		done = dbvc_base_update(adopted, columns, &face->row, face->key, last,
								returning && keys == NULL, false);
		last = NULL;
		if (done && change != NULL && change->count > 0)
		{
			dbvc_write_check_key(face->key);
			dbvc_change_write(stored, change, face->key);
		}
	}
	if (done && keys != NULL)
		done = dbvc_base_update(adopted, keys, &face->row, face->key, last,
								returning, true);
	dbvc_write_end();
	face->stored_whole = whole;
	if (done)
		dbvc_face_touch(face);
	return done;
}

/* What RETURNING shows of the document. */
static HeapTuple
update_result(DbvcFace *face, const DbvcDocument *document, Jsonb *whole)
{
	if (face->adopted->runtime->before_update)
		whole = dbvc_face_whole(face, face->stored_whole ? NULL : document);
	return dbvc_face_result(face, whole);
}

static Jsonb *
new_document(const DbvcFace *face)
{
	int i = face->adopted->face_doc - 1;

	return face->new.nulls[i] ? NULL : DatumGetJsonbP(face->new.values[i]);
}

static void
examine_new(const DbvcFace *face, const DbvcDocument *document)
{
	if (document != NULL && !face->adopted->releasing)
		dbvc_document_examine(face->adopted, face->key, new_document(face),
							  document);
}

/* The usual case: nobody has written since the statement began. */
static HeapTuple
update_as_read(DbvcFace *face, HeapTuple row, const DbvcLast *last, bool *done)
{
	const DbvcAdopted *adopted = face->adopted;
	DbvcDocument *old = NULL;
	DbvcDocument *new = NULL;
	DbvcStored *stored;
	Jsonb *slim = NULL;

	if (face->document_changed || adopted->runtime->before_update)
	{
		old = dbvc_face_split(face, &face->old);
		new = face->document_changed ? dbvc_face_split(face, &face->new) : old;
		slim = old ? old->slim : NULL;
	}
	if (face->document_changed)
		examine_new(face, new);
	stored = dbvc_stored_make(adopted, face->key, last->version, old == NULL,
							  PointerGetDatum(slim), last->rows);
	if (last->version == 0)
		stored->document = old;
	*done = write_row(face, stored, new, face->document_changed, NULL, last);
	if (!*done)
		return NULL;
	/* nothing that the statement does not know */
	if (!adopted->runtime->before_update &&
		bms_is_empty(adopted->runtime->generated))
		return dbvc_face_given(row);
	return update_result(face, new, new_document(face));
}

void
dbvc_face_conflict(const DbvcFace *face, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update"),
			 errdetail("Another transaction has changed %s of document %s of "
					   "%s since this statement began.",
					   what, dbvc_adopted_key_text(face->adopted, face->key),
					   face->adopted->name),
			 errhint("Try the transaction again.")));
}

static void
refuse_merge(const DbvcFace *face, const DbvcConflict *conflict)
{
	const DbvcParts *parts = face->adopted->parts;

	if (conflict->part < 0)
		dbvc_face_conflict(face, conflict->key.text == NULL
									 ? "all"
									 : psprintf("\"%.*s\"", conflict->key.len,
												conflict->key.text));
	if (conflict->item_id.text == NULL)
		dbvc_face_conflict(face, psprintf("part \"%s\"",
										  parts->part[conflict->part].path));
	dbvc_face_conflict(face,
					   psprintf("item \"%.*s\" of type \"%s\"",
								conflict->item_id.len, conflict->item_id.text,
								parts->part[conflict->part].type));
}

static bool
same_documents(const DbvcAdopted *adopted, const DbvcDocument *a,
			   const DbvcDocument *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (!dbvc_jsonb_same(a->slim, b->slim))
		return false;
	for (int p = 0; p < adopted->parts->count; p++)
	{
		if (a->items[p].count != b->items[p].count)
			return false;
		for (int i = 0; i < a->items[p].count; i++)
		{
			if (!dbvc_value_same(&a->items[p].item[i].value,
								 &b->items[p].item[i].value))
				return false;
		}
	}
	return true;
}

/* Columns that others have changed since the statement read the row. */
static Bitmapset *
changed_since(const DbvcFace *face, const DbvcBaseRow *current)
{
	const DbvcAdopted *adopted = face->adopted;
	Bitmapset *columns = NULL;

	for (int i = 0; i < face->desc->natts; i++)
	{
		AttrNumber column = adopted->face_to_base[i];

		if (i != adopted->face_doc - 1 &&
			!same_value(face, i, face->old.values, face->old.nulls,
						current->values[column], current->nulls[column]))
			columns = bms_add_member(columns, column);
	}
	return columns;
}

DbvcCurrent *
dbvc_face_lock(DbvcFace *face, const DbvcLast *tried)
{
	const DbvcAdopted *adopted = face->adopted;
	DbvcCurrent *current = palloc0(sizeof(DbvcCurrent));
	DbvcLast last;

	current->row = dbvc_base_row_make(dbvc_base_columns(adopted));
	if (!dbvc_base_lock(adopted, face->key, &current->row, &last))
		return NULL;
	if (tried != NULL && tried->version == last.version &&
		tried->xmin == last.xmin)
		return NULL;
	current->stored = dbvc_stored_read(adopted, face->key, last.version,
									   current->row.nulls[adopted->base_doc],
									   current->row.values[adopted->base_doc],
									   dbvc_locked_snapshot());
	current->old = dbvc_face_split(face, &face->old);
	current->columns = changed_since(face, &current->row);
	current->document =
		!same_documents(adopted, current->old, current->stored->document);
	/*
	 * What this transaction wrote before the statement, the statement has
	 * read.  So it was the statement itself, which does not come back to a
	 * row, or something that it has called.
	 */
	if ((current->document || !bms_is_empty(current->columns)) &&
		TransactionIdIsCurrentTransactionId(last.xmin))
	{
		if (dbvc_face_touched(face))
			return NULL;
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("document to be written was already modified by an "
						"operation triggered by the current command"),
				 errdetail("Document %s of %s.",
						   dbvc_adopted_key_text(adopted, face->key),
						   adopted->name),
				 errhint("Write it in a statement of its own.")));
	}
	return current;
}

/* Others have written since: what is changed here is made to what there is. */
static HeapTuple
update_as_locked(DbvcFace *face, const DbvcLast *tried)
{
	const DbvcAdopted *adopted = face->adopted;
	DbvcCurrent *current = dbvc_face_lock(face, tried);
	DbvcDocument *document;
	int **match = NULL;
	int column;

	if (current == NULL)
		return NULL;
	document = current->stored->document;
	column =
		bms_next_member(bms_intersect(current->columns, face->changed), -1);
	if (column >= 0)
		dbvc_face_conflict(face, psprintf("column \"%s\"",
										  get_attname(adopted->base, column,
													  false)));
	if (face->document_changed)
	{
		DbvcDocument *new = dbvc_face_split(face, &face->new);

		examine_new(face, new);
		if (!current->document)
			document = new;
		else if (new == NULL || document == NULL || current->old == NULL)
			dbvc_face_conflict(face, "all");
		else
		{
			DbvcMerge *merge =
				dbvc_doc_merge(adopted->parts, current->old, new, document);

			if (merge->conflicts != NIL)
				refuse_merge(face, linitial(merge->conflicts));
			document = &merge->document;
			match = merge->match;
		}
	}
	/* what is not changed here stays as the others have made it */
	for (int i = 0; i < face->desc->natts; i++)
	{
		AttrNumber base = adopted->face_to_base[i];

		if (bms_is_member(base, face->changed))
			continue;
		face->row.values[base] = current->row.values[base];
		face->row.nulls[base] = current->row.nulls[base];
	}
	{
		Jsonb *whole = whole_of(adopted, document);

		if (!write_row(face, current->stored, document, face->document_changed,
					   match, NULL))
			return NULL;
		return update_result(face, document, whole);
	}
}

HeapTuple
dbvc_face_update(DbvcFace *face, HeapTuple old, HeapTuple new)
{
	DbvcLast last;
	HeapTuple result;
	bool done;

	find_changes(face);
	/* nothing to do, and nothing that could go wrong */
	if (!face->document_changed && bms_is_empty(face->changed))
		return old;
	if (!dbvc_reader_last(face->adopted, GetActiveSnapshot(), face->key,
						  &last))
		return update_as_locked(face, NULL);
	result = update_as_read(face, new, &last, &done);
	return done ? result : update_as_locked(face, &last);
}
