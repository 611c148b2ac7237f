#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""generate.py SHOTS: the generate dialog in a real GIMP, with the fake engine behind it. TAP; screenshots go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import json
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from fill import IMAGE, Session, picture  # noqa: E402
from gui import Gimp, wait_for  # noqa: E402
from tap import Tap  # noqa: E402

TITLE = "^Generate$"


class Pictures(Session):
    def open(self):
        self.gimp.act("plug-in-pentimento-generate")
        dialog = self.gimp.window(TITLE)
        return self.gimp.ready(dialog)

    def sent(self):
        messages = map(json.loads, (self.fake / "log").read_text().splitlines())
        return [message["job"] for message in messages if message["type"] == "job"][-1]


def case_opens(s, tap):
    dialog = s.open()
    s.gimp.type(dialog, "a lighthouse in the evening")  # the prompt has the focus
    s.gimp.shot("generate", dialog)
    for key, name in (("alt+f", "controls"), ("alt+x", "boxes"), ("alt+a", "advanced")):
        s.gimp.keys(dialog, key)
        time.sleep(0.5)
        s.gimp.shot(f"generate-{name}", dialog)
        s.gimp.keys(dialog, key)
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(TITLE)
    tap.check("the action opens the dialog, Escape closes it", s.layers().count("meadow") == 1, s.layers())
    warnings = [line for line in s.gimp.log.read_text(errors="replace").splitlines() if "nemonic" in line or "CRITICAL" in line]
    tap.check("no mnemonic is missing or doubled", not warnings, warnings)


def case_stop(s, tap):
    s.mode("slow")
    before = s.layers()
    dialog = s.open()
    s.gimp.keys(dialog, "alt+p", "ctrl+a")
    s.gimp.type(dialog, "a lighthouse in the evening")
    jobs = s.jobs()
    s.gimp.keys(dialog, "alt+g")
    wait_for("job", lambda: s.jobs() > jobs, 20)
    time.sleep(1)
    s.gimp.shot("generate-running", dialog)
    s.gimp.keys(dialog, "Escape")
    time.sleep(0.5)
    tap.check("Escape stops the job and leaves the dialog open", bool(s.gimp.windows(TITLE)))
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(TITLE)
    tap.check("a stopped job leaves the picture as it was", s.layers() == before, s.layers())
    s.mode("paint")


def case_generate(s, tap):
    """The prompt of the job that was stopped is still there; boxes are ticked by keyboard."""
    before = s.layers()
    dialog = s.open()
    s.gimp.keys(dialog, "alt+x")
    time.sleep(0.5)
    s.gimp.keys(dialog, "alt+e")
    time.sleep(0.3)
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone(TITLE)
    wait_for("new layer", lambda: s.layers() != before, 20)
    after = s.layers()
    s.gimp.shot("generate-done")
    tap.check("the prompt survived the stop; the new layer is named after it", "Generate: a lighthouse in the evening, the sun (" in after, after)
    boxes = s.sent().get("layout", {}).get("boxes", [])
    tap.check("the closed path is a box", [box["phrase"] for box in boxes] == ["the sun"], s.sent())
    s.gimp.scheme("(gimp-image-set-selected-layers " + IMAGE + " (vector (vector-ref (car (gimp-image-get-layers " + IMAGE + ")) 0)))")
    s.gimp.act("plug-in-pentimento-rerun")
    wait_for("layer of the recipe that runs again", lambda: s.layers() != after, 20)
    tap.check("Run Recipe Again adds a layer, without a window", s.layers().count("Generate: a lighthouse") == 2, s.layers())
    s.undo()
    tap.check("one undo takes it back", s.layers() == after, s.layers())
    s.undo()  # the choice of layers is no step
    tap.check("another takes the first", s.layers() == before, s.layers())


def case_completion(s, tap):
    """Names out of the folders of models, and how long the prompt is."""
    before = s.layers()
    dialog = s.open()
    s.gimp.keys(dialog, "alt+p", "ctrl+a")
    s.gimp.type(dialog, "the sun, my-cat <lora:pi")
    wait_for("names of embeddings", lambda: '"kind": "embeddings"' in (s.fake / "log").read_text(), 20)
    time.sleep(0.7)
    s.gimp.type(dialog, "x")
    s.gimp.shot("generate-completion", dialog)
    s.gimp.keys(dialog, "Escape")
    tap.check("Escape closes the list and not the dialog", bool(s.gimp.windows(TITLE)))
    s.gimp.keys(dialog, "ctrl+space", "Return")
    s.gimp.shot("generate-counter", dialog)
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone(TITLE)
    wait_for("new layer", lambda: s.layers() != before, 20)
    job = s.sent()
    tap.check("the LoRA's name is completed", job["prompt"] == "the sun, my-cat <lora:pixel-art:1>", job)
    tap.check("a learned word that the prompt says goes along", job.get("embeddings") == [{"path": "/fake/my-cat.safetensors", "word": "my-cat"}], job)
    s.undo()


def case_seed(s, tap):
    """The seed that was used last is shown and can be kept."""
    seeds = []
    for keys in ((), ("alt+d", "Tab", "Tab", "space"), (), ("alt+d", "ctrl+a", "4", "2", "Tab"), ("alt+d", "ctrl+a", "BackSpace", "Tab")):
        before = s.layers()
        dialog = s.open()
        s.gimp.keys(dialog, *keys)
        s.gimp.shot(f"generate-seed-{len(seeds)}", dialog)
        s.gimp.keys(dialog, "alt+g")
        s.gimp.gone(TITLE)
        wait_for("new layer", lambda: s.layers() != before, 20)
        seeds.append(s.sent()["seed"])
        s.undo()
    tap.check("locked, the last seed is taken again and again", seeds[0] == seeds[1] == seeds[2], seeds)
    tap.check("a number that is typed is taken, and an empty field is another by chance", seeds[3] == 42 and seeds[4] not in seeds[:4], seeds)


def case_boxes(s, tap):
    """Boxes by keyboard alone. The section is open, since closed paths were on the last time; from the check button below it the focus
    goes back over the buttons to the picture."""
    before = s.layers()
    dialog = s.open()
    s.gimp.keys(dialog, "alt+e", "shift+Tab", "shift+Tab", "shift+Tab", "Insert")
    s.gimp.type(dialog, "a rowing boat")
    s.gimp.keys(dialog, "shift+Tab", "Left", "Left", "shift+Down", "shift+Down")
    s.gimp.shot("generate-box", dialog)
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone(TITLE)
    wait_for("new layer", lambda: s.layers() != before, 20)
    layout = s.sent().get("layout", {})
    tap.check("a box made and moved by keyboard is in the recipe",
              layout.get("boxes") == [{"box": [0.28, 0.3, 0.68, 0.72], "phrase": "a rowing boat"}], s.sent())
    s.undo()


def case_weights(s, tap):
    """Ctrl+Up and Ctrl+Down weigh the word at the cursor; at 1 the brackets go."""
    for keys, expected in ((["ctrl+Up"] * 3, "the sun, a lighthouse in the (evening:1.3)"), (["ctrl+Down"], "the sun, a lighthouse in the (evening:0.9)"),
                           (["ctrl+Up", "ctrl+Up", "ctrl+Down", "ctrl+Down"], "the sun, a lighthouse in the evening")):
        before = s.layers()
        dialog = s.open()
        s.gimp.keys(dialog, "alt+p", "ctrl+a")
        s.gimp.type(dialog, "the sun, a lighthouse in the evening")
        s.gimp.keys(dialog, *keys, "alt+g")
        s.gimp.gone(TITLE)
        wait_for("new layer", lambda: s.layers() != before, 20)
        tap.check(f"{' '.join(keys)}: {expected}", s.sent()["prompt"] == expected, s.sent()["prompt"])
        s.undo()


def case_group(s, tap):
    """The layers of a group as boxes: chosen by keyboard from the list below the check button."""
    s.gimp.scheme("(let* ((group (car (gimp-group-layer-new " + IMAGE + " \"layout\")))"
                  " (layer (car (gimp-layer-new " + IMAGE + " \"a red fox\" 80 60 RGBA-IMAGE 100 LAYER-MODE-NORMAL))))"
                  " (gimp-image-insert-layer " + IMAGE + " group 0 0) (gimp-image-insert-layer " + IMAGE + " layer group 0)"
                  " (gimp-drawable-fill layer FILL-FOREGROUND) (gimp-layer-set-offsets layer 40 30))")
    before = s.layers()
    dialog = s.open()
    s.gimp.keys(dialog, "alt+e", "alt+e", "Tab", "Down")
    s.gimp.shot("generate-group", dialog)
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone(TITLE)
    wait_for("new layer", lambda: s.layers() != before, 20)
    boxes = s.sent().get("layout", {}).get("boxes", [])
    tap.check("a layer of the chosen group is a box with its name", "a red fox" in [box["phrase"] for box in boxes], s.sent())
    s.undo()


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    fake = folder / "fake"
    fake.mkdir()
    engine = HERE.parent / "plugin" / "fake-engine.py"
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(engine), PMT_FAKE_FOLDER=str(fake)) as gimp:
        gimp.scheme("(let ((path (car (gimp-path-new " + IMAGE + " \"the sun\")))) (gimp-image-insert-path " + IMAGE + " path 0 0)"
                    " (gimp-path-bezier-stroke-new-ellipse path 300 70 40 40 0))")
        gimp.scheme("(gimp-image-clean-all " + IMAGE + ")")
        session = Pictures(gimp, fake)
        for case in (case_opens, case_stop, case_generate, case_weights, case_completion, case_seed, case_boxes, case_group):
            tap.run(case, session)
    tap.end()


if __name__ == "__main__":
    main()
