# A dump takes the history along, whole; in the database that it is restored into, everything goes on.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;


my $node = dbvc_node('old', 'autovacuum = off');
my $dir = $PostgreSQL::Test::Utils::tmp_check;

# Everything that is stored, as text
sub history
{
	my ($from, $db) = @_;

	return $from->safe_psql($db, q{
		SELECT 'event', id, inc, xid, body, leaf_hash, event_type, migration_id FROM dbvc.change_event ORDER BY id;
		SELECT 'text', event_id, field, salt, content FROM dbvc.change_event_text ORDER BY event_id, field;
		SELECT 'incarnation', i.* FROM dbvc.incarnation i ORDER BY inc;
		SELECT 'definition', d.* FROM dbvc.definition d ORDER BY hash;
		SELECT 'page', p.* FROM dbvc.snapshot_page p ORDER BY hash;
		SELECT 'state', s.* FROM dbvc.migration_state s ORDER BY id;
		SELECT 'status', s.* FROM dbvc.migration_status s;
		SELECT 'run', r.* FROM dbvc.migration_run r ORDER BY event_id;
		SELECT 'store', v.* FROM dbvc.version_control v ORDER BY entity_type, id;});
}

# goes_on(NODE, DATABASE, WHAT, INCARNATION): history as it was dumped, and new records behind it
sub goes_on
{
	my ($where, $db, $what, $expected_history, $inc) = @_;
	my $max = $node->safe_psql('postgres', 'SELECT max(id) FROM dbvc.change_event');
	my $is = sub { is($where->safe_psql($db, $_[0]), $_[1], "$what: $_[2]") };

	ok(history($where, $db) eq $expected_history, "$what: the history is the same, byte for byte");
	$is->(q{SELECT count(*) > 15, bool_and(ok) FROM dbvc.migration_verify()}, 't|t', 'every record holds');
	$is->(q{SELECT min(id) > } . $max . q{, count(DISTINCT id) = count(*) FROM dbvc.change_event WHERE event_type = 'verified' AND id > } . $max,
		't|t', 'ids go on without collision');
	$is->(qq{SELECT DISTINCT inc FROM dbvc.change_event WHERE id > $max}, $inc, "new records belong to incarnation $inc");
	$is->(q{SELECT count(*), max(system_identifier) FILTER (WHERE inc = (SELECT max(inc) FROM dbvc.incarnation)) =
		(SELECT system_identifier FROM pg_control_system()) FROM dbvc.incarnation}, "$inc|t", 'which names this cluster');

	my $job = run_sql($where, { db => $db }, q{SELECT FROM dbvc.migration_register('m9', 'CREATE TABLE m9 ()', 'DROP TABLE m9')},
		q{CALL dbvc.migrate()});
	ok($job->{ok}, "$what: migrating goes on") or diag $job->{err};
	$is->(q{SELECT string_agg(id || ' ' || status, ', ') FROM dbvc.migration_status},
		'm1 applied, m2 applied, m3 applied, m4 applied, m6 applied, m7 applied, m9 applied, m5 applied', 'everything is applied');
	$is->(q{SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass}, '2|t',
		'the migration that was interrupted before the dump has its indexes');
	$job = run_sql($where, { db => $db }, q{CALL dbvc.rollback(steps => 1)});
	ok($job->{ok}, "$what: so does rolling back") or diag $job->{err};
	foreach my $table ('change_event', 'change_event_text', 'incarnation', 'definition', 'snapshot_page')
	{
		like(error_of($where, { db => $db }, "DELETE FROM dbvc.$table"), qr/VC013/, "$what: $table is guarded");
	}
	$is->(q{SELECT count(*) = 0 FROM dbvc.migration_verify() WHERE NOT ok}, 't', 'every record holds in the end');
}

# ---- a history with everything in it ----

$node->safe_psql('postgres', 'CREATE TABLE t (a int)');
dbvc_register($node, 'm1', "CREATE TABLE m1 (a int);\nINSERT INTO m1 VALUES (1);", down_script => q{'DROP TABLE m1'},
	verify_script => q{'SELECT count(*) = 1 FROM m1'}, description => q{'with ünïcödé \\ and ''quotes'''}, author => q{'Åse'});
dbvc_register($node, 'm2', 'CREATE TABLE m2 ()', down_script => q{'DROP TABLE m2'}, requires => q{'{m1}'});
dbvc_register($node, 'm5', 'CREATE OR REPLACE VIEW m5 AS SELECT 1 AS one', kind => q{'repeatable'});
is(error_of($node, 'CALL dbvc.migrate()'), '', 'three are applied');
is(error_of($node, q{CALL dbvc.rollback(steps => 1)}), '', 'one is rolled back');
is(error_of($node, q{CALL dbvc.migrate(dry_run => true)}), '', 'tried');
is(error_of($node, q{CALL dbvc.migrate()}), '', 'and applied again');
$node->safe_psql('postgres', q{SELECT FROM dbvc.migration_accept('m1', 'CREATE TABLE m1 (a int); INSERT INTO m1 VALUES (1); -- as is',
	'DROP TABLE m1', 'SELECT count(*) = 1 FROM m1', reason => 'a comment')});
dbvc_register($node, 'm3', 'CREATE TABLE m3 ()');
$node->safe_psql('postgres', q{SELECT dbvc.migration_baseline('m3', 'it is there')});
dbvc_register($node, 'm4', 'CREATE TABLE m4 (a int CHECK (a > 0)); INSERT INTO m4 SELECT count(*) FROM m2');
like(error_of($node, 'CALL dbvc.migrate()'), qr/23514/, 'one has failed');
dbvc_register($node, 'm4', 'CREATE TABLE m4 (a int CHECK (a > 0)); INSERT INTO m4 SELECT count(*) + 1 FROM m2');
is(error_of($node, q{CALL dbvc.migrate()}), '', 'and was mended');
dbvc_register($node, 'm6', 'CREATE INDEX CONCURRENTLY m6_idx ON t (a); CREATE INDEX CONCURRENTLY m6_idx2 ON t (a);');
my $blocker = job($node, 'blocker', 'INSERT INTO t VALUES (0); SELECT pg_sleep(600)');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'blocker' AND wait_event = 'PgSleep'});
my $leader = job($node, 'leader', 'CALL dbvc.migrate()');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity JOIN pg_locks l USING (pid)
	WHERE backend_type = 'dbvc worker' AND l.locktype = 'virtualxid' AND NOT l.granted});
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('leader', 'blocker')});
finish($leader);
finish($blocker);
wait_for($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbvc worker'});
$node->safe_psql('postgres', q{DROP INDEX IF EXISTS m6_idx});    # a dump would not take an invalid index along
dbvc_register($node, 'm7', 'CREATE TABLE m7 ()');
is_sql($node, q{SELECT string_agg(id || ' ' || status, ', ') FROM dbvc.migration_status},
	'm1 applied, m2 applied, m3 applied, m4 applied, m6 interrupted, m7 pending, m5 applied', 'a history with everything in it');
is_sql($node, q{SELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok}, '0', 'it holds');
$node->safe_psql('postgres', q{SELECT dbvc.snapshot_capture('with ünïcödé')});
my $history = history($node, 'postgres');

$node->command_ok([ 'pg_dump', '-Fp', '-f', "$dir/plain.sql", 'postgres' ], 'pg_dump');
$node->command_ok([ 'pg_dump', '-Fd', '-f', "$dir/dump", 'postgres' ], 'pg_dump -Fd');
$node->command_ok([ 'pg_dump', '-Fp', '--data-only', '--disable-triggers', '-f', "$dir/data.sql", 'postgres' ], 'pg_dump --data-only');
$node->command_ok([ 'pg_dump', '-Fp', '--schema-only', '-f', "$dir/schema.sql", 'postgres' ], 'pg_dump --schema-only');

# ---- another cluster ----

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->append_conf('postgresql.conf', 'autovacuum = off');
$new->start;
isnt($new->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()'),
	$node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()'), 'another cluster');
# transaction ids that mean something else there
$new->safe_psql('postgres', 'SELECT pg_current_xact_id()') foreach (1 .. 3);
$new->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE template0") foreach ('plain', 'jobs', 'clean', 'data');

$new->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'plain', '-f', "$dir/plain.sql" ], 'psql');
goes_on($new, 'plain', 'pg_dump | psql', $history, 2);

$new->command_ok([ 'pg_restore', '-e', '-j2', '-d', 'jobs', "$dir/dump" ], 'pg_restore -j2');
goes_on($new, 'jobs', 'pg_restore -j2', $history, 2);

# over what is there already
$new->safe_psql('clean', q{CREATE EXTENSION dbvc; SELECT FROM dbvc.migration_register('x', 'SELECT 1')});
$new->command_ok([ 'pg_restore', '-e', '--clean', '--if-exists', '-d', 'clean', "$dir/dump" ], 'pg_restore --clean');
goes_on($new, 'clean', 'pg_restore --clean', $history, 2);

$new->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'data', '-f', "$dir/schema.sql" ], 'the schema alone');
is($new->safe_psql('data', 'SELECT count(*) FROM dbvc.change_event'), '0', '... has no history');
$new->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'data', '-f', "$dir/data.sql" ], 'and then the data');
# what it ends with leaves guards that a replica would skip: verify says so, and how to put it right
is($new->safe_psql('data', q{SELECT string_agg(detail, E'\n' ORDER BY detail) FROM dbvc.migration_verify(scripts => false) WHERE NOT ok AND id IS NULL AND "check" = 'guard'}),
	join("\n", map { "trigger ${_}_guard is not ENABLE ALWAYS: run ALTER TABLE dbvc.$_ ENABLE ALWAYS TRIGGER ${_}_guard" } 'change_event', 'change_event_text', 'definition', 'incarnation', 'snapshot_page'),
	'--data-only --disable-triggers: the guards are named');
$new->safe_psql('data', "ALTER TABLE dbvc.$_ ENABLE ALWAYS TRIGGER ${_}_guard") foreach ('change_event', 'change_event_text', 'definition', 'incarnation', 'snapshot_page');
goes_on($new, 'data', '--data-only --disable-triggers', $history, 2);

# ---- the same cluster ----

$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE template0');
$node->command_ok([ 'pg_restore', '-e', '-d', 'copied', "$dir/dump" ], 'pg_restore into another database of the cluster');
goes_on($node, 'copied', 'another database of the same cluster', $history, 1);
$node->safe_psql('postgres', 'CREATE DATABASE template TEMPLATE postgres');
goes_on($node, 'template', 'CREATE DATABASE TEMPLATE', $history, 1);

# ---- from one encoding to another: hashes are over UTF-8 ----

$node->safe_psql('postgres', q{CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'});
is(error_of($node, { db => 'latin1' }, q{SET client_encoding = 'UTF8'}, 'CREATE EXTENSION dbvc', q{SELECT FROM dbvc.migration_register('l1', 'CREATE TABLE "größe" (a text DEFAULT ''ä;'')',
	'DROP TABLE "größe"', 'SELECT count(*) = 0 FROM "größe"', 'Größe', 'Åse', source => 'x')}, 'CALL dbvc.migrate()',
	q{SELECT FROM dbvc.migration_register('l2', E'-- ü\nCOPY "größe" FROM stdin;\nö\n\\\\.\n')}), '', 'a history in LATIN1');
is($node->safe_psql('latin1', 'SELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok'), '0', '... holds');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/latin1.dump", 'latin1' ], '... is dumped');
$node->safe_psql('postgres', q{CREATE DATABASE from_latin1 TEMPLATE template0 ENCODING 'UTF8'});
$node->command_ok([ 'pg_restore', '-e', '-d', 'from_latin1', "$dir/latin1.dump" ], '... and restored in UTF-8');
my $checksums = q{SELECT encode(checksum, 'hex') FROM dbvc.migration_version ORDER BY id};
is($node->safe_psql('from_latin1', $checksums), $node->safe_psql('latin1', $checksums), '... with its checksums');
is($node->safe_psql('from_latin1', 'SELECT id, "check", detail FROM dbvc.migration_verify() WHERE NOT ok'), '', '... and holds');
is(error_of($node, { db => 'from_latin1' }, 'CALL dbvc.migrate()', 'CALL dbvc.rollback(steps => 1)') =~ s/^NOTICE.*\n|^LOCATION.*\n//gmr =~ /VC008/ ? 'no down script' : 'something else',
	'no down script', '... and goes on');
is($node->safe_psql('from_latin1', 'SELECT * FROM "größe"'), 'ö', '... with the right characters');
is($node->safe_psql('from_latin1', q{SELECT encode(dbvc.migration_checksum('-- ü'), 'hex')}),
	run_sql($node, { db => 'latin1' }, q{SET client_encoding = 'UTF8'}, q{SELECT encode(dbvc.migration_checksum('-- ü'), 'hex')})->{out} =~ s/\n//r, 'a checksum does not depend on the encoding');

# ---- and back: the cluster is known already ----

$new->safe_psql('plain', q{SELECT FROM dbvc.migration_register('m10', 'CREATE TABLE m10 ()')});
$new->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/back.dump", 'plain' ], 'pg_dump of what was restored');
my $at_new = history($new, 'plain');
$node->safe_psql('postgres', 'CREATE DATABASE back TEMPLATE template0');
$node->command_ok([ 'pg_restore', '-e', '-d', 'back', "$dir/back.dump" ], 'pg_restore, back in the old cluster');
ok(history($node, 'back') eq $at_new, 'the history of two clusters is the same, byte for byte');
is(error_of($node, { db => 'back' }, q{CALL dbvc.migrate()}), '', 'migrating goes on there');
is($node->safe_psql('back', q{SELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok}), '0', 'every record holds');
is($node->safe_psql('back', q{SELECT string_agg(DISTINCT system_identifier::text, ',') =
	(SELECT system_identifier::text FROM pg_control_system()) FROM dbvc.incarnation i
	WHERE inc = (SELECT inc FROM dbvc.change_event ORDER BY id DESC LIMIT 1)}), 't', 'the newest records name the right cluster');

$new->stop;
$node->stop;
done_testing();
