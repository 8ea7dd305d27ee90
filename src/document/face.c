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
#include "document/face.h"

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

static DbvcFaceRow
deform(HeapTuple tuple, TupleDesc desc)
{
	DbvcFaceRow row;

	row.values = palloc(sizeof(Datum) * desc->natts);
	row.nulls = palloc(sizeof(bool) * desc->natts);
	heap_deform_tuple(tuple, desc, row.values, row.nulls);
	return row;
}

/* The document of a row, split; NULL if it is NULL. */
DbvcDocument *
dbvc_face_split(const DbvcFace *face, const DbvcFaceRow *row)
{
	int i = face->adopted->face_doc - 1;

	return row->nulls[i] ? NULL
						 : dbvc_doc_split(face->adopted->parts,
										  DatumGetJsonbP(row->values[i]));
}

void
dbvc_face_refuse_generated(const DbvcFace *face, AttrNumber column)
{
	ereport(ERROR, (errcode(ERRCODE_GENERATED_ALWAYS),
					errmsg("column \"%s\" can only be set to DEFAULT",
						   get_attname(face->adopted->base, column, false)),
					errdetail("It is a generated column of %s.",
							  face->adopted->base_name)));
}

/*
 * The row as it came, to be returned as it is.  The executor frees a tuple
 * that a trigger replaces at once, but one that it gives back at the end of
 * the query only.  To copy a document costs more than that, as long as there
 * are not many: the first of a transaction is given back, and what else fits
 * into dbvc.document_buffer; then they are copied.
 */
HeapTuple
dbvc_face_given(HeapTuple tuple)
{
	static TransactionId transaction = InvalidTransactionId;
	static Size given = 0;

	if (transaction != GetTopTransactionId())
	{
		transaction = GetTopTransactionId();
		given = 0;
	}
	if (given > 0 && given + tuple->t_len > dbvc_document_buffer())
		return heap_copytuple(tuple);
	given += tuple->t_len;
	return tuple;
}

/* The statement's own row, with what the base and the merge made of it. */
HeapTuple
dbvc_face_result(DbvcFace *face, Jsonb *document)
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

/* A document with the slim that a trigger of the user's may have changed. */
Jsonb *
dbvc_face_whole(const DbvcFace *face, const DbvcDocument *document)
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
insert_columns(DbvcFace *face, bool *complete)
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
				dbvc_face_refuse_generated(face, column);
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
			face->identity = true;
		}
		columns = bms_add_member(columns, column);
	}
	return columns;
}

static bool
known_key(const DbvcFace *face, Datum *key)
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
insert_row(DbvcFace *face, Bitmapset *columns, bool returning)
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
face_insert(DbvcFace *face, HeapTuple row)
{
	const DbvcAdopted *adopted = face->adopted;
	bool complete;
	bool returning;
	Bitmapset *columns = insert_columns(face, &complete);
	DbvcDocument *document = dbvc_face_split(face, &face->new);
	DbvcDocument *items = adopted->releasing ? NULL : document;
	Jsonb *whole =
		document ? DatumGetJsonbP(face->new.values[adopted->face_doc - 1])
				 : NULL;

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
	dbvc_write_begin(adopted,
					 adopted->releasing ? DBVC_WRITE_WHOLE : DBVC_WRITE_SPLIT,
					 true);
	if (items != NULL)
		dbvc_write_slim(items->slim);
	if (!insert_row(face, columns, returning))
	{
		dbvc_write_end();
		return NULL;
	}
	if (items != NULL)
	{
		/* a trigger of the user's may have made it another one */
		Datum key[DBVC_KEY_MAX];

		memcpy(key, dbvc_write_current()->key, sizeof(key));
		insert_items(adopted, items, key);
	}
	dbvc_write_end();
	if (returning && adopted->runtime->before_insert)
		whole = dbvc_face_whole(face, items);
	/* nothing that the statement does not know */
	if (!returning && !face->identity)
		return dbvc_face_given(row);
	return dbvc_face_result(face, whole);
}

/* --------------------------------------------------------------- delete */

static bool
delete_row(const DbvcFace *face, const DbvcLast *last)
{
	bool done;

	dbvc_write_begin(face->adopted, DBVC_WRITE_BUMP, true);
	done = dbvc_base_delete(face->adopted, face->key, last);
	dbvc_write_end();
	if (done)
		dbvc_face_touch(face);
	return done;
}

static bool
face_delete(DbvcFace *face)
{
	const DbvcAdopted *adopted = face->adopted;
	DbvcLast last;
	DbvcCurrent *current;

	if (!dbvc_reader_last(adopted, GetActiveSnapshot(), face->key, &last))
		current = dbvc_face_lock(face, NULL);
	else if (delete_row(face, &last))
		return true;
	else
		current = dbvc_face_lock(face, &last);
	if (current == NULL)
		return false;
	if (current->document)
		dbvc_face_conflict(face, "parts");
	if (!bms_is_empty(current->columns))
		dbvc_face_conflict(face, "columns");
	return delete_row(face, NULL);
}

/* -------------------------------------------------------------- trigger */

static void
prepare_face(DbvcFace *face, const TriggerData *trigger)
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
	DbvcFace face = {0};
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
		result = face_insert(&face, trigger->tg_trigtuple);
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		result = dbvc_face_update(&face, trigger->tg_trigtuple,
								  trigger->tg_newtuple);
	else
		result = face_delete(&face) ? trigger->tg_trigtuple : NULL;
	SPI_finish();
	MemoryContextSwitchTo(context);
	return PointerGetDatum(result);
}
