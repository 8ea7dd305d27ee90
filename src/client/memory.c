/*
 * memory.c
 *		Memory and strings; without memory the program ends.
 */
#define _GNU_SOURCE /* vasprintf() */

#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void __attribute__((noreturn)) out_of_memory(void)
{
	fputs("dbvc: out of memory\n", stderr);
	_exit(STATUS_USAGE);
}

void *
memory_new(size_t size)
{
	void *result = calloc(1, size > 0 ? size : 1);

	if (result == NULL)
		out_of_memory();
	return result;
}

void *
memory_grow(void *old, size_t size)
{
	void *result = realloc(old, size > 0 ? size : 1);

	if (result == NULL)
		out_of_memory();
	return result;
}

char *
memory_copy(const char *text, size_t length)
{
	char *result = memory_grow(NULL, length + 1);

	memcpy(result, text, length);
	result[length] = '\0';
	return result;
}

char *
format_list(const char *pattern, va_list arguments)
{
	char *result;

	if (vasprintf(&result, pattern, arguments) < 0)
		out_of_memory();
	return result;
}

char *
format(const char *pattern, ...)
{
	va_list arguments;
	char *result;

	va_start(arguments, pattern);
	result = format_list(pattern, arguments);
	va_end(arguments);
	return result;
}

char *
buffer_text(PQExpBuffer buffer, size_t *length)
{
	char *result;

	if (PQExpBufferBroken(buffer))
		out_of_memory();
	if (length != NULL)
		*length = buffer->len;
	result = memory_copy(buffer->data, buffer->len);
	termPQExpBuffer(buffer);
	return result;
}

void
list_add(PointerList *list, void *item)
{
	if (list->count == list->allocated)
	{
		list->allocated = list->allocated > 0 ? list->allocated * 2 : 16;
		list->items = memory_grow(list->items,
								  (size_t) list->allocated * sizeof(void *));
	}
	list->items[list->count++] = item;
}
