# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws scenes and edits once, with all processes, into plain arrays that training maps or keeps on the GPU.

    python -m studio.prepare FOLDER --scenes 200000 --edits 60000 [--judge 30000] [--processes 16]

Writes FOLDER/scenes, edits, judge: one .npy per column and data.json with the data version. A set that is there, of the
same version and at least as long, is left as it is; a shorter one grows, and one that was stopped goes on. data.json always
says how many rows are whole, so training may begin with them. Seeds: scenes from 1,000,000; edits from 60,000,000; the judge's
from 80,000,000; held-out questions (tests/eval) from 900,000,000.
"""
import argparse
import importlib.util
import json
import multiprocessing
import os
import random
import time

import numpy as np

from . import DATA_VERSION, atlas, conditions, edits, render, vocab
from .kinds import KINDS
from .scenes import scene, surroundings
from .words import COLOURS, LIGHTS, PLACES, STYLES, WEATHERS, article

FIRST = {"scenes": 1_000_000, "edits": 60_000_000, "judge": 80_000_000}
SIDE, MOST, PHRASE = 128, 5, 8  # pixels, things that are kept, tokens of a thing's phrase
COLUMNS = {
    "scenes": {"picture": ((SIDE, SIDE, 3), "u1"), "ids": ((vocab.LENGTH,), "i2"), "fill_ids": ((vocab.LENGTH,), "i2"),
               "hole": ((SIDE, SIDE // 8), "u1"), "edge": ((SIDE, SIDE // 8), "u1"), "scribble": ((SIDE, SIDE // 8), "u1"),
               "instances": ((SIDE, SIDE), "u1"), "whole": ((), "u1"), "things": ((), "u1"), "horizon": ((), "f4"),
               "box": ((MOST, 4), "f4"), "kind": ((MOST,), "u1"), "colour": ((MOST,), "u1"), "phrase": ((MOST, PHRASE), "i2"),
               "place": ((), "u1"), "light": ((), "u1"), "weather": ((), "u1"), "style": ((), "u1")},
    "edits": {"before": ((SIDE, SIDE, 3), "u1"), "after": ((SIDE, SIDE, 3), "u1"), "ids": ((vocab.LENGTH,), "i2")},
}
COLUMNS["judge"] = {k: COLUMNS["scenes"][k] for k in ("picture", "things", "box", "kind", "colour", "place", "light", "weather", "style")}


def first_holes():
    """../train/holes.py: holes like the selections that people make."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train", "holes.py")
    spec = importlib.util.spec_from_file_location("studio.first_holes", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


holes = first_holes()


def fill_of(s, masks, rng):
    """(hole, caption): around one thing, the whole picture, or background."""
    words = random.Random(s.seed + 1)
    u = rng.random()
    if u < .05 and s.layout != "scatter":
        return np.ones((SIDE, SIDE), bool), s.caption
    full = [k for k, t in enumerate(s.things) if masks[k].sum() > 60]
    if u < .15 or not full:
        hole = holes.elsewhere(np.any(masks, axis=0) if masks else np.zeros((SIDE, SIDE), bool), rng)
        if hole is not None:
            return hole, words.choice((f"empty {s.place}", s.place, "empty " + PLACES[s.place].phrase))
        if not full:
            return np.ones((SIDE, SIDE), bool), f"empty {s.place}"
    k = full[-1] if s.layout == "scatter" else words.choice(full)
    t = s.things[k]
    text = article(f"{t.colour} {t.kind}")
    return holes.around(masks[k], rng), text + (surroundings(s, words) if words.random() < .4 else "")


def scene_row(seed, out, i, judging=False):
    scattered = seed % 4 == 0
    s = scene(seed, "scatter" if scattered else None)
    masks = []
    out["picture"][i] = picture = render.draw(s, masks=masks)
    instances, true = render.truth(s, masks)
    seen = [k for k, t in enumerate(true) if t["box"]][-MOST:]
    out["things"][i] = len(seen)
    for j, k in enumerate(seen):
        out["box"][i, j] = true[k]["box"]
        out["kind"][i, j] = list(KINDS).index(s.things[k].kind)
        out["colour"][i, j] = list(COLOURS).index(s.things[k].colour)
    for name, table in (("place", PLACES), ("light", LIGHTS), ("weather", WEATHERS), ("style", STYLES)):
        out[name][i] = list(table).index(getattr(s, name))
    if judging:
        return
    rng = np.random.default_rng(seed)
    hole, text = fill_of(s, masks, rng)
    out["hole"][i] = np.packbits(hole, axis=1)
    out["edge"][i] = np.packbits(conditions.edge(picture), axis=1)
    out["scribble"][i] = np.packbits(conditions.scribble(picture), axis=1)
    out["ids"][i], out["fill_ids"][i] = vocab.encode(s.caption), vocab.encode(text)
    out["instances"][i], out["whole"][i], out["horizon"][i] = instances, not scattered, s.horizon
    for j, k in enumerate(seen):
        t = s.things[k]
        out["phrase"][i, j] = vocab.encode(article(f"{t.colour} {t.kind}"), PHRASE)


def edit_row(seed, out, i):
    e = edits.edit(seed)
    out["before"][i], out["after"][i], out["ids"][i] = render.draw(e.before), render.draw(e.after), vocab.encode(e.text)


def opened(folder, name, mode, n=0):
    """Column -> memory map."""
    out = {}
    for column, (shape, kind) in COLUMNS[name.removesuffix(".new")].items():
        path = os.path.join(folder, name, column + ".npy")
        out[column] = (np.lib.format.open_memmap(path, "w+", np.dtype("<" + kind), (n, *shape)) if mode == "w+"
                       else np.load(path, mmap_mode=mode))
    return out


def part(job):
    folder, name, first, start, stop = job
    out = opened(folder, name, "r+")
    for i in range(start, stop):
        if name == "edits":
            edit_row(first + i, out, i)
        else:
            scene_row(first + i, out, i, name == "judge")
    for column in out.values():
        column.flush()
    return stop - start


def drawn(key):
    return key, atlas.entry(*key)


def draw_atlas(pool):
    """Every kind in every pen, drawn in parallel; what forks later has it."""
    ready = dict(pool.map(drawn, [(k, p, o) for k in KINDS for p in range(len(atlas.PENS)) for o in (True, False)], chunksize=4))
    atlas.entry = lambda kind, pen, outlined=True: ready[kind, pen, outlined]


def known(folder, name):
    """data.json of a set; of one that is absent or of another data version: no rows."""
    try:
        with open(os.path.join(folder, name, "data.json"), encoding="utf-8") as f:
            found = json.load(f)
    except FileNotFoundError:
        return {"n": 0, "room": 0}
    return found if found["version"] == DATA_VERSION else {"n": 0, "room": 0}


def length(folder, name):
    """How many rows of a prepared set are whole."""
    return known(folder, name)["n"]


def note(folder, name, n, room):
    path = os.path.join(folder, name, "data.json")
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump({"version": DATA_VERSION, "n": n, "room": room, "first": FIRST[name]}, f)
    os.replace(path + ".new", path)


def make_room(folder, name, n):
    """Files for n rows that hold what there is; returns how many rows those are."""
    there = known(folder, name)
    if there.get("room", there["n"]) >= n:
        return there["n"]
    place, new = os.path.join(folder, name), os.path.join(folder, name + ".new")
    for part_ in ("", ".new"):
        os.makedirs(place + part_, exist_ok=True)
    files = opened(folder, name + ".new", "w+", n)
    if there["n"]:
        for column, old in opened(folder, name, "r").items():
            files[column][:there["n"]] = old[:there["n"]]
    for column, file in files.items():
        file.flush()
        os.replace(os.path.join(new, column + ".npy"), os.path.join(place, column + ".npy"))
    os.rmdir(new)
    note(folder, name, there["n"], n)
    return there["n"]


def prepare(folder, wanted, processes=0, quiet=False):
    """wanted: {"scenes": n, "edits": n, "judge": n}, made in that order. Draws what is not there."""
    wanted = {k: n for k, n in wanted.items() if length(folder, k) < n}
    if not wanted:
        return
    processes = processes or len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("fork")
    if sum(wanted.values()) > 2000:
        with context.Pool(processes) as pool:
            draw_atlas(pool)
    with context.Pool(processes) as pool:
        for name, n in wanted.items():
            start = time.time()
            there = make_room(folder, name, n)
            step = max(1, min(512, (n - there) // processes))
            jobs = [(folder, name, FIRST[name], a, min(a + step, n)) for a in range(there, n, step)]
            whole = there
            for made in pool.imap(part, jobs):
                whole += made
                note(folder, name, whole, n)
            if not quiet:
                t = time.time() - start
                print(f"{name}: {n - there} in {t:.1f} s, {(n - there) / t:.0f}/s with {processes} processes", flush=True)


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("folder")
    a.add_argument("--scenes", type=int, default=0)
    a.add_argument("--edits", type=int, default=0)
    a.add_argument("--judge", type=int, default=0)
    a.add_argument("--processes", type=int, default=0)
    a = a.parse_args()
    prepare(a.folder, {"judge": a.judge, "scenes": a.scenes, "edits": a.edits}, a.processes)


if __name__ == "__main__":
    main()
