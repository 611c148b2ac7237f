# SPDX-License-Identifier: GPL-3.0-or-later
"""All kinds of object: the 26 of ../train/kinds.py and those below, drawn in the same unit square by the same rules.

One more role than there: bar:W, a thick line of width W in the object's colour, outlined. Each kind must be told from
every other by its silhouette at 40 pixels, and most of it must show the object's colour.
"""
import importlib.util
import os

import numpy as np

_path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train", "kinds.py")
_spec = importlib.util.spec_from_file_location("studio.first_kinds", _path)
_first = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_first)

KINDS, kind = _first.KINDS, _first.kind
poly, rect, ellipse, curve, mirrored = _first.poly, _first.rect, _first.ellipse, _first.curve, _first.mirrored


def ray(n, r0, r1, cx=0.0, cy=0.0, width=.5):
    """A disc with n teeth: radius r0 between them, r1 on them, each `width` of its step wide."""
    out = []
    for i in range(n):
        a, h = 2 * np.pi * i / n - np.pi / 2, np.pi / n * width
        for angle, r in ((a - h * 1.3, r0), (a - h, r1), (a + h, r1), (a + h * 1.3, r0)):
            out.append((cx + r * np.cos(angle), cy + r * np.sin(angle)))
    return poly(*out)


def regular(n, r=1.0, turn=-90.0):
    a = np.radians(np.arange(n) * 360 / n + turn)
    return np.stack([r * np.cos(a), r * np.sin(a)], 1)


# ---- signs

@kind("hexagon")
def _():
    return [("colour", [regular(6)])]


@kind("ring")
def _():
    return [("colour", [ellipse(0, 0, .95)]), ("dot:light", [ellipse(0, 0, .5)]), ("line:.07", [ellipse(0, 0, .5, n=41, end=360.1)])]


@kind("bolt")
def _():
    return [("colour", [poly((.2, -1), (-.6, .15), (-.08, .15), (-.3, 1), (.62, -.25), (.08, -.25), (.5, -1))])]


@kind("sun")
def _():
    spikes = [poly((.98 * np.cos(a), .98 * np.sin(a)), (.5 * np.cos(a + .28), .5 * np.sin(a + .28)), (.5 * np.cos(a - .28), .5 * np.sin(a - .28)))
              for a in np.radians(np.arange(8) * 45)]
    return [("colour", spikes), ("colour", [ellipse(0, 0, .55)])]


@kind("gear")
def _():
    return [("colour", [ray(8, .72, 1.0, width=.55)]), ("light", [ellipse(0, 0, .28)])]


@kind("leaf", "leaves")
def _():
    return [("colour", [mirrored((0, -1), (.42, -.5), (.55, .05), (.34, .5), (0, .75))]), ("line:.09", [poly((0, -.5), (0, 1))]),
            ("line:.06", [poly((0, .05), (.28, -.22)), poly((0, .05), (-.28, -.22)), poly((0, .42), (.25, .18)), poly((0, .42), (-.25, .18))])]


# ---- food

@kind("cherry", "cherries")
def _():
    return [("line:.09", [curve((-.48, .3), (-.25, -.4), (.2, -.95)), curve((.5, .35), (.45, -.3), (.2, -.95))]),
            ("leaf", [ellipse(.5, -.82, .32, .14)]), ("colour", [ellipse(-.5, .5, .44)]), ("colour", [ellipse(.5, .54, .42)])]


@kind("pear")
def _():
    return [("line:.13", [curve((0, -.6), (.04, -.8), (.16, -1))]), ("leaf", [ellipse(.36, -.84, .24, .11)]),
            ("colour", [mirrored((0, -.72), (.26, -.6), (.32, -.2), (.66, .3), (.56, .82), (0, .97))])]


@kind("banana")
def _():
    outer = curve((-.95, -.35), (-.72, .35), (-.05, .72), (.62, .4), (.92, -.45))
    inner = curve((.74, -.5), (.42, .02), (-.05, .18), (-.5, .0), (-.8, -.45))
    return [("colour", [np.concatenate([outer, inner])]), ("brown", [poly((.72, -.48), (.94, -.42), (.98, -.68), (.82, -.72))])]


@kind("carrot")
def _():
    return [("leaf", [ellipse(0, -.78, .13, .24), ellipse(-.28, -.7, .2, .13), ellipse(.28, -.7, .2, .13)]),
            ("colour", [mirrored((0, -.56), (.36, -.5), (.4, -.25), (.22, .4), (0, 1))]),
            ("line:.06", [poly((-.36, -.2), (-.08, -.2)), poly((.26, .12), (.0, .12)), poly((-.2, .42), (0, .42))])]


@kind("cake")
def _():
    return [("line:.1", [poly((0, -.3), (0, -.72))]), ("dot:light", [ellipse(0, -.86, .1, .16)]), ("cream", [rect(-.85, -.05, .85, .85)]),
            ("colour", [np.concatenate([rect(-.85, -.35, .85, .1)[:2], curve((.85, .1), (.64, .4), (.43, .12), (.2, .45), (0, .14), (-.22, .42),
                                                                                (-.43, .12), (-.64, .38), (-.85, .1))])]),
            ("colour", [rect(-.85, .6, .85, .85)])]


@kind("egg")
def _():
    return [("colour", [mirrored((0, -1), (.4, -.72), (.68, .02), (.68, .5), (.4, .88), (0, 1))]), ("dot:shade", [ellipse(-.2, -.1, .12), ellipse(.25, -.3, .1),
            ellipse(.15, .3, .13), ellipse(-.28, .45, .1), ellipse(.42, .12, .07)])]


@kind("lolly", "lollies")
def _():
    t = np.linspace(.3, 11.5, 60)
    spiral = np.stack([.045 * t * np.cos(t), -.36 + .045 * t * np.sin(t)], 1)
    return [("cream", [rect(-.08, .1, .08, 1)]), ("colour", [ellipse(0, -.36, .62)]), ("dot:light", [ellipse(0, -.36, .12)]), ("line:.07", [spiral])]


@kind("icecream", "icecreams")
def _():
    return [("brown", [poly((-.48, .0), (.48, .0), (0, 1))]), ("colour", [ellipse(0, -.35, .6, .58), ellipse(-.4, .02, .22, .15), ellipse(.4, .02, .22, .15), ellipse(0, .06, .24, .15)]),
            ("dot:light", [ellipse(-.2, -.58, .12, .09)])]


# ---- animals

@kind("bird")
def _():
    return [("brown", [poly((.62, -.38), (1, -.22), (.62, -.12))]), ("line:.08", [poly((-.05, .5), (-.1, .95)), poly((.2, .5), (.2, .95))]),
            ("colour", [ellipse(0, .12, .62, .48), ellipse(.44, -.3, .33), poly((-.45, -.05), (-1, -.35), (-.95, .3), (-.5, .35))]),
            ("shade", [ellipse(-.1, .12, .34, .22)]), ("dot:ink", [ellipse(.52, -.36, .08)])]


@kind("duck")
def _():
    return [("brown", [poly((-.6, -.52), (-1, -.42), (-.95, -.28), (-.6, -.28))]),
            ("colour", [ellipse(-.42, -.5, .36), poly((-.68, -.3), (-.15, -.4), (.1, .1), (-.75, .35)),
                        np.concatenate([ellipse(.1, .2, .88, .68, 0, 180), poly((-.78, .2), (-.3, .02), (.4, .05), (1, -.3))])]),
            ("dot:ink", [ellipse(-.5, -.58, .08)]), ("line:.07", [curve((0, .3), (.25, .5), (.58, .28))])]


@kind("cat")
def _():
    return [("colour", [poly((-.8, -.98), (-.86, 0), (-.1, -.5)), poly((.8, -.98), (.86, 0), (.1, -.5)), ellipse(0, .15, .9, .75)]),
            ("dot:light", [ellipse(-.36, .02, .17, .2), ellipse(.36, .02, .17, .2)]), ("dot:ink", [ellipse(-.36, .04, .08, .15), ellipse(.36, .04, .08, .15),
            poly((-.12, .34), (.12, .34), (0, .5))]), ("line:.05", [poly((.35, .5), (.85, .4)), poly((.35, .6), (.85, .68)), poly((-.35, .5), (-.85, .4)), poly((-.35, .6), (-.85, .68))])]


@kind("rabbit")
def _():
    return [("colour", [ellipse(-.33, -.5, .2, .5), ellipse(.33, -.5, .2, .5), ellipse(0, .38, .68, .58)]),
            ("dot:cream", [ellipse(-.33, -.52, .08, .32), ellipse(.33, -.52, .08, .32)]),
            ("dot:ink", [ellipse(-.27, .25, .09), ellipse(.27, .25, .09), ellipse(0, .46, .1, .07)]), ("dot:light", [rect(-.12, .6, .12, .82)])]


@kind("bear")
def _():
    return [("colour", [ellipse(-.66, -.62, .32), ellipse(.66, -.62, .32), ellipse(0, .1, .88, .8)]), ("dot:cream", [ellipse(0, .4, .4, .32)]),
            ("dot:ink", [ellipse(-.34, -.08, .1), ellipse(.34, -.08, .1), ellipse(0, .26, .16, .1)])]


@kind("snail")
def _():
    t = np.linspace(.5, 12, 60)
    return [("line:.06", [poly((-.72, .2), (-.92, -.25)), poly((-.62, .2), (-.6, -.28))]),
            ("cream", [np.concatenate([curve((-.92, .4), (-.78, .12), (-.5, .2), (-.4, .5), (.2, .62), (1, .86)), poly((-.75, .88))])]),
            ("colour", [ellipse(.22, .02, .7)]), ("line:.07", [np.stack([.22 + .04 * t * np.cos(t), .02 + .04 * t * np.sin(t)], 1)])]


@kind("turtle")
def _():
    return [("cream", [ellipse(-.8, .12, .22, .2)]), ("cream", [ellipse(-.42, .55, .17, .27), ellipse(.5, .55, .17, .27), poly((.75, .3), (1, .48), (.7, .5))]),
            ("colour", [np.concatenate([ellipse(.08, .4, .75, .95, 180, 360)])]), ("line:.07", [poly((-.3, .32), (-.1, -.1), (.28, -.1), (.46, .32)), poly((-.1, -.1), (-.24, -.38)),
            poly((.28, -.1), (.4, -.38))]), ("dot:ink", [ellipse(-.86, .08, .05)])]


@kind("whale")
def _():
    return [("line:.07", [curve((-.35, -.32), (-.38, -.7), (-.62, -.8)), curve((-.35, -.32), (-.32, -.7), (-.08, -.8))]),
            ("colour", [np.concatenate([curve((-1, .25), (-.85, -.18), (-.35, -.32), (.2, -.12), (.62, .1)), poly((.7, -.25), (.55, -.6), (.85, -.42), (1, -.68), (.96, -.2)),
                                        curve((.92, .1), (.7, .6), (.1, .8), (-.6, .75), (-1, .25))])]),
            ("dot:light", [np.concatenate([curve((-.97, .35), (-.4, .45), (.2, .45)), curve((.2, .45), (-.1, .7), (-.6, .68), (-.97, .35))])]), ("dot:ink", [ellipse(-.6, .08, .07)])]


@kind("crab")
def _():
    legs = [poly((s * .5, .3 + d), (s * .85, .25 + 1.5 * d), (s * .95, .5 + 1.6 * d)) for s in (-1, 1) for d in (0, .16, .3)]
    claws = [np.concatenate([ellipse(s * .7, -.55, .28, .33), poly((s * .7, -.55))]) for s in (-1, 1)]
    return [("line:.09", legs), ("line:.12", [poly((-.5, .1), (-.72, -.35)), poly((.5, .1), (.72, -.35))]), ("colour", claws), ("dot:ink", [poly((-.7, -.5), (-.62, -.95), (-.42, -.85)),
            poly((.7, -.5), (.62, -.95), (.42, -.85))]), ("colour", [ellipse(0, .3, .66, .46)]), ("dot:light", [ellipse(-.22, .12, .13), ellipse(.22, .12, .13)]),
            ("dot:ink", [ellipse(-.22, .14, .06), ellipse(.22, .14, .06)])]


@kind("spider")
def _():
    legs = [curve((s * .3, y), (s * .7, y + d - .15), (s * .98, y + d + .22)) for s in (-1, 1) for y, d in ((-.2, -.42), (-.02, -.1), (.18, .14), (.34, .38))]
    return [("line:.08", legs), ("colour", [ellipse(0, .25, .5, .55)]), ("colour", [ellipse(0, -.42, .33, .3)]), ("dot:light", [ellipse(-.13, -.5, .09), ellipse(.13, -.5, .09)])]


# ---- plants

@kind("cactus", "cactuses")
def _():
    arms = [curve((-.25, .3), (-.7, .25), (-.74, -.3), (-.74, -.34)), curve((.25, .1), (.68, .08), (.72, -.5), (.72, -.54))]
    return [("bar:.3", arms), ("colour", [np.concatenate([ellipse(0, -.66, .3, .32, 180, 360), poly((.3, .95), (-.3, .95))])]),
            ("line:.05", [poly((-.1, -.6), (-.1, .85)), poly((.1, -.6), (.1, .85))])]


@kind("palm")
def _():
    fronds = [np.concatenate([curve((0, -.5), (.5 * s, -.5 + .3 * u - .22), (.95 * s, -.5 + u)), curve((.95 * s, -.5 + u), (.45 * s, -.5 + .3 * u + .1), (0, -.32))])
              for s in (-1, 1) for u in (-.28, .22, .62)]
    return [("brown", [poly((-.1, -.4), (.1, -.4), (.2, 1), (-.12, 1))]), ("colour", fronds)]


# ---- vehicles

@kind("bus", "buses")
def _():
    return [("colour", [poly((-1, -.62), (.88, -.62), (1, -.4), (1, .5), (-1, .5))]), ("dot:light", [rect(-.88, -.42, -.52, -.02), rect(-.4, -.42, -.04, -.02), rect(.08, -.42, .44, -.02),
            rect(.58, -.42, .96, .12)]), ("ink", [ellipse(-.55, .5, .22), ellipse(.55, .5, .22)]), ("dot:light", [ellipse(-.55, .5, .09), ellipse(.55, .5, .09)])]


@kind("truck")
def _():
    return [("shade", [poly((.3, -.2), (.72, -.2), (1, .15), (1, .52), (.3, .52))]), ("dot:light", [poly((.48, -.08), (.68, -.08), (.86, .15), (.48, .15))]),
            ("colour", [rect(-1, -.7, .24, .52)]), ("ink", [ellipse(-.6, .55, .23), ellipse(.6, .55, .23)]), ("dot:light", [ellipse(-.6, .55, .09), ellipse(.6, .55, .09)])]


@kind("train")
def _():
    return [("shade", [rect(-.98, -.8, -.3, .45)]), ("dot:light", [rect(-.8, -.58, -.48, -.15)]), ("colour", [np.concatenate([poly((-.34, .45), (-.34, -.2), (.75, -.2)), curve((.75, -.2), (.95, .1), (.95, .45))])]),
            ("colour", [poly((.4, -.2), (.32, -.78), (.78, -.78), (.68, -.2))]), ("ink", [ellipse(-.62, .58, .28), ellipse(.05, .64, .2), ellipse(.6, .64, .2)]),
            ("dot:light", [ellipse(-.62, .58, .1), ellipse(.05, .64, .07), ellipse(.6, .64, .07)])]


@kind("plane")
def _():
    return [("shade", [poly((-.12, -.12), (.2, -.12), (-.1, -.92), (-.36, -.92))]),
            ("colour", [poly((-.98, -.62), (-.72, -.62), (-.45, -.12), (-.92, .0)), ellipse(.05, 0, .93, .24)]), ("shade", [poly((-.15, .06), (.3, .06), (-.12, .88), (-.4, .88))]),
            ("dot:light", [ellipse(.62, -.06, .12, .09), ellipse(.28, -.04, .07), ellipse(.05, -.04, .07), ellipse(-.18, -.04, .07)])]


@kind("tractor")
def _():
    return [("line:.1", [poly((.6, -.1), (.6, -.62))]), ("colour", [poly((-.7, .45), (-.7, -.1), (-.62, -.88), (.08, -.88), (.16, -.12), (.92, -.05), (.92, .45))]), ("dot:light", [poly((-.5, -.18), (-.46, -.7), (-.04, -.7), (.0, -.18))]),
            ("ink", [ellipse(-.42, .45, .5)]), ("ink", [ellipse(.65, .65, .3)]), ("dot:light", [ellipse(-.42, .45, .2), ellipse(.65, .65, .11)])]


@kind("submarine")
def _():
    return [("line:.12", [poly((.05, -.3), (.05, -.88), (.32, -.88))]), ("shade", [poly((-.3, .1), (-.22, -.38), (.3, -.38), (.38, .1))]), ("shade", [poly((-.7, .3), (-1, -.1), (-1, .72))]),
            ("colour", [ellipse(.08, .3, .9, .45)]), ("light", [ellipse(.52, .25, .14), ellipse(.1, .25, .14), ellipse(-.32, .25, .14)])]


# ---- places

@kind("tent")
def _():
    return [("colour", [poly((0, -.9), (1, .8), (-1, .8))]), ("ink", [poly((0, -.1), (.34, .8), (-.34, .8))]), ("line:.08", [poly((-.14, -1), (.06, -.8)), poly((.14, -1), (-.06, -.8))])]


@kind("castle")
def _():
    def tower(x0, x1, top, bottom=.9):
        w = (x1 - x0) / 5
        return poly((x0, bottom), (x0, top), (x0 + w, top), (x0 + w, top + .18), (x0 + 2 * w, top + .18), (x0 + 2 * w, top), (x1 - 2 * w, top), (x1 - 2 * w, top + .18),
                    (x1 - w, top + .18), (x1 - w, top), (x1, top), (x1, bottom))
    return [("shade", [tower(-.5, .5, -.3)]), ("colour", [tower(-1, -.4, -.9)]), ("colour", [tower(.4, 1, -.9)]),
            ("brown", [np.concatenate([ellipse(0, .42, .2, .25, 180, 360), poly((.2, .9), (-.2, .9))])]), ("dot:ink", [rect(-.76, -.4, -.64, -.1), rect(.64, -.4, .76, -.1)])]


@kind("lighthouse")
def _():
    return [("colour", [poly((-.26, -.42), (.26, -.42), (.42, .95), (-.42, .95))]), ("dot:light", [poly((-.31, .05), (.31, .05), (.36, .4), (-.36, .4))]), ("light", [rect(-.24, -.7, .24, -.42)]),
            ("shade", [poly((-.34, -.7), (0, -1), (.34, -.7))]), ("ink", [rect(-.38, -.46, .38, -.36)])]


@kind("windmill")
def _():
    blades = []
    for a in np.radians([45, 135, 225, 315]):
        u, v = np.array((np.cos(a), np.sin(a))), np.array((-np.sin(a), np.cos(a)))
        blades.append(np.array([(0, -.3) + u * .1, (0, -.3) + u * .2 + v * .24, (0, -.3) + u * .92 + v * .24, (0, -.3) + u * .92]))
    return [("colour", [poly((-.28, -.45), (0, -.75), (.28, -.45), (.5, 1), (-.5, 1))]), ("brown", [rect(-.14, .6, .14, 1)]), ("light", blades), ("ink", [ellipse(0, -.3, .1)])]


# ---- household

@kind("key")
def _():
    return [("colour", [ellipse(-.58, 0, .42), rect(-.3, -.14, .98, .14), rect(.5, 0, .68, .5), rect(.8, 0, .98, .5)]), ("light", [ellipse(-.62, 0, .17)])]


@kind("lock")
def _():
    return [("line:.2", [np.concatenate([poly((-.42, .0), (-.42, -.42)), ellipse(0, -.42, .42, .46, 180, 360.1, n=24), poly((.42, 0))])]), ("colour", [rect(-.78, -.12, .78, .95)]),
            ("dot:ink", [ellipse(0, .3, .16), poly((-.08, .3), (.08, .3), (.14, .7), (-.14, .7))])]


@kind("hat")
def _():
    return [("colour", [ellipse(0, .58, 1, .24)]), ("colour", [poly((-.55, .55), (-.6, -.75), (.6, -.75), (.55, .55))]), ("dot:ink", [poly((-.57, .2), (.57, .2), (.55, .48), (-.55, .48))])]


@kind("bottle")
def _():
    return [("brown", [rect(-.13, -1, .13, -.8)]), ("colour", [mirrored((0, -.82), (.17, -.8), (.18, -.4), (.4, -.05), (.42, .3), (.42, .9), (0, .98))]), ("light", [rect(-.4, .2, .4, .6)])]


@kind("candle")
def _():
    return [("colour", [rect(-.28, -.25, .28, .85)]), ("line:.07", [poly((0, -.25), (0, -.48))]), ("cream", [mirrored((0, -1), (.14, -.72), (.15, -.55), (0, -.44))]), ("brown", [ellipse(0, .85, .62, .15)])]


@kind("lamp")
def _():
    return [("line:.14", [poly((0, 0), (0, .8))]), ("ink", [ellipse(0, .86, .48, .13)]), ("colour", [poly((-.36, -.92), (.36, -.92), (.82, .12), (-.82, .12))])]


@kind("book")
def _():
    return [("shade", [poly((-1, -.62), (0, -.42), (1, -.62), (1, .62), (0, .82), (-1, .62))]), ("light", [poly((0, -.36), (-.84, -.56), (-.84, .46), (0, .66)), poly((0, -.36), (.84, -.56), (.84, .46), (0, .66))]),
            ("dot:colour", [poly((-.78, -.44), (-.1, -.28), (-.1, .52), (-.78, .36)), poly((.78, -.44), (.1, -.28), (.1, .52), (.78, .36))])]


@kind("chair")
def _():
    return [("line:.15", [poly((-.5, .3), (-.5, .95)), poly((.55, .3), (.55, .95))]), ("colour", [rect(-.62, -.98, -.3, .3)]), ("colour", [rect(-.62, .05, .72, .36)])]


@kind("table")
def _():
    return [("line:.17", [poly((-.68, -.1), (-.68, .85)), poly((.68, -.1), (.68, .85))]), ("colour", [rect(-1, -.5, 1, -.02)])]


@kind("clock")
def _():
    return [("colour", [ellipse(-.55, -.72, .26), ellipse(.55, -.72, .26)]), ("line:.14", [poly((-.5, .7), (-.68, .98)), poly((.5, .7), (.68, .98))]), ("colour", [ellipse(0, .08, .82)]),
            ("light", [ellipse(0, .08, .46)]), ("line:.08", [poly((0, .08), (0, -.24)), poly((0, .08), (.24, .16))])]


@kind("envelope")
def _():
    return [("colour", [rect(-1, -.65, 1, .65)]), ("line:.07", [poly((-.97, -.62), (0, .15), (.97, -.62))])]


@kind("flag")
def _():
    top, low = curve((-.62, -.85), (-.1, -.98), (.35, -.74), (.95, -.88)), curve((.95, .08), (.35, .22), (-.1, -.02), (-.62, .12))
    return [("brown", [rect(-.78, -1, -.62, 1)]), ("colour", [np.concatenate([top, low])])]


@kind("kite")
def _():
    return [("line:.07", [curve((0, .3), (.22, .55), (-.12, .75), (.12, 1))]), ("colour", [poly((0, -1), (.62, -.38), (0, .42), (-.62, -.38))]), ("line:.05", [poly((0, -1), (0, .42)), poly((-.62, -.38), (.62, -.38))]),
            ("ink", [poly((.08, .66), (.32, .56), (.3, .8))])]


@kind("ladder")
def _():
    return [("bar:.13", [poly((-.4, y), (.4, y)) for y in (-.68, -.28, .12, .52)]), ("bar:.17", [poly((-.42, -.95), (-.42, .95)), poly((.42, -.95), (.42, .95))])]


@kind("bucket")
def _():
    return [("line:.09", [ellipse(0, -.35, .72, .6, 180, 360.1, n=30)]), ("colour", [poly((-.82, -.4), (.82, -.4), (.56, .92), (-.56, .92))]), ("shade", [ellipse(0, -.4, .82, .17)])]


@kind("vase")
def _():
    return [("colour", [mirrored((0, -.95), (.46, -.95), (.22, -.55), (.36, -.25), (.66, .2), (.4, .8), (.36, .95), (0, .95))]), ("dot:light", [poly((-.6, .08), (.6, .08), (.62, .3), (-.62, .3))])]


@kind("teapot")
def _():
    return [("line:.15", [ellipse(-.6, .1, .36, .36, 90, 270)]), ("colour", [poly((.4, .05), (.78, -.38), (1, -.42), (.74, .5), (.3, .62))]), ("colour", [ellipse(0, .22, .66, .58)]),
            ("shade", [ellipse(0, -.33, .4, .13)]), ("ink", [ellipse(0, -.52, .11)])]


@kind("pan")
def _():
    return [("brown", [rect(.3, -.14, 1, .1)]), ("colour", [ellipse(-.32, 0, .68, .62)]), ("dot:shade", [ellipse(-.32, 0, .48, .42)])]


@kind("shirt")
def _():
    return [("colour", [poly((-.34, -.85), (-1, -.42), (-.74, .08), (-.52, -.06), (-.52, .92), (.52, .92), (.52, -.06), (.74, .08), (1, -.42), (.34, -.85)),]),
            ("light", [np.concatenate([ellipse(0, -.85, .34, .26, 0, 180)])])]


@kind("dress", "dresses")
def _():
    return [("line:.09", [poly((-.25, -.6), (-.25, -.98)), poly((.25, -.6), (.25, -.98))]), ("colour", [poly((-.36, -.7), (.36, -.7), (.26, -.1), (.85, .92), (-.85, .92), (-.26, -.1))]), ("dot:ink", [rect(-.27, -.16, .27, .0)])]


@kind("sock")
def _():
    return [("colour", [np.concatenate([poly((-.5, -.65), (.14, -.65), (.14, .18)), curve((.14, .18), (.75, .28), (.92, .62), (.65, .92), (.0, .9), (-.42, .78), (-.5, .4))])]), ("light", [rect(-.56, -.98, .2, -.62)])]


@kind("guitar")
def _():
    return [("brown", [rect(-.09, -.85, .09, .0)]), ("ink", [rect(-.18, -1, .18, -.78)]), ("colour", [ellipse(0, .02, .4, .34), ellipse(0, .52, .56, .46)]), ("ink", [ellipse(0, .25, .16)]), ("line:.05", [poly((-.25, .7), (.25, .7))])]


@kind("drum")
def _():
    return [("line:.08", [poly((-.3, -.45), (-.9, -.95)), poly((.3, -.45), (.9, -.95))]), ("colour", [np.concatenate([ellipse(0, .68, .85, .24, 0, 180), poly((-.85, -.35), (.85, -.35))])]), ("light", [ellipse(0, -.35, .85, .24)]),
            ("line:.06", [poly((-.8, -.15), (-.4, .82), (0, -.1), (.4, .82), (.8, -.15))])]


@kind("robot")
def _():
    return [("line:.08", [poly((0, -.7), (0, -.98))]), ("line:.14", [poly((-.6, .15), (-.92, .5)), poly((.6, .15), (.92, .5)), poly((-.25, .7), (-.25, .98)), poly((.25, .7), (.25, .98))]),
            ("colour", [rect(-.5, -.75, .5, -.1)]), ("colour", [rect(-.6, .0, .6, .78)]), ("dot:light", [ellipse(-.22, -.45, .13), ellipse(.22, -.45, .13), rect(-.35, .25, .35, .5)]),
            ("dot:ink", [ellipse(-.22, -.45, .06), ellipse(.22, -.45, .06)])]


@kind("ghost")
def _():
    hem = np.concatenate([ellipse(c, .72, .24, .24, 0, 180) for c in (.48, 0, -.48)])
    return [("colour", [np.concatenate([ellipse(0, -.25, .72, .72, 180, 360), hem])]), ("dot:ink", [ellipse(-.26, -.3, .12, .17), ellipse(.26, -.3, .12, .17), ellipse(0, .1, .12, .1)])]


@kind("anchor")
def _():
    return [("bar:.2", [curve((-.8, .15), (-.62, .7), (0, .9), (.62, .7), (.8, .15)), poly((-.45, -.35), (.45, -.35)), poly((0, -.5), (0, .85))]), ("colour", [ellipse(0, -.72, .26)]), ("light", [ellipse(0, -.72, .1)])]


@kind("hammer")
def _():
    return [("brown", [rect(-.14, -.35, .14, 1)]), ("colour", [poly((-.85, -.85), (.5, -.85), (.9, -.5), (.62, -.25), (.4, -.32), (-.85, -.32))])]


@kind("axe")
def _():
    return [("brown", [rect(-.3, -1, -.06, 1)]), ("colour", [np.concatenate([poly((-.4, -.75), (.1, -.72)), curve((.55, -.98), (.82, -.45), (.6, .22)), poly((.1, -.12), (-.4, -.1))])])]


@kind("sword")
def _():
    return [("colour", [poly((0, -1), (.2, -.75), (.2, .4), (-.2, .4), (-.2, -.75))]), ("brown", [rect(-.11, .5, .11, .92)]), ("shade", [rect(-.56, .35, .56, .55)]), ("line:.04", [poly((0, -.75), (0, .3))])]


@kind("shield")
def _():
    return [("colour", [mirrored((0, -.8), (.4, -.85), (.8, -.9), (.8, -.1), (.52, .55), (0, 1))]), ("dot:light", [rect(-.12, -.72, .12, .72), rect(-.7, -.32, .7, -.08)])]


@kind("glove")
def _():
    return [("colour", [np.concatenate([poly((-.5, .6), (-.5, -.3)), ellipse(-.02, -.38, .48, .58, 180, 360), poly((.46, .1)), ellipse(.68, -.05, .26, .26, 225, 400), poly((.42, .6))])]), ("light", [rect(-.58, .55, .5, .95)])]


@kind("glasses", "glasses")
def _():
    return [("line:.1", [curve((-.2, -.05), (0, -.16), (.2, -.05)), poly((-.92, -.1), (-1, -.5)), poly((.92, -.1), (1, -.5))]), ("colour", [ellipse(-.52, .1, .46, .44)]), ("colour", [ellipse(.52, .1, .46, .44)]),
            ("dot:light", [ellipse(-.52, .1, .24), ellipse(.52, .1, .24)])]


@kind("magnet")
def _():
    return [("colour", [np.concatenate([ellipse(0, .05, .85, .88, 0, 180), poly((-.85, -.5), (-.3, -.5), (-.3, .05)), ellipse(0, .05, .3, .34, 180, 0), poly((.3, -.5), (.85, -.5))])]),
            ("light", [rect(-.85, -.95, -.3, -.5), rect(.3, -.95, .85, -.5)])]


@kind("gift")
def _():
    return [("line:.1", [ellipse(-.28, -.72, .26, .2, 0, 360.1, n=24), ellipse(.28, -.72, .26, .2, 0, 360.1, n=24)]), ("colour", [rect(-.82, -.2, .82, .95)]), ("shade", [rect(-.95, -.5, .95, -.15)]), ("dot:light", [rect(-.14, -.5, .14, .95)])]


@kind("trumpet")
def _():
    return [("line:.1", [ellipse(-.1, .2, .38, .26, 0, 360.1, n=30)]), ("colour", [np.concatenate([poly((-1, -.14), (.2, -.14)), curve((.2, -.14), (.7, -.28), (.98, -.62)), curve((.98, .5), (.7, .16), (.2, .06)), poly((-1, .06))])]),
            ("line:.09", [poly((-.32, -.14), (-.32, -.42)), poly((-.1, -.14), (-.1, -.42)), poly((.12, -.14), (.12, -.42))])]


# Drawn, named in the vocabulary, but in no scene of the main training: thin or easily confused ones. A LoRA or a learned
# word can bring them (samples.py).
RESERVED = ("crab", "spider", "ladder", "anchor", "lolly", "trumpet", "windmill", "kite", "palm", "egg", "pan", "submarine", "tractor",
            "glove", "candle", "dress", "hammer", "sword", "glasses", "chair", "turtle", "cherry", "hexagon")
NAMES = tuple(k for k in KINDS if k not in RESERVED)  # what scenes hold
