# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model is asked, feature by feature: held-out seeds, job files for the engine, and how an answer is judged.

A feature is a function of (Asker, number) that returns a Question: the engine's job, and a judge that takes the picture and
returns {name: right or not}, whose names are rows of the report. Only words that the model's vocabulary has are asked.
"""
import json
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "data" / "models" / "sketch"))

from studio import conditions, edits, render          # noqa: E402
from studio.judge import overlap                      # noqa: E402
from studio.kinds import NAMES                        # noqa: E402
from studio.scenes import Scene, make_thing           # noqa: E402
from studio.words import COLOURS, PLACES, article     # noqa: E402

FIRST = 900_000_000  # seeds that no training uses
SIDE = 128


class Absent(Exception):
    """The model has no network for the feature."""


@dataclass
class Question:
    job: dict
    judge: object                 # picture -> {row: bool or float}
    title: str
    pictures: dict = field(default_factory=dict)  # file name -> uint8 array, laid beside the job


class Asker:
    def __init__(self, model, judge):
        self.model, self.judge = Path(model), judge
        with open(self.model / "tokenizer" / "vocab.json", encoding="utf-8") as f:
            vocabulary = json.load(f)
        knows = lambda text: all(w + "</w>" in vocabulary for w in text.split())
        self.kinds = [k for k in NAMES if knows(k) and k in judge.kinds]
        self.colours = [c for c in COLOURS if knows(c) and c in judge.colours]
        self.places = [p for p in PLACES if knows(PLACES[p].phrase)]
        self.unknown = lambda text: [w for w in text.split() if not knows(w)]

    def part(self, *names):
        path = self.model.joinpath(*names)
        if not path.exists():
            raise Absent(f"the model has no {'/'.join(names)}")
        return str(path)

    def job(self, rng, prompt, **more):
        return {"pentimento": 1, "task": "generate", "model": str(self.model), "prompt": prompt, "seed": rng.randrange(1 << 31), "steps": 20,
                "size": [SIDE, SIDE], **more}

    def thing(self, rng, x=64, y=64, r=30, others=()):
        while True:
            t = make_thing(rng, x, y, r, rng.choice(self.kinds), rng.choice(self.colours))
            if all(t.kind != o.kind and t.colour != o.colour for o in others):
                return t

    def scene(self, rng, things):
        return Scene(rng.randrange(1 << 40), rng.choice(self.places), horizon=rng.uniform(.45, .75), things=things)

    def spread(self, rng, n):
        spots = {1: ((64, 64),), 2: rng.choice((((34, 64), (94, 64)), ((64, 33), (64, 95)))), 3: ((32, 36), (96, 38), (64, 94))}[n]
        out = []
        for x, y in spots:
            out.append(self.thing(rng, x + rng.uniform(-4, 4), y + rng.uniform(-4, 4), rng.uniform(30, 42) if n == 1 else rng.uniform(20, 27), out))
        return self.scene(rng, out)


def name(t):
    return article(f"{t.colour} {t.kind}")


def there(found, t):
    return any(f.kind == t.kind and f.colour == t.colour for f in found)


def boxes(found, t):
    return [f.box for f in found if f.kind == t.kind]


def one(ask, i, prefix="one object", **more):
    rng = random.Random(FIRST + i)
    t = ask.thing(rng)
    prompt = f"{name(t)} {PLACES[rng.choice(ask.places)].phrase}"
    return Question(ask.job(rng, prompt, **more), lambda p: {f"{prefix}: kind and colour": there(ask.judge.look(p)[0], t)}, prompt)


def two(ask, i):
    rng = random.Random(FIRST + 10_000 + i)
    a = ask.thing(rng)
    b = ask.thing(rng, others=[a])
    relation = rng.choice(("left of", "above"))
    prompt = f"{name(a)} {relation} {name(b)} {PLACES[rng.choice(ask.places)].phrase}"

    def judge(p):
        found = ask.judge.look(p)[0]
        at, bt = boxes(found, a), boxes(found, b)
        out = {"two objects: both kinds": bool(at and bt), "two objects: both colours on the right object": there(found, a) and there(found, b)}
        if at and bt:
            axis = 0 if relation == "left of" else 1
            out["left of / above, given both"] = at[0][axis] + at[0][axis + 2] < bt[0][axis] + bt[0][axis + 2]
        return out
    return Question(ask.job(rng, prompt), judge, prompt)


def fill(ask, i):
    ask.part("unet_fill")
    rng = random.Random(FIRST + 20_000 + i)
    s = ask.spread(rng, rng.choice((1, 2, 2)))
    old = s.things.pop(rng.randrange(len(s.things)))
    before = render.draw(s)
    t = ask.thing(rng, others=s.things)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    x0, y0, x1, y1 = (int(v) for v in (max(old.x - old.r - 9, 0), max(old.y - old.r - 9, 0), min(old.x + old.r + 9, SIDE), min(old.y + old.r + 9, SIDE)))
    mask[y0:y1, x0:x1] = 255

    def judge(p):
        inside = [f for f in ask.judge.look(p)[0] if overlap(f.box, (x0, y0, x1, y1)) > .2]
        return {"fill: the asked thing in the mask": there(inside, t), "fill: outside the mask bit for bit": bool((p == before)[mask == 0].all())}
    return Question(ask.job(rng, name(t), task="fill", image="before.png", mask="mask.png", region={"grow": 0, "feather": 0}), judge, name(t), {"before.png": before, "mask.png": mask})


def edit(ask, i):
    ask.part("unet_edit")
    rng = random.Random(FIRST + 30_000 + i)
    while True:
        e = edits.edit(rng.randrange(1 << 40))
        used = [*e.before.things, *e.after.things]
        if e.before.style == "cartoon" and not ask.unknown(e.text) and all(t.kind in ask.kinds and t.colour in ask.colours for t in used):
            break
    before = render.draw(e.before)

    def judge(p):
        found, world = ask.judge.look(p)
        kept = all(there(found, t) for k, t in enumerate(e.after.things) if k != e.new)
        gone = e.thing < 0 or e.kind == "move" or not there(found, e.before.things[e.thing])
        done = gone if e.new < 0 else gone and there(found, e.after.things[e.new])
        if e.kind == "move":
            t = e.after.things[e.new]
            done = any(overlap(b, t.box()) > .3 for b in boxes(found, t))
        if e.kind in ("place", "light", "weather", "style"):
            done = bool(world) and world[e.kind] == getattr(e.after, e.kind)
        return {"edit: carried out": done, "edit: carried out and the rest kept": done and kept, f"edit, {e.kind}: carried out and the rest kept": done and kept}
    return Question(ask.job(rng, e.text, task="edit", image="before.png"), judge, e.text, {"before.png": before})


def control_scene(ask, i, start, n):
    rng = random.Random(FIRST + start + i)
    s = ask.spread(rng, n)
    masks = []
    picture = render.draw(s, masks=masks)
    instances, true = render.truth(s, masks)
    prompt = " and ".join(name(t) for t in s.things) + " " + PLACES[s.place].phrase
    return rng, s, picture, instances, true, prompt


def edge_f1(a, b, reach=2):
    """F1 of two edge pictures where an edge within `reach` pixels counts."""
    grown = lambda m: np.max([np.roll(m, (y, x), (0, 1)) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1)], 0)
    if not a.any() or not b.any():
        return 0.0
    precision, recall = (a & grown(b)).sum() / a.sum(), (b & grown(a)).sum() / b.sum()
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def outlines(rgb):
    """Strong edges of a picture, plainly: a Sobel gradient of the most changing channel, above 160, thinned along it."""
    f = np.pad(rgb.astype(np.float32), ((1, 1), (1, 1), (0, 0)), mode="edge")
    dx = (f[:-2, 2:] + 2 * f[1:-1, 2:] + f[2:, 2:]) - (f[:-2, :-2] + 2 * f[1:-1, :-2] + f[2:, :-2])
    dy = (f[2:, :-2] + 2 * f[2:, 1:-1] + f[2:, 2:]) - (f[:-2, :-2] + 2 * f[:-2, 1:-1] + f[:-2, 2:])
    size = (abs(dx) + abs(dy)).max(-1)
    p = np.pad(size, 1)
    flat = abs(dx).max(-1) >= abs(dy).max(-1)
    before, after = np.where(flat, p[1:-1, :-2], p[:-2, 1:-1]), np.where(flat, p[1:-1, 2:], p[2:, 1:-1])
    return (size > 160) & (size >= before) & (size >= after)


def edges(ask, i, kind, start):
    folder, method = {"edge": ("edge", "canny"), "scribble": ("scribble", "scribble-xdog"), "adapter": ("scribble", "scribble-xdog")}[kind]
    model = ask.part("adapters" if kind == "adapter" else "controlnets", folder)
    rng, _, picture, _, _, prompt = control_scene(ask, i, start, 1 + i % 2)
    row = {"edge": "edge control: F1", "scribble": "scribble control: F1", "adapter": "T2I-Adapter: F1"}[kind]
    job = ask.job(rng, prompt, controls=[{"image": "control.png", "model": model, "preprocess": method, "type": "canny" if kind == "edge" else "scribble"}])
    return Question(job, lambda p: {row: edge_f1(outlines(p), outlines(picture))}, prompt, {"control.png": picture})


def edge(ask, i):
    return edges(ask, i, "edge", 40_000)


def edge_without(ask, i):
    """The same prompts and seeds as `edge`, without its control."""
    q = edges(ask, i, "edge", 40_000)
    judge = q.judge
    del q.job["controls"]
    q.judge = lambda p: {"edge F1 without control": next(iter(judge(p).values()))}
    return q


def scribble(ask, i):
    return edges(ask, i, "scribble", 44_000)


def adapter(ask, i):
    return edges(ask, i, "adapter", 46_000)


def depth(ask, i):
    """Which of two overlapping things is in front: the nearer one's box must be whole."""
    model = ask.part("controlnets", "depth")
    rng = random.Random(FIRST + 50_000 + i)
    far = ask.thing(rng, rng.uniform(48, 80), rng.uniform(48, 72), rng.uniform(28, 36))
    near = ask.thing(rng, 0, 0, rng.uniform(18, 24), others=[far])
    near.x, near.y = far.x + rng.choice((-1, 1)) * .75 * far.r, far.y + .35 * far.r
    s = ask.scene(rng, [far, near])
    masks = []
    render.draw(s, masks=masks)
    instances, true = render.truth(s, masks)
    grey = conditions.depth(s, instances)
    prompt = f"{name(near)} in front of {name(far)}"
    job = ask.job(rng, prompt, controls=[{"image": "control.png", "model": model, "preprocess": "depth", "type": "depth"}])

    def judge(p):
        found = ask.judge.look(p)[0]
        whole = any(overlap(b, true[1]["box"]) > .6 for b in boxes(found, near))
        return {"depth control: order right": whole and bool(boxes(found, far))}
    return Question(job, judge, prompt, {"control.png": grey})


def segmentation(ask, i):
    model = ask.part("controlnets", "segmentation")
    rng, s, _, instances, true, prompt = control_scene(ask, i, 54_000, 1 + i % 2)
    job = ask.job(rng, prompt, controls=[{"image": "control.png", "model": model, "preprocess": "segmentation", "type": "seg"}])

    def judge(p):
        # how much of each thing's mask shows the thing's colour, and how little of that colour is elsewhere
        ious = []
        for t, thing in zip(true, s.things):
            near = np.abs(p.astype(int) - COLOURS[thing.colour]).sum(-1) < 110
            box = t["box"]
            ground = np.zeros(near.shape, bool)
            ground[box[1]:box[3], box[0]:box[2]] = True
            want = np.abs(render.draw(s).astype(int) - COLOURS[thing.colour]).sum(-1) < 110
            want, near = want & t["mask"], near & ground
            ious.append((near & want).sum() / max((near | want).sum(), 1))
        return {"segmentation control: mask IoU": float(np.mean(ious))}
    return Question(job, judge, prompt, {"control.png": conditions.segment_table()[1][conditions.segments(s, instances)]})


def layout(ask, i):
    model = ask.part("gligen")
    rng = random.Random(FIRST + 60_000 + i)
    s = ask.spread(rng, 1 + i % 2)
    prompt = " and ".join(name(t) for t in s.things) + " " + PLACES[s.place].phrase
    masks = []
    render.draw(s, masks=masks)
    true = render.truth(s, masks)[1]
    job = ask.job(rng, prompt, layout={"model": model, "beta": 1.0, "boxes": [{"box": [v / SIDE for v in t["box"]], "phrase": name(o)} for t, o in zip(true, s.things)]})

    def judge(p):
        found = ask.judge.look(p)[0]
        hits = [any(overlap(b, t["box"]) >= .5 for b in boxes(found, o)) for t, o in zip(true, s.things)]
        return {"layout: the phrase's object with IoU 0.5": all(hits)}
    return Question(job, judge, prompt)


def lcm(ask, i):
    q = one(ask, 70_000 + i, "LCM, 4 steps", loras=[{"path": ask.part("loras", "lcm.safetensors")}])
    q.job.update(steps=4, sampler="lcm", guidance=1.0)
    return q


def lora(ask, i):
    path = ask.part("loras", "windmill.safetensors")
    rng = random.Random(FIRST + 80_000 + i)
    colour = rng.choice(ask.colours)
    prompt = f"{article(colour)} windmill {PLACES[rng.choice(ask.places)].phrase}"
    judge = lambda p: {"LoRA: windmill recognised": any(f.kind == "windmill" for f in ask.judge.look(p)[0])}
    return Question(ask.job(rng, prompt, loras=[{"path": path}]), judge, prompt)


def word(ask, i):
    path = ask.part("embeddings", "dusk-moth.safetensors")
    rng = random.Random(FIRST + 84_000 + i)
    prompt = f"a dusk-moth {PLACES[rng.choice(ask.places)].phrase}"
    judge = lambda p: {"learned word: purple butterfly recognised": any((f.kind, f.colour) == ("butterfly", "purple") for f in ask.judge.look(p)[0])}
    return Question(ask.job(rng, prompt, embeddings=[{"path": path, "word": "dusk-moth"}]), judge, prompt)


FEATURES = {f.__name__: f for f in (one, two, fill, edit, edge, edge_without, scribble, adapter, depth, segmentation, layout, lcm, lora, word)}
