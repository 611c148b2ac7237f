# SPDX-License-Identifier: GPL-3.0-or-later
"""What Learn a Concept sends, writes and refuses. Runs inside GIMP with the fake engine; with PMT_LEARN_REAL=yes with the real one and the
bundled model, which then uses what it has learned."""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf, GLib  # noqa: E402

REAL = os.environ.get("PMT_LEARN_REAL") == "yes"
TMP = Path(os.environ["PMT_GIMP_TMP"])
FAKE = Path(os.environ.get("PMT_FAKE_FOLDER", TMP))
OWN = Path(os.environ["XDG_DATA_HOME"]) / "pentimento" / "models"
NAME = "plug-in-pentimento-learn"


def learn(image, drawables, **arguments):
    """(status, sentence or path, loss before, loss after)"""
    procedure = Gimp.get_pdb().lookup_procedure(NAME)
    config = procedure.create_config()
    config.set_property("image", image)
    config.set_core_object_array("drawables", drawables)
    for name, value in arguments.items():
        config.set_property(name.replace("_", "-"), value)
    result = procedure.run(config)
    return [result.index(i) for i in range(result.length())]


def messages(kind):
    return [message for message in map(json.loads, (FAKE / "log").read_text().splitlines()) if message["type"] == kind]


def job():
    return messages("job")[-1]["job"]


def mode(name):
    (FAKE / "mode").write_text(name)


def blob(message):
    return np.frombuffer((FAKE / f"{message['name']}.f32").read_bytes(), np.float32).reshape(message["height"], message["width"], 4)


def photo(name, width, height, alpha=False, seed=1):
    """A file of noise; its pixels as they have to be sent."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4 if alpha else 3), dtype=np.uint8)
    data = GdkPixbuf.Pixbuf.new_from_bytes(GLib.Bytes.new(pixels.tobytes()), GdkPixbuf.Colorspace.RGB, alpha, 8, width, height, width * pixels.shape[2])
    path = TMP / name
    data.savev(str(path), "png", [], [])
    whole = np.ones((height, width, 4), np.float32)
    whole[:, :, :pixels.shape[2]] = pixels / np.float32(255)
    return path, whole


def case_layers(tap):
    image = new_image("u8", 97, 71)
    first, second = new_layer(image, "first", 60, 40, x=-5, y=9, seed=2), new_layer(image, "second", 97, 71, alpha=False, seed=3)
    before = state(image)
    status, path, loss_before, loss_after = learn(image, [first, second], word="my-cat", thing="cat", model="/no/such", steps=7)
    sent = messages("blob")[-2:]
    tap.check("layers are learned from, and the file is where words are looked for", status == DONE and Path(path) == OWN / "embeddings" / "my-cat.safetensors"
              and Path(path).read_bytes() == b"learned", path)
    tap.check("both losses are told", abs(loss_before - 0.2) < 1e-9 and abs(loss_after - 0.1) < 1e-9, (loss_before, loss_after))
    tap.check("no image changes", state(image) == before and image.get_layers() == [second, first])
    tap.check("each layer is a picture as a whole, wherever it lies", [(m["name"], m["width"], m["height"], m["channels"]) for m in sent] ==
              [("picture-0", 60, 40, 4), ("picture-1", 97, 71, 4)], sent)
    tap.check("with its pixels, transparent ones too", np.abs(blob(sent[0]) - read(first, None, SEEN)).max() < 1e-5 and
              np.abs(blob(sent[1]) - read(second, None, SEEN)).max() < 1e-5)
    tap.check("the recipe says what was said, and leaves the rest to the engine", job() == {
        "pentimento": 1, "task": "learn", "kind": "word", "base": {"pentimento": 1, "task": "generate", "model": "/no/such"}, "out": path,
        "pictures": [{"image": "picture-0"}, {"image": "picture-1"}], "word": "my-cat", "thing": "cat", "steps": 7}, job())
    image.delete()


def case_files(tap):
    image = new_image("u8")
    layer = new_layer(image, "a layer", 97, 71)
    (one, pixels_one), (two, pixels_two) = photo("one.png", 50, 30), photo("two.png", 31, 64, alpha=True, seed=5)
    out = TMP / "elsewhere" / "felt"
    status, path, *_ = learn(image, [layer], kind="lora", word="sks", files=[str(one), str(two)], captions=["", "a {} on grass"], out=str(out), style=True,
                             rank=4, alpha=2.5, texts=True, flip=True, rate=0.002, seed=9, width=64, prior=3, prior_prompt="a toy", precision="f32")
    tap.check("a file of another name and folder", status == DONE and path == f"{out}.safetensors" and Path(path).exists(), path)
    sent = messages("blob")[-3:]
    tap.check("files come after layers", [(m["name"], m["width"], m["height"]) for m in sent] ==
              [("picture-0", 88, 64), ("picture-1", 50, 30), ("picture-2", 31, 64)], sent)
    tap.check("with their pixels", np.abs(blob(sent[1]) - pixels_one).max() < 1e-6 and np.abs(blob(sent[2]) - pixels_two).max() < 1e-6)
    told = job()
    tap.check("captions belong to pictures in this order", told["pictures"] ==
              [{"image": "picture-0"}, {"image": "picture-1", "caption": "a {} on grass"}, {"image": "picture-2"}], told["pictures"])
    expected = {"kind": "lora", "word": "sks", "style": True, "rank": 4, "alpha": 2.5, "texts": True, "flip": True, "rate": 0.002, "seed": 9, "prior": 3,
                "base": {"pentimento": 1, "task": "generate", "prompt": "a toy", "precision": "f32", "size": [64, 64]}}
    tap.check("every setting reaches the engine", {key: told.get(key) for key in expected} == expected, told)
    status, path, *_ = learn(image, [layer], kind="lora", word="sks", thing="toy", files=[str(one)], layers=False)
    tap.check("files alone, where layers are not meant; a LoRA goes to the LoRAs", status == DONE and len(job()["pictures"]) == 1 and
              Path(path) == OWN / "loras" / "sks.safetensors", path)
    status, path, *_ = learn(image, [layer], kind="lora", thing="old toy")
    tap.check("without a word the thing names it", status == DONE and Path(path).name == "old toy.safetensors", path)
    image.delete()


def case_large(tap):
    """No more pixels are sent than any model learns from."""
    image = new_image("u8", 2100, 1400)
    layer = new_layer(image, "large", 2100, 1400)
    path, _ = photo("large.png", 1400, 2100)
    status, said, *_ = learn(image, [layer], word="large", files=[str(path)])
    sent = messages("blob")[-2:]
    tap.check("large pictures are sent smaller, in their shape", status == DONE and [(m["width"], m["height"]) for m in sent] == [(1536, 1024), (1024, 1536)],
              (said, sent))
    image.delete()


def case_refused(tap):
    image = new_image("u8")
    layer = new_layer(image, "a layer", 97, 71)
    jobs = len(messages("job"))

    def refused(name, words, drawable=layer, **arguments):
        status, said, *_ = learn(image, [drawable], **{"word": "refused", **arguments})
        tap.check(f"{name}: a sentence", status != DONE and words in said and said.endswith(".") and "\n" not in said, said)

    refused("no picture", "no pictures to learn from", layers=False)
    refused("no name", "has no name", word="")
    refused("too many pictures", "33 pictures are more than the 32", files=["/no/such"] * 32)
    channel = Gimp.Channel.new(image, "saved", 97, 71, 50, Gimp.color_parse_css("red"))
    image.insert_channel(channel, None, 0)
    refused("a channel", "A channel is selected", drawable=channel)
    (TMP / "text.png").write_text("no picture")
    refused("a file that is no picture", "text.png cannot be read", files=[str(TMP / "text.png")])
    refused("a missing file", "/no/such/cat.png cannot be read", files=["/no/such/cat.png"])
    (TMP / "in-the-way").write_text("a file")
    refused("a folder that cannot be", "in-the-way", out=str(TMP / "in-the-way" / "cat"))
    taken = TMP / "taken.safetensors"
    taken.write_bytes(b"the user's")
    refused("a file that is there", "is there already", out=str(taken))
    tap.check("which stays", taken.read_bytes() == b"the user's")
    tap.check("nothing of that reached the engine as a job", len(messages("job")) == jobs)
    status, path, *_ = learn(image, [layer], word="refused", out=str(taken), overwrite=True)
    tap.check("and is replaced when that is said", status == DONE and taken.read_bytes() == b"learned", path)
    image.delete()


def case_faults(tap):
    image = new_image("u8")
    layer = new_layer(image, "a layer", 97, 71)
    before = state(image)
    for how, words in (("error", "does not say where the word stands"), ("early-done", "has learned nothing"), ("version", "speaks protocol 99")):
        mode(how)
        status, said, *_ = learn(image, [layer], word=f"fault-{how}")
        tap.check(f"{how}: a sentence, and no file", status != DONE and words in said and not (OWN / "embeddings" / f"fault-{how}.safetensors").exists(), said)
    mode("paint")
    status, said, *_ = learn(image, [layer], word="after-faults")
    tap.check("after all that it learns, and the image is as it was", status == DONE and state(image) == before, said)
    image.delete()


def case_table(tap):
    """The arguments are those of the engine's table."""
    table = json.loads((Path(os.environ["PMT_PLUGIN_STAGE"]) / "pentimento" / "data" / "methods.json").read_text())["learn"]
    procedure = Gimp.get_pdb().lookup_procedure(NAME)
    kinds = Gimp.param_spec_choice_get_choice(procedure.find_argument("kind")).list_nicks()
    tap.check("kinds", list(kinds) == [kind["id"] for kind in table["kinds"]], list(kinds))
    wrong = []
    for param in table["params"]:
        spec = procedure.find_argument(param["id"])
        default = spec.get_default_value() if spec else None
        if not spec or (default or "") != (param["default"] or "") or spec.get_nick() != param["label"]:
            wrong.append((param["id"], default))
    tap.check("parameters, their labels and defaults", len(table["params"]) > 10 and not wrong, wrong)


def case_real(tap):
    """Two steps with the bundled model: the file is found under its word, and changes what is painted."""
    image = new_image("u8", 128, 128)
    layers = [new_layer(image, f"picture {i}", 128, 128, seed=i) for i in range(3)]
    for kind, words in (("word", "my-thing"), ("lora", "<lora:my-lora:1> a red circle")):
        name = "my-thing" if kind == "word" else "my-lora"
        status, path, loss_before, loss_after = learn(image, layers, kind=kind, word=name, thing="circle", steps=2, rate=0.02, text_rate=0.05, width=64,
                                                      seed=3)
        if not tap.check(f"a {kind} is learned in two steps", status == DONE and Path(path).stem == name and loss_before > 0 and loss_after > 0, path):
            return
        tap.check("of which nothing half done is left", not Path(f"{path}.learning").exists())
        status, said = generate(image, [layers[0]], prompt=words, seed=5, steps=2)
        with_it = read(new_layers(image)[0]) if status == DONE else None
        recipe = json.loads(bytes(new_layers(image)[0].get_parasite("pentimento-recipe").get_data()).rstrip(b"\0")) if status == DONE else {}
        tap.check(f"prompts find the {kind} at once", status == DONE and (kind == "lora" or path in json.dumps(recipe)), (said, recipe))
        image.remove_layer(new_layers(image)[0])
        Path(path).rename(TMP / Path(path).name)
        status, said = generate(image, [layers[0]], prompt=words.split("> ")[-1], seed=5, steps=2)
        tap.check("and paint otherwise with it", status == DONE and (read(new_layers(image)[0]) != with_it).any(), said)
        image.remove_layer(new_layers(image)[0])
    image.delete()


def case_real_refused(tap):
    image = new_image("u8", 128, 128)
    layer = new_layer(image, "picture", 128, 128)
    status, said, *_ = learn(image, [layer], word="two words", out=str(TMP / "two"))
    tap.check("the engine's own sentences arrive", status != DONE and "cannot be a word to learn" in said, said)
    status, said, *_ = learn(image, [layer], word="my-cat", captions=["a cat"], width=64)
    tap.check("also those of captions", status != DONE and "lacks the word" in said, said)
    image.delete()


def case_real_folders(tap):
    """What is learned goes where the engine would put such a model."""
    engine = Path(os.environ["PMT_PLUGIN_STAGE"]) / "pentimento" / "pentimento-engine"
    lines = subprocess.run([engine, "models", "--json"], capture_output=True, text=True, check=True).stdout.splitlines()
    own = [line["folder"]["path"] for line in map(json.loads, lines) if line.get("folder", {}).get("origin") == "own"]
    tap.check("below the engine's own folder of models", own == [str(OWN)], own)


def main():
    tap = Tap()
    for name, case in list(globals().items()):
        if name.startswith("case_") and name.startswith("case_real") == REAL and (not os.environ.get("CASE") or os.environ["CASE"] in name):
            tap.run(case)
    tap.end()


main()
