# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fill can be for, and what can say where: each mode's job and result, growing canvases, masks out of channels, paths and layer masks,
what is protected, what is looked at. With the fake engine. Runs inside GIMP."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

FAKE = Path(os.environ["PMT_FAKE_FOLDER"])
PDB = "plug-in-pentimento-"
GROW = 4  # of the fake engine's boxes
MODES = {"fill": ("fill", "Fill", 1), "expand": ("expand", "Expand", 1), "add": ("add", "Add", 1), "remove": ("remove", "Remove", 1),
         "replace": ("replace-background", "Replace background", 1), "refine": ("refine", "Refine", 0.5)}


def messages(kind):
    return [message for message in map(json.loads, (FAKE / "log").read_text().splitlines()) if message["type"] == kind]


def sent():
    return messages("job")[-1]["job"]


def blob(name):
    message = [m for m in messages("blob") if m["name"] == name][-1]
    return np.frombuffer((FAKE / f"{name}.f32").read_bytes(), np.float32).reshape(message["height"], message["width"], message["channels"])


def sent_mask(shape):
    """The mask of the last job on a canvas of that shape."""
    x, y, width, height = sent()["region"]["context"]
    whole = np.zeros(shape, np.float32)
    whole[y:y + height, x:x + width] = blob("mask")[:, :, 0]
    return whole


def bounds_of(mask):
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]


def picture(kind="u8", width=97, height=71, alpha=False):
    image = new_image(kind, width, height)
    return image, new_layer(image, "user's", width, height, alpha=alpha)


def line(image, name, points, closed=True):
    path = Gimp.Path.new(image, name)
    image.insert_path(path, None, 0)
    path.stroke_new_from_points(Gimp.PathStrokeType.BEZIER, [value for point in points for value in point * 3], closed)
    return path


def channel(image, name, values):
    """A saved channel with these values, 0..1, as a selection would have them."""
    made = Gimp.Channel.new(image, name, image.get_width(), image.get_height(), 50, Gegl.Color.new("red"))
    image.insert_channel(made, None, 0)
    buffer = made.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, image.get_width(), image.get_height()), "Y float", values.astype(np.float32).tobytes())
    buffer.flush()
    made.update(0, 0, image.get_width(), image.get_height())
    return made


def image_without_results(image):
    copy = image.duplicate()
    for layer in new_layers(copy):
        copy.remove_layer(layer)
    return copy


def case_every_mode(tap):
    for mode, (procedure, label, strength) in MODES.items():
        image, user = picture()
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
        before, flat = state(image), flattened(image)
        status, said = call(PDB + procedure, image, [user], prompt="a fox", seed=3)
        job, made = sent(), new_layers(image)
        tap.check(f"{procedure}: its mode and strength reach the recipe, and the layer is named after it",
                  status == DONE and (job["mode"], job["strength"]) == (mode, strength) and made[0].get_name() == f"{label}: a fox (3)",
                  (said, job, [layer.get_name() for layer in made]))
        mask = mask_on_canvas(made[0])
        tap.check(f"{procedure}: outside the mask nothing changes, to the bit; the user's things stay",
                  (flattened(image)[mask == 0] == flat[mask == 0]).all() and state(image) == before and (mask > 0).any())
        only = {key for key in job} - {"region"}
        alone = {key: job[key] for key in only}
        for layer in new_layers(image):
            image.remove_layer(layer)
        status, said = fill(image, [user], prompt="a fox", seed=3, mode=mode, strength=strength)
        tap.check(f"{mode}: as a mode of fill it is the same job", status == DONE and {key: sent()[key] for key in only} == alone and
                  sent()["region"] == job["region"], (said, sent(), job))
        image.delete()


def case_arguments(tap):
    image, user = picture()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    fill(image, [user], prompt="x")
    tap.check("what is left to the engine is not in the recipe", not {"prefill", "seam", "colour-match"} & set(sent()), sent())
    fill(image, [user], prompt="x", prefill="surroundings", seam="gradient", colour_match=False)
    tap.check("prefill, seam and colours are what was asked for",
              (sent()["prefill"], sent()["seam"], sent()["colour-match"]) == ("surroundings", "gradient", False), sent())
    call(PDB + "remove", image, [user])
    tap.check("a removal without a prompt paints background scenery", sent()["prompt"] == "background scenery", sent())
    call(PDB + "remove", image, [user], prompt="a wall")
    tap.check("and with one what it says", sent()["prompt"] == "a wall", sent())
    image.delete()


def case_replace(tap):
    image, user = picture()
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    Gimp.Selection.feather(image, 5)
    chosen = selection(image)
    status, said = call(PDB + "replace-background", image, [user], prompt="a desert", seed=3)
    region = sent()["region"]
    tap.check("the background is what is not selected, soft edges too", status == DONE and np.abs(sent_mask((71, 97)) - (1 - chosen)).max() < 1e-6, said)
    tap.check("with hardly any feather: 1 % of its diagonal", abs(region["feather"] - np.hypot(97, 71) / 100) < 1e-6 and
              region["selection"] == [0, 0, 97, 71], region)
    call(PDB + "replace-background", image, [user], prompt="a desert", feather=9.0)
    tap.check("unless the user says how much", sent()["region"]["feather"] == 9, sent()["region"])
    made = new_layers(image)[0]
    mask = blob("mask")
    status, said = rerun(image, made)
    tap.check("its recipe runs again with the same mask", status == DONE and (blob("mask") == mask).all(), said)
    Gimp.Selection.none(image)
    status, said = call(PDB + "replace-background", image, [user], prompt="x")
    tap.check("with nothing selected it says what to do", status != DONE and "select what shall stay" in said, said)
    Gimp.Selection.all(image)
    status, said = call(PDB + "replace-background", image, [user], prompt="x")
    tap.check("with everything selected too", status != DONE and "no background is left" in said, said)
    image.delete()


def case_nothing_selected(tap):
    """What is to be somewhere needs a place; the others paint all of the picture."""
    image, user = picture()
    Gimp.Selection.none(image)
    before = state(image)
    for mode, words in (("add", "select the place"), ("remove", "select the thing")):
        for name, arguments in ((mode, {}), ("fill", {"mode": mode})):
            status, said = call(PDB + name, image, [user], prompt="x", **arguments)
            tap.check(f"{mode}, by {name}: nothing selected is refused with what to do", status != DONE and "Nothing is selected" in said and
                      words in said and state(image) == before, said)
        path = line(image, "here", [(20, 10), (60, 10), (60, 50), (20, 50)])
        status, said = call(PDB + mode, image, [user], prompt="x", mask="path", mask_path=path)
        tap.check(f"{mode}: a path is a place", status == DONE, said)
        image.remove_path(path)
        image.remove_layer(new_layers(image)[0])
    for mode in ("fill", "refine"):
        status, said = call(PDB + mode, image, [user], prompt="x")
        tap.check(f"{mode}: all of it", status == DONE and sent()["region"]["selection"] == [0, 0, 97, 71], said)
    image.delete()


def case_expand(tap):
    image = new_image("u16", 97, 71)
    bottom = new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = new_layer(image, "user's", 40, 30, x=70, y=50, seed=2)  # hangs over the edge
    path = line(image, "kept", [(5, 5), (20, 5), (20, 20)])
    image.set_selected_layers([user])
    before, flat, visible = state(image), flattened(image), seen(image)
    pixels = [digest(read(layer).tobytes()) for layer in (user, bottom)]
    status, said = call(PDB + "expand", image, [user], prompt="a lake", seed=3, grow_left=10, grow_right=20, grow_top=5, grow_bottom=0)
    now = state(image)
    if not tap.check("the canvas grows by what was asked for", status == DONE and now["size"] == (127, 76), (said, now["size"])):
        return
    tap.check("what lies on it moves along", tuple(bottom.get_offsets())[1:] == (10, 5), bottom.get_offsets())
    tap.check("layers, paths and what is selected stay", {key: now[key] for key in ("paths", "active", "channels")} ==
              {key: before[key] for key in ("paths", "active", "channels")} and [user, bottom] == [layer for layer in image.get_layers() if not is_ours(layer)]
              and pixels == [digest(read(layer).tobytes()) for layer in (user, bottom)], (now, before))
    copy = image_without_results(image)
    later = seen(copy)
    copy.delete()
    mask = sent_mask((76, 127))
    tap.check("what no pixel covers is painted; a layer that hung over the edge does cover", np.abs(mask - (1 - later[:, :, 3])).max() < 1e-6 and
              (mask[:5] == 1).all() and (mask[5:, 10:107] == 0).all() and (mask[60, 107:120] < 1).all(), bounds_of(mask))
    x, y, width, height = sent()["region"]["context"]
    picture_sent = blob("image")
    tap.check("the picture is shown in its new place", np.abs(later[5:76, 10:107] - visible).max() < 1e-6 and
              np.abs(picture_sent - later[y:y + height, x:x + width]).max() < 1e-6 and sent()["region"]["canvas"] == [127, 76])
    made = new_layers(image)[0]
    blend = mask_on_canvas(made)
    tap.check("inside the mask's zero nothing changes, to the bit", (flattened(image)[5:76, 10:107][blend[5:76, 10:107] == 0] ==
                                                                     flat[blend[5:76, 10:107] == 0]).all() and (blend[5:76, 10:107] == 0).any())
    status, said = rerun(image, made)
    tap.check("its recipe runs again on the grown canvas, of the same picture", status == DONE and
              np.abs(blob("image") - picture_sent).max() < 1e-6 and state(image)["size"] == (127, 76), said)
    image.delete()

    image, user = picture()
    status, said = call(PDB + "expand", image, [user], prompt="x", grow_right=50, grow_bottom=100, grow_unit="percent", variants=2)
    tap.check("sides in per cent, two variants, one growth", status == DONE and (image.get_width(), image.get_height()) == (145, 142) and
              len(new_layers(image)) == 2, (said, image.get_width(), image.get_height()))
    image.delete()


def case_expand_transparent(tap):
    image, user = picture("float", alpha=True)
    buffer = user.get_buffer()
    pixels = read(user).copy()
    pixels[:, :, 3] = 1
    pixels[40:60, 30:80, 3] = 0
    pixels[10:12, 10:20, 3] = 0.25
    buffer.set(Gegl.Rectangle.new(0, 0, 97, 71), native(image, True)[0], pixels.tobytes())
    buffer.flush()
    user.update(0, 0, 97, 71)
    status, said = call(PDB + "expand", image, [user], prompt="x", source="layer")
    mask = sent_mask((71, 97)) if status == DONE else None
    tap.check("without sides and selection, what no opaque pixel covers is painted", status == DONE and
              np.abs(mask - (1 - pixels[:, :, 3])).max() < 1e-6 and sent()["region"]["selection"] == [10, 10, 70, 50], (said, sent()["region"]))
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 1, 2, 30, 20)
    call(PDB + "expand", image, [user], prompt="x")
    tap.check("a selection says it all", bounds_of(sent_mask((71, 97))) == [1, 2, 30, 20])
    image.delete()
    image, user = picture()
    before = state(image)
    status, said = call(PDB + "expand", image, [user], prompt="x")
    tap.check("an opaque picture is nothing to expand into", status != DONE and "opaque everywhere" in said and state(image) == before, said)
    status, said = call(PDB + "expand", image, [user], prompt="x", grow_left=10000, grow_unit="percent", grow_right=10000)
    tap.check("nor to a canvas of millions of pixels a side", status == DONE or "pixels" in said, said)
    (FAKE / "mode").write_text("error")
    status, said = call(PDB + "expand", image, [user], prompt="x", grow_left=10)
    tap.check("a job that fails leaves the canvas as it was", status != DONE and "9 GB" in said and state(image)["size"] in (before["size"], state(image)["size"])
              and not any("Expand" in layer.get_name() and layer.get_width() == 10 for layer in image.get_layers()), said)
    (FAKE / "mode").write_text("paint")
    image.delete()


def case_masks(tap):
    image, user = picture("u8")
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    Gimp.Selection.feather(image, 8)
    chosen = selection(image)
    saved = Gimp.Selection.save(image)
    image.select_item(Gimp.ChannelOps.REPLACE, saved)
    tap.check("GIMP itself makes the same selection of the channel", np.abs(selection(image) - chosen).max() < 1.5 / 255)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 1, 1, 5, 5)
    before = state(image)
    status, said = fill(image, [user], prompt="x", mask="channel", mask_channel=saved, seed=3)
    mask = sent_mask((71, 97)) if status == DONE else None
    tap.check("a saved channel is the mask that its selection was", status == DONE and np.abs(mask - chosen).max() < 1.5 / 255, (said, mask is not None and np.abs(mask - chosen).max()))
    tap.check("its bounds are the job's", sent()["region"]["selection"] == bounds_of(mask) and state(image) == before, sent()["region"])
    made = new_layers(image)[0]
    first = blob("mask")
    image.remove_channel(saved)
    status, said = rerun(image, made)
    tap.check("the recipe runs again with the mask as it was, without the channel", status == DONE and (blob("mask") == first).all(), said)

    path = line(image, "here", [(20, 10), (60, 10), (60, 50), (20, 50)])
    path.stroke_new_from_points(Gimp.PathStrokeType.BEZIER, [v for p in [(30, 20), (50, 20), (50, 40), (30, 40)] for v in p * 3], True)
    status, said = fill(image, [user], prompt="x", mask="path", mask_path=path)
    expected = np.zeros((71, 97), np.float32)
    expected[10:50, 20:60] = 1
    expected[20:40, 30:50] = 0
    tap.check("a path's inside, with a hole in it", status == DONE and np.abs(sent_mask((71, 97)) - expected).max() < 0.01, said)
    open_one = line(image, "open", [(0, 0), (50, 50)], closed=False)
    status, said = fill(image, [user], prompt="x", mask="path", mask_path=open_one)
    tap.check("an open path encloses nothing", status != DONE and "“open” has no closed line" in said, said)

    small = new_layer(image, "small", 40, 30, x=50, y=30, alpha=True)
    status, said = fill(image, [small], prompt="x", mask="layer-mask")
    tap.check("a layer without a mask is told", status != DONE and "has no mask" in said, said)
    values = np.zeros((30, 40), np.float32)
    values[5:20, 10:30] = 0.5
    layer_mask = small.create_mask(Gimp.AddMaskType.BLACK)
    small.add_mask(layer_mask)
    buffer = layer_mask.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, 40, 30), "Y float", values.tobytes())
    buffer.flush()
    layer_mask.update(0, 0, 40, 30)
    status, said = fill(image, [small], prompt="x", mask="layer-mask")
    expected = np.zeros((71, 97), np.float32)
    expected[35:50, 60:80] = 0.5
    tap.check("the active layer's mask, at its place", status == DONE and np.abs(sent_mask((71, 97)) - expected).max() < 1 / 255, said)

    for mask in ("channel", "path"):
        status, said = fill(image, [user], prompt="x", mask=mask)
        tap.check(f"no {mask} chosen: a sentence", status != DONE and f"No {mask} is chosen" in said, said)
    empty = channel(image, "empty", np.zeros((71, 97)))
    status, said = fill(image, [user], prompt="x", mask="channel", mask_channel=empty)
    tap.check("an empty mask: a sentence", status != DONE and "mask is empty" in said, said)
    image.delete()


def case_protect(tap):
    image, user = picture("float")
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 10, 50, 40)
    values = np.zeros((71, 97), np.float32)
    values[:, 40:] = 1
    values[:, 30:40] = 0.25
    kept = channel(image, "kept", values)
    chosen = selection(image)
    status, said = fill(image, [user], prompt="x", protect=kept)
    mask = sent_mask((71, 97)) if status == DONE else None
    tap.check("a protect map takes away from the mask, as much as it is white", status == DONE and np.abs(mask - chosen * (1 - values)).max() < 1e-5
              and sent()["region"]["selection"] == [20, 10, 20, 40], (said, sent()["region"]))
    Gimp.Selection.none(image)
    fill(image, [user], prompt="x", protect=kept)
    tap.check("without a selection all the rest is painted", np.abs(sent_mask((71, 97)) - (1 - values)).max() < 1e-5)
    status, said = fill(image, [user], prompt="x", mask="channel", mask_channel=kept, protect=channel(image, "all", np.ones((71, 97))))
    tap.check("all protected: a sentence", status != DONE and "protected as a whole" in said, said)
    status, said = edit(image, [user], instruction="x", protect=kept)
    tap.check("an edit takes masks too", status == DONE and np.abs(sent_mask((71, 97)) - (1 - values)).max() < 1e-5, said)
    image.delete()


def case_context(tap):
    image, user = picture("u8", 200, 150)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 60, 50, 20, 20)
    path = line(image, "look here", [(10, 20), (150, 20), (150, 140), (10, 140)])
    status, said = fill(image, [user], prompt="x", context="path", context_path=path)
    tap.check("the bounds of a path are what is looked at", status == DONE and sent()["region"]["context"] == [10, 20, 140, 120], (said, sent()["region"]))
    away = line(image, "elsewhere", [(100, 100), (250, 100), (250, 120)])
    status, said = fill(image, [user], prompt="x", context="path", context_path=away)
    tap.check("as far as they cover what is painted and lie on the canvas",
              status == DONE and sent()["region"]["context"] == [60 - GROW, 50 - GROW, 200 - 60 + GROW, 120 - 50 + GROW], (said, sent()["region"]))
    status, said = fill(image, [user], prompt="x", context="path")
    tap.check("no path chosen: a sentence", status != DONE and "No path is chosen" in said, said)
    image.delete()


def main():
    tap = Tap()
    for name, case in list(globals().items()):
        if name.startswith("case_") and (not os.environ.get("CASE") or os.environ["CASE"] in name):
            tap.run(case)
    tap.end()


main()
