/*
 * execute.c
 *		The one executor of scripts.
 *
 * Statements run through portals as they do at top level, not through SPI:
 * error positions stay those of the statement, no context line repeats its
 * text, and event triggers and hooks see complete queries.  Each statement is
 * parsed when its turn comes, so that it sees what the ones before it did.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "storage/proc.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

/*
 * A receiver for verify scripts: remembers whether a row said false.
 */
typedef struct TruthReceiver
{
	DestReceiver pub;
	bool *truth;
	bool boolean; /* first column is boolean */
} TruthReceiver;

static void
truth_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	((TruthReceiver *) self)->boolean =
		typeinfo->natts > 0 && TupleDescAttr(typeinfo, 0)->atttypid == BOOLOID;
}

static bool
truth_receive(TupleTableSlot *slot, DestReceiver *self)
{
	TruthReceiver *receiver = (TruthReceiver *) self;
	bool isnull;

	if (receiver->boolean)
	{
		Datum value = slot_getattr(slot, 1, &isnull);

		if (isnull || !DatumGetBool(value))
			*receiver->truth = false;
	}
	return true;
}

static void
truth_shutdown(DestReceiver *self)
{
}

static DestReceiver *
truth_receiver(bool *truth)
{
	TruthReceiver *receiver = palloc0(sizeof(TruthReceiver));

	receiver->pub.receiveSlot = truth_receive;
	receiver->pub.rStartup = truth_startup;
	receiver->pub.rShutdown = truth_shutdown;
	receiver->pub.rDestroy = truth_shutdown;
	receiver->pub.mydest = DestNone;
	receiver->truth = truth;
	return &receiver->pub;
}

void
dbvc_execute_statement(RawStmt *raw, const char *source, bool toplevel,
					   DestReceiver *dest)
{
	bool snapshot_set = false;
	List *querytrees;
	List *plantrees;
	Portal portal;

	if (analyze_requires_snapshot(raw))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		snapshot_set = true;
	}
	querytrees =
		pg_analyze_and_rewrite_fixedparams(raw, source, NULL, 0, NULL);
	plantrees =
		pg_plan_queries(querytrees, source, CURSOR_OPT_PARALLEL_OK, NULL);
	if (snapshot_set)
		PopActiveSnapshot();

	portal = CreateNewPortal();
	portal->visible = false;
	PortalDefineQuery(portal, NULL, source, CreateCommandTag(raw->stmt),
					  plantrees, NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	(void) dbvc_portal_run(portal, toplevel, dest, NULL);
	PortalDrop(portal, false);
}

/*
 * A statement timeout that the script set counts per statement, as it would
 * in psql; the timeout under which the caller's own statement runs stays
 * armed and may only be shortened.
 */
typedef struct StatementTimer
{
	bool outer_armed;
	TimestampTz outer_at;
	int outer_setting;
} StatementTimer;

static void
timer_remember(StatementTimer *timer)
{
	timer->outer_armed = get_timeout_active(STATEMENT_TIMEOUT);
	if (timer->outer_armed)
		timer->outer_at = get_timeout_finish_time(STATEMENT_TIMEOUT);
	timer->outer_setting = StatementTimeout;
}

static void
timer_restore(const StatementTimer *timer)
{
	if (timer->outer_armed)
		enable_timeout_at(STATEMENT_TIMEOUT, timer->outer_at);
	else
		disable_timeout(STATEMENT_TIMEOUT, false);
}

/* Returns whether a timer was armed that timer_restore() must undo. */
static bool
timer_start(const StatementTimer *timer)
{
	TimestampTz at;

	if (StatementTimeout <= 0 || StatementTimeout == timer->outer_setting)
		return false;
	at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), StatementTimeout);
	if (timer->outer_armed && timer->outer_at < at)
		return false;
	enable_timeout_at(STATEMENT_TIMEOUT, at);
	return true;
}

static void
execute_one(DbvcScript *script, int number, DestReceiver *dest)
{
	const DbvcStatement *statement = &script->statements[number];
	char *source = dbvc_statement_text(script, number);
	RawStmt *raw;

	script->current = number;
	script->base = statement->start;
	pgstat_report_activity(STATE_RUNNING, source);
	raw = linitial_node(RawStmt, raw_parser(source, RAW_PARSE_DEFAULT));
	if (statement->kind == DBVC_STATEMENT_COPY)
		dbvc_copy_from_script(castNode(CopyStmt, raw->stmt), source,
							  script->text + statement->data_start,
							  statement->data_end - statement->data_start);
	else
		dbvc_execute_statement(raw, source, false, dest);
	CommandCounterIncrement();
}

void
dbvc_script_execute(DbvcScript *script, int from, int to,
					DbvcAfterStatement after, void *arg, bool *truth)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc statement",
							  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	StatementTimer timer;
	volatile bool armed = false;

	timer_remember(&timer);
	dbvc_script_error_begin(script);
	PG_TRY();
	{
		for (int i = from; i < to; i++)
		{
			DestReceiver *dest = None_Receiver;

			CHECK_FOR_INTERRUPTS();
			old = MemoryContextSwitchTo(context);
			if (truth != NULL)
				dest = truth_receiver(truth);
			armed = timer_start(&timer);
			execute_one(script, i, dest);
			if (armed)
				timer_restore(&timer);
			armed = false;
			MemoryContextSwitchTo(old);
			if (after != NULL)
				after(script, i, arg);
			MemoryContextReset(context);
		}
	}
	PG_CATCH();
	{
		/* the caller's own deadline, or none, counts again */
		if (armed)
			timer_restore(&timer);
		PG_RE_THROW();
	}
	PG_END_TRY();
	dbvc_script_error_end(script);
	/* a notice passes through the same callback: it was no error */
	script->error_statement = 0;
	script->error_line = 0;
	script->error_column = 0;
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
	MemoryContextDelete(context);
}

void
dbvc_script_replay_settings(DbvcScript *script, int to)
{
	int current = script->current;

	dbvc_script_error_begin(script);
	for (int i = 0; i < to; i++)
	{
		if (script->statements[i].is_setting)
			execute_one(script, i, None_Receiver);
	}
	dbvc_script_error_end(script);
	script->current = current;
}
