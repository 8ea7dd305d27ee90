-- The 600 people of the pilot, with their old ids and the documents that the old application kept for them.
-- Author: jonas

INSERT INTO users (id, email, status, office_code, created_at, updated_at, last_login_at, data)
SELECT n,
       format('%s.%s%s@example.org', lower(person.first), lower(person.last), n),
       CASE WHEN n % 17 = 0 THEN 'suspended' WHEN n % 9 = 0 THEN 'invited' ELSE 'active' END::user_status,
       (ARRAY['AMS', 'BLR', 'GVA', 'LIS', 'NYC', 'SAO'])[1 + n % 6],
       person.since,
       person.since,
       CASE WHEN n % 9 <> 0 THEN person.since + n * interval '7 minutes' END,
       jsonb_build_object(
           'displayName', person.first || ' ' || person.last,
           'team', (ARRAY['north', 'south', 'harbour', 'platform', 'people-ops'])[1 + n % 5],
           'locale', (ARRAY['en', 'nl', 'pt', 'fr'])[1 + n % 4],
           'dreamBook', dreams.list,
           'weeklyGoals', goals.list,
           'scoringHistory', scores.list,
           'connects', connects.list,
           'careerGoals', career.list,
           'developmentPlan', jsonb_build_object(
               'year', 2024,
               'focus', (ARRAY['leadership', 'craft', 'breadth', 'balance'])[1 + n % 4],
               'skills', jsonb_build_array(
                   jsonb_build_object('name', 'writing', 'level', 1 + n % 5),
                   jsonb_build_object('name', 'facilitation', 'level', 1 + n % 3)),
               'mentor', CASE WHEN n > 40 THEN jsonb_build_object('userId', 1 + n % 40, 'since', '2024-02-01') END,
               'reviewedAt', NULL))
FROM generate_series(1, 600) AS n
CROSS JOIN LATERAL (
    SELECT (ARRAY['Ana', 'Bram', 'Chandra', 'Dina', 'Emre', 'Femke', 'Gil', 'Hana', 'Ivo', 'Joana'])[1 + n % 10] AS first,
           (ARRAY['Silva', 'Jansen', 'Rao', 'Okafor', 'Dubois', 'Costa', 'Meyer'])[1 + n % 7] AS last,
           timestamptz '2024-01-08 09:00+00' + n * interval '2 hours' AS since
) AS person
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'id', format('dream-%s-%s', n, d),
               'title', (ARRAY['Learn to sail', 'Write a novel', 'See the aurora', 'Run a marathon', 'Plant an orchard'])[1 + (n + d) % 5],
               'category', (ARRAY['adventure', 'creativity', 'travel', 'health', 'home'])[1 + (n + d) % 5],
               'targetYear', 2025 + (n * d) % 10,
               'done', (n + d) % 7 = 0,
               'milestones', jsonb_build_array('first step', format('step %s', d))) ORDER BY d), '[]') AS list
    FROM generate_series(1, n % 6) AS d
) AS dreams
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
               'id', format('goal-%s-%s', n, g),
               'week', to_char(date '2024-01-01' + g * 7, 'IYYY"-W"IW'),
               'title', (ARRAY['Call a friend', 'Read 50 pages', 'Train twice', 'Finish the draft'])[1 + (n + g) % 4],
               'dreamId', CASE WHEN n % 6 > 0 THEN format('dream-%s-1', n) END,
               'done', (n * g) % 3 <> 0) ORDER BY g) AS list
    FROM generate_series(1, 3 + n % 8) AS g
) AS goals
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
               'id', format('score-%s-%s', n, s),
               'at', to_char(timestamp '2024-01-08 18:00' + s * interval '9 days' + n * interval '1 minute', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
               'source', (ARRAY['weeklyGoal', 'connect', 'dream'])[1 + (n + s) % 3],
               'points', 5 * (1 + (n * s) % 6)) ORDER BY s) AS list
    FROM generate_series(1, 4 + n % 12) AS s
) AS scores
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'id', format('connect-%s-%s', n, c),
               'withUserId', 1 + (n * 13 + c * 7) % 600,
               'kind', (ARRAY['coffee', 'walk', 'call'])[1 + (n + c) % 3],
               'date', to_char(date '2024-01-10' + c * 11, 'YYYY-MM-DD'),
               'note', CASE WHEN c % 2 = 0 THEN 'Talked about "next steps"; more soon' END) ORDER BY c), '[]') AS list
    FROM generate_series(1, n % 5) AS c
) AS connects
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
               'id', format('career-%s-%s', n, k),
               'title', (ARRAY['Lead a project', 'Speak at a meetup', 'Mentor a colleague'])[1 + (n + k) % 3],
               'progress', (n * 7 + k * 30) % 101,
               'dueOn', to_char(date '2024-06-30' + (n + k) % 400, 'YYYY-MM-DD')) ORDER BY k) AS list
    FROM generate_series(1, 1 + n % 2) AS k
) AS career;

SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users));

-- Old accounts have holes: no dream book at all, or a null where a list should be.
UPDATE users SET data = data - 'dreamBook' WHERE id % 97 = 0;
UPDATE users SET data = jsonb_set(data, '{connects}', 'null') WHERE id % 89 = 0;
