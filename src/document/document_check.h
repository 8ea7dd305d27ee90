/*
 * document_check.h
 *		What a check of an adopted table finds out.
 */
#ifndef DBVC_DOCUMENT_CHECK_H
#define DBVC_DOCUMENT_CHECK_H

#include "document/adopted.h"

typedef enum DbvcCheckName
{
	DBVC_CHECK_VISIBLE,	 /* no row security hides rows from this role */
	DBVC_CHECK_TRIGGERS, /* they are there and enabled */
	DBVC_CHECK_COMBINE,	 /* every split document can be put together */
	DBVC_CHECK_ITEMS,	 /* and taken apart into the same items */
	DBVC_CHECK_RANKS,	 /* no two items have the same place */
	DBVC_CHECK_WHOLE,	 /* what was never split has no items */
	DBVC_CHECK_TYPES,	 /* no items of types that no part has */
	DBVC_CHECK_ORPHANS,	 /* no items without a document */
	DBVC_CHECK_COUNTS,	 /* all items were seen */
	DBVC_CHECKS
} DbvcCheckName;

/* Faults of a check that are named. */
#define DBVC_FAULTS_SHOWN 5

typedef struct DbvcFinding
{
	const char *name;
	int64 faults;
	const char *detail; /* NULL: none */
} DbvcFinding;

/*
 * Check all documents, or a sample (0 to 1) of them, with the active snapshot;
 * findings has room for DBVC_CHECKS.  SPI must be connected.
 */
extern void dbvc_document_check_all(Oid relation, double sample,
									DbvcFinding *findings);

/* "2 faults: (4): ..."; of one that has any. */
extern char *dbvc_finding_text(const DbvcFinding *finding);

#endif /* DBVC_DOCUMENT_CHECK_H */
