#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""during.py SHOTS: what a dialog says before a job and shows while it runs, in a real GIMP with the fake engine behind it. TAP; screenshots
go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import json
import os
import sys
import time
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from fill import IMAGE, Session, picture  # noqa: E402
from gui import Gimp, wait_for  # noqa: E402
from tap import Tap  # noqa: E402

TITLE = "^Generate$"
GREEN, VIOLET = (96, 200, 64), (120, 60, 160)


class Painting(Session):
    def open(self):
        self.gimp.act("plug-in-pentimento-generate")
        dialog = self.gimp.window(TITLE)
        return self.gimp.ready(dialog)

    def messages(self, kind):
        log = self.fake / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [message for message in map(json.loads, lines) if message["type"] == kind]

    def share(self, name, dialog, colour):
        """Part of a screenshot's pixels that have that colour."""
        shot = Image.open(self.gimp.shot(name, dialog)).convert("RGB")
        near = sum(all(abs(a - b) <= 6 for a, b in zip(pixel, colour)) for pixel in shot.getdata())
        return near / (shot.width * shot.height)


def case_before(s, tap):
    """A line about the job, asked for when the dialog opens and again when what counts for it changes."""
    dialog = s.open()
    wait_for("question", lambda: s.messages("estimate"), 20)
    time.sleep(1)
    s.gimp.shot("before", dialog)
    asked = len(s.messages("estimate"))
    s.gimp.type(dialog, "a lighthouse in the evening")
    time.sleep(1.5)
    tap.check("typing a prompt asks nothing", len(s.messages("estimate")) == asked, s.messages("estimate"))
    s.gimp.keys(dialog, "alt+v", "ctrl+a", "3", "Tab")
    wait_for("question about three variants", lambda: any(m["job"]["variants"] == 3 for m in s.messages("estimate")), 20)
    tap.check("another setting asks anew", True)
    asked = len(s.messages("estimate"))
    s.gimp.scheme("(gimp-image-select-rectangle " + IMAGE + " CHANNEL-OP-REPLACE 40 30 120 200)")
    wait_for("question about the selection", lambda: len(s.messages("estimate")) > asked, 20)
    tap.check("so does another selection", True)
    s.gimp.keys(dialog, "alt+v", "ctrl+a", "1", "Tab")  # several results would wait in the dialog
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(TITLE)


def case_preview_setting(s, tap):
    """What is shown of a picture in the making costs time, so it belongs to the question too; and it holds for further pictures."""
    before = s.layers()
    dialog = s.open()
    wait_for("question", lambda: s.messages("estimate")[-1]["preview"] == "linear", 20)
    s.gimp.keys(dialog, "alt+a", "alt+i", "Tab", "Tab", "Down")  # sampler, preview
    s.gimp.shot("before-preview", dialog)
    wait_for("question about exact previews", lambda: s.messages("estimate")[-1]["preview"] == "decoded", 20)
    tap.check("another preview asks anew", True)
    s.gimp.keys(dialog, "Down", "alt+v", "ctrl+a", "2", "Tab", "alt+g")
    wait_for("two pictures", lambda: s.done() and s.width(dialog) > 700, 30)
    s.gimp.ready(dialog)
    jobs = s.jobs()
    s.gimp.keys(dialog, "alt+m")
    wait_for("further pictures", lambda: s.jobs() > jobs, 20)
    s.gimp.ready(dialog)
    tap.check("no preview is none for further pictures, too", [m["preview"] for m in s.messages("job")] == ["none", "none"],
              [m["preview"] for m in s.messages("job")])
    s.gimp.keys(dialog, "alt+i", "Tab", "Tab", "Up", "Up", "alt+v", "ctrl+a", "1", "Tab")
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(TITLE)
    tap.check("and nothing is applied", s.layers() == before, s.layers())


def case_too_large(s, tap):
    s.mode("tight")
    before = s.layers()
    dialog = s.open()
    time.sleep(2.5)
    s.gimp.shot("before-too-large", dialog)
    jobs = s.jobs()
    s.gimp.keys(dialog, "alt+g")
    time.sleep(2)
    tap.check("what does not fit into memory is not begun", s.jobs() == jobs and bool(s.gimp.windows(TITLE)))
    s.gimp.shot("before-refused", dialog)
    s.gimp.keys(dialog, "alt+i")
    time.sleep(2.5)
    s.gimp.shot("before-shrunk", dialog)
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone(TITLE)
    wait_for("new layer", lambda: s.layers() != before, 20)
    size = s.messages("job")[-1]["job"]["size"]
    tap.check("the button paints it as large as fits", size == [32, 48], size)
    s.undo()
    tap.check("one undo takes it back", s.layers() == before, s.layers())
    s.mode("paint")


def case_preview_and_cancel(s, tap):
    s.mode("slow")
    before = s.layers()
    dialog = s.open()
    s.gimp.keys(dialog, "alt+g")
    wait_for("picture in the making", lambda: s.share("during", dialog, GREEN) > 0.02, 30)
    tap.check("the picture in the making is shown", s.share("during", dialog, VIOLET) + s.share("during", dialog, GREEN) > 0.2)
    s.gimp.shot("during-gimp")
    s.gimp.keys(dialog, "Escape")
    time.sleep(1)
    tap.check("after Cancel the settings are back", s.share("during-stopped", dialog, GREEN) < 0.001 and bool(s.gimp.windows(TITLE)))
    tap.check("a stopped job leaves the picture as it was", s.layers() == before, s.layers())
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(TITLE)


def case_keep(s, tap):
    before = s.layers()
    dialog = s.open()
    s.gimp.keys(dialog, "alt+g")
    wait_for("picture in the making", lambda: s.share("during-keep", dialog, GREEN) > 0.02, 30)
    s.gimp.keys(dialog, "alt+k")
    s.gimp.gone(TITLE)
    wait_for("new layer", lambda: s.layers() != before, 20)
    tap.check("Keep This asks the engine once", len(s.messages("keep")) == 1, s.messages("keep"))
    tap.check("and makes one layer of what there is", s.layers().count("Generate: ") == before.count("Generate: ") + 1, s.layers())
    s.gimp.shot("during-kept")
    s.undo()
    tap.check("one undo takes it back", s.layers() == before, s.layers())
    s.mode("paint")


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    fake = folder / "fake"
    fake.mkdir()
    engine = HERE.parent / "plugin" / "fake-engine.py"
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(engine), PMT_FAKE_FOLDER=str(fake)) as gimp:
        session = Painting(gimp, fake)
        for case in (case_before, case_preview_setting, case_too_large, case_preview_and_cancel, case_keep):
            tap.run(case, session)
    tap.end()


if __name__ == "__main__":
    main()
