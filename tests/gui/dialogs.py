# SPDX-License-Identifier: GPL-3.0-or-later
"""The dialogs, each in one line: for the tests that look at all of them, and for the page of screenshots."""

import time
from collections import namedtuple

# action: what GIMP calls its menu entry. title: its window's, in English; other languages find it by being new. page: of the help.
# parts: screenshots beside the one of the dialog as it opens, each a name and keys to press before it.
Dialog = namedtuple("Dialog", "action title page parts")

DIALOGS = {
    "fill": Dialog("plug-in-pentimento-fill", "^Fill Selection$", "fill.html", (("advanced", ("alt+a",)),)),
    "edit": Dialog("plug-in-pentimento-edit", "^Edit by Instruction$", "edit.html", (("advanced", ("alt+a",)),)),
    "models": Dialog("plug-in-pentimento-models", "^Models$", "models.html", ()),
    "generate": Dialog("plug-in-pentimento-generate", "^Generate$", "generate.html", (("advanced", ("alt+a",)),)),
}


def open_dialog(gimp, name):
    """Opens a dialog by its action and waits until it has the focus and its final size: its window."""
    gimp.act(DIALOGS[name].action)
    window = gimp.window(DIALOGS[name].title)
    time.sleep(0.7)
    return window
