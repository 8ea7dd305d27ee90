# Directories of Flyway: placeholders, repeatable migrations, baselines, undo, callbacks, settings of single files.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use Layouts;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('flyway', 'autovacuum = off');
my ($db, $dir, $job, $document, $events);

client_uses($node);

sub sql { return $node->safe_psql($db, $_[0]); }
sub ran { return sql(q{SELECT string_agg(what, ' ' ORDER BY n) FROM ran}); }
sub ran_db { return $db = new_db('CREATE TABLE ran (n int GENERATED ALWAYS AS IDENTITY, what text)'); }
sub statuses { return sql(q{SELECT string_agg(id || ' ' || status, ', ' ORDER BY position) FROM dbvc.migration_status}); }
sub script { return "INSERT INTO ran (what) VALUES ('$_[0]');\n"; }
sub up_script { return sql("SELECT up_script FROM dbvc.migration WHERE id = '$_[0]'"); }

# ---- names and folders ----

ran_db();
$dir = make_dir(
	'V1__first.sql' => script('1'), 'U01.0__undo_it.sql' => script('-1'), 'verify/V1__first.sql' => 'SELECT true', 'b/V1.1__more_words.sql' => script('1.1'),
	'a/c/V01.0.1__x.sql' => script('1.0.1'), 'V2.sql' => script('2'), 'U2.sql' => script('-2'), 'V10__e.sql' => script('10'),
	'V20240101_12__x.sql' => script('20240101.12'),
	'R__AB.sql' => script('AB'), 'R__A_b.sql' => script('A_b'), 'R__9.sql' => script('9'), 'a/R__10.sql' => script('10'), 'R__afterMigrate.sql' => script('after'),
	'README.md' => '', 'a/notes.txt' => '', '.hidden.sql' => 'x', 'V3_x.sh' => '', 'x__y.java' => '');
$document = client_json(0, 'names and folders: plan', 'plan', $dir);
is(rows_of($document, 'id', 'kind', 'file'), join("\n", 'V1__first versioned D/V1__first.sql',
	'V01.0.1__x versioned D/a/c/V01.0.1__x.sql', 'V1.1__more_words versioned D/b/V1.1__more_words.sql',
	'V2 versioned D/V2.sql', 'V10__e versioned D/V10__e.sql', 'V20240101_12__x versioned D/V20240101_12__x.sql', 'R__10 repeatable D/a/R__10.sql', 'R__9 repeatable D/R__9.sql',
	'R__A_b repeatable D/R__A_b.sql', 'R__AB repeatable D/R__AB.sql', 'R__afterMigrate repeatable D/R__afterMigrate.sql'), '... versions as numbers, descriptions as text');
is(rows_of(client_json(0, 'a version as target', 'migrate', '--target=1.1', $dir), 'id') =~ tr/\n/ /r, 'V1__first V01.0.1__x V1.1__more_words', '... stops there');
client_is(0, 'a file as target', 'migrate', "--target=$dir/V10__e.sql", $dir);
client_is(0, 'migrate', 'migrate', $dir);
is(ran(), '1 1.0.1 1.1 2 10 20240101.12 10 9 A_b AB after', '... did it in that order');
is(sql(q{SELECT string_agg(description, ',' ORDER BY id COLLATE "C") FROM dbvc.migration}), '10,9,AB,A b,afterMigrate,x,more words,e,first,x', '... and knows what they are called');
is(sql(q{SELECT string_agg(id, ' ' ORDER BY id) FROM dbvc.migration WHERE down_script IS NOT NULL}), 'V1__first V2', '... and which have an undo script');
client_says(1, qr/no down script/, 'without one there is no way back', 'rollback', $dir);
client_is(0, 'verify', 'verify');
is(up_script('V1__first') . sql(q{SELECT count(*) FROM dbvc.migration WHERE source_hash IS NOT NULL}),
	script('1') . "0", 'a file without placeholders is its own source');

# ---- undo ----

ran_db();
$dir = make_dir((map { ("V${_}__t.sql" => script($_), "U${_}__t.sql" => script("-$_")) } (1, 2, 10)), 'R__r.sql' => script('r'));
client_is(0, 'undo: up', 'migrate', $dir);
client_is(0, 'undo of two', 'rollback', '--steps=2', $dir);
is(ran(), '1 2 10 r -10 -2', '... newest first, and no repeatable one');
client_is(0, 'undo: up again', 'migrate', $dir);
is(ran(), '1 2 10 r -10 -2 2 10', '... runs what was undone');
put_files($dir, 'U2__t.sql' => undef, 'U2.0__renamed.sql' => script('-2'));
client_is(0, 'an undo script with another name is no change', 'check', $dir);
is_refused('undo twice', { 'V1__a.sql' => '', 'U1__a.sql' => '', 'U1.0__b.sql' => '' }, [],
	qr/^D\/U1__a\.sql:0:0: is a second down script of version 1, beside D\/U1\.0__b\.sql$/);
is_refused('undo of nothing', { 'V1__a.sql' => '', 'U2__a.sql' => '', 'B3__b.sql' => '', 'U3__b.sql' => '' }, [],
	qr/^D\/U2__a\.sql:0:0: is a down script without its up script$/, qr/^D\/U3__b\.sql:0:0: is a down script without its up script$/);

# ---- repeatable migrations ----

ran_db();
$dir = make_dir('V1__t.sql' => script('1'), 'R__b.sql' => script('b'), 'R__a.sql' => script('a'));
client_is(0, 'repeatables', 'migrate', $dir);
is(ran(), '1 a b', '... run last');
client_says(0, qr/^nothing to do\n$/, '... once', 'migrate', $dir);
put_files($dir, 'R__a.sql' => script('a2'), 'V2__t.sql' => script('2'));
is(rows_of(client_json(1, 'a repeatable that changed', 'check', $dir), 'id', 'status'), "V2__t pending\nR__a pending", '... is pending');
is(rows_of(client_json(0, '... planned', 'plan', $dir), 'id', 'why'), "V2__t new\nR__a content changed", '... again, and last');
client_is(0, '... and runs again', 'migrate', $dir);
is(ran(), '1 a b 2 a2', '... it alone');
put_files($dir, 'R__a.sql' => script('a2') =~ s/\n/\r\n/r);
client_is(0, 'line ends are no change', 'check', $dir);
put_files($dir, 'R__a.sql' => script('a'));
client_is(0, 'what it was before', 'migrate', $dir);
is(ran(), '1 a b 2 a2 a', '... runs again as well');
put_files($dir, 'R__a.sql' => script('a3') . "SELECT nope;\n");
client_says(1, qr/R__a\.sql:2:8: error: .*nope/, 'a repeatable that fails', 'migrate', $dir);
put_files($dir, 'R__a.sql' => script('a3'));
client_is(0, '... and is put right', 'migrate', $dir);
is(ran(), '1 a b 2 a2 a a3', '... ran once');
put_files($dir, 'R__b.sql' => undef);
is(rows_of(client_json(1, 'a repeatable that is gone', 'check', $dir), 'id', 'verdict'), 'R__b missing', '... is missing');
is_refused('one description twice', { 'R__a_b.sql' => '', 'x/R__a b.sql' => '' }, [],
	qr/^D\/x\/R__a b\.sql:0:0: is a second up script of version R a b, beside D\/R__a_b\.sql$/);

# ---- baselines ----

my %five = (map { ("V${_}__t.sql" => script("V$_")) } (1 .. 6));

$five{'B5__base.sql'} = script('B5');
$five{'B3.1__old.sql'} = script('B3.1');
ran_db();
$dir = make_dir(%five, 'R__r.sql' => script('r'));
is(rows_of(client_json(0, 'a baseline in an empty database', 'plan', $dir), 'id', 'action'),
	join("\n", 'B5__base apply', (map { "V${_}__t baseline" } (1 .. 5)), 'V6__t apply', 'R__r apply'), '... runs for what came before');
client_is(0, '... migrate', 'migrate', $dir);
is(ran(), 'B5 V6 r', '... did that');
client_is(0, '... and all is well', 'check', $dir);
client_says(0, qr/^nothing to do\n$/, '... and done', 'migrate', $dir);
ran_db();
$dir = make_dir('V1__t.sql' => script('V1'));
client_is(0, 'a database that is older than the baseline', 'migrate', $dir);
put_files($dir, %five);
client_is(0, '... migrate', 'migrate', $dir);
is(ran(), 'V1 V2 V3 V4 V5 V6', '... runs each migration');
client_is(0, '... and all is well', 'check', $dir);
is(statuses(), 'V1__t applied, V2__t applied, V3__t applied, B3.1__old skipped, V4__t applied, V5__t applied, B5__base skipped, V6__t applied', '... the baselines were skipped');
client_says(0, qr/^nothing to do\n$/, '... and done', 'migrate', $dir);
ran_db();
$dir = make_dir(map { $_ => $five{$_} } ('B5__base.sql', 'V6__t.sql'));
client_is(0, 'a baseline without what it replaces', 'migrate', $dir);
is(ran(), 'B5 V6', '... runs');
is_refused('a baseline twice', { 'V1__a.sql' => '', 'B1__b.sql' => '', 'B1_0__c.sql' => '' }, [],
	qr/^D\/B1__b\.sql:0:0: is a second up script of version B 1, beside D\/B1_0__c\.sql$/);

# random versions of both kinds: where the database puts them
srand($ENV{DBVC_FUZZ_SEED} // 20251121);
foreach my $round (1 .. 2)
{
	my @names = map { join('', rand() < 0.7 ? 'V' : 'B', int(rand(3)), map { ('.', '_', '.0')[ int(rand(3)) ] . int(rand(rand() < 0.7 ? 3 : 200)) } (1 .. int(rand(4)))) } (1 .. 200);

	@names = sorted_by(\&key_of_flyway, @names);
	$db = new_db();
	$dir = make_dir(map { ("$_.sql" => "SELECT 1;\n") } @names);
	client_is(0, "$round: made-up versions, and dbvc baseline at the last", 'baseline', $dir, $names[-1], '--reason=test');
	is(rows_of(client_json(0, '... status', 'status'), 'id') =~ tr/\n/ /r, "@names", "... in Flyway's order");
	client_is(0, '... and all is well', 'check', $dir);
}

# ---- placeholders: what a text becomes ----

my $number = 0;

$db = new_db();
foreach my $case (
	[ 'a value', "SELECT '\${x}';\n", [ '--set', 'x=1' ], "SELECT '1';\n" ],
	[ 'everywhere', "-- \${x}\n/* \${x}\n \${x} */ SELECT '\${x}', \$\$\${x}\$\$ AS \"\${x}\";", [ '--set', 'x=a' ],
	"-- a\n/* a\n a */ SELECT 'a', \$\$a\$\$ AS \"a\";" ],
	[ 'in any case', "SELECT '\${Schema} \${SCHEMA} \${schema}';", [ '--set', 'sCHEMA=s' ], "SELECT 's s s';" ],
	[ 'an empty value', "SELECT '\${x}';", [ '--set', 'x=' ], "SELECT '';" ],
	[ 'the last value counts', "SELECT '\${x}';", [ '--set', 'x=1', '--set=X=2' ], "SELECT '2';" ],
	[ 'values are not looked at', "SELECT '\${x} \${y}';", [ '--set', 'x=${y}', '--set', 'y=${x}$' ], "SELECT '\${y} \${x}\$';" ],
	[ 'odd names', "SELECT '\${a.b-c d} \${\xc3\xa9} \${a:b} \${=}';", [ map { ('--set', $_) } ('a.b-c d=1', "\xc3\xa9=2", 'a:b=3') ], "SELECT '1 2 3 \${=}';" ],
	[ 'odd values', 'SELECT ${x};', [ '--set', "x='\xc3\xa9''=\\\t\$1'" ], "SELECT '\xc3\xa9''=\\\t\$1';" ],
	[ 'the name of the file', "SELECT '\${flyway:filename} \${FLYWAY:FileName}';", [], "SELECT 'V%d__p.sql V%d__p.sql';" ],
	[ 'what is none', "SELECT '\$x \$1 {{x}} #{x} \$ {x} }\${x}}', '\$\${x}' || \$\$ \$\$;", [ '--set', 'x=1' ],
	"SELECT '\$x \$1 {{x}} #{x} \$ {x} }1}', '\$1' || \$\$ \$\$;" ],
	[ 'many', 'SELECT 1' . q{, '${x}'} x 20000 . ";\n", [ '--set', 'x=' . 'y' x 50 ], 'SELECT 1' . (", '" . 'y' x 50 . "'") x 20000 . ";\n" ],
	[ '--no-placeholders', "SELECT '\${x} \${';", [ '--no-placeholders', '--set', 'x=1' ], "SELECT '\${x} \${';" ])
{
	my ($name, $text, $args, $script) = @$case;

	$number++;
	$script =~ s/%d/$number/g;
	if ($name eq 'odd names')
	{
		is_refused("placeholders: $name", { "V1__p.sql" => $text }, $args, qr/^D\/V1__p\.sql:1:32: placeholder \$\{=\} has no value$/);
		$text =~ s/=/A:B/;
		$script =~ s/\$.*\}/3/;
	}
	$dir = make_dir("V${number}__p.sql" => $text, "U${number}__p.sql" => "-- down\n$text", "verify/V${number}__p.sql" => "-- verify\n$text");
	client_is(0, "placeholders: $name", 'baseline', $dir, $number, '--reason=test', @$args);
	ok(sql("SELECT up_script || down_script || verify_script FROM dbvc.migration WHERE id = 'V${number}__p'") eq
		$script . join('', map { "-- $_\n" . $script =~ s/V\d+__p.sql/$_ eq 'down' ? "U${number}__p.sql" : "V${number}__p.sql"/ger } ('down', 'verify')), '... in all scripts');
	client_is(0, '... check', 'check', '--allow-missing', $dir, @$args);
}
is(sql(q{SELECT string_agg(id, ' ' ORDER BY id) FROM dbvc.migration WHERE source_hash IS NULL}), 'V12__p', 'the files as they were are known where something was replaced');

# ---- placeholders: what has no value ----

is_refused('no value', { 'V1__a.sql' => "a\n  '\${schema}' \${flyway:database}\n\xc3\xa9\${open\n\${}\${x", 'U1__a.sql' => "\r\n\r\n\t\${Y}\r\n",
	'verify/V1__a.sql' => '${z}', 'R__r.sql' => '--${r}' }, [],
	qr/^D\/V1__a\.sql:2:4: placeholder \$\{schema\} has no value$/, qr/^D\/V1__a\.sql:2:15: placeholder \$\{flyway:database\} has no value$/,
	qr/^D\/V1__a\.sql:3:2: placeholder is not closed on its line$/, qr/^D\/V1__a\.sql:4:1: placeholder \$\{\} has no value$/,
	qr/^D\/V1__a\.sql:4:4: placeholder is not closed on its line$/,
	qr/^D\/U1__a\.sql:3:2: placeholder \$\{Y\} has no value$/, qr/^D\/verify\/V1__a\.sql:1:1: placeholder \$\{z\} has no value$/,
	qr/^D\/R__r\.sql:1:3: placeholder \$\{r\} has no value$/);
client_says(2, qr/V1__a\.sql:1:3: error: placeholder \$\{x y\} has no value\n +1 \| \xc3\xa9 \$\{x y\}\n +\| {3}\^\nHINT:.*--set 'x y=/, 'a caret below it', 'check',
	make_dir('V1__a.sql' => "\xc3\xa9 \${x y}"));
is_refused('very many without a value', { 'V1__a.sql' => '${x}' x 5000, 'V2__a.sql' => '${x' x 5000 }, [], (qr/^D\/V1__a\.sql:1:\d+: placeholder/) x 20,
	(qr/^D\/V2__a\.sql:1:\d+: placeholder/) x 20);

# ---- placeholders: lines, values, changes ----

ran_db();
$dir = make_dir('V1__a.sql' => "-- \${text} \${text}\nSELECT '\${text}'; SELECT 1;\n\n  SELECT nope;\n");
$document = client_json(1, 'an error below values of several lines', 'migrate', $dir, '--set', "text=1\n2\n3");
is(join(' ', map { short_names($dir, $document->{error}{$_}) } ('sqlstate', 'file', 'line', 'column')), '42601 D/V1__a.sql 1 1',
	'... which end the comment: in the line where the value is');
put_files($dir, 'V1__a.sql' => "/* \${text} \${text}\n*/ SELECT '\${text}'; SELECT 1;\n\n  SELECT nope;\n", 'U1__a.sql' => "\n-- \${u}\nSELECT nope;\n");
client_says(1, qr/V1__a\.sql:4:10: error: .*nope.*\n +4 \|   SELECT nope;\n +\| {10}\^\n/, 'an error below values of several lines',
	'migrate', $dir, '--set', "text=1\n2\n3", '--set', "u=\n\n");
put_files($dir, 'V1__a.sql' => script('${text}'));
client_is(0, 'put right', 'migrate', $dir, '--set', "text=1\n2\n3", '--set', "u=\n\n");
is(ran(), "1\n2\n3", '... has the value');
foreach my $args ([ '--set', "text=1\n2\n3", '--set', "u=\n\n" ], [ '--set', 'text=other', '--set', 'u=' ])
{
	client_is(0, 'an applied file with any value: check', 'check', $dir, @$args);
	client_says(0, qr/^nothing to do\n$/, '... migrate', 'migrate', $dir, @$args);
}
client_says(1, qr/U1__a\.sql:3:8: error: .*nope/, 'an error in an undo script', 'rollback', $dir, '--set', "text=1\n2\n3", '--set', "u=\n\n");
client_is(2, 'an applied file without a value cannot be read', 'check', $dir);
put_files($dir, 'V1__a.sql' => script('${text}') . '-- x');
client_is(1, 'another file with the same values is a change', 'check', $dir, '--set', "text=1\n2\n3", '--set', "u=\n\n");
client_is(0, '... which can be accepted', 'accept', $dir, '1', '--reason=test', '--set', 'text=second', '--set', 'u=');
client_is(0, '... with any value', 'check', $dir, '--set', 'text=third', '--set', 'u=');
is(up_script('V1__a'), script('second') . '-- x', '... and has that of the acceptance');
put_files($dir, 'V1__a.sql' => script('second') . '-- x', 'U1__a.sql' => "\n-- \nSELECT nope;\n");
client_is(0, 'a file with the value in it does the same', 'check', $dir);
put_files($dir, 'V1__a.sql' => script('third') . '-- x');
client_is(1, '... with another in it, not', 'check', $dir);
sound('placeholders');

# what is rolled back is what was applied
ran_db();
$dir = make_dir('V1__a.sql' => script('${x}'), 'U1__a.sql' => script('-${x}'), 'R__r.sql' => script('R${x}'),
	'verify/V1__a.sql' => "SELECT count(*) > 0 FROM ran WHERE what = '\${x}'");
client_is(0, 'a value', 'migrate', $dir, '--set', 'x=1');
client_is(0, '... is in the verify script', 'verify', 'V1__a');
client_is(0, 'rollback with another', 'rollback', $dir, '--set', 'x=2');
is(ran(), '1 R1 -1', '... undoes what was done');
client_is(0, 'up again with it', 'migrate', $dir, '--set', 'x=3');
is(ran(), '1 R1 -1 3 R3', '... does that, and the repeatable one is another one too');
client_says(0, qr/^nothing to do\n$/, 'again', 'migrate', $dir, '--set', 'x=3');
client_is(1, 'a repeatable with another value is pending', 'check', $dir, '--set', 'x=4');
is(rows_of(client_json(0, '... in a plan', 'plan', $dir, '--set', 'x=4'), 'id', 'why'), 'R__r content changed', '... alone');

# ---- settings of a file ----

$db = new_db();
$dir = make_dir('V1__a.sql' => 'SELECT \'${x}\';', 'V1__a.sql.conf' => "\xef\xbb\xbf# c\r\n\r\nencoding = UTF-8\r\nplaceholderReplacement = false # here\r\n",
	'U1__a.sql' => "SELECT '\${y}';",
	'U1__a.sql.conf' => 'placeholderReplacement=FALSE', 'verify/V1__a.sql' => "SELECT '\${x}'", 'V2__b.sql' => "SELECT '\${x}';",
	'V2__b.sql.conf' => "placeholderReplacement=true\nexecuteInTransaction=true\n");
client_is(0, 'a file without placeholders', 'migrate', $dir, '--set', 'x=1');
is(sql(q{SELECT string_agg(concat_ws('|', up_script, down_script, verify_script, transactional), '|' ORDER BY id) FROM dbvc.migration}),
	q{SELECT '${x}';|SELECT '${y}';|SELECT '${x}'|SELECT '1';|t}, '... and one with them');
is_refused('settings that are not known', { 'V1__a.sql' => '',
	'V1__a.sql.conf' => "shouldExecute=false\nencoding=latin1\nexecuteInTransaction=x\nfoo\nExecuteInTransaction=true\nplaceholderReplacement=\n",
		'V9__a.sql.conf' => '', 'x.conf' => '', 'verify/V1__a.sql' => '', 'verify/V1__a.sql.conf' => '', 'R__r.sql' => '', 'R__r.sql.conf' => '[x]' }, [],
	(map { qr/^D\/V1__a\.sql\.conf:$_:0: this setting is not supported$/ } (1 .. 6)), qr/^D\/R__r\.sql\.conf:1:0: this setting/,
	qr/^D\/V9__a\.sql\.conf:0:0: belongs to no migration$/, qr/^D\/verify\/V1__a\.sql\.conf:0:0: belongs to no/);

# ---- callbacks ----

$db = new_db();
my @events = ('Migrate', 'EachMigrate', 'EachMigrateStatement__some words', qw(Undo EachUndo Clean Info Validate Baseline Repair Connect Repeatables Versioned));
my @callbacks = ('createSchema', 'createSchema__x', map { ("before$_", "after$_") } @events);

push @callbacks, qw(afterMigrateError afterMigrateApplied afterEachMigrateStatementError afterMigrateOperationFinish a/afterMigrate);
is_refused('callbacks', { 'V1__a.sql' => 'SELECT 1', map { ("$_.sql" => 'SELECT 1') } @callbacks }, [],
	map { qr/^D\/\Q$_\E\.sql:0:0: is a callback of Flyway$/ } @callbacks);
is_taken('callbacks are left out', { 'V1__a.sql' => 'SELECT 1',
	'afterMigrate.sql.conf' => '', map { ("$_.sql" => "SELECT '\${x}'; nonsense") } @callbacks }, ['--skip-callbacks'], 'V1__a');
is_refused('what is nearly a callback',
	{ 'V1__a.sql' => '', map { ("$_.sql" => '') } qw(afterMigration beforemigrate after before afterMigrate_x migrate afterMigrateApply createschema) }, ['--skip-callbacks'],
	map { qr/^D\/$_\.sql:0:0: is not named as a migration of layout flyway$/ } qw(afterMigration beforemigrate after before afterMigrate_x migrate afterMigrateApply createschema));
is_refused('names that are none',
	{ 'V1__a.sql' => '', map { ("$_.sql" => '') } qw(V2_missing V__x v3__x R__ R__x1/R_x V4..2__x V.5__x V6.__x V7a__x U__x B__x Users V-1__x) }, [],
	map { qr/^D\/\Q$_\E\.sql:0:0: is not named as a migration of layout flyway$/ } qw(V2_missing V__x v3__x R__ R__x1/R_x V4..2__x V.5__x V6.__x V7a__x U__x B__x Users V-1__x));
is_refused('programs', { 'V1__a.sql' => '', map { ($_ => '') } qw(V2__x.java R__x.sh a/U1__x.py B3__x.ps1) }, [],
	map { qr/^D\/\Q$_\E:0:0: is a program, which dbvc does not run$/ } qw(V2__x.java R__x.sh a/U1__x.py B3__x.ps1));

# ---- other tools do not replace ----

foreach my $layout (grep { $_ ne 'flyway' } layout_names())
{
	my $text = "SELECT '\${x} \${ {{x}} :x \@x\@ #{x} %x% \$1';\n";

	$db = new_db();
	$dir = make_dir(migration_files($layout, 1, 'x', $text, $text, $text));
	client_is(0, "$layout: no placeholders", 'migrate', $dir, '--set', 'x=1');
	is(sql(qq{SELECT count(*) FROM dbvc.migration, unnest(ARRAY[up_script, down_script, verify_script]) s
		WHERE strpos(s, \$t\$$text\$t\$) > 0 AND source_hash IS NULL}), '3', '... and nothing was replaced');
}

$node->stop;
done_testing();
