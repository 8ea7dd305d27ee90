SELECT count(*) > 0 FROM mentoring_pairs;
SELECT NOT EXISTS (
    SELECT FROM users AS u JOIN mentoring_pairs AS p ON p.mentee_id = u.id AND p.state = 'running'
    WHERE u.data #> '{developmentPlan,mentor}' IS NOT NULL);
