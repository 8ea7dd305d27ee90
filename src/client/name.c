/*
 * name.c
 *		What the name of a file says.
 */
#include "layout.h"

#include <string.h>
#include <strings.h>

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
/* The server's rule, in src/migration/register.c. */
#define ID_CHARACTERS DIGITS LETTERS "_.:+-"
#define LONGEST_ID 200

bool
name_ends(const char *name, const char *suffix)
{
	size_t length = strlen(name);
	size_t suffix_length = strlen(suffix);

	return length >= suffix_length &&
		   strcmp(name + length - suffix_length, suffix) == 0;
}

bool
name_is_sql(const char *name)
{
	size_t length = strlen(name);

	return length >= 4 && strcasecmp(name + length - 4, ".sql") == 0;
}

bool
name_is_verify(const char *name)
{
	return strncmp(name, "verify/", 7) == 0;
}

bool
name_is_top(const char *name)
{
	return strchr(name, '/') == NULL;
}

bool
name_is_numbered(const char *name)
{
	return name_is_top(name) && strspn(name, DIGITS) > 0 &&
		   name_ends(name, ".sql");
}

bool
name_is_go(const char *name)
{
	size_t digits = strspn(name, DIGITS);

	return name_is_top(name) && digits > 0 && name[digits] == '_' &&
		   name_ends(name, ".go") && !name_ends(name, "_test.go");
}

const char *
name_base(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash != NULL ? slash + 1 : name;
}

char *
name_without(const char *name, const char *suffix)
{
	return memory_copy(name, strlen(name) - strlen(suffix));
}

char *
id_from_stem(const char *stem)
{
	char *id = memory_new(strlen(stem) + 1);
	size_t length = 0;

	for (const char *at = stem; *at != '\0'; at++)
	{
		/* one _ for each character: not for its further bytes */
		if (strchr(ID_CHARACTERS, *at) != NULL)
			id[length++] = *at;
		else if (((unsigned char) *at & 0xC0) != 0x80)
			id[length++] = '_';
	}
	return id;
}

bool
id_is_valid(const char *id)
{
	return id[0] != '\0' && strchr(DIGITS LETTERS, id[0]) != NULL &&
		   strlen(id) <= LONGEST_ID;
}

char *
words_from_name(const char *name)
{
	char *words = memory_copy(name, strlen(name));
	bool any = false;

	for (char *at = words; *at != '\0'; at++)
	{
		if (*at == '_' || (unsigned char) *at < ' ' || *at == 0x7f)
			*at = ' ';
		any = any || *at != ' ';
	}
	return any ? words : NULL;
}

char *
number_from_name(const char *name)
{
	size_t length = strspn(name, DIGITS);

	while (length > 1 && *name == '0')
	{
		name++;
		length--;
	}
	return memory_copy(name, length);
}

char *
number_up_to(Directory *directory, const SourceFile *file, const char *largest)
{
	char *number = number_from_name(file->name);

	if (natural_compare(number, largest) > 0)
		problem_add(directory, file->path, 0, 0, NULL, NULL,
					"version %s is larger than %s, the largest of this layout",
					number, largest);
	return number;
}

char *
key_by_bytes(const char *name)
{
	char *key = memory_new(2 * strlen(name) + 1);
	size_t length = 0;

	/* a digit that stands alone compares as a byte */
	for (const char *at = name; *at != '\0'; at++)
	{
		key[length++] = *at;
		if (*at >= '0' && *at <= '9')
			key[length++] = '.';
	}
	return key;
}
