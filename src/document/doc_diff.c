/*
 * doc_diff.c
 *		The fewest writes that make the items of a part other ones.
 */
#include "document/doc_raw.h"

#include "utils/builtins.h"

#define NONE (-1)

/* A ~ and a bigint. */
#define GENERATED_LEN 20

typedef struct Plan
{
	const DbvcItems *existing;
	const DbvcItems *items;
	const int *match;
	DbvcItem *after; /* the rows to be, one for each new item */
	bool *same;		 /* has it the value already? */
	bool *keeps;	 /* its rank */
} Plan;

static void
choose_ranks_to_keep(Plan *plan)
{
	int count = plan->items->count;
	DbvcLink *links = dbvc_raw_array(count, sizeof(DbvcLink));
	int found = 0;

	for (int n = 0; n < count; n++)
	{
		DbvcLink *link = &links[found];

		plan->keeps[n] = false;
		plan->same[n] = false;
		if (plan->match[n] == NONE)
			continue;
		link->new_index = n;
		link->old_index = plan->match[n];
		link->ord = plan->existing->item[link->old_index].ord;
		plan->same[n] =
			dbvc_value_same(&plan->existing->item[link->old_index].value,
							&plan->items->item[n].value);
		/* what is written anyway may as well be moved */
		link->weight = plan->same[n] ? (int64) count + 1 : 1;
		found++;
	}
	dbvc_chain_choose(links, found, count);
	for (int i = 0; i < found; i++)
	{
		if (links[i].chosen)
			plan->keeps[links[i].new_index] = true;
	}
	pfree(links);
}

/*
 * Ranks for the items from "from" to "to" between their neighbours, which
 * leave room enough; at an end there is only one, or none.
 */
static void
spread(DbvcItem *after, int from, int to, int count)
{
	uint64 number = to - from;
	uint64 step = DBVC_ORD_STEP;
	int64 left = 0;

	if (from > 0)
	{
		uint64 room;

		left = after[from - 1].ord;
		if (to < count)
			room = ((uint64) after[to].ord - (uint64) left) / (number + 1);
		else
			room = ((uint64) PG_INT64_MAX - (uint64) left) / number;
		if (to < count || room < step)
			step = room;
	}
	else if (to < count)
	{
		uint64 room =
			((uint64) after[to].ord - (uint64) PG_INT64_MIN) / number;

		step = Min(step, room);
		left = (int64) ((uint64) after[to].ord - step * (number + 1));
	}
	for (int i = from; i < to; i++)
	{
		/* unsigned, because the first "left" may be below all numbers */
		left = (int64) ((uint64) left + step);
		after[i].ord = left;
	}
}

static void
set_ranks(const Plan *plan)
{
	int count = plan->items->count;
	int to;

	for (int n = 0; n < count; n++)
	{
		if (plan->keeps[n])
			plan->after[n].ord = plan->existing->item[plan->match[n]].ord;
	}
	for (int from = 0; from < count; from = to)
	{
		to = from + 1;
		if (plan->keeps[from])
			continue;
		while (to < count && !plan->keeps[to])
			to++;
		spread(plan->after, from, to, count);
	}
}

static void
set_new_number(DbvcItem *item, int64 number)
{
	char *id = palloc(GENERATED_LEN);

	id[0] = DBVC_ITEM_GENERATED;
	item->id_len = 1 + pg_ulltoa_n((uint64) number, id + 1);
	item->id = id;
}

/* Values and ids of the rows to be. */
static void
set_rows(Plan *plan, int64 used)
{
	int64 number = Max(used, dbvc_items_highest(plan->existing));

	for (int n = 0; n < plan->items->count; n++)
	{
		DbvcItem *after = &plan->after[n];

		*after = plan->items->item[n];
		if (plan->match[n] != NONE)
		{
			const DbvcItem *old = &plan->existing->item[plan->match[n]];

			after->id = old->id;
			after->id_len = old->id_len;
		}
		else if (dbvc_item_generated(after))
		{
			if (number == PG_INT64_MAX)
				ereport(ERROR,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("no number is left for an item without an id"),
						 errdetail("\"%c" INT64_FORMAT "\" is in use.",
								   DBVC_ITEM_GENERATED, number)));
			set_new_number(after, ++number);
		}
	}
}

static DbvcItemWrite *
add_write(DbvcItemWrites *writes, DbvcItemAction action, const DbvcItem *after)
{
	DbvcItemWrite *write = &writes->write[writes->count++];

	CHECK_FOR_INTERRUPTS();
	write->action = action;
	write->moved = false;
	write->old_index = NONE;
	write->new_index = NONE;
	write->after = *after;
	return write;
}

static void
add_deletes(const Plan *plan, DbvcItemWrites *writes)
{
	bool *stays = palloc0((Size) (plan->existing->count + 1) * sizeof(bool));

	for (int n = 0; n < plan->items->count; n++)
	{
		if (plan->match[n] != NONE)
			stays[plan->match[n]] = true;
	}
	for (int o = 0; o < plan->existing->count; o++)
	{
		if (!stays[o])
			add_write(writes, DBVC_ITEM_DELETE, &plan->existing->item[o])
				->old_index = o;
	}
	pfree(stays);
	writes->deletes = writes->count;
}

static void
add_changes(const Plan *plan, DbvcItemWrites *writes)
{
	for (int n = 0; n < plan->items->count; n++)
	{
		DbvcItemWrite *write;
		bool moved;

		if (plan->match[n] == NONE)
			continue;
		moved = plan->after[n].ord != plan->existing->item[plan->match[n]].ord;
		if (plan->same[n] && !moved)
			continue;
		write = add_write(writes,
						  plan->same[n] ? DBVC_ITEM_MOVE : DBVC_ITEM_UPDATE,
						  &plan->after[n]);
		write->moved = moved;
		write->old_index = plan->match[n];
		write->new_index = n;
	}
	writes->changes = writes->count - writes->deletes;
}

static void
add_inserts(const Plan *plan, DbvcItemWrites *writes)
{
	for (int n = 0; n < plan->items->count; n++)
	{
		if (plan->match[n] == NONE)
			add_write(writes, DBVC_ITEM_INSERT, &plan->after[n])->new_index =
				n;
	}
	writes->inserts = writes->count - writes->deletes - writes->changes;
}

DbvcItemWrites
dbvc_items_plan(const DbvcItems *existing, const DbvcItems *items,
				const int *match, int64 used)
{
	Plan plan = {.existing = existing, .items = items, .match = match};
	DbvcItemWrites writes = {0};
	int count = items->count;

	plan.after = dbvc_raw_array(count, sizeof(DbvcItem));
	plan.same = dbvc_raw_array(count, sizeof(bool));
	plan.keeps = dbvc_raw_array(count, sizeof(bool));
	choose_ranks_to_keep(&plan);
	set_rows(&plan, used);
	set_ranks(&plan);
	writes.write =
		dbvc_raw_array(count + existing->count, sizeof(DbvcItemWrite));
	add_deletes(&plan, &writes);
	add_changes(&plan, &writes);
	add_inserts(&plan, &writes);
	return writes;
}

DbvcItemWrites
dbvc_items_diff(const DbvcItems *existing, const DbvcItems *items, int64 used)
{
	int *match = dbvc_raw_array(items->count, sizeof(int));

	dbvc_items_match(existing, items, match);
	return dbvc_items_plan(existing, items, match, used);
}
