# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev bench ui|estimate [OPTION…]: builds, then measures the engine as the dialogs meet it, through its protocol. Sourced by dev.

. "$root/build-aux/build.sh"

job_bench() {
  local what=${1:-}
  [ $# = 0 ] || shift
  case $what in
    ui | estimate) ;;
    *) die "bench takes ui (Cancel and previews) or estimate (memory and time in advance), not '$what'." ;;
  esac
  job_build
  place_exec python3 "$root/tests/bench/$what.py" "$build/engine/cli/pentimento-engine" "$@"
}
