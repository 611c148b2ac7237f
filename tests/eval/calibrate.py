#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the judge is right on pictures that a model made: against labels by eye.

    calibrate.py collect ANSWERS FOLDER [--n 100]   takes pictures from a run of run.py (its OUT/answers): FOLDER/pictures.png, ten in a
                                                    row, and FOLDER/labels.csv with an empty column "seen"
    calibrate.py page FOLDER OUT.png                the pictures enlarged, numbered, with what was asked: to look at
    calibrate.py compare FOLDER --model MODEL       the judge's answers against the labels; exit status 1 under 95 in a hundred

In the column "seen" stands yes where the eye finds the asked thing in the asked colour, no where it does not. Pictures are chosen by the
answers' names, which are digests: neither by what they show nor by what the judge says of them.
"""
import argparse
import csv
import json
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True

import numpy as np                      # noqa: E402
from PIL import Image, ImageDraw        # noqa: E402

import report                           # noqa: E402
from judges import choose               # noqa: E402
from questions import SIDE, there       # noqa: E402
from studio.kinds import NAMES          # noqa: E402
from studio.words import COLOURS        # noqa: E402

ROW, LEAST, COLUMNS = 10, .95, ("number", "colour", "kind", "prompt", "seen")


class Asked:
    """What a picture was asked to show: has kind and colour, as a thing of a scene has."""

    def __init__(self, colour, kind):
        self.colour, self.kind = colour, kind


def first_thing(prompt):
    """The first thing that a prompt asks for, or None."""
    found = re.search(rf"\b({'|'.join(COLOURS)}) ({'|'.join(sorted(NAMES, key=len, reverse=True))})\b", prompt)
    return Asked(*found.groups()) if found else None


def collect(answers, folder, n):
    chosen = []
    for place in sorted(answers.iterdir()):
        if not (place / "out.png").exists():
            continue
        job = json.loads((place / "job.json").read_text(encoding="utf-8"))
        asked = first_thing(job["prompt"])
        if asked and job["task"] == "generate" and "controls" not in job:
            chosen.append((asked, job["prompt"], np.asarray(Image.open(place / "out.png").convert("RGB"))))
    if len(chosen) < n:
        raise SystemExit(f"calibrate: {answers} has {len(chosen)} pictures that were asked for by a colour and a kind, {n} are wanted; run ./dev eval first")
    step = len(chosen) / n
    chosen = [chosen[int(i * step)] for i in range(n)]
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "labels.csv").exists():
        raise SystemExit(f"calibrate: {folder / 'labels.csv'} is there already; move it away if its labels are no longer wanted")
    grid = np.full((-(-n // ROW) * SIDE, ROW * SIDE, 3), 255, np.uint8)
    for i, (_, _, picture) in enumerate(chosen):
        grid[i // ROW * SIDE:(i // ROW + 1) * SIDE, i % ROW * SIDE:(i % ROW + 1) * SIDE] = picture
    Image.fromarray(grid).save(folder / "pictures.png", optimize=True)
    with open(folder / "labels.csv", "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(COLUMNS)
        for i, (asked, prompt, _) in enumerate(chosen):
            out.writerow((i, asked.colour, asked.kind, prompt, ""))
    print(f"{folder / 'labels.csv'}: write yes or no into the last column of its {n} rows")


def labels(folder):
    """[(row of labels.csv, picture)]"""
    path = folder / "labels.csv"
    if not path.exists():
        raise SystemExit(f"calibrate: {path} is not there; make it with: calibrate.py collect")
    with open(path, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    grid = np.asarray(Image.open(folder / "pictures.png").convert("RGB"))
    cut = lambda i: grid[i // ROW * SIDE:(i // ROW + 1) * SIDE, i % ROW * SIDE:(i % ROW + 1) * SIDE]
    return [(row, cut(int(row["number"]))) for row in rows]


def page(folder, out):
    rows, cell, foot = labels(folder), 2 * SIDE, 18
    sheet = Image.new("RGB", (5 * (cell + 8), -(-len(rows) // 5) * (cell + foot + 4)), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (row, picture) in enumerate(rows):
        x, y = i % 5 * (cell + 8), i // 5 * (cell + foot + 4)
        sheet.paste(Image.fromarray(picture).resize((cell, cell), Image.NEAREST), (x, y))
        pen.text((x, y + cell + 2), f"{row['number']}: {row['colour']} {row['kind']} {row['seen']}", fill="black")
    sheet.save(out)


def agreement(rows, look):
    """(list of truths: judge and label agree; sentences on where they do not)."""
    same, words = [], []
    for row, picture in rows:
        if row["seen"] not in ("yes", "no"):
            raise SystemExit(f"calibrate: picture {row['number']} has no label; write yes or no into the column seen")
        says = there(look(picture)[0], Asked(row["colour"], row["kind"]))
        same.append(says == (row["seen"] == "yes"))
        if not same[-1]:
            words.append(f"picture {row['number']}, {row['colour']} {row['kind']}: the eye says {row['seen']}, the judge {'yes' if says else 'no'}")
    return same, words


def compare(folder, model):
    same, words = agreement(labels(folder), choose(model).look)
    mean, low, high, n = report.interval(same)
    print("\n".join(words))
    print(f"the judge agrees with the eye on {sum(same)} of {n} pictures ({100 * low:.0f} to {100 * high:.0f} per cent)")
    return 0 if mean >= LEAST else 1


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("what", choices=("collect", "page", "compare"))
    a.add_argument("places", nargs="+", type=Path)
    a.add_argument("--n", type=int, default=100)
    a.add_argument("--model", type=Path)
    a = a.parse_args()
    if len(a.places) != (1 if a.what == "compare" else 2):
        raise SystemExit({"collect": "calibrate: collect wants ANSWERS and FOLDER", "page": "calibrate: page wants FOLDER and OUT.png",
                          "compare": "calibrate: compare wants FOLDER"}[a.what])
    if a.what == "collect":
        collect(*a.places, a.n)
    elif a.what == "page":
        page(*a.places)
    elif not a.model:
        raise SystemExit("calibrate: compare needs --model, the folder whose judge is compared")
    else:
        return compare(a.places[0], a.model)
    return 0


if __name__ == "__main__":
    sys.exit(main())
