#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_instructions.py [--record] COUNT COMPILER: no kernel takes more instructions than instructions.json has for it.

COUNT is the program of count.c; it runs under callgrind, which counts the same on a machine at rest and on a busy one. callgrind knows
no AVX-512, so the levels are v2 and v3. Figures belong to a compiler's major version, COMPILER, such as gcc-14. When a kernel has been
changed for a reason, or with a new compiler, record anew, look at the difference, and commit it:

    ./dev exec ninja -C build record-instructions
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LEVELS = ("v2", "v3")
MORE = 1.03  # what a change elsewhere in a file, or a point release of the compiler, may do
STORE = Path(__file__).with_name("instructions.json")
RECORD = "./dev exec ninja -C build record-instructions"


def inclusive(profile):
    """Instructions of each function count_NAME and of all that it calls, from callgrind's file."""
    names, totals, current, called = {}, {}, None, False
    for line in profile.splitlines():
        function = re.match(r"(c?)fn=\((\d+)\)(?: (.*))?$", line)
        if function:
            callee, number, name = function.groups()
            if name:
                names[number] = name
            if not callee:
                found = re.match(r"count_(\w+?)(?:\.[\w.]+)?$", names[number])
                current = found and found.group(1)
        elif current and re.match(r"[+*\d-]\S* \d+$", line):
            # the cost of a line, or after calls= that of the call
            totals[current] = totals.get(current, 0) + int(line.split()[1])
    return totals


def measure(count, level):
    """Instructions of each kernel, or None where the machine has no such level."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "profile"
        run = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet", count, level],
                             capture_output=True, text=True, check=False, env=dict(os.environ, LD_BIND_NOW="1"))
        if run.returncode == 2:
            return None
        if run.returncode:
            sys.exit(f"Bail out! {count} {level} under valgrind ended with status {run.returncode}: {run.stderr.strip()[-500:]}")
        return inclusive(out.read_text())


def compared(figures, known):
    """(name, sentence or None) of each kernel, known or counted."""
    for name in sorted(set(figures) | set(known)):
        if name not in figures:
            yield name, f"is in {STORE.name} but was not counted: record anew with {RECORD}"
        elif name not in known:
            yield name, f"takes {figures[name]} instructions and is not in {STORE.name}: record it with {RECORD}"
        elif figures[name] > MORE * known[name]:
            yield name, (f"takes {figures[name]} instructions, {figures[name] / known[name] - 1:.1%} more than the {known[name]} of "
                         f"{STORE.name}: make it as short as it was, or record what it costs with {RECORD}")
        else:
            yield name, None


def record(counted, compiler):
    stored = json.loads(STORE.read_text()) if STORE.exists() else {}
    stored[compiler] = counted
    STORE.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")
    print(f"recorded in {STORE}: {sum(map(len, counted.values()))} figures for {compiler}")


def lines(counted, compiler, stored):
    """(passed, name, remark) of each test."""
    known = stored.get(compiler)
    counted = {level: figures for level, figures in counted.items() if figures is not None}
    if known is None:
        figures = ", ".join(f"{level} {name} {n}" for level in counted for name, n in sorted(counted[level].items()))
        sentence = f"{STORE.name} has no figures of {compiler}, only of {', '.join(sorted(stored)) or 'nothing'}: record with {RECORD}"
        yield False, "/kernels/instructions/known-compiler", f"{sentence}. Counted: {figures}"
        return
    for level in counted:
        for name, wrong in compared(counted[level], known.get(level, {})):
            before = known.get(level, {}).get(name)
            now = counted[level].get(name)
            note = f"{now} instructions, {1 - now / before:.0%} fewer than recorded: record it" if not wrong and now * MORE < before else None
            yield not wrong, f"/kernels/instructions/{level}/{name}", wrong or note


def can_fail():
    """A kernel that grew, one that is new and one that is gone are told; one that stayed is not."""
    told = dict(compared({"same": 100, "more": 104, "new": 1}, {"same": 100, "more": 100, "gone": 1}))
    profile = "fn=(1) count_a\n5 10\ncfn=(2) silu\ncalls=1 9\n5 1000\nfn=(2)\n9 1000\nfn=(1)\n+2 7\n"
    unknown = [passed for passed, _, _ in lines({"v2": {}, "v3": {}}, "gcc-1", {})]
    return [name for name in told if told[name]] == ["gone", "more", "new"] and inclusive(profile) == {"a": 1017} and unknown == [False]


def main():
    recording = "--record" in sys.argv
    count, compiler = [word for word in sys.argv[1:] if word != "--record"]
    if not shutil.which("valgrind"):
        sys.exit("Bail out! valgrind is missing: install it, then start again")
    counted = {level: measure(count, level) for level in LEVELS}
    if recording and None in counted.values():
        sys.exit(f"test_instructions: this machine lacks one of the levels {', '.join(LEVELS)}; record on another.")
    if recording:
        record(counted, compiler)
        return
    stored = json.loads(STORE.read_text())
    if compiler not in stored and os.environ.get("PENTIMENTO_PLACE") == "host":
        print("1..1\nok 1 /kernels/instructions # SKIP "
              f"this system's compiler is {compiler}, and figures are kept for those of the project's own environment")
        return
    results = [(can_fail(), "/kernels/instructions/can-fail", None), *lines(counted, compiler, stored)]
    results += [(True, f"/kernels/instructions/{level} # SKIP this machine has no {level}", None) for level in LEVELS if counted[level] is None]
    print(f"1..{len(results)}")
    for number, (passed, name, remark) in enumerate(results, 1):
        print(f"{'ok' if passed else 'not ok'} {number} {name}")
        if remark:
            print(f"# {remark}")
    sys.exit(0 if all(passed for passed, _, _ in results) else 1)


if __name__ == "__main__":
    main()
