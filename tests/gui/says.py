#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""says.py SHOTS: what a dialog says in the line above its buttons, before anything is painted, as a screen reader finds it. A real GIMP with
the fake engine behind it. TAP; screenshots go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import json
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from around import plug_ins                              # noqa: E402
from access import complaints, dialog_node, walk         # noqa: E402
from dialogs import close_dialog, open_dialog, windows   # noqa: E402
from fill import IMAGE, picture                          # noqa: E402
from gui import Gimp, GuiError, wait_for                 # noqa: E402
from tap import Tap                                      # noqa: E402


def texts():
    """The text of every label of the dialog."""
    root = dialog_node()
    return [node.get_name().replace("\u00a0", " ") for node in walk(root) if node.get_name()] if root else []


def shown(words):
    """Waits until the dialog says something with these words; what it says instead, or ""."""
    try:
        wait_for(words, lambda: any(words in text for text in texts()), 20)
    except GuiError:
        return "\n".join(texts())
    return ""


def press(label):
    """The first button with that in its label."""
    button = [node for node in walk(dialog_node()) if node.get_role_name() in ("push button", "button") and label in node.get_name()][0]
    button.get_action_iface().do_action(0)


def says(gimp, name, words, shot=None):
    """Opens the dialog and waits until it says something with these words; what it says instead, or ""."""
    window = open_dialog(gimp, name)
    told = shown(words)
    gimp.shot(shot or f"says-{name}", window)
    close_dialog(gimp, window)
    return told


def asked():
    """Kinds of messages that the engine got."""
    log = Path(os.environ["PMT_GIMP_TMP"]) / "fake" / "log"
    return [json.loads(line)["type"] for line in log.read_text().splitlines()] if log.exists() else []


def case_no_engine(gimp, tap):
    """An engine that comes late is still asked what there is to choose from."""
    fake = Path(os.environ["PMT_GIMP_TMP"]) / "fake"
    (fake / "mode").write_text("quit")
    window = open_dialog(gimp, "generate")
    time.sleep(10)
    tap.check("there is no engine", not asked(), asked())
    (fake / "mode").write_text("paint")
    gimp.keys(window, "alt+v", "ctrl+a", "2", "Tab")
    told = shown("80 × 64, enlarged to 400 × 300, ")
    tap.check("the next estimate finds one", not told, told)
    kinds = {"methods", "samplers", "preprocessors"}
    wait_for("questions", lambda: kinds <= set(asked()), 20)
    tap.check("and then all lists are asked for again, once each", [asked().count(kind) for kind in sorted(kinds)] == [1, 1, 1], asked())
    gimp.shot("says-no-engine", window)
    gimp.keys(window, "alt+v", "ctrl+a", "1", "Tab")
    close_dialog(gimp, window)


def case_nothing_selected(gimp, tap):
    gimp.scheme("(gimp-selection-none " + IMAGE + ")")
    for name in ("fill", "refine", "edit"):
        told = says(gimp, name, "Nothing is selected, so all of the picture is painted: 64 × 64", f"says-{name}-everything")
        tap.check(f"{name} says that all of the picture is painted where nothing is selected", not told, told)
    for name, words in (("add", "select the place where"), ("remove", "select the thing that")):
        told = says(gimp, name, "Nothing is selected: " + words)
        tap.check(f"{name} says that something has to be selected", not told, told)


def case_selected(gimp, tap):
    gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")
    for name in ("fill", "add"):
        window = open_dialog(gimp, name)
        wait_for("the estimate", lambda: any("64 × 64, " in text for text in texts()), 20)
        tap.check(f"{name} says nothing of that where something is", not any("Nothing is selected" in text for text in texts()), "\n".join(texts()))
        close_dialog(gimp, window)


def case_enlarged(gimp, tap):
    gimp.scheme("(gimp-selection-none " + IMAGE + ")")
    told = says(gimp, "generate", "80 × 64, enlarged to 400 × 300, ")
    tap.check("Generate says by how much its picture is enlarged", not told, told)


def case_tight(gimp, tap):
    """Too little memory: a smaller picture for as long as the dialog is open, and the line says so."""
    mode = Path(os.environ["PMT_GIMP_TMP"]) / "fake" / "mode"
    mode.write_text("tight")
    gimp.scheme("(gimp-selection-none " + IMAGE + ")")
    for name in ("generate", "describe"):
        window = open_dialog(gimp, name)
        gimp.type(window, "a house")
        told = shown("needs 9.0 GB of memory")
        if not told:
            press("Paint at")
            told = shown("(painted smaller: memory is short)")
        gimp.shot(f"says-{name}-smaller", window)
        tap.check(f"{name}: what is painted smaller is called so", not told, told)
        close_dialog(gimp, window)
        told = says(gimp, name, "needs 9.0 GB of memory", f"says-{name}-tight")
        tap.check(f"{name}: the next time it is asked for again", not told, told)
    mode.write_text("paint")
    window = open_dialog(gimp, "generate")
    gimp.keys(window, "alt+g")
    wait_for("end of the dialog", lambda: window not in windows(), 30)
    wait_for("end of the call", lambda: not plug_ins(), 30)
    mode.write_text("tight")
    gimp.scheme(f"(gimp-image-set-selected-layers {IMAGE} (vector (vector-ref (car (gimp-image-get-layers {IMAGE})) 0)))")
    told = says(gimp, "recipe-vary", "close other programs, or run the recipe in a smaller selection.")
    tap.check("a recipe's own size is not offered smaller", not told, told)
    mode.write_text("paint")


def case_repeat(gimp, tap):
    """GIMP keeps no channel among the last settings: Repeat does not paint over what was protected, it asks."""
    log = Path(os.environ["PMT_GIMP_TMP"]) / "fake" / "log"
    gimp.scheme(f"(gimp-image-select-rectangle {IMAGE} CHANNEL-OP-REPLACE 120 100 40 30)")
    gimp.scheme(f"(gimp-item-set-name (car (gimp-selection-save {IMAGE})) \"kept\")")
    gimp.scheme(f"(gimp-image-set-selected-layers {IMAGE} (vector (vector-ref (car (gimp-image-get-layers {IMAGE})) 0)))")
    gimp.scheme(f"(gimp-image-select-ellipse {IMAGE} CHANNEL-OP-REPLACE 100 80 120 90)")
    window = open_dialog(gimp, "refine")
    gimp.keys(window, "alt+i", "alt+k", "Tab", "Down")
    gimp.shot("says-protect", window)
    gimp.keys(window, "alt+g")
    wait_for("end of the dialog", lambda: window not in windows(), 30)
    wait_for("end of the call", lambda: not plug_ins(), 30)
    jobs = log.read_text().count('"type": "job"')
    gimp.act("filters-repeat")
    window = wait_for("the dialog, or a job", lambda: windows() or (log.read_text().count('"type": "job"') > jobs and {None}), 30).pop()
    told = "" if window is None else "\n".join(texts())
    if window and "Not brought back" not in told:
        time.sleep(2)
        told = "\n".join(texts())
    tap.check("Repeat after a channel was protected opens the dialog and says what to choose again",
              "Not brought back: what was protected. Choose it again" in told and log.read_text().count('"type": "job"') == jobs, told)
    if window:
        gimp.shot("says-repeat", gimp.ready(window))
        close_dialog(gimp, window)


def case_closed(gimp, tap):
    window = open_dialog(gimp, "fill")
    gimp.scheme("(gimp-image-clean-all " + IMAGE + ")")
    gimp.act("file-close-all")
    wait_for("end of the image", lambda: gimp.scheme("(vector-length (car (gimp-get-images)))") == "0", 20)
    gimp.keys(window, "alt+g")
    time.sleep(1)
    gimp.shot("says-closed", window)
    told = "\n".join(texts())
    tap.check("an image that was closed while nothing ran is called closed, and no job is spoken of",
              window in windows() and "The image was closed: open it again" in told and "job ran" not in told, told)
    close_dialog(gimp, window)
    tap.check("without a complaint of GIMP's", not complaints(gimp), "\n".join(complaints(gimp)))


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    (folder / "fake").mkdir()
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(HERE.parent / "plugin" / "fake-engine.py"), PMT_FAKE_FOLDER=str(folder / "fake"),
              NO_AT_BRIDGE="0") as gimp:
        for case in (case_no_engine, case_nothing_selected, case_selected, case_enlarged, case_tight, case_repeat, case_closed):
            if os.environ.get("CASE", "") in case.__name__:
                tap.run(case, gimp)
    tap.end()


if __name__ == "__main__":
    main()
