#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""make_meadow.py OUT.png: the picture of the demo, with an empty place in the middle.

Drawn by the bundled model's scene renderer; the picture itself is CC0. Needs
python3-numpy and python3-pil.
"""
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "models" / "sketch" / "train"))

from PIL import Image  # noqa: E402

from scenes import Scene, Thing, draw  # noqa: E402

THINGS = [Thing("cloud", "white", 86, 40, 30), Thing("balloon", "orange", 218, 56, 34),
          Thing("house", "yellow", 56, 152, 42), Thing("tree", "green", 266, 146, 50),
          Thing("flower", "pink", 104, 212, 20), Thing("flower", "purple", 222, 214, 19)]


def main():
    picture = draw(Scene(7, "meadow", .55, THINGS, size=(320, 240)), scale=4)
    Image.fromarray(picture).save(sys.argv[1], optimize=True)


if __name__ == "__main__":
    main()
