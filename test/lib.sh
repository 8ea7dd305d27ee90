# shellcheck shell=bash
# Functions for scripts that want dbvc on a throw-away server: test/run, test/docs, test/demo/run.
#
#   . "$(dirname "$0")/lib.sh"     (bash, after `set -euo pipefail`)
#   lib_start                      all of the steps below, in order; a psql away from a database with dbvc
#
#   lib_need [WHAT...]      install what is missing: always compiler, PostgreSQL with its development
#                           files and libssl; WHAT adds: tap, checks. Sets PG_CONFIG, lib_bin, lib_major.
#   lib_stage [MAKE-ARG...] copy the work tree to $lib_work/tree, build it there (warnings are errors) and
#                           install it below $lib_work/stage; the system is not touched.
#   lib_server              initdb and start a server below $lib_work with the staged dbvc on its path;
#                           no TCP, socket in $lib_work; sets and exports PGHOST, PGPORT, PGUSER, PGDATABASE.
#   lib_server_stop         stop it (lib_end does that too).
#   lib_psql [ARG...]       psql as superuser, stopping at the first error, without the user's .psqlrc.
#   lib_as_user CMD...      run CMD as the unprivileged user of the server, in a clean environment that has
#                           the staged dbvc and the server's programs in PATH and the PG* variables set; in
#                           the current folder if that is below $lib_work, else in /.
#   lib_say TEXT            a line for the reader; lib_die TEXT: the same, on stderr, and exit 1.
#
# What runs at the end: an EXIT trap (lib_end) ends every server that was started below $lib_work, also
# those that a test left behind, and removes $lib_work. A script with a trap of its own calls lib_end.
#
# What one may set: PG_CONFIG (which PostgreSQL; default: the newest one installed with its development
# files), DBVC_TEST_USER (who runs the server if root runs the script; default postgres), DBVC_TEST_TMP
# (default /tmp; that user must be able to enter it), DBVC_KEEP=1 (leave $lib_work for inspection),
# DBVC_NO_INSTALL=1 (never call apt), CC and COPT (handed to make).

lib_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lib_work='' lib_bin='' lib_major='' lib_user='' lib_conf=''

# `make test` must not hand its own flags to the makes of the private copy
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

lib_say() { printf '%s\n' "$*"; }
lib_die() { printf '%s\n' "$*" >&2; exit 1; }

# ---- what has to be there ----

lib_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then sudo "$@"
  else return 1; fi
}

# the newest PostgreSQL here that has a server and what PGXS needs
lib_find_pg() {
  local config
  if [ -n "${PG_CONFIG:-}" ]; then
    [ -f "$("$PG_CONFIG" --pgxs 2>/dev/null)" ] || lib_die "PG_CONFIG=$PG_CONFIG has no development files (PGXS)"
    return
  fi
  while read -r config; do
    if [ -x "$(dirname "$config")/postgres" ] && [ -f "$("$config" --pgxs)" ]; then PG_CONFIG=$config; return; fi
  done < <(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -t/ -k5,5nr)
  config=$(command -v pg_config) || return 1
  [ -f "$("$config" --pgxs 2>/dev/null)" ] && [ -x "$("$config" --bindir)/postgres" ] || return 1
  PG_CONFIG=$config
}

# the major that a Debian package should be installed for: the one of the server that is here, else
# the one that the distribution has
lib_package_major() {
  local major
  major=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sed -n 's,.*/postgresql/\([0-9]*\)/bin/.*,\1,p' | sort -nr | head -n 1)
  [ -n "$major" ] || major=$(apt-cache show postgresql 2>/dev/null |
    sed -n 's/^Depends:.*postgresql-\([0-9][0-9]*\).*/\1/p' | sort -nr | head -n 1)
  printf '%s\n' "$major"
}

# lib_apt PACKAGE...: install, without the cluster on port 5432 that Debian makes for a new server, and
# without the services that it would start, now and at the next boot
lib_apt() {
  local conf=/etc/postgresql-common/createcluster.d/dbvc-test.conf policy=/usr/sbin/policy-rc.d rc=0
  command -v apt-get >/dev/null || return 1
  lib_root env DEBIAN_FRONTEND=noninteractive conf="$conf" policy="$policy" bash -c '
    made=("$conf")
    trap "rm -f \"\${made[@]}\"" EXIT
    mkdir -p "$(dirname "$conf")"
    echo "create_main_cluster = false" >"$conf"
    if [ ! -e "$policy" ]; then
      made+=("$policy")
      printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy"
    fi
    # a package that is not known, or gone from the mirror: the list is old
    apt-get install -qq -y --no-install-recommends "$@" >"/tmp/dbvc-apt.$$" 2>&1 </dev/null ||
      { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@"; } >"/tmp/dbvc-apt.$$" 2>&1 </dev/null ||
      { rc=$?; cat "/tmp/dbvc-apt.$$" >&2; }
    rm -f "/tmp/dbvc-apt.$$"
    case " $* " in *" pgbouncer "*) systemctl disable -q pgbouncer >/dev/null 2>&1 ;; esac
    exit ${rc:-0}' apt "$@" || rc=$?
  return $rc
}

lib_has_header() { printf '#include <%s>\n' "$1" | cc -E -x c - >/dev/null 2>&1; }

lib_need() {
  local what missing=() major
  command -v make >/dev/null || missing+=(make)
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
  [ -z "${CC:-}" ] || command -v "$CC" >/dev/null || missing+=("$CC")
  lib_has_header openssl/evp.h || missing+=(libssl-dev)
  for what in "$@"; do
    case $what in
      tap) perl -MIPC::Run -e1 2>/dev/null || missing+=(libipc-run-perl)
           command -v prove >/dev/null || missing+=(perl)
           # a test does without it, and says so
           command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || ! command -v apt-get >/dev/null ||
             missing+=(pgbouncer) ;;
      checks) command -v clang >/dev/null || missing+=(clang)
              command -v clang-format >/dev/null || missing+=(clang-format)
              command -v cppcheck >/dev/null || missing+=(cppcheck)
              command -v go-md2man >/dev/null || missing+=(go-md2man)
              command -v shellcheck >/dev/null || missing+=(shellcheck) ;;
      *) lib_die "lib_need: what is $what?" ;;
    esac
  done
  if [ -n "${DBVC_NO_INSTALL:-}" ]; then
    lib_find_pg || lib_die "no PostgreSQL with development files here, and DBVC_NO_INSTALL is set"
  else
    if ! lib_find_pg; then
      if [ -z "$(lib_package_major)" ] && command -v apt-get >/dev/null; then
        lib_root apt-get update -qq >/dev/null 2>&1 </dev/null || true # a machine that never ran it
      fi
      major=$(lib_package_major)
      missing+=("postgresql-${major:-NN}" "postgresql-server-dev-${major:-NN}" libpq-dev)
    fi
    if [ ${#missing[@]} -gt 0 ]; then
      lib_say "installing ${missing[*]}"
      lib_apt "${missing[@]}" ||
        lib_die "cannot install: ${missing[*]}. Run this as root, with sudo, or install them yourself."
      lib_find_pg || lib_die "PostgreSQL's development files are still not to be found; set PG_CONFIG"
    fi
  fi
  export PG_CONFIG
  lib_bin=$("$PG_CONFIG" --bindir)
  lib_major=$("$PG_CONFIG" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
  if [ "$(id -u)" != 0 ]; then lib_user=$(id -un)
  else
    lib_user=${DBVC_TEST_USER:-postgres}
    id "$lib_user" >/dev/null 2>&1 || lib_user=nobody
  fi
}

# ---- the private copy ----

lib_make_work() {
  [ -z "$lib_work" ] || return 0
  trap lib_end EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  lib_work=$(mktemp -d "${DBVC_TEST_TMP:-/tmp}/dbvc.XXXXXX")
  chmod 755 "$lib_work"
  mkdir "$lib_work/tmp"
  [ "$(id -u)" != 0 ] || chown "$lib_user:" "$lib_work" "$lib_work/tmp"
}

# lib_copy DIR: the work tree without what a build or a test left in it
lib_copy() {
  mkdir -p "$1"
  tar -C "$lib_top" --exclude=./.git --exclude='*.o' --exclude='*.d' --exclude='*.so' --exclude='*.bc' \
    --exclude='./dbvc--*.sql' --exclude=./src/client/dbvc --exclude=./results --exclude=./output_iso --exclude=./tmp_check -cf - . |
    tar -C "$1" --no-same-owner -xf -
  [ "$(id -u)" != 0 ] || chown -R "$lib_user:" "$1"
}

# lib_make DIR MAKE-ARG...: make there as the unprivileged user, quietly unless it fails.
# The JIT's bitcode is of no use here and would need clang.
lib_make() {
  local dir=$1; shift
  lib_as_user make -s -C "$dir" -j"$(nproc)" PG_CONFIG="$PG_CONFIG" with_llvm=no WERROR=-Werror \
    ${COPT:+"COPT=$COPT"} ${CC:+"CC=$CC"} "$@" >"$lib_work/make.log" 2>&1 || { cat "$lib_work/make.log"; return 1; }
  cat "$lib_work/make.log"
}

lib_stage() {
  lib_make_work
  lib_copy "$lib_work/tree"
  lib_make "$lib_work/tree" all "$@" && lib_make "$lib_work/tree" install DESTDIR="$lib_work/stage" "$@"
}

# ---- the server ----

lib_as_user() {
  local run=() folder=/ stage=${lib_work:+$lib_work/stage}
  stage=${stage:-${DBVC_STAGE:-}}
  # only below $lib_work is it certain that this user may be where we are
  case $PWD/ in "${lib_work:-/nowhere}"/*) folder=$PWD ;; esac
  [ "$(id -u)" != 0 ] || run=(setpriv --reuid="$lib_user" --regid="$(id -gn "$lib_user")" --init-groups --)
  "${run[@]}" env -i -C "$folder" PATH="${stage:+$stage/usr/local/bin:}$lib_bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" \
    HOME="${lib_work:-/}" ${lib_work:+"TMPDIR=$lib_work/tmp"} LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=UTC \
    ${PGHOST:+"PGHOST=$PGHOST"} ${PGPORT:+"PGPORT=$PGPORT"} ${PGUSER:+"PGUSER=$PGUSER"} ${PGDATABASE:+"PGDATABASE=$PGDATABASE"} \
    "$@"
}

# Settings by which a server finds the staged files: a path from 18 on, before that Debian's patch.
# Where there is neither, dbvc has to be installed for good.
lib_server_conf() {
  local stage=$lib_work/stage share lib
  share=$("$PG_CONFIG" --sharedir) lib=$("$PG_CONFIG" --pkglibdir)
  lib_conf=$lib_work/server.conf
  cat "$lib_top/test/dbvc.conf" >"$lib_conf"
  if [ "$lib_major" -ge 18 ]; then
    printf "extension_control_path = '%s:\$system'\ndynamic_library_path = '%s:\$libdir'\n" \
      "$stage$share" "$stage$lib" >>"$lib_conf"
  elif lib_as_user postgres --describe-config | cut -f1 | grep -x extension_destdir >/dev/null; then
    printf "extension_destdir = '%s'\ndynamic_library_path = '%s:%s'\n" "$stage" "$stage$lib" "$lib" >>"$lib_conf"
  else
    lib_say "this PostgreSQL $lib_major cannot read extensions from another folder: installing dbvc into it"
    lib_root make -s -C "$lib_work/tree" PG_CONFIG="$PG_CONFIG" with_llvm=no install >/dev/null ||
      lib_die "make install failed: run it yourself as root, then this again"
  fi
  chmod 644 "$lib_conf"
}

lib_server() {
  lib_server_conf
  lib_as_user mkdir -p "$lib_work/run"
  lib_as_user initdb -D "$lib_work/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$lib_work/initdb.log" 2>&1 ||
    { cat "$lib_work/initdb.log"; lib_die "initdb failed"; }
  { cat "$lib_conf"; printf "listen_addresses = ''\nunix_socket_directories = '%s'\n" "$lib_work/run"; } |
    lib_as_user tee -a "$lib_work/data/postgresql.conf" >/dev/null
  lib_as_user pg_ctl -D "$lib_work/data" -l "$lib_work/server.log" -s -w start </dev/null ||
    { cat "$lib_work/server.log"; lib_die "the server did not start"; }
  export PGHOST=$lib_work/run PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
  export DBVC_SERVER=1 DBVC_STAGE=$lib_work/stage
}

lib_server_stop() {
  [ ! -f "$lib_work/data/postmaster.pid" ] || lib_as_user pg_ctl -D "$lib_work/data" -s -m fast stop
}

lib_psql() { lib_as_user psql -X -q -v ON_ERROR_STOP=1 "$@"; }

lib_end() {
  local rc=$? pidfile pid
  trap - EXIT
  [ -n "$lib_work" ] || return $rc
  while read -r pidfile; do
    pid=$(head -n 1 "$pidfile")
    # a file left by a crash may name a process that is somebody else's by now
    if grep -qsaF "$lib_work" "/proc/$pid/cmdline"; then kill -QUIT "$pid" 2>/dev/null || true; fi
  done < <(find "$lib_work" -name postmaster.pid 2>/dev/null)
  if [ -n "${DBVC_KEEP:-}" ]; then lib_say "kept: $lib_work"
  else
    for _ in 1 2 3; do rm -rf "$lib_work" 2>/dev/null && break; sleep 0.5; done
  fi
  return $rc
}

lib_start() {
  lib_need
  lib_stage >/dev/null || lib_die "the build failed"
  lib_server
}
