--
-- The order: requires first, then natural order, repeatables last
--
CREATE EXTENSION dbvc;

-- digit runs count as numbers, the rest by bytes
SELECT count(*) FROM unnest('{V10,V9,V1.2,V1.10,V1,V01,V001,v1,a,Z,a2b10,a2b9,a10b1,0,00,1,20251127_143000_x,20251127_143000_a,99999999999999999999999999999,100000000000000000000000000000,a-1,a_1,a.1,a:1,a+1}'::text[]) i,
	dbvc.migration_register(i, 'SELECT 1');
SELECT id FROM dbvc.migration_status ORDER BY position;
SELECT id FROM dbvc.migration_plan() ORDER BY position;
-- in one order, whatever the order of registering, and stable
SELECT count(DISTINCT position) = count(*) AS each_its_place, min(position), max(position) FROM dbvc.migration_status;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;

-- requires come before names
CREATE EXTENSION dbvc;
SELECT id FROM dbvc.migration_register('m1', 'SELECT 1', requires => '{m3}');
SELECT id FROM dbvc.migration_register('m2', 'SELECT 1');
SELECT id FROM dbvc.migration_register('m3', 'SELECT 1', requires => '{m5}');
SELECT id FROM dbvc.migration_register('m4', 'SELECT 1', requires => '{m2,m1}');
SELECT id FROM dbvc.migration_register('m5', 'SELECT 1');
SELECT id FROM dbvc.migration_register('R__b', 'SELECT 1', kind => 'repeatable');
SELECT id FROM dbvc.migration_register('0_repeatable', 'SELECT 1', kind => 'repeatable');
SELECT id, position, requires FROM dbvc.migration_status ORDER BY position;
CALL dbvc.migrate(target => 'm1');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_run ORDER BY event_id;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;

-- missing ones and circles are named, before anything runs
CREATE EXTENSION dbvc;
SELECT id FROM dbvc.migration_register('a', 'CREATE TABLE never ()');
SELECT id FROM dbvc.migration_register('b', 'SELECT 1', requires => '{nowhere}');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_plan();
-- who needs neither is not held up
SELECT id FROM dbvc.migration_register('0', 'SELECT 1', 'SELECT 2');
CALL dbvc.migrate(target => '0');
CALL dbvc.rollback();
SELECT status FROM dbvc.migration_apply('0');
SELECT status FROM dbvc.migration_rollback('0');
SELECT dbvc.migration_baseline('0', 'x');
SELECT status FROM dbvc.migration_apply('b');
-- the status view shows them all the same
SELECT id, status, position FROM dbvc.migration_status ORDER BY position;
SELECT version FROM dbvc.migration_register('b', 'SELECT 1', requires => '{d}');
SELECT version FROM dbvc.migration_register('c', 'SELECT 1', requires => '{b}');
SELECT version FROM dbvc.migration_register('d', 'SELECT 1', requires => '{a,c}');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_plan();
SELECT id, status, position FROM dbvc.migration_status ORDER BY position;
SELECT version FROM dbvc.migration_register('d', 'SELECT 1', requires => '{d}');
CALL dbvc.migrate();
SELECT to_regclass('never') IS NULL AS nothing_ran;
SELECT version FROM dbvc.migration_register('d', 'SELECT 1', requires => '{a}');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_run ORDER BY event_id;
DROP TABLE never;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;

-- one that comes late
CREATE EXTENSION dbvc;
SELECT count(*) FROM unnest('{m1,m3}'::text[]) i, dbvc.migration_register(i, 'SELECT 1', 'SELECT 2');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_register('m2', 'SELECT 1', 'SELECT 2');
SELECT id FROM dbvc.migration_register('m2b', 'SELECT 1', 'SELECT 2');
SELECT id FROM dbvc.migration_register('m4', 'SELECT 1', 'SELECT 2');
SELECT id FROM dbvc.migration_register('r', 'SELECT 1', kind => 'repeatable');
SELECT id, status FROM dbvc.migration_status ORDER BY position;
CALL dbvc.migrate();
CALL dbvc.migrate(dry_run => true);
CALL dbvc.migrate(target => 'm2');
SELECT id FROM dbvc.migration_plan();
SELECT id FROM dbvc.migration_plan(out_of_order => true) ORDER BY position;
CALL dbvc.migrate(target => 'm2', out_of_order => true);
CALL dbvc.migrate(out_of_order => true);
SELECT id FROM dbvc.migration_run ORDER BY event_id;
-- what was applied last is rolled back first
CALL dbvc.rollback(steps => 3);
SELECT id, status FROM dbvc.migration_status ORDER BY position;
CALL dbvc.migrate();
CALL dbvc.migrate(out_of_order => true);
-- a repeatable that has been applied holds nobody up
SELECT id FROM dbvc.migration_register('m5', 'SELECT 1');
CALL dbvc.migrate();
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;

-- a long chain, registered the wrong way round
CREATE EXTENSION dbvc;
SELECT count(*) FROM generate_series(1, 2000) n, dbvc.migration_register('c' || n, 'SELECT 1', requires => CASE WHEN n < 2000 THEN ARRAY['c' || n + 1] ELSE '{}' END);
SELECT count(*), string_agg(id, ' ') FILTER (WHERE position <= 3), string_agg(id, ' ') FILTER (WHERE position > 1998)
FROM (SELECT id, position FROM dbvc.migration_plan() ORDER BY position) p;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
