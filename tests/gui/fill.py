#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""fill.py SHOTS: the fill dialog in a real GIMP, with the fake engine behind it. TAP; screenshots go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import os
import re
import signal
import sys
import time
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from gui import Gimp, run, wait_for  # noqa: E402
from tap import Tap  # noqa: E402

IMAGE = "(vector-ref (car (gimp-get-images)) 0)"
NAMES = ("(let walk ((items (vector->list (car (gimp-image-get-layers " + IMAGE + ")))))"
         " (if (null? items) '() (append (list (car (gimp-item-get-name (car items))))"
         " (if (= TRUE (car (gimp-item-is-group (car items)))) (walk (vector->list (car (gimp-item-get-children (car items))))) '())"
         " (walk (cdr items)))))")
TITLE = "^Fill Selection$"


def picture(folder):
    path = folder / "meadow.png"
    image = Image.new("RGB", (400, 300))
    image.putdata([(x * 255 // 400, 90 + y * 120 // 300, 128 - x // 5) for y in range(300) for x in range(400)])
    image.save(path)
    return path


class Session:
    def __init__(self, gimp, fake):
        self.gimp, self.fake = gimp, fake

    def mode(self, name):
        (self.fake / "mode").write_text(name)

    def open(self):
        self.gimp.act("plug-in-pentimento-fill")
        dialog = self.gimp.window(TITLE)
        return self.gimp.ready(dialog)

    def prompt(self, dialog, text):
        self.gimp.keys(dialog, "alt+p", "ctrl+a")
        self.gimp.type(dialog, text)

    def generate(self, dialog):
        self.gimp.keys(dialog, "alt+g")
        self.gimp.gone(TITLE)

    def layers(self):
        return self.gimp.scheme(NAMES)

    def undo(self):
        before = self.layers()
        self.gimp.act("edit-undo")
        wait_for("undo", lambda: self.layers() != before, 10)

    def done(self):
        """How many jobs the engine has finished."""
        log = self.fake / "done"
        return len(log.read_text()) if log.exists() else 0

    def width(self, window):
        return int(re.search(r"Width: (\d+)", run("xwininfo", "-id", window))[1])

    def jobs(self):
        log = self.fake / "log"
        return log.read_text().count('"type": "job"') if log.exists() else 0


def case_opens(s, tap):
    dialog = s.open()
    s.prompt(dialog, "a red mushroom in the grass")
    s.gimp.shot("fill", dialog)
    s.gimp.keys(dialog, "alt+a")
    time.sleep(0.5)
    s.gimp.shot("fill-advanced", dialog)
    s.gimp.keys(dialog, "alt+a", "alt+n")
    time.sleep(0.5)
    s.gimp.shot("fill-negative", dialog)
    s.gimp.keys(dialog, "alt+n", "Escape")
    s.gimp.gone(TITLE)
    tap.check("the action opens the dialog, Escape closes it", s.layers().count("meadow") == 1, s.layers())
    warnings = [line for line in s.gimp.log.read_text(errors="replace").splitlines() if "nemonic" in line or "CRITICAL" in line]
    tap.check("no mnemonic is missing or doubled", not warnings, warnings)


def case_stop(s, tap):
    s.mode("slow")
    before = s.layers()
    dialog = s.open()
    s.prompt(dialog, "an owl that is never finished")
    jobs = s.jobs()
    s.gimp.keys(dialog, "alt+g")
    wait_for("job", lambda: s.jobs() > jobs, 20)
    time.sleep(1)
    s.gimp.shot("fill-running")
    start = time.monotonic()
    s.gimp.keys(dialog, "Escape")
    time.sleep(0.5)
    s.gimp.shot("fill-stopped", dialog)
    tap.check("Escape stops the job and leaves the dialog open", s.gimp.windows(TITLE) and time.monotonic() - start < 5)
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(TITLE)
    tap.check("a stopped job leaves the picture as it was", s.layers() == before, s.layers())


def case_generate(s, tap):
    """The prompt of the job that was stopped is still there."""
    s.mode("paint")
    before = s.layers()
    s.generate(s.open())
    after = s.layers()
    s.gimp.shot("fill-done")
    tap.check("the prompt survived the stop; the new layer is named after it", "Fill: an owl that is never finished (" in after, after)
    tap.check("the user's layer is still the selected one",
              "meadow" in s.gimp.scheme("(car (gimp-item-get-name (vector-ref (car (gimp-image-get-selected-layers " + IMAGE + ")) 0)))"))
    s.undo()
    tap.check("one undo takes it back", s.layers() == before, s.layers())
    s.gimp.act("edit-redo")
    wait_for("redo", lambda: s.layers() == after, 10)
    s.undo()
    tap.check("redo and undo again", s.layers() == before, s.layers())


def group_of(s):
    """Names and visibility of the layers in the group of variants, from top to bottom."""
    group = "(vector-ref (car (gimp-image-get-layers " + IMAGE + ")) 0)"
    return s.gimp.scheme("(map (lambda (item) (list (car (gimp-item-get-name item)) (car (gimp-item-get-visible item))))"
                         " (vector->list (car (gimp-item-get-children " + group + "))))")


def case_variants(s, tap):
    """Three results to look at: two are ticked by keyboard and go into one group."""
    before = s.layers()
    dialog = s.open()
    s.prompt(dialog, "three owls")
    s.gimp.keys(dialog, "alt+d", "ctrl+a", *"100", "Tab", "alt+v", "ctrl+a", "3", "Tab")
    done = s.done()
    s.gimp.keys(dialog, "alt+g")
    wait_for("results", lambda: s.done() > done and s.width(dialog) > 700, 30)
    s.gimp.ready(dialog)  # the first of them came before the last
    time.sleep(1)
    s.gimp.shot("fill-results", dialog)
    tap.check("several results are shown, and the picture is as it was", s.layers() == before, s.layers())
    s.gimp.keys(dialog, "space", "Right", "Right", "space")
    s.gimp.keys(dialog, "alt+b")
    time.sleep(1.5)
    s.gimp.shot("fill-results-before", dialog)
    s.gimp.keys(dialog, "alt+b", "alt+y")
    s.gimp.gone(TITLE)
    after = s.layers()
    s.gimp.shot("fill-variants")
    tap.check("the two that were ticked are in one group, and the first is visible",
              group_of(s) == '(("Fill: three owls (100)" 1) ("Fill: three owls (102)" 0))' and '"Pentimento 20' in after, (group_of(s), after))
    s.undo()
    tap.check("one undo takes them back", s.layers() == before, s.layers())


def case_more(s, tap):
    """Further variants continue the seeds; Return applies the one that is shown."""
    before = s.layers()
    dialog = s.open()
    s.gimp.keys(dialog, "alt+v", "ctrl+a", "2", "Tab")
    done = s.done()
    s.gimp.keys(dialog, "alt+g")
    wait_for("results", lambda: s.done() > done and s.width(dialog) > 700, 30)
    s.gimp.ready(dialog)  # the first of them came before the last
    s.gimp.keys(dialog, "alt+m")
    wait_for("more results", lambda: s.done() > done + 1, 30)
    time.sleep(1)
    s.gimp.shot("fill-more", dialog)
    s.gimp.keys(dialog, "Return")
    s.gimp.gone(TITLE)
    tap.check("the first of the new results is shown and applied, with the seed that follows", s.layers().count("(102)") == 1 and s.layers().count("Fill:") == 1, s.layers())
    s.undo()
    tap.check("one undo takes it back", s.layers() == before, s.layers())


def case_discard(s, tap):
    before = s.layers()
    dialog = s.open()
    width, done = s.width(dialog), s.done()
    s.gimp.keys(dialog, "alt+g")
    wait_for("results", lambda: s.done() > done and s.width(dialog) > 700, 30)
    s.gimp.ready(dialog)  # the first of them came before the last
    s.gimp.keys(dialog, "alt+h")
    wait_for("the dialog without results", lambda: s.width(dialog) == width, 10)
    s.gimp.shot("fill-thrown-away", dialog)
    s.gimp.keys(dialog, "alt+h")
    wait_for("the results again", lambda: s.width(dialog) > 700, 10)
    s.gimp.shot("fill-brought-back", dialog)
    tap.check("what is thrown away can be brought back", s.layers() == before, s.layers())
    s.gimp.keys(dialog, "alt+h")
    wait_for("the dialog without results", lambda: s.width(dialog) == width, 10)
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(TITLE)
    tap.check("what is thrown away leaves nothing", s.layers() == before, s.layers())


def hold_last(s, variants):
    """The dialog with a job that has painted all its pictures but the last."""
    (s.fake / "go").unlink(missing_ok=True)
    s.mode("hold-last")
    dialog = s.open()
    s.gimp.keys(dialog, "alt+d", "ctrl+a", *"100", "Tab", "alt+v", "ctrl+a", *str(variants), "Tab", "alt+g")
    wait_for("the first results, in mid-job", lambda: s.width(dialog) > 700, 30)
    time.sleep(1)
    return dialog


def kept_seed():
    text = (Path(os.environ["GIMP3_DIRECTORY"]) / "pentimento/plug-in-pentimento-fill.last").read_text()
    return re.search(r"\(last-seed (-?\d+)\)", text)[1]


def case_stop_late(s, tap):
    """What was painted before Escape stays, to choose from."""
    before, layers = s.layers(), None
    dialog = hold_last(s, 3)
    s.gimp.shot("fill-arriving", dialog)
    s.gimp.keys(dialog, "Escape")
    time.sleep(1)
    s.gimp.shot("fill-stopped-late", dialog)
    tap.check("Escape in mid-job keeps what is done, and the dialog", s.gimp.windows(TITLE) and s.width(dialog) > 700 and s.layers() == before)
    s.gimp.keys(dialog, "Right", "Return")
    s.gimp.gone(TITLE)
    layers = s.layers()
    tap.check("and it can be applied", "(101)" in layers and layers.count("Fill:") == 1, layers)
    tap.check("the seed to lock is the applied one's", kept_seed() == "101", kept_seed())
    s.undo()


def case_failure_late(s, tap):
    """What was painted before an error, or before the engine's end, stays too."""
    before = s.layers()
    s.mode("error-last")
    dialog = s.open()
    s.gimp.keys(dialog, "alt+g")
    wait_for("results", lambda: s.width(dialog) > 700, 30)
    time.sleep(1)
    s.gimp.shot("fill-failed-late", dialog)
    s.gimp.keys(dialog, "Return")
    s.gimp.gone(TITLE)
    tap.check("an error leaves what was done before it", "(100)" in s.layers(), s.layers())
    s.undo()
    dialog = hold_last(s, 3)
    os.kill(int((s.fake / "pid").read_text()), signal.SIGKILL)
    time.sleep(2)
    s.gimp.shot("fill-died-late", dialog)
    s.gimp.keys(dialog, "Return")
    s.gimp.gone(TITLE)
    tap.check("so does an engine that dies", "(100)" in s.layers(), s.layers())
    s.undo()
    tap.check("one undo takes it back", s.layers() == before, s.layers())
    s.mode("paint")


def case_failure(s, tap):
    s.mode("error")
    before = s.layers()
    dialog = s.open()
    jobs = s.jobs()
    s.gimp.keys(dialog, "alt+g")
    wait_for("job", lambda: s.jobs() > jobs, 20)
    time.sleep(1)
    s.gimp.shot("fill-failed", dialog)
    tap.check("a failed job leaves the dialog open and the picture as it was", s.gimp.windows(TITLE) and s.layers() == before)
    s.mode("paint")
    s.gimp.keys(dialog, "alt+v", "ctrl+a", "1", "Tab")
    s.generate(dialog)
    tap.check("another try in the same dialog succeeds", "Fill: three owls" in s.layers(), s.layers())
    s.undo()


def case_indexed(s, tap):
    s.gimp.scheme("(gimp-image-convert-indexed " + IMAGE + " CONVERT-DITHER-NONE CONVERT-PALETTE-GENERATE 16 FALSE FALSE \"\")")
    base = "(car (gimp-image-get-base-type " + IMAGE + "))"
    indexed = s.gimp.scheme(base)
    dialog = s.open()
    s.gimp.keys(dialog, "alt+g")
    time.sleep(1)
    s.gimp.shot("fill-indexed", dialog)
    tap.check("a picture with a colour table is refused with a sentence", s.gimp.windows(TITLE) and "Fill:" not in s.layers())
    s.gimp.keys(dialog, "alt+b")
    s.generate(dialog)
    tap.check("with consent it is converted and filled", s.gimp.scheme(base) != indexed and "Fill:" in s.layers(), s.layers())
    s.undo()
    tap.check("one undo brings the colour table back", s.gimp.scheme(base) == indexed and "Fill:" not in s.layers(), s.layers())


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    fake = folder / "fake"
    fake.mkdir()
    engine = HERE.parent / "plugin" / "fake-engine.py"
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(engine), PMT_FAKE_FOLDER=str(fake)) as gimp:
        gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")
        gimp.scheme("(gimp-image-clean-all " + IMAGE + ")")
        session = Session(gimp, fake)
        for case in (case_opens, case_stop, case_generate, case_variants, case_more, case_discard, case_stop_late, case_failure_late, case_failure, case_indexed):
            if os.environ.get("CASE", "") in case.__name__:
                tap.run(case, session)
    tap.end()


if __name__ == "__main__":
    main()
