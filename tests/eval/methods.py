#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""methods.py --engine PROGRAM --model FOLDER --out FOLDER [--n N] [--steps N] [METHOD…]

What methods change: the same held-out prompts and seeds plain and with each method, through the engine's command line, both judged, and
the pairs compared (McNemar's exact test, for numbers a sign test). Writes OUT/METHODS.md. An answer that is there already (the same job) is
not made again. Exit status 1 only when something cannot be run: a method without effect is a result.
"""
import argparse
import random
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

import numpy as np          # noqa: E402
from PIL import Image       # noqa: E402

import paired               # noqa: E402
from judges import choose   # noqa: E402
from questions import FIRST, PLACES, SIDE, Asker, boxes, name, overlap, render, there   # noqa: E402
from run import answer, found   # noqa: E402

START = FIRST + 500_000     # seeds that the model's own questions do not use
MOVE = 0.25                 # of the picture's width


class Trial:
    """One question of one method: jobs by name, and judge(pictures by name) -> {what: (plain value, method's value)}. A map that the method
    finds is among the pictures by its own name, 0..1."""

    def __init__(self, jobs, judge, pictures=None, map_name=None):
        self.jobs, self.judge, self.pictures, self.map_name = jobs, judge, pictures or {}, map_name

    # the two names that run.py's functions read
    def question(self, side):
        return type("Question", (), {"job": self.jobs[side], "pictures": self.pictures})


def sides(ask, rng, prompt, method, **more):
    """A plain job and one with the method, of one seed."""
    plain = ask.job(rng, prompt)
    return {"plain": plain, "method": {**plain, **more, "methods": [method]}}


def two_things(ask, i, method):
    rng = random.Random(START + i)
    a = ask.thing(rng)
    b = ask.thing(rng, others=[a])
    place = PLACES[rng.choice(ask.places)].phrase
    jobs = sides(ask, rng, f"{name(a)} left of {name(b)} {place}", method(a, b))

    def judge(pictures):
        found = {side: ask.judge.look(p)[0] for side, p in pictures.items()}
        both = {side: bool(boxes(f, a) and boxes(f, b)) for side, f in found.items()}
        right = {side: there(f, a) and there(f, b) for side, f in found.items()}
        return {"both things there": (both["plain"], both["method"]), "both in their colours": (right["plain"], right["method"])}
    return Trial(jobs, judge)


def attend_and_excite(ask, i):
    return two_things(ask, i, lambda a, b: {"id": "attend-and-excite", "words": f"{a.kind}; {b.kind}"})


def structured(ask, i):
    return two_things(ask, i, lambda a, b: {"id": "structured", "phrases": f"{name(a)}; {name(b)}"})


def in_boxes(ask, i, method):
    rng = random.Random(START + 10_000 + i)
    s = ask.spread(rng, 1 + i % 2)
    masks = []
    render.draw(s, masks=masks)
    true = render.truth(s, masks)[1]
    prompt = " and ".join(name(t) for t in s.things) + " " + PLACES[s.place].phrase
    layout = {"boxes": [{"box": [v / SIDE for v in t["box"]], "phrase": f"{o.colour} {o.kind}"} for t, o in zip(true, s.things)]}
    jobs = sides(ask, rng, prompt, {"id": method}, layout=layout)

    def inside(picture):
        found = ask.judge.look(picture)[0]
        hit = lambda b, t: t[0] <= middle(b)[0] <= t[2] and t[1] <= middle(b)[1] <= t[3]
        return all(any(hit(b, t["box"]) for b in boxes(found, o)) for t, o in zip(true, s.things))
    return Trial(jobs, lambda p: {"every thing's middle in its box": (inside(p["plain"]), inside(p["method"]))})


def middle(box):
    """Of a box given by its corners."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def layout_backward(ask, i):
    return in_boxes(ask, i, "layout-backward")


def layout_forward(ask, i):
    return in_boxes(ask, i, "layout-forward")


def attention_refocusing(ask, i):
    return in_boxes(ask, i, "attention-refocusing")


def prompt_to_prompt(ask, i):
    """A colour changes: does the thing keep its place better than under a new prompt with the old seed?"""
    rng = random.Random(START + 20_000 + i)
    t = ask.thing(rng)
    other = rng.choice([c for c in ask.colours if c != t.colour])
    place = PLACES[rng.choice(ask.places)].phrase
    source, target = f"{name(t)} {place}", f"{name(t).replace(t.colour, other)} {place}".replace("a orange", "an orange")
    first = ask.job(rng, source)
    plain = {**first, "prompt": target}
    jobs = {"source": first, "plain": plain, "method": {**plain, "methods": [{"id": "prompt-to-prompt", "source": source}]}}

    def judge(pictures):
        found = {side: ask.judge.look(p)[0] for side, p in pictures.items()}
        same = {side: max((overlap(a, b) for a in boxes(found["source"], t) for b in boxes(found[side], t)), default=0.0) for side in ("plain", "method")}
        there_now = {side: any(f.kind == t.kind and f.colour == other for f in found[side]) for side in ("plain", "method")}
        return {"overlap with the source's thing": (same["plain"], same["method"]), "the new colour there": (there_now["plain"], there_now["method"])}
    return Trial(jobs, judge)


def photo(ask, i, start):
    rng = random.Random(START + start + i)
    s = ask.spread(rng, 1)
    t = s.things[0]
    return rng, t, render.draw(s), f"{name(t)} {PLACES[s.place].phrase}", s


def psnr(a, b):
    off = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float(10 * np.log10(255 ** 2 / max(off, 1e-9)))


def back_again(ask, i, plain, method):
    """A photo to noise and back: PSNR against what the autoencoder alone makes of it (diffedit between equal prompts)."""
    rng, _, picture, prompt, _ = photo(ask, i, 30_000)
    job = {**ask.job(rng, prompt), "image": "photo.png", "sampler": "ddim", "steps": 20}
    jobs = {"own": {**job, "methods": [{"id": "diffedit", "source": prompt, "noises": 1}]}, "plain": {**job, "methods": [plain(prompt)]},
            "method": {**job, "methods": [method(prompt)]}}
    for side in ("plain", "method"):
        jobs[side]["guidance"] = 3.0
    return Trial(jobs, lambda p: {"PSNR to the autoencoder's own, dB": (psnr(p["plain"], p["own"]), psnr(p["method"], p["own"]))}, {"photo.png": picture})


def edict(ask, i):
    return back_again(ask, i, lambda p: {"id": "null-text", "source": p, "iterations": 0}, lambda p: {"id": "edict", "source": p})


def null_text(ask, i):
    return back_again(ask, i, lambda p: {"id": "null-text", "source": p, "iterations": 0}, lambda p: {"id": "null-text", "source": p})


def diffedit(ask, i):
    """Without a method a photo is changed by img2img of the same strength: what is outside the thing has to stay. The found mask's IoU with the thing
    stands beside that of the whole picture as a mask."""
    rng, t, picture, prompt, s = photo(ask, i, 40_000)
    masks = []
    render.draw(s, masks=masks)
    inside = render.truth(s, masks)[1][0]["mask"]
    other = rng.choice([c for c in ask.colours if c != t.colour])
    job = {**ask.job(rng, prompt.replace(t.colour, other)), "image": "photo.png", "sampler": "ddim", "strength": 0.8}
    jobs = {"plain": job, "method": {**job, "strength": 1.0, "methods": [{"id": "diffedit", "source": prompt}]}}

    def judge(pictures):
        mask = pictures["diffedit-mask"] >= 0.5
        iou = float((mask & inside).sum() / (mask | inside).sum())
        kept = {side: -float(np.abs(pictures[side].astype(float) - picture)[~inside].mean()) for side in jobs}
        done = {side: any(f.kind == t.kind and f.colour == other for f in ask.judge.look(pictures[side])[0]) for side in jobs}
        return {"the mask's IoU with the thing": (float(inside.mean()), iou), "mean change outside the thing, below 0": (kept["plain"], kept["method"]), "the new colour there": (done["plain"], done["method"])}
    return Trial(jobs, judge, {"photo.png": picture}, "diffedit-mask")


def self_guidance(ask, i):
    """How far of what was asked the thing moves beside the plain picture; two plain pictures move by 0."""
    rng = random.Random(START + 50_000 + i)
    t = ask.thing(rng)
    way = rng.choice((-1, 1))
    jobs = sides(ask, rng, f"{name(t)} {PLACES[rng.choice(ask.places)].phrase}",
                 {"id": "self-guidance", "words": f"{t.colour} {t.kind}", "right": way * MOVE})

    def judge(pictures):
        at = {side: [middle(b)[0] for b in boxes(ask.judge.look(p)[0], t)] for side, p in pictures.items()}
        went = way * (at["method"][0] - at["plain"][0]) / (MOVE * SIDE) if at["plain"] and at["method"] else 0.0
        return {"part of the way it was to move": (0.0, float(went)), "at least 60 % of the way": (False, bool(went >= 0.6))}
    return Trial(jobs, judge)


def regions(ask, i):
    rng = random.Random(START + 60_000 + i)
    a = ask.thing(rng)
    b = ask.thing(rng, others=[a])
    place = PLACES[rng.choice(ask.places)].phrase
    plain = ask.job(rng, f"{name(a)} left of {name(b)} {place}")
    jobs = {"plain": plain, "method": {**plain, "prompt": place, "region-prompts": [{"box": [0, 0, 0.5, 1], "prompt": f"{name(a)} {place}"},
                                                                              {"box": [0.5, 0, 1, 1], "prompt": f"{name(b)} {place}"}]}}

    def right(picture):
        found = ask.judge.look(picture)[0]
        return any(middle(box)[0] < SIDE / 2 for box in boxes(found, a)) and any(middle(box)[0] > SIDE / 2 for box in boxes(found, b))
    return Trial(jobs, lambda p: {"each thing in its half": (right(p["plain"]), right(p["method"]))})


def pix2pix_zero(ask, i):
    """One kind becomes another: plain is the new prompt with the old seed."""
    rng = random.Random(START + 70_000 + i)
    t = ask.thing(rng)
    other = ask.thing(rng, others=[t])
    place = PLACES[rng.choice(ask.places)].phrase
    first = ask.job(rng, f"{name(t)} {place}")
    jobs = {"source": first, "plain": {**first, "prompt": first["prompt"].replace(t.kind, other.kind)},
            "method": {**first, "methods": [{"id": "pix2pix-zero", "from": t.kind, "to": other.kind}]}}

    def judge(pictures):
        found = {side: ask.judge.look(p)[0] for side, p in pictures.items()}
        same = {side: max((overlap(a, b) for a in boxes(found["source"], t) for b in boxes(found[side], other)), default=0.0) for side in ("plain", "method")}
        done = {side: bool(boxes(found[side], other)) for side in ("plain", "method")}
        return {"the new thing there": (done["plain"], done["method"]), "and where the old one was": (same["plain"], same["method"])}
    return Trial(jobs, judge)


def universal_guidance(ask, i):
    rng = random.Random(START + 80_000 + i)
    t = ask.thing(rng)
    colour = [rng.randrange(256) for _ in range(3)]
    jobs = sides(ask, rng, f"{name(t)} {PLACES[rng.choice(ask.places)].phrase}",
                 {"id": "universal-guidance", "loss": "mean-colour", "colours": "#%02x%02x%02x" % tuple(colour)})
    near = lambda p: -float(np.linalg.norm(p.reshape(-1, 3).mean(0) - colour))
    return Trial(jobs, lambda p: {"distance of the mean colour, below 0": (near(p["plain"]), near(p["method"]))})


METHODS = {f.__name__.replace("_", "-"): f for f in (attend_and_excite, structured, layout_backward, layout_forward, attention_refocusing, prompt_to_prompt,
                                                     diffedit, edict, null_text, self_guidance, regions, pix2pix_zero, universal_guidance)}


def sheet(pictures, path):
    """Eight trials: their pictures below each other, plain and the method's last."""
    if not pictures:
        return
    first = list(pictures[0].values())
    out = Image.new("RGB", (len(pictures) * (SIDE + 4), len(first) * (SIDE + 4)), "white")
    for x, made in enumerate(pictures):
        for y, picture in enumerate(made.values()):
            out.paste(Image.fromarray(picture if picture.ndim == 3 else (picture * 255).astype(np.uint8)), (x * (SIDE + 4), y * (SIDE + 4)))
    out.save(path)


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("methods", nargs="*", help=", ".join(METHODS))
    a.add_argument("--engine", default="pentimento-engine")
    a.add_argument("--model", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--n", type=int, default=200)
    a = a.parse_args()
    strange = [m for m in a.methods if m not in METHODS]
    if strange:
        raise SystemExit(f"eval methods: there is no trial of '{strange[0]}'; known: {', '.join(METHODS)}")
    if a.n < 1:
        raise SystemExit("eval methods: --n has to be 1 or more")
    out, model = Path(a.out).resolve(), Path(a.model).resolve()
    if not (model / "model_index.json").exists():
        raise SystemExit(f"eval methods: '{model}' is not a model folder, model_index.json is missing; give --model the folder that has it")
    ask = Asker(model, choose(model))
    rows = {}
    out.mkdir(parents=True, exist_ok=True)
    for method in a.methods or METHODS:
        begun, shown = time.time(), []
        for i in range(a.n):
            trial = METHODS[method](ask, i)
            pictures = {side: answer([a.engine], trial.question(side), out / "answers") for side in trial.jobs}
            if trial.map_name:
                pictures[trial.map_name] = found(trial.question("method"), out / "answers", trial.map_name)
            for what, (plain, with_it) in trial.judge(pictures).items():
                both = rows.setdefault((method, what), ([], []))
                both[0].append(plain)
                both[1].append(with_it)
            if i < 8:
                shown.append(pictures)
        sheet(shown, out / f"methods-{method}.png")
        print(f"{method}: {a.n} trials in {time.time() - begun:.0f} s", flush=True)
    lines = paired.table(rows)
    text = ["# What methods change", "", f"Each row: {a.n} held-out questions, the same prompt and seed plain and with the method, judged by the {ask.judge.name}. "
            "A row \"raises\" where p < 0.05 and the whole interval lies above 0; otherwise no effect was shown, which is not the same as there being none.", "", *lines, ""]
    (out / "METHODS.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(lines))
    print(out / "METHODS.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
