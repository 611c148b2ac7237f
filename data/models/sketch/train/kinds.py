# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of object that a scene can hold, and how each is drawn.

A kind is a function that returns a list of parts, drawn in order, in a unit
square: x to the right and y down, both from -1 to 1. A part is
(role, contours): `contours` is a list of (N, 2) arrays. Roles:

  colour  filled with the object's colour, outlined in ink
  shade   a darker tone of that colour, outlined
  ink light cream brown leaf   filled with a fixed colour, outlined
  dot:ROLE    filled without an outline (small inner details)
  line:W      open ink strokes, W in the unit square

The contours of one part are drawn as their union with one outline around it,
so overlapping ellipses make a cloud or a flower.

To add a kind: one function with @kind below; captions, vocabulary, masks and
the matcher follow from the table.
"""
import math

import numpy as np

KINDS = {}  # name -> Kind, in the order of this file


class Kind:
    def __init__(self, name, plural, parts):
        self.name, self.plural, self.parts = name, plural, parts


def kind(name, plural=None):
    def add(function):
        KINDS[name] = Kind(name, plural or name + "s", function())
        return function
    return add


# ---- contours

def poly(*points):
    return np.array(points, float)


def rect(x0, y0, x1, y1):
    return poly((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def ellipse(cx, cy, rx, ry=None, start=0.0, end=360.0, n=40):
    ry = rx if ry is None else ry
    a = np.radians(np.linspace(start, end, n, endpoint=end - start < 360))
    return np.stack([cx + rx * np.cos(a), cy + ry * np.sin(a)], 1)


def curve(*points, n=12):
    """A smooth open line through the points (Catmull-Rom)."""
    p = np.array([points[0], *points, points[-1]], float)
    out = []
    for i in range(1, len(p) - 2):
        t = np.linspace(0, 1, n, endpoint=False)[:, None]
        a, b, c, d = p[i - 1:i + 3]
        out.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t ** 2
                          + (3 * b - a - 3 * c + d) * t ** 3))
    return np.concatenate(out + [p[-1:]])


def mirrored(*points):
    """Closed outline from the points of its right half, top to bottom."""
    right = curve(*points)
    return np.concatenate([right, right[::-1] * (-1, 1)])


# ---- plain shapes

@kind("circle")
def _():
    return [("colour", [ellipse(0, 0, .95)])]


@kind("square")
def _():
    return [("colour", [rect(-.85, -.85, .85, .85)])]


@kind("triangle")
def _():
    return [("colour", [poly((0, -.95), (1, .8), (-1, .8))])]


@kind("star")
def _():
    points = []
    for i in range(10):
        r, a = (1.0, .42)[i % 2], math.radians(36 * i - 90)
        points.append((r * math.cos(a), r * math.sin(a) + .06))
    return [("colour", [poly(*points)])]


@kind("heart")
def _():
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [("colour", [np.stack([x / 16.5, -(y + 2.5) / 15.5], 1)])]


@kind("diamond")
def _():
    return [("colour", [poly((0, -1), (.7, 0), (0, 1), (-.7, 0))])]


@kind("cross", "crosses")
def _():
    a, b = .36, .95
    return [("colour", [poly((-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a),
                             (a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a))])]


@kind("arrow")
def _():
    return [("colour", [poly((-1, -.3), (.05, -.3), (.05, -.85), (1, 0), (.05, .85),
                             (.05, .3), (-1, .3))])]


@kind("moon")
def _():
    outer = ellipse(-.1, 0, .95, .95, 50.6, 309.4)  # both circles pass through (.503, ±.734)
    inner = ellipse(.35, 0, .75, .75, 281.8, 78.2)
    return [("colour", [np.concatenate([outer, inner])])]


@kind("drop")
def _():
    return [("colour", [mirrored((0, -1), (.22, -.5), (.6, .05), (.66, .5), (.4, .88), (0, 1))])]


# ---- things

@kind("house")
def _():
    return [("colour", [rect(-.78, -.1, .78, .95)]),
            ("shade", [poly((0, -.98), (1, -.08), (-1, -.08))]),
            ("brown", [rect(-.2, .4, .2, .95)])]


@kind("tree")
def _():
    return [("brown", [rect(-.17, .3, .17, 1)]),
            ("colour", [poly((0, -1), (.5, -.35), (-.5, -.35)),
                        poly((0, -.65), (.64, .1), (-.64, .1)),
                        poly((0, -.3), (.8, .55), (-.8, .55))])]


@kind("flower")
def _():
    petals = [ellipse(.42 * math.cos(a), -.35 + .42 * math.sin(a), .27)
              for a in np.radians(np.arange(6) * 60 + 30)]
    return [("line:.13", [poly((0, 0), (0, 1))]),
            ("leaf", [ellipse(.3, .72, .3, .13)]),
            ("colour", petals + [ellipse(0, -.35, .42)]),
            ("brown", [ellipse(0, -.35, .2)])]


@kind("fish", "fish")
def _():
    return [("colour", [poly((-.35, 0), (-1, -.5), (-.85, 0), (-1, .5)),
                        ellipse(.22, 0, .76, .5)]),
            ("dot:light", [ellipse(.6, -.12, .15)]),
            ("dot:ink", [ellipse(.63, -.12, .08)])]


@kind("car")
def _():
    return [("colour", [poly((-1, .45), (-.98, 0), (-.6, -.08), (-.42, -.55), (.35, -.55),
                             (.58, -.08), (.95, .02), (1, .45))]),
            ("dot:light", [poly((-.42, -.05), (-.31, -.38), (-.06, -.38), (-.06, -.05)),
                           poly((.08, -.05), (.08, -.38), (.27, -.38), (.42, -.05))]),
            ("ink", [ellipse(-.52, .45, .24), ellipse(.52, .45, .24)]),
            ("dot:light", [ellipse(-.52, .45, .1), ellipse(.52, .45, .1)])]


@kind("boat")
def _():
    return [("line:.1", [poly((0, .4), (0, -1))]),
            ("colour", [poly((.1, -.95), (.85, .18), (.1, .18))]),
            ("light", [poly((-.12, -.6), (-.12, .18), (-.62, .18))]),
            ("colour", [poly((-1, .36), (1, .36), (.66, .95), (-.66, .95))])]


@kind("cloud")
def _():
    return [("colour", [ellipse(-.56, .18, .42, .36), ellipse(-.15, -.18, .46, .44),
                        ellipse(.38, -.05, .4, .38), ellipse(.62, .22, .36, .32),
                        rect(-.55, .1, .6, .54)])]


@kind("mushroom")
def _():
    cap = np.concatenate([ellipse(0, .1, 1, 1.02, 180, 360), ellipse(0, .1, 1, .2, 0, 180)])
    return [("cream", [mirrored((0, .1), (.28, .1), (.3, .5), (.38, .9), (0, .97))]),
            ("colour", [cap]),
            ("dot:light", [ellipse(-.42, -.3, .17), ellipse(.15, -.55, .18),
                           ellipse(.52, -.12, .15)])]


@kind("balloon")
def _():
    return [("line:.08", [curve((0, .5), (.12, .7), (-.1, .85), (.02, 1))]),
            ("colour", [poly((0, .3), (.16, .56), (-.16, .56)), ellipse(0, -.32, .6, .68)]),
            ("dot:light", [ellipse(-.25, -.55, .1, .18)])]


@kind("cup")
def _():
    return [("line:.18", [ellipse(.6, .08, .34, .36, 270, 450)]),
            ("colour", [poly((-.8, -.7), (.6, -.7), (.45, .8), (-.65, .8))]),
            ("shade", [ellipse(-.1, -.7, .7, .16)])]


@kind("umbrella")
def _():
    top = ellipse(0, .1, 1, 1, 180, 360)
    hem = np.concatenate([ellipse(c, .1, 1 / 3, .17, 0, -180) for c in (2 / 3, 0, -2 / 3)])
    return [("line:.12", [curve((0, 0), (0, .6), (.02, .84), (.2, .94), (.36, .8))]),
            ("colour", [np.concatenate([top, hem])])]


@kind("crown")
def _():
    return [("colour", [poly((-.85, .75), (-1, -.5), (-.45, .02), (0, -.85), (.45, .02),
                             (1, -.5), (.85, .75))]),
            ("dot:light", [ellipse(-.45, .45, .12), ellipse(0, .45, .12), ellipse(.45, .45, .12)])]


@kind("rocket")
def _():
    return [("shade", [poly((-.3, .2), (-.72, .95), (-.2, .75)),
                       poly((.3, .2), (.72, .95), (.2, .75))]),
            ("colour", [mirrored((0, -1), (.3, -.6), (.42, 0), (.26, .82), (0, .82))]),
            ("light", [ellipse(0, -.2, .19)])]


@kind("apple")
def _():
    return [("line:.13", [curve((0, -.45), (.03, -.7), (.12, -.98))]),
            ("leaf", [ellipse(.4, -.76, .27, .13)]),
            ("colour", [ellipse(-.33, .2, .52, .68), ellipse(.33, .2, .52, .68)])]


@kind("bell")
def _():
    return [("ink", [ellipse(0, .82, .19, .17)]),
            ("colour", [mirrored((0, -.95), (.24, -.85), (.48, -.35), (.55, .3), (.92, .68),
                                 (0, .7))]),
            ("dot:shade", [rect(-.5, .2, .5, .36)])]


@kind("butterfly", "butterflies")
def _():
    return [("colour", [ellipse(-.52, -.4, .46, .5), ellipse(.52, -.4, .46, .5),
                        ellipse(-.42, .48, .36, .42), ellipse(.42, .48, .36, .42)]),
            ("ink", [ellipse(0, .02, .09, .75)])]
