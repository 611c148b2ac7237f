# SPDX-License-Identifier: GPL-3.0-or-later
"""TAP for tests written in Python: run(globals()) runs every function called test_* in the order of the file, each with the
arguments that `given` has for its parameters' names, and prints one line for each."""

import inspect
import sys
import time
import traceback


def run(names, prefix, **given):
    tests = [(name, f) for name, f in names.items() if name.startswith("test_") and inspect.isfunction(f)]
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, (name, test) in enumerate(tests, 1):
        start = time.monotonic()
        try:
            test(**{p: given[p] for p in inspect.signature(test).parameters})
            line = "ok"
        except BaseException as problem:  # a test that asks to exit has failed too
            if isinstance(problem, KeyboardInterrupt):
                raise
            failed += 1
            line = "not ok"
            for row in traceback.format_exc().splitlines():
                print(f"# {row}")
        print(f"{line} {number} /{prefix}/{name[5:].replace('_', '-')} # {time.monotonic() - start:.1f} s", flush=True)
    sys.exit(1 if failed else 0)
