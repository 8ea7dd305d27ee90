/*
 * difference_body.c
 *		Two definitions of one object, member by member.
 *
 * Objects are compared by their keys, arrays of objects with a "name" by these names, everything else as
 * a whole.  A path joins keys and names with dots.  The columns of a relation are objects of
 * their own: they are paired by attribute number where that proves that they are the
 * same, else by name.
 */
#include "snapshot/difference.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

/* Whose members are compared, and where we are in it. */
typedef struct Subject
{
	DbvcComparing *comparing;
	const char *type;
	const char *identity;
	bool suspect;
	StringInfoData path;
	int found; /* how many differences there were */
} Subject;

static void compare_values(Subject *subject, JsonbValue *before,
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

static bool
is_object(const JsonbValue *value)
{
	return value != NULL && value->type == jbvBinary &&
		   JsonContainerIsObject(value->val.binary.data);
}

static bool
is_array(const JsonbValue *value)
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

static bool
values_equal(JsonbValue *a, JsonbValue *b)
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

static void
add_found(Subject *subject, const char *attribute, const Jsonb *before,
		  const Jsonb *after)
{
	DbvcFound *found =
		dbvc_found_add(subject->comparing, "altered", subject->type,
					   subject->identity, attribute, before, after);

	found->suspect = subject->suspect;
	subject->found++;
}

static void
add_at_path(Subject *subject, JsonbValue *before, JsonbValue *after)
{
	add_found(subject, subject->path.data, as_jsonb(before), as_jsonb(after));
}

/* Add an element to the path; returns what leave_path() wants. */
static int
enter_path(Subject *subject, const char *name, int length)
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
leave_path(Subject *subject, int before)
{
	subject->path.len = before;
	subject->path.data[before] = '\0';
}

/* ------------------------------------------------------------------ objects */

typedef struct Member
{
	JsonbValue key;
	JsonbValue value;
} Member;

static Member *
members_of(JsonbContainer *object, int *count)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	Member *members;
	JsonbValue value;
	int read = 0;

	*count = JsonContainerSize(object);
	members = palloc(Max(*count, 1) * sizeof(Member));
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
static void
compare_objects(Subject *subject, JsonbContainer *before,
				JsonbContainer *after, const char *skip)
{
	int count_before;
	int count_after;
	Member *a = members_of(before, &count_before);
	Member *b = members_of(after, &count_after);
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

/* An element of an array of objects with names. */
typedef struct Element
{
	char *name;
	int place; /* in its array */
	int attnum;
	JsonbValue object;
	struct Element *mate; /* on the other side, or NULL */
} Element;

static int
compare_element_names(const void *a, const void *b)
{
	return strcmp((*(Element *const *) a)->name,
				  (*(Element *const *) b)->name);
}

/* The elements by name; NULL when a name is missing or is there twice. */
static Element **
sorted_by_name(Element *elements, int count)
{
	Element **sorted = palloc(Max(count, 1) * sizeof(Element *));

	for (int i = 0; i < count; i++)
		sorted[i] = &elements[i];
	qsort(sorted, count, sizeof(Element *), compare_element_names);
	for (int i = 1; i < count; i++)
	{
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
			return NULL;
	}
	return sorted;
}

/* False when it is not an array of objects that all have names. */
static bool
named_elements(JsonbContainer *array, Element **elements, int *count)
{
	*count = JsonContainerSize(array);
	*elements = palloc0(Max(*count, 1) * sizeof(Element));
	for (int i = 0; i < *count; i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(array, i);
		JsonbValue name;

		if (!is_object(value) ||
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
static void
pair_by_name(Element **a, int count_a, Element **b, int count_b)
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
static bool
order_differs(const Element *elements, int count)
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
static Jsonb *
names_in_order(const Element *elements, int count, bool mates)
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

static void
compare_element(Subject *subject, Element *before, Element *after)
{
	const char *name = before != NULL ? before->name : after->name;
	int outer = enter_path(subject, name, strlen(name));

	if (before != NULL && after != NULL)
		compare_objects(subject, before->object.val.binary.data,
						after->object.val.binary.data, "name");
	else
		add_at_path(subject, before != NULL ? &before->object : NULL,
					after != NULL ? &after->object : NULL);
	leave_path(subject, outer);
}

/* False when they are to be compared as a whole. */
static bool
compare_named(Subject *subject, JsonbContainer *before, JsonbContainer *after)
{
	Element *a;
	Element *b;
	Element **sorted_a;
	Element **sorted_b;
	int count_a;
	int count_b;
	int joined = 0;

	if (!named_elements(before, &a, &count_a) ||
		!named_elements(after, &b, &count_b) || count_a == 0 || count_b == 0 ||
		(sorted_a = sorted_by_name(a, count_a)) == NULL ||
		(sorted_b = sorted_by_name(b, count_b)) == NULL)
		return false;
	pair_by_name(sorted_a, count_a, sorted_b, count_b);
	for (int i = 0; i < count_a; i++)
		joined += a[i].mate != NULL;
	/* the names of something that was renamed elsewhere */
	if (subject->suspect && (joined < count_a || joined < count_b))
		return false;
	for (int i = 0; i < count_a; i++)
		compare_element(subject, &a[i], a[i].mate);
	for (int j = 0; j < count_b; j++)
	{
		if (b[j].mate == NULL)
			compare_element(subject, NULL, &b[j]);
	}
	if (order_differs(a, count_a))
		add_found(subject, subject->path.data,
				  names_in_order(a, count_a, false),
				  names_in_order(b, count_b, false));
	return true;
}

/* An object that was not there: its members were not there. */
static bool
compare_with_none(Subject *subject, JsonbValue *object, bool after)
{
	int count;
	Member *members;

	if (!is_object(object) || JsonContainerSize(object->val.binary.data) == 0)
		return false;
	members = members_of(object->val.binary.data, &count);
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
compare_values(Subject *subject, JsonbValue *before, JsonbValue *after)
{
	CHECK_FOR_INTERRUPTS();
	if (before == NULL || after == NULL)
	{
		if (!compare_with_none(subject, before ? before : after,
							   before == NULL))
			add_at_path(subject, before, after);
	}
	else if (is_object(before) && is_object(after))
		compare_objects(subject, before->val.binary.data,
						after->val.binary.data, NULL);
	else if (!values_equal(before, after) &&
			 (!is_array(before) || !is_array(after) ||
			  !compare_named(subject, before->val.binary.data,
							 after->val.binary.data)))
		add_at_path(subject, before, after);
}

/* ------------------------------------------------------------------ columns */

static bool
has_columns(const char *type)
{
	return strcmp(type, "table") == 0 || strcmp(type, "view") == 0 ||
		   strcmp(type, "materialized view") == 0 ||
		   strcmp(type, "foreign table") == 0 ||
		   strcmp(type, "composite type") == 0;
}

/* The columns of a body; false when they are not as they should be, or there are none. */
static bool
read_columns(const DbvcEntry *entry, const Jsonb *body, Element **columns,
			 int *count)
{
	JsonbValue value;

	*count = 0;
	*columns = NULL;
	if (getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &body->root),
									 "columns", 7, &value) == NULL)
		return true;
	if (!is_array(&value) ||
		!named_elements(value.val.binary.data, columns, count))
		return false;
	for (int i = 0; i < *count; i++)
		(*columns)[i].attnum =
			i < entry->attnum_count ? entry->attnums[i] : i + 1;
	return true;
}

/* The column of an object whose name is not in it. */
static Jsonb *
column_body(Element *column)
{
	return DatumGetJsonbP(
		DirectFunctionCall2(jsonb_delete,
							JsonbPGetDatum(JsonbValueToJsonb(&column->object)),
							CStringGetTextDatum("name")));
}

static const char *
column_identity(const char *relation, const char *column)
{
	return psprintf("%s.%s", relation, quote_identifier(column));
}

static void
add_column(DbvcComparing *comparing, const char *change, const char *type,
		   const char *relation, Element *column)
{
	bool created = strcmp(change, "created") == 0;
	Jsonb *body = column_body(column);

	dbvc_found_add(comparing, change, psprintf("%s column", type),
				   column_identity(relation, column->name), NULL,
				   created ? NULL : body, created ? body : NULL);
}

void
dbvc_found_columns(DbvcComparing *comparing, const char *change,
				   const DbvcEntry *entry, const Jsonb *body)
{
	Element *columns;
	int count;

	if (!has_columns(entry->type) ||
		!read_columns(entry, body, &columns, &count))
		return;
	for (int i = 0; i < count; i++)
		add_column(comparing, change, entry->type,
				   dbvc_from_utf8(entry->identity), &columns[i]);
}

static void
add_renamed_column(DbvcComparing *comparing, const DbvcPair *pair,
				   const Element *column)
{
	const char *before =
		column_identity(dbvc_from_utf8(pair->before->identity), column->name);
	const char *after = column_identity(dbvc_from_utf8(pair->after->identity),
										column->mate->name);
	DbvcFound *found =
		dbvc_found_add(comparing, "renamed",
					   psprintf("%s column", pair->after->type), after, NULL,
					   dbvc_jsonb_string(before), dbvc_jsonb_string(after));
	MemoryContext old = MemoryContextSwitchTo(comparing->result);

	found->suspect = pair->suspect;
	found->old_name = pstrdup(quote_identifier(column->name));
	found->new_name = pstrdup(quote_identifier(column->mate->name));
	MemoryContextSwitchTo(old);
}

/* A column is the same if its attribute number is: these are never used again. Both arrays are in the order of these numbers. */
static void
pair_by_attnum(Element *a, int count_a, Element *b, int count_b)
{
	int i = 0;
	int j = 0;

	while (i < count_a && j < count_b)
	{
		int order = a[i].attnum - b[j].attnum;

		if (order == 0)
		{
			a[i].mate = &b[j];
			b[j].mate = &a[i];
		}
		i += order <= 0;
		j += order >= 0;
	}
}

static void
compare_column(Subject *relation, const DbvcPair *pair, Element *column)
{
	Subject subject = {.comparing = relation->comparing,
					   .suspect = relation->suspect};

	if (strcmp(column->name, column->mate->name) != 0)
	{
		add_renamed_column(relation->comparing, pair, column);
		relation->found++;
	}
	subject.type = psprintf("%s column", relation->type);
	subject.identity = column_identity(relation->identity, column->mate->name);
	initStringInfo(&subject.path);
	compare_objects(&subject, column->object.val.binary.data,
					column->mate->object.val.binary.data, "name");
	relation->found += subject.found;
}

/* False when there is nothing that could be compared as columns. */
static bool
compare_columns(Subject *subject, const DbvcPair *pair, const Jsonb *before,
				const Jsonb *after)
{
	Element *a;
	Element *b;
	Element **sorted_a;
	Element **sorted_b;
	int count_a;
	int count_b;

	if (!has_columns(subject->type) ||
		!read_columns(pair->before, before, &a, &count_a) ||
		!read_columns(pair->after, after, &b, &count_b) ||
		(sorted_a = sorted_by_name(a, count_a)) == NULL ||
		(sorted_b = sorted_by_name(b, count_b)) == NULL)
		return false;
	if (pair->same_object)
		pair_by_attnum(a, count_a, b, count_b);
	pair_by_name(sorted_a, count_a, sorted_b, count_b);
	for (int i = 0; i < count_a; i++)
	{
		if (a[i].mate != NULL)
			compare_column(subject, pair, &a[i]);
		else
			add_column(subject->comparing, "dropped", subject->type,
					   subject->identity, &a[i]);
		subject->found += a[i].mate == NULL;
	}
	for (int j = 0; j < count_b; j++)
	{
		if (b[j].mate != NULL)
			continue;
		add_column(subject->comparing, "created", subject->type,
				   subject->identity, &b[j]);
		subject->found++;
	}
	if (order_differs(a, count_a))
		add_found(subject, "column_order", names_in_order(a, count_a, true),
				  names_in_order(b, count_b, false));
	return true;
}

void
dbvc_compare_bodies(DbvcComparing *comparing, const DbvcPair *pair)
{
	Jsonb *before = dbvc_entry_body(comparing->before, pair->before);
	Jsonb *after = dbvc_entry_body(comparing->after, pair->after);
	Subject subject = {.comparing = comparing,
					   .type = pair->after->type,
					   .identity = dbvc_from_utf8(pair->after->identity),
					   .suspect = pair->suspect};
	bool columns = compare_columns(&subject, pair, before, after);

	initStringInfo(&subject.path);
	if (JB_ROOT_IS_OBJECT(before) && JB_ROOT_IS_OBJECT(after))
		compare_objects(&subject, &before->root, &after->root,
						columns ? "columns" : NULL);
	/* they do differ: never say that they do not */
	if (subject.found == 0)
		add_found(&subject, NULL, before, after);
}
