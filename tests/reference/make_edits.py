#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/edits: a tiny random model with a UNet for instructions beside its plain one, one with a UNet that takes depth, and what
diffusers' pipelines make with them of the picture of make_runs.py. usage: make_edits.py OUTDIR"""
import json
import shutil
import sys
from pathlib import Path

import diffusers
import numpy as np
import torch
import transformers
from diffusers import (DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler,
                       StableDiffusionDepth2ImgPipeline, StableDiffusionInstructPix2PixPipeline)
from safetensors.torch import save_file
from transformers import CLIPTokenizer

from make_runs import HEIGHT, NEGATIVE, PROMPT, WIDTH, inputs, save, text, unet, vae, write_tokenizer

SCHEDULERS = {
    "ddim": (DDIMScheduler, {"clip_sample": False}),
    "euler": (EulerDiscreteScheduler, {}),
    "euler-a": (EulerAncestralDiscreteScheduler, {}),
    "dpmpp-2m-karras": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
}
WIDTHS, CROSS = (8, 16), 16
SCHEDULE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "set_alpha_to_one": False, "prediction_type": "epsilon", "timestep_spacing": "leading", "steps_offset": 1}
CASES = [
    {"name": "edit-ddim", "sampler": "ddim", "steps": 5},
    {"name": "edit-euler", "sampler": "euler", "steps": 4, "image_guidance": 2.2, "guidance": 3.0},
    {"name": "edit-euler-a", "sampler": "euler-a", "steps": 6},
    {"name": "edit-dpmpp", "sampler": "dpmpp-2m-karras", "steps": 6, "seed": 8},
    {"name": "edit-text-only", "sampler": "ddim", "steps": 4, "image_guidance": 1.0},
    {"name": "edit-no-text", "sampler": "ddim", "steps": 4, "guidance": 1.0},
    {"name": "edit-weak-image", "sampler": "ddim", "steps": 4, "image_guidance": 0.5},
    {"name": "depth-ddim", "task": "depth", "sampler": "ddim", "steps": 6, "strength": 0.8},
    {"name": "depth-euler-a", "task": "depth", "sampler": "euler-a", "steps": 5, "strength": 0.6},
    {"name": "depth-full", "task": "depth", "sampler": "dpmpp-2m-karras", "steps": 6, "strength": 1.0, "guidance": 1.0},
]
DEFAULTS = {"task": "edit", "guidance": 7.5, "image_guidance": 1.5, "strength": 1.0, "seed": 3, "prompt": PROMPT, "negative": NEGATIVE}


def build(root):
    torch.manual_seed(41)
    folder = root / "model"
    words = write_tokenizer(folder / "tokenizer")
    parts = {"tokenizer": CLIPTokenizer.from_pretrained(folder / "tokenizer"), "text_encoder": save(text(words, CROSS), folder / "text_encoder"),
             "vae": save(vae(), folder / "vae")}
    save(unet(4, WIDTHS, False, CROSS), folder / "unet")
    parts["edit"] = save(unet(8, WIDTHS, False, CROSS), folder / "unet_edit")
    parts["depth"] = save(unet(5, WIDTHS, True, CROSS), root / "unet_depth")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULE, indent=1) + "\n")
    return parts


def depth_map():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    return torch.tensor(3.0 + np.cos(x / 11) * 2 + y / 20, dtype=torch.float32)


def run(case, parts, picture, depth):
    c = {**DEFAULTS, **case}
    cls, extra = SCHEDULERS[c["sampler"]]
    keys = cls.__init__.__wrapped__.__code__.co_varnames
    scheduler = cls(**{k: v for k, v in {**SCHEDULE, **extra}.items() if k in keys})
    common = {k: parts[k] for k in ("vae", "text_encoder", "tokenizer")}
    more = {"image": picture.permute(2, 0, 1)[None]}
    if c["task"] == "edit":
        pipe = StableDiffusionInstructPix2PixPipeline(unet=parts["edit"], scheduler=scheduler, safety_checker=None, feature_extractor=None,
                                                      requires_safety_checker=False, **common)
        more.update(image_guidance_scale=c["image_guidance"])
    else:
        pipe = StableDiffusionDepth2ImgPipeline(unet=parts["depth"], scheduler=scheduler, depth_estimator=None, feature_extractor=None, **common)
        more.update(depth_map=depth[None], strength=c["strength"])
    pipe.set_progress_bar_config(disable=True)
    out = pipe(prompt=c["prompt"], negative_prompt=c["negative"], num_inference_steps=c["steps"], guidance_scale=c["guidance"],
               generator=torch.Generator("cpu").manual_seed(c["seed"]), output_type="latent", **more)
    latent = out.images
    with torch.no_grad():
        image = parts["vae"].decode(latent / parts["vae"].config.scaling_factor).sample
    image = (image / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)
    assert torch.isfinite(latent).all() and image.std() > 0.05, (c["name"], float(image.std()))
    print(f"{c['name']}: latent {float(latent.std()):.3f}, picture {float(image.mean()):.3f} +- {float(image.std()):.3f}")
    made = {c["name"] + ".latent": latent[0].contiguous()}
    if c["sampler"] == "ddim":
        made[c["name"] + ".image"] = image.contiguous()
    return c, made


def main():
    torch.set_num_threads(1)
    root = Path(sys.argv[1]) / "edits"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    parts = build(root)
    picture, _ = inputs()
    depth = depth_map()
    tensors, cases = {"depth": depth.contiguous()}, []
    for case in CASES:
        c, made = run(case, parts, picture, depth)
        cases.append(c)
        tensors.update(made)
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    save_file(tensors, root / "edits.safetensors", metadata=versions)
    (root / "edits.json").write_text(json.dumps({"made_with": versions, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
