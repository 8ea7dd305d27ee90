--
-- dbvc.migration_checksum() against a recomputation in plain SQL
--
CREATE EXTENSION dbvc;

-- the documented bytes: a magic, then every part as length (32 bits, big-endian) and UTF-8; NULL is 0xFFFFFFFF
CREATE FUNCTION part(t text) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$SELECT CASE WHEN t IS NULL THEN '\xffffffff'::bytea ELSE int4send(length(convert_to(t, 'UTF8'))) || convert_to(t, 'UTF8') END$$;
CREATE FUNCTION script(t text) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$SELECT part(replace(CASE WHEN left(t, 1) = U&'\FEFF' THEN substr(t, 2) ELSE t END, E'\r\n', E'\n'))$$;
CREATE FUNCTION oracle(up text, down text, verify text, kind text, transactional boolean, requires text[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$SELECT sha256('dbvc-migration-v1'::bytea || '\x00' || script(up) || script(down) || script(verify) || part(kind) || part(transactional::text)
	|| int4send((SELECT count(DISTINCT r) FROM unnest(requires) r)::int)
	|| COALESCE((SELECT string_agg(part(r), ''::bytea ORDER BY r COLLATE "C") FROM (SELECT DISTINCT r FROM unnest(requires) r) d), ''::bytea))$$;

CREATE TABLE content (n int, up text, down text, verify text, kind text, transactional boolean, requires text[]);
INSERT INTO content VALUES
	(1, 'SELECT 1', NULL, NULL, 'versioned', NULL, '{}'),
	(2, '', NULL, NULL, 'versioned', NULL, '{}'),
	(3, '', '', NULL, 'versioned', NULL, '{}'),
	(4, '', NULL, '', 'versioned', NULL, '{}'),
	(5, 'SELECT 1', 'SELECT 2', 'SELECT 3', 'repeatable', true, '{a}'),
	(6, 'SELECT 1', 'SELECT 2', 'SELECT 3', 'baseline', false, '{b,a,Z,a,10,9}'),
	(7, E'a\r\nb\r\nc\rd\n\re\r', E'\r\n', E'\r\r\n', 'versioned', NULL, '{}'),
	(8, U&'\FEFFa\000Db', U&'\FEFF\FEFF', U&'x\FEFF', 'versioned', NULL, '{}'),
	(9, U&'\00E4\20AC\+01F600', U&'\00E4', NULL, 'versioned', NULL, '{}'),
	(10, repeat(E'INSERT INTO t VALUES (1);\r\n', 100000), NULL, NULL, 'versioned', NULL, '{}'),
	(11, 'SELECT 1', 'SELECT 2', NULL, 'versioned', NULL, NULL),
	(12, 'ab', 'c', NULL, 'versioned', NULL, '{}'),
	(13, 'a', 'bc', NULL, 'versioned', NULL, '{}');
SELECT n, dbvc.migration_checksum(up, down, verify, kind, transactional, requires) = oracle(up, down, verify, kind, transactional, requires) AS equal,
	left(encode(dbvc.migration_checksum(up, down, verify, kind, transactional, requires), 'hex'), 16) AS checksum
FROM content ORDER BY n;
-- what is different stays different
SELECT count(*), count(DISTINCT dbvc.migration_checksum(up, down, verify, kind, transactional, requires)) FROM content WHERE n <= 10 OR n > 11;

-- a published value: anybody may recompute it
SELECT encode(dbvc.migration_checksum(E'CREATE TABLE a (id int);\r\n', 'DROP TABLE a;', requires => '{x}'), 'hex');
SELECT encode(dbvc.migration_checksum(E'CREATE TABLE a (id int);\n', 'DROP TABLE a;', requires => '{x,x}'), 'hex');

-- the registered one is the same
SELECT DISTINCT m.checksum = dbvc.migration_checksum(c.up, c.down, c.verify, c.kind, c.transactional, c.requires) AS equal
FROM content c, dbvc.migration_register('c' || c.n, c.up, c.down, c.verify, kind => c.kind, requires => c.requires) m WHERE c.transactional IS NULL;
SELECT DISTINCT s.checksum = encode(m.checksum, 'hex') AS status_says_the_same FROM dbvc.migration_status s JOIN dbvc.migration m USING (id);

-- defaults, and what must not be null
SELECT dbvc.migration_checksum('x') = oracle('x', NULL, NULL, 'versioned', NULL, '{}') AS defaults;
SELECT dbvc.migration_checksum(NULL);
SELECT dbvc.migration_checksum('x', kind => NULL);
SELECT dbvc.migration_checksum('x', kind => 'other');
SELECT dbvc.migration_checksum('x', requires => '{NULL}');

DROP TABLE content;
DROP FUNCTION oracle(text, text, text, text, boolean, text[]), script(text), part(text);
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
