#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""drag-source.py FILE…: a window out of which those files can be dragged, as out of a file manager. Prints a line when it is there."""

import sys
from pathlib import Path

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, Gtk  # noqa: E402


def main():
    window = Gtk.Window(title="Drag source", default_width=160, default_height=120)
    button = Gtk.Button(label="Drag me")
    button.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [], Gdk.DragAction.COPY)
    button.drag_source_add_uri_targets()
    button.connect("drag-data-get", lambda _, __, data, *___: data.set_uris([Path(name).as_uri() for name in sys.argv[1:]]))
    window.add(button)
    window.show_all()
    print("ready", flush=True)
    Gtk.main()


if __name__ == "__main__":
    main()
