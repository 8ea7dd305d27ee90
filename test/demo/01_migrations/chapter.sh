# shellcheck shell=bash
# Chapter 1: a directory of Flyway-style files, applied by the client, failed, mended, rolled back, verified.
# Sourced by test/demo/run, which sets $files and $tables; the words are those of test/demo/show.sh.
# shellcheck disable=SC2154,SC2034

migrations=$files/migrations
planted=V027__mentoring_pairs

# The table that a person looks at
status_query="SELECT id, status, version AS ver, author, applied_by,
       to_char(applied_at, 'YYYY-MM-DD HH24:MI:SS') AS applied_at,
       round(1000 * extract(epoch FROM duration), 1) AS ms
FROM dbvc.migration_status"

chapter_migrations() {
  local file line

  demo_database people

  headline '1. Into the database'
  say 'dbvc is an ordinary extension: no setting to change, no restart, nothing preloaded.'
  show 'CREATE EXTENSION dbvc'

  headline '2. The directory'
  say 'Flyway-style files of an application that keeps people as JSON documents. V is applied, R again' \
    'whenever it changes; U files undo and verify/ files check V files of the same name.'
  (cd "$migrations" && printf '%s\n' V*.sql R*.sql) | pr -3 -t -w 108 | expand | sed 's/ *$//'
  printf '\n%s undo files, %s verify files\n' \
    "$(find "$migrations" -name 'U*.sql' | wc -l)" "$(find "$migrations/verify" -name '*.sql' | wc -l)"
  say 'dbvc reads it as it is, also the layouts of golang-migrate, Diesel, dbmate and goose. What would happen:'
  show_dbvc 0 plan migrations --target V006__seed_teams
  say 'Nothing is registered yet: a plan leaves no trace. A reviewer can sign its hash (migrate --expect).'
  expect 'SELECT count(*) = 0 FROM dbvc.change_event'

  headline '3. Dry run'
  say 'A dry run executes it for real and takes it back: locks, errors and times are those of this database.'
  show_dbvc 0 migrate migrations --target V006__seed_teams --dry-run
  show "SELECT to_regclass('users') AS users, to_regclass('teams') AS teams"
  expect "SELECT to_regclass('users') IS NULL"
  show 'SELECT kind, status, count(*), count(DISTINCT author) AS authors
FROM dbvc.migration_status GROUP BY kind, status ORDER BY kind DESC'

  headline '4. Apply'
  say 'One of the files has a mistake. Each migration is a transaction of its own.'
  show_dbvc 1 migrate migrations
  expect_output "$planted.sql:25:7: error: column u.office does not exist" '^'
  say 'Everything before it is applied, it has left nothing half done, and nothing after it was tried.'
  show "SELECT status, count(*), min(id) AS first, max(id) AS last
FROM dbvc.migration_status WHERE kind = 'versioned' GROUP BY status ORDER BY min(id)"
  show "SELECT to_regtype('mentoring_state') AS type, to_regclass('mentoring_pairs') AS pairs"
  expect "SELECT to_regtype('mentoring_state') IS NULL AND to_regclass('mentoring_pairs') IS NULL"
  expect "SELECT count(*) = 26 FROM dbvc.migration_status WHERE status = 'applied'"
  expect "SELECT status = 'failed' FROM dbvc.migration_status WHERE id = '$planted'"

  headline '5. Mend and go on'
  diff "$migrations/$planted.sql" "$files/fixed/$planted.sql" || true
  lib_as_user cp "$files/fixed/$planted.sql" "$migrations/$planted.sql"
  say 'It was never applied, so its content may change: that is version 2.'
  show_dbvc 0 migrate migrations
  show "SELECT id, version, encode(checksum, 'hex') AS checksum
FROM dbvc.migration_version WHERE id = '$planted' ORDER BY version"
  show_dbvc 0 check migrations
  expect "SELECT bool_and(status = 'applied') FROM dbvc.migration_status"

  headline '6. What cannot run in a transaction'
  say 'V025 adds a column, builds two indexes CONCURRENTLY and comments on one. dbvc split it into steps;' \
    'a background worker ran those that need the top level. V030 detached a partition the same way.'
  show_file "$migrations/V025__email_domain.sql" 4 12
  printf '\n'
  show "SELECT indexrelid::regclass AS index, indisvalid AS valid, indisready AS ready
FROM pg_index WHERE indexrelid::regclass::text IN ('users_email_domain_idx', 'users_status_office_idx')"
  expect "SELECT count(*) = 2 FROM pg_index
          WHERE indexrelid::regclass::text IN ('users_email_domain_idx', 'users_status_office_idx') AND indisvalid"
  show "SELECT id, direction, status, statements, application_name
FROM dbvc.migration_run WHERE id LIKE 'V025%' OR id LIKE 'V030%'"

  headline '7. What was applied stays what it was'
  say 'Someone edits a file that is applied already: one byte, and puts size and time back.'
  lib_as_user sh -c "cp -p '$migrations/V002__create_teams.sql' '$lib_work/tmp/as_it_was' &&
    sed -i 's/CREATE TABLE teams/CREATE TABLE Teams/' '$migrations/V002__create_teams.sql' &&
    touch -r '$lib_work/tmp/as_it_was' '$migrations/V002__create_teams.sql'"
  show_dbvc 1 check migrations
  expect_output 'changed migrations/V002__create_teams.sql'
  show_dbvc 1 migrate migrations
  lib_as_user cp -p "$lib_work/tmp/as_it_was" "$migrations/V002__create_teams.sql"
  say 'The file is put back; that it was found otherwise stays in the history.'
  show_dbvc 0 check migrations
  show "SELECT event_type, migration_id FROM dbvc.change_event WHERE event_type = 'changed'"
  expect "SELECT count(*) = 1 FROM dbvc.change_event WHERE event_type = 'changed'"
  say 'History is added to, never edited, not even by a superuser in a hurry:'
  show_error "DELETE FROM dbvc.change_event" 'append-only'

  headline '8. Roll back'
  show_dbvc 0 rollback --steps 2
  show "$status_query
WHERE status = 'rolled back'"
  expect "SELECT count(*) = 2 FROM dbvc.migration_status WHERE status = 'rolled back'"

  headline '9. Verify'
  say 'Checksums are computed again, and the verify scripts run in a subtransaction that is rolled back.'
  show_dbvc 0 verify
  show 'SELECT "check", ok, count(*), min(id) AS first, max(id) AS last
FROM dbvc.migration_verify() GROUP BY "check", ok ORDER BY 1, 2'
  expect 'SELECT bool_and(ok) FROM dbvc.migration_verify()'

  headline '10. The application'
  say 'What the migrations did to a document: V027 took the mentor out of the development plan, V033 rounded' \
    'the progress of the career goals. The first dream is shown, and how long the other lists are.'
  show "SELECT jsonb_pretty(jsonb_build_object(
    'displayName', data -> 'displayName',
    'dreamBook', jsonb_build_array(data #> '{dreamBook,0}'),
    'careerGoals', data -> 'careerGoals',
    'developmentPlan', data -> 'developmentPlan',
    'weeklyGoals', jsonb_array_length(data -> 'weeklyGoals'),
    'scoringHistory', jsonb_array_length(data -> 'scoringHistory'),
    'connects', jsonb_array_length(data -> 'connects'))) AS document
FROM users WHERE id = 43"
  expect "SELECT NOT data -> 'developmentPlan' ? 'mentor' FROM users WHERE id = 43"

  headline '11. Where we are'
  show_dbvc 0 status

  demo_psql -H -P title='Status of the migrations' -c "$status_query" >>"$tables"
  demo_psql -H -P title='Runs' \
    -c "SELECT id, direction, status, version, to_char(started_at, 'HH24:MI:SS.MS') AS started,
               round(1000 * extract(epoch FROM completed_at - started_at), 1) AS ms, statements
        FROM dbvc.migration_run" >>"$tables"
}

chapter_migrations
