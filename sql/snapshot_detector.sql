-- What is made from what has changed is what is made from nothing
CREATE EXTENSION dbvc;
SET client_min_messages = warning;
SET dbvc.snapshot_on_migrate = off;
\set VERBOSITY terse

-- SipHash-2-4: vectors of its authors, for the key 00 01 .. 0f and messages 00 01 .. of each length
CREATE FUNCTION siphash(key bytea, data bytea) RETURNS bytea AS '$libdir/dbvc', 'dbvc_siphash_check' LANGUAGE C STRICT;
SELECT n, siphash('\x000102030405060708090a0b0c0d0e0f',
		(SELECT coalesce(string_agg(decode(lpad(to_hex(i), 2, '0'), 'hex'), '' ORDER BY i), '') FROM generate_series(0, n - 1) i))
	= v AS right
FROM (VALUES (0, '\x310e0edd47db6f72'::bytea), (1, '\xfd67dc93c539f874'), (2, '\x5a4fa9d909806c0d'), (3, '\x2d7efbd796666785'),
	(4, '\xb7877127e09427cf'), (5, '\x8da699cd64557618'), (6, '\xcee3fe586e46c9cb'), (7, '\x37d1018bf50002ab'),
	(8, '\x6224939a79f5f593'), (15, '\xe545be4961ca29a1'), (63, '\x724506eb4c328a95')) t(n, v);
DROP FUNCTION siphash;

-- Each step is compared with the snapshot before it, and with the first one, which is put back in place
-- where what is known is kept.  Shown is what is wrong, and which steps make no difference.
CREATE ROLE regress_dbvc_one;
CREATE ROLE regress_dbvc_two;
CREATE SCHEMA notes;
CREATE TABLE notes.first_state (sums bytea, root bytea);
CREATE TABLE notes.last (fingerprint bytea);
INSERT INTO notes.last VALUES (NULL);
SELECT dbvc.snapshot_capture() IS NOT NULL AS captured;
INSERT INTO notes.first_state SELECT sums, root FROM dbvc.snapshot_state ORDER BY id DESC LIMIT 1;

CREATE PROCEDURE notes.compare(what text) LANGUAGE plpgsql AS $$
DECLARE
	whole bytea := dbvc.snapshot_fingerprint(NULL, true, true);
	before bytea := (SELECT fingerprint FROM notes.last);
	newest dbvc.snapshot_state;
	state bytea;
BEGIN
	IF dbvc.snapshot_fingerprint(NULL, true) <> whole THEN
		RAISE WARNING 'WRONG after %', what;
	END IF;
	-- from the first state
	SELECT * INTO newest FROM dbvc.snapshot_state ORDER BY id DESC LIMIT 1;
	UPDATE dbvc.snapshot_state s SET sums = f.sums, root = f.root FROM notes.first_state f WHERE s.id = newest.id;
	IF dbvc.snapshot_fingerprint(NULL, true) <> whole THEN
		RAISE WARNING 'WRONG from the first state after %', what;
	END IF;
	UPDATE dbvc.snapshot_state s SET sums = newest.sums, root = newest.root WHERE s.id = newest.id;
	IF whole = before THEN
		RAISE WARNING 'no difference: %', what;
	END IF;
	UPDATE notes.last SET fingerprint = whole;
	PERFORM dbvc.snapshot_capture();
	IF dbvc.snapshot_fingerprint(NULL, true) <> whole THEN
		RAISE WARNING 'WRONG after the snapshot of %', what;
	END IF;
END $$;

-- one statement
CREATE PROCEDURE notes.step(statement text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	CALL notes.compare(statement);
END $$;

CALL notes.compare('nothing');

-- a schema in which things hang on each other
CALL notes.step('CREATE SCHEMA d');
CALL notes.step($$CREATE TYPE d.mood AS ENUM ('sad', 'ok', 'happy')$$);
CALL notes.step($$CREATE DOMAIN d.amount AS numeric(10,2) DEFAULT 0 CHECK (VALUE >= 0)$$);
CALL notes.step('CREATE TYPE d.pair AS (left_side int, right_side d.mood)');
CALL notes.step('CREATE TYPE d.span AS RANGE (subtype = numeric, multirange_type_name = d.spans)');
CALL notes.step($$CREATE TABLE d.t (id int PRIMARY KEY, name text NOT NULL DEFAULT 'x', mood d.mood DEFAULT 'ok',
	cost d.amount, p d.pair, s d.span, moods d.mood[] DEFAULT '{sad}', extra d.spans)$$);
CALL notes.step('CREATE SEQUENCE d.seq OWNED BY d.t.id');
CALL notes.step($$ALTER TABLE d.t ALTER id SET DEFAULT nextval('d.seq')$$);
CALL notes.step('CREATE TABLE d.child (id int GENERATED ALWAYS AS IDENTITY, t_id int REFERENCES d.t, CHECK (t_id > 0))');
CALL notes.step('CREATE INDEX t_name ON d.t (lower(name)) WHERE cost > 1');
CALL notes.step('CREATE FUNCTION d.f(a int, b d.mood) RETURNS int LANGUAGE sql IMMUTABLE AS ''SELECT a''');
CALL notes.step('CREATE FUNCTION d.g(a int) RETURNS SETOF d.t LANGUAGE sql STABLE BEGIN ATOMIC SELECT * FROM d.t WHERE d.t.id = a; END');
CALL notes.step('CREATE VIEW d.v AS SELECT t.id, t.name, d.f(t.id, t.mood) AS f, (t.p).left_side FROM d.t JOIN d.child c ON c.t_id = t.id');
CALL notes.step('CREATE VIEW d.vv AS SELECT v.*, g.name AS other FROM d.v, d.g(v.id) g');
CALL notes.step('CREATE MATERIALIZED VIEW d.m AS SELECT * FROM d.vv WITH NO DATA');
CALL notes.step('CREATE FUNCTION d.trigger() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NEW; END''');
CALL notes.step('CREATE TRIGGER tr BEFORE UPDATE OF name ON d.t FOR EACH ROW WHEN (OLD.mood = ''ok'') EXECUTE FUNCTION d.trigger()');
CALL notes.step('CREATE POLICY pol ON d.t TO regress_dbvc_one USING (d.f(id, mood) > 0)');
CALL notes.step('CREATE RULE ru AS ON INSERT TO d.child DO ALSO UPDATE d.t SET name = ''y'' WHERE id = NEW.t_id');
CALL notes.step('CREATE STATISTICS d.st (dependencies) ON name, cost FROM d.t');
CALL notes.step('CREATE FUNCTION d.eq(d.mood, d.mood) RETURNS bool LANGUAGE sql IMMUTABLE AS ''SELECT $1::text = $2::text''');
CALL notes.step('CREATE OPERATOR d.=== (LEFTARG = d.mood, RIGHTARG = d.mood, FUNCTION = d.eq, COMMUTATOR = OPERATOR(d.===), NEGATOR = OPERATOR(d.!==))');
CALL notes.step('CREATE FUNCTION d.ne(d.mood, d.mood) RETURNS bool LANGUAGE sql IMMUTABLE AS ''SELECT $1::text <> $2::text''');
CALL notes.step('CREATE OPERATOR d.!== (LEFTARG = d.mood, RIGHTARG = d.mood, FUNCTION = d.ne, NEGATOR = OPERATOR(d.===))');
CALL notes.step('CREATE OPERATOR FAMILY d.fam USING hash');
CALL notes.step('CREATE OPERATOR CLASS d.cls FOR TYPE d.mood USING hash FAMILY d.fam AS OPERATOR 1 d.===, FUNCTION 1 hashenum(anyenum)');
CALL notes.step('ALTER OPERATOR FAMILY d.fam USING hash ADD FUNCTION 1 (d.pair, d.pair) hash_record(record)');
CALL notes.step('CREATE INDEX t_mood ON d.t USING hash (mood d.cls)');
CALL notes.step('CREATE FUNCTION d.pick(anyelement, int) RETURNS anyelement LANGUAGE sql IMMUTABLE AS ''SELECT $1''');
CALL notes.step('CREATE AGGREGATE d.agg(int) (SFUNC = d.pick, STYPE = d.mood)');
CALL notes.step('CREATE COLLATION d.coll FROM "C"');
CALL notes.step('CREATE TABLE d.sorted (a text COLLATE d.coll)');
CALL notes.step('CREATE TABLE d.parted (k d.mood, v int) PARTITION BY LIST (k)');
CALL notes.step('CREATE TABLE d.part_sad PARTITION OF d.parted FOR VALUES IN (''sad'')');
CALL notes.step('CREATE INDEX parted_v ON d.parted (v)');
CALL notes.step('CREATE TABLE d.heir (more int) INHERITS (d.t)');
CALL notes.step('CREATE TABLE d.typed OF d.pair');
CALL notes.step('CREATE TEXT SEARCH DICTIONARY d.dict (TEMPLATE = simple)');
CALL notes.step('CREATE TEXT SEARCH CONFIGURATION d.conf (COPY = simple)');
CALL notes.step('ALTER TEXT SEARCH CONFIGURATION d.conf ALTER MAPPING FOR word WITH d.dict');
CALL notes.step('CREATE TABLE d.texts (body text, v tsvector GENERATED ALWAYS AS (to_tsvector(''d.conf''::regconfig, body)) STORED)');
CALL notes.step('CREATE FOREIGN DATA WRAPPER dw');
CALL notes.step('CREATE SERVER ds FOREIGN DATA WRAPPER dw OPTIONS (host ''h'')');
CALL notes.step('CREATE USER MAPPING FOR regress_dbvc_one SERVER ds OPTIONS (user ''u'')');
CALL notes.step('CREATE FOREIGN TABLE d.ft (a int) SERVER ds');
SET client_min_messages = error;
CALL notes.step('CREATE PUBLICATION dpub FOR TABLE d.t (id, name) WHERE (name <> ''z'')');
SET client_min_messages = warning;
CALL notes.step('CREATE VIEW d.reg AS SELECT ''d.t''::regclass AS one, ''{d.t,d.child}''::regclass[] AS many, ''{d.mood}''::regtype[] AS types');
CALL notes.step('CREATE FUNCTION d.cast_it(d.amount) RETURNS d.mood LANGUAGE sql IMMUTABLE AS ''SELECT ''''ok''''::d.mood''');
CALL notes.step('CREATE FUNCTION d.cast_pair(d.pair) RETURNS d.mood LANGUAGE sql IMMUTABLE AS ''SELECT $1.right_side''');
CALL notes.step('CREATE CAST (d.pair AS d.mood) WITH FUNCTION d.cast_pair(d.pair)');

-- renames: of what others show
CALL notes.step('ALTER TABLE d.t RENAME TO t2');
CALL notes.step('ALTER TABLE d.t2 RENAME COLUMN name TO title');
CALL notes.step('ALTER TABLE d.t2 RENAME COLUMN id TO ident');
CALL notes.step('ALTER VIEW d.v RENAME TO v2');
CALL notes.step('ALTER VIEW d.v2 RENAME COLUMN f TO ff');
CALL notes.step('ALTER TYPE d.mood RENAME VALUE ''sad'' TO ''blue''');
CALL notes.step('ALTER TYPE d.mood ADD VALUE ''so so'' BEFORE ''happy''');
CALL notes.step('ALTER TYPE d.mood RENAME TO feeling');
CALL notes.step('ALTER TYPE d.pair RENAME ATTRIBUTE right_side TO rs CASCADE');
CALL notes.step('ALTER TYPE d.pair RENAME TO couple');
CALL notes.step('ALTER TYPE d.span RENAME TO distance');
CALL notes.step('ALTER TYPE d.spans RENAME TO distances');
CALL notes.step('ALTER DOMAIN d.amount RENAME TO sum_of_money');
CALL notes.step('ALTER DOMAIN d.sum_of_money RENAME CONSTRAINT amount_check TO positive');
CALL notes.step('ALTER FUNCTION d.f RENAME TO f2');
CALL notes.step('ALTER FUNCTION d.g(int) RENAME TO g2');
CALL notes.step('ALTER FUNCTION d.trigger() RENAME TO trigger2');
CALL notes.step('ALTER FUNCTION d.eq RENAME TO eq2');
CALL notes.step('ALTER SEQUENCE d.seq RENAME TO seq2');
CALL notes.step('ALTER SEQUENCE d.child_id_seq RENAME TO counter');
CALL notes.step('ALTER INDEX d.t_pkey RENAME TO t_key');
CALL notes.step('ALTER INDEX d.t_name RENAME TO t_title');
CALL notes.step('ALTER TABLE d.t2 RENAME CONSTRAINT t_key TO t_primary');
CALL notes.step('ALTER INDEX d.parted_v RENAME TO parted_w');
CALL notes.step('ALTER TRIGGER tr ON d.t2 RENAME TO tr2');
CALL notes.step('ALTER POLICY pol ON d.t2 RENAME TO pol2');
CALL notes.step('ALTER RULE ru ON d.child RENAME TO ru2');
CALL notes.step('ALTER STATISTICS d.st RENAME TO st2');
CALL notes.step('ALTER COLLATION d.coll RENAME TO coll2');
CALL notes.step('ALTER OPERATOR CLASS d.cls USING hash RENAME TO cls2');
CALL notes.step('ALTER OPERATOR FAMILY d.fam USING hash RENAME TO fam2');
CALL notes.step('ALTER TEXT SEARCH DICTIONARY d.dict RENAME TO dict2');
CALL notes.step('ALTER TEXT SEARCH CONFIGURATION d.conf RENAME TO conf2');
CALL notes.step('ALTER SERVER ds RENAME TO ds2');
CALL notes.step('ALTER FOREIGN DATA WRAPPER dw RENAME TO dw2');
CALL notes.step('ALTER PUBLICATION dpub RENAME TO dpub2');
CALL notes.step('ALTER TABLE d.parted RENAME TO partitioned');
CALL notes.step('ALTER AGGREGATE d.agg(int) RENAME TO agg2');
CALL notes.step('ALTER MATERIALIZED VIEW d.m RENAME TO m2');
CALL notes.step('ALTER ROLE regress_dbvc_one RENAME TO regress_dbvc_three');
CALL notes.step('ALTER SCHEMA d RENAME TO e');
CALL notes.step('CREATE SCHEMA d2');
CALL notes.step('ALTER OPERATOR e.=== (e.feeling, e.feeling) SET SCHEMA d2');
CALL notes.step('ALTER TABLE e.t2 SET SCHEMA d2');
CALL notes.step('ALTER TYPE e.feeling SET SCHEMA d2');
CALL notes.step('ALTER FUNCTION e.f2 SET SCHEMA d2');

-- the same name for something else
CALL notes.step('ALTER TABLE e.child RENAME TO was_child');
CALL notes.step('CREATE TABLE e.child (id int)');
CALL notes.step('ALTER TABLE e.child RENAME TO c0; ALTER TABLE e.was_child RENAME TO child; ALTER TABLE e.c0 RENAME TO was_child');

-- owners, privileges, comments, labels of roles
CALL notes.step('ALTER TABLE d2.t2 OWNER TO regress_dbvc_two');
CALL notes.step('GRANT SELECT ON d2.t2 TO regress_dbvc_three');
CALL notes.step('GRANT UPDATE (title) ON d2.t2 TO regress_dbvc_three WITH GRANT OPTION');
CALL notes.step('ALTER DEFAULT PRIVILEGES IN SCHEMA e GRANT SELECT ON TABLES TO regress_dbvc_three');
CALL notes.step('ALTER ROLE regress_dbvc_three RENAME TO regress_dbvc_one');
CALL notes.step('COMMENT ON COLUMN d2.t2.title IS ''what it is called''');
CALL notes.step('COMMENT ON INDEX d2.t_title IS ''an index''');

-- alterations, of parts above all
CALL notes.step('ALTER TABLE d2.t2 ADD COLUMN later timestamptz DEFAULT now()');
CALL notes.step('ALTER TABLE d2.t2 ALTER later SET DEFAULT ''2001-02-03''');
CALL notes.step('ALTER TABLE d2.t2 ALTER title SET STATISTICS 7');
CALL notes.step('ALTER TABLE d2.t2 ALTER title SET STORAGE external');
CALL notes.step('ALTER TABLE d2.t2 ALTER later SET NOT NULL');
CALL notes.step('ALTER TABLE d2.t2 ALTER later DROP NOT NULL');
CALL notes.step('ALTER TABLE d2.t2 DROP COLUMN later');
CALL notes.step('ALTER TABLE d2.t2 SET (fillfactor = 70, toast.autovacuum_enabled = off)');
CALL notes.step('ALTER TABLE d2.t2 REPLICA IDENTITY USING INDEX t_primary');
CALL notes.step('ALTER INDEX d2.t_primary RENAME TO t_again');
CALL notes.step('ALTER TABLE d2.t2 CLUSTER ON t_again');
CALL notes.step('ALTER INDEX d2.t_title SET (fillfactor = 60)');
CALL notes.step('ALTER INDEX d2.t_again SET (fillfactor = 60)');
CALL notes.step('ALTER INDEX d2.t_title ALTER COLUMN 1 SET STATISTICS 9');
CALL notes.step('ALTER TABLE d2.t2 DISABLE TRIGGER tr2');
CALL notes.step('ALTER TABLE d2.t2 ENABLE ROW LEVEL SECURITY');
CALL notes.step('ALTER TABLE e.child ALTER id SET GENERATED BY DEFAULT SET START 5');
CALL notes.step('ALTER TABLE e.child ALTER id DROP IDENTITY');
CALL notes.step('ALTER SEQUENCE d2.seq2 OWNED BY NONE');
CALL notes.step('ALTER SEQUENCE d2.seq2 INCREMENT 3');
CALL notes.step('ALTER TABLE e.partitioned DETACH PARTITION e.part_sad');
CALL notes.step('ALTER TABLE e.partitioned ATTACH PARTITION e.part_sad DEFAULT');
CALL notes.step('ALTER TABLE e.heir NO INHERIT d2.t2');
CALL notes.step('ALTER TABLE e.typed NOT OF');
CALL notes.step('ALTER TYPE e.couple ADD ATTRIBUTE third text CASCADE');
CALL notes.step('ALTER DOMAIN e.sum_of_money ADD CONSTRAINT small CHECK (VALUE < 1000) NOT VALID');
CALL notes.step('ALTER DOMAIN e.sum_of_money VALIDATE CONSTRAINT small');
CALL notes.step('ALTER DOMAIN e.sum_of_money SET NOT NULL');
CALL notes.step('CREATE OR REPLACE VIEW e.vv AS SELECT v2.id, v2.name, v2.ff AS f, v2.left_side, g.title AS other, 1 AS one FROM e.v2, e.g2(v2.id) g');
CALL notes.step('CREATE OR REPLACE FUNCTION d2.f2(a int, b d2.feeling) RETURNS int LANGUAGE sql IMMUTABLE AS ''SELECT 1''');
CALL notes.step('ALTER PUBLICATION dpub2 DROP TABLE d2.t2');
SET client_min_messages = error;
CALL notes.step('CREATE PUBLICATION dpub3 FOR TABLES IN SCHEMA e');
SET client_min_messages = warning;
CALL notes.step('ALTER PUBLICATION dpub3 SET (publish = ''insert'')');
CALL notes.step('DROP PUBLICATION dpub3');
CALL notes.step('ALTER TABLE d2.t2 ADD EXCLUDE USING btree (ident WITH =)');
CALL notes.step('CREATE OPERATOR CLASS e.other DEFAULT FOR TYPE d2.feeling USING hash AS OPERATOR 1 d2.===, FUNCTION 1 hashenum(anyenum)');
CALL notes.step('DROP OPERATOR CLASS e.other USING hash');
CALL notes.step('COMMENT ON TYPE e.couple IS ''a comment on what is one with its relation''');
CALL notes.step('COMMENT ON TYPE e.distances IS ''a multirange''');
CALL notes.step('COMMENT ON CONSTRAINT t_again ON d2.t2 IS ''a constraint''');
CALL notes.step('ALTER DATABASE contrib_regression SET work_mem = ''3MB''');
CALL notes.step('ALTER ROLE regress_dbvc_one SET work_mem = ''1MB''');
CALL notes.step('ALTER ROLE regress_dbvc_one IN DATABASE contrib_regression SET work_mem = ''2MB''');
CALL notes.step('ALTER ROLE regress_dbvc_one IN DATABASE contrib_regression RESET ALL');
CALL notes.step('ALTER ROLE regress_dbvc_one RESET ALL');
CALL notes.step('ALTER DATABASE contrib_regression RESET ALL');

-- extensions: members, and what belongs to members
CALL notes.step('CREATE EXTENSION hstore SCHEMA e');
CALL notes.step('CREATE TABLE e.hs (h e.hstore DEFAULT ''a=>1'')');
CALL notes.step('CREATE FUNCTION e.hf(int) RETURNS int LANGUAGE sql AS ''SELECT 1''');
CALL notes.step('ALTER EXTENSION hstore ADD TABLE e.hs');
CALL notes.step('ALTER EXTENSION hstore DROP TABLE e.hs');
CALL notes.step('ALTER FUNCTION e.hf DEPENDS ON EXTENSION hstore');
CALL notes.step('ALTER EXTENSION hstore SET SCHEMA d2');
CALL notes.step('CREATE INDEX hs_h ON e.hs USING gin (h)');
CALL notes.step('ALTER EXTENSION hstore ADD TABLE e.hs');
CALL notes.step('ALTER EXTENSION hstore DROP TABLE e.hs');
CALL notes.step('DROP EXTENSION hstore CASCADE');

-- event triggers, settings of functions, transforms, languages
CALL notes.step('CREATE FUNCTION e.et() RETURNS event_trigger LANGUAGE plpgsql AS ''BEGIN END''');
CALL notes.step('CREATE EVENT TRIGGER regress_dbvc_et ON sql_drop EXECUTE FUNCTION e.et()');
CALL notes.step('ALTER FUNCTION e.et() RENAME TO et2');
CALL notes.step('ALTER EVENT TRIGGER regress_dbvc_et DISABLE');
CALL notes.step('DROP EVENT TRIGGER regress_dbvc_et');
CALL notes.step('ALTER LANGUAGE plpgsql RENAME TO regress_plpgsql');
ALTER LANGUAGE regress_plpgsql RENAME TO plpgsql;
CALL notes.compare('language renamed back');

-- nothing that counts
\echo -- from here on: no difference
VACUUM FULL pg_catalog.pg_class;
VACUUM FULL pg_catalog.pg_attribute;
VACUUM FULL pg_catalog.pg_rewrite;
VACUUM FULL pg_catalog.pg_proc;
VACUUM (FREEZE) pg_catalog.pg_class, pg_catalog.pg_type, pg_catalog.pg_depend;
CALL notes.compare('VACUUM of catalogs');
VACUUM FULL d2.t2;
VACUUM (FREEZE, ANALYZE) d2.t2;
CLUSTER d2.t2;
REINDEX TABLE d2.t2;
TRUNCATE e.child;
REFRESH MATERIALIZED VIEW e.m2;
CALL notes.compare('VACUUM, CLUSTER, REINDEX, TRUNCATE of tables');
BEGIN;
ALTER TABLE d2.t2 RENAME TO gone;
DROP TABLE e.child CASCADE;
SAVEPOINT s;
CREATE TABLE e.never (a int);
ROLLBACK TO s;
ROLLBACK;
CALL notes.compare('what was rolled back');
ALTER TABLE d2.t2 RENAME TO there;
ALTER TABLE d2.there RENAME TO t2;
CALL notes.compare('there and back');
CREATE TEMP TABLE temporary (a int PRIMARY KEY, b text DEFAULT 'x');
CREATE TEMP VIEW temporary_view AS SELECT * FROM temporary, d2.t2;
CREATE INDEX ON temporary (b);
COMMENT ON TABLE temporary IS 'not for long';
CALL notes.compare('temporary objects');
SET search_path = d2, e, pg_catalog;
SET DateStyle = 'German';
SET quote_all_identifiers = on;
CALL notes.compare('settings');
RESET search_path;
RESET DateStyle;
RESET quote_all_identifiers;

-- something that hangs on something temporary
\echo -- and differences again
CALL notes.step('CREATE FUNCTION e.of_temporary() RETURNS SETOF temporary LANGUAGE sql AS ''SELECT NULL::int, NULL::text''');
CALL notes.step('ALTER TABLE temporary RENAME TO temporary2');
CALL notes.step('DROP TABLE temporary2 CASCADE');

-- in the transaction that does it, in each isolation level, and after it was rolled back
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) > 0 AS snapshot_is_set FROM pg_class;
CALL notes.step('ALTER TABLE d2.t2 RENAME TO inside');
SAVEPOINT s;
CALL notes.step('DROP VIEW e.vv CASCADE');
CALL notes.step('ALTER TABLE d2.inside RENAME COLUMN title TO heading');
ROLLBACK TO s;
CALL notes.compare('rolled back to the savepoint');
CALL notes.step('ALTER TABLE d2.inside RENAME COLUMN title TO caption');
ROLLBACK;
\echo -- no difference
CALL notes.compare('rolled back');

-- catalogs written by hand
\echo -- and differences again
SET allow_system_table_mods = on;
CALL notes.step($$UPDATE pg_class SET relname = 't3' WHERE oid = 'd2.t2'::regclass$$);
CALL notes.step($$UPDATE pg_attribute SET attname = 'head' WHERE attrelid = 'd2.t3'::regclass AND attname = 'title'$$);
CALL notes.step($$UPDATE pg_enum SET enumlabel = 'dark' WHERE enumlabel = 'blue'$$);
CALL notes.step($$UPDATE pg_proc SET procost = 77, proname = 'f3' WHERE oid = 'd2.f2'::regproc$$);
CALL notes.step($$UPDATE pg_type SET typname = 'sense' WHERE oid = 'd2.feeling'::regtype$$);
CALL notes.step($$UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'd2.t_title'::regclass$$);
CALL notes.step($$UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'd2.t_title'::regclass$$);
CALL notes.step($$UPDATE pg_operator SET oprname = '&&&' WHERE oid = 'd2.===(d2.sense,d2.sense)'::regoperator$$);
CALL notes.step($$UPDATE pg_trigger SET tgenabled = 'A' WHERE tgname = 'tr2'$$);
CALL notes.step($$UPDATE pg_constraint SET conname = 'checked' WHERE conname = 'child_t_id_check'$$);
CALL notes.step($$UPDATE pg_sequence SET seqcache = 4 WHERE seqrelid = 'd2.seq2'::regclass$$);
CALL notes.step($$DELETE FROM pg_description WHERE objoid = 'd2.t_title'::regclass$$);
CALL notes.step($$UPDATE pg_namespace SET nspname = 'e2' WHERE nspname = 'e'$$);
CALL notes.step($$UPDATE pg_namespace SET nspname = 'e' WHERE nspname = 'e2'$$);
CALL notes.step($$UPDATE pg_authid SET rolname = 'regress_dbvc_four' WHERE rolname = 'regress_dbvc_one'$$);
CALL notes.step($$UPDATE pg_authid SET rolname = 'regress_dbvc_one' WHERE rolname = 'regress_dbvc_four'$$);
BEGIN;
CALL notes.step($$DELETE FROM pg_trigger WHERE tgname = 'tr2'$$);
CALL notes.step($$DELETE FROM pg_policy WHERE polname = 'pol2'$$);
CALL notes.step($$DELETE FROM pg_attrdef WHERE adrelid = 'd2.t3'::regclass AND adnum = 2; UPDATE pg_attribute SET atthasdef = false WHERE attrelid = 'd2.t3'::regclass AND attnum = 2$$);
CALL notes.step($$UPDATE pg_proc SET proname = 'lowercase' WHERE oid = 'pg_catalog.lower(text)'::regprocedure$$);
ROLLBACK;
\echo -- no difference
CALL notes.compare('rolled back');
RESET allow_system_table_mods;

-- dropping
\echo -- and differences again
CALL notes.step('DROP VIEW e.vv CASCADE');
CALL notes.step('DROP TRIGGER tr2 ON d2.t3');
CALL notes.step('DROP POLICY pol2 ON d2.t3');
CALL notes.step('DROP RULE ru2 ON e.child');
CALL notes.step('DROP INDEX d2.t_title');
CALL notes.step('DROP STATISTICS e.st2');
CALL notes.step('DROP TYPE d2.sense CASCADE');
CALL notes.step('DROP TABLE d2.t3 CASCADE');
CALL notes.step('DROP PUBLICATION dpub2');
CALL notes.step('DROP OWNED BY regress_dbvc_one');
CALL notes.step('DROP SCHEMA e CASCADE');
CALL notes.step('DROP FOREIGN DATA WRAPPER dw2 CASCADE');
CALL notes.step('DROP SCHEMA d2 CASCADE');
\echo -- no difference
DROP ROLE regress_dbvc_one, regress_dbvc_two;
CALL notes.compare('roles dropped');

-- what is kept is not believed when it is not of this database, or damaged
UPDATE dbvc.snapshot_state SET sums = overlay(sums placing '\xff'::bytea from 300);
CALL notes.compare('damaged');
DELETE FROM dbvc.snapshot_state;
CALL notes.compare('gone');
DROP SCHEMA notes CASCADE;
DROP EXTENSION dbvc;
