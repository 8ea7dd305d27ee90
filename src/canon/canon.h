/*
 * canon.h
 *		Canonical bytes: what is hashed, independent of GUCs and encodings.
 *
 * An event's body is the magic "dbvc-event-v1\0", then for each field that is
 * not null, in ascending order of its id:
 *
 *		u16 id | u8 type | u32 length | bytes		(big-endian)
 *
 * Integers and times are int64 big-endian, times in microseconds since
 * 1970-01-01 UTC; text is UTF-8; a list is a u32 count and then u32 length and
 * bytes of each text.  Fields may be added later without changing the bytes
 * of events that lack them.
 */
#ifndef DBVC_CANON_H
#define DBVC_CANON_H

#include "util/compat.h"

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

typedef enum DbvcCanonType
{
	DBVC_CANON_INT = 1,		   /* int64 */
	DBVC_CANON_TIME = 2,	   /* int64, microseconds since 1970 UTC */
	DBVC_CANON_TEXT = 3,	   /* UTF-8 */
	DBVC_CANON_BYTES = 4,	   /* as they are, e.g. a hash */
	DBVC_CANON_BOOL = 5,	   /* one byte, 0 or 1 */
	DBVC_CANON_LIST = 6,	   /* of texts */
	DBVC_CANON_COMMITMENT = 7, /* SHA-256(salt | text); text is kept aside */
} DbvcCanonType;

/* in bytes.c: building; buf is an initialised StringInfo */
extern void dbvc_canon_put_u32(StringInfo buf, uint32 value);
/* Text in database encoding, written as length and UTF-8 bytes; NULL is the
 * length 0xFFFFFFFF. */
extern void dbvc_canon_put_text(StringInfo buf, const char *text);

extern void dbvc_canon_begin(StringInfo buf);
extern void dbvc_canon_int(StringInfo buf, uint16 id, int64 value);
extern void dbvc_canon_time(StringInfo buf, uint16 id, TimestampTz value);
extern void dbvc_canon_text(StringInfo buf, uint16 id, const char *text);
extern void dbvc_canon_bytes(StringInfo buf, uint16 id, DbvcCanonType type,
							 const void *bytes, Size len);
extern void dbvc_canon_bool(StringInfo buf, uint16 id, bool value);
extern void dbvc_canon_list(StringInfo buf, uint16 id, const List *texts);

/*
 * Find field id in a body.  Returns false when it is absent; when the body is
 * not well formed up to there, or the field has another type, raises
 * data_corrupted if strict, else returns false.  *value points into body.
 */
extern bool dbvc_canon_find(const char *body, Size len, uint16 id,
							DbvcCanonType type, bool strict,
							const char **value, Size *value_len);
/* The values behind what dbvc_canon_find() gave; texts are palloc'd in
 * database encoding. */
extern int64 dbvc_canon_read_int(const char *value, Size len);
extern TimestampTz dbvc_canon_read_time(const char *value, Size len);
extern char *dbvc_canon_read_text(const char *value, Size len);
extern List *dbvc_canon_read_list(const char *value, Size len);

/* Text in database encoding as UTF-8; *len gets its bytes.  palloc'd or the
 * argument itself. */
extern const char *dbvc_canon_utf8(const char *text, Size *len);

#endif /* DBVC_CANON_H */
