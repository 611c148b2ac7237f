# SPDX-License-Identifier: GPL-3.0-or-later
"""Before/after pairs with an instruction: edit(seed) -> Edit. Whatever the instruction does not name stays as it is."""
import copy
import random
from dataclasses import dataclass

from .scenes import Scene, make_thing, scene
from .words import COLOURS, INSTRUCTIONS, LIGHTS, PLACES, SPOTS, STYLE_WORDS, WEATHER_WORDS, article

MIX = {"recolour": 20, "replace": 16, "add": 14, "remove": 13, "move": 11, "place": 12, "light": 6, "weather": 3, "style": 5}
AT = {"left": (31, 64), "right": (97, 64), "top": (64, 31), "bottom": (64, 97), "middle": (64, 64)}


@dataclass
class Edit:
    kind: str
    before: Scene
    after: Scene
    text: str
    thing: int        # index in `before` of the thing that is changed, -1: none
    new: int          # index in `after` of the thing that is new or changed, -1: none


def base(rng, layouts):
    while True:
        s = scene(rng.randrange(1 << 40), rng.choice(layouts))
        kinds = [t.kind for t in s.things]
        if len(set(kinds)) == len(kinds) and (not s.relation or s.relation[1] not in ("front", "behind")):
            for t in s.things:
                t.spot = t.size_word = ""
            return s


def free(s, at, r, skip=None):
    return all(max(abs(t.x - at[0]), abs(t.y - at[1])) > t.r + r for t in s.things if t is not skip)


def edit(seed, kind=None):
    rng = random.Random(seed * 2 + 1)
    kind = kind or rng.choices(tuple(MIX), tuple(MIX.values()))[0]
    while True:
        made = attempt(rng, kind)
        if made:
            return made


def attempt(rng, kind):
    s = base(rng, {"add": ("one", "one", "pair", "empty"), "move": ("one", "one", "pair")}.get(kind, ("one", "one", "pair", "pair", "three")))
    after, words, thing, new = copy.deepcopy(s), {}, -1, -1
    if s.things:
        k = rng.randrange(len(s.things))
        t, u = s.things[k], after.things[k]
        words["old"] = t.kind if rng.random() < .5 else f"{t.colour} {t.kind}"
    if kind in ("recolour", "replace", "remove", "move"):
        thing = k
        new = -1 if kind == "remove" else k
    if kind == "recolour":
        u.colour = words["colour"] = rng.choice([c for c in COLOURS if c != t.colour])
    elif kind == "replace":
        n = make_thing(rng, t.x, t.y, t.r)
        if n.kind in [o.kind for o in s.things]:
            return None
        n.colour = t.colour if rng.random() < .3 else n.colour
        after.things[k] = n
        words["new"] = article(f"{n.colour} {n.kind}")
    elif kind == "remove":
        del after.things[k]
    elif kind in ("add", "move"):
        spot = rng.choice(tuple(AT))
        at = tuple(v + rng.uniform(-5, 5) for v in AT[spot])
        if kind == "add":
            n = make_thing(rng, *at, rng.uniform(18, 26))
            if n.kind in [o.kind for o in s.things] or not free(s, at, n.r):
                return None
            after.things.append(n)
            new = len(after.things) - 1
            words["new"] = article(f"{n.colour} {n.kind}")
        else:
            if t.r > 32 or abs((t.y - at[1]) if spot in ("top", "bottom") else (t.x - at[0])) < 26 or not free(s, at, t.r, t):
                return None
            u.x, u.y = min(max(at[0], t.r + 2), 126 - t.r), min(max(at[1], t.r + 2), 126 - t.r)
            words["side"] = spot
        words["spot"] = SPOTS[spot]
    elif kind == "place":
        after.place = rng.choice([p for p in PLACES if p != s.place])
        if not PLACES[after.place].outdoors:
            after.light, after.weather = "day", "clear"
        words["place"], words["name"] = PLACES[after.place].phrase, "the " + after.place if after.place not in ("space", "paper", "snow") else after.place
    elif kind in ("light", "weather"):
        if not PLACES[s.place].outdoors:
            return None
        table = LIGHTS if kind == "light" else WEATHER_WORDS
        value = rng.choice([v for v in table if v != getattr(s, kind)])
        setattr(after, kind, value)
        words[kind] = value if kind == "light" else WEATHER_WORDS[value]
    elif kind == "style":
        after.style = rng.choice([v for v in STYLE_WORDS if v != s.style])
        words["style"] = STYLE_WORDS[after.style]
    template = rng.choice(INSTRUCTIONS[kind])
    return Edit(kind, s, after, template.format(**words), thing, new)
