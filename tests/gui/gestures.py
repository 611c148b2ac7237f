#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""gestures.py SHOTS: Edit by Description, Word Maps and Move This by keyboard, in a real GIMP with the fake engine behind it. TAP; screenshots
go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from after import LAYERS, After     # noqa: E402
from fill import IMAGE, picture     # noqa: E402
from gui import Gimp                # noqa: E402
from tap import Tap                 # noqa: E402

CHANNELS = ("(map (lambda (channel) (car (gimp-item-get-name channel))) (vector->list (car (gimp-image-get-channels " + IMAGE + "))))")


def case_describe(s, tap):
    before = s.layers()
    dialog = s.dialog("describe", "^Edit by Description$")
    s.gimp.keys(dialog, "alt+w", "ctrl+a")
    s.gimp.type(dialog, "a fox in snow")
    s.gimp.keys(dialog, "alt+i", "ctrl+a")
    s.gimp.type(dialog, "a wolf in snow")
    s.gimp.shot("describe", dialog)
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone("^Edit by Description$")
    after = s.new_layer(before)
    job = s.sent()
    tap.check("both descriptions are typed, and a layer comes of them", "a wolf in snow" in after and job["prompt"] == "a wolf in snow" and
              job["methods"][0]["source"] == "a fox in snow", (after, job))
    s.undo()
    tap.check("one undo takes it back", s.layers() == before, s.layers())


def case_place_alone(s, tap):
    """That only the place is wanted does not outlast the method that finds it."""
    before = s.layers()
    dialog = s.dialog("describe", "^Edit by Description$")
    s.gimp.keys(dialog, "alt+p", "alt+e", "Down", "Down")
    s.gimp.shot("describe-other", dialog)
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone("^Edit by Description$")
    s.new_layer(before)
    job = s.sent()
    tap.check("another method paints the picture", job["methods"][0]["id"] != "diffedit" and "stop-after" not in job, job)
    s.undo()


def case_move(s, tap):
    before = s.layers()
    s.gimp.scheme(f'(plug-in-pentimento-generate #:run-mode 1 #:image {IMAGE} #:drawables {LAYERS} #:prompt "a red fox" #:seed 7)')
    made = s.layers()
    s.select_top()
    s.gimp.scheme(f"(gimp-image-select-rectangle {IMAGE} CHANNEL-OP-REPLACE 120 100 50 40)")
    dialog = s.dialog("recipe-move", "^Move This$")
    s.gimp.keys(dialog, "alt+t")
    s.gimp.type(dialog, "fox")
    s.gimp.keys(dialog, "shift+Tab", *["Right"] * 8)
    s.gimp.shot("move", dialog)
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone("^Move This$")
    s.new_layer(made)
    method = s.sent()["methods"][0]
    tap.check("the box moves with the arrows, and the thing with the box", method["words"] == "fox" and method["right"] > 0.01 and method["down"] == 0 and
              method["resize"] == 1, method)
    s.undo()
    tap.check("one undo takes it back", s.layers() == made != before, (s.layers(), made))


def case_word_maps(s, tap):
    before = s.layers()
    s.select_top()
    dialog = s.dialog("recipe-word-maps", "^Word Maps$")
    s.gimp.shot("word-maps", dialog)
    s.gimp.keys(dialog, "alt+w")
    s.gimp.type(dialog, "fox")
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone("^Word Maps$")
    s.settle()
    tap.check("a channel, and no layer", s.gimp.scheme(CHANNELS) == '("Word: fox")' and s.layers() == before, (s.gimp.scheme(CHANNELS), s.layers()))
    message = s.gimp.window("^GIMP Message$", 10)
    s.gimp.shot("word-maps-said", message)
    tap.check("it is said where the channel is, which is not seen", bool(message))
    s.gimp.keys(message, "Escape")
    s.gimp.gone("^GIMP Message$")
    s.gimp.act("edit-undo")
    s.settle()
    tap.check("one undo takes it back", s.gimp.scheme(CHANNELS) == "()", s.gimp.scheme(CHANNELS))


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    fake = folder / "fake"
    fake.mkdir()
    engine = HERE.parent / "plugin" / "fake-engine.py"
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(engine), PMT_FAKE_FOLDER=str(fake)) as gimp:
        gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")
        session = After(gimp, fake)
        for case in (case_describe, case_place_alone, case_move, case_word_maps):
            tap.run(case, session)
    tap.end()


if __name__ == "__main__":
    main()
