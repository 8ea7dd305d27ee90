/*
 * define_foreign.c
 *		Definitions of foreign-data wrappers, servers and user mappings.
 */
#include "snapshot/definition.h"

#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"

bool
dbvc_define_fdw(DbvcCatalog *catalog, const DbvcRow *row,
				DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_foreign_data_wrapper form =
		dbvc_form(row, pg_foreign_data_wrapper);

	if (dbvc_is_extension_member(catalog, ForeignDataWrapperRelationId,
								 form->oid))
		return false;
	definition->type = "foreign-data wrapper";
	definition->identity = dbvc_name_fdw(catalog, form->oid);
	dbvc_describe_acl(catalog, json, "acl",
					  dbvc_row_varlena(catalog, DBVC_SHELF_FDW, row,
									   Anum_pg_foreign_data_wrapper_fdwacl),
					  OBJECT_FDW, form->fdwowner);
	dbvc_describe_comment(catalog, json, ForeignDataWrapperRelationId,
						  form->oid, 0);
	dbvc_describe_function(catalog, json, "connection",
						   dbvc_fdw_connection(form));
	dbvc_describe_function(catalog, json, "handler", form->fdwhandler);
	dbvc_describe_options(
		json, "options",
		dbvc_row_varlena(catalog, DBVC_SHELF_FDW, row,
						 Anum_pg_foreign_data_wrapper_fdwoptions),
		false);
	dbvc_describe_owner(catalog, json, form->fdwowner);
	dbvc_describe_labels(catalog, json, ForeignDataWrapperRelationId,
						 form->oid, 0);
	dbvc_describe_function(catalog, json, "validator", form->fdwvalidator);
	return true;
}

bool
dbvc_define_server(DbvcCatalog *catalog, const DbvcRow *row,
				   DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_foreign_server form = dbvc_form(row, pg_foreign_server);

	if (dbvc_is_extension_member(catalog, ForeignServerRelationId, form->oid))
		return false;
	definition->type = "server";
	definition->identity = dbvc_name_server(catalog, form->oid);
	dbvc_describe_acl(catalog, json, "acl",
					  dbvc_row_varlena(catalog, DBVC_SHELF_SERVER, row,
									   Anum_pg_foreign_server_srvacl),
					  OBJECT_FOREIGN_SERVER, form->srvowner);
	dbvc_describe_comment(catalog, json, ForeignServerRelationId, form->oid,
						  0);
	dbvc_describe_options(json, "options",
						  dbvc_row_varlena(catalog, DBVC_SHELF_SERVER, row,
										   Anum_pg_foreign_server_srvoptions),
						  false);
	dbvc_describe_owner(catalog, json, form->srvowner);
	dbvc_describe_labels(catalog, json, ForeignServerRelationId, form->oid, 0);
	dbvc_json_text(json, "server_type",
				   dbvc_row_string(catalog, DBVC_SHELF_SERVER, row,
								   Anum_pg_foreign_server_srvtype));
	dbvc_json_text(json, "server_version",
				   dbvc_row_string(catalog, DBVC_SHELF_SERVER, row,
								   Anum_pg_foreign_server_srvversion));
	dbvc_json_text(json, "wrapper", dbvc_name_fdw(catalog, form->srvfdw));
	return true;
}

/* Values of its options are nobody's business. */
bool
dbvc_define_user_mapping(DbvcCatalog *catalog, const DbvcRow *row,
						 DbvcDefinition *definition, DbvcJson *json)
{
	Form_pg_user_mapping form = dbvc_form(row, pg_user_mapping);
	DbvcRow *server =
		dbvc_catalog_row(catalog, DBVC_SHELF_SERVER, form->umserver);

	if (server == NULL ||
		dbvc_is_extension_member(catalog, UserMappingRelationId, form->oid))
		return false;
	definition->type = "user mapping";
	/* the server's name is not quoted there, the role's is */
	definition->identity =
		psprintf("%s on server %s",
				 OidIsValid(form->umuser)
					 ? dbvc_name_role(catalog, form->umuser)
					 : "public",
				 NameStr(dbvc_form(server, pg_foreign_server)->srvname));
	definition->parent = dbvc_name_server(catalog, form->umserver);
	dbvc_describe_options(json, "options",
						  dbvc_row_varlena(catalog, DBVC_SHELF_USER_MAPPING,
										   row,
										   Anum_pg_user_mapping_umoptions),
						  true);
	return true;
}
