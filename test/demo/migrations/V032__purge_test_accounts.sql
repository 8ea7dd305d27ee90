-- Accounts of the load test. There is no way back, hence no undo file.
-- Author: tom

DELETE FROM users WHERE email LIKE '%@loadtest.invalid';
