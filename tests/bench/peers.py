#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""peers.py ENGINE [OPTION…]: one picture by this engine, by diffusers on PyTorch and by OpenVINO, from the same weights in one run.

The picture: the Stable Diffusion 1.5 architecture with random weights (tests/slow/make_full.py), 512x512, DDIM with classifier-free
guidance, from the prompt's tokens to pixels. Each peer runs in a process of its own with the model loaded and warmed up before the clock
starts; its peak memory is that of the whole process. What the machine's best products manage is measured before, between and after, and
beside every row stands how much of the processors other work took meanwhile. Prints a table and the ratios with their targets; exit status 1
when one is missed. README.md beside this file has a run's figures.
"""

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "serve"))
from client import Client  # noqa: E402

PROMPT = "a photo of an astronaut riding a horse on mars"  # peer_common.py has it too, as tokens
SEED, GUIDANCE = 7, 7.5
# how many times as long the other must take, and how much of its memory may be used; None: no target
FASTER = {"picture": 1.15, "evaluation": 8.0, "decode": 6.0}
LEANER = 0.9

ROWS = {
    "bf16": ("Pentimento, bf16", None),
    "int8": ("Pentimento, int8", None),
    "torch": ("diffusers on PyTorch, bf16", "bf16"),
    "compiled": ("diffusers on PyTorch, bf16, torch.compile", "bf16"),
    "openvino": ("OpenVINO, bf16", "bf16"),
    "openvino-int8": ("OpenVINO, int8", "int8"),
}


def stop(message):
    sys.exit(f"bench: {message}")


def run(command, options, **environment):
    """The standard output of a command; its messages go to the log."""
    options.log.write(f"\n$ {shlex.join(map(str, command))}\n")
    options.log.flush()
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=options.log, text=True,
                          env=dict(os.environ, **environment))
    if done.returncode:
        stop(f"\"{Path(command[0]).name} {' '.join(map(str, command[1:3]))} …\" failed: {options.log.name} says why.")
    return done.stdout


class Others:
    """The part of the processors that work other than our children's took since it was made."""

    def __init__(self):
        self.busy, self.own, self.since = self.now()

    @staticmethod
    def now():
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        busy = sum(int(fields[i]) for i in (0, 1, 2, 5, 6)) / os.sysconf("SC_CLK_TCK")
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return busy, usage.ru_utime + usage.ru_stime, time.monotonic()

    def share(self):
        busy, own, now = self.now()
        return max(0.0, (busy - self.busy) - (own - self.own)) / ((now - self.since) * os.cpu_count())


def bench(options, *arguments):
    return json.loads(run([*options.engine, "bench", "--json", f"--threads={options.threads}", *arguments], options))


def ceiling(options):
    return bench(options, "--weights=random:sd15", "--networks=text", "--precision=bf16")["ceiling"]


def peak_of(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def ask_picture(client, number, options, precision, steps):
    """Seconds of text, a median step, decode and all, and the picture."""
    client.send({"type": "job", "id": number, "job": {
        "pentimento": 1, "task": "generate", "model": str(options.weights / "model.safetensors"), "prompt": PROMPT, "seed": SEED,
        "steps": steps, "sampler": "ddim", "guidance": GUIDANCE, "size": [options.size] * 2, "precision": precision,
        "threads": options.threads}})
    begin, marks, picture = time.monotonic(), [], None
    while True:
        message = client.receive()
        now = time.monotonic()
        if message["type"] == "error":
            stop(message["message"])
        if message["type"] == "progress":
            marks.append((message["stage"], message["step"], now))
        if message["type"] == "result":
            picture = numpy.frombuffer(message["payload"], numpy.float32).reshape(options.size, options.size, -1)
        if message["type"] == "done":
            break
    ends = {}
    for stage, step, moment in marks:
        if stage == "sample":
            ends.setdefault(step, moment)  # later messages of the same step tell how far the next one is
    gaps = sorted(ends[i] - ends[i - 1] for i in ends if i > 1 and i - 1 in ends)
    step, fastest = (gaps[len(gaps) // 2], gaps[0]) if gaps else (None, None)
    return {"step": step, "fastest": fastest, "tail": now - ends[steps], "picture": now - begin}, picture


def measure_ours(precision, options):
    timed = bench(options, f"--model={options.weights / 'model.safetensors'}", f"--size={options.size}x{options.size}",
                  f"--precision={precision}", "--networks=unet,vae_decode", "--runs=2")
    process = subprocess.Popen([*options.engine, "serve", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=options.log)
    client = Client(pipes=(process.stdout, process.stdin))
    begin = time.monotonic()
    ask_picture(client, 1, options, precision, 2)
    warm = time.monotonic() - begin
    figures, picture = ask_picture(client, 2, options, precision, options.steps)
    figures["peak"] = peak_of(client.hello["pid"])
    process.stdin.close()
    process.wait(60)
    numpy.save(options.out / f"{precision}.npy", (picture[:, :, :3].clip(0, 1) * 255).round().astype(numpy.uint8))
    networks = timed["networks"]
    return dict(figures, version=client.hello["build"], warm=warm, evaluation=networks["unet"]["seconds"],
                decode=networks["vae_decode"]["seconds"])


def peer_command(name, options, out):
    common = [options.weights / "model", options.size, options.steps, options.threads]
    if name.startswith("openvino"):
        return [sys.executable, HERE / "peer_openvino.py", *common, "int8" if name.endswith("int8") else "bf16", out, options.out / "openvino"]
    return [sys.executable, HERE / "peer_torch.py", *common, "compiled" if name == "compiled" else "eager", out]


def measure_peer(name, options):
    threads = {"OMP_NUM_THREADS": str(options.threads)}
    if name.startswith("openvino"):
        run(peer_command(name, options, "-"), options, **threads)  # converts once, in a process whose memory does not count
    lines = run(peer_command(name, options, options.out / f"{name}.npy"), options,
                TORCHINDUCTOR_CACHE_DIR=str(options.out / "inductor"), **threads).splitlines()
    figures = json.loads(lines[-1])
    return dict(figures, evaluation=figures["step"] / 2)


def measure_beside(options):
    """Other programs' figures: one JSON object a line with name, against and some of evaluation, decode, picture, peak."""
    rows = {}
    for line in run(["sh", "-c", options.beside], options).splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            rows[row["name"]] = row
    return rows


def alike(rows, options):
    """How near the peers' pictures come to ours, in dB: everyone must have done the same work."""
    for name, row in rows.items():
        ours, theirs = options.out / f"{row.get('against')}.npy", options.out / f"{name}.npy"
        if name in ROWS and row.get("against") in rows and theirs.exists():
            a, b = (numpy.load(path).astype(float) / 255 for path in (ours, theirs))
            row["psnr"] = float(-10 * numpy.log10(max(((a - b) ** 2).mean(), 1e-12)))


def number(value, form):
    return format(value, form) if value is not None else ""


def print_table(rows, options):
    print(f"\n| | version | evaluation, s | decode, s | {options.steps} steps, s | peak, MB | other work |\n|---|---|---|---|---|---|---|")
    for row in rows.values():
        peak = row.get("peak")
        print(f"| {row['name']} | {row.get('version', '')} | {number(row.get('evaluation'), '.2f')} | {number(row.get('decode'), '.2f')} "
              f"| {number(row.get('picture'), '.1f')} | {number(peak and peak / 1e6, '.0f')} | {number(row.get('others'), '.0%')} |")


def print_ratios(rows):
    """True when every target is met."""
    good = True
    print("\n| against | evaluation | decode | picture | memory | picture alike, dB |\n|---|---|---|---|---|---|")
    for row in rows.values():
        ours = rows.get(row.get("against"))
        if not ours:
            continue
        cells = []
        built = "picture" not in row  # the sides that have no picture are timed by their parts
        for key in ("evaluation", "decode", "picture"):
            ratio = row[key] / ours[key] if row.get(key) else None
            wanted = FASTER[key] if ratio and (key == "picture") != built else None
            good &= not wanted or ratio >= wanted
            cells.append(number(ratio, ".2f") + (f" ({'≥' if ratio >= wanted else 'MISSED:'} {wanted:g})" if wanted else ""))
        ratio = ours["peak"] / row["peak"] if row.get("peak") else None
        good &= not (built and ratio) or ratio <= LEANER
        cells.append(number(ratio, ".2f") + (f" ({'≤' if ratio <= LEANER else 'MISSED:'} {LEANER:g})" if built and ratio else ""))
        print(f"| {row['name']} | {' | '.join(cells)} | {number(row.get('psnr'), '.1f')} |")
    return good


def print_ceilings(measured):
    for when, best in measured:
        print(f"best products, {when}: f32 {best['f32_gflops']:.0f}, bf16 {best['bf16_gflops']:.0f}, int8 {best['int8_gflops']:.0f} GFLOP/s; "
              f"copy {best['copy_gbs']:.0f} GB/s")


def options_of():
    parser = argparse.ArgumentParser(prog="./dev bench peers", description=__doc__.split("\n\n")[0])
    parser.add_argument("engine", help="the command that runs the engine")
    parser.add_argument("--only", default=",".join(ROWS), help="which of " + ", ".join(ROWS))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--weights", type=Path, help="a folder that make_full.py wrote (made once in OUT without it)")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights, converted networks, pictures and the log")
    parser.add_argument("--beside", metavar="COMMAND", help="a shell command that measures others and prints a JSON object per line")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    options.engine = shlex.split(options.engine)
    options.only = [name for name in options.only.split(",") if name]
    for name in options.only:
        if name not in ROWS:
            parser.error(f"--only knows {', '.join(ROWS)}, not '{name}'.")
    options.out.mkdir(parents=True, exist_ok=True)
    options.log = open(options.out / "peers.log", "w")
    return options


def make_weights(options):
    options.weights = options.weights or options.out / "full"
    if not (options.weights / "model.safetensors").exists():
        print("making random weights of full size, once", flush=True)
        run([sys.executable, HERE.parent / "slow" / "make_full.py", options.weights.parent], options)


def main():
    options = options_of()
    make_weights(options)
    rows, ceilings = {}, [("before", ceiling(options))]
    for name in options.only:
        title, against = ROWS[name]
        others = Others()
        figures = measure_ours(name, options) if against is None else measure_peer(name, options)
        rows[name] = dict(figures, name=title, against=against, others=others.share())
        print(f"{title}: {json.dumps({k: v if isinstance(v, str) else round(v, 3) for k, v in figures.items() if v is not None})}", flush=True)
        ceilings.append((f"after {title}", ceiling(options)))
    if options.beside:
        others = Others()
        rows.update(measure_beside(options))
        ceilings.append((f"after the others (other work {others.share():.0%})", ceiling(options)))
    alike(rows, options)
    print_table(rows, options)
    good = print_ratios(rows)
    print()
    print_ceilings(ceilings)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "ceilings": dict(ceilings)}, indent=1) + "\n")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
