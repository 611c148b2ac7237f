#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""presets.py SHOTS: what a dialog keeps, in a real GIMP with the fake engine behind it: presets, and prompts over Cancel and crashes. TAP;
screenshots go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from fill import Session, TITLE, picture  # noqa: E402
from gui import Gimp, run, wait_for  # noqa: E402
from tap import Tap  # noqa: E402

PROFILE = Path(os.environ["PMT_GIMP_TMP"]) / "gimp" / "pentimento"
OWN = PROFILE / "presets.json"
LAST = PROFILE / "plug-in-pentimento-fill.last"


class Keeping(Session):
    def sent(self):
        messages = map(json.loads, (self.fake / "log").read_text().splitlines())
        return [message["job"] for message in messages if message["type"] == "job"][-1]

    def kept(self):
        return LAST.read_text() if LAST.exists() else ""

    def ask(self, dialog, key, title):
        """The window that an item of the presets' menu opens. The menu is the prompt's third or fourth neighbour: themes differ in whether
        the list of presets is one stop or two."""
        for tabs in (3, 4):
            self.gimp.keys(dialog, "alt+p", *["Tab"] * tabs, "space")
            time.sleep(0.5)
            self.gimp.shot("preset-menu")
            run("xdotool", "key", key)
            time.sleep(1.5)
            found = self.gimp.windows(title)
            if found:
                return found[0]
            run("xdotool", "key", "Escape")
        return self.gimp.window(title, 1)

    def done(self, dialog):
        before = self.layers()
        self.gimp.keys(dialog, "alt+g")
        self.gimp.gone(TITLE)
        wait_for("new layer", lambda: self.layers() != before, 20)
        job = self.sent()
        self.undo()
        return job


def case_save(s, tap):
    """Saved under a name, the style around the prompt."""
    dialog = s.open()
    s.gimp.type(dialog, "a heron")
    save = s.ask(dialog, "s", "^Save as Preset$")
    s.gimp.type(save, "Misty")
    s.gimp.keys(save, "Tab", "End")
    s.gimp.type(save, ", in mist")
    s.gimp.shot("preset-save", save)
    s.gimp.keys(save, "Return")
    s.gimp.gone("^Save as Preset$")
    s.gimp.shot("preset-chosen", dialog)
    saved = json.loads(OWN.read_text())["presets"]
    tap.check("the preset is in the user's file", [(p["name"], p["prompt"]) for p in saved] == [("Misty", "{prompt}, in mist")], saved)
    job = s.done(dialog)
    tap.check("and in what is painted", job["prompt"] == "a heron, in mist", job)


def case_rename_and_delete(s, tap):
    dialog = s.open()
    rename = s.ask(dialog, "r", "^Rename Preset$")
    s.gimp.keys(rename, "ctrl+a")
    s.gimp.type(rename, "Watercolour")
    s.gimp.keys(rename, "Return")
    time.sleep(0.5)
    s.gimp.shot("preset-rename", rename)
    tap.check("a shipped preset's name is refused in the window", bool(s.gimp.windows("^Rename Preset$")))
    s.gimp.keys(rename, "ctrl+a")
    s.gimp.type(rename, "Foggy")
    s.gimp.keys(rename, "Return")
    s.gimp.gone("^Rename Preset$")
    tap.check("renamed", [p["name"] for p in json.loads(OWN.read_text())["presets"]] == ["Foggy"], OWN.read_text())
    delete = s.ask(dialog, "d", "^Delete Preset$")
    s.gimp.shot("preset-delete", delete)
    s.gimp.keys(delete, "alt+d")
    s.gimp.gone("^Delete Preset$")
    tap.check("deleted", json.loads(OWN.read_text())["presets"] == [], OWN.read_text())
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(TITLE)


def case_close(s, tap):
    for how, text in (("Escape", "kept over Cancel"), ("alt+F4", "kept over the close button")):
        dialog = s.open()
        s.prompt(dialog, text)
        s.gimp.keys(dialog, how)
        s.gimp.gone(TITLE)
        wait_for("kept prompt", lambda: text in s.kept(), 10)
        tap.check(f"{how}: the prompt is kept", True)


def case_crash(s, tap):
    """The plug-in is killed while the user types; GIMP lives on."""
    dialog = s.open()
    s.prompt(dialog, "kept over a crash")
    wait_for("kept prompt", lambda: "kept over a crash" in s.kept(), 10)
    process = int(run("xdotool", "getwindowpid", dialog))
    command = Path(f"/proc/{process}/cmdline").read_text()
    assert "pentimento" in command, command
    os.kill(process, signal.SIGKILL)
    s.gimp.gone(TITLE)
    time.sleep(1)
    for window in s.gimp.windows("^GIMP Message$"):
        s.gimp.keys(window, "Escape")
    job = s.done(s.open())
    tap.check("the prompt survives the plug-in's death", job["prompt"] == "kept over a crash", job)


def case_forget(s, tap):
    dialog = s.open()
    s.prompt(dialog, "a secret")
    s.gimp.keys(dialog, "alt+a")
    time.sleep(0.5)
    s.gimp.keys(dialog, "alt+u", "Tab", "Tab", "Tab", "Tab", "Tab", "space")  # sampler, preview, full size, precision, then the box to tick
    s.gimp.shot("forget", dialog)
    job = s.done(dialog)
    tap.check("it is painted", job["prompt"] == "a secret", job)
    everywhere = [str(path) for path in PROFILE.parent.rglob("*") if path.is_file() and b"a secret" in path.read_bytes()]
    tap.check("and kept nowhere in the profile", not everywhere, everywhere)
    dialog = s.open()
    job = s.done(dialog)
    tap.check("the next dialog begins empty", job["prompt"] == "", job)


def case_counted(s, tap):
    """What the model reads is the prompt in the preset's style."""
    LAST.write_text('(prompt "a fox")\n(preset "Oil painting")\n')
    dialog = s.open()
    counted = []

    def told():
        messages = map(json.loads, (s.fake / "log").read_text().splitlines())
        counted[:] = [message["prompt"] for message in messages if message["type"] == "tokens"]
        return any(text.startswith("oil painting of a fox, ") for text in counted)
    wait_for("question about the style", told, 20)
    tap.check("tokens are counted with the preset's style, that of what shall not be there too", "photograph, flat colours" in counted, counted)
    s.gimp.shot("preset-counted", dialog)
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(TITLE)


def case_cannot_keep(s, tap):
    """A folder that nobody may write, as far as the plug-in sees: it paints all the same, and says it once."""
    LAST.unlink()
    LAST.mkdir()
    before = s.layers()
    dialog = s.open()
    s.prompt(dialog, "kept nowhere")
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone(TITLE)
    wait_for("new layer", lambda: s.layers() != before, 20)
    message = s.gimp.window("^GIMP Message$", 10)
    s.gimp.shot("cannot-keep", message)
    tap.check("a prompt that cannot be kept is painted, and it is said", s.sent()["prompt"] == "kept nowhere" and bool(message), s.sent())
    s.gimp.keys(message, "Escape")
    s.gimp.gone("^GIMP Message$")
    s.undo()
    LAST.rmdir()


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    fake = folder / "fake"
    fake.mkdir()
    engine = HERE.parent / "plugin" / "fake-engine.py"
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(engine), PMT_FAKE_FOLDER=str(fake)) as gimp:
        session = Keeping(gimp, fake)
        for case in (case_save, case_rename_and_delete, case_close, case_crash, case_forget, case_counted, case_cannot_keep):
            tap.run(case, session)
    tap.end()


if __name__ == "__main__":
    main()
