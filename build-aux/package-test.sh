# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev test package: the Debian package put into a Debian tree that was made for it alone, used there, and taken out again.
# Sourced by test.sh. Speaks like the other suites: a line per check, and the count at the end.

. "$root/build-aux/package.sh"

package_passed=0 package_failed=0

package_check() {  # package_check WHAT CMD…: runs CMD, quiet unless it fails
  local what=$1 said
  shift
  if said=$("$@" 2>&1 </dev/null); then
    package_passed=$((package_passed + 1))
    echo "ok - $what"
  else
    package_failed=$((package_failed + 1))
    printf 'not ok - %s\n%s\n' "$what" "$(tail -n 20 <<<"$said" | sed 's/^/# /')"
  fi
}

package_in() { "$root/build-aux/enter.sh" "$package_tree" env DEBIAN_FRONTEND=noninteractive "$@"; }

# A tree with nothing but apt, of the suite that the package was built for.
package_make_tree() {
  local suite=$1 log=$2 sources line options=()
  tree_tools
  sources=$(tree_sources "$suite") ||
    die "None of this machine's apt sources is a Debian archive ('apt-get indextargets' lists them): add one, then start again."
  while read -r line; do options+=("--aptopt=${line%;}"); done < <(apt_settings)
  mmdebstrap --mode=root --variant=apt --dpkgopt=force-unsafe-io --aptopt='APT::Install-Recommends "false"' "${options[@]}" \
    --essential-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
    "$suite" "$package_tree" - <<<"$sources" >"$log" 2>&1 ||
    { tail -n 15 "$log" >&2; die "The Debian tree for the package could not be made: the last lines of $log are above."; }
}

package_files() { package_in sh -c 'find /usr /etc /var /opt -xdev -iname "*pentimento*" ! -path "/var/log/*" ! -path "/var/cache/*"'; }
package_left() { local left; left=$(package_files); [ -z "$left" ] || { echo "$left"; return 1; }; }

job_test_package() {
  local suite=${PENTIMENTO_SUITE:-trixie} base out
  [ "$(id -u)" = 0 ] || die "The package is tried out in a tree of its own, which only root can make here: run this as root."
  job_package
  base=$(mktemp -d -p "$(cache_base)" package.XXXXXX)
  package_tree=$base/tree out=$base/out
  mkdir "$out"
  # shellcheck disable=SC2064  # the names are local, and gone when the trap runs
  trap "rm -rf --one-file-system '$base'" EXIT
  say "making a Debian tree ($suite) for the package"
  package_make_tree "$suite" "$base/log"
  cp "$package_file" "$root/tests/package/fill.scm" "$out/"
  # $out is under the cache folder, which is seen inside at the same path
  package_check "lintian has nothing to say" place_run lintian --allow-root --fail-on error,warning \
    --suppress-tags bogus-mail-host,initial-upload-closes-no-bugs "$package_file"
  package_in apt-get -q update >>"$base/log" 2>&1 || { tail -n 15 "$base/log" >&2; die "The package lists of the tree could not be fetched: see above."; }
  package_check "apt installs it with all that it needs" package_in apt-get -q -y install "$out/$(basename "$package_file")"
  package_check "the engine runs and finds its data" package_in pentimento-engine generate --prompt "a red circle" --steps 2 --seed 1 \
    --out "$out/circle.png"
  package_check "its manual page and its metainfo are in place" package_in sh -c \
    'test -f /usr/share/man/man1/pentimento-engine.1.gz && test -f /usr/share/metainfo/org.gimp.GIMP.Plugin.Pentimento.metainfo.xml &&
     test -f /usr/share/doc/pentimento/html/en/index.html'
  package_check "in GIMP a procedure fills a selection with the bundled model" package_in env HOME="$out" XDG_CONFIG_HOME="$out/config" \
    XDG_RUNTIME_DIR="$out" sh -c 'gimp-console -i --batch-interpreter plug-in-script-fu-eval -b "(begin (load \"$1/fill.scm\") (filled \"$1\"))" --quit &&
      test -s "$1/filled.png" && grep -qx "layers 2" "$1/result"' sh "$out"
  package_check "apt takes it out" package_in apt-get -q -y purge pentimento
  package_check "and leaves nothing behind" package_left
  echo "$package_passed passed, $package_failed failed, 0 skipped"
  [ "$package_failed" = 0 ]
}
