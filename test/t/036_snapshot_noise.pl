# What is not a difference: maintenance, data, what other sessions do, what says what is already so, and how the database
# stores its texts.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Snapshots;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('noise', SNAPSHOT_CONF);
my $db = new_database($node, 'noise');

everything($node, $db, 'everything.sql', 'not_dumped.sql');
$node->safe_psql($db, q{INSERT INTO ev.hen SELECT i FROM generate_series(1, 100) i; INSERT INTO ev.indexed SELECT i, 'b' || i, to_tsvector('x'), '{1}', i, '(1,2)' FROM generate_series(1, 100) i});
$node->safe_psql($db, 'SELECT FROM dbvc.snapshot_capture(settings => true)');
my $fingerprint = q{SELECT encode(dbvc.snapshot_fingerprint(settings => true), 'hex')};
my $before = $node->safe_psql($db, $fingerprint);
my $differences = q{SELECT change, object_type, identity, attribute, before, after FROM dbvc.snapshot_diff((SELECT id FROM dbvc.snapshot ORDER BY captured_at DESC LIMIT 1))};

# no_difference(NAME, SQL...): each in a session of its own when it begins with VACUUM and so on
sub no_difference
{
	my ($name, @sql) = @_;
	my $error = error_of($node, { db => $db }, 'SET client_min_messages = error', @sql);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($error, '', "$name: done");
	is($node->safe_psql($db, $differences), '', "$name: no difference");
	is($node->safe_psql($db, $fingerprint), $before, '... and the same fingerprint');
}

# ---- maintenance ----

my @catalogs = split /\n/, $node->safe_psql($db, q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND NOT relisshared ORDER BY 1});

no_difference('VACUUM FULL', 'VACUUM (FULL, ANALYZE) ev."simple", ev.columns, ev.indexed, ev.constrained');
no_difference('VACUUM FREEZE of everything', 'VACUUM (FREEZE)');
no_difference('VACUUM FULL of the catalogs', map { "VACUUM FULL $_" } @catalogs);
no_difference('VACUUM FREEZE of the catalogs', map { "VACUUM (FREEZE) $_" } @catalogs);
no_difference('REINDEX', 'REINDEX TABLE ev.indexed', 'REINDEX TABLE ev.constrained', 'REINDEX INDEX ev.replica_index_key');
no_difference('REINDEX SYSTEM', "REINDEX SYSTEM $db");
no_difference('REINDEX CONCURRENTLY', 'REINDEX TABLE CONCURRENTLY ev.indexed');
no_difference('CLUSTER', 'CLUSTER ev.clustered', 'CLUSTER ev.constrained USING constrained_key');
no_difference('ANALYZE', 'ANALYZE');
no_difference('REFRESH MATERIALIZED VIEW', 'REFRESH MATERIALIZED VIEW ev."Odd ""Stored"""', 'REFRESH MATERIALIZED VIEW ev."Odd ""Stored""" WITH NO DATA');
no_difference('data', q{INSERT INTO ev.owned VALUES (1, 2)}, 'TRUNCATE ev.replica_full, ev.none', q{UPDATE ev.hen SET mother = id WHERE id > 50}, 'DELETE FROM ev.hen WHERE id < 50', q{SELECT nextval('ev.simple_seq')}, q{SELECT setval('ev.owned_seq', 77)}, q{SELECT lo_create(0)}, 'NOTIFY told', 'CHECKPOINT');

# ---- what is already so ----

no_difference('what is already so', map { "SET search_path = ev; $_" }
	'ALTER TABLE columns SET (fillfactor = 70)', q{ALTER TABLE columns ALTER a SET DEFAULT 'x'}, 'ALTER TABLE columns ALTER a SET NOT NULL', 'ALTER TABLE columns ALTER a SET STATISTICS 300', 'ALTER TABLE columns ALTER a SET (n_distinct = -0.5)',
	'ALTER TABLE columns ALTER w SET STORAGE MAIN', 'ALTER TABLE columns ALTER c SET COMPRESSION pglz', 'ALTER TABLE columns ALTER id SET GENERATED ALWAYS', 'ALTER TABLE columns ALTER "select" TYPE int', 'ALTER TABLE columns ALTER q TYPE timestamptz',
	'ALTER TABLE columns OWNER TO CURRENT_USER', 'ALTER TABLE owned OWNER TO regress_dbvc_owner', 'ALTER TABLE "simple" REPLICA IDENTITY DEFAULT', 'ALTER TABLE clustered CLUSTER ON clustered_b', 'ALTER TABLE in_space SET TABLESPACE "regress_dbvc Space"',
	'ALTER TABLE constrained ENABLE ROW LEVEL SECURITY', 'ALTER TABLE columns SET LOGGED', 'ALTER TABLE constrained DISABLE TRIGGER on_truncate', 'ALTER TABLE "simple" DISABLE RULE also', 'ALTER INDEX plain_index RESET (fillfactor)',
	'ALTER SEQUENCE "Odd Seq" INCREMENT BY -3 CYCLE', 'ALTER FUNCTION plain(int) VOLATILE COST 100 CALLED ON NULL INPUT SECURITY INVOKER', 'ALTER FUNCTION plain(int) RESET ALL', 'CREATE OR REPLACE VIEW no_columns AS SELECT FROM none', 'ALTER VIEW all_kinds ALTER s DROP DEFAULT',
	'ALTER STATISTICS some_stats SET STATISTICS 50', 'ALTER DOMAIN positive SET NOT NULL', 'ALTER DOMAIN positive SET DEFAULT 1', 'ALTER EVENT TRIGGER ev_start DISABLE', q{ALTER SERVER far VERSION '9.1'}, q{ALTER SERVER far OPTIONS (SET password 'a new secret')}, q{ALTER PUBLICATION "some" SET (publish = 'delete, insert')}, q{ALTER PUBLICATION "some" SET TABLE ev.constrained, ONLY ev.parent WHERE (a > 3), ev.columns (a, id)},
	q{COMMENT ON TABLE columns IS 'a table'}, 'COMMENT ON TABLE none IS NULL', 'COMMENT ON COLUMN columns.b IS NULL', 'ALTER EXTENSION citext SET SCHEMA ext', 'ALTER OPERATOR == (mood, text) SET (RESTRICT = eqsel)', q{ALTER DATABASE noise SET search_path = ev, public}, 'ALTER POLICY mine ON constrained TO "regress_dbvc ""Odd"" rôle", regress_dbvc_reader');
no_difference('privileges that are the default', map { "SET search_path = ev; $_" }
	'GRANT ALL ON none TO CURRENT_USER', 'REVOKE ALL ON none FROM PUBLIC', 'REVOKE ALL ON none FROM regress_dbvc_reader', 'GRANT EXECUTE ON FUNCTION one_value(numeric) TO PUBLIC', 'GRANT USAGE ON TYPE pair TO PUBLIC', 'GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC',
	'GRANT ALL ON SCHEMA moved TO CURRENT_USER', 'GRANT ALL ON SEQUENCE simple_seq TO regress_dbvc_owner', 'GRANT SELECT ON columns TO regress_dbvc_reader WITH GRANT OPTION', 'GRANT ALL ON FOREIGN SERVER "Odd Server" TO CURRENT_USER', 'REVOKE SELECT (w) ON columns FROM regress_dbvc_owner', 'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO regress_dbvc_reader',
	'ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_writer GRANT EXECUTE ON FUNCTIONS TO PUBLIC');
# made anew, it is the same, though with another OID and at another place of the catalog
no_difference('made anew', 'BEGIN', 'SET search_path = ev', 'DROP VIEW sampled', 'CREATE VIEW sampled AS SELECT * FROM owned TABLESAMPLE bernoulli (10) REPEATABLE (1) UNION (SELECT 1, 2 EXCEPT SELECT 3, 4) ORDER BY 1 FETCH FIRST 3 ROWS WITH TIES',
	'DROP INDEX brin_index', 'CREATE INDEX brin_index ON indexed USING brin (a) WITH (autosummarize = true, pages_per_range = 8)',
	'ALTER TABLE refers DROP CONSTRAINT refers_a_fkey', 'ALTER TABLE refers ADD FOREIGN KEY (a) REFERENCES "simple" ON UPDATE SET NULL ON DELETE CASCADE',
	'DROP TABLE replica_full', 'CREATE TABLE replica_full (x int, a int)', 'ALTER TABLE replica_full DROP x', 'ALTER TABLE replica_full REPLICA IDENTITY FULL', 'REVOKE ALL ON replica_full, sampled FROM regress_dbvc_reader', 'COMMIT',
	# comments that were given to all
	q{SET search_path = ev; DO $$ BEGIN IF length('ev.sampled') % 3 <> 0 THEN COMMENT ON VIEW sampled IS 'about the view'; END IF; IF length('ev.brin_index') % 3 <> 0 THEN COMMENT ON INDEX brin_index IS 'about the index'; END IF;
		IF length('refers_a_fkey on ev.refers') % 3 <> 0 THEN COMMENT ON CONSTRAINT refers_a_fkey ON refers IS 'about the table constraint'; END IF; IF length('ev.replica_full') % 3 <> 0 THEN COMMENT ON TABLE replica_full IS 'about the table'; END IF; END $$});
no_difference('there and back', 'BEGIN', 'ALTER TABLE ev.none RENAME TO some_name', 'ALTER TABLE ev.some_name RENAME TO none', 'ALTER TABLE ev.columns RENAME a TO b_', 'ALTER TABLE ev.columns RENAME b_ TO a', q{ALTER TYPE ev.mood RENAME VALUE 'ok' TO 'fine'}, q{ALTER TYPE ev.mood RENAME VALUE 'fine' TO 'ok'}, 'COMMIT', 'CREATE TABLE ev.for_a_while (a serial PRIMARY KEY)', 'DROP TABLE ev.for_a_while');
no_difference('rolled back', 'BEGIN', 'DROP SCHEMA ev CASCADE', 'ROLLBACK', 'BEGIN', 'CREATE TABLE ev.for_a_while (a serial PRIMARY KEY)', 'SAVEPOINT s', 'ALTER TABLE ev.columns DROP later CASCADE', 'ROLLBACK TO s', 'ROLLBACK');

# ---- others ----

my $other = job($node, 'other', { db => $db }, 'CREATE TEMP TABLE "simple" (id int PRIMARY KEY, t text); CREATE TEMP VIEW v AS SELECT * FROM "simple"; CREATE TEMP SEQUENCE s; CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql RETURN 1; CREATE TYPE pg_temp.e AS ENUM (\'x\')', 'SELECT pg_sleep(600)');
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'other' AND query ~ 'pg_sleep' AND state = 'active'});
no_difference('temporary things of another session', 'SELECT 1');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'other'});
eval { finish($other) };
no_difference('temporary things of this session', 'CREATE TEMP TABLE columns (a int) ON COMMIT DROP; CREATE TEMP TABLE t (id serial PRIMARY KEY); ' . $fingerprint);
is($node->safe_psql($db, "CREATE TEMP TABLE t (id serial PRIMARY KEY, m ev.mood); CREATE TEMP VIEW v AS SELECT * FROM ev.columns; $fingerprint"), $before, '... while they are there');
my $prepared = error_of($node, { db => $db }, 'BEGIN', 'CREATE TABLE ev.prepared (a int)', q{PREPARE TRANSACTION 'p'});
no_difference('a prepared transaction', 'SELECT 1');
$node->safe_psql($db, q{ROLLBACK PREPARED 'p'});
$node->safe_psql('postgres', 'CREATE TABLE elsewhere (a int); CREATE ROLE regress_dbvc_unrelated; COMMENT ON ROLE regress_dbvc_unrelated IS \'x\'; GRANT regress_dbvc_unrelated TO regress_dbvc_reader; ALTER ROLE regress_dbvc_reader CONNECTION LIMIT 7; CREATE DATABASE unrelated; ALTER SYSTEM SET work_mem = \'5MB\'');
no_difference('what others do in other databases, and roles', 'SELECT 1');
no_difference('other OIDs, after a restart', 'CHECKPOINT');
$node->restart;
no_difference('a restart', 'SELECT 1');
$node->stop('immediate');
$node->start;
no_difference('a crash', 'SELECT 1');
is($node->safe_psql($db, $fingerprint =~ s/settings => true/settings => true, "full" => true/r), $before, 'in the end, all read anew, it is the same');

# ---- how the database stores its texts ----

my $schema = q{CREATE SCHEMA "größe"; CREATE TABLE "größe"."Straße" ("é" text DEFAULT 'ü' CHECK ("é" <> 'ß'), b varchar(5) CHECK (b IN ('ä', 'b'))); COMMENT ON TABLE "größe"."Straße" IS 'Ärger'; CREATE VIEW "größe".v AS SELECT "é" || 'ö' AS x FROM "größe"."Straße" WHERE b IN ('ä', 'z') ORDER BY 1;
	CREATE TABLE "größe".a (a int); CREATE TABLE "größe"."B" (a int); CREATE TABLE "größe"."_c" (a int); CREATE TABLE "größe"."Z" (a int); CREATE TABLE "größe"."É" (a int); CREATE COLLATION "größe".c (provider = libc, locale = 'C'); CREATE TYPE "größe".e AS ENUM ('ä', 'Z', 'a'); CREATE INDEX ON "größe"."Straße" (upper("é") COLLATE "C");
	CREATE FUNCTION "größe".f("ä" text) RETURNS text LANGUAGE sql AS 'SELECT ''ß'''; };
my %options = ('UTF8, C' => q{ENCODING 'UTF8' LOCALE 'C'}, 'UTF8, C.UTF-8' => q{ENCODING 'UTF8' LOCALE 'C.UTF-8'}, 'UTF8, ICU' => q{ENCODING 'UTF8' LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'de'}, 'LATIN1' => q{ENCODING 'LATIN1' LOCALE 'C'}, 'LATIN9' => q{ENCODING 'LATIN9' LOCALE 'C'}, 'WIN1252' => q{ENCODING 'WIN1252' LOCALE 'C'});
my ($first, $definitions);
my $i = 0;

foreach my $option (sort keys %options)
{
	my $name = new_database($node, 'texts' . ++$i, $options{$option});

	$node->safe_psql($name, "SET client_encoding = 'UTF8'; SET client_min_messages = error; $schema");
	my $found = fingerprint($node, $name);
	$first //= $found;
	is($found, $first, "encoding and locale $option");
	$node->safe_psql($name, 'SELECT FROM dbvc.snapshot_capture()');
	is(full_fingerprint($node, $name), $first, '... and anew');
	is($node->safe_psql($name, $differences), '', '... and without a difference to its own snapshot');
}

$node->stop;
done_testing();
