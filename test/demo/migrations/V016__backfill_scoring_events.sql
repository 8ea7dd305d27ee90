-- Fill scoring_events from the documents; the application goes on writing both.
-- Author: maria

INSERT INTO scoring_events (user_id, event_id, occurred_at, source, points)
SELECT u.id, score.id, score.at, score.source, score.points
FROM users AS u
CROSS JOIN LATERAL jsonb_to_recordset(u.data -> 'scoringHistory')
    AS score(id text, at timestamptz, source text, points integer);

ANALYZE scoring_events;
