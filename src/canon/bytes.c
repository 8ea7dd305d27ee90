/*
 * bytes.c
 *		Building and reading canonical event bodies (layout in canon.h).
 */
#include "canon/canon.h"

#include "common/int.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/timestamp.h"

static const char MAGIC[] = "dbvc-event-v1"; /* its NUL is part of it */

#define UNIX_EPOCH_USEC \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

const char *
dbvc_canon_utf8(const char *text, Size *len)
{
	const char *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);

	*len = strlen(utf8);
	return utf8;
}

void
dbvc_canon_put_u32(StringInfo buf, uint32 value)
{
	uint32 big = pg_hton32(value);

	appendBinaryStringInfo(buf, (const char *) &big, sizeof(big));
}

void
dbvc_canon_put_text(StringInfo buf, const char *text)
{
	const char *utf8;
	Size len;

	if (text == NULL)
	{
		dbvc_canon_put_u32(buf, PG_UINT32_MAX);
		return;
	}
	utf8 = dbvc_canon_utf8(text, &len);
	dbvc_canon_put_u32(buf, len);
	appendBinaryStringInfo(buf, utf8, len);
}

void
dbvc_canon_begin(StringInfo buf)
{
	initStringInfo(buf);
	appendBinaryStringInfo(buf, MAGIC, sizeof(MAGIC));
}

void
dbvc_canon_bytes(StringInfo buf, uint16 id, DbvcCanonType type,
				 const void *bytes, Size len)
{
	uint16 big_id = pg_hton16(id);
	uint8 type_byte = type;

	appendBinaryStringInfo(buf, (const char *) &big_id, sizeof(big_id));
	appendBinaryStringInfo(buf, (const char *) &type_byte, 1);
	dbvc_canon_put_u32(buf, len);
	appendBinaryStringInfo(buf, bytes, len);
}

void
dbvc_canon_int(StringInfo buf, uint16 id, int64 value)
{
	uint64 big = pg_hton64((uint64) value);

	dbvc_canon_bytes(buf, id, DBVC_CANON_INT, &big, sizeof(big));
}

void
dbvc_canon_time(StringInfo buf, uint16 id, TimestampTz value)
{
	uint64 big = pg_hton64((uint64) (value + UNIX_EPOCH_USEC));

	dbvc_canon_bytes(buf, id, DBVC_CANON_TIME, &big, sizeof(big));
}

void
dbvc_canon_text(StringInfo buf, uint16 id, const char *text)
{
	Size len;
	const char *utf8 = dbvc_canon_utf8(text, &len);

	dbvc_canon_bytes(buf, id, DBVC_CANON_TEXT, utf8, len);
}

void
dbvc_canon_bool(StringInfo buf, uint16 id, bool value)
{
	uint8 byte = value ? 1 : 0;

	dbvc_canon_bytes(buf, id, DBVC_CANON_BOOL, &byte, 1);
}

void
dbvc_canon_list(StringInfo buf, uint16 id, const List *texts)
{
	StringInfoData list;
	ListCell *lc;

	initStringInfo(&list);
	dbvc_canon_put_u32(&list, list_length(texts));
	foreach (lc, texts)
		dbvc_canon_put_text(&list, lfirst(lc));
	dbvc_canon_bytes(buf, id, DBVC_CANON_LIST, list.data, list.len);
	pfree(list.data);
}

DBVC_NORETURN static void
damaged(void)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("event body is not well formed")));
}

static uint32
read_u32(const char *bytes)
{
	uint32 big;

	memcpy(&big, bytes, sizeof(big));
	return pg_ntoh32(big);
}

static bool
not_found(bool strict)
{
	if (strict)
		damaged();
	return false;
}

bool
dbvc_canon_find(const char *body, Size len, uint16 id, DbvcCanonType type,
				bool strict, const char **value, Size *value_len)
{
	const Size header = sizeof(uint16) + sizeof(uint8) + sizeof(uint32);
	Size at = sizeof(MAGIC);

	if (len < sizeof(MAGIC) || memcmp(body, MAGIC, sizeof(MAGIC)) != 0)
		return not_found(strict);
	while (at < len)
	{
		uint16 big_id;
		uint16 found;
		uint32 size;

		if (len - at < header)
			return not_found(strict);
		memcpy(&big_id, body + at, sizeof(big_id));
		found = pg_ntoh16(big_id);
		size = read_u32(body + at + 3);
		if (len - at - header < size)
			return not_found(strict);
		if (found > id)
			return false;
		if (found == id)
		{
			if ((uint8) body[at + 2] != type)
				return not_found(strict);
			*value = body + at + header;
			*value_len = size;
			return true;
		}
		at += header + size;
	}
	return false;
}

int64
dbvc_canon_read_int(const char *value, Size len)
{
	uint64 big;

	if (len != sizeof(big))
		damaged();
	memcpy(&big, value, sizeof(big));
	return (int64) pg_ntoh64(big);
}

TimestampTz
dbvc_canon_read_time(const char *value, Size len)
{
	TimestampTz time;

	if (pg_sub_s64_overflow(dbvc_canon_read_int(value, len), UNIX_EPOCH_USEC,
							&time) ||
		!IS_VALID_TIMESTAMP(time))
		damaged();
	return time;
}

char *
dbvc_canon_read_text(const char *value, Size len)
{
	char *utf8 = pnstrdup(value, len);

	return pg_any_to_server(utf8, strlen(utf8), PG_UTF8);
}

List *
dbvc_canon_read_list(const char *value, Size len)
{
	List *result = NIL;
	Size at = sizeof(uint32);
	uint32 count;

	if (len < at)
		damaged();
	count = read_u32(value);
	for (uint32 i = 0; i < count; i++)
	{
		uint32 size;

		if (len - at < sizeof(uint32))
			damaged();
		size = read_u32(value + at);
		at += sizeof(uint32);
		if (len - at < size)
			damaged();
		result = lappend(result, dbvc_canon_read_text(value + at, size));
		at += size;
	}
	return result;
}
