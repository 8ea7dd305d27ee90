#!/bin/bash
# Which folder of src/ may include what. test/layers.sh [SRC] checks, --self-test checks the check.
#
#   util  <  crypto, canon  <  ledger  <  snapshot  <  capture, migration, document  <  worker  <  core
#
# A folder includes from itself and from folders before it, never from a sibling of its own layer.
# OpenSSL is crypto's, PG_VERSION_NUM is util/compat.h's, and the client knows the SQL API only.
set -euo pipefail

layer() {
  case $1 in
    util) echo 0 ;;
    crypto | canon) echo 1 ;;
    ledger) echo 2 ;;
    snapshot) echo 3 ;;
    capture | migration | document) echo 4 ;;
    worker) echo 5 ;;
    core) echo 6 ;;
    client) echo client ;;
    *) return 1 ;;
  esac
}

# check SRC: print every violation; fails if there is one
check() {
  local src=$1 file name folder mine theirs header bad=0
  complain() { printf '%s: %s\n' "$1" "$2"; bad=1; }

  while read -r file; do
    name=${file#"$src"/} folder=${file#"$src"/}
    folder=${folder%%/*}
    if ! mine=$(layer "$folder"); then complain "$name" "the folder $folder has no layer"; continue; fi

    while read -r header; do
      case $header in
        *.c) complain "$name" "includes $header, which is no header" ;;
        ../* | */../* | ./*) complain "$name" "includes $header: name the folder instead" ;;
        openssl/*) [ "$folder" = crypto ] || complain "$name" "includes $header: OpenSSL is crypto's" ;;
        libpq-fe.h | libpq/libpq-fe.h) [ "$folder" = client ] || complain "$name" "includes $header: libpq is the client's" ;;
        */*)
          theirs=${header%%/*}
          [ "$theirs" != "$folder" ] || continue
          [ -d "$src/$theirs" ] || continue # one of PostgreSQL's: utils/..., catalog/...
          if [ "$mine" = client ]; then complain "$name" "includes $header: the client stands outside"
          elif ! theirs=$(layer "${header%%/*}") || [ "$theirs" = client ] || [ "$theirs" -ge "$mine" ]; then
            complain "$name" "includes $header: $folder must not know ${header%%/*}"
          fi ;;
      esac
    done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]([^">]*)[">].*/\1/p' "$file")

    if [ "$name" != util/compat.h ] && grep -q 'PG_VERSION_NUM' "$file"; then
      complain "$name" "PG_VERSION_NUM belongs into util/compat.h"
    fi
  done < <(find "$src" -name '*.[ch]' | sort)
  return $bad
}

# Each line: a file to plant, and what stands in it that must be refused
self_test() {
  local src=$1 dir file text bad=0
  dir=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$dir'" EXIT
  plant() { # plant EXPECTATION FILE TEXT
    rm -rf "$dir/src"
    mkdir -p "$dir/src"/{util,crypto,canon,ledger,snapshot,capture,migration,document,worker,core,client}
    [ ! -d "$src" ] || cp -r "$src/." "$dir/src/"
    mkdir -p "$dir/src/$(dirname "$2")"
    printf '%s\n' "$3" >"$dir/src/$2"
    if check "$dir/src" >"$dir/out"; then set -- "$1" "$2" "$3" allowed; else set -- "$1" "$2" "$3" refused; fi
    [ "$1" = "$4" ] || { printf 'self test: %s with <%s> was %s\n' "$2" "$3" "$4"; bad=1; }
  }
  while IFS='|' read -r file text; do plant refused "$file" "$text"; done <<'PLANTED'
util/planted.c|#include "ledger/ledger.h"
crypto/planted.c|#include "canon/json.h"
ledger/planted.c|#include <openssl/evp.h>
ledger/planted.h|#  include "migration/migration.h"
snapshot/planted.c|#include "capture/capture.h"
capture/planted.c|#include "migration/migration.h"
migration/planted.c|#include <document/document.h>
document/planted.c|#include "worker/worker.h"
worker/planted.c|#include "core/core.h"
core/planted.c|#include "client/client.h"
core/planted.c|#include "../ledger/ledger.h"
core/planted.c|#include "ledger/append.c"
client/planted.c|#include "util/errors.h"
migration/planted.c|#if PG_VERSION_NUM >= 160000
attic/planted.c|#include "postgres.h"
ledger/planted.c|#include "libpq-fe.h"
PLANTED
  while IFS='|' read -r file text; do plant allowed "$file" "$text"; done <<'ALLOWED'
crypto/planted.c|#include <openssl/evp.h>
core/planted.c|#include "worker/worker.h"
migration/planted.c|#include "ledger/ledger.h"
ledger/planted.c|#include "utils/builtins.h"
client/planted.c|#include "libpq-fe.h"
ALLOWED
  return $bad
}

top=$(cd "$(dirname "$0")/.." && pwd)
case ${1:-} in
  --self-test) self_test "$top/src" ;;
  *) check "${1:-$top/src}" ;;
esac
