#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test.py BUILD [--data FOLDER] [SUITE…]: runs meson suites and counts what really ran.

meson counts executables; here each TAP line of an executable counts as one test, and an executable without TAP as
one. Failed tests are named with the end of their output. The last line is "N passed, N failed, N skipped"; the
status is 1 when anything failed or timed out, or when nothing ran at all.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

# What runs when no suite is named; the others need minutes of full-size networks or a Python with torch.
ON_REQUEST = {"slow", "reference"}
TAP_LINE = re.compile(r"^(?P<indent>\s*)(?P<not>not )?ok\b\s*\d*\s*(?:-\s*)?(?P<name>[^#\n]*)(?:#\s*(?P<directive>\S+)(?P<why>.*))?")
TAP_PLAN = re.compile(r"^1\.\.(\d+)")
TAIL_LINES = 40


def die(sentence):
    print(f"dev: {sentence}", file=sys.stderr)
    sys.exit(1)


def known_suites(build):
    found = subprocess.run(["meson", "introspect", "--tests", str(build)], capture_output=True, text=True, check=True)
    tests = json.loads(found.stdout)
    protocols = {test["name"]: test["protocol"] for test in tests}
    return {suite.split(":")[-1] for test in tests for suite in test["suite"]}, protocols


def run_meson(build, suites, data):
    """Runs the suites; returns the records of meson's log, one per executable."""
    logs = build / "meson-logs"
    for old in logs.glob("testlog*.json"):
        old.unlink()
    # Three times the stated limits: they are for an idle machine, and only a hang should meet them. Under an emulator five times that.
    patience = 15 if "PMT_TEST_PATIENCE" in os.environ else 3
    command = ["meson", "test", "-C", str(build), "--no-rebuild", "--timeout-multiplier", str(patience),
               "--num-processes", str(os.cpu_count() or 2)]
    for suite in suites:
        command += ["--suite", suite]
    if data:
        command += ["--wrapper", f"env PMT_TEST_DATA={data}"]
    env = dict(os.environ, OMP_WAIT_POLICY="passive", MESON_TESTTHREADS=str(os.cpu_count() or 2))
    subprocess.run(command, env=env, stdin=subprocess.DEVNULL, check=False)
    # one log, whose name depends on the wrapper
    return [json.loads(line) for log in logs.glob("testlog*.json")
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def read_tap(text):
    """Leaf results of a TAP stream: lists of names passed, failed and skipped, and the number that was planned."""
    passed, failed, skipped, planned = [], [], [], None
    deepest = 0
    for line in text.splitlines():
        plan = TAP_PLAN.match(line)
        if plan:
            planned = int(plan.group(1))
            continue
        found = TAP_LINE.match(line)
        if not found:
            continue
        indent = len(found.group("indent"))
        if indent < deepest:
            deepest = indent  # the line that sums up the nested tests before it
            if not found.group("not"):
                continue
        deepest = indent
        name = found.group("name").strip() or "unnamed"
        if found.group("not"):
            failed.append(name)
        elif (found.group("directive") or "").upper() == "SKIP":
            skipped.append(name + " (" + (found.group("why") or "").strip() + ")")
        else:
            passed.append(name)
    return passed, failed, skipped, planned


def test_name(record):
    """A test's own name: logs write "project:suite / name", since meson 1.8 "suite - project:name"."""
    return re.split(r" / |:", record["name"])[-1]


def judge(record, protocol):
    """(passed, failed, skipped) lists of one executable."""
    name, result = test_name(record), record["result"]
    good = result in ("OK", "EXPECTEDFAIL")
    if protocol == "tap":
        passed, failed, skipped, planned = read_tap(record.get("stdout") or "")
        if not good and result != "SKIP" and not failed:
            failed.append(f"ended with {result} (status {record.get('returncode')}) "
                          f"after {len(passed) + len(skipped)} of {planned if planned is not None else '?'} tests")
        if not passed and not skipped and not failed:
            failed.append("reported no test at all")
    elif result == "SKIP":
        passed, failed, skipped = [], [], ["skipped itself"]
    else:
        passed, failed, skipped = ([""], [], []) if good else ([], [f"{result} (status {record.get('returncode')})"], [])
    return [[f"{name} {case}".strip() for case in cases] for cases in (passed, failed, skipped)]


def tail_of(record):
    """What a reader needs of a failed test: its "not ok" lines with their remarks, and the end of the output."""
    lines = ((record.get("stdout") or "") + (record.get("stderr") or "")).splitlines()
    early, remark = [], False
    for line in lines[:-TAIL_LINES]:
        remark = "not ok" in line or remark and line.lstrip().startswith("#")
        if remark and len(early) < TAIL_LINES:
            early.append(line)
    return "\n".join("    " + line for line in early + lines[-TAIL_LINES:])


def main():
    arguments = sys.argv[1:]
    build = Path(arguments.pop(0))
    data = None
    if arguments[:1] == ["--data"]:
        data, arguments = Path(arguments[1]).resolve(), arguments[2:]
    known, protocols = known_suites(build)
    suites = arguments or sorted(known - ON_REQUEST)
    unknown = [suite for suite in suites if suite not in known]
    if unknown:
        die(f"there is no test suite named {', '.join(unknown)}: there are {', '.join(sorted(known | {'reference'}))}.")

    start = time.monotonic()
    records = run_meson(build, suites, data) if suites else []
    passed, failed, skipped = [], [], []
    for record in records:
        results = judge(record, protocols[test_name(record)])
        for total, part in zip((passed, failed, skipped), results):
            total += part
        if results[1]:
            print(f"\n== failed: {'; '.join(results[1])}\n{tail_of(record)}")
    print()
    for name in skipped:
        print(f"skipped: {name}")
    for name in failed:
        print(f"failed: {name}")
    if not passed and not failed:
        print("no test ran: nothing is proved")
    minutes, seconds = divmod(int(time.monotonic() - start), 60)
    print(f"{', '.join(suites)}: {len(records)} programs in {minutes} min {seconds} s")
    print(f"{len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped", flush=True)
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
