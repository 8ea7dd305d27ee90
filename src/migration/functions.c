/*
 * functions.c
 *		The SQL functions and procedures that run, plan and correct: arguments
 *		in, one call, result out.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

static char *
text_or_null(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static char *
reason_argument(FunctionCallInfo fcinfo, int n)
{
	char *reason = text_or_null(fcinfo, n);

	if (reason == NULL || reason[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"reason\" must not be empty"),
				 errhint("It is what those who read the history will see.")));
	return reason;
}

/* A procedure that commits must have been called by CALL, at top level. */
static void
check_can_commit(FunctionCallInfo fcinfo, const char *name)
{
	CallContext *context = (CallContext *) fcinfo->context;

	dbvc_refuse_in_script(NULL);
	if (context == NULL || !IsA(context, CallContext) || context->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("CALL dbvc.%s() cannot run inside a transaction",
						name),
				 errdetail("It commits after each migration."),
				 errhint("Send CALL by itself, in autocommit mode; inside a "
						 "transaction use dbvc.migration_apply() or "
						 "dbvc.migration_rollback().")));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("CALL dbvc.%s() needs isolation level READ COMMITTED",
						name),
				 errhint("SET default_transaction_isolation = 'read "
						 "committed'.")));
}

PG_FUNCTION_INFO_V1(dbvc_migrate);
Datum
dbvc_migrate(PG_FUNCTION_ARGS)
{
	DbvcMigrateOptions options = {0};

	check_can_commit(fcinfo, "migrate");
	options.target = text_or_null(fcinfo, 0);
	options.dry_run = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	options.out_of_order = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	options.expect = text_or_null(fcinfo, 3);
	options.progress = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	options.rehearse = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	dbvc_drive(&options, DBVC_UP);
	SPI_finish();
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(dbvc_rollback);
Datum
dbvc_rollback(PG_FUNCTION_ARGS)
{
	DbvcMigrateOptions options = {0};

	check_can_commit(fcinfo, "rollback");
	options.target = text_or_null(fcinfo, 0);
	options.has_steps = !PG_ARGISNULL(1);
	if (options.has_steps)
		options.steps = PG_GETARG_INT32(1);
	options.dry_run = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	options.progress = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	if (options.has_steps && options.target != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("target and steps cannot both be given")));
	if (options.has_steps && options.steps < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("steps must be at least 1")));
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	dbvc_drive(&options, DBVC_DOWN);
	SPI_finish();
	return (Datum) 0;
}

/* The row of dbvc.migration_run of an event; NULL for a dry run. */
static Datum
run_row(FunctionCallInfo fcinfo, int64 event_id)
{
	static DbvcQuery query = {
		"SELECT r FROM dbvc.migration_run r WHERE r.event_id = $1",
		1,
		{INT8OID}};
	Datum value = Int64GetDatum(event_id);
	DbvcOwnerScope owner;
	bool isnull = true;
	Datum row = (Datum) 0;

	dbvc_owner_enter(&owner);
	if (dbvc_query_run(&query, &value, NULL, false, 1) == 1)
		row = SPI_datumTransfer(dbvc_row_datum(0, 1, &isnull), false, -1);
	dbvc_owner_leave(&owner);
	fcinfo->isnull = isnull;
	return row;
}

static Datum
run_one_here(FunctionCallInfo fcinfo, DbvcDirection direction)
{
	bool dry_run = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	Datum row;

	dbvc_refuse_in_script(NULL);
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"id\" must not be null")));
	SPI_connect();
	row = run_row(fcinfo, dbvc_run_here(text_to_cstring(PG_GETARG_TEXT_PP(0)),
										direction, dry_run));
	SPI_finish();
	return row;
}

PG_FUNCTION_INFO_V1(dbvc_migration_apply);
Datum
dbvc_migration_apply(PG_FUNCTION_ARGS)
{
	return run_one_here(fcinfo, DBVC_UP);
}

PG_FUNCTION_INFO_V1(dbvc_migration_rollback);
Datum
dbvc_migration_rollback(PG_FUNCTION_ARGS)
{
	return run_one_here(fcinfo, DBVC_DOWN);
}

/* ----------------------------------------------------------------- planning */

static void
put_plan_row(ReturnSetInfo *result, const DbvcPlan *plan,
			 const DbvcPlanEntry *entry, int position)
{
	static DbvcQuery query = {"SELECT dbvc.event_text(e.body, 'author'), "
							  "dbvc.event_text(e.body, 'role'), "
							  "dbvc.event_time(e.body, 'created_at') "
							  "FROM dbvc.change_event e WHERE e.id = $1",
							  1,
							  {INT8OID}};
	const DbvcState *state = entry->state;
	Datum event_id = Int64GetDatum(state->version_event);
	Datum values[11] = {0};
	bool nulls[11] = {0};

	values[0] = Int32GetDatum(position);
	values[1] = CStringGetTextDatum(state->id);
	values[2] = Int64GetDatum(state->version);
	values[3] = CStringGetTextDatum(
		entry->action == DBVC_ACTION_APPLY ? "apply" : "baseline");
	values[4] = CStringGetTextDatum(entry->why);
	values[5] = CStringGetTextDatum(state->kind);
	values[6] =
		CStringGetTextDatum(dbvc_hex(state->checksum, DBVC_SHA256_LEN));
	if (dbvc_query_run(&query, &event_id, NULL, false, 1) == 1)
	{
		for (int i = 0; i < 3; i++)
		{
			Datum value = dbvc_row_datum(0, i + 1, &nulls[7 + i]);

			if (!nulls[7 + i])
				values[7 + i] =
					SPI_datumTransfer(value, i == 2, i == 2 ? 8 : -1);
		}
	}
	SPI_freetuptable(SPI_tuptable);
	values[10] = CStringGetTextDatum(dbvc_hex(plan->hash, DBVC_SHA256_LEN));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(dbvc_migration_plan);
Datum
dbvc_migration_plan(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char *target = text_or_null(fcinfo, 0);
	bool out_of_order = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	DbvcOwnerScope owner;
	DbvcPlan *plan;
	int position = 0;
	ListCell *lc;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	dbvc_owner_enter(&owner);
	plan = dbvc_plan_up(target, out_of_order);
	foreach (lc, plan->entries)
		put_plan_row(result, plan, lfirst(lc), ++position);
	dbvc_owner_leave(&owner);
	SPI_finish();
	return (Datum) 0;
}

/* -------------------------------------------------------------- corrections */

static int64
record_correction(const char *event_type, const DbvcState *state, Oid role,
				  const char *reason)
{
	DbvcEvent *event = dbvc_event_begin(event_type, role);

	dbvc_event_text(event, DBVC_EVENT_MIGRATION_ID, state->id);
	dbvc_event_int(event, DBVC_EVENT_VERSION, state->version);
	dbvc_event_bytes(event, DBVC_EVENT_CHECKSUM, state->checksum,
					 DBVC_SHA256_LEN);
	dbvc_event_text(event, DBVC_EVENT_REASON, reason);
	return dbvc_event_append(event);
}

/*
 * Everything pending up to id, in order, is recorded as applied without being
 * run: the database is there already.
 */
static int
baseline_up_to(const char *id, const char *reason, Oid role)
{
	DbvcPlan *plan;
	int count = 0;
	ListCell *lc;

	dbvc_run_lock(dbvc_extension_oid(), false, false);
	plan = dbvc_plan_up(id, true);
	foreach (lc, plan->entries)
	{
		DbvcPlanEntry *entry = lfirst(lc);
		DbvcState *state = dbvc_state_read(entry->state->id, true);
		int64 event_id;

		if (state == NULL || !dbvc_state_pending(state))
			continue;
		event_id = record_correction("baselined", state, role, reason);
		dbvc_state_applied(state->id, state->version, state->version_event,
						   state->checksum, "baselined", event_id, event_id);
		count++;
	}
	return count;
}

PG_FUNCTION_INFO_V1(dbvc_migration_baseline);
Datum
dbvc_migration_baseline(PG_FUNCTION_ARGS)
{
	char *id = text_or_null(fcinfo, 0);
	char *reason = reason_argument(fcinfo, 1);
	Oid role = GetUserId();
	DbvcOwnerScope owner;
	int count;

	dbvc_refuse_in_script(NULL);
	if (id == NULL)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"id\" must not be null")));
	SPI_connect();
	dbvc_owner_enter(&owner);
	count = baseline_up_to(id, reason, role);
	dbvc_owner_leave(&owner);
	SPI_finish();
	PG_RETURN_INT32(count);
}

static bool
has_unfinished_steps(const DbvcState *state)
{
	return state->steps_done != 0 ||
		   (state->outcome != NULL && strcmp(state->outcome, "started") == 0);
}

/* Correct one migration, locked, as the owner; arguments (id, reason). */
static void
correct_one(FunctionCallInfo fcinfo,
			void (*correct)(DbvcState *state, Oid role, const char *reason))
{
	char *id = text_or_null(fcinfo, 0);
	char *reason = reason_argument(fcinfo, 1);
	Oid role = GetUserId();
	DbvcOwnerScope owner;
	DbvcState *state;

	dbvc_refuse_in_script(NULL);
	if (id == NULL)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"id\" must not be null")));
	SPI_connect();
	dbvc_owner_enter(&owner);
	dbvc_run_lock(dbvc_extension_oid(), false, false);
	state = dbvc_state_read(id, true);
	if (state == NULL)
		dbvc_unknown_migration(id);
	correct(state, role, reason);
	dbvc_owner_leave(&owner);
	SPI_finish();
}

/*
 * Forget the statements of a run in steps that was not finished, after a
 * person has undone them.
 */
static void
reset_steps(DbvcState *state, Oid role, const char *reason)
{
	int64 event_id;

	if (!has_unfinished_steps(state))
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_WRONG_STATE),
				 errmsg("migration \"%s\" has no unfinished steps", state->id),
				 errhint("Only a run in steps that failed or was interrupted "
						 "needs a reset.")));
	event_id = record_correction("reset", state, role, reason);
	dbvc_state_forget_steps(state->id);
	dbvc_state_outcome(state->id, "reset", event_id);
}

PG_FUNCTION_INFO_V1(dbvc_migration_reset);
Datum
dbvc_migration_reset(PG_FUNCTION_ARGS)
{
	correct_one(fcinfo, reset_steps);
	PG_RETURN_VOID();
}

/* Its file is gone for good: it is neither applied, nor rolled back, nor
 * missed, until it is registered again. */
static void
withdraw(DbvcState *state, Oid role, const char *reason)
{
	if (state->withdrawn)
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_WRONG_STATE),
				 errmsg("migration \"%s\" is withdrawn already", state->id)));
	if (has_unfinished_steps(state))
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_WRONG_STATE),
				 errmsg("migration \"%s\" has unfinished steps", state->id),
				 errhint("Finish it, or undo what was executed and call "
						 "dbvc.migration_reset() first.")));
	(void) record_correction("withdrawn", state, role, reason);
	dbvc_state_withdraw(state->id);
}

PG_FUNCTION_INFO_V1(dbvc_migration_withdraw);
Datum
dbvc_migration_withdraw(PG_FUNCTION_ARGS)
{
	correct_one(fcinfo, withdraw);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(dbvc_migration_state_rebuild);
Datum
dbvc_migration_state_rebuild(PG_FUNCTION_ARGS)
{
	DbvcOwnerScope owner;

	dbvc_refuse_in_script(NULL);
	SPI_connect();
	dbvc_owner_enter(&owner);
	dbvc_run_lock(dbvc_extension_oid(), false, false);
	dbvc_state_rebuild();
	dbvc_owner_leave(&owner);
	SPI_finish();
	PG_RETURN_VOID();
}

/* All migrations and their place in the order; for views, so it never fails. */
PG_FUNCTION_INFO_V1(dbvc_migration_order);
Datum
dbvc_migration_order(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DbvcOwnerScope owner;
	List *ordered;
	int position = 0;
	ListCell *lc;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	dbvc_owner_enter(&owner);
	ordered = dbvc_order(dbvc_state_read_all());
	dbvc_owner_leave(&owner);
	foreach (lc, ordered)
	{
		Datum values[2] = {CStringGetTextDatum(((DbvcState *) lfirst(lc))->id),
						   Int32GetDatum(++position)};
		bool nulls[2] = {false, false};

		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
	SPI_finish();
	return (Datum) 0;
}
