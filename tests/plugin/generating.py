# SPDX-License-Identifier: GPL-3.0-or-later
"""What the generate procedure sends, makes of the answer, keeps and refuses, and recipes that run again; with the fake engine. Runs
inside GIMP."""

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


def sent():
    return messages("job")[-1]["job"]


def blob(name):
    """Pixels of the last blob of that name and its message."""
    message = [m for m in messages("blob") if m["name"] == name][-1]
    return np.frombuffer((FAKE / f"{name}.f32").read_bytes(), np.float32).reshape(message["height"], message["width"], message["channels"])


def blobs_of_job():
    number = messages("job")[-1]["id"]
    found = []
    for line in reversed((FAKE / "log").read_text().splitlines()):
        message = json.loads(line)
        if message["type"] == "hello":
            break
        if message["type"] == "blob" and message["id"] == number:
            found.append(message["name"])
    return found[::-1]


def picture(kind="u8", width=97, height=71):
    image = new_image(kind, width, height)
    return image, new_layer(image, "user's", width, height)


def parasite(layer, name="pentimento-recipe"):
    return json.loads(bytes(layer.get_parasite(name).get_data()).rstrip(b"\0"))


def pattern(width, height, seed):
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([(columns * 7 + seed) % 256, (rows * 5) % 256, ((columns + rows) * 3 + 128) % 256], axis=-1) / 255


def weights(n, to):
    """Catmull-Rom's cubic, widened where it shrinks, as a matrix."""
    scale = n / to
    wide = max(scale, 1)
    matrix = np.zeros((to, n))
    for i in range(to):
        centre = (i + 0.5) * scale - 0.5
        for k in range(int(np.ceil(centre - 2 * wide)), int(np.floor(centre + 2 * wide)) + 1):
            x = abs(k - centre) / wide
            value = (1.5 * x - 2.5) * x * x + 1 if x < 1 else ((-0.5 * x + 2.5) * x - 4) * x + 2 if x < 2 else 0
            matrix[i, min(max(k, 0), n - 1)] += value
    return matrix / matrix.sum(axis=1, keepdims=True)


def resampled(pixels, width, height):
    across = np.clip(np.einsum("ik,hkc->hic", weights(pixels.shape[1], width), pixels), 0, 1)
    return np.clip(np.einsum("ik,kwc->iwc", weights(pixels.shape[0], height), across), 0, 1)


def line(image, name, points, closed=False):
    path = Gimp.Path.new(image, name)
    image.insert_path(path, None, 0)
    flat = [value for point in points for value in point * 3]
    path.stroke_new_from_points(Gimp.PathStrokeType.BEZIER, flat, closed)
    return path


def case_arguments(tap):
    image, user = picture()
    status, said = generate(image, [user], prompt="a red\nmushroom", negative_prompt="grass", model="/no/such", steps=12, guidance=3.5,
                            sampler="euler", seed=99, variants=2, width=48, height=32, methods="one:a=1")
    job = sent()
    expected = {"pentimento": 1, "task": "generate", "prompt": "a red\nmushroom", "negative-prompt": "grass", "model": "/no/such", "steps": 12,
                "guidance": 3.5, "sampler": "euler", "seed": 99, "variants": 2, "size": [48, 32], "methods": [{"id": "one", "a": 1}]}
    tap.check("every argument reaches the recipe, and no other", status == DONE and job == expected, (said, job))
    tap.check("no picture is sent when there is nothing to start from", blobs_of_job() == [], blobs_of_job())
    made = new_layers(image)
    tap.check("two variants in one group, named after prompt and seed",
              [layer.get_name() for layer in made] == ["Generate: a red mushroom (99)", "Generate: a red mushroom (100)"] and
              made[0].get_parent().get_name().startswith("Pentimento 20"), [layer.get_name() for layer in made])
    tap.check("without a selection the layers have no mask", not any(layer.get_mask() for layer in made))
    generate(image, [user], prompt="x")
    job = sent()
    tap.check("defaults are left to the model; the size is its own in the canvas's shape",
              not {"steps", "guidance", "sampler", "negative-prompt", "methods", "strength", "controls", "references", "layout", "region"} & set(job)
              and job["size"] == [80, 64], job)
    generate(image, [user], prompt="x", full_size=True, full_size_strength=0.5)
    job = sent()
    tap.check("at full size the canvas's own size is asked for", (job["size"], job["full-size"], job["full-size-strength"]) == ([96, 80], True, 0.5), job)
    generate(image, [user], prompt="x", width=128)
    tap.check("one side that is asked for settles the other by the shape", sent()["size"] == [128, 96], sent()["size"])
    image.delete()


def case_size(tap):
    for width, height, expected in ((64, 64, [64, 64]), (400, 100, [128, 32]), (1000, 10, [256, 16]), (3, 300, [16, 256])):
        image, user = picture("u8", width, height)
        status, said = generate(image, [user], prompt="x")
        tap.check(f"{width}×{height} is painted at {expected[0]}×{expected[1]}", status == DONE and sent()["size"] == expected,
                  (said, sent()["size"]))
        image.delete()


def case_pixels(tap):
    image, user = picture("float")
    generate(image, [user], prompt="x", seed=5)
    layer = new_layers(image)[0]
    shape = (layer.get_width(), layer.get_height(), *layer.get_offsets()[1:])
    expected = resampled(pattern(80, 64, 5), 97, 71)
    difference = np.abs(read(layer, None, SEEN)[:, :, :3] - expected).max()
    tap.check("the result covers the canvas, resampled by a cubic", shape == (97, 71, 0, 0) and difference < 1e-5, (shape, difference))
    image.delete()
    image, user = picture("float", 64, 64)
    generate(image, [user], prompt="x", seed=5)
    same = read(new_layers(image)[0], None, SEEN)[:, :, :3]
    tap.check("a canvas of the model's size gets the very pixels", np.abs(same - pattern(64, 64, 5)).max() < 1e-6)
    image.delete()


def case_selection(tap):
    image, user = picture("u16")
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 40, 20)
    Gimp.Selection.feather(image, 7)
    _, _, x1, y1, x2, y2 = Gimp.Selection.bounds(image)
    before, flat, selected, visible = state(image), flattened(image), selection(image), seen(image)
    status, said = generate(image, [user], prompt="x", source="visible", strength=0.4)
    tap.check("with a selection, img2img covers its bounds", status == DONE and blobs_of_job() == ["image", "mask"] and
              np.abs(blob("image") - visible[y1:y2, x1:x2]).max() < 1e-6 and sent()["strength"] == 0.4, (said, blobs_of_job(), sent()))
    tap.check("the soft selection is its mask", np.abs(blob("mask")[:, :, 0] - selected[y1:y2, x1:x2]).max() < 1e-6)
    layer = new_layers(image)[0]
    mask, now = mask_on_canvas(layer), flattened(image)
    tap.check("and the layer's", np.abs(mask - selected).max() < 1 / 65535, np.abs(mask - selected).max())
    tap.check("outside nothing changes, not even the last bit; the user's state is as it was",
              (now[mask == 0] == flat[mask == 0]).all() and (now != flat).any() and state(image) == before,
              (int((now[mask == 0] != flat[mask == 0]).any(axis=-1).sum()), bool((now != flat).any()),
               [key for key in before if state(image)[key] != before[key]]))
    image.delete()


def case_source(tap):
    image = new_image("u8")
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = new_layer(image, "user's", 50, 40, x=13, y=-3, seed=2)
    visible = seen(image)
    generate(image, [user], prompt="x", source="visible")
    tap.check("img2img of the visible picture", blobs_of_job() == ["image"] and np.abs(blob("image") - visible).max() < 1e-6 and
              sent()["strength"] == 0.6)
    generate(image, [user], prompt="x", source="layer")
    alpha = blob("image")[:, :, 3]
    tap.check("img2img of the layer alone, transparent beyond its edges", (alpha[:, :13] == 0).all() and (alpha[40:] == 0).all() and alpha.max() > 0.9)
    status, said = generate(image, [user, image.get_layers()[-1]], prompt="x", source="layer")
    tap.check("two layers are nothing to start from", status != DONE and "select one" in said, said)
    image.delete()


def case_controls(tap):
    image, user = picture("u16")
    lines = new_layer(image, "lines", 97, 71, alpha=False, seed=5)
    lines.set_visible(False)
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    new_layer(image, "within", 60, 50, x=20, y=10, parent=group, seed=6)
    before, visible = state(image), seen(image)
    status, said = generate(image, [user], prompt="x", control_layer=lines, control_type="canny", control_model="/a/canny",
                            control_strength=0.7, control_start=0.1, control_end=0.8, control_preprocess="canny:low=50",
                            control_layer_2=group, control_type_2="reference", control_model_2="/an/adapter",
                            control_source_3="visible", control_type_3="depth")
    job = sent()
    expected = [{"image": "control-0", "type": "canny", "model": "/a/canny", "preprocess": "canny:low=50", "strength": 0.7, "start": 0.1, "end": 0.8},
                {"image": "control-1", "type": "depth", "strength": 1, "start": 0, "end": 1}]
    tap.check("controls are in the recipe as they were asked for", status == DONE and job["controls"] == expected, (said, job.get("controls")))
    tap.check("a picture to take after is a reference",
              job["references"] == [{"image": "reference-0", "model": "/an/adapter", "strength": 1, "start": 0, "end": 1}], job.get("references"))
    tap.check("each comes as a blob of its name", blobs_of_job() == ["control-0", "reference-0", "control-1"], blobs_of_job())
    tap.check("a hidden layer's pixels arrive", np.abs(blob("control-0") - read(lines, None, SEEN)).max() < 1e-6)
    whole = np.zeros((71, 97, 4), np.float32)
    whole[10:60, 20:80] = read(group, None, SEEN)
    tap.check("a group's are what it shows", np.abs(blob("reference-0") - whole).max() < 1e-6)
    tap.check("and the visible picture's", np.abs(blob("control-1") - visible).max() < 1e-6)
    tap.check("nothing else changed", state(image) == before)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 30, 20, 21, 13)
    generate(image, [user], prompt="x", control_layer=lines, control_type="canny", control_model="/a/canny")
    tap.check("with a selection a control covers its bounds", np.abs(blob("control-0") - read(lines, (30, 20, 21, 13), SEEN)).max() < 1e-6)
    lines.set_offsets(500, 0)
    status, said = generate(image, [user], prompt="x", control_layer=lines, control_type="canny", control_model="/a/canny")
    tap.check("a control layer that is elsewhere is refused with a sentence", status != DONE and "“lines” is nowhere in the region" in said, said)
    image.delete()


def case_boxes(tap):
    image, user = picture("u8", 200, 100)
    line(image, "a red fox", [(20, 10), (60, 10), (60, 50), (20, 50)], closed=True)
    curve = Gimp.Path.new(image, "the sun")
    image.insert_path(curve, None, 0)
    curve.bezier_stroke_new_ellipse(150, 30, 30, 20, 0)
    line(image, "just a line", [(0, 0), (50, 90)])
    selected = [path.get_name() for path in image.get_selected_paths()]
    status, said = generate(image, [user], prompt="a fox", boxes_from_paths=True, boxes_until=0.5, boxes_model="/gligen")
    layout = sent().get("layout", {})
    boxes = {box["phrase"]: np.array(box["box"]) for box in layout.get("boxes", [])}
    good = set(boxes) == {"a red fox", "the sun"} and np.abs(boxes["a red fox"] - [0.1, 0.1, 0.3, 0.5]).max() < 2e-3 and \
        np.abs(boxes["the sun"] - [0.6, 0.1, 0.9, 0.5]).max() < 2e-3
    tap.check("closed paths are boxes of the canvas, by their curves; open ones are not", status == DONE and good, (said, layout))
    tap.check("with their network and end", (layout.get("model"), layout.get("beta")) == ("/gligen", 0.5), layout)
    tap.check("the selected path stays selected", [path.get_name() for path in image.get_selected_paths()] == selected)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 100, 100)
    line(image, "a red fox", [(80, 0), (120, 0), (120, 100), (80, 100)], closed=True)
    generate(image, [user], prompt="a fox", boxes_from_paths=True)
    boxes = sent()["layout"]["boxes"]
    places = sorted((box["phrase"], [round(side, 3) for side in box["box"]]) for box in boxes)
    tap.check("in a selection they are parts of its bounds, cut there; doubled names lose their number",
              places == [("a red fox", [0.2, 0.1, 0.6, 0.5]), ("a red fox", [0.8, 0, 1, 1])], places)
    tap.check("without a network the attention on the words is led", "model" not in sent()["layout"] and
              sent()["methods"] == [{"id": "layout-forward"}] and sent()["prompt"] == "a fox, a red fox", sent())
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 90, 10, 10)
    status, said = generate(image, [user], prompt="x", boxes_from_paths=True)
    tap.check("no closed path in the region: a sentence", status != DONE and "No closed path" in said, said)
    Gimp.Selection.none(image)
    for number in range(31):
        line(image, f"thing {number}", [(number, 0), (number + 9, 0), (number + 9, 9)], closed=True)
    status, said = generate(image, [user], prompt="x", boxes_from_paths=True)
    tap.check("too many: a sentence with both numbers", status != DONE and "34 closed paths" in said and "30" in said, said)
    image.delete()


def case_strokes(tap):
    image, user = picture("u8", 200, 100)
    line(image, "shape", [(10, 60), (60, 60), (60, 90), (10, 90)], closed=True)
    status, said = generate(image, [user], prompt="x", control_source="strokes", control_model="/s")
    tap.check("no open path: a sentence", status != DONE and "No open path" in said, said)
    line(image, "stroke", [(20, 30), (180, 30)])
    status, said = generate(image, [user], prompt="x", control_source="strokes", control_model="/s")
    drawn = blob("control-0")
    expected = np.zeros((100, 200), np.float32)
    expected[29:31, 20:180] = 1
    ink = np.abs(drawn[:, 22:178, 0] - expected[:, 22:178]).max()
    tap.check("open strokes are a scribble, white on black", status == DONE and ink < 0.01 and (drawn[:, :, 3] == 1).all() and
              (drawn[50:] [:, :, :3] == 0).all() and sent()["controls"][0]["type"] == "scribble", (said, ink))
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 100, 20, 100, 50)
    generate(image, [user], prompt="x", control_source="strokes", control_model="/s")
    part = blob("control-0")
    tap.check("at their place in a selection", part.shape == (50, 100, 4) and part[9:11, 2:78, 0].min() > 0.99 and part[9:11, 83:, 0].max() == 0)
    image.delete()


def case_kinds(tap):
    """Layers of every type and stack: the user's things stay, and what is painted is what was sent."""
    for kind in ("u8", "u16", "half", "float", "float linear", "gray u8", "gray float"):
        image = new_image(kind)
        bottom = new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
        user = new_layer(image, "user's", 61, 47, x=13, y=-5, seed=2)
        image.set_selected_layers([user])
        before = state(image)
        status, said = generate(image, [user], prompt="x", source="visible", control_layer=bottom, control_model="/c", seed=3)
        made = new_layers(image)
        painted = read(made[0], None, SEEN)[:, :, :3] if made else None
        wanted = resampled(pattern(80, 64, 3), 97, 71)
        if kind.startswith("gray") and made:
            good = (painted[:, :, 0] == painted[:, :, 1]).all() and np.std(painted) > 0.05
        else:
            good = made and np.abs(painted - wanted).max() < (1 / 127 if kind.startswith("u8") else 2e-3)
        tap.check(f"{kind}: painted above the user's layer, everything else as it was",
                  status == DONE and good and state(image) == before and image.get_item_position(made[0]) == 0,
                  (said, good, np.abs(painted - wanted).max() if made else None, state(image) == before))
        image.delete()


def case_indexed(tap):
    image, user = picture()
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, "")
    status, said = generate(image, [user], prompt="x")
    tap.check("a colour table is refused with a sentence", status != DONE and "RGB" in said and image.get_base_type() == INDEXED, said)
    status, said = generate(image, [user], prompt="x", convert_indexed=True)
    tap.check("and converted on request", status == DONE and image.get_base_type() == RGB, said)
    image.delete()


def case_faults(tap):
    image, user = picture()
    before, flat = state(image), flattened(image)
    for mode, words in (("error", "needs 9 GB"), ("not-numbers", "does not fit"), ("misplaced", "does not fit its place"),
                        ("early-done", "fewer pictures"), ("die", "stopped before it was done")):
        (FAKE / "mode").write_text(mode)
        status, said = generate(image, [user], prompt="x")
        same = state(image) == before and not new_layers(image) and (flattened(image) == flat).all()
        tap.check(f"{mode}: a sentence, and the picture as it was", status != DONE and words in said and same, (said, same))
    (FAKE / "mode").write_text("paint")
    status, said = generate(image, [user], prompt="x")
    tap.check("after all that, a job works", status == DONE and len(new_layers(image)) == 1, said)
    image.delete()


def case_again(tap):
    """Recipes run again, for every task: the same job of the same pictures, whatever the selection is by now."""
    image = new_image("u16")
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = new_layer(image, "user's", 61, 47, x=13, y=-5, seed=2)
    lines = new_layer(image, "lines", 97, 71, alpha=False, seed=5, opacity=20)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    Gimp.Selection.feather(image, 6)
    for name, paint_it in (
            ("fill", lambda: fill(image, [user], prompt="a fox", seed=3, grow=2.0, strength=0.7)),
            ("edit", lambda: edit(image, [user], instruction="winter", seed=3, source="layer")),
            ("generate", lambda: generate(image, [user], prompt="a fox", seed=3, source="visible", control_layer=lines, control_model="/c",
                                          control_type="canny", control_source_2="visible", control_model_2="/d"))):
        paint_it()
        made, first, names = new_layers(image)[0], sent(), blobs_of_job()
        pictures = {one: blob(one) for one in names}
        chosen = selection(image)
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 1, 2, 30, 5)
        moved, pixels, image_state = selection(image), read(made), state(image)
        status, said = rerun(image, made)
        if not tap.check(f"{name}: runs again", status == DONE and len(new_layers(image)) == 2, said):
            return
        again = sent()
        for control in again.get("controls", []):
            control.pop("image-hash")
        if "region" in first:  # what was left to the engine is what it said then
            said_then = parasite(made)["region"]
            first["region"].update({key: said_then[key] for key in ("grow", "feather") if first["region"][key] < 0})
        kept = {key: again.get(key) for key in first} == first
        same = blobs_of_job() == names and all((pictures[one] == blob(one)).all() for one in names)
        tap.check(f"{name}: the same recipe of the same pictures, seen without what it made", kept and same, (first, again, names, blobs_of_job()))
        new = new_layers(image)[0]
        tap.check(f"{name}: the same bytes, above the first, and the selection is the user's",
                  (read(new) == pixels).all() and image.get_item_position(new) + 1 == image.get_item_position(made) and
                  (selection(image) == moved).all() and state(image) == image_state)
        status, said = rerun(image, new, seed=77)
        newest = new_layers(image)[0]
        tap.check(f"{name}: of a layer that was run again already, with another seed",
                  status == DONE and sent()["seed"] == 77 and "(77)" in newest.get_name() and
                  all((pictures[one] == blob(one)).all() for one in names),
                      (said, newest.get_name(), [(one, float(np.abs(pictures[one] - blob(one)).max())) for one in names]))
        for layer in new_layers(image):
            image.remove_layer(layer)
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
        Gimp.Selection.feather(image, 6)
        tap.check(f"{name}: the selection can be made as it was", (selection(image) == chosen).all())
    image.delete()


def case_again_saved(tap):
    from gi.repository import Gio
    image, user = picture()
    lines = new_layer(image, "lines", 97, 71, alpha=False, seed=5)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    generate(image, [user], prompt="kept", seed=3, source="visible", control_layer=lines, control_type="canny", control_model="/c")
    pixels, mask, control = blob("image"), blob("mask"), blob("control-0")
    path = Path(os.environ["PMT_GIMP_TMP"]) / "again.xcf"
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(path)), None)
    image.delete()
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(str(path)))
    made = new_layers(image)[0]
    status, said = rerun(image, made)
    tap.check("a recipe runs again after saving and reloading, of the same pictures", status == DONE and (blob("image") == pixels).all() and
              (blob("mask") == mask).all() and (blob("control-0") == control).all(),
              (said, [float(np.abs(a - b).max()) for a, b in ((blob("image"), pixels), (blob("mask"), mask), (blob("control-0"), control))]))
    for layer in image.get_layers():
        if layer.get_name() == "lines":
            image.remove_layer(layer)
    status, said = rerun(image, made)
    tap.check("a control picture that is gone is named", status != DONE and "“lines” is no longer in the image" in said, said)
    new_layer(image, "lines", 97, 71, alpha=False, seed=5)
    status, said = rerun(image, made)
    tap.check("and found again by its name", status == DONE, said)
    image.resize(120, 71, 0, 0)
    status, said = rerun(image, made)
    tap.check("an image of another size is refused with both sizes", status != DONE and "97×71" in said and "120×71" in said, said)
    status, said = rerun(image, [layer for layer in image.get_layers() if layer.get_name() == "lines"][0])
    tap.check("a layer without a recipe is refused by name", status != DONE and "“lines” has no recipe" in said, said)
    damaged = parasite(made, "pentimento-inputs")
    damaged["mask"] = damaged["mask"][:20]
    made.attach_parasite(Gimp.Parasite.new("pentimento-inputs", 1, list(json.dumps(damaged).encode() + b"\0")))
    status, said = rerun(image, made)
    tap.check("a damaged selection is said", status != DONE and "is damaged" in said, said)
    image.delete()


def main():
    tap = Tap()
    for name, case in list(globals().items()):
        if name.startswith("case_") and (not os.environ.get("CASE") or os.environ["CASE"] in name):
            tap.run(case)
    tap.end()


main()
