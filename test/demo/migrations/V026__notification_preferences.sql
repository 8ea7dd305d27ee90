-- Reminders at an hour that people choose.
-- Author: maria

CREATE DOMAIN local_hour AS smallint CHECK (VALUE BETWEEN 0 AND 23);

CREATE TYPE quiet_hours AS (from_hour local_hour, to_hour local_hour);

CREATE TABLE notification_preferences (
    user_id   bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    channels  text[]      NOT NULL DEFAULT '{email}' CHECK (channels <@ '{email,push,chat}'),
    remind_at local_hour  NOT NULL DEFAULT 9,
    quiet     quiet_hours NOT NULL DEFAULT '(20,7)',
    extra     jsonb       NOT NULL DEFAULT '{}'
);

INSERT INTO notification_preferences (user_id)
SELECT id FROM users WHERE status = 'active';
