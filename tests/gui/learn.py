#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""learn.py SHOTS: Learn a Concept by keyboard, in a real GIMP with the fake engine behind it: pictures, captions, what it says before, while and
after it learns, and going on with what was interrupted. TAP; screenshots go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import gi
from PIL import Image

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from access import complaints, dialog_node, walk  # noqa: E402
from fill import IMAGE, picture           # noqa: E402
from gui import Gimp, run, wait_for       # noqa: E402
from says import press, shown, texts      # noqa: E402
from tap import Tap                       # noqa: E402

TITLE = "^Learn a Concept$"
FOLDER = Path(os.environ["PMT_GIMP_TMP"])
WORDS = Path(os.environ["XDG_DATA_HOME"]) / "pentimento" / "models" / "embeddings"
FAKE = FOLDER / "fake"


def mode(name):
    (FAKE / "mode").write_text(name)


def jobs():
    log = FAKE / "log"
    messages = map(json.loads, log.read_text().splitlines()) if log.exists() else []
    return [message["job"] for message in messages if message["type"] == "job"]


def photos():
    """A set as users have them: some with a caption beside."""
    folder = FOLDER / "photos"
    folder.mkdir()
    for i, (width, height) in enumerate(((300, 200), (120, 260), (200, 200), (160, 120), (320, 240), (90, 90))):
        image = Image.new("RGB", (width, height))
        image.putdata([(x * 255 // width, 60 + 30 * i, y * 255 // height) for y in range(height) for x in range(width)])
        image.save(folder / f"kitten on the sofa {i + 1}.png")
    (folder / "kitten on the sofa 2.txt").write_text("a photo of {} asleep\non a chair\n")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def entries():
    """What stands in the dialog's text fields."""
    fields = [node for node in walk(dialog_node()) if node.get_role_name() in ("text", "entry") and node.get_text_iface()]
    return [Atspi.Text.get_text(node, 0, -1) for node in fields]


def placeholders():
    return [value for node in walk(dialog_node()) for value in (node.get_attributes() or {}).values() if "safetensors" in value] + texts()


def open_dialog(gimp):
    gimp.act("plug-in-pentimento-learn")
    return gimp.ready(gimp.window(TITLE))


def drop(gimp, dialog, paths):
    """Files dragged out of another program onto the list of pictures."""
    with subprocess.Popen([sys.executable, HERE / "drag-source.py", *paths], stdout=subprocess.PIPE, text=True) as other:
        try:
            other.stdout.readline()  # its window is there
            window = gimp.window("^Drag source$")
            time.sleep(0.7)
            run("xdotool", "windowmove", "--sync", window, "20", "20")
            run("xdotool", "windowmove", "--sync", dialog, "300", "60")
            time.sleep(0.5)
            run("xdotool", "mousemove", "60", "80", "mousedown", "1")
            for x, y in ((70, 90), (120, 120), (300, 150), (500, 180), (540, 190), (550, 200)):
                run("xdotool", "mousemove", str(x), str(y))
                time.sleep(0.15)
            run("xdotool", "mouseup", "1")
            time.sleep(1)
        finally:
            other.kill()
    run("xdotool", "mousemove", "1", "895")


def case_opens(gimp, tap):
    dialog = open_dialog(gimp)
    told = shown("1 picture; of so few")
    tap.check("the selected layer is there, and that one is few", not told, told)
    gimp.shot("learn", dialog)
    gimp.keys(dialog, "alt+n")
    told = shown("has no name")
    tap.check("without a word it says so", not told and not jobs(), told)
    gimp.shot("learn-no-name", dialog)
    gimp.keys(dialog, "Escape")
    gimp.gone(TITLE)


def fill_in(gimp, dialog, paths):
    drop(gimp, dialog, paths)
    gimp.keys(dialog, "alt+w", "ctrl+a")
    gimp.type(dialog, "my-kitten")
    gimp.keys(dialog, "alt+k", "ctrl+a")
    gimp.type(dialog, "cat")


def case_fills(gimp, tap):
    dialog = open_dialog(gimp)
    fill_in(gimp, dialog, sorted(photos().iterdir()))
    told = shown("7 pictures")
    tap.check("files are dropped on the list, with their captions; texts are none", not told and any("asleep on a chair" in text for text in texts()), texts())
    told = shown("1.5 GB, about 67 min")
    tap.check("what it takes is said before", not told, told)
    tap.check("and where it goes", any(text.endswith("embeddings/my-kitten.safetensors") for text in placeholders()), placeholders())
    gimp.keys(dialog, "alt+p", "Home", "Return")
    time.sleep(0.3)
    gimp.type(dialog, "a {} in a meadow")
    gimp.shot("learn-caption", dialog)
    gimp.keys(dialog, "Return")
    told = shown("a {} in a meadow")
    tap.check("a caption is edited in its row", not told, told)
    gimp.keys(dialog, "End", "Delete")
    told = shown("6 pictures")
    tap.check("and a row is removed by keyboard", not told, told)
    gimp.shot("learn-filled", dialog)
    gimp.keys(dialog, "alt+a")
    time.sleep(0.7)
    gimp.shot("learn-advanced", dialog)
    gimp.keys(dialog, "alt+a")
    time.sleep(0.5)


def case_stop(gimp, tap):
    """Of the dialog that is open, as it is filled."""
    dialog = gimp.window(TITLE)
    mode("slow")
    gimp.keys(dialog, "alt+n")
    told = shown("How far off the model still is")
    tap.check("it shows what it does", not told, told)
    time.sleep(3)
    gimp.shot("learn-running", dialog)
    start = time.monotonic()
    gimp.keys(dialog, "Escape")
    told = shown("What was learned so far is kept")
    tap.check("Escape stops it, and what was found is kept", not told and time.monotonic() - start < 5, told)
    gimp.shot("learn-stopped", dialog)
    sent = jobs()[-1]
    tap.check("captions went with their pictures", [picture.get("caption", "") for picture in sent["pictures"]] ==
              ["a {} in a meadow", "", "a photo of {} asleep on a chair", "", "", ""], sent["pictures"])
    gimp.keys(dialog, "Escape")
    gimp.gone(TITLE)


def case_goes_on(gimp, tap):
    """What was interrupted is there again, with its pictures."""
    wait_for("half a file", (WORDS / "my-kitten.safetensors.learning").exists, 20)
    mode("paint")
    dialog = open_dialog(gimp)
    told = shown("6 pictures")
    tap.check("the pictures come back", not told and any("asleep on a chair" in text for text in texts()), told)
    before = jobs()[-1]
    gimp.keys(dialog, "alt+n")
    question = wait_for("question", lambda: [window for window in gimp.windows(TITLE) if window != dialog], 20)[0]
    gimp.ready(question)
    gimp.shot("learn-interrupted", question)
    tap.check("it asks whether to go on", len(jobs()) == 1, len(jobs()))
    gimp.keys(question, "alt+g")
    told = shown("Write “my-kitten” in any prompt. The loss went from 0.2000 to 0.1000.")
    tap.check("and says how it is used", not told, told)
    time.sleep(0.5)
    gimp.shot("learn-done", dialog)
    tap.check("the same job went on", jobs()[-1] == before, jobs()[-1])
    tap.check("to its end", (WORDS / "my-kitten.safetensors").read_bytes() == b"learned" and not (WORDS / "my-kitten.safetensors.learning").exists())
    press("Copy to Clipboard")
    gimp.keys(dialog, "alt+w", "ctrl+a", "ctrl+v", "ctrl+a")
    tap.check("what is written in prompts is copied", any(text == "my-kitten" for text in entries()), entries())
    gimp.keys(dialog, "alt+n")
    question = gimp.ready(gimp.window("^Replace my-kitten.safetensors.$", 20))
    gimp.shot("learn-replace", question)
    gimp.keys(question, "Escape")
    gimp.ready(dialog)
    tap.check("nothing is replaced without asking", len(jobs()) == 2, len(jobs()))


def case_lora(gimp, tap):
    dialog = gimp.window(TITLE)
    gimp.keys(dialog, "alt+h", "Down")
    time.sleep(0.5)
    told = shown("Learns what the pictures show")
    tap.check("the other kind says what it is", not told, told)
    gimp.shot("learn-lora", dialog)
    mode("tight")
    gimp.keys(dialog, "alt+e", "ctrl+a", "5", "Tab")
    told = shown("Learning this needs 9.0 GB of memory and 3.0 GB are free")
    tap.check("too little memory is said before", not told, told)
    gimp.shot("learn-tight", dialog)
    mode("paint")
    gimp.keys(dialog, "alt+n")
    told = shown("Write “<lora:my-kitten:1> my-kitten cat” in any prompt.")
    tap.check("a LoRA is used with its tag and word", not told, told)
    gimp.shot("learn-lora-done", dialog)
    mode("error")
    gimp.keys(dialog, "alt+w", "ctrl+a")
    gimp.type(dialog, "other")
    gimp.keys(dialog, "alt+n")
    told = shown("does not say where the word stands")
    tap.check("the engine's sentence is shown", not told, told)
    gimp.shot("learn-error", dialog)
    mode("paint")
    gimp.keys(dialog, "Escape")
    gimp.gone(TITLE)
    tap.check("the image is as it was", gimp.scheme(f"(length (vector->list (car (gimp-image-get-layers {IMAGE}))))") == "1")


def main():
    tap = Tap()
    FAKE.mkdir()
    with Gimp(picture(FOLDER), sys.argv[1], PENTIMENTO_ENGINE=str(HERE.parent / "plugin" / "fake-engine.py"), PMT_FAKE_FOLDER=str(FAKE),
              NO_AT_BRIDGE="0") as gimp:
        for case in (case_opens, case_fills, case_stop, case_goes_on, case_lora):
            tap.run(case, gimp)
        tap.check("no mnemonic is missing or doubled", not complaints(gimp), "\n".join(complaints(gimp)))
    tap.end()


if __name__ == "__main__":
    main()
