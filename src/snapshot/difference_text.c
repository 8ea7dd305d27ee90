/*
 * difference_text.c
 *		Two texts that differ by the names of what was renamed, and no more.
 *
 * A text is read as tokens: chains of identifiers with dots between them
 * (public.t.id), string literals, other characters; white space does not count.
 * Both texts must be the same token by token, where a name that was renamed
 * stands for the new one.  A run of a chain is a name: in public.t.id the schema
 * public, the table public.t, the column id.
 *
 * One thing more may differ, for the server does so when it prints a query: what
 * was renamed keeps its old name as an alias (FROM public.client customer,
 * t.total AS amount).
 */
#include "snapshot/difference.h"

#include "miscadmin.h"

/* Elements of a chain; a longer one is read as several. */
#define CHAIN_MAX 8

typedef enum TokenType
{
	TOKEN_END,
	TOKEN_CHAIN,
	TOKEN_LITERAL,
	TOKEN_OTHER,
} TokenType;

typedef struct Token
{
	TokenType type;
	const char *start;
	const char *end;
	int count; /* elements of a chain */
	const char *from[CHAIN_MAX];
	const char *to[CHAIN_MAX];
} Token;

/* A text and where we are in it. */
typedef struct Text
{
	const char *at;
	const char *end;
} Text;

static bool
starts_identifier(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
		   IS_HIGHBIT_SET(c);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *
quoted_end(const char *at, const char *end, char quote)
{
	for (at++; at < end; at++)
	{
		if (*at != quote)
			continue;
		if (at + 1 >= end || at[1] != quote)
			return at + 1;
		at++;
	}
	return end;
}

/* The end of the identifier, or behind a dot the operator, that begins here;
 * itself when none does. */
static const char *
element_end(const char *at, const char *end, bool after_dot)
{
	if (at < end && *at == '"')
		return quoted_end(at, end, '"');
	if (at < end && starts_identifier(*at))
	{
		while (at < end &&
			   (starts_identifier(*at) || is_digit(*at) || *at == '$'))
			at++;
	}
	else if (after_dot)
	{
		while (at < end && *at != '\0' &&
			   strchr("+-*/<>=~!@#%^&|`?", *at) != NULL)
			at++;
	}
	return at;
}

static void
read_chain(Token *token, const char *end)
{
	const char *at = token->start;

	for (;;)
	{
		const char *stop = element_end(at, end, token->count > 0);

		if (stop == at)
			break;
		token->from[token->count] = at;
		token->to[token->count++] = stop;
		token->end = stop;
		if (stop >= end || *stop != '.' || token->count == CHAIN_MAX)
			break;
		at = stop + 1;
	}
}

static Token
next_token(Text *text)
{
	Token token = {.type = TOKEN_OTHER};

	while (text->at < text->end && strchr(" \t\n\r", *text->at) != NULL &&
		   *text->at != '\0')
		text->at++;
	token.start = text->at;
	token.end = text->at + 1;
	if (text->at >= text->end)
	{
		token.type = TOKEN_END;
		token.end = text->at;
	}
	else if (*text->at == '\'')
	{
		token.type = TOKEN_LITERAL;
		token.end = quoted_end(text->at, text->end, '\'');
	}
	else if (*text->at == '"' || starts_identifier(*text->at))
	{
		token.type = TOKEN_CHAIN;
		read_chain(&token, text->end);
	}
	else if (is_digit(*text->at))
	{
		while (token.end < text->end &&
			   (is_digit(*token.end) || starts_identifier(*token.end) ||
				*token.end == '.'))
			token.end++;
	}
	text->at = token.end;
	return token;
}

static bool
same_bytes(const char *a, const char *a_end, const char *b, const char *b_end)
{
	return a_end - a == b_end - b && memcmp(a, b, a_end - a) == 0;
}

/* The chains from the elements i and j on. */
static bool
chain_is_same(HTAB *renames, const Token *a, int i, const Token *b, int j)
{
	if (i == a->count || j == b->count)
		return i == a->count && j == b->count;
	if (same_bytes(a->from[i], a->to[i], b->from[j], b->to[j]) &&
		chain_is_same(renames, a, i + 1, b, j + 1))
		return true;
	for (int k = i; k < a->count; k++)
	{
		for (int l = j; l < b->count; l++)
		{
			if (dbvc_was_renamed(renames, DBVC_NAME_ANY, a->from[i],
								 a->to[k] - a->from[i], b->from[j],
								 b->to[l] - b->from[j]) &&
				chain_is_same(renames, a, k + 1, b, l + 1))
				return true;
		}
	}
	return false;
}

static bool
token_is_same(HTAB *renames, const Token *a, const Token *b)
{
	if (a->type != b->type)
		return false;
	if (same_bytes(a->start, a->end, b->start, b->end))
		return true;
	if (a->type == TOKEN_CHAIN)
		return chain_is_same(renames, a, 0, b, 0);
	if (a->type != TOKEN_LITERAL || a->end - a->start < 2 ||
		b->end - b->start < 2)
		return false;
	/* a label of an enum, or a name: 'public.t'::regclass */
	return dbvc_was_renamed(renames, DBVC_NAME_LITERAL, a->start + 1,
							a->end - a->start - 2, b->start + 1,
							b->end - b->start - 2) ||
		   dbvc_text_is_same(renames, a->start + 1, a->end - a->start - 2,
							 b->start + 1, b->end - b->start - 2);
}

/* An old name that the one side has as an alias and the other needs not: skip
 * it, and AS before it. */
static bool
skip_alias(HTAB *renames, Text *text, Token *token, DbvcNameKind kind)
{
	Text ahead = *text;
	Token alias = *token;

	if (alias.type == TOKEN_CHAIN && alias.count == 1 &&
		alias.end - alias.start == 2 && memcmp(alias.start, "AS", 2) == 0)
		alias = next_token(&ahead);
	if (alias.type != TOKEN_CHAIN || alias.count != 1 ||
		!dbvc_was_renamed(renames, kind, alias.start, alias.end - alias.start,
						  "", 0))
		return false;
	*token = next_token(&ahead);
	*text = ahead;
	return true;
}

bool
dbvc_text_is_same(HTAB *renames, const char *before, Size before_length,
				  const char *after, Size after_length)
{
	Text old = {.at = before, .end = before + before_length};
	Text new = {.at = after, .end = after + after_length};
	Token a = next_token(&old);
	Token b = next_token(&new);

	check_stack_depth();
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (token_is_same(renames, &a, &b))
		{
			if (a.type == TOKEN_END)
				return true;
			a = next_token(&old);
			b = next_token(&new);
		}
		else if (!skip_alias(renames, &new, &b, DBVC_NAME_OLD_ALIAS) &&
				 !skip_alias(renames, &old, &a, DBVC_NAME_NEW_ALIAS))
			return false;
	}
}

const char *
dbvc_first_name(const char *text)
{
	Text all = {.at = text, .end = text + strlen(text)};
	Token token = next_token(&all);

	return token.type == TOKEN_CHAIN
			   ? pnstrdup(token.start, token.end - token.start)
			   : NULL;
}

const char *
dbvc_last_name(const char *name)
{
	Text all = {.at = name, .end = name + strlen(name)};
	Token token = next_token(&all);

	return token.type == TOKEN_CHAIN
			   ? pnstrdup(token.from[token.count - 1],
						  token.to[token.count - 1] -
							  token.from[token.count - 1])
			   : name;
}
