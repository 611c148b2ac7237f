#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""estimate.py ENGINE [--threads N] [--tries N]: what the engine says in advance of ten jobs, beside what they take. Exit status 1 when an
estimate is off by more than a tenth (memory: VmHWM of an engine that ran nothing else) or a quarter (time).

Time is that of the work with the model in memory, as the estimate has it: from the text's stage to the end, loading left out. With one
thread (the default) it is the processor's, so that other work on the machine counts little; else the clock's. Where it is off, the job is
repeated, and the middle one of the tries counts: speed is learned from each, as it is in use.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "serve"))
from client import Engine  # noqa: E402

MEMORY, TIME = 0.10, 0.25


def recipe(size, steps, **changes):
    job = {"pentimento": 1, "task": "generate", "model": "", "prompt": "a red circle", "seed": 7, "steps": steps, "sampler": "ddim",
           "guidance": 3.0, "size": [size, size] if isinstance(size, int) else list(size)}
    return dict(job, **{name.replace("_", "-"): value for name, value in changes.items()})



BIG = {"model": "random:sd15"}
JOBS = [
    ("bundled, 128, 20 steps", recipe(128, 20)),
    ("bundled, 128, 8 steps, no guidance", recipe(128, 8, guidance=1.0)),
    ("bundled, 256x128, 10 steps", recipe((256, 128), 10)),
    ("bundled, 256, 6 steps, two variants", recipe(256, 6, variants=2)),
    ("bundled, 512, 2 steps", recipe(512, 2)),
    ("bundled, 512, 2 steps, tiled VAE", recipe(512, 2, vae_tiling="on")),
    ("bundled, 128, 10 steps, word maps", recipe(128, 10, methods=[{"id": "word-maps", "words": "circle"}])),
    ("SD 1.5 random, 256, 2 steps, bf16", recipe(256, 2, precision="bf16", **BIG)),
    ("SD 1.5 random, 192, 3 steps, f32", recipe(192, 3, precision="f32", **BIG)),
    ("SD 1.5 random, 320x256, 1 step, bf16, no guidance", recipe((320, 256), 1, precision="bf16", guidance=1.0, **BIG)),
]


def in_status(pid, name):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def work_seconds(client, engine, number, job, threads):
    """Seconds of a job without those of loading."""
    def now():
        return processor_seconds(engine.process.pid) if threads == 1 else time.monotonic()

    client.send({"type": "job", "id": number, "job": job})
    start, stage, taken = now(), "load", 0.0
    while True:
        message = client.receive()
        if message["type"] == "error":
            raise SystemExit(f"bench: {message['message']}")
        if message["type"] == "progress" and message["stage"] != stage:
            moment = now()
            taken += 0 if stage == "load" else moment - start
            start, stage = moment, message["stage"]
        if message["type"] == "done":
            return taken + (0 if stage == "load" else now() - start)


def measure(program, job, threads):
    with Engine(program) as engine:
        client = engine.client()
        client.socket.settimeout(1800)
        told = client.ask({"type": "estimate", "id": 1, "job": job})
        if told["type"] == "error":
            raise SystemExit(f"bench: {told['message']}")
        seconds = work_seconds(client, engine, 2, job, threads)
        return told["memory-bytes"], in_status(engine.process.pid, "VmHWM"), told["seconds"], seconds


def off(told, took):
    return told / took - 1


def main():
    parser = argparse.ArgumentParser(prog="./dev bench estimate")
    parser.add_argument("engine")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--bundled", action="store_true", help="the bundled model's jobs alone")
    options = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="pmt-bench-") as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # a machine that has run nothing yet
        print(f"{'job':52} {'memory':>9} {'took':>9} {'off':>6} {'time':>8} {'took':>8} {'off':>6}", flush=True)
        warmed = set()
        for name, job in JOBS:
            if options.bundled and job["model"]:
                continue
            job = dict(job, threads=options.threads)
            kind = (job["model"], job.get("precision"))
            if kind not in warmed:  # the first of its kind goes by the best product alone
                warmed.add(kind)
                first = measure(options.engine, dict(job, steps=1, variants=1), options.threads)
                print(f"  (first of its kind here, by a measured product: {first[2]:.2f} s told, {first[3]:.2f} s taken)", flush=True)
            tries = [measure(options.engine, job, options.threads)]
            while abs(off(*tries[-1][2:])) > TIME and len(tries) < options.tries:
                tries.append(measure(options.engine, job, options.threads))
            memory = max((off(t[0], t[1]) for t in tries), key=abs)
            seconds = statistics.median(off(t[2], t[3]) for t in tries) if len(tries) >= 3 else off(*tries[-1][2:])
            bad = abs(memory) > MEMORY or abs(seconds) > TIME
            missed += bad
            t = tries[-1]
            print(f"{name:52} {t[0] / 1e6:6.0f} MB {t[1] / 1e6:6.0f} MB {100 * memory:+5.1f}% {t[2]:6.2f} s {t[3]:6.2f} s {100 * seconds:+5.0f}%"
                  f"{f' ({len(tries)} tries)' if len(tries) > 1 else ''}{' MISSED' if bad else ''}", flush=True)
    print(f"{missed} missed (targets: memory {100 * MEMORY:.0f} %, time {100 * TIME:.0f} %; "
          f"{'seconds of the processor, one thread' if options.threads == 1 else 'seconds of the clock'})")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
