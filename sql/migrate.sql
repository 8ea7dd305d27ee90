--
-- CALL dbvc.migrate()
--
CREATE EXTENSION dbvc;
\pset null '(null)'
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('m1', E'CREATE TABLE mig_1 (id int PRIMARY KEY);\nINSERT INTO mig_1 VALUES (1), (2);');
SELECT id FROM dbvc.migration_register('m2', 'CREATE TABLE mig_2 (id int REFERENCES mig_1 DEFERRABLE INITIALLY DEFERRED)');
SELECT id FROM dbvc.migration_register('m3', 'INSERT INTO mig_2 VALUES (1)');
-- the target is included
CALL dbvc.migrate('m2');
SELECT id, status FROM dbvc.migration_status;
CALL dbvc.migrate('m2');
CALL dbvc.migrate(target => 'nope');
SET application_name = 'regress';
CALL dbvc.migrate();
CALL dbvc.migrate();
SELECT count(*) FROM mig_1;
-- a run says who, when, from where and how it ended
SELECT id, direction, status, version, scope, started_at <= completed_at AS took, completed_at <= clock_timestamp() AS past,
	session_username = session_user AS session_username, role = current_user AS role, client_addr IS NOT NULL AS client_addr, application_name, txid IS NOT NULL AS txid,
	server_version = current_setting('server_version_num')::int AS server, environment, statements, error_sqlstate
FROM dbvc.migration_run WHERE id = 'm3';
SELECT id, statements FROM dbvc.migration_run ORDER BY event_id;
-- each in its own transaction
SELECT count(DISTINCT txid) FROM dbvc.migration_run;

-- a failure is rolled back, then recorded; what went before stays, what comes after does not run
SELECT id FROM dbvc.migration_register('m4', 'CREATE TABLE mig_4 ()');
SELECT id FROM dbvc.migration_register('m5', E'-- a comment first\nCREATE TABLE mig_5 (id int);\n\n  INSERT INTO mig_5\n  VALUES (1), (nope);\nSELECT 1;');
SELECT id FROM dbvc.migration_register('m6', 'CREATE TABLE mig_6 ()');
CALL dbvc.migrate();
SELECT to_regclass('mig_4') AS m4, to_regclass('mig_5') AS m5, to_regclass('mig_6') AS m6;
SELECT id, status, statements, error_sqlstate, error_message, error_detail, error_hint, error_context, error_statement, error_line, error_column
FROM dbvc.migration_run WHERE id = 'm5' \gx
SELECT id, status, error_sqlstate, error_line FROM dbvc.migration_status WHERE id >= 'm4';
SELECT dbvc.event_text(body, 'error_sqlstate') FROM dbvc.change_event WHERE event_type = 'failed';
-- it runs again, corrected
SELECT version FROM dbvc.migration_register('m5', E'CREATE TABLE mig_5 (id int)');
CALL dbvc.migrate();
SELECT id, direction, status, version FROM dbvc.migration_run WHERE id = 'm5' ORDER BY event_id;

-- errors as PostgreSQL gives them, with where in the script
SELECT id FROM dbvc.migration_register('n1', E'SELECT 1;\nDO $$ BEGIN RAISE EXCEPTION USING errcode = ''ZZ001'', message = ''m'', detail = ''d'', hint = ''h'', schema = ''s'', table = ''t''; END $$;');
CALL dbvc.migrate();
\echo :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE
SELECT error_sqlstate, error_message, error_detail, error_hint, error_context, error_statement, error_line, error_column FROM dbvc.migration_run WHERE id = 'n1' \gx
SELECT version FROM dbvc.migration_register('n1', 'INSERT INTO mig_1 VALUES (1)');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('n1', U&'SELECT ''\00E4\20AC\+01F600'', nope;\000ASELECT 1');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('n1', E'SELECT 1;\n' || repeat('/* long */ ', 3) || 'SELECT ''' || repeat('x', 200) || ''', nope');
CALL dbvc.migrate();
SELECT error_line, error_column FROM dbvc.migration_run WHERE id = 'n1' ORDER BY event_id DESC LIMIT 1;
-- a syntax error anywhere is found before anything runs
SELECT version FROM dbvc.migration_register('n1', E'CREATE TABLE mig_7 ();\nSELECT 1;\nSELEC 2;');
CALL dbvc.migrate();
SELECT statements, error_sqlstate, error_statement, error_line, error_column FROM dbvc.migration_run WHERE id = 'n1' ORDER BY event_id DESC LIMIT 1;
-- inside functions: the function's own context comes first
CREATE FUNCTION mig_fail() RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE division_by_zero USING message = 'in a function'; END$$;
SELECT version FROM dbvc.migration_register('n1', E'SELECT 1;\n SELECT mig_fail()');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('n1', E'DO $$ BEGIN PERFORM mig_fail(); EXCEPTION WHEN division_by_zero THEN NULL; END $$; CREATE TABLE mig_7 ()');
CALL dbvc.migrate();

-- a deferred constraint that fails at COMMIT is a failure of its migration too
SELECT id FROM dbvc.migration_register('o1', E'CREATE TABLE mig_8 ();\nINSERT INTO mig_2 VALUES (99)');
SELECT id FROM dbvc.migration_register('o2', 'SELECT 1');
CALL dbvc.migrate();
SELECT to_regclass('mig_8') IS NULL AS rolled_back;
SELECT id, status, error_sqlstate, error_message, error_detail, error_context, error_line FROM dbvc.migration_run WHERE id = 'o1' \gx
SELECT id, status FROM dbvc.migration_status WHERE id LIKE 'o_';
SELECT version FROM dbvc.migration_register('o1', 'INSERT INTO mig_2 VALUES (2)');
CALL dbvc.migrate();
-- likewise in the last one of a CALL, and by a constraint trigger's own exception
CREATE FUNCTION mig_late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'too late' USING errcode = 'ZZ002'; END$$;
CREATE CONSTRAINT TRIGGER mig_late AFTER INSERT ON mig_1 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mig_late();
SELECT id FROM dbvc.migration_register('o3', 'INSERT INTO mig_1 VALUES (3)');
CALL dbvc.migrate();
SELECT id, status, error_sqlstate FROM dbvc.migration_run WHERE id = 'o3';
SELECT count(*) FROM mig_1;
DROP TRIGGER mig_late ON mig_1;
CALL dbvc.migrate();
SELECT DISTINCT ok FROM dbvc.migration_verify();

-- what may not be
BEGIN;
CALL dbvc.migrate();
ROLLBACK;
BEGIN;
CALL dbvc.rollback();
ROLLBACK;
CREATE FUNCTION mig_call() RETURNS void LANGUAGE plpgsql AS $$BEGIN CALL dbvc.migrate(); END$$;
SELECT mig_call();
SET default_transaction_isolation = 'serializable';
CALL dbvc.migrate();
CALL dbvc.rollback();
SET default_transaction_isolation = 'repeatable read';
CALL dbvc.migrate();
RESET default_transaction_isolation;
SELECT id FROM dbvc.migration_register('q1', 'SELECT 1');
SET default_transaction_read_only = on;
\set VERBOSITY sqlstate
CALL dbvc.migrate();
\set VERBOSITY default
RESET default_transaction_read_only;
SELECT id, status FROM dbvc.migration_status WHERE id = 'q1';
CALL dbvc.migrate();
-- null arguments are those that were left out
SELECT id FROM dbvc.migration_register('z', 'SELECT 1');
CALL dbvc.migrate(NULL, NULL, NULL, NULL);
-- from a block that may commit
SELECT id FROM dbvc.migration_register('z0', 'SELECT 1');
DO $$BEGIN CALL dbvc.migrate(); END$$;
-- a script that uses dbvc itself: it is refused to run migrations inside of one
SELECT id FROM dbvc.migration_register('z1', 'CALL dbvc.migrate()');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('z1', $$SELECT dbvc.migration_register('z2', 'SELECT 2')$$);
CALL dbvc.migrate();
SELECT id, status FROM dbvc.migration_status WHERE id LIKE 'z_';
CALL dbvc.migrate();

-- one that registers itself anew while it runs: whatever it is told, what is applied stays the newest content
SELECT id FROM dbvc.migration_register('z3', $$SELECT dbvc.migration_register('z3', 'SELECT 3')$$);
DO $$BEGIN PERFORM dbvc.migration_apply('z3'); EXCEPTION WHEN OTHERS THEN NULL; END$$;
SELECT id, version, applied_version FROM dbvc.migration_status WHERE id = 'z3' AND status = 'applied' AND version <> applied_version;
DO $$BEGIN PERFORM dbvc.migration_register('z3', 'SELECT 3'); EXCEPTION WHEN OTHERS THEN NULL; END$$;
CALL dbvc.migrate(target => 'z3');
SELECT id, status FROM dbvc.migration_status WHERE id = 'z3';
-- and others that meddle
SELECT id FROM dbvc.migration_register('z4', $$SELECT dbvc.migration_apply('z4')$$);
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('z4', $$SELECT dbvc.migration_rollback('z2')$$);
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('z4', $$SELECT dbvc.migration_accept('z4', 'SELECT 1', reason => 'x')$$);
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('z4', $$SELECT dbvc.migration_baseline('z4', 'x')$$);
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('z4', $$SELECT dbvc.migration_reset('z4', 'x')$$);
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('z4', $$SELECT dbvc.migration_state_rebuild()$$);
\set VERBOSITY sqlstate
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('z4', 'DROP EXTENSION dbvc');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('z4', 'DROP TABLE dbvc.change_event CASCADE');
CALL dbvc.migrate();
\set VERBOSITY default
SELECT id, status FROM dbvc.migration_status WHERE id = 'z4';
-- what it reads about itself: it is not applied yet
SELECT version FROM dbvc.migration_register('z4', $$CREATE TABLE mig_9 AS SELECT id, status FROM dbvc.migration_status WHERE id = 'z4'; SELECT * FROM dbvc.migration_plan()$$);
CALL dbvc.migrate();
SELECT * FROM mig_9;
-- several statements in one message are one transaction
SELECT id FROM dbvc.migration_register('z5', 'SELECT 1');
SELECT 1 \; CALL dbvc.migrate();
-- in a procedure that may commit, and in a block that may not
CREATE PROCEDURE mig_proc() LANGUAGE plpgsql AS $$BEGIN CALL dbvc.migrate(); COMMIT; END$$;
CREATE PROCEDURE mig_proc_caught() LANGUAGE plpgsql AS $$BEGIN BEGIN CALL dbvc.migrate(); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLERRM; END; END$$;
CREATE PROCEDURE mig_proc_set() LANGUAGE plpgsql SET work_mem = '4MB' AS $$BEGIN CALL dbvc.migrate(); END$$;
CALL mig_proc_caught();
CALL mig_proc_set();
CALL mig_proc();
-- a failure in there is recorded too, although the caller's error handling is not asked
SELECT id FROM dbvc.migration_register('z6', 'SELECT 1/0');
CALL mig_proc();
SELECT id, status FROM dbvc.migration_run WHERE id = 'z6';
SELECT DISTINCT ok FROM dbvc.migration_verify();
-- a user's own event trigger sees what a script does
CREATE FUNCTION mig_event() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE '% by %', TG_TAG, current_user = session_user; IF TG_TAG = 'CREATE SEQUENCE' THEN RAISE EXCEPTION 'no sequences here'; END IF; END$$;
CREATE EVENT TRIGGER regress_dbvc_event ON ddl_command_end EXECUTE FUNCTION mig_event();
SELECT version FROM dbvc.migration_register('z6', E'CREATE TABLE mig_10 ();\nCREATE SEQUENCE mig_s;');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('z6', E'CREATE TABLE mig_10 ();');
CALL dbvc.migrate();
DROP EVENT TRIGGER regress_dbvc_event;

DROP PROCEDURE mig_proc(), mig_proc_caught(), mig_proc_set();
DROP FUNCTION mig_event();
DROP FUNCTION mig_fail(), mig_late(), mig_call();
DROP TABLE mig_1, mig_2, mig_4, mig_5, mig_6, mig_7, mig_9, mig_10;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
