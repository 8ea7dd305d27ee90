/*
 * reversal.c
 *		migration_verify(reversal => true): which migrations can be taken back?
 *
 * The newest applied migration is rolled back and applied again, which must
 * give the definitions that are there now; then it stays rolled back, so that
 * the one before it finds what it has left, and so on.  Pending ones are
 * applied and rolled back, in their order, each on top of those before it.
 * Both walks are rolled back in the end.  Where a migration can be neither
 * executed nor skipped, nothing is known of those behind it.
 */
#include "migration/migration.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/guc.h"

typedef struct Walk
{
	const char *only; /* answer for this one, or NULL for all */
	DbvcDirection direction;
	List *states;	 /* in the order of the walk */
	List *answers;	 /* of DbvcReversal */
	List *rehearsed; /* of DbvcRun, with what was found out */
	char *broken;	 /* why those behind cannot be tried, or NULL */
} Walk;

static bool
is_wanted(const Walk *walk, const DbvcState *state)
{
	return walk->only == NULL || strcmp(walk->only, state->id) == 0;
}

static void
put_answer(Walk *walk, const DbvcState *state, bool known, bool ok,
		   const char *detail)
{
	DbvcReversal *answer;

	if (!is_wanted(walk, state))
		return;
	answer = palloc(sizeof(DbvcReversal));
	answer->id = state->id;
	answer->known = known;
	answer->ok = ok;
	answer->detail = detail;
	walk->answers = lappend(walk->answers, answer);
}

static void
put_not_run(Walk *walk, const DbvcState *state, const char *why)
{
	put_answer(walk, state, false, false, psprintf("not run: %s", why));
}

static void
break_walk(Walk *walk, const DbvcState *state, const char *why)
{
	walk->broken =
		psprintf(walk->direction == DBVC_UP
					 ? "migration \"%s\", which comes before it, %s"
					 : "migration \"%s\", which was applied after it, %s",
				 state->id, why);
}

/* What is wrong, in one line or in a line for each difference. */
static const char *
what_failed(const DbvcRun *run)
{
	const ErrorData *error = run->error;
	const char *context = error->context ? error->context : "";
	const char *own = strstr(context, "\nrehearsal of migration ");
	int len = own ? own - context : strlen(context);

	if (error->sqlerrcode == ERRCODE_DBVC_NOT_REVERSED &&
		error->detail != NULL)
		return error->detail;
	return psprintf("%s script: %s%s%.*s%s",
					dbvc_direction_name(run->direction), error->message,
					len > 0 ? " (" : "", len, context, len > 0 ? ")" : "");
}

static void
raise_if_cancelled(const DbvcRun *run)
{
	if (run->error != NULL && dbvc_cancels_caller(run->error))
		ReThrowError(run->error);
}

/* Execute it without a proof, for those that come next. */
static void
go_past(Walk *walk, DbvcRun *run)
{
	if (dbvc_run_in_steps(run))
	{
		break_walk(walk, run->state, "runs in steps");
		return;
	}
	dbvc_run_execute_whole(run, NULL, NULL);
	raise_if_cancelled(run);
	if (run->error != NULL)
		break_walk(walk, run->state,
				   walk->direction == DBVC_UP ? "cannot be applied"
											  : "cannot be rolled back");
}

static void
prove(Walk *walk, DbvcRehearsal *rehearsal)
{
	DbvcRun *run = rehearsal->run;
	DbvcRun *back = rehearsal->back;

	dbvc_rehearse(rehearsal, NULL, NULL);
	raise_if_cancelled(run);
	raise_if_cancelled(back);
	walk->rehearsed = lappend(walk->rehearsed, run->error ? run : back);
	if (run->error != NULL)
	{
		put_answer(walk, run->state, true, false, what_failed(run));
		break_walk(walk, run->state,
				   walk->direction == DBVC_UP ? "cannot be applied"
											  : "cannot be rolled back");
	}
	else if (back->error != NULL)
	{
		put_answer(walk, run->state, true, false, what_failed(back));
		/* what it leaves behind would be held against those before it */
		if (walk->direction == DBVC_DOWN)
			break_walk(walk, run->state, "is not taken back whole");
		else
			go_past(walk, dbvc_run_prepare(run->state, run->direction));
	}
	else
		put_answer(walk, run->state, true, true, NULL);
}

static void
try_one(Walk *walk, DbvcState *state)
{
	DbvcRehearsal *rehearsal;
	DbvcRun *run;

	if (walk->broken != NULL)
	{
		put_not_run(walk, state, walk->broken);
		return;
	}
	if (walk->direction == DBVC_DOWN &&
		!dbvc_has_down_script(state, state->applied_version_event))
	{
		put_not_run(walk, state, "it has no down script");
		break_walk(walk, state, "has no down script");
		return;
	}
	run = dbvc_run_prepare(state, walk->direction);
	if (run->error != NULL)
	{
		put_answer(walk, state, true, false, what_failed(run));
		break_walk(walk, state, "cannot be read");
		return;
	}
	rehearsal = dbvc_rehearsal_prepare(run);
	if (rehearsal->hindrance != NULL)
		put_not_run(walk, state, rehearsal->hindrance);
	/* what the newer ones leave behind would be held against it */
	if (rehearsal->hindrance != NULL ||
		(walk->direction == DBVC_UP && !is_wanted(walk, state)))
		go_past(walk, run);
	else
		prove(walk, rehearsal);
}

static void
go_through(void *arg)
{
	Walk *walk = arg;
	ListCell *lc;

	dbvc_constraints_as_at_start();
	foreach (lc, walk->states)
	{
		DbvcState *state = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (state->withdrawn)
			put_not_run(walk, state, "it is withdrawn");
		else
			try_one(walk, state);
		if (walk->only != NULL && is_wanted(walk, state))
			break;
	}
}

/* Walk, take everything back, and record what was found out. */
static void
walk_and_return(Walk *walk)
{
	List *leftovers = dbvc_session_leftovers();
	int guc_level = NewGUCNestLevel();
	ErrorData *error = dbvc_subtransaction(go_through, walk, false);
	ListCell *lc;

	AtEOXact_GUC(false, guc_level);
	dbvc_drop_leftovers(leftovers);
	dbvc_warn_leftovers(leftovers);
	if (error != NULL)
		ReThrowError(error);
	foreach (lc, walk->rehearsed)
		dbvc_record_rehearsal(lfirst(lc));
}

/* -------------------------------------------------------- what to walk over */

typedef struct Agenda
{
	List *ordered;
	List *applied; /* newest first */
	List *pending; /* in order */
	List *covered; /* by a baseline that is pending */
} Agenda;

static void
read_agenda(void *arg)
{
	Agenda *agenda = arg;
	DbvcPlan *plan;

	agenda->ordered = dbvc_order(dbvc_state_read_all());
	agenda->applied = dbvc_applied_newest_first(agenda->ordered);
	plan = dbvc_plan_up(NULL, true);
	agenda->pending = dbvc_plan_states(plan, DBVC_ACTION_APPLY);
	agenda->covered = dbvc_plan_states(plan, DBVC_ACTION_BASELINE);
}

static bool
is_in(const char *id, const List *states)
{
	ListCell *lc;

	foreach (lc, states)
	{
		if (strcmp(((DbvcState *) lfirst(lc))->id, id) == 0)
			return true;
	}
	return false;
}

/* Those that no walk comes by. */
static void
put_others(Walk *walk, const Agenda *agenda)
{
	ListCell *lc;

	foreach (lc, agenda->ordered)
	{
		DbvcState *state = lfirst(lc);

		if (!is_wanted(walk, state))
			continue;
		if (state->withdrawn && state->applied_version == 0)
			put_not_run(walk, state, "it is withdrawn");
		else if (is_in(state->id, agenda->covered))
			put_not_run(walk, state, "it is covered by a baseline");
		else if (state->applied_version != 0 &&
				 strcmp(state->kind, DBVC_KIND_REPEATABLE) == 0)
		{
			if (!is_in(state->id, agenda->pending))
				put_not_run(walk, state, DBVC_REPEATABLE_STAYS);
		}
		else if (state->applied_version == 0 &&
				 !is_in(state->id, agenda->pending))
			put_not_run(walk, state, "it would not be applied now");
	}
}

/*
 * It executes scripts as the caller and keeps others from running migrations
 * meanwhile: both are for those who may run migrations.
 */
static void
check_may_migrate(Oid role)
{
	static DbvcQuery query = {
		"SELECT COALESCE(bool_or(has_function_privilege($1, p.oid, "
		"'EXECUTE')), false)::text FROM pg_proc p "
		"WHERE p.pronamespace = 'dbvc'::regnamespace AND p.proname = "
		"'migrate'",
		1,
		{OIDOID}};
	Datum value = ObjectIdGetDatum(role);

	if (dbvc_query_run(&query, &value, NULL, false, 1) != 1 ||
		strcmp(dbvc_row_text(0, 1), "true") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to prove reversal"),
				 errdetail("It runs up and down scripts, as you."),
				 errhint("EXECUTE on procedure dbvc.migrate is needed.")));
	SPI_freetuptable(SPI_tuptable);
}

List *
dbvc_verify_reversal(const char *only)
{
	Walk down = {.only = only, .direction = DBVC_DOWN};
	Walk up = {.only = only, .direction = DBVC_UP};
	Walk rest = {.only = only};
	Agenda agenda = {0};
	DbvcOwnerScope owner;
	Oid role = GetUserId();

	dbvc_owner_enter(&owner);
	check_may_migrate(role);
	dbvc_run_lock(dbvc_extension_oid(), false, false);
	read_agenda(&agenda);
	dbvc_owner_leave(&owner);
	down.states = agenda.applied;
	up.states = agenda.pending;
	if (only == NULL || is_in(only, agenda.applied))
		walk_and_return(&down);
	if (only == NULL || is_in(only, agenda.pending))
		walk_and_return(&up);
	put_others(&rest, &agenda);
	return list_concat(list_concat(down.answers, up.answers), rest.answers);
}
