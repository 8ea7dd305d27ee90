/*
 * install.c
 *		What must hold before anything is created in schema dbvc.
 */
#include "util/compat.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/syscache.h"

#include "util/errors.h"

/*
 * A schema "dbvc" that somebody else made beforehand would be taken over as it
 * is, and its owner could drop what is in it.
 */
PG_FUNCTION_INFO_V1(dbvc_install_check);
Datum
dbvc_install_check(PG_FUNCTION_ARGS)
{
	Oid schema = get_namespace_oid("dbvc", false);
	HeapTuple tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", schema);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	if (owner != GetUserId() && !superuser_arg(owner))
		ereport(ERROR,
				(errcode(ERRCODE_DBVC_INSTALL),
				 errmsg("schema \"dbvc\" exists and belongs to \"%s\"",
						GetUserNameFromId(owner, false)),
				 errhint("Drop or rename it before CREATE EXTENSION dbvc.")));
	PG_RETURN_VOID();
}
