/*
 * plan.c
 *		What would be done, in which order: upwards and downwards.
 */
#include "migration/migration.h"

#include "miscadmin.h"

static bool
is_kind(const DbvcState *state, const char *kind)
{
	return strcmp(state->kind, kind) == 0;
}

bool
dbvc_state_here(const DbvcState *state)
{
	ListCell *lc;

	if (state->environments == NIL)
		return true;
	foreach (lc, state->environments)
	{
		if (strcmp(lfirst(lc), dbvc_environment()) == 0)
			return true;
	}
	return false;
}

static DbvcState *
find_state(List *states, const char *id)
{
	ListCell *lc;

	foreach (lc, states)
	{
		DbvcState *state = lfirst(lc);

		if (strcmp(state->id, id) == 0)
			return state;
	}
	dbvc_unknown_migration(id);
}

static bool
any_applied(List *states)
{
	ListCell *lc;

	foreach (lc, states)
	{
		DbvcState *state = lfirst(lc);

		if (state->applied_version != 0 &&
			!is_kind(state, DBVC_KIND_REPEATABLE))
			return true;
	}
	return false;
}

bool
dbvc_state_skipped(const DbvcState *state, List *states)
{
	return is_kind(state, DBVC_KIND_BASELINE) && state->applied_version == 0 &&
		   any_applied(states);
}

/*
 * The baseline that stands for everything before it: the last one of the
 * order, when nothing has been applied yet.
 */
static DbvcState *
choose_baseline(List *ordered, DbvcState *target)
{
	DbvcState *chosen = NULL;
	ListCell *lc;

	if (any_applied(ordered))
		return NULL;
	foreach (lc, ordered)
	{
		DbvcState *state = lfirst(lc);

		if (is_kind(state, DBVC_KIND_BASELINE) && dbvc_state_here(state))
			chosen = state;
		if (state == target)
			break;
	}
	return chosen;
}

static void
add_entry(DbvcPlan *plan, DbvcState *state, DbvcAction action, const char *why)
{
	DbvcPlanEntry *entry = palloc(sizeof(DbvcPlanEntry));

	entry->state = state;
	entry->action = action;
	entry->why = why;
	plan->entries = lappend(plan->entries, entry);
}

static const char *
reason_to_run(const DbvcState *state)
{
	if (is_kind(state, DBVC_KIND_REPEATABLE) && state->applied_version != 0)
		return "content changed";
	if (state->outcome == NULL)
		return "new";
	if (strcmp(state->outcome, "rolled_back") == 0)
		return "rolled back before";
	if (strcmp(state->outcome, "failed") == 0)
		return state->steps_done > 0 ? "failed before, resumes"
									 : "failed before";
	if (strcmp(state->outcome, "started") == 0)
		return "interrupted, resumes";
	return "pending";
}

static void
check_requirements_here(const DbvcState *state)
{
	ListCell *lc;

	dbvc_check_place(state);
	foreach (lc, state->required)
	{
		DbvcState *required = lfirst(lc);

		if (required->applied_version == 0 && required->withdrawn)
			ereport(ERROR,
					(errcode(ERRCODE_DBVC_MISSING_REQUIRED),
					 errmsg("migration \"%s\" requires \"%s\", which was "
							"withdrawn",
							state->id, required->id),
					 errhint("Register \"%s\" again, or \"%s\" without "
							 "requiring it.",
							 required->id, state->id)));
		if (required->applied_version == 0 && !dbvc_state_here(required))
			ereport(ERROR,
					(errcode(ERRCODE_DBVC_MISSING_REQUIRED),
					 errmsg("migration \"%s\" requires \"%s\", which is not "
							"for this environment",
							state->id, required->id),
					 errdetail("dbvc.environment is \"%s\".",
							   dbvc_environment()),
					 errhint("Register one of them with other "
							 "environments.")));
	}
}

/* A pending migration that stands before an applied one is an error. */
static void
check_order(List *ordered)
{
	List *late = NIL;
	DbvcState *last_applied = NULL;
	ListCell *lc;

	foreach (lc, ordered)
	{
		DbvcState *state = lfirst(lc);

		if (!is_kind(state, DBVC_KIND_REPEATABLE) &&
			state->applied_version != 0 && !state->withdrawn)
			last_applied = state;
	}
	if (last_applied == NULL)
		return;
	foreach (lc, ordered)
	{
		DbvcState *state = lfirst(lc);

		if (state == last_applied)
			break;
		if (state->chosen)
			late = lappend(late, state->id);
	}
	if (late != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_OUT_OF_ORDER),
				 errmsg("pending migration \"%s\" sorts before an applied one",
						(char *) linitial(late)),
				 errdetail("Applied already: \"%s\"; pending before it: %s.",
						   last_applied->id, dbvc_join_names(late)),
				 errhint("Give the migration a later id, or apply it all the "
						 "same with out_of_order => true.")));
}

static void
hash_plan(DbvcPlan *plan)
{
	static const char magic[] = "dbvc-plan-v1";
	StringInfoData buf;
	DbvcPiece piece;
	ListCell *lc;

	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, magic, sizeof(magic));
	foreach (lc, plan->entries)
	{
		DbvcPlanEntry *entry = lfirst(lc);

		dbvc_canon_put_text(&buf, entry->action == DBVC_ACTION_APPLY
									  ? "apply"
									  : "baseline");
		dbvc_canon_put_text(&buf, entry->state->id);
		appendBinaryStringInfo(&buf, (char *) entry->state->checksum,
							   DBVC_SHA256_LEN);
	}
	piece.data = buf.data;
	piece.len = buf.len;
	dbvc_sha256(&piece, 1, plan->hash);
}

/* A target needs what it requires, repeatables too. */
static void
mark_needed(DbvcState *state)
{
	ListCell *lc;

	check_stack_depth();
	if (state->needed)
		return;
	state->needed = true;
	foreach (lc, state->required)
		mark_needed(lfirst(lc));
}

/* Fill the plan with what is pending up to the target. */
static void
collect(DbvcPlan *plan, List *ordered, DbvcState *target, DbvcState *baseline)
{
	bool before_baseline = baseline != NULL;
	ListCell *lc;

	foreach (lc, ordered)
	{
		DbvcState *state = lfirst(lc);

		if (target != NULL && !state->needed &&
			is_kind(state, DBVC_KIND_REPEATABLE))
			continue;
		if (!dbvc_state_pending(state) || !dbvc_state_here(state) ||
			(is_kind(state, DBVC_KIND_BASELINE) && state != baseline))
			;
		else if (state == baseline)
		{
			/* first in the plan: it stands for what comes before it */
			List *covered = plan->entries;

			plan->entries = NIL;
			add_entry(plan, state, DBVC_ACTION_APPLY, "baseline");
			plan->entries = list_concat(plan->entries, covered);
			before_baseline = false;
			state->chosen = true;
		}
		else if (before_baseline)
			add_entry(plan, state, DBVC_ACTION_BASELINE,
					  psprintf("covered by \"%s\"", baseline->id));
		else
		{
			add_entry(plan, state, DBVC_ACTION_APPLY, reason_to_run(state));
			state->chosen = true;
		}
		if (state == target)
			break;
	}
}

DbvcPlan *
dbvc_plan_up(const char *target, bool out_of_order)
{
	DbvcPlan *plan = palloc0(sizeof(DbvcPlan));
	List *ordered = dbvc_order(dbvc_state_read_all());
	DbvcState *last = target ? find_state(ordered, target) : NULL;
	ListCell *lc;

	if (last != NULL)
		mark_needed(last);
	collect(plan, ordered, last, choose_baseline(ordered, last));
	foreach (lc, plan->entries)
		check_requirements_here(((DbvcPlanEntry *) lfirst(lc))->state);
	if (!out_of_order)
		check_order(ordered);
	hash_plan(plan);
	return plan;
}

List *
dbvc_plan_states(const DbvcPlan *plan, DbvcAction action)
{
	List *states = NIL;
	ListCell *lc;

	foreach (lc, plan->entries)
	{
		DbvcPlanEntry *entry = lfirst(lc);

		if (entry->action == action)
			states = lappend(states, entry->state);
	}
	return states;
}

static int
newest_first(const ListCell *a, const ListCell *b)
{
	const DbvcState *sa = lfirst(a);
	const DbvcState *sb = lfirst(b);

	if (sa->applied_event != sb->applied_event)
		return sa->applied_event < sb->applied_event ? 1 : -1;
	return dbvc_natural_compare(sb->id, sa->id);
}

List *
dbvc_applied_newest_first(const List *states)
{
	List *applied = NIL;
	ListCell *lc;

	foreach (lc, states)
	{
		DbvcState *state = lfirst(lc);

		if (state->applied_version != 0 &&
			!is_kind(state, DBVC_KIND_REPEATABLE))
			applied = lappend(applied, state);
	}
	list_sort(applied, newest_first);
	return applied;
}

static void
check_rollback(List *ordered, List *chosen)
{
	ListCell *lc;
	ListCell *req;

	foreach (lc, ordered)
	{
		DbvcState *state = lfirst(lc);

		if (state->applied_version == 0 || state->chosen)
			continue;
		foreach (req, state->required)
		{
			DbvcState *required = lfirst(req);

			if (required->chosen)
				ereport(ERROR,
						(errcode(ERRCODE_DBVC_DEPENDENT_APPLIED),
						 errmsg("cannot roll back migration \"%s\": \"%s\" "
								"requires it and is applied",
								required->id, state->id),
						 errhint(state->withdrawn
									 ? "\"%s\" was withdrawn: register it "
									   "again, then roll it back first."
									 : "Roll back \"%s\" first.",
								 state->id)));
		}
	}
	foreach (lc, chosen)
	{
		DbvcState *state = lfirst(lc);
		DbvcContent *content =
			dbvc_state_content(state, state->applied_version_event);

		if (content->down == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DBVC_NO_DOWN_SCRIPT),
					 errmsg("migration \"%s\" has no down script", state->id),
					 errdetail("Version %lld of it is applied.",
							   (long long) state->applied_version),
					 errhint("Give it one with dbvc.migration_accept(), or "
							 "roll back to a target after it.")));
	}
}

List *
dbvc_plan_down(const char *target, bool has_steps, int32 steps)
{
	List *states = dbvc_order(dbvc_state_read_all());
	DbvcState *keep = target ? find_state(states, target) : NULL;
	List *chosen = NIL;
	ListCell *lc;

	if (keep != NULL && is_kind(keep, DBVC_KIND_REPEATABLE))
		ereport(ERROR, (errcode(ERRCODE_DBVC_WRONG_STATE),
						errmsg("repeatable migration \"%s\" cannot be the "
							   "target of a rollback",
							   target),
						errhint("Name a versioned migration that is "
								"applied.")));
	if (keep != NULL && keep->applied_version == 0)
		ereport(ERROR, (errcode(ERRCODE_DBVC_WRONG_STATE),
						errmsg("migration \"%s\" is not applied", target),
						errhint("The target of a rollback is kept: name one "
								"that is applied.")));
	foreach (lc, dbvc_applied_newest_first(states))
	{
		DbvcState *state = lfirst(lc);

		if (state == keep ||
			(keep == NULL && list_length(chosen) >= (has_steps ? steps : 1)))
			break;
		if (state->withdrawn)
			continue;
		state->chosen = true;
		chosen = lappend(chosen, state);
	}
	if (has_steps && list_length(chosen) < steps)
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_WRONG_STATE),
				 errmsg("cannot roll back %d migrations: only %d are applied",
						steps, list_length(chosen)),
				 errhint("Repeatable and withdrawn migrations do not count; "
						 "roll one back with dbvc.migration_rollback().")));
	check_rollback(states, chosen);
	return chosen;
}
