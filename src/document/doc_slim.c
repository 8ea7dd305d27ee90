/*
 * doc_slim.c
 *		Three slim documents into one, key by key of the top level.
 */
#include "document/doc_raw.h"

/* One of the three documents, and where the walk stands in it. */
typedef struct Side
{
	DbvcRawIter keys;
	DbvcRawIter values;
	DbvcValue key; /* the next one */
	DbvcValue value;
	int left; /* how many from this one on */
} Side;

enum
{
	OLD,
	CHANGED,
	CURRENT,
	SIDES
};

/* A writer's and another's view of one value, NULL where there is none. */
static bool
is_same(const DbvcValue *a, const DbvcValue *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || dbvc_value_same(a, b));
}

/*
 * Which of the three values it is; SIDES when both sides changed it, be it to
 * the same: who counts to 2 in 1's place has not counted to 3.
 */
static int
decide(const DbvcValue *const *value)
{
	if (is_same(value[CHANGED], value[OLD]))
		return CURRENT;
	return is_same(value[CURRENT], value[OLD]) ? CHANGED : SIDES;
}

static void
add_conflict(List **conflicts, const DbvcValue *key)
{
	DbvcConflict *conflict;

	if (list_length(*conflicts) >= DBVC_CONFLICTS_MAX)
		return;
	conflict = palloc0(sizeof(DbvcConflict));
	conflict->part = -1;
	if (key != NULL)
	{
		conflict->key.text = key->data;
		conflict->key.len = (int) key->len;
	}
	*conflicts = lappend(*conflicts, conflict);
}

static void
step(Side *side)
{
	if (--side->left > 0)
	{
		side->key = dbvc_raw_next(&side->keys);
		side->value = dbvc_raw_next(&side->values);
	}
}

static void
begin(Side *side, const DbvcValue *object)
{
	side->keys = dbvc_raw_keys(object);
	side->values = dbvc_raw_values(object);
	side->left = dbvc_raw_count(object) + 1;
	step(side);
}

/* The first key that any of them has next, or NULL. */
static const DbvcValue *
first_key(const Side *sides)
{
	const DbvcValue *first = NULL;

	for (int s = 0; s < SIDES; s++)
	{
		const DbvcValue *key = &sides[s].key;

		if (sides[s].left > 0 &&
			(first == NULL || dbvc_raw_compare(key->data, key->len,
											   first->data, first->len) < 0))
			first = key;
	}
	return first;
}

static Jsonb *
merge_objects(const DbvcValue *roots, List **conflicts)
{
	Side sides[SIDES] = {0};
	const DbvcValue *first;
	DbvcValue *keys;
	DbvcValue *values;
	int count = 0;
	int all = 0;

	for (int s = 0; s < SIDES; s++)
	{
		begin(&sides[s], &roots[s]);
		all += dbvc_raw_count(&roots[s]);
	}
	keys = dbvc_raw_array(all, sizeof(DbvcValue));
	values = dbvc_raw_array(all, sizeof(DbvcValue));
	while ((first = first_key(sides)) != NULL)
	{
		DbvcValue key = *first;
		const DbvcValue *value[SIDES] = {NULL};
		int chosen;

		CHECK_FOR_INTERRUPTS();
		for (int s = 0; s < SIDES; s++)
		{
			if (sides[s].left > 0 && dbvc_value_same(&sides[s].key, &key))
				value[s] = &sides[s].value;
		}
		chosen = decide(value);
		if (chosen == SIDES)
			add_conflict(conflicts, &key);
		else if (value[chosen] != NULL)
		{
			keys[count] = key;
			values[count++] = *value[chosen];
		}
		for (int s = 0; s < SIDES; s++)
		{
			if (value[s] != NULL)
				step(&sides[s]);
		}
	}
	return dbvc_raw_object(keys, values, count);
}

Jsonb *
dbvc_slim_merge(Jsonb *old, Jsonb *changed, Jsonb *current, List **conflicts)
{
	Jsonb *jsonb[SIDES] = {old, changed, current};
	DbvcValue roots[SIDES];
	const DbvcValue *value[SIDES];
	bool objects = true;
	int chosen;

	for (int s = 0; s < SIDES; s++)
	{
		roots[s] = dbvc_value_read(JsonbPGetDatum(jsonb[s]));
		value[s] = &roots[s];
		objects = objects && dbvc_raw_is_object(&roots[s]);
	}
	chosen = decide(value);
	if (chosen != SIDES)
		return jsonb[chosen];
	if (objects)
		return merge_objects(roots, conflicts);
	add_conflict(conflicts, NULL);
	return current;
}
