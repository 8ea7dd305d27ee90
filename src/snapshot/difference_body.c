/*
 * difference_body.c
 *		Two definitions of one object, member by member.
 *
 * Objects are compared by their keys, arrays of objects with a "name" by these
 * names, everything else as a whole.  A path joins keys and names with dots.
 */
#include "snapshot/difference.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

/* What is longer does not fit into a jsonb; its hash stands for it. */
#define BODY_MAX_BYTES (200 * 1000 * 1000)

static void compare_values(DbvcSubject *subject, JsonbValue *before,
						   JsonbValue *after);

/* ----------------------------------------------------------- reading values */

Jsonb *
dbvc_entry_body(const DbvcSide *side, const DbvcEntry *entry)
{
	const char *body = side->body(side->arg, entry->hash);

	if (body == NULL)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("a definition of a snapshot is missing"),
						errdetail("It is that of %s %s, with hash %s.",
								  entry->type, dbvc_from_utf8(entry->identity),
								  dbvc_hex(entry->hash, DBVC_SHA256_LEN))));
	return DatumGetJsonbP(
		DirectFunctionCall1(jsonb_in, CStringGetDatum(dbvc_from_utf8(body))));
}

bool
dbvc_is_object(const JsonbValue *value)
{
	return value != NULL && value->type == jbvBinary &&
		   JsonContainerIsObject(value->val.binary.data);
}

bool
dbvc_is_array(const JsonbValue *value)
{
	return value != NULL && value->type == jbvBinary &&
		   JsonContainerIsArray(value->val.binary.data) &&
		   !JsonContainerIsScalar(value->val.binary.data);
}

static Jsonb *
as_jsonb(JsonbValue *value)
{
	return value != NULL ? JsonbValueToJsonb(value) : NULL;
}

bool
dbvc_values_equal(JsonbValue *a, JsonbValue *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->type != b->type)
		return false;
	if (a->type == jbvString)
		return a->val.string.len == b->val.string.len &&
			   memcmp(a->val.string.val, b->val.string.val,
					  a->val.string.len) == 0;
	return compareJsonbContainers(&JsonbValueToJsonb(a)->root,
								  &JsonbValueToJsonb(b)->root) == 0;
}

void
dbvc_altered_add(DbvcSubject *subject, const char *attribute,
				 const Jsonb *before, const Jsonb *after)
{
	DbvcFound *found =
		dbvc_found_add(subject->comparing, "altered", subject->type,
					   subject->identity, attribute, before, after);

	found->suspect = subject->suspect;
	subject->found++;
}

static void
add_at_path(DbvcSubject *subject, JsonbValue *before, JsonbValue *after)
{
	if (dbvc_is_same_constraint_name(subject, before, after))
	{
		subject->found++;
		return;
	}
	dbvc_altered_add(subject, subject->path.data, as_jsonb(before),
					 as_jsonb(after));
}

/* Add an element to the path; returns what leave_path() wants. */
static int
enter_path(DbvcSubject *subject, const char *name, int length)
{
	StringInfo path = &subject->path;
	int before = path->len;
	bool plain =
		length > 0 && (islower((unsigned char) name[0]) || name[0] == '_');

	for (int i = 0; plain && i < length; i++)
	{
		char c = name[i];

		plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
	}
	if (before > 0)
		appendStringInfoChar(path, '.');
	if (plain)
	{
		appendBinaryStringInfo(path, name, length);
		return before;
	}
	appendStringInfoChar(path, '"');
	for (int i = 0; i < length; i++)
	{
		if (name[i] == '"')
			appendStringInfoChar(path, '"');
		appendStringInfoChar(path, name[i]);
	}
	appendStringInfoChar(path, '"');
	return before;
}

static void
leave_path(DbvcSubject *subject, int before)
{
	subject->path.len = before;
	subject->path.data[before] = '\0';
}

/* ------------------------------------------------------------------ objects */

DbvcMember *
dbvc_object_members(JsonbContainer *object, int *count)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	DbvcMember *members;
	JsonbValue value;
	int read = 0;

	*count = JsonContainerSize(object);
	members = palloc(Max(*count, 1) * sizeof(DbvcMember));
	(void) JsonbIteratorNext(&iterator, &value, false);
	while (JsonbIteratorNext(&iterator, &value, true) == WJB_KEY)
	{
		members[read].key = value;
		(void) JsonbIteratorNext(&iterator, &members[read].value, true);
		read++;
	}
	Assert(read == *count);
	return members;
}

/* In the order of jsonb: length first. */
static int
compare_keys(const JsonbValue *a, const JsonbValue *b)
{
	if (a->val.string.len != b->val.string.len)
		return a->val.string.len < b->val.string.len ? -1 : 1;
	return memcmp(a->val.string.val, b->val.string.val, a->val.string.len);
}

static bool
key_is(const JsonbValue *key, const char *name)
{
	return name != NULL && key->val.string.len == strlen(name) &&
		   memcmp(key->val.string.val, name, key->val.string.len) == 0;
}

/* skip: a key that others look at, or NULL. */
void
dbvc_compare_objects(DbvcSubject *subject, JsonbContainer *before,
					 JsonbContainer *after, const char *skip)
{
	int count_before;
	int count_after;
	DbvcMember *a = dbvc_object_members(before, &count_before);
	DbvcMember *b = dbvc_object_members(after, &count_after);
	int i = 0;
	int j = 0;

	while (i < count_before || j < count_after)
	{
		int order = i >= count_before  ? 1
					: j >= count_after ? -1
									   : compare_keys(&a[i].key, &b[j].key);
		JsonbValue *key = order <= 0 ? &a[i].key : &b[j].key;

		if (!key_is(key, skip))
		{
			int outer =
				enter_path(subject, key->val.string.val, key->val.string.len);

			compare_values(subject, order <= 0 ? &a[i].value : NULL,
						   order >= 0 ? &b[j].value : NULL);
			leave_path(subject, outer);
		}
		i += order <= 0;
		j += order >= 0;
	}
}

/* ------------------------------------------------------------- named arrays */

static int
compare_element_names(const void *a, const void *b)
{
	return strcmp((*(DbvcElement *const *) a)->name,
				  (*(DbvcElement *const *) b)->name);
}

/* The elements by name; NULL when a name is missing or is there twice. */
DbvcElement **
dbvc_sorted_by_name(DbvcElement *elements, int count)
{
	DbvcElement **sorted = palloc(Max(count, 1) * sizeof(DbvcElement *));

	for (int i = 0; i < count; i++)
		sorted[i] = &elements[i];
	qsort(sorted, count, sizeof(DbvcElement *), compare_element_names);
	for (int i = 1; i < count; i++)
	{
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
			return NULL;
	}
	return sorted;
}

/* False when it is not an array of objects that all have names. */
bool
dbvc_named_elements(JsonbContainer *array, DbvcElement **elements, int *count)
{
	*count = JsonContainerSize(array);
	*elements = palloc0(Max(*count, 1) * sizeof(DbvcElement));
	for (int i = 0; i < *count; i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(array, i);
		JsonbValue name;

		if (!dbvc_is_object(value) ||
			getKeyJsonValueFromContainer(value->val.binary.data, "name", 4,
										 &name) == NULL ||
			name.type != jbvString)
			return false;
		(*elements)[i].object = *value;
		(*elements)[i].name =
			pnstrdup(name.val.string.val, name.val.string.len);
		(*elements)[i].place = i;
	}
	return true;
}

/* Pair those that have no mate yet and the same name. */
void
dbvc_pair_by_name(DbvcElement **a, int count_a, DbvcElement **b, int count_b)
{
	int i = 0;
	int j = 0;

	while (i < count_a && j < count_b)
	{
		int order = strcmp(a[i]->name, b[j]->name);

		if (order == 0 && a[i]->mate == NULL && b[j]->mate == NULL)
		{
			a[i]->mate = b[j];
			b[j]->mate = a[i];
		}
		i += order <= 0;
		j += order >= 0;
	}
}

/* Do those on both sides stand in another order? */
bool
dbvc_order_differs(const DbvcElement *elements, int count)
{
	int last = -1;

	for (int i = 0; i < count; i++)
	{
		if (elements[i].mate == NULL)
			continue;
		if (elements[i].mate->place < last)
			return true;
		last = elements[i].mate->place;
	}
	return false;
}

/* Names of those on both sides, in the order of this one; as they are called afterwards. */
Jsonb *
dbvc_names_in_order(const DbvcElement *elements, int count, bool mates)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < count; i++)
	{
		if (elements[i].mate == NULL)
			continue;
		appendStringInfoString(&text, text.len == 0 ? "[" : ", ");
		escape_json(&text, mates ? elements[i].mate->name : elements[i].name);
	}
	appendStringInfoString(&text, text.len == 0 ? "[]" : "]");
	return DatumGetJsonbP(
		DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data)));
}

/* An element that is on one side only. */
static void
lonely_element(DbvcSubject *subject, DbvcElement *element, bool created)
{
	int outer = enter_path(subject, element->name, strlen(element->name));

	add_at_path(subject, created ? NULL : &element->object,
				created ? &element->object : NULL);
	leave_path(subject, outer);
}

static void
compare_element(DbvcSubject *subject, DbvcElement *element)
{
	int outer;

	if (element->mate == NULL)
	{
		lonely_element(subject, element, false);
		return;
	}
	outer = enter_path(subject, element->name, strlen(element->name));
	dbvc_compare_objects(subject, element->object.val.binary.data,
						 element->mate->object.val.binary.data, "name");
	leave_path(subject, outer);
}

/* False when they are to be compared as a whole. */
static bool
compare_named(DbvcSubject *subject, JsonbContainer *before,
			  JsonbContainer *after)
{
	DbvcElement *a;
	DbvcElement *b;
	DbvcElement **sorted_a;
	DbvcElement **sorted_b;
	int count_a;
	int count_b;
	int joined = 0;

	if (!dbvc_named_elements(before, &a, &count_a) ||
		!dbvc_named_elements(after, &b, &count_b) || count_a == 0 ||
		count_b == 0 || (sorted_a = dbvc_sorted_by_name(a, count_a)) == NULL ||
		(sorted_b = dbvc_sorted_by_name(b, count_b)) == NULL)
		return false;
	dbvc_pair_by_name(sorted_a, count_a, sorted_b, count_b);
	for (int i = 0; i < count_a; i++)
		joined += a[i].mate != NULL;
	/* the names of something that was renamed elsewhere */
	if (subject->suspect && (joined < count_a || joined < count_b))
		return false;
	for (int i = 0; i < count_a; i++)
		compare_element(subject, &a[i]);
	for (int j = 0; j < count_b; j++)
	{
		if (b[j].mate == NULL)
			lonely_element(subject, &b[j], true);
	}
	if (dbvc_order_differs(a, count_a))
		dbvc_altered_add(subject, subject->path.data,
						 dbvc_names_in_order(a, count_a, false),
						 dbvc_names_in_order(b, count_b, false));
	return true;
}

/* An object that was not there: its members were not there. */
static bool
compare_with_none(DbvcSubject *subject, JsonbValue *object, bool after)
{
	int count;
	DbvcMember *members;

	if (!dbvc_is_object(object) ||
		JsonContainerSize(object->val.binary.data) == 0)
		return false;
	members = dbvc_object_members(object->val.binary.data, &count);
	for (int i = 0; i < count; i++)
	{
		int outer = enter_path(subject, members[i].key.val.string.val,
							   members[i].key.val.string.len);

		compare_values(subject, after ? NULL : &members[i].value,
					   after ? &members[i].value : NULL);
		leave_path(subject, outer);
	}
	return true;
}

static void
compare_values(DbvcSubject *subject, JsonbValue *before, JsonbValue *after)
{
	CHECK_FOR_INTERRUPTS();
	if (before == NULL || after == NULL)
	{
		if (!compare_with_none(subject, before ? before : after,
							   before == NULL))
			add_at_path(subject, before, after);
	}
	else if (dbvc_is_object(before) && dbvc_is_object(after))
		dbvc_compare_objects(subject, before->val.binary.data,
							 after->val.binary.data, NULL);
	else if (!dbvc_values_equal(before, after) &&
			 (!dbvc_is_array(before) || !dbvc_is_array(after) ||
			  !compare_named(subject, before->val.binary.data,
							 after->val.binary.data)))
		add_at_path(subject, before, after);
}

void
dbvc_compare_bodies(DbvcComparing *comparing, const DbvcPair *pair)
{
	Jsonb *before = dbvc_entry_body(comparing->before, pair->before);
	Jsonb *after = dbvc_entry_body(comparing->after, pair->after);
	DbvcSubject subject = {.comparing = comparing,
						   .type = pair->after->type,
						   .identity = dbvc_from_utf8(pair->after->identity),
						   .suspect = pair->suspect};
	bool columns = dbvc_compare_columns(&subject, pair, before, after);

	initStringInfo(&subject.path);
	if (JB_ROOT_IS_OBJECT(before) && JB_ROOT_IS_OBJECT(after))
		dbvc_compare_objects(&subject, &before->root, &after->root,
							 columns ? "columns" : NULL);
	/* they do differ: never say that they do not */
	if (subject.found == 0)
		dbvc_altered_add(&subject, NULL, before, after);
}
