DELETE FROM users WHERE created_at < timestamptz '2024-03-01 00:00+00';
