/*
 * owner.c
 *		Scripts run as the caller, records are written as the owner.
 */
#include "util/util.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/*
 * The owner of the history is whoever owns its table: the superuser who
 * created the extension, or whom ALTER TABLE named since.
 */
static Oid
history_owner(void)
{
	Oid schema = get_namespace_oid("dbvc", false);
	Oid relid = get_relname_relid("change_event", schema);
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table dbvc.change_event does not exist"),
				 errhint("Run CREATE EXTENSION dbvc in this database.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
dbvc_owner_enter(DbvcOwnerScope *scope)
{
	Oid owner = history_owner();

	GetUserIdAndSecContext(&scope->userid, &scope->sec_context);
	scope->guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(owner, scope->sec_context |
									  SECURITY_LOCAL_USERID_CHANGE |
									  SECURITY_RESTRICTED_OPERATION);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
dbvc_owner_leave(DbvcOwnerScope *scope)
{
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->userid, scope->sec_context);
}

Oid
dbvc_extension_oid(void)
{
	return get_extension_oid("dbvc", false);
}
