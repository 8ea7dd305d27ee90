-- Do the items of an adopted table fit its documents?
-- ids that come twice are warned of: not here
SET client_min_messages = error;
CREATE EXTENSION dbvc;
\pset null '(null)'
CREATE SCHEMA t;
SET search_path = t;

CREATE TABLE users (tenant int, id int, data jsonb, PRIMARY KEY (tenant, id));
INSERT INTO users SELECT i % 3, i, jsonb_build_object('name', i, 'a', jsonb_build_array(jsonb_build_object('id', 1), jsonb_build_object('id', '1'),
	jsonb_build_object('id', 1), i, 1.50, NULL), 'p', jsonb_build_object('b', jsonb_build_array('x', jsonb_build_object('id', i))))
FROM generate_series(1, 40) i;
INSERT INTO users VALUES (7, 1, NULL), (7, 2, '[]'), (7, 3, '{"a": null, "p": {"b": {}}}'), (7, 4, '{"a": [], "p": []}');
SELECT count(*) > 5 AS adopted FROM dbvc.document_adopt('users', '{"a": "an a", "p.b": "b''s"}', options => '{"soft_delete": true}');
SELECT * FROM dbvc.document_check('users');
-- some converted by writes, some not at all
UPDATE users SET data = jsonb_set(data, '{name}', '"new"') WHERE tenant = 1 OR id = 1;
SELECT * FROM dbvc.document_check('users');
CALL dbvc.document_backfill('users');
SELECT * FROM dbvc.document_check('users_items');

-- what the life of documents makes of ids and ranks is no fault
UPDATE users SET data = data #- '{a,0}' WHERE tenant = 0;
UPDATE users SET data = jsonb_set(data, '{a}', '[{"id": 2}, {"id": 1}, 5, {"id": 1}]') WHERE tenant = 1;
UPDATE users SET data = jsonb_set(data, '{a}', '[{"id": "~1"}, 5, {"id": "#1"}, {"id": 1.50}, {"id": 1.5}]') WHERE tenant = 1 AND id < 20;
UPDATE users SET data = jsonb_insert(data, '{p,b,0}', '"first"') WHERE tenant = 2;
UPDATE users SET data = data - 'p' WHERE tenant = 2 AND id > 20;
UPDATE users SET data = NULL WHERE id = 4;
SELECT dbvc.item_save('users', '{2, 8}', 'an a', '{"id": 77}');
SELECT dbvc.item_save('users', '{2, 8}', 'an a', '"no id"');
SELECT dbvc.item_delete('users', '{2, 8}', 'an a', '#1');
SELECT * FROM dbvc.document_check('users');
-- in a read-only transaction as well, and in each one as it sees it
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT count(*) FROM dbvc.document_check('users') WHERE ok;
COMMIT;
SELECT s."check", s.ok, s.detail IS NULL AS nothing FROM dbvc.document_check('users', 0.3) s;
SELECT sum(split_part(detail, ' ', 1)::int) BETWEEN 100 AND 340 AS a_half FROM generate_series(1, 10), dbvc.document_check('users', 0.5)
WHERE "check" = 'counts' AND ok;

-- Every fault is found, and named, whatever else there is; the first few of each
ALTER TABLE users_base DISABLE TRIGGER zzz_dbvc_document;
SET session_replication_role = replica;
UPDATE users_base SET data = '{}' WHERE id BETWEEN 9 AND 16 AND tenant = 0;
UPDATE users_base SET data = jsonb_set(data, '{a}', '[1]') WHERE id = 18;
UPDATE users_base SET data = NULL WHERE id = 21;
UPDATE users_items SET data = '{"id": 3}' WHERE id = 5 AND item_id = '#1';
UPDATE users_items SET ord = 5 WHERE id = 24;
UPDATE users_items SET type = 'c' WHERE id = 25 AND type = 'an a';
UPDATE users_base SET doc_version = 0 WHERE id = 27;
DELETE FROM users_base WHERE id IN (30, 31);
RESET session_replication_role;
DROP TRIGGER dbvc_document ON users_items;
SELECT * FROM dbvc.document_check('users');
SELECT count(*) AS all_of_them FROM dbvc.document_check('users', 0.1);
SELECT documents, converted, percent, items, deleted FROM dbvc.document_status;
CALL dbvc.document_release('users');

-- Rights
CREATE ROLE regress_dbvc_a;
GRANT USAGE ON SCHEMA t, dbvc TO regress_dbvc_a;
GRANT EXECUTE ON FUNCTION dbvc.document_check, dbvc.document_count TO regress_dbvc_a;
GRANT SELECT ON dbvc.document_status TO regress_dbvc_a;
SET ROLE regress_dbvc_a;
SELECT * FROM dbvc.document_check('users');
SELECT * FROM dbvc.document_count('users');
SELECT count(*) FROM dbvc.document_status;
RESET ROLE;
GRANT SELECT ON users_base, users_items TO regress_dbvc_a;
SET ROLE regress_dbvc_a;
SELECT count(*) FROM dbvc.document_check('users') WHERE NOT ok;
SELECT count(*) FROM dbvc.document_status;
RESET ROLE;
REVOKE ALL ON SCHEMA dbvc FROM regress_dbvc_a;

DROP VIEW users;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA t CASCADE;
DROP ROLE regress_dbvc_a;
