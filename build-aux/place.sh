# SPDX-License-Identifier: GPL-3.0-or-later
# Where the work happens: on this system when it has GIMP 3, else inside a Debian tree. Sourced by dev.
#
#   place_choose         sets place (host or the tree's folder) and build (the build folder), ready to use
#   place_exec CMD…      becomes CMD in that place, built programs on PATH
#   place_run CMD…       runs CMD there and returns its status
#   place_build_for CMD  builds first when CMD is one of our programs and is not there yet

. "$root/build-aux/host.sh"

place_choose() {
  local suite=${PENTIMENTO_SUITE:-}
  case $suite in
    "" | trixie) build=$root/build ;;
    *[!a-z]*) die "PENTIMENTO_SUITE is the code name of a Debian release, such as trixie or forky, not '$suite'." ;;
    *) build=$root/build-$suite ;;
  esac
  if [ -n "${PENTIMENTO_PLACE:-}" ]; then
    # dev called from inside: we are there already
    place=$PENTIMENTO_PLACE build=$PENTIMENTO_BUILD
  elif [ -z "$suite" ] && host_offers_gimp3; then
    host_ensure
    place=host
  else
    tree_ensure "${suite:-trixie}"
    place=$(tree_dir "${suite:-trixie}")
  fi
}

# Programs lie where meson puts them, in one folder per room.
place_path() { echo "$build/engine:$build/engine/cli:$build/plugin"; }

place_exec() {
  export PENTIMENTO_BUILD=$build
  if [ "$place" = host ] || [ -n "${PENTIMENTO_PLACE:-}" ]; then
    export PENTIMENTO_PLACE=$place PATH="$(place_path):$PATH"
    exec "$@"
  fi
  export PENTIMENTO_PLACE=$place PENTIMENTO_PATH; PENTIMENTO_PATH=$(place_path)
  exec "$root/build-aux/enter.sh" "$place" "$@"
}

place_run() { (place_exec "$@"); }

place_build_for() {
  case $1 in
    pentimento | pentimento-engine)
      place_run sh -c 'command -v "$1" >/dev/null' sh "$1" && return
      . "$root/build-aux/build.sh"
      job_build >&2
      ;;
  esac
}
