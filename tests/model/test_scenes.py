#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_scenes.py ROOT: the renderer is a function of the seed, and its truth and captions are true."""

import collections
import sys

import tap
import numpy as np
from PIL import Image, ImageFilter

from kinds import KINDS
from scenes import BACKGROUNDS, COLOURS, LAYOUTS, RELATIONS, Scene, Thing, article, draw, scene, truth, words

NEEDED = "circle square triangle star heart house tree flower fish car boat cloud mushroom".split()


def test_enough_kinds_colours_and_backgrounds():
    assert len(KINDS) >= 24 and len(COLOURS) >= 8 and len(BACKGROUNDS) >= 6
    assert not [k for k in NEEDED if k not in KINDS]


def test_same_seed_same_scene_and_picture():
    for seed in range(12):
        a, b = scene(seed), scene(seed)
        assert a == b
        assert (draw(a) == draw(b)).all()
    assert (draw(scene(1)) != draw(scene(2))).any()


def test_pictures_are_128_square_and_other_sizes_too():
    assert draw(scene(3)).shape == (128, 128, 3) and draw(scene(3)).dtype == np.uint8
    wide = Scene(1, "meadow", .5, [Thing("car", "red", 100, 40, 20)], size=(200, 80))
    assert draw(wide).shape == (80, 200, 3) and truth(wide)[0]["mask"].shape == (80, 200)


def test_truth_boxes_hold_the_masks():
    for name in LAYOUTS:
        for seed in range(6):
            for t in truth(scene(seed, name)):
                ys, xs = np.nonzero(t["mask"])
                if t["box"] is None:
                    assert not len(xs)
                    continue
                assert t["box"] == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


def test_masks_do_not_overlap_and_hidden_parts_are_left_out():
    s = Scene(1, "paper", .5, [Thing("square", "red", 50, 64, 30), Thing("circle", "blue", 80, 64, 30)])
    below, above = truth(s)
    assert not (below["mask"] & above["mask"]).any()
    assert 0 < below["mask"].sum() < truth(Scene(1, "paper", .5, s.things[:1]))[0]["mask"].sum()


def test_an_object_changes_the_picture_only_in_its_mask():
    for i, name in enumerate(KINDS):
        s = Scene(5, "meadow", .5, [Thing(name, list(COLOURS)[i % 8], 64, 64, 40)])
        bare = Scene(5, "meadow", .5, [])
        changed = np.abs(draw(s).astype(int) - draw(bare)).max(-1) > 40
        mask = truth(s)[0]["mask"]
        around = np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(3))) > 0
        assert not (changed & ~around).any(), name
        assert (changed & mask).sum() >= .9 * mask.sum(), name


def test_the_asked_colour_dominates():
    for i, name in enumerate(KINDS):
        for colour in ("blue", "orange"):
            s = Scene(5, "paper", .5, [Thing(name, colour, 64, 64, 45)])
            inside = draw(s)[truth(s)[0]["mask"]].astype(int)
            near = np.abs(inside - COLOURS[colour]).max(-1) < 30
            assert near.mean() > .33, (name, colour, near.mean())


def test_drawings_fit_their_unit_square():
    for name, kind in KINDS.items():
        points = np.concatenate([c for _, contours in kind.parts for c in contours])
        assert np.abs(points).max() <= 1.06, name
        assert np.ptp(points, axis=0).max() >= 1.6, name


def test_articles():
    assert article("orange") == "an" and article("red") == "a"
    for seed in range(300):
        caption = scene(seed).caption.split()
        for a, b in zip(caption, caption[1:]):
            if a in ("a", "an"):
                assert (a == "an") == (b[0] in "aeiou"), caption


def test_captions_use_the_vocabulary_only():
    known = set(words())
    for name in LAYOUTS:
        for seed in range(200):
            unknown = set(scene(seed, name).caption.split()) - known
            assert not unknown, unknown


def test_captions_name_what_is_there():
    for name in LAYOUTS:
        for seed in range(100):
            s = scene(seed, name)
            named = s.things[-1:] if name == "scatter" else s.things
            for t in named:
                text = KINDS[t.kind].plural if name == "count" else t.kind
                assert f"{t.colour} {text}" in s.caption, s.caption
            if name == "count":
                assert {2: "two", 3: "three"}[len(s.things)] in s.caption.split()


def test_relations_are_true():
    seen = collections.Counter()
    for seed in range(400):
        s = scene(seed, "pair")
        a, b = s.things
        true = {"left": a.x + 20 < b.x, "right": a.x > b.x + 20, "above": a.y + 20 < b.y,
                "below": a.y > b.y + 20, "beside": True}
        for relation, forms in RELATIONS.items():
            if any(f" {form} {article(b.colour)} {b.colour} {b.kind}" in s.caption for form in forms):
                assert true[relation], s.caption
                seen[relation] += 1
    assert set(seen) == set(RELATIONS) and sum(seen.values()) >= 400


def test_the_mix_of_layouts():
    mix = collections.Counter(scene(seed).layout for seed in range(2000))
    assert mix["one"] >= 1100 and mix["pair"] >= 400 and mix["count"] >= 140 and mix["three"] >= 60


if __name__ == "__main__":
    tap.run(sys.modules[__name__], "scenes")
