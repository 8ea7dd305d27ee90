-- Badges for people who reach their goals.
-- Author: ben

CREATE TABLE badges (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    name   text NOT NULL CHECK (name <> ''),
    given  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX badges_person_idx ON badges (person);
GRANT SELECT ON badges TO people_reporting;

ALTER TABLE users ADD COLUMN badge_count integer NOT NULL DEFAULT 0;
COMMENT ON TABLE users IS 'People, a document each, and how many badges they have';
