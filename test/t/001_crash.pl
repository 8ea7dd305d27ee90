# Whatever dies in the middle of a run - a backend, the worker, the server - leaves nothing half-recorded, and the
# next CALL dbvc.migrate() goes on where it has to.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Test::More;

my $node = dbvc_node('crash', 'restart_after_crash = on', 'autovacuum = off');
my $job;

$node->safe_psql('postgres', q{
	CREATE TABLE ran (what text);
	CREATE TABLE slow (what text);
	CREATE TABLE t (a int, b int);
	INSERT INTO t SELECT i, i FROM generate_series(1, 100) i;
});

sub ran
{
	my ($what) = @_;

	return $node->safe_psql('postgres', "SELECT count(*) FROM ran WHERE what = '$what'");
}

sub sleeping
{
	wait_for($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = '$_[0]' AND wait_event = 'PgSleep'");
}

# ---- in a transaction ----

dbvc_register($node, 'a1', q{CREATE TABLE a1 (); INSERT INTO ran VALUES ('a1');});
dbvc_register($node, 'a2', q{CREATE TABLE a2 (); INSERT INTO ran VALUES ('a2');
SELECT pg_sleep(600) FROM slow;
INSERT INTO ran VALUES ('a2 end');});
dbvc_register($node, 'a3', q{INSERT INTO ran VALUES ('a3')});

foreach my $how ('backend', 'server')
{
	$node->safe_psql('postgres', q{INSERT INTO slow VALUES ('a2')});
	$job = job($node, 'leader', 'CALL dbvc.migrate()');
	sleeping('leader');
	if ($how eq 'backend')
	{
		kill_9($node, q{application_name = 'leader'});
	}
	else
	{
		$node->stop('immediate');
		$node->start;
	}
	ok(!finish($job), "$how killed in a transactional migration: the session is gone");
	is_sql($node, q{SELECT status, error_sqlstate FROM dbvc.migration_status WHERE id = 'a2'},
		'pending|', "$how: its migration is pending");
	is_sql($node, q{SELECT to_regclass('a2') IS NULL, (SELECT count(*) FROM ran WHERE what LIKE 'a2%')}, 't|0',
		"$how: nothing of its script is there");
	is_sql($node, q{SELECT count(*) FROM dbvc.change_event WHERE migration_id = 'a2' AND event_type <> 'registered'},
		'0', "$how: nothing of it is recorded");
	# the commit of a1 may not have reached the disk yet: then its record did not either
	is_sql($node, q{SELECT (to_regclass('a1') IS NOT NULL) = (status = 'applied') FROM dbvc.migration_status WHERE id = 'a1'},
		't', "$how: the one before is there with its record or not at all");
	is_sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_extension'::regclass AND objsubid = 1},
		'0', "$how: the run lock is free");
	$node->safe_psql('postgres', 'TRUNCATE slow');
}
$job = run_sql($node, 'CALL dbvc.migrate()');
ok($job->{ok}, 'the next run goes on') or diag $job->{err};
is_sql($node, q{SELECT string_agg(id || ' ' || status, ', ') FROM dbvc.migration_status},
	'a1 applied, a2 applied, a3 applied', 'everything is applied');
is_sql($node, 'SELECT what, count(*) FROM ran GROUP BY 1 ORDER BY 1', "a1|1\na2|1\na2 end|1\na3|1", 'each once');
is_sql($node, q{SELECT string_agg(id || ' ' || status, ', ' ORDER BY event_id) FROM dbvc.migration_run},
	'a1 applied, a2 applied, a3 applied', 'with one record each');
all_sound($node, 'after two crashes');

# ---- in steps ----

# Another transaction has written the table: the build waits for it, with an invalid index to be seen.
sub start_build
{
	my ($id) = @_;
	my $blocker = job($node, 'blocker', 'INSERT INTO t VALUES (0, 0); SELECT pg_sleep(600)');

	sleeping('blocker');
	dbvc_register($node, $id, "INSERT INTO ran VALUES ('$id first');
SET search_path = public;
CREATE INDEX CONCURRENTLY ${id}_idx ON t (a);
INSERT INTO ran VALUES ('$id last');
CREATE INDEX CONCURRENTLY ${id}_idx2 ON t (b);");
	my $leader = job($node, 'leader', 'CALL dbvc.migrate()');
	wait_for($node, qq{SELECT count(*) = 1 FROM pg_stat_activity a JOIN pg_locks l USING (pid)
		WHERE backend_type = 'dbvc worker' AND l.locktype = 'virtualxid' AND NOT l.granted
		AND EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('${id}_idx') AND NOT indisvalid)});
	is_sql($node, qq{SELECT status, steps_done FROM dbvc.migration_status WHERE id = '$id'}, 'running|2',
		"$id: while the index is built, the migration is running, its first step done");
	return ($leader, $blocker);
}

sub end_blocker
{
	my ($blocker) = @_;

	$node->psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'blocker'});
	finish($blocker);
	wait_gone($node, 'blocker');
}

# What is there after an interruption, and that the next run takes it from there
sub interrupted
{
	my ($id, $what, %opt) = @_;
	my $events = q{SELECT string_agg(event_type || COALESCE(' ' || dbvc.event_bigint(body, 'statements'), ''), ', ' ORDER BY id)
		FROM dbvc.change_event WHERE migration_id = '%s' AND event_type <> 'registered'};

	is_sql($node, qq{SELECT status, steps_done FROM dbvc.migration_status WHERE id = '$id'}, 'interrupted|2',
		"$what: reads interrupted");
	is_sql($node, qq{SELECT status, completed_at IS NULL FROM dbvc.migration_run WHERE id = '$id'}, 'interrupted|t',
		"$what: its run has no end");
	is_sql($node, sprintf($events, $id), 'started 0, step_completed 2', "$what: what is recorded is what was done");
	is_sql($node, qq{SELECT why FROM dbvc.migration_plan() WHERE id = '$id'}, 'interrupted, resumes',
		"$what: the plan says that it resumes");
	is_sql($node, qq{SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('${id}_idx')}, 'f',
		"$what: the index is invalid");
	if ($opt{built_by_hand})
	{
		$node->safe_psql('postgres', "REINDEX INDEX CONCURRENTLY ${id}_idx");
	}
	$job = run_sql($node, 'CALL dbvc.migrate()');
	ok($job->{ok}, "$what: the next run succeeds") or diag $job->{err};
	like($job->{err}, $opt{built_by_hand} ? qr/index public.${id}_idx is there and valid/
		: qr/dropped index public.${id}_idx, which an earlier run of "${id}" left invalid/, "$what: and says what it found");
	is_sql($node, sprintf($events, $id), 'started 0, step_completed 2, interrupted 2, started 2, step_completed 3, '
		. 'step_completed 4, step_completed 5, completed 5', "$what: it resumed at the third statement");
	is_sql($node, qq{SELECT string_agg(status, ', ' ORDER BY event_id) FROM dbvc.migration_run WHERE id = '$id'},
		'interrupted, applied', "$what: both runs stay on record");
	is_sql($node, qq{SELECT status, steps_done FROM dbvc.migration_status WHERE id = '$id'}, 'applied|',
		"$what: the migration is applied");
	is_sql($node, qq{SELECT string_agg(what, ', ') FROM ran WHERE what LIKE '$id%'}, "$id first, $id last",
		"$what: each statement ran once");
	is_sql($node, qq{SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass
		AND indexrelid::regclass::text LIKE '${id}%'}, '2|t', "$what: its indexes are valid, and no other is left");
	all_sound($node, $what);
}

my ($leader, $blocker) = start_build('b1');
kill_9($node, q{backend_type = 'dbvc worker'});
ok(!finish($leader), 'worker killed: the session is gone');
finish($blocker);
interrupted('b1', 'worker killed');

($leader, $blocker) = start_build('b2');
kill_9($node, q{application_name = 'leader' AND backend_type = 'client backend'});
ok(!finish($leader), 'leader killed: the session is gone');
finish($blocker);
interrupted('b2', 'leader killed');

($leader, $blocker) = start_build('b3');
$node->stop('immediate');
$node->start;
ok(!finish($leader), 'server killed: the session is gone');
finish($blocker);
interrupted('b3', 'server killed', built_by_hand => 1);

($leader, $blocker) = start_build('b5');
$node->stop('fast');
$node->start;
ok(!finish($leader), 'server stopped: neither leader nor worker keeps it from that');
finish($blocker);
interrupted('b5', 'server stopped');

($leader, $blocker) = start_build('b6');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE application_name = 'leader' AND backend_type = 'client backend'});
ok(!finish($leader), 'leader terminated: the session is gone');
like($leader->{err}, qr/57P01/, 'leader terminated: by an administrator');
wait_for($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbvc worker'});
pass('leader terminated: the worker ends as well, though its build still had to wait');
end_blocker($blocker);
interrupted('b6', 'leader terminated');

# ---- ends that can be recorded ----

($leader, $blocker) = start_build('c1');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity
	WHERE application_name = 'leader' AND backend_type = 'client backend'});
ok(!finish($leader), 'leader cancelled: an error');
like($leader->{err}, qr/ERROR:  57014: canceling statement due to user request/, 'leader cancelled: 57014');
like($leader->{err}, qr/Index public.c1_idx was left invalid/, 'leader cancelled: the invalid index is named');
is_sql($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dbvc worker'}, '0',
	'leader cancelled: the worker is gone');
is_sql($node, q{SELECT status, error_sqlstate, steps_done FROM dbvc.migration_status WHERE id = 'c1'}, 'failed|57014|2',
	'leader cancelled: recorded as a failure');
end_blocker($blocker);
$job = run_sql($node, 'CALL dbvc.migrate()');
ok($job->{ok}, 'leader cancelled: the next run succeeds, over the invalid index') or diag $job->{err};
$node->psql('postgres', 'CALL dbvc.migrate()') unless $job->{ok};
is_sql($node, q{SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass
	AND indexrelid::regclass::text LIKE 'c1%'}, '2|t', 'leader cancelled: both indexes are valid then');
is_sql($node, q{SELECT string_agg(what, ', ') FROM ran WHERE what LIKE 'c1%'}, 'c1 first, c1 last',
	'leader cancelled: each statement ran once');

($leader, $blocker) = start_build('c2');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'dbvc worker'});
# what is left invalid is dropped at once, which waits for the same transaction
wait_for($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'dbvc worker' AND query LIKE 'DROP INDEX%')
	OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'leader')});
is_sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_extension'::regclass
	AND objsubid = 1 AND mode = 'ExclusiveLock' AND granted}, '1', 'worker terminated: nobody else may run before that is done');
end_blocker($blocker);
ok(!finish($leader), 'worker terminated: an error');
unlike($leader->{err}, qr/WARNING/, 'worker terminated: and no warning');
like($leader->{err}, qr/ERROR:  57P01: .*terminating/, 'worker terminated: the error says so');
is_sql($node, q{SELECT status, error_sqlstate, steps_done FROM dbvc.migration_status WHERE id = 'c2'}, 'failed|57P01|2',
	'worker terminated: recorded as a failure');
is_sql($node, q{SELECT count(*) FROM pg_index WHERE NOT indisvalid}, '0', 'worker terminated: no invalid index is left');
ok(run_sql($node, 'CALL dbvc.migrate()')->{ok}, 'worker terminated: the next run succeeds');
is_sql($node, q{SELECT count(*) FROM dbvc.migration_status WHERE status <> 'applied'}, '0', 'all is applied');

# ---- an interrupted rebuild leaves an index under a name of its own ----

sub start_other
{
	my ($call) = @_;
	my $blocker = job($node, 'blocker', 'INSERT INTO t VALUES (0, 0); SELECT pg_sleep(600)');

	sleeping('blocker');
	my $leader = job($node, 'leader', $call);
	wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity a JOIN pg_locks l USING (pid)
		WHERE backend_type = 'dbvc worker' AND l.locktype = 'virtualxid' AND NOT l.granted});
	return ($leader, $blocker);
}

foreach my $how ('leader cancelled', 'worker killed')
{
	my $id = $how eq 'worker killed' ? 'd2' : 'd1';

	dbvc_register($node, $id, "SET search_path = public;\nREINDEX INDEX CONCURRENTLY c2_idx;\nREINDEX TABLE CONCURRENTLY t;");
	($leader, $blocker) = start_other('CALL dbvc.migrate()');
	if ($how eq 'worker killed')
	{
		kill_9($node, q{backend_type = 'dbvc worker'});
		ok(!finish($leader), "REINDEX, $how: the session is gone");
		finish($blocker);
	}
	else
	{
		$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity
			WHERE application_name = 'leader' AND backend_type = 'client backend'});
		ok(!finish($leader), "REINDEX, $how: an error");
		like($leader->{err}, qr/DETAIL:  .*c2_idx_ccnew/, "REINDEX, $how: the invalid index is named");
		end_blocker($blocker);
	}
	$job = run_sql($node, 'CALL dbvc.migrate()');
	ok($job->{ok}, "REINDEX, $how: the next run succeeds") or diag $job->{err};
	# it was not in the script, so it is not dbvc's to drop: then it has to be named
	my $left = $node->safe_psql('postgres', q{SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid});
	like($job->{err}, qr/WARNING.*\Q$left\E/, "REINDEX, $how: what is left invalid is named");
	$node->safe_psql('postgres', 'DROP INDEX IF EXISTS c2_idx_ccnew');
}

# ---- on the way back ----

foreach my $how ('worker killed', 'leader terminated', 'dropped but not recorded')
{
	my $id = $how eq 'worker killed' ? 'e1' : $how eq 'leader terminated' ? 'e2' : 'e3';

	dbvc_register($node, $id, "CREATE INDEX ${id}_idx ON t (a)", down_script =>
		"'INSERT INTO ran VALUES (''$id first''); DROP INDEX CONCURRENTLY ${id}_idx; INSERT INTO ran VALUES (''$id last'')'");
	ok(run_sql($node, 'CALL dbvc.migrate()')->{ok}, "rollback, $how: applied before");
	($leader, $blocker) = start_other('CALL dbvc.rollback()');
	if ($how eq 'worker killed')
	{
		kill_9($node, q{backend_type = 'dbvc worker'});
	}
	else
	{
		$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leader' AND backend_type = 'client backend'});
		wait_for($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbvc worker'});
		end_blocker($blocker);
	}
	ok(!finish($leader), "rollback, $how: the session is gone");
	finish($blocker) if $how eq 'worker killed';
	is_sql($node, qq{SELECT status, steps_done, applied_version FROM dbvc.migration_status WHERE id = '$id'}, 'interrupted|1|1', "rollback, $how: reads interrupted");
	is_sql($node, qq{SELECT direction, status FROM dbvc.migration_run WHERE id = '$id' ORDER BY event_id}, "up|applied\ndown|interrupted", "rollback, $how: both on record");
	$node->safe_psql('postgres', "DROP INDEX ${id}_idx") if $how eq 'dropped but not recorded';
	$job = run_sql($node, 'CALL dbvc.rollback()');
	ok($job->{ok}, "rollback, $how: the next one succeeds") or diag $job->{err};
	is_sql($node, qq{SELECT string_agg(what, ', ') FROM ran WHERE what LIKE '$id%'}, "$id first, $id last", "rollback, $how: each statement ran once");
	is_sql($node, qq{SELECT status, to_regclass('${id}_idx') FROM dbvc.migration_status WHERE id = '$id'}, 'rolled back|', "rollback, $how: it is rolled back");
	$node->safe_psql('postgres', "SELECT dbvc.migration_baseline('$id', 'out of the way')");
}
all_sound($node, 'at the end');

$node->stop;
done_testing();
