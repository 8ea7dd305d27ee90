-- Reminders, taken by several workers at once.
-- Author: jonas

CREATE TABLE reminders (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    goal_id    text   NOT NULL,
    due_at     timestamptz NOT NULL,
    taken_at   timestamptz,
    attempts   smallint NOT NULL DEFAULT 0
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX reminders_due_idx ON reminders (due_at) WHERE taken_at IS NULL;

CREATE FUNCTION take_reminders(how_many integer) RETURNS SETOF reminders
LANGUAGE sql AS $$
    UPDATE reminders SET taken_at = now(), attempts = attempts + 1
    WHERE id IN (SELECT id FROM reminders
                 WHERE taken_at IS NULL AND due_at <= now()
                 ORDER BY due_at LIMIT how_many
                 FOR UPDATE SKIP LOCKED)
    RETURNING *;
$$;

INSERT INTO reminders (user_id, goal_id, due_at)
SELECT u.id, goal ->> 'id', date_trunc('day', now()) + p.remind_at * interval '1 hour'
FROM users AS u
JOIN notification_preferences AS p ON p.user_id = u.id
CROSS JOIN LATERAL jsonb_path_query(u.data, '$.weeklyGoals[*] ? (@.done == false)') AS goal;
