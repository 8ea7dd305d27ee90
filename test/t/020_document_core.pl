# Documents at random, of every shape that jsonb has. Whatever is split comes back byte for byte, and PostgreSQL's own
# functions make the same slim documents and items; what dbvc writes between two documents leads from one to the other
# and is as little as a search through all possibilities finds; a merge is what a plain reading of its rules says.
#
# DBVC_FUZZ_DOCUMENTS, given to prove, is the number of documents (default 1000; 100000 take a minute or two),
# DBVC_FUZZ_ROUNDS that of small arrays and merges computed in Perl (default 400), DBVC_FUZZ_SEED the seed.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use RandomDocuments;
use JSON::PP;
use List::Util qw(max shuffle sum0);
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{DBVC_FUZZ_SEED} // 20251127;
my $documents = $ENV{DBVC_FUZZ_DOCUMENTS} // 1000;
my $rounds = $ENV{DBVC_FUZZ_ROUNDS} // 400;
my $batch = $documents < 5000 ? $documents : 5000;
srand($seed);
note("seed $seed, $documents documents, $rounds rounds");

my $node = dbvc_node('documents', 'autovacuum = off', 'fsync = off', 'max_parallel_workers_per_gather = 0',
	'jit = off', 'work_mem = 64MB', 'enable_nestloop = off');
my $json = JSON::PP->new->canonical->allow_nonref;

sub one_of { return $_[ int(rand(@_)) ]; }

random_documents_setup($node, $seed);

# bad(NAME, SQL): how many documents of the batch are wrong, by a query for their numbers; kept apart for a look at them
my %bad;
my %seconds;

sub bad
{
	my ($name, $sql) = @_;
	my $start = time;

	$bad{$name} += $node->safe_psql('postgres', "SET search_path = fuzz; SELECT count(*) FROM ($sql) bad");
	$seconds{$name} += time - $start;
}

my $started = time;
for (my $done = 0; $done < $documents; $done += $batch)
{
	my $start = time;

	$node->safe_psql('postgres', 'SET search_path = fuzz; TRUNCATE doc; SELECT setseed(' . (($seed + $done) % 1999) / 2000 . "); SELECT fill($batch)");
	$seconds{'(making them)'} += time - $start;
	$start = time;
	# both sides of most checks, made once
	$node->safe_psql('postgres', q{
		SET search_path = fuzz;
		SET client_min_messages = warning;
		DROP TABLE IF EXISTS item, pair;
		CREATE UNLOGGED TABLE item AS SELECT i, x.* FROM doc, dbvc.document_items(d, parts()) WITH ORDINALITY AS x (type, item_id, ord, data, n);
		CREATE UNLOGGED TABLE pair AS SELECT i, type, keys, array_at(d, keys) AS was, array_at(other, keys) AS becomes FROM doc, path;
	});
	$seconds{'(splitting them)'} += time - $start;

	bad('split and combined, the bytes are the same', q{
		SELECT FROM doc LEFT JOIN (SELECT i, array_agg(type ORDER BY n) AS types, array_agg(data ORDER BY n) AS data FROM item GROUP BY i) x USING (i)
		WHERE NOT dbvc.document_same_bytes(d, dbvc.document_combine(dbvc.document_slim(d, parts()), parts(),
			COALESCE(types, '{}'), COALESCE(data, '{}')))});
	bad('slim is what PostgreSQL makes', q{
		SELECT FROM doc WHERE NOT dbvc.document_same_bytes(dbvc.document_slim(d, parts()),
			emptied(emptied(emptied(emptied(d, '{dreams}'), '{profile,goals}'), '{profile,a.b,c}'), '{""}'))});
	bad('items are what PostgreSQL makes', q{
		SELECT FROM pair LEFT JOIN (SELECT i, type, jsonb_agg(data ORDER BY n) AS items FROM item GROUP BY i, type) x USING (i, type)
		WHERE (was IS NULL) <> (items IS NULL) OR NOT dbvc.document_same_bytes(was, items)});
	bad('each item is the jsonb of its element', q{
		SELECT FROM pair JOIN (SELECT i, type, array_agg(data ORDER BY n) AS items FROM item GROUP BY i, type) x USING (i, type),
			LATERAL ROWS FROM (unnest(items), jsonb_array_elements(was)) AS e (item, element)
		WHERE dbvc.document_same_bytes(item, element) IS NOT true});
	bad('ids follow the rules', q{
		SELECT FROM (SELECT *, own_id(data) AS own,
			row_number() OVER (PARTITION BY i, type, own_id(data) ORDER BY n) AS nth FROM item OFFSET 0) x
		WHERE CASE WHEN own IS NULL OR nth > 1 THEN item_id !~ '^~[1-9][0-9]*$' ELSE item_id <> own END});
	bad('ids are unique', q{SELECT FROM item GROUP BY i, type, item_id HAVING count(*) > 1});

	# of many documents every fourth is enough for what follows
	next if $done / $batch % 4 != 0;

	# what leads from one array to another one, or from none, or to none
	$node->safe_psql('postgres', q{
		SET search_path = fuzz;
		SET client_min_messages = warning;
		DROP TABLE IF EXISTS have, write;
		CREATE UNLOGGED TABLE have AS SELECT i, type, COALESCE(ids, '{}') AS ids, COALESCE(ords, '{}') AS ords, COALESCE(data, '{}') AS data,
				COALESCE(was, '[]') AS was, COALESCE(becomes, '[]') AS becomes FROM pair LEFT JOIN
			(SELECT i, type, array_agg(item_id ORDER BY n) AS ids, array_agg(ord ORDER BY n) AS ords, array_agg(data ORDER BY n) AS data
			FROM item GROUP BY i, type) x USING (i, type);
		CREATE UNLOGGED TABLE write AS SELECT i, type, w.* FROM have, dbvc.document_diff(ids, ords, data, becomes) w;
	});
	bad('the same array again needs no write', q{SELECT FROM have, dbvc.document_diff(ids, ords, data, was)});
	bad('the writes lead to the new array', q{
		SELECT FROM have LEFT JOIN (SELECT i, type, jsonb_agg(data ORDER BY ord) AS items, count(DISTINCT ord) AS places, count(DISTINCT item_id) AS names
			FROM (SELECT i, type, item_id, ord, data FROM item WHERE (i, type, item_id) NOT IN (SELECT i, type, item_id FROM write WHERE action <> 'insert')
				UNION ALL SELECT i, type, item_id, ord, data FROM write WHERE action <> 'delete') x GROUP BY i, type) y USING (i, type)
		WHERE NOT dbvc.document_same_bytes(becomes, COALESCE(items, '[]')) OR places <> jsonb_array_length(becomes) OR names <> places});
	bad('a write changes what it says', q{
		SELECT FROM write w LEFT JOIN item o USING (i, type, item_id)
		WHERE CASE w.action WHEN 'insert' THEN o.i IS NOT NULL WHEN 'delete' THEN o.i IS NULL
			WHEN 'move' THEN w.ord = o.ord OR NOT dbvc.document_same_bytes(w.data, o.data)
			ELSE dbvc.document_same_bytes(w.data, o.data) END IS NOT false});

	# who changes alone gets what it wants; who changes nothing changes nothing
	foreach my $case ([ 'd, other, d', 'other', 'what the writer alone changed' ], [ 'd, d, other', 'other', 'what others changed' ])
	{
		bad("merged: $case->[2]", qq{
			SELECT FROM doc, LATERAL (SELECT dbvc.document_merge($case->[0], parts()) AS m OFFSET 0) x
			WHERE m -> 'conflicts' <> '[]' OR NOT dbvc.document_same_bytes($case->[1], m -> 'document')});
	}
	bad('merged: what both did is never taken for one', q{
		SELECT FROM doc, LATERAL (SELECT dbvc.document_merge(d, other, other, parts()) AS m OFFSET 0) x
		WHERE (m -> 'conflicts' = '[]' AND dbvc.document_same_bytes(other, m -> 'document')) <> dbvc.document_same_bytes(d, other)});

	# ranks of any size in any order, also at the ends of bigint
	$node->safe_psql('postgres', q{
		SET search_path = fuzz;
		SET client_min_messages = warning;
		DROP TABLE IF EXISTS hostile;
		CREATE UNLOGGED TABLE hostile AS SELECT i, type, ids, data, was, becomes,
			ARRAY(SELECT CASE dice(1, 5) WHEN 1 THEN (-9223372036854775808)::bigint + dice(0, 2) WHEN 2 THEN 9223372036854775807 - dice(0, 3)
				WHEN 3 THEN dice(-3, 3)::bigint ELSE dice(-1000000000, 1000000000)::bigint * 4294967296 END FROM generate_series(1, cardinality(ids) + i - i)) AS ords
			FROM have;
	});
	bad('whatever the ranks were, the new ones are in order', q{
		SELECT FROM hostile, LATERAL (
			SELECT jsonb_agg(data ORDER BY ord) AS items, count(DISTINCT ord) AS places, count(DISTINCT item_id) AS names
			FROM (WITH w AS MATERIALIZED (SELECT * FROM dbvc.document_diff(ids, ords, data, becomes))
				SELECT item_id, ord, data FROM w WHERE action <> 'delete'
				UNION ALL SELECT * FROM unnest(ids, ords, data) e (item_id, ord, data) WHERE e.item_id NOT IN (SELECT item_id FROM w WHERE action <> 'insert')) y OFFSET 0) z
		WHERE NOT dbvc.document_same_bytes(becomes, COALESCE(items, '[]')) OR places <> jsonb_array_length(becomes) OR names <> places});
}
note(sprintf('%d documents in %.1f s', $documents, time - $started));
foreach my $name (sort keys %seconds)
{
	note(sprintf('%6.1f s %s', $seconds{$name}, $name));
	is($bad{$name}, 0, $name) if defined $bad{$name};
}

# ---- small arrays: the least that can be written, by trying everything ----

# subsets(N): all subsets of 0 .. N-1, as array references
sub subsets
{
	my ($n) = @_;

	return map { my $bits = $_; [ grep { $bits >> $_ & 1 } 0 .. $n - 1 ] } 0 .. 2**$n - 1;
}

# all_matchings(OLD, NEW): all ways to pair as many of the two lists of indexes as possible
sub all_matchings
{
	my ($old, $new) = @_;

	return ([]) if !@$old || !@$new;
	if (@$old <= @$new)
	{
		my ($first, @rest) = @$old;

		return map { my $n = $_; map { [ [ $first, $n ], @$_ ] } all_matchings(\@rest, [ grep { $_ != $n } @$new ]) } @$new;
	}
	return map { [ map { [ reverse @$_ ] } @$_ ] } all_matchings($new, $old);
}

# products(LISTS...): one of each
sub products
{
	my ($first, @rest) = @_;

	return ([]) if !defined $first;
	return map { my $one = $_; map { [ @$one, @$_ ] } products(@rest) } @$first;
}

# most_kept(OLD, PAIRS): of pairs (old index, new index) with unchanged values, how many can keep their ranks
sub most_kept
{
	my ($old, $pairs) = @_;
	my @sorted = sort { $a->[1] <=> $b->[1] } @$pairs;
	my $most = 0;

	foreach my $subset (subsets(scalar @sorted))
	{
		my @kept = @sorted[@$subset];

		next if @kept <= $most;
		next if grep { $old->[ $kept[$_][0] ]{ord} - $old->[ $kept[ $_ - 1 ][0] ]{ord} < $kept[$_][1] - $kept[ $_ - 1 ][1] } 1 .. $#kept;
		$most = @kept;
	}
	return $most;
}

# fewest_writes(OLD, NEW): old items {id, ord, value}, new ones {id or undef, value}
sub fewest_writes
{
	my ($old, $new) = @_;
	my (%seen, @sure, %old_left, %new_left);
	my %by_id = map { $old->[$_]{id} => $_ } grep { $old->[$_]{id} !~ /^~/ } 0 .. $#$old;
	my %paired;
	my @natural = map { my $id = $_->{id}; defined $id && !$seen{$id}++ ? $id : undef } @$new;

	foreach my $n (0 .. $#$new)
	{
		next if !defined $natural[$n] || !exists $by_id{ $natural[$n] };
		push @sure, [ $by_id{ $natural[$n] }, $n ];
		$paired{ $by_id{ $natural[$n] } } = 1;
	}
	my %done = map { $_->[1] => 1 } @sure;

	push @{ $old_left{ $old->[$_]{value} } }, $_ foreach grep { !$paired{$_} } 0 .. $#$old;
	push @{ $new_left{ $new->[$_]{value} } }, $_ foreach grep { !$done{$_} } 0 .. $#$new;
	my @choices = map { [ all_matchings($old_left{$_}, $new_left{$_}) ] } grep { $new_left{$_} } sort keys %old_left;
	my $fewest;

	foreach my $choice (products(@choices))
	{
		my @pairs = (@sure, @$choice);
		my %old_done = map { $_->[0] => 1 } @pairs;
		my %new_done = map { $_->[1] => 1 } @pairs;
		my $old_rest = grep { !$old_done{$_} && $old->[$_]{id} =~ /^~/ } 0 .. $#$old;
		my $new_rest = grep { !$new_done{$_} && !defined $natural[$_] } 0 .. $#$new;
		my $by_position = $old_rest < $new_rest ? $old_rest : $new_rest;
		my @same = grep { $old->[ $_->[0] ]{value} eq $new->[ $_->[1] ]{value} } @pairs;
		my $writes = @$old + @$new - 2 * @pairs - $by_position + @pairs - most_kept($old, \@same);

		$fewest = $writes if !defined $fewest || $writes < $fewest;
	}
	return $fewest;
}

sub array_literal { return "ARRAY[" . join(',', map { "'$_'" } @{ $_[0] }) . "]::$_[1]\[]"; }

sub small_element
{
	my ($ids) = @_;

	return one_of('"x"', '"y"', '1', '1.0', 'null') if rand() < 0.5;
	return $json->encode({ id => one_of(@$ids), v => int(rand(2)) });
}

sub id_in { return $_[0] =~ /"id":"(\w+)"/ ? $1 : undef; }

my @cases;
foreach my $round (1 .. $rounds)
{
	my @ids = ('a' .. 'f');
	my $crowded = $round % 2;
	my (@old, @new, %seen);
	my $ord = int(rand(3)) - 1;
	my $generated = 0;

	# elements without ids and crowded ranks at once have no one best answer that is found fast
	@old = map { { value => $crowded ? $json->encode({ id => $_, v => 0 }) : small_element(\@ids) } } (shuffle @ids)[ 0 .. int(rand(6)) ];
	foreach my $item (@old)
	{
		my $id = id_in($item->{value});

		$item->{id} = defined $id && !$seen{$id}++ ? $id : '~' . ++$generated;
		$ord += $crowded ? one_of(1, 1, 1, 2, 3) : 1000;
		$item->{ord} = $ord;
	}
	@new = map { $_->{value} } @old;
	foreach (1 .. 1 + int(rand(3)))
	{
		my $at = int(rand(@new + 1));

		splice(@new, $at, one_of(0, 1), $crowded ? $json->encode({ id => one_of('g' .. 'z'), v => int(rand(2)) }) : small_element(\@ids)) if rand() < 0.6;
		splice(@new, $at, 1) if @new > 6 || rand() < 0.3 && $at < @new;
		@new = reverse @new if rand() < 0.1;
		push @new, shift @new if @new && rand() < 0.2;
	}
	@new = shuffle @new if rand() < 0.1;
	if ($crowded)
	{
		my %once;
		@new = grep { !$once{ id_in($_) }++ } @new;
	}
	push @cases, { old => \@old, new => \@new };
}

my @counts = split /\n/, $node->safe_psql('postgres', join(";\n", map {
	my $case = $cases[$_];
	"SELECT count(*) FROM dbvc.document_diff("
	  . array_literal([ map { $_->{id} } @{ $case->{old} } ], 'text') . ', '
	  . array_literal([ map { $_->{ord} } @{ $case->{old} } ], 'bigint') . ', '
	  . array_literal([ map { $_->{value} } @{ $case->{old} } ], 'jsonb') . ", '["
	  . join(',', @{ $case->{new} }) . "]')"
} 0 .. $#cases));
my @more;
foreach my $i (0 .. $#cases)
{
	my $case = $cases[$i];
	my $fewest = fewest_writes($case->{old}, [ map { { id => id_in($_), value => $_ } } @{ $case->{new} } ]);

	push @more, "$counts[$i] writes instead of $fewest: " . $json->encode($case) if $counts[$i] != $fewest;
}
is(scalar(@more), 0, "$rounds small arrays: no more is written than must be") or diag(join("\n", @more[ 0 .. (@more > 5 ? 4 : $#more) ]));

# ---- merges ----

# decide(OLD, NEW, CURRENT): the value of the three that it is, undef: none; '!' when both changed it, be it to the same
sub decide
{
	my ($old, $new, $current) = map { $_ // '' } @_;

	return ($new eq $old ? $current : $current eq $old ? $new : '!') || undef;
}

# place(LIST, OTHER): put what OTHER has more after what stands before it there
sub place
{
	my ($list, $other) = @_;
	my %there = map { $_ => 1 } @$list;
	my $last;

	foreach my $id (@$other)
	{
		if (!$there{$id})
		{
			my $at = 0;

			$at++ while defined $last && $list->[ $at++ ] ne $last && $at < @$list;
			$at = defined $last ? (grep { $list->[$_] eq $last } 0 .. $#$list)[0] + 1 : 0;
			splice(@$list, $at, 0, $id);
		}
		$last = $id;
	}
}

# merged(OLD, NEW, CURRENT): of lists of [id, value]; a list, or the conflicts
sub merged
{
	my @lists = @_;
	my @value = map { { map { @$_ } @$_ } } @lists;
	my %all = map { $_ => 1 } map { keys %$_ } @value;
	my %result = map { $_ => decide($value[0]{$_}, $value[1]{$_}, $value[2]{$_}) } keys %all;
	my @conflicts = grep { ($result{$_} // '') eq '!' } sort keys %result;
	my @order = map { [ grep { defined $result{$_} } map { $_->[0] } @$_ ] } @lists;
	my @shared = map { join(' ', grep { my $id = $_; 3 == grep { exists $_->{$id} } @value } @$_) } @order;
	my ($base, $other) = (2, 1);

	return { conflicts => \@conflicts } if @conflicts;
	return { conflicts => [undef] } if $shared[1] ne $shared[0] && $shared[2] ne $shared[0];
	($base, $other) = (1, 2) if $shared[1] ne $shared[0] && $shared[2] eq $shared[0];
	place($order[$base], $order[$other]);
	return { list => [ map { [ $_, $result{$_} ] } @{ $order[$base] } ] };
}

# edited(LIST): somebody's changes of it
sub edited
{
	my @list = map { [@$_] } @{ $_[0] };

	foreach (1 .. int(rand(3)))
	{
		my $dice = rand();
		my $at = int(rand(@list + 1));
		my $id = one_of('p' .. 'w');

		if ($dice < 0.4) { splice(@list, $at, 0, [ $id, int(rand(2)) + 1 ]) if !grep { $_->[0] eq $id } @list; }
		elsif ($at == @list) { next; }
		elsif ($dice < 0.6) { splice(@list, $at, 1); }
		elsif ($dice < 0.85) { $list[$at][1] = int(rand(3)) + 5; }
		else { push @list, splice(@list, $at, 1); }
	}
	return \@list;
}

sub document_of
{
	my ($list, $slim) = @_;

	return $json->encode({ part => [ map { { id => $_->[0], v => $_->[1] } } @$list ], %$slim });
}

# changed(SLIM): a key set, changed or removed
sub changed
{
	my %slim = %{ $_[0] };
	my $key = one_of('a' .. 'e');

	return \%slim if rand() < 0.5;
	if (rand() < 0.3) { delete $slim{$key}; }
	else { $slim{$key} = int(rand(3)) + 1; }
	return \%slim;
}

my @merges;
foreach my $round (1 .. $rounds)
{
	my @ids = shuffle('a' .. 'h');
	my $old = [ map { [ $_, 1 ] } @ids[ 0 .. int(rand(8)) ] ];
	my @slims = ({ map { $_ => 1 } grep { rand() < 0.6 } 'a' .. 'e' });
	my @lists = ($old, edited($old), edited($old));
	my $expected;
	my %slim;

	push @slims, changed($slims[0]), changed($slims[0]);
	# one part, always there: an empty one is not split, but stays where it is
	$expected = merged(@lists);
	foreach my $key ('a' .. 'e')
	{
		my $value = decide(map { $_->{$key} } @slims);

		next if !defined $value;
		if ($value eq '!') { push @{ $expected->{keys} }, $key; }
		else { $slim{$key} = $value; }
	}
	my @conflicts = (
		(map { { key => $_ } } @{ $expected->{keys} // [] }),
		(map { { type => 'x', item_id => $_ } } @{ $expected->{conflicts} // [] }));
	push @merges, {
		documents => [ map { document_of($lists[$_], $slims[$_]) } 0 .. 2 ],
		expected => @conflicts
		? join(' ', sort map { $json->encode($_) } @conflicts)
		: document_of($expected->{list}, \%slim) };
}
my @results = split /\n/, $node->safe_psql('postgres', join(";\n", map {
	"SELECT dbvc.document_merge(" . join(', ', map { "'$_'" } @{ $merges[$_]{documents} }) . q{, '{"part": "x"}')::text}
} 0 .. $#merges));
my (@wrong, $conflicts);
foreach my $i (0 .. $#merges)
{
	my $result = $json->decode($results[$i]);
	my @found = @{ $result->{conflicts} };
	my $got;

	# beside others, whether the order is one too does not matter
	@found = grep { exists $_->{key} || defined $_->{item_id} } @found if grep { defined $_->{item_id} } @found;
	$conflicts++ if @found;
	$got = @found ? join(' ', sort map { $json->encode($_) } @found) : $json->encode($result->{document});
	# numbers and strings are one to Perl
	push @wrong, "$got instead of $merges[$i]{expected}: @{ $merges[$i]{documents} }"
	  if $got =~ s/"(\d+)"/$1/gr ne $merges[$i]{expected} =~ s/"(\d+)"/$1/gr;
}
is(scalar(@wrong), 0, "$rounds merges are what the rules say") or diag(join("\n", @wrong[ 0 .. (@wrong > 5 ? 4 : $#wrong) ]));
ok($conflicts > $rounds / 50 && $conflicts < $rounds * 0.8, "some of them are conflicts: $conflicts");

# ---- what has few bytes and many digits, what takes long ----

SKIP:
{
	skip 'no /proc here', 1 if !-r '/proc/self/status';
	# peak(ID): MB that a backend of its own takes for three thousand elements with it
	my $peak = sub {
		my ($id) = @_;

		return $1 / 1024 if $node->safe_psql('postgres', qq{
			SELECT count(*) FROM (SELECT jsonb_build_object('a', jsonb_agg('{"id": $id}'::jsonb)) AS d FROM generate_series(1, 3000)) x,
				dbvc.document_items(d, '{"a": "x"}');
			SELECT pg_read_file('/proc/self/status')}) =~ /VmHWM:\s+(\d+) kB/;
	};
	my ($short, $long) = ($peak->('1'), $peak->('1e131071'));

	cmp_ok($long, '<', $short + 50, "ids of 131072 digits take no memory ($short MB, $long MB)");
}
my $types = q{(SELECT array_agg('t' || (1 + i % 20000)) FROM generate_series(1, 200000) i)};
my $start = time;
my ($rc, $out, $err) = $node->psql('postgres', qq{
	SET statement_timeout = '2s';
	SELECT dbvc.document_combine('{}', (SELECT jsonb_object_agg('k' || i, 't' || i) FROM generate_series(1, 20000) i), $types,
		array_fill('1'::jsonb, ARRAY[200000]));});
like($err, qr/statement timeout/, 'many types in many parts: can be cancelled');
cmp_ok(time - $start, '<', 30, '... at once');

done_testing();
