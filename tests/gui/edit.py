#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""edit.py SHOTS: the edit dialog in a real GIMP, with the fake engine behind it. TAP; screenshots go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from fill import IMAGE, Session, picture  # noqa: E402
from gui import Gimp, wait_for  # noqa: E402
from tap import Tap  # noqa: E402

TITLE = "^Edit by Instruction$"


class Edits(Session):
    def open(self):
        self.gimp.act("plug-in-pentimento-edit")
        dialog = self.gimp.window(TITLE)
        return self.gimp.ready(dialog)


def case_opens(s, tap):
    dialog = s.open()
    s.gimp.type(dialog, "make it winter")  # the instruction has the focus
    s.gimp.shot("edit", dialog)
    s.gimp.keys(dialog, "alt+a")
    time.sleep(0.5)
    s.gimp.shot("edit-advanced", dialog)
    s.gimp.keys(dialog, "alt+a", "Escape")
    s.gimp.gone(TITLE)
    tap.check("the action opens the dialog, Escape closes it", s.layers().count("meadow") == 1, s.layers())
    warnings = [line for line in s.gimp.log.read_text(errors="replace").splitlines() if "nemonic" in line or "CRITICAL" in line]
    tap.check("no mnemonic is missing or doubled", not warnings, warnings)


def case_stop(s, tap):
    s.mode("slow")
    before = s.layers()
    dialog = s.open()
    s.gimp.keys(dialog, "alt+i", "ctrl+a")
    s.gimp.type(dialog, "make it winter")
    jobs = s.jobs()
    s.gimp.keys(dialog, "alt+g")
    wait_for("job", lambda: s.jobs() > jobs, 20)
    time.sleep(1)
    s.gimp.shot("edit-running")
    s.gimp.keys(dialog, "Escape")
    time.sleep(0.5)
    tap.check("Escape stops the job and leaves the dialog open", bool(s.gimp.windows(TITLE)))
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(TITLE)
    tap.check("a stopped job leaves the picture as it was", s.layers() == before, s.layers())
    s.mode("paint")


def case_edit(s, tap):
    """The instruction of the job that was stopped is still there."""
    before = s.layers()
    dialog = s.open()
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone(TITLE)
    wait_for("new layer", lambda: s.layers() != before, 20)
    after = s.layers()
    s.gimp.shot("edit-done")
    tap.check("the instruction survived the stop; the new layer is named after it", "Edit: make it winter (" in after, after)
    s.undo()
    tap.check("one undo takes it back", s.layers() == before, s.layers())


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    fake = folder / "fake"
    fake.mkdir()
    engine = HERE.parent / "plugin" / "fake-engine.py"
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(engine), PMT_FAKE_FOLDER=str(fake)) as gimp:
        gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")
        gimp.scheme("(gimp-image-clean-all " + IMAGE + ")")
        session = Edits(gimp, fake)
        for case in (case_opens, case_stop, case_edit):
            tap.run(case, session)
    tap.end()


if __name__ == "__main__":
    main()
