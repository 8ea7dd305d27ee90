DROP TRIGGER users_notify_changes ON users;
DROP FUNCTION notify_user_changes();
