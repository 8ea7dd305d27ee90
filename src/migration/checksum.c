/*
 * checksum.c
 *		What makes two contents of a migration the same.
 *
 * The hashed bytes, version 1 (docs/migration.md has a script that recomputes
 * them):
 *
 *		"dbvc-migration-v1\0"
 *		up, down, verify, kind, transactional		each u32 length | UTF-8
 *		u32 count of requires, then each			u32 length | UTF-8
 *
 * Integers are big-endian; a NULL has the length 0xFFFFFFFF and no bytes.  The
 * three scripts lose a leading byte order mark and have CR LF replaced by LF,
 * because git on Windows writes files that way.  A lone CR is content.
 * transactional is "true", "false" or NULL; requires is sorted by bytes.
 */
#include "migration/migration.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

const char *
dbvc_skip_bom(const char *text)
{
	if (GetDatabaseEncoding() == PG_UTF8 &&
		strncmp(text, "\xEF\xBB\xBF", 3) == 0)
		return text + 3;
	return text;
}

static const char *
normalise(const char *text)
{
	char *copy;
	char *to;

	if (text == NULL)
		return NULL;
	text = dbvc_skip_bom(text);
	if (strstr(text, "\r\n") == NULL)
		return text;
	copy = to = palloc(strlen(text) + 1);
	for (; *text != '\0'; text++)
	{
		if (text[0] != '\r' || text[1] != '\n')
			*to++ = *text;
	}
	*to = '\0';
	return copy;
}

void
dbvc_checksum(DbvcContent *content)
{
	static const char magic[] = "dbvc-migration-v1";
	StringInfoData buf;
	DbvcPiece piece;
	const char *transactional = NULL;
	ListCell *lc;

	if (content->has_transactional)
		transactional = content->transactional ? "true" : "false";
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, magic, sizeof(magic));
	dbvc_canon_put_text(&buf, normalise(content->up));
	dbvc_canon_put_text(&buf, normalise(content->down));
	dbvc_canon_put_text(&buf, normalise(content->verify));
	dbvc_canon_put_text(&buf, content->kind);
	dbvc_canon_put_text(&buf, transactional);
	dbvc_canon_put_u32(&buf, list_length(content->requires));
	foreach (lc, content->requires)
		dbvc_canon_put_text(&buf, lfirst(lc));
	piece.data = buf.data;
	piece.len = buf.len;
	dbvc_sha256(&piece, 1, content->checksum);
	pfree(buf.data);
}
