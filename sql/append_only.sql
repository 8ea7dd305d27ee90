--
-- History is append-only, even for a superuser, until the guards are taken away
--
CREATE EXTENSION dbvc;
SET dbvc.snapshot_on_migrate = off;
SELECT id FROM dbvc.migration_register('g1', 'SELECT 1', 'SELECT 2', description => 'one');
CALL dbvc.migrate();
UPDATE dbvc.change_event SET body = body;
UPDATE dbvc.change_event SET body = body WHERE false;
DELETE FROM dbvc.change_event;
DELETE FROM dbvc.change_event WHERE id = 1;
TRUNCATE dbvc.change_event;
TRUNCATE dbvc.change_event, dbvc.change_event_text CASCADE;
UPDATE dbvc.change_event_text SET content = 'x';
DELETE FROM dbvc.change_event_text;
TRUNCATE dbvc.change_event_text;
\set VERBOSITY sqlstate
UPDATE dbvc.incarnation SET inc = 2;
DELETE FROM dbvc.incarnation;
TRUNCATE dbvc.incarnation;
MERGE INTO dbvc.change_event e USING (SELECT 1 AS id) s ON e.id = s.id WHEN MATCHED THEN DELETE;
INSERT INTO dbvc.change_event_text SELECT * FROM dbvc.change_event_text ON CONFLICT (event_id, field) DO UPDATE SET content = 'x';
WITH gone AS (DELETE FROM dbvc.change_event RETURNING *) SELECT count(*) FROM gone;
-- replication's role is no way round it
SET session_replication_role = replica;
UPDATE dbvc.change_event SET body = body;
DELETE FROM dbvc.change_event;
TRUNCATE dbvc.change_event;
DELETE FROM dbvc.change_event_text;
DELETE FROM dbvc.incarnation;
RESET session_replication_role;
-- nor is a script
SELECT id FROM dbvc.migration_register('g2', 'DELETE FROM dbvc.change_event');
CALL dbvc.migrate();
-- nor another extension's script being run, nor a setting
SET dbvc.upgrading = on;
DELETE FROM dbvc.change_event;
-- what a superuser forges shows, and breaks no view
BEGIN;
INSERT INTO dbvc.change_event (inc, xid, body, leaf_hash, event_type, migration_id) VALUES (1, '3', '\x00', '\x00', 'completed', 'g1');
SELECT id, "check", ok FROM dbvc.migration_verify(scripts => false) WHERE NOT ok ORDER BY id, "check";
SELECT count(*) > 0 AS readable FROM dbvc.migration_run;
ROLLBACK;
UPDATE dbvc.change_event SET event_type = 'completed';
\set VERBOSITY default
-- an id is never given twice
SELECT count(*) = count(DISTINCT id) AS ids, min(id) > 0 AS positive FROM dbvc.change_event;
-- an event without its type is refused
INSERT INTO dbvc.change_event (inc, xid, body, leaf_hash) VALUES (1, '3', '\x00', '\x00');
-- the guard is no trigger for anything else
CREATE TABLE guarded (id int);
SELECT dbvc.event_guard();
CREATE TRIGGER g BEFORE DELETE ON guarded FOR EACH STATEMENT EXECUTE FUNCTION dbvc.event_guard();
DELETE FROM guarded;
DROP TABLE guarded;
-- the history is still whole
SELECT id, "check", ok FROM dbvc.migration_verify() ORDER BY id, "check" COLLATE "C";
SELECT migration_id, event_type FROM dbvc.change_event ORDER BY id;
-- each event says what its columns say
SELECT count(*) FROM dbvc.change_event WHERE id IS DISTINCT FROM dbvc.event_bigint(body, 'id') OR inc IS DISTINCT FROM dbvc.event_bigint(body, 'inc')
OR xid::text IS DISTINCT FROM dbvc.event_bigint(body, 'xid')::text OR leaf_hash IS DISTINCT FROM sha256('\x00' || body);
SELECT inc, system_identifier = (SELECT system_identifier FROM pg_control_system()) AS of_this_cluster FROM dbvc.incarnation ORDER BY inc;
-- fields by name
SELECT dbvc.event_text(body, 'migration_id'), dbvc.event_bigint(body, 'version'), dbvc.event_time(body, 'created_at') <= now() AS time,
	length(dbvc.event_bytea(body, 'checksum')) AS checksum, dbvc.event_boolean(body, 'transactional') AS transactional, dbvc.event_list(body, 'environments') AS environments
FROM dbvc.change_event WHERE id = 1;
SELECT dbvc.event_text(body, 'nope') FROM dbvc.change_event WHERE id = 1;
SELECT dbvc.event_text(body, 'version') FROM dbvc.change_event WHERE id = 1;
SELECT dbvc.event_bigint(body, 'migration_id') FROM dbvc.change_event WHERE id = 1;
-- bodies that are damaged or made up
\set VERBOSITY sqlstate
SELECT dbvc.event_text('\x', 'migration_id');
SELECT dbvc.event_text('\x00', 'migration_id');
SELECT dbvc.event_text('\xffffffffffffffffffffffffffffffff', 'migration_id');
SELECT count(*) FROM (SELECT dbvc.event_text(substr(body, 1, n), 'detail') FROM dbvc.change_event, generate_series(0, 40) n WHERE id = 1) t;
\set VERBOSITY default
SELECT dbvc.event_leaf_hash('') = sha256('\x00') AS rfc6962;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
