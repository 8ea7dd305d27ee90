-- Splitting documents into slim and items, and back; comparing and merging them
CREATE EXTENSION dbvc;
\pset null '(null)'

-- Parts: which arrays are split
SELECT dbvc.document_parts('{}');
SELECT dbvc.document_parts('{"weeklyGoals": "weekly_goal", "dreamBook": "dream", "profile.goals": "goal"}');
-- however they are written, they come out in one form
SELECT dbvc.document_parts('{"{dreamBook}": "dream", "{a.b,c}": "x", "{profile, \"goals\"}": "goal", "{\"\"}": "none", "{\"{\"}": "brace"}');
SELECT dbvc.document_parts(dbvc.document_parts('{"{a.b,c}": "x", "{\"\"}": "none", "{\"{\"}": "brace", "a\"b": "quote"}'));
SELECT dbvc.document_parts('[]');
SELECT dbvc.document_parts('"dreamBook"');
SELECT dbvc.document_parts('{"dreamBook": {"type": "dream"}}');
SELECT dbvc.document_parts('{"dreamBook": ""}');
SELECT dbvc.document_parts(jsonb_build_object('dreamBook', repeat('x', 63))) IS NOT NULL AS fits;
SELECT dbvc.document_parts(jsonb_build_object('dreamBook', repeat('x', 64)));
SELECT dbvc.document_parts('{"": "x"}');
SELECT dbvc.document_parts('{"a..b": "x"}');
SELECT dbvc.document_parts('{"a.": "x"}');
SELECT dbvc.document_parts('{"{}": "x"}');
SELECT dbvc.document_parts('{"{{a},{b}}": "x"}');
SELECT dbvc.document_parts('{"{a,NULL}": "x"}');
SELECT dbvc.document_parts('{"{a": "x"}');
SELECT dbvc.document_parts('{"a": "x", "b": "x"}');
SELECT dbvc.document_parts('{"a.b": "x", "{a,b}": "y"}');
SELECT dbvc.document_parts('{"a": "x", "a.b": "y"}');
SELECT dbvc.document_parts('{"a.c": "x", "a.b.c": "y", "a.b": "z"}');
SELECT dbvc.document_parts('{"a": "x", "ab": "y", "b.a": "z", "b.ab": "w"}');

-- A document, and what becomes of it
CREATE TABLE sample AS SELECT '{"name": "Ada", "level": 7.50, "dreamBook": [{"id": "d1", "title": "fly"}, {"id": "d2", "title": "swim"}],
	"profile": {"goals": [1, 1.0, "run"], "city": "London"}, "tags": ["a", "b"], "last": true}'::jsonb AS doc,
	'{"dreamBook": "dream", "profile.goals": "goal"}'::jsonb AS parts;
SELECT dbvc.document_slim(doc, parts) FROM sample;
SELECT i.* FROM sample, dbvc.document_items(doc, parts) i;
SELECT dbvc.document_combine(dbvc.document_slim(doc, parts), parts, array_agg(type), array_agg(data)) FROM sample, dbvc.document_items(doc, parts) GROUP BY doc, parts;

-- What stays where it is: nothing, null, scalars, objects, empty arrays; and what is in another array
CREATE TABLE place (n serial, doc jsonb);
INSERT INTO place (doc) VALUES ('{}'), ('{"dreamBook": null}'), ('{"dreamBook": "s"}'), ('{"dreamBook": 1.0}'), ('{"dreamBook": {"x": 1}}'),
	('{"dreamBook": []}'), ('{"dreamBook": [[]]}'), ('{"dreamBook": [null]}'), ('{"profile": {"goals": {"goals": [1]}}}'), ('{"profile": [{"goals": [1]}]}'),
	('{"profile": {"profile": {"goals": [1]}}}'), ('{"goals": [1], "profile": null}'), ('[{"dreamBook": [1]}]'), ('[]'), ('"dreamBook"'), ('null'), ('1.0');
SELECT n, dbvc.document_same_bytes(p.doc, dbvc.document_slim(p.doc, parts)) AS untouched, dbvc.document_slim(p.doc, parts),
	(SELECT count(*) FROM dbvc.document_items(p.doc, parts)) AS items
FROM place p, sample ORDER BY n;

-- Ids: the element's, with its type; everything else is numbered
CREATE FUNCTION items_of(elements jsonb) RETURNS SETOF record LANGUAGE sql
AS $$ SELECT type, item_id, ord, data FROM dbvc.document_items(jsonb_build_object('a', elements), '{"a": "x"}') $$;
SELECT item_id, data FROM items_of('[{"id": "a"}, {"id": 1}, {"id": "1"}, {"id": 1.0}, {"id": -2e3}, {"id": "#1"}, {"id": "~1"}, {"id": "=1"}, {"id": ""},
	{"id": "a b"}, {"id": null}, {"id": true}, {"id": {}}, {"id": [1]}, {"ID": 3}, {}, "a", 1, null, ["id"], {"id": "a", "second": true}, {"id": 1, "second": true}]')
	AS (type text, item_id text, ord bigint, data jsonb);
-- those that an index could not take are numbered too; 500 bytes can be
SELECT left(item_id, 3) AS item_id, length(item_id), length(data ->> 'id')
FROM items_of(jsonb_build_array(jsonb_build_object('id', repeat('x', 500)), jsonb_build_object('id', repeat('x', 501)), jsonb_build_object('id', '#' || repeat('x', 498)),
	jsonb_build_object('id', '#' || repeat('x', 499)), jsonb_build_object('id', repeat('9', 499)::numeric), jsonb_build_object('id', repeat('9', 500)::numeric)))
	AS (type text, item_id text, ord bigint, data jsonb);

-- a number has more digits than bytes
SELECT left(item_id, 3) AS item_id, length(item_id) FROM items_of('[{"id": 1e498}, {"id": 1e499}, {"id": 1e131071}]') AS (type text, item_id text, ord bigint, data jsonb);

-- Combining: items of a type in their order, whatever stands between; no items, no change
SELECT dbvc.document_combine('{"a": [], "b": []}', '{"a": "x", "b": "y"}', '{y,x,y,x}', ARRAY['1', '2', '[3]', '{"n": 4}']::jsonb[]);
SELECT dbvc.document_combine('{"a": [1], "b": null}', '{"a": "x", "b": "y"}', '{}', '{}');
SELECT dbvc.document_combine('{"a": [1]}', '{"a": "x"}', '{x}', ARRAY['2']::jsonb[]);
SELECT dbvc.document_combine('{}', '{"a.b": "x"}', '{x,x}', ARRAY['2', '3']::jsonb[]);
SELECT dbvc.document_combine('{"a": []}', '{"a.b": "x"}', '{x}', ARRAY['2']::jsonb[]);
SELECT dbvc.document_combine('[]', '{"a": "x"}', '{x}', ARRAY['2']::jsonb[]);
SELECT dbvc.document_combine('{"a": []}', '{"a": "x"}', '{y}', ARRAY['2']::jsonb[]);
SELECT dbvc.document_combine('{"a": []}', '{"a": "x"}', '{x}', '{}');
SELECT dbvc.document_combine('{"a": []}', '{"a": "x"}', '{x}', ARRAY[NULL]::jsonb[]);

-- Objects with very many keys, and very many parts: each key is found
SELECT count(*) FILTER (WHERE items = n AND slim = emptied AND dbvc.document_same_bytes(doc, whole)) AS good, count(*)
FROM generate_series(0, 130) n,
	LATERAL (SELECT COALESCE(jsonb_object_agg('k' || i, jsonb_build_array(i)), '{}') AS doc, COALESCE(jsonb_object_agg('k' || i, '[]'::jsonb), '{}') AS emptied
		FROM generate_series(1, n) i) d,
	LATERAL (SELECT jsonb_object_agg('k' || i, 't' || i) AS parts FROM generate_series(-1, n + 1) i) p,
	LATERAL (SELECT dbvc.document_slim(doc, parts) AS slim) s,
	LATERAL (SELECT count(*) AS items, dbvc.document_combine(slim, parts, COALESCE(array_agg(type), '{}'), COALESCE(array_agg(data), '{}')) AS whole
		FROM dbvc.document_items(doc, parts)) w;

-- Bytes, not equality
SELECT '1.0'::jsonb = '1' AS equal, dbvc.document_same_bytes('1.0', '1') AS same, dbvc.document_same_bytes('[1, {"a": 2}]', '[1, {"a": 2}]') AS same;

-- Differences: the least that must be written
CREATE FUNCTION difference(before jsonb, after jsonb) RETURNS TABLE (action text, item_id text, ord bigint, data jsonb) LANGUAGE sql
AS $$
	SELECT w.* FROM (SELECT COALESCE(array_agg(item_id), '{}') AS ids, COALESCE(array_agg(ord), '{}') AS ords, COALESCE(array_agg(data), '{}') AS items
		FROM items_of(before) AS (type text, item_id text, ord bigint, data jsonb)) have, dbvc.document_diff(ids, ords, items, after) w
$$;
SELECT * FROM difference('[]', '[{"id": "a"}, "x"]');
SELECT * FROM difference('[{"id": "a"}, "x"]', '[]');
SELECT count(*) FROM difference('[{"id": "a"}, "x", null, "x"]', '[{"id": "a"}, "x", null, "x"]');
SELECT * FROM difference('[{"id": "a", "v": 1.0}, {"id": "b"}]', '[{"id": "a", "v": 1}, {"id": "b"}]');
SELECT * FROM difference('[{"id": "a"}, {"id": "b"}, {"id": "c"}]', '[{"id": "c"}, {"id": "a"}, {"id": "b"}]');
SELECT * FROM difference('[{"id": "a"}, {"id": "b"}, {"id": "c"}]', '[{"id": "a"}, {"id": "n"}, {"id": "b"}, {"id": "c"}]');
SELECT * FROM difference('[{"id": 1}]', '[{"id": "1"}]');
-- what is written anyway is what moves
SELECT * FROM difference('[{"id": "a"}, {"id": "b"}, {"id": "c"}, {"id": "d"}]', '[{"id": "c", "v": 2}, {"id": "d", "v": 2}, {"id": "a"}, {"id": "b"}]');
-- without ids: added in front, in between, behind; removed; changed
SELECT * FROM difference('["x", "y", "x"]', '["n", "x", "y", "x"]');
SELECT * FROM difference('["x", "y", "x"]', '["x", "y", "n", "x"]');
SELECT * FROM difference('["x", "y", "x"]', '["x", "y", "x", "x"]');
SELECT * FROM difference('["x", "y", "x"]', '["y", "x"]');
SELECT * FROM difference('["x", "y", "x"]', '["x", "z", "x"]');
SELECT * FROM difference('["x", "a", "x", "b"]', '["a", "x", "b", "x"]');
-- a duplicate is as good as one without an id
SELECT * FROM difference('[{"id": "a", "v": 1}, {"id": "a", "v": 2}]', '[{"id": "a", "v": 1}, {"id": "a", "v": 3}]');
-- the first of two is gone from the rows: the second one is still what it was
SELECT * FROM dbvc.document_diff('{~1}', '{5}', ARRAY['{"id": "a"}']::jsonb[], '[{"id": "a"}]');
-- numbers of ids are not used again
SELECT item_id FROM dbvc.document_diff('{~7,~x,~99999999999999999999}', '{1,2,3}', ARRAY['1', '2', '3']::jsonb[], '[1, 2, 3, 4, 5]');

-- but only up to the highest there is
SELECT item_id FROM dbvc.document_diff('{~9223372036854775806}', '{1}', ARRAY['1']::jsonb[], '[1, 2]');
SELECT item_id FROM dbvc.document_diff('{~9223372036854775807}', '{1}', ARRAY['1']::jsonb[], '[1, 2]');

-- Two hundred: one in front is one insert; reversed, all but one are moved
CREATE FUNCTION many(low int, high int, step int) RETURNS jsonb LANGUAGE sql IMMUTABLE
AS $$ SELECT jsonb_agg(jsonb_build_object('id', i, 'v', 'x') ORDER BY n) FROM generate_series(low, high, step) WITH ORDINALITY g (i, n) $$;
SELECT action, count(*) FROM difference(many(1, 200, 1), many(0, 200, 1)) GROUP BY action;
SELECT action, count(*) FROM difference(many(1, 200, 1), many(200, 1, -1)) GROUP BY action;
SELECT action, count(*) FROM difference(many(1, 200, 1), jsonb_set(many(1, 200, 1), '{100,v}', '"y"')) GROUP BY action;
SELECT action, count(*) FROM difference(many(1, 200, 1), many(1, 200, 1) - 100) GROUP BY action;

-- Ranks: room is made by moving as few as possible, also at the ends of bigint
SELECT action, item_id, ord FROM dbvc.document_diff('{a,b,c,d}', '{1,2,3,100}', ARRAY['{"id": "a"}', '{"id": "b"}', '{"id": "c"}', '{"id": "d"}']::jsonb[],
	'[{"id": "a"}, {"id": "n"}, {"id": "b"}, {"id": "c"}, {"id": "d"}]');
SELECT action, item_id, ord FROM dbvc.document_diff('{a,b,c}', '{-9223372036854775808,0,9223372036854775807}', ARRAY['{"id": "a"}', '{"id": "b"}', '{"id": "c"}']::jsonb[],
	'[{"id": "m"}, {"id": "a"}, {"id": "b"}, {"id": "c"}, {"id": "n"}]');
SELECT action, item_id, ord FROM dbvc.document_diff('{a,b}', '{-9223372036854775808,9223372036854775807}', ARRAY['{"id": "a"}', '{"id": "b"}']::jsonb[],
	'[{"id": "a"}, {"id": "n"}, {"id": "b"}]');
-- equal ranks are put right
SELECT action, item_id, ord FROM dbvc.document_diff('{a,b,c}', '{5,5,5}', ARRAY['{"id": "a"}', '{"id": "b"}', '{"id": "c"}']::jsonb[],
	'[{"id": "a"}, {"id": "b"}, {"id": "c"}]');
SELECT * FROM dbvc.document_diff('{a}', '{1,2}', ARRAY['1']::jsonb[], '[]');
SELECT * FROM dbvc.document_diff('{{a},{b}}', '{1,2}', ARRAY['1', '2']::jsonb[], '[]');
SELECT * FROM dbvc.document_diff('{}', '{}', '{}', '{"a": 1}');
SELECT * FROM dbvc.document_diff('{}', '{}', '{}', '1');

-- Merging: what the writer changed, made to what there is by now
CREATE FUNCTION merge(old jsonb, new jsonb, current jsonb) RETURNS SETOF text LANGUAGE sql
AS $$ SELECT CASE WHEN m -> 'conflicts' = '[]' THEN concat(m -> 'document', ' ', m -> 'writes') ELSE concat('conflicts: ', m -> 'conflicts') END
	FROM dbvc.document_merge(old, new, current, '{"a": "x", "p.b": "y"}') m $$;
-- both changed something else
SELECT merge('{"a": [{"id": 1, "v": 1}, {"id": 2, "v": 1}], "n": 1}', '{"a": [{"id": 1, "v": 2}, {"id": 2, "v": 1}], "n": 1}', '{"a": [{"id": 1, "v": 1}, {"id": 2, "v": 3}], "n": 2}');
-- an item that was added meanwhile stays, one that was deleted stays away
SELECT merge('{"a": [{"id": 1}, {"id": 2}]}', '{"a": [{"id": 1}, {"id": 2}], "n": 1}', '{"a": [{"id": 1}, {"id": 3}]}');
-- new items stand after what stood before them, if that is there
SELECT merge('{"a": [{"id": 1}, {"id": 2}]}', '{"a": [{"id": 0}, {"id": 1}, {"id": "n"}, {"id": 2}, {"id": "m"}]}', '{"a": [{"id": 3}, {"id": 2}, {"id": 4}]}');
-- the order of who changed it
SELECT merge('{"a": [{"id": 1}, {"id": 2}, {"id": 3}]}', '{"a": [{"id": 3}, {"id": 1}, {"id": 2}]}', '{"a": [{"id": 1}, {"id": "n"}, {"id": 2}, {"id": 3}]}');
SELECT merge('{"a": [{"id": 1}, {"id": 2}, {"id": 3}]}', '{"a": [{"id": 1}, {"id": "n"}, {"id": 2}, {"id": 3}]}', '{"a": [{"id": 3}, {"id": 1}, {"id": 2}]}');
-- without ids
SELECT merge('{"a": ["x", "y", "z"]}', '{"a": ["x", "Y", "z"]}', '{"a": ["x", "y", "z", "w"]}');
SELECT merge('{"a": ["x", "y", "z"]}', '{"a": ["n", "x", "y", "z"]}', '{"a": ["x", "z"]}');
SELECT merge('{"a": ["x"]}', '{"a": ["x", "y"]}', '{"a": ["x", "z"]}');
-- what both added without an id is two
SELECT merge('{"a": ["x"]}', '{"a": ["x", "y"]}', '{"a": ["x", "y"]}');
SELECT merge('{"a": [5, 5]}', '{"a": [5, 5, 5]}', '{"a": [5, 5, 5]}');
-- a second one with an id has none of its own
SELECT merge('{"a": [{"id": 1}]}', '{"a": [{"id": 1}, {"id": 1, "v": 2}]}', '{"a": [{"id": 1}, {"id": 1, "v": 2}]}');
-- slim, key by key; a nested part's container is one of them
SELECT merge('{"k": 1, "l": 1, "m": 1}', '{"k": 2, "l": 1, "m": 1, "n": 1}', '{"k": 1, "l": 1.0, "o": {"q": 1}}');
SELECT merge('{"p": {"b": [1], "c": 1}}', '{"p": {"b": [1, 2], "c": 1}}', '{"p": {"b": [1], "c": 2}}');
-- from nothing to something, and back
SELECT merge('{}', '{"a": [{"id": 1}]}', '{"n": 1}');
SELECT merge('{"a": []}', '{"a": [{"id": 1}]}', '{"a": [{"id": 2}]}');
SELECT merge('{"a": [{"id": 1}]}', '{"a": []}', '{"a": [{"id": 1}, {"id": 2}]}');
SELECT merge('{"a": [{"id": 1}]}', '{}', '{"a": [{"id": 1}], "n": 1}');
SELECT merge('[1]', '[2]', '[1]');
SELECT merge('[1]', '[1]', '{"a": [1]}');
-- conflicts
SELECT merge('{"a": [{"id": 1, "v": 1}]}', '{"a": [{"id": 1, "v": 2}]}', '{"a": [{"id": 1, "v": 3}]}');
SELECT merge('{"a": [{"id": 1, "v": 1}]}', '{"a": [{"id": 1, "v": 1.0}]}', '{"a": [{"id": 1, "v": 1.00}]}');
SELECT merge('{"a": [{"id": 1, "v": 1}]}', '{"a": []}', '{"a": [{"id": 1, "v": 3}]}');
SELECT merge('{"a": [{"id": 1, "v": 1}]}', '{"a": [{"id": 1, "v": 3}]}', '{"a": []}');
SELECT merge('{"a": []}', '{"a": [{"id": "n", "v": 1}]}', '{"a": [{"id": "n", "v": 2}]}');
SELECT merge('{"a": [{"id": 1}, {"id": 2}, {"id": 3}]}', '{"a": [{"id": 3}, {"id": 1}, {"id": 2}]}', '{"a": [{"id": 2}, {"id": 1}, {"id": 3}]}');
SELECT merge('{"k": 1, "l": 1, "m": 1}', '{"k": 2, "l": 1, "m": 2}', '{"k": 3, "l": 2}');
SELECT merge('{"a": [{"id": 1}]}', '{}', '{"a": [{"id": 1}, {"id": 2}]}');
SELECT merge('{"a": [{"id": 1}]}', '{"a": null}', '{"a": [{"id": 1}, {"id": 2}]}');
SELECT merge('{"p": {"b": [1], "c": 1}}', '{"p": {"b": [1], "c": 2}}', '{"p": {"b": [1], "c": 3}}');
SELECT merge('[1]', '[2]', '[3]');
-- the same change twice is none the less one of what the other side changed
SELECT merge('{"a": [{"id": 1, "v": 1}]}', '{"a": [{"id": 1, "v": 2}]}', '{"a": [{"id": 1, "v": 2}]}');
SELECT merge('{"a": [{"id": 1}, {"id": 2}]}', '{"a": [{"id": 1}]}', '{"a": [{"id": 1}]}');
SELECT merge('{"a": [5, 5]}', '{"a": [5]}', '{"a": [5]}');
SELECT merge('{"a": [{"id": 1}]}', '{"a": [{"id": 1}, {"id": "n"}]}', '{"a": [{"id": "n"}, {"id": 1}]}');
SELECT merge('{"a": [{"id": 1}, {"id": 2}, {"id": 3}]}', '{"a": [{"id": 3}, {"id": 1}, {"id": 2}]}', '{"a": [{"id": 3}, {"id": 1}, {"id": 2}]}');
SELECT merge('{"k": 1, "l": 1, "m": 1}', '{"k": 2, "m": 1, "n": 1}', '{"k": 2, "m": 1, "n": 1}');
SELECT merge('{}', '{"a": [{"id": 1}]}', '{"a": []}');
SELECT merge('[1]', '[2]', '[2]');
SELECT merge('{"n": 1}', 'null', 'null');
-- of very many the first thousand are told
SELECT jsonb_array_length(dbvc.document_merge(jsonb_build_object('a', many(1, 1500, 1)), '{"a": []}', '{"a": []}', '{"a": "x"}') -> 'conflicts');
SELECT merge('[1]', '{"a": [1]}', '[3]');

-- Documents that are stored in other ways: toasted, compressed, with a short header
CREATE TABLE stored (doc jsonb, parts jsonb);
ALTER TABLE stored ALTER doc SET STORAGE EXTERNAL;
INSERT INTO stored SELECT d, '{"a": "x"}' FROM (VALUES ('{"a": [1, {"id": 1}], "b": 1.5}'::jsonb), (jsonb_build_object('a', many(1, 200, 1), 'b', 1.5))) v (d);
ALTER TABLE stored ALTER doc SET STORAGE EXTENDED;
INSERT INTO stored SELECT jsonb_set(doc, '{b}', '2.5') FROM stored;
UPDATE stored SET parts = '{"a": "x"}';
CREATE TABLE stored_item AS SELECT ctid AS place, i.* FROM stored, dbvc.document_items(doc, parts) WITH ORDINALITY AS i (type, item_id, ord, data, n);
SELECT dbvc.document_same_bytes(doc, dbvc.document_combine(dbvc.document_slim(doc, parts), parts, types, items)) AS same, cardinality(items)
FROM stored s, (SELECT place, array_agg(type ORDER BY n) AS types, array_agg(data ORDER BY n) AS items FROM stored_item GROUP BY place) i
WHERE s.ctid = i.place ORDER BY s.ctid;

DROP TABLE sample, place, stored, stored_item;
DROP FUNCTION items_of, difference, many, merge;
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;
