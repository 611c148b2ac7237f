# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev bench ui|estimate|memory|recipe|error|scaling|peers [OPTION…]: builds, then measures the engine as the dialogs meet it, through its
# protocol, by itself, or beside others from PyPI (tests/bench/README.md). Sourced by dev.

. "$root/build-aux/build.sh"
. "$root/build-aux/reference.sh"

job_bench() {
  local what=${1:-}
  [ $# = 0 ] || shift
  case $what in
    ui | estimate | memory | recipe) ;;
    error | scaling) bench_alone "$what" "$@"; return ;;
    peers) bench_peers "$@"; return ;;
    *) die "bench takes ui (Cancel and previews), estimate (memory and time in advance), memory (the same of full-size pictures), recipe (whole pictures and their targets), error (precisions and faster methods against f32), scaling (time against work) or peers (others from PyPI), not '$what'." ;;
  esac
  job_build
  place_exec python3 "$root/tests/bench/$what.py" "$build/engine/cli/pentimento-engine" "$@"
}

# What the engine measures itself: error and scaling are options of its command bench.
bench_alone() {
  local what=$1
  shift
  job_build
  place_exec "$build/engine/cli/pentimento-engine" bench "--$what" "$@"
}

# The peers' Python may be this system's while the engine runs in the tree, so the script starts the engine through dev.
bench_peers() {
  job_build
  reference_ensure "$root/tests/bench/requirements.txt" bench-venv "of the peers"
  reference_run "$root/tests/bench/peers.py" "$root/dev exec $build/engine/cli/pentimento-engine" --out "$(cache_base)/bench-peers" "$@"
}
