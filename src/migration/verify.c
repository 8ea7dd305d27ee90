/*
 * verify.c
 *		Does the record hold, and does the database hold what it says?
 *
 * Checks of a migration: every event's body against its leaf hash, every text
 * against its commitment, every version's checksum recomputed, the state row
 * against the events, and the verify script, run as the caller in a
 * subtransaction that is rolled back.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

typedef struct Verifier
{
	ReturnSetInfo *result;
	Oid role;
} Verifier;

static void
put_row(Verifier *verifier, const char *id, const char *check, bool ok,
		const char *detail)
{
	Datum values[4] = {0};
	bool nulls[4] = {0};

	values[0] = CStringGetTextDatum(id);
	values[1] = CStringGetTextDatum(check);
	values[2] = BoolGetDatum(ok);
	nulls[3] = detail == NULL;
	if (detail != NULL)
		values[3] = CStringGetTextDatum(detail);
	tuplestore_putvalues(verifier->result->setResult,
						 verifier->result->setDesc, values, nulls);
}

/* Bodies against leaf hashes, and texts against commitments. */
static void
verify_events(Verifier *verifier, const char *id)
{
	static DbvcQuery query = {
		"SELECT string_agg(bad.what, ', ' ORDER BY bad.what), "
		"(SELECT count(*) FROM dbvc.change_event WHERE migration_id = $1) "
		"FROM (SELECT 'event ' || e.id AS what FROM dbvc.change_event e "
		"WHERE e.migration_id = $1 AND (dbvc.event_leaf_hash(e.body) IS "
		"DISTINCT FROM e.leaf_hash OR dbvc.event_bigint(e.body, 'id') IS "
		"DISTINCT FROM e.id OR dbvc.event_bigint(e.body, 'inc') IS DISTINCT "
		"FROM e.inc OR dbvc.event_bigint(e.body, 'xid')::text IS DISTINCT "
		"FROM e.xid::text) "
		"UNION ALL SELECT 'text ' || t.field || ' of event ' || t.event_id "
		"FROM dbvc.change_event e JOIN dbvc.change_event_text t "
		"ON t.event_id = e.id WHERE e.migration_id = $1 AND "
		"dbvc.event_bytea(e.body, t.field) IS DISTINCT FROM "
		"sha256(t.salt || convert_to(t.content, 'UTF8')) "
		"UNION ALL SELECT 'missing text ' || f || ' of event ' || e.id "
		"FROM dbvc.change_event e CROSS JOIN unnest(ARRAY['up_script', "
		"'down_script', 'verify_script', 'description', 'reason', "
		"'error_message', 'error_detail', 'error_hint', 'error_context']) f "
		"WHERE e.migration_id = $1 AND dbvc.event_bytea(e.body, f) IS NOT "
		"NULL "
		"AND NOT EXISTS (SELECT 1 FROM dbvc.change_event_text t "
		"WHERE t.event_id = e.id AND t.field = f)) bad",
		1,
		{TEXTOID}};
	Datum value = CStringGetTextDatum(id);
	char *bad;
	int64 count;

	(void) dbvc_query_run(&query, &value, NULL, false, 1);
	bad = dbvc_row_text(0, 1);
	count = dbvc_row_int64(0, 2, 0);
	SPI_freetuptable(SPI_tuptable);
	put_row(verifier, id, "events", bad == NULL,
			bad ? psprintf("does not match its hash: %s", bad)
				: psprintf("%lld", (long long) count));
}

static void
verify_checksum(Verifier *verifier, const char *id)
{
	static DbvcQuery query = {
		"SELECT string_agg('version ' || v.version, ', ' ORDER BY v.version) "
		"FILTER (WHERE v.up_script IS NOT NULL AND "
		"dbvc.migration_checksum(v.up_script, v.down_script, "
		"v.verify_script, v.kind, v.transactional, v.requires) "
		"IS DISTINCT FROM v.checksum), "
		"encode((array_agg(v.checksum ORDER BY v.version DESC))[1], 'hex') "
		"FROM dbvc.migration_version v WHERE v.id = $1",
		1,
		{TEXTOID}};
	Datum value = CStringGetTextDatum(id);
	char *bad;
	char *newest;

	(void) dbvc_query_run(&query, &value, NULL, false, 1);
	bad = dbvc_row_text(0, 1);
	newest = dbvc_row_text(0, 2);
	SPI_freetuptable(SPI_tuptable);
	put_row(verifier, id, "checksum", bad == NULL,
			bad ? psprintf("recomputed checksum differs: %s", bad) : newest);
}

static void
verify_state(Verifier *verifier, const char *id)
{
#define STATE_COLUMNS \
	"id, version, version_event, checksum, kind, requires, environments, " \
	"applied_version, applied_version_event, applied_event, " \
	"applied_checksum, outcome, run_event, steps_direction, steps_done, " \
	"steps_hash"
	static DbvcQuery query = {
		"SELECT NOT EXISTS (SELECT 1 FROM (SELECT " STATE_COLUMNS
		" FROM dbvc.migration_state WHERE id = $1) s "
		"FULL JOIN (SELECT " STATE_COLUMNS
		" FROM dbvc.migration_state_derived WHERE id = $1) d "
		"ON s.id = d.id WHERE row(s.*) IS DISTINCT FROM row(d.*))",
		1,
		{TEXTOID}};
	Datum value = CStringGetTextDatum(id);
	bool same;

	(void) dbvc_query_run(&query, &value, NULL, false, 1);
	same = dbvc_row_bool(0, 1, false);
	SPI_freetuptable(SPI_tuptable);
	put_row(verifier, id, "state", same,
			same ? NULL
				 : "differs from the events; see "
				   "dbvc.migration_state_rebuild()");
}

typedef struct VerifyScript
{
	const char *id;
	const char *text;
	bool truth;
} VerifyScript;

static void
execute_verify_script(void *arg)
{
	VerifyScript *work = arg;
	DbvcScript *script = dbvc_script_new(work->id, "verify", work->text);
	Oid userid;
	int sec_context;

	dbvc_script_split(script);
	if (script->has_toplevel)
		ereport(ERROR, (errcode(ERRCODE_DBVC_INVALID_SCRIPT),
						errmsg("verify script holds a statement that cannot "
							   "run in a transaction")));
	dbvc_script_user(&userid, &sec_context);
	dbvc_script_execute(script, 0, script->count, NULL, NULL, &work->truth);
	SetUserIdAndSecContext(userid, sec_context);
}

/* Run the verify script as the caller; NULL or what is wrong. */
static char *
run_verify_script(DbvcState *state, const char *text)
{
	VerifyScript work = {state->id, text, true};
	int guc_level = NewGUCNestLevel();
	bool outer = dbvc_script_enter();
	ErrorData *error =
		dbvc_subtransaction(execute_verify_script, &work, false);

	dbvc_script_leave(outer);
	AtEOXact_GUC(false, guc_level);
	if (error != NULL && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	if (error != NULL && error->context != NULL)
		return psprintf("%s (%s)", error->message, error->context);
	if (error != NULL)
		return error->message;
	return work.truth ? NULL : pstrdup("a statement returned false");
}

typedef struct ReadContent
{
	DbvcState *state;
	DbvcContent *content;
} ReadContent;

static void
read_content(void *arg)
{
	ReadContent *work = arg;

	work->content =
		dbvc_state_content(work->state, work->state->applied_version_event);
}

static void
verify_script(Verifier *verifier, DbvcState *state)
{
	ReadContent work = {.state = state};
	DbvcOwnerScope owner;
	DbvcContent *content;
	DbvcEvent *event;
	ErrorData *error;
	char *failure;

	if (state->applied_version == 0)
		return;
	dbvc_owner_enter(&owner);
	error = dbvc_subtransaction(read_content, &work, true);
	dbvc_owner_leave(&owner);
	if (error != NULL)
	{
		put_row(verifier, state->id, "verify script", false,
				psprintf("not run: %s", error->message));
		return;
	}
	content = work.content;
	if (content->verify == NULL)
		return;
	failure = run_verify_script(state, content->verify);
	put_row(verifier, state->id, "verify script", failure == NULL, failure);

	dbvc_owner_enter(&owner);
	event = dbvc_event_begin("verified", verifier->role);
	dbvc_event_text(event, DBVC_EVENT_MIGRATION_ID, state->id);
	dbvc_event_int(event, DBVC_EVENT_VERSION, state->applied_version);
	dbvc_event_bytes(event, DBVC_EVENT_CHECKSUM, state->applied_checksum,
					 DBVC_SHA256_LEN);
	if (failure != NULL)
	{
		dbvc_event_text(event, DBVC_EVENT_ERROR_SQLSTATE,
						unpack_sql_state(ERRCODE_DBVC_VERIFY_FAILED));
		dbvc_event_text(event, DBVC_EVENT_ERROR_MESSAGE, failure);
	}
	(void) dbvc_event_append(event);
	dbvc_owner_leave(&owner);
}

static int
by_name(const ListCell *a, const ListCell *b)
{
	return dbvc_natural_compare(lfirst(a), lfirst(b));
}

/* Ids in the state or in the events: what is gone from one must show. */
static List *
ids_to_verify(const char *only)
{
	static DbvcQuery query = {
		"SELECT id FROM dbvc.migration_state WHERE $1 IS NULL OR id = $1 "
		"UNION SELECT migration_id FROM dbvc.change_event WHERE "
		"migration_id IS NOT NULL AND ($1 IS NULL OR migration_id = $1)",
		1,
		{TEXTOID}};
	Datum value = only ? CStringGetTextDatum(only) : (Datum) 0;
	uint64 rows = dbvc_query_run(&query, &value, only ? " " : "n", false, 0);
	List *ids = NIL;

	for (uint64 row = 0; row < rows; row++)
		ids = lappend(ids, dbvc_row_text(row, 1));
	SPI_freetuptable(SPI_tuptable);
	if (ids == NIL && only != NULL)
		dbvc_unknown_migration(only);
	list_sort(ids, by_name);
	return ids;
}

PG_FUNCTION_INFO_V1(dbvc_migration_verify);
Datum
dbvc_migration_verify(PG_FUNCTION_ARGS)
{
	Verifier verifier = {.role = GetUserId()};
	char *only =
		PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool scripts = PG_ARGISNULL(1) || PG_GETARG_BOOL(1);
	DbvcOwnerScope owner;
	List *ids;
	ListCell *lc;

	dbvc_refuse_in_script();
	InitMaterializedSRF(fcinfo, 0);
	verifier.result = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	dbvc_owner_enter(&owner);
	ids = ids_to_verify(only);
	dbvc_owner_leave(&owner);
	foreach (lc, ids)
	{
		const char *id = lfirst(lc);
		DbvcState *state;

		CHECK_FOR_INTERRUPTS();
		dbvc_owner_enter(&owner);
		verify_events(&verifier, id);
		verify_checksum(&verifier, id);
		verify_state(&verifier, id);
		state = dbvc_state_read(id, false);
		dbvc_owner_leave(&owner);
		if (state != NULL && scripts)
			verify_script(&verifier, state);
	}
	SPI_finish();
	return (Datum) 0;
}
