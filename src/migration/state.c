/*
 * state.c
 *		dbvc.migration_state: where each migration stands.
 *
 * A cache of what change_event says, one row a migration.  It answers "is
 * anything pending?" in one look, without an index that every run would have
 * to maintain, and its rows are what registering and applying the same
 * migration lock.  dbvc.migration_state_derived computes
 * the same from the events alone; migration_verify() compares the two and
 * migration_state_rebuild() makes them equal.
 */
#include "migration/migration.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#define STATE_COLUMNS \
	"SELECT id, version, version_event, checksum, kind, requires, " \
	"environments, applied_version, applied_version_event, applied_event, " \
	"applied_checksum, outcome, run_event, steps_direction, steps_done, " \
	"steps_hash, sort_key, withdrawn FROM dbvc.migration_state"
#define STATE_COLUMN_COUNT 18

void
dbvc_unknown_migration(const char *id)
{
	ereport(ERROR, (errcode(ERRCODE_DBVC_UNKNOWN_MIGRATION),
					errmsg("migration \"%s\" is not registered", id),
					errhint("dbvc.migration_status lists what is; register "
							"with dbvc.migration_register().")));
}

/* A row of STATE_COLUMNS, taken apart. */
typedef struct StateRow
{
	Datum values[STATE_COLUMN_COUNT];
	bool nulls[STATE_COLUMN_COUNT];
} StateRow;

static void
row_hash(uint8 *to, const StateRow *row, int column)
{
	bytea *hash =
		row->nulls[column] ? NULL : DatumGetByteaPP(row->values[column]);

	memset(to, 0, DBVC_SHA256_LEN);
	if (hash != NULL && VARSIZE_ANY_EXHDR(hash) == DBVC_SHA256_LEN)
		memcpy(to, VARDATA_ANY(hash), DBVC_SHA256_LEN);
}

static List *
row_list(const StateRow *row, int column)
{
	return row->nulls[column]
			   ? NIL
			   : dbvc_text_array_list(DatumGetArrayTypeP(row->values[column]));
}

static char *
row_text(const StateRow *row, int column)
{
	return row->nulls[column] ? NULL
							  : TextDatumGetCString(row->values[column]);
}

static int64
row_int64(const StateRow *row, int column)
{
	return row->nulls[column] ? 0 : DatumGetInt64(row->values[column]);
}

static DbvcState *
state_from_row(uint64 number)
{
	DbvcState *state = palloc0(sizeof(DbvcState));
	StateRow row = {0};

	dbvc_row_values(number, row.values, row.nulls);
	state->id = row_text(&row, 0);
	state->version = row_int64(&row, 1);
	state->version_event = row_int64(&row, 2);
	row_hash(state->checksum, &row, 3);
	state->kind = row_text(&row, 4);
	state->requires = row_list(&row, 5);
	state->environments = row_list(&row, 6);
	state->applied_version = row_int64(&row, 7);
	state->applied_version_event = row_int64(&row, 8);
	state->applied_event = row_int64(&row, 9);
	row_hash(state->applied_checksum, &row, 10);
	state->outcome = row_text(&row, 11);
	state->run_event = row_int64(&row, 12);
	state->steps_direction = row_text(&row, 13);
	state->steps_done = row_int64(&row, 14);
	row_hash(state->steps_hash, &row, 15);
	state->sort_key = row_text(&row, 16);
	state->withdrawn = DatumGetBool(row.values[17]);
	return state;
}

DbvcState *
dbvc_state_read(const char *id, bool lock)
{
	static DbvcQuery plain = {STATE_COLUMNS " WHERE id = $1", 1, {TEXTOID}};
	static DbvcQuery locking = {STATE_COLUMNS " WHERE id = $1 FOR UPDATE",
								1,
								{TEXTOID}};
	Datum value = CStringGetTextDatum(id);
	DbvcState *state = NULL;

	if (dbvc_query_run(lock ? &locking : &plain, &value, NULL, false, 1) > 0)
		state = state_from_row(0);
	SPI_freetuptable(SPI_tuptable);
	return state;
}

List *
dbvc_state_read_all(void)
{
	static DbvcQuery query = {STATE_COLUMNS, 0, {0}};
	uint64 rows = dbvc_query_run(&query, NULL, NULL, false, 0);
	List *states = NIL;

	for (uint64 row = 0; row < rows; row++)
		states = lappend(states, state_from_row(row));
	SPI_freetuptable(SPI_tuptable);
	return states;
}

bool
dbvc_state_pending(const DbvcState *state)
{
	if (state->withdrawn)
		return false;
	if (strcmp(state->kind, DBVC_KIND_REPEATABLE) == 0)
		return state->applied_version == 0 ||
			   memcmp(state->checksum, state->applied_checksum,
					  DBVC_SHA256_LEN) != 0;
	return state->applied_version == 0;
}

bool
dbvc_state_any_pending(void)
{
	static DbvcQuery query = {
		"SELECT 1 FROM dbvc.migration_state s WHERE s.pending AND "
		"(s.environments IS NULL OR $1 = ANY (s.environments)) AND "
		"(s.kind <> 'baseline' OR NOT EXISTS (SELECT 1 FROM "
		"dbvc.migration_state a WHERE a.applied_version IS NOT NULL AND "
		"a.kind <> 'repeatable')) LIMIT 1",
		1,
		{TEXTOID}};
	Datum value = CStringGetTextDatum(dbvc_environment());
	bool found = dbvc_query_run(&query, &value, NULL, false, 1) > 0;

	SPI_freetuptable(SPI_tuptable);
	return found;
}

DBVC_NORETURN static void
damaged(const char *id, int64 event_id, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DBVC_HISTORY_DAMAGED),
			 errmsg("record of migration \"%s\" is damaged", id),
			 errdetail("%s of change event %lld does not match its hash.",
					   what, (long long) event_id),
			 errhint("Someone changed dbvc's tables behind its back. Run "
					 "dbvc.migration_verify() for a full list.")));
}

static void
check_content(const DbvcContent *content, bytea *body, bytea *leaf,
			  int64 event_id)
{
	uint8 hash[DBVC_SHA256_LEN];
	bytea *recorded;

	dbvc_event_leaf_hash(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), hash);
	if (VARSIZE_ANY_EXHDR(leaf) != DBVC_SHA256_LEN ||
		memcmp(VARDATA_ANY(leaf), hash, DBVC_SHA256_LEN) != 0)
		damaged(content->id, event_id, "The body");
	recorded = dbvc_event_get_bytes(body, DBVC_EVENT_CHECKSUM);
	if (recorded == NULL || VARSIZE_ANY_EXHDR(recorded) != DBVC_SHA256_LEN ||
		memcmp(VARDATA_ANY(recorded), content->checksum, DBVC_SHA256_LEN) != 0)
		damaged(content->id, event_id, "A script");
}

/* A lookup of its own for each: no join whose plan could be a bad one. */
#define TEXT_OF(field) \
	"(SELECT t.content FROM dbvc.change_event_text t WHERE " \
	"t.event_id = e.id AND t.field = '" field "')"
#define CONTENT_COLUMNS \
	"SELECT e.id, e.body, e.leaf_hash, " TEXT_OF("up_script") ", " TEXT_OF( \
		"down_script") ", " TEXT_OF("verify_script") " FROM " \
													 "dbvc.change_event e "

/* The content of a row of CONTENT_COLUMNS, checked against its hashes. */
static DbvcContent *
content_from_row(uint64 row, const char *id)
{
	DbvcContent *content = palloc0(sizeof(DbvcContent));
	bytea *body = dbvc_row_bytea(row, 2);

	content->id = id;
	content->up = dbvc_row_text(row, 4);
	content->down = dbvc_row_text(row, 5);
	content->verify = dbvc_row_text(row, 6);
	if (content->up == NULL)
		ereport(ERROR, (errcode(ERRCODE_DBVC_WRONG_STATE),
						errmsg("script of migration \"%s\" was erased", id),
						errhint("Register the migration again.")));
	content->kind = dbvc_event_get_text(body, DBVC_EVENT_KIND);
	content->author = dbvc_event_get_text(body, DBVC_EVENT_AUTHOR);
	content->requires = dbvc_event_get_list(body, DBVC_EVENT_REQUIRES);
	content->has_transactional =
		dbvc_event_get_bool(body, DBVC_EVENT_TRANSACTIONAL,
							&content->transactional);
	dbvc_checksum(content);
	check_content(content, body, dbvc_row_bytea(row, 3),
				  dbvc_row_int64(row, 1, 0));
	return content;
}

DbvcContent *
dbvc_state_content(const DbvcState *state, int64 version_event)
{
	static DbvcQuery query = {CONTENT_COLUMNS "WHERE e.id = $1", 1, {INT8OID}};
	Datum value = Int64GetDatum(version_event);
	DbvcContent *content;

	if (state->content != NULL && state->content_event == version_event)
		return state->content;
	if (dbvc_query_run(&query, &value, NULL, false, 1) == 0)
		damaged(state->id, version_event, "The absence");
	content = content_from_row(0, state->id);
	SPI_freetuptable(SPI_tuptable);
	return content;
}

char *
dbvc_state_verify_role(const DbvcState *state)
{
	static DbvcQuery query = {
		"SELECT COALESCE((SELECT dbvc.event_text(v.body, 'verify_role') "
		"FROM dbvc.change_event v WHERE v.id = $1), "
		"(SELECT dbvc.event_text(a.body, 'role') "
		"FROM dbvc.change_event a WHERE a.id = $2))",
		2,
		{INT8OID, INT8OID}};
	Datum values[2] = {Int64GetDatum(state->applied_version_event),
					   Int64GetDatum(state->applied_event)};
	char *role;

	(void) dbvc_query_run(&query, values, NULL, false, 1);
	role = dbvc_row_text(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return role;
}

void
dbvc_state_prefetch(List *states)
{
	static DbvcQuery query = {CONTENT_COLUMNS
							  "WHERE e.id = ANY ($1) ORDER BY e.id",
							  1,
							  {INT8ARRAYOID}};
	Datum *events = palloc(list_length(states) * sizeof(Datum));
	Datum value;
	uint64 rows;
	int count = 0;
	ListCell *lc;

	foreach (lc, states)
		events[count++] =
			Int64GetDatum(((DbvcState *) lfirst(lc))->version_event);
	value = PointerGetDatum(construct_array(events, count, INT8OID, 8,
											FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	rows = dbvc_query_run(&query, &value, NULL, false, 0);
	foreach (lc, states)
	{
		DbvcState *state = lfirst(lc);

		state->content = NULL;
		for (uint64 row = 0; row < rows && state->content == NULL; row++)
		{
			if (dbvc_row_int64(row, 1, 0) != state->version_event)
				continue;
			state->content = content_from_row(row, state->id);
			state->content_event = state->version_event;
		}
	}
	SPI_freetuptable(SPI_tuptable);
}

/* The row is there, and locked, or its own record is wrong. */
static void
update_state(DbvcQuery *query, Datum *values, const char *nulls,
			 const char *id)
{
	if (dbvc_query_run(query, values, nulls, false, 0) != 1)
		ereport(ERROR, (errcode(ERRCODE_DBVC_HISTORY_DAMAGED),
						errmsg("state of migration \"%s\" is gone", id),
						errhint("Run dbvc.migration_state_rebuild().")));
}

static Datum
hash_datum(const uint8 *hash)
{
	bytea *bytes = palloc(VARHDRSZ + DBVC_SHA256_LEN);

	SET_VARSIZE(bytes, VARHDRSZ + DBVC_SHA256_LEN);
	memcpy(VARDATA(bytes), hash, DBVC_SHA256_LEN);
	return PointerGetDatum(bytes);
}

void
dbvc_state_claim(const char *id)
{
	static DbvcQuery query = {
		"INSERT INTO dbvc.migration_state (id, version, version_event, "
		"checksum, kind, pending) VALUES ($1, 0, 0, '', '', false) "
		"ON CONFLICT DO NOTHING",
		1,
		{TEXTOID}};
	Datum value = CStringGetTextDatum(id);

	(void) dbvc_query_run(&query, &value, NULL, false, 0);
}

void
dbvc_state_register(const DbvcContent *content, int64 version, int64 event_id)
{
	static DbvcQuery query = {
		"UPDATE dbvc.migration_state SET version = $2, version_event = $3, "
		"checksum = $4, kind = $5, requires = $6, environments = $7, "
		"sort_key = $8, withdrawn = false, "
		"pending = CASE $5 WHEN 'repeatable' THEN applied_checksum IS "
		"DISTINCT FROM $4 ELSE applied_version IS NULL END WHERE id = $1",
		8,
		{TEXTOID, INT8OID, INT8OID, BYTEAOID, TEXTOID, TEXTARRAYOID,
		 TEXTARRAYOID, TEXTOID}};
	Datum values[8];
	char nulls[] = "        ";

	values[0] = CStringGetTextDatum(content->id);
	values[1] = Int64GetDatum(version);
	values[2] = Int64GetDatum(event_id);
	values[3] = hash_datum(content->checksum);
	values[4] = CStringGetTextDatum(content->kind);
	values[5] = PointerGetDatum(dbvc_list_text_array(content->requires));
	values[6] = PointerGetDatum(dbvc_list_text_array(content->environments));
	if (content->environments == NIL)
		nulls[6] = 'n';
	if (content->sort_key != NULL)
		values[7] = CStringGetTextDatum(content->sort_key);
	else
		nulls[7] = 'n';
	update_state(&query, values, nulls, content->id);
}

void
dbvc_state_applied(const char *id, int64 version, int64 version_event,
				   const uint8 *checksum, const char *outcome,
				   int64 applied_event, int64 event_id)
{
	static DbvcQuery query = {
		"UPDATE dbvc.migration_state SET applied_version = $2, "
		"applied_version_event = $3, applied_checksum = $4, outcome = $5, "
		"applied_event = $6, run_event = $7, steps_direction = NULL, "
		"steps_done = NULL, steps_hash = NULL, "
		"pending = kind = 'repeatable' AND checksum <> $4 WHERE id = $1",
		7,
		{TEXTOID, INT8OID, INT8OID, BYTEAOID, TEXTOID, INT8OID, INT8OID}};
	Datum values[7];

	values[0] = CStringGetTextDatum(id);
	values[1] = Int64GetDatum(version);
	values[2] = Int64GetDatum(version_event);
	values[3] = hash_datum(checksum);
	values[4] = CStringGetTextDatum(outcome);
	values[5] = Int64GetDatum(applied_event);
	values[6] = Int64GetDatum(event_id);
	update_state(&query, values, NULL, id);
}

void
dbvc_state_rolled_back(const char *id, int64 event_id)
{
	static DbvcQuery query = {
		"UPDATE dbvc.migration_state SET applied_version = NULL, "
		"applied_version_event = NULL, applied_checksum = NULL, "
		"applied_event = NULL, outcome = 'rolled_back', run_event = $2, "
		"steps_direction = NULL, steps_done = NULL, steps_hash = NULL, "
		"pending = NOT withdrawn WHERE id = $1",
		2,
		{TEXTOID, INT8OID}};
	Datum values[2] = {CStringGetTextDatum(id), Int64GetDatum(event_id)};

	update_state(&query, values, NULL, id);
}

void
dbvc_state_outcome(const char *id, const char *outcome, int64 event_id)
{
	static DbvcQuery query = {
		"UPDATE dbvc.migration_state SET outcome = $2, run_event = $3 "
		"WHERE id = $1",
		3,
		{TEXTOID, TEXTOID, INT8OID}};
	Datum values[3] = {CStringGetTextDatum(id), CStringGetTextDatum(outcome),
					   Int64GetDatum(event_id)};

	update_state(&query, values, NULL, id);
}

void
dbvc_state_steps(const char *id, DbvcDirection direction, int64 done,
				 const uint8 *hash)
{
	static DbvcQuery query = {
		"UPDATE dbvc.migration_state SET steps_direction = $2, "
		"steps_done = $3, steps_hash = $4 WHERE id = $1",
		4,
		{TEXTOID, TEXTOID, INT8OID, BYTEAOID}};
	Datum values[4];

	values[0] = CStringGetTextDatum(id);
	values[1] = CStringGetTextDatum(dbvc_direction_name(direction));
	values[2] = Int64GetDatum(done);
	values[3] = hash_datum(hash);
	update_state(&query, values, NULL, id);
}

void
dbvc_state_forget_steps(const char *id)
{
	static DbvcQuery query = {
		"UPDATE dbvc.migration_state SET steps_direction = NULL, "
		"steps_done = NULL, steps_hash = NULL WHERE id = $1",
		1,
		{TEXTOID}};
	Datum value = CStringGetTextDatum(id);

	update_state(&query, &value, NULL, id);
}

void
dbvc_state_withdraw(const char *id)
{
	static DbvcQuery query = {
		"UPDATE dbvc.migration_state SET withdrawn = true, pending = false "
		"WHERE id = $1",
		1,
		{TEXTOID}};
	Datum value = CStringGetTextDatum(id);

	update_state(&query, &value, NULL, id);
}

void
dbvc_state_rebuild(void)
{
	static DbvcQuery clear = {"DELETE FROM dbvc.migration_state", 0, {0}};
	static DbvcQuery fill = {
		"INSERT INTO dbvc.migration_state (id, version, version_event, "
		"checksum, kind, requires, environments, applied_version, "
		"applied_version_event, applied_event, applied_checksum, outcome, "
		"run_event, steps_direction, steps_done, steps_hash, pending, "
		"sort_key, withdrawn) "
		"SELECT id, version, version_event, checksum, kind, requires, "
		"environments, applied_version, applied_version_event, "
		"applied_event, applied_checksum, outcome, run_event, "
		"steps_direction, steps_done, steps_hash, pending, sort_key, "
		"withdrawn "
		"FROM dbvc.migration_state_derived",
		0,
		{0}};

	(void) dbvc_query_run(&clear, NULL, NULL, false, 0);
	(void) dbvc_query_run(&fill, NULL, NULL, false, 0);
}
