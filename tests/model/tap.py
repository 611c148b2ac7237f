# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the functions named test_* of a module and speaks TAP; puts the renderer on the path."""

import sys
import traceback
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
MODEL = ROOT / "data" / "models" / "sketch"
sys.dont_write_bytecode = True
sys.path.insert(0, str(MODEL / "train"))


def run(module, suite):
    tests = [(name, f) for name, f in vars(module).items() if name.startswith("test_")]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, (name, function) in enumerate(tests, 1):
        good = True
        try:
            function()
        except Exception:  # a test's own failure, whatever it is, is a line of TAP
            good, failed = False, failed + 1
            for line in traceback.format_exc().splitlines():
                print("# " + line)
        print(f"{'ok' if good else 'not ok'} {number} /{suite}/{name.removeprefix('test_').replace('_', '-')}",
              flush=True)
    sys.exit(1 if failed else 0)
