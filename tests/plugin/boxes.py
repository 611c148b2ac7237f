# SPDX-License-Identifier: GPL-3.0-or-later
"""Layout boxes as an argument of the generate procedure, with the fake engine. Runs inside GIMP."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

FAKE = Path(os.environ["PMT_FAKE_FOLDER"])
FOX = {"box": [0.1, 0.2, 0.5, 0.6], "phrase": "a red fox"}
SUN = {"box": [0.6, 0, 1, 0.4], "phrase": "the sun"}


def sent():
    return [message for message in map(json.loads, (FAKE / "log").read_text().splitlines()) if message["type"] == "job"][-1]["job"]


def picture(width=200, height=100):
    image = new_image("u8", width, height)
    return image, new_layer(image, "user's", width, height)


def case_ways(tap):
    image, user = picture()
    boxes = json.dumps([FOX, SUN])
    status, said = generate(image, [user], prompt="A Red Fox sits under the sun", boxes=boxes)
    job = sent()
    tap.check("boxes go into the layout as they are, and lead the prompt's words",
              status == DONE and job.get("layout", {}).get("boxes") == [FOX, SUN] and job.get("methods") == [{"id": "layout-forward"}] and
              job["prompt"] == "A Red Fox sits under the sun", (said, job))
    generate(image, [user], prompt="evening, sunlit", boxes=boxes)
    tap.check("what the prompt does not say is put behind it; a part of a word is not said",
              sent()["prompt"] == "evening, sunlit, a red fox, the sun", sent()["prompt"])
    generate(image, [user], prompt="evening", boxes=boxes, boxes_model="/gligen", boxes_until=0.5)
    job = sent()
    tap.check("a box network takes them by itself", job["layout"] == {"model": "/gligen", "beta": 0.5, "boxes": [FOX, SUN]} and
              "methods" not in job and job["prompt"] == "evening", job)
    generate(image, [user], prompt="evening", boxes=boxes, boxes_method="gligen")
    tap.check("or the model itself, when it is said", "model" not in sent()["layout"] and "methods" not in sent(), sent())
    generate(image, [user], prompt="a red fox, the sun", boxes=boxes, boxes_method="layout-backward", methods="layout-backward:scale=5")
    tap.check("parameters of the user's own stay", sent()["methods"] == [{"id": "layout-backward", "scale": 5}], sent())
    generate(image, [user], prompt="evening", boxes=boxes, boxes_method="regions")
    job = sent()
    tap.check("regions have prompts of their own", "layout" not in job and
              job["region-prompts"] == [{"box": FOX["box"], "prompt": "a red fox"}, {"box": SUN["box"], "prompt": "the sun"}], job)
    image.delete()


def case_selection(tap):
    image, user = picture()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 100, 50)
    status, said = generate(image, [user], prompt="a red fox", boxes=json.dumps([FOX, SUN]))
    boxes = sent()["layout"]["boxes"]
    tap.check("in a selection they are cut at its bounds, and those beyond it left out", status == DONE and len(boxes) == 1 and
              np.abs(np.array(boxes[0]["box"]) - [0.2, 0.4, 1, 1]).max() < 1e-9, (said, boxes))
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 100, 60, 50, 40)
    status, said = generate(image, [user], prompt="a red fox", boxes=json.dumps([FOX, SUN]))
    tap.check("none in the selection is said", status != DONE and "No layout box lies in the selection" in said, said)
    image.delete()


def case_refused(tap):
    image, user = picture()
    most = [dict(FOX, phrase=f"fox {i}") for i in range(31)]
    for text, sentence in (("[{", "are no JSON list of boxes"), ('{"box": 1}', "are no JSON list of boxes"), ("[1]", "Layout box 1 is not"),
                           ('[{"box": [0, 0, 1], "phrase": "x"}]', "Layout box 1 is not"),
                           ('[{"box": [0, 0, 1, "1"], "phrase": "x"}]', "no number from 0 to 1"),
                           ('[{"box": [0, 0, 1e999, 1], "phrase": "x"}]', "Layout box"),
                           ('[{"box": [0, 0, 1.5, 1], "phrase": "x"}]', "no number from 0 to 1"),
                           ('[{"box": [0.5, 0, 0.5, 1], "phrase": "x"}]', "is empty"),
                           (json.dumps([FOX, dict(SUN, phrase=" ")]), "Layout box 2 has no phrase"),
                           (json.dumps(most), "31 layout boxes"), ("[" * 5000, "are no JSON list of boxes")):
        status, said = generate(image, [user], prompt="x", boxes=text)
        tap.check(f"refused: {text[:50]}", status != DONE and sentence in said and len(image.get_layers()) == 1, said)
    many = json.dumps(most[:17])
    status, said = generate(image, [user], prompt="x", boxes=many, boxes_method="regions")
    tap.check("more boxes than regions are refused with both numbers", status != DONE and "17 layout boxes" in said and "16" in said, said)
    image.delete()


def patch(image, parent, name, box, size):
    """A layer of that size at the canvas's corner that shows something in box only."""
    layer = new_layer(image, name, *size, parent=parent)
    pixels = np.zeros((size[1], size[0], 4), np.uint8)
    pixels[box[1]:box[3], box[0]:box[2]] = 200
    pixels[0, 0, 3] = 100  # less than half opaque: not seen
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, *size), "R'G'B'A u8", pixels.tobytes())
    buffer.flush()
    layer.update(0, 0, *size)
    return layer


def case_group(tap):
    image, user = picture()
    group = Gimp.GroupLayer.new(image, "layout")
    image.insert_layer(group, None, 0)
    patch(image, group, "a red fox", (20, 20, 100, 60), (200, 100)).set_visible(False)
    patch(image, group, "the sun #2", (120, 0, 200, 40), (200, 90))
    new_layer(image, "a wall", 50, 30, x=10, y=70, alpha=False, parent=group)
    patch(image, group, "nothing", (0, 0, 0, 0), (200, 100))
    status, said = generate(image, [user], prompt="evening", boxes_from_group=group, boxes_method="regions")
    got = {region["prompt"]: [round(side, 4) for side in region["box"]] for region in sent().get("region-prompts", [])}
    wanted = {"a red fox": FOX["box"], "the sun": SUN["box"], "a wall": [0.05, 0.7, 0.3, 1]}
    tap.check("layers of a group, hidden ones too, are regions around what they show", status == DONE and got == wanted, (said, got))
    status, said = generate(image, [user], prompt="a red fox", boxes_from_group=group, boxes=json.dumps([dict(FOX, phrase="a stone")]))
    phrases = [box["phrase"] for box in sent()["layout"]["boxes"]]
    tap.check("beside boxes of the argument, from top to bottom", status == DONE and phrases == ["a wall", "the sun", "a red fox", "a stone"], (said, phrases))
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 110, 50, 50, 40)
    status, said = generate(image, [user], prompt="x", boxes_from_group=group)
    tap.check("none in the selection: a sentence", status != DONE and "No layer of the group “layout” shows anything" in said, said)
    Gimp.Selection.none(image)
    status, said = generate(image, [user], prompt="x", boxes_from_group=user)
    tap.check("a layer that is no group: a sentence", status != DONE and "“user's” is no group" in said, said)
    wall = [layer for layer in group.get_children() if layer.get_name() == "a wall"][0]
    mask = wall.create_mask(Gimp.AddMaskType.BLACK)
    wall.add_mask(mask)
    values = np.zeros((30, 50), np.float32)
    values[:, :20] = 1
    buffer = mask.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, 50, 30), "Y float", values.tobytes())
    buffer.flush()
    mask.update(0, 0, 50, 30)
    for applied, right in ((True, 0.15), (False, 0.3)):
        wall.set_apply_mask(applied)
        status, said = generate(image, [user], prompt="evening", boxes_from_group=group, boxes_method="regions")
        got = [region["box"] for region in sent().get("region-prompts", []) if region["prompt"] == "a wall"]
        tap.check(f"a layer's mask counts where it is applied ({applied})", status == DONE and np.allclose(got, [[0.05, 0.7, right, 1]], atol=1e-4), (said, got))
    colour = Gegl.Color.new("white")
    buffer = wall.get_buffer()
    buffer.set_color(Gegl.Rectangle.new(0, 0, 50, 30), colour)
    buffer.flush()
    wall.update(0, 0, 50, 30)
    effect = add_effect(wall, "gegl:color-to-alpha", color=colour)
    for visible, count in ((True, 0), (False, 1)):
        effect.set_visible(visible)
        status, said = generate(image, [user], prompt="evening", boxes_from_group=group, boxes_method="regions")
        got = [region["box"] for region in sent().get("region-prompts", []) if region["prompt"] == "a wall"]
        tap.check(f"and so do its effects where they are shown ({visible})", status == DONE and len(got) == count, (said, got))
    for number in range(28):
        patch(image, group, f"thing {number}", (0, 0, 5, 5), (9, 9))
    status, said = generate(image, [user], prompt="x", boxes_from_group=group)
    tap.check("too many: a sentence with both numbers", status != DONE and "31 layers of the group" in said and "30" in said, said)
    image.delete()


def main():
    tap = Tap()
    for name, case in list(globals().items()):
        if name.startswith("case_") and (not os.environ.get("CASE") or os.environ["CASE"] in name):
            tap.run(case)
    tap.end()


main()
