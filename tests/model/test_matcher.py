#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_matcher.py ROOT: the matcher finds what is drawn and nothing else."""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

import tap
import numpy as np
from PIL import Image, ImageFilter

import matcher
from kinds import KINDS
from scenes import BACKGROUNDS, COLOURS, Scene, Thing, article, draw, scene

FIRST = 31_000_000  # seeds that no training uses


def alone(i):
    """Every kind in turn, colours and backgrounds mixed, sizes 18 to 50."""
    rng = random.Random(FIRST + i)
    r = rng.uniform(18, 50)
    kind, colour = list(KINDS)[i % len(KINDS)], rng.choice(list(COLOURS))
    thing = Thing(kind, colour, rng.uniform(r + 2, 126 - r), rng.uniform(r + 2, 126 - r), r, rng.uniform(.92, 1.08))
    return Scene(FIRST + i, rng.choice(list(BACKGROUNDS)), rng.uniform(.35, .85), [thing])


def asked(thing):
    return f"{article(thing.colour)} {thing.colour} {thing.kind}"


def around(thing, by=5):
    b = thing.box()
    return (b[0] - by, b[1] - by, b[2] + by, b[3] + by)


def test_finds_98_of_100_fresh_renders():
    scenes = [alone(i) for i in range(len(KINDS) + 8)] + [scene(FIRST + i, "scatter") for i in range(18)]
    missed = []
    for s in scenes:
        good, sentence = matcher.judge(draw(s), around(s.things[-1]), asked(s.things[-1]))
        if not good:
            missed.append((asked(s.things[-1]), sentence))
    assert len(missed) <= .02 * len(scenes), missed


def test_refuses_every_other_kind():
    rng = random.Random(5)
    for i in range(0, len(KINDS), 2):
        s = alone(i)
        t = s.things[0]
        other = rng.choice([k for k in KINDS if k != t.kind])
        good, sentence = matcher.judge(draw(s), around(t), f"{t.colour} {other}")
        assert not good, (t.kind, other, sentence)


def test_refuses_every_other_colour():
    for i in range(0, len(KINDS), 2):
        s = alone(i)
        t = s.things[0]
        other = list(COLOURS)[(list(COLOURS).index(t.colour) + 1 + i % 7) % 8]
        good, sentence = matcher.judge(draw(s), around(t), f"{other} {t.kind}")
        assert not good, (t.colour, other, sentence)


def test_refuses_empty_backgrounds():
    for i, name in enumerate(BACKGROUNDS):
        picture = draw(Scene(i, name, .6))
        for kind in KINDS:
            assert not matcher.judge(picture, (30, 30, 100, 100), kind)[0], (name, kind)


def test_refuses_what_lies_outside_the_box():
    s = Scene(3, "meadow", .6, [Thing("car", "red", 34, 90, 26)])
    assert matcher.judge(draw(s), (0, 50, 70, 128), "a red car")[0]
    assert not matcher.judge(draw(s), (70, 0, 128, 60), "a red car")[0]


def test_refuses_mangled_drawings():
    """The same pixels in another order: halves swapped; and a formless blot of the right colour."""
    refused = 0
    kinds = [k for k in KINDS if k not in ("circle", "square", "cross", "diamond")][::2]
    for kind in kinds:
        p = draw(Scene(3, "paper", .6, [Thing(kind, "blue", 64, 64, 44)])).copy()
        p[:, 16:112] = np.concatenate([p[:, 64:112], p[:, 16:64]], axis=1)
        refused += not matcher.judge(p, (12, 12, 116, 116), f"blue {kind}")[0]
    assert refused >= len(kinds) - 1, (refused, len(kinds))


def test_bears_a_wobble():
    """Drawings that are a little off, as a network's are, are still found."""
    found, tried = 0, range(1, len(KINDS), 2)
    for i in tried:
        s = alone(i)
        t = s.things[0]
        soft = Image.fromarray(draw(s)).filter(ImageFilter.GaussianBlur(.8))
        y, x = np.mgrid[0:128, 0:128]
        xs = np.clip(np.rint(x + 1.5 * np.sin(y / 9 + i)), 0, 127).astype(int)
        ys = np.clip(np.rint(y + 1.5 * np.sin(x / 8 + 2 * i)), 0, 127).astype(int)
        found += matcher.judge(np.asarray(soft)[ys, xs], around(t, 7), asked(t))[0]
    assert found >= .7 * len(tried), found


def test_larger_pictures():
    t = Thing("mushroom", "red", 160, 150, 60)
    picture = draw(Scene(3, "meadow", .5, [t, Thing("tree", "green", 270, 140, 45)], size=(320, 240)))
    assert matcher.judge(picture, around(t), "a red mushroom")[0]
    assert not matcher.judge(picture, around(t), "a green tree")[0]


def test_the_command():
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "p.png")
        Image.fromarray(draw(Scene(3, "meadow", .6, [Thing("car", "red", 64, 80, 36)]))).save(path)

        def run(*more):
            return subprocess.run([sys.executable, "-B", str(tap.MODEL / "train" / "matcher.py"), *more],
                                  capture_output=True, text=True, check=False)
        done = run(path, "--box", "20,40,110,120", "--expect", "a red car")
        assert done.returncode == 0 and done.stdout.startswith("found") and done.stdout.count("\n") == 1
        done = run(path, "--box", "20,40,110,120", "--expect", "a blue boat")
        assert done.returncode == 1 and done.stdout.startswith("not found") and done.stdout.count("\n") == 1
        assert run(path, "--expect", "a red unicorn").returncode == 2
        assert run(path + ".absent", "--expect", "a red car").returncode == 2


if __name__ == "__main__":
    tap.run(sys.modules[__name__], "matcher")
