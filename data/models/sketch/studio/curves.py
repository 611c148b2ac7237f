# SPDX-License-Identifier: GPL-3.0-or-later
"""The curves that training leaves: as pictures, and whether one is flat.

    python -m studio.curves WORK OUT      draws WORK/*.csv: OUT/curve-TARGET.png

Numpy alone, for pictures Pillow too.
"""
import argparse
import csv
import os

import numpy as np

WIDE, HIGH, LEFT, RIGHT, TOP, LOW, TITLE = 340, 170, 52, 14, 24, 24, 26
INKS = ((190, 40, 40), (40, 90, 190), (40, 140, 70), (200, 130, 20), (120, 60, 160), (30, 150, 160), (110, 110, 110))


def read(path):
    """Column -> numbers; a file that is not there has none. A line that a stopped call left half is not one."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8", newline="") as f:
        head, *lines = [*csv.reader(f)] or [[]]
    lines = [row for row in lines if len(row) == len(head) and row[0] != head[0]]
    return {name: np.array([float(row[i]) for row in lines]) for i, name in enumerate(head)} if lines else {}


def smooth(values, share=.04):
    """A running mean over a share of the curve, as much to each side as there is."""
    reach = max(1, int(len(values) * share / 2))
    total = np.concatenate([[0], np.cumsum(values)])
    at = np.arange(len(values))
    reach = np.minimum(reach, np.minimum(at, len(values) - 1 - at))
    return (total[at + reach + 1] - total[at - reach]) / (2 * reach + 1)


def ticks(low, high, n=5):
    """Round numbers between low and high."""
    step = 10 ** np.floor(np.log10(max(high - low, 1e-12) / n))
    step *= next(k for k in (1, 2, 5, 10) if (high - low) / (step * k) <= n)
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step


def plain(v):
    v = 0.0 if abs(v) < 1e-9 else v
    return f"{v / 1e6:g} M" if abs(v) >= 1e6 else f"{v / 1e3:g} k" if abs(v) >= 1e3 else f"{round(v, 6):g}"


def panel(pen, left, top, name, x, y, ink, unit):
    """One curve in its own frame: what is noted has scales of its own. Where nothing was noted there is no point."""
    low, high = float(y.min()), float(y.max())
    low, high = (low - .5, high + .5) if high - low < 1e-9 else (low - .06 * (high - low), high + .06 * (high - low))
    across = max(float(x[-1]), 1e-9)
    px = lambda v: left + LEFT + v / across * (WIDE - LEFT - RIGHT)
    py = lambda v: top + TOP + (high - v) / (high - low) * (HIGH - TOP - LOW)
    for v in ticks(low, high):
        pen.line((px(0), py(v), px(across), py(v)), fill=(228, 228, 228))
        pen.text((px(0) - 6, py(v)), plain(v), fill=(90, 90, 90), anchor="rm")
    for v in ticks(0, across):
        pen.line((px(v), top + TOP, px(v), top + HIGH - LOW), fill=(228, 228, 228))
        pen.text((px(v), top + HIGH - LOW + 4), plain(v), fill=(90, 90, 90), anchor="ma" if v < .96 * across else "ra")
    pen.text((left + LEFT, top + 6), name, fill="black")
    pen.text((left + WIDE - RIGHT, top + 6), unit, fill=(90, 90, 90), anchor="ra")
    points = [(px(a), py(b)) for a, b in zip(x, y)]
    if len(points) > 1:
        pen.line(points, fill=ink, width=2)
    else:
        pen.ellipse([v + d for d in (-2, 2) for v in points[0]], fill=ink)


def draw(title, lines, path, unit="samples"):
    """lines: name -> (x, y); a panel each, two in a row."""
    from PIL import Image, ImageDraw  # only pictures need it
    page = Image.new("RGB", (2 * WIDE, TITLE + -(-len(lines) // 2) * HIGH), "white")
    pen = ImageDraw.Draw(page)
    pen.text((LEFT, 8), title, fill="black")
    for i, (name, (x, y)) in enumerate(lines.items()):
        panel(pen, i % 2 * WIDE, TITLE + i // 2 * HIGH, name, x, y, INKS[i % len(INKS)], unit)
    page.save(path)


def draw_all(work, out):
    """Names of the pictures that were made."""
    made = []
    os.makedirs(out, exist_ok=True)
    for file in sorted(os.listdir(work)):
        if not file.endswith(".csv"):
            continue
        columns, target = read(os.path.join(work, file)), file[:-4]
        if not columns:
            continue
        chosen = [n for n in columns if n not in ("step", "seconds", "samples", "n", "pairs")]
        judged = target.endswith("-judged")
        lines = {}
        for n in chosen:
            known = np.isfinite(columns[n])
            if known.any():
                lines[n] = (columns["samples"][known], columns[n][known] if judged else smooth(columns[n][known]))
        hours = columns["seconds"][-1] / 3600
        draw(f"{target}, {hours:.1f} h" if hours >= .1 else target, lines, os.path.join(out, f"curve-{target}.png"))
        made.append(f"curve-{target}.png")
    return made


def flat(work, target="joint", least=150_000):
    """Whether more of the same brings little: over the last third of the samples the judged shares of single things and of pairs grew by less than
    two in a hundred and the loss fell by less than one in a hundred. Never before `least` samples."""
    loss = read(os.path.join(work, target + ".csv"))
    if not loss or loss["samples"][-1] < least:
        return False
    end = loss["samples"][-1]
    old, new = (loss["loss"][(loss["samples"] > a * end) & (loss["samples"] <= b * end)].mean() for a, b in ((.5, .667), (.833, 1)))
    judged = read(os.path.join(work, target + "-judged.csv"))
    if not judged:
        return False
    past = judged["samples"] <= .667 * end
    if past.sum() < 2 or (~past).sum() < 2:
        return False
    grew = max(judged[k][~past].mean() - judged[k][past][-3:].mean() for k in ("both", "pair_kinds"))
    return bool(new > .99 * old and grew < .02)


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("work")
    a.add_argument("out")
    a = a.parse_args()
    for name in draw_all(a.work, a.out):
        print(os.path.join(a.out, name))


if __name__ == "__main__":
    main()
