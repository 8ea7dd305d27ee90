--
-- Who may do what: operator, reader, stranger, registrar
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SELECT current_user AS admin \gset
CREATE ROLE regress_dbvc_operator LOGIN;
CREATE ROLE regress_dbvc_registrar LOGIN;
CREATE ROLE regress_dbvc_reader LOGIN;
CREATE ROLE regress_dbvc_stranger LOGIN;
CREATE ROLE regress_dbvc_boss NOLOGIN;
CREATE SCHEMA work;
GRANT ALL ON SCHEMA work TO regress_dbvc_operator;
GRANT USAGE, CREATE ON SCHEMA work TO regress_dbvc_stranger;
-- the recipes
GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_operator, regress_dbvc_registrar, regress_dbvc_reader;
GRANT EXECUTE ON FUNCTION dbvc.migration_register, dbvc.migration_accept, dbvc.migration_baseline, dbvc.migration_reset,
	dbvc.migration_apply, dbvc.migration_rollback, dbvc.migration_plan, dbvc.migration_verify, dbvc.migration_order TO regress_dbvc_operator;
GRANT EXECUTE ON PROCEDURE dbvc.migrate, dbvc.rollback TO regress_dbvc_operator;
GRANT EXECUTE ON FUNCTION dbvc.migration_register TO regress_dbvc_registrar;
GRANT EXECUTE ON FUNCTION dbvc.migration_order, dbvc.migration_plan TO regress_dbvc_reader;
GRANT SELECT ON dbvc.migration_status, dbvc.migration_run TO regress_dbvc_operator, regress_dbvc_reader;
SELECT id FROM dbvc.migration_register('a1', 'CREATE TABLE work.secret_a1 (id int)', 'DROP TABLE work.secret_a1', 'SELECT true', 'a secret', 'Ada');
CALL dbvc.migrate();

-- a stranger may do nothing: not one routine, not one relation
\c - regress_dbvc_stranger
\set VERBOSITY terse
SELECT dbvc.version();
SELECT dbvc.migration_register('x', 'SELECT 1');
CALL dbvc.migrate();
SELECT * FROM dbvc.migration_status;
SELECT p.proname AS may FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'dbvc' AND has_function_privilege(p.oid, 'EXECUTE') AND has_schema_privilege(n.oid, 'USAGE') ORDER BY 1;
SELECT c.relname AS may FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'dbvc' AND c.relkind IN ('r', 'v') AND has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') ORDER BY 1;
SET dbvc.environment = 'prod';
SET dbvc.database_id = 'other';
ALTER EXTENSION dbvc UPDATE;
DROP EXTENSION dbvc;
-- with the schema's USAGE alone: only pure functions
\c - :admin
GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_stranger;
\c - regress_dbvc_stranger
\set VERBOSITY sqlstate
SELECT p.oid::regprocedure AS may, p.provolatile FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'dbvc' AND has_function_privilege(p.oid, 'EXECUTE') ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT dbvc.migration_register('x', 'SELECT 1');
SELECT dbvc.migration_accept('a1', 'SELECT 1', reason => 'x');
SELECT dbvc.migration_baseline('a1', 'x');
SELECT dbvc.migration_reset('a1', 'x');
SELECT dbvc.migration_apply('a1');
SELECT dbvc.migration_rollback('a1');
SELECT * FROM dbvc.migration_plan();
SELECT * FROM dbvc.migration_verify();
SELECT * FROM dbvc.migration_order();
SELECT dbvc.migration_state_rebuild();
CALL dbvc.migrate();
CALL dbvc.rollback();
SELECT * FROM dbvc.change_event;
SELECT * FROM dbvc.change_event_text;
SELECT * FROM dbvc.migration_state;
SELECT * FROM dbvc.migration;
SELECT * FROM dbvc.version_control;
INSERT INTO dbvc.change_event (inc, xid, body, leaf_hash) VALUES (1, '3', '\x00', '\x00');
UPDATE dbvc.change_event SET body = '\x00';
DELETE FROM dbvc.change_event;
TRUNCATE dbvc.change_event;
SELECT nextval('dbvc.change_event_id_seq');
ALTER TABLE dbvc.change_event DISABLE TRIGGER ALL;
ALTER TABLE dbvc.change_event_text OWNER TO regress_dbvc_stranger;
CREATE TABLE dbvc.mine ();
CREATE FUNCTION dbvc.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TRIGGER mine BEFORE INSERT ON dbvc.change_event EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TABLE work.mine (id int);
CREATE TRIGGER mine BEFORE DELETE ON work.mine FOR EACH STATEMENT EXECUTE FUNCTION dbvc.event_guard();
CREATE RULE mine AS ON SELECT TO dbvc.migration DO INSTEAD SELECT 1;
BEGIN;
LOCK TABLE dbvc.change_event;
ROLLBACK;
BEGIN;
LOCK TABLE dbvc.migration_state IN ACCESS SHARE MODE;
ROLLBACK;
COMMENT ON TABLE dbvc.change_event IS 'mine';
DROP TABLE work.mine;

-- a reader sees status and runs, no scripts, and writes nothing
\c - regress_dbvc_reader
\set VERBOSITY sqlstate
SELECT id, status, author FROM dbvc.migration_status;
SELECT id, status FROM dbvc.migration_run;
SELECT count(*) FROM dbvc.migration_plan();
SELECT up_script FROM dbvc.migration;
SELECT up_script FROM dbvc.migration_version;
SELECT document FROM dbvc.version_control;
SELECT content FROM dbvc.change_event_text;
SELECT body FROM dbvc.change_event;
SELECT * FROM dbvc.migration_state;
SELECT * FROM dbvc.migration_dry_run;
SELECT * FROM dbvc.migration_verify();
UPDATE dbvc.migration_status SET status = 'applied';
DELETE FROM dbvc.migration_run;
SELECT dbvc.migration_register('x', 'SELECT 1');
CALL dbvc.migrate();
BEGIN;
SELECT id FROM dbvc.migration_status FOR UPDATE;
ROLLBACK;

-- a registrar may register: that is data, nobody gains by it until somebody applies it who has the right
\c - regress_dbvc_registrar
\set VERBOSITY default
SELECT id, registered_by FROM dbvc.migration_register('b1', 'GRANT regress_dbvc_boss TO regress_dbvc_registrar; ALTER ROLE regress_dbvc_registrar CREATEROLE');
\set VERBOSITY sqlstate
CALL dbvc.migrate();
SELECT dbvc.migration_apply('b1');
SELECT dbvc.migration_accept('a1', 'SELECT 1', reason => 'x');
-- it cannot change what is applied, and does not read it by trying
SELECT dbvc.migration_register('a1', 'CREATE TABLE work.other ()');
SELECT * FROM dbvc.migration_status;
\c - :admin
SELECT pg_has_role('regress_dbvc_registrar', 'regress_dbvc_boss', 'MEMBER') AS climbed;
-- it is seen before it runs who registered it
SELECT id, registered_by FROM dbvc.migration_plan();
SELECT id, status, registered_by FROM dbvc.migration_status WHERE id = 'b1';

-- an operator applies with its own rights
\c - regress_dbvc_operator
\set VERBOSITY sqlstate
CALL dbvc.migrate();
SELECT id, status, role, session_username, error_sqlstate FROM dbvc.migration_run WHERE id = 'b1';
SELECT version FROM dbvc.migration_register('b1', 'ALTER TABLE work.secret_a1 ADD b int');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('b1', 'CREATE TABLE work.mine (id int)', 'DROP TABLE work.mine', 'SELECT count(*) = 0 FROM work.mine');
CALL dbvc.migrate(dry_run => true);
CALL dbvc.migrate();
SELECT tableowner FROM pg_tables WHERE tablename = 'mine';
SELECT id, "check", ok FROM dbvc.migration_verify('b1') ORDER BY "check" COLLATE "C";
CALL dbvc.rollback();
SELECT id, direction, status, role FROM dbvc.migration_run WHERE id = 'b1' ORDER BY event_id;
CALL dbvc.migrate();
-- to roll back what is not its own it needs the right too
CALL dbvc.rollback(steps => 2);
SELECT id, status FROM dbvc.migration_status;
-- what it may not: forge, insert, erase, read scripts
INSERT INTO dbvc.change_event (inc, xid, body, leaf_hash) SELECT 1, '3', '\x00', '\x00';
UPDATE dbvc.change_event_text SET content = 'x';
DELETE FROM dbvc.migration_state;
UPDATE dbvc.migration_state SET applied_version = NULL;
DELETE FROM dbvc.migration_run;
SELECT up_script FROM dbvc.migration;
SELECT document FROM dbvc.version_control;
SELECT dbvc.migration_state_rebuild();
ALTER TABLE dbvc.change_event DISABLE TRIGGER change_event_guard;
TRUNCATE dbvc.change_event_text;
-- nor by a script of its own: scripts run as the caller, also where records are written before and after
SELECT id FROM dbvc.migration_register('c1', 'DELETE FROM dbvc.migration_state');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('c1', 'INSERT INTO dbvc.change_event_text SELECT * FROM dbvc.change_event_text');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('c1', 'SET session_replication_role = replica');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('c1', 'SET dbvc.environment = ''prod''');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('c1', 'SELECT 1', verify_script => 'SELECT count(*) = 0 FROM dbvc.change_event');
CALL dbvc.migrate();
SELECT id, ok FROM dbvc.migration_verify('c1') WHERE "check" = 'verify script';
-- by a trigger, default or deferred trigger of its own that fires while a script runs
CREATE TABLE work.spy (n int GENERATED ALWAYS AS IDENTITY, who text);
CREATE FUNCTION work.spy() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO work.spy (who) VALUES (current_user); RETURN NEW; END$$;
CREATE CONSTRAINT TRIGGER spy AFTER INSERT ON work.mine DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION work.spy();
GRANT INSERT ON work.mine TO PUBLIC;
SELECT id FROM dbvc.migration_register('c2', 'INSERT INTO work.mine VALUES (1)');
CALL dbvc.migrate(dry_run => true);
CALL dbvc.migrate();
SELECT who FROM work.spy ORDER BY n;
-- functions that a search_path of its own would slip under dbvc
CREATE FUNCTION work.event_text(bytea, text) RETURNS text LANGUAGE plpgsql AS $$BEGIN INSERT INTO work.spy (who) VALUES ('caught ' || current_user); RETURN 'x'; END$$;
CREATE FUNCTION work.lower(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN INSERT INTO work.spy (who) VALUES ('caught ' || current_user); RETURN 'x'; END$$;
CREATE FUNCTION work.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN INSERT INTO work.spy (who) VALUES ('caught ' || current_user); RETURN true; END$$;
CREATE OPERATOR work.= (LEFTARG = text, RIGHTARG = text, FUNCTION = work.eq);
SET search_path = work, pg_catalog;
SELECT id FROM dbvc.migration_register('c3', 'SELECT 1', 'SELECT 2');
CALL dbvc.migrate();
CALL dbvc.rollback();
CALL dbvc.migrate();
SELECT DISTINCT ok FROM dbvc.migration_verify('c3');
SELECT dbvc.migration_baseline('c3', 'x');
RESET search_path;
SELECT who FROM work.spy WHERE who LIKE 'caught%';
-- a setting it may not set, set before the library is loaded
\c - regress_dbvc_operator
\set VERBOSITY sqlstate
SET dbvc.environment = 'prod';
SET dbvc.database_id = 'other';
SELECT id, environment, database_id = current_database() AS own_name FROM dbvc.migration_register('d1', 'SELECT 1');
\set VERBOSITY default
-- the one that the database has is on its records
\c - :admin
SELECT format('ALTER DATABASE %I SET dbvc.environment = ''staging''', current_database()) \gexec
\c - regress_dbvc_operator
SELECT id, environment FROM dbvc.migration_register('d2', 'SELECT 1');
CALL dbvc.migrate();
SELECT id, environment FROM dbvc.migration_run WHERE id >= 'd' ORDER BY event_id;
\c - :admin
SELECT format('ALTER DATABASE %I RESET dbvc.environment', current_database()) \gexec
-- records name the session's user and the role
SET ROLE regress_dbvc_operator;
SELECT id, registered_by, registered_session_user = session_user AS session_user FROM dbvc.migration_register('d3', 'SELECT 1');
CALL dbvc.migrate();
SELECT id, role, session_username = session_user AS session_user FROM dbvc.migration_run WHERE id = 'd3';
RESET ROLE;
-- inside a security-definer function, its owner applies, and the caller does not get out of it
CREATE FUNCTION work.definer(m text) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$SELECT status FROM dbvc.migration_apply(m)$$;
GRANT EXECUTE ON FUNCTION work.definer(text) TO regress_dbvc_stranger;
ALTER FUNCTION work.definer(text) OWNER TO regress_dbvc_operator;
SELECT id FROM dbvc.migration_register('e1', 'CREATE TABLE work.by_definer ()');
GRANT USAGE ON SCHEMA work TO regress_dbvc_stranger;
\c - regress_dbvc_stranger
SELECT work.definer('e1');
SELECT tableowner FROM pg_tables WHERE tablename = 'by_definer';
\c - :admin
SELECT id, role, session_username FROM dbvc.migration_run WHERE id = 'e1';
SELECT id FROM dbvc.migration_register('e2', 'RESET ROLE; SET ROLE regress_dbvc_boss');
\c - regress_dbvc_stranger
SELECT work.definer('e2');
SELECT current_user;
\c - :admin
-- COPY in a script: rights of the caller, columns and row security too
CREATE TABLE work.copied (a int, b int);
GRANT INSERT (a) ON work.copied TO regress_dbvc_operator;
SELECT version FROM dbvc.migration_register('e2', E'COPY work.copied FROM stdin;\n1\t2\n\\.\n');
SET ROLE regress_dbvc_operator;
CALL dbvc.migrate();
RESET ROLE;
SELECT version FROM dbvc.migration_register('e2', E'COPY work.copied (a) FROM stdin;\n1\n\\.\n');
ALTER TABLE work.copied ENABLE ROW LEVEL SECURITY;
SET ROLE regress_dbvc_operator;
CALL dbvc.migrate();
RESET ROLE;
ALTER TABLE work.copied DISABLE ROW LEVEL SECURITY;
SET ROLE regress_dbvc_operator;
CALL dbvc.migrate();
RESET ROLE;
SELECT a, b FROM work.copied;
SELECT id FROM dbvc.migration_register('e3', E'COPY work.copied FROM ''/etc/passwd''');
SET ROLE regress_dbvc_operator;
\set VERBOSITY sqlstate
CALL dbvc.migrate();
\set VERBOSITY default
RESET ROLE;
SELECT version FROM dbvc.migration_register('e3', E'COPY dbvc.change_event_text FROM stdin;\n1\tx\t\\\\x00\tx\n\\.\n');
SET ROLE regress_dbvc_operator;
CALL dbvc.migrate();
RESET ROLE;
-- everything is as it was
SELECT id, "check", ok FROM dbvc.migration_verify() WHERE NOT ok;
SELECT pg_has_role('regress_dbvc_registrar', 'regress_dbvc_boss', 'MEMBER') AS climbed;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
DROP SCHEMA work CASCADE;
DROP ROLE regress_dbvc_operator, regress_dbvc_registrar, regress_dbvc_reader, regress_dbvc_stranger, regress_dbvc_boss;
