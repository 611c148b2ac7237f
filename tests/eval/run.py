#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""run.py --engine PROGRAM --model FOLDER --out FOLDER [--n N | --quick] [--thresholds FILE] [FEATURE…]

Asks the model held-out questions through the engine's command line, lets the judge look, and writes OUT/REPORT.md with
sheets beside it; a whole run (200 questions of every feature) copies them into the model's folder. Exit status 1 when a row's
whole 95 % interval is under its threshold. An answer that is there already (the same job) is not made again, so a run that
was stopped goes on.
"""
import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

import numpy as np          # noqa: E402
from PIL import Image       # noqa: E402

import calibrate            # noqa: E402
import report               # noqa: E402
from judges import choose   # noqa: E402
from questions import FEATURES, Absent, Asker, render, there   # noqa: E402
from studio.scenes import scene     # noqa: E402

FULL, QUICK = 200, 24
RENDERS = (860_000_000, 300)  # first seed, how many


def place_of(question, folder):
    """Where a job's answer is kept, and the job as it is written there."""
    text = json.dumps(question.job, indent=1, sort_keys=True)
    digest = hashlib.sha256(text.encode() + b"".join(p.tobytes() for p in question.pictures.values())).hexdigest()[:16]
    return folder / digest, text


def found(question, folder, name):
    """The map of that name that a method of an answered job found, 0..1 of its highest value."""
    return np.asarray(Image.open(place_of(question, folder)[0] / f"new-map-{name}.png").convert("L")) / 255


def answer(engine, question, folder):
    """The picture that the engine makes of a job."""
    place, text = place_of(question, folder)
    made = place / "out.png"
    if not made.exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / "job.json").write_text(text, encoding="utf-8")
        for name, pixels in question.pictures.items():
            Image.fromarray(pixels).save(place / name)
        ran = subprocess.run([*engine, "run", str(place / "job.json"), "--out", str(place / "new.png")], capture_output=True, text=True, check=False)
        if ran.returncode:
            raise SystemExit(f"eval: the engine refused {place / 'job.json'}: {(ran.stderr or ran.stdout).strip().splitlines()[-1]}")
        (place / "new.png").rename(made)
    return np.asarray(Image.open(made).convert("RGB"))


def trust(model, judge):
    """Sentences on how far the judge can be believed: on fresh renders, and against labels by eye of pictures that a model made."""
    if judge.knows_renders:
        objects = right = 0
        for seed in range(RENDERS[0], sum(RENDERS)):
            s, masks = scene(seed, "one", plain=True), []
            picture = render.draw(s, masks=masks)
            objects, right = objects + 1, right + there(judge.look(picture)[0], s.things[0])
        low, high = report.wilson(right, objects)
        lines = [f"On fresh renders of single things it names kind and colour of {right} of {objects} ({low:.2f} to {high:.2f})."]
    else:
        lines = ["The template matcher's accuracy on renders is tested by tests/model/test_matcher.py."]
    if (model / "labels" / "labels.csv").exists():
        same, _ = calibrate.agreement(calibrate.labels(model / "labels"), judge.look)
        low, high = report.wilson(sum(same), len(same))
        lines.append(f"It agrees with labels by eye on {sum(same)} of {len(same)} pictures that a model made ({low:.2f} to {high:.2f}).")
    else:
        lines.append("Nobody has labelled a hundred of the model's pictures by eye yet (tests/eval/calibrate.py), so its figures for them are its word alone.")
    return lines


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("features", nargs="*", help=", ".join(FEATURES))
    a.add_argument("--engine", default="pentimento-engine")
    a.add_argument("--model", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--n", type=int, default=0)
    a.add_argument("--quick", action="store_true", help=f"{QUICK} questions a feature instead of {FULL}")
    a.add_argument("--thresholds")
    a = a.parse_args()
    strange = [f for f in a.features if f not in FEATURES]
    if strange:
        raise SystemExit(f"eval: there is no feature '{strange[0]}'; known: {', '.join(FEATURES)}")
    n, out = a.n or (QUICK if a.quick else FULL), Path(a.out).resolve()
    model = Path(a.model).resolve()
    if not (model / "model_index.json").exists():
        raise SystemExit(f"eval: '{model}' is not a model folder, model_index.json is missing; give --model the folder that has it")
    ask = Asker(model, choose(model))
    rows, sheets, absent = {}, [], {}
    out.mkdir(parents=True, exist_ok=True)
    for name in a.features or FEATURES:
        begun, answers = time.time(), []
        try:
            for i in range(n):
                question = FEATURES[name](ask, i)
                picture = answer([a.engine], question, out / "answers")
                result = question.judge(picture)
                for row, value in result.items():
                    rows.setdefault(row, []).append(value)
                # the first row decides whether an answer counts as good on the sheet
                first = list(result.values())[0]
                answers.append((picture, question.title, bool(first >= .7 if isinstance(first, float) else first)))
        except Absent as e:
            absent.setdefault(str(e).removeprefix("the model has no "), []).append(name)
            print(f"{name}: {e}", flush=True)
            continue
        if report.sheet(answers, out / f"answers-{name}.png"):
            sheets.append(f"answers-{name}.png")
        print(f"{name}: {n} answers in {time.time() - begun:.0f} s", flush=True)
    lines, failed = report.table(rows, report.thresholds(a.thresholds))
    text = ["# What the model can do", "", f"Held-out questions through the engine's command line, judged by the {ask.judge.name}. {len(ask.kinds)} kinds, "
            f"{len(ask.colours)} colours and {len(ask.places)} places were asked for.", "", *lines, ""]
    text += ["The model lacks " + ", ".join(f"`{part}` ({', '.join(names)})" for part, names in absent.items()) + ".", ""] if absent else []
    short = report.cannot(rows)
    text += ["## What it cannot do", "", *(short or ["Every goal is reached."]), ""]
    notes = model / "notes.md"  # what eyes saw on the sheets, written by hand
    text += [notes.read_text(encoding="utf-8").strip(), ""] if notes.exists() else []
    if n >= FULL and not a.features:
        text += ["## The judge", "", *trust(model, ask.judge), ""]
    text += ["## Answers", "", "Good answers first, then bad ones with red titles.", ""] + [f"![{s}]({s})" for s in sheets] + [""]
    drawn = sorted((model / "curves").glob("curve-*.png"))
    text += ["## Training", ""] + [f"![{p.stem}](curves/{p.name})" for p in drawn] if drawn else []
    (out / "REPORT.md").write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")
    if n >= FULL and not a.features and out != model:  # a whole run is the model's own report
        for name in ("REPORT.md", *sheets):
            shutil.copy(out / name, model / name)
    print("\n".join(lines))
    print(f"{out / 'REPORT.md'}" + (f"; missed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
