-- migration_compare(): contents against what is registered and applied; sort keys; withdrawing; exact acceptance
CREATE EXTENSION dbvc;
SET client_min_messages = warning;

-- nothing is there yet; nothing is given
SELECT * FROM dbvc.migration_compare('{}', '{}');
SELECT * FROM dbvc.migration_compare('{1_a,2_b}', '{"SELECT 1","SELECT 2"}', present => '{1_a,2_b}');

SELECT id FROM dbvc.migration_register('1_a', 'SELECT 1', 'SELECT -1');
SELECT id FROM dbvc.migration_register('2_b', 'SELECT 2', transactional => false);
SELECT id FROM dbvc.migration_register('R_c', 'SELECT 3', kind => 'repeatable');
SELECT id FROM dbvc.migration_register('4_d', 'SELECT 4', environments => '{dev}');

-- registered, not applied: the same, another content, another down script, line endings
SELECT * FROM dbvc.migration_compare('{1_a,2_b,R_c,4_d}', '{"SELECT 1","SELECT 2","SELECT 3","SELECT 4"}',
	down_scripts => '{SELECT -1,NULL,NULL,NULL}', transactional => '{NULL,f,NULL,NULL}', kinds => '{NULL,NULL,repeatable,NULL}');
SELECT * FROM dbvc.migration_compare('{1_a,2_b}', '{"SELECT 1","SELECT 2"}');
SELECT id, verdict FROM dbvc.migration_compare('{1_a}', ARRAY[E'\uFEFFSELECT 1'], '{SELECT -1}');
SELECT id, verdict, pending, detail FROM dbvc.migration_compare('{1_a}', '{SELECT 1}', '{SELECT -1}', present => '{1_a,9_z}');
-- it can be asked where nothing can be written
BEGIN READ ONLY;
SELECT id, verdict FROM dbvc.migration_compare('{1_a}', '{SELECT 9}');
COMMIT;

CALL dbvc.migrate();

-- applied: the same, changed (recorded once), repeatable ones are never changed
SELECT id, verdict, register, pending, detail
FROM dbvc.migration_compare('{1_a,2_b,R_c}', '{"SELECT 1","SELECT 22","SELECT 33"}', '{SELECT -1,NULL,NULL}',
	transactional => '{NULL,f,NULL}', kinds => '{NULL,NULL,repeatable}');
SELECT id, verdict FROM dbvc.migration_compare('{2_b}', '{SELECT 22}', transactional => '{f}');
SELECT id, verdict FROM dbvc.migration_compare('{2_b}', '{SELECT 23}', transactional => '{f}');
BEGIN READ ONLY;
SELECT id, verdict FROM dbvc.migration_compare('{2_b}', '{SELECT 24}', transactional => '{f}');
COMMIT;
SELECT migration_id, dbvc.event_bigint(body, 'version') AS version,
	dbvc.event_bytea(body, 'checksum') = dbvc.migration_checksum('SELECT 22', transactional => false) AS first,
	dbvc.event_bytea(body, 'checksum') = dbvc.migration_checksum('SELECT 23', transactional => false) AS second,
	dbvc.event_text(body, 'role') = current_user AS by_me
FROM dbvc.change_event WHERE event_type = 'changed' ORDER BY id;
SELECT id, ok FROM dbvc.migration_verify() WHERE "check" = 'state' ORDER BY id;

-- the same file, of which something else was made
SELECT id FROM dbvc.migration_register('5_e', 'SELECT ''tuesday''', source => 'SELECT ''${day}''');
CALL dbvc.migrate();
SELECT id, verdict, register, detail FROM dbvc.migration_compare('{5_e}', ARRAY['SELECT ''wednesday'''], sources => ARRAY['SELECT ''${day}''']::bytea[]);
SELECT id, verdict FROM dbvc.migration_compare('{5_e}', ARRAY['SELECT ''wednesday'''], sources => ARRAY['SELECT ''${ day}''']::bytea[]);
SELECT id, verdict FROM dbvc.migration_compare('{5_e}', ARRAY['SELECT ''wednesday''']);

-- accepted, with what is not given kept, or exactly
SELECT id, version, down_script FROM dbvc.migration_accept('1_a', 'SELECT 1 -- one', reason => 'comment');
SELECT id, verdict FROM dbvc.migration_compare('{1_a}', '{SELECT 1 -- one}', '{SELECT -1}');
SELECT id, verdict FROM dbvc.migration_compare('{1_a}', '{SELECT 1 -- one}');
SELECT id, version, down_script FROM dbvc.migration_accept('1_a', 'SELECT 1 -- one', reason => 'no way back', exact => true);
SELECT id, verdict FROM dbvc.migration_compare('{1_a}', '{SELECT 1 -- one}');

-- what has no file any more
SELECT * FROM dbvc.migration_compare('{1_a}', '{SELECT 1 -- one}', present => '{1_a}');
SELECT dbvc.migration_withdraw('2_b', 'merged into 1_a');
SELECT dbvc.migration_withdraw('4_d', 'never wanted');
SELECT id, verdict, pending, detail FROM dbvc.migration_compare('{1_a,4_d}', '{SELECT 1 -- one,SELECT 4}', present => '{1_a}');
SELECT id, status, applied_version FROM dbvc.migration_status;
SELECT id, ok FROM dbvc.migration_verify() WHERE "check" = 'state' ORDER BY id;
SELECT event_type, migration_id, (SELECT content FROM dbvc.change_event_text t WHERE t.event_id = e.id AND field = 'reason') AS reason
FROM dbvc.change_event e WHERE event_type = 'withdrawn' ORDER BY id;
\set VERBOSITY terse
SELECT dbvc.migration_withdraw('2_b', 'again');
SELECT dbvc.migration_withdraw('nobody', 'x');
SELECT dbvc.migration_withdraw('1_a', '');
SELECT status FROM dbvc.migration_apply('4_d');
-- it is neither planned nor rolled back, and no migration may count on it
SET dbvc.environment = 'dev';
SELECT id FROM dbvc.migration_plan();
CALL dbvc.rollback(steps => 4);
SELECT id FROM dbvc.migration_register('6_f', 'SELECT 6', requires => '{4_d}');
CALL dbvc.migrate();
SELECT dbvc.migration_withdraw('6_f', 'neither');
RESET dbvc.environment;
\set VERBOSITY default
-- registered again it is what it was
SELECT id, version FROM dbvc.migration_register('2_b', 'SELECT 2', transactional => false);
SELECT id, version FROM dbvc.migration_register('4_d', 'SELECT 4');
SELECT id, status, applied_version FROM dbvc.migration_status;
SELECT dbvc.migration_state_rebuild();
SELECT id, status, applied_version FROM dbvc.migration_status;
SELECT count(*) AS differences FROM (TABLE dbvc.migration_state EXCEPT
	SELECT id, version, version_event, checksum, kind, requires, environments, applied_version, applied_version_event,
		applied_event, applied_checksum, outcome, run_event, steps_direction, steps_done, steps_hash, pending, sort_key, withdrawn
	FROM dbvc.migration_state_derived) d;

-- sort keys: an order that the ids do not tell
SELECT id FROM dbvc.migration_register('V1__x', 'SELECT 1', sort_key => '1');
SELECT id FROM dbvc.migration_register('V1.10__z', 'SELECT 1', sort_key => '1.10');
SELECT id FROM dbvc.migration_register('V1.2__y', 'SELECT 1', sort_key => '1.2');
SELECT id FROM dbvc.migration_register('R__b', 'SELECT 1', sort_key => 'a', kind => 'repeatable');
SELECT id FROM dbvc.migration_register('R__a', 'SELECT 1', sort_key => 'b', kind => 'repeatable');
SELECT position, id FROM dbvc.migration_plan(out_of_order => true);
-- not given: it stays; another one: a new version, although the content is the same
SELECT id, version, sort_key FROM dbvc.migration_register('V1__x', 'SELECT 1');
SELECT id, version, sort_key FROM dbvc.migration_register('V1__x', 'SELECT 1', sort_key => '1.3');
SELECT id, register FROM dbvc.migration_compare('{V1__x,V1.2__y}', '{SELECT 1,SELECT 1}', sort_keys => '{1.3,1.4}');
SELECT position, id FROM dbvc.migration_plan(out_of_order => true);

-- a withdrawn migration may be where a rollback stops; nothing before it goes
SELECT count(*) FROM unnest('{x1,x2,x3,x4}'::text[]) id, LATERAL dbvc.migration_register(id, 'SELECT 1', 'SELECT 2');
CALL dbvc.migrate(out_of_order => true);
SELECT dbvc.migration_withdraw('x3', 'gone');
SET client_min_messages = notice;
CALL dbvc.rollback(target => 'x3');
CALL dbvc.rollback();
-- a client may ask to be told all the same
SET client_min_messages = warning;
CALL dbvc.rollback(progress => true);
CALL dbvc.migrate(out_of_order => true, dry_run => true, progress => true);
CALL dbvc.migrate(out_of_order => true, progress => true);

-- what a file cannot say is kept: where it belongs and what it requires
SELECT id, requires, environments FROM dbvc.migration_register('y1', 'SELECT 1', requires => '{x1}', environments => '{dev}');
SELECT id, verdict, register, pending FROM dbvc.migration_compare('{y1}', '{SELECT 1}', sort_keys => '{y1}');
SELECT version, requires, environments, sort_key FROM dbvc.migration_register('y1', 'SELECT 1', sort_key => 'y1', keep => true);
SELECT version, requires, environments FROM dbvc.migration_register('y1', 'SELECT 11', keep => true);
SELECT version, requires, environments FROM dbvc.migration_accept('y1', 'SELECT 111', reason => 'made by hand', exact => true);
SELECT id, verdict FROM dbvc.migration_compare('{y1}', '{SELECT 111}', sort_keys => '{y1}');
SELECT version, requires, environments FROM dbvc.migration_register('y2', 'SELECT 1', keep => true);

-- what cannot be compared
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT * FROM dbvc.migration_compare('{a,b}', '{x}');
SELECT * FROM dbvc.migration_compare('{a}', '{x}', kinds => '{a,b}');
SELECT * FROM dbvc.migration_compare('{NULL}', '{x}');
SELECT * FROM dbvc.migration_compare('{a}', '{NULL}');
SELECT * FROM dbvc.migration_compare('{{a,b}}', '{x,y}');
\set VERBOSITY default
DROP EXTENSION dbvc;
