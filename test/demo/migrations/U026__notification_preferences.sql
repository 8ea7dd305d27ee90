DROP TABLE notification_preferences;
DROP TYPE quiet_hours;
DROP DOMAIN local_hour;
