--
-- Every kind of DDL by itself: what the diff against the snapshot before says of it.
--
CREATE EXTENSION dbvc;
SET client_min_messages = error;
CREATE ROLE regress_dbvc_ddl SUPERUSER;
CREATE ROLE regress_dbvc_other;
SET SESSION AUTHORIZATION regress_dbvc_ddl;
CREATE SCHEMA ddl;
CREATE SCHEMA ddl_other;
SET search_path = ddl;
CREATE TABLE base (id int PRIMARY KEY, name text DEFAULT 'x', n numeric(10, 2), gone int, at date NOT NULL) WITH (fillfactor = 70);
ALTER TABLE base DROP gone;
CREATE TABLE item (id int, base_id int CONSTRAINT item_fk REFERENCES base, kind varchar(10), CONSTRAINT item_kind CHECK (kind IN ('a', 'b')), CONSTRAINT item_key UNIQUE (id));
CREATE INDEX item_base ON item (base_id);
CREATE TABLE parent (a int, b text);
CREATE TABLE child (c int) INHERITS (parent);
CREATE TABLE apart (a int, b text);
CREATE TABLE parted (at date, v int) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE parted_2 (at date, v int);
CREATE VIEW seen AS SELECT id, name FROM base;
CREATE VIEW seen_twice AS SELECT id FROM seen;
CREATE MATERIALIZED VIEW stored AS SELECT id FROM base;
CREATE SEQUENCE counter;
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION uses_row(b base) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE p() LANGUAGE sql AS '';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
CREATE FUNCTION t_f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t_tr BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION t_f();
CREATE RULE r AS ON DELETE TO item DO ALSO NOTHING;
CREATE POLICY pol ON item USING (id > 0);
CREATE STATISTICS stat (dependencies) ON id, base_id FROM item;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE span AS RANGE (SUBTYPE = int);
CREATE DOMAIN positive AS int CONSTRAINT over_zero CHECK (VALUE > 0);
CREATE COLLATION coll (locale = 'C');
CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE FUNCTION eq(mood, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1::text = $2';
CREATE OPERATOR == (LEFTARG = mood, RIGHTARG = text, FUNCTION = eq);
CREATE OPERATOR FAMILY fam USING btree;
CREATE CAST (mood AS int) WITH INOUT;
CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION conf (PARSER = default);
CREATE FOREIGN DATA WRAPPER dummy;
CREATE SERVER srv FOREIGN DATA WRAPPER dummy OPTIONS (host 'a');
CREATE USER MAPPING FOR regress_dbvc_other SERVER srv OPTIONS (password 'secret');
CREATE FOREIGN TABLE far (a int) SERVER srv;
CREATE PUBLICATION pub FOR TABLE item WITH (publish = 'insert');
CREATE FUNCTION e_f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER ev ON sql_drop EXECUTE FUNCTION e_f();
ALTER DEFAULT PRIVILEGES IN SCHEMA ddl_other GRANT SELECT ON TABLES TO regress_dbvc_other;
CREATE DOMAIN plain AS text;
SELECT dbvc.snapshot_capture('before') AS first \gset
\pset tuples_only
\pset format unaligned
-- privileges and the names of columns in views are written otherwise by some majors
\set changes 'SELECT change, object_type, replace(identity, '' on language '', '' language ''), attribute, regexp_replace(replace(before::text, ''arwdDxtm'', ''arwdDxt''), ''(?<![.])\\m(base|item|seen)\\.'', '''', ''g''), regexp_replace(replace(after::text, ''arwdDxtm'', ''arwdDxt''), ''(?<![.])\\m(base|item|seen)\\.'', '''', ''g'') FROM dbvc.snapshot_diff(:''first''); ROLLBACK'

-- nothing
BEGIN; :changes;

-- schemas
BEGIN; CREATE SCHEMA one_more; :changes;
BEGIN; DROP SCHEMA ddl_other; :changes;
BEGIN; ALTER SCHEMA ddl_other RENAME TO another; :changes;
BEGIN; ALTER SCHEMA ddl RENAME TO another; :changes;
BEGIN; ALTER SCHEMA ddl_other OWNER TO regress_dbvc_other; :changes;
BEGIN; GRANT USAGE ON SCHEMA ddl_other TO regress_dbvc_other; :changes;
BEGIN; COMMENT ON SCHEMA ddl_other IS 'it''s'; :changes;

-- tables
BEGIN; CREATE TABLE one_more (id int PRIMARY KEY, ref int REFERENCES base, CHECK (id > 0)); :changes;
BEGIN; CREATE TABLE one_more (LIKE apart); :changes;
BEGIN; CREATE TABLE one_more AS SELECT 1 AS x; :changes;
BEGIN; CREATE TEMP TABLE one_more (id int); :changes;
BEGIN; DROP TABLE apart; :changes;
BEGIN; DROP TABLE item; :changes;
BEGIN; ALTER TABLE apart RENAME TO renamed; :changes;
BEGIN; ALTER TABLE base RENAME TO renamed; :changes;
BEGIN; ALTER TABLE item RENAME TO renamed; :changes;
BEGIN; ALTER TABLE apart SET SCHEMA ddl_other; :changes;
BEGIN; ALTER TABLE apart OWNER TO regress_dbvc_other; :changes;
BEGIN; GRANT SELECT, UPDATE ON apart TO regress_dbvc_other WITH GRANT OPTION; :changes;
BEGIN; REVOKE ALL ON apart FROM CURRENT_USER; :changes;
BEGIN; GRANT ALL ON apart TO CURRENT_USER; :changes;
BEGIN; COMMENT ON TABLE apart IS 'words'; :changes;
BEGIN; ALTER TABLE base SET (fillfactor = 80, autovacuum_enabled = false); :changes;
BEGIN; ALTER TABLE base RESET (fillfactor); :changes;
BEGIN; ALTER TABLE base SET (fillfactor = 70); :changes;
BEGIN; ALTER TABLE apart SET (toast.autovacuum_enabled = false); :changes;
BEGIN; ALTER TABLE apart SET UNLOGGED; :changes;
BEGIN; ALTER TABLE apart ENABLE ROW LEVEL SECURITY; :changes;
BEGIN; ALTER TABLE apart FORCE ROW LEVEL SECURITY; :changes;
BEGIN; ALTER TABLE apart REPLICA IDENTITY FULL; :changes;
BEGIN; ALTER TABLE base CLUSTER ON base_pkey; :changes;
BEGIN; ALTER TABLE child NO INHERIT parent; :changes;
BEGIN; ALTER TABLE apart INHERIT parent; :changes;
BEGIN; ALTER TABLE parted ATTACH PARTITION parted_2 DEFAULT; :changes;
BEGIN; ALTER TABLE parted DETACH PARTITION parted_1; :changes;
BEGIN; CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01'); :changes;
BEGIN; DROP TABLE parted_1; :changes;
BEGIN; CREATE TYPE row_of AS (a int, b text); ALTER TABLE apart OF row_of; :changes;

-- columns
BEGIN; ALTER TABLE apart ADD c int DEFAULT 3 NOT NULL; :changes;
BEGIN; ALTER TABLE parent ADD z int; :changes;
BEGIN; ALTER TABLE parted ADD z int; :changes;
BEGIN; ALTER TABLE apart DROP a; :changes;
BEGIN; ALTER TABLE apart DROP a; ALTER TABLE apart ADD a int; :changes;
BEGIN; ALTER TABLE apart RENAME a TO renamed; :changes;
BEGIN; ALTER TABLE base RENAME name TO renamed; :changes;
BEGIN; ALTER TABLE apart ALTER a TYPE bigint; :changes;
BEGIN; ALTER TABLE item ALTER kind TYPE varchar(20); :changes;
BEGIN; ALTER TABLE apart ALTER b TYPE text COLLATE "POSIX"; :changes;
BEGIN; ALTER TABLE apart ALTER a SET DEFAULT 5; :changes;
BEGIN; ALTER TABLE base ALTER name DROP DEFAULT; :changes;
BEGIN; ALTER TABLE apart ALTER a SET NOT NULL; :changes;
BEGIN; ALTER TABLE base ALTER at DROP NOT NULL; :changes;
BEGIN; ALTER TABLE apart ALTER a SET NOT NULL, ALTER a ADD GENERATED ALWAYS AS IDENTITY; :changes;
BEGIN; ALTER TABLE apart ADD c int GENERATED ALWAYS AS (a * 2) STORED; :changes;
BEGIN; ALTER TABLE apart ALTER b SET STORAGE EXTERNAL; :changes;
BEGIN; ALTER TABLE apart ALTER b SET COMPRESSION pglz; :changes;
BEGIN; ALTER TABLE apart ALTER b SET STATISTICS 77; :changes;
BEGIN; ALTER TABLE apart ALTER b SET (n_distinct = 5); :changes;
BEGIN; GRANT SELECT (a) ON apart TO regress_dbvc_other; :changes;
BEGIN; COMMENT ON COLUMN apart.a IS 'words'; :changes;
BEGIN; ALTER TABLE apart ADD s serial; :changes;

-- constraints
BEGIN; ALTER TABLE apart ADD CONSTRAINT c CHECK (a IN (1, 2)); :changes;
BEGIN; ALTER TABLE apart ADD CONSTRAINT c CHECK (a > 1) NOT VALID; :changes;
BEGIN; ALTER TABLE apart ADD CONSTRAINT c CHECK (a > 1) NOT VALID; ALTER TABLE apart VALIDATE CONSTRAINT c; :changes;
BEGIN; ALTER TABLE apart ADD CONSTRAINT c PRIMARY KEY (a) INCLUDE (b); :changes;
BEGIN; ALTER TABLE apart ADD CONSTRAINT c UNIQUE NULLS NOT DISTINCT (a, b) DEFERRABLE; :changes;
BEGIN; ALTER TABLE apart ADD CONSTRAINT c EXCLUDE (a WITH =) WHERE (a > 0); :changes;
BEGIN; ALTER TABLE apart ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES base ON DELETE CASCADE ON UPDATE SET NULL; :changes;
BEGIN; ALTER TABLE item ALTER CONSTRAINT item_fk DEFERRABLE INITIALLY DEFERRED; :changes;
BEGIN; ALTER TABLE item DROP CONSTRAINT item_kind; :changes;
BEGIN; ALTER TABLE item DROP CONSTRAINT item_kind, ADD CONSTRAINT item_kind CHECK (kind IN ('a', 'b', 'c')); :changes;
BEGIN; ALTER TABLE item DROP CONSTRAINT item_kind, ADD CONSTRAINT item_kind CHECK (kind IN ('a', 'b')); :changes;
BEGIN; ALTER TABLE item RENAME CONSTRAINT item_kind TO renamed; :changes;
BEGIN; ALTER TABLE item RENAME CONSTRAINT item_key TO renamed; :changes;
BEGIN; COMMENT ON CONSTRAINT item_kind ON item IS 'words'; :changes;
BEGIN; ALTER INDEX item_key SET (fillfactor = 50); :changes;

-- indexes, statistics
BEGIN; CREATE UNIQUE INDEX one_more ON item (lower(kind) DESC NULLS LAST) INCLUDE (id) WHERE id > 3; :changes;
BEGIN; DROP INDEX item_base; :changes;
BEGIN; ALTER INDEX item_base RENAME TO renamed; :changes;
BEGIN; ALTER INDEX item_base SET (fillfactor = 60); :changes;
BEGIN; COMMENT ON INDEX item_base IS 'words'; :changes;
BEGIN; REINDEX TABLE item; :changes;
BEGIN; CREATE STATISTICS one_more (mcv) ON id, lower(kind) FROM item; :changes;
BEGIN; DROP STATISTICS stat; :changes;
BEGIN; ALTER STATISTICS stat SET STATISTICS 50; :changes;
BEGIN; ALTER STATISTICS stat RENAME TO renamed; :changes;

-- views
BEGIN; CREATE VIEW one_more AS SELECT id FROM item; :changes;
BEGIN; CREATE OR REPLACE VIEW seen AS SELECT id, upper(name) AS name FROM base; :changes;
BEGIN; CREATE OR REPLACE VIEW seen AS SELECT id, name, n FROM base; :changes;
BEGIN; CREATE OR REPLACE VIEW seen AS SELECT id, name FROM base; :changes;
BEGIN; DROP VIEW seen_twice; :changes;
BEGIN; ALTER VIEW seen RENAME TO renamed; :changes;
BEGIN; ALTER VIEW seen RENAME name TO renamed; :changes;
BEGIN; ALTER VIEW seen SET (security_barrier); :changes;
BEGIN; ALTER VIEW seen ALTER name SET DEFAULT 'y'; :changes;
BEGIN; CREATE MATERIALIZED VIEW one_more AS SELECT 1 AS x; :changes;
BEGIN; DROP MATERIALIZED VIEW stored; :changes;
BEGIN; ALTER MATERIALIZED VIEW stored RENAME TO renamed; :changes;
BEGIN; REFRESH MATERIALIZED VIEW stored; :changes;

-- sequences
BEGIN; CREATE SEQUENCE one_more INCREMENT 2 CYCLE; :changes;
BEGIN; DROP SEQUENCE counter; :changes;
BEGIN; ALTER SEQUENCE counter INCREMENT 5 MAXVALUE 1000; :changes;
BEGIN; ALTER SEQUENCE counter OWNED BY base.id; :changes;
BEGIN; ALTER SEQUENCE counter RENAME TO renamed; :changes;
BEGIN; SELECT nextval('counter') \g /dev/null
SELECT setval('counter', 50) \g /dev/null
:changes;

-- functions
BEGIN; CREATE FUNCTION one_more(a int, VARIADIC b text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT 1::text'; :changes;
BEGIN; CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'; :changes;
BEGIN; CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a'; :changes;
BEGIN; DROP FUNCTION f(int); :changes;
BEGIN; ALTER FUNCTION f(int) RENAME TO renamed; :changes;
BEGIN; ALTER FUNCTION f(int) IMMUTABLE STRICT PARALLEL SAFE COST 5; :changes;
BEGIN; ALTER FUNCTION f(int) SECURITY DEFINER SET search_path = ddl; :changes;
BEGIN; REVOKE EXECUTE ON FUNCTION f(int) FROM PUBLIC; :changes;
BEGIN; CREATE PROCEDURE one_more() LANGUAGE sql BEGIN ATOMIC SELECT 1 AS one; END; :changes;
BEGIN; ALTER PROCEDURE p() RENAME TO renamed; :changes;
BEGIN; CREATE AGGREGATE one_more(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0'); :changes;
BEGIN; ALTER AGGREGATE total(int) RENAME TO renamed; :changes;

-- triggers, rules, policies
BEGIN; CREATE TRIGGER one_more AFTER UPDATE OF kind ON item FOR EACH ROW WHEN (OLD.kind IN ('a', 'b')) EXECUTE FUNCTION t_f('x'); :changes;
BEGIN; DROP TRIGGER t_tr ON item; :changes;
BEGIN; ALTER TABLE item DISABLE TRIGGER t_tr; :changes;
BEGIN; ALTER TABLE item DISABLE TRIGGER ALL; :changes;
BEGIN; ALTER TRIGGER t_tr ON item RENAME TO renamed; :changes;
BEGIN; CREATE TRIGGER one_more AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION t_f(); :changes;
BEGIN; CREATE RULE one_more AS ON INSERT TO item DO INSTEAD UPDATE base SET name = NEW.kind WHERE id = NEW.id; :changes;
BEGIN; DROP RULE r ON item; :changes;
BEGIN; ALTER TABLE item DISABLE RULE r; :changes;
BEGIN; CREATE POLICY one_more ON item AS RESTRICTIVE FOR INSERT TO regress_dbvc_other WITH CHECK (kind IN ('a', 'b')); :changes;
BEGIN; ALTER POLICY pol ON item USING (id > 1); :changes;
BEGIN; DROP POLICY pol ON item; :changes;
BEGIN; CREATE EVENT TRIGGER one_more ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION e_f(); :changes;
BEGIN; ALTER EVENT TRIGGER ev DISABLE; :changes;
BEGIN; DROP EVENT TRIGGER ev; :changes;

-- types
BEGIN; CREATE TYPE one_more AS ENUM ('a'); :changes;
BEGIN; ALTER TYPE mood ADD VALUE 'ok' BEFORE 'happy'; :changes;
BEGIN; ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; :changes;
BEGIN; ALTER TYPE mood RENAME TO renamed; :changes;
BEGIN; DROP TYPE mood CASCADE; :changes;
BEGIN; CREATE TYPE one_more AS (x int, y mood); :changes;
BEGIN; ALTER TYPE pair ADD ATTRIBUTE c int; :changes;
BEGIN; ALTER TYPE pair DROP ATTRIBUTE a; :changes;
BEGIN; ALTER TYPE pair ALTER ATTRIBUTE a TYPE bigint; :changes;
BEGIN; ALTER TYPE pair RENAME ATTRIBUTE a TO renamed; :changes;
BEGIN; CREATE TYPE one_more AS RANGE (SUBTYPE = text); :changes;
BEGIN; ALTER TYPE span OWNER TO regress_dbvc_other; :changes;
BEGIN; CREATE DOMAIN one_more AS text DEFAULT 'x' NOT NULL CHECK (VALUE <> ''); :changes;
BEGIN; ALTER DOMAIN positive SET DEFAULT 5; :changes;
BEGIN; ALTER DOMAIN positive SET NOT NULL; :changes;
BEGIN; ALTER DOMAIN positive ADD CONSTRAINT below CHECK (VALUE < 9); :changes;
BEGIN; ALTER DOMAIN positive DROP CONSTRAINT over_zero; :changes;
BEGIN; DROP DOMAIN plain; :changes;

-- operators, casts, collations, text search
BEGIN; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq, COMMUTATOR = ===, RESTRICT = eqsel); :changes;
BEGIN; DROP OPERATOR == (mood, text); :changes;
BEGIN; ALTER OPERATOR == (mood, text) SET (RESTRICT = eqsel); :changes;
BEGIN; ALTER OPERATOR FAMILY fam USING btree ADD OPERATOR 3 = (int, int); :changes;
BEGIN; CREATE OPERATOR CLASS one_more FOR TYPE mood USING hash AS FUNCTION 1 hashenum(anyenum); :changes;
BEGIN; CREATE CAST (mood AS bigint) WITH INOUT AS ASSIGNMENT; :changes;
BEGIN; DROP CAST (mood AS int); :changes;
BEGIN; CREATE COLLATION one_more FROM coll; :changes;
BEGIN; ALTER COLLATION coll RENAME TO renamed; :changes;
BEGIN; ALTER CONVERSION conv RENAME TO renamed; :changes;
BEGIN; ALTER TEXT SEARCH DICTIONARY dict (accept = false); :changes;
BEGIN; ALTER TEXT SEARCH CONFIGURATION conf ADD MAPPING FOR word WITH dict, simple; :changes;
BEGIN; CREATE TRANSFORM FOR int LANGUAGE plpgsql (FROM SQL WITH FUNCTION prsd_lextype(internal)); :changes;
BEGIN; CREATE ACCESS METHOD one_more TYPE INDEX HANDLER bthandler; :changes;
BEGIN; CREATE LANGUAGE one_more HANDLER plpgsql_call_handler; :changes;
BEGIN; CREATE EXTENSION tcn SCHEMA ddl_other; :changes;

-- foreign things, publications, privileges, settings
BEGIN; CREATE FOREIGN DATA WRAPPER one_more OPTIONS (a 'b'); :changes;
BEGIN; ALTER SERVER srv VERSION '2' OPTIONS (SET host 'b', ADD password 'secret'); :changes;
BEGIN; DROP SERVER srv CASCADE; :changes;
BEGIN; ALTER USER MAPPING FOR regress_dbvc_other SERVER srv OPTIONS (SET password 'another'); :changes;
BEGIN; ALTER USER MAPPING FOR regress_dbvc_other SERVER srv OPTIONS (ADD user 'another'); :changes;
BEGIN; DROP USER MAPPING FOR regress_dbvc_other SERVER srv; :changes;
BEGIN; ALTER FOREIGN TABLE far OPTIONS (ADD x 'y'); :changes;
BEGIN; ALTER FOREIGN TABLE far ALTER a OPTIONS (ADD x 'y'); :changes;
BEGIN; CREATE PUBLICATION one_more FOR ALL TABLES; :changes;
BEGIN; ALTER PUBLICATION pub SET (publish = 'insert, delete'); :changes;
BEGIN; ALTER PUBLICATION pub ADD TABLE apart (a) WHERE (a > 3); :changes;
BEGIN; ALTER PUBLICATION pub DROP TABLE item; :changes;
BEGIN; ALTER PUBLICATION pub ADD TABLES IN SCHEMA ddl_other; :changes;
BEGIN; CREATE SUBSCRIPTION one_more CONNECTION 'host=nowhere password=secret' PUBLICATION x WITH (connect = false, slot_name = NONE, streaming = false); :changes;
BEGIN; ALTER DEFAULT PRIVILEGES IN SCHEMA ddl_other GRANT INSERT ON TABLES TO regress_dbvc_other; :changes;
BEGIN; ALTER DEFAULT PRIVILEGES IN SCHEMA ddl_other REVOKE SELECT ON TABLES FROM regress_dbvc_other; :changes;
BEGIN; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; :changes;
BEGIN; ALTER ROLE regress_dbvc_other RENAME TO regress_dbvc_renamed; :changes;
BEGIN; GRANT ALL ON ALL TABLES IN SCHEMA ddl TO regress_dbvc_other; :changes;
BEGIN; ALTER TABLE base OWNER TO CURRENT_USER; GRANT SELECT ON base TO CURRENT_USER; ALTER TABLE base ALTER name SET DEFAULT 'x'; ALTER TABLE base ALTER n TYPE numeric(10, 2); ALTER VIEW seen RESET (security_barrier); :changes;

-- outside of transactions
CREATE INDEX CONCURRENTLY one_more ON item (kind);
BEGIN; :changes;
DROP INDEX CONCURRENTLY one_more;
VACUUM FULL item;
BEGIN; :changes;

-- settings, when they are asked for
SELECT dbvc.snapshot_capture('with settings', settings => true) AS first \gset
ALTER ROLE regress_dbvc_other IN DATABASE :"DBNAME" SET work_mem = '5MB';
BEGIN; :changes;
ALTER ROLE regress_dbvc_other IN DATABASE :"DBNAME" RESET ALL;
BEGIN; :changes;

\pset tuples_only
\pset format aligned
DROP PUBLICATION pub;
DROP EVENT TRIGGER ev;
DROP FOREIGN DATA WRAPPER dummy CASCADE;
DROP SCHEMA ddl, ddl_other CASCADE;
RESET SESSION AUTHORIZATION;
DROP OWNED BY regress_dbvc_ddl, regress_dbvc_other;
DROP ROLE regress_dbvc_ddl, regress_dbvc_other;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
