# SPDX-License-Identifier: GPL-3.0-or-later
"""The dialogs, each in one line: for the tests that look at all of them, and for the page of screenshots."""

import time
from collections import namedtuple

from gui import run, wait_for

# action: what GIMP calls its menu entry. page: of the help. parts: pictures beside the one of the dialog as it opens, each a name, the keys
# to press before it and the seconds to wait after them. Keys are those of the English labels, so parts are made in English alone.
Dialog = namedtuple("Dialog", "action page parts")

DIALOGS = {
    "fill": Dialog("plug-in-pentimento-fill", "fill.html", (("advanced", ("alt+a",), 0.7),)),
    "expand": Dialog("plug-in-pentimento-expand", "fill.html", ()),
    "add": Dialog("plug-in-pentimento-add", "fill.html", ()),
    "remove": Dialog("plug-in-pentimento-remove", "fill.html", ()),
    "replace-background": Dialog("plug-in-pentimento-replace-background", "fill.html", ()),
    "refine": Dialog("plug-in-pentimento-refine", "fill.html", ()),
    "edit": Dialog("plug-in-pentimento-edit", "edit.html", ()),
    "describe": Dialog("plug-in-pentimento-describe", "describe.html", (("advanced", ("alt+a",), 0.7),)),
    "generate": Dialog("plug-in-pentimento-generate", "generate.html", (("follow", ("alt+f",), 0.7), ("boxes", ("alt+f", "alt+x"), 0.7))),
    "learn": Dialog("plug-in-pentimento-learn", "learn.html", (("advanced", ("alt+a",), 0.7),)),
    "history": Dialog("plug-in-pentimento-history", "recipes.html", ()),
    "models": Dialog("plug-in-pentimento-models", "models.html", ()),
}

# Those of a layer that was generated, which has to be the selected one.
RECIPE_DIALOGS = {
    "recipe-show": Dialog("plug-in-pentimento-recipe-show", "recipes.html", ()),
    "recipe-vary": Dialog("plug-in-pentimento-recipe-vary", "recipes.html", ()),
    "recipe-change-word": Dialog("plug-in-pentimento-recipe-change-word", "recipes.html", ()),
    "recipe-move": Dialog("plug-in-pentimento-recipe-move", "recipes.html", ()),
    "recipe-word-maps": Dialog("plug-in-pentimento-recipe-word-maps", "recipes.html", ()),
    "recipe-strip": Dialog("plug-in-pentimento-recipe-strip", "recipes.html", ()),
}


def windows():
    """Windows of the plug-in that can be seen."""
    return set(run("xdotool", "search", "--onlyvisible", "--classname", "^pentimento$").split())


def open_dialog(gimp, name):
    """Opens a dialog by its action and waits until it has the focus and its final size: its window, in any language."""
    before = windows()
    gimp.act({**DIALOGS, **RECIPE_DIALOGS}[name].action)
    window = wait_for(f"window of {name}", lambda: windows() - before).pop()
    return gimp.ready(window)


def close_dialog(gimp, window):
    """Escape, twice where the first one empties a search field."""
    for _ in range(2):
        if window in windows():
            gimp.keys(window, "Escape")
            time.sleep(0.7)
    wait_for("end of the dialog", lambda: window not in windows(), 20)
