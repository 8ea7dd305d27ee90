-- A schema with at least two objects of every type that a snapshot has, and every attribute of them set to something at
-- least once; names that nobody expects included.  For 15 and later; run it as superuser in an empty UTF-8 database,
-- with psql:
--
--   psql -v ON_ERROR_STOP=1 -f everything.sql
--
-- What a dump does not hold (invalid indexes, settings, labels of a provider that is not there) is in not_dumped.sql.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
SELECT current_setting('server_version_num')::int >= 160000 AS at_least_16,
	current_setting('server_version_num')::int >= 170000 AS at_least_17,
	current_setting('server_version_num')::int >= 180000 AS at_least_18,
	current_setting('server_version_num')::int >= 190000 AS at_least_19 \gset

-- ---- roles and a tablespace: of the cluster, so they may be there ----

DO $$
DECLARE
	r text;
BEGIN
	FOREACH r IN ARRAY ARRAY['regress_dbvc_owner', 'regress_dbvc_reader', 'regress_dbvc_writer', 'regress_dbvc "Odd" rôle', 'regress_dbvc_member'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
			EXECUTE format('CREATE ROLE %I', r);
		END IF;
	END LOOP;
	GRANT regress_dbvc_owner TO regress_dbvc_member;
END $$;
SELECT NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = 'regress_dbvc Space') AS no_space \gset
\if :no_space
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE "regress_dbvc Space" LOCATION '';
RESET allow_in_place_tablespaces;
\endif
GRANT CREATE ON TABLESPACE "regress_dbvc Space" TO regress_dbvc_owner;

-- ---- schemas ----

CREATE SCHEMA ev;
CREATE SCHEMA "Ev ""Quoted"".Schema" AUTHORIZATION regress_dbvc_owner;
CREATE SCHEMA ext;
CREATE SCHEMA "empty";
CREATE SCHEMA moved;
GRANT USAGE ON SCHEMA ev TO PUBLIC;
GRANT ALL ON SCHEMA ev TO regress_dbvc_owner WITH GRANT OPTION;
GRANT USAGE ON SCHEMA "Ev ""Quoted"".Schema" TO "regress_dbvc ""Odd"" rôle";
REVOKE ALL ON SCHEMA "empty" FROM CURRENT_USER;
COMMENT ON SCHEMA ev IS E'a comment with ''quotes'', "double" ones, a \\ backslash,\na line and ünïcödé 🐘';
GRANT CREATE ON SCHEMA public TO regress_dbvc_writer;
SET search_path = ev;

-- ---- extensions ----

CREATE EXTENSION citext SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext VERSION '1.8';
CREATE EXTENSION file_fdw SCHEMA ext;
CREATE EXTENSION btree_gist SCHEMA ext;
COMMENT ON EXTENSION citext IS 'our own words';

-- ---- languages, transforms, access methods ----

CREATE FUNCTION plx_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION plx_inline(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE FUNCTION plx_validator(oid) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_validator';
CREATE TRUSTED LANGUAGE plx HANDLER plx_handler INLINE plx_inline VALIDATOR plx_validator;
CREATE LANGUAGE "Pl Untrusted" HANDLER plx_handler;
ALTER LANGUAGE plx OWNER TO regress_dbvc_owner;
REVOKE USAGE ON LANGUAGE plx FROM PUBLIC;
GRANT USAGE ON LANGUAGE plx TO regress_dbvc_reader;
COMMENT ON LANGUAGE plx IS 'a language';
CREATE TRANSFORM FOR integer LANGUAGE plx (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
CREATE TRANSFORM FOR bigint LANGUAGE "Pl Untrusted" (FROM SQL WITH FUNCTION prsd_lextype(internal));
COMMENT ON TRANSFORM FOR integer LANGUAGE plx IS 'a transform';
CREATE ACCESS METHOD "Ev btree" TYPE INDEX HANDLER bthandler;
CREATE ACCESS METHOD ev_heap TYPE TABLE HANDLER heap_tableam_handler;
COMMENT ON ACCESS METHOD ev_heap IS 'a heap under another name';

-- ---- collations and conversions ----

CREATE COLLATION german_c FROM "C";
CREATE COLLATION "Odd Collation" (provider = libc, locale = 'C');
CREATE COLLATION icu_german (provider = icu, locale = 'de-u-co-phonebk', deterministic = false);
\if :at_least_16
CREATE COLLATION icu_rules (provider = icu, locale = 'und', rules = '&V << w <<< W');
\endif
\if :at_least_17
CREATE COLLATION builtin_c (provider = builtin, locale = 'C.UTF-8');
\endif
ALTER COLLATION german_c OWNER TO regress_dbvc_owner;
CREATE CONVERSION myconv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE DEFAULT CONVERSION "Default Conv" FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
ALTER CONVERSION myconv OWNER TO regress_dbvc_owner;
COMMENT ON CONVERSION myconv IS 'a conversion';

-- ---- types ----

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE "Ev ""Quoted"".Schema"."Odd Enum" AS ENUM ('it''s', 'b"c', 'ü', '');
ALTER TYPE mood ADD VALUE 'between' BEFORE 'happy';
ALTER TYPE mood OWNER TO regress_dbvc_owner;
GRANT USAGE ON TYPE mood TO regress_dbvc_reader WITH GRANT OPTION;
CREATE TYPE empty_enum AS ENUM ();
CREATE TYPE pair AS (a int, b text COLLATE "C", c numeric(10, 2)[]);
CREATE TYPE "Odd ""Pair""" AS ("Odd ""Column""" pair, drop_me int, e mood);
ALTER TYPE "Odd ""Pair""" DROP ATTRIBUTE drop_me;
CREATE TYPE nothing AS ();
COMMENT ON COLUMN pair.b IS 'a column of a composite type';
CREATE DOMAIN positive AS int DEFAULT 1 NOT NULL CONSTRAINT over_zero CHECK (VALUE > 0);
ALTER DOMAIN positive ADD CONSTRAINT "Odd "" check" CHECK (VALUE < 1000) NOT VALID;
COMMENT ON CONSTRAINT over_zero ON DOMAIN positive IS 'a check of a domain';
CREATE DOMAIN short_text AS varchar(10) COLLATE german_c CHECK (VALUE IN ('a', 'b'));
CREATE DOMAIN over_domain AS positive;
CREATE DOMAIN mood_array AS mood[] CHECK (array_length(VALUE, 1) < 3);
REVOKE USAGE ON DOMAIN positive FROM PUBLIC;
CREATE TYPE shell;
CREATE TYPE "Odd Shell";
CREATE TYPE base;
CREATE FUNCTION base_in(cstring) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE FUNCTION base_recv(internal) RETURNS base LANGUAGE internal STABLE STRICT AS 'textrecv';
CREATE FUNCTION base_send(base) RETURNS bytea LANGUAGE internal STABLE STRICT AS 'textsend';
CREATE FUNCTION base_typmod_in(cstring[]) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodin';
CREATE FUNCTION base_typmod_out(int) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodout';
CREATE TYPE base (INPUT = base_in, OUTPUT = base_out, RECEIVE = base_recv, SEND = base_send, TYPMOD_IN = base_typmod_in,
	TYPMOD_OUT = base_typmod_out, INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = main, CATEGORY = 'S', PREFERRED = false,
	DEFAULT = 'nothing', DELIMITER = ';', COLLATABLE = true);
CREATE TYPE fixed;
CREATE FUNCTION fixed_in(cstring) RETURNS fixed LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION fixed_out(fixed) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE fixed (INPUT = fixed_in, OUTPUT = fixed_out, INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4, CATEGORY = 'x', PREFERRED = true);
CREATE TYPE pair_at AS (at base(7), f fixed[]);
CREATE FUNCTION subscripted_in(cstring) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION time_diff(time, time) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT EXTRACT(EPOCH FROM $1 - $2)::float8';
CREATE TYPE timerange AS RANGE (SUBTYPE = time, SUBTYPE_DIFF = time_diff);
CREATE TYPE "Odd Range" AS RANGE (SUBTYPE = text, COLLATION = german_c, SUBTYPE_OPCLASS = text_pattern_ops, MULTIRANGE_TYPE_NAME = "Odd Ranges");
CREATE TYPE int_steps;
CREATE FUNCTION int_steps_canonical(int_steps) RETURNS int_steps LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
CREATE TYPE int_steps AS RANGE (SUBTYPE = int, CANONICAL = int_steps_canonical, SUBTYPE_DIFF = int4range_subdiff);
COMMENT ON TYPE timerange IS 'a range';

-- ---- functions ----

CREATE FUNCTION plain(a int) RETURNS int LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION "Odd ""Function""\ with'quotes"("Odd Arg" text DEFAULT 'it''s', b "Ev ""Quoted"".Schema"."Odd Enum" DEFAULT 'ü') RETURNS text
	LANGUAGE plpgsql IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE SECURITY DEFINER COST 12.5
	SET search_path = ev, "$user", public SET work_mem = '5MB' SET "datestyle" = 'ISO, DMY' AS $_$
BEGIN
	-- a comment with $$ and 'quotes'
	RETURN $1 || E'\\' || b::text;
END $_$;
CREATE FUNCTION many_rows(IN a int, INOUT b int, OUT c text, VARIADIC d int[] DEFAULT '{}') RETURNS SETOF record LANGUAGE sql STABLE ROWS 7 PARALLEL RESTRICTED
	AS 'SELECT 1, ''x''';
CREATE FUNCTION a_table(a int DEFAULT 1, b mood DEFAULT 'ok') RETURNS TABLE (x int, "Y y" text) LANGUAGE sql BEGIN ATOMIC SELECT a, b::text; SELECT 1, 'x'::text; END;
CREATE FUNCTION one_value(a numeric = 1.50) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN a * 2;
CREATE FUNCTION any_of(a anyelement, b anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION win() RETURNS bigint LANGUAGE internal WINDOW AS 'window_row_number';
CREATE FUNCTION "Odd Win"(int) RETURNS int LANGUAGE internal WINDOW IMMUTABLE AS 'window_ntile';
CREATE FUNCTION supported(text, text) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT SUPPORT textlike_support AS 'textlike';
CREATE FUNCTION transformed(int) RETURNS int LANGUAGE plx TRANSFORM FOR TYPE int AS 'BEGIN RETURN $1; END';
CREATE FUNCTION no_returns(OUT a int, OUT b int) LANGUAGE sql AS 'SELECT 1, 2';
CREATE PROCEDURE proc(INOUT a int, b text DEFAULT NULL) LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN a := 1; END';
CREATE PROCEDURE "Odd Proc"() LANGUAGE sql BEGIN ATOMIC END;
ALTER FUNCTION plain(int) OWNER TO regress_dbvc_owner;
REVOKE EXECUTE ON FUNCTION plain(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION plain(int) TO regress_dbvc_reader WITH GRANT OPTION;
SET ROLE regress_dbvc_reader;
GRANT EXECUTE ON FUNCTION plain(int) TO "regress_dbvc ""Odd"" rôle";
RESET ROLE;
GRANT EXECUTE ON PROCEDURE proc(int, text) TO regress_dbvc_writer;
CREATE FUNCTION nothing_in_it() RETURNS void LANGUAGE sql AS '';
SET check_function_bodies = off;
CREATE FUNCTION does_not_parse(a int) RETURNS int LANGUAGE sql AS 'SELECT FROM no_such_table WHERE ) (';
CREATE FUNCTION "Does Not Parse Either"() RETURNS void LANGUAGE plpgsql AS 'BEGIN IF THEN nothing END';
RESET check_function_bodies;
CREATE TABLE goes_away (a int);
CREATE FUNCTION of_the_past() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM goes_away';
DROP TABLE goes_away;

-- ---- aggregates ----

CREATE AGGREGATE sum_it(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', COMBINEFUNC = int4pl, PARALLEL = SAFE, SSPACE = 64);
CREATE AGGREGATE "Odd Agg"(float8) (SFUNC = float8_accum, STYPE = float8[], FINALFUNC = float8_avg, FINALFUNC_MODIFY = SHAREABLE, INITCOND = '{0,0,0}');
CREATE AGGREGATE moving(numeric) (SFUNC = numeric_avg_accum, STYPE = internal, SSPACE = 128, FINALFUNC = numeric_avg, SERIALFUNC = numeric_avg_serialize,
	DESERIALFUNC = numeric_avg_deserialize, COMBINEFUNC = numeric_avg_combine, MSFUNC = numeric_avg_accum, MINVFUNC = numeric_accum_inv,
	MSTYPE = internal, MSSPACE = 128, MFINALFUNC = numeric_avg, MFINALFUNC_MODIFY = READ_WRITE);
CREATE AGGREGATE largest(int) (SFUNC = int4larger, STYPE = int, SORTOP = >);
CREATE AGGREGATE percentile(float8 ORDER BY float8) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE ranked(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE counted(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
GRANT EXECUTE ON FUNCTION sum_it(int) TO regress_dbvc_reader;
COMMENT ON AGGREGATE ranked(VARIADIC "any" ORDER BY VARIADIC "any") IS 'a hypothetical set';

-- ---- operators, classes, families, casts ----

CREATE FUNCTION mood_text_eq(mood, text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN $1::text = $2;
CREATE FUNCTION text_mood_eq(text, mood) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN $2::text = $1;
CREATE FUNCTION fixed_cmp(fixed, fixed) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION fixed_lt(fixed, fixed) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION fixed_le(fixed, fixed) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4le';
CREATE FUNCTION fixed_eq(fixed, fixed) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION fixed_ge(fixed, fixed) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4ge';
CREATE FUNCTION fixed_gt(fixed, fixed) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION fixed_hash(fixed) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'hashint4';
CREATE OPERATOR == (LEFTARG = mood, RIGHTARG = text, FUNCTION = mood_text_eq, COMMUTATOR = ==, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR == (LEFTARG = text, RIGHTARG = mood, FUNCTION = text_mood_eq, COMMUTATOR = ==);
CREATE OPERATOR < (LEFTARG = fixed, RIGHTARG = fixed, FUNCTION = fixed_lt, COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR <= (LEFTARG = fixed, RIGHTARG = fixed, FUNCTION = fixed_le, COMMUTATOR = >=, NEGATOR = >);
CREATE OPERATOR = (LEFTARG = fixed, RIGHTARG = fixed, FUNCTION = fixed_eq, COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR >= (LEFTARG = fixed, RIGHTARG = fixed, FUNCTION = fixed_ge, COMMUTATOR = <=, NEGATOR = <);
CREATE OPERATOR > (LEFTARG = fixed, RIGHTARG = fixed, FUNCTION = fixed_gt, COMMUTATOR = <, NEGATOR = <=);
CREATE OPERATOR !! (RIGHTARG = int, FUNCTION = int4um);
ALTER OPERATOR !! (NONE, int) OWNER TO regress_dbvc_owner;
COMMENT ON OPERATOR == (mood, text) IS 'a comparison';
CREATE OPERATOR FAMILY fixed_family USING btree;
CREATE OPERATOR CLASS fixed_ops DEFAULT FOR TYPE fixed USING btree FAMILY fixed_family AS
	OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 fixed_cmp(fixed, fixed);
CREATE OPERATOR CLASS "Odd Ops" FOR TYPE fixed USING hash AS OPERATOR 1 =, FUNCTION 1 fixed_hash(fixed);
CREATE OPERATOR FAMILY "Odd Family" USING gist;
ALTER OPERATOR FAMILY "Odd Family" USING gist OWNER TO regress_dbvc_owner;
CREATE OPERATOR CLASS gist_points FOR TYPE point USING gist FAMILY "Odd Family" AS
	OPERATOR 11 |>> (point, point), OPERATOR 15 <-> (point, point) FOR ORDER BY float_ops,
	FUNCTION 1 gist_point_consistent(internal, point, smallint, oid, internal), FUNCTION 2 gist_box_union(internal, internal),
	FUNCTION 3 gist_point_compress(internal), FUNCTION 5 gist_box_penalty(internal, internal, internal), FUNCTION 6 gist_box_picksplit(internal, internal),
	FUNCTION 7 gist_box_same(box, box, internal), FUNCTION 8 gist_point_distance(internal, point, smallint, oid, internal), STORAGE box;
ALTER OPERATOR FAMILY fixed_family USING btree ADD OPERATOR 3 pg_catalog.= (int, int), FUNCTION 1 (int, int) btint4cmp(int, int);
COMMENT ON OPERATOR CLASS fixed_ops USING btree IS 'a class';
COMMENT ON OPERATOR FAMILY fixed_family USING btree IS 'a family';
CREATE FUNCTION fixed_int(fixed) RETURNS int LANGUAGE sql IMMUTABLE RETURN 1;
CREATE CAST (fixed AS int) WITH FUNCTION fixed_int(fixed) AS ASSIGNMENT;
CREATE CAST (int AS fixed) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (base AS text) WITH INOUT;
CREATE CAST (mood AS "Ev ""Quoted"".Schema"."Odd Enum") WITH INOUT;
COMMENT ON CAST (fixed AS int) IS 'a cast';

-- ---- text search ----

CREATE TEXT SEARCH PARSER a_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH PARSER "Odd Parser" (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE a_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH TEMPLATE "Odd Template" (LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY a_dict (TEMPLATE = pg_catalog.simple, STOPWORDS = 'english', ACCEPT = false);
CREATE TEXT SEARCH DICTIONARY "Odd Dict" (TEMPLATE = a_template);
CREATE TEXT SEARCH CONFIGURATION a_config (PARSER = a_parser);
ALTER TEXT SEARCH CONFIGURATION a_config ADD MAPPING FOR asciiword, word WITH a_dict, "Odd Dict", simple;
ALTER TEXT SEARCH CONFIGURATION a_config ADD MAPPING FOR email WITH simple;
CREATE TEXT SEARCH CONFIGURATION "Odd Config" (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION a_config OWNER TO regress_dbvc_owner;
ALTER TEXT SEARCH DICTIONARY a_dict OWNER TO regress_dbvc_owner;
COMMENT ON TEXT SEARCH PARSER a_parser IS 'a parser';
COMMENT ON TEXT SEARCH CONFIGURATION a_config IS 'a configuration';

-- ---- sequences ----

CREATE SEQUENCE simple_seq;
CREATE SEQUENCE "Odd Seq" AS smallint INCREMENT BY -3 MINVALUE -30 MAXVALUE 30 START WITH 9 CACHE 4 CYCLE;
CREATE UNLOGGED SEQUENCE unlogged_seq;
ALTER SEQUENCE simple_seq OWNER TO regress_dbvc_owner;
GRANT USAGE, SELECT ON SEQUENCE "Odd Seq" TO regress_dbvc_reader;
COMMENT ON SEQUENCE "Odd Seq" IS 'a sequence';
SELECT nextval('simple_seq'), nextval('simple_seq'), nextval('"Odd Seq"') \g /dev/null

-- ---- tables ----

CREATE TABLE "simple" (id int PRIMARY KEY, name text);
CREATE TABLE columns (
	id bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5 CACHE 3),
	other bigint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME ev."Odd Identity" MINVALUE 1 MAXVALUE 100 CYCLE) NOT NULL,
	old_serial serial,
	a varchar(10) COLLATE "C" DEFAULT 'x' NOT NULL,
	gone int,
	b numeric(12, 3)[] DEFAULT '{1.5, 2}',
	c text COMPRESSION pglz COLLATE german_c DEFAULT upper('a' || CURRENT_USER),
	d int GENERATED ALWAYS AS (length(a) * 2) STORED,
	e timestamptz(3) DEFAULT now(),
	f interval year to month DEFAULT '1 year 2 mons',
	g bit varying(7) DEFAULT B'101',
	"Odd ""Column""
with a line" "Odd ""Pair""",
	h positive DEFAULT 5,
	i mood DEFAULT 'ok'::mood,
	j pair[],
	k base(9),
	l ext.citext DEFAULT 'Ab',
	m date DEFAULT '2024-01-02',
	n float8 DEFAULT 0.1,
	o bytea DEFAULT '\x00ff',
	p "char" DEFAULT 'a',
	q timestamptz DEFAULT '2024-01-02 03:04:05+06',
	r interval DEFAULT '1 day 02:03:04',
	s money DEFAULT 12.34,
	t regclass DEFAULT 'ev.simple'::regclass,
	u regproc DEFAULT 'now'::regproc,
	v xml,
	w text DEFAULT E'a\\b\nc''d"e',
	"select" int,
	"63_bytes_of_a_name_that_goes_on_until_nothing_more_fits_into_it" int DEFAULT nextval('simple_seq')
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.3, toast.autovacuum_enabled = false, toast_tuple_target = 256);
ALTER TABLE columns DROP COLUMN gone;
ALTER TABLE columns ALTER a SET STATISTICS 300, ALTER b SET STATISTICS 0, ALTER a SET (n_distinct = -0.5, n_distinct_inherited = 7), ALTER c SET STORAGE EXTERNAL, ALTER w SET STORAGE MAIN;
ALTER TABLE columns ADD later int DEFAULT 3 NOT NULL;
COMMENT ON TABLE columns IS 'a table';
COMMENT ON COLUMN columns.a IS 'a column';
COMMENT ON COLUMN columns."Odd ""Column""
with a line" IS E'odd\nindeed';
GRANT SELECT ON columns TO regress_dbvc_reader WITH GRANT OPTION;
GRANT SELECT (a, b), UPDATE (c) ON columns TO regress_dbvc_writer;
GRANT ALL ON columns TO PUBLIC;
REVOKE TRUNCATE ON columns FROM CURRENT_USER;
CREATE UNLOGGED TABLE "Ev ""Quoted"".Schema"."Odd ""Table"", with.dots
and 'lines'" ("Key" int PRIMARY KEY, "ümlaut 🐘" text DEFAULT '🐘');
ALTER TABLE "Ev ""Quoted"".Schema"."Odd ""Table"", with.dots
and 'lines'" OWNER TO regress_dbvc_owner;
CREATE TABLE none ();
CREATE TABLE only_dropped (a int);
ALTER TABLE only_dropped DROP COLUMN a;
CREATE TABLE in_space (a int PRIMARY KEY USING INDEX TABLESPACE "regress_dbvc Space", b int) USING ev_heap TABLESPACE "regress_dbvc Space";
CREATE TABLE owned (a int, b int) WITH (parallel_workers = 3);
ALTER TABLE owned OWNER TO regress_dbvc_owner;
CREATE SEQUENCE owned_seq;
ALTER SEQUENCE owned_seq OWNER TO regress_dbvc_owner;
ALTER SEQUENCE owned_seq OWNED BY owned.a;
REVOKE ALL ON owned FROM regress_dbvc_owner;
CREATE TYPE row_of AS (x int, y text);
CREATE TABLE typed OF row_of (x WITH OPTIONS DEFAULT 3 NOT NULL, PRIMARY KEY (x));
CREATE TABLE replica_full (a int);
ALTER TABLE replica_full REPLICA IDENTITY FULL;
CREATE TABLE replica_nothing (a int);
ALTER TABLE replica_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE replica_index (a int NOT NULL, b int);
CREATE UNIQUE INDEX replica_index_key ON replica_index (a);
ALTER TABLE replica_index REPLICA IDENTITY USING INDEX replica_index_key;
CREATE TABLE clustered (a int, b int);
CREATE INDEX clustered_b ON clustered (b DESC NULLS LAST);
ALTER TABLE clustered CLUSTER ON clustered_b;
CREATE TABLE toasted (a text) WITH (toast.autovacuum_vacuum_threshold = 77);

-- inheritance, deep and of several
CREATE TABLE parent (a int NOT NULL DEFAULT 1, b text, CONSTRAINT parent_check CHECK (a > 0), CONSTRAINT not_inherited CHECK (a > -1) NO INHERIT);
CREATE TABLE other_parent (b text, c int);
CREATE TABLE child (d int, CHECK (d > 0)) INHERITS (parent, other_parent);
CREATE TABLE local_too (a int DEFAULT 2, z int) INHERITS (parent);
ALTER TABLE child ALTER a SET DEFAULT 7;
CREATE TABLE grandchild () INHERITS (child);
CREATE TABLE "Great ""Grandchild""" (e int) INHERITS (grandchild);
ALTER TABLE "Great ""Grandchild""" ALTER b SET STATISTICS 5, ALTER b SET DEFAULT 'b';
CREATE TABLE was_child (a int) INHERITS (parent);
ALTER TABLE was_child NO INHERIT parent;

-- partitions
CREATE TABLE parted (id int, at date NOT NULL, kind text DEFAULT 'k', CHECK (id > 0)) PARTITION BY RANGE (at, (lower(kind)) COLLATE "C" text_pattern_ops);
CREATE TABLE parted_2023 PARTITION OF parted FOR VALUES FROM ('2023-01-01', MINVALUE) TO ('2024-01-01', 'b');
CREATE TABLE parted_2024 PARTITION OF parted (kind DEFAULT 'in 2024') FOR VALUES FROM ('2024-01-01', 'b') TO ('2025-01-01', MAXVALUE) PARTITION BY LIST (kind);
CREATE TABLE "Parted Odd" PARTITION OF parted_2024 FOR VALUES IN ('it''s', NULL, 'ü') PARTITION BY HASH (id);
CREATE TABLE hash_0 PARTITION OF "Parted Odd" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hash_1 PARTITION OF "Parted Odd" FOR VALUES WITH (MODULUS 2, REMAINDER 1) WITH (fillfactor = 50);
CREATE TABLE parted_other PARTITION OF parted DEFAULT;
CREATE TABLE attached (kind text, gone int, at date NOT NULL, id int, CHECK (id > 0));
ALTER TABLE attached DROP COLUMN gone;
ALTER TABLE attached RENAME CONSTRAINT attached_id_check TO parted_id_check;
ALTER TABLE parted ATTACH PARTITION attached FOR VALUES FROM ('2026-01-01', MINVALUE) TO ('2027-01-01', MINVALUE);
CREATE TABLE detached PARTITION OF parted FOR VALUES FROM ('2028-01-01', MINVALUE) TO ('2029-01-01', MINVALUE);
ALTER TABLE parted DETACH PARTITION detached;
CREATE INDEX parted_id ON parted (id);
CREATE INDEX ON ONLY parted (kind);
CREATE TABLE parted_key (a int, b int, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
CREATE TABLE parted_key_1 PARTITION OF parted_key FOR VALUES IN (1);
CREATE TABLE to_parted (a int, b int, FOREIGN KEY (a, b) REFERENCES parted_key);
CREATE TABLE from_parted (a int REFERENCES "simple", b mood) PARTITION BY LIST (b);
CREATE TABLE from_parted_ok PARTITION OF from_parted FOR VALUES IN ('ok');

-- constraints
CREATE TABLE constrained (
	a int CONSTRAINT "Odd ""Check""" CHECK (a > 0 AND a IN (1, 2, 3)),
	b varchar(10) CHECK (b IN ('a', 'b')),
	c int UNIQUE DEFERRABLE INITIALLY DEFERRED,
	d int,
	e int,
	f int4range,
	g text,
	h point,
	CONSTRAINT constrained_key PRIMARY KEY (d, e) INCLUDE (a),
	CONSTRAINT nulls UNIQUE NULLS NOT DISTINCT (g) WITH (fillfactor = 60),
	CONSTRAINT excluded EXCLUDE USING gist (f WITH &&, e WITH =) WHERE (d > 0) DEFERRABLE,
	EXCLUDE USING btree ((a + d) WITH =),
	CHECK (CASE WHEN g ~ '^[a-z]' THEN g <> ALL (ARRAY['x', 'y']) ELSE (a BETWEEN 1 AND 2) IS NOT FALSE END)
);
ALTER TABLE constrained ADD CONSTRAINT not_validated CHECK (g IS NOT NULL) NOT VALID;
ALTER TABLE constrained ADD CONSTRAINT in_list CHECK (b::text = ANY (ARRAY['a'::varchar, 'b'::varchar]::text[]) OR g LIKE 'x%' OR g IN ('q'));
ALTER TABLE constrained CLUSTER ON constrained_key;
COMMENT ON CONSTRAINT nulls ON constrained IS 'a constraint';
CREATE TABLE refers (
	a int REFERENCES "simple" ON DELETE CASCADE ON UPDATE SET NULL,
	d int, e int,
	CONSTRAINT "Full" FOREIGN KEY (d, e) REFERENCES constrained MATCH FULL ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
	CONSTRAINT "Some Columns" FOREIGN KEY (d, e) REFERENCES constrained (d, e) ON DELETE SET DEFAULT (d)
);
ALTER TABLE refers ADD CONSTRAINT later FOREIGN KEY (a) REFERENCES "simple" ON UPDATE RESTRICT NOT VALID;
CREATE TABLE egg (id int PRIMARY KEY, hen int);
CREATE TABLE hen (id int PRIMARY KEY, egg int REFERENCES egg, mother int REFERENCES hen);
ALTER TABLE egg ADD FOREIGN KEY (hen) REFERENCES hen DEFERRABLE;

-- indexes
CREATE TABLE indexed (a int, b text, c tsvector, d int[], e text, f point);
CREATE INDEX plain_index ON indexed (a);
CREATE UNIQUE INDEX "Odd ""Index""" ON indexed (lower(b) COLLATE "C" text_pattern_ops DESC NULLS LAST, (a + 1)) INCLUDE (e) WHERE a > 0 AND b IN ('x', 'y');
CREATE UNIQUE INDEX not_distinct ON indexed (e) NULLS NOT DISTINCT WITH (fillfactor = 80, deduplicate_items = off) TABLESPACE "regress_dbvc Space";
CREATE INDEX gin_index ON indexed USING gin (c, d) WITH (fastupdate = off);
CREATE INDEX gist_index ON indexed USING gist (f);
CREATE INDEX own_gist_index ON indexed USING gist (f gist_points);
CREATE INDEX signed ON indexed USING gist (c tsvector_ops (siglen = 100));
CREATE INDEX brin_index ON indexed USING brin (a) WITH (pages_per_range = 8, autosummarize);
CREATE INDEX hash_index ON indexed USING hash (a);
CREATE INDEX expressions ON indexed ((a % 10), (b || e));
ALTER INDEX expressions ALTER COLUMN 1 SET STATISTICS 77;
COMMENT ON INDEX "Odd ""Index""" IS 'an index';
CREATE STATISTICS some_stats (ndistinct, dependencies) ON a, b FROM indexed;
CREATE STATISTICS "Odd ""Stats""" ON (a + 1), (lower(b)) FROM indexed;
CREATE STATISTICS all_stats ON a, e, (a * 2) FROM indexed;
ALTER STATISTICS some_stats SET STATISTICS 50;
ALTER STATISTICS all_stats OWNER TO regress_dbvc_owner;
COMMENT ON STATISTICS some_stats IS 'statistics';

-- ---- views, rules ----

CREATE TABLE has_dropped (a int, b int, c text);
ALTER TABLE has_dropped DROP COLUMN b;
CREATE VIEW over_dropped AS SELECT * FROM has_dropped WHERE c IN ('a', 'b');
ALTER TABLE has_dropped ADD d varchar(5);
CREATE VIEW over_dropped_too AS SELECT h.*, h AS whole, x.y FROM has_dropped h LEFT JOIN LATERAL (SELECT h.a + 1) x (y) ON true;
CREATE VIEW "Odd ""View""" ("Odd ""Column""", b) WITH (security_barrier, security_invoker = true) AS SELECT id, name FROM "simple" WHERE name <> 'x' WITH LOCAL CHECK OPTION;
ALTER VIEW "Odd ""View""" ALTER b SET DEFAULT 'b';
CREATE VIEW all_kinds AS
	WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5), m AS MATERIALIZED (SELECT 1 AS one)
	SELECT DISTINCT ON (c.a) c.a, sum(c.n) OVER w AS s, count(*) FILTER (WHERE c.later > 1) OVER w AS f, (SELECT max(n) FROM r) AS top,
		EXISTS (SELECT FROM m) AS e, ROW(c.a, 1) = ROW('x', 2) AS rows, c.a::text COLLATE "C" AS coll, ARRAY[c.later, 1] AS arr, (c."Odd ""Column""
with a line").e AS field, c.b[1:2] AS slice, CASE c.a WHEN 'x' THEN 1 ELSE 2 END AS cases, coalesce(c.w, 'y') AS coal, c.e AT TIME ZONE 'UTC' AS utc,
		EXTRACT(YEAR FROM c.m) AS y, c.w LIKE 'a%' AS lk, c.i == 'ok'::text AS own, NULLIF(c.later, 3) AS nul, xmlelement(name a, 'b') IS DOCUMENT AS x, GREATEST(c.n, 2) AS g,
		CURRENT_DATE AS today, c.f + interval '1 day' AS i1, 1.50 AS num, 1e10::float8 AS fl, '2024-01-01'::date AS dt, '1 day'::interval AS iv, timestamptz '2024-01-01 00:00+00' AS tz, true AS t, NULL::int AS nl
	FROM columns c JOIN "simple" s ON s.id = c.later CROSS JOIN generate_series(1, 2) WITH ORDINALITY g (v, o) NATURAL LEFT JOIN (VALUES (1, 'x'), (2, 'y')) vs (p1, p2)
	WHERE c.a IN ('a', 'b') AND c.later = ANY (ARRAY[1, 2]) AND c.i IN ('ok', 'sad') AND c.a NOT LIKE '%x'
	WINDOW w AS (PARTITION BY c.i ORDER BY c.a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES)
	ORDER BY c.a, 2 DESC NULLS LAST LIMIT 10 OFFSET 1;
CREATE VIEW grouping_sets AS SELECT a, b, count(*), GROUPING(a, b) AS gr FROM replica_index GROUP BY GROUPING SETS ((a, b), ROLLUP (a), CUBE (b));
CREATE VIEW sampled AS SELECT * FROM owned TABLESAMPLE bernoulli (10) REPEATABLE (1) UNION (SELECT 1, 2 EXCEPT SELECT 3, 4) ORDER BY 1 FETCH FIRST 3 ROWS WITH TIES;
CREATE VIEW functions_used AS SELECT f.x, f."Y y", r.* FROM a_table(1, 'sad') f, ROWS FROM (generate_series(1, 3), unnest(ARRAY['a'])) WITH ORDINALITY r (i, t, o), json_to_record('{}') AS j (a int, b text);
CREATE VIEW joined_using AS SELECT * FROM "simple" JOIN (SELECT id, 1 AS z FROM "simple") t USING (id) AS both_of_them FULL JOIN hen USING (id);
CREATE VIEW cast_lists AS SELECT a FROM constrained WHERE b IN ('a', 'b') OR b NOT IN ('c', 'd') OR g IN ('e') OR b = ANY ('{x,y}'::text[]);
CREATE RECURSIVE VIEW counts (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM counts WHERE n < 3;
CREATE VIEW no_columns AS SELECT FROM none;
CREATE VIEW on_view AS SELECT v.b AS "Renamed Column", * FROM "Odd ""View""" v;
GRANT SELECT ON "Odd ""View""" TO regress_dbvc_reader;
GRANT SELECT ("Odd ""Column""") ON "Odd ""View""" TO regress_dbvc_writer;
ALTER VIEW on_view OWNER TO regress_dbvc_owner;
COMMENT ON VIEW on_view IS 'a view';
COMMENT ON COLUMN on_view.b IS 'a column of a view';
CREATE MATERIALIZED VIEW stored WITH (fillfactor = 90) AS SELECT id, upper(name) AS up FROM "simple" WHERE name IN ('a', 'b') WITH NO DATA;
CREATE MATERIALIZED VIEW "Odd ""Stored""" USING ev_heap TABLESPACE "regress_dbvc Space" AS SELECT * FROM cast_lists;
CREATE UNIQUE INDEX stored_key ON stored (id);
ALTER MATERIALIZED VIEW stored ALTER up SET STATISTICS 9;
ALTER MATERIALIZED VIEW stored OWNER TO regress_dbvc_owner;
COMMENT ON MATERIALIZED VIEW "Odd ""Stored""" IS 'it is stored';
CREATE RULE "Odd ""Rule""" AS ON INSERT TO "simple" WHERE NEW.id > 5 DO INSTEAD (INSERT INTO owned VALUES (NEW.id, 1); UPDATE owned SET b = NEW.id WHERE a = NEW.id);
CREATE RULE tells AS ON INSERT TO owned DO ALSO NOTIFY told;
CREATE RULE also AS ON UPDATE TO "simple" DO ALSO DELETE FROM owned WHERE a = OLD.id;
CREATE RULE nothing AS ON DELETE TO owned DO INSTEAD NOTHING;
CREATE RULE into_view AS ON INSERT TO cast_lists DO INSTEAD INSERT INTO "simple" (id) VALUES (NEW.a) RETURNING id;
ALTER TABLE "simple" DISABLE RULE also;
ALTER TABLE "simple" ENABLE ALWAYS RULE "Odd ""Rule""";
COMMENT ON RULE also ON "simple" IS 'a rule';

-- ---- triggers, event triggers, policies ----

CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OF a, d ON constrained FOR EACH ROW WHEN (NEW.a > 1 AND NEW.b IN ('a', 'b')) EXECUTE FUNCTION told('an argument', E'it''s\\', '');
CREATE TRIGGER "Odd ""Trigger""" AFTER UPDATE ON constrained REFERENCING OLD TABLE AS olds NEW TABLE AS "New Ones" FOR EACH STATEMENT EXECUTE FUNCTION told();
CREATE CONSTRAINT TRIGGER deferred AFTER DELETE ON constrained FROM "simple" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.a IS DISTINCT FROM 3) EXECUTE FUNCTION told();
CREATE TRIGGER on_truncate BEFORE TRUNCATE ON constrained EXECUTE FUNCTION told();
CREATE TRIGGER on_the_view INSTEAD OF INSERT OR DELETE ON "Odd ""View""" FOR EACH ROW EXECUTE FUNCTION told();
CREATE TRIGGER on_partitions AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION told('x');
ALTER TABLE parted_2023 DISABLE TRIGGER on_partitions;
ALTER TABLE constrained DISABLE TRIGGER on_truncate, ENABLE REPLICA TRIGGER before_row, ENABLE ALWAYS TRIGGER deferred;
COMMENT ON TRIGGER before_row ON constrained IS 'a trigger';
CREATE FUNCTION ev_told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER ev_start ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION ev_told();
CREATE EVENT TRIGGER "Odd ""Event""" ON sql_drop EXECUTE FUNCTION ev_told();
CREATE EVENT TRIGGER ev_rewrite ON table_rewrite EXECUTE FUNCTION ev_told();
ALTER EVENT TRIGGER ev_start DISABLE;
ALTER EVENT TRIGGER "Odd ""Event""" ENABLE ALWAYS;
ALTER EVENT TRIGGER ev_rewrite ENABLE REPLICA;
COMMENT ON EVENT TRIGGER ev_start IS 'an event trigger';
ALTER TABLE constrained ENABLE ROW LEVEL SECURITY;
ALTER TABLE owned ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE egg FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON constrained AS RESTRICTIVE FOR UPDATE TO regress_dbvc_reader, "regress_dbvc ""Odd"" rôle" USING (g = current_user) WITH CHECK (a > 0 AND b IN ('a', 'b'));
CREATE POLICY "Odd ""Policy""" ON constrained FOR SELECT TO PUBLIC USING (EXISTS (SELECT FROM "simple" s WHERE s.id = constrained.a));
CREATE POLICY adds ON owned FOR INSERT WITH CHECK (true);
CREATE POLICY removes ON owned FOR DELETE TO CURRENT_USER USING (false);
COMMENT ON POLICY mine ON constrained IS 'a policy';

-- ---- foreign things ----

CREATE FOREIGN DATA WRAPPER dummy OPTIONS (debug 'true', "odd option" 'it''s');
CREATE FOREIGN DATA WRAPPER "Odd Wrapper" HANDLER ext.file_fdw_handler VALIDATOR postgresql_fdw_validator;
GRANT USAGE ON FOREIGN DATA WRAPPER dummy TO regress_dbvc_owner WITH GRANT OPTION;
COMMENT ON FOREIGN DATA WRAPPER dummy IS 'a wrapper';
CREATE SERVER far TYPE 'oracle' VERSION '9.1' FOREIGN DATA WRAPPER dummy OPTIONS (host 'far.example', port '1521', password 'a secret');
CREATE SERVER "Odd Server" FOREIGN DATA WRAPPER file_fdw;
ALTER SERVER far OWNER TO regress_dbvc_owner;
GRANT USAGE ON FOREIGN SERVER far TO regress_dbvc_reader;
COMMENT ON SERVER far IS 'a server';
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'me', password 'a secret of everybody');
CREATE USER MAPPING FOR regress_dbvc_reader SERVER far OPTIONS (user 'reader', password 'a secret of readers');
CREATE USER MAPPING FOR "regress_dbvc ""Odd"" rôle" SERVER "Odd Server";
CREATE FOREIGN TABLE far_table (id int OPTIONS (column_name 'ID', key 'true') NOT NULL, b text COLLATE "C" DEFAULT 'x', CHECK (id > 0)) SERVER far OPTIONS (table_name 'T', schema_name 'S');
CREATE TABLE parted_list_far (a int) PARTITION BY LIST (a);
CREATE FOREIGN TABLE "Odd ""Far""" () INHERITS (parent) SERVER "Odd Server" OPTIONS (filename '/dev/null', format 'csv');
CREATE FOREIGN TABLE parted_far PARTITION OF parted_list_far FOR VALUES IN (7) SERVER "Odd Server" OPTIONS (filename '/dev/null');
CREATE TRIGGER on_foreign BEFORE INSERT ON far_table FOR EACH ROW EXECUTE FUNCTION told();
COMMENT ON FOREIGN TABLE far_table IS 'a foreign table';

-- ---- privileges on what is the system's and extensions' ----

GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO regress_dbvc_reader WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC;
GRANT SELECT ON pg_catalog.pg_authid TO regress_dbvc_reader;
GRANT SELECT (rolname) ON pg_catalog.pg_authid TO regress_dbvc_writer;
REVOKE EXECUTE ON FUNCTION ext.citext_eq(ext.citext, ext.citext) FROM PUBLIC;
GRANT USAGE ON FOREIGN DATA WRAPPER file_fdw TO regress_dbvc_owner;

-- ---- publications and subscriptions ----

CREATE PUBLICATION "some" FOR TABLE columns (id, a), ONLY parent WHERE (a > 3), constrained WITH (publish = 'insert, delete');
CREATE PUBLICATION "Odd ""Publication""" FOR TABLES IN SCHEMA ev, "Ev ""Quoted"".Schema" WITH (publish_via_partition_root);
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'truncate');
CREATE PUBLICATION nothing;
ALTER PUBLICATION nothing OWNER TO regress_dbvc_owner;
COMMENT ON PUBLICATION "some" IS 'a publication';
SET client_min_messages = error;
CREATE SUBSCRIPTION from_far CONNECTION 'host=far.example password=secret dbname=x' PUBLICATION there, "Over There" WITH (connect = false, slot_name = 'from_far', binary, streaming, synchronous_commit = 'remote_apply', two_phase, disable_on_error);
CREATE SUBSCRIPTION "Odd ""Subscription""" CONNECTION 'host=far.example' PUBLICATION one WITH (connect = false, slot_name = NONE, enabled = false);
SET client_min_messages = warning;
COMMENT ON SUBSCRIPTION from_far IS 'a subscription';

-- ---- default privileges ----

ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO regress_dbvc_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_owner IN SCHEMA ev, "Ev ""Quoted"".Schema" GRANT USAGE ON SEQUENCES TO regress_dbvc_writer WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE "regress_dbvc ""Odd"" rôle" GRANT USAGE ON SCHEMAS TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA moved GRANT USAGE ON TYPES TO regress_dbvc_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA "empty" GRANT SELECT ON TABLES TO PUBLIC;

-- ---- newer things ----

\if :at_least_16
SET client_min_messages = error;
CREATE SUBSCRIPTION newer CONNECTION 'host=far.example' PUBLICATION one WITH (connect = false, slot_name = NONE, streaming = parallel, origin = none, run_as_owner, password_required = false);
CREATE TABLE stored_default (a text STORAGE EXTENDED, b text STORAGE PLAIN);
GRANT regress_dbvc_owner TO regress_dbvc_member WITH INHERIT FALSE;
\endif
\if :at_least_17
GRANT MAINTAIN ON columns TO regress_dbvc_reader;
CREATE EVENT TRIGGER ev_login ON login EXECUTE FUNCTION ev_told();
ALTER EVENT TRIGGER ev_login DISABLE;
CREATE TABLE parted_identity (a int GENERATED ALWAYS AS IDENTITY, b int) PARTITION BY LIST (b);
CREATE TABLE parted_identity_1 PARTITION OF parted_identity FOR VALUES IN (1);
CREATE TABLE am_parted (a int) PARTITION BY LIST (a) USING ev_heap;
SET client_min_messages = error;
CREATE SUBSCRIPTION failover CONNECTION 'host=far.example' PUBLICATION one WITH (connect = false, slot_name = NONE, failover);
CREATE OPERATOR ~== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
ALTER OPERATOR ~== (int, int) SET (COMMUTATOR = ~==, HASHES, MERGES);
CREATE VIEW sql_json AS SELECT JSON_OBJECT('a': 1 ABSENT ON NULL) AS o, JSON_VALUE(jsonb '{"a": 1}', '$.a' RETURNING int DEFAULT 0 ON EMPTY) AS v, t.* FROM JSON_TABLE(jsonb '[1]', '$[*]' COLUMNS (x int PATH '$', ord FOR ORDINALITY)) t;
\endif
\if :at_least_18
CREATE TABLE virtual_column (a int CONSTRAINT "Odd ""Not Null""" NOT NULL NO INHERIT, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, c int, d int NOT NULL);
ALTER TABLE virtual_column ADD CONSTRAINT c_is_there NOT NULL c NOT VALID;
COMMENT ON CONSTRAINT c_is_there ON virtual_column IS 'a not-null constraint';
CREATE TABLE not_enforced (a int, b int REFERENCES "simple" NOT ENFORCED, CONSTRAINT never CHECK (a > 0) NOT ENFORCED);
CREATE TABLE temporal (id int4range, valid tstzrange, CONSTRAINT temporal_key PRIMARY KEY (id, valid WITHOUT OVERLAPS));
CREATE TABLE temporal_ref (id int, p int4range, valid tstzrange, CONSTRAINT temporal_fk FOREIGN KEY (p, PERIOD valid) REFERENCES temporal (id, PERIOD valid));
CREATE TABLE parent_18 (a int CONSTRAINT parent_a NOT NULL);
CREATE TABLE child_18 (a int CONSTRAINT child_a NOT NULL) INHERITS (parent_18);
CREATE TABLE child_18_too () INHERITS (parent_18);
CREATE PUBLICATION generated FOR TABLE virtual_column WITH (publish_generated_columns = stored);
CREATE VIEW returning_18 AS SELECT casefold('A') AS c;
CREATE RULE old_and_new AS ON UPDATE TO owned WHERE OLD.a IS DISTINCT FROM NEW.a DO ALSO SELECT 1;
\endif
\if :at_least_19
\endif

-- ---- comments on all that has none, with the grammar's help ----

DO $$
DECLARE
	o record;
	target text;
BEGIN
	FOR o IN
		SELECT i.type, i.identity, d.classid, d.objid
		FROM (SELECT DISTINCT classid, objid FROM pg_depend WHERE classid NOT IN ('pg_rewrite'::regclass, 'pg_attrdef'::regclass)
			UNION SELECT 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE rulename <> '_RETURN') d, pg_identify_object(d.classid, d.objid, 0) i
		WHERE d.objid >= 16384 AND i.identity NOT LIKE 'pg\_%' AND i.type NOT IN ('user mapping', 'default acl', 'publication relation', 'publication namespace', 'toast table')
		  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype IN ('e', 'i') AND e.refclassid <> 'pg_constraint'::regclass)
		ORDER BY 1, 2
	LOOP
		-- a dump leaves out those of inherited constraints and triggers
		CONTINUE WHEN EXISTS (SELECT FROM pg_constraint WHERE oid = o.objid AND NOT conislocal) OR EXISTS (SELECT FROM pg_trigger WHERE oid = o.objid AND tgparentid <> 0);
		CONTINUE WHEN length(o.identity) % 3 = 0 OR EXISTS (SELECT FROM pg_description WHERE classoid = o.classid AND objoid = o.objid);
		target := CASE o.type
			WHEN 'table constraint' THEN 'CONSTRAINT ' || o.identity
			WHEN 'domain constraint' THEN 'CONSTRAINT ' || replace(o.identity, ' on ', ' ON DOMAIN ')
			WHEN 'statistics object' THEN 'STATISTICS ' || o.identity
			WHEN 'composite type' THEN 'TYPE ' || o.identity
			ELSE upper(o.type) || ' ' || o.identity END;
		BEGIN
			EXECUTE format('COMMENT ON %s IS %L', target, 'about the ' || o.type);
		EXCEPTION WHEN syntax_error OR undefined_object OR wrong_object_type OR undefined_function OR feature_not_supported OR invalid_text_representation THEN
			NULL;
		END;
	END LOOP;
END $$;
RESET search_path;
RESET client_min_messages;
