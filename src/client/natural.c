/*
 * natural.c
 *		Natural order, as the server has it in src/migration/order.c.
 */
#include "client.h"

#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Compare two digit runs as numbers of any length; advances both. */
static int
compare_numbers(const char **a, const char **b)
{
	size_t length_a;
	size_t length_b;
	int result;

	while (**a == '0' && is_digit((*a)[1]))
		(*a)++;
	while (**b == '0' && is_digit((*b)[1]))
		(*b)++;
	length_a = strspn(*a, "0123456789");
	length_b = strspn(*b, "0123456789");
	if (length_a != length_b)
		return length_a < length_b ? -1 : 1;
	result = memcmp(*a, *b, length_a);
	*a += length_a;
	*b += length_b;
	return result;
}

int
natural_compare(const char *a, const char *b)
{
	const char *whole_a = a;
	const char *whole_b = b;

	while (*a != '\0' && *b != '\0')
	{
		if (is_digit(*a) && is_digit(*b))
		{
			int result = compare_numbers(&a, &b);

			if (result != 0)
				return result;
			continue;
		}
		if (*a != *b)
			return (unsigned char) *a - (unsigned char) *b;
		a++;
		b++;
	}
	if (*a != *b)
		return *a == '\0' ? -1 : 1;
	return strcmp(whole_a, whole_b); /* 01 and 1 */
}
