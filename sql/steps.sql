--
-- Migrations that cannot run in one transaction
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SELECT current_user AS admin \gset
CREATE TABLE st (id int PRIMARY KEY, a int, b text);
INSERT INTO st SELECT n, n % 10, 'x' FROM generate_series(1, 100) n;

-- an index built concurrently, by a background worker, as the caller
SELECT id FROM dbvc.migration_register('c01', 'CREATE INDEX CONCURRENTLY st_a ON st (a)', 'DROP INDEX CONCURRENTLY st_a');
CALL dbvc.migrate();
SELECT indexrelid::regclass, indisvalid, pg_get_userbyid(c.relowner) = current_user AS mine FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE indrelid = 'st'::regclass ORDER BY c.relname;
SELECT id, direction, status, statements FROM dbvc.migration_run ORDER BY event_id;
SELECT event_type, dbvc.event_bigint(body, 'statements') AS statements FROM dbvc.change_event WHERE migration_id = 'c01' ORDER BY id;
SELECT id, status, steps_done FROM dbvc.migration_status;
CALL dbvc.rollback();
SELECT to_regclass('st_a') IS NULL AS dropped;
SELECT id, status FROM dbvc.migration_status;
CALL dbvc.migrate();

-- mixed with others, in order, and with settings that go on
SELECT id FROM dbvc.migration_register('c02', E'CREATE SCHEMA st_s;\nSET search_path = st_s;\nSET maintenance_work_mem = ''8MB'';\nCREATE TABLE t (a int);\nINSERT INTO t VALUES (1), (2);\nCREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a);\nALTER TABLE t ADD b int;\nVACUUM (ANALYZE) t;\nREINDEX TABLE CONCURRENTLY t;\nREINDEX INDEX CONCURRENTLY t_a;\nCLUSTER t USING t_a;\nUPDATE t SET b = 1;\nDROP INDEX CONCURRENTLY t_a;',
	E'VACUUM st_s.t;\nDROP SCHEMA st_s CASCADE;');
CALL dbvc.migrate();
SELECT a, b FROM st_s.t ORDER BY a;
SELECT event_type, dbvc.event_bigint(body, 'statements') AS statements FROM dbvc.change_event WHERE migration_id = 'c02' ORDER BY id;
SHOW search_path;
CALL dbvc.rollback();
-- each that the parse tree shows
SELECT id FROM dbvc.migration_register('c03', $$ALTER SYSTEM SET application_name = 'regress_dbvc_steps'; ALTER SYSTEM RESET application_name$$);
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('c04', E'CREATE TABLE st_p (a int) PARTITION BY LIST (a);\nCREATE TABLE st_p1 PARTITION OF st_p FOR VALUES IN (1);\nCREATE TABLE st_p2 PARTITION OF st_p FOR VALUES IN (2);\nALTER TABLE st_p DETACH PARTITION st_p1 CONCURRENTLY;\nALTER TABLE st_p DETACH PARTITION st_p2;');
CALL dbvc.migrate();
SELECT count(*) FROM pg_inherits WHERE inhparent = 'st_p'::regclass;
SELECT statements FROM dbvc.migration_run WHERE id = 'c04';
SELECT id FROM dbvc.migration_register('c05', E'REINDEX SCHEMA public;\nVACUUM;\nREINDEX (CONCURRENTLY, VERBOSE FALSE) TABLE st;\nANALYZE;\nREINDEX TABLE st;');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('c06', 'CREATE DATABASE regress_dbvc_steps TEMPLATE template0', 'DROP DATABASE regress_dbvc_steps');
CALL dbvc.migrate();
SELECT count(*) FROM pg_database WHERE datname = 'regress_dbvc_steps';
CALL dbvc.rollback();
SELECT count(*) FROM pg_database WHERE datname = 'regress_dbvc_steps';
-- those that can run in a transaction do
SELECT id FROM dbvc.migration_register('c07', E'CREATE MATERIALIZED VIEW st_m AS SELECT id FROM st;\nCREATE UNIQUE INDEX st_m_id ON st_m (id);\nREFRESH MATERIALIZED VIEW CONCURRENTLY st_m;\nANALYZE st;\nREINDEX TABLE st;\nCLUSTER st USING st_pkey;\nCREATE INDEX st_b ON st (b);\nDROP INDEX st_b;');
SELECT status, statements FROM dbvc.migration_apply('c07');
CALL dbvc.migrate(out_of_order => true);
SELECT event_type FROM dbvc.change_event WHERE migration_id = 'c07' ORDER BY id;

-- transactional => false: every statement by itself
SELECT id FROM dbvc.migration_register('d01', E'CREATE TABLE st_d (a int);\nINSERT INTO st_d VALUES (1);\nSELECT 1/0;', transactional => false);
CALL dbvc.migrate();
SELECT a FROM st_d;
SELECT id, status, steps_done, error_sqlstate, error_line FROM dbvc.migration_status WHERE id = 'd01';
SELECT id, status, statements, error_statement, error_line, error_column, error_context FROM dbvc.migration_run WHERE id = 'd01';
SELECT id, why FROM dbvc.migration_plan();
-- corrected behind what is executed: it goes on from there
SELECT version FROM dbvc.migration_register('d01', E'CREATE TABLE st_d (a int);\nINSERT INTO st_d VALUES (1);\nINSERT INTO st_d VALUES (2);', transactional => false);
CALL dbvc.migrate();
SELECT a FROM st_d ORDER BY a;
SELECT id, status, statements FROM dbvc.migration_run WHERE id = 'd01' ORDER BY event_id;
SELECT id, status, steps_done FROM dbvc.migration_status WHERE id = 'd01';
-- what is executed was changed: refused, until a person has put it in order
SELECT id FROM dbvc.migration_register('d02', E'INSERT INTO st_d VALUES (3);\nSELECT 1/0;', transactional => false);
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('d02', E'INSERT INTO st_d VALUES (4);\nINSERT INTO st_d VALUES (5);', transactional => false);
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('d02', 'SELECT 1', transactional => false);
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('d02', E'INSERT INTO st_d VALUES (4);\nINSERT INTO st_d VALUES (5);');
CALL dbvc.migrate();
SELECT dbvc.migration_apply('d02');
CALL dbvc.migrate(dry_run => true);
SELECT a FROM st_d ORDER BY a;
SELECT dbvc.migration_reset('d02', NULL);
SELECT dbvc.migration_reset('d02', '');
SELECT dbvc.migration_reset(NULL, 'x');
SELECT dbvc.migration_reset('nope', 'x');
SELECT dbvc.migration_reset('d01', 'x');
SELECT dbvc.migration_reset('d02', 'row 3 was taken out by hand');
SELECT id, status, steps_done FROM dbvc.migration_status WHERE id = 'd02';
CALL dbvc.migrate();
SELECT a FROM st_d ORDER BY a;
SELECT e.event_type, t.content AS reason FROM dbvc.change_event e LEFT JOIN dbvc.change_event_text t ON t.event_id = e.id AND t.field = 'reason' WHERE migration_id = 'd02' AND event_type = 'reset';
SELECT DISTINCT ok FROM dbvc.migration_verify();
-- executed in steps, finished in one transaction: what is done is not done again
SELECT id FROM dbvc.migration_register('d02a', E'INSERT INTO st_d VALUES (6);\nVACUUM nowhere;');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('d02a', E'INSERT INTO st_d VALUES (6);\nINSERT INTO st_d VALUES (7);');
CALL dbvc.migrate();
SELECT a FROM st_d WHERE a > 5 ORDER BY a;
-- DO and CALL may commit there
CREATE PROCEDURE st_commit() LANGUAGE plpgsql AS $$BEGIN INSERT INTO st_d VALUES (10); COMMIT; INSERT INTO st_d VALUES (11); ROLLBACK; INSERT INTO st_d VALUES (12); END$$;
SELECT id FROM dbvc.migration_register('d03', 'CALL st_commit(); DO $$BEGIN INSERT INTO st_d VALUES (13); COMMIT; END$$', transactional => false);
CALL dbvc.migrate();
SELECT a FROM st_d WHERE a >= 10 ORDER BY a;
SELECT id FROM dbvc.migration_register('d04', 'CALL st_commit()');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('d04', 'SELECT 1');
CALL dbvc.migrate();

-- a unique index that cannot be built
INSERT INTO st VALUES (101, 1, 'dup'), (102, 1, 'dup');
SELECT id FROM dbvc.migration_register('e01', E'CREATE TABLE st_e (a int);\n\n  CREATE UNIQUE INDEX CONCURRENTLY st_dup ON st (b)\n  WHERE b = ''dup'';\nINSERT INTO st_e VALUES (1);');
CALL dbvc.migrate();
SELECT to_regclass('st_dup') IS NULL AS no_invalid_index, to_regclass('st_e') IS NOT NULL AS step_1_stays;
SELECT id, status, statements, error_sqlstate, error_message, error_detail, error_statement, error_line, error_column, error_context FROM dbvc.migration_run WHERE id = 'e01' \gx
SELECT id, status, steps_done, error_line FROM dbvc.migration_status WHERE id = 'e01';
SELECT count(*) FROM pg_index WHERE NOT indisvalid;
DELETE FROM st WHERE id = 102;
CALL dbvc.migrate();
SELECT indisvalid FROM pg_index WHERE indexrelid = 'st_dup'::regclass;
SELECT a FROM st_e;
-- an index without a name
DROP INDEX st_dup;
INSERT INTO st VALUES (102, 1, 'dup');
SELECT id FROM dbvc.migration_register('e02', 'CREATE UNIQUE INDEX CONCURRENTLY ON st (b)');
CALL dbvc.migrate();
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT indisvalid ORDER BY 1;
DROP INDEX IF EXISTS st_b_idx;
SELECT version FROM dbvc.migration_register('e02', 'SELECT 1');
CALL dbvc.migrate();
-- IF NOT EXISTS takes an invalid index for a good one: dbvc does not
CREATE UNIQUE INDEX CONCURRENTLY st_dup ON st (b);
SELECT indisvalid FROM pg_index WHERE indexrelid = 'st_dup'::regclass;
SELECT id FROM dbvc.migration_register('e02a', 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS st_dup ON st (b)');
CALL dbvc.migrate();
SELECT id, status, error_sqlstate FROM dbvc.migration_status WHERE id = 'e02a';
SELECT indisvalid FROM pg_index WHERE indexrelid = 'st_dup'::regclass;
DROP INDEX st_dup;
SELECT version FROM dbvc.migration_register('e02a', 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS st_ok ON st (id)');
CALL dbvc.migrate();
SELECT indisvalid FROM pg_index WHERE indexrelid = 'st_ok'::regclass;
-- again: it is there and good
SELECT id FROM dbvc.migration_register('e03', 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS st_ok ON st (id)');
CALL dbvc.migrate();
-- one that is there, without IF NOT EXISTS: an error that leaves it alone
SELECT id FROM dbvc.migration_register('e04', 'CREATE INDEX CONCURRENTLY st_ok ON st (id)');
CALL dbvc.migrate();
SELECT indisvalid FROM pg_index WHERE indexrelid = 'st_ok'::regclass;
SELECT version FROM dbvc.migration_register('e04', 'CREATE INDEX CONCURRENTLY st_nowhere ON nowhere (id)');
CALL dbvc.migrate();
-- names that need quotes, in another schema
CREATE SCHEMA "St x";
CREATE TABLE "St x"."T" (a int);
INSERT INTO "St x"."T" VALUES (1), (1);
SELECT version FROM dbvc.migration_register('e04', 'CREATE UNIQUE INDEX CONCURRENTLY "I ""x" ON "St x"."T" (a)');
CALL dbvc.migrate();
SELECT count(*) FROM pg_index WHERE NOT indisvalid;
DELETE FROM "St x"."T";
CALL dbvc.migrate();
-- found only when the worker runs it
SELECT id FROM dbvc.migration_register('e05', E'SELECT 1;\nVACUUM nowhere');
CALL dbvc.migrate();
SELECT error_statement, error_line, error_column FROM dbvc.migration_run WHERE id = 'e05';
SELECT version FROM dbvc.migration_register('e05', E'SELECT 1;\nVACUUM (NOPE) st');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('e05', E'SELECT 1;\nVACUUM st');
CALL dbvc.migrate();
-- a deferred constraint at the end of a step
CREATE TABLE st_fk (id int PRIMARY KEY, up int REFERENCES st_fk DEFERRABLE INITIALLY DEFERRED);
SELECT id FROM dbvc.migration_register('e06', E'INSERT INTO st_fk VALUES (1, 2);\nVACUUM st_fk;\nINSERT INTO st_fk VALUES (2, 1);');
CALL dbvc.migrate();
SELECT id, status, statements, error_sqlstate FROM dbvc.migration_run WHERE id = 'e06';
SELECT count(*) FROM st_fk;
SELECT version FROM dbvc.migration_register('e06', E'INSERT INTO st_fk VALUES (1, 2), (2, 1);\nVACUUM st_fk;');
CALL dbvc.migrate();
-- a timeout reaches the worker
SELECT id FROM dbvc.migration_register('e07', E'SET statement_timeout = ''200ms'';\nDO $$BEGIN PERFORM pg_sleep(60); END$$;', transactional => false);
CALL dbvc.migrate();
SELECT id, status, statements, error_sqlstate FROM dbvc.migration_run WHERE id = 'e07';
SELECT version FROM dbvc.migration_register('e07', E'SET statement_timeout = ''200ms'';\nSELECT 1;', transactional => false);
CALL dbvc.migrate();
-- a down script in steps that fails goes on too
SELECT id FROM dbvc.migration_register('f01', 'SELECT 1', E'INSERT INTO st_e VALUES (2);\nVACUUM st_e;\nINSERT INTO st_f VALUES (1);');
CALL dbvc.migrate();
CALL dbvc.rollback();
SELECT id, status, applied_version, steps_done FROM dbvc.migration_status WHERE id = 'f01';
CREATE TABLE st_f (a int);
CALL dbvc.rollback();
SELECT a FROM st_e ORDER BY a;
SELECT id, status, applied_version, steps_done FROM dbvc.migration_status WHERE id = 'f01';
-- notices of the worker come through
SELECT id FROM dbvc.migration_register('g01', E'SELECT 1;\nDROP INDEX CONCURRENTLY IF EXISTS st_nowhere;');
CALL dbvc.migrate(out_of_order => true);
-- COPY data between steps; SET LOCAL for its step only
SELECT id FROM dbvc.migration_register('g01a', E'COPY st_f FROM stdin;\n10\n11\n\\.\nCREATE INDEX CONCURRENTLY st_f_a ON st_f (a);\nSET LOCAL search_path = nowhere;\nSET LOCAL work_mem = ''7MB'';\nVACUUM public.st_f;\nCOPY st_f FROM stdin;\n12\n\\.\nDROP INDEX CONCURRENTLY st_f_a;\nINSERT INTO st_f SELECT 13 WHERE current_setting(''work_mem'') <> ''7MB'';');
CALL dbvc.migrate();
SELECT a FROM st_f ORDER BY a;
-- more that cannot run in a transaction
SELECT id FROM dbvc.migration_register('g01b', $$SET allow_in_place_tablespaces = on; CREATE TABLESPACE regress_dbvc_ts LOCATION ''; CREATE TABLE st_ts (a int) TABLESPACE regress_dbvc_ts; DROP TABLE st_ts; DROP TABLESPACE regress_dbvc_ts$$);
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('g01c', $$REINDEX TABLE st_p; REINDEX TABLE CONCURRENTLY st_p; VACUUM FULL st_f; VACUUM (FREEZE, ANALYZE) st_f, st_e; CLUSTER; REINDEX (VERBOSE FALSE) SCHEMA "St x"$$);
CALL dbvc.migrate();
SET client_min_messages = error;
SELECT id FROM dbvc.migration_register('g01d', $$SET client_min_messages = error; CREATE SUBSCRIPTION regress_dbvc_sub CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)$$, 'DROP SUBSCRIPTION regress_dbvc_sub');
SELECT status FROM dbvc.migration_apply('g01d');
CALL dbvc.rollback();
RESET client_min_messages;
SELECT direction, status FROM dbvc.migration_run WHERE id = 'g01d' ORDER BY event_id;
SELECT count(*) FROM pg_subscription WHERE subname = 'regress_dbvc_sub';
SELECT version FROM dbvc.migration_register('g01d', 'SELECT 1');
CALL dbvc.migrate();
-- the caller's own timeout ends the worker's statement too
SELECT id FROM dbvc.migration_register('g01e', E'DO $$BEGIN PERFORM pg_sleep(60); END$$', transactional => false);
SET statement_timeout = '500ms';
CALL dbvc.migrate();
RESET statement_timeout;
SELECT id, status, statements, error_sqlstate FROM dbvc.migration_run WHERE id = 'g01e';
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dbvc worker';
-- unfinished steps, and somebody who says that it is done
SELECT version FROM dbvc.migration_register('g01e', E'INSERT INTO st_f VALUES (20);\nVACUUM nowhere');
CALL dbvc.migrate();
SELECT id, status, steps_done FROM dbvc.migration_status WHERE id = 'g01e';
SELECT version FROM dbvc.migration_accept('g01e', 'INSERT INTO st_f VALUES (20)', 'DELETE FROM st_f WHERE a = 20', reason => 'finished by hand');
SELECT id, status, steps_done FROM dbvc.migration_status WHERE id = 'g01e';
SELECT DISTINCT ok FROM dbvc.migration_verify('g01e');
SELECT status FROM dbvc.migration_rollback('g01e');
SELECT id, status, steps_done FROM dbvc.migration_status WHERE id = 'g01e';
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('g01f', E'INSERT INTO st_f VALUES (21);\nVACUUM nowhere');
CALL dbvc.migrate();
SELECT dbvc.migration_baseline('g01f', 'finished by hand');
SELECT id, status, steps_done FROM dbvc.migration_status WHERE id = 'g01f';
SELECT DISTINCT ok FROM dbvc.migration_verify('g01f');
-- up in steps, down in steps, and up again from the first one
SELECT id FROM dbvc.migration_register('g01g', E'INSERT INTO st_f VALUES (30);\nVACUUM st_f;\nINSERT INTO st_f VALUES (31);', E'DELETE FROM st_f WHERE a = 30;\nVACUUM st_f;\nDELETE FROM st_f WHERE a = 31;');
CALL dbvc.migrate();
CALL dbvc.rollback();
CALL dbvc.migrate();
SELECT a FROM st_f WHERE a >= 30 ORDER BY a;
-- an empty one
SELECT id FROM dbvc.migration_register('g01h', '', transactional => false);
CALL dbvc.migrate();
-- in a transaction, in a function, in a script of its own it cannot be
SELECT id FROM dbvc.migration_register('g02', 'VACUUM');
BEGIN;
SELECT dbvc.migration_apply('g02');
ROLLBACK;
-- the worker does what the caller may, not more
CREATE ROLE regress_dbvc_low LOGIN;
CREATE ROLE regress_dbvc_high NOLOGIN;
GRANT regress_dbvc_high TO regress_dbvc_low;
CREATE SCHEMA st_high AUTHORIZATION regress_dbvc_high;
GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_low;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA dbvc TO regress_dbvc_low;
SELECT version FROM dbvc.migration_register('g02', 'CREATE INDEX CONCURRENTLY st_low ON st (a)');
\c - regress_dbvc_low
CALL dbvc.migrate();
-- but what it may by SET ROLE in the script it may
SELECT id FROM dbvc.migration_register('g02', E'SET ROLE regress_dbvc_high;\nSET search_path = st_high;\nCREATE TABLE t (a int);\nCREATE INDEX CONCURRENTLY t_a ON t (a);\nRESET ROLE;');
CALL dbvc.migrate();
SELECT tableowner FROM pg_tables WHERE schemaname = 'st_high';
SELECT id FROM dbvc.migration_register('g03', 'SELECT 1');
CALL dbvc.migrate();
\c - :admin
\pset null '(null)'
SELECT id FROM dbvc.migration_register('g04', $$ALTER SYSTEM SET application_name = 'low'$$);
SET ROLE regress_dbvc_low;
CALL dbvc.migrate();
RESET ROLE;
SELECT id, status, role, session_username = session_user AS session_username, error_sqlstate FROM dbvc.migration_run WHERE id IN ('g02', 'g04') ORDER BY event_id;
SELECT version FROM dbvc.migration_register('g04', 'SELECT 1');
CALL dbvc.migrate();
SELECT id, "check", ok FROM dbvc.migration_verify() WHERE NOT ok;

DROP TABLE st, st_p, st_p1, st_p2, st_d, st_e, st_f, st_fk CASCADE;
DROP SCHEMA "St x" CASCADE;
DROP SCHEMA st_high CASCADE;
DROP PROCEDURE st_commit();
-- a script's own COMMIT ends a step: what came before it stays
SELECT id FROM dbvc.migration_register('z_commit', $up$
CREATE TYPE mood AS ENUM ('sad');
CREATE TABLE person (m mood);
COMMIT;
ALTER TYPE mood ADD VALUE 'glad';
COMMIT;
SET search_path = pg_catalog, public;
BEGIN;
INSERT INTO person VALUES ('glad');
INSERT INTO person VALUES ('angry');
COMMIT;
INSERT INTO person VALUES ('sad');
$up$, E'DROP TABLE person;\nCOMMIT;\nDROP TYPE mood;');
CALL dbvc.migrate();
SELECT status, steps_done FROM dbvc.migration_status WHERE id = 'z_commit';
SELECT count(*) FROM person;
SELECT id FROM dbvc.migration_register('z_commit', $up$
CREATE TYPE mood AS ENUM ('sad');
CREATE TABLE person (m mood);
COMMIT;
ALTER TYPE mood ADD VALUE 'glad';
COMMIT;
SET search_path = pg_catalog, public;
BEGIN;
INSERT INTO person VALUES ('glad');
INSERT INTO person VALUES ('sad');
COMMIT;
INSERT INTO person VALUES ('sad');
$up$, E'DROP TABLE person;\nCOMMIT;\nDROP TYPE mood;');
CALL dbvc.migrate();
SELECT event_type, dbvc.event_bigint(body, 'statements') AS statements
FROM dbvc.change_event WHERE migration_id = 'z_commit' ORDER BY id;
TABLE person;
CALL dbvc.rollback();
SELECT to_regclass('person') IS NULL AND to_regtype('mood') IS NULL AS gone;
SELECT id FROM dbvc.migration_register('z_commit_not', E'SELECT 1;\nCOMMIT;\nSELECT 2;', transactional => true);

-- each statement by itself, but what the script puts between BEGIN and COMMIT stays together
SELECT id FROM dbvc.migration_register('z_block', $up$
CREATE TABLE account (id int, amount int);
INSERT INTO account VALUES (1, 100), (2, 0);
BEGIN;
UPDATE account SET amount = amount - 50 WHERE id = 1;
UPDATE account SET amount = amount + 50 / (id - 2) WHERE id = 2;
COMMIT;
DO $$ BEGIN COMMIT; END $$;
$up$, transactional => false);
CALL dbvc.migrate();
TABLE account;
SELECT steps_done FROM dbvc.migration_status WHERE id = 'z_block';
SELECT id FROM dbvc.migration_register('z_block', $up$
CREATE TABLE account (id int, amount int);
INSERT INTO account VALUES (1, 100), (2, 0);
BEGIN;
UPDATE account SET amount = amount - 50 WHERE id = 1;
UPDATE account SET amount = amount + 50 WHERE id = 2;
COMMIT;
DO $$ BEGIN COMMIT; END $$;
$up$, transactional => false);
CALL dbvc.migrate();
SELECT * FROM account ORDER BY id;
SELECT dbvc.event_bigint(body, 'statements') AS done
FROM dbvc.change_event WHERE migration_id = 'z_block' AND event_type = 'step_completed' ORDER BY id;
DROP TABLE account;

DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
DROP ROLE regress_dbvc_low, regress_dbvc_high;
