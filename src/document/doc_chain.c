/*
 * doc_chain.c
 *		Which items keep their ranks.
 *
 * Two items can both keep them if the later one's rank is higher by at least
 * as many as the items are apart, so that those between find room.  That is:
 * if rank minus position does not fall.  So what is looked for is the heaviest
 * subsequence in which this difference does not fall, and the same answer
 * serves items that were moved and gaps that are used up.
 *
 * Links are taken in order; a tree of maxima over the differences (a Fenwick
 * tree) tells the best chain that a link can follow.
 */
#include "document/doc_raw.h"

#define NONE (-1)

typedef struct Chain
{
	DbvcLink *links;
	int64 *keys; /* distinct ones, rising */
	int key_count;
	int *best;	  /* Fenwick tree: link where the best chain ends */
	int64 *total; /* for each link: weight of the chain that ends there */
	int *before;  /* for each link: the one before it in that chain */
} Chain;

/* Is there room before and behind it, up to the ends of bigint? */
static bool
has_room(const DbvcLink *link, int items)
{
	uint64 below = (uint64) link->ord - (uint64) PG_INT64_MIN;
	uint64 above = (uint64) PG_INT64_MAX - (uint64) link->ord;

	return below >= (uint64) link->new_index &&
		   above >= (uint64) (items - 1 - link->new_index);
}

static int64
key_of(const DbvcLink *link)
{
	return link->ord - link->new_index;
}

/* The usual case: nothing was moved, nothing is crowded. */
static bool
all_in_order(const DbvcLink *links, int count, int items)
{
	for (int i = 0; i < count; i++)
	{
		if (!has_room(&links[i], items) ||
			(i > 0 && (key_of(&links[i]) < key_of(&links[i - 1]) ||
					   links[i].new_index == links[i - 1].new_index)))
			return false;
	}
	return true;
}

static int
compare_int64(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	/* there may be millions, in whatever order suits qsort() worst */
	CHECK_FOR_INTERRUPTS();
	return (x > y) - (x < y);
}

static void
collect_keys(Chain *chain, int count, int items)
{
	int found = 0;

	for (int i = 0; i < count; i++)
	{
		if (has_room(&chain->links[i], items))
			chain->keys[found++] = key_of(&chain->links[i]);
	}
	qsort(chain->keys, found, sizeof(int64), compare_int64);
	for (int i = 0; i < found; i++)
	{
		if (i == 0 || chain->keys[i] != chain->keys[i - 1])
			chain->keys[chain->key_count++] = chain->keys[i];
	}
}

/* Position in the tree, from 1. */
static int
position_of(const Chain *chain, int link)
{
	int64 key = key_of(&chain->links[link]);
	int low = 0;
	int high = chain->key_count - 1;

	while (low < high)
	{
		int middle = low + (high - low) / 2;

		if (chain->keys[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low + 1;
}

static void
follow_best(Chain *chain, int link)
{
	int best = NONE;

	for (int i = position_of(chain, link); i > 0; i -= i & -i)
	{
		int other = chain->best[i];

		if (other != NONE &&
			(best == NONE || chain->total[other] > chain->total[best]))
			best = other;
	}
	chain->before[link] = best;
	chain->total[link] =
		chain->links[link].weight + (best == NONE ? 0 : chain->total[best]);
}

static void
offer(Chain *chain, int link)
{
	for (int i = position_of(chain, link); i <= chain->key_count; i += i & -i)
	{
		int other = chain->best[i];

		if (other == NONE || chain->total[link] > chain->total[other])
			chain->best[i] = link;
	}
}

/* Links from one new item, which exclude each other: "from" to "to". */
static void
take(Chain *chain, int from, int to, int items)
{
	for (int i = from; i < to; i++)
	{
		if (has_room(&chain->links[i], items))
			follow_best(chain, i);
	}
	for (int i = from; i < to; i++)
	{
		if (has_room(&chain->links[i], items))
			offer(chain, i);
	}
}

static void
choose(Chain *chain, int count, int items)
{
	int best = NONE;
	int to;

	collect_keys(chain, count, items);
	for (int i = 0; i <= chain->key_count; i++)
		chain->best[i] = NONE;
	for (int from = 0; from < count; from = to)
	{
		CHECK_FOR_INTERRUPTS();
		to = from + 1;
		while (to < count &&
			   chain->links[to].new_index == chain->links[from].new_index)
			to++;
		take(chain, from, to, items);
	}
	for (int i = 0; i < count; i++)
	{
		if (has_room(&chain->links[i], items) &&
			(best == NONE || chain->total[i] > chain->total[best]))
			best = i;
	}
	for (; best != NONE; best = chain->before[best])
		chain->links[best].chosen = true;
}

void
dbvc_chain_choose(DbvcLink *links, int count, int items)
{
	Chain chain = {.links = links};
	bool simple = all_in_order(links, count, items);

	for (int i = 0; i < count; i++)
		links[i].chosen = simple;
	if (simple)
		return;
	chain.keys = dbvc_raw_array(count, sizeof(int64));
	chain.best = dbvc_raw_array(count, sizeof(int));
	chain.total = dbvc_raw_array(count, sizeof(int64));
	chain.before = dbvc_raw_array(count, sizeof(int));
	choose(&chain, count, items);
	pfree(chain.keys);
	pfree(chain.best);
	pfree(chain.total);
	pfree(chain.before);
}
