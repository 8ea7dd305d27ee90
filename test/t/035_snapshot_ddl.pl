# Random DDL: whatever is done, the diff names exactly that; what is known from the last time and read anew is the same;
# what was rolled back was never there; and the same schema made anew in another order has the fingerprint of the first.
#
# DBVC_TEST_SEED (printed) repeats a run, DBVC_TEST_SCALE multiplies the number of sequences.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use RandomDdl;
use Snapshots;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{DBVC_TEST_SEED} // time;
my $sequences = int(20 * ($ENV{DBVC_TEST_SCALE} // 1));
my $node = dbvc_node('ddl', SNAPSHOT_CONF);
my $db = new_database($node, 'ddl');

diag("seed $seed") if $ENV{DBVC_TEST_SEED};
note("seed $seed");
$node->safe_psql($db, q{CREATE ROLE regress_dbvc_owner; CREATE ROLE regress_dbvc_reader; CREATE ROLE regress_dbvc_writer; CREATE TABLESPACE "regress_dbvc Space" LOCATION '';
	CREATE FUNCTION public.etf() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'});

my $model = RandomDdl->new(seed => $seed);

# run(NAME, SQL, ...): in one session; what it prints
my $log = '';

sub run
{
	my (@sql) = @_;
	my ($out, $err) = ('', '');

	$log .= join(";\n", @sql) . ";\n";
	IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', '-' ], '<', \join('', "SET client_min_messages = error;\n", map { "$_;\n" } @sql), '>', \$out, '2>', \$err)
	  or die "seed $seed: $err\n" . join(";\n", @sql[ 0 .. ($#sql > 60 ? 60 : $#sql) ]);
	return $out =~ s/\n\z//r;
}

my $hex = sub { my ($text) = @_; return qq{encode(convert_to($text, 'UTF8'), 'hex')}; };
my $stored = q{SELECT change, object_type, } . $hex->('identity') . q{, coalesce(attribute, '') FROM dbvc.snapshot_diff};
my $differences = $stored . q{((SELECT id FROM dbvc.snapshot ORDER BY captured_at DESC LIMIT 1), NULL, true)};

# what the diff says beyond what was done, and what it does not say; without details parts of what was created or dropped
# need not be there
sub compare
{
	my ($rows, $expected, $short) = @_;
	my (%said, @wrong);

	foreach my $row (split /\n/, $rows)
	{
		my ($change, $type, $identity, $attribute) = split(/\|/, $row, -1);

		push @{ $said{"$change $type " . pack('H*', $identity)} }, $attribute;
	}
	foreach my $key (sort keys %said)
	{
		my ($change, $type, $identity) = $key =~ /^(\w+) (.+?column|\S+) (.*)$/;
		my ($table) = $identity =~ /^(.+)\.(?:"(?:[^"]|"")+"|[^"]+?)$/ ? $1 : '';

		if (!$expected->{$key})
		{
			# columns that come, go and have another name with their relation
			next if $change ne 'altered' && $type =~ /column$/ && grep { $expected->{"$change $_ $table"} } ('table', 'view', 'materialized view', 'foreign table', 'composite type');
			push @wrong, "says too much: $key (@{$said{$key}})";
			next;
		}
		my @attributes = @{ $expected->{$key} };

		foreach my $attribute (grep { $_ ne '' } @{ $said{$key} })
		{
			push @wrong, "says too much: $key ($attribute)" unless grep { $attribute =~ $_ } @attributes;
		}
	}
	foreach my $key (sort keys %$expected)
	{
		my $said = $said{$key};

		next if $short && !$said && $key =~ /^(created|dropped)/;
		push(@wrong, "does not say: $key (@{$expected->{$key}})"), next unless $said;
		foreach my $attribute (@{ $expected->{$key} })
		{
			push @wrong, "does not say: $key ($attribute)" unless grep { $_ =~ $attribute } @$said;
		}
	}
	return @wrong;
}

my $equal = q{SELECT dbvc.snapshot_fingerprint() = dbvc.snapshot_fingerprint("full" => true)};
my (@wrong, @unequal, @left, @taken);

# something to begin with
run(map { $model->statement } 1 .. 150);
run('SELECT FROM dbvc.snapshot_capture()');
my $first = $model->state;
my $first_fingerprint = fingerprint($node, $db);

foreach my $n (1 .. $sequences)
{
	my $before = $model->state;
	my $fingerprint = fingerprint($node, $db);
	my $length = 1 + int(rand(25));
	my @sql = map { $model->statement } 1 .. $length;
	my $after = $model->state;

	# first in vain
	push @left, "sequence $n" if $n % 3 == 0 && run('BEGIN', @sql, 'ROLLBACK', $differences) ne '';
	# then in one transaction, or in one each
	my $rows = $n % 2 ? run('BEGIN', @sql, 'COMMIT', $differences) : run(@sql, $differences);
	my $expected = $model->differences($before, $after);
	my @found = compare($rows, $expected);

	push @found, map { "without details: $_" } compare(run($differences =~ s/true\)$/false)/r), $expected, 1);
	push @wrong, "sequence $n:\n  " . join("\n  ", @found) . "\n" . join(";\n", @sql) if @found;
	push @unequal, "sequence $n" if run($equal) ne 't';
	push @taken, [ run('SELECT dbvc.snapshot_capture()'), $after ];
}
# between any two of the snapshots
foreach my $n (1 .. $sequences)
{
	my ($from, $to) = ($taken[ rand @taken ], $taken[ rand @taken ]);
	my @found = compare(run("$stored('$from->[0]', '$to->[0]', true)"), $model->differences($from->[1], $to->[1]));

	push @wrong, "$from->[0] to $to->[0]:\n  " . join("\n  ", @found) if @found;
}
is(join("\n", @wrong), '', "the diff names exactly what was done, in each of $sequences sequences");
is(join("\n", @left), '', '... and nothing of what was rolled back');
is(join("\n", @unequal), '', '... and the fingerprint is the same when all is read anew');

# ---- back to where it began, made anew in another order ----

my @clear = $model->clear;
$model->restore($first);
run(@clear);
run($model->rebuild);
my @rest = compare(run($differences =~ s/ DESC / /r), {});
is(join("\n", @rest), '', 'the first schema, made anew, is the first schema');
is(fingerprint($node, $db), $first_fingerprint, '... with its fingerprint');
is(full_fingerprint($node, $db), $first_fingerprint, '... also when all is read anew');

# ---- what was done ----

my @kinds = sort keys %{ $model->{kinds} };
my @done = grep { $model->{kinds}{$_} } @kinds;
note(scalar(@done) . ' of ' . scalar(@kinds) . ' kinds of statements');
cmp_ok(scalar(@done), '>=', 60, 'at least 60 kinds of statements were executed');

$node->stop;
done_testing();
