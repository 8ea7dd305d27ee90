# What the tests of adopted tables share: documents, and twins: two tables made alike, of which one is adopted. Whatever
# is done to both must come out the same, be it rows or an error.
package Documents;

use strict;
use warnings;

use Dbvc;
use Exporter 'import';
use Test::More;

our @EXPORT = qw(documents_setup twins twins_equal twins_agree attempt_as split_is DOCUMENT_PARTS);

use constant DOCUMENT_PARTS => '{"dreamBook": "dream", "profile.goals": "goal"}';

# documents_setup(NODE, [DATABASE]): functions for the tests
sub documents_setup
{
	my ($node, $db) = @_;

	$node->safe_psql($db // 'postgres', q{
		CREATE FUNCTION make_document(n bigint, items int, filler int DEFAULT 1) RETURNS jsonb IMMUTABLE LANGUAGE sql AS $$
			SELECT jsonb_build_object('name', 'user ' || n, 'n', n, 'weeklyGoals', NULL,
				'dreamBook', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', 'd' || i, 'title', repeat(md5(n || '-' || i), filler),
					'score', (i || '.0')::numeric) ORDER BY i), '[]') FROM generate_series(1, items) i),
				'profile', jsonb_build_object('goals', (SELECT coalesce(jsonb_agg(CASE i % 4 WHEN 0 THEN 'null' WHEN 1 THEN to_jsonb(i)
					WHEN 2 THEN jsonb_build_object('id', i, 'n', n) ELSE '[1, [2.00]]' END ORDER BY i), '[]') FROM generate_series(1, items) i)))
		$$;
		-- the outcome of a statement, which is undone: its rows or how many, or its SQLSTATE
		CREATE FUNCTION attempt(sql text) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE
			r record;
			n bigint;
			result text := '';
			message text;
			detail text;
			hint text;
			context text;
		BEGIN
			IF sql ~* '^\s*(select|table|with|values)|returning' THEN
				FOR r IN EXECUTE sql LOOP result := result || r::text || E'\n'; END LOOP;
				IF result = '' THEN result := 'no rows'; END IF;
			ELSE
				EXECUTE sql;
				GET DIAGNOSTICS n = ROW_COUNT;
				result := n || ' rows';
			END IF;
			SET CONSTRAINTS ALL IMMEDIATE;
			RAISE EXCEPTION USING ERRCODE = 'UNDO1';
		EXCEPTION
			WHEN SQLSTATE 'UNDO1' THEN RETURN result;
			WHEN OTHERS THEN
				GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
					context = PG_EXCEPTION_CONTEXT;
				RAISE NOTICE '% % | % | % | %', SQLSTATE, message, detail, hint, context;
				RETURN SQLSTATE;
		END $$;});
}

# twins(NODE, NAME, SQL, [ARGUMENTS OF ADOPT]): run SQL twice, with %t replaced by NAME and by NAME_twin, and adopt the
# one of that name. {before} and {as} in a hash in front: more of the arguments, and the role that adopts.
sub twins
{
	my ($node, @rest) = @_;
	my $opt = ref $rest[0] ? shift @rest : {};
	my ($name, $sql, $more) = @rest;
	my $become = $opt->{as} ? "SET ROLE $opt->{as};" : '';

	foreach my $table ($name, "${name}_twin")
	{
		my $one = $sql =~ s/%t/$table/gr;

		$node->safe_psql($opt->{db} // 'postgres', "$become $one");
	}
	$node->safe_psql($opt->{db} // 'postgres', qq{$become SELECT FROM dbvc.document_adopt('$name', } . ($opt->{parts} // "'" . DOCUMENT_PARTS . "'") . ($more ? ", $more" : '') . ')');
}

# twins_equal(NODE, NAME, WHAT, [DB, COLUMN]): face and twin hold the same rows, and the documents the same bytes
sub twins_equal
{
	my ($node, $name, $what, $db, $column) = @_;

	$column //= 'data';
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->safe_psql($db // 'postgres', qq{
		SELECT 'rows', f, t FROM (SELECT count(*) FROM $name) f (f), (SELECT count(*) FROM ${name}_twin) t (t) WHERE f <> t;
		(SELECT 'face', * FROM $name EXCEPT ALL SELECT 'face', * FROM ${name}_twin) LIMIT 3;
		(SELECT 'twin', * FROM ${name}_twin EXCEPT ALL SELECT 'twin', * FROM $name) LIMIT 3;
		(SELECT 'bytes', ${column}::text FROM $name EXCEPT ALL SELECT 'bytes', ${column}::text FROM ${name}_twin) LIMIT 3;}),
		'', "$what: face and twin are equal");
}

# attempt_as(NODE, [{db},] ROLE, SQL...): what the role gets of each, in one session; and all that was said
sub attempt_as
{
	my ($node, @rest) = @_;
	my $opt = ref $rest[0] ? shift @rest : {};
	my ($role, @sql) = @rest;
	my $job = run_sql($node, $opt, ($opt->{before} ? $opt->{before} : ()), "SET ROLE $role", map { 'SELECT attempt($sql$' . $_ . q{$sql$) || E'\n--'} } @sql);
	my @results = map { s/\A\n+|\n+\z//gr } split(/^--$/m, $job->{out});

	pop @results if @results && $results[-1] eq '';
	die "attempts as $role failed: $job->{err}" unless $job->{ok} && @results == @sql;
	return ($job->{out} . $job->{err}, @results);
}

# twins_agree(NODE, [{db, before, todo},] NAME, ROLE, SQL...): each SQL, with %t for the table, has the same outcome on
# both; the outcomes. {todo} is a pattern of what does not yet, "ROLE: SQL".
sub twins_agree
{
	my ($node, @rest) = @_;
	my $opt = ref $rest[0] ? shift @rest : {};
	my ($name, $role, @sql) = @rest;
	my (undef, @face) = attempt_as($node, $opt, $role, map { s/%t/$name/gr } @sql);
	my (undef, @twin) = attempt_as($node, $opt, $role, map { s/%t/${name}_twin/gr } @sql);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $i (0 .. $#sql)
	{
		local $main::TODO = 'known' if $opt->{todo} && "$role: $sql[$i]" =~ $opt->{todo};

		# without an order, rows come as they are stored
		is(sorted($sql[$i], $face[$i]), sorted($sql[$i], $twin[$i]), "$role: $sql[$i]");
	}
	return @face;
}

sub sorted
{
	my ($sql, $rows) = @_;

	return $sql =~ /ORDER BY/ ? $rows : join("\n", sort split(/\n/, $rows));
}

# split_is(NODE, NAME, SPLIT, WHOLE, WHAT, [DB]): so many documents are split, so many whole; and no item is without one
sub split_is
{
	my ($node, $name, $split, $whole, $what, $db) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->safe_psql($db // 'postgres', qq{SELECT count(*) FILTER (WHERE doc_version > 0), count(*) FILTER (WHERE doc_version = 0),
		(SELECT count(*) FROM ${name}_items i LEFT JOIN ${name}_base b USING (id) WHERE b.doc_version IS NULL OR b.doc_version = 0)
		FROM ${name}_base}), "$split|$whole|0", $what);
}

1;
