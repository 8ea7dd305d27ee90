-- Documents by key: document_get, document_etag, document_put, document_patch
CREATE EXTENSION dbvc;
\pset null '(null)'
\set SHOW_CONTEXT never

CREATE TABLE users (id bigint PRIMARY KEY, name text DEFAULT 'nobody', email text UNIQUE, data jsonb);
INSERT INTO users VALUES (9, 'old', NULL, '{"n": 1, "dreamBook": [{"id": "a"}]}');
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('users', parts => '{"dreamBook": "dream", "profile.goals": "goal"}');
CREATE VIEW item_row AS SELECT id, type, item_id, data, version FROM users_items ORDER BY id, type, ord;

-- Insert, with the defaults of the other columns; replace; the same bytes write nothing
SELECT dbvc.document_put('users', '{1}', '{"n": 1, "dreamBook": [{"id": "a"}, {"id": "b"}, 3]}') AS etag;
SELECT id, name, data FROM users WHERE id = 1;
SELECT dbvc.document_get('users', '{1}'), dbvc.document_etag('users', '{1}');
CREATE TABLE seen AS SELECT ctid AS c, xmin AS x FROM users_base WHERE id = 1;
SELECT dbvc.document_put('users', '{1}', '{"n": 1, "dreamBook": [{"id": "a"}, {"id": "b"}, 3]}') AS etag;
SELECT count(*) AS untouched FROM users_base b, seen WHERE id = 1 AND b.ctid = c AND b.xmin::text = x::text;
SELECT dbvc.document_put('users', '{1}', '{"n": 1.0, "dreamBook": [{"id": "a"}, {"id": "b", "v": 2}, 3]}') AS etag;
TABLE item_row;
-- nothing there
SELECT dbvc.document_get('users', '{2}'), dbvc.document_etag('users', '{2}');
-- by base and items as well
SELECT dbvc.document_get('users_base', '{1}') = dbvc.document_get('users_items', '{1}') AS same;

-- With an etag: only on top of what was read
SELECT dbvc.document_put('users', '{1}', '{"n": 2}', 1) AS etag;
SELECT dbvc.document_put('users', '{1}', '{"n": 2}', 2) AS etag;
SELECT dbvc.document_put('users', '{1}', '{"n": 3}', 2) AS etag;
SELECT dbvc.document_put('users', '{2}', '{"n": 3}', 2) AS etag;
SELECT dbvc.document_put('users', '{2}', '{"n": 3}', 0) AS etag;
TABLE item_row;
-- -1: there must be none
SELECT dbvc.document_put('users', '{2}', '{"n": 3}', -1) AS etag;
SELECT dbvc.document_put('users', '{2}', '{"n": 3}', -1) AS etag;
SELECT dbvc.document_put('users', '{2}', '{"n": 3}', -2) AS etag;
-- a document that has never been split has version 0, and is split now
SELECT dbvc.document_etag('users', '{9}'), dbvc.document_get('users', '{9}');
SELECT dbvc.document_put('users', '{9}', '{"n": 1, "dreamBook": [{"id": "a"}]}', 1) AS etag;
SELECT dbvc.document_put('users', '{9}', '{"n": 1, "dreamBook": [{"id": "a"}]}', 0) AS etag;
SELECT doc_version, data FROM users_base WHERE id = 9;
-- every write raises it
UPDATE users SET data = jsonb_set(data, '{n}', '5') WHERE id = 9;
UPDATE users SET name = 'new' WHERE id = 9;
SELECT dbvc.item_save('users', '{9}', 'dream', '{"id": "b"}');
SELECT dbvc.item_save('users', '{9}', 'dream', '{"id": "b"}');
SELECT dbvc.item_delete('users', '{9}', 'dream', 'a');
SELECT dbvc.document_etag('users', '{9}');

-- Patch: null removes, objects merge, everything else takes the place
SELECT dbvc.document_put('users', '{1}', '{"n": 1, "city": "Rome", "profile": {"goals": [{"id": 1}], "age": 7, "deep": {"a": 1, "b": [1, 2]}}, "dreamBook": [{"id": "a"}, {"id": "b"}]}') AS etag;
SELECT xmin AS x, ctid AS c, * INTO seen_item FROM users_items WHERE id = 1;
SELECT dbvc.document_patch('users', '{1}', '{"city": null, "street": {"no": 1, "x": null}, "profile": {"age": 8, "deep": {"a": null, "b": [3], "c": {"d": null}}}}') AS etag;
SELECT dbvc.document_get('users', '{1}');
SELECT count(*) AS untouched FROM users_items i JOIN seen_item s ON i.ctid = s.c AND i.xmin::text = s.x::text;
-- the same again writes nothing; nor does one that removes what is not there
SELECT dbvc.document_patch('users', '{1}', '{"profile": {"age": 8}}') AS same, dbvc.document_patch('users', '{1}', '{"nix": null, "profile": {}}') AS same;
-- of parts: replaced, removed, put there, untouched beside another one
SELECT dbvc.document_patch('users', '{1}', '{"dreamBook": [{"id": "b"}, {"id": "c"}]}') AS etag;
SELECT dbvc.document_get('users', '{1}');
SELECT dbvc.document_patch('users', '{1}', '{"profile": {"goals": null, "age": null}}') AS etag;
SELECT dbvc.document_patch('users', '{1}', '{"dreamBook": {"was": "array"}}') AS etag;
SELECT dbvc.document_get('users', '{1}');
SELECT dbvc.document_patch('users', '{1}', '{"dreamBook": [1], "profile": "gone"}') AS etag;
SELECT dbvc.document_get('users', '{1}');
SELECT dbvc.document_patch('users', '{1}', '{"profile": {"goals": [2, 3]}}') AS etag;
SELECT dbvc.document_get('users', '{1}');
SELECT data FROM users_base WHERE id = 1;
SELECT id, type, item_id, data FROM item_row WHERE id = 1;
-- one that is no object is the document
SELECT dbvc.document_patch('users', '{1}', '[1, {"id": null}]') AS etag;
SELECT dbvc.document_get('users', '{1}');
SELECT dbvc.document_patch('users', '{1}', '{"a": {"b": null}}') AS etag;
SELECT dbvc.document_get('users', '{1}'), (SELECT count(*) FROM users_items WHERE id = 1);
-- the examples of RFC 7396, beside PostgreSQL's own opinion of the result
CREATE TABLE rfc (id int PRIMARY KEY, target jsonb, patch jsonb, result jsonb);
INSERT INTO rfc VALUES (1, '{"a":"b"}', '{"a":"c"}', '{"a":"c"}'), (2, '{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'), (3, '{"a":"b"}', '{"a":null}', '{}'),
	(4, '{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'), (5, '{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'), (6, '{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
	(7, '{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'), (8, '{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'), (9, '["a","b"]', '["c","d"]', '["c","d"]'),
	(10, '{"a":"b"}', '["c"]', '["c"]'), (11, '{"a":"foo"}', 'null', 'null'), (12, '{"a":"foo"}', '"bar"', '"bar"'), (13, '{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
	(14, '[1,2]', '{"a":"b","c":null}', '{"a":"b"}'), (15, '{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}');
SELECT count(dbvc.document_put('users', ARRAY[(100 + id)::text], target)) FROM rfc;
SELECT count(dbvc.document_patch('users', ARRAY[(100 + id)::text], patch)) FROM rfc;
SELECT rfc.id, dbvc.document_same_bytes(data, result) AS same FROM rfc JOIN users u ON u.id = 100 + rfc.id ORDER BY 1;
-- a part for which two of them speak: the same results
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('rfc', parts => '{"a": "a"}', doc => 'target');
SELECT rfc.id, dbvc.document_patch('rfc', ARRAY[rfc.id::text], patch) > 0 AS done FROM rfc WHERE id IN (5, 6, 8, 10, 12);
SELECT id, dbvc.document_same_bytes(target, result) AS same FROM rfc WHERE id IN (5, 6, 8, 10, 12) ORDER BY 1;
-- a stale one, and one of nothing
SELECT dbvc.document_patch('users', '{1}', '{"n": 1}', 3) AS etag;
SELECT dbvc.document_patch('users', '{1}', '{"dreamBook": []}', 3) AS etag;
SELECT dbvc.document_patch('users', '{77}', '{"n": 1}') AS etag;
SELECT dbvc.document_patch('users', '{77}', '{"dreamBook": []}') AS etag;

-- A document that is NULL is none that could be read, and can be written
INSERT INTO users VALUES (5, 'x', NULL, NULL);
SELECT dbvc.document_get('users', '{5}'), dbvc.document_etag('users', '{5}');
SELECT dbvc.document_patch('users', '{5}', '{"n": 1, "x": null}') AS etag;
SELECT dbvc.document_get('users', '{5}');

-- What may go wrong
SELECT dbvc.document_put('users', '{1}', NULL);
SELECT dbvc.document_put('users', NULL, '{}');
SELECT dbvc.document_put(NULL, '{1}', '{}');
SELECT dbvc.document_patch('users', '{1}', NULL);
SELECT dbvc.document_put('users', '{1,2}', '{}');
SELECT dbvc.document_put('users', '{x}', '{}');
SELECT dbvc.document_put('users', '{NULL}', '{}');
SELECT dbvc.document_put('seen', '{1}', '{}');
SELECT dbvc.document_get('users', NULL);
-- another constraint than the key's: its own error, and nothing written
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.email := 'same@x'; RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE INSERT ON users_base FOR EACH ROW EXECUTE FUNCTION stamp();
SELECT dbvc.document_put('users', '{50}', '{"dreamBook": [1]}') AS etag;
SELECT dbvc.document_put('users', '{51}', '{"dreamBook": [1]}') AS etag;
SELECT count(*) FROM users_items WHERE id = 51;
DROP TRIGGER stamp ON users_base;

-- Keys of several columns, of types that are not bigint
CREATE TABLE place (tenant text, no uuid, "the doc" jsonb, PRIMARY KEY (tenant, no));
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('place', parts => '{"rooms": "room"}', doc => 'the doc');
SELECT dbvc.document_put('place', '{"a,b",00000000-0000-0000-0000-000000000001}', '{"rooms": [{"id": 1}, {"id": "1"}]}', -1) AS etag;
SELECT dbvc.document_patch('place', '{"a,b",00000000-0000-0000-0000-000000000001}', '{"name": "x"}', 1) AS etag;
SELECT dbvc.document_get('place', '{"a,b",00000000-0000-0000-0000-000000000001}');
SELECT dbvc.document_put('place', '{"a,b",00000000-0000-0000-0000-000000000001}', '{}', 1) AS etag;
SELECT tenant, item_id, data FROM place_items ORDER BY ord;

-- Names of all kinds, and a search_path that has other operators first
CREATE SCHEMA "Odd one";
CREATE TABLE "Odd one"."T-x" ("the key" int PRIMARY KEY, "sel ect" jsonb);
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('"Odd one"."T-x"', parts => '{"p": "the \"type"}', doc => 'sel ect');
CREATE SCHEMA evil;
CREATE FUNCTION evil.no(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, PROCEDURE = evil.no);
SET search_path = evil, pg_catalog;
SELECT dbvc.document_put('"Odd one"."T-x"', '{1}', '{"p": [{"id": "it''s"}]}') AS etag;
SELECT dbvc.item_save('"Odd one"."T-x"', '{1}', 'the "type', '{"id": "it''s", "v": 1}');
SELECT dbvc.document_get('"Odd one"."T-x"', '{1}');
SET search_path = public;

-- The same in one statement, one transaction, one savepoint
BEGIN;
SELECT dbvc.document_put('users', '{60}', '{"dreamBook": [1]}') AS etag;
SAVEPOINT s;
SELECT dbvc.document_put('users', '{60}', '{"dreamBook": [1, 2]}') AS etag;
ROLLBACK TO s;
SELECT dbvc.document_get('users', '{60}'), dbvc.document_etag('users', '{60}');
COMMIT;
WITH u AS (INSERT INTO users (id, data) VALUES (61, '{"dreamBook": [1]}') RETURNING id)
SELECT dbvc.document_patch('users', ARRAY[id::text], '{"n": 1}') AS etag FROM u;
SELECT dbvc.document_get('users', '{61}');
-- what has changed in the table is known at once
ALTER TABLE users_base RENAME COLUMN data TO doc;
ALTER TABLE users_items RENAME TO things;
ALTER TABLE things RENAME COLUMN id TO user_id;
SELECT dbvc.document_put('users', '{61}', '{"dreamBook": [1, 2]}') AS etag;
SELECT dbvc.document_patch('users', '{61}', '{"n": 2}') AS etag;
SELECT dbvc.item_save('users', '{61}', 'dream', '3');
SELECT dbvc.document_get('users', '{61}');

SET client_min_messages = warning;
DROP SCHEMA "Odd one", evil CASCADE;
DROP VIEW item_row, users, place, rfc;
DROP TABLE seen, seen_item, users_base, things, place_base, place_items, rfc_base, rfc_items CASCADE;
DROP FUNCTION stamp();
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;
