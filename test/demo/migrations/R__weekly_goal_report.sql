-- Author: tom
CREATE OR REPLACE VIEW weekly_goal_report AS
SELECT goal ->> 'week' AS week,
       count(*) AS goals,
       count(*) FILTER (WHERE (goal ->> 'done')::boolean) AS done,
       round(100.0 * count(*) FILTER (WHERE (goal ->> 'done')::boolean) / count(*), 1) AS percent
FROM users, jsonb_array_elements(data -> 'weeklyGoals') AS goal
GROUP BY 1;
