--
-- Where each migration stands: a cache of what change_event says.
--

CREATE TABLE migration_state (
	id text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	version_event bigint NOT NULL,
	checksum bytea NOT NULL,
	kind text NOT NULL,
	requires text[] NOT NULL DEFAULT '{}',
	environments text[],
	applied_version bigint,
	applied_version_event bigint,
	applied_event bigint,
	applied_checksum bytea,
	outcome text,
	run_event bigint,
	steps_direction text,
	steps_done bigint,
	steps_hash bytea,
	pending boolean NOT NULL,
	sort_key text COLLATE "C",
	withdrawn boolean NOT NULL DEFAULT false,
	CONSTRAINT migration_state_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE migration_state IS
'where each migration stands: a cache of change_event, which migration_state_rebuild() makes anew';
SELECT pg_catalog.pg_extension_config_dump('migration_state', '');
