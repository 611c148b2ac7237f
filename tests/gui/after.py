#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""after.py SHOTS: what comes after a run, in a real GIMP with the fake engine behind it: recipes that are shown, varied, changed and stripped,
also after saving and reopening, and the history of the session. TAP; screenshots go to the folder SHOTS.

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

from fill import IMAGE, NAMES, Session, picture  # noqa: E402
from gui import Gimp, wait_for  # noqa: E402
from tap import Tap  # noqa: E402

FILL = "^Fill Selection$"
PROFILE = Path(os.environ["PMT_GIMP_TMP"]) / "gimp" / "pentimento"
KEPT = Path(os.environ["XDG_CACHE_HOME"]) / "pentimento" / "history"
LAYERS = f"(car (gimp-image-get-layers {IMAGE}))"


class After(Session):
    image = IMAGE

    def dialog(self, action, title):
        self.gimp.act(f"plug-in-pentimento-{action}")
        window = self.gimp.window(title)
        return self.gimp.ready(window)

    def sent(self):
        messages = map(json.loads, (self.fake / "log").read_text().splitlines())
        return [message["job"] for message in messages if message["type"] == "job"][-1]

    def estimates(self):
        return (self.fake / "log").read_text().count('"type": "estimate"')

    def last_estimate(self):
        messages = map(json.loads, (self.fake / "log").read_text().splitlines())
        return [message["job"] for message in messages if message["type"] == "estimate"][-1]

    def layers(self):
        """By the image's number: a recipe that runs again has a copy of the image for a moment."""
        return self.gimp.scheme(NAMES.replace(IMAGE, self.image))

    def select_top(self):
        self.gimp.scheme(f"(gimp-image-set-selected-layers {IMAGE} (vector (vector-ref {LAYERS} 0)))")

    def fill_in(self, text, seed, variants=1):
        """Opens the dialog and starts the job; the results are there when this returns."""
        dialog = self.open()
        self.prompt(dialog, text)
        self.gimp.keys(dialog, "alt+d", "ctrl+a", *str(seed), "Tab", "alt+v", "ctrl+a", *str(variants), "Tab")
        done = self.done()
        self.gimp.keys(dialog, "alt+g")
        wait_for("results", lambda: self.done() > done, 30)
        if variants > 1:
            wait_for("results in the dialog", lambda: self.width(dialog) > 700, 30)
            self.gimp.ready(dialog)  # the first of them came before the last
        return dialog

    def new_layer(self, before):
        wait_for("new layer", lambda: self.layers() != before, 30)
        self.settle()
        return self.layers()

    def settle(self):
        """Until no call of the plug-in is under way: an undo in the middle of one would cut its step in two."""
        wait_for("end of the call", lambda: not plug_ins(), 30)


def plug_ins():
    program = f"{os.environ['PMT_PLUGIN_STAGE']}/pentimento/pentimento".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().split(b"\0")[0] == program:
                found.append(entry.name)
        except OSError:
            pass  # it has ended meanwhile
    return found


def entries():
    return sorted(KEPT.glob("*/*/entry.json"), key=lambda path: path.parent.name)


def leave(name, *lines):
    """As if the dialog had been left with these settings."""
    last = PROFILE / f"plug-in-pentimento-{name}.last"
    last.parent.mkdir(exist_ok=True)
    last.write_text("\n".join([last.read_text() if last.exists() else "", *lines, ""]))


def case_kept(s, tap):
    """Results that were not applied are in the history, and nobody else may read them."""
    before = s.layers()
    dialog = s.fill_in("a shy owl", 100, 3)
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(FILL)
    tap.check("closing the dialog applies nothing", s.layers() == before, s.layers())
    kept = [json.loads(path.read_text()) for path in entries()]
    tap.check("the history has all three", [entry["seed"] for entry in kept] == [100, 101, 102], kept)
    modes = {path.stat().st_mode & 0o777 for path in [KEPT, *KEPT.glob("*"), *KEPT.glob("*/*")]}
    files = {path.stat().st_mode & 0o777 for path in KEPT.glob("*/*/*")}
    tap.check("in folders and files of the user's alone", modes == {0o700} and files == {0o600}, (modes, files))


def case_history(s, tap):
    before = s.layers()
    window = s.dialog("history", "^History$")
    s.gimp.shot("history", window)
    s.gimp.keys(window, "Down", "Return")
    s.gimp.gone("^History$")
    tap.check("Return applies what is selected", "Fill: a shy owl (101)" in s.new_layer(before), s.layers())
    s.undo()
    tap.check("one undo takes it back", s.layers() == before, s.layers())
    window = s.dialog("history", "^History$")
    s.gimp.keys(window, "shift+Down", "alt+a")
    s.gimp.gone("^History$")
    after = s.new_layer(before)
    tap.check("two at once are in one group", after.count("Fill: a shy owl") == 2 and "Pentimento 20" in after, after)
    s.undo()
    tap.check("and one undo takes them back", s.layers() == before, s.layers())
    leave("fill", '(preset "Watercolour")', '(mode "refine")', '(seam "gradient")')
    window = s.dialog("history", "^History$")
    s.gimp.keys(window, "Down", "alt+s")
    dialog = s.gimp.window(FILL)
    time.sleep(1)
    s.gimp.shot("history-settings", dialog)
    done = s.done()
    s.gimp.keys(dialog, "alt+v", "ctrl+a", "1", "Tab", "alt+g")
    wait_for("the job", lambda: s.done() > done, 30)
    tap.check("its settings can be used again", (s.sent()["prompt"], s.sent()["seed"]) == ("a shy owl", 101), s.sent())
    tap.check("and nothing of the last ones is with them", s.sent()["mode"] == "fill" and "seam" not in s.sent(), s.sent())
    s.gimp.gone(FILL)
    s.new_layer(before)
    s.undo()


def case_history_generate(s, tap):
    """A generated picture's settings bring no box and no picture to start from that the last call had."""
    before = s.layers()
    dialog = s.dialog("generate", "^Generate$")
    s.prompt(dialog, "a calm lake")
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone("^Generate$")
    s.new_layer(before)
    s.undo()
    leave("generate", '(boxes "[{\\"box\\":[0,0,1,1],\\"phrase\\":\\"a boat\\"}]")', '(source "visible")')
    window = s.dialog("history", "^History$")
    s.gimp.keys(window, "alt+s")
    dialog = s.gimp.ready(s.gimp.window("^Generate$"))
    done = s.done()
    s.gimp.keys(dialog, "alt+g")
    wait_for("the job", lambda: s.done() > done, 30)
    s.gimp.gone("^Generate$")
    tap.check("its settings alone are used", s.sent()["prompt"] == "a calm lake" and "layout" not in s.sent() and "strength" not in s.sent(), s.sent())
    tap.check("and what was left to the model is left to it", not {"steps", "sampler", "guidance", "precision"} & set(s.sent()), s.sent())
    s.new_layer(before)
    s.undo()


def case_history_boxes(s, tap):
    """A generated picture's boxes and learned words come back with its settings, in the selection that the next picture goes to."""
    before = s.layers()
    word = KEPT.parent.parent / "moth.safetensors"
    word.write_bytes(b"")
    leave("generate", '(boxes "[{\\"box\\":[0,0.5,0.5,1],\\"phrase\\":\\"a boat\\"}]")', '(boxes-method "regions")', f'(embeddings "{word}")')
    dialog = s.gimp.ready(s.dialog("generate", "^Generate$"))
    s.prompt(dialog, "a calm lake")
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone("^Generate$")
    s.new_layer(before)
    s.undo()
    asked = s.sent()
    leave("generate", '(boxes "")', '(boxes-method "auto")', '(embeddings "")')
    window = s.dialog("history", "^History$")
    s.gimp.keys(window, "alt+s")
    dialog = s.gimp.ready(s.gimp.window("^Generate$"))
    s.gimp.shot("history-boxes", dialog)
    done = s.done()
    s.gimp.keys(dialog, "alt+g")
    wait_for("the job", lambda: s.done() > done, 30)
    s.gimp.gone("^Generate$")
    tap.check("boxes come back", asked["region-prompts"] and s.sent().get("region-prompts") == asked["region-prompts"], (asked, s.sent()))
    tap.check("and learned words", asked["embeddings"] and s.sent().get("embeddings") == asked["embeddings"], (asked, s.sent()))
    s.new_layer(before)
    s.undo()


def case_script(s, tap):
    """Scripts list the history, apply and remove."""
    before, n = s.layers(), len(entries())
    call = f"(plug-in-pentimento-history #:run-mode 1 #:image {IMAGE} #:drawables {LAYERS}"
    listed = json.loads(json.loads(s.gimp.scheme(f"(cadr {call}))")))
    tap.check("the newest comes first", len(listed) == n and listed[0]["time"] >= listed[-1]["time"] and listed[-1]["seed"] == 100, listed)
    s.gimp.scheme(f'{call} #:apply "{listed[-1]["id"]} {listed[-2]["id"]}")')
    tap.check("two ids become two layers", s.layers().count("Fill: a shy owl") == 2, s.layers())
    s.undo()
    s.gimp.scheme(f'{call} #:remove "{listed[-1]["id"]}")')
    tap.check("an id that is removed is gone from the disk", len(entries()) == n - 1, entries())
    try:
        s.gimp.scheme(f'{call} #:apply "{listed[-1]["id"]}")')
        tap.check("an id that is gone is refused", False)
    except Exception as problem:  # pylint: disable=broad-except
        tap.check("an id that is gone is refused", listed[-1]["id"] in str(problem), problem)
    tap.check("nothing of this stays in the picture", s.layers() == before, s.layers())


def case_canvases(s, tap):
    """Results that let the canvas grow differently do not go in together; one for another canvas goes in."""
    before = s.layers()
    call = f"(plug-in-pentimento-{{}} #:run-mode 1 #:image {IMAGE} #:drawables {LAYERS}"
    grown = []
    for pixels in (10, 20):
        dialog = s.dialog("expand", "^Expand Canvas$")
        s.prompt(dialog, "a lake")
        s.gimp.keys(dialog, "alt+e", "ctrl+a", *str(pixels), "Tab", "Tab", "alt+v", "ctrl+a", "2", "Tab")
        done = s.done()
        s.gimp.keys(dialog, "alt+g")
        wait_for("results", lambda n=done: s.done() > n, 30)
        wait_for("results in the dialog", lambda d=dialog: s.width(d) > 700, 30)
        s.gimp.keys(dialog, "Escape")
        s.gimp.gone("^Expand Canvas$")
        grown.append(json.loads(json.loads(s.gimp.scheme(f"(cadr {call.format('history')}))")))[0]["id"])
    try:
        s.gimp.scheme(f'{call.format("history")} #:apply "{" ".join(grown)}")')
        tap.check("two canvases at once are refused", False)
    except Exception as problem:  # pylint: disable=broad-except
        tap.check("two canvases at once are refused", "different sizes" in str(problem), problem)
    tap.check("with nothing done", s.layers() == before, s.layers())
    s.gimp.scheme(f'{call.format("history")} #:apply "{grown[1]}")')
    tap.check("one of them goes in", "Expand: a lake" in s.layers(), s.layers())
    s.undo()
    s.gimp.scheme(f"(gimp-image-resize {IMAGE} 300 200 10 10)")
    listed = json.loads(json.loads(s.gimp.scheme(f"(cadr {call.format('history')}))")))
    fill = [entry["id"] for entry in listed if entry["seed"] == 101][0]
    s.gimp.scheme(f'{call.format("history")} #:apply "{fill}")')
    tap.check("a fill of the canvas as it was goes in all the same", "Fill: a shy owl" in s.layers(), s.layers())
    s.undo()
    s.gimp.act("edit-undo")
    s.settle()
    tap.check("and all is as before", s.layers() == before, s.layers())
    s.gimp.scheme(f"""{call.format("history")} #:remove "{" ".join(e["id"] for e in listed if not 100 <= e["seed"] <= 102)}")""")


def case_use(s, tap):
    """Recipe > Use Settings: the dialog that the layer came from, with the old layer active as it is after painting."""
    expand, last = "^Expand Canvas$", PROFILE / "plug-in-pentimento-expand.last"
    before = s.layers()
    dialog = s.dialog("expand", expand)
    s.prompt(dialog, "a wide lake")
    s.gimp.keys(dialog, "alt+d", "ctrl+a", *"103", "Tab", "alt+e", "ctrl+a", *"10", "Tab", "Tab", "alt+v", "ctrl+a", "1", "Tab", "alt+g")
    s.gimp.gone(expand)
    painted = s.new_layer(before)
    leave("expand", '(prompt "other words")', "(steps 77)", '(grow-left 99.0)', "(forget-prompts yes)")
    kept = last.read_text()
    dialog = s.gimp.ready(s.dialog("recipe-use", expand))
    s.gimp.shot("recipe-use", dialog)
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(expand)
    tap.check("a look at them leaves the last settings alone", last.read_text() == kept, last.read_text())
    dialog = s.gimp.ready(s.dialog("recipe-use", expand))
    done = s.done()
    s.gimp.keys(dialog, "alt+g")
    wait_for("the job", lambda: s.done() > done, 30)
    s.gimp.gone(expand)
    job = s.sent()
    tap.check("the dialog of its mode has its settings", (job["prompt"], job["seed"], job["mode"], "steps" in job) == ("a wide lake", 103, "expand", False), job)
    tap.check("the canvas grows by as much again", job["region"]["canvas"][0] == 420, job["region"])
    s.new_layer(painted)
    s.undo()
    s.undo()
    tap.check("two steps take both back", s.layers() == before, s.layers())


def case_use_wishes(s, tap):
    """What a field had asked for is in that field again, and not in the list of methods, where it would go on after the field was emptied."""
    last, before = PROFILE / "plug-in-pentimento-generate.last", s.layers()
    dialog = s.dialog("generate", "^Generate$")
    s.prompt(dialog, "a boat")
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone("^Generate$")
    leave("generate", '(make-sure "lake boat")', '(boxes "")', "(seed 990)")
    dialog = s.dialog("generate", "^Generate$")
    s.prompt(dialog, "a boat on a lake")
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone("^Generate$")
    painted = s.new_layer(before)
    leave("generate", '(make-sure "")', '(methods "noop")')
    dialog = s.gimp.ready(s.dialog("recipe-use", "^Generate$"))
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone("^Generate$")
    s.new_layer(painted)
    tap.check("the field has its words", '(make-sure "lake boat")' in last.read_text() and s.sent()["methods"] ==
              [{"id": "attend-and-excite", "words": "lake boat"}], s.sent())
    tap.check("and the list of methods has none of it", "attend-and-excite" not in last.read_text(), last.read_text())
    s.undo()
    s.undo()
    leave("generate", '(make-sure "")', "(seed -1)")


def case_forgotten(s, tap):
    """Words that were forgotten are asked for again, and not left out."""
    expand = "^Expand Canvas$"
    before = s.layers()
    dialog = s.dialog("expand", expand)
    s.prompt(dialog, "a lake nobody knows")
    s.gimp.keys(dialog, "alt+e", "ctrl+a", *"10", "Tab", "alt+g")
    s.gimp.gone(expand)
    s.new_layer(before)
    s.undo()
    jobs = s.jobs()
    s.gimp.act("filters-repeat")
    dialog = s.gimp.ready(s.gimp.window(expand))
    tap.check("Repeat opens the dialog where the words were forgotten", s.jobs() == jobs)
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(expand)


def case_model(s, tap):
    """A model that is chosen in one dialog is the next one's too."""
    names = ("generate", "refine", "describe")
    for name in ("fill", *names):
        last = PROFILE / f"plug-in-pentimento-{name}.last"
        last.write_text((last.read_text() if last.exists() else "") + '\n(model "/m/a.safetensors")\n')
    before = s.layers()
    dialog = s.open()
    s.prompt(dialog, "a shy owl")
    s.gimp.keys(dialog, "alt+o", "Home", "alt+d", "ctrl+a", *"104", "Tab", "alt+v", "ctrl+a", "1", "Tab")
    s.gimp.keys(dialog, "alt+g")
    s.gimp.gone(FILL)
    s.new_layer(before)
    s.undo()
    tap.check("it was chosen", s.sent()["model"] == "", s.sent())
    texts = [(PROFILE / f"plug-in-pentimento-{name}.last").read_text() for name in names]
    tap.check("and the others of its kind begin with it", not any("/m/a" in text for text in texts), texts)


def case_limit(s, tap):
    """The history stays below its limit (2 MB here); the oldest go, but not without a word while they can be had in the dialog."""
    dialog = s.fill_in("many owls", 500, 12)
    s.gimp.keys(dialog, "Escape")
    question = s.gimp.window("^Throw away [0-9] pictures", 10)
    tap.check("closing asks about those that the history has lost", bool(s.gimp.windows(FILL)))
    s.gimp.keys(question, "alt+t")
    s.gimp.gone(FILL)
    kept = [json.loads(path.read_text())["seed"] for path in entries()]
    size = sum(path.stat().st_size for path in KEPT.glob("*/*/*"))
    tap.check("the oldest make room", kept[-1] == 511 and 100 not in kept and len(kept) < 12 and kept == sorted(kept), kept)
    tap.check("for less than the limit", 1e6 < size < 2.1e6, size)


def case_discard(s, tap):
    n = len(entries())
    dialog = s.fill_in("no owl", 900, 2)
    kept = [path.parent.name for path in entries()]
    s.gimp.keys(dialog, "alt+h")
    wait_for("the dialog without results", lambda: s.width(dialog) < 700, 10)
    s.gimp.shot("discarded", dialog)
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(FILL)
    wait_for("the end of what is not wanted", lambda: not any(json.loads(path.read_text())["seed"] >= 900 for path in entries()), 10)
    tap.check("what is thrown away is not in the history", len(kept) >= min(n, 2), kept)


def case_unkept(s, tap):
    """Results that the history does not have are not closed away without a word."""
    before, n = s.layers(), len(entries())
    leave("fill", "(forget-prompts yes)")
    dialog = s.fill_in("a secret owl", 950, 2)
    tap.check("what is to be forgotten is not in the history", len(entries()) == n, entries())
    s.gimp.keys(dialog, "Escape")
    question = s.gimp.window("^Throw away 2 pictures", 10)
    s.gimp.shot("unkept", question)
    s.gimp.keys(question, "Return")
    s.gimp.gone("^Throw away")
    tap.check("Return goes back to them", s.gimp.windows(FILL) and s.width(dialog) > 700)
    s.gimp.keys(dialog, "alt+c")
    s.gimp.keys(s.gimp.window("^Throw away 2 pictures", 10), "alt+t")
    s.gimp.gone(FILL)
    tap.check("a yes closes the dialog", s.layers() == before, s.layers())
    leave("fill", "(forget-prompts no)")


def case_forgetful(s, tap):
    """What was painted of words that are not to be kept does not come back when its recipe runs again."""
    s.image = s.gimp.scheme(IMAGE)
    before, n = s.layers(), entries()
    last = PROFILE / "plug-in-pentimento-fill.last"
    leave("fill", "(forget-prompts yes)")
    s.fill_in("an unknown owl", 955)
    s.gimp.gone(FILL)
    made = s.new_layer(before)
    leave("fill", "(forget-prompts no)")
    s.select_top()
    s.gimp.act("plug-in-pentimento-rerun")
    again = s.new_layer(made)
    s.gimp.act("plug-in-pentimento-recipe-here")
    s.new_layer(again)
    tap.check("neither run again nor in the present selection is it in the history", entries() == n, entries())
    for action, title in (("recipe-use", FILL), ("recipe-change-word", "^Change a Word$")):
        window = s.dialog(action, title)
        s.gimp.type(window, "x ")
        time.sleep(1.2)  # until settings are saved
        s.gimp.shot(f"forgetful-{action}", window)
        s.gimp.keys(window, "Escape")
        s.gimp.gone(title)
        s.settle()
    kept = [str(path) for path in PROFILE.rglob("*") if path.is_file() and b"unknown owl" in path.read_bytes()]
    tap.check("a dialog that opens with them does not keep them either", not kept, kept)
    ticked = [str(path) for path in (last, PROFILE / "plug-in-pentimento-recipe-change-word.last") if "(forget-prompts yes)" in path.read_text()]
    tap.check("and its tick is as it was before", not ticked, ticked)
    window = s.dialog("recipe-vary", "^Vary$")
    done = s.done()
    s.gimp.keys(window, "alt+g")
    wait_for("variants", lambda: s.done() > done and s.width(window) > 700, 30)
    s.gimp.ready(window)
    tap.check("nor is what it is varied to", entries() == n, entries())
    s.gimp.keys(window, "Return")
    s.gimp.gone("^Vary$")
    s.settle()
    while s.layers() != before:
        s.undo()
    s.image = IMAGE


def case_unseen(s, tap):
    """A layer that cannot be seen is spoken of. What is repeated has the last words, whatever the call says."""
    call = f"(plug-in-pentimento-fill #:run-mode {{}} #:image {IMAGE} #:drawables {{}} #:prompt \"a hidden owl\" #:seed 980)"
    below = f"(let ((all {LAYERS})) (vector (vector-ref all (- (vector-length all) 1))))"

    def told():
        wait_for("end of the call", lambda: not plug_ins(), 30)
        time.sleep(1)
        windows = s.gimp.windows("^GIMP Message$")
        for window in windows:
            s.gimp.shot("unseen", window)
            s.gimp.keys(window, "Escape")
        return bool(windows)
    told()  # of the cases before
    before = s.layers()
    s.gimp.scheme(call.format(2, below))
    tap.check("nothing is said of a layer that is seen", not told() and s.layers() != before)
    s.undo()
    s.gimp.scheme(f"(let* ((below (vector-ref {below} 0)) (over (car (gimp-layer-copy below))))"
                  f" (gimp-image-insert-layer {IMAGE} over 0 0) (gimp-item-set-name over \"curtain\"))")
    covered = s.layers()
    s.gimp.scheme(call.format(2, below))
    tap.check("below an opaque layer it is said", told() and "Fill: " in s.layers() and s.layers().startswith('("curtain"'), s.layers())
    s.undo()
    s.gimp.scheme(f"(gimp-item-set-visible (vector-ref {LAYERS} 0) FALSE)")
    s.gimp.scheme(call.format(2, below))
    tap.check("not so below one that is hidden", not told())
    s.undo()
    s.gimp.scheme(f"(let ((group (car (gimp-group-layer-new {IMAGE} \"away\"))) (over (vector-ref {LAYERS} 0))) (gimp-image-insert-layer {IMAGE} group 0 0)"
                  f" (gimp-image-reorder-item {IMAGE} over group 0) (gimp-item-set-visible over TRUE) (gimp-item-set-visible group FALSE))")
    inside = f"(vector (vector-ref (car (gimp-item-get-children (vector-ref {LAYERS} 0))) 0))"
    s.gimp.scheme(call.format(2, inside))
    tap.check("in a hidden group it is said", told() and "Fill: " in s.layers(), s.layers())
    s.undo()
    s.gimp.scheme(call.format(1, inside))
    tap.check("a script is told nothing", not told())
    s.undo()
    s.gimp.scheme(f"(gimp-image-remove-layer {IMAGE} (vector-ref {LAYERS} 0))")
    tap.check("the picture is as it was", s.layers() == before != covered, s.layers())


def case_repeat(s, tap):
    """Filters > Repeat is a person's wish, a script's call is not."""
    before = s.layers()
    call = f"(plug-in-pentimento-fill #:run-mode {{}} #:image {IMAGE} #:drawables {LAYERS} #:prompt \"a script's owl\" #:seed 970)"
    kept = entries()[-1]
    s.gimp.scheme(call.format(1))
    tap.check("what a script paints is not in the history", entries()[-1] == kept and s.layers() != before, s.layers())
    s.undo()
    s.gimp.scheme(call.format(2))
    tap.check("what is repeated is", entries()[-1] != kept and (entries()[-1].parent / "applied").exists(), entries()[-1].read_text())
    s.undo()


def case_session(s, tap):
    """Numbers of images and layers are a session's own: what another one kept is not taken for this image's."""
    entry = entries()[-1]
    session, other = entry.parent.parent, KEPT / "1-1"
    kept = json.loads(entry.read_text())
    kept["inputs"]["origin"] = 424242
    entry.write_text(json.dumps(kept))
    call = f'(plug-in-pentimento-history #:run-mode 1 #:image {IMAGE} #:drawables {LAYERS} #:apply "{entry.parent.name}")'
    parasite = f'(gimp-item-get-parasite (vector-ref {LAYERS} 0) "pentimento-inputs")'
    s.gimp.scheme(call)
    tap.check("a result of this session knows what came of the same picture", "424242" in s.gimp.scheme(parasite), s.gimp.scheme(parasite))
    s.undo()
    (KEPT / "keep").touch()
    session.rename(other)
    s.gimp.scheme(call)
    found = s.gimp.scheme(parasite)
    tap.check("one of another session does not, though the image's number is the same", "origin" in found and "424242" not in found, found)
    s.undo()
    for folder in session.glob("*"):  # what this call may have kept
        folder.rename(other / folder.name)
    if session.exists():
        session.rmdir()
    other.rename(session)
    (KEPT / "keep").unlink()


def case_grey(s, tap):
    """In an image without colours, results are shown as they will be."""
    s.gimp.scheme(f"(gimp-image-convert-grayscale {IMAGE})")
    (s.fake / "go").unlink(missing_ok=True)
    s.mode("hold-last")
    dialog = s.open()
    s.prompt(dialog, "a grey owl")
    s.gimp.keys(dialog, "alt+d", "ctrl+a", *"980", "Tab", "alt+v", "ctrl+a", "2", "Tab", "alt+g")
    wait_for("the first result", lambda: s.width(dialog) > 700, 30)
    time.sleep(1)
    shot = Image.open(s.gimp.shot("grey", dialog)).convert("RGB")
    green = sum(all(abs(a - b) <= 6 for a, b in zip(pixel, (96, 200, 64))) for pixel in shot.getdata())
    colourful = sum(max(pixel) - min(pixel) > 100 for pixel in shot.getdata()) / (shot.width * shot.height)
    tap.check("the picture in the making has no colours", green < 20, green)
    tap.check("nor have results", colourful < 0.005, colourful)
    look = Image.open(entries()[-1].parent / "look.png").convert("RGB")
    tap.check("nor has the history", all(max(pixel) - min(pixel) <= 1 for pixel in look.getdata()), look.size)
    s.gimp.keys(dialog, "Escape")
    time.sleep(1)
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(FILL)
    s.mode("paint")
    s.gimp.act("edit-undo")
    s.settle()


def case_stopped(s, tap):
    """The pictures of a job that was stopped are in the history."""
    (s.fake / "go").unlink(missing_ok=True)
    s.mode("hold-last")
    dialog = s.open()
    s.prompt(dialog, "half an owl")
    s.gimp.keys(dialog, "alt+d", "ctrl+a", *"960", "Tab", "alt+v", "ctrl+a", "3", "Tab", "alt+g")
    wait_for("the first results", lambda: s.width(dialog) > 700, 30)
    s.gimp.keys(dialog, "Escape")
    time.sleep(1)
    s.gimp.keys(dialog, "Escape")
    s.gimp.gone(FILL)
    s.mode("paint")
    seeds = [json.loads(path.read_text())["seed"] for path in entries()][-2:]
    tap.check("a job that was stopped leaves what it had done to the history", seeds == [960, 961], seeds)


def case_keeping(s, tap):
    """Taking back that the history is kept removes nothing before the end of GIMP (main() looks after that)."""
    earlier = KEPT / "1-1" / "0000000000000001-00"
    earlier.mkdir(parents=True)
    (KEPT / "keep").touch()
    (earlier / "entry.json").write_text(json.dumps({"time": 1, "seed": 5, "recipe": {"task": "fill", "prompt": "an owl of yesterday"}}))
    call = f"(plug-in-pentimento-history #:run-mode 1 #:image {IMAGE} #:drawables {LAYERS})"
    for ticked in (False, True, False):
        window = s.dialog("history", "^History$")
        s.gimp.keys(window, "alt+k")
        s.gimp.keys(window, "Escape")
        s.gimp.gone("^History$")
        s.settle()
        kept = (KEPT / "keep").exists() and not (KEPT / "keep").read_text()
        tap.check(f"the history's keeping is {'on' if ticked else 'off'}", kept == ticked, list(KEPT.glob("*")))
        tap.check("and an earlier session's pictures are there", (earlier / "entry.json").exists() and "of yesterday" in s.gimp.scheme(call),
                  list(KEPT.glob("*")))


def complaints(s):
    return [line for line in s.gimp.log.read_text(errors="replace").splitlines() if "CRITICAL" in line or "nemonic" in line]


def case_recipe(s, tap):
    """The recipe of a layer, after saving and reopening."""
    for message in s.gimp.windows("^GIMP Message$"):  # of the refusals before: it would cover the dialogs
        s.gimp.keys(message, "Escape")
    before = s.layers()
    s.fill_in("a red fox in the snow", 7)
    s.new_layer(before)
    path = s.gimp.folder / "kept.xcf"
    s.gimp.scheme(f'(gimp-file-save 1 {IMAGE} "{path}" -1)')
    s.gimp.scheme(f'(let* ((old {IMAGE}) (image (car (gimp-file-load 1 "{path}")))) (gimp-displays-reconnect old image))')
    s.image = s.gimp.scheme(IMAGE)
    reloaded = s.layers()
    tap.check("the reopened picture is there", "Fill: a red fox in the snow (7)" in reloaded, reloaded)
    s.select_top()
    window = s.dialog("recipe-show", "^Recipe$")
    s.gimp.shot("recipe")
    s.gimp.keys(window, "alt+t")
    time.sleep(0.5)
    s.gimp.shot("recipe-text", window)
    s.gimp.keys(window, "Escape")
    s.gimp.gone("^Recipe$")
    s.gimp.act("plug-in-pentimento-rerun")
    after = s.new_layer(reloaded)
    tap.check("it runs again", after.count("Fill: a red fox in the snow (7)") == 2, after)
    newest = json.loads(entries()[-1].read_text())
    tap.check("which is in the history, too, as applied", newest["seed"] == 7 and (entries()[-1].parent / "applied").exists(), newest)
    s.undo()
    n = len(entries())
    s.gimp.scheme(f"(gimp-image-select-rectangle {s.image} CHANNEL-OP-REPLACE 20 20 60 50)")
    s.gimp.act("plug-in-pentimento-recipe-here")
    s.new_layer(reloaded)
    tap.check("so is what runs in the present selection", len(entries()) > n or json.loads(entries()[-1].read_text())["box"][0] < 40, entries())
    s.undo()
    asked = s.estimates()
    window = s.dialog("recipe-vary", "^Vary$")
    wait_for("an estimate", lambda: s.estimates() > asked, 20)
    s.gimp.shot("recipe-vary", window)
    tap.check("what it takes is asked beforehand, with the recipe complete", s.last_estimate()["prompt"] == "a red fox in the snow", s.last_estimate())
    done = s.done()
    s.gimp.keys(window, "alt+g")
    wait_for("variants", lambda: s.done() > done and s.width(window) > 700, 30)
    time.sleep(0.7)
    s.gimp.shot("recipe-vary-results", window)
    s.gimp.keys(window, "space", "Right", "space", "Return")
    s.gimp.gone("^Vary$")
    after = s.new_layer(reloaded)
    tap.check("it is varied", "(8)" in after and "(9)" in after, after)
    s.undo()
    window = s.dialog("recipe-change-word", "^Change a Word$")
    s.gimp.keys(window, "ctrl+a")
    s.gimp.type(window, "a red cat in the snow")
    s.gimp.keys(window, "Tab", "End", *["Left"] * 5)
    time.sleep(0.5)
    s.gimp.shot("change-word", window)
    done = s.done()
    s.gimp.keys(window, "alt+g")
    wait_for("the job", lambda: s.done() > done, 30)
    s.gimp.gone("^Change a Word$")
    prompt = s.sent()["prompt"]
    tap.check("a word is swapped, and one turned up by its slider, which goes as far as a prompt's weights", prompt.startswith("(a:1.5) "), prompt)
    s.new_layer(reloaded)
    s.undo()
    s.select_top()
    window = s.dialog("recipe-strip", "^Strip Recipe$")
    s.gimp.shot("recipe-strip", window)
    s.gimp.keys(window, "alt+p")
    s.gimp.gone("^Strip Recipe$")
    wait_for("the name without its prompt", lambda: '"Fill"' in s.layers(), 10)
    s.settle()
    tap.check("it is stripped", "fox" not in s.layers(), s.layers())
    # before the undo: GIMP 3.0 itself complains when it brings a parasite back
    tap.check("nothing complained", not complaints(s), complaints(s))
    s.undo()
    tap.check("and one undo brings it back", s.layers() == reloaded, s.layers())
    recipe = s.gimp.scheme(f"(car (gimp-item-get-parasite-list (vector-ref (car (gimp-image-get-layers {s.image})) 0)))")
    tap.check("with its recipe", "pentimento-recipe" in recipe and "pentimento-inputs" in recipe, recipe)


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    fake = folder / "fake"
    fake.mkdir()
    engine = HERE.parent / "plugin" / "fake-engine.py"
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(engine), PMT_FAKE_FOLDER=str(fake), PENTIMENTO_HISTORY_MB="2") as gimp:
        gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")
        gimp.scheme("(gimp-image-clean-all " + IMAGE + ")")
        session = After(gimp, fake)
        for case in (case_kept, case_history, case_history_generate, case_history_boxes, case_script, case_canvases, case_use, case_use_wishes, case_forgotten, case_model, case_limit, case_discard, case_unkept, case_unseen, case_repeat, case_forgetful, case_session, case_grey, case_stopped, case_recipe, case_keeping):
            if os.environ.get("CASE", "") in case.__name__:
                tap.run(case, session)
    if KEPT.exists():
        wait_for("the end of the history", lambda: not list(KEPT.glob("*")), 20)
    tap.check("the history ends with GIMP", not list(KEPT.glob("*")), list(KEPT.glob("*")))
    tap.end()


if __name__ == "__main__":
    main()
