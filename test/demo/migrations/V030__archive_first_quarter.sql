-- The first quarter goes to the archive. CONCURRENTLY: the leaderboard is read all day.
-- Author: maria

CREATE SCHEMA archive;

ALTER TABLE scoring_events DETACH PARTITION scoring_events_2024q1 CONCURRENTLY;

ALTER TABLE scoring_events_2024q1 SET SCHEMA archive;
COMMENT ON TABLE archive.scoring_events_2024q1 IS 'Detached from scoring_events; read only';
