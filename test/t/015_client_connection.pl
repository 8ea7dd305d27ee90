# The client program's way to the server, and every exit status: usage, directories, servers, passwords, versions, rights.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use Encode;
use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = dbvc_node('connection', 'autovacuum = off');
my $tmp = PostgreSQL::Test::Utils::tempdir;
my $dir = "$tmp/shop";
my ($db, $job);

client_uses($node);
sub sql { return $node->safe_psql($db, $_[0]); }

put_files($dir, '1_a.up.sql' => 'CREATE TABLE a (id int);', '1_a.down.sql' => 'DROP TABLE a;');
$db = new_db();

# ---- 0: help ----

foreach my $args (['--help'], ['-?'], ['help'], ['help', 'migrate'], ['--version'], ['-V'], ['completion', 'bash'], ['help', 'status'])
{
	$job = client_is(0, "@$args", @$args);
	ok($job->{out} ne '' && $job->{err} eq '', '... answers');
}
put_files($tmp, 'dbvc.bash' => client('completion', 'bash')->{out});
is(system('bash', '-n', "$tmp/dbvc.bash"), 0, 'the completion is a script');
like(client('--version')->{out}, qr/^dbvc \d+\.\d+\.\d+\n$/, 'a version');
like(client('help', 'rollback')->{out}, qr/--steps/, 'help of a command has its options');
unlike(client('help', 'status')->{out}, qr/--steps/, '... and no others');

# ---- 2: usage ----

foreach my $case (
	[ [], 'nothing' ], [ ['frob'], 'an unknown command' ], [ ['--frob', 'status'], 'an unknown option' ], [ ['-x', 'status'], 'an unknown letter' ],
	[ ['migrate'], 'no directory' ], [ [ 'migrate', $dir, $dir ], 'two directories' ], [ [ 'status', $dir ], 'a directory too many' ],
	[ [ 'status', '--steps=2' ], 'an option of another command' ], [ [ 'plan', '--dry-run', $dir ], 'plan is dry' ],
	[ [ 'status', '-d' ], 'an option without its value' ], [ [ 'rollback', '--steps=two' ], 'steps in letters' ], [ [ 'rollback', '--steps=0' ], 'no steps' ],
	[ [ 'rollback', '--steps=-1' ], 'steps forward' ], [ [ 'rollback', '--steps=99999999999' ], 'very many steps' ], [ [ 'rollback', '--steps=1x' ], 'steps and a half' ],
	[ [ 'rollback', '--steps=1', '--target=1_a' ], 'steps and a target' ], [ [ 'check', '--set', '=x', $dir ], 'a placeholder without a name' ],
	[ [ 'check', '--layout=frob', $dir ], 'an unknown layout' ], [ [ 'completion', 'fish' ], 'an unknown shell' ], [ [ 'help', 'frob' ], 'help for nothing' ],
	[ [ 'accept', $dir, '1_a' ], 'no reason' ], [ [ 'migrate', '' ], 'a directory without a name' ], [ ['withdraw'], 'nothing to withdraw' ], [ ['new'], 'a new what' ])
{
	my ($args, $name) = @$case;

	$job = client_is(2, "usage: $name", @$args);
	ok($job->{err} ne '' && $job->{out} eq '', '... goes to stderr');
}
is(events(), '', 'none of these did anything');
like(client_json(2, 'an unknown migration', 'accept', $dir, '99', '--reason=x')->{error}{message}, qr/99/, 'what the command finds out is in the document');

# ---- 2: directories ----

put_files($tmp, 'file' => 'x');
mkdir "$tmp/closed", 0;
foreach my $case ([ "$tmp/nowhere", 'that is not there' ], [ "$tmp/file", 'that is a file' ], [ "$tmp/closed", 'that cannot be read' ])
{
	my ($path, $name) = @$case;
	my $answer = client_json(2, "a directory $name", 'migrate', $path);

	is(scalar(@{ $answer->{problems} }), 1, '... is a problem');
	is($answer->{error}, undef, '... and no error of the server');
	client_says(2, qr/error: .* cannot be read: /, "a directory $name", 'check', $path);
}
chmod 0700, "$tmp/closed";
client_is(0, 'an empty directory', 'migrate', "$tmp/closed");
client_says(2, qr/cannot be created/, 'a new migration where nothing can be', 'new', 'x', "$tmp/nowhere/deep");
is(client_json(0, 'a new migration', 'new', 'add a city', "$tmp/closed")->{migrations}[0]{file} =~ /add_a_city/, 1, '... has files');

# ---- 3: no server, no database, no extension ----

my $short = PostgreSQL::Test::Utils::tempdir_short;
foreach my $case ([ [ '-h', $tmp ], 'no server' ], [ [ '-h', 'localhost', '-p', '1' ], 'no port' ], [ [ '-d', 'nowhere' ], 'no database' ],
	[ [ '-U', 'nobody' ], 'no role' ], [ [ '-d', 'host=' ], 'no host' ], [ [ '-d', 'frob=1' ], 'no such keyword' ], [ [ '-p', 'frob' ], 'no number' ],
	[ [ '-h', "\xff\x9b31m" ], 'bytes that are no text' ])
{
	my ($args, $name) = @$case;
	my %opt = $name eq 'no host' ? (env => { PGHOST => undef, PGPORT => 1 }) : ();
	my $answer = client_json(3, $name, {%opt}, 'check', $dir, @$args);

	isnt($answer->{error}{message} // '', '', '... says why');
	is(join(' ', map { defined $answer->{$_} ? $_ : () } ('extension_version', 'server_version')), '', '... and knows nothing of a server');
	$job = client_says(3, qr/^dbvc: error: ./, $name, {%opt}, 'migrate', $dir, @$args);
	unlike($job->{err}, qr/[\x80-\x9f\e]/, '... in letters');
}
is(client_json(2, 'a bad directory and no server', 'check', "$tmp/nowhere", '-h', $tmp)->{error}, undef, 'the directory comes first');

# a server that does not answer
my $silent = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$short/.s.PGSQL.7777", Listen => 5) or die $!;
my $began = time;
client_is(2, 'a bad directory is told', 'check', "$tmp/nowhere", '-h', $short, '-p', 7777);
cmp_ok(time - $began, '<', 20, '... without waiting for a server');
$job = client_start('status', '-h', $short, '-p', 7777);
ok($silent->accept, 'the program waits for a server');
client_signal($job, 'INT');
like(client_end($job), qr/^(130|-2)$/, '... until Ctrl-C');
client_is(3, 'connect_timeout', 'status', '-d', "host=$short port=7777 connect_timeout=1");

$node->safe_psql('postgres', 'CREATE DATABASE bare');
foreach my $command ([ 'check', $dir ], [ 'migrate', $dir ], [ 'plan', $dir ], ['status'], ['rollback'], ['verify'])
{
	client_says(3, qr/database "bare" does not have the extension dbvc\nHINT:.*CREATE EXTENSION dbvc/, "no extension: $command->[0]", { db => 'bare' }, @$command);
}
like(client_json(3, 'no extension', { db => 'bare' }, 'check', $dir)->{error}{hint}, qr/CREATE EXTENSION/, '... in the document');

# ---- versions ----

foreach my $case ([ '0.0.9', 3, qr/extension dbvc is of version 0\.0\.9; this program is \S+ and needs 0\.1\.0 or later\nHINT:.*UPDATE/ ],
	[ '0.1.9', 0, qr/^[^\n]*applied and unchanged\n$/ ], [ '0.2.0', 0, qr/this program is of version \S+, the extension of 0\.2\.0/ ],
	[ '0.10.0', 0, qr/the extension of 0\.10\.0/ ], [ '1.0.0', 3, qr/version 1\.0\.0, a newer generation than this program/ ])
{
	my ($version, $status, $message) = @$case;

	client('migrate', $dir);
	sql("UPDATE pg_extension SET extversion = '$version' WHERE extname = 'dbvc'");
	client_says($status, $message, "extension $version", 'check', $dir);
	is(client_json($status, "extension $version", 'check', $dir)->{extension_version}, $version, '... in the document');
	sql("UPDATE pg_extension SET extversion = '0.1.0' WHERE extname = 'dbvc'");
}

# ---- names of databases ----

my $odd = q{we"ird 'na\me=% x} . "\xc3\xa9";
my $quoted = $odd =~ s/(['\\])/\\$1/gr;
my $encoded = $odd =~ s/([^a-z])/sprintf('%%%02X', ord $1)/ger;
my ($host, $port) = ($node->host, $node->port);

$node->safe_psql('postgres', 'CREATE DATABASE "' . ($odd =~ s/"/""/gr) . '"');
$node->safe_psql('postgres', q{CREATE DATABASE "o'brien & ""co"""});
foreach my $case (
	[ $odd, 'PGDATABASE', { db => $odd } ], [ $odd, 'a connection string', {}, '-d', "dbname='$quoted'" ],
	[ $odd, 'a URI', {}, '-d', "postgresql:///$encoded" ],
	[ $odd, 'a URI with everything', { env => { PGHOST => undef, PGPORT => undef, PGUSER => undef } }, '-d', 'postgresql://postgres@' . ($host =~ s/\//%2F/gr) . ":$port/$encoded" ],
	[ $odd, 'a connection string with everything', { env => { PGHOST => undef, PGPORT => undef, PGUSER => undef } }, '-d', "host=$host port=$port user=postgres dbname='$quoted'" ],
	[ q{o'brien & "co"}, 'a name', {}, '-d', q{o'brien & "co"} ],
	[ 'bare', 'options', { env => { PGHOST => undef, PGPORT => undef, PGUSER => undef } }, '-h', $host, '-p', $port, '-U', 'postgres', '-d', 'bare' ])
{
	my ($name, $how, $opt, @args) = @$case;

	is(Encode::encode_utf8(client_json(3, "a database by $how", $opt, 'status', @args)->{database}), $name, "... is found: $how");
}
put_files($tmp, 'services.conf' => "[shop]\nhost=$host\nport=$port\nuser=postgres\ndbname=$db\n");
my %service = (env => { PGHOST => undef, PGPORT => undef, PGUSER => undef, PGDATABASE => undef, PGSERVICEFILE => "$tmp/services.conf" });
is(client_json(0, 'a service', {%service}, 'status', '-d', 'service=shop')->{database}, $db, '... is found');
$service{env}{PGSERVICE} = 'shop';
client_is(0, 'PGSERVICE', {%service}, 'check', $dir);
client_is(3, 'a service that is not there', {%service}, 'status', '-d', 'service=nowhere');

# ---- passwords ----

$node->safe_psql('postgres', q{SET password_encryption = 'scram-sha-256'; CREATE ROLE keyholder LOGIN SUPERUSER PASSWORD 'op"en'});
put_files($node->data_dir, 'pg_hba.conf' => "local all keyholder scram-sha-256\n" . slurp_file($node->data_dir . '/pg_hba.conf'));
$node->reload;
wait_for($node, q{SELECT count(*) = 1 FROM pg_hba_file_rules WHERE user_name = '{keyholder}'});
put_files($tmp, 'pgpass' => "*:*:*:keyholder:op\"en\n", 'wrong' => "*:*:*:keyholder:shut\n");
chmod 0600, "$tmp/pgpass", "$tmp/wrong";
my %none = (user => 'keyholder', env => { PGPASSFILE => "$tmp/nowhere" });
client_is(0, 'PGPASSWORD', { user => 'keyholder', env => { PGPASSWORD => 'op"en' } }, 'check', $dir);
client_is(0, '.pgpass', { user => 'keyholder', env => { PGPASSFILE => "$tmp/pgpass" } }, 'check', '-w', $dir);
client_is(0, 'a password in the URI', {%none}, 'status', '-d', "postgresql://keyholder:op%22en@/$db?host=$host&port=$port");
client_says(3, qr/password authentication failed/, 'a wrong password', { user => 'keyholder', env => { PGPASSFILE => "$tmp/wrong" } }, 'check', '-w', $dir);
client_says(3, qr/no password supplied/, '-w without a password', {%none}, 'check', '-w', $dir);
is(client_json(3, '-w without a password', {%none}, 'check', '-w', $dir)->{database}, undef, '... in the document');
client_says(3, qr/no password supplied/, 'no password and no terminal to ask at', { %none, wrap => [ 'setsid', '-w' ] }, 'check', $dir);
SKIP: {
	skip('no pseudo-terminals', 1) unless pty_works();

	foreach my $case ([ 'op"en', 0 ], [ 'shut', 3 ])
	{
		my ($password, $status) = @$case;

		foreach my $ask ('-W', '--json')
		{
			$job = pty_start({%none}, 'status', $ask);
			ok(pty_until($job, qr/Password(?: for user keyholder)?: $/), "a password is asked for ($ask)") or diag(pty_shown($job));
			pty_type($job, "$password\n");
			is(pty_end($job), $status, "... typed: status $status") or diag(pty_shown($job));
			unlike($job->{out}, qr/\Q$password\E/, '... not shown');
		}
	}
	foreach my $round (1 .. 6)
	{
		$job = pty_start({%none}, 'status', $round % 2 ? '-W' : ());
		ok(pty_until($job, qr/Password/), "a password is asked for, round $round");
		ok(!pty_echo($job), '... without echo');
		pty_type($job, "\x03");
		like(pty_end($job, 1), qr/^(130|-2)$/, '... Ctrl-C ends it');
		ok(pty_echo($job), '... and gives the echo back');
	}
}

# ---- rights, as docs/security.md gives them ----

my @blocks = slurp_file("$FindBin::Bin/../../docs/security.md") =~ /^```sql\n(.*?)^```/gms;
$db = new_db();
foreach my $role ('author', 'operator', 'reader')
{
	my ($recipe) = grep { /^CREATE ROLE dbvc_$role;/m } @blocks;

	ok(defined $recipe, "docs/security.md has a recipe for the $role");
	sql("$recipe; CREATE ROLE $role LOGIN IN ROLE dbvc_$role; ALTER ROLE $role SET search_path = app");
}
my ($program) = grep { /^CREATE ROLE ada LOGIN/m } @blocks;
ok(defined $program, '... and one for the program');
sql(join("\n", ($program // '') =~ /^GRANT .*?;/gms));
sql('CREATE ROLE deploy LOGIN IN ROLE dbvc_author, dbvc_operator; CREATE ROLE nobody LOGIN; ALTER ROLE deploy SET search_path = app');
foreach my $command ([ 'check', $dir ], [ 'migrate', $dir ], [ 'plan', $dir ], ['status'], ['rollback'], ['verify'])
{
	client_says(3, qr/permission denied for schema dbvc.*42501/, "nobody may: $command->[0]", { user => 'nobody' }, @$command);
}
is(client_json(3, 'no permission', { user => 'nobody' }, 'migrate', $dir)->{error}{sqlstate}, '42501', '... in the document');
client_is(0, 'the author: registers', { user => 'author' }, 'register', $dir);
client_is(0, '... plans', { user => 'author' }, 'plan', $dir);
client_says(3, qr/permission denied for procedure migrate/, '... does not migrate', { user => 'author' }, 'migrate', $dir);
client_is(0, 'the operator: migrates what others registered', { user => 'operator' }, 'migrate', $dir);
client_is(0, '... rolls back', { user => 'operator' }, 'rollback', $dir);
client_is(1, 'author and operator: check', { user => 'deploy' }, 'check', $dir);
client_is(0, '... plan', { user => 'deploy' }, 'plan', $dir);
client_is(0, '... migrate', { user => 'deploy' }, 'migrate', $dir);
client_is(0, '... status', { user => 'deploy' }, 'status');
client_is(0, '... verify', { user => 'deploy' }, 'verify');
client_is(0, '... a dry run', { user => 'deploy' }, 'rollback', '--dry-run');
client_is(0, '... rollback', { user => 'deploy' }, 'rollback', $dir);
client_is(0, 'the operator: migrates again', { user => 'operator' }, 'migrate', $dir);
client_is(0, '... checks', { user => 'operator' }, 'check', $dir);
is(sql(q{SELECT string_agg(role, ' ' ORDER BY event_id) FROM dbvc.migration_run}), 'operator operator deploy deploy operator', '... as themselves');
put_files($dir, '2_b.up.sql' => 'CREATE TABLE b (id int);');
client_says(3, qr/permission denied for function migration_register/, '... does not register', { user => 'operator' }, 'migrate', $dir);
client_is(0, 'a reader reads the status', { user => 'reader' }, 'status');
client_says(3, qr/permission denied for function migration_compare/, '... does not check', { user => 'reader' }, 'check', $dir);
sql('GRANT EXECUTE ON FUNCTION dbvc.migration_compare TO dbvc_reader');
client_is(1, '... unless he may compare', { user => 'reader' }, 'check', $dir);
client_says(3, qr/permission denied/, '... and that is all', { user => 'reader' }, 'migrate', $dir);
client_says(3, qr/permission denied/, '... accepting is for others', { user => 'deploy' }, 'accept', $dir, '1_a', '--reason=x');
put_files($dir, '2_b.up.sql' => "SELECT 1;\nCREATE ROLE evil;\n");
client_says(1, qr/2_b\.up\.sql:2:1: error: .*permission denied.*42501/, 'what a script may not do is its failure', { user => 'deploy' }, 'migrate', $dir);
put_files($dir, '2_b.up.sql' => 'SELECT 1;', '2_b.down.sql' => "\nSELECT nope;\n");
client_is(0, 'a migration whose down script fails', { user => 'deploy' }, 'migrate', $dir);
$job = client_says(1, qr/2_b.*2:8: error: .*nope/, '... for somebody who may not read scripts', { user => 'deploy' }, 'rollback');
is(client_json(1, '... too', { user => 'operator' }, 'rollback')->{error}{sqlstate}, '42703', '... it is the script\'s error');

$node->stop;
done_testing();
