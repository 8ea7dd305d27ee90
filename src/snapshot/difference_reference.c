/*
 * difference_reference.c
 *		Values that only name an object or a column, and still mean the same.
 *
 * The table of an index, the type of a column or the columns of a constraint
 * are told by name.  When the name has become another one, and OIDs prove that it
 * is the same table, type or column that was renamed, then the value has not
 * changed at all, whatever else has.
 */
#include "snapshot/difference.h"

#include "utils/builtins.h"

/* Keys of values that are the name of an object in a schema, and nothing else but
 * what stands behind it: [] of an array, (10,2), (integer) */
static bool
is_reference(const char *key)
{
	static const char *const keys[] = {"element", "function",	  "inherits",
									   "of_type", "partition_of", "result",
									   "returns", "subtype",	  "table",
									   "type"};

	for (int i = 0; i < lengthof(keys); i++)
	{
		if (strcmp(key, keys[i]) == 0)
			return true;
	}
	return false;
}

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

/* Is the one the old name of something, and the other its new one?  rest: what
 * stands behind both. */
static bool
is_renamed_before(HTAB *renames, const char *before, Size length,
				  const char *after)
{
	const char *rest = before + length;
	Size after_length = strlen(after);
	Size rest_length = strlen(rest);

	if (memchr(before, '.', length) == NULL || after_length <= rest_length ||
		strcmp(after + after_length - rest_length, rest) != 0)
		return false;
	return dbvc_was_renamed(renames, DBVC_NAME_IDENTITY, before, length, after,
							after_length - rest_length);
}

static bool
object_is_same(HTAB *renames, const char *before, const char *after)
{
	bool quoted = false;

	for (const char *at = before; *at != '\0'; at++)
	{
		quoted ^= *at == '"';
		if (!quoted && strchr(".[(", *at) != NULL &&
			is_renamed_before(renames, before, at - before, after))
			return true;
	}
	return is_renamed_before(renames, before, strlen(before), after);
}

/* Behind the last dot of schema.table.column. */
static const char *
last_name(const char *identity)
{
	const char *last = identity;
	bool quoted = false;

	for (const char *at = identity; *at != '\0'; at++)
	{
		quoted ^= *at == '"';
		if (*at == '.' && !quoted)
			last = at + 1;
	}
	return last;
}

/* The same of schema.table.column: table, column or both may have been renamed. */
static bool
owner_is_same(HTAB *renames, const char *before, const char *after)
{
	const char *old = last_name(before);
	const char *new = last_name(after);
	char *table_before;
	char *table_after;
	const char *column;

	if (old == before || new == after)
		return false;
	table_before = pnstrdup(before, old - before - 1);
	table_after = pnstrdup(after, new - after - 1);
	if (strcmp(table_before, table_after) != 0 &&
		!object_is_same(renames, table_before, table_after))
		return false;
	column = psprintf("%s.%s", table_after, old);
	return strcmp(old, new) == 0 ||
		   dbvc_was_renamed(renames, DBVC_NAME_COLUMN, column, strlen(column),
							new, strlen(new));
}

/* The name in nextval('name'::regclass), or NULL. */
static char *
sequence_of(const char *expression)
{
	static const char head[] = "nextval('";
	static const char tail[] = "'::regclass)";
	Size length = strlen(expression);
	char *name;
	char *put;

	if (length < strlen(head) + strlen(tail) ||
		strncmp(expression, head, strlen(head)) != 0 ||
		strcmp(expression + length - strlen(tail), tail) != 0)
		return NULL;
	name = put = pnstrdup(expression + strlen(head),
						  length - strlen(head) - strlen(tail));
	for (const char *at = name; *at != '\0'; at++)
	{
		if (*at == '\'' && *++at != '\'')
			return NULL; /* it ends before: something else follows */
		*put++ = *at;
	}
	*put = '\0';
	return name;
}

static bool
sequence_is_same(HTAB *renames, const char *before, const char *after)
{
	const char *old = sequence_of(before);
	const char *new = sequence_of(after);

	return old != NULL && new != NULL &&object_is_same(renames, old, new);
}

static bool
column_is_same(HTAB *renames, const DbvcFound *found, const char *before,
			   const char *after)
{
	const char *old = quote_identifier(before);
	const char *new = quote_identifier(after);

	if (found->suspect && dbvc_was_renamed(renames, DBVC_NAME_ANY, old,
										   strlen(old), new, strlen(new)))
		return true;
	/* a foreign key's columns on the other side are of another table */
	if (found->relation == NULL ||
		strncmp(found->difference.attribute, "references", 10) == 0)
		return false;
	old = psprintf("%s.%s", found->relation, old);
	return dbvc_was_renamed(renames, DBVC_NAME_COLUMN, old, strlen(old), new,
							strlen(new));
}

static bool value_is_same(HTAB *renames, const DbvcFound *found,
						  const char *key, JsonbValue *before,
						  JsonbValue *after);

static bool
array_is_same(HTAB *renames, const DbvcFound *found, const char *key,
			  JsonbContainer *before, JsonbContainer *after)
{
	if (JsonContainerSize(before) != JsonContainerSize(after))
		return false;
	for (uint32 i = 0; i < JsonContainerSize(before); i++)
	{
		if (!value_is_same(renames, found, key,
						   getIthJsonbValueFromContainer(before, i),
						   getIthJsonbValueFromContainer(after, i)))
			return false;
	}
	return true;
}

static bool
object_members_are_same(HTAB *renames, const DbvcFound *found,
						JsonbContainer *before, JsonbContainer *after)
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
			!value_is_same(renames, found,
						   pnstrdup(a[i].key.val.string.val,
									a[i].key.val.string.len),
						   &a[i].value, &b[i].value))
			return false;
	}
	return true;
}

static bool
value_is_same(HTAB *renames, const DbvcFound *found, const char *key,
			  JsonbValue *before, JsonbValue *after)
{
	const char *old;
	const char *new;

	if (dbvc_is_array(before) && dbvc_is_array(after))
		return array_is_same(renames, found, key, before->val.binary.data,
							 after->val.binary.data);
	if (dbvc_is_object(before) && dbvc_is_object(after))
		return object_members_are_same(renames, found, before->val.binary.data,
									   after->val.binary.data);
	if (dbvc_values_equal(before, after))
		return true;
	if (before->type != jbvString || after->type != jbvString)
		return false;
	old = pnstrdup(before->val.string.val, before->val.string.len);
	new = pnstrdup(after->val.string.val, after->val.string.len);
	if (strcmp(key, "column") == 0 || strcmp(key, "columns") == 0)
		return column_is_same(renames, found, old, new);
	if (is_reference(key) && object_is_same(renames, old, new))
		return true;
	if ((strcmp(key, "owned_by") == 0 || strcmp(key, "identity_of") == 0) &&
		owner_is_same(renames, old, new))
		return true;
	if (strcmp(key, "default") == 0 && sequence_is_same(renames, old, new))
		return true;
	return found->suspect && !is_no_name(key) &&
		   dbvc_text_is_same(renames, old, strlen(old), new, strlen(new));
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

	if ((!found->same_object && !found->suspect) ||
		difference->before == NULL || difference->after == NULL ||
		path_has_no_names(key))
		return false;
	if (strrchr(key, '.') != NULL)
		key = strrchr(key, '.') + 1;
	root_value(difference->before, &before);
	root_value(difference->after, &after);
	return value_is_same(renames, found, key, &before, &after);
}
