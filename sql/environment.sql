--
-- dbvc.environment and dbvc.database_id
--
CREATE EXTENSION dbvc;
\pset null '(null)'
SELECT id FROM dbvc.migration_register('e1', 'CREATE TABLE env_all ()', 'DROP TABLE env_all');
SELECT id FROM dbvc.migration_register('e2', 'CREATE TABLE env_dev ()', 'DROP TABLE env_dev', environments => '{dev,test}');
SELECT id FROM dbvc.migration_register('e3', 'CREATE TABLE env_prod ()', 'DROP TABLE env_prod', environments => '{prod}');
SELECT id FROM dbvc.migration_register('e4', 'SELECT 1', kind => 'repeatable', environments => '{dev}');
-- unset: only those for all
SHOW dbvc.environment;
SELECT id FROM dbvc.migration_plan();
CALL dbvc.migrate();
CALL dbvc.migrate();
SET dbvc.environment = 'prod';
SELECT id FROM dbvc.migration_plan();
CALL dbvc.migrate();
SET dbvc.environment = 'dev';
-- it was not pending where it was not wanted, but it is late now
CALL dbvc.migrate();
CALL dbvc.migrate(out_of_order => true);
SELECT id, status, environments FROM dbvc.migration_status;
SELECT id, environment FROM dbvc.migration_run ORDER BY event_id;
SELECT event_type, migration_id, dbvc.event_text(body, 'environment') AS environment FROM dbvc.change_event ORDER BY id;
-- by name, one at a time: it does not apply what is for elsewhere
SELECT id FROM dbvc.migration_register('e5', 'SELECT 1', environments => '{prod}');
SELECT status FROM dbvc.migration_apply('e5');
SELECT id, status FROM dbvc.migration_status WHERE id = 'e5';
CALL dbvc.migrate(target => 'e5');
-- to require what is not for here
SELECT id FROM dbvc.migration_register('e6', 'SELECT 1', requires => '{e5}');
CALL dbvc.migrate();
SELECT id FROM dbvc.migration_plan();
SET dbvc.environment = 'prod';
CALL dbvc.migrate();
-- the list of environments can be changed, and changes nothing else
SET dbvc.environment = 'dev';
SELECT id FROM dbvc.migration_register('e6a', 'SELECT 1', environments => '{prod}');
CALL dbvc.migrate();
SELECT id, environments FROM dbvc.migration_register('e6a', 'SELECT 1', environments => '{prod,dev}');
SELECT id, status, environments FROM dbvc.migration_status WHERE id = 'e6a';
SELECT count(DISTINCT checksum) FROM dbvc.migration_version WHERE id = 'e6a';
CALL dbvc.migrate();
SELECT id, environments FROM dbvc.migration_register('e6a', 'SELECT 1');
SELECT id, status, environments FROM dbvc.migration_status WHERE id = 'e6a';
-- names are exact
SET dbvc.environment = 'Prod';
SELECT id FROM dbvc.migration_register('e7', 'SELECT 1', environments => '{prod}');
CALL dbvc.migrate();
-- the database's name on records
SET dbvc.database_id = 'people-eu';
SELECT database_id, environment FROM dbvc.migration_register('e8', 'SELECT 1');
SELECT document->>'databaseId' FROM dbvc.version_control WHERE id = 'e8';
RESET dbvc.database_id;
RESET dbvc.environment;
SELECT database_id = current_database() AS own_name, environment FROM dbvc.migration_register('e9', 'SELECT 1');
-- from the database's settings, for a session that did not set it
SELECT format('ALTER DATABASE %I SET dbvc.environment = ''prod''', current_database()) \gexec
\c -
\pset null '(null)'
CALL dbvc.migrate();
SELECT id, environment FROM dbvc.migration_run WHERE id >= 'e6' ORDER BY event_id;
SELECT format('ALTER DATABASE %I RESET dbvc.environment', current_database()) \gexec
DROP TABLE env_all, env_dev, env_prod;
DROP EXTENSION dbvc CASCADE;
DROP SCHEMA dbvc;
