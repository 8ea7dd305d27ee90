# The client program with much of everything, with other encodings, and with a database that changes under it.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = dbvc_node('limits', 'autovacuum = off');
my $tmp = PostgreSQL::Test::Utils::tempdir;
my ($db, $dir, $job, $began);

client_uses($node);
sub sql { return $node->safe_psql($db, $_[0]); }
sub statuses { return sql(q{SELECT string_agg(id || ' ' || status, ', ' ORDER BY position) FROM dbvc.migration_status}); }
sub files { $dir = "$tmp/" . ++$main::files; put_files($dir, @_); }

# took(SECONDS, NAME): not longer than that since $began; a bound that only a mistake reaches
sub took
{
	my ($seconds, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok(time - $began, '<', $seconds, $name);
	note(sprintf('%s: %.1f s', $name, time - $began));
	$began = time;
}

# ---- 5,000 files ----

$db = new_db('CREATE TABLE ran (what int)');
files(map { ("${_}_m.up.sql" => "INSERT INTO ran VALUES ($_);\n") } (1 .. 5000));
$began = time;
$job = client_is(0, '5,000 files', 'migrate', $dir);
took(60, '... in reasonable time');
like($job->{out}, qr/^\[5000\/5000\] applied 5000_m .*\n5000 migrations applied\n\z/m, '... to the last one');
is(scalar(() = $job->{out} =~ /^\[ *\d+\/5000\] applied /mg), 5000, '... with a line for each');
is(sql('SELECT count(*), count(DISTINCT what) FROM ran'), '5000|5000', '... each ran once');
is(sql(q{SELECT string_agg(what::text, ',') = (SELECT string_agg(i::text, ',') FROM generate_series(1, 5000) i) FROM ran}), 't', '... in order');
$began = time;
client_says(0, qr/^nothing to do\n\z/, 'again', 'migrate', $dir);
took(10, '... quickly');
client_says(0, qr/^5000 migrations, applied and unchanged\n\z/, 'check', 'check', $dir);
put_files($dir, map { ("${_}_m.up.sql" => "INSERT INTO ran VALUES (-$_);\n") } (1001 .. 1100));
$job = client_is(1, '100 of them are edited', 'check', $dir);
is(scalar(() = $job->{err} =~ /^changed /mg), 50, '... of which 50 are shown');
like($job->{err}, qr/^and 50 more$/m, '... and the rest counted');
is(scalar(@{ client_json(1, 'check', 'check', $dir)->{migrations} }), 100, '... or all of them in the document');
is(scalar(() = client_is(0, 'status', 'status')->{out} =~ /^applied /mg), 5000, '... of all of them');

# ---- large files ----

$db = new_db('CREATE TABLE large (t text)');
files('1_a.up.sql' => 'INSERT INTO large VALUES (\'' . ('x' x (50 * 1024 * 1024)) . "');\nINSERT INTO large VALUES ('end');\n", '2_b.up.sql' => 'SELECT 2;');
$began = time;
client_is(0, 'a file of 50 MB', 'migrate', $dir);
took(60, '... in reasonable time');
is(sql('SELECT count(*), max(length(t)) FROM large'), '2|' . 50 * 1024 * 1024, '... all of it');
client_is(0, '... is the same afterwards', 'check', $dir);
took(20, '... which takes no time');
open(my $file, '+<', "$dir/1_a.up.sql") or die $!;
seek($file, 30_000_000, 0) or die $!;
print $file 'y';
close($file) or die $!;
client_says(1, qr/^changed .*1_a/, '... but for one byte', 'check', $dir);
files('1_a.up.sql' => 'SELECT 1;');
open($file, '>', "$dir/2_b.up.sql") or die $!;
truncate($file, 1100 * 1024 * 1024) or die $!;    # a hole
close($file);
$began = time;
client_says(2, qr/2_b\.up\.sql: error: .*1 GB/, 'a file that no text can hold', 'migrate', $dir);
took(10, '... is not even read');

# ---- other encodings ----

foreach my $encoding ('LATIN1', 'SQL_ASCII', 'EUC_JP')
{
	my $fits = $encoding eq 'EUC_JP' ? "\xe6\x97\xa5" : "\xc3\xa4";

	$db = "in_\L$encoding";
	$node->safe_psql('postgres', "CREATE DATABASE $db ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	client_uses($node, $db);
	sql('CREATE EXTENSION dbvc');
	files("1_$fits.up.sql" => "-- Author: $fits\nCREATE TABLE t (t text);\nINSERT INTO t VALUES ('$fits');\n", '2_b.up.sql' => "SELECT '$fits', nope;\n");
	client_says(1, qr/2_b\.up\.sql:1:@{[ $encoding eq 'SQL_ASCII' ? '1[34]' : '13' ]}: error: .*nope.*\n     1 \| SELECT '$fits', nope;/, "$encoding: letters that it has", 'migrate', $dir);
	is(sql(q{SELECT encode(convert_to(t, getdatabaseencoding()), 'hex') FROM t}), { LATIN1 => 'e4', SQL_ASCII => 'c3a4', EUC_JP => 'c6fc' }->{$encoding}, '... arrive') unless $encoding eq 'SQL_ASCII';
	put_files($dir, '2_b.up.sql' => 'SELECT 2;');
	client_is(0, '... and so on', 'migrate', $dir);
	client_is(0, '... all is well', 'check', $dir);
	client_is(0, '... as the database says', 'verify');
	is(client_json(0, 'status', 'status')->{migrations}[0]{status}, 'applied', '... in UTF-8');
	next if $encoding eq 'SQL_ASCII';
	put_files($dir, '3_c.up.sql' => 'SELECT 3;', '4_d.up.sql' => "SELECT 1;\nSELECT '\xf0\x9f\x90\x98';\n", '5_e.up.sql' => 'SELECT 5;');
	my $before = events();
	foreach my $command ('check', 'plan', 'migrate')
	{
		$job = client($command, $dir);
		cmp_ok($job->{status}, '>', 0, "$encoding: a letter that it has not: $command");
		like($job->{err}, qr/4_d\.up\.sql.*error: .*$encoding/, '... names the file');
	}
	client_json($job->{status}, '... in the document', 'migrate', $dir);
	is(events(), $before, '... nothing is registered, nothing runs');
}
client_uses($node);

# ---- other settings of the session ----

files('1_a.up.sql' => "SELECT '\xc3\xa4';", '1_a.down.sql' => 'SELECT -1;', '2_b.up.sql' => 'VACUUM pg_class;', '2_b.down.sql' => 'SELECT -2;');
$db = new_db('CREATE SCHEMA trap; CREATE FUNCTION trap.count(text) RETURNS bigint LANGUAGE sql AS $$ SELECT 99::bigint $$; CREATE TABLE trap.pg_extension (); CREATE TABLE trap.pg_locks ()');
foreach my $case ([ 'no notices', PGOPTIONS => '-c client_min_messages=error' ], [ 'all notices', PGOPTIONS => '-c client_min_messages=debug1' ],
	[ 'odd formats', PGOPTIONS => '-c bytea_output=escape -c datestyle=German -c intervalstyle=iso_8601 -c timezone=Asia/Kathmandu -c extra_float_digits=-15' ],
	[ 'a path with traps', PGOPTIONS => '-c search_path=trap,pg_catalog,dbvc' ], [ 'no path', PGOPTIONS => '-c search_path=' ],
	[ 'another encoding', PGCLIENTENCODING => 'LATIN1' ], [ 'another locale', LC_ALL => 'C' ], [ 'plans of all kinds', PGOPTIONS => '-c plan_cache_mode=force_generic_plan -c enable_hashjoin=off -c enable_seqscan=off' ])
{
	my ($name, $variable, $value) = @$case;
	my %opt = (env => { $variable => $value });

	$job = client_says(0, qr/^\[ ?1\/2\] applied 1_a .*\n(?:.*\n)*\[ ?2\/2\] applied 2_b .*\n(?:.*\n)*2 migrations applied$/m, "$name: migrate", {%opt}, 'migrate', $dir) if $name ne 'all notices';
	client_is(0, "$name: migrate", {%opt}, 'migrate', $dir);
	client_says(0, qr/^2 migrations, applied and unchanged$/m, "$name: check", {%opt}, 'check', $dir);
	is(join(' ', map { "$_->{id} $_->{status} " . ($_->{time} =~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ ? 'Z' : $_->{time}) } @{ client_json(0, "$name: status", {%opt}, 'status')->{migrations} }), '1_a applied Z 2_b applied Z', '... as ever');
	client_is(0, "$name: verify", {%opt}, 'verify');
	is(join(' ', map { "$_->{id} $_->{status}" } @{ client_json(0, "$name: rollback", {%opt}, 'rollback', '--steps=2')->{migrations} }), '2_b rolled back 1_a rolled back', '... too');
}
client_is(0, 'for those who may only read', 'migrate', $dir);
my %readonly = (env => { PGOPTIONS => '-c default_transaction_read_only=on' });
put_files($dir, '1_a.up.sql' => "SELECT 1;\n");
$began = events();
client_says(1, qr/^changed /, '... check works', {%readonly}, 'check', $dir);
client_is(0, '... status too', {%readonly}, 'status');
is(events(), $began, '... and nothing is recorded');

# ---- ways to name a directory ----

$db = new_db();
my $odd = "$tmp/-it's \"odd\"\n\xc3\xa9 \$(x)";
put_files($odd, '1_a.up.sql' => "SELECT 1;\r\n");
client_is(0, 'a directory with an odd name', 'migrate', $odd);
sub from { my ($folder, @args) = @_; return ({ wrap => [ 'sh', '-c', 'cd "$0" && exec "$@"', $folder ] }, @args); }
client_is(0, 'the folder we are in', from($odd, 'check', '.'));
client_is(0, 'one above', from("$odd/", 'check', '../' . ($odd =~ s/.*\///sr)));
client_is(0, 'one that begins like an option', from($tmp, 'check', '--', $odd =~ s/.*\///sr));
put_files($odd, '1_a.up.sql' => "\xef\xbb\xbfSELECT 1;\n");
client_is(0, 'line endings and a byte order mark do not count', 'check', $odd);
put_files($odd, '1_a.up.sql' => "SELECT 1;\n\n");
client_is(1, '... a newline more does', 'check', $odd);

# ---- registering alone; what others register meanwhile ----

$db = new_db('CREATE TABLE ran (what text)');
files('1_a.up.sql' => q{INSERT INTO ran VALUES ('1')}, '2_b.up.sql' => q{INSERT INTO ran VALUES ('2')});
is(join(' ', map { "$_->{id} $_->{status}" } @{ client_json(0, 'register', 'register', $dir)->{migrations} }), '1_a registered 2_b registered', '... tells which');
is(events(), 'registered 1_a, registered 2_b', '... and no more than that');
client_says(0, qr/^0 registered$/m, 'register again', 'register', $dir);
sql(q{SELECT FROM dbvc.migration_register('0_other', $$INSERT INTO ran VALUES ('0')$$)});
client_says(1, qr/^missing 0_other: registered, not applied/, 'what somebody else has registered', 'migrate', $dir);
client_says(1, qr/0_other/, '... is not run', 'migrate', '--allow-missing', $dir);
is(client_json(1, '... nor', 'migrate', '--allow-missing', $dir)->{migrations}[0]{id}, '0_other', '... in the document');
is(sql('SELECT count(*) FROM ran'), '0', '... and nothing else either');
client_is(0, 'up to what is ours', 'withdraw', '0_other', '--reason=not ours');

my $holder = job($node, 'holder', { db => $db }, 'BEGIN', q{SELECT FROM dbvc.migration_accept('0_other', 'SELECT 0', reason => 'x')}, 'SELECT pg_sleep(600)');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'});
$job = client_start('migrate', $dir);
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'client' AND wait_event_type = 'Lock'});
sql(q{SELECT FROM dbvc.migration_register('1_evil', $$INSERT INTO ran VALUES ('evil')$$)});
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'});
finish($holder);
is(client_end($job), 1, 'what is registered while it waits');
like($job->{err}, qr/1_evil/, '... is named');
is(sql('SELECT count(*) FROM ran'), '0', '... and nothing runs');
sql(q{SELECT dbvc.migration_withdraw('1_evil', 'x')});
client_is(0, 'without it', 'migrate', $dir);
is(sql('SELECT string_agg(what, what ORDER BY what) FROM ran'), '122', '... ours are run');

files(map { ("${_}_m.up.sql" => "INSERT INTO ran VALUES ('$_');") } (1 .. 5));
$db = new_db('CREATE TABLE ran (what text)');
my @jobs = map { client_start({ name => "client$_" }, 'migrate', $dir) } (1 .. 5);
is(join(' ', map { client_end($_) } @jobs), '0 0 0 0 0', 'five clients at once') or diag(map { $_->{err} } @jobs);
is(sql('SELECT count(*), count(DISTINCT what) FROM ran'), '5|5', '... each migration ran once');

# out of order, and another failure first
put_files($dir, '2_late.up.sql' => q{INSERT INTO ran VALUES ('late')});
client_says(2, qr/second up script of version 2/, 'two of one number', 'migrate', $dir);
put_files($dir, '2_late.up.sql' => undef, '0_late.up.sql' => q{INSERT INTO ran VALUES ('late')});
client_says(1, qr/sorts before an applied one.*VC007/, 'out of order', 'migrate', $dir);
client_is(1, '... also the plan', 'plan', $dir);
client_is(0, '--out-of-order', 'plan', '--out-of-order', $dir);
client_is(0, '... goes on', 'migrate', '--out-of-order', $dir);
is(sql(q{SELECT count(*) FROM ran WHERE what = 'late'}), '1', '... with it');
sound('in the end');

$node->stop;
done_testing();
