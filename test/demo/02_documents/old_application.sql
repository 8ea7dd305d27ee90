-- The old application, as psql sees it: one table, one document a person, written as a whole.
\set ON_ERROR_STOP on

-- Somebody opens a person, changes one dream in a form, and the browser sends everything back
BEGIN;
SELECT data AS document, data AS as_it_was FROM users WHERE id = 44 FOR UPDATE \gset
SELECT jsonb_set(:'document', '{dreamBook,0,title}', '"Sail around the world"') AS document \gset
UPDATE users SET data = :'document' WHERE id = 44 RETURNING id, data::text = :'document' AS "what was written is there";
COMMIT;

-- The same the careful way: saved only if nobody else was faster (V028); and then everything as it was
SELECT data AS document, data AS original, revision FROM users WHERE id = 45 \gset
SELECT :'document'::jsonb || '{"connects": [{"id": "new", "withUserId": 44}, "a walk", 1.50, null]}' AS document \gset
SELECT save_document(45, :'document', :revision) = :revision + 1 AS saved;
SELECT save_document(45, :'original', :revision + 1) = :revision + 2 AS "saved again";
\set ON_ERROR_STOP off
SELECT save_document(45, '{}', :revision);
\set ON_ERROR_STOP on

-- A new person, with a document as the form makes it
\set document '{"dreamBook": [{"id": "d1", "title": "Fly"}, {"title": "no id"}, {"id": 7}, {"id": "7"}], "weeklyGoals": [], "tags": null, "x": 1.0}'
INSERT INTO users (email, data) VALUES ('New.Person@Example.ORG', :'document')
RETURNING status, email_domain, display_name, data = :'document'::jsonb AS "as written";
UPDATE users SET data = jsonb_set(data, '{dreamBook,1,done}', 'true') WHERE email = 'New.Person@Example.ORG' RETURNING data -> 'dreamBook' AS dreams;
DELETE FROM users WHERE email = 'New.Person@Example.ORG' RETURNING data ->> 'x' AS x;

-- Lists, reports, searches
SELECT id, display_name, jsonb_array_length(data -> 'dreamBook') AS dreams FROM users ORDER BY id DESC LIMIT 3;
SELECT * FROM weekly_goal_report LIMIT 3;
SELECT count(*) AS "who would sail" FROM users WHERE data @> '{"dreamBook": [{"title": "Learn to sail"}]}';
SELECT count(*) AS people, md5(string_agg(md5(data::text), '' ORDER BY id)) AS "all documents" FROM users;

-- As it was, so that this can be run again
UPDATE users SET data = :'as_it_was' WHERE id = 44;
