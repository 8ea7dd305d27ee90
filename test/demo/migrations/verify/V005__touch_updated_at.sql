-- Verify scripts are rolled back, so they may write.
INSERT INTO users (email) VALUES ('verify-v005@example.org');
UPDATE users SET data = '{"displayName": "Verify"}' WHERE email = 'verify-v005@example.org';
SELECT updated_at > created_at FROM users WHERE email = 'verify-v005@example.org';
