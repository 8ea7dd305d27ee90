-- What belongs to everything.sql, but is in no dump, or cannot be restored.
SET client_min_messages = error;
SET search_path = ev;
CREATE TABLE has_duplicates (a int);
INSERT INTO has_duplicates VALUES (1), (1);
\set ON_ERROR_STOP 0
\o /dev/null
CREATE UNIQUE INDEX CONCURRENTLY invalid_index ON has_duplicates (a);
CREATE UNIQUE INDEX CONCURRENTLY "Odd ""Invalid""" ON has_duplicates ((a + 1));
\o
\set ON_ERROR_STOP 1
COMMENT ON CONSTRAINT parent_check ON grandchild IS 'a comment on what is inherited';
COMMENT ON TRIGGER on_partitions ON parted_2023 IS 'a comment on what is inherited';
ALTER ROLE regress_dbvc_owner IN DATABASE :"DBNAME" SET work_mem = '7MB';
ALTER DATABASE :"DBNAME" SET search_path = ev, public;
ALTER DATABASE :"DBNAME" SET "datestyle" = 'ISO, DMY';
ALTER ROLE regress_dbvc_reader SET statement_timeout = '1min';
-- no provider of labels comes with the server's packages: what SECURITY LABEL would write
SET allow_system_table_mods = on;
INSERT INTO pg_catalog.pg_seclabel (objoid, classoid, objsubid, provider, label) VALUES
	('ev.columns'::regclass, 'pg_class'::regclass, 0, 'dummy', 'secret'), ('ev.columns'::regclass, 'pg_class'::regclass, 1, 'dummy', 'top ''secret'''),
	('ev.columns'::regclass, 'pg_class'::regclass, 0, 'another', 'x'), ('ev.plain(int)'::regprocedure, 'pg_proc'::regclass, 0, 'dummy', 'classified'),
	('ev.mood'::regtype, 'pg_type'::regclass, 0, 'dummy', 'classified'), ('ev'::regnamespace, 'pg_namespace'::regclass, 0, 'dummy', 'unclassified');
INSERT INTO pg_catalog.pg_shseclabel (objoid, classoid, provider, label)
	SELECT oid, 'pg_subscription'::regclass, 'dummy', 'secret' FROM pg_catalog.pg_subscription WHERE subname = 'from_far' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database());
RESET allow_system_table_mods;
RESET search_path;
RESET client_min_messages;
