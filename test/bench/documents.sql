-- What test/bench/documents.sh measures with: the documents, the variants, and the loop that times statements.
-- Sets of documents are in bench.small, .medium and .large; each variant has a schema with a table or view "users".

CREATE SCHEMA bench;
SELECT setseed(0.42) \g /dev/null

-- ---- documents ----

-- 3000 sentences: a document of 100 items compresses to 70 %
CREATE TABLE bench.prose AS
WITH word AS MATERIALIZED (
  SELECT array_agg(w) AS w FROM (
    SELECT string_agg(substr('bcdfghklmnprstvw', 1 + (random() * 15)::int, 1) || substr('aeiouaeio', 1 + (random() * 8)::int, 1), '')
      || substr('nrstl', 1 + (random() * 9)::int, 1) AS w
    FROM generate_series(1, 20000) i, generate_series(1, 1 + i % 4) j GROUP BY i ORDER BY i) words)
SELECT array_agg(s) AS sentence FROM (
  SELECT string_agg(word.w[1 + (random() * 19999)::int], ' ') || '. ' AS s
  FROM word, generate_series(1, 3000) i, generate_series(1, 8 + i % 12) j GROUP BY i ORDER BY i) sentences;

CREATE TABLE bench.part (type text COLLATE "C", key text COLLATE "C");
INSERT INTO bench.part VALUES ('dream', 'dreamBook'), ('weekly_goal', 'weeklyGoals'), ('score', 'scores'),
  ('connect', 'connects'), ('journal_entry', 'journal'), ('habit', 'habits');

-- bench.make(NAME, DOCUMENTS, ITEMS, LENGTH): a set of documents as text that is not compressed, each also with one
-- item changed, and with that and a field of the profile changed; and the same split already, for the physical limit
CREATE PROCEDURE bench.make(name text, documents int, items int, length int) LANGUAGE plpgsql AS $$
DECLARE
  s text[] := (SELECT sentence FROM bench.prose);
  arrays jsonb[];
  item jsonb;
  said text;
  document jsonb;
BEGIN
  EXECUTE format('CREATE TABLE bench.%1$I (n int PRIMARY KEY, doc text, doc_item text, doc_profile text,
    whole jsonb, slim jsonb, slim_profile jsonb);
    ALTER TABLE bench.%1$I ALTER doc SET STORAGE EXTERNAL, ALTER doc_item SET STORAGE EXTERNAL, ALTER doc_profile SET STORAGE EXTERNAL;
    CREATE TABLE bench.%2$I (n int, type text COLLATE "C", item_id text COLLATE "C", ord bigint, data jsonb, changed jsonb)',
    name, name || '_item');
  FOR n IN 1 .. documents LOOP
    arrays := array_fill('[]'::jsonb, ARRAY[6]);
    FOR k IN 1 .. items LOOP
      said := '';
      WHILE octet_length(said) < length LOOP said := said || s[1 + (random() * 2999)::int]; END LOOP;
      said := left(said, length - (random() * length / 8)::int);
      item := jsonb_build_object('id', substr(md5(random()::text), 1, 12), 'title', left(s[1 + (random() * 2999)::int], 32), 'text', said);
      item := item || CASE k % 6
        WHEN 0 THEN jsonb_build_object('category', 'travel', 'priority', k % 5, 'createdAt', '2024-03-01T10:00:00Z'::timestamptz + n * '1 minute'::interval,
          'done', k % 3 = 0, 'tags', jsonb_build_array('sea', 'far'))
        WHEN 1 THEN jsonb_build_object('week', n % 52, 'target', 10, 'progress', (random() * 100)::numeric(5, 2), 'done', false,
          'createdAt', '2024-03-02T10:00:00Z', 'updatedAt', '2024-03-09T21:15:00Z')
        WHEN 2 THEN jsonb_build_object('value', (random() * 1000)::int, 'max', 1000, 'date', '2024-04-01')
        WHEN 3 THEN jsonb_build_object('email', substr(md5(random()::text), 1, 9) || '@example.org', 'since', 2000 + k % 24, 'strength', k % 7, 'notes', NULL)
        WHEN 4 THEN jsonb_build_object('mood', k % 10, 'weather', 'rain', 'createdAt', '2024-05-01T22:00:00Z', 'words', length, 'public', true)
        ELSE jsonb_build_object('streak', k % 40, 'best', 40, 'days', jsonb_build_array(1, 3, 5), 'createdAt', '2024-01-01T06:00:00Z') END;
      arrays[1 + k % 6] := arrays[1 + k % 6] || jsonb_build_array(item);
    END LOOP;
    document := jsonb_build_object('name', 'user ' || n, 'profile', jsonb_build_object('email', 'user' || n || '@example.org', 'locale', 'en',
        'bio', left(s[1 + (random() * 2999)::int] || s[1 + (random() * 2999)::int], 120), 'settings', jsonb_build_object('theme', 'dark', 'mail', true, 'size', 14)),
      'createdAt', '2023-01-01T00:00:00Z', 'plan', 'free', 'logins', (random() * 1000)::int)
      || (SELECT jsonb_object_agg(key, arrays[o]) FROM (SELECT key, row_number() OVER () AS o FROM bench.part) p);
    EXECUTE format('INSERT INTO bench.%I (n, whole) VALUES ($1, $2)', name) USING n, document;
  END LOOP;
  EXECUTE format('INSERT INTO bench.%2$I SELECT d.n, p.type, e.value ->> ''id'', e.ordinality * 4294967296, e.value,
      CASE WHEN p.key = ''weeklyGoals'' AND e.ordinality = (jsonb_array_length(d.whole -> p.key) + 1) / 2
        THEN e.value || ''{"title": "it has been changed", "progress": 99.5}'' END
    FROM bench.%1$I d, bench.part p, jsonb_array_elements(d.whole -> p.key) WITH ORDINALITY e ORDER BY 1, 2, 4;
    CREATE INDEX ON bench.%2$I (n);
    CREATE TABLE bench.%3$I AS SELECT n, type, item_id, changed AS data FROM bench.%2$I WHERE changed IS NOT NULL;
    CREATE INDEX ON bench.%3$I (n);
    UPDATE bench.%1$I SET doc = whole,
      doc_item = jsonb_set(whole, ARRAY[''weeklyGoals'', ((jsonb_array_length(whole -> ''weeklyGoals'') - 1) / 2)::text],
        (SELECT data FROM bench.%3$I c WHERE c.n = %1$I.n)),
      slim = whole || (SELECT jsonb_object_agg(key, ''[]''::jsonb) FROM bench.part);
    UPDATE bench.%1$I SET doc_profile = jsonb_set(doc_item::jsonb, ''{profile,bio}'', ''"another one"''),
      slim_profile = jsonb_set(slim, ''{profile,bio}'', ''"another one"'')', name, name || '_item', name || '_changed');
END $$;

-- ---- variants ----

CREATE FUNCTION bench.create_items(schema text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE %1$I.users_items (id bigint NOT NULL, type text COLLATE "C" NOT NULL, item_id text COLLATE "C" NOT NULL,
      ord bigint NOT NULL, data jsonb NOT NULL, version bigint NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz, CONSTRAINT users_items_pkey PRIMARY KEY (id, type, item_id));
    CREATE INDEX users_items_type_idx ON %1$I.users_items (type, id, ord)', schema);
END $$;

-- whole documents, as it was; users of the bench choose by schema
CREATE SCHEMA pglz;
CREATE TABLE pglz.users (id bigint PRIMARY KEY, data jsonb);
CREATE SCHEMA lz4;
CREATE TABLE lz4.users (id bigint PRIMARY KEY, data jsonb COMPRESSION lz4);

-- the usual trigger
CREATE SCHEMA plpgsql;
CREATE TABLE plpgsql.users (id bigint PRIMARY KEY, data jsonb);
SELECT bench.create_items('plpgsql') \g /dev/null
CREATE FUNCTION plpgsql.split() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE p record;
BEGIN
  FOR p IN SELECT * FROM (VALUES ('dream', 'dreamBook'), ('weekly_goal', 'weeklyGoals'), ('score', 'scores'),
      ('connect', 'connects'), ('journal_entry', 'journal'), ('habit', 'habits')) v (type, key) LOOP
    INSERT INTO plpgsql.users_items AS i (id, type, item_id, ord, data)
      SELECT NEW.id, p.type, e.value ->> 'id', e.ordinality * 4294967296, e.value
      FROM jsonb_array_elements(NEW.data -> p.key) WITH ORDINALITY e
      ON CONFLICT (id, type, item_id) DO UPDATE
        SET ord = EXCLUDED.ord, data = EXCLUDED.data, version = i.version + 1, updated_at = now();
    DELETE FROM plpgsql.users_items i WHERE i.id = NEW.id AND i.type = p.type
      AND i.item_id NOT IN (SELECT e.value ->> 'id' FROM jsonb_array_elements(NEW.data -> p.key) e);
    NEW.data := jsonb_set(NEW.data, ARRAY[p.key], '[]');
  END LOOP;
  RETURN NEW;
END $$;
CREATE TRIGGER split BEFORE INSERT OR UPDATE ON plpgsql.users FOR EACH ROW EXECUTE FUNCTION plpgsql.split();

-- the best one: a single statement that writes what differs, planned once
CREATE SCHEMA sql;
CREATE TABLE sql.users (id bigint PRIMARY KEY, data jsonb);
SELECT bench.create_items('sql') \g /dev/null
CREATE FUNCTION sql.split() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  WITH diff AS MATERIALIZED (
    SELECT coalesce(n.type, o.type) AS type, coalesce(n.item_id, o.item_id) AS item_id, n.ord, n.data,
      CASE WHEN o.type IS NULL THEN 'i' WHEN n.type IS NULL THEN 'd' ELSE 'u' END AS what
    FROM (SELECT v.type, e.value ->> 'id' AS item_id, e.ordinality * 4294967296 AS ord, e.value AS data
        FROM (VALUES ('dream', 'dreamBook'), ('weekly_goal', 'weeklyGoals'), ('score', 'scores'),
          ('connect', 'connects'), ('journal_entry', 'journal'), ('habit', 'habits')) v (type, key),
          jsonb_array_elements(NEW.data -> v.key) WITH ORDINALITY e) n
      FULL JOIN (SELECT type, item_id, ord, data FROM sql.users_items WHERE id = NEW.id) o USING (type, item_id)
    WHERE n.type IS NULL OR o.type IS NULL OR n.ord <> o.ord OR n.data <> o.data),
  removed AS (
    DELETE FROM sql.users_items i USING diff d
    WHERE d.what = 'd' AND i.id = NEW.id AND i.type = d.type AND i.item_id = d.item_id),
  updated AS (
    UPDATE sql.users_items i SET ord = d.ord, data = d.data, version = i.version + 1, updated_at = now() FROM diff d
    WHERE d.what = 'u' AND i.id = NEW.id AND i.type = d.type AND i.item_id = d.item_id)
  INSERT INTO sql.users_items (id, type, item_id, ord, data)
    SELECT NEW.id, type, item_id, ord, data FROM diff WHERE what = 'i';
  NEW.data := NEW.data || '{"dreamBook": [], "weeklyGoals": [], "scores": [], "connects": [], "journal": [], "habits": []}';
  RETURN NEW;
END $$;
CREATE TRIGGER split BEFORE INSERT OR UPDATE ON sql.users FOR EACH ROW EXECUTE FUNCTION sql.split();

-- the physical limit: the same tables, written with what is split already; and without the foreign key
CREATE SCHEMA "limit";
CREATE TABLE "limit".users_base (id bigint PRIMARY KEY, data jsonb, doc_version bigint NOT NULL DEFAULT 0);
SELECT bench.create_items('limit') \g /dev/null
ALTER TABLE "limit".users_items ADD CONSTRAINT users_items_base_fkey FOREIGN KEY (id)
  REFERENCES "limit".users_base (id) ON UPDATE CASCADE ON DELETE CASCADE;
CREATE SCHEMA nofkey;
CREATE TABLE nofkey.users_base (id bigint PRIMARY KEY, data jsonb, doc_version bigint NOT NULL DEFAULT 0);
SELECT bench.create_items('nofkey') \g /dev/null

-- dbvc's, to be adopted
CREATE SCHEMA adopted;
CREATE TABLE adopted.users (id bigint PRIMARY KEY, data jsonb);

CREATE FUNCTION bench.split_base(variant text) RETURNS regclass LANGUAGE sql AS $$
  SELECT coalesce(to_regclass(format('%I.users_base', variant)), to_regclass(format('%I.users', variant))) $$;

-- Every variant back to the same rows: DOCUMENTS of a set, ids 1 and up. Nothing is checked or split here.
CREATE PROCEDURE bench.reset(variants text[], size text, documents int) LANGUAGE plpgsql AS $$
DECLARE
  v text;
  source text := format('SELECT count(*)::int AS of, (%s - 1) / count(*)::int AS again FROM bench.%I', documents, size);
BEGIN
  SET LOCAL session_replication_role = replica;
  FOREACH v IN ARRAY variants LOOP
    IF to_regclass(format('%I.users_items', v)) IS NULL THEN
      EXECUTE format('TRUNCATE %1$I.users; INSERT INTO %1$I.users SELECT k * of + n, whole
        FROM (%4$s) s, generate_series(0, again) k, bench.%2$I d WHERE k * of + n <= %3$s', v, size, documents, source);
    ELSE
      EXECUTE format('TRUNCATE %2$s, %1$I.users_items;
        INSERT INTO %1$I.users_items (id, type, item_id, ord, data) SELECT k * of + n, type, item_id, ord, data
          FROM (%5$s) s, generate_series(0, again) k, bench.%6$I i WHERE k * of + n <= %3$s;
        INSERT INTO %2$s SELECT k * of + n, slim%4$s FROM (%5$s) s, generate_series(0, again) k, bench.%7$I d WHERE k * of + n <= %3$s',
        v, bench.split_base(v), documents, CASE WHEN to_regclass(format('%I.users_base', v)) IS NOT NULL THEN ', 1' END, source, size || '_item', size);
    END IF;
  END LOOP;
END $$;

-- Documents that have not been split yet, ids 1000001 and up
CREATE PROCEDURE bench.load_whole(variants text[], documents int) LANGUAGE plpgsql AS $$
DECLARE
  v text;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOREACH v IN ARRAY variants LOOP
    EXECUTE format('INSERT INTO %s (id, data) SELECT 1000000 + n, whole FROM bench.small WHERE n <= %s ORDER BY n', bench.split_base(v), documents);
  END LOOP;
END $$;

-- ---- what is measured ----

-- How each variant reads the whole document of users with ids that match WHERE
CREATE FUNCTION bench.read_of(variant text, condition text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE variant
    WHEN 'sql' THEN bench.read_of('subselects', condition)
    WHEN 'subselects' THEN format('SELECT u.data || jsonb_build_object(%s) AS data FROM sql.users u WHERE %s',
      (SELECT string_agg(format('%L, (SELECT coalesce(jsonb_agg(i.data ORDER BY i.ord), ''[]'') FROM sql.users_items i
        WHERE i.id = u.id AND i.type = %L)', key, type), ', ') FROM bench.part), condition)
    WHEN 'objagg' THEN format('SELECT u.data || coalesce((SELECT jsonb_object_agg(p.key, p.items) FROM (
      SELECT v.key, jsonb_agg(i.data ORDER BY i.ord) AS items FROM sql.users_items i JOIN (VALUES %s) v (type, key) USING (type)
      WHERE i.id = u.id GROUP BY v.key) p), ''{}'') AS data FROM sql.users u WHERE %s',
      (SELECT string_agg(format('(%L COLLATE "C", %L)', type, key), ', ') FROM bench.part), condition)
    -- prints each item and builds nothing
    WHEN 'limit' THEN format('SELECT i.data FROM "limit".users_items i WHERE %s', replace(condition, 'u.id', 'i.id'))
    ELSE format('SELECT u.data FROM %I.users u WHERE %s', variant, condition) END;
END $$;

CREATE FUNCTION bench.statement(what text, variant text, size text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  split boolean := variant IN ('limit', 'nofkey');
  doc text := CASE what WHEN 'first' THEN 'doc' WHEN 'item' THEN 'doc_item' ELSE 'doc_profile' END;
  slim text := CASE what WHEN 'first' THEN 'slim' WHEN 'item' THEN 'slim' ELSE 'slim_profile' END;
  range text := 'd.n > 10000 AND d.n <= 20000';
BEGIN
  CASE
    WHEN what = 'read' THEN RETURN format('PERFORM sum(octet_length(r.data::text)) FROM (%s) r;', bench.read_of(variant, 'u.id = v_id'));
    WHEN what = 'read all' THEN RETURN format('PERFORM sum(octet_length(r.data::text)) FROM (%s) r;', bench.read_of(variant, 'u.id <= 10000'));
    WHEN what = 'first' AND split THEN
      RETURN format('INSERT INTO %1$I.users_base SELECT v_id, d.slim, 1 FROM bench.%2$I d WHERE d.n = v_n AND d.doc::jsonb IS NOT NULL;
        INSERT INTO %1$I.users_items (id, type, item_id, ord, data) SELECT v_id, i.type, i.item_id, i.ord, i.data FROM bench.%3$I i WHERE i.n = v_n;',
        variant, size, size || '_item');
    WHEN what = 'first' THEN
      RETURN format('INSERT INTO %I.users SELECT v_id, d.doc::jsonb FROM bench.%I d WHERE d.n = v_n;', variant, size);
    WHEN what IN ('item', 'profile', 'same') AND split THEN
      RETURN CASE what WHEN 'item' THEN format('UPDATE %1$I.users_items i SET data = c.data, version = version + 1, updated_at = now() FROM bench.%2$I c
          WHERE c.n = v_n AND i.id = v_id AND i.type = c.type AND i.item_id = c.item_id;', variant, size || '_changed') ELSE '' END
        || format('UPDATE %1$I.users_base SET doc_version = doc_version + 1,
            data = (SELECT d.%2$I FROM bench.%3$I d WHERE d.n = v_n AND d.%4$I::jsonb IS NOT NULL) WHERE id = v_id;', variant, slim, size, doc);
    WHEN what IN ('item', 'profile', 'same') THEN
      RETURN format('UPDATE %I.users SET data = (SELECT d.%I::jsonb FROM bench.%I d WHERE d.n = v_n) WHERE id = v_id;', variant, doc, size);
    WHEN what = 'insert' AND split THEN
      RETURN format('INSERT INTO %1$I.users_base SELECT 1000000 + d.n, d.slim, 1 FROM bench.small d WHERE %2$s AND d.doc::jsonb IS NOT NULL;
        INSERT INTO %1$I.users_items (id, type, item_id, ord, data) SELECT 1000000 + d.n, type, item_id, ord, data FROM bench.small_item d WHERE %2$s;', variant, range);
    WHEN what = 'insert' THEN RETURN format('INSERT INTO %I.users SELECT 1000000 + d.n, d.doc::jsonb FROM bench.small d WHERE %s;', variant, range);
    WHEN what = 'copy' THEN RETURN format('COPY %I.users (id, data) FROM %L;', variant, current_setting('bench.file'));
    WHEN what = 'backfill' AND split THEN
      RETURN format('INSERT INTO %1$I.users_items (id, type, item_id, ord, data) SELECT 1000000 + d.n, type, item_id, ord, data FROM bench.small_item d;
        UPDATE %1$I.users_base b SET data = d.slim, doc_version = 1 FROM bench.small d WHERE b.id = 1000000 + d.n;', variant);
    WHEN what = 'backfill' AND variant = 'adopted' THEN
      RETURN 'CALL dbvc.document_backfill(''adopted.users'', converted => v_done, set_aside => v_done, remaining => v_done);';
    WHEN what = 'backfill' THEN RETURN format('UPDATE %I.users SET data = data WHERE id > 1000000;', variant);
  END CASE;
END $$;

CREATE TABLE bench.measured (what text, variant text, round int, n int, ms float8, wal bigint, cpu float8);

-- Milliseconds of processor that this backend has used, to 4 ms; NULL where the system does not say
CREATE FUNCTION bench.cpu() RETURNS float8 LANGUAGE sql VOLATILE AS $$
  SELECT split_part(pg_read_file('/proc/self/schedstat', 0, 100, true), ' ', 1)::float8 / 1000000 $$;

-- bench.prepare(WHAT, SIZE, VARIANTS) makes bench.run(FIRST, DOCUMENTS, BLOCK, ROUND): the variants take turns, BLOCK documents
-- each, a transaction for each statement. Statements are written out, so that they are prepared as a driver's are. Timed
-- inside of the server: two more processes on a busy machine would be timed otherwise.
CREATE FUNCTION bench.prepare(what text, size text, variants text[]) RETURNS void LANGUAGE plpgsql AS $outer$
BEGIN
  EXECUTE format($sql$
    CREATE OR REPLACE PROCEDURE bench.run(first bigint, documents int, block int, round int) LANGUAGE plpgsql AS $$
    DECLARE
      v_id bigint; v_n int; v_done bigint; which int; at timestamptz; lsn pg_lsn; last int;
      ms float8[]; wal bigint[]; whose int[]; ns int[]; cpu float8[]; used float8;
    BEGIN
      FOR b IN 0 .. (documents - 1) / block LOOP
        last := least((b + 1) * block, documents);
        FOR turn IN 1 .. %1$s LOOP
          which := 1 + (turn + b + round) %% %1$s;
          FOR n IN b * block + 1 .. last LOOP
            v_id := first + n; v_n := n;
            used := %5$s; lsn := pg_current_wal_insert_lsn(); at := clock_timestamp();
            CASE which %2$s END CASE;
            COMMIT;
            ms := ms || (extract(epoch FROM clock_timestamp() - at) * 1000)::float8;
            wal := wal || (pg_current_wal_insert_lsn() - lsn)::bigint;
            whose := whose || which; ns := ns || n; cpu := cpu || (%5$s - used);
          END LOOP;
        END LOOP;
      END LOOP;
      INSERT INTO bench.measured SELECT %3$L, (%4$L::text[])[u.w], round, u.n, u.ms, u.wal, u.cpu FROM unnest(whose, ns, ms, wal, cpu) u (w, n, ms, wal, cpu);
    END $$ $sql$,
    cardinality(variants),
    (SELECT string_agg(format('WHEN %s THEN %s', o, bench.statement(what, v, size)), E'\n') FROM unnest(variants) WITH ORDINALITY u (v, o)),
    what || ' ' || size, variants, CASE WHEN what IN ('insert', 'copy', 'backfill', 'read all') THEN 'bench.cpu()' ELSE 'NULL::float8' END);
END $outer$;

-- ---- checks ----

-- Do the variants that split store the same rows, and do all give back the same documents?
CREATE FUNCTION bench.check_rows(variants text[], above bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v text; rows text; expected text; first_of text;
BEGIN
  FOREACH v IN ARRAY variants LOOP
    CONTINUE WHEN to_regclass(format('%I.users_items', v)) IS NULL;
    EXECUTE format('SELECT concat_ws('' '', (SELECT concat_ws('' '', count(*), sum(hashtextextended(id || data::text, 0))) FROM %s WHERE id > $1),
      (SELECT concat_ws('' '', count(*), sum(hashtextextended(concat_ws(''|'', id, type, item_id, ord, data, deleted_at), 0))) FROM %I.users_items WHERE id > $1))',
      bench.split_base(v), v) USING above INTO rows;
    IF expected IS NULL THEN expected := rows; first_of := v;
    ELSIF rows <> expected THEN RAISE EXCEPTION '% stores other rows than %: %, not %', v, first_of, rows, expected;
    END IF;
  END LOOP;
END $$;

CREATE FUNCTION bench.check_read(variants text[], above bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v text; rows text; expected text; first_of text;
BEGIN
  FOREACH v IN ARRAY variants LOOP
    CONTINUE WHEN v IN ('limit', 'nofkey', 'plpgsql');
    EXECUTE format('SELECT concat_ws('' '', count(*), sum(hashtextextended(r.data::text, 0))) FROM (%s) r', bench.read_of(v, 'u.id > $1')) USING above INTO rows;
    IF expected IS NULL THEN expected := rows; first_of := v;
    ELSIF rows <> expected THEN RAISE EXCEPTION '% reads other documents than %: %, not %', v, first_of, rows, expected;
    END IF;
  END LOOP;
END $$;
