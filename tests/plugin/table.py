# SPDX-License-Identifier: GPL-3.0-or-later
"""A fill in pictures of every kind and geometry: nothing changes outside the mask, not even the last bit. Runs inside GIMP.

PMT_TABLE=fake runs all kinds with the fake engine, PMT_TABLE=real the common ones with the bundled model, PMT_TABLE=edit some with an
edit and the fake engine.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

REAL, EDIT = os.environ["PMT_TABLE"] == "real", os.environ["PMT_TABLE"] == "edit"
GROW, FEATHER = 4, 6  # the fake engine's, and what the real one is asked for


def odd_offsets(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    return new_layer(image, "user's", 61, 47, x=13, y=-5, seed=2)


def larger(image):
    return new_layer(image, "user's", 131, 111, x=-17, y=-23, alpha=False, seed=3)


def smaller(image):
    return new_layer(image, "user's", 50, 40, x=19, y=11, seed=4)


def above_and_below(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=5)
    user = new_layer(image, "user's", 97, 71, opacity=70, seed=6)
    new_layer(image, "top", 80, 60, x=5, y=3, opacity=40, mode=Gimp.LayerMode.MULTIPLY, seed=7)
    return user


def old_modes(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=8)
    user = new_layer(image, "user's", 97, 71, opacity=70, mode=Gimp.LayerMode.NORMAL_LEGACY, seed=9)
    new_layer(image, "top", 97, 71, opacity=40, mode=Gimp.LayerMode.SCREEN_LEGACY, seed=10)
    return user


def in_group(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=11)
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    group.set_opacity(80)
    new_layer(image, "under", 70, 60, x=3, y=4, parent=group, opacity=90, seed=12)
    user = new_layer(image, "user's", 61, 47, x=13, y=9, parent=group, opacity=60, seed=13)
    return user


GEOMETRIES = [odd_offsets, larger, smaller]
STACKS = [above_and_below, old_modes, in_group]
COMMON = ["u8", "u16", "float", "u8 linear", "gray u8"]


def rows():
    """The common kinds in every geometry, the others in one each; stacks of layers in kinds where a last bit shows."""
    for kind in COMMON:
        for geometry in GEOMETRIES:
            yield kind, geometry, 1
    for number, kind in enumerate(sorted(set(KINDS) - set(COMMON))):
        yield kind, (GEOMETRIES + STACKS)[number % 6], 1
    for kind in ("u16", "float", "float linear", "gray u16"):
        for stack in STACKS:
            yield kind, stack, 1
    yield "u8", above_and_below, 3
    yield "float", in_group, 3


def rows_of_edits():
    for number, kind in enumerate(COMMON + ["half linear", "double", "gray u16"]):
        yield kind, (GEOMETRIES + STACKS)[number % 6], 1
    yield "u16", in_group, 3


def paint_on(image, user, variants):
    common = {"seed": 7, "grow": float(GROW), "feather": float(FEATHER), "variants": variants, "steps": 2 if REAL else 0}
    if EDIT:
        return edit(image, [user], instruction="make it winter", **common)
    return fill(image, [user], prompt="a red mushroom", **common)


def check_one(kind, geometry, variants=1):
    """The sentence that says what is wrong, or None."""
    image = new_image(kind)
    user = geometry(image)
    image.insert_path(Gimp.Path.new(image, "a path"), None, 0)
    image.set_selected_layers([user])
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    position, before, flat, selected = image.get_item_position(user), state(image), flattened(image), selection(image)
    status, sentence = paint_on(image, user, variants)
    if status != DONE:
        return f"{status}: {sentence}"
    made = new_layers(image)
    if len(made) != variants:
        return f"{len(made)} layers instead of {variants}"
    top = made[0] if variants == 1 else made[0].get_parent()
    if image.get_item_position(top) != position or image.get_item_position(user) != position + 1 or \
            (top.get_parent() and top.get_parent().get_id()) != (user.get_parent() and user.get_parent().get_id()):
        return "the new layer is not directly above the user's"
    if [layer.get_visible() for layer in made] != [True] + [False] * (variants - 1):
        return "not the first variant alone is visible"
    after = state(image)
    if after != before:
        return f"changed: {[key for key in after if after[key] != before[key]]}"
    mask, now = mask_on_canvas(made[0]), flattened(image)
    if not (now[mask == 0] == flat[mask == 0]).all():
        return f"{int((now[mask == 0] != flat[mask == 0]).any(axis=-1).sum())} pixels changed where the mask is 0"
    if mask[~dilated(selected > 0, GROW + FEATHER)].any():
        return "the mask reaches beyond selection, grow and feather"
    if mask[selected == 1].min() < 1 - 1e-3:
        return f"the mask is {mask[selected == 1].min()} inside the selection"
    if not (now[selected == 1] != flat[selected == 1]).any(axis=-1).mean() > 0.5:
        return "the picture did not change in the selection"
    image.delete()
    return None


def main():
    tap = Tap()
    if REAL:
        for number, kind in enumerate(COMMON):
            for geometry in GEOMETRIES if kind == "u8" else [GEOMETRIES[number % 3]]:
                problem = check_one(kind, geometry)
                tap.check(f"bundled model, {kind}, {geometry.__name__}", problem is None, problem)
    else:
        for kind, geometry, variants in rows_of_edits() if EDIT else rows():
            problem = check_one(kind, geometry, variants)
            tap.check(f"{kind}, {geometry.__name__}{', three variants' if variants > 1 else ''}", problem is None, problem)
    tap.end()


main()
