-- A list is a list. NOT VALID: new writes are checked from now on, the old rows later (V013).
-- Author: tom

CREATE FUNCTION is_list_or_absent(doc jsonb, key text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT coalesce(jsonb_typeof(doc -> key), ''array'') IN (''array'')';

ALTER TABLE users
    ADD CONSTRAINT users_data_is_object CHECK (jsonb_typeof(data) = 'object') NOT VALID,
    ADD CONSTRAINT users_dream_book_is_list CHECK (is_list_or_absent(data, 'dreamBook')) NOT VALID,
    ADD CONSTRAINT users_connects_is_list CHECK (is_list_or_absent(data, 'connects')) NOT VALID;
