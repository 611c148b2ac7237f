#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_extras.py ENGINE: options of what a job brings beside prompt and picture: how they are read, and what is said when they are
wrong."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap
from files import Png, write_png

DATA = Path(os.environ["PMT_TEST_DATA"])
LORAS = DATA / "loras"
TINY, EDITS = str(DATA / "runs" / "tiny"), str(DATA / "edits" / "model")


class Cli:
    def __init__(self, program, folder):
        self.program, self.folder = program, Path(folder)

    def run(self, *words):
        return subprocess.run([self.program, *map(str, words)], capture_output=True, timeout=300, cwd=self.folder,
                              stdin=subprocess.DEVNULL, env=dict(os.environ, OMP_WAIT_POLICY="passive"))

    def refused(self, says, *words):
        done = self.run("generate", "--model", TINY, "--steps", 2, "--prompt", "a", "--out", "out.png", *words)
        text = done.stderr.decode()
        assert done.returncode == 1 and text.count("\n") == 1 and text.endswith(".\n") and says in text, (words, says, text)


def test_options_that_are_wrong(cli):
    cli.refused("--control takes TYPE=FILE,model=PATH,…, not 'canny'.", "--control", "canny")
    cli.refused("--control takes TYPE=FILE,model=PATH,…, not 'in.png,model=c'.", "--control", "in.png,model=c")
    cli.refused('In --control, "type" has to be one of canny, ', "--control", "cany=in.png")
    cli.refused('In --control there is no parameter "strenght"; it takes type, image, model, strength, ', "--control", "canny=in.png,strenght=1")
    cli.refused('In --control, "strength" has to be from 0 to 10; ', "--control", "canny=in.png,model=c,strength=20")
    cli.refused("--control takes parts of the form key=value behind the file, not 'fast'.", "--control", "canny=in.png,fast")
    cli.refused('In control 1 there is no "model"; give ', "--control", "canny=in.png")
    cli.refused('In control 2, "start" is 0.5 and has to be below "end", which is 0.25; ', "--control", "canny=in.png,model=c",
                "--control", "canny=in.png,model=c,start=0.5,end=0.25")
    cli.refused('In reference 1 there is no "model"; give ', "--reference", "in.png")
    cli.refused('In --reference there is no parameter "guess"', "--reference", "in.png,guess=true")
    cli.refused("--box takes X0,Y0,X1,Y1:PHRASE with parts of the picture from 0 to 1, not '0,0,1,1'.", "--box", "0,0,1,1")
    cli.refused("--box takes X0,Y0,X1,Y1:PHRASE", "--box", "0,0,one,1:a cat")
    cli.refused("Box 2 of the layout reaches to 1.25, outside the picture; ", "--box", "0,0,1,1:a cat", "--box", "0,0,1.25,1:a dog")
    cli.refused("--region takes X0,Y0,X1,Y1:PROMPT", "--region", "0,0,1:a cat")
    cli.refused("--region takes X0,Y0,X1,Y1:PROMPT", "--region", "0,0,1,x:a cat")
    cli.refused("The box of region 2 is [0, 0, 1.25, 1]; ", "--region", "0,0,1,1:a cat", "--region", "0,0,1.25,1:a dog")
    cli.refused('Region 1 needs a "prompt"', "--region", "0,0,1,1: ")
    cli.refused('"region-prompts.weight" has to be a number from 0.01 to 100', "--region", "0,0,1,1,0:a")
    cli.refused("--region-mask takes FILE:PROMPT", "--region-mask", "mask.png")
    cli.refused("nowhere.png", "--region-mask", "nowhere.png:a cat")
    cli.refused("The layout has 31 boxes, and its networks know at most 30; leave 1 out.", *["--box", "0,0,1,1:a"] * 31)
    cli.refused("--layout-model and --layout-beta go with boxes; ", "--layout-model", "g.safetensors")
    cli.refused("--layout-beta takes a number from 0 to 1, not 'all'.", "--box", "0,0,1,1:a", "--layout-beta", "all")
    cli.refused('In the layout, "beta" has to be from 0 to 1; ', "--box", "0,0,1,1:a", "--layout-beta", "2")
    cli.refused('In lora 1, "strength" has to be from -10 to 10; ', "--lora", "a.safetensors:11")
    cli.refused("--clip-skip takes a whole number from 0 to 12, not '-1'.", "--clip-skip", "-1")
    cli.refused("--clip-skip takes a whole number from 0 to 12, not '2x'.", "--clip-skip", "2x")


def test_preprocessors_may_have_parameters(cli):
    """Their commas are theirs: what is refused is the value, not its place in the option."""
    cli.refused('In preprocessor canny, "high" has to be ', "--control", "canny=in.png,model=c,preprocess=canny:low=10,high=far,strength=0.5")
    cli.refused('There is no preprocessor "magic"; ', "--control", "canny=in.png,model=c,preprocess=magic")


def test_pictures_that_are_not_there(cli):
    cli.refused(str(cli.folder / "gone.png"), "--control", "canny=gone.png,model=c")
    cli.refused(str(cli.folder / "gone.png"), "--reference", "gone.png,model=c")
    # a job file names pictures beside itself
    (cli.folder / "jobs").mkdir()
    job = {"pentimento": 1, "task": "generate", "model": TINY, "steps": 2, "controls": [{"type": "canny", "model": "c", "image": "gone.png"}]}
    (cli.folder / "jobs" / "job.json").write_text(json.dumps(job))
    done = cli.run("run", "jobs/job.json")
    assert done.returncode == 1 and str(cli.folder / "jobs" / "gone.png") in done.stderr.decode(), done.stderr


def test_edit(cli):
    """The command line of an edit, and its recipe run again."""
    out, again = cli.folder / "edit.png", cli.folder / "again.png"
    done = cli.run("edit", "--model", EDITS, "--image", "in.png", "--instruction", "make it blue", "--steps", 2, "--seed", 3, "--out", out)
    assert done.returncode == 0, done.stderr.decode()
    png = Png(str(out))
    recipe = json.loads(png.text["pentimento-recipe"])
    assert recipe["task"] == "edit" and recipe["prompt"] == "make it blue" and recipe["text-guidance"] == 7.5, recipe
    (cli.folder / "edit.json").write_text(json.dumps(dict(recipe, image="in.png")))
    done = cli.run("run", "edit.json", "--out", again)
    assert done.returncode == 0, done.stderr.decode()
    other = Png(str(again))
    assert (png.width, png.height) == (64, 48) == (other.width, other.height)
    assert all(png[x, y] == other[x, y] for y in range(48) for x in range(64))
    done = cli.run("edit", "--model", EDITS, "--instruction", "make it blue", "--out", out)
    assert done.stderr == b"No picture to edit was named; add --image FILE.\n", done.stderr
    done = cli.run("edit", "--model", TINY, "--image", "in.png", "--instruction", "make it blue", "--out", out)
    assert b"follows no instructions; choose one that was made for them" in done.stderr, done.stderr
    shown = cli.run("edit", "--help").stdout.decode()
    assert "--instruction=" in shown and "--prompt=" not in shown and "--image-guidance=" in shown, shown


def test_word_maps_come_as_pictures(cli):
    """beside the picture, one for each word; a value may have commas in it"""
    words = ("generate", "--model", TINY, "--steps", 2, "--prompt", "a red circle, left of a house", "--seed", 3, "--size", "64x48", "--out")
    plain = cli.run(*words, "plain.png")
    done = cli.run(*words, "seen.png", "--method", "word-maps:words=red circle; house,to=0.5")
    assert plain.returncode == 0 and done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0].endswith("seen.png seed 3") and len(lines) == 3, lines
    for name, line in (("red circle", lines[1]), ("house", lines[2])):
        path = cli.folder / f"seen-map-{name.replace(' ', '-')}.png"
        png = Png(path)
        assert (png.width, png.height) == (64, 48) and f'{path.name} map of "{name}", highest 0.' in line, line
    asked = cli.run(*words, "word.png", "--method", "prompt-to-prompt:target=a blue circle, left of a house,cross=0.5")
    assert asked.returncode == 0 and "word.png seed 3" in asked.stdout.decode(), asked.stderr
    recipe = json.loads(Png(cli.folder / "word.png").text["pentimento-recipe"])
    values = next(m for m in recipe["methods"] if m["id"] == "prompt-to-prompt")
    assert values["target"] == "a blue circle, left of a house" and values["cross"] == 0.5, values
    cli.refused('In method word-maps there is no parameter "colour"', "--method", "word-maps:words=a,colour=red")


def test_depth_without_a_depth_model(cli):
    cli.refused("takes no depth map: its unet has 4 channels; ", "--control", "depth=in.png")


def test_tables(cli):
    done = cli.run("methods", "--json")
    extras = json.loads(done.stdout)["extras"]
    assert set(extras) == {"controls", "references", "layout", "loras", "embeddings"}, set(extras)
    controls = {p["id"]: p for p in extras["controls"]}
    assert controls["strength"]["max"] == 10 and "canny" in [c["id"] for c in controls["type"]["choices"]], controls
    assert b"controls\n  type " in cli.run("methods").stdout


def test_another_vae(cli):
    """--vae decodes otherwise; the latents, and all else, stay. The recipe has it, and gives the same picture again."""
    vae, words = str(DATA / "runs" / "tiny-v" / "vae"), ("generate", "--model", TINY, "--prompt", "a", "--steps", 2, "--seed", 3)
    for name, more in (("own", ()), ("other", ("--vae", vae)), ("unet", ("--unet", str(LORAS / "model" / "unet")))):
        done = cli.run(*words, "--dump-latents", name + ".safetensors", "--out", name + ".png", *more)
        assert done.returncode == 0 and done.stderr == b"", done
    own, other, unet = (Png(str(cli.folder / (name + ".png"))) for name in ("own", "other", "unet"))
    latents = {name: (cli.folder / (name + ".safetensors")).read_bytes() for name in ("own", "other", "unet")}
    assert own.rows != other.rows and latents["own"] == latents["other"] != latents["unet"]
    recipes = [json.loads(png.text["pentimento-recipe"]) for png in (own, other, unet)]
    assert "vae" not in recipes[0] and recipes[1]["vae"] == vae and "unet" in recipes[2], recipes
    assert len({recipe["model-hash"] for recipe in recipes}) == 3, recipes
    (cli.folder / "other.json").write_text(json.dumps(recipes[1]))
    done = cli.run("run", "other.json", "--out", "again.png")
    assert done.returncode == 0 and done.stderr == b"", done
    assert Png(str(cli.folder / "again.png")).rows == other.rows


def test_preprocess(cli):
    """Lines where the picture has an edge, at its size or the one that was asked for; a hole where an inpainting network is to see none."""
    write_png(str(cli.folder / "edge.png"), 32, 24, lambda x, y: (255,) * 3 if x >= 16 else (0,) * 3)
    write_png(str(cli.folder / "half.png"), 32, 24, lambda x, y: (255 * (y < 12),), 1)
    for words, size in (((), (32, 24)), (("--size", "64x48"), (64, 48))):
        done = cli.run("preprocess", "canny:low=50,high=150", "--image", "edge.png", "--out", "canny.png", *words)
        assert done.returncode == 0 and done.stdout == b"canny.png\n" and done.stderr == b"", done
        png = Png(str(cli.folder / "canny.png"))
        white = {x for y in range(png.height) for x in range(png.width) if png[x, y] == (255, 255, 255)}
        assert (png.width, png.height, png.channels) == (*size, 3) and white and all(abs(x - size[0] // 2) <= 1 for x in white), white
    done = cli.run("preprocess", "inpaint", "--image", "edge.png", "--mask", "half.png", "--out", "hole.png")
    hole = Png(str(cli.folder / "hole.png"))
    assert done.returncode == 0 and hole.channels == 4 and hole[20, 3][3] == 0 and hole[20, 20] == (255, 255, 255, 255), done


def test_preprocess_refused(cli):
    for says, words in (
        ("There is no preprocessor \"magic\"; ", ("magic", "--image", "in.png", "--out", "o.png")),
        ("In preprocessor canny, \"low\" has to be from 0 to ", ("canny:low=9999", "--image", "in.png", "--out", "o.png")),
        ("In preprocessor canny there is no parameter \"blur\"; it takes low, high", ("canny:blur=2", "--image", "in.png", "--out", "o.png")),
        ("preprocess needs --image and --out; ", ("canny", "--out", "o.png")),
        ("preprocess needs --image and --out; ", ("canny", "--image", "in.png")),
        ("The command needs ID; ", ("--image", "in.png", "--out", "o.png")),
        ("gone.png", ("canny", "--image", "gone.png", "--out", "o.png")),
        ("needs a mask beside the picture; give one.", ("inpaint", "--image", "in.png", "--out", "o.png")),
        ("The mask is 8×8 pixels and the picture is 64×48; make them the same size.",
         ("inpaint", "--image", "in.png", "--mask", "small.png", "--out", "o.png")),
        ("The size '64' is not of the form WIDTHxHEIGHT", ("canny", "--image", "in.png", "--size", "64", "--out", "o.png")),
    ):
        done = cli.run("preprocess", *words)
        text = done.stderr.decode()
        assert done.returncode == 1 and says in text and text.count("\n") == 1 and text.endswith(".\n"), (words, says, text)
    assert not (cli.folder / "o.png").exists()


def test_preprocessors(cli):
    told = json.loads(cli.run("preprocessors", "--json").stdout)
    ids = [p["id"] for p in told]
    assert len(ids) == len(set(ids)) >= 12 and {"canny", "scribble", "lineart", "softedge", "lines", "depth", "normal", "tile"} <= set(ids), ids
    assert all(p["label"] and p["summary"].endswith(".") and isinstance(p["controls"], list) for p in told), told
    assert [p["id"] for p in told if p["needs_mask"]] == ["inpaint"], told
    text = cli.run("preprocessors").stdout.decode()
    assert all(f"\n{name} " in "\n" + text for name in ids), text
    # each of them makes a picture with what it says is its default
    for p in told:
        words = ("--mask", "white.png") if p["needs_mask"] else ()
        done = cli.run("preprocess", p["id"], "--image", "in.png", "--out", "made.png", *words)
        made = Png(str(cli.folder / "made.png"))
        assert done.returncode == 0 and (made.width, made.height) == (64, 48), (p["id"], done.stderr)


def test_tokens_of_two_encoders(cli):
    """They are shown apart where they count apart."""
    shutil.copytree(DATA / "families" / "sdxl", cli.folder / "sdxl")
    words = ("tokens", "--model", "sdxl", "--prompt", "a red circle " * 9, "--long-prompts", "truncate")
    same = cli.run(*words).stdout.decode()
    assert "27 of 18 tokens, the rest is cut\n" in same and "text encoder 2" not in same, same
    config = cli.folder / "sdxl" / "tokenizer_2" / "tokenizer_config.json"
    config.chmod(0o600)
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_max_length": 12}))
    other = cli.run(*words).stdout.decode()
    assert other.endswith("the rest is cut\ntext encoder 2: 27 of 10 tokens in 1 chunk, 17 cut\n"), other


def main():
    with tempfile.TemporaryDirectory(prefix="pmt-extras-") as folder:
        cli = Cli(os.path.abspath(sys.argv[1]), os.path.realpath(folder))
        write_png(str(cli.folder / "in.png"), 64, 48, lambda x, y: (x * 4, y * 5, 100))
        write_png(str(cli.folder / "small.png"), 8, 8, lambda x, y: (255,), 1)
        write_png(str(cli.folder / "white.png"), 64, 48, lambda x, y: (255,), 1)
        tap.run(globals(), "extras", cli=cli)


if __name__ == "__main__":
    main()
