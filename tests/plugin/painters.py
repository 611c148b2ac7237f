# SPDX-License-Identifier: GPL-3.0-or-later
"""The procedures that paint, under one roof for the tests that hold for all of them. Runs inside GIMP.

A painter takes (image, the drawables, variants) and paints once with the arguments that every test shares. To put a new procedure to all
those tests, add it to PAINTERS and name it in meson.build.
"""

import os

from pictures import DONE, call, edit, fill, generate, new_layers, rerun

REAL = os.environ.get("PMT_TABLE_REAL") == "yes"  # the bundled model paints
GROW, FEATHER = 4, 6  # the fake engine's, and what the real one is asked for
STEPS = {"steps": 2 if REAL else 0}
REGION = {"grow": float(GROW), "feather": float(FEATHER)}


def by_fill(image, drawables, variants, **more):
    return fill(image, drawables, prompt="a red mushroom", seed=7, variants=variants, **REGION, **STEPS, **more)


def by_edit(image, drawables, variants, **more):
    return edit(image, drawables, instruction="make it winter", seed=7, variants=variants, **REGION, **STEPS, **more)


def by_generate(image, drawables, variants, **more):
    return generate(image, drawables, prompt="a red mushroom", seed=7, variants=variants, **STEPS, **more)


def by_rerun(image, drawables, variants, **more):
    """Of a layer that Generate painted; that one goes, and what remains stands where it stood."""
    status, said = by_generate(image, drawables, 1, **more)
    if status != DONE:
        return status, said
    first = new_layers(image)[0]
    status, said = rerun(image, first, variants=variants)
    image.remove_layer(first)
    return status, said


MODES = ("add", "remove", "refine")  # (replace-background paints what is not selected)


def by_modes(image, drawables, variants, **more):
    """The modes of a fill that paint what is selected, one after the other."""
    by_modes.count += 1
    return call(f"plug-in-pentimento-{MODES[by_modes.count % len(MODES)]}", image, drawables, prompt="a red mushroom", seed=7, variants=variants,
                **REGION, **STEPS, **more)


by_modes.count = 0
PAINTERS = {"fill": by_fill, "edit": by_edit, "generate": by_generate, "rerun": by_rerun, "modes": by_modes}
# how far a painter may reach beyond the selection, in pixels
REACH = {"fill": GROW + FEATHER, "edit": GROW + FEATHER, "generate": 0, "rerun": 0, "modes": GROW + FEATHER}
