/*
 * steps.c
 *		Migrations that cannot run in one transaction.
 *
 * A script that holds CREATE INDEX CONCURRENTLY and its like is cut into
 * steps: runs of ordinary statements, each in a transaction of its own that
 * also records the step, and single statements for the background worker.  A
 * "started" event commits before anything runs.  If this session dies, that
 * start has no end and the migration reads "interrupted"; the next run goes on
 * at the first statement that is not recorded as done.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_index.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

/* The first statement that is not done yet. */
static int
resume_at(const DbvcRun *run)
{
	const DbvcState *state = run->state;
	uint8 hash[DBVC_SHA256_LEN];
	int done = (int) state->steps_done;

	if (done == 0 || state->steps_direction == NULL ||
		strcmp(state->steps_direction, dbvc_direction_name(run->direction)) !=
			0)
		return 0;
	if (done <= run->script->count)
	{
		dbvc_done_hash(run->script, done, hash);
		if (memcmp(hash, state->steps_hash, DBVC_SHA256_LEN) == 0)
			return done;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DBVC_STEPS_CHANGED),
			 errmsg("executed statements of migration \"%s\" have changed",
					state->id),
			 errdetail("%d statements of it are executed and committed; the "
					   "%s script now begins with others.",
					   done, dbvc_direction_name(run->direction)),
			 errhint("Register a script that begins with the executed "
					 "statements, or undo them by hand and call "
					 "dbvc.migration_reset().")));
}

static bool
for_worker(const DbvcRun *run, int number)
{
	const DbvcStatement *statement = &run->script->statements[number];

	if (statement->kind == DBVC_STATEMENT_TOPLEVEL)
		return true;
	/* CALL and DO may commit, where no rights could come back by that */
	return run->stepwise && statement->commits &&
		   GetUserId() == GetSessionUserId() &&
		   GetSessionUserId() == GetAuthenticatedUserId();
}

static int
step_end(const DbvcRun *run, int from)
{
	int to = from + 1;

	if (run->stepwise || for_worker(run, from))
		return to;
	while (to < run->script->count && !for_worker(run, to))
		to++;
	return to;
}

/* Index that CREATE INDEX CONCURRENTLY names; InvalidOid if it is not there. */
static Oid
named_index(IndexStmt *stmt)
{
	Oid table = RangeVarGetRelid(stmt->relation, NoLock, true);

	if (!OidIsValid(table) || stmt->idxname == NULL)
		return InvalidOid;
	return get_relname_relid(stmt->idxname, get_rel_namespace(table));
}

static bool
index_is_valid(Oid index)
{
	HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	bool valid;

	if (!HeapTupleIsValid(tuple))
		return true;
	valid = ((Form_pg_index) GETSTRUCT(tuple))->indisvalid;
	ReleaseSysCache(tuple);
	return valid;
}

static char *
index_name(Oid index)
{
	return quote_qualified_identifier(get_namespace_name(
										  get_rel_namespace(index)),
									  get_rel_name(index));
}

static Node *
parse_statement(const DbvcRun *run, int number)
{
	List *raw = raw_parser(dbvc_statement_text(run->script, number),
						   RAW_PARSE_DEFAULT);

	return linitial_node(RawStmt, raw)->stmt;
}

/*
 * Look up, as the script would, the index a CREATE INDEX CONCURRENTLY names.
 * Settings of the script (search_path) are in force for the lookup only.
 */
static Oid
find_index(DbvcRun *run, int number)
{
	Node *node = parse_statement(run, number);
	int guc_level;
	Oid index;

	if (!IsA(node, IndexStmt))
		return InvalidOid;
	guc_level = NewGUCNestLevel();
	dbvc_script_replay_settings(run->script, number);
	index = named_index((IndexStmt *) node);
	AtEOXact_GUC(false, guc_level);
	return index;
}

/* Drop an invalid index through the worker; false when that failed too. */
static bool
drop_index(DbvcRun *run, char *name)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool dropped = true;
	char *sql = psprintf("DROP INDEX CONCURRENTLY %s", name);

	PG_TRY();
	{
		dbvc_toplevel_execute(run->script, run->script->current, sql);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		SPI_rollback();
		dropped = false;
	}
	PG_END_TRY();
	return dropped;
}

/*
 * A failed build leaves an index that costs every write, and a unique one
 * that even refuses rows.  Drop it, or name it when that is not possible.
 */
static void
clean_up_index(DbvcRun *run, int number)
{
	Oid index = find_index(run, number);
	const char *what = "has been dropped";
	char *name;

	if (!OidIsValid(index) || index_is_valid(index))
		return;
	name = index_name(index);
	if (run->error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		what = "is still there; it is dropped when the migration runs again";
	else if (!drop_index(run, name))
		what = "could not be dropped; do it by hand";
	run->error->detail = psprintf("%s%sIndex %s was left invalid and %s.",
								  run->error->detail ? run->error->detail : "",
								  run->error->detail ? " " : "", name, what);
}

/* IF NOT EXISTS takes an invalid index for a good one: we do not. */
static void
check_index(DbvcRun *run, int number)
{
	Oid index = find_index(run, number);

	if (!OidIsValid(index) || index_is_valid(index))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DBVC_INVALID_INDEX),
			 errmsg("index %s is not valid", index_name(index)),
			 errdetail("An earlier build of it failed, and IF NOT EXISTS "
					   "skips it."),
			 errhint("Run DROP INDEX CONCURRENTLY %s and migrate again.",
					 index_name(index))));
}

/*
 * A run that was interrupted may have left its index half built, or built
 * without the record.  Returns true when the statement is done already.
 */
static bool
finished_before(DbvcRun *run, int number)
{
	Oid index = find_index(run, number);
	char *name;

	if (!OidIsValid(index))
		return false;
	name = index_name(index);
	if (index_is_valid(index))
	{
		ereport(WARNING,
				(errmsg("index %s is there and valid: taken as built by the "
						"interrupted run of \"%s\"",
						name, run->state->id)));
		return true;
	}
	if (!drop_index(run, name))
		ereport(ERROR, (errcode(ERRCODE_DBVC_INVALID_INDEX),
						errmsg("invalid index %s could not be dropped", name),
						errhint("Drop it by hand and migrate again.")));
	ereport(NOTICE, (errmsg("dropped index %s, which an interrupted run left "
							"invalid",
							name)));
	return false;
}

static void
step_in_worker(DbvcRun *run, int number, bool resuming)
{
	MemoryContext context = CurrentMemoryContext;

	run->script->current = number;
	PG_TRY();
	{
		if (!resuming || !finished_before(run, number))
			dbvc_toplevel_execute(run->script, run->script->current, NULL);
		check_index(run, run->script->current);
		run->statements = run->script->current + 1;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		run->error = CopyErrorData();
		FlushErrorState();
		SPI_rollback();
		run->statements = run->script->current;
	}
	PG_END_TRY();
}

static void
record_failure(DbvcRun *run)
{
	(void) dbvc_record_end(run);
	SPI_commit();
}

void
dbvc_run_steps(DbvcRun *run)
{
	int done = resume_at(run);
	bool resuming = run->state->outcome != NULL &&
					strcmp(run->state->outcome, "started") == 0;

	if (InLocalUserIdChange())
		ereport(
			ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("migration \"%s\" cannot run inside a security-definer "
					"function",
					run->state->id)));
	dbvc_record_started(run, done);
	SPI_commit();
	while (done < run->script->count)
	{
		int to = step_end(run, done);

		if (for_worker(run, done))
			step_in_worker(run, done, resuming);
		else
			dbvc_run_execute(run, done, to, NULL, NULL);
		resuming = false;
		if (run->error != NULL && for_worker(run, done))
			clean_up_index(run, done);
		if (run->error == NULL)
		{
			dbvc_record_step(run, to);
			dbvc_run_commit(run, false);
		}
		if (run->error != NULL)
		{
			record_failure(run);
			return;
		}
		done = to;
	}
	run->statements = done;
	(void) dbvc_record_end(run);
	SPI_commit();
}
