# dbvc snapshot, diff and drift: exit statuses, the tree, the JSON document, names that a terminal would obey.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use Encode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('client_snapshot', 'autovacuum = off');
my $tmp = PostgreSQL::Test::Utils::tempdir;
my $pty = pty_works();
my $hash = qr/[0-9a-f]{64}/;
my $id = qr/snapshot_[0-9]{8}_[0-9]{6}(?:_[0-9]+)?/;
my ($db, $job, $answer);

client_uses($node);
sub sql { return $node->safe_psql($db, $_[0]); }

# One line for each difference of an answer
sub differences
{
	return join("\n", map { my $row = $_; join(' ', map { $row->{$_} // '-' } qw(change object_type identity attribute)) } @{ $_[0]{differences} });
}

# ---- before there is any ----

$db = new_db('CREATE TABLE customer (id int PRIMARY KEY, email text NOT NULL)');
foreach my $command ('diff', 'drift')
{
	client_says(3, qr/there is no snapshot yet.*\nHINT:.*dbvc snapshot/, "$command without a snapshot", $command);
	$answer = client_json(3, "$command without a snapshot", $command);
	ok(!exists $answer->{differences}, '... has no differences');
}
client_says(1, qr/snapshot "nobody"/, 'a snapshot that is not there', 'diff', 'nobody');
client_says(2, qr/there is too much: it is "dbvc diff \[FROM \[TO\]\]"/, 'three snapshots', 'diff', 'a', 'b', 'c');
client_says(2, qr/takes no option --detail/, 'an option of another command', 'snapshot', '--detail');
client_says(2, qr/--schema wants a value/, 'a schema without a name', 'snapshot', '--schema=');

# ---- taken ----

$job = client_says(0, qr/\A$id  \d+ objects?  $hash\n\z/, 'a snapshot', 'snapshot', '--label=the first');
my ($first) = $job->{out} =~ /^($id)/;
is(sql("SELECT label FROM dbvc.snapshot WHERE id = '$first'"), 'the first', '... with its label');
client_says(0, qr/^$first \(.*Z\) -> now\nno drift\n\z/m, 'no drift', 'drift');
client_says(0, qr/\nno difference\n\z/, 'no difference', 'diff');
is(client('drift', '-q')->{out}, '', '--quiet says nothing');
$answer = client_json(0, 'no drift', 'drift');
is_deeply($answer->{differences}, [], '... nothing in the document');
is($answer->{from}{id}, $first, '... which names the snapshot');
is($answer->{to}, undef, '... and nothing to compare it with');
is(sql(q{SELECT count(*) FROM dbvc.change_event WHERE event_type = 'drift'}), 0, '... and nothing on the record');

# ---- changed ----

sql(q{
	ALTER TABLE customer RENAME TO client;
	ALTER TABLE client ADD COLUMN note text, ALTER email DROP NOT NULL, ADD COLUMN "we.ird ""c" int;
	CREATE FUNCTION f() RETURNS int LANGUAGE sql AS E'SELECT 1;\nSELECT 2;\nSELECT 3;\nSELECT 4;\nSELECT 5;\nSELECT 6;\nSELECT 7';
	CREATE VIEW report AS SELECT id FROM client;
});
$job = client_says(1, qr/^> table public.client \(was public.customer\)\n/m, 'drift', 'drift');
like($job->{out}, qr/^    ~ column email\n        not_null: true -> \(none\)\n/m, '... a column below its table');
like($job->{out}, qr/^    \+ column note  text\n/m, '... with its type');
like($job->{out}, qr/^    \+ column "we\.ird ""c"  integer\n/m, '... and a name with a dot');
like($job->{out}, qr/^\+ function public\.f\(\)\n/m, '... a function');
like($job->{out}, qr/^\+ view public\.report\n/m, '... a view');
like($job->{out}, qr/^6 differences: 4 created, 1 renamed, 1 altered\n\z/m, '... and counts');
unlike($job->{out} . $job->{err}, qr/[\e\r]/, '... plain where it is no terminal');
is($job->{err}, '', '... nothing on stderr');
is(sql(q{SELECT count(*) FROM dbvc.change_event WHERE event_type = 'drift'}), 1, '... and on the record');
$job = client_is(1, 'drift --quiet', 'drift', '--quiet');
is($job->{out} . $job->{err}, '', '... says nothing');
$answer = client_json(1, 'drift', 'drift');
is(differences($answer), "created function public.f() -
renamed table public.client -
created table column public.client.\"we.ird \"\"c\" -
altered table column public.client.email not_null
created table column public.client.note -
created view public.report -", '... in the document');
is($answer->{differences}[1]{before}, 'public.customer', '... with values');
is($answer->{differences}[4]{after}{type}, 'text', '... that are JSON');
ok(@{ client_json(1, 'drift with detail', 'drift', '--detail')->{differences} } > 6, '--detail has more');

# ---- between two ----

sql('CREATE SCHEMA "we""ird, odd"; CREATE TABLE "we""ird, odd".t (a int)');
client_json(3, 'a schema that is not there', 'snapshot', '--schema=public', '--schema=nowhere');
$answer = client_json(0, 'of some schemas', 'snapshot', '--schema=public', '--schema=we"ird, odd');
is(sql("SELECT schemas FROM dbvc.snapshot WHERE id = '$answer->{snapshot}{id}'"), '{public,"we\"ird, odd"}', '... as they were named');
my $second = $answer->{snapshot}{id};
sql(q{
	CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS E'SELECT 1;\nSELECT 2;\nSELECT 3;\nSELECT 44;\nSELECT 5;\nSELECT 6;\nSELECT 7';
	GRANT SELECT, INSERT ON client TO PUBLIC;
	COMMENT ON TABLE client IS 'who buys';
});
$answer = client_json(0, 'the third', 'snapshot', '--label=third');
my $third = $answer->{snapshot}{id};
is($answer->{snapshot}{label}, 'third', '... with its label');
client_says(1, qr/^$first \(.*\) -> $second \(.*\)\n/, 'between two', 'diff', $first, $second);
$job = client_says(1, qr/^~ function public\.f\(\)\n    \w+:\n          \.\.\.\n          SELECT 2;\n          SELECT 3;\n        - SELECT 4;\n        \+ SELECT 44;\n          SELECT 5;\n          SELECT 6;\n          \.\.\.\n/m,
	'a text of several lines', 'diff', $second, $third);
like($job->{out}, qr/^    comment: \(none\) -> who buys\n/m, '... an attribute that was not there');
like($job->{out}, qr/^    acl:\n        \+ PUBLIC=ar\/postgres\n        \+ postgres=/m, '... and a list');
is(client('diff', $third)->{out} =~ s/.*\n//r, "no difference\n", 'from one to now');
client_says(0, qr/no difference/, 'between one and itself', 'diff', $third, $third);

# ---- names ----

my %evil = ("\x07" => 'BEL', "\e[31m" => 'a colour', "\n" => 'a newline', "\r" => 'CR', "\xc2\x9b31m" => 'C1', "\x7f" => 'DEL');
foreach my $bytes (sort keys %evil)
{
	my $name = $evil{$bytes};
	my $literal = join('', map { sprintf('\\%04x', ord) } split(//, decode('UTF-8', $bytes)));

	sql('SELECT dbvc.snapshot_capture()');
	sql(qq{CREATE TABLE U&"t$literal" (U&"c$literal" int DEFAULT 1); COMMENT ON COLUMN U&"t$literal".U&"c$literal" IS U&'x$literal';
		COMMENT ON TABLE client IS U&'y$literal'; ALTER TABLE client RENAME COLUMN note TO U&"n$literal"});
	foreach my $options ([], ['--detail'])
	{
		$job = client_is(1, "$name in names @$options", 'diff', @$options);
		unlike(decode('UTF-8', $job->{out} . $job->{err}), qr/[\x00-\x08\x0b-\x1f\x7f-\x9f]/, '... harmless');
		like($job->{out}, qr/^\+ table public\."t\\x/m, '... on one line');
	}
	$answer = client_json(1, "$name in names", 'diff');
	is((grep { $_->{change} eq 'created' && $_->{object_type} eq 'table' } @{ $answer->{differences} })[0]{identity}, 'public."t' . decode('UTF-8', $bytes) . '"', '... which has it as it is');
	if ($pty)
	{
		$job = pty_start('drift');
		is(pty_end($job), 1, "$name on a terminal");
		unlike(decode('UTF-8', $job->{out} =~ s/\r\n/\n/gr =~ s/\e\[(?:0|2|31|32|33)m//gr), qr/[\x00-\x08\x0b-\x1f\x7f-\x9f]/, '... is harmless') or diag(pty_shown($job));
	}
	sql(qq{ALTER TABLE client RENAME COLUMN U&"n$literal" TO note});
}

# operators and functions of somebody else are not used
sql(q{CREATE SCHEMA evil; CREATE FUNCTION evil.no(text, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''called''; END';
	CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.no);
	CREATE FUNCTION evil.jsonb_typeof(jsonb) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''called''; END'});
foreach my $args (['snapshot'], [ 'diff', $first ], ['drift'])
{
	$job = client({ env => { PGOPTIONS => '-c search_path=evil,pg_catalog' } }, @$args);
	unlike($job->{err}, qr/called/, "$args->[0] is not led astray by a search_path");
	cmp_ok($job->{status}, '<', 2, '... and answers') or diag($job->{err});
}

# ---- who may ----

sql('CREATE ROLE stranger LOGIN');
client_says(3, qr/permission denied/, 'a role without rights: a snapshot', { user => 'stranger' }, 'snapshot');
client_says(3, qr/permission denied/, '... and drift', { user => 'stranger' }, 'drift');

# ---- on a terminal ----

sql('SELECT dbvc.snapshot_capture()');
sql('CREATE TABLE extra (a int); DROP VIEW report; ALTER TABLE client RENAME COLUMN note TO remark; COMMENT ON TABLE client IS NULL');
SKIP:
{
	skip('no pseudo-terminals', 1) unless $pty;
	foreach my $case ([ 'a terminal', {}, 1 ], [ 'NO_COLOR', { env => { NO_COLOR => '1' } }, 0 ], [ 'a dumb terminal', { env => { TERM => 'dumb' } }, 0 ])
	{
		my ($name, $opt, $color) = @$case;

		$job = pty_start($opt, 'drift');
		is(pty_end($job), 1, $name);
		if ($color)
		{
			like($job->{out}, qr/^\e\[32m\+ table public\.extra\e\[0m\r\n/m, '... green is what came') or diag(pty_shown($job));
			like($job->{out}, qr/^\e\[31m- view public\.report\e\[0m\r\n/m, '... red what went');
			like($job->{out}, qr/^    \e\[33m> column remark\e\[0m \(was note\)\r\n/m, '... yellow what changed');
		}
		else { unlike($job->{out}, qr/\e/, '... has no colours'); }
		like($job->{out} =~ s/\e\[\d*m//gr, qr/^\+ table public\.extra\r\n.*^4 differences: 1 dropped, 1 created, 1 renamed, 1 altered\r\n/ms, '... says the same') or diag(pty_shown($job));
	}
	$job = pty_start('drift', '--json');
	is(pty_end($job), 1, '--json on a terminal');
	unlike($job->{out}, qr/\e/, '... is plain');
}
like(client('completion', 'bash')->{out}, qr/snapshot\) words=".*--label= --schema= --settings.*\n.*diff\) words=".*--detail/, 'the completion knows them');
like(client('help', 'drift')->{out}, qr/--detail/, 'and the help');

# ---- much ----

$db = new_db(q{CREATE PROCEDURE many(what text) LANGUAGE plpgsql AS 'BEGIN FOR i IN 1..1500 LOOP EXECUTE format(what, i); END LOOP; END'});
sql('SELECT dbvc.snapshot_capture()');
sql(q{CALL many('CREATE TABLE t%s (a int)')});
$job = client_is(1, '1500 tables', 'drift');
is(scalar(() = $job->{out} =~ /^\+ table /mg), 1500, '... all of which are shown');
is(scalar(grep { $_->{object_type} eq 'table' } @{ client_json(1, '1500 tables', 'drift')->{differences} }), 1500, '... and in the document');

$node->stop;
done_testing();
