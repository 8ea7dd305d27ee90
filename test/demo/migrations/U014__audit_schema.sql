DROP TRIGGER users_record_change ON users;
DROP FUNCTION audit.record_user_change();
DROP TABLE audit.user_change;
DROP SCHEMA audit;
