-- Scores are asked for by quarter and kept for ever: a table of their own, in partitions.
-- Author: maria

CREATE TABLE scoring_events (
    user_id     bigint      NOT NULL REFERENCES users ON DELETE CASCADE,
    event_id    text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    source      text        NOT NULL,
    points      integer     NOT NULL CHECK (points >= 0),
    PRIMARY KEY (user_id, event_id, occurred_at)
) PARTITION BY RANGE (occurred_at);

DO $$
DECLARE
    quarter date;
BEGIN
    FOR quarter IN SELECT generate_series(date '2024-01-01', date '2025-10-01', '3 months')
    LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF scoring_events FOR VALUES FROM (%L) TO (%L)',
            'scoring_events_' || to_char(quarter, 'YYYY"q"Q'),
            quarter::timestamp AT TIME ZONE 'UTC',
            (quarter + interval '3 months')::timestamp AT TIME ZONE 'UTC');
    END LOOP;
END
$$;

CREATE INDEX scoring_events_occurred_at_idx ON scoring_events USING brin (occurred_at);
