/*
 * worker_step.c
 *		One step in the worker, and what such steps leave behind.
 *
 * Statements that commit on their own way are not undone when they fail, and
 * may have finished when nobody was left to record it.  So an index that a
 * failed build left invalid is dropped or named, an index that IF NOT EXISTS
 * skips is looked at, and after an interruption the catalogs are asked what
 * had been done.
 */
#include "migration/migration.h"

#include "catalog/namespace.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parser.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static Node *
parse_statement(const DbvcRun *run, int number)
{
	List *raw = raw_parser(dbvc_statement_text(run->script, number),
						   RAW_PARSE_DEFAULT);

	return linitial_node(RawStmt, raw)->stmt;
}

/* The index that CREATE INDEX CONCURRENTLY names, as the catalogs have it. */
typedef struct IndexLookup
{
	DbvcRun *run;
	int number;
	char *name; /* qualified and quoted; NULL: none named, or not there */
	bool valid;
	bool same; /* on the statement's table, and of the same kind */
	bool busy; /* another session is at work on the table */
} IndexLookup;

static char *
access_method(Oid index)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
	Oid am;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for index %u", index);
	am = ((Form_pg_class) GETSTRUCT(tuple))->relam;
	ReleaseSysCache(tuple);
	return get_am_name(am);
}

static void
compare_index(IndexLookup *lookup, const IndexStmt *stmt, Oid table, Oid index)
{
	HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;

	if (!HeapTupleIsValid(tuple))
		return; /* a relation of that name, but no index */
	form = (Form_pg_index) GETSTRUCT(tuple);
	lookup->name = quote_qualified_identifier(get_namespace_name(
												  get_rel_namespace(index)),
											  get_rel_name(index));
	lookup->valid = form->indisvalid;
	lookup->same = form->indrelid == table &&
				   form->indisunique == stmt->unique &&
				   form->indnkeyatts == list_length(stmt->indexParams) &&
				   form->indnatts - form->indnkeyatts ==
					   list_length(stmt->indexIncludingParams) &&
				   strcmp(access_method(index), stmt->accessMethod) == 0;
	lookup->busy =
		!ConditionalLockRelationOid(table, ShareUpdateExclusiveLock);
	ReleaseSysCache(tuple);
}

/* With the script's settings (search_path) in force for the lookup only. */
static void
look_up_index(void *arg)
{
	IndexLookup *lookup = arg;
	IndexStmt *stmt =
		(IndexStmt *) parse_statement(lookup->run, lookup->number);
	int guc_level = NewGUCNestLevel();
	Oid userid;
	int sec_context;
	Oid table;
	Oid index;

	if (!IsA(stmt, IndexStmt) || !stmt->concurrent || stmt->idxname == NULL)
		return;
	dbvc_script_user(&userid, &sec_context);
	dbvc_script_replay_settings(lookup->run->script, lookup->number);
	table = RangeVarGetRelid(stmt->relation, NoLock, true);
	SetUserIdAndSecContext(userid, sec_context);
	AtEOXact_GUC(false, guc_level);
	if (!OidIsValid(table))
		return;
	index = get_relname_relid(stmt->idxname, get_rel_namespace(table));
	if (OidIsValid(index))
		compare_index(lookup, stmt, table, index);
}

/* Keeps nothing, not even the lock it tries. */
static IndexLookup
find_index(DbvcRun *run, int number)
{
	IndexLookup lookup = {.run = run, .number = number};

	(void) dbvc_subtransaction(look_up_index, &lookup, false);
	return lookup;
}

/* Names of all indexes that are not valid, as a List. */
static List *
invalid_indexes(void)
{
	static DbvcQuery query = {
		"SELECT format('%I.%I', n.nspname, c.relname) FROM pg_index i "
		"JOIN pg_class c ON c.oid = i.indexrelid "
		"JOIN pg_namespace n ON n.oid = c.relnamespace "
		"WHERE NOT i.indisvalid AND c.relkind = 'i' ORDER BY 1",
		0,
		{0}};
	DbvcOwnerScope owner;
	List *names;

	dbvc_owner_enter(&owner);
	names = dbvc_query_texts(&query);
	dbvc_owner_leave(&owner);
	return names;
}

static ErrorData *
drop_index(DbvcRun *run, int number, const char *name)
{
	return dbvc_toplevel_execute(run->script, number,
								 psprintf("DROP INDEX CONCURRENTLY %s", name));
}

static void
add_detail(ErrorData *error, char *detail)
{
	if (error->detail != NULL)
		detail = psprintf("%s %s", error->detail, detail);
	error->detail = detail;
}

/*
 * A failed build leaves an index that costs every write, and a unique one
 * that even refuses rows.  Drop what this statement has built; name the rest
 * (REINDEX, an index without a name), which may be somebody else's.
 */
static void
clean_up_indexes(DbvcRun *run, int number, bool was_there, const List *before)
{
	IndexLookup index = find_index(run, number);
	bool ours = index.name != NULL && index.same && !index.valid &&
				!index.busy && !was_there;
	ListCell *lc;

	foreach (lc, invalid_indexes())
	{
		char *name = lfirst(lc);
		const char *what =
			"is invalid now; unless another session is building "
			"it, drop it by hand";

		if (dbvc_is_among(name, before))
			continue;
		if (ours && strcmp(name, index.name) == 0)
		{
			if (run->error->sqlerrcode == ERRCODE_QUERY_CANCELED)
				what = "was left invalid and is still there; it is dropped "
					   "when the migration runs again";
			else if (drop_index(run, number, name) == NULL)
				what = "was left invalid and has been dropped";
			else
				what = "was left invalid and could not be dropped; do it by "
					   "hand";
		}
		add_detail(run->error, psprintf("Index %s %s.", name, what));
	}
}

/* IF NOT EXISTS takes an invalid index for a good one: we do not. */
static void
check_index(void *arg)
{
	IndexLookup *index = arg;
	DbvcScript *script = index->run->script;

	if (index->name == NULL || index->valid)
		return;
	script->current = index->number;
	script->base = script->statements[index->number].start;
	dbvc_script_error_begin(script);
	ereport(ERROR, (errcode(ERRCODE_DBVC_INVALID_INDEX),
					errmsg("index %s is not valid", index->name),
					errdetail("An earlier build of it failed, and IF NOT "
							  "EXISTS skips it."),
					errhint("Run DROP INDEX CONCURRENTLY %s and migrate "
							"again.",
							index->name)));
}

/* An interrupted run cannot have built what is there. */
static void
refuse_other_index(void *arg)
{
	IndexLookup *index = arg;

	ereport(ERROR,
			(errcode(ERRCODE_DBVC_INVALID_INDEX),
			 errmsg("index %s is there, but is not the one that the "
					"interrupted run was building",
					index->name),
			 index->busy
				 ? errdetail("Another session is at work on its table.")
				 : errdetail("It is on another table, or of another "
							 "kind."),
			 index->busy ? errhint("Migrate again when it has ended.")
						 : errhint("Drop or rename it, and migrate again.")));
}

/* What DROP INDEX CONCURRENTLY and DETACH PARTITION CONCURRENTLY leave. */
typedef struct GoneLookup
{
	DbvcRun *run;
	int number;
	bool gone;		/* nothing is left to do */
	char *finalize; /* DETACH PARTITION has to be finalized, by this */
} GoneLookup;

static void
look_up_detached(GoneLookup *lookup, AlterTableStmt *stmt)
{
	AlterTableCmd *cmd = linitial_node(AlterTableCmd, stmt->cmds);
	Oid parent = RangeVarGetRelid(stmt->relation, NoLock, true);
	Oid child;
	bool pending;

	if (list_length(stmt->cmds) != 1 || cmd->subtype != AT_DetachPartition ||
		!OidIsValid(parent))
		return;
	child =
		RangeVarGetRelid(castNode(PartitionCmd, cmd->def)->name, NoLock, true);
	if (!OidIsValid(child))
		return;
	lookup->gone = !get_rel_relispartition(child);
	pending = !lookup->gone && PartitionHasPendingDetach(child);
	if (pending)
		lookup->finalize =
			psprintf("ALTER TABLE %s DETACH PARTITION %s FINALIZE",
					 quote_qualified_identifier(get_namespace_name(
													get_rel_namespace(parent)),
												get_rel_name(parent)),
					 quote_qualified_identifier(get_namespace_name(
													get_rel_namespace(child)),
												get_rel_name(child)));
}

static void
look_up_gone(void *arg)
{
	GoneLookup *lookup = arg;
	Node *node = parse_statement(lookup->run, lookup->number);
	int guc_level = NewGUCNestLevel();
	Oid userid;
	int sec_context;
	ListCell *lc;

	dbvc_script_user(&userid, &sec_context);
	dbvc_script_replay_settings(lookup->run->script, lookup->number);
	if (IsA(node, DropStmt))
	{
		lookup->gone = true;
		foreach (lc, ((DropStmt *) node)->objects)
		{
			if (OidIsValid(
					RangeVarGetRelid(makeRangeVarFromNameList(lfirst(lc)),
									 NoLock, true)))
				lookup->gone = false;
		}
	}
	else if (IsA(node, AlterTableStmt))
		look_up_detached(lookup, (AlterTableStmt *) node);
	SetUserIdAndSecContext(userid, sec_context);
	AtEOXact_GUC(false, guc_level);
}

/* An interrupted run may have removed what a statement was to remove. */
static bool
gone_before(DbvcRun *run, int number)
{
	GoneLookup lookup = {.run = run, .number = number};

	(void) dbvc_subtransaction(look_up_gone, &lookup, false);
	if (lookup.finalize != NULL)
	{
		run->error =
			dbvc_toplevel_execute(run->script, number, lookup.finalize);
		return run->error == NULL;
	}
	if (lookup.gone)
		ereport(
			WARNING,
			(errmsg("statement %d of \"%s\" finds nothing to remove: taken "
					"as executed by the interrupted run",
					number + 1, run->state->id)));
	return lookup.gone;
}

/*
 * A run that was interrupted, or was cancelled, may have left its index half
 * built: drop it.  An interrupted one may also have built it without the
 * record; returns true when that is so.
 */
static bool
finished_before(DbvcRun *run, int number, bool interrupted)
{
	IndexLookup index = find_index(run, number);

	if (index.name == NULL || (index.valid && !interrupted))
		return false;
	if (!index.same || index.busy)
	{
		run->error = dbvc_subtransaction(refuse_other_index, &index, true);
		return false;
	}
	if (index.valid)
	{
		ereport(WARNING,
				(errmsg("index %s is there and valid: taken as built by the "
						"interrupted run of \"%s\"",
						index.name, run->state->id)));
		return true;
	}
	run->error = drop_index(run, number, index.name);
	if (run->error == NULL)
		ereport(NOTICE, (errmsg("dropped index %s, which an earlier run of "
								"\"%s\" left invalid",
								index.name, run->state->id)));
	return false;
}

/* resumed: an earlier run came as far as this statement. */
void
dbvc_step_in_worker(DbvcRun *run, int number, bool resumed, bool interrupted)
{
	IndexLookup index;
	List *before;
	bool was_there;

	run->statements = number;
	if ((interrupted && gone_before(run, number)) ||
		(resumed && finished_before(run, number, interrupted)))
	{
		run->statements++;
		return;
	}
	if (run->error != NULL)
		return;
	if (interrupted && run->script->statements[number].commits)
		ereport(
			WARNING,
			(errmsg("statement %d of \"%s\" may have been executed in part "
					"by the interrupted run, and is executed again",
					number + 1, run->state->id)));
	was_there = find_index(run, number).name != NULL;
	before = invalid_indexes();
	run->error = dbvc_toplevel_execute(run->script, number, NULL);
	if (run->error != NULL)
	{
		DbvcScript at_error = *run->script;
		uint32 held = QueryCancelHoldoffCount;

		/* a cancel that comes twice must not take the record with it */
		if (run->error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			QueryCancelHoldoffCount = held + 1;
		clean_up_indexes(run, number, was_there, before);
		QueryCancelHoldoffCount = held;
		dbvc_hint_adopted(run->error);
		/* cleaning up went through the same script */
		run->script->error_statement = at_error.error_statement;
		run->script->error_line = at_error.error_line;
		run->script->error_column = at_error.error_column;
		if (interrupted && run->error->hint == NULL)
			run->error->hint =
				"The interrupted run may have executed this statement: if so, "
				"finish the script by hand and call dbvc.migration_accept().";
		return;
	}
	index = find_index(run, number);
	run->error = dbvc_subtransaction(check_index, &index, true);
	if (run->error == NULL)
		run->statements++;
}
