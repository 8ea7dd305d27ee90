--
-- document_refresh: the view follows its base
--
CREATE EXTENSION dbvc;
SET client_min_messages = notice;
CREATE ROLE regress_dbvc_shop;
CREATE ROLE regress_dbvc_app;
CREATE ROLE regress_dbvc_old;
CREATE ROLE regress_dbvc_new;
CREATE ROLE regress_dbvc_columns;
GRANT USAGE ON SCHEMA dbvc TO PUBLIC;
GRANT EXECUTE ON FUNCTION dbvc.document_read TO PUBLIC;
CREATE SCHEMA shop AUTHORIZATION regress_dbvc_shop;
GRANT USAGE ON SCHEMA shop TO PUBLIC;
SET search_path = shop, public;
SET ROLE regress_dbvc_shop;
CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text DEFAULT 'n', data jsonb, gone text, also_gone int DEFAULT 3);
COMMENT ON TABLE users IS 'people';
COMMENT ON COLUMN users.name IS 'their names';
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO regress_dbvc_app;
GRANT SELECT ON users TO regress_dbvc_old;
GRANT SELECT (id, name, data, gone, also_gone) ON users TO regress_dbvc_columns;
CREATE VIEW dreams WITH (security_invoker = true) AS SELECT id, name, data->'dreams' AS dreams FROM users;
COMMENT ON VIEW dreams IS 'dreams';
GRANT SELECT ON dreams TO regress_dbvc_app;
CREATE VIEW chain AS SELECT name FROM dreams;
CREATE VIEW gone_plain AS SELECT id, gone FROM users;
CREATE VIEW gone_whole WITH (security_invoker = true) AS SELECT u.* FROM users u CROSS JOIN (SELECT 1) one;
CREATE FUNCTION documents() RETURNS SETOF jsonb STABLE BEGIN ATOMIC SELECT data FROM users ORDER BY id; END;
RESET ROLE;
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('users', '{"dreams": "dream"}');
INSERT INTO users (data) VALUES ('{"dreams": [{"id": 1}, {"id": 2}]}');
CREATE TEMP TABLE before AS SELECT 'users'::regclass::oid AS users, 'dreams'::regclass::oid AS dreams;
SELECT * FROM dbvc.document_refresh('users');

-- what ALTER TABLE cannot do while the view stands
ALTER TABLE users_base DROP COLUMN gone;
\set VERBOSITY terse
ALTER TABLE users_base ALTER COLUMN name TYPE varchar(10);
\set VERBOSITY default
ALTER TABLE users ADD COLUMN x int;

-- columns: new, renamed (two by turns), other defaults; and who may
SET ROLE regress_dbvc_shop;
ALTER TABLE users_base ADD COLUMN extra int DEFAULT 5;
COMMENT ON COLUMN users_base.extra IS 'more';
GRANT SELECT (extra) ON users_base TO regress_dbvc_columns;
ALTER TABLE users_base RENAME COLUMN gone TO between;
ALTER TABLE users_base RENAME COLUMN also_gone TO gone;
ALTER TABLE users_base RENAME COLUMN between TO also_gone;
ALTER TABLE users_base RENAME COLUMN name TO nick;
ALTER TABLE users_base RENAME COLUMN data TO doc;
ALTER TABLE users_base ALTER COLUMN nick SET DEFAULT 'm';
GRANT SELECT ON users TO regress_dbvc_new;
REVOKE SELECT ON users FROM regress_dbvc_old;
ALTER TABLE users_base ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_two ON users_base USING (id <> 2);
ALTER TABLE users_base ADD CONSTRAINT sees_slim CHECK (doc->'dreams' <> '[1]');
SELECT * FROM dbvc.document_refresh('users');
RESET ROLE;
SET client_min_messages = warning;
CREATE TEMP TABLE dry AS SELECT * FROM dbvc.document_refresh('users_base', dry_run => true);
SET client_min_messages = notice;
SELECT * FROM dbvc.document_refresh('users_items') \gx
SELECT * FROM dry WHERE step IN (1, 2);
SELECT * FROM dbvc.document_refresh('users');
SELECT u.attname, format_type(atttypid, atttypmod), pg_get_expr(adbin, adrelid), col_description(attrelid, attnum) FROM pg_attribute u LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
	WHERE attrelid = 'users'::regclass AND attnum > 0 ORDER BY attnum;
SELECT 'users'::regclass::oid = users AS users, 'dreams'::regclass::oid = dreams AS dreams FROM before;
SET ROLE regress_dbvc_app;
INSERT INTO users (doc) VALUES ('{"dreams": [3]}'), ('{"dreams": [4]}') RETURNING *;
RESET ROLE;
INSERT INTO users (doc) VALUES ('{"dreams": [3]}'), ('{"dreams": [4]}') RETURNING *;
SELECT * FROM dreams ORDER BY 1;
SELECT * FROM chain;
SELECT documents();
SET ROLE regress_dbvc_new;
SELECT id, doc FROM users ORDER BY 1;
SELECT id, item_id FROM users_items ORDER BY 1, ord;
SET ROLE regress_dbvc_old;
SELECT id FROM users;
SET ROLE regress_dbvc_columns;
SELECT id, extra FROM users ORDER BY 1;
RESET ROLE;
REVOKE SELECT ON users_base FROM regress_dbvc_old;
SELECT action, statement FROM dbvc.document_refresh('users');

-- columns out of base and view
SELECT * FROM dbvc.document_refresh('users', '{id,doc,nope}');
SELECT * FROM dbvc.document_refresh('users', '{also_gone,gone}');
DROP VIEW gone_whole;
SELECT * FROM dbvc.document_refresh('users', '{also_gone,gone}');
SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0 ORDER BY attnum;
DROP VIEW gone_plain;
SELECT step, action, CASE WHEN action !~ '^re-point' THEN statement END AS statement FROM dbvc.document_refresh('users', '{also_gone,gone}') \gx
SELECT attname, pg_get_expr(adbin, adrelid), col_description(attrelid, attnum) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
	WHERE attrelid = 'users'::regclass AND attnum > 0 ORDER BY attnum;
SELECT attname FROM pg_attribute WHERE attrelid = 'users_base'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;
SELECT pg_get_userbyid(relowner) AS owner, obj_description(oid, 'pg_class'), reloptions, (SELECT string_agg(grantee::regrole || ' ' || privilege_type, ', ' ORDER BY grantee::regrole::text, privilege_type) FROM aclexplode(relacl) WHERE grantee <> relowner) AS grants FROM pg_class WHERE oid = 'users'::regclass;
SELECT 'dreams'::regclass::oid = dreams AS dreams, obj_description(dreams, 'pg_class'), reloptions, has_table_privilege('regress_dbvc_app', dreams, 'SELECT') AS app FROM before JOIN pg_class ON oid = dreams;
SELECT face FROM dbvc.document;
INSERT INTO users (doc) VALUES ('{"dreams": [5]}') RETURNING *;
SELECT * FROM dreams ORDER BY 1;
SELECT documents();
-- who may
SET ROLE regress_dbvc_app;
SELECT * FROM dbvc.document_refresh('users');
RESET ROLE;
GRANT EXECUTE ON FUNCTION dbvc.document_refresh TO regress_dbvc_app, regress_dbvc_shop;
SET ROLE regress_dbvc_app;
SELECT * FROM dbvc.document_refresh('users');
SET ROLE regress_dbvc_shop;
SELECT * FROM dbvc.document_refresh('users');
RESET ROLE;
SELECT * FROM dbvc.document_refresh('dreams');
SELECT * FROM dbvc.document_refresh(NULL);
SELECT event_type, dbvc.event_text(body, 'role') = session_user AS session, jsonb_array_length(dbvc.event_text(body, 'detail')::jsonb->'steps') AS steps FROM dbvc.change_event ORDER BY id;

-- the view may be renamed and moved
ALTER VIEW users RENAME TO people;
CREATE SCHEMA other;
ALTER VIEW people SET SCHEMA other;
ALTER TABLE users_base RENAME TO people_base;
ALTER TABLE people_base ADD COLUMN last int;
-- who reads by column grants needs the new one, too
SELECT action, statement FROM dbvc.document_refresh('people_base');
SELECT id, doc, last FROM other.people ORDER BY 1;

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA shop CASCADE;
DROP SCHEMA other CASCADE;
DROP EXTENSION dbvc;
DROP ROLE regress_dbvc_shop, regress_dbvc_app, regress_dbvc_old, regress_dbvc_new, regress_dbvc_columns;
