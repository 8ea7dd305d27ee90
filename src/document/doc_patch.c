/*
 * doc_patch.c
 *		JSON Merge Patch (RFC 7396), and making room for a part's items.
 *
 * A patch says what becomes of the keys that it has: null removes one, an
 * object is a patch of what is there, everything else takes its place.  Keys
 * that it does not have stay as they are, so a patch that goes past all parts
 * of a document can be made to slim.
 */
#include "document/item.h"

#include "document/doc_raw.h"

#include "miscadmin.h"

static const DbvcValue null_value = {"", 0, JENTRY_ISNULL};

/* One of two objects, and where the walk stands in it. */
typedef struct Walk
{
	DbvcRawIter keys;
	DbvcRawIter values;
	DbvcValue key; /* the next one */
	DbvcValue value;
	int left; /* how many from this one on */
} Walk;

static void
step(Walk *walk)
{
	if (--walk->left > 0)
	{
		walk->key = dbvc_raw_next(&walk->keys);
		walk->value = dbvc_raw_next(&walk->values);
	}
}

static Walk
begin(const DbvcValue *object)
{
	Walk walk = {0};

	if (object != NULL)
	{
		walk.keys = dbvc_raw_keys(object);
		walk.values = dbvc_raw_values(object);
		walk.left = dbvc_raw_count(object) + 1;
		step(&walk);
	}
	return walk;
}

/* Below, equal or above 0: whose key is the next one. */
static int
compare(const Walk *a, const Walk *b)
{
	if (a->left <= 0 || b->left <= 0)
		return a->left > 0 ? -1 : 1;
	return dbvc_raw_compare(a->key.data, a->key.len, b->key.data, b->key.len);
}

/* What comes of a target (NULL: none, or no object) by an object. */
static Jsonb *
patch_object(const DbvcValue *target, const DbvcValue *patch)
{
	Walk old = begin(target);
	Walk new = begin(patch);
	int room = Max(old.left, 0) + Max(new.left, 0);
	DbvcValue *keys = dbvc_raw_array(room, sizeof(DbvcValue));
	DbvcValue *values = dbvc_raw_array(room, sizeof(DbvcValue));
	int count = 0;

	check_stack_depth();
	while (old.left > 0 || new.left > 0)
	{
		int order = compare(&old, &new);

		if (order < 0)
		{
			keys[count] = old.key;
			values[count++] = old.value;
		}
		else if (dbvc_raw_is_object(&new.value))
		{
			bool into = order == 0 && dbvc_raw_is_object(&old.value);

			keys[count] = new.key;
			values[count++] = dbvc_value_read(JsonbPGetDatum(
				patch_object(into ? &old.value : NULL, &new.value)));
		}
		else if (new.value.kind != JENTRY_ISNULL)
		{
			keys[count] = new.key;
			values[count++] = new.value;
		}
		if (order <= 0)
			step(&old);
		if (order >= 0)
			step(&new);
	}
	return dbvc_raw_object(keys, values, count);
}

Jsonb *
dbvc_doc_patch(Jsonb *target, Jsonb *patch)
{
	DbvcValue changes = dbvc_value_read(JsonbPGetDatum(patch));
	DbvcValue old = null_value;

	if (!dbvc_raw_is_object(&changes))
		return patch;
	if (target != NULL)
		old = dbvc_value_read(JsonbPGetDatum(target));
	return patch_object(dbvc_raw_is_object(&old) ? &old : NULL, &changes);
}

static bool
mentions(const DbvcPart *part, const DbvcValue *patch)
{
	DbvcValue value = *patch;

	for (int depth = 0; depth < part->depth; depth++)
	{
		DbvcValue object = value;

		/* what is above the part is replaced */
		if (!dbvc_raw_is_object(&object))
			return true;
		if (!dbvc_raw_find(&object, &part->keys[depth], &value))
			return false;
	}
	return true;
}

bool
dbvc_doc_patch_mentions(const DbvcParts *parts, Jsonb *patch)
{
	DbvcValue root = dbvc_value_read(JsonbPGetDatum(patch));

	for (int p = 0; p < parts->count; p++)
	{
		if (mentions(&parts->part[p], &root))
			return true;
	}
	return false;
}

DBVC_NORETURN static void
refuse_place(const DbvcPart *part)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("document has no place for items of type \"%s\"",
						   part->type),
					errdetail("There is something else than an empty array at "
							  "\"%s\", or above it.",
							  part->path),
					errhint("Remove what is there, or make it null, first.")));
}

/* {"a": {"b": []}} for the part's path. */
static DbvcValue
nested_array(const DbvcPart *part)
{
	static const uint32 empty_array = JB_FARRAY;
	DbvcValue value = {(const char *) &empty_array, sizeof(empty_array),
					   JENTRY_ISCONTAINER};

	for (int depth = part->depth - 1; depth >= 0; depth--)
	{
		DbvcValue key = {part->keys[depth].text,
						 (uint32) part->keys[depth].len, JENTRY_ISSTRING};

		value =
			dbvc_value_read(JsonbPGetDatum(dbvc_raw_object(&key, &value, 1)));
	}
	return value;
}

Jsonb *
dbvc_doc_place(const DbvcPart *part, Jsonb *slim)
{
	DbvcValue value = null_value;
	bool found = slim != NULL;
	DbvcValue array;

	if (found)
		value = dbvc_value_read(JsonbPGetDatum(slim));
	for (int depth = 0; depth < part->depth; depth++)
	{
		DbvcValue object = value;

		if (!found || value.kind == JENTRY_ISNULL)
		{
			found = false;
			break;
		}
		if (!dbvc_raw_is_object(&object))
			refuse_place(part);
		found = dbvc_raw_find(&object, &part->keys[depth], &value);
	}
	if (found && value.kind != JENTRY_ISNULL)
	{
		if (!dbvc_raw_is_array(&value) || dbvc_raw_count(&value) > 0)
			refuse_place(part);
		return slim;
	}
	array = nested_array(part);
	if (slim != NULL)
		value = dbvc_value_read(JsonbPGetDatum(slim));
	return patch_object(slim != NULL && dbvc_raw_is_object(&value) ? &value
																   : NULL,
						&array);
}
