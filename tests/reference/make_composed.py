#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/composed: what methods without gradients make of the tiny model of OUTDIR/runs (make_runs.py), each as a loop of its own
over diffusers' networks and schedulers. usage: make_composed.py OUTDIR"""
import json
import shutil
import sys
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, DDIMInverseScheduler, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

from make_runs import HEIGHT, LENGTH, WIDTH, inputs

DEFAULTS = {"prompt": "a red circle", "negative": "blurry", "steps": 5, "guidance": 5.0, "seed": 3, "params": {}}
CASES = [
    {"name": "and", "method": "composable", "prompt": "a red circle AND a blue house :0.7",
     "terms": [["a red circle", 1.0], ["a blue house", 0.7]]},
    {"name": "and-not", "method": "composable", "prompt": "a red circle:.8 AND a house AND NOT blue:1.3",
     "terms": [["a red circle", 0.8], ["a house", 1.0], ["blue", -1.3]]},
    {"name": "and-parameter", "method": "composable", "prompt": "house left of circle", "guidance": 1.0,
     "params": {"terms": "red AND NOT circle : 0.5"}, "terms": [["house left of circle", 1.0], ["red", 1.0], ["circle", -0.5]]},
]


class Model:
    def __init__(self, folder):
        self.words = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32).eval()
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
        self.net = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval()
        self.config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())

    def scheduler(self, cls, steps):
        keys = cls.__init__.__wrapped__.__code__.co_varnames
        made = cls(**{k: v for k, v in {**self.config, "clip_sample": False}.items() if k in keys})
        made.set_timesteps(steps)
        return made

    def says(self, prompt):
        ids = self.words(prompt, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt").input_ids
        return self.text(ids)[0]

    def eps(self, z, t, *contexts):
        """One prediction per context."""
        out = self.net(z.repeat(len(contexts), 1, 1, 1), t, torch.cat(contexts)).sample
        return out.chunk(len(contexts))

    def guided(self, z, t, negative, positive, g):
        u, c = self.eps(z, t, negative, positive)
        return u + g * (c - u)

    def encode(self, picture):
        x = self.vae.encode(picture.permute(2, 0, 1)[None] * 2 - 1).latent_dist.mode()
        return x * self.vae.config.scaling_factor


def noise(seed, height=HEIGHT // 8, width=WIDTH // 8):
    return torch.randn((1, 4, height, width), generator=torch.Generator("cpu").manual_seed(seed))


def composable(m, c):
    s = m.scheduler(DDIMScheduler, c["steps"])
    z, negative = noise(c["seed"]), m.says(c["negative"])
    contexts = [m.says(text) for text, _ in c["terms"]]
    for t in s.timesteps:
        u, *e = m.eps(z, t, negative, *contexts)
        e = u + sum(c["guidance"] * w * (x - u) for (_, w), x in zip(c["terms"], e))
        z = s.step(e, t, z).prev_sample
    return z


METHODS = {"composable": composable}


def main():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    root = Path(sys.argv[1]) / "composed"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    model = Model(root.parent / "runs" / "tiny")
    tensors, cases = {}, []
    for case in CASES:
        c = {**DEFAULTS, **case}
        z = METHODS[c["method"]](model, c)
        assert torch.isfinite(z).all()
        print(f"{c['name']}: latent {float(z.std()):.3f}")
        cases.append(c)
        tensors[c["name"]] = z[0].contiguous()
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    save_file(tensors, root / "composed.safetensors", metadata=versions)
    (root / "composed.json").write_text(json.dumps({"made_with": versions, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
