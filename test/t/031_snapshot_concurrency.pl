# Snapshots while other sessions change the schema: each shows a state that existed, or there is none. Whoever changes
# it moves all of it from one number to the next in one transaction, by renaming tables under views, functions that
# others call, columns and types: a snapshot with two numbers in it is a half.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use File::Temp qw(tempdir);
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{DBVC_RACE_SECONDS} // 8;
my $node = dbvc_node('snapshots', 'fsync = off', 'max_connections = 40', 'deadlock_timeout = 100ms');
my $folder = tempdir(CLEANUP => 1);

$node->safe_psql('postgres', q{
	CREATE SCHEMA s;
	CREATE TABLE public.number (n int);
	INSERT INTO public.number VALUES (1);
	CREATE TABLE public.seen (kind text, outcome text, numbers text[]);
	CREATE TYPE s.e_n1_ AS ENUM ('l_n1_', 'other');
	CREATE TABLE s.t_n1_ (id int CONSTRAINT filled NOT NULL CONSTRAINT key PRIMARY KEY, c_n1_ text DEFAULT 'x', e s.e_n1_ DEFAULT 'l_n1_');
	CREATE TABLE s.u_n1_ (id int CONSTRAINT reference REFERENCES s.t_n1_, c_n1_ text);
	CREATE FUNCTION s.f_n1_(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
	CREATE INDEX i_n1_ ON s.u_n1_ (s.f_n1_(id));
	CREATE VIEW s.one AS SELECT t.id, t.c_n1_ AS a, u.c_n1_ AS b, s.f_n1_(u.id) AS f FROM s.t_n1_ t JOIN s.u_n1_ u USING (id);
	CREATE VIEW s.two AS SELECT o.*, t.e = 'l_n1_' AS is FROM s.one o JOIN s.t_n1_ t USING (id);
	CREATE FUNCTION s.g() RETURNS SETOF s.t_n1_ LANGUAGE sql BEGIN ATOMIC SELECT t.id, t.c_n1_ AS c, t.e FROM s.t_n1_ t; END;

	-- the next number, all at once
	CREATE PROCEDURE public.advance() LANGUAGE plpgsql AS $$
	DECLARE
		a text := '_n' || (SELECT n FROM public.number FOR UPDATE) || '_';
		b text := '_n' || (SELECT n + 1 FROM public.number) || '_';
		what text;
	BEGIN
		UPDATE public.number SET n = n + 1;
		-- in any order
		FOR what IN SELECT x FROM unnest(ARRAY['TABLE s.t RENAME COLUMN c TO c', 'TABLE s.u RENAME COLUMN c TO c',
			'TABLE s.t RENAME TO t', 'TABLE s.u RENAME TO u', 'FUNCTION s.f RENAME TO f', 'INDEX s.i RENAME TO i',
			'TYPE s.e RENAME VALUE ''l'' TO ''l''', 'TYPE s.e RENAME TO e']) WITH ORDINALITY o(x, i)
			ORDER BY x LIKE '% RENAME TO %', random()
		LOOP
			EXECUTE 'ALTER ' || regexp_replace(regexp_replace(regexp_replace(regexp_replace(what, 's\.(\w)', 's.\1' || a),
				'COLUMN c TO c', 'COLUMN c' || a || ' TO c' || b), '''l'' TO ''l''', '''l' || a || ''' TO ''l' || b || ''''),
				' RENAME TO (\w)$', ' RENAME TO \1' || b);
		END LOOP;
		-- there and back is no change, but a row that was written
		ALTER VIEW s.one RENAME TO three;
		ALTER VIEW s.three RENAME TO one;
	END $$;

	-- one look at it
	CREATE FUNCTION public.look(what text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		document text;
		numbers text[];
		outcome text := 'taken';
	BEGIN
		BEGIN
			IF what LIKE '%full%' THEN
				-- the last one is of no use to it
				DELETE FROM dbvc.snapshot_state;
			END IF;
			document := dbvc.snapshot_document(dbvc.snapshot_capture())::text;
			numbers := ARRAY(SELECT DISTINCT m[1] FROM regexp_matches(document, '_n(\d+)_', 'g') m);
		EXCEPTION WHEN serialization_failure THEN
			outcome := 'refused';
		END;
		INSERT INTO public.seen VALUES (what, outcome, numbers);
	END $$;
});

my %script = (
	advance => q{CALL public.advance();
		\set pause random(5, 150)
		SELECT pg_sleep(:pause / 1000.0);},
	noise => q{\set i random(1, 1000000000)
		CREATE TABLE IF NOT EXISTS public.noise_:i (a int PRIMARY KEY, b text DEFAULT 'x');
		CREATE OR REPLACE VIEW public.noise_v_:i AS SELECT a FROM public.noise_:i;
		DROP TABLE IF EXISTS public.noise_:i CASCADE;
		CREATE TEMP TABLE IF NOT EXISTS noise_t_:i (a int);
		DROP TABLE IF EXISTS noise_t_:i;
		\sleep 20 ms},
	committed => q{SELECT public.look('committed'); \sleep 10 ms},
	full => q{SELECT public.look('full'); \sleep 10 ms},
	repeatable => q{BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT count(*) FROM pg_class, pg_sleep(0.02);
		SELECT public.look('repeatable');
		SELECT pg_sleep(0.02);
		SELECT public.look('repeatable, again');
		COMMIT;},
);
my %clients = (advance => 1, noise => 1, committed => 1, full => 1, repeatable => 1);

my @runs;
foreach my $name (sort keys %script)
{
	my $sql = $script{$name} =~ s/; (?=\\)/;\n/gr;
	my ($out, $err) = ('', '');

	append_to_file("$folder/$name.sql", $sql =~ s/^\s+//gmr . "\n");
	push @runs, { name => $name, out => \$out, err => \$err,
		run => IPC::Run::start([ 'pgbench', '-n', '-d', $node->connstr('postgres'), '-c', $clients{$name}, '-T', $seconds,
			'--max-tries', 0, '-f', "$folder/$name.sql" ], '>', \$out, '2>', \$err, IPC::Run::timeout(180)) };
}
foreach my $one (@runs)
{
	ok($one->{run}->finish, "$one->{name}: no error") or diag ${ $one->{err} };
}

diag $node->safe_psql('postgres', q{SELECT kind, outcome, count(*), count(DISTINCT numbers) FROM public.seen GROUP BY 1, 2 ORDER BY 1, 2});
is_sql($node, q{SELECT count(*) FROM public.seen WHERE outcome = 'taken' AND cardinality(numbers) <> 1}, 0, 'no snapshot is a half');
is_sql($node, q{SELECT count(*) > 5, count(DISTINCT numbers) > 2 FROM public.seen WHERE outcome = 'taken'}, 't|t', 'there are some');
is_sql($node, q{SELECT count(DISTINCT kind) FROM public.seen}, 4, 'in every way');
is_sql($node, q{SELECT n > 10 FROM public.number}, 't', 'while the schema changed');

is_sql($node, q{SELECT dbvc.snapshot_fingerprint(NULL, true) = dbvc.snapshot_fingerprint(NULL, true, true)}, 't',
	'in the end, what is made from the last one is what is made from nothing');
is_sql($node, q{SELECT (dbvc.snapshot_capture() IS NOT NULL)::text || (SELECT string_agg(DISTINCT m[1], ' ') = min(n)::text
	FROM public.number, regexp_matches(dbvc.snapshot_document()::text, '_n(\d+)_', 'g') m)}, 'truetrue', 'and has the last number');

# what other sessions do all the time does not keep snapshots from being taken
$node->safe_psql('postgres', q{CREATE TABLE public.queue (a int PRIMARY KEY, b text DEFAULT now()::text);
	CREATE VIEW public.queued AS SELECT * FROM public.queue});
my %habit = (
	'TRUNCATE' => 'TRUNCATE public.queue;',
	'temporary tables' => 'CREATE TEMP TABLE x (a serial PRIMARY KEY, b text DEFAULT now()::text, c int REFERENCES x); DROP TABLE x;',
	'tables that come and go' => 'CREATE TABLE public.x (a int, b text DEFAULT now()::text); DROP TABLE public.x;',
	'renames there and back' => 'ALTER TABLE s.t_n0_ RENAME TO y; ALTER TABLE s.y RENAME TO t_n0_; SELECT pg_sleep(0.1);',
);
my $n = $node->safe_psql('postgres', 'SELECT n FROM public.number');
foreach my $what (sort keys %habit)
{
	my ($out, $err) = ('', '');
	append_to_file("$folder/habit $what.sql", $habit{$what} =~ s/; /;\n/gr =~ s/_n0_/_n${n}_/gr . "\n");
	my $run = IPC::Run::start([ 'pgbench', '-n', '-d', $node->connstr('postgres'), '-c', 1, '-T', $seconds,
		'-f', "$folder/habit $what.sql" ], '>', \$out, '2>', \$err, IPC::Run::timeout(180));

	wait_for($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'});
	foreach my $i (1 .. 3)
	{
		my $job = run_sql($node, { db => 'postgres' }, qq{COMMENT ON VIEW public.queued IS '$i'}, q{SELECT dbvc.snapshot_capture()},
			q{SELECT dbvc.snapshot_fingerprint("full" => true)});
		ok($job->{ok}, "$what: snapshot $i") or diag $job->{err};
	}
	ok($run->finish, "$what went on") or diag $err;
}
is_sql($node, q{SELECT dbvc.snapshot_fingerprint(NULL, true) = dbvc.snapshot_fingerprint(NULL, true, true)}, 't',
	'in the end, both are still equal');

# no lock stays: whoever took a snapshot in a transaction that goes on is in nobody's way
my $holder = job($node, 'holder', q{BEGIN}, q{SELECT dbvc.snapshot_fingerprint("full" => true)}, q{SELECT pg_sleep(1000)});
wait_for($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'holder' AND query LIKE '%pg_sleep%'});
is_sql($node, q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'holder'
	AND l.locktype = 'relation' AND l.relation::regclass::text NOT LIKE 'dbvc.%'
	AND l.relation NOT IN (SELECT indexrelid FROM pg_index WHERE indrelid::regclass::text LIKE 'dbvc.%')}, 0, 'no lock is left behind');
is_sql($node, q{SET lock_timeout = '5s'; CALL public.advance(); SELECT 1}, 1, 'the schema can be changed meanwhile');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'});

done_testing();
