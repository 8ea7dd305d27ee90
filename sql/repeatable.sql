--
-- Repeatable migrations run again whenever their content changes
--
CREATE EXTENSION dbvc;
\pset null '(null)'
CREATE TABLE rep (at int GENERATED ALWAYS AS IDENTITY, what text);
SELECT id FROM dbvc.migration_register('r1', 'INSERT INTO rep (what) VALUES (''r1 v1'')', kind => 'repeatable');
SELECT id FROM dbvc.migration_register('v1', 'INSERT INTO rep (what) VALUES (''v1'')');
SELECT id FROM dbvc.migration_register('r0', 'INSERT INTO rep (what) VALUES (''r0 v1'')', kind => 'repeatable');
CALL dbvc.migrate();
CALL dbvc.migrate();
-- changed: no VC001, runs again, after the new versioned one
SELECT id, version, kind FROM dbvc.migration_register('r1', 'INSERT INTO rep (what) VALUES (''r1 v2'')', kind => 'repeatable');
SELECT id FROM dbvc.migration_register('v2', 'INSERT INTO rep (what) VALUES (''v2'')');
SELECT id, status, version, applied_version FROM dbvc.migration_status;
SELECT id, action, why FROM dbvc.migration_plan();
-- a versioned target leaves repeatables alone
CALL dbvc.migrate(target => 'v2');
CALL dbvc.migrate();
SELECT what FROM rep ORDER BY at;
SELECT id, version, status FROM dbvc.migration_run WHERE id = 'r1' ORDER BY event_id;
-- back to the first content: another change
SELECT id, version FROM dbvc.migration_register('r1', 'INSERT INTO rep (what) VALUES (''r1 v1'')', kind => 'repeatable');
CALL dbvc.migrate();
SELECT id, status, version, applied_version FROM dbvc.migration_status WHERE id = 'r1';
-- changed twice before it runs: the newest runs
SELECT count(*) FROM generate_series(4, 5) n, dbvc.migration_register('r1', format('INSERT INTO rep (what) VALUES (''r1 v%s'')', n), kind => 'repeatable');
-- and taken back before it runs: nothing to do
SELECT id, version FROM dbvc.migration_register('r0', 'SELECT 0', kind => 'repeatable');
SELECT id, version FROM dbvc.migration_register('r0', 'INSERT INTO rep (what) VALUES (''r0 v1'')', kind => 'repeatable');
CALL dbvc.migrate();
SELECT what FROM rep ORDER BY at DESC LIMIT 1;
SELECT id, status, version, applied_version FROM dbvc.migration_status WHERE kind = 'repeatable';
-- one that fails stays applied in the version that was, and is tried again
SELECT version FROM dbvc.migration_register('r1', 'SELECT 1/0', kind => 'repeatable');
CALL dbvc.migrate();
SELECT id, status, version, applied_version FROM dbvc.migration_status WHERE id = 'r1';
SELECT id, why FROM dbvc.migration_plan();
SELECT version FROM dbvc.migration_register('r1', 'SELECT 1', kind => 'repeatable');
CALL dbvc.migrate();
-- not a versioned one any more, nor the other way
SELECT version FROM dbvc.migration_register('r1', 'SELECT 1');
SELECT version FROM dbvc.migration_register('v1', 'INSERT INTO rep (what) VALUES (''v1'')', kind => 'repeatable');
-- requires work for repeatables too, and nothing versioned can wait for one
SELECT id FROM dbvc.migration_register('r2', 'SELECT 1', kind => 'repeatable', requires => '{r3}');
SELECT id FROM dbvc.migration_register('r3', 'SELECT 1', kind => 'repeatable');
SELECT id FROM dbvc.migration_register('v3', 'SELECT 1', requires => '{r2}');
SELECT id FROM dbvc.migration_register('v4', 'SELECT 1');
SELECT id FROM dbvc.migration_plan() ORDER BY position;
CALL dbvc.migrate();
-- status of what was rolled back
SELECT version FROM dbvc.migration_register('r4', 'SELECT 1', 'SELECT 2', kind => 'repeatable');
CALL dbvc.migrate();
SELECT status FROM dbvc.migration_rollback('r4');
SELECT id, status FROM dbvc.migration_status WHERE id = 'r4';
CALL dbvc.migrate();
DROP TABLE rep;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
