/*
 * layout.c
 *		Whose layout a directory has, and reading it.
 */
#include "layout.h"

#include <string.h>

/* Folders below the directory in which files are looked for. */
#define DEEPEST 8
/* Nobody reads more, and a large file could fill the memory with them. */
#define MOST_PROBLEMS 20000

static const Layout *const layouts[] = {
	&layout_flyway, &layout_golang_migrate, &layout_diesel,
	&layout_dbmate, &layout_goose,			&layout_plain,
};

#define LAYOUT_COUNT ((int) (sizeof(layouts) / sizeof(layouts[0])))

void
problem_add(Directory *directory, const char *path, int line, int column,
			const char *text, const char *hint, const char *message, ...)
{
	Problem *problem;
	va_list arguments;

	if (directory->problems.count >= MOST_PROBLEMS)
		return;
	problem = memory_new(sizeof(Problem));
	if (path != NULL)
		problem->path = memory_copy(path, strlen(path));
	problem->line = line;
	problem->column = column;
	if (text != NULL)
		problem->text = memory_copy(text, strlen(text));
	if (hint != NULL)
		problem->hint = memory_copy(hint, strlen(hint));
	va_start(arguments, message);
	problem->message = format_list(message, arguments);
	va_end(arguments);
	list_add(&directory->problems, problem);
}

static char *
layout_names(void)
{
	PQExpBufferData names;

	initPQExpBuffer(&names);
	for (int i = 0; i < LAYOUT_COUNT; i++)
		appendPQExpBuffer(&names, "%s%s", i > 0 ? ", " : "", layouts[i]->name);
	return buffer_text(&names, NULL);
}

const Layout *
layout_find(Directory *directory, const char *name)
{
	for (int i = 0; i < LAYOUT_COUNT; i++)
	{
		if (strcmp(layouts[i]->name, name) == 0)
			return layouts[i];
	}
	problem_add(directory, NULL, 0, 0, NULL,
				format("There are %s.", layout_names()),
				"there is no layout \"%s\"", name);
	return NULL;
}

/* The first file that can only be of this layout, or NULL. */
static SourceFile *
first_claimed(Directory *directory, const Layout *layout)
{
	for (int i = 0; i < directory->files.count; i++)
	{
		SourceFile *file = directory->files.items[i];

		if (!name_is_verify(file->name) && layout->claims(directory, file))
			return file;
	}
	return NULL;
}

/*
 * No file tells the layout.  What begins with a number is read as plain, for
 * a better message; any other SQL file is none that could be applied.
 */
static const Layout *
layout_of_unclaimed(Directory *directory)
{
	for (int i = 0; i < directory->files.count; i++)
	{
		const SourceFile *file = directory->files.items[i];

		if (name_is_numbered(file->name))
			return &layout_plain;
	}
	for (int i = 0; i < directory->files.count; i++)
	{
		const SourceFile *file = directory->files.items[i];

		if (name_is_sql(file->name) && !name_is_verify(file->name))
			problem_add(directory, file->path, 0, 0, NULL,
						"Names that are known: V1__x.sql, 1_x.up.sql, "
						"NAME/up.sql, 1_x.sql.",
						"no layout has migrations with such a name");
	}
	verify_join(directory);
	return NULL;
}

static const Layout *
layout_detect(Directory *directory)
{
	const Layout *found = NULL;
	PQExpBufferData examples;
	int count = 0;

	initPQExpBuffer(&examples);
	for (int i = 0; i < LAYOUT_COUNT; i++)
	{
		const SourceFile *file = first_claimed(directory, layouts[i]);

		if (file == NULL)
			continue;
		found = layouts[i];
		appendPQExpBuffer(&examples, "%s%s (%s)", count++ > 0 ? ", " : "",
						  file->path, found->name);
	}
	if (count > 1)
	{
		problem_add(directory, directory->path, 0, 0, NULL,
					"Give each its own directory, or say with --layout which "
					"one it is.",
					"holds files of more than one layout: %s",
					buffer_text(&examples, NULL));
		return NULL;
	}
	termPQExpBuffer(&examples);
	return count == 1 ? found : layout_of_unclaimed(directory);
}

/*
 * A layout that does not look into folders must not overlook the migrations
 * of one that does.
 */
static void
check_folders(Directory *directory, const Layout *layout)
{
	if (layout == &layout_flyway || layout == &layout_diesel)
		return;
	for (int i = 0; i < directory->files.count; i++)
	{
		SourceFile *file = directory->files.items[i];

		if (name_is_top(file->name) || name_is_verify(file->name))
			continue;
		for (int k = 0; k < LAYOUT_COUNT; k++)
		{
			if (!layouts[k]->claims(directory, file))
				continue;
			problem_add(directory, file->path, 0, 0, NULL,
						"Give it a directory of its own.",
						"is of layout %s, and the directory is of layout %s",
						layouts[k]->name, layout->name);
		}
	}
}

Directory *
directory_read(const Options *options)
{
	Directory *directory = memory_new(sizeof(Directory));
	const Layout *layout;

	directory->path = options->directory;
	files_list(directory, DEEPEST);
	layout = options->layout != NULL ? layout_find(directory, options->layout)
									 : layout_detect(directory);
	if (layout == NULL)
		return directory;
	directory->layout = layout->name;
	layout->read(directory, options);
	check_folders(directory, layout);
	migrations_check(directory);
	return directory;
}
