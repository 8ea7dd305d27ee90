-- Mend the old documents, then have the constraints of V012 hold for all rows.
-- Author: tom

UPDATE users
SET data = jsonb_set(data, '{connects}', '[]')
WHERE jsonb_typeof(data -> 'connects') = 'null';

ALTER TABLE users VALIDATE CONSTRAINT users_data_is_object;
ALTER TABLE users VALIDATE CONSTRAINT users_dream_book_is_list;
ALTER TABLE users VALIDATE CONSTRAINT users_connects_is_list;
