/*
 * marked.h
 *		For layouts with both directions in one file; in marked.c.
 */
#ifndef DBVC_MARKED_H
#define DBVC_MARKED_H

#include "layout.h"

/* A block of a file: a marker's line and all before the next one's. */
typedef struct Block
{
	PartRole role; /* PART_UP or PART_DOWN */
	const char *start;
	const char *end;
	int line;		   /* of start */
	int transactional; /* as in Migration */
} Block;

typedef struct Marked
{
	Directory *directory;
	const SourceFile *file;
	Migration *migration;
	PointerList blocks; /* of Block */
	Line line;			/* where reading is */
	Line stray;			/* the first statement before any block */
	int comment_depth;
	int statement_line; /* goose: of StatementBegin, 0: none is open */
} Marked;

/* A problem with the line where reading is. */
extern void marked_problem(Marked *marked, const char *hint,
						   const char *message, ...)
	__attribute__((format(printf, 3, 4)));
/* The block where reading is; NULL before the first one. */
extern Block *last_block(const Marked *marked);
/* A new block from this line on; the first one from the file's beginning. */
extern Block *block_begin(Marked *marked, PartRole role);
/*
 * Cut a file into the scripts of its migration: see() gets each line, says
 * whether it is a marker's and begins the blocks.  up is the first marker.
 */
extern void marked_read(Directory *directory, const Part *part,
						bool (*see)(Marked *marked), const char *up);
/* Does a numbered file hold a comment that begins with one of the words? */
extern bool has_marker(Directory *directory, SourceFile *file,
					   const char *const *words);
/* A part and a migration of each file; place() sets version and sort_key. */
extern PointerList marked_parts(Directory *directory, const char *hint,
								void (*place)(Directory *directory,
											  Part *part));

#endif /* DBVC_MARKED_H */
