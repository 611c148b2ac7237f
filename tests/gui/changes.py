#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""changes.py SHOTS: what a person does to the picture and to GIMP while a job runs: nothing is lost, and a sentence says what happened. A real
GIMP with the fake engine behind it. TAP; screenshots go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import os
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from around import plug_ins  # noqa: E402
from fill import IMAGE, TITLE, Session, picture  # noqa: E402
from gui import Gimp, wait_for  # noqa: E402
from tap import Tap  # noqa: E402

KEPT = Path(os.environ["XDG_CACHE_HOME"]) / "pentimento" / "history"


def hold(s):
    """The dialog with a job that goes on until release()."""
    (s.fake / "go").unlink(missing_ok=True)
    s.mode("hold")
    dialog, jobs = s.open(), s.jobs()
    s.gimp.keys(dialog, "alt+g")
    wait_for("job", lambda: s.jobs() > jobs, 30)
    return dialog


def release(s):
    (s.fake / "go").touch()


def bounds(s):
    return s.gimp.scheme("(gimp-selection-bounds " + IMAGE + ")")


def case_selection(s, tap):
    before = bounds(s)
    hold(s)
    s.gimp.scheme("(gimp-image-select-rectangle " + IMAGE + " CHANNEL-OP-REPLACE 3 4 20 10)")
    moved = bounds(s)
    release(s)
    s.gimp.gone(TITLE)
    place = s.gimp.scheme("(gimp-drawable-get-offsets (vector-ref (car (gimp-image-get-layers " + IMAGE + ")) 0))")
    tap.check("another selection in mid-job: the result is where it was asked for, the selection stays as it is now",
              "Fill (" in s.layers() and bounds(s) == moved != before and place == "(96 76)", (s.layers(), bounds(s), moved, place))
    s.undo()
    s.gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")


def case_layer(s, tap):
    s.gimp.scheme("(let ((layer (car (gimp-layer-copy (vector-ref (car (gimp-image-get-layers " + IMAGE + ")) 0)))))"
                  " (gimp-image-insert-layer " + IMAGE + " layer 0 0) (gimp-item-set-name layer \"soon gone\"))")
    hold(s)
    s.gimp.scheme("(gimp-image-remove-layer " + IMAGE + " (car (gimp-image-get-layer-by-name " + IMAGE + " \"soon gone\")))")
    release(s)
    s.gimp.gone(TITLE)
    tap.check("the layer removed in mid-job: the result goes on top", s.layers().startswith('("Fill (') and "soon gone" not in s.layers(), s.layers())
    s.undo()


def case_floating(s, tap):
    """Something cut out and not put down yet."""
    hold(s)
    s.gimp.scheme("(let ((layers (car (gimp-image-get-selected-layers " + IMAGE + "))))"
                  " (gimp-edit-copy layers) (gimp-edit-paste (vector-ref layers 0) TRUE))")
    floating = "(car (gimp-image-get-floating-sel " + IMAGE + "))"
    release(s)
    s.gimp.gone(TITLE)
    there, layers = s.gimp.scheme(floating), s.layers()
    s.gimp.scheme("(gimp-floating-sel-anchor " + floating + ")")
    tap.check("a floating selection made in mid-job: the result is there, and what floats can be put down", "Fill (" in layers and
              there != "-1" and s.gimp.scheme(floating) == "-1" and "meadow" in s.layers() and "Fill (" in s.layers(), (there, layers, s.layers()))
    for _ in range(3):  # the anchoring, the result, the pasting
        s.gimp.act("edit-undo")
        time.sleep(0.5)
    s.gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")


def case_engine(s, tap):
    before = s.layers()
    dialog = hold(s)
    os.kill(int((s.fake / "pid").read_text()), signal.SIGKILL)
    time.sleep(2)
    s.gimp.shot("changes-engine-killed", dialog)
    tap.check("the engine killed in mid-job: the dialog stays, the picture is as it was", s.gimp.windows(TITLE) and s.layers() == before, s.layers())
    s.mode("paint")
    s.generate(dialog)  # the button works again
    tap.check("and another try starts a new engine", "Fill (" in s.layers(), s.layers())
    s.undo()


def case_indexed(s, tap):
    """A picture that is not taken in the end waits beside the settings until it can be."""
    base = "(car (gimp-image-get-base-type " + IMAGE + "))"
    colours = s.gimp.scheme(base)
    dialog = hold(s)
    s.gimp.scheme("(gimp-image-convert-indexed " + IMAGE + ' CONVERT-DITHER-NONE CONVERT-PALETTE-GENERATE 16 FALSE FALSE "")')
    before = s.layers()
    release(s)
    wait_for("the result beside the settings", lambda: s.width(dialog) > 700, 20)
    time.sleep(1)
    s.gimp.shot("changes-indexed", dialog)
    tap.check("a colour table made in mid-job: nothing is applied, and the result waits", s.layers() == before, s.layers())
    s.gimp.act("edit-undo")
    wait_for("colours as before", lambda: s.gimp.scheme(base) == colours, 10)
    s.gimp.keys(dialog, "alt+y")
    s.gimp.gone(TITLE)
    tap.check("and can be applied later", "Fill (" in s.layers(), s.layers())
    s.undo()


def case_closed(s, tap):
    s.gimp.scheme("(gimp-image-clean-all " + IMAGE + ")")
    dialog, kept = hold(s), len(list(KEPT.glob("*/*/entry.json")))
    s.gimp.act("file-close-all")
    wait_for("end of the image", lambda: s.gimp.scheme("(vector-length (car (gimp-get-images)))") == "0", 20)
    release(s)
    time.sleep(2)
    s.gimp.shot("changes-closed", dialog)
    tap.check("the image closed in mid-job: the dialog stays and says so", bool(s.gimp.windows(TITLE)))
    tap.check("and the picture is in the history", len(list(KEPT.glob("*/*/entry.json"))) == kept + 1, list(KEPT.glob("*/*/*")))
    s.gimp.keys(dialog, "Escape")  # which would only stop a job that still runs
    s.gimp.gone(TITLE)
    log = s.gimp.log.read_text(errors="replace")
    tap.check("without a complaint of GIMP's", "CRITICAL" not in log and "crashed" not in log, log[-2000:])


def case_quit(s, tap):
    hold(s)
    s.gimp.act("file-quit")
    wait_for("end of GIMP", lambda: s.gimp.process.poll() is not None, 30)
    wait_for("end of the plug-in", lambda: not plug_ins(), 10)
    tap.check("GIMP left in mid-job: no plug-in is left behind", s.gimp.process.returncode == 0 and not plug_ins(), s.gimp.process.returncode)


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    fake = folder / "fake"
    fake.mkdir()
    engine = HERE.parent / "plugin" / "fake-engine.py"
    for cases in ((case_selection, case_layer, case_floating, case_engine, case_indexed, case_closed), (case_quit,)):
        with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(engine), PMT_FAKE_FOLDER=str(fake)) as gimp:
            gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")
            gimp.scheme("(gimp-image-clean-all " + IMAGE + ")")
            session = Session(gimp, fake)
            for case in cases:
                if os.environ.get("CASE", "") in case.__name__:
                    tap.run(case, session)
    tap.end()


if __name__ == "__main__":
    main()
