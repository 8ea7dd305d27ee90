--
-- Before anything else: the schema must not be somebody else's.
--

CREATE FUNCTION install_check() RETURNS void
AS 'MODULE_PATHNAME', 'dbvc_install_check' LANGUAGE C;
SELECT dbvc.install_check();
DROP FUNCTION install_check();

CREATE FUNCTION dbvc.version() RETURNS text
AS 'MODULE_PATHNAME', 'dbvc_version' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION dbvc.version() IS 'version of the loaded dbvc library';
