# shellcheck shell=bash
# What the other tools need, sourced by run.sh: finding or installing them, their layouts, running them.
#
# A tool has three functions, its name with _ for -:
#   find_TOOL            is it here, or can it be installed? Adds it to tools, or says why it is left out
#   layout_TOOL DIR      the same texts in the tool's own layout
#   command_TOOL DB DIR  how a user applies them, into the array command; words NAME=VALUE before the program go
#                        into its environment
#
# What npm installs goes into ${XDG_CACHE_HOME:-~/.cache}/dbvc-bench and stays there for the next time.
#
# lib.sh has the other variables:
# shellcheck disable=SC2154

all_tools=(sqitch dbmate node-pg-migrate postgrator liquibase)
tools=() texts=() command=()
declare -A version_of=()

leave_out() { lib_say "NOT MEASURED: $1: $2"; }

found() { # found TOOL VERSION
  tools+=("$1")
  version_of[$1]=$2
}

find_tools() { # find_tools TOOL...
  local tool
  [ ${#tools[@]} = 0 ] || return 0
  for tool; do
    declare -F "find_${tool//-/_}" >/dev/null || lib_die "there is no tool '$tool': ${all_tools[*]}"
    "find_${tool//-/_}"
  done
  for tool in "${tools[@]}"; do lib_say "  $tool ${version_of[$tool]}"; done
}

# ---- texts and times ----

# The texts: a table with a primary key, then a column for it, in turn
make_texts() { # make_texts N
  local i
  [ ${#texts[@]} = 0 ] || return 0
  for ((i = 1; i <= $1; i++)); do
    if ((i % 2)); then printf -v "texts[$i]" \
      'CREATE TABLE t%04d (id bigint PRIMARY KEY, name text NOT NULL, created timestamptz DEFAULT now())' $(((i + 1) / 2))
    else printf -v "texts[$i]" 'ALTER TABLE t%04d ADD COLUMN note text' $((i / 2)); fi
  done
}

# What program_ms runs programs with
make_timer() {
  [ ! -e "$lib_work/time.sh" ] || return 0
  printf '%s\n' 'while [[ $1 = *=* && $1 != -* ]]; do export "$1"; shift; done' \
    'from=$EPOCHREALTIME' \
    '"$@" >"$TMPDIR/out" 2>&1 </dev/null || { echo "failed: $*"; cat "$TMPDIR/out"; exit 1; } >&2' \
    'to=$EPOCHREALTIME us=$((${to/./} - ${from/./}))' \
    'printf "%d.%03d\n" $((us / 1000)) $((us % 1000))' >"$lib_work/time.sh"
  chmod 644 "$lib_work/time.sh"
}

# Milliseconds from the start of a program to its end; it runs in DIR, as the unprivileged user
program_ms() { # program_ms DIR [NAME=VALUE...] PROGRAM [ARG...]
  local dir=$1
  shift
  make_timer
  (cd "$dir" && lib_as_user bash "$lib_work/time.sh" "$@") || lib_die "failed: $*"
}

# The folder of a tool's layout, made when it is first asked for
layout_of() { # layout_of TOOL
  local dir=$lib_work/layout/$1
  if [ ! -d "$dir" ]; then
    mkdir -p "$dir"
    "layout_${1//-/_}" "$dir"
    chmod -R a+rX "$lib_work/layout"
  fi
  printf '%s\n' "$dir"
}

tool_ms() { # tool_ms TOOL DATABASE
  local dir
  dir=$(layout_of "$1")
  "command_${1//-/_}" "$2" "$dir"
  program_ms "$dir" "${command[@]}"
}

# ---- npm ----

npm_modules=''

# Install packages and make them readable for the unprivileged user
npm_packages() { # npm_packages TOOL PACKAGE[@VERSION]...
  local tool=$1 cache=${XDG_CACHE_HOME:-${HOME:-$lib_work}/.cache}/dbvc-bench package missing=()
  shift
  for package; do [ -d "$cache/node_modules/${package%@*}" ] || missing+=("$package"); done
  if [ ${#missing[@]} -gt 0 ]; then
    [ -z "${DBVC_NO_INSTALL:-}" ] || { leave_out "$tool" 'not here, and DBVC_NO_INSTALL is set'; return 1; }
    command -v npm >/dev/null || { leave_out "$tool" 'neither it nor npm is here'; return 1; }
    mkdir -p "$cache"
    (cd "$cache" && timeout 300 npm install --no-audit --no-fund --silent "${missing[@]}" >/dev/null 2>&1 </dev/null) ||
      { leave_out "$tool" "npm cannot install ${missing[*]}"; return 1; }
  fi
  npm_modules=$lib_work/npm/node_modules
  mkdir -p "$npm_modules"
  for package in "$cache/node_modules"/*; do
    [ -e "$npm_modules/${package##*/}" ] || cp -R "$package" "$npm_modules/"
  done
  chmod -R a+rX "$lib_work/npm"
}

npm_version() { sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$npm_modules/$1/package.json" | head -n 1; }

need_node() { # need_node TOOL
  lib_as_user node --version >/dev/null 2>&1 || { leave_out "$1" 'node is not here'; return 1; }
}

# ---- sqitch ----

find_sqitch() {
  if ! command -v sqitch >/dev/null; then
    [ -z "${DBVC_NO_INSTALL:-}" ] || { leave_out sqitch 'not here, and DBVC_NO_INSTALL is set'; return; }
    lib_apt sqitch libdbd-pg-perl >/dev/null 2>&1 || { leave_out sqitch 'its Debian package cannot be installed'; return; }
  fi
  perl -MDBD::Pg -e1 2>/dev/null || { leave_out sqitch 'no libdbd-pg-perl'; return; }
  found sqitch "$(lib_as_user sqitch --version | sed 's/.* v//')"
}

layout_sqitch() {
  local i id
  mkdir -p "$1/deploy" "$lib_work/.sqitch"
  printf '[user]\n\tname = bench\n\temail = bench@localhost\n' >"$lib_work/.sqitch/sqitch.conf"
  chmod -R a+rX "$lib_work/.sqitch"
  printf '[core]\n\tengine = pg\n' >"$1/sqitch.conf"
  printf '%%syntax-version=1.0.0\n%%project=bench\n\n' >"$1/sqitch.plan"
  for i in "${!texts[@]}"; do
    printf -v id 'm%05d' "$i"
    printf 'BEGIN;\n%s;\nCOMMIT;\n' "${texts[$i]}" >"$1/deploy/$id.sql"
    printf '%s 2024-01-01T00:00:00Z bench <bench@localhost> # %s\n' "$id" "$id" >>"$1/sqitch.plan"
  done
}

command_sqitch() { command=(sqitch deploy "db:pg:$1"); }

# ---- dbmate ----

dbmate=''
find_dbmate() {
  dbmate=$(command -v dbmate || true)
  if [ -z "$dbmate" ]; then
    npm_packages dbmate dbmate || return 0
    # the program itself: npm's wrapper is a script that starts node first
    dbmate=$(find "$npm_modules/@dbmate" -type f -path '*/bin/dbmate*' 2>/dev/null | head -n 1)
    [ -n "$dbmate" ] || { leave_out dbmate 'npm has no program for this machine'; return; }
  fi
  lib_as_user "$dbmate" --version >/dev/null 2>&1 || { leave_out dbmate 'it does not run here'; return; }
  found dbmate "$(lib_as_user "$dbmate" --version | sed 's/.* //')"
}

layout_dbmate() {
  local i id
  for i in "${!texts[@]}"; do
    printf -v id '%d_m%05d' $((20240101000000 + i)) "$i"
    printf -- '-- migrate:up\n%s;\n\n-- migrate:down\n' "${texts[$i]}" >"$1/$id.sql"
  done
}

command_dbmate() {
  command=("$dbmate" --url "postgres://$PGUSER@/$1?socket=$PGHOST&port=$PGPORT" --migrations-dir "$2" --no-dump-schema up)
}

# ---- node-pg-migrate ----

find_node_pg_migrate() {
  need_node node-pg-migrate || return 0
  npm_packages node-pg-migrate node-pg-migrate pg || return 0
  found node-pg-migrate "$(npm_version node-pg-migrate)"
}

layout_node_pg_migrate() {
  local i id
  for i in "${!texts[@]}"; do
    printf -v id '%d_m%05d' $((20240101000000 + i)) "$i"
    printf -- '-- Up Migration\n%s;\n' "${texts[$i]}" >"$1/$id.sql"
  done
}

# as all others: a transaction for each file (it has all in one unless told)
command_node_pg_migrate() {
  command=("DATABASE_URL=postgres://$PGUSER@/$1?host=$PGHOST&port=$PGPORT" node
    "$npm_modules/node-pg-migrate/bin/node-pg-migrate.js" up --migrations-dir "$2" --no-single-transaction)
}

# ---- postgrator ----

find_postgrator() {
  need_node postgrator || return 0
  npm_packages postgrator postgrator pg || return 0
  # it is a library
  cat >"$lib_work/npm/postgrator.mjs" <<'JS'
import Postgrator from 'postgrator';
import pg from 'pg';
const client = new pg.Client();
await client.connect();
const postgrator = new Postgrator({
  driver: 'pg',
  migrationPattern: process.argv[2] + '/*',
  execQuery: (query) => client.query(query),
});
await postgrator.migrate();
await client.end();
JS
  chmod 644 "$lib_work/npm/postgrator.mjs"
  found postgrator "$(npm_version postgrator)"
}

layout_postgrator() {
  local i id
  for i in "${!texts[@]}"; do
    printf -v id '%05d.do.m' "$i"
    printf '%s;\n' "${texts[$i]}" >"$1/$id.sql"
  done
}

command_postgrator() { command=("PGDATABASE=$1" node "$lib_work/npm/postgrator.mjs" "$2"); }

# ---- liquibase ----

find_liquibase() {
  command -v java >/dev/null || { leave_out liquibase 'java is not here'; return; }
  npm_packages liquibase liquibase@4.28.1 || return 0
  bench_tcp || { leave_out liquibase 'it needs TCP, and the server gets no port'; return; }
  found liquibase "$(npm_version liquibase)"
}

# Java knows no Unix sockets: a port on the loopback interface, with a password that only this run knows
tcp_password=''
bench_tcp() {
  local try
  tcp_password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  lib_psql -d postgres -c "ALTER ROLE $PGUSER PASSWORD '$tcp_password'"
  printf '%s\n' 'local all all trust' 'host all all 127.0.0.1/32 scram-sha-256' |
    lib_as_user tee "$lib_work/data/pg_hba.conf" >/dev/null
  for try in 1 2 3 4 5; do
    PGPORT=$((20000 + (RANDOM + try) % 20000))
    printf "listen_addresses = '127.0.0.1'\nport = %d\n" "$PGPORT" |
      lib_as_user tee -a "$lib_work/data/postgresql.conf" >/dev/null
    lib_as_user pg_ctl -D "$lib_work/data" -l "$lib_work/server.log" -s -w restart >/dev/null 2>&1 </dev/null && return 0
  done
  printf "listen_addresses = ''\n" | lib_as_user tee -a "$lib_work/data/postgresql.conf" >/dev/null
  lib_as_user pg_ctl -D "$lib_work/data" -l "$lib_work/server.log" -s -w start </dev/null
  return 1
}

layout_liquibase() {
  local i
  { echo '--liquibase formatted sql'
    for i in "${!texts[@]}"; do printf '\n--changeset bench:%d\n%s;\n' "$i" "${texts[$i]}"; done; } >"$1/changelog.sql"
  printf 'changelogFile=changelog.sql\nusername=%s\npassword=%s\n' "$PGUSER" "$tcp_password" |
    install -m 600 /dev/stdin "$1/liquibase.properties"
  [ "$(id -u)" != 0 ] || chown "$lib_user:" "$1/liquibase.properties"
}

command_liquibase() {
  command=(bash "$npm_modules/liquibase/dist/liquibase/liquibase" "--url=jdbc:postgresql://127.0.0.1:$PGPORT/$1" update)
}
