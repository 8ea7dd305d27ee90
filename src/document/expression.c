/*
 * expression.c
 *		Expressions over a document: do they say the same of a slim one?
 *
 * A slim document differs from the whole one in nothing but the arrays of its
 * parts, which are empty.  So an expression may read anything at a path that
 * leads past all parts.  Of what lies on the way to a part, or is the part, it
 * may know only what the emptiness does not change: whether it is there, of
 * which kind it is and, on the way, which keys it has.
 *
 * Everything that is not known to be harmless counts as harmful.
 */
#include "document/reshape.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

typedef struct Walk
{
	Oid relation;
	AttrNumber document;
	const DbvcParts *parts;
	bool own;	   /* outermost variables are the relation's */
	List *queries; /* around the node, innermost first */
	int found;	   /* DBVC_USES_... */
} Walk;

/* Where a path leads, the worst of all parts. */
typedef enum Place
{
	PLACE_PAST,
	PLACE_ABOVE,
	PLACE_AT,
	PLACE_INSIDE,
} Place;

static bool torn_walker(Node *node, Walk *walk);

/* ------------------------------------------------------------- variables */

/*
 * Is it the relation's column?  Columns of a join are those of its sides,
 * found by walker(); other relations' columns are not ours.
 */
static bool
is_ours(const Var *var, Walk *walk, AttrNumber *number)
{
	const RangeTblEntry *rte;
	const Query *query;

	*number = var->varattno;
	if (var->varlevelsup >= list_length(walk->queries))
		return walk->own && var->varno == 1;
	query = list_nth(walk->queries, var->varlevelsup);
	rte = rt_fetch(var->varno, query->rtable);
	return rte->rtekind == RTE_RELATION && rte->relid == walk->relation;
}

static Node *
joined_column(const Var *var, Walk *walk, List **queries)
{
	const RangeTblEntry *rte;
	const Query *query;

	if (var->varlevelsup >= list_length(walk->queries))
		return NULL;
	*queries = list_copy_tail(walk->queries, var->varlevelsup);
	query = linitial(*queries);
	rte = rt_fetch(var->varno, query->rtable);
	if (rte->rtekind != RTE_JOIN)
		return NULL;
	/* of a whole row of a join, all columns */
	return var->varattno == InvalidAttrNumber
			   ? (Node *) rte->joinaliasvars
			   : list_nth(rte->joinaliasvars, var->varattno - 1);
}

/* Walk what the variable stands for, if it is a join's. */
static bool
walk_joined(const Var *var, Walk *walk, bool (*walker)(Node *, Walk *))
{
	List *queries = walk->queries;
	List *inner = NIL;
	Node *column = joined_column(var, walk, &inner);
	bool found;

	if (column == NULL)
		return false;
	walk->queries = inner;
	found = walker(column, walk);
	walk->queries = queries;
	return found;
}

static bool
walk_query(Query *query, Walk *walk, bool (*walker)(Node *, Walk *))
{
	bool found;

	walk->queries = lcons(query, walk->queries);
	found =
		query_tree_walker(query, walker, walk,
						  QTW_IGNORE_JOINALIASES | QTW_EXAMINE_RTES_BEFORE);
	walk->queries = list_delete_first(walk->queries);
	return found;
}

/* ----------------------------------------------------------------- paths */

static bool
add_constant_key(Node *node, List **keys)
{
	const Const *constant = (const Const *) node;

	if (!IsA(node, Const) || constant->constisnull)
		return false;
	if (constant->consttype == TEXTOID)
		*keys = lappend(*keys, TextDatumGetCString(constant->constvalue));
	else if (constant->consttype == INT4OID)
		*keys = lappend(*keys, NULL); /* an array's element */
	else
		return false;
	return true;
}

static bool
add_constant_path(Node *node, List **keys)
{
	ListCell *lc;

	if (IsA(node, Const) && !((Const *) node)->constisnull &&
		((Const *) node)->consttype == TEXTARRAYOID)
	{
		ArrayType *array = DatumGetArrayTypeP(((Const *) node)->constvalue);

		if (array_contains_nulls(array))
			return false;
		*keys = list_concat(*keys, dbvc_text_array_list(array));
		return true;
	}
	if (!IsA(node, ArrayExpr))
		return false;
	foreach (lc, ((ArrayExpr *) node)->elements)
	{
		if (!add_constant_key(lfirst(lc), keys))
			return false;
	}
	return true;
}

static bool path_of(Node *node, Walk *walk, List **keys);

static bool
subscript_path(SubscriptingRef *ref, Walk *walk, List **keys)
{
	ListCell *lc;

	if (ref->refassgnexpr != NULL || ref->reflowerindexpr != NIL ||
		!path_of((Node *) ref->refexpr, walk, keys))
		return false;
	foreach (lc, ref->refupperindexpr)
	{
		if (lfirst(lc) == NULL || !add_constant_key(lfirst(lc), keys))
			return false;
	}
	return true;
}

static Oid
called_function(Node *node, List **arguments)
{
	if (IsA(node, FuncExpr))
	{
		*arguments = ((FuncExpr *) node)->args;
		return ((FuncExpr *) node)->funcid;
	}
	if (IsA(node, OpExpr))
	{
		*arguments = ((OpExpr *) node)->args;
		return get_opcode(((OpExpr *) node)->opno);
	}
	*arguments = NIL;
	return InvalidOid;
}

/* Is it the document, or what stands in it at a constant path? */
static bool
path_of(Node *node, Walk *walk, List **keys)
{
	AttrNumber number;
	List *arguments;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return is_ours((Var *) node, walk, &number) &&
			   number == walk->document;
	if (IsA(node, RelabelType))
		return path_of((Node *) ((RelabelType *) node)->arg, walk, keys);
	if (IsA(node, SubscriptingRef))
		return subscript_path((SubscriptingRef *) node, walk, keys);
	switch (called_function(node, &arguments))
	{
		case F_JSONB_OBJECT_FIELD:
		case F_JSONB_OBJECT_FIELD_TEXT:
		case F_JSONB_ARRAY_ELEMENT:
		case F_JSONB_ARRAY_ELEMENT_TEXT:
			return path_of(linitial(arguments), walk, keys) &&
				   add_constant_key(lsecond(arguments), keys);
		case F_JSONB_EXTRACT_PATH:
		case F_JSONB_EXTRACT_PATH_TEXT:
			return path_of(linitial(arguments), walk, keys) &&
				   add_constant_path(lsecond(arguments), keys);
		default:
			return false;
	}
}

static Place
place_of_part(const List *keys, const DbvcPart *part)
{
	int i = 0;
	ListCell *lc;

	foreach (lc, keys)
	{
		const char *key = lfirst(lc);

		if (i == part->depth)
			return PLACE_INSIDE;
		/* what has the part in it is an object and has no elements */
		if (key == NULL || strlen(key) != part->keys[i].len ||
			memcmp(key, part->keys[i].text, part->keys[i].len) != 0)
			return PLACE_PAST;
		i++;
	}
	return i == part->depth ? PLACE_AT : PLACE_ABOVE;
}

static Place
place_of(const List *keys, const DbvcParts *parts)
{
	Place worst = PLACE_PAST;

	for (int i = 0; i < parts->count; i++)
		worst = Max(worst, place_of_part(keys, &parts->part[i]));
	return worst;
}

/* -------------------------------------------------------------- the walk */

/* Does a question about the value at a path get another answer? */
static bool
question_torn(Node *argument, Walk *walk, Place worst)
{
	List *keys = NIL;

	if (path_of(argument, walk, &keys))
		return place_of(keys, walk->parts) > worst;
	return torn_walker(argument, walk);
}

static bool
call_torn(Node *node, Walk *walk, bool *known)
{
	List *arguments;

	*known = true;
	switch (called_function(node, &arguments))
	{
		case F_JSONB_TYPEOF:
			return question_torn(linitial(arguments), walk, PLACE_AT);
		case F_JSONB_EXISTS:
		case F_JSONB_EXISTS_ANY:
		case F_JSONB_EXISTS_ALL:
			return question_torn(linitial(arguments), walk, PLACE_ABOVE) ||
				   torn_walker(lsecond(arguments), walk);
		default:
			*known = false;
			return false;
	}
}

static bool
torn_walker(Node *node, Walk *walk)
{
	List *keys = NIL;
	AttrNumber number;
	bool known;
	bool torn;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return walk_query((Query *) node, walk, torn_walker);
	if (IsA(node, RangeTblEntry))
		return false;
	if (path_of(node, walk, &keys))
		return place_of(keys, walk->parts) > PLACE_PAST;
	if (IsA(node, Var))
	{
		if (is_ours((Var *) node, walk, &number))
			return number == InvalidAttrNumber;
		return walk_joined((Var *) node, walk, torn_walker);
	}
	if (IsA(node, NullTest))
		return question_torn((Node *) ((NullTest *) node)->arg, walk,
							 PLACE_AT);
	torn = call_torn(node, walk, &known);
	if (known)
		return torn;
	return expression_tree_walker(node, torn_walker, walk);
}

bool
dbvc_expression_holds(const char *tree, Oid relation, AttrNumber document,
					  const DbvcParts *parts)
{
	Walk walk = {relation, document, parts, true, NIL, 0};

	return !torn_walker(stringToNode(tree), &walk);
}

/* ------------------------------------------------------------------ uses */

static bool
uses_walker(Node *node, Walk *walk)
{
	AttrNumber number;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return walk_query((Query *) node, walk, uses_walker);
	if (IsA(node, RangeTblEntry))
	{
		const RangeTblEntry *rte = (RangeTblEntry *) node;

		if (rte->rtekind == RTE_RELATION && rte->relid == walk->relation &&
			rte->tablesample != NULL)
			walk->found |= DBVC_USES_SAMPLE;
		return false;
	}
	if (IsA(node, Var))
	{
		if (is_ours((Var *) node, walk, &number))
		{
			if (number == InvalidAttrNumber)
				walk->found |= DBVC_USES_WHOLE_ROW;
			else if (number == walk->document)
				walk->found |= DBVC_USES_DOCUMENT;
			else if (number < 0)
				walk->found |= DBVC_USES_SYSTEM_COLUMN;
			return false;
		}
		return walk_joined((Var *) node, walk, uses_walker);
	}
	return expression_tree_walker(node, uses_walker, walk);
}

int
dbvc_expression_uses(const char *tree, Oid relation, AttrNumber document)
{
	Walk walk = {relation, document, NULL, false, NIL, 0};

	if (tree != NULL)
		(void) uses_walker(stringToNode(tree), &walk);
	return walk.found;
}
