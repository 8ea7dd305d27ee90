/*
 * names.c
 *		Names of objects, from the rows of a catalog.
 *
 * A name is made once and kept as long as the catalog, since most are asked
 * for again and again (schemas, types, roles).  Nothing here looks into the
 * syscache: all names are of the catalog's snapshot, and a number stands for
 * what has no row in it.
 *
 * Types are spelled as format_type_extended() spells them when nothing but
 * pg_catalog is on the search_path, identities as pg_identify_object() gives them.
 */
#include "snapshot/define.h"

#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_tablespace.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "common/hashfn.h"
#include "snapshot/names.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

typedef enum NameKind
{
	NAME_RELATION,
	NAME_COLLATION,
	NAME_ROLE,
	NAME_LANGUAGE,
	NAME_ACCESS_METHOD,
	NAME_TABLESPACE,
	NAME_SERVER,
	NAME_FDW,
	NAME_PUBLICATION,
	NAME_TS_PARSER,
	NAME_TS_DICT,
	NAME_TS_TEMPLATE,
	NAME_TS_CONFIG,
	NAME_SIMPLE_COUNT, /* those above are a name, perhaps in a schema */
	NAME_OPCLASS = NAME_SIMPLE_COUNT,
	NAME_OPFAMILY,
	NAME_FUNCTION,
	NAME_OPERATOR,
	NAME_TYPE,			 /* with a type modifier, -1: none */
	NAME_TYPE_QUALIFIED, /* as in identities */
	NAME_SCHEMA,		 /* bare */
	NAME_COLUMNS,		 /* not a string: ColumnNames */
	NAME_CAPTURED,		 /* not a string: is the schema captured? */
} NameKind;

typedef struct NameKey
{
	uint32 kind;
	Oid oid;
	int32 typmod;
} NameKey;

typedef struct NameEntry
{
	NameKey key;
	char status; /* simplehash's */
	const void *value;
} NameEntry;

#define SH_PREFIX names
#define SH_ELEMENT_TYPE NameEntry
#define SH_KEY_TYPE NameKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) \
	hash_combine(murmurhash32((key).oid), \
				 murmurhash32((uint32) (key).typmod ^ (key).kind << 27))
#define SH_EQUAL(table, a, b) \
	((a).oid == (b).oid && (a).kind == (b).kind && (a).typmod == (b).typmod)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The names that one catalog keeps. */
typedef struct Names
{
	struct Names *next;
	DbvcCatalog *catalog;
	MemoryContext context;
	names_hash *table;
	MemoryContextCallback forget;
} Names;

typedef struct ColumnNames
{
	int count;
	const char **names;
} ColumnNames;

/* Of all open catalogs; the one used last comes first. */
static Names *all_names = NULL;

static void
forget_names(void *arg)
{
	for (Names **p = &all_names; *p != NULL; p = &(*p)->next)
		if (*p == arg)
		{
			*p = (*p)->next;
			return;
		}
}

static Names *
names_of(DbvcCatalog *catalog)
{
	Names *names;

	if (likely(all_names != NULL && all_names->catalog == catalog))
		return all_names;
	for (Names **p = &all_names; *p != NULL; p = &(*p)->next)
		if ((*p)->catalog == catalog)
		{
			names = *p;
			*p = names->next;
			names->next = all_names;
			all_names = names;
			return names;
		}
	names =
		MemoryContextAllocZero(dbvc_catalog_context(catalog), sizeof(Names));
	names->catalog = catalog;
	names->context = dbvc_catalog_context(catalog);
	names->table = names_create(names->context, 1024, NULL);
	names->forget.func = forget_names;
	names->forget.arg = names;
	MemoryContextRegisterResetCallback(names->context, &names->forget);
	names->next = all_names;
	all_names = names;
	return names;
}

/* What is kept under a key; false: nothing yet. */
static inline bool
recall(Names *names, NameKey key, const void **value)
{
	NameEntry *entry = names_lookup(names->table, key);

	if (entry == NULL)
		return false;
	*value = entry->value;
	return true;
}

static void
keep(Names *names, NameKey key, const void *value)
{
	bool found;
	NameEntry *entry = names_insert(names->table, key, &found);

	entry->value = value;
}

/* ------------------------------------------------------- names in a schema */

#define NO_SCHEMA (-1)

static const struct
{
	DbvcShelf shelf;
	int name;	/* offset of the name in the row's fixed part */
	int schema; /* of the schema's OID, or NO_SCHEMA */
} sources[NAME_SIMPLE_COUNT + 2] = {
#define SOURCE(kind, shelf, catalog, name, schema) \
	[NAME_##kind] = {DBVC_SHELF_##shelf, offsetof(FormData_##catalog, name), \
					 schema}
#define SOURCE_IN(kind, shelf, catalog, name, schema) \
	SOURCE(kind, shelf, catalog, name, offsetof(FormData_##catalog, schema))
	SOURCE_IN(RELATION, CLASS, pg_class, relname, relnamespace),
	SOURCE_IN(COLLATION, COLLATION, pg_collation, collname, collnamespace),
	SOURCE(ROLE, AUTHID, pg_authid, rolname, NO_SCHEMA),
	SOURCE(LANGUAGE, LANGUAGE, pg_language, lanname, NO_SCHEMA),
	SOURCE(ACCESS_METHOD, AM, pg_am, amname, NO_SCHEMA),
	SOURCE(TABLESPACE, TABLESPACE, pg_tablespace, spcname, NO_SCHEMA),
	SOURCE(SERVER, SERVER, pg_foreign_server, srvname, NO_SCHEMA),
	SOURCE(FDW, FDW, pg_foreign_data_wrapper, fdwname, NO_SCHEMA),
	SOURCE(PUBLICATION, PUBLICATION, pg_publication, pubname, NO_SCHEMA),
	SOURCE_IN(TS_PARSER, TS_PARSER, pg_ts_parser, prsname, prsnamespace),
	SOURCE_IN(TS_DICT, TS_DICT, pg_ts_dict, dictname, dictnamespace),
	SOURCE_IN(TS_TEMPLATE, TS_TEMPLATE, pg_ts_template, tmplname,
			  tmplnamespace),
	SOURCE_IN(TS_CONFIG, TS_CONFIG, pg_ts_config, cfgname, cfgnamespace),
	SOURCE_IN(OPCLASS, OPCLASS, pg_opclass, opcname, opcnamespace),
	SOURCE_IN(OPFAMILY, OPFAMILY, pg_opfamily, opfname, opfnamespace),
};

char *
dbvc_qualified_name(const char *schema, const char *name)
{
	return quote_qualified_identifier(schema, name);
}

/* A number for what has no row. */
static char *
number(Oid oid)
{
	return psprintf("%u", oid);
}

static char *
make_simple(DbvcCatalog *catalog, NameKind kind, Oid oid)
{
	DbvcRow *row = dbvc_catalog_row(catalog, sources[kind].shelf, oid);
	const char *fixed;
	const char *name;

	if (row == NULL)
		return number(oid);
	fixed = GETSTRUCT(&row->tuple);
	name = NameStr(*(const NameData *) (fixed + sources[kind].name));
	if (sources[kind].schema == NO_SCHEMA)
		return pstrdup(quote_identifier(name));
	return dbvc_qualified_name(
		dbvc_schema_name(catalog,
						 *(const Oid *) (fixed + sources[kind].schema)),
		name);
}

/* Operator classes and families are of an access method. */
static char *
make_for_access_method(DbvcCatalog *catalog, NameKind kind, Oid oid)
{
	DbvcRow *row = dbvc_catalog_row(catalog, sources[kind].shelf, oid);
	Oid am;

	if (row == NULL)
		return number(oid);
	am = kind == NAME_OPCLASS ? dbvc_form(row, pg_opclass)->opcmethod
							  : dbvc_form(row, pg_opfamily)->opfmethod;
	return psprintf("%s USING %s", make_simple(catalog, kind, oid),
					dbvc_name_access_method(catalog, am));
}

static char *
make_function(DbvcCatalog *catalog, Oid function)
{
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_PROC, function);
	Form_pg_proc proc;
	StringInfoData buf;

	if (row == NULL)
		return number(function);
	proc = dbvc_form(row, pg_proc);
	initStringInfo(&buf);
	appendStringInfoString(
		&buf,
		dbvc_qualified_name(dbvc_schema_name(catalog, proc->pronamespace),
							NameStr(proc->proname)));
	appendStringInfoChar(&buf, '(');
	for (int i = 0; i < proc->pronargs; i++)
	{
		if (i > 0)
			appendStringInfoChar(&buf, ',');
		appendStringInfoString(
			&buf,
			dbvc_name_type_qualified(catalog, proc->proargtypes.values[i]));
	}
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

static char *
make_operator(DbvcCatalog *catalog, Oid operator)
{
	DbvcRow *row = dbvc_catalog_row(catalog, DBVC_SHELF_OPERATOR, operator);
	Form_pg_operator form;

	if (row == NULL)
		return number(operator);
	form = dbvc_form(row, pg_operator);
	return psprintf("%s.%s(%s,%s)",
					quote_identifier(
						dbvc_schema_name(catalog, form->oprnamespace)),
					NameStr(form->oprname),
					OidIsValid(form->oprleft)
						? dbvc_name_type_qualified(catalog, form->oprleft)
						: "NONE",
					OidIsValid(form->oprright)
						? dbvc_name_type_qualified(catalog, form->oprright)
						: "NONE");
}

/* --------------------------------------------------------------- look-up */

/* The name of an object; what is told apart by a modifier has one. */
static const char *
name_of(DbvcCatalog *catalog, NameKind kind, Oid oid, int32 typmod)
{
	Names *names = names_of(catalog);
	NameKey key = {kind, oid, typmod};
	const void *value;
	char *made;

	if (likely(recall(names, key, &value)))
		return value;
	switch (kind)
	{
		case NAME_OPCLASS:
		case NAME_OPFAMILY:
			made = make_for_access_method(catalog, kind, oid);
			break;
		case NAME_FUNCTION:
			made = make_function(catalog, oid);
			break;
		case NAME_OPERATOR:
			made = make_operator(catalog, oid);
			break;
		case NAME_TYPE:
			made = dbvc_type_text(catalog, oid, typmod, false);
			break;
		case NAME_TYPE_QUALIFIED:
			made = dbvc_type_text(catalog, oid, -1, true);
			break;
		default:
			made = make_simple(catalog, kind, oid);
			break;
	}
	value = MemoryContextStrdup(names->context, made);
	keep(names, key, value);
	pfree(made);
	return value;
}

#define NAMER(function, kind) \
	const char *function(DbvcCatalog *catalog, Oid oid) \
	{ \
		return name_of(catalog, (kind), oid, -1); \
	}
/* clang-format off */
NAMER(dbvc_name_relation, NAME_RELATION)
NAMER(dbvc_name_function, NAME_FUNCTION)
NAMER(dbvc_name_operator, NAME_OPERATOR)
NAMER(dbvc_name_collation, NAME_COLLATION)
NAMER(dbvc_name_opclass, NAME_OPCLASS)
NAMER(dbvc_name_opfamily, NAME_OPFAMILY)
NAMER(dbvc_name_language, NAME_LANGUAGE)
NAMER(dbvc_name_access_method, NAME_ACCESS_METHOD)
NAMER(dbvc_name_server, NAME_SERVER)
NAMER(dbvc_name_fdw, NAME_FDW)
NAMER(dbvc_name_publication, NAME_PUBLICATION)
NAMER(dbvc_name_ts_parser, NAME_TS_PARSER)
NAMER(dbvc_name_ts_dict, NAME_TS_DICT)
NAMER(dbvc_name_ts_template, NAME_TS_TEMPLATE)
NAMER(dbvc_name_ts_config, NAME_TS_CONFIG)
NAMER(dbvc_name_type_qualified, NAME_TYPE_QUALIFIED)
/* clang-format on */

const char *
dbvc_name_role(DbvcCatalog *catalog, Oid role)
{
	return OidIsValid(role) ? name_of(catalog, NAME_ROLE, role, -1) : "PUBLIC";
}

const char *
dbvc_name_tablespace(DbvcCatalog *catalog, Oid tablespace)
{
	return OidIsValid(tablespace)
			   ? name_of(catalog, NAME_TABLESPACE, tablespace, -1)
			   : NULL;
}

const char *
dbvc_name_type(DbvcCatalog *catalog, Oid type, int32 typmod)
{
	return name_of(catalog, NAME_TYPE, type, typmod < 0 ? -1 : typmod);
}

const char *
dbvc_schema_name(DbvcCatalog *catalog, Oid schema)
{
	Names *names = names_of(catalog);
	NameKey key = {NAME_SCHEMA, schema, -1};
	const void *value;
	DbvcRow *row;

	if (!OidIsValid(schema))
		return NULL;
	if (likely(recall(names, key, &value)))
		return value;
	row = dbvc_catalog_row(catalog, DBVC_SHELF_NAMESPACE, schema);
	/* a row lives as long as the catalog */
	value =
		row == NULL
			? MemoryContextStrdup(names->context, number(schema))
			: (const void *) NameStr(dbvc_form(row, pg_namespace)->nspname);
	keep(names, key, value);
	return value;
}

char *
dbvc_schema_identity(DbvcCatalog *catalog, Oid schema)
{
	return pstrdup(quote_identifier(dbvc_schema_name(catalog, schema)));
}

/* --------------------------------------------------------------- columns */

static const ColumnNames *
columns_of(DbvcCatalog *catalog, Oid relation)
{
	Names *names = names_of(catalog);
	NameKey key = {NAME_COLUMNS, relation, -1};
	const void *value;
	ColumnNames *columns;
	DbvcRow *rows;

	if (likely(recall(names, key, &value)))
		return value;
	rows =
		dbvc_catalog_rows(catalog, DBVC_SHELF_ATTRIBUTE, InvalidOid, relation);
	columns = MemoryContextAllocZero(names->context, sizeof(ColumnNames));
	for (DbvcRow *row = rows; row != NULL; row = row->next)
		columns->count =
			Max(columns->count, dbvc_form(row, pg_attribute)->attnum);
	columns->names =
		MemoryContextAlloc(names->context,
						   sizeof(char *) * Max(columns->count, 1));
	for (int i = 0; i < columns->count; i++)
		columns->names[i] = "";
	for (DbvcRow *row = rows; row != NULL; row = row->next)
	{
		Form_pg_attribute column = dbvc_form(row, pg_attribute);

		if (column->attnum > 0 && !column->attisdropped)
			columns->names[column->attnum - 1] = NameStr(column->attname);
	}
	keep(names, key, columns);
	return columns;
}

const char *
dbvc_column_name(DbvcCatalog *catalog, Oid relation, AttrNumber attnum)
{
	const ColumnNames *columns = columns_of(catalog, relation);

	if (attnum < 1 || attnum > columns->count ||
		columns->names[attnum - 1][0] == '\0')
		return NULL;
	return columns->names[attnum - 1];
}

const char **
dbvc_column_names(DbvcCatalog *catalog, Oid relation, int *count)
{
	const ColumnNames *columns = columns_of(catalog, relation);

	*count = columns->count;
	return columns->names;
}

/* ------------------------------------------------------ what is captured */

/* A name that only the system gives.  What dbvc itself has in its schema are
 * members of its extension; whatever else is there was put there by somebody. */
static bool
is_left_out(const char *schema)
{
	return strncmp(schema, "pg_", 3) == 0 ||
		   strcmp(schema, "information_schema") == 0;
}

bool
dbvc_schema_is_captured(DbvcCatalog *catalog, Oid schema)
{
	static const char yes[] = "yes";
	Names *names = names_of(catalog);
	NameKey key = {NAME_CAPTURED, schema, -1};
	const void *value;

	if (!OidIsValid(schema))
		return false;
	if (likely(recall(names, key, &value)))
		return value != NULL;
	value = dbvc_catalog_row(catalog, DBVC_SHELF_NAMESPACE, schema) != NULL &&
					!is_left_out(dbvc_schema_name(catalog, schema))
				? yes
				: NULL;
	keep(names, key, value);
	return value != NULL;
}
