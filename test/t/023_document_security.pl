# Who may do what with an adopted table: row security of two tenants, roles with some rights only, and what one session
# keeps when it changes roles. The twin, a table made alike but not adopted, says what is right.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use Documents;
use Test::More;

my $node = dbvc_node('security', 'autovacuum = off');

documents_setup($node);
$node->safe_psql('postgres', q{
	CREATE ROLE regress_dbvc_owner; CREATE ROLE regress_dbvc_a LOGIN; CREATE ROLE regress_dbvc_b LOGIN; CREATE ROLE regress_dbvc_all LOGIN BYPASSRLS;
	CREATE ROLE regress_dbvc_insert; CREATE ROLE regress_dbvc_select; CREATE ROLE regress_dbvc_data; CREATE ROLE regress_dbvc_name;
	CREATE ROLE regress_dbvc_delete; CREATE ROLE regress_dbvc_columns; CREATE ROLE regress_dbvc_nothing;
	GRANT CREATE ON SCHEMA public TO regress_dbvc_owner;
	GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_owner;
	GRANT EXECUTE ON FUNCTION dbvc.document_adopt, dbvc.document_refresh, dbvc.document_face_trigger, dbvc.document_base_trigger, dbvc.document_items_trigger TO regress_dbvc_owner;
	GRANT EXECUTE ON FUNCTION dbvc.document_read TO PUBLIC;
	CREATE FUNCTION leak(jsonb) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$BEGIN RAISE NOTICE 'leaked %', $1; RETURN true; END$$;
	CREATE FUNCTION a_document(tenant text, n int) RETURNS jsonb LANGUAGE sql AS
		$$SELECT make_document(n, 3) || jsonb_build_object('secret', 'bytes of ' || tenant) || jsonb_build_object('dreamBook',
			jsonb_build_array(jsonb_build_object('id', 'd1', 'title', 'bytes of ' || tenant), jsonb_build_object('id', tenant, 'title', 'bytes of ' || tenant)))$$;});

# ---- two tenants ----

my $tenants = q{
	CREATE TABLE %t (id bigint PRIMARY KEY, tenant text NOT NULL DEFAULT WHO, name text, data jsonb);
	ALTER TABLE %t ENABLE ROW LEVEL SECURITY;
	CREATE POLICY tenant ON %t USING (tenant = WHO);
	INSERT INTO %t SELECT i, 'regress_dbvc_' || t, 'name of ' || t, a_document(t, i) FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a'), (4, 'b')) v (i, t);
	GRANT SELECT, INSERT, UPDATE, DELETE ON %t TO regress_dbvc_a, regress_dbvc_b, regress_dbvc_all;};
my %who = (by_user => q{current_user::text}, by_setting => q{current_setting('app.tenant', true)});

# rows of B as they are stored
sub of_b
{
	my ($name) = @_;

	return $node->safe_psql('postgres', qq{SELECT xmin, ctid, * FROM ${name}_base WHERE tenant = 'regress_dbvc_b' ORDER BY id;
		SELECT xmin, ctid, * FROM ${name}_items WHERE id IN (2, 4) ORDER BY id, type, item_id});
}

foreach my $name (sort keys %who)
{
	my $before = $name eq 'by_setting' ? q{SET app.tenant = 'regress_dbvc_a'} : '';
	my %opt = $before ? (before => $before) : ();

	twins($node, { as => 'regress_dbvc_owner' }, $name, $tenants =~ s/WHO/$who{$name}/gr);
	# two are split, two are whole still
	$node->safe_psql('postgres', qq{UPDATE $name SET data = data || '{"split": 1}' WHERE id < 3; UPDATE ${name}_twin SET data = data || '{"split": 1}' WHERE id < 3});
	split_is($node, $name, 2, 2, "$name: two split, two whole");
	twins_equal($node, $name, $name);
	my $stored = of_b($name);

	# what a tenant may do comes out as with the table; so does what it may not
	my @same = (
		'SELECT * FROM %t ORDER BY id', 'SELECT * FROM %t WHERE id = 2', 'SELECT data FROM %t WHERE id = 2 FOR UPDATE', 'SELECT * FROM %t WHERE leak(data) ORDER BY id',
		q{SELECT id FROM %t WHERE data->>'secret' = 'bytes of b'}, q{SELECT * FROM %t ORDER BY id FOR UPDATE},
		q{UPDATE %t SET data = '{}' WHERE id = 2}, q{UPDATE %t SET data = '{}' WHERE id = 4 RETURNING *}, q{UPDATE %t SET name = 'x' RETURNING id, name, data},
		q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,0,title}', '"new"') RETURNING *}, q{UPDATE %t SET tenant = 'regress_dbvc_b' WHERE id = 1},
		q{UPDATE %t SET tenant = 'regress_dbvc_b' WHERE id = 3}, q{UPDATE %t SET id = 2 WHERE id = 1}, q{UPDATE %t SET id = id + 10 RETURNING *},
		q{UPDATE %t t SET data = o.data FROM %t o WHERE o.id = 2}, q{DELETE FROM %t WHERE id = 2 RETURNING *}, q{DELETE FROM %t WHERE leak(data)},
		q{INSERT INTO %t (id, name, data) VALUES (2, 'x', '{"dreamBook": [1]}')}, q{INSERT INTO %t (id, data) VALUES (5, '{"dreamBook": [1]}') RETURNING *},
		q{INSERT INTO %t (id, tenant, data) VALUES (5, 'regress_dbvc_b', '{"dreamBook": [1]}')},
		q{WITH w AS (UPDATE %t SET data = data || '{"w": 1}' RETURNING *) SELECT * FROM w ORDER BY id}, q{WITH d AS (DELETE FROM %t RETURNING data) SELECT count(*) FROM d},
		q{INSERT INTO %t SELECT id + 10, tenant, name, data FROM %t RETURNING *}, 'SELECT * FROM %t AS one JOIN %t AS two USING (name) ORDER BY one.id');
	my @outcomes = twins_agree($node, {%opt}, $name, 'regress_dbvc_a', @same);
	is($outcomes[1], 'no rows', '... and nothing is found of B');
	is(of_b($name), $stored, "$name: nothing of B's is changed");

	# what has no twin
	my %refused = (
		"SELECT * FROM ${name}_base WHERE tenant = 'regress_dbvc_b'" => 'no rows', "SELECT * FROM ${name}_items WHERE id IN (2, 4)" => 'no rows',
		"SELECT * FROM ${name}_items WHERE leak(data) AND id = 2" => 'no rows', "SELECT * FROM ${name}_items WHERE id = 2 FOR UPDATE" => 'no rows',
		"UPDATE ${name}_base SET name = 'x' WHERE id IN (2, 4)" => '0 rows', "DELETE FROM ${name}_base WHERE id IN (2, 4)" => '0 rows',
		"UPDATE ${name}_base SET data = '{}' WHERE id = 2 RETURNING *" => 'no rows', "UPDATE ${name}_base SET data = '{}' WHERE id = 1" => '55000',
		"INSERT INTO ${name}_base VALUES (6, 'regress_dbvc_b', '', '{}')" => '42501', "INSERT INTO ${name}_items VALUES (2, 'dream', 'x', 1, '1')" => '55000',
		"UPDATE ${name}_items SET data = '1' WHERE id = 2" => '55000', "DELETE FROM ${name}_items WHERE id = 2" => '55000', "TRUNCATE ${name}_items" => '42501',
		"TRUNCATE ${name}_base CASCADE" => '42501', "UPDATE ${name}_base SET doc_version = 9 WHERE id = 2" => '0 rows');
	my ($said, @results) = attempt_as($node, {%opt}, 'regress_dbvc_a', sort keys %refused);
	is($results[$_], $refused{ (sort keys %refused)[$_] }, "$name: " . (sort keys %refused)[$_]) foreach (0 .. $#results);
	unlike($said, qr/bytes of b/, "$name: ... and nothing of B's is said");

	# by the functions, once they may be called
	my @functions = (
		["SELECT dbvc.document_read('${name}_base', '{\"dreamBook\": []}', 1, '2', 2::bigint)", qr/\A42501\z/],
		["SELECT dbvc.document_get('$name', '{2}')", qr/\A\(\)\z/], ["SELECT dbvc.document_etag('$name', '{2}')", qr/\A\(\)\z/],
		["SELECT dbvc.document_put('$name', '{2}', '{\"dreamBook\": [1]}')", qr/\A(23505|42501)\z/], ["SELECT dbvc.document_put('$name', '{2}', '{}', 1)", qr/\A(40001|42501|23505)\z/],
		["SELECT dbvc.document_put('$name', '{2}', '{}', -1)", qr/\A(40001|42501|23505)\z/], ["SELECT dbvc.document_patch('$name', '{4}', '{\"secret\": null}')", qr/\A(\(\)|\w{5})\z/],
		["SELECT dbvc.item_save('$name', '{2}', 'dream', '{\"id\": \"d1\", \"title\": \"x\"}')", qr/\A\w{5}\z/],
		["SELECT dbvc.item_save('$name', '{4}', 'dream', '{\"id\": \"d1\", \"title\": \"x\"}')", qr/\A\w{5}\z/],
		["SELECT * FROM dbvc.item_save_batch('$name', '{2}', '[{\"type\": \"dream\", \"data\": {\"id\": \"d1\"}}]')", qr/\A(no rows|\w{5})\z/],
		["SELECT * FROM dbvc.item_get('$name', '{2}')", qr/\A(no rows|\w{5})\z/], ["SELECT * FROM dbvc.item_get('$name', '{4}')", qr/\A(no rows|\w{5})\z/],
		["SELECT dbvc.item_delete('$name', '{2}', 'dream', 'd1')", qr/\A(\(f\)|\w{5})\z/], ["SELECT dbvc.item_delete('$name', '{4}', 'dream', 'd1')", qr/\A(\(f\)|\w{5})\z/],
		["SELECT dbvc.item_restore('$name', '{2}', 'dream', 'd1')", qr/\A(\(f\)|\w{5})\z/]);
	($said, @results) = attempt_as($node, {%opt}, 'regress_dbvc_a', map { $_->[0] } @functions);
	is(join(' ', map { $_ eq '42501' ? () : $_ } @results), '', "$name: the functions are not for everybody");
	$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA dbvc TO regress_dbvc_a; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA dbvc TO regress_dbvc_a');
	($said, @results) = attempt_as($node, {%opt}, 'regress_dbvc_a', map { $_->[0] } @functions);
	like($results[$_], $functions[$_][1], "$name: " . $functions[$_][0]) foreach (0 .. $#results);
	unlike($said, qr/bytes of b/, "$name: ... and nothing of B's is said");
	is(of_b($name), $stored, "$name: ... nor changed");
	# A can do with its own
	($said, @results) = attempt_as($node, {%opt}, 'regress_dbvc_a', "SELECT count(*) FROM dbvc.item_get('$name', '{1}')", "SELECT dbvc.item_delete('$name', '{1}', 'dream', 'd1')");
	is("@results", '(5) (t)', "$name: the same on a document of A's works");
	# the background: A converts and checks what it sees
	$node->safe_psql('postgres', 'GRANT SELECT ON dbvc.document, dbvc.document_status TO regress_dbvc_a');
	my $call = sub { return run_sql($node, { keep_going => 1 }, ($before ? $before : ()), 'SET ROLE regress_dbvc_a', @_) };
	my $job = $call->("CALL dbvc.document_backfill('$name')", "SELECT source, documents, converted, percent FROM dbvc.document_status WHERE source = '$name'::regclass",
		"SELECT 'wrong', \"check\" FROM dbvc.document_check('$name') WHERE NOT ok", "SELECT documents FROM dbvc.document_count('$name')");
	is($job->{out}, "1|0|0\n$name|||\nwrong|rows are visible\n2\n", "$name: a backfill by A converts what is A's; a check says that it does not see all") or diag($job->{err});
	split_is($node, $name, 3, 1, '... only that');
	like($call->("CALL dbvc.document_release('$name')")->{err}, qr/ERROR:  42501/, "$name: A may not release it");
	like($call->("SELECT dbvc.document_refresh('$name')")->{err}, qr/ERROR:  42501/, '... nor refresh it');
	like($call->("UPDATE dbvc.document SET state = 'releasing'")->{err}, qr/ERROR:  42501/, '... nor say so');
	is(of_b($name), $stored, "$name: nothing of B's is changed");
	twins_equal($node, $name, "$name: converted");
	$node->safe_psql('postgres', 'REVOKE USAGE ON SCHEMA dbvc FROM regress_dbvc_a; REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA dbvc FROM regress_dbvc_a; REVOKE SELECT ON ALL TABLES IN SCHEMA dbvc FROM regress_dbvc_a');

	# COPY
	foreach my $row ("2\tregress_dbvc_a\tx\t{\"dreamBook\": [1]}", "6\tregress_dbvc_b\tx\t{\"dreamBook\": [1]}")
	{
		my @errors = map { error_of($node, ($before ? $before : ()), 'SET ROLE regress_dbvc_a', "COPY $_ FROM stdin;\n$row\n\\.\n") } ($name, "${name}_twin");
		my @states = map { /ERROR:  (\w{5})/ ? $1 : $_ } @errors;

		is($states[0], $states[1] eq '0A000' ? '42501' : $states[1], "$name: COPY of " . substr($row, 0, 16)) if $states[1] ne '';
		unlike($errors[0], qr/bytes of b/, '... says nothing');
	}
	my @copied = map { run_sql($node, ($before ? $before : ()), 'SET ROLE regress_dbvc_a', "COPY (SELECT * FROM $_ ORDER BY id) TO stdout")->{out} } ($name, "${name}_twin");
	is($copied[0], $copied[1], "$name: COPY TO");
	unlike($copied[0], qr/bytes of b/, '... gives what is A\'s');
	is(of_b($name), $stored, "$name: nothing of B's is changed");

	# BYPASSRLS, and the owner, who is not bound until it is forced
	foreach my $role ('regress_dbvc_all', 'regress_dbvc_owner')
	{
		@outcomes = twins_agree($node, {%opt}, $name, $role, 'SELECT * FROM %t ORDER BY id', q{UPDATE %t SET data = data || '{"x": 1}' RETURNING *}, q{DELETE FROM %t});
		is($outcomes[2], '4 rows', "$role is not bound by policies");
	}
	$node->safe_psql('postgres', "ALTER TABLE ${name}_base FORCE ROW LEVEL SECURITY; ALTER TABLE ${name}_items FORCE ROW LEVEL SECURITY; ALTER TABLE ${name}_twin FORCE ROW LEVEL SECURITY;");
	@outcomes = twins_agree($node, {%opt}, $name, 'regress_dbvc_owner', 'SELECT * FROM %t ORDER BY id', q{UPDATE %t SET data = data || '{"x": 1}' RETURNING *}, q{DELETE FROM %t},
		q{INSERT INTO %t (id, tenant, data) VALUES (7, 'regress_dbvc_b', '{"dreamBook": [1]}')}, q{UPDATE %t SET id = id + 10});
	is($outcomes[2], $before ? '2 rows' : '0 rows', '... but when it is forced');
	@outcomes = twins_agree($node, {%opt}, $name, 'regress_dbvc_a', q{UPDATE %t SET id = id + 10 RETURNING *}, q{DELETE FROM %t});
	$node->safe_psql('postgres', "ALTER TABLE ${name}_base NO FORCE ROW LEVEL SECURITY; ALTER TABLE ${name}_items NO FORCE ROW LEVEL SECURITY; ALTER TABLE ${name}_twin NO FORCE ROW LEVEL SECURITY;");
	is(of_b($name), $stored, "$name: nothing of B's is changed");
}

# a table adopted while it is forced
twins($node, { as => 'regress_dbvc_owner' }, 'forced', $tenants =~ s/WHO/$who{by_user}/gr . 'ALTER TABLE %t FORCE ROW LEVEL SECURITY');
is_sql($node, q{SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname IN ('forced_base', 'forced_items') ORDER BY 1},
	"forced_base|t|t\nforced_items|t|t", 'FORCE ROW LEVEL SECURITY is carried to the items');
twins_agree($node, 'forced', $_, 'SELECT * FROM %t ORDER BY id', q{UPDATE %t SET data = data || '{"x": 1}' RETURNING *}, q{INSERT INTO %t (id, data) VALUES (7, '{"dreamBook": [1]}') RETURNING *}, q{DELETE FROM %t})
  foreach ('regress_dbvc_owner', 'regress_dbvc_a', 'regress_dbvc_all');

# policies by command: who may see everything and write some
twins($node, { as => 'regress_dbvc_owner' }, 'mixed', q{
	CREATE TABLE %t (id bigint PRIMARY KEY, tenant text NOT NULL DEFAULT current_user, name text, data jsonb);
	ALTER TABLE %t ENABLE ROW LEVEL SECURITY;
	CREATE POLICY see ON %t FOR SELECT USING (true);
	CREATE POLICY put ON %t FOR INSERT WITH CHECK (tenant = current_user);
	CREATE POLICY change ON %t FOR UPDATE USING (tenant = current_user);
	CREATE POLICY remove ON %t FOR DELETE USING (tenant = current_user AND id <> 1);
	CREATE POLICY not_three ON %t AS RESTRICTIVE FOR SELECT USING (id <> 3);
	INSERT INTO %t SELECT i, 'regress_dbvc_' || t, 'name of ' || t, a_document(t, i) FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a'), (4, 'b')) v (i, t);
	GRANT SELECT, INSERT, UPDATE, DELETE ON %t TO regress_dbvc_a, regress_dbvc_b;});
$node->safe_psql('postgres', q{UPDATE mixed SET data = data || '{"split": 1}' WHERE id < 3; UPDATE mixed_twin SET data = data || '{"split": 1}' WHERE id < 3});
my @mixed = ('SELECT * FROM %t ORDER BY id', q{UPDATE %t SET data = data || '{"x": 1}' RETURNING *}, q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,1}', '2') WHERE id = 2},
	q{SELECT id FROM %t ORDER BY id FOR UPDATE}, q{DELETE FROM %t RETURNING *}, q{INSERT INTO %t (id, data) VALUES (7, '{"dreamBook": [1]}')},
	q{UPDATE %t SET tenant = 'regress_dbvc_b'}, q{SELECT id FROM %t WHERE id = 3});
twins_agree($node, 'mixed', $_, @mixed) foreach ('regress_dbvc_a', 'regress_dbvc_b');

# policies of the user's on items alone
$node->safe_psql('postgres', q{SET ROLE regress_dbvc_owner; CREATE TABLE finer (id bigint PRIMARY KEY, name text, data jsonb); GRANT SELECT, INSERT, UPDATE, DELETE ON finer TO regress_dbvc_a, regress_dbvc_b});
$node->safe_psql('postgres', q{SET ROLE regress_dbvc_owner; SELECT FROM dbvc.document_adopt('finer', '} . DOCUMENT_PARTS . q{'); INSERT INTO finer SELECT i, 'n', make_document(i, 3) FROM generate_series(1, 4) i;
	ALTER TABLE finer_items ENABLE ROW LEVEL SECURITY; CREATE POLICY dreams ON finer_items TO regress_dbvc_a USING (type = 'dream'); CREATE POLICY everything ON finer_items TO regress_dbvc_b USING (true)});
my @finer = (q{SELECT id, jsonb_array_length(data->'dreamBook'), data #> '{profile,goals}' FROM finer WHERE id = 1}, q{UPDATE finer SET data = jsonb_set(data, '{dreamBook,0}', '7') WHERE id = 1 RETURNING data->'dreamBook'->0},
	q{UPDATE finer SET data = jsonb_set(data, '{profile,goals}', '["new"]') WHERE id = 1}, q{INSERT INTO finer VALUES (5, 'x', '{"dreamBook": [1]}')}, q{INSERT INTO finer VALUES (5, 'x', '{"profile": {"goals": [1]}}')});
is_deeply([ (attempt_as($node, 'regress_dbvc_a', @finer))[1 .. 5] ], ['(1,3,[])', '(7)', '42501', '1 rows', '42501'], 'items that a policy hides are not shown, nor written');
is_deeply([ (attempt_as($node, 'regress_dbvc_b', @finer))[2 .. 5] ], ['(7)', '1 rows', '1 rows', '1 rows'], '... but to others');
is(error_of($node, 'SET ROLE regress_dbvc_a', q{UPDATE finer SET data = data || '{"by": "a"}'}, q{UPDATE finer SET data = jsonb_set(data, '{dreamBook}', '[]') WHERE id < 3}), '', 'whole documents are written by who does not see all items');
is_sql($node, q{SELECT count(*), count(*) FILTER (WHERE type = 'goal') FROM finer_items}, '18|12', '... which does not delete those');

# row security and grants that come after adopting: refresh brings them to face and items
$node->safe_psql('postgres', q{SET ROLE regress_dbvc_owner; CREATE TABLE late (id bigint PRIMARY KEY, tenant text, data jsonb); GRANT SELECT ON late TO regress_dbvc_a});
$node->safe_psql('postgres', q{SET ROLE regress_dbvc_owner; SELECT FROM dbvc.document_adopt('late', '} . DOCUMENT_PARTS . q{'); INSERT INTO late SELECT i, 'regress_dbvc_' || t, a_document(t, i) FROM (VALUES (1, 'a'), (2, 'b')) v (i, t);
	ALTER TABLE late_base ENABLE ROW LEVEL SECURITY; CREATE POLICY tenant ON late_base USING (tenant = current_user); GRANT SELECT ON late TO regress_dbvc_b});
is((attempt_as($node, 'regress_dbvc_a', 'SELECT id FROM late'))[1], '(1)', 'policies of later bind through the face at once');
is((attempt_as($node, 'regress_dbvc_b', 'SELECT id FROM late'))[1], '42501', '... a grant of later on the face alone is not enough');
$node->safe_psql('postgres', q{SET ROLE regress_dbvc_owner; SELECT FROM dbvc.document_refresh('late')});
foreach my $tenant ('a', 'b')
{
	my ($said, @rows) = attempt_as($node, "regress_dbvc_$tenant", 'SELECT id, data FROM late', 'SELECT DISTINCT id FROM late_items');

	is($rows[1], $tenant eq 'a' ? '(1)' : '(2)', "refreshed: $tenant sees items of its own");
	like($rows[0], qr/bytes of $tenant.*bytes of $tenant/, '... in its documents');
	unlike($said, $tenant eq 'a' ? qr/bytes of b/ : qr/bytes of a/, '... and no others');
}

# ---- one session, several roles ----

my @roles = (
	q{PREPARE p AS SELECT * FROM %t ORDER BY id; PREPARE u AS UPDATE %t SET data = data || '{"u": 1}' RETURNING *;
	CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE plpgsql AS $f$BEGIN RETURN (SELECT string_agg(t::text, '; ' ORDER BY id) FROM %t t); END$f$;
	CREATE FUNCTION definer() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $f$BEGIN RETURN (SELECT string_agg(t::text, '; ' ORDER BY id) FROM %t t); END$f$;
	CREATE FUNCTION definer_write() RETURNS text LANGUAGE sql SECURITY DEFINER AS $f$UPDATE %t SET data = data || '{"w": 1}' WHERE id = 2 RETURNING data$f$;
	ALTER FUNCTION definer() OWNER TO regress_dbvc_b; ALTER FUNCTION definer_write() OWNER TO regress_dbvc_b;
	CREATE VIEW over_invoker WITH (security_invoker) AS SELECT * FROM %t; GRANT SELECT, UPDATE ON over_invoker TO PUBLIC;});
my @turn = ('EXECUTE p', 'SELECT pg_temp.f()', 'SELECT definer()', 'SELECT * FROM over_invoker ORDER BY id', 'SELECT * FROM %t ORDER BY id',
	'SELECT current_user, count(*) FROM %t', 'EXECUTE u', 'SELECT definer_write()', q{UPDATE over_invoker SET data = data || '{"o": 1}' RETURNING *}, 'SELECT * FROM over_invoker ORDER BY id FOR UPDATE',
	q{SELECT x.* FROM %t x JOIN %t y ON x.id = y.id ORDER BY 1});

# turns(PLAN CACHE MODE, TABLE): what a session shows that changes roles again and again
sub turns
{
	my ($mode, $table, $ending) = @_;
	my @sql = ("SET plan_cache_mode = $mode", 'BEGIN', @roles);

	foreach my $role ('postgres', 'regress_dbvc_a', 'regress_dbvc_b', 'regress_dbvc_all', 'regress_dbvc_a', 'regress_dbvc_owner', 'regress_dbvc_b')
	{
		push @sql, "SET ROLE $role", @turn, 'RESET ROLE';
	}
	my $job = run_sql($node, { keep_going => 1 }, map { s/%t/$table/gr } (@sql, 'ROLLBACK'));
	# in any order: statements without one may give another one
	return (sort split(/\n/, $job->{out}), grep { /ERROR/ } split(/\n/, $job->{err}));
}
foreach my $mode ('force_generic_plan', 'force_custom_plan')
{
	my @face = turns($mode, 'by_user');
	is_deeply(\@face, [ turns($mode, 'by_user_twin') ], "$mode: a session that changes roles sees what it sees of the table");
	cmp_ok(scalar(@face), '>', 100, '... which is something');
}

# a cursor of one role, read by another
my @cursor = ('BEGIN', 'SET ROLE %1', 'DECLARE c CURSOR FOR SELECT * FROM %t ORDER BY id', 'FETCH 1 FROM c', 'SET ROLE %2', 'FETCH 1 FROM c', 'SELECT id FROM %t ORDER BY id', 'FETCH ALL FROM c',
	'RESET ROLE', 'COMMIT');
foreach my $pair (['regress_dbvc_all', 'regress_dbvc_a'], ['regress_dbvc_a', 'regress_dbvc_b'], ['regress_dbvc_a', 'regress_dbvc_all'], ['regress_dbvc_owner', 'regress_dbvc_a'],
	['postgres', 'regress_dbvc_nothing'], ['postgres', 'regress_dbvc_insert'])
{
	my ($face, $twin) = map { my $table = $_; run_sql($node, { keep_going => 1 }, map { s/%1/$pair->[0]/r =~ s/%2/$pair->[1]/r =~ s/%t/$table/r } @cursor) } ('by_user', 'by_user_twin');
	my %shown = map { $_ => 1 } split(/\n/, $twin->{out});

	# items are read as the role that fetches: what it may not see is an error, not a document without them
	is(join("\n", grep { !$shown{$_} } split(/\n/, $face->{out})), '', "a cursor of $pair->[0] read by $pair->[1] shows nothing else than the table");
	ok($face->{out} eq $twin->{out} || $face->{err} =~ /ERROR:  42501/, '... or refuses');
}

# a cursor that a function opened with its owner's rights
$node->safe_psql('postgres', q{CREATE FUNCTION opened(which text) RETURNS refcursor LANGUAGE plpgsql SECURITY DEFINER AS $$DECLARE c refcursor := 'opened'; BEGIN OPEN c FOR EXECUTE format('SELECT * FROM %I ORDER BY id', which); RETURN c; END$$; ALTER FUNCTION opened(text) OWNER TO regress_dbvc_owner});
foreach my $role ('regress_dbvc_a', 'regress_dbvc_nothing', 'regress_dbvc_all')
{
	my ($face, $twin) = map { run_sql($node, { keep_going => 1 }, "SET ROLE $role", 'BEGIN', "SELECT opened('$_')", 'FETCH 1 FROM opened', 'FETCH ALL FROM opened', 'COMMIT') } ('by_user', 'by_user_twin');
	my %shown = map { $_ => 1 } split(/\n/, $twin->{out});

	is(join("\n", grep { !$shown{$_} } split(/\n/, $face->{out})), '', "a cursor of a function, read by $role, shows nothing else than the table");
	ok($face->{out} eq $twin->{out} || $face->{err} =~ /ERROR:  42501/, '... or refuses');
}

# views with their owner's rights over a face ask the reader all the same
$node->safe_psql('postgres', q{CREATE VIEW over AS SELECT * FROM by_user; ALTER VIEW over OWNER TO regress_dbvc_b; GRANT SELECT ON over TO PUBLIC});
my ($over, @over) = attempt_as($node, 'regress_dbvc_nothing', 'SELECT * FROM over');
is($over[0], '42501', 'a view over a face: rights of the reader');
unlike($over, qr/bytes of/, '... without which nothing is seen');
($over, @over) = attempt_as($node, 'regress_dbvc_a', 'SELECT * FROM over ORDER BY id');
is($over[0], (attempt_as($node, 'regress_dbvc_a', 'SELECT * FROM by_user ORDER BY id'))[1], '... with which it sees what is its own');

# ---- some rights only ----

# Adopting refuses who could do nothing with the view
$node->safe_psql('postgres', q{CREATE TABLE refused (id bigint PRIMARY KEY, data jsonb); GRANT UPDATE ON refused TO regress_dbvc_a});
like(error_of($node, qq{SELECT dbvc.document_adopt('refused', '{"d": "t"}')}), qr/role regress_dbvc_a may UPDATE, but not SELECT all columns/, 'UPDATE without SELECT is refused');
$node->safe_psql('postgres', q{REVOKE ALL ON refused FROM regress_dbvc_a; GRANT SELECT (data) ON refused TO regress_dbvc_a});
like(error_of($node, qq{SELECT dbvc.document_adopt('refused', '{"d": "t"}')}), qr/role regress_dbvc_a may SELECT, but not SELECT all columns/, '... as is SELECT of some columns');

twins($node, { as => 'regress_dbvc_owner' }, 'rights', q{
	CREATE TABLE %t (id bigint PRIMARY KEY, name text DEFAULT 'unnamed', note text DEFAULT 'none', data jsonb);
	INSERT INTO %t SELECT i, 'n', 'n', make_document(i, 3) FROM generate_series(1, 4) i;
	GRANT INSERT ON %t TO regress_dbvc_insert;
	GRANT SELECT ON %t TO regress_dbvc_select, regress_dbvc_data, regress_dbvc_name, regress_dbvc_delete, regress_dbvc_columns;
	GRANT UPDATE (data) ON %t TO regress_dbvc_data;
	GRANT UPDATE (name) ON %t TO regress_dbvc_name;
	GRANT DELETE ON %t TO regress_dbvc_delete;
	GRANT INSERT (id, data) ON %t TO regress_dbvc_columns;});
my @rights = ('SELECT * FROM %t ORDER BY id', 'SELECT count(*) FROM %t', 'SELECT 1 FROM %t LIMIT 1', 'SELECT * FROM %t WHERE id = 1 FOR UPDATE', 'SELECT * FROM %t WHERE id = 4 FOR SHARE',
	q{INSERT INTO %t VALUES (9, 'x', 'y', '{"dreamBook": [1, 2]}')}, q{INSERT INTO %t (id, data) VALUES (9, '{"dreamBook": [1, 2]}')}, q{INSERT INTO %t (id, data) VALUES (9, NULL)},
	q{INSERT INTO %t (id, data) VALUES (9, '{"dreamBook": [1, 2]}') RETURNING id}, q{INSERT INTO %t (id, data) VALUES (9, '{"dreamBook": [1, 2]}') RETURNING *}, q{INSERT INTO %t (id) VALUES (9)},
	q{INSERT INTO %t (id, name) VALUES (9, 'x')}, q{INSERT INTO %t (data) VALUES ('{}')}, q{INSERT INTO %t (id) VALUES (1)},
	q{UPDATE %t SET data = '{"dreamBook": [{"id": "d1"}]}'}, q{UPDATE %t SET data = jsonb_set(data, '{dreamBook,0,title}', '"x"') WHERE id = 1 RETURNING *}, q{UPDATE %t SET data = NULL WHERE id = 1},
	q{UPDATE %t SET name = 'x' WHERE id = 1}, q{UPDATE %t SET name = 'x' WHERE id = 4 RETURNING *}, q{UPDATE %t SET name = name}, q{UPDATE %t SET data = data}, q{UPDATE %t SET name = 'x', data = '{}'}, q{UPDATE %t SET id = 9 WHERE id = 1},
	q{UPDATE %t SET note = 'x'}, q{DELETE FROM %t}, q{DELETE FROM %t WHERE id = 1 RETURNING *}, q{DELETE FROM %t WHERE name = 'n' AND id > 3});
$node->safe_psql('postgres', q{UPDATE rights SET data = data || '{"split": 1}' WHERE id < 3; UPDATE rights_twin SET data = data || '{"split": 1}' WHERE id < 3});
split_is($node, 'rights', 2, 2, 'two split, two whole');
my %outcomes;
foreach my $role ('insert', 'select', 'data', 'name', 'delete', 'columns', 'nothing', 'owner')
{
	$outcomes{$role} = [ twins_agree($node, 'rights', "regress_dbvc_$role", @rights) ];
}
is($outcomes{insert}[5], '1 rows', 'who may only insert does, items and all');
is($outcomes{data}[14], '4 rows', 'who may only change documents does');
is($outcomes{name}[17], '1 rows', 'who may only change names does');
is($outcomes{delete}[24], '4 rows', 'who may only delete does');

# the same with row security
twins($node, { as => 'regress_dbvc_owner' }, 'secured', q{
	CREATE TABLE %t (id bigint PRIMARY KEY, name text DEFAULT 'unnamed', data jsonb);
	INSERT INTO %t SELECT i, 'n', make_document(i, 3) FROM generate_series(1, 4) i;
	ALTER TABLE %t ENABLE ROW LEVEL SECURITY;
	CREATE POLICY three ON %t USING (id <> 3);
	GRANT INSERT ON %t TO regress_dbvc_insert;
	GRANT SELECT ON %t TO regress_dbvc_data, regress_dbvc_name, regress_dbvc_delete;
	GRANT UPDATE (data) ON %t TO regress_dbvc_data;
	GRANT UPDATE (name) ON %t TO regress_dbvc_name;
	GRANT DELETE ON %t TO regress_dbvc_delete;});
my @secured = grep { !/note/ } @rights;
s/VALUES \(9, 'x', 'y'/VALUES (9, 'x'/ foreach @secured;
twins_agree($node, 'secured', "regress_dbvc_$_", @secured, q{INSERT INTO %t (id, data) VALUES (3, '{"dreamBook": [1]}')}) foreach ('insert', 'data', 'name', 'delete');

# only who inserts, and sees nothing of it
twins($node, { as => 'regress_dbvc_owner' }, 'mailbox', q{
	CREATE TABLE %t (id bigint PRIMARY KEY, data jsonb);
	ALTER TABLE %t ENABLE ROW LEVEL SECURITY;
	CREATE POLICY throw_in ON %t FOR INSERT WITH CHECK (true);
	GRANT INSERT, SELECT ON %t TO regress_dbvc_insert;});
twins_agree($node, 'mailbox', 'regress_dbvc_insert', q{INSERT INTO %t VALUES (1, '{"dreamBook": [1]}')}, q{INSERT INTO %t VALUES (1, '{}')}, q{SELECT * FROM %t});

# ---- guards ----

$node->safe_psql('postgres', q{GRANT ALL ON rights, rights_base, rights_items TO regress_dbvc_a});
is((attempt_as($node, 'regress_dbvc_owner', 'TRUNCATE rights'))[1], '42809', 'a face cannot be truncated');
my %guarded = (
	q{UPDATE rights_base SET data = jsonb_set(data, '{dreamBook}', '[1]') WHERE id = 1} => '55000', q{UPDATE rights_base SET data = data - 'profile' WHERE id = 1} => '55000',
	q{UPDATE rights_base SET data = NULL WHERE id = 1} => '55000', q{UPDATE rights_base SET data = jsonb_set(data, '{name}', '"new"') WHERE id = 1} => '1 rows',
	q{UPDATE rights_base SET data = jsonb_set(data, '{dreamBook}', '[1]') WHERE id = 4} => '1 rows', q{UPDATE rights_items SET ord = 1 WHERE false} => '55000',
	q{DELETE FROM rights_items WHERE id = 1} => '55000', q{INSERT INTO rights_items SELECT * FROM rights_items} => '55000', q{TRUNCATE rights_items} => '55000',
	q{TRUNCATE rights_base CASCADE} => '0 rows', q{DELETE FROM rights_base WHERE id = 1} => '1 rows', q{UPDATE rights_base SET id = 9 WHERE id = 1} => '1 rows',
	q{UPDATE rights_base SET doc_version = 0 WHERE id = 1 RETURNING doc_version} => '(2)', q{UPDATE rights_base SET doc_version = 7 WHERE id = 4 RETURNING doc_version} => '(0)');
my ($said, @results) = attempt_as($node, 'regress_dbvc_a', sort keys %guarded);
is($results[$_], $guarded{ (sort keys %guarded)[$_] }, 'guards: ' . (sort keys %guarded)[$_]) foreach (0 .. $#results);
($said, @results) = attempt_as($node, 'regress_dbvc_owner', 'UPDATE rights_items SET ord = 1', 'DELETE FROM rights_items', q{UPDATE rights_base SET data = '{}' WHERE id = 1});
is("@results", '55000 55000 55000', '... also for the owner');
twins_equal($node, 'rights', 'in the end');

$node->stop;
done_testing();
