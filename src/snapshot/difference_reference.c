/*
 * difference_reference.c
 *		Values of a definition that differ by renamed names, and no more.
 */
#include "snapshot/difference.h"

#include "utils/builtins.h"

/* Keys of values that are no names of objects of a snapshot, and hold none. */
static bool
is_no_name(const char *key)
{
	static const char *const keys[] = {"acl",	   "body",
									   "comment",  "fdw_options",
									   "options",  "owner",
									   "settings", "security_labels",
									   "storage",  "tablespace",
									   "version",  "toast_options",
									   "provider", "not_null_constraint"};

	for (int i = 0; i < lengthof(keys); i++)
	{
		if (strcmp(key, keys[i]) == 0)
			return true;
	}
	return false;
}

/* Names of columns stand in lists as they are, not quoted. */
static bool
column_is_same(HTAB *renames, const char *before, const char *after)
{
	const char *old = quote_identifier(before);
	const char *new = quote_identifier(after);

	return dbvc_was_renamed(renames, DBVC_NAME_ANY, old, strlen(old), new,
							strlen(new));
}

static bool value_is_same(HTAB *renames, const char *key, JsonbValue *before,
						  JsonbValue *after);

static bool
array_is_same(HTAB *renames, const char *key, JsonbContainer *before,
			  JsonbContainer *after)
{
	if (JsonContainerSize(before) != JsonContainerSize(after))
		return false;
	for (uint32 i = 0; i < JsonContainerSize(before); i++)
	{
		if (!value_is_same(renames, key,
						   getIthJsonbValueFromContainer(before, i),
						   getIthJsonbValueFromContainer(after, i)))
			return false;
	}
	return true;
}

static bool
object_members_are_same(HTAB *renames, JsonbContainer *before,
						JsonbContainer *after)
{
	int count_before;
	int count_after;
	DbvcMember *a = dbvc_object_members(before, &count_before);
	DbvcMember *b = dbvc_object_members(after, &count_after);

	if (count_before != count_after)
		return false;
	for (int i = 0; i < count_before; i++)
	{
		if (!dbvc_values_equal(&a[i].key, &b[i].key) ||
			!value_is_same(renames,
						   pnstrdup(a[i].key.val.string.val,
									a[i].key.val.string.len),
						   &a[i].value, &b[i].value))
			return false;
	}
	return true;
}

static bool
value_is_same(HTAB *renames, const char *key, JsonbValue *before,
			  JsonbValue *after)
{
	const char *old;
	const char *new;

	if (dbvc_is_array(before) && dbvc_is_array(after))
		return array_is_same(renames, key, before->val.binary.data,
							 after->val.binary.data);
	if (dbvc_is_object(before) && dbvc_is_object(after))
		return object_members_are_same(renames, before->val.binary.data,
									   after->val.binary.data);
	if (dbvc_values_equal(before, after))
		return true;
	if (before->type != jbvString || after->type != jbvString)
		return false;
	old = pnstrdup(before->val.string.val, before->val.string.len);
	new = pnstrdup(after->val.string.val, after->val.string.len);
	if (is_no_name(key))
		return false;
	if (strcmp(key, "column") == 0 || strcmp(key, "columns") == 0)
		return column_is_same(renames, old, new);
	return dbvc_text_is_same(renames, old, strlen(old), new, strlen(new));
}

static void
root_value(const Jsonb *jsonb, JsonbValue *value)
{
	JsonbContainer *root = unconstify(JsonbContainer *, &jsonb->root);

	if (JsonbExtractScalar(root, value))
		return;
	value->type = jbvBinary;
	value->val.binary.data = root;
	value->val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
}

/* A path with an element that is none of names. */
static bool
path_has_no_names(const char *path)
{
	const char *start = path;
	bool quoted = false;

	for (const char *at = path;; at++)
	{
		quoted ^= *at == '"';
		if (*at != '\0' && (*at != '.' || quoted))
			continue;
		if (is_no_name(pnstrdup(start, at - start)))
			return true;
		if (*at == '\0')
			return false;
		start = at + 1;
	}
}

bool
dbvc_is_same_meaning(HTAB *renames, const DbvcFound *found)
{
	const DbvcDifference *difference = &found->difference;
	const char *key = difference->attribute ? difference->attribute : "";
	JsonbValue before;
	JsonbValue after;

	if (!found->suspect || difference->before == NULL ||
		difference->after == NULL || path_has_no_names(key))
		return false;
	if (strrchr(key, '.') != NULL)
		key = strrchr(key, '.') + 1;
	root_value(difference->before, &before);
	root_value(difference->after, &after);
	return value_is_same(renames, key, &before, &after);
}
