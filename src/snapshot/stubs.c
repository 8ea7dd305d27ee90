/* stubs.c: until the real ones are there (weak) */
#include "snapshot/snapshot.h"
#define W __attribute__((weak))
#pragma GCC diagnostic ignored "-Wunused-parameter"

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
