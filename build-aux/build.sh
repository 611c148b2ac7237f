# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev build [--clang|--asan]: configures once, compiles. Sourced by dev; runs in the place that place.sh chose.
#
# The variants have build folders of their own: build-clang/, build-asan/ (address and undefined-behaviour sanitizers).

# Warnings are errors in what dev builds, with one exception: gcc warns of impossible sizes in code that the
# sanitizers have rewritten. A packager's plain "meson setup" has them as warnings.
build_options() {
  case $1 in
    asan) printf '%s\n' -Db_sanitize=address,undefined -Db_lundef=false ;;
    *) echo -Dwerror=true ;;
  esac
}

# How many compilers at once: two gigabytes of memory each would be plenty, so the processors decide.
build_jobs() { nproc 2>/dev/null || echo 2; }

job_build() {
  local variant="" compiler=${CC:-gcc} options
  case ${1:-} in
    "") ;;
    --clang) variant=clang compiler=clang ;;
    --asan) variant=asan ;;
    *) die "build knows --clang and --asan, not '$1'." ;;
  esac
  [ -z "$variant" ] || build=$build-$variant
  mapfile -t options < <(build_options "$variant")
  build_lock
  if [ ! -f "$build/build.ninja" ]; then
    # half a configuration, from a setup that failed, is of no use to the next one
    rm -rf "${build:?}/meson-private" "${build:?}/meson-info"
    place_run env CC="$compiler" meson setup "$build" "$root" "${options[@]}" 9>&- || build_failed configured
  fi
  place_run ninja -C "$build" -j "$(build_jobs)" 9>&- || build_failed compiled
  exec 9>&-
}

# Two starts in one checkout wait for each other, so that meson never sees the other's half-written folder.
build_lock() {
  mkdir -p "$build"
  exec 9>"$build/.lock"
  flock -n 9 || { say "waiting for another build in $build"; flock 9; }
}

build_failed() { die "$build could not be $1: the messages above say where."; }
