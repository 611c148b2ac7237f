# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws scenes, and what is true of them: numpy and Pillow, about a millisecond each."""
import functools

import numpy as np
from PIL import Image

from . import atlas
from .words import COLOURS, INK, PALE_INK, PLACES

SIDE = 128
CHALK = (92, 90, 98)  # what pencil outlines are drawn with


@functools.cache
def grids(w, h):
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    return x + .5, y + .5


@functools.cache
def hatch(w, h):
    """Pencil strokes, 0 … 1."""
    x, y = grids(w, h)
    return (.5 + .5 * np.sin((x + .9 * y) * 1.35 + .8 * np.sin(y / 9))).astype(np.float32)


def dab(rgb, cx, cy, reach, paint):
    """Calls paint(part, x - cx, y - cy) on the small part of the picture about a point, in place."""
    h, w = rgb.shape[:2]
    x0, x1 = max(int(cx - reach), 0), min(int(cx + reach) + 2, w)
    y0, y1 = max(int(cy - reach), 0), min(int(cy + reach) + 2, h)
    if x0 < x1 and y0 < y1:
        x, y = grids(w, h)
        paint(rgb[y0:y1, x0:x1], x[y0:y1, x0:x1] - np.float32(cx), y[y0:y1, x0:x1] - np.float32(cy))


def lit(rgb, cx, cy, r, colour):
    """A soft dot."""
    def paint(part, x, y):
        fade = np.clip(r - np.hypot(x, y), 0, 1)[..., None]
        part[:] = part * (1 - fade) + np.float32(colour) * fade
    dab(rgb, cx, cy, r + 1, paint)


def wave(rng, x, height, length):
    return sum(height / k * np.sin(x / length * 6.2832 * k + rng.uniform(0, 6.3)) for k in (1, 2, 3))


def decorate(s, rgb, edge, rng):
    """What makes a place that place: faint, without outlines, so that it is no object."""
    h, w = rgb.shape[:2]
    x, y = grids(w, h)
    unit = h / SIDE
    decor = PLACES[s.place].decor
    row = x[:1] / unit

    def cover(mask, colour, by=1.0):
        rgb[:] = rgb + (np.asarray(colour, np.float32) - rgb) * (by * np.clip(mask, 0, 1))[..., None]

    yy = y / unit
    if decor == "grass":
        cover((yy - edge - 3 - wave(rng, row, 3, 90)) * .5, (128, 188, 92))
        tufts = np.sin(x / unit * 1.9 + 3 * np.sin(yy * .7)) * np.sin(yy * 1.1 + row) > .93
        cover(tufts & (yy > edge + 6), (104, 168, 78), .7)
    elif decor == "waves":
        cover((yy - edge + 16) * .5 * (yy < edge + 1), (58, 146, 190))
        cover((np.sin(yy * 1.3 + .6 * np.sin(row / 6)) > .9) & (yy > edge - 14) & (yy < edge - 1), (150, 206, 226), .7)
    elif decor == "hills":
        cover((yy - edge + 10 + wave(rng, row, 7, 130)) * .4 * (yy < edge + 1), (226, 232, 240))
    elif decor == "dunes":
        cover((yy - edge + 4 + wave(rng, row, 6, 110)) * .4, (232, 190, 124))
        cover((yy - edge - 22 + wave(rng, row, 6, 150)) * .4, (216, 168, 100))
    elif decor == "trunks":
        for k in range(7):
            at, wide = (k + rng.uniform(.1, .9)) * 19, rng.uniform(3, 6)
            cover((abs(row - at) < wide) & (yy < edge + rng.uniform(2, 8)), (112, 128, 96), .8)
        cover((18 + wave(rng, row, 6, 60) - yy) * .4, (104, 154, 104))
    elif decor == "swell":
        cover((np.sin(yy * .8 + 1.2 * np.sin(row / 7 + yy / 11)) > .86) & (yy > edge + 3), (112, 170, 208), .7)
    elif decor == "skyline":
        at = 0.0
        while at < SIDE:
            wide, tall = rng.uniform(9, 20), rng.uniform(12, 40)
            tone = rng.uniform(-10, 10)
            block = (row >= at) & (row < at + wide) & (yy > edge - tall) & (yy < edge)
            cover(block, (166 + tone, 176 + tone, 192 + tone))
            panes = block & ((row - at) % 5 > 2.6) & ((yy - edge) % 6 > 3.4)
            cover(panes, (198, 208, 220), .8)
            at += wide + rng.uniform(0, 3)
    elif decor == "peaks":
        for _ in range(4):
            at, tall, wide = rng.uniform(0, 128), rng.uniform(20, 44), rng.uniform(.7, 1.2)
            line = edge - tall + abs(row - at) * wide
            cover((yy - line) * .5 * (yy < edge), (158, 172, 196))
            cover(((yy - line) * .5) * (yy < edge - tall * .66 + 2 * np.sin(row)), (240, 244, 250))
    elif decor == "clouds":
        for _ in range(4):
            cx, cy, rx, ry = rng.uniform(0, 128), rng.uniform(8, 120), rng.uniform(16, 34), rng.uniform(5, 10)
            d = ((row - cx) / rx) ** 2 + ((yy - cy) / ry) ** 2
            cover((1.25 - d) * 1.6, (214, 232, 248), .75)
    elif decor == "stars":
        for _ in range(34):
            cx, cy, r = rng.uniform(0, 128), rng.uniform(0, 128), rng.uniform(.5, 1.1)
            lit(rgb, cx * unit, cy * unit, 1.6 * r * unit, (236, 230, 200))
    elif decor == "wall":
        cover((abs(yy - edge) < 1.6), (244, 232, 214))
        cover((np.abs((row - 64) / np.maximum(yy - edge + 30, 1) * 30 % 14 - 7) < .5) & (yy > edge + 2), (138, 94, 64), .7)
        cover((row % 16 < 1.2) & (yy < edge - 2), (216, 188, 158), .8)


def backdrop(s, w=SIDE, h=SIDE):
    """The place in its light and weather: float, h x w x 3. The same seed gives the same place whatever stands in it."""
    rng = np.random.default_rng((s.seed, 7))
    p, unit = PLACES[s.place], h / SIDE
    x, y = grids(w, h)
    edge = s.horizon * SIDE
    blend = np.clip(y / unit / max(edge if p.ground else SIDE, 6), 0, 1)[..., None]
    rgb = np.asarray(p.top, np.float32) * (1 - blend) + np.asarray(p.low, np.float32) * blend
    if p.ground:
        below = np.clip((y / unit - edge), 0, 1)[..., None]
        rgb = rgb * (1 - below) + np.asarray(p.ground, np.float32) * below
    decorate(s, rgb, edge, rng)
    rgb += rng.uniform(-5, 5, 3).astype(np.float32)
    if s.light == "sunset":
        rgb = rgb * np.float32((1.0, .80, .72))
        glow = np.exp(-((y / unit - (edge if p.ground else 90)) / 26) ** 2)[..., None] * np.float32((.62, .56, .5))
        rgb = rgb * (1 - glow) + np.float32((252, 142, 84)) * glow
    elif s.light == "night":
        rgb = rgb * np.float32((.22, .25, .36)) + np.float32((6, 10, 30))
        top = edge if p.ground else SIDE
        spots = rng.uniform(0, 1, (18, 2))
        for cx, cy in spots:
            lit(rgb, cx * w, cy * top * .8 * unit, 1.5 * unit, (206, 204, 190))
    if s.weather == "fog":
        thick = (.62 + .18 * np.sin(x / unit / 19 + 2 * np.sin(y / unit / 23)))[..., None]
        tone = 96 if s.light == "night" else 212
        rgb = rgb * (1 - thick) + np.float32((tone, tone, tone + 6)) * thick
    elif s.weather in ("rain", "snowfall"):
        rgb = rgb * .78 + 24
        marks = rng.uniform(0, 1, (46, 3)).astype(np.float32)
        tone = 150 if s.light == "night" else 238
        for cx, cy, size in marks:
            if s.weather == "rain":
                def streak(part, px, py, long=(3 + 3 * size) * unit):
                    inside = (np.abs(px + .35 * py) < .8 * unit) & (np.abs(py) < long)
                    part[inside] = part[inside] * .45 + np.float32((tone - 60, tone - 30, tone)) * .55
                dab(rgb, cx * w, cy * h, 7 * unit, streak)
            else:
                lit(rgb, cx * w, cy * h, (1.6 + size) * unit, (tone, tone, tone))
    if s.style == "pencil":
        grey = rgb.mean(-1, keepdims=True)
        rgb = (.55 * rgb + .45 * grey) * .45 + 246 * .55
        rgb = rgb - 13 * hatch(w, h)[..., None]
    return np.clip(rgb, 0, 255)


def layers(t, style="cartoon", scale=1.0):
    """(x0, y0, float array h x w x 7 in 0 … 1, colours 0 … 255): the layers of a thing at its place, to be laid on a picture."""
    pixels = t.r * scale
    ratio = max(.06, 1.9 / max(t.r, 1))
    pen = int(np.argmin([abs(p - ratio) for p in atlas.PENS]))
    first, second = atlas.images(t.kind, pen, style != "flat")
    if t.turn:
        first, second = first.rotate(t.turn, Image.BILINEAR), second.rotate(t.turn, Image.BILINEAR)
    rx, ry = pixels * t.aspect * atlas.REACH, pixels * atlas.REACH
    x0, y0 = int(np.floor(t.x * scale - rx)), int(np.floor(t.y * scale - ry))
    x1, y1 = int(np.ceil(t.x * scale + rx)), int(np.ceil(t.y * scale + ry))
    kx, ky = atlas.SIDE / (2 * rx), atlas.SIDE / (2 * ry)
    box = ((x0 - t.x * scale + rx) * kx, (y0 - t.y * scale + ry) * ky, (x1 - t.x * scale + rx) * kx, (y1 - t.y * scale + ry) * ky)
    inner = (max(box[0], 0), max(box[1], 0), min(box[2], atlas.SIDE), min(box[3], atlas.SIDE))
    size = (x1 - x0, y1 - y0)
    both = [np.asarray(i.resize(size, Image.BILINEAR, inner, reducing_gap=None), np.float32) / 255 for i in (first, second)]
    return x0, y0, np.concatenate(both, -1)


def clip(x0, y0, w, h, width, height):
    """Slices of the picture and of the layer where they meet, or None."""
    ax, ay, bx, by = max(x0, 0), max(y0, 0), min(x0 + w, width), min(y0 + h, height)
    if ax >= bx or ay >= by:
        return None
    return (slice(ay, by), slice(ax, bx)), (slice(ay - y0, by - y0), slice(ax - x0, bx - x0))


def put(rgb, t, style, scale=1.0, masks=None):
    """Lays a thing on a float picture; a list `masks` gets its mask, hidden parts included."""
    h, w = rgb.shape[:2]
    x0, y0, e = layers(t, style, scale)
    where = clip(x0, y0, e.shape[1], e.shape[0], w, h)
    if masks is not None:
        whole = np.zeros((h, w), bool)
        if where:
            whole[where[0]] = e[where[1]][..., 0] >= .5
        masks.append(whole)
    if not where:
        return
    at, e = where[0], e[where[1]]
    colour = np.clip(np.float32(COLOURS[t.colour]) + np.float32(t.tint), 0, 255)
    ink = np.float32(PALE_INK if t.colour == "black" else INK)
    fixed = e[..., 4:] * 255
    tone, shade = colour, colour * (.72 if t.colour != "black" else 1.7)
    if style == "pencil":
        strength = (.62 + .38 * hatch(w, h)[at])[..., None]
        tone = colour * strength + 250 * (1 - strength)
        shade = np.clip(shade * strength + 250 * (1 - strength), 0, 255)
        ink = np.float32(CHALK) if t.colour != "black" else ink
        fixed = fixed * .8 + e[..., :1] * 0 + (1 - e[..., 1:4].sum(-1, keepdims=True)).clip(0, 1) * e[..., :1] * 250 * .2
    elif style == "flat":
        rise = (np.linspace(1.06, .86, e.shape[0], dtype=np.float32))[:, None, None]
        tone, shade = np.clip(colour * rise, 0, 255), np.clip(shade * rise, 0, 255)
    rgb[at] = np.clip(rgb[at] * (1 - e[..., :1]) + fixed + e[..., 1:2] * tone + e[..., 2:3] * shade + e[..., 3:4] * ink, 0, 255)


def draw(s, scale=1.0, masks=None):
    """The picture: uint8, height x width x 3."""
    side = int(SIDE * scale)
    rgb = backdrop(s, side, side)
    for t in s.things:
        put(rgb, t, s.style, scale, masks)
    return np.rint(rgb).astype(np.uint8)


def truth(s, masks):
    """From draw's masks: (instances: uint8, 0 = background, k + 1 = thing k; list of {kind, colour, box or None, mask}).
    Masks and boxes are of what is visible."""
    instances = np.zeros(masks[0].shape if masks else (SIDE, SIDE), np.uint8)
    for k, m in enumerate(masks):
        instances[m] = k + 1
    out = []
    for k, t in enumerate(s.things):
        seen = instances == k + 1
        ys, xs = np.nonzero(seen)
        box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1) if len(xs) else None
        out.append({"kind": t.kind, "colour": t.colour, "box": box, "mask": seen})
    return instances, out
