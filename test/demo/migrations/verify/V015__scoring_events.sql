-- Eight quarters were made; V030 puts the first one into the archive.
SELECT count(*) BETWEEN 7 AND 8 FROM pg_inherits WHERE inhparent = 'scoring_events'::regclass;
