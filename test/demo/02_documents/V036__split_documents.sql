-- Documents become rows; the applications go on with whole documents.
-- Author: aisha

-- What was refused: a column and two checks over lists, and a role that may read some columns only
ALTER TABLE users
    DROP COLUMN search,
    DROP CONSTRAINT users_dream_book_is_list,
    DROP CONSTRAINT users_connects_is_list;
DROP INDEX users_data_idx, users_dream_book_idx;
REVOKE SELECT (id, status, office_code, created_at) ON users FROM people_reporting;

-- Triggers stay on the table and see documents without their lists. Two of the four asked whether the document was
-- another one; now every write counts, and dbvc does not write what is the same.
CREATE OR REPLACE FUNCTION users_count_revision() RETURNS trigger
LANGUAGE plpgsql AS 'BEGIN NEW.revision := OLD.revision + 1; RETURN NEW; END';
DROP TRIGGER users_touch_updated_at ON users;
CREATE TRIGGER users_touch_updated_at BEFORE UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- strict: what is no list is refused, as by the two checks
SELECT step, action FROM dbvc.document_adopt('users',
    '{"dreamBook": "dream", "weeklyGoals": "weekly_goal", "scoringHistory": "score",
      "connects": "connect", "careerGoals": "career_goal"}',
    options => '{"triggers_reviewed": true, "strict": true}');

CREATE VIEW people_for_reporting AS SELECT id, status, office_code, created_at FROM users_base;
GRANT SELECT ON people_for_reporting TO people_reporting;
CREATE INDEX users_items_dream_idx ON users_items USING gin (data jsonb_path_ops) WHERE type = 'dream';
