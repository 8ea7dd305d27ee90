/*
 * write.c
 *		What dbvc is writing, and to which table: for the triggers that guard
 *		base and items.
 *
 * The triggers must know dbvc's own statements from those of others, which may
 * run inside them: a trigger of the user's, a foreign key's action.  Those are
 * deeper in triggers than the statement itself; so a write notes how deep it
 * is.
 *
 * A statement's AFTER triggers would run when it ends, and see a document
 * without its items.  So they wait: in a trigger for the statement that fired
 * it, as they would on the table; otherwise for the end of the write.
 */
#include "document/doc_raw.h"
#include "document/runtime.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "util/errors.h"

static DbvcWriting *writing;
static int depth;
static int room;

static void
at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT ||
		event == XACT_EVENT_PREPARE)
		depth = 0;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId id,
					  SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();

	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (depth > 0 && writing[depth - 1].level >= level)
		depth--;
}

static int
trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

void
dbvc_write_begin(const DbvcAdopted *adopted, DbvcWriteMode mode,
				 bool in_statement)
{
	if (room == 0)
	{
		RegisterXactCallback(at_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
		room = 16;
		writing =
			MemoryContextAlloc(TopMemoryContext, sizeof(DbvcWriting) * room);
	}
	else if (depth == room)
	{
		room *= 2;
		writing = repalloc(writing, sizeof(DbvcWriting) * room);
	}
	memset(&writing[depth], 0, sizeof(DbvcWriting));
	writing[depth].adopted = adopted;
	writing[depth].mode = mode;
	writing[depth].level = GetCurrentTransactionNestLevel();
	writing[depth].trigger_depth = trigger_depth();
	writing[depth].in_statement = in_statement;
	writing[depth].context = CurrentMemoryContext;
	depth++;
	if (!in_statement)
		AfterTriggerBeginQuery();
}

void
dbvc_write_slim(Jsonb *slim)
{
	writing[depth - 1].slim = slim;
}

DbvcWriting *
dbvc_write_current(void)
{
	return depth > 0 ? &writing[depth - 1] : NULL;
}

DbvcWriting *
dbvc_write_of(Oid base, Oid items)
{
	DbvcWriting *current = dbvc_write_current();

	if (current == NULL ||
		(current->adopted->base != base && current->adopted->items != items) ||
		trigger_depth() != current->trigger_depth + 1)
		return NULL;
	return current;
}

void
dbvc_write_end(void)
{
	bool in_statement = writing[depth - 1].in_statement;
	EState *estate;
	bool snapshot;

	Assert(depth > 0);
	depth--;
	if (in_statement)
		return;
	snapshot = !ActiveSnapshotSet();
	if (snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	estate = CreateExecutorState();
	AfterTriggerEndQuery(estate);
	ExecCloseResultRelations(estate);
	ExecResetTupleTable(estate->es_tupleTable, false);
	FreeExecutorState(estate);
	if (snapshot)
		PopActiveSnapshot();
}

void
dbvc_write_check_key(const Datum *key)
{
	const DbvcWriting *current = dbvc_write_current();
	const DbvcAdopted *adopted = current->adopted;

	for (int k = 0; k < adopted->nkeys; k++)
	{
		const DbvcKeyColumn *column = &adopted->key[k];

		if (!column->typbyval &&
			(DatumGetPointer(current->key[k]) == NULL ||
			 !datum_image_eq(key[k], current->key[k], false, column->typlen)))
			break;
		if (column->typbyval && key[k] != current->key[k])
			break;
		if (k == adopted->nkeys - 1)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("a trigger on %s has changed the key of a document while "
					"its items were written",
					adopted->base_name),
			 errdetail("It was %s.", dbvc_adopted_key_text(adopted, key)),
			 errhint("Change the key in a statement of its own.")));
}

/* ------------------------------------------------------------- statements */

/*
 * A plan is kept as text too, and made anew when something has changed: a
 * schema that was renamed meanwhile may have given the name to another table.
 */
static void
check_target(SPIPlanPtr plan, Oid target)
{
	ListCell *cell;

	foreach (cell, SPI_plan_get_plan_sources(plan))
	{
		const CachedPlanSource *source = lfirst(cell);

		if (!list_member_oid(source->relationOids, target))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("a table was renamed while its documents were "
							"written"),
					 errhint("Try the transaction again.")));
	}
}

uint64
dbvc_write_run(SPIPlanPtr plan, Datum *values, const char *nulls, Oid target,
			   bool counted, bool at_once)
{
	MemoryContext context = CurrentMemoryContext;
	/* a write inside the statement may move this one elsewhere */
	DbvcWriting *current = dbvc_write_current();
	const DbvcAdopted *adopted = current->adopted;
	int rc;

	current->fired = 0;
	/* what waits beyond a subtransaction that fails is not taken back */
	if (current->level != GetCurrentTransactionNestLevel())
		at_once = true;
	/* the last argument but one: whether AFTER triggers run at its end */
	rc = SPI_execute_snapshot(plan, values, nulls, InvalidSnapshot,
							  InvalidSnapshot, false, at_once, 0);
	MemoryContextSwitchTo(context);
	if (rc < 0)
		elog(ERROR, "could not write an adopted table: %s",
			 SPI_result_code_string(rc));
	check_target(plan, target);
	if (counted && SPI_processed > 0 && dbvc_write_current()->fired == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("trigger \"%s\" of %s did not run", DBVC_BASE_TRIGGER,
						adopted->base_name),
				 errdetail("It counts the writes of documents."),
				 errhint("Enable it with ALTER TABLE %s ENABLE ALWAYS TRIGGER "
						 "%s.",
						 adopted->base_name, DBVC_BASE_TRIGGER)));
	return SPI_processed;
}

uint64
dbvc_read_run(SPIPlanPtr plan, Datum *values, Oid target, Snapshot snapshot)
{
	MemoryContext context = CurrentMemoryContext;
	int rc =
		SPI_execute_snapshot(plan, values, NULL, snapshot, InvalidSnapshot,
							 snapshot != InvalidSnapshot, true, 0);

	MemoryContextSwitchTo(context);
	if (rc < 0)
		elog(ERROR, "could not read an adopted table: %s",
			 SPI_result_code_string(rc));
	check_target(plan, target);
	return SPI_processed;
}
