# Scripts at random. First whole ones: dbvc must cut them into the statements that psql sends. Then broken ones: whatever
# is in them, the server lives, and a script has run as a whole, on record, or not at all.
#
# DBVC_FUZZ_SEED and DBVC_FUZZ_ROUNDS, given to prove, change the seed and the number of broken scripts.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{DBVC_FUZZ_SEED} // 20251127;
my $rounds = $ENV{DBVC_FUZZ_ROUNDS} // 400;
srand($seed);
note("seed $seed");

my $node = dbvc_node('fuzz', 'autovacuum = off', 'log_statement = all', 'log_line_prefix = \'[%a] \'');
my $dir = $PostgreSQL::Test::Utils::tmp_check;
my $unique = 0;
# from 19 on standard_conforming_strings cannot be off
my $has_off = $node->safe_psql('postgres', q{SELECT current_setting('server_version_num')::int < 190000}) eq 't';

sub one_of { return $_[ int(rand(@_)) ]; }

# ---- pieces of scripts; each is one statement without its semicolon, unless it says otherwise ----

our @texts = (q{'plain'}, q{'it''s; here'}, q{E'a\\'; b'}, q{$$dollar; 'quoted'$$}, q{$x1$ ; $$ ; $x$ ; $x1$}, q{'-- no comment'}, q{'/* none; either'},
	q{U&'\\0041;'}, q{'two'
  ' parts;'}, q{'\\'}, q{'\\.'}, q{$_ü$;$_ü$}, q{E'\\\\'}, q{'(' || ')' || '[;]'}, q{$a$ $b$ ; $b$ $a$}, q{''}, q{'";"'});
# when standard_conforming_strings is off
my @off_texts = (q{'a\\'; b'}, q{'\\\\'}, q{'it''s; \\' here'}, q{$$\\'$$}, q{E'\\';'}, q{'\\\\''; '});
my @gaps = (' ', "\n", "\t", "\r\n", ' /* ; */ ', " -- ; ' \$\$ \"\n", ' /* outer /* inner; */ still; */ ', "\n/* it's */\n", "\n\n\n");

sub gap { return one_of(' ', ' ', ' ', one_of(@gaps)); }

sub statement
{
	my $n = ++$unique;
	my $text = one_of(@texts);

	return one_of(
		sub { join(gap(), 'INSERT', 'INTO', 'ran', '(what)', 'VALUES', "($text)") },
		sub { join(gap(), 'INSERT', 'INTO', 'ran', '(what)', 'SELECT', $text, 'AS', '"a;""b"') },
		sub { "INSERT INTO ran (what) VALUES ($text)," . gap() . "(" . one_of(@texts) . ")" },
		sub { "DO \$do\$BEGIN INSERT INTO ran (what) VALUES ('do;'); PERFORM 1; END\$do\$" },
		sub { "CREATE FUNCTION f$n() RETURNS text LANGUAGE sql" . gap() . "BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 'x;' ELSE CASE WHEN false THEN 'y' END END; END" },
		sub { "CREATE OR REPLACE PROCEDURE f$n(a int DEFAULT (1))" . gap() . "LANGUAGE sql BEGIN ATOMIC INSERT INTO ran (what) VALUES ('begin'); END" },
		sub { "CREATE FUNCTION f$n() RETURNS text LANGUAGE sql RETURN CASE WHEN 1 = 1 THEN 'a;' END" },
		sub { "CREATE FUNCTION f$n() RETURNS void LANGUAGE plpgsql AS \$\$BEGIN INSERT INTO ran (what) VALUES (';'); END;\$\$" },
		sub { "CREATE TABLE t$n (a int, \"begin;\" text DEFAULT $text)" },
		sub { "CREATE TABLE t$n (a int); CREATE RULE r AS ON INSERT TO t$n DO ALSO (INSERT INTO ran (what) VALUES ('rule;'); INSERT INTO ran (what) VALUES ('2'))" },
		sub { "SELECT CASE WHEN a = 1 THEN 'begin' END" . gap() . "FROM generate_series(1, 3) AS begin(a)" },
		sub { "COPY ran (what) FROM stdin;\nfirst; line\n-- second\n/* third \$\$ '\n\\\\.\n\\\\\n\\." },
		sub { "COPY ran (what)" . gap() . "FROM stdin WITH (FORMAT csv);\n\"a;\n b\"\n\\.\nSELECT 1" },
		sub { "SET" . gap() . "search_path = " . one_of('public', '"$user", public') },
		sub { "SELECT 1 AS \"commit;\"" . gap() . ", 2 -- end" })->();
}

sub script
{
	my $off = $has_off && rand() < 0.2;
	local @texts = @off_texts if $off;
	my $script = ($off ? "SET standard_conforming_strings = off;\n" : '') . one_of('', '', "-- a heading; with 'things'\n", "/* heading; */\n", "\n\n");

	for (1 .. 1 + int(rand(6)))
	{
		my $statement = statement();

		$script .= $statement . ($statement =~ /\\\.$/ ? "\n" : $statement =~ /-- end$/ ? "\n;" : ';') . one_of('', "\n", "\n\n", ' ', "\n-- between; them\n");
		$script .= one_of('', '', '', ";\n") if $script =~ /;$/;
	}
	return $script;
}

# ---- whole ones, against psql ----

$node->safe_psql('postgres', "CREATE DATABASE $_") foreach ('psql', 'dbvc');
$node->safe_psql($_, 'CREATE TABLE ran (n int GENERATED ALWAYS AS IDENTITY, what text)') foreach ('psql', 'dbvc');
$node->safe_psql('dbvc', 'CREATE EXTENSION dbvc');

my @scripts = map { script() } (1 .. 80);
my $all = '';
my $i = 0;

foreach my $script (@scripts)
{
	my $id = sprintf('s%04d', ++$i);

	open(my $file, '>:raw', "$dir/$id.sql") or die $!;
	print $file $script;
	close($file);
	$all .= "\\set script `cat '$dir/$id.sql'; echo x`\nSELECT FROM dbvc.migration_register('$id', left(:'script', -2) );\nCALL dbvc.migrate();\n";
}
# `...` drops a last line feed: hence the x; left() takes it away again, with the line feed of echo
$all =~ s/echo x`/printf x`/g;
$all =~ s/, -2\)/, -1)/g;
append_to_file("$dir/all.sql", $all);
my $run = IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('dbvc'), '-f', "$dir/all.sql" ], '>', \my $out, '2>', \my $err);
ok($run, scalar(@scripts) . ' random scripts are applied') or diag $err;

my $log_at = -s $node->logfile;
$run = IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('psql'), map { ('-c', 'RESET ALL', '-c', "SET application_name = '$_'", '-f', "$dir/$_.sql") } map { sprintf('s%04d', $_) } (1 .. @scripts) ],
	'>', \$out, '2>', \$err);
ok($run, 'and run by psql') or diag $err;
$node->safe_psql('postgres', 'SELECT 1');
my $log = slurp_file($node->logfile, $log_at);
my %sent;
while ($log =~ /^\[(s\d+)\] LOG:  statement: (.*)/mg)
{
	my ($id, $sql) = ($1, $2);

	$sent{$id}++ unless $sql =~ /^\s*;?\s*$/ || $sql =~ /^SET application_name|^RESET ALL/;
}
my %recorded = map { split(/\|/) } split(/\n/, $node->safe_psql('dbvc', 'SELECT id, statements FROM dbvc.migration_run'));
foreach my $id (sort keys %recorded)
{
	next if ($sent{$id} // 0) == $recorded{$id};
	is($recorded{$id}, $sent{$id} // 0, "$id: as many statements as psql sent") or diag slurp_file("$dir/$id.sql");
}
is(scalar(grep { ($sent{$_} // 0) != $recorded{$_} } keys %recorded), 0, 'each is cut into as many statements as psql sends');
cmp_ok(eval { my $sum = 0; $sum += $_ foreach values %sent; $sum }, '>', 200, '... which are many');
is($node->safe_psql('dbvc', 'SELECT what FROM ran ORDER BY n'), $node->safe_psql('psql', 'SELECT what FROM ran ORDER BY n'), '... with the same outcome');
is($node->safe_psql('dbvc', q{SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION ALL SELECT proname || prosrc || COALESCE(pg_get_function_sqlbody(oid), '') FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1}),
	$node->safe_psql('psql', q{SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION ALL SELECT proname || prosrc || COALESCE(pg_get_function_sqlbody(oid), '') FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1}), '... and the same objects');
is($node->safe_psql('dbvc', 'SELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok'), '0', 'every record holds');

# ---- a dump of all that is a script, too ----

# the lines with a key differ from one dump to the next
sub dump_of
{
	my ($db) = @_;

	$node->command_ok([ 'pg_dump', '-x', '-n', 'public', '-f', "$dir/$db.sql", $db ], "pg_dump $db");
	return slurp_file("$dir/$db.sql") =~ s/^\\(un)?restrict .*\n//gmr;
}

my $dump = dump_of('psql');
$node->safe_psql('postgres', 'CREATE DATABASE dumped TEMPLATE template0');
$node->safe_psql('dumped', 'DROP SCHEMA public; CREATE EXTENSION dbvc');
append_to_file("$dir/register.sql", "\\set script `cat '$dir/psql.sql'`\nSELECT FROM dbvc.migration_register('dump', :'script');\nCALL dbvc.migrate();\n");
$run = IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('dumped'), '-f', "$dir/register.sql" ], '>', \$out, '2>', \$err);
ok($run, 'a dump is applied as a migration') or diag $err;
ok(dump_of('dumped') eq $dump, '... and gives the same dump');

# ---- broken ones ----

# Each row remembers its transaction: the one that recorded the run as applied, or it should not be there.
$node->safe_psql('postgres', 'CREATE TABLE ran (n int GENERATED ALWAYS AS IDENTITY, what text, tx xid8 DEFAULT pg_current_xact_id())');
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

my @noise = ("'", '"', '$$', '$x$', '$', ';', '\\', '\\.', "\\.\n", '/*', '*/', '--', "\n", "\r", '(', ')', '[', 'BEGIN', 'BEGIN;', 'COMMIT;', 'END', ' ATOMIC ', 'CASE', "E'", "U&'", 'U&"', "B'", "x'",
	'\\restrict', '\\q', '0x', '1e', '1_000', ':', '::', ':=', '=>', '%', "\x01", "\x7f", "\xc3\xa9", "\xef\xbb\xbf", 'COPY', 'FROM stdin;', 'CREATE', 'FUNCTION', ' ROLLBACK; ', ' PREPARE TRANSACTION \'x\';',
	' SET standard_conforming_strings = off; ', ' SET backslash_quote = on; ', 'DISCARD ALL;', 'RESET ALL;', ' VACUUM; ', ' SET ROLE nobody; ', ' SELECT 1/0; ');

sub mutate
{
	my ($script) = @_;

	for (1 .. 1 + int(rand(4)))
	{
		my $at = int(rand(length($script) + 1));
		my $len = one_of(1, 1, 2, 1 + int(rand(40)));

		$len = length($script) - $at if $at + $len > length($script);
		one_of(
			sub { substr($script, $at, $len) = '' },
			sub { substr($script, $at, 0) = one_of(@noise) },
			sub { substr($script, $at, 0) = one_of(@noise) },
			sub { substr($script, $at, 0) = substr($script, $at, $len) },
			sub { substr($script, $at, 0) = substr($script, int(rand(length($script) + 1)), 1 + int(rand(30))) },
			sub { substr($script, $at) = '' if rand() < 0.3 })->();
	}
	# what is not UTF-8 never gets as far as a script
	$script =~ s/[\xc0-\xff](?![\x80-\xbf])|(?<![\xc0-\xff\x80-\xbf])[\x80-\xbf]+//g;
	$script =~ s/\0//g;
	return $script;
}

open(my $fuzz, '>:raw', "$dir/fuzz.sql") or die $!;
for my $n (1 .. $rounds)
{
	my $script = mutate(script());
	my $id = sprintf('f%05d', $n);
	my $tag = 'dbvc' . $n;

	next if $script =~ /\Q$tag/;
	# as a failure on record, or in the caller's transaction, or as a dry run
	my $how = one_of('CALL dbvc.migrate()', 'CALL dbvc.migrate()', 'CALL dbvc.migrate()', "SELECT FROM dbvc.migration_apply('$id')", 'CALL dbvc.migrate(dry_run => true)');
	my $more = one_of('', '', '', ', transactional => true', ", down_script => 'SELECT 1'");

	print $fuzz "SELECT FROM dbvc.migration_register('$id', \$$tag\$$script\$$tag\$$more);\n$how;\n",
		"SELECT FROM dbvc.migration_baseline('$id', 'not applied') WHERE EXISTS (SELECT FROM dbvc.migration_status WHERE id = '$id' AND applied_version IS NULL);\n";
}
close($fuzz);
$run = IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=0', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-f', "$dir/fuzz.sql" ], '>', \$out, '2>', \$err,
	IPC::Run::timeout(60));
is_sql($node, 'SELECT pg_postmaster_start_time()', $started, "$rounds broken scripts: the server lives");
$log = slurp_file($node->logfile);
unlike($log, qr/terminated by signal|PANIC|TRAP|runtime error:/, '... and nothing in it died');
is(join("\n", $err =~ /(ERROR:  XX.*)/g), '', '... nor was surprised');
unlike($err, qr/don't own a lock|leaked|leak:/, '... nor lost a lock or a reference');
is_sql($node, q{SELECT count(*) FROM ran WHERE tx NOT IN (SELECT txid FROM dbvc.migration_run WHERE status = 'applied')}, '0', 'what a script has done is there only with its record');
is_sql($node, q{SELECT id, count(*) FROM dbvc.migration_run GROUP BY 1 HAVING count(*) > 1}, '', 'no run has two records');
is_sql($node, q{SELECT id, status FROM dbvc.migration_status WHERE status NOT IN ('applied')}, '', 'no migration is left between two states');
is_sql($node, q{SELECT id, "check", detail FROM dbvc.migration_verify() WHERE NOT ok}, '', 'every record holds');
my ($good, $bad) = split(/\|/, $node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE status = 'applied'), count(*) FILTER (WHERE status = 'failed') FROM dbvc.migration_run}));
cmp_ok($good, '>', $rounds / 20, "some ran all the same: $good");
cmp_ok($bad, '>', $rounds / 4, "many failed: $bad");
is_sql($node, q{SELECT count(*) FROM dbvc.migration_run WHERE status = 'failed' AND error_line IS NULL AND error_sqlstate <> '57014'}, '0', 'each failure names its line');
is_sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_extension'::regclass AND objsubid = 1}, '0', 'no lock is left');

$node->stop;
done_testing();
