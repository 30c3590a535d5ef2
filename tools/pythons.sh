#!/usr/bin/env bash
# tools/pythons.sh [PREFIX]: prints the paths of CPython 3.13, 3.14 and 3.15, each with its test suite.
#
# One that PATH offers is used as it is. The others are unpacked from Debian's archive into PREFIX (default
# ~/.cache/interp-pool/pythons), by tools/debian-pythons.
set -euo pipefail

versions=(3.13 3.14 3.15)
prefix=$(realpath -m "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/interp-pool/pythons}")

fail() { echo "tools/pythons.sh: $*" >&2; exit 1; }

# A name on PATH proves nothing: it may be a version manager's shim for a version that is not installed.
is_complete() {
  "$1" -c 'import ensurepip, ssl, sysconfig, test.test_concurrent_futures, test.test_interpreters
assert not sysconfig.get_config_var("Py_GIL_DISABLED")' </dev/null >/dev/null 2>&1
}

print_all() {
  local version
  for version in "${versions[@]}"; do
    if is_complete "python$version"; then
      "python$version" -c 'import sys; print(sys.executable)'
    elif [ -e "$prefix/.complete" ] && is_complete "$prefix/usr/bin/python$version"; then
      echo "$prefix/usr/bin/python$version"
    else
      return 1
    fi
  done
}

found=$(print_all) && { echo "$found"; exit 0; }

type apt-get dpkg-deb >/dev/null 2>&1 ||
  fail "needs ${versions[*]/#/python} on PATH, each with its test package, or Debian's apt to fetch them"
mkdir -p "$(dirname "$prefix")"
exec 9>"$prefix.lock"
"$(dirname "$0")/lock" "fetching CPythons"
found=$(print_all) && { echo "$found"; exit 0; } # the run before has done the work
echo "unpacking CPython ${versions[*]} into $prefix" >&2
"$(dirname "$0")/debian-pythons" "$prefix" "${versions[@]}"
print_all || fail "the interpreters unpacked into $prefix do not run"
