# SPDX-License-Identifier: GPL-3.0-or-later
"""A second job after a first, with the fake engine: what it sees, and where its layer goes. Runs inside GIMP."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from painters import PAINTERS  # noqa: E402
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

FAKE = Path(os.environ["PMT_FAKE_FOLDER"])


def captured():
    return (FAKE / "image.f32").read_bytes()


def scene():
    image = new_image("u16")
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = new_layer(image, "user's", 61, 47, x=13, y=-5, seed=2)
    image.set_selected_layers([user])
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    return image, user


def names(image):
    return [layer.get_name() for layer in image.get_layers()]


def case_second(painter, tap):
    image, user = scene()
    before = state(image)
    more = {"source": "visible"} if painter == "generate" else {}
    PAINTERS[painter](image, [user], 1, **more)
    first, alone = new_layers(image)[0], captured()
    shown = seen(image)
    status, said = PAINTERS[painter](image, [user], 1, **more)
    tap.check(f"{painter}: a second job sees what the first one made", status == DONE and captured() != alone and (seen(image) == shown).mean() > 0.5, said)
    layers = image.get_layers()
    tap.check(f"{painter}: its layer goes above the first one's, with a name of its own",
              [layer.get_name() for layer in layers[2:]] == ["user's", "bottom"] and layers[1].get_id() == first.get_id() and
              len(set(names(image))) == 4 and state(image) == before, names(image))
    for layer in new_layers(image):
        layer.set_visible(False)
    PAINTERS[painter](image, [user], 1, **more)
    tap.check(f"{painter}: hidden results are not seen", captured() == alone)
    status, said = PAINTERS[painter](image, [new_layers(image)[0]], 1, **more)
    tap.check(f"{painter}: above a result, where that is the active layer", status == DONE and len(new_layers(image)) == 4 and
              [layer.get_name() for layer in image.get_layers()][4:] == ["user's", "bottom"], (said, names(image)))
    image.delete()


def core_of(image):
    """What the topmost layer shows where nothing of what is below shines through, and what is seen there."""
    top = image.get_layers()[0]
    place = mask_on_canvas(top) == 1
    alone = np.zeros((image.get_height(), image.get_width(), 4), np.float32)
    _, x, y = top.get_offsets()
    alone[y:y + top.get_height(), x:x + top.get_width()] = read(top, None, SEEN)
    return alone[place], seen(image)[place]


def case_refined(tap):
    """What is painted over a result is seen, not covered by it; the user's own layers stay above what is painted below them."""
    image, user = scene()
    fill(image, [user], prompt="a fox", seed=7)
    image.set_selected_layers([user])
    status, said = call("plug-in-pentimento-refine", image, [user], prompt="a fox", seed=90)
    tap.check("a result that is refined is seen", status == DONE and image.get_layers()[0].get_name() == "Refine: a fox (90)", (said, names(image)))
    alone, shown = core_of(image)
    tap.check("as it was painted", len(alone) > 100 and np.abs(alone - shown).max() < 0.01, np.abs(alone - shown).max())
    fill(image, [user], prompt="three", seed=20, variants=3)
    status, said = fill(image, [user], prompt="last", seed=50)
    order = names(image)
    tap.check("a group of variants is gone over too", order[0] == "Fill: last (50)" and order[1].startswith("Pentimento") and order[4:] == ["user's", "bottom"], order)
    own = new_layer(image, "own", 20, 20, seed=5)
    image.reorder_item(own, None, 2)
    status, said = fill(image, [user], prompt="below", seed=60)
    tap.check("what the user put in between stays above", names(image)[2:4] == ["own", "Fill: below (60)"], names(image))
    group = [layer for layer in image.get_layers() if layer.is_group()][0]
    status, said = fill(image, [group.get_children()[2]], prompt="from a variant", seed=70)
    tap.check("from a variant whose group is covered it goes above what covers it", names(image)[0] == "Fill: from a variant (70)" and
              len(group.get_children()) == 3, names(image))
    image.delete()


def case_in_group(tap):
    """The group of a first job's variants stays as it is; a job that starts from a variant adds to that group."""
    image, user = scene()
    PAINTERS["fill"](image, [user], 2)
    group = new_layers(image)[0].get_parent()
    PAINTERS["fill"](image, [group.get_children()[0]], 1)
    tap.check("one above a variant goes into its group", len(group.get_children()) == 3 and image.get_item_position(user) == 1,
              [child.get_name() for child in group.get_children()])
    PAINTERS["fill"](image, [user], 1)
    tap.check("a job from the layer below leaves the group alone and goes above it", len(group.get_children()) == 3 and
              image.get_item_position(user) == 2 and image.get_item_position(group) == 1, names(image))
    image.delete()


def main():
    tap = Tap()
    for painter in ("fill", "edit", "generate"):
        try:
            case_second(painter, tap)
        except Exception as problem:  # pylint: disable=broad-except
            tap.check(painter, False, repr(problem))
    tap.run(case_refined)
    tap.run(case_in_group)
    tap.end()


main()
