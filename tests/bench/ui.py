#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""ui.py ENGINE [--size N] [--tries N] [--precision P]: how soon Cancel is heeded and what previews cost, with random weights of Stable
Diffusion 1.5's size. Prints the figures; exit status 1 when one misses its target (ux: 0.5 s, 1 % of a step).

Cancel is timed from the message to the engine's answer, the way a dialog's button goes. Previews are timed inside the steps that the engine
reports: alternating jobs with and without them, since other work on the machine changes from one minute to the next; and the drawing
itself by the share of a step that the least noisy pair says.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "serve"))
from client import Engine  # noqa: E402

MOST_SECONDS = 0.5
MOST_SHARE = 0.01


def recipe(options, **changes):
    job = {"pentimento": 1, "task": "generate", "model": "random:sd15", "prompt": "a red house in the snow", "seed": 5, "steps": 20,
           "sampler": "euler", "guidance": 7.0, "size": [options.size, options.size], "precision": options.precision}
    return dict(job, **changes)


def until_stage(client, stage, step=0):
    while True:
        message = client.receive()
        if message["type"] == "error":
            raise SystemExit(f"bench: {message['message']}")
        if message["type"] == "progress" and message["stage"] == stage and message["step"] >= step:
            return message


def cancel_once(client, number, job, stage, wait):
    """Seconds from the cancel to its answer, some time into the stage; None when the stage was over by then."""
    client.send({"type": "job", "id": number, "job": job})
    until_stage(client, stage)
    time.sleep(wait)
    asked = time.monotonic()
    client.send({"type": "cancel", "id": number})
    while True:
        message = client.receive()
        if message["type"] == "error" and message["code"] == "cancelled":
            return time.monotonic() - asked
        if message["type"] in ("error", "done"):
            return None


def cancel_latency(client, options, what, job, stage, first):
    took = []
    for i in range(options.tries):
        seconds = cancel_once(client, first + i, job, stage, 0.15 + 0.6 * i)
        if seconds is not None:
            took.append(seconds)
    if not took:
        raise SystemExit(f"bench: {what} was over before it could be cancelled; take a larger --size")
    good = max(took) < MOST_SECONDS
    print(f"cancel in {what}: worst {max(took):.3f} s, median {statistics.median(took):.3f} s of {len(took)} tries "
          f"(target < {MOST_SECONDS} s){'' if good else ': MISSED'}", flush=True)
    return good


def step_seconds(client, number, job, preview):
    """The quickest step of a job."""
    client.send({"type": "job", "id": number, "job": job, "preview": preview})
    least, last, step = float("inf"), None, 0
    while True:
        message = client.receive()
        if message["type"] == "error":
            raise SystemExit(f"bench: {message['message']}")
        if message["type"] == "done":
            return least
        if message["type"] == "progress" and message["stage"] == "sample" and message["step"] > step:
            now = time.monotonic()
            if last:
                least = min(least, now - last)
            last, step = now, message["step"]


def preview_overhead(client, options):
    job = recipe(options, size=[options.preview_size] * 2, steps=options.steps, **{"stop-after": options.steps})
    pairs = []
    for i in range(options.tries):
        order = ["none", "linear"] if i % 2 else ["linear", "none"]
        took = {kind: step_seconds(client, 1000 + 2 * i + k, job, kind) for k, kind in enumerate(order)}
        pairs.append((took["none"], took["linear"]))
    without, with_it = min(a for a, b in pairs), min(b for a, b in pairs)
    share = with_it / without - 1
    spread = max(max(a for a, b in pairs) / without, max(b for a, b in pairs) / with_it) - 1
    good = share < MOST_SHARE
    print(f"linear preview: a step of {options.preview_size}x{options.preview_size} takes {without:.3f} s without and {with_it:.3f} s with it, "
          f"{100 * share:+.2f} % (target < {100 * MOST_SHARE:g} %; quickest steps of {len(pairs)} pairs of jobs, which differ by up to "
          f"{100 * spread:.0f} % among themselves){'' if good else ': MISSED'}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(prog="./dev bench ui")
    parser.add_argument("engine")
    parser.add_argument("--size", type=int, default=512, help="sides of the pictures that are cancelled")
    parser.add_argument("--preview-size", type=int, default=256, help="sides of those whose steps are timed")
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    with Engine(options.engine) as engine:
        client = engine.client()
        client.socket.settimeout(1200)
        print(f"random weights of Stable Diffusion 1.5's size, {client.hello['threads']} threads, {client.hello['cpu']}; loading", flush=True)
        client.send({"type": "job", "id": 1, "job": recipe(options, size=[64, 64], steps=1)})
        client.until("done")
        good = [cancel_latency(client, options, f"the UNet at {options.size}x{options.size}", recipe(options), "sample", 100),
                cancel_latency(client, options, f"the VAE's decode at {options.size}x{options.size}",
                               recipe(options, steps=1, guidance=1.0, **{"vae-tiling": "off"}), "decode", 200),
                preview_overhead(client, options)]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
