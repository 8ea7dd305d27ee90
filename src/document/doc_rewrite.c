/*
 * doc_rewrite.c
 *		A copy of a document with other arrays in the places of its parts.
 *
 * Only objects on the way to such a place are taken apart; their keys, and
 * every value beside the way, are copied as they are.
 */
#include "document/doc_raw.h"

typedef struct Rewrite
{
	DbvcRawWriter writer;
	const DbvcParts *parts;
	const DbvcItems *items;
	bool *wanted;
} Rewrite;

static bool rewrite_value(Rewrite *rewrite, const DbvcValue *value, int at,
						  int end, int depth);

static void
write_array(Rewrite *rewrite, const DbvcItems *items)
{
	DbvcRawWriter *writer = &rewrite->writer;
	int count = items == NULL ? 0 : items->count;
	DbvcRawOpen open;

	if (count > DBVC_RAW_MAX_ELEMENTS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("document has too many items"),
						errdetail("An array may have %d elements, not %d.",
								  DBVC_RAW_MAX_ELEMENTS, count)));
	open = dbvc_raw_open(writer, JB_FARRAY | (uint32) count, (uint32) count);
	for (int i = 0; i < count; i++)
		dbvc_raw_add(writer, &open, &items->item[i].value);
}

/* Keys and their entries stay what they are: nothing of them is moved. */
static DbvcRawOpen
copy_keys(DbvcRawWriter *writer, const DbvcValue *object)
{
	uint32 count = (uint32) dbvc_raw_count(object);
	DbvcRawIter keys = dbvc_raw_keys(object);
	uint32 len = dbvc_raw_values(object).offset;
	DbvcRawOpen open = dbvc_raw_open(writer, JB_FOBJECT | count, count * 2);

	memcpy(writer->data + open.entry, keys.entry,
		   (Size) count * DBVC_RAW_ENTRY);
	memcpy(dbvc_raw_reserve(writer, len), keys.base, len);
	open.entry += count * DBVC_RAW_ENTRY;
	open.index = count;
	open.end = len;
	return open;
}

static void
rewrite_object(Rewrite *rewrite, const DbvcValue *object, int at, int end,
			   int depth)
{
	const DbvcParts *parts = rewrite->parts;
	DbvcRawIter keys = dbvc_raw_keys(object);
	DbvcRawIter values = dbvc_raw_values(object);
	DbvcRawOpen open = copy_keys(&rewrite->writer, object);
	int count = dbvc_raw_count(object);

	check_stack_depth();
	for (int i = 0; i < count; i++)
	{
		DbvcValue key = dbvc_raw_next(&keys);
		DbvcValue value = dbvc_raw_next(&values);
		int order = -1;

		CHECK_FOR_INTERRUPTS();
		while (at < end &&
			   (order = dbvc_raw_compare(parts->part[at].keys[depth].text,
										 parts->part[at].keys[depth].len,
										 key.data, key.len)) < 0)
			at = dbvc_parts_group(parts, at, end, depth);
		if (at < end && order == 0 &&
			rewrite_value(rewrite, &value, at,
						  dbvc_parts_group(parts, at, end, depth), depth + 1))
			dbvc_raw_added(&rewrite->writer, &open, JENTRY_ISCONTAINER);
		else
			dbvc_raw_add(&rewrite->writer, &open, &value);
	}
}

/* Write another value in its place; false if it shall stay as it is. */
static bool
rewrite_value(Rewrite *rewrite, const DbvcValue *value, int at, int end,
			  int depth)
{
	bool any = false;

	for (int i = at; i < end && !any; i++)
		any = rewrite->wanted[i];
	if (!any)
		return false;
	if (rewrite->parts->part[at].depth > depth)
	{
		if (!dbvc_raw_is_object(value))
			return false;
		rewrite_object(rewrite, value, at, end, depth);
		return true;
	}
	if (!dbvc_raw_is_array(value) ||
		(dbvc_raw_count(value) == 0) != (rewrite->items != NULL))
		return false;
	write_array(rewrite, rewrite->items ? &rewrite->items[at] : NULL);
	rewrite->wanted[at] = false;
	return true;
}

Jsonb *
dbvc_doc_rewrite(const DbvcParts *parts, Jsonb *document,
				 const DbvcItems *items, bool *wanted, Size size)
{
	Rewrite rewrite = {.parts = parts, .items = items, .wanted = wanted};
	DbvcValue root = dbvc_value_read(JsonbPGetDatum(document));

	dbvc_raw_start(&rewrite.writer, size);
	rewrite_object(&rewrite, &root, 0, parts->count, 0);
	return dbvc_raw_finish(&rewrite.writer);
}
