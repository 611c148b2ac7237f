#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_quick.py ROOT ENGINE BUILD: ./dev eval --quick of the bundled model reaches its thresholds, and a threshold that no model can
reach makes it fail. Minutes; the pictures stay in BUILD/eval-quick."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "model"))
import tap                                                       # noqa: E402

ROOT, ENGINE, BUILD = (Path(a).resolve() for a in sys.argv[1:4])
MODEL = ROOT / "data" / "models" / "sketch"


def ask(thresholds, *more):
    return subprocess.run([sys.executable, "-B", str(Path(__file__).with_name("run.py")), "--engine", str(ENGINE), "--model", str(MODEL), "--out",
                           str(BUILD / "eval-quick"), "--thresholds", str(thresholds), *more], capture_output=True, text=True, check=False)


def test_the_bundled_model_reaches_its_thresholds():
    ran = ask(MODEL / "thresholds.json", "--quick")
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-1500:]
    report = (BUILD / "eval-quick" / "REPORT.md").read_text(encoding="utf-8")
    for row in json.loads((MODEL / "thresholds.json").read_text(encoding="utf-8")):
        assert f"| {row} |" in report, row + " was not asked"


def test_a_model_under_its_thresholds_fails():
    with tempfile.TemporaryDirectory() as folder:
        most = Path(folder) / "thresholds.json"
        most.write_text(json.dumps({"one object: kind and colour": 1.01}), encoding="utf-8")
        ran = ask(most, "one", "--n", "4")
    assert ran.returncode == 1 and "missed: one object: kind and colour" in ran.stdout, ran.stdout + ran.stderr


if __name__ == "__main__":
    tap.run(sys.modules[__name__], "eval-quick")
