-- One search box for names, dreams and career goals.
-- Author: aisha

CREATE TEXT SEARCH CONFIGURATION people_search (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION people_search
    ALTER MAPPING FOR asciiword, word WITH english_stem;

CREATE FUNCTION people_tsvector(email text, doc jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT setweight(to_tsvector('public.people_search', coalesce(doc ->> 'displayName', '') || ' ' || email), 'A')
        || setweight(jsonb_to_tsvector('public.people_search',
                                       jsonb_path_query_array(doc, '$.dreamBook[*].title'), '["string"]'), 'B')
        || setweight(jsonb_to_tsvector('public.people_search',
                                       jsonb_path_query_array(doc, '$.careerGoals[*].title'), '["string"]'), 'C')
$$;

ALTER TABLE users
    ADD COLUMN search tsvector GENERATED ALWAYS AS (people_tsvector(email, data)) STORED;

CREATE INDEX users_search_idx ON users USING gin (search);
