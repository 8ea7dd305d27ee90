CREATE EXTENSION dbvc;
SELECT FROM dbvc.document_adopt('users', '{"dreamBook": "dream", "connects": "connect", "profile.goals": "goal"}');
