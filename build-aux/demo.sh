# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev demo [--seeds N]: builds, then lets tests/demo fill a selection in headless GIMP. Sourced by dev.

. "$root/build-aux/build.sh"

job_demo() {
  case ${1:-} in "" | --seeds) ;; *) die "demo knows --seeds N, not '$1'." ;; esac
  job_build
  mkdir -p "$build/demo"
  place_exec "$root/tests/demo/run.sh" "$build/demo" "$@"
}
