ALTER TABLE users
    DROP COLUMN last_login_at,
    DROP COLUMN status;

DROP TYPE user_status;
