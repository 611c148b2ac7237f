#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# clang-builds.sh ROOT: everything compiles without a warning under clang too, and clang did compile it.
set -eu
"$1/dev" build --clang
grep -q '"command": "clang' "${PENTIMENTO_BUILD:-$1/build}-clang/compile_commands.json"
