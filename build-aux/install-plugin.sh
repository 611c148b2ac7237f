#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# install-plugin.sh BUILD PLUGINDIR: the end of "meson install": the plug-in's folder, whole, into PLUGINDIR.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
target=${DESTDIR:-}$2
mkdir -p "$target"
"$here/stage.sh" copy "$1" "$target"
