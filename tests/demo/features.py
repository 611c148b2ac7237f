#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""features.py ROOT OUT [MODEL]: fill, edit, edge control and layout boxes of the bundled model on one sheet: what it is given
and what it makes, two of each. A feature whose network the model has not is named. The pictures are questions of tests/eval."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True

import numpy as np
from PIL import Image, ImageDraw

EACH, SCALE = 2, 2


def main():
    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    model = Path(sys.argv[3]) if len(sys.argv) > 3 else root / "data" / "models" / "sketch"
    sys.path[:0] = [str(root / "tests" / "eval"), str(root / "tests" / "demo")]
    import questions
    from judge import outlined, sheet
    from judges import choose
    from run import answer

    def given(name, question):
        """What the engine gets beside the words, as a picture."""
        side = questions.SIDE * SCALE
        if name == "layout":
            page = Image.new("RGB", (side, side), (244, 244, 244))
            pen = ImageDraw.Draw(page)
            for box in question.job["layout"]["boxes"]:
                x0, y0, x1, y1 = (v * side for v in box["box"])
                pen.rectangle((x0, y0, x1, y1), outline=(40, 90, 190), width=2)
                pen.text((x0 + 4, y0 + 3), box["phrase"], fill=(30, 30, 30))
            return page
        pixels = question.pictures["control.png" if name == "edge" else "before.png"]
        if name == "edge":
            pixels = np.repeat(questions.outlines(pixels)[..., None], 3, 2).astype(np.uint8) * 255
        page = Image.fromarray(pixels).resize((side, side), Image.NEAREST if name == "edge" else Image.LANCZOS)
        return outlined(page, Image.fromarray(question.pictures["mask.png"])) if name == "fill" else page

    ask, cells, absent = questions.Asker(model, choose(model)), [], []
    for name in ("fill", "edit", "edge", "layout"):
        try:
            for i in range(EACH):
                question = questions.FEATURES[name](ask, i)
                made = answer(["pentimento-engine"], question, out / "answers")
                told = ", ".join(f"{row}: {value:.2f}" if isinstance(value, float) else f"{row}: {'yes' if value else 'no'}"
                                 for row, value in list(question.judge(made).items())[:1])
                print(f"{name}: {question.title}: {told}")
                cells.append((f"{name}: {question.title}"[:42], given(name, question)))
                cells.append((told.partition(": ")[2][:42], Image.fromarray(made).resize((questions.SIDE * SCALE,) * 2, Image.LANCZOS)))
        except questions.Absent as e:
            absent.append(f"{name}: {e}")
    if cells:
        sheet(cells, 2 * EACH, out / "sheet-features.png")
        print(f"{out / 'sheet-features.png'}: what is given and what is made of it")
    for line in absent:
        print(line)


if __name__ == "__main__":
    main()
