# A schema as a model, and random DDL on it: what a diff has to say follows from the model's states before and after.
#
# The model has things: each is there or not, has one of several names if it can be renamed, and choices, each with one of
# several values.  Every statement makes a thing, drops it (and what hangs on it), renames it, or makes a choice; which of
# these it is, of what, is a statement's kind.
package RandomDdl;

use strict;
use warnings;

use List::Util qw(shuffle);

sub new
{
	my ($class, %opt) = @_;
	my $self = bless { things => [], made => 0, kinds => {}, major => $opt{major} }, $class;

	srand($opt{seed});
	$self->_things($opt{copies} // 2);
	return $self;
}

# ---- what there can be ----

sub _comment { my ($sql) = @_; return { attr => qr/^comment$/, kind => 'comment', sql => [ "COMMENT ON $sql IS NULL", "COMMENT ON $sql IS 'some words'", "COMMENT ON $sql IS E'it''s\\nmore'" ] }; }
sub _owner { my ($sql) = @_; return { attr => qr/^owner$/, kind => 'owner', sql => [ "ALTER $sql OWNER TO CURRENT_USER", "ALTER $sql OWNER TO regress_dbvc_owner" ] }; }
sub _acl { my ($sql, $what) = @_; return { attr => qr/^acl\b/, kind => 'grant', sql => [ "REVOKE ALL ON $sql FROM regress_dbvc_reader", "REVOKE ALL ON $sql FROM regress_dbvc_reader; GRANT $what ON $sql TO regress_dbvc_reader", "GRANT $what ON $sql TO regress_dbvc_reader WITH GRANT OPTION" ] }; }
sub _choice { my ($kind, $attr, @sql) = @_; return { kind => $kind, attr => $attr, sql => \@sql }; }

# %N the thing's own name in full, %n without its schema, %P the parent's in full
sub _things
{
	my ($self, $copies) = @_;

	foreach my $i (1 .. $copies)
	{
		my $s = $self->_thing("s$i", kind => 'schema', type => 'schema', names => [ $i == 1 ? 'g1' : '"G ""2"""' ], weight => 1,
			make => 'CREATE SCHEMA %N', drop => 'DROP SCHEMA %N CASCADE', choices => [ _comment('SCHEMA %N'), _acl('SCHEMA %N', 'USAGE') ]);
		my $of = sub { my ($name, %a) = @_; return $self->_thing("$name$i", in => "s$i", on => [ $a{on} ? "$a{on}$i" : "s$i" ], %a{ grep { $_ ne 'on' } keys %a }); };

		$of->('t', kind => 'table', type => 'table', names => ['t'], make => 'CREATE TABLE %N (id int, base text)', drop => 'DROP TABLE %N CASCADE', columns => 1, weight => 2, choices => [
			_comment('TABLE %N'), _acl('%N', 'SELECT, INSERT'), _choice('set option', qr/^options/, 'ALTER TABLE %N RESET (fillfactor)', 'ALTER TABLE %N SET (fillfactor = 50)', 'ALTER TABLE %N SET (fillfactor = 60)'),
			_choice('toast option', qr/options/, 'ALTER TABLE %N RESET (toast.autovacuum_enabled)', 'ALTER TABLE %N SET (toast.autovacuum_enabled = false)'),
			_choice('row security', qr/row_security|rls/, 'ALTER TABLE %N DISABLE ROW LEVEL SECURITY', 'ALTER TABLE %N ENABLE ROW LEVEL SECURITY'),
			_choice('force row security', qr/row_security|rls/, 'ALTER TABLE %N NO FORCE ROW LEVEL SECURITY', 'ALTER TABLE %N FORCE ROW LEVEL SECURITY'),
			_choice('replica identity', qr/^replica_identity/, 'ALTER TABLE %N REPLICA IDENTITY DEFAULT', 'ALTER TABLE %N REPLICA IDENTITY FULL', 'ALTER TABLE %N REPLICA IDENTITY NOTHING') ]);
		$of->('lone', kind => 'other table', type => 'table', names => [ 'lone', '"Lone ""2"""' ], rename => 'ALTER TABLE %N RENAME TO %m', make => 'CREATE TABLE %N (a int, b text)', drop => 'DROP TABLE %N', columns => 1, choices => [
			_owner('TABLE %N'), _choice('unlogged', qr/^persistence/, 'ALTER TABLE %N SET LOGGED', 'ALTER TABLE %N SET UNLOGGED'),
			_choice('tablespace', qr/^tablespace/, 'ALTER TABLE %N SET TABLESPACE pg_default', 'ALTER TABLE %N SET TABLESPACE "regress_dbvc Space"') ]);
		my $column = sub { my ($id, $name, $type, @choices) = @_; $of->($id, on => 't', kind => "column $type", type => 'table column', column_of => "t$i", names => [$name], make => "ALTER TABLE %P ADD $name $type", drop => "ALTER TABLE %P DROP $name", choices => \@choices) };
		$column->('c1_', 'c1', 'int', _choice('type', qr/^type$/, 'ALTER TABLE %P ALTER c1 TYPE int', 'ALTER TABLE %P ALTER c1 TYPE bigint', 'ALTER TABLE %P ALTER c1 TYPE numeric(10, 2)'), _comment('COLUMN %P.c1'),
			_choice('statistics', qr/^statistics/, 'ALTER TABLE %P ALTER c1 SET STATISTICS -1', 'ALTER TABLE %P ALTER c1 SET STATISTICS 100'));
		$column->('c2_', '"C ""2"""', 'text', _choice('default', qr/^default$/, 'ALTER TABLE %P ALTER "C ""2""" DROP DEFAULT', q{ALTER TABLE %P ALTER "C ""2""" SET DEFAULT 'it''s'}, 'ALTER TABLE %P ALTER "C ""2""" SET DEFAULT current_user'),
			_choice('not null', qr/^not_null/, 'ALTER TABLE %P ALTER "C ""2""" DROP NOT NULL', 'ALTER TABLE %P ALTER "C ""2""" SET NOT NULL'),
			_choice('storage', qr/^storage$/, 'ALTER TABLE %P ALTER "C ""2""" SET STORAGE EXTENDED', 'ALTER TABLE %P ALTER "C ""2""" SET STORAGE EXTERNAL', 'ALTER TABLE %P ALTER "C ""2""" SET STORAGE MAIN'));
		$column->('c3_', 'c3', 'int', { more => { 1 => 'sequence %S.t_c3_seq' }, %{ _choice('identity', qr/^(identity|not_null)/, 'ALTER TABLE %P ALTER c3 DROP IDENTITY IF EXISTS; ALTER TABLE %P ALTER c3 DROP NOT NULL', 'ALTER TABLE %P ALTER c3 DROP IDENTITY IF EXISTS; ALTER TABLE %P ALTER c3 SET NOT NULL; ALTER TABLE %P ALTER c3 ADD GENERATED ALWAYS AS IDENTITY') } },
			_choice('column grant', qr/^acl/, 'REVOKE ALL (c3) ON %P FROM regress_dbvc_writer', 'GRANT UPDATE (c3) ON %P TO regress_dbvc_writer'), _choice('column option', qr/options/, 'ALTER TABLE %P ALTER c3 RESET (n_distinct)', 'ALTER TABLE %P ALTER c3 SET (n_distinct = -0.5)'));
		$of->('ck', on => 't', kind => 'check', type => 'table constraint', names => [ 'ck', '"Ck ""2"""' ], identity => '%n on %P', make => 'ALTER TABLE %P ADD CONSTRAINT %n CHECK (id > 0)', rename => 'ALTER TABLE %P RENAME CONSTRAINT %n TO %m', drop => 'ALTER TABLE %P DROP CONSTRAINT %n', choices => [ _comment('CONSTRAINT %n ON %P') ]);
		$of->('uq', on => 't', kind => 'unique', type => 'table constraint', names => ['uq'], identity => '%n on %P', make => 'ALTER TABLE %P ADD CONSTRAINT %n UNIQUE (id)', drop => 'ALTER TABLE %P DROP CONSTRAINT %n CASCADE', choices => [ _comment('CONSTRAINT %n ON %P'),
			_choice('index of a constraint', qr/^index/, "ALTER INDEX %S.uq RESET (fillfactor)", "ALTER INDEX %S.uq SET (fillfactor = 40)") ]);
		$of->('fk', on => 'uq', kind => 'foreign key', type => 'table constraint', names => ['fk'], identity => '%n on %S.t', make => 'ALTER TABLE %S.t ADD CONSTRAINT %n FOREIGN KEY (id) REFERENCES %S.t (id) ON DELETE CASCADE', drop => 'ALTER TABLE %S.t DROP CONSTRAINT %n', choices => [
			_choice('deferrable', qr/^(initially_)?deferr/, 'ALTER TABLE %S.t ALTER CONSTRAINT %n NOT DEFERRABLE', 'ALTER TABLE %S.t ALTER CONSTRAINT %n DEFERRABLE INITIALLY IMMEDIATE', 'ALTER TABLE %S.t ALTER CONSTRAINT %n DEFERRABLE INITIALLY DEFERRED') ]);
		$of->('ex', on => 't', kind => 'exclusion', type => 'table constraint', names => ['ex'], identity => '%n on %P', make => 'ALTER TABLE %P ADD CONSTRAINT %n EXCLUDE ((id + 1) WITH =) WHERE (id > 5)', drop => 'ALTER TABLE %P DROP CONSTRAINT %n', choices => []);
		$of->('ix', on => 't', kind => 'index', type => 'index', names => [ 'ix', '"Ix ""2"""' ], make => 'CREATE INDEX %n ON %P (id, lower(base) DESC) WHERE id > 3', rename => 'ALTER INDEX %N RENAME TO %m', drop => 'DROP INDEX %N', choices => [ _comment('INDEX %N'),
			_choice('index option', qr/^options/, 'ALTER INDEX %N RESET (fillfactor)', 'ALTER INDEX %N SET (fillfactor = 55)'), _choice('index statistics', qr/^columns/, 'ALTER INDEX %N ALTER COLUMN 2 SET STATISTICS -1', 'ALTER INDEX %N ALTER COLUMN 2 SET STATISTICS 9'),
			_choice('index tablespace', qr/^tablespace/, 'ALTER INDEX %N SET TABLESPACE pg_default', 'ALTER INDEX %N SET TABLESPACE "regress_dbvc Space"') ]);
		$of->('cx', on => 't', kind => 'plain index', type => 'index', names => ['cx'], make => 'CREATE UNIQUE INDEX %n ON %P (base, id)', drop => 'DROP INDEX %N', choices => [ _choice('cluster on', qr/cluster/, 'ALTER TABLE %P SET WITHOUT CLUSTER', 'ALTER TABLE %P CLUSTER ON %n') ]);
		$of->('trf', kind => 'trigger function', type => 'function', names => ['trf'], identity => '%N()', make => q{CREATE FUNCTION %N() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'}, drop => 'DROP FUNCTION %N() CASCADE', weight => 1, choices => [ _owner('FUNCTION %N()') ]);
		$self->_thing("tr$i", in => "s$i", on => [ "t$i", "trf$i" ], kind => 'trigger', type => 'trigger', names => [ 'tr', '"Tr ""2"""' ], identity => '%n on %P', make => 'CREATE TRIGGER %n AFTER INSERT OR UPDATE OF id ON %P FOR EACH ROW WHEN (NEW.id > 3) EXECUTE FUNCTION %S.trf()', rename => 'ALTER TRIGGER %n ON %P RENAME TO %m', drop => 'DROP TRIGGER %n ON %P',
			choices => [ _comment('TRIGGER %n ON %P'), _choice('enable', qr/^enabled/, 'ALTER TABLE %P ENABLE TRIGGER %n', 'ALTER TABLE %P DISABLE TRIGGER %n', 'ALTER TABLE %P ENABLE ALWAYS TRIGGER %n', 'ALTER TABLE %P ENABLE REPLICA TRIGGER %n') ]);
		$of->('ru', on => 't', kind => 'rule', type => 'rule', names => [ 'ru', 'ru2' ], identity => '%n on %P', make => 'CREATE RULE %n AS ON DELETE TO %P WHERE OLD.id = 3 DO INSTEAD NOTHING', rename => 'ALTER RULE %n ON %P RENAME TO %m', drop => 'DROP RULE %n ON %P', choices => [ _comment('RULE %n ON %P'), _choice('enable', qr/^enabled/, 'ALTER TABLE %P ENABLE RULE %n', 'ALTER TABLE %P DISABLE RULE %n') ]);
		$of->('po', on => 't', kind => 'policy', type => 'policy', names => [ 'po', '"Po ""2"""' ], identity => '%n on %P', make => 'CREATE POLICY %n ON %P USING (id > 1)', rename => 'ALTER POLICY %n ON %P RENAME TO %m', drop => 'DROP POLICY %n ON %P', choices => [ _comment('POLICY %n ON %P'),
			_choice('roles', qr/^roles/, 'ALTER POLICY %n ON %P TO PUBLIC', 'ALTER POLICY %n ON %P TO regress_dbvc_reader, regress_dbvc_writer'), _choice('using', qr/^using/, 'ALTER POLICY %n ON %P USING (id > 1)', q{ALTER POLICY %n ON %P USING (base = 'x')}) ]);
		$of->('st', on => 't', kind => 'statistics', type => 'statistics object', names => [ 'st', 'st2' ], make => 'CREATE STATISTICS %N (ndistinct) ON id, base FROM %P', rename => 'ALTER STATISTICS %N RENAME TO %m', drop => 'DROP STATISTICS %N', choices => [ _comment('STATISTICS %N'), _owner('STATISTICS %N'), _choice('target', qr/statistics|target/, 'ALTER STATISTICS %N SET STATISTICS -1', 'ALTER STATISTICS %N SET STATISTICS 30') ]);
		$of->('v', on => 't', kind => 'view', type => 'view', names => [ 'v', '"V ""2"""' ], make => 'CREATE VIEW %N AS SELECT id, base FROM %P', rename => 'ALTER VIEW %N RENAME TO %m', drop => 'DROP VIEW %N', choices => [ _comment('VIEW %N'), _acl('%N', 'SELECT'), _choice('view option', qr/^options/, 'ALTER VIEW %N RESET (security_barrier)', 'ALTER VIEW %N SET (security_barrier)'),
			_choice('query', qr/^(query|definition)/, 'CREATE OR REPLACE VIEW %N%W AS SELECT id, base FROM %P', q{CREATE OR REPLACE VIEW %N%W AS SELECT id, base FROM %P WHERE id IN (1, 2)}), { %{ _choice('view default', qr/^default$/, 'ALTER VIEW %N ALTER id DROP DEFAULT', 'ALTER VIEW %N ALTER id SET DEFAULT 3') }, row => 'view column %N.id' } ]);
		$of->('mv', on => 't', kind => 'materialized view', type => 'materialized view', names => [ 'mv', 'mv2' ], make => 'CREATE MATERIALIZED VIEW %N AS SELECT id, base FROM %P', rename => 'ALTER MATERIALIZED VIEW %N RENAME TO %m', drop => 'DROP MATERIALIZED VIEW %N', choices => [ _comment('MATERIALIZED VIEW %N'), _owner('MATERIALIZED VIEW %N') ]);
		$of->('sq', kind => 'sequence', type => 'sequence', names => [ 'sq', '"Sq ""2"""' ], make => 'CREATE SEQUENCE %N', rename => 'ALTER SEQUENCE %N RENAME TO %m', drop => 'DROP SEQUENCE %N', choices => [ _comment('SEQUENCE %N'), _owner('SEQUENCE %N'),
			_choice('increment', qr/^increment/, 'ALTER SEQUENCE %N INCREMENT 1', 'ALTER SEQUENCE %N INCREMENT 7'), _choice('cycle', qr/^cycle/, 'ALTER SEQUENCE %N NO CYCLE', 'ALTER SEQUENCE %N CYCLE'), _choice('cache', qr/^cache/, 'ALTER SEQUENCE %N CACHE 1', 'ALTER SEQUENCE %N CACHE 20'),
			_choice('maximum', qr/^max/, 'ALTER SEQUENCE %N NO MAXVALUE', 'ALTER SEQUENCE %N MAXVALUE 1000') ]);
		$of->('fu', kind => 'function', type => 'function', names => [ 'fu', '"Fu ""2"""' ], identity => '%N(integer,pg_catalog.text)', make => q{CREATE FUNCTION %N(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1'}, rename => 'ALTER FUNCTION %N(int, text) RENAME TO %m', drop => 'DROP FUNCTION %N(int, text)', choices => [
			_comment('FUNCTION %N(int, text)'), _acl('FUNCTION %N(int, text)', 'EXECUTE'), _choice('cost', qr/^cost/, 'ALTER FUNCTION %N(int, text) COST 100', 'ALTER FUNCTION %N(int, text) COST 7'), _choice('volatility', qr/^volatil/, 'ALTER FUNCTION %N(int, text) VOLATILE', 'ALTER FUNCTION %N(int, text) STABLE', 'ALTER FUNCTION %N(int, text) IMMUTABLE'),
			_choice('strict', qr/^strict/, 'ALTER FUNCTION %N(int, text) CALLED ON NULL INPUT', 'ALTER FUNCTION %N(int, text) STRICT'), _choice('security definer', qr/^security/, 'ALTER FUNCTION %N(int, text) SECURITY INVOKER', 'ALTER FUNCTION %N(int, text) SECURITY DEFINER'), _choice('parallel', qr/^parallel/, 'ALTER FUNCTION %N(int, text) PARALLEL UNSAFE', 'ALTER FUNCTION %N(int, text) PARALLEL SAFE'),
			_choice('function setting', qr/^(settings|config|set)/, 'ALTER FUNCTION %N(int, text) RESET work_mem', q{ALTER FUNCTION %N(int, text) SET work_mem = '6MB'}), _choice('leakproof', qr/^leakproof/, 'ALTER FUNCTION %N(int, text) NOT LEAKPROOF', 'ALTER FUNCTION %N(int, text) LEAKPROOF') ]);
		$of->('body', kind => 'function body', type => 'function', names => ['body'], identity => '%N()', make => q{CREATE FUNCTION %N() RETURNS int LANGUAGE sql AS 'SELECT 1'}, drop => 'DROP FUNCTION %N()', choices => [ _choice('body', qr/^(sql_)?body$/, q{CREATE OR REPLACE FUNCTION %N() RETURNS int LANGUAGE sql AS 'SELECT 1'}, q{CREATE OR REPLACE FUNCTION %N() RETURNS int LANGUAGE sql AS 'SELECT 2'}, q{CREATE OR REPLACE FUNCTION %N() RETURNS int LANGUAGE sql RETURN 3}) ]);
		$of->('pr', kind => 'procedure', type => 'procedure', names => [ 'pr', 'pr2' ], identity => '%N()', make => q{CREATE PROCEDURE %N() LANGUAGE sql AS ''}, rename => 'ALTER PROCEDURE %N() RENAME TO %m', drop => 'DROP PROCEDURE %N()', choices => [ _comment('PROCEDURE %N()'), _owner('PROCEDURE %N()') ]);
		$of->('ag', kind => 'aggregate', type => 'aggregate', names => [ 'ag', 'ag2' ], identity => '%N(integer)', make => q{CREATE AGGREGATE %N(int) (SFUNC = int4pl, STYPE = int)}, rename => 'ALTER AGGREGATE %N(int) RENAME TO %m', drop => 'DROP AGGREGATE %N(int)', choices => [ _comment('AGGREGATE %N(int)'), _choice('initial value', qr/^init/, 'CREATE OR REPLACE AGGREGATE %N(int) (SFUNC = int4pl, STYPE = int)', q{CREATE OR REPLACE AGGREGATE %N(int) (SFUNC = int4pl, STYPE = int, INITCOND = '3')}) ]);
		$of->('en', kind => 'enum', type => 'type', names => ['"En ""2"""'], make => q{CREATE TYPE %N AS ENUM ('a', 'b')}, drop => 'DROP TYPE %N CASCADE', choices => [ _comment('TYPE %N'), _acl('TYPE %N', 'USAGE'), _choice('label', qr/^(labels|enum|values)/, q{DO $do$ BEGIN ALTER TYPE %N RENAME VALUE 'it''s' TO 'b'; EXCEPTION WHEN invalid_parameter_value THEN NULL; END $do$}, q{DO $do$ BEGIN ALTER TYPE %N RENAME VALUE 'b' TO 'it''s'; EXCEPTION WHEN invalid_parameter_value THEN NULL; END $do$}) ]);
		$of->('do', kind => 'domain', type => 'type', names => [ 'do_', '"Do ""2"""' ], make => 'CREATE DOMAIN %N AS int', rename => 'ALTER DOMAIN %N RENAME TO %m', drop => 'DROP DOMAIN %N', choices => [ _comment('DOMAIN %N'), _owner('DOMAIN %N'), _choice('domain default', qr/^default/, 'ALTER DOMAIN %N DROP DEFAULT', 'ALTER DOMAIN %N SET DEFAULT 5'),
			_choice('domain not null', qr/^not_null/, 'ALTER DOMAIN %N DROP NOT NULL', 'ALTER DOMAIN %N SET NOT NULL') ]);
		$of->('dom', kind => 'other domain', type => 'type', names => ['dom'], make => 'CREATE DOMAIN %N AS text', drop => 'DROP DOMAIN %N', choices => []);
		$of->('dc', on => 'dom', kind => 'domain constraint', type => 'domain constraint', names => [ 'dc', 'dc2' ], identity => '%n on %P', make => 'ALTER DOMAIN %P ADD CONSTRAINT %n CHECK (VALUE <> \'\')', rename => 'ALTER DOMAIN %P RENAME CONSTRAINT %n TO %m', drop => 'ALTER DOMAIN %P DROP CONSTRAINT %n', choices => [ _comment('CONSTRAINT %n ON DOMAIN %P') ]);
		$of->('ct', kind => 'composite type', type => 'composite type', names => ['ct'], make => 'CREATE TYPE %N AS (a int)', drop => 'DROP TYPE %N', columns => 1, choices => [ _comment('TYPE %N'), _owner('TYPE %N') ]);
		$of->('at', on => 'ct', kind => 'attribute', type => 'composite type column', column_of => "ct$i", names => ['more'], make => 'ALTER TYPE %P ADD ATTRIBUTE more text', drop => 'ALTER TYPE %P DROP ATTRIBUTE more', choices => [ _choice('attribute type', qr/^type/, 'ALTER TYPE %P ALTER ATTRIBUTE more TYPE text', 'ALTER TYPE %P ALTER ATTRIBUTE more TYPE varchar(7)'), _comment('COLUMN %P.more') ]);
		$of->('ra', kind => 'range', type => 'type', names => [ 'ra', 'ra2' ], make => 'CREATE TYPE %N AS RANGE (SUBTYPE = text, MULTIRANGE_TYPE_NAME = %S.many_ra)', rename => 'ALTER TYPE %N RENAME TO %m', drop => 'DROP TYPE %N', choices => [ _comment('TYPE %N') ]);
		$of->('co', kind => 'collation', type => 'collation', names => [ 'co', 'co2' ], make => q{CREATE COLLATION %N (locale = 'C')}, rename => 'ALTER COLLATION %N RENAME TO %m', drop => 'DROP COLLATION %N', choices => [ _comment('COLLATION %N'), _owner('COLLATION %N') ]);
		$of->('cv', kind => 'conversion', type => 'conversion', names => [ 'cv', 'cv2' ], make => q{CREATE CONVERSION %N FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8}, rename => 'ALTER CONVERSION %N RENAME TO %m', drop => 'DROP CONVERSION %N', choices => [ _comment('CONVERSION %N'), _owner('CONVERSION %N') ]);
		$of->('op', kind => 'operator', type => 'operator', names => ['@@@'], identity => '%N(integer,integer)', make => 'CREATE OPERATOR %N (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)', drop => 'DROP OPERATOR %N (int, int)', choices => [ _comment('OPERATOR %N (int, int)'), _owner('OPERATOR %N (int, int)'), _choice('estimator', qr/^restrict/, 'ALTER OPERATOR %N (int, int) SET (RESTRICT = NONE)', 'ALTER OPERATOR %N (int, int) SET (RESTRICT = eqsel)') ]);
		$of->('of', kind => 'operator family', type => 'operator family', names => [ 'fam', 'fam2' ], identity => '%N USING btree', make => 'CREATE OPERATOR FAMILY %N USING btree', rename => 'ALTER OPERATOR FAMILY %N USING btree RENAME TO %m', drop => 'DROP OPERATOR FAMILY %N USING btree', choices => [ _owner('OPERATOR FAMILY %N USING btree'), _choice('member', qr/^operators/, 'DO $do$ BEGIN ALTER OPERATOR FAMILY %N USING btree DROP OPERATOR 3 (int, int); EXCEPTION WHEN undefined_object THEN NULL; END $do$', 'DO $do$ BEGIN ALTER OPERATOR FAMILY %N USING btree ADD OPERATOR 3 = (int, int); EXCEPTION WHEN duplicate_object THEN NULL; END $do$') ]);
		$of->('oc', kind => 'operator class', type => 'operator class', names => [ 'cls', 'cls2' ], identity => '%N USING hash', make => 'CREATE OPERATOR CLASS %N FOR TYPE int USING hash FAMILY integer_ops AS STORAGE int', rename => 'ALTER OPERATOR CLASS %N USING hash RENAME TO %m', drop => 'DROP OPERATOR CLASS %N USING hash', choices => [ _owner('OPERATOR CLASS %N USING hash') ]);
		$of->('td', kind => 'dictionary', type => 'text search dictionary', names => [ 'td', 'td2' ], make => 'CREATE TEXT SEARCH DICTIONARY %N (TEMPLATE = simple)', rename => 'ALTER TEXT SEARCH DICTIONARY %N RENAME TO %m', drop => 'DROP TEXT SEARCH DICTIONARY %N CASCADE', choices => [ _comment('TEXT SEARCH DICTIONARY %N'), _owner('TEXT SEARCH DICTIONARY %N'), _choice('dictionary option', qr/option/, 'ALTER TEXT SEARCH DICTIONARY %N (stopwords)', 'ALTER TEXT SEARCH DICTIONARY %N (stopwords = english)') ]);
		$of->('tc', kind => 'text search configuration', type => 'text search configuration', names => [ 'tc', 'tc2' ], make => 'CREATE TEXT SEARCH CONFIGURATION %N (PARSER = default)', rename => 'ALTER TEXT SEARCH CONFIGURATION %N RENAME TO %m', drop => 'DROP TEXT SEARCH CONFIGURATION %N', choices => [ _comment('TEXT SEARCH CONFIGURATION %N'), _choice('mapping', qr/mapping/, 'ALTER TEXT SEARCH CONFIGURATION %N DROP MAPPING IF EXISTS FOR word', 'ALTER TEXT SEARCH CONFIGURATION %N DROP MAPPING IF EXISTS FOR word; ALTER TEXT SEARCH CONFIGURATION %N ADD MAPPING FOR word WITH simple, english_stem') ]);
		$of->('ft', kind => 'foreign table', type => 'foreign table', names => [ 'ft', 'ft2' ], on => 'srv', make => 'CREATE FOREIGN TABLE %N (a int) SERVER srv' . $i, rename => 'ALTER FOREIGN TABLE %N RENAME TO %m', drop => 'DROP FOREIGN TABLE %N', choices => [ _comment('FOREIGN TABLE %N'), _choice('foreign table option', qr/options/, 'DO $do$ BEGIN ALTER FOREIGN TABLE %N OPTIONS (DROP x); EXCEPTION WHEN undefined_object THEN NULL; END $do$', q{DO $do$ BEGIN ALTER FOREIGN TABLE %N OPTIONS (ADD x '1'); EXCEPTION WHEN duplicate_object THEN NULL; END $do$}) ]);

		# what is in no schema
		$self->_thing("fdw$i", kind => 'wrapper', type => 'foreign-data wrapper', names => ["fdw$i"], weight => 1, make => 'CREATE FOREIGN DATA WRAPPER %N', drop => 'DROP FOREIGN DATA WRAPPER %N CASCADE', choices => [ _comment('FOREIGN DATA WRAPPER %N'), _acl('FOREIGN DATA WRAPPER %N', 'USAGE') ]);
		$self->_thing("srv$i", on => ["fdw$i"], kind => 'server', type => 'server', names => ["srv$i"], weight => 1, make => "CREATE SERVER %N VERSION '6' FOREIGN DATA WRAPPER fdw$i", drop => 'DROP SERVER %N CASCADE', choices => [ _comment('SERVER %N'), _owner('SERVER %N'), _choice('version', qr/^server_version$/, q{ALTER SERVER %N VERSION '6'}, q{ALTER SERVER %N VERSION '7'}) ]);
		$self->_thing("um$i", on => ["srv$i"], kind => 'user mapping', type => 'user mapping', names => ["srv$i"], identity => "regress_dbvc_reader on server srv$i", make => "CREATE USER MAPPING FOR regress_dbvc_reader SERVER srv$i", drop => "DROP USER MAPPING FOR regress_dbvc_reader SERVER srv$i", choices => [
			_choice('mapping option', qr/option/, "DO \$do\$ BEGIN ALTER USER MAPPING FOR regress_dbvc_reader SERVER srv$i OPTIONS (DROP password); EXCEPTION WHEN undefined_object THEN NULL; END \$do\$", "DO \$do\$ BEGIN ALTER USER MAPPING FOR regress_dbvc_reader SERVER srv$i OPTIONS (ADD password 'x'); EXCEPTION WHEN duplicate_object THEN NULL; END \$do\$") ]);
		$self->_thing("pub$i", kind => 'publication', type => 'publication', names => ["pub$i"], make => 'CREATE PUBLICATION %N', drop => 'DROP PUBLICATION %N', choices => [ _comment('PUBLICATION %N'), _choice('publish', qr/publish/, q{ALTER PUBLICATION %N SET (publish = 'insert, update, delete, truncate')}, q{ALTER PUBLICATION %N SET (publish = 'insert')}), _choice('via root', qr/root/, 'ALTER PUBLICATION %N SET (publish_via_partition_root = false)', 'ALTER PUBLICATION %N SET (publish_via_partition_root = true)') ]);
		$self->_thing("pubs$i", kind => 'other publication', type => 'publication', names => ["pubs$i"], make => "CREATE PUBLICATION %N WITH (publish = 'insert')", drop => 'DROP PUBLICATION %N', choices => []);
		$self->_thing("pur$i", on => [ "pubs$i", "t$i" ], kind => 'published table', type => 'publication relation', names => ["pubs$i"], identity => "%Q in publication pubs$i", make => "ALTER PUBLICATION pubs$i ADD TABLE %Q", drop => "ALTER PUBLICATION pubs$i DROP TABLE %Q", choices => [ _choice('published rows', qr/where|filter|condition/, "ALTER PUBLICATION pubs$i SET TABLE %Q", "ALTER PUBLICATION pubs$i SET TABLE %Q WHERE (id > 3)") ]);
		$self->_thing("pun$i", on => [ "pub$i", "s$i" ], kind => 'published schema', type => 'publication namespace', names => ['x'], identity => ($i == 1 ? 'g1' : 'G "2"') . ' in publication %P', make => 'ALTER PUBLICATION %P ADD TABLES IN SCHEMA %Q', drop => 'ALTER PUBLICATION %P DROP TABLES IN SCHEMA %Q', choices => []);
		$self->_thing("et$i", on => ["etf"], kind => 'event trigger', type => 'event trigger', names => [ "et$i", "et_$i" ], make => 'CREATE EVENT TRIGGER %N ON sql_drop EXECUTE FUNCTION public.etf()', rename => 'ALTER EVENT TRIGGER %N RENAME TO %m', drop => 'DROP EVENT TRIGGER %N', choices => [ _comment('EVENT TRIGGER %N'), _choice('enable', qr/^enabled/, 'ALTER EVENT TRIGGER %N ENABLE', 'ALTER EVENT TRIGGER %N DISABLE', 'ALTER EVENT TRIGGER %N ENABLE ALWAYS') ]);
		$self->_thing("am$i", kind => 'access method', type => 'access method', names => ["am$i"], make => 'CREATE ACCESS METHOD %N TYPE TABLE HANDLER heap_tableam_handler', drop => 'DROP ACCESS METHOD %N', choices => [ _comment('ACCESS METHOD %N') ]);
		$self->_thing("da$i", on => ["s$i"], kind => 'default privileges', type => 'default acl', names => ['x'], identity => 'for role regress_dbvc_writer in schema %P on tables', make => 'ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_writer IN SCHEMA %P GRANT SELECT ON TABLES TO regress_dbvc_reader', drop => 'ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_writer IN SCHEMA %P REVOKE ALL ON TABLES FROM regress_dbvc_reader', choices => [
			_choice('more default privileges', qr/acl|privileges/, 'ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_writer IN SCHEMA %P REVOKE UPDATE ON TABLES FROM regress_dbvc_reader', 'ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_writer IN SCHEMA %P GRANT UPDATE ON TABLES TO regress_dbvc_reader') ]);
		$self->_thing("ca$i", on => [ "en$i" ], kind => 'cast', type => 'cast', names => ['x'], identity => '(%P AS integer)', make => 'CREATE CAST (%P AS int) WITH INOUT', drop => 'DROP CAST (%P AS int)', choices => [ _comment('CAST (%P AS int)') ]);
		$self->_thing("ext$i", kind => 'extension', type => 'extension', names => [ $i == 1 ? 'citext' : 'ltree' ], make => 'CREATE EXTENSION %N SCHEMA public', drop => 'DROP EXTENSION %N', choices => []);
	}
	$self->{by}{etf} = { id => 'etf', there => 1, constant => 1, in => undef, names => ['etf'], name => 0, choices => [], value => [], on => [] };
}

sub _thing
{
	my ($self, $id, %is) = @_;
	my $thing = { id => $id, on => [], choices => [], weight => 4, %is, there => 0, name => 0, made => 0, value => [] };

	push @{ $self->{things} }, $thing;
	$self->{by}{$id} = $thing;
	$self->{kinds}{"create $is{kind}"} = $self->{kinds}{"drop $is{kind}"} = 0;
	$self->{kinds}{"rename $is{kind}"} = 0 if $is{rename};
	$self->{kinds}{"$is{kind}: $_->{kind}"} = 0 foreach @{ $thing->{choices} };
	return $thing;
}

# ---- names ----

sub full
{
	my ($self, $thing, $name) = @_;
	my $bare = $thing->{names}[ $name // $thing->{name} ];

	return $thing->{in} && $thing->{in} ne $thing->{id} ? $self->full($self->{by}{ $thing->{in} }) . ".$bare" : $bare;
}

sub fill
{
	my ($self, $thing, $text, $to) = @_;
	my @on = map { $self->{by}{$_} } @{ $thing->{on} };
	my %value = (N => $self->full($thing), n => $thing->{names}[ $thing->{name} ], m => defined $to ? $thing->{names}[$to] : '', W => '',
		P => $on[0] && !$on[0]{constant} ? $self->full($on[0]) : '', Q => $on[1] ? $self->full($on[1]) : '', S => $thing->{in} ? $self->full($self->{by}{ $thing->{in} }) : '');

	# a view that is replaced loses the options that are not said again
	$value{W} = ' WITH (security_barrier)' if $thing->{kind} eq 'view' && ($thing->{value}[2] // 0) == 1;
	return $text =~ s/%([NnmPQSW])/$value{$1}/gr;
}

sub identity
{
	my ($self, $thing) = @_;

	return $self->fill($thing, $thing->{identity} // ($thing->{column_of} ? '%P.%n' : '%N'));
}

# ---- statements ----

sub can_be { my ($self, $thing) = @_; return !grep { !$self->{by}{$_}{there} } (@{ $thing->{on} }, $thing->{in} // ()); }

sub make
{
	my ($self, $thing) = @_;
	my $sql = $self->fill($thing, $thing->{make});

	$thing->{there} = 1;
	$thing->{made} = ++$self->{made};
	$thing->{value} = [ map { 0 } @{ $thing->{choices} } ];
	return $sql;
}

sub gone
{
	my ($self, $thing) = @_;

	$thing->{there} = 0;
	foreach my $other (@{ $self->{things} })
	{
		$self->gone($other) if $other->{there} && grep { $_ eq $thing->{id} } (@{ $other->{on} }, $other->{in} // ());
	}
}

sub drop
{
	my ($self, $thing) = @_;
	my $sql = $self->fill($thing, $thing->{drop});

	$self->gone($thing);
	return $sql;
}

sub choose
{
	my ($self, $thing, $i, $value) = @_;

	# one index of a table at most is the one to cluster on: there is only one that can be
	my $sql = $self->fill($thing, $thing->{choices}[$i]{sql}[$value]);
	$thing->{value}[$i] = $value;
	return $sql;
}

# a random statement
sub statement
{
	my ($self) = @_;

	while (1)
	{
		my $thing = $self->{things}[ rand @{ $self->{things} } ];
		my $dice = rand(10);

		next unless $self->can_be($thing);
		if (!$thing->{there})
		{
			$thing->{name} = int(rand(@{ $thing->{names} }));
			$self->{kinds}{"create $thing->{kind}"}++;
			return $self->make($thing);
		}
		if ($dice < $thing->{weight} / 2)
		{
			$self->{kinds}{"drop $thing->{kind}"}++;
			return $self->drop($thing);
		}
		if ($dice < 4 && $thing->{rename})
		{
			my $to = ($thing->{name} + 1) % @{ $thing->{names} };
			my $sql = $self->fill($thing, $thing->{rename}, $to);

			$thing->{name} = $to;
			$self->{kinds}{"rename $thing->{kind}"}++;
			return $sql;
		}
		next unless @{ $thing->{choices} };
		my $i = int(rand(@{ $thing->{choices} }));
		my $choice = $thing->{choices}[$i];

		$self->{kinds}{"$thing->{kind}: $choice->{kind}"}++;
		return $self->choose($thing, $i, int(rand(@{ $choice->{sql} })));
	}
}

# ---- states ----

sub state
{
	my ($self) = @_;
	my %state;

	foreach my $thing (@{ $self->{things} })
	{
		$state{ $thing->{id} } = { there => $thing->{there}, name => $thing->{name}, made => $thing->{made}, value => [ @{ $thing->{value} } ] };
		next unless $thing->{there};
		$state{ $thing->{id} }{identity} = $self->identity($thing);
		foreach my $i (0 .. $#{ $thing->{choices} })
		{
			my $choice = $thing->{choices}[$i];
			my $more = $choice->{more} && $choice->{more}{ $thing->{value}[$i] };

			$state{ $thing->{id} }{row}[$i] = $self->fill($thing, $choice->{row}) if $choice->{row};
			$state{ $thing->{id} }{more}{ $self->fill($thing, $more) } = 1 if $more;
		}
	}
	return \%state;
}

sub restore
{
	my ($self, $state) = @_;

	foreach my $thing (@{ $self->{things} })
	{
		my $was = $state->{ $thing->{id} };

		@$thing{qw(there name made)} = @$was{qw(there name made)};
		$thing->{value} = [ @{ $was->{value} } ];
	}
}

# what a diff from one state to another names: { "change type identity" => [ regular expressions of attributes ] }
sub differences
{
	my ($self, $before, $after) = @_;
	my (%found, %columns);

	foreach my $thing (@{ $self->{things} })
	{
		my ($was, $is) = ($before->{ $thing->{id} }, $after->{ $thing->{id} });
		my $row = sub { my ($change, $identity) = @_; return $found{"$change $thing->{type} $identity"} //= []; };

		# a choice may bring another object with it
		foreach my $more (keys %{ $was->{more} // {} })
		{
			$found{"dropped $more"} //= [] unless $is->{more}{$more};
		}
		foreach my $more (keys %{ $is->{more} // {} })
		{
			$found{"created $more"} //= [] unless $was->{more}{$more};
		}
		if ($was->{there} && $is->{there} && $thing->{column_of})
		{
			push @{ $columns{ $thing->{column_of} } }, $thing->{id};
		}
		next unless $was->{there} || $is->{there};
		if ($was->{there} && $is->{there} && ($was->{identity} eq $is->{identity} || $was->{made} == $is->{made}))
		{
			$row->('renamed', $is->{identity}) if $was->{identity} ne $is->{identity};
			foreach my $i (0 .. $#{ $thing->{choices} })
			{
				next if $was->{value}[$i] == $is->{value}[$i];
				push @{ $is->{row}[$i] ? $found{"altered $is->{row}[$i]"} //= [] : $row->('altered', $is->{identity}) }, $thing->{choices}[$i]{attr};
			}
			next;
		}
		$row->('dropped', $was->{identity}) if $was->{there};
		$row->('created', $is->{identity}) if $is->{there};
	}
	# columns that were dropped and made again have another place
	foreach my $table (keys %columns)
	{
		next unless $before->{$table}{there} && $after->{$table}{there};
		my @was = sort { $before->{$a}{made} <=> $before->{$b}{made} } @{ $columns{$table} };
		my @is = sort { $after->{$a}{made} <=> $after->{$b}{made} } @{ $columns{$table} };

		push @{ $found{"altered $self->{by}{$table}{type} $after->{$table}{identity}"} }, qr/^column_order$/ if "@was" ne "@is";
	}
	return \%found;
}

# all that is there, made anew, in another order
sub rebuild
{
	my ($self) = @_;
	my (@sql, %done, @left);
	my %old = map { $_->{id} => { %$_, value => [ @{ $_->{value} } ] } } grep { $_->{there} } @{ $self->{things} };

	@left = shuffle grep { $_->{there} && !$_->{column_of} } @{ $self->{things} };
	push @left, sort { $a->{made} <=> $b->{made} } grep { $_->{there} && $_->{column_of} } @{ $self->{things} };
	while (@left)
	{
		my @next;

		foreach my $thing (@left)
		{
			if (grep { !$done{$_} && !$self->{by}{$_}{constant} } (@{ $thing->{on} }, $thing->{in} // ()))
			{
				push @next, $thing;
				next;
			}
			push @sql, $self->make($thing);
			$done{ $thing->{id} } = 1;
			foreach my $i (shuffle 0 .. $#{ $thing->{choices} })
			{
				push @sql, $self->choose($thing, $i, $old{ $thing->{id} }{value}[$i]) if $old{ $thing->{id} }{value}[$i];
			}
		}
		@left = @next;
	}
	return @sql;
}

# all of it away
sub clear
{
	my ($self) = @_;

	return map { $self->drop($_) } grep { $_->{there} } map { $self->{by}{$_} } grep { $self->{by}{$_}{there} } map { $_->{id} } grep { !$_->{in} && !grep { !$self->{by}{$_}{constant} } @{ $_->{on} } } @{ $self->{things} };
}

1;
