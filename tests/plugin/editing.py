# SPDX-License-Identifier: GPL-3.0-or-later
"""What the edit procedure sends, keeps and refuses, with the fake engine. Runs inside GIMP. (How results are laid in: table.py.)"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

FAKE = Path(os.environ["PMT_FAKE_FOLDER"])


def messages(kind):
    return [message for message in map(json.loads, (FAKE / "log").read_text().splitlines()) if message["type"] == kind]


def picture(kind="u8"):
    image = new_image(kind)
    return image, new_layer(image, "user's", 97, 71)


def recipe_of(layer):
    return json.loads(bytes(layer.get_parasite("pentimento-recipe").get_data()).rstrip(b"\0"))


def case_arguments(tap):
    image, user = picture()
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    status, said = edit(image, [user], instruction="make it\nwinter", negative_prompt="grass", model="/no/such", text_guidance=5.5,
                        image_guidance=1.25, steps=12, sampler="euler", seed=99, variants=2, context="whole", grow=3.0, feather=5.0,
                        methods="one:a=1")
    job = messages("job")[-1]["job"]
    expected = {"pentimento": 1, "task": "edit", "prompt": "make it\nwinter", "negative-prompt": "grass", "model": "/no/such",
                "text-guidance": 5.5, "image-guidance": 1.25, "steps": 12, "sampler": "euler", "seed": 99, "variants": 2,
                "methods": [{"id": "one", "a": 1}]}
    tap.check("every argument reaches the recipe, and no other", status == DONE and {key: job[key] for key in job if key != "region"} == expected,
              (said, job))
    region = job["region"]
    tap.check("the region says canvas, selection, mode, grow and feather",
              (region["canvas"], region["selection"], region["mode"], region["grow"], region["feather"]) == ([97, 71], [25, 17, 31, 27], "whole", 3, 5),
              region)
    names = [layer.get_name() for layer in new_layers(image)]
    tap.check("layers are named after instruction and seed", names == ["Edit: make it winter (99)", "Edit: make it winter (100)"], names)
    tap.check("and carry their recipes", [(recipe_of(layer)["task"], recipe_of(layer)["seed"]) for layer in new_layers(image)] ==
              [("edit", 99), ("edit", 100)])
    image.delete()


def case_defaults(tap):
    image, user = picture()
    status, said = edit(image, [user], instruction="make it blue")
    job = messages("job")[-1]["job"]
    tap.check("the guidances have their defaults, the rest is left to the model",
              status == DONE and (job["text-guidance"], job["image-guidance"]) == (7.5, 1.5) and
              not {"steps", "guidance", "strength", "sampler", "negative-prompt", "methods"} & set(job), (said, job))
    tap.check("without a selection it is all of the picture", job["region"]["selection"] == [0, 0, 97, 71] and
              (mask_on_canvas(new_layers(image)[0]) > 1 - 1e-6).all(), job["region"])
    image.delete()


def case_faults(tap):
    image, user = picture()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    before, flat = state(image), flattened(image)
    for mode, words in (("error", "needs 9 GB"), ("not-numbers", "does not fit"), ("die", "stopped before it was done")):
        (FAKE / "mode").write_text(mode)
        status, said = edit(image, [user], instruction="x")
        same = state(image) == before and not new_layers(image) and (flattened(image) == flat).all()
        tap.check(f"{mode}: a sentence, and the picture as it was", status != DONE and words in said and same, (said, same))
    (FAKE / "mode").write_text("paint")
    status, said = edit(image, [user], instruction="x")
    tap.check("after all that, an edit works", status == DONE and len(new_layers(image)) == 1, said)
    image.delete()


def case_refused(tap):
    image = new_image("u8")
    status, said = edit(image, [], instruction="x")
    tap.check("a picture without layers is refused with a sentence", status != DONE and "no layer" in said, said)
    image.delete()
    image, user = picture()
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, "")
    status, said = edit(image, [user], instruction="x")
    tap.check("a colour table is refused with a sentence", status != DONE and "RGB" in said and image.get_base_type() == INDEXED, said)
    image.delete()


def main():
    tap = Tap()
    for name, case in list(globals().items()):
        if name.startswith("case_"):
            tap.run(case)
    tap.end()


main()
