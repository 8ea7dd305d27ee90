/*
 * json.c
 *		Canonical JSON: one text for one value.
 */
#include "snapshot/definition.h"

#include "common/shortest_dec.h"

#include <math.h>

void
dbvc_json_init(DbvcJson *json, StringInfo buf)
{
	json->buf = buf;
	json->depth = 0;
	json->empty[0] = true;
	json->in_array[0] = true;
	json->last_key[0] = NULL;
}

static void
put_string(StringInfo buf, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	const char *run = text;

	appendStringInfoCharMacro(buf, '"');
	for (const char *p = text;; p++)
	{
		unsigned char c = *p;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		appendBinaryStringInfo(buf, run, p - run);
		if (c == '\0')
			break;
		run = p + 1;
		appendStringInfoCharMacro(buf, '\\');
		switch (c)
		{
			case '"':
			case '\\':
				appendStringInfoCharMacro(buf, c);
				break;
			case '\b':
				appendStringInfoCharMacro(buf, 'b');
				break;
			case '\f':
				appendStringInfoCharMacro(buf, 'f');
				break;
			case '\n':
				appendStringInfoCharMacro(buf, 'n');
				break;
			case '\r':
				appendStringInfoCharMacro(buf, 'r');
				break;
			case '\t':
				appendStringInfoCharMacro(buf, 't');
				break;
			default:
				appendBinaryStringInfo(buf, "u00", 3);
				appendStringInfoCharMacro(buf, hex[c >> 4]);
				appendStringInfoCharMacro(buf, hex[c & 15]);
				break;
		}
	}
	appendStringInfoCharMacro(buf, '"');
}

/* What stands before a value: comma and key. */
static void
put_key(DbvcJson *json, const char *key)
{
	int depth = json->depth;

	if ((key == NULL) != json->in_array[depth])
		elog(ERROR, "JSON value %s a key",
			 key == NULL ? "lacks" : "must not have");
	if (!json->empty[depth])
		appendStringInfoCharMacro(json->buf, ',');
	json->empty[depth] = false;
	if (key == NULL)
		return;
	if (json->last_key[depth] != NULL &&
		strcmp(json->last_key[depth], key) >= 0)
		elog(ERROR, "JSON key \"%s\" does not sort after \"%s\"", key,
			 json->last_key[depth]);
	json->last_key[depth] = key;
	put_string(json->buf, key);
	appendStringInfoCharMacro(json->buf, ':');
}

static void
open_value(DbvcJson *json, const char *key, bool array)
{
	put_key(json, key);
	appendStringInfoCharMacro(json->buf, array ? '[' : '{');
	if (++json->depth >= DBVC_JSON_DEPTH)
		elog(ERROR, "JSON is nested too deeply");
	json->empty[json->depth] = true;
	json->in_array[json->depth] = array;
	json->last_key[json->depth] = NULL;
}

void
dbvc_json_object(DbvcJson *json, const char *key)
{
	open_value(json, key, false);
}

void
dbvc_json_array(DbvcJson *json, const char *key)
{
	open_value(json, key, true);
}

void
dbvc_json_end(DbvcJson *json)
{
	appendStringInfoCharMacro(json->buf,
							  json->in_array[json->depth] ? ']' : '}');
	json->depth--;
}

/*
 * Instead of a text that is too long to be kept, compared and shown (jsonb
 * holds 256 MB at most): how long it is in UTF-8, and its hash.  False: it is not.
 */
static bool
put_digest(DbvcJson *json, const char *key, const char *text)
{
	uint8 hash[DBVC_SHA256_LEN];
	DbvcPiece piece;

	piece.data = dbvc_to_utf8(text, &piece.len);
	if (piece.len <= DBVC_JSON_TEXT_MAX)
		return false;
	dbvc_sha256(&piece, 1, hash);
	dbvc_json_object(json, key);
	dbvc_json_int(json, "length", piece.len);
	dbvc_json_text(json, "sha256", dbvc_hex(hash, sizeof(hash)));
	dbvc_json_end(json);
	return true;
}

void
dbvc_json_text(DbvcJson *json, const char *key, const char *text)
{
	if (text == NULL && !json->in_array[json->depth])
		return;
	/* a byte becomes four at most */
	if (text != NULL && strlen(text) > DBVC_JSON_TEXT_MAX / 4 &&
		put_digest(json, key, text))
		return;
	put_key(json, key);
	if (text == NULL)
		appendBinaryStringInfo(json->buf, "null", 4);
	else
		put_string(json->buf, text);
}

void
dbvc_json_int(DbvcJson *json, const char *key, int64 value)
{
	put_key(json, key);
	appendStringInfo(json->buf, INT64_FORMAT, value);
}

void
dbvc_json_number(DbvcJson *json, const char *key, float4 value)
{
	char digits[FLOAT_SHORTEST_DECIMAL_LEN];

	if (value == rintf(value) && fabsf(value) < 1e15f)
	{
		dbvc_json_int(json, key, (int64) value);
		return;
	}
	put_key(json, key);
	(void) float_to_shortest_decimal_buf(value, digits);
	appendStringInfoString(json->buf, digits);
}

void
dbvc_json_bool(DbvcJson *json, const char *key, bool value)
{
	put_key(json, key);
	appendStringInfoString(json->buf, value ? "true" : "false");
}

void
dbvc_json_flag(DbvcJson *json, const char *key, bool value)
{
	if (value)
		dbvc_json_bool(json, key, true);
}

void
dbvc_json_texts(DbvcJson *json, const char *key, const List *texts)
{
	ListCell *cell;

	if (texts == NIL)
		return;
	dbvc_json_array(json, key);
	foreach (cell, texts)
		dbvc_json_text(json, NULL, lfirst(cell));
	dbvc_json_end(json);
}
