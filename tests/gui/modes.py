#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""modes.py SHOTS: the dialogs of the modes in a real GIMP, with the bundled model: masks are shown before anything is painted, the canvas grows
and one undo takes it back. TAP; screenshots go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import os
import sys
import time
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from gui import Gimp, wait_for  # noqa: E402
from says import texts  # noqa: E402
from tap import Tap  # noqa: E402

IMAGE = "(vector-ref (car (gimp-get-images)) 0)"
SIZE = f"(list (car (gimp-image-get-width {IMAGE})) (car (gimp-image-get-height {IMAGE})))"
LAYERS = f"(vector-length (car (gimp-image-get-layers {IMAGE})))"


def picture(folder):
    path = folder / "hills.png"
    image = Image.new("RGB", (320, 240))
    image.putdata([(60 + x // 4, 90 + y * 120 // 240, 200 - y // 2) for y in range(240) for x in range(320)])
    image.save(path)
    return path


def colours(path):
    return set(Image.open(path).convert("RGB").getdata())


def has(found, wanted, near=6):
    return any(all(abs(a - b) <= near for a, b in zip(colour, wanted)) for colour in found)


def frame(path):
    """Size of what the context's colour encloses in a screenshot; None: there is none."""
    image = Image.open(path).convert("RGB")
    places = [(i % image.width, i // image.width) for i, pixel in enumerate(image.getdata()) if has((pixel,), (89, 230, 115))]
    if not places:
        return None
    columns, rows = zip(*places)
    return max(columns) - min(columns), max(rows) - min(rows)


def show_masks(gimp, tap, action, title, name):
    gimp.act(action)
    dialog = gimp.ready(gimp.window(title))
    gimp.keys(dialog, "alt+i")
    time.sleep(0.7)
    before = colours(gimp.shot(name + "-region", dialog))
    gimp.keys(dialog, "alt+w")
    context, anew = (89, 230, 115), (64, 140, 255)

    def shown():
        found = colours(gimp.shot(name + "-masks", dialog))
        return has(found, context) and not has(before, context) and found
    found = wait_for("frame of the context", shown, 60)
    tap.check(f"{name}: the masks are drawn over the picture", bool(found), len(found))
    return dialog


def case_fill(gimp, tap):
    gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 120 90 70 60)")
    layers = gimp.scheme(LAYERS)
    dialog = show_masks(gimp, tap, "plug-in-pentimento-fill", "^Fill Selection$", "modes-fill")
    gimp.shot("modes-fill-context", dialog)
    before = frame(gimp.shot("modes-fill-before", dialog))
    gimp.keys(dialog, "alt+x", "Down", "Down")  # the whole picture
    wait_for("frame of another context", lambda: frame(gimp.shot("modes-fill-whole", dialog)) not in (None, before), 30)
    tap.check("they follow the settings", True)
    tap.check("nothing was painted for it", gimp.scheme(LAYERS) == layers)
    gimp.keys(dialog, "Escape")
    gimp.gone("^Fill Selection$")


def case_everything(gimp, tap):
    gimp.scheme("(gimp-selection-none " + IMAGE + ")")
    dialog = show_masks(gimp, tap, "plug-in-pentimento-fill", "^Fill Selection$", "modes-fill-everything")
    told = wait_for("sentence", lambda: [text for text in texts() if "The model sees" in text], 20)
    tap.check("where nothing is selected the sentence beside them says so", told[0].startswith("Nothing is selected, so all of the picture is painted."), told)
    gimp.keys(dialog, "Escape")
    gimp.gone("^Fill Selection$")


def case_expand(gimp, tap):
    size = gimp.scheme(SIZE)
    gimp.scheme("(gimp-selection-none " + IMAGE + ")")
    gimp.act("plug-in-pentimento-expand")
    dialog = gimp.ready(gimp.window("^Expand Canvas$"))
    gimp.shot("modes-expand", dialog)
    gimp.keys(dialog, "alt+e", "ctrl+a", "4", "0", "Tab", "Tab")
    gimp.keys(dialog, "alt+i")
    time.sleep(0.5)
    gimp.keys(dialog, "alt+w")
    wait_for("frame of the context", lambda: has(colours(gimp.shot("modes-expand-masks", dialog)), (89, 230, 115)), 60)
    gimp.keys(dialog, "alt+g")
    gimp.gone("^Expand Canvas$", 120)
    gimp.shot("modes-expanded")
    tap.check("the canvas has grown by what was typed", gimp.scheme(SIZE) != size, (size, gimp.scheme(SIZE)))
    gimp.act("edit-undo")
    wait_for("undo", lambda: gimp.scheme(SIZE) == size, 20)
    tap.check("one undo takes layer and growth back", gimp.scheme(LAYERS) == "1", gimp.scheme(LAYERS))
    warnings = [text for text in gimp.log.read_text(errors="replace").splitlines() if "nemonic" in text or "CRITICAL" in text]
    tap.check("no mnemonic is missing or doubled", not warnings, warnings)


def main():
    tap = Tap()
    with Gimp(picture(Path(os.environ["PMT_GIMP_TMP"])), sys.argv[1], NO_AT_BRIDGE="0") as gimp:
        for case in (case_everything, case_fill, case_expand):
            tap.run(case, gimp)
    tap.end()


if __name__ == "__main__":
    main()
