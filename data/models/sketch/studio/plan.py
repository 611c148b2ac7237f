# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole training as a plan of stages with minutes, which one command follows and takes up again where it stopped.

    python -m studio.plan gpu                                     prints the plan
    python -m studio.plan gpu WORK OUT --call-minutes 9.3         follows it for 9.3 minutes; the same command goes on
    python -m studio.plan cpu WORK OUT --hours 12

WORK gets data/, model/ (exported parts), train/ (checkpoints and curves) and done.json. OUT gets, each time the command
ends, the model and the curves in pieces of at most 15 MiB: cat pieces, then tar xz. A stage is a list of lanes that run
side by side; a lane is a list of (target, minutes). Small networks leave a big GPU idle, so several lanes share it.
"""
import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import time

PIECE = 15 << 20
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# minutes on one H100; 23 in all, which leaves 2 for starts, encoding and exports of a 25 minute lease
GPU = {"data": {"judge": 24000, "scenes": 120000, "edits": 48000}, "compile": ("vae", "joint"),
       "batch": {"vae": 256, "joint": 1024, "base": 1024, "fill": 768, "edit": 768, "layout": 512, "lcm": 384},
       "stages": [
           [[("prepare-judge", 0)]],
           [[("prepare", 0)], [("vae", 3.0)]],
           [[("judge", 1.2)], [("taesd", 1.2)]],
           [[("joint", 10.0)]],
           [[("edit", 3.0), ("control-edge", 2.2), ("control-depth", 2.0)],
            [("fill", 2.2), ("layout", 3.0), ("control-segmentation", 2.0)],
            [("lcm", 3.0), ("control-scribble", 2.2), ("adapter", 1.0), ("lora", .6), ("word", .4)]]]}
# shares of the hours on a few processor cores, one after another: two trainings at once stop each other
CPU = {"data": {"judge": 8000, "scenes": 24000, "edits": 8000}, "compile": (), "batch": {},
       "stages": [[[("prepare-judge", 0)]], [[("prepare", 0)]],
                  [[("vae", .08), ("joint", .50), ("judge", .03), ("taesd", .02), ("edit", .07), ("fill", .05), ("layout", .05), ("lcm", .05),
                    ("control-edge", .04), ("control-segmentation", .03), ("control-scribble", .03), ("control-depth", .03), ("adapter", .015),
                    ("lora", .004), ("word", .003)]]]}


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

    def left(self):
        """Minutes of this call that a target may still train; half a minute is for exports and packing."""
        return (self.deadline - time.time()) / 60 - .5

    def finish(self, target):
        self.done.append(target)
        with open(self.path, "w", encoding="utf-8") as f:
            json.dump(self.done, f)

    def command(self, target, minutes):
        data, model, train = (os.path.join(self.a.work, n) for n in ("data", "model", "train"))
        if target.startswith("prepare"):
            names = ["judge"] if target == "prepare-judge" else ["scenes", "edits"]
            counts = [x for n in names for x in ("--" + n, str(max(32, round(self.plan["data"][n] * self.a.data_share))))]
            return [sys.executable, "-m", "studio.prepare", data, *counts]
        command = [sys.executable, "-m", "studio.train", target, train, "--data", data, "--model", model, "--minutes", f"{minutes:.3f}",
                   "--call-minutes", f"{max(self.left(), .05):.3f}"]
        if target in self.plan["batch"]:
            command += ["--batch", str(self.plan["batch"][target])]
        if target in self.plan["compile"] and not self.a.no_compile:
            command.append("--compile")
        return command

    def begin(self, target, minutes):
        os.makedirs(os.path.join(self.a.work, "train"), exist_ok=True)
        log = open(os.path.join(self.a.work, "train", target + ".log"), "a", encoding="utf-8")
        return subprocess.Popen(self.command(target, minutes), cwd=HERE, stdout=log, stderr=subprocess.STDOUT)

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
        return False

    def stage(self, lanes):
        """Runs the lanes side by side; False when the call's time ended first."""
        waiting = [[(t, m) for t, m in lane if t not in self.done] for lane in lanes]
        running, stopped = {}, False
        while any(waiting) or running:
            for i, lane in enumerate(waiting):
                if lane and i not in running and not stopped:
                    if self.left() < .1:
                        stopped = True
                        continue
                    running[i] = (self.begin(*lane[0]), lane[0][0])
            if not running:
                return False
            for i, (process, target) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[i]
                if process.returncode:
                    for other, _ in running.values():
                        other.terminate()
                    raise SystemExit(f"{target} failed; see {self.a.work}/train/{target}.log")
                if self.end(target):
                    waiting[i].pop(0)
                else:
                    stopped = True
            time.sleep(.2)
        return not stopped

    def pack(self):
        """The model and the curves in pieces."""
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


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("machine", choices=("gpu", "cpu"))
    a.add_argument("work", nargs="?")
    a.add_argument("out", nargs="?")
    a.add_argument("--call-minutes", type=float, default=1e9)
    a.add_argument("--hours", type=float, default=12, help="cpu: the whole plan's length")
    a.add_argument("--scale", type=float, default=1.0, help="gpu: times the plan's minutes")
    a.add_argument("--data-share", type=float, default=1.0)
    a.add_argument("--no-compile", action="store_true")
    a = a.parse_args()
    plan = GPU if a.machine == "gpu" else CPU
    stages = scaled(plan, a.scale if a.machine == "gpu" else a.hours * 60)
    show(plan, stages, "minutes")
    if a.work and not a.out:
        raise SystemExit("plan: name OUT as well, the folder for the packed model")
    if a.work:
        a.work, a.out = os.path.abspath(a.work), os.path.abspath(a.out)
        Follower(a, plan, stages).follow()


if __name__ == "__main__":
    main()
