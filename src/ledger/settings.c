/*
 * settings.c
 *		What is written on every record: which database, which environment.
 */
#include "ledger/ledger.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

/*
 * dbvc.environment names what this database is (dev, staging, prod ...).
 * Migrations with a list of environments are only applied where it is listed.
 * Only a superuser, or a role granted SET on it, may change it: a record that
 * anyone could label would not be worth reading.
 */
static char *environment = NULL;

/*
 * dbvc.database_id is the name under which this database appears in records;
 * the database's own name unless set.
 */
static char *database_id = NULL;

const char *
dbvc_environment(void)
{
	return environment ? environment : "";
}

const char *
dbvc_database_id(void)
{
	if (database_id != NULL && database_id[0] != '\0')
		return database_id;
	return get_database_name(MyDatabaseId);
}

void
dbvc_ledger_init(void)
{
	DefineCustomStringVariable("dbvc.database_id",
							   "Name of this database in dbvc's records.",
							   "Empty: the database's own name.", &database_id,
							   "", PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable(
		"dbvc.environment",
		"What this database is: dev, staging, prod or a name of yours.",
		"Migrations that list environments are applied only where this name "
		"is among them.",
		&environment, "", PGC_SUSET, 0, NULL, NULL, NULL);
}
