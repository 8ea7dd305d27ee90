# Who may do what, with real roles over real connections: what is not granted cannot be done, and what is granted
# cannot be turned into more.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('privileges', 'autovacuum = off');

$node->safe_psql('postgres', q{
	CREATE ROLE stranger LOGIN; CREATE ROLE visitor LOGIN; CREATE ROLE author LOGIN; CREATE ROLE operator LOGIN;
	CREATE ROLE reader LOGIN; CREATE ROLE auditor LOGIN; CREATE ROLE admin NOLOGIN SUPERUSER;
	GRANT CREATE, TEMPORARY ON DATABASE postgres TO stranger, operator;
	GRANT CREATE ON SCHEMA public TO stranger, operator;
	GRANT USAGE ON SCHEMA dbvc TO visitor, author, operator, reader, auditor;
	GRANT EXECUTE ON FUNCTION dbvc.migration_register
		TO author, operator;
	GRANT EXECUTE ON FUNCTION dbvc.migration_apply, dbvc.migration_rollback, dbvc.migration_verify,
		dbvc.migration_plan, dbvc.migration_order, dbvc.migration_baseline, dbvc.migration_reset,
		dbvc.migration_accept TO operator;
	GRANT EXECUTE ON PROCEDURE dbvc.migrate, dbvc.rollback TO operator;
	GRANT SELECT ON dbvc.migration_status, dbvc.migration_run TO operator, reader;
	GRANT EXECUTE ON FUNCTION dbvc.migration_order TO reader;
	GRANT SELECT ON ALL TABLES IN SCHEMA dbvc TO auditor;
	GRANT EXECUTE ON FUNCTION dbvc.migration_order, dbvc.migration_verify, dbvc.document_count, dbvc.snapshot_document TO auditor;
	CREATE TABLE ran (what text, who text DEFAULT current_user, session_who text DEFAULT session_user);
	GRANT INSERT, SELECT ON ran TO PUBLIC;
	CREATE TABLE secret (a int);
});
dbvc_register($node, 'a0', 'SELECT 1', down_script => q{'SELECT 1'});

sub as { my ($user, @sql) = @_; return error_of($node, { user => $user }, @sql); }

# What a whole history says, to see that nothing was added
sub events { return $node->safe_psql('postgres', 'SELECT count(*) FROM dbvc.change_event'); }

# ---- without a grant ----

my $routines = q{SELECT CASE prokind WHEN 'p' THEN 'CALL ' ELSE 'SELECT ' END || p.oid::regproc || '(' ||
	COALESCE((SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY o) FROM unnest(proargtypes::oid[]) WITH ORDINALITY u(t, o)), '') || ')'
	FROM pg_proc p WHERE pronamespace = 'dbvc'::regnamespace AND prorettype <> 'trigger'::regtype};
my @all = split(/\n/, $node->safe_psql('postgres', $routines));
my @closed = split(/\n/, $node->safe_psql('postgres', "$routines AND NOT has_function_privilege('visitor', oid, 'EXECUTE')
	AND NOT (proisstrict AND NOT proretset AND provolatile <> 'v')")); # those are not called with NULL, so nobody asks
my @relations = split(/\n/, $node->safe_psql('postgres', q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'dbvc'::regnamespace AND relkind IN ('r', 'v')}));
my $before = events();
my $version = $node->safe_psql('postgres', 'SELECT dbvc.version()');

cmp_ok(scalar(@closed), '>=', 10, 'there are functions that need a grant');
is(join(' ', grep { as('stranger', $_) !~ /ERROR:  42501: permission denied for schema dbvc/ } @all), '', 'a stranger gets at no function');
is(join(' ', grep { as('visitor', $_) !~ /ERROR:  42501: permission denied for (function|procedure)/ } @closed), '',
	'USAGE of the schema alone gives no function that reads or writes');
is(join(' ', grep { as('author', $_) !~ /ERROR:  42501: permission denied for (function|procedure)/ } grep { !/migration_register/ } @closed), '',
	'who may register may only register');
is_sql($node, q{SELECT string_agg(rolname || ' ' || c.oid::regclass || ' ' || p, ', ') FROM pg_roles, pg_class c,
	unnest('{SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER}'::text[]) p
	WHERE relnamespace = 'dbvc'::regnamespace AND relkind IN ('r', 'v') AND rolname IN ('stranger', 'visitor', 'author', 'operator', 'reader', 'auditor')
	AND has_table_privilege(rolname, c.oid, p)
	AND NOT (p = 'SELECT' AND (rolname = 'auditor' OR rolname IN ('operator', 'reader') AND relname IN ('migration_status', 'migration_run')))}, '',
	'nobody has a right on a table that was not granted');
foreach my $user ('visitor', 'operator', 'reader', 'auditor')
{
	my @failed;

	foreach my $relation (@relations)
	{
		foreach my $sql ("INSERT INTO $relation DEFAULT VALUES", "UPDATE $relation SET id = id", "DELETE FROM $relation",
			"TRUNCATE $relation", "ALTER TABLE $relation DISABLE TRIGGER ALL", "DROP TABLE $relation CASCADE",
			"CREATE TRIGGER x BEFORE INSERT ON $relation EXECUTE FUNCTION suppress_redundant_updates_trigger()")
		{
			push @failed, $sql if as($user, $sql) eq '';
		}
		last if $user ne 'operator';    # one relation for the others: the catalog has said it above
	}
	is(join('; ', @failed), '', "$user cannot forge or erase");
	like(as($user, q{SELECT setval('dbvc.change_event_id_seq', 1)}), qr/ERROR:  42501/, "$user cannot set ids");
	like(as($user, 'SELECT dbvc.version()', q{SET dbvc.environment = 'prod'}), qr/ERROR:  42501/, "$user cannot label records");
	is(run_sql($node, { user => $user }, q{SET dbvc.environment = 'prod'; SET dbvc.database_id = 'prod'}, 'SELECT dbvc.version()',
		q{SELECT current_setting('dbvc.environment') || current_setting('dbvc.database_id')})->{out}, "$version\n\n",
		"$user cannot even before the library is loaded");
	isnt(as($user, 'DROP EXTENSION dbvc CASCADE'), '', "$user cannot drop it");
	isnt(as($user, 'SET session_replication_role = replica'), '', "$user cannot switch guards off");
	isnt(as($user, q{CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE c AS 'dbvc', 'dbvc_migrate'}), '', "$user cannot bind C functions");
}
is(events(), $before, 'none of that is recorded');

# ---- reader, auditor ----

is(as('reader', 'SELECT count(*) FROM dbvc.migration_status', 'SELECT count(*) FROM dbvc.migration_run'), '', 'a reader reads status and runs');
foreach my $relation ('migration', 'migration_version', 'change_event', 'change_event_text', 'version_control')
{
	like(as('reader', "SELECT * FROM dbvc.$relation"), qr/ERROR:  42501/, "... but not the scripts: $relation");
}
is(as('auditor', map { "SELECT * FROM $_" } @relations), '', 'an auditor reads everything');
is(as('auditor', 'SELECT * FROM dbvc.migration_verify()'), '', '... and verifies');

# ---- registering is data, applying is power ----

my $evil = 'GRANT admin TO author; ALTER ROLE author SUPERUSER;';

is(as('author', "SELECT FROM dbvc.migration_register('b1', '$evil')"), '', 'an author may register what he may not do');
like(as('author', 'CALL dbvc.migrate()'), qr/ERROR:  42501/, '... but not apply it');
like(as('operator', 'CALL dbvc.migrate()'), qr/ERROR:  42501/, 'an operator may apply, but has no power over roles');
is_sql($node, q{SELECT session_username, role, status, error_sqlstate FROM dbvc.migration_run WHERE id = 'b1'}, 'operator|operator|failed|42501',
	'... which is on record with his name');
is_sql($node, q{SELECT rolsuper, pg_has_role('author', 'admin', 'MEMBER') FROM pg_roles WHERE rolname = 'author'}, 'f|f', 'the author has won nothing');
is_sql($node, q{SELECT registered_by FROM dbvc.migration_plan(out_of_order => true) WHERE id = 'b1'}, 'author', 'the plan shows who wrote it');
is(as('author', "SELECT FROM dbvc.migration_register('b1', 'INSERT INTO ran VALUES (''b1'')', 'INSERT INTO ran VALUES (''b1 down'')', 'SELECT true')"), '', 'mended');

# ---- an operator does his work ----

is(as('operator', 'CALL dbvc.migrate()'), '', 'operator: migrate');
is(as('operator', 'CALL dbvc.rollback()'), '', 'operator: rollback');
is(as('operator', q{SELECT FROM dbvc.migration_apply('b1')}), '', 'operator: apply');
is(as('operator', q{SELECT FROM dbvc.migration_rollback('b1')}, q{SELECT FROM dbvc.migration_apply('b1')}), '', 'operator: there and back');
is(as('operator', q{SELECT FROM dbvc.migration_register('b2', 'CREATE TABLE b2 (a int); INSERT INTO ran VALUES (''b2'')')}, q{CALL dbvc.migrate()}), '', 'operator: register');
is(as('operator', q{SELECT * FROM dbvc.migration_status}, q{SELECT * FROM dbvc.migration_run}, q{SELECT * FROM dbvc.migration_plan()},
	q{SELECT * FROM dbvc.migration_verify()}, q{CALL dbvc.migrate(dry_run => true)}), '', 'operator: status, plan, verify, dry run');
is(as('operator', q{SELECT FROM dbvc.migration_accept('b2', 'SELECT 2', reason => 'test')}), '', 'operator: accept');
is_sql($node, q{SELECT string_agg(DISTINCT who || ' ' || session_who, ', ') FROM ran}, 'operator operator', 'scripts ran as the operator');
is_sql($node, q{SELECT tableowner FROM pg_tables WHERE tablename = 'b2'}, 'operator', '... who owns what they made');
is_sql($node, q{SELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok}, '0', 'every record holds');
is_sql($node, q{SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'dbvc'::regnamespace}, 'postgres', 'dbvc belongs to who installed it');

# ---- no script climbs ----

# A superuser who has given up his rights with SET ROLE or SET SESSION AUTHORIZATION applies what somebody wrote.
my $n = 0;
my @climbs = (
	'RESET ROLE; %s', 'SET ROLE NONE; %s', 'SET ROLE postgres; %s', 'SET LOCAL ROLE postgres; %s',
	'RESET SESSION AUTHORIZATION; %s', 'SET SESSION AUTHORIZATION DEFAULT; %s', 'SET SESSION AUTHORIZATION postgres; %s',
	q{SELECT set_config('role', 'none', false); %s}, q{SELECT set_config('role', 'postgres', true); %s},
	q{SELECT set_config('session_authorization', 'postgres', false); %s},
	'RESET ALL; %s', 'DISCARD ALL; %s',
	q{DO $$BEGIN EXECUTE 'RESET ROLE'; EXECUTE '%s'; END$$;},
	q{DO $$BEGIN RESET ROLE; EXCEPTION WHEN OTHERS THEN NULL; END$$; %s},
	q{CREATE FUNCTION climb() RETURNS void LANGUAGE plpgsql SET role = postgres AS $$BEGIN %s END$$; SELECT climb();},
	q{CREATE FUNCTION climb() RETURNS void LANGUAGE plpgsql AS $$BEGIN RESET ROLE; %s END$$; SELECT climb();},
	# what runs at commit runs after the script
	q{CREATE TABLE at_commit (a int);
CREATE FUNCTION climb() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RESET ROLE; %s RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER climb AFTER INSERT ON at_commit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION climb();
INSERT INTO at_commit VALUES (1);},
	q{CREATE TABLE at_commit (a int);
CREATE FUNCTION climb() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('session_authorization', 'postgres', false); %s RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER climb AFTER INSERT ON at_commit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION climb();
INSERT INTO at_commit VALUES (1);});

foreach my $climb (@climbs)
{
	my $script = sprintf($climb, 'CREATE ROLE climber SUPERUSER; INSERT INTO secret VALUES (1);');
	(my $name = $script) =~ s/\s+/ /g;

	$name = substr($name, 0, 60);
	foreach my $give_up ('SET ROLE operator', 'SET SESSION AUTHORIZATION operator')
	{
		foreach my $how ('migrate', 'apply', 'steps', 'verify', 'superuser verify', 'down')
		{
			my $id = sprintf('c%04d', ++$n);
			my $call = $how eq 'apply' ? "SELECT FROM dbvc.migration_apply('$id')" : "CALL dbvc.migrate()";
			my $up = $how =~ /verify|down/ ? 'SELECT 1' : $script;
			my %more = $how eq 'steps' ? (transactional => 'false') : $how =~ /verify/ ? (verify_script => "\$v\$$script\$v\$")
			  : $how eq 'down' ? (down_script => "\$v\$$script\$v\$") : ();
			# all of it in one session: what a script leaves behind in it counts as well
			my @then = ($how eq 'superuser verify' ? ('RESET ROLE', "SELECT * FROM dbvc.migration_verify('$id')", 'SET ROLE operator')
				: $how eq 'verify' ? "SELECT * FROM dbvc.migration_verify('$id')" : $how eq 'down' ? 'CALL dbvc.rollback()' : ());

			next if $how ne 'migrate' && $give_up ne 'SET ROLE operator';
			my $more = join('', map { ", $_ => $more{$_}" } keys %more);
			my $run = run_sql($node, { keep_going => 1 }, "SELECT FROM dbvc.migration_register('$id', \$dbvc\$$up\$dbvc\$$more)", $give_up, $call, @then,
				q{SELECT 'user', current_user},
				# and in a new session: what has come of it; and out of the way of the next
				'\connect', q{SELECT 'climbed', (SELECT count(*) FROM pg_roles WHERE rolname = 'climber'), (SELECT count(*) FROM secret)},
				'DROP ROLE IF EXISTS climber', 'TRUNCATE secret', 'DROP TABLE IF EXISTS at_commit', 'DROP FUNCTION IF EXISTS climb CASCADE',
				"SELECT FROM dbvc.migration_baseline('$id', 'a test')");
			like($run->{out}, qr/^user\|operator\n(.*\n)*climbed\|0\|0$/m, "no climb: $how after $give_up: $name");
		}
	}
}

# who verifies does not lend his power to who applied
my $touched = "$PostgreSQL::Test::Utils::tmp_check/touched";
is(as('operator', qq{SELECT FROM dbvc.migration_register('c9999', 'SELECT 1', verify_script => 'COPY (SELECT 1) TO PROGRAM ''touch $touched''')}, 'CALL dbvc.migrate()'), '',
	'an operator applies a migration with an evil verify script');
is_sql($node, q{SELECT ok, detail ~ 'permission denied|must be superuser|pg_execute_server_program' FROM dbvc.migration_verify('c9999') WHERE "check" = 'verify script'},
	'f|t', '... which gets no more rights when a superuser verifies');
ok(!-e $touched, '... and did nothing');
is(run_sql($node, { user => 'auditor' }, q{SELECT ok, detail ~ '^not run' FROM dbvc.migration_verify('c9999') WHERE "check" = 'verify script'})->{out}, "|t\n",
	'... and is not run for who is not the operator');
is_sql($node, q{SELECT FROM dbvc.migration_accept('c9999', 'SELECT 1', reason => 'test')}, '', '... nor ever again');

# in the session itself nothing stays of a script, whatever it did
dbvc_register($node, 'd1', q{SET dbvc.environment = 'x'; SET ROLE operator; SET search_path = nowhere; SET lock_timeout = 1});
my $job = run_sql($node, q{CALL dbvc.migrate('d1')}, 'SELECT current_user, session_user', 'SHOW search_path', 'SHOW dbvc.environment', 'SHOW lock_timeout');
is($job->{out}, "postgres|postgres\n\"\$user\", public\n\n0\n", 'settings of a script end with it')
  or $node->safe_psql('postgres', q{SELECT dbvc.migration_baseline('d1', 'a test')});

# ---- trojans ----

# Whatever dbvc's own queries could look up by name, in a schema that stands before pg_catalog, and as temporary tables
$node->safe_psql('postgres', q{
	CREATE TABLE public.caught (what text, who text); GRANT INSERT ON public.caught TO PUBLIC;
	CREATE SCHEMA trojan AUTHORIZATION stranger; GRANT USAGE ON SCHEMA trojan TO PUBLIC;
});
$node->safe_psql('postgres', q{
	SET SESSION AUTHORIZATION stranger; SET search_path = trojan, pg_catalog;
	CREATE FUNCTION trojan.spring(what text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
		INSERT INTO public.caught VALUES (what, current_user); RETURN NULL; END$$;
	CREATE FUNCTION trojan.make(kind text, name text, args text, result text) RETURNS void LANGUAGE plpgsql AS $$BEGIN
		EXECUTE pg_catalog.format('CREATE FUNCTION trojan.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', name, args, result,
			pg_catalog.format('BEGIN PERFORM trojan.spring(%L); RETURN NULL; END', kind OPERATOR(pg_catalog.||) name)); END$$;
	SELECT trojan.make('function ', n, a, r) FROM (VALUES ('encode', 'bytea, text', 'text'), ('sha256', 'bytea', 'bytea'), ('convert_to', 'text, name', 'bytea'),
		('to_char', 'timestamp, text', 'text'), ('current_database', '', 'name'), ('pg_backend_pid', '', 'int'), ('nextval', 'regclass', 'bigint'),
		('event_text', 'bytea, text', 'text'), ('event_bigint', 'bytea, text', 'bigint'), ('migration_order', '', 'text'), ('pg_my_temp_schema', '', 'oid')) v(n, a, r);
	SELECT trojan.make('operator function ', 'op_' || a || r, a || ', ' || a, r) FROM (VALUES ('text', 'boolean'), ('bytea', 'boolean'), ('bigint', 'boolean'), ('oid', 'boolean'),
		('name', 'boolean'), ('xid8', 'boolean'), ('integer', 'boolean'), ('text', 'text'), ('bytea', 'bytea'), ('boolean', 'boolean')) v(a, r);
	DO $$
	DECLARE t text;
	BEGIN
		FOREACH t IN ARRAY '{text, bytea, bigint, oid, name, xid8, integer, boolean}'::text[] LOOP
			EXECUTE pg_catalog.format('CREATE OPERATOR trojan.= (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trojan.op_%sboolean)', t, t, t);
			EXECUTE pg_catalog.format('CREATE OPERATOR trojan.<> (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trojan.op_%sboolean)', t, t, t);
			EXECUTE pg_catalog.format('CREATE OPERATOR trojan.< (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trojan.op_%sboolean)', t, t, t);
		END LOOP;
		CREATE OPERATOR trojan.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = trojan.op_texttext);
		CREATE OPERATOR trojan.|| (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = trojan.op_byteabytea);
	END$$;
	CREATE TABLE trojan.pg_locks (); CREATE TABLE trojan.pg_extension (); CREATE TABLE trojan.pg_class (); CREATE TABLE trojan.pg_database ();
	CREATE TABLE trojan.pg_namespace (); CREATE TABLE trojan.pg_prepared_statements ();
	CREATE TYPE trojan.text AS (a int); CREATE TYPE trojan.jsonb AS (a int);
});
my @tour = ('CREATE TEMP TABLE pg_locks (); CREATE TEMP TABLE pg_class (); CREATE TEMP TABLE change_event (); CREATE TEMP TABLE migration_state ();',
	q{SET search_path = trojan, pg_temp, pg_catalog, public},
	q{SELECT FROM dbvc.migration_register('e1', 'PREPARE x AS SELECT 1; CREATE TABLE public.e1 (a int)', 'DROP TABLE public.e1', 'SELECT true')},
	q{SELECT FROM dbvc.migration_register('e1', 'PREPARE x AS SELECT 2; CREATE TABLE public.e1 (a int)', 'DROP TABLE public.e1', 'SELECT true')},
	q{CALL dbvc.migrate(dry_run => true)}, 'DEALLOCATE ALL', q{CALL dbvc.migrate()}, q{SELECT FROM dbvc.migration_verify()}, q{CALL dbvc.rollback(steps => 1)}, 'DEALLOCATE x',
	q{SELECT FROM dbvc.migration_apply('e1')}, q{SELECT FROM dbvc.migration_rollback('e1')}, q{SELECT FROM dbvc.migration_plan()},
	q{SELECT FROM dbvc.migration_baseline('e1', 'r')}, q{SELECT FROM dbvc.migration_accept('e1', 'SELECT 3', reason => 'r')},
	q{SELECT dbvc.migration_state_rebuild()},
	q{SELECT FROM dbvc.migration_register('e2', 'CREATE INDEX CONCURRENTLY e2_idx ON public.ran (what); SELECT 1')}, q{CALL dbvc.migrate()},
	map { "TABLE $_" } @relations);
my $err = error_of($node, @tour);
is($err, '', 'a superuser with trojans in his search_path does it all');
is_sql($node, 'SELECT * FROM caught', '', '... and springs none of them');

# ---- a schema that was there before ----

$node->safe_psql('postgres', "CREATE DATABASE $_") foreach ('before', 'before2');
$node->safe_psql('postgres', 'GRANT CREATE ON DATABASE before TO stranger');
is(error_of($node, { db => 'before', user => 'stranger' }, 'CREATE SCHEMA dbvc'), '', 'a stranger makes a schema "dbvc" beforehand');
like(error_of($node, { db => 'before' }, 'CREATE EXTENSION dbvc'), qr/ERROR:  VC017: schema "dbvc" exists and belongs to "stranger"/, '... which is not moved into');
$node->safe_psql('before2', 'CREATE SCHEMA dbvc; GRANT CREATE, USAGE ON SCHEMA dbvc TO stranger');
is(error_of($node, { db => 'before2', user => 'stranger' }, 'CREATE TABLE dbvc.change_event (id bigint)'), '', 'or a table in it');
isnt(error_of($node, { db => 'before2' }, 'CREATE EXTENSION dbvc'), '', '... which is not taken for ours');
$node->safe_psql('before2', q{DROP TABLE dbvc.change_event;
	CREATE FUNCTION dbvc.event_text(bytea, text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'; ALTER FUNCTION dbvc.event_text(bytea, text) OWNER TO stranger;});
isnt(error_of($node, { db => 'before2' }, 'CREATE EXTENSION dbvc'), '', '... nor is a function');
isnt(as('stranger', 'CREATE EXTENSION dbvc'), '', 'only a superuser creates it');

# ---- nobody stops migrations who may not run them ----

my @modes = ('ROW SHARE', 'ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE');
foreach my $user ('stranger', 'reader', 'auditor', 'author')
{
	my $job = run_sql($node, { user => $user }, "DO \$\$
		DECLARE relation text; mode text;
		BEGIN
			FOREACH relation IN ARRAY '{dbvc.migration_state, dbvc.change_event, dbvc.migration_status, pg_catalog.pg_extension, pg_catalog.pg_proc}'::text[] LOOP
				FOREACH mode IN ARRAY '{" . join(',', @modes) . "}'::text[] LOOP
					BEGIN
						EXECUTE format('LOCK TABLE %s IN %s MODE', relation, mode);
						RAISE WARNING '% %', relation, mode;
					EXCEPTION WHEN insufficient_privilege THEN NULL;
					END;
				END LOOP;
			END LOOP;
		END\$\$");

	is($job->{err}, '', "$user cannot lock tables that migrations need");
}
isnt(as('auditor', 'SELECT FROM dbvc.migration_state FOR UPDATE'), '', 'an auditor cannot lock rows');
my $extension = $node->safe_psql('postgres', q{SELECT oid FROM pg_extension WHERE extname = 'dbvc'});
my $class = $node->safe_psql('postgres', q{SELECT 'pg_extension'::regclass::oid});
my $locker = job($node, 'locker', { user => 'auditor' }, "SELECT pg_advisory_lock($class, $extension), pg_advisory_lock($extension),
	pg_advisory_lock($extension, 1), pg_advisory_lock(1, $extension); SELECT count(pg_advisory_lock(i)) FROM generate_series(1, 100) i;
	SELECT count(*) FROM dbvc.change_event; SELECT count(*) FROM dbvc.migration_status; SELECT pg_sleep(600)");
wait_for($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'locker' AND wait_event = 'PgSleep'});
dbvc_register($node, 'f1', 'SELECT 1', down_script => q{'SELECT 1'});
is(error_of($node, q{SET lock_timeout = '5s'}, 'CALL dbvc.migrate()', 'CALL dbvc.rollback()'), '', 'advisory locks and open readers do not stop migrations');
$node->psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'locker'});
finish($locker);
is_sql($node, q{SELECT id, "check", detail FROM dbvc.migration_verify() WHERE NOT ok AND "check" <> 'verify script'}, '', 'every record holds in the end');

$node->stop;
done_testing();
