# shellcheck shell=bash
# The cases of snapshots, sourced by run.sh: a schema of 100, 1000 and 10,000 tables (snapshots.sql says what it has).
#
#   bare         count(*) over the ten largest catalogs: what reading them costs
#   pg_dump      pg_dump --schema-only
#   jsonb        a query over the catalogs that makes one jsonb of them: what one writes without dbvc
#   full         the fingerprint from nothing; capture: a snapshot into an empty store
#   same, one    fingerprint, capture and drift when nothing, or one table, has changed since the last snapshot
#   diff         of two snapshots with five differences
#
# A figure is that of a new session, whose caches are empty, as for a check in CI; "again" is that of a session that has done
# it before. A capture that is measured is rolled back.
#
# run.sh and lib.sh have the other variables:
# shellcheck disable=SC2154,SC2034

read -ra snapshot_sizes <<<"${DBVC_BENCH_TABLES:-100 1000 10000}"

make_snapshots() { # make_snapshots TABLES
  local db=bench_snapshots_$1
  [ "$(lib_psql -d postgres -Atc "SELECT 1 FROM pg_database WHERE datname = '$db'")" != 1 ] || return 0
  fresh "$db"
  lib_psql -d "$db" -v tables="$1" -f - <"$lib_top/test/bench/snapshots.sql"
}

# The first time and the fastest of the others in one new session
snapshot_ms() { # snapshot_ms CASE VARIANT ROUND DATABASE STATEMENT
  local all
  all=$(statement_ms "$4" 4 "$5")
  record "$1" "$2" "$3" "$(head -n 1 <<<"$all")"
  record "$1 again" "$2" "$3" "$(tail -n +2 <<<"$all" | middle)"
}

snapshot_table() { # snapshot_table CASE TITLE VARIANT...
  local what=$1 title=$2 variant
  shift 2
  printf '\n%s\n  %-22s %10s %10s %12s %12s %12s %14s\n' "$title" '' ms best 'time / bare' 'ms, again' '/ bare' 'in the rounds'
  for variant; do
    printf '  %-22s %10s %10s %12s %12s %12s  %s\n' "$variant" "$(figure "$what" "$variant" median)" "$(figure "$what" "$variant" best)" \
      "$(ratio "$what" "$variant" bare)" "$(figure "$what again" "$variant" median)" "$(ratio "$what again" "$variant" bare)" \
      "$(ratios "$what" "$variant" bare | sed -n '1h; $ { x; G; s/\n/ to /; p; }')"
  done
}

case_snapshot() {
  local n db round variant what first second changes
  local -A sql=(
    [bare]='SELECT * FROM bench.bare'
    [jsonb]='SELECT document FROM bench.document'
    [full]='SELECT dbvc.snapshot_fingerprint("full" => true)'
    [capture]='BEGIN\; SELECT dbvc.snapshot_capture()\; ROLLBACK'
    [fingerprint]='SELECT dbvc.snapshot_fingerprint()'
    [drift]='BEGIN\; SELECT * FROM dbvc.snapshot_drift()\; ROLLBACK'
  )
  for n in "${snapshot_sizes[@]}"; do
    make_snapshots "$n"
    db=bench_snapshots_$n what="snapshot $n"
    settle
    for ((round = 1; round <= rounds; round++)); do
      for variant in $(in_turn "$round" bare pg_dump jsonb full capture); do
        if [ "$variant" = pg_dump ]; then
          record "$what" pg_dump "$round" "$(program_ms "$lib_work" pg_dump --schema-only -f /dev/null "$db")"
        else snapshot_ms "$what" "$variant" "$round" "$db" "${sql[$variant]}"; fi
      done
    done
    snapshot_table "$what" "$n tables, from nothing" bare pg_dump jsonb full capture

    first=$(lib_psql -d "$db" -Atc 'SELECT dbvc.snapshot_capture()')
    for changes in same one; do
      [ $changes = same ] || lib_psql -d "$db" -c 'ALTER TABLE app.table_7 ADD added int DEFAULT 3'
      for ((round = 1; round <= rounds; round++)); do
        for variant in $(in_turn "$round" bare fingerprint capture drift); do
          snapshot_ms "$what $changes" "$variant" "$round" "$db" "${sql[$variant]}"
        done
      done
    done
    snapshot_table "$what same" "$n tables, nothing has changed since the last snapshot" bare fingerprint capture drift
    snapshot_table "$what one" "$n tables, a column was added to one of them" bare fingerprint capture drift

    lib_psql -d "$db" -c 'DROP INDEX app.table_11_lower_idx' -c 'CREATE TABLE app.one_more (a int)' -c "COMMENT ON TABLE app.table_50 IS 'another'" \
      -c 'ALTER TABLE app.table_99 RENAME note TO notes'
    second=$(lib_psql -d "$db" -Atc 'SELECT dbvc.snapshot_capture()')
    [ "$(lib_psql -d "$db" -Atc "SELECT count(*) FROM dbvc.snapshot_diff('$first', '$second')")" = 5 ] || lib_die 'the diff does not say five differences'
    for ((round = 1; round <= rounds; round++)); do
      for variant in $(in_turn "$round" bare full diff); do
        snapshot_ms "$what diff" "$variant" "$round" "$db" "${sql[$variant]:-SELECT * FROM dbvc.snapshot_diff('$first', '$second')}"
      done
    done
    snapshot_table "$what diff" "$n tables, five differences between two snapshots" bare full diff
  done

  printf '\nmicroseconds a table, from nothing\n  %-22s' ''
  printf ' %12s' "${snapshot_sizes[@]}"
  for variant in bare pg_dump jsonb full capture; do
    printf '\n  %-22s' "$variant"
    for n in "${snapshot_sizes[@]}"; do printf ' %12s' "$(figure "snapshot $n" "$variant" median 1000 "$n")"; done
  done
  printf '\n'
  snapshot_memory
  for n in "${snapshot_sizes[@]}"; do
    [ "$n" -ge 1000 ] || continue
    goal_least "$n tables, from nothing: pg_dump / fingerprint" "$(faster "snapshot $n" full pg_dump)" 5
    goal_least "$n tables, from nothing: pg_dump / capture" "$(faster "snapshot $n" capture pg_dump)" 5
    goal_least "$n tables, from nothing: jsonb / fingerprint" "$(faster "snapshot $n" full jsonb)" 4
    for changes in same one; do
      for variant in fingerprint capture drift; do
        goal "$n tables, $(case $changes in same) echo nothing ;; one) echo one table ;; esac) changed: $variant / bare" "$(ratio "snapshot $n $changes" "$variant" bare)" 3
      done
    done
    goal "$n tables, five differences: diff / full" "$(ratio "snapshot $n diff" diff full)" 0.05
  done
}

snapshot_memory() {
  local n documents_db
  printf '\nprivate memory of the backend at its peak, MB (a new session has %s)\n' "$(documents_db=bench_snapshots_${snapshot_sizes[0]} peak_mb 'SELECT 1')"
  printf '  %-22s %12s %12s %12s\n' tables full fingerprint jsonb
  for n in "${snapshot_sizes[@]}"; do
    documents_db=bench_snapshots_$n
    printf '  %-22s %12s %12s %12s\n' "$n" "$(peak_mb 'SELECT dbvc.snapshot_fingerprint("full" => true)')" \
      "$(peak_mb 'SELECT dbvc.snapshot_fingerprint()')" "$(peak_mb 'SELECT document FROM bench.document')"
  done
}
