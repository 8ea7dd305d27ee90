# Adopted tables replicated: logically, where both sides are adopted, or only the subscriber is, or the subscriber was
# made of a dump of the schema; and physically, read on a standby while the primary writes, and promoted.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Documents;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('publisher', 'autovacuum = off', 'wal_level = logical', 'max_wal_senders = 10', 'max_replication_slots = 10', 'synchronous_commit = off', 'hot_standby_feedback = on');
my $subscriber = dbvc_node('subscriber', 'autovacuum = off', 'max_logical_replication_workers = 10', 'max_sync_workers_per_subscription = 4', 'wal_retrieve_retry_interval = 200ms');
my $tmp = PostgreSQL::Test::Utils::tempdir;
my $ddl = q{CREATE TABLE %t (id bigint PRIMARY KEY, name text, data jsonb);};
my $rows = q{INSERT INTO %t SELECT i, 'n' || i, make_document(i, i % 5) FROM generate_series(1, 60) i};

# stored(NODE, DATABASE, NAME): base and items, row for row; {times} too
sub stored
{
	my ($where, $db, $name) = @_;

	return $where->safe_psql($db, qq{SELECT 'base', * FROM ${name}_base ORDER BY id; SELECT 'item', * FROM ${name}_items ORDER BY id, type, item_id});
}

# subscribe(DATABASE HERE, DATABASE THERE, PUBLICATION): and wait until all is copied
sub subscribe
{
	my ($to, $from, $publication) = @_;

	$subscriber->safe_psql($to, "CREATE SUBSCRIPTION $publication CONNECTION \$\$" . $node->connstr($from) . "\$\$ PUBLICATION $publication");
	$subscriber->poll_query_until($to, q{SELECT count(*) > 0 AND bool_and(srsubstate IN ('r', 's')) FROM pg_subscription_rel WHERE srsubid = (SELECT oid FROM pg_subscription WHERE subname = '} . $publication . q{')})
	  or die "$publication was not copied: " . slurp_file($subscriber->logfile);
}

# caught_up(PUBLICATION, DATABASE)
sub caught_up
{
	my ($publication, $from) = @_;

	$node->wait_for_catchup($publication, 'replay', $node->safe_psql($from, 'SELECT pg_current_wal_insert_lsn()'));
}

# same_as_published(DATABASE HERE, DATABASE THERE, NAME, WHAT): in both tables and through the face
sub same_as_published
{
	my ($here, $there, $name, $what) = @_;
	my $face = "SELECT *, data::text FROM $name ORDER BY id";

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(stored($subscriber, $here, $name) eq stored($node, $there, $name), "$what: base and items are the same");
	ok($subscriber->safe_psql($here, $face) eq $node->safe_psql($there, $face), "$what: documents are the same");
	is($subscriber->safe_psql($here, "SELECT count(*) FROM (SELECT id, type, ord FROM ${name}_items WHERE deleted_at IS NULL GROUP BY 1, 2, 3 HAVING count(*) > 1) d"), '0', "$what: no item is there twice");
}

# ---- both sides are adopted ----

documents_setup($node);
twins($node, 'users', "$ddl $rows");
twins($node, 'soft', "$ddl $rows", q{options => '{"soft_delete": true}'});
# a key that moves between partitions, one of which has its columns in another order
my $parted = q{CREATE TABLE %t (id bigint PRIMARY KEY, name text, data jsonb) PARTITION BY RANGE (id); CREATE TABLE %t_low PARTITION OF %t FOR VALUES FROM (0) TO (500);
	CREATE TABLE %t_high (data jsonb, id bigint NOT NULL, name text); ALTER TABLE %t ATTACH PARTITION %t_high DEFAULT;};
twins($node, 'parted', "$parted $rows");
my @tables = ('users', 'soft', 'parted');
# half of them are split when the copy is made
my @twice = map { my $t = $_; map { s/%t/$t/gr } (q{UPDATE %t SET data = data || '{"split": true}' WHERE id <= 30}, q{UPDATE %t SET data = jsonb_set(data, '{dreamBook}', data->'dreamBook' || '[7]') WHERE id % 7 = 0}) } map { ($_, "${_}_twin") } @tables;
is(error_of($node, @twice), '', 'written before');
split_is($node, 'users', 34, 26, 'some are split, some are whole');
$subscriber->safe_psql('postgres', 'CREATE DATABASE both_adopted');
$subscriber->safe_psql('both_adopted', 'CREATE EXTENSION dbvc');
documents_setup($subscriber, 'both_adopted');
twins($subscriber, { db => 'both_adopted' }, $_, $ddl, $_ eq 'soft' ? q{options => '{"soft_delete": true}'} : ()) foreach ('users', 'soft');
twins($subscriber, { db => 'both_adopted' }, 'parted', $parted);
$node->safe_psql('postgres', 'CREATE PUBLICATION both_sides FOR TABLE users_base, users_items, soft_base, soft_items, parted_base, parted_items');
subscribe('both_adopted', 'postgres', 'both_sides');
same_as_published('both_adopted', 'postgres', $_, "$_: the first copy") foreach (@tables);

my @writes = (
	q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,0,title}', '"changed"') WHERE id < 50},
	q{UPDATE %t SET data = data #- '{dreamBook,0}' WHERE id % 3 = 1}, q{UPDATE %t SET data = jsonb_set(data, '{dreamBook}', '[{"id": "new"}]' || (data->'dreamBook')) WHERE id % 3 = 2},
	q{UPDATE %t SET data = '{"dreamBook": null}' WHERE id = 5}, q{UPDATE %t SET data = NULL WHERE id = 6}, q{UPDATE %t SET data = '{"dreamBook": [], "profile": {"goals": [1.0, 1, "1"]}}' WHERE id = 7},
	q{UPDATE %t SET id = id + 1000, data = data || '{"moved": true}' WHERE id % 10 = 8}, q{DELETE FROM %t WHERE id % 10 = 9}, q{INSERT INTO %t SELECT i, 'new', make_document(i, 40, 10) FROM generate_series(101, 120) i},
	q{UPDATE %t SET name = 'only the name' WHERE id > 40}, 'BEGIN', q{DELETE FROM %t WHERE id = 101}, q{INSERT INTO %t VALUES (101, 'again', '{"dreamBook": [{"id": "d1"}, {"id": "d1"}]}')}, 'COMMIT',
	'BEGIN', q{UPDATE %t SET data = '{"dreamBook": [1, 2, 3]}'}, 'ROLLBACK');
foreach my $table (map { ($_, "${_}_twin") } @tables)
{
	my $job = run_sql($node, map { s/%t/$table/gr } @writes);

	ok($job->{ok}, "$table: written") or diag($job->{err});
}
twins_equal($node, $_, "$_: on the publisher") foreach (@tables);
caught_up('both_sides', 'postgres');
same_as_published('both_adopted', 'postgres', $_, "$_: what was written") foreach (@tables);
cmp_ok($subscriber->safe_psql('both_adopted', 'SELECT count(*) FROM parted_high WHERE doc_version > 0'), '>', 3, '... some of it in another partition');
cmp_ok($subscriber->safe_psql('both_adopted', 'SELECT count(*) FROM soft_items WHERE deleted_at IS NOT NULL'), '>', 10, '... deleted items too');
is($subscriber->safe_psql('both_adopted', 'SELECT sum(doc_version) FROM users_base'), $node->safe_psql('postgres', 'SELECT sum(doc_version) FROM users_base'), '... and versions, which are etags');

# torn documents? A reader on the subscriber, while whole documents come in
$node->safe_psql('postgres', q{INSERT INTO users SELECT i, 'torn', '{}' FROM generate_series(501, 505) i;
	CREATE PROCEDURE write_whole(n int) LANGUAGE plpgsql AS $$BEGIN
		FOR i IN 1 .. n LOOP
			UPDATE users SET data = jsonb_build_object('n', i, 'dreamBook', (SELECT jsonb_agg(jsonb_build_object('id', j, 'n', i)) FROM generate_series(1, 1 + i % 20) j)) WHERE id BETWEEN 501 AND 505;
			COMMIT;
		END LOOP;
	END$$;});
caught_up('both_sides', 'postgres');
my $look = q{DO $$DECLARE torn int; seen int := 0; last int := -1; now int;
	BEGIN
		FOR i IN 1 .. 100000 LOOP
			SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM jsonb_array_elements(data->'dreamBook') e WHERE e->'n' IS DISTINCT FROM data->'n')
				OR jsonb_array_length(data->'dreamBook') <> 1 + (data->>'n')::int % 20), max((data->>'n')::int) INTO torn, now FROM users WHERE id BETWEEN 501 AND 505;
			IF torn > 0 THEN RAISE EXCEPTION 'torn at %', now; END IF;
			IF now <> last THEN seen := seen + 1; last := now; END IF;
			EXIT WHEN now >= 150;
		END LOOP;
		IF seen < 5 THEN RAISE EXCEPTION 'saw only % of them', seen; END IF;
	END$$};
my $reader = job($subscriber, 'reader', { db => 'both_adopted' }, $look);
wait_for($subscriber, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'reader' AND state = 'active'});
is(error_of($node, 'CALL write_whole(150)'), '', 'whole documents are written, one after the other');
ok(finish($reader), '... and none is torn on the subscriber') or diag($reader->{err});
caught_up('both_sides', 'postgres');

# the subscriber takes over
$subscriber->safe_psql('both_adopted', 'DROP SUBSCRIPTION both_sides');
my $etag = $subscriber->safe_psql('both_adopted', 'SELECT doc_version FROM users_base WHERE id = 110');
is($subscriber->safe_psql('both_adopted', q{UPDATE users SET data = jsonb_set(data, '{dreamBook,0}', '{"id": "here"}') WHERE id = 110 RETURNING jsonb_array_length(data->'dreamBook')}), '40', 'afterwards the subscriber writes for itself');
is($subscriber->safe_psql('both_adopted', q{SELECT count(*) FROM users_items WHERE id = 110 AND version = 1 AND type = 'dream'}), '40', '... one item');
is($subscriber->safe_psql('both_adopted', q{SELECT u.data #> '{dreamBook,0}', doc_version FROM users u JOIN users_base USING (id) WHERE id = 110}), '{"id": "here"}|' . ($etag + 1), '... and counts it');

# ---- a legacy publisher ----

# Rows arrive whole, in replica mode, by which no trigger runs
$node->safe_psql('postgres', 'CREATE DATABASE legacy');
documents_setup($node, 'legacy');
$node->safe_psql('legacy', ($ddl . $rows) =~ s/%t/legacy_base/gr);
$subscriber->safe_psql('postgres', 'CREATE DATABASE adopted');
$subscriber->safe_psql('adopted', 'CREATE EXTENSION dbvc');
documents_setup($subscriber, 'adopted');
twins($subscriber, { db => 'adopted' }, 'legacy', $ddl);
$node->safe_psql('legacy', 'CREATE PUBLICATION whole_rows FOR TABLE legacy_base');
subscribe('adopted', 'legacy', 'whole_rows');
my $as_published = sub { return $subscriber->safe_psql('adopted', 'SELECT *, data::text FROM legacy ORDER BY id') eq $node->safe_psql('legacy', 'SELECT *, data::text FROM legacy_base ORDER BY id') };
ok($as_published->(), 'a legacy publisher: documents are the same');
split_is($subscriber, 'legacy', 0, 60, '... all of them whole', 'adopted');
$node->safe_psql('legacy', $_) foreach (q{UPDATE legacy_base SET data = jsonb_set(data, '{dreamBook}', '[1, {"id": "x"}]') WHERE id < 20}, q{UPDATE legacy_base SET id = id + 100 WHERE id = 30}, q{DELETE FROM legacy_base WHERE id = 31},
	q{INSERT INTO legacy_base VALUES (200, 'new', '{"dreamBook": [{"id": 1}]}')});
caught_up('whole_rows', 'legacy');
ok($as_published->(), '... also what is written there');
split_is($subscriber, 'legacy', 0, 60, '... whole still', 'adopted');
is($subscriber->safe_psql('adopted', q{SELECT documents, converted FROM dbvc.document_status WHERE source = 'legacy'::regclass}), '60|0', '... and counted as such');
# a role of its own that plays replica, as some tools do
is(error_of($subscriber, { db => 'adopted' }, 'SET session_replication_role = replica', q{INSERT INTO legacy_base VALUES (300, 'replica', make_document(300, 4))}), '', 'a row written in replica mode');
is($subscriber->safe_psql('adopted', q{SELECT dbvc.document_same_bytes(data, make_document(300, 4)) FROM legacy WHERE id = 300}), 't', '... reads as written');
# the next write here converts it
$subscriber->safe_psql('adopted', q{UPDATE legacy SET data = jsonb_set(data, '{dreamBook,0,title}', '"here"') WHERE id IN (41, 300)});
split_is($subscriber, 'legacy', 2, 59, '... until the next write', 'adopted');
is($subscriber->safe_psql('adopted', q{SELECT dbvc.document_same_bytes(data, jsonb_set(make_document(id, CASE id WHEN 300 THEN 4 ELSE 1 END), '{dreamBook,0,title}', '"here"')) FROM legacy WHERE id IN (41, 300)}), "t\nt", '... which changes what it says');
# both sides write the same document: what comes is whole again, and takes the place of what was here
$node->safe_psql('legacy', q{UPDATE legacy_base SET name = 'there', data = data || '{"there": 1}' WHERE id = 41});
caught_up('whole_rows', 'legacy');
is($subscriber->safe_psql('adopted', q{SELECT *, data::text FROM legacy WHERE id = 41}), $node->safe_psql('legacy', q{SELECT *, data::text FROM legacy_base WHERE id = 41}), 'a whole document that comes to a split row replaces it');
split_is($subscriber, 'legacy', 1, 60, '... which is whole then, without items', 'adopted');
$subscriber->safe_psql('adopted', q{UPDATE legacy SET data = jsonb_set(data, '{dreamBook,0,title}', '"here"') WHERE id = 41});
$node->safe_psql('legacy', q{UPDATE legacy_base SET name = 'only the name' WHERE id = 41});
caught_up('whole_rows', 'legacy');
is($subscriber->safe_psql('adopted', q{SELECT name, data #>> '{dreamBook,0,title}' FROM legacy WHERE id = 41}), $node->safe_psql('legacy', q{SELECT name, data #>> '{dreamBook,0,title}' FROM legacy_base WHERE id = 41}), '... also when only its name is written there');
is($subscriber->safe_psql('adopted', q{SELECT * FROM dbvc.document_check('legacy') WHERE NOT ok}), '', '... and a check is content');
$subscriber->safe_psql('adopted', 'DROP SUBSCRIPTION whole_rows');
# the rest is converted in the background
my $before = $subscriber->safe_psql('adopted', 'SELECT *, data::text FROM legacy ORDER BY id');
is($subscriber->safe_psql('adopted', q{CALL dbvc.document_backfill('legacy')}), '60|0|0', 'a backfill converts what came whole');
split_is($subscriber, 'legacy', 61, 0, '... all of it', 'adopted');
ok($subscriber->safe_psql('adopted', 'SELECT *, data::text FROM legacy ORDER BY id') eq $before, '... and the documents are the same');

# ---- a subscriber made of the schema, and all tables ----

$node->command_ok([ 'pg_dump', '-s', '-f', "$tmp/schema.sql", '-d', $node->connstr('postgres') ], 'pg_dump --schema-only');
$subscriber->safe_psql('postgres', 'CREATE DATABASE schema');
$subscriber->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $subscriber->connstr('schema'), '-f', "$tmp/schema.sql" ], '... restored');
is($subscriber->safe_psql('schema', 'SELECT count(*) FROM dbvc.document; DROP PUBLICATION both_sides'), '0', '... nothing is known of adopted tables');
$node->safe_psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
subscribe('schema', 'postgres', 'everything');
caught_up('everything', 'postgres');
same_as_published('schema', 'postgres', $_, "$_: all tables") foreach (@tables);
is($subscriber->safe_psql('schema', 'SELECT base, face, items, parts, options, state FROM dbvc.document ORDER BY face::text'), $node->safe_psql('postgres', 'SELECT base, face, items, parts, options, state FROM dbvc.document ORDER BY face::text'), '... dbvc.document too');
$node->safe_psql('postgres', q{UPDATE users SET data = jsonb_set(data, '{dreamBook,1}', '{"id": "late"}') WHERE id > 100});
caught_up('everything', 'postgres');
same_as_published('schema', 'postgres', 'users', 'written since');
$subscriber->safe_psql('schema', 'DROP SUBSCRIPTION everything');
is($subscriber->safe_psql('schema', q{UPDATE users SET data = jsonb_set(data, '{dreamBook,0}', '{"id": "here"}') WHERE id = 110 RETURNING jsonb_array_length(data->'dreamBook')}), '40', 'it can be written afterwards');
$subscriber->stop;

# ---- a standby ----

$node->safe_psql('postgres', 'DROP PUBLICATION everything');
$node->backup('backup', backup_options => [ '--checkpoint=fast' ]);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my $all = 'SELECT *, data::text FROM users ORDER BY id';
ok($standby->safe_psql('postgres', $all) eq $node->safe_psql('postgres', $all), 'a standby reads what the primary reads');
twins_equal($standby, 'soft', 'on the standby');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM dbvc.item_get('users', '{110}', 'dream')}), '40', '... items by functions');
is($standby->safe_psql('postgres', q{SELECT dbvc.document_get('users', '{110}') = (SELECT data FROM users WHERE id = 110)}), 't', '... and documents');
foreach my $write (q{UPDATE users SET name = 'x' WHERE id = 1}, q{INSERT INTO users VALUES (9999, '', '{"dreamBook": [1]}')}, q{DELETE FROM users WHERE id = 1}, q{SELECT data FROM users WHERE id = 1 FOR UPDATE},
	q{SELECT dbvc.document_put('users', '{1}', '{}')}, q{SELECT dbvc.document_patch('users', '{1}', '{}')}, q{SELECT dbvc.item_save('users', '{1}', 'dream', '1')}, q{SELECT dbvc.item_delete('users', '{110}', 'dream', 'd1')},
	q{COPY users FROM stdin}, q{CALL dbvc.document_backfill('users')}, q{CALL dbvc.document_release('users')})
{
	like(error_of($standby, $write), qr/ERROR:  25006/, "standby: $write: read-only");
}
$node->safe_psql('postgres', q{UPDATE users SET data = '{"n": 0, "dreamBook": [{"n": 0}]}' WHERE id BETWEEN 501 AND 505});
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
like(error_of($standby, q{SELECT dbvc.document_adopt('users_twin', '{"a": "b"}')}), qr/ERROR:  25006/, 'standby: adopting: read-only');
$reader = job($standby, 'reader', $look);
wait_for($standby, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'reader' AND state = 'active'});
is(error_of($node, 'CALL write_whole(150)'), '', 'whole documents are written on the primary');
ok(finish($reader), '... and none is torn on the standby') or diag($reader->{err});
# a snapshot that is kept
my $holder = job($standby, 'holder', 'SELECT pg_advisory_lock(1), pg_sleep(600)');
wait_for($standby, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'});
my $keeper = job($standby, 'keeper', 'BEGIN ISOLATION LEVEL REPEATABLE READ', q{SELECT md5(string_agg(data::text, '' ORDER BY id)) FROM users}, 'SELECT pg_advisory_lock(1)', q{SELECT md5(string_agg(data::text, '' ORDER BY id)) FROM users}, 'COMMIT');
wait_for($standby, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'keeper' AND wait_event_type = 'Lock'});
is(error_of($node, q{UPDATE users SET data = jsonb_set(data, '{dreamBook}', '[]') WHERE id > 500}), '', 'written again');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my $written = $standby->safe_psql('postgres', q{SELECT md5(string_agg(data::text, '' ORDER BY id)) FROM users});
$standby->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'});
finish($holder);
ok(finish($keeper), 'a transaction on the standby') or diag($keeper->{err});
my @kept = grep { length == 32 } split(/\n/, $keeper->{out});
is($kept[0], $kept[1], '... keeps what it saw');
isnt($kept[0], $written, '... while others see more');

my $expected = $node->safe_psql('postgres', $all);
$node->stop('immediate');
$standby->promote;
wait_for($standby, 'SELECT NOT pg_is_in_recovery()');
ok($standby->safe_psql('postgres', $all) eq $expected, 'promoted: documents are the same');
is_sql($standby, q{UPDATE users SET data = jsonb_set(data, '{dreamBook,0}', '{"id": "promoted"}') WHERE id = 110 RETURNING data #> '{dreamBook,0}'}, '{"id": "promoted"}', '... and are written');
is_sql($standby, q{INSERT INTO users VALUES (9999, '', '{"dreamBook": [1, 2]}') RETURNING data}, '{"dreamBook": [1, 2]}', '... and inserted');
$standby->stop;
done_testing();
