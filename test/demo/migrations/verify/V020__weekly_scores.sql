SELECT relispopulated FROM pg_class WHERE oid = 'weekly_scores'::regclass;
