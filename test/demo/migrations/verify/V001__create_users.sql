-- The first statement raises an error if a column is missing, the second says false.
SELECT id, email, data, created_at, updated_at FROM users WHERE false;
SELECT count(*) = 1 FROM pg_constraint WHERE conrelid = 'users'::regclass AND contype = 'p';
