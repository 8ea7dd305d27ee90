--
-- dbvc.migration_status: every status there is
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SELECT * FROM dbvc.migration_status;
SELECT id FROM dbvc.migration_register('s01_applied', 'SELECT 1', 'SELECT 2', author => 'Ada');
SELECT id FROM dbvc.migration_register('s04_rolled_back', 'SELECT 1', 'SELECT 2');
SELECT id FROM dbvc.migration_register('s05_applied', 'SELECT 1');
SELECT id FROM dbvc.migration_register('r1_changed', 'SELECT 1', kind => 'repeatable');
SELECT id FROM dbvc.migration_register('r2_applied', 'SELECT 1', kind => 'repeatable');
CALL dbvc.migrate();
SELECT status FROM dbvc.migration_rollback('s04_rolled_back');
SELECT version FROM dbvc.migration_register('r1_changed', 'SELECT 2', kind => 'repeatable');
SELECT id FROM dbvc.migration_register('s02_out_of_order', 'SELECT 1');
SELECT id FROM dbvc.migration_register('s03_skipped', 'SELECT 1', kind => 'baseline');
SELECT id FROM dbvc.migration_register('s06_failed', E'SELECT 1;\nSELECT 1/0', 'SELECT 2');
SELECT id FROM dbvc.migration_register('s07_pending', 'SELECT 1', 'SELECT 2', author => 'Bob', requires => '{s01_applied}', environments => '{dev}');
SELECT id FROM dbvc.migration_register('s08_pending_too', 'SELECT 1');
SELECT id FROM dbvc.migration_register('r3_pending', 'SELECT 1', kind => 'repeatable');
CALL dbvc.migrate(target => 's06_failed', out_of_order => true);
SELECT id FROM dbvc.migration_register('s02_pending_before', 'SELECT 1');
SELECT status FROM dbvc.migration_rollback('s04_rolled_back');
SELECT id, status, note FROM dbvc.migration_status;
SELECT id, status, version, kind, applied_version, left(checksum, 8) AS checksum, author, registered_by = current_user AS registered_by_me,
	registered_at <= now() AS registered, applied_by = current_user AS applied_by_me, applied_at <= now() AS applied, duration >= '0' AS duration, applied_how
FROM dbvc.migration_status ORDER BY position;
SELECT id, steps_done, error_sqlstate, error_line, requires, environments, position FROM dbvc.migration_status ORDER BY position;
-- the checksum is the one of the newest version
SELECT s.id FROM dbvc.migration_status s JOIN dbvc.migration m USING (id) WHERE s.checksum <> encode(m.checksum, 'hex');
-- of which environment the question is asked
SET dbvc.environment = 'dev';
SELECT id, status, note FROM dbvc.migration_status WHERE id = 's07_pending';
RESET dbvc.environment;
SELECT version FROM dbvc.migration_register('s06_failed', 'SELECT 1', 'SELECT 2');
-- a run in steps whose session has gone: interrupted. Its start has no end.
SELECT id FROM dbvc.migration_register('s09_interrupted', 'SELECT 1', transactional => false);
CALL dbvc.migrate(target => 's09_interrupted', out_of_order => true);
SELECT id, status FROM dbvc.migration_status WHERE id >= 's06' ORDER BY position;
SELECT migration_id, event_type, dbvc.event_bigint(body, 'statements') AS statements, dbvc.event_bigint(body, 'started_event') IS NOT NULL AS belongs_to_a_start
FROM dbvc.change_event WHERE migration_id = 's09_interrupted' ORDER BY id;
-- as a crash would leave it: the end is missing (a superuser takes it out)
ALTER TABLE dbvc.change_event DISABLE TRIGGER change_event_guard;
DELETE FROM dbvc.change_event WHERE migration_id = 's09_interrupted' AND event_type = 'completed';
ALTER TABLE dbvc.change_event ENABLE ALWAYS TRIGGER change_event_guard;
SELECT dbvc.migration_state_rebuild();
SELECT id, status, steps_done FROM dbvc.migration_status WHERE id = 's09_interrupted';
SELECT id, direction, status, statements, completed_at FROM dbvc.migration_run WHERE id = 's09_interrupted';
SELECT id, why FROM dbvc.migration_plan(out_of_order => true) WHERE id = 's09_interrupted';
CALL dbvc.migrate(out_of_order => true);
SELECT id, status FROM dbvc.migration_run WHERE id = 's09_interrupted' ORDER BY event_id;
-- a cache of the events, nothing else
SELECT (SELECT count(*) FROM dbvc.migration_state) = (SELECT count(*) FROM dbvc.migration_state_derived) AS same_count;
SELECT s.id FROM dbvc.migration_state s JOIN dbvc.migration_state_derived d USING (id)
WHERE (s.version, s.version_event, s.checksum, s.kind, s.requires, s.applied_version, s.applied_event, s.outcome, s.run_event, s.steps_done)
	IS DISTINCT FROM (d.version, d.version_event, d.checksum, d.kind, d.requires, d.applied_version, d.applied_event, d.outcome, d.run_event, d.steps_done);
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
