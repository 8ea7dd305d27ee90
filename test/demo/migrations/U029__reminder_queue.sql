DROP FUNCTION take_reminders(integer);
DROP TABLE reminders;
