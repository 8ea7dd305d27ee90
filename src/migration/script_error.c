/*
 * script_error.c
 *		Where in the script an error happened.
 *
 * The server reports a position in the text it was given, which is one
 * statement.  A person looks at the file: the context line names migration,
 * statement, line and column there, and the statement's first line.
 */
#include "migration/migration.h"

#include "mb/pg_wchar.h"

#define FIRST_LINE_SHOWN 120

void
dbvc_script_position(const DbvcScript *script, int offset, int *line,
					 int *column)
{
	const char *at = script->text;
	const char *end = at + offset;
	const char *line_start = dbvc_skip_bom(at);

	*line = 1;
	while (at < end && (at = memchr(at, '\n', end - at)) != NULL)
	{
		(*line)++;
		line_start = ++at;
	}
	*column = end > line_start
				  ? pg_mbstrlen_with_len(line_start, end - line_start) + 1
				  : 1;
}

/* Byte offset of the n-th character (from 1) after base. */
static int
character_offset(const char *text, int base, int n)
{
	const char *at = text + base;

	while (--n > 0 && *at != '\0')
		at += pg_mblen(at);
	return at - text;
}

static void
describe_statement(DbvcScript *script, int line, int column)
{
	const DbvcStatement *statement = &script->statements[script->current];
	const char *first = script->text + statement->start;
	int len = Min(strcspn(first, "\r\n"), statement->end - statement->start);
	int shown = pg_mbcliplen(first, len, FIRST_LINE_SHOWN);

	errcontext("migration \"%s\", %s script, statement %d, line %d, column "
			   "%d: %.*s%s",
			   script->migration_id, script->label, script->current + 1, line,
			   column, shown, first, shown < len ? " ..." : "");
}

static void
script_error_callback(void *arg)
{
	DbvcScript *script = arg;
	int position = geterrposition();
	int offset = script->base;
	int line;
	int column;

	if (position > 0)
	{
		offset = character_offset(script->text, script->base, position);
		/* it would point into the text of the CALL */
		errposition(0);
	}
	dbvc_script_position(script, offset, &line, &column);
	script->error_line = line;
	script->error_column = column;
	script->error_statement = script->current + 1;
	if (script->current >= 0)
		describe_statement(script, line, column);
	else
		errcontext("migration \"%s\", %s script, line %d, column %d",
				   script->migration_id, script->label, line, column);
}

void
dbvc_script_error_begin(DbvcScript *script)
{
	script->callback.callback = script_error_callback;
	script->callback.arg = script;
	script->callback.previous = error_context_stack;
	error_context_stack = &script->callback;
}

void
dbvc_script_error_end(DbvcScript *script)
{
	Assert(error_context_stack == &script->callback);
	error_context_stack = script->callback.previous;
}
