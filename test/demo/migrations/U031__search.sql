ALTER TABLE users DROP COLUMN search;
DROP FUNCTION people_tsvector(text, jsonb);
DROP TEXT SEARCH CONFIGURATION people_search;
