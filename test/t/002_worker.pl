# Statements that cannot run in a transaction go to a background worker: as whom, with which settings, what it waits
# for, and what happens when there is none.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Test::More;

# the logical replication launcher takes the only slot
my $node = dbvc_node('worker', 'max_worker_processes = 1', 'autovacuum = off');
my ($job, $other, $err);

sub recorded
{
	return $node->safe_psql('postgres',
		"SELECT status, error_sqlstate, error_statement, error_line FROM dbvc.migration_run WHERE id = '$_[0]' ORDER BY event_id DESC LIMIT 1");
}

sub migrate
{
	return error_of($node, ref $_[0] ? @_ : ({}, @_), 'CALL dbvc.migrate()');
}

# A transaction that has written TABLE stays open until end_transaction(): index builds wait for it.
sub open_transaction
{
	my ($sql) = @_;

	$other = job($node, 'other', "$sql; SELECT pg_sleep(600)");
	wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'other' AND wait_event = 'PgSleep'});
}

sub end_transaction
{
	$node->psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'other'});
	finish($other);
	wait_gone($node, 'other');
}

my $worker_waits = q{SELECT count(*) = 1 FROM pg_stat_activity a JOIN pg_locks l USING (pid)
	WHERE a.backend_type = 'dbvc worker' AND l.locktype = 'virtualxid' AND NOT l.granted};

# ---- no slot ----

$node->safe_psql('postgres', q{CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); CREATE TABLE ran (what text)});
dbvc_register($node, 'a1', q{INSERT INTO ran VALUES ('a1');
CREATE INDEX CONCURRENTLY a1_idx ON t (a);
INSERT INTO ran VALUES ('a1 end');});
$err = migrate();
like($err, qr/ERROR:  53400: no background worker slot is free/, 'no worker slot: the error says so');
like($err, qr/HINT:  .*max_worker_processes/, 'no worker slot: the hint names the setting');
is(recorded('a1'), 'failed|53400|2|2', 'no worker slot: recorded with the statement');
unlike($err, qr/WARNING/, 'no worker slot: no warnings');
is(error_of($node, q{SELECT 1}, q{BEGIN}, q{SELECT FROM dbvc.migration_register('free', 'SELECT 1')}, q{ROLLBACK}), '',
	'no worker slot: the rest works');

$node->adjust_conf('postgresql.conf', 'max_worker_processes', '8');
$node->restart;
is(migrate(), '', 'with a slot the run goes on');
is_sql($node, q{SELECT string_agg(what, ', '), to_regclass('a1_idx') IS NOT NULL FROM ran}, 'a1, a1 end|t',
	'... where it had to');

# ---- as whom ----

$node->safe_psql('postgres', q{
	CREATE ROLE op LOGIN; CREATE ROLE app NOLOGIN; CREATE ROLE op_app LOGIN IN ROLE op, app;
	GRANT USAGE ON SCHEMA dbvc TO op, app;
	GRANT EXECUTE ON PROCEDURE dbvc.migrate TO op, app;
	CREATE SCHEMA s AUTHORIZATION op; CREATE SCHEMA sapp AUTHORIZATION app;
	CREATE TABLE s.mine (a int); ALTER TABLE s.mine OWNER TO op; INSERT INTO s.mine VALUES (1);
	CREATE TABLE sapp.of_app (a int); ALTER TABLE sapp.of_app OWNER TO app;
	GRANT USAGE ON SCHEMA s TO app;
});
dbvc_register($node, 'b1', 'CREATE INDEX CONCURRENTLY b1_idx ON s.mine (a)');
is(migrate({ user => 'op' }), '', 'a role without any power builds its own index');
is_sql($node, q{SELECT relowner::regrole FROM pg_class WHERE oid = 's.b1_idx'::regclass}, 'op', '... and owns it');
is_sql($node, q{SELECT session_username, role FROM dbvc.migration_run WHERE id = 'b1'}, 'op|op', '... and is named');

dbvc_register($node, 'b2', 'CREATE INDEX CONCURRENTLY b2_idx ON public.t (a)');
like(migrate({ user => 'op' }), qr/ERROR:  42501: must be owner of table t/, 'but not that of another');
is(recorded('b2'), 'failed|42501|1|1', '... which is recorded');
like(error_of($node, 'SET ROLE op', 'CALL dbvc.migrate()'), qr/ERROR:  42501: must be owner of table t/,
	'a superuser that has become this role by SET ROLE cannot either');
like(error_of($node, 'SET SESSION AUTHORIZATION op', 'CALL dbvc.migrate()'), qr/ERROR:  42501: must be owner of table t/,
	'nor by SET SESSION AUTHORIZATION');
foreach my $climb ('RESET ROLE', 'SET ROLE postgres', 'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION postgres')
{
	foreach my $down ('SET ROLE op', 'SET SESSION AUTHORIZATION op')
	{
		dbvc_register($node, 'b2', "$climb;\nCREATE INDEX CONCURRENTLY b2_idx ON public.t (a)");
		isnt(error_of($node, $down, 'CALL dbvc.migrate()'), '', "$down: $climb in the script does not climb");
	}
}
is_sql($node, q{SELECT to_regclass('public.b2_idx') IS NULL}, 't', 'none of that built it');
# ... not even when a superuser has executed the climbing statement before
dbvc_register($node, 'b2', "RESET ROLE;\nCREATE INDEX CONCURRENTLY b2_idx ON public.t (nothing)");
like(migrate(), qr/ERROR:  42703/, 'a superuser gets as far as the second statement');
is_sql($node, q{SELECT steps_done FROM dbvc.migration_status WHERE id = 'b2'}, '1', 'one statement is done');
dbvc_register($node, 'b2', "RESET ROLE;\nCREATE INDEX CONCURRENTLY b2_idx ON public.t (a)");
isnt(error_of($node, 'SET ROLE op', 'CALL dbvc.migrate()'), '', 'SET ROLE op: a RESET ROLE that was done before does not climb');
is_sql($node, q{SELECT to_regclass('public.b2_idx') IS NULL}, 't', '... the index is not there');
is(migrate(), '', 'the superuser builds it');

dbvc_register($node, 'b3', "SET ROLE app;\nCREATE INDEX CONCURRENTLY b3_idx ON sapp.of_app (a)");
is(migrate({ user => 'op_app' }), '', 'SET ROLE in the script counts in the worker');
is_sql($node, q{SELECT relowner::regrole, (SELECT role FROM dbvc.migration_run WHERE id = 'b3')
	FROM pg_class WHERE oid = 'sapp.b3_idx'::regclass}, 'app|op_app', '... and the record says who applied it');

dbvc_register($node, 'b4', 'CREATE INDEX CONCURRENTLY b4_idx ON sapp.of_app (a)');
$err = error_of($node, 'SET SESSION AUTHORIZATION app', 'CALL dbvc.migrate()');
if ($node->pg_version >= 17)
{
	is($err, '', 'a session user without LOGIN');
}
else
{
	like($err, qr/ERROR:  55000: session user "app" is not permitted to log in/, 'a session user without LOGIN is told so');
	like($err, qr/HINT:  .*SET ROLE/, '... with a way out');
	is(error_of($node, 'SET ROLE app', 'CALL dbvc.migrate()'), '', '... which works');
}

$node->safe_psql('postgres', 'ALTER ROLE op CONNECTION LIMIT 1');
dbvc_register($node, 'b5', 'DROP INDEX CONCURRENTLY s.b1_idx');
is(migrate({ user => 'op' }), '', 'the worker does not count as a connection');
$node->safe_psql('postgres', 'ALTER ROLE op CONNECTION LIMIT -1');

# ---- with which settings ----

$node->safe_psql('postgres', q{
	CREATE FUNCTION spy(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$BEGIN
		RAISE WARNING 'work_mem %, own %, app %, as %', current_setting('maintenance_work_mem'), current_setting('my.own', true),
			current_setting('application_name'), session_user; RETURN $1; END$$;
	CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.t (a int); INSERT INTO elsewhere.t VALUES (1);
	ALTER ROLE op SET maintenance_work_mem = '9MB';
});
dbvc_register($node, 'c1', "SET search_path = elsewhere, public;\nSET my.own = 'x y';\nSET maintenance_work_mem = '7MB';
CREATE INDEX CONCURRENTLY c1_idx ON t (spy(a));\nSET maintenance_work_mem = '8MB';\nCREATE INDEX CONCURRENTLY c1_idx2 ON t (spy(a));");
$job = run_sql($node, 'CALL dbvc.migrate()', 'SHOW search_path', 'SHOW maintenance_work_mem');
ok($job->{ok}, 'settings of the script') or diag $job->{err};
like($job->{err}, qr/work_mem 7MB, own x y, app run_sql, as postgres.*work_mem 8MB, own x y/s,
	'... are those of the worker, each at its place; and its messages reach the client');
is($job->{out}, "\"\$user\", public\n64MB\n", '... and not those of the session afterwards');
is_sql($node, q{SELECT count(*) FROM pg_index WHERE indrelid = 'elsewhere.t'::regclass AND indisvalid}, '2',
	'search_path is heeded');
$node->safe_psql('postgres', 'CREATE TABLE s.mine2 (a int); ALTER TABLE s.mine2 OWNER TO op; INSERT INTO s.mine2 VALUES (1)');
dbvc_register($node, 'c2', 'CREATE INDEX CONCURRENTLY c2_idx ON s.mine2 (public.spy(a))');
$job = run_sql($node, { user => 'op' }, q{SET my.own = 'mine'}, 'CALL dbvc.migrate()');
like($job->{err}, qr/work_mem 9MB, own mine, app run_sql, as op/, 'settings of the role and of the session are there, too');

open_transaction('LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE');
dbvc_register($node, 'c3', "SET lock_timeout = '50ms';\nCREATE INDEX CONCURRENTLY c3_idx ON t (a);");
like(migrate(), qr/ERROR:  55P03: canceling statement due to lock timeout/, "the script's lock_timeout fires in the worker");
is(recorded('c3'), 'failed|55P03|2|2', '... and is recorded');
dbvc_register($node, 'c3', "SET statement_timeout = '50ms';\nCREATE INDEX CONCURRENTLY c3_idx ON t (a);");
like(migrate(), qr/VC012/, 'executed statements of a script cannot be replaced by others');
$node->safe_psql('postgres', q{SELECT dbvc.migration_reset('c3', 'a test')});
like(migrate(), qr/ERROR:  57014: canceling statement due to statement timeout/, "the script's statement_timeout fires in the worker");
is_sql($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dbvc worker'}, '0', '... which ends');
end_transaction();
is(migrate(), '', 'and the run goes on when the other one has ended');

# ---- what it waits for ----

open_transaction('INSERT INTO t VALUES (3)');
dbvc_register($node, 'd1', q{CREATE INDEX CONCURRENTLY d1_idx ON t (a)});
my $first = job($node, 'first', q{SET statement_timeout = '20s'}, 'CALL dbvc.migrate()');
wait_for($node, $worker_waits);
my $second = job($node, 'second', q{SET statement_timeout = '20s'}, 'CALL dbvc.migrate()');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity a JOIN pg_locks l USING (pid) WHERE application_name = 'second'
	AND l.locktype = 'object' AND NOT l.granted});
is_sql($node, q{SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('first', 'second')
	AND backend_type = 'client backend' AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)}, '0',
	'who waits, for the worker or for the run lock, holds no snapshot');
end_transaction();
ok(finish($first), 'a runner that waits for its turn does not stall the build') or diag $first->{err};
ok(finish($second), '... and gets its turn') or diag $second->{err};
like($second->{err}, qr/nothing to do/, '... with nothing left to do');

open_transaction('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t');
dbvc_register($node, 'd2', q{CREATE INDEX CONCURRENTLY d2_idx ON t (a)});
$first = job($node, 'first', q{SET statement_timeout = '20s'}, 'CALL dbvc.migrate()');
wait_for($node, $worker_waits);
end_transaction();
ok(finish($first), 'an old snapshot elsewhere only delays') or diag $first->{err};

# ---- what comes back ----

$node->safe_psql('postgres', 'CREATE TABLE dup (a int); INSERT INTO dup VALUES (1), (1)');
dbvc_register($node, 'e1', "SET search_path = public;\nINSERT INTO ran VALUES ('e1');\n\n  CREATE UNIQUE INDEX CONCURRENTLY\n  e1_idx ON dup (a);");
$err = migrate();
like($err, qr/ERROR:  23505: could not create unique index "e1_idx"/, 'a build that fails: the error');
like($err, qr/DETAIL:  Key \(a\)=\(1\) is duplicated. Index public.e1_idx was left invalid and has been dropped./, '... its detail, and more');
like($err, qr/CONTEXT:  .*migration "e1", up script, statement 3, line 4, column 3: CREATE UNIQUE INDEX CONCURRENTLY/, '... its place');
unlike($err, qr/WARNING/, '... no warnings');
is(recorded('e1'), 'failed|23505|3|4', '... recorded');
is_sql($node, q{SELECT to_regclass('e1_idx') IS NULL}, 't', '... nothing invalid is left');
$node->safe_psql('postgres', 'DELETE FROM dup WHERE ctid = (SELECT min(ctid) FROM dup)');
is(migrate(), '', '... and it goes on when the data is mended');
is_sql($node, q{SELECT (SELECT count(*) FROM ran WHERE what = 'e1'), (SELECT indisvalid FROM pg_index WHERE indexrelid = 'e1_idx'::regclass)},
	'1|t', '... each statement once');

dbvc_register($node, 'e2', "CREATE INDEX CONCURRENTLY e2_idx ON dup (a);\nCREATE INDEX CONCURRENTLY e2_idx2 ON dup (\n(a + nothing));");
like(migrate(), qr/statement 2, line 3, column 6: CREATE INDEX CONCURRENTLY e2_idx2/, "a position in the worker's statement is one in the script");
is(recorded('e2'), 'failed|42703|2|3', '... in the record as well');
$node->safe_psql('postgres', q{SELECT dbvc.migration_reset('e2', 'a test'); DROP INDEX e2_idx});
dbvc_register($node, 'e2', 'SELECT 1');
is(migrate(), '', 'reset, and another script');

# ---- all kinds of them ----

$node->safe_psql('postgres', 'CREATE TABLE part (a int) PARTITION BY RANGE (a); CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (1) TO (2)');
dbvc_register($node, 'f1', q{VACUUM (ANALYZE) t;
REINDEX TABLE CONCURRENTLY t;
REINDEX SCHEMA sapp;
DROP INDEX CONCURRENTLY a1_idx;
DROP INDEX CONCURRENTLY IF EXISTS nowhere_idx;
ALTER TABLE part DETACH PARTITION part1 CONCURRENTLY;
ALTER SYSTEM SET dbvc.environment = 'test';
ALTER SYSTEM RESET dbvc.environment;
CREATE DATABASE made TEMPLATE template0;
DROP DATABASE made;
INSERT INTO ran VALUES ('f1');});
$job = run_sql($node, 'CALL dbvc.migrate()');
ok($job->{ok}, 'everything that cannot run in a transaction') or diag $job->{err};
like($job->{err}, qr/NOTICE:  00000: index "nowhere_idx" does not exist, skipping/, '... with its notices');
like($job->{err}, qr/applied "f1": 11 statements/, '... is counted');

$node->safe_psql('postgres', q{CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$BEGIN
	FOR i IN 1..3 LOOP INSERT INTO ran VALUES ('commits'); COMMIT; END LOOP; END$$; GRANT INSERT ON ran TO op});
dbvc_register($node, 'f2', "CALL commits();\nDO \$\$BEGIN INSERT INTO ran VALUES ('do'); COMMIT; END\$\$;");
like(migrate(), qr/ERROR:  2D000: invalid transaction termination/, 'a procedure cannot commit inside a transactional migration');
is_sql($node, q{SELECT count(*) FROM ran WHERE what IN ('commits', 'do')}, '0', '... nothing of it stays');
dbvc_register($node, 'f2', "CALL commits();\nDO \$\$BEGIN INSERT INTO ran VALUES ('do'); COMMIT; END\$\$;", transactional => 'false');
like(error_of($node, 'SET ROLE op', 'CALL dbvc.migrate()'), qr/ERROR:  2D000/, 'nor in steps after SET ROLE');
is(migrate(), '', 'in steps it can');
is_sql($node, q{SELECT what, count(*) FROM ran WHERE what IN ('commits', 'do') GROUP BY 1 ORDER BY 1}, "commits|3\ndo|1", '... and does');
all_sound($node, 'at the end');
is_sql($node, q{SELECT count(*) FROM pg_index WHERE NOT indisvalid}, '0', 'no invalid index anywhere');
is_sql($node, q{SELECT count(*) FROM dbvc.migration_status WHERE status <> 'applied'}, '0', 'all is applied');

$node->stop;
done_testing();
