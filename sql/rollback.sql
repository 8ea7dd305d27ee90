--
-- CALL dbvc.rollback()
--
CREATE EXTENSION dbvc;
\pset null '(null)'
CALL dbvc.rollback();
SELECT count(*) FROM generate_series(1, 6) n, dbvc.migration_register('m' || n, format('CREATE TABLE rb_%s ()', n), format('DROP TABLE rb_%s', n));
SELECT id FROM dbvc.migration_register('r', 'SELECT 1', 'SELECT 2', kind => 'repeatable');
CALL dbvc.migrate();
-- the last one; repeatables do not count
CALL dbvc.rollback();
-- the target is kept
CALL dbvc.rollback('m4');
CALL dbvc.rollback(target => 'm4');
CALL dbvc.rollback(steps => 2);
SELECT relname FROM pg_class WHERE relname LIKE 'rb\__' ORDER BY 1;
SELECT id, direction, status, version, statements FROM dbvc.migration_run WHERE direction = 'down' ORDER BY event_id;
SELECT id, status, applied_version, applied_at IS NOT NULL AS applied_at, applied_by = current_user AS by_me FROM dbvc.migration_status WHERE kind = 'versioned';
-- and up again
CALL dbvc.migrate();
SELECT id, direction FROM dbvc.migration_run WHERE id = 'm4' ORDER BY event_id;

-- before anything runs
CALL dbvc.rollback(steps => 7);
CALL dbvc.rollback(steps => 0);
CALL dbvc.rollback(steps => -1);
CALL dbvc.rollback(target => 'm1', steps => 1);
CALL dbvc.rollback(target => 'nope');
-- a target that is not applied
SELECT id FROM dbvc.migration_register('m7', 'SELECT 1');
CALL dbvc.rollback(target => 'm7');
-- a repeatable has no place among the others: it cannot be the target
CALL dbvc.rollback(target => 'r');
SELECT count(*) FROM pg_class WHERE relname LIKE 'rb\__';
CALL dbvc.migrate(out_of_order => true);
-- a missing down script, also of one in the middle
CALL dbvc.rollback(target => 'm6');
CALL dbvc.rollback(steps => 3);
SELECT version FROM dbvc.migration_accept('m7', 'SELECT 1', 'SELECT 2', reason => 'it had no down script');
-- a dependent that is still applied
SELECT id FROM dbvc.migration_register('a1', 'SELECT 1', 'SELECT 2', requires => '{m6}');
CALL dbvc.migrate(out_of_order => true);
BEGIN;
SELECT status FROM dbvc.migration_rollback('m6');
ROLLBACK;
CALL dbvc.rollback(steps => 3);
SELECT id, status FROM dbvc.migration_status;

-- the down script that counts is the one of the version that was applied
SELECT version FROM dbvc.migration_register('m7', 'SELECT 1', 'CREATE TABLE rb_newest ()');
SELECT id FROM dbvc.migration_register('r1', 'SELECT 1', 'CREATE TABLE rb_first ()', kind => 'repeatable');
CALL dbvc.migrate(target => 'r1', out_of_order => true);
SELECT version FROM dbvc.migration_register('r1', 'SELECT 2', 'CREATE TABLE rb_second ()', kind => 'repeatable');
BEGIN;
SELECT status, version FROM dbvc.migration_rollback('r1');
COMMIT;
SELECT to_regclass('rb_first') IS NOT NULL AS first, to_regclass('rb_second') IS NOT NULL AS second;
DROP TABLE rb_first;

-- a failure: rolled back, recorded, still applied
SELECT id FROM dbvc.migration_register('x1', 'CREATE TABLE rb_x ()', E'DROP TABLE rb_x;\nSELECT 1/0');
CALL dbvc.migrate(out_of_order => true);
CALL dbvc.rollback();
SELECT to_regclass('rb_x') IS NOT NULL AS still_there;
SELECT direction, status, statements, error_sqlstate, error_context FROM dbvc.migration_run WHERE id = 'x1' ORDER BY event_id;
SELECT id, status, applied_version, error_sqlstate FROM dbvc.migration_status WHERE id = 'x1';
-- migrate does not take it for pending
CALL dbvc.migrate(out_of_order => true);
SELECT version FROM dbvc.migration_accept('x1', 'CREATE TABLE rb_x ()', 'DROP TABLE rb_x', reason => 'the down script was wrong');
SELECT id, status FROM dbvc.migration_status WHERE id = 'x1';
CALL dbvc.rollback();
SELECT id, status FROM dbvc.migration_status WHERE id = 'x1';

-- what was accepted later is not newer for that
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
CREATE EXTENSION dbvc;
SELECT count(*) FROM unnest('{o1,o2,o3}'::text[]) i, dbvc.migration_register(i, 'SELECT 1', 'SELECT 2');
CALL dbvc.migrate();
SELECT version FROM dbvc.migration_accept('o1', 'SELECT 1 -- one', 'SELECT 2', reason => 'a comment');
CALL dbvc.rollback();
CALL dbvc.rollback(target => 'o1');
SELECT id, status FROM dbvc.migration_status;

-- tried without being done
CALL dbvc.migrate(out_of_order => true);
CALL dbvc.rollback(steps => 2, dry_run => true);
SELECT id, direction, ok FROM dbvc.migration_dry_run ORDER BY event_id;
SELECT id, status FROM dbvc.migration_status;

DROP TABLE rb_1, rb_2, rb_3, rb_4, rb_5, rb_6;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
