#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""counting.py ROOT: build-aux/test.py tells passed from failed, hung, skipped, crashed and absent tests."""

import importlib.util
import sys
from pathlib import Path

from tree import Tap


def load(root):
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("counting_under_test", Path(root) / "build-aux" / "test.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# result, status, standard output, protocol: numbers of passed, failed and skipped
CASES = {
    "all-pass": ("OK", 0, "1..2\nok 1 /a\nok 2 - /b\n", "tap", (2, 0, 0)),
    "one-fails": ("FAIL", 1, "1..2\nok 1 /a\nnot ok 2 /b - no\n", "tap", (1, 1, 0)),
    "skips": ("OK", 0, "1..2\nok 1 /a\nok 2 /b # SKIP no display\n", "tap", (1, 0, 1)),
    "crash-before-any": ("ERROR", -11, "1..2\n", "tap", (0, 1, 0)),
    "crash-after-one": ("ERROR", -11, "1..2\nok 1 /a\n", "tap", (1, 1, 0)),
    "hang": ("TIMEOUT", -15, "1..2\nok 1 /a\n", "tap", (1, 1, 0)),
    "nothing": ("SKIP", 0, "1..0\n", "tap", (0, 1, 0)),
    "nested": ("OK", 0, "# Subtest: a\n    ok 1 x\n    ok 2 y\n    1..2\nok 1 a\n1..1\n", "tap", (2, 0, 0)),
    "nested-fails": ("FAIL", 1, "    ok 1 x\n    not ok 2 y\n    1..2\nnot ok 1 a\n1..1\n", "tap", (1, 2, 0)),
    "plain-pass": ("OK", 0, "", "exitcode", (1, 0, 0)),
    "plain-fail": ("FAIL", 1, "", "exitcode", (0, 1, 0)),
    "plain-crash": ("FAIL", -11, "ok 1 looks well\n", "exitcode", (0, 1, 0)),
    "plain-skip": ("SKIP", 77, "", "exitcode", (0, 0, 1)),
    "plain-hang": ("TIMEOUT", -15, "", "exitcode", (0, 1, 0)),
}


def main():
    counting, tap = load(sys.argv[1]), Tap()
    for name, (result, status, output, protocol, expected) in CASES.items():
        record = {"name": "suite / x", "result": result, "returncode": status, "stdout": output}
        seen = tuple(len(part) for part in counting.judge(record, protocol))
        tap.line(seen == expected, f"/counting/{name}", [] if seen == expected else [f"counted {seen}, expected {expected}"])
    for log in ("pentimento:plugin / plugin-table", "plugin - pentimento:plugin-table", "plugin-table"):
        seen = counting.test_name({"name": log})
        good = seen == "plugin-table"
        tap.line(good, f"/counting/name-in-log: {log.replace(' / ', ' ')}", [] if good else [f"took {seen} for the test's name"])
    tap.end()


if __name__ == "__main__":
    main()
