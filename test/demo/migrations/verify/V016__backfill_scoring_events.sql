SELECT (SELECT count(*) FROM scoring_events) > 0;
