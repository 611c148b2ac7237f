# SPDX-License-Identifier: GPL-3.0-or-later
"""Where painting may find a picture: its layers, their state, what is selected. Runs inside GIMP.

Each situation fills an image (97×71 unless it says otherwise) and returns the drawables that the procedure gets; the first one's layer
is the user's. An ellipse is selected before it runs, and it may select anything else.
"""

import os
import tempfile

from gi.repository import Gio

from pictures import *  # noqa: F403


def odd_offsets(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    return [new_layer(image, "user's", 61, 47, x=13, y=-5, seed=2)]


def larger(image):
    return [new_layer(image, "user's", 131, 111, x=-17, y=-23, alpha=False, seed=3)]


def smaller(image):
    return [new_layer(image, "user's", 50, 40, x=19, y=11, seed=4)]


def half_transparent(image):
    return [new_layer(image, "user's", 97, 71, seed=1)]


def half_transparent_old_mode(image):
    return [new_layer(image, "user's", 97, 71, opacity=80, mode=Gimp.LayerMode.NORMAL_LEGACY, seed=1)]


def above_and_below(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=5)
    user = new_layer(image, "user's", 97, 71, opacity=70, seed=6)
    new_layer(image, "top", 80, 60, x=5, y=3, opacity=40, mode=Gimp.LayerMode.MULTIPLY, seed=7)
    return [user]


def old_modes(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=8)
    user = new_layer(image, "user's", 97, 71, opacity=70, mode=Gimp.LayerMode.NORMAL_LEGACY, seed=9)
    new_layer(image, "top", 97, 71, opacity=40, mode=Gimp.LayerMode.SCREEN_LEGACY, seed=10)
    return [user]


def group_of_two(image, **more):
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    group.set_opacity(more.get("opacity", 80))
    new_layer(image, "under", 70, 60, x=3, y=4, parent=group, opacity=90, seed=12)
    return group, new_layer(image, "user's", 61, 47, x=13, y=9, parent=group, opacity=60, seed=13)


def in_group(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=11)
    return [group_of_two(image)[1]]


def in_locked_group(image):
    group, user = group_of_two(image)
    group.set_lock_content(True)
    group.set_lock_position(True)
    return [user]


def in_pass_through(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=11)
    group, user = group_of_two(image, opacity=100)
    group.set_mode(Gimp.LayerMode.PASS_THROUGH)
    new_layer(image, "top", 80, 60, x=5, y=3, opacity=40, mode=Gimp.LayerMode.SCREEN_LEGACY, seed=7)
    return [user]


def under_pass_through(image):
    user = new_layer(image, "user's", 97, 71, seed=11)
    group, _ = group_of_two(image, opacity=100)
    group.set_mode(Gimp.LayerMode.PASS_THROUGH)
    return [user]


def a_group(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=11)
    return [group_of_two(image)[0]]


def masked(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = new_layer(image, "user's", 61, 47, x=13, y=-5, seed=2)
    mask = user.create_mask(Gimp.AddMaskType.WHITE)
    user.add_mask(mask)
    paint(mask, np.random.default_rng(9))
    user.set_edit_mask(False)
    return [user]


def mask_edited(image):
    user = masked(image)[0]
    user.set_edit_mask(True)
    image.set_selected_layers([user])
    return [user.get_mask()]


def text(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = Gimp.TextLayer.new(image, "pentimento", Gimp.context_get_font(), 19, Gimp.Unit.pixel())
    image.insert_layer(user, None, 0)
    user.set_offsets(5, 20)
    return [user]


def linked(image):
    """GIMP 3.2: a layer that shows a file."""
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    picture = new_image("u8")
    new_layer(picture, "in the file", 97, 71, seed=4)
    file = Gio.File.new_for_path(os.path.join(tempfile.gettempdir(), "linked.png"))
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, picture, file, None)
    picture.delete()
    user = Gimp.LinkLayer.new(image, file)
    image.insert_layer(user, None, 0)
    return [user]


def vector(image):
    """GIMP 3.2: a layer that draws a path."""
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    path = Gimp.Path.new(image, "drawn")
    image.insert_path(path, None, 0)
    path.bezier_stroke_new_ellipse(40, 30, 20, 15, 0)
    user = Gimp.VectorLayer.new(image, path)
    image.insert_layer(user, None, 0)
    user.refresh()
    return [user]


def filtered(image):
    """A layer with an effect that GIMP computes each time."""
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = new_layer(image, "user's", 61, 47, x=13, y=9, seed=2)
    user.append_filter(Gimp.DrawableFilter.new(user, "gegl:gaussian-blur", "softer"))
    return [user]


def locked(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = new_layer(image, "user's", 61, 47, x=13, y=-5, seed=2)
    for lock in (user.set_lock_content, user.set_lock_position, user.set_lock_alpha, user.set_lock_visibility):
        lock(True)
    return [user]


def hidden(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = new_layer(image, "user's", 61, 47, x=13, y=9, seed=2)
    new_layer(image, "top", 80, 60, x=5, y=3, opacity=40, seed=7)
    user.set_visible(False)
    return [user]


def several(image):
    first = new_layer(image, "first", 97, 71, alpha=False, seed=1)
    second = new_layer(image, "second", 61, 47, x=13, y=9, seed=2)
    image.set_selected_layers([first, second])
    return [second, first]


def a_channel(image):
    """No layer is selected: what is painted goes on top."""
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    channel = Gimp.Channel.new(image, "a channel", 97, 71, 50, Gimp.context_get_foreground())
    image.insert_channel(channel, None, 0)
    paint(channel, np.random.default_rng(3))
    image.set_selected_channels([channel])
    return [channel]


def nothing_selected(image):
    user = new_layer(image, "user's", 97, 71, alpha=False, seed=3)
    Gimp.Selection.none(image)
    return [user]


def soft_selection(image):
    Gimp.Selection.feather(image, 9)
    return [new_layer(image, "user's", 97, 71, seed=3)]


def selection_elsewhere(image):
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    return [new_layer(image, "user's", 15, 12, x=1, y=2, seed=3)]


def selection_at_the_edge(image):
    user = new_layer(image, "user's", 97, 71, alpha=False, seed=3)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 80, 60, 40, 40)
    return [user]


ALL = [value for value in list(globals().values()) if callable(value) and getattr(value, "__module__", "") == __name__ and
       value is not group_of_two] if __name__ != "__main__" else []
ALL = [one for one in ALL if (one is not linked or hasattr(Gimp, "LinkLayer")) and (one is not vector or hasattr(Gimp, "VectorLayer"))]
