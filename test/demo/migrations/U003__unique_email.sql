ALTER TABLE users DROP CONSTRAINT users_email_check;
DROP INDEX users_email_key;
