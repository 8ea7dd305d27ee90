--
-- document_release puts a table back as document_adopt found it: the catalogs before and after
--
CREATE EXTENSION dbvc;
SET client_min_messages = warning;
CREATE ROLE regress_dbvc_shop;
CREATE ROLE regress_dbvc_app;
CREATE ROLE regress_dbvc_reader;
CREATE ROLE regress_dbvc_columns;
CREATE ROLE regress_dbvc_late;
GRANT USAGE ON SCHEMA dbvc TO PUBLIC;
CREATE SCHEMA shop AUTHORIZATION regress_dbvc_shop;
GRANT USAGE ON SCHEMA shop TO PUBLIC;
SET search_path = shop, public;
SET ROLE regress_dbvc_shop;
CREATE TABLE team (id int PRIMARY KEY);
CREATE TABLE users (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number serial, tenant text NOT NULL DEFAULT 'a', team int REFERENCES team,
	data jsonb DEFAULT '{}', name text GENERATED ALWAYS AS (data->>'name') STORED,
	CONSTRAINT is_object CHECK (jsonb_typeof(data) = 'object')
);
CREATE TABLE sale (users bigint REFERENCES users);
CREATE INDEX users_name ON users ((data->>'name'));
CREATE STATISTICS users_stat ON tenant, team FROM users;
COMMENT ON TABLE users IS 'people';
COMMENT ON COLUMN users.data IS 'all of it';
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO regress_dbvc_app WITH GRANT OPTION;
GRANT SELECT (id, number, tenant, team, data, name), UPDATE (tenant) ON users TO regress_dbvc_columns;
REVOKE TRUNCATE ON users FROM regress_dbvc_shop;
SET ROLE regress_dbvc_app;
GRANT SELECT ON shop.users TO regress_dbvc_reader;
SET ROLE regress_dbvc_shop;
ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY everybody ON users USING (true);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW dreams WITH (security_invoker = true, security_barrier = true) AS SELECT id, data->'dreams' AS d FROM users;
CREATE VIEW chain AS SELECT d FROM dreams;
CREATE VIEW plain AS SELECT id, tenant FROM users;
CREATE VIEW rowwise WITH (security_invoker = true) AS SELECT to_jsonb(u) AS j FROM users u;
ALTER VIEW dreams ALTER COLUMN id SET DEFAULT 7;
COMMENT ON COLUMN dreams.d IS 'd';
GRANT SELECT ON dreams TO regress_dbvc_app;
CREATE FUNCTION documents() RETURNS SETOF jsonb STABLE SECURITY DEFINER SET work_mem = '1MB' BEGIN ATOMIC SELECT data FROM users; END;
CREATE TABLE note (users bigint);
CREATE POLICY dreamers ON note FOR SELECT TO regress_dbvc_app USING (EXISTS (SELECT FROM users u WHERE u.id = note.users AND u.data ? 'dreams'));
CREATE TABLE log (n int);
CREATE RULE logged AS ON INSERT TO log DO ALSO UPDATE users SET data = data || '{"logged": true}' WHERE id = NEW.n;
RESET ROLE;
SET client_min_messages = error;
CREATE PUBLICATION regress_dbvc_pub FOR TABLE users;
SET client_min_messages = warning;
INSERT INTO team VALUES (1);
INSERT INTO users (team, data) VALUES (1, '{"name": "ada", "dreams": [{"id": 1}, {"id": 2.0}, "x", null]}'), (1, '{"name": "bob"}'), (NULL, NULL);
INSERT INTO sale VALUES (1);

-- everything that the catalogs say of schema shop, by name
CREATE VIEW public.regress_dbvc_catalog AS
	SELECT 'relation' AS what, c.relname::text AS name, concat_ws(' ', c.relkind, c.relpersistence, pg_get_userbyid(c.relowner), c.relacl, c.reloptions, c.relrowsecurity, c.relforcerowsecurity, obj_description(c.oid, 'pg_class')) AS is FROM pg_class c WHERE relnamespace = 'shop'::regnamespace
	UNION ALL SELECT 'column', c.relname || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attacl, pg_get_expr(adbin, adrelid), col_description(attrelid, attnum))
		FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE relnamespace = 'shop'::regnamespace AND NOT attisdropped
	UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'shop'::regnamespace
	UNION ALL SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'shop'::regnamespace
	UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = 'shop'::regnamespace AND NOT tgisinternal
	UNION ALL SELECT 'rule', ev_class::regclass || '.' || rulename, pg_get_ruledef(r.oid) FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class WHERE relnamespace = 'shop'::regnamespace
	UNION ALL SELECT 'policy', polrelid::regclass || '.' || polname, concat_ws(' ', polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy p JOIN pg_class c ON c.oid = polrelid WHERE relnamespace = 'shop'::regnamespace
	UNION ALL SELECT 'function', p.oid::regprocedure::text, concat_ws(' ', pg_get_functiondef(p.oid), pg_get_userbyid(proowner), proacl) FROM pg_proc p WHERE pronamespace = 'shop'::regnamespace
	UNION ALL SELECT 'type', typname::text, typtype::text FROM pg_type WHERE typnamespace = 'shop'::regnamespace
	UNION ALL SELECT 'published', pubname, concat_ws('.', schemaname, tablename) FROM pg_publication_tables
	UNION ALL SELECT 'statistics', stxname::text, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxnamespace = 'shop'::regnamespace
	UNION ALL SELECT 'oid', relname::text, oid::text FROM pg_class WHERE oid IN (SELECT oid FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v', 'S', 'i'));
CREATE TEMP TABLE before AS SELECT * FROM public.regress_dbvc_catalog;
CREATE TEMP TABLE documents_before AS SELECT * FROM users;
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('users', '{"dreams": "dream"}', options => '{"triggers_reviewed": true}');
SELECT what, count(*) > 0 AS changed FROM (SELECT * FROM public.regress_dbvc_catalog EXCEPT TABLE before) d GROUP BY what ORDER BY what;
UPDATE users SET data = data || '{"split": true}';
UPDATE users SET data = data - 'split';
SELECT count(*) FROM users_items;

-- what stands on the view itself would go with it
CREATE FUNCTION of_row(users) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TRIGGER own AFTER UPDATE ON users FOR EACH STATEMENT EXECUTE FUNCTION touch();
CREATE MATERIALIZED VIEW kept AS SELECT data FROM users;
CALL dbvc.document_release('users');
DROP FUNCTION of_row(users);
DROP TRIGGER own ON users;
DROP MATERIALIZED VIEW kept;
CALL dbvc.document_release('users');
SELECT * FROM (TABLE before EXCEPT SELECT * FROM public.regress_dbvc_catalog) d ORDER BY 1, 2;
SELECT * FROM (SELECT * FROM public.regress_dbvc_catalog EXCEPT TABLE before) d ORDER BY 1, 2;
SELECT count(*) AS different FROM users u FULL JOIN documents_before d USING (id)
	WHERE u.data IS DISTINCT FROM d.data OR NOT dbvc.document_same_bytes(u.data, d.data) OR (u.number, u.tenant, u.team, u.name) IS DISTINCT FROM (d.number, d.tenant, d.team, d.name);
TABLE dbvc.document;

-- again, under the same names; what was granted and made on the view stays
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('users', '{"dreams": "dream"}', options => '{"triggers_reviewed": true}');
SET ROLE regress_dbvc_shop;
GRANT SELECT ON users TO regress_dbvc_late;
CREATE VIEW late WITH (security_invoker = true) AS SELECT id, data FROM users;
RESET ROLE;
CALL dbvc.document_release('users');
SELECT has_table_privilege('regress_dbvc_late', 'users', 'SELECT') AS late, pg_get_viewdef('late') ~ 'users_base' AS base;
SELECT id FROM late ORDER BY 1;
SELECT event_type, count(*) FROM dbvc.change_event WHERE event_type IN ('document_adopted', 'document_released') GROUP BY 1 ORDER BY 1;

DROP VIEW public.regress_dbvc_catalog;
RESET search_path;
DROP PUBLICATION regress_dbvc_pub;
DROP SCHEMA shop CASCADE;
DROP EXTENSION dbvc;
DROP ROLE regress_dbvc_shop, regress_dbvc_app, regress_dbvc_reader, regress_dbvc_columns, regress_dbvc_late;
