#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run.sh OUTDIR [--seeds N]: the main job, end to end: a headless GIMP opens data/demo/meadow.png, selects a place in the
# grass, and lets plug-in-pentimento-fill paint what the prompt says, with the bundled model.
#
# Writes demo.xcf, before.png, after.png and sheet.png into OUTDIR and says where and how long it took, then sheet-features.png
# with fill, edit, edge control and layout boxes, as far as the model has networks for them. Status 1 when the matcher does not find the asked-for object in the selection. With --seeds N it does so for N seeds, writes
# sheet-seeds.png, prints how many of them were found, and fails under eight in ten.
#
# Environment: PMT_DEMO_PROMPT (default "a red mushroom"), PMT_DEMO_SEED (the first seed, default 1).
set -eu

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)

[ $# -gt 0 ] || { echo "demo: run.sh OUTDIR [--seeds N]" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd -P) seeds=1
shift
case ${1:-} in
  "") ;;
  --seeds) seeds=${2:-10} ;;
  *) echo "demo: the only option is --seeds N, not '$1'." >&2; exit 2 ;;
esac
case $seeds in "" | *[!0-9]* | 0) echo "demo: --seeds wants a number, not '$seeds'." >&2; exit 2 ;; esac

export PMT_DEMO_PROMPT=${PMT_DEMO_PROMPT:-a red mushroom} PMT_DEMO_SEED=${PMT_DEMO_SEED:-1} PYTHONDONTWRITEBYTECODE=1
# the demo shows the engine that was built, not one of a test
unset PENTIMENTO_ENGINE

log=$out/gimp.log
rm -f "$out"/demo.xcf "$out"/before.png "$out"/after*.png "$out"/sheet*.png "$out"/runs.json
if ! "$root/tests/plugin/gimp-env.sh" gimp-batch "$here/fill.py" PMT_DEMO_PICTURE="$root/data/demo/meadow.png" PMT_DEMO_OUT="$out" \
  PMT_DEMO_SEEDS="$seeds" >"$log" 2>&1; then
  grep -v -e "^$" -e "Broken pipe" "$log" | tail -n 15 >&2
  echo "demo: GIMP did not finish; its messages are above, all of them in $log" >&2
  exit 1
fi
found=0
python3 "$here/judge.py" "$root" "$out" || found=$?
[ "$seeds" -gt 1 ] || python3 "$here/features.py" "$root" "$out" || found=$?
exit "$found"
