--
-- Statements of every kind run in a script as they do at top level; errors say where in it they are
--
CREATE EXTENSION dbvc;
\pset null '(null)'
CREATE TABLE x (a int);
CREATE PROCEDURE t(m text, s text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dbvc.migration_register(m, s);
	CALL dbvc.migrate(m, out_of_order => true);
END$$;
CALL t('a2', E'CREATE TABLE fz (a int);\nCOPY fz FROM stdin (FREEZE);\n1\n\\.\n');
CALL t('a3', E'CREATE RULE r AS ON INSERT TO x DO ALSO (SELECT 1; UPDATE x SET a = 5 WHERE a = 4); INSERT INTO x VALUES (4); DROP RULE r ON x; CREATE RULE r AS ON INSERT TO x DO INSTEAD NOTHING; INSERT INTO x VALUES (6); DROP RULE r ON x');
SELECT * FROM x;
-- a script may be read-only for itself; its record is not
CALL t('a4', 'SET TRANSACTION READ ONLY; SELECT 1');
CALL t('a5', 'SET LOCAL transaction_read_only = on; SELECT 1');
CALL t('a6', 'SET default_transaction_read_only = on');
-- it does not choose what its record says
CALL t('a7', $$SET dbvc.environment = 'forged'; SET dbvc.database_id = 'forged'; SELECT 1$$);
SELECT r.id, environment, dbvc.event_text(e.body, 'database_id') FROM dbvc.migration_run r JOIN dbvc.change_event e ON e.id = r.event_id WHERE r.id = 'a7';
-- cursors, prepared statements, returned rows
CALL t('a9', 'DECLARE c CURSOR FOR SELECT * FROM generate_series(1,3); FETCH 2 FROM c; MOVE c; CLOSE c; VALUES (1); TABLE x; EXPLAIN SELECT 1; SHOW work_mem; PREPARE p AS SELECT $1::int; EXECUTE p(1); CREATE TABLE xp AS EXECUTE p(2); DEALLOCATE p; WITH i AS (INSERT INTO x VALUES (9) RETURNING a) SELECT * FROM i; NOTIFY n; SELECT 1 AS q INTO xq; DROP TABLE xq; SET CONSTRAINTS ALL DEFERRED; LOCK TABLE x; LOAD ''dbvc''');
CALL t('b0', 'SELECT $1');
CALL t('b0', 'SELECT :x');
CALL t('b0', 'SELECT 1');
-- what a dry run leaves in the session is named too
SELECT id FROM dbvc.migration_register('b1', 'SELECT pg_advisory_lock(77); PREPARE pp AS SELECT 1; LISTEN lll; CREATE TEMP TABLE ttt ()', verify_script => 'SELECT pg_advisory_lock(78)');
CALL dbvc.migrate(dry_run => true);
SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid(); SELECT name FROM pg_prepared_statements;
DISCARD ALL;
CALL dbvc.migrate();
DISCARD ALL;
SELECT id, ok FROM dbvc.migration_verify('b1') WHERE "check" = 'verify script';
DISCARD ALL;
-- applied in a transaction that is prepared: committed with it
SELECT current_setting('max_prepared_transactions')::int > 0 AS two_phase \gset
SELECT id FROM dbvc.migration_register('b9', 'SELECT 1');
BEGIN;
SELECT status FROM dbvc.migration_apply('b9');
\if :two_phase
PREPARE TRANSACTION 'regress_dbvc';
COMMIT PREPARED 'regress_dbvc';
\else
COMMIT;
\endif
SELECT id, status FROM dbvc.migration_status WHERE id = 'b9';
-- where errors are
CALL t('c2', E'SELECT 1;\nCREATE VIEW xv AS\n SELECT nope FROM x;');
CALL t('c2', E'SELECT 1;\nALTER TABLE x\n ADD CONSTRAINT q CHECK (nope > 1);');
CALL t('c2', E'SELECT 1;\nINSERT INTO x SELECT\n ''abc''::int;');
CALL t('c2', E'SELECT 1;\n\nCREATE TABLE nn (a nosuchtype);');
CALL t('c2', E'SELECT 1;\nEXECUTE format(1);');
CALL t('c2', E'SELECT 1;\nCREATE FUNCTION fff(a int, out b text) AS $x$\n begin\n  b := nope;\n end $x$ language plpgsql; select fff(1)');
CALL t('c2', E'SELECT 1;\nSELECT date ''2001-02-30''');
CALL t('c2', 'SELECT 1');
CALL t('c3', E'CREATE TYPE en AS ENUM (''a'');\nALTER TYPE en ADD VALUE ''b''; SELECT ''b''::en');
CALL t('c3', 'SELECT 1');
SELECT DISTINCT ok FROM dbvc.migration_verify() WHERE "check" <> 'verify script';

DROP PROCEDURE t(text, text);
DROP TABLE x, xp, fz;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
