# SPDX-License-Identifier: GPL-3.0-or-later
"""Test results as TAP, for the tests that drive GIMP. Every line is flushed: the program may be killed by its timeout."""

import sys
import traceback


class Tap:
    def __init__(self):
        self.count, self.failed = 0, 0

    def check(self, name, good, detail=None):
        self.count += 1
        if not good:
            self.failed += 1
            for line in str(detail).splitlines() if detail is not None else []:
                print(f"# {line}", flush=True)
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        return bool(good)

    def run(self, case, *args):
        """A case that ends with an exception is one failed test."""
        try:
            case(*args, self)
        except Exception as problem:  # pylint: disable=broad-except
            self.check(case.__name__, False, f"{problem}\n{traceback.format_exc()}")

    def end(self):
        """Inside GIMP sys.exit is a failure whatever its status, so success just returns."""
        print(f"1..{self.count}", flush=True)
        if self.failed or not self.count:
            sys.exit(1)
