/*
 * snapshot_functions.c
 *		The SQL functions of snapshots.
 *
 * Catalogs are read and history is written as the owner of the history, so
 * the answer does not depend on who asks; EXECUTE is all that a caller needs.
 */
#include "snapshot/snapshot.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "ledger/ledger.h"
#include "util/errors.h"
#include "util/util.h"

/* ---------------------------------------------------------------- arguments */

static char *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static bool
flag_argument(FunctionCallInfo fcinfo, int n)
{
	return !PG_ARGISNULL(n) && PG_GETARG_BOOL(n);
}

/* NIL: all schemas. */
static List *
schemas_argument(FunctionCallInfo fcinfo, int n)
{
	List *schemas;

	if (PG_ARGISNULL(n))
		return NIL;
	schemas = dbvc_text_array_list(PG_GETARG_ARRAYTYPE_P(n));
	if (schemas == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the list of schemas is empty"),
						errhint("Name schemas, or leave the argument out for "
								"all of them.")));
	return schemas;
}

static bytea *
make_bytea(const void *bytes, Size len)
{
	bytea *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), bytes, len);
	return result;
}

/* Text of the database, or null for an empty string, of UTF-8. */
static Datum
utf8_datum(const char *utf8, bool *isnull)
{
	*isnull = utf8[0] == '\0';
	return *isnull ? (Datum) 0 : CStringGetTextDatum(dbvc_from_utf8(utf8));
}

/* ------------------------------------------------------ capture, fingerprint */

PG_FUNCTION_INFO_V1(dbvc_snapshot_capture);
Datum
dbvc_snapshot_capture(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	char *label = text_argument(fcinfo, 0);
	List *schemas = schemas_argument(fcinfo, 1);
	bool settings = flag_argument(fcinfo, 2);
	char *id;

	PreventCommandIfReadOnly("dbvc.snapshot_capture()");
	SPI_connect();
	id = dbvc_snapshot_take(label, schemas, settings, GetUserId());
	id = MemoryContextStrdup(caller, id);
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(id));
}

PG_FUNCTION_INFO_V1(dbvc_snapshot_fingerprint);
Datum
dbvc_snapshot_fingerprint(PG_FUNCTION_ARGS)
{
	List *schemas = schemas_argument(fcinfo, 0);
	bool settings = flag_argument(fcinfo, 1);
	bool full = flag_argument(fcinfo, 2);
	uint8 fingerprint[DBVC_SHA256_LEN];
	DbvcOwnerScope scope;
	DbvcCapture *capture;
	int objects;

	SPI_connect();
	capture = dbvc_capture_now(full);
	dbvc_owner_enter(&scope);
	dbvc_capture_fingerprint(capture, schemas, settings, fingerprint,
							 &objects);
	dbvc_owner_leave(&scope);
	SPI_finish();
	PG_RETURN_BYTEA_P(make_bytea(fingerprint, DBVC_SHA256_LEN));
}

/* --------------------------------------------------------------- difference */

/* What is compared with what. */
typedef struct Comparison
{
	DbvcSnapshot *from;
	DbvcSnapshot *to;  /* or NULL ... */
	DbvcCapture *live; /* ... for the schema as it is now */
	List *schemas;	   /* NIL: all */
	bool settings;
} Comparison;

/* Fingerprints and texts of different majors mean different things. */
static void
check_versions(const DbvcSnapshot *from, const char *to_name, int to_server,
			   int to_definition)
{
	if (from->server_version / 10000 != to_server / 10000)
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_OTHER_VERSION),
				 errmsg("snapshots of PostgreSQL %d and %d cannot be compared",
						from->server_version / 10000, to_server / 10000),
				 errdetail("Snapshot \"%s\" is of %d, %s of %d. The server's "
						   "own texts of expressions differ between majors.",
						   from->id, from->server_version / 10000, to_name,
						   to_server / 10000),
				 errhint("Take a new snapshot to start from.")));
	if (from->definition_version != to_definition)
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_OTHER_VERSION),
				 errmsg("snapshots made by different rules cannot be "
						"compared"),
				 errdetail("Definitions of snapshot \"%s\" are of version %d, "
						   "those of %s of version %d.",
						   from->id, from->definition_version, to_name,
						   to_definition),
				 errhint("Take a new snapshot to start from.")));
}

/* Both hold everything; compared is what both were asked for. */
static void
common_options(Comparison *comparison)
{
	const DbvcSnapshot *from = comparison->from;
	const DbvcSnapshot *to = comparison->to;
	ListCell *cell;

	comparison->schemas = from->schemas;
	comparison->settings = from->settings;
	if (to == NULL)
		return;
	comparison->settings = from->settings && to->settings;
	if (from->schemas == NIL || to->schemas == NIL)
	{
		comparison->schemas =
			from->schemas == NIL ? to->schemas : from->schemas;
		return;
	}
	comparison->schemas = NIL;
	foreach (cell, from->schemas)
	{
		if (dbvc_is_among(lfirst(cell), to->schemas))
			comparison->schemas = lappend(comparison->schemas, lfirst(cell));
	}
	if (comparison->schemas == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("snapshots have no schema in common"),
						errdetail("Snapshot \"%s\" is of %s, \"%s\" of %s.",
								  from->id, dbvc_join_names(from->schemas),
								  to->id, dbvc_join_names(to->schemas))));
}

/* Bodies of what is stored. */
static const char *
stored_body(const void *side, const uint8 hash[DBVC_SHA256_LEN])
{
	const char *text = dbvc_definition_load(hash);

	if (text == NULL)
		ereport(ERROR, (errcode(ERRCODE_DBVC_HISTORY_DAMAGED),
						errmsg("a definition of a snapshot is missing"),
						errdetail("Table dbvc.definition has no row %s.",
								  dbvc_hex(hash, DBVC_SHA256_LEN)),
						errhint("Restore the row from a backup.")));
	return text;
}

static const char *
live_body(const void *side, const uint8 hash[DBVC_SHA256_LEN])
{
	const char *text = dbvc_capture_body(side, hash);

	return text != NULL ? text : stored_body(NULL, hash);
}

/* Runs inside an owner scope. */
static List *
compare(Comparison *comparison, bool detail)
{
	const DbvcSnapshot *from = comparison->from;
	const DbvcSnapshot *to = comparison->to;
	DbvcCapture *live = comparison->live;
	const uint8 *root = to != NULL ? to->root : live->root;
	DbvcSide before = {.body = stored_body};
	DbvcSide after = {.body = to != NULL ? stored_body : live_body,
					  .arg = live};
	DbvcList *old_list;
	DbvcList *new_list;
	bool same_oids =
		from->system_identifier ==
			(to != NULL ? to->system_identifier : GetSystemIdentifier()) &&
		from->database == (to != NULL ? to->database : MyDatabaseId);

	common_options(comparison);
	if (to != NULL || live->has_root)
		dbvc_list_load_differing(from->root, root, &old_list, &new_list,
								 CurrentMemoryContext);
	else
	{
		old_list = dbvc_list_load(from->root, CurrentMemoryContext);
		new_list = dbvc_capture_list(live);
	}
	before.list =
		dbvc_list_filter(old_list, comparison->schemas, comparison->settings);
	after.list =
		dbvc_list_filter(new_list, comparison->schemas, comparison->settings);
	return dbvc_differences(&before, &after, same_oids, detail);
}

static void
put_differences(FunctionCallInfo fcinfo, List *differences)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell *cell;

	foreach (cell, differences)
	{
		const DbvcDifference *difference = lfirst(cell);
		Datum values[6] = {0};
		bool nulls[6] = {false};

		values[0] = CStringGetTextDatum(difference->change);
		values[1] = CStringGetTextDatum(difference->type);
		values[2] = CStringGetTextDatum(difference->identity);
		nulls[3] = difference->attribute == NULL;
		if (!nulls[3])
			values[3] = CStringGetTextDatum(difference->attribute);
		nulls[4] = difference->before == NULL;
		values[4] = PointerGetDatum(difference->before);
		nulls[5] = difference->after == NULL;
		values[5] = PointerGetDatum(difference->after);
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
		CHECK_FOR_INTERRUPTS();
	}
}

/* The schema as it is now, to be compared with a snapshot. */
static void
compare_with_live(Comparison *comparison, const DbvcSnapshot *from)
{
	check_versions(from, "the database", PG_MAJORVERSION_NUM * 10000,
				   DBVC_DEFINITION_VERSION);
	comparison->live = dbvc_capture_now(false);
}

PG_FUNCTION_INFO_V1(dbvc_snapshot_diff);
Datum
dbvc_snapshot_diff(PG_FUNCTION_ARGS)
{
	char *from = text_argument(fcinfo, 0);
	char *to = text_argument(fcinfo, 1);
	bool detail = flag_argument(fcinfo, 2);
	Comparison comparison = {0};
	DbvcOwnerScope scope;

	if (from == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("from_snapshot must not be null"),
				 errhint("dbvc.snapshot_drift() compares the newest snapshot "
						 "with the database.")));
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	dbvc_owner_enter(&scope);
	comparison.from = dbvc_snapshot_find(from);
	if (to != NULL)
	{
		comparison.to = dbvc_snapshot_find(to);
		check_versions(comparison.from,
					   psprintf("snapshot \"%s\"", comparison.to->id),
					   comparison.to->server_version,
					   comparison.to->definition_version);
	}
	else
		compare_with_live(&comparison, comparison.from);
	put_differences(fcinfo, compare(&comparison, detail));
	dbvc_owner_leave(&scope);
	SPI_finish();
	return (Datum) 0;
}

/* Inside an owner scope; role: on whose behalf. */
static void
record_drift(Comparison *comparison, int count, Oid role)
{
	uint8 fingerprint[DBVC_SHA256_LEN];
	DbvcList *list;

	if (RecoveryInProgress() || XactReadOnly)
	{
		ereport(NOTICE, (errmsg("drift is not recorded: %s is read-only",
								RecoveryInProgress() ? "this server"
													 : "the transaction")));
		return;
	}
	/* not dbvc_capture_fingerprint(): a schema may be gone by now */
	list = dbvc_list_filter(dbvc_capture_list(comparison->live),
							comparison->schemas, comparison->settings);
	dbvc_list_fingerprint(list, fingerprint);
	dbvc_drift_record(comparison->from->id, fingerprint, list->count, count,
					  role);
}

PG_FUNCTION_INFO_V1(dbvc_snapshot_drift);
Datum
dbvc_snapshot_drift(PG_FUNCTION_ARGS)
{
	bool detail = flag_argument(fcinfo, 0);
	Oid role = GetUserId();
	Comparison comparison = {0};
	DbvcOwnerScope scope;
	List *differences;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	dbvc_owner_enter(&scope);
	comparison.from = dbvc_snapshot_whole();
	if (comparison.from->schemas != NIL)
		ereport(NOTICE, (errmsg("only some schemas are compared: %s",
								dbvc_join_names(comparison.from->schemas)),
						 errhint("No snapshot holds the others: take one with "
								 "dbvc.snapshot_capture().")));
	compare_with_live(&comparison, comparison.from);
	differences = compare(&comparison, detail);
	put_differences(fcinfo, differences);
	if (differences != NIL)
		record_drift(&comparison, list_length(differences), role);
	dbvc_owner_leave(&scope);
	SPI_finish();
	return (Datum) 0;
}

/* ------------------------------------------------------------------ reading */

/* The objects of a snapshot as it was asked for. */
static DbvcList *
load_snapshot(const DbvcSnapshot *snapshot)
{
	return dbvc_list_filter(dbvc_list_load(snapshot->root,
										   CurrentMemoryContext),
							snapshot->schemas, snapshot->settings);
}

PG_FUNCTION_INFO_V1(dbvc_snapshot_objects);
Datum
dbvc_snapshot_objects(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char *id = text_argument(fcinfo, 0);
	DbvcOwnerScope scope;
	DbvcList *list;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	dbvc_owner_enter(&scope);
	list = load_snapshot(dbvc_snapshot_find(id));
	for (int i = 0; i < list->count; i++)
	{
		const DbvcEntry *entry = &list->entries[i];
		Datum values[5];
		bool nulls[5] = {false};

		values[0] = utf8_datum(entry->type, &nulls[0]);
		values[1] = utf8_datum(entry->identity, &nulls[1]);
		values[2] = utf8_datum(entry->schema, &nulls[2]);
		values[3] = utf8_datum(entry->parent, &nulls[3]);
		values[4] = PointerGetDatum(make_bytea(entry->hash, DBVC_SHA256_LEN));
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
		CHECK_FOR_INTERRUPTS();
	}
	dbvc_owner_leave(&scope);
	SPI_finish();
	return (Datum) 0;
}

/* Members of "objects": {"table": {"public.t": {...}, ...}, ...} */
static void
put_objects(StringInfo document, const DbvcList *list)
{
	const char *type = "";

	for (int i = 0; i < list->count; i++)
	{
		const DbvcEntry *entry = &list->entries[i];
		const char *body = stored_body(NULL, entry->hash);

		if (strcmp(type, entry->type) != 0)
		{
			appendStringInfoString(document, i > 0 ? "}," : "");
			type = entry->type;
			escape_json(document, dbvc_from_utf8(type));
			appendStringInfoString(document, ":{");
		}
		else
			appendStringInfoChar(document, ',');
		escape_json(document, dbvc_from_utf8(entry->identity));
		appendStringInfoChar(document, ':');
		appendStringInfoString(document, dbvc_from_utf8(body));
		CHECK_FOR_INTERRUPTS();
	}
	if (list->count > 0)
		appendStringInfoChar(document, '}');
}

static void
put_member(StringInfo document, const char *key, const char *value)
{
	escape_json(document, key);
	appendStringInfoChar(document, ':');
	escape_json(document, value);
	appendStringInfoChar(document, ',');
}

static void
put_document(StringInfo document, const DbvcSnapshot *snapshot)
{
	pg_time_t seconds = timestamptz_to_time_t(snapshot->captured_at);
	char captured[64];
	ListCell *cell;

	(void) pg_strftime(captured, sizeof(captured), "%Y-%m-%dT%H:%M:%SZ",
					   pg_gmtime(&seconds));
	appendStringInfoChar(document, '{');
	put_member(document, "snapshot", snapshot->id);
	put_member(document, "captured_at", captured);
	put_member(document, "fingerprint",
			   dbvc_hex(snapshot->fingerprint, DBVC_SHA256_LEN));
	appendStringInfo(document,
					 "\"server_version\":%d,\"definition_version\":%d,",
					 snapshot->server_version, snapshot->definition_version);
	if (snapshot->schemas != NIL)
	{
		appendStringInfoString(document, "\"schemas\":");
		foreach (cell, snapshot->schemas)
		{
			appendStringInfoChar(document, cell == list_head(snapshot->schemas)
											   ? '['
											   : ',');
			escape_json(document, lfirst(cell));
		}
		appendStringInfoString(document, "],");
	}
	if (snapshot->settings)
		appendStringInfoString(document, "\"settings\":true,");
	appendStringInfoString(document, "\"objects\":{");
	put_objects(document, load_snapshot(snapshot));
	appendStringInfoString(document, "}}");
}

PG_FUNCTION_INFO_V1(dbvc_snapshot_document);
Datum
dbvc_snapshot_document(PG_FUNCTION_ARGS)
{
	char *id = text_argument(fcinfo, 0);
	StringInfoData document;
	DbvcOwnerScope scope;

	initStringInfo(&document);
	SPI_connect();
	dbvc_owner_enter(&scope);
	put_document(&document, dbvc_snapshot_find(id));
	dbvc_owner_leave(&scope);
	SPI_finish();
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(document.data));
}
