# SPDX-License-Identifier: GPL-3.0-or-later
"""Holes to be filled: masks like the selections that people make around a thing."""
import numpy as np
from PIL import Image, ImageDraw


def grid(h, w):
    return np.mgrid[0:h, 0:w].astype(float) + .5


def rectangle(box, shape):
    y, x = grid(*shape)
    return (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])


def oval(box, shape):
    y, x = grid(*shape)
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    rx, ry = max(1, (box[2] - box[0]) / 2), max(1, (box[3] - box[1]) / 2)
    return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1


def blob(box, shape, rng):
    """A freehand outline about the box: an oval with a wavy edge."""
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    a = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    wave = 1 + sum(rng.uniform(0, .1) * np.cos(k * a + rng.uniform(0, 6.3)) for k in (2, 3, 4))
    x = cx + wave * (box[2] - box[0]) / 2 * np.cos(a)
    y = cy + wave * (box[3] - box[1]) / 2 * np.sin(a)
    m = Image.new("1", shape[::-1])
    ImageDraw.Draw(m).polygon(list(zip(x, y)), fill=1)
    return np.asarray(m)


def around(thing, rng):
    """A selection around a thing, whose mask is given: covers it and some more."""
    ys, xs = np.nonzero(thing)
    x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    if rng.random() < .5:  # a selection knows nothing of the thing's proportions
        cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
        half = max(x1 - x0, y1 - y0) / 2
        ratio = rng.uniform(.85, 1)
        rx, ry = (half, max(half * ratio, (y1 - y0) / 2)) if rng.random() < .5 else \
                 (max(half * ratio, (x1 - x0) / 2), half)
        x0, y0, x1, y1 = cx - rx, cy - ry, cx + rx, cy + ry
    kind = rng.choice(("rectangle", "oval", "oval", "blob"))
    if kind == "rectangle":
        l, t, r, b = rng.uniform(1, 4 + .2 * (x1 - x0), 4)
        return rectangle((x0 - l, y0 - t, x1 + r, y1 + b), thing.shape)
    grow = rng.uniform(0, .12)
    for _ in range(12):
        dx, dy = (x1 - x0) * grow, (y1 - y0) * grow
        box = (x0 - dx, y0 - dy, x1 + dx, y1 + dy)
        hole = oval(box, thing.shape) if kind == "oval" else blob(box, thing.shape, rng)
        if (thing & ~hole).sum() <= .004 * thing.sum():
            return hole
        grow += .04
    return rectangle(box, thing.shape)


def elsewhere(things, rng):
    """A selection that touches none of the things, or None: to be filled with background."""
    for _ in range(20):
        w, h = rng.uniform(28, 80, 2)
        x, y = rng.uniform(-8, 128 - w + 8), rng.uniform(-8, 128 - h + 8)
        box = (x, y, x + w, y + h)
        hole = rectangle(box, things.shape) if rng.random() < .5 else oval(box, things.shape)
        if not (hole & things).any():
            return hole
    return None
