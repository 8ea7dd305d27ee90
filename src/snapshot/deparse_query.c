/*
 * deparse_query.c
 *		Queries as text without opening what they read.
 *
 * The deparser locks and opens every relation of a query, to learn the names
 * of its columns.  That takes most of the time of a view, waits for whoever
 * holds a lock, and needs a lock for each relation of the database at once.
 * But it does so for relations only.  So in a query that only reads, entries of
 * relations are turned into such of common table expressions with the names
 * that the catalog has, and where the text then names such an expression, the
 * relation's name is put in.
 *
 * What the text would say of a relation is imitated to the letter, because
 * a query that this cannot do today goes the other way, and perhaps not
 * tomorrow, after a restore.
 */
#include "snapshot/relation.h"

#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/ruleutils.h"

/* A relation in a query. */
typedef struct Source
{
	const char *name;  /* bare */
	const char *shown; /* as the text shows it */
	bool aliased;	   /* by whoever wrote the query */
} Source;

typedef struct Disguise
{
	DbvcCatalog *catalog;
	List *entries; /* of relations */
	bool unsuited; /* to be printed the other way */
} Disguise;

/* ------------------------------------------------------ is it one of those? */

static bool
has_join(const Query *query)
{
	ListCell *cell;

	foreach (cell, query->rtable)
		if (((RangeTblEntry *) lfirst(cell))->rtekind == RTE_JOIN)
			return true;
	return false;
}

/* Of names that were given to columns, does the text show any?  Of relations
 * it shows none that are the columns' own. */
static bool
shows_names(const Alias *alias, const char **names, int count)
{
	ListCell *cell;
	int i = 0;

	foreach (cell, alias->colnames)
	{
		if (i >= count || strcmp(strVal(lfirst(cell)), names[i]) != 0)
			return true;
		i++;
	}
	return false;
}

static bool
entry_suits(DbvcCatalog *catalog, const Query *query, RangeTblEntry *rte)
{
	int count = 0;
	const char **names;
	bool gaps = false;
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, rte->relid);

	/* those of the system go by their bare names, unless they must not */
	if (row == NULL || rte->tablesample != NULL ||
		dbvc_form(row, pg_class)->relnamespace == PG_CATALOG_NAMESPACE)
		return false;
	names = dbvc_column_names(catalog, rte->relid, &count);
	for (int i = 0; i < count; i++)
		gaps |= names[i] == NULL || names[i][0] == '\0';
	/* the columns of a join follow those that came or went since */
	if ((gaps || count != list_length(rte->eref->colnames)) && has_join(query))
		return false;
	if (rte->alias == NULL || rte->alias->colnames == NIL)
		return true;
	if (gaps)
		return false;
	if (!shows_names(rte->alias, names, count))
		rte->alias->colnames = NIL;
	return true;
}

static bool
collect(Node *node, void *arg)
{
	Disguise *disguise = arg;

	if (node == NULL || disguise->unsuited)
		return false;
	if (IsA(node, Query))
	{
		Query *query = (Query *) node;
		ListCell *cell;

		/* others have a relation to write to */
		if (query->commandType != CMD_SELECT)
			disguise->unsuited = true;
		foreach (cell, query->rtable)
		{
			RangeTblEntry *rte = lfirst(cell);

			/* lists of values stand alone, but for a view's own entries */
			if (rte->rtekind == RTE_VALUES)
				disguise->unsuited = true;
			if (rte->rtekind != RTE_RELATION)
				continue;
			if (!entry_suits(disguise->catalog, query, rte))
				disguise->unsuited = true;
			disguise->entries = lappend(disguise->entries, rte);
		}
		return query_tree_walker(query, collect, arg, 0);
	}
	/* system columns are looked up in the relation */
	if (IsA(node, Var) && ((Var *) node)->varattno < 0)
		disguise->unsuited = true;
	return expression_tree_walker(node, collect, arg);
}

/* ------------------------------------------------------------------ disguise */

/* What nobody can have written into a query. */
static const char *
secret(void)
{
	static char text[40];

	if (text[0] == '\0')
	{
		uint64 random[2];

		if (!pg_strong_random(random, sizeof(random)))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
							errmsg("could not generate random values")));
		snprintf(text, sizeof(text), UINT64_FORMAT "." UINT64_FORMAT,
				 random[0], random[1]);
	}
	return text;
}

static void
disguise_entry(DbvcCatalog *catalog, RangeTblEntry *rte, Source *source, int n)
{
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_CLASS, rte->relid);
	Form_pg_class class = dbvc_form(row, pg_class);
	int count = 0;
	const char **names = dbvc_column_names(catalog, rte->relid, &count);
	List *columns = NIL;

	for (int i = 0; i < count; i++)
		columns = lappend(columns, makeString(names[i] ? pstrdup(names[i])
													   : pstrdup("")));
	source->name = NameStr(class->relname);
	source->shown = dbvc_name_relation(catalog, rte->relid);
	if (!rte->inh)
		source->shown = psprintf("ONLY %s", source->shown);
	source->aliased = rte->alias != NULL;
	rte->rtekind = RTE_CTE;
	rte->relid = InvalidOid;
	rte->relkind = '\0';
	rte->ctename = psprintf("%s %d", secret(), n);
	rte->ctelevelsup = 0;
	rte->eref->aliasname = unconstify(char *, source->name);
	rte->eref->colnames = columns;
}

/* ------------------------------------------------------------ back to names */

/*
 * An expression's name is followed by the alias under which its columns go.
 * A relation has none when that is its own name, nobody has asked for it, and
 * no names of columns follow.
 */
static const char *
skip_alias(const char *text, const Source *source)
{
	const char *alias = quote_identifier(source->name);
	Size len = strlen(alias);

	if (source->aliased || text[0] != ' ' ||
		strncmp(text + 1, alias, len) != 0)
		return text;
	switch (text[1 + len])
	{
		case '\0':
		case '\n':
		case ' ':
		case ',':
		case ')':
			return text + 1 + len;
		default:
			return text; /* a longer name, or a list of columns */
	}
}

static char *
reveal(const char *text, const Source *sources, int count)
{
	const char *mark = psprintf("\"%s ", secret());
	StringInfoData buf;
	const char *at;

	initStringInfo(&buf);
	while ((at = strstr(text, mark)) != NULL)
	{
		char *end;
		int n = (int) strtol(at + strlen(mark), &end, 10);

		if (n < 0 || n >= count || *end != '"')
			elog(ERROR, "cannot find the relation in the text of a query");
		appendBinaryStringInfo(&buf, text, at - text);
		appendStringInfoString(&buf, sources[n].shown);
		text = skip_alias(end + 1, &sources[n]);
	}
	appendStringInfoString(&buf, text);
	return buf.data;
}

/* ------------------------------------------------------------------- entry */

char *
dbvc_print_reading(DbvcCatalog *catalog, Query *query)
{
	Disguise disguise = {catalog};
	Source *sources;
	int n = 0;
	ListCell *cell;

	(void) collect((Node *) query, &disguise);
	if (disguise.unsuited)
		return NULL;
	sources = palloc(sizeof(Source) * Max(list_length(disguise.entries), 1));
	foreach (cell, disguise.entries)
	{
		disguise_entry(catalog, lfirst(cell), &sources[n], n);
		n++;
	}
	return reveal(pg_get_querydef(query, false), sources, n);
}
