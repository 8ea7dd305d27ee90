# Completeness, proved: every column of every catalog that this server has is in test/schema/columns.list, either with a
# statement that changes it, and with it the fingerprint, or with the reason why it has no part in a definition.
#
# DBVC_TEST_SEED says which of the statements are also checked against a fingerprint that reads everything anew, and
# against what is left when they are rolled back; with DBVC_TEST_SCALE=10 all are.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Snapshots;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('columns', SNAPSHOT_CONF);
my $major = $node->safe_psql('postgres', q{SELECT current_setting('server_version_num')::int / 10000});
my $db = new_database($node, 'everything');

everything($node, $db, 'everything.sql', 'not_dumped.sql');

# ---- the list ----

my (%statement, %reason);

open(my $list, '<', schema_file('columns.list')) or die;
while (my $line = <$list>)
{
	next if $line =~ /^(#|\s*$)/;
	my ($column, $kind, $text) = $line =~ /^(pg_\w+\.(?:\w+|\*)) ([:=]) (.+)$/ or die "not understood: $line";

	die "twice: $column" if $statement{$column} || $reason{$column};
	($kind eq ':' ? \%statement : \%reason)->{$column} = $text;
}
close($list);

# ---- every column is in it ----

my @columns = split /\n/, $node->safe_psql($db, q{SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum});
my @unknown = grep { !$statement{$_} && !$reason{$_} && !$reason{s/\..*/.*/r} } @columns;

is(join(' ', @unknown), '', 'every column of every catalog is accounted for');
cmp_ok(scalar @columns, '>', 580, '... and there are many of them');

# ---- every statement changes its column and the fingerprint ----

my $fingerprint = 'dbvc.snapshot_fingerprint(settings => true)';
my $full = 'dbvc.snapshot_fingerprint(settings => true, "full" => true)';
my $script = "SET client_min_messages = error; SET allow_system_table_mods = on;\nSELECT FROM dbvc.snapshot_capture('first', settings => true);\nSELECT $fingerprint AS first \\gset\n";
my @tried;
my $seed = $ENV{DBVC_TEST_SEED} // time;
my $scale = $ENV{DBVC_TEST_SCALE} // 1;

note("seed $seed");
srand($seed);
foreach my $column (@columns)
{
	my $statement = $statement{$column} or next;
	my ($catalog, $attribute) = split(/\./, $column);
	my $values = qq{SELECT md5(coalesce(string_agg(coalesce(c."$attribute"::text, '~'), ',' ORDER BY c."$attribute"::text), '')) AS values FROM pg_catalog.$catalog c};

	next if $statement =~ s/^\[(\d+)\] // && $major < $1;
	$statement =~ s/\{database\}/$db/g;
	push @tried, $column;
	my $more = rand(10) < $scale;

	$script .= "\\echo #$column\n$values \\gset\nBEGIN;\n$statement;\nSELECT :'values' <> (${\($values =~ s/ AS values//r)}) AS c, f <> :'first' AS f, "
	  . ($more ? "$full = f" : 'true') . " AS s FROM $fingerprint f \\gset\n"
	  . "ROLLBACK;\nSELECT " . ($more ? "$fingerprint = :'first'" : 'true') . " AS b \\gset\n\\echo =:c :f :s :b\n\\unset c\n";
}
PostgreSQL::Test::Utils::append_to_file("${PostgreSQL::Test::Utils::tmp_check}/columns.sql", $script);
my ($out, $err) = ('', '');
IPC::Run::run([ 'psql', '-XAtq', '-v', 'VERBOSITY=terse', '-f', "${PostgreSQL::Test::Utils::tmp_check}/columns.sql", $node->connstr($db) ], '>&', \$out);
my %answer = map { /^(\S+)\n(.*)$/s ? ($1 => $2) : () } split(/^#/m, $out);
my (@error, @same, @blind, @stale, @stuck);

foreach my $column (@tried)
{
	my $answer = $answer{$column} // 'not reached';
	my ($changed, $seen, $equal, $back) = $answer =~ /\A=([tf]) ([tf]) ([tf]) ([tf])\n\z/;

	push(@error, "$column: $statement{$column}\n    $answer"), next unless $changed;
	push @same, "$column: $statement{$column}" if $changed eq 'f';
	push @blind, "$column: $statement{$column}" if $seen eq 'f';
	push @stale, "$column: $statement{$column}" if $equal eq 'f';
	push @stuck, "$column: $statement{$column}" if $back eq 'f';
}
is(join("\n", @error), '', 'every statement runs');
is(join("\n", @same), '', '... and changes its column');
is(join("\n", @blind), '', '... and the fingerprint');
is(join("\n", @stale), '', '... as much as if everything were read anew');
is(join("\n", @stuck), '', '... and rolled back, leaves no trace');
note(scalar(@tried) . ' statements');

$node->stop;
done_testing();
