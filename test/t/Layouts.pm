# What the tests of directory layouts share: a migration's files in each layout, directories of them, what the program
# makes of a directory, and the order of each tool, told without dbvc's sort keys.
package Layouts;

use strict;
use warnings;

use Client;
use Encode;
use Exporter 'import';
use File::Basename;
use File::Path;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(layout_names layout_file layout_id migration_files make_dir rows_of short_names is_refused is_taken is_planned
  key_of_bytes key_of_number key_of_natural key_of_flyway sorted_by schema_pairs);

my $root = PostgreSQL::Test::Utils::tempdir;
my $count = 0;

sub layout_names { return qw(flyway golang-migrate diesel dbmate goose plain); }

# ---- files ----

# layout_id(LAYOUT, VERSION, NAME): what a migration is called there
sub layout_id
{
	my ($layout, $version, $name) = @_;

	return $layout eq 'flyway' ? "V${version}__$name" : "${version}_$name";
}

# layout_file(LAYOUT, ID): the file of its up script
sub layout_file
{
	my ($layout, $id) = @_;

	return $id . ($layout eq 'golang-migrate' ? '.up.sql' : $layout eq 'diesel' ? '/up.sql' : '.sql');
}

# migration_files(LAYOUT, VERSION, NAME, UP, [DOWN], [VERIFY]): NAME => TEXT of each of its files
sub migration_files
{
	my ($layout, $version, $name, $up, $down, $verify) = @_;
	my $id = layout_id($layout, $version, $name);
	my ($up_mark, $down_mark) = $layout eq 'dbmate' ? ("-- migrate:up\n", "-- migrate:down\n") : $layout eq 'goose' ? ("-- +goose Up\n", "-- +goose Down\n") : ();
	my %down_file = (flyway => "U${version}__$name.sql", 'golang-migrate' => "$id.down.sql", diesel => "$id/down.sql", plain => "$id.down.sql");
	my %verify_file = (diesel => "$id/verify.sql", plain => "$id.verify.sql");
	my @files = (layout_file($layout, $id) => $up_mark ? $up_mark . $up . (defined $down ? $down_mark . $down : '') : $up);

	push @files, $down_file{$layout} => $down if defined $down && !$up_mark;
	push @files, $verify_file{$layout} // "verify/$id.sql" => $verify if defined $verify;
	return @files;
}

# make_dir(NAME => TEXT...): a new directory with these files; a reference to a text is a symbolic link to it
sub make_dir
{
	my %files = @_;
	my $dir = "$root/d" . ++$count;

	mkpath($dir);
	put_files($dir, map { $_ => $files{$_} } grep { !ref $files{$_} } keys %files);
	foreach my $name (grep { ref $files{$_} } sort keys %files)
	{
		mkpath(dirname("$dir/$name"));
		symlink(${ $files{$name} }, "$dir/$name") or die "cannot link $dir/$name: $!";
	}
	return $dir;
}

# ---- what the program makes of them ----

# short_names(DIR, TEXT): the same as bytes, with D for the directory
sub short_names
{
	my ($dir, $text) = @_;

	return encode_utf8($text // '') =~ s/\Q$dir\E/D/gr;
}

# rows_of(DOCUMENT, KEY...): one line for each migration of an answer, with these keys of it
sub rows_of
{
	my ($document, @keys) = @_;

	return join("\n", map { my $row = $_; join(' ', map { short_names($document->{directory} // "\0", $row->{$_} // '-') } @keys) } @{ $document->{migrations} });
}

sub problem_text
{
	my ($dir, $problem) = @_;

	return short_names($dir, join(':', $problem->{file} // '-', $problem->{line} // 0, $problem->{column} // 0) . ": $problem->{message}");
}

# is_refused(NAME, FILES or DIR, [ARGUMENT...], PATTERN...): the directory cannot be used, for as many reasons as there are
# patterns; a reason is "D/FILE:LINE:COLUMN: MESSAGE"
sub is_refused
{
	my ($name, $files, $args, @patterns) = @_;
	my $dir = ref $files ? make_dir(%$files) : $files;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $document = client_json(2, $name, 'plan', $dir, @$args);
	my @said = map { problem_text($dir, $_) } @{ $document->{problems} };
	my @left = @said;
	my @wrong;

	foreach my $pattern (@patterns)
	{
		my ($found) = grep { $left[$_] =~ $pattern } (0 .. $#left);

		defined $found ? splice(@left, $found, 1) : push(@wrong, "not said: $pattern");
	}
	push @wrong, map { "not expected: $_" } @left;
	is(join("\n", @wrong), '', "... $name: says why") or diag(join("\n", @said));
	return $document;
}

# is_taken(NAME, FILES or DIR, [ARGUMENT...], IDS): a plan applies these, in this order; the document
sub is_taken
{
	my ($name, $files, $args, $ids) = @_;
	my $dir = ref $files ? make_dir(%$files) : $files;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $document = client_json(0, $name, 'plan', $dir, @$args);
	is(rows_of($document, 'id') =~ tr/\n/ /r, $ids, "... $name: is planned") or diag($document->{stderr});
	return $document;
}

# is_planned(NAME, DIR, FILE...): a plan applies these files, in this order
sub is_planned
{
	my ($name, $dir, @files) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $document = client_json(0, $name, 'plan', $dir);
	my @planned = map { short_names($dir, $_->{file}) =~ s/^D\///r } @{ $document->{migrations} };
	my ($first) = grep { ($planned[$_] // '') ne ($files[$_] // '') } (0 .. ($#planned > $#files ? $#planned : $#files));

	is($first, undef, "... $name: in the tool's order") or diag("at $first: " . ($planned[$first] // '-') . ', not ' . ($files[$first] // '-'));
	return $document;
}

# ---- the orders of the tools: a text whose bytes sort like the version ----

# Diesel compares versions as text, dbmate the names of files
sub key_of_bytes { return $_[0]; }

# golang-migrate and goose: numbers, of up to 99 digits here
sub key_of_number
{
	my ($digits) = $_[0] =~ /^0*(\d*)/;

	return sprintf('%02d', length($digits)) . $digits;
}

# Digits in a row as numbers, all else by bytes; of equal ones the text decides
sub key_of_natural { return $_[0] =~ s/(\d+)/'0' . key_of_number($1)/ger . "\0$_[0]"; }

# Flyway: parts as numbers, missing ones are 0; a baseline comes after the migration of its version
sub key_of_flyway
{
	my ($kind, $version) = $_[0] =~ /^([VB])([\d._]+?)(?:__.*)?$/ or die "no version: $_[0]";
	my @parts = split(/[._]/, $version);

	return join('', map { key_of_number($parts[$_] // 0) . ' ' } (0 .. 15)) . ($kind eq 'B' ? 1 : 0);
}

# sorted_by(KEY, NAME...): NAMEs in the order of what KEY makes of them; of those with the same one only the first
sub sorted_by
{
	my ($key, @names) = @_;
	my %name_of;

	$name_of{ $key->($_) } //= $_ foreach (@names);
	return map { $name_of{$_} } sort keys %name_of;
}

# ---- a schema ----

# What a migration makes, one of each kind in turn, and how it is undone; N is its number, T the last table.
my $kinds = <<'END';
CREATE TABLE <T> (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL DEFAULT 'a; -- b',
	price numeric(10, 2) CHECK (price >= 0),
	day date
);
----
DROP TABLE <T>;
====
ALTER TABLE <T> ADD c<N> jsonb DEFAULT '{"a": [1, 2]}', ADD d<N> text COLLATE "C";
COMMENT ON COLUMN <T>.c<N> IS 'it''s $$ \ ü';
----
ALTER TABLE <T> DROP c<N>, DROP d<N>;
====
CREATE INDEX i<N> ON <T> (lower(name), id DESC) INCLUDE (price) WHERE price > 0;
----
DROP INDEX i<N>;
====
CREATE VIEW v<N> AS SELECT id, name || ';' AS "na;me" FROM <T> WHERE price > <N>;
----
DROP VIEW v<N>;
====
CREATE FUNCTION f<N>() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
	PERFORM ';';
	RETURN NEW; -- done;
END;
$f$;
CREATE TRIGGER g<N> BEFORE INSERT ON <T> FOR EACH ROW WHEN (NEW.price > <N>) EXECUTE FUNCTION f<N>();
----
DROP TRIGGER g<N> ON <T>;
DROP FUNCTION f<N>();
====
CREATE TYPE e<N> AS ENUM ('new', 'it''s', 'a;b');
CREATE DOMAIN o<N> AS text CHECK (VALUE ~ '^[a-z;]+$');
CREATE TYPE r<N> AS (a e<N>, b o<N>);
----
DROP TYPE r<N>;
DROP DOMAIN o<N>;
DROP TYPE e<N>;
====
ALTER TABLE <T> ADD parent<N> bigint,
	ADD CONSTRAINT k<N> FOREIGN KEY (parent<N>) REFERENCES <T> ON DELETE SET NULL DEFERRABLE;
----
ALTER TABLE <T> DROP parent<N>;
====
CREATE UNIQUE INDEX CONCURRENTLY u<N> ON <T> (name, id);
----
DROP INDEX CONCURRENTLY u<N>;
====
CREATE SEQUENCE s<N> INCREMENT 7 CACHE 3;
ALTER TABLE <T> ADD q<N> bigint DEFAULT nextval('s<N>');
ALTER SEQUENCE s<N> OWNED BY <T>.q<N>;
----
ALTER TABLE <T> DROP q<N>;
====
CREATE SCHEMA "S;<N>";
SET search_path = "S;<N>";
CREATE TABLE "Ta""ble" (a int);
RESET search_path;
----
DROP TABLE "S;<N>"."Ta""ble";
DROP SCHEMA "S;<N>";
====
CREATE TABLE p<N> (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE p<N>_1 PARTITION OF p<N> FOR VALUES FROM (0) TO (<N>);
CREATE TABLE p<N>_2 PARTITION OF p<N> DEFAULT;
CREATE INDEX ON p<N> (b);
----
DROP TABLE p<N>;
====
CREATE FUNCTION b<N>(a int) RETURNS text LANGUAGE sql
BEGIN ATOMIC
	SELECT CASE WHEN a = <N> THEN 'x;' ELSE 'y' END;
END;
CREATE PROCEDURE m<N>() LANGUAGE sql AS 'DELETE FROM <T>; SELECT 1';
----
DROP PROCEDURE m<N>();
DROP FUNCTION b<N>(int);
====
ALTER TABLE <T> ENABLE ROW LEVEL SECURITY;
CREATE POLICY y<N> ON <T> FOR SELECT TO PUBLIC USING (price > <N>);
GRANT SELECT (id, name) ON <T> TO PUBLIC;
----
REVOKE SELECT (id, name) ON <T> FROM PUBLIC;
DROP POLICY y<N> ON <T>;
ALTER TABLE <T> DISABLE ROW LEVEL SECURITY;
====
INSERT INTO <T> (name, price) SELECT 'n' || i, i FROM generate_series(1, 5) i;
COPY <T> (name, price) FROM stdin;
a;b	1
-- c	2
\.
CREATE MATERIALIZED VIEW w<N> AS SELECT count(*) AS n FROM <T>;
----
DROP MATERIALIZED VIEW w<N>;
====
CREATE STATISTICS x<N> (ndistinct) ON id, price FROM <T>;
CREATE AGGREGATE a<N> (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
----
DROP AGGREGATE a<N>(int);
DROP STATISTICS x<N>;
====
DO $$
BEGIN
	FOR i IN 1..2 LOOP
		EXECUTE format('CREATE TABLE z<N>_%s (a int)', i);
	END LOOP;
END $$;
----
DROP TABLE z<N>_1, z<N>_2;
END

# schema_pairs(NUMBER): so many migrations that need each other, as [ VERSION, UP, DOWN ]
sub schema_pairs
{
	my ($number) = @_;
	my @kinds = split(/^====\n/m, $kinds);
	my $table;

	return map {
		my $n = $_;
		my $kind = ($n - 1) % @kinds;

		$table = "t$n" if $kind == 0;
		[ $n, split(/^----\n/m, $kinds[$kind] =~ s/<N>/$n/gr =~ s/<T>/$table/gr) ];
	} (1 .. $number);
}

1;
