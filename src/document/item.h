/*
 * item.h
 *		Documents by key, and items one by one: what put.c and item_*.c share.
 *
 * Everything here runs as the caller, through SPI: privileges, row security,
 * triggers and partitions are the executor's affair, and a row that a role may
 * not see does not exist.
 *
 * An item is written without looking at the others of its document.  First
 * the row of the base is updated, which raises doc_version and holds everybody
 * else off; then the item's row is written.
 */
#ifndef DBVC_ITEM_H
#define DBVC_ITEM_H

#include "document/adopted.h"

#include "executor/spi.h"
#include "fmgr.h"

/* ------------------------------------------------------------ statements */

/* What is run over an adopted table's relations; see item_statement.c. */
typedef enum DbvcStatement
{
	DBVC_RUN_BASE_VERSION,
	DBVC_RUN_BASE_DOCUMENT,
	DBVC_RUN_BASE_LOCK,
	DBVC_RUN_BASE_RAISE,
	DBVC_RUN_BASE_SET,
	DBVC_RUN_FACE_DOCUMENT,
	DBVC_RUN_FACE_INSERT,
	DBVC_RUN_ITEM_FIND,
	DBVC_RUN_ITEM_TWIN,
	DBVC_RUN_ITEM_LAST,
	DBVC_RUN_ITEM_HIGHEST,
	DBVC_RUN_ITEM_LIST,
	DBVC_RUN_ITEM_ADD,
	DBVC_RUN_ITEM_SET,
	DBVC_RUN_ITEM_HIDE,
	DBVC_RUN_ITEM_SHOW,
	DBVC_RUN_ITEM_REMOVE,
} DbvcStatement;

#define DBVC_STATEMENTS (DBVC_RUN_ITEM_REMOVE + 1)

/* A document that a call is about. */
typedef struct DbvcTarget
{
	const DbvcAdopted *adopted;
	Datum *key;
	int64 version;		 /* doc_version, as it was read last */
	bool locked;		 /* its row has been updated by this call */
	MemoryContext call;	 /* memory for what outlives SPI */
	SPITupleTable *rows; /* of the last statement */
	bool writing;		 /* between dbvc_write_begin() and its end */
} DbvcTarget;

/* in item_statement.c */

/*
 * Find the adopted table and read the key; connects SPI.  A lock on the base
 * keeps the table adopted until the end of the transaction.
 */
extern void dbvc_target_open(DbvcTarget *target, Oid relation, ArrayType *key,
							 LOCKMODE lock);

/*
 * Run a statement for the target: args are what comes behind the key.  Rows
 * are in SPI_tuptable until the next one; their number is returned.
 * read_only: with the snapshot of the calling query.
 */
extern uint64 dbvc_target_run(DbvcTarget *target, DbvcStatement statement,
							  const Datum *args, bool read_only);

/* P0002: there is no such document. */
DBVC_NORETURN extern void dbvc_target_missing(const DbvcTarget *target);

/* 22004 if an argument is null. */
extern void dbvc_argument_require(FunctionCallInfo fcinfo, int n,
								  const char *name);

/* ----------------------------------------------------------------- items */

typedef enum DbvcItemOutcome
{
	DBVC_ITEM_UNCHANGED,
	DBVC_ITEM_INSERTED,
	DBVC_ITEM_UPDATED,
	DBVC_ITEM_RESTORED,
	DBVC_ITEM_FAILED,
} DbvcItemOutcome;

/* An item to be saved, and what became of it. */
typedef struct DbvcItemSave
{
	const char *type; /* as given */
	int part;
	DbvcValue value;
	const char *given; /* item_id as given, or NULL */
	const char *own;   /* the id that the element itself has, or NULL */

	/* Its row, once that was looked for. */
	char *id; /* NULL: a new one without an id of its own */
	bool exists;
	bool deleted;
	bool same; /* it has these bytes already */

	DbvcItemOutcome outcome;
	int sqlstate; /* of a failure */
	const char *message;
	const char *detail;
	const char *hint;
} DbvcItemSave;

/* in item_identity.c */

/*
 * Which item is meant, as far as that can be said without looking at the
 * table.  False, with the reason in it, if none can be.
 */
extern bool dbvc_item_check(const DbvcAdopted *adopted, DbvcItemSave *save);

/* Raise the reason of a failure. */
DBVC_NORETURN extern void dbvc_item_raise(const DbvcItemSave *save);

/* Index of the part with this type; 22023 with the types there are. */
extern int dbvc_item_part(const DbvcAdopted *adopted, const char *type);

/* The id that an element has of its own; NULL if none; palloc'd. */
extern char *dbvc_item_own_id(const DbvcPart *part, const DbvcValue *value);

/*
 * The row of the item: fills id, exists, deleted and same.  False, with the
 * reason, if that is no item to be saved like this.
 */
extern bool dbvc_item_find(DbvcTarget *target, DbvcItemSave *save);

/*
 * The same where items are at hand: an item's index, -1 for a new one, -2 for
 * a failure.
 */
extern int dbvc_item_find_among(const DbvcAdopted *adopted,
								const DbvcItems *items, DbvcItemSave *save);

/* in item_write.c */

/*
 * Save items of one document.  An error is raised, of a batch with the number
 * of the item as context; or, if skip is set, noted in the item.
 */
extern void dbvc_items_save(DbvcTarget *target, DbvcItemSave *saves, int count,
							bool batch, bool skip);

/* Write the base's row: who has done so has the document to itself.  Converts
 * it if it is whole; P0002 if there is none. */
extern void dbvc_target_raise(DbvcTarget *target);

/* Delete an item, or bring a softly deleted one back: was there one? */
extern bool dbvc_target_delete(DbvcTarget *target, const char *type,
							   const char *id);
extern bool dbvc_target_restore(DbvcTarget *target, const char *type,
								const char *id);

/* in item_whole.c: the same for a document that has to stay whole */

extern void dbvc_items_save_whole(DbvcTarget *target, DbvcItemSave *saves,
								  int count, bool skip);
extern bool dbvc_target_delete_whole(DbvcTarget *target, const char *type,
									 const char *id);

/* ------------------------------------------------------------- documents */

/* in doc_patch.c */

/* JSON Merge Patch (RFC 7396); a target of NULL is none. */
extern Jsonb *dbvc_doc_patch(Jsonb *target, Jsonb *patch);

/* Does the patch say anything about what is at a part's place? */
extern bool dbvc_doc_patch_mentions(const DbvcParts *parts, Jsonb *patch);

/*
 * The slim document (NULL: none) with an empty array at the part's place: the
 * same pointer if there is one.  What is missing or null above it is made.
 * 22023 if there is anything else.
 */
extern Jsonb *dbvc_doc_place(const DbvcPart *part, Jsonb *slim);

#endif /* DBVC_ITEM_H */
