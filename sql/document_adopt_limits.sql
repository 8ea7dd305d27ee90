-- What adopting must not overlook: partitions, an items table of any name, rights that were taken back
CREATE EXTENSION dbvc;
\set SHOW_CONTEXT never
CREATE ROLE regress_dbvc_limits;
GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_limits;

-- what uses the document of a partition would see slim documents
CREATE TABLE parted (id int PRIMARY KEY, data jsonb) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
CREATE TABLE parted_11 (data jsonb, id int NOT NULL);
ALTER TABLE parted_1 ATTACH PARTITION parted_11 FOR VALUES FROM (0) TO (100);
CREATE VIEW dreams AS SELECT id, data -> 'dreamBook' AS dreams FROM parted_11;
CREATE VIEW rows AS SELECT to_jsonb(parted_1) FROM parted_1;
CREATE VIEW ids AS SELECT id FROM parted_11;
CREATE MATERIALIZED VIEW all_dreams AS SELECT data -> 'dreamBook' AS dreams FROM parted_11;
CREATE FUNCTION dream() RETURNS jsonb BEGIN ATOMIC SELECT data FROM parted_1 WHERE id = 1; END;
CREATE FUNCTION one(parted_11) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE note (id int);
CREATE POLICY dreamers ON note USING (true) WITH CHECK (EXISTS (SELECT FROM parted_11 p WHERE p.id = note.id AND p.data ? 'x'));
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('parted', '{"dreamBook": "dream"}');
DROP VIEW dreams, rows;
DROP MATERIALIZED VIEW all_dreams;
DROP FUNCTION dream, one;
DROP TABLE note;
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('parted', '{"dreamBook": "dream"}');

-- the items table may have any name, also one that its policies use
CREATE TABLE users (id int PRIMARY KEY, owner name, data jsonb);
INSERT INTO users VALUES (1, 'somebody', '{"dreamBook": [{"id": "secret"}]}'), (2, 'regress_dbvc_limits', '{"dreamBook": [{"id": "mine"}]}');
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON users USING (owner = current_user);
GRANT SELECT ON users TO regress_dbvc_limits;
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('users', '{"dreamBook": "dream"}', items => 'b');
CALL dbvc.document_backfill('users');
SET ROLE regress_dbvc_limits;
SELECT * FROM users;
SELECT id, item_id FROM b;
RESET ROLE;

-- a release says who can read again
REVOKE SELECT ON users FROM regress_dbvc_limits;
CALL dbvc.document_release('users');

-- what would stop a release at its last step stops it before its first one
CREATE TABLE dreamer (id int PRIMARY KEY, data jsonb);
INSERT INTO dreamer VALUES (1, '{"dreamBook": [{"id": "fly"}]}');
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('dreamer', '{"dreamBook": "dream"}');
CALL dbvc.document_backfill('dreamer');
CREATE MATERIALIZED VIEW all_dreamers AS SELECT * FROM dreamer;
CREATE VIEW fliers AS SELECT id FROM dreamer_items;
CREATE FUNCTION first_of(dreamer) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE dreamer_dbvc_old ();
CALL dbvc.document_release('dreamer');
SELECT state FROM dbvc.document WHERE face = 'dreamer'::regclass;
SELECT id, doc_version FROM dreamer_base;
DROP MATERIALIZED VIEW all_dreamers;
DROP VIEW fliers;
DROP FUNCTION first_of;
DROP TABLE dreamer_dbvc_old;

-- doc_version may be renamed: a column that got its name is not dbvc's
ALTER TABLE dreamer_base RENAME COLUMN doc_version TO "the version";
ALTER TABLE dreamer_base ADD COLUMN doc_version text DEFAULT 'mine';
SELECT action FROM dbvc.document_refresh('dreamer');
SELECT * FROM dreamer;
CALL dbvc.document_release('dreamer');
SELECT * FROM dreamer;

SET client_min_messages = warning;
DROP TABLE dreamer;
DROP TABLE users;
DROP TABLE parted_base CASCADE;
DROP TABLE parted_items;
DROP EXTENSION dbvc;
DROP OWNED BY regress_dbvc_limits;
DROP ROLE regress_dbvc_limits;
