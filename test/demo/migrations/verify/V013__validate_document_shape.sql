SELECT bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'users'::regclass AND contype = 'c';
