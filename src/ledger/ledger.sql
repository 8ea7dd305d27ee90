--
-- The ledger: one append-only table holds all history.
--

CREATE TABLE incarnation (
	inc bigint NOT NULL,
	system_identifier bigint NOT NULL,
	xid xid8 NOT NULL,
	started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE incarnation IS
'Clusters this history has lived in: transaction ids of an event are those of its incarnation';
SELECT pg_catalog.pg_extension_config_dump('incarnation', '');

-- Fields of an event body, by name

CREATE FUNCTION event_text(body bytea, field text) RETURNS text
AS 'MODULE_PATHNAME', 'dbvc_event_field_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION event_text(bytea, text) IS
'text field of an event body, NULL when absent';

CREATE FUNCTION event_bigint(body bytea, field text) RETURNS bigint
AS 'MODULE_PATHNAME', 'dbvc_event_field_bigint' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION event_bigint(bytea, text) IS
'integer field of an event body, NULL when absent';

CREATE FUNCTION event_time(body bytea, field text) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'dbvc_event_field_time' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION event_time(bytea, text) IS
'time field of an event body, NULL when absent';

CREATE FUNCTION event_bytea(body bytea, field text) RETURNS bytea
AS 'MODULE_PATHNAME', 'dbvc_event_field_bytea' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION event_bytea(bytea, text) IS
'hash or commitment of an event body, NULL when absent';

CREATE FUNCTION event_boolean(body bytea, field text) RETURNS boolean
AS 'MODULE_PATHNAME', 'dbvc_event_field_boolean' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION event_boolean(bytea, text) IS
'boolean field of an event body, NULL when absent';

CREATE FUNCTION event_list(body bytea, field text) RETURNS text[]
AS 'MODULE_PATHNAME', 'dbvc_event_field_list' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION event_list(bytea, text) IS
'list field of an event body, NULL when absent';

CREATE FUNCTION event_leaf_hash(body bytea) RETURNS bytea
AS 'MODULE_PATHNAME', 'dbvc_event_leaf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION event_leaf_hash(bytea) IS
'SHA-256 of a zero byte and the event body: the leaf hash of RFC 6962';

-- event_type and migration_id repeat what the body says, so that events can be
-- read and indexed; migration_verify() compares them with it.
CREATE TABLE change_event (
	id bigint GENERATED ALWAYS AS IDENTITY,
	inc bigint NOT NULL,
	xid xid8 NOT NULL,
	body bytea NOT NULL,
	leaf_hash bytea NOT NULL,
	event_type text COLLATE "C" NOT NULL,
	migration_id text COLLATE "C",
	CONSTRAINT change_event_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE change_event IS
'the history: one append-only record per change event, its canonical body and the hash of it';
ALTER TABLE change_event ALTER COLUMN body SET STORAGE MAIN;
CREATE INDEX change_event_migration_idx ON change_event (migration_id, id);
SELECT pg_catalog.pg_extension_config_dump('change_event', '');
SELECT pg_catalog.pg_extension_config_dump('change_event_id_seq', '');

CREATE TABLE change_event_text (
	event_id bigint NOT NULL,
	field text COLLATE "C" NOT NULL,
	salt bytea NOT NULL,
	content text NOT NULL,
	CONSTRAINT change_event_text_pkey PRIMARY KEY (event_id, field)
);
COMMENT ON TABLE change_event_text IS
'texts of events that may have to be erased one day: the body holds SHA-256(salt, text), so the proof survives';
SELECT pg_catalog.pg_extension_config_dump('change_event_text', '');

CREATE FUNCTION event_guard() RETURNS trigger
AS 'MODULE_PATHNAME', 'dbvc_event_guard' LANGUAGE C;
COMMENT ON FUNCTION event_guard() IS 'trigger that refuses UPDATE, DELETE and TRUNCATE of history';

CREATE TRIGGER change_event_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON change_event
FOR EACH STATEMENT EXECUTE FUNCTION event_guard();
ALTER TABLE change_event ENABLE ALWAYS TRIGGER change_event_guard;

CREATE TRIGGER change_event_text_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON change_event_text
FOR EACH STATEMENT EXECUTE FUNCTION event_guard();
ALTER TABLE change_event_text ENABLE ALWAYS TRIGGER change_event_text_guard;

CREATE TRIGGER incarnation_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON incarnation
FOR EACH STATEMENT EXECUTE FUNCTION event_guard();
ALTER TABLE incarnation ENABLE ALWAYS TRIGGER incarnation_guard;
