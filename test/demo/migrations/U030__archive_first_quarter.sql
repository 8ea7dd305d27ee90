COMMENT ON TABLE archive.scoring_events_2024q1 IS NULL;
ALTER TABLE archive.scoring_events_2024q1 SET SCHEMA public;

ALTER TABLE scoring_events
    ATTACH PARTITION scoring_events_2024q1 FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-04-01 00:00+00');

-- DETACH CONCURRENTLY left the partition's bounds behind as a constraint
ALTER TABLE scoring_events_2024q1 DROP CONSTRAINT IF EXISTS scoring_events_2024q1_occurred_at_check;

DROP SCHEMA archive;
