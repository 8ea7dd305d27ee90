--
-- Definitions: one object of every class with every attribute set (what relations have is in
-- snapshot_relation), the names of types, identities, canonical JSON
--
CREATE EXTENSION dbvc;
SET client_min_messages = warning;
CREATE ROLE regress_dbvc_def SUPERUSER;
CREATE ROLE regress_dbvc_def_reader;
CREATE ROLE "regress_dbvc_def ""Odd"" Rôle";
CREATE SCHEMA defs AUTHORIZATION regress_dbvc_def;
SET SESSION AUTHORIZATION regress_dbvc_def;
SET search_path = defs;

-- The members of a definition, one to a line.
CREATE FUNCTION public.define(class regclass, object oid) RETURNS TABLE (line text, n bigint)
LANGUAGE sql AS $$
	SELECT d.object_type || ' ' || d.identity, 0 FROM dbvc.definition_of(class, object) d WHERE d.identity IS NOT NULL
	UNION ALL
	SELECT '  ' || m.key || ': ' || m.value, row_number() OVER (ORDER BY m.key COLLATE "C")
	FROM dbvc.definition_of(class, object) d, jsonb_each(d.body) m
	ORDER BY 2
$$;

-- ---- schemas ----

COMMENT ON SCHEMA defs IS E'line\n"quoted" \\ ünï';
GRANT USAGE ON SCHEMA defs TO PUBLIC;
GRANT CREATE ON SCHEMA defs TO regress_dbvc_def_reader WITH GRANT OPTION;
SELECT line FROM public.define('pg_namespace', 'defs'::regnamespace);
-- privileges: the default and what is written out are the same, none at all is something else
CREATE SCHEMA defs_acl;
SELECT body FROM dbvc.definition_of('pg_namespace'::regclass, 'defs_acl'::regnamespace);
GRANT ALL ON SCHEMA defs_acl TO regress_dbvc_def;
SELECT nspacl IS NOT NULL AS written_out, body FROM pg_namespace, dbvc.definition_of('pg_namespace'::regclass, oid) WHERE nspname = 'defs_acl';
REVOKE ALL ON SCHEMA defs_acl FROM regress_dbvc_def;
SELECT body FROM dbvc.definition_of('pg_namespace'::regclass, 'defs_acl'::regnamespace);
-- items of the same two roles are one
UPDATE pg_namespace SET nspacl = '{regress_dbvc_def_reader=C/regress_dbvc_def,regress_dbvc_def=C/regress_dbvc_def,"\"regress_dbvc_def \"\"Odd\"\" Rôle\"=C*/regress_dbvc_def",regress_dbvc_def_reader=U*/regress_dbvc_def,=U/regress_dbvc_def,=U/regress_dbvc_def_reader,regress_dbvc_def=U/regress_dbvc_def}'
	WHERE nspname = 'defs_acl';
SELECT line FROM public.define('pg_namespace', 'defs_acl'::regnamespace);
DROP SCHEMA defs_acl;

-- ---- extensions, languages, access methods, event triggers ----

SELECT line FROM pg_extension, public.define('pg_extension', oid) WHERE extname = 'plpgsql';
SELECT count(*) AS dbvc_itself FROM pg_extension, public.define('pg_extension', oid) WHERE extname = 'dbvc';
-- nor members of an extension, nor what the system has
SELECT count(*) AS members FROM public.define('pg_proc', 'plpgsql_call_handler'::regproc);
SELECT count(*) AS members FROM pg_language, public.define('pg_language', oid) WHERE lanname IN ('plpgsql', 'sql');

CREATE TRUSTED LANGUAGE defs_lang HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;
COMMENT ON LANGUAGE defs_lang IS 'a language';
REVOKE USAGE ON LANGUAGE defs_lang FROM PUBLIC;
SELECT line FROM pg_language, public.define('pg_language', oid) WHERE lanname = 'defs_lang';
CREATE ACCESS METHOD defs_heap TYPE TABLE HANDLER heap_tableam_handler;
COMMENT ON ACCESS METHOD defs_heap IS 'an access method';
CREATE ACCESS METHOD defs_btree TYPE INDEX HANDLER bthandler;
SELECT line FROM pg_am, public.define('pg_am', oid) WHERE amname LIKE 'defs%' ORDER BY amname, n;

CREATE FUNCTION event_fn() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER defs_event ON ddl_command_end WHEN TAG IN ('DROP TABLE', 'CREATE TABLE') EXECUTE FUNCTION event_fn();
ALTER EVENT TRIGGER defs_event DISABLE;
COMMENT ON EVENT TRIGGER defs_event IS 'an event trigger';
SELECT line FROM pg_event_trigger, public.define('pg_event_trigger', oid) WHERE evtname = 'defs_event';
ALTER EVENT TRIGGER defs_event ENABLE REPLICA;
SELECT body ->> 'enabled' AS enabled FROM pg_event_trigger, dbvc.definition_of('pg_event_trigger'::regclass, oid) WHERE evtname = 'defs_event';
ALTER EVENT TRIGGER defs_event ENABLE ALWAYS;
SELECT body ->> 'enabled' AS enabled FROM pg_event_trigger, dbvc.definition_of('pg_event_trigger'::regclass, oid) WHERE evtname = 'defs_event';
ALTER EVENT TRIGGER defs_event ENABLE;
SELECT body ->> 'enabled' AS enabled FROM pg_event_trigger, dbvc.definition_of('pg_event_trigger'::regclass, oid) WHERE evtname = 'defs_event';

-- ---- types ----

CREATE TYPE mood AS ENUM ('sad', 'happy');
ALTER TYPE mood ADD VALUE 'it''s "so so"' BEFORE 'happy';
ALTER TYPE mood ADD VALUE 'awful' BEFORE 'sad';
COMMENT ON TYPE mood IS 'a mood';
REVOKE USAGE ON TYPE mood FROM PUBLIC;
SELECT line FROM public.define('pg_type', 'mood'::regtype);
CREATE DOMAIN amount AS numeric(10,2) DEFAULT 1.50 NOT NULL;
COMMENT ON DOMAIN amount IS 'a domain';
GRANT USAGE ON DOMAIN amount TO regress_dbvc_def_reader;
SELECT line FROM public.define('pg_type', 'amount'::regtype);
CREATE DOMAIN sorted AS text COLLATE "C";
SELECT line FROM public.define('pg_type', 'sorted'::regtype);
-- the collation of the type is none of its own
CREATE DOMAIN sorted_again AS sorted;
SELECT line FROM public.define('pg_type', 'sorted_again'::regtype);

CREATE FUNCTION span_diff(timestamptz, timestamptz) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT extract(epoch FROM $1 - $2)';
CREATE TYPE span;
SELECT line FROM pg_type, public.define('pg_type', oid) WHERE typname = 'span';
CREATE FUNCTION span_canonical(span) RETURNS span LANGUAGE internal IMMUTABLE AS 'int4range_canonical';
CREATE TYPE span AS RANGE (SUBTYPE = timestamptz, SUBTYPE_OPCLASS = timestamptz_ops, SUBTYPE_DIFF = span_diff,
	MULTIRANGE_TYPE_NAME = spans, CANONICAL = span_canonical);
COMMENT ON TYPE span IS 'a range';
COMMENT ON TYPE spans IS 'many of them';
SELECT line FROM public.define('pg_type', 'span'::regtype);
CREATE TYPE words AS RANGE (SUBTYPE = text, COLLATION = "POSIX");
SELECT line FROM public.define('pg_type', 'words'::regtype);
-- what a range comes with is a part of it
SELECT count(*) AS objects FROM pg_proc, dbvc.definition_of('pg_proc'::regclass, oid) d WHERE proname IN ('span', 'spans', 'words', 'wordsmultirange') AND d.identity IS NOT NULL;
SELECT count(*) AS objects FROM pg_cast, dbvc.definition_of('pg_cast'::regclass, oid) d WHERE castsource = 'span'::regtype AND d.identity IS NOT NULL;
SELECT count(*) AS objects FROM pg_type, dbvc.definition_of('pg_type'::regclass, oid) d WHERE typname IN ('spans', '_span', '_spans', '_mood') AND d.identity IS NOT NULL;

CREATE TYPE base;
CREATE FUNCTION base_in(cstring, oid, int4) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'bpcharin';
CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'bpcharout';
CREATE FUNCTION base_recv(internal, oid, int4) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'bpcharrecv';
CREATE FUNCTION base_send(base) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'bpcharsend';
CREATE TYPE base (INPUT = base_in, OUTPUT = base_out, RECEIVE = base_recv, SEND = base_send,
	TYPMOD_IN = bpchartypmodin, TYPMOD_OUT = bpchartypmodout, ANALYZE = array_typanalyze, INTERNALLENGTH = VARIABLE, ALIGNMENT = double,
	STORAGE = extended, CATEGORY = 'X', PREFERRED = true, DEFAULT = 'a default', ELEMENT = int4, DELIMITER = ';', COLLATABLE = true,
	SUBSCRIPT = raw_array_subscript_handler);
SELECT line FROM public.define('pg_type', 'base'::regtype);
CREATE TYPE plain;
CREATE FUNCTION plain_in(cstring) RETURNS plain LANGUAGE internal IMMUTABLE STRICT AS 'int8in';
CREATE FUNCTION plain_out(plain) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int8out';
CREATE TYPE plain (INPUT = plain_in, OUTPUT = plain_out, INTERNALLENGTH = 8, PASSEDBYVALUE, ALIGNMENT = double);
SELECT line FROM public.define('pg_type', 'plain'::regtype);

-- ---- functions ----

CREATE FUNCTION fn(IN a int, INOUT b text DEFAULT 'x', OUT c mood[], VARIADIC d numeric[] DEFAULT ARRAY[1.5, 2])
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER LEAKPROOF PARALLEL SAFE COST 7.5
SET work_mem = '8MB' SET search_path = defs, pg_temp SET "defs.api_token" = 'very secret'
AS 'BEGIN  -- as written
  b := ''"''; END';
COMMENT ON FUNCTION fn(int, text, numeric[]) IS 'a function';
REVOKE EXECUTE ON FUNCTION fn(int, text, numeric[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fn(int, text, numeric[]) TO regress_dbvc_def_reader;
ALTER FUNCTION fn(int, text, numeric[]) DEPENDS ON EXTENSION plpgsql;
SELECT line FROM public.define('pg_proc', 'fn(int, text, numeric[])'::regprocedure);
CREATE FUNCTION tabled(int) RETURNS TABLE (x int, y bpchar) LANGUAGE sql ROWS 50 IMMUTABLE PARALLEL RESTRICTED AS 'SELECT 1, NULL';
SELECT line FROM public.define('pg_proc', 'tabled(int)'::regprocedure);
CREATE FUNCTION many() RETURNS SETOF record LANGUAGE sql AS 'SELECT 1';
SELECT line FROM public.define('pg_proc', 'many()'::regprocedure);
CREATE FUNCTION compiled(internal) RETURNS internal LANGUAGE c COST 3 AS '$libdir/plpgsql', 'plpgsql_validator';
SELECT line FROM public.define('pg_proc', 'compiled(internal)'::regprocedure);
CREATE FUNCTION supported(text, text) RETURNS bool LANGUAGE internal IMMUTABLE STRICT SUPPORT text_starts_with_support AS 'text_starts_with';
SELECT line FROM public.define('pg_proc', 'supported(text, text)'::regprocedure);
CREATE FUNCTION giving(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql RETURN a + b;
SELECT line FROM public.define('pg_proc', 'giving(int, int)'::regprocedure);
CREATE FUNCTION atomic(a int) RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC SELECT 'one'; SELECT relname::text FROM pg_class WHERE oid = a; END;
SELECT line FROM public.define('pg_proc', 'atomic(int)'::regprocedure);
CREATE FUNCTION nothing() RETURNS void LANGUAGE sql BEGIN ATOMIC END;
SELECT line FROM public.define('pg_proc', 'nothing()'::regprocedure);
CREATE PROCEDURE proc(INOUT a int, b date DEFAULT '2020-02-01') LANGUAGE sql AS 'SELECT a';
SELECT line FROM public.define('pg_proc', 'proc(int, date)'::regprocedure);
CREATE FUNCTION windowed() RETURNS int8 LANGUAGE internal WINDOW AS 'window_row_number';
SELECT line FROM public.define('pg_proc', 'windowed()'::regprocedure);

-- a text of more than a megabyte is told by its hash
DO $$ BEGIN EXECUTE format('CREATE FUNCTION long() RETURNS int LANGUAGE plpgsql AS %L', 'BEGIN END -- ' || repeat('ü', 524288)); END $$;
SELECT line FROM public.define('pg_proc', 'long()'::regprocedure);
SELECT length(convert_to(prosrc, 'UTF8')), encode(sha256(convert_to(prosrc, 'UTF8')), 'hex') FROM pg_proc WHERE oid = 'long()'::regprocedure;

-- ---- transforms ----

CREATE FUNCTION from_sql(internal) RETURNS internal LANGUAGE internal IMMUTABLE STRICT AS 'prsd_lextype';
CREATE FUNCTION to_sql(internal) RETURNS plain LANGUAGE internal IMMUTABLE STRICT AS 'int8in';
CREATE TRANSFORM FOR plain LANGUAGE defs_lang (FROM SQL WITH FUNCTION from_sql(internal), TO SQL WITH FUNCTION to_sql(internal));
COMMENT ON TRANSFORM FOR plain LANGUAGE defs_lang IS 'a transform';
SELECT line FROM pg_transform, public.define('pg_transform', oid) WHERE trftype = 'plain'::regtype AND n > 0;
CREATE FUNCTION transforming(plain) RETURNS int TRANSFORM FOR TYPE plain LANGUAGE defs_lang AS 'BEGIN END';
SELECT line FROM public.define('pg_proc', 'transforming(plain)'::regprocedure);

-- ---- aggregates ----

CREATE FUNCTION state(internal, int) RETURNS internal LANGUAGE internal PARALLEL SAFE AS 'int8_avg_accum';
CREATE FUNCTION final(internal, int) RETURNS numeric LANGUAGE internal AS 'numeric_poly_avg';
CREATE FUNCTION mstate(numeric, int) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE FUNCTION minverse(numeric, int) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE FUNCTION mfinal(numeric, int) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION combine(internal, internal) RETURNS internal LANGUAGE internal PARALLEL SAFE AS 'int8_avg_combine';
CREATE FUNCTION ser(internal) RETURNS bytea LANGUAGE internal STRICT PARALLEL SAFE AS 'int8_avg_serialize';
CREATE FUNCTION deser(bytea, internal) RETURNS internal LANGUAGE internal STRICT PARALLEL SAFE AS 'int8_avg_deserialize';
CREATE AGGREGATE agg(int) (SFUNC = state, STYPE = internal, SSPACE = 48, FINALFUNC = final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = SHAREABLE,
	COMBINEFUNC = combine, SERIALFUNC = ser, DESERIALFUNC = deser, MSFUNC = mstate, MINVFUNC = minverse, MSTYPE = numeric, MSSPACE = 16,
	MFINALFUNC = mfinal, MFINALFUNC_EXTRA, MFINALFUNC_MODIFY = READ_WRITE, MINITCOND = '0', SORTOP = OPERATOR(pg_catalog.<), PARALLEL = SAFE);
COMMENT ON AGGREGATE agg(int) IS 'an aggregate';
GRANT EXECUTE ON FUNCTION agg(int) TO regress_dbvc_def_reader;
SELECT line FROM public.define('pg_proc', 'agg(int)'::regprocedure);
CREATE AGGREGATE simple(a int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
SELECT line FROM public.define('pg_proc', 'simple(int)'::regprocedure);
CREATE AGGREGATE pct(float8 ORDER BY float8) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE hypo(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
SELECT line FROM pg_proc, public.define('pg_proc', oid) WHERE proname IN ('pct', 'hypo') AND pronamespace = 'defs'::regnamespace AND line ~ '^[a-z]|direct|kind|modify' ORDER BY proname, n;

-- ---- casts, collations, conversions ----

CREATE FUNCTION plain_mood(plain, int, bool) RETURNS mood LANGUAGE sql IMMUTABLE AS 'SELECT ''sad''::defs.mood';
CREATE CAST (plain AS mood) WITH FUNCTION plain_mood(plain, int, bool) AS ASSIGNMENT;
COMMENT ON CAST (plain AS mood) IS 'a cast';
CREATE CAST (plain AS int8) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (plain AS text) WITH INOUT;
SELECT line FROM pg_cast, public.define('pg_cast', oid) WHERE castsource = 'plain'::regtype ORDER BY casttarget::regtype::text, n;
CREATE COLLATION posix (PROVIDER = libc, LC_COLLATE = 'POSIX', LC_CTYPE = 'C');
COMMENT ON COLLATION posix IS 'a collation';
SELECT line FROM public.define('pg_collation', 'posix'::regcollation);
CREATE DEFAULT CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION conv IS 'a conversion';
SELECT line FROM pg_conversion, public.define('pg_conversion', oid) WHERE conname = 'conv';

-- ---- operators, classes, families ----

CREATE FUNCTION mood_eq(mood, mood) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'enum_eq';
CREATE OPERATOR === (LEFTARG = mood, RIGHTARG = mood, FUNCTION = mood_eq, COMMUTATOR = ===, NEGATOR = <!>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
COMMENT ON OPERATOR === (mood, mood) IS 'an operator';
CREATE OPERATOR !!! (RIGHTARG = int4, FUNCTION = int4um);
SELECT line FROM pg_operator, public.define('pg_operator', oid) WHERE oprname IN ('===', '!!!', '<!>') AND oprnamespace = 'defs'::regnamespace ORDER BY oprname COLLATE "C", n;
CREATE OPERATOR FAMILY fam USING btree;
COMMENT ON OPERATOR FAMILY fam USING btree IS 'a family';
CREATE OPERATOR CLASS cls DEFAULT FOR TYPE plain USING btree FAMILY fam AS OPERATOR 1 <(int8, int8), OPERATOR 3 =(int8, int8), FUNCTION 1 (plain, plain) btint8cmp(int8, int8);
COMMENT ON OPERATOR CLASS cls USING btree IS 'a class';
ALTER OPERATOR FAMILY fam USING btree ADD OPERATOR 5 >(int8, int8), FUNCTION 2 (int8, int8) btint8sortsupport(internal);
CREATE OPERATOR CLASS dist FOR TYPE point USING gist AS OPERATOR 15 <->(point, point) FOR ORDER BY float_ops, FUNCTION 3 gist_point_compress(internal), STORAGE box;
-- members of a family of the system are known by the class
CREATE OPERATOR CLASS also FOR TYPE int4 USING hash FAMILY integer_ops AS STORAGE int4;
SELECT line FROM pg_opclass, public.define('pg_opclass', oid) WHERE opcnamespace = 'defs'::regnamespace ORDER BY opcname, n;
SELECT line FROM pg_opfamily, public.define('pg_opfamily', oid) WHERE opfnamespace = 'defs'::regnamespace ORDER BY opfname, n;

-- ---- text search ----

CREATE TEXT SEARCH PARSER par (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
COMMENT ON TEXT SEARCH PARSER par IS 'a parser';
SELECT line FROM pg_ts_parser, public.define('pg_ts_parser', oid) WHERE prsname = 'par';
CREATE TEXT SEARCH TEMPLATE tem (INIT = dsimple_init, LEXIZE = dsimple_lexize);
COMMENT ON TEXT SEARCH TEMPLATE tem IS 'a template';
SELECT line FROM pg_ts_template, public.define('pg_ts_template', oid) WHERE tmplname = 'tem';
CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = tem, ACCEPT = false, STOPWORDS = english);
COMMENT ON TEXT SEARCH DICTIONARY dict IS 'a dictionary';
SELECT line FROM public.define('pg_ts_dict', 'dict'::regdictionary);
CREATE TEXT SEARCH CONFIGURATION conf (PARSER = par);
COMMENT ON TEXT SEARCH CONFIGURATION conf IS 'a configuration';
ALTER TEXT SEARCH CONFIGURATION conf ADD MAPPING FOR word, asciiword WITH dict, simple;
ALTER TEXT SEARCH CONFIGURATION conf ADD MAPPING FOR email WITH simple;
SELECT line FROM public.define('pg_ts_config', 'conf'::regconfig);

-- ---- foreign ----

CREATE FUNCTION fdw_handler() RETURNS fdw_handler LANGUAGE internal AS 'fdw_handler_in';
CREATE FOREIGN DATA WRAPPER defs_fdw HANDLER fdw_handler OPTIONS (debug 'on', secret_key 'very secret');
ALTER FOREIGN DATA WRAPPER defs_fdw VALIDATOR postgresql_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER defs_fdw IS 'a wrapper';
GRANT USAGE ON FOREIGN DATA WRAPPER defs_fdw TO regress_dbvc_def_reader;
SELECT line FROM pg_foreign_data_wrapper, public.define('pg_foreign_data_wrapper', oid) WHERE fdwname = 'defs_fdw';
CREATE FOREIGN DATA WRAPPER defs_free;
CREATE SERVER "defs Server" TYPE 'a' VERSION '1' FOREIGN DATA WRAPPER defs_free OPTIONS (port '1', "API_Token" 'very secret', dbname 'a=b', passwd_file 'very secret', passcode 'very secret', apikey 'very secret', password_encryption 'md5');
COMMENT ON SERVER "defs Server" IS 'a server';
SELECT line FROM pg_foreign_server, public.define('pg_foreign_server', oid) WHERE srvname = 'defs Server';
CREATE USER MAPPING FOR PUBLIC SERVER "defs Server" OPTIONS ("user" 'very secret', password 'very secret');
CREATE USER MAPPING FOR "regress_dbvc_def ""Odd"" Rôle" SERVER "defs Server";
SELECT line FROM pg_user_mapping m, pg_foreign_server s, public.define('pg_user_mapping', m.oid) WHERE umserver = s.oid AND srvname = 'defs Server' ORDER BY umuser, n;

-- ---- default privileges ----

ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_def REVOKE ALL ON TABLES FROM regress_dbvc_def;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_def GRANT SELECT ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_def REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_def_reader GRANT USAGE ON SCHEMAS TO regress_dbvc_def;
ALTER DEFAULT PRIVILEGES FOR ROLE "regress_dbvc_def ""Odd"" Rôle" IN SCHEMA defs GRANT USAGE ON TYPES TO regress_dbvc_def_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_dbvc_def IN SCHEMA defs GRANT USAGE ON SEQUENCES TO regress_dbvc_def_reader WITH GRANT OPTION;
SELECT line FROM pg_default_acl, public.define('pg_default_acl', oid) WHERE defaclrole::regrole::text ~ 'regress_dbvc_def' ORDER BY defaclobjtype::text COLLATE "C", n;

-- ---- settings ----

ALTER ROLE regress_dbvc_def_reader SET work_mem = '5MB';
ALTER ROLE regress_dbvc_def_reader IN DATABASE contrib_regression SET search_path = defs, "$user";
ALTER ROLE regress_dbvc_def_reader IN DATABASE contrib_regression SET "defs.password" = 'very secret';
SELECT line FROM public.define('pg_db_role_setting', 'regress_dbvc_def_reader'::regrole);
SELECT line FROM public.define('pg_db_role_setting', 'regress_dbvc_def'::regrole);
ALTER DATABASE contrib_regression SET statement_timeout = '1h';
SELECT object_type, identity, body -> 'database' -> 'statement_timeout' FROM dbvc.definition_of('pg_db_role_setting'::regclass, 0);
ALTER DATABASE contrib_regression RESET statement_timeout;

-- ---- privileges on what is no object: only when they are not as they were at first ----

BEGIN;
SELECT count(line) FROM public.define('pg_proc', 'pg_ls_dir(text)'::regprocedure);
GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO regress_dbvc_def_reader;
SELECT regexp_replace(line, '"(?!regress)\w+=X/\w+"', '"owner=X/owner"') FROM public.define('pg_proc', 'pg_ls_dir(text)'::regprocedure);
REVOKE EXECUTE ON FUNCTION pg_ls_dir(text) FROM regress_dbvc_def_reader;
SELECT count(line) FROM public.define('pg_proc', 'pg_ls_dir(text)'::regprocedure);
-- columns, also those that initdb gives privileges on
GRANT SELECT (rolpassword, rolname) ON pg_authid TO PUBLIC;
REVOKE SELECT (subname) ON pg_subscription FROM PUBLIC;
SELECT object_type, identity, jsonb_path_query_array(body, '$.columns[*].name') FROM unnest(ARRAY['pg_authid', 'pg_subscription', 'pg_class']::regclass[]) c,
	dbvc.definition_of('pg_class'::regclass, c);
-- members of extensions
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
SELECT object_type, identity, body ? 'acl' FROM pg_language, dbvc.definition_of('pg_language'::regclass, oid) WHERE lanname = 'plpgsql';
-- but not dbvc's own
GRANT SELECT ON dbvc.change_event TO PUBLIC;
SELECT count(line) FROM public.define('pg_class', 'dbvc.change_event'::regclass);
-- what somebody else has put into its schema is no part of it
CREATE FUNCTION dbvc.guest() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT line FROM public.define('pg_proc', 'dbvc.guest()'::regprocedure);
ROLLBACK;

-- ---- security labels, of any provider ----

INSERT INTO pg_seclabel SELECT 'mood'::regtype, 'pg_type'::regclass, 0, p, p || ' label' FROM unnest(ARRAY['b provider', 'a']) p;
INSERT INTO pg_seclabel SELECT 'mood'::regtype, 'pg_type'::regclass, 1, 'c', 'of a part';
SELECT line FROM public.define('pg_type', 'mood'::regtype) WHERE line ~ 'label';
DELETE FROM pg_seclabel WHERE objoid = 'mood'::regtype;

-- ---- how types are spelled: as format_type() with nothing but pg_catalog in sight ----

CREATE TABLE public.spelled (type text);
SET search_path = pg_catalog;
INSERT INTO public.spelled
SELECT t || m FROM unnest(ARRAY['char', 'varchar', 'bit', 'varbit', 'bpchar']) t, unnest(ARRAY['(1)', '(17)', '(1000)']) m
UNION ALL SELECT 'numeric' || m FROM unnest(ARRAY['(1)', '(10)', '(10,2)', '(3,5)', '(3,-2)', '(1000,1000)', '(5,-1000)']) m
UNION ALL SELECT t || '(' || p || ')' || z FROM unnest(ARRAY['time', 'timestamp']) t, generate_series(0, 6) p, unnest(ARRAY['', ' with time zone']) z
UNION ALL SELECT 'interval ' || f FROM unnest(ARRAY['year', 'month', 'day', 'hour', 'minute', 'second', 'year to month', 'day to hour', 'day to minute',
	'day to second', 'hour to minute', 'hour to second', 'minute to second', '(0)', '(6)', 'second(3)', 'day to second(2)', 'minute to second(1)']) f
UNION ALL SELECT 'defs.base(5)'
UNION ALL SELECT oid::regtype::text FROM pg_type WHERE typtype <> 'p' AND typnamespace IN ('pg_catalog'::regnamespace, 'defs'::regnamespace);
INSERT INTO public.spelled SELECT type || '[]' FROM public.spelled WHERE type !~ '\[\]$|pg_node_tree|pg_ndistinct|pg_dependencies|pg_mcv_list|pg_brin|pg_ddl';
SET search_path = defs;
CREATE FUNCTION public.misspelled() RETURNS TABLE (asked text, expected text, got text) LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
	FOR asked IN SELECT type FROM public.spelled LOOP
		EXECUTE 'CREATE DOMAIN public.spelled_domain AS ' || asked;
		SELECT format_type(typbasetype, typtypmod), d.body ->> 'type' INTO expected, got
		FROM pg_type t, dbvc.definition_of('pg_type'::regclass, t.oid) d WHERE typname = 'spelled_domain';
		IF expected IS DISTINCT FROM got THEN
			RETURN NEXT;
		END IF;
		DROP DOMAIN public.spelled_domain;
	END LOOP;
END $$;
SELECT count(*) > 300 AS enough FROM public.spelled;
SELECT * FROM public.misspelled();

-- ---- hostile names ----

CREATE FUNCTION public.hostile(n int) RETURNS text LANGUAGE sql AS $$
	SELECT (ARRAY['a "quoted" name', E'new\nline', 'ünï ☃ 🐘', repeat('x', 63), 'select', '"', 'a.b', E'back\\slash ''q''', 'a,b(c)', ' '])[n]
$$;
SET check_function_bodies = off;
DO $$
DECLARE
	s text;
	n text;
	o text;
BEGIN
	FOR i IN 1 .. 10 LOOP
		s := public.hostile(i);
		n := public.hostile(11 - i);
		o := public.hostile((i + 3) % 10 + 1);
		EXECUTE format('CREATE SCHEMA %I', s);
		EXECUTE format('CREATE TYPE %1$I.%2$I AS ENUM (%3$L)', s, n, o);
		EXECUTE format('CREATE DOMAIN %1$I.%3$I AS %1$I.%2$I[] DEFAULT %4$L CONSTRAINT %2$I CHECK (VALUE IS NOT NULL)', s, n, o, '{}');
		EXECUTE format('CREATE FUNCTION %1$I.%2$I(%3$I %1$I.%2$I, %2$I %1$I.%3$I[] DEFAULT %4$L) RETURNS int LANGUAGE sql SET "a.b" = %3$L AS %2$L', s, n, o, '{}');
		EXECUTE format('CREATE OPERATOR %1$I.<#> (LEFTARG = %1$I.%2$I, RIGHTARG = %1$I.%3$I[], FUNCTION = %1$I.%2$I)', s, n, o);
		EXECUTE format('CREATE OPERATOR FAMILY %1$I.%2$I USING btree', s, n);
		EXECUTE format('CREATE OPERATOR CLASS %1$I.%3$I FOR TYPE int4 USING btree FAMILY %1$I.%2$I AS STORAGE int4', s, n, o);
		EXECUTE format('CREATE COLLATION %1$I.%2$I FROM "C"', s, n);
		EXECUTE format('CREATE CONVERSION %1$I.%2$I FOR ''LATIN1'' TO ''UTF8'' FROM iso8859_1_to_utf8', s, n);
		EXECUTE format('CREATE TEXT SEARCH DICTIONARY %1$I.%2$I (TEMPLATE = simple)', s, n);
		EXECUTE format('CREATE TEXT SEARCH CONFIGURATION %1$I.%2$I (COPY = simple)', s, n);
		EXECUTE format('CREATE TYPE %1$I.%2$I AS (%3$I int)', s, left(n, 60) || '_', o);
		EXECUTE format('CREATE TYPE %1$I.%2$I AS RANGE (SUBTYPE = text, MULTIRANGE_TYPE_NAME = %3$I)', s, left(n, 60) || '-', left(o, 60) || '-') ;
		EXECUTE format('CREATE TABLE %1$I.%3$I (%2$I int CONSTRAINT %3$I CHECK (%2$I > 0), CONSTRAINT %2$I UNIQUE (%2$I))', s, left(n, 60) || '+', left(o, 60) || '+');
		EXECUTE format('CREATE FOREIGN DATA WRAPPER %1$I', n);
		EXECUTE format('CREATE SERVER %1$I FOREIGN DATA WRAPPER %2$I', s, n);
		EXECUTE format('CREATE USER MAPPING FOR regress_dbvc_def SERVER %1$I', s);
		EXECUTE format('CREATE LANGUAGE %1$I HANDLER plpgsql_call_handler', n);
		EXECUTE format('CREATE TRANSFORM FOR %1$I.%2$I LANGUAGE %2$I (FROM SQL WITH FUNCTION defs.from_sql(internal))', s, n);
		EXECUTE format('CREATE EVENT TRIGGER %1$I ON sql_drop EXECUTE FUNCTION defs.event_fn()', n);
		EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE "regress_dbvc_def ""Odd"" Rôle" IN SCHEMA %1$I GRANT SELECT ON TABLES TO PUBLIC', s);
	END LOOP;
END $$;

-- ---- type and identity are those of pg_identify_object(), for every row of every catalog ----

CREATE TABLE public.object (class oid, object oid, type text, identity text, hash bytea, body jsonb);
DO $$
DECLARE
	catalog regclass;
BEGIN
	FOR catalog IN SELECT c.oid FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attname = 'oid'
		WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'
		AND relname !~ 'database|authid|auth_members|tablespace|largeobject|parameter_acl' ORDER BY 1
	LOOP
		EXECUTE format('INSERT INTO public.object SELECT %s, c.oid, d.* FROM %s c, dbvc.definition_of(%1$s, c.oid) d', catalog::oid, catalog);
	END LOOP;
END $$;
SELECT count(*) > 300 AS enough FROM public.object WHERE type IS NOT NULL;
SELECT class::regclass, o.type, o.identity, i.type, i.identity
FROM public.object o, pg_identify_object(class, object, 0) i
WHERE o.type <> 'privileges' AND (i.type, i.identity) IS DISTINCT FROM (o.type, o.identity)
ORDER BY 1, 2, 3;
-- nothing twice
SELECT type, identity, count(*) FROM public.object WHERE type IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1;

-- ---- the JSON is canonical: written again in SQL it has the same hash ----

CREATE FUNCTION public.canonical(j jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN CASE jsonb_typeof(j)
		WHEN 'object' THEN
			(SELECT '{' || coalesce(string_agg(public.canonical(to_jsonb(key)) || ':' || public.canonical(value), ',' ORDER BY key COLLATE "C"), '') || '}'
			FROM jsonb_each(j))
		WHEN 'array' THEN
			(SELECT '[' || coalesce(string_agg(public.canonical(value), ',' ORDER BY n), '') || ']'
			FROM jsonb_array_elements(j) WITH ORDINALITY e (value, n))
		ELSE j::text
	END;
END $$;
SELECT type, identity, public.canonical(body) FROM public.object
WHERE type IS NOT NULL AND sha256(convert_to(public.canonical(body), 'UTF8')) <> hash;
-- and has no member that says nothing
SELECT type, identity, key, value FROM public.object, jsonb_each(body)
WHERE value IN ('null', '{}', '""', 'false') AND key NOT IN ('deterministic', 'body');

-- ---- whoever asks, however his session is set ----

CREATE TABLE public.again AS SELECT class, object, type, hash FROM public.object WHERE type IS NOT NULL;
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = iso_8601;
SET TimeZone = 'Asia/Kathmandu';
SET extra_float_digits = -3;
SET bytea_output = escape;
SET quote_all_identifiers = on;
SET search_path = pg_catalog;
SELECT count(*) FROM public.again a, dbvc.definition_of(class, object) d WHERE d.hash <> a.hash;
SET search_path = public, defs, information_schema;
SELECT count(*) FROM public.again a, dbvc.definition_of(class, object) d WHERE d.hash <> a.hash;
SHOW DateStyle;
RESET ALL;

-- ---- what is no object ----

SELECT d.* FROM dbvc.definition_of(0, 0) d;
SELECT d.* FROM dbvc.definition_of('pg_class'::regclass, 0) d;
SELECT d.* FROM dbvc.definition_of('pg_attribute'::regclass, 1) d;
SELECT d.* FROM dbvc.definition_of('pg_proc'::regclass, 'lower(text)'::regprocedure) d;
SELECT count(*) FROM public.object o, pg_identify_object(class, object, 0) i WHERE o.type IS NOT NULL
	AND (i.schema IN ('pg_catalog', 'information_schema', 'pg_toast', 'dbvc') OR i.identity ~ '^"?dbvc');

-- clean up
RESET SESSION AUTHORIZATION;
SET client_min_messages = error;
DO $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT evtname FROM pg_event_trigger WHERE evtowner = 'regress_dbvc_def'::regrole LOOP
		EXECUTE format('DROP EVENT TRIGGER %I', name);
	END LOOP;
	FOREACH name IN ARRAY '{regress_dbvc_def,regress_dbvc_def_reader,"regress_dbvc_def \"Odd\" Rôle"}'::text[] LOOP
		EXECUTE format('DROP OWNED BY %I CASCADE', name);
		EXECUTE format('DROP ROLE %I', name);
	END LOOP;
END $$;
DROP EXTENSION dbvc;
