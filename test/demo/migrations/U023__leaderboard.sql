DROP FUNCTION leaderboard(text, date, integer);
