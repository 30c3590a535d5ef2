#!/usr/bin/env bash
# tools/pythons.sh [PREFIX]: prints the paths of CPython 3.13, 3.14 and 3.15, each with its test suite.
#
# One that PATH offers is used as it is. The others are unpacked from Debian's unstable archive into
# PREFIX (default ~/.cache/interp-pool/pythons), together with the C library they were built for, so
# that the system's own is neither used nor changed. Needs apt, a Debian keyring and no privileges.
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
archive=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null || true; } |
  awk '/^(URIs:|deb )/ { for (i = 2; i <= NF; i++) if ($i ~ /:\/\/.*\/debian\/?$/) { print $i; exit } }')
[ -n "$archive" ] || fail "apt has no Debian archive among its sources"

mkdir -p "$(dirname "$prefix")"
exec 9>"$prefix.lock"
flock 9 # a second run waits for the first, and finds its work done
found=$(print_all) && { echo "$found"; exit 0; }
work=$(mktemp -d "$prefix.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root" "$work"/{lists,archives}/partial
: >"$work/status"
cat >"$work/unstable.sources" <<END
Types: deb
URIs: $archive
Suites: sid
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END

# An empty status file makes apt fetch every dependency down to the C library.
apt=(apt-get -qq -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$work/status"
  -o Dir::Cache="$work" -o Dir::Etc::SourceList="$work/unstable.sources" -o Dir::Etc::SourceParts=-
  -o Debug::NoLocking=1 -o Acquire::Retries=3)
[ "$(id -u)" = 0 ] && apt+=(-o APT::Sandbox::User=root)
packages=(patchelf)
for version in "${versions[@]}"; do
  packages+=("python$version" "python$version-venv" "libpython$version-testsuite")
done
echo "unpacking CPython ${versions[*]} into $prefix" >&2
"${apt[@]}" update >&2
"${apt[@]}" --yes --no-install-recommends --download-only install "${packages[@]}" </dev/null >&2
for deb in "$work"/archives/*.deb; do dpkg-deb --extract "$deb" "$root"; done

# The names of the final place are written while the files are still in the temporary one. One call
# for both, or the other order, makes patchelf 0.18 write programs that crash.
loader=$(find "$root/usr/lib" -name 'ld-linux*' -type f -print -quit)
libraries=$(dirname "$loader")
patchelf() { "$loader" --library-path "$libraries" "$root/usr/bin/patchelf" "$@"; }
for version in "${versions[@]}"; do
  patchelf --force-rpath --set-rpath "$prefix${libraries#"$root"}" "$root/usr/bin/python$version"
  patchelf --set-interpreter "$prefix${loader#"$root"}" "$root/usr/bin/python$version"
done
# Debian's ensurepip looks for its wheels at an absolute path.
sed -i "s|\(['\"]\)/usr/share/python-wheels|\1$prefix/usr/share/python-wheels|" \
  "$root"/usr/lib/python3.*/_sysconfig*

rm -rf "$prefix"
mv -T "$root" "$prefix"
for version in "${versions[@]}"; do
  # Without .pyc files every interpreter a test creates would pay for compilation.
  env -u PYTHONDONTWRITEBYTECODE "$prefix/usr/bin/python$version" -m compileall -q -j0 \
    -x /test/ "$prefix/usr/lib/python$version" >&2
done
touch "$prefix/.complete"
print_all || fail "the interpreters unpacked into $prefix do not run"
