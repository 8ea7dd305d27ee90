# Adopted tables in a dump: base, items, face and what is known of them come back, whole, in parts, over what is there,
# and with the triggers on; afterwards the face goes on.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Documents;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = dbvc_node('dump', 'autovacuum = off');
my $tmp = PostgreSQL::Test::Utils::tempdir;
# one schema sorts before "dbvc", the others behind it: a dump of data alone goes by names
my @tables = ('app.users', 'public.users', 'public.members', 'public.secured', 'zoo."Odd ""names"""');
my %key = ('public.members' => 'tenant, id');

sub base { return $_[0] =~ /"$/ ? $_[0] =~ s/"$/_base"/r : "$_[0]_base"; }
sub items { return $_[0] =~ /"$/ ? $_[0] =~ s/"$/_items"/r : "$_[0]_items"; }

# everything that a database holds of adopted tables, as text
sub contents
{
	my ($db, $without) = @_;
	my @sql;

	foreach my $table (@tables)
	{
		my ($base, $items, $key) = (base($table), items($table), $key{$table} // 'id');

		push @sql, "SELECT '$table', *, data::text FROM $table ORDER BY $key", "SELECT '$table base', * FROM $base ORDER BY $key", "SELECT '$table items', * FROM $items ORDER BY $key, type, item_id";
	}
	push @sql, q{SELECT d.base, d.face, d.items, d.parts, d.options, d.state, d.adopted_by} . ($without ? '' : ', d.adopted_at') . q{ FROM dbvc.document d ORDER BY d.face::text},
	  q{SELECT r.* FROM dbvc.document_run r ORDER BY id}, q{SELECT e.* FROM dbvc.document_error e ORDER BY base::text, key}, q{SELECT * FROM dbvc.document_progress ORDER BY source},
	  q{SELECT g.tgrelid::regclass, g.tgname, g.tgenabled, pg_get_triggerdef(g.oid) FROM pg_trigger g WHERE NOT g.tgisinternal AND g.tgname LIKE '%dbvc_document' ORDER BY g.tgrelid::regclass::text, 2},
	  q{SELECT c.oid::regclass, c.reloptions, c.relacl, c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner), obj_description(c.oid, 'pg_class') FROM pg_class c WHERE c.relnamespace::regnamespace::text IN ('public', 'app', 'zoo') AND c.relkind IN ('r', 'v') ORDER BY c.oid::regclass::text},
	  q{SELECT c.oid::regclass, pg_get_viewdef(c.oid) FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace::regnamespace::text IN ('public', 'app', 'zoo') ORDER BY c.oid::regclass::text},
	  q{SELECT p.polrelid::regclass, p.polname, p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid) FROM pg_policy p ORDER BY p.polrelid::regclass::text, 2};
	return $node->safe_psql($db, join(";\n", @sql));
}

# goes_on(DATABASE, WHAT): documents are written and guarded
sub goes_on
{
	my ($db, $what) = @_;
	my $is = sub { is($node->safe_psql($db, $_[0]), $_[1], "$what: $_[2]") };

	foreach my $table (@tables)
	{
		my ($base, $items, $quoted) = (base($table), items($table), $table =~ s/'/''/gr);
		my $where = 'id = 3' . ($key{$table} ? q{ AND tenant = 'a'} : '');

		$is->(qq{WITH w AS (UPDATE $table SET data = jsonb_set(data, '{dreamBook,0}', '{"id": "restored"}') WHERE $where RETURNING data) SELECT jsonb_array_length(data->'dreamBook'), data #> '{dreamBook,0}' FROM w},
			'3|{"id": "restored"}', "$table is updated");
		$is->(qq{SELECT count(*) FROM $items WHERE $where AND item_id = 'restored'}, '1', '... in an item');
		$is->(qq{INSERT INTO $table (id, data} . ($key{$table} ? ', tenant' : '') . qq{) VALUES (77, '{"dreamBook": [1, 2]}'} . ($key{$table} ? q{, 'a'} : '') . q{) RETURNING data}, '{"dreamBook": [1, 2]}', '... is inserted into');
		like(error_of($node, { db => $db }, "DELETE FROM $items"), qr/ERROR:  55000/, "$what: ... is guarded");
		like(error_of($node, { db => $db }, "UPDATE $base SET data = '{}' WHERE $where"), qr/ERROR:  55000/, "$what: ... both ways");
		$is->(qq{DELETE FROM $table WHERE id = 77 RETURNING id}, '77', '... and deleted from');
		my $whole = $node->safe_psql($db, "SELECT count(*) FROM $base WHERE doc_version = 0");

		my $aside = $key{$table} && $db ne 'adopted' ? 1 : 0;

		is($node->safe_psql($db, "CALL dbvc.document_backfill('$quoted')"), ($whole - $aside) . "|$aside|0", "$what: ... is converted");
		$is->("SELECT * FROM dbvc.document_check('$quoted') WHERE NOT ok", '', '... and sound');
	}
}

# restored(DATABASE, WHAT, COMMAND...): run it in a database of its own, and see that all is there
sub restored
{
	my ($db, $what, $expected, @commands) = @_;

	foreach my $command (@commands)
	{
		local $ENV{PGDATABASE} = $db;

		$node->command_ok($command, "$what: @$command[0, 1]");
		return unless (Test::More->builder->details)[-1]{actual_ok};
	}
	my $got = contents($db, $expected !~ /\+00/);
	ok($got eq $expected, "$what: everything is as it was") or diag(first_difference($got, $expected));
	goes_on($db, $what);
}

sub first_difference
{
	my ($got, $expected) = map { [ split(/\n/) ] } @_;

	foreach my $i (0 .. (@$got > @$expected ? $#$got : $#$expected))
	{
		next if ($got->[$i] // '') eq ($expected->[$i] // '');
		return 'got: ' . substr($got->[$i] // '', 0, 300) . "\nexpected: " . substr($expected->[$i] // '', 0, 300);
	}
}

sub fresh
{
	my ($db, $sql) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0");
	$node->safe_psql($db, $sql) if $sql;
	return $db;
}

# ---- what is dumped ----

documents_setup($node);
my %ddl = map { $_ => qq{CREATE TABLE $_ (id bigint PRIMARY KEY, name text, data jsonb);} } @tables;
$ddl{'public.members'} = q{CREATE TABLE public.members (tenant text COLLATE "C", id int, data jsonb, PRIMARY KEY (tenant, id));};
$ddl{'public.secured'} .= q{ALTER TABLE public.secured ENABLE ROW LEVEL SECURITY; ALTER TABLE public.secured FORCE ROW LEVEL SECURITY; CREATE POLICY own ON public.secured USING (name = current_user);};
my $adopt = join('', map { "SELECT FROM dbvc.document_adopt('$_', '" . DOCUMENT_PARTS . "'" . ($_ eq 'public.users' ? q{, options => '{"soft_delete": true}'} : '') . ');' } @tables);
my $define = 'CREATE SCHEMA app; CREATE SCHEMA zoo;' . join('', @ddl{@tables});
my $fill = join('', map { "INSERT INTO $_ SELECT " . ($_ eq 'public.members' ? q{CASE i % 2 WHEN 0 THEN 'B' ELSE 'a' END, i, } : q{i, 'n' || i, }) . 'make_document(i, i % 6) FROM generate_series(1, 30) i;' } @tables);

$node->safe_psql('postgres', "CREATE ROLE regress_dbvc_reader; CREATE ROLE regress_dbvc_writer; $define $fill");
$node->safe_psql('postgres', join('', map { "GRANT SELECT ON $_ TO regress_dbvc_reader; GRANT SELECT, INSERT, UPDATE, DELETE ON $_ TO regress_dbvc_writer; COMMENT ON TABLE $_ IS 'comment of $_';" } map { s/'/''/gr } @tables));
my $legacy = $node->safe_psql('postgres', join(';', map { "SELECT '$_', *, data::text FROM $_ ORDER BY " . ($key{$_} // 'id') } @tables));
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$tmp/legacy.dump", '--data-only', 'postgres' ], 'pg_dump of the tables as they were');
$node->safe_psql('postgres', $adopt);
# some are split, some have been changed in several ways, some are whole
$node->safe_psql('postgres', join('', map {
	qq{UPDATE $_ SET data = data || '{"split": true}' WHERE id < 20; UPDATE $_ SET data = jsonb_set(data, '{dreamBook}', '["first"]' || (data->'dreamBook')) WHERE id IN (7, 8);
	UPDATE $_ SET data = data #- '{dreamBook,0}' WHERE id IN (9, 10); UPDATE $_ SET data = NULL WHERE id = 11; UPDATE $_ SET data = '{"dreamBook": null}' WHERE id = 12; DELETE FROM $_ WHERE id = 13;
	UPDATE $_ SET id = 113 WHERE id = 14; UPDATE $_ SET data = '[1, 2]' WHERE id = 15; UPDATE $_ SET data = '{"dreamBook": [{"id": 1, "x": 1.00}, {"id": "1"}, {"id": 1}, null, "é"]}' WHERE id = 16;
	INSERT INTO $_ (id, data} . ($key{$_} ? ', tenant' : '') . qq{) VALUES (50, make_document(50, 300, 30)} . ($key{$_} ? q{, 'a'} : '') . ');' } @tables));
$node->safe_psql('postgres', 'CREATE VIEW over WITH (security_invoker) AS SELECT id, data FROM public.users');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM users_items WHERE deleted_at IS NOT NULL'), '>', 0, 'some items are deleted softly');
is_sql($node, q{SELECT count(*) FILTER (WHERE doc_version = 0) > 5, count(*) FILTER (WHERE doc_version > 1) > 5 FROM users_base}, 't|t', 'some documents are whole, some were written often');
# a backfill that has set something aside is remembered
$node->safe_psql('postgres', q{UPDATE dbvc.document SET options = '{"strict": true}' WHERE base = 'public.members_base'::regclass; SET session_replication_role = replica; INSERT INTO members_base VALUES ('x', 1, '{"dreamBook": "none"}')});
like(error_of($node, q{CALL dbvc.document_backfill('public.members')}) || run_sql($node, q{SELECT state, errors FROM dbvc.document_run})->{out}, qr/^done\|1$/m, 'one document is set aside');
my $contents = contents('postgres');
cmp_ok(length($contents), '>', 500_000, 'there is something to dump');
$node->command_ok([ 'pg_dump', '-Fp', '-f', "$tmp/plain.sql", 'postgres' ], 'pg_dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$tmp/custom.dump", 'postgres' ], 'pg_dump -Fc');
$node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$tmp/directory", 'postgres' ], 'pg_dump -Fd -j2');
$node->command_ok([ 'pg_dump', '-Fp', '--schema-only', '-f', "$tmp/schema.sql", 'postgres' ], 'pg_dump --schema-only');
$node->command_ok([ 'pg_dump', '-Fp', '--data-only', '-f', "$tmp/data.sql", 'postgres' ], 'pg_dump --data-only');
$node->command_ok([ 'pg_dump', '-Fp', '--data-only', '--column-inserts', '-n', 'public', '-n', 'app', '-n', 'zoo', '-f', "$tmp/inserts.sql", 'postgres' ], 'pg_dump --data-only --column-inserts of the schemas');

# ---- the whole database ----

my @psql = ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f');

restored(fresh('plain'), 'psql', $contents, [ @psql, "$tmp/plain.sql" ]);
foreach my $table (@tables)
{
	my $documents = "SELECT *, data::text FROM $table ORDER BY " . ($key{$table} // 'id');
	my $before = $node->safe_psql('plain', $documents);

	is(error_of($node, { db => 'plain' }, "CALL dbvc.document_release('" . $table =~ s/'/''/gr . q{', discard_deleted => true)}), '', "$table: released");
	ok($node->safe_psql('plain', $documents) eq $before, '... with the same documents');
}
is($node->safe_psql('plain', q{SELECT count(*) FROM dbvc.document; SELECT count(*) FROM pg_class WHERE relname LIKE '%\_items' OR relname LIKE '%\_base'}), "0\n0", '... and nothing is left');
restored(fresh('jobs'), 'pg_restore -j2', $contents, [ 'pg_restore', '-e', '-j2', '-d', 'jobs', "$tmp/directory" ]);
restored('jobs', 'pg_restore --clean, over what was changed', $contents, [ 'pg_restore', '-e', '--clean', '--if-exists', '-d', 'jobs', "$tmp/custom.dump" ]);
$node->safe_psql('postgres', 'CREATE DATABASE template TEMPLATE postgres');
restored('template', 'CREATE DATABASE TEMPLATE', $contents);

# ---- schema and data apart, with all triggers on ----

TODO: {
	local $TODO = 'rows of a schema that sorts before dbvc';

	restored(fresh('apart'), 'the schema, then the data', $contents, [ @psql, "$tmp/schema.sql" ], [ @psql, "$tmp/data.sql" ]);
}
restored(fresh('sections'), 'by sections', $contents, map { [ 'pg_restore', '-e', "--section=$_", '-d', 'sections', "$tmp/custom.dump" ] } ('pre-data', 'data', 'post-data'));

# ---- data alone into tables that were adopted there ----

fresh('adopted', 'CREATE EXTENSION dbvc');
documents_setup($node, 'adopted');
$node->safe_psql('adopted', "$define $adopt");
$node->command_ok([ @psql, "$tmp/inserts.sql", 'adopted' ], 'data of the schemas into adopted tables');
is($node->safe_psql('adopted', join(';', map { "SELECT '$_', *, data::text FROM $_ ORDER BY " . ($key{$_} // 'id') } @tables)),
	$node->safe_psql('postgres', join(';', map { "SELECT '$_', *, data::text FROM $_ ORDER BY " . ($key{$_} // 'id') } @tables)), '... gives the same documents');
foreach my $table (@tables)
{
	foreach my $stored (base($table), items($table))
	{
		my $sql = "SELECT * FROM $stored t ORDER BY t::text";

		ok($node->safe_psql('adopted', $sql) eq $node->safe_psql('postgres', $sql), "... and the same rows in $stored");
	}
}
goes_on('adopted', 'data of the schemas');

# whole documents, from before adopting
fresh('legacy', 'CREATE EXTENSION dbvc');
documents_setup($node, 'legacy');
$node->safe_psql('legacy', "$define $adopt");
$node->command_ok([ 'pg_restore', '-e', '-d', 'legacy', '-n', 'public', '-n', 'app', '-n', 'zoo', "$tmp/legacy.dump" ], 'data of the tables as they were');
is($node->safe_psql('legacy', join(';', map { "SELECT '$_', *, data::text FROM $_ ORDER BY " . ($key{$_} // 'id') } @tables)), $legacy, '... is split, and reads as it was');
is($node->safe_psql('legacy', join(' UNION ALL ', map { 'SELECT count(*) FROM ' . base($_) . ' WHERE doc_version = 1' } @tables)), join("\n", map { 30 } @tables), '... all of it');

# ---- what a dump of the face alone has ----

$node->command_ok([ 'pg_dump', '-t', 'public.users', '-f', "$tmp/face.sql", 'postgres' ], 'pg_dump -t of the face');
unlike(slurp_file("$tmp/face.sql"), qr/^COPY/m, '... has no rows: it is a view');
$node->command_ok([ 'psql', '-XAtq', '-c', q{\copy (SELECT * FROM public.users) TO '} . "$tmp/rows'", 'postgres' ], '\copy of a query has them');
is(scalar(split(/\n/, slurp_file("$tmp/rows"))), 30, '... all');

$node->stop;
done_testing();
