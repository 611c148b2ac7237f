# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with the recipe of a layer: shown, stripped, varied, run elsewhere, its words changed; also after saving and reopening. With
the fake engine. Runs inside GIMP."""

import json
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

from gi.repository import Gio  # noqa: E402

FAKE = Path(os.environ["PMT_FAKE_FOLDER"])
LEARNED = {"path": "/fake/my-cat.safetensors", "word": "my-cat"}  # what the fake engine knows
NAMES = ("show", "strip", "vary", "here", "change-word", "use", "move", "word-maps")


def messages(kind):
    return [message for message in map(json.loads, (FAKE / "log").read_text().splitlines()) if message["type"] == kind]


def sent():
    return messages("job")[-1]["job"]


def blob(name):
    message = [m for m in messages("blob") if m["name"] == name][-1]
    return np.frombuffer((FAKE / f"{name}.f32").read_bytes(), np.float32).reshape(message["height"], message["width"], message["channels"])


def picture(kind="u8"):
    image = new_image(kind)
    user = new_layer(image, "user's", 97, 71, alpha=False)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    return image, user


def recipe(name, image, layer, **arguments):
    return call(f"plug-in-pentimento-recipe-{name}", image, [layer], **arguments)


def show(image, layer):
    """(recipe as JSON, parameters)."""
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-pentimento-recipe-show")
    config = procedure.create_config()
    config.set_property("image", image)
    config.set_core_object_array("drawables", [layer])
    result = procedure.run(config)
    return (result.index(1), result.index(2)) if result.index(0) == DONE else (None, result.index(1))


def newest(image):
    """The layer that was painted last, wherever it is in the stack."""
    return max(new_layers(image), key=lambda layer: layer.get_id())


def case_without(tap):
    image, user = picture()
    before = state(image)
    for name in NAMES:
        status, said = recipe(name, image, user)
        tap.check(f"{name}: a layer without a recipe is refused by name", status != DONE and "“user's” has no recipe" in said, said)
    status, said = recipe("strip", image, user, scope="image")
    tap.check("an image without recipes has nothing to strip", status != DONE and "Nothing in this image" in said, said)
    tap.check("and stays as it is", state(image) == before)
    image.clean_all()
    recipe("strip", image, user)
    recipe("strip", image, user, scope="image")
    tap.check("without a step to undo", not image.is_dirty())
    image.delete()


def case_show(tap):
    image, user = picture()
    fill(image, [user], prompt="a (red:1.3) fox, sitting", negative_prompt="grass", seed=7, steps=12, sampler="dpmpp-2m-karras", guidance=3.5,
         strength=0.5, model="/models/some, model.safetensors", methods="one:a=1")
    text, parameters = show(image, newest(image))
    tap.check("the recipe is the layer's, as JSON", json.loads(text)["prompt"] == "a (red:1.3) fox, sitting" and json.loads(text)["seed"] == 7, text)
    tap.check("parameters as other programs write them", parameters ==
              "a (red:1.3) fox, sitting\nNegative prompt: grass\nSteps: 12, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 3.5, Seed: 7, "
              'Model: "some, model", Denoising strength: 0.5, Version: Pentimento fake', parameters)
    generate(image, [user], prompt="x", seed=8)
    text, parameters = show(image, newest(image))
    tap.check("a picture's own size", "Size: 80x64" in parameters, parameters)
    image.delete()


def case_strip(tap):
    image, user = picture("u16")
    fill(image, [user], prompt="secret words", seed=7, variants=2)
    fill(image, [user], prompt="others", seed=9)
    image.attach_parasite(Gimp.Parasite.new("plug-in-pentimento-fill-last", 1, list(b"secret\0")))
    image.attach_parasite(Gimp.Parasite.new("someone-else", 1, list(b"kept\0")))
    layers = new_layers(image)
    layers[2].set_name("my own name")
    flat = flattened(image)
    status, said = recipe("strip", image, layers[1])
    left = new_layers(image)
    tap.check("one layer is stripped of recipe, inputs and the prompt in its name, and no other",
              status == DONE and [layer.get_id() for layer in left] == [layers[0].get_id(), layers[2].get_id()] and
              not layers[1].get_parasite("pentimento-inputs") and layers[1].get_name() == "Fill", (said, layers[1].get_name()))
    status, said = recipe("strip", image, user, scope="image")
    tap.check("the whole image, and what GIMP keeps of the dialogs' settings with it",
              status == DONE and new_layers(image) == [] and "someone-else" in image.get_parasite_list() and
              not any("pentimento" in name for name in image.get_parasite_list()), (said, image.get_parasite_list()))
    words = [layer.get_name() for layer in layers]
    tap.check("a name that the user gave stays", "my own name" in words and not any("secret" in word for word in words), words)
    tap.check("the pixels are the same", (flattened(image) == flat).all())
    status, said = rerun(image, layers[0])
    tap.check("what is stripped cannot run again, and that is said", status != DONE and "has no recipe" in said, said)
    path = Path(os.environ["PMT_GIMP_TMP"]) / "stripped.xcf"
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(path)), None)
    tap.check("the saved file does not hold the words", b"secret" not in path.read_bytes())
    image.delete()


def case_strip_channels(tap):
    """Word maps are channels, with the recipe and a word in their name."""
    image, user = picture()
    generate(image, [user], prompt="secret words", seed=7)
    recipe("word-maps", image, newest(image), words="secret; words")
    image.get_channels()[0].set_name("my own name")
    image.remove_layer(newest(image))
    tap.check("channels carry the recipe", all(channel.get_parasite("pentimento-recipe") for channel in image.get_channels()))
    status, said = recipe("strip", image, user, scope="image")
    names = [channel.get_name() for channel in image.get_channels()]
    tap.check("they are stripped although no layer has a recipe, also of the word in the name", status == DONE and
              not any(channel.get_parasite("pentimento-recipe") for channel in image.get_channels()) and
              sorted(names) == ["Word map", "my own name"], (said, names))
    path = Path(os.environ["PMT_GIMP_TMP"]) / "stripped-channels.xcf"
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(path)), None)
    tap.check("the saved file does not hold the words", b"secret" not in path.read_bytes())
    image.delete()


def paint_over(layer):
    """Another picture in the layer, as if its seed had been another."""
    buffer = layer.get_buffer()
    pixels = 1 - read(layer, None, SEEN)
    pixels[:, :, 3] = 1
    buffer.set(Gegl.Rectangle.new(0, 0, layer.get_width(), layer.get_height()), SEEN[0], pixels.astype(np.float32).tobytes())
    buffer.flush()
    layer.update(0, 0, layer.get_width(), layer.get_height())


def case_vary(tap):
    image, user = picture()
    fill(image, [user], prompt="a fox", seed=7)
    made, first = newest(image), blob("image").copy()
    status, said = recipe("vary", image, made, variants=3)
    names = [layer.get_name() for layer in new_layers(image)]
    tap.check("variants follow the layer's seed", status == DONE and names[:3] == [f"Fill: a fox ({seed})" for seed in (8, 9, 10)], (said, names))
    tap.check("of the same picture, seen without what came of it", (blob("image") == first).all())
    recipe("vary", image, made, seed=50, variants=1)
    tap.check("or of a seed that is given", sent()["seed"] == 50 and sent()["variants"] == 1, sent())
    status, said = recipe("vary", image, made, variants=2)
    tap.check("once more: seeds that the recipe had not yet", status == DONE and (sent()["seed"], sent()["variants"]) == (51, 2), (said, sent()["seed"]))
    for layer in new_layers(image):
        if layer != made:
            image.remove_layer(layer)
    shown = seen(image)
    status, said = recipe("vary", image, made, kind="near", strength=0.3, variants=1)
    near, one = blob("image").copy(), newest(image)
    x, y, width, height = sent()["region"]["context"]
    tap.check("near: the strength, and the layer is seen", status == DONE and sent()["strength"] == 0.3 and np.abs(near - first).max() > 0.1 and
              np.abs(near - shown[y:y + height, x:x + width]).max() < 1e-6, said)
    recipe("vary", image, made, kind="near", strength=0.3, variants=1)
    tap.check("near to it once more: again from that layer, not from what came of it", (blob("image") == near).all())
    recipe("vary", image, made, variants=1)
    tap.check("and other pictures of it are seen without any of them", (blob("image") == first).all())
    status, said = rerun(image, one)
    tap.check("the recipe of a near one runs again from the same", status == DONE and (blob("image") == near).all() and sent()["strength"] == 0.3, said)
    paint_over(one)
    status, said = recipe("vary", image, one, kind="near", strength=0.5, variants=1)
    further = blob("image").copy()
    tap.check("near to a near one: from that", status == DONE and np.abs(further - near).max() > 0.1, said)
    two = newest(image)
    rerun(image, two)
    tap.check("and again", (blob("image") == further).all())
    for layer in new_layers(image):
        if layer != made:
            image.remove_layer(layer)
    made.set_visible(False)
    status, said = recipe("vary", image, made, kind="near")
    tap.check("near to a hidden layer: a sentence", status != DONE and "is hidden" in said, said)
    edit(image, [user], instruction="winter", seed=3)
    status, said = recipe("vary", image, newest(image), kind="near")
    tap.check("near to what an instruction made: a sentence", status != DONE and "has no strength" in said, said)
    Gimp.Selection.none(image)
    generate(image, [user], prompt="a house", seed=3)
    made = newest(image)
    status, said = recipe("vary", image, made, kind="near", strength=0.3, variants=1)
    tap.check("near to a picture of its own: it starts from the layer", status == DONE and sent()["strength"] == 0.3 and
              np.abs(blob("image") - read(made, None, SEEN)).max() < 1e-6, said)
    for layer in new_layers(image):
        image.remove_layer(layer)
    for method in ("diffedit", "null-text", "edict"):
        call("plug-in-pentimento-describe", image, [user], shows="a fox", prompt="a wolf", method=method, seed=1)
        made, shown = newest(image), seen(image)
        status, said = recipe("vary", image, made, kind="near", strength=0.3, variants=1)
        job, new = sent(), newest(image)
        tap.check(f"near to what was edited by description ({method}): its picture is gone on with, by a strength that counts", status == DONE and
                  job["strength"] == 0.3 and job["prompt"] == "a wolf" and "methods" not in job and np.abs(blob("image") - shown).max() < 1e-6, (said, job))
        tap.check(f"{method}: in the place that the layer's mask shows", bool(new.get_mask()) == bool(made.get_mask()) and
                  (not made.get_mask() or (np.abs(mask_on_canvas(new) - mask_on_canvas(made)).max() < 0.01 and
                                           np.abs(blob("mask")[:, :, 0] - mask_on_canvas(made)).max() < 0.01)))
        made.set_visible(False)
        status, said = recipe("vary", image, made, kind="near", variants=1)
        tap.check(f"{method}: hidden, it is refused", status != DONE and "is hidden" in said, said)
        made.set_visible(True)
        status, said = recipe("vary", image, made, variants=1)
        tap.check(f"{method}: other pictures of it are edited as it was", status == DONE and sent()["methods"][0]["id"] == method, said)
        for layer in new_layers(image):
            image.remove_layer(layer)
    image.delete()


def case_here(tap):
    image, user = picture()
    fill(image, [user], prompt="a fox", seed=7, grow=3.0, context="selection")
    made, first = newest(image), sent()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 40, 20, 15)
    status, said = recipe("here", image, made)
    job = sent()
    tap.check("the recipe runs in the present selection", status == DONE and job["region"]["selection"] == [10, 40, 20, 15] and
              job["seed"] == 7 and job["prompt"] == "a fox" and job["region"]["mode"] == "selection", (said, job))
    tap.check("with an edge that is right for its size", (job["region"]["grow"], job["region"]["feather"]) == (-1, -1), job["region"])
    context = job["region"]["context"]
    tap.check("its mask is what is selected", (blob("mask")[:, :, 0] == selection(image)[context[1]:context[1] + context[3],
                                                                                      context[0]:context[0] + context[2]]).all() and context != first["region"]["context"])
    new = newest(image)
    tap.check("the layer is there", tuple(new.get_offsets()[1:]) == (6, 36), new.get_offsets())
    rerun(image, new)
    tap.check("and runs again there", sent()["region"]["selection"] == [10, 40, 20, 15], sent()["region"])
    generate(image, [user], prompt="a house", seed=3)
    made = newest(image)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 60, 20)
    status, said = recipe("here", image, made)
    new = newest(image)
    tap.check("a picture of its own takes the selection's place and shape", status == DONE and (new.get_width(), new.get_height()) == (60, 20) and
              sent()["size"][0] > 2 * sent()["size"][1], (said, sent()["size"]))
    generate(image, [user], prompt="a coast", seed=9, panorama="windows")
    made = newest(image)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 96, 24)
    status, said = recipe("here", image, made)
    tap.check("a panorama is as high as the model paints, and longer, here too", status == DONE and sent()["size"] == [256, 64], (said, sent()["size"]))
    Gimp.Selection.none(image)
    call("plug-in-pentimento-describe", image, [user], shows="a fox", prompt="a wolf", seed=1)
    made = newest(image)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 40, 20, 15)
    status, said = recipe("here", image, made)
    new = newest(image)
    tap.check("who edited by description looks around the place, which is the mask", status == DONE and (new.get_width(), new.get_height()) == (97, 71) and
              np.abs(mask_on_canvas(new) - selection(image)).max() < 0.01, (said, new.get_width(), new.get_height()))
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    call("plug-in-pentimento-replace-background", image, [user], prompt="a desert", seed=3)
    made = newest(image)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 40, 20, 15)
    status, said = recipe("here", image, made)
    x, y, width, height = sent()["region"]["context"]
    tap.check("of a replaced background, what is selected stays and the rest is painted, with a slim edge", status == DONE and
              np.abs(blob("mask")[:, :, 0] - (1 - selection(image))[y:y + height, x:x + width]).max() < 1e-6 and
              sent()["region"]["selection"] == [0, 0, 97, 71] and abs(sent()["region"]["feather"] - np.hypot(97, 71) / 100) < 1e-6, (said, sent()["region"]))
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 97, 71)
    status, said = call("plug-in-pentimento-expand", image, [user], prompt="a lake", seed=3, grow_left=10, grow_top=5)
    made = newest(image)
    image.resize(97, 71, -10, -5)  # as large as before the canvas grew for that recipe
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 30, 20, 15)
    status, said = recipe("here", image, made)
    tap.check("a recipe for which the canvas grew does not let it grow again", status == DONE and (image.get_width(), image.get_height()) == (97, 71) and
              sent()["region"]["selection"] == [20, 30, 20, 15] and tuple(user.get_offsets()[1:]) == (0, 0), (said, image.get_width(), user.get_offsets()))
    Gimp.Selection.none(image)
    status, said = recipe("here", image, made)
    tap.check("nothing selected: a sentence", status != DONE and "Nothing is selected" in said, said)
    image.delete()


def case_change_word(tap):
    image, user = picture()
    Gimp.Selection.none(image)
    generate(image, [user], prompt="a red fox in the snow", seed=7, methods="noop")
    made = newest(image)
    status, said = recipe("change-word", image, made)
    tap.check("nothing changed: a sentence", status != DONE and "No word has changed" in said, said)
    status, said = recipe("change-word", image, made, prompt="a red cat in the snow", weights="snow:0.2", blend="fox; cat", cross=0.7)
    job = sent()
    tap.check("a picture's words change beside the old ones", status == DONE and job["prompt"] == "a red fox in the snow" and job["seed"] == 7 and
              job["methods"] == [{"id": "noop"}, {"id": "prompt-to-prompt", "target": "a red cat in the snow", "weights": "snow:0.2",
                                                  "blend": "fox; cat", "cross": 0.7, "self": 0.4}], (said, job))
    new = newest(image)
    tap.check("the layer is named after what it shows", new.get_name() == "Generate: a red cat in the snow (7)", new.get_name())
    status, said = recipe("change-word", image, new, prompt="a red dog in the snow")
    methods = sent()["methods"]
    tap.check("a second change starts from the first prompt", len(methods) == 2 and methods[1]["target"] == "a red dog in the snow" and
              "weights" not in methods[1] and sent()["prompt"] == "a red fox in the snow", methods)
    recipe("change-word", image, made, weights="fox:2")
    tap.check("a weight alone needs no other prompt", sent()["methods"][1] == {"id": "prompt-to-prompt", "weights": "fox:2", "cross": 0.8, "self": 0.4},
              sent()["methods"])
    call("plug-in-pentimento-describe", image, [user], shows="a fox", prompt="a wolf", method="null-text", strength=0.5, seed=1)
    status, said = recipe("change-word", image, newest(image), prompt="a bear", cross=0.7)
    tap.check("of a picture that was edited by description, what it came of stays the source", status == DONE and sent()["prompt"] == "a bear" and
              sent()["methods"] == [{"id": "null-text", "source": "a fox"},
                                    {"id": "prompt-to-prompt", "source": "a fox", "cross": 0.7, "self": 0.4}], (said, sent()["methods"]))
    for method in ("diffedit", "edict"):
        call("plug-in-pentimento-describe", image, [user], shows="a fox", prompt="a wolf", method=method, strength=0.5, seed=1)
        made, first = newest(image), sent()
        status, said = recipe("change-word", image, made, prompt="a bear, my-cat", weights="bear:1.2")
        tap.check(f"{method}: the picture that it was made of holds the rest, so the prompt alone changes", status == DONE and
                  sent()["prompt"] == "a (bear:1.2), my-cat" and sent()["methods"] == first["methods"] and sent()["seed"] == 1, (said, sent()))
        tap.check(f"{method}: a learned word in the new prompt goes along", sent().get("embeddings") == [LEARNED], sent())
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    fill(image, [user], prompt="a fox, foxy", seed=3)
    status, said = recipe("change-word", image, newest(image), weights="fox:1.5; foxy:9")
    tap.check("a place that was filled is painted with the changed prompt and its seed", status == DONE and
              sent()["prompt"] == "a (fox:1.5), (foxy:2)" and sent()["seed"] == 3 and "methods" not in sent(), (said, sent()["prompt"]))
    fill(image, [user], prompt="pixelart, a fox <lora:pixelart:0.8>", seed=3)
    recipe("change-word", image, newest(image), weights="pixelart:1.5; lora:2")
    tap.check("what a tag names stays, whatever words are in it", sent()["prompt"] == "(pixelart:1.5), a fox <lora:pixelart:0.8>", sent()["prompt"])
    image.delete()


def not_beside(method):
    """The methods that the engine does not use together with this one, by its own tables."""
    found = set()
    for file in (Path(__file__).parents[2] / "engine" / "methods").glob("*.c"):
        text = file.read_text()
        own = re.search(r'\n  \.id = "([a-z0-9-]+)",\n  \.label', text)
        tables = re.findall(r"conflicts(?:\[\] =| = \(const char \*const\[\]\)) \{(.*?)\}", text, re.S)
        others = set(re.findall(r'"([a-z0-9-]+)"', " ".join(tables)))
        if own and own[1] == method:
            found |= others
        elif own and method in others:
            found.add(own[1])
    return found


def case_not_beside(tap):
    """Nobody is told of methods that cannot be used together who never chose one: it is said in words, or one is left out."""
    image, user = picture()
    Gimp.Selection.none(image)
    for name, method, words, arguments in (("change-word", "prompt-to-prompt", "no single word", {"prompt": "a cat"}),
                                           ("move", "self-guidance", "be moved|move the box", {"words": "fox", "right": 0.2})):
        others = not_beside(method)
        problems = []
        for other in sorted(others):
            generate(image, [user], prompt="a fox", seed=7, methods=f"noop; {other}")
            jobs = len(messages("job"))
            status, said = recipe(name, image, newest(image), **arguments)
            if status == DONE:
                used = {entry["id"] for entry in sent()["methods"]}
                good = len(messages("job")) == jobs + 1 and "noop" in used and not (method in used and others & used)
            else:
                good = re.search(words, said) and "together" not in said and len(messages("job")) == jobs
            if not good:
                problems.append((other, said))
        tap.check(f"{name}: of {len(others)} methods none is a dead end", len(others) > 5 and not problems, problems)
    for words, arguments in (("“Make sure of”", {"make_sure": "fox"}), ("“Panorama”", {"panorama": "windows"}), ("“AND”", {"prompt": "a fox AND snow"}),
                             ("“Boxes”", {"boxes": '[{"box":[0,0.5,0.5,1],"phrase":"a boat"}]', "boxes_method": "regions"})):
        generate(image, [user], **{"prompt": "a fox", "seed": 7, **arguments})
        status, said = recipe("change-word", image, newest(image), prompt="a cat")
        tap.check(f"what stands in the way is called {words}", status != DONE and words in said and "Use Settings" in said, said)
    call("plug-in-pentimento-describe", image, [user], shows="a fox", prompt="a wolf", method="null-text", seed=1)
    status, said = recipe("move", image, newest(image), words="wolf", right=0.2)
    tap.check("as the dialog is that it came from", status != DONE and "“Edit by Description”" in said, said)
    image.delete()


OPEN = {"size", "steps", "guidance", "sampler", "precision", "prefill"}  # what the engine chooses where nobody says otherwise


def left_open(job):
    return not OPEN & set(job)


def parasite(layer, change):
    """Changes what a layer says of its inputs."""
    text = json.loads(bytes(layer.get_parasite("pentimento-inputs").get_data()).rstrip(b"\0"))
    change(text)
    layer.attach_parasite(Gimp.Parasite.new("pentimento-inputs", 3, list(json.dumps(text).encode() + b"\0")))
    return text


def asked(n=-1):
    """The first message of the last job: what the dialog would have asked for."""
    estimates = messages("estimate")
    return [m["job"] for m in estimates if m["id"] == 1][n]


def case_use_generate(tap):
    """A script paints what the dialog would: its settings are those of the recipe, and what was automatic is automatic."""
    image, user = picture()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 64, 64)
    generate(image, [user], prompt="a secret house", seed=7)
    made = newest(image)
    tap.check("the layer keeps which settings were automatic, and no words", "secret" not in json.dumps(parasite(made, lambda text: None)["asked"]))
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 96, 48)
    status, said = recipe("use", image, made)
    tap.check("a picture's settings run again", status == DONE and (sent()["prompt"], sent()["seed"]) == ("a secret house", 7), (said, sent()))
    tap.check("in the shape of the new place", sent()["size"][0] == 2 * sent()["size"][1], sent()["size"])
    tap.check("with what was left to the model left to it", left_open(asked()), asked())
    parasite(made, lambda text: text.pop("asked"))
    recipe("use", image, made)
    tap.check("also where only the recipe is known", sent()["size"][0] == 2 * sent()["size"][1], sent()["size"])
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 32, 32)
    recipe("use", image, made)
    tap.check("which keeps its size where the shape is the same", sent()["size"] == [64, 64], sent()["size"])
    generate(image, [user], prompt="x", seed=8, width=96, height=32, steps=12, guidance=3.0, sampler="ddim", source="layer", strength=0.4)
    status, said = recipe("use", image, newest(image))
    job = sent()
    tap.check("what was asked for is asked for again", (job["size"], job["steps"], job["guidance"], job["sampler"], job["strength"]) ==
              ([96, 32], 12, 3.0, "ddim", 0.4) and "precision" not in asked(), (said, job))
    Gimp.Selection.none(image)
    generate(image, [user], prompt="a coast", seed=9, panorama="closed")
    wide = sent()["size"]
    recipe("use", image, newest(image))
    tap.check("a panorama is as wide again", sent()["size"] == wide and sent()["methods"] == [{"id": "multidiffusion", "wrap": True}], (wide, sent()))
    made = newest(image)
    for name, change, methods in (("field", None, [{"id": "multidiffusion", "wrap": True}]),
                                  ("recipe alone", lambda text: text.pop("asked"), [{"id": "multidiffusion", "wrap": True}])):
        if change:
            parasite(made, change)
        recipe("use", image, made)
        tap.check(f"a panorama by the {name} is one again", sent()["size"] == wide and sent()["methods"] == methods, sent())
    generate(image, [user], prompt="a coast", seed=9, methods="multidiffusion:stride=4")
    first = sent()
    recipe("use", image, newest(image))
    tap.check("windows of the list of methods stay there, with their values", (sent()["size"], sent()["methods"]) == (first["size"], first["methods"]),
              (first, sent()))
    generate(image, [user], prompt="a red coast", seed=9, make_sure="red coast", methods="noop")
    first = sent()
    recipe("use", image, newest(image))
    tap.check("words are made sure of again, beside other methods", sorted(map(json.dumps, sent()["methods"])) == sorted(map(json.dumps, first["methods"])),
              (first, sent()))
    image.delete()


def case_use_fill(tap):
    image, user = picture()
    fill(image, [user], prompt="a fox", seed=7)
    made = newest(image)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 40, 20, 15)
    status, said = recipe("use", image, made)
    job = asked()
    tap.check("a fill's settings run where the selection is now", status == DONE and sent()["region"]["selection"] == [10, 40, 20, 15], said)
    tap.check("its edge follows the selection again", (job["region"]["grow"], job["region"]["feather"]) == (-1, -1) and left_open(job), job)
    fill(image, [user], prompt="a fox", seed=7, grow=3.0, steps=9)
    recipe("use", image, newest(image))
    tap.check("a number that was typed stays", asked()["region"]["grow"] == 3 and asked()["steps"] == 9, asked())
    call("plug-in-pentimento-refine", image, [user], prompt="fur", seed=4)
    recipe("use", image, newest(image))
    tap.check("in the mode that it had", (sent()["mode"], sent()["strength"]) == ("refine", 0.5), sent())
    edit(image, [user], instruction="winter", seed=3, image_guidance=1.2)
    recipe("use", image, newest(image))
    tap.check("an instruction's too", (sent()["task"], sent()["prompt"], sent()["image-guidance"]) == ("edit", "winter", 1.2) and left_open(asked()), sent())
    image.delete()


def case_use_expand(tap):
    image, user = picture()
    Gimp.Selection.none(image)
    call("plug-in-pentimento-expand", image, [user], prompt="a lake", seed=3, grow_left=10, grow_top=5)
    before = (image.get_width(), image.get_height())
    status, said = recipe("use", image, newest(image))
    tap.check("the canvas grows by as much", status == DONE and (image.get_width(), image.get_height()) == (before[0] + 10, before[1] + 5), said)
    image.delete()


def case_use_describe(tap):
    image, user = picture()
    Gimp.Selection.none(image)
    for method, wanted in (("diffedit", {"ratio": 0.6, "threshold": 0.3}), ("null-text", {}), ("edict", {"strength": 0.6})):
        call("plug-in-pentimento-describe", image, [user], shows="a fox", prompt="a wolf", method=method, strength=0.6, threshold=0.3, seed=1)
        first, made = sent(), newest(image)
        status, said = recipe("use", image, made)
        tap.check(f"{method}: by description again", status == DONE and sent()["methods"] == first["methods"] and sent()["prompt"] == "a wolf" and
                  wanted.items() <= sent()["methods"][0].items(), (said, first, sent()))
    image.delete()


def case_use_controls(tap):
    image, user = picture()
    Gimp.Selection.none(image)
    drawn = new_layer(image, "drawn", 97, 71)
    generate(image, [user], prompt="x", seed=7, control_layer=drawn, control_type="canny", control_strength=0.7, control_model="/fake/canny",
             control_source_2="visible", control_type_2="reference", control_end_2=0.5)
    first, made = sent(), newest(image)
    recipe("use", image, made)
    tap.check("control pictures, networks and strengths come back", sent()["controls"] == first["controls"] and sent()["references"] == first["references"],
              (first, sent()))
    image.remove_layer(drawn)
    status, said = recipe("use", image, made)
    tap.check("a layer that is gone does not", status == DONE and "controls" not in sent() and sent()["references"] == first["references"], (said, sent()))
    image.delete()


def case_use_layer(tap):
    """Settings about the active layer are about the one that was active then, and not about what was painted of it."""
    image, user = picture()
    user.set_opacity(50)
    new_layer(image, "below", 97, 71, alpha=False, position=1, seed=5)
    fill(image, [user], prompt="a fox", seed=7, source="layer")
    made, first = newest(image), blob("image").copy()
    status, said = recipe("use", image, made)
    tap.check("the source is the layer that it was then", status == DONE and (blob("image") == first).all(), said)
    tap.check("and the result lies above all that was painted of it", image.get_layers()[0].get_id() == newest(image).get_id(), new_layers(image))
    mask = user.create_mask(Gimp.AddMaskType.BLACK)
    user.add_mask(mask)
    paint(mask, np.random.default_rng(9))
    user.set_edit_mask(False)
    fill(image, [user], prompt="a cat", seed=8, mask="layer-mask")
    made, first = newest(image), blob("mask").copy()
    status, said = recipe("use", image, made)
    tap.check("the mask is that layer's", status == DONE and blob("mask").shape == first.shape and (blob("mask") == first).all(), said)
    for layer in new_layers(image):
        if layer != made:
            image.remove_layer(layer)
    parasite(made, lambda text: text.pop("layer"))
    status, said = recipe("use", image, made)
    tap.check("a mask whose layer is not known is not the painted layer's own", status == DONE and sent()["region"]["selection"] == [25, 17, 31, 27],
              (said, sent()["region"]))
    fill(image, [user], prompt="a fox", seed=7, source="layer")
    made = newest(image)
    image.remove_layer(user)
    shown = seen(image)
    status, said = recipe("use", image, made)
    x, y, width, height = sent()["region"]["context"]
    tap.check("of a layer that is gone, the visible picture is the source", status == DONE and
              np.abs(blob("image") - shown[y:y + height, x:x + width]).max() < 1e-6, said)
    image.delete()


def case_beside(tap):
    """Whoever has just painted has the old layer active."""
    image, user = picture()
    top = new_layer(image, "top", 20, 20)
    fill(image, [user], prompt="a fox", seed=7)
    first = newest(image)
    fill(image, [user], prompt="a cat", seed=8)
    uppermost = max(new_layers(image), key=lambda layer: -image.get_item_position(layer))
    tap.check("shown is what was painted for the active layer, the topmost of several",
              json.loads(show(image, user)[0])["seed"] == json.loads(show(image, uppermost)[0])["seed"])
    tap.check("but of an active layer with a recipe its own", json.loads(show(image, first)[0])["prompt"] == "a fox")
    uppermost.set_visible(False)
    other = [layer for layer in new_layers(image) if layer != uppermost][0]
    tap.check("what is hidden is left out", json.loads(show(image, user)[0])["seed"] == json.loads(show(image, other)[0])["seed"])
    status, said = recipe("vary", image, top)
    tap.check("what lies below was not painted for it", status != DONE and "“top” has no recipe" in said, said)
    status, said = recipe("vary", image, user, variants=1)
    tap.check("it is varied", status == DONE and sent()["prompt"] == json.loads(show(image, other)[0])["prompt"], said)
    status, said = call("plug-in-pentimento-recipe-vary", image, [user, top])
    tap.check("two layers: a sentence of its own", status != DONE and "whose recipe is meant" in said and "source" not in said, said)
    status, said = recipe("strip", image, user)
    tap.check("nothing but the active layer is stripped", status != DONE and "“user's” has no recipe" in said, said)
    image.delete()


def case_beside_group(tap):
    image, user = picture()
    fill(image, [user], prompt="a fox", seed=7, variants=3)
    group = newest(image).get_parent()
    children = group.get_children()
    tap.check("of a group of variants the one that is seen", json.loads(show(image, group)[0])["seed"] == 7)
    children[0].set_visible(False)
    children[2].set_visible(True)
    tap.check("whichever that is", json.loads(show(image, group)[0])["seed"] == 9)
    tap.check("also from the layer that it was painted for", json.loads(show(image, user)[0])["seed"] == 9)
    status, said = recipe("vary", image, group, variants=1)
    tap.check("which is varied", status == DONE and sent()["seed"] == 10, (said, sent()["seed"]))
    image.delete()


def case_saved(tap):
    image, user = picture()
    fill(image, [user], prompt="a fox", seed=7)
    pixels, path = blob("image").copy(), Path(os.environ["PMT_GIMP_TMP"]) / "recipes.xcf"
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(path)), None)
    image.delete()
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(str(path)))
    made = newest(image)
    tap.check("after saving and reopening: shown", json.loads(show(image, made)[0])["prompt"] == "a fox")
    status, said = recipe("vary", image, made, variants=1)
    tap.check("varied, of the same picture", status == DONE and sent()["seed"] == 8 and (blob("image") == pixels).all(), said)
    status, said = recipe("change-word", image, made, prompt="a cat")
    tap.check("with another word", status == DONE and sent()["prompt"] == "a cat", said)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 40, 20, 15)
    status, said = recipe("here", image, made)
    tap.check("elsewhere", status == DONE and sent()["region"]["selection"] == [10, 40, 20, 15], said)
    status, said = recipe("strip", image, made)
    tap.check("stripped", status == DONE and not made.get_parasite("pentimento-recipe"), said)
    image.delete()


def main():
    tap = Tap()
    for name, case in list(globals().items()):
        if name.startswith("case_") and (not os.environ.get("CASE") or os.environ["CASE"] in name):
            tap.run(case)
    tap.end()


main()
