/*
 * record.c
 *		Events about runs, and the state that follows from them.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#define SCOPE_DATABASE ""

const char *
dbvc_direction_name(DbvcDirection direction)
{
	return direction == DBVC_UP ? "up" : "down";
}

void
dbvc_done_hash(const DbvcScript *script, int done, uint8 out[DBVC_SHA256_LEN])
{
	const char separator = ';';
	DbvcPiece *pieces = palloc(Max(done, 1) * 3 * sizeof(DbvcPiece));
	int n = 0;

	for (int i = 0; i < done; i++)
	{
		const DbvcStatement *statement = &script->statements[i];

		pieces[n].data = script->text + statement->start;
		pieces[n++].len = statement->end - statement->start;
		pieces[n].data = &separator;
		pieces[n++].len = 1;
		pieces[n].data = script->text + statement->data_start;
		pieces[n++].len = statement->data_end - statement->data_start;
	}
	dbvc_sha256(pieces, n, out);
	pfree(pieces);
}

static DbvcEvent *
begin_run_event(const char *event_type, const DbvcRun *run)
{
	DbvcEvent *event = dbvc_event_begin(event_type, run->role);

	dbvc_event_text(event, DBVC_EVENT_MIGRATION_ID, run->state->id);
	dbvc_event_int(event, DBVC_EVENT_VERSION, run->version);
	dbvc_event_bytes(event, DBVC_EVENT_CHECKSUM, run->checksum,
					 DBVC_SHA256_LEN);
	dbvc_event_text(event, DBVC_EVENT_DIRECTION,
					dbvc_direction_name(run->direction));
	dbvc_event_text(event, DBVC_EVENT_SCOPE, SCOPE_DATABASE);
	dbvc_event_time(event, DBVC_EVENT_STARTED_AT, run->started_at);
	if (run->started_event != 0)
		dbvc_event_int(event, DBVC_EVENT_STARTED_EVENT, run->started_event);
	if (run->plan_hash != NULL)
		dbvc_event_bytes(event, DBVC_EVENT_PLAN_HASH, run->plan_hash,
						 DBVC_SHA256_LEN);
	return event;
}

/*
 * Where the database does not know its encoding, a message may hold bytes that
 * are no UTF-8; that must not be in the way of recording it.
 */
static const char *
recordable(const char *text)
{
	char *copy;

	if (text == NULL || GetDatabaseEncoding() != PG_SQL_ASCII ||
		pg_verify_mbstr(PG_UTF8, text, strlen(text), true))
		return text;
	copy = pstrdup(text);
	for (char *at = copy; *at != '\0'; at++)
	{
		if (IS_HIGHBIT_SET(*at))
			*at = '?';
	}
	return copy;
}

static void
put_error(DbvcEvent *event, const DbvcRun *run)
{
	const ErrorData *error = run->error;

	if (error == NULL)
		return;
	dbvc_event_text(event, DBVC_EVENT_ERROR_SQLSTATE,
					unpack_sql_state(error->sqlerrcode));
	if (run->script->error_statement > 0)
		dbvc_event_int(event, DBVC_EVENT_ERROR_STATEMENT,
					   run->script->error_statement);
	if (run->script->error_line > 0)
	{
		dbvc_event_int(event, DBVC_EVENT_ERROR_LINE, run->script->error_line);
		dbvc_event_int(event, DBVC_EVENT_ERROR_COLUMN,
					   run->script->error_column);
	}
	dbvc_event_text(event, DBVC_EVENT_ERROR_MESSAGE,
					recordable(error->message));
	dbvc_event_text(event, DBVC_EVENT_ERROR_DETAIL, recordable(error->detail));
	dbvc_event_text(event, DBVC_EVENT_ERROR_HINT, recordable(error->hint));
	dbvc_event_text(event, DBVC_EVENT_ERROR_CONTEXT,
					recordable(error->context));
}

/* Migrations that the baseline just applied stands for. */
static void
record_covered(const DbvcRun *run)
{
	ListCell *lc;

	foreach (lc, run->covered)
	{
		DbvcState *state = lfirst(lc);
		DbvcEvent *event = dbvc_event_begin("baselined", run->role);
		int64 event_id;

		dbvc_event_text(event, DBVC_EVENT_MIGRATION_ID, state->id);
		dbvc_event_int(event, DBVC_EVENT_VERSION, state->version);
		dbvc_event_bytes(event, DBVC_EVENT_CHECKSUM, state->checksum,
						 DBVC_SHA256_LEN);
		dbvc_event_text(event, DBVC_EVENT_REASON,
						psprintf("covered by baseline \"%s\"",
								 run->state->id));
		event_id = dbvc_event_append(event);
		dbvc_state_applied(state->id, state->version, state->version_event,
						   state->checksum, "baselined", event_id, event_id);
	}
}

int64
dbvc_record_end(DbvcRun *run)
{
	const char *event_type = "failed";
	DbvcOwnerScope owner;
	DbvcEvent *event;
	int64 event_id;

	if (run->error == NULL)
		event_type = run->direction == DBVC_UP ? "completed" : "rolled_back";
	dbvc_owner_enter(&owner);
	event = begin_run_event(event_type, run);
	dbvc_event_int(event, DBVC_EVENT_STATEMENTS, run->statements);
	put_error(event, run);
	event_id = dbvc_event_append(event);
	if (run->error != NULL)
		dbvc_state_outcome(run->state->id, event_type, event_id);
	else if (run->direction == DBVC_UP)
	{
		record_covered(run);
		dbvc_state_applied(run->state->id, run->version, run->version_event,
						   run->checksum, event_type, event_id, event_id);
	}
	else
		dbvc_state_rolled_back(run->state->id, event_id);
	dbvc_owner_leave(&owner);
	return event_id;
}

void
dbvc_record_interrupted(DbvcRun *run)
{
	DbvcOwnerScope owner;
	DbvcEvent *event;

	run->started_event = run->state->run_event;
	dbvc_owner_enter(&owner);
	event = begin_run_event("interrupted", run);
	dbvc_event_int(event, DBVC_EVENT_STATEMENTS, run->state->steps_done);
	(void) dbvc_event_append(event);
	dbvc_owner_leave(&owner);
	run->started_event = 0;
}

void
dbvc_record_started(DbvcRun *run, int done)
{
	DbvcOwnerScope owner;
	DbvcEvent *event;

	dbvc_owner_enter(&owner);
	event = begin_run_event("started", run);
	dbvc_event_int(event, DBVC_EVENT_STATEMENTS, done);
	run->started_event = dbvc_event_append(event);
	dbvc_state_outcome(run->state->id, "started", run->started_event);
	dbvc_owner_leave(&owner);
}

void
dbvc_record_step(DbvcRun *run, int done)
{
	uint8 hash[DBVC_SHA256_LEN];
	DbvcOwnerScope owner;
	DbvcEvent *event;

	dbvc_done_hash(run->script, done, hash);
	dbvc_owner_enter(&owner);
	event = begin_run_event("step_completed", run);
	dbvc_event_int(event, DBVC_EVENT_STATEMENTS, done);
	dbvc_event_bytes(event, DBVC_EVENT_DONE_HASH, hash, sizeof(hash));
	(void) dbvc_event_append(event);
	dbvc_state_steps(run->state->id, run->direction, done, hash);
	dbvc_owner_leave(&owner);
}

void
dbvc_record_dry_run(DbvcRun *run, const char *locks, const char *detail)
{
	DbvcOwnerScope owner;
	DbvcEvent *event;

	dbvc_owner_enter(&owner);
	event = begin_run_event("dry_run", run);
	dbvc_event_int(event, DBVC_EVENT_STATEMENTS, run->statements);
	put_error(event, run);
	dbvc_event_text(event, DBVC_EVENT_LOCKS, locks);
	dbvc_event_text(event, DBVC_EVENT_DETAIL, detail);
	(void) dbvc_event_append(event);
	dbvc_owner_leave(&owner);
}

void
dbvc_record_rehearsal(DbvcRun *back)
{
	DbvcOwnerScope owner;
	DbvcEvent *event;

	dbvc_owner_enter(&owner);
	event = begin_run_event("rehearsed", back);
	dbvc_event_int(event, DBVC_EVENT_STATEMENTS, back->statements);
	put_error(event, back);
	(void) dbvc_event_append(event);
	dbvc_owner_leave(&owner);
}

/*
 * A second cancel request may come while the failure is written down that the
 * first has led to: PostgreSQL signals a backend and its process group, and
 * people press Ctrl-C twice.
 */
static void
record_undisturbed(DbvcRun *run, bool rehearsal)
{
	uint32 held = QueryCancelHoldoffCount;

	QueryCancelHoldoffCount = held + 1;
	if (rehearsal)
		dbvc_record_rehearsal(run);
	else
		(void) dbvc_record_end(run);
	SPI_commit();
	QueryCancelPending = false;
	QueryCancelHoldoffCount = held;
}

void
dbvc_record_failure(DbvcRun *run)
{
	record_undisturbed(run, false);
}

void
dbvc_record_failed_rehearsal(DbvcRun *back)
{
	record_undisturbed(back, true);
}
