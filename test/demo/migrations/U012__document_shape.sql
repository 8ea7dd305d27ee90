ALTER TABLE users
    DROP CONSTRAINT users_connects_is_list,
    DROP CONSTRAINT users_dream_book_is_list,
    DROP CONSTRAINT users_data_is_object;

DROP FUNCTION is_list_or_absent(jsonb, text);
