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


def main():
    tap = Tap()
    for name, case in list(globals().items()):
        if name.startswith("case_") and (not os.environ.get("CASE") or os.environ["CASE"] in name):
            tap.run(case)
    tap.end()


main()
