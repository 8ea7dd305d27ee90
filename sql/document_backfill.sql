-- Converting the documents that nobody writes, and releasing a table
SET client_min_messages = warning;
CREATE EXTENSION dbvc;
\pset null '(null)'
CREATE SCHEMA t;
SET search_path = t;

-- what a user looks like, with so many dreams
CREATE FUNCTION person(i int, dreams int) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('name', 'person ' || i,
	'dreamBook', COALESCE((SELECT jsonb_agg(jsonb_build_object('id', 'd' || d, 'title', 'dream ' || d || ' of ' || i))
		FROM generate_series(1, dreams) d), '[]'));

-- One key, one part: everything is converted, and reads as before
CREATE TABLE users (id bigint PRIMARY KEY, name text, data jsonb);
INSERT INTO users SELECT i, 'n' || i, person(i, i % 4) FROM generate_series(1, 500) i;
INSERT INTO users VALUES (501, 'null', NULL), (502, 'json null', 'null'), (503, 'object there', '{"dreamBook": {"a": 1}}'),
	(504, 'mixed', '{"dreamBook": [1, "a", null, [2], {}, {"id": 1}, {"id": "1"}, {"id": 1}]}');
CREATE TABLE before AS SELECT * FROM users;
SELECT count(*) > 5 AS adopted FROM dbvc.document_adopt('users', '{"dreamBook": "dream"}');
SELECT documents, converted, percent, items, set_aside, bytes_before, last_backfill FROM dbvc.document_status;
SELECT count(*) FROM dbvc.document_progress;
SELECT "check", ok, detail FROM dbvc.document_check('users');
CALL dbvc.document_backfill('users', batch => 100);
SELECT doc_version, count(*) FROM users_base GROUP BY 1;
SELECT count(*) FROM users_items;
SELECT u.id, u.data, b.data FROM users u JOIN before b USING (id)
WHERE NOT dbvc.document_same_bytes(u.data, b.data) OR u.data IS NULL;
SELECT documents, converted, percent, items, set_aside, bytes_before > 0 AS bytes_before, bytes > 0 AS bytes, last_backfill
FROM dbvc.document_status;
SELECT base, source, operation, state, pid, total, done, percent, items, skipped, errors, rate > 0 AS rate, eta, reason
FROM dbvc.document_progress;
SELECT "check", ok, detail FROM dbvc.document_check('users');
-- a document that is all array, and one that is none, have items and none
SELECT type, item_id, data FROM users_items WHERE id IN (502, 503, 504) ORDER BY id, ord;

-- again, from PL/pgSQL: nothing to do, and no document is written
DO $$DECLARE a bigint; b bigint; c bigint; BEGIN
	CALL dbvc.document_backfill('t.users', converted => a, set_aside => b, remaining => c);
	RAISE WARNING '% % %', a, b, c;
END$$;
SELECT count(*) FROM users_base WHERE doc_version <> 1;
SELECT total, done, percent, state FROM dbvc.document_progress;

-- rows that were put into the base directly are found later
INSERT INTO users_base (id, name, data) SELECT i, 'late', person(i, 2) FROM generate_series(-10, 0) i;
SELECT documents, converted, percent FROM dbvc.document_status;
CALL dbvc.document_backfill('users_base');
SELECT documents, converted, percent FROM dbvc.document_status;

-- it is told in the history
SELECT event_type, dbvc.event_text(body, 'detail')::jsonb - 'run' FROM dbvc.change_event WHERE event_type LIKE 'document_backfill%' ORDER BY id;

-- What cannot be: inside a transaction, and arguments
BEGIN;
CALL dbvc.document_backfill('users');
ROLLBACK;
BEGIN;
DO $$DECLARE a bigint; b bigint; c bigint; BEGIN CALL dbvc.document_backfill('t.users', converted => a, set_aside => b, remaining => c); END$$;
ROLLBACK;
BEGIN;
CALL dbvc.document_release('users');
ROLLBACK;
SET default_transaction_isolation = 'repeatable read';
CALL dbvc.document_backfill('users');
RESET default_transaction_isolation;
SET default_transaction_read_only = on;
CALL dbvc.document_backfill('users');
RESET default_transaction_read_only;
CALL dbvc.document_backfill(NULL);
CALL dbvc.document_backfill('before');
CALL dbvc.document_backfill('users', batch => 0);
CALL dbvc.document_backfill('users', max_seconds => 0);
CALL dbvc.document_backfill('users', pause => -1);
CALL dbvc.document_backfill('users', lock_wait => -1);
CALL dbvc.document_backfill('users', max_errors => -1);
SELECT dbvc.document_check('users', 0);
SELECT dbvc.document_check('users', 1.5);
SELECT dbvc.document_check('users', 'NaN');
SELECT dbvc.document_check('before');
SELECT count(*) FROM dbvc.document_check('users', 0.5) WHERE ok;

-- Release: as it was
CALL dbvc.document_release('users', batch => 50);
\d users
SELECT to_regclass('users_base'), to_regclass('users_items');
SELECT count(*) FROM dbvc.document;
SELECT count(*) AS same FROM users u JOIN before b USING (id, name)
WHERE dbvc.document_same_bytes(u.data, b.data) OR u.data IS NULL AND b.data IS NULL;
SELECT operation, state, percent, done, items FROM dbvc.document_progress;
SELECT event_type, dbvc.event_text(body, 'detail')::jsonb - 'run' FROM dbvc.change_event
WHERE event_type LIKE 'document_release\__%' AND event_type <> 'document_released' ORDER BY id;
CALL dbvc.document_release('users');

-- Bad documents are set aside, the others go on
DROP TABLE users;
CREATE TABLE users (id bigint PRIMARY KEY, data jsonb);
INSERT INTO users SELECT i, CASE WHEN i IN (7, 8, 9, 100, 255, 300) THEN jsonb_build_object('dreamBook', i)
	ELSE person(i, 3) END FROM generate_series(1, 300) i;
SELECT count(*) > 5 AS adopted FROM dbvc.document_adopt('users', '{"dreamBook": "dream"}', options => '{"strict": true}');
CALL dbvc.document_backfill('users', batch => 64);
SELECT key, operation, sqlstate, reason FROM dbvc.document_error ORDER BY key[1]::int;
SELECT documents, converted, percent, set_aside FROM dbvc.document_status;
SELECT total, done, percent, state, errors FROM dbvc.document_progress WHERE base = 'users_base'::regclass;
SELECT id, doc_version, data FROM users_base WHERE doc_version = 0 ORDER BY id;
-- mended: one by its owner, one by the next run
UPDATE users SET data = '{"dreamBook": [1]}' WHERE id = 7;
UPDATE users_base SET data = '{"dreamBook": [1]}' WHERE id = 8;
DELETE FROM users WHERE id = 9;
CALL dbvc.document_backfill('users');
SELECT key FROM dbvc.document_error ORDER BY key[1]::int;
-- too many of them
CALL dbvc.document_backfill('users', max_errors => 2);
SELECT state, reason FROM dbvc.document_progress WHERE base = 'users_base'::regclass;
-- a release of it leaves them as they are
CALL dbvc.document_release('users');
SELECT count(*), count(*) FILTER (WHERE jsonb_typeof(data -> 'dreamBook') = 'number') FROM users;
SELECT count(*) FROM dbvc.document_error;

-- whatever the reason is: constraints and triggers of the user's, also deferred ones, on base and items
DROP TABLE users;
CREATE TABLE users (id bigint PRIMARY KEY, data jsonb);
INSERT INTO users SELECT i, person(i, 3) FROM generate_series(1, 200) i;
SELECT count(*) > 5 AS adopted FROM dbvc.document_adopt('users', '{"dreamBook": "dream"}', options => '{"duplicates": "error"}');
UPDATE users_base SET data = '{"dreamBook": [{"id": 1}, {"id": 1}]}' WHERE id = 10;
ALTER TABLE users_items ADD CONSTRAINT users_items_title_check CHECK (data ->> 'title' <> 'dream 2 of 20');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF NEW.id = TG_ARGV[0]::int THEN RAISE 'not % in %', TG_ARGV[0], TG_TABLE_NAME; END IF;
	IF NEW.id = TG_ARGV[1]::int THEN RETURN NULL; END IF;
	RETURN NEW;
END$$;
CREATE TRIGGER refuse BEFORE UPDATE ON users_base FOR EACH ROW EXECUTE FUNCTION refuse(30, 40);
CREATE TRIGGER refuse BEFORE INSERT ON users_items FOR EACH ROW EXECUTE FUNCTION refuse(50, 60);
CREATE CONSTRAINT TRIGGER refuse_later AFTER UPDATE ON users_base DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION refuse(70, 0);
CALL dbvc.document_backfill('users');
SELECT key, sqlstate, reason FROM dbvc.document_error ORDER BY key[1]::int;
SELECT documents, converted, items, set_aside FROM dbvc.document_status;
SELECT ok, detail FROM dbvc.document_check('users') WHERE "check" IN ('counts', 'documents combine');
DROP TRIGGER refuse ON users_base;
DROP TRIGGER refuse_later ON users_base;
DROP TRIGGER refuse ON users_items;
ALTER TABLE users_items DROP CONSTRAINT users_items_title_check;
UPDATE users_base SET data = '{"dreamBook": []}' WHERE id = 10;
CALL dbvc.document_backfill('users');
SELECT count(*) FROM dbvc.document_error;

-- without the trigger on the base nothing is written at all
INSERT INTO users_base (id, data) VALUES (299, '{"dreamBook": [1, 2]}');
ALTER TABLE users_base DISABLE TRIGGER zzz_dbvc_document;
CALL dbvc.document_backfill('users');
ALTER TABLE users_base ENABLE ALWAYS TRIGGER zzz_dbvc_document;
-- nor if another one undoes what it does
CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.doc_version = 0; RETURN NEW; END$$;
CREATE TRIGGER zzzz BEFORE UPDATE ON users_base FOR EACH ROW EXECUTE FUNCTION undo();
CALL dbvc.document_backfill('users');
DROP TRIGGER zzzz ON users_base;
SELECT key, sqlstate, reason FROM dbvc.document_error;
SELECT data, doc_version FROM users_base WHERE id = 299;
CALL dbvc.document_backfill('users');
DELETE FROM users WHERE id = 299;

-- Release refuses by name what would not come back, before anything changes
ALTER TABLE users_base DISABLE TRIGGER zzz_dbvc_document;
UPDATE users_base SET data = '{"elsewhere": 1}' WHERE id = 5;
ALTER TABLE users_base ENABLE ALWAYS TRIGGER zzz_dbvc_document;
SELECT * FROM dbvc.document_check('users') WHERE NOT ok;
CALL dbvc.document_release('users');
SELECT state FROM dbvc.document;
ALTER TABLE users_base DISABLE TRIGGER zzz_dbvc_document;
UPDATE users_base SET data = '{"dreamBook": []}' WHERE id = 5;
ALTER TABLE users_base ENABLE ALWAYS TRIGGER zzz_dbvc_document;
ALTER TABLE users_items DISABLE TRIGGER ALL;
INSERT INTO users_items (id, type, item_id, ord, data) VALUES (4, 'wish', 'x', 1, '{}'), (1234, 'dream', 'x', 1, '{}');
INSERT INTO users_items (id, type, item_id, ord, data) SELECT 3, 'dream', 'd99', max(ord), '{"id": "d99"}' FROM users_items WHERE id = 3;
UPDATE users_items SET item_id = 'other' WHERE id = 2 AND item_id = 'd1';
ALTER TABLE users_items ENABLE TRIGGER ALL;
INSERT INTO users_base (id, data) VALUES (300, '{}');
INSERT INTO users_items (id, type, item_id, ord, data) VALUES (300, 'dream', 'x', 1, '{}');
SELECT * FROM dbvc.document_check('users') WHERE NOT ok;
CALL dbvc.document_release('users');
SELECT state FROM dbvc.document;
ALTER TABLE users_items DISABLE TRIGGER ALL;
DELETE FROM users_items WHERE item_id IN ('x', 'd99');
UPDATE users_items SET item_id = 'd1' WHERE item_id = 'other';
ALTER TABLE users_items ENABLE TRIGGER ALL;
SELECT * FROM dbvc.document_check('users') WHERE NOT ok;

-- softly deleted items: a whole document has no place for them
UPDATE dbvc.document SET options = '{"soft_delete": true}';
-- which makes everybody read it again
ALTER TABLE users_base SET (fillfactor = 100);
SELECT dbvc.item_delete('users', '{11}', 'dream', 'd2');
CALL dbvc.document_release('users');
SELECT count(*) FROM dbvc.document_check('users') WHERE NOT ok;

-- half way, and back
SELECT state FROM dbvc.document;
ALTER TABLE users_base DISABLE TRIGGER zzz_dbvc_document;
CALL dbvc.document_release('users', discard_deleted => true);
ALTER TABLE users_base ENABLE ALWAYS TRIGGER zzz_dbvc_document;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF NEW.id IN (20, 21) THEN RAISE 'it stays as it is'; END IF;
	RETURN NEW;
END$$;
CREATE TRIGGER keep AFTER UPDATE ON users_base FOR EACH ROW EXECUTE FUNCTION keep();
CALL dbvc.document_release('users', discard_deleted => true);
SELECT key, operation, reason FROM dbvc.document_error ORDER BY key;
SELECT d.state, s.converted, s.items FROM dbvc.document d, dbvc.document_status s;
-- the face works on; what is written stays whole
UPDATE users SET data = jsonb_set(data, '{dreamBook,0,title}', '"changed"') WHERE id = 30;
SELECT id, doc_version, data FROM users_base WHERE id = 30;
CALL dbvc.document_backfill('users');
CALL dbvc.document_release('users', cancel => true);
CALL dbvc.document_release('users', cancel => true);
SELECT state FROM dbvc.document;
DROP TRIGGER keep ON users_base;
CALL dbvc.document_backfill('users');
SELECT documents, converted, items, deleted, set_aside FROM dbvc.document_status;
CALL dbvc.document_release('users');
SELECT count(*) FROM users WHERE id NOT IN (5, 10, 11, 30, 300) AND NOT dbvc.document_same_bytes(data, person(id::int, 3));
DROP TABLE users;

-- Composite keys, whose order is not that of one column, and other types
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE users (tenant text COLLATE "C", feeling mood, at timestamptz, id uuid, data jsonb,
	PRIMARY KEY (tenant, feeling, at, id));
INSERT INTO users SELECT 'tenant ' || i % 3, (ARRAY['sad', 'happy']::mood[])[i % 2 + 1], '2026-01-01'::timestamptz + i % 5 * interval '1 day',
	('00000000-0000-0000-0000-0000' || lpad(i::text, 8, '0'))::uuid, person(i, 2) FROM generate_series(1, 300) i;
CREATE TABLE before2 AS SELECT * FROM users;
SELECT count(*) > 5 AS adopted FROM dbvc.document_adopt('users', '{"dreamBook": "dream"}');
SET dbvc.document_buffer = '64kB';
CALL dbvc.document_backfill('users', batch => 7);
SELECT count(*) FROM dbvc.document_check('users') WHERE NOT ok;
SELECT count(*) > 10 AND count(*) < 290 AS some FROM dbvc.document_check('users', 0.5) c, generate_series(1, split_part(detail, ' ', 1)::int)
WHERE c."check" = 'counts' AND ok;
CALL dbvc.document_release('users', batch => 7);
SELECT count(*) FROM users u JOIN before2 b USING (tenant, feeling, at, id) WHERE dbvc.document_same_bytes(u.data, b.data);
RESET dbvc.document_buffer;
DROP TABLE users;

-- A partitioned table
CREATE TABLE users (id bigint, area int, data jsonb, PRIMARY KEY (id, area)) PARTITION BY LIST (area);
CREATE TABLE users_1 PARTITION OF users FOR VALUES IN (1);
CREATE TABLE users_2 PARTITION OF users FOR VALUES IN (2);
INSERT INTO users SELECT i, 1 + i % 2, person(i, 2) FROM generate_series(1, 100) i;
SELECT count(*) > 5 AS adopted FROM dbvc.document_adopt('users', '{"dreamBook": "dream"}');
CALL dbvc.document_backfill('users', batch => 30);
SELECT count(*) FROM dbvc.document_check('users') WHERE NOT ok;
CALL dbvc.document_release('users', batch => 30);
SELECT count(*) FROM users WHERE dbvc.document_same_bytes(data, person(id::int, 2));
DROP TABLE users;

-- Rights, and row security: nobody converts what he may not see
CREATE ROLE regress_dbvc_a;
CREATE ROLE regress_dbvc_b;
GRANT USAGE ON SCHEMA t, dbvc TO regress_dbvc_a, regress_dbvc_b;
GRANT EXECUTE ON PROCEDURE dbvc.document_backfill, dbvc.document_release TO regress_dbvc_a, regress_dbvc_b;
GRANT EXECUTE ON FUNCTION dbvc.document_check, dbvc.document_count TO regress_dbvc_a;
GRANT SELECT ON dbvc.document_status TO regress_dbvc_a;
CREATE TABLE users (id bigint PRIMARY KEY, owner name, data jsonb);
INSERT INTO users SELECT i, CASE i % 2 WHEN 0 THEN 'regress_dbvc_a' ELSE 'regress_dbvc_b' END, person(i, 2) FROM generate_series(1, 20) i;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON users USING (owner = current_user);
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO regress_dbvc_a;
SELECT count(*) > 5 AS adopted FROM dbvc.document_adopt('users', '{"dreamBook": "dream"}');
SET ROLE regress_dbvc_b;
CALL dbvc.document_backfill('users');
CALL dbvc.document_release('users');
SET ROLE regress_dbvc_a;
CALL dbvc.document_backfill('users');
SELECT documents, converted, percent, items FROM dbvc.document_status;
SELECT * FROM dbvc.document_check('users') WHERE NOT ok;
RESET ROLE;
SELECT owner, doc_version, count(*) FROM users_base GROUP BY 1, 2 ORDER BY 1;
SELECT documents, converted, percent, items FROM dbvc.document_status;
ALTER TABLE users_base FORCE ROW LEVEL SECURITY;
ALTER TABLE users_base OWNER TO regress_dbvc_a;
ALTER TABLE users_items OWNER TO regress_dbvc_a;
SET ROLE regress_dbvc_a;
CALL dbvc.document_release('users');
RESET ROLE;
ALTER TABLE users_base OWNER TO CURRENT_USER;
ALTER TABLE users_items OWNER TO CURRENT_USER;
CALL dbvc.document_release('users');
DROP TABLE users;
REVOKE ALL ON SCHEMA dbvc FROM regress_dbvc_a, regress_dbvc_b;

DROP EXTENSION dbvc;
DROP SCHEMA t CASCADE;
DROP ROLE regress_dbvc_a, regress_dbvc_b;
