/*
 * difference.h
 *		What difference*.c share.
 */
#ifndef DBVC_DIFFERENCE_H
#define DBVC_DIFFERENCE_H

#include "snapshot/snapshot.h"

#include "utils/hsearch.h"

/* A difference that was found, before it is decided whether it is listed. */
typedef struct DbvcFound
{
	DbvcDifference difference; /* first: what is given away */
	const char *type_key;	   /* what it is sorted by: UTF-8 */
	const char *identity_key;
	const char *attribute_key; /* "" for none */
	/*
	 * The object's own catalog rows are the same on both sides, so it differs
	 * only because of something else; a rename may explain it.
	 */
	bool suspect;
	/* renamed: the name, as it stands in the texts of others */
	const char *old_name;
	const char *new_name;
} DbvcFound;

/* A comparison on its way. */
typedef struct DbvcComparing
{
	const DbvcSide *before;
	const DbvcSide *after;
	bool same_oids;
	bool detail;
	MemoryContext result;  /* where the differences go */
	MemoryContext scratch; /* for one pair of objects */
	List *found;		   /* of DbvcFound */
} DbvcComparing;

/* Two entries of one object. */
typedef struct DbvcPair
{
	const DbvcEntry *before;
	const DbvcEntry *after;
	bool same_object; /* proved by its OID */
	bool suspect;
} DbvcPair;

/* Whose members are compared, and where we are in it. */
typedef struct DbvcSubject
{
	DbvcComparing *comparing;
	const char *type;
	const char *identity;
	bool suspect;
	StringInfoData path;
	int found; /* how many differences there were */
	/* of a column that got another name: of its constraint NOT NULL, when
	 * nothing is said of it */
	const char *usual_before;
	const char *usual_after;
} DbvcSubject;

/* An element of an array of objects with names. */
typedef struct DbvcElement
{
	char *name;
	int place; /* in its array */
	int attnum;
	JsonbValue object;
	struct DbvcElement *mate; /* on the other side, or NULL */
} DbvcElement;

/* in difference.c */

/* Add a difference.  Strings are in database encoding; everything is copied. attribute, before and after may be NULL. */
extern DbvcFound *dbvc_found_add(DbvcComparing *comparing, const char *change,
								 const char *type, const char *identity,
								 const char *attribute, const Jsonb *before,
								 const Jsonb *after);
/* A JSON string. */
extern Jsonb *dbvc_jsonb_string(const char *text);

/* in difference_body.c */

/* The definition of an entry. */
extern Jsonb *dbvc_entry_body(const DbvcSide *side, const DbvcEntry *entry);
/* Members of an object, in an order of their own. */
typedef struct DbvcMember
{
	JsonbValue key;
	JsonbValue value;
} DbvcMember;
extern DbvcMember *dbvc_object_members(JsonbContainer *object, int *count);
extern bool dbvc_values_equal(JsonbValue *a, JsonbValue *b);
extern bool dbvc_is_object(const JsonbValue *value);
extern bool dbvc_is_array(const JsonbValue *value);
/* Add what is altered of a subject; attribute, before and after may be NULL. */
extern void dbvc_altered_add(DbvcSubject *subject, const char *attribute,
							 const Jsonb *before, const Jsonb *after);
/* Compare all members but skip, which others look at, or NULL. */
extern void dbvc_compare_objects(DbvcSubject *subject, JsonbContainer *before,
								 JsonbContainer *after, const char *skip);
/* False when it is not an array of objects that all have names. */
extern bool dbvc_named_elements(JsonbContainer *array, DbvcElement **elements,
								int *count);
/* The elements by name; NULL when a name is there twice. */
extern DbvcElement **dbvc_sorted_by_name(DbvcElement *elements, int count);
/* Pair those that have no mate yet and the same name. */
extern void dbvc_pair_by_name(DbvcElement **a, int count_a, DbvcElement **b,
							  int count_b);
/* Do those on both sides stand in another order? */
extern bool dbvc_order_differs(const DbvcElement *elements, int count);
/* Names of those on both sides, in the order of this one; mates: those that they have on the other side. */
extern Jsonb *dbvc_names_in_order(const DbvcElement *elements, int count,
								  bool mates);
/* What differs in the bodies of one object, and its columns. */
extern void dbvc_compare_bodies(DbvcComparing *comparing,
								const DbvcPair *pair);

/* in difference_column.c */

/* What differs in the columns; false when there is nothing that could be compared as columns. */
extern bool dbvc_compare_columns(DbvcSubject *subject, const DbvcPair *pair,
								 const Jsonb *before, const Jsonb *after);
/* Is a constraint NOT NULL called the same, though only one side says how? */
extern bool dbvc_is_same_constraint_name(const DbvcSubject *subject,
										 const JsonbValue *before,
										 const JsonbValue *after);
/* The columns of an object that is there on one side only, a difference each. */
extern void dbvc_found_columns(DbvcComparing *comparing, const char *change,
							   const DbvcEntry *entry, const Jsonb *body);

/* in difference_reference.c */

/* Does it differ only by names of objects and columns that have been renamed, of which each still means the same? */
extern bool dbvc_is_same_meaning(HTAB *renames, const DbvcFound *found);

/* in difference_text.c */

/* Are two texts the same but for names that have been renamed? */
extern bool dbvc_text_is_same(HTAB *renames, const char *before,
							  Size before_length, const char *after,
							  Size after_length);
/* The name with which a text begins, a.b.c; or NULL. */
extern const char *dbvc_first_name(const char *text);
/* The c of a.b.c. */
extern const char *dbvc_last_name(const char *name);

/* in difference_rename.c */

/* What a name is one of. */
typedef enum DbvcNameKind
{
	DBVC_NAME_ANY,		 /* in a text */
	DBVC_NAME_LITERAL,	 /* in quotation marks */
	DBVC_NAME_OLD_ALIAS, /* of what was renamed: stands for "" */
	DBVC_NAME_NEW_ALIAS,
} DbvcNameKind;
/* Has what had the one name got the other? */
extern bool dbvc_was_renamed(HTAB *renames, DbvcNameKind kind,
							 const char *before, Size before_length,
							 const char *after, Size after_length);
/* Names that others call a renamed object by, before and after; NULL when they cannot. */
extern const char *dbvc_identity_name(const char *type, const char *identity);
/* The differences that are listed: without those that a listed rename explains. */
extern List *dbvc_without_consequences(List *found);

#endif /* DBVC_DIFFERENCE_H */
