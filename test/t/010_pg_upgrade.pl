# pg_upgrade takes the history along: into a new cluster, with its ids and its guards. (From a major to itself: what pg_upgrade does
# to an extension is the same.)
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = dbvc_node('old');

# from 18 on pg_upgrade looks for '$libdir/dbvc' nowhere but in the installation
if ($old->pg_version >= 18 && !-e $old->config_data('--pkglibdir') . '/dbvc.so')
{
	$old->stop;
	plan skip_all => 'dbvc is staged, not installed';
}
my $history = q{
	SELECT 'event', id, inc, xid, body, leaf_hash, event_type, migration_id FROM dbvc.change_event ORDER BY id;
	SELECT 'text', event_id, field, salt, content FROM dbvc.change_event_text ORDER BY event_id, field;
	SELECT 'incarnation', i.* FROM dbvc.incarnation i ORDER BY inc;
	SELECT 'state', s.* FROM dbvc.migration_state s ORDER BY id;
	SELECT 'status', s.* FROM dbvc.migration_status s;};

$old->safe_psql('postgres', 'CREATE TABLE t (a int)');
dbvc_register($old, 'm1', 'CREATE TABLE m1 (); CREATE INDEX CONCURRENTLY m1_idx ON t (a)', down_script => q{'DROP TABLE m1; DROP INDEX m1_idx'});
is(error_of($old, 'CALL dbvc.migrate()'), '', 'a history');
dbvc_register($old, 'm2', 'CREATE TABLE m2 ()');
# an adopted table: one document is split, one is whole
$old->safe_psql('postgres', q{CREATE TABLE users (id bigint PRIMARY KEY, data jsonb); INSERT INTO users VALUES (1, '{"dreamBook": [1, {"id": "a"}]}'), (2, '{"dreamBook": [2.0]}');
	SELECT FROM dbvc.document_adopt('users', '{"dreamBook": "dream"}'); UPDATE users SET data = data || '{"split": true}' WHERE id = 1});
my $documents = q{SELECT * FROM users ORDER BY id; SELECT * FROM users_base ORDER BY id; SELECT * FROM users_items ORDER BY id, item_id; SELECT d.* FROM dbvc.document d};
my $stored = $old->safe_psql('postgres', $documents);
my $before = $old->safe_psql('postgres', $history);
my $max = $old->safe_psql('postgres', 'SELECT max(id) FROM dbvc.change_event');
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
my $bin = $new->config_data('--bindir');
chdir $PostgreSQL::Test::Utils::tmp_check;
command_ok([ "$bin/pg_upgrade", '--no-sync', '-b', $bin, '-B', $bin, '-d', $old->data_dir, '-D', $new->data_dir, '-p', $old->port, '-P', $new->port,
	'-s', $new->host ], 'pg_upgrade');
$new->start;
is($new->safe_psql('postgres', $history), $before, 'the history is the same, byte for byte');
is_sql($new, 'SELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok', '0', '... and holds');
is(error_of($new, 'CALL dbvc.migrate()', 'CALL dbvc.rollback(steps => 1)') =~ /VC008/, 1, 'migrating goes on');
is_sql($new, "SELECT count(*) FROM dbvc.change_event WHERE id > $max AND inc = 1", '0', 'in the next incarnation');
is_sql($new, q{SELECT string_agg(id || ' ' || status, ', ') FROM dbvc.migration_status}, 'm1 applied, m2 applied', 'everything is applied');
like(error_of($new, 'DELETE FROM dbvc.change_event'), qr/VC013/, 'the guards are there');
is_sql($new, 'SELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok', '0', 'every record holds');
is($new->safe_psql('postgres', $documents), $stored, 'an adopted table is the same, documents and items');
is_sql($new, q{UPDATE users SET data = jsonb_set(data, '{dreamBook,0}', '"new"') RETURNING data->'dreamBook'->0}, qq{"new"\n"new"}, '... and goes on');
is_sql($new, 'SELECT doc_version FROM users_base ORDER BY id', "2\n1", '... by items');

$new->stop;
done_testing();
