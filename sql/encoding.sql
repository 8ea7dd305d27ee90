--
-- Databases in other encodings: the same checksums, whole texts, clean errors
--
SET client_min_messages = warning;
CREATE DATABASE regress_dbvc_latin1 ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';
CREATE DATABASE regress_dbvc_ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';
SELECT current_database() AS db \gset
CREATE EXTENSION dbvc;
SELECT encode(dbvc.migration_checksum(U&'SELECT ''\00E4'';'), 'hex') AS sum \gset
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;

\c regress_dbvc_latin1
SET client_encoding = 'UTF8';
CREATE EXTENSION dbvc;
SELECT encode(dbvc.migration_checksum(U&'SELECT ''\00E4'';'), 'hex') = :'sum' AS same_checksum;
SELECT id, octet_length(up_script), length(up_script) FROM dbvc.migration_register('l1', U&'SELECT ''\00E4'';', U&'SELECT ''\00FC''', author => U&'\00C4da');
CALL dbvc.migrate();
CALL dbvc.rollback();
CALL dbvc.migrate();
SELECT id, author, length(author) FROM dbvc.migration_status;
SELECT "check", ok FROM dbvc.migration_verify() ORDER BY "check" COLLATE "C";
SELECT id FROM dbvc.migration_register('l2', U&'SELECT ''\00E4'', nope;');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_register('l2', U&'CREATE TABLE t (a text);\000ACOPY t FROM stdin;\000A\00E4\000A\\.\000A');
CALL dbvc.migrate();
SELECT a = U&'\00E4' AS same, octet_length(a), length(a) FROM t;
-- in the worker
SELECT id FROM dbvc.migration_register('l3', U&'VACUUM t; SELECT ''\00E4''; CREATE INDEX CONCURRENTLY "\00E4" ON t (a);');
CALL dbvc.migrate();
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 't'::regclass;

\c regress_dbvc_ascii
SET client_encoding = 'SQL_ASCII';
CREATE EXTENSION dbvc;
SELECT id FROM dbvc.migration_register('s1', 'SELECT 1', 'SELECT 2');
CALL dbvc.migrate();
SELECT "check", ok FROM dbvc.migration_verify() ORDER BY "check" COLLATE "C";
-- bytes that are no UTF-8 have no checksum that others could recompute
SELECT id FROM dbvc.migration_register('s2', E'SELECT ''\xff''');
SELECT id FROM dbvc.migration_register('s2', E'SELECT 1', description => E'\xff');
SELECT id FROM dbvc.migration_register('s2', E'SELECT ''\xc3\xa4''');
CALL dbvc.migrate();
SELECT "check", ok FROM dbvc.migration_verify('s2') ORDER BY "check" COLLATE "C";

\c :db
DROP DATABASE regress_dbvc_latin1;
DROP DATABASE regress_dbvc_ascii;
