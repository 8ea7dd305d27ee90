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
