/*
 * doc_merge.c
 *		What a writer changed, made to what the document is by now.
 *
 * Both sides are matched with what the writer had read; so for each item of
 * that it is known what became of it on either side, and what remains are the
 * items that one side inserted.  A node is an item of the result.
 */
#include "document/doc_raw.h"

#define NONE (-1)

/* An item of the result, as far as it is known where it comes from. */
typedef struct MergeNode
{
	int old;
	int changed;
	int current;
	bool use_changed; /* the writer's value, not the current one */
	int next;		  /* in the result */
} MergeNode;

/* One side: its items, which old ones they are, and their nodes. */
typedef struct Side
{
	const DbvcItems *items;
	int *match;
	int *of_old; /* for each old item: index here, or NONE */
	int *node;	 /* for each item; NONE: not in the result */
} Side;

typedef struct PartMerge
{
	int part;
	const DbvcItems *old;
	Side changed;
	Side current;
	MergeNode *node;
	int count;
	List **conflicts;
} PartMerge;

static int *
make_indexes(int count)
{
	int *indexes = dbvc_raw_array(count, sizeof(int));

	for (int i = 0; i < count; i++)
		indexes[i] = NONE;
	return indexes;
}

static void
add_conflict(PartMerge *merge, const DbvcItem *item)
{
	DbvcConflict *conflict;

	if (list_length(*merge->conflicts) >= DBVC_CONFLICTS_MAX)
		return;
	conflict = palloc0(sizeof(DbvcConflict));
	conflict->part = merge->part;
	if (item != NULL)
	{
		conflict->item_id.text = item->id;
		conflict->item_id.len = item->id_len;
	}
	*merge->conflicts = lappend(*merge->conflicts, conflict);
}

static Side
make_side(const DbvcItems *old, const DbvcItems *items)
{
	Side side = {.items = items};

	side.match = dbvc_raw_array(items->count, sizeof(int));
	side.of_old = make_indexes(old->count);
	side.node = make_indexes(items->count);
	dbvc_items_match(old, items, side.match);
	for (int i = 0; i < items->count; i++)
	{
		if (side.match[i] != NONE)
			side.of_old[side.match[i]] = i;
	}
	return side;
}

static void
add_node(PartMerge *merge, int old, int changed, int current, bool use_changed)
{
	MergeNode *node = &merge->node[merge->count];

	node->old = old;
	node->changed = changed;
	node->current = current;
	node->use_changed = use_changed;
	node->next = NONE;
	if (changed != NONE)
		merge->changed.node[changed] = merge->count;
	if (current != NONE)
		merge->current.node[current] = merge->count;
	merge->count++;
}

static const DbvcItem *
item_or_null(const Side *side, int index)
{
	return index == NONE ? NULL : &side->items->item[index];
}

/* Of two states of an item, NULL when it is not there. */
static bool
is_changed(const DbvcItem *a, const DbvcItem *b)
{
	if (a == NULL || b == NULL)
		return a != b;
	return !dbvc_value_same(&a->value, &b->value);
}

/* What became of the items that the writer had read? */
static void
merge_known(PartMerge *merge)
{
	for (int o = 0; o < merge->old->count; o++)
	{
		const DbvcItem *old = &merge->old->item[o];
		int n = merge->changed.of_old[o];
		int c = merge->current.of_old[o];
		const DbvcItem *changed = item_or_null(&merge->changed, n);
		const DbvcItem *current = item_or_null(&merge->current, c);
		bool by_writer = is_changed(old, changed);

		CHECK_FOR_INTERRUPTS();
		if (by_writer && is_changed(old, current))
			add_conflict(merge, current == NULL ? old : current);
		else if (changed != NULL && current != NULL)
			add_node(merge, o, n, c, by_writer);
	}
}

/*
 * What either side inserted.  Without an id of its own nothing says that two
 * are one: both stay, also if they look the same.
 */
static void
add_inserted(PartMerge *merge)
{
	for (int n = 0; n < merge->changed.items->count; n++)
	{
		if (merge->changed.match[n] == NONE)
			add_node(merge, NONE, n, NONE, true);
	}
	for (int c = 0; c < merge->current.items->count; c++)
	{
		if (merge->current.match[c] == NONE)
			add_node(merge, NONE, NONE, c, false);
	}
}

/* Do the items that both sides still have stand there as the writer read? */
static bool
is_in_order(const PartMerge *merge, const Side *side)
{
	int last = NONE;

	for (int i = 0; i < side->items->count; i++)
	{
		int old =
			side->node[i] == NONE ? NONE : merge->node[side->node[i]].old;

		if (old == NONE)
			continue;
		if (old < last)
			return false;
		last = old;
	}
	return true;
}

/* Whose order is the result's?  Usually nobody has moved anything. */
static bool
writer_reordered(PartMerge *merge)
{
	bool changed = !is_in_order(merge, &merge->changed);
	bool current = !is_in_order(merge, &merge->current);

	if (changed && current)
		add_conflict(merge, NULL);
	return changed && !current;
}

static void
insert_after(PartMerge *merge, int *first, int after, int node)
{
	int *link = after == NONE ? first : &merge->node[after].next;

	merge->node[node].next = *link;
	*link = node;
}

/* Put the nodes in order; returns the first one. */
static int
put_in_order(PartMerge *merge)
{
	bool by_writer = writer_reordered(merge);
	const Side *base = by_writer ? &merge->changed : &merge->current;
	const Side *other = by_writer ? &merge->current : &merge->changed;
	int first = NONE;
	int last = NONE;

	for (int i = 0; i < base->items->count; i++)
	{
		if (base->node[i] == NONE)
			continue;
		insert_after(merge, &first, last, base->node[i]);
		last = base->node[i];
	}
	last = NONE;
	for (int i = 0; i < other->items->count; i++)
	{
		const MergeNode *node;

		if (other->node[i] == NONE)
			continue;
		node = &merge->node[other->node[i]];
		if ((by_writer ? node->changed : node->current) == NONE)
			insert_after(merge, &first, last, other->node[i]);
		last = other->node[i];
	}
	return first;
}

/* The result's items, from the nodes in their order. */
static DbvcItems
make_items(const PartMerge *merge, int first, int *match)
{
	DbvcItems items = {0};

	items.item = dbvc_raw_array(merge->count, sizeof(DbvcItem));
	for (int i = first; i != NONE; i = merge->node[i].next)
	{
		const MergeNode *node = &merge->node[i];
		DbvcItem *item = &items.item[items.count];

		if (node->current != NONE)
			*item = merge->current.items->item[node->current];
		else
			*item = merge->changed.items->item[node->changed];
		if (node->use_changed)
			item->value = merge->changed.items->item[node->changed].value;
		match[items.count++] = node->current;
	}
	return items;
}

/*
 * An id that the writer gave a new item may be that of another one by now;
 * whether with the same value or not, both sides made one.
 */
static void
check_ids(PartMerge *merge, const DbvcItems *items, const int *match)
{
	DbvcHash table = dbvc_hash_make(items->count);

	for (int i = 0; i < items->count; i++)
	{
		if (match[i] != NONE)
			dbvc_hash_put(&table, i, dbvc_hash_id(&items->item[i]));
	}
	for (int i = 0; i < items->count; i++)
	{
		const DbvcItem *item = &items->item[i];

		CHECK_FOR_INTERRUPTS();
		if (match[i] != NONE || dbvc_item_generated(item))
			continue;
		for (int other = dbvc_hash_first(&table, dbvc_hash_id(item));
			 other >= 0; other = dbvc_hash_next(&table, other))
		{
			if (dbvc_item_same_id(&items->item[other], item))
			{
				add_conflict(merge, item);
				break;
			}
		}
	}
}

static DbvcItems
merge_part(PartMerge *merge, const DbvcItems *changed,
		   const DbvcItems *current, int **match)
{
	int most = merge->old->count + changed->count + current->count;
	DbvcItems items;

	merge->changed = make_side(merge->old, changed);
	merge->current = make_side(merge->old, current);
	merge->node = dbvc_raw_array(most, sizeof(MergeNode));
	merge_known(merge);
	add_inserted(merge);
	*match = dbvc_raw_array(most, sizeof(int));
	items = make_items(merge, put_in_order(merge), *match);
	check_ids(merge, &items, *match);
	return items;
}

DbvcMerge *
dbvc_doc_merge(const DbvcParts *parts, const DbvcDocument *old,
			   const DbvcDocument *changed, const DbvcDocument *current)
{
	DbvcMerge *merge = palloc0(sizeof(DbvcMerge));
	int misplaced;

	merge->document.slim = dbvc_slim_merge(old->slim, changed->slim,
										   current->slim, &merge->conflicts);
	merge->document.items =
		palloc0((Size) (parts->count + 1) * sizeof(DbvcItems));
	merge->match = palloc0((Size) (parts->count + 1) * sizeof(int *));
	for (int p = 0; p < parts->count; p++)
	{
		PartMerge part = {.part = p,
						  .old = &old->items[p],
						  .conflicts = &merge->conflicts};

		merge->document.items[p] =
			merge_part(&part, &changed->items[p], &current->items[p],
					   &merge->match[p]);
	}
	misplaced = dbvc_doc_misplaced(parts, &merge->document);
	if (merge->conflicts == NIL && misplaced >= 0)
	{
		PartMerge part = {.part = misplaced, .conflicts = &merge->conflicts};

		add_conflict(&part, NULL);
	}
	return merge;
}
