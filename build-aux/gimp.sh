# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev gimp [FILE…]: GIMP with the plug-in from the build folder and a profile of its own, so that the user's
# settings stay as they are. A rebuilt plug-in is used at its next call. Sourced by dev.

. "$root/build-aux/build.sh"

job_gimp() {
  local profile gimprc
  job_build
  [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] ||
    die "GIMP needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set: start this from a graphical session."
  profile=$build/gimp-profile gimprc=$profile/gimprc
  mkdir -p "$profile"
  "$root/build-aux/stage.sh" link "$build" "$build/stage" || die "The plug-in was not built, see the messages of the build."
  # GIMP keeps its own settings in this file later on; only a new one is written
  [ -f "$gimprc" ] || printf '(plug-in-path "${gimp_plug_in_dir}/plug-ins:${gimp_dir}/plug-ins:%s")\n' "$build/stage" >"$gimprc"
  place_exec env GIMP3_DIRECTORY="$profile" sh -c \
    'for g in gimp-3.0 gimp-3.2 gimp-3 gimp; do command -v $g >/dev/null && exec $g "$@"; done; echo "dev: GIMP itself is not installed" >&2; exit 1' gimp "$@"
}
