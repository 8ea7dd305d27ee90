ALTER TABLE users DROP COLUMN badge_count;
COMMENT ON TABLE users IS 'One row a person; everything else is in the document';
DROP TABLE badges;
