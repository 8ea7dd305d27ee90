/*
 * keep.c
 *		Snapshots are kept: definitions and pages once per content, one event each.
 *
 * What was captured is stored in one order (definitions by hash, pages by
 * hash, root), so that two transactions that store the same contents at the
 * same time wait for each other at most once.  Captures that store nothing
 * new do not wait for each other.
 */
#include "snapshot/snapshot.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "ledger/ledger.h"
#include "util/errors.h"
#include "util/util.h"

/*
 * Sub-objects of the extension that nothing but this file locks; run locks of
 * migrations are number 1.  Ids are locked under numbers with the high bit of
 * 16 set; a collision only means that the next suffix is taken.
 */
#define STATE_LOCK_SUBID 2
#define ID_LOCK_SUBID 0x8000

static bool
try_lock(uint16 subid)
{
	LOCKTAG tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId,
					   dbvc_extension_oid(), subid);
	return LockAcquire(&tag, ExclusiveLock, false, true) !=
		   LOCKACQUIRE_NOT_AVAIL;
}

/* -------------------------------------------------------------- snapshot ids */

static bool
id_is_taken(const char *id)
{
	static DbvcQuery find = {
		"SELECT 1 FROM dbvc.change_event WHERE event_type = 'snapshot' "
		"AND (dbvc.event_text(body, 'snapshot_id')) COLLATE \"C\" = $1",
		1,
		{TEXTOID}};
	Datum value = CStringGetTextDatum(id);
	bool taken = dbvc_query_latest(&find, &value, 1) > 0;

	SPI_freetuptable(SPI_tuptable);
	return taken;
}

/*
 * The first free id of this second.  The lock, which is never waited for,
 * keeps others from it until this transaction has ended; whoever has had it
 * before has ended, so that their event is seen.
 */
static char *
new_id(void)
{
	pg_time_t now = timestamptz_to_time_t(GetCurrentTimestamp());
	struct pg_tm *tm = pg_gmtime(&now);
	char *id;

	for (int n = 1;; n++)
	{
		id = psprintf("snapshot_%04d%02d%02d_%02d%02d%02d", tm->tm_year + 1900,
					  tm->tm_mon + 1, tm->tm_mday, tm->tm_hour, tm->tm_min,
					  tm->tm_sec);
		if (n > 1)
			id = psprintf("%s_%d", id, n);
		if (try_lock(ID_LOCK_SUBID | (string_hash(id, 64) & 0x7fff)) &&
			!id_is_taken(id))
			return id;
		CHECK_FOR_INTERRUPTS();
	}
}

/* --------------------------------------------------------------- state */

/*
 * Put down what the next capture starts from.  Rows of others are left alone
 * while somebody else is at it; then the next one removes them.
 */
static void
store_state(const DbvcCapture *capture)
{
	static DbvcQuery insert = {
		"INSERT INTO dbvc.snapshot_state (sums, root) VALUES ($1, $2)",
		2,
		{BYTEAOID, BYTEAOID}};
	static DbvcQuery remove = {
		"DELETE FROM dbvc.snapshot_state WHERE id < (SELECT "
		"pg_catalog.max(s.id) FROM dbvc.snapshot_state s)",
		0,
		{}};
	bytea *root = palloc(VARHDRSZ + DBVC_SHA256_LEN);
	Datum values[2];

	SET_VARSIZE(root, VARHDRSZ + DBVC_SHA256_LEN);
	memcpy(VARDATA(root), capture->root, DBVC_SHA256_LEN);
	values[0] = PointerGetDatum(dbvc_sums_store(capture->sums));
	values[1] = PointerGetDatum(root);
	(void) dbvc_query_run(&insert, values, NULL, false, 0);
	if (!IsolationUsesXactSnapshot() && try_lock(STATE_LOCK_SUBID))
		(void) dbvc_query_run(&remove, NULL, NULL, false, 0);
}

bool
dbvc_state_load(bytea **sums, uint8 root[DBVC_SHA256_LEN])
{
	static DbvcQuery find = {
		"SELECT sums, root FROM dbvc.snapshot_state ORDER BY id DESC", 0, {}};
	bool found = false;

	if (dbvc_query_latest(&find, NULL, 1) > 0)
	{
		bytea *stored = dbvc_row_bytea(0, 2);

		if (VARSIZE_ANY_EXHDR(stored) == DBVC_SHA256_LEN)
		{
			memcpy(root, VARDATA_ANY(stored), DBVC_SHA256_LEN);
			*sums = dbvc_row_bytea(0, 1);
			found = true;
		}
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* ---------------------------------------------------------------- keeping */

void
dbvc_check_schemas(const DbvcList *list, const List *schemas)
{
	ListCell *cell;

	foreach (cell, schemas)
	{
		const char *schema = lfirst(cell);
		List *one = list_make1((void *) schema);
		DbvcList *found = dbvc_list_filter(list, one, false);
		bool exists = false;

		for (int i = 0; i < found->count && !exists; i++)
			exists = dbvc_entry_is_schema(&found->entries[i]);
		if (!exists)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_SCHEMA),
					 errmsg("schema \"%s\" is not in the snapshot", schema),
					 errdetail("It does not exist, or is one of those that "
							   "snapshots leave out.")));
	}
}

/* The bodies of a capture, for whoever stores them. */
static const char *
body_of_capture(const void *side, const uint8 hash[DBVC_SHA256_LEN])
{
	return dbvc_capture_body(side, hash);
}

static void
store_capture(DbvcCapture *capture)
{
	if (capture->has_root)
		return;
	dbvc_list_store(dbvc_capture_list(capture), body_of_capture, capture,
					capture->full, capture->root);
	capture->has_root = true;
	store_state(capture);
}

/* What a snapshot of these options holds. */
void
dbvc_capture_fingerprint(DbvcCapture *capture, const List *schemas,
						 bool settings, uint8 out[DBVC_SHA256_LEN],
						 int *objects)
{
	DbvcList *list;

	if (capture->has_root && schemas == NIL)
	{
		DbvcRoot root;

		dbvc_root_load(capture->root, &root);
		memcpy(out, settings ? root.fingerprint_settings : root.fingerprint,
			   DBVC_SHA256_LEN);
		*objects = root.objects + (settings ? root.settings : 0);
		return;
	}
	list = dbvc_capture_list(capture);
	dbvc_check_schemas(list, schemas);
	list = dbvc_list_filter(list, schemas, settings);
	dbvc_list_fingerprint(list, out);
	*objects = list->count;
}

char *
dbvc_snapshot_keep(DbvcCapture *capture, const char *label,
				   const List *schemas, bool settings, Oid role)
{
	DbvcOwnerScope scope;
	uint8 fingerprint[DBVC_SHA256_LEN];
	DbvcEvent *event;
	int objects;
	char *id;

	PreventCommandIfReadOnly("taking a snapshot");
	dbvc_owner_enter(&scope);
	store_capture(capture);
	dbvc_capture_fingerprint(capture, schemas, settings, fingerprint,
							 &objects);
	id = new_id();
	event = dbvc_event_begin("snapshot", role);
	dbvc_event_text(event, DBVC_EVENT_SNAPSHOT_ID, id);
	dbvc_event_bytes(event, DBVC_EVENT_FINGERPRINT, fingerprint,
					 DBVC_SHA256_LEN);
	dbvc_event_bytes(event, DBVC_EVENT_LIST_HASH, capture->root,
					 DBVC_SHA256_LEN);
	dbvc_event_int(event, DBVC_EVENT_OBJECTS, objects);
	dbvc_event_text(event, DBVC_EVENT_LABEL, label);
	dbvc_event_list(event, DBVC_EVENT_SCHEMAS, schemas);
	dbvc_event_bool(event, DBVC_EVENT_SETTINGS, settings);
	dbvc_event_int(event, DBVC_EVENT_DEFINITION_VERSION,
				   DBVC_DEFINITION_VERSION);
	dbvc_event_int(event, DBVC_EVENT_SYSTEM_IDENTIFIER,
				   (int64) GetSystemIdentifier());
	dbvc_event_int(event, DBVC_EVENT_DATABASE_OID, MyDatabaseId);
	(void) dbvc_event_append(event);
	dbvc_owner_leave(&scope);
	return id;
}

/* ------------------------------------------------- when something is lost */

/*
 * Whatever has happened to the tables of history, a new snapshot must be
 * possible: one that is made from nothing needs none of it.
 */
typedef struct Attempt
{
	bool full;
	bool keep;
	DbvcCapture *capture;
	const char *label;
	const List *schemas;
	bool settings;
	Oid role;
	char *id;
} Attempt;

static void
attempt(void *arg)
{
	Attempt *this = arg;

	this->capture = dbvc_capture_live(NULL, this->full);
	if (this->keep)
		this->id =
			dbvc_snapshot_keep(this->capture, this->label, this->schemas,
							   this->settings, this->role);
}

static void
attempt_twice(Attempt *this)
{
	ErrorData *error;

	if (!this->full)
	{
		error = dbvc_subtransaction(attempt, this, true);
		if (error == NULL)
			return;
		if (error->sqlerrcode != ERRCODE_DBVC_HISTORY_DAMAGED)
			ReThrowError(error);
		ereport(WARNING,
				(errcode(ERRCODE_DBVC_HISTORY_DAMAGED),
				 errmsg("what the last snapshot left cannot be used, so "
						"everything is computed: %s",
						error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0));
		this->full = true;
	}
	attempt(this);
}

DbvcCapture *
dbvc_capture_now(bool full)
{
	Attempt this = {.full = full};

	attempt_twice(&this);
	return this.capture;
}

char *
dbvc_snapshot_take(const char *label, const List *schemas, bool settings,
				   Oid role)
{
	Attempt this = {.keep = true,
					.label = label,
					.schemas = schemas,
					.settings = settings,
					.role = role};

	attempt_twice(&this);
	return this.id;
}

void
dbvc_drift_record(const char *snapshot,
				  const uint8 fingerprint[DBVC_SHA256_LEN], int64 objects,
				  int64 differences, Oid role)
{
	DbvcEvent *event = dbvc_event_begin("drift", role);

	dbvc_event_text(event, DBVC_EVENT_SNAPSHOT_ID, snapshot);
	dbvc_event_bytes(event, DBVC_EVENT_FINGERPRINT, fingerprint,
					 DBVC_SHA256_LEN);
	dbvc_event_int(event, DBVC_EVENT_OBJECTS, objects);
	dbvc_event_int(event, DBVC_EVENT_DIFFERENCES, differences);
	(void) dbvc_event_append(event);
}

/* ---------------------------------------------------------------- finding */

char *
dbvc_definition_load(const uint8 hash[DBVC_SHA256_LEN])
{
	static DbvcQuery find = {
		"SELECT body FROM dbvc.definition WHERE hash = $1", 1, {BYTEAOID}};
	bytea *key = palloc(VARHDRSZ + DBVC_SHA256_LEN);
	Datum value = PointerGetDatum(key);
	uint8 computed[DBVC_SHA256_LEN];
	DbvcPiece piece;
	char *text = NULL;

	SET_VARSIZE(key, VARHDRSZ + DBVC_SHA256_LEN);
	memcpy(VARDATA(key), hash, DBVC_SHA256_LEN);
	if (dbvc_query_latest(&find, &value, 1) > 0)
		text = dbvc_row_text(0, 1);
	SPI_freetuptable(SPI_tuptable);
	pfree(key);
	if (text == NULL)
		return NULL;
	piece.data = text = (char *) dbvc_to_utf8(text, &piece.len);
	dbvc_sha256(&piece, 1, computed);
	if (memcmp(computed, hash, DBVC_SHA256_LEN) != 0)
		ereport(ERROR, (errcode(ERRCODE_DBVC_HISTORY_DAMAGED),
						errmsg("a definition does not match its hash"),
						errdetail("Row %s of dbvc.definition was changed.",
								  dbvc_hex(hash, DBVC_SHA256_LEN)),
						errhint("Restore the row from a backup.")));
	return text;
}

DBVC_NORETURN static void
unknown_snapshot(const char *id)
{
	if (id == NULL)
		ereport(ERROR, (errcode(ERRCODE_DBVC_UNKNOWN_SNAPSHOT),
						errmsg("there is no snapshot yet"),
						errhint("Take one with dbvc.snapshot_capture().")));
	ereport(ERROR, (errcode(ERRCODE_DBVC_UNKNOWN_SNAPSHOT),
					errmsg("snapshot \"%s\" does not exist", id),
					errhint("View dbvc.snapshot lists them.")));
}

DBVC_NORETURN static void
damaged_event(int64 event_id, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DBVC_HISTORY_DAMAGED),
			 errmsg("the record of a snapshot is damaged"),
			 errdetail("Event " INT64_FORMAT " of dbvc.change_event %s.",
					   event_id, what),
			 errhint("Restore the row from a backup; take a new "
					 "snapshot to go on.")));
}

static void
get_hash(int64 event_id, bytea *body, DbvcEventField field,
		 uint8 out[DBVC_SHA256_LEN])
{
	bytea *hash = dbvc_event_get_bytes(body, field);

	if (hash == NULL || VARSIZE_ANY_EXHDR(hash) != DBVC_SHA256_LEN)
		damaged_event(event_id, "lacks a hash");
	memcpy(out, VARDATA_ANY(hash), DBVC_SHA256_LEN);
}

static int64
get_int(int64 event_id, bytea *body, DbvcEventField field)
{
	int64 value;

	if (!dbvc_event_get_int(body, field, &value))
		damaged_event(event_id, "lacks a number");
	return value;
}

static DbvcSnapshot *
read_snapshot(int64 event_id, bytea *body, bytea *leaf)
{
	DbvcSnapshot *snapshot = palloc0(sizeof(DbvcSnapshot));
	uint8 computed[DBVC_SHA256_LEN];

	dbvc_event_leaf_hash(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), computed);
	if (VARSIZE_ANY_EXHDR(leaf) != DBVC_SHA256_LEN ||
		memcmp(VARDATA_ANY(leaf), computed, DBVC_SHA256_LEN) != 0)
		damaged_event(event_id, "does not match its hash");
	snapshot->event_id = event_id;
	snapshot->id = dbvc_event_get_text(body, DBVC_EVENT_SNAPSHOT_ID);
	if (snapshot->id == NULL)
		damaged_event(event_id, "lacks a snapshot's id");
	get_hash(event_id, body, DBVC_EVENT_LIST_HASH, snapshot->root);
	get_hash(event_id, body, DBVC_EVENT_FINGERPRINT, snapshot->fingerprint);
	snapshot->server_version =
		(int) get_int(event_id, body, DBVC_EVENT_SERVER_VERSION);
	snapshot->definition_version =
		(int) get_int(event_id, body, DBVC_EVENT_DEFINITION_VERSION);
	snapshot->system_identifier =
		(uint64) get_int(event_id, body, DBVC_EVENT_SYSTEM_IDENTIFIER);
	snapshot->database =
		(Oid) get_int(event_id, body, DBVC_EVENT_DATABASE_OID);
	if (!dbvc_event_get_time(body, DBVC_EVENT_CREATED_AT,
							 &snapshot->captured_at))
		damaged_event(event_id, "lacks a time");
	snapshot->schemas = dbvc_event_get_list(body, DBVC_EVENT_SCHEMAS);
	(void) dbvc_event_get_bool(body, DBVC_EVENT_SETTINGS, &snapshot->settings);
	return snapshot;
}

DbvcSnapshot *
dbvc_snapshot_whole(void)
{
	static DbvcQuery newest = {
		"SELECT id, body, leaf_hash FROM dbvc.change_event "
		"WHERE event_type = 'snapshot' "
		"AND dbvc.event_list(body, 'schemas') IS NULL ORDER BY id DESC",
		0,
		{}};
	DbvcSnapshot *snapshot;

	if (dbvc_query_latest(&newest, NULL, 1) == 0)
	{
		SPI_freetuptable(SPI_tuptable);
		return dbvc_snapshot_find(NULL);
	}
	snapshot = read_snapshot(dbvc_row_int64(0, 1, 0), dbvc_row_bytea(0, 2),
							 dbvc_row_bytea(0, 3));
	SPI_freetuptable(SPI_tuptable);
	return snapshot;
}

DbvcSnapshot *
dbvc_snapshot_find(const char *id)
{
	static DbvcQuery newest = {
		"SELECT id, body, leaf_hash FROM dbvc.change_event "
		"WHERE event_type = 'snapshot' ORDER BY id DESC",
		0,
		{}};
	static DbvcQuery by_id = {
		"SELECT id, body, leaf_hash FROM dbvc.change_event "
		"WHERE event_type = 'snapshot' "
		"AND (dbvc.event_text(body, 'snapshot_id')) COLLATE \"C\" = $1",
		1,
		{TEXTOID}};
	Datum value = id == NULL ? (Datum) 0 : CStringGetTextDatum(id);
	DbvcSnapshot *snapshot;

	if (dbvc_query_latest(id == NULL ? &newest : &by_id, &value, 1) == 0)
		unknown_snapshot(id);
	snapshot = read_snapshot(dbvc_row_int64(0, 1, 0), dbvc_row_bytea(0, 2),
							 dbvc_row_bytea(0, 3));
	SPI_freetuptable(SPI_tuptable);
	return snapshot;
}
