/*
 * event.c
 *		Append one change event: canonical body, leaf hash, texts aside.
 *
 * Writers only append and never wait for one another: no chain, no counter,
 * no unique index but the identity.  The sealer alone gives events an order.
 */
#include "ledger/ledger.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "util/util.h"

/* A text that stands aside, under SHA-256(salt | text) in the body. */
typedef struct EventText
{
	DbvcEventField field;
	const char *text; /* database encoding */
	uint8 salt[DBVC_SALT_LEN];
} EventText;

struct DbvcEvent
{
	int64 id;
	int64 inc;
	FullTransactionId xid;
	const char *type;
	const char *migration_id; /* or NULL */
	StringInfoData scratch;
	struct
	{
		char *data; /* NULL: absent */
		int len;
	} fields[DBVC_EVENT_FIELD_LIMIT]; /* encoded, any order of arrival */
	List *texts;					  /* of EventText */
	MemoryContext context;
};

static const char *const field_names[DBVC_EVENT_FIELD_LIMIT] = {
#define FIELD_NAME(id, symbol, name, type) [id] = name,
	DBVC_EVENT_FIELDS(FIELD_NAME)};

static const DbvcCanonType field_types[DBVC_EVENT_FIELD_LIMIT] = {
#define FIELD_TYPE(id, symbol, name, type) [id] = DBVC_CANON_##type,
	DBVC_EVENT_FIELDS(FIELD_TYPE)};

/*
 * The incarnation says in which cluster an event's xid was assigned.  A
 * restored dump goes on in a cluster whose transaction ids mean something
 * else; the first writer there finds another system identifier and starts the
 * next incarnation.  No unique constraint, on purpose: two first writers would
 * wait for each other, and both write the same row.
 */
static int64
current_incarnation(FullTransactionId my_xid)
{
	static DbvcQuery find = {
		"SELECT max(inc), max(inc) FILTER (WHERE system_identifier = $1 AND "
		"xid <> $2), max(inc) FILTER (WHERE system_identifier = $1) "
		"FROM dbvc.incarnation",
		2,
		{INT8OID, XID8OID}};
	static DbvcQuery start = {
		"INSERT INTO dbvc.incarnation (inc, system_identifier, xid) "
		"VALUES ($1, $2, $3)",
		3,
		{INT8OID, INT8OID, XID8OID}};
	static int64 known = 0;
	static Oid known_table = InvalidOid;
	Oid table =
		get_relname_relid("incarnation", get_namespace_oid("dbvc", false));
	int64 sysid = (int64) GetSystemIdentifier();
	Datum values[3] = {Int64GetDatum(sysid),
					   FullTransactionIdGetDatum(my_xid)};
	int64 newest;
	int64 mine;

	if (known != 0 && known_table == table)
		return known;
	(void) dbvc_query_run(&find, values, NULL, false, 1);
	newest = dbvc_row_int64(0, 1, 0);
	known = dbvc_row_int64(0, 2, 0);
	mine = dbvc_row_int64(0, 3, 0);
	SPI_freetuptable(SPI_tuptable);
	known_table = table;
	if (mine != 0)
		return mine;
	values[0] = Int64GetDatum(newest + 1);
	values[1] = Int64GetDatum(sysid);
	values[2] = FullTransactionIdGetDatum(my_xid);
	(void) dbvc_query_run(&start, values, NULL, false, 0);
	return newest + 1;
}

/* A place to encode one field of that type into. */
static StringInfo
encode_begin(DbvcEvent *event, DbvcEventField field, DbvcCanonType type)
{
	Assert(field_types[field] == type);
	(void) type;
	resetStringInfo(&event->scratch);
	return &event->scratch;
}

static void
encode_end(DbvcEvent *event, DbvcEventField field)
{
	event->fields[field].len = event->scratch.len;
	event->fields[field].data =
		MemoryContextAlloc(event->context, event->scratch.len);
	memcpy(event->fields[field].data, event->scratch.data, event->scratch.len);
}

void
dbvc_event_int(DbvcEvent *event, DbvcEventField field, int64 value)
{
	dbvc_canon_int(encode_begin(event, field, DBVC_CANON_INT), field, value);
	encode_end(event, field);
}

void
dbvc_event_time(DbvcEvent *event, DbvcEventField field, TimestampTz value)
{
	dbvc_canon_time(encode_begin(event, field, DBVC_CANON_TIME), field, value);
	encode_end(event, field);
}

void
dbvc_event_bool(DbvcEvent *event, DbvcEventField field, bool value)
{
	dbvc_canon_bool(encode_begin(event, field, DBVC_CANON_BOOL), field, value);
	encode_end(event, field);
}

void
dbvc_event_bytes(DbvcEvent *event, DbvcEventField field, const void *bytes,
				 Size len)
{
	dbvc_canon_bytes(encode_begin(event, field, DBVC_CANON_BYTES), field,
					 DBVC_CANON_BYTES, bytes, len);
	encode_end(event, field);
}

void
dbvc_event_list(DbvcEvent *event, DbvcEventField field, const List *texts)
{
	if (texts == NIL)
		return;
	dbvc_canon_list(encode_begin(event, field, DBVC_CANON_LIST), field, texts);
	encode_end(event, field);
}

static void
commit_to_text(DbvcEvent *event, DbvcEventField field, const char *text)
{
	MemoryContext old = MemoryContextSwitchTo(event->context);
	EventText *aside = palloc(sizeof(EventText));
	DbvcPiece pieces[2];
	uint8 hash[DBVC_SHA256_LEN];
	Size len;

	aside->field = field;
	aside->text = text;
	if (!pg_strong_random(aside->salt, DBVC_SALT_LEN))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("could not generate a random salt")));
	pieces[0].data = aside->salt;
	pieces[0].len = DBVC_SALT_LEN;
	pieces[1].data = dbvc_canon_utf8(text, &len);
	pieces[1].len = len;
	dbvc_sha256(pieces, 2, hash);
	dbvc_canon_bytes(encode_begin(event, field, DBVC_CANON_COMMITMENT), field,
					 DBVC_CANON_COMMITMENT, hash, sizeof(hash));
	encode_end(event, field);
	event->texts = lappend(event->texts, aside);
	MemoryContextSwitchTo(old);
}

void
dbvc_event_text(DbvcEvent *event, DbvcEventField field, const char *text)
{
	if (text == NULL)
		return;
	if (field_types[field] == DBVC_CANON_COMMITMENT)
	{
		commit_to_text(event, field, text);
		return;
	}
	if (field == DBVC_EVENT_MIGRATION_ID)
		event->migration_id = text;
	dbvc_canon_text(encode_begin(event, field, DBVC_CANON_TEXT), field, text);
	encode_end(event, field);
}

/* Address of the client, "local" for a socket or a worker; palloc'd. */
static const char *
client_address(void)
{
	LOCAL_FCINFO(call, 0);
	Datum address;

	InitFunctionCallInfoData(*call, NULL, 0, InvalidOid, NULL, NULL);
	address = inet_client_addr(call);
	if (call->isnull)
		return "local";
	return DatumGetCString(DirectFunctionCall1(inet_out, address));
}

static void
note_actor(DbvcEvent *event, Oid role_id)
{
	dbvc_event_text(event, DBVC_EVENT_DATABASE_ID, dbvc_database_id());
	if (dbvc_environment()[0] != '\0')
		dbvc_event_text(event, DBVC_EVENT_ENVIRONMENT, dbvc_environment());
	dbvc_event_text(event, DBVC_EVENT_SESSION_USER,
					GetUserNameFromId(GetSessionUserId(), false));
	dbvc_event_text(event, DBVC_EVENT_ROLE, GetUserNameFromId(role_id, false));
	dbvc_event_text(event, DBVC_EVENT_CLIENT_ADDR, client_address());
	dbvc_event_text(event, DBVC_EVENT_APPLICATION,
					application_name ? application_name : "");
	dbvc_event_int(event, DBVC_EVENT_SERVER_VERSION,
				   pg_strtoint32(
					   GetConfigOption("server_version_num", false, false)));
	dbvc_event_int(event, DBVC_EVENT_PID, MyProcPid);
}

DbvcEvent *
dbvc_event_begin(const char *event_type, Oid role_id)
{
	DbvcEvent *event = palloc0(sizeof(DbvcEvent));
	static Oid sequence_table = InvalidOid;
	static Oid sequence = InvalidOid;
	Oid schema = get_namespace_oid("dbvc", false);
	Oid table = get_relname_relid("change_event", schema);

	if (sequence_table != table)
	{
		sequence = get_relname_relid("change_event_id_seq", schema);
		sequence_table = table;
	}
	event->context = CurrentMemoryContext;
	initStringInfo(&event->scratch);
	event->id = nextval_internal(sequence, false);
	event->xid = GetTopFullTransactionId();
	event->inc = current_incarnation(event->xid);
	dbvc_event_int(event, DBVC_EVENT_ID, event->id);
	dbvc_event_int(event, DBVC_EVENT_INC, event->inc);
	dbvc_event_int(event, DBVC_EVENT_XID,
				   (int64) U64FromFullTransactionId(event->xid));
	event->type = event_type;
	dbvc_event_text(event, DBVC_EVENT_TYPE, event_type);
	dbvc_event_time(event, DBVC_EVENT_CREATED_AT, GetCurrentTimestamp());
	note_actor(event, role_id);
	return event;
}

void
dbvc_event_leaf_hash(const void *body, Size len, uint8 out[DBVC_SHA256_LEN])
{
	DbvcPiece pieces[2] = {{"", 1}, {body, len}}; /* the prefix byte is 0x00 */

	dbvc_sha256(pieces, 2, out);
}

static void
store_texts(DbvcEvent *event)
{
	static DbvcQuery insert = {
		"INSERT INTO dbvc.change_event_text (event_id, field, salt, content) "
		"VALUES ($1, $2, $3, $4)",
		4,
		{INT8OID, TEXTOID, BYTEAOID, TEXTOID}};
	ListCell *lc;

	foreach (lc, event->texts)
	{
		EventText *aside = lfirst(lc);
		bytea *salt = palloc(VARHDRSZ + DBVC_SALT_LEN);
		Datum values[4];

		SET_VARSIZE(salt, VARHDRSZ + DBVC_SALT_LEN);
		memcpy(VARDATA(salt), aside->salt, DBVC_SALT_LEN);
		values[0] = Int64GetDatum(event->id);
		values[1] = CStringGetTextDatum(field_names[aside->field]);
		values[2] = PointerGetDatum(salt);
		values[3] = CStringGetTextDatum(aside->text);
		(void) dbvc_query_run(&insert, values, NULL, false, 0);
	}
}

int64
dbvc_event_append(DbvcEvent *event)
{
	static DbvcQuery insert = {
		"INSERT INTO dbvc.change_event (id, inc, xid, body, leaf_hash, "
		"event_type, migration_id) OVERRIDING SYSTEM VALUE "
		"VALUES ($1, $2, $3, $4, $5, $6, $7)",
		7,
		{INT8OID, INT8OID, XID8OID, BYTEAOID, BYTEAOID, TEXTOID, TEXTOID}};
	StringInfoData body;
	bytea *leaf = palloc(VARHDRSZ + DBVC_SHA256_LEN);
	bytea *stored;
	Datum values[7] = {0};
	const char *nulls = event->migration_id ? "       " : "      n";

	dbvc_canon_begin(&body);
	for (int field = 0; field < DBVC_EVENT_FIELD_LIMIT; field++)
	{
		if (event->fields[field].data != NULL)
			appendBinaryStringInfo(&body, event->fields[field].data,
								   event->fields[field].len);
	}
	stored = palloc(VARHDRSZ + body.len);
	SET_VARSIZE(stored, VARHDRSZ + body.len);
	memcpy(VARDATA(stored), body.data, body.len);
	SET_VARSIZE(leaf, VARHDRSZ + DBVC_SHA256_LEN);
	dbvc_event_leaf_hash(body.data, body.len, (uint8 *) VARDATA(leaf));

	values[0] = Int64GetDatum(event->id);
	values[1] = Int64GetDatum(event->inc);
	values[2] = FullTransactionIdGetDatum(event->xid);
	values[3] = PointerGetDatum(stored);
	values[4] = PointerGetDatum(leaf);
	values[5] = CStringGetTextDatum(event->type);
	if (event->migration_id != NULL)
		values[6] = CStringGetTextDatum(event->migration_id);
	(void) dbvc_query_run(&insert, values, nulls, false, 0);
	store_texts(event);
	return event->id;
}
