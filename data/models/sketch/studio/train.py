# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains one network:  python -m studio.train TARGET WORK --data DATA --model MODEL --minutes M

TARGET  vae, taesd, joint (base, fill, edit and text at once), base, fill, edit, control-edge, control-scribble,
        control-depth, control-segmentation, adapter, layout, lcm, lora, word, judge
WORK    gets TARGET.pt (everything needed to go on: weights, averages, optimiser, clock, random state) and TARGET.csv
        (step, seconds, samples, loss …)
DATA    what studio.prepare wrote
MODEL   the folder that studio.export writes: finished parts are read from there

--minutes is the target's whole time, over all calls; the rate falls to its end at that time. --call-minutes ends this call
earlier, and so do SIGTERM and SIGINT, after the step that runs; the next call goes on. A process that is held (SIGSTOP) and let
go (SIGCONT) counts no time for it. A GPU is used when there is one: bf16, and torch.compile with --compile.
"""
import argparse
import math
import os
import signal
import time
import warnings

import torch

from . import DATA_VERSION
from .muon import optimizers
from .targets import TARGETS

warnings.filterwarnings("ignore", message=".*lr_scheduler.*")


def arguments(list_=None):
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("target", choices=sorted(TARGETS))
    a.add_argument("work")
    a.add_argument("--data", required=True)
    a.add_argument("--model", required=True)
    a.add_argument("--minutes", type=float, required=True)
    a.add_argument("--call-minutes", type=float, default=1e9)
    a.add_argument("--steps", type=int, default=1 << 60, help="stop after so many steps in all")
    a.add_argument("--batch", type=int, default=0, help="0: the target's own for this device")
    a.add_argument("--rate", type=float, default=0.0, help="0: the target's own")
    a.add_argument("--rows", type=int, default=0, help="use only so many rows of the data")
    a.add_argument("--grow", type=int, help="encode at most so many more rows in this call, but some where there are none; without it all")
    a.add_argument("--hold", type=float, default=.6, help="share of the time at the full rate")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--compile", action="store_true")
    a.add_argument("--optimizer", choices=("adamw", "muon"), default="adamw", help="muon: for the inner matrices; adamw for the rest")
    a.add_argument("--muon-size", type=float, default=.4, help="how far muon's steps go, in rates")
    a.add_argument("--attend", type=float, default=0.0, help="joint, base: weight of the loss that ties words to places")
    a.add_argument("--name", type=float, default=0.0, help="joint: weight of the loss that makes features name the kinds they show")
    a.add_argument("--easy", type=float, default=0.0, help="joint, base: share of single things among whole pictures at first; 0 after --easy-samples")
    a.add_argument("--easy-samples", type=int, default=300000)
    a.add_argument("--pairs", type=float, default=0.0, help="joint, base: share of scenes of two things among whole pictures after --easy-samples; 0 at first")
    a.add_argument("--close", type=float, default=0.0, help="joint, base: share of steps with close-ups of one thing each at first; a fifth of it at last")
    a.add_argument("--things", type=float, default=0.0, help="joint, base: how much more the cells of things count")
    a.add_argument("--shares", default="", help="joint: shares of whole pictures, fills and edits, as .6,.2,.2; what has none is not read")
    a.add_argument("--threads", type=int, default=0, help="processor threads; 0: torch's choice")
    a.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    a.add_argument("--save-seconds", type=float, default=120)
    return a.parse_args(list_)


def rate_at(done, step, hold, warm=100, end=.02):
    """Share of the full rate: a short rise, level until `hold` of the time, then half a cosine."""
    fall = max(0, done - hold) / max(1 - hold, 1e-9)
    return min(1, (step + 1) / warm) * (end + (1 - end) * .5 * (1 + math.cos(math.pi * min(fall, 1))))


def random_state(device):
    return {"cpu": torch.get_rng_state(), **({"cuda": torch.cuda.get_rng_state()} if device == "cuda" else {})}


def restore(saved, device):
    torch.set_rng_state(saved["cpu"])
    if device == "cuda" and "cuda" in saved:
        torch.cuda.set_rng_state(saved["cuda"])


def train(a):
    os.makedirs(a.work, exist_ok=True)
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    torch.set_float32_matmul_precision("high")
    target = TARGETS[a.target](a)
    tensors = target.trainable()       # name -> parameter, what is saved and averaged
    parameters = list(tensors.values())
    average = [p.detach().clone() for p in parameters]
    batch, rate = a.batch or target.batch[a.device], a.rate or target.rate
    used = optimizers(tensors, rate, target.decay, a.muon_size if a.optimizer == "muon" else 0)
    state = {"step": 0, "seconds": 0.0, "samples": 0, "version": DATA_VERSION}
    keep = os.path.join(a.work, a.target + ".pt")
    if os.path.exists(keep):
        saved = torch.load(keep, map_location=a.device, weights_only=False)
        if saved["state"]["version"] != DATA_VERSION:
            raise SystemExit(f"{keep}: was trained on data version {saved['state']['version']}, this is {DATA_VERSION}; move it away")
        if saved["now"].keys() != tensors.keys():
            raise SystemExit(f"{keep}: was trained with other options (--name …); give those, or move the file away")
        with torch.no_grad():
            for name, p, m in zip(tensors, parameters, average):
                p.copy_(saved["now"][name])
                m.copy_(saved["average"][name])
        kept = saved["optimizer"] if isinstance(saved["optimizer"], list) else [saved["optimizer"]]
        if len(kept) != len(used):
            raise SystemExit(f"{keep}: was trained with another --optimizer; give that one, or move the file away")
        for optimizer, was in zip(used, kept):
            optimizer.load_state_dict(was)
        state = saved["state"]
        restore({k: v.cpu() for k, v in saved["random"].items()}, a.device)

    def save():
        torch.save({"now": {n: p.detach() for n, p in tensors.items()}, "average": dict(zip(tensors, average)),
                    "optimizer": [o.state_dict() for o in used], "state": state, "random": random_state(a.device)}, keep + ".new")
        os.replace(keep + ".new", keep)

    stop = []
    # ends after the step that runs: saved, to be continued
    before = {number: signal.signal(number, lambda *_: stop.append(1)) for number in (signal.SIGTERM, signal.SIGINT)}
    begun = last = saved_at = time.time()
    sums, usual, names = {}, None, None
    every = 50 if a.device == "cuda" else 10
    with open(os.path.join(a.work, a.target + ".csv"), "a", encoding="utf-8") as log:
        while not stop and (done := state["seconds"] / (60 * a.minutes)) < 1 and state["step"] < a.steps and time.time() - begun < 60 * a.call_minutes:
            step = state["step"]
            target.samples = state["samples"]
            loss, noted = target.loss(batch, done)
            for optimizer in used:
                optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            for optimizer in used:
                for group in optimizer.param_groups:
                    group["lr"] = rate * rate_at(done, step, a.hold)
                optimizer.step()
            slow = min(target.slowness, (1 + step) / (10 + step))
            with torch.no_grad():
                torch._foreach_lerp_(average, parameters, 1 - slow)
                for name, v in {"loss": loss, **noted}.items():
                    sums.setdefault(name, []).append(v.detach().float())
            names = names or ["loss", *(target.notes or noted)]
            state["step"] += 1
            state["samples"] += batch
            if state["step"] % every == 0:
                # the only wait for the device; what no step of these noted is not a number
                values = [torch.stack(sums[n]).mean().item() if n in sums else math.nan for n in names]
                if not math.isfinite(values[0]):
                    raise SystemExit(f"{a.target}: the loss is not finite at step {state['step']}; lower --rate and go on from {keep}")
                if log.tell() == 0:
                    print("step,seconds,samples," + ",".join(names), file=log)
                print(f"{state['step']},{state['seconds']:.1f},{state['samples']}," + ",".join(f"{v:.5f}" for v in values), file=log, flush=True)
                sums = {}
            now = time.time()
            # a process that was held spent no time: at most ten times a usual step counts
            usual = now - last if usual is None else .95 * usual + .05 * min(now - last, 4 * usual)
            state["seconds"] += min(now - last, 10 * usual)
            last = now
            if now - saved_at > a.save_seconds:
                save()
                last = saved_at = time.time()  # saving is not training
    save()
    for number, handler in before.items():
        signal.signal(number, handler)
    finished = state["seconds"] >= 60 * a.minutes or state["step"] >= a.steps
    print(f"{a.target}: step {state['step']}, {state['samples']} samples in {state['seconds']:.0f} s"
          f"{', finished' if finished else ', to be continued'}", flush=True)
    return finished


if __name__ == "__main__":
    train(arguments())
