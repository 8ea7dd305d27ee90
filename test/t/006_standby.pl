# On a streaming standby history can be read; whatever would write says that it cannot. After promotion it goes on.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', 'autovacuum = off');
$primary->start;
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

$primary->safe_psql('postgres', 'CREATE EXTENSION dbvc; CREATE TABLE t (a int)');
dbvc_register($primary, 'm1', 'INSERT INTO t VALUES (1)', down_script => q{'DELETE FROM t'});
dbvc_register($primary, 'm2', 'CREATE INDEX CONCURRENTLY m2_idx ON t (a); INSERT INTO t VALUES (2)', down_script => q{'DROP INDEX m2_idx'});
is(error_of($primary, 'CALL dbvc.migrate()'), '', 'migrations on the primary');
$primary->wait_for_catchup($standby);

my @views = split(/\n/, $primary->safe_psql('postgres', q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'dbvc'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1}));
foreach my $view (@views)
{
	is($standby->safe_psql('postgres', "SELECT * FROM $view ORDER BY 1, 2"), $primary->safe_psql('postgres', "SELECT * FROM $view ORDER BY 1, 2"), "$view is the same");
}
is(error_of($standby, 'CALL dbvc.migrate()'), '', 'nothing to do: nothing to complain of');
is($standby->safe_psql('postgres', 'SELECT count(*), bool_and(ok) FROM dbvc.migration_verify()'), '6|t', 'records can be verified');

dbvc_register($primary, 'm3', 'INSERT INTO t VALUES (3)', verify_script => q{'SELECT count(*) > 0 FROM t'});
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT id, action FROM dbvc.migration_plan()'), 'm3|apply', 'the plan can be read');

my @writes = (
	'CALL dbvc.migrate()', 'CALL dbvc.migrate(dry_run => true)', 'CALL dbvc.rollback()',
	q{SELECT FROM dbvc.migration_apply('m3')}, q{SELECT FROM dbvc.migration_rollback('m2')},
	q{SELECT FROM dbvc.migration_register('m4', 'SELECT 1')}, q{SELECT FROM dbvc.migration_register('m3', 'SELECT 1')},
	q{SELECT FROM dbvc.migration_accept('m1', 'SELECT 1', reason => 'r')}, q{SELECT dbvc.migration_baseline('m3', 'r')},
	q{SELECT dbvc.migration_state_rebuild()});
foreach my $sql (@writes)
{
	like(error_of($standby, $sql), qr/ERROR:  25006: /, "standby: $sql: read-only");
}
foreach my $sql (@writes)
{
	like(error_of($primary, 'SET default_transaction_read_only = on', $sql), qr/ERROR:  25006: /, "read-only session: $sql");
}
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'object'}), '0', 'no lock is left');
is($primary->safe_psql('postgres', q{SELECT id, status FROM dbvc.migration_status}), "m1|applied\nm2|applied\nm3|pending", 'nothing has happened');

$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
$primary->stop('immediate');
is(error_of($standby, 'CALL dbvc.migrate()'), '', 'promoted: migrating goes on');
is($standby->safe_psql('postgres', q{SELECT (SELECT string_agg(id || ' ' || status, ', ') FROM dbvc.migration_status), count(*) FROM t}),
	'm1 applied, m2 applied, m3 applied|3', '... with what was pending');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok'), '0', 'every record holds');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM dbvc.incarnation'), '1', 'it is the same cluster still');

$standby->stop;
done_testing();
