/*
 * utf8.c
 *		Which bytes are UTF-8 text.
 */
#include "client.h"

#include <string.h>

/* The well-formed sequences by their first byte (RFC 3629, section 4). */
typedef struct Sequence
{
	unsigned char first;
	unsigned char last;
	unsigned char second_low;
	unsigned char second_high;
	int length;
} Sequence;

static const Sequence sequences[] = {
	{0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
	{0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
	{0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
	{0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

/* The length of the sequence of a character beyond ASCII; 0: it is none. */
static size_t
sequence_length(const unsigned char *text, size_t rest)
{
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
	{
		const Sequence *seq = &sequences[i];

		if (text[0] < seq->first || text[0] > seq->last)
			continue;
		if ((size_t) seq->length > rest || text[1] < seq->second_low ||
			text[1] > seq->second_high)
			return 0;
		for (int k = 2; k < seq->length; k++)
		{
			if ((text[k] & 0xC0) != 0x80)
				return 0;
		}
		return (size_t) seq->length;
	}
	return 0;
}

size_t
utf8_valid(const char *text, size_t length)
{
	const unsigned char *bytes = (const unsigned char *) text;
	size_t at = 0;

	while (at < length)
	{
		size_t found;
		uint64_t eight;

		if (length - at >= sizeof(eight))
		{
			memcpy(&eight, bytes + at, sizeof(eight));
			if ((eight & UINT64_C(0x8080808080808080)) == 0)
			{
				at += sizeof(eight);
				continue;
			}
		}
		if (bytes[at] < 0x80)
		{
			at++;
			continue;
		}
		found = sequence_length(bytes + at, length - at);
		if (found == 0)
			break;
		at += found;
	}
	return at;
}

int
utf8_characters(const char *text, size_t length)
{
	int count = 0;

	for (size_t i = 0; i < length; i++)
	{
		if (((unsigned char) text[i] & 0xC0) != 0x80)
			count++;
	}
	return count;
}

char *
utf8_shown(const char *text)
{
	PQExpBufferData result;
	size_t rest = strlen(text);

	initPQExpBuffer(&result);
	while (rest > 0)
	{
		size_t valid = utf8_valid(text, rest);

		appendBinaryPQExpBuffer(&result, text, valid);
		if (valid < rest)
			appendPQExpBuffer(&result, "\\x%02x", (unsigned char) text[valid]);
		valid += valid < rest ? 1 : 0;
		text += valid;
		rest -= valid;
	}
	return buffer_text(&result, NULL);
}
