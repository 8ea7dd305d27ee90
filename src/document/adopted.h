/*
 * adopted.h
 *		Adopted tables: what is known of one, its rows, and writing them.
 *
 * Internal to this folder.  document.h holds the pure part; here are catalogs,
 * locks and rows.
 *
 * An adopted table "users" is three relations.  The base users_base is the
 * table as it was, under another name, with a column doc_version more.  The
 * items users_items hold the elements of its documents' parts.  The face, a
 * view "users", gives and takes whole documents.
 *
 * doc_version 0 says that the row has never been split: its document is whole
 * and it has no items.  Every write of the document or of its items raises it
 * (the trigger on the base does), so that who holds the base row's lock and
 * sees the same doc_version sees the same items.
 */
#ifndef DBVC_ADOPTED_H
#define DBVC_ADOPTED_H

#include "document/document.h"

#include "access/attnum.h"
#include "executor/spi.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/rel.h"

/* ------------------------------------------------------ what is adopted */

/* Columns of an items table behind those of the key, in this order. */
#define DBVC_ITEMS_TYPE "type"
#define DBVC_ITEMS_ID "item_id"
#define DBVC_ITEMS_ORD "ord"
#define DBVC_ITEMS_DATA "data"
#define DBVC_ITEMS_VERSION "version"
#define DBVC_ITEMS_CREATED "created_at"
#define DBVC_ITEMS_UPDATED "updated_at"
#define DBVC_ITEMS_DELETED "deleted_at"

#define DBVC_BASE_VERSION "doc_version"

/* Triggers that adopting creates, by relation. */
#define DBVC_FACE_TRIGGER "dbvc_document"
#define DBVC_BASE_TRIGGER "zzz_dbvc_document" /* sorts behind the user's */
#define DBVC_ITEMS_TRIGGER "dbvc_document"

#define DBVC_KEY_MAX 8 /* columns of a document's key */

typedef struct DbvcKeyColumn
{
	AttrNumber base; /* numbers of the column in the three relations */
	AttrNumber face;
	AttrNumber items;
	Oid type;
	int32 typmod;
	Oid collation;
	int16 typlen;
	bool typbyval;
	const char *base_name; /* not quoted */
	const char *face_name;
	const char *items_name;
	const char *equal; /* OPERATOR(schema.=) as SQL, quoted */
} DbvcKeyColumn;

typedef struct DbvcAdopted
{
	Oid base;
	Oid face;
	Oid items;
	Oid owner;			   /* of the base */
	const char *name;	   /* of the face, schema-qualified and quoted */
	const char *base_name; /* the same of the others */
	const char *items_name;
	bool releasing;		   /* writes leave documents whole */
	bool soft_delete;	   /* options.soft_delete */
	bool strict;		   /* options.strict: 22023 for what is no array */
	bool duplicates_error; /* options.duplicates = 'error' */
	bool partitioned;	   /* the base is */
	DbvcParts *parts;
	int nkeys;
	DbvcKeyColumn key[DBVC_KEY_MAX];
	const char *doc_name; /* the document's column in the base, unquoted */
	const char *face_doc_name; /* and in the face */
	AttrNumber base_doc;
	AttrNumber face_doc;
	AttrNumber base_version;
	AttrNumber *face_to_base; /* by face column - 1: number in the base */
	int face_columns;
	Oid items_pkey;		   /* index (key, type, item_id) */
	AttrNumber items_type; /* column numbers in the items table */
	AttrNumber items_id;
	AttrNumber items_ord;
	AttrNumber items_data;
	AttrNumber items_version;
	AttrNumber items_created;
	AttrNumber items_updated;
	AttrNumber items_deleted;
	struct DbvcRuntime *runtime; /* plans and the like; adopted.c's affair */
} DbvcAdopted;

/* in adopted.c */

/*
 * What is known of the adopted table that has this face, base or items table.
 * Cached per backend; the result is good until the next call that may take an
 * invalidation (a lock, a query): take a lock on the base first and ask again
 * after whatever waited.
 *
 * Errors: 42809 when the relation is none of an adopted table, unless
 * missing_ok; then NULL.
 */
extern const DbvcAdopted *dbvc_adopted_get(Oid relation, bool missing_ok);

/*
 * The key of a document, given as texts, as values of its types; palloc'd.
 * 22023 for another number of texts than columns or a NULL among them; the
 * types' own errors for what they do not read.
 */
extern Datum *dbvc_adopted_key(const DbvcAdopted *adopted, ArrayType *texts);

/* The key for a message: (42, abc); palloc'd. */
extern char *dbvc_adopted_key_text(const DbvcAdopted *adopted,
								   const Datum *key);

/* "id" = $1 AND "tenant" = $2 over the base, with an alias ("" for none) and
 * the number of the first parameter; over the items likewise; palloc'd. */
extern char *dbvc_adopted_base_where(const DbvcAdopted *adopted,
									 const char *alias, int first);
extern char *dbvc_adopted_items_where(const DbvcAdopted *adopted,
									  const char *alias, int first);

/* --------------------------------------------------------------- writing */

/* in write.c */

/*
 * The triggers on base and items let pass what dbvc writes and refuse, of what
 * others write, what would tear documents.  Every write of dbvc's to either
 * stands between begin and end; they nest, and an error undoes them.  The mode
 * is what the trigger on the base makes of doc_version.
 *
 * AFTER triggers of what is written run at the end, when documents have their
 * items; in_statement: at the end of the statement for whose trigger this is.
 */
typedef enum DbvcWriteMode
{
	DBVC_WRITE_SPLIT, /* doc_version + 1, which is at least 1 */
	DBVC_WRITE_WHOLE, /* doc_version 0: the document is whole, no items */
	DBVC_WRITE_BUMP,  /* doc_version + 1, unless the document is whole, which
					   * is not written itself */
} DbvcWriteMode;

extern void dbvc_write_begin(const DbvcAdopted *adopted, DbvcWriteMode mode,
							 bool in_statement);
extern void dbvc_write_end(void);

/*
 * Run a kept plan that writes this table; returns the number of rows.
 * counted: it inserts or updates rows of the base.  at_once: its AFTER
 * triggers, such as a foreign key's cascade, do not wait for the end.
 *
 * Errors: 40001 if by now the plan's text names another table; 55000 if the
 * trigger on the base is disabled.
 */
extern uint64 dbvc_write_run(SPIPlanPtr plan, Datum *values, const char *nulls,
							 Oid target, bool counted, bool at_once);

/* The same for one that reads, with a snapshot or a new one (it may lock). */
extern uint64 dbvc_read_run(SPIPlanPtr plan, Datum *values, Oid target,
							Snapshot snapshot);

/* ----------------------------------------------------------- documents */

/* Row of an item, beside its DbvcItem. */
typedef struct DbvcItemRow
{
	ItemPointerData tid;
	int64 version;
} DbvcItemRow;

/* A document as it is stored. */
typedef struct DbvcStored
{
	const DbvcAdopted *adopted;
	Datum *key;
	int64 version;			/* doc_version; 0: whole, without items */
	bool isnull;			/* the document is NULL */
	DbvcDocument *document; /* slim and items in order, as rows have them; NULL
							 * if isnull; of a whole one: split, as it would
							 * be */
	DbvcItemRow **rows;	   /* by part, beside document->items; NULL if whole */
	DbvcDocument *deleted; /* softly deleted items; slim is NULL */
	DbvcItemRow **deleted_rows;
} DbvcStored;

/* in store.c */

/*
 * Lock the base's row as the caller (FOR NO KEY UPDATE) and read the document
 * and its items as they are then.  NULL when there is no such row, or none for
 * this role.  Everything is palloc'd; SPI must be connected.
 *
 * Errors: 40001 under REPEATABLE READ when the row has changed since, 42501,
 * and what waiting for a lock raises.
 */
extern DbvcStored *dbvc_stored_lock(const DbvcAdopted *adopted,
									const Datum *key);

/*
 * Make the locked document this one: the fewest writes.  match is that of
 * dbvc_items_plan() by part, or NULL to find it.  NULL document: the column
 * becomes NULL, all items go.  A whole one is converted, also if nothing else
 * is to be done.  Returns the number of items written (0 and nothing written
 * when the bytes are the same).  SPI must be connected.
 *
 * Errors: those of the executor, as the caller: 42501, 23514 and so on.
 */
extern int64 dbvc_stored_write(DbvcStored *stored,
							   const DbvcDocument *document, int **match);

#endif /* DBVC_ADOPTED_H */
