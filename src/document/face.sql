--
-- Adopted tables: which there are, and what their views and triggers call.
--

-- Columns are not listed: they are read off the view and the items table's
-- primary key, so that renaming them does no harm.
CREATE TABLE document (
	base regclass NOT NULL,
	face regclass NOT NULL,
	items regclass NOT NULL,
	parts jsonb NOT NULL,
	options jsonb NOT NULL DEFAULT '{}',
	state text COLLATE "C" NOT NULL DEFAULT 'adopted',
	adopted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	adopted_by name NOT NULL DEFAULT SESSION_USER,
	CONSTRAINT document_pkey PRIMARY KEY (base),
	CONSTRAINT document_face_key UNIQUE (face),
	CONSTRAINT document_items_key UNIQUE (items),
	CONSTRAINT document_state_check CHECK (state IN ('adopted', 'releasing'))
);
COMMENT ON TABLE document IS
'adopted tables: base, face and items of each, and how its documents are split';
SELECT pg_catalog.pg_extension_config_dump('document', '');

CREATE FUNCTION document_read(base regclass, document jsonb, doc_version bigint, xmin xid, VARIADIC key "any") RETURNS jsonb
AS 'MODULE_PATHNAME', 'dbvc_document_read' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION document_read(regclass, jsonb, bigint, xid, "any") IS
'the whole document of a row of an adopted table''s base; what its view calls';

CREATE FUNCTION document_face_trigger() RETURNS trigger
AS 'MODULE_PATHNAME', 'dbvc_document_face_trigger' LANGUAGE C;
COMMENT ON FUNCTION document_face_trigger() IS 'trigger that splits what is written to the view of an adopted table';

CREATE FUNCTION document_base_trigger() RETURNS trigger
AS 'MODULE_PATHNAME', 'dbvc_document_base_trigger' LANGUAGE C;
COMMENT ON FUNCTION document_base_trigger() IS 'trigger that counts the writes of a document and refuses what would tear it';

CREATE FUNCTION document_items_trigger() RETURNS trigger
AS 'MODULE_PATHNAME', 'dbvc_document_items_trigger' LANGUAGE C;
COMMENT ON FUNCTION document_items_trigger() IS 'trigger that refuses writes to items behind their document''s back';
