/*
 * line.c
 *		The lines of a file, and what tools write into comments.
 */
#include "layout.h"

#include <string.h>
#include <strings.h>

#define BLANKS " \t\r\f\v"
#define BYTE_ORDER_MARK "\357\273\277"
/* A longer line helps nobody who reads a message. */
#define LONGEST_SHOWN 400

static bool
is_blank(char c)
{
	return c != '\0' && strchr(BLANKS, c) != NULL;
}

bool
line_next(const SourceFile *file, Line *line)
{
	const char *end = file->text + file->length;
	const char *newline;

	if (line->start == NULL)
	{
		line->next = file->text;
		if (strncmp(file->text, BYTE_ORDER_MARK, 3) == 0)
			line->next += 3;
	}
	if (line->next >= end)
		return false;
	line->start = line->next;
	line->number++;
	newline = memchr(line->start, '\n', (size_t) (end - line->start));
	line->next = newline != NULL ? newline + 1 : end;
	line->length = (size_t) ((newline != NULL ? newline : end) - line->start);
	if (line->length > 0 && line->start[line->length - 1] == '\r')
		line->length--;
	return true;
}

char *
line_text(const Line *line)
{
	return line->length > LONGEST_SHOWN
			   ? NULL
			   : memory_copy(line->start, line->length);
}

char *
trimmed(const char *text, size_t length)
{
	while (length > 0 && is_blank(text[0]))
	{
		text++;
		length--;
	}
	while (length > 0 && is_blank(text[length - 1]))
		length--;
	return memory_copy(text, length);
}

bool
line_is_comment(const Line *line, int *depth)
{
	const char *end = line->start + line->length;
	const char *at = line->start;

	while (at < end)
	{
		if (strncmp(at, "/*", 2) == 0)
		{
			(*depth)++;
			at += 2;
		}
		else if (*depth > 0)
		{
			bool closes = strncmp(at, "*/", 2) == 0;

			*depth -= closes ? 1 : 0;
			at += closes ? 2 : 1;
		}
		else if (strncmp(at, "--", 2) == 0)
			return true;
		else if (is_blank(*at))
			at++;
		else
			return false;
	}
	return true;
}

char *
line_after(const Line *line, const char *word)
{
	const char *end = line->start + line->length;
	const char *at = line->start;
	size_t length = strlen(word);

	while (at < end && is_blank(*at))
		at++;
	if (end - at < 2 || memcmp(at, "--", 2) != 0)
		return NULL;
	at += 2;
	while (at < end && is_blank(*at))
		at++;
	if ((size_t) (end - at) < length || strncasecmp(at, word, length) != 0)
		return NULL;
	at += length;
	if (at < end && word[length - 1] != ':' && !is_blank(*at))
		return NULL;
	return trimmed(at, (size_t) (end - at));
}

char *
header_after(const SourceFile *file, const char *word, Line *line)
{
	int depth = 0;

	memset(line, 0, sizeof(Line));
	while (line_next(file, line))
	{
		bool inside = depth > 0;
		char *found;

		if (!line_is_comment(line, &depth))
			break;
		found = inside ? NULL : line_after(line, word);
		if (found != NULL)
			return found;
	}
	return NULL;
}

bool
line_setting(const Line *line, char **key, char **value)
{
	const char *comment = memchr(line->start, '#', line->length);
	size_t length =
		comment != NULL ? (size_t) (comment - line->start) : line->length;
	const char *equals = memchr(line->start, '=', length);
	size_t key_length =
		equals != NULL ? (size_t) (equals - line->start) : length;

	*key = trimmed(line->start, key_length);
	*value = NULL;
	if (equals != NULL)
		*value = trimmed(equals + 1, length - key_length - 1);
	return equals != NULL || (*key)[0] != '\0';
}
