/*
 * doc_ids.c
 *		Ids of items: see DbvcItem in document.h.
 *
 * An id must say of which type it was, or {"id": 1} and {"id": "1"} would be
 * one item; and no element can be left without an identity, however little it
 * has of its own.
 */
#include "document/doc_raw.h"

#include "common/int.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#define NUMBER_MARK '#'
#define STRING_MARK '='

/* A ~ and an int. */
#define GENERATED_LEN 11

/* A mark and the id. */
static void
set_marked(DbvcItem *item, char mark, const char *text, int len)
{
	char *id = palloc(len + 1);

	id[0] = mark;
	memcpy(id + 1, text, len);
	item->id = id;
	item->id_len = len + 1;
}

/* False if it is too long: 1e131071 has a few bytes, but as many digits. */
static bool
set_number(DbvcItem *item, const DbvcValue *value)
{
	/* numeric's functions want it aligned */
	Numeric number = palloc(value->len);
	char *text;
	Size len;

	memcpy((void *) number, value->data, value->len);
	text = DatumGetCString(
		DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	len = strlen(text);
	if (len < DBVC_ITEM_ID_MAX)
		set_marked(item, NUMBER_MARK, text, (int) len);
	pfree(text);
	pfree((void *) number);
	return len < DBVC_ITEM_ID_MAX;
}

static bool
set_string(DbvcItem *item, const DbvcValue *value)
{
	bool marked = value->len == 0 || value->data[0] == NUMBER_MARK ||
				  value->data[0] == DBVC_ITEM_GENERATED ||
				  value->data[0] == STRING_MARK;

	if (value->len + marked > DBVC_ITEM_ID_MAX)
		return false;
	if (marked)
		set_marked(item, STRING_MARK, value->data, (int) value->len);
	else
	{
		item->id = value->data;
		item->id_len = (int) value->len;
	}
	return true;
}

/* The id that the element has of its own; false if it has none. */
static bool
set_own_id(DbvcItem *item, const DbvcKey *id_key)
{
	DbvcValue value;

	if (!dbvc_raw_is_object(&item->value) ||
		!dbvc_raw_find(&item->value, id_key, &value))
		return false;
	if (value.kind == JENTRY_ISNUMERIC)
		return set_number(item, &value);
	return value.kind == JENTRY_ISSTRING && set_string(item, &value);
}

static bool
is_known(const DbvcItems *items, const DbvcHash *table, int index, uint32 hash)
{
	for (int i = dbvc_hash_first(table, hash); i >= 0;
		 i = dbvc_hash_next(table, i))
		if (dbvc_item_same_id(&items->item[i], &items->item[index]))
			return true;
	return false;
}

/* Number those without an id. */
static void
generate_ids(DbvcItems *items, int missing)
{
	char *text = palloc((Size) missing * GENERATED_LEN);
	int number = 0;

	for (int i = 0; i < items->count; i++)
	{
		DbvcItem *item = &items->item[i];

		if (item->id != NULL)
			continue;
		text[0] = DBVC_ITEM_GENERATED;
		item->id = text;
		item->id_len = 1 + pg_ultoa_n(++number, text + 1);
		text += item->id_len;
	}
}

void
dbvc_items_identify(DbvcItems *items, const DbvcKey *id_key)
{
	DbvcHash table = {0};
	int missing = 0;

	items->duplicates = 0;
	for (int i = 0; i < items->count; i++)
	{
		DbvcItem *item = &items->item[i];
		bool own;

		CHECK_FOR_INTERRUPTS();
		own = set_own_id(item, id_key);
		if (own)
		{
			uint32 hash = dbvc_hash_id(item);

			if (table.bucket == NULL)
				table = dbvc_hash_make(items->count);
			if (is_known(items, &table, i, hash))
			{
				items->duplicates++;
				own = false;
			}
			else
				dbvc_hash_put(&table, i, hash);
		}
		if (!own)
		{
			item->id = NULL;
			missing++;
		}
	}
	if (missing > 0)
		generate_ids(items, missing);
}

/* The number of a generated id; 0 if it has none, or none that counts. */
static int64
generated_number(const DbvcItem *item)
{
	int64 number = 0;

	for (int i = 1; i < item->id_len; i++)
	{
		char c = item->id[i];

		if (c < '0' || c > '9' || pg_mul_s64_overflow(number, 10, &number) ||
			pg_add_s64_overflow(number, c - '0', &number))
			return 0;
	}
	return number;
}

int64
dbvc_items_highest(const DbvcItems *items)
{
	int64 highest = 0;

	for (int i = 0; i < items->count; i++)
	{
		if (dbvc_item_generated(&items->item[i]))
			highest = Max(highest, generated_number(&items->item[i]));
	}
	return highest;
}
