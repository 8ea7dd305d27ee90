-- Single sign-on asks for the domain. The table is big in production: index without blocking writers.
-- Author: tom

ALTER TABLE users
    ADD COLUMN email_domain text GENERATED ALWAYS AS (lower(split_part(email, '@', 2))) STORED;

CREATE INDEX CONCURRENTLY users_email_domain_idx ON users (email_domain);
CREATE INDEX CONCURRENTLY users_status_office_idx ON users (status, office_code) WHERE status <> 'alumni';

COMMENT ON INDEX users_email_domain_idx IS 'Single sign-on looks up its tenant by domain';
ANALYZE users;
