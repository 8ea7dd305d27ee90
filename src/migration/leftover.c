/*
 * leftover.c
 *		What a script leaves behind in the session.
 *
 * Settings are taken back; temporary objects, prepared statements, session
 * advisory locks and LISTEN are not, by anything the server has.  They are
 * named in a warning, so that nobody finds them by accident.
 */
#include "migration/migration.h"

#include "catalog/pg_type.h"
#include "commands/prepare.h"
#include "miscadmin.h"
#include "utils/builtins.h"

List *
dbvc_session_leftovers(void)
{
	static DbvcQuery query = {
		"SELECT 'prepared statement \"' || name || '\"' "
		"FROM pg_prepared_statements "
		"UNION ALL SELECT 'listening on \"' || c || '\"' "
		"FROM pg_listening_channels() c "
		"UNION ALL SELECT 'advisory lock ' || classid || ', ' || objid "
		"FROM pg_locks WHERE locktype = 'advisory' "
		"AND pid = pg_backend_pid() AND granted "
		"UNION ALL SELECT 'cursor \"' || name || '\"' "
		"FROM pg_cursors WHERE is_holdable "
		"UNION ALL SELECT 'temporary object \"' || relname || '\"' "
		"FROM pg_class WHERE relnamespace = pg_my_temp_schema() "
		"AND relkind IN ('r', 'p', 'S', 'v') "
		"ORDER BY 1",
		0,
		{0}};
	DbvcOwnerScope owner;
	List *result;

	dbvc_owner_enter(&owner);
	result = dbvc_query_texts(&query);
	dbvc_owner_leave(&owner);
	return result;
}

void
dbvc_warn_leftovers(const List *before)
{
	StringInfoData names;
	ListCell *lc;

	initStringInfo(&names);
	foreach (lc, dbvc_session_leftovers())
	{
		const char *name = lfirst(lc);

		if (!dbvc_is_among(name, before))
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", name);
	}
	if (names.len == 0)
		return;
	ereport(WARNING, (errmsg("scripts left something behind in this session"),
					  errdetail("%s.", names.data),
					  errhint("DISCARD ALL, or a new session, removes it.")));
}

static void
drop_prepared_statements(const List *before)
{
	static DbvcQuery query = {
		"SELECT name FROM pg_prepared_statements ORDER BY 1", 0, {0}};
	ListCell *lc;

	foreach (lc, dbvc_query_texts(&query))
	{
		const char *name = lfirst(lc);

		if (!dbvc_is_among(psprintf("prepared statement \"%s\"", name),
						   before))
			DropPreparedStatement(name, false);
	}
}

/* A lock is held as often as it was taken: true when there was one to release
 * and there may be more. */
static bool
release_advisory_locks(const List *before)
{
	static DbvcQuery query = {
		"SELECT CASE WHEN objsubid = 1 AND mode = 'ExclusiveLock' "
		"THEN pg_advisory_unlock(classid::int8 << 32 | objid::int8) "
		"WHEN objsubid = 1 "
		"THEN pg_advisory_unlock_shared(classid::int8 << 32 | objid::int8) "
		"WHEN mode = 'ExclusiveLock' "
		"THEN pg_advisory_unlock(classid::int8::bit(32)::int4, "
		"objid::int8::bit(32)::int4) "
		"ELSE pg_advisory_unlock_shared(classid::int8::bit(32)::int4, "
		"objid::int8::bit(32)::int4) END::text "
		"FROM pg_locks WHERE locktype = 'advisory' "
		"AND pid = pg_backend_pid() AND granted "
		"AND 'advisory lock ' || classid || ', ' || objid <> ALL ($1)",
		1,
		{TEXTARRAYOID}};
	Datum value = PointerGetDatum(dbvc_list_text_array(before));
	uint64 rows = dbvc_query_run(&query, &value, NULL, false, 0);
	bool released = false;

	for (uint64 row = 0; row < rows; row++)
	{
		const char *answer = dbvc_row_text(row, 1);

		released = released || (answer != NULL && answer[0] == 't');
	}
	SPI_freetuptable(SPI_tuptable);
	return released;
}

/*
 * A rehearsal is rolled back, and what is beyond that is removed as far as
 * that is possible: the script will run again.
 */
void
dbvc_drop_leftovers(const List *before)
{
	DbvcOwnerScope owner;

	if (dbvc_join_all(dbvc_session_leftovers())[0] == '\0')
		return;
	dbvc_owner_enter(&owner);
	drop_prepared_statements(before);
	while (release_advisory_locks(before))
		CHECK_FOR_INTERRUPTS();
	dbvc_owner_leave(&owner);
}
