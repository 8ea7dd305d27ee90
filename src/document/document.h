/*
 * document.h
 *		Documents whose arrays are split into items, and put together again.
 *
 * Pure functions over bytes of jsonb: no tables, no queries.  Three words: a
 * part is a configured path in the document whose array's elements become
 * items; an item is one element with its identity and its place; slim is the
 * document with an empty array in the place of every array that was split.
 *
 * One structure describes a document in all states, DbvcDocument: slim and,
 * for each part, items in order.  dbvc_doc_split() makes one of a whole
 * document, a caller fills one from rows, dbvc_doc_merge() makes one of three,
 * and dbvc_doc_combine() makes a whole document of one.
 *
 * Memory: what is returned is palloc'd in the current memory context and is
 * freed with it.  Values and ids are not copied: they point into the document
 * or the rows they were read from, which must live as long.
 *
 * Everywhere "the same" means the same bytes: 1.0 is not 1.
 */
#ifndef DBVC_DOCUMENT_H
#define DBVC_DOCUMENT_H

#include "util/compat.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* in settings.c */

/* Define dbvc.document_buffer. */
extern void dbvc_document_init(void);
/* What may be collected before it is written, in bytes. */
extern Size dbvc_document_buffer(void);

/* in doc_parts.c */

#define DBVC_PART_TYPE_MAX 63 /* bytes of a type's name */
#define DBVC_PART_ID_KEY "id"

/* A key of an object; not terminated by a null byte. */
typedef struct DbvcKey
{
	const char *text;
	int len;
} DbvcKey;

typedef struct DbvcPart
{
	const char *type;	 /* of its items; names the part */
	const char *path;	 /* in its canonical form, for messages */
	const DbvcKey *keys; /* from the root to the array */
	int depth;			 /* how many; at least one */
	DbvcKey id_key;		 /* the elements' key that holds the id: "id" */
} DbvcPart;

/* Ordered by path as jsonb orders keys, so that no two orders exist. */
typedef struct DbvcParts
{
	int count;
	DbvcPart part[FLEXIBLE_ARRAY_MEMBER];
} DbvcParts;

/*
 * Read a configuration, {"dreamBook": "dream", "profile.goals": "goal"}: path
 * to type.  A path is keys with dots between them, or, when it begins with a
 * brace, the text of a text[], for keys that hold dots: {"{a.b,c}": "x"}.
 *
 * The result is one chunk in the context given (pfree() frees all of it) and
 * refers to nothing else: it can be cached.  No part at all is allowed.
 *
 * Errors: 22023 for anything but an object of strings, an empty path or key,
 * a type that is empty or longer than DBVC_PART_TYPE_MAX or given twice, a
 * path given twice or going through another one; 22P02, 2202E and the like for
 * a text[] that is none.
 */
extern DbvcParts *dbvc_parts_parse(Jsonb *config, MemoryContext context);

/*
 * The same configuration in its one canonical form: equal configurations give
 * equal text, whatever form their paths had.  dbvc_parts_parse() reads it.
 */
extern char *dbvc_parts_text(const DbvcParts *parts);

/* Index of the part with this type, or -1. */
extern int dbvc_parts_find(const DbvcParts *parts, const char *type, int len);

/* in doc_raw.c */

/*
 * A jsonb value as it stands in its container: without the padding in front
 * of it, and not necessarily aligned.  A scalar is its bare bytes: characters,
 * a numeric varlena, or nothing.  Two values are the same jsonb if and only if
 * kind and bytes are the same, wherever they stand.
 */
typedef struct DbvcValue
{
	const char *data;
	uint32 len;
	JEntry kind; /* JENTRY_ISSTRING, _ISNUMERIC ... _ISCONTAINER */
} DbvcValue;

/*
 * The value of a jsonb datum, which may be toasted, compressed, or have a
 * short header.  Only if it is toasted or compressed memory is taken.
 */
extern DbvcValue dbvc_value_read(Datum datum);

/* A new jsonb with this value; 54000 when it is longer than one may be. */
extern Jsonb *dbvc_value_jsonb(const DbvcValue *value);

static inline bool
dbvc_value_same(const DbvcValue *a, const DbvcValue *b)
{
	return a->kind == b->kind && a->len == b->len &&
		   memcmp(a->data, b->data, a->len) == 0;
}

/* in doc_ids.c */

#define DBVC_ITEM_ID_MAX 500 /* bytes; longer ones could not be indexed */

/*
 * An item.  Its id tells what the element's key "id" holds, and of which type:
 *
 *	 "abc"		abc		a string is its own id, unless
 *	 "#a"		=#a		it is empty or begins with #, ~ or =: then after a =
 *	 12.50		#12.50	a number, with all its digits
 *	 ...		~7		everything else has a number that is not yet in use
 *
 * "Everything else" is no object, no id, null, true, false, object, array, an
 * id of more than DBVC_ITEM_ID_MAX bytes, and one that an earlier element of
 * the same array has.  So the element's id can be read off the item's: after
 * removing one leading = (a string) or # (a number).
 */
typedef struct DbvcItem
{
	const char *id; /* not terminated by a null byte */
	int id_len;
	int64 ord; /* items of a part come in its order */
	DbvcValue value;
} DbvcItem;

typedef struct DbvcItems
{
	DbvcItem *item;
	int count;
	int duplicates; /* of ids, found by splitting: the caller warns */
} DbvcItems;

#define DBVC_ITEM_GENERATED '~'

/* Has the item an id that was generated? */
static inline bool
dbvc_item_generated(const DbvcItem *item)
{
	return item->id_len > 0 && item->id[0] == DBVC_ITEM_GENERATED;
}

/*
 * Highest number among the generated ids, 0 if there is none; for what a
 * caller keeps beside the items (deleted ones), see dbvc_items_plan().
 */
extern int64 dbvc_items_highest(const DbvcItems *items);

/* in doc_split.c */

/* A document, whole or in rows; see above. */
typedef struct DbvcDocument
{
	Jsonb *slim;
	DbvcItems *items; /* for each part, in the order of DbvcParts */
} DbvcDocument;

/* Distance of neighbours' ranks when nothing else is asked for. */
#define DBVC_ORD_STEP (INT64CONST(1) << 32)

/*
 * Split.  An array with elements at a part's path becomes an empty one in
 * slim, its elements become items with ids and with ranks DBVC_ORD_STEP apart.
 * All else stays in slim untouched: no value there, null, scalar, object,
 * empty array; and everything of a document that is no object.  Paths go
 * through objects only.
 *
 * slim is the document itself (the same pointer) when nothing was split.  The
 * document must live as long as the result, which points into it.
 */
extern DbvcDocument *dbvc_doc_split(const DbvcParts *parts, Jsonb *document);

/*
 * The elements of one array, as dbvc_doc_split() would make items of them for
 * this part; 22023 if it is no array.
 */
extern DbvcItems dbvc_items_read(const DbvcPart *part, const DbvcValue *array);

/* A document without any item, to be filled from rows. */
extern DbvcDocument *dbvc_doc_make(const DbvcParts *parts, Jsonb *slim);

/* in doc_combine.c */

/*
 * Combine: the whole document, byte for byte what was split, in a new chunk;
 * slim itself (the same pointer) when there are no items.  Only the order of
 * the items counts, not their ids and ranks.  Values may be unaligned.
 *
 * Errors: 22023 if a part has items and its path in slim has no empty array;
 * 54000 if the result would be larger than a jsonb can be.
 */
extern Jsonb *dbvc_doc_combine(const DbvcParts *parts,
							   const DbvcDocument *document);

/*
 * Index of a part that has items but no empty array to put them in, or -1.
 */
extern int dbvc_doc_misplaced(const DbvcParts *parts,
							  const DbvcDocument *document);

/* in doc_match.c */

/*
 * Which new item is which old one: match[i] is the old one's index for new
 * item i, or -1.  First by id; then by equal values (an id that was generated
 * says nothing, so what equals an unmatched item is that item), such that as
 * few as possible are moved; then those with generated ids by position.
 * match is the caller's, with room for every new item.  O(n log n).
 *
 * Equal values without ids are matched optimally unless there are very many
 * of them (pairs of equals > 16 per item, or 1M in all); then in order.
 */
extern void dbvc_items_match(const DbvcItems *old, const DbvcItems *items,
							 int *match);

/* in doc_diff.c */

typedef enum DbvcItemAction
{
	DBVC_ITEM_DELETE,
	DBVC_ITEM_MOVE,	  /* only the rank differs */
	DBVC_ITEM_UPDATE, /* the value differs, and the rank if moved is set */
	DBVC_ITEM_INSERT,
} DbvcItemAction;

typedef struct DbvcItemWrite
{
	DbvcItemAction action;
	bool moved;
	int old_index;	/* among the existing items; -1 for an insert */
	int new_index;	/* among the new ones; -1 for a delete */
	DbvcItem after; /* the row to be; for a delete: as it was */
} DbvcItemWrite;

typedef struct DbvcItemWrites
{
	DbvcItemWrite *write; /* deletes, moves and updates, inserts; each in order
						   * of the items */
	int count;
	int deletes;
	int changes; /* moves and updates */
	int inserts;
} DbvcItemWrites;

/*
 * The fewest writes that make the existing items of a part the new ones.
 *
 * existing comes in order of rank, ties in an order that the caller always
 * keeps.  The ranks of the new items are not looked at.  A new item that is an
 * existing one (see dbvc_items_match()) keeps that one's id; one that is
 * inserted has the id of its element, or a number higher than any generated
 * id among the existing ones and than "used" (0: no other is in use); 54000
 * when there is no higher number.
 *
 * Ranks are changed for as few items as possible, those first that are
 * written anyway: what keeps its rank is a longest run that is in order
 * already and leaves room for what comes between.  Others are spread evenly
 * over the room there is, at the ends in steps of DBVC_ORD_STEP.
 */
extern DbvcItemWrites dbvc_items_diff(const DbvcItems *existing,
									  const DbvcItems *items, int64 used);

/*
 * The same when it is known already which new item is which existing one: from
 * dbvc_items_match() or from dbvc_doc_merge().
 */
extern DbvcItemWrites dbvc_items_plan(const DbvcItems *existing,
									  const DbvcItems *items, const int *match,
									  int64 used);

/* in doc_merge.c */

#define DBVC_CONFLICTS_MAX 1000 /* the first ones; the caller reports one */

/* What both sides changed. */
typedef struct DbvcConflict
{
	int part;		 /* its index, or -1: a key of slim */
	DbvcKey key;	 /* of slim's top level; text NULL: all of it */
	DbvcKey item_id; /* text NULL: the part's array as such: its order, or one
					  * side removed it where the other changed items */
} DbvcConflict;

typedef struct DbvcMerge
{
	DbvcDocument document; /* not to be used when there are conflicts */
	int **match;		   /* for each part and merged item: index among the
							* items of current, or -1 */
	List *conflicts;	   /* of DbvcConflict *; in order of the parts */
} DbvcMerge;

/*
 * What the writer changed between old, as it read it, and changed, as it wants
 * it, is made to current, as it is by now.  Nothing is raised: the caller
 * reports the first conflict with 40001.
 *
 * Items: what one side alone inserted, changed or deleted is so in the result.
 * What both changed, deleted, or inserted with the same id is a conflict, also
 * if both did the same: two who count to 2 where 1 was have not counted to 3,
 * and neither must be told that it was the one who took the last of something.
 * Items that both inserted without an id of their own are as many items.
 *
 * Order: that of current, unless only the writer reordered; what comes from
 * the other side stands after its predecessor there, as far as that still
 * exists; both reordered, in whatever way: a conflict.
 *
 * Slim: the same for each key of the top level.  A key with parts deeper in it
 * ("profile" for "profile.goals") is one value without their items; an array
 * that both put where none was is such a change of its key.  A part that has
 * items left but no array is a conflict.
 *
 * Give current's items the ids and ranks of their rows; then
 * dbvc_items_plan(current, merged, match) says what to write.
 */
extern DbvcMerge *dbvc_doc_merge(const DbvcParts *parts,
								 const DbvcDocument *old,
								 const DbvcDocument *changed,
								 const DbvcDocument *current);

#endif /* DBVC_DOCUMENT_H */
