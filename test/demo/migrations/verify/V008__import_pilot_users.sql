SELECT count(*) >= 595 FROM users;
SELECT bool_and(jsonb_typeof(data -> 'weeklyGoals') = 'array') FROM users WHERE data ? 'weeklyGoals';
SELECT jsonb_array_length(data -> 'scoringHistory') > 0 FROM users ORDER BY id LIMIT 1;
