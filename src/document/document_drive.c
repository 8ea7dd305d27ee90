/*
 * document_drive.c
 *		All documents of a table, in batches: what backfill and release share.
 *
 * The base is walked through in the order of its key, up to the key that is
 * the highest when the walk begins, so that it ends however many rows come
 * in meanwhile.  What others have locked is skipped, and what is written
 * behind the walk's position is not seen; so afterwards the table is asked
 * what is left.  If it is much there is another walk, if it is little each row
 * is waited for.
 *
 * A batch is one transaction with one subtransaction in it, which locks, reads
 * and writes.  If that fails through a document, the batch is taken apart: the
 * rows before it are done again, or, when nobody knows which one it was, one
 * half after the other.  The document at fault is set aside.
 */
#include "document/backfill.h"

#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "util/errors.h"
#include "util/util.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/* Documents of the first batch, when nobody knows how large they are. */
#define FIRST_LIMIT 128
/* So many that are left are done one by one; if there are more, once more
 * all of them. */
#define FEW 1000
#define WALKS 3
#define ROUNDS 3
/* A batch that cannot even be read because of others is tried so often. */
#define RETRIES 5

#define WORK_BLOCK_SIZE (1024 * 1024)

/* ----------------------------------------------------------- error endings */

/* Errors of which no document can be the reason. */
static bool
is_fatal(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case MAKE_SQLSTATE('0', '8', '0', '0', '0'):
		case MAKE_SQLSTATE('2', '5', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'):
			return true;
	}
	return error->elevel > ERROR;
}

/* Errors that others are the reason of: trying again helps. */
static bool
is_transient(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		   ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
			   MAKE_SQLSTATE('4', '0', '0', '0', '0');
}

/* A second cancel must not hide what the first one has ended. */
static void
end_by_error(DbvcDrive *drive, ErrorData *error)
{
	bool cancelled = error->sqlerrcode == ERRCODE_QUERY_CANCELED;
	uint32 held = QueryCancelHoldoffCount;

	QueryCancelHoldoffCount = held + 1;
	dbvc_document_run_end(&drive->run, cancelled ? "cancelled" : "failed",
						  error->message);
	SPI_commit();
	QueryCancelPending = false;
	QueryCancelHoldoffCount = held;
	ReThrowError(error);
}

typedef struct Guarded
{
	DbvcDrive *drive;
	void (*work)(DbvcDrive *drive);
} Guarded;

static void
run_guarded(void *arg)
{
	Guarded *guarded = arg;

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(guarded->drive->work_context);
	MemoryContextSwitchTo(guarded->drive->work_context);
	PushActiveSnapshot(GetTransactionSnapshot());
	guarded->work(guarded->drive);
	PopActiveSnapshot();
}

void
dbvc_drive_guarded(DbvcDrive *drive, void (*work)(DbvcDrive *drive))
{
	Guarded guarded = {drive, work};
	ErrorData *error = dbvc_subtransaction(run_guarded, &guarded, true);

	if (error != NULL)
		end_by_error(drive, error);
}

void
dbvc_drive_commit(DbvcDrive *drive, bool lazily)
{
	/* the last one waits for the disk, and with it everything before */
	if (lazily)
		(void) set_config_option("synchronous_commit", "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
								 false);
	SPI_commit();
}

/* --------------------------------------------------------------- one batch */

/* What is known of the table, for as long as the batch's lock is held. */
static void
read_adopted(DbvcDrive *drive)
{
	MemoryContext old = MemoryContextSwitchTo(drive->batch_context);
	DbvcAdopted *copy = palloc(sizeof(DbvcAdopted));

	*copy = *dbvc_adopted_get(drive->run.base, false);
	copy->name = pstrdup(copy->name);
	copy->base_name = pstrdup(copy->base_name);
	copy->items_name = pstrdup(copy->items_name);
	copy->doc_name = pstrdup(copy->doc_name);
	for (int i = 0; i < copy->nkeys; i++)
	{
		DbvcKeyColumn *key = &copy->key[i];

		key->base_name = pstrdup(key->base_name);
		key->items_name = pstrdup(key->items_name);
		key->equal = pstrdup(key->equal);
	}
	copy->parts = NULL;
	copy->runtime = NULL;
	drive->batch.adopted = copy;
	drive->batch.version_name =
		quote_identifier(get_attname(copy->base, copy->base_version, false));
	MemoryContextSwitchTo(old);
}

/* Without the trigger on the base a split document is taken for a whole one. */
static void
check_trigger(DbvcDrive *drive)
{
	Relation base = table_open(drive->run.base, NoLock);
	TriggerDesc *triggers = base->trigdesc;
	bool fires = false;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (strcmp(trigger->tgname, DBVC_BASE_TRIGGER) == 0)
			fires =
				trigger->tgenabled == TRIGGER_FIRES_ALWAYS ||
				trigger->tgenabled ==
					(SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA
						 ? TRIGGER_FIRES_ON_REPLICA
						 : TRIGGER_FIRES_ON_ORIGIN);
	}
	table_close(base, NoLock);
	if (!fires)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("trigger \"%s\" of %s does not fire",
						DBVC_BASE_TRIGGER, drive->batch.adopted->base_name),
				 errhint("Enable it; do not work with "
						 "session_replication_role = replica.")));
}

static void
lock_table(DbvcDrive *drive)
{
	LockRelationOid(drive->run.base, RowExclusiveLock);
	read_adopted(drive);
	check_trigger(drive);
	if (drive->run.operation == DBVC_BACKFILL &&
		drive->batch.adopted->releasing)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s is being released", drive->batch.adopted->name),
				 errhint("CALL dbvc.document_release() to its end, or with "
						 "cancel => true.")));
}

typedef struct Attempt
{
	DbvcDrive *drive;
	const DbvcRange *range;
} Attempt;

static void
work_on_range(void *arg)
{
	Attempt *attempt = arg;
	DbvcDrive *drive = attempt->drive;

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(drive->work_context);
	MemoryContextSwitchTo(drive->work_context);
	/* to read documents out of line */
	PushActiveSnapshot(GetTransactionSnapshot());
	drive->batch = (DbvcBatch){.adopted = drive->batch.adopted, .failed = -1};
	lock_table(drive);
	if (drive->run.operation == DBVC_BACKFILL)
		dbvc_backfill_range(drive, attempt->range);
	else
		dbvc_release_range(drive, attempt->range);
	/* what is checked at the commit shall fail here */
	if (SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) < 0)
		elog(ERROR, "could not check constraints");
	PopActiveSnapshot();
}

static Datum *
copy_key(const DbvcAdopted *adopted, const Datum *key)
{
	Datum *copy = palloc(adopted->nkeys * sizeof(Datum));

	for (int i = 0; i < adopted->nkeys; i++)
		copy[i] = datumCopy(key[i], adopted->key[i].typbyval,
							adopted->key[i].typlen);
	return copy;
}

static void
set_aside(DbvcDrive *drive, const Datum *key, ErrorData *error)
{
	uint64 hash = dbvc_keyset_hash(drive->batch.adopted, key);
	bool found;

	dbvc_document_set_aside(&drive->run,
							dbvc_keyset_texts(drive->batch.adopted, key),
							error);
	(void) hash_search(drive->failed, &hash, HASH_ENTER, &found);
	if (drive->first_failed == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(drive->context);

		drive->first_failed = copy_key(drive->batch.adopted, key);
		MemoryContextSwitchTo(old);
	}
	if (!found && ++drive->run.errors > drive->options.max_errors)
	{
		error->detail =
			psprintf("The last one was %s: %s",
					 dbvc_adopted_key_text(drive->batch.adopted, key),
					 error->message);
		error->message =
			psprintf("more than " INT64_FORMAT " documents of %s cannot be "
					 "worked on",
					 drive->options.max_errors, drive->run.face);
		error->sqlerrcode = ERRCODE_DBVC_SET_ASIDE;
		error->hint = pstrdup("dbvc.document_error has them all; max_errors "
							  "says how many are too many.");
		end_by_error(drive, error);
	}
}

static void
try_range(DbvcDrive *drive, const DbvcRange *range, bool first)
{
	Attempt attempt = {drive, range};
	ErrorData *error = dbvc_subtransaction(work_on_range, &attempt, true);
	DbvcBatch batch = drive->batch;
	DbvcRange part = *range;
	int middle = batch.failed;

	if (first)
	{
		drive->last = batch.count > 0 ? batch.key[batch.count - 1] : NULL;
		drive->again = false;
	}
	if (error == NULL)
	{
		drive->run.done += batch.done;
		drive->run.items += batch.items;
		drive->duplicates += batch.duplicates;
		return;
	}
	if (is_fatal(error))
		end_by_error(drive, error);
	if (is_transient(error))
	{
		drive->again = first && batch.count == 0;
		if (drive->again && ++drive->retries > RETRIES)
			end_by_error(drive, error);
		return;
	}
	if (batch.count == 0)
		end_by_error(drive, error);
	if (batch.count == 1)
	{
		set_aside(drive, batch.key[0], error);
		return;
	}
	if (middle < 0)
		middle = batch.count / 2;
	if (middle > 0)
	{
		part.upto = batch.key[middle - 1];
		part.limit = middle;
		try_range(drive, &part, false);
	}
	if (batch.failed >= 0)
	{
		drive->batch.adopted = batch.adopted;
		set_aside(drive, batch.key[batch.failed], error);
		return;
	}
	part.after = batch.key[middle - 1];
	part.upto = batch.key[batch.count - 1];
	part.limit = batch.count - middle;
	try_range(drive, &part, false);
}

/* As many as fit into the buffer; fewer after what has failed. */
static void
adapt_limit(DbvcDrive *drive, bool fine)
{
	const DbvcBatch *batch = &drive->batch;
	int limit = fine ? drive->limit * 4 : drive->limit / 4;

	if (batch->count > 0 && batch->bytes > 0)
	{
		Size each = Max(batch->bytes / batch->count, 1);

		limit = Min((Size) limit, dbvc_document_buffer() / each + 1);
	}
	drive->limit = Min(Max(limit, 1), drive->options.batch);
}

/* How far it is, committed with what was done. */
static void
record_step(DbvcDrive *drive)
{
	MemoryContextSwitchTo(drive->work_context);
	dbvc_document_run_step(&drive->run);
	dbvc_drive_commit(drive, true);
	MemoryContextSwitchTo(drive->context);
}

static void
work_on_batch(DbvcDrive *drive, const DbvcRange *range)
{
	int64 errors = drive->run.errors;

	MemoryContextReset(drive->batch_context);
	MemoryContextSwitchTo(drive->batch_context);
	try_range(drive, range, true);
	MemoryContextSwitchTo(drive->context);
	adapt_limit(drive, errors == drive->run.errors);
	record_step(drive);
}

/* ------------------------------------------------------------ between them */

static void
rest(DbvcDrive *drive)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													drive->options.pause);

	InvalidateCatalogSnapshot();
	for (;;)
	{
		long left =
			TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

		if (left <= 0)
			return;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static bool
time_is_over(DbvcDrive *drive)
{
	if (drive->deadline != 0 && GetCurrentTimestamp() >= drive->deadline)
		drive->stopped = true;
	return drive->stopped;
}

/* Keys in the rows of a query, but for those that were set aside. */
static void
read_keys(DbvcDrive *drive, uint64 rows)
{
	MemoryContext old = MemoryContextSwitchTo(drive->batch_context);

	drive->keys = palloc(Max(rows, 1) * sizeof(Datum *));
	drive->key_count = 0;
	for (uint64 i = 0; i < rows; i++)
	{
		Datum *key =
			dbvc_keyset_read(drive->batch.adopted, SPI_tuptable->vals[i],
							 SPI_tuptable->tupdesc);
		uint64 hash = dbvc_keyset_hash(drive->batch.adopted, key);

		if (hash_search(drive->failed, &hash, HASH_FIND, NULL) == NULL)
			drive->keys[drive->key_count++] = key;
	}
	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(old);
}

/* The highest key there is. */
static void
ask_highest(DbvcDrive *drive)
{
	const DbvcAdopted *adopted;
	StringInfoData sql;

	lock_table(drive);
	adopted = drive->batch.adopted;
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s AS b ORDER BY ",
					 dbvc_keyset_columns(adopted, "b", false),
					 adopted->base_name);
	for (int i = 0; i < adopted->nkeys; i++)
		appendStringInfo(&sql, "%sb.%s DESC", i > 0 ? ", " : "",
						 quote_identifier(adopted->key[i].base_name));
	appendStringInfoString(&sql, " LIMIT 1");
	drive->key_count = 0;
	read_keys(drive, dbvc_drive_query(drive, sql.data, 0, NULL, NULL, true));
}

/* What is left, but for what was set aside: some of it. */
static void
ask_left(DbvcDrive *drive)
{
	static const Oid types[1] = {INT8OID};
	Datum limit = Int64GetDatum(hash_get_num_entries(drive->failed) + FEW + 1);

	lock_table(drive);
	read_keys(drive, dbvc_drive_query(
						 drive,
						 psprintf("SELECT %s FROM %s AS b WHERE %s LIMIT $1",
								  dbvc_keyset_columns(drive->batch.adopted,
													  "b", false),
								  drive->batch.adopted->base_name,
								  dbvc_drive_todo(drive)),
						 1, types, &limit, false));
}

static void
count_left(DbvcDrive *drive)
{
	lock_table(drive);
	(void) dbvc_drive_query(
		drive,
		psprintf("SELECT pg_catalog.count(*) FROM %s AS b WHERE %s",
				 drive->batch.adopted->base_name, dbvc_drive_todo(drive)),
		0, NULL, NULL, false);
	drive->left = dbvc_row_int64(0, 1, 0);
	SPI_freetuptable(SPI_tuptable);
}

/* ------------------------------------------------------------------- walks */

static void
walk(DbvcDrive *drive)
{
	MemoryContext contexts[2];
	DbvcRange range = {0};
	int turn = 0;

	for (int i = 0; i < 2; i++)
		contexts[i] = AllocSetContextCreate(drive->context, "dbvc position",
											ALLOCSET_SMALL_SIZES);
	dbvc_drive_guarded(drive, ask_highest);
	if (drive->key_count > 0)
		range.upto = copy_key(drive->batch.adopted, drive->keys[0]);
	dbvc_drive_commit(drive, true);
	while (range.upto != NULL && !time_is_over(drive))
	{
		range.limit = drive->limit;
		work_on_batch(drive, &range);
		if (drive->last == NULL && !drive->again)
			break;
		if (drive->last != NULL)
		{
			turn = !turn;
			MemoryContextReset(contexts[turn]);
			MemoryContextSwitchTo(contexts[turn]);
			range.after = copy_key(drive->batch.adopted, drive->last);
			MemoryContextSwitchTo(drive->context);
			drive->retries = 0;
		}
		if (drive->options.pause > 0)
			dbvc_drive_guarded(drive, rest);
	}
	MemoryContextDelete(contexts[0]);
	MemoryContextDelete(contexts[1]);
}

/* One by one, waiting for each as long as there is patience left. */
static void
work_on_each(DbvcDrive *drive)
{
	for (int i = 0; i < drive->key_count && !time_is_over(drive); i++)
	{
		DbvcRange range = {.at = drive->keys[i], .limit = 1};
		TimestampTz began = GetCurrentTimestamp();
		int patience = Max(drive->options.lock_wait - drive->waited, 1);
		int level = NewGUCNestLevel();

		(void) set_config_option("lock_timeout", psprintf("%d", patience),
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
		try_range(drive, &range, false);
		AtEOXact_GUC(false, level);
		drive->waited +=
			TimestampDifferenceMilliseconds(began, GetCurrentTimestamp());
		record_step(drive);
	}
}

void
dbvc_drive_all(DbvcDrive *drive)
{
	int walks = 0;
	int rounds = 0;
	bool many = true;

	dbvc_drive_guarded(drive, count_left);
	dbvc_document_run_total(&drive->run, drive->left);
	dbvc_drive_commit(drive, true);
	while (drive->left > 0)
	{
		if (many)
			walk(drive);
		MemoryContextReset(drive->batch_context);
		if (time_is_over(drive))
			break;
		dbvc_drive_guarded(drive, ask_left);
		many = drive->key_count > FEW;
		dbvc_drive_commit(drive, true);
		if (drive->key_count == 0 || (many && ++walks == WALKS))
			break;
		if (many)
			continue;
		work_on_each(drive);
		if (++rounds == ROUNDS || drive->waited >= drive->options.lock_wait)
			break;
	}
	dbvc_drive_guarded(drive, count_left);
	drive->run.skipped =
		Max(drive->left - hash_get_num_entries(drive->failed), 0);
}

/* ------------------------------------------------------------ begin and end */

static void
make_contexts(DbvcDrive *drive)
{
	HASHCTL info = {.keysize = sizeof(uint64),
					.entrysize = sizeof(uint64),
					.hcxt = drive->context};

	drive->batch_context = AllocSetContextCreate(drive->context, "dbvc batch",
												 ALLOCSET_DEFAULT_SIZES);
	drive->work_context =
		AllocSetContextCreate(drive->context, "dbvc documents",
							  ALLOCSET_DEFAULT_SIZES);
	drive->failed = hash_create("dbvc documents set aside", 64, &info,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

DbvcDrive *
dbvc_drive_open(Oid relation, DbvcOperation operation,
				const DbvcDriveOptions *options)
{
	MemoryContext context =
		AllocSetContextCreate(PortalContext, "dbvc documents",
							  ALLOCSET_DEFAULT_SIZES);
	DbvcDrive *drive = MemoryContextAllocZero(context, sizeof(DbvcDrive));
	Oid caller = GetUserId();

	SPI_commit();
	if (GetUserId() != caller)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("role ended with the first commit"),
				 errhint("SET LOCAL ROLE does not outlive a transaction: use "
						 "SET ROLE.")));
	drive->context = context;
	drive->options = *options;
	drive->limit = Min(options->batch, FIRST_LIMIT);
	if (options->max_seconds > 0)
		drive->deadline =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
										(int64) options->max_seconds * 1000);
	MemoryContextSwitchTo(context);
	make_contexts(drive);
	drive->run.base = dbvc_adopted_get(relation, false)->base;
	drive->run.operation = operation;
	drive->run.role = caller;
	LockRelationOid(drive->run.base, AccessShareLock);
	read_adopted(drive);
	drive->run.face = MemoryContextStrdup(context, drive->batch.adopted->name);
	dbvc_document_lock(drive->batch.adopted);
	return drive;
}

void
dbvc_drive_close(DbvcDrive *drive)
{
	/* an error may come after commits that did not wait for the disk */
	if (synchronous_commit > SYNCHRONOUS_COMMIT_OFF)
		XLogFlush(XactLastCommitEnd);
	dbvc_document_unlock(drive->run.base);
}
