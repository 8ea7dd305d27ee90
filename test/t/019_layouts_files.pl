# What is wrong with directories of migration files, whoever wrote into them; and dbvc new.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use IO::Socket::UNIX;
use Layouts;
use POSIX;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = dbvc_node('files', 'autovacuum = off');
my $tmp = PostgreSQL::Test::Utils::tempdir;
my $db;
my ($dir, $job);

client_uses($node);
$db = new_db();

sub sql { return $node->safe_psql($db, $_[0]); }

my $dbmate = "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n";
my $goose = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n";

# ---- which layout ----

is_taken('no SQL file', { 'README.md' => 'x', '.hidden.sql' => 'x', 'atlas.sum' => 'x', 'a/b' => 'x' }, [], '');
is_taken('what editors and others leave behind', { '1_a.up.sql' => '', '.#1_a.up.sql' => \'user@host.1:2', '1_a.up.sql~' => 'x', '1_a.up.sql.bak' => 'x',
	'#1_a.up.sql#' => "\xff", '.git/V1__x.sql' => 'x', 'Makefile' => "\0", 'x.SQLite' => '' }, [], '1_a');
is_taken('an empty directory', {}, [], '');
is_refused('no directory', "$tmp/none", [], qr/^D:0:0: directory cannot be read: No such file or directory$/);
put_files($tmp, 'file' => 'x');
is_refused('a file', "$tmp/file", [], qr/^D:0:0: .*Not a directory$/);
is_refused('a name of no layout', { 'users.sql' => 'x', 'a/b.sql' => 'x' }, [],
	map { qr/^D\/$_:0:0: no layout has migrations with such a name$/ } ('users.sql', 'a/b.sql'));
is_refused('migrations in a folder', { 'a/1_a.up.sql' => 'x' }, [], qr/^D\/a\/1_a\.up\.sql:0:0: no layout has/);
is_refused('a layout that there is not', { '1_a.up.sql' => '' }, [ '--layout', 'foo' ], qr/^-:0:0: there is no layout "foo"$/);
is_refused('only a down script', { '2_b.down.sql' => '' }, [], qr/^D\/2_b\.down\.sql:0:0: is a down script without its up script$/);
is_refused('three layouts', { '1_a.up.sql' => '', '2_b.sql' => $dbmate, '3/up.sql' => '' }, [],
	qr/^D:0:0: holds files of more than one layout: D\/1_a\.up\.sql \(golang-migrate\), D\/3\/up\.sql \(diesel\), D\/2_b\.sql \(dbmate\)$/);
is_taken('dbmate, with the names of golang-migrate', { '1_a.up.sql' => $dbmate, '2_b.down.sql' => $dbmate }, [], '1_a.up 2_b.down');
is_taken('goose, with the names of golang-migrate', { '1_a.up.sql' => $goose, '2_b.down.sql' => $goose }, [], '1_a.up 2_b.down');
is_refused('--layout=dbmate', { '1_a.sql' => 'SELECT 1', '2_b.sql' => $dbmate }, [ '--layout=dbmate' ], qr/^D\/1_a\.sql:0:0: has no line "-- migrate:up"$/);
is_refused('--layout=plain', { '1_a.sql' => 'SELECT 1', '2_b.sql' => $dbmate, '3_c.sql' => $goose, '4_d.up.sql' => '' }, [ '-l', 'plain' ],
	map { qr/^D\/$_\.sql:0:0: is of another layout, by its name or its comments$/ } ('2_b', '3_c', '4_d.up'));
is_refused('--layout=golang-migrate', { '1_a.up.sql' => '', 'x/up.sql' => '', 'a/V1__x.sql' => '' }, [ '--layout=golang-migrate' ],
	qr/^D\/x\/up\.sql:0:0: is of layout diesel, and the directory is of layout golang-migrate$/, qr/^D\/a\/V1__x\.sql:0:0: is of layout flyway/);
is_taken('--layout where no file tells', {}, [ '--layout=goose' ], '');

# ---- names ----

is_taken('odd names', { map { ("$_.up.sql" => '') } ("1_a b\xc3\xa9\n;x", '2_$(rm -rf x)', "3_'\"\\", "4_\e[31m", '5_;DROP TABLE x;--', "6_\xf0\x9f\x98\x80", '7_-.:+', '8_%s%n') }, [],
	'1_a_b___x 2___rm_-rf_x_ 3____ 4___31m 5__DROP_TABLE_x_-- 6__ 7_-.:+ 8__s_n');
is_refused('one id twice', { '1 x/up.sql' => '', '1_x/up.sql' => '' }, [], qr/^D\/1_x\/up\.sql:0:0: has the same id as D\/1 x\/up\.sql: 1_x$/);
is_refused('no id', { '_x/up.sql' => '', "\xc3\xa9/up.sql" => '' }, [], qr/^D\/_x\/up\.sql:0:0: the name gives no id: "_x"$/,
	qr/^D\/\xc3\xa9\/up\.sql:0:0: the name gives no id: "_"$/);
is_refused('a long id', { '1_' . 'a' x 199 . '.up.sql' => '', '2_' . 'a' x 198 . '.up.sql' => '' }, [], qr/^D\/1_a+\.up\.sql:0:0: the name gives no id: "1_a{199}"$/);
is_refused('a name that is not UTF-8', { "1_\xe9\n.up.sql" => '', '2_a.up.sql' => '' }, [], qr/^D\/1_\\xe9\n\.up\.sql:0:0: the name is not valid UTF-8$/);
is_refused('.SQL', { '1_x.up.sql' => '', '2_y.up.SQL' => '' }, [], qr/^D\/2_y\.up\.SQL:0:0: is not named as a migration of layout golang-migrate$/);
is_refused('other names', { '1_a.up.sql' => '', 'x.sql' => '', '3.up.sql' => '', '4_x.sql' => '' }, [ '--layout=golang-migrate' ],
	map { qr/^D\/\Q$_\E\.sql:0:0: is not named as a migration of layout golang-migrate$/ } ('x', '3.up', '4_x'));
is_refused('other names of Diesel', { '1_a/up.sql' => '', '1_a/other.sql' => '', 'x.sql' => '', '1_b/c/up.sql' => '',
	'1_a/metadata.toml' => "[x]\nrun_in_transaction=1\nrun_in_transaction\n" }, [],
	(map { qr/^D\/\Q$_\E\.sql:0:0: is not named as a migration of layout diesel$/ } ('1_a/other', 'x', '1_b/c/up')), qr/^D\/1_a\/metadata\.toml:1:0: unknown setting$/,
	qr/^D\/1_a\/metadata\.toml:2:0: run_in_transaction is true or false$/, qr/^D\/1_a\/metadata\.toml:3:0: unknown setting$/);
is_refused('other names of plain files', { '1_a.sql' => '', 'x.sql' => '', '3_c.sql' => "-- dbvc: nope\n", '4_d.down.sql' => '', '5_e.verify.sql' => '',
	'1_a.verify.sql' => '', 'verify/1_a.sql' => '' }, [],
	qr/^D\/x\.sql:0:0: is not named as a migration of layout plain$/, qr/^D\/3_c\.sql:1:0: unknown setting$/, qr/^D\/4_d\.down\.sql:0:0: is a down script without/,
	qr/^D\/5_e\.verify\.sql:0:0: is a verify script without its up script$/,
	qr/^D\/verify\/1_a\.sql:0:0: is a second verify script of 1_a, beside D\/1_a\.verify\.sql$/);
is_refused('Go', { '1_a.up.sql' => '', '2_b.go' => '', '2_b_test.go' => '', 'c.go' => '' }, [ '--layout=golang-migrate' ],
	qr/^D\/2_b\.go:0:0: is a migration written in Go/);
is_refused('Go and goose', { '1_a.sql' => $goose, '00002_b.go' => '' }, [], qr/^D\/00002_b\.go:0:0: is a migration written in Go/);
is_refused('verify scripts of nothing', { '1_a.up.sql' => '', 'verify/2_a.sql' => '', 'verify/z/1_a.sql' => '', 'verify/x y.sql' => '', 'verify/1_a.SQL' => '' }, [],
	map { qr/^D\/verify\/\Q$_\E:0:0: is a verify script without its migration$/ } ('2_a.sql', 'z/1_a.sql', 'x y.sql', '1_a.SQL'));
is_refused('only a verify script', { 'verify/2_a.sql' => 'x' }, [], qr/^D\/verify\/2_a\.sql:0:0: is a verify script without its migration$/);

# ---- what stands in files with markers ----

is_refused('dbmate', { '1_a.sql' => "SELECT 0;\nSELECT 0;\n$dbmate", '2_b.sql' => "-- migrate:down\n", '3_c.sql' => "-- migrate:up tx:false\n",
	'4_d.sql' => "-- migrate:up transaction:false\n-- migrate:down\n-- migrate:up\n",
	'5_e.sql' => $dbmate, '5_f.sql' => $dbmate, 'abc.sql' => $dbmate, '6_g.sql' => "  -- migrate:up\n", '7_h.sql' => "$dbmate-- migrate:down\n",
	'8_i.sql' => "/*\n*/ SELECT 1;\n$dbmate", '9_j.sql' => '' }, [ '--layout=dbmate' ],
	qr/^D\/1_a\.sql:1:0: this stands before the first marker$/, qr/^D\/2_b\.sql:1:0: migrate:down without a migrate:up before it$/,
	qr/^D\/3_c\.sql:1:0: unknown option "tx:false"$/,
	qr/^D\/4_d\.sql:3:0: the block in line 1 runs outside a transaction, this one does not$/,
	qr/^D\/5_f\.sql:0:0: is a second up script of version 5, beside D\/5_e\.sql$/, qr/^D\/abc\.sql:0:0: is not named/,
	qr/^D\/6_g\.sql:1:0: a marker begins in the first column$/, qr/^D\/7_h\.sql:5:0: migrate:down without/, qr/^D\/8_i\.sql:2:0: this stands before/,
	qr/^D\/9_j\.sql:0:0: has no line "-- migrate:up"$/);
is_refused('goose', { '1_a.sql' => "x;\n$goose", '2_b.sql' => "-- +goose Down\n-- +goose Up\n", '3_c.sql' => "$goose-- +goose ENVSUB ON\n-- +goose foo\n",
	'4_d.sql' => "-- +goose Up\n-- +goose StatementBegin\n-- +goose Down\n-- +goose StatementEnd\n",
	'5_e.sql' => 'x', '6_f.go' => '', '7.sql' => $goose, '8_x.sql' => "-- +goose Up\n-- +goose StatementBegin\n", '9_y.sql' => "$goose-- +goose Down\n",
	'10_z.sql' => "-- +goose Up\n-- +goose StatementBegin\n-- +goose StatementBegin\n-- +goose StatementEnd\n" }, [ '--layout=goose' ],
	qr/^D\/1_a\.sql:1:0: this stands/, qr/^D\/2_b\.sql:1:0: "\+goose Down" comes once, after/, qr/^D\/2_b\.sql:2:0: "\+goose Up" comes once, before/,
	qr/^D\/3_c\.sql:5:0: environment variables are not substituted$/, qr/^D\/3_c\.sql:6:0: unknown annotation "foo"$/,
	qr/^D\/4_d\.sql:3:0: the StatementBegin in line 2 has no StatementEnd$/, qr/^D\/4_d\.sql:4:0: StatementEnd without StatementBegin$/,
	qr/^D\/5_e\.sql:0:0: has no line "-- \+goose Up"$/, qr/^D\/6_f\.go:0:0: is a migration written in Go/, qr/^D\/7\.sql:0:0: is not named/,
	qr/^D\/8_x\.sql:2:0: StatementBegin without StatementEnd$/, qr/^D\/9_y\.sql:5:0: "\+goose Down" comes once/,
	qr/^D\/10_z\.sql:3:0: the StatementBegin in line 2 has no StatementEnd$/);

# ---- encodings ----

foreach my $case (
	[ 'Latin 1', "SELECT 1;\nSELECT '\xe9';\n", qr/:2:9: is not valid UTF-8: byte 0xe9$/ ],
	[ 'an overlong letter', "\xc0\xaf", qr/:1:1: is not valid UTF-8: byte 0xc0$/ ],
	[ 'a surrogate', "aaaaaaaaaaaa\xc3\xa9\xed\xa0\x80", qr/:1:14: is not valid UTF-8: byte 0xed$/ ],
	[ 'beyond Unicode', "\xf4\x90\x80\x80", qr/:1:1: is not valid UTF-8: byte 0xf4$/ ],
	[ 'half a letter', "abc\xe2\x82", qr/:1:4: is not valid UTF-8: byte 0xe2$/ ],
	[ 'a zero byte', "abc\nde\0f", qr/:2:3: holds a zero byte$/ ],
	[ 'zero bytes before wrong ones', "\0\xff", qr/:1:1: holds a zero byte$/ ],
	[ 'UTF-16', "\xff\xfeS\0;\0", qr/:0:0: is UTF-16, not UTF-8$/ ],
	[ 'UTF-16, big-endian', "\xfe\xff\0S\0;", qr/:0:0: is UTF-16, not UTF-8$/ ],
	[ 'UTF-32', "\xff\xfe\0\0S\0\0\0", qr/:0:0: is UTF-32, not UTF-8$/ ],
	[ 'UTF-32, big-endian', "\0\0\xfe\xff\0\0\0S", qr/:0:0: is UTF-32, not UTF-8$/ ])
{
	my ($name, $text, $pattern) = @$case;

	is_refused($name, { '1_a.up.sql' => $text, '2_b.up.sql' => "SELECT 1;\n" }, [], qr/^D\/1_a\.up\.sql$pattern/);
	is_refused("$name, where files are looked into", { '1_a.sql' => $text, '2_b.sql' => $dbmate }, [], qr/^D\/1_a\.sql$pattern/) if $name =~ /Latin|UTF-16$/;
	is_refused("$name, in a verify script", { '1_a.up.sql' => '', 'verify/1_a.sql' => $text }, [], qr/^D\/verify\/1_a\.sql$pattern/);
}
$dir = make_dir('1_a.up.sql' => "\xef\xbb\xbfSELECT '\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf';\r\n\r\n  SELECT '\xc3\xa9', nope;\r\n");
client_says(1, qr/1_a\.up\.sql:3:15: error: .*nope/, 'every length of a letter, Windows lines', 'migrate', $dir);
put_files($dir, '1_a.up.sql' => "\xef\xbb\xbfSELECT '\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf';\r\n");
client_is(0, '... put right', 'migrate', $dir);
is(sql(q{SELECT encode(convert_to(up_script, 'UTF8'), 'hex') FROM dbvc.migration}) =~ s/^efbbbf//r,
	unpack('H*', "SELECT '\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf';\r\n"), '... and registered as it is');
is_refused('an author that is not UTF-8', { '1_a.up.sql' => "-- Author: \xe9\n" }, [], qr/^D\/1_a\.up\.sql:1:12: is not valid UTF-8: byte 0xe9$/);
$db = new_db();
client_is(0, 'authors', 'migrate', make_dir('1_a.up.sql' => "\n/* x\n y */\n--  author:  Ann \xc3\x89 B \t\nSELECT 1;", '2_b.up.sql' => "SELECT 1;\n-- Author: Ann\n",
	'3_c.up.sql' => "-- Author:\n", '4_d.up.sql' => "/* -- Author: x\n-- Author: y\n*/ -- Author: z\n-- Author: Bob"));
is(sql(q{SELECT string_agg(id || ' ' || COALESCE(author, '-'), ', ' ORDER BY id) FROM dbvc.migration}),
	"1_a Ann \xc3\x89 B, 2_b -, 3_c -, 4_d Bob", '... are those before the first statement');
$db = new_db();

# ---- what is no plain file ----

is_refused('links that lead out', { '1_a.up.sql' => \'/etc/passwd', 'x' => \'/etc', 'verify/1_a.sql' => \'/dev/null' }, [],
	qr/^D\/1_a\.up\.sql:0:0: symbolic link leads out of the directory, to \/etc\/passwd$/, qr/^D\/x:0:0: symbolic link leads out of the directory, to \/etc$/,
	qr/^D\/verify\/1_a\.sql:0:0: symbolic link leads out of the directory, to \/dev\/null$/);
is_refused('links to nothing', { '1_a.up.sql' => \'nowhere', '2_b.up.sql' => \'2_b.up.sql' }, [],
	qr/^D\/1_a\.up\.sql:0:0: symbolic link cannot be followed: No such file or directory$/, qr/^D\/2_b\.up\.sql:0:0: symbolic link cannot be followed: Too many levels/);
is_taken('a link inside', { '.x' => 'SELECT 1', '1_a.up.sql' => \'.x', '2_b.up.sql' => \'1_a.up.sql', 'd/.y' => '', '3_c.up.sql' => \'./d/../d/.y' }, [], '1_a 2_b 3_c');
is_refused('a loop', { '1_a.up.sql' => '', 'x/loop' => \'..', 'y' => \'x' }, [], qr/^D\/x\/loop:0:0: is the same folder as D$/,
	qr/^D\/y:0:0: is the same folder as D\/x$/);
is_refused('folders in folders', { '1_a.up.sql' => '', 'a/b/c/d/e/f/g/h/i/x' => '' }, [], qr/^D\/a\/b\/c\/d\/e\/f\/g\/h\/i:0:0: folders are nested more than 8 deep$/);
$dir = make_dir('1_a.up.sql' => '');
mkdir("$dir-sibling") or die $!;
put_files("$dir-sibling", 'x' => 'SELECT 1');
symlink("../" . ($dir =~ s/.*\///r) . '-sibling/x', "$dir/2_b.up.sql") or die $!;
is_refused('a folder whose name begins the same', $dir, [], qr/^D\/2_b\.up\.sql:0:0: symbolic link leads out of the directory, to /);
unlink("$dir/2_b.up.sql") or die $!;
symlink(POSIX::getcwd() . "/$dir", "$tmp/link") or symlink($dir, "$tmp/link") or die $!;
is_taken('a directory that is a link itself', "$tmp/link", [], '1_a');
is_taken('... with a slash', "$tmp/link//", [], '1_a');
POSIX::mkfifo("$dir/2_b.up.sql", 0600) or die $!;
is_refused('a named pipe', $dir, [], qr/^D\/2_b\.up\.sql:0:0: is a named pipe and is not opened$/);
unlink("$dir/2_b.up.sql") or die $!;
{
	my $path = PostgreSQL::Test::Utils::tempdir_short . '/s';
	my $socket = IO::Socket::UNIX->new(Local => $path, Listen => 1) or die "no socket: $!";

	rename($path, "$dir/2_b.up.sql") or die $!;
	is_refused('a socket', $dir, [], qr/^D\/2_b\.up\.sql:0:0: is a socket and is not opened$/);
	unlink("$dir/2_b.up.sql");
}
mkdir("$dir/2_b.up.sql") or die $!;
is_taken('a folder that is called like a file', $dir, [], '1_a');
put_files($dir, '2_b.up.sql/x.sql' => 'SELECT 1', '3_c.up.sql' => '', 'x/y' => '');
chmod(0, "$dir/3_c.up.sql", "$dir/x") == 2 or die $!;
is_refused('what may not be read', $dir, [], qr/^D\/3_c\.up\.sql:0:0: cannot be read: Permission denied$/, qr/^D\/x:0:0: folder cannot be read: Permission denied$/);
chmod(0700, "$dir/x");
chmod(0, $dir);
is_refused('a directory that may not be read', $dir, [], qr/^D:0:0: folder cannot be read: Permission denied$/);
chmod(0700, $dir);

# ---- many problems, and how they look ----

is_refused('200 problems', { map { ("${_}_x.up.sql" => "\xff") } (1 .. 200) }, [], (qr/^D\/\d+_x\.up\.sql:1:1: is not valid UTF-8/) x 200);
$job = client_says(2, qr/^\S+100_x\.up\.sql:1:1: error: is not valid UTF-8: byte 0xff\nHINT:  Save it as UTF-8\.\n/m, '... as text', 'plan',
	make_dir(map { ("${_}_x.up.sql" => "\xff") } (1 .. 200)));
like($job->{err}, qr/^dbvc: and 150 more$/m, '... are cut off');
$job = client_says(2, qr/1_\\x1B\[31m\\x0Ax\.up\.sql:1:1: error:/, 'a name that would tell a terminal what to do', 'plan', make_dir("1_\e[31m\nx.up.sql" => "\xff"));
unlike($job->{out} . $job->{err}, qr/\e/, '... does not');
$dir = "$tmp/-%s%n \n\e[31m\xff";
put_files($dir, '1_x.up.sql' => "\xff");
$job = client_says(2, qr/^\S*-%s%n \\x0A\\x1B\[31m\\xff\/1_x\.up\.sql:1:1: error: is not valid UTF-8/mi, 'a directory with such a name', 'plan', '--', $dir);
unlike($job->{out} . $job->{err}, qr/\e|\xff/, '... does not either');
client_json(2, '... as JSON', 'plan', $dir);

# a file that is made to cost much
my $began = time;
$dir = make_dir('1_a.sql' => "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n" x 100_000);
is_taken('a dbmate file of 200,000 blocks', $dir, [], '1_a');
$dir = make_dir('V1__a.sql' => 'SELECT 1' . ', ${x' x 500_000);
is_refused('a placeholder that is not closed, 500,000 times', $dir, [], (qr/^D\/V1__a\.sql:1:\d+: placeholder is not closed/) x 20);
$dir = make_dir('1_a.sql' => "-- +goose Up\n" . "-- +goose foo\n" x 30_000);
is(scalar(my @said = client_is(2, '30,000 wrong lines', 'plan', $dir, '--json')->{out} =~ /"unknown annotation/g), 20_000, '... are cut off');
cmp_ok(time - $began, '<', 15, '... all of it in reasonable time');
foreach my $command ([ 'migrate' ], [ 'check' ], [ 'plan' ], [ 'rollback' ], [ 'accept', '1', '--reason=x' ], [ 'baseline', '1', '--reason=x' ])
{
	my ($name, @args) = @$command;

	my $document = client_json(2, "$name uses no such directory", $name, make_dir('1_a.up.sql' => '', 'x.sql' => ''), @args);
	is($document->{problems}[0]{message}, 'is not named as a migration of layout golang-migrate', '... and says why');
}
is(events(), '', 'none of this is on record');

# ---- dbvc new ----

# new_files(NAME, FILES or DIR, [ARGUMENT...], PATTERN...): the files that are made, as D/FILE, in a directory that is
# still one; its path
sub new_files
{
	my ($name, $files, $args, @patterns) = @_;
	my $dir = ref $files ? make_dir(%$files) : $files;
	my $document;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$document = client_json(0, "new, $name", 'new', 'add users', $dir, @$args);
	my @made = map { short_names($dir, $_->{file}) =~ s/^D\///r } @{ $document->{migrations} };
	my @wrong = grep { !defined $made[$_] || !defined $patterns[$_] || $made[$_] !~ /^$patterns[$_]$/ || !-f "$dir/$made[$_]" } (0 .. (@made > @patterns ? $#made : $#patterns));
	is("@wrong", '', '... makes what is to be') or diag("@made");
	$document = client_json(0, '... plan', 'plan', $dir, grep { !/^--layout/ } @$args);
	is(short_names($dir, (grep { $_->{kind} ne 'repeatable' } @{ $document->{migrations} })[-1]{file}), "D/$made[0]", '... and it runs last');
	return $dir;
}

my $day = qr/20\d\d-\d\d-\d\d-\d{6}/;
my $time = qr/20\d{12}/;

# in each layout, twice, up and back
foreach my $case (
	[ 'flyway', qr/V1__add_users\.sql/, qr/V2__add_users\.sql/ ],
	[ 'golang-migrate', qr/${time}_add_users\.up\.sql/, qr/${time}_add_users\.up\.sql/ ],
	[ 'diesel', qr/${day}_add_users\/up\.sql/, qr/${day}_add_users\/up\.sql/ ],
	[ 'dbmate', qr/${time}_add_users\.sql/, qr/${time}_add_users\.sql/ ],
	[ 'goose', qr/${time}_add_users\.sql/, qr/${time}_add_users\.sql/ ],
	[ 'plain', qr/0001_add_users\.sql/, qr/0002_add_users\.sql/ ])
{
	my ($layout, $first, $second) = @$case;
	my $has_down = $layout eq 'golang-migrate' || $layout eq 'diesel';
	my $dir = make_dir();

	$db = new_db();
	new_files("$layout: a first one", $dir, [ "--layout=$layout" ], $first, $has_down ? $first =~ s/up\\/down\\/r : ());
	new_files("$layout: a second one", $dir, [], $second, $has_down ? $second =~ s/up\\/down\\/r : ());
	is(client_json(0, "$layout: migrate", 'migrate', $dir)->{layout}, $layout, '... in this layout');
	is(sql(q{SELECT count(*) FROM dbvc.migration_run WHERE status = 'applied'}), '2', '... did it');
	client_is(0, "$layout: check", 'check', $dir);
	client_is(0, "$layout: back", 'rollback', '--steps=2', $dir) unless $layout eq 'flyway' || $layout eq 'plain';
	client_is(0, "$layout: a third one", 'new', 'x', $dir);
	client_is(1, "$layout: is pending", 'check', $dir);
}

$db = new_db();
new_files('an empty directory', {}, [], qr/${time}_add_users\.up\.sql/, qr/${time}_add_users\.down\.sql/);
new_files('no directory', "$tmp/new", [], qr/${time}_add_users\.up\.sql/, qr/${time}_add_users\.down\.sql/);
new_files('golang-migrate, zeros in front', { '000009_x.up.sql' => '' }, [], qr/000010_add_users\.up\.sql/, qr/000010_add_users\.down\.sql/);
new_files('golang-migrate, 99', { '99_x.up.sql' => '' }, [], qr/100_add_users\.up\.sql/, qr/100_add_users\.down\.sql/);
new_files('golang-migrate, a time to come', { '20991231235959_x.up.sql' => '' }, [], qr/20991231235960_add_users\.up\.sql/, qr/20991231235960_add_users\.down\.sql/);
new_files('Flyway, as the newest', { 'V009__x.sql' => '${a}', 'U009__x.sql' => '', 'R__x.sql' => '', 'afterMigrate.sql' => 'x' }, [ '--skip-callbacks', '--set', 'a=b' ],
	qr/V010__add_users\.sql/, qr/U010__add_users\.sql/);
new_files('Flyway, in parts', { 'V9.3__x.sql' => '', 'a/V8__y.sql' => '' }, [], qr/V10__add_users\.sql/);
new_files('Flyway, after a baseline', { 'V4__x.sql' => '', 'B5__y.sql' => '' }, [], qr/V6__add_users\.sql/);
new_files('Flyway, only repeatables', { 'R__x.sql' => '' }, [], qr/V1__add_users\.sql/);
new_files('Diesel without dashes', { '20200101000000_x/up.sql' => '' }, [], qr/${time}_add_users\/up\.sql/, qr/${time}_add_users\/down\.sql/);
new_files('Diesel with dashes', { '00000000000000_init/up.sql' => '', '2020-01-01-000000_x/up.sql' => '' }, [], qr/${day}_add_users\/up\.sql/,
	qr/${day}_add_users\/down\.sql/);
new_files('Diesel, numbers', { '0009_x/up.sql' => '' }, [], qr/0010_add_users\/up\.sql/, qr/0010_add_users\/down\.sql/);
new_files('dbmate', { '20200101000000_x.sql' => $dbmate }, [], qr/${time}_add_users\.sql/);
new_files('goose', { '00009_x.sql' => $goose }, [], qr/00010_add_users\.sql/);
new_files('plain files', { '99.sql' => '', '99.down.sql' => '' }, [], qr/100_add_users\.sql/, qr/100_add_users\.down\.sql/);
new_files('plain files, in parts', { '1.2_x.sql' => '', '1.10_y.sql' => '' }, [], qr/2_add_users\.sql/);
new_files('plain files, days', { '2024-01-31_x.sql' => '' }, [], qr/2025_add_users\.sql/);

# what cannot be, makes no file
foreach my $case (
	[ 'dbmate, 9', { '9_x.sql' => $dbmate }, 'x', qr/is applied after the next version, "10_x"/ ],
	[ 'Diesel, 9', { '9_x/up.sql' => '' }, 'x', qr/is applied after the next version, "10_x"/ ],
	[ 'golang-migrate, the last number', { '18446744073709551615_x.up.sql' => '' }, 'x', qr/there is no number after 18446744073709551615 in this layout/ ],
	[ 'goose, the last number', { '9223372036854775807_x.sql' => $goose }, 'x', qr/there is no number after 9223372036854775807 in this layout/ ],
	[ 'a down script', { '1_x.sql' => '' }, 'x.down', qr/ends in what tells scripts apart/ ],
	[ 'a verify script', { '1_x.sql' => '' }, 'x.verify', qr/ends in what tells scripts apart/ ],
	[ 'a file of golang-migrate', { '1_x.sql' => '' }, 'x.up', qr/ends in what tells scripts apart/ ],
	[ 'a slash', {}, 'a/b', qr/holds a slash/ ],
	[ 'a way out', {}, '../x', qr/holds a slash/ ],
	[ 'a backslash', {}, 'a\\b', qr/holds a slash/ ],
	[ 'a tab', {}, "a\tb", qr/holds a control character/ ],
	[ 'a newline', {}, "a\nb", qr/holds a control character/ ],
	[ 'nothing', {}, '', qr/is empty/ ],
	[ 'Latin 1', {}, "\xe9", qr/is not valid UTF-8/ ],
	[ 'a long name', {}, 'x' x 151, qr/is too long/ ],
	[ 'a directory that is wrong', { '1_x.up.sql' => '', '1_y.up.sql' => '' }, 'x', qr/is a second up script/ ],
	[ 'a mixture', { '1_x.up.sql' => '', 'V1__y.sql' => '' }, 'x', qr/holds files of more than one layout/ ])
{
	my ($name, $files, $title, $pattern) = @$case;
	my $dir = make_dir(%$files);

	client_says(2, $pattern, "new, $name", 'new', $title, $dir);
	is(scalar(my @all = glob("$dir/*")), scalar(keys %$files), '... and makes no file');
}
foreach my $title ("\xc3\xa9 \xf0\x9f\x98\x80", 'a  b', "it's \$(x); \"q\"", 'x.up.y', 'v1__y', '%s%n', '_', '...', 'x' x 150)
{
	foreach my $layout (layout_names())
	{
		$dir = make_dir();
		client_is(0, "new, $layout: '" . substr($title, 0, 20) . "'", 'new', "--layout=$layout", $title, $dir);
		my $document = client_json(0, '... plan', 'plan', $dir);
		is(($document->{layout} // '-') . ' ' . @{ $document->{migrations} }, "$layout 1", '... has it');
	}
}
client_is(0, 'new, with -- before a name', 'new', '--', '-x', $dir = make_dir());
is(scalar(my @made = glob("$dir/*_-x.*.sql")), 2, '... makes it');
is_refused('new, two folders that are not there', "$tmp/no/new", [], qr/^D:0:0: directory cannot be read/);
client_says(2, qr/directory cannot be created: No such file/, '... is not made', 'new', 'x', "$tmp/no/new");
$dir = make_dir('1_x.up.sql' => '');
chmod(0500, $dir);
client_says(2, qr/2_x\.up\.sql: error: cannot be written: Permission denied/, 'new, a directory that may not be written', 'new', 'x', $dir);
chmod(0700, $dir);
symlink("$tmp/elsewhere", "$dir/2_x.down.sql") or die $!;
client_is(2, 'new, where a link is', 'new', 'x', $dir);
ok(!-e "$tmp/elsewhere", '... does not follow it');
is(join(' ', map { sprintf('%o', (stat($_))[2] & 0777) } glob(make_new() . '/*')), '640 640', 'what is made has the rights that the umask leaves');

sub make_new
{
	my $old = umask(0027);
	my $new = make_dir();

	client('new', 'x', $new);
	umask($old);
	return $new;
}
is(client({ env => { PGHOST => '/nowhere', PGPORT => 1 } }, 'new', 'x', make_dir())->{status}, 0, 'new needs no server');

$node->stop;
done_testing();
