/*
 * adopted_hint.c
 *		Scripts written for a table that is a view by now.
 *
 * dbvc.document_adopt() puts a view in a table's place.  ALTER TABLE, CREATE
 * INDEX or TRUNCATE, written for the table, fail with what PostgreSQL says of
 * views, and its hints (DROP VIEW, CASCADE) would destroy what was adopted.
 */
#include "migration/migration.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

static bool
may_be_about_a_view(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_WRONG_OBJECT_TYPE ||
		   error->sqlerrcode == ERRCODE_FEATURE_NOT_SUPPORTED ||
		   error->sqlerrcode == ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST;
}

/* The longest name first: users_base, where users is named, too. */
static char *
find_hint(const char *text)
{
	static DbvcQuery query = {
		"SELECT pg_catalog.format('%s is an adopted table: change %s, then "
		"call dbvc.document_refresh(%L), which also drops columns.', "
		"d.face::pg_catalog.regclass, d.base::pg_catalog.regclass, "
		"d.face::pg_catalog.regclass) FROM dbvc.document d "
		"JOIN pg_catalog.pg_class c ON c.oid IN (d.base, d.face) "
		"WHERE pg_catalog.strpos($1, c.relname) > 0 "
		"ORDER BY pg_catalog.length(c.relname) DESC, c.oid LIMIT 1",
		1,
		{TEXTOID}};
	Datum values[] = {CStringGetTextDatum(text)};
	DbvcOwnerScope owner;
	char *hint = NULL;

	dbvc_owner_enter(&owner);
	if (dbvc_query_run(&query, values, NULL, false, 1) > 0)
		hint = dbvc_row_text(0, 1);
	SPI_freetuptable(SPI_tuptable);
	dbvc_owner_leave(&owner);
	return hint;
}

static void
set_hint(void *arg)
{
	ErrorData *error = arg;
	char *hint = find_hint(
		psprintf("%s %s", error->message, error->detail ? error->detail : ""));

	if (hint != NULL)
		error->hint = hint;
}

void
dbvc_hint_adopted(ErrorData *error)
{

	if (error == NULL || error->message == NULL || !may_be_about_a_view(error))
		return;
	/* it must not be in the way of the error itself */
	(void) dbvc_subtransaction(set_hint, error, true);
}
