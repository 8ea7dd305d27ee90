/*
 * page.h
 *		Pages of lists: page.c makes and reads their bytes, page_store.c keeps them.
 */
#ifndef DBVC_PAGE_H
#define DBVC_PAGE_H

#include "snapshot/snapshot.h"

typedef struct DbvcListPage
{
	uint8 hash[DBVC_SHA256_LEN]; /* first: the key */
	bytea *body;
	int first; /* entry of the list */
	int count;
	bool stored;
} DbvcListPage;

/* in page.c */

/* Cut the list, and hash the pieces; palloc'd. */
extern DbvcListPage *dbvc_pages_make(const DbvcList *list, int *count);
extern void dbvc_pages_make_root(const DbvcList *list,
								 const DbvcListPage *pages, int count,
								 DbvcListPage *root);
/* Append the entries of a page to the list; their strings stay in the page's bytes.  Raises DBVC_HISTORY_DAMAGED. */
extern void dbvc_page_read(const bytea *body, const DbvcPageRef *ref,
						   DbvcList *list);
extern void dbvc_page_read_root(const bytea *body,
								const uint8 root[DBVC_SHA256_LEN],
								DbvcRoot *out);
DBVC_NORETURN extern void dbvc_page_damaged(const uint8 hash[DBVC_SHA256_LEN],
											const char *what);

/* in content.c: rows (hash, body) on their way into a table */

typedef enum DbvcContentTable
{
	DBVC_DEFINITIONS, /* body is text */
	DBVC_PAGES,		  /* body is bytea */
} DbvcContentTable;

typedef struct DbvcContents DbvcContents;

/*
 * direct: by the table's own insertion, which raises unique_violation when
 * there is such a row; else by SQL, which passes over it.  Rows must come in the order of their hashes.
 */
extern DbvcContents *dbvc_contents_begin(DbvcContentTable table, bool direct);
/* Where bodies may live until they are written. */
extern MemoryContext dbvc_contents_context(DbvcContents *contents);
extern void dbvc_contents_add(DbvcContents *contents, Datum hash, Datum body);
extern void dbvc_contents_end(DbvcContents *contents);

#endif /* DBVC_PAGE_H */
