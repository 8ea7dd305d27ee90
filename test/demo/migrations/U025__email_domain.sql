DROP INDEX CONCURRENTLY users_status_office_idx;
DROP INDEX CONCURRENTLY users_email_domain_idx;
ALTER TABLE users DROP COLUMN email_domain;
