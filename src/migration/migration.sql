--
-- Registering, applying, rolling back.
--

CREATE FUNCTION migration_checksum(up_script text, down_script text DEFAULT NULL, verify_script text DEFAULT NULL,
	kind text DEFAULT 'versioned', transactional boolean DEFAULT NULL, requires text[] DEFAULT '{}') RETURNS bytea
AS 'MODULE_PATHNAME', 'dbvc_migration_checksum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION migration_checksum(text, text, text, text, boolean, text[]) IS
'SHA-256 over what makes a migration what it does; line endings and a byte order mark do not count';

CREATE FUNCTION migration_register(id text, up_script text, down_script text DEFAULT NULL, verify_script text DEFAULT NULL,
	description text DEFAULT NULL, author text DEFAULT NULL, requires text[] DEFAULT '{}', environments text[] DEFAULT NULL,
	kind text DEFAULT 'versioned', transactional boolean DEFAULT NULL, source bytea DEFAULT NULL, sort_key text DEFAULT NULL,
	keep boolean DEFAULT false) RETURNS migration
AS 'MODULE_PATHNAME', 'dbvc_migration_register' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_register(text, text, text, text, text, text, text[], text[], text, boolean, bytea, text, boolean) IS
'record a migration, or a new version of one that is not applied; nothing of it runs';

CREATE FUNCTION migration_accept(id text, up_script text, down_script text DEFAULT NULL, verify_script text DEFAULT NULL,
	description text DEFAULT NULL, author text DEFAULT NULL, requires text[] DEFAULT NULL, environments text[] DEFAULT NULL,
	kind text DEFAULT NULL, transactional boolean DEFAULT NULL, source bytea DEFAULT NULL, sort_key text DEFAULT NULL,
	reason text DEFAULT NULL, exact boolean DEFAULT false) RETURNS migration
AS 'MODULE_PATHNAME', 'dbvc_migration_accept' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_accept(text, text, text, text, text, text, text[], text[], text, boolean, bytea, text, text, boolean) IS
'record a content as what is applied, without running it, with a reason';

CREATE FUNCTION migration_baseline(id text, reason text) RETURNS integer
AS 'MODULE_PATHNAME', 'dbvc_migration_baseline' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_baseline(text, text) IS
'record everything pending up to a migration as applied, without running it; returns how many';

CREATE FUNCTION migration_withdraw(id text, reason text) RETURNS void
AS 'MODULE_PATHNAME', 'dbvc_migration_withdraw' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_withdraw(text, text) IS
'take a migration out of what is to be applied and compared, because its file is gone for good';

CREATE FUNCTION migration_compare(ids text[], up_scripts text[], down_scripts text[] DEFAULT NULL,
	verify_scripts text[] DEFAULT NULL, kinds text[] DEFAULT NULL, transactional boolean[] DEFAULT NULL,
	sources bytea[] DEFAULT NULL, sort_keys text[] DEFAULT NULL, present text[] DEFAULT NULL,
	OUT id text, OUT verdict text, OUT register boolean, OUT pending boolean, OUT detail text, OUT checksum text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_migration_compare' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_compare(text[], text[], text[], text[], text[], boolean[], bytea[], text[], text[]) IS
'compare contents with what is registered and applied, one row each; records those that were changed after they were applied';

CREATE FUNCTION migration_reset(id text, reason text) RETURNS void
AS 'MODULE_PATHNAME', 'dbvc_migration_reset' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_reset(text, text) IS
'forget the executed statements of an unfinished run in steps, after a person has undone them';

CREATE FUNCTION migration_apply(id text, dry_run boolean DEFAULT false) RETURNS migration_run
AS 'MODULE_PATHNAME', 'dbvc_migration_apply' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_apply(text, boolean) IS
'apply one migration in the caller''s transaction; if that is rolled back, so is the record';

CREATE FUNCTION migration_rollback(id text, dry_run boolean DEFAULT false) RETURNS migration_run
AS 'MODULE_PATHNAME', 'dbvc_migration_rollback' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_rollback(text, boolean) IS
'roll back one migration in the caller''s transaction, by the down script of the version that is applied';

CREATE FUNCTION migration_plan(target text DEFAULT NULL, out_of_order boolean DEFAULT false,
	OUT "position" integer, OUT id text, OUT version bigint, OUT action text, OUT why text, OUT kind text,
	OUT checksum text, OUT author text, OUT registered_by text, OUT registered_at timestamptz, OUT plan_hash text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_migration_plan' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_plan(text, boolean) IS
'what CALL dbvc.migrate() would do, in order, and the hash of it for its argument expect';

CREATE TYPE migration_check AS (id text, "check" text, ok boolean, detail text);
COMMENT ON TYPE migration_check IS 'one answer of migration_verify()';

CREATE FUNCTION migration_verify(id text DEFAULT NULL, scripts boolean DEFAULT true, reversal boolean DEFAULT false)
RETURNS SETOF migration_check
AS 'MODULE_PATHNAME', 'dbvc_migration_verify' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_verify(text, boolean, boolean) IS
'recompute hashes and checksums of one migration or of all, run verify scripts, each as the role that applied the migration, and with reversal prove that up and down scripts take back each other; in a rolled-back subtransaction';

CREATE PROCEDURE migrate(target text DEFAULT NULL, dry_run boolean DEFAULT false, out_of_order boolean DEFAULT false,
	expect text DEFAULT NULL, progress boolean DEFAULT false, rehearse boolean DEFAULT false)
AS 'MODULE_PATHNAME', 'dbvc_migrate' LANGUAGE C;
COMMENT ON PROCEDURE migrate(text, boolean, boolean, text, boolean, boolean) IS
'apply all pending migrations, or those up to a target, each in its own transaction; with rehearse only if its down script takes back what it does';

CREATE PROCEDURE rollback(target text DEFAULT NULL, steps integer DEFAULT NULL, dry_run boolean DEFAULT false,
	progress boolean DEFAULT false)
AS 'MODULE_PATHNAME', 'dbvc_rollback' LANGUAGE C;
COMMENT ON PROCEDURE rollback(text, integer, boolean, boolean) IS
'roll back the last migration, the last so many, or all after a target, newest first, each in its own transaction';
