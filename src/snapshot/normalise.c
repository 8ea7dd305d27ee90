/*
 * normalise.c
 *		Trees as they would be read back from their own text.
 *
 * A dump writes an expression as text and a restore reads it.  For most trees
 * that gives the same tree again, but not for all: the text of the new tree
 * then differs from that of the old one, though nobody has changed anything.
 * What is known to do that is turned here into what the parser would make.
 *
 * - A cast of an ARRAY[...] is pushed into its elements by the parser, while
 *   IN over a varchar column casts the array as a whole.
 * - a AND b AND c is one expression of three, unless a is a BETWEEN, whose AND
 *   nests; and so with OR.
 * - Columns of a query inside an expression have names that its text leaves
 *   out when they are "?column?", while the parser finds names for casts.
 * - An outer join without a condition is written with one that is true.
 *
 * The same walk finds constants whose text holds names that no dependency
 * tells of.
 */
#include "snapshot/relation.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"

typedef struct Walk
{
	bool unstable;
	bool to_do; /* something is not as the parser would make it */
} Walk;

/* ---------------------------------------------------------- the first look */

static bool
is_name_type(Oid type)
{
	switch (type)
	{
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGCLASSOID:
		case REGTYPEOID:
		case REGCONFIGOID:
		case REGDICTIONARYOID:
		case REGNAMESPACEOID:
		case REGROLEOID:
		case REGCOLLATIONOID:
			return true;
		default:
			return false;
	}
}

/*
 * May the constant's text change though no object that pg_depend knows it to
 * depend on does?  A constant of a type like regclass depends on what it
 * names, but not one that has such inside.
 */
static bool
is_unstable(const Const *constant)
{
	Oid type = constant->consttype;
	Oid element;

	if (constant->constisnull)
		return false;
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT8OID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case UUIDOID:
		case JSONBOID:
		case TEXTARRAYOID:
			return false; /* most are: no need to look the type up */
		default:
			break;
	}
	if (is_name_type(type))
		return false;
	type = getBaseType(type);
	element = get_element_type(type);
	if (OidIsValid(element))
		type = getBaseType(element);
	return is_name_type(type) || type_is_rowtype(type) ||
		   (type >= FirstNormalObjectId &&
			(type_is_range(type) || type_is_multirange(type)));
}

/* The parser adds to a list of conditions that stands on the left. */
static bool
nests(const BoolExpr *expr)
{
	BoolExpr *first = linitial(expr->args);

	return expr->boolop != NOT_EXPR && IsA(first, BoolExpr) &&
		   first->boolop == expr->boolop;
}

static bool
is_cast_of_elements(const Node *node)
{
	const ArrayCoerceExpr *cast = (const ArrayCoerceExpr *) node;

	return IsA(node, ArrayCoerceExpr) && IsA(cast->arg, ArrayExpr) &&
		   ((ArrayExpr *) cast->arg)->elements != NIL;
}

static bool
look(Node *node, void *arg)
{
	Walk *walk = arg;

	if (node == NULL)
		return false;
	if (IsA(node, Const))
		walk->unstable |= is_unstable((Const *) node);
	else if (IsA(node, Query))
	{
		walk->to_do = true;
		return query_tree_walker((Query *) node, look, walk, 0);
	}
	else if (IsA(node, BoolExpr))
		walk->to_do |= nests((BoolExpr *) node);
	else
		walk->to_do |= is_cast_of_elements(node);
	return expression_tree_walker(node, look, walk);
}

/* --------------------------------------------------------- casts of arrays */

/* copyObjectImpl(), because copyObject() of 19 wants a newer C than ours. */
static Node *
put_element(Node *node, void *arg)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, CaseTestExpr))
		return copyObjectImpl(arg);
	if (IsA(node, ArrayCoerceExpr))
	{
		/* has a place for elements of its own */
		ArrayCoerceExpr *cast = copyObjectImpl(node);

		cast->arg = (Expr *) put_element((Node *) cast->arg, arg);
		return (Node *) cast;
	}
	return expression_tree_mutator(node, put_element, arg);
}

/* A cast that is seen, because an array shows those of its elements, is an
 * explicit one when it is read back. */
static Node *
as_written(Node *node)
{
	switch (nodeTag(node))
	{
		case T_FuncExpr:
			if (((FuncExpr *) node)->funcformat == COERCE_IMPLICIT_CAST)
				((FuncExpr *) node)->funcformat = COERCE_EXPLICIT_CAST;
			break;
		case T_RelabelType:
			((RelabelType *) node)->relabelformat = COERCE_EXPLICIT_CAST;
			break;
		case T_CoerceViaIO:
			((CoerceViaIO *) node)->coerceformat = COERCE_EXPLICIT_CAST;
			break;
		case T_ArrayCoerceExpr:
			((ArrayCoerceExpr *) node)->coerceformat = COERCE_EXPLICIT_CAST;
			break;
		case T_ConvertRowtypeExpr:
			((ConvertRowtypeExpr *) node)->convertformat =
				COERCE_EXPLICIT_CAST;
			break;
		case T_CoerceToDomain:
			((CoerceToDomain *) node)->coercionformat = COERCE_EXPLICIT_CAST;
			break;
		default:
			break;
	}
	return node;
}

/* (ARRAY[a, b])::type[] as ARRAY[a::type, b::type] */
static Node *
cast_elements(const ArrayCoerceExpr *cast)
{
	ArrayExpr *array = copyObjectImpl(cast->arg);
	ListCell *cell;

	array->array_typeid = cast->resulttype;
	array->array_collid = cast->resultcollid;
	foreach (cell, array->elements)
	{
		Node *element = as_written(lfirst(cell));

		if (array->multidims)
		{
			ArrayCoerceExpr *inner = copyObjectImpl(cast);

			inner->arg = (Expr *) element;
			lfirst(cell) = is_cast_of_elements((Node *) inner)
							   ? cast_elements(inner)
							   : (Node *) inner;
		}
		else
			lfirst(cell) =
				as_written(put_element((Node *) cast->elemexpr, element));
	}
	return (Node *) array;
}

/* -------------------------------------------------------- AND, OR, queries */

static Node *
flatten(BoolExpr *expr)
{
	BoolExpr *first = linitial(expr->args);

	expr->args =
		list_concat(list_copy(first->args), list_copy_tail(expr->args, 1));
	return (Node *) expr;
}

static void
forget_names(Query *query)
{
	ListCell *cell;

	foreach (cell, query->targetList)
		((TargetEntry *) lfirst(cell))->resname = NULL;
}

/* Names of the columns of a set operation's queries but the first. */
static void
forget_names_of_arms(Query *query, Node *node, bool first)
{
	if (node == NULL)
		return;
	if (IsA(node, SetOperationStmt))
	{
		forget_names_of_arms(query, ((SetOperationStmt *) node)->larg, first);
		forget_names_of_arms(query, ((SetOperationStmt *) node)->rarg, false);
	}
	else if (IsA(node, RangeTblRef) && !first)
	{
		RangeTblEntry *rte =
			list_nth(query->rtable, ((RangeTblRef *) node)->rtindex - 1);

		if (rte->subquery != NULL)
			forget_names(rte->subquery);
	}
}

/* LEFT JOIN without a condition, as NATURAL makes it, is written ON TRUE. */
static void
forget_true(JoinExpr *join)
{
	Const *condition = (Const *) join->quals;

	if (join->jointype != JOIN_INNER && condition != NULL &&
		IsA(condition, Const) && condition->consttype == BOOLOID &&
		!condition->constisnull && DatumGetBool(condition->constvalue))
		join->quals = NULL;
}

static Node *
rebuild(Node *node, void *arg)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Query))
	{
		Query *query = query_tree_mutator((Query *) node, rebuild, arg, 0);

		forget_names_of_arms(query, query->setOperations, true);
		return (Node *) query;
	}
	node = expression_tree_mutator(node, rebuild, arg);
	if (IsA(node, BoolExpr) && nests((BoolExpr *) node))
		return flatten((BoolExpr *) node);
	if (IsA(node, JoinExpr))
		forget_true((JoinExpr *) node);
	if (is_cast_of_elements(node))
		return cast_elements((ArrayCoerceExpr *) node);
	if (IsA(node, SubLink) && IsA(((SubLink *) node)->subselect, Query))
	{
		Query *query = (Query *) ((SubLink *) node)->subselect;

		if (query->setOperations != NULL)
			forget_names_of_arms(query, query->setOperations, false);
		forget_names(query);
	}
	return node;
}

Node *
dbvc_normalise(Node *node, bool *unstable)
{
	Walk walk = {false, false};

	(void) look(node, &walk);
	*unstable |= walk.unstable;
	return walk.to_do ? rebuild(node, NULL) : node;
}
