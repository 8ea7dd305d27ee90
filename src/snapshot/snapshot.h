/*
 * snapshot.h
 *		The schema at a point in time, compared and kept.
 *
 * catalog.c reads the system catalogs under one MVCC snapshot, define_*.c turn
 * them into definitions, detector.c tells which objects' rows have changed since
 * the last time, capture.c makes a list of all objects from these three,
 * list.c and page.c keep it, difference.c compares two.
 */
#ifndef DBVC_SNAPSHOT_H
#define DBVC_SNAPSHOT_H

#include "crypto/crypto.h"
#include "snapshot/definition.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* ------------------------------------------------------------------ lists */

/* One object in a list. Strings are in UTF-8 and live in the list's context. */
typedef struct DbvcEntry
{
	const char *type;
	const char *identity;
	const char *schema; /* "" for none */
	const char *parent; /* "" for none */
	uint8 hash[DBVC_SHA256_LEN];
	Oid classid; /* who it was in this database */
	Oid objid;
	uint64 rows; /* sum over its catalog rows (detector.c) */
	bool unstable;
	int attnum_count; /* 0: 1, 2, 3 ... */
	int16 *attnums;
} DbvcEntry;

/* Sorted by type and identity, bytewise. */
typedef struct DbvcList
{
	MemoryContext context;
	int count;
	int allocated;
	DbvcEntry *entries;
} DbvcList;

/* in list.c */

extern DbvcList *dbvc_list_new(MemoryContext context);
/* Append a copy of a definition as an entry. */
extern void dbvc_list_add(DbvcList *list, const DbvcDefinition *definition,
						  uint64 rows);
/* An empty entry at the end. */
extern DbvcEntry *dbvc_list_append(DbvcList *list);
extern bool dbvc_entry_is_schema(const DbvcEntry *entry);
extern void dbvc_list_sort(DbvcList *list);
extern int dbvc_entry_compare(const DbvcEntry *a, const DbvcEntry *b);
/* What a snapshot of some schemas holds: objects in them and the schemas themselves. schemas NIL: everything; settings: per-database and per-role settings too. */
extern DbvcList *dbvc_list_filter(const DbvcList *list, const List *schemas,
								  bool settings);
/*
 * SHA-256 over "dbvc-snapshot\0", u32 DBVC_DEFINITION_VERSION, u32 major, and for each entry u32 length and bytes of type and of identity, and the hash.
 * Integers are big-endian.
 */
extern void dbvc_list_fingerprint(const DbvcList *list,
								  uint8 out[DBVC_SHA256_LEN]);

/* Where the bodies of one side are: UTF-8, or NULL when it does not know. */
typedef const char *(*DbvcBodyReader)(const void *side,
									  const uint8 hash[DBVC_SHA256_LEN]);

/* in page_store.c: lists are kept in pages, cut where the entries say so, so that two lists share the pages in which they are equal.
 * Everything here needs SPI and an owner scope. */

typedef struct DbvcPageRef
{
	uint8 hash[DBVC_SHA256_LEN];
	int count; /* entries */
} DbvcPageRef;

/* The page of pages. */
typedef struct DbvcRoot
{
	int definition_version; /* by which the fingerprints were made */
	int major;
	int objects;						/* without settings */
	int settings;						/* entries that are settings */
	uint8 fingerprint[DBVC_SHA256_LEN]; /* of everything but settings */
	uint8 fingerprint_settings[DBVC_SHA256_LEN]; /* with them */
	int page_count;
	DbvcPageRef *pages;
} DbvcRoot;

/*
 * Store the pages that are not there yet, before them the definitions that
 * they name and that are not there yet, and the page of their hashes, whose
 * hash comes out.  mend: look for all definitions, those of stored pages too.
 */
extern void dbvc_list_store(const DbvcList *list, DbvcBodyReader body,
							const void *arg, bool mend,
							uint8 root[DBVC_SHA256_LEN]);
extern void dbvc_root_load(const uint8 root[DBVC_SHA256_LEN], DbvcRoot *out);
extern DbvcList *dbvc_list_load(const uint8 root[DBVC_SHA256_LEN],
								MemoryContext context);
/* Only the entries of pages that the other list does not have: (a) and (b) get what differs, and some that does not. */
extern void dbvc_list_load_differing(const uint8 a[DBVC_SHA256_LEN],
									 const uint8 b[DBVC_SHA256_LEN],
									 DbvcList **only_a, DbvcList **only_b,
									 MemoryContext context);

/* --------------------------------------------------------------- detector */

/* Sums of catalog rows: one for each object, one for what names everything (roles, schemas, system objects ...). */
typedef struct DbvcSums DbvcSums;

/* in detector.c */

/* Read the catalogs and sum them up; keep: and hold the rows (*catalog). In the current context. */
extern DbvcSums *dbvc_sums_read(Snapshot snapshot, const uint8 key[16],
								DbvcCatalog **keep);
/* The sum of an object's rows, 0 when it has none. */
extern uint64 dbvc_sums_object(const DbvcSums *sums, Oid classid, Oid objid);
/* Equal in every row. */
extern bool dbvc_sums_equal(const DbvcSums *a, const DbvcSums *b);
/* As bytes, to be stored; and back.  NULL when they are not of this server version, definition version, database, or not well formed. */
extern bytea *dbvc_sums_store(const DbvcSums *sums);
extern DbvcSums *dbvc_sums_load(const bytea *stored);
extern const uint8 *dbvc_sums_key(const DbvcSums *sums);
/* The key alone, of stored sums of this database that are of no other use. */
extern bool dbvc_sums_stored_key(const bytea *stored,
								 uint8 key[DBVC_SIPHASH_KEY_LEN]);

typedef struct DbvcObject
{
	Oid classid;
	Oid objid;
} DbvcObject;
/* May they be compared object by object: same key, same context? */
extern bool dbvc_sums_comparable(const DbvcSums *a, const DbvcSums *b);
extern uint32 dbvc_sums_count(const DbvcSums *sums);
typedef void (*DbvcSumVisitor)(const DbvcObject *object, void *arg);
/* Show each object whose rows differ, once. */
extern void dbvc_sums_differing(const DbvcSums *before, const DbvcSums *after,
								DbvcSumVisitor visit, void *arg);
/*
 * Show each object whose rows differ, or are other versions though they look the
 * same: somebody may have changed them there and back.  visit_class: of relations
 * of which this is true of the pg_class row.  False: anything may have been touched.
 */
extern bool dbvc_sums_touched(DbvcSums *before, DbvcSums *after,
							  DbvcSumVisitor visit, DbvcSumVisitor visit_class,
							  void *arg);
extern void dbvc_sums_forget_rows(DbvcSums *sums);
/*
 * Did the relation's pg_class row look the same all the time between two
 * snapshots?  Both must be registered, and from must have been all the time.
 */
extern bool dbvc_class_row_was_same(const DbvcSums *sums, Oid relation,
									Snapshot from, Snapshot to);
/* Note which entries are unstable, and their hashes. */
extern void dbvc_sums_set_unstable(DbvcSums *sums, const DbvcList *list);
extern void dbvc_sums_copy_unstable(DbvcSums *to, const DbvcSums *from);
/* The ith of them, if there is one; returns their number. */
extern int dbvc_sums_unstable(const DbvcSums *sums, int i, DbvcObject *object,
							  const uint8 **hash);

/* in closure.c */
/*
 * Objects whose definitions may differ between two states: those with other rows, and what depends on them
 * through pg_depend, all as wholes (dbvc_definition_whole).  also: objects to look at in any case.
 * False when everything may differ, or so much that all is faster.  catalog: sparse, of the later state.
 * since: the snapshot of the earlier state, registered ever since: then rows count too that were changed there and back.
 */
extern bool dbvc_sums_changed(DbvcSums *before, DbvcSums *after,
							  DbvcCatalog *catalog, Snapshot since,
							  const DbvcObject *also, int also_count,
							  DbvcObject **changed, int *count);

/* ---------------------------------------------------------------- capture */

/* A definition that was made during a capture. */
typedef struct DbvcBody
{
	uint8 hash[DBVC_SHA256_LEN]; /* first: the key */
	const char *text;			 /* UTF-8 */
	Size len;
} DbvcBody;

/* The live schema. */
typedef struct DbvcCapture
{
	MemoryContext context; /* everything below lives here */
	const struct DbvcCapture
		*base; /* what it started from, if that was in memory */
	DbvcSums *sums;
	DbvcList *
		list; /* complete: all schemas, and settings; NULL when root is set and nobody asked for it */
	bool
		has_root; /* the list is stored under root: nothing has changed since */
	uint8 root[DBVC_SHA256_LEN];
	HTAB *
		bodies; /* of DbvcBody: those made now; others are in dbvc.definition */
	bool full;	/* made from nothing */
	int objects_defined; /* definitions made now */
	int rounds;			 /* 1, or more when the schema changed meanwhile */
} DbvcCapture;

/* in capture.c */

/*
 * The schema as it is now, with what the current transaction has done, as one consistent state; raises
 * t_r_serialization_failure when other sessions change it faster than it can be read.  Starts from base, or from the stored
 * state when base is NULL, and makes only what may have changed since; full: starts from nothing.
 * Needs SPI; enters an owner scope itself.  Leaves no lock behind.  base must live as long as what is made from it.
 */
extern DbvcCapture *dbvc_capture_live(const DbvcCapture *base, bool full);
/* The list, loaded if it was not. */
extern DbvcList *dbvc_capture_list(DbvcCapture *capture);
/* Body of a definition: of this capture, or stored; UTF-8; NULL if unknown. */
extern const char *dbvc_capture_body(const DbvcCapture *capture,
									 const uint8 hash[DBVC_SHA256_LEN]);

/* in keep.c */

/* dbvc_capture_live(NULL, full); when what the last snapshot left cannot be read, from nothing, with a warning.  Needs SPI. */
extern DbvcCapture *dbvc_capture_now(bool full);
/* Capture and keep, likewise: what has got lost is stored again. */
extern char *dbvc_snapshot_take(const char *label, const List *schemas,
								bool settings, Oid role);

/* Keep what is captured: definitions, pages, event, state for the next one.  Returns the snapshot's id.  Needs SPI. role: on whose behalf */
extern char *dbvc_snapshot_keep(DbvcCapture *capture, const char *label,
								const List *schemas, bool settings, Oid role);

/* What the last snapshot left for the next capture: sums (dbvc_sums_load) and its list; false when there is nothing.
 * Palloc'd.  Needs SPI and an owner scope. */
extern bool dbvc_state_load(bytea **sums, uint8 root[DBVC_SHA256_LEN]);

/* A kept snapshot. */
typedef struct DbvcSnapshot
{
	const char *id;
	int64 event_id;
	uint8 root[DBVC_SHA256_LEN];
	uint8 fingerprint[DBVC_SHA256_LEN];
	int server_version;
	int definition_version;
	uint64 system_identifier;
	Oid database;
	TimestampTz captured_at;
	List *schemas; /* NIL: all */
	bool settings;
} DbvcSnapshot;
/* The fingerprint of what is captured, or of some of it, and how many objects that is.  Needs SPI and an owner scope. */
extern void dbvc_capture_fingerprint(DbvcCapture *capture, const List *schemas,
									 bool settings, uint8 out[DBVC_SHA256_LEN],
									 int *objects);
/* A stored definition in UTF-8, verified against its hash; NULL when there is none.  Needs SPI and an owner scope. */
extern char *dbvc_definition_load(const uint8 hash[DBVC_SHA256_LEN]);
/* Refuses schemas that are not in the list: a snapshot of nothing would hide a slip of the pen. */
extern void dbvc_check_schemas(const DbvcList *list, const List *schemas);
/* Record that the schema is not what the snapshot has.  fingerprint, objects: of what
 * was found.  Needs SPI and an owner scope.  role: on whose behalf */
extern void dbvc_drift_record(const char *snapshot,
							  const uint8 fingerprint[DBVC_SHA256_LEN],
							  int64 objects, int64 differences, Oid role);
/* By id, or the newest when id is NULL; raises DBVC_UNKNOWN_SNAPSHOT.  Needs SPI and an owner scope. */
extern DbvcSnapshot *dbvc_snapshot_find(const char *id);
/* The newest of all schemas: a later one of some schemas must not hide the others.  The newest of all when there is none. */
extern DbvcSnapshot *dbvc_snapshot_whole(void);

/* ------------------------------------------------------------- difference */

typedef struct DbvcDifference
{
	const char *change; /* "created", "dropped", "altered", "renamed" */
	const char *type;
	const char *identity;
	const char *attribute; /* path, or NULL */
	Jsonb *before;		   /* or NULL */
	Jsonb *after;
} DbvcDifference;

typedef struct DbvcSide
{
	const DbvcList *list; /* may leave out what is equal on both sides */
	DbvcBodyReader body;
	const void *arg;
} DbvcSide;

/* in difference.c */

/*
 * What has to be done to get from one to the other, in the order: type, identity, change, attribute; List of DbvcDifference in the current context.
 * same_oids: OIDs of both sides are of one database, so that equal OIDs are the same object under another name.
 * detail: also parts of what was created or dropped, and what changed only because
 * something else was renamed.
 */
extern List *dbvc_differences(const DbvcSide *before, const DbvcSide *after,
							  bool same_oids, bool detail);
/* Between two captures of one transaction (the proof of reversal). */
extern List *dbvc_capture_differences(DbvcCapture *before, DbvcCapture *after);
/* One line for an error's detail or a notice: altered table public.t: columns.a.type "integer" -> "bigint" */
extern char *dbvc_difference_text(const DbvcDifference *difference);

/* in snapshot_settings.c */
extern void dbvc_snapshot_init(void);
/* dbvc.snapshot_on_migrate */
extern bool dbvc_snapshot_on_migrate(void);

#endif /* DBVC_SNAPSHOT_H */
