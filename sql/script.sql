--
-- Scripts: where statements end, COPY data, what may not stand in one
--
CREATE EXTENSION dbvc;
\pset null '(null)'
-- each script is tried by itself: registered, applied, its run shown
CREATE SEQUENCE script_n;
CREATE PROCEDURE script_try(script text) LANGUAGE plpgsql AS $$
DECLARE
	m text := 's' || nextval('script_n');
	r record;
BEGIN
	PERFORM dbvc.migration_register(m, script);
	r := dbvc.migration_apply(m);
	RAISE NOTICE '% %', r.status, r.statements;
EXCEPTION WHEN OTHERS THEN
	DECLARE
		d text; h text; c text;
	BEGIN
		GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT, c = PG_EXCEPTION_CONTEXT;
		RAISE NOTICE E'% %\n  %', SQLSTATE, SQLERRM, substring(c FROM '(?n)^migration "s[0-9]+", (.*)$');
	END;
END$$;
CREATE TABLE script (a int, b text);

-- nothing at all
CALL script_try('');
CALL script_try(E' \n\t\r\n');
CALL script_try('-- only a comment');
CALL script_try('/* only /* a nested */ comment */');
CALL script_try(';;; ;');
CALL script_try(U&'\FEFF');
CALL script_try(U&'\FEFF-- a byte order mark\000ASELECT 1;');
CALL script_try(E'SELECT 1;\r\nSELECT 2;\r\n-- CRLF\r\nSELECT 3');
CALL script_try('SELECT 1; -- the last line is a comment');
CALL script_try('SELECT 1 /* not closed');

-- where a statement ends
CALL script_try($x$SELECT ';', E'\';', $$;$$, $a$;$$;$a$, U&'\0441;', ";" FROM (SELECT 1 AS ";") s; SELECT B'1', X'f';$x$);
CALL script_try($x$SELECT 'a'';b'; SELECT 'a'
  ';b'; SELECT E'\\'; SELECT 1;$x$);
CALL script_try('SELECT /* ; /* ; */ ; */ 1; -- ; SELECT 2;' || E'\nSELECT 3;');
CALL script_try('SELECT 1 -- ;' || E'\n + 2; SELECT -1; SELECT 1 - -1; SELECT 2--1' || E'\n; SELECT @ -1, ''a'' !~~ ''b''');
CALL script_try('SELECT 1 ; SELECT 2+/* ; */3; SELECT 1 <> 2, 1 != 2, 2 ^ 3, (ARRAY[1,2,3])[1:2], (1)::text, $$a$$ || $$b$$');
CALL script_try($x$CREATE FUNCTION script_f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END; $$; SELECT script_f(); DROP FUNCTION script_f();$x$);
CALL script_try($x$DO $do$ BEGIN EXECUTE $$SELECT 1; SELECT 2$$; END $do$; SELECT 1$x$);
CALL script_try($x$
CREATE FUNCTION script_atomic(x int) RETURNS int BEGIN ATOMIC
	SELECT CASE WHEN x > 0 THEN CASE x WHEN 1 THEN 10 END ELSE 0 END;
	SELECT x; -- END
END;
CREATE OR REPLACE PROCEDURE script_proc() BEGIN ATOMIC INSERT INTO script VALUES (1); INSERT INTO script VALUES (2); END;
CREATE OR REPLACE FUNCTION script_return(x int) RETURNS int RETURN CASE WHEN x > 0 THEN 1 END;
CREATE FUNCTION script_begin("begin" int) RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT CASE WHEN true THEN 1 END;
CALL script_proc();
$x$);
SELECT script_atomic(1), script_return(1), (SELECT count(*) FROM script);
CALL script_try('CREATE RULE script_r AS ON DELETE TO script DO INSTEAD (SELECT 1; INSERT INTO script VALUES (3);); SELECT 1; DROP RULE script_r ON script');
CALL script_try('CREATE SCHEMA script_s CREATE TABLE t (a int) CREATE VIEW v AS SELECT a FROM t; DROP SCHEMA script_s CASCADE');
CALL script_try('SELECT (1; SELECT 2');
CALL script_try('SELECT 1); SELECT 2');
CALL script_try(E'SELECT ''not closed;\nSELECT 2');
CALL script_try(E'SELECT 1;\nSELECT $$not closed;\nSELECT 2');
CALL script_try('SELECT 1; SELECT "not closed');
CALL script_try('SELECT U&''d!0061t!+000061'' UESCAPE ''!'', U&"d\0061t" FROM (SELECT 1 AS dat) s; SELECT 1');
CALL script_try(E'SELECT E''\\x41\\u00e4\\101''; SELECT 1');

-- large ones
SELECT string_agg(format('INSERT INTO script VALUES (%s, ''%s;'');', n, n), E'\n') AS script FROM generate_series(1, 2000) n \gset
CALL script_try(:'script');
SELECT count(*), sum(a) FROM script WHERE b IS NOT NULL;
CALL script_try('SELECT ''' || repeat('long; ', 1000000) || '''; SELECT 1');
CALL script_try(repeat('-- a comment of some length; or not' || E'\n', 150000) || 'SELECT 1; SELECT nope');
CALL script_try(repeat(E'SELECT 1;\r\n', 2000) || 'SELECT nope');
CALL script_try('SELECT ' || repeat('(', 200) || '1' || repeat(')', 200) || '; SELECT 2');
CALL script_try(repeat(E'COPY script FROM stdin;\n5\tx\n\\.\n', 500) || 'SELECT 1');
SELECT count(*) FROM script WHERE b = 'x';
TRUNCATE script;

-- COPY ... FROM stdin with its data
CALL script_try(E'COPY script FROM stdin;\n1\tone\n2\ttwo; $$ '' " -- /*\n3\t\\N\n4\ttab\\tnew\\nline\\\\\n\\.\nSELECT 1;\nCOPY script (b, a) FROM stdin WITH (FORMAT csv, HEADER);\nb,a\n"quoted ""x"", ; \n\\. new line",5\n,6\n\\.\n\nSELECT 2;');
SELECT a, b FROM script ORDER BY a; TRUNCATE script;
CALL script_try(E'COPY script FROM stdin DELIMITER '','' NULL ''-'';\r\n1,a\r\n2,-\r\n\\.\r\nSELECT 1;\r\n');
SELECT a, replace(b, E'\r', '\r') FROM script ORDER BY a; TRUNCATE script;
CALL script_try(E'COPY script FROM stdin WHERE a > 1 AND b <> ''x'';\n1\ta\n2\tb\n3\tx\n\\.');
CALL script_try(E'copy public.script from stdin with csv quote ''|'' ; -- a comment behind it\n4,|a|||\n\\.\n');
CALL script_try(E'COPY script FROM stdin;\n\\.\nSELECT 1');
CALL script_try(E'COPY script FROM stdin;\n6\tä€😀\n\\.\n');
CALL script_try(E'BEGIN;\nCOPY script FROM STDIN (DELIMITER '';'');\n7;COMMIT\n\\.\nCOMMIT;\n');
SELECT a, b FROM script ORDER BY a; TRUNCATE script;
-- wrong data: the line is that of the data, in the statement's context
CALL script_try(E'SELECT 1;\n\nCOPY script FROM stdin;\n1\ta\nx\tb\n\\.\nSELECT 2');
CALL script_try(E'COPY script FROM stdin;\n1\n\\.\n');
CALL script_try(E'COPY nowhere FROM stdin;\n1\n\\.\n');
CALL script_try(E'COPY script (a, nope) FROM stdin;\n1\n\\.\n');
CALL script_try(E'COPY script FROM stdin;\n1\ta\n');
CALL script_try(E'SELECT 1;\nCOPY script FROM stdin');
CALL script_try(E'COPY script FROM stdin; SELECT 1;\n1\ta\n\\.\n');
CALL script_try(E'COPY script FROM stdin WITH (FORMAT binary);\n\\.\n');
CALL script_try(E'COPY script FROM stdin (FORMAT nope);\n\\.\n');
CALL script_try('SELECT 1; COPY script TO stdout');
CALL script_try('COPY (SELECT 1) TO STDOUT');
SELECT id FROM dbvc.migration_register('copy_error', E'SELECT 1;\n\nCOPY script FROM stdin;\n1\ta\nx\tb\n\\.\nSELECT 2');
CALL dbvc.migrate(target => 'copy_error', out_of_order => true);
SELECT version FROM dbvc.migration_register('copy_error', 'SELECT 1');
-- triggers, defaults, generated columns and constraints work as ever
CREATE TABLE script_more (id int GENERATED ALWAYS AS IDENTITY, a int CHECK (a > 0), b text DEFAULT 'd', c int GENERATED ALWAYS AS (a * 2) STORED);
CREATE FUNCTION script_trigger() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.b := upper(NEW.b); RETURN NEW; END$$;
CREATE TRIGGER script_trigger BEFORE INSERT ON script_more FOR EACH ROW EXECUTE FUNCTION script_trigger();
CREATE VIEW script_view AS SELECT a, b FROM script_more;
CREATE TABLE script_part (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE script_part_1 PARTITION OF script_part FOR VALUES FROM (0) TO (10);
CALL script_try(E'COPY script_more (a) FROM stdin;\n1\n2\n\\.\nCOPY script_part FROM stdin;\n1\tx\n\\.\n');
SELECT * FROM script_more ORDER BY id;
SELECT tableoid::regclass, a FROM script_part;
CALL script_try(E'COPY script_more (a) FROM stdin;\n-1\n\\.\n');
CALL script_try(E'COPY script_view FROM stdin;\n1\n\\.\n');
-- a client that talks in another encoding
SET client_encoding = 'LATIN1';
SELECT count(*) FROM dbvc.migration_register('latin', 'COPY script FROM stdin;' || chr(10) || '8' || chr(9) || chr(228) || chr(10) || '\.');
SELECT status FROM dbvc.migration_apply('latin');
RESET client_encoding;
SELECT a, length(b), b = chr(228) AS same FROM script; TRUNCATE script;

-- one wrapper around the whole script is dropped
CALL script_try('BEGIN; SELECT 1; SELECT 2; COMMIT;');
CALL script_try(E'-- head\nSTART TRANSACTION;\nSELECT 1;\nEND TRANSACTION;\n-- tail\n');
CALL script_try('BEGIN WORK; COMMIT WORK');
CALL script_try('BEGIN; SELECT 1;');
CALL script_try(E'SELECT 1;\nCOMMIT;');
CALL script_try(E'BEGIN;\nSELECT 1;\nCOMMIT;\nSELECT 2;');
CALL script_try(E'BEGIN;\nSELECT 1;\nCOMMIT;\nBEGIN;\nSELECT 2;\nCOMMIT;');
CALL script_try(E'SELECT 1;\nBEGIN;\nSELECT 1;\nCOMMIT;');
CALL script_try('BEGIN; BEGIN; SELECT 1; COMMIT;');
CALL script_try('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT;');
CALL script_try('BEGIN; SELECT 1; COMMIT AND CHAIN;');
CALL script_try('BEGIN; SELECT 1; ROLLBACK;');
-- and all other transaction control refused
CALL script_try(E'SELECT 1;\n\n  ROLLBACK;');
CALL script_try('SELECT 1; ABORT');
CALL script_try('SELECT 1; SAVEPOINT s; SELECT 2; RELEASE s');
CALL script_try('ROLLBACK TO s');
CALL script_try('PREPARE TRANSACTION ''x''');
CALL script_try('COMMIT PREPARED ''x''');
CALL script_try('DISCARD ALL');
CALL script_try('BEGIN; CREATE INDEX CONCURRENTLY i ON script (a); COMMIT;');
CALL script_try('DISCARD PLANS; DISCARD SEQUENCES');

-- psql's own commands
CALL script_try(E'SELECT 1;\n  \\i other.sql\nSELECT 2');
CALL script_try(E'\\set ON_ERROR_STOP on\nSELECT 1;');
CALL script_try(E'SELECT 1 \\gexec');
CALL script_try(E'\\copy script from ''x''');
CALL script_try(E'\\connect other');
CALL script_try(E'SELECT 1 AS "\\", ''\\i'', $$\n\\i x$$; -- \\i\n/* \\i */ SELECT 2');
-- pg_dump's own lines are skipped
CALL script_try(E'\\restrict abcDEF123\nSELECT 1;\n\\unrestrict abcDEF123\n');
CALL script_try(E'\\restrict abc\r\nSELECT 1;\r\n\\unrestrict abc');
CALL script_try(E'\\restricted abc\nSELECT 1');
CALL script_try(E'SELECT \\restrict abc\n1');

-- a syntax error is found before anything runs, with where it is
CALL script_try(E'CREATE TABLE script_never ();\n  SELEC 1;');
CALL script_try(U&'SELECT ''\00E4\20AC\+01F600''; SELECT ''\00E4'' FRM x;');
CALL script_try(E'SELECT 1;\nSELECT ''ä'',\n\t''ö'' + ;\nSELECT 2;');
CALL script_try(E'SELECT 1;\r\nSELECT 2\r\nFROM;\r\n');
CALL script_try(E'SELECT 1;\nSELECT (SELECT 1');
CALL script_try(U&'\FEFFSELEC 1');
SELECT to_regclass('script_never') IS NULL AS nothing_ran;
-- what only the run shows
CALL script_try(E'CREATE TABLE script_never ();\nSELECT *\n  FROM nowhere;');
CALL script_try(U&'SELECT 1;\000A/* \00E4 */ SELECT ''\00E4\20AC\+01F600'' AS x, nope;');
CALL script_try(E'CREATE FUNCTION script_bad() RETURNS int LANGUAGE sql AS $$\nSELECT 1;\nSELECT nope;\n$$;');
CALL script_try(E'SELECT 1;\nCREATE FUNCTION script_bad() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETRUN 1;\nEND $$;');
SELECT to_regclass('script_never') IS NULL AS nothing_stayed;
-- each statement sees what the ones before it did
CALL script_try('CREATE TABLE script_new (a int); INSERT INTO script_new VALUES (1); ALTER TABLE script_new ADD b int DEFAULT 2; SELECT 1/(b - 1) FROM script_new; DROP TABLE script_new');
CALL script_try('CREATE TYPE script_e AS ENUM (''a''); CREATE TABLE script_t (e script_e DEFAULT ''a''); INSERT INTO script_t DEFAULT VALUES; DROP TABLE script_t; DROP TYPE script_e');
-- a backslash in an ordinary string, where the server still knows that (to 18)
SELECT current_setting('server_version_num')::int < 190000 AS old_strings \gset
SET client_min_messages = error;
\if :old_strings
SELECT 'SET standard_conforming_strings = off; INSERT INTO script VALUES (9, ''a\'';b''); SET standard_conforming_strings = on; INSERT INTO script VALUES (10, ''c\'');' AS script \gset
\else
SELECT 'INSERT INTO script VALUES (9, ''a'''';b''), (10, ''c\'')' AS script \gset
\endif
SELECT count(*) FROM dbvc.migration_register('strings', :'script');
SELECT status FROM dbvc.migration_apply('strings');
RESET client_min_messages;
SELECT a, b FROM script ORDER BY a;

DROP PROCEDURE script_try(text), script_proc();
DROP FUNCTION script_atomic(int), script_return(int), script_begin(int);
DROP VIEW script_view;
DROP TABLE script, script_more, script_part;
DROP FUNCTION script_trigger();
DROP SEQUENCE script_n;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
