# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev demo: builds, then lets tests/demo fill a selection in headless GIMP. Sourced by dev.

. "$root/build-aux/build.sh"

job_demo() {
  [ $# = 0 ] || die "demo takes no arguments, not '$*'."
  job_build
  mkdir -p "$build/demo"
  place_exec "$root/tests/demo/run.sh" "$build/demo"
}
