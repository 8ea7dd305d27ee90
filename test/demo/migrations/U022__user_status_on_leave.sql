-- A value cannot be dropped from an enum: build the type again.
ALTER TYPE user_status RENAME TO user_status_old;
CREATE TYPE user_status AS ENUM ('invited', 'active', 'suspended');

DROP TRIGGER users_record_change ON users;

ALTER TABLE users
    ALTER COLUMN status DROP DEFAULT,
    ALTER COLUMN status TYPE user_status USING
        CASE status::text WHEN 'on_leave' THEN 'suspended' WHEN 'alumni' THEN 'suspended' ELSE status::text END::user_status,
    ALTER COLUMN status SET DEFAULT 'invited';

CREATE TRIGGER users_record_change
    AFTER INSERT OR UPDATE OF email, status, data OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION audit.record_user_change();

DROP TYPE user_status_old;
