-- Author: maria
CREATE OR REPLACE VIEW active_people AS
SELECT u.id, u.display_name, u.email, u.office_code, t.name AS team, m.role
FROM users AS u
LEFT JOIN team_members AS m ON m.user_id = u.id
LEFT JOIN teams AS t ON t.id = m.team_id
WHERE u.status = 'active';

COMMENT ON VIEW active_people IS 'Who is here now, with the team';
