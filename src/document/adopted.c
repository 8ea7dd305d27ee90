/*
 * adopted.c
 *		What is known of adopted tables, cached per backend.
 *
 * dbvc.document says which relations belong together and how documents are
 * split.  Columns are read off the catalogs: those of the face off its query,
 * those of the items off their primary key and names.
 */
#include "document/runtime.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_operator.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "util/errors.h"
#include "util/util.h"

/* Columns of dbvc.document that are read here. */
enum
{
	CONFIG_BASE = 1,
	CONFIG_FACE,
	CONFIG_ITEMS,
	CONFIG_PARTS,
	CONFIG_OPTIONS,
	CONFIG_STATE,
};

/* By relation: the adopted table it belongs to. */
typedef struct Cached
{
	Oid relation;
	DbvcAdopted *adopted;
} Cached;

#define LOAD_ROUNDS 10

static HTAB *cache;
/* How many invalidations there have been. */
static uint64 invalidations;
/* What was invalidated and may still be in use until the transaction ends. */
static List *outdated;

static void
invalidate(Datum arg, Oid relation)
{
	HASH_SEQ_STATUS status;
	Cached *cached;

	invalidations++;
	if (cache == NULL)
		return;
	hash_seq_init(&status, cache);
	while ((cached = hash_seq_search(&status)) != NULL)
	{
		const DbvcAdopted *adopted = cached->adopted;

		if (relation == InvalidOid || relation == adopted->base ||
			relation == adopted->face || relation == adopted->items)
			adopted->runtime->valid = false;
	}
}

static void
invalidate_all(Datum arg, int cache_id, uint32 hash)
{
	invalidate(arg, InvalidOid);
}

static void
release(DbvcAdopted *adopted)
{
	dbvc_base_forget(adopted->runtime);
	MemoryContextDelete(adopted->runtime->context);
}

static void
free_outdated(XactEvent event, void *arg)
{
	ListCell *cell;

	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	foreach (cell, outdated)
		release(lfirst(cell));
	list_free(outdated);
	outdated = NIL;
}

static void
start_cache(void)
{
	HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(Cached)};

	cache = hash_create("dbvc adopted tables", 32, &control,
						HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
	/* names of schemas stand in statements */
	CacheRegisterSyscacheCallback(NAMESPACEOID, invalidate_all, (Datum) 0);
	RegisterXactCallback(free_outdated, NULL);
}

static void
forget(DbvcAdopted *adopted)
{
	const Oid relations[] = {adopted->base, adopted->face, adopted->items};
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	outdated = lappend(outdated, adopted);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < lengthof(relations); i++)
	{
		const Cached *cached =
			hash_search(cache, &relations[i], HASH_FIND, NULL);

		/* it may have been adopted anew */
		if (cached != NULL && cached->adopted == adopted)
			hash_search(cache, &relations[i], HASH_REMOVE, NULL);
	}
}

/* ------------------------------------------------------------- reading */

static char *
qualified_name(Oid relation)
{
	char *name = get_rel_name(relation);
	char *schema = get_namespace_name(get_rel_namespace(relation));

	if (name == NULL || schema == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("a relation of an adopted table does not exist"),
				 errdetail("Its OID was %u.", relation),
				 errhint("See docs/recovery.md.")));
	return quote_qualified_identifier(get_namespace_name(
										  get_rel_namespace(relation)),
									  name);
}

static bool
option_is(Jsonb *options, const char *name, const char *value)
{
	JsonbValue key = {.type = jbvString};
	JsonbValue *found;
	int len = strlen(value);

	key.val.string.val = unconstify(char *, name);
	key.val.string.len = strlen(name);
	found = findJsonbValueFromContainer(&options->root, JB_FOBJECT, &key);
	if (found == NULL)
		return false;
	if (found->type == jbvBool)
		return found->val.boolean && strcmp(value, "true") == 0;
	return found->type == jbvString && found->val.string.len == len &&
		   memcmp(found->val.string.val, value, len) == 0;
}

/* The row of dbvc.document that names the relation; fills what it says. */
static bool
read_config(DbvcAdopted *adopted, Oid relation)
{
	Oid config =
		get_relname_relid("document", get_namespace_oid("dbvc", false));
	Relation table;
	SysScanDesc scan;
	HeapTuple tuple;
	bool found = false;

	if (!OidIsValid(config))
		return false;
	table = table_open(config, AccessShareLock);
	scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum values[CONFIG_STATE];
		Oid oids[CONFIG_ITEMS];
		bool isnull;

		for (int i = 0; i < CONFIG_STATE; i++)
			values[i] = heap_getattr(tuple, i + 1, table->rd_att, &isnull);
		for (int i = 0; i < CONFIG_ITEMS; i++)
		{
			oids[i] = DatumGetObjectId(values[i]);
			found |= oids[i] == relation;
		}
		if (!found)
			continue;
		adopted->base = oids[CONFIG_BASE - 1];
		adopted->face = oids[CONFIG_FACE - 1];
		adopted->items = oids[CONFIG_ITEMS - 1];
		adopted->parts =
			dbvc_parts_parse(DatumGetJsonbP(values[CONFIG_PARTS - 1]),
							 CurrentMemoryContext);
		{
			Jsonb *options = DatumGetJsonbP(values[CONFIG_OPTIONS - 1]);

			adopted->soft_delete = option_is(options, "soft_delete", "true");
			adopted->strict = option_is(options, "strict", "true");
			adopted->duplicates_error =
				option_is(options, "duplicates", "error");
		}
		adopted->releasing =
			strcmp(TextDatumGetCString(values[CONFIG_STATE - 1]),
				   "releasing") == 0;
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

DBVC_NORETURN static void
unusable(const DbvcAdopted *adopted, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("adopted table %s is not as it was made", adopted->name),
			 errdetail("%s", why), errhint("Run dbvc.document_refresh().")));
}

/*
 * Before PostgreSQL 16 the owner of an empty table can make a view of it, with
 * a rule that runs what he likes as whoever reads it.
 */
static void
check_is_table(const DbvcAdopted *adopted, Relation relation, const char *why)
{
	if (relation->rd_rel->relkind != RELKIND_RELATION &&
		relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		unusable(adopted, why);
}

/* document_read(base, document, doc_version, xmin, key...) in the face */
static void
read_call(DbvcAdopted *adopted, const FuncExpr *call, const TargetEntry *entry,
		  const char *name)
{
	int nargs = list_length(call->args);

	if (nargs < 5 || nargs - 4 > DBVC_KEY_MAX)
		unusable(adopted, "Its view calls document_read() otherwise.");
	for (int i = 1; i < nargs; i++)
	{
		const Var *var = list_nth(call->args, i);

		if (!IsA(var, Var))
			unusable(adopted, "Its view calls document_read() otherwise.");
		if (i == 1)
			adopted->base_doc = var->varattno;
		else if (i == 2)
			adopted->base_version = var->varattno;
		else if (i > 3)
			adopted->key[adopted->nkeys++].base = var->varattno;
	}
	adopted->face_doc = entry->resno;
	adopted->face_doc_name = pstrdup(name);
	adopted->face_to_base[entry->resno - 1] = adopted->base_doc;
}

static bool
is_document_read(const Node *node)
{
	const FuncExpr *call = (const FuncExpr *) node;

	return IsA(node, FuncExpr) &&
		   strcmp(get_func_name(call->funcid), "document_read") == 0 &&
		   get_func_namespace(call->funcid) ==
			   get_namespace_oid("dbvc", false);
}

static void
read_face(DbvcAdopted *adopted, Relation base)
{
	Relation face = table_open(adopted->face, AccessShareLock);
	Query *query =
		face->rd_rel->relkind == RELKIND_VIEW ? get_view_query(face) : NULL;
	ListCell *cell;

	if (query == NULL)
		unusable(adopted, "Its face is no view.");
	adopted->face_columns = RelationGetNumberOfAttributes(face);
	adopted->face_to_base =
		palloc0(sizeof(AttrNumber) * adopted->face_columns);
	foreach (cell, query->targetList)
	{
		const TargetEntry *entry = lfirst(cell);

		if (entry->resjunk)
			continue;
		if (IsA(entry->expr, Var))
			adopted->face_to_base[entry->resno - 1] =
				((const Var *) entry->expr)->varattno;
		else if (is_document_read((Node *) entry->expr))
			read_call(adopted, (const FuncExpr *) entry->expr, entry,
					  NameStr(TupleDescAttr(face->rd_att, entry->resno - 1)
								  ->attname));
		else
			unusable(adopted,
					 "Its view has a column that is none of the base.");
	}
	if (adopted->nkeys == 0)
		unusable(adopted, "Its view does not call document_read().");
	for (int k = 0; k < adopted->nkeys; k++)
	{
		DbvcKeyColumn *key = &adopted->key[k];

		for (int i = 0; i < adopted->face_columns; i++)
		{
			if (adopted->face_to_base[i] == key->base)
				key->face = i + 1;
		}
		if (key->face == 0)
			unusable(adopted, "Its view lacks a column of the key.");
		key->face_name = pstrdup(
			NameStr(TupleDescAttr(face->rd_att, key->face - 1)->attname));
	}
	adopted->doc_name = pstrdup(
		NameStr(TupleDescAttr(base->rd_att, adopted->base_doc - 1)->attname));
	table_close(face, AccessShareLock);
}

static const char *
equality(Oid index, int column)
{
	HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Oid operator;
	Oid opclass;
	Oid type;
	bool isnull;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for index %u", index);
	opclass = ((oidvector *) DatumGetPointer(
				   SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indclass,
								   &isnull)))
				  ->values[column];
	type = get_opclass_input_type(opclass);
	operator= get_opfamily_member(get_opclass_family(opclass), type, type,
								  BTEqualStrategyNumber);
	ReleaseSysCache(tuple);
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "no equality operator for column %d of index %u", column,
			 index);
	{
		Form_pg_operator form = (Form_pg_operator) GETSTRUCT(tuple);
		char *result =
			psprintf("OPERATOR(%s.%s)",
					 quote_identifier(get_namespace_name(form->oprnamespace)),
					 NameStr(form->oprname));

		ReleaseSysCache(tuple);
		return result;
	}
}

static AttrNumber
items_column(const DbvcAdopted *adopted, const char *name)
{
	AttrNumber column = get_attnum(adopted->items, name);

	if (column == InvalidAttrNumber)
		unusable(adopted,
				 psprintf("Its items table has no column \"%s\".", name));
	return column;
}

static void
read_items(DbvcAdopted *adopted, Relation base)
{
	Relation items = table_open(adopted->items, AccessShareLock);
	Relation pkey;

	check_is_table(adopted, items, "Its items are no table.");
	list_free(RelationGetIndexList(items));
	adopted->items_pkey = items->rd_pkindex;
	if (!OidIsValid(adopted->items_pkey))
		unusable(adopted, "Its items table has no primary key.");
	pkey = index_open(adopted->items_pkey, AccessShareLock);
	if (pkey->rd_index->indnkeyatts != adopted->nkeys + 2)
		unusable(adopted, "The primary key of its items has other columns.");
	for (int k = 0; k < adopted->nkeys; k++)
	{
		DbvcKeyColumn *key = &adopted->key[k];
		Form_pg_attribute column = TupleDescAttr(base->rd_att, key->base - 1);

		key->items = pkey->rd_index->indkey.values[k];
		key->type = column->atttypid;
		key->typmod = column->atttypmod;
		key->collation = column->attcollation;
		key->typlen = column->attlen;
		key->typbyval = column->attbyval;
		key->base_name = pstrdup(NameStr(column->attname));
		key->items_name = pstrdup(
			NameStr(TupleDescAttr(items->rd_att, key->items - 1)->attname));
		key->equal = equality(adopted->items_pkey, k);
	}
	index_close(pkey, AccessShareLock);
	table_close(items, AccessShareLock);
	adopted->items_type = items_column(adopted, DBVC_ITEMS_TYPE);
	adopted->items_id = items_column(adopted, DBVC_ITEMS_ID);
	adopted->items_ord = items_column(adopted, DBVC_ITEMS_ORD);
	adopted->items_data = items_column(adopted, DBVC_ITEMS_DATA);
	adopted->items_version = items_column(adopted, DBVC_ITEMS_VERSION);
	adopted->items_created = items_column(adopted, DBVC_ITEMS_CREATED);
	adopted->items_updated = items_column(adopted, DBVC_ITEMS_UPDATED);
	adopted->items_deleted = items_column(adopted, DBVC_ITEMS_DELETED);
}

static DbvcAdopted *
read_all(Oid relation)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dbvc adopted table",
							  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	DbvcAdopted *adopted = palloc0(sizeof(DbvcAdopted));
	Relation base;

	adopted->runtime = palloc0(sizeof(DbvcRuntime));
	adopted->runtime->context = context;
	adopted->runtime->valid = true;
	if (!read_config(adopted, relation))
	{
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		return NULL;
	}
	adopted->name = qualified_name(adopted->face);
	adopted->base_name = qualified_name(adopted->base);
	adopted->items_name = qualified_name(adopted->items);
	base = table_open(adopted->base, AccessShareLock);
	check_is_table(adopted, base, "Its base is no table.");
	adopted->owner = base->rd_rel->relowner;
	adopted->partitioned = base->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	read_face(adopted, base);
	read_items(adopted, base);
	dbvc_base_describe(adopted, base);
	table_close(base, AccessShareLock);
	MemoryContextSwitchTo(old);
	return adopted;
}

/* Read until nothing has come in that might be about what was read. */
static DbvcAdopted *
load(Oid relation)
{
	for (int round = 1;; round++)
	{
		uint64 before = invalidations;
		DbvcAdopted *adopted = read_all(relation);

		if (adopted == NULL || before == invalidations)
			return adopted;
		/* when they never end, it is read anew next time */
		if (round == LOAD_ROUNDS)
		{
			adopted->runtime->valid = false;
			return adopted;
		}
		MemoryContextDelete(adopted->runtime->context);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
remember(DbvcAdopted *adopted)
{
	const Oid relations[] = {adopted->base, adopted->face, adopted->items};

	MemoryContextSetParent(adopted->runtime->context, CacheMemoryContext);
	for (int i = 0; i < lengthof(relations); i++)
	{
		Cached *cached = hash_search(cache, &relations[i], HASH_ENTER, NULL);

		cached->adopted = adopted;
	}
}

const DbvcAdopted *
dbvc_adopted_get(Oid relation, bool missing_ok)
{
	Cached *cached;
	DbvcAdopted *adopted;

	if (cache == NULL)
		start_cache();
	cached = hash_search(cache, &relation, HASH_FIND, NULL);
	if (cached != NULL)
	{
		adopted = cached->adopted;
		if (likely(adopted->runtime->valid))
			return adopted;
		forget(adopted);
	}
	adopted = load(relation);
	if (adopted != NULL)
	{
		remember(adopted);
		return adopted;
	}
	if (!missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an adopted table",
						get_rel_name(relation) ? get_rel_name(relation) : "?"),
				 errhint("See dbvc.document_adopt().")));
	return NULL;
}

/* ---------------------------------------------------------------- keys */

Datum *
dbvc_adopted_key(const DbvcAdopted *adopted, ArrayType *texts)
{
	Datum *key = palloc(sizeof(Datum) * adopted->nkeys);
	Datum *elements;
	bool *nulls;
	int count;

	if (ARR_NDIM(texts) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("key must be an array of one dimension")));
	deconstruct_array(texts, TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	if (count != adopted->nkeys)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("key of %s has %d columns, not %d",
							   adopted->name, adopted->nkeys, count),
						errhint("Give one text for each column of the key.")));
	for (int k = 0; k < count; k++)
	{
		Oid function;
		Oid param;

		if (nulls[k])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("key of %s cannot be null", adopted->name),
							errdetail("Column \"%s\" was given as null.",
									  adopted->key[k].base_name)));
		getTypeInputInfo(adopted->key[k].type, &function, &param);
		key[k] =
			OidInputFunctionCall(function, TextDatumGetCString(elements[k]),
								 param, adopted->key[k].typmod);
	}
	return key;
}

char *
dbvc_adopted_key_text(const DbvcAdopted *adopted, const Datum *key)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int k = 0; k < adopted->nkeys; k++)
	{
		Oid function;
		bool varlena;

		getTypeOutputInfo(adopted->key[k].type, &function, &varlena);
		appendStringInfo(&text, "%s%s", k == 0 ? "(" : ", ",
						 OidOutputFunctionCall(function, key[k]));
	}
	appendStringInfoChar(&text, ')');
	return text.data;
}

static char *
where(const DbvcAdopted *adopted, const char *alias, int first, bool items)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int k = 0; k < adopted->nkeys; k++)
	{
		const DbvcKeyColumn *key = &adopted->key[k];

		appendStringInfo(&text, "%s%s%s%s %s $%d", k == 0 ? "" : " AND ",
						 alias, *alias ? "." : "",
						 quote_identifier(items ? key->items_name
												: key->base_name),
						 key->equal, first + k);
	}
	return text.data;
}

char *
dbvc_adopted_base_where(const DbvcAdopted *adopted, const char *alias,
						int first)
{
	return where(adopted, alias, first, false);
}

char *
dbvc_adopted_items_where(const DbvcAdopted *adopted, const char *alias,
						 int first)
{
	return where(adopted, alias, first, true);
}
