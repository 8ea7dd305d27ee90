-- Two people registered as "Ana@..." and "ana@...": an address is unique whatever its case.
-- Author: tom

CREATE UNIQUE INDEX users_email_key ON users (lower(email));

ALTER TABLE users
    ADD CONSTRAINT users_email_check CHECK (email ~ '^[^@\s]+@[^@\s]+\.[^@\s]+$');
