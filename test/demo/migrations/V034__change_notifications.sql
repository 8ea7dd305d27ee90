-- Browsers hear of changed accounts: one notification a statement, not a row.
-- Author: jonas

CREATE FUNCTION notify_user_changes() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('user_changes', json_build_object('count', count(*), 'first', min(id), 'last', max(id))::text)
    FROM changed
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;

CREATE TRIGGER users_notify_changes
    AFTER UPDATE ON users
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION notify_user_changes();
