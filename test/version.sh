#!/bin/bash
# The version stands in dbvc.control; what else names it must agree.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" dbvc.control)
bad=0
agree() { [ "$2" = "$version" ] || { echo "$1 says '$2', dbvc.control says '$version'"; bad=1; }; }

[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "dbvc.control: '$version' is no three-part version"; bad=1; }
for path in .version .provides.dbvc.version; do
  # shellcheck disable=SC2016  # perl's variables
  agree "META.json $path" "$(perl -MJSON::PP -e '
    local $/; my $v = decode_json(<STDIN>); $v = $v->{$_} for grep { length } split /\./, shift; print $v' "$path" <META.json)"
done
agree 'the first heading of CHANGELOG.md' "$(sed -n 's/^## \[\{0,1\}\([^] ]*\).*/\1/p' CHANGELOG.md | head -n 1)"
# the released deltas lead up to it, none beyond
while read -r file; do
  target=${file##*--}
  [ "$(printf '%s\n' "${target%.sql}" "$version" | sort -V | tail -n 1)" = "$version" ] ||
    { echo "$file leads beyond $version"; bad=1; }
done < <(find src/upgrade -name 'dbvc--*--*.sql' 2>/dev/null)
exit $bad
