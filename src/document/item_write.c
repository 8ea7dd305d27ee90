/*
 * item_write.c
 *		Saving, deleting and restoring items of a split document.
 *
 * What is there is looked at first, without a lock: who saves what is there
 * already writes nothing.  Otherwise the base's row is written.  If that makes
 * its version the next one, nobody has written in between, and what was seen
 * still holds; else it is looked at again.
 *
 * New items come at the end.  That takes one look at the last row of the part,
 * from the end of the index; softly deleted ones count, so that what is
 * restored finds its place free.
 */
#include "document/item.h"

#include "document/doc_raw.h"
#include "document/runtime.h"

#include "access/xact.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "util/util.h"

/* The end of a part's items. */
typedef struct Tail
{
	bool known;
	bool placed;   /* the document has an array for them */
	int64 ord;	   /* of the last one; 0 if there is none */
	int64 number;  /* of its id, if it was generated; else 0 */
	bool numbered; /* number + 1 is known to be free */
} Tail;

typedef struct Writer
{
	DbvcTarget *target;
	DbvcItemSave *saves;
	int count;
	bool batch;
	bool skip;
	bool changes;		/* there is something to write */
	bool found;			/* the only item has been looked for, and that holds */
	Tail *tails;		/* by part */
	MemoryContext work; /* for one item */
} Writer;

/* ------------------------------------------------------------ the document */

static bool
read_version(DbvcTarget *target)
{
	if (dbvc_target_run(target, DBVC_RUN_BASE_VERSION, NULL, false) == 0)
		return false;
	target->version = dbvc_row_int64(0, 1, 0);
	return true;
}

/* The row was not there, or whole. */
static void
convert(DbvcTarget *target)
{
	DbvcStored *stored = dbvc_stored_lock(target->adopted, target->key);

	if (stored == NULL)
		dbvc_target_missing(target);
	target->version = -1;
	if (stored->version == 0)
	{
		if (stored->document != NULL)
			dbvc_document_examine(target->adopted, target->key,
								  stored->document->slim, stored->document);
		dbvc_stored_write(stored, stored->document, NULL);
	}
	/* somebody has split it; or it is not for this role to write */
	else if (dbvc_target_run(target, DBVC_RUN_BASE_RAISE, NULL, false) == 0)
		dbvc_target_missing(target);
}

void
dbvc_target_raise(DbvcTarget *target)
{
	if (target->locked)
		return;
	if (dbvc_target_run(target, DBVC_RUN_BASE_RAISE, NULL, false) == 0)
		convert(target);
	else
	{
		int64 version = dbvc_row_int64(0, 1, 0);

		/* -1: not what it was when it was read */
		target->version = version == target->version + 1 ? version : -1;
	}
	target->locked = true;
}

/* An array for the part's items in the slim document. */
static void
make_place(DbvcTarget *target, int part)
{
	MemoryContext old = CurrentMemoryContext;
	Jsonb *slim = NULL;
	Jsonb *placed;
	Datum value;
	bool isnull;

	if (dbvc_target_run(target, DBVC_RUN_BASE_DOCUMENT, NULL, false) == 0)
		dbvc_target_missing(target);
	value = dbvc_row_datum(0, 2, &isnull);
	if (!isnull)
		slim = DatumGetJsonbP(value);
	placed = dbvc_doc_place(&target->adopted->parts->part[part], slim);
	if (placed != slim)
	{
		value = JsonbPGetDatum(placed);
		if (dbvc_target_run(target, DBVC_RUN_BASE_SET, &value, false) == 0)
			dbvc_target_missing(target);
	}
	MemoryContextSwitchTo(old);
}

/* ---------------------------------------------------------------- one item */

static void
must_write(DbvcTarget *target, DbvcStatement statement, const Datum *args)
{
	if (dbvc_target_run(target, statement, args, false) > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("item was not written"),
			 errdetail("A trigger or a row security policy of %s passed it "
					   "over.",
					   target->adopted->items_name)));
}

static Tail *
read_tail(Writer *writer, const DbvcItemSave *save)
{
	Tail *tail = &writer->tails[save->part];
	Datum type = CStringGetTextDatum(save->type);
	DbvcItem item = {0};
	DbvcItems items = {.item = &item, .count = 1};
	bool isnull;

	if (tail->known)
		return tail;
	memset(tail, 0, sizeof(Tail));
	if (dbvc_target_run(writer->target, DBVC_RUN_ITEM_LAST, &type, false) > 0)
	{
		char *id = dbvc_row_text(0, 2);

		item.id = id;
		item.id_len = strlen(id);
		tail->ord = dbvc_row_int64(0, 1, 0);
		tail->number = dbvc_items_highest(&items);
		/* where one is, there is an array */
		tail->placed = DatumGetBool(dbvc_row_datum(0, 3, &isnull));
	}
	tail->known = true;
	return tail;
}

static Tail *
placed_tail(Writer *writer, const DbvcItemSave *save)
{
	Tail *tail = read_tail(writer, save);

	if (!tail->placed)
		make_place(writer->target, save->part);
	tail->placed = true;
	return tail;
}

/*
 * A number that no item has: mostly the last item's is the highest; if the
 * one after it is in use all the same, all are looked at.
 */
static char *
generate_id(Writer *writer, const DbvcItemSave *save, Tail *tail)
{
	Datum args[2] = {CStringGetTextDatum(save->type)};
	char *id =
		psprintf("%c" INT64_FORMAT, DBVC_ITEM_GENERATED, tail->number + 1);

	args[1] = CStringGetTextDatum(id);
	if (!tail->numbered &&
		(tail->number == 0 ||
		 dbvc_target_run(writer->target, DBVC_RUN_ITEM_FIND, args, false) > 0))
	{
		dbvc_target_run(writer->target, DBVC_RUN_ITEM_HIGHEST, args, false);
		tail->number = dbvc_row_int64(0, 1, 0);
		id =
			psprintf("%c" INT64_FORMAT, DBVC_ITEM_GENERATED, tail->number + 1);
	}
	tail->numbered = true;
	tail->number++;
	return id;
}

static int64
next_ord(const Tail *tail)
{
	int64 step = Min(DBVC_ORD_STEP, (PG_INT64_MAX - tail->ord) / 2);

	if (tail->ord < 0)
		step = DBVC_ORD_STEP;
	if (step <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there is no rank left behind the last item"),
				 errhint(
					 "Write the whole document: that spreads them anew.")));
	return tail->ord + step;
}

static void
add_item(Writer *writer, DbvcItemSave *save)
{
	Tail *tail = placed_tail(writer, save);
	int64 ord = next_ord(tail);
	Datum args[4];

	if (save->id == NULL)
		save->id = generate_id(writer, save, tail);
	args[0] = CStringGetTextDatum(save->type);
	args[1] = CStringGetTextDatum(save->id);
	args[2] = Int64GetDatum(ord);
	args[3] = JsonbPGetDatum(dbvc_value_jsonb(&save->value));
	must_write(writer->target, DBVC_RUN_ITEM_ADD, args);
	tail->ord = ord;
	save->outcome = DBVC_ITEM_INSERTED;
}

static void
set_item(Writer *writer, DbvcItemSave *save)
{
	Datum args[] = {CStringGetTextDatum(save->type),
					CStringGetTextDatum(save->id),
					JsonbPGetDatum(dbvc_value_jsonb(&save->value))};

	if (save->deleted)
		placed_tail(writer, save);
	must_write(writer->target, DBVC_RUN_ITEM_SET, args);
	save->outcome = save->deleted ? DBVC_ITEM_RESTORED : DBVC_ITEM_UPDATED;
}

/* What is to be told of the item, for longer than the work on it. */
static void
keep_result(Writer *writer, DbvcItemSave *save)
{
	MemoryContext old = MemoryContextSwitchTo(writer->target->call);

	if (save->outcome == DBVC_ITEM_FAILED)
	{
		save->message = pstrdup(save->message);
		save->detail = save->detail ? pstrdup(save->detail) : NULL;
		save->hint = save->hint ? pstrdup(save->hint) : NULL;
	}
	else if (save->id != NULL)
		save->id = pstrdup(save->id);
	MemoryContextSwitchTo(old);
	/* what was found of the only item is still needed */
	if (writer->count > 1)
		MemoryContextReset(writer->work);
}

static void
save_item(Writer *writer, DbvcItemSave *save)
{
	MemoryContext old = MemoryContextSwitchTo(writer->work);

	if (save->outcome == DBVC_ITEM_FAILED)
		return;
	if (writer->found || dbvc_item_find(writer->target, save))
	{
		if (!save->exists)
			add_item(writer, save);
		else if (save->deleted || !save->same)
			set_item(writer, save);
		else
			save->outcome = DBVC_ITEM_UNCHANGED;
	}
	MemoryContextSwitchTo(old);
	if (save->outcome == DBVC_ITEM_FAILED && !writer->skip)
		dbvc_item_raise(save);
	keep_result(writer, save);
}

/* Is it as it shall be already?  Asked without a lock. */
static void
look_at_item(Writer *writer, DbvcItemSave *save)
{
	MemoryContext old;

	if (save->outcome == DBVC_ITEM_FAILED || writer->changes)
		return;
	old = MemoryContextSwitchTo(writer->work);
	dbvc_item_find(writer->target, save);
	MemoryContextSwitchTo(old);
	if (save->outcome == DBVC_ITEM_FAILED && !writer->skip)
		dbvc_item_raise(save);
	keep_result(writer, save);
	writer->changes = save->outcome != DBVC_ITEM_FAILED &&
					  (!save->exists || save->deleted || !save->same);
}

/* --------------------------------------------------------------- the batch */

typedef struct Range
{
	Writer *writer;
	int from;
	int to;
	int now; /* for a message */
} Range;

static void
tell_item(void *arg)
{
	const Range *range = arg;

	errcontext("item %d of the batch", range->now + 1);
}

static void
for_range(Range *range, void (*work)(Writer *writer, DbvcItemSave *save))
{
	Writer *writer = range->writer;
	ErrorContextCallback callback = {error_context_stack, tell_item, range};

	if (writer->batch)
		error_context_stack = &callback;
	for (range->now = range->from; range->now < range->to; range->now++)
	{
		CHECK_FOR_INTERRUPTS();
		work(writer, &writer->saves[range->now]);
	}
	error_context_stack = callback.previous;
}

static void
save_range(void *arg)
{
	for_range(arg, save_item);
}

/* Is it the item's fault, or would another one do no better? */
static bool
concerns_item(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('2', '5', '0', '0', '0'): /* transaction state */
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'): /* serialization */
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'): /* resources */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'): /* cancelled */
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'): /* system */
		case MAKE_SQLSTATE('X', 'X', '0', '0', '0'):
			return false;
	}
	return sqlstate != ERRCODE_LOCK_NOT_AVAILABLE;
}

/* Save what can be saved: halves of what fails, down to the item. */
static void
save_possible(Writer *writer, int from, int to)
{
	Range range = {.writer = writer, .from = from, .to = to};
	DbvcItemSave *save = &writer->saves[from];
	ErrorData *error = dbvc_subtransaction(save_range, &range, true);

	check_stack_depth();
	if (error == NULL)
		return;
	if (!concerns_item(error->sqlerrcode))
		ReThrowError(error);
	/* freed with the subtransaction */
	writer->target->rows = NULL;
	memset(writer->tails, 0,
		   sizeof(Tail) * writer->target->adopted->parts->count);
	if (to - from > 1)
	{
		int middle = from + (to - from) / 2;

		FreeErrorData(error);
		save_possible(writer, from, middle);
		save_possible(writer, middle, to);
		return;
	}
	save->outcome = DBVC_ITEM_FAILED;
	save->sqlstate = error->sqlerrcode;
	save->message = MemoryContextStrdup(writer->target->call, error->message);
	FreeErrorData(error);
}

/* What can be said of an item without looking at the table. */
static void
check_item(Writer *writer, DbvcItemSave *save)
{
	MemoryContext old = MemoryContextSwitchTo(writer->target->call);

	if (save->outcome != DBVC_ITEM_FAILED)
		dbvc_item_check(writer->target->adopted, save);
	if (save->outcome == DBVC_ITEM_FAILED && !writer->skip)
		dbvc_item_raise(save);
	MemoryContextSwitchTo(old);
}

void
dbvc_items_save(DbvcTarget *target, DbvcItemSave *saves, int count, bool batch,
				bool skip)
{
	Writer writer = {.target = target,
					 .saves = saves,
					 .count = count,
					 .batch = batch,
					 .skip = skip};
	Range range = {.writer = &writer, .from = 0, .to = count};

	for_range(&range, check_item);
	if (target->adopted->releasing)
	{
		dbvc_items_save_whole(target, saves, count, skip);
		return;
	}
	if (!read_version(target))
		dbvc_target_missing(target);
	/* of a whole document nothing is there yet */
	for (int i = 0; target->version == 0 && i < count; i++)
		writer.changes |= saves[i].outcome != DBVC_ITEM_FAILED;
	writer.work = AllocSetContextCreate(CurrentMemoryContext, "dbvc item",
										ALLOCSET_DEFAULT_SIZES);
	writer.tails = palloc0(sizeof(Tail) * (target->adopted->parts->count + 1));
	for_range(&range, look_at_item);
	if (!writer.changes)
		return;
	dbvc_target_raise(target);
	writer.found = count == 1 && target->version > 0;
	if (skip)
		save_possible(&writer, 0, count);
	else
		save_range(&range);
}

/* --------------------------------------------------- deleting, restoring */

/* Is there such an item, deleted or not, as asked for? */
static bool
has_row(DbvcTarget *target, const char *type, const char *id, bool deleted)
{
	Datum args[] = {CStringGetTextDatum(type), CStringGetTextDatum(id)};
	bool isnull;

	return dbvc_target_run(target, DBVC_RUN_ITEM_FIND, args, false) > 0 &&
		   DatumGetBool(dbvc_row_datum(0, 2, &isnull)) == deleted;
}

/* The same, with the document locked if there is. */
static bool
lock_row(DbvcTarget *target, const char *type, const char *id, bool deleted)
{
	if (!read_version(target))
		dbvc_target_missing(target);
	if (target->version > 0 && !has_row(target, type, id, deleted))
		return false;
	/* nothing is split any more */
	if (target->version == 0 && target->adopted->releasing)
		return false;
	dbvc_target_raise(target);
	return target->version > 0 || has_row(target, type, id, deleted);
}

bool
dbvc_target_delete(DbvcTarget *target, const char *type, const char *id)
{
	Datum args[] = {CStringGetTextDatum(type), CStringGetTextDatum(id)};

	(void) dbvc_item_part(target->adopted, type);
	if (target->adopted->releasing)
		return dbvc_target_delete_whole(target, type, id);
	if (!lock_row(target, type, id, false))
		return false;
	must_write(target,
			   target->adopted->soft_delete ? DBVC_RUN_ITEM_HIDE
											: DBVC_RUN_ITEM_REMOVE,
			   args);
	return true;
}

bool
dbvc_target_restore(DbvcTarget *target, const char *type, const char *id)
{
	Datum args[] = {CStringGetTextDatum(type), CStringGetTextDatum(id)};
	int part = dbvc_item_part(target->adopted, type);

	if (!lock_row(target, type, id, true))
		return false;
	make_place(target, part);
	must_write(target, DBVC_RUN_ITEM_SHOW, args);
	return true;
}
