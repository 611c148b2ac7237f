# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev package: a Debian package of what is built, into the build folder. Sourced by dev; runs in the place that place.sh chose,
# where package-root.sh puts it together.

. "$root/build-aux/build.sh"

job_package() {
  [ $# = 0 ] || die "package takes no arguments, not '$*'."
  job_build
  place_run sh -c 'command -v dpkg-shlibdeps >/dev/null' ||
    die "A Debian package is made with dpkg-dev, which is not here: install it, or run PENTIMENTO_SUITE=trixie ./dev package to work in a Debian tree."
  package_file=$(place_run "$root/build-aux/package-root.sh" "$build" "$(package_version)") && [ -f "$package_file" ] ||
    die "The package could not be put together: see the messages above."
  say "the package is $package_file; install it with: apt install $package_file"
}

package_version() { sed -n "s/^ *version: '\(.*\)',$/\1/p" "$root/meson.build" | head -n 1; }
