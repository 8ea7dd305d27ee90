--
-- Proof of reversal: migrate(rehearse => true), migration_verify(reversal => true), snapshots after runs
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SET dbvc.snapshot_on_migrate = off;
CREATE ROLE regress_dbvc_reh NOLOGIN;
CREATE ROLE regress_dbvc_reh_owner;
CREATE SCHEMA reh AUTHORIZATION regress_dbvc_reh_owner;
CREATE TABLE reh.base (id int PRIMARY KEY, name text DEFAULT 'x', note text);
ALTER TABLE reh.base OWNER TO regress_dbvc_reh_owner;
COMMENT ON TABLE reh.base IS 'as it was';
CREATE INDEX base_name_idx ON reh.base (name);
CREATE FUNCTION reh.twice(x int) RETURNS int LANGUAGE sql AS 'SELECT 2 * x';
CREATE SEQUENCE reh.counter;

-- one that leads back: it is applied, and both are in the history
SELECT id FROM dbvc.migration_register('a1', 'CREATE TABLE reh.a (id int); CREATE INDEX a_idx ON reh.a (id); COMMENT ON TABLE reh.a IS ''new''', 'DROP TABLE reh.a');
CALL dbvc.migrate(rehearse => true);
SELECT id, status FROM dbvc.migration_status;
SELECT id, direction, version, ok, role = current_user AS role, started_at <= completed_at AS then, error_sqlstate FROM dbvc.migration_rehearsal;
SELECT event_type FROM dbvc.change_event ORDER BY id;

-- Each of these forgets one thing. The name of the migration says what.
CREATE PROCEDURE reh.try(id text, up text, down text) LANGUAGE sql AS
$$ SELECT dbvc.migration_register(id, up, down) $$;
CREATE PROCEDURE reh.none() LANGUAGE sql AS $$ SELECT dbvc.migration_withdraw(id, 'tried') FROM dbvc.migration_status WHERE status NOT IN ('applied', 'withdrawn') $$;
CALL reh.try('b1_column', 'ALTER TABLE reh.base ADD COLUMN c1 int; ALTER TABLE reh.base ADD COLUMN c2 int', 'ALTER TABLE reh.base DROP COLUMN c1');
CALL dbvc.migrate(rehearse => true);
-- nothing of it stays but the record, and the error is that of the down script
SELECT attname FROM pg_attribute WHERE attrelid = 'reh.base'::regclass AND attnum > 0;
SELECT id, status FROM dbvc.migration_status;
SELECT id, direction, ok, error_sqlstate, error_message, error_detail, error_statement, error_line FROM dbvc.migration_rehearsal WHERE NOT ok;
SELECT count(*) FROM dbvc.migration_run WHERE status = 'failed';
-- the next one that is tried is another version of it
CALL reh.try('b1_column', 'ALTER TABLE reh.base ADD COLUMN c1 int; ALTER TABLE reh.base ADD COLUMN c2 int', 'ALTER TABLE reh.base DROP COLUMN c1, DROP COLUMN c2');
CALL dbvc.migrate(rehearse => true);
CALL dbvc.rollback();
CALL reh.none();

CALL reh.try('b2_index', 'DROP INDEX reh.base_name_idx', 'SELECT 1');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
CALL reh.try('b3_index_otherwise', 'DROP INDEX reh.base_name_idx', 'CREATE INDEX base_name_idx ON reh.base (name DESC)');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
CALL reh.try('b4_comment', 'COMMENT ON TABLE reh.base IS ''changed''', 'COMMENT ON TABLE reh.base IS NULL');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
CALL reh.try('b5_grant', 'GRANT CREATE, USAGE ON SCHEMA reh TO regress_dbvc_reh', 'REVOKE CREATE ON SCHEMA reh FROM regress_dbvc_reh');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
CALL reh.try('b6_default', 'ALTER TABLE reh.base ALTER name SET DEFAULT ''y''', 'ALTER TABLE reh.base ALTER name DROP DEFAULT');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
CALL reh.try('b7_function', 'CREATE OR REPLACE FUNCTION reh.twice(x int) RETURNS int LANGUAGE sql AS ''SELECT x + x''', 'CREATE OR REPLACE FUNCTION reh.twice(x int) RETURNS int LANGUAGE sql AS ''SELECT x * 2''');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
CALL reh.try('b8_owner', 'ALTER TABLE reh.base OWNER TO regress_dbvc_reh', '');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
CALL reh.try('b9_rename', 'ALTER TABLE reh.base RENAME COLUMN note TO remark', 'ALTER TABLE reh.base RENAME remark TO notes');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
-- a column that comes back stands at the end
CALL reh.try('b10_order', 'ALTER TABLE reh.base DROP COLUMN name', 'ALTER TABLE reh.base ADD COLUMN name text DEFAULT ''x''; CREATE INDEX base_name_idx ON reh.base (name)');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
-- more than an error shows
SELECT string_agg(format('CREATE TABLE reh.many_%s ();', to_char(n, 'FM00')), '') AS many FROM generate_series(1, 23) n \gset
CALL reh.try('b11_many', :'many', '');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
SELECT count(*) FROM pg_class WHERE relname LIKE 'many%';

-- a label that nothing removes; a type that goes
CREATE TYPE reh.mood AS ENUM ('sad', 'happy');
CALL reh.try('c1_label', 'ALTER TYPE reh.mood ADD VALUE ''ok'' BEFORE ''happy''', 'SELECT ''labels stay''');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
SELECT enum_range(NULL::reh.mood);
CALL reh.try('c2_type', 'CREATE TYPE reh.weather AS ENUM (''wet'')', 'DROP TYPE reh.weather');
CALL dbvc.migrate(rehearse => true);

-- a down script that fails: where, and that it was a rehearsal
CALL reh.try('d1_error', 'CREATE TABLE reh.d (id int)', E'DROP TABLE reh.d;\n\nDROP TABLE reh.dd;');
CALL dbvc.migrate(rehearse => true);
SELECT id, direction, ok, error_sqlstate, error_message, error_statement, error_line FROM dbvc.migration_rehearsal WHERE id LIKE 'd1%';
SELECT to_regclass('reh.d'), (SELECT status FROM dbvc.migration_status WHERE id = 'd1_error');
CALL reh.none();
-- that cannot be read, or holds what it may not
CALL reh.try('d2_syntax', 'CREATE TABLE reh.d (id int)', E'SELECT 1;\nDROP TABEL reh.d;');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
CALL reh.try('d3_savepoint', 'CREATE TABLE reh.d (id int)', 'SAVEPOINT s; DROP TABLE reh.d;');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();
-- an up script that fails is a failed run, as ever
CALL reh.try('d4_up', 'SELECT 1/0', '');
CALL dbvc.migrate(rehearse => true);
SELECT id, status, error_sqlstate FROM dbvc.migration_status WHERE id = 'd4_up';
SELECT count(*) FROM dbvc.migration_rehearsal WHERE id = 'd4_up';
CALL reh.none();
-- and one that cannot run migrations
CALL reh.try('d5_nested', 'SELECT 1', 'CALL dbvc.migrate()');
CALL dbvc.migrate(rehearse => true);
CALL reh.none();

-- what cannot be rehearsed is applied, and said
SELECT id FROM dbvc.migration_register('e1_no_down', 'CREATE TABLE reh.e1 (id int)');
SELECT id FROM dbvc.migration_register('e2_steps', 'CREATE INDEX CONCURRENTLY e1_idx ON reh.e1 (id)', 'DROP INDEX reh.e1_idx');
SELECT id FROM dbvc.migration_register('e3_steps_down', 'CREATE INDEX e1_idx2 ON reh.e1 (id)', 'DROP INDEX CONCURRENTLY reh.e1_idx2');
SELECT id FROM dbvc.migration_register('e4_stepwise', 'CREATE VIEW reh.e4 AS SELECT 1 AS x', 'DROP VIEW reh.e4', transactional => false);
SELECT id FROM dbvc.migration_register('e5_repeatable', 'CREATE OR REPLACE VIEW reh.e5 AS SELECT 1 AS x', kind => 'repeatable');
SELECT id FROM dbvc.migration_register('e6_fine', 'CREATE TABLE reh.e6 (id int)', 'DROP TABLE reh.e6');
CALL dbvc.migrate(rehearse => true);
SELECT id, status FROM dbvc.migration_status WHERE id LIKE 'e%';
SELECT id, ok FROM dbvc.migration_rehearsal WHERE id LIKE 'e%';

-- settings and roles of scripts end with them, each script begins with the caller's
SET search_path = public;
CALL reh.try('f1_settings', 'SET search_path = reh; SET ROLE regress_dbvc_reh; RESET ROLE; CREATE TABLE f1 (id int); SET work_mem = ''1MB''; SELECT set_config(''reh.seen'', ''up'', false)',
	$$ DO 'BEGIN IF current_setting(''search_path'') <> ''public'' OR current_setting(''work_mem'') = ''1MB'' OR current_setting(''reh.seen'', true) <> '''' THEN RAISE ''settings of the up script''; END IF; END'; SET search_path = reh; DROP TABLE f1 $$);
CALL dbvc.migrate(rehearse => true);
SHOW search_path;
RESET search_path;

-- deferred constraints: checked at the end of each script, deferred again for the next
CREATE TABLE reh.parent (id int PRIMARY KEY);
CREATE TABLE reh.child (id int REFERENCES reh.parent DEFERRABLE INITIALLY DEFERRED, later int REFERENCES reh.parent DEFERRABLE INITIALLY IMMEDIATE);
CALL reh.try('g1_deferred', 'INSERT INTO reh.child VALUES (1); INSERT INTO reh.parent VALUES (1)', 'DELETE FROM reh.parent; DELETE FROM reh.child');
CALL reh.try('g2_pending', 'ALTER TABLE reh.child ADD COLUMN x int; INSERT INTO reh.child VALUES (2); INSERT INTO reh.parent VALUES (2)', 'ALTER TABLE reh.child DROP COLUMN x; DELETE FROM reh.parent WHERE id = 2; DELETE FROM reh.child WHERE id = 2');
CALL reh.try('g3_broken', 'SELECT 1', 'INSERT INTO reh.child VALUES (99)');
CALL dbvc.migrate(rehearse => true);
SELECT id, ok, error_sqlstate FROM dbvc.migration_rehearsal WHERE id LIKE 'g%';
TABLE reh.child;
CALL reh.none();

-- what no rollback takes back: prepared statements and advisory locks of the down script are removed, sequences advance
CALL reh.try('h1_session', 'SELECT 1', 'PREPARE reh_down AS SELECT 1; SELECT pg_advisory_lock(7), pg_advisory_lock(7), pg_advisory_lock_shared(8, -9); SELECT nextval(''reh.counter''); LISTEN reh; CREATE TEMP TABLE reh_temp ()');
CALL reh.try('h2_session', 'PREPARE reh_up AS SELECT 2; SELECT nextval(''reh.counter'')', 'CREATE TABLE reh.h2 ()');
CALL dbvc.migrate(rehearse => true);
SELECT count(*) FROM pg_prepared_statements;
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
SELECT count(*) FROM pg_listening_channels();
SELECT last_value FROM reh.counter;
CALL reh.none();

-- rehearse and dry_run: only tried, later ones on top of earlier ones
CALL reh.try('j1', 'CREATE TABLE reh.j (id int)', 'DROP TABLE reh.j');
CALL reh.try('j2', 'ALTER TABLE reh.j ADD COLUMN name text', 'ALTER TABLE reh.j DROP COLUMN name');
SELECT id FROM dbvc.migration_register('j3', 'CREATE INDEX j_idx ON reh.j (name)');
CALL reh.try('j4', 'ALTER TABLE reh.j ADD COLUMN more int', '');
CALL reh.try('j5', 'SELECT 1', '');
CALL dbvc.migrate(dry_run => true, rehearse => true);
SELECT to_regclass('reh.j'), (SELECT string_agg(id, ',' ORDER BY id) FROM dbvc.migration_status WHERE status = 'pending') AS pending;
SELECT event_type, migration_id FROM dbvc.change_event WHERE migration_id LIKE 'j%' AND event_type IN ('rehearsed', 'dry_run', 'failed') ORDER BY id;
SELECT id, ok, error_message, error_detail FROM dbvc.migration_rehearsal WHERE id LIKE 'j%' ORDER BY event_id;

-- migration_verify(reversal => true): pending ones forth and back, applied ones back and forth
CALL dbvc.migrate('j2');
SET search_path = public;
SELECT id, ok, detail FROM dbvc.migration_verify(reversal => true) WHERE "check" = 'reversal' AND id NOT LIKE 'b%';
SELECT id, "check", ok FROM dbvc.migration_verify('j2', reversal => true);
SELECT id, "check", ok FROM dbvc.migration_verify('j2', false);
CALL reh.none();
RESET search_path;
-- one that was applied without a rehearsal, one that cannot be rolled back any more, and what is behind them
CALL reh.try('k1', 'CREATE TABLE reh.k (id int)', 'DROP TABLE reh.k');
CALL reh.try('k2', 'ALTER TABLE reh.k ADD COLUMN name text; CREATE INDEX k_idx ON reh.k (name)', 'DROP INDEX reh.k_idx');
CALL reh.try('k3', 'CREATE VIEW reh.kv AS SELECT * FROM reh.k', 'DROP VIEW reh.kv');
CALL dbvc.migrate();
SELECT id, ok, detail FROM dbvc.migration_verify(reversal => true) WHERE "check" = 'reversal' AND id >= 'k1';
SELECT "check", ok FROM dbvc.migration_verify('k1', false, true);
CREATE VIEW reh.in_the_way AS SELECT * FROM reh.k;
SELECT id, ok, detail FROM dbvc.migration_verify(reversal => true) WHERE "check" = 'reversal' AND id >= 'k1';
DROP VIEW reh.in_the_way;
SELECT to_regclass('reh.kv'), count(*) FROM dbvc.migration_rehearsal WHERE id LIKE 'k%';
CALL reh.try('l0', 'CREATE TABLE reh.l (id int)', 'DROP TABLE reh.l');
-- it takes the run lock, needs the right to run migrations, and runs scripts as the caller
BEGIN;
SELECT ok FROM dbvc.migration_verify('l0', reversal => true) WHERE "check" = 'reversal';
SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND objsubid = 1 AND classid = 'pg_extension'::regclass AND pid = pg_backend_pid();
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT ok FROM dbvc.migration_verify('l0', reversal => true);
ROLLBACK;
GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_reh;
GRANT EXECUTE ON FUNCTION dbvc.migration_verify TO regress_dbvc_reh;
SET ROLE regress_dbvc_reh;
SELECT count(*) > 0 FROM dbvc.migration_verify('l0');
SELECT ok FROM dbvc.migration_verify('l0', reversal => true);
RESET ROLE;
GRANT EXECUTE ON PROCEDURE dbvc.migrate TO regress_dbvc_reh;
SET ROLE regress_dbvc_reh;
SELECT ok, detail FROM dbvc.migration_verify('l0', reversal => true) WHERE "check" = 'reversal';
RESET ROLE;
SELECT direction, ok, role, error_sqlstate FROM dbvc.migration_rehearsal ORDER BY event_id DESC LIMIT 1;

-- under SET ROLE a script does not get back what the session gave up, in a rehearsal neither
GRANT CREATE, USAGE ON SCHEMA reh TO regress_dbvc_reh;
CALL reh.none();
CALL reh.try('l1_role', 'CREATE TABLE reh.l (id int)', 'RESET ROLE; DROP TABLE reh.l');
SET ROLE regress_dbvc_reh;
CALL dbvc.migrate(rehearse => true);
RESET ROLE;
CALL reh.try('l1_role', 'CREATE TABLE reh.l (id int)', 'DROP TABLE reh.l');
SET ROLE regress_dbvc_reh;
CALL dbvc.migrate(rehearse => true);
RESET ROLE;
SELECT relowner::regrole FROM pg_class WHERE oid = 'reh.l'::regclass;

-- the fingerprint before a failed rehearsal is the one after it
SELECT dbvc.snapshot_fingerprint() AS fingerprint \gset
CALL reh.try('l2', 'DROP TABLE reh.l; CREATE TABLE reh.l2 (id serial PRIMARY KEY); COMMENT ON SCHEMA reh IS ''l''', '');
CALL dbvc.migrate(rehearse => true);
SELECT dbvc.snapshot_fingerprint() = :'fingerprint' AS same, dbvc.snapshot_fingerprint("full" => true) = :'fingerprint' AS same_from_nothing;
SELECT ok, detail FROM dbvc.migration_verify('l2', reversal => true) WHERE "check" = 'reversal';
SELECT dbvc.snapshot_fingerprint() = :'fingerprint' AS same, dbvc.snapshot_fingerprint("full" => true) = :'fingerprint' AS same_from_nothing;
CALL reh.none();

-- snapshots after runs: one for each CALL that has changed something
SET dbvc.snapshot_on_migrate = on;
CALL reh.try('m1', 'CREATE TABLE reh.m (id int)', 'DROP TABLE reh.m');
CALL reh.try('m2', 'ALTER TABLE reh.m ADD COLUMN name text', 'ALTER TABLE reh.m DROP COLUMN name');
CALL reh.try('m3', 'SELECT 1/0', '');
CALL dbvc.migrate('m1', dry_run => true);
CALL dbvc.migrate('m1');
CALL dbvc.migrate('m1');
CALL dbvc.migrate('m2', rehearse => true);
CALL dbvc.migrate();
CALL dbvc.rollback(steps => 2);
-- m1 and m2 again, and then an error
CALL dbvc.migrate();
CALL reh.none();
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('m4', E'CREATE TABLE reh.m4 (id int);\nCREATE INDEX CONCURRENTLY m4_idx ON reh.m4 (id);\nSELECT 1/0;', transactional => false);
CALL dbvc.migrate();
CALL dbvc.migrate();
SELECT label FROM dbvc.snapshot ORDER BY event_id;
SELECT count(*) FROM dbvc.snapshot_diff((SELECT id FROM dbvc.snapshot ORDER BY event_id DESC LIMIT 1));
-- one migration in the caller's transaction takes none
SELECT count(*) AS before FROM dbvc.snapshot \gset
SELECT dbvc.migration_reset('m4', 'given up');
CALL reh.none();
CALL reh.try('m5', 'SELECT 1', '');
SELECT status FROM dbvc.migration_apply('m5');
SELECT count(*) - :before AS more FROM dbvc.snapshot;
-- one that cannot be taken is a warning
CALL reh.try('m6', 'SELECT 1', '');
ALTER TABLE dbvc.snapshot_state RENAME TO snapshot_state_away;
\set VERBOSITY terse
CALL dbvc.migrate();
\set VERBOSITY default
ALTER TABLE dbvc.snapshot_state_away RENAME TO snapshot_state;
SELECT id, status FROM dbvc.migration_status WHERE id = 'm6';
SELECT id, "check", detail FROM dbvc.migration_verify(scripts => false) WHERE NOT ok;

\set VERBOSITY terse
DROP SCHEMA reh CASCADE;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
DROP ROLE regress_dbvc_reh, regress_dbvc_reh_owner;
