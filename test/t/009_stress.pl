# Many at once, and deaths at any moment: whatever happened, the records say what is there.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep time);

srand($ENV{DBVC_FUZZ_SEED} // 7);
my $node = dbvc_node('stress', 'restart_after_crash = on', 'autovacuum = off');
my $dir = $PostgreSQL::Test::Utils::tmp_check;

# Tables that are there, and tables that should be
my $differences = q{SELECT s.id, s.status, to_regclass(s.id) FROM dbvc.migration_status s WHERE s.id ~ 't[0-9]*$'
	AND (s.applied_version IS NOT NULL) <> (to_regclass(s.id) IS NOT NULL)};
my $indexes = q{SELECT s.id, s.status FROM dbvc.migration_status s WHERE s.id LIKE '%x' AND s.applied_version IS NOT NULL
	AND NOT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(s.id || '_idx') AND indisvalid)};

# ---- deaths ----

$node->safe_psql('postgres', 'CREATE TABLE x (a int); INSERT INTO x SELECT generate_series(1, 1000)');
my $deaths = 0;
my $round = 0;
my $done = '';

foreach my $how ('backend', 'worker', 'immediate', 'backend', 'immediate', 'worker', 'fast')
{
	$round++;
	# 80 of them; every third has an index
	$node->safe_psql('postgres', "SELECT count(CASE WHEN i % 3 = 0 THEN
		dbvc.migration_register(format('m%s_%sx', $round, i), format('CREATE TABLE m%s_%sx_first (); CREATE INDEX CONCURRENTLY m%1\$s_%2\$sx_idx ON x (a); CREATE TABLE m%1\$s_%2\$sx ()', $round, i))
		ELSE dbvc.migration_register(format('m%s_%st', $round, i), format('CREATE TABLE m%s_%st (a int); INSERT INTO m%1\$s_%2\$st SELECT generate_series(1, 10)', $round, i)) END)
		FROM generate_series(1, 80) i");
	my $job = job($node, 'leader', 'CALL dbvc.migrate()');

	# not from the moment when psql starts, but from the first new record on
	$node->poll_query_until('postgres', "SELECT '$done' <> COALESCE(max(event_id), 0)::text FROM dbvc.migration_run");
	usleep(int(rand(100_000)));
	if ($how eq 'backend' || $how eq 'worker')
	{
		my $type = $how eq 'worker' ? 'dbvc worker' : 'client backend';
		my $pid;

		# a worker is there only now and then
		for (1 .. 20)
		{
			last if $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = '$type' AND (application_name = 'leader' OR '$how' = 'worker') LIMIT 1");
		}

		$deaths++ if $pid && kill('KILL', $pid);
		finish($job) if $pid;
		$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'leader'});
	}
	else
	{
		$node->stop($how);
		$node->start;
		$deaths++;
	}
	finish($job);
	is_sql($node, $differences, '', "$how killed: tables and records agree");
	is_sql($node, $indexes, '', "$how killed: indexes and records agree");
	is_sql($node, q{SELECT count(*) FROM dbvc.migration_status WHERE status NOT IN ('applied', 'pending', 'interrupted', 'failed')}, '0', "$how killed: states are clear");
	$done = $node->safe_psql('postgres', 'SELECT COALESCE(max(event_id), 0) FROM dbvc.migration_run');
}
cmp_ok($deaths, '>=', 4, "$deaths deaths");
my $job = run_sql($node, 'CALL dbvc.migrate()');
ok($job->{ok}, 'the last run finishes') or diag $job->{err};
is_sql($node, q{SELECT status, count(*) FROM dbvc.migration_status GROUP BY 1}, "applied|" . 80 * $round, 'everything is applied');
is_sql($node, $differences, '', 'every table is there');
is_sql($node, $indexes, '', 'every index is there and valid');
is_sql($node, q{SELECT count(*) FROM pg_index WHERE NOT indisvalid}, '0', 'no other is');
is_sql($node, q{SELECT id, count(*) FROM dbvc.migration_run WHERE status = 'applied' GROUP BY 1 HAVING count(*) > 1}, '', 'nothing ran to its end twice');
all_sound($node, 'after all these deaths');

# ---- many at once ----

$node->safe_psql('postgres', 'DROP EXTENSION dbvc');
$node->safe_psql('postgres', q{DO $$DECLARE t text; BEGIN FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
	EXECUTE 'DROP TABLE ' || t; END LOOP; END$$; CREATE EXTENSION dbvc;});
$node->safe_psql('postgres', q{SELECT count(dbvc.migration_register('t' || i, format('CREATE TABLE t%s (a int)', i), format('DROP TABLE t%s', i))) FROM generate_series(1, 10) i});
my %clients = (
	migrate => "CALL dbvc.migrate(out_of_order => true);\nCALL dbvc.rollback();\n",
	rollback => "\\set n random(1, 3)\nCALL dbvc.rollback(steps => :n);\n",
	apply => "\\set n random(1, 10)\nSELECT count(dbvc.migration_apply('t' || :n));\n",
	unapply => "\\set n random(1, 10)\nBEGIN;\nSELECT count(dbvc.migration_rollback('t' || :n));\nROLLBACK;\n",
	register => "\\set n random(1, 12)\n\\set c random(1, 3)\nSELECT count(dbvc.migration_register('t' || :n, format('CREATE TABLE t%s (a int); -- %s', :n, :c), format('DROP TABLE t%s', :n)));\n",
	look => "SELECT count(*) FROM dbvc.migration_status;\nSELECT count(*) FROM dbvc.migration_run;\nSELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok;\n");
my @jobs;
foreach my $name (sort keys %clients)
{
	append_to_file("$dir/$name.sql", $clients{$name});
	# an error ends a client of pgbench: psql goes on, and says which ones there were
	my $out = '';
	my $err = '';
	my $loop = "$dir/$name-loop.sql";
	(my $sql = $clients{$name}) =~ s/\\set (\w) random\((\d+), (\d+)\)\n/SELECT $2 + floor(random() * ($3 - $2 + 1))::int AS $1 \\gset\n/g;

	append_to_file($loop, $sql x 60);
	push @jobs, { name => $name, out => \$out, err => \$err,
		run => IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-f', $loop ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(60)) };
}
foreach my $client (@jobs)
{
	$client->{run}->finish;
	my %seen;

	$seen{$1}++ while ${ $client->{err} } =~ /ERROR:  (\w{5})/g;
	# refused (VC...), busy (55P03) and nothing else: no deadlock, no internal error, no half-done work
	delete $seen{$_} foreach ('VC001', 'VC003', 'VC007', 'VC009', 'VC010', '55P03');
	is(join(' ', %seen), '', "$client->{name}: only expected refusals") or diag substr(${ $client->{err} }, 0, 2000);
}
is_sql($node, $differences, '', 'tables and records agree');
is_sql($node, q{SELECT count(*) > 10 FROM dbvc.migration_run WHERE direction = 'up'}, 't', 'migrations have run');
is_sql($node, q{SELECT count(*) > 10 FROM dbvc.migration_run WHERE direction = 'down'}, 't', '... and were rolled back');
is_sql($node, q{SELECT id, direction FROM (SELECT id, direction, lag(direction) OVER (PARTITION BY id ORDER BY event_id) AS before FROM dbvc.migration_run
	WHERE status <> 'failed') r WHERE direction IS NOT DISTINCT FROM before OR direction = 'down' AND before IS NULL}, '', 'up and down take turns in every history');
is_sql($node, q{SELECT count(*) FROM dbvc.migration_run r JOIN dbvc.change_event e ON e.id = r.event_id JOIN dbvc.migration_version v ON v.id = r.id AND v.version = r.version
	WHERE dbvc.event_bytea(e.body, 'checksum') <> v.checksum}, '0', 'what ran is what was registered as that version');
is_sql($node, q{SELECT id, count(*), max(version) FROM dbvc.migration_version GROUP BY 1 HAVING count(*) <> max(version)}, '', 'versions are numbered without gaps or doubles');
is_sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_extension'::regclass AND objsubid = 1}, '0', 'no lock is left');
all_sound($node, 'after all this');

$node->stop;
done_testing();
