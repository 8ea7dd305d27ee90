/*
 * difference_column.c
 *		Columns: objects of their own inside of the definition of a relation.
 *
 * They are paired by attribute number where that proves that they are the
 * same, else by name.  Columns that only stand in another order are one
 * difference of their relation.
 */
#include "snapshot/difference.h"

#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

/* ------------------------------------------------------ NOT NULL and names */

static bool
name_is(const JsonbValue *value, const char *usual, const JsonbValue *other,
		const char *other_usual)
{
	const char *a = value != NULL ? value->val.string.val : usual;
	const char *b = other != NULL ? other->val.string.val : other_usual;
	Size length = value != NULL ? value->val.string.len : strlen(usual);

	return length ==
			   (other != NULL ? other->val.string.len : strlen(other_usual)) &&
		   memcmp(a, b, length) == 0;
}

/*
 * From 18 on a constraint NOT NULL has a name.  It is not told when it is that
 * of the table and the column, so it is when one of these is renamed, though it
 * is the same.
 */
bool
dbvc_is_same_constraint_name(const DbvcSubject *subject,
							 const JsonbValue *before, const JsonbValue *after)
{
	return subject->usual_before != NULL && !subject->comparing->detail &&
		   strcmp(subject->path.data, "not_null_constraint.name") == 0 &&
		   (before == NULL || before->type == jbvString) &&
		   (after == NULL || after->type == jbvString) &&
		   name_is(before, subject->usual_before, after, subject->usual_after);
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
read_columns(const DbvcEntry *entry, const Jsonb *body, DbvcElement **columns,
			 int *count)
{
	JsonbValue value;

	*count = 0;
	*columns = NULL;
	if (getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &body->root),
									 "columns", 7, &value) == NULL)
		return true;
	if (!dbvc_is_array(&value) ||
		!dbvc_named_elements(value.val.binary.data, columns, count))
		return false;
	for (int i = 0; i < *count; i++)
		(*columns)[i].attnum =
			i < entry->attnum_count ? entry->attnums[i] : i + 1;
	return true;
}

/* The column of an object whose name is not in it. */
static Jsonb *
column_body(DbvcElement *column)
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
		   const char *relation, DbvcElement *column)
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
	DbvcElement *columns;
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
				   const DbvcElement *column)
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
pair_by_attnum(DbvcElement *a, int count_a, DbvcElement *b, int count_b)
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

/* Not quoted: the last of the names in an identity. */
static char *
bare_name(const char *identity)
{
	const char *last = identity;
	bool quoted = false;
	char *name;
	char *put;

	for (const char *at = identity; *at != '\0'; at++)
	{
		quoted ^= *at == '"';
		if (*at == '.' && !quoted)
			last = at + 1;
	}
	name = put = pstrdup(last);
	if (*last != '"')
		return name;
	for (last++; *last != '\0'; last++)
	{
		if (*last == '"' && *++last != '"')
			break;
		*put++ = *last;
	}
	*put = '\0';
	return name;
}

/* As the server names it. */
static const char *
usual_constraint(const DbvcEntry *relation, const DbvcElement *column)
{
	return makeObjectName(bare_name(dbvc_from_utf8(relation->identity)),
						  column->name, "not_null");
}

static void
compare_column(DbvcSubject *relation, const DbvcPair *pair,
			   DbvcElement *column)
{
	DbvcSubject subject = {.comparing = relation->comparing,
						   .suspect = relation->suspect};

	if (strcmp(column->name, column->mate->name) != 0)
	{
		add_renamed_column(relation->comparing, pair, column);
		relation->found++;
	}
	subject.type = psprintf("%s column", relation->type);
	subject.identity = column_identity(relation->identity, column->mate->name);
	initStringInfo(&subject.path);
	if (pair->same_object)
	{
		subject.usual_before = usual_constraint(pair->before, column);
		subject.usual_after = usual_constraint(pair->after, column->mate);
	}
	dbvc_compare_objects(&subject, column->object.val.binary.data,
						 column->mate->object.val.binary.data, "name");
	relation->found += subject.found;
}

/* False when there is nothing that could be compared as columns. */
bool
dbvc_compare_columns(DbvcSubject *subject, const DbvcPair *pair,
					 const Jsonb *before, const Jsonb *after)
{
	DbvcElement *a;
	DbvcElement *b;
	DbvcElement **sorted_a;
	DbvcElement **sorted_b;
	int count_a;
	int count_b;

	if (!has_columns(subject->type) ||
		!read_columns(pair->before, before, &a, &count_a) ||
		!read_columns(pair->after, after, &b, &count_b) ||
		(sorted_a = dbvc_sorted_by_name(a, count_a)) == NULL ||
		(sorted_b = dbvc_sorted_by_name(b, count_b)) == NULL)
		return false;
	if (pair->same_object)
		pair_by_attnum(a, count_a, b, count_b);
	dbvc_pair_by_name(sorted_a, count_a, sorted_b, count_b);
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
	if (dbvc_order_differs(a, count_a))
		dbvc_altered_add(subject, "column_order",
						 dbvc_names_in_order(a, count_a, true),
						 dbvc_names_in_order(b, count_b, false));
	return true;
}
