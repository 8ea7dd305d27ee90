-- Expressions and queries whose text might be another one after a dump and a restore: each in a check, a view, an index, a
-- policy, a function; defaults; views of every form; rules; what was renamed, dropped or added since.  For 15 and later.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
SELECT current_setting('server_version_num')::int >= 160000 AS at_least_16,
	current_setting('server_version_num')::int >= 170000 AS at_least_17,
	current_setting('server_version_num')::int >= 180000 AS at_least_18 \gset
create schema c;
create schema if not exists s2;
set search_path = c;
create domain dv as varchar(10); create domain dt as text check (value in ('a','b')); create domain di as int;
create domain dc as char(3);
create type mood as enum ('a','b','c');
create type comp as (x int, y text);
create domain da as varchar(3)[];
create table t(id int, v varchar(10), c char(3), d1 dv, d2 dt, d3 di, d4 dc, m mood, ma mood[], va varchar(5)[], ta text[], n numeric(10,2), f float4, g float8, mo money, ts timestamp(3), tz timestamptz, iv interval, dd date, ti time, tt timetz, by bytea, b bool, j json, jb jsonb, x xml, co comp, coa comp[], u uuid, i inet, bi bit(4), vb bit varying(6), na name, ch "char", r int4range, o oid, sm smallint, bg bigint, p point, tsv tsvector, tsq tsquery);
create table t2(id int, v varchar(10), a int, b int, dropme int, k text);
alter table t2 drop column dropme;
create table t3(id int, k text, z int);
create function fdef(a int default 1, b text default 'x', variadic c int[] default '{}') returns int language sql immutable as 'select 1';
create function fdef2(a int default 1, b text default 'x', c int[] default '{}') returns int language sql immutable as 'select 1';
create function ftext(text) returns int language sql immutable as 'select 1';
create function ftexta(text[]) returns int language sql immutable as 'select 1';
create function fvar(variadic text[]) returns int language sql immutable as 'select 1';
create function frow(t2) returns int language sql immutable as 'select 1';
create function fset(int) returns table(p int, q text) language sql immutable as $$select 1,'a'$$;
create function frec() returns record language sql immutable as $$select 1,'a'::text$$;
create function fout(out a int, out b text) language sql immutable as $$select 1,'a'::text$$;
create operator === (leftarg=int, rightarg=int, procedure=int4eq);
create table exprs(n int generated always as identity, e text);
insert into exprs(e) values
('v in (''a'',''b'')'), ('v not in (''a'',''b'')'), ('v = any (array[''a'',''b'']::varchar[])'), ('v = any (''{a,b}'')'), ('v = any (array[''a'',null])'),
('v in (''a'',null)'), ('v in (''a'')'), ('c in (''a'',''b'')'), ('c not in (''a'',v)'), ('v in (c, ''x'')'), ('d1 in (''a'',''b'')'), ('d1 = any (array[''a'',''b'']::dv[])'), ('d2 in (''a'',''b'')'), ('d2 not in (''a'',''b'')'), ('d3 in (1,2)'), ('d4 in (''a'',''bcd'')'),
('m in (''a'',''b'')'), ('m = any (array[''a'',''b'']::mood[])'), ('ma && array[''a'',''b'']::mood[]'), ('va && array[''a'',''b'']::varchar[]'), ('va && array[''a'',''b'']::varchar(3)[]'), ('va = array[''a'',v]'), ('ta = va::text[]'), ('ta && va::text[]'), ('ta @> array[v, c, ''x'']::text[]'), ('va::text[] @> array[v::text]'),
('array[v,c]::text[] = ta'), ('array[array[''a'',v]]::text[] = ta'), ('array[array[''a'',v],va]::text[] = ta'), ('(array[array[v],array[v]])::char(2)[] is not null'), ('array[]::text[] = ta'), ('array[]::varchar[]::text[] = ta'), ('array[null,null]::varchar[]::text[] = ta'), ('array[v]::varchar(3)[]::text[] = ta'), ('array[v]::da is null'),('array[v]::dv[]::text[] = ta'),
('ftexta(array[v,v]) = 1'), ('ftexta(array[''a''::varchar]) = 1'), ('fvar(v,v) = 1'), ('fvar(variadic array[v]) = 1'), ('fvar(variadic ta)=1'), ('ftext(v) = 1'), ('ftext(c) = 1'), ('ftext(d1)=1'), ('fdef() = 1'), ('fdef2(b => ''q'') = 1'), ('fdef(1, b => ''q'', variadic c => array[3]) = 1'), ('fdef(1,''x'',2,3) = 1'), ('fdef2(2) = 1'),
('id between 1 and 2'), ('id between 1 and 2 and id <> 3'), ('id not between 1 and 2'), ('id not between 1 and 2 or id = 3'), ('id = 1 and (id = 2 and id = 3)'), ('(id = 1 and id = 2) and (id = 3 and id = 4)'), ('id = 1 or (id = 2 or (id = 3 or id=4)) or id = 5'), ('id between symmetric 3 and 1 and b'), ('not (b and id = 1)'), ('not b'), ('b is not true and b is unknown'), ('(b and b) is true'),
('(id, v) < (1, ''a'')'), ('(id, v) = (1, ''a'')'), ('(id,v) <> (1,''a'')'), ('(id, v) in ((1,''a''),(2,''b''))'), ('(id,v) not in ((1,''a''),(2,''b''))'), ('row(id,v) is distinct from row(1,''a'')'), ('row(id) is null'), ('(t.*) is not null'), ('t is not null'), ('(id,v)::text = ''x'''), ('row(id,v)::comp = co'), ('co = row(1,''a'')'), ('(co).x = 1 and (co).y in (''a'',''b'')'), ('co = any (array[row(1,''a'')::comp])'), ('coa[1].x = 1'), ('co = ''(1,a)''::comp'), ('coa = ''{"(1,a)"}'''),
('id in (d3, 1)'), ('id in (1, bg, sm)'), ('n in (1, 2.5, 3)'), ('f in (1, 2.5)'), ('g in (1, 2.5)'), ('g = ''nan'' or g = ''infinity'' or g = -1.5e-300'), ('f = 1.1'), ('sm in (1,2)'), ('bg in (1,3000000000)'), ('n = -1 and id = -5 and id = - (5)'), ('id = -2147483648 and bg = -9223372036854775808'), ('mo > 5::money'), ('mo = ''$1,000.50'''), ('n::int = 4'), ('id::varchar(5) = v'), ('v::varchar(3) in (''a'',''b'')'), ('v::char(3) = c'), ('cast(v as char) = c'), ('n::numeric(5,1) = 1.5'), ('id::text || v = ''x'''), ('v || id = ''x'''), ('v || ''a'' || c || na = ''x'''),
('ts = ''2020-01-01 10:00:00.123456'''), ('ts::timestamp(0) = ''2020-01-01'''), ('tz > ''2020-01-01 10:00+02'''), ('tz = ''infinity'''), ('tz at time zone ''Europe/Berlin'' > ts'), ('ts at time zone interval ''2 hours'' > tz'), ('iv > interval ''1 year 2 mons 3 days 04:05:06.789'''), ('iv = interval ''5'' minute and iv = interval ''1 2'' day to hour and iv = interval(3) ''1.23456 s'''), ('iv::interval(2) = iv'), ('iv::interval year to month = iv'), ('dd > date ''2020-02-03'' and dd < ''4713-01-01 BC'''), ('ti = time ''10:00'' and tt = timetz ''10:00+02'''), ('ti::time(2) = ti'), ('extract(year from ts) = 2020 and date_part(''year'', ts) = 1'), ('extract(epoch from iv) > 1'), ('(ts, ts) overlaps (ts, iv)'), ('ts > current_timestamp and dd > current_date and ti < localtime(2) and tz > now()'), ('na = current_user or na = session_user or na = current_catalog or na = current_schema'),
('by = ''\xdeadbeef'' and length(by) = 3'), ('by = ''abc\\000''::bytea'), ('bi = b''1010'' and vb = B''11'' and bi = x''f'''), ('bi::bit(2) = b''10'''), ('bi = ''0101'''), ('na in (''a'',''b'')'), ('ch in (''a'',''b'')'), ('na = v'), ('u = ''00000000-0000-0000-0000-000000000000'''), ('i << inet ''10.0.0.0/8'''), ('r && int4range(1,5,''[]'') and r = ''[1,5)'''), ('o = ''c.t''::regclass'), ('o = ''pg_catalog.int4''::regtype'), ('o = ''pg_catalog."C"''::regcollation'), ('o in (''c.t''::regclass, ''c.t2''::regclass)'), ('o = any (array[''c.t'',''c.t2'']::regclass[])'), ('o = any (''{c.t,c.t2}''::regclass[])'), ('p <@ box ''((0,0),(1,1))'''), ('tsv @@ tsq and tsv @@ to_tsquery(''english'', ''a & b'')'), ('tsv @@ ''a & b''::tsquery'), ('o = ''=(int,int)''::regoperator'),
('v like ''a%'' and v not like ''%b'' and v ilike ''x'' and v similar to ''a|b'' and v ~ ''^x'' and v like ''a#%'' escape ''#'''), ('v collate "C" in (''a'',''b'')'), ('(v collate "C") < (''x'' collate "C")'), ('v = ''x'' collate "C"'), ('lower(v collate "C") = ''a'''), ('array[v collate "C", ''b'']::text[] = ta'), ('substring(v from 2 for 3) = ''x'' and substring(v from ''a'') = ''b'' and position(''a'' in v) = 1 and overlay(v placing ''x'' from 1) = ''y'' and trim(both ''x'' from v) = ''a'' and trim(v) = ''b'''), ('substring(v similar ''a#"b#"c'' escape ''#'') = ''x'''), ('normalize(v, NFC) = v and v is nfc normalized'),
('case when id = 1 then v else ''x'' end = ''a'''), ('case id when 1 then v when 2 then c end in (''a'',''b'')'), ('case v when ''a'' then 1 when ''b'' then 2 end = 1'), ('case c when ''a'' then true end'), ('coalesce(v, c, ''x'') = ''a'''), ('coalesce(n, 1, g) = 2'), ('nullif(v, ''x'') is null'), ('nullif(id, bg) = 1'), ('greatest(id, 1, n) > least(g, 2)'), ('id is distinct from 1 and v is not distinct from ''a'''), ('b = (id = 1)'), ('(id = 1) = (id = 2)'), ('(id === 1) and id operator(c.===) 2'), ('- id = + 5 and @ id = 3 and id % 3 = 2 and ~ id = 1'), ('id + 1 * 2 - 3 / 4 = (id + 1) * (2 - 3) / 4'), ('sm + 1 = 2::smallint and sm = 5'),
('ta[1] = ''a'' and ta[1:2] = array[''b''] and (ta || v)[1] = ''x'' and ta[id][2] is null and ta[:] = ta and ta[2:] = ta'), ('jb[''a''][''b''] = ''1'''), ('jb ->> ''a'' in (''a'',''b'') and jb @> ''{"a":1}'' and jb ? ''a'' and jb @? ''$.a'' and jb -> ''a'' -> 0 = ''1'''), ('j::text = ''{}'' and j #>> ''{a,b}'' = ''x'' and j #>> array[''a'',v] = ''x'''), ('x is document and xmlserialize(content x as text) = ''a'''), ('(xpath(''//a'', x))[1]::text = ''x'' and xmlexists(''//a'' passing by ref x)'), ('xmlelement(name foo, xmlattributes(v as bar, id), ''x'', c)::text = ''a'''), ('xmlforest(v, id as "Id")::text = xmlconcat(x, x)::text and xmlpi(name php, ''x'') is not null and xmlparse(document ''<a/>'') is document and xmlroot(x, version ''1.0'', standalone yes) is not null'),
('exists (select 1)'), ('v = any (array(select ''a''))'), ('id = 1.0 and id = 1.5::int'), ('true'), ('null'), ('false or b'), ('b and true'), ('(null::bool) is null'), ('''a'' = v'), ('v = e''a\\b\nc'''), ('v = ''it''''s'''), ('v = U&''\0041'''), ('id = 1::bigint'), ('bg = 1'), ('bg::int2 = 1'), ('b::int = 1 and b::text = ''t'''), ('id::bool and v::bool'), ('n::money = mo and id::oid = o'), ('v::name = na and c::text = v and c = v'), ('tableoid = 1::oid'), ('tableoid::regclass = ''t''::regclass'), ('v::xml is document'), ('dt(v) is null'), ('v::dt in (''a'')'), ('array_length(array[1,2,id],1) = 1'), ('id = any (array[1,bg])'), ('id = all (array[[1,2],[3,4]])'), ('id > some (array[1,2])'), ('v like any (array[''a%'',''b%''])'), ('c like any (array[''a%'',''b%''])'), ('d1 like any (array[''a%'',v])'), ('lower(v) = any (array[''a'',v])'), ('concat(v, c, id) = ''x'' and format(''%s'', v) = ''a'' and num_nulls(v, c) = 1'), ('nullif(array[v]::text[], ta) is null'), ('coalesce(va::text[], array[v]) = ta'), ('case when b then array[v]::text[] else ta end = ta'), ('array[v::text, c] = ta'), ('array[c]::varchar[] && va'), ('v in (''a''::char(1), ''b'')'), ('v in (''a''::text, ''b'')'), ('(v,c) in ((''a'',''b''),(''c'',''d''))'), ('to_char(ts, ''YYYY'') in (''a'') and make_interval(days => 3) = iv and make_interval(hours := id) < iv'), ('id in (select 1)'), ('v in (d1, d2)'),('d2 in (''a'',v)'), ('c = ''a''::char(3) and c in (''a''::char(2), ''b''::char(1))'), ('va in (array[''a'']::varchar[],array[''b'',v])'), ('ta in (array[''a''],va::text[])'), ('va::varchar(2)[] = array[''a'']::varchar[]'), ('m::text in (''a'',''b'')'), ('(m,v) = any (array[row(''a''::mood,''x''::varchar)])'), ('m > ''a'' and m between ''a'' and ''c''')
;
-- each as a check, a view, an index, a policy, a function
create function trg() returns trigger language plpgsql as 'begin return new; end';
DO $$
DECLARE
	r record;
	what text;
	failed text;
BEGIN
	FOR r IN SELECT * FROM exprs LOOP
		failed := NULL;
		FOREACH what IN ARRAY ARRAY['ALTER TABLE t ADD CONSTRAINT k%s CHECK (%s)', 'CREATE VIEW v%s AS SELECT id, %2$s AS e FROM t WHERE %2$s',
			'CREATE VIEW w%s AS SELECT id, (%s) AS e FROM t JOIN t3 USING (id) WHERE z IN (1, 2)', 'CREATE INDEX i%s ON t (id) WHERE %s',
			'CREATE INDEX x%s ON t ((%s))', 'CREATE POLICY p%s ON t USING (%s)',
			'CREATE FUNCTION f%s(t) RETURNS bool LANGUAGE sql BEGIN ATOMIC SELECT %s FROM t; END'] LOOP
			BEGIN
				EXECUTE format(what, r.n, r.e);
				failed := '';
			EXCEPTION WHEN OTHERS THEN
				failed := coalesce(failed, SQLERRM); -- not immutable, or ambiguous: somewhere else it will do
			END;
		END LOOP;
		IF failed <> '' THEN
			RAISE '%: %', r.e, failed;
		END IF;
	END LOOP;
END $$;
create trigger tg1 before update on t for each row when (old.* is distinct from new.* and new.v in ('a','b') and old is not null) execute function trg();
create trigger tg2 before insert on t for each row when (new.id between 1 and 2 and new.d1 in ('a','b')) execute function trg();
-- defaults
create table defs(a varchar(5) default 'abc', b varchar(5) default lower('X'), c char(4) default 'ab', d bigint default 1, e bigint default '1', f float8 default 1.5, g numeric(5,2) default 1, h text[] default '{a,b}', i text[] default array['a'::varchar,'b'], j varchar(3)[] default array['a','b'], k timestamptz default now(), l date default current_date, m mood default 'a', n dv default 'x', o dt default 'a', p comp default row(1,'a'), q interval default '1 day', r jsonb default '{}', s text default null, t varchar(4) default null, u int default -1, v uuid default gen_random_uuid(), w bytea default '\x00', x bool default true, y int default (1+2)*3, z oid default 'c.t'::regclass, aa text default current_user, bb text default 'a' || 'b' || 1, cc regclass default 't', dd timestamp(2) default '2020-01-01', ee timestamp default ('now'::text)::timestamp, ff serial, gg smallint default 5, hh real default 0.1, ii money default 5, jj int generated always as (u + 1) stored, kk text generated always as (a || b) stored, ll int4range default '[1,2]', mm varchar default 'a'::text, nn char default 'x', oo text default array_to_string(array['a'::varchar,'b']::text[], ','), pp "char" default 'a', qq xml default '<a/>', rr da default array['a'], ss bit(3) default b'101', tt bit varying default '1', uu time default '10:00', vv inet default '1.2.3.4/8', ww name default 'n');
create table s2.t2(x int, y int);
create or replace procedure c.mk(name text, opts text, q text) language plpgsql as $p$
declare cols text; e text; begin
 for n in 0..60 loop
  begin
   select '(' || string_agg('c' || i, ',') || ')' into cols from generate_series(1, n) i;
   execute format('create view c.%I %s %s as %s', name, coalesce(cols, ''), opts, q); return;
  exception when others then if e is null then e := sqlerrm; end if; end;
 end loop;
 raise '% % : %', name, q, e;
end $p$;

call c.mk('q1', '', $q$select * from t2 natural join t3$q$);
call c.mk('q2', '', $q$select * from t2 join t3 using (id, k)$q$);
call c.mk('q3', '', $q$select * from t2 x full join t3 y using (id) left join (select 1 as id, 2 as a) z using (id)$q$);
call c.mk('q4', '', $q$select x.*, y.k as kk from t2 as x, t3 as y$q$);
call c.mk('q5', '', $q$select t2.id, t3.id as id2 from t2, t3, t2 t2_1$q$);
call c.mk('q6', '', $q$select a.* from t2 a(p,q), s2.t2 b$q$);
call c.mk('q7', '', $q$select * from t2 a(p,q)$q$);
create view q8(aa, bb) as select id, v from t2 union select id, k from t3 union all (select 1, 'x' intersect select 2, 'y') order by 1, 2 limit 5 offset 2;
call c.mk('q9', '', $q$(select 'x' union select 'y') except select v from t2$q$);
call c.mk('q10', '', $q$select 'x', 1, null, now(), (select 'q'), (select max(id) from t2), array(select v from t2), exists (select 'x', 2 from t3), 5 in (select z+1 from t3), row(1,2)::comp$q$);
call c.mk('q11', '', $q$with recursive r(n, p) as (select 1, 'a'::text union all select n+1, p || 'b' from r where n < 10) search depth first by n set o cycle n set cy using pa select n, p, cy from r$q$);
call c.mk('q12', '', $q$with a as materialized (select * from t2), b as not materialized (select id as i from a), c(x) as (values (1),(2)) select a.*, b.*, c.x from a, b, c where c.x in (select i from b)$q$);
call c.mk('q13', '', $q$select v, count(*) filter (where a > 1), sum(distinct b), string_agg(v, ',' order by id desc nulls last), percentile_cont(0.5) within group (order by a), grouping(v), array_agg(t2) from t2 group by rollup (v), a having count(*) > 1$q$);
call c.mk('q14', '', $q$select v, a, sum(b) from t2 group by grouping sets ((v), (a, v), ()), cube (a, b)$q$);
call c.mk('q15', '', $q$select id, row_number() over w, sum(a) over (w2 rows between unbounded preceding and 1 following exclude ties), lag(v, 1, 'x') over (partition by v order by id desc), first_value(a) over (order by id groups between 1 preceding and current row) from t2 window w as (partition by v order by a), w2 as (partition by b order by a)$q$);
call c.mk('q16', '', $q$select distinct on (v) v, a from t2 order by v, a desc nulls last$q$);
call c.mk('q17', '', $q$select * from t2, lateral (select * from t3 where t3.id = t2.id) l, lateral generate_series(1, t2.a) g, generate_series(1,2) with ordinality as h(i, j), rows from (generate_series(1,2), fset(3) ) as q(a1, a2, a3), unnest(array[1,2], array['a','b']) u(x, y)$q$);
call c.mk('q18', '', $q$select * from frec() as (a int, b text), fset(1) f, fout(), jsonb_to_recordset('[]') as jr(a int, b text), json_each('{}')$q$);
call c.mk('q19', '', $q$select t2, t2.*, (t2).id as ii, frow(t2), frow(t2.*), row(t2.*)::text, count(t2.*) over () from t2$q$);
call c.mk('q20', '', $q$select co.x, (co).y, (t.coa[1]).x xx, (row(1,2)).f1, (fout()).b, (fset(1)).* from (select * from t) t, lateral (select (t.co).*) co$q$);
call c.mk('q21', '', $q$values (1, 'a'), (2, 'b')$q$);
call c.mk('q22', '', $q$select * from (values (1, 'a'::varchar), (2, 'b')) v(x, y) where y in ('a','b')$q$);
call c.mk('q23', '', $q$select * from t2 tablesample system (5) repeatable (3)$q$);
call c.mk('q24', '', $q$select * from only t2 for update of t2 skip locked$q$);
call c.mk('q25', '', $q$select id as "Id", v as "select", a as "a b" from t2 order by "Id" using <, "a b" fetch first 3 rows with ties$q$);
call c.mk('q26', '', $q$select case when exists (select 1 from t3 where t3.id = t2.id) then 'a' else v end x, not exists (select from t3) y from t2 where (id, a) in (select id, z from t3) and id > all (select z from t3) and (a, b) = (select 1, 2) and id <> all (array[1,2]) and v not in (select k from t3)$q$);
call c.mk('q27', '', $q$select * from (t2 join t3 on t2.id = t3.id) as j$q$);
call c.mk('q28', '', $q$select j.* from (t2 join t3 using (id)) as j(p1, p2, p3, p4, p5, p6, p7)$q$);
call c.mk('q29', '', $q$select * from t2 join t3 using (id) as ju where ju.id = 1$q$);
call c.mk('q30', '', $q$select * from t2 left join t3 on true cross join t2 x right join t3 y on y.id = x.id and (y.z = 1 and x.a = 2)$q$);
call c.mk('q31', '', $q$select * from t2 natural left join (select 1 as zz) q$q$);
call c.mk('q32', '', $q$select x.v, y.v as w from t2 x left join lateral (select v from t2 where id = x.id limit 1) y on true$q$);
call c.mk('q33', '', $q$select a from (select id as a, v from t2) as s(b, c), (select 1 as a) as u$q$);
call c.mk('q34', '', $q$select * from xmltable('/r' passing '<r/>' columns id int path '@id' not null, o for ordinality, v text default 'x')$q$);
call c.mk('q35', '', $q$select * from xmltable(xmlnamespaces('http://x' as x), '/x:r' passing ('<r/>'::xml) columns "A b" text)$q$);
call c.mk('q36', '', $q$select count(*), count(distinct (id, v)), sum(a order by b), min(v collate "C") from t2$q$);
call c.mk('q37', '', $q$select (select v from t2 x where x.id = y.id) from t2 y group by y.id$q$);
call c.mk('q38', '', $q$select distinct v, lower(v) from t2 order by 2, lower(v)$q$);
call c.mk('q39', 'with (security_barrier, security_invoker=true, check_option=local)', $q$select * from t2 where id in (1,2)$q$);
call c.mk('q40', '', $q$select * from t2 where id = 1 with cascaded check option$q$);
call c.mk('q41', '', $q$select current_setting('x'), user, localtimestamp(3), '1 day'::interval * 2, interval '1' month, date '2020-01-01' + 1, timestamp with time zone '2020-01-01 00:00' at time zone 'utc' as tz, U&'d\0061t\+000061' u, $x$dollar$x$, 1e10, .5, -(-1), - 1, +1, (1), 'x'::char(3), 'abcdef'::varchar(3), 'a'::"char", 1::bit(3), b'1'::varbit, '{1,2}'::int[], '[0:1]={1,2}'::int[], '{{a,b},{c,d}}'::text[], 12345678901234567890, 1.0::float4, 'nan'::numeric$q$);
call c.mk('q42', '', $q$select id, sum(a) from t2 group by 1 order by 2$q$);
call c.mk('q43', '', $q$select id + 1, id + 1 as "id + 1" from t2 group by id + 1$q$);
call c.mk('q44', '', $q$(select id from t2 order by v limit 1) union all (select id from t3 limit 2) order by id$q$);
call c.mk('q45', '', $q$select * from (select id, v from t2 union all select id, k from t3) u where v = any (array['a','b'])$q$);
call c.mk('q46', '', $q$with x as (select 1 as a), y as (with z as (select * from x) select * from z) select * from y, (with w as (select 2 as b) select * from w) q$q$);
call c.mk('q47', '', $q$select id from t2 t where exists (select 1 from t3 where t3.id = t.id and exists (select 2 from t2 where t2.id = t3.id and t.v = k))$q$);
call c.mk('q48', '', $q$select t3.k from t2 t3 join t3 t2 on t2.id = t3.id$q$);
call c.mk('q49', '', $q$select t2.ctid, t2.tableoid::regclass, t2.xmin from t2$q$);
call c.mk('q50', '', $q$select unnest(array[1,2]) as u, generate_series(1,3)$q$);
call c.mk('q51', '', $q$select * from pg_catalog.pg_class c, pg_catalog.pg_index i, pg_catalog.pg_proc pg_index where i.indrelid = c.oid$q$);
call c.mk('q52', '', $q$select nullif(a, 1), coalesce(v, 'x'), greatest(a, b), a::text, v::varchar(3), (a)::numeric(10,2), cast(a as float), a is null as n, not (a = 1) from t2$q$);
call c.mk('q53', '', $q$select sum(a) over (partition by v), sum(b) over (partition by v order by a range between 1 preceding and current row) from (select 1 as a, 2 as b, 'x'::text as v) s where false$q$);
call c.mk('q53b', '', $q$select sum(a) over (partition by v), max(b) over () from t2$q$);
call c.mk('q54', '', $q$select count(*) as "?column?", 1 as "f""oo" from t2$q$);
call c.mk('q55', '', $q$select jsonb_agg(x.*), to_jsonb(x), x.id from (select id, v from t2) x group by x.*, x.id$q$);
create materialized view mq1 with (fillfactor=50) as select id, v in ('a','b') as e from t2 with no data;
create unique index on mq1 (id);
create table base(id int, oldname text, extra int);
create view r1 as select * from base;
create view r2 as select b.oldname, base.id from base b join base using (id);
create view r3 as select id, base.extra, x.oldname as o from base join base x using (id, oldname) left join base y using (id);
create view r4 as select id, r1.extra from r1 join base using (id, oldname);
alter table base rename to base2; alter table base2 rename oldname to newname; alter table base2 add column more int; alter table base2 rename id to id2;
alter view r1 rename column extra to extra2;
create view r5 as select * from base2; alter table base2 add later int; create table dead(a int, b int, cc int); alter table dead drop column b; create view r6 as select * from dead; create view r7 as select d.*, e.cc as c2 from dead d join dead e using (a); alter table dead add b int;
create view r8 as select dead from dead; create view r9 as select * from dead d(q);
create table ru(id int, v varchar(10), w text);
create rule a as on insert to ru where new.v in ('a','b') do instead insert into t2(id, v) values (new.id, new.v), (new.id+1, 'x') ;
create rule a0 as on delete to ru do instead delete from t3 where id = old.id returning id, k::varchar(10), 'x'::text;
create rule b as on update to ru do also (update t3 set z = new.id, k = old.v from t2 where t2.id = old.id and t3.id = t2.id; delete from t3 using t2 where t3.id = old.id and t2.id = new.id; insert into t3 select id, v from t2 where id = old.id; notify xx, 'payload');
create rule c as on delete to ru where old.id between 1 and 2 and old.w is not null do instead nothing;
create rule d as on insert to ru do also insert into t3 (id, k) select new.id, q.v from t2 q where q.v = new.v and exists (select 1 from t3 where t3.id = new.id);
create rule e as on update to ru where old.* is distinct from new.* do also select 1;
create rule f as on insert to ru do also insert into t3(id) select new.id on conflict do nothing;
create rule g as on insert to ru do also insert into t3 values (new.id, default, 3);
create rule h as on update to ru do also update t2 set (a, b) = (select id, z from t3 where t3.id = new.id), v = default;
create function atom(a int, b text) returns setof text language sql begin atomic insert into c.t3(id) values (a); update c.t2 set v = b where v in ('a','b') returning id; select v from c.t2 where id = $1 and v in ('q','r'); end;
create function ret(a varchar) returns bool language sql return a in ('a','b') and a between 'x' and 'y' and true;
create function fdefs(a varchar = 'x', b bool = 'a'::varchar in ('a','b'), c text[] = array['a'::varchar]::text[], d dv default 'x') returns int language sql return 1;
create statistics st on (lower(v)), (v in ('a','b')) from t2;
create table pt(a int, v varchar(5), d date) partition by list (lower(v));
create table pt1 partition of pt for values in ('a', null, 'b'); create table ptd partition of pt default partition by range (d, (a+1)); create table ptd1 partition of ptd for values from ('2020-01-01', minvalue) to (maxvalue, maxvalue);
create table ph(a int, v varchar(5)) partition by hash (a, v); create table ph1 partition of ph for values with (modulus 3, remainder 1);
create publication pub for table t2 where (id in (1,2) and id between 1 and 2 and a > 1), t3 (id, k);

-- ---- newer versions ----
\if :at_least_16
call c.mk('n16', '', $q$select json_object('a': 1, 'b': v absent on null returning jsonb), json_array(1, v null on null), json_array(select id from t2), json_objectagg(v: id), json_arrayagg(id order by id absent on null), v is json as p, v is json object with unique keys as q, 0x1f as hx, 1_000 as th, any_value(v) from t2 group by v$q$);
\endif
\if :at_least_17
call c.mk('n17', '', $q$select json_value(jb, '$.a' returning int default 1 on empty error on error), json_query(jb, '$.a' omit quotes), json_query(jb, '$.a' with wrapper), json_exists(jb, '$.a' passing id as x true on error), json('{}'), json_scalar(v), json_serialize(j returning text) from t$q$);
create view n17t as select jt.* from t, json_table(jb, '$[*]' as root passing id as x columns (n for ordinality, a int path '$.a' default 1 on empty, nested path '$.c[*]' as sub columns (d text path '$.d', ok boolean exists path '$.e'))) jt where v in ('a', 'b');
\endif
\if :at_least_18
create table n18(a int, b varchar(5), c text generated always as (b || 'x') virtual, d bool generated always as (b in ('a', 'b') and a between 1 and 2) virtual, constraint ne check (a > 0) not enforced);
create table n18p(id int4range, during daterange, x varchar(5), primary key (id, during without overlaps));
create table n18f(id int4range, during daterange, foreign key (id, period during) references n18p (id, period during));
create rule n18r as on update to n18 do also update t3 set z = new.a where t3.id = old.a;
\endif
