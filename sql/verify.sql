--
-- dbvc.migration_verify()
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SELECT * FROM dbvc.migration_verify();
SELECT id FROM dbvc.migration_register('w1', 'CREATE TABLE ver (id int)', 'DROP TABLE ver', E'SELECT count(*) >= 0 FROM ver;\nSELECT true, false;\nSELECT 0;');
SELECT id FROM dbvc.migration_register('w2', 'INSERT INTO ver VALUES (1)', NULL, 'INSERT INTO ver VALUES (2); SELECT count(*) = 2 FROM ver; CREATE TABLE ver_left ();');
SELECT id FROM dbvc.migration_register('w10', 'SELECT 1', NULL, E'SELECT 1;\nSELECT * FROM nowhere;');
SELECT id FROM dbvc.migration_register('w11', 'SELECT 1', NULL, 'SELECT id > 100 FROM ver');
SELECT id FROM dbvc.migration_register('w12', 'SELECT 1', NULL, 'SELECT NULL::boolean');
SELECT id FROM dbvc.migration_register('w13', 'SELECT 1', NULL, '');
SELECT id FROM dbvc.migration_register('w14', 'SELECT 1', NULL, 'SELECT false WHERE false');
-- not applied: verify scripts do not run
SELECT id, "check", ok FROM dbvc.migration_verify() WHERE "check" = 'verify script';
CALL dbvc.migrate();
SELECT id, "check", ok, CASE "check" WHEN 'checksum' THEN left(detail, 8) ELSE detail END AS detail FROM dbvc.migration_verify();
-- one of them, and what it found is recorded
SELECT id, "check", ok FROM dbvc.migration_verify('w11');
SELECT * FROM dbvc.migration_verify('nope');
SELECT e.migration_id, e.event_type, dbvc.event_text(e.body, 'error_sqlstate') AS error_sqlstate, t.content AS error_message
FROM dbvc.change_event e LEFT JOIN dbvc.change_event_text t ON t.event_id = e.id AND t.field = 'error_message'
WHERE e.event_type = 'verified' ORDER BY e.id;
-- a verify script leaves nothing behind
SELECT to_regclass('ver_left') IS NULL AS gone, count(*) FROM ver;
-- not even settings
SELECT id FROM dbvc.migration_register('w15', 'SELECT 1', NULL, 'SET search_path = nowhere; SET ROLE pg_monitor; SELECT current_user = ''pg_monitor''');
SELECT id FROM dbvc.migration_register('w16', 'SELECT 1', NULL, 'VACUUM');
SELECT id FROM dbvc.migration_register('w17', 'SELECT 1', NULL, 'COMMIT');
CALL dbvc.migrate();
SELECT id, ok, detail FROM dbvc.migration_verify() WHERE id > 'w14' AND "check" = 'verify script' ORDER BY id;
SELECT current_setting('search_path'), current_user = session_user AS same_user;
-- the verify script of the version that is applied counts
SELECT version FROM dbvc.migration_accept('w11', 'SELECT 1', NULL, 'SELECT true', reason => 'the check was wrong');
SELECT id, ok FROM dbvc.migration_verify('w11') WHERE "check" = 'verify script';

-- tampering by a superuser who switches the guard off: it shows
SELECT DISTINCT ok FROM dbvc.migration_verify('w1');
CREATE TABLE kept AS SELECT * FROM dbvc.change_event_text;
ALTER TABLE dbvc.change_event_text DISABLE TRIGGER change_event_text_guard;
-- a text
UPDATE dbvc.change_event_text SET content = 'CREATE TABLE other (id int)' WHERE field = 'up_script' AND event_id = (SELECT event_id FROM dbvc.migration WHERE id = 'w1');
SELECT id, "check", ok, regexp_replace(detail, '[0-9a-f]{64}', '...') AS detail FROM dbvc.migration_verify('w1');
UPDATE dbvc.change_event_text t SET content = k.content FROM kept k WHERE (k.event_id, k.field) = (t.event_id, t.field) AND t.content <> k.content;
SELECT DISTINCT ok FROM dbvc.migration_verify('w1');
-- its salt
UPDATE dbvc.change_event_text SET salt = sha256(salt) WHERE field = 'down_script' AND event_id = (SELECT event_id FROM dbvc.migration WHERE id = 'w1');
SELECT id, "check", ok FROM dbvc.migration_verify('w1') WHERE NOT ok;
UPDATE dbvc.change_event_text t SET salt = k.salt FROM kept k WHERE (k.event_id, k.field) = (t.event_id, t.field) AND t.salt <> k.salt;
-- a down script: and it is not run
UPDATE dbvc.change_event_text SET content = 'DROP TABLE ver, kept' WHERE field = 'down_script' AND event_id = (SELECT event_id FROM dbvc.migration WHERE id = 'w1');
SELECT id, "check", ok FROM dbvc.migration_verify('w1') WHERE NOT ok;
SELECT status FROM dbvc.migration_rollback('w1');
UPDATE dbvc.change_event_text t SET content = k.content FROM kept k WHERE (k.event_id, k.field) = (t.event_id, t.field) AND t.content <> k.content;
-- a text that is gone without a redaction
DELETE FROM dbvc.change_event_text WHERE field = 'up_script' AND event_id = (SELECT event_id FROM dbvc.migration WHERE id = 'w14');
SELECT id, "check", ok FROM dbvc.migration_verify('w14') ORDER BY "check" COLLATE "C";
DELETE FROM dbvc.change_event_text WHERE field = 'verify_script' AND event_id = (SELECT event_id FROM dbvc.migration WHERE id = 'w1');
SELECT id, "check", ok FROM dbvc.migration_verify('w1') ORDER BY "check";
INSERT INTO dbvc.change_event_text SELECT * FROM kept k WHERE NOT EXISTS (SELECT 1 FROM dbvc.change_event_text t WHERE (k.event_id, k.field) = (t.event_id, t.field));
ALTER TABLE dbvc.change_event_text ENABLE ALWAYS TRIGGER change_event_text_guard;
-- a body
ALTER TABLE dbvc.change_event DISABLE TRIGGER change_event_guard;
BEGIN;
UPDATE dbvc.change_event SET body = set_byte(body, length(body) - 1, get_byte(body, length(body) - 1) # 1) WHERE event_type = 'completed' AND migration_id = 'w1';
SELECT id, "check", ok FROM dbvc.migration_verify('w1') WHERE NOT ok;
ROLLBACK;
-- a body with a hash that fits it: the seal of a later time shows that, not this
-- an id, a number of the incarnation, a transaction id
BEGIN;
UPDATE dbvc.change_event SET inc = inc + 1 WHERE event_type = 'registered' AND migration_id = 'w1';
SELECT id, "check", ok FROM dbvc.migration_verify('w1') WHERE NOT ok;
ROLLBACK;
BEGIN;
UPDATE dbvc.change_event SET xid = '3' WHERE event_type = 'registered' AND migration_id = 'w1';
SELECT id, "check", ok FROM dbvc.migration_verify('w1') WHERE NOT ok;
ROLLBACK;
-- a run that is made to vanish: the state says another thing than the events
BEGIN;
DELETE FROM dbvc.change_event WHERE event_type = 'completed' AND migration_id = 'w2';
SELECT id, "check", ok, detail FROM dbvc.migration_verify('w2') WHERE NOT ok AND "check" <> 'verify script';
ROLLBACK;
-- the version's own event made to vanish
BEGIN;
DELETE FROM dbvc.change_event WHERE event_type = 'registered' AND migration_id = 'w2';
SELECT id, "check", ok, detail FROM dbvc.migration_verify('w2') WHERE NOT ok;
ROLLBACK;
ALTER TABLE dbvc.change_event ENABLE ALWAYS TRIGGER change_event_guard;
-- the state
UPDATE dbvc.migration_state SET applied_version = NULL, applied_event = NULL WHERE id = 'w2';
SELECT id, "check", ok, detail FROM dbvc.migration_verify('w2') WHERE NOT ok;
DELETE FROM dbvc.migration_state WHERE id = 'w10';
UPDATE dbvc.migration_state SET checksum = sha256('x') WHERE id = 'w1';
-- one whose state was deleted is not forgotten
SELECT id, "check", ok FROM dbvc.migration_verify() WHERE NOT ok AND "check" <> 'verify script';
SELECT dbvc.migration_state_rebuild();
SELECT id, "check", ok FROM dbvc.migration_verify() WHERE NOT ok AND "check" <> 'verify script';
SELECT count(*) FROM (TABLE dbvc.migration_state_derived) d;
DROP TABLE ver, kept;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
