/*
 * text.c
 *		Names for messages, text arrays as lists, hexadecimal.
 */
#include "util/util.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#define NAMES_SHOWN 10

char *
dbvc_join_names(const List *names)
{
	StringInfoData buf;
	int shown = 0;
	ListCell *lc;

	initStringInfo(&buf);
	foreach (lc, names)
	{
		if (shown == NAMES_SHOWN)
		{
			appendStringInfo(&buf, " and %d more", list_length(names) - shown);
			break;
		}
		appendStringInfo(&buf, "%s\"%s\"", shown++ ? ", " : "",
						 (const char *) lfirst(lc));
	}
	return buf.data;
}

char *
dbvc_join_all(const List *names)
{
	StringInfoData buf;
	ListCell *lc;

	initStringInfo(&buf);
	foreach (lc, names)
		appendStringInfo(&buf, "%s\n", (const char *) lfirst(lc));
	return buf.data;
}

bool
dbvc_is_among(const char *name, const List *names)
{
	ListCell *lc;

	foreach (lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

List *
dbvc_text_array_list(ArrayType *array)
{
	List *result = NIL;
	Datum *elements;
	bool *nulls;
	int count;

	if (array == NULL || ARR_NDIM(array) == 0)
		return NIL;
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("array must not contain nulls")));
		result = lappend(result, TextDatumGetCString(elements[i]));
	}
	return result;
}

ArrayType *
dbvc_list_text_array(const List *names)
{
	Datum *elements;
	int count = 0;
	ListCell *lc;

	if (names == NIL)
		return construct_empty_array(TEXTOID);
	elements = palloc(list_length(names) * sizeof(Datum));
	foreach (lc, names)
		elements[count++] = CStringGetTextDatum((const char *) lfirst(lc));
	return construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT);
}

char *
dbvc_hex(const void *bytes, Size len)
{
	char *hex = palloc(len * 2 + 1);

	hex_encode(bytes, len, hex);
	hex[len * 2] = '\0';
	return hex;
}
