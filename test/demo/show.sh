# shellcheck shell=bash
# What a chapter of the demo is made of; test/demo/run sources it after lib.sh.
#
#   demo_database NAME    make database NAME and use it from here on
#   headline TEXT         begin a section
#   say TEXT              a sentence or two between the commands
#   show SQL              print the statement as if it had been typed into psql, then what comes out
#   show_error SQL WORD...   the same for a statement that has to fail; each WORD after it must be in the error
#   show_dbvc STATUS ARG...  the same for the client, in the folder of the demo, and its exit status
#   expect_output WORD...    each WORD was in what show_dbvc has printed last
#   show_file FILE FROM TO [LINE]   lines of a file with their numbers; an arrow at LINE
#   expect SQL            a silent query that must say true: the demo is a test of what it tells
#
# A statement that does otherwise ends the demo with one line that names it.

demo_width=96
demo_step='setting up'

demo_fail() {
  printf '\ndemo: failed at: %s\n' "$(printf '%s' "$demo_step" | tr -s ' \n' ' ' | cut -c 1-300)" >&2
  exit 1
}

demo_psql() { lib_psql -P pager=off -P null='-' -P footer=off "$@"; }

demo_database() {
  lib_psql -d postgres -c "CREATE DATABASE $1 TEMPLATE template0"
  export PGDATABASE=$1
}

headline() {
  printf '\n\n%s\n%s\n\n' "$1" "$(printf '%*s' "${#1}" '' | tr ' ' '=')"
}

say() {
  printf '\n'
  printf '%s\n' "$*" | fold -s -w "$demo_width" | sed 's/ *$//'
  printf '\n'
}

demo_print() {
  printf '%s;\n' "$1" | sed -e "1s/^/$PGDATABASE=# /" -e "2,\$s/^/$PGDATABASE-# /"
}

show() {
  demo_step=$1
  demo_print "$1"
  demo_psql -c "$1" 2>&1 || demo_fail
}

show_error() {
  local out word
  demo_step="$1 (should have failed)"
  demo_print "$1"
  shift
  if out=$(demo_psql -c "${demo_step% (should*}" 2>&1); then
    printf '%s\n' "$out"
    demo_fail
  fi
  printf '%s\n' "$out" | fold -s -w "$demo_width"
  for word; do
    demo_step="an error that speaks of \"$word\""
    case $out in *"$word"*) ;; *) demo_fail ;; esac
  done
}

show_dbvc() {
  local wanted=$1 status=0
  shift
  demo_step="dbvc $*"
  printf '$ dbvc %s\n' "$*"
  # shellcheck disable=SC2154  # test/demo/run sets files
  demo_output=$(cd "$files" && lib_as_user dbvc "$@" 2>&1) || status=$?
  printf '%s\n' "$demo_output"
  [ "$wanted" = 0 ] || printf '(exit status %s)\n' "$status"
  [ "$status" = "$wanted" ] || demo_fail
}

expect_output() {
  local word
  for word; do
    demo_step="output that speaks of \"$word\""
    case $demo_output in *"$word"*) ;; *) demo_fail ;; esac
  done
}

show_file() {
  awk -v from="$2" -v to="$3" -v here="${4:-0}" \
    'NR >= from && NR <= to { printf "%s %3d  %s\n", NR == here ? ">" : " ", NR, $0 }' "$1"
}

expect() {
  demo_step="expect $1"
  [ "$(lib_psql -At -c "$1")" = t ] || demo_fail
}
