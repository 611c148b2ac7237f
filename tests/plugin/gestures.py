# SPDX-License-Identifier: GPL-3.0-or-later
"""Gestures of methods: edit by description, word maps, move this, words to make sure of, panoramas; with the fake engine, or, with
PMT_GESTURES_REAL=yes, with the bundled model. Runs inside GIMP."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

REAL = os.environ.get("PMT_GESTURES_REAL") == "yes"
FAKE = Path(os.environ.get("PMT_FAKE_FOLDER", "/nonexistent"))


def messages(kind):
    return [message for message in map(json.loads, (FAKE / "log").read_text().splitlines()) if message["type"] == kind]


def sent():
    return messages("job")[-1]["job"]


def recipe_of(item):
    return json.loads(bytes(item.get_parasite("pentimento-recipe").get_data()).rstrip(b"\0"))


def picture(width=96, height=64):
    image = new_image("u8", width, height)
    return image, new_layer(image, "user's", width, height, alpha=False)


def describe(image, layer, **arguments):
    return call("plug-in-pentimento-describe", image, [layer], **arguments)


def by_recipe(name, image, layer, **arguments):
    return call("plug-in-pentimento-recipe-" + name, image, [layer], **arguments)


def values_of(channel):
    """A channel's numbers as they are."""
    buffer = channel.get_buffer()
    width, height = channel.get_width(), channel.get_height()
    data = buffer.get(Gegl.Rectangle.new(0, 0, width, height), 1.0, None, Gegl.AbyssPolicy.NONE)
    return np.frombuffer(bytes(data), np.uint8).reshape(height, width) / 255


def case_describe(tap):
    image, user = picture()
    flat = flattened(image)
    status, said = describe(image, user, shows="a fox in snow", prompt="a wolf in snow", seed=5, strength=0.7, threshold=0.4, steps=12, guidance=4.0,
                            model="/m")
    job = sent()
    methods = [{"id": "diffedit", "source": "a fox in snow", "ratio": 0.7, "threshold": 0.4}]
    tap.check("descriptions and numbers reach the recipe", status == DONE and job["methods"] == methods and
              (job["task"], job["prompt"], job["seed"], job["steps"], job["guidance"], job["sampler"], job["model"]) ==
              ("generate", "a wolf in snow", 5, 12, 4, "ddim", "/m") and "stop-after" not in job, (said, job))
    made = new_layers(image)[0]
    mask = mask_on_canvas(made)
    tap.check("the place that was found is the layer's mask, which can be painted in",
              made.get_mask() and mask[:, :40].min() > 0.99 and mask[:, 56:].max() < 0.01 and 0 < mask[0, 48] < 1, mask[0, ::8])
    now = flattened(image)
    tap.check("what is not in it stays to the bit", (now[mask == 0] == flat[mask == 0]).all() and (now[:, :40] != flat[:, :40]).any())
    tap.check("no channel is left over", not image.get_channels())
    status, said = call("plug-in-pentimento-rerun", image, [made])
    again = new_layers(image)[0]
    tap.check("run again, it has its mask again", status == DONE and again.get_mask() and (mask_on_canvas(again) == mask).all(), said)
    image.delete()


def case_find_the_place(tap):
    image, user = picture()
    before = flattened(image)
    status, said = describe(image, user, prompt="a wolf", mask_only=True, seed=5)
    channels = image.get_channels()
    job = sent()
    tap.check("the place alone comes as a channel", status == DONE and len(channels) == 1 and not new_layers(image) and
              channels[0].get_name() == "What changes" and not channels[0].get_visible(), (said, [c.get_name() for c in channels]))
    tap.check("and the run ends as soon as it is known", job["stop-after"] == 1 and job["methods"][0]["ratio"] == 0.2, job)
    values = values_of(channels[0])
    tap.check("with its numbers", values[:, :40].min() == 1 and values[:, 56:].max() == 0, values[0, ::8])
    tap.check("the picture is as it was", (flattened(image) == before).all() and image.get_selected_layers() == [user])
    image.select_item(Gimp.ChannelOps.REPLACE, channels[0])
    status, said = describe(image, user, prompt="a wolf", seed=5)
    made = new_layers(image)[0]
    blob = [m for m in messages("blob") if m["name"] == "mask"][-1]
    tap.check("as a selection it is the place: sent, and the layer's mask", status == DONE and (blob["width"], blob["height"]) == (96, 64) and
              blob["id"] == messages("job")[-1]["id"] and abs(mask_on_canvas(made) - selection(image)).max() < 0.01, (said, blob))
    count = len(messages("blob"))
    for method in ("null-text", "edict"):
        status, said = describe(image, user, shows="a fox", prompt="a wolf", method=method, seed=5)
        tap.check(f"{method} works on the whole, and the selection is the layer's mask", status == DONE and
                  not [m for m in messages("blob")[count:] if m["name"] == "mask"] and
                  abs(mask_on_canvas(new_layers(image)[0]) - selection(image)).max() < 0.01, said)
    tap.check("a second word for the place is refused while one is selected", "is selected" in describe(image, user, prompt="x", mask_only=True)[1])
    Gimp.Selection.none(image)
    for layer in new_layers(image):
        image.remove_layer(layer)
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, "")
    status, said = describe(image, user, prompt="a wolf", mask_only=True, seed=5)
    tap.check("an image with a colour table takes the channel, and keeps it", status == DONE and len(image.get_channels()) == 2 and
              image.get_base_type() == INDEXED, said)
    status, said = describe(image, user, prompt="a wolf", seed=5)
    tap.check("and a layer as little as before", status != DONE and "RGB" in said, said)
    image.delete()


def case_large(tap):
    """In a large picture what is around the selection is painted, not all of it in a few pixels."""
    image, user = picture(1500, 1200)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 900, 60, 300, 400)
    before = flattened(image)
    status, said = describe(image, user, shows="a fox", prompt="a wolf", seed=5)
    made = new_layers(image)[0]
    mask = [m for m in messages("blob") if m["name"] == "mask"][-1]
    box = (*made.get_offsets()[1:], made.get_width(), made.get_height())
    tap.check("twice the selection, as far as the canvas goes", status == DONE and box == (750, 0, 600, 800) and
              (mask["width"], mask["height"]) == (600, 800), (said, box))
    values = mask_on_canvas(made)
    tap.check("the selection is the mask, and the rest stays", np.abs(values - selection(image)).max() < 0.01 and
              (flattened(image)[values == 0] == before[values == 0]).all())
    sent_picture = (FAKE / "image.f32").read_bytes()
    rerun(image, made)
    tap.check("and run again it is the same place", (FAKE / "image.f32").read_bytes() == sent_picture)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 1490, 0, 10, 1200)
    describe(image, user, shows="a fox", prompt="a wolf", seed=5)
    made = new_layers(image)[0]
    tap.check("what is long is not seen through a slit", (*made.get_offsets()[1:], made.get_width(), made.get_height()) == (300, 0, 1200, 1200),
              (made.get_offsets(), made.get_width()))
    Gimp.Selection.none(image)
    describe(image, user, shows="a fox", prompt="a wolf", seed=5)
    tap.check("without a selection all of it", (new_layers(image)[0].get_width(), new_layers(image)[0].get_height()) == (1500, 1200))
    image.delete()


def case_other_methods(tap):
    image, user = picture()
    status, said = describe(image, user, shows="a fox", prompt="a wolf", method="null-text", strength=0.5, seed=1)
    tap.check("null-text brings Prompt-to-Prompt", status == DONE and
              sent()["methods"] == [{"id": "null-text", "source": "a fox"}, {"id": "prompt-to-prompt", "source": "a fox", "self": 0.5}], (said, sent()))
    status, said = describe(image, user, prompt="a wolf", method="edict", strength=0.5, seed=1)
    tap.check("EDICT", status == DONE and sent()["methods"] == [{"id": "edict", "strength": 0.5}], (said, sent()))
    for words, arguments in (("not said what", {}), ("the same", {"shows": "a", "prompt": "a"}), ("has to be known", {"prompt": "a", "method": "null-text"}),
                             ("Only DiffEdit", {"prompt": "a", "shows": "b", "method": "edict", "mask_only": True})):
        status, said = describe(image, user, **arguments)
        tap.check(f"refused: {words}", status != DONE and words in said, said)
    (FAKE / "mode").write_text("misplaced")
    before = state(image)
    status, said = describe(image, user, prompt="a wolf")
    tap.check("a map that does not fit is a sentence", status != DONE and "map that does not fit" in said and state(image) == before, said)
    (FAKE / "mode").write_text("paint")
    image.delete()


def returned(image, layer):
    """Names of the layers and of the channels that word maps give back to a script."""
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-pentimento-recipe-word-maps")
    config = procedure.create_config()
    config.set_property("image", image)
    config.set_core_object_array("drawables", [layer])
    result = procedure.run(config)
    return [[item.get_name() for item in Gimp.ValueArray.get_core_object_array(result, i)] for i in (1, 2)]


def case_word_maps(tap):
    image, user = picture()
    status, said = by_recipe("word-maps", image, user)
    tap.check("a layer without a recipe is refused", status != DONE and "no recipe" in said, said)
    generate(image, [user], prompt="a red fox", seed=7)
    made = new_layers(image)[0]
    status, said = by_recipe("word-maps", image, made, words="fox; red fox")
    names = sorted(channel.get_name() for channel in image.get_channels())
    tap.check("each word is a channel, and there is no new layer", status == DONE and names == ["Word: fox", "Word: red fox"] and
              len(new_layers(image)) == 1, (said, names))
    values = values_of(image.get_channels()[0])
    tap.check("white where it is looked for most", values[:, 2].min() == 1 and values[:, -2].max() < 0.2 and (np.diff(values[30]) <= 0).all(),
              values[30, ::8])
    tap.check("the recipe is the layer's, and watched", sent()["methods"] == [{"id": "word-maps", "words": "fox; red fox"}] and sent()["seed"] == 7, sent())
    given = returned(image, made)
    tap.check("the channels are returned, and no layer", [len(items) for items in given] == [0, 3] and set(given[1]) <= {c.get_name() for c in image.get_channels()}, given)
    tap.check("without words it is each of them", len(image.get_channels()) == 5, [c.get_name() for c in image.get_channels()])
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, "")
    status, said = by_recipe("word-maps", image, made, words="fox")
    tap.check("an image with a colour table takes channels, and keeps it", status == DONE and len(image.get_channels()) == 6 and
              image.get_base_type() == INDEXED, said)
    image.delete()


def case_move(tap):
    image, user = picture()
    generate(image, [user], prompt="a red fox", seed=7)
    made = new_layers(image)[0]
    for words, arguments in (("not said what shall move", {"right": 0.2}), ("Nothing moves", {"words": "fox"})):
        status, said = by_recipe("move", image, made, **arguments)
        tap.check(f"refused: {words}", status != DONE and words in said, said)
    status, said = by_recipe("move", image, made, words="fox", right=0.25, resize=1.5)
    method = {"id": "self-guidance", "words": "fox", "right": 0.25, "down": 0, "resize": 1.5}
    tap.check("word, way and size reach the recipe, the seed stays", status == DONE and sent()["methods"] == [method] and sent()["seed"] == 7, (said, sent()))
    new = new_layers(image)[0]
    tap.check("the result is a new layer above", len(new_layers(image)) == 2 and new != made)
    by_recipe("move", image, new, words="fox", right=0.25, down=-0.5, resize=2.0)
    tap.check("a second move goes on from the first", sent()["methods"] == [dict(method, right=0.5, down=-0.5, resize=3)], sent()["methods"])
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    fill(image, [user], prompt="a fox", seed=3)
    status, said = by_recipe("move", image, [layer for layer in new_layers(image) if recipe_of(layer)["task"] == "fill"][0], words="fox", right=0.5)
    tap.check("a place that was filled is refused", status != DONE and "filled or edited" in said, said)
    image.delete()


def case_wishes(tap):
    image, user = picture(256, 64)
    status, said = generate(image, [user], prompt="a circle and a star", make_sure="circle star", seed=1)
    tap.check("words to make sure of are a method", status == DONE and sent()["methods"] == [{"id": "attend-and-excite", "words": "circle star"}],
              (said, sent()))
    status, said = generate(image, [user], prompt="a circle and a star", panorama="closed", seed=1)
    job = sent()
    tap.check("a panorama is one", status == DONE and job["methods"] == [{"id": "multidiffusion", "wrap": True}], (said, job))
    tap.check("a panorama is as high as the model paints, and longer", job["size"] == [256, 64], job["size"])
    generate(image, [user], prompt="a circle", seed=1)
    tap.check("other pictures have as many pixels as the model likes", "methods" not in sent() and sent()["size"] == [128, 32], sent())
    generate(image, [user], prompt="a circle", make_sure="circle", methods="attend-and-excite:scale=5", seed=1)
    tap.check("the list of methods has their other values", sent()["methods"] == [{"id": "attend-and-excite", "scale": 5, "words": "circle"}],
              sent()["methods"])
    generate(image, [user], prompt="a circle", methods="multidiffusion:stride=4", panorama="windows", seed=1)
    tap.check("a panorama's too", sent()["methods"] == [{"id": "multidiffusion", "stride": 4}], sent()["methods"])
    status, said = generate(image, [user], prompt="a circle", make_sure="circle", methods="attend-and-excite:words=star")
    tap.check("two sayings are one too many", status != DONE and "one of both places" in said, said)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    status, said = fill(image, [user], prompt="a circle", make_sure="circle", seed=1)
    tap.check("a fill can make sure too", status == DONE and sent()["methods"] == [{"id": "attend-and-excite", "words": "circle"}], (said, sent()))
    image.delete()


BOXES = json.dumps([{"box": [0, 0, 0.5, 1], "phrase": "a circle"}])
# Uses of the dialog: what they are set by, and the fields by which a sentence calls them.
USES = {
    "sure": ({"make_sure": "circle"}, "“Make sure of”"),
    "wide": ({"panorama": "windows"}, "“Panorama”"),
    "follow": ({"control_source": "visible"}, "“Follow pictures”"),
    "after": ({"control_source": "visible", "control_type": "reference"}, ""),
    "boxes": ({"boxes": BOXES}, "“Boxes act by”"),
    "gligen": ({"boxes": BOXES, "boxes_model": "/gligen"}, "“Boxes act by”"),
    "backward": ({"boxes": BOXES, "boxes_method": "layout-backward"}, "“Boxes act by”"),
    "alone": ({"boxes": BOXES, "boxes_method": "regions"}, "“Boxes act by”"),
}
CONFLICTS = [("wide", "sure"), ("wide", "follow"), ("wide", "boxes"), ("wide", "gligen"), ("wide", "backward"), ("boxes", "sure"), ("alone", "sure"),
             ("alone", "follow")]
TOGETHER = [("wide", "after"), ("wide", "alone"), ("follow", "sure"), ("follow", "boxes"), ("gligen", "sure"), ("backward", "sure"), ("alone", "after")]


def case_conflicts(tap):
    """What the engine refuses together is refused before, by the names of the fields; and nothing else is."""
    image, user = picture(128, 64)
    for one, other in CONFLICTS:
        jobs = len(messages("job"))
        status, said = generate(image, [user], prompt="a circle", seed=1, **USES[one][0], **USES[other][0])
        named = all(USES[use][1] in said for use in (one, other))
        tap.check(f"{one} and {other} are refused by their names", status != DONE and named and len(messages("job")) == jobs, said)
    for one, other in TOGETHER:
        status, said = generate(image, [user], prompt="a circle", seed=1, **USES[one][0], **USES[other][0])
        tap.check(f"{one} and {other} go together", status == DONE, said)
    image.delete()


def real_conflicts(tap):
    """The engine has the same opinion; a use that needs a network which is not there is not asked for."""
    image, user = picture(128, 64)
    here = ("sure", "wide", "boxes", "backward", "alone")
    for one, other in TOGETHER:
        if one in here and other in here:
            status, said = generate(image, [user], prompt="a circle", seed=1, steps=2, **USES[one][0], **USES[other][0])
            tap.check(f"the engine does {one} and {other}", status == DONE, said)
    image.delete()


def real_gestures(tap):
    """Every gesture with the engine itself: what it sends is what the procedures take."""
    image, user = picture(64, 64)
    status, said = generate(image, [user], prompt="a red circle", seed=4, steps=6)
    if not tap.check("a picture to work on", status == DONE, said):
        return
    made = new_layers(image)[0]
    status, said = by_recipe("word-maps", image, made, words="red; circle")
    names = sorted(channel.get_name() for channel in image.get_channels())
    tap.check("word maps", status == DONE and names == ["Word: circle", "Word: red"] and values_of(image.get_channels()[0]).max() == 1, (said, names))
    status, said = by_recipe("move", image, made, words="circle", right=0.2)
    tap.check("move this", status == DONE and len(new_layers(image)) == 2 and (read(new_layers(image)[0]) != read(made)).any(), said)
    image.remove_layer(new_layers(image)[0])
    status, said = describe(image, user, shows="a red circle", prompt="a blue circle", mask_only=True, seed=2)
    tap.check("the place alone", status == DONE and image.get_channels()[0].get_name() == "What changes", said)
    for method in ("diffedit", "null-text", "edict"):
        count = len(new_layers(image))
        status, said = describe(image, user, shows="a red circle", prompt="a blue circle", method=method, seed=2, steps=6)
        tap.check(f"edit by description: {method}", status == DONE and len(new_layers(image)) == count + 1, said)
        if status == DONE:
            edited = new_layers(image)[0]
            for name, arguments in (("change-word", {"prompt": "a green circle"}), ("vary", {"kind": "near", "strength": 0.5, "variants": 1})):
                status, said = by_recipe(name, image, edited, **arguments)
                if tap.check(f"{method}: and then {name}", status == DONE and len(new_layers(image)) == count + 2, said):
                    image.remove_layer(new_layers(image)[0])
            image.remove_layer(edited)
    for layer in new_layers(image):
        image.remove_layer(layer)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 10, 30, 30)
    for method in ("diffedit", "edict"):
        status, said = describe(image, user, shows="a red circle", prompt="a blue circle", method=method, seed=2, steps=6)
        tap.check(f"in a selection: {method}", status == DONE and abs(mask_on_canvas(new_layers(image)[0]) - selection(image)).max() < 0.01, said)
        if status == DONE:
            image.remove_layer(new_layers(image)[0])
    Gimp.Selection.none(image)
    status, said = generate(image, [user], prompt="a red circle and a blue star", make_sure="circle star", seed=4, steps=4)
    tap.check("make sure of words", status == DONE, said)
    image.delete()
    image, user = picture(128, 64)
    status, said = generate(image, [user], prompt="a red circle", panorama="closed", seed=4, steps=4)
    tap.check("a panorama", status == DONE and recipe_of(new_layers(image)[0])["size"][0] > recipe_of(new_layers(image)[0])["size"][1], said)
    image.delete()


def main():
    tap = Tap()
    cases = [real_gestures, real_conflicts] if REAL else [case for name, case in list(globals().items()) if name.startswith("case_")]
    for case in cases:
        tap.run(case)
    tap.end()


main()
