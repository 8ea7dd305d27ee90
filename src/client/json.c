/*
 * json.c
 *		The answer of a command as one JSON document; docs/client.schema.json
 *		says what is in it.
 */
#include "client.h"

#include <string.h>

void
json_string(PQExpBuffer out, const char *text)
{
	const char *end = text != NULL ? text + strlen(text) : NULL;
	const char *invalid;

	if (text == NULL)
	{
		appendPQExpBufferStr(out, "null");
		return;
	}
	invalid = text + utf8_valid(text, end - text);
	appendPQExpBufferChar(out, '"');
	for (; text < end; text++)
	{
		unsigned char c = (unsigned char) *text;

		if (text == invalid)
		{
			/* a file's name may be any bytes; JSON is UTF-8 */
			appendPQExpBufferStr(out, "\xEF\xBF\xBD");
			invalid = text + 1 + utf8_valid(text + 1, end - text - 1);
		}
		else if (c == '"' || c == '\\')
			appendPQExpBuffer(out, "\\%c", c);
		else if (c < ' ' || c == 0x7F)
			appendPQExpBuffer(out, "\\u%04x", c);
		else
			appendPQExpBufferChar(out, *text);
	}
	appendPQExpBufferChar(out, '"');
}

/* A separator and the key; the first key of an object has no comma. */
static void
put_key(PQExpBuffer out, const char *key)
{
	char last = out->len > 0 ? out->data[out->len - 1] : '{';

	appendPQExpBuffer(out, "%s\"%s\": ", last == '{' ? "" : ", ", key);
}

static void
put_text(PQExpBuffer out, const char *key, const char *text)
{
	put_key(out, key);
	json_string(out, text);
}

static void
put_text_if(PQExpBuffer out, const char *key, const char *text)
{
	if (text != NULL)
		put_text(out, key, text);
}

static void
put_number_if(PQExpBuffer out, const char *key, long number, long least)
{
	if (number < least)
		return;
	put_key(out, key);
	appendPQExpBuffer(out, "%ld", number);
}

static void
put_row(PQExpBuffer out, const Row *row)
{
	appendPQExpBufferStr(out, "{");
	put_text(out, "id", row->id);
	put_text_if(out, "file", row->file);
	put_text_if(out, "kind", row->kind);
	put_text_if(out, "verdict", row->verdict);
	put_text_if(out, "status", row->status);
	put_text_if(out, "action", row->action);
	put_text_if(out, "why", row->why);
	put_text_if(out, "check", row->check);
	if (row->check != NULL)
	{
		put_key(out, "ok");
		appendPQExpBufferStr(out, row->ok < 0	? "null"
								  : row->ok > 0 ? "true"
												: "false");
	}
	put_text_if(out, "detail", row->detail);
	put_text_if(out, "checksum", row->checksum);
	put_text_if(out, "author", row->author);
	put_text_if(out, "role", row->role);
	put_text_if(out, "time", row->time);
	put_number_if(out, "version", row->version, 0);
	put_number_if(out, "statements", row->statements, 0);
	if (row->milliseconds >= 0)
	{
		put_key(out, "duration_ms");
		appendPQExpBuffer(out, "%.3f", row->milliseconds);
	}
	appendPQExpBufferStr(out, "}");
}

static void
put_error(PQExpBuffer out, const ServerError *error)
{
	put_key(out, "error");
	if (error == NULL)
	{
		appendPQExpBufferStr(out, "null");
		return;
	}
	appendPQExpBufferStr(out, "{");
	put_text(out, "sqlstate", error->sqlstate[0] ? error->sqlstate : NULL);
	put_text(out, "message", error->message);
	put_text(out, "detail", error->detail);
	put_text(out, "hint", error->hint);
	put_text(out, "context", error->context);
	put_text_if(out, "migration", error->migration);
	put_text_if(out, "script", error->script);
	put_text_if(out, "file", error->file);
	put_number_if(out, "line",
				  error->file_line ? error->file_line : error->script_line, 1);
	put_number_if(out, "column", error->script_column, 1);
	appendPQExpBufferStr(out, "}");
}

static void
put_problem(PQExpBuffer out, const Problem *problem)
{
	appendPQExpBufferStr(out, "{");
	put_text(out, "file", problem->path);
	put_number_if(out, "line", problem->line, 1);
	put_number_if(out, "column", problem->column, 1);
	put_text(out, "message", problem->message);
	put_text(out, "hint", problem->hint);
	appendPQExpBufferStr(out, "}");
}

static void
put_list(PQExpBuffer out, const char *key, const PointerList *list,
		 void (*put)(PQExpBuffer out, const void *item))
{
	put_key(out, key);
	appendPQExpBufferStr(out, "[");
	for (int i = 0; list != NULL && i < list->count; i++)
	{
		appendPQExpBufferStr(out, i == 0 ? "\n  " : ",\n  ");
		put(out, list->items[i]);
	}
	appendPQExpBufferStr(out, "]");
}

static void
put_any_row(PQExpBuffer out, const void *item)
{
	put_row(out, item);
}

static void
put_any_problem(PQExpBuffer out, const void *item)
{
	put_problem(out, item);
}

static void
put_backfill_if(PQExpBuffer out, const Backfill *backfill)
{
	if (backfill == NULL)
		return;
	put_key(out, "backfill");
	appendPQExpBufferStr(out, "{");
	put_text(out, "table", backfill->table);
	put_number_if(out, "converted", backfill->converted, 0);
	put_number_if(out, "set_aside", backfill->set_aside, 0);
	put_number_if(out, "remaining", backfill->remaining, 0);
	put_key(out, "duration_ms");
	appendPQExpBuffer(out, "%.3f}", backfill->milliseconds);
}

static void
put_snapshot(PQExpBuffer out, const char *key, const Snapshot *snapshot)
{
	put_key(out, key);
	if (snapshot == NULL)
	{
		appendPQExpBufferStr(out, "null");
		return;
	}
	appendPQExpBufferStr(out, "{");
	put_text(out, "id", snapshot->id);
	put_text(out, "label", snapshot->label);
	put_text(out, "time", snapshot->time);
	put_number_if(out, "objects", snapshot->objects, 0);
	put_text(out, "fingerprint", snapshot->fingerprint);
	appendPQExpBufferStr(out, "}");
}

/* A value that is JSON already. */
static void
put_json(PQExpBuffer out, const char *key, const char *json)
{
	put_key(out, key);
	appendPQExpBufferStr(out, json != NULL ? json : "null");
}

static void
put_differences_if(PQExpBuffer out, const Differences *differences)
{
	static const char *const keys[] = {"change", "object_type", "identity",
									   "attribute"};

	if (differences == NULL)
		return;
	put_snapshot(out, "from", differences->from);
	put_snapshot(out, "to", differences->to);
	put_key(out, "differences");
	appendPQExpBufferStr(out, "[");
	for (int i = 0; i < PQntuples(differences->rows); i++)
	{
		appendPQExpBufferStr(out, i == 0 ? "\n  {" : ",\n  {");
		for (int j = 0; j < 4; j++)
			put_text(out, keys[j], value_at(differences->rows, i, j));
		put_json(out, "before", value_at(differences->rows, i, 4));
		put_json(out, "after", value_at(differences->rows, i, 5));
		appendPQExpBufferStr(out, "}");
	}
	appendPQExpBufferStr(out, "]");
}

void
json_report(PQExpBuffer out, const Report *report)
{
	const Directory *directory = report->directory;

	appendPQExpBufferStr(out, "{");
	put_text(out, "dbvc", DBVC_VERSION);
	put_text(out, "command", report->options->command);
	put_number_if(out, "exit_status", report->status, 0);
	put_text(out, "database", report->database);
	put_text(out, "extension_version", report->extension_version);
	put_key(out, "server_version");
	if (report->server_version > 0)
		appendPQExpBuffer(out, "%d", report->server_version);
	else
		appendPQExpBufferStr(out, "null");
	put_text(out, "directory", directory ? directory->path : NULL);
	put_text(out, "layout", directory ? directory->layout : NULL);
	put_text(out, "plan_hash", report->plan_hash);
	put_list(out, "migrations", &report->rows, put_any_row);
	put_backfill_if(out, report->backfill);
	if (report->snapshot != NULL)
		put_snapshot(out, "snapshot", report->snapshot);
	put_differences_if(out, report->differences);
	put_list(out, "problems", directory ? &directory->problems : NULL,
			 put_any_problem);
	put_error(out, report->error);
	appendPQExpBufferStr(out, "}");
}
