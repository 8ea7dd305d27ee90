-- Lists are sorted by name, and a sort should not open documents.
-- Author: aisha

ALTER TABLE users
    ADD COLUMN display_name text GENERATED ALWAYS AS (coalesce(data ->> 'displayName', email)) STORED;

CREATE INDEX users_display_name_idx ON users (display_name text_pattern_ops);
