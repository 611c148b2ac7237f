# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides whether an asked-for object is in a region of a picture.

    python3 matcher.py PICTURE --box x0,y0,x1,y1 --expect "red mushroom"
    python3 matcher.py PICTURE [--box ...]            tells what is there

Knows the renderer's drawings and nothing of any network. Pixels are sorted
into colour classes; connected pixels of one object colour make a candidate.
Each kind's drawing is laid over the candidate (its coloured part onto the
candidate's, then nudged) and scored by the overlap of the coloured parts, that
of the silhouettes (ink and all it encloses) and the difference of the pixels. The best kind counts if its score
reaches ACCEPT and leads the next kind's by LEAD (or .65 and twice that): a
shapeless blot is a little like everything. Numpy and Pillow only. Exit status 0 found, 1 not found, 2 usage.
"""
import argparse
import functools
import re
import sys
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from kinds import KINDS
from scenes import BACKGROUNDS, COLOURS, FIXED, Thing, draw_thing

ACCEPT = .74      # least score; calibrated by eye on generated pictures, see README.md
LEAD = .025       # least distance to the runner-up kind's score
SIDE = 64         # pixels of the canvas on which drawings are compared
REACH = 1.3       # the canvas spans -REACH … REACH of the drawing's unit square


@dataclass
class Found:
    kind: str
    colour: str
    score: float
    box: tuple        # of the coloured part, in pixels of the picture
    second: str = ""  # the runner-up kind
    second_score: float = 0.0

    def sure(self):
        lead = self.score - self.second_score
        return self.score >= ACCEPT and lead >= LEAD or self.score >= .65 and lead >= 2 * LEAD


# ---- colour classes

@functools.cache
def classes():
    """(names, colours): the object colours, and everything else that a scene can show."""
    names, values = list(COLOURS), list(COLOURS.values())
    for name in ("ink", "cream", "brown", "leaf"):
        names.append("=" + name)
        values.append(FIXED[name])
    for key, c in COLOURS.items():
        names.append("=shade of " + key)
        values.append(tuple(.72 * v for v in c))
    for key, b in BACKGROUNDS.items():
        ends = [b.sky, b.low] + ([b.ground] if b.ground else [])
        ends.append(tuple((p + q) / 2 for p, q in zip(b.sky, b.low)))
        for e in ends:
            if min(e) > 225:      # snow and paper: as white as white things, told apart by outline
                continue
            names.append("=" + key)
            values.append(e)
    return names, np.array(values, float)


def classify(rgb):
    """Index into classes() per pixel, -1 where nothing is near."""
    _, values = classes()
    d = ((rgb[:, :, None, :] - values) ** 2 * (.9, 1.2, .9)).sum(-1)
    best = d.argmin(-1)
    return np.where(d.min(-1) < 75 ** 2, best, -1)


def label(mask):
    """Connected parts (4 neighbours) of a bool array: list of bool arrays, largest first."""
    h, w = mask.shape
    ids, parent = np.zeros((h, w), int), [0]

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for y in range(h):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], mask[y], [0])).astype(int)))
        for x0, x1 in zip(edges[::2], edges[1::2]):
            above = np.unique(ids[y - 1, x0:x1]) if y else np.zeros(1, int)
            above = [root(i) for i in above if i]
            if above:
                me = min(above)
                for i in above:
                    parent[i] = me
            else:
                me = len(parent)
                parent.append(me)
            ids[y, x0:x1] = me
    flat = np.array([root(i) for i in range(len(parent))])[ids]
    parts = [flat == i for i in np.unique(flat) if i]
    return sorted(parts, key=lambda p: -p.sum())


def without_holes(mask):
    """The mask with what it encloses: spots and windows may smear, outlines matter."""
    wide = np.pad(mask, 1)
    outside = next(p for p in label(~wide) if p[0, 0])
    return ~outside[1:-1, 1:-1]


def bounds(mask):
    ys, xs = np.nonzero(mask)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


def robust_bounds(mask, cut=.006):
    """Bounds without the outermost crumbs."""
    out = []
    for axis in (0, 1):
        share = np.cumsum(mask.sum(axis)) / mask.sum()
        out.append((int(np.searchsorted(share, cut)), int(np.searchsorted(share, 1 - cut)) + 1))
    return out[0][0], out[1][0], out[0][1], out[1][1]


# ---- drawings

@dataclass
class Drawing:
    kind: str
    box: tuple            # of the coloured part, in the unit square
    coloured: np.ndarray  # SIDE x SIDE, softened share of the coloured part
    all: np.ndarray       # the same of the whole drawing
    far: np.ndarray       # 1 clearly outside it
    fixed: np.ndarray     # SIDE x SIDE x 3, its colours where not coloured
    paint: np.ndarray     # SIDE x SIDE, 1 where the object's colour shows, .72 shade, 0 fixed


def soften(a, radius=1.4):
    image = Image.fromarray((np.clip(a, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius))).astype(np.float32) / 255


def grown(mask, by):
    """The mask as floats, wider by some pixels on each side."""
    image = Image.fromarray(mask.astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * int(by) + 1))).astype(np.float32)


@functools.cache
def drawings(white=False):
    """One drawing per kind. The colour is found by drawing twice, in two colours; white things
    and the light parts of a drawing look alike, so for white both count."""
    out = []
    scale, r = 4, SIDE / 2 / REACH
    for name in KINDS:
        shots = []
        for colour in ("red", "blue"):
            canvas = Image.new("RGB", (SIDE * scale, SIDE * scale))
            mask = Image.new("L", canvas.size)
            draw_thing(canvas, mask, Thing(name, colour, SIDE / 2, SIDE / 2, r), scale)
            shots.append(np.asarray(canvas).astype(np.float32))
        changed = np.abs(shots[0] - shots[1]).sum(-1) / np.abs(
            np.subtract(COLOURS["red"], COLOURS["blue"], dtype=float)).sum()
        if white:
            changed[np.abs(shots[0] - FIXED["light"]).sum(-1) < 6] = 1
        full = changed > .9

        def reduced(a):
            return a.reshape(SIDE, scale, SIDE, scale, -1).mean((1, 3)).squeeze()

        full = without_holes(full)
        x0, y0, x1, y1 = bounds(full)
        unit = [(v / scale - SIDE / 2) / r for v in (x0, y0, x1, y1)]
        fixed = np.where(changed[..., None] > .02, 0, shots[0])
        silhouette = reduced(np.asarray(mask) / np.float32(255))
        out.append(Drawing(name, tuple(unit), soften(reduced(full.astype(np.float32))),
                           soften(silhouette), 1 - grown(silhouette > .5, 5), reduced(fixed), reduced(changed)))
    return out


def sample(planes, mapping):
    """The picture on a drawing's canvas: mapping (sx, sy, ox, oy) takes unit square to pixels."""
    sx, sy, ox, oy = mapping
    u = (np.arange(SIDE) + .5) / SIDE * 2 * REACH - REACH
    h, w = planes.shape[:2]
    x = np.clip(np.floor(u * sx + ox), 0, w - 1).astype(int)
    y = np.clip(np.floor(u * sy + oy), 0, h - 1).astype(int)
    return planes[y[:, None], x[None, :]]


def agreement(a, b):
    """Shared over joint area of two soft masks."""
    return np.minimum(a, b).sum() / max(np.maximum(a, b).sum(), 1e-6)


def score(drawing, planes, paint, mapping):
    """How well a drawing, painted in a colour and placed, explains the picture, 0 to 1.
    planes: height x width x 6: RGB, softened mask of the coloured part, the same of the whole
    object, where its silhouette is not even near (all 0 to 255). Stalks and handles have little
    area but tell kinds apart, so what is far from explained costs extra."""
    seen = sample(planes, mapping)
    want = drawing.fixed + drawing.paint[..., None] * paint
    miss = np.clip(np.abs(seen[..., :3] - want).mean(-1) * (2.2 / 255), 0, 1)
    inner = (miss * drawing.all).sum() / drawing.all.sum()
    stray = (drawing.far * seen[..., 4]).sum() / 255
    absent = (drawing.all * seen[..., 5]).sum() / 255
    extra = .07 * min(1, stray / 40) + .07 * min(1, absent / 40)
    return (.35 * agreement(seen[..., 3] / 255, drawing.coloured)
            + .35 * agreement(seen[..., 4] / 255, drawing.all) + .3 * (1 - inner) - extra)


def start(drawing, box):
    """The mapping that lays a drawing's coloured part onto a box."""
    x0, y0, x1, y1 = box
    ux0, uy0, ux1, uy1 = drawing.box
    sx, sy = (x1 - x0) / (ux1 - ux0), (y1 - y0) / (uy1 - uy0)
    if not .75 < sx / sy < 1.34:
        mean = (sx * sy) ** .5
        sx, sy = np.clip(sx, mean * .87, mean * 1.15), np.clip(sy, mean * .87, mean * 1.15)
    return [sx, sy, (x0 + x1) / 2 - sx * (ux0 + ux1) / 2, (y0 + y1) / 2 - sy * (uy0 + uy1) / 2]


def refine(drawing, planes, paint, here, steps):
    """Nudges position and size for a better score: (score, mapping)."""
    best = score(drawing, planes, paint, here)
    for size in steps:
        moved = True
        for _ in range(3):
            if not moved:
                break
            moved = False
            for i in (2, 3, 0, 1):
                for sign in (1, -1):
                    trial = list(here)
                    trial[i] += sign * size * (here[0] + here[1]) / 2
                    if min(trial[:2]) <= 0 or not .75 < trial[0] / trial[1] < 1.34:
                        continue
                    s = score(drawing, planes, paint, trial)
                    if s > best:
                        best, here, moved = s, trial, True
    return best, here


def rank(planes, paint, box, white):
    """(score, kind) of the kinds most like a candidate, best first: the better half is nudged, the
    leaders refined."""
    near = sorted(((score(d, planes, paint, start(d, box)), d.kind, d) for d in drawings(white)),
                  key=lambda f: -f[0])
    first = []
    for _, kind, d in near[:12]:
        s, here = refine(d, planes, paint, start(d, box), (.06,))
        first.append((s, kind, d, here))
    first.sort(key=lambda f: -f[0])
    out = [(refine(d, planes, paint, here, (.04, .02))[0], kind) for _, kind, d, here in first[:5]]
    return sorted(out, reverse=True)


# ---- candidates

def candidates(rgb, region, colour=None):
    """(colour, mask) of each group of connected pixels of one object colour in the region."""
    kinds = classify(rgb)
    names, _ = classes()
    x0, y0, x1, y1 = region
    inside = np.zeros(kinds.shape, bool)
    inside[y0:y1, x0:x1] = True
    least = max(30, .02 * inside.sum())
    for i, name in enumerate(names[:len(COLOURS)]):
        if colour and name != colour:
            continue
        parts = []
        for p in label(kinds == i):
            if p.sum() < 6:
                break
            b = bounds(p)
            edge = b[0] == 0 or b[1] == 0 or b[2] == p.shape[1] or b[3] == p.shape[0]
            if name == "white" and edge:
                continue  # snow or paper
            if (p & inside).sum() >= .7 * p.sum():
                parts.append(p)
        while parts:
            p = parts.pop(0)
            if p.sum() < least:
                break
            yield name, p
            joined, grown = p, True
            rest = []
            while grown:
                grown, rest = False, []
                bx = bounds(joined)
                reach = .2 * max(bx[2] - bx[0], bx[3] - bx[1])
                for q in parts:
                    qb = bounds(q)
                    gap = max(qb[0] - bx[2], bx[0] - qb[2], qb[1] - bx[3], bx[1] - qb[3])
                    if gap <= reach and q.sum() >= .02 * p.sum():
                        joined, grown = joined | q, True
                    else:
                        rest.append(q)
                parts = rest if grown else parts
            if joined is not p:
                yield name, joined


def outlined(rgb, region):
    """Connected silhouettes in the region: ink and the colours of things, and what they enclose.
    A colour that runs over the region's edge is background or a neighbour."""
    x0, y0, x1, y1 = region
    part = rgb[y0:y1, x0:x1]
    names, _ = classes()
    found = classify(part)
    solid = np.abs(part - FIXED["ink"]).sum(-1) < 90
    for i, name in enumerate(names):
        if not name.startswith("=") or name[1:] in FIXED or name.startswith("=shade"):
            for p in label(found == i):
                if p.sum() < 8:
                    break
                if not (p[0].any() or p[-1].any() or p[:, 0].any() or p[:, -1].any()):
                    solid |= p
    reached = np.zeros(solid.shape, bool)
    for p in label(~solid):
        if p[0].any() or p[-1].any() or p[:, 0].any() or p[:, -1].any():
            reached |= p
    out = []
    for p in label(~reached):
        if p.sum() >= 12:
            out.append(np.zeros(rgb.shape[:2], bool))
            out[-1][y0:y1, x0:x1] = p
    return out


def inked(rgb, filled):
    """Whether a good part of a shape's rim is ink: paper and snow are as white as white things."""
    rim = (grown(filled, 2 + filled.shape[0] // 200) > 0) & ~filled
    return (np.abs(rgb[rim] - FIXED["ink"]).sum(-1) < 240).mean() > .3


def look(picture, box=None, colour=None):
    """Everything found in the region of a picture (uint8, height x width x 3), best first.
    Candidates that overlap a better one of the same colour are left out."""
    rgb = np.asarray(picture).astype(np.float32)[..., :3]
    h, w = rgb.shape[:2]
    side = max(h, w)
    x0, y0, x1, y1 = box or (0, 0, w, h)
    region = (max(0, int(x0)), max(0, int(y0)), min(w, int(np.ceil(x1))), min(h, int(np.ceil(y1))))
    if region[2] - region[0] < 8 or region[3] - region[1] < 8:
        raise ValueError(f"the box {box} leaves less than 8 pixels of a {w}x{h} picture")
    smooth = rgb if side <= 160 else np.asarray(
        Image.fromarray(rgb.astype(np.uint8)).filter(ImageFilter.GaussianBlur(side / 320)))
    things = outlined(rgb, region)
    out = []
    seen = [(name, mask, without_holes(mask))
            for name, mask in candidates(smooth.astype(np.float32), region, colour)]
    seen = [c for c in seen if c[0] != "white" or inked(rgb, c[2])]
    for name, mask, filled in seen:
        if any((filled & other).sum() > .9 * filled.sum() and filled.sum() < .7 * other.sum()
               for _, _, other in seen):
            continue  # a spot or window of something else
        paint = np.median(rgb[mask], axis=0)
        tight = robust_bounds(mask)
        half = max(tight[2] - tight[0], tight[3] - tight[1]) / 2
        whole = next((t for t in things if (t & mask).any()), filled) | filled
        radius = 1.4 * half * 2 * REACH / SIDE  # as the drawings'
        planes = np.dstack([rgb, soften(filled.astype(np.float32), radius) * 255,
                            soften(whole.astype(np.float32), radius) * 255,
                            (1 - grown(whole, max(1, round(radius * 3.5)))) * 255])
        ranked = rank(planes, paint, tight, name == "white")
        out.append((Found(ranked[0][1], name, float(ranked[0][0]), tuple(map(int, tight)),
                          ranked[1][1], float(ranked[1][0])), mask))
    out.sort(key=lambda f: -f[0].score)
    kept = []
    for found, mask in out:
        if not any(k.colour == found.colour and (m & mask).any() for k, m in kept):
            kept.append((found, mask))
    return [f for f, _ in kept]


def parse(expect):
    """"a red mushroom" -> (colour, kind); plurals are understood."""
    words = re.findall(r"[a-z]+", expect.lower())
    plural = {k.plural: k.name for k in KINDS.values()}
    colour = next((w for w in words if w in COLOURS), None)
    kind = next((plural.get(w, w) for w in words if plural.get(w, w) in KINDS), None)
    return colour, kind


def judge(picture, box, expect):
    """(found, sentence): whether the expected object is in the box."""
    colour, kind = parse(expect)
    if not kind:
        raise ValueError(f"no kind of object in '{expect}'; known: {', '.join(KINDS)}")
    seen = look(picture, box, None)
    for f in seen:
        if f.kind == kind and f.sure() and colour in (None, f.colour):
            return True, f"found: {f.colour} {f.kind} at {f.box}, score {f.score:.2f}"
    if not seen:
        return False, f"not found: no {expect}, nothing in an object's colour"
    f = seen[0]
    return False, (f"not found: no {expect}; best is {f.colour} {f.kind} at {f.box}, "
                   f"score {f.score:.2f} (least {ACCEPT:.2f}), then {f.second} {f.second_score:.2f}")


def main():
    a = argparse.ArgumentParser(description="is this object in the picture?")
    a.add_argument("picture")
    a.add_argument("--box", help="x0,y0,x1,y1 in pixels; default the whole picture")
    a.add_argument("--expect", help='such as "red mushroom"')
    a = a.parse_args()
    try:
        picture = Image.open(a.picture).convert("RGB")
        box = tuple(float(v) for v in a.box.split(",")) if a.box else None
        if box and len(box) != 4:
            raise ValueError("--box wants four numbers")
        if a.expect:
            good, sentence = judge(picture, box, a.expect)
            print(sentence)
            return 0 if good else 1
        for f in look(picture, box):
            print(f"{f.colour} {f.kind} {f.box} score {f.score:.3f} "
                  f"(then {f.second} {f.second_score:.3f})")
        return 0
    except (OSError, ValueError) as e:
        print(f"matcher: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
