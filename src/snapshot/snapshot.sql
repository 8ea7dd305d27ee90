--
-- Snapshots: the schema at a point in time, kept once per content.
--

CREATE TABLE definition (
	hash bytea NOT NULL,
	body text COLLATE "C" NOT NULL,
	CONSTRAINT definition_pkey PRIMARY KEY (hash)
);
COMMENT ON TABLE definition IS
'definitions of objects, each content once: canonical JSON under the SHA-256 of its UTF-8 bytes';
SELECT pg_catalog.pg_extension_config_dump('definition', '');

CREATE TABLE snapshot_page (
	hash bytea NOT NULL,
	body bytea NOT NULL,
	CONSTRAINT snapshot_page_pkey PRIMARY KEY (hash)
);
ALTER TABLE snapshot_page ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE snapshot_page IS
'lists of snapshots in pages, each content once, under the SHA-256 of it: equal stretches of two lists are the same pages';
SELECT pg_catalog.pg_extension_config_dump('snapshot_page', '');

-- A cache, so it is not dumped: what the last snapshot saw, to tell what has changed since.
CREATE TABLE snapshot_state (
	id bigint GENERATED ALWAYS AS IDENTITY,
	sums bytea NOT NULL,
	root bytea NOT NULL,
	CONSTRAINT snapshot_state_pkey PRIMARY KEY (id)
);
ALTER TABLE snapshot_state ALTER COLUMN sums SET STORAGE EXTERNAL;
COMMENT ON TABLE snapshot_state IS
'sums over the catalog rows of each object as the last snapshot saw them, and its list: a cache that may be emptied';

CREATE TRIGGER definition_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON definition
FOR EACH STATEMENT EXECUTE FUNCTION event_guard();
ALTER TABLE definition ENABLE ALWAYS TRIGGER definition_guard;

CREATE TRIGGER snapshot_page_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON snapshot_page
FOR EACH STATEMENT EXECUTE FUNCTION event_guard();
ALTER TABLE snapshot_page ENABLE ALWAYS TRIGGER snapshot_page_guard;

-- Few events are snapshots: these two cost the others nothing.
CREATE UNIQUE INDEX change_event_snapshot_id_idx ON change_event ((dbvc.event_text(body, 'snapshot_id')) COLLATE "C")
WHERE event_type = 'snapshot';
CREATE INDEX change_event_snapshot_idx ON change_event (id) WHERE event_type = 'snapshot';

CREATE VIEW snapshot AS
SELECT dbvc.event_text(e.body, 'snapshot_id') COLLATE "C" AS id,
	t.content AS label,
	dbvc.event_time(e.body, 'created_at') AS captured_at,
	dbvc.event_text(e.body, 'role') AS captured_by,
	dbvc.event_bytea(e.body, 'fingerprint') AS fingerprint,
	dbvc.event_bigint(e.body, 'objects') AS objects,
	dbvc.event_list(e.body, 'schemas') AS schemas,
	dbvc.event_boolean(e.body, 'settings') AS settings,
	dbvc.event_bigint(e.body, 'server_version') AS server_version,
	dbvc.event_bigint(e.body, 'definition_version') AS definition_version,
	dbvc.event_text(e.body, 'database_id') AS database_id,
	dbvc.event_text(e.body, 'environment') AS environment,
	e.id AS event_id
FROM dbvc.change_event e
LEFT JOIN dbvc.change_event_text t ON t.event_id = e.id AND t.field = 'label'
WHERE e.event_type = 'snapshot';
COMMENT ON VIEW snapshot IS
'one row a snapshot: when and by whom it was taken, of what, and its fingerprint';

CREATE FUNCTION definition_of(classid oid, objid oid, objsubid integer DEFAULT 0,
	OUT object_type text, OUT identity text, OUT hash bytea, OUT body jsonb) RETURNS record
AS 'MODULE_PATHNAME', 'dbvc_definition_of' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION definition_of(oid, oid, integer) IS
'definition of one database object as it is now; nulls when it is no object of a snapshot';

CREATE FUNCTION snapshot_capture(label text DEFAULT NULL, schemas text[] DEFAULT NULL, settings boolean DEFAULT false) RETURNS text
AS 'MODULE_PATHNAME', 'dbvc_snapshot_capture' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION snapshot_capture(text, text[], boolean) IS
'keep the schema as it is now, all of it or some schemas, and return the snapshot''s id';

CREATE FUNCTION snapshot_fingerprint(schemas text[] DEFAULT NULL, settings boolean DEFAULT false, "full" boolean DEFAULT false) RETURNS bytea
AS 'MODULE_PATHNAME', 'dbvc_snapshot_fingerprint' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION snapshot_fingerprint(text[], boolean, boolean) IS
'fingerprint of the schema as it is now; nothing is written';

CREATE FUNCTION snapshot_diff(from_snapshot text, to_snapshot text DEFAULT NULL, detail boolean DEFAULT false,
	OUT change text, OUT object_type text, OUT identity text, OUT attribute text, OUT before jsonb, OUT after jsonb)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_snapshot_diff' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION snapshot_diff(text, text, boolean) IS
'what differs between two snapshots, or between one and the schema as it is now';

CREATE FUNCTION snapshot_drift(detail boolean DEFAULT false,
	OUT change text, OUT object_type text, OUT identity text, OUT attribute text, OUT before jsonb, OUT after jsonb)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_snapshot_drift' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION snapshot_drift(boolean) IS
'what has changed since the newest snapshot of all schemas; records that there is something';

CREATE FUNCTION snapshot_document(snapshot text DEFAULT NULL) RETURNS jsonb
AS 'MODULE_PATHNAME', 'dbvc_snapshot_document' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION snapshot_document(text) IS
'a snapshot, or the newest, as one JSON document';

CREATE FUNCTION snapshot_objects(snapshot text DEFAULT NULL,
	OUT object_type text, OUT identity text, OUT schema text, OUT parent text, OUT hash bytea) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_snapshot_objects' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION snapshot_objects(text) IS
'objects of a snapshot, or of the newest, and the hashes of their definitions';
