ALTER TABLE users DROP COLUMN office_code;
DROP TABLE offices;
