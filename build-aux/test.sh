# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev test [SUITE…]: builds, runs the suites, counts. Sourced by dev; the counting is in test.py.
#
# "aarch64" builds the engine for 64-bit ARM and runs its tests under an emulator (aarch64.sh).
# "package" tries the Debian package out in a tree of its own (package-test.sh).
# "reference" stands for the suites that compare with torch and diffusers, run on freshly made outputs of theirs.

. "$root/build-aux/build.sh"
. "$root/build-aux/reference.sh"

reference_suites="base weights text nets sample methods learn image preprocessors"

job_test() {
  local suites="" suite reference=no slow=no package=no
  case " $* " in
    *" aarch64 "*)
      [ $# = 1 ] || die "'aarch64' runs alone."
      . "$root/build-aux/aarch64.sh"
      job_test_aarch64
      return
      ;;
  esac
  job_build
  for suite; do
    case $suite in
      reference) reference=yes ;;
      package) package=yes ;;
      slow) slow=yes suites="$suites slow" ;;
      -*) die "test takes names of suites, not '$suite'." ;;
      *) suites="$suites $suite" ;;
    esac
  done
  if [ "$package" = yes ]; then
    [ -z "$suites" ] && [ "$reference" = no ] || die "'package' runs alone."
    . "$root/build-aux/package-test.sh"
    job_test_package
  elif [ "$reference" = yes ]; then
    [ -z "$suites" ] || die "'reference' runs alone: its counts are of other data than those of$suites."
    test_reference
  elif [ "$slow" = yes ]; then
    # shellcheck disable=SC2086  # suites are words
    test_slow $suites
  else
    # shellcheck disable=SC2086  # suites are words
    place_exec python3 "$root/build-aux/test.py" "$build" $suites
  fi
}

test_reference() {
  local data status=0
  reference_ensure
  data=$(mktemp -d)
  # shellcheck disable=SC2064  # the name is local, and gone when the trap runs
  trap "rm -rf '$data'" EXIT
  reference_make "$data"
  # shellcheck disable=SC2086  # suites are words
  place_run python3 "$root/build-aux/test.py" "$build" --data "$data" $reference_suites || status=$?
  return "$status"
}

# The slow suite compares full-size networks with torch's outputs for them. The data is too large to store and for a /tmp that is
# memory: it is made in the cache folder for the run.
test_slow() {
  local data script status=0
  reference_ensure
  data=$(mktemp -d -p "$(cache_base)" slow.XXXXXX)
  # shellcheck disable=SC2064  # the name is local, and gone when the trap runs
  trap "rm -rf '$data'" EXIT
  cp -r "$root/tests/data/." "$data/"
  for script in "$root"/tests/slow/make_*.py; do
    say "writing full-size networks with random weights, gigabytes, into $data: $(basename "$script")"
    OMP_WAIT_POLICY=passive reference_run "$script" "$data" >&2 ||
      die "$(basename "$script") failed (its messages are above): nothing was compared."
  done
  place_run python3 "$root/build-aux/test.py" "$build" --data "$data" "$@" || status=$?
  return "$status"
}
