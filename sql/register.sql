--
-- dbvc.migration_register()
--
CREATE EXTENSION dbvc;
\pset null '(null)'

-- what is registered can be read back
SELECT id, version, kind, transactional, requires, environments, author, description, up_script, down_script, verify_script,
	event_type, reason, checksum_version, registered_by = current_user AS by_me, source_hash
FROM dbvc.migration_register('20251127_143000_add_user_prefs',
	up_script => 'CREATE TABLE user_prefs (id int)', down_script => 'DROP TABLE user_prefs',
	verify_script => 'SELECT count(*) = 0 FROM user_prefs',
	description => 'preferences of a user', author => 'Ada',
	requires => '{b,a,b}', environments => '{staging,dev,dev}');
SELECT encode(checksum, 'hex') FROM dbvc.migration;
-- nothing of it ran
SELECT to_regclass('user_prefs') IS NULL AS not_run;
SELECT * FROM dbvc.migration_run;

-- same content again: a no-op, also when description, author or environments differ
SELECT id, version, description FROM dbvc.migration_register('20251127_143000_add_user_prefs',
	'CREATE TABLE user_prefs (id int)', 'DROP TABLE user_prefs', 'SELECT count(*) = 0 FROM user_prefs',
	requires => '{a,b}', description => 'another');
SELECT count(*) FROM dbvc.change_event;
-- other content of one that is not applied: a new version; the old one stays
SELECT id, version, description, requires FROM dbvc.migration_register('20251127_143000_add_user_prefs',
	'CREATE TABLE user_prefs (id bigint)', 'DROP TABLE user_prefs');
SELECT id, version, up_script, registered_by = current_user AS by_me FROM dbvc.migration_version ORDER BY id, version;
SELECT id, version, up_script FROM dbvc.migration ORDER BY id;
-- back to the first content: a third version
SELECT id, version, up_script FROM dbvc.migration_register('20251127_143000_add_user_prefs',
	'CREATE TABLE user_prefs (id int)', 'DROP TABLE user_prefs', 'SELECT count(*) = 0 FROM user_prefs', requires => '{a,b}');

-- each part of the content makes a version
SELECT version FROM dbvc.migration_register('parts', 'SELECT 1');
SELECT version FROM dbvc.migration_register('parts', 'SELECT 1', 'SELECT 2');
SELECT version FROM dbvc.migration_register('parts', 'SELECT 1', 'SELECT 2', 'SELECT true');
SELECT version FROM dbvc.migration_register('parts', 'SELECT 1', 'SELECT 2', 'SELECT true', kind => 'repeatable');
SELECT version FROM dbvc.migration_register('parts', 'SELECT 1', 'SELECT 2', 'SELECT true', kind => 'repeatable', transactional => true);
SELECT version FROM dbvc.migration_register('parts', 'SELECT 1', 'SELECT 2', 'SELECT true', kind => 'repeatable', transactional => false);
SELECT version FROM dbvc.migration_register('parts', 'SELECT 1', 'SELECT 2', 'SELECT true', kind => 'repeatable', transactional => false, requires => '{x}');
SELECT version, transactional, kind, requires FROM dbvc.migration_version WHERE id = 'parts' ORDER BY version;

-- line endings and a byte order mark do not count, and the text is kept as it was
SELECT version FROM dbvc.migration_register('eol', E'SELECT 1;\nSELECT 2;\n', E'SELECT 3;\n');
SELECT version FROM dbvc.migration_register('eol', E'SELECT 1;\r\nSELECT 2;\r\n', E'SELECT 3;\r\n');
SELECT version FROM dbvc.migration_register('eol', U&'\FEFF' || E'SELECT 1;\r\nSELECT 2;\n', U&'\FEFF' || E'SELECT 3;\n');
SELECT version, replace(replace(up_script, E'\r', '\r'), E'\n', '\n') FROM dbvc.migration_version WHERE id = 'eol' ORDER BY version;
SELECT version FROM dbvc.migration_register('crlf', E'SELECT 1;\r\n');
SELECT version, up_script = E'SELECT 1;\r\n' AS kept FROM dbvc.migration WHERE id = 'crlf';
-- a lone CR does
SELECT version FROM dbvc.migration_register('eol', E'SELECT 1;\rSELECT 2;\n', E'SELECT 3;\n');

-- the file as it was: its hash is kept
SELECT source_hash = sha256('\xEFBBBF53454C45435420310D0A'::bytea) AS source_is_hashed
FROM dbvc.migration_register('source', E'SELECT 1\r\n', source => '\xEFBBBF53454C45435420310D0A');
SELECT source_hash = sha256(''::bytea) AS empty_is_not_null FROM dbvc.migration_register('source_empty', 'SELECT 1', source => '');

-- ids
SELECT id FROM dbvc.migration_register('1', 'SELECT 1');
SELECT id FROM dbvc.migration_register('V1.2.3__Add-x:y+z.sql', 'SELECT 1');
SELECT length(id) FROM dbvc.migration_register(repeat('x', 200), 'SELECT 1');
SELECT id FROM dbvc.migration_register('', 'SELECT 1');
SELECT id FROM dbvc.migration_register('_a', 'SELECT 1');
SELECT id FROM dbvc.migration_register('a b', 'SELECT 1');
SELECT id FROM dbvc.migration_register('a/b', 'SELECT 1');
SELECT id FROM dbvc.migration_register(E'a\n', 'SELECT 1');
SELECT id FROM dbvc.migration_register(U&'\00E4', 'SELECT 1');
SELECT id FROM dbvc.migration_register('a''b', 'SELECT 1');
\set VERBOSITY sqlstate
SELECT id FROM dbvc.migration_register(repeat('x', 201), 'SELECT 1');
\set VERBOSITY default
SELECT id FROM dbvc.migration_register('ok', 'SELECT 1', requires => '{"not ok"}');

-- nulls
SELECT dbvc.migration_register(NULL, 'SELECT 1');
SELECT dbvc.migration_register('n', NULL);
SELECT dbvc.migration_register('n', 'SELECT 1', requires => '{a,NULL}');
SELECT dbvc.migration_register('n', 'SELECT 1', environments => '{NULL}');
SELECT id, version, kind, requires, environments FROM dbvc.migration_register('n', 'SELECT 1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT version FROM dbvc.migration_register('n', 'SELECT 1');
SELECT id, requires, environments FROM dbvc.migration_register('empty_lists', 'SELECT 1', requires => '{}', environments => '{}');

-- kinds
SELECT id, kind FROM dbvc.migration_register('k1', 'SELECT 1', kind => 'versioned');
SELECT id, kind FROM dbvc.migration_register('k2', 'SELECT 1', kind => 'repeatable');
SELECT id, kind FROM dbvc.migration_register('k3', 'SELECT 1', kind => 'baseline');
SELECT id, kind FROM dbvc.migration_register('k4', 'SELECT 1', kind => 'Versioned');

-- transactional => true with what cannot be: said at once
SELECT dbvc.migration_register('cic', E'CREATE TABLE t (a int);\nCREATE INDEX CONCURRENTLY i ON t (a);', transactional => true);
SELECT id FROM dbvc.migration_register('cic', 'SELECT 1', E'\nDROP INDEX CONCURRENTLY i', transactional => true);
SELECT count(*) FROM dbvc.migration WHERE id = 'cic';
SELECT id, transactional FROM dbvc.migration_register('cic', E'CREATE TABLE t (a int);\nCREATE INDEX CONCURRENTLY i ON t (a);');

-- an applied one may not change
SELECT count(*) FROM unnest('{a,b,x}'::text[]) r, dbvc.migration_register(r, 'SELECT 1');
SELECT version FROM dbvc.migration_register('done', 'SELECT 1', 'SELECT 2');
BEGIN;
SELECT id, direction, status FROM dbvc.migration_apply('done');
COMMIT;
SELECT version FROM dbvc.migration_register('done', 'SELECT 10', 'SELECT 2');
SELECT version FROM dbvc.migration_register('done', 'SELECT 1', 'SELECT 20');
SELECT version FROM dbvc.migration_register('done', 'SELECT 1', 'SELECT 2', kind => 'repeatable');
SELECT encode(dbvc.migration_checksum('SELECT 1', 'SELECT 2'), 'hex') AS applied, encode(dbvc.migration_checksum('SELECT 10', 'SELECT 2'), 'hex') AS new;
-- the same content is still a no-op
SELECT version FROM dbvc.migration_register('done', 'SELECT 1', 'SELECT 2');
SELECT count(*) FROM dbvc.migration_version WHERE id = 'done';
-- after a rollback it may
BEGIN;
SELECT id, direction, status FROM dbvc.migration_rollback('done');
COMMIT;
SELECT version FROM dbvc.migration_register('done', 'SELECT 10', 'SELECT 2');

-- registering is part of the caller's transaction
BEGIN;
SELECT id FROM dbvc.migration_register('gone', 'SELECT 1');
ROLLBACK;
SELECT count(*) FROM dbvc.migration_version WHERE id = 'gone';
BEGIN READ ONLY;
\set SHOW_CONTEXT never
SELECT id FROM dbvc.migration_register('read_only', 'SELECT 1');
ROLLBACK;
\set SHOW_CONTEXT errors

-- many at once
SELECT count(*) FROM generate_series(1, 200) g, dbvc.migration_register('bulk_' || g, 'SELECT ' || g);
-- a script that would not parse is data like any other: an error when it is run
SELECT id FROM dbvc.migration_register('nonsense', 'THIS IS NOT SQL');
-- what every event of a registration says
SELECT event_type, migration_id, dbvc.event_bigint(body, 'version') AS version, dbvc.event_text(body, 'kind') AS kind,
	dbvc.event_text(body, 'author') AS author, dbvc.event_list(body, 'requires') AS requires,
	dbvc.event_text(body, 'database_id') = current_database() AS database, dbvc.event_text(body, 'session_user') = session_user AS session_user,
	dbvc.event_bigint(body, 'server_version') = current_setting('server_version_num')::int AS server,
	leaf_hash = sha256('\x00'::bytea || body) AS hashed
FROM dbvc.change_event ORDER BY id LIMIT 1;
-- texts stand aside under a salted commitment
SELECT t.field, length(t.salt) >= 32 AS salted, dbvc.event_bytea(e.body, t.field) = sha256(t.salt || convert_to(t.content, 'UTF8')) AS committed,
	position(convert_to(t.content, 'UTF8') IN e.body) = 0 AS not_in_the_body
FROM dbvc.change_event e JOIN dbvc.change_event_text t ON t.event_id = e.id
WHERE e.id = (SELECT min(id) FROM dbvc.change_event) ORDER BY t.field;
SELECT count(*) = count(DISTINCT salt) AS salts_differ FROM dbvc.change_event_text;

DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
