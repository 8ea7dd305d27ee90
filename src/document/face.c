/*
 * face.c
 *		Triggers of adopted tables.
 */
#include "document/adopted.h"

#include "fmgr.h"

#define TO_BE_WRITTEN(name) \
	PG_FUNCTION_INFO_V1(name); \
	Datum name(PG_FUNCTION_ARGS) \
	{ \
		elog(ERROR, "not there yet"); \
		PG_RETURN_NULL(); \
	}
TO_BE_WRITTEN(dbvc_document_read)
TO_BE_WRITTEN(dbvc_document_face_trigger)
TO_BE_WRITTEN(dbvc_document_base_trigger)
TO_BE_WRITTEN(dbvc_document_items_trigger)
