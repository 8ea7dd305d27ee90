-- "Who dreams of sailing?" read every document.
-- Author: aisha

CREATE INDEX users_data_idx ON users USING gin (data jsonb_path_ops);
CREATE INDEX users_dream_book_idx ON users USING gin ((data -> 'dreamBook') jsonb_path_ops);
