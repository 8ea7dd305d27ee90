-- Two browser tabs overwrote each other: every write counts, and the client says what it has read.
-- Author: tom

ALTER TABLE users ADD COLUMN revision integer NOT NULL DEFAULT 1;

CREATE FUNCTION users_count_revision() RETURNS trigger
LANGUAGE plpgsql AS
$body$
BEGIN
    IF NEW.data IS DISTINCT FROM OLD.data THEN
        NEW.revision := OLD.revision + 1;
    END IF;
    RETURN NEW;
END
$body$;

CREATE TRIGGER users_count_revision
    BEFORE UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION users_count_revision();

CREATE FUNCTION save_document(person bigint, doc jsonb, read_revision integer) RETURNS integer
LANGUAGE plpgsql AS
$body$
DECLARE
    saved integer;
BEGIN
    UPDATE users SET data = doc WHERE id = person AND revision = read_revision RETURNING revision INTO saved;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'user % was changed by someone else', person
            USING ERRCODE = 'serialization_failure', HINT = 'Read the document again.';
    END IF;
    RETURN saved;
END
$body$;
