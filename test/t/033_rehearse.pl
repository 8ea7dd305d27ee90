# Rehearsals and snapshots after runs, beside other sessions: locks, lock_timeout, cancelling, others who change
# definitions meanwhile, deaths; and nothing stays.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Test::More;

my $node = dbvc_node('rehearse', 'dbvc.snapshot_on_migrate = on', 'autovacuum = off');
my ($host, $port) = ($node->host, $node->port);

# what a script runs in another session
sub elsewhere { my ($sql) = @_; return qq{COPY (SELECT '$sql') TO PROGRAM 'psql -X -q -d "host=$host port=$port dbname=postgres"'}; }
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub fingerprint { return sql('SELECT dbvc.snapshot_fingerprint()'); }
sub drift { return sql('SELECT change, object_type, identity FROM dbvc.snapshot_drift()'); }
sub rehearsals { return sql("SELECT ok, error_sqlstate FROM dbvc.migration_rehearsal WHERE id = '$_[0]' ORDER BY event_id"); }
sub withdraw { sql("SELECT dbvc.migration_withdraw('$_[0]', 'tried')"); return; }

sql('CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE other (id int); CREATE SEQUENCE s');

# ---- a snapshot after each CALL that has changed something ----

dbvc_register($node, 'a1', 'CREATE TABLE a (id int)', down_script => q{'DROP TABLE a'});
is(error_of($node, 'CALL dbvc.migrate()'), '', 'a migration is applied');
is_sql($node, 'SELECT label FROM dbvc.snapshot', 'migrate: a1', '... and a snapshot taken');
is(error_of($node, 'CALL dbvc.migrate()'), '', 'nothing to do');
is_sql($node, 'SELECT count(*) FROM dbvc.snapshot', '1', '... no snapshot');
is(drift(), '', 'no drift');
sql('ALTER TABLE t ADD COLUMN by_hand int');
is(drift(), 'created|table column|public.t.by_hand', 'drift');
sql('ALTER TABLE t DROP COLUMN by_hand');
is(drift(), '', '... and back');

# a snapshot that is cancelled is a warning; the migration is applied, and so it says
dbvc_register($node, 'a2', 'CREATE TABLE a2 (id int)', down_script => q{'DROP TABLE a2'});
my $blocker = job($node, 'blocker', 'BEGIN; LOCK TABLE dbvc.definition; SELECT pg_sleep(60)');
wait_for($node, q{SELECT count(*) = 1 FROM pg_locks WHERE relation = 'dbvc.definition'::regclass AND mode = 'AccessExclusiveLock'});
my $job = job($node, 'migrating', 'CALL dbvc.migrate()', 'SELECT 1');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'migrating' AND wait_event_type = 'Lock'});
is_sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND objsubid = 1 AND classid = 'pg_extension'::regclass}, '1', 'a snapshot is taken under the run lock');
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'migrating'});
ok(finish($job), 'a cancelled snapshot is no failure');
like($job->{err}, qr/WARNING:  57014: no snapshot was taken: canceling statement due to user request/, '... but a warning');
like($job->{err}, qr/HINT:.*snapshot_capture/, '... that says what to do');
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'blocker'});
finish($blocker);
is_sql($node, q{SELECT status FROM dbvc.migration_status WHERE id = 'a2'}, 'applied', '... the migration is applied');
is_sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND objsubid = 1 AND classid = 'pg_extension'::regclass}, '0', '... the run lock is free');
sql(q{SELECT dbvc.snapshot_capture('by hand')});

# an error that no script raises, after something was applied: the next row is locked
dbvc_register($node, 'a3', 'CREATE TABLE a3 (id int)', down_script => q{'DROP TABLE a3'});
dbvc_register($node, 'a4', 'CREATE TABLE a4 (id int)', down_script => q{'DROP TABLE a4'});
$blocker = job($node, 'blocker', q{BEGIN; SELECT FROM dbvc.migration_state WHERE id = 'a4' FOR UPDATE; SELECT pg_sleep(60)});
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'blocker' AND wait_event = 'PgSleep'});
like(error_of($node, q{SET lock_timeout = '200ms'}, 'CALL dbvc.migrate()'), qr/canceling statement due to lock timeout/, 'the next row is locked');
is_sql($node, 'SELECT label FROM dbvc.snapshot ORDER BY event_id DESC LIMIT 1', 'migrate: a3', '... a snapshot of what was applied');
is(drift(), '', '... no drift');
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'blocker'});
finish($blocker);
is(error_of($node, 'CALL dbvc.migrate()'), '', '... and on');

# ---- locks ----

dbvc_register($node, 'b1', 'ALTER TABLE t ADD COLUMN b1 int', down_script => q{'ALTER TABLE t DROP COLUMN b1; DROP TABLE other'});
my $before = fingerprint();
$blocker = job($node, 'blocker', 'BEGIN; LOCK TABLE other IN SHARE MODE; SELECT pg_sleep(60)');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'blocker' AND wait_event = 'PgSleep'});
like(error_of($node, q{SET lock_timeout = '200ms'}, 'CALL dbvc.migrate(rehearse => true)'),
	qr/55P03: canceling statement due to lock timeout.*rehearsal of migration "b1"/s, 'lock_timeout ends a rehearsal');
is(rehearsals('b1'), 'f|55P03', '... which is recorded');

# cancelled
$job = job($node, 'rehearsing', 'CALL dbvc.migrate(rehearse => true)');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'rehearsing' AND wait_event_type = 'Lock'});
is_sql($node, q{SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock'}, '1', 'locks of the up script are held meanwhile');
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'rehearsing'});
ok(!finish($job), 'a cancelled rehearsal');
like($job->{err}, qr/57014: canceling statement due to user request/, '... says so');
is(rehearsals('b1'), "f|55P03\nf|57014", '... and is recorded');

# killed
$job = job($node, 'rehearsing', 'CALL dbvc.migrate(rehearse => true)');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'rehearsing' AND wait_event_type = 'Lock'});
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('rehearsing', 'blocker')});
finish($job);
finish($blocker);
wait_gone($node, 'rehearsing');
wait_gone($node, 'blocker');
is(fingerprint(), $before, 'nothing of all that stays');
is_sql($node, q{SELECT status FROM dbvc.migration_status WHERE id = 'b1'}, 'pending', '... and it is pending');
is_sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND objsubid = 1 AND classid = 'pg_extension'::regclass}, '0', '... the run lock is free');

# migration_verify(reversal) does not wait for another run, and the other way round
$job = job($node, 'verifying', q{BEGIN; SELECT count(*) FROM dbvc.migration_verify('a4', reversal => true); SELECT pg_sleep(60)});
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'verifying' AND wait_event = 'PgSleep'});
like(error_of($node, q{SELECT * FROM dbvc.migration_verify(reversal => true)}), qr/55P03: another session is running migrations/, 'one at a time');
like(error_of($node, q{SELECT FROM dbvc.migration_apply('b1')}), qr/55P03/, '... of any kind');
is_sql($node, q{SELECT count(*) FROM pg_locks WHERE relation = 'a4'::regclass}, '0', 'no lock of the scripts is left in the transaction');
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'verifying'});
finish($job);
withdraw('b1');

# ---- others who change definitions meanwhile ----

dbvc_register($node, 'c1', elsewhere('CREATE TABLE IF NOT EXISTS others ()'), down_script => q{'SELECT 1'});
is(error_of($node, 'CALL dbvc.migrate(rehearse => true)'), '', 'what others do is not the scripts doing');
is(rehearsals('c1'), 't|', '... and the rehearsal went well');
dbvc_register($node, 'c2', elsewhere(q{CREATE TABLE others_' || nextval('s') || ' ()}), down_script => q{'SELECT 1'});
like(error_of($node, 'CALL dbvc.migrate(rehearse => true)'), qr/40001: definitions changed while migration "c2" was rehearsed/, 'unless it never ends');
is(rehearsals('c2'), 'f|40001', '... which is recorded');
withdraw('c2');
dbvc_register($node, 'c3', elsewhere('CREATE TABLE IF NOT EXISTS others3 ()') . '; CREATE TABLE c3 ()', down_script => q{'SELECT 1'});
like(error_of($node, 'CALL dbvc.migrate(rehearse => true)'),
	qr/VC022: down script of migration "c3" does not restore the definitions\nDETAIL:  created table public\.c3\n/, 'and what is the scripts doing is told from it');
withdraw('c3');
unlike(sql('SELECT identity FROM dbvc.snapshot_drift()'), qr/c3/, 'nothing of it stays');
all_sound($node, 'after all of it');

done_testing();
