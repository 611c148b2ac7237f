# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes: what is in a picture, how it is drawn, and what is true of it.

Everything is a function of the seed: `scene(seed)` lays a scene out, `draw`
renders it (supersampled), `truth` gives each object's visible mask and box.
Needs numpy and Pillow only.
"""
import random
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from kinds import KINDS

COLOURS = {"red": (214, 38, 40), "orange": (246, 134, 28), "yellow": (250, 217, 50),
           "green": (46, 158, 70), "blue": (42, 92, 216), "purple": (128, 62, 176),
           "pink": (246, 142, 188), "white": (248, 248, 248)}
FIXED = {"ink": (34, 28, 38), "light": (236, 242, 246), "cream": (244, 226, 192),
         "brown": (122, 80, 48), "leaf": (66, 126, 58)}


@dataclass(frozen=True)
class Background:
    phrase: str    # as captions say it
    sky: tuple     # colour above the horizon, at the top …
    low: tuple     # … and just above the horizon
    ground: tuple  # below it; None: no ground


BACKGROUNDS = {
    "meadow": Background("in a meadow", (150, 208, 244), (206, 232, 246), (146, 202, 104)),
    "beach": Background("on a beach", (120, 190, 226), (70, 160, 196), (240, 221, 168)),
    "night": Background("at night", (34, 40, 92), (66, 72, 132), (44, 74, 84)),
    "snow": Background("in the snow", (176, 188, 208), (214, 220, 230), (238, 242, 247)),
    "paper": Background("on paper", (250, 247, 236), (250, 247, 236), None),
    "room": Background("in a room", (226, 200, 172), (226, 200, 172), (160, 112, 78)),
}


@dataclass
class Thing:
    """One object: centre and half size in pixels of a 128 pixel picture."""
    kind: str
    colour: str
    x: float
    y: float
    r: float
    aspect: float = 1.0             # width over height, about 1
    tint: tuple = (0, 0, 0)         # a little noise on the colour

    def box(self):
        return (self.x - self.r * self.aspect, self.y - self.r,
                self.x + self.r * self.aspect, self.y + self.r)


@dataclass
class Scene:
    seed: int
    background: str
    horizon: float                  # 0 = top, 1 = bottom
    things: list = field(default_factory=list)
    caption: str = ""
    size: tuple = (128, 128)        # width, height
    layout: str = "one"             # one, pair, three, count, scatter


# ---- words

def article(word):
    return "an" if word[0] in "aeiou" else "a"


def phrase(thing):
    return f"{article(thing.colour)} {thing.colour} {thing.kind}"


def place(background, rng):
    """The background in words, with a space before it, or nothing."""
    return " " + BACKGROUNDS[background].phrase if rng.random() < .8 else ""


RELATIONS = {"left": ("left of", "to the left of"), "right": ("right of", "to the right of"),
             "above": ("above",), "below": ("below",), "beside": ("and", "next to")}
NUMBERS = {2: "two", 3: "three"}
OPENINGS = ("",) * 6 + ("a picture of ", "a drawing of ")


def words():
    """Every word that captions use, sorted: the vocabulary."""
    text = ["a an the empty picture drawing of on in to at and with next there is"]
    text += [" ".join(r) for r in RELATIONS.values()]
    text += [b.phrase for b in BACKGROUNDS.values()] + list(BACKGROUNDS)
    text += list(COLOURS) + list(NUMBERS.values()) + ["one"]
    text += [k.name for k in KINDS.values()] + [k.plural for k in KINDS.values()]
    return sorted(set(" ".join(text).split()))


# ---- layout

def make_thing(rng, x, y, r, kind=None, colour=None):
    return Thing(kind or rng.choice(list(KINDS)), colour or rng.choice(list(COLOURS)), x, y, r,
                 rng.uniform(.92, 1.08), tuple(rng.randint(-7, 7) for _ in range(3)))


def lay_one(s, rng):
    r = rng.choice((rng.uniform(17, 28), rng.uniform(28, 44), rng.uniform(40, 55)))
    free = 62 - r
    s.things = [make_thing(rng, 64 + rng.uniform(-free, free), 64 + rng.uniform(-free, free), r)]
    s.caption = phrase(s.things[0])


def lay_pair(s, rng):
    relation = rng.choice(("left", "right", "above", "below", "beside"))
    ra, rb = rng.uniform(19, 28), rng.uniform(19, 28)
    near, far = rng.uniform(30, 34), rng.uniform(94, 98)
    across = [rng.uniform(40, 88) for _ in range(2)]
    if relation in ("right", "below") or relation == "beside" and rng.random() < .5:
        near, far = far, near
    if relation in ("above", "below"):
        a = make_thing(rng, across[0], near, ra)
        b = make_thing(rng, across[1], far, rb)
    else:
        a = make_thing(rng, near, across[0], ra)
        b = make_thing(rng, far, across[1], rb)
    s.things = [a, b]
    s.caption = f"{phrase(a)} {rng.choice(RELATIONS[relation])} {phrase(b)}"


def lay_three(s, rng):
    spots = [(28, 34), (96, 38), (62, 96)] if rng.random() < .5 else [(30, 96), (98, 92), (64, 32)]
    s.things = [make_thing(rng, x + rng.uniform(-4, 4), y + rng.uniform(-4, 4),
                           rng.uniform(18, 25)) for x, y in spots]
    a, b, c = (phrase(t) for t in s.things)
    s.caption = f"{a} and {b} and {c}"


def lay_count(s, rng):
    n = rng.choice((2, 3))
    kind, colour = rng.choice(list(KINDS)), rng.choice(list(COLOURS))
    if n == 2:
        spots = [(33, 64), (95, 64)]
    else:
        spots = [(28, 40), (99, 42), (63, 94)]
    dy = rng.uniform(-14, 14) if n == 2 else 0
    s.things = [make_thing(rng, x + rng.uniform(-3, 3), y + dy + rng.uniform(-4, 4),
                           rng.uniform(20, 27), kind, colour) for x, y in spots]
    s.caption = f"{NUMBERS[n]} {colour} {KINDS[kind].plural}"


def lay_scatter(s, rng):
    """A target that is the last thing, with others about it, some cut by the frame."""
    r = rng.uniform(18, 36)
    t = make_thing(rng, rng.uniform(r + 4, 124 - r), rng.uniform(r + 4, 124 - r), r)
    others = []
    for _ in range(rng.choice((1, 2, 2, 3, 4))):
        for _ in range(12):
            o = make_thing(rng, rng.uniform(-8, 136), rng.uniform(-8, 136), rng.uniform(14, 34))
            near = [t] + others
            if all(max(abs(o.x - p.x) - (o.r + p.r), abs(o.y - p.y) - (o.r + p.r)) > 0
                   for p in near):
                others.append(o)
                break
    s.things = others + [t]
    s.caption = phrase(t)


LAYOUTS = {"one": lay_one, "pair": lay_pair, "three": lay_three, "count": lay_count,
           "scatter": lay_scatter}


def scene(seed, layout=None):
    """The scene of a seed: 58 % one object, 27 % pairs, 5 % three, 10 % counts,
    unless the layout is given."""
    rng = random.Random(seed)
    name = layout or rng.choices(("one", "pair", "three", "count"), (58, 27, 5, 10))[0]
    s = Scene(seed, rng.choice(list(BACKGROUNDS)), rng.uniform(.35, .85), layout=name)
    if name == "scatter" and rng.random() < .4:
        s.horizon = rng.choice((rng.uniform(-.2, .2), rng.uniform(.8, 1.2)))
    LAYOUTS[name](s, rng)
    s.caption = rng.choice(OPENINGS) + s.caption + place(s.background, rng)
    return s


# ---- drawing

def backdrop(s, scale):
    """The background as a float array, height x width x 3, at `scale` pixels a pixel."""
    b, (w, h) = BACKGROUNDS[s.background], s.size
    rng = np.random.default_rng(s.seed)
    y = np.linspace(0, 1, h * scale)[:, None]
    edge = s.horizon
    blend = np.clip(y / max(edge, .05), 0, 1)
    rows = np.array(b.sky) * (1 - blend) + np.array(b.low) * blend
    if b.ground is not None:
        below = np.clip((y - edge) * h, 0, 1)
        rows = rows * (1 - below) + np.array(b.ground) * below
    rows = rows + rng.uniform(-5, 5, 3)
    return np.repeat(np.clip(rows, 0, 255)[:, None, :], w * scale, axis=1)


def fill_colour(role, thing):
    if role in FIXED:
        return FIXED[role]
    base = np.array(COLOURS[thing.colour]) + thing.tint
    if role == "shade":
        base = base * .72
    return tuple(int(v) for v in np.clip(base, 0, 255))


def draw_thing(canvas, mask, thing, scale):
    """Draws on a Pillow RGB canvas; `mask` (Pillow L) gets 255 wherever the object is. Either may
    be None."""
    size = np.array((thing.r * thing.aspect, thing.r))
    pen = max(1.9, .06 * thing.r) * scale

    def strokes(draw, ink, contour, width, closed):
        pts = [tuple(p) for p in contour]
        if closed:
            pts += pts[:2]
        draw.line(pts, fill=ink, width=max(1, round(width)), joint="curve")
        if not closed:
            for x, y in pts:  # round ends; also smooths wide arcs
                draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=ink)

    targets = [(ImageDraw.Draw(image), flat) for image, flat in ((canvas, None), (mask, 255)) if image]
    for role, contours in KINDS[thing.kind].parts:
        placed = [(c * size + (thing.x, thing.y)) * scale for c in contours]
        for draw, flat in targets:
            if role.startswith("line:"):
                for c in placed:
                    strokes(draw, flat or FIXED["ink"], c,
                            max(float(role[5:]) * thing.r * scale, pen * 1.4), False)
                continue
            if not role.startswith("dot:"):
                for c in placed:  # the outline lies outside: the fill covers its inner half
                    strokes(draw, flat or FIXED["ink"], c, 2 * pen, True)
            colour = flat or fill_colour(role.removeprefix("dot:"), thing)
            for c in placed:
                draw.polygon([tuple(p) for p in c], fill=colour)


def draw(s, scale=3):
    """The picture: uint8 array, height x width x 3."""
    big = Image.fromarray(backdrop(s, scale).astype(np.uint8))
    for t in s.things:
        draw_thing(big, None, t, scale)
    return np.asarray(big.reduce(scale))


def whole_mask(s, thing, scale=3):
    """Where one thing is, hidden parts included: bool, height x width."""
    w, h = s.size
    m = Image.new("L", (w * scale, h * scale))
    draw_thing(None, m, thing, scale)
    return np.asarray(m.reduce(scale)) >= 128


def truth(s, scale=3):
    """What is true of the picture: per thing {kind, colour, box (x0, y0, x1, y1; None where it is
    hidden), mask (bool, height x width, only what is visible)}."""
    w, h = s.size
    masks = [whole_mask(s, t, scale) for t in s.things]
    out, hidden = [], np.zeros((h, w), bool)
    for t, m in reversed(list(zip(s.things, masks))):
        seen = m & ~hidden
        hidden |= m
        ys, xs = np.nonzero(seen)
        box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1) if len(xs) else None
        out.append({"kind": t.kind, "colour": t.colour, "box": box, "mask": seen})
    return out[::-1]
