/*
 * backfill.h
 *		Converting all documents of a table, batch by batch, and back.
 *
 * Internal to this folder.  A CALL is a drive: it holds a lock of its own on
 * the table for the session (document_run.c), walks over the base in the order
 * of the key (keyset.c), and hands each batch to a worker function that runs
 * in a transaction of its own (batch.c).
 */
#ifndef DBVC_BACKFILL_H
#define DBVC_BACKFILL_H

#include "document/adopted.h"

#include "access/stratnum.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/timestamp.h"

/* ------------------------------------------------------------------ keys */

/* in keyset.c */

/*
 * "alias.id, alias.tenant": the key's columns in the base, or in the items.
 */
extern char *dbvc_keyset_columns(const DbvcAdopted *adopted, const char *alias,
								 bool items);

/*
 * The key compared with parameters first, first + 1 ...: BTLessStrategyNumber
 * to BTGreaterStrategyNumber in the order of ORDER BY.  As one comparison of
 * rows, which an index on the key answers, where the operators allow it.
 */
extern char *dbvc_keyset_compare(const DbvcAdopted *adopted, const char *alias,
								 bool items, StrategyNumber strategy,
								 int first);

/* Types of the key's columns, as those of parameters. */
extern int dbvc_keyset_types(const DbvcAdopted *adopted, Oid *types);

/* Order of two keys, as ORDER BY has it. */
extern int dbvc_keyset_order(const DbvcAdopted *adopted, const Datum *a,
							 const Datum *b);

/* Key in the first columns of a row of SPI_tuptable; palloc'd. */
extern Datum *dbvc_keyset_read(const DbvcAdopted *adopted, HeapTuple tuple,
							   TupleDesc desc);

/* The key as texts, and as one number that hardly two keys share. */
extern ArrayType *dbvc_keyset_texts(const DbvcAdopted *adopted,
									const Datum *key);
extern uint64 dbvc_keyset_hash(const DbvcAdopted *adopted, const Datum *key);

/* ------------------------------------------------------------------- runs */

typedef enum DbvcOperation
{
	DBVC_BACKFILL,
	DBVC_RELEASE,
} DbvcOperation;

/* A row of dbvc.document_run in the making. */
typedef struct DbvcDocumentRun
{
	int64 id; /* 0: not begun */
	Oid base;
	const char *face; /* qualified and quoted */
	DbvcOperation operation;
	Oid role;
	int64 total;
	int64 done;
	int64 items;
	int64 skipped; /* locked by others to the end */
	int64 errors;
} DbvcDocumentRun;

/* in document_run.c */

/*
 * One backfill or release of a table at a time: a lock for the session that
 * nothing else takes.  55P03 if another session has it.  An error that ends a
 * transaction may have released it, so give it back only through unlock.
 */
extern void dbvc_document_lock(const DbvcAdopted *adopted);
extern void dbvc_document_unlock(Oid base);

/*
 * Begin, go on, end: rows of dbvc.document_run and change events, written as
 * the owner in the current transaction.  state is done, stopped, cancelled or
 * failed; reason may be NULL.
 */
extern void dbvc_document_run_begin(DbvcDocumentRun *run);
extern void dbvc_document_run_total(DbvcDocumentRun *run, int64 total);
extern void dbvc_document_run_step(const DbvcDocumentRun *run);
extern void dbvc_document_run_end(const DbvcDocumentRun *run,
								  const char *state, const char *reason);

/* A document that cannot be converted, or joined, goes to document_error. */
extern void dbvc_document_set_aside(const DbvcDocumentRun *run, ArrayType *key,
									const ErrorData *error);
/* What earlier runs have set aside is settled. */
extern void dbvc_document_settle(const DbvcDocumentRun *run);
/* Set the state in dbvc.document and tell all backends. */
extern void dbvc_document_set_state(const DbvcAdopted *adopted,
									const char *state);

/* ------------------------------------------------------------------ drive */

/* Documents that may be set aside, if nothing else is said. */
#define DBVC_MAX_ERRORS 10000

typedef struct DbvcDriveOptions
{
	int batch;		  /* documents in a transaction at most */
	int max_seconds;  /* 0: until the end */
	int pause;		  /* milliseconds after each batch */
	int lock_wait;	  /* milliseconds for all locks that are waited for */
	int64 max_errors; /* so many documents may be set aside */
} DbvcDriveOptions;

/* Rows of the base to be worked on: between two keys, or at one. */
typedef struct DbvcRange
{
	const Datum *after; /* NULL: from the first on */
	const Datum *upto;	/* with it; NULL: at the key "at" */
	const Datum *at;	/* wait for it if it is locked, rather than skip it */
	int limit;
} DbvcRange;

/* What has become of a range; keys are in the batch's memory context. */
typedef struct DbvcBatch
{
	const DbvcAdopted *adopted; /* a copy for the batch, without parts */
	const char *version_name;	/* of the column, quoted */
	int found;					/* rows that could be locked */
	int count;					/* of them, those looked at */
	Datum **key;				/* of these */
	int failed;					/* index of the one that is looked at, or -1 */
	Size bytes;					/* of the documents */
	int64 done;
	int64 items;
	int64 duplicates; /* arrays with ids that are not unique */
} DbvcBatch;

typedef struct DbvcDrive
{
	DbvcDocumentRun run;
	DbvcDriveOptions options;
	MemoryContext context;		 /* of the CALL */
	MemoryContext batch_context; /* of a batch with all its attempts */
	MemoryContext work_context;	 /* of one attempt */
	DbvcBatch batch;
	List *plans;		 /* of what dbvc_drive_query() has prepared */
	struct HTAB *failed; /* hashes of keys that were set aside */
	Datum *first_failed;
	TimestampTz deadline; /* 0: none */
	int limit;			  /* of the next batch */
	int waited;			  /* milliseconds for locks */
	int retries;		  /* of a batch that could not be read */
	bool again;			  /* it could not */
	Datum *last;		  /* key that the last batch looked at, or NULL */
	bool stopped;		  /* the time is over */
	void *caller;		  /* the caller's own affair */
	int64 duplicates;	  /* see DbvcBatch */
	int64 left;			  /* documents to be done, when last counted */
	Datum **keys;		  /* of some of them */
	int key_count;
} DbvcDrive;

/* in drive_query.c */

/*
 * Run a query that is prepared once per CALL; by_index without sequential
 * scans and sorts, for what must go by the key's index however small the table
 * seems.
 */
extern uint64 dbvc_drive_query(DbvcDrive *drive, const char *sql, int nargs,
							   const Oid *types, Datum *values, bool by_index);
/* What is left to be done, as a condition on the base's alias b. */
extern char *dbvc_drive_todo(const DbvcDrive *drive);
/*
 * Lock and read the rows of a range that are to be done: key, ctid, document,
 * doc_version in SPI_tuptable.
 */
extern void dbvc_drive_lock_rows(DbvcDrive *drive, const DbvcRange *range);
/* Note the key of the next of these rows; false: it was set aside before. */
extern bool dbvc_drive_next(DbvcDrive *drive, HeapTuple tuple, TupleDesc desc);
/* Write documents to rows of the base, whose ctids are known; all of them, or
 * 27000.  documents NULL: leave them as they are. */
extern void dbvc_drive_update(DbvcDrive *drive, int count, Datum **keys,
							  ItemPointerData *tids, Datum *documents);

/* in batch.c: split the rows of a range */

extern void dbvc_backfill_range(DbvcDrive *drive, const DbvcRange *range);

/* in release_batch.c: join them */

extern void dbvc_release_range(DbvcDrive *drive, const DbvcRange *range);

/* in document_drive.c */

/*
 * Commit what the CALL began with, take the table's lock and begin a run.
 * What follows stands in PG_TRY with dbvc_drive_close() in PG_FINALLY.
 */
extern DbvcDrive *dbvc_drive_open(Oid relation, DbvcOperation operation,
								  const DbvcDriveOptions *options);
extern void dbvc_drive_close(DbvcDrive *drive);
/*
 * Work on all rows that are left to be done, each batch in a transaction of
 * its own, until nothing is left, the time is over, or what is left cannot be
 * locked or converted.  Errors that are no document's fault end the run and
 * are raised.  run.skipped and run.errors say what could not be done.
 */
extern void dbvc_drive_all(DbvcDrive *drive);
/* Run work; an error of it ends the run, on the record, and is raised. */
extern void dbvc_drive_guarded(DbvcDrive *drive, void (*work)(DbvcDrive *));
extern void dbvc_drive_commit(DbvcDrive *drive, bool lazily);

/* ------------------------------------------------------------- procedures */

/* in document_call.c: what the procedures have in common */

/* 25001 where a procedure cannot commit. */
extern void dbvc_call_check(FunctionCallInfo fcinfo, const char *name);
/* The adopted table that the first argument names. */
extern const DbvcAdopted *dbvc_call_adopted(FunctionCallInfo fcinfo);
extern int dbvc_call_number(FunctionCallInfo fcinfo, int n, const char *name,
							int least, int most, int if_null);
/* Arguments 1 to 4: batch, max_seconds, pause, lock_wait. */
extern void dbvc_call_options(FunctionCallInfo fcinfo,
							  DbvcDriveOptions *options);
/* The values of the INOUT parameters, as CALL shows them. */
extern Datum dbvc_call_result(FunctionCallInfo fcinfo, const int64 *numbers,
							  int count);

#endif /* DBVC_BACKFILL_H */
