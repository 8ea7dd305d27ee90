--
-- dbvc.migration_plan() and migrate(expect => ...)
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SELECT count(*) FROM dbvc.migration_plan();
SELECT id FROM dbvc.migration_register('p1', 'CREATE TABLE plan_1 ()', 'DROP TABLE plan_1', author => 'Ada');
SELECT id FROM dbvc.migration_register('p2', 'CREATE TABLE plan_2 ()', 'DROP TABLE plan_2');
SELECT id FROM dbvc.migration_register('p3', 'CREATE TABLE plan_3 ()');
SELECT position, id, version, action, why, kind, left(checksum, 16) AS checksum, author, registered_by = current_user AS by_me,
	registered_at <= now() AS then, length(plan_hash) AS hash
FROM dbvc.migration_plan() ORDER BY position;
-- one hash for the whole plan, another for another plan
SELECT count(DISTINCT plan_hash) FROM dbvc.migration_plan();
SELECT (SELECT min(plan_hash) FROM dbvc.migration_plan('p1')) <> (SELECT min(plan_hash) FROM dbvc.migration_plan('p2')) AS differ;
-- its bytes are documented: a magic, then for each entry the action, the id and the checksum
SELECT encode(sha256('dbvc-plan-v1'::bytea || '\x00' || string_agg(
	int4send(length(action)) || action::bytea || int4send(length(id)) || id::bytea || decode(checksum, 'hex'), ''::bytea ORDER BY position)), 'hex')
	= min(plan_hash) AS recomputed
FROM dbvc.migration_plan();
-- nothing was written, and it may be asked in a read-only transaction
BEGIN READ ONLY;
SELECT count(*) FROM dbvc.migration_plan();
COMMIT;
SELECT event_type, count(*) FROM dbvc.change_event GROUP BY 1;

-- what was reviewed is what runs
SELECT plan_hash FROM dbvc.migration_plan('p2') LIMIT 1 \gset
SELECT version FROM dbvc.migration_register('p2', 'CREATE TABLE plan_2 (evil int)', 'DROP TABLE plan_2');
\set VERBOSITY sqlstate
CALL dbvc.migrate(target => 'p2', expect => :'plan_hash');
CALL dbvc.migrate(target => 'p2', expect => 'nonsense');
CALL dbvc.migrate(target => 'p2', expect => '');
-- another target is another plan
SELECT plan_hash FROM dbvc.migration_plan('p2') LIMIT 1 \gset
CALL dbvc.migrate(expect => :'plan_hash');
CALL dbvc.migrate(target => 'p2', expect => :'plan_hash', dry_run => true);
\set VERBOSITY default
SELECT * FROM dbvc.migration_run;
CALL dbvc.migrate(target => 'p2', expect => upper(:'plan_hash'));
SELECT id, status, encode(plan_hash, 'hex') = :'plan_hash' AS under_this_plan FROM dbvc.migration_run ORDER BY event_id;
-- it has run: the same call is another plan now
\set VERBOSITY sqlstate
CALL dbvc.migrate(target => 'p2', expect => :'plan_hash');
\set VERBOSITY default
CALL dbvc.migrate(expect => 'aa');

-- why each one is there
SELECT id FROM dbvc.migration_register('p4', 'SELECT 1/0');
SELECT id FROM dbvc.migration_register('r', 'SELECT 1', kind => 'repeatable');
CALL dbvc.migrate();
BEGIN;
SELECT status FROM dbvc.migration_apply('r');
COMMIT;
SELECT version FROM dbvc.migration_register('r', 'SELECT 2', kind => 'repeatable');
SELECT version FROM dbvc.migration_accept('p3', 'CREATE TABLE plan_3 ()', 'DROP TABLE plan_3', reason => 'it had no down script');
CALL dbvc.rollback();
SELECT id FROM dbvc.migration_register('p5', 'SELECT 1');
SELECT position, id, version, action, why, kind FROM dbvc.migration_plan() ORDER BY position;
SELECT id FROM dbvc.migration_plan('nope');

DROP TABLE plan_1, plan_2;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
