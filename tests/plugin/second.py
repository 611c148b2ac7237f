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
    tap.check(f"{painter}: its layer goes directly above the user's, as the first did, with a name of its own",
              [layer.get_name() for layer in layers[2:]] == ["user's", "bottom"] and layers[0].get_id() == first.get_id() and
              len(set(names(image))) == 4 and state(image) == before, names(image))
    for layer in new_layers(image):
        layer.set_visible(False)
    PAINTERS[painter](image, [user], 1, **more)
    tap.check(f"{painter}: hidden results are not seen", captured() == alone)
    status, said = PAINTERS[painter](image, [new_layers(image)[0]], 1, **more)
    tap.check(f"{painter}: above a result, where that is the active layer", status == DONE and len(new_layers(image)) == 4 and
              [layer.get_name() for layer in image.get_layers()][4:] == ["user's", "bottom"], (said, names(image)))
    image.delete()


def case_in_group(tap):
    """The group of a first job's variants stays as it is; a job that starts from a variant adds to that group."""
    image, user = scene()
    PAINTERS["fill"](image, [user], 2)
    group = new_layers(image)[0].get_parent()
    PAINTERS["fill"](image, [user], 1)
    tap.check("a second job leaves the group of variants alone", len(group.get_children()) == 2 and image.get_item_position(user) == 2, names(image))
    PAINTERS["fill"](image, [group.get_children()[0]], 1)
    tap.check("one above a variant goes into its group", len(group.get_children()) == 3 and image.get_item_position(user) == 2,
              [child.get_name() for child in group.get_children()])
    image.delete()


def main():
    tap = Tap()
    for painter in ("fill", "edit", "generate"):
        try:
            case_second(painter, tap)
        except Exception as problem:  # pylint: disable=broad-except
            tap.check(painter, False, repr(problem))
    tap.run(case_in_group)
    tap.end()


main()
