#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""screenshots.py FOLDER PICTURE [--parts]: a picture of each dialog in the language of the environment, FOLDER/NAME.png.

With --parts also its folded parts, FOLDER/NAME-PART.png. The pictures have 8 bits a pixel, since the page that shows them is in the
repository. The engine is the real one. Status 1 when a dialog cannot be shown, or when GIMP complains about its letters.
Runs inside tests/plugin/gimp-env.sh --gui.
"""

import sys
import time
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from dialogs import DIALOGS, RECIPE_DIALOGS, close_dialog, open_dialog  # noqa: E402
from fill import IMAGE                                  # noqa: E402
from gui import Gimp, run                               # noqa: E402

SELECT = f"(gimp-image-select-ellipse {IMAGE} CHANNEL-OP-REPLACE 40 50 60 60)"
LAYERS = f"(car (gimp-image-get-layers {IMAGE}))"
PROMPTS = {"edit": "make it winter", "learn": "my-meadow", "models": None, "history": None, "remove": None}


def shrink(path):
    with Image.open(path) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def show(gimp, name, dialog, text, parts):
    window = open_dialog(gimp, name)
    if text:
        gimp.type(window, text)
        time.sleep(1)
    shrink(gimp.shot(name, window, frame=True))
    for part, keys, seconds in dialog.parts if parts else ():
        gimp.keys(window, *keys)
        time.sleep(seconds)
        shrink(gimp.shot(f"{name}-{part}", window, frame=True))
    close_dialog(gimp, window)


def generate(gimp):
    """A layer generated all over the picture, selected, and a selection in it."""
    gimp.scheme(f'(begin (gimp-selection-none {IMAGE}) (plug-in-pentimento-generate #:run-mode RUN-NONINTERACTIVE #:image {IMAGE}'
                f' #:drawables {LAYERS} #:prompt "a red mushroom in a meadow" #:seed 5)'
                f" (gimp-image-set-selected-layers {IMAGE} (vector (vector-ref {LAYERS} 0))))")
    gimp.scheme(SELECT)
    time.sleep(1)


def main():
    folder, picture, parts = Path(sys.argv[1]), sys.argv[2], "--parts" in sys.argv
    with Gimp(picture, folder) as gimp:
        gimp.scheme(SELECT)
        run("xdotool", "mousemove", "1", "895")  # a tooltip would be in the picture
        for name, dialog in DIALOGS.items():
            show(gimp, name, dialog, PROMPTS.get(name, "a red mushroom"), parts)
        generate(gimp)
        for name, dialog in RECIPE_DIALOGS.items():
            show(gimp, name, dialog, None, parts)
        complaints = [line for line in gimp.log.read_text(errors="replace").splitlines() if "nemonic" in line]
    for line in complaints:
        print(line)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
