/*
 * util.h
 *		Owner rights for bookkeeping, prepared queries, small conversions.
 */
#ifndef DBVC_UTIL_H
#define DBVC_UTIL_H

#include "util/compat.h"

#include "executor/spi.h"
#include "utils/array.h"

/* in owner.c */

/* What dbvc_owner_leave() puts back. */
typedef struct DbvcOwnerScope
{
	Oid userid;
	int sec_context;
	int guc_level;
} DbvcOwnerScope;

/*
 * Become the owner of dbvc's tables with search_path = pg_catalog, pg_temp,
 * until dbvc_owner_leave().  An error in between is undone by the abort of the
 * (sub)transaction, which restores both.  Only dbvc's own queries may run
 * inside; a user's script never does.
 */
extern void dbvc_owner_enter(DbvcOwnerScope *scope);
extern void dbvc_owner_leave(DbvcOwnerScope *scope);

/* OID of the extension in this database; raises an error when it is absent. */
extern Oid dbvc_extension_oid(void);

/* in query.c */

#define DBVC_QUERY_MAX_ARGS 16

/*
 * A query that is parsed once per backend.  Declare it static, with the
 * types of its parameters; always run it inside an owner scope, so that the
 * cached plan keeps one search_path.
 */
typedef struct DbvcQuery
{
	const char *sql;
	int nargs;
	Oid argtypes[DBVC_QUERY_MAX_ARGS];
	SPIPlanPtr plan;
} DbvcQuery;

/*
 * Run a prepared query on the current SPI connection, as the owner.  nulls is
 * as SPI wants it ('n' or ' ' per parameter) or NULL.  Returns the number of
 * rows; the rows are in SPI_tuptable (caller frees it).  limit 0 = all rows.
 */
extern uint64 dbvc_query_run(DbvcQuery *query, Datum *values,
							 const char *nulls, bool read_only, long limit);

/*
 * The same for a SELECT that shall see what is committed now, and what this
 * transaction has done, whatever its isolation level.
 */
extern uint64 dbvc_query_latest(DbvcQuery *query, Datum *values, long limit);

/* First column of all rows of a query without parameters, as C strings. */
extern List *dbvc_query_texts(DbvcQuery *query);

/* Column of a row of SPI_tuptable; text and bytea are copied with palloc. */
extern char *dbvc_row_text(uint64 row, int column);
extern int64 dbvc_row_int64(uint64 row, int column, int64 if_null);
extern bytea *dbvc_row_bytea(uint64 row, int column);
extern Datum dbvc_row_datum(uint64 row, int column, bool *isnull);
/* All columns of a row at once, of which a long row has many; not copied. */
extern void dbvc_row_values(uint64 row, Datum *values, bool *nulls);

/* in subtransaction.c */

/*
 * Run work(arg) in an internal subtransaction.  Returns NULL, or the error
 * (in the caller's memory context) after rolling back.  What work did is kept
 * only when keep is set and it did not fail; user, settings and locks that an
 * error or a rollback leaves behind are put right by the subtransaction.
 */
extern ErrorData *dbvc_subtransaction(void (*work)(void *arg), void *arg,
									  bool keep);

/* in text.c */

/* "a", "b" and 3 more: names for an error's detail; palloc'd. */
extern char *dbvc_join_names(const List *names);
/* All names, each with a newline: equal lists give equal strings; palloc'd. */
extern char *dbvc_join_all(const List *names);
/* Is the name one of the C strings in the list? */
extern bool dbvc_is_among(const char *name, const List *names);
/* Elements of a text[] as a List of C strings; NULL array gives NIL. */
extern List *dbvc_text_array_list(ArrayType *array);
/* The reverse; NIL gives an empty array. */
extern ArrayType *dbvc_list_text_array(const List *names);
/* Lower-case hexadecimal of len bytes; palloc'd. */
extern char *dbvc_hex(const void *bytes, Size len);

#endif /* DBVC_UTIL_H */
