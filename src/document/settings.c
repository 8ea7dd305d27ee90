/*
 * settings.c
 *		How much memory documents may take.
 */
#include "document/document.h"

#include <limits.h>

#include "utils/guc.h"

/*
 * dbvc.document_buffer: what is collected before it is written, by one
 * statement or one batch.  One document more than that is held always.
 */
static int buffer_kilobytes = 8192;

Size
dbvc_document_buffer(void)
{
	return (Size) buffer_kilobytes * 1024;
}

void
dbvc_document_init(void)
{
	DefineCustomIntVariable(
		"dbvc.document_buffer",
		"Memory for documents and items that are collected before they are "
		"written.",
		"A statement or a batch of a backfill takes this much and one "
		"document more.",
		&buffer_kilobytes, 8192, 64, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB,
		NULL, NULL, NULL);
}
