--
-- dbvc.migration_apply() and dbvc.migration_rollback(): in the caller's transaction
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SELECT id FROM dbvc.migration_register('a1', 'CREATE TABLE ap_1 (id int); INSERT INTO ap_1 VALUES (1)', 'DROP TABLE ap_1');
SELECT id FROM dbvc.migration_register('a2', 'CREATE TABLE ap_2 ()', 'DROP TABLE ap_2', requires => '{a1}');
-- its record goes with the transaction
BEGIN;
SELECT id, direction, status, version, scope, statements, txid::text = pg_current_xact_id()::text AS in_this_transaction FROM dbvc.migration_apply('a1');
SELECT * FROM ap_1;
ROLLBACK;
SELECT * FROM dbvc.migration_run;
SELECT id, status FROM dbvc.migration_status;
-- or stays with it
SELECT id, direction, status FROM dbvc.migration_apply('a1');
BEGIN;
SELECT id, direction, status FROM dbvc.migration_apply('a2');
SAVEPOINT s;
SELECT id, direction, status FROM dbvc.migration_rollback('a2');
ROLLBACK TO s;
COMMIT;
SELECT id, status FROM dbvc.migration_status;
SELECT id, direction, status FROM dbvc.migration_run ORDER BY event_id;
SELECT id, direction, status, version FROM dbvc.migration_rollback('a2');
SELECT id, direction, status FROM dbvc.migration_rollback('a1');
SELECT to_regclass('ap_1') IS NULL AND to_regclass('ap_2') IS NULL AS gone;
-- from a function
CREATE FUNCTION ap() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (dbvc.migration_apply('a1')).status;
END$$;
SELECT ap();
-- a failure raises, and vanishes with the transaction, or with the subtransaction
SELECT id FROM dbvc.migration_register('a3', E'CREATE TABLE ap_3 ();\nSELECT 1/0');
SELECT dbvc.migration_apply('a3');
DO $$
BEGIN
	PERFORM dbvc.migration_apply('a3');
EXCEPTION WHEN division_by_zero THEN
	RAISE NOTICE 'caught %', SQLERRM;
END$$;
SELECT to_regclass('ap_3') IS NULL AS nothing;
SELECT id, status FROM dbvc.migration_status WHERE id = 'a3';

-- errors
SELECT dbvc.migration_apply('a1');
SELECT dbvc.migration_apply('nope');
SELECT dbvc.migration_apply(NULL);
SELECT dbvc.migration_rollback('a2');
SELECT dbvc.migration_rollback('nope');
SELECT dbvc.migration_rollback(NULL);
SELECT id FROM dbvc.migration_register('b1', 'SELECT 1', requires => '{a2}');
SELECT dbvc.migration_apply('b1');
SELECT id, status FROM dbvc.migration_apply('a2');
SELECT id, status FROM dbvc.migration_apply('b1');
SELECT dbvc.migration_rollback('a2');
SELECT dbvc.migration_rollback('b1');
-- what cannot run in one transaction is refused, and nothing of it runs
SELECT id FROM dbvc.migration_register('c1', E'CREATE TABLE ap_c (a int);\nCREATE INDEX CONCURRENTLY ap_c_i ON ap_c (a)', 'SELECT 1');
SELECT dbvc.migration_apply('c1');
SELECT id FROM dbvc.migration_register('c2', 'SELECT 1', 'VACUUM', transactional => false);
SELECT dbvc.migration_apply('c2');
SELECT id FROM dbvc.migration_register('c3', 'SELECT 1', 'DROP INDEX CONCURRENTLY i');
SELECT id, status FROM dbvc.migration_apply('c3');
SELECT dbvc.migration_rollback('c3');
SELECT to_regclass('ap_c') IS NULL AS nothing_ran;
-- a plan cannot be read only
BEGIN READ ONLY;
\set VERBOSITY sqlstate
SELECT dbvc.migration_apply('a3');
\set VERBOSITY default
ROLLBACK;

-- what others have applied since must be seen
SELECT version FROM dbvc.migration_register('a3', 'CREATE TABLE ap_3 ()');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT id, status FROM dbvc.migration_apply('a3');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT id, status FROM dbvc.migration_apply('a3');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT id, status FROM dbvc.migration_rollback('a2');
ROLLBACK;
SELECT id, status FROM dbvc.migration_apply('a3');
-- constraints deferred by the caller fail with the caller
CREATE TABLE ap_d (id int PRIMARY KEY, up int REFERENCES ap_d DEFERRABLE INITIALLY DEFERRED);
SELECT id FROM dbvc.migration_register('d1', 'INSERT INTO ap_d VALUES (1, 2)');
BEGIN;
SELECT id, status FROM dbvc.migration_apply('d1');
COMMIT;
SELECT id, status FROM dbvc.migration_status WHERE id = 'd1';
-- dry run: no row
SELECT dbvc.migration_apply('d1', dry_run => true);
SELECT dbvc.migration_rollback('c3', dry_run => true) IS NULL AS no_run;
SELECT dbvc.migration_rollback('a3', dry_run => true);
SELECT id, direction, ok, statements, detail FROM dbvc.migration_dry_run ORDER BY event_id;
-- settings of the script end with it, settings of the caller do not
SELECT id FROM dbvc.migration_register('s1', 'SET search_path = pg_catalog; SET LOCAL work_mem = ''8MB''; SELECT set_config(''application_name'', ''x'', false)');
BEGIN;
SET LOCAL work_mem = '7MB';
SET application_name = 'mine';
SELECT id, status FROM dbvc.migration_apply('s1');
SELECT current_setting('search_path') AS search_path, current_setting('work_mem') AS work_mem, current_setting('application_name') AS application_name;
COMMIT;
SELECT current_setting('search_path') AS search_path, current_setting('application_name') AS application_name;

DROP FUNCTION ap();
DROP TABLE ap_1, ap_2, ap_3, ap_d;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
