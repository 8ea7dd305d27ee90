#!/bin/bash
# test/bench/run.sh [CASE...]   what dbvc costs beside the alternatives: what `make bench` does
#
#   apply      1000 small migrations: dbvc, a DO block, a psql session, sqitch, dbmate; and all of them again
#   idle       CALL dbvc.migrate() with nothing to do, 1000 and 10,000 applied
#   register   1000 to 10,000 migrations, in one transaction and in one each: is it linear?
#   overhead   3000 migrations of SELECT 1: what dbvc does beside the script
#   plan       the plan and the status of 10,000
#   client     1000 migration files: the program dbvc, a psql session, and the tools of DBVC_BENCH_TOOLS
#   client-again   the same with all of them applied, and dbvc with 10,000 files
#   documents  an adopted table beside whole documents, triggers, and what is physically possible. Its parts:
#              documents-write, -large, -small (one at a time; 100, 1000 and 5 items), -read, -bulk, -backfill, -empty
#   documents-memory   a document of 100 MB, and a statement of a million; not among all
#   snapshot   schemas of 100 to 10,000 tables: fingerprint, capture, drift and diff beside pg_dump, a query that
#              makes one jsonb, and the bare reading of the catalogs
#
# Everything is measured in this run, on a throw-away server with fsync; the variants of a round run one
# after another, in an order that moves on by one each round. A time is the median over the rounds, a
# ratio the median of the rounds' own ratios: on a busy machine ratios hold where times do not. Ends with
# the goals and whether they were met, and never fails for being slow. Everything takes about twenty minutes.
#
# What one may set, besides what test/lib.sh heeds: DBVC_BENCH_ROUNDS (5), DBVC_BENCH_N (1000 migrations
# to apply), DBVC_BENCH_TABLES (100 1000 10000: the schemas of snapshot), DBVC_BENCH_TOOLS (sqitch dbmate node-pg-migrate
# postgrator liquibase; empty for none). What cannot be installed is left out, loudly.
set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=test/bench/tools.sh
. "$(dirname "$0")/tools.sh"
# shellcheck source=test/bench/client.sh
. "$(dirname "$0")/client.sh"
# shellcheck source=test/bench/documents.sh
. "$(dirname "$0")/documents.sh"
# shellcheck source=test/bench/snapshots.sh
. "$(dirname "$0")/snapshots.sh"

rounds=${DBVC_BENCH_ROUNDS:-5}
count=${DBVC_BENCH_N:-1000}
read -ra wanted_tools <<<"${DBVC_BENCH_TOOLS-${all_tools[*]}}"
goals=()

# ---- measuring ----

# record CASE VARIANT ROUND MS: one measurement; everything is computed from these
record() {
  [ -n "$4" ] || lib_die "not measured: $1 $2"
  printf '%s\t%s\t%s\t%s\n' "$@" >>"$lib_work/measured"
}

# figure CASE VARIANT median|best [TIMES [PER]]: over the rounds, TIMES / PER
figure() {
  awk -F'\t' -v c="$1" -v v="$2" -v times="${4:-1}" -v per="${5:-1}" '
    $1 == c && $2 == v { print $4 * times / per }' "$lib_work/measured" |
    sort -g | awk -v what="$3" '{ x[NR] = $1 }
      END { if (NR) printf "%.4g", what == "best" ? x[1] : NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2 }'
}

# ratios CASE VARIANT BASE: those of the rounds, the smallest first
ratios() {
  awk -F'\t' -v c="$1" -v v="$2" -v b="$3" '$1 == c && $2 == v { x[$3] = $4 } $1 == c && $2 == b { y[$3] = $4 }
    END { for (r in x) if (y[r] > 0) printf "%.3f\n", x[r] / y[r] }' "$lib_work/measured" | sort -g
}

# ratio CASE VARIANT BASE: the median of the rounds' ratios; empty if there is nothing to compare
ratio() {
  ratios "$@" | awk '{ x[NR] = $1 } END { if (NR) printf "%.3f", NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2 }'
}

# goal TEXT VALUE MOST: a line of the last table; VALUE empty: not measured
goal() {
  local verdict
  if [ -z "$2" ]; then verdict='not measured'
  else verdict=$(awk -v a="$2" -v b="$3" 'BEGIN { print a <= b ? "met" : "MISSED" }'); fi
  goals+=("$(printf '%-68s %9s  goal %s %-6s %s' "$1" "${2:--}" '<=' "$3" "$verdict")")
}

# goal_least TEXT VALUE LEAST: the same for what may not be less
goal_least() {
  local verdict
  if [ -z "$2" ]; then verdict='not measured'
  else verdict=$(awk -v a="$2" -v b="$3" 'BEGIN { print (a >= b) ? "met" : "MISSED" }'); fi
  goals+=("$(printf '%-68s %9s  goal %s %-6s %s' "$1" "${2:--}" '>=' "$3" "$verdict")")
}

# in_turn ROUND VARIANT...: the variants, begun with another one each round
in_turn() {
  local round=$1 i
  shift
  for ((i = 0; i < $#; i++)); do
    local at=$(((i + round) % $# + 1))
    printf '%s\n' "${!at}"
  done
}

# Milliseconds between the first and the last statement of a file in one session
session_ms() { # session_ms DATABASE FILE
  { echo 'SELECT pg_catalog.clock_timestamp() AS bench_from \gset'
    cat "$2"
    echo "SELECT EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - :'bench_from') * 1000 AS bench_ms \\gset"
    printf '%s\n' '\echo bench_ms :bench_ms'; } |
    lib_psql -d "$1" -f - 2>"$lib_work/err.log" | sed -n 's/^bench_ms //p'
  [ "${PIPESTATUS[1]}" = 0 ] || { cat "$lib_work/err.log"; lib_die "failed: $2"; }
}

# Milliseconds of one statement, TIMES times in one session, one a line, as psql measures them
statement_ms() { # statement_ms DATABASE TIMES STATEMENT
  local i
  { printf '\\o /dev/null\n\\timing on\n'; for ((i = 0; i < $2; i++)); do printf '%s;\n' "$3"; done; } |
    lib_psql -d "$1" -f - 2>/dev/null | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'
}
middle() { sort -g | awk '{ x[NR] = $1 } END { print NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2 }'; }

fresh() { # fresh DATABASE [TEMPLATE]
  lib_psql -d postgres -c "DROP DATABASE IF EXISTS $1" -c "CREATE DATABASE $1 TEMPLATE ${2:-bench_empty}" 2>/dev/null
}
settle() { lib_psql -d postgres -c CHECKPOINT; }

# ---- the server and the tools ----

bench_server() {
  lib_server
  lib_as_user tee -a "$lib_work/data/postgresql.conf" >/dev/null <<'CONF'
fsync = on
synchronous_commit = on
full_page_writes = on
autovacuum = off
jit = off
max_parallel_workers_per_gather = 0
shared_buffers = '512MB'
min_wal_size = '2GB'
max_wal_size = '4GB'
checkpoint_timeout = '30min'
max_locks_per_transaction = 512
CONF
  lib_as_user pg_ctl -D "$lib_work/data" -l "$lib_work/server.log" -s -w restart </dev/null
  lib_psql -d postgres -c 'CREATE DATABASE bench_empty'
  lib_psql -d bench_empty -c 'CREATE EXTENSION dbvc'
}

# ---- apply ----

make_registered() {
  local i dir=$lib_work/migrations
  make_texts "$count"
  lib_as_user mkdir -p "$dir"
  for i in "${!texts[@]}"; do
    printf '%s;\n' "${texts[$i]}" >>"$dir/session.sql"
    printf '%d\tm%05d\t%s\n' "$i" "$i" "${texts[$i]}" >>"$dir/texts.tsv"
  done
  chmod -R a+rX "$dir"
  cat >"$dir/do.sql" <<'SQL'
DO $$ DECLARE t text; BEGIN FOR t IN SELECT body FROM public.texts ORDER BY n LOOP EXECUTE t; END LOOP; END $$;
SQL
  cat >"$dir/do-commit.sql" <<'SQL'
DO $$ DECLARE t text; BEGIN FOR t IN SELECT body FROM public.texts ORDER BY n LOOP EXECUTE t; COMMIT; END LOOP; END $$;
SQL
  echo 'CALL dbvc.migrate();' >"$dir/dbvc.sql"
  fresh bench_texts
  lib_psql -d bench_texts -c 'CREATE TABLE public.texts (n int PRIMARY KEY, id text, body text)' \
    -c "\\copy public.texts FROM '$dir/texts.tsv'" \
    -c 'SELECT count(dbvc.migration_register(id, body)) FROM (SELECT * FROM public.texts ORDER BY n) t' >/dev/null
}

# apply_ms VARIANT DATABASE
apply_ms() {
  case $1 in
    sqitch | dbmate) tool_ms "$1" "$2" ;;
    *) session_ms "$2" "$lib_work/migrations/$1.sql" ;;
  esac
}

# again_ms VARIANT DATABASE: the same once more, with nothing left to do, as a user waits for it
again_ms() {
  case $1 in
    dbvc) program_ms "$lib_work" psql -X -q -d "$2" -c 'CALL dbvc.migrate()' ;;
    # what reading as many rows with psql takes
    do) program_ms "$lib_work" psql -X -q -d "$2" -c 'SELECT * FROM public.texts' ;;
    *) tool_ms "$1" "$2" ;;
  esac
}

tables_in() { lib_psql -d "$1" -Atc "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '^t[0-9]+$'"; }

case_apply() {
  local others=() variants round variant made
  for variant in "${tools[@]}"; do
    case $variant in sqitch | dbmate) others+=("$variant") ;; esac
  done
  variants=('do' do-commit session dbvc "${others[@]}")
  make_registered
  for ((round = 1; round <= rounds; round++)); do
    for variant in $(in_turn "$round" "${variants[@]}"); do
      fresh bench bench_texts
      settle
      record apply "$variant" "$round" "$(apply_ms "$variant" bench)"
      made=$(tables_in bench)
      [ "$made" = $(((count + 1) / 2)) ] || lib_die "$variant made $made tables"
      case $variant in
        do | dbvc | sqitch | dbmate) record again "$variant" "$round" "$(again_ms "$variant" bench)" ;;
      esac
    done
  done
  printf '\napply %s migrations (CREATE TABLE, ALTER TABLE ADD COLUMN in turn)\n' "$count"
  printf '  %-28s %12s %12s %10s  %s\n' '' 'ms/migration' best 'time / do' 'in the rounds'
  for variant in "${variants[@]}"; do
    printf '  %-28s %12s %12s %10s  %s\n' "$variant" "$(figure apply "$variant" median 1 "$count")" \
      "$(figure apply "$variant" best 1 "$count")" "$(ratio apply "$variant" 'do')" \
      "$(ratios apply "$variant" 'do' | sed -n '1h; $ { x; G; s/\n/ to /; p }')"
  done
  printf '\nthe same again, %s applied, with the start of the program\n' "$count"
  printf '  %-28s %12s %12s %10s\n' '' ms best 'time / psql'
  for variant in 'do' dbvc "${others[@]}"; do
    printf '  %-28s %12s %12s %10s\n' "${variant/#do/psql reads as many rows}" "$(figure again "$variant" median)" \
      "$(figure again "$variant" best)" "$(ratio again "$variant" 'do')"
  done
  goal "apply $count: dbvc / DO block" "$(ratio apply dbvc 'do')" 1.08
  goal "apply $count: dbvc / dbmate" "$(ratio apply dbvc dbmate)" 0.8
  goal "apply $count: dbvc / sqitch" "$(ratio apply dbvc sqitch)" 0.1
  goal "again, $count applied: dbvc / psql that reads as many rows" "$(ratio again dbvc 'do')" 1.3
  goal "again, $count applied: dbvc / dbmate" "$(ratio again dbvc dbmate)" 0.55
  goal "again, $count applied: dbvc / sqitch" "$(ratio again dbvc sqitch)" 0.04
}

# ---- nothing to do ----

# A database with N migrations of SELECT 1: registered, and applied if APPLIED is 1
some_database() { # some_database NAME N APPLIED
  lib_psql -d postgres -Atc "SELECT 1 FROM pg_database WHERE datname = '$1'" | grep -q 1 && return
  fresh "$1"
  lib_psql -d "$1" -c "SELECT count(dbvc.migration_register('m' || lpad(i::text, 5, '0'), 'SELECT ' || i))
    FROM generate_series(1, $2) i" >/dev/null
  [ "$3" = 0 ] || lib_psql -d "$1" -c 'CALL dbvc.migrate()' 2>/dev/null
  settle
}

case_idle() {
  local n round all
  for n in 1000 10000; do some_database "bench_applied_$n" "$n" 1; done
  for ((round = 1; round <= rounds; round++)); do
    for n in $(in_turn "$round" 1000 10000); do
      all=$(statement_ms "bench_applied_$n" 20 'CALL dbvc.migrate()')
      record idle "first of $n" "$round" "$(head -n 1 <<<"$all")"
      record idle "$n" "$round" "$(middle <<<"$all")"
      record idle select "$round" "$(statement_ms "bench_applied_$n" 20 'SELECT 1' | middle)"
    done
  done
  printf '\nCALL dbvc.migrate() with nothing to do: one of 20 in a session, and the first of a new one\n'
  printf '  %-28s %12s %12s %12s\n' '' ms best 'first, ms'
  for n in 1000 10000; do
    printf '  %-28s %12s %12s %12s\n' "$n applied" "$(figure idle "$n" median)" "$(figure idle "$n" best)" \
      "$(figure idle "first of $n" median)"
  done
  printf '  %-28s %12s %12s\n' 'SELECT 1' "$(figure idle select median)" "$(figure idle select best)"
  goal 'nothing to do, 1000 applied: ms' "$(figure idle 1000 median)" 2
  goal 'nothing to do, 10,000 applied: ms' "$(figure idle 10000 median)" 5
}

# ---- registering ----

register_sql() { # register_sql VARIANT N
  local each=''
  case $1 in *each*) each='COMMIT;' ;; esac
  case $1 in
    plain*) printf 'CREATE TABLE public.plain (id text PRIMARY KEY, checksum bytea, body text);\n'
      printf "DO \$\$ BEGIN FOR i IN 1..%d LOOP INSERT INTO public.plain VALUES ('m' || lpad(i::text, 5, '0')," "$2"
      printf " sha256(convert_to('SELECT ' || i, 'UTF8')), 'SELECT ' || i); %s END LOOP; END \$\$;\n" "$each" ;;
    *) printf "DO \$\$ BEGIN FOR i IN 1..%d LOOP PERFORM dbvc.migration_register('m' || lpad(i::text, 5, '0')," "$2"
      printf " 'SELECT ' || i); %s END LOOP; END \$\$;\n" "$each" ;;
  esac
}

case_register() {
  local sizes=(1000 2500 5000 10000) modes=('in one transaction' 'a transaction each' 'plain, in one' 'plain, each') n mode round
  for ((round = 1; round <= rounds; round++)); do
    for mode in 0 1 2 3; do
      mode=${modes[$(((mode + round) % 4))]}
      for n in $(in_turn "$round" "${sizes[@]}"); do
        [[ $mode = *plain* && $n != 1000 && $n != 10000 ]] && continue
        fresh bench
        settle
        register_sql "$mode" "$n" >"$lib_work/register.sql"
        record "register $n" "$mode" "$round" "$(session_ms bench "$lib_work/register.sql")"
        # microseconds each, for the ratio of the largest to the smallest
        awk -F'\t' -v n="$n" 'END { printf "per\t%s %s\t%s\t%s\n", $2, n, $3, $4 / n }' "$lib_work/measured" >>"$lib_work/per"
      done
    done
  done
  cat "$lib_work/per" >>"$lib_work/measured"
  printf '\nregister: microseconds each (plain: INSERT of id, SHA-256 and text into a table with a key)\n'
  printf '  %-28s %9s %9s %9s %9s %14s\n' '' "${sizes[@]}" '10000 / 1000'
  for mode in "${modes[@]}"; do
    printf '  %-28s %9s %9s %9s %9s %14s\n' "$mode" "$(figure 'register 1000' "$mode" median 1000 1000)" \
      "$(figure 'register 2500' "$mode" median 1000 2500)" "$(figure 'register 5000' "$mode" median 1000 5000)" \
      "$(figure 'register 10000' "$mode" median 1000 10000)" "$(ratio per "$mode 10000" "$mode 1000")"
  done
  goal 'register, in one transaction: each of 10,000 / each of 1000' "$(ratio per "${modes[0]} 10000" "${modes[0]} 1000")" 1.25
  goal 'register, a transaction each: each of 10,000 / each of 1000' "$(ratio per "${modes[1]} 10000" "${modes[1]} 1000")" 1.25
}

# ---- overhead ----

case_overhead() {
  local n=3000 round variant
  fresh bench_select
  lib_psql -d bench_select -c 'CREATE TABLE public.texts (n int PRIMARY KEY, id text, body text)' \
    -c "INSERT INTO public.texts SELECT i, 'm' || lpad(i::text, 5, '0'), 'SELECT 1' FROM generate_series(1, $n) i" \
    -c 'SELECT count(dbvc.migration_register(id, body)) FROM (SELECT * FROM public.texts ORDER BY n) t' >/dev/null
  cat >"$lib_work/do.sql" <<'SQL'
DO $$ DECLARE t text; BEGIN FOR t IN SELECT body FROM public.texts ORDER BY n LOOP EXECUTE t; END LOOP; END $$;
SQL
  # the least that a tool in the server would do: the script, a row, a transaction each
  cat >"$lib_work/row.sql" <<'SQL'
CREATE TABLE public.done (id text PRIMARY KEY, checksum bytea, at timestamptz, who text);
DO $$ DECLARE t record; BEGIN
FOR t IN SELECT id, body FROM public.texts ORDER BY n LOOP
  EXECUTE t.body;
  INSERT INTO public.done VALUES (t.id, sha256(convert_to(t.body, 'UTF8')), clock_timestamp(), current_user);
  PERFORM set_config('synchronous_commit', 'off', true);
  COMMIT;
END LOOP; END $$;
SQL
  echo 'CALL dbvc.migrate();' >"$lib_work/dbvc.sql"
  for ((round = 1; round <= rounds; round++)); do
    for variant in $(in_turn "$round" 'do' row dbvc); do
      fresh bench bench_select
      settle
      record overhead "$variant" "$round" "$(session_ms bench "$lib_work/$variant.sql")"
    done
    awk -F'\t' -v r="$round" '$1 == "overhead" && $3 == r { x[$2] = $4 }
      END { printf "overhead\tnet\t%s\t%s\n", r, x["dbvc"] - x["do"] }' "$lib_work/measured" >>"$lib_work/net"
  done
  cat "$lib_work/net" >>"$lib_work/measured"
  printf '\noverhead: %s migrations of SELECT 1\n' "$n"
  printf '  %-28s %12s %12s %10s\n' '' 'us/migration' best 'time / row'
  for variant in 'do' row dbvc net; do
    printf '  %-28s %12s %12s %10s\n' "$(case $variant in
      do) echo 'DO block' ;;
      row) echo 'DO block, row and COMMIT each' ;;
      net) echo 'dbvc less DO block' ;;
      *) echo "$variant" ;;
    esac)" "$(figure overhead $variant median 1000 "$n")" "$(figure overhead $variant best 1000 "$n")" \
      "$(ratio overhead $variant row)"
  done
}

# ---- plan and status ----

case_plan() {
  local round what
  local -A sql=(
    ['plan']='SELECT count(*) FROM dbvc.migration_plan()'
    ['status']='SELECT * FROM dbvc.migration_status'
    ['read']='SELECT * FROM dbvc.migration_state'
  )
  some_database bench_pending_10000 10000 0
  some_database bench_applied_10000 10000 1
  for ((round = 1; round <= rounds; round++)); do
    for what in $(in_turn "$round" plan status read); do
      record plan "$what" "$round" "$(statement_ms bench_pending_10000 3 "${sql[$what]}" | middle)"
    done
    for what in $(in_turn "$round" status read); do
      record plan "$what applied" "$round" "$(statement_ms bench_applied_10000 3 "${sql[$what]}" | middle)"
    done
  done
  printf '\nwith 10,000 migrations (read: SELECT * FROM dbvc.migration_state)\n'
  printf '  %-28s %12s %12s %10s\n' '' ms best 'time / read'
  for what in read plan status; do
    printf '  %-28s %12s %12s %10s\n' "$what, all pending" "$(figure plan $what median)" "$(figure plan $what best)" \
      "$(ratio plan $what read)"
  done
  for what in 'read applied' 'status applied'; do
    printf '  %-28s %12s %12s %10s\n' "${what/ /, all }" "$(figure plan "$what" median)" "$(figure plan "$what" best)" \
      "$(ratio plan "$what" 'read applied')"
  done
}

# ---- the run ----

all_cases=(apply idle register overhead plan client client-again documents snapshot)
cases=("$@")
[ $# -gt 0 ] || cases=("${all_cases[@]}")
for name in "${cases[@]}"; do
  case $name in -h | --help) sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;; esac
  declare -F "case_${name//-/_}" >/dev/null || lib_die "there is no case '$name': ${all_cases[*]}"
done

lib_need
lib_stage >"$lib_work/stage.log" || { cat "$lib_work/stage.log"; lib_die 'the build failed'; }
bench_server
: >"$lib_work/measured"
lib_say "dbvc on $("$PG_CONFIG" --version), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg), $rounds rounds"
case " ${cases[*]} " in
  *' apply '* | *' client '* | *' client-again '*) find_tools "${wanted_tools[@]}" ;;
esac
for name in "${cases[@]}"; do "case_${name//-/_}"; done
printf '\ngoals\n'
[ ${#goals[@]} = 0 ] || printf '  %s\n' "${goals[@]}"
