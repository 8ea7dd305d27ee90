/*
 * guard.c
 *		The trigger that keeps history append-only.
 *
 * It hinders; it does not prove.  A superuser can disable a trigger or edit a
 * file: what shows that is the hash of each event.
 */
#include "ledger/ledger.h"

#include "commands/extension.h"
#include "commands/trigger.h"
#include "utils/rel.h"

#include "util/errors.h"
#include "util/util.h"

PG_FUNCTION_INFO_V1(dbvc_event_guard);
Datum
dbvc_event_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const char *verb;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("event_guard() must be called as a trigger")));
	/* ALTER EXTENSION dbvc UPDATE may have to convert what it owns */
	if (creating_extension && CurrentExtensionObject == dbvc_extension_oid())
		return PointerGetDatum(NULL);

	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		verb = "UPDATE";
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		verb = "DELETE";
	else
		verb = "TRUNCATE";
	ereport(ERROR,
			(errcode(ERRCODE_DBVC_APPEND_ONLY),
			 errmsg("%s on dbvc.%s is refused", verb,
					RelationGetRelationName(trigger->tg_relation)),
			 errdetail("Table \"%s\" holds history, which is append-only.",
					   RelationGetRelationName(trigger->tg_relation)),
			 errhint(
				 "Correct a mistake with a new record: see "
				 "dbvc.migration_accept() and dbvc.migration_rollback().")));
}
