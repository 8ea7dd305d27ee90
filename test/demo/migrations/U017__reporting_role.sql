REVOKE SELECT (id, status, office_code, created_at) ON users FROM people_reporting;
REVOKE SELECT ON teams, team_members, offices, scoring_events FROM people_reporting;
REVOKE USAGE ON SCHEMA public FROM people_reporting;
