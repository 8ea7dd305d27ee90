/*
 * verify.c
 *		Does the record hold, and does the database hold what it says?
 *
 * Checks of a migration: every event's body against its leaf hash, every text
 * against its commitment, every version's checksum recomputed, the state row
 * against the events, and the verify script, run in a subtransaction that is
 * rolled back.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/acl.h"
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
put_answer(Verifier *verifier, const char *id, const char *check, bool known,
		   bool ok, const char *detail)
{
	Datum values[4] = {0};
	bool nulls[4] = {0};

	nulls[0] = id == NULL;
	if (id != NULL)
		values[0] = CStringGetTextDatum(id);
	values[1] = CStringGetTextDatum(check);
	values[2] = BoolGetDatum(ok);
	nulls[2] = !known;
	nulls[3] = detail == NULL;
	if (detail != NULL)
		values[3] = CStringGetTextDatum(detail);
	tuplestore_putvalues(verifier->result->setResult,
						 verifier->result->setDesc, values, nulls);
}

static void
put_row(Verifier *verifier, const char *id, const char *check, bool ok,
		const char *detail)
{
	put_answer(verifier, id, check, true, ok, detail);
}

/* What is wrong with a migration, by one of the checks. */
typedef struct Problem
{
	char *id;
	char *detail;
} Problem;

/*
 * Problems a query finds, as (id, detail) rows; $1 is one id or NULL for all.
 * Whole sets, not one query a migration: there may be ten thousand.
 */
static List *
find_problems(DbvcQuery *query, const char *only)
{
	Datum value = only ? CStringGetTextDatum(only) : (Datum) 0;
	uint64 rows = dbvc_query_run(query, &value, only ? " " : "n", false, 0);
	List *problems = NIL;

	for (uint64 row = 0; row < rows; row++)
	{
		Problem *problem = palloc(sizeof(Problem));

		problem->id = dbvc_row_text(row, 1);
		problem->detail = dbvc_row_text(row, 2);
		problems = lappend(problems, problem);
	}
	SPI_freetuptable(SPI_tuptable);
	return problems;
}

static void
put_check(Verifier *verifier, const char *id, const char *check,
		  const List *problems, const char *prefix, const char *if_fine)
{
	StringInfoData detail;
	ListCell *lc;

	initStringInfo(&detail);
	foreach (lc, problems)
	{
		const Problem *problem = lfirst(lc);

		if (strcmp(problem->id, id) == 0)
			appendStringInfo(&detail, "%s%s", detail.len > 0 ? ", " : prefix,
							 problem->detail);
	}
	if (detail.len > 0)
		put_row(verifier, id, check, false, detail.data);
	else
		put_row(verifier, id, check, true, if_fine);
}

/* Bodies against leaf hashes, texts against commitments, texts that miss. */
static DbvcQuery bad_events = {
	"SELECT COALESCE(dbvc.event_text(e.body, 'migration_id'), "
	"e.migration_id, ''), 'event ' || e.id FROM dbvc.change_event e "
	"WHERE ($1 IS NULL OR $1 = e.migration_id "
	"OR $1 = dbvc.event_text(e.body, 'migration_id')) AND "
	"(dbvc.event_leaf_hash(e.body) IS DISTINCT FROM e.leaf_hash "
	"OR dbvc.event_bigint(e.body, 'id') IS DISTINCT FROM e.id "
	"OR dbvc.event_bigint(e.body, 'inc') IS DISTINCT FROM e.inc "
	"OR dbvc.event_bigint(e.body, 'xid')::text IS DISTINCT FROM e.xid::text "
	"OR dbvc.event_text(e.body, 'event_type') IS DISTINCT FROM e.event_type "
	"OR dbvc.event_text(e.body, 'migration_id') IS DISTINCT FROM "
	"e.migration_id) "
	"UNION ALL SELECT e.migration_id, 'text ' || t.field || ' of event ' || "
	"t.event_id FROM dbvc.change_event_text t JOIN dbvc.change_event e "
	"ON e.id = t.event_id WHERE ($1 IS NULL OR e.migration_id = $1) "
	"AND dbvc.event_bytea(e.body, t.field) IS DISTINCT FROM "
	"sha256(t.salt || convert_to(t.content, 'UTF8')) "
	"UNION ALL SELECT e.migration_id, 'missing text ' || f || ' of event ' || "
	"e.id FROM dbvc.change_event e CROSS JOIN unnest(ARRAY['up_script', "
	"'down_script', 'verify_script', 'description', 'reason', "
	"'error_message', 'error_detail', 'error_hint', 'error_context']) f "
	"WHERE ($1 IS NULL OR e.migration_id = $1) "
	"AND dbvc.event_bytea(e.body, f) IS NOT NULL AND NOT EXISTS "
	"(SELECT 1 FROM dbvc.change_event_text t WHERE t.event_id = e.id "
	"AND t.field = f) ORDER BY 1, 2",
	1,
	{TEXTOID}};

/* A restore with --disable-triggers leaves guards that replicas skip. */
static DbvcQuery bad_guards = {
	"SELECT format('trigger %1$s_guard is not ENABLE ALWAYS: run ALTER TABLE "
	"dbvc.%1$s ENABLE ALWAYS TRIGGER %1$s_guard', t.name) "
	"FROM unnest(ARRAY['change_event', 'change_event_text', 'definition', "
	"'incarnation', 'snapshot_page']) "
	"t(name) WHERE NOT EXISTS (SELECT 1 FROM pg_trigger g "
	"WHERE g.tgrelid = ('dbvc.' || t.name)::regclass "
	"AND g.tgname = t.name || '_guard' AND g.tgenabled = 'A') ORDER BY 1",
	0,
	{0}};

static DbvcQuery bad_checksums = {
	"SELECT v.id, 'version ' || v.version FROM dbvc.migration_version v "
	"WHERE ($1 IS NULL OR v.id = $1) AND v.up_script IS NOT NULL AND "
	"dbvc.migration_checksum(v.up_script, v.down_script, v.verify_script, "
	"v.kind, v.transactional, v.requires) IS DISTINCT FROM v.checksum "
	"ORDER BY v.id, v.version",
	1,
	{TEXTOID}};

#define STATE_COLUMNS \
	"id, version, version_event, checksum, kind, requires, environments, " \
	"applied_version, applied_version_event, applied_event, " \
	"applied_checksum, outcome, run_event, steps_direction, steps_done, " \
	"steps_hash, pending"

static DbvcQuery bad_states = {
	"SELECT COALESCE(s.id, d.id), 'differs from the events; see "
	"dbvc.migration_state_rebuild()' FROM (SELECT " STATE_COLUMNS
	" FROM dbvc.migration_state WHERE $1 IS NULL OR id = $1) s "
	"FULL JOIN (SELECT " STATE_COLUMNS
	" FROM dbvc.migration_state_derived WHERE $1 IS NULL OR id = $1) d "
	"ON s.id = d.id WHERE row(s.*) IS DISTINCT FROM row(d.*)",
	1,
	{TEXTOID}};

typedef struct VerifyScript
{
	const char *id;
	const char *text;
	Oid role; /* run it as */
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
	if (script->needs_steps)
		ereport(ERROR, (errcode(ERRCODE_DBVC_INVALID_SCRIPT),
						errmsg("verify script holds a statement that cannot "
							   "run in a transaction")));
	dbvc_script_user(&userid, &sec_context);
	if (work->role != userid)
		SetUserIdAndSecContext(work->role,
							   sec_context | SECURITY_LOCAL_USERID_CHANGE);
	dbvc_script_execute(script, 0, script->count, NULL, NULL, &work->truth);
	SetUserIdAndSecContext(userid, sec_context);
}

/*
 * Was it the caller's own statement that was cancelled?  A script's timeout,
 * or an error that it raises with that SQLSTATE, must not hide all others.
 */
bool
dbvc_cancels_caller(const ErrorData *error)
{
	if (error->sqlerrcode != ERRCODE_QUERY_CANCELED ||
		error->funcname == NULL ||
		strcmp(error->funcname, "ProcessInterrupts") != 0)
		return false;
	return StatementTimeout > 0 || error->message_id == NULL ||
		   strstr(error->message_id, "statement timeout") == NULL;
}

/* Run a verify script; NULL or what is wrong. */
static char *
run_verify_script(const char *id, const char *text, Oid role)
{
	VerifyScript work = {id, text, role, true};
	int guc_level = NewGUCNestLevel();
	const char *outer = dbvc_script_enter(id);
	ErrorData *error =
		dbvc_subtransaction(execute_verify_script, &work, false);

	dbvc_script_leave(outer);
	AtEOXact_GUC(false, guc_level);
	if (error != NULL && dbvc_cancels_caller(error))
		ReThrowError(error);
	if (error != NULL && error->context != NULL)
		return psprintf("%s (%s)", error->message, error->context);
	if (error != NULL)
		return error->message;
	return work.truth ? NULL : pstrdup("a statement returned false");
}

typedef struct Applied
{
	const char *id;
	DbvcState *state;
	DbvcContent *content;
	char *role; /* who answers for the verify script */
} Applied;

static void
read_applied(void *arg)
{
	Applied *applied = arg;

	applied->state = dbvc_state_read(applied->id, false);
	if (applied->state == NULL || applied->state->applied_version == 0)
		return;
	applied->content =
		dbvc_state_content(applied->state,
						   applied->state->applied_version_event);
	applied->role = dbvc_state_verify_role(applied->state);
}

/*
 * A verify script runs as the role that applied the migration, which has
 * answered for it: a superuser who verifies must not lend it more rights.
 */
static Oid
role_to_verify_as(const Applied *applied)
{
	Oid role = applied->role ? get_role_oid(applied->role, true) : InvalidOid;

	if (OidIsValid(role) && dbvc_can_set_role(GetUserId(), role))
		return role;
	return InvalidOid;
}

static void
verify_script(Verifier *verifier, const char *id)
{
	Applied applied = {.id = id};
	DbvcOwnerScope owner;
	DbvcEvent *event;
	ErrorData *error;
	DbvcState *state;
	char *failure;
	Oid role;

	dbvc_owner_enter(&owner);
	error = dbvc_subtransaction(read_applied, &applied, true);
	dbvc_owner_leave(&owner);
	if (error != NULL)
	{
		put_row(verifier, id, "verify script", false,
				psprintf("not run: %s", error->message));
		return;
	}
	if (applied.content == NULL || applied.content->verify == NULL)
		return;
	state = applied.state;
	role = role_to_verify_as(&applied);
	if (!OidIsValid(role))
	{
		put_answer(
			verifier, id, "verify script", applied.role == NULL, false,
			applied.role == NULL
				? "not run: it is not recorded who applied the migration"
				: psprintf("not run: \"%s\" applied the migration, and "
						   "you are not a member of that role",
						   applied.role));
		return;
	}
	failure = run_verify_script(id, applied.content->verify, role);
	put_row(verifier, id, "verify script", failure == NULL, failure);
	if (XactReadOnly)
		return; /* on a standby, say: the answer is all there can be */

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

/*
 * What there is to verify: ids of the state or of the events (what is gone
 * from one must show), how many events each has, and its newest checksum.
 */
typedef struct Subject
{
	char *id;
	char *events;
	char *checksum;
} Subject;

static int
by_natural_order(const ListCell *a, const ListCell *b)
{
	return dbvc_natural_compare(((Subject *) lfirst(a))->id,
								((Subject *) lfirst(b))->id);
}

static List *
read_subjects(const char *only)
{
	static DbvcQuery query = {
		"SELECT i.id, (SELECT count(*)::text FROM dbvc.change_event e "
		"WHERE e.migration_id = i.id), (SELECT "
		"encode(dbvc.event_bytea(e.body, 'checksum'), 'hex') "
		"FROM dbvc.change_event e WHERE e.migration_id = i.id "
		"AND e.event_type IN ('registered', 'accepted') "
		"ORDER BY e.id DESC LIMIT 1) "
		"FROM (SELECT id FROM dbvc.migration_state UNION "
		"SELECT migration_id FROM dbvc.change_event "
		"WHERE migration_id IS NOT NULL) i WHERE $1 IS NULL OR i.id = $1",
		1,
		{TEXTOID}};
	Datum value = only ? CStringGetTextDatum(only) : (Datum) 0;
	uint64 rows = dbvc_query_run(&query, &value, only ? " " : "n", false, 0);
	List *subjects = NIL;

	for (uint64 row = 0; row < rows; row++)
	{
		Subject *subject = palloc(sizeof(Subject));

		subject->id = dbvc_row_text(row, 1);
		subject->events = dbvc_row_text(row, 2);
		subject->checksum = dbvc_row_text(row, 3);
		subjects = lappend(subjects, subject);
	}
	SPI_freetuptable(SPI_tuptable);
	if (subjects == NIL && only != NULL)
		dbvc_unknown_migration(only);
	list_sort(subjects, by_natural_order);
	return subjects;
}

static int
reversal_order(const ListCell *a, const ListCell *b)
{
	return dbvc_natural_compare(((DbvcReversal *) lfirst(a))->id,
								((DbvcReversal *) lfirst(b))->id);
}

/* Both lists are in the same order: what was found out about the subject is
 * the next answer, or there is none. */
static void
put_reversal(Verifier *verifier, const Subject *subject, const List *reversals,
			 int *next)
{
	const DbvcReversal *reversal;

	if (*next >= list_length(reversals))
		return;
	reversal = list_nth(reversals, *next);
	if (strcmp(reversal->id, subject->id) != 0)
		return;
	put_answer(verifier, subject->id, "reversal", reversal->known,
			   reversal->ok, reversal->detail);
	(*next)++;
}

PG_FUNCTION_INFO_V1(dbvc_migration_verify);
Datum
dbvc_migration_verify(PG_FUNCTION_ARGS)
{
	Verifier verifier = {.role = GetUserId()};
	char *only =
		PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool scripts = PG_ARGISNULL(1) || PG_GETARG_BOOL(1);
	bool reversal = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	DbvcOwnerScope owner;
	List *subjects;
	List *events;
	List *checksums;
	List *states;
	List *guards;
	List *leftovers;
	List *reversals = NIL;
	int next_reversal = 0;
	ListCell *lc;

	dbvc_refuse_in_script(NULL);
	InitMaterializedSRF(fcinfo, 0);
	verifier.result = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	leftovers = dbvc_session_leftovers();
	dbvc_owner_enter(&owner);
	subjects = read_subjects(only);
	events = find_problems(&bad_events, only);
	checksums = find_problems(&bad_checksums, only);
	states = find_problems(&bad_states, only);
	guards = dbvc_query_texts(&bad_guards);
	dbvc_owner_leave(&owner);
	if (reversal)
		reversals = dbvc_verify_reversal(only);
	list_sort(reversals, reversal_order);
	foreach (lc, subjects)
	{
		const Subject *subject = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		put_check(&verifier, subject->id, "events", events,
				  "does not match its hash: ", subject->events);
		put_check(&verifier, subject->id, "checksum", checksums,
				  "recomputed checksum differs: ", subject->checksum);
		put_check(&verifier, subject->id, "state", states, "", NULL);
		if (scripts)
			verify_script(&verifier, subject->id);
		put_reversal(&verifier, subject, reversals, &next_reversal);
	}
	foreach (lc, events)
	{
		const Problem *problem = lfirst(lc);

		if (problem->id[0] == '\0')
			put_row(&verifier, NULL, "events", false, problem->detail);
	}
	foreach (lc, guards)
		put_row(&verifier, NULL, "guard", false, lfirst(lc));
	dbvc_warn_leftovers(leftovers);
	SPI_finish();
	return (Datum) 0;
}
