# shellcheck shell=bash
# Chapter 3: the schema is compared: somebody changes it by hand, which shows; a migration whose down script forgets a
# column is not applied. Sourced by test/demo/run, which sets $files and $tables; the words are those of
# test/demo/show.sh.
# shellcheck disable=SC2154,SC2034

here=$files/03_snapshots
badges=V036__badges

chapter_snapshots() {
  local before after

  demo_database snapshots
  lib_psql -c 'CREATE EXTENSION dbvc'
  # chapter 2 adds a migration of its own
  lib_as_user cp -r "$files/migrations" "$here/people"
  lib_as_user cp "$files/fixed"/*.sql "$here/people/"
  lib_as_user rm -f "$here/people"/*036*

  headline '1. A snapshot after each run'
  say 'The migrations of chapter 1 are applied to a new database. When a run is done, dbvc keeps the schema as it is' \
    'then: what each object is, as canonical JSON under its hash. What has not changed is not stored again.'
  demo_step='migrations'
  (cd "$files" && lib_as_user dbvc migrate 03_snapshots/people --quiet) >/dev/null 2>&1 || demo_fail
  show 'SELECT id, label, objects, left(encode(fingerprint, $$hex$$), 16) AS fingerprint FROM dbvc.snapshot'
  show "SELECT object_type, count(*), min(identity) AS \"for example\" FROM dbvc.snapshot_objects() GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 8"
  show_dbvc 0 drift
  expect 'SELECT count(*) = 1 FROM dbvc.snapshot'

  headline '2. Somebody was faster than the review'
  say 'Late in the evening, on production, by hand:'
  show 'ALTER TABLE users ADD COLUMN vip boolean DEFAULT false'
  show 'DROP INDEX users_display_name_idx'
  say 'And some things that change no definition:'
  show 'VACUUM FULL users'
  show 'REINDEX TABLE users'
  show 'ALTER TABLE users OWNER TO CURRENT_USER'
  say 'Is the database what the migrations say it is? The exit status is for a job that has to know:'
  show_dbvc 1 drift
  expect_output 'vip' 'users_display_name_idx'
  show "SELECT change, object_type, identity FROM dbvc.snapshot_diff((SELECT id FROM dbvc.snapshot))"
  expect "SELECT array_agg(change || ' ' || identity ORDER BY identity) = '{created public.users.vip,dropped public.users_display_name_idx}'
          FROM dbvc.snapshot_diff((SELECT id FROM dbvc.snapshot))"
  demo_psql -H -P title='Snapshots: what was changed by hand' \
    -c "SELECT change, object_type, identity, coalesce(after, before) AS definition FROM dbvc.snapshot_diff((SELECT id FROM dbvc.snapshot))" >>"$tables"
  say 'That it was found is in the history:'
  show "SELECT event_type, to_char(dbvc.event_time(body, 'created_at'), 'YYYY-MM-DD HH24:MI') AS at, dbvc.event_text(body, 'role') AS found_by
FROM dbvc.change_event WHERE event_type = 'drift'"
  expect "SELECT count(*) = 1 FROM dbvc.change_event WHERE event_type = 'drift'"
  say 'It is taken back:'
  show 'ALTER TABLE users DROP COLUMN vip'
  show 'CREATE INDEX users_display_name_idx ON users (display_name text_pattern_ops)'
  show_dbvc 0 drift

  headline '3. A down script that forgets something'
  say 'A new migration. Its down script drops the table, which takes the index, the check and the grant with it.' \
    'Do you see what it forgets?'
  show_file "$here/$badges.sql" 4 16
  printf '\n'
  show_file "$here/U036__badges.sql" 1 1
  lib_as_user cp "$here/$badges.sql" "$here/U036__badges.sql" "$here/people/"
  say 'A rehearsal runs up and down and compares all definitions with those before:'
  show_dbvc 1 migrate 03_snapshots/people --rehearse
  expect_output 'does not restore the definitions' 'badge_count' 'comment'
  say 'Nothing of it stays: no table, no column, no drift. Only the record:'
  show_dbvc 0 drift
  show "SELECT id, direction, ok, error_sqlstate FROM dbvc.migration_rehearsal"
  expect "SELECT to_regclass('badges') IS NULL"
  expect "SELECT status = 'pending' FROM dbvc.migration_status WHERE id = '$badges'"
  demo_psql -H -P title='Snapshots: what the down script forgot' -c 'SELECT id, error_message, error_detail FROM dbvc.migration_rehearsal' >>"$tables"

  headline '4. Mended'
  lib_as_user cp "$here/U036__badges.mended.sql" "$here/people/U036__badges.sql"
  show_file "$here/people/U036__badges.sql" 1 3
  printf '\n'
  show_dbvc 0 migrate 03_snapshots/people --rehearse
  expect_output 'rehearsed: its down script restores the definitions'
  say 'And the proof is worth something: the way back leads to the very fingerprint.'
  show_dbvc 0 rollback
  show 'SELECT label, objects, left(encode(fingerprint, $$hex$$), 16) AS fingerprint FROM dbvc.snapshot'
  expect "SELECT count(DISTINCT fingerprint) = 2 AND count(*) = 3 FROM dbvc.snapshot"

  headline '5. And the others?'
  say 'Down scripts of migrations that were applied long ago can be tried too: back and forth again, the newest first,' \
    'in a subtransaction that is rolled back.'
  show "SELECT id, ok, left(split_part(detail, E'\\n', 1), 70) AS detail FROM dbvc.migration_verify(scripts => false, reversal => true)
WHERE \"check\" = 'reversal' ORDER BY id DESC LIMIT 8"
  show_dbvc 0 drift
  demo_psql -H -P title='Snapshots: which migrations can be taken back' \
    -c "SELECT id, ok, detail FROM dbvc.migration_verify(scripts => false, reversal => true) WHERE \"check\" = 'reversal'" >>"$tables"
}

chapter_snapshots
