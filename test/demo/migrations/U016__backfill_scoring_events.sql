TRUNCATE scoring_events;
