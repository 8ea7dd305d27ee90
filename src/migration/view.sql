--
-- What history says, as tables.
--

CREATE VIEW migration_version AS
SELECT e.migration_id AS id,
	dbvc.event_bigint(e.body, 'version') AS version,
	dbvc.event_bytea(e.body, 'checksum') AS checksum,
	dbvc.event_bigint(e.body, 'checksum_version') AS checksum_version,
	dbvc.event_text(e.body, 'kind') AS kind,
	dbvc.event_boolean(e.body, 'transactional') AS transactional,
	COALESCE(dbvc.event_list(e.body, 'requires'), '{}') AS requires,
	dbvc.event_list(e.body, 'environments') AS environments,
	dbvc.event_text(e.body, 'author') AS author,
	dbvc.event_text(e.body, 'sort_key') AS sort_key,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'description') AS description,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'up_script') AS up_script,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'down_script') AS down_script,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'verify_script') AS verify_script,
	dbvc.event_bytea(e.body, 'source_hash') AS source_hash,
	e.event_type,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'reason') AS reason,
	dbvc.event_text(e.body, 'role') AS registered_by,
	dbvc.event_text(e.body, 'session_user') AS registered_session_user,
	dbvc.event_time(e.body, 'created_at') AS registered_at,
	dbvc.event_text(e.body, 'database_id') AS database_id,
	dbvc.event_text(e.body, 'environment') AS environment,
	e.id AS event_id
FROM dbvc.change_event e
WHERE e.event_type IN ('registered', 'accepted') AND e.migration_id IS NOT NULL;
COMMENT ON VIEW migration_version IS
'every registered or accepted content of every migration; scripts included, so grant it with care';

CREATE VIEW migration AS
SELECT v.* FROM dbvc.migration_state s JOIN dbvc.migration_version v ON v.event_id = s.version_event;
COMMENT ON VIEW migration IS
'the newest version of every migration; scripts included, so grant it with care';

CREATE VIEW migration_run AS
SELECT e.id AS event_id,
	e.migration_id AS id,
	dbvc.event_text(e.body, 'direction') AS direction,
	CASE e.event_type
		WHEN 'completed' THEN 'applied'
		WHEN 'rolled_back' THEN 'rolled back'
		WHEN 'failed' THEN 'failed'
		WHEN 'interrupted' THEN 'interrupted'
		ELSE CASE WHEN EXISTS (
				SELECT 1 FROM pg_catalog.pg_locks l, pg_catalog.pg_extension x
				WHERE x.extname = 'dbvc' AND l.locktype = 'object' AND l.granted AND l.objsubid = 1
				AND l.classid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND l.objid = x.oid
				AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
				AND l.pid = dbvc.event_bigint(e.body, 'pid'))
			THEN 'running' ELSE 'interrupted' END
		END AS status,
	dbvc.event_bigint(e.body, 'version') AS version,
	dbvc.event_text(e.body, 'scope') AS scope,
	dbvc.event_time(e.body, 'started_at') AS started_at,
	CASE WHEN e.event_type NOT IN ('started', 'interrupted') THEN dbvc.event_time(e.body, 'created_at') END AS completed_at,
	dbvc.event_text(e.body, 'session_user') AS session_username,
	dbvc.event_text(e.body, 'role') AS role,
	dbvc.event_text(e.body, 'client_addr') AS client_addr,
	dbvc.event_text(e.body, 'application_name') AS application_name,
	e.xid AS txid,
	dbvc.event_bigint(e.body, 'server_version') AS server_version,
	dbvc.event_text(e.body, 'environment') AS environment,
	dbvc.event_bigint(e.body, 'statements') AS statements,
	dbvc.event_text(e.body, 'error_sqlstate') AS error_sqlstate,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'error_message') AS error_message,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'error_detail') AS error_detail,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'error_hint') AS error_hint,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'error_context') AS error_context,
	dbvc.event_bigint(e.body, 'error_statement') AS error_statement,
	dbvc.event_bigint(e.body, 'error_line') AS error_line,
	dbvc.event_bigint(e.body, 'error_column') AS error_column,
	dbvc.event_bytea(e.body, 'plan_hash') AS plan_hash
FROM dbvc.change_event e
WHERE e.migration_id IS NOT NULL AND (
	e.event_type IN ('completed', 'rolled_back', 'failed', 'interrupted')
	OR e.event_type = 'started' AND NOT EXISTS (
		SELECT 1 FROM dbvc.change_event f
		WHERE f.migration_id = e.migration_id AND f.id > e.id
		AND f.event_type IN ('completed', 'rolled_back', 'failed', 'interrupted')
		AND dbvc.event_bigint(f.body, 'started_event') = e.id));
COMMENT ON VIEW migration_run IS
'one row a run of a migration, in either direction, with who, when, from where and how it ended';

CREATE VIEW migration_dry_run AS
SELECT e.id AS event_id,
	e.migration_id AS id,
	dbvc.event_text(e.body, 'direction') AS direction,
	dbvc.event_bigint(e.body, 'version') AS version,
	dbvc.event_text(e.body, 'error_sqlstate') IS NULL AS ok,
	dbvc.event_bigint(e.body, 'statements') AS statements,
	dbvc.event_text(e.body, 'detail') AS detail,
	dbvc.event_time(e.body, 'started_at') AS started_at,
	dbvc.event_text(e.body, 'role') AS role,
	dbvc.event_text(e.body, 'error_sqlstate') AS error_sqlstate,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'error_message') AS error_message,
	dbvc.event_bigint(e.body, 'error_line') AS error_line,
	l.relation, l.mode, l.statement, l.ms
FROM dbvc.change_event e
LEFT JOIN LATERAL pg_catalog.jsonb_to_recordset(dbvc.event_text(e.body, 'locks')::pg_catalog.jsonb)
	AS l(relation text, mode text, statement int, ms numeric) ON true
WHERE e.event_type = 'dry_run' AND e.migration_id IS NOT NULL;
COMMENT ON VIEW migration_dry_run IS
'dry runs, one row for each lock they took on a relation that was there before: mode, first statement, milliseconds held';

CREATE VIEW migration_rehearsal AS
SELECT e.id AS event_id,
	e.migration_id AS id,
	dbvc.event_text(e.body, 'direction') AS direction,
	dbvc.event_bigint(e.body, 'version') AS version,
	dbvc.event_text(e.body, 'error_sqlstate') IS NULL AS ok,
	dbvc.event_time(e.body, 'started_at') AS started_at,
	dbvc.event_time(e.body, 'created_at') AS completed_at,
	dbvc.event_text(e.body, 'role') AS role,
	dbvc.event_text(e.body, 'error_sqlstate') AS error_sqlstate,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'error_message') AS error_message,
	(SELECT t.content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND t.field = 'error_detail') AS error_detail,
	dbvc.event_bigint(e.body, 'error_statement') AS error_statement,
	dbvc.event_bigint(e.body, 'error_line') AS error_line
FROM dbvc.change_event e
WHERE e.event_type = 'rehearsed' AND e.migration_id IS NOT NULL;
COMMENT ON VIEW migration_rehearsal IS
'proofs of reversal: whether the script of that direction took back what the other one had done, and what differed';

-- The place of each migration in the order; used by migration_status.
CREATE FUNCTION migration_order(OUT id text, OUT "position" integer) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_migration_order' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION migration_order() IS
'all migrations in the order in which they are applied: by requires, ties in natural order, repeatables last';

CREATE VIEW migration_status AS
SELECT s.id,
	CASE
		WHEN s.outcome = 'started' THEN (SELECT r.status FROM dbvc.migration_run r WHERE r.event_id = s.run_event)
		WHEN s.withdrawn THEN 'withdrawn'
		WHEN s.outcome = 'failed' THEN 'failed'
		WHEN s.applied_version IS NOT NULL AND s.pending THEN 'changed'
		WHEN s.applied_version IS NOT NULL THEN 'applied'
		WHEN s.environments IS NOT NULL
			AND COALESCE(pg_catalog.current_setting('dbvc.environment', true), '') <> ALL (s.environments) THEN 'skipped'
		WHEN s.outcome = 'rolled_back' THEN 'rolled back'
		WHEN s.kind = 'baseline' AND l.any_applied THEN 'skipped'
		WHEN s.kind = 'versioned' AND o."position" < l.last_applied THEN 'out of order'
		ELSE 'pending'
	END AS status,
	s.version,
	s.kind,
	s.applied_version,
	pg_catalog.encode(s.checksum, 'hex') AS checksum,
	dbvc.event_text(v.body, 'author') AS author,
	dbvc.event_text(v.body, 'role') AS registered_by,
	dbvc.event_time(v.body, 'created_at') AS registered_at,
	dbvc.event_text(a.body, 'role') AS applied_by,
	dbvc.event_time(a.body, 'created_at') AS applied_at,
	dbvc.event_time(a.body, 'created_at') - dbvc.event_time(a.body, 'started_at') AS duration,
	a.event_type AS applied_how,
	pg_catalog.concat_ws(', ',
		CASE WHEN dbvc.event_bytea(COALESCE(av.body, v.body), 'down_script') IS NULL THEN 'no down script' END,
		CASE WHEN s.environments IS NOT NULL
			AND COALESCE(pg_catalog.current_setting('dbvc.environment', true), '') <> ALL (s.environments)
			THEN 'not for this environment' END) AS note,
	CASE WHEN s.outcome IN ('failed', 'started') THEN s.steps_done END AS steps_done,
	dbvc.event_text(r.body, 'error_sqlstate') AS error_sqlstate,
	dbvc.event_bigint(r.body, 'error_line') AS error_line,
	s.requires,
	s.environments,
	o."position"
FROM dbvc.migration_state s
JOIN dbvc.migration_order() o ON o.id = s.id
JOIN dbvc.change_event v ON v.id = s.version_event
LEFT JOIN dbvc.change_event a ON a.id = s.applied_event
LEFT JOIN dbvc.change_event av ON av.id = s.applied_version_event
LEFT JOIN dbvc.change_event r ON r.id = s.run_event
CROSS JOIN (SELECT pg_catalog.max(p."position") FILTER (WHERE NOT q.withdrawn) AS last_applied,
		pg_catalog.count(*) > 0 AS any_applied
	FROM dbvc.migration_order() p JOIN dbvc.migration_state q ON q.id = p.id
	WHERE q.applied_version IS NOT NULL AND q.kind <> 'repeatable') l
ORDER BY o."position";
COMMENT ON VIEW migration_status IS
'one row a migration, in order: its status, newest version, who registered and who applied it, when and how long';

-- The same as migration_state, from the events alone.
CREATE VIEW migration_state_derived AS
WITH newest AS (
	SELECT DISTINCT ON (e.migration_id) e.migration_id AS id, e.id AS event_id, e.body
	FROM dbvc.change_event e WHERE e.event_type IN ('registered', 'accepted') AND e.migration_id IS NOT NULL
	ORDER BY e.migration_id, e.id DESC
), applied AS (
	SELECT DISTINCT ON (e.migration_id) e.migration_id AS id, e.id AS event_id, e.event_type, e.body
	FROM dbvc.change_event e
	WHERE e.event_type IN ('completed', 'accepted', 'baselined', 'rolled_back') AND e.migration_id IS NOT NULL
	ORDER BY e.migration_id, e.id DESC
), streak AS ( -- since it was last rolled back: what applied it, or was accepted in its place
	SELECT e.migration_id AS id, COALESCE(
		pg_catalog.max(e.id) FILTER (WHERE e.event_type <> 'accepted'), pg_catalog.min(e.id)) AS event_id
	FROM dbvc.change_event e
	WHERE e.event_type IN ('completed', 'accepted', 'baselined') AND e.migration_id IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM dbvc.change_event b
		WHERE b.migration_id = e.migration_id AND b.event_type = 'rolled_back' AND b.id > e.id)
	GROUP BY e.migration_id
), ended AS (
	SELECT DISTINCT ON (e.migration_id) e.migration_id AS id, e.id AS event_id, e.event_type
	FROM dbvc.change_event e
	WHERE e.event_type IN ('completed', 'accepted', 'baselined', 'rolled_back', 'failed', 'started', 'reset')
	AND e.migration_id IS NOT NULL
	ORDER BY e.migration_id, e.id DESC
), step AS (
	SELECT DISTINCT ON (e.migration_id) e.migration_id AS id, e.id AS event_id, e.event_type, e.body
	FROM dbvc.change_event e
	WHERE e.event_type IN ('completed', 'baselined', 'rolled_back', 'reset', 'step_completed')
	AND e.migration_id IS NOT NULL
	ORDER BY e.migration_id, e.id DESC
), withdrawn AS (
	SELECT e.migration_id AS id, pg_catalog.max(e.id) AS event_id
	FROM dbvc.change_event e WHERE e.event_type = 'withdrawn' AND e.migration_id IS NOT NULL
	GROUP BY e.migration_id
)
SELECT n.id,
	dbvc.event_bigint(n.body, 'version') AS version,
	n.event_id AS version_event,
	dbvc.event_bytea(n.body, 'checksum') AS checksum,
	dbvc.event_text(n.body, 'kind') AS kind,
	COALESCE(dbvc.event_list(n.body, 'requires'), '{}') AS requires,
	dbvc.event_list(n.body, 'environments') AS environments,
	dbvc.event_bigint(a.body, 'version') AS applied_version,
	(SELECT v.id FROM dbvc.change_event v
		WHERE v.migration_id = a.id AND v.event_type IN ('registered', 'accepted')
		AND dbvc.event_bigint(v.body, 'version') = dbvc.event_bigint(a.body, 'version')) AS applied_version_event,
	CASE WHEN a.id IS NOT NULL THEN k.event_id END AS applied_event,
	dbvc.event_bytea(a.body, 'checksum') AS applied_checksum,
	r.event_type AS outcome,
	r.event_id AS run_event,
	dbvc.event_text(p.body, 'direction') AS steps_direction,
	dbvc.event_bigint(p.body, 'statements') AS steps_done,
	dbvc.event_bytea(p.body, 'done_hash') AS steps_hash,
	COALESCE(w.event_id > n.event_id, false) AS withdrawn,
	dbvc.event_text(n.body, 'sort_key') COLLATE "C" AS sort_key,
	COALESCE(w.event_id < n.event_id, true) AND CASE dbvc.event_text(n.body, 'kind')
		WHEN 'repeatable' THEN dbvc.event_bytea(a.body, 'checksum') IS DISTINCT FROM dbvc.event_bytea(n.body, 'checksum')
		ELSE a.id IS NULL END AS pending
FROM newest n
LEFT JOIN applied a ON a.id = n.id AND a.event_type <> 'rolled_back'
LEFT JOIN streak k ON k.id = n.id
LEFT JOIN ended r ON r.id = n.id
LEFT JOIN withdrawn w ON w.id = n.id
LEFT JOIN step p ON p.id = n.id AND p.event_type = 'step_completed'
	-- an acceptance puts an end to unfinished steps upwards, not downwards
	AND NOT (dbvc.event_text(p.body, 'direction') = 'up' AND EXISTS (SELECT 1 FROM dbvc.change_event c
		WHERE c.migration_id = p.id AND c.event_type = 'accepted' AND c.id > p.event_id));
COMMENT ON VIEW migration_state_derived IS
'what migration_state should hold, computed from the events alone';

CREATE FUNCTION migration_state_rebuild() RETURNS void
AS 'MODULE_PATHNAME', 'dbvc_migration_state_rebuild' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migration_state_rebuild() IS
'make migration_state anew from the events';

CREATE VIEW version_control AS
SELECT 'migration'::text AS entity_type, m.id, pg_catalog.jsonb_build_object(
	'id', m.id,
	'migrationId', m.id,
	'databaseId', m.database_id,
	'entityType', 'migration',
	'description', m.description,
	'upScript', m.up_script,
	'downScript', m.down_script,
	'checksum', pg_catalog.encode(m.checksum, 'hex'),
	'author', m.author,
	'createdAt', pg_catalog.to_char(m.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS document
FROM dbvc.migration m
UNION ALL
SELECT 'schema-snapshot', s.id, pg_catalog.jsonb_build_object(
	'id', s.id,
	'snapshotId', s.id,
	'databaseId', s.database_id,
	'entityType', 'schema-snapshot',
	'capturedAt', pg_catalog.to_char(s.captured_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
	'schemaDefinition', dbvc.snapshot_document(s.id))
FROM dbvc.snapshot s
UNION ALL
SELECT 'change-event', e.id::text, pg_catalog.jsonb_build_object(
	'id', e.id::text,
	'migrationId', e.migration_id,
	'databaseId', dbvc.event_text(e.body, 'database_id'),
	'entityType', 'change-event',
	'eventType', e.event_type,
	'timestamp', pg_catalog.to_char(dbvc.event_time(e.body, 'created_at') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM dbvc.change_event e;
COMMENT ON VIEW version_control IS
'the whole store as JSON documents, one row a record, with the keys a document store''s client expects';
