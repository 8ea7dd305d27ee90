/*
 * read.c
 *		document_read(): what the face calls for a document.
 */
#include "document/runtime.h"

#include "access/transam.h"
#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "util/errors.h"

#define FIRST_KEY 4 /* arguments: base, document, doc_version, xmin, key... */

/* What a call site keeps, in fn_extra. */
typedef struct CallSite
{
	const DbvcAdopted *adopted;
	DbvcReader *reader;
	MemoryContext work; /* reset by each call */
} CallSite;

static void
check_arguments(FunctionCallInfo fcinfo, const DbvcAdopted *adopted)
{
	bool right = PG_NARGS() == FIRST_KEY + adopted->nkeys;

	for (int k = 0; right && k < adopted->nkeys; k++)
		right =
			getBaseType(get_fn_expr_argtype(fcinfo->flinfo, FIRST_KEY + k)) ==
			getBaseType(adopted->key[k].type);
	if (!right)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("key does not fit %s", adopted->name),
						errhint("Read %s instead.", adopted->name)));
}

static CallSite *
call_site(FunctionCallInfo fcinfo)
{
	CallSite *site = fcinfo->flinfo->fn_extra;
	const DbvcAdopted *adopted = dbvc_adopted_get(PG_GETARG_OID(0), false);

	if (unlikely(site == NULL))
	{
		MemoryContext context = fcinfo->flinfo->fn_mcxt;

		site = MemoryContextAllocZero(context, sizeof(CallSite));
		site->reader = dbvc_reader_make(context);
		site->work = AllocSetContextCreate(context, "dbvc document",
										   ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = site;
	}
	if (unlikely(site->adopted != adopted))
	{
		check_arguments(fcinfo, adopted);
		site->adopted = adopted;
	}
	return site;
}

/*
 * The snapshot to read items with: the query's, by which the row was found.
 * But SELECT FOR UPDATE, when it has waited for a writer, evaluates the row
 * anew that this one has left, which the query's snapshot does not show: its
 * items must be those of now.  The row is locked, so they stay as they are.
 */
static Snapshot
snapshot_for(TransactionId xmin)
{
	Snapshot snapshot = GetActiveSnapshot();

	if (TransactionIdPrecedes(xmin, snapshot->xmin) ||
		!TransactionIdIsNormal(xmin) ||
		TransactionIdIsCurrentTransactionId(xmin) ||
		!XidInMVCCSnapshot(xmin, snapshot))
		return snapshot;
	/* a frozen row keeps its xmin, which may be 2^31 transactions old */
	if (!TransactionIdPrecedes(xmin, XidFromFullTransactionId(
										 ReadNextFullTransactionId())))
		return snapshot;
	return GetLatestSnapshot();
}

/* Whose document it is that cannot be put together. */
typedef struct Reading
{
	const DbvcAdopted *adopted;
	const Datum *key;
} Reading;

static void
tell_document(void *arg)
{
	const Reading *reading = arg;

	errcontext("document %s of %s",
			   dbvc_adopted_key_text(reading->adopted, reading->key),
			   reading->adopted->name);
}

static Jsonb *
combine(const DbvcAdopted *adopted, const Datum *key, Jsonb *slim,
		const DbvcRows *rows, MemoryContext result)
{
	Reading reading = {adopted, key};
	ErrorContextCallback callback;
	MemoryContext old;
	DbvcDocument *document;
	Jsonb *whole;

	callback.previous = error_context_stack;
	callback.callback = tell_document;
	callback.arg = &reading;
	error_context_stack = &callback;
	document = dbvc_rows_document(adopted, slim, rows, false, NULL);
	old = MemoryContextSwitchTo(result);
	whole = dbvc_doc_combine(adopted->parts, document);
	MemoryContextSwitchTo(old);
	error_context_stack = callback.previous;
	return whole;
}

PG_FUNCTION_INFO_V1(dbvc_document_read);
Datum
dbvc_document_read(PG_FUNCTION_ARGS)
{
	CallSite *site;
	const DbvcAdopted *adopted;
	const DbvcRows *rows;
	Datum key[DBVC_KEY_MAX];
	Snapshot snapshot;
	int64 version;
	TransactionId xmin;
	Jsonb *slim;
	Jsonb *whole;
	MemoryContext old;

	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	}
	if (PG_NARGS() > FIRST_KEY + DBVC_KEY_MAX)
		ereport(ERROR, (errcode(ERRCODE_TOO_MANY_ARGUMENTS),
						errmsg("key has too many columns")));
	site = call_site(fcinfo);
	adopted = site->adopted;
	version = PG_GETARG_INT64(2);
	xmin = PG_GETARG_TRANSACTIONID(3);
	for (int k = 0; k < adopted->nkeys; k++)
		key[k] = PG_GETARG_DATUM(FIRST_KEY + k);
	snapshot = snapshot_for(xmin);
	if (version == 0)
	{
		dbvc_reader_attach(site->reader, adopted, snapshot);
		dbvc_reader_note(site->reader, key, 0, xmin);
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	}
	rows = dbvc_reader_read(site->reader, adopted, snapshot, key, false);
	dbvc_reader_note(site->reader, key, version, xmin);
	if (rows->count == 0)
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));

	MemoryContextReset(site->work);
	old = MemoryContextSwitchTo(site->work);
	slim = DatumGetJsonbP(PG_GETARG_DATUM(1));
	whole = combine(adopted, key, slim, rows, old);
	MemoryContextSwitchTo(old);
	/* it may be the slim one, which is about to be freed */
	if (whole == slim)
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	PG_RETURN_JSONB_P(whole);
}
