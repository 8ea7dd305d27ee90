/*
 * deparse.c
 *		Stored expressions and queries as text.
 *
 * The server's own deparser writes them.  It wants to know what the variables
 * stand for; deparse_context_for() would open the relation for that, which
 * takes a lock and fills the relation cache, for each of some ten thousand
 * tables.  A context like that of a plan, though, takes names from where it
 * is told them, so a range table is made up that has only the columns' names.
 * Its entry becomes one of a relation again as soon as they are taken, because
 * system columns are looked up there.
 *
 * Queries have range tables of their own, whose relations the deparser locks
 * and opens.  Where deparse_query.c cannot avoid it, that is done in a
 * subtransaction which is rolled back, so that the locks do not pile up.
 */
#include "snapshot/relation.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"

/* The contexts that were made last. */
typedef struct Memo
{
	DbvcCatalog *catalog; /* whose names are in it, or NULL */
	MemoryContext memory;
	Oid relation; /* of single and pair, InvalidOid: of neither */
	List *single;
	List *pair;
} Memo;

static Memo memo;

/* The catalog is gone, and with it all that hung on it. */
static void
forget_memo(void *arg)
{
	if (memo.catalog == arg)
		memset(&memo, 0, sizeof(memo));
}

static void
take_memo(DbvcCatalog *catalog, Oid relation)
{
	MemoryContext parent = dbvc_catalog_context(catalog);

	if (memo.catalog != catalog)
	{
		MemoryContextCallback *callback =
			MemoryContextAllocZero(parent, sizeof(MemoryContextCallback));

		memset(&memo, 0, sizeof(memo));
		memo.memory = AllocSetContextCreate(parent, "dbvc deparse",
											ALLOCSET_SMALL_SIZES);
		memo.catalog = catalog;
		callback->func = forget_memo;
		callback->arg = catalog;
		MemoryContextRegisterResetCallback(parent, callback);
	}
	else if (memo.relation == relation)
		return;
	memo.relation = InvalidOid; /* not half, if there is an error */
	memo.single = NIL;
	memo.pair = NIL;
	MemoryContextReset(memo.memory);
	memo.relation = relation;
}

/* ---------------------------------------------------------------- contexts */

static RangeTblEntry *
make_entry(const char *alias, const char **columns, int count)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	List *names = NIL;

	for (int i = 0; i < count; i++)
		names = lappend(names, makeString(unconstify(char *, columns[i])));
	rte->rtekind = RTE_VALUES;
	rte->eref = makeAlias(alias, names);
	rte->inFromCl = true;
	return rte;
}

/* For expressions in which one relation goes by these names. */
static List *
make_context(DbvcCatalog *catalog, Oid relation, List *aliases)
{
	MemoryContext old = MemoryContextSwitchTo(memo.memory);
	PlannedStmt *plan = makeNode(PlannedStmt);
	int count = 0;
	const char **columns = dbvc_column_names(catalog, relation, &count);
	ListCell *cell;
	List *context;

	aliases = list_copy(aliases);
	foreach (cell, aliases)
	{
		lfirst(cell) = pstrdup(lfirst(cell));
		plan->rtable =
			lappend(plan->rtable, make_entry(lfirst(cell), columns, count));
	}
	context = deparse_context_for_plan_tree(plan, aliases);
	foreach (cell, plan->rtable)
	{
		RangeTblEntry *rte = lfirst(cell);

		rte->rtekind = RTE_RELATION;
		rte->relid = relation;
	}
	MemoryContextSwitchTo(old);
	return context;
}

static const char *
bare_name(DbvcCatalog *catalog, Oid relation)
{
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, relation);

	return row ? NameStr(dbvc_form(row, pg_class)->relname) : "?";
}

static List *
single_context(DbvcCatalog *catalog, Oid relation)
{
	if (!OidIsValid(relation))
		return NIL;
	take_memo(catalog, relation);
	if (memo.single == NIL)
		memo.single =
			make_context(catalog, relation,
						 list_make1((void *) bare_name(catalog, relation)));
	return memo.single;
}

static List *
pair_context(DbvcCatalog *catalog, Oid relation)
{
	take_memo(catalog, relation);
	if (memo.pair == NIL)
		memo.pair = make_context(catalog, relation, list_make2("old", "new"));
	return memo.pair;
}

/* ------------------------------------------------------------------- texts */

Node *
dbvc_read_tree(const char *tree, bool *unstable)
{
	return dbvc_normalise(stringToNode(tree), unstable);
}

typedef struct Print
{
	Node *node;
	List *context;
	bool prefix;
	MemoryContext memory; /* for the text */
	char *text;
} Print;

static void
print_expression(void *arg)
{
	Print *print = arg;

	print->text =
		deparse_expression(print->node, print->context, print->prefix, false);
}

static void
print_query(void *arg)
{
	Print *print = arg;

	print->text = pg_get_querydef((Query *) print->node, false);
}

/*
 * Do what locks relations; the locks do not stay.  Who waits for nothing else
 * shall not wait for ever: an open transaction with a lock would keep everybody
 * from taking a snapshot.
 */
static void
print_and_unlock(void (*work)(void *arg), Print *print)
{
	int level = NewGUCNestLevel();
	ErrorData *error;

	if (LockTimeout == 0)
		(void) set_config_option("lock_timeout", "10s", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
								 false);
	error = dbvc_subtransaction(work, print, false);
	AtEOXact_GUC(false, level);

	if (error != NULL)
		ReThrowError(error);
}

static bool
has_query(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	return IsA(node, Query) || expression_tree_walker(node, has_query, arg);
}

static char *
print_over(Node *node, List *context, bool prefix)
{
	Print print = {node, context, prefix};

	if (has_query(node, NULL))
		print_and_unlock(print_expression, &print);
	else
		print_expression(&print);
	return print.text;
}

char *
dbvc_print_expression(DbvcCatalog *catalog, Node *node, Oid relation)
{
	return print_over(node, single_context(catalog, relation), false);
}

char *
dbvc_deparse_expression(DbvcCatalog *catalog, const char *tree, Oid relation,
						bool *unstable)
{
	return tree == NULL
			   ? NULL
			   : dbvc_print_expression(catalog, dbvc_read_tree(tree, unstable),
									   relation);
}

List *
dbvc_deparse_expressions(DbvcCatalog *catalog, const char *tree, Oid relation,
						 bool *unstable)
{
	Node *node;
	List *texts = NIL;
	ListCell *cell;

	if (tree == NULL)
		return NIL;
	node = dbvc_read_tree(tree, unstable);
	if (node != NULL && !IsA(node, List))
		return list_make1(dbvc_print_expression(catalog, node, relation));
	foreach (cell, (List *) node)
		texts = lappend(texts, dbvc_print_expression(catalog, lfirst(cell),
													 relation));
	return texts;
}

char *
dbvc_deparse_old_new(DbvcCatalog *catalog, const char *tree, Oid relation,
					 bool *unstable)
{
	Node *node;

	if (tree == NULL)
		return NULL;
	node = dbvc_read_tree(tree, unstable);
	return node == NULL
			   ? NULL
			   : print_over(node, pair_context(catalog, relation), true);
}

/* ----------------------------------------------------------------- queries */

/* The columns of the result go by these names whatever the query calls them. */
static void
name_columns(Query *query, const char **columns, int count)
{
	ListCell *cell;
	int n = 0;
	Node *arm = query->setOperations;

	foreach (cell, query->targetList)
	{
		TargetEntry *entry = lfirst(cell);

		if (!entry->resjunk && n < count)
			entry->resname = unconstify(char *, columns[n++]);
	}
	if (arm == NULL)
		return;
	while (IsA(arm, SetOperationStmt))
		arm = ((SetOperationStmt *) arm)->larg;
	if (IsA(arm, RangeTblRef))
	{
		RangeTblEntry *rte =
			list_nth(query->rtable, ((RangeTblRef *) arm)->rtindex - 1);

		if (rte->subquery != NULL)
			name_columns(rte->subquery, columns, count);
	}
}

/* Queries may stand in lists of lists. */
static List *
print_queries(DbvcCatalog *catalog, List *texts, Node *node,
			  const char **columns, int column_count)
{
	ListCell *cell;
	Print print = {node};

	if (node == NULL)
		return texts;
	if (IsA(node, List))
	{
		foreach (cell, (List *) node)
			texts = print_queries(catalog, texts, lfirst(cell), columns,
								  column_count);
		return texts;
	}
	if (columns != NULL)
		name_columns((Query *) node, columns, column_count);
	print.text = dbvc_print_reading(catalog, (Query *) node);
	if (print.text == NULL)
		print_and_unlock(print_query, &print);
	return lappend(texts, print.text + strspn(print.text, " \n"));
}

List *
dbvc_deparse_queries(DbvcCatalog *catalog, const char *tree,
					 const char **columns, int column_count, bool *unstable)
{
	if (tree == NULL)
		return NIL;
	return print_queries(catalog, NIL, dbvc_read_tree(tree, unstable), columns,
						 column_count);
}
