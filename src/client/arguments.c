/*
 * arguments.c
 *		Arguments of a query; arrays go in binary form, so that no file's text
 *		has to be quoted.
 */
#include "client.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static void
put_int32(PQExpBuffer buffer, uint32_t value)
{
	uint32_t bytes = htonl(value);

	appendBinaryPQExpBuffer(buffer, (const char *) &bytes, sizeof(bytes));
}

static PQExpBuffer
add_argument(Arguments *arguments, bool binary)
{
	PQExpBuffer value = createPQExpBuffer();

	list_add(&arguments->values, value);
	list_add(&arguments->binary, binary ? value : NULL);
	return value;
}

void
argument_text(Arguments *arguments, const char *value)
{
	if (value != NULL)
		appendPQExpBufferStr(add_argument(arguments, false), value);
	else
	{
		list_add(&arguments->values, NULL);
		list_add(&arguments->binary, NULL);
	}
}

void
argument_bool(Arguments *arguments, bool value)
{
	argument_text(arguments, value ? "true" : "false");
}

/* Header of a one-dimensional array, as array_recv() reads it. */
PQExpBuffer
argument_array(Arguments *arguments, ElementType type, int count)
{
	PQExpBuffer array = add_argument(arguments, true);

	put_int32(array, count > 0 ? 1 : 0); /* dimensions */
	put_int32(array, 1);				 /* may hold nulls */
	put_int32(array, type);
	if (count > 0)
	{
		put_int32(array, count);
		put_int32(array, 1); /* lower bound */
	}
	return array;
}

void
array_element(PQExpBuffer array, const void *data, size_t length)
{
	if (data == NULL)
	{
		put_int32(array, UINT32_MAX);
		return;
	}
	put_int32(array, length);
	appendBinaryPQExpBuffer(array, data, length);
}

void
arguments_free(Arguments *arguments)
{
	for (int i = 0; i < arguments->values.count; i++)
		destroyPQExpBuffer(arguments->values.items[i]);
	free(arguments->values.items);
	free(arguments->binary.items);
	memset(arguments, 0, sizeof(*arguments));
}
