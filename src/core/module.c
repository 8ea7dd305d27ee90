/*
 * module.c
 *		_PG_init: one call per module, nothing else.
 */
#include "util/compat.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "document/document.h"
#include "ledger/ledger.h"
#include "snapshot/snapshot.h"

DBVC_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	dbvc_ledger_init();
	dbvc_snapshot_init();
	dbvc_document_init();
	MarkGUCPrefixReserved("dbvc");
}

PG_FUNCTION_INFO_V1(dbvc_version);
Datum
dbvc_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(DBVC_VERSION));
}
