#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""memory.py ENGINE [--jobs PART]: the memory that the engine tells in advance of a picture, beside the most that an engine which
ran nothing else has held when it is done (VmHWM): full-size networks with random weights, by precision. Exit status 1 when one is off by
more than a twentieth, or above its target.

--jobs takes the rows with PART in their name. Two threads' worth of a minute each for SD 1.5, some for SDXL, which needs 8 GB in 16 bits
and 14 GB in 32.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "serve"))
from client import Engine  # noqa: E402
from estimate import in_status, recipe  # noqa: E402

OFF = 0.05
# name, model, size, precision, PENTIMENTO_MEMORY, most of it in GB
JOBS = [
    ("SD 1.5, 512, int8", "random:sd15", 512, "int8", None, 3.2),
    ("SD 1.5, 512, bf16", "random:sd15", 512, "bf16", None, 3.2),
    ("SD 1.5, 512, bf16, where 2750 MiB are free", "random:sd15", 512, "bf16", "2750", 2.95),
    ("SD 1.5, 512, f32", "random:sd15", 512, "f32", None, None),
    ("SDXL, 1024, int8", "random:sdxl", 1024, "int8", None, 9.0),
    ("SDXL, 1024, bf16", "random:sdxl", 1024, "bf16", None, 9.0),
    ("SDXL, 1024, f32", "random:sdxl", 1024, "f32", None, None),
]


def measure(program, job):
    with Engine(program) as engine:
        client = engine.client()
        client.socket.settimeout(3600)
        told = client.ask({"type": "estimate", "id": 1, "job": job})
        if told["type"] == "error":
            raise SystemExit(f"memory: {told['message']}")
        client.send({"type": "job", "id": 2, "job": job})
        last = client.until("done")[-1]
        if last["type"] == "error":
            raise SystemExit(f"memory: {last['message']}")
        return told, in_status(engine.process.pid, "VmHWM")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench memory")
    parser.add_argument("engine")
    parser.add_argument("--jobs", default="")
    options = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="pmt-bench-") as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        print(f"{'one step with guidance':46} {'told':>9} {'took':>9} {'off':>6} {'target':>8}", flush=True)
        for name, model, size, precision, limit, most in JOBS:
            if options.jobs not in name:
                continue
            os.environ["PENTIMENTO_MEMORY"] = limit or ""
            told, took = measure(options.engine, recipe(size, 1, model=model, precision=precision))
            off = told["memory-bytes"] / took - 1
            bad = abs(off) > OFF or (most and took > most * 1e9)
            missed += bool(bad)
            target = f"{most:5.1f} GB" if most else "none"
            print(f"{name:46} {told['memory-bytes'] / 1e6:6.0f} MB {took / 1e6:6.0f} MB {100 * off:+5.1f}% {target:>8}"
                  f"{' in tiles' if told.get('tiled') else ''}{' MISSED' if bad else ''}", flush=True)
    print(f"{missed} missed (target: within {100 * OFF:.0f} %)")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
