--
-- Documents: arrays of a legacy jsonb document as items, and back.
--

CREATE FUNCTION document_parts(parts jsonb) RETURNS jsonb
AS 'MODULE_PATHNAME', 'dbvc_document_parts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION document_parts(jsonb) IS
'check which parts of a document are to be split, {"path": "type"}, and return them in one form for all ways to write them';

CREATE FUNCTION document_slim(document jsonb, parts jsonb) RETURNS jsonb
AS 'MODULE_PATHNAME', 'dbvc_document_slim' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION document_slim(jsonb, jsonb) IS
'the document with an empty array in place of every array of its parts';

CREATE FUNCTION document_items(document jsonb, parts jsonb,
	OUT type text, OUT item_id text, OUT ord bigint, OUT data jsonb) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_document_items' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION document_items(jsonb, jsonb) IS
'the elements of the arrays of the document''s parts, one row each, in order';

CREATE FUNCTION document_combine(slim jsonb, parts jsonb, types text[], items jsonb[]) RETURNS jsonb
AS 'MODULE_PATHNAME', 'dbvc_document_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION document_combine(jsonb, jsonb, text[], jsonb[]) IS
'the whole document, byte for byte, of what document_slim and document_items made of it; items of a type come in the order given';

CREATE FUNCTION document_diff(item_ids text[], ords bigint[], items jsonb[], elements jsonb,
	OUT action text, OUT item_id text, OUT ord bigint, OUT data jsonb) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_document_diff' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION document_diff(text[], bigint[], jsonb[], jsonb) IS
'the fewest writes that make an array''s items, given in order, those of its new elements: delete, move, update, insert';

CREATE FUNCTION document_merge(old_document jsonb, new_document jsonb, current_document jsonb, parts jsonb) RETURNS jsonb
AS 'MODULE_PATHNAME', 'dbvc_document_merge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION document_merge(jsonb, jsonb, jsonb, jsonb) IS
'what changed between the old and the new document, made to the current one: the document, or the conflicts, and the writes by type';

CREATE FUNCTION document_same_bytes(a jsonb, b jsonb) RETURNS boolean
AS 'MODULE_PATHNAME', 'dbvc_document_same_bytes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION document_same_bytes(jsonb, jsonb) IS
'are the two stored in the same bytes? Then they have the same text; = finds 1 and 1.0 equal, this does not';
