-- Random writes of items and of whole documents by turns: nothing is lost, ids stay those that splitting gives, and the
-- same document written again writes nothing
CREATE EXTENSION dbvc;
CREATE TABLE users (id bigint PRIMARY KEY, data jsonb);
SELECT count(*) > 0 AS adopted FROM dbvc.document_adopt('users', parts => '{"d": "d"}', options => '{"soft_delete": true}');
INSERT INTO users VALUES (1, '{"n": 1}');
SET client_min_messages = error;

CREATE FUNCTION element() RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	kind int := floor(random() * 10);
	value jsonb := to_jsonb(floor(random() * 4)::int);
BEGIN
	RETURN CASE WHEN kind < 5 THEN jsonb_build_object('id', (ARRAY['a', 'b', 'c', '#1', '~1', '', '=x'])[1 + floor(random() * 7)], 'v', value)
		WHEN kind < 7 THEN jsonb_build_object('id', floor(random() * 3), 'v', value)
		WHEN kind < 8 THEN value
		WHEN kind < 9 THEN jsonb_build_object('v', value)
		ELSE 'null' END;
END $$;
-- the id that an element has by itself; ~1 if none
CREATE FUNCTION own(element jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT item_id FROM dbvc.document_items(jsonb_build_object('d', jsonb_build_array(element)), '{"d": "d"}')
$$;
CREATE FUNCTION elements() RETURNS jsonb LANGUAGE sql AS $$ SELECT COALESCE(data -> 'd', '[]') FROM users $$;

-- Save one: in the place of the first with this id, or where a deleted one was, or at the end
CREATE FUNCTION try_save() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := elements();
	e jsonb := element();
	own_id text := own(e);
	place int;
	answer text;
	expected jsonb := before || jsonb_build_array(e);
BEGIN
	IF own_id !~ '^~' THEN
		SELECT n - 1 INTO place FROM jsonb_array_elements(before) WITH ORDINALITY x (d, n) WHERE own(d) = own_id ORDER BY n LIMIT 1;
		IF place IS NOT NULL THEN
			expected := jsonb_set(before, ARRAY[place::text], e);
		ELSIF EXISTS (SELECT FROM users_items WHERE item_id = own_id) THEN
			expected := NULL;
		END IF;
	END IF;
	answer := dbvc.item_save('users', '{1}', 'd', e);
	RETURN CASE WHEN NOT dbvc.document_same_bytes(elements(), expected) THEN format('%s into %s gave %s', e, before, elements())
		WHEN NOT EXISTS (SELECT FROM users_items WHERE item_id = answer AND deleted_at IS NULL AND dbvc.document_same_bytes(data, e)) THEN format('%s is not %s', e, answer) END;
END $$;
CREATE FUNCTION try_other(what int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := elements();
	change int := 0;
	chosen text;
	e jsonb;
BEGIN
	CASE what
		WHEN 1 THEN
			SELECT item_id INTO chosen FROM users_items WHERE deleted_at IS NULL ORDER BY random() LIMIT 1;
			change := CASE WHEN dbvc.item_delete('users', '{1}', 'd', COALESCE(chosen, 'none')) THEN -1 ELSE 0 END;
		WHEN 2 THEN
			-- one that shares its id may have lost its turn
			SELECT item_id INTO chosen FROM users_items i WHERE deleted_at IS NOT NULL
				AND (own(data) ~ '^~' OR NOT EXISTS (SELECT FROM users_items o WHERE o.item_id <> i.item_id AND own(o.data) = own(i.data))) ORDER BY random() LIMIT 1;
			change := CASE WHEN dbvc.item_restore('users', '{1}', 'd', COALESCE(chosen, 'none')) THEN 1 ELSE 0 END;
		WHEN 3 THEN
			SELECT item_id, CASE jsonb_typeof(data) WHEN 'object' THEN data || '{"w": 1}' ELSE '77' END INTO chosen, e
			FROM users_items WHERE deleted_at IS NULL AND item_id ~ '^~' ORDER BY random() LIMIT 1;
			IF FOUND THEN
				PERFORM dbvc.item_save('users', '{1}', 'd', e, chosen);
			END IF;
		ELSE
			PERFORM dbvc.item_save_batch('users', '{1}', (SELECT jsonb_agg(jsonb_build_object('type', 'd', 'data', element())) FROM generate_series(1, 4)),
				CASE WHEN random() < 0.5 THEN 'skip' ELSE 'abort' END);
			RETURN NULL;
	END CASE;
	IF jsonb_array_length(elements()) <> jsonb_array_length(before) + change THEN
		RETURN format('%s, %s: %s became %s', what, chosen, before, elements());
	END IF;
	RETURN NULL;
END $$;
-- The whole document, with some elements less, one more, and now and then in another order
CREATE FUNCTION try_document() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	shuffle boolean := random() < 0.3;
	after jsonb;
BEGIN
	SELECT COALESCE(jsonb_agg(d ORDER BY CASE WHEN shuffle THEN random() ELSE n END), '[]') INTO after
	FROM jsonb_array_elements(elements() || jsonb_build_array(element())) WITH ORDINALITY x (d, n) WHERE random() < 0.85;
	UPDATE users SET data = jsonb_set(data, '{d}', after);
	RETURN CASE WHEN NOT dbvc.document_same_bytes(elements(), after) THEN format('not %s', after) END;
END $$;
CREATE FUNCTION faults() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint := (SELECT doc_version FROM users_base);
	answer text;
BEGIN
	PERFORM dbvc.document_put('users', '{1}', data) FROM users;
	IF (SELECT doc_version FROM users_base) <> before THEN
		RETURN 'written again, it was written';
	END IF;
	SELECT string_agg(item_id, ' ') INTO answer FROM users_items WHERE item_id !~ '^~' AND own(data) <> item_id;
	IF answer IS NOT NULL THEN
		RETURN 'wrong: ' || answer;
	END IF;
	-- of those that share an id the first has it, unless it was deleted
	SELECT string_agg(id, ' ') INTO answer FROM (SELECT own(data) AS id, (array_agg(item_id ORDER BY ord, item_id))[1] AS first, bool_or(item_id = own(data)) AS has
		FROM users_items WHERE deleted_at IS NULL AND own(data) !~ '^~' GROUP BY 1) shared WHERE has AND first <> id;
	RETURN 'not first: ' || answer;
END $$;
CREATE FUNCTION try(steps int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	what int;
	fault text;
BEGIN
	FOR step IN 1 .. steps LOOP
		what := floor(random() * 8);
		fault := CASE WHEN what < 3 THEN try_save() WHEN what = 3 THEN try_document() ELSE try_other(what - 3) END;
		fault := COALESCE(fault, faults());
		IF fault IS NOT NULL THEN
			RETURN NEXT format('step %s: %s', step, fault);
			RETURN;
		END IF;
		IF step % 100 = 0 THEN
			UPDATE users SET data = '{"n": 1}';
		END IF;
	END LOOP;
END $$;
SELECT setseed(0.5);
SELECT try(400);
SELECT "check" FROM dbvc.document_check('users') WHERE NOT ok;

SET client_min_messages = warning;
DROP VIEW users;
DROP TABLE users_items, users_base;
DROP FUNCTION try, try_document, try_other, try_save, faults, elements, own, element;
DROP EXTENSION dbvc;
DROP SCHEMA dbvc;
