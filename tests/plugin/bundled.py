# SPDX-License-Identifier: GPL-3.0-or-later
"""The real engine with the bundled model behind the plug-in: where the mask may be, a missing model, a killed engine. Runs inside
GIMP."""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402


def engines():
    """Process ids of this run's engines."""
    socket = os.environ["XDG_RUNTIME_DIR"].encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if len(words) > 3 and words[1] == b"serve" and words[3].startswith(socket):
            found.append(int(entry.name))
    return found


def recipe_of(layer):
    return json.loads(bytes(layer.get_parasite("pentimento-recipe").get_data()).rstrip(b"\0"))


def picture(width=200, height=160):
    image = new_image("u8", width, height)
    return image, new_layer(image, "user's", width, height, alpha=False)


def case_automatic(tap):
    """Grow and feather chosen by the engine are stated in the recipe, and hold."""
    image, user = picture()
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 70, 50, 60, 50)
    selected, flat = selection(image), flattened(image)
    status, said = fill(image, [user], prompt="a red circle", seed=3, steps=2)
    if not tap.check("a fill with the bundled model and automatic numbers", status == DONE, said):
        return
    recipe, mask = recipe_of(new_layers(image)[0]), mask_on_canvas(new_layers(image)[0])
    reach = recipe["region"]["grow"] + recipe["region"]["feather"]
    tap.check("the recipe states what automatic meant", reach > 0 and recipe["region"]["grow"] >= 0, recipe["region"])
    tap.check("the mask stays within them", not mask[~dilated(selected > 0, reach)].any() and mask[selected == 1].min() > 0.998,
              (reach, mask[selected == 1].min()))
    now = flattened(image)
    tap.check("nothing else changed", (now[mask == 0] == flat[mask == 0]).all() and (now != flat).any())
    again = new_layers(image)[0]
    pixels = read(again)
    image.remove_layer(again)
    status, said = fill(image, [user], prompt="a red circle", seed=3, steps=2)
    same = status == DONE and (read(new_layers(image)[0]) == pixels)
    tap.check("the same seed gives the same bytes", np.all(same), (said, recipe, recipe_of(new_layers(image)[0]), np.argwhere(~same)[:20]))
    image.delete()


def case_full_size(tap):
    """A crop larger than the model's own size, painted a second time at its size: finer, in the same place, and again to the byte."""
    image, user = picture(420, 330)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 60, 50, 300, 230)
    flat = flattened(image)
    status, said = fill(image, [user], prompt="a red circle", seed=3, steps=4, context="whole", full_size=True)
    if not tap.check("a fill at full size with the bundled model", status == DONE, said):
        return
    layer = new_layers(image)[0]
    recipe, mask, fine, now = recipe_of(layer), mask_on_canvas(layer), read(layer), flattened(image)
    tap.check("its recipe says so", (recipe["full-size"], recipe["full-size-strength"]) == (True, 0.4) and recipe["size"][0] < 420, recipe)
    tap.check("at full size nothing outside the mask changed", (now[mask == 0] == flat[mask == 0]).all() and (now != flat).any())
    image.remove_layer(layer)
    status, said = fill(image, [user], prompt="a red circle", seed=3, steps=4, context="whole", full_size=True)
    tap.check("the same seed gives the same bytes at full size", status == DONE and (read(new_layers(image)[0]) == fine).all(), said)
    image.remove_layer(new_layers(image)[0])
    status, said = fill(image, [user], prompt="a red circle", seed=3, steps=4, context="whole")
    plain = read(new_layers(image)[0])
    tap.check("and others than without", status == DONE and plain.shape == fine.shape and (plain != fine).any(), said)
    image.delete()


def case_soft(tap):
    image, user = picture()
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 60, 40, 80, 70)
    Gimp.Selection.feather(image, 20)
    selected, flat = selection(image), flattened(image)
    status, said = fill(image, [user], prompt="a blue star", seed=4, steps=2, grow=2.0, feather=8.0)
    mask = mask_on_canvas(new_layers(image)[0]) if status == DONE else None
    tap.check("a feathered selection: the mask within selection, grow and feather, nothing else changed",
              status == DONE and not mask[~dilated(selected > 0, 10)].any() and (flattened(image)[mask == 0] == flat[mask == 0]).all(), said)
    image.delete()


def case_everything(tap):
    image, user = picture(96, 64)
    status, said = fill(image, [user], prompt="a green tree", seed=5, steps=2)
    layer = new_layers(image)[0] if status == DONE else None
    tap.check("nothing selected fills everything", status == DONE and (mask_on_canvas(layer) > 0.998).all(), said)
    image.delete()


def case_generate(tap):
    """A picture of the model's own, and again from what is there; the recipe makes the same bytes."""
    image, user = picture(160, 96)
    before = state(image)
    status, said = generate(image, [user], prompt="a red circle", seed=3, steps=2)
    made = new_layers(image)[0] if status == DONE else None
    tap.check("generate with the bundled model covers the canvas", status == DONE and (made.get_width(), made.get_height()) == (160, 96) and
              made.get_name() == "Generate: a red circle (3)" and state(image) == before and np.std(read(made)) > 2, said)
    pixels = read(made)
    status, said = rerun(image, made)
    tap.check("and its recipe makes the same bytes", status == DONE and (read(new_layers(image)[0]) == pixels).all(), said)
    for layer in new_layers(image):
        image.remove_layer(layer)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 30, 20, 90, 60)
    flat = flattened(image)
    status, said = generate(image, [user], prompt="a blue star", seed=4, steps=3, source="visible", strength=0.6, variants=2)
    made = new_layers(image)
    mask = mask_on_canvas(made[0]) if status == DONE else None
    tap.check("img2img in a selection, two variants", status == DONE and len(made) == 2 and (flattened(image)[mask == 0] == flat[mask == 0]).all()
              and (flattened(image) != flat).any(), said)
    first = read(made[0])
    status, said = rerun(image, made[0])
    tap.check("which runs again to the same bytes, seen without itself", status == DONE and (read(new_layers(image)[0]) == first).all(), said)
    image.delete()


def case_types(tap):
    """The procedure offers the engine's types of control, and one of its own."""
    engine = Path(os.environ["PMT_PLUGIN_STAGE"]) / "pentimento" / "pentimento-engine"
    tables = json.loads(subprocess.run([engine, "methods", "--json"], capture_output=True, text=True, check=True).stdout)
    table = [row for row in tables["extras"]["controls"] if row["id"] == "type"][0]
    known = [choice["id"] for choice in table["choices"]]
    spec = Gimp.get_pdb().lookup_procedure("plug-in-pentimento-generate").find_argument("control-type")
    offered = Gimp.param_spec_choice_get_choice(spec).list_nicks()
    tap.check("control types are the engine's and “reference”", len(known) > 10 and sorted(offered) == sorted(known + ["reference"]), (known, offered))


def case_refused(tap):
    image, user = picture()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 70, 50, 60, 50)
    before = state(image)
    for name in ("/nowhere/model.safetensors", "/nowhere/folder"):
        status, said = fill(image, [user], prompt="x", model=name)
        tap.check(f"{name} is missing and named", status != DONE and name in said and "\n" not in said and state(image) == before, said)
    status, said = fill(image, [user], prompt="x", sampler="nonsense")
    tap.check("an unknown sampler is named", status != DONE and "nonsense" in said, said)
    status, said = fill(image, [user], prompt="x", methods="nonsense:a=1")
    tap.check("an unknown method is named", status != DONE and "nonsense" in said, said)
    image.delete()


def case_killed(tap):
    image, user = picture()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 70, 50, 60, 50)
    before, flat = state(image), flattened(image)
    fill(image, [user], prompt="warm", steps=1)
    image.remove_layer(new_layers(image)[0])
    victims = engines()
    tap.check("one engine serves all jobs and outlives them", len(victims) == 1, victims)
    subprocess.Popen(["sh", "-c", f"sleep 2; kill -9 {victims[0]}"])
    status, said = fill(image, [user], prompt="x", steps=900)
    tap.check("killed in mid-job: a sentence, and the picture as it was",
              status != DONE and "stopped before it was done" in said and state(image) == before and (flattened(image) == flat).all(), said)
    status, said = fill(image, [user], prompt="x", steps=1)
    tap.check("the next job starts a new engine", status == DONE and engines() and engines() != victims, said)
    image.delete()


def main():
    tap = Tap()
    for case in (case_automatic, case_full_size, case_soft, case_everything, case_generate, case_types, case_refused, case_killed):
        tap.run(case)
    tap.end()


main()
