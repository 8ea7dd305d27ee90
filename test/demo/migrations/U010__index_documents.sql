DROP INDEX users_dream_book_idx;
DROP INDEX users_data_idx;
