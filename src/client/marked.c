/*
 * marked.c
 *		Files that hold both directions, told by comments.
 *
 * A file is cut into blocks at the lines with the markers.  What stands
 * before the first one belongs to it, so that lines keep their numbers.
 */
#include "marked.h"

#include <string.h>

void
marked_problem(Marked *marked, const char *hint, const char *message, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, message);
	text = format_list(message, arguments);
	va_end(arguments);
	problem_add(marked->directory, marked->file->path, marked->line.number, 0,
				line_text(&marked->line), hint, "%s", text);
}

Block *
last_block(const Marked *marked)
{
	return marked->blocks.count > 0
			   ? marked->blocks.items[marked->blocks.count - 1]
			   : NULL;
}

Block *
block_begin(Marked *marked, PartRole role)
{
	Block *block = memory_new(sizeof(Block));
	Block *before = last_block(marked);

	block->role = role;
	block->transactional = -1;
	block->end = marked->file->text + marked->file->length;
	if (before == NULL)
	{
		block->start = marked->file->text;
		block->line = 1;
	}
	else
	{
		block->start = marked->line.start;
		block->line = marked->line.number;
		before->end = marked->line.start;
	}
	list_add(&marked->blocks, block);
	return block;
}

/* Before the first marker only comments may stand. */
static void
check_unmarked(Marked *marked)
{
	if (marked->blocks.count == 0 && marked->stray.start == NULL &&
		!line_is_comment(&marked->line, &marked->comment_depth))
		marked->stray = marked->line;
}

/* Add a block to a script that begins a line; the line after it. */
static int
append_block(PQExpBuffer text, Script *script, const Block *block,
			 int script_line)
{
	const char *at = block->start;
	const char *newline;
	Span *span;

	script->spans =
		memory_grow(script->spans,
					(size_t) (script->span_count + 1) * sizeof(Span));
	span = &script->spans[script->span_count++];
	span->script_line = script_line;
	span->file_line = block->line;
	appendBinaryPQExpBuffer(text, block->start,
							(size_t) (block->end - block->start));
	while ((newline = memchr(at, '\n', (size_t) (block->end - at))) != NULL)
	{
		at = newline + 1;
		script_line++;
	}
	return script_line;
}

/* The blocks of one direction: up ones in order, down ones backwards. */
static Script *
blocks_script(const Marked *marked, PartRole role)
{
	Script *script = memory_new(sizeof(Script));
	int count = marked->blocks.count;
	PQExpBufferData text;
	int line = 1;

	initPQExpBuffer(&text);
	for (int i = 0; i < count; i++)
	{
		const Block *block =
			marked->blocks.items[role == PART_UP ? i : count - 1 - i];

		if (block->role != role)
			continue;
		if (text.len > 0 && text.data[text.len - 1] != '\n')
		{
			appendPQExpBufferChar(&text, '\n');
			line++;
		}
		line = append_block(&text, script, block, line);
	}
	if (script->span_count == 0)
	{
		termPQExpBuffer(&text);
		return NULL;
	}
	script->path = marked->file->path;
	script->text = buffer_text(&text, &script->length);
	return script;
}

void
marked_read(Directory *directory, const Part *part,
			bool (*see)(Marked *marked), const char *up)
{
	Marked marked = {.directory = directory,
					 .file = part->file,
					 .migration = part->migration};

	if (part->migration == NULL || part->migration->up == NULL)
		return;
	while (line_next(marked.file, &marked.line))
	{
		if (!see(&marked))
			check_unmarked(&marked);
	}
	if (marked.stray.start != NULL && marked.blocks.count > 0)
		problem_add(directory, marked.file->path, marked.stray.number, 0,
					line_text(&marked.stray), "Move it below the marker.",
					"this stands before the first marker");
	if (marked.statement_line > 0)
		problem_add(directory, marked.file->path, marked.statement_line, 0,
					NULL, NULL, "StatementBegin without StatementEnd");
	if (marked.blocks.count == 0)
		problem_add(directory, marked.file->path, 0, 0, NULL,
					format("It begins with a line \"%s\".", up),
					"has no line \"%s\"", up);
	else
	{
		part->migration->up = blocks_script(&marked, PART_UP);
		part->migration->down = blocks_script(&marked, PART_DOWN);
	}
}

bool
has_marker(Directory *directory, SourceFile *file, const char *const *words)
{
	Line line = {0};

	if (!name_is_numbered(file->name) || !file_read(directory, file))
		return false;
	while (line_next(file, &line))
	{
		for (int i = 0; words[i] != NULL; i++)
		{
			if (line_after(&line, words[i]) != NULL)
				return true;
		}
	}
	return false;
}

PointerList
marked_parts(Directory *directory, const char *hint,
			 void (*place)(Directory *directory, Part *part))
{
	PointerList parts = {0};

	for (int i = 0; i < directory->files.count; i++)
	{
		SourceFile *file = directory->files.items[i];
		Part *part;

		if (!name_is_top(file->name) || !name_is_sql(file->name))
			continue;
		if (!name_is_numbered(file->name))
		{
			file_unknown(directory, file, hint);
			continue;
		}
		part = part_add(&parts, file, PART_UP, NULL,
						name_without(file->name, ".sql"));
		part->title = part->stem + strspn(part->stem, "0123456789");
		part->title += *part->title == '_' ? 1 : 0;
		place(directory, part);
		part->group = part->version;
	}
	parts_join(directory, &parts, hint);
	return parts;
}
