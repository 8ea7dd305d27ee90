/*
 * reshape.h
 *		Changing what an adopted table is made of: adopt, refresh, release.
 *
 * Internal to this folder.  Each of the three looks at the catalogs under a
 * lock, makes a list of steps, and runs the list; a dry run returns the same
 * list without running it.  What stands in the way is collected, so that one
 * error names all of it, before the first step.
 *
 * All of it runs with search_path = pg_catalog, pg_temp: what PostgreSQL
 * deparses is qualified then, and means the same when it is run again.
 */
#ifndef DBVC_RESHAPE_H
#define DBVC_RESHAPE_H

#include "document/adopted.h"

#include "fmgr.h"
#include "util/util.h"

/* Anything that has to be found, however it is called later. */
#define DBVC_ITEMS_POLICY "dbvc_document"
#define DBVC_STEP_REGISTER "register"

typedef struct DbvcStep
{
	const char *action;	   /* for people */
	const char *statement; /* NULL: nothing to run, it stays by itself */
	const char *dependent; /* named when the statement fails, or NULL */
	Oid role;			   /* runs it, if not the caller */
} DbvcStep;

typedef struct DbvcProblem
{
	int sqlstate;
	const char *text;
} DbvcProblem;

typedef struct DbvcReshape
{
	List *steps;	/* of DbvcStep */
	List *notes;	/* DbvcStep that have nothing to run, told behind them */
	List *problems; /* of DbvcProblem */
	List *warnings; /* texts */
	List *notices;
} DbvcReshape;

/* in reshape.c */

extern void dbvc_step(DbvcReshape *reshape, const char *action,
					  const char *format, ...) pg_attribute_printf(3, 4);
/* Something that stays as it is, and is told. */
extern void dbvc_step_none(DbvcReshape *reshape, const char *format, ...)
	pg_attribute_printf(2, 3);
/* A step that makes a dependent see something else. */
extern void dbvc_step_dependent(DbvcReshape *reshape, const char *dependent,
								const char *statement);
extern void dbvc_step_role(DbvcReshape *reshape, Oid role);
extern void dbvc_problem(DbvcReshape *reshape, int sqlstate,
						 const char *format, ...) pg_attribute_printf(3, 4);
extern void dbvc_reshape_warn(DbvcReshape *reshape, const char *format, ...)
	pg_attribute_printf(2, 3);
extern void dbvc_reshape_notice(DbvcReshape *reshape, const char *format, ...)
	pg_attribute_printf(2, 3);

/* Raise all problems as one error, "table public.users cannot be adopted". */
extern void dbvc_reshape_refuse(const DbvcReshape *reshape, const char *what);
/* Run the steps from *done on; a step called DBVC_STEP_REGISTER is the
 * caller's affair: the list is run up to it and *done says where. */
extern void dbvc_reshape_execute(DbvcReshape *reshape, int *done,
								 const char *what);
extern void dbvc_reshape_tell(const DbvcReshape *reshape);
extern void dbvc_reshape_return(FunctionCallInfo fcinfo,
								const DbvcReshape *reshape);

/* Rows of a catalog query, each an array of texts (NULL for NULL).  $1 is the
 * relation, $2 a text, $3 a number. */
extern List *dbvc_reshape_rows(const char *sql, Oid relation, const char *text,
							   int number);
/* First column of the first row; NULL without a row. */
extern char *dbvc_reshape_value(const char *sql, Oid relation,
								const char *text, int number);
extern bool dbvc_reshape_true(const char *value);

/* search_path and, if not negative, lock_timeout until dbvc_reshape_leave(). */
extern int dbvc_reshape_enter(int lock_timeout);
extern void dbvc_reshape_leave(int level);

/*
 * Run work(arg) in a subtransaction; once more when it waited too long for a
 * lock or was chosen as the victim of a deadlock, attempts times in all.
 */
extern void dbvc_reshape_attempt(void (*work)(void *arg), void *arg,
								 int attempts);

/* An event with the list as its detail; names are of the relations. */
extern void dbvc_reshape_record(const char *event_type, Oid caller,
								const char *detail);

/* {"a","b"} of names, as text. */
extern char *dbvc_reshape_array(const List *names);
extern char *dbvc_qualified(const char *schema, const char *name);

/* The face of the adopted table that this is base, face or items of. */
extern Oid dbvc_adopted_face_of(Oid relation);

typedef struct DbvcLockArguments
{
	int timeout; /* milliseconds, of each attempt */
	int attempts;
} DbvcLockArguments;

/* Arguments lock_timeout and lock_attempts, from number first on. */
extern void dbvc_reshape_lock_arguments(FunctionCallInfo fcinfo, int first,
										DbvcLockArguments *lock);
/* 22004 for an argument that must not be NULL. */
extern void dbvc_reshape_need(FunctionCallInfo fcinfo, int n,
							  const char *name);
/* Names of a name[], NIL for NULL. */
extern List *dbvc_reshape_names(FunctionCallInfo fcinfo, int n,
								const char *name);

/* ------------------------------------------------- the table, as it is */

typedef struct DbvcColumn
{
	AttrNumber number;
	const char *name;
	const char *quoted;
	const char *type;	   /* as SQL */
	const char *collation; /* as SQL, or NULL if it is the type's */
	const char *fallback;  /* default expression, or NULL */
	const char *comment;   /* quoted, or NULL */
	Oid type_oid;
	bool not_null;
	bool generated;
	bool identity;
	const char *items_name; /* of a key column */
	const char *equal;		/* the same: OPERATOR(schema.=) */
} DbvcColumn;

typedef struct DbvcTable
{
	Oid oid;
	const char *schema;
	const char *name;		/* its name before it was adopted: the face's */
	const char *base_name;	/* unquoted */
	const char *items_name; /* unquoted */
	const char *face;		/* schema-qualified and quoted */
	const char *base;
	const char *items;
	Oid face_oid; /* InvalidOid before it is adopted */
	Oid items_oid;
	Oid owner;
	const char *owner_name; /* quoted */
	char kind;
	char persistence;
	bool row_security;
	bool force_row_security;
	const char *comment; /* quoted, or NULL */
	List *columns;		 /* of DbvcColumn, without doc_version */
	List *key;
	DbvcColumn *doc;
	const char *version; /* unquoted: doc_version, whatever it is called */
	DbvcParts *parts;
	const char *parts_text;
} DbvcTable;

/* in adopt_source.c */

/* Read columns and what pg_class says; NULL if it is gone. */
extern DbvcTable *dbvc_table_read(Oid oid);
extern DbvcColumn *dbvc_table_column(const DbvcTable *table, const char *name);
/* The columns of the key, given by name or that of the primary key. */
extern void dbvc_table_find_key(DbvcReshape *reshape, DbvcTable *table,
								const List *names);
/* Everything that stands in the way and is not a dependent's or a grant's. */
extern void dbvc_table_check(DbvcReshape *reshape, DbvcTable *table,
							 bool triggers_reviewed);

/* in adopt_expressions.c */

/* Expressions over the document that stay with the base. */
extern void dbvc_expressions_check(DbvcReshape *reshape,
								   const DbvcTable *table);
/* Publications of the table, which are to publish its items, too. */
extern void dbvc_publications_check(DbvcReshape *reshape,
									const DbvcTable *table, List **steps);

/* in adopt_steps.c: SQL of the three relations */

extern void dbvc_steps_items(DbvcReshape *reshape, const DbvcTable *table);
/* enabled, forced, has_policy: what the items table is already. */
extern void dbvc_steps_row_security(DbvcReshape *reshape,
									const DbvcTable *table, bool enabled,
									bool forced, bool has_policy);
extern char *dbvc_face_query(const DbvcTable *table);
extern void dbvc_steps_triggers(DbvcReshape *reshape, const DbvcTable *table,
								const char *face);
extern void dbvc_steps_defaults(DbvcReshape *reshape, const DbvcTable *table);
extern void dbvc_steps_owner(DbvcReshape *reshape, const DbvcTable *table);
extern void dbvc_steps_comments(DbvcReshape *reshape, const DbvcTable *table);

/* in adopt_grants.c */

extern void dbvc_grants_check(DbvcReshape *reshape, const DbvcTable *table);
/* Grant on the base what the face has more; not of columns if renamed. */
extern void dbvc_grants_to_base(DbvcReshape *reshape, const DbvcTable *table,
								Oid face, bool renamed);
extern void dbvc_grants_tell_extra(DbvcReshape *reshape,
								   const DbvcTable *table, Oid face,
								   bool released);
/* Grants of new columns of the base, on the face. */
extern void dbvc_grants_new_columns(DbvcReshape *reshape,
									const DbvcTable *table, const List *names);
/* Grants of a new face: those of another relation, without some columns. */
extern void dbvc_grants_face(DbvcReshape *reshape, const DbvcTable *table,
							 Oid from, const List *without);
extern void dbvc_grants_items(DbvcReshape *reshape, const DbvcTable *table);
extern void dbvc_grants_base(DbvcReshape *reshape, const DbvcTable *table);

/* in refresh.c */

/* Base, face and items of an adopted table, as they are called now. */
extern DbvcTable *dbvc_table_adopted(const DbvcAdopted *adopted);
/* Must own base, face and items: 42501. */
extern void dbvc_reshape_check_owner(Oid relation);

/* in dependents.c */

/*
 * Lock what is to be re-pointed from the relation, as far as the caller owns
 * it: before the relation itself, because that is the order of its readers.
 */
extern void dbvc_dependents_lock(Oid relation, AttrNumber document);
/*
 * Find what depends on the relation; refuse by name what cannot follow.  The
 * definitions in the steps name the relation as it is called now.  document
 * is the column that must not be seen from elsewhere; 0: all must follow.
 */
extern void dbvc_dependents_find(DbvcReshape *reshape, Oid relation,
								 AttrNumber document, List **steps);

/* in expression.c */

/*
 * Does the expression (its text in the catalogs), over the relation with range
 * table index 1, say the same of a slim document as of the whole one?
 */
extern bool dbvc_expression_holds(const char *tree, Oid relation,
								  AttrNumber document, const DbvcParts *parts);

/* What a query uses of a relation that it names; NULL uses nothing. */
#define DBVC_USES_WHOLE_ROW 1
#define DBVC_USES_SYSTEM_COLUMN 2
#define DBVC_USES_SAMPLE 4
#define DBVC_USES_DOCUMENT 8 /* also by way of a whole row of a join */
extern int dbvc_expression_uses(const char *tree, Oid relation,
								AttrNumber document);

/* in release_swap.c */

/*
 * The last step of a release: all documents of the base are whole and the
 * items table is empty.  Puts the table back under its name, with dependents,
 * and drops face, items, doc_version and the triggers.  SPI must be connected
 * and the base locked in ACCESS EXCLUSIVE mode.
 *
 * Errors: 2BP01 and others that name what depends on face or items and cannot
 * be re-pointed; 42501.
 */
extern void dbvc_release_swap(const DbvcAdopted *adopted);

/* What would keep it from that, asked before anything is joined. */
extern void dbvc_release_check(const DbvcAdopted *adopted);

#endif /* DBVC_RESHAPE_H */
