/* stubs.c: until the real ones are there (weak) */
#include "snapshot/snapshot.h"
#define W __attribute__((weak))
#pragma GCC diagnostic ignored "-Wunused-parameter"

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
