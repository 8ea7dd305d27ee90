/*
 * layout.h
 *		What the layouts share; nobody else needs it.
 *
 * A layout takes the names of its files apart into parts.  parts_join() puts
 * the parts of one migration together, and the layout then looks into the
 * texts for what only it knows.
 */
#ifndef DBVC_LAYOUT_H
#define DBVC_LAYOUT_H

#include "client.h"

/* ------------------------------------------------------------------- names */

/* in name.c */

/* Does a name end with this, as it is written and in any case? */
extern bool name_ends(const char *name, const char *suffix);
/* Is it an SQL file, also one that is called .SQL? */
extern bool name_is_sql(const char *name);
/* Does it stand in the folder of verify scripts? */
extern bool name_is_verify(const char *name);
/* Does it stand in the directory itself, and not in a folder? */
extern bool name_is_top(const char *name);
/* A file in the directory itself that begins with a digit: NUMBER...sql. */
extern bool name_is_numbered(const char *name);
/* A Go migration of goose or golang-migrate: NUMBER_NAME.go. */
extern bool name_is_go(const char *name);
/* The name without folders. */
extern const char *name_base(const char *name);
/* The name without its last bytes, as many as suffix has. */
extern char *name_without(const char *name, const char *suffix);
/* The id that a stem gives; it may still be none, see id_is_valid(). */
extern char *id_from_stem(const char *stem);
/* Does the server take this as an id? */
extern bool id_is_valid(const char *id);
/* A name for the reader: underscores are blanks; NULL when nothing is left. */
extern char *words_from_name(const char *name);
/* The digits at the beginning as a number: without leading zeros. */
extern char *number_from_name(const char *name);
/* The same, and a problem if it is larger than largest. */
extern char *number_up_to(Directory *directory, const SourceFile *file,
						  const char *largest);
/* A key whose natural order is the order of the name's bytes. */
extern char *key_by_bytes(const char *name);

/* ------------------------------------------------------------------- lines */

/* in line.c */

/* A line of a file, without its line end; zeroed before the first one. */
typedef struct Line
{
	const char *start;
	size_t length;
	int number; /* from 1 */
	const char *next;
} Line;

/* Go to the next line; false when there is none.  A byte order mark is no
 * part of the first one. */
extern bool line_next(const SourceFile *file, Line *line);
/* A copy of it for a problem; NULL if nobody would want to see it. */
extern char *line_text(const Line *line);
/* Is it blank, or only comments?  depth is that of block comments. */
extern bool line_is_comment(const Line *line, int *depth);
/*
 * What follows a word in a comment line "-- word ...", in any case and
 * without blanks around it; NULL if it is no such comment.  The word
 * must end where it ends: at a blank, the end of the line or after a colon.
 */
extern char *line_after(const Line *line, const char *word);
/* What follows a word in the comments before the first statement, or NULL. */
extern char *header_after(const SourceFile *file, const char *word,
						  Line *line);
/* Take "key = value" apart, with a comment from # on; false for nothing but
 * blanks and a comment.  Without a = the value is NULL. */
extern bool line_setting(const Line *line, char **key, char **value);
/* A copy without blanks at its ends. */
extern char *trimmed(const char *text, size_t length);

/* ------------------------------------------------------------------- parts */

/* in part.c */

typedef enum PartRole
{
	PART_UP,
	PART_DOWN,
	PART_VERIFY,
} PartRole;

/* A file and what its name says about it. */
typedef struct Part
{
	SourceFile *file;
	PartRole role;
	const char *group; /* the parts of one migration have the same */
	const char *stem;  /* the id is made from it */

	/* of an up script only */
	const char *kind; /* NULL: versioned */
	const char *version;
	const char *sort_key;
	const char *title; /* the description is made from it, or NULL */

	Migration *migration; /* set by parts_join() */
} Part;

/* Add a part; the rest of it is for the caller to set. */
extern Part *part_add(PointerList *parts, SourceFile *file, PartRole role,
					  const char *group, char *stem);
/*
 * Make migrations of parts.  Two files for one thing, and a down or a verify
 * script that stands alone, are problems; alone_hint says what was expected.
 */
extern void parts_join(Directory *directory, PointerList *parts,
					   const char *alone_hint);
/* The scripts in verify/ to their migrations. */
extern void verify_join(Directory *directory);
/* Two migrations with one id, or of one kind with one version. */
extern void migrations_check(Directory *directory);
/* A file says how its migration runs: no beats yes beats the scripts tell. */
extern void migration_set_transactional(Migration *migration, int value);
/* An SQL file whose name the layout does not know. */
extern void file_unknown(Directory *directory, const SourceFile *file,
						 const char *hint);
/* A migration written in Go: it cannot run. */
extern void file_is_go(Directory *directory, const SourceFile *file);

/* ------------------------------------------------------------ placeholders */

/*
 * Replace ${name} in the scripts of all migrations, except in verbatim ones,
 * as Flyway does; in placeholder.c.
 */
extern void placeholders_replace(Directory *directory, const Options *options);

/* ------------------------------------------------------------------ flyway */

/* in flyway_conf.c: NAME.sql.conf of all parts, and those without NAME.sql */
extern void flyway_conf_read(Directory *directory, const Options *options,
							 const PointerList *parts);
/* in layout_flyway.c: is this the name of a callback? */
extern bool flyway_is_callback(const char *name);

/* --------------------------------------------------------------------- new */

/* in new.c */

/* The migration that runs last and is not repeatable; NULL: there is none. */
extern const Migration *newest_migration(const Directory *directory);
/*
 * The version of a new migration: after that in which the digits of newest
 * are, in their style.  Without any: first, or the time if that is NULL.
 */
extern char *version_after(const char *newest, const char *first);
/* The name that was asked for, fit for a file name; NULL and a problem. */
extern char *new_title(Directory *directory, const Options *options);
/* Write a new file; false and a problem.  What is there stays as it is. */
extern bool new_file(Directory *directory, PointerList *created,
					 const char *name, const char *text);
/* NUMBER_NAME of a new migration, the number as version_after() finds it; NULL
 * and a problem. */
extern char *new_stem(Directory *directory, const Options *options,
					  const char *first);
/* A problem if the number of a new migration would be larger than that. */
extern bool new_fits(Directory *directory, const char *stem,
					 const char *largest);
/* A problem if a new migration with this key would not run last. */
extern bool new_is_last(Directory *directory, const char *stem,
						const char *sort_key);

/* The layout with this name; NULL and a problem if there is none. */
extern const Layout *layout_find(Directory *directory, const char *name);

#endif /* DBVC_LAYOUT_H */
