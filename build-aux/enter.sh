#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# enter.sh TREE CMD…: runs CMD inside the Debian tree, in a mount namespace of its own, with the checkout, the home,
# cache and runtime folders, /tmp, /dev, /proc, /sys and the working directory at the same paths as outside.
# Standard streams, signals and the exit status are CMD's own: every step is an exec.
# PENTIMENTO_PATH is put in front of PATH.
set -eu

tree=$1
shift
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

if [ "${PENTIMENTO_INNER:-}" != "$$" ]; then
  # Outside. exec keeps the process id, which tells the second pass from a nested call.
  export PENTIMENTO_INNER=$$
  if [ "$(id -u)" = 0 ]; then
    exec unshare --mount --propagation private "${BASH_SOURCE[0]}" "$tree" "$@"
  fi
  if unshare --user --map-root-user --mount true 2>/dev/null; then
    exec unshare --user --map-root-user --mount --propagation private "${BASH_SOURCE[0]}" "$tree" "$@"
  fi
  echo "dev: this system lets an ordinary user make no namespace of its own (sysctl kernel.unprivileged_userns_clone or an AppArmor rule): run as root, or on a system with GIMP 3." >&2
  exit 1
fi
unset PENTIMENTO_INNER

# show DIR: makes a folder of the outside visible at the same path, unless an earlier one brought it along.
shown=()
show() {
  local dir=$1 done
  [ -n "$dir" ] && [ -d "$dir" ] && [ "$dir" != / ] || return 0
  for done in ${shown[@]+"${shown[@]}"}; do
    case $dir/ in "$done"/*) return 0 ;; esac
  done
  mkdir -p "$tree$dir"
  mount --rbind "$dir" "$tree$dir"
  shown+=("$dir")
}

share_file() {
  [ -f "$1" ] || return 0
  [ -f "$tree$1" ] || { mkdir -p "$tree$(dirname "$1")"; rm -f "$tree$1"; : >"$tree$1"; }
  mount --bind "$(realpath "$1")" "$tree$1"
}

cwd=$(pwd -P)
for dir in /dev /proc /sys /tmp; do show "$dir"; done
# The machine's network and pip settings, for what is downloaded from inside.
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do share_file "$file"; done
# Folders of the outside that no Debian system has of its own: disks, shares, software that the owner put there.
for dir in /*; do
  case $dir in
    /bin | /boot | /dev | /etc | /lib* | /lost+found | /proc | /root | /run | /sbin | /sys | /tmp | /usr | /var) ;;
    *) [ -L "$dir" ] || show "$dir" ;;
  esac
done

runtime=${XDG_RUNTIME_DIR:-}
if [ -z "$runtime" ] || [ ! -d "$runtime" ]; then
  runtime=/tmp/pentimento-run-$(stat -c %u "$tree")
  mkdir -p -m 700 "$runtime"
fi
export XDG_RUNTIME_DIR=$runtime

# Parents before children, so that nothing is mounted twice.
while read -r dir; do
  show "$dir"
done < <(for d in "${HOME:-}" "${XDG_CACHE_HOME:-}" "${XDG_CONFIG_HOME:-}" "$runtime" "${TMPDIR:-}" "$root"; do
  [ -n "$d" ] && [ -d "$d" ] && realpath "$d"
done | sort -u)
case $cwd in
  # the system's own folders are the tree's inside, that is what a tree is for
  / | /usr | /usr/* | /etc | /etc/* | /bin | /sbin | /lib* | /var | /var/*) ;;
  *) show "$cwd" ;;
esac
[ -d "$tree$cwd" ] || cwd=/

# What names files or languages of the outside would be wrong inside.
unset LD_LIBRARY_PATH LD_PRELOAD PYTHONHOME PYTHONPATH PKG_CONFIG_PATH GI_TYPELIB_PATH XDG_DATA_DIRS XDG_CONFIG_DIRS GTK_MODULES OLDPWD
export PATH=${PENTIMENTO_PATH:+$PENTIMENTO_PATH:}/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
case ${LC_ALL:-}${LC_CTYPE:-}${LANG:-} in
  "" | C | POSIX) export LANG=C.UTF-8; unset LC_ALL ;;
  *) [ -n "${LANG:-}" ] || export LANG=C.UTF-8 ;;
esac

# chroot(1) changes to /, so the last step goes back to where the caller stood.
exec chroot "$tree" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$cwd" "$@"
