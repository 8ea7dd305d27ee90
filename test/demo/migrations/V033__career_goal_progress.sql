-- Progress in steps of ten, computed once and not by every client.
-- Author: maria

CREATE PROCEDURE round_career_progress(batch integer DEFAULT 200)
LANGUAGE plpgsql AS $$
DECLARE
    first_id bigint := 0;
    last_id  bigint;
BEGIN
    LOOP
        SELECT max(id) INTO last_id
        FROM (SELECT id FROM users WHERE id > first_id ORDER BY id LIMIT batch) AS page;
        EXIT WHEN last_id IS NULL;

        UPDATE users AS u
        SET data = jsonb_set(u.data, '{careerGoals}', (
            SELECT jsonb_agg(goal || jsonb_build_object('progress', round((goal ->> 'progress')::numeric, -1)) ORDER BY place)
            FROM jsonb_array_elements(u.data -> 'careerGoals') WITH ORDINALITY AS g(goal, place)))
        WHERE u.id > first_id AND u.id <= last_id
          AND jsonb_array_length(u.data -> 'careerGoals') > 0;

        first_id := last_id;
    END LOOP;
END
$$;

CALL round_career_progress(batch => 250);
