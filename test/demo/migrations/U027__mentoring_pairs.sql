UPDATE users AS u
SET data = jsonb_set(u.data, '{developmentPlan,mentor}',
                     jsonb_build_object('userId', p.mentor_id, 'since', p.started_on))
FROM mentoring_pairs AS p
WHERE p.mentee_id = u.id AND p.state = 'running';

DROP TABLE mentoring_pairs;
DROP TYPE mentoring_state;
