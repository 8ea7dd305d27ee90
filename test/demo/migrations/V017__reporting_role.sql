-- The dashboards get a role of their own.
-- Author: jonas

DO $$
BEGIN
    -- roles belong to the server: another database of it may have made this one
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'people_reporting') THEN
        CREATE ROLE people_reporting NOLOGIN;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA public TO people_reporting;
GRANT SELECT ON teams, team_members, offices, scoring_events TO people_reporting;
GRANT SELECT (id, status, office_code, created_at) ON users TO people_reporting;
