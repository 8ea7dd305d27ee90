# What the tests of snapshots share: the schema that has everything, and snapshots as Perl sees them.
package Snapshots;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(SNAPSHOT_CONF schema_file everything new_database fingerprint full_fingerprint definitions same_definitions);

# subscriptions want it, and nothing shall start because of them
use constant SNAPSHOT_CONF => ('wal_level = logical', 'max_logical_replication_workers = 0', 'autovacuum = off', 'allow_in_place_tablespaces = on');

# schema_file(NAME): path of test/schema/NAME
sub schema_file
{
	return "$FindBin::Bin/../schema/$_[0]";
}

# new_database(NODE, NAME[, OPTIONS]): with dbvc
sub new_database
{
	my ($node, $name, $options) = @_;

	$node->safe_psql('postgres', qq{CREATE DATABASE "$name" TEMPLATE template0 } . ($options // ''));
	$node->safe_psql($name, 'CREATE EXTENSION dbvc');
	return $name;
}

# everything(NODE, DATABASE[, FILE...]): run files of test/schema in it, by default everything.sql
sub everything
{
	my ($node, $db, @files) = @_;

	foreach my $file (@files ? @files : 'everything.sql')
	{
		my ($out, $err) = ('', '');

		IPC::Run::run([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', schema_file($file), $node->connstr($db) ], '>', \$out, '2>', \$err)
		  or die "$file: $err";
	}
}

sub fingerprint
{
	my ($node, $db, $args) = @_;

	return $node->safe_psql($db, "SELECT encode(dbvc.snapshot_fingerprint(" . ($args // '') . "), 'hex')");
}

sub full_fingerprint
{
	my ($node, $db) = @_;

	return fingerprint($node, $db, '"full" => true');
}

# definitions(NODE, DATABASE): { "type identity" => body }, of a snapshot taken now
sub definitions
{
	my ($node, $db) = @_;
	my %found;
	# in hexadecimal digits, because names have lines in them
	my $rows = $node->safe_psql($db, q{
		SELECT FROM dbvc.snapshot_capture('definitions');
		SELECT encode(convert_to(o.object_type || ' ' || o.identity, 'UTF8'), 'hex'), encode(convert_to(d.body, 'UTF8'), 'hex')
		FROM dbvc.snapshot_objects() o JOIN dbvc.definition d USING (hash)}) =~ s/^\s*\n//r;

	foreach my $row (split /\n/, $rows)
	{
		my ($key, $body) = map { pack('H*', $_) } split(/\|/, $row, -1);

		$found{$key} = $body;
	}
	return \%found;
}

# same_definitions(GOT, EXPECTED, NAME[, { KEY => REASON }]): one by one, so that a difference has a name; what is
# excused must differ
sub same_definitions
{
	my ($got, $expected, $name, $excused) = @_;
	my @wrong;
	my %all = map { $_ => 1 } (keys %$got, keys %$expected);
	my %left = %{ $excused // {} };

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $key (sort keys %all)
	{
		my ($is, $was) = ($got->{$key}, $expected->{$key});

		next if defined $is && defined $was && $is eq $was;
		next if delete $left{$key};
		push @wrong, "$key\n  is  " . ($is // 'not there') . "\n  was " . ($was // 'not there');
	}
	push @wrong, map { "$_ is excused ($left{$_}), but does not differ" } sort keys %left;
	ok(!@wrong, $name) or diag(join("\n", @wrong[ 0 .. ($#wrong > 30 ? 30 : $#wrong) ]), "\n" . @wrong . ' in all');
}

1;
