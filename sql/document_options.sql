-- Options of an adopted table, and tables of other kinds behind the face
CREATE EXTENSION dbvc;
\pset null '(null)'
\set SHOW_CONTEXT never

-- strict: what stands at a part's place is an array, null or nothing
CREATE TABLE strict (id bigint PRIMARY KEY, data jsonb);
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('strict', parts => '{"dreamBook": "dream", "profile.goals": "goal"}', options => '{"strict": true}');
INSERT INTO strict VALUES (1, '{"dreamBook": []}'), (2, '{"dreamBook": null}'), (3, '{}'), (4, '{"dreamBook": [1]}'), (5, NULL);
INSERT INTO strict VALUES (6, '{"dreamBook": {"x": 1}}');
INSERT INTO strict VALUES (6, '{"dreamBook": "s"}');
INSERT INTO strict VALUES (6, '{"profile": {"goals": 1.0}}');
UPDATE strict SET data = '{"dreamBook": [1], "profile": {"goals": {}}}' WHERE id = 4;
COPY strict FROM STDIN;
7	{"dreamBook": true}
\.
SELECT * FROM strict ORDER BY id;
-- what was there before, in a row that is whole, goes on being there until it is written
INSERT INTO strict_base VALUES (8, '{"dreamBook": {"x": 1}, "n": 1}');
SELECT * FROM strict WHERE id = 8;
UPDATE strict SET data = jsonb_set(data, '{n}', '2') WHERE id = 8;
UPDATE strict SET data = jsonb_set(data, '{dreamBook}', '[2]') WHERE id = 8 RETURNING *;
SELECT count(*) FROM strict_items;

-- duplicates: an error, with nothing written
CREATE TABLE single (id bigint PRIMARY KEY, data jsonb);
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('single', parts => '{"dreamBook": "dream"}', options => '{"duplicates": "error"}');
INSERT INTO single VALUES (1, '{"dreamBook": [{"id": "a"}, {"id": "b"}]}');
INSERT INTO single VALUES (2, '{"dreamBook": [{"id": "a"}, {"id": "a"}]}');
UPDATE single SET data = '{"dreamBook": [{"id": 1}, {"id": 1}, {"id": "1"}, {"id": "1"}]}' WHERE id = 1;
SELECT * FROM single;
SELECT item_id FROM single_items ORDER BY ord;
SELECT doc_version FROM single_base;

-- 25. soft_delete: what is removed keeps its row, and comes back when it is written again
CREATE TABLE soft (id bigint PRIMARY KEY, name text, data jsonb);
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('soft', parts => '{"dreamBook": "dream", "scores": "score"}', options => '{"soft_delete": true}');
CREATE VIEW soft_row AS SELECT type, item_id, ord, data, version, deleted_at IS NOT NULL AS deleted FROM soft_items ORDER BY id, type, ord, item_id;
INSERT INTO soft VALUES (1, 'Ada', '{"dreamBook": [{"id": "a"}, {"id": "b"}, {"id": "c"}], "scores": [1, 2]}');
UPDATE soft SET data = data #- '{dreamBook,1}' WHERE id = 1 RETURNING data;
TABLE soft_row;
UPDATE soft SET data = jsonb_set(data, '{dreamBook}', '[]') WHERE id = 1 RETURNING data;
TABLE soft_row;
SELECT data FROM soft;
-- back in another place, and with another value
UPDATE soft SET data = jsonb_set(data, '{dreamBook}', '[{"id": "c"}, {"id": "n"}, {"id": "b", "v": 2}]') WHERE id = 1 RETURNING data;
TABLE soft_row;
-- a number is not used again while the row of its old owner is there
UPDATE soft SET data = jsonb_set(data, '{scores}', '[1]') WHERE id = 1 RETURNING data;
UPDATE soft SET data = jsonb_set(data, '{scores}', '[1, 3]') WHERE id = 1 RETURNING data;
UPDATE soft SET data = data - 'scores' WHERE id = 1 RETURNING data;
UPDATE soft SET data = data || '{"scores": [2]}' WHERE id = 1 RETURNING data;
TABLE soft_row;
-- what is deleted already is not deleted again, and the same again writes nothing
CREATE TEMP TABLE before AS SELECT *, xmin AS x FROM soft_items;
UPDATE soft SET data = data WHERE id = 1;
UPDATE soft SET name = 'Ada L.' WHERE id = 1;
UPDATE soft SET data = data || '{"n": 1}' WHERE id = 1;
SELECT count(*) FILTER (WHERE i.xmin <> b.x) AS written, count(*) FROM soft_items i JOIN before b USING (id, type, item_id);
SELECT * FROM soft;
-- a savepoint
BEGIN;
SAVEPOINT a;
UPDATE soft SET data = '{"dreamBook": [{"id": "z"}]}' WHERE id = 1;
INSERT INTO soft VALUES (2, 'Eve', '{"dreamBook": [{"id": "a"}]}');
SELECT count(*) FROM soft_items WHERE deleted_at IS NULL;
ROLLBACK TO a;
COMMIT;
SELECT count(*) FROM soft_items i JOIN before b USING (id, type, item_id, ord, data, version) WHERE i.deleted_at IS NOT DISTINCT FROM b.deleted_at;
-- a new key takes along what is deleted; deleting the document deletes all of it; a new one begins anew
UPDATE soft SET id = 3 WHERE id = 1;
SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS there, count(*) FROM soft_items WHERE id = 3;
UPDATE soft SET data = NULL WHERE id = 3 RETURNING *;
SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS there, count(*) FROM soft_items WHERE id = 3;
UPDATE soft SET data = '{"dreamBook": [{"id": "a"}, {"id": "z"}], "scores": [7]}' WHERE id = 3 RETURNING *;
SELECT item_id, data, deleted FROM soft_row WHERE NOT deleted;
DELETE FROM soft;
SELECT count(*) FROM soft_items;

-- Keys: text, uuid, several columns, a domain; documents of one key's beginning are not those of another
CREATE DOMAIN code AS text CHECK (VALUE <> '');
CREATE TABLE keyed (b text COLLATE "C", name text, a int, data jsonb, c code, PRIMARY KEY (a, b, c));
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('keyed', parts => '{"dreamBook": "dream"}');
INSERT INTO keyed SELECT b, 'x', a, jsonb_build_object('dreamBook', jsonb_build_array(a, b, c)), c FROM generate_series(1, 3) a, unnest(ARRAY['', 'a', 'aa', 'b']) b, unnest(ARRAY['k', 'kk']) c;
SELECT count(*) FILTER (WHERE data = jsonb_build_object('dreamBook', jsonb_build_array(a, b, c))) AS right, count(*) FROM keyed;
UPDATE keyed SET data = jsonb_set(data, '{dreamBook,0}', '"changed"') WHERE a = 2 AND b = 'a' AND c = 'k';
UPDATE keyed SET b = 'aaa' WHERE a = 2 AND b = 'a' AND c = 'k';
UPDATE keyed SET data = jsonb_set(data, '{dreamBook,1}', '"too"'), c = 'kkk', a = 9 WHERE b = 'aaa';
DELETE FROM keyed WHERE a = 1 OR b = '';
SELECT a, b, c, data FROM keyed ORDER BY a, b, c;
SELECT count(*) FROM keyed_items;
CREATE TABLE uuids (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), data jsonb NOT NULL DEFAULT '{"dreamBook": ["default"]}', n int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (3 * 2) STORED);
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('uuids', parts => '{"dreamBook": "dream"}');
INSERT INTO uuids (data) VALUES ('{"dreamBook": [1]}'), ('{"dreamBook": [2, 2]}') RETURNING data, n, twice, id IS NOT NULL AS id;
INSERT INTO uuids DEFAULT VALUES RETURNING data, n, twice, id IS NOT NULL AS id;
UPDATE uuids SET twice = 1;
\set VERBOSITY terse
UPDATE uuids SET data = NULL WHERE n = 1;
\set VERBOSITY default
SELECT data, n, twice FROM uuids ORDER BY n;
SELECT count(*), count(DISTINCT id) FROM uuids_items;

-- Triggers of the user's on the base see slim documents; what they change is returned, what they skip is not there
CREATE TABLE hooked (id bigint PRIMARY KEY, name text, data jsonb);
CREATE FUNCTION hook() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP <> 'DELETE' AND NEW.name = 'skip' OR TG_OP = 'DELETE' AND OLD.name = 'STAY' THEN RETURN NULL; END IF;
	IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
	NEW.name = upper(NEW.name);
	NEW.data = NEW.data || jsonb_build_object('seen', jsonb_array_length(NEW.data -> 'dreamBook'));
	RETURN NEW;
END $$;
CREATE TRIGGER hook BEFORE INSERT OR UPDATE OR DELETE ON hooked FOR EACH ROW EXECUTE FUNCTION hook();
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('hooked', parts => '{"dreamBook": "dream"}', options => '{"triggers_reviewed": true}');
INSERT INTO hooked VALUES (1, 'one', '{"dreamBook": [1, 2, 3]}'), (2, 'skip', '{"dreamBook": [1, 2, 3]}') RETURNING *;
UPDATE hooked SET name = 'two' RETURNING *;
UPDATE hooked SET name = 'skip', data = '{"dreamBook": [9]}' RETURNING *;
UPDATE hooked SET data = '{"dreamBook": [8]}' RETURNING *;
SELECT * FROM hooked;
SELECT id, data FROM hooked_items;
UPDATE hooked SET name = 'stay' RETURNING name;
DELETE FROM hooked RETURNING id;
SELECT count(*) FROM hooked_items;
-- and on the items, as on any table
CREATE TABLE noted (op text, item_id text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO noted VALUES (TG_OP, COALESCE(NEW.item_id, OLD.item_id)); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON hooked_items FOR EACH ROW EXECUTE FUNCTION note();
UPDATE hooked SET data = '{"dreamBook": [8, {"id": "n"}, {"id": "m"}]}';
UPDATE hooked SET data = '{"dreamBook": [{"id": "n", "v": 1}, {"id": "m"}]}' RETURNING *;
TABLE noted;
-- also one that writes the document whose items are being written
CREATE FUNCTION count_items() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE hooked SET name = concat(name, '+') WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER count_items AFTER INSERT ON hooked_items FOR EACH ROW EXECUTE FUNCTION count_items();
UPDATE hooked SET name = 'x', data = '{"dreamBook": [{"id": "p"}, {"id": "n", "v": 1}, {"id": "q"}]}';
SELECT * FROM hooked;
UPDATE hooked SET name = 'x';
DELETE FROM hooked;
SELECT count(*) FROM hooked_items;
DROP TRIGGER count_items ON hooked_items;
-- one that takes away the place of items is refused
CREATE FUNCTION strip_array() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.data = NEW.data - 'dreamBook'; RETURN NEW; END $$;
CREATE TRIGGER strip_array BEFORE INSERT OR UPDATE ON hooked_base FOR EACH ROW EXECUTE FUNCTION strip_array();
INSERT INTO hooked VALUES (1, 'one', '{"dreamBook": [1, 2, 3]}');
INSERT INTO hooked VALUES (2, 'two', '{"n": 1}');
SELECT * FROM hooked;

-- Names that must be quoted, of the table and its columns, some of them those that the items table has
CREATE TABLE "The ""Users" ("type" text, "ord" int, "Na me" text, "da ta" jsonb, PRIMARY KEY ("type", "ord"));
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('"The ""Users"', parts => '{"d": "x", "{\"=.\\\"x\",y}": "we''ird \"t"}', doc => 'da ta');
INSERT INTO "The ""Users" VALUES ('a', 1, 'x', '{"d": [1]}'), ('b', 2, 'x', '{"d": [1], "=.\"x": {"y": [3, 4]}}');
UPDATE "The ""Users" SET "da ta" = jsonb_set("da ta", '{d,0}', '5'), "ord" = 7 RETURNING *;
SELECT key_type, key_ord, type, item_id, ord, data FROM "The ""Users_items" ORDER BY 1, 2, 3, 4;
DELETE FROM "The ""Users" WHERE "type" = 'a';
TABLE "The ""Users";

-- Columns and tables renamed behind dbvc's back are found all the same
CREATE TABLE named (id int PRIMARY KEY, name text, data jsonb);
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('named', parts => '{"d": "x"}');
INSERT INTO named VALUES (1, 'a', '{"d": [1, 2]}'), (2, 'b', '{"d": [3]}');
SELECT * FROM named WHERE id = 1;
ALTER TABLE named_base RENAME COLUMN name TO n2;
ALTER VIEW named RENAME COLUMN name TO n3;
ALTER TABLE named_items RENAME COLUMN id TO k;
ALTER TABLE named_base RENAME COLUMN id TO kk;
ALTER VIEW named RENAME COLUMN data TO doc;
ALTER TABLE named_base RENAME COLUMN data TO dd;
ALTER TABLE named_base RENAME TO renamed_base;
ALTER TABLE named_items RENAME TO renamed_items;
ALTER VIEW named RENAME TO renamed;
UPDATE renamed SET doc = jsonb_set(doc, '{d,0}', '"changed"'), n3 = 'c' WHERE id = 1 RETURNING *;
INSERT INTO renamed (id, doc) VALUES (3, '{"d": [7]}');
DELETE FROM renamed WHERE id = 2;
SELECT * FROM renamed ORDER BY id;
SELECT k, data FROM renamed_items ORDER BY k, ord;

DROP VIEW soft_row;
DROP VIEW strict, single, soft, keyed, uuids, hooked, "The ""Users", renamed;
DROP TABLE strict_items, strict_base, single_items, single_base, soft_items, soft_base, keyed_items, keyed_base, uuids_items, uuids_base, hooked_items, hooked_base, noted,
	"The ""Users_items", "The ""Users_base", renamed_items, renamed_base;
DROP FUNCTION hook, note, count_items, strip_array;
DROP DOMAIN code;
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;
