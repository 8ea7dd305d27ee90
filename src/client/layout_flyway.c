/*
 * layout_flyway.c
 *		Flyway: V1.2__name.sql, U1.2__name.sql, R__name.sql, B1.2__name.sql.
 */
#include "layout.h"

#include <string.h>

#define DIGITS "0123456789"

static const char *const flyway_hint =
	"Flyway has V1__name.sql, U1__name.sql, B1__name.sql and R__name.sql, "
	"with two underscores.";

/* --------------------------------------------------------------- callbacks */

/* The events: before or after, what, and how it went. */
static const char *const callback_times[] = {"before", "after"};
static const char *const callback_events[] = {
	"EachMigrate", "Migrate",  "EachUndo",	  "Undo",		 "Clean",
	"Info",		   "Validate", "Baseline",	  "Repair",		 "Connect",
	"Versioned",   "Deploy",   "Repeatables", "CreateSchema"};
static const char *const callback_ends[] = {
	"", "Statement", "StatementError", "Error", "Applied", "OperationFinish"};

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* The length of the word of a list with which text begins; 0: none. */
static size_t
begins_with(const char *text, const char *const *words, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (strncmp(text, words[i], strlen(words[i])) == 0)
			return strlen(words[i]);
	}
	return 0;
}

/* EVENT.sql or EVENT__description.sql; conf files are their scripts'. */
bool
flyway_is_callback(const char *name)
{
	const char *base = name_base(name);
	size_t length = strcspn(base, "._");
	const char *rest = base + length;
	size_t time = begins_with(base, callback_times, LENGTH(callback_times));
	size_t event;

	if (!name_is_sql(base) || (*rest == '_' && rest[1] != '_'))
		return false;
	if (length == strlen("createSchema") &&
		strncmp(base, "createSchema", length) == 0)
		return true;
	event = begins_with(base + time, callback_events, LENGTH(callback_events));
	if (time == 0 || event == 0 || time + event > length)
		return false;
	length -= time + event;
	for (int i = 0; i < LENGTH(callback_ends); i++)
	{
		if (strlen(callback_ends[i]) == length &&
			strncmp(base + time + event, callback_ends[i], length) == 0)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------- names */

/*
 * The canonical form of a version: parts joined by dots, without leading
 * zeros and without trailing parts that are 0.  NULL if it is none.
 */
static char *
flyway_version(const char *text, size_t length)
{
	const char *end = text + length;
	PQExpBufferData version;
	int pending = 0; /* parts that are 0 and may be trailing ones */

	initPQExpBuffer(&version);
	while (text < end && *text >= '0' && *text <= '9')
	{
		char *number = number_from_name(text);

		if (strcmp(number, "0") == 0 && version.len > 0)
			pending++;
		else
		{
			for (; pending > 0; pending--)
				appendPQExpBufferStr(&version, ".0");
			appendPQExpBuffer(&version, "%s%s", version.len > 0 ? "." : "",
							  number);
		}
		text += strspn(text, DIGITS);
		if (text == end)
			return buffer_text(&version, NULL);
		if (*text != '.' && *text != '_')
			break;
		text++;
	}
	termPQExpBuffer(&version);
	return NULL;
}

/* What a name has beside its version, in the order of their letters. */
typedef struct FlywayPrefix
{
	char letter;
	PartRole role;
	const char *kind;
	/* after the version: V comes first, B next, and then 1.0.1 */
	const char *key_end;
} FlywayPrefix;

static const FlywayPrefix flyway_prefixes[] = {
	{'V', PART_UP, "versioned", ""},
	{'U', PART_DOWN, NULL, ""},
	{'B', PART_UP, "baseline", "-"},
	{'R', PART_UP, "repeatable", ""},
};

static const FlywayPrefix *
flyway_prefix(const char *base)
{
	for (int i = 0; i < LENGTH(flyway_prefixes); i++)
	{
		if (base[0] == flyway_prefixes[i].letter)
			return &flyway_prefixes[i];
	}
	return NULL;
}

/* Add what a name says; false if it is no migration's. */
static bool
flyway_part(PointerList *parts, SourceFile *file)
{
	const char *base = name_base(file->name);
	const FlywayPrefix *prefix = flyway_prefix(base);
	char *stem;
	const char *separator;
	const char *version;
	const char *title;
	Part *part;

	if (prefix == NULL || !name_ends(base, ".sql"))
		return false;
	stem = name_without(base, ".sql");
	separator = strstr(stem, "__");
	title = separator != NULL ? words_from_name(separator + 2) : NULL;
	if (prefix->letter == 'R')
	{
		if (separator != stem + 1 || title == NULL)
			return false;
		version = title;
	}
	else
	{
		version =
			flyway_version(stem + 1, separator != NULL
										 ? (size_t) (separator - stem - 1)
										 : strlen(stem) - 1);
		if (version == NULL)
			return false;
	}
	part = part_add(parts, file, prefix->role, version, stem);
	if (prefix->letter == 'B' || prefix->letter == 'R')
		part->group = format("%c %s", prefix->letter, version);
	part->kind = prefix->kind;
	part->version = version;
	part->sort_key = prefix->letter == 'R'
						 ? format("R%s", key_by_bytes(version))
						 : format("%s%s", version, prefix->key_end);
	part->title = title;
	return true;
}

/* ------------------------------------------------------------------ layout */

/* Names that nobody else gives, even wrong ones: V2_x.sql, R__x.sql. */
static bool
flyway_claims(Directory *directory, SourceFile *file)
{
	const char *base = name_base(file->name);

	(void) directory;
	if (flyway_prefix(base) == NULL || !name_is_sql(base))
		return false;
	return strncmp(base + 1, "__", 2) == 0 ||
		   (base[0] != 'R' && base[1] >= '0' && base[1] <= '9');
}

static void
flyway_callback(Directory *directory, const Options *options,
				const SourceFile *file)
{
	if (!options->skip_callbacks)
		problem_add(directory, file->path, 0, 0, NULL,
					"dbvc runs no callbacks; --skip-callbacks leaves them "
					"out.",
					"is a callback of Flyway");
}

/* A migration that is a program; Flyway would run it. */
static bool
is_program(const char *name)
{
	static const char *const suffixes[] = {".java", ".class", ".kt",
										   ".sh",	".bash",  ".py",
										   ".ps1",	".cmd",	  ".bat"};
	const char *base = name_base(name);

	if (strchr("VURB", base[0]) == NULL || strstr(base, "__") == NULL)
		return false;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
	{
		if (name_ends(base, suffixes[i]))
			return true;
	}
	return false;
}

static void
flyway_read(Directory *directory, const Options *options)
{
	PointerList parts = {0};

	for (int i = 0; i < directory->files.count; i++)
	{
		SourceFile *file = directory->files.items[i];

		if (is_program(file->name))
			problem_add(directory, file->path, 0, 0, NULL,
						"Run it by hand, and move it out of the directory.",
						"is a program, which dbvc does not run");
		if (name_is_verify(file->name) || !name_is_sql(file->name))
			continue;
		if (flyway_is_callback(file->name))
			flyway_callback(directory, options, file);
		else if (!flyway_part(&parts, file))
			file_unknown(directory, file, flyway_hint);
	}
	parts_join(directory, &parts, flyway_hint);
	flyway_conf_read(directory, options, &parts);
	verify_join(directory);
	if (!options->no_placeholders)
		placeholders_replace(directory, options);
}

/* The next whole number, written as the newest one is. */
static bool
flyway_create(Directory *directory, const Options *options,
			  PointerList *created)
{
	const Migration *newest = newest_migration(directory);
	const char *title = new_title(directory, options);
	const char *version;
	bool with_undo = false;

	if (title == NULL)
		return false;
	for (int i = 0; i < directory->migrations.count; i++)
	{
		const Migration *other = directory->migrations.items[i];

		with_undo = with_undo || other->down != NULL;
	}
	version = version_after(newest != NULL ? newest->id + 1 : NULL, "1");
	return new_is_last(directory, format("V%s__%s", version, title),
					   number_from_name(version)) &&
		   new_file(directory, created, format("V%s__%s.sql", version, title),
					format("-- %s\n\n", title)) &&
		   (!with_undo ||
			new_file(directory, created, format("U%s__%s.sql", version, title),
					 format("-- undo %s\n\n", title)));
}

const Layout layout_flyway = {
	.name = "flyway",
	.claims = flyway_claims,
	.read = flyway_read,
	.create = flyway_create,
};
