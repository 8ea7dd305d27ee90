-- Who changed an account, and which keys of the document.
-- Author: aisha

CREATE SCHEMA audit;

CREATE TABLE audit.user_change (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint      NOT NULL,
    operation  text        NOT NULL,
    keys       text[]      NOT NULL DEFAULT '{}',
    changed_by text        NOT NULL DEFAULT current_user,
    changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX user_change_user_id_idx ON audit.user_change (user_id, changed_at DESC);

CREATE FUNCTION audit.record_user_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    changed text[] := '{}';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        -- a dollar quote in a dollar quote, with a semicolon: a splitter by eye goes wrong here
        EXECUTE $query$
            SELECT coalesce(array_agg(key ORDER BY key), '{}')
            FROM jsonb_object_keys($1 || $2) AS key
            WHERE $1 -> key IS DISTINCT FROM $2 -> key;
        $query$ INTO changed USING OLD.data, NEW.data;
    END IF;

    INSERT INTO audit.user_change (user_id, operation, keys)
    VALUES (coalesce(NEW.id, OLD.id), TG_OP, changed);
    RETURN NULL;
END;
$function$;

CREATE TRIGGER users_record_change
    AFTER INSERT OR UPDATE OF email, status, data OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION audit.record_user_change();
