--
-- Documents by key, and items one by one.
--

CREATE FUNCTION document_get(source regclass, key text[]) RETURNS jsonb
AS 'MODULE_PATHNAME', 'dbvc_document_get' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION document_get(regclass, text[]) IS
'the whole document with this key, or NULL';

CREATE FUNCTION document_etag(source regclass, key text[]) RETURNS bigint
AS 'MODULE_PATHNAME', 'dbvc_document_etag' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION document_etag(regclass, text[]) IS
'the version of the document with this key: raised by every write of it; 0 if it has never been split, NULL if there is none';

CREATE FUNCTION document_put(source regclass, key text[], doc jsonb, etag bigint DEFAULT NULL) RETURNS bigint
AS 'MODULE_PATHNAME', 'dbvc_document_put' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION document_put(regclass, text[], jsonb, bigint) IS
'insert or replace a document: only if its version is the one given (-1: if there is none); its new version';

CREATE FUNCTION document_patch(source regclass, key text[], patch jsonb, etag bigint DEFAULT NULL) RETURNS bigint
AS 'MODULE_PATHNAME', 'dbvc_document_patch' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION document_patch(regclass, text[], jsonb, bigint) IS
'change a document by a JSON Merge Patch: null removes, objects merge, all else replaces; its new version';

CREATE FUNCTION item_save(source regclass, key text[], type text, data jsonb, item_id text DEFAULT NULL) RETURNS text
AS 'MODULE_PATHNAME', 'dbvc_item_save' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION item_save(regclass, text[], text, jsonb, text) IS
'replace the item of a document that has this id, or insert it at the end; its id';

CREATE FUNCTION item_save_batch(source regclass, key text[], items jsonb, on_error text DEFAULT 'abort',
	OUT item integer, OUT type text, OUT item_id text, OUT action text, OUT sqlstate text, OUT message text) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_item_save_batch' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION item_save_batch(regclass, text[], jsonb, text) IS
'save any number of items, [{"type": ..., "data": ..., "item_id": ...}], of one document: all or none, or skip those that cannot be saved';

CREATE FUNCTION item_get(source regclass, key text[], type text DEFAULT NULL, after text DEFAULT NULL, max integer DEFAULT NULL,
	OUT type text, OUT item_id text, OUT ord bigint, OUT data jsonb, OUT version bigint,
	OUT created_at timestamptz, OUT updated_at timestamptz, OUT "position" text) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_item_get' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION item_get(regclass, text[], text, text, integer) IS
'items of a document by type, in order; after: the position of the last one seen';

CREATE FUNCTION item_delete(source regclass, key text[], type text, item_id text) RETURNS boolean
AS 'MODULE_PATHNAME', 'dbvc_item_delete' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION item_delete(regclass, text[], text, text) IS
'delete an item, softly if the table was adopted so; was there one?';

CREATE FUNCTION item_restore(source regclass, key text[], type text, item_id text) RETURNS boolean
AS 'MODULE_PATHNAME', 'dbvc_item_restore' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION item_restore(regclass, text[], text, text) IS
'bring a softly deleted item back to its place; was there one?';
