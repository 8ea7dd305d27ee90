# Expressions and queries as text: the same before and after a dump and a restore, and that of PostgreSQL's own functions.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Dbvc;
use PostgreSQL::Test::Utils;
use Snapshots;
use Test::More;

my $node = dbvc_node('texts', SNAPSHOT_CONF);
my $dump = PostgreSQL::Test::Utils::tempdir . '/texts.sql';

new_database($node, 'before');
everything($node, 'before', 'texts.sql');
$node->safe_psql('postgres', 'CREATE DATABASE after TEMPLATE template0');
$node->command_ok([ 'pg_dump', '--schema-only', '-f', $dump, $node->connstr('before') ], 'dump');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('after') ], 'restore');

my $before = definitions($node, 'before');
my $after = definitions($node, 'after');

cmp_ok(scalar(keys %$before), '>', 1000, 'there is something to compare');
same_definitions($after, $before, 'every definition is that of before');

# What pg_get_viewdef() says after a restore, when lists and conditions have their final form, but for what is normalised
# beyond that: names of columns that nobody sees, conditions that are true.
is($node->safe_psql('after', q{
	SET search_path = pg_catalog, pg_temp; SET timezone = 'UTC'; SET lc_monetary = 'C';
	SELECT c.oid::regclass, d.body ->> 'query', v.query
	FROM pg_class c, dbvc.definition_of('pg_class'::regclass, c.oid) d, rtrim(ltrim(pg_get_viewdef(c.oid)), ';') AS v (query)
	WHERE c.relkind IN ('v', 'm') AND d.body ->> 'query' <> v.query AND v.query !~ '\( ?SELECT|UNION|INTERSECT|EXCEPT|ON \(true\)'}),
	'', 'views read as in pg_get_viewdef()');

done_testing();
