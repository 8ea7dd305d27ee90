#!/bin/bash
# test/matrix.sh MAJOR [COMMAND...]
#
# Run COMMAND (default: test/run suites) in a copy of this checkout on another PostgreSQL major, in a cached
# chroot of the Debian suite that has it:
#
#   test/matrix.sh 17        test/matrix.sh 18 test/run regress        test/matrix.sh 19
#
# Root only: it mounts. The package source is the first one that apt is set up with here. MATRIX_CACHE (default
# /var/cache/pgmatrix) keeps one chroot per suite and major; MATRIX_MAX_AGE_DAYS (default 0: never)
# rebuilds an older one. Exit status: COMMAND's, or 75 when the chroot cannot be had.
#
# A run works on a tmpfs overlay over the cached chroot, which stays as it was built, and in a mount, PID, IPC
# and network namespace of its own: nothing stays mounted, running or installed afterwards, and any number of
# runs, also over one chroot, go side by side.
set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
  15) suite=bookworm ;;
  17) suite=trixie ;;
  18) suite=forky ;;
  19) suite=experimental ;; # over sid
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
major=$1; shift
[ $# -gt 0 ] || set -- test/run suites
[ "$(id -u)" = 0 ] || { echo 'test/matrix.sh needs root: it mounts' >&2; exit 75; }

unshare --mount --pid --net --ipc --fork true 2>/dev/null ||
  { echo 'test/matrix.sh needs namespaces of its own, which this machine does not give' >&2; exit 75; }

missing=()
command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
command -v mount >/dev/null || missing+=(mount)
command -v ip >/dev/null || missing+=(iproute2)
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  lib_apt "${missing[@]}" || { echo "cannot install: ${missing[*]}"; exit 75; }
fi

top=$lib_top
cache=${MATRIX_CACHE:-/var/cache/pgmatrix}
key=$suite-$major
chroot=$cache/$key
mkdir -p "$cache"

build_chroot() {
  local list=/etc/apt/sources.list.d/debian.sources mirror keyring valid base=$suite lines hook rc=0 extra=
  [ -f "$list" ] || { echo "no $list to take the package source from" >&2; return 1; }
  mirror=$(awk '/^URIs:/ { print $2; exit }' "$list")
  keyring=$(awk '/^Signed-By:/ { print $2; exit }' "$list")
  # a mirror that is a frozen copy has an expired Release file for testing and unstable:
  # follow what this machine's own apt is told about that
  valid=$(apt-config dump | awk -F'"' '/^Acquire::Check-Valid-Until / { v = $2 } END { print v ? v : "true" }')
  [ "$suite" != experimental ] || base=sid
  lines=("deb [signed-by=$keyring] $mirror $base main")
  if [ "$suite" = experimental ]; then # apt takes from it only what is asked for by name
    lines+=("deb [signed-by=$keyring] $mirror experimental main")
    extra="libpq5/experimental libpq-dev/experimental"
  fi
  hook=$(mktemp)
  # server-dev is unpacked, not installed: it depends on clang and llvm (750 MB), which only the JIT's
  # bitcode needs, and the tests build without it (with_llvm=no).
  cat >"$hook" <<HOOK
set -eu
cd "\$1/var/cache" && APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG apt-get -qq -o APT::Sandbox::User=root \
  download postgresql-server-dev-$major >/dev/null
dpkg-deb -x postgresql-server-dev-$major*.deb "\$1" && rm -f ./*.deb
rm -f "\$1/etc/resolv.conf"
HOOK
  rm -rf "$chroot.new"
  mmdebstrap --mode=root --variant=essential \
    --include="postgresql-$major libpq-dev libssl-dev gcc libc6-dev make libipc-run-perl pgbouncer $extra" \
    --aptopt='APT::Install-Recommends "false"' \
    --aptopt="Acquire::Check-Valid-Until \"$valid\"" \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="sh $hook \"\$1\"" \
    "$base" "$chroot.new" "${lines[@]}" >"$chroot.log" 2>&1 || { rc=$?; tail -n 40 "$chroot.log"; }
  rm -f "$hook" "$chroot.log"
  [ "$rc" = 0 ] || { rm -rf "$chroot.new"; return "$rc"; }
  rm -rf "$chroot" && mv "$chroot.new" "$chroot"
}

exec 9>"$cache/$key.lock"
flock 9 # one build at a time of each chroot
if [ -d "$chroot" ] && [ "${MATRIX_MAX_AGE_DAYS:-0}" -gt 0 ] &&
  [ -n "$(find "$chroot" -maxdepth 0 -mtime +"$MATRIX_MAX_AGE_DAYS")" ]; then rm -rf "$chroot"; fi
if [ ! -d "$chroot" ]; then
  echo "matrix: building chroot $key"
  began=$SECONDS
  build_chroot || { echo "matrix: no chroot for PostgreSQL $major"; exit 75; }
  echo "matrix: built in $((SECONDS - began)) s, $(du -sh "$chroot" | cut -f1)"
fi
exec 9>&-

work=$(mktemp -d "$cache/run.XXXXXX")
trap 'rmdir "$work"' EXIT

# in the new namespaces
# shellcheck disable=SC2154  # the inner shell finds $chroot, $work, $top, $major in its environment
inner='
set -euo pipefail
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir "$work"/{up,wk,root}
mount -t overlay overlay -o "lowerdir=$chroot,upperdir=$work/up,workdir=$work/wk" "$work/root"
r=$work/root
mount -t proc proc "$r/proc"
mkdir -p "$r/dev/pts"
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$r/dev/pts"
ln -sf pts/ptmx "$r/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$r/dev/shm"
ip link set lo up 2>/dev/null || true
mkdir -p "$r/dbvc"
tar -C "$top" --exclude=./.git --exclude="*.o" --exclude="*.d" --exclude="*.so" --exclude="*.bc" --exclude=./tmp_check \
  --exclude=./results --exclude=./output_iso --exclude="./dbvc--*.sql" -cf - . | tar -C "$r/dbvc" --no-same-owner -xf -
exec chroot "$r" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 ${COPT:+"COPT=$COPT"} \
  DBVC_NO_INSTALL=1 PG_CONFIG="/usr/lib/postgresql/$major/bin/pg_config" bash -c "cd /dbvc && \"\$@\"" dbvc "$@"
'
chroot=$chroot major=$major work=$work top=$top \
  unshare --mount --pid --net --ipc --fork --kill-child bash -c "$inner" matrix "$@"
