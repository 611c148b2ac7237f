# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the demo that runs inside GIMP: opens the picture, selects, fills, writes files. Parameters: run.sh's environment."""

import json
import os
import sys
import time
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio  # noqa: E402

OUT = Path(os.environ["PMT_DEMO_OUT"])
# The place in the grass: an ellipse in the middle of the picture, as fractions of its size.
PLACE = (0.345, 0.42, 0.31, 0.42)


def save(image, name):
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(OUT / name)), None)


def save_flat(image, name):
    copy = image.duplicate()
    copy.flatten()
    Gimp.Selection.none(copy)
    save(copy, name)
    copy.delete()


def save_selection(image):
    """As a gray picture, for the outline in the sheet."""
    width, height = image.get_width(), image.get_height()
    gray = Gimp.Image.new(width, height, Gimp.ImageBaseType.GRAY)
    layer = Gimp.Layer.new_from_drawable(image.get_selection(), gray)
    gray.insert_layer(layer, None, 0)
    save(gray, "selection.png")
    gray.delete()


def fill(image, layer, seed):
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-pentimento-fill")
    config = procedure.create_config()
    config.set_property("image", image)
    config.set_core_object_array("drawables", [layer])
    config.set_property("prompt", os.environ["PMT_DEMO_PROMPT"])
    config.set_property("seed", seed)
    start = time.monotonic()
    result = procedure.run(config)
    if result.index(0) != Gimp.PDBStatusType.SUCCESS:
        sys.exit(f"demo: {result.index(1)}")
    return time.monotonic() - start


def box_of(layer):
    """Where the fill was allowed to paint: the selection, grown and feathered. An object may fill all of it, and the matcher has to
    see its whole outline."""
    _, x, y = layer.get_offsets()
    return [x, y, x + layer.get_width(), y + layer.get_height()]


def main():
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(os.environ["PMT_DEMO_PICTURE"]))
    layer = image.get_layers()[0]
    width, height = image.get_width(), image.get_height()
    x, y, w, h = (round(part * side) for part, side in zip(PLACE, (width, height, width, height)))
    image.select_ellipse(Gimp.ChannelOps.REPLACE, x, y, w, h)
    save_selection(image)
    save_flat(image, "before.png")
    runs = []
    first = int(os.environ["PMT_DEMO_SEED"])
    for seed in range(first, first + int(os.environ["PMT_DEMO_SEEDS"])):
        seconds = fill(image, layer, seed)
        name = "after.png" if seed == first else f"after-{seed}.png"
        save_flat(image, name)
        if seed == first:
            save(image, "demo.xcf")
        new = image.get_layers()[0]
        runs.append({"seed": seed, "seconds": seconds, "picture": name, "layer": new.get_name(), "box": box_of(new)})
        image.remove_layer(new)
    (OUT / "runs.json").write_text(json.dumps({"prompt": os.environ["PMT_DEMO_PROMPT"], "runs": runs}))
    image.delete()


main()
