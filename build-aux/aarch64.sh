# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev test aarch64: the same sources for 64-bit ARM, and the engine's tests under an emulated processor. Sourced by test.sh.
#
# In a small Debian tree of its own, made once; without the plug-in. The suites are those that an emulator gets through in minutes and that
# begin no second program, which would need the system's help.

. "$root/build-aux/build.sh"

aarch64_suites="kernels ops weights text sample"

job_test_aarch64() {
  local suite=${PENTIMENTO_SUITE:-trixie} programs
  [ -z "${PENTIMENTO_PLACE:-}" ] || [ "$place" = host ] || die "'test aarch64' makes a tree of its own: run it outside of ./dev exec and ./dev shell."
  [ "$(uname -m)" != aarch64 ] || die "This machine is 64-bit ARM itself: ./dev test is the test."
  tree_kind=aarch64
  tree_ensure "$suite"
  place=$(tree_dir "$suite") build=$root/build-aarch64
  [ "$suite" = trixie ] || build=$build-$suite
  unset PENTIMENTO_PLACE
  build_lock
  if [ ! -f "$build/build.ninja" ]; then
    rm -rf "${build:?}/meson-private" "${build:?}/meson-info"
    place_run meson setup "$build" "$root" --cross-file "$root/build-aux/aarch64.ini" -Dplugin=disabled -Dwerror=true 9>&- || build_failed configured
  fi
  programs=$(place_run ninja -C "$build" --quiet -t targets all 9>&- |
    sed -n "s/^\(tests\/\(${aarch64_suites// /\\|}\)\/test-[^.:]*\): .*/\1/p")
  # shellcheck disable=SC2086  # programs are words
  place_run ninja -C "$build" -j "$(build_jobs)" $programs 9>&- || build_failed compiled
  exec 9>&-
  # shellcheck disable=SC2086  # suites are words
  place_exec env PMT_TEST_PATIENCE=100 python3 "$root/build-aux/test.py" "$build" $aarch64_suites
}
