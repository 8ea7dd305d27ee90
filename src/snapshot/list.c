/*
 * list.c
 *		Lists of objects: sorted, filtered, fingerprinted.
 *
 * A list can have hundreds of thousands of entries, so strings that entries
 * share with the one before (type, schema, parent) are kept once.
 */
#include "snapshot/snapshot.h"

#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "util/util.h"

#define FIRST_ALLOCATED 64
#define SETTINGS_TYPE "settings"

const char *
dbvc_to_utf8(const char *text, Size *len)
{
	if (GetDatabaseEncoding() != PG_SQL_ASCII)
		return dbvc_canon_utf8(text, len);
	*len = strlen(text);
	return text;
}

const char *
dbvc_from_utf8(const char *utf8)
{
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return utf8;
	return pg_any_to_server(utf8, strlen(utf8), PG_UTF8);
}

DbvcList *
dbvc_list_new(MemoryContext context)
{
	DbvcList *list = MemoryContextAllocZero(context, sizeof(DbvcList));

	list->context = context;
	return list;
}

DbvcEntry *
dbvc_list_append(DbvcList *list)
{
	DbvcEntry *entry;

	if (list->count == list->allocated)
	{
		int allocated =
			list->allocated == 0 ? FIRST_ALLOCATED : list->allocated * 2;
		Size size = (Size) allocated * sizeof(DbvcEntry);

		list->entries = list->entries == NULL
							? MemoryContextAllocHuge(list->context, size)
							: repalloc_huge(list->entries, size);
		list->allocated = allocated;
	}
	entry = &list->entries[list->count++];
	memset(entry, 0, sizeof(DbvcEntry));
	return entry;
}

/* The schema in which something called schema.name is, unquoted; NULL when
 * the name has no schema. */
static const char *
schema_of_name(const char *name)
{
	StringInfoData schema;
	const char *at = name;

	initStringInfo(&schema);
	if (*at == '"')
	{
		for (at++; *at != '\0'; at++)
		{
			if (*at == '"' && *++at != '"')
				break;
			appendStringInfoChar(&schema, *at);
		}
	}
	else
	{
		while (*at != '\0' && *at != '.' && *at != '(' && *at != ' ')
			appendStringInfoChar(&schema, *at++);
	}
	return *at == '.' ? schema.data : NULL;
}

/* A copy in UTF-8, or the string of the entry before when it is the same. */
static const char *
keep_string(DbvcList *list, const char *text, const char *before)
{
	Size len;
	const char *utf8;
	char *copy;

	if (text == NULL)
		return "";
	utf8 = dbvc_to_utf8(text, &len);
	if (before != NULL && strcmp(utf8, before) == 0)
		return before;
	copy = MemoryContextAlloc(list->context, len + 1);
	memcpy(copy, utf8, len + 1);
	return copy;
}

void
dbvc_list_add(DbvcList *list, const DbvcDefinition *definition, uint64 rows)
{
	DbvcEntry *entry = dbvc_list_append(list);
	const DbvcEntry *before = list->count > 1 ? entry - 1 : NULL;
	const char *schema = definition->schema;

	/* what hangs on a table is where the table is */
	if (schema == NULL && definition->parent != NULL)
		schema = schema_of_name(definition->parent);
	entry->type =
		keep_string(list, definition->type, before ? before->type : NULL);
	entry->identity = keep_string(list, definition->identity, NULL);
	entry->schema = keep_string(list, schema, before ? before->schema : NULL);
	entry->parent =
		keep_string(list, definition->parent, before ? before->parent : NULL);
	memcpy(entry->hash, definition->hash, DBVC_SHA256_LEN);
	entry->classid = definition->classid;
	entry->objid = definition->objid;
	entry->rows = rows;
	entry->unstable = definition->unstable;
	if (definition->attnums != NULL && definition->attnum_count > 0)
	{
		Size size = definition->attnum_count * sizeof(int16);

		entry->attnum_count = definition->attnum_count;
		entry->attnums = MemoryContextAlloc(list->context, size);
		memcpy(entry->attnums, definition->attnums, size);
	}
}

int
dbvc_entry_compare(const DbvcEntry *a, const DbvcEntry *b)
{
	int order = a->type == b->type ? 0 : strcmp(a->type, b->type);

	return order != 0 ? order : strcmp(a->identity, b->identity);
}

static int
compare_entries(const void *a, const void *b)
{
	return dbvc_entry_compare(a, b);
}

void
dbvc_list_sort(DbvcList *list)
{
	if (list->count > 1)
		qsort(list->entries, list->count, sizeof(DbvcEntry), compare_entries);
}

/* The schemas' names in UTF-8, as keys. */
static HTAB *
schema_set(const List *schemas)
{
	HASHCTL control = {.keysize = NAMEDATALEN * 4,
					   .entrysize = NAMEDATALEN * 4,
					   .hcxt = CurrentMemoryContext};
	HTAB *set = hash_create("dbvc schemas", Max(list_length(schemas), 1),
							&control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	ListCell *cell;

	foreach (cell, schemas)
	{
		Size len;
		const char *name = dbvc_to_utf8(lfirst(cell), &len);

		if (len < NAMEDATALEN * 4)
			(void) hash_search(set, name, HASH_ENTER, NULL);
	}
	return set;
}

bool
dbvc_entry_is_schema(const DbvcEntry *entry)
{
	return strcmp(entry->type, "schema") == 0;
}

/* Bare name of a schema from its identity, which is quoted where needed. */
static const char *
bare_name(const char *identity)
{
	const char *dotted;

	if (identity[0] != '"')
		return identity;
	dotted = schema_of_name(psprintf("%s.", identity));
	return dotted != NULL ? dotted : identity;
}

DbvcList *
dbvc_list_filter(const DbvcList *list, const List *schemas, bool settings)
{
	DbvcList *result = dbvc_list_new(CurrentMemoryContext);
	HTAB *set = schemas == NIL ? NULL : schema_set(schemas);

	for (int i = 0; i < list->count; i++)
	{
		const DbvcEntry *entry = &list->entries[i];
		const char *schema = entry->schema;

		if (strcmp(entry->type, SETTINGS_TYPE) == 0)
		{
			if (!settings)
				continue;
		}
		else if (set != NULL)
		{
			if (dbvc_entry_is_schema(entry))
				schema = bare_name(entry->identity);
			if (schema[0] == '\0' ||
				hash_search(set, schema, HASH_FIND, NULL) == NULL)
				continue;
		}
		*dbvc_list_append(result) = *entry;
	}
	return result;
}

static char *
put_u32(char *at, uint32 value)
{
	uint32 big = pg_hton32(value);

	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

static char *
put_string(char *at, const char *text)
{
	Size len = strlen(text);

	at = put_u32(at, len);
	memcpy(at, text, len);
	return at + len;
}

void
dbvc_list_fingerprint(const DbvcList *list, uint8 out[DBVC_SHA256_LEN])
{
	static const char magic[] = "dbvc-snapshot"; /* its NUL is part of it */
	Size size = sizeof(magic) + 2 * sizeof(uint32);
	DbvcPiece piece;
	char *buffer;
	char *at;

	for (int i = 0; i < list->count; i++)
		size += 2 * sizeof(uint32) + strlen(list->entries[i].type) +
				strlen(list->entries[i].identity) + DBVC_SHA256_LEN;
	buffer = MemoryContextAllocHuge(CurrentMemoryContext, size);
	memcpy(buffer, magic, sizeof(magic));
	at = put_u32(buffer + sizeof(magic), DBVC_DEFINITION_VERSION);
	at = put_u32(at, PG_MAJORVERSION_NUM);
	for (int i = 0; i < list->count; i++)
	{
		at = put_string(at, list->entries[i].type);
		at = put_string(at, list->entries[i].identity);
		memcpy(at, list->entries[i].hash, DBVC_SHA256_LEN);
		at += DBVC_SHA256_LEN;
	}
	piece.data = buffer;
	piece.len = at - buffer;
	dbvc_sha256(&piece, 1, out);
	pfree(buffer);
}
