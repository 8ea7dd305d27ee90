/*
 * doc_match.c
 *		Which new item is which old one.
 *
 * What both begin and end with is matched at once, which is all there is to
 * do in most writes.  What is left between is matched by id, then by value,
 * then by position.
 */
#include "document/doc_raw.h"

#define NONE (-1)

/* Pairs of equal items, for each item, up to which all are considered. */
#define MAX_PAIRS 16

/* The same for all together: 64 MB. */
#define MAX_ALL_PAIRS (1024 * 1024)

typedef struct Match
{
	const DbvcItems *old;
	const DbvcItems *items;
	int *match;
	bool *taken; /* for each old item */
	int from;	 /* both begin with this many same ones */
	int old_end; /* from here on both are the same again */
	int end;
} Match;

/* Unmatched items of equal value. */
typedef struct Group
{
	int first_old; /* index of its first member in a list of all */
	int old_count;
	int new_count;
} Group;

typedef struct Groups
{
	Group *group;
	int count;
	int *of_old; /* for each item: its group, or NONE */
	int *of_new;
	int *old_members; /* group by group, in order */
	int64 pairs;
	bool any_choice;
} Groups;

static void
set_match(Match *match, int new_index, int old_index)
{
	match->match[new_index] = old_index;
	match->taken[old_index] = true;
}

static bool
is_open(const Match *match, int new_index)
{
	return match->match[new_index] == NONE;
}

/* Is it beyond doubt the same one, both standing at the same end? */
static bool
is_same(const DbvcItem *old, const DbvcItem *item)
{
	if (dbvc_item_generated(old) != dbvc_item_generated(item))
		return false;
	if (dbvc_item_generated(old))
		return dbvc_value_same(&old->value, &item->value);
	return dbvc_item_same_id(old, item);
}

static void
match_ends(Match *match)
{
	const DbvcItem *old = match->old->item;
	const DbvcItem *item = match->items->item;

	match->old_end = match->old->count;
	match->end = match->items->count;
	while (match->from < match->old_end && match->from < match->end &&
		   is_same(&old[match->from], &item[match->from]))
	{
		set_match(match, match->from, match->from);
		match->from++;
	}
	while (match->old_end > match->from && match->end > match->from &&
		   is_same(&old[match->old_end - 1], &item[match->end - 1]))
	{
		match->old_end--;
		match->end--;
		set_match(match, match->end, match->old_end);
	}
}

static void
match_ids(Match *match)
{
	const DbvcItem *old = match->old->item;
	DbvcHash table = dbvc_hash_make(match->old_end);

	for (int o = match->from; o < match->old_end; o++)
	{
		if (!dbvc_item_generated(&old[o]))
			dbvc_hash_put(&table, o, dbvc_hash_id(&old[o]));
	}
	for (int n = match->from; n < match->end; n++)
	{
		const DbvcItem *item = &match->items->item[n];

		CHECK_FOR_INTERRUPTS();
		if (dbvc_item_generated(item))
			continue;
		for (int o = dbvc_hash_first(&table, dbvc_hash_id(item)); o >= 0;
			 o = dbvc_hash_next(&table, o))
		{
			if (dbvc_item_same_id(&old[o], item) && !match->taken[o])
			{
				set_match(match, n, o);
				break;
			}
		}
	}
}

/* An old item in the table whose value is the item's. */
static int
find_value(const Match *match, const DbvcHash *table, const DbvcItem *item,
		   uint32 hash)
{
	int o = dbvc_hash_first(table, hash);

	/* values can be made to have the same hash */
	CHECK_FOR_INTERRUPTS();
	while (o >= 0 &&
		   !dbvc_value_same(&match->old->item[o].value, &item->value))
		o = dbvc_hash_next(table, o);
	return o;
}

/* The groups of the old items that are left. */
static void
group_old(const Match *match, Groups *groups, DbvcHash *table)
{
	for (int o = match->from; o < match->old_end; o++)
	{
		const DbvcItem *item = &match->old->item[o];
		uint32 hash;
		int same;

		groups->of_old[o] = NONE;
		if (match->taken[o])
			continue;
		hash = dbvc_hash_value(item);
		same = find_value(match, table, item, hash);
		if (same < 0)
		{
			dbvc_hash_put(table, o, hash);
			groups->group[groups->count] = (Group){0};
			groups->of_old[o] = groups->count++;
		}
		else
			groups->of_old[o] = groups->of_old[same];
		groups->group[groups->of_old[o]].old_count++;
	}
}

static void
group_new(const Match *match, Groups *groups, const DbvcHash *table)
{
	for (int n = match->from; n < match->end; n++)
	{
		const DbvcItem *item = &match->items->item[n];
		int same;

		groups->of_new[n] = NONE;
		if (!is_open(match, n))
			continue;
		same = find_value(match, table, item, dbvc_hash_value(item));
		if (same < 0)
			continue;
		groups->of_new[n] = groups->of_old[same];
		groups->group[groups->of_new[n]].new_count++;
	}
}

static void
list_members(const Match *match, Groups *groups)
{
	int listed = 0;

	for (int g = 0; g < groups->count; g++)
	{
		Group *group = &groups->group[g];

		group->first_old = listed;
		listed += group->old_count;
		groups->pairs += (int64) group->old_count * group->new_count;
		if (group->old_count > 1 || group->new_count > 1)
			groups->any_choice = true;
		group->old_count = 0;
	}
	for (int o = match->from; o < match->old_end; o++)
	{
		Group *group;

		if (groups->of_old[o] == NONE)
			continue;
		group = &groups->group[groups->of_old[o]];
		groups->old_members[group->first_old + group->old_count++] = o;
	}
}

static void
add_link(const Match *match, DbvcLink *links, int *count, int n, int o)
{
	DbvcLink *link = &links[(*count)++];

	link->new_index = n;
	link->old_index = o;
	link->ord = match->old->item[o].ord;
	link->weight = dbvc_value_same(&match->old->item[o].value,
								   &match->items->item[n].value)
					   ? 2
					   : 0;
	link->chosen = false;
}

/* Of equal ones, those that stand where nothing has to be moved for them. */
static void
match_best(Match *match, const Groups *groups)
{
	int limit = (int) groups->pairs + (match->end - match->from);
	DbvcLink *links = dbvc_raw_array(limit, sizeof(DbvcLink));
	int count = 0;

	for (int n = match->from; n < match->end; n++)
	{
		const Group *group;

		if (!is_open(match, n))
			add_link(match, links, &count, n, match->match[n]);
		else if (groups->of_new[n] != NONE)
		{
			group = &groups->group[groups->of_new[n]];
			for (int i = 0; i < group->old_count; i++)
				add_link(match, links, &count, n,
						 groups->old_members[group->first_old + i]);
		}
	}
	dbvc_chain_choose(links, count, match->items->count);
	for (int i = 0; i < count; i++)
	{
		if (links[i].chosen && is_open(match, links[i].new_index))
			set_match(match, links[i].new_index, links[i].old_index);
	}
	pfree(links);
}

/* What is left of each group, in order. */
static void
match_groups(Match *match, Groups *groups)
{
	for (int n = match->from; n < match->end; n++)
	{
		Group *group;

		if (!is_open(match, n) || groups->of_new[n] == NONE)
			continue;
		group = &groups->group[groups->of_new[n]];
		while (group->old_count > 0)
		{
			int o = groups->old_members[group->first_old++];

			group->old_count--;
			if (!match->taken[o])
			{
				set_match(match, n, o);
				break;
			}
		}
	}
}

static void
match_values(Match *match)
{
	DbvcHash table = dbvc_hash_make(match->old_end);
	Groups groups = {0};

	groups.group = dbvc_raw_array(match->old_end - match->from, sizeof(Group));
	groups.of_old = dbvc_raw_array(match->old_end, sizeof(int));
	groups.of_new = dbvc_raw_array(match->end, sizeof(int));
	groups.old_members =
		dbvc_raw_array(match->old_end - match->from, sizeof(int));
	group_old(match, &groups, &table);
	group_new(match, &groups, &table);
	list_members(match, &groups);
	if (groups.any_choice && groups.pairs <= MAX_ALL_PAIRS &&
		groups.pairs <= ((int64) match->old_end + match->end) * MAX_PAIRS)
		match_best(match, &groups);
	match_groups(match, &groups);
}

/* What has no id and no equal: the first one left is the first one left. */
static void
match_positions(Match *match)
{
	int o = match->from;

	for (int n = match->from; n < match->end; n++)
	{
		if (!is_open(match, n) || !dbvc_item_generated(&match->items->item[n]))
			continue;
		while (o < match->old_end &&
			   (match->taken[o] || !dbvc_item_generated(&match->old->item[o])))
			o++;
		if (o == match->old_end)
			break;
		set_match(match, n, o);
	}
}

static bool
any_open(const Match *match)
{
	bool old = false;
	bool items = false;

	for (int o = match->from; o < match->old_end && !old; o++)
		old = !match->taken[o];
	for (int n = match->from; n < match->end && !items; n++)
		items = is_open(match, n);
	return old && items;
}

void
dbvc_items_match(const DbvcItems *old, const DbvcItems *items, int *match)
{
	Match state = {.old = old, .items = items, .match = match};

	for (int n = 0; n < items->count; n++)
		match[n] = NONE;
	state.taken = palloc0((Size) (old->count + 1) * sizeof(bool));
	match_ends(&state);
	if (any_open(&state))
		match_ids(&state);
	if (any_open(&state))
		match_values(&state);
	if (any_open(&state))
		match_positions(&state);
	pfree(state.taken);
}
