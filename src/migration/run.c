/*
 * run.c
 *		One run of one migration in one transaction.
 *
 * The script runs in an internal subtransaction: when it fails, everything it
 * did is rolled back and the transaction goes on to record the failure.  (An
 * abort of the whole transaction from within a procedure is refused by the
 * server when the error came out of another procedural language.)  A GUC
 * level around the subtransaction takes back every setting the script made.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/*
 * A session that has given up rights with SET ROLE must not get them back in
 * a script by RESET ROLE.  Where nothing was given up, the script may SET
 * ROLE to the owner of a table, as scripts do.
 */
static bool
gave_up_rights(Oid userid)
{
	return userid != GetSessionUserId() ||
		   GetSessionUserId() != GetAuthenticatedUserId();
}

void
dbvc_script_user(Oid *userid, int *sec_context)
{
	GetUserIdAndSecContext(userid, sec_context);
	if (gave_up_rights(*userid))
		SetUserIdAndSecContext(*userid,
							   *sec_context | SECURITY_LOCAL_USERID_CHANGE);
}

/* The migration whose script runs in this backend; reset on every way out. */
static const char *running = NULL;

const char *
dbvc_script_enter(const char *id)
{
	const char *before = running;

	running = id;
	return before;
}

void
dbvc_script_leave(const char *before)
{
	running = before;
}

void
dbvc_refuse_in_script(const char *id)
{
	if (running == NULL || (id != NULL && strcmp(running, id) != 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DBVC_WRONG_STATE),
			 id == NULL ? errmsg("a script cannot run or correct migrations")
						: errmsg("a script cannot register its own migration"),
			 errhint("Let the migration require the other one: "
					 "migration_register(..., requires => ...).")));
}

static const char *
script_of(const DbvcState *state, const DbvcContent *content,
		  DbvcDirection direction)
{
	if (direction == DBVC_UP)
		return content->up;
	if (content->down == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_NO_DOWN_SCRIPT),
				 errmsg("migration \"%s\" has no down script", state->id),
				 errhint("Give it one with dbvc.migration_accept().")));
	return content->down;
}

static void
split(void *arg)
{
	dbvc_script_split(arg);
}

DbvcRun *
dbvc_run_prepare(DbvcState *state, DbvcDirection direction)
{
	DbvcRun *run = palloc0(sizeof(DbvcRun));
	DbvcOwnerScope owner;
	DbvcContent *content;

	run->state = state;
	run->direction = direction;
	run->role = GetUserId();
	run->started_at = GetCurrentTimestamp();
	if (direction == DBVC_UP)
	{
		run->version = state->version;
		run->version_event = state->version_event;
		run->checksum = state->checksum;
	}
	else
	{
		run->version = state->applied_version;
		run->version_event = state->applied_version_event;
		run->checksum = state->applied_checksum;
	}
	dbvc_owner_enter(&owner);
	content = dbvc_state_content(state, run->version_event);
	dbvc_owner_leave(&owner);
	run->stepwise = content->has_transactional && !content->transactional;
	run->script = dbvc_script_new(state->id, dbvc_direction_name(direction),
								  script_of(state, content, direction));
	/* as the caller; a script that does not parse is a failed run */
	run->error = dbvc_subtransaction(split, run->script, true);
	return run;
}

bool
dbvc_run_in_steps(const DbvcRun *run)
{
	if (run->error != NULL)
		return false;
	return run->script->needs_steps || dbvc_run_steps_done(run) > 0 ||
		   (run->stepwise && run->script->count > 0);
}

typedef struct Execute
{
	DbvcRun *run;
	int from;
	int to;
	bool whole; /* the transaction ends with it */
	DbvcAfterStatement after;
	void *arg;
} Execute;

/* Check deferred constraints while a failure is still the script's own. */
static void
check_deferred_constraints(DbvcScript *script)
{
	script->current = -1;
	AfterTriggerSetState(makeNode(ConstraintsSetStmt));
}

/*
 * Commit executes what the script has left for then, outside of the script's
 * security context: deferred triggers, which are fired before, and cursors
 * WITH HOLD, which EXECUTE in a function can have declared.
 */
static void
refuse_held_cursors(Oid userid, int sec_context)
{
	static DbvcQuery query = {
		"SELECT name FROM pg_cursors WHERE is_holdable "
		"AND creation_time >= statement_timestamp() LIMIT 1",
		0,
		{0}};
	DbvcOwnerScope owner;

	SetUserIdAndSecContext(userid, sec_context);
	dbvc_owner_enter(&owner);
	if (dbvc_query_run(&query, NULL, NULL, false, 1) > 0)
		ereport(ERROR, (errcode(ERRCODE_DBVC_INVALID_SCRIPT),
						errmsg("script left cursor \"%s\" WITH HOLD open",
							   dbvc_row_text(0, 1)),
						errhint("Nobody could fetch from the cursor.")));
	SPI_freetuptable(SPI_tuptable);
	dbvc_owner_leave(&owner);
}

static void
execute(void *arg)
{
	Execute *work = arg;
	DbvcScript *script = work->run->script;
	Oid userid;
	int sec_context;

	dbvc_script_user(&userid, &sec_context);
	dbvc_script_replay_settings(script, work->from);
	dbvc_script_execute(script, work->from, work->to, work->after, work->arg,
						NULL);
	work->run->statements = work->to;
	if (work->whole || gave_up_rights(userid))
		check_deferred_constraints(script);
	SetUserIdAndSecContext(userid, sec_context);
	if (gave_up_rights(userid))
		refuse_held_cursors(userid, sec_context);
}

void
dbvc_run_execute(DbvcRun *run, int from, int to, bool whole,
				 DbvcAfterStatement after, void *arg)
{
	Execute work = {run, from, to, whole, after, arg};
	int guc_level = NewGUCNestLevel();
	const char *outer = dbvc_script_enter(run->state->id);

	run->script->current = -1;
	run->statements = from;
	run->error = dbvc_subtransaction(execute, &work, true);
	dbvc_script_leave(outer);
	AtEOXact_GUC(false, guc_level);
	if (run->error == NULL)
		return;
	dbvc_hint_adopted(run->error);
	if (run->script->current >= 0)
		run->statements = run->script->current;
	else
		dbvc_run_error_at_end(run);
}

void
dbvc_run_error_at_end(DbvcRun *run)
{
	char *where =
		psprintf("migration \"%s\", %s script, at its end", run->state->id,
				 dbvc_direction_name(run->direction));

	if (run->error->context == NULL)
		run->error->context = where;
	else if (strstr(run->error->context, where) == NULL)
		run->error->context = psprintf("%s\n%s", run->error->context, where);
}

void
dbvc_run_commit(DbvcRun *run, bool lazily)
{
	MemoryContext context = CurrentMemoryContext;

	/*
	 * The last commit of a CALL waits for the disk, and with it everything
	 * before: the log is written in order.
	 */
	if (lazily)
		(void) set_config_option("synchronous_commit", "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
								 false);
	PG_TRY();
	{
		SPI_commit();
	}
	PG_CATCH();
	{
		/* SPI_commit() has rolled back, which released even the session's
		 * run lock, and begun a new transaction */
		MemoryContextSwitchTo(context);
		run->error = CopyErrorData();
		FlushErrorState();
		dbvc_run_error_at_end(run);
	}
	PG_END_TRY();
	if (run->error != NULL)
		dbvc_run_lock(dbvc_extension_oid(), true, true);
}

/* Requirements of a single migration, applied or rolled back by its name. */
static void
check_neighbours(DbvcState *state, DbvcDirection direction)
{
	List *states = dbvc_order(dbvc_state_read_all());
	ListCell *lc;
	ListCell *req;

	if (direction == DBVC_UP && dbvc_state_skipped(state, states))
		ereport(ERROR, (errcode(ERRCODE_DBVC_WRONG_STATE),
						errmsg("baseline \"%s\" is skipped", state->id),
						errdetail("It stands for migrations of which some are "
								  "applied."),
						errhint("Apply the migrations themselves.")));
	foreach (lc, states)
	{
		DbvcState *other = lfirst(lc);

		if (direction == DBVC_UP && strcmp(other->id, state->id) == 0)
			dbvc_check_place(other);
		foreach (req, other->required)
		{
			DbvcState *required = lfirst(req);

			if (direction == DBVC_UP && strcmp(other->id, state->id) == 0 &&
				required->applied_version == 0 &&
				!dbvc_state_skipped(required, states))
				ereport(ERROR,
						(errcode(ERRCODE_DBVC_MISSING_REQUIRED),
						 errmsg("migration \"%s\" requires \"%s\", which is "
								"not applied",
								state->id, required->id),
						 errhint("Apply \"%s\" first.", required->id)));
			if (direction == DBVC_DOWN && other->applied_version != 0 &&
				strcmp(required->id, state->id) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DBVC_DEPENDENT_APPLIED),
						 errmsg("cannot roll back migration \"%s\": \"%s\" "
								"requires it and is applied",
								state->id, other->id),
						 errhint("Roll back \"%s\" first.", other->id)));
		}
	}
}

/* The migration, locked, in a state that allows the direction. */
static DbvcState *
state_for_single_run(const char *id, DbvcDirection direction)
{
	DbvcState *state = dbvc_state_read(id, true);

	if (state == NULL)
		dbvc_unknown_migration(id);
	if (direction == DBVC_UP && state->withdrawn)
		ereport(ERROR, (errcode(ERRCODE_DBVC_WRONG_STATE),
						errmsg("migration \"%s\" was withdrawn", id),
						errhint("Register it again first.")));
	if (direction == DBVC_UP && !dbvc_state_pending(state))
		ereport(ERROR, (errcode(ERRCODE_DBVC_WRONG_STATE),
						errmsg("migration \"%s\" is already applied", id),
						errhint("Roll it back first, or register the change "
								"as a new migration.")));
	if (direction == DBVC_DOWN && state->applied_version == 0)
		ereport(ERROR, (errcode(ERRCODE_DBVC_WRONG_STATE),
						errmsg("migration \"%s\" is not applied", id),
						errhint("See dbvc.migration_status.")));
	if (direction == DBVC_UP && !dbvc_state_here(state))
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_WRONG_STATE),
				 errmsg("migration \"%s\" is not for this environment", id),
				 errdetail("dbvc.environment is \"%s\".", dbvc_environment()),
				 errhint("Register it with other environments.")));
	check_neighbours(state, direction);
	return state;
}

int64
dbvc_run_here(const char *id, DbvcDirection direction, bool dry_run)
{
	DbvcOwnerScope owner;
	DbvcState *state;
	DbvcRun *run;
	ErrorData *error;
	List *before;
	List *covered = NIL;

	dbvc_owner_enter(&owner);
	dbvc_run_lock(dbvc_extension_oid(), false, false);
	state = state_for_single_run(id, direction);
	if (direction == DBVC_UP && strcmp(state->kind, DBVC_KIND_BASELINE) == 0)
		covered =
			dbvc_plan_states(dbvc_plan_up(id, true), DBVC_ACTION_BASELINE);
	dbvc_owner_leave(&owner);
	if (dry_run)
	{
		error = dbvc_dry_run(list_make1(state), direction, false, false);
		if (error != NULL)
			ReThrowError(error);
		return 0;
	}
	run = dbvc_run_prepare(state, direction);
	run->covered = covered;
	if (dbvc_run_in_steps(run))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("migration \"%s\" cannot run in one transaction", id),
				 errhint("Run it with CALL dbvc.%s.",
						 direction == DBVC_UP ? "migrate(target => ...)"
											  : "rollback(...)")));
	before = dbvc_session_leftovers();
	if (run->error == NULL)
		dbvc_run_execute(run, 0, run->script->count, false, NULL, NULL);
	if (run->error != NULL)
		ReThrowError(run->error);
	dbvc_warn_leftovers(before);
	return dbvc_record_end(run);
}
