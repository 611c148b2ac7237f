#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""recipe.py ENGINE [--threads N] [--size N] [--only NAME]: whole pictures with random weights of Stable Diffusion 1.5's size, as a dialog asks
for them: 4 LCM steps decoded by a tiny autoencoder (TAESD's structure, random too), and 20 steps with guidance decoded by the model's own, in
bf16 and int8. Beside each its target, which is told for a ceiling of 420 GFLOP/s in bf16 and scales with the one measured here just before
and after. Exit status 1 when one is missed.

Seconds are of the clock; with --threads 1 of the processor, so that other work on the machine counts little. Loading is stated apart and not counted. Targets
are for 512 x 512: at another size there are none.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "serve"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from client import Engine  # noqa: E402
from estimate import processor_seconds  # noqa: E402
from files import write_safetensors  # noqa: E402

CEILING = 420  # GFLOP/s in bf16, of the machine that targets are told for
LCM = {"steps": 4, "sampler": "lcm", "guidance": 1.0}
CFG = {"steps": 20, "sampler": "ddim", "guidance": 7.5}
RUNS = [  # name, what is asked for, whether the tiny autoencoder decodes, target in seconds
    ("lcm-bf16", dict(LCM, precision="bf16"), True, 10),
    ("lcm-int8", dict(LCM, precision="int8"), True, 10),
    ("cfg-bf16", dict(CFG, precision="bf16"), False, 105),
    ("cfg-int8", dict(CFG, precision="int8"), False, 70),
]


def tiny_autoencoder(path):
    """A decoder by its author's names: after each of four stages of three blocks (the last has one) the map is doubled, but for the last."""
    tensors, draw = {}, random.Random(1)

    def conv(name, outputs, inputs, bias=True):
        scale = 0.5 / math.sqrt(inputs * 9)
        tensors[name + ".weight"] = ("F32", [outputs, inputs, 3, 3], array("f", [draw.gauss(0, scale) for _ in range(outputs * inputs * 9)]).tobytes())
        if bias:
            tensors[name + ".bias"] = ("F32", [outputs], bytes(4 * outputs))

    conv("1", 64, 4)
    at = 3  # 0 clamps, 2 is a ReLU
    for blocks in (3, 3, 3, 1):
        for _ in range(blocks):
            for part in (0, 2, 4):
                conv(f"{at}.conv.{part}", 64, 64)
            at += 1
        if blocks == 3:
            at += 1  # the doubling
            conv(str(at), 64, 64, bias=False)
            at += 1
    conv(str(at), 3, 64)
    write_safetensors(path, tensors)


def ceiling(program, threads):
    said = json.loads(subprocess.run([program, "bench", "--networks", "text", "--threads", str(threads), "--json"], check=True, stdout=subprocess.PIPE).stdout)
    return said["ceiling"]["bf16_gflops"] or 0


def run(program, job, threads):
    """Seconds by stage, in an engine that ran nothing before."""
    with Engine(program) as engine:
        client = engine.client()
        client.socket.settimeout(3600)

        def now():
            return processor_seconds(engine.process.pid) if threads == 1 else time.monotonic()

        start, stage, taken = now(), "load", {}
        client.send({"type": "job", "id": 1, "job": job})
        while True:
            message = client.receive()
            if message["type"] == "error":
                raise SystemExit(f"bench: {message['message']}")
            ends = message["type"] == "done"
            if ends or (message["type"] == "progress" and message["stage"] != stage):
                moment = now()
                taken[stage] = taken.get(stage, 0.0) + moment - start
                start, stage = moment, message.get("stage")
            if ends:
                return taken


def main():
    parser = argparse.ArgumentParser(prog="./dev bench recipe")
    parser.add_argument("engine")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--only", choices=[name for name, *_ in RUNS])
    options = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="pmt-bench-") as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # a machine that has run nothing yet
        tiny = os.path.join(folder, "taesd_decoder.safetensors")
        tiny_autoencoder(tiny)
        print(f"{'run':10} {'ceiling':>12} {'loading':>9} {'text':>9} {'sampling':>9} {'decoding':>9} {'all':>9} {'target':>9}", flush=True)
        for name, asked, quick, target in RUNS:
            if options.only not in (None, name):
                continue
            job = {"pentimento": 1, "task": "generate", "model": "random:sd15", "prompt": "a red house in the snow", "seed": 1,
                   "size": [options.size, options.size], "threads": options.threads, **asked, **({"taesd": tiny} if quick else {})}
            best = ceiling(options.engine, options.threads)
            taken = run(options.engine, job, options.threads)
            loading = taken.pop("load", 0.0)
            seconds = sum(taken.values())
            best = max(best, ceiling(options.engine, options.threads))
            scaled = target * CEILING / best if best and options.size == 512 else None
            missed += scaled is not None and seconds > scaled
            print(f"{name:10} {best:5.0f} GFLOP/s {loading:7.2f} s "
                  + "".join(f"{taken.get(stage, 0.0):7.2f} s " for stage in ("text", "sample", "decode")) + f"{seconds:7.2f} s " + (f"{scaled:7.1f} s" if scaled else "        -") +
                  (" MISSED" if scaled and seconds > scaled else ""), flush=True)
    if options.size == 512:
        print(f"{missed} missed (targets {', '.join(f'{n} {t} s' for n, _, _, t in RUNS)} at {CEILING} GFLOP/s in bf16, scaled to this ceiling; "
              f"seconds of the {'processor, one thread' if options.threads == 1 else 'clock'})")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
