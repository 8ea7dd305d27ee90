# Directories of files as other tools keep them: up and back in each layout, the order of each tool, what is registered.
# 018_layouts_flyway.pl has what only Flyway has, 019_layouts_files.pl what is wrong with directories.
#
# DBVC_FUZZ_SEED, given to prove, changes the names that are made up.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use Layouts;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{DBVC_FUZZ_SEED} // 20251121;
srand($seed);
note("seed $seed");

my $node = dbvc_node('layouts', 'autovacuum = off');
my %by_bytes = (diesel => 1, dbmate => 1);
my ($db, $dir, $job);

client_uses($node);

sub sql { return $node->safe_psql($db, $_[0]); }
sub ran { return sql(q{SELECT string_agg(what, ' ' ORDER BY n) FROM ran}); }
sub ran_db { return $db = new_db('CREATE TABLE ran (n int GENERATED ALWAYS AS IDENTITY, what text)'); }
sub runs { return sql(q{SELECT string_agg(id, ' ' ORDER BY event_id) FROM dbvc.migration_run WHERE status = 'applied'}); }
sub one_of { return $_[ int(rand(@_)) ]; }

# What the verify scripts said
sub verified
{
	return join(', ', sort map { "$_->{id} " . ($_->{ok} ? 'ok' : 'failed') } grep { $_->{check} eq 'verify script' } @{ $_[0]{migrations} });
}

# A script that says that it was there
sub script { return "INSERT INTO ran (what)\nVALUES ('$_[0]');\n"; }

# ---- up, again, back, up; changed, missing, twice, half, mixed: in each layout ----

foreach my $layout (layout_names())
{
	my %of = map { $_ => { migration_files($layout, $_, 'step', script("+$_"), script("-$_"), "SELECT count(*) > 0 FROM ran WHERE what = '+$_';\n") } } (2, 9, 10);
	my @order = $by_bytes{$layout} ? (10, 2, 9) : (2, 9, 10);
	my @ids = map { layout_id($layout, $_, 'step') } @order;
	my $up = join(' ', map { "+$_" } @order);
	my $down = join(' ', map { "-$_" } reverse @order);
	my $nine = layout_id($layout, 9, 'step');
	my $file = layout_file($layout, $nine);
	my ($events, $document);

	ran_db();
	$dir = make_dir(map { %$_ } values %of);
	is_planned($layout, $dir, map { layout_file($layout, $_) } @ids);
	$document = client_json(0, "$layout: migrate", 'migrate', $dir);
	is(rows_of($document, 'id', 'status'), join("\n", map { "$_ applied" } @ids), '... says so');
	is($document->{layout}, $layout, '... and whose layout it is');
	is(ran(), $up, '... did it');
	is(runs(), "@ids", '... as the record has it');
	is(rows_of(client_json(0, "$layout: status", 'status'), 'id', 'status'), join("\n", map { "$_ applied" } @ids), '... too');

	$events = events();
	client_says(0, qr/^nothing to do\n$/, "$layout: again", 'migrate', $dir);
	client_says(0, qr/^3 migrations, applied and unchanged\n$/, "$layout: check", 'check', $dir);
	is(rows_of(client_json(0, "$layout: plan of nothing", 'plan', $dir), 'id'), '', '... has nothing');
	is(events(), $events, '... and nothing is recorded');

	client_is(0, "$layout: rollback", 'rollback', '--steps=3', $dir);
	is(ran(), "$up $down", '... did it');
	is(rows_of(client_json(0, "$layout: up to a version", 'migrate', '--target=2', $dir), 'id'), join("\n", $by_bytes{$layout} ? @ids[ 0, 1 ] : $ids[0]), '... and no further');
	client_is(0, "$layout: up again", 'migrate', $dir);
	is(ran(), "$up $down $up", '... did it');
	is(verified(client_json(0, "$layout: verify", 'verify')), join(', ', map { "$_ ok" } sort @ids), '... runs the verify scripts');
	sql(q{DELETE FROM ran WHERE what = '+9'});
	is(verified(client_json(1, "$layout: verify of what no longer holds", 'verify', $nine)), "$nine failed", '... fails');
	sql(script('+9'));

	# the same with the line ends of Windows and a byte order mark
	put_files($dir, map { $_ => $of{9}{$_} =~ s/\n/\r\n/gr } keys %{ $of{9} });
	client_is(0, "$layout: line ends are no change", 'check', $dir);
	put_files($dir, map { $_ => "\xef\xbb\xbf$of{9}{$_}" } keys %{ $of{9} });
	client_is(0, "$layout: a byte order mark is none either", 'check', $dir);
	$events = events();
	foreach my $edit ([ 'up', script('+9') . "-- edited\n", script('-9') ], [ 'down', script('+9'), script('-9') . "-- edited\n" ])
	{
		my ($which, @scripts) = @$edit;

		put_files($dir, %{ $of{9} }, migration_files($layout, 9, 'step', @scripts));
		is(rows_of(client_json(1, "$layout: an edited $which script", 'check', $dir), 'id', 'verdict', 'file'), "$nine changed D/$file", '... is a change');
	}
	client_says(1, qr/^changed \Q$dir\E\/\Q$file\E: /, "$layout: migrate refuses it", 'migrate', $dir);
	put_files($dir, %{ $of{9} }, migration_files($layout, 9, 'step', script('+9'), script('-9'), "SELECT true;\n"));
	is(rows_of(client_json(1, "$layout: an edited verify script", 'check', $dir), 'id', 'verdict'), "$nine changed", '... is a change');
	put_files($dir, %{ $of{9} });
	client_is(0, "$layout: as it was", 'check', $dir);
	is(events(), $events . ", changed $nine" x 3, '... and each change is on record, nothing else');

	put_files($dir, map { $_ => undef } keys %{ $of{9} });
	rmdir("$dir/$nine");
	is(rows_of(client_json(1, "$layout: a missing migration", 'check', $dir), 'id', 'verdict'), "$nine missing", '... is missing');
	client_says(1, qr/^missing \Q$nine\E: applied\n/, "$layout: migrate refuses it", 'migrate', $dir);
	put_files($dir, migration_files($layout, 9, 'other', script('+9'), script('-9')));
	is(rows_of(client_json(1, "$layout: another name", 'check', $dir), 'id', 'verdict'), join("\n", "$nine missing", layout_id($layout, 9, 'other') . ' new'), '... is another migration');
	put_files($dir, %{ $of{9} });

	# what an id or a version alone must not decide
	my $other = layout_file($layout, layout_id($layout, 9, 'other'));
	my %twins = ($file => 1, $other => 1);
	$document = client_json(2, "$layout: a version twice", 'migrate', $dir);
	delete $twins{$_} foreach (map { short_names($dir, "$_->{file} $_->{message}") =~ /D\/(\S+\.sql)/g } @{ $document->{problems} });
	is(join(' ', %twins), '', '... names both files');
	put_files($dir, map { $_ => undef } keys %{ { migration_files($layout, 9, 'other', '', '') } });
	rmdir("$dir/" . layout_id($layout, 9, 'other'));
	client_is(0, "$layout: as it was", 'check', $dir);

	my %half = migration_files($layout, 11, 'half', "SELECT 1;\n", "SELECT 2;\n");
	my $half_file = layout_file($layout, layout_id($layout, 11, 'half'));
	if (keys %half == 1)
	{
		$half{$half_file} =~ s/.*(?=-- .*down)//is;
		is_refused("$layout: down without up", { %{ $of{2} }, %half }, [],
			qr/^D\/\Q$half_file\E:1:0: (?:migrate:down without a migrate:up before it|"\+goose Down" comes once, after "\+goose Up")$/);
	}
	else
	{
		delete $half{$half_file};
		my ($down_file) = keys %half;
		is_refused("$layout: down without up", { %{ $of{2} }, %half }, [], qr/^D\/\Q$down_file\E:0:0: is a down script without its up script$/);
	}

	foreach my $second (grep { $_ gt $layout } layout_names())
	{
		my %second = migration_files($second, 20, 'b', "SELECT 1;\n", "SELECT 1;\n");
		my ($first_names, $second_names) = map { '(?:' . join('|', map { quotemeta } keys %$_) . ')' } ($of{2}, \%second);

		$document = is_refused("$layout and $second", { %{ $of{2} }, %second }, [], qr/^D:0:0: holds files of more than one layout: D\/\S+ \(\S+\), D\/\S+ \(\S+\)$/);
		like($document->{problems}[0]{message}, qr/\/$first_names \($layout\)/, "... names a file of $layout");
		like($document->{problems}[0]{message}, qr/\/$second_names \($second\)/, "... and one of $second");
	}
	sound($layout);
}

# ---- the order of each tool, as it applies ----

foreach my $case (
	[ 'golang-migrate', 0, '000001', 2, '009', 10, 11, 99, 100, '00000000000000000000000101', 20240131235959, '018446744073709551614', '18446744073709551615' ],
	[ 'goose', 0, '00001', 2, '0009', 10, 100, 20240131235959, '9223372036854775806', '09223372036854775807' ],
	[ 'diesel', '00000000000000', '0001-01-01-000000', 10, 20231231235959, '2024-01-01-000000', 20240101000001, '2024-01-02-000000', '20240102000000.5', 2025, 9,
		'99999999999999999999', 'A', 'Z9', 'a' ],
	[ 'dbmate', '0001', '00', '100', 10, '18446744073709551616', '1a', 20240131235959, 2, '99999999999999999998-0', '99999999999999999999', 9 ],
	[ 'flyway', 0, '0.1', '001', '1_1', '1.2', '1_09', '1.10', '1.10.0.1', '1.10_2', 2, 10, '20240131235959', '20240131235959.1',
		'9999999999999999999', '18446744073709551616', '99999999999999999999.1' ],
	[ 'plain', 0, '001', '1.2', '1.10', 2, '2.2', '2.10', '9', '10', '100', '2024-01-31', '2024-02-01', 20240131235959, '18446744073709551616' ])
{
	my ($layout, @versions) = @$case;
	my @ids = map { layout_id($layout, $_, 'x') } @versions;

	ran_db();
	$dir = make_dir(map { migration_files($layout, $_, 'x', "SELECT 1;\n") } @versions);
	is_planned("$layout: versions", $dir, map { layout_file($layout, $_) } @ids);
	client_is(0, "$layout: migrate", 'migrate', $dir);
	is(runs(), "@ids", '... in that order');
	is(rows_of(client_json(0, "$layout: status", 'status'), 'id') =~ tr/\n/ /r, "@ids", '... in that order');
}

$db = new_db();
is_refused('Flyway: one version in six ways', { map { ("V${_}__x$_.sql" => '') } qw(1 01 1.0 1_0 001.0.00 1.0_0) }, [],
	(qr/^D\/V\S+:0:0: is a second up script of version 1, beside D\/V\S+\.sql$/) x 5);
is_refused('Diesel: one version with and without dashes', { '1-0_a/up.sql' => '', '10_b/up.sql' => '' }, [],
	qr/^D\/10_b\/up\.sql:0:0: has the same version as D\/1-0_a\/up\.sql: 10$/);
is_refused('golang-migrate: leading zeros', { '1_a.up.sql' => '', '01_b.up.sql' => '', '1_a.down.sql' => '', '1_x.down.sql' => '' }, [],
	qr/^D\/1_a\.up\.sql:0:0: is a second up script of version 1, beside D\/01_b\.up\.sql$/,
	qr/^D\/1_x\.down\.sql:0:0: is a second down script of version 1, beside D\/1_a\.down\.sql$/);
is_refused('golang-migrate: larger than 64 bits', { '18446744073709551616_a.up.sql' => '' }, [],
	qr/^D\/18446744073709551616_a\.up\.sql:0:0: version \d+ is larger than 18446744073709551615/);
is_refused('goose: larger than 63 bits', { migration_files('goose', '9223372036854775808', 'a', '') }, [],
	qr/^D\/9223372036854775808_a\.sql:0:0: version \d+ is larger than 9223372036854775807/);
is_taken('dbmate: leading zeros are another version', { map { migration_files('dbmate', $_, 'a', '') } ('1', '01', '001') }, [], '001_a 01_a 1_a');

# ---- from one tool to another: the same scripts, the same ids, another order ----

ran_db();
client_is(0, 'plain files', 'migrate', make_dir(map { migration_files('plain', $_, 'x', script($_), script("-$_")) } (9, 10)));
foreach my $layout ('golang-migrate', 'diesel')
{
	$dir = make_dir(map { migration_files($layout, $_, 'x', script($_), script("-$_")) } (9, 10));
	client_is(0, "... become $layout: check", 'check', $dir);
	client_says(0, qr/^nothing to do\n$/, '... migrate', 'migrate', $dir);
	is(rows_of(client_json(0, '... status', 'status'), 'id', 'status'), join("\n", map { "${_}_x applied" } $layout eq 'diesel' ? (10, 9) : (9, 10)), '... in the order of the new tool');
}
put_files($dir, migration_files('diesel', '91', 'y', script('91'), script('-91')));
client_says(0, qr/^1 migration applied$/m, '... and goes on', 'migrate', $dir);
client_says(0, qr/rolled back 91_y.*rolled back 10_x.*rolled back 9_x/s, '... and back', 'rollback', '--steps=3', $dir);
is(ran() =~ s/ -91.*//r, '9 10 91', '... by what is there now');
client_is(0, '... and up', 'migrate', $dir);
is(ran() =~ s/.*-\d+ //r, '10 9 91', '... in the order of the new tool');
sound('another tool');
$db = new_db();

# ---- made-up names, and what each tool's rule makes of them ----

my @odd = ('0', '0', '1', '9', '9', '_', '.', '-', 'a', 'Z', ' ', '+', '~', '!', "\t", "\xc3\xa9");

sub odd_text { return join('', map { one_of(@odd) } (1 .. 1 + int(rand($_[0])))); }
sub digits { return join('', map { one_of(0, 0, 1, 9, int(rand(10))) } (1 .. 1 + int(rand($_[0])))); }

# Plain files: the numbers that the name begins with
sub plain_key { return key_of_natural(join('', map { s/^0+(?=\d)//r } ($_[0] =~ /^(\d+(?:[.-]\d+)*)/)[0] =~ /(\d+|[.-])/g)); }

# Names whose ids and versions are all different; VERSION tells what the tool takes as one
sub made_up
{
	my ($number, $version, $name) = @_;
	my %seen;

	return grep {
		my ($id, $key) = (s/(?:[\xc0-\xff][\x80-\xbf]+|[^\w.:+-])/_/gr, $version->($_));
		my $new = $id =~ /^[0-9A-Za-z]/ && !$seen{"id $id"} && !$seen{"version $key"};

		$seen{"id $id"} = $seen{"version $key"} = 1 if $new;
		$new;
	} map { $name->() } (1 .. $number);
}

foreach my $round (1 .. 2)
{
	my $diesel_version = sub { return $_[0] =~ s/_.*//sr =~ tr/-//dr; };
	my @names = made_up(300, $diesel_version, sub { return odd_text(7) . one_of('', '_x', '_' . odd_text(2)); });
	my $up = "SELECT 1;\n";

	@names = sorted_by(sub { key_of_bytes($diesel_version->($_[0])) }, @names);
	is_planned("$round: made-up names of Diesel", make_dir(map { ("$_/up.sql" => $up) } @names), map { "$_/up.sql" } @names);
	@names = made_up(300, sub { return $_[0] =~ /^(\d+)/; }, sub { return digits(5) . one_of('', odd_text(5)) . '.sql'; });
	is_planned("$round: made-up names of dbmate", make_dir(map { ($_ => "-- migrate:up\n$up") } @names), sorted_by(\&key_of_bytes, @names));
	@names = map { '0' x int(rand(4)) . digits(19) . '_x' } (1 .. 300);
	@names = sorted_by(\&key_of_number, @names);
	is_planned("$round: made-up names of golang-migrate", make_dir(map { ("$_.up.sql" => $up) } @names), map { "$_.up.sql" } @names);
	@names = grep { key_of_number($_) le key_of_number('9223372036854775807') } @names;
	is_planned("$round: made-up names of goose", make_dir(map { ("$_.sql" => "-- +goose Up\n$up") } @names), map { "$_.sql" } @names);
	@names = sorted_by(\&plain_key, made_up(300, \&plain_key, sub { return digits(4) . one_of('', odd_text(7)); }));
	@names = grep { !/(?:^|\.)(?:down|verify)$/ } @names;
	is_planned("$round: made-up names of plain files", make_dir(map { ("$_.sql" => $up) } @names), map { "$_.sql" } @names);
	@names = map { join('', 'V', digits(one_of(1, 2, 25)), (map { one_of('.', '_') . digits(one_of(1, 1, 2, 22)) } (1 .. int(rand(4)))), '__x') } (1 .. 300);
	@names = sorted_by(\&key_of_flyway, @names);
	is_planned("$round: made-up names of Flyway", make_dir(map { ("$_.sql" => $up) } @names), map { "$_.sql" } @names);
}

# ---- what is registered of a file with both directions ----

my %marked = (
	dbmate => [ "-- migrate:up", "-- migrate:down" ],
	goose => [ "-- +goose Up", "-- +goose Down" ]);

# The scripts of one migration as the database has them
sub scripts
{
	my ($id) = @_;

	return sql(qq{SELECT 'up<' || up_script || '> down<' || COALESCE(down_script, '-') || '>' || COALESCE(' transactional ' || transactional, '') FROM dbvc.migration WHERE id = '$id'});
}

# registered(NAME, LAYOUT, UP, [DOWN], [TRANSACTIONAL], [TEXT]): what a file becomes that holds TEXT, or UP and DOWN
my $number = 0;

sub registered
{
	my ($name, $layout, $up, $down, $transactional, $text) = @_;
	my $id = sprintf('%03d_m', ++$number);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	client_is(0, "$layout: $name", 'migrate', '--allow-missing', make_dir("$id.sql" => $text // $up . ($down // '')));
	is(scripts($id), "up<$up> down<" . ($down // '-') . '>' . (defined $transactional ? " transactional $transactional" : ''), '... is registered');
}

foreach my $layout ('dbmate', 'goose')
{
	my ($up, $down) = @{ $marked{$layout} };

	$db = new_db();
	registered('up and down', $layout, "$up\nSELECT 1;\n\n", "$down\nSELECT 2;\n");
	registered('no down', $layout, "$up\nSELECT 1;");
	registered('a down without statements', $layout, "$up\nSELECT 1;\n", $down);
	registered('an up without statements', $layout, "$up\n", "$down\nSELECT 2;");
	registered('comments before the marker', $layout, "-- Author: Ann\n\n/* about\n $layout */\n$up\nSELECT 1;\n", "$down\n");
	is(sql(sprintf(q{SELECT author FROM dbvc.migration WHERE id = '%03d_m'}, $number)), 'Ann', '... with its author');
	registered('blanks around the words', $layout, ($up =~ s/-- /--  \t/r) . "  \nSELECT 1;\n", ($down =~ s/-- /--/r) . "\t\nSELECT 2;\n");
	registered('text that looks like it', $layout, "$up\nSELECT 'x $down', '-- migration:up'; -- $down\n-- migrate-up\n--+goosed Up\n", "$down\nSELECT 2;\n");
	registered('placeholders of other tools', $layout, "$up\nSELECT '\${x} {{y}} :z \@v\@ %s \$(a)', \$\$\${x}\$\$;\n", "$down\nSELECT '\${x}';\n");
	is(sql('SELECT count(*) FROM dbvc.migration WHERE source_hash IS NOT NULL'), '0', '... and the script is the file');
}
registered('annotations in any case', 'goose', "-- +goose UP\n-- +goose statementbegin\nSELECT 1;\n-- +goose STATEMENTEND\n", "-- +goose down\nSELECT 2;\n");
registered('a function', 'goose', <<'UP', "-- +goose Down\nDROP FUNCTION f();\n");
-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RETURN 1;
END $$;
-- +goose StatementEnd
UP
registered('NO TRANSACTION', 'goose', "-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\n", undef, 'false');
$db = new_db();
registered('several pairs', 'dbmate', "-- migrate:up\nSELECT 1;\n-- migrate:up\nSELECT 2;\n-- migrate:up\nSELECT 3;\n",
	"-- migrate:down\nSELECT -3;\n-- migrate:down\nSELECT -2;\n-- migrate:down\nSELECT -1;\n", undef,
	join("\n", map { ('-- migrate:up', "SELECT $_;", '-- migrate:down', "SELECT -$_;") } (1 .. 3)));
registered('transaction:true', 'dbmate', "-- migrate:up transaction:true\nSELECT 1;\n", undef, 'true');
registered('transaction:false', 'dbmate', "-- migrate:up transaction:false\nSELECT 1;\n", "-- migrate:down\nSELECT 2;\n", 'false');
registered('transaction:false of the way down', 'dbmate', "-- migrate:up\nSELECT 1;\n", "-- migrate:down transaction:false\nSELECT 2;\n", 'false');

# errors are where they are in the file
foreach my $case (
	[ 'dbmate', 'up', 7, "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n\n-- migrate:up\n  SELECT nope;\n" ],
	[ 'dbmate', 'down', 4, "-- migrate:up\nSELECT 1;\n-- migrate:down\n  SELECT nope;\n-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n" ],
	[ 'dbmate', 'down', 5, "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n  SELECT nope;\n-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;" ],
	[ 'goose', 'up', 4, "\n-- hello\n-- +goose Up\n  SELECT nope;\n" ],
	[ 'goose', 'down', 6, "-- +goose Up\nSELECT 1;\n\n-- +goose Down\n\n  SELECT nope;\n" ])
{
	my ($layout, $direction, $line, $text) = @$case;
	my $document;

	$db = new_db();
	$dir = make_dir('1_e.sql' => $text);
	client_is(0, "$layout: up", 'migrate', $dir) if $direction eq 'down';
	$document = client_json(1, "$layout: an error in line $line, $direction", $direction eq 'up' ? 'migrate' : 'rollback', $dir);
	is(join(' ', map { short_names($dir, $document->{error}{$_}) } ('sqlstate', 'file', 'line', 'column')), "42703 D/1_e.sql $line 10", '... is there');
}

# ---- outside a transaction ----

foreach my $case (
	[ 'dbmate', { '1_i.sql' => "-- migrate:up transaction:false\n%s-- migrate:down transaction:false\n%s" } ],
	[ 'goose', { '1_i.sql' => "-- +goose NO TRANSACTION\n-- +goose Up\n%s-- +goose Down\n%s" } ],
	[ 'diesel', { '1_i/up.sql' => '%s', '1_i/down.sql' => '%2$s', '1_i/metadata.toml' => "\xef\xbb\xbf# a comment\r\nrun_in_transaction = false # another\r\n" } ],
	[ 'flyway', { 'V1__i.sql' => '%s', 'U1__i.sql' => '%2$s', 'V1__i.sql.conf' => "# a comment\n\n  executeInTransaction =  FALSE\nencoding=utf-8" } ],
	[ 'plain', { '1_i.sql' => "-- dbvc: transactional=false\n%s", '1_i.down.sql' => '%2$s' } ],
	[ 'golang-migrate', { '1_i.up.sql' => '%s', '1_i.down.sql' => '%2$s' } ])
{
	my ($layout, $files) = @$case;
	my $id = layout_id($layout, 1, 'i');
	my @indexes = ("CREATE INDEX CONCURRENTLY i ON t (a);\nCREATE INDEX CONCURRENTLY j ON t (a);\n", "DROP INDEX CONCURRENTLY j;\nDROP INDEX i;\n");
	my $told = $layout eq 'golang-migrate' ? '' : 'f';

	$db = new_db('CREATE TABLE t (a int)');
	$dir = make_dir(map { $_ => sprintf("$files->{$_}%1\$.0s%2\$.0s", @indexes) } keys %$files);
	client_is(0, "$layout: CREATE INDEX CONCURRENTLY", 'migrate', $dir);
	is(sql(q{SELECT string_agg(indexrelid::regclass || ' ' || indisvalid, ' ' ORDER BY 1) FROM pg_index WHERE indrelid = 't'::regclass}), 'i true j true', '... works');
	is(sql('SELECT transactional FROM dbvc.migration'), $told, '... as the file tells');
	client_is(0, "$layout: DROP INDEX CONCURRENTLY", 'rollback', $dir);
	is(sql(q{SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass}), '0', '... works');
	client_is(0, "$layout: up again", 'migrate', $dir);
	next if $layout eq 'golang-migrate';
	put_files($dir, map { $_ => slurp_file("$dir/$_") =~ s/.*(?:ransaction|ransactional|TRANSACTION).*\n//r } grep { slurp_file("$dir/$_") =~ /transaction/i } keys %$files)
	  unless $layout eq 'dbmate';
	put_files($dir, map { $_ => slurp_file("$dir/$_") =~ s/ transaction:false//gr } keys %$files) if $layout eq 'dbmate';
	is(rows_of(client_json(1, "$layout: how it runs is part of it", 'check', $dir), 'id', 'verdict'), "$id changed", '... and changing it is a change');
}
$db = new_db('CREATE TABLE t (a int)');
foreach my $case (
	[ 'diesel', { '1_i/up.sql' => "%s", '1_i/metadata.toml' => "run_in_transaction = true\n" } ],
	[ 'flyway', { 'V1__i.sql' => '%s', 'V1__i.sql.conf' => 'executeInTransaction=true' } ],
	[ 'plain', { '1_i.sql' => "-- dbvc: transactional=true\n%s" } ],
	[ 'dbmate', { '1_i.sql' => "-- migrate:up transaction:true\n%s" } ])
{
	my ($layout, $files) = @$case;

	client_says(1, qr/transactional|transaction/, "$layout: CONCURRENTLY in what is to run in a transaction", 'migrate',
		make_dir(map { $_ => sprintf($files->{$_} . '%1$.0s', "CREATE INDEX CONCURRENTLY i ON t (a);\n") } keys %$files));
	is(events(), '', '... is not even registered');
}

# ---- 400 pairs, against psql ----

my @pairs = schema_pairs(400);
my ($by_psql, $empty, $dump);

# What is in a database, but not dbvc's own
sub dump_of
{
	my ($what) = @_;
	my ($out, $err) = run_command([ 'pg_dump', '--schema-only', '--exclude-schema=dbvc', '-d', $node->connstr($what) ]);

	is($err, '', "pg_dump of $what") if $err;
	return $out =~ s/^\\(?:un)?restrict .*\n//mgr;
}

$dir = make_dir(map { migration_files('golang-migrate', $_->[0], 'step', $_->[1], $_->[2]) } @pairs);
$by_psql = new_db();
$db = new_db();
$empty = dump_of($db);
is($empty, dump_of($by_psql), 'two empty databases are equal');
put_files($dir, 'all.psql' => join('', map { "\\ir $_->[0]_step.up.sql\n" } @pairs));
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($by_psql), '-f', "$dir/all.psql" ], 'psql runs 400 files');
$dump = dump_of($by_psql);
cmp_ok(length($dump), '>', 100_000, '... and there is something to compare');
client_says(0, qr/^400 migrations applied$/m, 'migrate does too', 'migrate', $dir);
ok(dump_of($db) eq $dump, '... and has the same');
is(runs(), join(' ', map { "$_->[0]_step" } @pairs), '... in the same order');
client_says(0, qr/^400 migrations, applied and unchanged$/, 'check', 'check', $dir);
client_says(0, qr/^400 migrations rolled back$/m, 'rollback', 'rollback', '--steps=400', $dir);
ok(dump_of($db) eq $empty, '... leaves nothing');
client_says(0, qr/^400 migrations applied$/m, 'up again', 'migrate', $dir);
ok(dump_of($db) eq $dump, '... is the same again');
sound('400 pairs');

$node->stop;
done_testing();
