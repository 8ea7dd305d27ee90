# What the client program shows: where in a file an error is, colours and the line that lives on a terminal, and nothing
# that a terminal would obey.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use Encode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('output', 'autovacuum = off');
my $tmp = PostgreSQL::Test::Utils::tempdir;
my $pty = pty_works();
my ($db, $dir, $job);

client_uses($node);
sub sql { return $node->safe_psql($db, $_[0]); }
sub files { $dir = "$tmp/" . ++$main::files; put_files($dir, @_); }

# Control characters but tab and newline, of C0, DEL and C1; and bytes that are not UTF-8
sub obeyed
{
	my ($text) = @_;
	my $characters = eval { decode('UTF-8', $text, Encode::FB_CROAK | Encode::LEAVE_SRC) };

	return 'not UTF-8' unless defined $characters;
	return join(' ', map { sprintf('U+%04X', ord) } $characters =~ /([\x00-\x08\x0b-\x1f\x7f-\x9f])/g);
}

# error_at(NAME, TEXT, PLACE, LINE, BEFORE): a file of this text fails at PLACE; the source line is shown as LINE, and the
# caret stands where BEFORE, of that line, ends
sub error_at
{
	my ($name, $text, $place, $line, $before, @more) = @_;
	my ($number) = $place =~ /^(\d+)/;
	my ($source, $caret);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	files('1_a.up.sql' => $text, @more);
	$job = client_is(1, $name, 'migrate', '--allow-missing', $dir);
	like($job->{err}, qr/^\Q$dir\E\/1_a\.up\.sql:\Q$place\E: error: .+ \([0-9A-Z]{5}\)$/ms, "... in $place");
	($source, $caret) = $job->{err} =~ /\([0-9A-Z]{5}\)\n(.*)\n(.*)\n/;
	is($source, sprintf('%6d | %s', $number, $line), '... the line');
	# what stands before the caret is as wide as what stands before the place: tabs are tabs, wide letters two blanks
	is($caret, '       | ' . decode('UTF-8', $before) =~ s/[\x{3000}-\x{9fff}]/  /gr =~ s/[^\t]/ /gr . '^', '... and the caret');
}

# ---- where an error is ----

$db = new_db();
error_at('the first character', "nonsense;\n", '1:1', 'nonsense;', '');
error_at('in the middle', "SELECT 1;\n\nSELECT 2,\n   nope;\n", '4:4', '   nope;', '   ');
error_at('no newline at the end', 'SELECT nope', '1:8', 'SELECT nope', 'SELECT ');
error_at('Windows lines and a byte order mark', "\xef\xbb\xbfSELECT 1;\r\nSELECT nope;\r\n", '2:8', 'SELECT nope;', 'SELECT ');
error_at('a byte order mark on its line', "\xef\xbb\xbfSELECT nope;\n", '1:8', 'SELECT nope;', 'SELECT ');
error_at('tabs', "\tSELECT\t1,\tnope;\n", '1:12', "\tSELECT\t1,\tnope;", "\tSELECT\t1,\t");
error_at('letters of several bytes', "SELECT '\xc3\xa4\xe2\x82\xac', nope;\n", '1:14', "SELECT '\xc3\xa4\xe2\x82\xac', nope;", "SELECT '\xc3\xa4\xe2\x82\xac', ");
error_at('letters of two columns', "SELECT '\xe6\x97\xa5\xe6\x9c\xac', nope;\n", '1:14', "SELECT '\xe6\x97\xa5\xe6\x9c\xac', nope;", "SELECT '\xe6\x97\xa5\xe6\x9c\xac', ");
error_at('a long line', "SELECT '" . ('x' x 3000) . "', nope, '" . ('y' x 3000) . "';\n", '1:3012',
	'... ' . ('x' x 56) . "', nope, '" . ('y' x 54) . ' ...', '    ' . (' ' x 59));
cmp_ok(length((split(/\n/, $job->{err}))[1]), '<', 200, '... of which only a part is shown');
error_at('a line of 10 MB', "SELECT '" . ('x' x 10_000_000) . "', nope;\n", '1:10000012', '... ' . ('x' x 56) . "', nope;", '    ' . (' ' x 59));
error_at('in steps', "SELECT 1;\nVACUUM;\n  VACUUM nope;\n", '3:3', '  VACUUM nope;', '  ');
$db = new_db();
error_at('inside of a function', "SELECT 1;\nDO \$\$ BEGIN\n  PERFORM nope;\nEND \$\$;\n", '2:1', 'DO $$ BEGIN', '');
like($job->{err}, qr/^CONTEXT:  .*PL\/pgSQL/m, '... with its context');
error_at('a script that cannot be read', "SELECT 1;\nSELECT 'open;\n", '2:8', "SELECT 'open;", 'SELECT ');
error_at('a command of psql', "SELECT 1;\n\\d\n", '2:1', '\d', '');

files('1_a.up.sql' => 'SELECT 1;', '1_a.down.sql' => "-- back\nSELECT\n  nope;\n");
$db = new_db();
client_is(0, 'a down script', 'migrate', $dir);
client_says(1, qr/^\Q$dir\E\/1_a\.down\.sql:3:3: error: .*\n +3 \|   nope;\n +\|   \^\n/, 'an error in it', 'rollback', $dir);
client_says(1, qr/^1_a \(down script\):3:3: error: .*\n +3 \|   nope;\n +\|   \^\n/, 'without its file', 'rollback');
is(join(' ', map { $_ // '-' } @{ client_json(1, 'without its file', 'rollback')->{error} }{ 'migration', 'script', 'line', 'column' }), '1_a down 3 3', '... in the document');
put_files($dir, '1_a.down.sql' => "-- back\n-- and forth\nSELECT 'a line more';\n");
$job = client_says(1, qr/3:3: error: .*\n +3 \|   nope;\n/, 'what runs is what was applied, not what the file says now', 'rollback', $dir);
unlike($job->{err}, qr/a line more/, '... so that is not shown');

files('1_a.sql' => "-- migrate:up\nCREATE TABLE one ();\n-- migrate:down\nDROP TABLE one;\n\n-- migrate:up\nCREATE TABLE two ();\nSELECT nope;\n-- migrate:down\nDROP TABLE two;\nSELECT down;\n");
$db = new_db();
client_says(1, qr/^\Q$dir\E\/1_a\.sql:8:8: error: .*\n +8 \| SELECT nope;\n/, 'the second pair of dbmate', 'migrate', $dir);
put_files($dir, '1_a.sql' => slurp_file("$dir/1_a.sql") =~ s/SELECT nope/SELECT 1/r);
client_is(0, 'put right', 'migrate', $dir);
client_says(1, qr/^\Q$dir\E\/1_a\.sql:11:8: error: .*\n +11 \| SELECT down;\n/, '... and its way back', 'rollback', $dir);
files('V1__a.sql' => "SELECT '\${x}',\n  nope;\n");
$db = new_db();
client_says(1, qr/V1__a\.sql:2:3: error: .*\n +2 \|   nope;\n/, 'after a placeholder of several lines', 'migrate', "--set=x=a\nb\nc", $dir);
files('1_a.up.sql' => "SELECT 1/(id - 1) FROM generate_series(1, 2) id;\nSELECT 2;", '1_b.up.sql' => 'SELECT 1');
client_says(2, qr/^\Q$dir\E\/1_b\.up\.sql: error: .*1_a\.up\.sql\nHINT:/, 'a problem of the directory looks the same', 'check', $dir);

# ---- hostile names and texts ----

my %evil = ("\e[31m" => 'a colour', "\x07" => 'a bell', "\x08" => 'a step back', "\r" => 'a return', "\x7f" => 'a delete', "\xc2\x9b31m" => 'a C1 control', "\e]0;x\x07" => 'a title', "\n" => 'a newline');

foreach my $bytes (sort keys %evil)
{
	my $name = $evil{$bytes};
	my $literal = "E'one " . join('', map { sprintf('\\u%04x', ord) } split(//, decode('UTF-8', $bytes))) . " two'";

	$db = new_db() if $bytes eq "\x07";
	sql('SELECT dbvc.migration_withdraw(id, $$x$$) FROM dbvc.migration_status WHERE status <> $$withdrawn$$');
	files("1_a${bytes}b.up.sql" => qq{DO \$\$ BEGIN
	RAISE NOTICE $literal;
	RAISE WARNING USING MESSAGE = $literal, DETAIL = $literal, HINT = $literal;
	RAISE NOTICE USING MESSAGE = E'applied "' || $literal || E'": 7 statements', ERRCODE = 'VC000';
	RAISE USING MESSAGE = $literal, DETAIL = $literal, HINT = $literal;
END \$\$; -- $bytes}, "2_x.down.sql" => '');
	$job = client_says(2, qr/2_x\.down\.sql: error: /, "$name in a name: a problem", 'check', $dir);
	is(obeyed($job->{err}), '', '... harmless');
	put_files($dir, '2_x.down.sql' => undef);
	foreach my $command ('check', 'migrate', 'migrate', 'check', 'status', 'plan')
	{
		$job = client($command eq 'status' ? () : '--allow-missing', $command, $command eq 'status' ? () : $dir);
		is(obeyed($job->{out} . $job->{err}), '', "$name: $command is harmless") or diag(explain($job->{out}, $job->{err}));
		is(scalar(grep { /two/ } split(/\n/, $job->{out})), 0, '... and nothing of it is told as done') if $command eq 'migrate';
		# a name stays on its line
		like($job->{out}, qr/^pending \Q$dir\E\/1_a\S+b\.up\.sql(?:: was withdrawn)?$/m, '... on one line') if $command eq 'check';
	}
	my $answer = client_json(1, $name, 'migrate', '--allow-missing', $dir);
	is(join(' ', map { $_->{id} } @{ $answer->{migrations} }), ($bytes eq "\xc2\x9b31m" ? '1_a_31mb' : '1_a' . ($bytes =~ s/[^0-9a-z]/_/gir) . 'b'), '... nothing is forged in the document');
	is(Encode::encode_utf8($answer->{migrations}[0]{file}), "$dir/1_a${bytes}b.up.sql", '... which has the name as it is');
	is(obeyed($answer->{stderr}), '', '... and stderr is harmless');
	next unless $pty;
	$job = pty_start('migrate', '--allow-missing', $dir);
	is(pty_end($job), 1, "$name on a terminal");
	is(obeyed($job->{out} =~ s/\r\n/\n/gr =~ s/\r\e\[K//gr =~ s/\e\[(?:0|2|31|32|33)m//gr), '', '... is harmless') or diag(pty_shown($job));
}

# bytes that are no text, where the command line brings them
my $odd = "$tmp/\xff\x9b31m\e";
put_files($odd, '1_a.up.sql' => "SELECT nope;\n");
$db = new_db();
foreach my $args ([ 'check', $odd ], [ 'migrate', $odd ], [ 'check', "$odd/x" ], [ 'check', "$tmp/$$", '-h', "\xff\x9b31m" ], [ 'rollback', "--target=\xff\x9b\e" ],
	[ 'migrate', "--target=\xff\x9b\e", $odd ], [ 'accept', $odd, "\xff\x9b\e", '--reason=x' ], [ 'accept', $odd, '1_a', "--reason=\xff" ], [ 'withdraw', "\xff\x9b\e", '--reason=x' ],
	[ 'verify', "\xff\x9b\e" ], [ 'help', "\xff\x9b\e" ], [ "\xff\x9b\e" ], [ "--layout=\xff\x9b\e", 'check', $odd ], [ '--set', "\xff\x9b\e", 'check', $odd ], [ 'status', '-d', "\xff\x9b\e" ],
	[ 'new', "\xff\x9b\e", $odd ])
{
	$job = client(@$args);
	cmp_ok($job->{status}, '>', 0, 'bytes that are no text: ' . ($args->[0] =~ /^\w+$/ ? $args->[0] : 'usage') . " is no success, nor a crash: $job->{status}");
	is(obeyed($job->{out} . $job->{err} =~ s/^(?:dbvc|getopt): .*option.*\n//mr), '', '... and harmless');
	next unless $args->[0] =~ /^(?:check|migrate|rollback|withdraw|verify|status|new)$/;
	client_json($job->{status}, '... in the document', @$args);
}

# ---- colours, and what is plain ----

files('1_a.up.sql' => 'SELECT 1;', '2_b.up.sql' => 'SELECT nope;');
$job = client({ env => { TERM => 'xterm' } }, 'migrate', $dir);
unlike($job->{out} . $job->{err}, qr/[\e\r]/, 'pipes are plain');
is(client('-q', 'migrate', $dir)->{out}, '', '--quiet has no lines');

SKIP: {
	skip('no pseudo-terminals', 1) unless $pty;

	foreach my $case ([ 'a terminal', {}, 1, 1 ], [ 'NO_COLOR', { env => { NO_COLOR => '1' } }, 0, 1 ], [ 'an empty NO_COLOR', { env => { NO_COLOR => '' } }, 1, 1 ],
		[ 'a dumb terminal', { env => { TERM => 'dumb' } }, 0, 0 ], [ 'no TERM', { env => { TERM => undef } }, 0, 0 ])
	{
		my ($name, $opt, $color, $live) = @$case;

		$db = new_db();
		$job = pty_start($opt, 'migrate', $dir);
		is(pty_end($job), 1, $name);
		is($job->{out} =~ /\e\[32mapplied\e\[0m/ && $job->{out} =~ /\e\[31merror:\e\[0m/ ? 1 : 0, $color, $color ? '... has colours' : '... has no colours') or diag(pty_shown($job));
		unlike($job->{out}, qr/\e\[\d*m/, '... none at all') unless $color;
		unlike($job->{out}, qr/\e/, '... and no line that is drawn again') unless $live;
		like($job->{out} =~ s/\e\[\d*[mK]//gr, qr/applied 1_a .*2_b\.up\.sql:1:8: error: /s, '... says the same');
	}
	$job = pty_start('--json', 'check', $dir);
	is(pty_end($job), 1, '--json on a terminal');
	unlike($job->{out}, qr/\e/, '... is plain');
	$job = pty_start({ stdout => "$tmp/out" }, 'migrate', $dir);
	pty_end($job);
	unlike(slurp_file("$tmp/out"), qr/[\e\r]/, 'stdout in a file is plain');
	$job = pty_start({ stderr => "$tmp/err" }, 'migrate', $dir);
	pty_end($job);
	unlike(slurp_file("$tmp/err"), qr/[\e\r]/, 'stderr in a file is plain');
	# the line that lives

	files('1_a.up.sql' => 'SELECT 1;', '2_b.up.sql' => "LOCK TABLE ran;\n", '3_c.up.sql' => 'SELECT 3;');
	# with two widths, one of which ends in the middle of a letter of two bytes
	foreach my $columns (101, 100)
	{
		$db = new_db('CREATE TABLE ran (what text)');
		my $holder = job($node, 'holder', { db => $db }, 'BEGIN', 'LOCK TABLE ran', "SELECT\n/* \e[31m" . ("\xc3\xa4" x 60) . " */ pg_sleep(600)");
		wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'});
		my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'holder'});

		$job = pty_start({ columns => $columns }, 'migrate', $dir);
		ok(pty_until($job, qr/\r\e\[K\[ ?2\/3\] 2_b +[\d.]+ m?s  waits for a lock of process $pid \(postgres\): SELECT \/\* \S+/), 'a lock that is waited for is shown') or diag(pty_shown($job));
		# some more lines of it
		my $seen = length($job->{out});
		ok(pty_until($job, qr/^.{$seen}.{300}/s), '... and on');
		$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'});
		finish($holder);
		is(pty_end($job), 0, '... and then it goes on');
		like($job->{out}, qr/3_c.*\r\n3 migrations applied\r\n\z/s, '... to the end');
		is(scalar(grep { length($_ =~ s/\e\[\d*m//gr) >= $columns } split(/\r\e\[K|\r\n/, decode('UTF-8', $job->{out}))), 0, '... without a line that is too long');
		is(obeyed($job->{out} =~ s/\r\n/\n/gr =~ s/\r\e\[K//gr =~ s/\e\[(?:0|2|31|32|33)m//gr), '', '... harmless');
	}
	$db = new_db();
	files('1_a.up.sql' => "SELECT pg_sleep(600);\n", '2_b.up.sql' => 'SELECT 2;');
	my $first = client_start({ name => 'first' }, 'migrate', $dir);
	wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'first' AND wait_event = 'PgSleep'});
	my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'first'});
	$job = pty_start('migrate', $dir);
	ok(pty_until($job, qr/waits for another run, process $pid/), 'another run that is waited for is shown') or diag(pty_shown($job));
	pty_type($job, "\x03");
	is(pty_end($job), 130, '... until Ctrl-C on the keyboard') or diag(pty_shown($job));
	client_signal($first, 'INT');
	client_end($first);
	is_sql($node, q{SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%monitor%'}, '0', 'no session is left that looks on');
}

# ---- nobody who reads ----

foreach my $case ([ 'a full disk', '>/dev/full', 3 ], [ 'a full disk, --json', '>/dev/full', 3, '--json' ], [ 'a closed stdout', '>&-', '0|3' ], [ 'a closed stderr', '2>&-', '0' ],
	[ 'nothing open', '<&- >&- 2>&-', '0|3' ])
{
	my ($name, $where, $status, @more) = @$case;

	$db = new_db();
	files(map { ("${_}_m.up.sql" => "DO \$\$ BEGIN RAISE NOTICE 'here'; RAISE WARNING 'there'; END \$\$") } (1 .. 20));
	$job = client({ wrap => [ 'sh', '-c', "exec \"\$\@\" $where", 'sh' ] }, 'migrate', $dir, @more);
	like($job->{status}, qr/^(?:$status)$/, $name);
	like($job->{err}, qr/could not be written/, '... is told') if $where =~ /full/;
	is(sql(q{SELECT count(*) FROM dbvc.migration_status WHERE status = 'applied'}), '20', '... and does not keep it from its work');
}
$db = new_db();
$job = client({ wrap => [ 'sh', '-c', '"$@" | true', 'sh' ] }, 'migrate', $dir);
is(sql(q{SELECT count(*) FROM dbvc.migration_status WHERE status = 'applied'}), '20', 'nor does a reader who goes away');
unlike(slurp_file($node->logfile), qr/invalid frontend message|unexpected EOF within message/, 'the server was never told what is for people');

$node->stop;
done_testing();
