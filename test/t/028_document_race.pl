# Many sessions write the same few documents at once, in every way there is. Each write adds one to a counter and says so
# in a log, in one transaction: in the end both have the same number, or a write was lost, or seen half.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use File::Temp qw(tempdir);
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{DBVC_RACE_SECONDS} // 5;
my $node = dbvc_node('race', 'fsync = off', 'max_connections = 40');
my $folder = tempdir(CLEANUP => 1);

# what is run, and how often beside the others
my %script = (
	item => [4, q{
		UPDATE u SET data = jsonb_set(data, '{d,:i,n}', to_jsonb((data #>> '{d,:i,n}')::int + 1)) WHERE id = :id;
		INSERT INTO log VALUES ('item')}],
	profile => [1, q{
		UPDATE u SET data = jsonb_set(data, '{n}', to_jsonb((data ->> 'n')::int + 1)) WHERE id = :id;
		INSERT INTO log VALUES ('profile')}],
	column => [1, q{
		UPDATE u SET c = c + 1 WHERE id = :id;
		INSERT INTO log VALUES ('column')}],
	locked => [2, q{
		SELECT (data #>> '{d,:i,n}')::int AS item, (data ->> 'n')::int AS profile, c FROM u WHERE id = :id FOR UPDATE \gset
		UPDATE u SET c = :c + 1,
			data = jsonb_set(jsonb_set(data, '{d,:i,n}', to_jsonb(:item + 1)), '{n}', to_jsonb(:profile + 1)) WHERE id = :id;
		INSERT INTO log VALUES ('item'), ('profile'), ('column')}],
	appended => [2, q{
		UPDATE u SET data = jsonb_set(data, '{p,s}', (data #> '{p,s}') || '1') WHERE id = :id;
		INSERT INTO log VALUES ('append')}],
	saved => [2, q{
		SELECT dbvc.item_save('u', ARRAY[:id::text], 's', '1');
		INSERT INTO log VALUES ('append')}],
	whole => [1, q{
		SELECT dbvc.document_etag('u', ARRAY[:id::text]) AS etag \gset
		SELECT dbvc.document_put('u', ARRAY[:id::text], jsonb_set(dbvc.document_get('u', ARRAY[:id::text]), '{d,:i,n}',
			to_jsonb((dbvc.document_get('u', ARRAY[:id::text]) #>> '{d,:i,n}')::int + 1)), :etag);
		INSERT INTO log VALUES ('item')}],
	joined => [1, q{
		UPDATE u SET data = jsonb_set(u.data, '{n}', to_jsonb((u.data ->> 'n')::int + 1)) FROM (VALUES (:id), (:id)) v (id)
			WHERE u.id = v.id;
		INSERT INTO log VALUES ('profile')}],
);

sub race
{
	my ($what, $isolation) = @_;
	my @files;

	foreach my $name (sort keys %script)
	{
		my ($weight, $sql) = @{ $script{$name} };

		# etag and document of two statements: only one snapshot keeps them together
		$sql =~ s/^/BEGIN ISOLATION LEVEL @{[$name eq 'whole' ? 'REPEATABLE READ' : $isolation]};/;
		append_to_file("$folder/$what-$name.sql",
			"\\set id random(1, 3)\n\\set i random(0, 4)\n$sql;\nCOMMIT;\n");
		push @files, '-f', "$folder/$what-$name.sql\@$weight";
	}
	return ('pgbench', '-n', '-d', $node->connstr('postgres'), '-c', 8, '-j', 2, '-T', $seconds, '--max-tries', 0, @files);
}

my %sum = (
	item => q{SELECT sum((e ->> 'n')::int) FROM u, jsonb_array_elements(data -> 'd') e},
	profile => q{SELECT sum((data ->> 'n')::int) FROM u},
	column => q{SELECT sum(c) FROM u},
	append => q{SELECT sum(jsonb_array_length(data #> '{p,s}')) FROM u});

sub check_sums
{
	my $what = shift;

	foreach my $kind (sort keys %sum)
	{
		my ($is, $want) = split /\|/,
		  $node->safe_psql('postgres', "SELECT ($sum{$kind}), (SELECT count(*) FROM log WHERE kind = '$kind')");

		cmp_ok($want, '>', 0, "$what: $kind was written");
		is($is, $want, "$what: no write of $kind is lost");
	}
}

$node->safe_psql('postgres', q{
	CREATE TABLE u (id bigint PRIMARY KEY, c int NOT NULL DEFAULT 0, data jsonb);
	INSERT INTO u SELECT g, 0, jsonb_build_object('n', 0, 'x', repeat('x', 100), 'p', jsonb '{"s": [], "q": [0, 0]}',
		'd', (SELECT jsonb_agg(jsonb_build_object('id', 'k' || i, 'n', 0)) FROM generate_series(0, 4) i))
		FROM generate_series(1, 400) g;
	CREATE TABLE log (kind text);
	SELECT FROM dbvc.document_adopt('u', parts => '{"d": "t", "p.s": "s", "p.q": "q"}');
});

foreach my $isolation ('READ COMMITTED', 'REPEATABLE READ')
{
	command_ok([ race(lc($isolation =~ s/ .*//r), $isolation) ], "$isolation: all transactions succeed in the end");
	check_sums($isolation);
	is($node->safe_psql('postgres', q{SELECT string_agg("check", ', ') FROM dbvc.document_check('u') WHERE NOT ok}),
		'', "$isolation: documents are sound");
}

# ---- while the rest is converted, and while the table is given back ----

foreach my $call (q{CALL dbvc.document_backfill('u', batch => 10, pause => 20)}, q{CALL dbvc.document_release('u', batch => 10, lock_wait => 10000)})
{
	my $name = $call =~ /backfill/ ? 'backfill' : 'release';

	# items have no functions once the table is a table again
	local $script{saved} = [0, 'SELECT 1'] if $name eq 'release';
	local $script{whole} = [0, 'SELECT 1'] if $name eq 'release';
	# who has locked a row and then wants to write waits for whoever wants the table, who waits for those that wait for
	# the row: each such circle costs a deadlock_timeout, and the table is never had
	local $script{locked} = [0, 'SELECT 1'] if $name eq 'release';
	my @race = race($name, 'READ COMMITTED');
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start(\@race, '>', \$out, '2>', \$err, IPC::Run::timeout(120));
	my $job = job($node, $name, $call);

	ok(finish($job), "$name succeeds meanwhile") or diag($job->{err});
	IPC::Run::finish($run);
	unlike($err, qr/aborted/, "$name: nobody is aborted") or diag($err);
	check_sums($name);
}
is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE data ? 'x') FROM u}), '400|400', 'all are there');
is($node->safe_psql('postgres', q{SELECT relkind FROM pg_class WHERE oid = 'u'::regclass}), 'r', 'and the table is a table');

done_testing();
