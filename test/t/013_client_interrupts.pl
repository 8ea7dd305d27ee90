# The client program when somebody or something gets in its way: Ctrl-C, kill -9, another client, a server that dies.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('interrupts', 'autovacuum = off');
my $tmp = PostgreSQL::Test::Utils::tempdir;
my $sleeps = q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'client' AND wait_event = 'PgSleep'};
my ($db, $dir, $job, $holder);

client_uses($node);

sub sql { return $node->safe_psql($db, $_[0]); }
sub statuses { return sql(q{SELECT string_agg(id || ' ' || status, ', ' ORDER BY position) FROM dbvc.migration_status}); }
sub files { $dir = "$tmp/" . ++$main::files; put_files($dir, @_); }

# No session of a client, no run lock
sub nothing_left
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_gone($node, 'client');
	is_sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_extension'::regclass AND objsubid = 1}, '0', "$name: no lock is left");
}

# What every migration left in table ran, and one completed event each
sub each_once
{
	my ($number, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql('SELECT count(*), count(DISTINCT what) FROM ran'), "$number|$number", "$name: each ran once");
	is(sql(q{SELECT count(*), count(DISTINCT migration_id) FROM dbvc.change_event WHERE event_type = 'completed'}), "$number|$number", "$name: one record of each");
	sound($name);
}

# hold(SQL): a session that executes this and keeps its transaction open, until let_go()
sub hold
{
	$holder = job($node, 'holder', { db => $db }, 'BEGIN', @_, 'SELECT pg_sleep(600)');
	wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'});
}

sub let_go
{
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'});
	finish($holder);
	wait_gone($node, 'holder');
}

# The client waits for a lock that the holder has
sub wait_blocked
{
	my ($name) = @_;

	wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = '} . ($name // 'client') . q{' AND wait_event_type = 'Lock'});
}

# ---- Ctrl-C while a migration executes ----

foreach my $signal ('INT', 'TERM')
{
	$db = new_db('CREATE TABLE ran (what text)');
	files('1_a.up.sql' => q{INSERT INTO ran VALUES ('1')}, '2_b.up.sql' => q{INSERT INTO ran VALUES ('2'); SELECT pg_sleep(600)},
		'3_c.up.sql' => q{INSERT INTO ran VALUES ('3')});
	$job = client_start('migrate', $dir);
	wait_for($node, $sleeps);
	client_signal($job, $signal);
	is(client_end($job), 130, "SIG$signal: exit status 130");
	like($job->{out}, qr/applied 1_a/, '... what came before is told');
	like($job->{err}, qr/^dbvc: cancelling.*\n\Q$dir\E\/2_b\.up\.sql:1:31: error: .*\(57014\)/, '... what was cancelled too');
	nothing_left("SIG$signal");
	is(statuses(), '1_a applied, 2_b failed, 3_c pending', '... recorded as failed');
	is(sql(q{SELECT error_sqlstate FROM dbvc.migration_run WHERE id = '2_b'}), '57014', '... as cancelled');
	is(sql('SELECT what FROM ran'), '1', '... nothing of it is left');
	put_files($dir, '2_b.up.sql' => q{INSERT INTO ran VALUES ('2')});
	client_is(0, '... and the next run goes on', 'migrate', $dir);
	each_once(3, "SIG$signal");
}

# one Ctrl-C reaches the server's process twice, and people press it more than once: the failure is recorded all the same
files('4_d.up.sql' => 'SELECT pg_sleep(600)');
foreach my $round (1 .. 3)
{
	my $failures = q{SELECT count(*) FROM dbvc.change_event WHERE event_type = 'failed'};
	my $before = sql($failures);

	$job = client_start('migrate', '--allow-missing', $dir);
	wait_for($node, $sleeps);
	my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'client'});
	$node->safe_psql('postgres', qq{DO \$\$ BEGIN FOR i IN 1 .. 2000 LOOP PERFORM pg_cancel_backend($pid); END LOOP; END\$\$});
	is(client_end($job), 1, "a storm of cancels, round $round");
	is(sql($failures), $before + 1, '... does not keep the failure from being recorded');
}
$job = client_start('migrate', '--json', '--allow-missing', $dir);
wait_for($node, $sleeps);
client_signal($job, 'INT');
is(client_end($job), 130, 'Ctrl-C with --json');
like($job->{out}, qr/^\{.*"exit_status": 130.*"sqlstate": "57014"/s, '... is in the document');
unlike($job->{out}, qr/cancelling/, '... which holds nothing else');
$node->safe_psql('postgres', "ALTER DATABASE $db SET statement_timeout = '100ms'");
client_says(1, qr/4_d\.up\.sql:1:1: error: .*57014/, 'a timeout is no Ctrl-C', 'migrate', '--allow-missing', $dir);

# ---- in steps, while CREATE INDEX CONCURRENTLY waits ----

my $cic = q{INSERT INTO ran VALUES ('1');
CREATE INDEX CONCURRENTLY t_idx ON t (id);
INSERT INTO ran VALUES ('2');
};

foreach my $when ('before the index is there', 'in its last phase')
{
	$db = new_db('CREATE TABLE ran (what text); CREATE TABLE t (id int)');
	files('1_a.up.sql' => $cic);
	# a writer of the table; or a snapshot that is older than the index
	hold($when =~ /before/ ? 'INSERT INTO t VALUES (1)' : ('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM ran'));
	$job = client_start('migrate', $dir);
	wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_progress_create_index p JOIN pg_stat_activity USING (pid) WHERE wait_event_type = 'Lock'});
	client_signal($job, 'INT');
	is(client_end($job), 130, "Ctrl-C in steps, $when: exit status 130");
	wait_for($node, 'SELECT count(*) = 0 FROM pg_stat_progress_create_index');
	nothing_left("in steps, $when");
	is(statuses(), '1_a failed', '... recorded as failed');
	let_go();
	client_is(0, '... and the next run goes on', 'migrate', $dir);
	is(sql('SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = (SELECT oid FROM pg_class WHERE relname = \'t\')'), '1|t', '... the index is there, and valid');
	is(sql('SELECT string_agg(what, what ORDER BY what) FROM ran'), '122', '... each step was done once');
	sound("in steps, $when");
}

# ---- Ctrl-C while something else is in the way ----

$db = new_db('CREATE TABLE ran (what text)');
files('1_a.up.sql' => q{INSERT INTO ran VALUES ('1'); SELECT pg_sleep(600)}, '2_b.up.sql' => q{INSERT INTO ran VALUES ('2')});
$holder = client_start({ name => 'first' }, 'migrate', $dir);
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'first' AND wait_event = 'PgSleep'});
$job = client_start('migrate', $dir);
wait_blocked();
client_signal($job, 'INT');
is(client_end($job), 130, 'Ctrl-C while another run is waited for: exit status 130');
wait_gone($node, 'client');
is(sql('SELECT count(*) FROM dbvc.migration_run'), '0', '... is no failure of a migration');
is_sql($node, q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'first' AND wait_event = 'PgSleep'}, '1', '... and the other runs on');
client_signal($holder, 'INT');
is(client_end($holder), 130, '... until it is cancelled too');

# what comes first only warms up the server: Ctrl-C may simply end the program
$db = new_db('CREATE TABLE ran (what text)');
hold('LOCK TABLE dbvc.migration_state IN ACCESS EXCLUSIVE MODE');
$job = client_start('migrate', $dir);
wait_blocked();
client_signal($job, 'INT');
like(client_end($job), qr/^(130|-2)$/, 'Ctrl-C before anything is asked');
let_go();
is(events(), '', '... nothing is registered');
nothing_left('before anything is asked');

# another value of a placeholder: the comparison looks into the history
files('V1__a.sql' => q{INSERT INTO ran VALUES ('${what}')});
client_is(0, 'one is applied', 'migrate', '--set=what=1', $dir);
put_files($dir, 'V2__b.sql' => q{INSERT INTO ran VALUES ('2')});
foreach my $case ([ 'the comparison', 'ACCESS EXCLUSIVE' ], [ 'registering', 'SHARE' ])
{
	my ($what, $mode) = @$case;

	hold("LOCK TABLE dbvc.change_event IN $mode MODE");
	$job = client_start('migrate', '--set=what=2', $dir);
	wait_blocked();
	client_signal($job, 'INT');
	is(client_end($job), 130, "Ctrl-C in $what: exit status 130");
	wait_gone($node, 'client');
	let_go();
	is(events(), 'registered V1__a, completed V1__a', '... nothing is registered');
	nothing_left($what);
}

# the answer is on its way, the server has nothing left to cancel: what comes next must not begin
hold('LOCK TABLE dbvc.change_event IN ACCESS EXCLUSIVE MODE');
$job = client_start('migrate', '--set=what=2', $dir);
wait_blocked();
client_signal($job, 'STOP');
let_go();
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'client' AND state = 'idle'});
client_signal($job, 'INT');
client_signal($job, 'CONT');
is(client_end($job), 130, 'Ctrl-C that comes too late for the comparison: exit status 130');
is(events(), 'registered V1__a, completed V1__a', '... but not for what comes after it');
client_is(0, '... which the next run does', 'migrate', '--set=what=2', $dir);
each_once(2, 'Ctrl-C that comes too late');

# ---- kill -9, and a terminal that is closed ----

my $number = 6;
foreach my $case ([ 'KILL', 1 ], [ 'KILL', 4 ], [ 'HUP', 3 ])
{
	my ($signal, $at) = @$case;

	$db = new_db('CREATE TABLE ran (what text)');
	files(map { ("${_}_m.up.sql" => "INSERT INTO ran VALUES ('$_');" . ($_ == $at ? ' SELECT pg_advisory_xact_lock(42);' : '')) } (1 .. $number));
	hold('SELECT pg_advisory_xact_lock(42)');
	$job = client_start('migrate', $dir);
	wait_blocked();
	client_signal($job, $signal);
	is(client_end($job), $signal eq 'KILL' ? -9 : -1, "SIG$signal at migration $at");
	is(sql(q{SELECT count(*) FROM dbvc.migration_status WHERE status = 'applied'}), $at - 1, '... those before it are applied');
	# the next one does not wait until the server has noticed
	$job = client_start({ name => 'next' }, 'migrate', $dir);
	wait_blocked('next');
	let_go();
	is(client_end($job), 0, '... the next run completes') or diag($job->{err});
	nothing_left("SIG$signal");
	each_once($number, "SIG$signal");
	client_is(0, '... and all is applied', 'check', $dir);
}

# in steps: the worker is somebody else
$db = new_db('CREATE TABLE ran (what text); CREATE TABLE t (id int)');
files('1_a.up.sql' => $cic);
hold('INSERT INTO t VALUES (1)');
$job = client_start('migrate', $dir);
wait_for($node, 'SELECT count(*) = 1 FROM pg_stat_progress_create_index');
client_signal($job, 'KILL');
is(client_end($job), -9, 'kill -9 of the client in steps');
let_go();
client_is(0, '... the next run completes', 'migrate', $dir);
nothing_left('kill -9 in steps');
is(sql('SELECT string_agg(what, what ORDER BY what) FROM ran'), '122', '... each step was done once');
is(sql('SELECT count(*) FROM pg_index WHERE NOT indisvalid'), '0', '... no invalid index');
sound('kill -9 in steps');

# ---- two at once ----

foreach my $round (1 .. 4)
{
	$db = new_db('CREATE TABLE ran (what text)');
	files(map { ("${_}_m.up.sql" => "INSERT INTO ran VALUES ('$_');") } (1 .. 20));
	my @jobs = map { client_start({ name => "client$_" }, 'migrate', $dir) } (1 .. 2);

	is(join(' ', map { client_end($_) } @jobs), '0 0', "two clients at once, round $round: both are content") or diag(map { $_->{err} } @jobs);
	each_once(20, '... together');
	is(sql(q{SELECT count(*) FROM dbvc.change_event WHERE event_type = 'registered'}), '20', '... registered once');
}

# ---- the server goes away ----

$db = new_db('CREATE TABLE ran (what text)');
files('1_a.up.sql' => q{INSERT INTO ran VALUES ('1')}, '2_b.up.sql' => q{INSERT INTO ran VALUES ('2'); SELECT pg_sleep(600)});
$job = client_start('migrate', $dir);
wait_for($node, $sleeps);
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'client'});
is(client_end($job), 3, 'a terminated backend: exit status 3');
like($job->{err}, qr/terminat|closed/, '... with the reason');
nothing_left('a terminated backend');
is(statuses(), '1_a applied, 2_b pending', '... did not happen');
$job = client_start('migrate', '--json', $dir);
wait_for($node, $sleeps);
$node->stop('immediate');
is(client_end($job), 3, 'a server that dies: exit status 3');
like($job->{out}, qr/^\{.*"exit_status": 3.*\}\n\z/s, '... in the document too');
client_says(3, qr/connection to server .* failed/, 'no server: exit status 3', 'migrate', $dir);
$node->start;
# the commit of 1_a did not wait for the disk, and its session could not make up for that
like(statuses(), qr/^1_a (?:applied|pending), 2_b pending$/, 'the server is back');
put_files($dir, '2_b.up.sql' => q{INSERT INTO ran VALUES ('2')});
client_is(0, '... and the next run goes on', 'migrate', $dir);
each_once(2, 'a server that died');

$node->stop;
done_testing();
