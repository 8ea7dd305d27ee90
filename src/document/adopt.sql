--
-- Taking a table in and giving it back.
--

CREATE FUNCTION document_adopt(source regclass, parts jsonb, doc name DEFAULT 'data', key name[] DEFAULT NULL,
	items name DEFAULT NULL, options jsonb DEFAULT '{}', base name DEFAULT NULL, dry_run boolean DEFAULT false,
	lock_timeout interval DEFAULT '2 seconds', lock_attempts integer DEFAULT 10,
	OUT step integer, OUT action text, OUT statement text) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_document_adopt' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 30;
COMMENT ON FUNCTION document_adopt(regclass, jsonb, name, name[], name, jsonb, name, boolean, interval, integer) IS
'put a table under the splitter: rename it, add a table of items, and put a view in its place that takes and gives whole documents; returns the steps';

CREATE FUNCTION document_refresh(source regclass, drop_columns name[] DEFAULT NULL, dry_run boolean DEFAULT false,
	lock_timeout interval DEFAULT '2 seconds', lock_attempts integer DEFAULT 10,
	OUT step integer, OUT action text, OUT statement text) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_document_refresh' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 30;
COMMENT ON FUNCTION document_refresh(regclass, name[], boolean, interval, integer) IS
'bring the view of an adopted table up to date with its base after ALTER TABLE, and take columns out of both; returns the steps';
