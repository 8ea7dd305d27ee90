-- The leaderboard took two seconds.
-- Author: maria

CREATE MATERIALIZED VIEW weekly_scores AS
SELECT e.user_id,
       date_trunc('week', e.occurred_at AT TIME ZONE 'UTC')::date AS week,
       sum(e.points) AS points,
       count(*) AS events
FROM scoring_events AS e
GROUP BY 1, 2
WITH NO DATA;

CREATE UNIQUE INDEX weekly_scores_key ON weekly_scores (user_id, week);

REFRESH MATERIALIZED VIEW weekly_scores;
