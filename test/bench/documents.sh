# shellcheck shell=bash
# The cases of adopted documents, sourced by run.sh: whole documents written and read through the view of an adopted
# table, beside whole documents in a column, beside triggers, and beside the physical limit.
#
#   pglz, lz4    documents whole in a column, as they were
#   plpgsql      the usual trigger: a loop over the parts that upserts all items and deletes the absent
#   sql          the best one: a single statement that writes what differs, with a generic plan
#   limit        the same items, split already, by one INSERT ... SELECT into the same table, indexes and foreign key,
#                and the slim row, and the document parsed once: what nobody can do without
#   nofkey       the same without the foreign key from the items to the base, as plpgsql and sql are
#   dbvc         an adopted table; in the schema "adopted"
#   subselects, objagg   reading what sql stores: a jsonb_agg for each part; one jsonb_object_agg
#
# Documents are of six arrays: small ones of 5 items (2.3 KiB), those of 100 (102 KiB) and of 1000 (1.1 MiB). They come
# as text that is stored uncompressed, so that reading JSON is in every number. All split variants are checked to store the
# same rows, all to read the same bytes, and whichever does not ends the run. synchronous_commit is off: what a disk takes
# for a commit is the same for all, and on a busy machine it is most of what would be measured.
#
# run.sh and lib.sh have the other variables:
# shellcheck disable=SC2154

documents_db=bench_documents
documents_loaded=20000

in_documents() { lib_psql -d "$documents_db" "$@"; }

# The documents and the variants, made when they are first asked for
make_documents() {
  [ "$(lib_psql -d postgres -Atc "SELECT 1 FROM pg_database WHERE datname = '$documents_db'")" != 1 ] || return 0
  fresh "$documents_db"
  in_documents -f - <"$lib_top/test/bench/documents.sql"
  in_documents -c "CALL bench.make('small', $documents_loaded, 5, 240)" -c "CALL bench.make('medium', 60, 100, 930)" \
    -c "CALL bench.make('large', 8, 1000, 1040)" -c "CALL bench.make('others', 300, 100, 240)"
  adopt_documents
}

adopt_documents() {
  local parts
  parts=$(in_documents -Atc 'SELECT jsonb_object_agg(key, type) FROM bench.part')
  in_documents -c "SELECT dbvc.document_adopt('adopted.users', parts => '$parts')" >/dev/null 2>"$lib_work/adopt.log" ||
    { cat "$lib_work/adopt.log"; lib_die 'documents: cannot adopt'; }
}

as_array() { local IFS=,; printf "'{%s}'" "$*"; }

# All variants back to the same documents, statistics as after an autovacuum, nothing of the round before to write.
# "$others" is what writing starts from: 300 documents of 100 items. Tables that are empty make PL/pgSQL keep plans that
# are many times slower. Items that are larger would leave holes that small ones fill, each in a page of its own.
others='others 300'
reset_documents() { # reset_documents "SIZE DOCUMENTS" VARIANT...
  local what=$1
  shift
  in_documents -c "CALL bench.reset($(as_array "$@"), '${what% *}', ${what#* })" -c 'VACUUM (ANALYZE)' -c CHECKPOINT
}

# timed ROUND FIRST DOCUMENTS BLOCK SIZE VARIANTS WHAT...: one session measures one WHAT after the other
timed() {
  local round=$1 first=$2 documents=$3 block=$4 size=$5 variants=$6 what
  shift 6
  for what; do
    printf "SELECT bench.prepare('%s', '%s', %s);\nCALL bench.run(%d, %d, %d, %d);\n" "$what" "$size" "$variants" \
      "$first" "$documents" "$block" "$round"
  done | { echo "SET synchronous_commit = off; SET client_min_messages = warning; ${timed_settings:-}"; cat; } |
    in_documents -f - >/dev/null
}

# Everything measured so far into run.sh's list, the median of a round's documents for each; and the WAL as "wal ..."
collect_documents() { # collect_documents [median|mean]
  local figure='percentile_cont(0.5) WITHIN GROUP (ORDER BY %s)'
  [ "${1:-median}" = median ] || figure='avg(%s)'
  # shellcheck disable=SC2059 # a format of ours
  in_documents -At -F $'\t' -c "SELECT what, variant, round, $(printf "$figure" ms) FROM bench.measured GROUP BY 1, 2, 3" \
    -c "SELECT 'cpu ' || what, variant, round, avg(cpu) FROM bench.measured WHERE cpu > 0 GROUP BY 1, 2, 3" \
    -c "SELECT 'wal ' || what, variant, round, $(printf "$figure" wal) FROM bench.measured GROUP BY 1, 2, 3" \
    -c 'TRUNCATE bench.measured' >>"$lib_work/measured"
}

# documents_table CASE TITLE PER BASE VARIANT...: times are divided by PER. Of statements that take long also what the
# processor did, which other programs disturb less.
documents_table() {
  local what=$1 title=$2 per=$3 base=$4 line='  %-14s %10s %10s %13s  %-16s %12s %12s\n' unit=ms times=1 wal='' variant
  shift 4
  [ "$per" = 1 ] || unit=us/doc times=1000
  # shellcheck disable=SC2059 # a format of ours
  printf "\n%s\n$line" "$title" '' "$unit" best "time / $base" 'in the rounds' 'WAL, KiB/doc' "cpu / $base"
  for variant; do
    case $what in read*) ;; *) wal=$(figure "wal $what" "$variant" median 1 $((1024 * per))) ;; esac
    # shellcheck disable=SC2059
    printf "$line" "${variant/#adopted/dbvc}" "$(figure "$what" "$variant" median $times "$per")" \
      "$(figure "$what" "$variant" best $times "$per")" "$(ratio "$what" "$variant" "$base")" \
      "$(ratios "$what" "$variant" "$base" | sed -n '1h; $ { x; G; s/\n/ to /; p; }')" "$wal" \
      "$(ratio "cpu $what" "$variant" "$base")"
  done
}

faster() { ratio "$1" "$3" "$2"; } # faster CASE VARIANT THAN: how many times

# ---- writing one document at a time ----

single_documents() { # single_documents SIZE DOCUMENTS BLOCK VARIANT...
  local size=$1 documents=$2 block=$3 variants round first
  shift 3
  variants=$(as_array "$@")
  make_documents
  reset_documents "$others" "$@"
  for ((round = 1; round <= rounds; round++)); do
    first=$((round * 1000000))
    timed "$round" "$first" "$documents" "$block" "$size" "$variants" first
    # what an update finds is no older than the last checkpoint: no pages as a whole in its WAL
    in_documents -c 'VACUUM (ANALYZE)'
    timed "$round" "$first" "$documents" "$block" "$size" "$variants" item profile same
    if [ "$round" = 1 ]; then
      in_documents -c "SELECT bench.check_rows($variants, $first), bench.check_read($variants, $first)" >/dev/null
    fi
    in_documents -c 'VACUUM'
  done
  collect_documents
}

titles_of() { # titles_of WHAT
  case $1 in
    first) echo 'the first write' ;;
    item) echo 'one item changed' ;;
    profile) echo 'a field of the profile changed' ;;
    same) echo 'nothing changed' ;;
  esac
}

case_documents_write() {
  local all=(pglz lz4 plpgsql sql limit nofkey adopted) what
  make_documents
  single_documents medium 60 6 "${all[@]}"
  for what in first item profile same; do
    documents_table "$what medium" "100 items (102 KiB), $(titles_of $what)" 1 limit "${all[@]}"
  done
  goal '100 items, first write: dbvc / limit' "$(ratio 'first medium' adopted limit)" 1.15
  goal '100 items, first write: dbvc / limit without foreign key' "$(ratio 'first medium' adopted nofkey)" 1.15
  goal '100 items, first write: dbvc / whole, pglz' "$(ratio 'first medium' adopted pglz)" 0.47
  goal '100 items, one changed: dbvc / limit' "$(ratio 'item medium' adopted limit)" 1.2
  goal '100 items, one changed, WAL: dbvc / limit' "$(ratio 'wal item medium' adopted limit)" 1.1
  goal '100 items, one changed: dbvc / whole, pglz' "$(ratio 'item medium' adopted pglz)" 0.28
  goal '100 items, profile changed: dbvc / limit' "$(ratio 'profile medium' adopted limit)" 1.1
}

case_documents_large() {
  local all=(pglz lz4 plpgsql sql limit nofkey adopted) what
  make_documents
  single_documents large 8 1 "${all[@]}"
  for what in first item profile same; do
    documents_table "$what large" "1000 items (1.1 MiB), $(titles_of $what)" 1 limit "${all[@]}"
  done
  goal '1000 items, first write: dbvc / limit' "$(ratio 'first large' adopted limit)" 1.2
  goal '1000 items, first write: dbvc / limit without foreign key' "$(ratio 'first large' adopted nofkey)" 1.2
  goal '1000 items, one changed: dbvc / limit' "$(ratio 'item large' adopted limit)" 1.2
  goal '1000 items, one changed, WAL: dbvc / limit' "$(ratio 'wal item large' adopted limit)" 1.1
  goal '1000 items, profile changed: dbvc / limit' "$(ratio 'profile large' adopted limit)" 1.2
}

case_documents_small() {
  local all=(pglz lz4 plpgsql sql limit nofkey adopted) what
  make_documents
  single_documents small 400 20 "${all[@]}"
  for what in first item profile same; do
    documents_table "$what small" "5 items (2.3 KiB), $(titles_of $what)" 1 pglz "${all[@]}"
  done
  goal_least '5 items, first write: plpgsql / dbvc' "$(faster 'first small' adopted plpgsql)" 3
  goal_least '5 items, first write: sql / dbvc' "$(faster 'first small' adopted sql)" 1.3
  goal '5 items, first write: dbvc / whole, pglz' "$(ratio 'first small' adopted pglz)" 1.2
  goal_least '5 items, one changed: plpgsql / dbvc' "$(faster 'item small' adopted plpgsql)" 3.2
  goal_least '5 items, one changed: sql / dbvc' "$(faster 'item small' adopted sql)" 1.15
  goal '5 items, one changed: dbvc / whole, pglz' "$(ratio 'item small' adopted pglz)" 1.08
}

# ---- reading ----

case_documents_read() {
  local all=(pglz lz4 subselects objagg limit adopted) stored=(pglz lz4 sql limit adopted) size round what
  make_documents
  reset_documents 'small 10000' "${stored[@]}"
  for size in medium large; do
    # the longer ones are there already, written by the variants themselves
    timed 0 "$([ $size = medium ] && echo 1000000 || echo 2000000)" "$([ $size = medium ] && echo 60 || echo 8)" 8 $size \
      "$(as_array "${stored[@]}")" first
  done
  in_documents -c 'TRUNCATE bench.measured' -c 'VACUUM (ANALYZE)' -c "SELECT bench.check_read($(as_array "${all[@]}"), 0)" >/dev/null
  settle
  for ((round = 1; round <= rounds; round++)); do
    timed "$round" 1000000 60 6 medium "$(as_array "${all[@]}")" read read
    timed "$round" 2000000 8 1 large "$(as_array "${all[@]}")" read read
    timed "$round" 0 400 20 small "$(as_array "${all[@]}")" read
    timed "$round" 0 3 1 small "$(as_array "${all[@]}")" 'read all'
  done
  collect_documents
  documents_table 'read small' '5 items (2.3 KiB), one read as text' 1 pglz "${all[@]}"
  documents_table 'read medium' '100 items (102 KiB), one read as text' 1 pglz "${all[@]}"
  documents_table 'read large' '1000 items (1.1 MiB), one read as text' 1 pglz "${all[@]}"
  documents_table 'read all small' '10,000 of 5 items, all read as text in one statement' 10000 pglz "${all[@]}"
  goal 'read one of 100 items: dbvc / whole, pglz' "$(ratio 'read medium' adopted pglz)" 1.1
  goal 'read one of 1000 items: dbvc / whole, pglz' "$(ratio 'read large' adopted pglz)" 1.1
  goal 'read 10,000 small in one statement: dbvc / whole, pglz' "$(ratio 'read all small' adopted pglz)" 1.4
}

# ---- many in one statement ----

case_documents_bulk() {
  local all=(pglz lz4 plpgsql sql limit nofkey adopted) copied=(pglz lz4 plpgsql sql adopted) variants round
  make_documents
  variants=$(as_array "${all[@]}")
  in_documents -c "COPY (SELECT 2000000 + n, doc FROM bench.small WHERE n > 10000) TO '$lib_work/run/documents.copy'"
  for ((round = 1; round <= rounds; round++)); do
    reset_documents "$others" "${all[@]}"
    timed "$round" 0 1 1 small "$variants" insert
    [ "$round" != 1 ] || in_documents -c "SELECT bench.check_rows($variants, 1000000)" >/dev/null
    settle
    timed_settings="SET bench.file = '$lib_work/run/documents.copy';" timed "$round" 0 1 1 small "$(as_array "${copied[@]}")" copy
    if [ "$round" = 1 ]; then
      in_documents -c "SELECT bench.check_read($(as_array "${copied[@]}"), 1000000),
        bench.check_rows($(as_array "${copied[@]}"), 1000000)" >/dev/null
    fi
  done
  collect_documents
  documents_table 'insert small' 'one INSERT of 10,000 documents of 5 items' 10000 pglz "${all[@]}"
  documents_table 'copy small' 'COPY FROM of 10,000 documents of 5 items' 10000 pglz "${copied[@]}"
  goal_least 'INSERT of 10,000: plpgsql / dbvc' "$(faster 'insert small' adopted plpgsql)" 4
  goal_least 'INSERT of 10,000: sql / dbvc' "$(faster 'insert small' adopted sql)" 1.35
  goal 'INSERT of 10,000: dbvc / whole, pglz' "$(ratio 'insert small' adopted pglz)" 1.25
  goal_least 'COPY of 10,000: plpgsql / dbvc' "$(faster 'copy small' adopted plpgsql)" 4
  goal_least 'COPY of 10,000: sql / dbvc' "$(faster 'copy small' adopted sql)" 1.35
  goal 'COPY of 10,000: dbvc / whole, pglz' "$(ratio 'copy small' adopted pglz)" 1.25
}

# ---- backfill ----

case_documents_backfill() {
  local all=(plpgsql sql limit nofkey adopted) variants round
  make_documents
  variants=$(as_array "${all[@]}")
  for ((round = 1; round <= rounds; round++)); do
    in_documents -c "CALL bench.reset($variants, '${others% *}', ${others#* })" \
      -c "CALL bench.load_whole($variants, $documents_loaded)" \
      -c 'VACUUM (ANALYZE)' -c CHECKPOINT
    timed "$round" 0 1 1 small "$variants" backfill
    [ "$round" != 1 ] || in_documents -c "SELECT bench.check_rows($variants, 0)" >/dev/null
  done
  collect_documents
  documents_table 'backfill small' "backfill of $documents_loaded documents of 5 items" "$documents_loaded" limit "${all[@]}"
  goal_least 'backfill of 20,000: plpgsql / dbvc' "$(faster 'backfill small' adopted plpgsql)" 7
  goal_least 'backfill of 20,000: sql / dbvc' "$(faster 'backfill small' adopted sql)" 1.9
  goal 'backfill of 20,000: dbvc / limit' "$(ratio 'backfill small' adopted limit)" 1.4
}

# ---- a new items table ----

# Plans that were made for an empty table: 1000 documents in a session that began with it, and the same beside 30,000 items
case_documents_empty() {
  local all=(plpgsql sql adopted) round variant which
  make_documents
  for ((round = 1; round <= rounds; round++)); do
    for which in 0 "${others#* }"; do
      reset_documents "${others% *} $which" "${all[@]}"
      for variant in $(in_turn "$round" "${all[@]}"); do
        timed "$round" 3000000 1000 1000 small "$(as_array "$variant")" first
      done
      in_documents -c "UPDATE bench.measured SET variant = variant || ' $which' WHERE variant !~ ' '"
    done
  done
  collect_documents mean
  printf '\nthe first 1000 documents of 5 items into a new table, in one session\n'
  printf '  %-14s %10s %14s %15s\n' '' 'ms/doc' 'ms, steady' 'time / steady'
  for variant in "${all[@]}"; do
    printf '  %-14s %10s %14s %15s\n' "${variant/#adopted/dbvc}" "$(figure 'first small' "$variant 0" median)" \
      "$(figure 'first small' "$variant ${others#* }" median)" \
      "$(ratio 'first small' "$variant 0" "$variant ${others#* }")"
  done
  goal 'first 1000 into an empty table: dbvc / its steady state' "$(ratio 'first small' 'adopted 0' "adopted ${others#* }")" 1.2
}

# ---- memory ----

# peak_mb STATEMENT: most private memory, in MB, that the backend of a new session has while it runs it. Not VmHWM: that
# counts the shared buffers that the backend has looked at.
peak_mb() {
  local pid psql kb most=0 file=$lib_work/run/backend
  rm -f "$file"
  { printf '\\o %s\nSELECT pg_backend_pid();\n\\o /dev/null\n' "$file"
    printf 'SET synchronous_commit = off;\nSELECT pg_sleep(0.3);\n%s;\n' "$1"; } | in_documents -At -f - >"$lib_work/err.log" 2>&1 &
  psql=$!
  while kill -0 "$psql" 2>/dev/null; do
    pid=${pid:-$(cat "$file" 2>/dev/null || true)}
    kb=$(awk '$1 == "RssAnon:" { print $2 }' "/proc/${pid:-none}/status" 2>/dev/null || true)
    [ "${kb:-0}" -le "$most" ] || most=$kb
    sleep 0.02
  done
  wait "$psql" || { cat "$lib_work/err.log"; lib_die "failed: $1"; } >&2
  awk -v kb="$most" 'BEGIN { printf "%.1f\n", kb / 1024 }'
}

# Of dbvc, beside the same statement on whole documents: what it may have more is one document and its buffer
case_documents_memory() {
  local many=${DBVC_BENCH_MANY:-1000000} what buffer whole split more size
  local -a names=(first read changed many)
  local -A title=([first]='INSERT of one of 100 MB' [read]='it is read' [changed]='one item of it changed'
    [many]="INSERT of $many documents in one statement")
  local -A sql=([first]='INSERT INTO %s.users SELECT 9000000, whole FROM bench.huge'
    [read]='SELECT pg_column_size(data || jsonb_build_object()) FROM %s.users WHERE id = 9000000'
    [changed]="UPDATE %s.users SET data = (SELECT changed FROM bench.huge) WHERE id = 9000000"
    [many]="INSERT INTO %s.users SELECT 20000000 + i, jsonb_build_object('name', i, 'dreamBook',
      jsonb_build_array(jsonb_build_object('id', 'a' || i, 'title', 'a title'))) FROM generate_series(1, $many) i")
  make_documents
  reset_documents "$others" pglz adopted
  in_documents -c 'CREATE TABLE bench.huge (whole jsonb, changed jsonb)' \
    -c 'ALTER TABLE bench.huge ALTER whole SET STORAGE EXTERNAL, ALTER changed SET STORAGE EXTERNAL' \
    -c "INSERT INTO bench.huge SELECT (SELECT slim FROM bench.small WHERE n = 1) || jsonb_build_object('dreamBook',
      jsonb_agg(i.data || jsonb_build_object('id', i.n || i.item_id || k))) FROM bench.large_item i, generate_series(1, 12) k" \
    -c "UPDATE bench.huge SET changed = jsonb_set(whole, '{dreamBook,500,title}', '\"it has been changed\"')" -c CHECKPOINT
  size=$(in_documents -Atc 'SELECT round(pg_column_size(whole) / 1048576.0, 1) FROM bench.huge')
  buffer=$(in_documents -Atc 'SELECT dbvc.version()' \
    -c "SELECT round(pg_size_bytes(current_setting('dbvc.document_buffer')) / 1048576.0, 1)" | tail -n 1)
  printf '\nprivate memory of the backend at its peak, MB; the document has %s MB, dbvc.document_buffer is %s MB\n' "$size" "$buffer"
  printf '  %-44s %12s %12s %12s\n' '' 'whole, pglz' dbvc more
  for what in "${names[@]}"; do
    # shellcheck disable=SC2059 # formats of ours
    whole=$(peak_mb "$(printf "${sql[$what]}" pglz)") split=$(peak_mb "$(printf "${sql[$what]}" adopted)")
    more=$(awk -v a="$split" -v b="$whole" 'BEGIN { printf "%.1f", a - b }')
    printf '  %-44s %12s %12s %12s\n' "${title[$what]}" "$whole" "$split" "$more"
    goal "MB more, ${title[$what]}" "$more" \
      "$(awk -v what="$what" -v s="$size" -v b="$buffer" 'BEGIN { printf "%.0f", (what == "many" ? 0 : s) + b }')"
  done
}

# ---- all of it ----

case_documents() {
  local part
  for part in write large small read bulk backfill empty; do "case_documents_$part"; done
}
