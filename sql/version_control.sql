--
-- dbvc.version_control: the store as documents
--
CREATE EXTENSION dbvc;
SET dbvc.snapshot_on_migrate = off;
\pset null '(null)'
SET dbvc.database_id = 'people';
SELECT id FROM dbvc.migration_register('20251127_143000_add_user_prefs', E'CREATE TABLE prefs ()\n-- "quoted" \\ ü', 'DROP TABLE prefs', 'SELECT true', 'preferences', 'Ada');
SELECT id FROM dbvc.migration_register('20251127_150000_bare', 'SELECT 1');
CALL dbvc.migrate();
-- exactly these keys
SELECT entity_type, array_agg(DISTINCT k ORDER BY k) AS keys, count(DISTINCT document) AS documents
FROM dbvc.version_control, LATERAL jsonb_object_keys(document) k GROUP BY entity_type ORDER BY entity_type COLLATE "C";
SELECT entity_type, count(DISTINCT n) AS sorts, min(n) AS keys FROM (SELECT entity_type, (SELECT count(*) FROM jsonb_object_keys(document)) AS n FROM dbvc.version_control) c GROUP BY 1 ORDER BY 1;
SELECT id, jsonb_pretty(document - 'createdAt') FROM dbvc.version_control WHERE entity_type = 'migration' ORDER BY id;
SELECT entity_type, document - 'timestamp' AS document FROM dbvc.version_control WHERE entity_type = 'change-event' ORDER BY id::bigint;
SELECT DISTINCT COALESCE(document->>'createdAt', document->>'timestamp') ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$' AS time FROM dbvc.version_control;
SELECT DISTINCT abs(extract(epoch FROM (document->>'timestamp')::timestamptz - now())) < 3600 AS utc FROM dbvc.version_control WHERE entity_type = 'change-event';
SELECT id, document->>'checksum' = encode((SELECT checksum FROM dbvc.migration m WHERE m.id = v.id), 'hex') AS checksum FROM dbvc.version_control v WHERE entity_type = 'migration' ORDER BY id;
-- the newest version of a migration
SELECT version FROM dbvc.migration_accept('20251127_150000_bare', 'SELECT 2', reason => 'x');
SELECT id, document->>'upScript' AS up FROM dbvc.version_control WHERE entity_type = 'migration' ORDER BY id;
SELECT count(*) = (SELECT count(*) FROM dbvc.change_event) AS all_events FROM dbvc.version_control WHERE entity_type = 'change-event';
DROP TABLE prefs;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
