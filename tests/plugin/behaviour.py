# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fill procedure sends, refuses, keeps and restores, with the fake engine. Runs inside GIMP; the fake engine's folder
shows what arrived there."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

FAKE = Path(os.environ["PMT_FAKE_FOLDER"])


def sent():
    """The last job that the engine got."""
    jobs = [message for message in map(json.loads, (FAKE / "log").read_text().splitlines()) if message["type"] == "job"]
    return jobs[-1]["job"]


def blob(name, channels):
    x, y, width, height = sent()["region"]["context"]
    return np.frombuffer((FAKE / f"{name}.f32").read_bytes(), np.float32).reshape(height, width, channels), (x, y, width, height)


def picture(kind="u8", alpha=True):
    image = new_image(kind)
    return image, new_layer(image, "user's", 97, 71, alpha=alpha)


def select(image):
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)


def recipe_of(layer):
    return json.loads(bytes(layer.get_parasite("pentimento-recipe").get_data()).rstrip(b"\0"))


def case_arguments(tap):
    image, user = picture()
    select(image)
    status, said = fill(image, [user], prompt="a red\nmushroom", negative_prompt="grass", model="/no/such", strength=0.5, steps=12,
                        guidance=3.5, sampler="euler", seed=99, variants=2, context="whole", grow=3.0, feather=5.0,
                        methods="one:a=1,b=0.5,c=true,d=text; two", precision="int8")
    job = sent()
    expected = {"pentimento": 1, "task": "fill", "prompt": "a red\nmushroom", "negative-prompt": "grass", "model": "/no/such", "strength": 0.5,
                "steps": 12, "guidance": 3.5, "sampler": "euler", "seed": 99, "variants": 2, "precision": "int8",
                "methods": [{"id": "one", "a": 1, "b": 0.5, "c": True, "d": "text"}, {"id": "two"}]}
    tap.check("every argument reaches the recipe", status == DONE and {key: job.get(key) for key in expected} == expected, (said, job))
    region = job["region"]
    tap.check("the region says canvas, selection, mode, grow and feather",
              (region["canvas"], region["selection"], region["mode"], region["grow"], region["feather"]) == ([97, 71], [25, 17, 31, 27], "whole", 3, 5),
              region)
    tap.check("variants have seeds and recipes of their own", [recipe_of(layer)["seed"] for layer in new_layers(image)] == [99, 100],
              [recipe_of(layer) for layer in new_layers(image)])
    tap.check("layers are named after prompt and seed", [layer.get_name() for layer in new_layers(image)] ==
              ["Fill: a red mushroom (99)", "Fill: a red mushroom (100)"], [layer.get_name() for layer in new_layers(image)])
    fill(image, [user], prompt="x")
    job = sent()
    tap.check("defaults are left to the model", not {"steps", "guidance", "sampler", "negative-prompt", "methods", "precision"} & set(job), job)
    first = job["seed"]
    fill(image, [user], prompt="x")
    tap.check("a random seed is chosen anew and can be typed again", 0 <= first < 2 ** 31 and sent()["seed"] != first, first)
    status, said = fill(image, [user], prompt="x", methods="nonsense:here")
    tap.check("methods that are not understood are refused with a sentence", status != DONE and "nonsense:here" in said, said)
    image.delete()


def case_long_prompt(tap):
    image, user = picture()
    words = "a very long prompt " * 30
    status, _ = fill(image, [user], prompt=words)
    tap.check("a long prompt is shortened in the layer's name only", status == DONE and len(new_layers(image)[0].get_name()) < 90
              and recipe_of(new_layers(image)[0])["prompt"] == words, new_layers(image)[0].get_name())
    image.delete()


def case_visible(tap):
    image = new_image("u16")
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = new_layer(image, "user's", 50, 40, x=7, y=-3, opacity=60, seed=2)
    new_layer(image, "hidden", 97, 71, seed=3).set_visible(False)
    new_layer(image, "top", 60, 60, x=30, y=20, opacity=30, seed=4)
    select(image)
    expected = seen(image)
    fill(image, [user], prompt="x")
    pixels, (x, y, width, height) = blob("image", 4)
    tap.check("the engine sees what the user sees", np.abs(pixels - expected[y:y + height, x:x + width]).max() < 1e-6)
    image.delete()


def case_layer(tap):
    image = new_image("u8")
    new_layer(image, "bottom", 97, 71, alpha=False, seed=1)
    user = new_layer(image, "user's", 50, 40, x=13, y=-3, seed=2)
    mask = user.create_mask(Gimp.AddMaskType.WHITE)
    user.add_mask(mask)
    paint(mask, np.random.default_rng(9))
    select(image)
    fill(image, [user], prompt="x", source="layer")
    pixels, (x, y, width, height) = blob("image", 4)
    whole = np.zeros((71 + 100, 97 + 100, 4), np.float32)  # a margin for what lies beyond the canvas
    whole[50 - 3:50 - 3 + 40, 50 + 13:50 + 13 + 50] = read(user, None, SEEN)
    whole[50 - 3:50 - 3 + 40, 50 + 13:50 + 13 + 50, 3] *= read(mask, None, MASK)[:, :, 0]
    tap.check("source=layer sends the layer alone, at its offset, with its mask, transparent beyond its edges",
              np.abs(pixels - whole[50 + y:50 + y + height, 50 + x:50 + x + width]).max() < 1e-6)
    image.delete()


def case_mask(tap):
    image, user = picture()
    select(image)
    Gimp.Selection.feather(image, 9)
    expected = selection(image)
    fill(image, [user], prompt="x")
    values, (x, y, width, height) = blob("mask", 1)
    good = np.abs(values[:, :, 0] - expected[y:y + height, x:x + width]).max() < 1e-6
    tap.check("a feathered selection arrives as a soft mask", good and ((values > 0.1) & (values < 0.9)).sum() > 50)
    tap.check("and is still the user's selection", (selection(image) == expected).all())
    Gimp.Selection.none(image)
    status, said = fill(image, [user], prompt="x")
    values, box = blob("mask", 1)
    tap.check("no selection means everything", status == DONE and box == (0, 0, 97, 71) and (values == 1).all() and
              sent()["region"]["selection"] == [0, 0, 97, 71], (said, box))
    tap.check("and nothing is selected afterwards", Gimp.Selection.is_empty(image))
    image.delete()


def case_values(tap):
    """What the engine painted is what the layer holds, at the right place."""
    image, user = picture("float")
    select(image)
    fill(image, [user], prompt="x", seed=5)
    layer = new_layers(image)[0]
    _, x, y = layer.get_offsets()
    pixels = read(layer, None, SEEN)
    rows, columns = np.mgrid[y:y + pixels.shape[0], x:x + pixels.shape[1]]
    expected = np.stack([(columns * 7 + 5) % 256, (rows * 5) % 256, ((columns + rows) * 3 + 128) % 256], axis=-1) / 255
    tap.check("the result's colours and place are the engine's", np.abs(pixels[:, :, :3] - expected).max() < 1e-5)
    image.delete()


def case_effects(tap):
    """A layer is read as it is shown, with the effects that GIMP computes each time."""
    for kind in ("u8", "gray u16", "float", "display-p3 u8"):
        image, user = picture(kind, alpha=False)
        Gimp.Selection.none(image)
        fill(image, [user], prompt="x", source="layer")
        plain = blob("image", 4)[0].copy()
        image.remove_layer(new_layers(image)[0])
        effect = add_effect(user, "gegl:invert-linear")
        image.clean_all()
        before, shown = state(image), seen(image)
        tap.check(f"{kind}: GIMP shows the effect", np.abs(shown - plain).max() > 0.3)
        status, said = fill(image, [user], prompt="x", source="layer")
        close = 3e-3 if kind == "u8" or "p3" in kind else 1e-4
        tap.check(f"{kind}: as a source the layer has it", status == DONE and np.abs(blob("image", 4)[0] - np.clip(shown, 0, 1)).max() < close,
                  said or np.abs(blob("image", 4)[0] - shown).max())
        tap.check(f"{kind}: and keeps it, to be changed by the user", state(image) == before and len(user.get_filters()) == 1)
        image.remove_layer(new_layers(image)[0])
        fill(image, [user], prompt="x")
        tap.check(f"{kind}: so has the visible picture", np.abs(blob("image", 4)[0] - np.clip(shown, 0, 1)).max() < 1e-4)
        effect.set_visible(False)
        image.remove_layer(new_layers(image)[0])
        fill(image, [user], prompt="x", source="layer")
        off = np.abs(blob("image", 4)[0] - plain).max()
        tap.check(f"{kind}: an effect that is switched off does not count", off < close, off)
        image.delete()
    image, user = picture()
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    new_layer(image, "child", 40, 30, x=20, y=10, alpha=False, parent=group, seed=4)
    Gimp.Selection.none(image)
    fill(image, [group], prompt="x", source="layer")
    plain = blob("image", 4)[0].copy()
    image.remove_layer(new_layers(image)[0])
    add_effect(group, "gegl:invert-linear")
    status, said = fill(image, [group], prompt="x", source="layer")
    now = blob("image", 4)[0]
    tap.check("a group with its effect, at its place", status == DONE and (now[:, :, 3] == plain[:, :, 3]).all() and now[20, 30, 3] == 1 and
              np.abs(now[10:40, 20:60, :3] - plain[10:40, 20:60, :3]).max() > 0.3, said)
    image.delete()


def case_active(tap):
    image, user = picture()
    second = new_layer(image, "second", 97, 71, seed=3)
    select(image)
    image.set_selected_layers([user, second])
    before = state(image)
    status, said = fill(image, [second, user], prompt="x")
    tap.check("two active layers stay active", status == DONE and state(image) == before, said)
    status, said = fill(image, [second, user], prompt="x", source="layer")
    tap.check("two layers are no source", status != DONE and "select one" in said, said)
    channel = Gimp.Channel.new(image, "a channel", 97, 71, 50, Gegl.Color.new("red"))
    image.insert_channel(channel, None, 0)
    image.set_selected_channels([channel])
    before = state(image)
    status, said = fill(image, [channel], prompt="x")
    tap.check("an active channel stays active", status == DONE and before["active channels"] == ["a channel"] and state(image) == before,
              (said, before, state(image)))
    mask = user.create_mask(Gimp.AddMaskType.WHITE)
    user.add_mask(mask)
    image.set_selected_layers([user])
    user.set_edit_mask(True)
    before = state(image)
    status, said = fill(image, [mask], prompt="x")
    tap.check("a layer mask being edited stays so", status == DONE and user.get_edit_mask() and state(image) == before, said)
    image.delete()


def case_refused(tap):
    image, user = picture()
    select(image)
    floating = Gimp.Selection.float(image, [user], 3, 3)
    status, said = fill(image, [user], prompt="x")
    tap.check("a floating selection is refused with a sentence", status != DONE and "floating" in said, said)
    Gimp.floating_sel_anchor(floating)
    image.delete()
    image = new_image("u8")
    status, said = fill(image, [], prompt="x")
    tap.check("a picture without layers is refused with a sentence", status != DONE and "no layer" in said, said)
    image.delete()


def case_indexed(tap):
    image = new_image("u8")
    user = new_layer(image, "user's", 97, 71, alpha=False)
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, "")
    select(image)
    before = read(user, None, ("R'G'B' u8", np.uint8, 3))
    status, said = fill(image, [user], prompt="x")
    tap.check("a colour table is refused with a sentence", status != DONE and "RGB" in said and image.get_base_type() == INDEXED, said)
    status, said = fill(image, [user], prompt="x", convert_indexed=True)
    mask = mask_on_canvas(new_layers(image)[0])
    now = flattened(image)
    tap.check("converted on request, the picture outside the mask has its colours still",
              status == DONE and image.get_base_type() == RGB and (now[mask == 0] == before[mask == 0]).all(), said)
    image.delete()


def case_xcf(tap):
    image, user = picture()
    select(image)
    fill(image, [user], prompt="kept", seed=3)
    kept, name = recipe_of(new_layers(image)[0]), new_layers(image)[0].get_name()
    path = Path(os.environ["PMT_GIMP_TMP"]) / "kept.xcf"
    from gi.repository import Gio
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(path)), None)
    image.delete()
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(str(path)))
    layer = new_layers(image)[0]
    tap.check("recipe, name and mask survive saving and loading an XCF",
              recipe_of(layer) == kept and layer.get_name() == name and layer.get_mask() is not None, kept)
    image.delete()


def case_script_fu(tap):
    """The return value: Python cannot read arrays of layers, Script-Fu can."""
    image, _ = picture()
    select(image)
    names = Path(os.environ["PMT_GIMP_TMP"]) / "names"
    text = f"""(let* ((img {image.get_id()})
        (made (car (plug-in-pentimento-fill #:run-mode RUN-NONINTERACTIVE #:image img
                    #:drawables (car (gimp-image-get-selected-drawables img)) #:prompt "x" #:seed 8 #:variants 2)))
        (port (open-output-file "{names}")))
        (write (map (lambda (layer) (car (gimp-item-get-name layer))) (vector->list made)) port) (close-output-port port))"""
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-script-fu-eval")
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("script", text)
    procedure.run(config)
    written = names.read_text() if names.exists() else "nothing"
    tap.check("the procedure returns the new layers", written == '("Fill: x (8)" "Fill: x (9)")', written)
    image.delete()


def case_last_values(tap):
    """Repeat: without a window, with the values of the last interactive run (none yet: the defaults)."""
    image, user = picture()
    select(image)
    status, said = fill(image, [user], run_mode=Gimp.RunMode.WITH_LAST_VALS)
    tap.check("with last values it runs without a window", status == DONE and len(new_layers(image)) == 1, said)
    image.delete()


def main():
    tap = Tap()
    for name, case in list(globals().items()):
        if name.startswith("case_"):
            tap.run(case)
    tap.end()


main()
