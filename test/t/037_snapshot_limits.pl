# Large and deep schemas, and a schema that others change meanwhile: what is captured is one state of it, or nothing.
#
# DBVC_TEST_SCALE=10: 10,000 partitions, and ten times as long under DDL.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Snapshots;
use PostgreSQL::Test::Utils;
use Test::More;

my $scale = $ENV{DBVC_TEST_SCALE} // 1;
my $node = dbvc_node('limits', SNAPSHOT_CONF, 'max_locks_per_transaction = 1024');
my $db = new_database($node, 'limits');
my $is = sub { my ($sql, $expected, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; is($node->safe_psql($db, $sql), $expected, $name); };
my $diff = q{SELECT change, object_type, identity, attribute, before, after FROM dbvc.snapshot_diff((SELECT id FROM dbvc.snapshot ORDER BY captured_at DESC LIMIT 1))};
my $equal = q{SELECT dbvc.snapshot_fingerprint() = dbvc.snapshot_fingerprint("full" => true)};

# changed(NAME, STATEMENT, EXPECTED): the diff, and the same fingerprint when all is read anew; then a snapshot
sub changed
{
	my ($name, $statement, $expected) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->safe_psql($db, $statement);
	$is->($diff, $expected, $name);
	$is->($equal, 't', '... and anew, the same');
	$node->safe_psql($db, 'SELECT FROM dbvc.snapshot_capture()');
}

# ---- large ----

my $partitions = int(1000 * $scale);
my $name = '"' . 'ü' x 30 . 'x.""' . '"'; # of 63 bytes

$node->safe_psql($db, 'CREATE TABLE wide (' . join(', ', map { "c$_ int" } 1 .. 1600) . ')');
$node->safe_psql($db, "CREATE TABLE parted (id int, v int) PARTITION BY LIST (id); CREATE INDEX ON parted (v); DO \$\$ BEGIN FOR i IN 1..$partitions LOOP EXECUTE format('CREATE TABLE part_%s PARTITION OF parted FOR VALUES IN (%s)', i, i); END LOOP; END \$\$");
$node->safe_psql($db, 'CREATE TABLE deep_0 (a int CHECK (a > 0))');
$node->safe_psql($db, join(';', map { "CREATE TABLE deep_$_ (c$_ int) INHERITS (deep_" . ($_ - 1) . ')' } 1 .. 50));
$node->safe_psql($db, 'CREATE VIEW view_0 AS SELECT a FROM deep_0');
$node->safe_psql($db, join(';', map { "CREATE VIEW view_$_ AS SELECT * FROM view_" . ($_ - 1) . ' WHERE a IS NOT NULL' } 1 .. 50));
$node->safe_psql($db, 'CREATE FUNCTION arguments(' . join(', ', map { "argument_$_ int" . ($_ > 90 ? " DEFAULT $_" : '') } 1 .. 100) . ') RETURNS int LANGUAGE sql RETURN argument_100');
$node->safe_psql($db, q{CREATE TYPE labels AS ENUM (} . join(', ', map { "'label $_'" } 1 .. 2000) . ')');
$node->safe_psql($db, qq{DO \$\$ BEGIN EXECUTE format('CREATE FUNCTION long_body() RETURNS text LANGUAGE sql AS %L', 'SELECT ''' || repeat('0123456789abcdef', 65536) || ''''); EXECUTE format('COMMENT ON TABLE wide IS %L', repeat('ü', 1000000)); END \$\$});
$node->safe_psql($db, q{CREATE TABLE shared (a int); DO $$ BEGIN FOR i IN 1..200 LOOP EXECUTE format('CREATE ROLE regress_dbvc_%s', i); EXECUTE format('GRANT SELECT (a), INSERT ON shared TO regress_dbvc_%s', i); END LOOP; END $$});
$node->safe_psql($db, q{CREATE TABLE checks (a int); DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('ALTER TABLE checks ADD CHECK (a > %s)', i); END LOOP; END $$});
$node->safe_psql($db, "CREATE SCHEMA $name; CREATE TABLE $name.$name ($name int CONSTRAINT $name CHECK ($name > 0)); CREATE VIEW $name.v AS SELECT * FROM $name.$name");
# expressions nested deeper than the stack of a careless walker; and longer than one page
$node->safe_psql($db, 'CREATE VIEW long_list AS SELECT 1 AS x WHERE 1 IN (' . join(', ', 1 .. 5000) . ') AND (' . join(' OR ', map { "'x' = 'y$_'" } 1 .. 500) . ')');
$node->safe_psql($db, 'CREATE VIEW nested AS SELECT ' . ('(1 + ' x 400) . '0' . (')' x 400) . ' AS x, ' . ('CASE WHEN random() > 0.5 THEN 1 ELSE ' x 100) . '0' . (' END' x 100) . ' AS y');
$node->safe_psql($db, 'SELECT FROM dbvc.snapshot_capture()');
$is->(q{SELECT count(*) FROM dbvc.snapshot_objects() WHERE identity ~ 'part_\d+$' AND object_type = 'table'}, $partitions, "$partitions partitions");
$is->($equal, 't', 'all of it, read anew, is the same');
$is->(q{SELECT o.identity FROM dbvc.snapshot_objects() o JOIN pg_class c ON o.object_type = 'table' AND o.identity = c.oid::regclass::text, dbvc.definition_of('pg_class'::regclass, c.oid) d WHERE d.hash <> o.hash}, '', 'one by one, the same');
changed('a column of 1600', 'ALTER TABLE wide ALTER c800 TYPE bigint', 'altered|table column|public.wide.c800|type|"integer"|"bigint"');
changed('a partition of many', 'ALTER TABLE part_7 SET (fillfactor = 50)', 'altered|table|public.part_7|options.fillfactor||"50"');
changed('a label of many', q{ALTER TYPE labels RENAME VALUE 'label 77' TO 'label 77'' 78'}, $node->safe_psql($db, q{SELECT format('altered|type|public.labels|labels|%s|%s', jsonb_agg('label ' || i), jsonb_agg(CASE i WHEN 77 THEN 'label 77'' 78' ELSE 'label ' || i END)) FROM generate_series(1, 2000) i}));
changed('a column at the bottom of 50 views and 50 tables', 'ALTER TABLE deep_0 RENAME a TO b', join("\n", map { "renamed|table column|public.deep_$_.b||\"public.deep_$_.a\"|\"public.deep_$_.b\"" } sort (0 .. 50)));
changed('the view at the bottom of 50', 'CREATE OR REPLACE VIEW view_0 AS SELECT b AS a FROM deep_0 WHERE b > 5', changed_view());
changed('the longest names', "ALTER TABLE $name.$name ADD other int", "created|table column|$name.$name.other|||{\"type\": \"integer\"}");
$node->safe_psql($db, 'ALTER TABLE parted DROP v');
$is->($equal, 't', 'a column of every partition is dropped, and read anew it is the same');
$is->(q{SELECT count(DISTINCT identity) FROM dbvc.snapshot_diff((SELECT id FROM dbvc.snapshot ORDER BY captured_at DESC LIMIT 1)) WHERE object_type = 'table column' AND change = 'dropped'}, $partitions + 1, '... and each is named');
like(error_of($node, { db => $db }, q{SET statement_timeout = '5ms'}, 'SELECT dbvc.snapshot_fingerprint("full" => true)'), qr/57014/, 'a fingerprint can be cancelled');
like(error_of($node, { db => $db }, q{SET max_stack_depth = '100kB'}, 'SELECT dbvc.snapshot_fingerprint("full" => true)'), qr/^$|54001/, 'a stack that is too small is an error, not a crash');
$is->(q{SELECT count(*) FROM pg_locks WHERE relation >= 16384}, 0, 'no lock is left');

# what the definition of view_0 is before and after, as this major writes it
sub changed_view
{
	return $node->safe_psql($db, q{CREATE VIEW pg_temp.x AS SELECT b AS a FROM public.deep_0; CREATE VIEW pg_temp.y AS SELECT b AS a FROM public.deep_0 WHERE b > 5; SET search_path = pg_catalog;
		SELECT format('altered|view|public.view_0|query|%s|%s', to_jsonb(rtrim(btrim(pg_get_viewdef('pg_temp.x'::regclass)), ';')), to_jsonb(rtrim(btrim(pg_get_viewdef('pg_temp.y'::regclass)), ';')))});
}

# ---- changed meanwhile ----

my $busy = new_database($node, 'busy');
my $for = 4 * $scale;

$node->safe_psql($busy, q{CREATE TABLE a (x int, n int); CREATE TABLE b (x int, n int); CREATE VIEW v AS SELECT a.x, b.x AS y FROM a, b; CREATE INDEX a_x ON a (x) WHERE x > 0;
	ALTER TABLE a ADD CONSTRAINT c CHECK (x > 1); CREATE TABLE stop (stop boolean)});
$node->safe_psql($busy, q{DO $$ BEGIN FOR i IN 1..200 LOOP EXECUTE format('CREATE TABLE t_%s (id int PRIMARY KEY, t text DEFAULT ''x'' CHECK (t IN (''x'', ''y'')))', i); END LOOP; END $$});
# both tables at once; a pair of tables that come and go together; comments without end
my @jobs = map { job($node, 'busy', { db => $busy, keep_going => 1 }, $_) } (
	q{DO $$ DECLARE f text := 'x'; t text := 'y'; s text; BEGIN WHILE NOT EXISTS (SELECT FROM stop) LOOP
		EXECUTE format('ALTER TABLE a RENAME %1$s TO %2$s; ALTER TABLE b RENAME %1$s TO %2$s', f, t); COMMIT; s := f; f := t; t := s; PERFORM pg_sleep(random() * 0.6); END LOOP; END $$},
	q{DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM stop) LOOP CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE q (id int REFERENCES p); COMMENT ON TABLE p IS 'p'; COMMIT; PERFORM pg_sleep(random() * 0.5); DROP TABLE p, q; COMMIT; PERFORM pg_sleep(random() * 0.5); END LOOP; END $$});
my ($whole, $given_up, %states, @halves) = (0, 0);
my $until = time + $for;

while (time < $until)
{
	# a full one, one from what is known, one that is kept
	foreach my $capture ('SELECT FROM dbvc.snapshot_fingerprint("full" => true)', 'SELECT FROM dbvc.snapshot_fingerprint()')
	{
		my $error = error_of($node, { db => $busy }, $capture);

		next if $error eq '';
		push @halves, $error unless $error =~ /40001/;
		$given_up++;
	}
	my $kept = run_sql($node, { db => $busy }, 'SELECT FROM dbvc.snapshot_capture()');
	if (!$kept->{ok})
	{
		push @halves, $kept->{err} unless $kept->{err} =~ /40001/;
		$given_up++;
		next;
	}
	$whole++;
	my $state = $node->safe_psql($busy, q{
		SELECT string_agg(DISTINCT c->>'name', ',') FROM dbvc.snapshot_objects() o JOIN dbvc.definition d USING (hash), jsonb_array_elements(d.body::jsonb->'columns') c WHERE o.identity IN ('public.a', 'public.b') AND c->>'name' <> 'n';
		SELECT regexp_replace(d.body::jsonb->>'query', '\s+', ' ', 'g') FROM dbvc.snapshot_objects() o JOIN dbvc.definition d USING (hash) WHERE o.identity = 'public.v';
		SELECT d.body::jsonb->>'predicate' FROM dbvc.snapshot_objects() o JOIN dbvc.definition d USING (hash) WHERE o.identity = 'public.a_x';
		SELECT d.body::jsonb->>'expression' FROM dbvc.snapshot_objects() o JOIN dbvc.definition d USING (hash) WHERE o.identity = 'c on public.a';
		SELECT count(*) FROM dbvc.snapshot_objects() WHERE identity ~ '(^| on )public\.[pq]$'});
	my ($column, $query, $predicate, $check, $pair) = split(/\n/, $state);

	$states{$column}++;
	push @halves, $state unless $query =~ /^SELECT a\.$column( AS x)?, b\.$column( AS y)? FROM public\.a, public\.b$/ && $predicate eq "($column > 0)" && $check eq "($column > 1)" && ($pair == 0 || $pair == 4);
}
$node->safe_psql($busy, 'INSERT INTO stop VALUES (true)');
finish($_) foreach @jobs;

# what changes no definition does not keep a capture from coming to an end
$node->safe_psql($busy, 'DELETE FROM stop; CREATE TABLE queue (a int); CREATE MATERIALIZED VIEW m AS SELECT 1 AS one');
push @jobs, map { job($node, 'quiet', { db => $busy, keep_going => 1 }, "DO \$\$ BEGIN WHILE NOT EXISTS (SELECT FROM stop) LOOP $_; COMMIT; END LOOP; END \$\$") } (
	'TRUNCATE queue', 'CREATE TEMP TABLE x (id int PRIMARY KEY, t text); COMMIT; DROP TABLE x', q{REFRESH MATERIALIZED VIEW m; ALTER ROLE CURRENT_USER PASSWORD 'x'});
my @given_up;
foreach my $n (1 .. 3)
{
	push @given_up, error_of($node, { db => $busy }, 'SELECT FROM dbvc.snapshot_fingerprint("full" => true)'), error_of($node, { db => $busy }, 'COMMENT ON TABLE queue IS \'' . $n . '\'', 'SELECT FROM dbvc.snapshot_capture()');
}
$node->safe_psql($busy, 'INSERT INTO stop VALUES (true)');
finish($_) foreach @jobs[2 .. $#jobs];
is(join('', @given_up), '', 'TRUNCATE, REFRESH and temporary tables of others do not keep a capture from coming to an end');
is(join("\n", @halves), '', 'while it is changed, what is captured is one state of the schema, or 40001');
is(join('', map { $_->{err} } @jobs), '', '... and the others have not suffered');
cmp_ok($whole, '>', 0, "... $whole snapshots, $given_up times given up");
is($node->safe_psql($busy, $equal), 't', 'in the end, all read anew, it is the same');

$node->stop;
done_testing();
