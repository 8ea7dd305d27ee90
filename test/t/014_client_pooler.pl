# The client program through PgBouncer in transaction mode: each transaction may get another session of the server, and
# what one client leaves in a session the next one finds.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } (split(/:/, $ENV{PATH}), '/usr/sbin');

if (!defined $pgbouncer)
{
	diag('NOT TESTED: the client program through a pooler, for want of pgbouncer');
	plan skip_all => 'there is no pgbouncer';
}

my $node = dbvc_node('pooler', 'autovacuum = off');
my $tmp = PostgreSQL::Test::Utils::tempdir;
my $short = PostgreSQL::Test::Utils::tempdir_short;    # for the name of the socket
my $sleeps = q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'client' AND wait_event = 'PgSleep'};
my %through = (env => { PGHOST => $short, PGPORT => 6432 });
my $run_locks = q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_extension'::regclass AND objsubid = 1};
my ($pooler, $db, $dir, $job);

client_uses($node);
put_files($tmp, 'users.txt' => qq{"postgres" ""\n}, 'pgbouncer.ini' => join("\n", '[databases]', '* = host=' . $node->host . ' port=' . $node->port,
	'tight = host=' . $node->host . ' port=' . $node->port . ' pool_size=1',
	'[pgbouncer]', 'listen_addr =', 'listen_port = 6432', "unix_socket_dir = $short", 'auth_type = trust', "auth_file = $tmp/users.txt",
	"logfile = $tmp/pgbouncer.log", 'pool_mode = transaction', 'default_pool_size = 2', 'server_round_robin = 1', 'max_client_conn = 50',
	'admin_users = postgres', 'server_lifetime = 36000', ''));
$pooler = IPC::Run::start([ $pgbouncer, '-q', "$tmp/pgbouncer.ini" ], '<', \undef, '>', "$tmp/pgbouncer.out", '2>&1');
END { $pooler->signal('TERM') if $pooler; }

sub sql { return $node->safe_psql($db, $_[0]); }
sub statuses { return sql(q{SELECT string_agg(id || ' ' || status, ', ' ORDER BY position) FROM dbvc.migration_status}); }
sub files { $dir = "$tmp/" . ++$main::files; put_files($dir, @_); }

# pooled(SQL): what another client of the same pool gets
sub pooled
{
	my ($sql, $name) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', "host=$short port=6432 dbname=$name user=postgres", '-c', $sql ], '>', \$out, '2>', \$err)
	  or return "failed: $err";
	chomp $out;
	return $out;
}

# What is left in the sessions of the pool: nothing
sub clean
{
	my ($name) = @_;
	my $look = q{SELECT current_setting('search_path'), current_user, current_setting('synchronous_commit'), current_setting('lock_timeout'),
		current_setting('default_transaction_read_only'), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors),
		(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('object', 'advisory')),
		(SELECT count(*) FROM pg_class WHERE relpersistence = 't'), pg_is_in_recovery()};
	my %seen = map { pooled($look, $db) => 1 } (1 .. 4);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join("\n", sort keys %seen), qq{"\$user", public|postgres|on|0|off|0|0|0|0|f}, "$name: nothing is left in the sessions");
	is_sql($node, $run_locks, '0', "$name: no lock is left");
	is_sql($node, q{SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'}, '0', "$name: no transaction is left open");
}

foreach my $try (1 .. 300)
{
	last if pooled('SELECT 1', 'postgres') eq '1';
	select(undef, undef, undef, 0.05);
}
is(pooled('SELECT 1', 'postgres'), '1', 'the pooler works') or diag(slurp_file("$tmp/pgbouncer.log"));

# ---- what there is to do ----

$db = new_db('CREATE TABLE ran (what text); CREATE SCHEMA app');
files('1_a.up.sql' => q{SET search_path = app; SET lock_timeout = '7s'; CREATE TABLE in_app (); INSERT INTO public.ran VALUES ('1');},
	'1_a.down.sql' => 'DROP TABLE app.in_app',
	'2_b.up.sql' => "SET search_path = app;\nCREATE TABLE t (id int);\nCREATE INDEX CONCURRENTLY t_idx ON t (id);\nINSERT INTO public.ran VALUES ('2');\n",
	'2_b.down.sql' => "SET search_path = app;\nDROP INDEX CONCURRENTLY t_idx;\nDROP TABLE t;\n");
client_is(1, 'check', {%through}, 'check', $dir);
my $plan = client_json(0, 'plan', {%through}, 'plan', $dir);
is(scalar(@{ $plan->{migrations} }), 2, '... of two');
is(events(), '', '... registers nothing');
clean('plan');
client_is(0, 'migrate what was reviewed', {%through}, 'migrate', "--expect=$plan->{plan_hash}", $dir);
is(statuses(), '1_a applied, 2_b applied', '... did it, in steps too');
clean('migrate');
client_says(0, qr/^nothing to do$/m, 'migrate again', {%through}, 'migrate', $dir);
client_says(0, qr/2 migrations, applied and unchanged/, 'check', {%through}, 'check', $dir);
is(scalar(@{ client_json(0, 'status', {%through}, 'status')->{migrations} }), 2, '... has both');
client_is(0, 'verify', {%through}, 'verify');
client_is(0, 'a dry run', {%through}, 'rollback', '--dry-run', '--steps=2');
client_is(0, 'rollback', {%through}, 'rollback', '--steps=2', $dir);
is(statuses(), '1_a rolled back, 2_b rolled back', '... did it');
is(sql(q{SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace}), '0', '... really');
clean('rollback');
put_files($dir, '1_a.up.sql' => "SET search_path = app;\nSELECT nope;\n");
client_says(1, qr/1_a\.up\.sql:2:8: error/, 'a failure', {%through}, 'migrate', $dir);
clean('a failure');

# ---- Ctrl-C, kill -9, two at once ----

put_files($dir, '1_a.up.sql' => q{INSERT INTO ran VALUES ('1'); SET search_path = app; SELECT pg_sleep(600)});
foreach my $mode ('a script', 'steps')
{
	put_files($dir, '1_a.up.sql' => "VACUUM ran;\nSELECT pg_sleep(600)") if $mode eq 'steps';
	$job = client_start({%through}, 'migrate', $dir);
	wait_for($node, $sleeps);
	client_signal($job, 'INT');
	is(client_end($job), 130, "Ctrl-C in $mode");
	is(statuses(), '1_a failed, 2_b rolled back', '... is recorded');
	clean("Ctrl-C in $mode");
}
put_files($dir, '1_a.up.sql' => "VACUUM ran;\nSELECT 1;\n");
client_is(0, 'the next run goes on', {%through}, 'migrate', $dir);

$db = new_db('CREATE TABLE ran (what text)');
files(map { ("${_}_m.up.sql" => "INSERT INTO ran VALUES ('$_');" . ($_ == 3 ? ' SELECT pg_advisory_xact_lock(42);' : '')) } (1 .. 5));
my $holder = job($node, 'holder', { db => $db }, 'BEGIN', 'SELECT pg_advisory_xact_lock(42)', 'SELECT pg_sleep(600)');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'});
$job = client_start({%through}, 'migrate', $dir);
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'client' AND wait_event_type = 'Lock'});
client_signal($job, 'KILL');
is(client_end($job), -9, 'kill -9 of the client');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'});
finish($holder);
client_is(0, '... the next run completes', {%through}, 'migrate', $dir);
is(sql('SELECT count(*), count(DISTINCT what) FROM ran'), '5|5', '... each ran once');
wait_for($node, $run_locks =~ s/count\(\*\)/count(*) = 0/r);
clean('kill -9');
sound('kill -9');

$db = new_db('CREATE TABLE ran (what text)');
files(map { ("${_}_m.up.sql" => "INSERT INTO ran VALUES ('$_');") } (1 .. 20));
my @jobs = map { client_start({%through}, 'migrate', $dir) } (1 .. 2);
is(join(' ', map { client_end($_) } @jobs), '0 0', 'two clients at once: both are content') or diag(map { $_->{err} } @jobs);
is(sql('SELECT count(*), count(DISTINCT what) FROM ran'), '20|20', '... each ran once');
clean('two at once');
sound('two at once');

# ---- the live line ----

SKIP: {
	skip('no pseudo-terminals', 1) unless pty_works();

	files(map({ ("${_}_m.up.sql" => "INSERT INTO ran VALUES ('$_');") } (1 .. 20)), '21_wait.up.sql' => 'LOCK TABLE ran IN ACCESS EXCLUSIVE MODE');
	$holder = job($node, 'holder', { db => $db }, 'BEGIN', 'LOCK TABLE ran IN ACCESS EXCLUSIVE MODE', 'SELECT pg_sleep(600)');
	wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'});
	my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'holder'});
	$job = pty_start({%through}, 'migrate', $dir);
	ok(pty_until($job, qr/21_wait.*waits for a lock of process $pid\b/), 'a lock that is waited for is shown') or diag(pty_shown($job));
	pty_type($job, "\x03");
	is(pty_end($job), 130, '... until Ctrl-C');
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'});
	finish($holder);
	like(statuses(), qr/21_wait failed/, '... which is recorded');
	clean('the live line');

	# one session for all: who looks on gets none, and is not waited for
	$node->safe_psql('postgres', 'CREATE DATABASE tight');
	$db = 'tight';
	client_uses($node, $db);
	sql('CREATE EXTENSION dbvc; CREATE TABLE ran (what text)');
	files('1_a.up.sql' => q{INSERT INTO ran VALUES ('1'); SELECT pg_advisory_xact_lock(42)}, '2_b.up.sql' => q{INSERT INTO ran VALUES ('2'); SELECT pg_sleep(600)});
	$holder = job($node, 'holder', { db => $db }, 'BEGIN', 'SELECT pg_advisory_xact_lock(42)', 'SELECT pg_sleep(600)');
	wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'});
	$job = pty_start({%through}, 'migrate', $dir);
	ok(pty_until($job, qr/1_a +2\.\d s/), 'a pool of one session: the line lives') or diag(pty_shown($job));
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'});
	finish($holder);
	ok(pty_until($job, qr/applied.* 1_a .*\[ ?2\/2\] 2_b +2\.\d s/s), '... and goes on') or diag(pty_shown($job));
	pty_type($job, "\x03");
	is(pty_end($job), 130, '... until Ctrl-C') or diag(pty_shown($job));
	is(statuses(), '1_a applied, 2_b failed', '... which is recorded');
	clean('a pool of one session');
}

$node->stop;
done_testing();
