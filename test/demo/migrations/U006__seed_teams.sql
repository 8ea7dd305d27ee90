DELETE FROM teams WHERE slug IN ('north', 'south', 'harbour', 'platform', 'people-ops');
