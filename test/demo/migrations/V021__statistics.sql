-- Office and language go together; the planner multiplied their selectivities.
-- Author: jonas

CREATE STATISTICS users_office_locale (dependencies, mcv)
    ON office_code, (data ->> 'locale') FROM users;

ALTER TABLE users ALTER COLUMN status SET STATISTICS 500;

ANALYZE users;
