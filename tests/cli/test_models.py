#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_models.py ENGINE: the library of models. Folders (our own, added ones, other programs'), what is in them, names in place of paths,
the cache, and import."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import lists
import tap

ROWS = lists.read()
PICKLE = b"\x80\x02}q\x01(X\x05\x00\x00\x00stateq\x02K\x01u."
SKETCH = Path(os.environ["PMT_SOURCE_ROOT"]) / "data/models/sketch"


class Home:
    """A user's home folder of its own."""

    def __init__(self, program):
        self.program, self.path = program, Path(os.path.realpath(tempfile.mkdtemp(prefix="pmt-library-")))
        self.own = self.path / ".local/share/pentimento/models"
        self.config = self.path / ".config/pentimento/models.json"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def run(self, *words, fails=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_") and name != "INVOKEAI_ROOT"}
        environment.update(HOME=str(self.path), OMP_WAIT_POLICY="passive")
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, timeout=60, env=environment, cwd=self.path)
        text = done.stderr.decode()
        if fails is None:
            assert done.returncode == 0, (words, text)
            return done.stdout.decode()
        print(f"# {text.strip()}")
        assert done.returncode == 1 and fails in text and text.count("\n") == 1, (words, done.returncode, text)
        return text

    def list(self, *words):
        lines = [json.loads(line) for line in self.run("models", "--json", *words).splitlines()]
        return ([line["folder"] for line in lines if "folder" in line], [line["model"] for line in lines if "model" in line],
                next(line["done"] for line in lines if "done" in line))

    def put(self, name, kind, **options):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return lists.write(path, ROWS[kind], **options)


def test_nothing_there(program):
    with Home(program) as home:
        folders, models, done = home.list()
        assert [(f["path"], f["origin"], f["use"], f["exists"]) for f in folders] == [(str(home.own), "own", True, False)], folders
        assert models == [] and done == {"files": 0, "inspected": 0}
        assert str(home.own) in home.run("models")


def test_other_programs(program):
    """Their folders are found where their own instructions put them, each once; ComfyUI's list of further paths is read."""
    with Home(program) as home:
        for name in ("stable-diffusion-webui/models/Lora", "stable-diffusion-webui/embeddings", "stable-diffusion-webui-forge/models",
                     "stable-diffusion-webui-reForge/models", "ComfyUI/models/loras", "invokeai/models",
                     ".local/share/krita/ai_diffusion/server/ComfyUI/models", "more/checkpoints", "more/lists/loras", "more/lists/lycoris"):
            (home.path / name).mkdir(parents=True)
        (home.path / "Documents").symlink_to(home.path)  # the same folders by another name
        (home.path / "ComfyUI/extra_model_paths.yaml").write_text(
            "# more\nmine:\n    base_path: ~/more  # here\n    is_default: true\n    checkpoints: checkpoints/\n    loras: |\n        lists/loras\n"
            "        lists/lycoris\n    vae: \"not/there\"\nother:\n    loras: relative\n")
        found = [(f["origin"], os.path.relpath(f["path"], home.path)) for f in home.list()[0]]
        assert found == [
            ("own", ".local/share/pentimento/models"), ("a1111", "stable-diffusion-webui/models"), ("a1111", "stable-diffusion-webui/embeddings"),
            ("forge", "stable-diffusion-webui-forge/models"), ("reforge", "stable-diffusion-webui-reForge/models"), ("comfyui", "ComfyUI/models"),
            ("comfyui", "more/checkpoints"), ("comfyui", "more/lists/loras"), ("comfyui", "more/lists/lycoris"), ("invokeai", "invokeai/models"),
            ("krita", ".local/share/krita/ai_diffusion/server/ComfyUI/models")], found


def test_what_files_are(program):
    with Home(program) as home:
        base = "stable-diffusion-webui/models/"
        home.put(base + "Stable-diffusion/one.safetensors", "sd1-checkpoint")
        home.put(base + "Lora/fur.safetensors", "lora-kohya-sdxl")
        home.put(base + "ControlNet/cut.safetensors", "controlnet-sd1", cut=1000)
        (home.path / base / "Stable-diffusion/old.ckpt").write_bytes(PICKLE)
        (home.path / base / "Stable-diffusion/coming.safetensors.part").write_bytes(b"x")
        (home.path / base / ".hidden.safetensors").write_bytes(b"x")
        (home.path / base / "notes.txt").write_text("x")
        (home.path / base / "round").symlink_to(home.path / base)
        shutil.copytree(SKETCH, home.own / "checkpoints/sketch", ignore=shutil.ignore_patterns("train", "studio", "*.png", "*.md", "logs"))
        models = {m["name"]: m for m in home.list()[1]}
        assert set(models) == {"checkpoints/sketch", "ControlNet/cut.safetensors", "Lora/fur.safetensors", "Stable-diffusion/old.ckpt",
                               "Stable-diffusion/one.safetensors"}, set(models)
        told = {name: (m["kind"], m.get("family"), m["works"], m["is-folder"]) for name, m in models.items()}
        assert told == {"checkpoints/sketch": ("diffusers-folder", "custom", True, True), "ControlNet/cut.safetensors": ("unknown", None, False, False),
                        "Lora/fur.safetensors": ("lora", "sdxl", True, False), "Stable-diffusion/old.ckpt": ("pickle", None, False, False),
                        "Stable-diffusion/one.safetensors": ("checkpoint", "sd1", True, False)}, told
        assert "cut short" in models["ControlNet/cut.safetensors"]["problem"]
        assert models["Lora/fur.safetensors"]["bytes"] == (home.path / base / "Lora/fur.safetensors").stat().st_size
        text = home.run("models")
        assert "a LoRA" in text and "cut short" in text


def test_a_unet_alone_works(program):
    """What it lacks is what it is used with, no fault of it."""
    with Home(program) as home:
        home.put(".local/share/pentimento/models/unet/bare.safetensors", "sd1-unet-bare")
        model, = home.list()[1]
        assert model["kind"] == "unet" and model["works"], model


def test_cache(program):
    """Files are opened once, and again when they changed; a damaged cache costs time and nothing else."""
    with Home(program) as home:
        one = home.put(".local/share/pentimento/models/one.safetensors", "lora-kohya-sd1")
        home.put(".local/share/pentimento/models/two.safetensors", "vae-ldm")
        first = home.list()
        assert first[2] == {"files": 2, "inspected": 2}
        second = home.list()
        assert second[2]["inspected"] == 0 and second[1] == first[1]
        lists.write(one, ROWS["controlnet-sd1"])
        third = home.list()
        assert third[2]["inspected"] == 1 and third[1][0]["kind"] == "controlnet"
        (home.path / ".cache/pentimento/models.json").write_text("{\"files\": [")
        assert home.list()[2]["inspected"] == 2 and home.list()[2]["inspected"] == 0


def test_folders_of_the_user(program):
    with Home(program) as home:
        home.put("mine/one.safetensors", "lora-kohya-sd1")
        home.put("ComfyUI/models/loras/two.safetensors", "lora-kohya-sd1")
        folders, models, _ = home.list("--add", "mine")
        assert [f["origin"] for f in folders] == ["own", "added", "comfyui"] and [m["name"] for m in models] == ["one.safetensors", "loras/two.safetensors"]
        folders, models, _ = home.list("--ignore", home.path / "ComfyUI/models")
        assert [f["use"] for f in folders] == [True, True, False] and len(models) == 1
        folders, models, _ = home.list("--use", home.path / "ComfyUI/models", "--ignore", home.path / "mine")
        assert [f["use"] for f in folders] == [True, False, True] and len(models) == 1
        home.run("models", "--remove", home.path / "ComfyUI/models", fails="switch it off instead")
        home.run("models", "--add", home.path / "nowhere", fails="There is no folder")
        home.run("models", "--ignore", home.path, fails="is not on the list")
        assert len(home.list("--remove", home.path / "mine")[0]) == 2 and (home.path / "mine/one.safetensors").exists()
        # written by hand: "~/" and members of other versions
        home.config.write_text(json.dumps({"colour": "red", "folders": [{"path": "~/mine", "note": 1}]}))
        assert [f["origin"] for f in home.list()[0]] == ["own", "added", "comfyui"]
        home.run("models", "--ignore", home.path / "mine")
        assert json.loads(home.config.read_text()) == {"colour": "red", "folders": [{"path": "~/mine", "note": 1, "use": False}]}
        for text, part in (("{", "models.json"), ("[]", "no JSON object"), ('{"folders": 1}', "is no list"), ('{"folders": [{"use": true}]}', "of the form")):
            home.config.write_text(text)
            home.run("models", fails=part)
            home.run("models", "--add", home.path / "mine", fails="remove it to begin anew")
            assert home.config.read_text() == text  # never overwritten


def test_names(program):
    """--model NAME, with or without the ending, or below a folder; ambiguous ones are refused."""
    with Home(program) as home:
        shutil.copytree(SKETCH, home.own / "checkpoints/drawer", ignore=shutil.ignore_patterns("train", "studio", "*.png", "*.md", "logs"))
        home.put("ComfyUI/models/a/twin.safetensors", "sd1-checkpoint")
        home.put("ComfyUI/models/b/twin.safetensors", "sd1-checkpoint")
        out = home.path / "out.png"
        home.run("generate", "--model", "drawer", "--prompt", "a house", "--steps", 1, "--seed", 1, "--out", out)
        home.run("generate", "--prompt", "a house", "--steps", 1, "--seed", 1, "--out", home.path / "bundled.png")
        assert out.stat().st_size > 1000
        told = json.loads(home.run("tokens", "--model", "drawer", "--prompt", "a house", "--json"))
        assert told, told
        home.run("generate", "--model", "twin", "--prompt", "x", "--out", out, fails="fits more than one file")
        home.run("generate", "--model", "nobody", "--prompt", "x", "--out", out, fails="nor in the folders of models")
        home.run("generate", "--model", "drawer", "--vae", "nobody", "--prompt", "x", "--out", out, fails="'nobody'")


def recipe_of(picture):
    data = picture.read_bytes()
    start = data.index(b"pentimento-recipe")
    return json.JSONDecoder().raw_decode(data[data.index(b"{", start):].decode("utf-8", "replace"))[0]


def test_recipes_name_files_from_the_root(program):
    """A recipe is run elsewhere too; names of the library and random weights are no files."""
    with Home(program) as home:
        shutil.copytree(SKETCH, home.path / "drawer", ignore=shutil.ignore_patterns("train", "studio", "*.png", "*.md", "logs"))
        vae = next((SKETCH / "vae").glob("*.safetensors"))
        shutil.copy(vae, home.path / "mine.safetensors")
        home.own.mkdir(parents=True)
        shutil.copy(vae, home.own / "kept.safetensors")
        out, how = home.path / "out.png", ("--prompt", "a house", "--steps", 1, "--size", "64x64", "--seed", 1, "--out", "out.png")
        home.run("generate", "--model", "drawer", "--vae", "./mine.safetensors", *how)
        recipe = recipe_of(out)
        assert (recipe["model"], recipe["vae"]) == (str(home.path / "drawer"), str(home.path / "mine.safetensors")), recipe
        home.run("generate", "--vae", "kept", *how)
        assert recipe_of(out)["vae"] == "kept", recipe_of(out)


def test_lora_tags_find_the_library(program):
    with Home(program) as home:
        (home.path / "ComfyUI/models/loras").mkdir(parents=True)
        (home.path / "ComfyUI/models/loras/fur.safetensors").write_bytes(b"x" * 30)
        text = home.run("generate", "--prompt", "a house <lora:fur:1>", "--out", home.path / "out.png", fails="fur.safetensors")
        assert "ComfyUI/models/loras" in text


def test_import(program):
    with Home(program) as home:
        source = Path(home.put("downloads/fur.safetensors", "lora-kohya-sdxl"))
        lines = [json.loads(line) for line in home.run("import", source, "--json").splitlines()]
        target = home.own / "loras/fur.safetensors"
        assert lines[-1]["imported"]["path"] == str(target) and lines[-1]["imported"]["kind"] == "lora" and "progress" in lines[0], lines
        assert lines[-2]["progress"]["done"] == lines[-2]["progress"]["of"] == source.stat().st_size == target.stat().st_size
        assert source.read_bytes()[:4096] == target.read_bytes()[:4096]
        home.run("import", source, fails="of that name and size is there already")
        home.put("downloads/other/fur.safetensors", "lora-kohya-sd1")
        home.run("import", home.path / "downloads/other/fur.safetensors")
        assert (home.own / "loras/fur 2.safetensors").exists()
        net = home.put("downloads/canny.safetensors", "controlnet-sd1")
        home.run("import", net, "--link")
        assert (home.own / "controlnet/canny.safetensors").readlink() == Path(net)
        # the downloads of Hugging Face's cache are links to files named by their hash
        blob = home.put("hub/blobs/0a1b2c", "lora-kohya-sd1")
        snapshot = home.path / "hub/snapshots/1/wool.v2.safetensors"
        snapshot.parent.mkdir(parents=True)
        snapshot.symlink_to(blob)
        home.run("import", snapshot, "--link")
        assert (home.own / "loras/wool.v2.safetensors").readlink() == Path(blob)
        (home.own / "loras/wool.v2.safetensors").unlink()
        home.run("import", snapshot)
        assert not (home.own / "loras/wool.v2.safetensors").is_symlink()
        (home.own / "loras/wool.v2.safetensors").unlink()
        home.run("import", target, fails="where models are looked for already")
        assert len(home.list()[1]) == 3
        assert not list(home.own.rglob("*.part"))


def test_import_folders(program):
    with Home(program) as home:
        folder = home.path / "downloads/drawer"
        shutil.copytree(SKETCH, folder, ignore=shutil.ignore_patterns("train", "studio", "*.png", "*.md", "logs"))
        home.run("import", folder)
        copied, = home.list()[1]
        assert copied["name"] == "checkpoints/drawer" and copied["works"] and copied["bytes"] > 1e6
        for path in folder.rglob("*"):
            if path.is_file():
                assert (home.own / "checkpoints/drawer" / path.relative_to(folder)).read_bytes() == path.read_bytes(), path


def test_import_refusals(program):
    """What is no model, cannot be used or does not fit is refused, and nothing is left behind."""
    with Home(program) as home:
        text, pickle, web = home.path / "notes.txt", home.path / "old.ckpt", home.path / "page.safetensors"
        text.write_text("no model at all, but a text that is long enough to be read")
        pickle.write_bytes(PICKLE)
        web.write_text("<!DOCTYPE html><html><body>Please log in</body></html>")
        (home.path / "empty").mkdir()
        cut = home.put("cut.safetensors", "lora-kohya-sd1", cut=10)
        union = home.put("union.safetensors", "controlnet-union")
        for path, part in ((text, "is no model that this version can use"), (pickle, "pickle"), (web, "page.safetensors"), (home.path / "empty", "empty"), (cut, "cut short"),
                           (union, "union ControlNet"), (home.path / "nothing", "There is nothing at")):
            home.run("import", path, fails=part)
        assert not home.own.exists() or not [p for p in home.own.rglob("*") if p.is_file()]


def test_import_without_room(program):
    """A disk that is too small is said before anything is copied. The file is a hole: it takes no room itself."""
    with Home(program) as home:
        free = os.statvfs(home.path).f_bavail * os.statvfs(home.path).f_frsize
        source = lists.write(home.path / "huge.safetensors", ROWS["lora-kohya-sd1"] + [("lora_unet_y.alpha", "F32", [free // 4 + (1 << 28)])])
        home.run("import", source, fails="GB free and")
        assert not [p for p in home.own.rglob("*") if p.is_file()]
        home.run("import", source, "--link")


if __name__ == "__main__":
    tap.run(globals(), "models", program=os.path.abspath(sys.argv[1]))
