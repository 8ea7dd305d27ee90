SELECT NOT EXISTS (
    SELECT FROM users AS u
    WHERE u.data ? 'team' AND NOT EXISTS (SELECT FROM team_members AS m WHERE m.user_id = u.id));
