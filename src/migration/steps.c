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
#include "utils/syscache.h"

int
dbvc_run_steps_done(const DbvcRun *run)
{
	const DbvcState *state = run->state;

	if (state->steps_direction == NULL ||
		strcmp(state->steps_direction, dbvc_direction_name(run->direction)) !=
			0)
		return 0;
	return (int) state->steps_done;
}

int
dbvc_run_resume_at(const DbvcRun *run)
{
	uint8 hash[DBVC_SHA256_LEN];
	int done = dbvc_run_steps_done(run);

	if (done == 0)
		return 0;
	if (done <= run->script->count)
	{
		dbvc_done_hash(run->script, done, hash);
		if (memcmp(hash, run->state->steps_hash, DBVC_SHA256_LEN) == 0)
			return done;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DBVC_STEPS_CHANGED),
			 errmsg("executed statements of migration \"%s\" have changed",
					run->state->id),
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

/* What became of the index that CREATE INDEX CONCURRENTLY names. */
typedef struct IndexLookup
{
	DbvcRun *run;
	int number;
	char *name; /* qualified and quoted; NULL: none named, or not there */
	bool valid;
} IndexLookup;

/* With the script's settings (search_path) in force for the lookup only. */
static void
look_up_index(void *arg)
{
	IndexLookup *lookup = arg;
	Node *node = parse_statement(lookup->run, lookup->number);
	int guc_level = NewGUCNestLevel();
	Oid userid;
	int sec_context;
	Oid index;

	if (IsA(node, IndexStmt) && ((IndexStmt *) node)->concurrent)
	{
		dbvc_script_user(&userid, &sec_context);
		dbvc_script_replay_settings(lookup->run->script, lookup->number);
		index = named_index((IndexStmt *) node);
		SetUserIdAndSecContext(userid, sec_context);
		if (OidIsValid(index))
		{
			lookup->name = index_name(index);
			lookup->valid = index_is_valid(index);
		}
	}
	AtEOXact_GUC(false, guc_level);
}

static IndexLookup
find_index(DbvcRun *run, int number)
{
	IndexLookup lookup = {.run = run, .number = number};

	/* no table, no index: what that means is for the statement to say */
	(void) dbvc_subtransaction(look_up_index, &lookup, true);
	return lookup;
}

static ErrorData *
drop_index(DbvcRun *run, int number, const char *name)
{
	return dbvc_toplevel_execute(run->script, number,
								 psprintf("DROP INDEX CONCURRENTLY %s", name));
}

/*
 * A failed build leaves an index that costs every write, and a unique one
 * that even refuses rows.  Drop it, or name it when that is not possible.
 */
static void
clean_up_index(DbvcRun *run, int number)
{
	IndexLookup index = find_index(run, number);
	const char *what = "has been dropped";

	if (index.name == NULL || index.valid)
		return;
	if (run->error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		what = "is still there; it is dropped when the migration runs again";
	else if (drop_index(run, number, index.name) != NULL)
		what = "could not be dropped; do it by hand";
	run->error->detail =
		psprintf("%s%sIndex %s was left invalid and %s.",
				 run->error->detail ? run->error->detail : "",
				 run->error->detail ? " " : "", index.name, what);
}

/* IF NOT EXISTS takes an invalid index for a good one: we do not. */
static void
check_index(void *arg)
{
	IndexLookup *index = arg;

	if (index->name == NULL || index->valid)
		return;
	ereport(ERROR, (errcode(ERRCODE_DBVC_INVALID_INDEX),
					errmsg("index %s is not valid", index->name),
					errdetail("An earlier build of it failed, and IF NOT "
							  "EXISTS skips it."),
					errhint("Run DROP INDEX CONCURRENTLY %s and migrate "
							"again.",
							index->name)));
}

/*
 * A run that was interrupted, or failed without cleaning up, may have left
 * its index half built: drop it.  An interrupted one may also have built it
 * without the record; returns true when that is so.
 */
static bool
finished_before(DbvcRun *run, int number, bool interrupted)
{
	IndexLookup index = find_index(run, number);

	if (index.name == NULL || (index.valid && !interrupted))
		return false;
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
static void
step_in_worker(DbvcRun *run, int number, bool resumed, bool interrupted)
{
	run->statements = number;
	if (resumed && finished_before(run, number, interrupted))
	{
		run->statements++;
		return;
	}
	if (run->error == NULL)
		run->error = dbvc_toplevel_execute(run->script, number, NULL);
	if (run->error != NULL)
		clean_up_index(run, number);
	else
	{
		IndexLookup index = find_index(run, number);

		run->error = dbvc_subtransaction(check_index, &index, true);
	}
	if (run->error == NULL)
		run->statements++;
}

static void
record_failure(DbvcRun *run)
{
	(void) dbvc_record_end(run);
	SPI_commit();
}

/* One step and its record; false when it failed. */
static bool
run_step(DbvcRun *run, int from, int to, bool resumed, bool interrupted)
{
	if (for_worker(run, from))
		step_in_worker(run, from, resumed, interrupted);
	else
		dbvc_run_execute(run, from, to, true, NULL, NULL);
	if (run->error == NULL)
	{
		dbvc_record_step(run, to);
		dbvc_run_commit(run, false);
	}
	if (run->error != NULL)
		record_failure(run);
	return run->error == NULL;
}

void
dbvc_run_steps(DbvcRun *run)
{
	int first = dbvc_run_resume_at(run);
	const char *outcome = run->state->outcome;
	bool resumed = outcome != NULL && (strcmp(outcome, "started") == 0 ||
									   strcmp(outcome, "failed") == 0);
	bool interrupted = resumed && strcmp(outcome, "started") == 0;
	int to;

	if (InLocalUserIdChange())
		ereport(
			ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("migration \"%s\" cannot run inside a security-definer "
					"function",
					run->state->id)));
	if (interrupted)
		dbvc_record_interrupted(run);
	dbvc_record_started(run, first);
	SPI_commit();
	for (int done = first; done < run->script->count; done = to)
	{
		to = step_end(run, done);
		if (!run_step(run, done, to, resumed && done == first, interrupted))
			return;
	}
	run->statements = run->script->count;
	(void) dbvc_record_end(run);
	SPI_commit();
}
