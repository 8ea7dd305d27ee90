-- Author: aisha
CREATE OR REPLACE FUNCTION dream_book(person bigint)
RETURNS TABLE (place bigint, title text, category text, target_year integer, done boolean)
LANGUAGE sql STABLE AS $$
    SELECT place, dream ->> 'title', dream ->> 'category', (dream ->> 'targetYear')::integer, (dream ->> 'done')::boolean
    FROM users, jsonb_array_elements(data -> 'dreamBook') WITH ORDINALITY AS d(dream, place)
    WHERE id = person
    ORDER BY place;
$$;
