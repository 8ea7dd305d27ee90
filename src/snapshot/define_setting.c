/*
 * define_setting.c
 *		Definitions of what holds for roles: default privileges, and settings
 *		of the database and of roles.
 */
#include "snapshot/definition.h"

#include "catalog/pg_database.h"
#include "catalog/pg_db_role_setting.h"
#include "catalog/pg_default_acl.h"
#include "miscadmin.h"

static const struct
{
	char kind;
	ObjectType type;
	const char *name;
} default_acl_kinds[] = {
	{DEFACLOBJ_RELATION, OBJECT_TABLE, "tables"},
	{DEFACLOBJ_SEQUENCE, OBJECT_SEQUENCE, "sequences"},
	{DEFACLOBJ_FUNCTION, OBJECT_FUNCTION, "functions"},
	{DEFACLOBJ_TYPE, OBJECT_TYPE, "types"},
	{DEFACLOBJ_NAMESPACE, OBJECT_SCHEMA, "schemas"},
	{DBVC_DEFAULT_ACL_LARGE_OBJECT, OBJECT_LARGEOBJECT, "large objects"},
};

/*
 * Without a schema an entry stands in place of the built-in default and is
 * compared with that; with one it adds to it.
 */
bool
dbvc_define_default_acl(DbvcCatalog *catalog, const DbvcRow *row,
						DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_default_acl form = dbvc_form(row, pg_default_acl);
	struct varlena *acl = dbvc_row_varlena(catalog, DBVC_SHELF_DEFAULT_ACL,
										   row, Anum_pg_default_acl_defaclacl);
	StringInfoData identity;
	int kind = 0;

	while (kind < lengthof(default_acl_kinds) &&
		   default_acl_kinds[kind].kind != form->defaclobjtype)
		kind++;
	if (kind == lengthof(default_acl_kinds) ||
		(OidIsValid(form->defaclnamespace) &&
		 !dbvc_schema_is_captured(catalog, form->defaclnamespace)))
		return false;
	initStringInfo(&identity);
	appendStringInfo(&identity, "for role %s",
					 dbvc_name_role(catalog, form->defaclrole));
	definition->schema = dbvc_schema_name(catalog, form->defaclnamespace);
	if (definition->schema != NULL)
		appendStringInfo(&identity, " in schema %s",
						 dbvc_qualified_name(NULL, definition->schema));
	appendStringInfo(&identity, " on %s", default_acl_kinds[kind].name);
	definition->type = "default acl";
	definition->identity = identity.data;
	dbvc_describe_grants(catalog, json, "acl", acl,
						 definition->schema != NULL
							 ? make_empty_acl()
							 : acldefault(default_acl_kinds[kind].type,
										  form->defaclrole));
	return true;
}

/*
 * Everything that is set for a role, or for all of them (the database): here,
 * and in every database of the server.  All rows of the role make one object.
 */
bool
dbvc_define_setting(DbvcCatalog *catalog, const DbvcRow *row,
					DbvcDefinition *definition, DbvcJson *json)
{
	Oid role = dbvc_form(row, pg_db_role_setting)->setrole;
	const DbvcRow *here = NULL;
	const DbvcRow *everywhere = NULL;

	for (const DbvcRow *r = row; r != NULL; r = r->next)
	{
		Oid database = dbvc_form(r, pg_db_role_setting)->setdatabase;

		if (database == MyDatabaseId)
			here = r;
		else if (!OidIsValid(database))
			everywhere = r;
	}
	if (here == NULL && everywhere == NULL)
		return false;
	definition->type = "settings";
	definition->identity =
		OidIsValid(role) ? psprintf("role %s", dbvc_name_role(catalog, role))
						 : "database";
	if (here != NULL)
		dbvc_describe_options(
			json, "database",
			dbvc_row_varlena(catalog, DBVC_SHELF_SETTING, here,
							 Anum_pg_db_role_setting_setconfig),
			false);
	if (everywhere != NULL)
		dbvc_describe_options(
			json, "everywhere",
			dbvc_row_varlena(catalog, DBVC_SHELF_SETTING, everywhere,
							 Anum_pg_db_role_setting_setconfig),
			false);
	return true;
}
