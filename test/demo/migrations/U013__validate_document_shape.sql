-- A constraint cannot be made unvalidated: take it away and add it as V012 did.
ALTER TABLE users
    DROP CONSTRAINT users_data_is_object,
    DROP CONSTRAINT users_dream_book_is_list,
    DROP CONSTRAINT users_connects_is_list;

ALTER TABLE users
    ADD CONSTRAINT users_data_is_object CHECK (jsonb_typeof(data) = 'object') NOT VALID,
    ADD CONSTRAINT users_dream_book_is_list CHECK (is_list_or_absent(data, 'dreamBook')) NOT VALID,
    ADD CONSTRAINT users_connects_is_list CHECK (is_list_or_absent(data, 'connects')) NOT VALID;
