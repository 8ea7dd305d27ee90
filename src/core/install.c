/*
 * install.c
 *		What must hold before anything is created in schema dbvc.
 */
#include "util/compat.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
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

/*
 * ALTER DEFAULT PRIVILEGES of whoever installs may have granted rights on what
 * has just been created.  Take them back from everybody but PUBLIC, which the
 * install script deals with by name.
 */
PG_FUNCTION_INFO_V1(dbvc_install_revoke);
Datum
dbvc_install_revoke(PG_FUNCTION_ARGS)
{
	static const char *const kinds[] = {"ALL TABLES IN SCHEMA dbvc",
										"ALL SEQUENCES IN SCHEMA dbvc",
										"ALL ROUTINES IN SCHEMA dbvc",
										"SCHEMA dbvc"};
	uint64 count;
	char **grantees;

	SPI_connect();
	if (SPI_execute(
			"SELECT DISTINCT pg_catalog.pg_get_userbyid(x.grantee) FROM ("
			"SELECT relacl AS acl, relowner AS owner, relnamespace AS schema "
			"FROM pg_catalog.pg_class UNION ALL SELECT proacl, proowner, "
			"pronamespace FROM pg_catalog.pg_proc UNION ALL SELECT nspacl, "
			"nspowner, oid FROM pg_catalog.pg_namespace) o, "
			"LATERAL pg_catalog.aclexplode(o.acl) x WHERE o.schema = "
			"'dbvc'::pg_catalog.regnamespace AND x.grantee <> 0 "
			"AND x.grantee <> o.owner",
			true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read privileges");
	count = SPI_processed;
	grantees = palloc(Max(count, 1) * sizeof(char *));
	for (uint64 i = 0; i < count; i++)
		grantees[i] =
			SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	for (uint64 i = 0; i < count; i++)
	{
		for (int kind = 0; kind < lengthof(kinds); kind++)
			(void) SPI_execute(psprintf("REVOKE ALL ON %s FROM %s",
										kinds[kind],
										quote_identifier(grantees[i])),
							   false, 0);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
