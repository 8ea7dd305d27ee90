/*
 * item_identity.c
 *		Which row an item is that somebody wants to save.
 *
 * The ids must be those that splitting the whole document would give, or the
 * next writer of the whole document would see other items.  So an element that
 * has an id of its own can have no other, and an element without one cannot be
 * given one: it has got a generated one when it was inserted.
 *
 * The exception are elements that share an id: the first one has it, the
 * others have generated ids.  When the first one is deleted they keep them.
 * Who then saves an element with that id means the next one: twin, here.
 */
#include "document/item.h"

#include "document/doc_raw.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "util/util.h"

static bool
refuse(DbvcItemSave *save, const char *message, const char *detail,
	   const char *hint)
{
	save->outcome = DBVC_ITEM_FAILED;
	save->sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;
	save->message = message;
	save->detail = detail;
	save->hint = hint;
	return false;
}

void
dbvc_item_raise(const DbvcItemSave *save)
{
	ereport(ERROR, (errcode(save->sqlstate), errmsg("%s", save->message),
					save->detail ? errdetail("%s", save->detail) : 0,
					save->hint ? errhint("%s", save->hint) : 0));
}

static const char *
known_types(const DbvcAdopted *adopted)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, adopted->parts->count == 0
									  ? "No part of its documents is split."
									  : "Its types are ");
	for (int p = 0; p < adopted->parts->count; p++)
		appendStringInfo(&text, "%s\"%s\"%s", p == 0 ? "" : ", ",
						 adopted->parts->part[p].type,
						 p == adopted->parts->count - 1 ? "." : "");
	return text.data;
}

static void
refuse_type(const DbvcAdopted *adopted, DbvcItemSave *save)
{
	refuse(save,
		   psprintf("documents of %s have no items of type \"%s\"",
					adopted->name, save->type),
		   NULL, known_types(adopted));
}

int
dbvc_item_part(const DbvcAdopted *adopted, const char *type)
{
	DbvcItemSave save = {.type = type};
	int part = dbvc_parts_find(adopted->parts, type, strlen(type));

	if (part < 0)
	{
		refuse_type(adopted, &save);
		dbvc_item_raise(&save);
	}
	return part;
}

char *
dbvc_item_own_id(const DbvcPart *part, const DbvcValue *value)
{
	DbvcItem item = {.value = *value};
	DbvcItems items = {.item = &item, .count = 1};

	dbvc_items_identify(&items, &part->id_key);
	return dbvc_item_generated(&item) ? NULL : pnstrdup(item.id, item.id_len);
}

bool
dbvc_item_check(const DbvcAdopted *adopted, DbvcItemSave *save)
{
	const DbvcPart *part;

	save->part =
		dbvc_parts_find(adopted->parts, save->type, strlen(save->type));
	if (save->part < 0)
	{
		refuse_type(adopted, save);
		return false;
	}
	part = &adopted->parts->part[save->part];
	save->own = dbvc_item_own_id(part, &save->value);
	/* whether a generated one fits only its row can say */
	if (save->given == NULL || save->given[0] == DBVC_ITEM_GENERATED)
		return true;
	if (save->own == NULL)
		return refuse(save, "item has no id of its own",
					  psprintf("It was to be saved as \"%s\", but no string "
							   "or number in it at \"%s\" says so.",
							   save->given, part->id_key.text),
					  "Leave item_id out, or give data its id.");
	if (strcmp(save->own, save->given) != 0)
		return refuse(save, "item has another id",
					  psprintf("It was to be saved as \"%s\"; its own id "
							   "makes it \"%s\".",
							   save->given, save->own),
					  "Leave item_id out, or give the id that the item has.");
	return true;
}

/* ------------------------------------------------------------ in the table */

/* An item with a generated id must exist. */
static bool
refuse_missing(DbvcItemSave *save)
{
	refuse(save,
		   psprintf("item \"%s\" of type \"%s\" does not exist", save->given,
					save->type),
		   "An id that begins with ~ is given by dbvc, to an item that has "
		   "none of its own.",
		   "Leave item_id out to insert an item.");
	save->sqlstate = ERRCODE_NO_DATA_FOUND;
	return false;
}

/* The own id of an element with a generated one must stay what it was. */
static bool
check_generated(const DbvcPart *part, DbvcItemSave *save,
				const DbvcValue *value)
{
	const char *before = dbvc_item_own_id(part, value);

	if ((before == NULL) == (save->own == NULL) &&
		(before == NULL || strcmp(before, save->own) == 0))
		return true;
	return refuse(save, "item has another id",
				  before ? psprintf("The id in item \"%s\" of type \"%s\" "
									"makes it \"%s\".",
									save->given, save->type, before)
						 : psprintf("Item \"%s\" of type \"%s\" has no id "
									"of its own.",
									save->given, save->type),
				  "Leave item_id out to insert an item with another id.");
}

/* Read the row with save->id; true if there is one. */
static bool
read_row(DbvcTarget *target, DbvcItemSave *save, DbvcValue *value)
{
	Datum args[] = {CStringGetTextDatum(save->type),
					CStringGetTextDatum(save->id)};
	bool isnull;

	save->exists =
		dbvc_target_run(target, DBVC_RUN_ITEM_FIND, args, false) > 0;
	if (!save->exists)
		return false;
	*value = dbvc_value_read(dbvc_row_datum(0, 1, &isnull));
	save->same = dbvc_value_same(value, &save->value);
	save->deleted = DatumGetBool(dbvc_row_datum(0, 2, &isnull));
	return true;
}

/* The id of an element as it would be written. */
static char *
id_text(const DbvcPart *part, const DbvcValue *element)
{
	DbvcValue id;
	Jsonb *jsonb;

	if (!dbvc_raw_find(element, &part->id_key, &id))
		elog(ERROR, "element has no id");
	jsonb = dbvc_value_jsonb(&id);
	return JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
}

/* An element with the same id of its own, under a generated one. */
static void
read_twin(DbvcTarget *target, DbvcItemSave *save)
{
	const DbvcPart *part = &target->adopted->parts->part[save->part];
	Datum args[] = {CStringGetTextDatum(save->type),
					CStringGetTextDatum(id_text(part, &save->value))};
	DbvcValue value;
	bool isnull;
	uint64 rows = dbvc_target_run(target, DBVC_RUN_ITEM_TWIN, args, false);
	uint64 first = 0;

	if (rows == 0)
		return;
	/* few, if any: no index has them in order */
	for (uint64 row = 1; row < rows; row++)
	{
		if (dbvc_row_int64(row, 3, 0) < dbvc_row_int64(first, 3, 0))
			first = row;
	}
	save->id = dbvc_row_text(first, 1);
	save->exists = true;
	save->deleted = false;
	value = dbvc_value_read(dbvc_row_datum(first, 2, &isnull));
	save->same = dbvc_value_same(&value, &save->value);
}

bool
dbvc_item_find(DbvcTarget *target, DbvcItemSave *save)
{
	DbvcValue value;

	save->exists = false;
	save->deleted = false;
	save->same = false;
	save->id = NULL;
	if (save->given != NULL && save->given[0] == DBVC_ITEM_GENERATED)
	{
		save->id = pstrdup(save->given);
		if (!read_row(target, save, &value))
			return refuse_missing(save);
		return check_generated(&target->adopted->parts->part[save->part], save,
							   &value);
	}
	if (save->own == NULL)
		return true;
	save->id = pstrdup(save->own);
	if (!read_row(target, save, &value) || save->deleted)
		read_twin(target, save);
	return true;
}

/* ---------------------------------------------------------- in a document */

/* Has the item this id of its own, under a generated one? */
static bool
is_twin(const DbvcPart *part, const DbvcItem *item, const char *own)
{
	char *id;

	if (!dbvc_item_generated(item))
		return false;
	id = dbvc_item_own_id(part, &item->value);
	return id != NULL && strcmp(id, own) == 0;
}

int
dbvc_item_find_among(const DbvcAdopted *adopted, const DbvcItems *items,
					 DbvcItemSave *save)
{
	const DbvcPart *part = &adopted->parts->part[save->part];
	bool generated =
		save->given != NULL && save->given[0] == DBVC_ITEM_GENERATED;
	const char *id = generated ? save->given : save->own;
	int len = id ? (int) strlen(id) : 0;

	for (int i = 0; id != NULL && i < items->count; i++)
	{
		const DbvcItem *item = &items->item[i];

		if (item->id_len != len || memcmp(item->id, id, len) != 0)
			continue;
		if (generated && !check_generated(part, save, &item->value))
			return -2;
		return i;
	}
	for (int i = 0; id != NULL && !generated && i < items->count; i++)
	{
		if (is_twin(part, &items->item[i], id))
			return i;
	}
	if (!generated)
		return -1;
	refuse_missing(save);
	return -2;
}
