/*
 * report.c
 *		What a person reads: lines, colours, and where in a file an error is.
 */
#define _GNU_SOURCE /* wcwidth() */
#include "client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

/* Of a line with an error in it, at most so much is shown on either side. */
#define SHOWN_AROUND 60

static bool
set_and_not_empty(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0';
}

void
report_begin(Report *report, const Options *options)
{
	const char *term = getenv("TERM");
	bool dumb = term == NULL || strcmp(term, "dumb") == 0;
	bool colors;
	struct winsize size;

	report->options = options;
	report->live =
		isatty(STDOUT_FILENO) && !dumb && !options->json && !options->quiet;
	colors = !dumb && !options->json && !set_and_not_empty("NO_COLOR");
	report->color = colors && isatty(STDOUT_FILENO);
	report->color_warn = colors && isatty(STDERR_FILENO);
	report->width = 80;
	if (report->live && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
		size.ws_col > 20)
		report->width = size.ws_col;
	/* a log shows each line when it is written */
	setvbuf(stdout, NULL, _IOLBF, 0);
}

Row *
report_row(Report *report, const char *id)
{
	Row *row = memory_new(sizeof(Row));

	row->id = id;
	row->ok = -1;
	row->version = -1;
	row->statements = -1;
	row->milliseconds = -1;
	list_add(&report->rows, row);
	return row;
}

/* Bytes of a character that a terminal would obey, or that is none: C0, DEL,
 * C1 as UTF-8 has it, and what is not UTF-8. */
static int
harmful_bytes(const char *at, const char *invalid, const char *keep)
{
	unsigned char first = (unsigned char) at[0];
	unsigned char second = first ? (unsigned char) at[1] : 0;

	if (at == invalid || first == 0x7F ||
		(first < ' ' && strchr(keep, first) == NULL))
		return 1;
	return first == 0xC2 && second >= 0x80 && second < 0xA0 ? 2 : 0;
}

/* keep: what is left as it is though it is a control character. */
static const char *
escape(const char *text, const char *keep)
{
	const char *end = text + strlen(text);
	const char *invalid = text + utf8_valid(text, end - text);
	PQExpBufferData out;

	initPQExpBuffer(&out);
	for (const char *at = text; at < end;)
	{
		int harmful = harmful_bytes(at, invalid, keep);

		if (harmful == 0)
			appendPQExpBufferChar(&out, *at++);
		for (; harmful > 0; harmful--)
			appendPQExpBuffer(&out, "\\x%02X", (unsigned char) *at++);
		if (at > invalid)
			invalid = at + utf8_valid(at, end - at);
	}
	return buffer_text(&out, NULL);
}

const char *
harmless(const char *text)
{
	return escape(text, "\n\t");
}

const char *
one_line(const char *text)
{
	return escape(text, "");
}

static const char *
painted(bool color, Paint how, const char *text)
{
	static const char *const codes[] = {"32", "31", "33", "2"};

	return color ? format("\033[%sm%s\033[0m", codes[how], text) : text;
}

const char *
paint(const Report *report, Paint how, const char *text)
{
	return painted(report->color, how, text);
}

const char *
paint_warn(const Report *report, Paint how, const char *text)
{
	return painted(report->color_warn, how, text);
}

const char *
duration_text(double milliseconds)
{
	if (milliseconds < 1)
		return format("%.1f ms", milliseconds);
	if (milliseconds < 1000)
		return format("%.0f ms", milliseconds);
	if (milliseconds < 60000)
		return format("%.1f s", milliseconds / 1000);
	return format("%d min %d s", (int) (milliseconds / 60000),
				  (int) (milliseconds / 1000) % 60);
}

void
report_line(const Report *report, const char *pattern, ...)
{
	va_list arguments;
	char *line;
	size_t length;

	if (report->options->json || report->options->quiet)
		return;
	va_start(arguments, pattern);
	line = format_list(pattern, arguments);
	va_end(arguments);
	length = strlen(line);
	while (length > 0 && line[length - 1] == ' ')
		length--;
	printf("%.*s\n", (int) length, line);
	free(line);
}

void
report_warn(const Report *report, const char *pattern, ...)
{
	va_list arguments;

	(void) report;
	va_start(arguments, pattern);
	vfprintf(stderr, pattern, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

/* ------------------------------------------------------------------- carets */

/* Bytes of the character that begins here, and the columns that it takes. */
static int
character_at(const char *at, int *columns)
{
	unsigned char first = (unsigned char) *at;
	int length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
	wchar_t code = first;

	if (length > 1)
		code = first & (0x7F >> length);
	for (int i = 1; i < length; i++)
	{
		if (at[i] == '\0')
		{
			length = i;
			break;
		}
		code = (code << 6) | (at[i] & 0x3F);
	}
	*columns = wcwidth(code);
	if (*columns < 0)
		*columns = 1;
	return length;
}

static int
count_characters(const char *text, size_t length)
{
	int count = 0;

	for (size_t at = 0; at < length; count++)
	{
		int columns;

		at += character_at(text + at, &columns);
	}
	return count;
}

/* The line with its number, and a caret below the column; of a long line what
 * is around that. */
static void
show_source_line(const Report *report, int line, int column, const char *text)
{
	size_t length = strcspn(text, "\r\n");
	bool cut = count_characters(text, length) > 2 * SHOWN_AROUND;
	int first = cut && column > SHOWN_AROUND ? column - SHOWN_AROUND : 0;
	int number = 0;
	PQExpBufferData shown;
	PQExpBufferData below;

	initPQExpBuffer(&shown);
	initPQExpBuffer(&below);
	appendPQExpBufferStr(&shown, first > 0 ? "... " : "");
	appendPQExpBufferStr(&below, first > 0 ? "    " : "");
	for (size_t at = 0; at < length;)
	{
		int columns;
		int bytes = character_at(text + at, &columns);

		number++;
		if (cut && number > column + SHOWN_AROUND)
		{
			appendPQExpBufferStr(&shown, " ...");
			break;
		}
		if (number > first)
		{
			appendBinaryPQExpBuffer(&shown, text + at, bytes);
			/* a tab stays one, so that both lines are as wide */
			for (int i = 0; number < column && i < columns; i++)
				appendPQExpBufferChar(&below, text[at] == '\t' ? '\t' : ' ');
		}
		at += bytes;
	}
	fprintf(stderr, "%6d | %s\n", line, harmless(shown.data));
	if (column > 0)
		fprintf(stderr, "       | %s%s\n", below.data,
				paint_warn(report, PAINT_BAD, "^"));
	termPQExpBuffer(&shown);
	termPQExpBuffer(&below);
}

static const char *
place_text(const char *path, int line, int column)
{
	if (path == NULL)
		return "dbvc";
	if (line == 0)
		return one_line(path);
	if (column == 0)
		return format("%s:%d", one_line(path), line);
	return format("%s:%d:%d", one_line(path), line, column);
}

void
report_problems(const Report *report)
{
	const PointerList *problems = &report->directory->problems;

	for (int i = 0; i < problems->count && !report->options->json; i++)
	{
		const Problem *problem = problems->items[i];

		if (i == 50)
		{
			report_warn(report, "dbvc: and %d more", problems->count - i);
			break;
		}
		report_warn(report, "%s: %s %s",
					place_text(problem->path, problem->line, problem->column),
					paint_warn(report, PAINT_BAD, "error:"),
					harmless(problem->message));
		if (problem->text != NULL)
			show_source_line(report, problem->line, problem->column,
							 problem->text);
		if (problem->hint != NULL)
			report_warn(report, "HINT:  %s", harmless(problem->hint));
	}
}

void
report_error(const Report *report)
{
	const ServerError *error = report->error;
	const char *place;

	if (error == NULL || report->options->json)
		return;
	place = place_text(error->file, error->file_line, error->script_column);
	report_warn(report, "%s: %s %s%s", place,
				paint_warn(report, PAINT_BAD, "error:"),
				harmless(error->message),
				error->sqlstate[0] ? format(" (%s)", error->sqlstate) : "");
	if (error->line_text != NULL)
		show_source_line(report,
						 error->file_line ? error->file_line
										  : error->script_line,
						 error->script_column, error->line_text);
	if (error->detail != NULL)
		report_warn(report, "DETAIL:  %s", harmless(error->detail));
	if (error->hint != NULL)
		report_warn(report, "HINT:  %s", harmless(error->hint));
	/* where it is in the script has been shown; more than that is context */
	if (error->context != NULL &&
		(error->line_text == NULL || strchr(error->context, '\n') != NULL))
		report_warn(report, "CONTEXT:  %s", harmless(error->context));
}

ExitStatus
usage_answer(Report *report, const char *message)
{
	report->error = memory_new(sizeof(ServerError));
	report->error->message = memory_copy(message, strlen(message));
	report_error(report);
	return STATUS_USAGE;
}

/* Whoever read our output has gone: there is nobody to be answered. */
static bool
reader_is_gone(void)
{
	struct pollfd descriptor = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&descriptor, 1, 0) > 0 && (descriptor.revents & POLLERR) != 0;
}

ExitStatus
report_end(Report *report, ExitStatus status)
{
	PQExpBuffer out;

	report->status = status;
	if (report->options->json)
	{
		out = createPQExpBuffer();
		json_report(out, report);
		puts(out->data);
		destroyPQExpBuffer(out);
	}
	if ((fflush(stdout) != 0 || ferror(stdout)) && !reader_is_gone())
	{
		fprintf(stderr, "dbvc: the answer could not be written\n");
		if (status == STATUS_FINE)
			return STATUS_SERVER;
	}
	return status;
}
