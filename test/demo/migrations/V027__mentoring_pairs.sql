-- Mentoring moves out of the development plan: a pair has a start, an end and a state.
-- Author: aisha

CREATE TYPE mentoring_state AS ENUM ('proposed', 'running', 'ended');

CREATE TABLE mentoring_pairs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mentor_id  bigint NOT NULL REFERENCES users,
    mentee_id  bigint NOT NULL REFERENCES users,
    state      mentoring_state NOT NULL DEFAULT 'proposed',
    started_on date,
    ended_on   date CHECK (ended_on >= started_on),
    CHECK (mentor_id <> mentee_id)
);

CREATE UNIQUE INDEX mentoring_pairs_running_key ON mentoring_pairs (mentee_id) WHERE state = 'running';

INSERT INTO mentoring_pairs (mentor_id, mentee_id, state, started_on)
SELECT (u.data #>> '{developmentPlan,mentor,userId}')::bigint,
       u.id,
       CASE WHEN u.status = 'active' THEN 'running' ELSE 'ended' END::mentoring_state,
       (u.data #>> '{developmentPlan,mentor,since}')::date
FROM users AS u
JOIN users AS mentor ON mentor.id = (u.data #>> '{developmentPlan,mentor,userId}')::bigint
WHERE u.office = mentor.office_code OR u.status = 'active';

UPDATE users
SET data = data #- '{developmentPlan,mentor}'
WHERE id IN (SELECT mentee_id FROM mentoring_pairs WHERE state = 'running');

COMMENT ON TABLE mentoring_pairs IS 'Was developmentPlan.mentor in the document';
