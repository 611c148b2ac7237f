#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_inspect.py ENGINE: `inspect` on the kinds of file that people have, as headers without values: kind, form and family are right,
and each answer comes in less than a second, whatever the size of the file."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import lists
import tap

# what a list is: kind, form ("" = none is told), family (None = of any, or not to be told)
KINDS = {
    "sd1-checkpoint": ("checkpoint", "", "sd1"), "sd1-checkpoint-ema": ("checkpoint", "", "sd1"), "sd1-inpaint": ("checkpoint", "", "sd1"),
    "sd1-edit": ("checkpoint", "", "sd1"), "sd1-merged": ("checkpoint", "", "sd1"), "sd2-checkpoint": ("checkpoint", "", "sd2"),
    "sd2-inpaint": ("checkpoint", "", "sd2"), "sd2-depth": ("checkpoint", "", "sd2"), "sdxl-checkpoint": ("checkpoint", "", "sdxl"),
    "sdxl-v": ("checkpoint", "", "sdxl"), "sdxl-inpaint": ("checkpoint", "", "sdxl"), "sdxl-edit": ("checkpoint", "", "sdxl"),
    "sdxl-turned": ("checkpoint", "", "sdxl"), "refiner-checkpoint": ("checkpoint", "", "sdxl-refiner"),
    "sd1-unet-bare": ("unet", "ldm", "sd1"), "sdxl-unet-diffusers": ("unet", "diffusers", "sdxl"), "sd1-unet-lcm": ("unet", "diffusers", "sd1"),
    "vae-ldm": ("vae", "", None), "vae-prefixed": ("vae", "", None), "vae-diffusers": ("vae", "", None), "vae-diffusers-old": ("vae", "", None),
    "text-clip-l": ("text-encoder", "clip", None),
    "controlnet-sd1": ("controlnet", "full", "sd1"), "controlnet-sd2": ("controlnet", "full", "sd2"),
    "controlnet-sdxl-full": ("controlnet", "full", "sdxl"), "controlnet-sdxl-mid": ("controlnet", "mid", "sdxl"),
    "controlnet-sdxl-small": ("controlnet", "small", "sdxl"), "controlnet-sd1-ldm": ("controlnet", "full", "sd1"),
    "controlnet-sd2-ldm": ("controlnet", "full", "sd2"), "controlnet-union": ("controlnet", "union", "sdxl"),
    "t2i-full": ("t2i-adapter", "full", "sd1"), "t2i-full-original": ("t2i-adapter", "full", "sd1"), "t2i-light": ("t2i-adapter", "light", "sd1"),
    "t2i-light-original": ("t2i-adapter", "light", "sd1"), "t2i-xl": ("t2i-adapter", "full", "sdxl"),
    "t2i-xl-original": ("t2i-adapter", "full", "sdxl"), "t2i-gray": ("t2i-adapter", "full", "sd1"),
    "t2i-gray-original": ("t2i-adapter", "full", "sd1"),
    "gligen-diffusers": ("gligen", "", "sd1"), "gligen-ldm": ("gligen", "", "sd1"),
    "ip-adapter-sd1": ("ip-adapter", "base", "sd1"), "ip-adapter-plus-sd1": ("ip-adapter", "plus", "sd1"),
    "ip-adapter-sdxl": ("ip-adapter", "base", "sdxl"), "ip-adapter-plus-sdxl": ("ip-adapter", "plus", "sdxl"),
    "clip-vision-h": ("clip-vision", "vit-h", None), "clip-vision-bigg": ("clip-vision", "vit-bigg", None),
    "lora-kohya-sd1": ("lora", "kohya", "sd1"), "lora-kohya-sd2": ("lora", "kohya", "sd2"), "lora-kohya-sdxl": ("lora", "kohya", "sdxl"),
    "lora-diffusers-sd1": ("lora", "diffusers", "sd1"), "lora-old-sd1": ("lora", "diffusers-old", "sd1"), "lora-peft-sdxl": ("lora", "peft", "sdxl"),
    "lora-peft-sd1": ("lora", "peft", "sd1"), "lora-dora-sd1": ("lora", "dora", "sd1"), "lora-loha-sd1": ("lora", "loha", "sd1"),
    "lora-lokr-sd1": ("lora", "lokr", None), "lora-text-sd1": ("lora", "kohya", "sd1"),
    "taesd-diffusers": ("taesd", "diffusers", None), "taesd-decoder": ("taesd", "decoder", None), "taesd-encoder": ("taesd", "encoder", None),
    "ti-diffusers-sd1": ("embedding", "diffusers", "sd1"), "ti-diffusers-sd2": ("embedding", "diffusers", "sd2"),
    "ti-a1111-sd1": ("embedding", "a1111", "sd1"), "ti-sdxl": ("embedding", "sdxl", "sdxl"),
}
# what a checkpoint's UNet predicts, where that is not noise
PREDICTIONS = {"sd2-checkpoint": "unknown", "sdxl-v": "v_prediction"}


def inspect(program, *words):
    begin = time.monotonic()
    done = subprocess.run([program, "inspect", *words], capture_output=True, timeout=60, env=dict(os.environ, OMP_WAIT_POLICY="passive"))
    assert done.returncode == 0, (words, done.stderr.decode())
    return done.stdout.decode(), time.monotonic() - begin


def test_every_list_is_told(program, folder):
    rows = lists.read()
    assert set(rows) == set(KINDS), set(rows) ^ set(KINDS)
    wrong = []
    for name, expected in KINDS.items():
        path = lists.write(folder / "file.safetensors", rows[name])
        text, seconds = inspect(program, path, "--json")
        told = json.loads(text)
        found = told["kind"], told.get("form", ""), told.get("family")
        problems = told["problems"] if name != "controlnet-union" and told["kind"] != "unet" else []
        print(f"# {name:22} {os.stat(path).st_size / 1e9:5.2f} GB {seconds * 1000:4.0f} ms  {' '.join(map(str, found))}")
        if found != expected or problems or seconds >= 1:
            wrong.append((name, found, expected, problems, seconds))
        if told["kind"] == "checkpoint" and told["prediction_type"] != PREDICTIONS.get(name, "epsilon"):
            wrong.append((name, told["prediction_type"]))
    assert not wrong, wrong


def test_what_a_reader_sees(program, folder):
    """The same in words: what it is, what it goes with, and that nothing is wrong with it."""
    rows = lists.read()
    for name, says in {
        "sd2-checkpoint": ["checkpoint", "Stable Diffusion 2", "unknown, probed at first run", "problems     none"],
        "controlnet-sd1": ["ControlNet", "Stable Diffusion 1.x", "needs"],
        "lora-kohya-sdxl": ["LoRA", "Stable Diffusion XL", "needs"],
        "controlnet-union": ["union ControlNet", "problem "],
    }.items():
        text, _ = inspect(program, lists.write(folder / "file.safetensors", rows[name]))
        assert all(part in text for part in says), (name, says, text)


def test_broken_files_are_told_too(program, folder):
    """A download that broke off, a pickle, text: `inspect` says so and does not fail."""
    rows = lists.read()
    cut = lists.write(folder / "cut.safetensors", rows["controlnet-sd1"], cut=1000)
    pickle, web, empty = folder / "model.ckpt", folder / "page.safetensors", folder / "empty.safetensors"
    pickle.write_bytes(b"\x80\x02}q\x01(X\x05\x00\x00\x00stateq\x02K\x01u.")
    web.write_text("<!DOCTYPE html><html><body>Please log in</body></html>")
    empty.write_bytes(b"")
    for path, part in ((cut, "is cut short: 1000 bytes are missing"), (pickle, "pickle"), (web, "page.safetensors"), (empty, "empty")):
        told = json.loads(inspect(program, str(path), "--json")[0])
        print(f"# {told['problems']}")
        assert len(told["problems"]) == 1 and part in told["problems"][0] and str(path) in told["problems"][0], told


def main():
    with tempfile.TemporaryDirectory(prefix="pmt-inspect-") as folder:
        tap.run(globals(), "inspect", program=os.path.abspath(sys.argv[1]), folder=Path(os.path.realpath(folder)))


if __name__ == "__main__":
    main()
