# shellcheck shell=bash
# Chapter 1: a directory of Flyway-style files, registered, applied, failed, mended, rolled back, verified.
# Sourced by test/demo/run, which sets $files and $tables; the words are those of test/demo/show.sh.
# shellcheck disable=SC2154,SC2034

migrations=$files/migrations
planted=V027__mentoring_pairs

# register ID UP-FILE: with the undo and verify files that belong to it
register() {
  local id=$1 up=$2 down=/dev/null verify=/dev/null kind=versioned author
  if [ -e "$migrations/U${id#V}.sql" ]; then down=$migrations/U${id#V}.sql; fi
  if [ -e "$migrations/verify/$id.sql" ]; then verify=$migrations/verify/$id.sql; fi
  if [ "${id#R__}" != "$id" ]; then kind=repeatable down=/dev/null; fi
  author=$(sed -n 's/^-- Author: \([^[:space:]]*\).*/\1/p' "$up" | head -n 1)
  demo_step="register $id"
  lib_psql -At -v id="$id" -v kind="$kind" -v author="$author" \
    -v up_file="$up" -v down_file="$down" -v verify_file="$verify" \
    -f "$files/01_migrations/register.psql" || demo_fail
}

# register_error ID UP-FILE: the same, but it has to fail
register_error() {
  local out
  if out=$(register "$1" "$2" 2>&1); then
    demo_step="register $1 with other content (should have failed)"
    demo_fail
  fi
  printf '%s\n' "$out" | grep -v '^$\|^demo: ' | sed 's/^psql:[^ ]* //' | fold -s -w "$demo_width"
}

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

  headline '2. Register'
  say 'A directory of Flyway-style files of an application that keeps people as JSON documents. V is' \
    'applied, R again whenever it changes; U files undo and verify/ files check V files of the same name.'
  (cd "$migrations" && printf '%s\n' V*.sql R*.sql) | pr -3 -t -w 108 | expand | sed 's/ *$//'
  printf '\n%s undo files, %s verify files\n' \
    "$(find "$migrations" -name 'U*.sql' | wc -l)" "$(find "$migrations/verify" -name '*.sql' | wc -l)"
  say 'Each goes in by one call. psql reads the files, so this works from any machine:'
  cat "$files/01_migrations/register.psql"
  printf '\n'
  for file in "$migrations"/[VR]*.sql; do
    register "$(basename "$file" .sql)" "$file"
  done | paste -sd ' ' | fold -s -w "$demo_width" | sed 's/ *$//'
  printf '\n'
  show 'SELECT kind, status, count(*), count(DISTINCT author) AS authors
FROM dbvc.migration_status GROUP BY kind, status ORDER BY kind DESC'
  say 'The same content again changes nothing: no new version.'
  printf "%s=# \\\\ir register.psql\n" "$PGDATABASE"
  register V001__create_users "$migrations/V001__create_users.sql"
  expect "SELECT count(*) = 1 FROM dbvc.migration_version WHERE id = 'V001__create_users'"

  headline '3. Plan'
  say 'What would be applied, in which order; a reviewer can sign the hash of it.'
  show "SELECT * FROM dbvc.migration_plan(target => 'V006__seed_teams')"
  say 'A dry run executes it for real and takes it back: locks, errors and times are those of this database.'
  show "CALL dbvc.migrate(target => 'V006__seed_teams', dry_run => true)"
  show "SELECT to_regclass('users') AS users, to_regclass('teams') AS teams"
  expect "SELECT to_regclass('users') IS NULL"

  headline '4. Apply'
  say 'One of the files has a mistake. Each migration is a transaction of its own.'
  line=$(grep -n 'u\.office = ' "$migrations/$planted.sql" | cut -d: -f1)
  show_error 'CALL dbvc.migrate()' 'u.office' "$planted" "line $line"
  say "This is $planted.sql:"
  show_file "$migrations/$planted.sql" 18 28 "$line"
  say 'Everything before it is applied, it has left nothing half done, and nothing after it was tried.'
  show "SELECT status, count(*), min(id) AS first, max(id) AS last
FROM dbvc.migration_status WHERE kind = 'versioned' GROUP BY status ORDER BY min(id)"
  show "SELECT to_regtype('mentoring_state') AS type, to_regclass('mentoring_pairs') AS pairs"
  expect "SELECT to_regtype('mentoring_state') IS NULL AND to_regclass('mentoring_pairs') IS NULL"
  expect "SELECT count(*) = 26 FROM dbvc.migration_status WHERE status = 'applied'"
  expect "SELECT status = 'failed' FROM dbvc.migration_status WHERE id = '$planted'"

  headline '5. Mend and go on'
  diff "$migrations/$planted.sql" "$files/fixed/$planted.sql" || true
  say 'It was never applied, so its content may change: that is version 2.'
  register "$planted" "$files/fixed/$planted.sql" >/dev/null
  show "SELECT id, version, encode(checksum, 'hex') AS checksum
FROM dbvc.migration_version WHERE id = '$planted' ORDER BY version"
  show 'CALL dbvc.migrate()'
  show 'SELECT kind, status, count(*), min(id) AS first, max(id) AS last
FROM dbvc.migration_status GROUP BY kind, status ORDER BY kind DESC'
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
  say 'Someone edits a file that is applied already:'
  printf "%s=# -- V002__create_teams.sql with one more column, registered again\n" "$PGDATABASE"
  sed 's/^    name       text NOT NULL,/&\n    motto      text,/' "$migrations/V002__create_teams.sql" |
    lib_as_user tee "$lib_work/V002__create_teams.sql" >/dev/null
  register_error V002__create_teams "$lib_work/V002__create_teams.sql"
  say 'History is added to, never edited, not even by a superuser in a hurry:'
  show_error "DELETE FROM dbvc.change_event" 'append-only'

  headline '8. Roll back'
  show 'CALL dbvc.rollback(steps => 2)'
  show "$status_query
WHERE status = 'rolled back'"
  expect "SELECT count(*) = 2 FROM dbvc.migration_status WHERE status = 'rolled back'"

  headline '9. Verify'
  say 'Checksums are computed again, and the verify scripts run in a subtransaction that is rolled back.'
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
  show "$status_query"

  demo_psql -H -P title='Status of the migrations' -c "$status_query" >>"$tables"
  demo_psql -H -P title='Runs' \
    -c "SELECT id, direction, status, version, to_char(started_at, 'HH24:MI:SS.MS') AS started,
               round(1000 * extract(epoch FROM completed_at - started_at), 1) AS ms, statements
        FROM dbvc.migration_run" >>"$tables"
}

chapter_migrations
