# What is kept of snapshots: the same in every encoding, after a dump and on a standby, and while many take them at once.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = $PostgreSQL::Test::Utils::tmp_check;
my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "autovacuum = off\nclient_encoding = 'UTF8'\ndbvc.snapshot_on_migrate = off\n");
$node->start;

# sql(DATABASE, SQL): what psql says
sub sql
{
	my ($db, $sql) = @_;

	return $node->safe_psql($db, "SET client_encoding = 'UTF8'; $sql");
}

my $schema = q{
	CREATE SCHEMA "schön";
	CREATE TABLE "schön"."Größe" ("Länge" int DEFAULT 1 CHECK ("Länge" > 0), "naïve ""x""" text DEFAULT 'é ''" \\ ');
	COMMENT ON COLUMN "schön"."Größe"."Länge" IS 'in Metern, § 5 »x«';
	CREATE VIEW "schön".v AS SELECT "Länge" AS "Weite" FROM "schön"."Größe" WHERE "naïve ""x""" <> 'ü';
	CREATE FUNCTION "schön".f("grün" int) RETURNS text LANGUAGE sql AS 'SELECT ''Ä''';
	CREATE TYPE "schön".farbe AS ENUM ('grün', 'weiß');
	CREATE TABLE a (id int PRIMARY KEY, b text);
	CREATE INDEX ON a (lower(b));
};

# ---- encodings ----

my %encoding = (utf8 => 'UTF8', latin1 => 'LATIN1', ascii => 'SQL_ASCII');
my %snapshot;
foreach my $db (sort keys %encoding)
{
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0 ENCODING '$encoding{$db}' LC_COLLATE 'C' LC_CTYPE 'C'");
	sql($db, "CREATE EXTENSION dbvc; $schema");
	$snapshot{$db} = sql($db, q{SELECT dbvc.snapshot_capture('vor März')});
}
my %fingerprint = map { $_ => sql($_, 'SELECT fingerprint FROM dbvc.snapshot') } keys %encoding;
like($fingerprint{utf8}, qr/^\\x[0-9a-f]{64}$/, 'a fingerprint');
is($fingerprint{latin1}, $fingerprint{utf8}, 'LATIN1: the same');
is($fingerprint{ascii}, $fingerprint{utf8}, 'SQL_ASCII: the same');
foreach my $db (sort keys %encoding)
{
	is(sql($db, 'SELECT object_type, identity, schema, parent, hash FROM dbvc.snapshot_objects()'),
		sql('utf8', 'SELECT object_type, identity, schema, parent, hash FROM dbvc.snapshot_objects()'), "$db: the same objects");
	is(sql($db, q{SELECT hash, body FROM dbvc.definition WHERE hash IN (SELECT hash FROM dbvc.snapshot_objects()) ORDER BY hash}),
		sql('utf8', q{SELECT hash, body FROM dbvc.definition WHERE hash IN (SELECT hash FROM dbvc.snapshot_objects()) ORDER BY hash}), "$db: the same texts");
	is(sql($db, q{SELECT count(*) FROM dbvc.definition WHERE hash <> sha256(convert_to(body, 'UTF8'))}), '0', "$db: hashes are those of UTF-8");
	is(sql($db, q{SELECT dbvc.snapshot_document() #>> ARRAY['objects', 'table', '"schön"."Größe"', 'columns', '0', 'comment']}), 'in Metern, § 5 »x«', "$db: readable")
	  or diag sql($db, q{SELECT dbvc.snapshot_document() -> 'objects' -> 'table'});
	is(sql($db, q{SELECT dbvc.snapshot_fingerprint('{schön}') <> dbvc.snapshot_fingerprint()}), 't', "$db: a schema by its name");
}

# bytes that are no UTF-8 are in nobody's way where the database does not know what they are
is($node->safe_psql('ascii', q{SET client_encoding = 'SQL_ASCII'; DO $$BEGIN EXECUTE 'COMMENT ON TABLE a IS ''' || E'\xe9\xff' || ''''; END$$; SELECT dbvc.snapshot_capture() IS NOT NULL}),
	't', 'SQL_ASCII: any bytes');
is($node->safe_psql('ascii', q{SELECT count(*) FROM dbvc.snapshot_drift()}), '0', '... which are the same bytes again');
isnt($node->safe_psql('ascii', q{SELECT dbvc.snapshot_fingerprint("full" => true)}), $fingerprint{utf8}, '... and make a difference');

# ---- dump and restore ----

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/snapshot.dump", 'utf8' ], 'pg_dump');
my $history = sql('utf8', 'SELECT * FROM dbvc.snapshot; SELECT * FROM dbvc.definition ORDER BY hash; SELECT * FROM dbvc.snapshot_page ORDER BY hash');
foreach my $copy (['copy', 'UTF8'], ['copy_latin1', 'LATIN1'])
{
	my ($db, $encoding) = @$copy;

	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
	$node->command_ok([ 'pg_restore', '-e', '-d', $db, "$dir/snapshot.dump" ], "pg_restore into $encoding");
	is(sql($db, 'SELECT * FROM dbvc.snapshot; SELECT * FROM dbvc.definition ORDER BY hash; SELECT * FROM dbvc.snapshot_page ORDER BY hash'),
		$history, "$db: the snapshots are the same");
	is(sql($db, 'SELECT count(*) FROM dbvc.snapshot_state'), '0', "$db: the cache was not dumped");
	is(sql($db, 'SELECT dbvc.snapshot_fingerprint()'), $fingerprint{utf8}, "$db: the schema is the same");
	is(sql($db, 'SELECT * FROM dbvc.snapshot_drift()'), '', "$db: no drift");
	sql($db, 'SELECT dbvc.snapshot_capture()');
	is(sql($db, q{SELECT count(*) FROM dbvc.definition}), sql('utf8', q{SELECT count(*) FROM dbvc.definition}), "$db: another snapshot needs no definition");
	sql($db, 'ALTER TABLE a RENAME b TO c');
	is(sql($db, q{SELECT change, identity, before, after FROM dbvc.snapshot_drift()}), 'renamed|public.a.c|"public.a.b"|"public.a.c"', "$db: a rename");
	my @changes = split(/\n/, sql($db, qq{SELECT change, object_type, identity FROM dbvc.snapshot_diff('$snapshot{utf8}')}));
	ok((grep { $_ eq 'created|table column|public.a.c' } @changes) && (grep { $_ eq 'dropped|table column|public.a.b' } @changes),
		"$db: to a snapshot of another database OIDs prove nothing") or diag join("\n", @changes);
}

# ---- two at once ----

my $n = sql('utf8', 'SELECT count(*) FROM dbvc.snapshot');
sub waiting { return "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = '$_[0]' AND wait_event_type = 'Lock'"; }
sub sleeping { return "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = '$_[0]' AND wait_event = 'PgSleep'"; }
sub holder
{
	my ($end) = @_;
	my $job = job($node, 'holder', { db => 'utf8' }, "BEGIN", "SELECT dbvc.snapshot_capture()", 'DO $$BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN END$$', $end);

	wait_for($node, sleeping('holder'));
	return $job;
}
sub release { $node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'}); }

my $a = holder('COMMIT');
sql('utf8', 'SELECT dbvc.snapshot_capture()') foreach (1 .. 3);
is(sql('utf8', 'SELECT count(*) FROM dbvc.snapshot'), $n + 3, 'nothing new: nobody waits');
sql('utf8', 'BEGIN; CREATE TABLE mine (id int); SELECT dbvc.snapshot_capture(); ROLLBACK');
sql('utf8', 'CREATE TABLE later (id int)');
sql('utf8', 'SELECT dbvc.snapshot_capture()');
is(sql('utf8', 'SELECT count(*) FROM dbvc.snapshot'), $n + 4, 'something new that is only ours: nobody waits');
release();
ok(finish($a), 'the first one ends') or diag $a->{err};
is(sql('utf8', 'SELECT count(*), count(DISTINCT id), count(DISTINCT fingerprint) FROM dbvc.snapshot'), join('|', $n + 5, $n + 5, 2), 'all are kept');

my $round = 0;
foreach my $many (0, 400)
{
	foreach my $end ('COMMIT', 'ROLLBACK')
	{
		$round++;
		# few are written by SQL, many past it
		sql('utf8', "DO \$\$BEGIN FOR i IN 0..$many LOOP EXECUTE format('CREATE TABLE same_${round}_%s (id int, n%s int)', i, i); END LOOP; END\$\$");
		$a = holder($end);
		my $b = job($node, 'second', { db => 'utf8' }, 'SELECT dbvc.snapshot_capture()');
		wait_for($node, waiting('second'));
		pass("$many, $end: the same definitions: the second waits");
		release();
		ok(finish($a), "$many, $end: the first ends") or diag $a->{err};
		ok(finish($b), "$many, $end: and the second") or diag $b->{err};
		is(sql('utf8', q{SELECT count(*) FROM dbvc.snapshot_objects() o WHERE NOT EXISTS (SELECT 1 FROM dbvc.definition d WHERE d.hash = o.hash)}),
			'0', "$many, $end: it is complete");
		is(sql('utf8', 'SELECT count(*) FROM dbvc.snapshot_drift()'), '0', "$many, $end: and true");
	}
}
sql('utf8', 'CREATE TABLE last (id int); SELECT dbvc.snapshot_capture()');
is(sql('utf8', 'SELECT count(*) FROM dbvc.snapshot_state'), '1', 'one state is left');

# a transaction of another isolation level does not see what was stored meanwhile, and stores no second
$a = job($node, 'repeatable', { db => 'utf8' }, 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM pg_class',
	'DO $$BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN END$$', 'SELECT dbvc.snapshot_capture()', 'SELECT count(*) FROM dbvc.snapshot_drift()', 'COMMIT');
wait_for($node, sleeping('repeatable'));
sql('utf8', 'CREATE TABLE unseen (id int); SELECT dbvc.snapshot_capture()');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'repeatable'});
ok(finish($a), 'REPEATABLE READ') or diag $a->{err};
is(sql('utf8', q{SELECT count(*) FROM dbvc.snapshot_objects() WHERE identity = 'public.unseen'}), '1', '... captures what is committed');

# ---- many at once, with DDL between them ----

sql('utf8', 'CREATE TABLE busy (id int)');
my $pgbench = "$dir/pgbench.sql";
append_to_file($pgbench, q{
SELECT random() AS r, :client_id AS c \gset
DROP TABLE IF EXISTS busy_:c;
CREATE TABLE busy_:c (id int, x int DEFAULT :random_seed);
SELECT dbvc.snapshot_capture();
DROP TABLE busy_:c;
SELECT count(*) FROM dbvc.snapshot_drift();
});
my $before = sql('utf8', 'SELECT count(*) FROM dbvc.snapshot');
my ($out, $err) = run_command([ 'pgbench', '-n', '-c', '6', '-j', '2', '-t', '15', '-f', $pgbench, '--max-tries=1', $node->connstr('utf8') ]);
my $after = sql('utf8', 'SELECT count(*) FROM dbvc.snapshot');
cmp_ok($after - $before, '>', 15, 'many snapshots at once: ' . ($after - $before)) or diag $out, $err;
unlike($err, qr/ERROR:(?!.*(changes? faster|40001|could not serialize))/, 'no error but 40001') or diag $err;
is(sql('utf8', 'SELECT count(*) - count(DISTINCT id) FROM dbvc.snapshot'), '0', 'ids are unique');
is(sql('utf8', q{
	SELECT count(*) FROM (SELECT s.id, s.fingerprint = sha256('dbvc-snapshot\000'::bytea || int4send(1) || int4send(s.server_version::int / 10000)
		|| string_agg(int4send(octet_length(convert_to(o.object_type, 'UTF8'))) || convert_to(o.object_type, 'UTF8')
		|| int4send(octet_length(convert_to(o.identity, 'UTF8'))) || convert_to(o.identity, 'UTF8') || o.hash, ''::bytea
		ORDER BY convert_to(o.object_type, 'UTF8'), convert_to(o.identity, 'UTF8'))) AS ok, bool_and(d.hash IS NOT NULL) AS whole
	FROM dbvc.snapshot s, dbvc.snapshot_objects(s.id) o LEFT JOIN dbvc.definition d ON d.hash = o.hash GROUP BY s.id, s.fingerprint, s.server_version) t
	WHERE NOT ok OR NOT whole}), '0', 'each is whole');

# ---- pages that somebody has made up, with hashes that fit ----

$node->safe_psql('postgres', "CREATE DATABASE forged");
sql('forged', 'CREATE EXTENSION dbvc; CREATE TABLE t (a int PRIMARY KEY, b text); ALTER TABLE t DROP b; ALTER TABLE t ADD c int; CREATE VIEW v AS SELECT * FROM t; SELECT dbvc.snapshot_capture()');
is(sql('forged', q{
	BEGIN;
	ALTER TABLE dbvc.change_event DISABLE TRIGGER ALL;
	CREATE TEMP TABLE result (state text);
	CREATE TEMP TABLE snapshot AS SELECT e.id, e.body, dbvc.event_bytea(e.body, 'list_hash') AS root FROM dbvc.change_event e;
	-- the snapshot's list is this page
	CREATE FUNCTION pg_temp.attempt(page bytea) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		forged bytea;
	BEGIN
		INSERT INTO dbvc.snapshot_page VALUES (sha256(page), page) ON CONFLICT DO NOTHING;
		SELECT overlay(s.body PLACING sha256(page) FROM position(s.root IN s.body)) INTO forged FROM snapshot s;
		UPDATE dbvc.change_event SET body = forged, leaf_hash = dbvc.event_leaf_hash(forged);
		PERFORM count(*) FROM dbvc.snapshot_objects();
		RETURN 'read';
	EXCEPTION WHEN OTHERS THEN RETURN sqlstate;
	END$$;
	DO $$
	DECLARE
		root bytea := (SELECT p.body FROM dbvc.snapshot_page p JOIN snapshot s ON p.hash = s.root);
		leaf record;
		forged bytea;
	BEGIN
		SELECT p.* INTO leaf FROM dbvc.snapshot_page p JOIN snapshot s ON p.hash <> s.root LIMIT 1;
		FOR i IN 0 .. length(root) - 1 LOOP
			INSERT INTO result SELECT pg_temp.attempt(set_byte(root, i, k)) FROM unnest(ARRAY[0, 1, 127, 255]) k;
			INSERT INTO result SELECT pg_temp.attempt(substr(root, 1, i));
		END LOOP;
		FOR i IN 0 .. length(leaf.body) - 1 BY 3 LOOP
			FOREACH forged IN ARRAY ARRAY[set_byte(leaf.body, i, 0), set_byte(leaf.body, i, 31), set_byte(leaf.body, i, 255), substr(leaf.body, 1, i)] LOOP
				INSERT INTO dbvc.snapshot_page VALUES (sha256(forged), forged) ON CONFLICT DO NOTHING;
				INSERT INTO result SELECT pg_temp.attempt(overlay(root PLACING sha256(forged) FROM position(leaf.hash IN root)));
			END LOOP;
		END LOOP;
	END$$;
	SELECT state FROM result GROUP BY state HAVING count(*) > 20 OR state NOT IN ('read', 'VC016', '22021') ORDER BY state COLLATE "C";
	ROLLBACK;}), "22021\nVC016\nread", 'forged pages are read or refused');

# ---- standby ----

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
sql('utf8', 'DROP TABLE later');
$node->wait_for_catchup($standby);
is($standby->safe_psql('utf8', 'SELECT dbvc.snapshot_fingerprint()'), sql('utf8', 'SELECT dbvc.snapshot_fingerprint()'), 'standby: fingerprint');
is($standby->safe_psql('utf8', 'SELECT dbvc.snapshot_fingerprint("full" => true)'), sql('utf8', 'SELECT dbvc.snapshot_fingerprint("full" => true)'), 'standby: from nothing');
is($standby->safe_psql('utf8', q{SELECT dbvc.snapshot_document()->>'snapshot'}), sql('utf8', q{SELECT dbvc.snapshot_document()->>'snapshot'}), 'standby: document');
my ($rc, $stdout, $stderr) = $standby->psql('utf8', q{SELECT change, identity FROM dbvc.snapshot_drift() WHERE identity = 'public.later'});
is($stdout, 'dropped|public.later', 'standby: drift');
like($stderr, qr/NOTICE:  drift is not recorded: this server is read-only/, '... which it cannot record, and says so');
is($standby->safe_psql('utf8', qq{SELECT count(*) > 0 FROM dbvc.snapshot_diff('$snapshot{utf8}')}), 't', 'standby: diff');
like(error_of($standby, { db => 'utf8' }, 'SELECT dbvc.snapshot_capture()'), qr/ERROR:  25006: /, 'standby: no snapshot');
is($node->safe_psql('utf8', q{SELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok}), '0', 'every record holds');

done_testing();
