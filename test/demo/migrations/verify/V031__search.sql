SELECT count(*) > 0 FROM users WHERE search @@ to_tsquery('public.people_search', 'sailing');
