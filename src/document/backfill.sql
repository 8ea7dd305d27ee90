--
-- Converting what nobody writes, releasing, and what there is to know about it.
--

CREATE TABLE document_run (
	id bigint GENERATED ALWAYS AS IDENTITY,
	base regclass NOT NULL,
	source text NOT NULL,
	operation text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL DEFAULT 'running',
	pid integer NOT NULL DEFAULT pg_catalog.pg_backend_pid(),
	role name NOT NULL,
	started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	total bigint,
	done bigint NOT NULL DEFAULT 0,
	items bigint NOT NULL DEFAULT 0,
	skipped bigint NOT NULL DEFAULT 0,
	errors bigint NOT NULL DEFAULT 0,
	bytes_before bigint NOT NULL,
	reason text,
	CONSTRAINT document_run_pkey PRIMARY KEY (id),
	CONSTRAINT document_run_operation_check CHECK (operation IN ('backfill', 'release')),
	CONSTRAINT document_run_state_check CHECK (state IN ('running', 'done', 'stopped', 'cancelled', 'failed', 'interrupted'))
);
COMMENT ON TABLE document_run IS
'backfills and releases of adopted tables; its row is brought up to date with each batch';
CREATE INDEX document_run_base_idx ON document_run (base, id);
-- a table that is gone has no name that a restore could find
SELECT pg_catalog.pg_extension_config_dump('document_run', 'WHERE base IN (SELECT oid FROM pg_catalog.pg_class)');
SELECT pg_catalog.pg_extension_config_dump('document_run_id_seq', '');

CREATE TABLE document_error (
	base regclass NOT NULL,
	key text[] NOT NULL,
	operation text COLLATE "C" NOT NULL,
	sqlstate text COLLATE "C" NOT NULL,
	reason text NOT NULL,
	at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	run bigint NOT NULL
);
COMMENT ON TABLE document_error IS
'documents that a backfill or a release has set aside, and why; such a row is as it was';
-- not of the key, which may be longer than an index can have it
CREATE INDEX document_error_base_idx ON document_error (base);
SELECT pg_catalog.pg_extension_config_dump('document_error', 'WHERE base IN (SELECT oid FROM pg_catalog.pg_class)');

CREATE PROCEDURE document_backfill(source regclass, batch integer DEFAULT NULL, max_seconds integer DEFAULT NULL,
	pause integer DEFAULT NULL, lock_wait integer DEFAULT NULL, max_errors integer DEFAULT NULL,
	INOUT converted bigint DEFAULT NULL, INOUT set_aside bigint DEFAULT NULL, INOUT remaining bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'dbvc_document_backfill' LANGUAGE C;
COMMENT ON PROCEDURE document_backfill(regclass, integer, integer, integer, integer, integer, bigint, bigint, bigint) IS
'convert the documents of an adopted table that have not been written since, each batch in its own transaction';

CREATE PROCEDURE document_release(source regclass, batch integer DEFAULT NULL, max_seconds integer DEFAULT NULL,
	pause integer DEFAULT NULL, lock_wait integer DEFAULT NULL, discard_deleted boolean DEFAULT false,
	cancel boolean DEFAULT false, INOUT joined bigint DEFAULT NULL, INOUT remaining bigint DEFAULT NULL)
AS 'MODULE_PATHNAME', 'dbvc_document_release' LANGUAGE C;
COMMENT ON PROCEDURE document_release(regclass, integer, integer, integer, integer, boolean, boolean, bigint, bigint) IS
'join all documents of an adopted table again, each batch in its own transaction, and put the table back as it was';

-- A run whose session is gone holds no lock any more: that is how it shows.
CREATE VIEW document_progress AS
WITH run AS (
	SELECT DISTINCT ON (r.base) r.*,
		CASE WHEN r.state = 'running' AND NOT pg_catalog.pg_is_in_recovery() AND NOT EXISTS (
			SELECT FROM pg_catalog.pg_locks l
			WHERE l.locktype = 'object' AND l.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
				AND l.objid = r.base AND l.objsubid = 1 AND l.pid = r.pid AND l.granted
				AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
		THEN 'interrupted' ELSE r.state END AS now_state,
		pg_catalog.date_part('epoch', r.updated_at - r.started_at) AS seconds
	FROM dbvc.document_run r
	ORDER BY r.base, r.id DESC
)
SELECT run.base, run.source, run.operation, run.now_state AS state,
	CASE WHEN run.now_state = 'running' THEN run.pid END AS pid, run.role, run.started_at, run.updated_at, run.total, run.done,
	CASE WHEN run.now_state = 'done' AND run.skipped = 0 AND run.errors = 0 OR run.total = 0 THEN 100.0
		ELSE pg_catalog.round(LEAST(100.0 * run.done / run.total, 100.0), 1) END AS percent,
	run.items, run.skipped, run.errors,
	CASE WHEN run.seconds > 0 THEN pg_catalog.round((run.done / run.seconds)::numeric, 1) END AS rate,
	CASE WHEN run.now_state = 'running' AND run.done > 0 THEN run.updated_at +
		pg_catalog.make_interval(secs => GREATEST(run.total - run.done, 0) * run.seconds / run.done) END AS eta,
	run.reason
FROM run
-- NULL when the table is gone
WHERE pg_catalog.has_any_column_privilege(run.base::pg_catalog.oid, 'SELECT') IS NOT FALSE;
COMMENT ON VIEW document_progress IS
'the last backfill or release of each adopted table: how far it is, how fast, and when it will be done';

CREATE FUNCTION document_count(source regclass, OUT documents bigint, OUT converted bigint, OUT items bigint, OUT deleted bigint)
	RETURNS record
AS 'MODULE_PATHNAME', 'dbvc_document_count' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION document_count(regclass) IS
'documents and items of an adopted table that the caller may see, counted by reading both tables';

CREATE VIEW document_status AS
SELECT d.face AS source, d.base, d.items AS items_table, d.state, c.documents, c.converted,
	CASE WHEN c.documents > 0 THEN pg_catalog.round(100.0 * c.converted / c.documents, 1) END AS percent,
	c.items, c.deleted,
	(SELECT pg_catalog.count(*) FROM dbvc.document_error e WHERE e.base = d.base) AS set_aside,
	(SELECT r.bytes_before FROM dbvc.document_run r WHERE r.base = d.base ORDER BY r.id LIMIT 1) AS bytes_before,
	pg_catalog.pg_table_size(d.base) + pg_catalog.pg_table_size(d.items) AS bytes,
	r.state AS last_backfill, r.updated_at AS last_backfill_at
FROM dbvc.document d
-- policies are their owner's code, which nobody runs by looking at this; what is broken is not counted either
CROSS JOIN LATERAL dbvc.document_count(CASE WHEN pg_catalog.has_table_privilege(d.base, 'SELECT')
	AND pg_catalog.has_table_privilege(d.items, 'SELECT') AND NOT pg_catalog.row_security_active(d.base::pg_catalog.oid)
	AND NOT pg_catalog.row_security_active(d.items::pg_catalog.oid) THEN d.base END) c
LEFT JOIN LATERAL (
	SELECT r.state, r.updated_at FROM dbvc.document_run r
	WHERE r.base = d.base AND r.operation = 'backfill' ORDER BY r.id DESC LIMIT 1) r ON true
WHERE pg_catalog.has_any_column_privilege(d.base, 'SELECT') AND pg_catalog.has_any_column_privilege(d.items, 'SELECT');
COMMENT ON VIEW document_status IS
'each adopted table that the reader may read: how many documents are converted; counting reads the tables, but not those with row security';

CREATE FUNCTION document_check(source regclass, sample real DEFAULT 1,
	OUT "check" text, OUT ok boolean, OUT detail text) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbvc_document_check' LANGUAGE C STABLE STRICT ROWS 10;
COMMENT ON FUNCTION document_check(regclass, real) IS
'combine every document, or a sample of them, and see whether items and documents fit each other';
