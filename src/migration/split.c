/*
 * split.c
 *		Cut a script into statements, as psql would, without psql.
 *
 * The server's scanner knows strings, dollar quotes and nested comments; what
 * is left to do here is to see where a statement ends: at a semicolon outside
 * of parentheses and outside of a BEGIN ATOMIC body.  Each statement then goes
 * through the server's parser, so that everything a script may not hold is
 * known before anything runs.
 *
 * Three things are not SQL and stand in scripts all the same: the data behind
 * COPY ... FROM stdin, which the scanner must jump over; pg_dump's \restrict
 * lines, which are skipped; and psql's other commands, which are refused.
 */
#include "migration/migration.h"

#include "commands/defrem.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "parser/scanner.h"
#include "utils/guc.h"
#include "utils/memutils.h"

/* What the scanner returns for every keyword: the word itself is in lval. */
#define KEYWORD_TOKEN 2000

/* CREATE [OR REPLACE] FUNCTION is decided by the first four words. */
#define WORDS_SEEN 4

#define TRANSACTION_HINT \
	"A script may hold BEGIN and COMMIT, in pairs or a COMMIT alone, and no " \
	"other transaction control."
#define PSQL_HINT "The server does not know psql's commands; write SQL."
#define COPY_HINT \
	"The data begin on the line after the semicolon, and end with a line " \
	"that holds \\. and nothing else."

typedef struct Splitter
{
	DbvcScript *script;
	core_yyscan_t scanner;
	core_yy_extra_type extra;
	uint16 *keyword_tokens;
	bool scanning;
	int origin; /* offset of the scanner's text in the script */
	MemoryContext parse_context;

	/* the statement being read */
	int start; /* -1: none yet */
	int parens;
	int atomic_depth;
	const char *words[WORDS_SEEN];
	int word_count;
	bool after_begin; /* the last token was BEGIN */

	/* the script's own transactions */
	int begin_offset; /* of a BEGIN whose COMMIT is yet to come, or -1 */
	bool boundary;	  /* one of them stood before the statement being read */

	int line; /* of line_offset */
	int line_offset;
} Splitter;

static void
scan_from(Splitter *sp, int offset)
{
	if (sp->scanning)
		scanner_finish(sp->scanner);
	sp->scanner = scanner_init(sp->script->text + offset, &sp->extra,
							   &ScanKeywords, sp->keyword_tokens);
	sp->scanning = true;
	sp->origin = offset;
	sp->script->base = offset;
}

DBVC_NORETURN static void pg_attribute_printf(4, 5)
	refuse(Splitter *sp, int offset, const char *hint, const char *format, ...)
{
	StringInfoData message;
	va_list args;

	initStringInfo(&message);
	va_start(args, format);
	while (true)
	{
		int needed = appendStringInfoVA(&message, format, args);

		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}
	va_end(args);
	sp->script->base = offset;
	ereport(ERROR, (errcode(ERRCODE_DBVC_INVALID_SCRIPT),
					errmsg_internal("%s", message.data),
					hint ? errhint("%s", hint) : 0));
}

static int
line_of(Splitter *sp, int offset)
{
	const char *text = sp->script->text;

	for (; sp->line_offset < offset; sp->line_offset++)
	{
		if (text[sp->line_offset] == '\n')
			sp->line++;
	}
	return sp->line;
}

/* Skip the rest of a line that may hold only blanks or a comment. */
static int
data_begins(Splitter *sp, int after_semicolon)
{
	const char *at = sp->script->text + after_semicolon;

	while (*at == ' ' || *at == '\t' || *at == '\r')
		at++;
	if (at[0] == '-' && at[1] == '-')
		at += strcspn(at, "\n");
	if (*at == '\0')
		return at - sp->script->text;
	if (*at != '\n')
		refuse(sp, at - sp->script->text, COPY_HINT,
			   "text after COPY ... FROM stdin on the same line");
	return at + 1 - sp->script->text;
}

/* The data of a COPY ends before a line that is "\." alone. */
static int
read_copy_data(Splitter *sp, DbvcStatement *statement, int after_semicolon)
{
	const char *text = sp->script->text;
	const char *at = text + data_begins(sp, after_semicolon);

	statement->data_start = at - text;
	while (*at != '\0')
	{
		const char *eol = strchr(at, '\n');
		int len = eol ? eol - at : (int) strlen(at);

		if (len > 0 && at[len - 1] == '\r')
			len--;
		if (len == 2 && at[0] == '\\' && at[1] == '.')
		{
			statement->data_end = at - text;
			return eol ? eol + 1 - text : at + strlen(at) - text;
		}
		if (eol == NULL)
			break;
		at = eol + 1;
	}
	refuse(sp, statement->start, COPY_HINT,
		   "data of COPY ... FROM stdin does not end with a line \"\\.\"");
}

/*
 * The scanner must follow a script that changes how strings are read.
 * Settings made here end with dbvc_script_split().
 */
static bool
follow_string_settings(Node *node)
{
	VariableSetStmt *set = (VariableSetStmt *) node;

	if (!IsA(node, VariableSetStmt) || set->name == NULL ||
		(strcmp(set->name, "standard_conforming_strings") != 0 &&
		 strcmp(set->name, "backslash_quote") != 0))
		return false;
	(void) set_config_option(set->name, ExtractSetVariableArgs(set),
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 DEBUG1, false);
	return true;
}

/*
 * The script's own BEGIN and COMMIT are dropped: around the whole script they
 * say what dbvc does anyway, in its midst they end a step.
 */
static bool
is_boundary(Splitter *sp, Node *node)
{
	if (!IsA(node, TransactionStmt))
		return false;
	if (dbvc_is_plain_begin(node) && sp->begin_offset < 0)
		sp->begin_offset = sp->start;
	else if (dbvc_is_plain_commit(node))
		sp->begin_offset = -1;
	else
		refuse(sp, sp->start, TRANSACTION_HINT,
			   "transaction control in a script");
	sp->boundary = true;
	return true;
}

static DbvcStatement *
add_statement(DbvcScript *script)
{
	DbvcStatement *statement;

	if (script->count == script->allocated)
	{
		Size size;

		script->allocated = Max(8, script->allocated * 2);
		size = mul_size(script->allocated, sizeof(DbvcStatement));
		script->statements =
			script->statements == NULL
				? MemoryContextAllocHuge(CurrentMemoryContext, size)
				: repalloc_huge(script->statements, size);
	}
	statement = &script->statements[script->count++];
	memset(statement, 0, sizeof(*statement));
	return statement;
}

/* A statement was read up to end; after is where the next one may begin. */
static void
finish_statement(Splitter *sp, int end, int after)
{
	DbvcScript *script = sp->script;
	DbvcStatement *statement;
	MemoryContext old;
	List *raw;
	Node *node;
	int resume = -1;

	CHECK_FOR_INTERRUPTS();
	script->base = sp->start;
	old = MemoryContextSwitchTo(sp->parse_context);
	raw = raw_parser(pnstrdup(script->text + sp->start, end - sp->start),
					 RAW_PARSE_DEFAULT);
	MemoryContextSwitchTo(old);
	if (list_length(raw) != 1)
		refuse(sp, sp->start, NULL, "statements that cannot be told apart");
	node = linitial_node(RawStmt, raw)->stmt;
	if (!is_boundary(sp, node))
	{
		statement = add_statement(script);
		statement->after_commit = sp->boundary && script->count > 1;
		script->needs_steps |= statement->after_commit;
		statement->in_block = sp->begin_offset >= 0;
		sp->boundary = false;
		statement->start = sp->start;
		statement->end = end;
		statement->line = line_of(sp, sp->start);
		dbvc_classify(script, statement, node);
		if (statement->kind == DBVC_STATEMENT_TOPLEVEL &&
			sp->begin_offset >= 0)
			refuse(sp, sp->start,
				   "Remove BEGIN and COMMIT: dbvc then runs the script in "
				   "steps.",
				   "statement that cannot run in a transaction between the "
				   "script's BEGIN and COMMIT");
		if (statement->kind == DBVC_STATEMENT_COPY)
			resume = read_copy_data(sp, statement, after);
	}
	if (follow_string_settings(node) && resume < 0)
		resume = after;
	MemoryContextReset(sp->parse_context);
	if (resume >= 0)
		scan_from(sp, resume);
	script->base = sp->origin;
	sp->start = -1;
	sp->parens = 0;
	sp->atomic_depth = 0;
	sp->word_count = 0;
}

/* Is the statement being read CREATE [OR REPLACE] FUNCTION or PROCEDURE? */
static bool
creates_routine(Splitter *sp)
{
	int at = 1;

	if (sp->word_count < 2 || strcmp(sp->words[0], "create") != 0)
		return false;
	if (sp->word_count >= 4 && strcmp(sp->words[1], "or") == 0 &&
		strcmp(sp->words[2], "replace") == 0)
		at = 3;
	return strcmp(sp->words[at], "function") == 0 ||
		   strcmp(sp->words[at], "procedure") == 0;
}

/* BEGIN ATOMIC ... END and CASE ... END inside it hold semicolons. */
static void
follow_keyword(Splitter *sp, const char *word)
{
	bool after_begin = sp->after_begin;

	sp->after_begin = strcmp(word, "begin") == 0;
	if (sp->word_count < WORDS_SEEN)
		sp->words[sp->word_count++] = word;
	if (sp->parens > 0 || !creates_routine(sp))
		return;
	if (strcmp(word, "atomic") == 0 && after_begin)
		sp->atomic_depth++;
	else if (strcmp(word, "case") == 0 && sp->atomic_depth > 0)
		sp->atomic_depth++;
	else if (strcmp(word, "end") == 0 && sp->atomic_depth > 0)
		sp->atomic_depth--;
}

static void
follow_other(Splitter *sp)
{
	sp->after_begin = false;
	if (sp->word_count < WORDS_SEEN)
		sp->words[sp->word_count++] = "";
}

/* A backslash: pg_dump's \restrict is skipped, everything else refused.
 * Returns the offset behind the line. */
static int
skip_meta_command(Splitter *sp, int offset)
{
	const char *at = sp->script->text + offset;
	int word = strcspn(at, " \t\r\n");

	if (sp->start >= 0 ||
		!((word == 9 && strncmp(at, "\\restrict", 9) == 0) ||
		  (word == 11 && strncmp(at, "\\unrestrict", 11) == 0)))
		refuse(sp, offset, PSQL_HINT, "psql command \"%.*s\" in a script",
			   Min(word, 32), at);
	return offset + strcspn(at, "\n");
}

static void
split_statements(Splitter *sp)
{
	for (;;)
	{
		core_YYSTYPE lval;
		YYLTYPE location = 0;
		int token = core_yylex(&lval, &location, sp->scanner);
		int offset = sp->origin + location;

		if (token == 0)
			break;
		if (token == '\\')
		{
			scan_from(sp, skip_meta_command(sp, offset));
			continue;
		}
		if (token == ';' && sp->parens <= 0 && sp->atomic_depth == 0)
		{
			if (sp->start >= 0)
				finish_statement(sp, offset, offset + 1);
			continue;
		}
		if (sp->start < 0)
			sp->start = offset;
		if (token == '(')
			sp->parens++;
		else if (token == ')')
			sp->parens--;
		if (token == KEYWORD_TOKEN)
			follow_keyword(sp, lval.keyword);
		else
			follow_other(sp);
	}
	if (sp->start >= 0)
	{
		int end = strlen(sp->script->text);

		finish_statement(sp, end, end);
	}
	if (sp->begin_offset >= 0)
		refuse(sp, sp->begin_offset, TRANSACTION_HINT,
			   "BEGIN without COMMIT at the end");
}

DbvcScript *
dbvc_script_new(const char *migration_id, const char *label, const char *text)
{
	DbvcScript *script = palloc0(sizeof(DbvcScript));

	script->migration_id = migration_id;
	script->label = label;
	script->text = text;
	script->current = -1;
	return script;
}

void
dbvc_script_split(DbvcScript *script)
{
	Splitter sp = {0};
	int guc_level = NewGUCNestLevel();

	sp.script = script;
	sp.start = -1;
	sp.begin_offset = -1;
	sp.line = 1;
	sp.keyword_tokens = palloc(ScanKeywords.num_keywords * sizeof(uint16));
	for (int i = 0; i < ScanKeywords.num_keywords; i++)
		sp.keyword_tokens[i] = KEYWORD_TOKEN;
	sp.parse_context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc script parse",
							  ALLOCSET_DEFAULT_SIZES);

	/* the executor's parse will warn; once is enough */
	(void) set_config_option("escape_string_warning", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, DEBUG1,
							 false);
	dbvc_script_error_begin(script);
	scan_from(&sp, dbvc_skip_bom(script->text) - script->text);
	split_statements(&sp);
	scanner_finish(sp.scanner);
	dbvc_script_error_end(script);
	AtEOXact_GUC(false, guc_level);
	MemoryContextDelete(sp.parse_context);
	pfree(sp.keyword_tokens);
}

char *
dbvc_statement_text(const DbvcScript *script, int number)
{
	const DbvcStatement *statement = &script->statements[number];

	return pnstrdup(script->text + statement->start,
					statement->end - statement->start);
}
