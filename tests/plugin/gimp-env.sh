#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gimp-env.sh [--gui] [--keep] CMD…
#
# Runs CMD with everything that a headless GIMP 3 needs and nothing of the user's: an own home, profile, runtime,
# cache and temporary folder, and a plug-in path with Script-Fu, Python, the file plug-ins and, once it is built, this
# project's plug-in with its engine, linked from the build folder. When CMD is over, every process that was started under it
# and still lives (an idle engine, a Script-Fu server) is ended, the folder goes away, and CMD's status is returned.
#
#   --gui    also an X server, a window manager and a session bus
#   --keep   leave the folder and say where it is
#
# CMD sees: PMT_GIMP_TMP (the folder, files of the test may go there), PMT_GIMP_CONSOLE and PMT_GIMP (the two
# programs' names), PMT_PLUGIN_STAGE (where the plug-in lies) and, in PATH, gimp-batch:
#
#   gimp-batch FILE.scm|FILE.py [NAME=VALUE…]   runs a script in gimp-console and returns its status
#
# PMT_PLUGIN=no leaves this project's plug-in out.
set -eu

gui=no keep=no
while :; do
  case ${1:-} in
    --gui) gui=yes ;;
    --keep) keep=yes ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || { echo "gimp-env.sh: which command?" >&2; exit 2; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
build=${PMT_BUILD_ROOT:-${PENTIMENTO_BUILD:-$root/build}}

first_of() {
  local name
  for name; do command -v "$name" >/dev/null && { echo "$name"; return; }; done
  echo "gimp-env.sh: none of $* is installed; run this through ./dev exec" >&2
  return 1
}
PMT_GIMP_CONSOLE=$(first_of gimp-console-3.0 gimp-console-3.2 gimp-console-3 gimp-console)
PMT_GIMP=$(first_of gimp-3.0 gimp-3.2 gimp-3 gimp)
version=$("$PMT_GIMP_CONSOLE" --version 2>/dev/null | sed -n 's/.* \([0-9][0-9.]*\)$/\1/p' | head -n 1)

tmp=$(mktemp -d "${TMPDIR:-/tmp}/pmt-gimp-XXXXXX")
mkdir -p "$tmp"/{home,gimp,cache,tmp,stage,bin}
mkdir -m 700 "$tmp/run"
export PMT_GIMP_TMP=$tmp PMT_GIMP_CONSOLE PMT_GIMP PMT_PLUGIN_STAGE=$tmp/stage
export HOME=$tmp/home GIMP3_DIRECTORY=$tmp/gimp XDG_RUNTIME_DIR=$tmp/run XDG_CONFIG_HOME=$tmp/home/.config \
  XDG_CACHE_HOME=$tmp/cache XDG_DATA_HOME=$tmp/home/.local/share TMPDIR=$tmp/tmp NO_AT_BRIDGE=1 PATH=$tmp/bin:$PATH
export LC_ALL=${LC_ALL:-C.UTF-8}
# the engine reads what an installed plug-in would have, not the source tree
export PENTIMENTO_DATADIR=$tmp/stage/pentimento/data
unset DISPLAY WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS

# Processes that this run started know it by this variable, whatever session or parent they have by now.
export PMT_GIMP_RUN=$tmp
end_own_processes() {
  local signal pid
  for signal in TERM KILL; do
    for pid in $(own_processes); do kill -s "$signal" "$pid" 2>/dev/null || :; done
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      [ -n "$(own_processes)" ] || return 0
      sleep 0.1
    done
  done
}
own_processes() {
  local dir
  for dir in /proc/[0-9]*; do
    case ${dir#/proc/} in "$$" | "$BASHPID") continue ;; esac
    tr '\0' '\n' <"$dir/environ" 2>/dev/null | grep -qxF "PMT_GIMP_RUN=$tmp" && echo "${dir#/proc/}"
  done 2>/dev/null || :
}
finish() {
  end_own_processes
  if [ "$keep" = yes ]; then echo "gimp-env.sh: kept $tmp" >&2; else rm -rf "$tmp"; fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

system=$(pkg-config --variable=gimplibdir gimp-3.0 2>/dev/null || echo /usr/lib/gimp/3.0)/plug-ins
for name in script-fu script-fu-server python-eval file-png file-jpeg file-tiff help web-browser; do
  [ ! -d "$system/$name" ] || ln -s "$system/$name" "$tmp/stage/$name"
done
if [ "${PMT_PLUGIN:-yes}" = yes ]; then
  "$root/build-aux/stage.sh" link "$build" "$tmp/stage"
fi

# config-version keeps the welcome window away, color-profile-policy a question at every opened picture.
cat >"$tmp/gimp/gimprc" <<GIMPRC
(config-version "$version")
(show-welcome-dialog no)
(check-updates no)
(color-profile-policy keep)
(plug-in-path "$tmp/stage")
GIMPRC

cat >"$tmp/bin/gimp-batch" <<'BATCH'
#!/bin/bash
# A script's parameters arrive as environment variables.
script=$(realpath "$1") || exit 2
shift
for pair; do export "${pair?}"; done
case $script in
  *.scm) set -- --batch-interpreter plug-in-script-fu-eval -b "(load \"$script\")" ;;
  *.py) set -- --batch-interpreter python-fu-eval -b "__file__='$script'; exec(compile(open(__file__).read(), __file__, 'exec'))" ;;
  *) echo "gimp-batch: $script is neither .scm nor .py" >&2; exit 2 ;;
esac
exec "$PMT_GIMP_CONSOLE" -i "$@" --quit </dev/null
BATCH
chmod +x "$tmp/bin/gimp-batch"

status=0
if [ "$gui" = yes ]; then
  exec 3<>"$tmp/display-number"
  Xvfb -displayfd 3 -screen 0 1280x900x24 -nolisten tcp >"$tmp/xvfb.log" 2>&1 3>&3 &
  for _ in $(seq 100); do
    [ -s "$tmp/display-number" ] && break
    sleep 0.1
  done
  [ -s "$tmp/display-number" ] || { echo "gimp-env.sh: no X server within ten seconds: $(tail -n 2 "$tmp/xvfb.log")" >&2; exit 1; }
  DISPLAY=:$(tr -d '\n' <"$tmp/display-number")
  export DISPLAY
  openbox >"$tmp/openbox.log" 2>&1 &
  dbus-run-session -- "$@" || status=$?
else
  "$@" || status=$?
fi
exit "$status"
