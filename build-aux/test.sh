# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev test [SUITE…]: builds, runs the suites, counts. Sourced by dev; the counting is in test.py.
#
# "reference" stands for the suites that compare with torch and diffusers, run on freshly made outputs of theirs.

. "$root/build-aux/build.sh"
. "$root/build-aux/reference.sh"

reference_suites="text nets sample methods"

job_test() {
  local suites="" suite reference=no
  job_build
  for suite; do
    case $suite in
      reference) reference=yes ;;
      -*) die "test takes names of suites, not '$suite'." ;;
      *) suites="$suites $suite" ;;
    esac
  done
  if [ "$reference" = yes ]; then
    [ -z "$suites" ] || die "'reference' runs alone: its counts are of other data than those of$suites."
    test_reference
  else
    # shellcheck disable=SC2086  # suites are words
    place_exec python3 "$root/build-aux/test.py" "$build" $suites
  fi
}

test_reference() {
  local data status=0
  reference_ensure
  data=$(mktemp -d)
  trap 'rm -rf "$data"' EXIT
  reference_make "$data"
  # shellcheck disable=SC2086  # suites are words
  place_run python3 "$root/build-aux/test.py" "$build" --data "$data" $reference_suites || status=$?
  return "$status"
}
