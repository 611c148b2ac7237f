# SPDX-License-Identifier: GPL-3.0-or-later
"""A detector that judges pictures: which objects, in which colours, where; which place, light, weather and style.

It learns from renders of its own seeds (train.py judge) and shares nothing with the generator. Objects are points (Zhou et
al. 2019, Objects as Points) on a grid of 4 pixels. Training needs torch; judging needs numpy alone:

    python -m studio.judge JUDGE.npz PICTURE.png      tells what is there
    python -m studio.judge JUDGE.npz --renders 500    its accuracy on fresh renders
"""
import argparse
import sys
from dataclasses import dataclass

import numpy as np

from .kinds import KINDS
from .words import COLOURS, LIGHTS, PLACES, STYLES, WEATHERS

WIDTHS = (24, 48, 80, 112)
GLOBAL = (("place", PLACES), ("light", LIGHTS), ("weather", WEATHERS), ("style", STYLES))
HEADS = {"heat": 1, "box": 4, "kind": len(KINDS), "colour": len(COLOURS)}
CELL = 4           # pixels of the finest grid
ACCEPT = .35       # least heat of an object
SURE = .5          # least probability of its kind


@dataclass
class Found:
    kind: str
    colour: str
    box: tuple          # x0, y0, x1, y1 in pixels
    heat: float
    kind_share: float
    colour_share: float

    def sure(self):
        return self.heat >= ACCEPT and self.kind_share >= SURE


# ---- numpy

def convolve(x, w, b, stride=1):
    """x: h x w x c, w: out x c x 3 x 3 or out x c; zeros around."""
    if w.ndim == 2:
        return x @ w.T + b
    h, wide, c = x.shape
    p = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    v = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (0, 1))[::stride, ::stride]   # h, w, c, 3, 3
    return (v.reshape(v.shape[0] * v.shape[1], c * 9) @ w.reshape(len(w), -1).T + b).reshape(v.shape[0], v.shape[1], len(w))


def twice(x):
    return x.repeat(2, 0).repeat(2, 1)


class Judge:
    def __init__(self, path):
        with np.load(path) as f:
            self.w = {k: f[k].astype(np.float32) for k in f.files}
        if self.w["kind.w"].shape[0] != len(KINDS) or self.w["colour.w"].shape[0] != len(COLOURS):
            raise ValueError(f"{path}: this judge knows {self.w['kind.w'].shape[0]} kinds and {self.w['colour.w'].shape[0]} colours, the scenes have "
                             f"{len(KINDS)} and {len(COLOURS)}; train it again")

    def conv(self, name, x, stride=1, relu=True):
        y = convolve(x, self.w[name + ".w"], self.w[name + ".b"], stride)
        return np.maximum(y, 0) if relu else y

    def maps(self, picture):
        """uint8 h x w x 3, sides multiples of 16 -> the heads' maps and the global heads' probabilities."""
        x = picture.astype(np.float32) / 127.5 - 1
        levels = []
        for k in range(len(WIDTHS)):
            x = self.conv(f"down{k}", x, 2)
            x = x + self.conv(f"keep{k}", x)
            levels.append(x)
        mean = x.mean((0, 1))
        for k in range(len(WIDTHS) - 2, 0, -1):
            x = self.conv(f"up{k}", twice(x)) + levels[k]
            x = x + self.conv(f"join{k}", x)
        out = {name: self.conv(name, x, relu=False) for name in HEADS}
        whole = np.maximum(mean @ self.w["mix.w"].T + self.w["mix.b"], 0)
        for name, table in GLOBAL:
            out[name] = softmax(whole @ self.w[name + ".w"].T + self.w[name + ".b"])
        return out

    def look(self, picture):
        """(list of Found, best first; {place, light, weather, style})."""
        m = self.maps(np.asarray(picture))
        heat = 1 / (1 + np.exp(-m["heat"][..., 0]))
        p = np.pad(heat, 1)
        high = np.max([p[y:y + heat.shape[0], x:x + heat.shape[1]] for y in range(3) for x in range(3)], 0)
        out = []
        for y, x in zip(*np.nonzero((heat == high) & (heat >= ACCEPT * .6))):
            kinds, colours, reach = softmax(m["kind"][y, x]), softmax(m["colour"][y, x]), np.exp(m["box"][y, x].clip(-4, 5)) * CELL
            cx, cy = (x + .5) * CELL, (y + .5) * CELL
            k, c = int(kinds.argmax()), int(colours.argmax())
            out.append(Found(list(KINDS)[k], list(COLOURS)[c], (cx - reach[0], cy - reach[1], cx + reach[2], cy + reach[3]),
                             float(heat[y, x]), float(kinds[k]), float(colours[c])))
        out.sort(key=lambda f: -f.heat)
        kept = []
        for f in out:
            if all(overlap(f.box, k.box) < .6 for k in kept):
                kept.append(f)
        return kept, {name: list(table)[int(m[name].argmax())] for name, table in GLOBAL}


def softmax(v):
    e = np.exp(v - v.max())
    return e / e.sum()


def overlap(a, b):
    """Shared over joint area of two boxes."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def check_renders(judge, n, first=850_000_000):
    """(objects, found with kind and colour right, wrongly found, places right) on fresh renders."""
    from .render import draw, truth
    from .scenes import scene
    objects = right = extra = place = 0
    for seed in range(first, first + n):
        s, masks = scene(seed, "one" if seed % 2 else "pair"), []
        picture = draw(s, masks=masks)
        seen, world = judge.look(picture)
        place += world["place"] == s.place
        true = [t for t in truth(s, masks)[1] if t["box"]]
        sure = [f for f in seen if f.sure()]
        hits = sum(any(f.kind == t["kind"] and f.colour == t["colour"] and overlap(f.box, t["box"]) > .5 for f in sure) for t in true)
        objects, right, extra = objects + len(true), right + hits, extra + max(0, len(sure) - hits)
    return objects, right, extra, place


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("judge")
    a.add_argument("picture", nargs="?")
    a.add_argument("--renders", type=int)
    a = a.parse_args()
    judge = Judge(a.judge)
    if a.renders:
        objects, right, extra, place = check_renders(judge, a.renders)
        print(f"{right} of {objects} objects right ({100 * right / objects:.1f} %), {extra} found that are not there, {place} of {a.renders} places")
        return 0 if right >= .98 * objects else 1
    if not a.picture:
        raise SystemExit("judge: name a picture, or --renders N")
    from PIL import Image
    seen, world = judge.look(np.asarray(Image.open(a.picture).convert("RGB")))
    for f in seen:
        print(f"{f.colour} {f.kind} at {tuple(round(v) for v in f.box)}, heat {f.heat:.2f}, kind {f.kind_share:.2f}, colour {f.colour_share:.2f}"
              f"{'' if f.sure() else ', not sure'}")
    print(" ".join(world.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
