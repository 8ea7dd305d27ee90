/*
 * copy.c
 *		COPY ... FROM stdin, fed from the script.
 *
 * The server's own COPY reads from a client or a file; for any other source
 * it offers a callback.  What DoCopy() would check before (privileges, row
 * security, read-only transactions) is checked here in the same order.
 */
#include "migration/migration.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "commands/copy.h"
#include "commands/defrem.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_clause.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "tcop/utility.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/* The callback has no argument: one COPY at a time, saved and restored. */
static const char *copy_data = NULL;
static int copy_left = 0;

static int
read_script_data(void *outbuf, int minread, int maxread)
{
	int count = Min(copy_left, maxread);

	memcpy(outbuf, copy_data, count);
	copy_data += count;
	copy_left -= count;
	return count;
}

/*
 * The script is in the database's encoding already, whatever the client's
 * encoding or the statement says.
 */
static List *
options_in_database_encoding(List *options)
{
	List *result = NIL;
	ListCell *lc;

	foreach (lc, options)
	{
		if (strcmp(((DefElem *) lfirst(lc))->defname, "encoding") != 0)
			result = lappend(result, lfirst(lc));
	}
	return lappend(result, makeDefElem("encoding",
									   (Node *) makeString(
										   pstrdup(GetDatabaseEncodingName())),
									   -1));
}

/* WHERE of COPY, as DoCopy() prepares it for the executor. */
static Node *
transform_where(ParseState *pstate, ParseNamespaceItem *nsitem, Node *where)
{
	if (where == NULL)
		return NULL;
	addNSItemToQuery(pstate, nsitem, false, true, true);
	where = transformExpr(pstate, where, EXPR_KIND_COPY_WHERE);
	where = coerce_to_boolean(pstate, where, "WHERE");
	assign_expr_collations(pstate, where);
	where = eval_const_expressions(NULL, where);
	where = (Node *) canonicalize_qual((Expr *) where, false);
	return (Node *) make_ands_implicit((Expr *) where);
}

static void
check_rights(ParseState *pstate, ParseNamespaceItem *nsitem, Relation rel,
			 CopyStmt *stmt)
{
	Bitmapset *columns = NULL;
	ListCell *lc;

	foreach (lc, CopyGetAttnums(RelationGetDescr(rel), rel, stmt->attlist))
		columns =
			bms_add_member(columns, lfirst_int(lc) -
										FirstLowInvalidHeapAttributeNumber);
	dbvc_check_copy_rights(pstate, nsitem, columns);
	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, false) ==
		RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("COPY FROM not supported with row-level security"),
				 errhint("Use INSERT statements instead.")));
	if (XactReadOnly && !rel->rd_islocaltemp)
		PreventCommandIfReadOnly("COPY FROM");
}

void
dbvc_copy_from_script(CopyStmt *stmt, const char *source, const char *data,
					  int len)
{
	const char *volatile saved_data = copy_data;
	volatile int saved_left = copy_left;
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *nsitem;
	Relation rel;
	Node *where;

	/* a portal would do this: COPY must see what the script did before */
	PushActiveSnapshot(GetTransactionSnapshot());
	pstate->p_sourcetext = source;
	rel = table_openrv(stmt->relation, RowExclusiveLock);
	nsitem = addRangeTableEntryForRelation(pstate, rel, RowExclusiveLock, NULL,
										   false, false);
	where = transform_where(pstate, nsitem, stmt->whereClause);
	check_rights(pstate, nsitem, rel, stmt);

	PG_TRY();
	{
		CopyFromState state;

		copy_data = data;
		copy_left = len;
		state = BeginCopyFrom(pstate, rel, where, NULL, false,
							  read_script_data, stmt->attlist,
							  options_in_database_encoding(stmt->options));
		(void) CopyFrom(state);
		EndCopyFrom(state);
	}
	PG_FINALLY();
	{
		copy_data = saved_data;
		copy_left = saved_left;
	}
	PG_END_TRY();
	PopActiveSnapshot();
	table_close(rel, NoLock);
	free_parsestate(pstate);
}
