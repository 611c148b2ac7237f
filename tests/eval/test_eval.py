#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_eval.py ROOT: scenes say what they draw, edits change what they say, the judge computes what it should, questions are
deterministic, intervals and sheets are right."""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "model"))
import tap                                                       # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import numpy as np                                               # noqa: E402

import calibrate                                                 # noqa: E402
import methods                                                   # noqa: E402
import paired                                                    # noqa: E402
import questions                                                 # noqa: E402
import report                                                    # noqa: E402
from studio import DATA_VERSION, atlas, conditions, curves, edits, judge, render, vocab  # noqa: E402
from studio.kinds import KINDS, NAMES, RESERVED                  # noqa: E402
from studio.scenes import scene                                  # noqa: E402
from studio.words import COLOURS, LIGHTS, PLACES, STYLES, WEATHERS, caption_words   # noqa: E402


def test_there_is_enough_to_draw():
    assert len(NAMES) >= 60 and len(COLOURS) == 12 and len(PLACES) == 12 and len(STYLES) == 3 and len(LIGHTS) == 3 and len(WEATHERS) == 4
    assert set(RESERVED) <= set(KINDS) and not set(RESERVED) & set(NAMES)
    assert DATA_VERSION >= 1


def test_kinds_show_their_colour_and_differ():
    shapes = {}
    for name in NAMES:
        e = atlas.entry(name, 1).astype(float) / 255
        whole, coloured = e[..., 0].sum(), e[..., 1:3].sum()
        assert coloured > .3 * whole, (name, coloured / whole)
        assert not e[[0, -1]].any() and not e[:, [0, -1]].any(), name + " is cut by its frame"
        shapes[name] = e[::4, ::4, :4]
    for a in NAMES:
        for b in NAMES:
            if a < b:
                assert np.abs(shapes[a] - shapes[b]).sum() > .12 * min(shapes[a].sum(), shapes[b].sum()), (a, b)


def test_layers_add_up_to_the_silhouette():
    for name in list(KINDS)[::7]:
        e = atlas.entry(name, 0).astype(int)
        fixed = e[..., 0] - e[..., 1:4].sum(-1)
        assert fixed.min() >= -3, name
        assert (e[..., 4:].max(-1) <= np.clip(fixed, 0, 255) + 6).all(), name


def test_a_seed_is_a_scene():
    for seed in (3, 4, 5):
        a, b = scene(seed), scene(seed)
        assert a == b and (render.draw(a) == render.draw(b)).all()
    assert scene(3) != scene(4)


def test_every_caption_word_is_one_token():
    for word in caption_words():
        assert len(vocab.word_ids(word)) == 1, word
    known = set(caption_words())
    longest = 0
    for seed in range(1500):
        for text in (scene(seed).caption, edits.edit(seed).text):
            assert set(text.split()) <= known, text
            longest = max(longest, len(text.split()))
    assert longest + 2 <= vocab.LENGTH, longest


def test_captions_name_what_is_there():
    for seed in range(300):
        s = scene(seed)
        if s.layout == "count":
            assert KINDS[s.things[0].kind].plural in s.caption.split()
        elif s.layout != "scatter":
            for t in s.things:
                assert f"{t.colour} {t.kind}" in s.caption, s.caption
        if s.relation and s.relation[1] in ("left", "above"):
            a, b = s.things[s.relation[0]], s.things[s.relation[2]]
            assert (a.x < b.x) if s.relation[1] == "left" else (a.y < b.y), s.caption


def test_truth_is_what_was_drawn():
    for seed in (11, 12, 13, 14):
        s, masks = scene(seed, "pair", plain=True), []
        picture = render.draw(s, masks=masks).astype(int)
        instances, true = render.truth(s, masks)
        empty = render.draw(type(s)(**{**vars(s), "things": []})).astype(int)
        near = np.pad(np.max(masks, 0), 1)  # soft edges reach a pixel beyond the masks
        near = np.max([near[y:y + 128, x:x + 128] for y in range(3) for x in range(3)], 0)
        assert (np.abs(picture - empty).max(-1)[~near] <= 24).all()
        for k, t in enumerate(true):
            x0, y0, x1, y1 = t["box"]
            assert (instances[y0:y1, x0:x1] == k + 1).any() and t["mask"].sum() == (instances == k + 1).sum()
            near = np.abs(picture[t["mask"]] - COLOURS[t["colour"]]).sum(-1) < 60
            assert near.mean() > .15, (seed, t["kind"], near.mean())
        assert conditions.depth(s, instances)[instances == 2].min() > conditions.depth(s, instances)[instances == 1].max()


def test_segmentation_has_a_class_for_each_kind():
    names, colours = conditions.segment_table()
    kinds = [tuple(c) for c in colours[:len(KINDS)]]
    assert len(set(kinds)) == len(KINDS)
    assert names[list(KINDS).index("house")] == "house" and len(colours) == len(KINDS) + 2 * len(PLACES)


def test_edits_change_what_they_say():
    for kind in edits.MIX:
        for seed in range(12):
            e = edits.edit(seed, kind)
            a, b = e.before, e.after
            same = [t for k, t in enumerate(b.things) if k != e.new]
            assert all(t in a.things for t in same), (kind, seed)
            changed = (render.draw(a) != render.draw(b)).any(-1).mean()
            assert changed > 0, (kind, seed)
            if kind in ("recolour", "add", "remove"):
                assert changed < .9, (kind, seed, changed)
            if kind == "recolour":
                assert b.things[e.new].colour in e.text.split()
            if kind == "add":
                assert b.things[e.new].kind in e.text and len(b.things) == len(a.things) + 1
            if kind == "remove":
                assert a.things[e.thing].kind in e.text and len(b.things) == len(a.things) - 1


def test_convolution_is_the_plain_sum():
    rng = np.random.default_rng(1)
    x, w, b = rng.normal(size=(6, 8, 3)), rng.normal(size=(5, 3, 3, 3)), rng.normal(size=5)
    for stride in (1, 2):
        y = judge.convolve(x, w, b, stride)
        p = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        for i in range(0, 6, stride):
            for j in range(0, 8, stride):
                want = np.einsum("yxc,ocyx->o", p[i:i + 3, j:j + 3], w) + b
                assert np.allclose(y[i // stride, j // stride], want)


def blank_judge(**more):
    """Weights of a judge that sees nothing, but for what `more` sets."""
    w, a = {}, 3
    for k, n in enumerate(judge.WIDTHS):
        w[f"down{k}.w"], w[f"keep{k}.w"] = np.zeros((n, a, 3, 3)), np.zeros((n, n, 3, 3))
        w[f"down{k}.b"], w[f"keep{k}.b"] = np.zeros(n), np.zeros(n)
        a = n
    for k in range(len(judge.WIDTHS) - 2, 0, -1):
        n = judge.WIDTHS[k]
        w[f"up{k}.w"], w[f"join{k}.w"] = np.zeros((n, judge.WIDTHS[k + 1], 3, 3)), np.zeros((n, n, 3, 3))
        w[f"up{k}.b"], w[f"join{k}.b"] = np.zeros(n), np.zeros(n)
    for name, n in judge.HEADS.items():
        w[name + ".w"] = np.zeros((n, judge.WIDTHS[1], 3, 3) if name == "heat" else (n, judge.WIDTHS[1]))
        w[name + ".b"] = np.full(n, -6.0) if name == "heat" else np.zeros(n)
    w["mix.w"], w["mix.b"] = np.zeros((128, judge.WIDTHS[-1])), np.zeros(128)
    for name, table in judge.GLOBAL:
        w[name + ".w"], w[name + ".b"] = np.zeros((len(table), 128)), np.arange(len(table), dtype=float)
    return {**w, **more}


def test_judge_reads_its_maps():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "judge.npz"
        np.savez(path, **blank_judge())
        nothing = np.zeros((128, 128, 3), np.uint8)
        found, world = judge.Judge(path).look(nothing)
        assert found == [] and world["place"] == list(PLACES)[-1]
        # an even field of heat is one plateau per cell; overlapping boxes of the same place are one object
        np.savez(path, **blank_judge(**{"heat.b": np.array([3.0]), "box.b": np.full(4, 3.0), "kind.b": 9.0 * np.eye(len(KINDS))[4],
                                        "colour.b": 9.0 * np.eye(len(COLOURS))[2]}))
        found, _ = judge.Judge(path).look(nothing)
        assert found and all(f.kind == list(KINDS)[4] and f.colour == "yellow" and f.sure() for f in found)
        assert abs(found[0].box[2] - found[0].box[0] - 8 * np.exp(3)) < .01
        np.savez(path, **blank_judge(**{"kind.w": np.zeros((3, judge.WIDTHS[1]))}))
        try:
            judge.Judge(path)
            raise AssertionError("a judge of three kinds was taken")
        except ValueError as e:
            assert "train it again" in str(e)


def test_overlap():
    assert judge.overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1 and judge.overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0
    assert abs(judge.overlap((0, 0, 2, 2), (1, 0, 3, 2)) - 1 / 3) < 1e-9


def test_intervals():
    low, high = report.wilson(18, 20)
    assert abs(low - .699) < .002 and abs(high - .972) < .002
    lines, failed = report.table({"a": [True] * 5 + [False] * 95, "b": [True] * 9 + [False], "c": [.5, .6]}, {"a": .5, "b": .95})
    assert failed == ["a"] and len(lines) == 5 and "**missed**" in lines[2]
    goal = "one object: kind and colour"
    rows = {goal: [True] * 9 + [False], "two objects: both kinds": [False] * 10, "c": [.1]}
    lines, failed = report.table(rows, {})
    assert not failed and "0.90 reached" in lines[2] and "reached" not in lines[3]
    assert [line[:len("- two objects: both kinds")] for line in report.cannot(rows)] == ["- two objects: both kinds"]


def test_every_goal_is_a_row_of_a_question():
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        vocab.write(model / "tokenizer")
        for part in PARTS:
            (model / part).mkdir(parents=True)
        ask, rows = questions.Asker(model, Seen()), set()
        for feature in questions.FEATURES.values():
            for i in range(4):
                rows |= set(feature(ask, i).judge(np.zeros((128, 128, 3), np.uint8)))
    assert set(report.GOALS) <= rows, set(report.GOALS) - rows


def test_edges_count_when_near():
    a, b = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    a[10, 5:30], b[12, 5:30] = True, True
    assert questions.edge_f1(a, b) > .99 and questions.edge_f1(a, np.roll(b, 3, 0)) == 0 and questions.edge_f1(a, a * False) == 0
    square = np.zeros((40, 40, 3), np.uint8)
    square[10:30, 10:30] = 200
    lines = questions.outlines(square)
    assert lines[10, 20] or lines[9, 20]
    assert not lines[18:22, 18:22].any() and not lines[:7].any()


PARTS = ("unet_fill", "unet_edit", "controlnets/edge", "controlnets/scribble", "controlnets/depth", "controlnets/segmentation", "adapters/scribble",
         "gligen", "loras/lcm.safetensors", "loras/windmill.safetensors", "embeddings/dusk-moth.safetensors")


class Seen:
    """Sees every kind in every colour everywhere."""
    name, kinds, colours = "everything", set(KINDS), set(COLOURS)

    def look(self, picture):
        return [judge.Found(k, c, (10, 10, 60, 60), 1.0, 1.0, 1.0) for k in KINDS for c in COLOURS], None


class Everything:
    name, kinds, colours = "everything", set(KINDS), set(COLOURS)

    def look(self, picture):
        return [], None


def test_questions_are_deterministic_and_ask_what_the_model_knows():
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        vocab.write(model / "tokenizer")
        ask = questions.Asker(model, Everything())
        for name, feature in questions.FEATURES.items():
            try:
                feature(ask, 0)
                assert name in ("one", "two"), name
            except questions.Absent as e:
                assert "the model has no" in str(e)
        for part in PARTS:
            (model / part).mkdir(parents=True)
        for feature in questions.FEATURES.values():
            for i in (0, 1):
                a, b = feature(ask, i), feature(ask, i)
                assert a.job == b.job and all((a.pictures[k] == b.pictures[k]).all() for k in a.pictures)
                result = a.judge(np.zeros((128, 128, 3), np.uint8))
                assert result and not any(v is True for k, v in result.items() if "kept" not in k and "carried" not in k), result
            assert feature(ask, 0).job != feature(ask, 1).job


def test_fills_are_judged_by_what_is_pasted():
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        vocab.write(model / "tokenizer")
        (model / "unet_fill").mkdir()
        q = questions.fill(questions.Asker(model, Everything()), 1)
        before, row = q.pictures["before.png"], "fill: outside the mask bit for bit"
        assert q.judge(before)[row]
        spoiled = before.copy()
        y, x = np.argwhere(q.pictures["mask.png"] == 0)[0]
        spoiled[y, x, 0] ^= 1
        assert not q.judge(spoiled)[row]


def test_labels_are_compared():
    with tempfile.TemporaryDirectory() as folder:
        answers, kept, rng = Path(folder) / "answers", Path(folder) / "labels", np.random.default_rng(4)
        for k, prompt in enumerate(("a red car", "a blue house left of a pink tree", "nothing", "an orange fish in a room")):
            (answers / f"{k}").mkdir(parents=True)
            (answers / f"{k}" / "job.json").write_text(json.dumps({"prompt": prompt, "task": "generate"}), encoding="utf-8")
            questions_picture = rng.integers(0, 255, (128, 128, 3), np.uint8)
            calibrate.Image.fromarray(questions_picture).save(answers / f"{k}" / "out.png")
        try:
            calibrate.collect(answers, kept, 4)
            raise AssertionError("four were wanted, three can be asked about")
        except SystemExit as e:
            assert "has 3 pictures" in str(e)
        with contextlib.redirect_stdout(io.StringIO()) as told:
            calibrate.collect(answers, kept, 3)
        assert "its 3 rows" in told.getvalue()
        rows = calibrate.labels(kept)
        assert [(r["colour"], r["kind"]) for r, _ in rows] == [("red", "car"), ("blue", "house"), ("orange", "fish")]
        assert (rows[2][1] == questions_picture).all()
        try:
            calibrate.agreement(rows, Everything().look)
            raise AssertionError("rows without labels were taken")
        except SystemExit as e:
            assert "picture 0 has no label" in str(e)
        text = (kept / "labels.csv").read_text(encoding="utf-8").splitlines()
        (kept / "labels.csv").write_text("\n".join([text[0], text[1] + "yes", text[2] + "no", text[3] + "yes"]) + "\n", encoding="utf-8")
        same, words = calibrate.agreement(calibrate.labels(kept), Everything().look)
        assert same == [False, True, False] and "the eye says yes, the judge no" in words[0]
        assert calibrate.agreement(calibrate.labels(kept), Seen().look)[0] == [True, False, True]
        calibrate.page(kept, Path(folder) / "page.png")
        assert calibrate.Image.open(Path(folder) / "page.png").width == 5 * 264


def test_curves_are_drawn_and_their_end_is_seen():
    with tempfile.TemporaryDirectory() as folder:
        at = np.arange(1, 201)

        def write(name, head, columns):
            rows = [",".join(f"{v:g}" for v in row) for row in zip(*columns)]
            (Path(folder) / name).write_text("\n".join([head, *rows, "7,7"]) + "\n", encoding="utf-8")
        write("joint.csv", "step,seconds,samples,loss", (at, at * 9, at * 2000, 1 / at))

        def judged(both, pairs):
            write("joint-judged.csv", "samples,seconds,n,both,pair_kinds", (at[::20] * 2000, at[::20], at[::20], both, pairs))
        rising, risen = at[::20] / 200, np.minimum(at[::20] / 50, .9)
        judged(rising, 0 * rising)
        assert len(curves.read(Path(folder) / "joint.csv")["loss"]) == 200 and curves.read(Path(folder) / "none.csv") == {}
        assert not curves.flat(folder)
        assert curves.draw_all(folder, Path(folder) / "out") == ["curve-joint-judged.png", "curve-joint.png"]
        page = np.asarray(calibrate.Image.open(Path(folder) / "out" / "curve-joint.png"))
        assert (page == curves.INKS[0]).all(-1).sum() > 100
        write("joint.csv", "step,seconds,samples,loss", (at, at * 9, at * 2000, np.where(at < 50, 1 / at, .02)))
        assert not curves.flat(folder)
        judged(risen, rising)
        assert not curves.flat(folder)
        judged(risen, risen)
        assert curves.flat(folder)
        write("joint.csv", "step,seconds,samples,loss", (at, at * 9, at * 700, np.where(at < 50, 1 / at, .02)))
        assert not curves.flat(folder)
    assert np.allclose(curves.smooth(np.arange(50.0)), np.arange(50.0)) and list(curves.ticks(0, 10)) == [0, 2, 4, 6, 8, 10]


def test_the_command_says_what_is_wrong():
    def run(*more):
        return subprocess.run([sys.executable, "-B", str(HERE / "run.py"), "--out", folder, *more], capture_output=True, text=True, check=False)
    with tempfile.TemporaryDirectory() as folder:
        ran = run("--model", folder)
        assert ran.returncode == 1 and "model_index.json is missing" in ran.stderr
        ran = run("--model", folder, "everything")
        assert ran.returncode == 1 and "there is no feature 'everything'" in ran.stderr


def test_pairs_are_compared():
    """Against values from tables: 10 won, 0 lost is 2 / 2^10; as many each way is 1; ties say nothing."""
    won, lost = [False] * 10 + [True] * 30, [True] * 40
    assert abs(paired.mcnemar(won, lost) - 2 / 1024) < 1e-12 and abs(paired.mcnemar(lost, won) - 2 / 1024) < 1e-12
    assert paired.mcnemar([True, False], [False, True]) == 1 and paired.mcnemar([True] * 5, [True] * 5) == 1
    assert abs(paired.mcnemar([False] * 6 + [True], [True] * 6 + [False]) - 2 * (1 + 7) / 2 ** 7) < 1e-12
    assert paired.signs([1.0, 2.0, 3.0], [1.0, 2.5, 2.5]) == 1
    mean, low, high = paired.difference([0, 0, 0, 0], [1, 1, 1, 1])
    assert (mean, low, high) == (1, 1, 1)
    lines = paired.table({("x", "raised"): (won, lost), ("x", "the same"): (won, won), ("x", "lowered"): (lost, won)})
    assert lines[2].endswith("| raises |") and lines[3].endswith("| no effect shown |") and lines[4].endswith("| **lowers** |"), lines
    assert "| 0.002 | 40 |" in lines[2]


def test_trials_are_deterministic_and_paired():
    class Blind:
        name, kinds, colours = "none", set(KINDS), set(COLOURS)

        def look(self, _picture):
            return [], None
    ask = questions.Asker(ROOT / "data" / "models" / "sketch", Blind())
    empty = np.zeros((128, 128, 3), np.uint8)
    for name, make in methods.METHODS.items():
        a, b = make(ask, 1), make(ask, 1)
        assert a.jobs == b.jobs and a.jobs != make(ask, 2).jobs, name
        assert a.jobs["plain"] != a.jobs["method"] and len({j["seed"] for j in a.jobs.values()}) == 1, name
        seen = {side: empty for side in a.jobs} | ({a.map_name: np.zeros((128, 128))} if a.map_name else {})
        for what, values in a.judge(seen).items():
            assert len(values) == 2 and values[0] == values[1] or name == "universal-guidance" or "IoU" in what, (name, what)
    whole = methods.diffedit(ask, 1)
    iou = lambda mask: whole.judge({"plain": empty, "method": empty, "diffedit-mask": mask})["the mask's IoU with the thing"]   # noqa: E731
    assert iou(np.ones((128, 128)))[0] == iou(np.ones((128, 128)))[1] > 0 == iou(np.zeros((128, 128)))[1]


if __name__ == "__main__":
    tap.run(sys.modules[__name__], "eval")
