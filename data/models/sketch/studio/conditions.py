# SPDX-License-Identifier: GPL-3.0-or-later
"""Control pictures as the engine's preprocessors make them, from a rendered picture or from what is true of it.

edge      the preprocessor canny: OpenCV's Canny of the colours, 100 and 200
scribble  the preprocessor scribble-xdog with its defaults
depth     what the preprocessor depth expects: greys, near is white. Things by their order, ground rising to the front
segmentation  flat ADE20K colours, which the preprocessor segmentation leaves as they are. Kinds that ADE20K names have
          that class, the others take the classes that no scene needs, in order: segment_table() says which
"""
import functools
import os
import re

import numpy as np

from .kinds import KINDS
from .words import PLACES

TYPES = ("edge", "scribble", "depth", "segmentation")
SAME = {"house": "house", "tree": "tree", "car": "car", "boat": "boat", "bus": "bus", "truck": "truck", "plane": "airplane", "chair": "chair",
        "table": "table", "lamp": "lamp", "bottle": "bottle", "book": "book", "clock": "clock", "flag": "flag", "vase": "vase", "palm": "palm",
        "flower": "flower", "tent": "canopy", "lighthouse": "tower", "castle": "building", "bear": "animal", "bucket": "basket"}
GROUND = {"meadow": "grass", "beach": "sand", "snow": "field", "desert": "earth", "forest": "path", "sea": "sea", "city": "road", "mountains": "mountain",
          "room": "floor"}
ABOVE = {"room": "wall", "paper": "poster", "space": "screen"}


def cv():
    try:
        import cv2
    except ImportError as e:
        raise SystemExit("conditions: control pictures need OpenCV; install opencv-python-headless") from e
    cv2.setNumThreads(1)
    return cv2


def edge(rgb):
    """uint8 picture -> bool."""
    return cv().Canny(rgb, 100, 200) > 0


def scribble(rgb):
    """uint8 picture -> bool: a difference of Gaussians, the darkest channel's."""
    c = cv()
    f = rgb.astype(np.float32)
    size = lambda sigma: int(round(sigma * 8 + 1)) | 1
    fine, coarse = (c.GaussianBlur(f, (size(v), size(v)), v, borderType=c.BORDER_REFLECT_101) for v in (.5, 5))
    darkest = (coarse - fine).min(-1)
    return 2 * (255 - np.clip(255 - darkest, 0, 255).astype(int)) > 32


@functools.cache
def ade():
    """Class name -> colour, in the engine's order."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "..", "engine", "image", "ade20k.c")
    with open(path, encoding="utf-8") as f:
        rows = re.findall(r'\{ N_\("([^"]+)"\), \{ 0x(\w\w), 0x(\w\w), 0x(\w\w) \} \}', f.read())
    if len(rows) != 150:
        raise SystemExit(f"conditions: {path} should list 150 classes of ADE20K, but {len(rows)} were read")
    return {name: tuple(int(v, 16) for v in rgb) for name, *rgb in rows}


@functools.cache
def segment_table():
    """(names, colours): row 0 … are kinds in the order of KINDS, then for each place what is above and what is ground."""
    classes, taken = ade(), set()
    wanted = {k: SAME.get(k) for k in KINDS}
    scenery = [ABOVE.get(p, "sky") for p in PLACES] + [GROUND.get(p, ABOVE.get(p, "sky")) for p in PLACES]
    for name in (*wanted.values(), *scenery):
        if name and name not in classes:
            raise SystemExit(f"conditions: ADE20K has no class '{name}'")
        taken.add(name)
    spare = (n for n in classes if n not in taken)
    names = [wanted[k] or next(spare) for k in KINDS] + scenery
    return names, np.array([classes[n] for n in names], np.uint8)


def depth_levels(n):
    """Greys of n things from far to near."""
    return [200] if n == 1 else [140 + round(100 * k / (n - 1)) for k in range(n)]


def ground_rows(s, h=128):
    """Per row: the grey of the background, and whether it is ground."""
    y = (np.arange(h) + .5) / h
    ground = (y >= s.horizon) if PLACES[s.place].ground else np.zeros(h, bool)
    return np.where(ground, 20 + 90 * (y - s.horizon) / max(1 - s.horizon, .05), 8).astype(np.uint8), ground


def depth(s, instances):
    """uint8 greys."""
    rows, _ = ground_rows(s, instances.shape[0])
    out = np.repeat(rows[:, None], instances.shape[1], 1)
    for k, level in enumerate(depth_levels(len(s.things))):
        out[instances == k + 1] = level
    return out


def segments(s, instances):
    """Row numbers of segment_table()."""
    _, ground = ground_rows(s, instances.shape[0])
    place = list(PLACES).index(s.place)
    out = np.repeat((len(KINDS) + place + len(PLACES) * ground)[:, None], instances.shape[1], 1).astype(np.uint8)
    for k, t in enumerate(s.things):
        out[instances == k + 1] = list(KINDS).index(t.kind)
    return out
