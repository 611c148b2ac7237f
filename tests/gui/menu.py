#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""menu.py SHOTS: every dialog is opened from GIMP's menu, by keyboard alone. TAP.

Alt+R opens Filters; arrows go to the entry, whose name is asked of the accessibility bus, as a screen reader does; Return opens it.
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

from dialogs import close_dialog, windows  # noqa: E402
from fill import IMAGE, picture            # noqa: E402
from gui import Gimp, run, wait_for        # noqa: E402
from tap import Tap                        # noqa: E402

ENTRIES = ["Fill Selection…", "Expand Canvas…", "Remove Something…", "Edit by Instruction…", "Edit by Description…", "Generate…", "History…", "Learn a Concept…", "Models…"]
MOST_KEYS = 60


def press(*keys):
    """Keys for whoever has the focus: a menu that is open keeps it."""
    run("xdotool", "key", "--delay", "40", *keys)
    time.sleep(0.08)


def selected(node, found=None):
    """The innermost menu entry that is chosen now."""
    for i in range(node.get_child_count()):
        child = node.get_child_at_index(i)
        if not child:
            continue
        role, states = child.get_role(), child.get_state_set()
        if role in (Atspi.Role.MENU, Atspi.Role.MENU_ITEM, Atspi.Role.CHECK_MENU_ITEM, Atspi.Role.RADIO_MENU_ITEM):
            if states.contains(Atspi.StateType.SELECTED):
                found = child
            if role == Atspi.Role.MENU and states.contains(Atspi.StateType.SELECTED):
                found = selected(child, found)
    return found


def menu_bar(node, depth=0):
    """GIMP's own menu bar on the accessibility bus."""
    if node.get_role() == Atspi.Role.MENU_BAR:
        return node
    for i in range(node.get_child_count() if depth < 8 else 0):
        child = node.get_child_at_index(i)
        bar = menu_bar(child, depth + 1) if child else None
        if bar:
            return bar
    return None


def gimp_bar():
    desktop = Atspi.get_desktop(0)
    for i in range(desktop.get_child_count()):
        application = desktop.get_child_at_index(i)
        if application and application.get_name().startswith("gimp"):
            return menu_bar(application)
    return None


def go_to(bar, name):
    """Down until the entry of this name is chosen."""
    seen = []
    for _ in range(MOST_KEYS):
        entry = selected(bar)
        seen.append(entry.get_name() if entry else None)
        if seen[-1] == name:
            return
        press("Down")
    raise AssertionError(f"no entry “{name}” among {seen}")


def case_entry(gimp, bar, main_window, name, tap):
    before = windows()
    gimp.keys(main_window, "alt+r")
    time.sleep(0.3)
    go_to(bar, "Pentimento")
    press("Right")
    go_to(bar, name)
    if name == ENTRIES[0]:
        gimp.shot("menu")
    press("Return")
    window = wait_for(f"dialog of {name}", lambda: windows() - before).pop()
    gimp.ready(window)
    tap.check(f"{name} opens by keyboard", True)
    close_dialog(gimp, window)


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    (folder / "fake").mkdir()
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(HERE.parent / "plugin" / "fake-engine.py"), PMT_FAKE_FOLDER=str(folder / "fake"),
              NO_AT_BRIDGE="0") as gimp:
        gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")
        main_window = gimp.window(r".* GIMP$")
        bar = wait_for("menu bar on the accessibility bus", gimp_bar)
        for name in ENTRIES:
            tap.run(case_entry, gimp, bar, main_window, name)
    tap.end()


if __name__ == "__main__":
    main()
