#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""judge.py ROOT OUT: sheets of the demo's pictures, and whether the matcher finds in them what the prompt asked for."""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SCALE = 2
GAP = 8
CAPTION = 18
LEAST_SHARE = 0.8


def outlined(picture, selection):
    """The picture with the selection's edge as a line, black beside white: it shows on anything."""
    inside = selection.resize(picture.size, Image.NEAREST).point(lambda v: 255 if v > 127 else 0)
    wide, narrow = inside.filter(ImageFilter.MaxFilter(5)), inside.filter(ImageFilter.MaxFilter(3))
    result = picture.copy()
    result.paste((0, 0, 0), mask=Image.fromarray(np.asarray(wide) - np.asarray(narrow)))
    result.paste((255, 255, 255), mask=Image.fromarray(np.asarray(narrow) - np.asarray(inside)))
    return result


def sheet(cells, columns, path):
    """cells: (caption, picture), all of one size."""
    width, height = cells[0][1].size
    rows = -(-len(cells) // columns)
    page = Image.new("RGB", (GAP + columns * (width + GAP), GAP + rows * (height + CAPTION + GAP)), (250, 250, 250))
    draw = ImageDraw.Draw(page)
    for number, (caption, picture) in enumerate(cells):
        x, y = GAP + number % columns * (width + GAP), GAP + number // columns * (height + CAPTION + GAP)
        page.paste(picture, (x, y))
        draw.text((x + 2, y + height + 3), caption, fill=(30, 30, 30))
    page.save(path)


def main():
    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, str(root / "data" / "models" / "sketch" / "train"))
    from matcher import judge

    told = json.loads((out / "runs.json").read_text())
    selection = Image.open(out / "selection.png").convert("L")
    before = Image.open(out / "before.png").convert("RGB")
    large = (before.width * SCALE, before.height * SCALE)
    found, cells = 0, []
    for run in told["runs"]:
        after = Image.open(out / run["picture"]).convert("RGB")
        good, sentence = judge(np.asarray(after), tuple(run["box"]), told["prompt"])
        found += good
        print(f"seed {run['seed']}: {sentence} ({run['seconds']:.1f} s)")
        cells.append((f"{'found' if good else 'NOT FOUND'}, seed {run['seed']}", after))
    first = [("before, with the selection", outlined(before.resize(large, Image.LANCZOS), selection)),
             (f"{told['prompt']} (seed {told['runs'][0]['seed']}, {told['runs'][0]['seconds']:.1f} s)", cells[0][1].resize(large, Image.LANCZOS))]
    sheet(first, 2, out / "sheet.png")
    print(f"\n{out / 'sheet.png'}: the picture before and after\n{out / 'demo.xcf'}: the same with the new layer, for GIMP")
    print(f"the fill took {told['runs'][0]['seconds']:.1f} s")
    if len(cells) > 1:
        sheet(cells, 5, out / "sheet-seeds.png")
        print(f"{out / 'sheet-seeds.png'}: all seeds\n{found} of {len(cells)}")
    sys.exit(0 if found >= LEAST_SHARE * len(cells) else 1)


if __name__ == "__main__":
    main()
