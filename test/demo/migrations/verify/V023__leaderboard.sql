SELECT count(*) > 0 FROM leaderboard('north', '2024-01-01');
