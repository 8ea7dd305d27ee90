/*
 * type_name.c
 *		Types spelled as format_type_extended() does.
 */
#include "snapshot/names.h"

#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

/*
 * Types that the grammar knows by another name than their own.  A modifier
 * comes out of the type's own function, which also says "without time zone".
 */
static const struct
{
	Oid type;
	const char *name; /* with a modifier */
	const char
		*bare; /* without one; NULL: only where no modifier could be meant */
} spellings[] = {
	{BITOID, "bit", NULL},
	{BOOLOID, "boolean", "boolean"},
	{BPCHAROID, "character", NULL},
	{FLOAT4OID, "real", "real"},
	{FLOAT8OID, "double precision", "double precision"},
	{INT2OID, "smallint", "smallint"},
	{INT4OID, "integer", "integer"},
	{INT8OID, "bigint", "bigint"},
	{NUMERICOID, "numeric", "numeric"},
	{INTERVALOID, "interval", "interval"},
	{TIMEOID, "time", "time without time zone"},
	{TIMETZOID, "time", "time with time zone"},
	{TIMESTAMPOID, "timestamp", "timestamp without time zone"},
	{TIMESTAMPTZOID, "timestamp", "timestamp with time zone"},
	{VARBITOID, "bit varying", "bit varying"},
	{VARCHAROID, "character varying", "character varying"},
#if DBVC_JSON_IS_KEYWORD
	{JSONOID, "json", "json"},
#endif
};

/* The name with its modifier. */
static char *
with_modifier(const char *name, int32 typmod, Oid typmodout)
{
	if (!OidIsValid(typmodout))
		return psprintf("%s(%d)", name, (int) typmod);
	return psprintf("%s%s", name,
					DatumGetCString(
						OidFunctionCall1(typmodout, Int32GetDatum(typmod))));
}

/* As the grammar has it; NULL when it has no name of its own for it. */
static char *
spelling(Oid type, int32 typmod, bool qualified, Oid typmodout)
{
	for (int i = 0; i < lengthof(spellings); i++)
	{
		if (spellings[i].type != type)
			continue;
		if (typmod >= 0)
			return with_modifier(spellings[i].name, typmod, typmodout);
		if (spellings[i].bare != NULL)
			return pstrdup(spellings[i].bare);
		/* bit and character without a modifier are not what the grammar makes
		 * of these words */
		return qualified ? pstrdup(spellings[i].name) : NULL;
	}
	return NULL;
}

static char *
spell(DbvcCatalog *catalog, Form_pg_type type, int32 typmod, bool qualified)
{
	char *name = spelling(type->oid, typmod, qualified, type->typmodout);

	if (name != NULL)
		return name;
	name = dbvc_qualified_name(!qualified && type->typnamespace ==
												 PG_CATALOG_NAMESPACE
								   ? NULL
								   : dbvc_schema_name(catalog,
													  type->typnamespace),
							   NameStr(type->typname));
	return typmod >= 0 ? with_modifier(name, typmod, type->typmodout) : name;
}

char *
dbvc_type_text(DbvcCatalog *catalog, Oid type, int32 typmod, bool qualified)
{
	DbvcRow *row;
	Form_pg_type form;

	if (!OidIsValid(type))
		return pstrdup("-");
	row = dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, type);
	if (row == NULL)
		return psprintf("%u", type);
	form = dbvc_form(row, pg_type);
	/* fixed-length "arrays" such as oidvector go by their names */
	if (!IsTrueArrayType(form) || form->typstorage == TYPSTORAGE_PLAIN)
		return spell(catalog, form, typmod, qualified);
	row = dbvc_catalog_row(catalog, DBVC_SHELF_TYPE, form->typelem);
	if (row == NULL)
		return psprintf("%u[]", form->typelem);
	return psprintf("%s[]", spell(catalog, dbvc_form(row, pg_type), typmod,
								  qualified));
}
