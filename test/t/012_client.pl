# The client program: a directory taken to the database and back, what it refuses, and its answers as JSON.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('client', 'autovacuum = off');
my $tmp = PostgreSQL::Test::Utils::tempdir;
my $dir = "$tmp/shop";
my $hash = qr/[0-9a-f]{64}/;
my $db;

client_uses($node);

# What does the database say? In the database in use.
sub sql { return $node->safe_psql($db, $_[0]); }
sub statuses { return sql(q{SELECT string_agg(id || ' ' || status, ', ' ORDER BY position) FROM dbvc.migration_status}); }

# One row of an answer for each migration, as "ID KEY KEY"
sub rows
{
	my ($answer, @keys) = @_;

	return join(', ', map { my $row = $_; join(' ', map { $row->{$_} // '-' } ('id', @keys)) } @{ $answer->{migrations} });
}

ok(client_schema(), 'docs/client.schema.json is there');

# ---- up, again, back ----

$db = new_db('CREATE TABLE ran (what text)');
put_files($dir,
	'1_customer.up.sql' => "CREATE TABLE customer (id int);\nINSERT INTO ran VALUES ('1');\n",
	'1_customer.down.sql' => "DROP TABLE customer;\n",
	'2_orders.up.sql' => "-- Author: Ada\nCREATE TABLE orders (id int);\nINSERT INTO ran VALUES ('2');\n",
	'2_orders.down.sql' => "DROP TABLE orders;\n",
	'10_index.up.sql' => "CREATE INDEX CONCURRENTLY orders_id ON orders (id);\n",
	'10_index.down.sql' => "DROP INDEX orders_id;\n");

client_says(1, qr/pending \Q$dir\E\/1_customer.*pending \Q$dir\E\/2_orders.*pending \Q$dir\E\/10_index/s, 'check of what is new', 'check', $dir);
my $plan = client_json(0, 'plan', 'plan', $dir);
is(rows($plan, 'action', 'why', 'file'),
	"1_customer apply new $dir/1_customer.up.sql, 2_orders apply new $dir/2_orders.up.sql, 10_index apply new $dir/10_index.up.sql", 'a plan, in order');
like($plan->{plan_hash}, qr/^$hash$/, '... with its hash');
is($plan->{migrations}[1]{author}, 'Ada', '... and the author');
client_says(0, qr/1\s+apply\s+1_customer\s+new\n.*2\s+apply\s+2_orders\s+new\n.*3\s+apply\s+10_index\s+new\nplan $plan->{plan_hash}\n/s, 'the same as text', 'plan', $dir);
is(events(), '', 'check and plan register nothing');

my $job = client_says(0, qr/1\/3.* applied 1_customer .*\n.*2\/3.* applied 2_orders .*\n.*3\/3.* applied 10_index .*\n3 migrations applied\n/, 'migrate', 'migrate', $dir);
unlike($job->{out} . $job->{err}, qr/[\e\r]/, '... plain where it is no terminal');
is($job->{err}, '', '... nothing on stderr');
is(statuses(), '1_customer applied, 2_orders applied, 10_index applied', '... did it');
is(sql(q{SELECT string_agg(indisvalid::text, ',') FROM pg_index WHERE indexrelid = 'orders_id'::regclass}), 'true', '... also what refuses a transaction');

my $events = events();
$job = client_is(0, 'migrate again', 'migrate', $dir);
is($job->{out} . $job->{err}, "nothing to do\n", '... says so');
client_is(0, 'a / at the end is the same directory', 'migrate', "$dir/");
client_says(0, qr/^3 migrations, applied and unchanged\n$/, 'check', 'check', $dir);
is(client_is(0, 'check --quiet', 'check', '-q', $dir)->{out}, '', '... says nothing');
client_says(0, qr/^nothing to do\n$/, 'plan', 'plan', $dir);
is(client_json(0, 'plan of nothing', 'plan', $dir)->{plan_hash}, undef, '... has no hash');
is(events(), $events, 'none of these is an event');
is(sql('SELECT string_agg(what, what ORDER BY what) FROM ran'), '122', 'each ran once');

my $status = client_json(0, 'status', 'status');
is(rows($status, 'status', 'kind', 'role', 'version'), '1_customer applied versioned postgres 1, 2_orders applied versioned postgres 1, 10_index applied versioned postgres 1', '... what there is');
is(join(' ', map { $_->{time} =~ /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ && $_->{checksum} =~ /^$hash$/ && $_->{duration_ms} >= 0 ? () : $_->{id} } @{ $status->{migrations} }), '', '... since when, how long');
is("$status->{database} $status->{command}", "$db status", '... and where');
client_says(0, qr/^applied +1_customer .*\n^applied +2_orders .*\n^applied +10_index /m, 'the same as text', 'status');
client_says(0, qr/^\d+ checks, 0 failed\n$/, 'verify', 'verify');
is(scalar(grep { !$_->{ok} } @{ client_json(0, 'verify of one', 'verify', '2_orders')->{migrations} }), 0, '... every check holds');

client_says(0, qr/rolled back 10_index .*\n1 migration rolled back\n/, 'rollback', 'rollback');
is(rows(client_json(0, 'rollback --steps with a directory', 'rollback', '--steps=2', $dir), 'status', 'file'),
	"2_orders rolled back $dir/2_orders.up.sql, 1_customer rolled back $dir/1_customer.up.sql", '... tells which');
is(statuses(), '1_customer rolled back, 2_orders rolled back, 10_index rolled back', '... does it');
is(rows(client_json(0, 'migrate --target', 'migrate', '--target=2_orders', $dir), 'status', 'statements'), '1_customer applied 2, 2_orders applied 2', '... stops there');
is(statuses(), '1_customer applied, 2_orders applied, 10_index rolled back', '... really');
client_is(0, 'a target as a version', 'migrate', '-t', '10', $dir);
client_says(0, qr/rolled back 10_index.*rolled back 2_orders.*2 migrations rolled back/s, 'rollback --target, as a file', 'rollback', "--target=$dir/1_customer.up.sql", $dir);
is(statuses(), '1_customer applied, 2_orders rolled back, 10_index rolled back', '... keeps the target');
client_says(1, qr/nobody/, 'rollback to an unknown target', 'rollback', '--target=nobody');
client_says(1, qr/nobody/, 'migrate to an unknown target', 'migrate', '--target=nobody', $dir);
client_says(1, qr/10_index/, 'rollback to a target that is not applied', 'rollback', '--target=10_index', $dir);

# ---- reviewed plans, dry runs ----

$plan = client_json(0, 'a plan for review', 'plan', $dir);
$events = events();
client_says(1, qr/reviewed/, 'another hash', 'migrate', '--expect=' . '0' x 64, $dir);
put_files($dir, '3_new.up.sql' => "CREATE TABLE new (id int);\n");
my $error = client_json(1, 'a file more than was reviewed', 'migrate', "--expect=$plan->{plan_hash}", $dir);
is($error->{error}{sqlstate}, 'VC011', '... is another plan');
is(statuses() =~ s/3_new pending, //r, '1_customer applied, 2_orders rolled back, 10_index rolled back', '... of which nothing runs');
put_files($dir, '3_new.up.sql' => undef);
client_is(0, 'withdrawn again', 'withdraw', '3_new', '--reason=not now');
put_files($dir, '10_index.up.sql' => "CREATE INDEX CONCURRENTLY orders_id ON orders (id, id);\n");
client_says(1, qr/plan/, 'a file that was edited since', 'migrate', "--expect=$plan->{plan_hash}", $dir);
put_files($dir, '10_index.up.sql' => "CREATE INDEX CONCURRENTLY orders_id ON orders (id);\n");

my $relations = q{SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace};
my $before = sql($relations);
$job = client_says(0, qr/2_orders.*10_index/s, 'a dry run', 'migrate', '--dry-run', $dir);
unlike($job->{out}, qr/\d migrations? applied/, '... does not say that it applied anything');
is(rows(client_json(0, 'a dry run', 'migrate', '--dry-run', $dir), 'file'), "2_orders $dir/2_orders.up.sql, 10_index $dir/10_index.up.sql", '... tells what was tried');
is(sql($relations), $before, '... leaves nothing');
is(statuses(), '1_customer applied, 2_orders rolled back, 3_new withdrawn, 10_index rolled back', '... applies nothing');
client_is(0, 'the plan that was reviewed', 'migrate', "--expect=$plan->{plan_hash}", $dir);
is(sql(q{SELECT string_agg(encode(dbvc.event_bytea(body, 'plan_hash'), 'hex'), ' ') FROM (SELECT body FROM dbvc.change_event WHERE event_type = 'completed' ORDER BY id DESC LIMIT 2) e}),
	"$plan->{plan_hash} $plan->{plan_hash}", '... runs, and the record has its hash');
client_is(0, 'a dry run of a rollback', 'rollback', '--dry-run', '--steps=2', $dir);
is(statuses(), '1_customer applied, 2_orders applied, 3_new withdrawn, 10_index applied', '... rolls nothing back');
put_files($dir, '11_bad.up.sql' => "SELECT 1;\nSELECT nope;\n");
client_says(1, qr/11_bad\.up\.sql:2:8: error: .*nope/, 'a dry run that fails', 'migrate', '--dry-run', $dir);
is(sql($relations), $before + 2, '... leaves nothing either');
client_says(1, qr/11_bad\.up\.sql:2:8: error: .*nope/, 'a run that fails', 'migrate', $dir);
$error = client_json(1, 'it fails again', 'migrate', $dir);
is(rows($error, 'status', 'file'), "11_bad failed $dir/11_bad.up.sql", '... which one');
is(join(' ', map { $error->{error}{$_} // '-' } ('sqlstate', 'migration', 'script', 'file', 'line', 'column')), "42703 11_bad up $dir/11_bad.up.sql 2 8", '... where and why');
like(rows(client_json(1, 'check after a failure', 'check', $dir), 'status'), qr/11_bad failed/, '... says that it failed');
put_files($dir, '11_bad.up.sql' => "SELECT 1;\n");
client_is(0, 'put right it goes on', 'migrate', $dir);
client_says(1, qr/no down script/, 'without a down script there is no way back', 'rollback', $dir);

# ---- a file that changed after it was applied ----

sub changes { return sql(q{SELECT string_agg(migration_id, ' ' ORDER BY id) FROM dbvc.change_event WHERE event_type = 'changed'}); }

my $file = "$dir/1_customer.up.sql";
my @times = (stat($file))[ 8, 9 ];
my $size = -s $file;
my $text = slurp_file($file);

put_files($dir, '1_customer.up.sql' => $text =~ s/'1'/'9'/r);
utime(@times, $file) or die $!;
is(-s $file, $size, 'one byte of an applied file is edited');
is((stat($file))[9], $times[1], '... and its time put back');
$events = events();
client_says(1, qr/^changed \Q$file\E: .*\nHINT:.*\n.*accept/, 'check', 'check', $dir);
is(changes(), '1_customer', '... and it is recorded');
client_is(1, 'check again', 'check', $dir);
put_files($dir, '12_more.up.sql' => 'CREATE TABLE more ();');
client_says(1, qr/^changed \Q$file\E: /, 'migrate refuses', 'migrate', $dir);
client_is(1, 'plan refuses', 'plan', $dir);
is(rows(client_json(1, 'migrate refuses', 'migrate', $dir), 'verdict', 'file'), "1_customer changed $file", '... and says which');
is(rows(client_json(1, 'check', 'check', $dir), 'verdict'), '1_customer changed, 12_more new', '... too');
is(client_is(1, 'migrate --quiet', 'migrate', '-q', $dir)->{err} =~ /1_customer/, 1, '... says what is wrong all the same');
is(events(), "$events, changed 1_customer", '... recorded once, nothing registered, nothing applied');
is(sql(q{SELECT encode(dbvc.event_bytea(body, 'checksum'), 'hex') = encode(dbvc.migration_checksum('} . (slurp_file($file) =~ s/'/''/gr) . q{', E'DROP TABLE customer;\n'), 'hex')
	FROM dbvc.change_event WHERE event_type = 'changed'}), 't', '... with the checksum that was found');
put_files($dir, '1_customer.up.sql' => $text =~ s/'1'/'8'/r);
client_is(1, 'another change', 'check', $dir);
is(changes(), '1_customer 1_customer', '... is another record');

client_says(2, qr/--reason/, 'accept without a reason', 'accept', $dir, '1_customer');
client_says(2, qr/--reason/, 'accept with an empty one', 'accept', $dir, '1_customer', '--reason=');
client_says(2, qr/no migration "99"/, 'accept of what is not there', 'accept', $dir, '99', '--reason=x');
client_says(0, qr/^accepted 1_customer$/m, 'accept', 'accept', $dir, '1', '--reason=a typo');
is(sql(q{SELECT reason FROM dbvc.change_event_text t JOIN (SELECT max(id) AS id FROM dbvc.change_event WHERE event_type = 'accepted') e ON e.id = t.event_id,
	LATERAL (SELECT t.content AS reason) r WHERE t.field = 'reason'}), 'a typo', '... with its reason');
is(rows(client_json(1, 'only the new one is left', 'check', $dir), 'status'), '12_more pending', '... and no change');
client_is(0, 'and applied', 'migrate', $dir);
put_files($dir, '2_orders.down.sql' => undef);
client_says(1, qr/^changed .*2_orders/, 'a down file that is gone is a change', 'check', $dir);
is(rows(client_json(0, 'it is accepted', 'accept', $dir, '2_orders', '--reason=no way back'), 'status'), '2_orders accepted', '... tells so');
client_is(0, 'and all is well', 'check', $dir);
is(sql(q{SELECT count(down_script) FROM dbvc.migration WHERE id = '2_orders'}), '0', '... and there is no way back');
client_is(0, 'what was accepted is sound', 'verify');

# ---- a file that is gone ----

put_files($dir, '12_more.up.sql' => undef, '13_later.up.sql' => 'CREATE TABLE later ();');
$events = events();
client_says(1, qr/^missing 12_more: applied\nHINT:.*--allow-missing.*withdraw/s, 'a missing file', 'migrate', $dir);
client_is(1, '... hinders a plan', 'plan', $dir);
is(rows(client_json(1, '... and a check', 'check', $dir), 'verdict'), '12_more missing, 13_later new', '... which says so');
is(events(), $events, '... and nothing is registered');
is(rows(client_json(0, 'plan --allow-missing', 'plan', '--allow-missing', $dir), 'action'), '13_later apply', '... goes on without it');
client_is(0, 'migrate --allow-missing', 'migrate', '--allow-missing', $dir);
client_is(0, 'check --allow-missing', 'check', '--allow-missing', $dir);
client_is(1, 'check without', 'check', $dir);
client_says(2, qr/--reason/, 'withdraw without a reason', 'withdraw', '12_more');
client_says(1, qr/nobody/, 'withdraw of what is not there', 'withdraw', 'nobody', '--reason=x');
is(rows(client_json(0, 'withdraw', 'withdraw', '12_more', '--reason=merged'), 'status'), '12_more withdrawn', '... tells so');
client_is(0, '... and nothing is missing', 'check', $dir);
put_files($dir, '12_more.up.sql' => 'CREATE TABLE more ();');
client_is(0, 'the file is back', 'migrate', $dir);
client_is(0, '... and counts', 'check', $dir);
like(statuses(), qr/12_more applied/, '... as what it was');

# ---- a baseline ----

$db = new_db('CREATE TABLE customer (id int); CREATE TABLE orders (id int); CREATE INDEX orders_id ON orders (id)');
client_says(2, qr/--reason/, 'baseline without a reason', 'baseline', $dir, '10_index');
is(events(), '', '... registers nothing');
is(rows(client_json(0, 'baseline', 'baseline', $dir, '10', '--reason=it was there'), 'status'), '10_index baselined', '... tells so');
is(rows(client_json(0, '... and what comes after it is left', 'plan', $dir)), '11_bad, 12_more, 13_later', '... in the plan');
client_says(0, qr/3 migrations applied/, '... and to do', 'migrate', $dir);
client_is(0, '... and all is well', 'check', $dir);

# ---- proof of reversal ----

put_files("$tmp/back", 'V1__there.sql' => "CREATE TABLE there (id int);\n", 'U1__there.sql' => "DROP TABLE there;\n",
	'V2__more.sql' => "ALTER TABLE there ADD a int;\nALTER TABLE there ADD b int;\n", 'U2__more.sql' => "ALTER TABLE there DROP a;\n");
$db = new_db();
client_says(0, qr/tried V1__there .*rehearsed: its down script restores the definitions/, 'a dry run that rehearses', 'migrate', "$tmp/back", '--rehearse', '--dry-run', '--target=1');
client_says(1, qr/applied V1__there .*rehearsed/, 'a rehearsal', 'migrate', "$tmp/back", '--rehearse');
is(sql('SELECT id, ok, error_detail FROM dbvc.migration_rehearsal WHERE NOT ok'), 'V2__more|f|created table column public.there.b', '... of which one fails');
is(client_json(1, 'again', 'migrate', "$tmp/back", '--rehearse')->{error}{sqlstate}, 'VC022', '... with a state of its own');
client_says(1, qr/^FAILED +V2__more +reversal: created table column public\.there\.b$/m, 'verify names it', 'verify', '--reversal');
put_files("$tmp/back", 'U2__more.sql' => "ALTER TABLE there DROP a, DROP b;\n");
client_is(0, 'mended', 'migrate', "$tmp/back", '--rehearse');
client_is(0, '... and all can be taken back', 'verify', '--reversal');
client_is(2, 'only verify knows --reversal', 'migrate', "$tmp/back", '--reversal');

# ---- verify scripts ----

$db = new_db();
put_files("$tmp/sizes", '1_size.up.sql' => "CREATE TABLE size (name text);\nINSERT INTO size VALUES ('S'), ('L');\n",
	'verify/1_size.sql' => "SELECT count(*) = 2 FROM size;\n");
client_is(0, 'with a verify script', 'migrate', "$tmp/sizes");
client_is(0, '... which holds', 'verify');
sql(q{DELETE FROM size WHERE name = 'S'});
client_says(1, qr/^FAILED +1_size +verify script.*\n\d+ checks, 1 failed$/m, '... and does not any more', 'verify');
is(join(' ', map { $_->{ok} ? () : "$_->{id} $_->{check}" } @{ client_json(1, 'verify', 'verify', '1_size')->{migrations} }), '1_size verify script', '... which one');
client_is(0, 'that is no change of the directory', 'check', "$tmp/sizes");
put_files("$tmp/sizes", 'verify/1_size.sql' => "SELECT true;\n");
client_says(1, qr/^changed /, '... but an edited verify script is', 'check', "$tmp/sizes");

# ---- placeholders ----

$db = new_db();
put_files("$tmp/fly", 'V1__t.sql' => "CREATE TABLE t (what text);\nINSERT INTO t VALUES ('\${what}');\n");
client_says(2, qr/V1__t\.sql:2:24: error: placeholder \$\{what\} has no value\n.*\n.*\^\nHINT:.*--set/, 'a placeholder without a value', 'migrate', "$tmp/fly");
is(client_json(2, 'as JSON', 'migrate', "$tmp/fly")->{problems}[0]{line}, 2, '... its line');
client_says(2, qr/NAME=VALUE/, 'a value without a name', 'migrate', '--set', 'what', "$tmp/fly");
client_is(0, 'a value that holds =', 'migrate', '--set', 'what=a=${what}', "$tmp/fly");
is(sql('SELECT what FROM t'), 'a=${what}', '... and is not looked at again');
client_is(0, 'the same file with another value is the same', 'check', '--set', 'what=b', "$tmp/fly");
put_files("$tmp/fly", 'V1__t.sql' => "CREATE TABLE t (what text);\nINSERT INTO  t VALUES ('\${what}');\n");
client_is(1, 'another file is not', 'check', '--set', 'what=b', "$tmp/fly");

is_sql($node, q{SELECT count(*) FROM dbvc.change_event}, '0', 'nothing went to another database');
sound('in the end');
$node->stop;
done_testing();
