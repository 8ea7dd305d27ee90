/*
 * tree.c
 *		Differences between schemas, as a person reads them.
 *
 *	~ table public.customer
 *	    owner: ada -> grace
 *	    + column note  text
 *	    ~ column email
 *	        type: text -> character varying(100)
 *	- index public.customer_email_idx
 *	> view public.orders (was public.sales)
 *
 * The server sorts by type and identity, where a column is an object of its own;
 * here it stands below its relation.  Texts of several lines, and lists, are compared line by line.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

/* Columns of the result. */
enum
{
	CHANGE,
	TYPE,
	IDENTITY,
	ATTRIBUTE,
	BEFORE,
	AFTER,
	BEFORE_SHOWN,
	AFTER_SHOWN,
	DATA_TYPE, /* of a column that was created or dropped */
};

/* A difference and its place in the tree. */
typedef struct Leaf
{
	int row;
	int rank; /* of the change: dropped, created, renamed, altered */
	const char *type;
	const char *identity; /* of a column: of its relation */
	const char *column;	  /* NULL: of the object itself */
} Leaf;

/* ------------------------------------------------------------- line by line */

/* Lines that are the same around a change, at most. */
#define CONTEXT_LINES 2
/* Where more would have to be compared, all is shown as changed. */
#define MAX_COMPARED (4 * 1024 * 1024)

typedef struct Lines
{
	char **lines;
	int count;
} Lines;

static Lines
split_lines(const char *text)
{
	Lines result = {0};
	PointerList list = {0};

	while (text != NULL && *text != '\0')
	{
		size_t length = strcspn(text, "\n");

		list_add(&list, memory_copy(text, length));
		text += length + (text[length] == '\n');
	}
	result.lines = (char **) list.items;
	result.count = list.count;
	return result;
}

static void
show_diff_line(const Report *report, int indent, char sign, const char *line)
{
	const char *text = format("%c %s", sign, harmless(line));

	report_line(report, "%*s%s", indent, "",
				sign == '+'	  ? paint(report, PAINT_GOOD, text)
				: sign == '-' ? paint(report, PAINT_BAD, text)
							  : paint(report, PAINT_FAINT, text));
}

/* Lengths of the longest common subsequences of what is left of both. */
static int *
common_lengths(const Lines *a, const Lines *b)
{
	int width = b->count + 1;
	int *lengths = memory_new((size_t) (a->count + 1) * width * sizeof(int));

	for (int i = a->count - 1; i >= 0; i--)
	{
		for (int j = b->count - 1; j >= 0; j--)
		{
			int below = lengths[(i + 1) * width + j];
			int right = lengths[i * width + j + 1];

			lengths[i * width + j] = strcmp(a->lines[i], b->lines[j]) == 0
										 ? lengths[(i + 1) * width + j + 1] + 1
										 : (below >= right ? below : right);
		}
	}
	return lengths;
}

/* What is to be shown, before it is known how much of what is the same. */
typedef struct EditScript
{
	char *signs;
	char **lines;
	int count;
} EditScript;

static void
add_edit(EditScript *script, char sign, char *line)
{
	script->signs[script->count] = sign;
	script->lines[script->count++] = line;
}

static EditScript
edit_script(const Lines *a, const Lines *b)
{
	bool small =
		(double) (a->count + 1) * (b->count + 1) <= (double) MAX_COMPARED;
	int *lengths = small ? common_lengths(a, b) : NULL;
	int total = a->count + b->count + 1;
	EditScript script = {.signs = memory_new(total),
						 .lines = memory_new(total * sizeof(char *))};
	int i = 0;
	int j = 0;

	while (i < a->count || j < b->count)
	{
		if (small && i < a->count && j < b->count &&
			strcmp(a->lines[i], b->lines[j]) == 0)
		{
			add_edit(&script, ' ', a->lines[i++]);
			j++;
		}
		else if (i < a->count && (j >= b->count || !small ||
								  lengths[(i + 1) * (b->count + 1) + j] >=
									  lengths[i * (b->count + 1) + j + 1]))
			add_edit(&script, '-', a->lines[i++]);
		else
			add_edit(&script, '+', b->lines[j++]);
	}
	free(lengths);
	return script;
}

static bool
near_change(const EditScript *script, int at)
{
	for (int i = at - CONTEXT_LINES; i <= at + CONTEXT_LINES; i++)
	{
		if (i >= 0 && i < script->count && script->signs[i] != ' ')
			return true;
	}
	return false;
}

static void
show_line_diff(const Report *report, int indent, const char *before,
			   const char *after)
{
	Lines a = split_lines(before);
	Lines b = split_lines(after);
	EditScript script = edit_script(&a, &b);
	bool skipping = false;

	for (int i = 0; i < script.count; i++)
	{
		if (near_change(&script, i))
		{
			show_diff_line(report, indent, script.signs[i], script.lines[i]);
			skipping = false;
		}
		else if (!skipping)
		{
			show_diff_line(report, indent, ' ', "...");
			skipping = true;
		}
	}
}

/* ------------------------------------------------------------------- leaves */

static int
change_rank(const char *change)
{
	static const char *const order[] = {"dropped", "created", "renamed",
										"altered"};

	for (int i = 0; i < 4; i++)
	{
		if (strcmp(change, order[i]) == 0)
			return i;
	}
	return 4;
}

/* The last name of schema.table.column; names may be quoted, with dots. */
static const char *
last_name(const char *identity)
{
	const char *last = identity;
	bool quoted = false;

	for (const char *at = identity; *at != '\0'; at++)
	{
		if (*at == '"')
			quoted = !quoted;
		else if (*at == '.' && !quoted)
			last = at + 1;
	}
	return last;
}

static void
leaf_init(Leaf *leaf, const PGresult *result, int row)
{
	static const char suffix[] = " column";
	const char *type = value_at(result, row, TYPE);
	const char *identity = value_at(result, row, IDENTITY);
	size_t length = strlen(type);

	leaf->row = row;
	leaf->rank = change_rank(value_at(result, row, CHANGE));
	leaf->type = type;
	leaf->identity = identity;
	if (length > strlen(suffix) &&
		strcmp(type + length - strlen(suffix), suffix) == 0)
	{
		const char *name = last_name(identity);

		leaf->type = memory_copy(type, length - strlen(suffix));
		leaf->column = name;
		if (name > identity)
			leaf->identity = memory_copy(identity, name - identity - 1);
	}
}

static int
compare_texts(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int
compare_leaves(const void *a, const void *b)
{
	const Leaf *x = a;
	const Leaf *y = b;
	int order = strcmp(x->type, y->type);

	if (order == 0)
		order = strcmp(x->identity, y->identity);
	if (order == 0)
		order = compare_texts(x->column, y->column);
	if (order == 0)
		order = x->rank - y->rank;
	return order != 0 ? order : x->row - y->row;
}

/* --------------------------------------------------------------------- tree */

typedef struct Tree
{
	const Report *report;
	const PGresult *result;
	const Leaf *object; /* a leaf of the object whose line was printed */
	const Leaf *column; /* the same of a column below it */
} Tree;

static void
show_head(const Tree *tree, int indent, char sign, const char *what,
		  const char *more)
{
	static const Paint paints[] = {PAINT_BAD, PAINT_GOOD, PAINT_CARE,
								   PAINT_CARE};
	static const char signs[] = "-+>~";

	report_line(tree->report, "%*s%s%s", indent, "",
				paint(tree->report, paints[strchr(signs, sign) - signs],
					  format("%c %s", sign, one_line(what))),
				more);
}

/* Behind a new name: the old one. */
static const char *
old_name(const Tree *tree, const Leaf *leaf)
{
	const char *old = value_at(tree->result, leaf->row, BEFORE_SHOWN);

	if (old == NULL)
		return "";
	/* its table has a line of its own */
	if (leaf->column != NULL)
		old = last_name(old);
	return format(" (was %s)", one_line(old));
}

static const char *
behind_name(const Tree *tree, const Leaf *leaf)
{
	const char *type = value_at(tree->result, leaf->row, DATA_TYPE);

	if (leaf->rank == 2)
		return old_name(tree, leaf);
	return leaf->column != NULL && leaf->rank < 2 && type != NULL
			   ? format("  %s", one_line(type))
			   : "";
}

/* The line of an object or a column, unless it was printed. */
static void
show_subject(Tree *tree, const Leaf *leaf)
{
	bool column = leaf->column != NULL;
	const Leaf *open = column ? tree->column : tree->object;
	bool altered = leaf->rank >= 3;
	char sign = altered ? '~' : "-+>"[leaf->rank];
	const char *name = column ? format("column %s", leaf->column)
							  : format("%s %s", leaf->type, leaf->identity);

	/* attributes stand below whatever there is of it */
	if (open != NULL && altered)
		return;
	show_head(tree, column ? 4 : 0, sign, name, behind_name(tree, leaf));
	if (column)
		tree->column = leaf;
	else
		tree->object = leaf;
}

/* A list in one line. */
static const char *
with_commas(const char *lines)
{
	PQExpBufferData text;

	if (lines == NULL)
		return NULL;
	initPQExpBuffer(&text);
	for (const char *at = lines; *at != '\0'; at++)
	{
		if (*at == '\n')
			appendPQExpBufferStr(&text, ", ");
		else
			appendPQExpBufferChar(&text, *at);
	}
	return buffer_text(&text, NULL);
}

static void
show_attribute(const Tree *tree, const Leaf *leaf)
{
	int indent = leaf->column != NULL ? 8 : 4;
	const char *attribute = value_at(tree->result, leaf->row, ATTRIBUTE);
	const char *before = value_at(tree->result, leaf->row, BEFORE_SHOWN);
	const char *after = value_at(tree->result, leaf->row, AFTER_SHOWN);

	attribute = attribute != NULL ? one_line(attribute) : "definition";
	if (strcmp(attribute, "column_order") == 0)
	{
		before = with_commas(before);
		after = with_commas(after);
	}
	if ((before != NULL && strchr(before, '\n') != NULL) ||
		(after != NULL && strchr(after, '\n') != NULL))
	{
		report_line(tree->report, "%*s%s:", indent, "", attribute);
		show_line_diff(tree->report, indent + 4, before, after);
		return;
	}
	report_line(tree->report, "%*s%s: %s -> %s", indent, "", attribute,
				before != NULL
					? paint(tree->report, PAINT_BAD, one_line(before))
					: "(none)",
				after != NULL
					? paint(tree->report, PAINT_GOOD, one_line(after))
					: "(none)");
}

static void
show_leaf(Tree *tree, const Leaf *leaf)
{
	const Leaf *last = tree->object;

	if (last != NULL && (strcmp(last->type, leaf->type) != 0 ||
						 strcmp(last->identity, leaf->identity) != 0))
		tree->object = tree->column = NULL;
	if (tree->column != NULL &&
		(leaf->column == NULL ||
		 strcmp(tree->column->column, leaf->column) != 0))
		tree->column = NULL;
	if (leaf->column != NULL && tree->object == NULL)
	{
		Leaf object = *leaf;

		object.column = NULL;
		object.rank = 3;
		show_subject(tree, &object);
		/* it stands for the object as well */
		tree->object = leaf;
	}
	show_subject(tree, leaf);
	if (leaf->rank >= 3)
		show_attribute(tree, leaf);
}

void
show_differences(const Report *report, const PGresult *result)
{
	static const char *const words[] = {"dropped", "created", "renamed",
										"altered", "other"};
	Tree tree = {.report = report, .result = result};
	int count = PQntuples(result);
	Leaf *leaves;
	int counts[5] = {0};
	const char *separator = "";
	PQExpBufferData summary;

	if (report->options->json || report->options->quiet)
		return;
	leaves = memory_new(count * sizeof(Leaf));
	for (int i = 0; i < count; i++)
	{
		leaf_init(&leaves[i], result, i);
		counts[leaves[i].rank]++;
	}
	qsort(leaves, count, sizeof(Leaf), compare_leaves);
	for (int i = 0; i < count; i++)
		show_leaf(&tree, &leaves[i]);
	initPQExpBuffer(&summary);
	for (int i = 0; i < 5; i++)
	{
		if (counts[i] == 0)
			continue;
		appendPQExpBuffer(&summary, "%s%d %s", separator, counts[i], words[i]);
		separator = ", ";
	}
	report_line(report, "%d %s: %s", count,
				count == 1 ? "difference" : "differences", summary.data);
	termPQExpBuffer(&summary);
}
