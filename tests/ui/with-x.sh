#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# with-x.sh CMD…: runs CMD with an X server of its own and nothing of the user's. CMD sees PMT_UI_TMP, a folder for its files.
set -eu
[ $# -gt 0 ] || { echo "with-x.sh: which command?" >&2; exit 2; }
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pmt-ui-XXXXXX")
export PMT_UI_TMP=$tmp HOME=$tmp XDG_RUNTIME_DIR=$tmp XDG_CONFIG_HOME=$tmp XDG_CACHE_HOME=$tmp XDG_DATA_HOME=$tmp NO_AT_BRIDGE=1 GDK_BACKEND=x11
unset WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS
exec 3<>"$tmp/display-number"
Xvfb -displayfd 3 -screen 0 1280x900x24 -nolisten tcp >"$tmp/xvfb.log" 2>&1 3>&3 &
server=$!
trap 'kill "$server" 2>/dev/null || :; wait "$server" 2>/dev/null || :; rm -rf "$tmp"' EXIT
for _ in $(seq 200); do
  [ -s "$tmp/display-number" ] && break
  sleep 0.1
done
[ -s "$tmp/display-number" ] || { echo "with-x.sh: no X server within twenty seconds: $(tail -n 2 "$tmp/xvfb.log")" >&2; exit 1; }
DISPLAY=:$(tr -d '\n' <"$tmp/display-number")
export DISPLAY
status=0
"$@" || status=$?
exit "$status"
