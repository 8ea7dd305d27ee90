/*
 * item_functions.c
 *		Writing items, for SQL.
 */
#include "document/item.h"

#include "document/doc_raw.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

static void
open_target(DbvcTarget *target, FunctionCallInfo fcinfo)
{
	dbvc_argument_require(fcinfo, 0, "source");
	dbvc_argument_require(fcinfo, 1, "key");
	dbvc_target_open(target, PG_GETARG_OID(0), PG_GETARG_ARRAYTYPE_P(1),
					 RowExclusiveLock);
	dbvc_write_begin(target->adopted, DBVC_WRITE_SPLIT, false);
	target->writing = true;
}

static void
close_target(void)
{
	dbvc_write_end();
	SPI_finish();
}

PG_FUNCTION_INFO_V1(dbvc_item_save);
Datum
dbvc_item_save(PG_FUNCTION_ARGS)
{
	DbvcTarget target;
	DbvcItemSave save = {0};
	Datum result;

	dbvc_argument_require(fcinfo, 2, "type");
	dbvc_argument_require(fcinfo, 3, "data");
	save.type = text_to_cstring(PG_GETARG_TEXT_PP(2));
	save.value = dbvc_value_read(PG_GETARG_DATUM(3));
	if (!PG_ARGISNULL(4))
		save.given = text_to_cstring(PG_GETARG_TEXT_PP(4));
	open_target(&target, fcinfo);
	dbvc_items_save(&target, &save, 1, false, false);
	MemoryContextSwitchTo(target.call);
	result = CStringGetTextDatum(save.id);
	close_target();
	return result;
}

PG_FUNCTION_INFO_V1(dbvc_item_delete);
Datum
dbvc_item_delete(PG_FUNCTION_ARGS)
{
	DbvcTarget target;
	bool result;

	dbvc_argument_require(fcinfo, 2, "type");
	dbvc_argument_require(fcinfo, 3, "item_id");
	open_target(&target, fcinfo);
	result = dbvc_target_delete(&target, text_to_cstring(PG_GETARG_TEXT_PP(2)),
								text_to_cstring(PG_GETARG_TEXT_PP(3)));
	close_target();
	PG_RETURN_BOOL(result);
}

PG_FUNCTION_INFO_V1(dbvc_item_restore);
Datum
dbvc_item_restore(PG_FUNCTION_ARGS)
{
	DbvcTarget target;
	bool result;

	dbvc_argument_require(fcinfo, 2, "type");
	dbvc_argument_require(fcinfo, 3, "item_id");
	open_target(&target, fcinfo);
	result =
		dbvc_target_restore(&target, text_to_cstring(PG_GETARG_TEXT_PP(2)),
							text_to_cstring(PG_GETARG_TEXT_PP(3)));
	close_target();
	PG_RETURN_BOOL(result);
}

/* --------------------------------------------------------------- batches */

static void
refuse(DbvcItemSave *save, const char *message)
{
	if (save->outcome == DBVC_ITEM_FAILED)
		return;
	save->outcome = DBVC_ITEM_FAILED;
	save->sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;
	save->message = message;
	save->hint =
		"Items are given as [{\"type\": \"dream\", \"data\": {}}, ...].";
}

static bool
is_key(const DbvcValue *key, const char *name)
{
	return key->len == strlen(name) && memcmp(key->data, name, key->len) == 0;
}

static const char *
read_string(DbvcItemSave *save, const DbvcValue *value, const char *message)
{
	if (value->kind == JENTRY_ISSTRING)
		return pnstrdup(value->data, value->len);
	refuse(save, message);
	return NULL;
}

/* What one element of the batch says; a failure is noted. */
static void
read_save(DbvcItemSave *save, const DbvcValue *element)
{
	DbvcRawIter keys;
	DbvcRawIter values;
	bool has_data = false;
	int count = 0;

	if (dbvc_raw_is_object(element))
	{
		keys = dbvc_raw_keys(element);
		values = dbvc_raw_values(element);
		count = dbvc_raw_count(element);
	}
	for (int i = 0; i < count; i++)
	{
		DbvcValue key = dbvc_raw_next(&keys);
		DbvcValue value = dbvc_raw_next(&values);

		if (is_key(&key, "type"))
			save->type =
				read_string(save, &value, "an item's type must be a string");
		else if (is_key(&key, "item_id") && value.kind != JENTRY_ISNULL)
			save->given = read_string(save, &value,
									  "an item's item_id must be a string");
		else if (is_key(&key, "data"))
		{
			save->value = value;
			has_data = true;
		}
		else if (!is_key(&key, "item_id"))
			refuse(save, psprintf("an item has the unknown key \"%s\"",
								  pnstrdup(key.data, key.len)));
	}
	if (save->type == NULL || !has_data)
		refuse(save, "an item needs \"type\" and \"data\"");
}

static DbvcItemSave *
read_batch(Datum batch, int *count)
{
	DbvcValue array = dbvc_value_read(batch);
	DbvcRawIter elements;
	DbvcItemSave *saves;

	if (!dbvc_raw_is_array(&array))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("items must be given as an array"),
						errhint("Items are given as [{\"type\": \"dream\", "
								"\"data\": {}}, ...].")));
	*count = dbvc_raw_count(&array);
	saves = dbvc_raw_array(*count, sizeof(DbvcItemSave));
	memset(saves, 0, sizeof(DbvcItemSave) * *count);
	elements = dbvc_raw_elements(&array);
	for (int i = 0; i < *count; i++)
	{
		DbvcValue element = dbvc_raw_next(&elements);

		CHECK_FOR_INTERRUPTS();
		read_save(&saves[i], &element);
	}
	return saves;
}

static const char *const outcomes[] = {
	[DBVC_ITEM_UNCHANGED] = "unchanged", [DBVC_ITEM_INSERTED] = "inserted",
	[DBVC_ITEM_UPDATED] = "updated",	 [DBVC_ITEM_RESTORED] = "restored",
	[DBVC_ITEM_FAILED] = "failed",
};

static void
put_results(ReturnSetInfo *result, const DbvcItemSave *saves, int count)
{
	for (int i = 0; i < count; i++)
	{
		const DbvcItemSave *save = &saves[i];
		bool failed = save->outcome == DBVC_ITEM_FAILED;
		const char *id = !failed	   ? save->id
						 : save->given ? save->given
									   : save->own;
		Datum values[6] = {Int32GetDatum(i + 1)};
		bool nulls[6] = {false,		 save->type == NULL,
						 id == NULL, false,
						 !failed,	 !failed};

		CHECK_FOR_INTERRUPTS();
		if (save->type != NULL)
			values[1] = CStringGetTextDatum(save->type);
		if (id != NULL)
			values[2] = CStringGetTextDatum(id);
		values[3] = CStringGetTextDatum(outcomes[save->outcome]);
		if (failed)
		{
			values[4] = CStringGetTextDatum(unpack_sql_state(save->sqlstate));
			values[5] = CStringGetTextDatum(save->message);
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
}

static bool
read_on_error(FunctionCallInfo fcinfo, int n)
{
	char *word;

	dbvc_argument_require(fcinfo, n, "on_error");
	word = text_to_cstring(PG_GETARG_TEXT_PP(n));
	if (strcmp(word, "skip") == 0)
		return true;
	if (strcmp(word, "abort") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("on_error cannot be \"%s\"", word),
						errhint("It is \"abort\", for all items or none, or "
								"\"skip\".")));
	return false;
}

PG_FUNCTION_INFO_V1(dbvc_item_save_batch);
Datum
dbvc_item_save_batch(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DbvcTarget target;
	DbvcItemSave *saves;
	int count;
	bool skip;

	dbvc_argument_require(fcinfo, 2, "items");
	skip = read_on_error(fcinfo, 3);
	saves = read_batch(PG_GETARG_DATUM(2), &count);
	InitMaterializedSRF(fcinfo, 0);
	open_target(&target, fcinfo);
	dbvc_items_save(&target, saves, count, true, skip);
	MemoryContextSwitchTo(target.call);
	put_results(result, saves, count);
	close_target();
	return (Datum) 0;
}
