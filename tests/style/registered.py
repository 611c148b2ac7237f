#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""registered.py ROOT BUILD: meson knows every test. A C file under tests/ that no program is built from, or a test_*
script that no test runs, would never run and nobody would notice."""

import json
import subprocess
import sys
from pathlib import Path

from tree import Tap, Tree

SCRIPTS = (".py", ".sh", ".scm")


def introspect(build, what):
    return json.loads(subprocess.run(["meson", "introspect", f"--{what}", build], capture_output=True, text=True, check=True).stdout)


def unknown(names, root, targets, tests):
    """The test files among `names` that are in no target and in no test's command."""
    built = {source for target in targets for part in target["target_sources"] for source in part.get("sources", [])}
    built |= {source for target in targets for part in target["target_sources"] for source in part.get("generated_sources", [])}
    words = " ".join(word for test in tests for word in test["cmd"])
    for name in names:
        path = Path(name)
        if path.parts[0] != "tests" or len(path.parts) < 3:
            continue
        if path.suffix == ".c" and str(root / name) not in built:
            yield f"{name} is part of no program"
        elif path.stem.startswith("test_") and path.suffix in SCRIPTS and name not in words and path.name not in words:
            yield f"{name} is run by no test"


def main():
    tree, build, tap = Tree(sys.argv[1]), sys.argv[2], Tap()
    complaints = list(unknown(tree.names, tree.root, introspect(build, "targets"), introspect(build, "tests")))
    tap.line(not complaints, "/style/registered/kept", complaints)
    root = Path("/src")
    targets = [{"target_sources": [{"sources": ["/src/tests/ops/a.c"]}]}]
    tests = [{"cmd": ["python3", "/src/tests/model/test_a.py"]}]
    seen = list(unknown(["tests/ops/a.c", "tests/ops/b.c", "tests/model/test_a.py", "tests/model/test_b.py", "tests/model/tool.py"], root, targets, tests))
    good = [line.split()[0] for line in seen] == ["tests/ops/b.c", "tests/model/test_b.py"]
    tap.line(good, "/style/registered/can-fail", [] if good else seen)
    tap.end()


if __name__ == "__main__":
    main()
