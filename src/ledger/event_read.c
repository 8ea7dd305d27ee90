/*
 * event_read.c
 *		Fields of a stored event body, for C and, by name, for SQL views.
 */
#include "ledger/ledger.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "util/util.h"

typedef struct FieldInfo
{
	const char *name;
	uint16 id;
	DbvcCanonType type;
} FieldInfo;

static const FieldInfo fields[] = {
#define FIELD_INFO(id, symbol, name, type) {name, id, DBVC_CANON_##type},
	DBVC_EVENT_FIELDS(FIELD_INFO)};

static bool
find(bytea *body, uint16 id, DbvcCanonType type, const char **value, Size *len)
{
	return dbvc_canon_find(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), id,
						   type, true, value, len);
}

char *
dbvc_event_get_text(bytea *body, DbvcEventField field)
{
	const char *value;
	Size len;

	return find(body, field, DBVC_CANON_TEXT, &value, &len)
			   ? dbvc_canon_read_text(value, len)
			   : NULL;
}

List *
dbvc_event_get_list(bytea *body, DbvcEventField field)
{
	const char *value;
	Size len;

	return find(body, field, DBVC_CANON_LIST, &value, &len)
			   ? dbvc_canon_read_list(value, len)
			   : NIL;
}

static bytea *
copy_bytes(const char *value, Size len)
{
	bytea *copy = palloc(VARHDRSZ + len);

	SET_VARSIZE(copy, VARHDRSZ + len);
	memcpy(VARDATA(copy), value, len);
	return copy;
}

bytea *
dbvc_event_get_bytes(bytea *body, DbvcEventField field)
{
	const char *value;
	Size len;

	return find(body, field, DBVC_CANON_BYTES, &value, &len)
			   ? copy_bytes(value, len)
			   : NULL;
}

bool
dbvc_event_get_bool(bytea *body, DbvcEventField field, bool *result)
{
	const char *value;
	Size len;

	if (!find(body, field, DBVC_CANON_BOOL, &value, &len))
		return false;
	*result = len == 1 && value[0] != 0;
	return true;
}

bool
dbvc_event_get_int(bytea *body, DbvcEventField field, int64 *result)
{
	const char *value;
	Size len;

	if (!find(body, field, DBVC_CANON_INT, &value, &len))
		return false;
	*result = dbvc_canon_read_int(value, len);
	return true;
}

bool
dbvc_event_get_time(bytea *body, DbvcEventField field, TimestampTz *result)
{
	const char *value;
	Size len;

	if (!find(body, field, DBVC_CANON_TIME, &value, &len))
		return false;
	*result = dbvc_canon_read_time(value, len);
	return true;
}

/* Find the field that an SQL caller names, of the type its function reads. */
static bool
find_by_name(FunctionCallInfo fcinfo, DbvcCanonType type, const char **value,
			 Size *len)
{
	bytea *body = PG_GETARG_BYTEA_PP(0);
	text *name = PG_GETARG_TEXT_PP(1);
	Size name_len = VARSIZE_ANY_EXHDR(name);

	for (int i = 0; i < lengthof(fields); i++)
	{
		const FieldInfo *field = &fields[i];

		if (strlen(field->name) != name_len ||
			memcmp(field->name, VARDATA_ANY(name), name_len) != 0)
			continue;
		if (field->type != type && !(type == DBVC_CANON_BYTES &&
									 field->type == DBVC_CANON_COMMITMENT))
			ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
							errmsg("event field \"%s\" has another type",
								   field->name)));
		/* a forged row must not break every view: it reads as nulls */
		return dbvc_canon_find(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body),
							   field->id, field->type, false, value, len);
	}
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_PARAMETER),
					errmsg("event field \"%s\" does not exist",
						   text_to_cstring(name))));
}

PG_FUNCTION_INFO_V1(dbvc_event_field_text);
Datum
dbvc_event_field_text(PG_FUNCTION_ARGS)
{
	const char *value;
	Size len;

	if (!find_by_name(fcinfo, DBVC_CANON_TEXT, &value, &len))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(dbvc_canon_read_text(value, len)));
}

PG_FUNCTION_INFO_V1(dbvc_event_field_bigint);
Datum
dbvc_event_field_bigint(PG_FUNCTION_ARGS)
{
	const char *value;
	Size len;

	if (!find_by_name(fcinfo, DBVC_CANON_INT, &value, &len))
		PG_RETURN_NULL();
	PG_RETURN_INT64(dbvc_canon_read_int(value, len));
}

PG_FUNCTION_INFO_V1(dbvc_event_field_time);
Datum
dbvc_event_field_time(PG_FUNCTION_ARGS)
{
	const char *value;
	Size len;

	if (!find_by_name(fcinfo, DBVC_CANON_TIME, &value, &len))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(dbvc_canon_read_time(value, len));
}

PG_FUNCTION_INFO_V1(dbvc_event_field_bytea);
Datum
dbvc_event_field_bytea(PG_FUNCTION_ARGS)
{
	const char *value;
	Size len;

	if (!find_by_name(fcinfo, DBVC_CANON_BYTES, &value, &len))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(copy_bytes(value, len));
}

PG_FUNCTION_INFO_V1(dbvc_event_field_boolean);
Datum
dbvc_event_field_boolean(PG_FUNCTION_ARGS)
{
	const char *value;
	Size len;

	if (!find_by_name(fcinfo, DBVC_CANON_BOOL, &value, &len))
		PG_RETURN_NULL();
	PG_RETURN_BOOL(len == 1 && value[0] != 0);
}

PG_FUNCTION_INFO_V1(dbvc_event_field_list);
Datum
dbvc_event_field_list(PG_FUNCTION_ARGS)
{
	const char *value;
	Size len;

	if (!find_by_name(fcinfo, DBVC_CANON_LIST, &value, &len))
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(
		dbvc_list_text_array(dbvc_canon_read_list(value, len)));
}

PG_FUNCTION_INFO_V1(dbvc_event_leaf);
Datum
dbvc_event_leaf(PG_FUNCTION_ARGS)
{
	bytea *body = PG_GETARG_BYTEA_PP(0);
	uint8 hash[DBVC_SHA256_LEN];

	dbvc_event_leaf_hash(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), hash);
	PG_RETURN_BYTEA_P(copy_bytes((const char *) hash, sizeof(hash)));
}
