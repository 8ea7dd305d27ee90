/*
 * steps.c
 *		Migrations that cannot run in one transaction.
 *
 * A script that holds CREATE INDEX CONCURRENTLY and its like, or a COMMIT in
 * its midst, is cut into steps: runs of ordinary statements, each in a
 * transaction of its own that also records the step, and single statements for
 * the background worker.  A "started" event commits before anything runs.  If
 * this session dies, that start has no end and the migration reads
 * "interrupted"; the next run goes on at the first statement that is not
 * recorded as done.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "miscadmin.h"

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
	ereport(
		ERROR,
		(errcode(ERRCODE_DBVC_STEPS_CHANGED),
		 errmsg("executed statements of migration \"%s\" have changed",
				run->state->id),
		 errdetail("Statements of it that are executed and committed: %d; the "
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
	return run->stepwise && statement->commits && !statement->in_block &&
		   GetUserId() == GetSessionUserId() &&
		   GetSessionUserId() == GetAuthenticatedUserId();
}

/* Is statement number executed in one transaction with the one before? */
static bool
joins_step(const DbvcRun *run, int number)
{
	const DbvcStatement *statement = &run->script->statements[number];

	if (for_worker(run, number) || statement->after_commit)
		return false;
	return statement->in_block || !run->stepwise;
}

static int
step_end(const DbvcRun *run, int from)
{
	int to = from + 1;

	if (for_worker(run, from))
		return to;
	while (to < run->script->count && joins_step(run, to))
		to++;
	return to;
}

/* One step and its record; false when it failed. */
static bool
run_step(DbvcRun *run, int from, int to, bool resumed, bool interrupted)
{
	if (for_worker(run, from))
		dbvc_step_in_worker(run, from, resumed, interrupted);
	else
		dbvc_run_execute(run, from, to, true, NULL, NULL);
	if (run->error == NULL)
	{
		dbvc_record_step(run, to);
		dbvc_run_commit(run, false);
	}
	if (run->error != NULL)
		dbvc_record_failure(run);
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
		if (!run_step(run, done, to, resumed && done == first,
					  interrupted && done == first))
			return;
	}
	run->statements = run->script->count;
	(void) dbvc_record_end(run);
	SPI_commit();
}
