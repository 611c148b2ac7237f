#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_extras.py ENGINE: options of what a job brings beside prompt and picture: how they are read, and what is said when they are
wrong."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap
from files import Png, write_png

DATA = Path(os.environ["PMT_TEST_DATA"])
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
    assert b"choose an InstructPix2Pix model" in done.stderr, done.stderr
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


def main():
    with tempfile.TemporaryDirectory(prefix="pmt-extras-") as folder:
        cli = Cli(os.path.abspath(sys.argv[1]), os.path.realpath(folder))
        write_png(str(cli.folder / "in.png"), 64, 48, lambda x, y: (x * 4, y * 5, 100))
        tap.run(globals(), "extras", cli=cli)


if __name__ == "__main__":
    main()
