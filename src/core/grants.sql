--
-- Nobody may do anything until it is granted: docs/security.md has the recipes.
--

REVOKE ALL ON SCHEMA dbvc FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA dbvc FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA dbvc FROM PUBLIC;
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA dbvc FROM PUBLIC;

-- ... not even those whom the installing role's default privileges name
CREATE FUNCTION install_revoke() RETURNS void
AS 'MODULE_PATHNAME', 'dbvc_install_revoke' LANGUAGE C;
SELECT dbvc.install_revoke();
DROP FUNCTION install_revoke();

-- Pure functions, which views need from whoever reads them
GRANT EXECUTE ON FUNCTION dbvc.version(), event_text(bytea, text), event_bigint(bytea, text), event_time(bytea, text),
	event_bytea(bytea, text), event_boolean(bytea, text), event_list(bytea, text), event_leaf_hash(bytea),
	migration_checksum(text, text, text, text, boolean, text[]), document_parts(jsonb), document_slim(jsonb, jsonb),
	document_items(jsonb, jsonb), document_combine(jsonb, jsonb, text[], jsonb[]), document_diff(text[], bigint[], jsonb[], jsonb),
	document_merge(jsonb, jsonb, jsonb, jsonb), document_same_bytes(jsonb, jsonb),
	document_read(regclass, jsonb, bigint, xid, "any")
TO PUBLIC;
