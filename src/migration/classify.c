/*
 * classify.c
 *		What a statement may do, from its parse tree.
 *
 * The list of what cannot run in a transaction block follows the calls of
 * PreventInTransactionBlock() in the server.  Where that depends on the
 * catalogs (REINDEX of a partitioned table), the statement counts as one of
 * them: at top level it runs either way.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "commands/vacuum.h"
#include "utils/lsyscache.h"

bool
dbvc_is_plain_begin(Node *node)
{
	TransactionStmt *stmt = (TransactionStmt *) node;

	return IsA(node, TransactionStmt) &&
		   (stmt->kind == TRANS_STMT_BEGIN ||
			stmt->kind == TRANS_STMT_START) &&
		   stmt->options == NIL;
}

bool
dbvc_is_plain_commit(Node *node)
{
	TransactionStmt *stmt = (TransactionStmt *) node;

	return IsA(node, TransactionStmt) && stmt->kind == TRANS_STMT_COMMIT &&
		   !stmt->chain;
}

/* Boolean option of a statement; its last mention counts. */
static bool
option_set(List *options, const char *name, bool if_absent)
{
	bool value = if_absent;
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *option = lfirst(lc);

		if (strcmp(option->defname, name) == 0)
			value = defGetBoolean(option);
	}
	return value;
}

static bool
has_option(List *options, const char *name)
{
	ListCell *lc;

	foreach (lc, options)
	{
		if (strcmp(((DefElem *) lfirst(lc))->defname, name) == 0)
			return true;
	}
	return false;
}

/* Partitioned, as far as the catalogs can tell now. */
static bool
is_partitioned(RangeVar *relation)
{
	Oid relid;
	char kind;

	if (relation == NULL || !IsTransactionState())
		return false;
	relid = RangeVarGetRelid(relation, NoLock, true);
	kind = OidIsValid(relid) ? get_rel_relkind(relid) : '\0';
	return kind == RELKIND_PARTITIONED_TABLE ||
		   kind == RELKIND_PARTITIONED_INDEX;
}

static bool
reindex_needs_toplevel(ReindexStmt *stmt)
{
	if (stmt->kind != REINDEX_OBJECT_INDEX &&
		stmt->kind != REINDEX_OBJECT_TABLE)
		return true;
	return option_set(stmt->params, "concurrently", false) ||
		   is_partitioned(stmt->relation);
}

static bool
alter_table_needs_toplevel(AlterTableStmt *stmt)
{
	ListCell *lc;

	foreach (lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_DetachPartition &&
			castNode(PartitionCmd, cmd->def)->concurrent)
			return true;
	}
	return false;
}

static bool
subscription_needs_toplevel(Node *node)
{
	if (IsA(node, CreateSubscriptionStmt))
	{
		List *options = ((CreateSubscriptionStmt *) node)->options;

		return option_set(options, "connect", true) &&
			   option_set(options, "create_slot", true);
	}
	if (IsA(node, AlterSubscriptionStmt))
	{
		AlterSubscriptionStmt *stmt = (AlterSubscriptionStmt *) node;

		/* of the option lists, only these two work on the publisher */
		if (stmt->kind == ALTER_SUBSCRIPTION_OPTIONS)
			return has_option(stmt->options, "failover") ||
				   has_option(stmt->options, "two_phase");
		if (stmt->kind == ALTER_SUBSCRIPTION_CONNECTION ||
			stmt->kind == ALTER_SUBSCRIPTION_ENABLED ||
			stmt->kind == ALTER_SUBSCRIPTION_SKIP)
			return false;
		return option_set(stmt->options, "refresh", true);
	}
	return IsA(node, DropSubscriptionStmt);
}

/* CLUSTER, from 19 on REPACK: without a table, or of a partitioned one. */
static bool
cluster_needs_toplevel(Node *node)
{
	return dbvc_cluster_relation(node) == NULL ||
		   dbvc_cluster_concurrently(node) ||
		   is_partitioned(dbvc_cluster_relation(node));
}

bool
dbvc_needs_toplevel(Node *node)
{
	switch (nodeTag(node))
	{
		case T_IndexStmt:
			return ((IndexStmt *) node)->concurrent;
		case T_DropStmt:
			return ((DropStmt *) node)->concurrent;
		case T_ReindexStmt:
			return reindex_needs_toplevel((ReindexStmt *) node);
		case T_AlterTableStmt:
			return alter_table_needs_toplevel((AlterTableStmt *) node);
		case T_VacuumStmt:
			return ((VacuumStmt *) node)->is_vacuumcmd;
		case T_AlterDatabaseStmt:
			return has_option(((AlterDatabaseStmt *) node)->options,
							  "tablespace");
		case DBVC_CLUSTER_TAG:
			return cluster_needs_toplevel(node);
		case T_CreateSubscriptionStmt:
		case T_AlterSubscriptionStmt:
		case T_DropSubscriptionStmt:
			return subscription_needs_toplevel(node);
		case T_AlterSystemStmt:
		case T_CreatedbStmt:
		case T_DropdbStmt:
		case T_CreateTableSpaceStmt:
		case T_DropTableSpaceStmt:
			return true;
		default:
			return false;
	}
}

static void
refuse_binary(CopyStmt *stmt)
{
	ListCell *lc;

	foreach (lc, stmt->options)
	{
		DefElem *option = lfirst(lc);

		if (strcmp(option->defname, "format") == 0 &&
			strcmp(defGetString(option), "binary") == 0)
			ereport(ERROR, (errcode(ERRCODE_DBVC_INVALID_SCRIPT),
							errmsg("binary COPY data in a script")));
	}
}

static void
classify_copy(DbvcStatement *statement, CopyStmt *stmt)
{
	if (stmt->filename != NULL)
		return;
	if (!stmt->is_from)
		ereport(ERROR, (errcode(ERRCODE_DBVC_INVALID_SCRIPT),
						errmsg("COPY TO stdout in a script"),
						errhint("A script has nowhere to send data.")));
	refuse_binary(stmt);
	statement->kind = DBVC_STATEMENT_COPY;
}

/* The record of the run could not be written: better said before. */
static void
refuse_own_removal(DropStmt *stmt)
{
	ListCell *lc;

	if (stmt->removeType != OBJECT_EXTENSION &&
		stmt->removeType != OBJECT_SCHEMA)
		return;
	foreach (lc, stmt->objects)
	{
		if (strcmp(strVal(lfirst(lc)), "dbvc") == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DBVC_INVALID_SCRIPT),
					 errmsg("DROP %s dbvc in a script",
							stmt->removeType == OBJECT_SCHEMA ? "SCHEMA"
															  : "EXTENSION"),
					 errhint("It would erase the history it is to be "
							 "recorded in.")));
	}
}

/* The constant itself, without the cast the grammar puts on true and false. */
static A_Const *
constant(Node *node)
{
	if (IsA(node, TypeCast))
		node = ((TypeCast *) node)->arg;
	return IsA(node, A_Const) ? (A_Const *) node : NULL;
}

/*
 * SELECT set_config(...) of constants, as pg_dump writes it, is a SET in
 * disguise.  Nothing else may be: it is executed again for later steps.
 */
static bool
calls_set_config(SelectStmt *stmt)
{
	FuncCall *call;
	A_Const *is_local;
	ListCell *lc;

	if (list_length(stmt->targetList) != 1 || stmt->fromClause != NIL ||
		stmt->whereClause != NULL || stmt->withClause != NULL ||
		stmt->sortClause != NIL || stmt->limitCount != NULL ||
		stmt->limitOffset != NULL || stmt->intoClause != NULL)
		return false;
	call = (FuncCall *) linitial_node(ResTarget, stmt->targetList)->val;
	if (call == NULL || !IsA(call, FuncCall) || list_length(call->args) != 3 ||
		strcmp(strVal(llast(call->funcname)), "set_config") != 0)
		return false;
	if (list_length(call->funcname) > 1 &&
		strcmp(strVal(linitial(call->funcname)), "pg_catalog") != 0)
		return false;
	foreach (lc, call->args)
	{
		if (constant(lfirst(lc)) == NULL)
			return false;
	}
	is_local = constant(lthird(call->args));
	return !(IsA(&is_local->val, Boolean) && boolVal(&is_local->val));
}

void
dbvc_classify(DbvcScript *script, DbvcStatement *statement, Node *node)
{
	statement->kind = DBVC_STATEMENT_PLAIN;
	switch (nodeTag(node))
	{
		case T_CopyStmt:
			classify_copy(statement, (CopyStmt *) node);
			break;
		case T_DropStmt:
			refuse_own_removal((DropStmt *) node);
			break;
		case T_DeclareCursorStmt:
			if (((DeclareCursorStmt *) node)->options & CURSOR_OPT_HOLD)
				ereport(ERROR,
						(errcode(ERRCODE_DBVC_INVALID_SCRIPT),
						 errmsg("DECLARE ... WITH HOLD in a script"),
						 errhint("Nobody could fetch from the cursor.")));
			break;
		case T_DiscardStmt:
			if (((DiscardStmt *) node)->target == DISCARD_ALL)
				ereport(ERROR,
						(errcode(ERRCODE_DBVC_INVALID_SCRIPT),
						 errmsg("DISCARD ALL in a script"),
						 errhint("Settings made by a script end with it.")));
			break;
		case T_VariableSetStmt:
			statement->is_setting = !((VariableSetStmt *) node)->is_local;
			break;
		case T_SelectStmt:
			statement->is_setting = calls_set_config((SelectStmt *) node);
			break;
		case T_CallStmt:
		case T_DoStmt:
			statement->commits = true;
			break;
		default:
			break;
	}
	if (dbvc_needs_toplevel(node))
	{
		statement->kind = DBVC_STATEMENT_TOPLEVEL;
		script->needs_steps = true;
	}
}
