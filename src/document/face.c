/*
 * face.c
 *		INSTEAD OF triggers: whole documents are written to the face.
 *
 * An INSTEAD OF trigger is given the row as the statement's snapshot shows it
 * and the row to be; nobody has locked anything.  So an update writes the base
 * on the condition that its row is still the one that was read, which is the
 * usual case and needs no second look; when it is not, the row is locked, read
 * again, and what the statement changed is made to what is there by now.
 */
#include "document/runtime.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "util/errors.h"

/* A row of the face. */
typedef struct FaceRow
{
	Datum *values;
	bool *nulls;
} FaceRow;

/* A statement's row on its way. */
typedef struct Face
{
	const DbvcAdopted *adopted;
	TupleDesc desc;
	FaceRow old;
	FaceRow new;
	Datum key[DBVC_KEY_MAX]; /* of old */
	DbvcBaseRow row;		 /* what is written; then what was */
	Bitmapset *changed;		 /* columns of the base, without the document's */
	bool key_changed;
	bool document_changed;
} Face;

static FaceRow
deform(HeapTuple tuple, TupleDesc desc)
{
	FaceRow row;

	row.values = palloc(sizeof(Datum) * desc->natts);
	row.nulls = palloc(sizeof(bool) * desc->natts);
	heap_deform_tuple(tuple, desc, row.values, row.nulls);
	return row;
}

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
same_value(const Face *face, int i, const Datum *a, const bool *a_nulls,
		   Datum b, bool b_null)
{
	Form_pg_attribute column = TupleDescAttr(face->desc, i);

	if (a_nulls[i] || b_null)
		return a_nulls[i] == b_null;
	return datum_image_eq(a[i], b, column->attbyval, column->attlen);
}

/* The document of a row, split; NULL if it is NULL. */
static DbvcDocument *
split_row(const Face *face, const FaceRow *row)
{
	int i = face->adopted->face_doc - 1;

	return row->nulls[i] ? NULL
						 : dbvc_doc_split(face->adopted->parts,
										  DatumGetJsonbP(row->values[i]));
}

static void
refuse_generated(const Face *face, AttrNumber column)
{
	ereport(ERROR, (errcode(ERRCODE_GENERATED_ALWAYS),
					errmsg("column \"%s\" can only be set to DEFAULT",
						   get_attname(face->adopted->base, column, false)),
					errdetail("It is a generated column of %s.",
							  face->adopted->base_name)));
}

/* The statement's own row, with what the base and the merge made of it. */
static HeapTuple
result_row(Face *face, Jsonb *document)
{
	const DbvcAdopted *adopted = face->adopted;
	Datum *values = palloc(sizeof(Datum) * face->desc->natts);
	bool *nulls = palloc(sizeof(bool) * face->desc->natts);

	for (int i = 0; i < face->desc->natts; i++)
	{
		values[i] = face->row.values[adopted->face_to_base[i]];
		nulls[i] = face->row.nulls[adopted->face_to_base[i]];
	}
	values[adopted->face_doc - 1] = PointerGetDatum(document);
	nulls[adopted->face_doc - 1] = document == NULL;
	return heap_form_tuple(face->desc, values, nulls);
}

static Jsonb *
whole_of(const DbvcAdopted *adopted, const DbvcDocument *document)
{
	return document == NULL ? NULL
							: dbvc_doc_combine(adopted->parts, document);
}

/* A document with the slim that a trigger of the user's may have changed. */
static Jsonb *
whole_as_stored(const Face *face, const DbvcDocument *document)
{
	const DbvcAdopted *adopted = face->adopted;
	DbvcDocument stored;

	if (face->row.nulls[adopted->base_doc])
		return NULL;
	stored.slim = DatumGetJsonbP(face->row.values[adopted->base_doc]);
	if (document == NULL)
		return stored.slim;
	stored.items = document->items;
	return dbvc_doc_combine(adopted->parts, &stored);
}

/* --------------------------------------------------------------- insert */

/*
 * A column that the caller may not write was not written by him either, since
 * he has the same rights on the face: the base's default is what he wants.
 */
static bool
may_insert(const DbvcAdopted *adopted, AttrNumber column, bool table)
{
	return table || pg_attribute_aclcheck(adopted->base, column, GetUserId(),
										  ACL_INSERT) == ACLCHECK_OK;
}

static int64
next_identity(const DbvcAdopted *adopted, AttrNumber column)
{
	Relation base = table_open(adopted->base, NoLock);
	Oid sequence = dbvc_identity_sequence(base, column);

	table_close(base, NoLock);
	/* as an identity column has it: without a privilege on the sequence */
	return nextval_internal(sequence, false);
}

static Datum
integer_datum(const DbvcAdopted *adopted, AttrNumber column, int64 value)
{
	switch (get_atttype(adopted->base, column))
	{
		case INT2OID:
			return Int16GetDatum((int16) value);
		case INT4OID:
			return Int32GetDatum((int32) value);
		default:
			return Int64GetDatum(value);
	}
}

/* The columns to insert, into the row; complete if none is left out. */
static Bitmapset *
insert_columns(Face *face, bool *complete)
{
	const DbvcAdopted *adopted = face->adopted;
	const DbvcRuntime *runtime = adopted->runtime;
	bool table = pg_class_aclcheck(adopted->base, GetUserId(), ACL_INSERT) ==
				 ACLCHECK_OK;
	Bitmapset *columns = NULL;

	*complete = true;
	for (int i = 0; i < face->desc->natts; i++)
	{
		AttrNumber column = adopted->face_to_base[i];

		if (bms_is_member(column, runtime->generated))
		{
			if (!face->new.nulls[i])
				refuse_generated(face, column);
			*complete = false;
			continue;
		}
		if (!may_insert(adopted, column, table))
		{
			*complete = false;
			continue;
		}
		face->row.values[column] = face->new.values[i];
		face->row.nulls[column] = face->new.nulls[i];
		if (face->new.nulls[i] && bms_is_member(column, runtime->identity))
		{
			face->row.values[column] =
				integer_datum(adopted, column, next_identity(adopted, column));
			face->row.nulls[column] = false;
		}
		columns = bms_add_member(columns, column);
	}
	return columns;
}

static bool
known_key(const Face *face, Datum *key)
{
	const DbvcAdopted *adopted = face->adopted;

	for (int k = 0; k < adopted->nkeys; k++)
	{
		if (face->row.nulls[adopted->key[k].base])
			return false;
		key[k] = face->row.values[adopted->key[k].base];
	}
	return true;
}

/* The key of the row that has just been inserted. */
static void
row_key(const Face *face, Datum *key)
{
	if (!known_key(face, key))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("key of the new row of %s cannot be read",
						face->adopted->name),
				 errdetail("It was not given, but is a default of %s.",
						   face->adopted->base_name),
				 errhint("Grant SELECT on the table, or give a value.")));
}

static void
insert_items(const DbvcAdopted *adopted, const DbvcDocument *document,
			 const Datum *key)
{
	DbvcItemsWriter *writer = NULL;

	for (int p = 0; p < adopted->parts->count; p++)
	{
		const DbvcItems *items = &document->items[p];

		if (items->count > 0 && writer == NULL)
			writer = dbvc_items_open(adopted);
		for (int i = 0; i < items->count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			dbvc_items_insert(writer, key, p, &items->item[i]);
		}
	}
	if (writer != NULL)
		dbvc_items_close(writer);
}

/* ON CONFLICT DO NOTHING is accepted for a view, and does not help. */
static void
hint_at_put(void *arg)
{
	const DbvcAdopted *adopted = arg;

	if (geterrcode() == ERRCODE_UNIQUE_VIOLATION)
		errhint("ON CONFLICT has no effect on %s, which is a view: use "
				"dbvc.document_put().",
				adopted->name);
}

static bool
insert_row(Face *face, Bitmapset *columns, bool returning)
{
	ErrorContextCallback callback;
	bool done;

	callback.previous = error_context_stack;
	callback.callback = hint_at_put;
	callback.arg = unconstify(DbvcAdopted *, face->adopted);
	error_context_stack = &callback;
	done = dbvc_base_insert(face->adopted, columns, &face->row, returning);
	error_context_stack = callback.previous;
	return done;
}

static HeapTuple
face_insert(Face *face)
{
	const DbvcAdopted *adopted = face->adopted;
	bool complete;
	bool returning;
	Bitmapset *columns = insert_columns(face, &complete);
	DbvcDocument *document = split_row(face, &face->new);
	DbvcDocument *items = adopted->releasing ? NULL : document;
	Jsonb *whole =
		document ? DatumGetJsonbP(face->new.values[adopted->face_doc - 1])
				 : NULL;
	DbvcWriteMode before;

	if (items != NULL)
	{
		Datum key[DBVC_KEY_MAX];

		dbvc_document_examine(adopted, known_key(face, key) ? key : NULL,
							  whole, items);
		face->row.values[adopted->base_doc] = PointerGetDatum(items->slim);
	}
	returning = (!complete || adopted->runtime->before_insert) &&
				pg_class_aclcheck(adopted->base, GetUserId(), ACL_SELECT) ==
					ACLCHECK_OK;
	before = dbvc_write_begin(adopted->releasing ? DBVC_WRITE_WHOLE
												 : DBVC_WRITE_SPLIT);
	if (!insert_row(face, columns, returning))
	{
		dbvc_write_end(before);
		return NULL;
	}
	if (items != NULL)
	{
		Datum key[DBVC_KEY_MAX];

		row_key(face, key);
		insert_items(adopted, items, key);
	}
	dbvc_write_end(before);
	if (returning && adopted->runtime->before_insert)
		whole = whole_as_stored(face, items);
	return result_row(face, whole);
}

/* --------------------------------------------------------------- update */

/* Which columns the statement changes. */
static void
find_changes(Face *face)
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
			refuse_generated(face, column);
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
write_row(Face *face, DbvcStored *stored, const DbvcDocument *document,
		  bool write_document, int *const *match, const DbvcLast *last)
{
	const DbvcAdopted *adopted = face->adopted;
	bool returning = adopted->runtime->before_update ||
					 !bms_is_empty(adopted->runtime->generated);
	bool whole =
		adopted->releasing && (write_document || stored->version == 0);
	Bitmapset *columns = bms_copy(face->changed);
	Bitmapset *keys = NULL;
	DbvcChange *change = NULL;
	DbvcWriteMode before;
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
	}
	if (face->key_changed)
	{
		keys = bms_int_members(key_columns(adopted), face->changed);
		columns = bms_del_members(columns, keys);
	}
	before = dbvc_write_begin(whole ? DBVC_WRITE_WHOLE : DBVC_WRITE_SPLIT);
	if (keys == NULL || write_document || !bms_is_empty(columns))
	{
		done = dbvc_base_update(adopted, columns, &face->row, face->key, last,
								returning && keys == NULL);
		last = NULL;
		if (done && change != NULL)
			dbvc_change_write(stored, change, face->key);
	}
	if (done && keys != NULL)
		done = dbvc_base_update(adopted, keys, &face->row, face->key, last,
								returning);
	dbvc_write_end(before);
	return done;
}

/* What RETURNING shows of the document. */
static HeapTuple
update_result(Face *face, const DbvcDocument *document, Jsonb *whole)
{
	if (face->adopted->runtime->before_update)
		whole = whole_as_stored(face, document);
	return result_row(face, whole);
}

static Jsonb *
new_document(const Face *face)
{
	int i = face->adopted->face_doc - 1;

	return face->new.nulls[i] ? NULL : DatumGetJsonbP(face->new.values[i]);
}

static void
examine_new(const Face *face, const DbvcDocument *document)
{
	if (document != NULL && !face->adopted->releasing)
		dbvc_document_examine(face->adopted, face->key, new_document(face),
							  document);
}

/* The usual case: nobody has written since the statement began. */
static HeapTuple
update_as_read(Face *face, const DbvcLast *last, bool *done)
{
	const DbvcAdopted *adopted = face->adopted;
	bool convert = last->version == 0 && !adopted->releasing;
	bool write_document = face->document_changed || convert;
	DbvcDocument *old = NULL;
	DbvcDocument *new = NULL;
	DbvcStored *stored;
	Jsonb *slim = NULL;

	if (write_document || adopted->runtime->before_update)
	{
		old = split_row(face, &face->old);
		new = face->document_changed ? split_row(face, &face->new) : old;
		slim = old ? old->slim : NULL;
	}
	if (face->document_changed)
		examine_new(face, new);
	stored = dbvc_stored_make(adopted, face->key, last->version, old == NULL,
							  PointerGetDatum(slim), last->rows);
	if (last->version == 0)
		stored->document = old;
	*done = write_row(face, stored, new, write_document, NULL, last);
	return *done ? update_result(face, new, new_document(face)) : NULL;
}

static void
refuse_conflict(const Face *face, const char *what)
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
refuse_merge(const Face *face, const DbvcConflict *conflict)
{
	const DbvcParts *parts = face->adopted->parts;

	if (conflict->part < 0)
		refuse_conflict(face, conflict->key.text == NULL
								  ? "all"
								  : psprintf("\"%.*s\"", conflict->key.len,
											 conflict->key.text));
	if (conflict->item_id.text == NULL)
		refuse_conflict(face, psprintf("part \"%s\"",
									   parts->part[conflict->part].path));
	refuse_conflict(face,
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
changed_since(const Face *face, const DbvcBaseRow *current)
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

/* The row as it is now, locked; NULL if it is gone. */
typedef struct Current
{
	DbvcBaseRow row;
	DbvcStored *stored;
	DbvcDocument *old;	/* as the statement read it */
	Bitmapset *columns; /* that others have changed */
	bool document;		/* others have changed it */
} Current;

static Current *
lock_current(Face *face)
{
	const DbvcAdopted *adopted = face->adopted;
	Current *current = palloc0(sizeof(Current));
	DbvcLast last;

	current->row = dbvc_base_row_make(dbvc_base_columns(adopted));
	if (!dbvc_base_lock(adopted, face->key, &current->row, &last))
		return NULL;
	current->stored = dbvc_stored_read(adopted, face->key, last.version,
									   current->row.nulls[adopted->base_doc],
									   current->row.values[adopted->base_doc],
									   dbvc_locked_snapshot());
	current->old = split_row(face, &face->old);
	current->columns = changed_since(face, &current->row);
	current->document =
		!same_documents(adopted, current->old, current->stored->document);
	/*
	 * What this transaction wrote before the statement, the statement has
	 * read: so it was the statement itself, which does not come back to a row
	 * a second time.
	 */
	if ((current->document || !bms_is_empty(current->columns)) &&
		TransactionIdIsCurrentTransactionId(last.xmin))
		return NULL;
	return current;
}

/* Others have written since: what is changed here is made to what there is. */
static HeapTuple
update_as_locked(Face *face)
{
	const DbvcAdopted *adopted = face->adopted;
	Current *current = lock_current(face);
	DbvcDocument *document;
	int **match = NULL;
	bool write_document;
	int column;

	if (current == NULL)
		return NULL;
	document = current->stored->document;
	write_document = face->document_changed ||
					 (current->stored->version == 0 && !adopted->releasing);
	column =
		bms_next_member(bms_intersect(current->columns, face->changed), -1);
	if (column >= 0)
		refuse_conflict(face,
						psprintf("column \"%s\"",
								 get_attname(adopted->base, column, false)));
	if (face->document_changed)
	{
		DbvcDocument *new = split_row(face, &face->new);

		examine_new(face, new);
		if (!current->document)
			document = new;
		else if (new == NULL || document == NULL || current->old == NULL)
			refuse_conflict(face, "all");
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

		if (!write_row(face, current->stored, document, write_document, match,
					   NULL))
			return NULL;
		return update_result(face, document, whole);
	}
}

static HeapTuple
face_update(Face *face, HeapTuple new)
{
	DbvcLast last;
	HeapTuple result;
	bool done;

	find_changes(face);
	/* nothing to do, and nothing that could go wrong */
	if (!face->document_changed && bms_is_empty(face->changed))
		return new;
	if (dbvc_reader_last(face->adopted, GetActiveSnapshot(), face->key, &last))
	{
		result = update_as_read(face, &last, &done);
		if (done)
			return result;
	}
	return update_as_locked(face);
}

/* --------------------------------------------------------------- delete */

static bool
face_delete(Face *face)
{
	const DbvcAdopted *adopted = face->adopted;
	DbvcLast last;
	Current *current;

	if (dbvc_reader_last(adopted, GetActiveSnapshot(), face->key, &last) &&
		dbvc_base_delete(adopted, face->key, &last))
		return true;
	current = lock_current(face);
	if (current == NULL)
		return false;
	if (current->document)
		refuse_conflict(face, "parts");
	if (!bms_is_empty(current->columns))
		refuse_conflict(face, "columns");
	return dbvc_base_delete(adopted, face->key, NULL);
}

/* -------------------------------------------------------------- trigger */

static void
prepare_face(Face *face, const TriggerData *trigger)
{
	face->desc = RelationGetDescr(trigger->tg_relation);
	face->adopted =
		dbvc_adopted_get(RelationGetRelid(trigger->tg_relation), false);
	/* whoever changes what is known of it waits for those who write */
	LockRelationOid(face->adopted->base, RowExclusiveLock);
	face->adopted =
		dbvc_adopted_get(RelationGetRelid(trigger->tg_relation), false);
	face->row = dbvc_base_row_make(dbvc_base_columns(face->adopted));
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		face->new = deform(trigger->tg_trigtuple, face->desc);
		return;
	}
	face->old = deform(trigger->tg_trigtuple, face->desc);
	for (int k = 0; k < face->adopted->nkeys; k++)
		face->key[k] = face->old.values[face->adopted->key[k].face - 1];
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		face->new = deform(trigger->tg_newtuple, face->desc);
}

/* INSTEAD OF INSERT OR UPDATE OR DELETE ON face FOR EACH ROW */
PG_FUNCTION_INFO_V1(dbvc_document_face_trigger);
Datum
dbvc_document_face_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MemoryContext context = CurrentMemoryContext;
	Face face = {0};
	HeapTuple result;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_INSTEAD(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("document_face_trigger() must be called as an INSTEAD "
						"OF trigger")));
	SPI_connect();
	/* what is returned must outlive SPI_finish() */
	MemoryContextSwitchTo(context);
	prepare_face(&face, trigger);
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		result = face_insert(&face);
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		result = face_update(&face, trigger->tg_newtuple);
	else
		result = face_delete(&face) ? trigger->tg_trigtuple : NULL;
	SPI_finish();
	MemoryContextSwitchTo(context);
	return PointerGetDatum(result);
}
