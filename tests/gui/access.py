#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""access.py SHOTS: what a screen reader and a keyboard find in each dialog. TAP.

Over AT-SPI, as a screen reader does it: everything that takes the focus has a name or a label, and says what it is; Tab reaches what can
be reached. GIMP itself complains of letters that are missing or doubled. Screenshots of each dialog in the light theme are kept.
Runs inside tests/plugin/gimp-env.sh --gui.
"""

import os
import sys
import time
from pathlib import Path

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from dialogs import DIALOGS, close_dialog, open_dialog  # noqa: E402
from fill import IMAGE, picture                         # noqa: E402
from gui import Gimp, run, wait_for                     # noqa: E402
from tap import Tap                                     # noqa: E402

# Containers that take the focus for what is in them.
QUIET = {"filler", "panel", "scroll pane", "viewport", "split pane", "table cell", "list item", "tree table", "table", "page tab list", "page tab"}


def children(node):
    return [child for child in (node.get_child_at_index(i) for i in range(node.get_child_count())) if child]


def walk(node, depth=0):
    """Everything that can be seen, outermost first."""
    states = node.get_state_set()
    if depth and not states.contains(Atspi.StateType.SHOWING):
        return
    yield node
    for child in children(node):
        yield from walk(child, depth + 1)


def dialog_node():
    """The plug-in's dialog on the accessibility bus."""
    desktop = Atspi.get_desktop(0)
    desktop.clear_cache()
    for application in children(desktop):
        for window in children(application):
            if application.get_name() == "pentimento" and window.get_state_set().contains(Atspi.StateType.SHOWING):
                return window
    return None


def label_of(node):
    """The name that is read out: the widget's own, or its label's."""
    if node.get_name():
        return node.get_name()
    for relation in node.get_relation_set():
        if relation.get_relation_type() == Atspi.RelationType.LABELLED_BY:
            return relation.get_target(0).get_name()
    return ""


def within(node):
    """Where a nameless widget is, for the report."""
    names = []
    while node and len(names) < 5:
        names.append(f"{node.get_role_name()} “{node.get_name()}”")
        node = node.get_parent()
    return " in ".join(names)


def is_folded(node):
    states = node.get_state_set()
    return node.get_role() == Atspi.Role.TOGGLE_BUTTON and states.contains(Atspi.StateType.EXPANDABLE) and not states.contains(Atspi.StateType.EXPANDED)


def unfold(root):
    """What is folded away is looked at too, and what is folded away in it."""
    for _ in range(3):
        for node in [node for node in walk(root) if is_folded(node)]:
            node.get_action_iface().do_action(0)
            time.sleep(0.3)


def case_dialog(gimp, name, tap):
    window = open_dialog(gimp, name)
    root = wait_for("dialog on the accessibility bus", dialog_node, 30)
    gimp.shot(f"{name}-light", window, frame=True)
    unfold(root)
    found = list(walk(root))
    focusable = [node for node in found if node.get_state_set().contains(Atspi.StateType.FOCUSABLE) and node.get_role_name() not in QUIET]
    nameless = [within(node) for node in focusable if not label_of(node)]
    tap.check(f"{name} has widgets that take the focus", len(focusable) >= 3, f"{len(focusable)} of {len(found)}")
    tap.check(f"each of them in {name} has a name that can be read out", not nameless, "\n".join(nameless))
    close_dialog(gimp, window)


def named(root, role):
    return [node for node in walk(root) if node.get_role() == role]


def case_error(gimp, tap):
    """The sentence in which a job fails: an alert, which the keyboard reaches."""
    (Path(os.environ["PMT_GIMP_TMP"]) / "fake/mode").write_text("error")
    window = open_dialog(gimp, "fill")
    gimp.keys(window, "alt+g")
    root = wait_for("dialog on the accessibility bus", dialog_node, 30)
    alert = wait_for("alert", lambda: named(root, Atspi.Role.ALERT), 20)[0]
    says = named(alert, Atspi.Role.LABEL)
    tap.check("an error is an alert", "9 GB" in says[0].get_name(), [node.get_name() for node in says])
    tap.check("its sentence takes the focus", says[0].get_state_set().contains(Atspi.StateType.FOCUSABLE))
    close_dialog(gimp, window)


def complaints(gimp):
    return sorted({line for line in gimp.log.read_text(errors="replace").splitlines() if "nemonic" in line or "CRITICAL" in line})


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    (folder / "fake").mkdir()
    with open(folder / "gimp" / "gimprc", "a", encoding="utf-8") as settings:
        settings.write("(theme-color-scheme light)\n")
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(HERE.parent / "plugin" / "fake-engine.py"), PMT_FAKE_FOLDER=str(folder / "fake"),
              NO_AT_BRIDGE="0") as gimp:
        gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")
        for name in DIALOGS:
            tap.run(case_dialog, gimp, name)
        tap.run(case_error, gimp)
        tap.check("no mnemonic is missing or doubled", not complaints(gimp), "\n".join(complaints(gimp)))
    tap.end()


if __name__ == "__main__":
    main()
