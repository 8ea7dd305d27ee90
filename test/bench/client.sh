# shellcheck shell=bash
# The cases of the client program, sourced by run.sh: a directory of files against a psql session and other tools.
# Times are those of whole programs, from start to end.
#
# run.sh and lib.sh have the other variables:
# shellcheck disable=SC2154

# ---- what is run ----

# What everybody has to do: the files in one psql session, a transaction each
layout_psql() {
  local i
  for i in "${!texts[@]}"; do printf 'BEGIN;\n\\i %s/%05d_m.up.sql\nCOMMIT;\n' "$client_dir" "$i"; done >"$1/session.sql"
  { echo 'SET synchronous_commit = off;'; cat "$1/session.sql"; } >"$1/lazy.sql"
}
command_psql() { command=(psql -X -q -v ON_ERROR_STOP=1 -d "$1" -f "$2/session.sql"); }

# The same without waiting for the disk at each commit, as dbvc does until the last one
layout_psql_lazy() { :; }
command_psql_lazy() { command=(psql -X -q -v ON_ERROR_STOP=1 -d "$1" -f "$(layout_of psql)/lazy.sql"); }

# golang-migrate's
layout_dbvc() {
  local i id
  for i in "${!texts[@]}"; do
    printf -v id '%05d_m.up' "$i"
    printf '%s;\n' "${texts[$i]}" >"$1/$id.sql"
  done
}
command_dbvc() { command=(dbvc -d "$1" migrate "$2"); }

# 10,000 files whose migrations leave nothing behind
layout_dbvc_many() {
  local i id
  for ((i = 1; i <= 10000; i++)); do
    printf -v id '%05d_m.up' "$i"
    printf -- "SELECT %d, 'a text that is as long as those of the thousand others';\n" "$i" >"$1/$id.sql"
  done
}
command_dbvc_many() { command=(dbvc -d "$1" migrate "$2"); }

client_dir=''
declare -A broken=()
make_client() {
  make_texts "$count"
  client_dir=$(layout_of dbvc)
  layout_of psql >/dev/null
}

# The database in which a variant has applied everything
client_database() { printf 'bench_client_%s\n' "${1//-/_}"; }

# apply_files VARIANT: into a fresh database; milliseconds
apply_files() {
  local database made
  database=$(client_database "$1")
  fresh "$database"
  settle
  tool_ms "$1" "$database"
  made=$(tables_in "$database")
  [ "$made" = $(((count + 1) / 2)) ] || lib_die "$1 made $made tables"
}

# ---- client ----

# A tool that fails is left out from then on; psql and dbvc may not fail
record_files() { # record_files VARIANT ROUND
  local ms
  [ -z "${broken[$1]:-}" ] || return 0
  if ms=$(apply_files "$1"); then record client "$1" "$2" "$ms"
  else
    case $1 in psql* | dbvc*) exit 1 ;; esac
    broken[$1]=1
    leave_out "$1" 'it fails, see above'
  fi
}

case_client() {
  local floors=(psql psql-lazy dbvc) variants round again variant
  variants=("${floors[@]}" "${tools[@]}")
  make_client
  for ((round = 1; round <= rounds; round++)); do
    for variant in $(in_turn "$round" "${variants[@]}"); do record_files "$variant" "$round.0"; done
    # those that the goal is about, more often: on a busy machine few rounds say little
    for again in 1 2; do
      for variant in $(in_turn "$((round + again))" "${floors[@]}"); do record_files "$variant" "$round.$again"; done
    done
  done
  printf '\napply a directory of %s files (CREATE TABLE, ALTER TABLE ADD COLUMN in turn), the whole program\n' "$count"
  printf '  %-30s %10s %10s %13s  %-16s %12s\n' '' 'ms' best 'time / floor' 'in the rounds' 'time / dbvc'
  for variant in "${variants[@]}"; do
    printf '  %-30s %10s %10s %13s  %-16s %12s\n' "$(client_name "$variant")" "$(figure client "$variant" median)" \
      "$(figure client "$variant" best)" "$(ratio client "$variant" psql)" \
      "$(ratios client "$variant" psql | sed -n '1h; $ { x; G; s/\n/ to /; p; }')" "$(ratio client "$variant" dbvc)"
  done
  goal "client, $count files: dbvc migrate DIR / psql session" "$(ratio client dbvc psql)" 1.15
}

client_name() {
  case $1 in
    psql) echo 'psql session, the floor' ;;
    psql-lazy) echo 'psql, synchronous_commit off' ;;
    dbvc | 'dbvc migrate') echo 'dbvc migrate DIR' ;;
    'dbvc check' | 'dbvc plan') echo "$1 DIR" ;;
    'psql status') echo 'psql, SELECT of the status' ;;
    'psql connect') echo 'psql, SELECT 1' ;;
    *) printf '%s\n' "$1${version_of[$1]:+ ${version_of[$1]}}" ;;
  esac
}

# ---- client-again ----

# applied VARIANT: its database has everything, from case client or made now
applied() {
  local database
  database=$(client_database "$1")
  [ "$(lib_psql -d postgres -Atc "SELECT 1 FROM pg_database WHERE datname = '$database'")" != 1 ] || return 0
  case $1 in
    dbvc-many) fresh "$database"; tool_ms "$1" "$database" >/dev/null ;;
    *) apply_files "$1" >/dev/null ;;
  esac
}

# again_command WHAT: sets command; WHAT is "PROGRAM VERB" or "PROGRAM VERB many"
again_command() {
  local program verb many files=dbvc database
  read -r program verb many <<<"$1"
  [ -z "$many" ] || files=dbvc-many
  database=$(client_database "$files")
  case $program-$verb in
    psql-connect) command=(psql -X -d "$database" -c 'SELECT 1') ;;
    psql-status) command=(psql -X -d "$database" -c 'SELECT * FROM dbvc.migration_status') ;;
    dbvc-status) command=(dbvc -d "$database" status) ;;
    dbvc-*) command=(dbvc -d "$database" "$verb" "$(layout_of "$files")") ;;
  esac
}

record_again() { # record_again ROUND TIMES WHAT...
  local round=$1 times=$2 i what
  shift 2
  for ((i = 0; i < times; i++)); do
    while read -r what; do
      again_command "$what"
      record client-again "$what" "$round.$i" "$(program_ms "$lib_work" "${command[@]}")"
    done < <(in_turn "$((round + i))" "$@")
  done
}

again_line() { # again_line WHAT NAME FLOOR
  printf '  %-30s %10s %10s %13s\n' "$2" "$(figure client-again "$1" median)" "$(figure client-again "$1" best)" \
    "$(ratio client-again "$1" "$3")"
}

case_client_again() {
  local once=('dbvc migrate' 'dbvc check' 'dbvc plan' 'dbvc status' 'psql status' 'psql connect') round variant what
  local many=('dbvc migrate many' 'dbvc check many' 'dbvc status many' 'psql status many') others=()
  make_client
  for variant in "${tools[@]}"; do [ -n "${broken[$variant]:-}" ] || others+=("$variant"); done
  for variant in dbvc dbvc-many "${others[@]}"; do applied "$variant"; done
  settle
  for ((round = 1; round <= rounds; round++)); do
    record_again "$round" 10 "${once[@]}"
    record_again "$round" 3 "${many[@]}"
    for variant in $(in_turn "$round" "${others[@]}"); do
      record client-again "$variant" "$round.0" "$(tool_ms "$variant" "$(client_database "$variant")")"
    done
  done
  printf '\nwith all %s files applied, the whole program (floor: psql reads migration_status)\n' "$count"
  printf '  %-30s %10s %10s %13s\n' '' ms best 'time / floor'
  for what in "${once[@]}" "${others[@]}"; do again_line "$what" "$(client_name "$what")" 'psql status'; done
  printf '\nwith 10,000 files applied\n'
  for what in "${many[@]}"; do again_line "$what" "$(client_name "${what% many}")" 'psql status many'; done
  goal "client-again, $count files: dbvc migrate DIR, ms" "$(figure client-again 'dbvc migrate' median)" 20
  # what holds of it on a busy machine
  goal "client-again, $count files: dbvc migrate DIR / psql SELECT 1" "$(ratio client-again 'dbvc migrate' 'psql connect')" 2
}
