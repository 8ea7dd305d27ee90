-- People are invited first and become active with their first login.
-- Author: maria

CREATE TYPE user_status AS ENUM ('invited', 'active', 'suspended');

ALTER TABLE users
    ADD COLUMN status user_status NOT NULL DEFAULT 'invited',
    ADD COLUMN last_login_at timestamptz;
