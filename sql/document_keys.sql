-- Keys of any type, and faces over and under other things
CREATE EXTENSION dbvc;
\pset null '(null)'
\set SHOW_CONTEXT never
CREATE TYPE mood AS ENUM ('m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9');
CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);

-- Two tables with keys of a type, one of them adopted: the same is read from both, in whatever order, and written to both
CREATE FUNCTION compare_twins(type text, expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	wrong int := 0;
	n int;
	ordered text;
	r record;
BEGIN
	EXECUTE format('CREATE TABLE plain (name text, id %s PRIMARY KEY, data jsonb); CREATE TABLE face (LIKE plain INCLUDING ALL)', type);
	PERFORM dbvc.document_adopt('face', parts => '{"d": "x"}');
	EXECUTE format($q$INSERT INTO plain SELECT i::text, %s, CASE WHEN i %% 3 = 0 THEN '{}' ELSE jsonb_build_object('d', jsonb_build_array(i, i + 1)) END FROM generate_series(1, 9) i$q$, expression);
	INSERT INTO face SELECT * FROM plain ORDER BY md5(name);
	FOREACH ordered IN ARRAY ARRAY['id', 'id DESC', 'md5(name)'] LOOP
		EXECUTE format('SELECT count(*) FROM (SELECT * FROM plain ORDER BY %s OFFSET 0) p LEFT JOIN LATERAL (SELECT data FROM face WHERE face.id = p.id OFFSET 0) f ON true
			WHERE f.data IS DISTINCT FROM p.data', ordered) INTO n;
		wrong := wrong + n;
	END LOOP;
	FOR r IN SELECT * FROM plain LOOP
		UPDATE plain SET data = jsonb_set(data, '{d}', '[7, 8]') WHERE id = r.id;
		UPDATE face SET data = jsonb_set(data, '{d}', '[7, 8]') WHERE id = r.id;
		IF NOT FOUND THEN wrong := wrong + 1; END IF;
	END LOOP;
	UPDATE plain SET data = jsonb_set(data, '{d,0}', to_jsonb(name));
	UPDATE face SET data = jsonb_set(data, '{d,0}', to_jsonb(name));
	SELECT count(*) + wrong INTO wrong FROM plain FULL JOIN face USING (id) WHERE plain.data IS DISTINCT FROM face.data OR plain.name IS DISTINCT FROM face.name;
	DELETE FROM face WHERE name::int % 2 = 0;
	SELECT count(*) INTO n FROM face_items;
	DROP VIEW face; DROP TABLE face_items, face_base, plain;
	RETURN format('%s wrong, %s items left', wrong, n);
END $$;
SELECT type, compare_twins(type, expression) FROM (VALUES ('smallint', 'i'), ('oid', 'i'), ('numeric', 'i * 1.50'), ('float8', '(5 - i) / 3.0'), ('text', 'md5(i::text)'), ('text', 'repeat(i::text, 2000)'),
	('text COLLATE "C"', 'chr(64 + i)'), ('varchar(40)', 'md5(i::text)'), ('char(10)', 'left(md5(i::text), 8)'), ('name', 'md5(i::text)'), ('"char"', '(96 + i)::"char"'), ('uuid', 'md5(i::text)::uuid'),
	('timestamptz', 'now() + i * interval ''1 day'''), ('date', 'current_date - i'), ('interval', 'i * interval ''1 hour'''), ('bytea', 'sha256(i::text::bytea)'), ('mood', '(''m'' || i)::mood'),
	('positive', 'i * 2.0'), ('int[]', 'ARRAY[i, 3, i]'), ('int4range', 'int4range(i, i + 3)'), ('inet', '(''10.0.0.'' || i)::inet'), ('varbit', 'i::bit(8)::varbit'), ('jsonb', 'to_jsonb(i)')) v (type, expression);

-- A key that is equal and not the same is another one
CREATE TABLE users (id numeric PRIMARY KEY, name text, data jsonb);
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('users', parts => '{"d": "x"}');
INSERT INTO users VALUES (1.50, 'a', '{"d": [1]}'), (2, 'b', '{"d": [2]}');
UPDATE users SET id = 1.5 WHERE id = 1.500 RETURNING *;
SELECT id, data FROM users_items ORDER BY id;

-- A view over the face
CREATE VIEW named AS SELECT id, data AS doc, name FROM users WHERE name <> 'z' WITH CHECK OPTION;
UPDATE named SET doc = jsonb_set(doc, '{d,0}', '"v"') WHERE id = 2 RETURNING *;
INSERT INTO named VALUES (3, '{"d": [5]}', 'c') RETURNING *;
INSERT INTO named VALUES (4, '{"d": [5]}', 'z');
DELETE FROM named WHERE id = 3 RETURNING *;
SELECT * FROM users ORDER BY id;

-- Cursors, and loops that write what they read
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, data FROM users ORDER BY id;
FETCH c;
UPDATE users SET data = '{"d": ["changed"]}' WHERE id = 2;
SAVEPOINT a;
DELETE FROM users WHERE id = 2;
FETCH c;
ROLLBACK TO a;
FETCH FIRST c;
FETCH LAST c;
COMMIT;
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT * FROM users ORDER BY id LOOP
		UPDATE users SET data = jsonb_set(r.data, '{n}', to_jsonb(r.name)) WHERE id = r.id;
		COMMIT;
	END LOOP;
END $$;
SELECT * FROM users ORDER BY id;

-- A partitioned base: rows wander between partitions and keep their items
CREATE TABLE parted (id int, region text, data jsonb, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('b');
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('parted', parts => '{"d": "x"}');
INSERT INTO parted SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, jsonb_build_object('d', jsonb_build_array(i)) FROM generate_series(1, 4) i RETURNING *;
UPDATE parted SET data = jsonb_set(data, '{d,1}', '"more"') WHERE id IN (1, 2);
UPDATE parted SET region = 'b', data = data || '{"moved": true}' WHERE id = 2 RETURNING *;
UPDATE parted SET region = 'a' WHERE id = 1 RETURNING *;
DELETE FROM parted WHERE id = 3;
INSERT INTO parted VALUES (9, 'c', '{"d": [1]}');
SELECT * FROM parted ORDER BY id;
SELECT tableoid::regclass, id, region, data FROM parted_base ORDER BY id;
SELECT id, region, data FROM parted_items ORDER BY id, ord;

DROP VIEW named, users, parted;
DROP TABLE users_items, users_base, parted_items, parted_base;
DROP FUNCTION compare_twins;
DROP TYPE mood;
DROP DOMAIN positive;
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;
