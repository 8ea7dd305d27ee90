# Whichever way the extension came to be - installed, updated, restored - its objects are the same. Update scripts
# may convert history; nobody else may.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('upgrade');
my $dir = $PostgreSQL::Test::Utils::tmp_check;
my $version = $node->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'dbvc'});

# Every object of the extension with everything that \d, \df+ and \dp would show of it, without oids
sub objects
{
	my ($db) = @_;

	return $node->safe_psql($db, q{
		SET search_path = pg_catalog;
		SELECT 'member', pg_describe_object(classid, objid, objsubid) FROM pg_depend
			WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'dbvc') AND deptype = 'e'
			ORDER BY 2;
		SELECT 'extension', extversion, extrelocatable, extnamespace::regnamespace,
			(SELECT array_agg(o::regclass::text || c ORDER BY o::regclass::text COLLATE "C") FROM unnest(extconfig, extcondition) u(o, c))
			FROM pg_extension WHERE extname = 'dbvc';
		SELECT 'relation', c.oid::regclass, relkind, relpersistence, relrowsecurity, relacl, reloptions, obj_description(c.oid, 'pg_class'),
			CASE WHEN relkind = 'v' THEN pg_get_viewdef(c.oid) END
			FROM pg_class c WHERE relnamespace = 'dbvc'::regnamespace ORDER BY c.oid::regclass::text COLLATE "C";
		SELECT 'column', a.attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
			attstorage, attcollation::regcollation, attacl, pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, attnum)
			FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
			WHERE c.relnamespace = 'dbvc'::regnamespace AND attnum > 0 ORDER BY a.attrelid::regclass::text COLLATE "C", attnum;
		SELECT 'index', indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid, indisprimary FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
			WHERE c.relnamespace = 'dbvc'::regnamespace ORDER BY indexrelid::regclass::text COLLATE "C";
		SELECT 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint') FROM pg_constraint
			WHERE connamespace = 'dbvc'::regnamespace ORDER BY 2, conname COLLATE "C";
		SELECT 'trigger', tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
			WHERE c.relnamespace = 'dbvc'::regnamespace ORDER BY tgrelid::regclass::text COLLATE "C", tgname;
		SELECT 'routine', p.oid::regprocedure, prokind, pg_get_functiondef(p.oid), proacl, obj_description(p.oid, 'pg_proc'), proowner::regrole
			FROM pg_proc p WHERE pronamespace = 'dbvc'::regnamespace ORDER BY p.oid::regprocedure::text COLLATE "C";
		SELECT 'type', t.oid::regtype, typtype, typacl, obj_description(t.oid, 'pg_type') FROM pg_type t
			WHERE typnamespace = 'dbvc'::regnamespace ORDER BY t.oid::regtype::text COLLATE "C";
		SELECT 'schema', nspname, nspacl, obj_description(n.oid, 'pg_namespace') FROM pg_namespace n WHERE nspname = 'dbvc';
		SELECT 'sequence', seqrelid::regclass, seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle FROM pg_sequence
			WHERE seqrelid = 'dbvc.change_event_id_seq'::regclass;
		SELECT 'initial', pg_describe_object(classoid, objoid, objsubid), privtype, initprivs FROM pg_init_privs
			WHERE pg_describe_object(classoid, objoid, objsubid) LIKE '%dbvc%' ORDER BY 2;});
}

sub restored
{
	my ($db) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE ${db}_again TEMPLATE template0");
	$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/$db.dump", $db ], "pg_dump $db");
	$node->command_ok([ 'pg_restore', '-e', '-d', "${db}_again", "$dir/$db.dump" ], "pg_restore $db");
	return objects("${db}_again");
}

my $fresh = objects('postgres');
cmp_ok(length($fresh), '>', 10000, 'a fresh install has objects');
unlike($fresh, qr/^relation\|[^|]*\|[rSmv]\|[^\n]*[{,]=[a-zA-Z*]+\//m, 'PUBLIC has no right on any of its relations');
is(restored('postgres'), $fresh, 'restored = fresh');

is(error_of($node, 'ALTER EXTENSION dbvc UPDATE'), '', 'an update to the version that is there does nothing');
is(objects('postgres'), $fresh, 'updated to the same = fresh');
$node->safe_psql('postgres', q{DROP EXTENSION dbvc; CREATE EXTENSION dbvc});
is(objects('postgres'), $fresh, 'dropped and created again = fresh');
$node->safe_psql('postgres', q{SELECT FROM dbvc.migration_register('u1', 'SELECT 1'); CALL dbvc.migrate()});

# ---- update scripts ----

# Where this server reads extensions from: the staged copy, if the tests may write there
my $share = $node->safe_psql('postgres', q{SELECT setting FROM pg_settings WHERE name IN ('extension_destdir', 'extension_control_path')});
my $sharedir = $node->config_data('--sharedir');
$share =~ s/:.*//;
$share = $share eq '$system' || $share eq '' ? "$sharedir/extension"
  : $share =~ /\Q$sharedir\E$/ ? "$share/extension" : "$share$sharedir/extension";

SKIP:
{
	skip "cannot write to $share", 1 unless -w $share && -e "$share/dbvc.control";
	my @files = ("$share/dbvc--$version--next.sql", "$share/dbvc_test_rogue.control", "$share/dbvc_test_rogue--1.sql");

	append_to_file($files[0], q{
		UPDATE dbvc.change_event SET inc = inc WHERE id = 1;
		UPDATE dbvc.change_event_text SET content = content WHERE event_id = 1;
		DELETE FROM dbvc.incarnation WHERE false;
		CREATE TABLE dbvc.of_next (a int);
	});
	is(error_of($node, q{ALTER EXTENSION dbvc UPDATE TO 'next'}), '', 'an update script may convert history');
	is_sql($node, q{SELECT extversion, to_regclass('dbvc.of_next') FROM pg_extension WHERE extname = 'dbvc'}, 'next|dbvc.of_next', 'it ran');
	foreach my $sql (
		q{UPDATE dbvc.change_event SET inc = inc WHERE id = 1},
		q{DELETE FROM dbvc.change_event},
		q{TRUNCATE dbvc.change_event},
		q{TRUNCATE dbvc.change_event_text},
		q{UPDATE dbvc.incarnation SET inc = 7},
		q{SET session_replication_role = replica; DELETE FROM dbvc.change_event},
		q{MERGE INTO dbvc.change_event e USING (SELECT 1) x ON true WHEN MATCHED THEN DELETE})
	{
		like(error_of($node, $sql), qr/ERROR:  VC013: .*\n.*DETAIL.*\n.*HINT/, "... and nobody else: $sql");
	}
	is_sql($node, q{SELECT count(*) FROM dbvc.migration_verify() WHERE NOT ok}, '0', 'the history holds');

	# a script of another extension has no such right
	append_to_file($files[1], "default_version = '1'\nrelocatable = true\n");
	append_to_file($files[2], "DELETE FROM dbvc.change_event;\n");
	like(error_of($node, q{CREATE EXTENSION dbvc_test_rogue}), qr/ERROR:  VC013/, "another extension's script may not touch it");
	unlink @files;
}

$node->stop;
done_testing();
