# How clients send things, and how much of it: what a driver or a pooler does to CALL, scripts of 5 MB, 10,000 migrations.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = dbvc_node('client', 'autovacuum = off');
my $dir = $PostgreSQL::Test::Utils::tmp_check;

sub applied { return $node->safe_psql('postgres', "SELECT status FROM dbvc.migration_status WHERE id = '$_[0]'"); }
sub idle
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_extension'::regclass AND objsubid = 1}, '0', "$_[0]: no lock is left");
}

# ---- CALL in a transaction ----

$node->safe_psql('postgres', q{
	CREATE TABLE ran (what text);
	CREATE FUNCTION in_function() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL dbvc.migrate(); END';
	CREATE PROCEDURE in_procedure() LANGUAGE plpgsql AS 'BEGIN CALL dbvc.migrate(); END';
	CREATE PROCEDURE in_block() LANGUAGE plpgsql AS 'BEGIN CALL dbvc.migrate(); EXCEPTION WHEN division_by_zero THEN NULL; END';
	CREATE PROCEDURE in_loop() LANGUAGE plpgsql AS 'DECLARE r record; BEGIN FOR r IN SELECT generate_series(1, 3) LOOP CALL dbvc.migrate(); END LOOP; END';
	CREATE PROCEDURE with_set() LANGUAGE plpgsql SET work_mem = '1MB' AS 'BEGIN CALL dbvc.migrate(); END';
	CREATE PROCEDURE as_owner() LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN CALL dbvc.migrate(); END';
});
dbvc_register($node, 'a1', q{INSERT INTO ran VALUES ('a1')}, down_script => q{'SELECT 1'});
foreach my $case (
	[ 'a driver that begins a transaction', 'BEGIN', 'CALL dbvc.migrate()' ],
	[ 'several commands in one message', 'SELECT 1; CALL dbvc.migrate()' ],
	[ 'the other way round', 'CALL dbvc.migrate(); SELECT 1' ],
	[ 'a function', 'SELECT in_function()' ],
	[ 'a procedure with SET', 'CALL with_set()' ],
	[ 'a security definer procedure', 'CALL as_owner()' ],
	[ 'rollback in a transaction', 'BEGIN', 'CALL dbvc.rollback()' ],
	[ 'a savepoint', 'BEGIN', 'SAVEPOINT s', 'CALL dbvc.migrate()' ])
{
	my ($name, @sql) = @$case;
	my $err = error_of($node, @sql);

	like($err, qr/ERROR:  25001: CALL dbvc\.(migrate|rollback)\(\) cannot run inside a transaction/, "$name: 25001");
	like($err, qr/HINT:  .*autocommit.*dbvc\.migration_apply\(\)/s, '... with a hint');
}
foreach my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	like(error_of($node, "SET default_transaction_isolation = '$level'", 'CALL dbvc.migrate()'), qr/ERROR:  25001: .*READ COMMITTED.*HINT/s, "$level: 25001");
}
isnt(error_of($node, 'CALL in_block()'), '', 'a block with an exception handler cannot be committed in');
is(applied('a1'), 'pending', 'nothing of all that ran');
idle('after refusals');
is(error_of($node, 'CALL in_procedure()'), '', 'a procedure that calls it');
is(applied('a1'), 'applied', '... does it');
dbvc_register($node, 'a2', q{INSERT INTO ran VALUES ('a2')});
dbvc_register($node, 'a3', q{SELECT 1/0});
like(error_of($node, 'CALL in_loop()'), qr/ERROR:  22012/, 'a loop, with a failure inside');
is(applied('a2') . applied('a3'), 'appliedfailed', '... which is recorded, and what was before stays');
dbvc_register($node, 'a3', q{SELECT 1});
is(error_of($node, 'CALL in_loop()'), '', 'a loop');
idle('after a failure');

my $n = 0;
foreach my $mode ('simple', 'extended', 'prepared')
{
	dbvc_register($node, "b_" . ++$n . "_$mode", "INSERT INTO ran VALUES ('$mode'); SELECT 1;", down_script => q{'SELECT 1'});
	append_to_file("$dir/$mode.sql", "CALL dbvc.migrate();\nCALL dbvc.rollback();\nCALL dbvc.migrate();\n");
	$node->command_ok([ 'pgbench', '-n', '-t', '1', '-M', $mode, '-f', "$dir/$mode.sql", 'postgres' ], "protocol: $mode");
	is_sql($node, "SELECT count(*) FROM ran WHERE what = '$mode'", '2', '... does it all');
	append_to_file("$dir/$mode-begin.sql", "BEGIN;\nCALL dbvc.migrate();\nEND;\n");
	$node->command_fails_like([ 'pgbench', '-n', '-t', '1', '-M', $mode, '-f', "$dir/$mode-begin.sql", 'postgres' ],
		qr/cannot run inside a transaction/, '... and is refused in a transaction');
}
append_to_file("$dir/one.sql", "BEGIN;\nSELECT id FROM dbvc.migration_register('b_tx1', 'INSERT INTO ran VALUES (''b_tx'')');\nSELECT id FROM dbvc.migration_apply('b_tx1');\nEND;\n");
$node->command_ok([ 'pgbench', '-n', '-t', '1', '-M', 'extended', '-f', "$dir/one.sql", 'postgres' ], 'in a transaction migration_apply() does it');
is(applied('b_tx1'), 'applied', '... and it is recorded');

# what a pooler hands on to the next client: nothing
my $session = run_sql($node, q{SET lock_timeout = '5s'}, 'CALL dbvc.migrate()', q{SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('object', 'advisory')},
	'SELECT count(*) FROM pg_prepared_statements', 'SHOW search_path', 'SHOW synchronous_commit');
is($session->{out}, "0\n0\n\"\$user\", public\non\n", 'a session is afterwards as it was');

# two databases do not meet
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', q{CREATE EXTENSION dbvc; SELECT FROM dbvc.migration_register('o1', 'SELECT pg_sleep(600)')});
my $other = job($node, 'other', { db => 'other' }, 'CALL dbvc.migrate()');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'other' AND wait_event = 'PgSleep'});
dbvc_register($node, 'b_tx2', 'SELECT 1');
is(error_of($node, q{SET lock_timeout = '1s'}, 'CALL dbvc.migrate()'), '', 'a run in another database does not matter');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'other'});
finish($other);

# ---- 5 MB ----

my $script = join('', map { "INSERT INTO big VALUES ($_, '" . ('x' x 2400) . "');\n" } (1 .. 2000)) . "COPY big FROM stdin;\n"
  . join('', map { "$_\t" . ('y' x 100) . "\n" } (2001 .. 5000)) . "\\.\nINSERT INTO big VALUES (0, 'end');\n";
cmp_ok(length($script), '>', 5_000_000, 'a script of more than 5 MB');
open(my $file, '>', "$dir/big.sql") or die $!;
print $file q{SELECT FROM dbvc.migration_register('c1', $dbvc$}, "CREATE TABLE big (a int, b text);\n$script", q{$dbvc$);};
close($file);
my $began = time;
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/big.sql", 'postgres' ], '... is registered');
is(error_of($node, 'CALL dbvc.migrate()'), '', '... and applied');
cmp_ok(time - $began, '<', 20, '... before anybody falls asleep');
is_sql($node, 'SELECT count(*), min(b), max(length(b)) FROM big', '5001|end|2400', '... all of it');
is_sql($node, q{SELECT status, statements FROM dbvc.migration_run WHERE id = 'c1'}, 'applied|2003', '... and counted');
is_sql($node, q{SELECT count(*) FROM dbvc.migration_verify('c1') WHERE NOT ok}, '0', '... its record holds');

# ---- 10,000 migrations ----

$began = time;
$node->safe_psql('postgres', q{SELECT count(dbvc.migration_register('d' || i, 'SELECT ' || i)) FROM generate_series(1, 10000) i});
cmp_ok(time - $began, '<', 30, 'registering 10,000 migrations');
$node->safe_psql('postgres', q{SELECT dbvc.migration_baseline('d10000', 'they are there')});
is_sql($node, q{SELECT status, count(*) FROM dbvc.migration_status WHERE id LIKE 'd%' GROUP BY 1}, 'applied|10000', 'and taking them as applied');

# somebody holds the run lock: who has nothing to do does not notice
my $holder = job($node, 'holder', q{SELECT FROM dbvc.migration_accept('d1', 'SELECT 0', reason => 'test'); SELECT pg_sleep(600)});
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'});
$session = run_sql($node, q{SET statement_timeout = '1s'}, 'CALL dbvc.migrate()', q{SELECT count(*) FROM pg_locks WHERE locktype = 'object'});
ok($session->{ok}, 'nothing to do with 10,000 applied: no lock, and less than a second') or diag $session->{err};
like($session->{err}, qr/NOTICE:  00000: nothing to do/, '... it says so');
like(error_of($node, q{SET lock_timeout = '100ms'}, 'CALL dbvc.rollback()'), qr/ERROR:  55P03/, '... while others wait for it');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'});
finish($holder);

dbvc_register($node, 'd10001', 'SELECT 1', down_script => q{'SELECT 1'});
$began = time;
is(error_of($node, 'CALL dbvc.migrate()', 'CALL dbvc.rollback()', 'SELECT count(*) FROM dbvc.migration_status'), '', 'one more');
cmp_ok(time - $began, '<', 10, '... in reasonable time');

$node->stop;
done_testing();
