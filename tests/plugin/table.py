# SPDX-License-Identifier: GPL-3.0-or-later
"""Painting in pictures of every kind and in every situation: nothing changes outside the mask, not even the last bit, and nothing of the
user's anywhere. Runs inside GIMP.

PMT_TABLE names the painter (painters.py) that runs it with the fake engine; PMT_TABLE_REAL=yes has the bundled model paint a few rows. CASE:
only rows whose name holds that text.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from painters import PAINTERS, REACH, REAL  # noqa: E402
from pictures import *  # noqa: E402,F403
from situations import *  # noqa: E402,F403
import situations  # noqa: E402
from tap import Tap  # noqa: E402

NAME = os.environ["PMT_TABLE"]
GEOMETRIES = [odd_offsets, larger, smaller]
STACKS = [above_and_below, old_modes, in_group]
# kinds where a last bit shows, whole and broken numbers
TELLING = ["u16", "float"]
COMMON = ["u8", "u16", "float", "u8 linear", "gray u8"]


def rows():
    """Every kind in a few situations, every situation in the kinds that tell; fills, which came first, in more of both."""
    yielded = set()

    def row(kind, situation, variants=1):
        if (kind, situation, variants) not in yielded:
            yielded.add((kind, situation, variants))
            yield kind, situation, variants

    for number, kind in enumerate(sorted(KINDS)):
        yield from row(kind, (GEOMETRIES + STACKS)[number % 6])
        yield from row(kind, half_transparent)
    for number, situation in enumerate(situations.ALL):
        if NAME == "modes" and situation is nothing_selected:
            continue  # two of them refuse that (modes.py)
        for kind in TELLING if NAME == "fill" else [TELLING[number % 2]]:
            yield from row(kind, situation)
    for kind, situation in (("u8", above_and_below), ("float", in_group), ("u16", half_transparent), ("gray u16", in_pass_through)):
        yield from row(kind, situation, 3)
    if NAME == "fill":
        for kind in COMMON:
            for geometry in GEOMETRIES:
                yield from row(kind, geometry)
        for kind in ("u16", "float", "float linear", "gray u16", "u32", "double", "half"):
            for stack in STACKS:
                yield from row(kind, stack)


def rows_of_the_model():
    for number, kind in enumerate(COMMON):
        for geometry in GEOMETRIES if kind == "u8" else [GEOMETRIES[number % 3]]:
            yield kind, geometry, 1


def layer_of(drawable):
    """The layer above which results go; None: on top."""
    if drawable.is_layer_mask():
        return Gimp.Layer.from_mask(drawable)
    return drawable if drawable.is_layer() else None


def is_seen(item):
    return item is None or (item.get_visible() and is_seen(item.get_parent()))


def place_of(image, item):
    """Position among its siblings, and the parent."""
    parent = item.get_parent()
    return image.get_item_position(item), parent and parent.get_id()


def mask_of(layer):
    if layer.get_mask():
        return mask_on_canvas(layer)
    return np.ones((layer.get_image().get_height(), layer.get_image().get_width()), np.float32)


def placed_wrong(image, user, place, made):
    top = made[0] if len(made) == 1 else made[0].get_parent()
    if user is None:
        return place_of(image, top) != (0, None)
    return place_of(image, top) != place or place_of(image, user) != (place[0] + 1, place[1])


def changed_outside(kind, mask, before, after):
    """The sentence about the flattened picture and the one on the screen, outside of the mask."""
    for name, was, now, allowed in (("flattened", before[0], after[0], step(kind, False)), ("seen", before[1], after[1], step(kind, True))):
        wrong = (np.abs(now[mask == 0].astype(np.float64) - was[mask == 0]) > allowed).any(axis=-1)
        if wrong.any():
            most = np.abs(now[mask == 0].astype(np.float64) - was[mask == 0]).max()
            return f"{int(wrong.sum())} pixels of the {name} picture changed by up to {most} where the mask is 0"
    return None


def pictures_of(image):
    layer = Gimp.Layer.new_from_visible(image, image, "seen")
    pixels = read(layer)
    layer.delete()
    return flattened(image), pixels


def check_one(kind, situation, variants=1):
    """The sentence that says what is wrong, or None."""
    image = new_image(kind)
    image.insert_path(Gimp.Path.new(image, "a path"), None, 0)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    drawables = situation(image)
    if situation not in (several, a_channel, mask_edited):
        image.set_selected_layers(drawables)
    image.clean_all()
    user, selected = layer_of(drawables[0]), selection(image).copy()
    place, before, pictures = user and place_of(image, user), state(image), pictures_of(image)
    status, sentence = PAINTERS[NAME](image, drawables, variants)
    if status != DONE:
        return f"{status}: {sentence}"
    made = new_layers(image)
    if len(made) != variants:
        return f"{len(made)} layers instead of {variants}"
    if placed_wrong(image, user, place, made):
        return "the new layer is not directly above the user's"
    if [layer.get_visible() for layer in made] != [True] + [False] * (variants - 1):
        return "not the first variant alone is visible"
    if not image.is_dirty():
        return "the image does not know that it has changed"
    after = state(image)
    if after != before:
        return f"changed: {[(key, before[key], after[key]) for key in after if after[key] != before[key]]}"
    mask, now = mask_of(made[0]), pictures_of(image)
    problem = changed_outside(kind, mask, pictures, now)
    if problem:
        return problem
    if not selected.any():
        selected[:] = 1
    if mask[~dilated(selected > 0, REACH[NAME])].any():
        return "the mask reaches beyond selection, grow and feather"
    if (selected == 1).any() and mask[selected == 1].min() < 1 - 1e-3:
        return f"the mask is {mask[selected == 1].min()} inside the selection"
    core = selected > 0.9
    if is_seen(made[0]) and not (now[0][core] != pictures[0][core]).any(axis=-1).mean() > 0.5:
        return "the picture did not change in the selection"
    image.delete()
    return None


def case_tiny(tap):
    """One pixel, and a selection of one in a picture of nine."""
    for size, x, y in ((1, 0, 0), (3, 1, 1)):
        image = new_image("u16", size, size)
        user = new_layer(image, "user's", size, size, seed=1)
        image.select_rectangle(Gimp.ChannelOps.REPLACE, x, y, 1, 1)
        before = state(image)
        status, said = PAINTERS[NAME](image, [user], 1)
        tap.check(f"{size}×{size}: one pixel", status == DONE and len(new_layers(image)) == 1 and state(image) == before, said)
        image.delete()


def memory_of_gimp(what):
    """In MB: VmRSS is used now, VmHWM the most since the last call with VmRSS."""
    status = Path(f"/proc/{os.getppid()}/status").read_text()
    if what == "VmRSS":
        Path(f"/proc/{os.getppid()}/clear_refs").write_text("5")
    return next(int(line.split()[1]) >> 10 for line in status.splitlines() if line.startswith(what + ":"))


def case_huge(tap):
    """10000×10000 pixels and a small selection: nothing else is put together or sent. GIMP's own projections take 200 to 650 MB, as it finds
    time for them; the visible picture read whole took a gigabyte."""
    image = new_image("u8", 10000, 10000)
    user = Gimp.Layer.new(image, "user's", 10000, 10000, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(user, None, 0)
    user.fill(Gimp.FillType.WHITE)
    for number in range(2):
        new_layer(image, f"small {number}", 60, 60, x=7000 + 9 * number, y=9000, seed=number)
    image.set_selected_layers([user])
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 7003, 9005, 40, 30)
    start, memory = time.monotonic(), memory_of_gimp("VmRSS")
    status, said = PAINTERS[NAME](image, [user], 1)
    seconds, more = time.monotonic() - start, memory_of_gimp("VmHWM") - memory
    print(f"# {seconds:.1f} s, {more} MB", flush=True)
    made = new_layers(image)
    tap.check("10000×10000 with a small selection takes neither the whole picture's memory nor its time",
              status == DONE and made[0].get_width() < 200 and more < 800, (said, seconds, more))
    image.delete()


def refusal(tap, image, drawables, words, name, **more):
    """Refused with a sentence, and the image is as it was, saved state included."""
    image.clean_all()
    before = state(image)
    status, said = PAINTERS[NAME](image, drawables, 1, **more)
    tap.check(f"{name}: refused with a sentence", status != DONE and words in said and said.endswith(".") and state(image) == before and
              not image.is_dirty() and not new_layers(image), said)


def case_floating(tap):
    image = new_image("u8")
    user = new_layer(image, "user's", 97, 71)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    Gimp.Selection.float(image, [user], 3, 3)
    refusal(tap, image, [user], "floating", "a floating selection")
    image.delete()


def case_empty(tap):
    image = new_image("u8")
    refusal(tap, image, [], "no layer", "a picture without layers")
    image.delete()


def case_indexed(tap):
    image = new_image("u8")
    user = new_layer(image, "user's", 97, 71, alpha=False)
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, "")
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    refusal(tap, image, [user], "RGB", "a colour table")
    before = read(user, None, ("R'G'B' u8", np.uint8, 3))
    status, said = PAINTERS[NAME](image, [user], 1, convert_indexed=True)
    made = new_layers(image)
    now = flattened(image)
    tap.check("converted on request, the picture outside the mask has its colours still",
              status == DONE and image.get_base_type() == RGB and (now[mask_of(made[0]) == 0] == before[mask_of(made[0]) == 0]).all(), said)
    image.delete()


def main():
    tap, only = Tap(), os.environ.get("CASE", "")
    for kind, situation, variants in rows_of_the_model() if REAL else rows():
        name = f"{kind}, {situation.__name__.replace('_', ' ')}{', three variants' if variants > 1 else ''}"
        if only in name:
            try:
                problem = check_one(kind, situation, variants)
            except Exception as error:  # pylint: disable=broad-except
                problem = repr(error)
            tap.check(("bundled model, " if REAL else "") + name, problem is None, problem)
    for name, case in list(globals().items()):
        if name.startswith("case_") and not REAL and only in name:
            tap.run(case)
    tap.end()


main()
