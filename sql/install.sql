--
-- What CREATE EXTENSION makes, and where it refuses.
--

-- a schema that is somebody else's is not taken over
CREATE ROLE regress_dbvc_squatter;
CREATE SCHEMA dbvc AUTHORIZATION regress_dbvc_squatter;
\set SHOW_CONTEXT never
CREATE EXTENSION dbvc;
\set SHOW_CONTEXT errors
SELECT count(*) FROM pg_extension WHERE extname = 'dbvc';
DROP SCHEMA dbvc;

-- one of the same owner is
CREATE SCHEMA dbvc;
CREATE EXTENSION dbvc;
SELECT extname, nspname, extrelocatable, extversion = dbvc.version() AS library_is_of_this_version
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE extname = 'dbvc';
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;

-- only a superuser
SET ROLE regress_dbvc_squatter;
CREATE EXTENSION dbvc;
RESET ROLE;
-- not into another schema
CREATE EXTENSION dbvc SCHEMA public;
SELECT nspname FROM pg_namespace WHERE nspname = 'dbvc';

CREATE EXTENSION dbvc;

-- CREATE EXTENSION changes nothing outside of its schema
SELECT obj_description('pg_catalog.version()'::regprocedure, 'pg_proc') AS comment_of_the_servers_version;
SELECT has_function_privilege('public', 'dbvc.version()', 'EXECUTE') AS may_ask_the_version;

-- the whole surface
SELECT p.oid::regprocedure AS routine, p.prokind, p.provolatile AS vol, p.proparallel AS par,
	p.proisstrict AS strict, p.prosecdef AS secdef
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'dbvc' ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'dbvc' AND c.relkind IN ('r', 'v', 'S', 'm', 'p') ORDER BY c.relname COLLATE "C";
-- everything is a member of the extension
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'dbvc' AND c.relkind IN ('r', 'v')
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1;

-- everything has a comment
SELECT p.oid::regprocedure AS without_comment
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'dbvc' AND obj_description(p.oid, 'pg_proc') IS NULL
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT c.relname AS without_comment
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'dbvc' AND c.relkind IN ('r', 'v', 'm', 'p') AND obj_description(c.oid, 'pg_class') IS NULL ORDER BY 1;
SELECT t.typname AS without_comment
FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = 'dbvc' AND c.relkind = 'c' AND obj_description(t.oid, 'pg_type') IS NULL
AND obj_description(c.oid, 'pg_class') IS NULL ORDER BY 1;

-- nothing is granted to PUBLIC but pure functions
SELECT p.oid::regprocedure AS public_may_execute
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
CROSS JOIN LATERAL aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) a
WHERE n.nspname = 'dbvc' AND a.grantee = 0 AND a.privilege_type = 'EXECUTE'
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT p.oid::regprocedure AS public_and_not_pure
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'dbvc' AND has_function_privilege('public', p.oid, 'EXECUTE')
AND p.provolatile <> 'i' ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT c.relname AS public_may, a.privilege_type
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(COALESCE(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a
WHERE n.nspname = 'dbvc' AND a.grantee = 0 AND c.relkind IN ('r', 'v', 'S') ORDER BY 1, 2;
SELECT has_schema_privilege('public', 'dbvc', 'USAGE') AS public_usage, has_schema_privilege('public', 'dbvc', 'CREATE') AS public_create;

-- SECURITY DEFINER functions, and those with an SQL body, have a fixed search_path or are parsed already
SELECT p.oid::regprocedure AS unsafe
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'dbvc' AND p.prosecdef
AND NOT COALESCE(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
ORDER BY p.oid::regprocedure::text COLLATE "C";
-- migrate and rollback commit, so they must have neither
SELECT p.proname, p.prosecdef, p.proconfig FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'dbvc' AND p.prokind = 'p' ORDER BY 1;

-- guards are on for every session, replication's too
SELECT t.tgrelid::regclass, t.tgname, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'dbvc' ORDER BY t.tgname COLLATE "C";

-- what pg_dump has to save
SELECT c.oid::regclass AS dumped FROM pg_extension e CROSS JOIN LATERAL unnest(e.extconfig) x JOIN pg_class c ON c.oid = x
WHERE e.extname = 'dbvc' ORDER BY c.relname COLLATE "C";

-- settings
SELECT name, setting, context, vartype FROM pg_settings WHERE name LIKE 'dbvc.%' ORDER BY 1;
SET dbvc.no_such_setting = 'x';

-- the install check is gone after it has run
SELECT to_regprocedure('dbvc.install_check()') IS NULL AS gone;

-- it goes with everything it has
DROP EXTENSION dbvc CASCADE;
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'dbvc';
SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'dbvc';
SELECT count(*) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'dbvc';
DROP SCHEMA dbvc;
DROP ROLE regress_dbvc_squatter;
