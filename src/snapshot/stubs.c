/* stubs.c: until the real ones are there (weak) */
#include "snapshot/snapshot.h"
#define W __attribute__((weak))
#pragma GCC diagnostic ignored "-Wunused-parameter"

W bool
dbvc_define(DbvcCatalog *catalog, Oid classid, Oid objid,
			DbvcDefinition *definition)
{
	elog(ERROR, "dbvc_define is not there yet");
}
W void
dbvc_definition_whole(DbvcCatalog *catalog, Oid *classid, Oid *objid)
{
	elog(ERROR, "dbvc_definition_whole is not there yet");
}
W const DbvcShelf *
dbvc_definition_shelves(void)
{
	elog(ERROR, "dbvc_definition_shelves is not there yet");
}
W void
dbvc_definition_enter(DbvcDefinitionScope *scope)
{
	elog(ERROR, "dbvc_definition_enter is not there yet");
}
W void
dbvc_definition_leave(DbvcDefinitionScope *scope)
{
	elog(ERROR, "dbvc_definition_leave is not there yet");
}
W bool
dbvc_define_relation(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					 DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_constraint(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					   DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_trigger(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_rule(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
				 DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_policy(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
				   DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_statistics(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					   DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_publication(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
						DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_publication_rel(DbvcCatalog *a, const DbvcRow *b,
							DbvcDefinition *c, DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_publication_namespace(DbvcCatalog *a, const DbvcRow *b,
								  DbvcDefinition *c, DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_subscription(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
						 DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_schema(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
				   DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_type(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
				 DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_function(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					 DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_cast(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
				 DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_operator(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					 DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_opclass(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_opfamily(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					 DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_access_method(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
						  DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_collation(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					  DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_conversion(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					   DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_ts_config(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					  DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_ts_dict(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_ts_parser(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					  DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_ts_template(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
						DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_language(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					 DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_transform(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					  DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_extension(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					  DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_event_trigger(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
						  DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_fdw(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
				DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_server(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
				   DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_user_mapping(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
						 DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_default_acl(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
						DbvcJson *d)
{
	return false;
}
W bool
dbvc_define_setting(DbvcCatalog *a, const DbvcRow *b, DbvcDefinition *c,
					DbvcJson *d)
{
	return false;
}
W const char *
dbvc_schema_name(DbvcCatalog *catalog, Oid schema)
{
	elog(ERROR, "dbvc_schema_name is not there yet");
}
W const char *
dbvc_name_relation(DbvcCatalog *catalog, Oid relation)
{
	elog(ERROR, "dbvc_name_relation is not there yet");
}
W const char *
dbvc_name_function(DbvcCatalog *catalog, Oid function)
{
	elog(ERROR, "dbvc_name_function is not there yet");
}
W const char *
dbvc_name_operator(DbvcCatalog *catalog, Oid operator)
{
	elog(ERROR, "dbvc_name_operator is not there yet");
}
W const char *
dbvc_name_collation(DbvcCatalog *catalog, Oid collation)
{
	elog(ERROR, "dbvc_name_collation is not there yet");
}
W const char *
dbvc_name_opclass(DbvcCatalog *catalog, Oid opclass)
{
	elog(ERROR, "dbvc_name_opclass is not there yet");
}
W const char *
dbvc_name_opfamily(DbvcCatalog *catalog, Oid opfamily)
{
	elog(ERROR, "dbvc_name_opfamily is not there yet");
}
W const char *
dbvc_name_role(DbvcCatalog *catalog, Oid role)
{
	elog(ERROR, "dbvc_name_role is not there yet");
}
W const char *
dbvc_name_language(DbvcCatalog *catalog, Oid language)
{
	elog(ERROR, "dbvc_name_language is not there yet");
}
W const char *
dbvc_name_access_method(DbvcCatalog *catalog, Oid am)
{
	elog(ERROR, "dbvc_name_access_method is not there yet");
}
W const char *
dbvc_name_tablespace(DbvcCatalog *catalog, Oid tablespace)
{
	elog(ERROR, "dbvc_name_tablespace is not there yet");
}
W const char *
dbvc_name_server(DbvcCatalog *catalog, Oid server)
{
	elog(ERROR, "dbvc_name_server is not there yet");
}
W const char *
dbvc_name_fdw(DbvcCatalog *catalog, Oid fdw)
{
	elog(ERROR, "dbvc_name_fdw is not there yet");
}
W const char *
dbvc_name_publication(DbvcCatalog *catalog, Oid publication)
{
	elog(ERROR, "dbvc_name_publication is not there yet");
}
W const char *
dbvc_name_ts_parser(DbvcCatalog *catalog, Oid parser)
{
	elog(ERROR, "dbvc_name_ts_parser is not there yet");
}
W const char *
dbvc_name_ts_dict(DbvcCatalog *catalog, Oid dict)
{
	elog(ERROR, "dbvc_name_ts_dict is not there yet");
}
W const char *
dbvc_name_ts_template(DbvcCatalog *catalog, Oid template)
{
	elog(ERROR, "dbvc_name_ts_template is not there yet");
}
W const char *
dbvc_name_ts_config(DbvcCatalog *catalog, Oid config)
{
	elog(ERROR, "dbvc_name_ts_config is not there yet");
}
W const char *
dbvc_name_type(DbvcCatalog *catalog, Oid type, int32 typmod)
{
	elog(ERROR, "dbvc_name_type is not there yet");
}
W const char *
dbvc_name_type_qualified(DbvcCatalog *catalog, Oid type)
{
	elog(ERROR, "dbvc_name_type_qualified is not there yet");
}
W const char *
dbvc_column_name(DbvcCatalog *catalog, Oid relation, AttrNumber attnum)
{
	elog(ERROR, "dbvc_column_name is not there yet");
}
W const char **
dbvc_column_names(DbvcCatalog *catalog, Oid relation, int *count)
{
	elog(ERROR, "dbvc_column_names is not there yet");
}
W char *
dbvc_qualified(const char *schema, const char *name)
{
	elog(ERROR, "dbvc_qualified is not there yet");
}
W bool
dbvc_schema_is_captured(DbvcCatalog *catalog, Oid schema)
{
	elog(ERROR, "dbvc_schema_is_captured is not there yet");
}
W bool
dbvc_is_extension_member(DbvcCatalog *catalog, Oid classid, Oid objid)
{
	elog(ERROR, "dbvc_is_extension_member is not there yet");
}
W void
dbvc_describe_acl(DbvcCatalog *catalog, DbvcJson *json, const char *key,
				  struct varlena *acl, ObjectType type, Oid owner)
{
	elog(ERROR, "dbvc_describe_acl is not there yet");
}
W void
dbvc_describe_comment(DbvcCatalog *catalog, DbvcJson *json, Oid classid,
					  Oid objid, int32 objsubid)
{
	elog(ERROR, "dbvc_describe_comment is not there yet");
}
W void
dbvc_describe_labels(DbvcCatalog *catalog, DbvcJson *json, Oid classid,
					 Oid objid, int32 objsubid)
{
	elog(ERROR, "dbvc_describe_labels is not there yet");
}
W void
dbvc_describe_owner(DbvcCatalog *catalog, DbvcJson *json, Oid owner)
{
	elog(ERROR, "dbvc_describe_owner is not there yet");
}
W void
dbvc_describe_options(DbvcJson *json, const char *key, struct varlena *options,
					  bool names_only)
{
	elog(ERROR, "dbvc_describe_options is not there yet");
}
W char *
dbvc_deparse_expression(DbvcCatalog *catalog, const char *tree, Oid relation,
						bool *unstable)
{
	elog(ERROR, "dbvc_deparse_expression is not there yet");
}
W List *
dbvc_deparse_expressions(DbvcCatalog *catalog, const char *tree, Oid relation,
						 bool *unstable)
{
	elog(ERROR, "dbvc_deparse_expressions is not there yet");
}
W char *
dbvc_deparse_old_new(DbvcCatalog *catalog, const char *tree, Oid relation,
					 bool *unstable)
{
	elog(ERROR, "dbvc_deparse_old_new is not there yet");
}
W List *
dbvc_deparse_queries(DbvcCatalog *catalog, const char *tree,
					 const char **columns, int column_count, bool *unstable)
{
	elog(ERROR, "dbvc_deparse_queries is not there yet");
}
W DbvcSums *
dbvc_sums_read(Snapshot snapshot, const uint8 key[16], DbvcCatalog **keep)
{
	elog(ERROR, "dbvc_sums_read is not there yet");
}
W uint64
dbvc_sums_object(const DbvcSums *sums, Oid classid, Oid objid)
{
	elog(ERROR, "dbvc_sums_object is not there yet");
}
W bool
dbvc_sums_equal(const DbvcSums *a, const DbvcSums *b, bool versions)
{
	elog(ERROR, "dbvc_sums_equal is not there yet");
}
W bytea *
dbvc_sums_store(const DbvcSums *sums)
{
	elog(ERROR, "dbvc_sums_store is not there yet");
}
W DbvcSums *
dbvc_sums_load(const bytea *stored)
{
	elog(ERROR, "dbvc_sums_load is not there yet");
}
W const uint8 *
dbvc_sums_key(const DbvcSums *sums)
{
	elog(ERROR, "dbvc_sums_key is not there yet");
}
W bool
dbvc_sums_changed(const DbvcSums *before, const DbvcSums *after,
				  DbvcCatalog *catalog, const DbvcObject *also, int also_count,
				  DbvcObject **changed, int *count)
{
	elog(ERROR, "dbvc_sums_changed is not there yet");
}
W DbvcCapture *
dbvc_capture_live(const DbvcCapture *base, bool full)
{
	elog(ERROR, "dbvc_capture_live is not there yet");
}
W DbvcList *
dbvc_capture_list(DbvcCapture *capture)
{
	elog(ERROR, "dbvc_capture_list is not there yet");
}
W const char *
dbvc_capture_body(const DbvcCapture *capture,
				  const uint8 hash[DBVC_SHA256_LEN])
{
	elog(ERROR, "dbvc_capture_body is not there yet");
}
W List *
dbvc_differences(const DbvcSide *before, const DbvcSide *after, bool same_oids,
				 bool detail)
{
	elog(ERROR, "dbvc_differences is not there yet");
}
W List *
dbvc_capture_differences(DbvcCapture *before, DbvcCapture *after)
{
	elog(ERROR, "dbvc_capture_differences is not there yet");
}
W char *
dbvc_difference_text(const DbvcDifference *difference)
{
	elog(ERROR, "dbvc_difference_text is not there yet");
}
W DbvcCatalog *
dbvc_catalog_open(Snapshot snapshot, bool full)
{
	elog(ERROR, "dbvc_catalog_open is not there yet");
}
W Snapshot
dbvc_catalog_snapshot(const DbvcCatalog *catalog)
{
	elog(ERROR, "dbvc_catalog_snapshot is not there yet");
}
W MemoryContext
dbvc_catalog_context(const DbvcCatalog *catalog)
{
	elog(ERROR, "dbvc_catalog_context is not there yet");
}
W bool
dbvc_catalog_is_full(const DbvcCatalog *catalog)
{
	elog(ERROR, "dbvc_catalog_is_full is not there yet");
}
W DbvcRow *
dbvc_catalog_rows(DbvcCatalog *catalog, DbvcShelf shelf, Oid classid, Oid key)
{
	elog(ERROR, "dbvc_catalog_rows is not there yet");
}
W Datum
dbvc_row_attribute(DbvcCatalog *catalog, DbvcShelf shelf, const DbvcRow *row,
				   AttrNumber attribute, bool *isnull)
{
	elog(ERROR, "dbvc_row_attribute is not there yet");
}
W struct varlena *
dbvc_row_varlena(DbvcCatalog *catalog, DbvcShelf shelf, const DbvcRow *row,
				 AttrNumber attribute)
{
	elog(ERROR, "dbvc_row_varlena is not there yet");
}
W char *
dbvc_row_string(DbvcCatalog *catalog, DbvcShelf shelf, const DbvcRow *row,
				AttrNumber attribute)
{
	elog(ERROR, "dbvc_row_string is not there yet");
}
W void
dbvc_catalog_each(DbvcCatalog *catalog, DbvcShelf shelf,
				  void (*visit)(DbvcRow *row, void *arg), void *arg)
{
	elog(ERROR, "dbvc_catalog_each is not there yet");
}
W DbvcShelf
dbvc_shelf_of_class(Oid classid)
{
	elog(ERROR, "dbvc_shelf_of_class is not there yet");
}
