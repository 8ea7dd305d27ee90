SELECT NOT EXISTS (
    SELECT FROM users AS u, jsonb_path_query(u.data, '$.careerGoals[*].progress') AS progress
    WHERE progress::numeric % 10 <> 0);
