/*
 * doc_parts.c
 *		Which arrays of a document are split: reading the configuration.
 *
 * Parts are kept in the order of their paths, key by key as jsonb orders
 * keys.  So a walk through a document meets them in order, those that share
 * the beginning of a path stand together, and a path that is the beginning of
 * another one stands right before it.
 */
#include "document/doc_raw.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"

#define ARRAY_HINT \
	"Keys that hold dots are given as an array: {\"{a.b,c}\": \"type\"}."

static int
compare_paths(const DbvcPart *a, const DbvcPart *b)
{
	for (int i = 0; i < Min(a->depth, b->depth); i++)
	{
		int order = dbvc_raw_compare(a->keys[i].text, a->keys[i].len,
									 b->keys[i].text, b->keys[i].len);

		if (order != 0)
			return order;
	}
	return a->depth - b->depth;
}

static int
compare_parts(const void *a, const void *b)
{
	return compare_paths(a, b);
}

static int
compare_types(const void *a, const void *b)
{
	return strcmp((*(DbvcPart *const *) a)->type,
				  (*(DbvcPart *const *) b)->type);
}

static void
add_key(DbvcPart *part, DbvcKey *keys, const char *text, int len,
		const char *path)
{
	if (len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a part's path has an empty key"),
				 errdetail("The path is \"%s\".", path), errhint(ARRAY_HINT)));
	keys[part->depth].text = text;
	keys[part->depth].len = len;
	part->depth++;
}

/* Keys with dots between them. */
static void
parse_dotted(DbvcPart *part, const char *path)
{
	int count = 1;
	const char *end;
	DbvcKey *keys;

	for (const char *p = path; *p; p++)
		count += *p == '.';
	keys = palloc((Size) count * sizeof(DbvcKey));
	part->keys = keys;
	for (const char *p = path;; p = end + 1)
	{
		end = p + strcspn(p, ".");
		add_key(part, keys, p, (int) (end - p), path);
		if (*end == '\0')
			break;
	}
}

/* The text of a text[]; here, and only here, a key may be anything. */
static void
parse_array(DbvcPart *part, char *path)
{
	ArrayType *array = DatumGetArrayTypeP(
		OidInputFunctionCall(F_ARRAY_IN, path, TEXTOID, -1));
	Datum *values;
	bool *nulls;
	int count;
	DbvcKey *keys;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls,
					  &count);
	if (ARR_NDIM(array) != 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a part's path must be keys in a row"),
						errdetail("The path is \"%s\".", path)));
	keys = palloc((Size) count * sizeof(DbvcKey));
	part->keys = keys;
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("a part's path has a null key"),
							errdetail("The path is \"%s\".", path)));
		keys[i].text = VARDATA_ANY(DatumGetPointer(values[i]));
		keys[i].len = VARSIZE_ANY_EXHDR(DatumGetPointer(values[i]));
	}
	part->depth = count;
}

/* The path as it would be written: with dots if that can be read back. */
static char *
canonical_path(const DbvcPart *part)
{
	bool dotted = part->keys[0].len == 0 || part->keys[0].text[0] != '{';
	Datum *keys = palloc((Size) part->depth * sizeof(Datum));
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < part->depth; i++)
	{
		const DbvcKey *key = &part->keys[i];

		if (key->len == 0 || memchr(key->text, '.', key->len) != NULL)
			dotted = false;
		if (i > 0)
			appendStringInfoChar(&text, '.');
		appendBinaryStringInfo(&text, key->text, key->len);
		keys[i] =
			PointerGetDatum(cstring_to_text_with_len(key->text, key->len));
	}
	if (!dotted)
		return OidOutputFunctionCall(
			F_ARRAY_OUT,
			PointerGetDatum(construct_array(keys, part->depth, TEXTOID, -1,
											false, TYPALIGN_INT)));
	return text.data;
}

static char *
check_type(const DbvcValue *value, const char *path)
{
	if (value->kind != JENTRY_ISSTRING)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the type of a part's items must be a string"),
				 errdetail("The part is \"%s\".", path),
				 errhint("Parts are given as path and type: {\"dreamBook\": "
						 "\"dream\"}.")));
	if (value->len == 0 || value->len > DBVC_PART_TYPE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a type's name must have 1 to %d bytes",
						DBVC_PART_TYPE_MAX),
				 errdetail("The type of \"%s\" has %u.", path, value->len)));
	return pnstrdup(value->data, value->len);
}

static void
parse_part(DbvcPart *part, const DbvcValue *key, const DbvcValue *value)
{
	char *path = pnstrdup(key->data, key->len);

	part->type = check_type(value, path);
	if (path[0] == '{')
		parse_array(part, path);
	else
		parse_dotted(part, path);
	part->path = canonical_path(part);
	part->id_key.text = DBVC_PART_ID_KEY;
	part->id_key.len = strlen(DBVC_PART_ID_KEY);
}

static bool
is_beginning(const DbvcPart *part, const DbvcPart *other)
{
	for (int i = 0; i < part->depth; i++)
	{
		if (i >= other->depth || part->keys[i].len != other->keys[i].len ||
			memcmp(part->keys[i].text, other->keys[i].text,
				   part->keys[i].len) != 0)
			return false;
	}
	return true;
}

DBVC_NORETURN static void
refuse_path(const DbvcPart *part, const DbvcPart *other)
{
	if (part->depth == other->depth)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("part \"%s\" is given twice", part->path),
						errdetail("Its types are \"%s\" and \"%s\".",
								  part->type, other->type),
						errhint("A part has one type.")));
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("a part cannot be in another part"),
					errdetail("\"%s\" is where \"%s\" begins.", part->path,
							  other->path),
					errhint("What is in an item stays there.")));
}

/* Parts are in order of their paths. */
static void
check_parts(DbvcPart *part, int count)
{
	DbvcPart **by_type = palloc((Size) (count + 1) * sizeof(DbvcPart *));

	for (int i = 0; i < count; i++)
	{
		by_type[i] = &part[i];
		if (i > 0 && is_beginning(&part[i - 1], &part[i]))
			refuse_path(&part[i - 1], &part[i]);
	}
	qsort(by_type, count, sizeof(DbvcPart *), compare_types);
	for (int i = 1; i < count; i++)
	{
		if (strcmp(by_type[i - 1]->type, by_type[i]->type) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("type \"%s\" is given twice", by_type[i]->type),
					 errdetail("It stands at \"%s\" and \"%s\".",
							   by_type[i - 1]->path, by_type[i]->path),
					 errhint("A type names one part.")));
	}
}

static char *
put_bytes(char **to, const char *bytes, int len)
{
	char *start = *to;

	memcpy(start, bytes, len);
	start[len] = '\0';
	*to += len + 1;
	return start;
}

/* One chunk of all that the parts refer to. */
static DbvcParts *
pack(const DbvcPart *part, int count, MemoryContext context)
{
	Size size = offsetof(DbvcParts, part) + (Size) count * sizeof(DbvcPart);
	DbvcParts *parts;
	DbvcKey *keys;
	char *bytes;
	Size all_keys = 0;

	for (int i = 0; i < count; i++)
	{
		all_keys += part[i].depth;
		size += strlen(part[i].type) + strlen(part[i].path) + 2;
		for (int k = 0; k < part[i].depth; k++)
			size += part[i].keys[k].len + 1;
	}
	parts = MemoryContextAlloc(context, size + all_keys * sizeof(DbvcKey));
	parts->count = count;
	keys = (DbvcKey *) &parts->part[count];
	bytes = (char *) (keys + all_keys);
	for (int i = 0; i < count; i++)
	{
		parts->part[i] = part[i];
		parts->part[i].type =
			put_bytes(&bytes, part[i].type, strlen(part[i].type));
		parts->part[i].path =
			put_bytes(&bytes, part[i].path, strlen(part[i].path));
		parts->part[i].keys = keys;
		for (int k = 0; k < part[i].depth; k++, keys++)
		{
			keys->text =
				put_bytes(&bytes, part[i].keys[k].text, part[i].keys[k].len);
			keys->len = part[i].keys[k].len;
		}
	}
	return parts;
}

DbvcParts *
dbvc_parts_parse(Jsonb *config, MemoryContext context)
{
	DbvcValue root = dbvc_value_read(JsonbPGetDatum(config));
	DbvcRawIter keys;
	DbvcRawIter values;
	DbvcPart *part;
	int count;

	if (!dbvc_raw_is_object(&root))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parts must be given as an object"),
				 errhint("Parts are given as path and type: {\"dreamBook\": "
						 "\"dream\"}.")));
	count = dbvc_raw_count(&root);
	part = palloc0((Size) (count + 1) * sizeof(DbvcPart));
	keys = dbvc_raw_keys(&root);
	values = dbvc_raw_values(&root);
	for (int i = 0; i < count; i++)
	{
		DbvcValue key = dbvc_raw_next(&keys);
		DbvcValue value = dbvc_raw_next(&values);

		parse_part(&part[i], &key, &value);
	}
	qsort(part, count, sizeof(DbvcPart), compare_parts);
	check_parts(part, count);
	return pack(part, count, context);
}

char *
dbvc_parts_text(const DbvcParts *parts)
{
	StringInfoData text;
	Datum jsonb;

	initStringInfo(&text);
	appendStringInfoChar(&text, '{');
	for (int i = 0; i < parts->count; i++)
	{
		if (i > 0)
			appendStringInfoChar(&text, ',');
		escape_json(&text, parts->part[i].path);
		appendStringInfoChar(&text, ':');
		escape_json(&text, parts->part[i].type);
	}
	appendStringInfoChar(&text, '}');
	/* in the order and with the spaces of jsonb */
	jsonb = DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
	return DatumGetCString(DirectFunctionCall1(jsonb_out, jsonb));
}

int
dbvc_parts_find(const DbvcParts *parts, const char *type, int len)
{
	for (int i = 0; i < parts->count; i++)
	{
		if ((int) strlen(parts->part[i].type) == len &&
			memcmp(parts->part[i].type, type, len) == 0)
			return i;
	}
	return -1;
}

int
dbvc_parts_group(const DbvcParts *parts, int at, int end, int depth)
{
	const DbvcKey *key = &parts->part[at].keys[depth];
	int to = at + 1;

	while (to < end && dbvc_raw_compare(key->text, key->len,
										parts->part[to].keys[depth].text,
										parts->part[to].keys[depth].len) == 0)
		to++;
	return to;
}
