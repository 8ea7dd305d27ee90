/*
 * order.c
 *		The order in which migrations are applied.
 *
 * Topological by requires (Kahn's algorithm), and among those that are free
 * to go the one that is first in natural order, repeatables last.  What is
 * compared is the sort key, by which another tool's order can be kept, or else
 * the id.
 */
#include "migration/migration.h"

#include "common/hashfn.h"
#include "lib/pairingheap.h"
#include "utils/hsearch.h"

typedef struct OrderNode
{
	pairingheap_node heap;
	DbvcState *state;
	int waits_for; /* requirements not yet placed */
	List *dependents;
	bool placed;
} OrderNode;

typedef struct OrderEntry
{
	const char *id; /* hash key */
	OrderNode *node;
} OrderEntry;

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Compare two digit runs as numbers of any length; advances both. */
static int
compare_numbers(const char **a, const char **b)
{
	int len_a;
	int len_b;
	int result;

	while (**a == '0' && is_digit((*a)[1]))
		(*a)++;
	while (**b == '0' && is_digit((*b)[1]))
		(*b)++;
	len_a = strspn(*a, "0123456789");
	len_b = strspn(*b, "0123456789");
	if (len_a != len_b)
		return len_a - len_b;
	result = memcmp(*a, *b, len_a);
	*a += len_a;
	*b += len_b;
	return result;
}

int
dbvc_natural_compare(const char *a, const char *b)
{
	const char *whole_a = a;
	const char *whole_b = b;

	while (*a != '\0' && *b != '\0')
	{
		int result;

		if (is_digit(*a) && is_digit(*b))
		{
			result = compare_numbers(&a, &b);
			if (result != 0)
				return result;
			continue;
		}
		if (*a != *b)
			return (unsigned char) *a - (unsigned char) *b;
		a++;
		b++;
	}
	if (*a != *b)
		return *a == '\0' ? -1 : 1;
	return strcmp(whole_a, whole_b); /* 01 and 1 */
}

static const char *
order_key(const DbvcState *state)
{
	return state->sort_key != NULL ? state->sort_key : state->id;
}

/* The heap gives its largest first: the earlier migration is the larger. */
static int
heap_compare(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	const DbvcState *sa = ((const OrderNode *) a)->state;
	const DbvcState *sb = ((const OrderNode *) b)->state;
	bool repeatable_a = strcmp(sa->kind, DBVC_KIND_REPEATABLE) == 0;
	bool repeatable_b = strcmp(sb->kind, DBVC_KIND_REPEATABLE) == 0;
	int result;

	if (repeatable_a != repeatable_b)
		return repeatable_a ? -1 : 1;
	result = dbvc_natural_compare(order_key(sb), order_key(sa));
	return result != 0 ? result : dbvc_natural_compare(sb->id, sa->id);
}

static uint32
id_hash(const void *key, Size keysize)
{
	const char *id = *(const char *const *) key;

	return DatumGetUInt32(hash_any((const unsigned char *) id, strlen(id)));
}

static int
id_match(const void *a, const void *b, Size keysize)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static HTAB *
index_nodes(List *nodes)
{
	HASHCTL ctl = {0};
	HTAB *index;
	ListCell *lc;

	ctl.keysize = sizeof(const char *);
	ctl.entrysize = sizeof(OrderEntry);
	ctl.hash = id_hash;
	ctl.match = id_match;
	ctl.hcxt = CurrentMemoryContext;
	index =
		hash_create("dbvc migrations", Max(16, list_length(nodes)), &ctl,
					HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	foreach (lc, nodes)
	{
		OrderNode *node = lfirst(lc);
		OrderEntry *entry =
			hash_search(index, &node->state->id, HASH_ENTER, NULL);

		entry->node = node;
	}
	return index;
}

static void
link_requirements(List *nodes, HTAB *index)
{
	ListCell *lc;
	ListCell *req;

	foreach (lc, nodes)
	{
		OrderNode *node = lfirst(lc);

		foreach (req, node->state->requires)
		{
			const char *id = lfirst(req);
			OrderEntry *entry = hash_search(index, &id, HASH_FIND, NULL);

			if (entry == NULL)
			{
				node->state->missing = id;
				continue;
			}
			node->state->required =
				lappend(node->state->required, entry->node->state);
			entry->node->dependents = lappend(entry->node->dependents, node);
			node->waits_for++;
		}
	}
}

/* Walk requirements without a place until one comes again: the circle. */
DBVC_NORETURN static void
report_cycle(const DbvcState *state)
{
	List *path = NIL;
	ListCell *lc;

	while (!list_member_ptr(path, state->id))
	{
		path = lappend(path, state->id);
		foreach (lc, state->required)
		{
			const DbvcState *required = lfirst(lc);

			if (required->circular)
			{
				state = required;
				break;
			}
		}
	}
	while (linitial(path) != state->id)
		path = list_delete_first(path);
	ereport(ERROR,
			(errcode(ERRCODE_DBVC_CYCLE),
			 errmsg("migrations require each other in a circle"),
			 errdetail("The circle is %s.", dbvc_join_names(path)),
			 errhint("Register one of them again without the requirement.")));
}

void
dbvc_check_place(const DbvcState *state)
{
	if (state->missing != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_MISSING_REQUIRED),
				 errmsg("migration \"%s\" requires \"%s\", which is not "
						"registered",
						state->id, state->missing),
				 errhint("Register \"%s\" first, or register \"%s\" without "
						 "requiring it.",
						 state->missing, state->id)));
	if (state->circular)
		report_cycle(state);
}

static List *
make_nodes(List *states)
{
	List *nodes = NIL;
	ListCell *lc;

	foreach (lc, states)
	{
		OrderNode *node = palloc0(sizeof(OrderNode));

		node->state = lfirst(lc);
		nodes = lappend(nodes, node);
	}
	return nodes;
}

/* Take what is free to go, first in order first, until nothing is. */
static List *
place_ready(pairingheap *ready, List *placed)
{
	ListCell *lc;

	while (!pairingheap_is_empty(ready))
	{
		OrderNode *node = (OrderNode *) pairingheap_remove_first(ready);

		node->placed = true;
		placed = lappend(placed, node->state);
		foreach (lc, node->dependents)
		{
			OrderNode *dependent = lfirst(lc);

			if (--dependent->waits_for == 0 && !dependent->placed)
				pairingheap_add(ready, &dependent->heap);
		}
	}
	return placed;
}

List *
dbvc_order(List *states)
{
	pairingheap *ready = pairingheap_allocate(heap_compare, NULL);
	List *nodes = make_nodes(states);
	HTAB *index = index_nodes(nodes);
	List *result;
	ListCell *lc;

	link_requirements(nodes, index);
	foreach (lc, nodes)
	{
		OrderNode *node = lfirst(lc);

		if (node->waits_for == 0)
			pairingheap_add(ready, &node->heap);
	}
	result = place_ready(ready, NIL);
	foreach (lc, nodes)
	{
		OrderNode *node = lfirst(lc);

		if (node->placed)
			continue;
		node->state->circular = true;
		result = lappend(result, node->state);
	}
	hash_destroy(index);
	return result;
}
