/*
 * register.c
 *		Registering is data: a content is checked, hashed and recorded; nothing
 *		of it runs.
 */
#include "migration/migration.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define ID_MAX 200
#define SORT_KEY_MAX 2000

/* Positions of the arguments of migration_register() and _accept(). */
enum
{
	ARG_ID,
	ARG_UP,
	ARG_DOWN,
	ARG_VERIFY,
	ARG_DESCRIPTION,
	ARG_AUTHOR,
	ARG_REQUIRES,
	ARG_ENVIRONMENTS,
	ARG_KIND,
	ARG_TRANSACTIONAL,
	ARG_SOURCE,
	ARG_SORT_KEY,
	ARG_KEEP,			   /* of register */
	ARG_REASON = ARG_KEEP, /* of accept */
	ARG_EXACT,
};

static void
check_id(const char *id, const char *what)
{
	Size len = strlen(id);
	bool valid = len >= 1 && len <= ID_MAX;

	for (const char *at = id; valid && *at != '\0'; at++)
		valid = (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') ||
				(*at >= '0' && *at <= '9') ||
				(at > id && strchr("_.:+-", *at) != NULL);
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_INVALID_ID),
				 errmsg("%s \"%s\" is not valid", what, id),
				 errhint("An id has 1 to 200 letters, digits, _ . : + or -, "
						 "and begins with a letter or digit.")));
}

static char *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static char *
required_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"%s\" must not be null", name)));
	return text_argument(fcinfo, n);
}

static int
by_bytes(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* A set of names: sorted by bytes, each once. */
static List *
name_set(FunctionCallInfo fcinfo, int n)
{
	List *names;
	List *result = NIL;
	ListCell *lc;

	if (PG_ARGISNULL(n))
		return NIL;
	names = dbvc_text_array_list(PG_GETARG_ARRAYTYPE_P(n));
	list_sort(names, by_bytes);
	foreach (lc, names)
	{
		if (result == NIL || strcmp(llast(result), lfirst(lc)) != 0)
			result = lappend(result, lfirst(lc));
	}
	return result;
}

/* It is read whole with each plan. */
static void
check_sort_key(const char *key)
{
	if (key != NULL && (key[0] == '\0' || strlen(key) > SORT_KEY_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("sort key is not valid"),
				 errhint("A sort key has 1 to %d bytes.", SORT_KEY_MAX)));
}

static void
check_kind(const DbvcContent *content)
{
	if (strcmp(content->kind, DBVC_KIND_VERSIONED) != 0 &&
		strcmp(content->kind, DBVC_KIND_REPEATABLE) != 0 &&
		strcmp(content->kind, DBVC_KIND_BASELINE) != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("kind \"%s\" does not exist", content->kind),
						errhint("Kinds are versioned, repeatable and "
								"baseline.")));
}

static DbvcContent *
content_from_arguments(FunctionCallInfo fcinfo)
{
	DbvcContent *content = palloc0(sizeof(DbvcContent));
	ListCell *lc;

	content->id = required_argument(fcinfo, ARG_ID, "id");
	check_id(content->id, "migration id");
	content->up = required_argument(fcinfo, ARG_UP, "up_script");
	content->down = text_argument(fcinfo, ARG_DOWN);
	content->verify = text_argument(fcinfo, ARG_VERIFY);
	content->description = text_argument(fcinfo, ARG_DESCRIPTION);
	content->author = text_argument(fcinfo, ARG_AUTHOR);
	content->kind = text_argument(fcinfo, ARG_KIND);
	content->sort_key = text_argument(fcinfo, ARG_SORT_KEY);
	check_sort_key(content->sort_key);
	content->requires = name_set(fcinfo, ARG_REQUIRES);
	foreach (lc, content->requires)
	{
		check_id(lfirst(lc), "required migration");
		if (strcmp(lfirst(lc), content->id) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DBVC_CYCLE),
					 errmsg("migration \"%s\" requires itself", content->id)));
	}
	content->environments = name_set(fcinfo, ARG_ENVIRONMENTS);
	content->has_transactional = !PG_ARGISNULL(ARG_TRANSACTIONAL);
	if (content->has_transactional)
		content->transactional = PG_GETARG_BOOL(ARG_TRANSACTIONAL);
	if (!PG_ARGISNULL(ARG_SOURCE))
		content->source = PG_GETARG_BYTEA_PP(ARG_SOURCE);
	return content;
}

static void
check_script_transactional(const DbvcContent *content, const char *label,
						   const char *text)
{
	DbvcScript *script;

	if (text == NULL)
		return;
	script = dbvc_script_new(content->id, label, text);
	dbvc_script_split(script);
	for (int i = 0; i < script->count; i++)
	{
		const DbvcStatement *statement = &script->statements[i];

		if (statement->kind == DBVC_STATEMENT_TOPLEVEL ||
			statement->after_commit)
			ereport(ERROR,
					(errcode(ERRCODE_DBVC_INVALID_SCRIPT),
					 errmsg("migration \"%s\" is declared transactional, but "
							"statement %d of its %s script, line %d, %s",
							content->id, i + 1, label, statement->line,
							statement->after_commit
								? "comes after a COMMIT"
								: "cannot run in a transaction"),
					 errhint("Leave transactional out: the script is then run "
							 "in steps.")));
	}
}

/* transactional => true with a statement that cannot: known now, said now. */
static void
check_transactional(const DbvcContent *content)
{
	if (!content->has_transactional || !content->transactional)
		return;
	check_script_transactional(content, "up", content->up);
	check_script_transactional(content, "down", content->down);
}

static int64
record_version(const char *event_type, const DbvcContent *content,
			   int64 version, Oid role, const char *reason)
{
	DbvcEvent *event = dbvc_event_begin(event_type, role);

	dbvc_event_text(event, DBVC_EVENT_MIGRATION_ID, content->id);
	dbvc_event_int(event, DBVC_EVENT_VERSION, version);
	dbvc_event_bytes(event, DBVC_EVENT_CHECKSUM, content->checksum,
					 DBVC_SHA256_LEN);
	dbvc_event_int(event, DBVC_EVENT_CHECKSUM_VERSION, DBVC_CHECKSUM_VERSION);
	dbvc_event_text(event, DBVC_EVENT_KIND, content->kind);
	if (content->has_transactional)
		dbvc_event_bool(event, DBVC_EVENT_TRANSACTIONAL,
						content->transactional);
	dbvc_event_list(event, DBVC_EVENT_REQUIRES, content->requires);
	dbvc_event_list(event, DBVC_EVENT_ENVIRONMENTS, content->environments);
	dbvc_event_text(event, DBVC_EVENT_AUTHOR, content->author);
	dbvc_event_text(event, DBVC_EVENT_SORT_KEY, content->sort_key);
	if (content->source != NULL)
	{
		DbvcPiece piece = {VARDATA_ANY(content->source),
						   VARSIZE_ANY_EXHDR(content->source)};
		uint8 hash[DBVC_SHA256_LEN];

		dbvc_sha256(&piece, 1, hash);
		dbvc_event_bytes(event, DBVC_EVENT_SOURCE_HASH, hash, sizeof(hash));
	}
	dbvc_event_text(event, DBVC_EVENT_UP_SCRIPT, content->up);
	dbvc_event_text(event, DBVC_EVENT_DOWN_SCRIPT, content->down);
	dbvc_event_text(event, DBVC_EVENT_VERIFY_SCRIPT, content->verify);
	dbvc_event_text(event, DBVC_EVENT_DESCRIPTION, content->description);
	dbvc_event_text(event, DBVC_EVENT_REASON, reason);
	dbvc_event_text(event, DBVC_EVENT_VERIFY_ROLE, content->verify_role);
	return dbvc_event_append(event);
}

DBVC_NORETURN static void
content_changed(const DbvcState *state, const DbvcContent *content)
{
	ereport(ERROR,
			(errcode(ERRCODE_DBVC_CONTENT_CHANGED),
			 errmsg("content of applied migration \"%s\" has changed",
					state->id),
			 errdetail("Applied version %lld has checksum %s; the new content "
					   "has %s.",
					   (long long) state->applied_version,
					   dbvc_hex(state->applied_checksum, DBVC_SHA256_LEN),
					   dbvc_hex(content->checksum, DBVC_SHA256_LEN)),
			 errhint("Put the change into a new migration; or, if it changes "
					 "nothing in the database, accept it with "
					 "dbvc.migration_accept(id => '%s', up_script => ..., "
					 "reason => ...).",
					 state->id)));
}

static void
check_not_running(const DbvcState *state)
{
	if (state->outcome != NULL && strcmp(state->outcome, "started") == 0 &&
		dbvc_run_lock_busy(dbvc_extension_oid()))
		ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
						errmsg("migration \"%s\" is running", state->id),
						errhint("Register the change when it has ended.")));
}

/* May a new content of this migration be registered? */
static void
check_may_change(const DbvcState *state, const DbvcContent *content)
{
	if (state->applied_version != 0 &&
		(strcmp(state->kind, DBVC_KIND_REPEATABLE) != 0 ||
		 strcmp(content->kind, DBVC_KIND_REPEATABLE) != 0))
		content_changed(state, content);
}

static bool
same_checksum(const DbvcState *state, const DbvcContent *content)
{
	return memcmp(state->checksum, content->checksum, DBVC_SHA256_LEN) == 0;
}

/* Nothing to record: neither what it does nor where and when it applies
 * differs. */
static bool
is_known(const DbvcState *state, const DbvcContent *content)
{
	return !state->withdrawn && same_checksum(state, content) &&
		   (content->sort_key == NULL ||
			(state->sort_key != NULL &&
			 strcmp(state->sort_key, content->sort_key) == 0)) &&
		   strcmp(dbvc_join_all(state->environments),
				  dbvc_join_all(content->environments)) == 0;
}

/* Returns the event of the version that now counts. */
static int64
register_content(DbvcContent *content, Oid role)
{
	DbvcState *state = dbvc_state_read(content->id, false);
	int64 version = 1;
	int64 event_id;

	if (state == NULL)
	{
		/* two sessions that register one id for the first time meet here */
		dbvc_state_claim(content->id);
		state = dbvc_state_read(content->id, true);
	}
	else if (is_known(state, content))
		return state->version_event;
	else
		state = dbvc_state_read(content->id, true);
	if (state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("migration \"%s\" was registered by another session",
						content->id),
				 errhint("Try the transaction again.")));
	if (state->version > 0) /* else it was claimed just now */
	{
		if (is_known(state, content))
			return state->version_event;
		check_not_running(state);
		if (!same_checksum(state, content))
			check_may_change(state, content);
		version = state->version + 1;
		if (content->sort_key == NULL)
			content->sort_key = state->sort_key;
	}
	check_transactional(content);
	event_id = record_version("registered", content, version, role, NULL);
	dbvc_state_register(content, version, event_id);
	return event_id;
}

/*
 * The row of dbvc.migration for a version, as the function's result.  Looked
 * up by the event's id alone: a join planned while the tables were empty
 * would stay what it is and make registering quadratic.
 */
static Datum
migration_row(int64 version_event)
{
	static DbvcQuery query = {
		"SELECT v::dbvc.migration FROM (SELECT w.* FROM "
		"dbvc.migration_version w WHERE w.event_id = $1) v",
		1,
		{INT8OID}};
	Datum value = Int64GetDatum(version_event);
	bool isnull;
	Datum row;

	if (dbvc_query_run(&query, &value, NULL, false, 1) != 1)
		elog(ERROR, "change event %lld is not to be seen",
			 (long long) version_event);
	row = dbvc_row_datum(0, 1, &isnull);
	return SPI_datumTransfer(row, false, -1);
}

/* What a file cannot say is that of the version before. */
static void
keep_what_files_lack(DbvcContent *content)
{
	/* locked, so that it is still so when the version is recorded */
	const DbvcState *state = dbvc_state_read(content->id, true);

	if (state == NULL)
		return;
	if (content->requires == NIL)
		content->requires = state->requires;
	if (content->environments == NIL)
		content->environments = state->environments;
}

PG_FUNCTION_INFO_V1(dbvc_migration_register);
Datum
dbvc_migration_register(PG_FUNCTION_ARGS)
{
	Oid role = GetUserId();
	DbvcContent *content = content_from_arguments(fcinfo);
	DbvcOwnerScope owner;
	Datum row;

	dbvc_refuse_in_script(content->id);
	if (content->kind == NULL)
		content->kind = DBVC_KIND_VERSIONED;
	check_kind(content);
	SPI_connect();
	dbvc_owner_enter(&owner);
	if (!PG_ARGISNULL(ARG_KEEP) && PG_GETARG_BOOL(ARG_KEEP))
		keep_what_files_lack(content);
	dbvc_checksum(content);
	row = migration_row(register_content(content, role));
	dbvc_owner_leave(&owner);
	SPI_finish();
	PG_RETURN_DATUM(row);
}

/*
 * An acceptance names what differs; the rest is that of the version that is
 * applied, or of the newest.
 */
static void
keep_what_is_not_said(FunctionCallInfo fcinfo, DbvcContent *content,
					  const DbvcState *state)
{
	DbvcContent *old =
		dbvc_state_content(state, state->applied_version_event
									  ? state->applied_version_event
									  : state->version_event);

	if (content->down == NULL)
		content->down = old->down;
	if (content->verify == NULL)
	{
		content->verify = old->verify;
		content->verify_role = dbvc_state_verify_role(state);
	}
	if (content->kind == NULL)
		content->kind = old->kind;
	if (content->author == NULL)
		content->author = old->author;
	if (!content->has_transactional)
	{
		content->has_transactional = old->has_transactional;
		content->transactional = old->transactional;
	}
	if (content->sort_key == NULL)
		content->sort_key = state->sort_key;
	if (PG_ARGISNULL(ARG_REQUIRES))
		content->requires = old->requires;
	if (PG_ARGISNULL(ARG_ENVIRONMENTS))
		content->environments = state->environments;
}

/*
 * A rollback in steps that stopped half-way goes on with the accepted down
 * script, which must begin with what was executed.
 */
static bool
keeps_down_steps(const DbvcState *state, const DbvcContent *content)
{
	DbvcRun run = {.state = unconstify(DbvcState *, state),
				   .direction = DBVC_DOWN};

	if (dbvc_run_steps_done(&run) == 0)
		return false;
	run.script =
		dbvc_script_new(state->id, "down", content->down ? content->down : "");
	dbvc_script_split(run.script);
	return dbvc_run_resume_at(&run) > 0;
}

PG_FUNCTION_INFO_V1(dbvc_migration_accept);
Datum
dbvc_migration_accept(PG_FUNCTION_ARGS)
{
	Oid role = GetUserId();
	DbvcContent *content = content_from_arguments(fcinfo);
	char *reason = text_argument(fcinfo, ARG_REASON);
	DbvcOwnerScope owner;
	DbvcState *state;
	int64 version;
	int64 event_id;
	bool keep_steps;
	Datum row;

	dbvc_refuse_in_script(NULL);
	if (reason == NULL || reason[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"reason\" must not be empty"),
				 errhint("It is what those who read the history will see.")));
	SPI_connect();
	dbvc_owner_enter(&owner);
	dbvc_run_lock(dbvc_extension_oid(), false, false);
	state = dbvc_state_read(content->id, true);
	if (state == NULL)
		dbvc_unknown_migration(content->id);
	content->verify_role = GetUserNameFromId(role, false);
	if (PG_ARGISNULL(ARG_EXACT) || !PG_GETARG_BOOL(ARG_EXACT))
		keep_what_is_not_said(fcinfo, content, state);
	else
	{
		keep_what_files_lack(content);
		if (content->kind == NULL)
			content->kind = DBVC_KIND_VERSIONED;
	}
	check_kind(content);
	check_transactional(content);
	dbvc_checksum(content);
	keep_steps = keeps_down_steps(state, content);
	version = state->version + 1;
	event_id = record_version("accepted", content, version, role, reason);
	dbvc_state_register(content, version, event_id);
	dbvc_state_applied(content->id, version, event_id, content->checksum,
					   "accepted",
					   state->applied_event ? state->applied_event : event_id,
					   event_id);
	if (keep_steps)
		dbvc_state_steps(state->id, DBVC_DOWN, state->steps_done,
						 state->steps_hash);
	row = migration_row(event_id);
	dbvc_owner_leave(&owner);
	SPI_finish();
	PG_RETURN_DATUM(row);
}

PG_FUNCTION_INFO_V1(dbvc_migration_checksum);
Datum
dbvc_migration_checksum(PG_FUNCTION_ARGS)
{
	DbvcContent content = {0};
	bytea *result = palloc(VARHDRSZ + DBVC_SHA256_LEN);

	content.up = required_argument(fcinfo, 0, "up_script");
	content.down = text_argument(fcinfo, 1);
	content.verify = text_argument(fcinfo, 2);
	content.kind = required_argument(fcinfo, 3, "kind");
	check_kind(&content);
	content.has_transactional = !PG_ARGISNULL(4);
	if (content.has_transactional)
		content.transactional = PG_GETARG_BOOL(4);
	content.requires = name_set(fcinfo, 5);
	dbvc_checksum(&content);
	SET_VARSIZE(result, VARHDRSZ + DBVC_SHA256_LEN);
	memcpy(VARDATA(result), content.checksum, DBVC_SHA256_LEN);
	PG_RETURN_BYTEA_P(result);
}
