# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev install: the plug-in, its engine, data and translations into every GIMP 3 profile of the user. Sourced by dev.

. "$root/build-aux/build.sh"

job_install() {
  local config=${XDG_CONFIG_HOME:-$HOME/.config}/GIMP profile plugins new found=no
  [ $# = 0 ] || die "install takes no arguments, not '$*'."
  job_build
  [ "$place" = host ] ||
    say "this was built for Debian's GIMP 3; a GIMP 3 on this system can use it only if its libraries are as new"
  for profile in "$config"/3.*/; do
    [ -d "$profile" ] || profile=$config/$(install_version)/
    plugins=${profile}plug-ins
    new=$plugins/.pentimento.new
    # whole or not at all: a GIMP that starts meanwhile sees the old one or the new one
    rm -rf "$new" && mkdir -p "$new" &&
      "$root/build-aux/stage.sh" copy "$build" "$new" &&
      rm -rf "$plugins/pentimento" && mv "$new/pentimento" "$plugins/pentimento" && rmdir "$new" ||
      die "The plug-in could not be put into $plugins: see the message above."
    say "installed in $plugins/pentimento"
    found=yes
  done
  [ "$found" = yes ] && say "restart GIMP to see Filters > Pentimento"
}

# The profile that a GIMP which never ran yet will make: 3.0 for GIMP 3.0.x.
install_version() {
  place_run sh -c 'for g in gimp-console-3.0 gimp-console-3.2 gimp-console-3 gimp-console; do command -v $g >/dev/null && exec $g --version; done' 2>/dev/null |
    sed -n 's/.* \([0-9]*\.[0-9]*\)\.[0-9.]*$/\1/p' | head -n 1 | grep . || echo 3.0
}
