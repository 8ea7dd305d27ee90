-- The teams of the pilot.
-- Author: maria

INSERT INTO teams (slug, name) VALUES
    ('north',      'North'),
    ('south',      'South'),
    ('harbour',    'Harbour'),
    ('platform',   'Platform; and tools'),
    ('people-ops', 'People''s operations');
