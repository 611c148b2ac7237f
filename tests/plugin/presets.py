# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets and learned words as arguments of procedures, with the fake engine. Runs inside GIMP."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

FAKE = Path(os.environ["PMT_FAKE_FOLDER"])
OWN = Path(Gimp.directory()) / "pentimento" / "presets.json"
MINE = {"name": "Mine", "prompt": "{prompt} at night", "negative-prompt": "day",
        "settings": {"steps": 9, "guidance": 4.5, "sampler": "euler", "strength": 0.3, "methods": "one:a=1", "model": "/mine"}}


def sent():
    return [message for message in map(json.loads, (FAKE / "log").read_text().splitlines()) if message["type"] == "job"][-1]["job"]


def picture():
    image = new_image("u8", 64, 64)
    return image, new_layer(image, "user's", 64, 64)


def case_shipped(tap):
    image, user = picture()
    status, said = generate(image, [user], prompt="a red fox", negative_prompt="grass", preset="Oil painting")
    job = sent()
    tap.check("a preset's style is around the prompt", status == DONE and job["prompt"].startswith("oil painting of a red fox, ") and
              job["negative-prompt"].startswith("grass, photograph"), (said, job))
    fill(image, [user], prompt="a red fox", preset="Quick draft")
    tap.check("and its settings stand for defaults", sent()["steps"] == 10 and sent()["prompt"] == "a red fox", sent())
    image.delete()


def case_own(tap):
    image, user = picture()
    OWN.parent.mkdir(exist_ok=True)
    OWN.write_text(json.dumps({"pentimento-presets": 1, "presets": [MINE]}))
    status, said = generate(image, [user], prompt="a red fox", preset="Mine", source="visible")
    job = sent()
    expected = {"prompt": "a red fox at night", "negative-prompt": "day", "steps": 9, "guidance": 4.5, "sampler": "euler", "strength": 0.3,
                "model": "/mine", "methods": [{"id": "one", "a": 1}]}
    tap.check("the user's own", status == DONE and {key: job.get(key) for key in expected} == expected, (said, job))
    generate(image, [user], prompt="a red fox", preset="Mine", steps=20, model="/other")
    tap.check("what a caller says himself counts", (sent()["steps"], sent()["model"], sent()["guidance"]) == (20, "/other", 4.5), sent())
    generate(image, [user], prompt="a red fox")
    tap.check("no preset, none of it", "steps" not in sent() and sent()["prompt"] == "a red fox", sent())
    status, said = edit(image, [user], instruction="make it dark", preset="Mine")
    tap.check("an instruction too", status == DONE and sent()["prompt"] == "make it dark at night" and sent()["steps"] == 9, (said, sent()))
    image.delete()


def case_refused(tap):
    image, user = picture()
    status, said = generate(image, [user], prompt="x", preset="No such")
    tap.check("a name that no preset has is refused with those there are", status != DONE and "no preset “No such”" in said and
              "“Oil painting”" in said and "“Mine”" in said, said)
    OWN.write_text("{\"pentimento")
    status, said = generate(image, [user], prompt="x", preset="Mine")
    tap.check("a damaged file is said", status != DONE and "no preset “Mine”" in said and str(OWN) in said and "cannot be read" in said, said)
    status, said = generate(image, [user], prompt="x", preset="Watercolour")
    tap.check("and keeps nobody from the others", status == DONE, said)
    tap.check("it is as it was", OWN.read_text() == "{\"pentimento")
    image.delete()


def case_words(tap):
    image, user = picture()
    status, said = generate(image, [user], prompt="my.cat", embeddings="/a/my.cat.safetensors\n\n /b/dog.pt \n/c/bare")
    tap.check("learned words go along under their files' names", status == DONE and sent().get("embeddings") == [
        {"path": "/a/my.cat.safetensors", "word": "my.cat"}, {"path": "/b/dog.pt", "word": "dog"}, {"path": "/c/bare", "word": "bare"}],
        (said, sent()))
    generate(image, [user], prompt="x")
    tap.check("none, none", "embeddings" not in sent(), sent())
    generate(image, [user], prompt="the sun, my-cats")
    tap.check("part of a word is no learned word", "embeddings" not in sent(), sent())
    image.delete()


def case_words_anywhere(tap):
    """The engine knows "my-cat", and it is looked for wherever the model reads."""
    image, user = picture()
    OWN.parent.mkdir(exist_ok=True)
    OWN.write_text(json.dumps({"pentimento-presets": 1, "presets": [{"name": "Cat", "prompt": "{prompt} with my-cat"},
                                                                    {"name": "No cat", "negative-prompt": "my-cat"}]}))
    box = '[{"box":[0,0.5,0.5,1],"phrase":"my-cat, asleep"}]'
    for where, paint in (
            ("the prompt", lambda: generate(image, [user], prompt="a (my-cat:1.2)")),
            ("what shall not be there", lambda: fill(image, [user], prompt="x", negative_prompt="my-cat")),
            ("an instruction", lambda: edit(image, [user], instruction="make it my-cat")),
            ("a preset's style", lambda: generate(image, [user], prompt="x", preset="Cat")),
            ("what a preset keeps out", lambda: generate(image, [user], prompt="x", preset="No cat")),
            ("a box", lambda: generate(image, [user], prompt="x", boxes=box)),
            ("a box with a prompt of its own", lambda: generate(image, [user], prompt="x", boxes=box, boxes_method="regions")),
            ("a box for a network", lambda: generate(image, [user], prompt="x", boxes=box, boxes_method="gligen")),
            ("a description", lambda: call("plug-in-pentimento-describe", image, [user], shows="a dog", prompt="my-cat")),
            ("what a picture shows", lambda: call("plug-in-pentimento-describe", image, [user], shows="my-cat", prompt="a dog"))):
        status, said = paint()
        tap.check(f"a learned word goes along where it stands in {where}", status == DONE and
                  sent().get("embeddings") == [{"path": "/fake/my-cat.safetensors", "word": "my-cat"}], (said, sent()))
    generate(image, [user], prompt="my-cat", embeddings="/own/my-cat.safetensors")
    tap.check("who names a file for it himself has that one", sent()["embeddings"] == [{"path": "/own/my-cat.safetensors", "word": "my-cat"}], sent())
    generate(image, [user], prompt="my-cat")
    made = new_layers(image)[0]
    parasite = made.get_parasite("pentimento-recipe")
    text = json.loads(bytes(parasite.get_data()).rstrip(b"\0"))
    text.pop("embeddings")
    made.attach_parasite(Gimp.Parasite.new("pentimento-recipe", parasite.get_flags(), list(json.dumps(text).encode() + b"\0")))
    rerun(image, made)
    tap.check("a recipe that ran without it runs without it again", "embeddings" not in sent(), sent())
    image.delete()


def main():
    tap = Tap()
    for name, case in list(globals().items()):
        if name.startswith("case_") and (not os.environ.get("CASE") or os.environ["CASE"] in name):
            tap.run(case)
    tap.end()


main()
