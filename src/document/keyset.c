/*
 * keyset.c
 *		Keys of documents as SQL that walks in their order, and as values.
 */
#include "document/backfill.h"

#include "access/nbtree.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

static char *
column_text(const DbvcAdopted *adopted, const char *alias, bool items, int n)
{
	const DbvcKeyColumn *key = &adopted->key[n];

	return psprintf("%s.%s", alias,
					quote_identifier(items ? key->items_name
										   : key->base_name));
}

char *
dbvc_keyset_columns(const DbvcAdopted *adopted, const char *alias, bool items)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < adopted->nkeys; i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "",
						 column_text(adopted, alias, items, i));
	return text.data;
}

int
dbvc_keyset_types(const DbvcAdopted *adopted, Oid *types)
{
	for (int i = 0; i < adopted->nkeys; i++)
		types[i] = adopted->key[i].type;
	return adopted->nkeys;
}

/* OPERATOR(schema.>): that of the order in which ORDER BY sorts the type. */
static char *
operator_text(Oid type, StrategyNumber strategy)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
	Oid operator= InvalidOid;
	HeapTuple tuple;
	Form_pg_operator form;
	char *text;

	if (OidIsValid(entry->btree_opf))
		operator= get_opfamily_member(entry->btree_opf, entry->btree_opintype,
									  entry->btree_opintype, strategy);
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("could not find an order of type %s",
							   format_type_be(type))));
	form = (Form_pg_operator) GETSTRUCT(tuple);
	text = psprintf("OPERATOR(%s.%s)",
					quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return text;
}

/* ROW(a, b) > ROW($1, $2), if one operator does for all columns. */
static char *
compare_rows(const DbvcAdopted *adopted, const char *alias, bool items,
			 StrategyNumber strategy, int first)
{
	char *name = operator_text(adopted->key[0].type, strategy);
	StringInfoData text;

	for (int i = 1; i < adopted->nkeys; i++)
	{
		if (strcmp(operator_text(adopted->key[i].type, strategy), name) != 0)
			return NULL;
	}
	initStringInfo(&text);
	appendStringInfo(&text, "ROW(%s) %s ROW(",
					 dbvc_keyset_columns(adopted, alias, items), name);
	for (int i = 0; i < adopted->nkeys; i++)
		appendStringInfo(&text, "%s$%d", i > 0 ? ", " : "", first + i);
	appendStringInfoChar(&text, ')');
	return text.data;
}

/* a >= $1 AND (a > $1 OR (b >= $2 AND (b > $2 OR ...))): the first column's
 * comparison is one that an index answers. */
static char *
compare_columns(const DbvcAdopted *adopted, const char *alias, bool items,
				StrategyNumber strategy, int first, int n)
{
	bool less = strategy <= BTLessEqualStrategyNumber;
	char *column = column_text(adopted, alias, items, n);
	Oid type = adopted->key[n].type;

	if (n == adopted->nkeys - 1)
		return psprintf("%s %s $%d", column, operator_text(type, strategy),
						first + n);
	return psprintf("%s %s $%d AND (%s %s $%d OR (%s))", column,
					operator_text(type, less ? BTLessEqualStrategyNumber
											 : BTGreaterEqualStrategyNumber),
					first + n, column,
					operator_text(type, less ? BTLessStrategyNumber
											 : BTGreaterStrategyNumber),
					first + n,
					compare_columns(adopted, alias, items, strategy, first,
									n + 1));
}

static char *
compare_equal(const DbvcAdopted *adopted, const char *alias, bool items,
			  int first)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < adopted->nkeys; i++)
		appendStringInfo(&text, "%s%s %s $%d", i > 0 ? " AND " : "",
						 column_text(adopted, alias, items, i),
						 adopted->key[i].equal, first + i);
	return text.data;
}

char *
dbvc_keyset_compare(const DbvcAdopted *adopted, const char *alias, bool items,
					StrategyNumber strategy, int first)
{
	char *text;

	if (strategy == BTEqualStrategyNumber)
		return compare_equal(adopted, alias, items, first);
	text = compare_rows(adopted, alias, items, strategy, first);
	return text != NULL
			   ? text
			   : compare_columns(adopted, alias, items, strategy, first, 0);
}

int
dbvc_keyset_order(const DbvcAdopted *adopted, const Datum *a, const Datum *b)
{
	int order = 0;

	for (int i = 0; i < adopted->nkeys && order == 0; i++)
	{
		TypeCacheEntry *entry =
			lookup_type_cache(adopted->key[i].type, TYPECACHE_CMP_PROC_FINFO);

		order = DatumGetInt32(FunctionCall2Coll(&entry->cmp_proc_finfo,
												adopted->key[i].collation,
												a[i], b[i]));
	}
	return order;
}

Datum *
dbvc_keyset_read(const DbvcAdopted *adopted, HeapTuple tuple, TupleDesc desc)
{
	Datum *key = palloc(adopted->nkeys * sizeof(Datum));

	for (int i = 0; i < adopted->nkeys; i++)
	{
		bool isnull;
		Datum value = SPI_getbinval(tuple, desc, i + 1, &isnull);

		if (isnull)
			elog(ERROR, "key of a document is null");
		/* what stands out of line need not be there any more later on */
		if (adopted->key[i].typlen == -1)
			key[i] = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
		else
			key[i] = datumCopy(value, adopted->key[i].typbyval,
							   adopted->key[i].typlen);
	}
	return key;
}

static char *
value_text(const DbvcKeyColumn *key, Datum value)
{
	Oid output;
	bool varlena;

	getTypeOutputInfo(key->type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

ArrayType *
dbvc_keyset_texts(const DbvcAdopted *adopted, const Datum *key)
{
	Datum texts[DBVC_KEY_MAX];

	for (int i = 0; i < adopted->nkeys; i++)
		texts[i] = CStringGetTextDatum(value_text(&adopted->key[i], key[i]));
	return construct_array(texts, adopted->nkeys, TEXTOID, -1, false,
						   TYPALIGN_INT);
}

uint64
dbvc_keyset_hash(const DbvcAdopted *adopted, const Datum *key)
{
	uint64 hash = 0;

	for (int i = 0; i < adopted->nkeys; i++)
	{
		char *text = value_text(&adopted->key[i], key[i]);

		hash = hash_combine64(hash,
							  hash_bytes_extended((unsigned char *) text,
												  strlen(text), (uint64) i));
	}
	return hash;
}
