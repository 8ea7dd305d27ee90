/*
 * flyway_conf.c
 *		Settings of single scripts of Flyway: NAME.sql.conf.
 */
#include "layout.h"

#include <string.h>
#include <strings.h>

static const char *const conf_hint =
	"Known are executeInTransaction=true|false, encoding=UTF-8 and "
	"placeholderReplacement=true|false.";

/* 1 true, 0 false, -1 neither. */
static int
boolean(const char *value)
{
	if (strcasecmp(value, "true") == 0)
		return 1;
	return strcasecmp(value, "false") == 0 ? 0 : -1;
}

static Script *
script_of(const Part *part)
{
	return part->role == PART_UP ? part->migration->up : part->migration->down;
}

/* One setting; false if dbvc cannot follow it. */
static bool
conf_apply(const Part *part, const char *key, const char *value)
{
	int truth = boolean(value);

	if (strcmp(key, "encoding") == 0)
		return strcasecmp(value, "UTF-8") == 0 ||
			   strcasecmp(value, "UTF8") == 0;
	if (truth < 0)
		return false;
	if (strcmp(key, "executeInTransaction") == 0)
	{
		migration_set_transactional(part->migration, truth);
		return true;
	}
	if (strcmp(key, "placeholderReplacement") == 0)
	{
		if (script_of(part) != NULL)
			script_of(part)->verbatim = truth == 0;
		return true;
	}
	return false;
}

static void
conf_file(Directory *directory, SourceFile *file, const Part *part)
{
	Line line = {0};
	char *key;
	char *value;

	if (!file_read(directory, file))
		return;
	while (line_next(file, &line))
	{
		if (!line_setting(&line, &key, &value))
			continue;
		if (value == NULL || !conf_apply(part, key, value))
			problem_add(directory, file->path, line.number, 0,
						line_text(&line), conf_hint,
						"this setting is not supported");
	}
}

void
flyway_conf_read(Directory *directory, const Options *options,
				 const PointerList *parts)
{
	for (int i = 0; i < parts->count; i++)
	{
		const Part *part = parts->items[i];
		SourceFile *conf =
			file_find(directory, format("%s.conf", part->file->name));

		if (conf != NULL && part->migration != NULL)
			conf_file(directory, conf, part);
	}
	for (int i = 0; i < directory->files.count; i++)
	{
		const SourceFile *file = directory->files.items[i];
		const char *script;

		if (!name_ends(file->name, ".sql.conf"))
			continue;
		script = name_without(file->name, ".conf");
		if (options->skip_callbacks && flyway_is_callback(script))
			continue;
		if (name_is_verify(file->name) || file_find(directory, script) == NULL)
			problem_add(directory, file->path, 0, 0, NULL, NULL,
						"belongs to no migration");
	}
}
