# Random documents of every shape that jsonb has, made in the server: of pieces that are made of smaller pieces.
#
#   random_documents_setup(NODE, SEED)   schema fuzz with what follows; SEED makes them the same ones again
#
# In schema fuzz: pool (n, kind, v), values; key (n, k); id (n, v); element (n, v), elements of arrays, half of them objects
# with an id; list (n from 1 to 1500, v), arrays of 0 to 5000 elements; dice(LOW, HIGH), a number.
# fill(MANY) puts documents into doc (i, d, other), other being the next one's d. parts() is how they are to be split, path
# (type, keys) the same as a table, array_at(D, KEYS) the array that is to be split there, or null, emptied(D, KEYS) the
# document without it, own_id(ELEMENT) the id that an element has by the rules, null if one is to be generated.
package RandomDocuments;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(random_documents_setup);

sub random_documents_setup
{
	my ($node, $seed) = @_;

	$node->safe_psql('postgres', 'CREATE SCHEMA fuzz; ' . q{
SET search_path = fuzz;
SELECT setseed(} . ($seed % 1000) / 1000 . q{);

-- pool: values to choose from, by number
CREATE TABLE pool (n serial, kind text, v jsonb);

INSERT INTO pool (kind, v) SELECT 'leaf', v::jsonb FROM unnest(ARRAY['null', 'true', 'false', '""', '"a"', '"ab"', '"abc"', '"abcd"',
	'0', '-0', '0.0', '0.00', '1', '1.0', '1.00', '-1', '1e5', '1E-5', '1.5e300', '1e-300', '123456789012345678901234567890.0123456789',
	'99999999999999999999999999999999999999', '0.1', '10000', '9999', '-12345678.90', '"~1"', '"#1"', '"=x"', '"\u00e9"', '"\ud83d\ude00"',
	'"\u0001\u001f"', '"a\"b\\\\c/d"', '"null"', '"1"', '"{}"', '"[]"', '{}', '[]', '[[]]', '[{}]', '{"": {}}', '{"":""}', '[null]',
	'{"id": null}', '{"id": {}}', '{"id": "x", "a": [1, 2.0, {"b": "c"}]}']) v;
INSERT INTO pool (kind, v) SELECT 'leaf', to_jsonb(repeat(chr(97 + i % 26), i * i)) FROM generate_series(1, 13) i;
INSERT INTO pool (kind, v) SELECT 'leaf', to_jsonb(round((random() * 10 ^ (i % 20))::numeric, i % 7)) FROM generate_series(1, 60) i;
INSERT INTO pool (kind, v) SELECT 'leaf', to_jsonb(substr(md5(i::text), 1, i % 33)) FROM generate_series(1, 60) i;
INSERT INTO pool (kind, v) VALUES ('huge', to_jsonb(10::numeric ^ 1000)), ('huge', to_jsonb(10::numeric ^ 5000 + 0.5)),
	('huge', (repeat('[', 500) || '1.0' || repeat(']', 500))::jsonb), ('huge', (repeat('{"k":', 300) || '1.0' || repeat('}', 300))::jsonb),
	('huge', to_jsonb(repeat('long', 20000)));

CREATE TABLE key (n serial, k text);
INSERT INTO key (k) SELECT * FROM unnest(ARRAY['', 'a', 'b', 'c', 'ab', 'ba', 'id', 'ID', 'goals', 'dreams', 'profil', 'profilf', 'profile2',
	'a.b', '{a}', '0', '1', '-1', 'é', 'ü', '😀', E'\t', '"', '\', ' ', '~1', repeat('k', 255), repeat('k', 256), repeat('l', 3000)]);
INSERT INTO key (k) SELECT substr(md5(i::text), 1, 1 + i % 20) FROM generate_series(1, 500) i;

CREATE TABLE id (n serial, v jsonb);
INSERT INTO id (v) SELECT v::jsonb FROM unnest(ARRAY['"a"', '"b"', '"c"', '"d"', '"1"', '1', '1.0', '2', '-2', '1e30', '"#1"', '"~1"', '"~2"', '"="',
	'"=a"', '""', 'null', 'true', '{}', '[]', '{"id": 1}', '"\u00e9"', '" "']) v;
INSERT INTO id (v) VALUES (to_jsonb(repeat('x', 500))), (to_jsonb(repeat('x', 501))), (to_jsonb('~' || repeat('x', 499))),
	(to_jsonb('~' || repeat('x', 498))), (to_jsonb(repeat('9', 499)::numeric)), (to_jsonb(repeat('9', 500)::numeric));
INSERT INTO id (v) SELECT to_jsonb(i) FROM generate_series(10, 60) i;
INSERT INTO id (v) SELECT to_jsonb(md5(i::text)) FROM generate_series(1, 60) i;

CREATE FUNCTION dice(low int, high int) RETURNS int LANGUAGE sql VOLATILE RETURN low + floor(random() * (high - low + 1))::int;

-- objects and arrays of what is there already, deeper each time
CREATE FUNCTION grow(many int, most int) RETURNS void LANGUAGE sql VOLATILE AS $$
	INSERT INTO pool (kind, v)
	SELECT 'nested', jsonb_object_agg(k.k, p.v)
	FROM (SELECT o, dice(1, (SELECT max(n) FROM key)) AS kn, dice(1, (SELECT max(n) FROM pool)) AS pn
		FROM (SELECT o, dice(1, most) AS keys FROM generate_series(1, many) o OFFSET 0) o, generate_series(1, o.keys) OFFSET 0) c
	JOIN key k ON k.n = kn JOIN pool p ON p.n = pn WHERE p.kind <> 'huge' GROUP BY o;
	INSERT INTO pool (kind, v)
	SELECT 'nested', jsonb_agg(p.v)
	FROM (SELECT o, dice(1, (SELECT max(n) FROM pool)) AS pn
		FROM (SELECT o, dice(1, most) AS elements FROM generate_series(1, many) o OFFSET 0) o, generate_series(1, o.elements) OFFSET 0) c
	JOIN pool p ON p.n = pn WHERE p.kind <> 'huge' GROUP BY o;
$$;
SELECT grow(100, 6);
SELECT grow(100, 4);
SELECT grow(60, 3);
SELECT grow(4, 100);

-- elements: half of them are objects with an id
CREATE TABLE element (n serial, v jsonb);
INSERT INTO element (v)
SELECT CASE WHEN jsonb_typeof(p.v) = 'object' THEN p.v ELSE jsonb_build_object('v', p.v) END || jsonb_build_object('id', i.v)
FROM (SELECT dice(1, (SELECT max(n) FROM pool)) AS pn, dice(1, (SELECT max(n) FROM id)) AS idn FROM generate_series(1, 1500) OFFSET 0) c
JOIN pool p ON p.n = pn JOIN id i ON i.n = idn WHERE pg_column_size(p.v) < 150 OR random() < 0.02;
INSERT INTO element (v) SELECT v FROM pool WHERE pg_column_size(v) < 150 OR random() < 0.02;

-- arrays of 0, some and many elements
CREATE TABLE list (n serial, v jsonb);
INSERT INTO list (v)
SELECT COALESCE(jsonb_agg(e.v) FILTER (WHERE e.n IS NOT NULL), '[]')
FROM (SELECT l, dice(1, (SELECT max(n) FROM element)) AS en
	FROM (SELECT l, CASE WHEN l <= 10 THEN 0 WHEN l <= 1000 THEN dice(1, 4) WHEN l <= 1400 THEN dice(1, 12) WHEN l <= 1440 THEN 31 + l % 4
		WHEN l <= 1450 THEN 63 + l % 3 WHEN l <= 1459 THEN dice(100, 400) WHEN l = 1460 THEN 5000 ELSE dice(1, 3) END AS elements
		FROM generate_series(1, 1500) l OFFSET 0) l LEFT JOIN LATERAL generate_series(1, l.elements) ON true OFFSET 0) c
LEFT JOIN element e ON e.n = en AND l > 10 GROUP BY l;
ANALYZE;

-- what stands where a part may be: usually an array
CREATE FUNCTION place(value jsonb, list jsonb, dice float) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN CASE WHEN dice < 0.05 THEN 'null' WHEN dice < 0.15 THEN value WHEN dice < 0.25 THEN '[]' ELSE list END;

CREATE UNLOGGED TABLE doc (i int, d jsonb, other jsonb);
CREATE FUNCTION fill(many int) RETURNS void LANGUAGE sql VOLATILE AS $$
	INSERT INTO doc (i, d)
	SELECT i, CASE
		WHEN c.d < 0.02 THEN p1.v
		WHEN c.d < 0.05 THEN l1.v
		ELSE COALESCE(b.v, '{}')
			|| CASE WHEN random() < 0.15 THEN '{}' ELSE jsonb_build_object('dreams', place(p1.v, l1.v, random())) END
			|| CASE WHEN random() < 0.15 THEN '{}' ELSE jsonb_build_object('', place(p3.v, l4.v, random())) END
			|| CASE WHEN random() < 0.15 THEN '{}' WHEN random() < 0.05 THEN jsonb_build_object('profile', p1.v)
				ELSE jsonb_build_object('profile', CASE WHEN jsonb_typeof(p2.v) = 'object' THEN p2.v ELSE '{}' END
					|| CASE WHEN random() < 0.15 THEN '{}' ELSE jsonb_build_object('goals', place(p2.v, l2.v, random())) END
					|| CASE WHEN random() < 0.15 THEN '{}' ELSE jsonb_build_object('a.b', jsonb_build_object('c', place(p1.v, l3.v, random()), 'd', p3.v)) END)
				END
		END
	FROM (SELECT i, random() AS d, dice(1, (SELECT max(n) FROM pool)) AS n1, dice(1, (SELECT max(n) FROM pool)) AS n2, dice(1, (SELECT max(n) FROM pool)) AS n3,
			dice(1, 1500) AS m1, dice(1, 1500) AS m2, dice(1, 1500) AS m3, dice(1, 1500) AS m4
		FROM generate_series(1, many) i OFFSET 0) c
	JOIN pool p1 ON p1.n = n1 JOIN pool p2 ON p2.n = n2 JOIN pool p3 ON p3.n = n3
	JOIN list l1 ON l1.n = m1 JOIN list l2 ON l2.n = m2 JOIN list l3 ON l3.n = m3 JOIN list l4 ON l4.n = m4
	LEFT JOIN (SELECT o, jsonb_object_agg(k.k, p.v) AS v
		FROM (SELECT o, dice(1, (SELECT max(n) FROM key)) AS kn, dice(1, (SELECT max(n) FROM pool WHERE kind = 'leaf')) AS pn
			FROM (SELECT o, CASE WHEN random() < 0.9 THEN dice(0, 12) WHEN random() < 0.9 THEN dice(13, 70) ELSE 500 END AS keys
				FROM generate_series(1, many) o OFFSET 0) o, generate_series(1, o.keys) OFFSET 0) c
		JOIN key k ON k.n = kn JOIN pool p ON p.n = pn GROUP BY o) b ON b.o = i;
	UPDATE doc SET other = o.d FROM doc o WHERE o.i = doc.i % many + 1;
$$;

CREATE FUNCTION parts() RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN '{"dreams": "dream", "profile.goals": "goal", "{profile,a.b,c}": "deep", "{\"\"}": "none"}'::jsonb;
CREATE TABLE path (type text, keys text[]);
INSERT INTO path VALUES ('dream', '{dreams}'), ('goal', '{profile,goals}'), ('deep', '{profile,a.b,c}'), ('none', '{""}');

-- the array that is to be split at a path, or null
CREATE FUNCTION array_at(d jsonb, keys text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN CASE WHEN jsonb_typeof(d) = 'object' AND jsonb_typeof(d #> keys) = 'array' AND d #> keys <> '[]' THEN d #> keys END;
CREATE FUNCTION emptied(d jsonb, keys text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN CASE WHEN array_at(d, keys) IS NULL THEN d ELSE jsonb_set(d, keys, '[]') END;

-- the id that an element has by the rules; null if one is to be generated
CREATE FUNCTION own_id(e jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN octet_length(id) <= 500 THEN id END FROM (SELECT CASE jsonb_typeof(e -> 'id')
		WHEN 'number' THEN '#' || (e ->> 'id')
		WHEN 'string' THEN CASE WHEN e ->> 'id' ~ '^([#~=]|$)' THEN '=' ELSE '' END || (e ->> 'id') END AS id) i
	WHERE jsonb_typeof(e) = 'object'
$$;
});
	return;
}

1;
