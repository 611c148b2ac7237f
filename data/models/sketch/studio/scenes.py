# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes: what is in a picture and how a caption says it. Everything is a function of the seed; numbers are pixels of a
128 pixel picture. `scene(seed)` lays one out, render.py draws it and tells what is true of it, edits.py changes it."""
import random
from dataclasses import dataclass, field

from .kinds import KINDS, NAMES
from .words import COLOURS, LIGHTS, NUMBERS, PLACES, RELATIONS, SIZES, SPOTS, STYLES, WEATHERS, article

SIDE = 128
MIX = (("one", 46), ("pair", 34), ("three", 6), ("four", 3), ("count", 7), ("empty", 4))


@dataclass
class Thing:
    """One object: centre and half size; drawn later = nearer."""
    kind: str
    colour: str
    x: float
    y: float
    r: float
    aspect: float = 1.0        # width over height, about 1
    tint: tuple = (0, 0, 0)    # a little noise on the colour
    turn: float = 0.0          # degrees, small
    size_word: str = ""
    spot: str = ""             # where the caption puts it: a key of SPOTS

    def box(self):
        return (self.x - self.r * self.aspect, self.y - self.r, self.x + self.r * self.aspect, self.y + self.r)


@dataclass
class Scene:
    seed: int
    place: str
    light: str = "day"
    weather: str = "clear"
    style: str = "cartoon"
    horizon: float = .6        # 0 = top, 1 = bottom
    things: list = field(default_factory=list)
    caption: str = ""
    layout: str = "one"
    relation: tuple = ()       # (first, relation, second): indices of things


def make_thing(rng, x, y, r, kind=None, colour=None):
    return Thing(kind or rng.choice(NAMES), colour or rng.choice(tuple(COLOURS)), x, y, r, rng.uniform(.93, 1.07),
                 tuple(rng.randint(-6, 6) for _ in range(3)), rng.choice((0, 0, rng.uniform(-9, 9))))


# ---- words

def noun(thing):
    return " ".join(w for w in (thing.size_word, thing.colour, thing.kind) if w)


def phrase(thing):
    return article(noun(thing)) + (" " + SPOTS[thing.spot] if thing.spot else "")


def surroundings(s, rng, sure=False):
    """Place, light and weather in words, with a space before each. What is not day or clear is nearly always said."""
    out = " " + PLACES[s.place].phrase if sure or rng.random() < .8 else ""
    if rng.random() < .95:
        out += rng.choice(LIGHTS[s.light])
    if rng.random() < .95:
        out += rng.choice(WEATHERS[s.weather])
    return out


def opening(s, rng):
    if s.style != "cartoon" or rng.random() < .2:
        return rng.choice(STYLES[s.style])
    return rng.choice(("",) * 7 + ("there is ",))


# ---- layouts; each fills things and the middle of the caption

def spot_of(x, y, rng):
    """A word for where a thing is, if it clearly is somewhere."""
    side = [name for name, hit in (("left", x < 44), ("right", x > 84), ("top", y < 42), ("bottom", y > 86)) if hit]
    if len(side) == 1 and rng.random() < .6:
        return side[0]
    if abs(x - 64) < 8 and abs(y - 64) < 8 and rng.random() < .6:
        return "middle"
    return ""


def lay_one(s, rng):
    size = rng.choice(("small", "middle", "middle", "big"))
    r = {"small": rng.uniform(14, 19), "middle": rng.uniform(24, 38), "big": rng.uniform(44, 54)}[size]
    free = 61 - r
    t = make_thing(rng, 64 + rng.uniform(-free, free), 64 + rng.uniform(-free, free), r)
    if size in SIZES and rng.random() < .8:
        t.size_word = rng.choice(SIZES[size])
    t.spot = spot_of(t.x, t.y, rng)
    s.things = [t]
    s.caption = phrase(t)


def lay_pair(s, rng):
    relation = rng.choice(("left", "right", "above", "below", "left", "right", "above", "below", "beside", "front", "behind"))
    ra, rb = rng.uniform(18, 28), rng.uniform(18, 28)
    if relation in ("front", "behind"):
        rb = rng.uniform(30, 38)
        ra = rng.uniform(18, 24)
        if relation == "behind":
            ra, rb = rb, ra
        near, far = min(ra, rb), max(ra, rb)
        x, y = rng.uniform(46, 82), rng.uniform(44, 66)
        a, b = make_thing(rng, x, y, ra), make_thing(rng, x, y, rb)
        front = a if relation == "front" else b
        shift = (far + near) * rng.uniform(.48, .62)
        front.x = min(max(x + rng.choice((-1, 1)) * shift, near + 2), 126 - near)
        front.y = min(y + rng.uniform(.3, .6) * far, 126 - near)
        while b.colour == a.colour:
            b.colour = rng.choice(tuple(COLOURS))
        s.things = [b, a] if relation == "front" else [a, b]
    else:
        near, far = rng.uniform(29, 35), rng.uniform(93, 99)
        across = [rng.uniform(38, 90) for _ in range(2)]
        if relation in ("left", "right", "beside"):
            across[1] = min(max(across[0] + rng.uniform(-26, 26), 30), 98)
        else:
            across[1] = min(max(across[0] + rng.uniform(-26, 26), 30), 98)
        if relation in ("right", "below") or relation == "beside" and rng.random() < .5:
            near, far = far, near
        if relation in ("above", "below"):
            a, b = make_thing(rng, across[0], near, ra), make_thing(rng, across[1], far, rb)
        else:
            a, b = make_thing(rng, near, across[0], ra), make_thing(rng, far, across[1], rb)
        s.things = [a, b]
    s.relation = (s.things.index(a), relation, s.things.index(b))
    s.caption = f"{phrase(a)} {rng.choice(RELATIONS[relation])} {phrase(b)}"


def lay_spots(s, rng, spots, r):
    s.things = [make_thing(rng, x + rng.uniform(-4, 4), y + rng.uniform(-4, 4), rng.uniform(*r)) for x, y in spots]
    said = list(s.things)
    rng.shuffle(said)
    names = [phrase(t) for t in said]
    s.caption = " and ".join(names) if rng.random() < .5 else " , ".join(names[:-1]).replace(" , ", " and ") + " with " + names[-1]


def lay_three(s, rng):
    lay_spots(s, rng, rng.choice((((28, 34), (97, 38), (62, 95)), ((30, 95), (98, 92), (64, 33)), ((24, 64), (64, 60), (104, 66)))), (16, 22))
    for t in s.things:
        t.r = min(t.r, 18) if s.things[0].x < 30 and abs(s.things[1].x - 64) < 8 else t.r


def lay_four(s, rng):
    lay_spots(s, rng, ((33, 33), (96, 33), (33, 96), (96, 96)), (17, 23))


def lay_count(s, rng):
    n = rng.choice((2, 2, 3, 3, 4))
    kind, colour = rng.choice(NAMES), rng.choice(tuple(COLOURS))
    spots = {2: ((34, 64), (95, 64)), 3: rng.choice((((28, 40), (99, 42), (63, 94)), ((28, 92), (99, 94), (63, 36)))),
             4: ((33, 34), (95, 34), (33, 95), (95, 95))}[n]
    down = rng.uniform(-14, 14) if n == 2 else 0
    s.things = [make_thing(rng, x + rng.uniform(-3, 3), y + down + rng.uniform(-4, 4), rng.uniform(19, 26), kind, colour) for x, y in spots]
    s.caption = f"{NUMBERS[n]} {colour} {KINDS[kind].plural}"


def lay_empty(s, rng):
    s.caption = f"empty {s.place}"


def lay_scatter(s, rng):
    """A target that is the last thing, with others about it, some cut by the frame: what fills and the judge learn from."""
    r = rng.uniform(17, 36)
    t = make_thing(rng, rng.uniform(r + 3, 125 - r), rng.uniform(r + 3, 125 - r), r)
    others = []
    for _ in range(rng.choice((1, 2, 2, 3, 4))):
        for _ in range(12):
            o = make_thing(rng, rng.uniform(-6, 134), rng.uniform(-6, 134), rng.uniform(14, 34))
            if all(max(abs(o.x - p.x), abs(o.y - p.y)) > o.r + p.r + 1 for p in [t, *others]):
                others.append(o)
                break
    s.things = [*others, t]
    s.caption = phrase(t)


LAYOUTS = {"one": lay_one, "pair": lay_pair, "three": lay_three, "four": lay_four, "count": lay_count, "empty": lay_empty,
           "scatter": lay_scatter}


def scene(seed, layout=None, plain=False):
    """The scene of a seed. `plain`: by day, clear, outlined, as most held-out questions ask."""
    rng = random.Random(seed)
    name = rng.choices([n for n, _ in MIX], [w for _, w in MIX])[0]
    name = layout or name
    s = Scene(seed, rng.choice(tuple(PLACES)), horizon=rng.uniform(.4, .8), layout=name)
    light, weather = rng.choices(tuple(LIGHTS), (70, 12, 18))[0], rng.choices(tuple(WEATHERS), (79, 7, 7, 7))[0]
    style = rng.choices(tuple(STYLES), (76, 12, 12))[0]
    if not plain:
        s.style = style
        if PLACES[s.place].outdoors:
            s.light, s.weather = light, weather
    LAYOUTS[name](s, rng)
    if name == "empty":
        s.caption += "".join((rng.choice(LIGHTS[s.light]), rng.choice(WEATHERS[s.weather])))
        if s.style != "cartoon":
            s.caption = rng.choice(STYLES[s.style]) + s.caption
    else:
        s.caption = opening(s, rng) + s.caption + surroundings(s, rng)
    return s
