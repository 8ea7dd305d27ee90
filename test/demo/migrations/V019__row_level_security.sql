-- The web application sets app.user_id; a person sees the own account, coaches see their team.
-- Author: aisha

CREATE FUNCTION current_user_id() RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.user_id', true), '')::bigint;

ALTER TABLE connects ENABLE ROW LEVEL SECURITY;

CREATE POLICY connects_own ON connects
    USING (user_id = current_user_id() OR with_user = current_user_id())
    WITH CHECK (user_id = current_user_id());

CREATE POLICY connects_coach ON connects FOR SELECT
    USING (EXISTS (
        SELECT FROM team_members AS me
        JOIN team_members AS other USING (team_id)
        WHERE me.user_id = current_user_id()
          AND me.role IN ('coach', 'lead')
          AND other.user_id = connects.user_id));

CREATE POLICY connects_reporting ON connects FOR SELECT TO people_reporting USING (true);
