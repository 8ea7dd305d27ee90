/*
 * leftover.c
 *		What a script leaves behind in the session.
 *
 * Settings are taken back; temporary objects, prepared statements, session
 * advisory locks and LISTEN are not, by anything the server has.  They are
 * named in a warning, so that nobody finds them by accident.
 */
#include "migration/migration.h"

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
