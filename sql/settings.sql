--
-- What a script sets ends with it; nothing around it reaches dbvc's own code
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SELECT current_user AS admin \gset
CREATE ROLE regress_dbvc_login LOGIN;
CREATE ROLE regress_dbvc_owner NOLOGIN;
CREATE ROLE regress_dbvc_super SUPERUSER NOLOGIN;
GRANT regress_dbvc_owner TO regress_dbvc_login;
GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_login;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA dbvc TO regress_dbvc_login;
GRANT SELECT ON ALL TABLES IN SCHEMA dbvc TO regress_dbvc_login;
CREATE SCHEMA sett AUTHORIZATION regress_dbvc_owner;
CREATE TABLE sett.seen (n int GENERATED ALWAYS AS IDENTITY, what text, who text DEFAULT current_user);
GRANT INSERT, SELECT ON sett.seen TO PUBLIC;
GRANT USAGE ON SCHEMA sett TO PUBLIC;

-- from one migration to the next, and to the session
SELECT id FROM dbvc.migration_register('m1', $$SET search_path = sett; SET work_mem = '9MB'; SET SESSION statement_timeout = '1h'; SET LOCAL enable_seqscan = off;
	SELECT set_config('lock_timeout', '77s', false); SET TIME ZONE 'Asia/Tokyo'; SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;
	SET ROLE regress_dbvc_owner; SET myapp.setting = 'x'; INSERT INTO seen (what) VALUES (concat_ws(' ', current_setting('search_path'), current_setting('work_mem'), current_setting('lock_timeout')))$$);
SELECT id FROM dbvc.migration_register('m2', $$INSERT INTO sett.seen (what) VALUES (concat_ws(' ', current_setting('search_path'), current_setting('work_mem'), current_setting('statement_timeout'),
	current_setting('enable_seqscan'), current_setting('lock_timeout'), current_setting('TimeZone') = 'Asia/Tokyo', current_setting('default_transaction_isolation'), current_setting('myapp.setting', true)))$$);
SELECT id FROM dbvc.migration_register('m3', $$RESET ALL; RESET search_path; DISCARD PLANS$$);
SET work_mem = '5MB';
CALL dbvc.migrate();
SELECT what, who = session_user AS session_user, who = 'regress_dbvc_owner' AS owner FROM sett.seen ORDER BY n;
SELECT current_setting('work_mem') AS work_mem, current_setting('search_path') AS search_path, current_setting('statement_timeout') AS statement_timeout,
	current_user = session_user AS same_user, current_setting('default_transaction_isolation') AS isolation, current_setting('myapp.setting', true) AS custom;
-- a failed one
SELECT id FROM dbvc.migration_register('m4', $$SET work_mem = '9MB'; SET ROLE regress_dbvc_owner; SET search_path = nowhere; SELECT 1/0$$);
CALL dbvc.migrate();
SELECT current_setting('work_mem') AS work_mem, current_setting('search_path') AS search_path, current_user = session_user AS same_user;
SELECT version FROM dbvc.migration_register('m4', $$SET SESSION AUTHORIZATION regress_dbvc_login; CREATE TABLE dbvc.no ()$$);
CALL dbvc.migrate();
SELECT session_user = current_user AS same_user, current_user = 'regress_dbvc_login' AS login;
SELECT version FROM dbvc.migration_register('m4', $$SET SESSION AUTHORIZATION regress_dbvc_login; INSERT INTO sett.seen (what) VALUES ('as another')$$);
CALL dbvc.migrate();
SELECT session_user = current_user AS same_user, current_user = 'regress_dbvc_login' AS login;
SELECT what, who FROM sett.seen ORDER BY n DESC LIMIT 1;
-- the record is about who applied it, not about what the script turned into
SELECT id, status, role = current_user AS role, session_username = session_user AS session_username FROM dbvc.migration_run WHERE id IN ('m1', 'm4') ORDER BY event_id;
RESET work_mem;

-- who has given up rights with SET ROLE does not get them back in a script
SELECT id FROM dbvc.migration_register('r1', 'RESET ROLE; ALTER ROLE regress_dbvc_login SUPERUSER', 'SELECT 1', 'RESET ROLE');
SET ROLE regress_dbvc_login;
CALL dbvc.migrate();
SELECT current_user;
RESET ROLE;
SELECT version FROM dbvc.migration_register('r1', 'SET ROLE NONE');
SET ROLE regress_dbvc_login;
CALL dbvc.migrate();
SELECT dbvc.migration_apply('r1');
RESET ROLE;
SELECT version FROM dbvc.migration_register('r1', 'SET SESSION AUTHORIZATION DEFAULT; ALTER ROLE regress_dbvc_login SUPERUSER');
SET ROLE regress_dbvc_login;
CALL dbvc.migrate();
RESET ROLE;
SELECT version FROM dbvc.migration_register('r1', 'SET LOCAL ROLE regress_dbvc_super');
SET ROLE regress_dbvc_login;
CALL dbvc.migrate();
RESET ROLE;
SELECT version FROM dbvc.migration_register('r1', $$SELECT set_config('role', 'none', false)$$);
SET ROLE regress_dbvc_login;
CALL dbvc.migrate();
RESET ROLE;
SELECT version FROM dbvc.migration_register('r1', 'RESET SESSION AUTHORIZATION');
SET SESSION AUTHORIZATION regress_dbvc_login;
CALL dbvc.migrate();
SELECT current_user, session_user;
RESET SESSION AUTHORIZATION;
SELECT version FROM dbvc.migration_register('r1', $$INSERT INTO sett.seen (what) VALUES ('given up')$$, 'SELECT 1', 'RESET ROLE; SELECT true');
SET ROLE regress_dbvc_login;
CALL dbvc.migrate();
SELECT id, ok, detail FROM dbvc.migration_verify('r1') WHERE "check" = 'verify script';
SELECT current_user;
RESET ROLE;
SELECT what, who FROM sett.seen ORDER BY n DESC LIMIT 1;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_dbvc_login';

-- who has logged in as itself may SET ROLE to the owner, as scripts do, and is itself again afterwards
\c - regress_dbvc_login
SELECT id FROM dbvc.migration_register('s1', $$SET ROLE regress_dbvc_owner; CREATE TABLE sett.owned (a int); INSERT INTO sett.seen (what) VALUES ('as owner'); RESET ROLE; INSERT INTO sett.seen (what) VALUES ('as itself')$$);
SELECT id FROM dbvc.migration_register('s2', $$INSERT INTO sett.seen (what) VALUES ('next')$$);
CALL dbvc.migrate();
SELECT what, who FROM sett.seen ORDER BY n DESC LIMIT 3;
SELECT tableowner FROM pg_tables WHERE tablename = 'owned';
SELECT current_user;
SELECT id FROM dbvc.migration_register('s3', 'SET ROLE regress_dbvc_super');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('s3', 'SET SESSION AUTHORIZATION regress_dbvc_owner');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('s3', 'SELECT 1');
CALL dbvc.migrate();
\c - :admin
\pset null '(null)'

-- a search_path full of traps
CREATE SCHEMA trap;
CREATE FUNCTION trap.event_text(bytea, text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION trap.count(text) RETURNS bigint LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION trap.trap_eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION trap.trap_eq(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION trap.trap_eq(bytea, bytea) RETURNS bytea LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION trap.sha256(bytea) RETURNS bytea LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION trap.convert_to(text, name) RETURNS bytea LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION trap.string_agg(text, text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION trap.format(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION trap.current_database() RETURNS name LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.trap_eq);
CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.trap_eq);
CREATE OPERATOR trap.|| (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = trap.trap_eq);
CREATE TABLE trap.change_event (id int);
CREATE TABLE trap.migration_state (id int);
CREATE TABLE trap.pg_locks (pid int);
CREATE TABLE trap.pg_class (oid int);
CREATE TABLE trap.pg_database (oid int);
CREATE TYPE trap.text AS ENUM ('x');
SET search_path = trap, pg_catalog, public;
SELECT id FROM dbvc.migration_register('t1', 'CREATE TABLE sett.trapped ()', 'DROP TABLE sett.trapped', 'SELECT true');
CALL dbvc.migrate(dry_run => true);
SELECT id FROM dbvc.migration_plan();
CALL dbvc.migrate();
SELECT DISTINCT ok FROM dbvc.migration_verify('t1');
SELECT count(*) FROM dbvc.migration_run WHERE id OPERATOR(pg_catalog.=) 't1';
SELECT id, status FROM dbvc.migration_status WHERE id OPERATOR(pg_catalog.=) 't1';
SELECT pg_catalog.count(*) FROM dbvc.version_control WHERE id OPERATOR(pg_catalog.=) 't1';
SELECT version FROM dbvc.migration_accept('t1', 'CREATE TABLE sett.trapped () ', 'DROP TABLE sett.trapped', reason => 'x');
CALL dbvc.rollback();
SELECT status FROM dbvc.migration_apply('t1');
SELECT status FROM dbvc.migration_rollback('t1');
SELECT dbvc.migration_baseline('t1', 'x');
SELECT dbvc.migration_state_rebuild();
-- and one that a script sets for its statements and leaves
SELECT id FROM dbvc.migration_register('t2', 'SET search_path = trap, pg_catalog; SELECT 1');
CALL dbvc.migrate();
RESET search_path;
-- temporary objects that hide dbvc's are no better
CREATE TEMP TABLE change_event (id int);
CREATE TEMP TABLE pg_class (id int);
CREATE TEMP TABLE pg_locks (id int);
SELECT id FROM dbvc.migration_register('t3', 'SELECT 1', verify_script => 'SELECT true');
CALL dbvc.migrate(dry_run => true);
CALL dbvc.migrate();
SELECT DISTINCT ok FROM dbvc.migration_verify('t3');
DROP TABLE pg_temp.change_event, pg_temp.pg_class, pg_temp.pg_locks;

-- a timeout that a script sets is for each of its statements
SELECT id FROM dbvc.migration_register('u1', $$SET statement_timeout = '300ms'; SELECT pg_sleep(0.01); SELECT pg_sleep(60)$$);
CALL dbvc.migrate();
SELECT id, status, statements, error_sqlstate FROM dbvc.migration_run WHERE id = 'u1';
SHOW statement_timeout;
SELECT version FROM dbvc.migration_register('u1', $$SET LOCAL statement_timeout = '20s'; SELECT pg_sleep(0.01)$$);
CALL dbvc.migrate();
SELECT pg_sleep(0.01);
-- the one around the CALL goes on counting
SELECT id FROM dbvc.migration_register('u2', $$SET statement_timeout = 0; SELECT pg_sleep(60)$$);
SET statement_timeout = '400ms';
CALL dbvc.migrate();
RESET statement_timeout;
SELECT version FROM dbvc.migration_register('u2', $$SET lock_timeout = '100ms'; SELECT 1$$);
CALL dbvc.migrate();

-- whatever a session has set, records are the same and hold
SET bytea_output = 'escape';
SET DateStyle = 'German, DMY';
SET IntervalStyle = 'iso_8601';
SET TimeZone = 'Pacific/Chatham';
SET extra_float_digits = -15;
SET quote_all_identifiers = on;
SET xmloption = document;
SET array_nulls = off;
SET plan_cache_mode = force_generic_plan;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET row_security = off;
SET default_transaction_deferrable = on;
SET session_replication_role = replica;
SET check_function_bodies = off;
SET transform_null_equals = on;
SET statement_timeout = '1min';
SET default_tablespace = 'pg_default';
SET default_table_access_method = 'heap';
SET client_min_messages = warning;
SELECT id, requires, dbvc.migration_checksum('SELECT 1', 'SELECT 2', 'SELECT true', requires => '{t1}') = checksum AS checksum
FROM dbvc.migration_register('v1', 'SELECT 1', 'SELECT 2', 'SELECT true', requires => '{t1}', source => '\x00ff');
CALL dbvc.migrate(dry_run => true);
CALL dbvc.migrate();
CALL dbvc.rollback();
SELECT plan_hash FROM dbvc.migration_plan() LIMIT 1 \gset
CALL dbvc.migrate(expect => :'plan_hash');
SELECT status, duration < '1 hour' AS duration, applied_at > now() - interval '1 hour' AS applied_at FROM dbvc.migration_status WHERE id = 'v1';
SELECT DISTINCT ok FROM dbvc.migration_verify('v1');
SELECT document->>'checksum' ~ '^[0-9a-f]{64}$' AS checksum, document->>'createdAt' ~ '^\d{4}-\d\d-\d\dT.*Z$' AS time FROM dbvc.version_control WHERE id = 'v1';
SELECT version FROM dbvc.migration_register('v1', 'SELECT 10');
RESET ALL;
SELECT DISTINCT ok FROM dbvc.migration_verify('v1');
SELECT DISTINCT abs(extract(epoch FROM (document->>'createdAt')::timestamptz - now())) < 600 AS right_time FROM dbvc.version_control WHERE id = 'v1';
-- a session that reads backslashes the old way (to 18)
SELECT current_setting('server_version_num')::int < 190000 AS old_strings \gset
SELECT id FROM dbvc.migration_register('v2', E'INSERT INTO sett.seen (what) VALUES (''a\\tb'')', verify_script => 'SELECT true');
SET client_min_messages = error;
\if :old_strings
SET standard_conforming_strings = off;
\endif
CALL dbvc.migrate();
SELECT DISTINCT ok FROM dbvc.migration_verify('v2');
SELECT count(*) FROM dbvc.migration_plan();
RESET ALL;
SELECT what = CASE WHEN :'old_strings' THEN E'a\tb' ELSE E'a\\tb' END AS as_the_session_reads FROM sett.seen ORDER BY n DESC LIMIT 1;

DROP SCHEMA trap CASCADE;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
DROP SCHEMA sett CASCADE;
DROP ROLE regress_dbvc_login, regress_dbvc_owner, regress_dbvc_super;
