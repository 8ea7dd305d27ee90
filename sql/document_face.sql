-- The face of an adopted table: whole documents go in and out, rows of items stand behind them
CREATE EXTENSION dbvc;
\pset null '(null)'
\set SHOW_CONTEXT never

CREATE TABLE users (id bigint PRIMARY KEY, name text, data jsonb);
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('users', parts => '{"dreamBook": "dream", "profile.goals": "goal", "scores": "score"}');

-- What was written since the last call: items inserted, updated, deleted, and rows of the base; and does each document have the bytes it was given?
CREATE TABLE seen_item AS SELECT *, xmin AS x, ctid AS c FROM users_items;
CREATE TABLE seen_base AS SELECT *, xmin AS x, ctid AS c FROM users_base;
CREATE FUNCTION written() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	SELECT format('items +%s ~%s -%s, ', count(*) FILTER (WHERE s.id IS NULL), count(*) FILTER (WHERE (s.c, s.x::text) IS DISTINCT FROM (i.ctid, i.xmin::text) AND s.id = i.id),
		count(*) FILTER (WHERE i.id IS NULL)) INTO answer
	FROM users_items i FULL JOIN seen_item s USING (id, type, item_id);
	SELECT answer || format('base +%s ~%s -%s', count(*) FILTER (WHERE s.id IS NULL), count(*) FILTER (WHERE (s.c, s.x::text) IS DISTINCT FROM (b.ctid, b.xmin::text) AND s.id = b.id),
		count(*) FILTER (WHERE b.id IS NULL)) INTO answer
	FROM users_base b FULL JOIN seen_base s USING (id);
	TRUNCATE seen_item, seen_base;
	INSERT INTO seen_item SELECT *, xmin, ctid FROM users_items;
	INSERT INTO seen_base SELECT *, xmin, ctid FROM users_base;
	RETURN answer;
END $$;
-- the documents as they should be, in a table that is none of dbvc's
CREATE TABLE mirror (id bigint PRIMARY KEY, name text, data jsonb);
CREATE FUNCTION faults() RETURNS TABLE (id bigint, name text, face jsonb, mirror jsonb) LANGUAGE sql AS $$
	SELECT COALESCE(u.id, m.id), COALESCE(u.name, m.name), u.data, m.data FROM users u FULL JOIN mirror m USING (id)
	WHERE u.id IS NULL OR m.id IS NULL OR u.name IS DISTINCT FROM m.name OR (u.data IS NULL) <> (m.data IS NULL) OR NOT dbvc.document_same_bytes(u.data, m.data)
	ORDER BY 1
$$;

-- 1. A document: slim with empty arrays, a row for each element, the same bytes
INSERT INTO users VALUES (1, 'Ada', '{"name": "Ada", "level": 7.50, "dreamBook": [{"id": "d1", "title": "fly"}, {"id": "d2", "title": "swim"}],
	"profile": {"goals": [{"id": 1}, "run"], "city": "London"}, "scores": [10, 9.5, 10], "tags": ["a"], "last": true}') RETURNING *;
INSERT INTO mirror VALUES (1, 'Ada', '{"name": "Ada", "level": 7.50, "dreamBook": [{"id": "d1", "title": "fly"}, {"id": "d2", "title": "swim"}],
	"profile": {"goals": [{"id": 1}, "run"], "city": "London"}, "scores": [10, 9.5, 10], "tags": ["a"], "last": true}');
SELECT * FROM users_base;
SELECT id, type, item_id, ord, data, version, created_at = updated_at AS created, deleted_at FROM users_items ORDER BY type, ord;
SELECT * FROM faults();
SELECT written();

-- 3, 4, 5. What is not there, null, empty, no array, of anything
\set rows '(30, ''missing'', ''{"a": 1}''), (31, ''null'', ''{"dreamBook": null}''), (32, ''empty'', ''{"dreamBook": []}''), (33, ''empty profile'', ''{"profile": {}}''), (40, ''object'', ''{"dreamBook": {"x": 1}, "profile": {"goals": {"goals": [1]}}}''), (41, ''string'', ''{"dreamBook": "s", "scores": 1.0, "profile": "p"}''), (42, ''in an array'', ''{"dreamBook": [[{"id": 1}]], "profile": [{"goals": [1]}]}''), (50, ''anything'', ''{"dreamBook": [1, "a", null, [2], {}, true, 1.0, [[]], {"id": null}]}'')'
INSERT INTO users VALUES :rows;
INSERT INTO mirror VALUES :rows;
SELECT * FROM faults();
SELECT b.id, b.name, b.data AS slim, b.doc_version, array_agg(i.item_id || ' ' || i.data ORDER BY i.type, i.ord) FILTER (WHERE i.id IS NOT NULL) AS items
FROM users_base b LEFT JOIN users_items i USING (id) WHERE id >= 30 GROUP BY b.id ORDER BY b.id;
SELECT written();
-- no document, and documents that are no objects
\set rows '(60, ''none'', NULL), (61, ''null'', ''null''), (62, ''array'', ''[{"dreamBook": [1]}]''), (63, ''scalar'', ''1.0''), (64, ''string'', ''"dreamBook"''), (65, ''nothing'', ''{}'')'
INSERT INTO users VALUES :rows;
INSERT INTO mirror VALUES :rows;
SELECT * FROM faults();
SELECT b.id, b.data, b.doc_version, (SELECT count(*) FROM users_items i WHERE i.id = b.id) AS items FROM users_base b WHERE id BETWEEN 60 AND 69 ORDER BY id;
-- each of them becomes each other, and a document with items, and back
SELECT written();
CREATE TABLE shape AS SELECT row_number() OVER (ORDER BY id) AS n, data FROM mirror;
INSERT INTO shape SELECT 100, '{"dreamBook": [{"id": "new"}], "scores": [], "profile": {"goals": [3, 3]}}';
DO $$
DECLARE
	f record; t record;
BEGIN
	INSERT INTO users VALUES (90, 'shape'); INSERT INTO mirror VALUES (90, 'shape');
	FOR f IN SELECT * FROM shape ORDER BY n LOOP
		FOR t IN SELECT * FROM shape ORDER BY n LOOP
			UPDATE users SET data = f.data WHERE id = 90;
			UPDATE mirror SET data = f.data WHERE id = 90;
			IF EXISTS (SELECT FROM faults()) THEN RAISE 'from % to %: % there', f.n, t.n, (SELECT face FROM faults()); END IF;
			UPDATE users SET data = t.data WHERE id = 90;
			UPDATE mirror SET data = t.data WHERE id = 90;
			IF EXISTS (SELECT FROM faults()) THEN RAISE 'from % to %: %', f.n, t.n, (SELECT face FROM faults()); END IF;
		END LOOP;
	END LOOP;
	DELETE FROM users WHERE id = 90; DELETE FROM mirror WHERE id = 90;
END $$;
SELECT written();

-- 6, 7. Ids that come twice, and ids of different types
INSERT INTO users VALUES (6, 'duplicates', '{"dreamBook": [{"id": "a", "n": 1}, {"id": "a", "n": 2}, {"id": "b"}]}');
SELECT type, item_id, data FROM users_items WHERE id = 6 ORDER BY ord;
SELECT data FROM users WHERE id = 6;
UPDATE users SET data = '{"dreamBook": [{"id": "a", "n": 1}, {"id": "b"}, {"id": "a", "n": 3}]}' WHERE id = 6;
SELECT type, item_id, data FROM users_items WHERE id = 6 ORDER BY ord;
INSERT INTO users VALUES (7, 'types', '{"dreamBook": [{"id": 1}, {"id": "1"}, {"id": 1.0}, {"id": "#1"}, {"id": "~1"}, {"id": ""}]}');
SELECT type, item_id, data FROM users_items WHERE id = 7 ORDER BY ord;
DELETE FROM users WHERE id IN (6, 7);
SELECT count(*) FROM users_items WHERE id IN (6, 7);
SELECT written();

-- 8, 9. Bytes count: 1.0 becomes 1; the same again is nothing
INSERT INTO users VALUES (8, 'bytes', '{"dreamBook": [{"id": "a", "n": 1.0}, {"id": "b", "n": 1.0}], "n": 1.0}');
SELECT written();
UPDATE users SET data = '{"dreamBook": [{"id": "a", "n": 1}, {"id": "b", "n": 1.0}], "n": 1.0}' WHERE id = 8 RETURNING data;
SELECT written();
UPDATE users SET data = '{"dreamBook": [{"id": "a", "n": 1}, {"id": "b", "n": 1.0}], "n": 1.0}' WHERE id = 8 RETURNING data;
SELECT written();
UPDATE users SET data = data, name = name, id = id WHERE id = 8;
SELECT written();
UPDATE users SET data = '{"dreamBook": [{"id": "a", "n": 1}, {"id": "b", "n": 1.0}], "n": 1}' WHERE id = 8;
SELECT written(), data FROM users WHERE id = 8;

-- 10, 11, 12. Of two hundred: one changed, one in front, all reversed, one removed
CREATE FUNCTION many(low int, high int, step int) RETURNS jsonb LANGUAGE sql IMMUTABLE
AS $$ SELECT jsonb_build_object('dreamBook', jsonb_agg(jsonb_build_object('id', i, 'v', 'x') ORDER BY n)) FROM generate_series(low, high, step) WITH ORDINALITY g (i, n) $$;
INSERT INTO users VALUES (10, 'many', many(1, 200, 1));
SELECT written();
UPDATE users SET data = jsonb_set(data, '{dreamBook,100,v}', '"y"') WHERE id = 10;
SELECT written(), data = jsonb_set(many(1, 200, 1), '{dreamBook,100,v}', '"y"') AS right FROM users WHERE id = 10;
UPDATE users SET data = jsonb_set(many(0, 200, 1), '{dreamBook,101,v}', '"y"') WHERE id = 10;
SELECT written(), data = jsonb_set(many(0, 200, 1), '{dreamBook,101,v}', '"y"') AS right FROM users WHERE id = 10;
UPDATE users SET data = many(200, 0, -1) WHERE id = 10;
SELECT written(), data = many(200, 0, -1) AS right FROM users WHERE id = 10;
SELECT count(*), count(DISTINCT item_id), count(DISTINCT ord), max(version) FROM users_items WHERE id = 10;
UPDATE users SET data = data #- '{dreamBook,77}' WHERE id = 10;
SELECT written(), jsonb_array_length(data -> 'dreamBook') FROM users WHERE id = 10;
-- three hundred times one in the same place: there is always room
DO $$ BEGIN FOR i IN 1 .. 300 LOOP UPDATE users SET data = jsonb_insert(data, '{dreamBook,1}', to_jsonb('in between ' || i)) WHERE id = 10; END LOOP; END $$;
SELECT jsonb_array_length(data -> 'dreamBook'), data #> '{dreamBook,1}', data #> '{dreamBook,300}', data #> '{dreamBook,0}' FROM users WHERE id = 10;
DELETE FROM users WHERE id = 10;
SELECT written();

-- 13, 14. A piece of it: jsonb_set, subscripts, operators; a column beside it
UPDATE users SET data = jsonb_set(data, '{dreamBook,0,title}', '"soar"') WHERE id = 1 RETURNING *;
SELECT written();
UPDATE users SET data['dreamBook'][1]['title'] = '"dive"' WHERE id = 1 RETURNING data -> 'dreamBook' AS dreams;
SELECT written();
UPDATE users SET data['scores'] = data['scores'] || '[5, 5]' WHERE id = 1 RETURNING data -> 'scores' AS scores;
SELECT written();
UPDATE users SET data = data #- '{profile,goals,0}' WHERE id = 1 RETURNING data -> 'profile' AS profile;
SELECT written();
UPDATE users SET data = data || '{"level": 8}' WHERE id = 1 RETURNING data -> 'level' AS level;
SELECT written();
UPDATE users SET name = 'Ada L.' WHERE id = 1 RETURNING id, name, data -> 'scores' AS scores;
SELECT written();
UPDATE users SET data = data - 'dreamBook' WHERE id = 1 RETURNING data;
SELECT written();
UPDATE users SET data = jsonb_set(data, '{profile}', 'null') WHERE id = 1 RETURNING data;
SELECT written();
-- several columns, conditions over the document
UPDATE users SET (name, data) = (upper(name), data || '{"dreamBook": [{"id": "d1"}]}') WHERE data @> '{"scores": [9.5]}' RETURNING *;
SELECT written();
SELECT id, data -> 'scores' ->> 1 AS score FROM users WHERE jsonb_typeof(data -> 'scores') = 'array' ORDER BY id;
SELECT id, doc_version FROM users_base WHERE id IN (1, 8, 30) ORDER BY id;
DELETE FROM mirror; INSERT INTO mirror SELECT * FROM users;

-- The key: by itself, with the document, swapped around in one statement
UPDATE users SET id = 101 WHERE id = 1 RETURNING id, data -> 'dreamBook' AS dreams;
SELECT written();
SELECT id, count(*) FROM users_items WHERE id IN (1, 101) GROUP BY id;
UPDATE users SET id = 102, name = 'Eve', data = jsonb_set(data, '{dreamBook}', '[{"id": "d2"}, {"id": "d1"}]') WHERE id = 101 RETURNING *;
SELECT written();
SELECT type, item_id, data FROM users_items WHERE id = 102 ORDER BY type, ord;
UPDATE users SET id = 30 WHERE id = 102;
UPDATE users SET id = NULL WHERE id = 102;
UPDATE users SET id = id - 101 WHERE id = 102;
SELECT * FROM faults();
UPDATE users SET id = 1, name = 'ADA L.', data = (SELECT data FROM mirror WHERE id = 1) WHERE id = 1;
SELECT * FROM faults();

-- Prepared: the plans stand, for rows with and without items, with other parameters
PREPARE put (bigint, text, jsonb) AS UPDATE users SET name = $2, data = $3 WHERE id = $1;
PREPARE get (bigint) AS SELECT data FROM users WHERE id = $1;
PREPARE add (bigint, jsonb) AS INSERT INTO users VALUES ($1, 'added', $2) RETURNING data;
SELECT format('EXECUTE add(%s, %L)', 200 + i, jsonb_build_object('dreamBook', (SELECT jsonb_agg(jsonb_build_object('id', j)) FROM generate_series(1, i) j))) FROM generate_series(0, 7) i \gexec
SELECT format('EXECUTE put(%s, %L, %L)', 200 + i, 'put', jsonb_build_object('dreamBook', (SELECT jsonb_agg(jsonb_build_object('id', j)) FROM generate_series(1, 7 - i) j))) FROM generate_series(0, 7) i \gexec
EXECUTE get(200); EXECUTE get(203); EXECUTE get(207); EXECUTE get(208);
DEALLOCATE ALL;
DELETE FROM users WHERE id BETWEEN 200 AND 299;
SELECT count(*) FROM users_items WHERE id >= 200;

-- Statements of one transaction see what those before have done
BEGIN;
INSERT INTO users VALUES (300, 'tx', '{"dreamBook": [{"id": 1}]}');
UPDATE users SET data = jsonb_set(data, '{dreamBook,0,v}', '1') WHERE id = 300;
UPDATE users SET data = jsonb_insert(data, '{dreamBook,0}', '{"id": 0}') WHERE id = 300;
UPDATE users SET name = 'tx2' WHERE id = 300 RETURNING data;
UPDATE users SET data = jsonb_set(data, '{dreamBook,1,v}', '2') WHERE id = 300 RETURNING data;
DELETE FROM users WHERE id = 300 RETURNING data;
INSERT INTO users VALUES (300, 'tx', '{"dreamBook": [{"id": 1}], "scores": [1]}');
COMMIT;
SELECT * FROM users WHERE id = 300;
-- savepoints
BEGIN;
UPDATE users SET data = jsonb_set(data, '{dreamBook}', '[{"id": 1, "v": "kept"}, {"id": 2}]') WHERE id = 300;
SAVEPOINT a;
UPDATE users SET data = jsonb_set(data, '{dreamBook}', '[]') WHERE id = 300;
INSERT INTO users VALUES (301, 'gone', '{"dreamBook": [{"id": 1}], "scores": [1]}');
SAVEPOINT b;
DELETE FROM users WHERE id = 300;
ROLLBACK TO b;
SELECT * FROM users WHERE id >= 300 ORDER BY id;
ROLLBACK TO a;
SELECT * FROM users WHERE id >= 300 ORDER BY id;
INSERT INTO users VALUES (30, 'there already', '{"dreamBook": [{"id": 1}]}');
ROLLBACK TO a;
UPDATE users SET data = jsonb_set(data, '{dreamBook,1,v}', '"after"') WHERE id = 300 RETURNING data;
COMMIT;
SELECT * FROM users WHERE id >= 300 ORDER BY id;
SELECT id, type, item_id FROM users_items WHERE id >= 300 ORDER BY id, type, ord;
BEGIN;
UPDATE users SET data = '{}' WHERE id = 300;
ROLLBACK;
SELECT data FROM users WHERE id = 300;
-- an exception in a block is a savepoint
DO $$
BEGIN
	UPDATE users SET data = '{}' WHERE id = 300;
	BEGIN
		UPDATE users SET data = '{"dreamBook": [1, 2, 3]}' WHERE id = 300;
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
	UPDATE users SET name = 'caught' WHERE id = 300;
END $$;
SELECT * FROM users WHERE id = 300;
SELECT count(*) FROM users_items WHERE id = 300;

-- WITH: what is returned is used at once, also by a foreign key
CREATE TABLE orders (user_id bigint REFERENCES users_base, first jsonb);
WITH u AS (INSERT INTO users VALUES (310, 'with', '{"dreamBook": [{"id": "w"}]}') RETURNING id, data)
INSERT INTO orders SELECT id, data #> '{dreamBook,0}' FROM u RETURNING *;
WITH u AS (UPDATE users SET data = jsonb_set(data, '{dreamBook,0,v}', '1') WHERE id = 310 RETURNING data),
	v AS (INSERT INTO users VALUES (311, 'with too', '{"scores": [1, 2]}') RETURNING data),
	old AS (SELECT data FROM users WHERE id = 310)
SELECT u.data AS updated, v.data AS inserted, old.data AS before FROM u, v, old;
WITH d AS (DELETE FROM users WHERE id = 311 RETURNING *) INSERT INTO users SELECT 312, name, data FROM d RETURNING *;
DROP TABLE orders;
-- a row that is hit twice is written once, as that of a table
CREATE TEMP TABLE twice AS SELECT * FROM (VALUES (310, 1), (310, 2), (312, 3)) v (id, n);
WITH u AS (UPDATE users SET data = jsonb_set(users.data, '{n}', to_jsonb(0)) FROM twice WHERE twice.id = users.id RETURNING users.id, users.data) SELECT * FROM u ORDER BY id;
SELECT id, data, (SELECT count(*) FROM users_items i WHERE i.id = users.id) AS items FROM users WHERE id IN (310, 312) ORDER BY id;
UPDATE users SET data = jsonb_set(users.data, '{dreamBook}', '[{"id": "w"}, {"id": "x"}]') FROM twice WHERE twice.id = users.id;
WITH d AS (DELETE FROM users USING twice WHERE twice.id = users.id RETURNING users.id) SELECT id FROM d ORDER BY id;
SELECT count(*) FROM users_items WHERE id IN (310, 312);
-- rows from the face itself
INSERT INTO users SELECT id + 1000, name, data FROM users WHERE id IN (8, 50) ORDER BY id RETURNING *;
UPDATE users u SET data = jsonb_set(u.data, '{dreamBook}', o.data -> 'dreamBook') FROM users o WHERE o.id = u.id - 1000 AND u.id > 1000;
SELECT count(*) FROM users a JOIN users b ON a.id + 1000 = b.id WHERE dbvc.document_same_bytes(a.data, b.data);
DELETE FROM users WHERE id > 1000;
SELECT written();

-- 20. COPY, which is as good as INSERT
CREATE TABLE legacy AS SELECT i AS id, 'copied' AS name, jsonb_build_object('n', i, 'dreamBook', (SELECT jsonb_agg(jsonb_build_object('id', j, 'v', i * j)) FROM generate_series(1, i % 5) j), 'scores', '[1, 1.0]'::jsonb) AS data
FROM generate_series(10001, 20000) i;
\getenv abs_builddir PG_ABS_BUILDDIR
\set file :abs_builddir '/results/document_face.data'
COPY legacy TO :'file';
COPY users FROM :'file';
SELECT written();
SELECT count(*) FROM users u JOIN legacy l USING (id, name) WHERE dbvc.document_same_bytes(u.data, l.data);
CREATE TEMP TABLE copied AS SELECT * FROM users_items WHERE id > 10000;
CREATE TEMP TABLE copied_base AS SELECT * FROM users_base WHERE id > 10000;
DELETE FROM users WHERE id > 10000;
SELECT written();
INSERT INTO users SELECT * FROM legacy;
SELECT count(*) FROM users_items i JOIN copied c USING (id, type, item_id, ord, data, version) WHERE i.deleted_at IS NULL;
SELECT count(*) FROM users_base b JOIN copied_base c USING (id, name, data, doc_version);
COPY (SELECT data FROM users WHERE id = 10002) TO STDOUT;
\set VERBOSITY sqlstate
COPY users TO STDOUT;
\set VERBOSITY default
COPY users (id, data, name) FROM STDIN;
20001	{"dreamBook": [{"id": "in"}, "x\\ty"]}	copied in
20002	\N	\N
\.
SELECT * FROM users WHERE id > 20000 ORDER BY id;
DELETE FROM users WHERE id > 10000;
SELECT written();

-- What a view cannot do, and what it says
\set VERBOSITY sqlstate
INSERT INTO users VALUES (8, 'again', '{}') ON CONFLICT (id) DO NOTHING;
INSERT INTO users VALUES (8, 'again', '{}') ON CONFLICT (id) DO UPDATE SET data = EXCLUDED.data;
TRUNCATE users;
\set VERBOSITY default
INSERT INTO users VALUES (8, 'again', '{}') ON CONFLICT DO NOTHING;
INSERT INTO users VALUES (8, 'again', '{}');
INSERT INTO users VALUES (NULL, 'no key', '{"dreamBook": [1]}');
SELECT * FROM faults() WHERE id < 100 AND id <> 8;
SELECT written();

-- MERGE, where views may have it (17)
SELECT current_setting('server_version_num')::int >= 170000 AS views_merge \gset
\if :views_merge
MERGE INTO users u USING (VALUES (8, '{"dreamBook": [{"id": "a", "n": 2}]}'::jsonb), (400, '{"dreamBook": [{"id": "m"}]}'), (31, NULL)) v (id, data) ON u.id = v.id
WHEN MATCHED AND v.data IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET data = v.data
WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'merged', v.data);
\else
UPDATE users SET data = '{"dreamBook": [{"id": "a", "n": 2}]}' WHERE id = 8;
INSERT INTO users VALUES (400, 'merged', '{"dreamBook": [{"id": "m"}]}');
DELETE FROM users WHERE id = 31;
\endif
SELECT written();
SELECT * FROM users WHERE id IN (8, 31, 400) ORDER BY id;

-- Behind the documents' back: what would tear them is refused
UPDATE users_base SET data = jsonb_set(data, '{dreamBook}', '[1]') WHERE id = 8;
UPDATE users_base SET data = data - 'dreamBook' WHERE id = 8;
UPDATE users_items SET data = '1' WHERE id = 8;
DELETE FROM users_items WHERE id = 8;
TRUNCATE users_items;
-- what would not is done, and counted
SELECT doc_version FROM users_base WHERE id = 8;
UPDATE users_base SET data = data || '{"k": 1}', name = 'base' WHERE id = 8;
SELECT b.doc_version, u.* FROM users u JOIN users_base b USING (id) WHERE id = 8;
INSERT INTO users_base VALUES (401, 'whole', '{"dreamBook": [{"id": "whole"}]}');
SELECT b.doc_version, u.* FROM users u JOIN users_base b USING (id) WHERE id = 401;
DELETE FROM users_base WHERE id = 400;
SELECT count(*) FROM users_items WHERE id = 400;

-- A row that has never been split reads as it is, and is split when the document is written, not with another column
UPDATE users SET data = data WHERE id = 401;
SELECT doc_version FROM users_base WHERE id = 401;
UPDATE users SET name = 'renamed' WHERE id = 401 RETURNING *;
SELECT * FROM users_base WHERE id = 401;
SELECT count(*) FROM users_items WHERE id = 401;
INSERT INTO users_base VALUES (402, 'whole', '{"dreamBook": [{"id": "whole"}, 2]}');
UPDATE users SET data = jsonb_set(data, '{dreamBook,1}', '3') WHERE id = 402 RETURNING *;
SELECT b.doc_version, b.data, i.item_id, i.data FROM users_base b JOIN users_items i USING (id) WHERE id = 402 ORDER BY ord;
INSERT INTO users_base VALUES (403, 'whole', '{"dreamBook": [{"id": "whole"}, 2]}');
DELETE FROM users WHERE id = 403 RETURNING data;
SELECT written();

DROP TABLE shape, legacy, mirror, seen_item, seen_base;
DROP FUNCTION written, faults, many;
DROP VIEW users;
DROP TABLE users_items, users_base;
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;
