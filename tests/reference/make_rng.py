#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/rng.json: what torch's CPU generator draws, for tests/base/test_rng.c. usage: make_rng.py OUTDIR

A case is a seed and a list of draws made one after another from it: a draw of more than KEEP values stores every STRIDE-th of them
and the last 32."""
import json
import sys
from pathlib import Path

import torch

KEEP, STRIDE, TAIL = 100, 61, 32

CASES = [
    (0, ["normal 16"]),
    (0, ["normal 1", "normal 2", "normal 15", "normal 5"]),
    (1, ["normal 15", "normal 16", "normal 3", "normal 17", "normal 1"]),
    (42, ["normal 16384"]),
    (1234, ["normal 4096", "normal 4096", "normal 31"]),
    (2**31 + 11, ["normal 100", "uniform 7", "normal 7", "uniform 1000"]),
    (2**32 - 1, ["normal 1000"]),
    (2**40 + 3, ["normal 20", "uniform 3"]),
    (7, ["uniform 1300", "normal 9", "uniform 5", "normal 4"]),
]


def draw(text, generator):
    kind, n = text.split()
    n = int(n)
    made = {"normal": torch.randn, "uniform": torch.rand}[kind](n, generator=generator, dtype=torch.float32)
    at = list(range(n)) if n <= KEEP else sorted(set(range(0, n, STRIDE)) | set(range(n - TAIL, n)))
    return {"kind": kind, "n": n, "at": at, "values": [float(f"{float(made[i]):.9g}") for i in at]}


def main():
    cases = []
    for seed, draws in CASES:
        generator = torch.Generator("cpu").manual_seed(seed)
        cases.append({"seed": str(seed), "draws": [draw(d, generator) for d in draws]})
    out = {"made_by": f"torch {torch.__version__}", "cases": cases}
    Path(sys.argv[1], "rng.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


main()
