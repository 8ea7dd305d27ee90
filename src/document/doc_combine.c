/*
 * doc_combine.c
 *		Slim and items into the whole document.
 *
 * Its size is bounded beforehand, it is written in one go, and every value is
 * copied once; reading documents costs little more than reading their bytes.
 */
#include "document/doc_raw.h"

/* Which parts have items?  Returns a bound for the size of the document. */
static Size
measure(const DbvcParts *parts, const DbvcDocument *document, bool *wanted,
		bool *any)
{
	/* for slim's own entries, of 4 bytes, up to 3 of padding each */
	Size size = VARHDRSZ + (Size) VARSIZE(document->slim) * 2;

	*any = false;
	for (int p = 0; p < parts->count; p++)
	{
		const DbvcItems *items = &document->items[p];

		wanted[p] = items->count > 0;
		if (!wanted[p])
			continue;
		*any = true;
		size += DBVC_RAW_HEADER + DBVC_RAW_ENTRY;
		size += (Size) items->count * (DBVC_RAW_ENTRY + DBVC_RAW_ENTRY - 1);
		for (int i = 0; i < items->count; i++)
			size += items->item[i].value.len;
	}
	return size;
}

static bool
is_placed(const DbvcPart *part, const DbvcValue *root)
{
	DbvcValue value = *root;

	for (int depth = 0; depth < part->depth; depth++)
	{
		DbvcValue object = value;

		if (!dbvc_raw_is_object(&object) ||
			!dbvc_raw_find(&object, &part->keys[depth], &value))
			return false;
	}
	return dbvc_raw_is_array(&value) && dbvc_raw_count(&value) == 0;
}

int
dbvc_doc_misplaced(const DbvcParts *parts, const DbvcDocument *document)
{
	DbvcValue root = dbvc_value_read(JsonbPGetDatum(document->slim));

	for (int p = 0; p < parts->count; p++)
	{
		CHECK_FOR_INTERRUPTS();
		if (document->items[p].count > 0 && !is_placed(&parts->part[p], &root))
			return p;
	}
	return -1;
}

static void
refuse_misplaced(const DbvcParts *parts, int part, const DbvcItems *items)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		 errmsg("document has no place for its items of type \"%s\"",
				parts->part[part].type),
		 errdetail_plural("There is %d item, but no empty array at \"%s\".",
						  "There are %d items, but no empty array at "
						  "\"%s\".",
						  items->count, items->count, parts->part[part].path),
		 errhint("Put an empty array there, or remove the items.")));
}

Jsonb *
dbvc_doc_combine(const DbvcParts *parts, const DbvcDocument *document)
{
	bool *wanted = palloc((Size) (parts->count + 1) * sizeof(bool));
	bool any;
	Size size = measure(parts, document, wanted, &any);
	Jsonb *whole = NULL;

	if (!any)
		return document->slim;
	if (JB_ROOT_IS_OBJECT(document->slim))
		whole = dbvc_doc_rewrite(parts, document->slim, document->items,
								 wanted, size);
	for (int p = 0; p < parts->count; p++)
	{
		if (wanted[p])
			refuse_misplaced(parts, p, &document->items[p]);
	}
	return whole;
}
