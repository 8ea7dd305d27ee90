/*
 * new.c
 *		Files of a new migration, in the layout and style of the others.
 */
#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIGITS "0123456789"
#define TIMESTAMP_DIGITS 14

/* ---------------------------------------------------------------- versions */

const Migration *
newest_migration(const Directory *directory)
{
	const Migration *newest = NULL;

	for (int i = 0; i < directory->migrations.count; i++)
	{
		const Migration *other = directory->migrations.items[i];

		if (strcmp(other->kind, "repeatable") == 0)
			continue;
		if (newest == NULL ||
			natural_compare(other->sort_key, newest->sort_key) > 0)
			newest = other;
	}
	return newest;
}

/* Digits plus one, with as many leading zeros; longer only if it must be. */
static char *
digits_next(const char *digits, size_t length)
{
	char *next = format("0%.*s", (int) length, digits);
	char *at = next + length;

	while (*at == '9')
		*at-- = '0';
	(*at)++;
	return next[0] == '0' ? next + 1 : next;
}

/* The time, as most tools number their files. */
static char *
version_now(void)
{
	time_t now = time(NULL);
	struct tm utc;
	char text[32];

	gmtime_r(&now, &utc);
	strftime(text, sizeof(text), "%Y%m%d%H%M%S", &utc);
	return memory_copy(text, strlen(text));
}

char *
version_after(const char *newest, const char *first)
{
	size_t length = newest != NULL ? strspn(newest, DIGITS) : 0;
	char *next;
	char *now;

	if (length == 0)
		return first != NULL ? memory_copy(first, strlen(first))
							 : version_now();
	next = digits_next(newest, length);
	if (length != TIMESTAMP_DIGITS)
		return next;
	now = version_now();
	return strcmp(now, next) > 0 ? now : next;
}

char *
new_stem(Directory *directory, const Options *options, const char *first)
{
	const Migration *newest = newest_migration(directory);
	const char *title = new_title(directory, options);

	if (title == NULL)
		return NULL;
	return format("%s_%s",
				  version_after(newest != NULL ? newest->id : NULL, first),
				  title);
}

bool
new_fits(Directory *directory, const char *stem, const char *largest)
{
	if (natural_compare(number_from_name(stem), largest) <= 0)
		return true;
	problem_add(directory, NULL, 0, 0, NULL, NULL,
				"there is no number after %s in this layout", largest);
	return false;
}

bool
new_is_last(Directory *directory, const char *stem, const char *sort_key)
{
	const Migration *newest = newest_migration(directory);

	if (newest == NULL || natural_compare(sort_key, newest->sort_key) > 0)
		return true;
	problem_add(directory, newest->path, 0, 0, NULL,
				"Create the file yourself, with a version that comes later.",
				"is applied after the next version, \"%s\"", stem);
	return false;
}

/* ------------------------------------------------------------------- files */

char *
new_title(Directory *directory, const Options *options)
{
	size_t length = strlen(options->name);
	char *title = memory_copy(options->name, length);
	const char *error = NULL;

	if (length == 0)
		error = "is empty";
	else if (length > 150)
		error = "is too long";
	else if (utf8_valid(title, length) < length)
		error = "is not valid UTF-8";
	else if (name_ends(title, ".up") || name_ends(title, ".down") ||
			 name_ends(title, ".verify"))
		error = "ends in what tells scripts apart";
	for (char *at = title; *at != '\0'; at++)
	{
		if (*at == '/' || *at == '\\')
			error = "holds a slash";
		else if ((unsigned char) *at < ' ' || *at == 0x7f)
			error = "holds a control character";
		else if (*at == ' ')
			*at = '_';
	}
	if (error == NULL)
		return title;
	problem_add(directory, NULL, 0, 0, NULL, NULL,
				"the name of the migration %s", error);
	return NULL;
}

bool
new_file(Directory *directory, PointerList *created, const char *name,
		 const char *text)
{
	char *path = format("%s/%s", directory->path, name);
	char *folder = name_without(path, name_base(path));
	size_t length = strlen(text);
	bool written = false;
	int fd;

	if (!name_is_top(name) && mkdir(folder, 0777) != 0 && errno != EEXIST)
		fd = -1;
	else
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				  0666);
	if (fd >= 0)
	{
		list_add(created, path);
		written = write(fd, text, length) == (ssize_t) length;
		written = close(fd) == 0 && written;
	}
	if (!written)
		problem_add(directory, path, 0, 0, NULL, NULL, "cannot be written: %s",
					strerror(errno));
	return written;
}

bool
directory_new(const Options *options, PointerList *created,
			  Directory **directory)
{
	Options lenient = *options;
	const Layout *layout = &layout_golang_migrate;

	/* what hinders a run does not hinder a new file */
	lenient.no_placeholders = true;
	lenient.skip_callbacks = true;
	if (mkdir(options->directory, 0777) != 0 && errno != EEXIST)
	{
		*directory = memory_new(sizeof(Directory));
		(*directory)->path = options->directory;
		problem_add(*directory, options->directory, 0, 0, NULL, NULL,
					"directory cannot be created: %s", strerror(errno));
		return false;
	}
	*directory = directory_read(&lenient);
	if ((*directory)->problems.count > 0)
		return false;
	if ((*directory)->layout != NULL)
		layout = layout_find(*directory, (*directory)->layout);
	(*directory)->layout = layout->name;
	return layout->create(*directory, options, created);
}
