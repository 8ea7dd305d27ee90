--
-- Snapshots: what is kept, how, and that it can be recomputed without dbvc
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SET dbvc.database_id = 'shop';
CREATE SCHEMA regress_shop;
CREATE SCHEMA "Regress "" q";
CREATE TABLE regress_shop.customer (id bigint PRIMARY KEY, name text NOT NULL, mail varchar(80));
COMMENT ON TABLE regress_shop.customer IS 'who buys';
CREATE INDEX customer_name_idx ON regress_shop.customer (lower(name));
CREATE VIEW regress_shop.names AS SELECT name FROM regress_shop.customer;
CREATE TABLE "Regress "" q"."T.""x" ("c;--" int, "ü" text, "'" int);
CREATE INDEX "I "" x" ON "Regress "" q"."T.""x" ("ü");

-- no snapshot yet
SELECT * FROM dbvc.snapshot;
SELECT dbvc.snapshot_document();
SELECT * FROM dbvc.snapshot_objects();
SELECT * FROM dbvc.snapshot_drift();

-- only one of some schemas
BEGIN;
SELECT dbvc.snapshot_capture(schemas => '{regress_shop}') IS NOT NULL AS kept;
CREATE TABLE regress_shop.seen ();
CREATE TABLE "Regress "" q".unseen ();
SELECT change, object_type, identity FROM dbvc.snapshot_drift();
ROLLBACK;

-- how many rows there are in all
CREATE FUNCTION pg_temp.rows() RETURNS TABLE (name text, n bigint) LANGUAGE sql AS $$
SELECT 'change_event', count(*) FROM dbvc.change_event UNION ALL
SELECT 'change_event_text', count(*) FROM dbvc.change_event_text UNION ALL
SELECT 'definition', count(*) FROM dbvc.definition UNION ALL
SELECT 'snapshot_page', count(*) FROM dbvc.snapshot_page UNION ALL
SELECT 'snapshot_state', count(*) FROM dbvc.snapshot_state UNION ALL
SELECT 'snapshot_state rewritten', sum(s.id)::bigint FROM dbvc.snapshot_state s $$;

-- the first
SELECT dbvc.snapshot_capture() AS first \gset
SELECT :'first' ~ '^snapshot_\d{8}_\d{6}$' AS id;
SELECT id = :'first' AS id, label, captured_at <= clock_timestamp() AS past, captured_by = current_user AS by, length(fingerprint) AS fingerprint,
	objects = (SELECT count(*) FROM dbvc.snapshot_objects(:'first')) AS objects, schemas, settings,
	server_version = current_setting('server_version_num')::int AS version, definition_version, database_id, environment
FROM dbvc.snapshot;
SELECT abs(extract(epoch FROM to_timestamp(substr(:'first', 10), 'YYYYMMDD_HH24MISS')::timestamp - captured_at AT TIME ZONE 'UTC')) < 10 AS utc FROM dbvc.snapshot;

-- plain SQL: the fingerprint from the list, hashes from bodies
CREATE FUNCTION pg_temp.fingerprint(snapshot text) RETURNS bytea LANGUAGE sql AS $$
SELECT sha256('dbvc-snapshot\000'::bytea || int4send(1) || int4send(current_setting('server_version_num')::int / 10000)
	|| COALESCE(string_agg(int4send(octet_length(convert_to(object_type, 'UTF8'))) || convert_to(object_type, 'UTF8')
		|| int4send(octet_length(convert_to(identity, 'UTF8'))) || convert_to(identity, 'UTF8') || hash, ''::bytea
		ORDER BY convert_to(object_type, 'UTF8'), convert_to(identity, 'UTF8')), ''::bytea))
FROM dbvc.snapshot_objects(snapshot) $$;
SELECT pg_temp.fingerprint(id) = fingerprint AS recomputed FROM dbvc.snapshot;
SELECT count(*) > 5 AS some, bool_and(hash = sha256(convert_to(body, 'UTF8'))) AS recomputed FROM dbvc.definition;
SELECT count(*) > 0 AS some, bool_and(hash = sha256(body)) AS recomputed FROM dbvc.snapshot_page;
SELECT count(*) AS without_definition FROM dbvc.snapshot_objects() o WHERE NOT EXISTS (SELECT 1 FROM dbvc.definition d WHERE d.hash = o.hash);
-- (settings are kept too, and shown when they are asked for)
SELECT count(*) AS definitions_of_nothing FROM dbvc.definition d WHERE NOT EXISTS (SELECT 1 FROM dbvc.snapshot_objects() o WHERE o.hash = d.hash)
AND d.body !~ '^\{"(database|everywhere)":';
SELECT fingerprint = dbvc.snapshot_fingerprint() AS live, fingerprint = dbvc.snapshot_fingerprint("full" => true) AS from_nothing FROM dbvc.snapshot;
-- an object's definition is the same when it is made alone
SELECT o.object_type, o.identity, o.schema, o.parent, CASE WHEN o.object_type <> 'table constraint' THEN o.hash = d.hash END AS same
FROM dbvc.snapshot_objects() o
LEFT JOIN LATERAL pg_get_object_address(CASE WHEN o.object_type IN ('schema', 'table', 'index', 'view') THEN o.object_type ELSE 'schema' END,
	CASE WHEN o.object_type IN ('schema', 'table', 'index', 'view') THEN parse_ident(o.identity) ELSE '{public}' END, '{}') a ON true
LEFT JOIN LATERAL dbvc.definition_of(a.classid, a.objid) d ON a.objid IS NOT NULL
WHERE o.schema ~* '^regress' OR o.identity ~* '^"?regress';
SELECT (d).object_type, (d).identity, (d).body->>'name' AS name, (d).hash = (SELECT sha256(convert_to(replace(replace((d).body::text, '": ', '":'), ', "', ',"'), 'UTF8'))) AS canonical
FROM (SELECT dbvc.definition_of('pg_class'::regclass, '"Regress "" q"."T.""x"'::regclass, n) AS d FROM generate_series(1, 4) n) t;
SELECT * FROM dbvc.definition_of('pg_class'::regclass, 'pg_class'::regclass);
SELECT * FROM dbvc.definition_of('pg_class'::regclass, 'dbvc.change_event'::regclass);
SELECT * FROM dbvc.definition_of('pg_class'::regclass, 0);
SELECT * FROM dbvc.definition_of(0, 0);
SELECT * FROM dbvc.definition_of('pg_attribute'::regclass, 1);

-- a second of the same schema stores its event and nothing else
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.rows();
SELECT dbvc.snapshot_capture() AS second \gset
SELECT a.name, a.n - b.n AS more FROM pg_temp.rows() a JOIN before b USING (name) WHERE a.n <> b.n ORDER BY 1;
SELECT :'first' <> :'second' AS other_id, count(DISTINCT fingerprint) AS fingerprints, count(DISTINCT dbvc.event_bytea(body, 'list_hash')) AS lists
FROM dbvc.snapshot JOIN dbvc.change_event e ON e.id = event_id;
-- so do others that are of some of it, with labels in the side table
DROP TABLE before;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.rows();
SELECT dbvc.snapshot_capture('before "release" 2 ü', '{regress_shop}') AS shop \gset
SELECT dbvc.snapshot_capture(schemas => ARRAY['Regress " q', 'regress_shop'], settings => true) AS both \gset
SELECT a.name, a.n - b.n AS more FROM pg_temp.rows() a JOIN before b USING (name) WHERE a.n <> b.n ORDER BY 1;
SELECT label, schemas, settings, objects, pg_temp.fingerprint(id) = fingerprint AS recomputed FROM dbvc.snapshot WHERE id IN (:'shop', :'both') ORDER BY id COLLATE "C";
SELECT object_type, identity, schema, parent FROM dbvc.snapshot_objects(:'both');
SELECT fingerprint = dbvc.snapshot_fingerprint('{regress_shop}') AS live FROM dbvc.snapshot WHERE id = :'shop';
SELECT content = 'before "release" 2 ü' AS label, sha256(salt || convert_to(content, 'UTF8')) = dbvc.event_bytea(body, 'label') AS committed
FROM dbvc.change_event_text JOIN dbvc.change_event e ON e.id = event_id WHERE field = 'label';
DROP TABLE before;

-- what changes, changes little
SELECT count(*) AS definitions FROM dbvc.definition \gset
ALTER TABLE regress_shop.customer ADD note text;
SELECT dbvc.snapshot_fingerprint() <> fingerprint AS other FROM dbvc.snapshot WHERE id = :'first';
SELECT dbvc.snapshot_capture() AS third \gset
SELECT count(*) - :definitions AS new_definitions FROM dbvc.definition;
SELECT count(*) AS states FROM dbvc.snapshot_state;
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'first', :'third');
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'third', :'first');
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'first');
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'third');
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'shop', :'third');
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_diff(:'both', :'shop');
-- and back: the fingerprint says so
ALTER TABLE regress_shop.customer DROP note;
SELECT dbvc.snapshot_fingerprint() = fingerprint AS as_before FROM dbvc.snapshot WHERE id = :'first';
SELECT dbvc.snapshot_capture() AS fourth \gset
SELECT count(*) - :definitions AS new_definitions FROM dbvc.definition;
SELECT count(*) FROM dbvc.snapshot_diff(:'first', :'fourth');

-- drift is recorded
SELECT count(*) FROM dbvc.snapshot_drift();
SELECT count(*) AS events FROM dbvc.change_event WHERE event_type = 'drift';
DROP INDEX regress_shop.customer_name_idx;
CREATE TABLE regress_shop.by_hand (id int);
SELECT change, object_type, identity, attribute FROM dbvc.snapshot_drift();
SELECT dbvc.event_text(body, 'snapshot_id') = :'fourth' AS snapshot, dbvc.event_bigint(body, 'differences') AS differences,
	dbvc.event_bytea(body, 'fingerprint') = dbvc.snapshot_fingerprint() AS fingerprint, dbvc.event_text(body, 'role') = current_user AS role
FROM dbvc.change_event WHERE event_type = 'drift';
BEGIN READ ONLY;
SELECT change, object_type, identity FROM dbvc.snapshot_drift();
SELECT dbvc.snapshot_fingerprint() IS NOT NULL AS fingerprint;
SELECT dbvc.snapshot_capture();
ROLLBACK;
SELECT count(*) AS events FROM dbvc.change_event WHERE event_type = 'drift';

-- a schema that is gone
SELECT dbvc.snapshot_capture(schemas => '{regress_shop}') AS shop \gset
BEGIN;
DROP SCHEMA regress_shop CASCADE;
SELECT change, object_type, identity FROM dbvc.snapshot_diff(:'shop');
ROLLBACK;
-- a snapshot of one schema does not hide drift in the others
SELECT dbvc.snapshot_capture() AS whole \gset
CREATE TABLE regress_shop.hidden (id int);
SELECT dbvc.snapshot_capture(schemas => ARRAY['Regress " q']) IS NOT NULL AS kept;
SELECT change, object_type, identity FROM dbvc.snapshot_drift();
DROP TABLE regress_shop.hidden;
-- in a transaction: what it has done counts, and what is rolled back was never kept
BEGIN;
CREATE TABLE regress_shop.mine (id int);
SELECT dbvc.snapshot_capture('mine') AS mine \gset
SELECT count(*) FROM dbvc.snapshot_objects(:'mine') WHERE identity = 'regress_shop.mine';
SAVEPOINT s;
DROP TABLE regress_shop.mine;
SELECT change, object_type, identity FROM dbvc.snapshot_drift();
ROLLBACK TO s;
SELECT change, object_type, identity FROM dbvc.snapshot_drift();
ROLLBACK;
SELECT count(*) FROM dbvc.snapshot WHERE label = 'mine';
SELECT count(*) FROM dbvc.snapshot_drift();
-- ... in any isolation level
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM dbvc.snapshot_drift();
CREATE TABLE regress_shop.mine (id int);
SELECT dbvc.snapshot_capture('mine') AS mine \gset
SELECT id = :'mine' AS id FROM dbvc.snapshot WHERE label = 'mine';
SELECT count(*) FROM dbvc.snapshot_drift();
ROLLBACK;

-- readable
SELECT jsonb_pretty(d - 'objects' - 'captured_at' - 'fingerprint' - 'server_version' - 'snapshot') AS head, d->>'snapshot' = :'both' AS id,
	d->>'fingerprint' = encode(s.fingerprint, 'hex') AS fingerprint, (d->>'captured_at')::timestamptz = date_trunc('second', s.captured_at) AS captured_at
FROM dbvc.snapshot_document(:'both') d JOIN dbvc.snapshot s ON s.id = :'both';
SELECT t.key AS type, o.key AS identity, jsonb_typeof(o.value) AS "value" FROM dbvc.snapshot_document(:'both') d, jsonb_each(d->'objects') t, jsonb_each(t.value) o
ORDER BY t.key COLLATE "C", o.key COLLATE "C";
SELECT count(*) AS other FROM dbvc.snapshot s, dbvc.snapshot_document(s.id) d, jsonb_each(d->'objects') t, jsonb_each(t.value) o
WHERE NOT EXISTS (SELECT 1 FROM dbvc.snapshot_objects(s.id) x JOIN dbvc.definition f ON f.hash = x.hash AND f.body::jsonb = o.value WHERE x.object_type = t.key AND x.identity = o.key);
-- as a document store's client reads it
SELECT entity_type, array_agg(DISTINCT k ORDER BY k) AS keys FROM dbvc.version_control, jsonb_object_keys(document) k WHERE entity_type = 'schema-snapshot' GROUP BY 1;
SELECT id = :'first' AS id, document->>'databaseId' AS database, document->'schemaDefinition' = dbvc.snapshot_document(:'first') AS definition, document->>'capturedAt' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$' AS time
FROM dbvc.version_control WHERE entity_type = 'schema-snapshot' AND id = :'first';

-- what is refused
SELECT dbvc.snapshot_document('snapshot_1');
SELECT * FROM dbvc.snapshot_objects('snapshot_1');
SELECT * FROM dbvc.snapshot_diff(:'first', 'snapshot_1');
SELECT * FROM dbvc.snapshot_diff(NULL);
SELECT dbvc.snapshot_capture(schemas => '{}');
SELECT dbvc.snapshot_capture(schemas => '{NULL}');
SELECT dbvc.snapshot_capture(schemas => '{regress_shop,no_such}');
SELECT dbvc.snapshot_capture(schemas => '{pg_catalog}');
SELECT dbvc.snapshot_fingerprint(schemas => '{dbvc}');
SELECT dbvc.snapshot_capture(schemas => ARRAY['Regress " q']) AS q \gset
\set VERBOSITY sqlstate
SELECT dbvc.snapshot_document('snapshot_1');
SELECT dbvc.snapshot_fingerprint(schemas => '{no_such}');
SELECT * FROM dbvc.snapshot_diff(:'shop', :'q');
-- history is append-only
UPDATE dbvc.definition SET body = body;
DELETE FROM dbvc.definition;
TRUNCATE dbvc.definition;
UPDATE dbvc.snapshot_page SET body = body;
DELETE FROM dbvc.snapshot_page;
TRUNCATE dbvc.snapshot_page;
SET session_replication_role = replica;
DELETE FROM dbvc.definition;
DELETE FROM dbvc.snapshot_page;
RESET session_replication_role;

-- what a superuser damages shows
BEGIN;
ALTER TABLE dbvc.snapshot_page DISABLE TRIGGER ALL;
ALTER TABLE dbvc.definition DISABLE TRIGGER ALL;
ALTER TABLE dbvc.change_event DISABLE TRIGGER ALL;
SAVEPOINT s;
DELETE FROM dbvc.snapshot_page;
SELECT dbvc.snapshot_document(:'first');
ROLLBACK TO s;
UPDATE dbvc.snapshot_page SET body = body || '\x00';
SELECT dbvc.snapshot_document(:'first');
ROLLBACK TO s;
UPDATE dbvc.definition SET body = body || ' ';
SELECT dbvc.snapshot_document(:'first');
ROLLBACK TO s;
DELETE FROM dbvc.definition;
SELECT dbvc.snapshot_document(:'first');
ROLLBACK TO s;
UPDATE dbvc.change_event SET body = body || '\x00';
SELECT dbvc.snapshot_document(:'first');
ROLLBACK TO s;
-- what is lost is in nobody's way, and comes back with the next snapshot
SET LOCAL client_min_messages = error;
DELETE FROM dbvc.snapshot_page;
SELECT dbvc.snapshot_fingerprint('{regress_shop}') = fingerprint AS same FROM dbvc.snapshot WHERE id = :'shop';
SELECT dbvc.snapshot_capture() IS NOT NULL AS kept;
SELECT count(*) AS drift FROM dbvc.snapshot_drift();
ROLLBACK TO s;
SET LOCAL client_min_messages = error;
DELETE FROM dbvc.definition;
CREATE TABLE regress_shop.another (id int);
SELECT dbvc.snapshot_capture() IS NOT NULL AS kept;
SELECT count(*) FROM dbvc.snapshot_objects() o WHERE NOT EXISTS (SELECT 1 FROM dbvc.definition d WHERE d.hash = o.hash);
ROLLBACK TO s;
DELETE FROM dbvc.definition;
DELETE FROM dbvc.snapshot_state;
SELECT dbvc.snapshot_capture() IS NOT NULL AS kept;
SELECT count(*) FROM dbvc.snapshot_objects() o WHERE NOT EXISTS (SELECT 1 FROM dbvc.definition d WHERE d.hash = o.hash);
ROLLBACK TO s;
-- the state is a cache: without it, or with nonsense in it, everything is computed
DELETE FROM dbvc.snapshot_state;
SELECT dbvc.snapshot_fingerprint('{regress_shop}') = fingerprint AS same FROM dbvc.snapshot WHERE id = :'shop';
INSERT INTO dbvc.snapshot_state (sums, root) VALUES ('\x00', '\x00');
SELECT dbvc.snapshot_fingerprint('{regress_shop}') = fingerprint AS same FROM dbvc.snapshot WHERE id = :'shop';
INSERT INTO dbvc.snapshot_state (sums, root) VALUES ('', sha256(''));
SELECT dbvc.snapshot_fingerprint('{regress_shop}') = fingerprint AS same FROM dbvc.snapshot WHERE id = :'shop';
SELECT dbvc.snapshot_capture(schemas => '{regress_shop}') IS NOT NULL AS kept;
ROLLBACK;

-- other versions are refused, not compared
BEGIN;
ALTER TABLE dbvc.change_event DISABLE TRIGGER ALL;
SAVEPOINT s;
-- fields 12 (server_version) and 67 (definition_version): u16 id, type 1, u32 8, int64
CREATE FUNCTION pg_temp.put(body bytea, field int, value bigint) RETURNS bytea LANGUAGE sql AS $$
SELECT overlay(body PLACING int8send(value) FROM position(decode(lpad(to_hex(field), 4, '0') || '0100000008', 'hex') IN body) + 7) $$;
UPDATE dbvc.change_event e SET body = pg_temp.put(body, 12, 140009), leaf_hash = dbvc.event_leaf_hash(pg_temp.put(body, 12, 140009)) FROM dbvc.snapshot s WHERE s.event_id = e.id AND s.id = :'first';
SELECT server_version FROM dbvc.snapshot WHERE id = :'first';
SELECT * FROM dbvc.snapshot_diff(:'first');
ROLLBACK TO s;
CREATE FUNCTION pg_temp.put(body bytea, field int, value bigint) RETURNS bytea LANGUAGE sql AS $$
SELECT overlay(body PLACING int8send(value) FROM position(decode(lpad(to_hex(field), 4, '0') || '0100000008', 'hex') IN body) + 7) $$;
UPDATE dbvc.change_event e SET body = pg_temp.put(body, 67, 99), leaf_hash = dbvc.event_leaf_hash(pg_temp.put(body, 67, 99)) FROM dbvc.snapshot s WHERE s.event_id = e.id AND s.id = :'first';
SELECT definition_version FROM dbvc.snapshot WHERE id = :'first';
SELECT count(*) > 0 AS readable FROM dbvc.snapshot_objects(:'first');
SELECT * FROM dbvc.snapshot_diff(:'first', :'third');
ROLLBACK;
\set VERBOSITY default

-- many ids in a second
SELECT count(DISTINCT id) AS ids, bool_and(id ~ '^snapshot_\d{8}_\d{6}(_\d+)?$') AS format FROM (SELECT dbvc.snapshot_capture() AS id FROM generate_series(1, 30)) t;
SELECT count(*) = count(DISTINCT id) AS unique FROM dbvc.snapshot;

-- EXECUTE is all that a caller needs, and the answer is the same for all
CREATE ROLE regress_dbvc_watcher;
CREATE TABLE regress_shop.secret (id int);
REVOKE ALL ON regress_shop.secret FROM PUBLIC;
REVOKE ALL ON SCHEMA regress_shop FROM PUBLIC;
SELECT encode(dbvc.snapshot_fingerprint("full" => true), 'hex') AS full \gset
SET ROLE regress_dbvc_watcher;
SELECT dbvc.snapshot_fingerprint();
RESET ROLE;
GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_watcher;
SET ROLE regress_dbvc_watcher;
SELECT dbvc.snapshot_fingerprint();
SELECT dbvc.snapshot_capture();
SELECT dbvc.snapshot_document();
SELECT * FROM dbvc.snapshot_diff('x');
SELECT * FROM dbvc.snapshot_drift();
SELECT * FROM dbvc.snapshot_objects();
SELECT * FROM dbvc.definition_of(0, 0);
SELECT * FROM dbvc.snapshot;
SELECT * FROM dbvc.definition;
RESET ROLE;
GRANT EXECUTE ON FUNCTION dbvc.snapshot_fingerprint, dbvc.snapshot_capture, dbvc.snapshot_document, dbvc.snapshot_drift, dbvc.snapshot_diff TO regress_dbvc_watcher;
SET ROLE regress_dbvc_watcher;
SET search_path = '';
SELECT encode(dbvc.snapshot_fingerprint("full" => true), 'hex') OPERATOR(pg_catalog.=) :'full' AS same, encode(dbvc.snapshot_fingerprint(), 'hex') OPERATOR(pg_catalog.=) :'full' AS same_again;
SELECT dbvc.snapshot_capture() AS watched \gset
SELECT dbvc.snapshot_document() OPERATOR(pg_catalog.->>) 'fingerprint' OPERATOR(pg_catalog.=) :'full' AS same;
SELECT count(*) FROM dbvc.snapshot_drift();
RESET search_path;
RESET ROLE;
SELECT captured_by FROM dbvc.snapshot WHERE id = :'watched';
REVOKE ALL ON ALL ROUTINES IN SCHEMA dbvc FROM regress_dbvc_watcher;
REVOKE ALL ON SCHEMA dbvc FROM regress_dbvc_watcher;
DROP ROLE regress_dbvc_watcher;

-- with the history intact
SELECT "check", ok, detail FROM dbvc.migration_verify() WHERE NOT ok;
DROP SCHEMA regress_shop CASCADE;
DROP SCHEMA "Regress "" q" CASCADE;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
