# Documents at random through the face of an adopted table. Whatever is written is read back byte for byte, in whatever
# order; the rows behind it are those that the pure functions make; an edit writes the rows of items that it must and
# no other, and the document's row once, or not at all when the bytes are the same.
#
# DBVC_FUZZ_DOCUMENTS is the number of documents (default 1500; to prove 100000, which take some minutes), DBVC_FUZZ_SEED
# the seed.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use RandomDocuments;
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{DBVC_FUZZ_SEED} // 20251128;
my $documents = $ENV{DBVC_FUZZ_DOCUMENTS} // 1500;
my $batch = $documents < 5000 ? $documents : 5000;
note("seed $seed, $documents documents");

my $node = dbvc_node('face', 'autovacuum = off', 'fsync = off', 'max_parallel_workers_per_gather = 0', 'jit = off', 'work_mem = 64MB',
	'max_wal_size = 4GB', 'checkpoint_timeout = 1h', 'shared_buffers = 256MB');

my $settings = 'SET search_path = fuzz; SET client_min_messages = error; ';

sub run_fuzz { return $node->safe_psql('postgres', $settings . $_[0]); }

random_documents_setup($node, $seed);

# tables whose keys compare, and are found in the index, in different ways; k(i) makes a key of a number
my @kinds = (
	{ name => 'number', columns => 'id bigint', key => 'id', make => 'i AS id', join => 'f.id = w.i', of => 'id = w.i' },
	{ name => 'text', columns => 'id text', key => 'id', make => 'md5(i::text) AS id', join => 'f.id = md5(w.i::text)', of => 'id = md5(w.i::text)' },
	{ name => 'pair', columns => 'a int, b text COLLATE "C"', key => 'a, b', make => "i / 7 AS a, repeat('k', i % 7) AS b",
		join => "f.a = w.i / 7 AND f.b = repeat('k', w.i % 7)", of => "a = w.i / 7 AND b = repeat('k', w.i % 7)" },
	{ name => 'soft', columns => 'id bigint', key => 'id', make => 'i AS id', join => 'f.id = w.i', of => 'id = w.i', options => '{"soft_delete": true}' });

run_fuzz(q{
	CREATE TABLE want (i int PRIMARY KEY, d jsonb, changed bool);
	-- one edit of the kind that applications make
	CREATE FUNCTION edited(d jsonb, other jsonb, keys text[], e jsonb, op int, at int) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
		SELECT CASE
			WHEN op = 0 THEN d
			WHEN op = 1 THEN other
			WHEN op = 2 AND jsonb_typeof(d) = 'object' THEN d || jsonb_build_object('edited', e)
			WHEN l IS NULL THEN CASE WHEN jsonb_typeof(d) = 'object' AND d ? 'profile' AND jsonb_typeof(d -> 'profile') = 'object' OR cardinality(keys) = 1 AND jsonb_typeof(d) = 'object'
				THEN jsonb_set(d, keys, jsonb_build_array(e, e)) ELSE d END
			WHEN op = 3 THEN jsonb_set(d, keys, l || jsonb_build_array(e))
			WHEN op = 4 THEN jsonb_set(d, keys, jsonb_build_array(e) || l)
			WHEN op = 5 THEN d #- (keys || ARRAY[(at % n)::text])
			WHEN op = 6 THEN jsonb_set(d, keys || ARRAY[(at % n)::text], e)
			WHEN op = 7 THEN jsonb_set(d, keys, (l - 0) || jsonb_build_array(l -> 0))
			WHEN op = 8 THEN d #- keys
			WHEN op = 9 THEN jsonb_set(d, keys, '[]')
			WHEN op = 10 AND jsonb_typeof(l -> (at % n)) = 'object' THEN jsonb_set(d, keys || ARRAY[(at % n)::text, 'v'], '7', true)
			WHEN op = 11 THEN jsonb_set(d, keys, l || l)
			WHEN op = 12 THEN NULL
			ELSE jsonb_insert(d, keys || ARRAY[(at % n)::text], e) END
		FROM (SELECT array_at(d, keys) AS l, jsonb_array_length(array_at(d, keys)) AS n) x
	$$;
});
foreach my $kind (@kinds)
{
	my $options = $kind->{options} // '{}';

	run_fuzz(qq{
		CREATE TABLE f_$kind->{name} (name text DEFAULT 'x', $kind->{columns}, data jsonb, PRIMARY KEY ($kind->{key}));
		SELECT FROM dbvc.document_adopt('f_$kind->{name}', parts => parts(), options => '$options');});
}

# bad(NAME, SQL): how many documents are wrong, by a query for them
my (%bad, %seconds);

sub bad
{
	my ($name, $sql) = @_;
	my $start = time;

	$bad{$name} += run_fuzz("SELECT count(*) FROM ($sql) bad");
	$seconds{$name} += time - $start;
}

my $wrong = '(f.data IS NULL) <> (w.d IS NULL) OR NOT dbvc.document_same_bytes(f.data, w.d)';

sub read_back
{
	my ($kind, $what) = @_;
	my $face = "f_$kind->{name}";

	bad("$what: read back, the bytes are the same",
		"SELECT FROM $face f FULL JOIN want w ON $kind->{join} WHERE f.name IS NULL OR w.i IS NULL OR $wrong");
	foreach my $order ([ 'in order', 'i' ], [ 'backwards', 'i DESC' ], [ 'in no order', 'md5(i::text)' ], [ 'with gaps', 'i % 3, i' ])
	{
		bad("$what: read by key, $order->[0]", qq{
			SELECT FROM (SELECT * FROM want ORDER BY $order->[1] OFFSET 0) w LEFT JOIN LATERAL (SELECT name, data FROM $face WHERE $kind->{of} OFFSET 0) f ON true
			WHERE f.name IS NULL OR $wrong});
	}
}

# the rows of items and the slim documents are what the pure functions make of the documents
sub rows_are_right
{
	my ($kind, $what) = @_;
	my $table = "f_$kind->{name}";

	bad("$what: rows of items are those of the documents", qq{
		WITH should AS (SELECT $kind->{make}, type, data, n FROM want w, dbvc.document_items(d, parts()) WITH ORDINALITY x (type, item_id, ord, data, n)),
			should_list AS (SELECT $kind->{key}, type, array_agg(data ORDER BY n) AS data FROM should GROUP BY $kind->{key}, type),
			list AS (SELECT $kind->{key}, type, array_agg(i.data ORDER BY i.ord) AS data, count(DISTINCT i.ord) AS places FROM ${table}_items i
				JOIN ${table}_base b USING ($kind->{key}) WHERE i.deleted_at IS NULL GROUP BY $kind->{key}, type)
		SELECT FROM list l FULL JOIN (SELECT s.* FROM should_list s JOIN ${table}_base b USING ($kind->{key}) WHERE b.doc_version > 0) s USING ($kind->{key}, type)
		WHERE (l.data IS NULL) <> (s.data IS NULL) OR places <> cardinality(l.data)
			OR NOT dbvc.document_same_bytes(to_jsonb(l.data), to_jsonb(s.data))});
	bad("$what: slim documents are those of the documents", qq{
		SELECT FROM ${table}_base f JOIN want w ON $kind->{join}
		WHERE NOT dbvc.document_same_bytes(f.data, CASE WHEN doc_version = 0 THEN d ELSE dbvc.document_slim(d, parts()) END)});
	bad("$what: own ids are the ids", qq{
		SELECT FROM ${table}_items WHERE deleted_at IS NULL AND item_id !~ '^~' AND item_id IS DISTINCT FROM own_id(data)});
}

# what was there, to compare with
sub remember
{
	my ($kind) = @_;
	my $table = "f_$kind->{name}";

	run_fuzz(qq{
		DROP TABLE IF EXISTS seen_item, seen_base, seen_list;
		CREATE UNLOGGED TABLE seen_item AS SELECT *, xmin AS x, ctid AS c FROM ${table}_items;
		CREATE UNLOGGED TABLE seen_base AS SELECT *, ctid AS c FROM ${table}_base;
		CREATE UNLOGGED TABLE seen_list AS SELECT $kind->{key}, type, array_agg(item_id ORDER BY ord) AS ids, array_agg(ord ORDER BY ord) AS ords, array_agg(data ORDER BY ord) AS data
			FROM seen_item WHERE deleted_at IS NULL GROUP BY $kind->{key}, type;
		ANALYZE seen_item, seen_base, seen_list, want;});
}

sub no_more_was_written
{
	my ($kind, $what) = @_;
	my $table = "f_$kind->{name}";

	bad("$what: as many items are written as must be", qq{
		WITH done AS (SELECT $kind->{key}, type, count(*) AS n FROM ${table}_items i FULL JOIN seen_item s USING ($kind->{key}, type, item_id)
				WHERE (i.ctid, i.xmin::text) IS DISTINCT FROM (s.c, s.x::text) GROUP BY $kind->{key}, type),
			due AS (SELECT k.*, p.type, (SELECT count(*) FROM dbvc.document_diff(COALESCE(l.ids, '{}'), COALESCE(l.ords, '{}'), COALESCE(l.data, '{}'),
					CASE WHEN k.changed THEN COALESCE(array_at(k.d, p.keys), '[]') ELSE to_jsonb(COALESCE(l.data, '{}')) END)) AS n
				FROM (SELECT $kind->{make}, d, changed FROM want) k CROSS JOIN path p LEFT JOIN seen_list l USING ($kind->{key}, type))
		SELECT FROM due LEFT JOIN done USING ($kind->{key}, type) WHERE due.n <> COALESCE(done.n, 0)});
	bad("$what: a document is written once, or not at all if it is the same", qq{
		SELECT FROM want w JOIN ${table}_base f ON $kind->{join} JOIN seen_base s USING ($kind->{key})
		WHERE f.doc_version - s.doc_version <> w.changed::int OR (f.ctid <> s.c) <> w.changed});
}

# edit(SHARE): new documents into want
sub edit
{
	my ($ops) = @_;

	run_fuzz(qq{
		CREATE TEMP TABLE edit AS SELECT w.i, edited(w.d, c.other, p.keys, e.v, op, at) AS d, w.d AS before
		FROM (SELECT doc.*, dice(1, 4) AS pn, dice(1, (SELECT max(n) FROM element)) AS en, (ARRAY[$ops])[dice(1, cardinality(ARRAY[$ops]))] AS op, dice(0, 100) AS at FROM doc OFFSET 0) c
		JOIN want w USING (i) JOIN (SELECT row_number() OVER (ORDER BY type) AS pn, keys FROM path) p USING (pn) JOIN element e ON e.n = c.en;
		UPDATE want SET d = edit.d, changed = (edit.d IS NULL) <> (before IS NULL) OR COALESCE(NOT dbvc.document_same_bytes(edit.d, before), false) FROM edit WHERE edit.i = want.i;});
}

my $all = '0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 10, 10, 11, 12, 13';
my $started = time;

for (my ($done, $round) = (0, 0); $done < $documents; $done += $batch, $round++)
{
	# the first kind has most of the documents
	my $kind = $kinds[ $documents <= $batch ? 0 : $round % 4 ? 0 : $round / 4 % @kinds ];
	my @these = $documents <= $batch ? @kinds : ($kind);
	my $many = $documents <= $batch ? int($batch / @kinds) : $batch;

	foreach my $one (@these)
	{
		my $table = "f_$one->{name}";
		my $what = $one->{name};
		my $start = time;

		run_fuzz('TRUNCATE doc, want; SELECT setseed(' . (($seed + $done) % 1999) / 2000 . "); SELECT fill($many);
			INSERT INTO want SELECT i, CASE WHEN i % 50 > 0 THEN d END, true FROM doc; ANALYZE want");
		$seconds{'(making them)'} += time - $start;
		$start = time;
		# some by COPY, some as rows that have never been split
		run_fuzz(qq{
			INSERT INTO $table SELECT 'x', $one->{make}, d FROM want WHERE i % 3 = 0;
			INSERT INTO ${table}_base (name, $one->{key}, data) SELECT 'x', $one->{make}, d FROM want WHERE i % 3 = 1;});
		run_fuzz("COPY (SELECT 'x', $one->{make}, d FROM want WHERE i % 3 = 2) TO '" . $node->data_dir . "/face.data'; COPY $table FROM '" . $node->data_dir . "/face.data';");
		run_fuzz("ANALYZE $table\_base, $table\_items");
		$seconds{'(inserting them)'} += time - $start;
		read_back($one, "$what, inserted");
		rows_are_right($one, "$what, inserted");

		# set by set
		remember($one);
		edit($all);
		$start = time;
		run_fuzz("UPDATE $table f SET data = w.d FROM want w WHERE $one->{join}");
		$seconds{'(updating them)'} += time - $start;
		read_back($one, "$what, updated at once");
		rows_are_right($one, "$what, updated at once");
		no_more_was_written($one, "$what, updated at once");

		# row by row, as applications do, by the key
		remember($one);
		edit($all);
		$start = time;
		run_fuzz(qq{
			DO \$\$ DECLARE w record; BEGIN FOR w IN SELECT * FROM want ORDER BY md5(i::text) LOOP UPDATE $table SET data = w.d WHERE $one->{of}; END LOOP; END \$\$;});
		$seconds{'(updating them)'} += time - $start;
		read_back($one, "$what, updated one by one");
		rows_are_right($one, "$what, updated one by one");
		no_more_was_written($one, "$what, updated one by one");

		# what is taken back, and what is the same
		remember($one);
		run_fuzz('UPDATE want SET changed = false');
		run_fuzz("BEGIN; UPDATE $table SET data = NULL; UPDATE $table f SET data = w.d FROM want w WHERE $one->{join}; DELETE FROM $table; ROLLBACK;");
		run_fuzz("UPDATE $table SET data = data, name = name");
		run_fuzz("UPDATE $table f SET data = w.d FROM want w WHERE $one->{join}");
		no_more_was_written($one, "$what, rolled back and rewritten");
		read_back($one, "$what, rolled back and rewritten");

		run_fuzz("DELETE FROM $table");
		bad("$what, deleted: no item is left", "SELECT FROM ${table}_items");
	}
}
note(sprintf('%d documents in %.1f s', $documents, time - $started));
foreach my $name (sort keys %seconds)
{
	note(sprintf('%6.1f s %s', $seconds{$name}, $name));
	is($bad{$name}, 0, $name) if defined $bad{$name};
}

done_testing();
