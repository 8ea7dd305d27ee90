/*
 * ledger.h
 *		Change events: the append-only history that everything else is
 *		derived from.
 */
#ifndef DBVC_LEDGER_H
#define DBVC_LEDGER_H

#include "canon/canon.h"
#include "crypto/crypto.h"

#include "fmgr.h"
#include "nodes/pg_list.h"

/*
 * Fields of an event's body: X(id, symbol, name in SQL, type).  Ids are what
 * is hashed: they are never renumbered or reused.  A COMMITMENT's text stands
 * in change_event_text, so that it can be erased and the proof survives.
 */
#define DBVC_EVENT_FIELDS(X) \
	X(1, ID, "id", INT) \
	X(2, INC, "inc", INT) \
	X(3, XID, "xid", INT) \
	X(4, TYPE, "event_type", TEXT) \
	X(5, CREATED_AT, "created_at", TIME) \
	X(6, DATABASE_ID, "database_id", TEXT) \
	X(7, ENVIRONMENT, "environment", TEXT) \
	X(8, SESSION_USER, "session_user", TEXT) \
	X(9, ROLE, "role", TEXT) \
	X(10, CLIENT_ADDR, "client_addr", TEXT) \
	X(11, APPLICATION, "application_name", TEXT) \
	X(12, SERVER_VERSION, "server_version", INT) \
	X(13, PID, "pid", INT) \
	X(20, MIGRATION_ID, "migration_id", TEXT) \
	X(21, VERSION, "version", INT) \
	X(22, CHECKSUM, "checksum", BYTES) \
	X(23, CHECKSUM_VERSION, "checksum_version", INT) \
	X(24, KIND, "kind", TEXT) \
	X(25, TRANSACTIONAL, "transactional", BOOL) \
	X(26, REQUIRES, "requires", LIST) \
	X(27, ENVIRONMENTS, "environments", LIST) \
	X(28, AUTHOR, "author", TEXT) \
	X(29, SOURCE_HASH, "source_hash", BYTES) \
	X(30, UP_SCRIPT, "up_script", COMMITMENT) \
	X(31, DOWN_SCRIPT, "down_script", COMMITMENT) \
	X(32, VERIFY_SCRIPT, "verify_script", COMMITMENT) \
	X(33, DESCRIPTION, "description", COMMITMENT) \
	X(34, REASON, "reason", COMMITMENT) \
	X(35, SORT_KEY, "sort_key", TEXT) \
	X(40, DIRECTION, "direction", TEXT) \
	X(41, SCOPE, "scope", TEXT) \
	X(42, STARTED_AT, "started_at", TIME) \
	X(43, STARTED_EVENT, "started_event", INT) \
	X(44, STATEMENTS, "statements", INT) \
	X(45, DONE_HASH, "done_hash", BYTES) \
	X(46, ERROR_SQLSTATE, "error_sqlstate", TEXT) \
	X(47, ERROR_STATEMENT, "error_statement", INT) \
	X(48, ERROR_LINE, "error_line", INT) \
	X(49, ERROR_COLUMN, "error_column", INT) \
	X(50, ERROR_MESSAGE, "error_message", COMMITMENT) \
	X(51, ERROR_DETAIL, "error_detail", COMMITMENT) \
	X(52, ERROR_HINT, "error_hint", COMMITMENT) \
	X(53, ERROR_CONTEXT, "error_context", COMMITMENT) \
	X(54, LOCKS, "locks", TEXT) \
	X(55, PLAN_HASH, "plan_hash", BYTES) \
	X(56, DETAIL, "detail", TEXT) \
	X(57, VERIFY_ROLE, "verify_role", TEXT) \
	X(60, SNAPSHOT_ID, "snapshot_id", TEXT) \
	X(61, FINGERPRINT, "fingerprint", BYTES) \
	X(62, LIST_HASH, "list_hash", BYTES) \
	X(63, OBJECTS, "objects", INT) \
	X(64, LABEL, "label", COMMITMENT) \
	X(65, SCHEMAS, "schemas", LIST) \
	X(66, SETTINGS, "settings", BOOL) \
	X(67, DEFINITION_VERSION, "definition_version", INT) \
	X(68, SYSTEM_IDENTIFIER, "system_identifier", INT) \
	X(69, DATABASE_OID, "database_oid", INT) \
	X(70, DIFFERENCES, "differences", INT)

#define DBVC_EVENT_FIELD_ENUM(id, symbol, name, type) \
	DBVC_EVENT_##symbol = (id),
typedef enum DbvcEventField
{
	DBVC_EVENT_FIELDS(DBVC_EVENT_FIELD_ENUM) DBVC_EVENT_FIELD_LIMIT
} DbvcEventField;

/* Texts kept aside have at least this much salt (bytes). */
#define DBVC_SALT_LEN 32

/* in event.c */

/* An event being built; lives in the memory context of dbvc_event_begin(). */
typedef struct DbvcEvent DbvcEvent;

/*
 * Start an event: takes its id, assigns the transaction id, and notes who
 * acts (session user, role, client address, application_name).  role_id is
 * the role on whose behalf dbvc acts, from before any owner scope.  Needs an
 * SPI connection and must be called inside an owner scope.
 */
extern DbvcEvent *dbvc_event_begin(const char *event_type, Oid role_id);
/* Set a field.  A NULL text or list stays absent; a COMMITMENT field's text
 * goes aside with a fresh salt. */
extern void dbvc_event_text(DbvcEvent *event, DbvcEventField field,
							const char *text);
extern void dbvc_event_int(DbvcEvent *event, DbvcEventField field,
						   int64 value);
extern void dbvc_event_time(DbvcEvent *event, DbvcEventField field,
							TimestampTz value);
extern void dbvc_event_bool(DbvcEvent *event, DbvcEventField field,
							bool value);
extern void dbvc_event_bytes(DbvcEvent *event, DbvcEventField field,
							 const void *bytes, Size len);
extern void dbvc_event_list(DbvcEvent *event, DbvcEventField field,
							const List *texts);
/* Insert the event and the texts kept aside; returns the event's id. */
extern int64 dbvc_event_append(DbvcEvent *event);

/* SHA-256(0x00 | body): the leaf hash of RFC 6962. */
extern void dbvc_event_leaf_hash(const void *body, Size len,
								 uint8 out[DBVC_SHA256_LEN]);

/* in event_read.c */

/* Field of a stored body; NULL, or false, when absent. */
extern char *dbvc_event_get_text(bytea *body, DbvcEventField field);
extern List *dbvc_event_get_list(bytea *body, DbvcEventField field);
extern bytea *dbvc_event_get_bytes(bytea *body, DbvcEventField field);
extern bool dbvc_event_get_bool(bytea *body, DbvcEventField field,
								bool *value);
extern bool dbvc_event_get_int(bytea *body, DbvcEventField field,
							   int64 *value);
extern bool dbvc_event_get_time(bytea *body, DbvcEventField field,
								TimestampTz *value);

/* in settings.c */

/* Define dbvc.database_id and dbvc.environment. */
extern void dbvc_ledger_init(void);
/* dbvc.environment, "" when unset. */
extern const char *dbvc_environment(void);
/* dbvc.database_id, or the database's name when unset. */
extern const char *dbvc_database_id(void);

#endif /* DBVC_LEDGER_H */
