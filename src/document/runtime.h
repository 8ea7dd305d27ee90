/*
 * runtime.h
 *		Reading and writing the rows of an adopted table: what adopted.c,
 *		reader.c, base.c, store.c, read.c and face.c share.
 */
#ifndef DBVC_RUNTIME_H
#define DBVC_RUNTIME_H

#include "document/adopted.h"

#include "executor/spi.h"
#include "utils/snapshot.h"

/* A statement over the base, prepared for a set of its columns. */
typedef struct DbvcBasePlan
{
	struct DbvcBasePlan *next;
	int kind;
	bool returning;
	Bitmapset *columns; /* of the base; which are set */
	SPIPlanPtr plan;
} DbvcBasePlan;

/* What goes with an adopted table in this backend. */
typedef struct DbvcRuntime
{
	MemoryContext context; /* in which all of it lives */
	bool valid;			   /* no invalidation has come in */
	int base_columns;
	DbvcBasePlan *plans;
	Bitmapset *generated; /* columns of the base: generated ones, */
	Bitmapset *identity;  /* identity columns */
	bool before_insert; /* the base has row triggers of the user's that may */
	bool before_update; /* change what is written */
	SPIPlanPtr items_select; /* items.c */
	SPIPlanPtr items_insert;
	SPIPlanPtr items_update;
	SPIPlanPtr items_delete;
	SPIPlanPtr items_forget;
	SPIPlanPtr base_visible;
	struct DbvcItemPlans *item_plans; /* item_statement.c */
} DbvcRuntime;

/* --------------------------------------------------------------- write.c */

/* What is being written. */
typedef struct DbvcWriting
{
	const DbvcAdopted *adopted;
	DbvcWriteMode mode;
	int level;		   /* of subtransactions at its beginning */
	int trigger_depth; /* of triggers */
	bool in_statement;
	Jsonb *slim; /* the document as it is to be stored; NULL: unknown */
	MemoryContext context;
	uint64 fired; /* rows of the last statement that the trigger has seen */
	Datum key[DBVC_KEY_MAX]; /* of the last of them, as it is to be */
} DbvcWriting;

/* 0A000 when a trigger of the user's has made the key of the row that was just
 * updated another one: its items would stay behind. */
extern void dbvc_write_check_key(const Datum *key);

/* Say what the one document to be written will look like in the base. */
extern void dbvc_write_slim(Jsonb *slim);
/* NULL: nothing is being written. */
extern DbvcWriting *dbvc_write_current(void);
/* For a trigger: the write whose statement has fired it, on one of these
 * tables, and not something inside that statement; or NULL. */
extern DbvcWriting *dbvc_write_of(Oid base, Oid items);

/* -------------------------------------------------------------- reader.c */

/* A row of the items table, as read. */
typedef struct DbvcRow
{
	int part;
	bool deleted;
	int64 version;
	ItemPointerData tid;
	DbvcItem item; /* points into the rows' buffer */
} DbvcRow;

/* All rows of a document, by part and rank. */
typedef struct DbvcRows
{
	DbvcRow *row;
	int count;
	int room;
	char *buffer; /* ids and values, one after the other */
	Size used;
	Size size;
} DbvcRows;

/*
 * Reads items of one document after the other with one snapshot.  It keeps its
 * scan open between documents, and goes on where it stands when documents come
 * in the order of their keys.
 */
typedef struct DbvcReader DbvcReader;

/*
 * A reader, which attaches to the table and snapshot it is asked for: changing
 * them costs, asking again does not.  It is closed when the context is reset, and
 * at the end of the (sub)transaction; what it read last stays until the next
 * read.
 */
extern DbvcReader *dbvc_reader_make(MemoryContext context);

/*
 * The rows of a document's items as the snapshot sees them; 42501 when the
 * user may not read them.  with_deleted: values of softly deleted ones too.
 */
extern const DbvcRows *dbvc_reader_read(DbvcReader *reader,
										const DbvcAdopted *adopted,
										Snapshot snapshot, const Datum *key,
										bool with_deleted);

/* Used by the reader where row security applies, or no plain table holds them:
 * by a query; adds to rows (items.c). */
extern void dbvc_items_select(const DbvcAdopted *adopted, Snapshot snapshot,
							  const Datum *key, bool with_deleted,
							  DbvcRows *rows);
/* Add a row read otherwise; offsets in place of pointers until all are there. */
extern void dbvc_rows_add(DbvcRows *rows, const DbvcAdopted *adopted,
						  const Datum *values, const bool *nulls,
						  ItemPointer tid, bool with_deleted);

/* What reading begins with; for a document of which no items are to be read. */
extern void dbvc_reader_attach(DbvcReader *reader, const DbvcAdopted *adopted,
							   Snapshot snapshot);

/*
 * Note which document that was, whole ones with version 0, so that
 * dbvc_reader_last() finds it.  Right after reading, or attaching.
 */
extern void dbvc_reader_note(DbvcReader *reader, const Datum *key,
							 int64 version, TransactionId xmin);

/* What a reader of the running query has read last, if it is this document. */
typedef struct DbvcLast
{
	int64 version;
	TransactionId xmin;
	const DbvcRows *rows; /* NULL: the document is whole */
} DbvcLast;

extern bool dbvc_reader_last(const DbvcAdopted *adopted, Snapshot snapshot,
							 const Datum *key, DbvcLast *last);

/*
 * A document of slim and the rows that are (not) deleted: values point into
 * the rows.  item_rows: if not NULL, where the items are.
 */
extern DbvcDocument *dbvc_rows_document(const DbvcAdopted *adopted,
										Jsonb *slim, const DbvcRows *rows,
										bool deleted,
										DbvcItemRow ***item_rows);

/* ---------------------------------------------------------------- base.c */

extern void dbvc_base_describe(DbvcAdopted *adopted, Relation base);
extern void dbvc_base_forget(DbvcRuntime *runtime);

/* Prepare a statement with a plan that holds for a table of any size. */
extern SPIPlanPtr dbvc_plan_prepare(const char *sql, int nargs,
									const Oid *types);

/* A row of the base by column number of the base; both arrays from 1.  Made with
 * so many columns, all NULL. */
typedef struct DbvcBaseRow
{
	Datum *values;
	bool *nulls;
} DbvcBaseRow;

extern DbvcBaseRow dbvc_base_row_make(int columns);
/* Highest number of a column of the base. */
extern int dbvc_base_columns(const DbvcAdopted *adopted);

/*
 * Insert a row with these columns.  If returning: the row as stored is put
 * into row.  False: a trigger of the user's has skipped it.
 */
extern bool dbvc_base_insert(const DbvcAdopted *adopted, Bitmapset *columns,
							 DbvcBaseRow *row, bool returning);

/*
 * Set these columns in the row with this key; none: only the version is
 * raised.  expect: only if it is the row of this version and xmin.  at_once:
 * its AFTER triggers do not wait.  Returns whether there was such a row.
 */
extern bool dbvc_base_update(const DbvcAdopted *adopted, Bitmapset *columns,
							 DbvcBaseRow *row, const Datum *key,
							 const DbvcLast *expect, bool returning,
							 bool at_once);

/*
 * Add doc_version to the columns to set, one higher than this, if the caller
 * may: the trigger on the base raises it anyway, but those of the user's that
 * fire "when the row changes" run before.
 */
extern Bitmapset *dbvc_base_raise(const DbvcAdopted *adopted,
								  Bitmapset *columns, DbvcBaseRow *row,
								  int64 version);

extern bool dbvc_base_delete(const DbvcAdopted *adopted, const Datum *key,
							 const DbvcLast *expect);

/* Lock the row and read it; false if there is none. */
extern bool dbvc_base_lock(const DbvcAdopted *adopted, const Datum *key,
						   DbvcBaseRow *row, DbvcLast *last);

/* --------------------------------------------------------------- items.c */

/*
 * Writes rows of items, those of one document or of many.  The document's row
 * in the base is one that this transaction has written, or has locked and will
 * write: nobody else can be at its items.  SPI must be connected, and a
 * snapshot be active.  All between dbvc_write_begin() and dbvc_write_end().
 *
 * key and row must stay until the writer is closed, which returns the number
 * of rows written; an error closes it.
 */
typedef struct DbvcItemsWriter DbvcItemsWriter;

extern DbvcItemsWriter *dbvc_items_open(const DbvcAdopted *adopted);
extern void dbvc_items_insert(DbvcItemsWriter *writer, const Datum *key,
							  int part, const DbvcItem *item);
/* Rank, value and whether it is softly deleted become those given. */
extern void dbvc_items_update(DbvcItemsWriter *writer, const Datum *key,
							  int part, const DbvcItem *item, DbvcItemRow *row,
							  bool deleted);
extern void dbvc_items_delete(DbvcItemsWriter *writer, const Datum *key,
							  int part, const DbvcItem *item,
							  DbvcItemRow *row);
extern int64 dbvc_items_close(DbvcItemsWriter *writer);

/* Delete all items of a document that is whole now. */
extern void dbvc_items_forget(const DbvcAdopted *adopted, const Datum *key);

/* --------------------------------------------------------------- store.c */

/*
 * Read a document from the row and the items that a snapshot shows.  data is
 * the document's column, which must live as long.
 */
extern DbvcStored *dbvc_stored_read(const DbvcAdopted *adopted,
									const Datum *key, int64 version,
									bool isnull, Datum data,
									Snapshot snapshot);

/* The same bytes? Both plain, neither toasted. */
extern bool dbvc_jsonb_same(const Jsonb *a, const Jsonb *b);

/* For reading what belongs to a row that is locked. */
extern Snapshot dbvc_locked_snapshot(void);

/* The same of rows that have been read. */
extern DbvcStored *dbvc_stored_make(const DbvcAdopted *adopted,
									const Datum *key, int64 version,
									bool isnull, Datum data,
									const DbvcRows *rows);

/*
 * Refuse or warn of what the options say about a document that is to be
 * split: what is no array (strict), ids that come twice (duplicates).
 */
extern void dbvc_document_examine(const DbvcAdopted *adopted, const Datum *key,
								  Jsonb *data, const DbvcDocument *document);

/*
 * What it takes to make the stored document another one.  In two steps, since
 * the row of the base is written between them, by the caller.
 */
typedef struct DbvcChange
{
	DbvcItemWrites *writes; /* by part */
	int64 count;			/* of them all */
	bool all;				/* the items are all removed: the document is to
							 * be whole, or NULL */
} DbvcChange;

extern DbvcChange *dbvc_change_make(const DbvcStored *stored,
									const DbvcDocument *document,
									int *const *match);
extern int64 dbvc_change_write(const DbvcStored *stored,
							   const DbvcChange *change, const Datum *key);

#endif /* DBVC_RUNTIME_H */
