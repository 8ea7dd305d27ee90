DROP FUNCTION save_document(bigint, jsonb, integer);
DROP TRIGGER users_count_revision ON users;
DROP FUNCTION users_count_revision();
ALTER TABLE users DROP COLUMN revision;
