-- The exact progress is gone; the procedure can go.
DROP PROCEDURE round_career_progress(integer);
