-- The team is a key of the document; make it rows of team_members.
-- Author: tom

INSERT INTO team_members (team_id, user_id, role, joined_on)
SELECT t.id, u.id, CASE WHEN u.id % 50 = 0 THEN 'lead' WHEN u.id % 20 = 0 THEN 'coach' ELSE 'member' END,
       u.created_at::date
FROM users AS u
JOIN teams AS t ON t.slug = u.data ->> 'team'
ON CONFLICT DO NOTHING;

DO $do$
DECLARE
    lost bigint;
BEGIN
    SELECT count(*) INTO lost
    FROM users AS u
    WHERE NOT EXISTS (SELECT FROM team_members AS m WHERE m.user_id = u.id);

    IF lost > 0 THEN
        RAISE EXCEPTION '% people are in no team', lost;
    END IF;
END
$do$;
