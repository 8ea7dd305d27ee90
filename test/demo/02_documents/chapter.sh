# shellcheck shell=bash
# Chapter 2: the table that the migrations of chapter 1 made is adopted: its documents become rows, and an application
# that knows nothing of it goes on. Sourced by test/demo/run, which sets $files and $tables; the words are those of
# test/demo/show.sh.
# shellcheck disable=SC2154,SC2034

here=$files/02_documents
adopting=V036__split_documents
parts='{"dreamBook": "dream", "weeklyGoals": "weekly_goal", "scoringHistory": "score",
    "connects": "connect", "careerGoals": "career_goal"}'

# old_application FILE: run it and keep what it prints
old_application() {
  demo_step="the old application ($1)"
  # errors come with the name of the file, which is a folder of this run
  demo_psql -f "$here/old_application.sql" 2>&1 | sed "s,$here/,," >"$lib_work/tmp/$1" || { cat "$lib_work/tmp/$1"; demo_fail; }
}

# small_change: bytes of WAL of one dream changed in a document of 100 KB. It is changed and changed back; the way back
# is measured, since the first write after a checkpoint has whole pages in it.
small_change() {
  demo_step='the WAL of a small change'
  lib_psql -At <<'SQL' || demo_fail
\set change 'UPDATE users SET data = jsonb_set(data, \'{dreamBook,50,title}\', to_jsonb(:\'title\'::text)) WHERE id = 44'
\set title 'Another one'
:change;
\set title 'Dream 51'
SELECT pg_current_wal_insert_lsn() AS lsn \gset
:change;
SELECT pg_current_wal_insert_lsn() - :'lsn';
SQL
}

chapter_documents() {
  local before after

  demo_database documents
  demo_step='migrations'
  lib_psql -c 'CREATE EXTENSION dbvc'
  lib_as_user cp "$files/fixed"/*.sql "$files/migrations/"
  (cd "$files" && lib_as_user dbvc migrate migrations --quiet) >/dev/null || demo_fail

  headline '1. Ten thousand documents'
  say 'The people of chapter 1, and 9,400 more. A person is a row with a document; the lists in it grow. Person 44' \
    'has 100 dreams, which makes 100 KB.'
  demo_step='ten thousand documents'
  lib_psql -c "INSERT INTO users (email, status, office_code, data)
    SELECT format('person%s@example.org', n), 'active', u.office_code, u.data || jsonb_build_object('displayName', 'Person ' || n)
    FROM generate_series(601, 10000) n JOIN users u ON u.id = 1 + n % 600" \
    -c "UPDATE users SET data = jsonb_set(data, '{dreamBook}', (SELECT jsonb_agg(jsonb_build_object('id', 'dream-' || d,
      'title', 'Dream ' || d, 'story', (SELECT string_agg(md5(format('%s %s', d, i)), ' ') FROM generate_series(1, 30) i)))
      FROM generate_series(1, 100) d)) WHERE id = 44" -c 'VACUUM ANALYZE users'
  show "SELECT count(*) AS documents, pg_size_pretty(avg(length(data::text))::bigint) AS average, pg_size_pretty(max(length(data::text))::bigint) AS largest,
       pg_size_pretty(pg_table_size('users')) AS \"table\" FROM users"
  expect 'SELECT count(*) = 10000 FROM users'

  headline '2. The old application'
  say 'It reads whole documents and writes whole documents. In this demo it is a file of psql:'
  show_file "$here/old_application.sql" 4 15
  old_application before
  printf '\n'
  cat "$lib_work/tmp/before"
  before=$(small_change)
  say "One dream of person 44 gets another title. The whole document is written again: $before bytes of WAL."

  headline '3. Adopt'
  say 'What dbvc would do with this table. It has four triggers, checks and a generated column over lists, and a role' \
    'that may read four columns. What would mean something else afterwards is refused, by name, and nothing is changed:'
  show_error "SELECT step, action FROM dbvc.document_adopt('users', '$parts', dry_run => true)" \
    'cannot be adopted' users_count_revision users_dream_book_is_list 'generated column search' people_reporting
  say 'So the next migration prepares the table, and adopts it:'
  show_file "$here/$adopting.sql" 4 50
  lib_as_user cp "$here/$adopting.sql" "$files/migrations/"
  printf '\n'
  show_dbvc 0 migrate migrations
  say 'No document has been touched yet. users is a view now, users_base the table, users_items is empty.'
  show "SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END AS is,
       pg_size_pretty(pg_total_relation_size(c.oid)) AS size
FROM pg_class c WHERE relname IN ('users', 'users_base', 'users_items') ORDER BY 1"
  expect "SELECT relkind = 'v' FROM pg_class WHERE oid = 'users'::regclass"

  headline '4. The old application again'
  say 'The same file, on the view. Whom it writes is split; everybody else is as before.'
  old_application after
  demo_step='the same output before and after'
  diff "$lib_work/tmp/before" "$lib_work/tmp/after" || demo_fail
  printf '$ diff before after\n$ \n'
  show "SELECT id, type, item_id, ord, left(data::text, 60) AS data FROM users_items WHERE id = 45 ORDER BY type, ord LIMIT 6"
  show "SELECT id, doc_version, jsonb_array_length(data -> 'dreamBook') AS dreams, length(data::text) AS length
FROM users_base WHERE id IN (44, 45)"
  expect "SELECT count(*) = 9998 FROM users_base WHERE doc_version = 0"
  after=$(small_change)
  say "Another title for one dream of person 44, by the same statement: $after bytes of WAL, where it was $before."
  demo_step="less WAL: $after, $before"
  [ "$((after * 5))" -lt "$before" ] || demo_fail

  headline '5. Items'
  say 'Items are rows with a version each. New code reads and writes one of them, old code goes on with documents.'
  show "SELECT dbvc.item_save('users', '{45}', 'dream', '{\"id\": \"d9\", \"title\": \"Walk to Rome\"}')"
  show "SELECT data -> 'dreamBook' -> -1 AS \"last dream\" FROM users WHERE id = 45"
  show "SELECT dbvc.item_delete('users', '{45}', 'dream', 'd9')"
  expect "SELECT NOT data @> '{\"dreamBook\": [{\"id\": \"d9\"}]}' FROM users WHERE id = 45"

  headline '6. The rest, in the background'
  say 'Whoever is not written stays whole, which is fine. To convert everybody: batches, each a transaction of its own,' \
    'which wait for nobody. A terminal sees a bar; another session sees dbvc.document_progress.'
  show_dbvc 0 backfill users
  show "SELECT operation, state, done, total, percent, items, errors FROM dbvc.document_progress"
  show "SELECT documents, converted, percent, items, set_aside, pg_size_pretty(bytes_before) AS before, pg_size_pretty(bytes) AS now
FROM dbvc.document_status"
  expect 'SELECT percent = 100 AND set_aside = 0 FROM dbvc.document_status'
  say 'Small items cost more room than small lists: a row has a header and two index entries. What is saved is the writing.'

  headline '7. Check'
  say 'Every document is put together from its items again and compared, and every item has its document.'
  show "SELECT * FROM dbvc.document_check('users')"
  expect "SELECT bool_and(ok) FROM dbvc.document_check('users')"
  old_application backfilled
  demo_step='the same output after converting everybody'
  diff "$lib_work/tmp/before" "$lib_work/tmp/backfilled" || demo_fail
  say 'And the old application prints what it always did.'
  printf '$ diff before backfilled\n$ \n'

  demo_psql -H -P title='Documents: one dream of a 100 KB document changed' \
    -c "SELECT 'one document' AS \"before adopting\", $before AS \"bytes of WAL\" UNION ALL SELECT 'items', $after" >>"$tables"
  demo_psql -H -P title='Documents: what was converted' \
    -c "SELECT source, documents, converted, percent, items, set_aside, pg_size_pretty(bytes_before) AS before,
               pg_size_pretty(bytes) AS now FROM dbvc.document_status" \
    -c "SELECT * FROM dbvc.document_check('users')" >>"$tables"

  headline '8. And back'
  say 'It is not for ever: the documents are joined, byte for byte, and the table is the one it was.'
  show "CALL dbvc.document_release('users')"
  show "SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END AS is
FROM pg_class c WHERE relname IN ('users', 'users_base', 'users_items') ORDER BY 1"
  old_application released
  demo_step='the same output after releasing'
  diff "$lib_work/tmp/before" "$lib_work/tmp/released" || demo_fail
  printf '$ diff before released\n$ \n'
}

chapter_documents
