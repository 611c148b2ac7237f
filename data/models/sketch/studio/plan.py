# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole training as a plan of stages with minutes, which one command follows and takes up again where it stopped.

    python -m studio.plan gpu                                     prints the plan
    python -m studio.plan gpu WORK OUT --call-minutes 9.3         follows it for 9.3 minutes; the same command goes on
    python -m studio.plan cpu WORK OUT --call-minutes 120         the same on processor cores, in as many calls as it takes
    python -m studio.plan stop WORK                               ends a call cleanly: what runs is saved after its step
    python -m studio.plan where WORK                              how far it is

WORK gets data/, model/ (exported parts), train/ (checkpoints and curves) and done.json. OUT gets, each time the command
ends, the model and the curves in pieces of at most 15 MiB: cat pieces, then tar xz. A stage is a list of lanes that run
side by side; a lane is a list of (target, minutes). Small networks leave a big GPU idle, so several lanes share it.
"""
import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time

import numpy as np

from . import curves

PIECE = 15 << 20
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# glibc would give each step's memory back to the kernel, which clears it anew for the next step: a twelfth of a step's time
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 34), "MALLOC_MMAP_MAX_": "0"}

# minutes on one H100; 23 in all, which leaves 2 for starts, encoding and exports of a 25 minute lease
GPU = {"data": {"judge": 24000, "scenes": 120000, "edits": 48000}, "compile": ("vae", "joint"),
       "batch": {"vae": 256, "joint": 1024, "base": 1024, "fill": 768, "edit": 768, "layout": 512, "lcm": 384},
       "options": {"joint": ("--attend", "0.05", "--name", "0.05")},
       "stages": [
           [[("prepare-judge", 0)]],
           [[("prepare", 0)], [("vae", 3.0)]],
           [[("judge", 1.2)], [("taesd", 1.2)]],
           [[("joint", 10.0)]],
           [[("edit", 3.0), ("control-edge", 2.2), ("control-depth", 2.0)],
            [("fill", 2.2), ("layout", 3.0), ("control-segmentation", 2.0)],
            [("lcm", 3.0), ("control-scribble", 2.2), ("adapter", 1.0), ("lora", .6), ("word", .4)]]]}
FILLS_FROM = 250_000  # samples of whole pictures alone; then fills and edits as well, which need the same words and shapes
# minutes of one core each; two trainings of one thread do half as much again as one of two threads, so two lanes run side by side. The joint
# network has no set time: it learns until its curve is flat, then its rate falls. Sessions add up: the same command goes on.
CPU = {"data": {"judge": 24000, "scenes": 32000, "edits": 8000}, "compile": (), "batch": {}, "open": ("joint",), "cycle": 30, "grow": 5000, "passes": 4,
       "options": {"joint": ("--optimizer", "muon", "--muon-size", "1.2", "--attend", "0.05", "--name", "0.05", "--easy", "0.6", "--pairs", "0.5",
                             "--close", "0.5", "--things", "2", "--hold", "0.8")},
       "stages": [[[("prepare-judge", 0)]], [[("vae", 22)]], [[("prepare", 0)]],
                  [[("judge", 80), ("joint", 0)], [("decoder", 40), ("taesd", 20)]],
                  [[("edit", 60), ("control-edge", 40), ("control-depth", 30), ("control-scribble", 30), ("adapter", 15)],
                   [("fill", 45), ("layout", 45), ("lcm", 45), ("control-segmentation", 30), ("lora", 5), ("word", 3)]]]}


def scaled(plan, factor):
    return [[[(t, m * factor) for t, m in lane] for lane in stage] for stage in plan["stages"]]


def show(plan, stages, unit):
    total = 0.0
    for i, stage in enumerate(stages, 1):
        longest = max(sum(m for _, m in lane) for lane in stage)
        total += longest
        for lane in stage:
            print(f"stage {i}: " + ", ".join(t if not m else f"{t} {m:.1f} min" for t, m in lane))
    print(f"data: {plan['data']}; together {total:.1f} {unit} of training")


class Follower:
    def __init__(self, a, plan, stages):
        self.a, self.plan, self.stages = a, plan, stages
        self.deadline = time.time() + 60 * a.call_minutes
        self.path = os.path.join(a.work, "done.json")
        os.makedirs(a.work, exist_ok=True)
        self.done = json.load(open(self.path, encoding="utf-8")) if os.path.exists(self.path) else []
        self.train, self.running, self.stopping = os.path.join(a.work, "train"), {}, False

    def stop(self, *_):
        """SIGTERM: what trains saves itself and ends; the plan goes on with the same command."""
        self.stopping, self.deadline = True, time.time()
        for process, _ in self.running.values():
            process.terminate()

    def opened(self):
        """(minutes, options, rows to encode) of the joint network, which has no set end: fills and edits come later, and when its curve
        is flat the rate falls over as much time again as makes a fifth of the whole. More rows are encoded only when those that are
        have been seen a few times: training cannot go on meanwhile."""
        log = curves.read(os.path.join(self.train, "joint.csv"))
        samples, seconds = (float(log[k][-1]) if log else 0.0 for k in ("samples", "seconds"))
        shares = ["--shares", "1,0,0" if samples < FILLS_FROM else ".6,.2,.2"]
        latents = os.path.join(self.train, "latents-scenes-picture.npy")
        there = np.load(latents, mmap_mode="r").shape[0] if os.path.exists(latents) else 0
        grow = self.plan["grow"] if samples > self.plan["passes"] * there else 0
        end = os.path.join(self.train, "joint-end.json")
        if not os.path.exists(end) and curves.flat(self.train):
            with open(end, "w", encoding="utf-8") as f:
                json.dump(seconds / 60 / .8, f)
        if os.path.exists(end):
            with open(end, encoding="utf-8") as f:
                return json.load(f), shares, grow
        return 1e6, shares, grow

    def left(self):
        """Minutes of this call that a target may still train; half a minute is for exports and packing."""
        return (self.deadline - time.time()) / 60 - .5

    def finish(self, target):
        self.done.append(target)
        with open(self.path, "w", encoding="utf-8") as f:
            json.dump(self.done, f)

    def command(self, target, minutes, lanes=1):
        """One target's call, beside lanes - 1 others that share the threads."""
        data, model, train = (os.path.join(self.a.work, n) for n in ("data", "model", "train"))
        if target.startswith("prepare"):
            names = ["judge"] if target == "prepare-judge" else ["scenes", "edits"]
            counts = [x for n in names for x in ("--" + n, str(max(32, round(self.plan["data"][n] * self.a.data_share))))]
            return [sys.executable, "-m", "studio.prepare", data, *counts]
        call, grow, more = self.left(), self.plan.get("grow"), list(self.plan.get("options", {}).get(target, ()))
        if target in self.plan.get("open", ()):
            minutes, shares, grow = self.opened()
            call, more = min(call, self.plan["cycle"]), more + shares
        command = [sys.executable, "-m", "studio.train", target, train, "--data", data, "--model", model, "--minutes", f"{minutes:.3f}",
                   "--call-minutes", f"{max(call, .05):.3f}", *more]
        if grow is not None:
            command += ["--grow", str(grow)]
        if self.a.threads:
            command += ["--threads", str(max(1, self.a.threads // lanes))]
        if target in self.plan["batch"]:
            command += ["--batch", str(self.plan["batch"][target])]
        if target in self.plan["compile"] and not self.a.no_compile:
            command.append("--compile")
        return command

    def begin(self, target, minutes, lanes):
        os.makedirs(os.path.join(self.a.work, "train"), exist_ok=True)
        log = open(os.path.join(self.a.work, "train", target + ".log"), "a", encoding="utf-8")
        return subprocess.Popen(self.command(target, minutes, lanes), cwd=HERE, stdout=log, stderr=subprocess.STDOUT,
                                env={**KEEP_MEMORY, **os.environ})

    def end(self, target):
        """After a target's process: exports it; True when its minutes are over."""
        if target.startswith("prepare"):
            self.finish(target)
            return True
        with open(os.path.join(self.a.work, "train", target + ".log"), encoding="utf-8") as f:
            last = f.read().strip().splitlines()[-1]
        print(last, flush=True)
        subprocess.run([sys.executable, "-m", "studio.export", os.path.join(self.a.work, "train"), os.path.join(self.a.work, "model"), target],
                       cwd=HERE, check=True)
        if last.endswith("finished"):
            self.finish(target)
            return True
        if target in self.plan.get("open", ()) and not self.stopping and os.path.exists(os.path.join(self.a.work, "model", "judge", "judge.npz")):
            subprocess.run([sys.executable, "-m", "studio.probe", self.train, os.path.join(self.a.work, "model"), "--n", "32"], cwd=HERE, check=True)
        return False

    def stage(self, lanes):
        """Runs the lanes side by side; False when the call's time ended first."""
        waiting = [[(t, m) for t, m in lane if t not in self.done] for lane in lanes]
        running, stopped = self.running, False
        while any(waiting) or running:
            for i, lane in enumerate(waiting):
                if lane and i not in running and not stopped:
                    if self.left() < .1 or self.stopping:
                        stopped = True
                        continue
                    running[i] = (self.begin(*lane[0], sum(map(bool, waiting))), lane[0][0])
            if not running:
                return False
            for i, (process, target) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[i]
                if process.returncode and self.stopping:
                    continue  # it was ended before it could train
                if process.returncode:
                    for other, _ in running.values():
                        other.terminate()
                    raise SystemExit(f"{target} failed; see {self.a.work}/train/{target}.log")
                if self.end(target):
                    waiting[i].pop(0)
                elif target not in self.plan.get("open", ()) or self.left() < .1:
                    stopped = True
            time.sleep(.2)
        return not stopped

    def pack(self):
        """The model and the curves in pieces."""
        if os.path.isdir(self.train):
            curves.draw_all(self.train, os.path.join(self.a.work, "model", "curves"))
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
            for name in ("model", "train"):
                folder = os.path.join(self.a.work, name)
                if os.path.isdir(folder):
                    tar.add(folder, name, filter=lambda t: None if t.name.endswith((".pt", ".npy", ".new")) else t)
        os.makedirs(self.a.out, exist_ok=True)
        data = buffer.getvalue()
        for k in range(0, len(data), PIECE):
            with open(os.path.join(self.a.out, f"model.tar.gz.{k // PIECE:02d}"), "wb") as f:
                f.write(data[k:k + PIECE])
        print(f"packed {len(data) / 1e6:.1f} MB into {-(-len(data) // PIECE)} pieces; cat model.tar.gz.* | tar xz", flush=True)

    def follow(self):
        complete = all(self.stage(lanes) for lanes in self.stages)
        self.pack()
        print("the plan is complete" if complete else "to be continued: run the same command again", flush=True)


def mine(work):
    """The process of a plan that follows WORK now, or 0."""
    try:
        with open(os.path.join(work, "plan.pid"), encoding="utf-8") as f:
            number = int(f.read())
        with open(f"/proc/{number}/cmdline", encoding="utf-8") as f:
            return number if "studio.plan" in f.read() else 0
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return 0


def stop(work):
    number = mine(work)
    if not number:
        return f"{work}: no plan is being followed"
    os.kill(number, signal.SIGTERM)
    while mine(work):
        time.sleep(.5)
    return f"{work}: stopped and saved; the command that began it goes on"


def where(work):
    lines = ["followed by process " + str(mine(work)) if mine(work) else "nothing runs"]
    done = os.path.join(work, "done.json")
    if os.path.exists(done):
        with open(done, encoding="utf-8") as f:
            lines.append("done: " + ", ".join(json.load(f)))
    train = os.path.join(work, "train")
    for file in sorted(os.listdir(train)) if os.path.isdir(train) else ():
        columns = curves.read(os.path.join(train, file)) if file.endswith(".csv") else {}
        if columns:
            lines.append(f"{file[:-4]}: " + ", ".join(f"{name} {values[-1]:g}" for name, values in columns.items()))
    return "\n".join(lines)


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("machine", choices=("gpu", "cpu", "stop", "where"))
    a.add_argument("work", nargs="?")
    a.add_argument("out", nargs="?")
    a.add_argument("--call-minutes", type=float, default=1e9)
    a.add_argument("--scale", type=float, default=1.0, help="times the plan's minutes")
    a.add_argument("--threads", type=int, default=0, help="processor threads, for all that trains at once; 0: torch's choice for each")
    a.add_argument("--data-share", type=float, default=1.0)
    a.add_argument("--no-compile", action="store_true")
    a = a.parse_args()
    if a.machine in ("stop", "where"):
        if not a.work:
            raise SystemExit(f"plan: name WORK as well, the folder of the plan to {'stop' if a.machine == 'stop' else 'look at'}")
        print(stop(a.work) if a.machine == "stop" else where(a.work))
        return
    plan = GPU if a.machine == "gpu" else CPU
    stages = scaled(plan, a.scale)
    show(plan, stages, "minutes")
    if a.work and not a.out:
        raise SystemExit("plan: name OUT as well, the folder for the packed model")
    if a.work:
        a.work, a.out = os.path.abspath(a.work), os.path.abspath(a.out)
        if mine(a.work):
            raise SystemExit(f"plan: process {mine(a.work)} follows {a.work} already")
        follower = Follower(a, plan, stages)
        with open(os.path.join(a.work, "plan.pid"), "w", encoding="utf-8") as f:
            f.write(str(os.getpid()))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, follower.stop)
        follower.follow()
        os.remove(os.path.join(a.work, "plan.pid"))


if __name__ == "__main__":
    main()
