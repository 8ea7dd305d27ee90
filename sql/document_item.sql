-- Items one by one: item_save, item_save_batch, item_get, item_delete, item_restore
CREATE EXTENSION dbvc;
\pset null '(null)'
\set SHOW_CONTEXT never

CREATE TABLE users (id bigint PRIMARY KEY, name text, data jsonb);
INSERT INTO users VALUES (9, 'old', '{"dreamBook": [{"id": "a"}, 7, {"id": "a", "v": 2}, {"id": 1}]}');
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('users', parts => '{"dreamBook": "dream", "profile.goals": "goal"}', options => '{"soft_delete": true}');
CREATE VIEW item_row AS SELECT type, item_id, ord / 4294967296.0 AS rank, data, version, deleted_at IS NOT NULL AS deleted FROM users_items WHERE id = 1 ORDER BY type, ord;
-- do the rows have the ids that splitting the whole document gives? Generated ones only have to be generated
CREATE FUNCTION wrong_ids(bigint) RETURNS SETOF text LANGUAGE sql AS $$
	WITH i AS (SELECT type, item_id, row_number() OVER (PARTITION BY type ORDER BY ord, item_id) AS n FROM users_items WHERE id = $1 AND deleted_at IS NULL),
		s AS (SELECT type, item_id, row_number() OVER (PARTITION BY type ORDER BY ord) AS n
			FROM dbvc.document_items(dbvc.document_get('users', ARRAY[$1::text]), '{"dreamBook": "dream", "profile.goals": "goal"}'))
	SELECT format('%s %s: %s, not %s', type, n, i.item_id, s.item_id) FROM i FULL JOIN s USING (type, n)
	WHERE CASE WHEN i.item_id ~ '^~' THEN s.item_id !~ '^~' ELSE i.item_id IS DISTINCT FROM s.item_id END
$$;

-- Insert at the end, replace, and write nothing when nothing changes
INSERT INTO users VALUES (1, 'Ada', '{"n": 1, "dreamBook": [{"id": "a"}, {"id": 2}, {"x": 1}]}');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": "b"}');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": 12.50}');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": "#x"}'), dbvc.item_save('users', '{1}', 'dream', '{"id": ""}');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"x": 2}'), dbvc.item_save('users', '{1}', 'dream', 'null'), dbvc.item_save('users', '{1}', 'dream', '[1]');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": "a", "v": 1.0}');
SELECT dbvc.document_etag('users', '{1}');
CREATE TABLE seen AS SELECT i.ctid AS ic, i.xmin AS ix, b.ctid AS bc, b.xmin AS bx FROM users_items i JOIN users_base b USING (id) WHERE i.id = 1 AND i.item_id = 'a';
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": "a", "v": 1.0}');
SELECT dbvc.document_etag('users', '{1}');
SELECT count(*) AS untouched FROM users_items i JOIN users_base b USING (id), seen WHERE i.item_id = 'a' AND i.ctid = ic AND i.xmin::text = ix::text AND b.ctid = bc AND b.xmin::text = bx::text;
-- 1 is not 1.0
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": "a", "v": 1}'), dbvc.item_save('users', '{1}', 'dream', '{"x": 3}', '~2');
TABLE item_row;
SELECT data FROM users WHERE id = 1;
SELECT wrong_ids(1);
-- what is there for its part: nothing, an array, null; its parents too
SELECT dbvc.item_save('users', '{1}', 'goal', '{"id": "g"}'), dbvc.document_get('users', '{1}') -> 'profile' AS before;
SELECT data -> 'profile' AS profile FROM users WHERE id = 1;
INSERT INTO users VALUES (2, 'Bob', '{"profile": {"goals": null, "age": 1}, "dreamBook": []}'), (3, 'Cyd', '{"profile": null}'), (4, 'Dan', NULL), (5, 'Eve', 'null');
SELECT id, dbvc.item_save('users', ARRAY[id::text], 'goal', '1') FROM generate_series(2, 5) id;
SELECT id, data FROM users WHERE id BETWEEN 2 AND 5 ORDER BY 1;
-- and what would be lost is not overwritten
INSERT INTO users VALUES (6, 'Fay', '{"profile": "none", "dreamBook": {"x": 1}}'), (7, 'Guy', '[1]');
SELECT dbvc.item_save('users', '{6}', 'goal', '1');
SELECT dbvc.item_save('users', '{6}', 'dream', '1');
SELECT dbvc.item_save('users', '{7}', 'dream', '1');
SELECT id, data FROM users WHERE id IN (6, 7) ORDER BY 1;

-- A document that is whole yet: read as it would be split, and split by the first write
SELECT type, item_id, ord / 4294967296 AS rank, data, version, created_at, position FROM dbvc.item_get('users', '{9}');
SELECT type, item_id FROM dbvc.item_get('users', '{9}', after => '["dream", 8589934592, "~1"]', max => 1);
SELECT doc_version FROM users_base WHERE id = 9;
SELECT dbvc.item_save('users', '{9}', 'dream', '{"id": 1, "v": 1}');
SELECT doc_version > 0 AS split, data FROM users_base WHERE id = 9;
SELECT type, item_id, ord / 4294967296 AS rank, data FROM dbvc.item_get('users', '{9}');

-- Elements that share an id: the first one has it, and is meant by it
SELECT dbvc.item_save('users', '{9}', 'dream', '{"id": "a", "v": 3}'), dbvc.item_save('users', '{9}', 'dream', '{"id": "a", "v": 4}', '~2');
SELECT data FROM users WHERE id = 9;
SELECT dbvc.item_delete('users', '{9}', 'dream', 'a');
SELECT dbvc.item_save('users', '{9}', 'dream', '{"id": "a", "v": 5}');
SELECT data FROM users WHERE id = 9;
SELECT dbvc.item_restore('users', '{9}', 'dream', 'a');
SELECT data FROM users WHERE id = 9;
SELECT wrong_ids(9);
-- the same document written again writes nothing
SELECT doc_version AS before FROM users_base WHERE id = 9 \gset
UPDATE users SET data = data WHERE id = 9;
SELECT doc_version - :before AS writes FROM users_base WHERE id = 9;

-- Ids that do not fit
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": "a"}', 'b');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": 2}', '2');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": 2, "v": 1}', '#2');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"x": 1}', 'a');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"x": 1}', '~77');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": "new"}', '~2');
SELECT dbvc.item_save('users', '{1}', 'nix', '{}');
SELECT dbvc.item_save('users', '{404}', 'dream', '{}');
SELECT dbvc.item_save('users', '{1}', 'dream', NULL);
SELECT dbvc.item_save('users', '{1}', NULL, '{}');
SELECT dbvc.item_save('users', NULL, 'dream', '{}');
SELECT dbvc.item_save('seen', '{1}', 'dream', '{}');
-- an id too long for an index is none
SELECT dbvc.item_save('users', '{2}', 'dream', jsonb_build_object('id', repeat('x', 501))), dbvc.item_save('users', '{2}', 'dream', jsonb_build_object('id', repeat('x', 500))) = repeat('x', 500) AS own;

-- Delete and restore: the place stays
SELECT dbvc.item_delete('users', '{1}', 'dream', '#2'), dbvc.item_delete('users', '{1}', 'dream', '#2'), dbvc.item_delete('users', '{1}', 'dream', 'nix');
SELECT data -> 'dreamBook' AS dreams FROM users WHERE id = 1;
SELECT dbvc.item_restore('users', '{1}', 'dream', '#2'), dbvc.item_restore('users', '{1}', 'dream', '#2'), dbvc.item_restore('users', '{1}', 'dream', 'nix');
SELECT data -> 'dreamBook' AS dreams FROM users WHERE id = 1;
-- 25. the last one: an empty array; what comes after it does not take its place or its number
SELECT dbvc.item_delete('users', '{9}', 'dream', item_id) FROM dbvc.item_get('users', '{9}');
SELECT data FROM users WHERE id = 9;
SELECT dbvc.item_save('users', '{9}', 'dream', '8');
SELECT count(dbvc.item_restore('users', '{9}', 'dream', item_id)) FROM users_items WHERE id = 9 AND item_id IN ('~1', '#1');
SELECT data FROM users WHERE id = 9;
-- saving a deleted one restores it
SELECT dbvc.item_delete('users', '{1}', 'dream', 'a');
SELECT dbvc.item_save('users', '{1}', 'dream', '{"id": "a", "v": 7}');
SELECT data #> '{dreamBook,0}' AS first FROM users WHERE id = 1;
-- where the array has gone an empty one is made; anything else is left alone
UPDATE users SET data = data - 'dreamBook' WHERE id = 9;
SELECT dbvc.item_restore('users', '{9}', 'dream', '~1');
SELECT data FROM users WHERE id = 9;
UPDATE users SET data = '{"dreamBook": "none"}' WHERE id = 9;
SELECT dbvc.item_restore('users', '{9}', 'dream', '~1');
SELECT dbvc.item_delete('users', '{404}', 'dream', 'a');
SELECT dbvc.item_restore('users', '{404}', 'dream', 'a');
SELECT dbvc.item_delete('users', '{1}', 'nix', 'a');
SELECT dbvc.item_delete('users', '{1}', 'dream', NULL);

-- Page by page
SELECT position AS p FROM dbvc.item_get('users', '{1}', 'dream', max => 2) ORDER BY ord DESC LIMIT 1 \gset
SELECT :'p' AS position;
-- ... that row goes away: the next page is the same
SELECT dbvc.item_delete('users', '{1}', 'dream', '#2');
SELECT type, item_id, data FROM dbvc.item_get('users', '{1}', 'dream', after => :'p', max => 2);
SELECT type, item_id FROM dbvc.item_get('users', '{1}', after => '["dream", 9223372036854775807, ""]');
SELECT count(*) FROM dbvc.item_get('users', '{1}');
SELECT count(*) FROM dbvc.item_get('users', '{1}', max => 0);
SELECT count(*) FROM dbvc.item_get('users', '{404}');
SELECT dbvc.item_get('users', '{1}', 'nix');
SELECT dbvc.item_get('users', '{1}', after => 'x');
SELECT dbvc.item_get('users', '{1}', after => '[1, 2, 3]');
SELECT dbvc.item_get('users', '{1}', max => -1);
-- more than one reading's worth, all of one rank
INSERT INTO users VALUES (8, 'many', jsonb_build_object('dreamBook', (SELECT jsonb_agg(jsonb_build_object('id', 'i' || i)) FROM generate_series(1, 2500) i)));
SET session_replication_role = replica;
UPDATE users_items SET ord = 5 WHERE id = 8;
RESET session_replication_role;
SELECT count(*), count(DISTINCT item_id) FROM dbvc.item_get('users', '{8}');
SELECT count(*) FROM dbvc.item_get('users', '{8}', max => 1500);
SELECT count(*), min(item_id) FROM dbvc.item_get('users', '{8}', after => (SELECT position FROM dbvc.item_get('users', '{8}', max => 1500) ORDER BY ord DESC, item_id COLLATE "C" DESC LIMIT 1));
DELETE FROM users WHERE id = 8;

-- Batches: all or nothing
SELECT doc_version AS before FROM users_base WHERE id = 2 \gset
SELECT * FROM dbvc.item_save_batch('users', '{2}', '[{"type": "dream", "data": {"id": "a"}}, {"type": "goal", "data": 1}, {"type": "dream", "data": {"x": 1}}, {"type": "dream", "data": {"x": 1}},
	{"type": "dream", "data": {"id": "a"}}, {"type": "dream", "data": {"id": "a", "v": 2}, "item_id": "a"}, {"type": "goal", "data": 2, "item_id": "~1"}]');
SELECT doc_version - :before AS writes, dbvc.document_get('users', '{2}') - 'dreamBook' AS rest, (SELECT count(*) FROM users_items WHERE id = 2 AND type = 'dream') AS dreams FROM users_base WHERE id = 2;
SELECT action, count(*) FROM dbvc.item_save_batch('users', '{2}', '[{"type": "dream", "data": {"id": "a", "v": 2}}, {"type": "goal", "data": 2, "item_id": "~1"}]') GROUP BY 1;
SELECT doc_version - :before AS writes FROM users_base WHERE id = 2;
SELECT wrong_ids(2);
\set SHOW_CONTEXT always
SELECT * FROM dbvc.item_save_batch('users', '{2}', '[{"type": "dream", "data": {"id": "z"}}, {"type": "nix", "data": 1}]');
SELECT * FROM dbvc.item_save_batch('users', '{2}', '[{"type": "dream", "data": {"id": "z"}}, {"type": "dream", "data": 1, "item_id": "~99"}]');
\set SHOW_CONTEXT never
SELECT * FROM dbvc.item_save_batch('users', '{2}', '[]');
SELECT * FROM dbvc.item_save_batch('users', '{2}', '{}');
SELECT * FROM dbvc.item_save_batch('users', '{2}', '[]', 'ignore');
SELECT * FROM dbvc.item_save_batch('users', '{404}', '[{"type": "dream", "data": 1}]');
SELECT doc_version - :before AS writes, (SELECT count(*) FROM users_items WHERE id = 2 AND item_id = 'z') AS z FROM users_base WHERE id = 2;
-- or each that cannot be saved is told, and skipped
ALTER TABLE users_items ADD CONSTRAINT sane CHECK (data ->> 'v' IS DISTINCT FROM 'bad');
SELECT * FROM dbvc.item_save_batch('users', '{2}', '[{"type": "dream", "data": {"id": "s1"}}, {"type": "nix", "data": 1}, {"type": "dream", "data": {"id": "s2", "v": "bad"}}, 5, {"type": "dream"},
	{"type": 1, "data": 1}, {"type": "dream", "data": 1, "x": 2}, {"type": "dream", "data": {"id": "s3"}, "item_id": "other"}, {"type": "dream", "data": {"id": "a", "v": "bad"}},
	{"type": "dream", "data": {"x": 9}}, {"type": "dream", "data": 1, "item_id": "~99"}, {"type": "dream", "data": {"id": "s1"}}]', on_error => 'skip');
SELECT item_id, data FROM users_items WHERE id = 2 AND type = 'dream' AND item_id IN ('a', 's1', 's2') ORDER BY 1;
SELECT wrong_ids(2);
\set VERBOSITY terse
SELECT dbvc.item_save('users', '{2}', 'dream', '{"id": "s2", "v": "bad"}');
\set VERBOSITY default
ALTER TABLE users_items DROP CONSTRAINT sane;
-- many, and what is said of a whole document of which nothing can be saved: nothing is done to it
SELECT action, count(*), count(DISTINCT item_id) FROM dbvc.item_save_batch('users', '{3}', (SELECT jsonb_agg(jsonb_build_object('type', 'goal', 'data', i)) FROM generate_series(1, 1000) i)) GROUP BY 1;
SELECT data #> '{profile,goals,1000}' AS last FROM users WHERE id = 3;
INSERT INTO users_base VALUES (10, 'whole', '{"dreamBook": [1]}');
SELECT item, action, sqlstate FROM dbvc.item_save_batch('users', '{10}', '[{"type": "nix", "data": 1}]', 'skip');
SELECT doc_version FROM users_base WHERE id = 10;

-- Without soft_delete an item is gone
CREATE TABLE hard (id int PRIMARY KEY, data jsonb);
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('hard', parts => '{"d": "d"}', options => '{"strict": true}');
INSERT INTO hard VALUES (1, '{"d": [1, 2, 3]}');
SELECT dbvc.item_delete('hard', '{1}', 'd', '~2'), dbvc.item_restore('hard', '{1}', 'd', '~2'), (SELECT count(*) FROM hard_items);
SELECT * FROM hard;
-- a trigger that passes an item over is no success
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER pass BEFORE INSERT ON hard_items FOR EACH ROW EXECUTE FUNCTION pass();
SELECT dbvc.item_save('hard', '{1}', 'd', '{"id": 1}');
DROP TRIGGER pass ON hard_items;

-- While the table is being released documents stay whole
UPDATE dbvc.document SET state = 'releasing' WHERE face = 'hard'::regclass;
INSERT INTO hard VALUES (2, '{"d": [{"id": "a"}, 5]}');
ALTER TABLE hard_items SET (fillfactor = 90);
SELECT doc_version, data FROM hard_base WHERE id = 2;
SELECT dbvc.item_save('hard', '{2}', 'd', '{"id": "a", "v": 1}'), dbvc.item_save('hard', '{2}', 'd', '6'), dbvc.item_save('hard', '{2}', 'd', '7', '~1'), dbvc.item_save('hard', '{1}', 'd', '{"id": "n"}');
SELECT dbvc.item_save('hard', '{2}', 'd', '7', '~9');
SELECT dbvc.item_delete('hard', '{2}', 'd', '~2'), dbvc.item_delete('hard', '{2}', 'd', '~2'), dbvc.item_restore('hard', '{2}', 'd', '~2');
SELECT item, item_id, action, sqlstate FROM dbvc.item_save_batch('hard', '{2}', '[{"type": "d", "data": {"id": "a", "v": 1}}, {"type": "d", "data": 9}, {"type": "x", "data": 9}]', 'skip');
SELECT dbvc.document_patch('hard', '{2}', '{"n": 1}'), dbvc.document_put('hard', '{3}', '{"d": [1]}');
SELECT dbvc.document_put('hard', '{3}', '{"d": [2]}', 0);
SELECT dbvc.document_put('hard', '{3}', '{"d": [2]}', 1);
SELECT * FROM hard_base ORDER BY id;
SELECT count(*) FROM hard_items;
SELECT type, item_id, data FROM dbvc.item_get('hard', '{2}');

-- As the caller: privileges and row security of base and items
CREATE ROLE regress_dbvc_item;
GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_item;
SET ROLE regress_dbvc_item;
SELECT dbvc.item_save('users', '{1}', 'dream', '1');
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA dbvc TO regress_dbvc_item;
SET ROLE regress_dbvc_item;
SELECT dbvc.item_save('users', '{1}', 'dream', '1');
SELECT * FROM dbvc.item_get('users', '{1}');
SELECT dbvc.document_put('users', '{1}', '{}');
SELECT dbvc.item_delete('users', '{1}', 'dream', 'a');
RESET ROLE;
GRANT SELECT, UPDATE ON users_base TO regress_dbvc_item;
GRANT SELECT ON users, users_items TO regress_dbvc_item;
SET ROLE regress_dbvc_item;
SELECT count(*) > 0 AS reads FROM dbvc.item_get('users', '{1}');
SELECT dbvc.item_save('users', '{1}', 'dream', '1');
SELECT dbvc.document_patch('users', '{1}', '{"n": 2}') > 0 AS patched;
SELECT dbvc.document_patch('users', '{1}', '{"dreamBook": []}');
RESET ROLE;
GRANT INSERT, UPDATE, DELETE ON users_items TO regress_dbvc_item;
ALTER TABLE users_base ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON users_base TO regress_dbvc_item USING (name = 'Bob');
SET ROLE regress_dbvc_item;
SELECT dbvc.item_save('users', '{2}', 'dream', '1') IS NOT NULL AS saved;
SELECT dbvc.item_save('users', '{1}', 'dream', '1');
SELECT dbvc.item_delete('users', '{1}', 'dream', 'a');
SELECT dbvc.document_put('users', '{1}', '{}', 1);
SELECT dbvc.document_patch('users', '{1}', '{}');
SELECT count(*) FROM dbvc.item_get('users', '{1}');
SELECT dbvc.document_get('users', '{1}'), dbvc.document_etag('users', '{1}');
RESET ROLE;
ALTER TABLE users_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON users_items TO regress_dbvc_item USING (item_id <> 'a') WITH CHECK (item_id <> 'z');
SET ROLE regress_dbvc_item;
SELECT item, item_id, action, sqlstate FROM dbvc.item_save_batch('users', '{2}', '[{"type": "dream", "data": {"id": "y"}}, {"type": "dream", "data": {"id": "z"}}]', 'skip');
SELECT count(*) FROM dbvc.item_get('users', '{2}') WHERE item_id = 'a';
SELECT dbvc.item_delete('users', '{2}', 'dream', 'a'), dbvc.item_delete('users', '{2}', 'dream', 'y');
RESET ROLE;

SET client_min_messages = warning;
DROP VIEW item_row, users, hard;
DROP TABLE seen, users_items, users_base, hard_items, hard_base;
DROP FUNCTION wrong_ids(bigint), pass();
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;
DROP OWNED BY regress_dbvc_item;
DROP ROLE regress_dbvc_item;
