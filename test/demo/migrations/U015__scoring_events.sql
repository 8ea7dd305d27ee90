DROP TABLE scoring_events;
