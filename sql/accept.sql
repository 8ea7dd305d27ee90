--
-- dbvc.migration_accept(): a content is recorded as what is applied, nothing runs
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SELECT version FROM dbvc.migration_register('a', 'CREATE TABLE acc (id int)', 'DROP TABLE acc', 'SELECT true', 'first', 'Ada',
	environments => '{dev}');
SELECT version FROM dbvc.migration_register('b', 'SELECT 1', requires => '{a}');
SET dbvc.environment = 'dev';
CALL dbvc.migrate();

-- a comment was corrected in the file: refused, then accepted
SELECT version FROM dbvc.migration_register('a', 'CREATE TABLE acc (id int) -- the id', 'DROP TABLE acc');
SELECT id, version, event_type, reason, kind, requires, environments, up_script, down_script
FROM dbvc.migration_accept('a', 'CREATE TABLE acc (id int) -- the id', 'DROP TABLE acc', 'SELECT true', reason => 'only a comment');
-- no run was recorded, the table is untouched
SELECT id, direction, status, version FROM dbvc.migration_run ORDER BY event_id;
SELECT id, status, version, applied_version, applied_how FROM dbvc.migration_status;
SELECT event_type, dbvc.event_bigint(body, 'version') AS version FROM dbvc.change_event WHERE migration_id = 'a' ORDER BY id;
-- now it is the same content
SELECT version FROM dbvc.migration_register('a', 'CREATE TABLE acc (id int) -- the id', 'DROP TABLE acc', 'SELECT true');
-- and the old one is the changed one
SELECT version FROM dbvc.migration_register('a', 'CREATE TABLE acc (id int)', 'DROP TABLE acc', 'SELECT true');
CALL dbvc.migrate();

-- what is not said stays as it was: kind, requires, environments
SELECT id, version, kind, requires, environments FROM dbvc.migration_accept('b', 'SELECT 1, 2', reason => 'x');
SELECT id, version, kind, requires, environments FROM dbvc.migration_accept('b', 'SELECT 1, 2', requires => '{}', environments => '{dev,prod}', reason => 'x');

-- the down script accepted last is the one that rolls back
SELECT version FROM dbvc.migration_accept('b', 'SELECT 1, 2', 'CREATE TABLE acc_down ()', reason => 'it had none');
CALL dbvc.rollback();
SELECT to_regclass('acc_down') IS NOT NULL AS new_down_script_ran;
-- one that is not applied becomes applied
SELECT id, version, event_type FROM dbvc.migration_accept('b', 'SELECT 3', reason => 'done by hand');
SELECT id, status, version, applied_version, applied_how, note FROM dbvc.migration_status;
SELECT * FROM dbvc.migration_verify() WHERE "check" <> 'checksum' AND "check" <> 'events';

-- part of the caller's transaction
BEGIN;
SELECT version FROM dbvc.migration_accept('b', 'SELECT 4', reason => 'no');
ROLLBACK;
SELECT version, up_script FROM dbvc.migration WHERE id = 'b';

-- errors
SELECT version FROM dbvc.migration_accept('nope', 'SELECT 1', reason => 'x');
SELECT version FROM dbvc.migration_accept('a', 'SELECT 1');
SELECT version FROM dbvc.migration_accept('a', 'SELECT 1', reason => '');
SELECT version FROM dbvc.migration_accept('a', NULL, reason => 'x');
SELECT version FROM dbvc.migration_accept(NULL, 'SELECT 1', reason => 'x');
SELECT version FROM dbvc.migration_accept('a', 'SELECT 1', kind => 'other', reason => 'x');
SELECT version FROM dbvc.migration_accept('a', 'VACUUM', transactional => true, reason => 'x');

DROP TABLE acc, acc_down;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
