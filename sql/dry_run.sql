--
-- dry_run => true: everything is tried, nothing is kept
--
CREATE EXTENSION dbvc;
\pset null '(null)'
CREATE TABLE dry (id int PRIMARY KEY, up int REFERENCES dry DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX dry_up ON dry (up);
CREATE TABLE dry_other (id int);
CREATE SEQUENCE dry_seq;
SELECT id FROM dbvc.migration_register('d1', E'LOCK TABLE dry IN SHARE MODE;\nALTER TABLE dry ADD COLUMN extra int;\nSELECT count(*) FROM dry_other;\nINSERT INTO dry VALUES (1, 1, 1);', 'ALTER TABLE dry DROP COLUMN extra');
SELECT id FROM dbvc.migration_register('d2', E'CREATE TABLE dry_new (id int);\nLOCK TABLE dry_other IN EXCLUSIVE MODE;\nUPDATE dry SET extra = 2;\nSELECT nextval(''dry_seq'');', 'DROP TABLE dry_new');
SELECT id FROM dbvc.migration_register('d3', 'INSERT INTO dry_new VALUES (1)', 'DELETE FROM dry_new');
-- later ones see what earlier ones did
CALL dbvc.migrate(dry_run => true);
-- nothing is kept
SELECT to_regclass('dry_new') AS dry_new, (SELECT count(*) FROM dry) AS rows, (SELECT count(*) FROM pg_attribute WHERE attrelid = 'dry'::regclass AND attname = 'extra') AS extra;
SELECT id, status FROM dbvc.migration_status;
SELECT count(*) FROM dbvc.migration_run;
SELECT id, outcome, applied_version FROM dbvc.migration_state ORDER BY id;
SELECT count(*) AS locks_held FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = pg_backend_pid() AND c.relname LIKE 'dry%';
-- but sequences advance
SELECT last_value, is_called FROM dry_seq;
-- the locks it took on what was there before, with the first statement of each
SELECT id, direction, ok, statements, relation, mode, statement, ms >= 0 AS ms FROM dbvc.migration_dry_run ORDER BY event_id, relation COLLATE "C", statement, mode COLLATE "C";
SELECT id, role = current_user AS role, started_at <= now() AS then, error_sqlstate, error_message, error_line, detail FROM dbvc.migration_dry_run GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1;
-- up to a target
CALL dbvc.migrate('d1', dry_run => true);
-- the event is a change event like any other
SELECT event_type, migration_id, dbvc.event_text(body, 'direction') AS direction, dbvc.event_bigint(body, 'statements') AS statements,
	leaf_hash = dbvc.event_leaf_hash(body) AS hashed FROM dbvc.change_event WHERE event_type = 'dry_run' ORDER BY id;

-- a failing one: what went before is reported, what comes after is not tried
SELECT id FROM dbvc.migration_register('d4', E'SELECT 1;\nSELECT 1/0;');
SELECT id FROM dbvc.migration_register('d5', 'SELECT 1');
CALL dbvc.migrate(dry_run => true);
SELECT id, ok, error_sqlstate, error_message, error_line FROM dbvc.migration_dry_run WHERE id > 'd3' ORDER BY event_id;
SELECT id, status FROM dbvc.migration_status;
-- a deferred constraint is found
SELECT version FROM dbvc.migration_register('d4', 'INSERT INTO dry VALUES (7, 99)');
CALL dbvc.migrate(dry_run => true);
SELECT id, ok, error_sqlstate, error_message FROM dbvc.migration_dry_run WHERE id > 'd3' ORDER BY event_id;
-- a constraint that is deferred over two statements is no error; and the next migration defers again
SELECT version FROM dbvc.migration_register('d4', 'INSERT INTO dry VALUES (8, 9); INSERT INTO dry VALUES (9, 8)');
SELECT version FROM dbvc.migration_register('d5', 'INSERT INTO dry VALUES (10, 11); INSERT INTO dry VALUES (11, 10)');
CALL dbvc.migrate(dry_run => true);
-- a syntax error
SELECT version FROM dbvc.migration_register('d5', E'SELECT 1;\nSELEC 2');
CALL dbvc.migrate(dry_run => true);
SELECT version FROM dbvc.migration_register('d5', 'SELECT 1');

-- settings of a script do not reach the next one, nor the session
SELECT version FROM dbvc.migration_register('d4', 'SET search_path = pg_catalog; SET ROLE pg_monitor;');
SELECT version FROM dbvc.migration_register('d5', 'CREATE TABLE dry_5 ()');
CALL dbvc.migrate(dry_run => true);
SELECT current_user = session_user AS same_user, current_setting('search_path');

-- statements for the worker are not tried
SELECT id FROM dbvc.migration_register('d6', E'CREATE INDEX CONCURRENTLY dry_i ON dry_other (id);\nINSERT INTO dry_other VALUES (1);\nVACUUM dry_other;');
CALL dbvc.migrate(dry_run => true);
SELECT id, ok, statements, detail, relation, mode, statement FROM dbvc.migration_dry_run WHERE id = 'd6' ORDER BY relation, statement, mode;
SELECT to_regclass('dry_i') IS NULL AS no_index, count(*) FROM dry_other;

-- it really runs afterwards
CALL dbvc.migrate();
CALL dbvc.rollback(target => 'd1', dry_run => true);
SELECT version FROM dbvc.migration_accept('d4', 'SELECT 1', 'SELECT 2', reason => 'x');
SELECT version FROM dbvc.migration_accept('d5', 'SELECT 1', 'DROP TABLE dry_5', reason => 'x');
SELECT version FROM dbvc.migration_accept('d6', 'SELECT 1', 'DROP INDEX dry_i', reason => 'x');
CALL dbvc.rollback(target => 'd1', dry_run => true);
SELECT id, direction, ok FROM dbvc.migration_dry_run WHERE direction = 'down' GROUP BY event_id, 1, 2, 3 ORDER BY event_id;
SELECT to_regclass('dry_new') IS NOT NULL AS still_there;
-- names that need quotes
CREATE TABLE "dry ""quoted"" \t" (id int);
SELECT id FROM dbvc.migration_register('d7', $$INSERT INTO "dry ""quoted"" \t" VALUES (1)$$);
CALL dbvc.migrate(dry_run => true);
SELECT relation, mode FROM dbvc.migration_dry_run WHERE id = 'd7';
DROP TABLE dry, dry_other, dry_new, dry_5, "dry ""quoted"" \t";
DROP SEQUENCE dry_seq;
-- a COMMIT of the script: deferred constraints are checked there, and what fails after it may need it
SELECT id FROM dbvc.migration_register('a2_commit', E'CREATE TYPE mood AS ENUM (''a'');\nCOMMIT;\nALTER TYPE mood ADD VALUE ''b'';\nCOMMIT;\nCREATE TABLE moods (m mood DEFAULT ''b'');\nINSERT INTO moods VALUES (''b'');');
CALL dbvc.migrate(dry_run => true, target => 'a2_commit', out_of_order => true);
CALL dbvc.migrate(target => 'a2_commit', out_of_order => true);
SELECT id FROM dbvc.migration_register('a1_deferred', E'CREATE TABLE par (id int PRIMARY KEY);\nCREATE TABLE chi (p int REFERENCES par DEFERRABLE INITIALLY DEFERRED);\nBEGIN;\nINSERT INTO chi VALUES (1);\nCOMMIT;\nINSERT INTO par VALUES (1);');
CALL dbvc.migrate(dry_run => true, target => 'a1_deferred', out_of_order => true);
SELECT id FROM dbvc.migration_register('a0_block', E'SELECT 1;\nBEGIN;\nDO $$ BEGIN PERFORM 1 / 0; END $$;\nCOMMIT;', transactional => false);
CALL dbvc.migrate(dry_run => true, target => 'a0_block', out_of_order => true);
SELECT id, ok, statements, detail FROM dbvc.migration_dry_run WHERE id LIKE 'a%' ORDER BY event_id;
DROP TABLE moods;
DROP TYPE mood;

DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
