# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev install, ./dev uninstall: the plug-in, its engine, data and translations into every GIMP 3 profile of the user, or out of it.
# Sourced by dev. Profiles are looked for where a native GIMP, the Flatpak and the Snap keep them.

. "$root/build-aux/build.sh"

# "KIND FOLDER" of each profile folder of a GIMP 3, the user's own first.
install_profiles() {
  local kind base profile
  while read -r kind base; do
    for profile in "$base"/3.*/; do
      [ ! -d "$profile" ] || echo "$kind ${profile%/}"
    done
  done <<LIST
native ${XDG_CONFIG_HOME:-$HOME/.config}/GIMP
flatpak $HOME/.var/app/org.gimp.GIMP/config/GIMP
snap $HOME/snap/gimp/current/.config/GIMP
LIST
}

# Where no GIMP ever ran, the folder that the first one here will make: 3.0 for GIMP 3.0.x.
install_first() { echo "native ${XDG_CONFIG_HOME:-$HOME/.config}/GIMP/$(install_version)"; }

install_version() {
  place_run sh -c 'for g in gimp-console-3.0 gimp-console-3.2 gimp-console-3 gimp-console; do command -v $g >/dev/null && exec $g --version; done' 2>/dev/null |
    sed -n 's/.* \([0-9]*\.[0-9]*\)\.[0-9.]*$/\1/p' | head -n 1 | grep . || echo 3.0
}

# A program built on this system runs in the sandboxes only where their libraries are as new, and in none of them has it OpenBLAS.
install_remark() {
  case $1 in
    native) [ "$place" = host ] || echo "built for Debian's GIMP 3: it runs where this system's libraries are as new" ;;
    flatpak) echo "the Flatpak has libraries of its own: if the menu stays away, build the extension in build-aux/flatpak" ;;
    snap) echo "the Snap has libraries of its own: if the menu stays away, use a native GIMP or the Flatpak" ;;
  esac
}

# install_one PROFILE: whole or not at all, so that a GIMP that starts meanwhile sees the old one or the new one.
install_one() {
  local plugins=$1/plug-ins new=$1/plug-ins/.pentimento.new
  rm -rf "$new" && mkdir -p "$new" &&
    "$root/build-aux/stage.sh" copy "$build" "$new" &&
    rm -rf "$plugins/pentimento" && mv "$new/pentimento" "$plugins/pentimento" && rmdir "$new" ||
    die "The plug-in could not be put into $plugins: see the message above."
}

job_install() {
  local kind profile remark profiles
  [ $# = 0 ] || die "install takes no arguments, not '$*'."
  job_build
  profiles=$(install_profiles)
  [ -n "$profiles" ] || profiles=$(install_first)
  while read -r kind profile; do
    install_one "$profile"
    remark=$(install_remark "$kind")
    say "installed for the $kind GIMP ${profile##*/}: $profile/plug-ins/pentimento${remark:+ ($remark)}"
  done <<<"$profiles"
  say "restart GIMP to see Filters > Pentimento; ./dev uninstall takes it out again"
}

job_uninstall() {
  local kind profile found=no
  [ $# = 0 ] || die "uninstall takes no arguments, not '$*'."
  while read -r kind profile; do
    [ -e "$profile/plug-ins/pentimento" ] || continue
    rm -rf "${profile:?}/plug-ins/pentimento" || die "The plug-in could not be taken out of $profile/plug-ins: see the message above."
    say "taken out of the $kind GIMP ${profile##*/}: $profile/plug-ins/pentimento"
    found=yes
  done < <(install_profiles)
  [ "$found" = yes ] || say "no GIMP 3 profile of yours has the plug-in: there is nothing to take out"
}
