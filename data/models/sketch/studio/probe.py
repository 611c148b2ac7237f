# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the joint network is, while it trains:  python -m studio.probe WORK MODEL [--n 48]

Draws held-out questions with the averages in WORK/joint.pt (or base.pt) and lets the judge of MODEL look. Adds a line to
WORK/TARGET-judged.csv, writes WORK/TARGET-judged.png. The same questions and noise every time: the lines can be compared.
"""
import argparse
import csv
import os
import random

import numpy as np
import torch
from PIL import Image

from . import judge, nets
from .export import cut, fill_in, saved
from .kinds import NAMES
from .losses import levels
from .vocab import encode
from .words import COLOURS, PLACES, article

FIRST = 910_000_000  # seeds that neither training nor tests/eval use
COLUMNS = ("samples", "seconds", "n", "colour", "kind", "both", "pairs", "pair_colours", "pair_kinds", "pair_bound")


def question(i, pair):
    """(caption, [(colour, kind)])"""
    rng = random.Random(FIRST + i + 100_000 * pair)
    kinds, colours = rng.sample(NAMES, 2), rng.sample(sorted(COLOURS), 2)
    things = list(zip(colours, kinds))[:2 if pair else 1]
    words = [article(" ".join(t)) for t in things]
    place = PLACES[rng.choice(sorted(PLACES))].phrase
    return (f" {rng.choice(('left of', 'above'))} ".join(words) if pair else words[0]) + " " + place, things


@torch.no_grad()
def draw(unet, text, vae, scale, captions, steps=16, guidance=4.0, seed=1):
    """DDIM with v-prediction and guidance; uint8 pictures."""
    table = levels("cpu")
    n = len(captions)
    context = text(torch.tensor([encode(c) for c in captions] + [encode("")])).last_hidden_state
    none = context[n:].expand(n, -1, -1)
    x = torch.randn(n, 4, 16, 16, generator=torch.Generator().manual_seed(seed))
    times = [t * (1000 // steps) + 1 for t in reversed(range(steps))]
    with torch.autocast("cpu", torch.bfloat16):
        for t, after in zip(times, [*times[1:], 0]):
            v, plain = unet(torch.cat([x, x]), torch.full((2 * n,), t), torch.cat([context[:n], none])).sample.float().chunk(2)
            v = plain + guidance * (v - plain)
            here, there = table[t], table[after]
            clean, noise = here.sqrt() * x - (1 - here).sqrt() * v, (1 - here).sqrt() * x + here.sqrt() * v
            x = there.sqrt() * clean + (1 - there).sqrt() * noise
        pictures = torch.cat([vae.decode(z / scale).sample.float() for z in x.split(8)])
    return ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def scores(found, things):
    """(colours there, kinds there, each with its own colour)."""
    return (all(any(f.colour == c for f in found) for c, _ in things), all(any(f.kind == k for f in found) for _, k in things),
            all(any((f.colour, f.kind) == t for f in found) for t in things))


def networks(work, model, target):
    kept = saved(work, target)
    average = kept["average"]
    if target == "joint":
        unet = {k.removeprefix("unet."): v for k, v in average.items() if k.startswith("unet.")}
        words = {k.removeprefix("text."): v for k, v in average.items() if k.startswith("text.")}
        text, state = fill_in(nets.make("text"), words, target), cut(unet, [0, 1, 2, 3])
    else:
        text, state = nets.read("text", model), average
    vae = nets.read("vae", model).eval()
    return fill_in(nets.make("base"), state, target).eval(), text.eval(), vae, nets.read_json(model, "vae", "config.json")["scaling_factor"], kept["state"]


def probe(work, model, target="joint", n=48):
    unet, text, vae, scale, state = networks(work, model, target)
    look = judge.Judge(os.path.join(model, "judge", "judge.npz")) if os.path.exists(os.path.join(model, "judge", "judge.npz")) else None
    rows, shown = [], []
    for pair in (False, True):
        asked = [question(i, pair) for i in range(n)]
        pictures = np.concatenate([draw(unet, text, vae, scale, [c for c, _ in asked[i:i + 16]], seed=FIRST + i) for i in range(0, n, 16)])
        shown.append(pictures)
        if look:
            rows.append([scores([f for f in look.look(p)[0] if f.heat >= judge.ACCEPT], t) for p, (_, t) in zip(pictures, asked)])
    sheet = np.concatenate([np.concatenate(list(p[i:i + 8]), 1) for p in shown for i in range(0, n - n % 8, 8)][:12] or [shown[0][0]], 0)
    Image.fromarray(sheet).save(os.path.join(work, target + "-judged.png"))
    if not look:
        return None
    line = [state["samples"], round(state["seconds"]), n, *np.mean(rows[0], 0).round(3), n, *np.mean(rows[1], 0).round(3)]
    path = os.path.join(work, target + "-judged.csv")
    fresh = not os.path.exists(path)
    with open(path, "a", encoding="utf-8", newline="") as f:
        out = csv.writer(f)
        if fresh:
            out.writerow(COLUMNS)
        out.writerow(line)
    return dict(zip(COLUMNS, line))


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("work")
    a.add_argument("model")
    a.add_argument("--target", choices=("joint", "base"), default="joint")
    a.add_argument("--n", type=int, default=48)
    a = a.parse_args()
    line = probe(a.work, a.model, a.target, a.n)
    print(", ".join(f"{k} {v}" for k, v in line.items()) if line else f"{a.work}/{a.target}-judged.png; there is no judge yet to score it")


if __name__ == "__main__":
    main()
