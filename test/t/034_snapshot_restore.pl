# A dump and a restore do not change a schema: of test/schema/everything.sql every definition is the same afterwards, and
# after a second round, and after a parallel restore, and one object at a time, and for whoever asks.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Snapshots;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('restore', SNAPSHOT_CONF, 'max_worker_processes = 10');
my $tmp = PostgreSQL::Test::Utils::tempdir;
my $db = new_database($node, 'Ev Odd');

everything($node, $db);

# What a dump and a restore do change
my %excused = ();

sub dump_database { $node->command_ok([ 'pg_dump', @_ ], "pg_dump @_[0 .. $#_ - 1]"); }

# restored(DATABASE, EXPECTED, COMMAND...): into a new database
sub restored
{
	my ($name, $expected, @command) = @_;
	my ($out, $err) = ('', '');

	# jobs of pg_restore may grant on behalf of a role before the schema's own privileges are there: then once more
	foreach my $attempt (1 .. 5)
	{
		($out, $err) = ('', '');
		$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0");
		last if IPC::Run::run([@command, '-d', $node->connstr($name)], '>', \$out, '2>', \$err) || $err !~ /permission denied for schema/;
		$node->safe_psql($name, 'SET client_min_messages = error; ' . $node->safe_psql($name, q{SELECT format('ALTER SUBSCRIPTION %1$I SET (slot_name = NONE); DROP SUBSCRIPTION %1$I;', subname) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE datname = current_database()}));
		$node->safe_psql('postgres', "DROP DATABASE $name");
	}
	unlike($err, qr/ERROR/, "$name: restored");
	same_definitions(definitions($node, $name), $expected, "$name: every definition is the same", {%excused});
	return $name;
}

# ---- what there is ----

my $expected = definitions($node, $db);
my %types;
$types{$_}++ foreach split /\n/, $node->safe_psql($db, 'SELECT object_type FROM dbvc.snapshot_objects()');
my @wanted = ('access method', 'aggregate', 'cast', 'collation', 'composite type', 'conversion', 'default acl', 'domain constraint', 'event trigger', 'extension', 'foreign table', 'foreign-data wrapper', 'function', 'index', 'language', 'materialized view', 'operator', 'operator class', 'operator family', 'policy', 'privileges', 'procedure', 'publication', 'publication namespace', 'publication relation', 'rule', 'schema', 'sequence', 'server', 'statistics object', 'subscription', 'table', 'table constraint', 'text search configuration', 'text search dictionary', 'text search parser', 'text search template', 'transform', 'trigger', 'type', 'user mapping', 'view');

foreach my $type (@wanted)
{
	cmp_ok($types{$type} // 0, '>=', 2, "there are several of type $type");
	delete $types{$type};
}
is(join(' ', sort keys %types), '', 'there are no others');
my $secrets = join(' ', values %$expected);
unlike($secrets, qr/a secret|password=/, 'no password is in any definition');
is($node->safe_psql($db, q{SELECT count(*) FROM dbvc.snapshot_objects() WHERE identity ~ '^pg_|^dbvc|information_schema\.' AND object_type <> 'privileges'}), '0', 'nothing of the system, nothing of dbvc');

# ---- restored ----

my @psql = ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f');

dump_database('-f', "$tmp/plain.sql", $db);
restored('plain', $expected, @psql, "$tmp/plain.sql");
dump_database('-f', "$tmp/again.sql", 'plain');
restored('again', $expected, @psql, "$tmp/again.sql");
dump_database('-Fc', '-f', "$tmp/custom.dump", $db);
restored('jobs', $expected, 'pg_restore', '-e', '-j4', "$tmp/custom.dump");
foreach my $name ('plain', 'again', 'jobs')
{
	is(fingerprint($node, $name), fingerprint($node, $db), "$name: the fingerprint is the same");
	# the dump has the snapshots too: what has changed since the one that was taken before it?
	is($node->safe_psql($name, q{SELECT change, object_type, identity, attribute, before, after
		FROM dbvc.snapshot_diff((SELECT id FROM dbvc.snapshot ORDER BY captured_at LIMIT 1))}), '', '... and there is no difference') ;
}

# a copy of the database file by file: with the state of its template, and without its subscriptions, which are the
# cluster's
$node->safe_psql('postgres', q{CREATE DATABASE copied TEMPLATE "Ev Odd"});
is($node->safe_psql('copied', q{SELECT DISTINCT change, object_type FROM dbvc.snapshot_diff((SELECT id FROM dbvc.snapshot ORDER BY captured_at LIMIT 1))}), 'dropped|subscription', 'CREATE DATABASE ... TEMPLATE: subscriptions are not there');
is(full_fingerprint($node, 'copied'), fingerprint($node, 'copied'), '... and all read anew, the fingerprint is the same');

# ---- one object at a time, and with what is in no dump ----

everything($node, $db, 'not_dumped.sql');
$node->safe_psql($db, q{SELECT FROM dbvc.snapshot_capture(settings => true)});
is($node->safe_psql($db, q{
	SELECT o.object_type, o.identity, d.object_type, d.identity FROM (
		SELECT DISTINCT ON (i.type, i.identity) c.classid, c.objid, i.* FROM (
			SELECT 'pg_class'::regclass AS classid, oid AS objid FROM pg_class UNION ALL SELECT 'pg_constraint'::regclass, oid FROM pg_constraint UNION ALL
			SELECT 'pg_namespace'::regclass, oid FROM pg_namespace UNION ALL SELECT 'pg_trigger'::regclass, oid FROM pg_trigger UNION ALL
			SELECT 'pg_rewrite'::regclass, oid FROM pg_rewrite UNION ALL SELECT 'pg_policy'::regclass, oid FROM pg_policy UNION ALL
			SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type UNION ALL
			SELECT 'pg_proc'::regclass, oid FROM pg_proc UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast UNION ALL
			SELECT 'pg_operator'::regclass, oid FROM pg_operator UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass UNION ALL
			SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am UNION ALL
			SELECT 'pg_collation'::regclass, oid FROM pg_collation UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion UNION ALL
			SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict UNION ALL
			SELECT 'pg_ts_parser'::regclass, oid FROM pg_ts_parser UNION ALL SELECT 'pg_ts_template'::regclass, oid FROM pg_ts_template UNION ALL
			SELECT 'pg_language'::regclass, oid FROM pg_language UNION ALL SELECT 'pg_transform'::regclass, oid FROM pg_transform UNION ALL
			SELECT 'pg_extension'::regclass, oid FROM pg_extension UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger UNION ALL
			SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server UNION ALL
			SELECT 'pg_user_mapping'::regclass, oid FROM pg_user_mapping UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication UNION ALL
			SELECT 'pg_publication_rel'::regclass, oid FROM pg_publication_rel UNION ALL SELECT 'pg_publication_namespace'::regclass, oid FROM pg_publication_namespace UNION ALL
			SELECT 'pg_subscription'::regclass, oid FROM pg_subscription UNION ALL SELECT 'pg_default_acl'::regclass, oid FROM pg_default_acl
		) c, LATERAL pg_identify_object(c.classid, c.objid, 0) i, LATERAL dbvc.definition_of(c.classid, c.objid) d WHERE d.hash IS NOT NULL AND (i.type, i.identity) = (d.object_type, d.identity)
	) c JOIN LATERAL dbvc.definition_of(c.classid, c.objid) d ON true
	FULL JOIN (SELECT * FROM dbvc.snapshot_objects() WHERE object_type NOT IN ('privileges', 'settings')) o ON (o.object_type, o.identity, o.hash) = (d.object_type, d.identity, d.hash)
	WHERE o.identity IS NULL OR d.identity IS NULL LIMIT 20}), '', 'type and identity are those of pg_identify_object(), and definition_of() gives the same definitions');
is($node->safe_psql($db, q{SELECT o.identity FROM dbvc.snapshot_objects() o JOIN dbvc.definition d USING (hash)
	WHERE d.body::jsonb IS NULL OR encode(sha256(convert_to(d.body, 'UTF8')), 'hex') <> encode(d.hash, 'hex')}), '', 'every definition is JSON, under its SHA-256');
is(full_fingerprint($node, $db), fingerprint($node, $db), 'all read anew, the fingerprint is the same');

# ---- whoever asks, and however ----

my $before = fingerprint($node, $db);

foreach my $setting ("search_path = ''", 'search_path = ev, public, ext', "search_path = 'Ev \"Quoted\".Schema', ev, pg_catalog", "datestyle = 'German, DMY'", "datestyle = 'SQL, MDY'", "intervalstyle = 'sql_standard'", "intervalstyle = 'iso_8601'", "timezone = 'Asia/Kathmandu'", 'quote_all_identifiers = on', 'extra_float_digits = -15', 'extra_float_digits = 3', "bytea_output = 'escape'", "xmlbinary = 'hex'", "lc_monetary = 'C.UTF-8'", "lc_numeric = 'C.UTF-8'", 'standard_conforming_strings = off', 'backslash_quote = off', 'transform_null_equals = on', 'array_nulls = off', "default_transaction_isolation = 'serializable'", "default_transaction_isolation = 'repeatable read'", 'default_table_access_method = ev_heap', 'row_security = off', 'escape_string_warning = off', "client_encoding = 'SQL_ASCII'", "client_encoding = 'LATIN1'", 'session_replication_role = replica', 'enable_seqscan = off', 'enable_indexscan = off', 'plan_cache_mode = force_generic_plan')
{
	# some have gone, or have only one value, in later majors
	next if error_of($node, { db => $db }, "SET $setting") ne '';
	is($node->safe_psql($db, "SET $setting; SELECT encode(dbvc.snapshot_fingerprint(\"full\" => true), 'hex')"), $before, "under $setting");
}
is($node->safe_psql($db, q{BEGIN READ ONLY; SELECT encode(dbvc.snapshot_fingerprint(), 'hex'); COMMIT}), $before, 'in a transaction that may only read');
# somebody without any privilege on what is there
$node->safe_psql('postgres', 'CREATE ROLE regress_dbvc_nobody LOGIN');
$node->safe_psql($db, q{GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_nobody; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA dbvc TO regress_dbvc_nobody});
my $nobody = run_sql($node, { db => $db, user => 'regress_dbvc_nobody' }, q{SELECT encode(dbvc.snapshot_fingerprint(), 'hex'), encode(dbvc.snapshot_fingerprint("full" => true), 'hex')});
is($nobody->{out}, "$before|$before\n", 'asked by somebody without privileges') or diag($nobody->{err});

$node->stop;
done_testing();
