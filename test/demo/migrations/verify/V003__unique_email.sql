SELECT count(*) = count(DISTINCT lower(email)) FROM users;
SELECT indisunique AND indisvalid FROM pg_index WHERE indexrelid = 'users_email_key'::regclass;
