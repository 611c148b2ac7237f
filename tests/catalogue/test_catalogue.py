#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_catalogue.py ENGINE: data/catalogue.json is of the form that data/catalogue.md says, its sentences can be translated, and its kinds
and folders are those that the engine imports into."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlparse

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
import lists
import tap

ROOT = Path(os.environ["PMT_SOURCE_ROOT"])
CATALOGUE = json.loads((ROOT / "data/catalogue.json").read_text())
MODELS = CATALOGUE["models"]
MEMBERS = {"id", "title", "purpose", "kind", "family", "license", "page", "url", "file", "folder", "bytes", "sha256"}


def problems_of(model):
    """Sentences; none when the entry is as it should be."""
    if set(model) - {"needs"} != MEMBERS:
        yield f"members {sorted(set(model) ^ MEMBERS)}"
        return
    for member, form in (("id", r"[a-z0-9-]+"), ("title", r"\S.*[^.\s]"), ("purpose", r"[A-Z].*[^.\s]"), ("file", r"[\w.-]+\.(safetensors|gguf)"),
                         ("folder", r"[a-z_]+"), ("kind", r"[a-z0-9-]+")):
        if not isinstance(model[member], str) or not re.fullmatch(form, model[member]):
            yield f"{member} is {model[member]!r}"
    if model["family"] not in ("sd1", "sd2", "sdxl", None):
        yield f"family is {model['family']!r}"
    for member in ("url", "page"):
        address = urlparse(model[member])
        if address.scheme != "https" or not address.hostname or address.query or address.fragment or "@" in address.netloc:
            yield f"{member} is {model[member]!r}"
    if model["bytes"] is not None and not (isinstance(model["bytes"], int) and 100_000 < model["bytes"] < 100_000_000_000):
        yield f"bytes is {model['bytes']!r}"
    if model["sha256"] is not None and not re.fullmatch("[0-9a-f]{64}", model["sha256"]):
        yield f"sha256 is {model['sha256']!r}"
    license_ = model["license"]
    if not license_.get("name") or set(license_) - {"name", "url"}:
        yield f"license is {license_!r}"
    elif "url" not in license_ and license_["name"] not in ("MIT", "Apache-2.0"):
        yield f"the licence {license_['name']} is no SPDX id and has no address"
    for other in model.get("needs", []):
        if other not in {entry["id"] for entry in MODELS}:
            yield f"needs {other}, which is not there"


def test_every_entry_is_of_the_form():
    assert CATALOGUE["version"] == 1
    wrong = {model.get("id"): list(problems_of(model)) for model in MODELS}
    assert not any(wrong.values()), {name: found for name, found in wrong.items() if found}


def test_the_check_can_fail():
    for change in ({"url": "http://example.org/a"}, {"file": "../a.safetensors"}, {"file": "a.ckpt"}, {"folder": ".."}, {"sha256": "0" * 63}, {"bytes": "7"},
                   {"bytes": 0}, {"license": {"name": "Mine"}}, {"needs": ["nothing"]}, {"family": "sd3"}, {"purpose": "Ends in a stop."}, {"more": 1}):
        assert list(problems_of({**MODELS[0], **change})), change


def test_nothing_is_there_twice():
    for member in ("id", "title", "url", "sha256"):
        values = [model[member] for model in MODELS if model[member]]
        assert len(values) == len(set(values)), member
    places = [(model["folder"], model["file"]) for model in MODELS]
    assert len(places) == len(set(places))


def test_what_should_be_there_is():
    kinds = {(model["kind"], model["family"]) for model in MODELS}
    assert kinds >= {("checkpoint", "sd1"), ("checkpoint", "sd2"), ("checkpoint", "sdxl"), ("lora", "sd1"), ("taesd", "sd1"), ("controlnet", "sd1"),
                     ("t2i-adapter", "sdxl"), ("gligen", "sd1"), ("ip-adapter", "sd1"), ("clip-vision", None)}, kinds


def test_sentences_can_be_translated():
    """plugin/catalogue-words.c has each purpose, and no other."""
    words = re.findall(r'N_\("(.*)"\)', (ROOT / "plugin/catalogue-words.c").read_text())
    assert sorted(words) == sorted({model["purpose"] for model in MODELS}), set(words) ^ {model["purpose"] for model in MODELS}


def test_folders_are_the_importer_s(engine):
    """What is downloaded lies where the same file would be imported to."""
    folders = {model["kind"]: model["folder"] for model in MODELS}
    rows = lists.read()
    examples = {"checkpoint": "sd1-checkpoint", "lora": "lora-kohya-sd1", "taesd": "taesd-diffusers", "vae": "vae-ldm", "controlnet": "controlnet-sd1",
                "t2i-adapter": "t2i-xl", "gligen": "gligen-ldm", "ip-adapter": "ip-adapter-sd1", "clip-vision": "clip-vision-h"}
    assert set(folders) == set(examples), set(folders) ^ set(examples)
    with tempfile.TemporaryDirectory(prefix="pmt-catalogue-") as home:
        home = os.path.realpath(home)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        for kind, name in examples.items():
            path = lists.write(Path(home) / f"{kind}.safetensors", rows[name])
            done = subprocess.run([engine, "import", "--link", "--json", path], capture_output=True, text=True, env=dict(environment, HOME=home), timeout=30)
            assert done.returncode == 0, done.stderr
            placed = json.loads(done.stdout.splitlines()[-1])["imported"]["path"]
            assert Path(placed).parent.name == folders[kind], (kind, placed)


def test_unknown_figures_are_told():
    """The page that says where figures come from says what null means; how many there are is printed."""
    text = (ROOT / "data/catalogue.md").read_text()
    assert "null" in text and "krita-ai-diffusion" in text
    print(f"# {len(MODELS)} models, {sum(m['sha256'] is None for m in MODELS)} without checksum, {sum(m['bytes'] is None for m in MODELS)} without size")


if __name__ == "__main__":
    tap.run(globals(), "catalogue", engine=os.path.abspath(sys.argv[1]))
