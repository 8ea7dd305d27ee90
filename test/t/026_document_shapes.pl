# Adopted tables of all shapes, and statements of all kinds: keys of many types, partitions, generated columns, large
# documents, cancelled and prepared transactions, cursors, parallel plans, a pooler. The twin, a table made alike but not
# adopted, says what is right.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use Documents;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('shapes', 'autovacuum = off', 'shared_buffers = 128MB');

documents_setup($node);
$node->safe_psql('postgres', 'CREATE ROLE regress_dbvc_user');

# both(NAME, SQL...): each on face and twin, undone; the outcomes are the same
sub both
{
	my ($name, @sql) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return twins_agree($node, $name, 'postgres', @sql);
}

# really(NAME, SQL...): each on face and twin, to stay
sub really
{
	my ($name, @sql) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $table ($name, "${name}_twin")
	{
		my $job = run_sql($node, map { s/%t/$table/gr } @sql);

		ok($job->{ok}, "$table: written") or diag($job->{err});
	}
	twins_equal($node, $name, "$name: written");
}

# ---- keys ----

my $icu = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_collation WHERE collprovider = 'i'}) > 0;
my $citext = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'}) eq '1';
diag('NOT TESTED: nondeterministic collations, for want of ICU') unless $icu;
diag('NOT TESTED: keys of type citext, for want of that extension') unless $citext;
$node->safe_psql('postgres', q{CREATE COLLATION insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE COLLATION numeric_order (provider = icu, locale = 'en-u-kn-true')}) if $icu;
$node->safe_psql('postgres', 'CREATE EXTENSION citext') if $citext;
$node->safe_psql('postgres', q{CREATE DOMAIN code AS text CHECK (VALUE <> ''); CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')});

# columns of the key => their definition, their values for the document i, the key of another document, and a WHERE that finds document 7
my %keys = (
	smallint => ['id smallint', 'i::smallint', '(i + 1000)::smallint', 'id = 7'],
	uuid => ['id uuid', q{md5(i::text)::uuid}, q{md5((-i)::text)::uuid}, q{id = md5('7')::uuid}],
	text => ['id text', q{'k' || i}, q{'other' || i}, q{id = 'k7'}],
	text_c => ['id text COLLATE "C"', q{chr(64 + i % 30) || i}, q{'~' || i}, q{id = 'G7'}],
	varchar => ['id varchar(10)', q{'k ' || i}, q{'o' || i}, q{id = 'k 7'}],
	char => ['id char(8)', q{'k' || i}, q{'o' || i}, q{id = 'k7'}],
	name => ['id name', q{('k' || i)::name}, q{('o' || i)::name}, q{id = 'k7'}],
	bytea => ['id bytea', q{decode(md5(i::text), 'hex')}, q{decode(md5((-i)::text), 'hex')}, q{id = decode(md5('7'), 'hex')}],
	numeric => ['id numeric', q{i + 0.5}, q{-i}, q{id = 7.50}],
	float => ['id float8', q{i / 3.0}, q{-i / 3.0}, q{id > 2.3 AND id < 2.4}],
	timestamptz => ['id timestamptz', q{'2026-01-01'::timestamptz + i * interval '1 day'}, q{'2016-01-01'::timestamptz + i * interval '1 day'}, q{id = '2026-01-08'}],
	date => ['id date', q{'2026-01-01'::date + i}, q{'2016-01-01'::date + i}, q{id = '2026-01-08'}],
	inet => ['id inet', q{'10.0.0.0'::inet + i}, q{'11.0.0.0'::inet + i}, q{id = '10.0.0.7'}],
	enum => ['id int, m mood', q{i, (enum_range(NULL::mood))[1 + i % 3]}, q{i, (enum_range(NULL::mood))[1 + (i + 1) % 3]}, q{id = 7 AND m = 'ok'}, 'id, m'],
	domain => ['id code', q{'k' || i}, q{'o' || i}, q{id = 'k7'}],
	array => ['id int[]', q{ARRAY[i, 0]}, q{ARRAY[-i, NULL]}, q{id = '{7, 0}'}],
	composite => ['tenant text, id bigint', q{'t' || i % 3, i}, q{'u' || i % 3, i}, q{tenant = 't1' AND id = 7}, 'tenant, id'],
	four => ['d int, c text, b uuid, a bigint', q{i % 2, 'c' || i % 3, md5(i::text)::uuid, i}, q{i % 2, 'x' || i % 3, md5(i::text)::uuid, -i}, q{a = 7}, 'a, b, c, d'],
	clash => ['type text, item_id int, data_id int', q{'type' || i % 2, i, i}, q{'other' || i % 2, i, i}, q{item_id = 7}, 'type, item_id'],
	$icu ? (collated => ['id text COLLATE insensitive', q{'Key' || i}, q{'Other' || i}, q{id = 'KEY7'}],
		numeric_order => ['id text COLLATE numeric_order', q{'k' || i}, q{'o' || i}, q{id = 'k7'}]) : (),
	$citext ? (citext => ['id citext', q{'Key' || i}, q{'Other' || i}, q{id = 'KEY7'}]) : ());

foreach my $type (sort keys %keys)
{
	my ($columns, $values, $others, $find, $key) = @{ $keys{$type} };
	my $name = "key_$type";
	my ($of) = $columns =~ /^(\w+) /;

	$key //= 'id';
	twins($node, $name, qq{CREATE TABLE %t ($columns, name text, data jsonb, PRIMARY KEY ($key));
		INSERT INTO %t SELECT $values, 'n', make_document(i, i % 4) FROM generate_series(1, 12) i});
	really($name, q{UPDATE %t SET data = data || '{"split": true}' WHERE (data->>'n')::int % 3 <> 0}, qq{INSERT INTO %t SELECT $values, 'new', make_document(i, 3) FROM generate_series(13, 20) i},
		qq{UPDATE %t SET data = jsonb_set(data, '{dreamBook,0}', '{"id": "new"}') WHERE $find}, qq{DELETE FROM %t WHERE (data->>'n')::int = 8}, qq{UPDATE %t SET name = 'x' WHERE (data->>'n')::int = 9});
	my @outcomes = both($name, "SELECT * FROM %t WHERE $find", "SELECT name, data FROM %t WHERE $find FOR UPDATE", "SELECT * FROM %t ORDER BY $key LIMIT 3", "DELETE FROM %t WHERE $find RETURNING *",
		qq{INSERT INTO %t SELECT $values, 'again', '{}' FROM generate_series(7, 7) i}, qq{SELECT t.data FROM %t t JOIN %t o USING ($of) ORDER BY 1});
	is($outcomes[4], '23505', '... once only');
	unlike($outcomes[0], qr/no rows|^\w{5}$/, '... found');
	# a changed key takes the items along
	foreach my $table ($name, "${name}_twin")
	{
		my $names = join(', ', map { /^(\w+)/ } split(/, /, $columns));

		is(error_of($node, qq{UPDATE $table t SET ($names) = ROW(v.*) FROM (SELECT $others FROM (VALUES (7)) x (i)) v WHERE (t.data->>'n')::int = 7}), '', "$table: another key");
	}
	twins_equal($node, $name, "$name: another key");
	is_sql($node, qq{SELECT count(*) FROM ${name}_items}, $node->safe_psql('postgres', qq{SELECT sum(CASE WHEN b.doc_version > 0 THEN jsonb_array_length(f.data->'dreamBook') + jsonb_array_length(f.data #> '{profile,goals}') ELSE 0 END)
		FROM ${name}_base b JOIN $name f USING (} . ($key) . ')'), "$name: as many items as there are elements");
}
if ($icu)
{
	# equal is not the same: the key may change its bytes and stay equal
	really('key_collated', q{UPDATE %t SET id = upper(id)}, q{UPDATE %t SET data = jsonb_set(data, '{dreamBook}', '[1]') WHERE id = 'key3'});
	both('key_collated', 'SELECT * FROM %t ORDER BY id, name', q{INSERT INTO %t (id, data) VALUES ('kEy3', '{"dreamBook": []}')});
}

# ---- partitions ----

twins($node, 'hashed', q{CREATE TABLE %t (id bigint PRIMARY KEY, name text, data jsonb) PARTITION BY HASH (id);
	CREATE TABLE %t_p0 PARTITION OF %t FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE %t_p1 PARTITION OF %t FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	INSERT INTO %t SELECT i, 'n', make_document(i, i % 4) FROM generate_series(1, 40) i});
# columns in another order in one of them
twins($node, 'ranged', q{CREATE TABLE %t (region text, id bigint, name text, data jsonb, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
	CREATE TABLE %t_a PARTITION OF %t FOR VALUES IN ('a'); CREATE TABLE %t_b (data jsonb, gone int, name text, id bigint NOT NULL, region text NOT NULL); ALTER TABLE %t_b DROP COLUMN gone;
	ALTER TABLE %t ATTACH PARTITION %t_b FOR VALUES IN ('b'); CREATE TABLE %t_more PARTITION OF %t DEFAULT PARTITION BY RANGE (id);
	CREATE TABLE %t_more1 PARTITION OF %t_more FOR VALUES FROM (0) TO (100);
	INSERT INTO %t SELECT (ARRAY['a', 'b', 'c'])[1 + i % 3], i, 'n', make_document(i, i % 4) FROM generate_series(1, 40) i});
foreach my $name ('hashed', 'ranged')
{
	really($name, q{UPDATE %t SET data = data || '{"split": true}' WHERE id % 2 = 0}, q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,0,title}', '"x"') WHERE id < 10}, q{UPDATE %t SET id = id + 50 WHERE id IN (3, 4, 5, 6)},
		q{DELETE FROM %t WHERE id IN (7, 8)}, q{INSERT INTO %t (id, name, data} . ($name eq 'ranged' ? ', region' : '') . q{) SELECT i, 'new', make_document(i, 3)} . ($name eq 'ranged' ? q{, chr(97 + i % 3)} : '') . q{ FROM generate_series(60, 70) i},
		q{UPDATE %t SET data = jsonb_set(data, '{profile,goals}', '[{"id": 1}]'), name = 'both' WHERE id BETWEEN 60 AND 65}, $name eq 'ranged' ? q{UPDATE %t SET region = 'b', data = data || '{"moved": 1}' WHERE region = 'a'} : 'SELECT 1');
	both($name, 'SELECT * FROM %t ORDER BY id', 'SELECT * FROM %t WHERE id = 20 FOR UPDATE', q{UPDATE %t SET id = id + 100 WHERE id = 20 RETURNING *}, q{DELETE FROM %t WHERE id IN (20, 21) RETURNING id}, 'SELECT count(*) FROM %t WHERE id > 30');
	is_sql($node, qq{SELECT count(*) FROM ${name}_items i WHERE NOT EXISTS (SELECT FROM ${name}_base b WHERE b.id = i.id AND doc_version > 0)}, '0', "$name: no item without a split document");
	like(error_of($node, qq{UPDATE ${name}_base SET data = '{}' WHERE id = 20}), qr/ERROR:  55000/, "$name: is guarded");
}
like(error_of($node, q{UPDATE ranged_b SET data = '{}' WHERE id = 4 OR id = 20 OR id > 60}), qr/ERROR:  55000/, 'so is a partition');
both('ranged', q{INSERT INTO %t VALUES ('zz', 1000, 'x', '{"dreamBook": [1]}')});

# ---- columns ----

twins($node, 'generated', q{CREATE TABLE %t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text GENERATED ALWAYS AS (data->>'name') STORED, n int GENERATED ALWAYS AS ((data->>'n')::int) STORED, data jsonb DEFAULT '{"dreamBook": [0]}');
	INSERT INTO %t (data) SELECT make_document(i, i % 4) FROM generate_series(1, 20) i});
really('generated', q{UPDATE %t SET data = jsonb_set(data, '{name}', '"new"') WHERE id % 2 = 0}, q{INSERT INTO %t (data) SELECT make_document(i, 2) FROM generate_series(30, 35) i}, q{INSERT INTO %t DEFAULT VALUES}, q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,0}', '"x"') WHERE id > 15});
both('generated', 'SELECT * FROM %t ORDER BY id', q{SELECT id, name FROM %t WHERE name = 'new' ORDER BY id}, q{UPDATE %t SET data = '{"name": "y", "n": 7, "dreamBook": [1, 2]}' WHERE id = 4 RETURNING *},
	q{UPDATE %t SET name = 'x'}, q{INSERT INTO %t (data, name) VALUES ('{}', DEFAULT) RETURNING name, n, data}, q{INSERT INTO %t (name) VALUES ('x')});

# ---- unlogged, temporary, no such column ----

twins($node, 'unlogged', q{CREATE UNLOGGED TABLE %t (id bigint PRIMARY KEY, data jsonb); INSERT INTO %t SELECT i, make_document(i, 2) FROM generate_series(1, 5) i});
really('unlogged', q{UPDATE %t SET data = data || '{"x": 1}'});
is_sql($node, q{SELECT relpersistence FROM pg_class WHERE relname = 'unlogged_items'}, 'u', 'items of an unlogged table are unlogged');
like(error_of($node, 'CREATE TEMP TABLE temporary (id int PRIMARY KEY, data jsonb)', q{SELECT dbvc.document_adopt('temporary', '{"a": "b"}')}), qr/it is a temporary table/, 'a temporary table is refused');
$node->stop('immediate');
$node->start;
twins_equal($node, 'unlogged', 'after a crash');
is_sql($node, 'SELECT (SELECT count(*) FROM unlogged_base) + (SELECT count(*) FROM unlogged_items)', '0', '... of both nothing is left');
really('unlogged', q{INSERT INTO %t VALUES (1, '{"dreamBook": [1]}')});

# ---- large ----

twins($node, 'large', q{CREATE TABLE %t (id bigint PRIMARY KEY, data jsonb);
	INSERT INTO %t VALUES (1, make_document(1, 2) || jsonb_build_object('bio', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 3000) i))),
		(2, make_document(2, 40000, 6)), (3, jsonb_build_object('dreamBook', jsonb_build_array(make_document(3, 3000, 3)))), (4, make_document(4, 10) || jsonb_build_object('bio', repeat('x', 3000000)))});
is_sql($node, q{SELECT pg_column_size(data) > 1000000, length(data::text) > 9000000 FROM large WHERE id = 2}, 't|t', 'a document of ten megabytes');
really('large', q{UPDATE %t SET data = data || '{"x": 1}'}, q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,1,title}', '"new"') WHERE id IN (1, 2, 4)}, q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,0,dreamBook,5}', '1') WHERE id = 3});
is_sql($node, q{SELECT count(*) FILTER (WHERE version = 1), count(*) FILTER (WHERE version = 2) FROM large_items WHERE id = 2}, '79999|1', '... of which one element changed');
# toasted values that are not touched stay where they are
my $toast = q{SELECT count(*), min(chunk_id::bigint), max(chunk_id::bigint) FROM pg_toast.pg_toast_} . $node->safe_psql('postgres', q{SELECT 'large_base'::regclass::oid});
my $before = $node->safe_psql('postgres', $toast);
is_sql($node, q{UPDATE large SET data = jsonb_set(data, '{dreamBook,0,title}', '"newer"') WHERE id IN (1, 2) RETURNING id}, "1\n2", 'items of documents with a toasted slim one');
is($node->safe_psql('postgres', $toast), $before, '... which is not written again');
$node->safe_psql('postgres', q{UPDATE large_twin SET data = jsonb_set(data, '{dreamBook,0,title}', '"newer"') WHERE id IN (1, 2)});
twins_equal($node, 'large', 'large');
both('large', q{SELECT id, length(data->>'bio'), md5(data::text) FROM %t WHERE id <> 2 ORDER BY id FOR UPDATE}, q{UPDATE %t SET data = data - 'bio' WHERE id <> 2 RETURNING md5(data::text)}, q{UPDATE %t SET id = id + 10 WHERE id <> 3 RETURNING id, md5(data::text)});

# ---- COPY ----

my $file = PostgreSQL::Test::Utils::tempdir . '/rows';
twins($node, 'copied', q{CREATE TABLE %t (id bigint PRIMARY KEY, name text DEFAULT 'unnamed', data jsonb, at timestamptz DEFAULT '2026-01-01')});
twins($node, 'inserted', q{CREATE TABLE %t (id bigint PRIMARY KEY, name text DEFAULT 'unnamed', data jsonb, at timestamptz DEFAULT '2026-01-01')});
$node->safe_psql('postgres', qq{COPY (SELECT i, make_document(i, i % 7) FROM generate_series(1, 10000) i) TO '$file'});
really('copied', qq{COPY %t (id, data) FROM '$file'});
really('inserted', q{INSERT INTO %t (id, data) SELECT i, make_document(i, i % 7) FROM generate_series(1, 10000) i});
split_is($node, 'copied', 10000, 0, 'COPY of ten thousand documents splits all of them');
my $rows = q{SELECT md5(string_agg((b.id, b.name, b.data, b.at, b.doc_version)::text, '' ORDER BY id)) FROM %t_base b; SELECT count(*), md5(string_agg((id, type, item_id, ord, data, version)::text, '' ORDER BY id, type, item_id)) FROM %t_items};
is($node->safe_psql('postgres', $rows =~ s/%t/copied/gr), $node->safe_psql('postgres', $rows =~ s/%t/inserted/gr), '... just as INSERT does');
foreach my $form ('FORMAT csv, HEADER', 'FORMAT binary', q{FORMAT text, NULL 'none'})
{
	$node->safe_psql('postgres', qq{COPY (SELECT id, name, data, at FROM copied WHERE id % 1000 < 3 UNION ALL SELECT -1, NULL, NULL, NULL) TO '$file' ($form); DELETE FROM inserted; DELETE FROM inserted_twin});
	really('inserted', qq{COPY %t FROM '$file' ($form)});
}
is(error_of($node, 'BEGIN', qq{COPY copied FROM '$file' (FORMAT text, NULL 'none')}, 'COMMIT') =~ /ERROR:  (\w{5})/ ? $1 : '', '23505', 'COPY of keys that are there');
is_sql($node, q{SELECT count(*) FROM copied}, '10000', '... leaves nothing');
like(error_of($node, qq{COPY copied TO '$file'}), qr/ERROR:  42809/, 'COPY TO wants a query');

# ---- a write is cancelled, fails, is taken back, or prepared ----

twins($node, 'users', q{CREATE TABLE %t (id bigint PRIMARY KEY, name text, data jsonb); INSERT INTO %t SELECT i, 'n', make_document(i, 5) FROM generate_series(1, 200) i});
really('users', q{UPDATE %t SET data = data || '{"split": true}' WHERE id % 2 = 0});
my $stored = q{SELECT md5(string_agg(b::text, '' ORDER BY id)) FROM users_base b; SELECT md5(string_agg(i::text, '' ORDER BY id, type, item_id)) FROM users_items i};
my $was = $node->safe_psql('postgres', $stored);

foreach my $write (q{INSERT INTO users SELECT i, 'big', make_document(i, 100) FROM generate_series(1001, 60000) i}, q{UPDATE users SET data = make_document(id + 1, 3000)}, q{INSERT INTO users SELECT 5000, 'one', make_document(5000, 2000000)})
{
	my $job = job($node, 'writer', $write);

	wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'writer' AND state = 'active' AND xact_start < clock_timestamp() - interval '0.5 s'});
	is_sql($node, q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'writer'}, 't', 'a write is cancelled');
	ok(!finish($job) && $job->{err} =~ /ERROR:  57014/, '... and stops') or diag($job->{err});
	is($node->safe_psql('postgres', $stored), $was, '... and leaves nothing');
}

# one session goes on after errors of all kinds
$node->safe_psql('postgres', join('', map { qq{CREATE FUNCTION ${_}_after() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN IF NEW.name = 'fail' THEN RAISE EXCEPTION 'after trigger'; END IF; RETURN NULL; END\$\$;
	CREATE TRIGGER after AFTER INSERT OR UPDATE ON $_ FOR EACH ROW EXECUTE FUNCTION ${_}_after();
	CREATE FUNCTION ${_}_before() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN IF NEW.name = 'skip' THEN RETURN NULL; END IF; IF NEW.name = 'mark' THEN NEW.data = NEW.data || '{"marked": true}'; END IF; RETURN NEW; END\$\$;
	CREATE TRIGGER before BEFORE INSERT OR UPDATE ON $_ FOR EACH ROW EXECUTE FUNCTION ${_}_before();} } ('users_base', 'users_twin')));
both('users', q{INSERT INTO %t VALUES (300, 'fail', '{"dreamBook": [1]}')}, q{UPDATE %t SET name = 'fail', data = data || '{"dreamBook": [1]}' WHERE id < 5}, q{INSERT INTO %t VALUES (300, 'skip', '{"dreamBook": [1]}')},
	q{UPDATE %t SET name = 'skip', data = data || '{"dreamBook": [1]}' WHERE id < 5}, q{INSERT INTO %t VALUES (300, 'mark', '{"dreamBook": [1]}') RETURNING *}, q{UPDATE %t SET name = 'mark', data = data || '{"dreamBook": [1]}' WHERE id < 5 RETURNING *},
	q{WITH w AS (INSERT INTO %t VALUES (300, 'mark', '{"dreamBook": [1]}') RETURNING *) SELECT * FROM w});
is($node->safe_psql('postgres', $stored), $was, '... and none leaves anything');
my @errors = ('BEGIN', 'SAVEPOINT s', q{INSERT INTO %t VALUES (301, 'x', '{"dreamBook": [1, 2]}')}, q{UPDATE %t SET data = '{"dreamBook": [9]}' WHERE id < 5}, 'ROLLBACK TO s', q{SELECT count(*) FROM %t WHERE id = 301 OR data @> '{"dreamBook": [9]}'},
	q{UPDATE %t SET name = 'fail' WHERE id = 1}, 'ROLLBACK TO s', q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,0}', '1') WHERE id = 2}, 'SAVEPOINT t', q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,0}', '2') WHERE id = 2}, q{SELECT 1/0}, 'ROLLBACK TO t',
	q{SELECT data->'dreamBook' FROM %t WHERE id = 2}, q{DELETE FROM %t WHERE id = 4}, 'RELEASE t', q{UPDATE %t SET data = data || '{"last": 1}' WHERE id IN (2, 3) RETURNING *}, q{SELECT * FROM %t WHERE id < 6 ORDER BY id}, 'COMMIT', q{SELECT * FROM %t WHERE id < 6 ORDER BY id});
my @shown = map { my $t = $_; run_sql($node, { keep_going => 1 }, map { s/%t/$t/gr } @errors) } ('users', 'users_twin');
is(join("\n", sort split(/\n/, $shown[0]{out})), join("\n", sort split(/\n/, $shown[1]{out})), 'savepoints and errors in between');
twins_equal($node, 'users', 'savepoints');
is_sql($node, q{SELECT count(*) FROM users_items WHERE id IN (4, 301)}, '0', '... no item of what was taken back or deleted');

foreach my $end ('COMMIT', 'ROLLBACK')
{
	foreach my $table ('users', 'users_twin')
	{
		is(error_of($node, 'BEGIN', qq{INSERT INTO $table VALUES (400, 'prepared', make_document(400, 3))}, qq{UPDATE $table SET data = jsonb_set(data, '{dreamBook,0}', '"prepared to $end"') WHERE id IN (10, 11)}, qq{DELETE FROM $table WHERE id = 12},
				qq{SELECT count(*) FROM $table}, "PREPARE TRANSACTION '$table'", qq{SELECT count(*) FROM $table WHERE id = 400}, qq{UPDATE $table SET data = data || '{"other": 1}' WHERE id = 13}), '', "$table: PREPARE TRANSACTION");
	}
	if ($end eq 'COMMIT')
	{
		$node->stop('immediate');
		$node->start;
	}
	my $waiting = job($node, 'waiting', qq{UPDATE users SET data = jsonb_set(data, '{profile,goals,0}', '"waited for $end"') WHERE id = 10});
	wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'waiting' AND wait_event_type = 'Lock'});
	twins_equal($node, 'users', 'prepared');
	is(error_of($node, "$end PREPARED 'users'", "$end PREPARED 'users_twin'"), '', "$end PREPARED");
	ok(finish($waiting), '... who waited for it goes on') or diag($waiting->{err});
	$node->safe_psql('postgres', qq{UPDATE users_twin SET data = jsonb_set(data, '{profile,goals,0}', '"waited for $end"') WHERE id = 10});
	twins_equal($node, 'users', "$end PREPARED");
	is_sql($node, q{SELECT count(*) FROM users_items WHERE id = 12}, '0', '... items of what was deleted')
	  if $end eq 'COMMIT';
	$node->safe_psql('postgres', q{DELETE FROM users WHERE id = 400; DELETE FROM users_twin WHERE id = 400; INSERT INTO users VALUES (12, 'n', make_document(12, 5)); INSERT INTO users_twin VALUES (12, 'n', make_document(12, 5))}) if $end eq 'COMMIT';
}

# ---- cursors, DDL in between, parallel plans ----

my @cursors = ('BEGIN', 'DECLARE c SCROLL CURSOR FOR SELECT * FROM %t ORDER BY id', 'FETCH 2 FROM c', q{UPDATE %t SET data = '{"dreamBook": ["later"]}' WHERE id < 5}, 'FETCH 2 FROM c', 'SAVEPOINT s', 'FETCH 1 FROM c', 'ROLLBACK TO s', 'FETCH 1 FROM c',
	'DECLARE h CURSOR WITH HOLD FOR SELECT * FROM %t WHERE id < 10 ORDER BY id', 'FETCH 1 FROM h', 'FETCH BACKWARD 3 FROM c', 'COMMIT', 'FETCH 3 FROM h', 'DELETE FROM %t WHERE id = 8', 'FETCH ALL FROM h', 'CLOSE h',
	'BEGIN', 'DECLARE d CURSOR FOR SELECT * FROM %t ORDER BY id', 'FETCH 1 FROM d', 'ALTER TABLE %b ADD COLUMN later int', 'ROLLBACK', 'BEGIN', 'DECLARE e CURSOR FOR SELECT * FROM %t ORDER BY id', 'FETCH 1 FROM e',
	'CREATE TABLE between_%t (a int)', q{COMMENT ON TABLE %b IS 'in between'}, 'FETCH 2 FROM e', 'ANALYZE %b', 'FETCH 2 FROM e', 'COMMIT',
	'PREPARE p AS SELECT * FROM %t WHERE id = $1', 'EXECUTE p(20)', 'CREATE INDEX ON %b (name)', 'EXECUTE p(20)', 'ALTER TABLE %b SET (fillfactor = 50)', 'EXECUTE p(21)', 'PREPARE u AS UPDATE %t SET data = data || $2 WHERE id = $1 RETURNING *',
	q{EXECUTE u(20, '{"u": 1}')}, 'ALTER TABLE %b ALTER COLUMN name SET STATISTICS 10', q{EXECUTE u(20, '{"u": 2}')}, 'VACUUM FULL %b', q{EXECUTE u(20, '{"u": 3}')}, 'EXECUTE p(20)');
@shown = map { my $t = $_; my $b = $t eq 'users' ? 'users_base' : $t; run_sql($node, { keep_going => 1 }, map { s/%t/$t/gr =~ s/%b/$b/gr } @cursors) } ('users', 'users_twin');
is($shown[0]{out}, $shown[1]{out}, 'cursors and prepared statements, with DDL in between');
is(join("\n", $shown[0]{err} =~ /ERROR:  \w{5}/g), join("\n", $shown[1]{err} =~ /ERROR:  \w{5}/g), '... and the same errors') or diag("$shown[0]{err}\n$shown[1]{err}");
cmp_ok(scalar(split(/\n/, $shown[0]{out})), '>', 25, '... all of it');
twins_equal($node, 'users', 'cursors');
$node->safe_psql('postgres', 'VACUUM FULL users_items; REINDEX TABLE users_items; CLUSTER users_items USING users_items_pkey; VACUUM ANALYZE users_base');
twins_equal($node, 'users', 'items written anew');

# names may change
$node->safe_psql('postgres', 'ALTER TABLE users_items RENAME TO parts_of_users; ALTER TABLE users_base RENAME TO old_users; ALTER TABLE old_users RENAME COLUMN id TO number; ALTER TABLE parts_of_users RENAME COLUMN id TO user_number; ALTER INDEX users_items_pkey RENAME TO some_index');
really('users', q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,1}', '"renamed"') WHERE id BETWEEN 30 AND 40}, q{INSERT INTO %t VALUES (500, 'x', '{"dreamBook": [1]}')}, q{DELETE FROM %t WHERE id = 41}, q{UPDATE %t SET id = 501 WHERE id = 500});
$node->safe_psql('postgres', 'ALTER TABLE parts_of_users RENAME TO users_items; ALTER TABLE old_users RENAME TO users_base; ALTER TABLE users_base RENAME COLUMN number TO id; ALTER TABLE users_items RENAME COLUMN user_number TO id; CREATE SCHEMA elsewhere; ALTER TABLE users_items SET SCHEMA elsewhere');
really('users', q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,1}', '"moved"') WHERE id BETWEEN 30 AND 40});
$node->safe_psql('postgres', 'ALTER TABLE elsewhere.users_items SET SCHEMA public');

my $forced = $node->safe_psql('postgres', q{SELECT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'debug_parallel_query' ELSE 'force_parallel_mode' END});
my @parallel = ("SET $forced = regress", 'SET parallel_setup_cost = 0', 'SET parallel_tuple_cost = 0', 'SET min_parallel_table_scan_size = 0', 'SET max_parallel_workers_per_gather = 2');
foreach my $sql ('SELECT * FROM %t ORDER BY id', q{SELECT count(*), max(data->>'n'), sum(jsonb_array_length(data->'dreamBook')) FROM %t}, q{SELECT t.id, u.data FROM %t t JOIN %t u ON t.id = u.id + 1 ORDER BY 1}, q{SELECT data FROM %t WHERE id = 30},
	q{SELECT md5(string_agg(data::text, ',' ORDER BY id)) FROM %t WHERE data->>'n' > '1'})
{
	my @results = map { my $t = $_; run_sql($node, @parallel, $sql =~ s/%t/$t/gr) } ('users', 'users_twin');

	is($results[0]{out} . $results[0]{err}, $results[1]{out} . $results[1]{err}, "parallel: $sql");
}
my $inside = run_sql($node, @parallel, 'BEGIN', q{UPDATE users SET data = jsonb_set(data, '{dreamBook,0}', '"in this transaction"') WHERE id IN (50, 51)}, q{SELECT count(*) FROM users WHERE data @> '{"dreamBook": ["in this transaction"]}'}, 'ROLLBACK');
is($inside->{out}, "2\n", 'parallel: what the transaction has written itself');
like(run_sql($node, @parallel, 'SET force_parallel_mode = off' =~ s/force_parallel_mode/$forced/r, 'EXPLAIN (COSTS OFF) SELECT count(data) FROM users')->{out}, qr/Parallel Seq Scan/, '... in a plan that is parallel');

# ---- through a pooler ----

my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } (split(/:/, $ENV{PATH}), '/usr/sbin');
my $pooler;
END { $pooler->signal('TERM') if $pooler; }

SKIP: {
	if (!defined $pgbouncer)
	{
		diag('NOT TESTED: adopted tables through a pooler, for want of pgbouncer');
		skip('there is no pgbouncer', 1);
	}
	my $tmp = PostgreSQL::Test::Utils::tempdir;
	my $short = PostgreSQL::Test::Utils::tempdir_short;    # for the name of the socket
	my $pooled = sub {
		my ($user, @sql) = @_;
		my ($out, $err) = ('', '');

		IPC::Run::run([ 'psql', '-XAtq', '-v', 'VERBOSITY=sqlstate', '-d', "host=$short port=6432 dbname=postgres user=$user", map { ('-c', $_) } @sql ], '>', \$out, '2>', \$err);
		return $out . $err;
	};

	put_files($tmp, 'users.txt' => qq{"postgres" ""\n"regress_dbvc_user" ""\n}, 'pgbouncer.ini' => join("\n", '[databases]', '* = host=' . $node->host . ' port=' . $node->port,
		'[pgbouncer]', 'listen_addr =', 'listen_port = 6432', "unix_socket_dir = $short", 'auth_type = trust', "auth_file = $tmp/users.txt", "logfile = $tmp/pgbouncer.log", 'pool_mode = transaction', 'default_pool_size = 2',
		'server_round_robin = 1', 'max_client_conn = 50', ''));
	$pooler = IPC::Run::start([ $pgbouncer, '-q', "$tmp/pgbouncer.ini" ], '<', \undef, '>', "$tmp/pgbouncer.out", '2>&1');
	foreach my $try (1 .. 300)
	{
		last if $pooled->('postgres', 'SELECT 1') eq "1\n";
		select(undef, undef, undef, 0.05);
	}
	$node->safe_psql('postgres', 'ALTER ROLE regress_dbvc_user LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON users, users_base, users_items, users_twin TO regress_dbvc_user');
	foreach my $user ('postgres', 'regress_dbvc_user')
	{
		# each statement may come to another session, which has what others left in it
		my @sql = ((map { (qq{UPDATE %t SET data = jsonb_set(data, '{dreamBook,0}', '"$_ of $user"') WHERE id = 60}, 'SELECT * FROM %t WHERE id IN (60, 61) ORDER BY id') } (1 .. 4)),
			q{BEGIN}, q{SELECT id FROM %t WHERE id = 60 FOR UPDATE}, q{UPDATE %t SET data = data || '{"pooled": 1}' WHERE id = 60 RETURNING *}, 'SELECT 1/0', 'ROLLBACK', q{BEGIN; SET LOCAL ROLE regress_dbvc_user; UPDATE %t SET data = data || '{"pooled": 2}' WHERE id = 61; COMMIT},
			'SELECT * FROM %t WHERE id IN (60, 61) ORDER BY id', q{INSERT INTO %t VALUES (700, 'x', '{"dreamBook": [1]}') RETURNING *}, q{DELETE FROM %t WHERE id = 700});
		my @out = map { my $t = $_; $pooled->($user, map { s/%t/$t/gr } @sql) } ('users', 'users_twin');

		is($out[0], $out[1], "through a pooler as $user");
		like($out[0], qr/4 of $user/, '... which works');
	}
	# many at once; DDL in between
	my @runs = map {
		my $n = $_;
		my $run = { out => '', err => '' };
		$run->{run} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', "host=$short port=6432 dbname=postgres user=postgres",
				map { ('-c', "UPDATE users SET data = jsonb_set(data, '{dreamBook,$n}', '\"$_\"') WHERE id = 62") } (1 .. 15) ], '<', \undef, '>', \$run->{out}, '2>', \$run->{err});
		$run
	} (0 .. 2);
	$node->safe_psql('postgres', q{ALTER TABLE users_base ALTER COLUMN name SET STATISTICS 20; COMMENT ON TABLE users_items IS 'x'; ANALYZE users_base});
	is(join('', map { $_->{run}->finish; $_->{err} } @runs), '', 'three clients at once on one document, each with an item of its own');
	is_sql($node, q{SELECT data #> '{dreamBook,0}', data #> '{dreamBook,1}', data #> '{dreamBook,2}' FROM users WHERE id = 62}, '"15"|"15"|"15"', '... nothing is lost');
}

$node->stop;
done_testing();
