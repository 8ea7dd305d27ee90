--
-- Baselines: the function for a database that is there already, the kind for new ones
--
CREATE EXTENSION dbvc;
\pset null '(null)'

-- the function: everything pending up to a migration is recorded, nothing runs
SELECT count(*) FROM generate_series(1, 4) n, dbvc.migration_register('v' || n, format('CREATE TABLE base_%s ()', n), format('DROP TABLE base_%s', n));
SELECT id FROM dbvc.migration_register('r_view', 'CREATE TABLE base_r ()', kind => 'repeatable');
SELECT dbvc.migration_baseline('v2', 'the database was made by hand');
SELECT id, status, applied_version, applied_how FROM dbvc.migration_status;
SELECT to_regclass('base_1') IS NULL AND to_regclass('base_2') IS NULL AS nothing_ran;
SELECT * FROM dbvc.migration_run;
SELECT e.migration_id, e.event_type, t.content AS reason FROM dbvc.change_event e JOIN dbvc.change_event_text t ON t.event_id = e.id AND t.field = 'reason'
ORDER BY e.id;
SELECT dbvc.migration_baseline('v2', 'again');
CALL dbvc.migrate();
SELECT relname FROM pg_class WHERE relname LIKE 'base\__' ORDER BY 1;
SELECT id, "check", ok FROM dbvc.migration_verify('v1') ORDER BY 2;
-- what was baselined counts as applied for rollback
CALL dbvc.rollback(target => 'v2');
SELECT id, status FROM dbvc.migration_status;
SELECT dbvc.migration_baseline('nope', 'x');
SELECT dbvc.migration_baseline('v3', NULL);
SELECT dbvc.migration_baseline('v3', '');
SELECT dbvc.migration_baseline(NULL, 'x');
BEGIN;
SELECT dbvc.migration_baseline('v4', 'taken back');
ROLLBACK;
SELECT id, status FROM dbvc.migration_status;
DROP TABLE base_r;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;

-- the kind: in a new database it stands for what comes before it
CREATE EXTENSION dbvc;
SELECT count(*) FROM generate_series(1, 3) n, dbvc.migration_register('v' || n, format('CREATE TABLE base_%s ()', n));
SELECT id FROM dbvc.migration_register('v1_base', 'CREATE TABLE old_base ()', kind => 'baseline');
SELECT id FROM dbvc.migration_register('v2_base', 'CREATE TABLE base_1 (); CREATE TABLE base_2 ()', kind => 'baseline');
SELECT id FROM dbvc.migration_register('r', 'SELECT 1', kind => 'repeatable');
SELECT position, id, action, why FROM dbvc.migration_plan() ORDER BY position;
-- up to a target before it, it does not count
SELECT position, id, action, why FROM dbvc.migration_plan('v1') ORDER BY position;
SELECT position, id, action, why FROM dbvc.migration_plan('v2') ORDER BY position;
SELECT position, id, action, why FROM dbvc.migration_plan('v2_base') ORDER BY position;
CALL dbvc.migrate(dry_run => true);
CALL dbvc.migrate();
SELECT id, status, applied_how FROM dbvc.migration_status;
SELECT relname FROM pg_class WHERE relname LIKE '%base%' AND relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1;
SELECT e.migration_id, e.event_type, t.content AS reason FROM dbvc.change_event e LEFT JOIN dbvc.change_event_text t ON t.event_id = e.id AND t.field = 'reason'
WHERE e.event_type NOT IN ('registered', 'dry_run') ORDER BY e.id;
SELECT DISTINCT ok FROM dbvc.migration_verify();
CALL dbvc.migrate();
DROP TABLE base_1, base_2, base_3;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;

-- one that fails takes what it covers with it
CREATE EXTENSION dbvc;
SELECT id FROM dbvc.migration_register('v1', 'CREATE TABLE base_1 ()');
SELECT id FROM dbvc.migration_register('v2', 'SELECT 1/0', kind => 'baseline');
CALL dbvc.migrate();
SELECT id, status, applied_how FROM dbvc.migration_status;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;

-- where something is applied, it is skipped
CREATE EXTENSION dbvc;
SELECT id FROM dbvc.migration_register('v1', 'CREATE TABLE base_1 ()');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('v2', 'CREATE TABLE base_1 ()', kind => 'baseline');
SELECT id FROM dbvc.migration_register('v3', 'CREATE TABLE base_3 ()');
SELECT id, action, why FROM dbvc.migration_plan();
CALL dbvc.migrate();
SELECT id, status, applied_how FROM dbvc.migration_status;
CALL dbvc.migrate();
DROP TABLE base_1, base_3;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
