DROP POLICY connects_reporting ON connects;
DROP POLICY connects_coach ON connects;
DROP POLICY connects_own ON connects;
ALTER TABLE connects DISABLE ROW LEVEL SECURITY;
DROP FUNCTION current_user_id();
