#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/preprocess: pictures, and what OpenCV, numpy and PIL make of them by the published recipes of the preprocessors
that ControlNets and T2I-Adapters were trained with. usage: make_preprocess.py OUTDIR"""
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import PIL
from PIL import Image

SIZES = [(64, 48), (57, 41), (48, 64), (33, 70), (5, 7), (80, 3)]
N_PICTURES = 24


def smooth(rng, height, width, cells):
    noise = rng.random((cells + 2, cells + 2, 3), dtype=np.float32)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def shapes(rng, picture, n):
    height, width = picture.shape[:2]
    for _ in range(n):
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        a, b = (int(v) for v in rng.integers(0, width, 2)), (int(v) for v in rng.integers(0, height, 2))
        (x0, x1), (y0, y1) = tuple(a), tuple(b)
        kind = rng.integers(0, 3)
        if kind == 0:
            cv2.rectangle(picture, (x0, y0), (x1, y1), colour, -1)
        elif kind == 1:
            cv2.circle(picture, (x0, y0), int(rng.integers(2, 2 + max(width, height) // 3)), colour, -1)
        else:
            cv2.line(picture, (x0, y0), (x1, y1), colour, int(rng.integers(1, 4)), cv2.LINE_AA)


def make_picture(rng, i):
    """Even areas, gradients, texture, noise, soft and hard edges, in turns."""
    width, height = SIZES[i % len(SIZES)]
    base = smooth(rng, height, width, 1 + i % 7) * 255
    if i % 4 == 3:
        base = base * 0.2 + 100
    if i % 5 == 1:
        base = base + rng.normal(0, 12, base.shape)
    picture = np.ascontiguousarray(base.clip(0, 255).astype(np.uint8))
    if i % 3:
        shapes(rng, picture, 2 + i % 6)
    if i % 6 == 5:
        picture = cv2.GaussianBlur(picture, (0, 0), 1.2)
    if i % 8 == 7:
        picture[:] = picture[:, :, :1]
    return picture


def blur(x, sigma):
    return cv2.GaussianBlur(x.astype(np.float32), (0, 0), sigma)


def canny(picture, low, high):
    return cv2.Canny(picture, low, high)


def grey_of(picture):
    r, g, b = (picture[:, :, c].astype(np.float32) for c in range(3))
    return (299 * r + 587 * g + 114 * b) / 1000


def stretch(x, least):
    ordered = np.sort(x.ravel())
    return (x * 255 / max(ordered[int((len(ordered) - 1) * 0.99)], least)).clip(0, 255)


def soft(picture):
    smoothed = blur(grey_of(picture), 1.5)
    dx = cv2.Sobel(smoothed, cv2.CV_32F, 1, 0, ksize=3, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.Sobel(smoothed, cv2.CV_32F, 0, 1, ksize=3, borderType=cv2.BORDER_REPLICATE)
    length = np.sqrt(dx * dx + dy * dy)
    return stretch(length, 32)


def softedge(picture, safe):
    edges = soft(picture)
    if safe:
        edges = ((edges / 255 * 3).astype(np.int32).astype(np.float32) / 2).clip(0, 1) * 255
    return edges.astype(np.uint8)


def lineart(picture, sigma=6.0, threshold=8):
    x = picture.astype(np.float32)
    intensity = np.min(blur(x, sigma) - x, axis=2).clip(0, 255)
    above = intensity[intensity > threshold]
    intensity = intensity / max(16, np.median(above) if above.size else 16) * 127
    return intensity.clip(0, 255).astype(np.uint8)


def scribble(picture, threshold=127):
    return ((picture.min(axis=2) < threshold) * 255).astype(np.uint8)


def scribble_xdog(picture, threshold=32):
    difference = np.min(blur(picture, 5.0) - blur(picture, 0.5), axis=2)
    dog = (255 - difference).clip(0, 255).astype(np.uint8)
    return ((2 * (255 - dog.astype(np.int32)) > threshold) * 255).astype(np.uint8)


def scribble_edges(picture):
    x = stretch(blur(soft(picture), 3.0), 16)
    ridges = np.zeros_like(x)
    for kernel in ([[0, 0, 0], [1, 1, 1], [0, 0, 0]], [[0, 1, 0]] * 3, np.eye(3), np.eye(3)[::-1]):
        np.putmask(ridges, cv2.dilate(x, kernel=np.ascontiguousarray(kernel, np.uint8)) == x, x)
    z = np.zeros(ridges.shape, np.uint8)
    z[ridges > 80] = 255
    z = cv2.GaussianBlur(z, (0, 0), 3.0)
    z[z > 4] = 255
    z[z < 255] = 0
    return z


def depth(picture, invert):
    grey = grey_of(picture)
    grey = 255 - grey if invert else grey
    least, most = grey.min(), grey.max()
    if most > least:
        grey = (grey - least) / (most - least) * 255
    return grey.astype(np.uint8)


def normal(picture, style, relief=1.0):
    grey = grey_of(picture)
    dx = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3) * relief
    dy = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3) * relief
    z = np.full_like(grey, 2 * np.pi if style == "midas" else 8)
    if style == "midas":
        flat = grey < grey.min() + (grey.max() - grey.min()) * np.float32(0.4)
        dx[flat] = 0
        dy[flat] = 0
    n = np.stack([dx, dy, z], axis=2)
    n /= np.sqrt(np.sum(n * n, axis=2, keepdims=True))
    n = n[:, :, ::-1] if style == "midas" else n
    return (n * 127.5 + 127.5).clip(0, 255).astype(np.uint8)


def resize(channel, size, how):
    return np.asarray(Image.fromarray(channel, "F").resize(size, how))


def per_channel(picture, change):
    channels = [change(np.ascontiguousarray(picture[:, :, c], np.float32)) for c in range(3)]
    return np.stack(channels, axis=2).clip(0, 255).round().astype(np.uint8)


def tile(picture, coarser):
    height, width = picture.shape[:2]
    small = (max(int(width / coarser), 1), max(int(height / coarser), 1))
    return per_channel(picture, lambda c: resize(resize(c, small, Image.BOX), (width, height), Image.LANCZOS))


def colour_grid(picture, cell):  # cells whose borders fall on pixel centres are left out: PIL rounds those by accumulated error
    height, width = picture.shape[:2]
    small = (max(width // cell, 1), max(height // cell, 1))
    return per_channel(picture, lambda c: resize(resize(c, small, Image.BICUBIC).clip(0, 255), (width, height), Image.NEAREST))


def main():
    out = Path(sys.argv[1], "preprocess")
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2023)
    pictures = [make_picture(rng, i) for i in range(N_PICTURES)]
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(out / f"picture-{i}.png", optimize=True)
    some = [0, 1, 2, 3, 4, 5, 10, 11, 17]
    wanted = {
        "canny": [("canny", i, canny(pictures[i], 100, 200)) for i in range(N_PICTURES)]
        + [("canny:low=30.5,high=61.7", i, canny(pictures[i], 30.5, 61.7)) for i in range(0, N_PICTURES, 3)],
        "softedge": [("softedge", i, softedge(pictures[i], False)) for i in some]
        + [("softedge:safe=true", i, softedge(pictures[i], True)) for i in some[:3]],
        "lineart": [("lineart", i, lineart(pictures[i])) for i in some]
        + [("lineart:sigma=2,threshold=20", i, lineart(pictures[i], 2.0, 20)) for i in some[:3]],
        "scribble": [("scribble", i, scribble(pictures[i])) for i in some]
        + [("scribble:threshold=60", i, scribble(pictures[i], 60)) for i in some[:3]],
        "scribble-edges": [("scribble-edges", i, scribble_edges(pictures[i])) for i in some],
        "scribble-xdog": [("scribble-xdog", i, scribble_xdog(pictures[i])) for i in some]
        + [("scribble-xdog:threshold=10", i, scribble_xdog(pictures[i], 10)) for i in some[:3]],
        "depth": [("depth", i, depth(pictures[i], False)) for i in some]
        + [("depth:invert=true", i, depth(pictures[i], True)) for i in some[:3]],
        "normal": [("normal", i, normal(pictures[i], "bae")) for i in some]
        + [("normal:style=midas,relief=2", i, normal(pictures[i], "midas", 2.0)) for i in some],
        "tile": [("tile:coarser=3", i, tile(pictures[i], 3)) for i in some[:5]],
        "colour-grid": [("colour-grid:cell=11", i, colour_grid(pictures[i], 11)) for i in some[:5]],
    }
    versions = {"opencv": cv2.__version__, "numpy": np.__version__, "pillow": PIL.__version__}
    for name, cases in wanted.items():
        listed = []
        for k, (text, i, result) in enumerate(cases):
            file = f"{name}-{k}.png"
            Image.fromarray(result).save(out / file, optimize=True)
            listed.append({"image": f"picture-{i}.png", "preprocess": text, "result": file})
        text = json.dumps({"made_with": versions, "cases": listed}, indent=1)
        (out / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
