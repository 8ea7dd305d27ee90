-- Where two things meet: what reviews found
CREATE EXTENSION dbvc;
\pset null '(null)'
-- a baseline in steps records what it covers, in the transaction that ends it
SELECT id FROM dbvc.migration_register('1', 'SELECT 1');
SELECT id FROM dbvc.migration_register('2', 'SELECT 1');
SELECT id FROM dbvc.migration_register('2b', 'VACUUM pg_class; SELECT 1', kind => 'baseline');
-- a target brings the repeatable that it requires
SELECT id FROM dbvc.migration_register('3', 'SELECT 1', requires => '{R}');
SELECT id FROM dbvc.migration_register('4', 'SELECT 1');
SELECT id FROM dbvc.migration_register('R', 'SELECT 1', kind => 'repeatable');
SELECT id FROM dbvc.migration_register('R2', 'SELECT 1', kind => 'repeatable');
SELECT position, id, action, why FROM dbvc.migration_plan('3');
CALL dbvc.migrate('3');
SELECT id, status, applied_how FROM dbvc.migration_status;
SELECT * FROM dbvc.migration_verify() WHERE NOT ok;
-- an event moved to another migration, or to none, shows with the one it was of
ALTER TABLE dbvc.change_event DISABLE TRIGGER change_event_guard;
UPDATE dbvc.change_event SET migration_id = NULL WHERE event_type = 'baselined' AND migration_id = '1';
UPDATE dbvc.change_event SET migration_id = '1' WHERE event_type = 'baselined' AND migration_id = '2';
SELECT id, "check", ok FROM dbvc.migration_verify() WHERE NOT ok ORDER BY id, "check";
SELECT id, "check", ok FROM dbvc.migration_verify('2') WHERE NOT ok ORDER BY id, "check";
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;
-- a baseline applied by itself covers, too
CREATE EXTENSION dbvc;
SELECT id FROM dbvc.migration_register('1', 'SELECT 1');
SELECT id FROM dbvc.migration_register('2b', 'SELECT 1', kind => 'baseline');
SELECT id, status FROM dbvc.migration_apply('2b');
SELECT id, status, applied_how FROM dbvc.migration_status;
-- a down script that stopped half-way is corrected by acceptance and goes on
SELECT id FROM dbvc.migration_register('u', 'CREATE TABLE cr_u (a int)', 'DROP TABLE cr_u; VACUUM cr_none');
CALL dbvc.migrate();
CALL dbvc.rollback();
SELECT id FROM dbvc.migration_accept('u', 'CREATE TABLE cr_u (a int)', 'DROP TABLE cr_v; VACUUM pg_class', reason => 'x');
SELECT id FROM dbvc.migration_accept('u', 'CREATE TABLE cr_u (a int)', 'DROP TABLE cr_u; VACUUM pg_class', reason => 'x');
SELECT * FROM dbvc.migration_verify() WHERE NOT ok;
CALL dbvc.rollback();
SELECT id, status FROM dbvc.migration_status WHERE id = 'u';
SELECT * FROM dbvc.migration_verify() WHERE NOT ok;
-- whoever gives a verify script answers for it: nobody else's rights
CREATE ROLE regress_dbvc_corner;
GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_corner;
GRANT EXECUTE ON FUNCTION dbvc.migration_accept TO regress_dbvc_corner;
SELECT id FROM dbvc.migration_register('v', 'SELECT 1', verify_script => 'SELECT current_user <> ''regress_dbvc_corner''');
CALL dbvc.migrate('v', out_of_order => true);
SELECT id, ok FROM dbvc.migration_verify('v') WHERE "check" = 'verify script';
SET ROLE regress_dbvc_corner;
SELECT id FROM dbvc.migration_accept('v', 'SELECT 1', verify_script => 'SELECT current_user = ''regress_dbvc_corner''', reason => 'mine');
RESET ROLE;
SELECT id, ok, detail FROM dbvc.migration_verify('v') WHERE "check" = 'verify script';
-- ... also when somebody with more rights accepts the rest
SELECT id FROM dbvc.migration_accept('v', 'SELECT 1 -- comment', reason => 'comment');
SELECT id, ok, detail FROM dbvc.migration_verify('v') WHERE "check" = 'verify script';
-- ... and whoever is no member of that role does not run it
GRANT EXECUTE ON FUNCTION dbvc.migration_verify TO regress_dbvc_corner;
SELECT id FROM dbvc.migration_accept('v', 'SELECT 1', verify_script => 'SELECT true', reason => 'ours');
SET ROLE regress_dbvc_corner;
SELECT ok IS NULL AS unknown, detail LIKE 'not run: %' AS not_run FROM dbvc.migration_verify('v') WHERE "check" = 'verify script';
RESET ROLE;
-- a script's own timeout is a false answer, not the end of all of them
SELECT id FROM dbvc.migration_accept('v', 'SELECT 1', verify_script => 'SET statement_timeout = 10; SELECT pg_sleep(10)', reason => 'slow');
SELECT id, ok FROM dbvc.migration_verify() WHERE "check" = 'verify script';
-- a dry run does not blame a script for what it left out
CREATE TABLE cr_t (a int);
SELECT id FROM dbvc.migration_register('w', E'CREATE INDEX CONCURRENTLY cr_i ON cr_t (a);\nCOMMENT ON INDEX cr_i IS ''x''');
CALL dbvc.migrate('w', dry_run => true);
SELECT id, ok, error_message FROM dbvc.migration_dry_run;
CALL dbvc.migrate('w');
-- no script removes the history it is to be recorded in
SELECT id FROM dbvc.migration_register('x', 'DROP SCHEMA dbvc CASCADE');
CALL dbvc.migrate('x');
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;
-- default privileges of the installing role open nothing
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_dbvc_corner;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO regress_dbvc_corner;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO regress_dbvc_corner;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO regress_dbvc_corner;
CREATE EXTENSION dbvc;
SELECT count(*) AS granted FROM (
	SELECT relacl AS acl FROM pg_class WHERE relnamespace = 'dbvc'::regnamespace
	UNION ALL SELECT proacl FROM pg_proc WHERE pronamespace = 'dbvc'::regnamespace
	UNION ALL SELECT nspacl FROM pg_namespace WHERE nspname = 'dbvc') o, aclexplode(o.acl) x
WHERE x.grantee = 'regress_dbvc_corner'::regrole;
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;
DROP OWNED BY regress_dbvc_corner;
DROP ROLE regress_dbvc_corner;
DROP TABLE cr_t;
