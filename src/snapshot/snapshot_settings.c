/*
 * snapshot_settings.c
 *		When snapshots are taken without being asked for.
 */
#include "snapshot/snapshot.h"

#include "utils/guc.h"

/*
 * dbvc.snapshot_on_migrate: CALL dbvc.migrate() and dbvc.rollback() take a
 * snapshot at their end when they have changed anything.  A superuser's
 * setting, or one granted with SET: a record that whoever migrates can leave
 * out would not be missed.
 */
static bool snapshot_on_migrate = true;

bool
dbvc_snapshot_on_migrate(void)
{
	return snapshot_on_migrate;
}

void
dbvc_snapshot_init(void)
{
	DefineCustomBoolVariable(
		"dbvc.snapshot_on_migrate",
		"Take a snapshot of the schema after migrations.",
		"One for each CALL of dbvc.migrate() or dbvc.rollback() that has "
		"applied or rolled back anything.",
		&snapshot_on_migrate, true, PGC_SUSET, 0, NULL, NULL, NULL);
}
