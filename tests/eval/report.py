# SPDX-License-Identifier: GPL-3.0-or-later
"""The table with 95 % intervals, and sheets of good and bad answers."""
import json
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLUMNS, ROWS, CELL = 8, 2, 128
# what a good model of this size should reach; thresholds.json in a model's folder says what it must not fall under
GOALS = {"one object: kind and colour": .90, "two objects: both kinds": .75, "two objects: both colours on the right object": .60,
         "left of / above, given both": .80, "fill: the asked thing in the mask": .90, "fill: outside the mask bit for bit": 1.0,
         "edit: carried out and the rest kept": .80, "edge control: F1": .75, "scribble control: F1": .75, "depth control: order right": .85,
         "segmentation control: mask IoU": .70, "layout: the phrase's object with IoU 0.5": .80, "LCM, 4 steps: kind and colour": .80,
         "LoRA: windmill recognised": .80, "learned word: purple butterfly recognised": .80}


def wilson(right, n, z=1.96):
    """95 % interval of a share (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    p, d = right / n, 1 + z * z / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / d), min(1.0, (middle + half) / d)


def interval(values):
    """(mean, low, high, n) of truths (Wilson) or of numbers (normal)."""
    v = np.array(values, float)
    if all(isinstance(x, (bool, np.bool_)) for x in values):
        return (float(v.mean()), *wilson(int(v.sum()), len(v)), len(v))
    half = 1.96 * v.std(ddof=1) / math.sqrt(len(v)) if len(v) > 1 else 1.0
    return float(v.mean()), max(0.0, float(v.mean() - half)), min(1.0, float(v.mean() + half)), len(v)


def thresholds(path):
    return json.loads(Path(path).read_text(encoding="utf-8")) if path else {}


def table(rows, least):
    """Markdown lines and the rows that fail: those whose whole interval lies under their threshold."""
    lines, failed = ["| what | measured | 95 % interval | N | at least | goal |", "|---|---|---|---|---|---|"], []
    for name, values in rows.items():
        mean, low, high, n = interval(values)
        wanted = least.get(name)
        if wanted is not None and high < wanted:
            failed.append(name)
        lines.append(f"| {name} | {mean:.2f} | {low:.2f} to {high:.2f} | {n} | {'' if wanted is None else f'{wanted:.2f}'}{' **missed**' if name in failed else ''} | "
                     f"{f'{GOALS[name]:.2f}' if name in GOALS else ''}{' reached' if name in GOALS and mean >= GOALS[name] else ''} |")
    return lines, failed


def cannot(rows):
    """Sentences on what falls short of its goal, the worst first."""
    short = [(mean - GOALS[name], name, mean, low, high) for name, values in rows.items() if name in GOALS for mean, low, high, _ in [interval(values)]
             if mean < GOALS[name]]
    return [f"- {name}: {mean:.2f} ({low:.2f} to {high:.2f}), {GOALS[name]:.2f} is wanted" for _, name, mean, low, high in sorted(short)]


def sheet(answers, path):
    """answers: (picture, title, good or not). Two rows of good ones, two of bad ones."""
    good, bad = ([a for a in answers if a[2] is v][:COLUMNS * ROWS] for v in (True, False))
    shown = good + bad
    out = Image.new("RGB", (COLUMNS * (CELL + 4), -(-len(good) // COLUMNS) * (CELL + 26) + -(-len(bad) // COLUMNS) * (CELL + 26) or 1), "white")
    pen, y = ImageDraw.Draw(out), 0
    for group, colour in ((good, "black"), (bad, (190, 0, 0))):
        for i, (picture, title, _) in enumerate(group):
            x, top = i % COLUMNS * (CELL + 4), y + i // COLUMNS * (CELL + 26)
            out.paste(Image.fromarray(picture), (x, top))
            pen.text((x, top + CELL), title[:22], fill=colour)
            pen.text((x, top + CELL + 11), title[22:44], fill=colour)
        y += -(-len(group) // COLUMNS) * (CELL + 26)
    if shown:
        out.save(path)
    return bool(shown)
