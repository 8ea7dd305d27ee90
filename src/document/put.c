/*
 * put.c
 *		Whole documents by key: read, replace, patch.
 *
 * document_put() is what INSERT ... ON CONFLICT DO UPDATE is on a table, which
 * a view cannot have.  Its etag is doc_version: who gives the one that a
 * document had when it was read writes only if nobody else has written since.
 */
#include "document/item.h"

#include "document/doc_raw.h"
#include "document/runtime.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "util/util.h"

/* An etag that no document has: there must be none. */
#define NO_DOCUMENT (-1)
/* Inserts that may meet somebody else's, before the error is reported. */
#define MAX_ATTEMPTS 5

PG_FUNCTION_INFO_V1(dbvc_document_get);
Datum
dbvc_document_get(PG_FUNCTION_ARGS)
{
	DbvcTarget target;
	Datum result = (Datum) 0;
	bool isnull = true;

	dbvc_target_open(&target, PG_GETARG_OID(0), PG_GETARG_ARRAYTYPE_P(1),
					 AccessShareLock);
	if (dbvc_target_run(&target, DBVC_RUN_FACE_DOCUMENT, NULL, true) > 0)
		result = dbvc_row_datum(0, 1, &isnull);
	MemoryContextSwitchTo(target.call);
	if (!isnull)
		result = JsonbPGetDatum(DatumGetJsonbPCopy(result));
	SPI_finish();
	if (isnull)
		PG_RETURN_NULL();
	return result;
}

/* The document's version; false if there is none. */
static bool
read_etag(DbvcTarget *target, bool read_only, int64 *etag)
{
	if (dbvc_target_run(target, DBVC_RUN_BASE_VERSION, NULL, read_only) == 0)
		return false;
	*etag = dbvc_row_int64(0, 1, 0);
	return true;
}

PG_FUNCTION_INFO_V1(dbvc_document_etag);
Datum
dbvc_document_etag(PG_FUNCTION_ARGS)
{
	DbvcTarget target;
	int64 etag = 0;
	bool found;

	dbvc_target_open(&target, PG_GETARG_OID(0), PG_GETARG_ARRAYTYPE_P(1),
					 AccessShareLock);
	found = read_etag(&target, true, &etag);
	SPI_finish();
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_INT64(etag);
}

/* ----------------------------------------------------------------- writing */

typedef struct Write
{
	DbvcTarget target;
	Jsonb *document; /* or the patch */
	bool has_etag;
	int64 etag;
} Write;

DBVC_NORETURN static void
refuse_stale(const Write *write, const char *state)
{
	const DbvcTarget *target = &write->target;

	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("document is not as it was read"),
			 errdetail("Document %s of %s %s.",
					   dbvc_adopted_key_text(target->adopted, target->key),
					   target->adopted->name, state),
			 errhint("Read it again, and retry.")));
}

/*
 * Documents that are released have version 0, whoever writes them: that tells
 * nothing.
 */
DBVC_NORETURN static void
refuse_releasing(const Write *write)
{
	const DbvcAdopted *adopted = write->target.adopted;

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("etag 0 says nothing while %s is being released",
					adopted->name),
			 errdetail("Its documents have no versions any more."),
			 errhint("Use SELECT ... FOR UPDATE, or wait for the end of "
					 "dbvc.document_release().")));
}

static void
check_etag(const Write *write, int64 version)
{
	if (!write->has_etag)
		return;
	if (write->etag == version)
	{
		if (version == 0 && write->target.adopted->releasing)
			refuse_releasing(write);
		return;
	}
	if (write->etag == NO_DOCUMENT)
		refuse_stale(write,
					 psprintf("exists, with version " INT64_FORMAT, version));
	refuse_stale(write,
				 psprintf("has version " INT64_FORMAT ", not " INT64_FORMAT,
						  version, write->etag));
}

static void
open_write(Write *write, FunctionCallInfo fcinfo, const char *what)
{
	dbvc_argument_require(fcinfo, 0, "source");
	dbvc_argument_require(fcinfo, 1, "key");
	dbvc_argument_require(fcinfo, 2, what);
	write->document = PG_GETARG_JSONB_P(2);
	write->has_etag = !PG_ARGISNULL(3);
	write->etag = write->has_etag ? PG_GETARG_INT64(3) : 0;
	if (write->etag < NO_DOCUMENT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("etag must not be less than %d", NO_DOCUMENT),
				 errhint("Give what dbvc.document_etag() returned; %d if "
						 "there must be no document yet.",
						 NO_DOCUMENT)));
	dbvc_target_open(&write->target, PG_GETARG_OID(0),
					 PG_GETARG_ARRAYTYPE_P(1), RowExclusiveLock);
}

static void
insert_document(void *arg)
{
	Write *write = arg;
	Datum document = JsonbPGetDatum(write->document);

	dbvc_target_run(&write->target, DBVC_RUN_FACE_INSERT, &document, false);
}

/* Insert it; false if there is one by now. */
static bool
try_insert(Write *write, int attempt)
{
	ErrorData *error = dbvc_subtransaction(insert_document, write, true);

	if (error == NULL)
		return true;
	write->target.rows = NULL;
	/* another constraint's, perhaps; then it will be there again */
	if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION ||
		attempt == MAX_ATTEMPTS)
	{
		/* the face's hint is to call this function */
		error->hint = NULL;
		ReThrowError(error);
	}
	FreeErrorData(error);
	return false;
}

/* Has the document these bytes?  Then ids that it may give do not matter. */
static bool
is_same(const DbvcStored *stored, Jsonb *whole)
{
	return stored->version > 0 && !stored->isnull &&
		   dbvc_jsonb_same(dbvc_doc_combine(stored->adopted->parts,
											stored->document),
						   whole);
}

static void
write_whole(const Write *write, DbvcStored *stored, Jsonb *whole)
{
	const DbvcAdopted *adopted = write->target.adopted;
	DbvcDocument *document;

	if (is_same(stored, whole))
		return;
	document = dbvc_doc_split(adopted->parts, whole);
	if (!adopted->releasing)
		dbvc_document_examine(adopted, stored->key, whole, document);
	dbvc_stored_write(stored, document, NULL);
}

static void
put_document(Write *write)
{
	DbvcTarget *target = &write->target;
	DbvcStored *stored;

	for (int attempt = 1;; attempt++)
	{
		CHECK_FOR_INTERRUPTS();
		stored = dbvc_stored_lock(target->adopted, target->key);
		if (stored != NULL)
			break;
		if (write->has_etag && write->etag != NO_DOCUMENT)
			refuse_stale(write, "does not exist any more");
		if (try_insert(write, attempt))
			return;
	}
	check_etag(write, stored->version);
	write_whole(write, stored, write->document);
}

PG_FUNCTION_INFO_V1(dbvc_document_put);
Datum
dbvc_document_put(PG_FUNCTION_ARGS)
{
	Write write;
	int64 etag;
	bool found;

	open_write(&write, fcinfo, "doc");
	put_document(&write);
	found = read_etag(&write.target, false, &etag);
	SPI_finish();
	/* a trigger has passed it over */
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_INT64(etag);
}

/* ---------------------------------------------------------------- patching */

/*
 * A patch that goes past all parts is one of slim: items are not even read.
 * False if the document is whole, and none of that holds.
 */
static bool
patch_slim(Write *write, int64 *etag)
{
	DbvcTarget *target = &write->target;
	Jsonb *slim = NULL;
	Jsonb *patched;
	DbvcValue before = {0};
	DbvcValue after;
	Datum value;
	bool isnull;

	if (dbvc_target_run(target, DBVC_RUN_BASE_LOCK, NULL, false) == 0)
		dbvc_target_missing(target);
	*etag = dbvc_row_int64(0, 1, 0);
	check_etag(write, *etag);
	if (*etag == 0)
		return false;
	value = dbvc_row_datum(0, 2, &isnull);
	if (!isnull)
	{
		slim = DatumGetJsonbP(value);
		before = dbvc_value_read(JsonbPGetDatum(slim));
	}
	patched = dbvc_doc_patch(slim, write->document);
	after = dbvc_value_read(JsonbPGetDatum(patched));
	if (slim != NULL && dbvc_value_same(&before, &after))
		return true;
	value = JsonbPGetDatum(patched);
	if (dbvc_target_run(target, DBVC_RUN_BASE_SET, &value, false) == 0)
		dbvc_target_missing(target);
	*etag = dbvc_row_int64(0, 1, 0);
	return true;
}

static void
patch_whole(Write *write, int64 *etag)
{
	DbvcTarget *target = &write->target;
	const DbvcParts *parts = target->adopted->parts;
	DbvcStored *stored = dbvc_stored_lock(target->adopted, target->key);
	Jsonb *patched;

	if (stored == NULL)
		dbvc_target_missing(target);
	check_etag(write, stored->version);
	patched = dbvc_doc_patch(stored->isnull
								 ? NULL
								 : dbvc_doc_combine(parts, stored->document),
							 write->document);
	write_whole(write, stored, patched);
	if (!read_etag(target, false, etag))
		dbvc_target_missing(target);
}

PG_FUNCTION_INFO_V1(dbvc_document_patch);
Datum
dbvc_document_patch(PG_FUNCTION_ARGS)
{
	Write write;
	int64 etag = 0;
	const DbvcAdopted *adopted;

	open_write(&write, fcinfo, "patch");
	adopted = write.target.adopted;
	if (adopted->releasing ||
		dbvc_doc_patch_mentions(adopted->parts, write.document) ||
		!patch_slim(&write, &etag))
		patch_whole(&write, &etag);
	SPI_finish();
	PG_RETURN_INT64(etag);
}
