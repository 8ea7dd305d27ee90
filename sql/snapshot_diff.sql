--
-- dbvc.snapshot_diff(): what was done, and nothing else
--
SET client_min_messages = warning;
CREATE ROLE regress_dbvc_diff;
CREATE EXTENSION dbvc;
CREATE SCHEMA diff;
\pset null '(null)'
\pset format unaligned
\pset tuples_only on

-- nothing has happened
CREATE TABLE diff.customer (id int PRIMARY KEY, email text NOT NULL DEFAULT 'x', born date, note varchar(20));
CREATE TABLE diff.orders (id int PRIMARY KEY, customer int REFERENCES diff.customer, amount numeric(10,2) CHECK (amount > 0));
CREATE INDEX orders_amount_idx ON diff.orders (amount DESC) WHERE amount > 10;
CREATE TYPE diff.mood AS ENUM ('sad', 'ok', 'very happy');
CREATE TYPE diff.pair AS (a int, b text);
CREATE DOMAIN diff.positive AS int CONSTRAINT above CHECK (VALUE > 0);
CREATE FUNCTION diff.f(x int, m diff.mood) RETURNS int LANGUAGE sql AS 'SELECT x';
CREATE VIEW diff.report AS SELECT c.email, o.amount, 'ok'::diff.mood AS mood FROM diff.customer c JOIN diff.orders o ON o.customer = c.id;
CREATE SEQUENCE diff.counter;
ALTER TYPE diff.mood OWNER TO regress_dbvc_diff;
SELECT dbvc.snapshot_capture() AS s \gset
SELECT * FROM dbvc.snapshot_diff(:'s');
SELECT * FROM dbvc.snapshot_drift();

-- ---- attributes: a path to each, in order ----
ALTER TABLE diff.customer ALTER note TYPE varchar(40), ALTER email DROP NOT NULL, ALTER email SET STATISTICS 7, ALTER born SET NOT NULL;
ALTER TABLE diff.customer SET (fillfactor = 70, autovacuum_enabled = off, toast.autovacuum_enabled = off);
COMMENT ON TABLE diff.customer IS E'two\nlines "quoted"';
COMMENT ON COLUMN diff.customer.note IS 'about it';
ALTER SEQUENCE diff.counter INCREMENT 5 MAXVALUE 1000 CYCLE;
ALTER DOMAIN diff.positive SET DEFAULT 3;
ALTER FUNCTION diff.f(int, diff.mood) IMMUTABLE COST 7 SET search_path = diff SET "my.odd" = 'x' SET work_mem = '1MB';
ALTER SEQUENCE diff.counter OWNER TO regress_dbvc_diff;
GRANT SELECT ON SEQUENCE diff.counter TO PUBLIC;
SELECT * FROM dbvc.snapshot_diff(:'s');
-- inside of what is there already
SELECT dbvc.snapshot_capture() AS t \gset
ALTER FUNCTION diff.f(int, diff.mood) SET "my.odd" = 'y' RESET work_mem;
ALTER TABLE diff.customer SET (fillfactor = 80);
ALTER VIEW diff.report ALTER mood SET DEFAULT 'ok';
REVOKE SELECT ON SEQUENCE diff.counter FROM PUBLIC;
CREATE OR REPLACE FUNCTION diff.f(x int, m diff.mood) RETURNS int LANGUAGE sql AS 'SELECT x + 1';
SELECT * FROM dbvc.snapshot_diff(:'t');
-- twice the same
SELECT count(*), count(DISTINCT d) FROM (SELECT md5(string_agg(d::text, ',')) AS d FROM dbvc.snapshot_diff(:'s') d UNION ALL SELECT md5(string_agg(d::text, ',')) FROM dbvc.snapshot_diff(:'s') d) both_times;
-- and back: before and after change places
SELECT dbvc.snapshot_capture() AS t \gset
SELECT count(*) AS differs FROM
	(SELECT change, object_type, identity, attribute, before, after FROM dbvc.snapshot_diff(:'s', :'t')) d FULL JOIN
	(SELECT change, object_type, identity, attribute, after AS before, before AS after FROM dbvc.snapshot_diff(:'t', :'s')) e
	USING (change, object_type, identity, attribute)
	WHERE d.before IS DISTINCT FROM e.before OR d.after IS DISTINCT FROM e.after;
SELECT * FROM dbvc.snapshot_diff(:'s', :'s');

-- ---- created and dropped: parts only with detail ----
DROP TABLE diff.orders CASCADE;
CREATE TABLE diff.product (id int PRIMARY KEY, name text, price numeric CONSTRAINT price_is_positive CHECK (price > 0));
CREATE INDEX product_name_idx ON diff.product (name);
CREATE RULE product_rule AS ON DELETE TO diff.product DO ALSO NOTHING;
CREATE DOMAIN diff.even AS int CONSTRAINT is_even CHECK (VALUE % 2 = 0);
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'t');
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'t', detail => true);
SELECT identity, after FROM dbvc.snapshot_diff(:'t', detail => true) WHERE object_type IN ('table column', 'domain constraint') AND change = 'created';
-- of a table that stays, all is listed
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE diff.product DROP COLUMN price, ADD COLUMN weight real DEFAULT 1;
DROP INDEX diff.product_name_idx;
ALTER DOMAIN diff.even DROP CONSTRAINT is_even;
SELECT * FROM dbvc.snapshot_diff(:'s');

-- ---- dropped and made again ----
SELECT dbvc.snapshot_capture() AS s \gset
DROP TABLE diff.product;
CREATE TABLE diff.product (id int PRIMARY KEY, name text, weight real DEFAULT 1);
CREATE RULE product_rule AS ON DELETE TO diff.product DO ALSO NOTHING;
SELECT * FROM dbvc.snapshot_diff(:'s');
-- the same columns in another order, and one changed
DROP TABLE diff.product;
CREATE TABLE diff.product (weight real DEFAULT 2, id int PRIMARY KEY, name text);
CREATE RULE product_rule AS ON DELETE TO diff.product DO ALSO NOTHING;
SELECT * FROM dbvc.snapshot_diff(:'s');
-- as something else
DROP TABLE diff.product;
CREATE VIEW diff.product AS SELECT 1 AS id;
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'s');

-- ---- renamed ----
DROP VIEW diff.product;
CREATE TABLE diff.orders (id int PRIMARY KEY, customer int CONSTRAINT orders_fk REFERENCES diff.customer, amount numeric(10,2) CONSTRAINT amount_check CHECK (amount > 0), serial serial);
CREATE INDEX orders_amount_idx ON diff.orders (amount DESC, (customer + id)) WHERE amount > 10;
CREATE VIEW diff.report AS SELECT c.email, o.amount, 'ok'::diff.mood AS mood FROM diff.customer c JOIN diff.orders o ON o.customer = c.id;
CREATE TABLE diff.typed (m diff.mood DEFAULT 'very happy', p diff.pair, d diff.positive);
CREATE FUNCTION diff.trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER orders_trigger BEFORE INSERT OR UPDATE OF amount ON diff.orders FOR EACH ROW WHEN (NEW.amount > 5) EXECUTE FUNCTION diff.trg();
CREATE FUNCTION diff.caller(diff.customer) RETURNS int BEGIN ATOMIC SELECT diff.f(1, 'sad'); END;
SELECT dbvc.snapshot_capture() AS s \gset
-- a table, which others mention
ALTER TABLE diff.customer RENAME TO client;
SELECT * FROM dbvc.snapshot_diff(:'s');
-- (from 18 on also the name of each NOT NULL, which is not the usual one any more)
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'s', detail => true) WHERE attribute IS DISTINCT FROM 'not_null_constraint.name';
-- and more: what is more is shown
ALTER TABLE diff.client ADD COLUMN more int;
ALTER VIEW diff.report SET (security_barrier);
SELECT * FROM dbvc.snapshot_diff(:'s');
-- a column
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE diff.orders RENAME amount TO "Total ""gross"".";
SELECT * FROM dbvc.snapshot_diff(:'s');
-- renamed and altered
ALTER TABLE diff.orders ALTER "Total ""gross""." SET DEFAULT 3;
SELECT * FROM dbvc.snapshot_diff(:'s') WHERE object_type = 'table column';
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE diff.orders RENAME "Total ""gross""." TO amount;
-- a type, a function, a label, a domain, a composite type and its attribute
ALTER TYPE diff.mood RENAME TO feeling;
ALTER TYPE diff.feeling RENAME VALUE 'very happy' TO 'it''s fine';
ALTER FUNCTION diff.f(int, diff.feeling) RENAME TO g;
ALTER DOMAIN diff.positive RENAME TO natural_number;
ALTER TYPE diff.pair RENAME TO couple;
ALTER TYPE diff.couple RENAME ATTRIBUTE a TO one;
SELECT * FROM dbvc.snapshot_diff(:'s');
-- a constraint, an index, a trigger, a sequence
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE diff.orders RENAME CONSTRAINT amount_check TO total_check;
ALTER INDEX diff.orders_amount_idx RENAME TO orders_total_idx;
ALTER TRIGGER orders_trigger ON diff.orders RENAME TO another_trigger;
ALTER SEQUENCE diff.orders_serial_seq RENAME TO orders_counter;
SELECT * FROM dbvc.snapshot_diff(:'s');
-- everything of a table, its columns too: what was touched itself shows the names that it mentions
CREATE TABLE diff.item (id serial CONSTRAINT item_key PRIMARY KEY, kind diff.feeling[], parent int CONSTRAINT item_fk REFERENCES diff.item, born date) PARTITION BY RANGE (id);
CREATE INDEX item_idx ON diff.item (kind, (id + 1));
CREATE STATISTICS diff.item_stat ON kind, born FROM diff.item;
CREATE TRIGGER item_trigger BEFORE UPDATE OF kind ON diff.item FOR EACH ROW EXECUTE FUNCTION diff.trg();
CREATE FUNCTION diff.item_get(i diff.item) RETURNS diff.item LANGUAGE sql AS 'SELECT i';
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE diff.item RENAME TO thing;
ALTER TABLE diff.thing RENAME kind TO sort;
ALTER TABLE diff.thing RENAME id TO "thing.id";
ALTER TABLE diff.thing RENAME CONSTRAINT item_key TO thing_key;
ALTER TABLE diff.thing RENAME CONSTRAINT item_fk TO thing_fk;
ALTER INDEX diff.item_idx RENAME TO thing_idx;
ALTER SEQUENCE diff.item_id_seq RENAME TO thing_id_seq;
ALTER STATISTICS diff.item_stat RENAME TO thing_stat;
ALTER TRIGGER item_trigger ON diff.thing RENAME TO thing_trigger;
ALTER FUNCTION diff.trg() RENAME TO trigger_function;
ALTER FUNCTION diff.item_get(diff.thing) RENAME TO thing_get;
ALTER TYPE diff.feeling RENAME TO sentiment;
SELECT * FROM dbvc.snapshot_diff(:'s');
ALTER TYPE diff.sentiment RENAME TO feeling;
-- another function takes the place of the trigger's, under a name that a third one has got
CREATE FUNCTION diff.one() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION diff.two() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION diff.one(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OR REPLACE TRIGGER thing_trigger BEFORE UPDATE OF sort ON diff.thing FOR EACH ROW EXECUTE FUNCTION diff.one();
SELECT dbvc.snapshot_capture() AS s \gset
ALTER FUNCTION diff.one(int) RENAME TO two;
CREATE OR REPLACE TRIGGER thing_trigger BEFORE UPDATE OF sort ON diff.thing FOR EACH ROW EXECUTE FUNCTION diff.two();
SELECT * FROM dbvc.snapshot_diff(:'s');
DROP TABLE diff.thing CASCADE;
-- two names are swapped
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE diff.orders RENAME TO x;
ALTER TABLE diff.client RENAME TO orders;
ALTER TABLE diff.x RENAME TO client;
SELECT * FROM dbvc.snapshot_diff(:'s');
-- and of columns
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE diff.client RENAME id TO x;
ALTER TABLE diff.client RENAME customer TO id;
ALTER TABLE diff.client RENAME x TO customer;
SELECT * FROM dbvc.snapshot_diff(:'s');
-- another one takes a name that has become free
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE diff.typed RENAME TO typed_old;
CREATE TABLE diff.typed (a int);
SELECT change, object_type, identity, attribute, before FROM dbvc.snapshot_diff(:'s');
DROP TABLE diff.typed_old;
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'s');
-- a schema, with everything in it
SELECT dbvc.snapshot_capture() AS s \gset
ALTER SCHEMA diff RENAME TO "Diff.2";
SELECT * FROM dbvc.snapshot_diff(:'s');
SELECT count(*) > 20 AS many FROM dbvc.snapshot_diff(:'s', detail => true);
-- from one schema to another
SELECT dbvc.snapshot_capture() AS s \gset
CREATE SCHEMA diff;
ALTER TABLE "Diff.2".client SET SCHEMA diff;
SELECT change, object_type, identity, attribute, before FROM dbvc.snapshot_diff(:'s');

-- ---- what a rename does not explain is never left out ----
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE "Diff.2".orders RENAME TO buyers;
CREATE OR REPLACE VIEW "Diff.2".report AS SELECT c.email, o.amount, 'sad'::"Diff.2".feeling AS mood FROM "Diff.2".buyers c JOIN diff.client o ON o.id = c.id;
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'s');
-- the same words where they are no names
CREATE TABLE diff.words (i int, "0.1" int, own1 int);
CREATE TABLE diff.setting (y text) WITH (toast.autovacuum_vacuum_scale_factor = 0.1);
CREATE VIEW diff.saying AS SELECT i AS said, 'i is not own1'::text AS words FROM diff.words;
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE diff.words RENAME "0.1" TO "0.2";
ALTER TABLE diff.words RENAME i TO j;
ALTER TABLE diff.setting SET (toast.autovacuum_vacuum_scale_factor = 0.2);
SELECT * FROM dbvc.snapshot_diff(:'s');
CREATE OR REPLACE VIEW diff.saying AS SELECT j AS said, 'j is not own1'::text AS words FROM diff.words;
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'s');
-- a role is no object of a snapshot: its owners are listed
ALTER TABLE diff.client OWNER TO regress_dbvc_diff;
SELECT dbvc.snapshot_capture() AS s \gset
ALTER ROLE regress_dbvc_diff RENAME TO regress_dbvc_diff2;
SELECT * FROM dbvc.snapshot_diff(:'s') WHERE object_type = 'table';

-- ---- names ----
SELECT dbvc.snapshot_capture() AS s \gset
CREATE SCHEMA "a.b";
CREATE TABLE "a.b"."c""d
e" ("f.g" int, "H" text, "select" int);
SELECT dbvc.snapshot_capture() AS t \gset
ALTER TABLE "a.b"."c""d
e" ALTER "f.g" TYPE bigint, ALTER "select" SET DEFAULT 1;
ALTER TABLE "a.b"."c""d
e" RENAME "H" TO "h.i";
SELECT change, object_type, identity FROM dbvc.snapshot_diff(:'s');
SELECT * FROM dbvc.snapshot_diff(:'t');
SET quote_all_identifiers = on;
SELECT identity FROM dbvc.snapshot_diff(:'t');
RESET quote_all_identifiers;

-- ---- other kinds of objects ----
CREATE SCHEMA more;
CREATE TABLE more.measure (at date, value int) PARTITION BY RANGE (at);
CREATE TABLE more.measure_2024 PARTITION OF more.measure FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE INDEX ON more.measure (value);
CREATE TABLE more.doc (id int PRIMARY KEY, data text);
ALTER TABLE more.doc ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON more.doc FOR SELECT USING (id > 0);
CREATE FOREIGN DATA WRAPPER regress_dbvc_wrapper;
CREATE SERVER regress_dbvc_server FOREIGN DATA WRAPPER regress_dbvc_wrapper OPTIONS ("host.name" 'a', password 'secret', "x""y" '1');
SET client_min_messages = error;
CREATE PUBLICATION regress_dbvc_publication FOR TABLE more.doc;
SET client_min_messages = warning;
CREATE STATISTICS more.stat ON id, data FROM more.doc;
CREATE AGGREGATE more.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE OPERATOR more.#+# (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE VIEW more.sum AS SELECT 1 OPERATOR(more.#+#) 2 AS three, more.total(id) FROM more.doc;
CREATE MATERIALIZED VIEW more.copy AS SELECT three FROM more.sum;
ALTER DEFAULT PRIVILEGES IN SCHEMA more GRANT SELECT ON SEQUENCES TO PUBLIC;
SELECT dbvc.snapshot_capture() AS t \gset
ALTER TABLE more.measure RENAME TO reading;
ALTER TABLE more.doc RENAME TO document;
ALTER POLICY own ON more.document RENAME TO mine;
ALTER SERVER regress_dbvc_server OPTIONS (SET "host.name" 'b', SET "x""y" '2', SET password 'other');
ALTER PUBLICATION regress_dbvc_publication SET (publish = 'insert');
ALTER STATISTICS more.stat RENAME TO statistic;
ALTER AGGREGATE more.total(int) RENAME TO amount;
ALTER MATERIALIZED VIEW more.copy RENAME COLUMN three TO trois;
ALTER DEFAULT PRIVILEGES IN SCHEMA more REVOKE SELECT ON SEQUENCES FROM PUBLIC;
SELECT * FROM dbvc.snapshot_diff(:'t') WHERE object_type <> 'default acl' AND attribute IS DISTINCT FROM 'query';
SELECT change FROM dbvc.snapshot_diff(:'t') WHERE object_type = 'default acl';
SELECT dbvc.snapshot_capture() AS t \gset
ALTER TABLE more.reading DETACH PARTITION more.measure_2024;
DROP POLICY mine ON more.document;
DROP VIEW more.sum CASCADE;
DROP TABLE more.document CASCADE;
SELECT change, object_type, identity, attribute, before FROM dbvc.snapshot_diff(:'t') WHERE change = 'altered';
SELECT change, object_type, identity FROM dbvc.snapshot_diff(:'t') WHERE change <> 'altered';

-- ---- who must not be compared ----
SELECT * FROM dbvc.snapshot_diff('snapshot_of_nobody');
SELECT * FROM dbvc.snapshot_diff(:'s', 'snapshot_of_nobody');
SELECT * FROM dbvc.snapshot_diff(NULL);
-- what a server of another major has written
SELECT dbvc.snapshot_capture() AS t \gset
ALTER TABLE dbvc.change_event DISABLE TRIGGER USER;
UPDATE dbvc.change_event SET body = overlay(body PLACING int8send(140000 + n % 10000) FROM position(int8send(n) IN body))
	FROM (SELECT current_setting('server_version_num')::int8 AS n) v
	WHERE event_type = 'snapshot' AND dbvc.event_text(body, 'snapshot_id') = :'s';
SELECT count(*) FROM dbvc.snapshot WHERE server_version / 10000 = 14;
\set VERBOSITY sqlstate
SELECT * FROM dbvc.snapshot_diff(:'s');
-- with its hash
UPDATE dbvc.change_event SET leaf_hash = sha256('\x00'::bytea || body)
	WHERE event_type = 'snapshot' AND dbvc.event_text(body, 'snapshot_id') = :'s';
SELECT * FROM dbvc.snapshot_diff(:'s');
SELECT * FROM dbvc.snapshot_diff(:'s', :'t');
SELECT * FROM dbvc.snapshot_diff(:'t', :'s');
\set VERBOSITY default

DROP SCHEMA diff, "Diff.2", "a.b", more CASCADE;
DROP PUBLICATION regress_dbvc_publication;
DROP FOREIGN DATA WRAPPER regress_dbvc_wrapper CASCADE;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
DROP ROLE regress_dbvc_diff2;

-- ---- in another encoding ----
SELECT current_database() AS db \gset
CREATE DATABASE regress_dbvc_diff_latin1 ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_dbvc_diff_latin1
SET client_encoding = 'UTF8';
CREATE EXTENSION dbvc;
CREATE TABLE U&"\00E4" (U&"\00FC" text, b int);
CREATE VIEW v AS SELECT U&"\00FC" FROM U&"\00E4";
SELECT dbvc.snapshot_capture() AS s \gset
ALTER TABLE U&"\00E4" RENAME TO U&"\00C4";
ALTER TABLE U&"\00C4" RENAME U&"\00FC" TO U&"\00F6";
COMMENT ON COLUMN U&"\00C4".b IS U&'\00DF';
CREATE TABLE z (U&"\00E9" int);
SELECT change, object_type, identity, attribute, CASE WHEN change <> 'created' THEN before END, CASE WHEN change <> 'created' THEN after END FROM dbvc.snapshot_diff(:'s');
\c :db
DROP DATABASE regress_dbvc_diff_latin1;
