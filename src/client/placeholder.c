/*
 * placeholder.c
 *		${name} in scripts, with the rules of Flyway.
 *
 * They are replaced everywhere, in comments and strings too, and what comes
 * in is not looked at again.
 */
#include "layout.h"

#include <string.h>
#include <strings.h>

#define OPENING "${"
#define FILENAME "flyway:filename"
/* Further ones of the same script tell nothing new. */
#define MOST_PROBLEMS 20

/* A script whose placeholders are being replaced. */
typedef struct Replacing
{
	Directory *directory;
	const Options *options;
	Script *script;
	PQExpBufferData text;
	PointerList spans; /* of Span */
	int script_line;
	int file_line;
	bool shifted; /* lines were added since the last span */
	int problems;
} Replacing;

static void
span_add(Replacing *work)
{
	Span *span = memory_new(sizeof(Span));

	span->script_line = work->script_line;
	span->file_line = work->file_line;
	list_add(&work->spans, span);
}

/* Text of the file, which stays as it is. */
static void
append_text(Replacing *work, const char *text, size_t length)
{
	const char *end = text + length;
	const char *newline;

	appendBinaryPQExpBuffer(&work->text, text, length);
	while ((newline = memchr(text, '\n', (size_t) (end - text))) != NULL)
	{
		text = newline + 1;
		work->script_line++;
		work->file_line++;
		if (work->shifted)
			span_add(work);
		work->shifted = false;
	}
}

/* A value; all its lines come from one line of the file. */
static void
append_value(Replacing *work, const char *value)
{
	appendPQExpBufferStr(&work->text, value);
	while ((value = strchr(value, '\n')) != NULL)
	{
		value++;
		work->script_line++;
		work->shifted = true;
		span_add(work);
	}
}

/* The value with this name, the last one if it was given twice; or NULL. */
static const char *
value_of(const Replacing *work, const char *name)
{
	const PointerList *given = &work->options->placeholders;

	for (int i = given->count - 1; i >= 0; i--)
	{
		const Placeholder *placeholder = given->items[i];

		if (strcasecmp(placeholder->name, name) == 0)
			return placeholder->value;
	}
	return strcasecmp(name, FILENAME) == 0 ? name_base(work->script->path)
										   : NULL;
}

/* A problem with the placeholder at this place of the script. */
static void
placeholder_problem(Replacing *work, const char *at, const char *name)
{
	const char *start = at;
	Line line = {0};

	if (work->problems++ >= MOST_PROBLEMS)
		return;
	while (start > work->script->text && start[-1] != '\n')
		start--;
	line.start = start;
	line.length = strcspn(start, "\r\n");
	if (name == NULL)
		problem_add(work->directory, work->script->path, work->file_line,
					utf8_characters(start, (size_t) (at - start)) + 1,
					line_text(&line),
					"--no-placeholders leaves all as they are, "
					"placeholderReplacement=false in FILE.conf those of one "
					"file.",
					"placeholder is not closed on its line");
	else
		problem_add(work->directory, work->script->path, work->file_line,
					utf8_characters(start, (size_t) (at - start)) + 1,
					line_text(&line),
					format("Give it with --set '%s=...'; --no-placeholders "
						   "leaves all as they are, "
						   "placeholderReplacement=false in FILE.conf those "
						   "of one file.",
						   name),
					"placeholder ${%s} has no value", name);
}

/* The placeholder that begins here; where it ends. */
static const char *
replace_one(Replacing *work, const char *at)
{
	const char *name = at + strlen(OPENING);
	size_t length = strcspn(name, "}\r\n");
	const char *value;
	char *copy;

	if (name[length] != '}')
	{
		placeholder_problem(work, at, NULL);
		append_text(work, at, (size_t) (name - at));
		return name;
	}
	copy = memory_copy(name, length);
	value = value_of(work, copy);
	if (value == NULL)
		placeholder_problem(work, at, copy);
	else
		append_value(work, value);
	return name + length + 1;
}

/* True if anything was replaced. */
static bool
script_replace(Directory *directory, const Options *options, Script *script)
{
	Replacing work = {.directory = directory,
					  .options = options,
					  .script = script,
					  .script_line = 1,
					  .file_line = 1};
	const char *from;
	const char *at;

	if (script == NULL || script->verbatim ||
		strstr(script->text, OPENING) == NULL)
		return false;
	initPQExpBuffer(&work.text);
	span_add(&work);
	from = script->text;
	while (work.problems < MOST_PROBLEMS &&
		   (at = strstr(from, OPENING)) != NULL)
	{
		append_text(&work, from, (size_t) (at - from));
		from = replace_one(&work, at);
	}
	append_text(&work, from, strlen(from));
	script->text = buffer_text(&work.text, &script->length);
	script->span_count = work.spans.count;
	script->spans = memory_new((size_t) work.spans.count * sizeof(Span));
	for (int i = 0; i < work.spans.count; i++)
		script->spans[i] = *(const Span *) work.spans.items[i];
	return work.problems == 0;
}

/* What the server keeps a hash of: the files as they are. */
static void
source_append(PQExpBuffer source, const Script *script)
{
	if (script == NULL)
		return;
	appendPQExpBuffer(source, "%s\n%zu\n", name_base(script->path),
					  script->length);
	appendBinaryPQExpBuffer(source, script->text, script->length);
}

static void
migration_replace(Directory *directory, const Options *options,
				  Migration *migration)
{
	Script *scripts[] = {migration->up, migration->down, migration->verify};
	PQExpBufferData source;
	bool replaced = false;

	if (migration->verify != NULL && migration->up != NULL)
		migration->verify->verbatim = migration->up->verbatim;
	initPQExpBuffer(&source);
	for (int i = 0; i < 3; i++)
		source_append(&source, scripts[i]);
	for (int i = 0; i < 3; i++)
		replaced |= script_replace(directory, options, scripts[i]);
	if (replaced)
		migration->source = buffer_text(&source, &migration->source_length);
	else
		termPQExpBuffer(&source);
}

void
placeholders_replace(Directory *directory, const Options *options)
{
	for (int i = 0; i < directory->migrations.count; i++)
		migration_replace(directory, options, directory->migrations.items[i]);
}
