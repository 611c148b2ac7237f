# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind rasterised once, in layers, so that a scene only scales and mixes: numpy and Pillow.

An atlas entry is SIDE x SIDE x 7 bytes over -REACH … REACH of the unit square: silhouette, the object's colour, its
shade, ink, and what is of fixed colour (red, green, blue, premultiplied). Colour + shade + ink + fixed = silhouette.
"""
import functools

import numpy as np
from PIL import Image, ImageDraw

from .kinds import KINDS

SIDE, REACH, FINE = 160, 1.22, 3
FIXED = {"light": (236, 242, 246), "cream": (244, 226, 192), "brown": (122, 80, 48), "leaf": (66, 126, 58)}
PENS = (.06, .09, .13)  # widths of the outline in the unit square; small things have relatively wider ones
LAYERS = {"colour": 1, "shade": 2, "ink": 3}


def stroke(draw, points, ink, width, closed):
    points = [tuple(p) for p in points]
    if closed:
        points = points + points[:1]
    draw.line(points, fill=ink, width=max(1, round(width)))
    if width >= 3:
        h = width / 2
        for x, y in points:
            draw.ellipse((x - h, y - h, x + h, y + h), fill=ink)


@functools.cache
def entry(kind, pen, outlined=True):
    """The layers of a kind with pen PENS[pen], outlined or not: uint8, SIDE x SIDE x 7."""
    roles = ["", "colour", "shade", "ink", *FIXED]
    side = SIDE * FINE
    unit = side / 2 / REACH
    canvas = Image.new("L", (side, side))
    draw, width = ImageDraw.Draw(canvas), PENS[pen] * unit
    for role, contours in KINDS[kind].parts:
        placed = [c * unit + side / 2 for c in contours]
        name, _, size = role.partition(":")
        if name == "line":
            for c in placed:
                stroke(draw, c, 3, max(float(size) * unit, 1.3 * width), False)
        elif name == "bar":
            for ink, extra in ((3, 2 * width), (1, 0)):
                if outlined or ink == 1:
                    for c in placed:
                        stroke(draw, c, ink, float(size) * unit + extra, False)
        else:
            inner = name == "dot"
            if outlined and not inner:
                for c in placed:
                    stroke(draw, c, 3, 2 * width, True)
            for c in placed:
                draw.polygon([tuple(p) for p in c], fill=roles.index(size if inner else name))
    ids = np.asarray(canvas)

    def share(mask):
        return mask.reshape(SIDE, FINE, SIDE, FINE, -1).mean((1, 3), dtype=np.float32).squeeze()

    palette = np.zeros((len(roles), 3), np.float32)
    for name, value in FIXED.items():
        palette[roles.index(name)] = value
    out = np.zeros((SIDE, SIDE, 7), np.float32)
    out[..., 0] = share(ids > 0) * 255
    for name, layer in LAYERS.items():
        out[..., layer] = share(ids == roles.index(name)) * 255
    out[..., 4:] = share(palette[ids])
    return np.rint(out).astype(np.uint8)


@functools.cache
def images(kind, pen, outlined=True):
    """The same as Pillow images, which scale fast. CMYK stands for four plain channels: Pillow multiplies RGBA by its alpha."""
    e = entry(kind, pen, outlined)
    return (Image.frombytes("CMYK", (SIDE, SIDE), e[..., :4].tobytes()), Image.frombytes("RGB", (SIDE, SIDE), e[..., 4:].tobytes()))


@functools.cache
def extent(kind):
    """Box of the silhouette in the unit square: x0, y0, x1, y1."""
    ys, xs = np.nonzero(entry(kind, 0)[..., 0] > 127)
    to = lambda v: v / SIDE * 2 * REACH - REACH
    return to(xs.min()), to(ys.min()), to(xs.max() + 1), to(ys.max() + 1)
