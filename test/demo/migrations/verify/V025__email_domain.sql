SELECT bool_and(indisvalid AND indisready) FROM pg_index
WHERE indexrelid IN ('users_email_domain_idx'::regclass, 'users_status_office_idx'::regclass);
