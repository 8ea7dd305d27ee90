/*
 * doc_split.c
 *		Documents into slim and items.
 *
 * The arrays are looked for first, along the configured paths; then slim is
 * written without them.  Elements are not copied: an item's value points into
 * the document.
 */
#include "document/doc_raw.h"

typedef struct Split
{
	const DbvcParts *parts;
	DbvcDocument *result;
	bool *wanted;
	int arrays;
	Size bytes; /* of these arrays */
} Split;

DbvcDocument *
dbvc_doc_make(const DbvcParts *parts, Jsonb *slim)
{
	DbvcDocument *document = palloc(sizeof(DbvcDocument));

	document->slim = slim;
	document->items = palloc0((Size) (parts->count + 1) * sizeof(DbvcItems));
	return document;
}

DbvcItems
dbvc_items_read(const DbvcPart *part, const DbvcValue *array)
{
	DbvcItems items = {0};
	DbvcRawIter elements;

	if (!dbvc_raw_is_array(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("elements must be given as an array"),
				 errdetail("They are those of part \"%s\".", part->path)));
	items.count = dbvc_raw_count(array);
	items.item = dbvc_raw_array(items.count, sizeof(DbvcItem));
	elements = dbvc_raw_elements(array);
	for (int i = 0; i < items.count; i++)
	{
		items.item[i].value = dbvc_raw_next(&elements);
		items.item[i].ord = (i + 1) * DBVC_ORD_STEP;
	}
	dbvc_items_identify(&items, &part->id_key);
	return items;
}

static void
split_object(Split *split, const DbvcValue *object, int at, int end, int depth)
{
	const DbvcParts *parts = split->parts;
	int to;

	check_stack_depth();
	for (; at < end; at = to)
	{
		const DbvcPart *part = &parts->part[at];
		DbvcValue value;

		CHECK_FOR_INTERRUPTS();
		to = dbvc_parts_group(parts, at, end, depth);
		if (!dbvc_raw_find(object, &part->keys[depth], &value))
			continue;
		if (part->depth > depth + 1)
		{
			if (dbvc_raw_is_object(&value))
				split_object(split, &value, at, to, depth + 1);
		}
		else if (dbvc_raw_is_array(&value) && dbvc_raw_count(&value) > 0)
		{
			split->result->items[at] = dbvc_items_read(part, &value);
			split->wanted[at] = true;
			split->arrays++;
			split->bytes += value.len;
		}
	}
}

DbvcDocument *
dbvc_doc_split(const DbvcParts *parts, Jsonb *document)
{
	DbvcValue root = dbvc_value_read(JsonbPGetDatum(document));
	Split split = {.parts = parts};

	split.result = dbvc_doc_make(parts, document);
	if (!dbvc_raw_is_object(&root) || parts->count == 0)
		return split.result;
	split.wanted = palloc0((Size) parts->count * sizeof(bool));
	split_object(&split, &root, 0, parts->count, 0);
	if (split.arrays > 0)
	{
		/* what is left, with other padding: at most 3 bytes for an entry of 4 */
		Size left = root.len - split.bytes;

		split.result->slim =
			dbvc_doc_rewrite(parts, document, NULL, split.wanted,
							 VARHDRSZ + 2 * left +
								 (Size) split.arrays *
									 (DBVC_RAW_HEADER + DBVC_RAW_ENTRY));
	}
	return split.result;
}
