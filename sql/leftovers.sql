--
-- What a script leaves in the session, because nothing takes it back, is named
--
CREATE EXTENSION dbvc;
SELECT id FROM dbvc.migration_register('t1', 'CREATE TABLE lo (id int)');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('t2', 'CREATE TEMP TABLE lo_temp (id int); CREATE TEMPORARY SEQUENCE lo_seq; CREATE TEMP VIEW lo_view AS SELECT 1 AS a');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('t3', 'PREPARE lo_prep AS SELECT 1');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('t4', 'LISTEN lo_channel');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('t5', 'SELECT pg_advisory_lock(7, 8)');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('t6', 'SELECT 1 AS a INTO TEMP lo_into; CREATE TEMP TABLE lo_as AS SELECT 1');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('t7', $$DO 'BEGIN CREATE TEMP TABLE lo_do (); PERFORM pg_advisory_lock(9); END'$$);
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('t8', 'DECLARE lo_cursor CURSOR WITH HOLD FOR SELECT 1');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('t8', 'DECLARE lo_cursor CURSOR FOR SELECT 1; FETCH lo_cursor');
CALL dbvc.migrate();
-- what was there before is not blamed on a script
SELECT id FROM dbvc.migration_register('t9', 'CREATE TEMP TABLE lo_drop (); DROP TABLE lo_drop; PREPARE lo_de AS SELECT 1; DEALLOCATE lo_de; LISTEN lo_un; UNLISTEN lo_un; SELECT pg_advisory_xact_lock(1); CREATE TEMP TABLE lo_c () ON COMMIT DROP');
CALL dbvc.migrate();
-- in the caller's transaction
SELECT id FROM dbvc.migration_register('u1', 'CREATE TEMP TABLE lo_apply ()');
SELECT status FROM dbvc.migration_apply('u1');
-- a failed one leaves nothing but what no rollback takes back
SELECT id FROM dbvc.migration_register('u2', 'CREATE TEMP TABLE lo_fail (); SELECT pg_advisory_lock(10); SELECT 1/0');
CALL dbvc.migrate();
SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind IN ('r', 'S', 'v') ORDER BY relname COLLATE "C";
SELECT name FROM pg_cursors ORDER BY 1;
SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY 1, 2;
DISCARD ALL;
DROP TABLE lo;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
