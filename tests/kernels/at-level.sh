#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# at-level.sh LEVEL LEVELS PROGRAM [ARGUMENT…]: a test program at one CPU level. A machine that lacks it says so, as a skipped test; LEVELS is
# the program that lists what the machine has.
set -eu
level=$1 levels=$2
shift 2
if ! "$levels" | grep -qx "$level"; then
  echo "1..1"
  echo "ok 1 /kernels/$level # SKIP this machine has no $level"
  exit
fi
PENTIMENTO_CPU=$level exec "$@"
