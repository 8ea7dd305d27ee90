/*
 * definition_of.c
 *		SQL function definition_of(): one object, or one column of it.
 */
#include "snapshot/snapshot.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

/* Behind a value of canonical JSON, which has no white space. */
static const char *
skip_value(const char *at)
{
	int depth = 0;

	do
	{
		if (*at == '"')
		{
			for (at++; *at != '"' && *at != '\0'; at++)
			{
				if (*at == '\\')
					at++;
			}
		}
		else if (*at == '{' || *at == '[')
			depth++;
		else if (*at == '}' || *at == ']')
			depth--;
		if (*at == '\0')
			elog(ERROR, "definition is not well formed");
		at++;
	} while (depth > 0 || (*at != ',' && *at != '}' && *at != ']' &&
						   *at != ':' && *at != '\0'));
	return at;
}

/* Value of a member of an object, or NULL. */
static const char *
find_member(const char *object, const char *key)
{
	const char *at = object + 1;
	Size len = strlen(key);

	while (*at == '"')
	{
		const char *colon = skip_value(at);

		if ((Size) (colon - at) == len + 2 && memcmp(at + 1, key, len) == 0)
			return colon + 1;
		at = skip_value(colon + 1);
		at += *at == ',';
	}
	return NULL;
}

/* Narrow the definition of a relation to one of its columns. */
static bool
narrow_to_column(DbvcDefinition *definition, int column)
{
	const char *columns = find_member(definition->body, "columns");
	const char *at;
	const char *end;
	const char *name;
	DbvcPiece piece;
	int n = 1;

	if (columns == NULL || column < 1)
		return false;
	if (definition->attnums != NULL)
	{
		for (n = 0; n < definition->attnum_count; n++)
		{
			if (definition->attnums[n] == column)
				break;
		}
		column = n + 1;
		n = 1;
	}
	for (at = columns + 1; *at == '{' && n < column; n++)
	{
		at = skip_value(at);
		at += *at == ',';
	}
	if (*at != '{')
		return false;
	end = skip_value(at);
	name = find_member(at, "name");
	if (name == NULL)
		return false;
	name = text_to_cstring(DatumGetTextPP(DirectFunctionCall2(
		jsonb_object_field_text,
		DirectFunctionCall1(jsonb_in, CStringGetDatum(pnstrdup(at, end - at))),
		CStringGetTextDatum("name"))));
	definition->type = psprintf("%s column", definition->type);
	definition->identity =
		psprintf("%s.%s", definition->identity, quote_identifier(name));
	definition->body = pnstrdup(at, end - at);
	definition->body_len = end - at;
	piece.data = dbvc_to_utf8(definition->body, &piece.len);
	dbvc_sha256(&piece, 1, definition->hash);
	return true;
}

static void
put_definition(const DbvcDefinition *definition, Datum *values)
{
	bytea *hash = palloc(VARHDRSZ + DBVC_SHA256_LEN);

	SET_VARSIZE(hash, VARHDRSZ + DBVC_SHA256_LEN);
	memcpy(VARDATA(hash), definition->hash, DBVC_SHA256_LEN);
	values[0] = CStringGetTextDatum(definition->type);
	values[1] = CStringGetTextDatum(definition->identity);
	values[2] = PointerGetDatum(hash);
	values[3] =
		DirectFunctionCall1(jsonb_in,
							CStringGetDatum(pnstrdup(definition->body,
													 definition->body_len)));
}

PG_FUNCTION_INFO_V1(dbvc_definition_of);
Datum
dbvc_definition_of(PG_FUNCTION_ARGS)
{
	Oid classid = PG_GETARG_OID(0);
	Oid objid = PG_GETARG_OID(1);
	int32 objsubid = PG_GETARG_INT32(2);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	DbvcDefinition definition = {0};
	DbvcDefinitionScope scope;
	TupleDesc tupdesc;
	Datum values[4] = {0};
	bool nulls[4] = {true, true, true, true};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PushActiveSnapshot(snapshot);
	dbvc_definition_enter(&scope);
	if (dbvc_define(dbvc_catalog_open(snapshot, false), classid, objid,
					&definition) &&
		(objsubid == 0 || (classid == RelationRelationId &&
						   narrow_to_column(&definition, objsubid))))
	{
		put_definition(&definition, values);
		memset(nulls, false, sizeof(nulls));
	}
	dbvc_definition_leave(&scope);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	PG_RETURN_DATUM(
		HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}
