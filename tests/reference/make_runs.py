#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/runs: two tiny random models as diffusers folders, and what diffusers' pipelines make of them from seeds: text to
image, image to image, inpainting with nine and with four channels. usage: make_runs.py OUTDIR"""
import json
import shutil
import sys
from pathlib import Path

import diffusers
import numpy as np
import torch
import transformers
from diffusers import (AutoencoderKL, StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline, StableDiffusionPipeline,
                       UNet2DConditionModel)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WIDTH, HEIGHT = 64, 48
LENGTH = 20  # tokens of a prompt, with its ends
MERGES = ["r e", "re d</w>", "b l", "u e</w>", "bl ue</w>", "c i", "ci r", "cir c", "l e</w>", "circ le</w>", "h o", "u s",
          "us e</w>", "ho use</w>", "a n", "an d</w>", "o f</w>", "l e", "le f", "lef t</w>"]
PROMPT, NEGATIVE = "a red circle left of a blue house", "blurry"
LONG = "red circle and blue house and red house and blue circle and red circle left of a house and a house"

# What each sampler is in diffusers stands in its own file (make_schedules.py).
SAMPLERS = Path(__file__).resolve().parent.parent / "data" / "schedules"

CASES = [
    {"name": "text-ddim", "sampler": "ddim", "steps": 6},
    {"name": "text-euler", "sampler": "euler", "steps": 6, "guidance": 5.0, "seed": 7},
    {"name": "text-euler-a", "sampler": "euler-a", "steps": 5},
    {"name": "text-dpmpp-2m", "sampler": "dpmpp-2m", "steps": 8},
    {"name": "text-dpmpp-2m-karras", "sampler": "dpmpp-2m-karras", "steps": 16},
    {"name": "text-no-guidance", "sampler": "ddim", "steps": 5, "guidance": 1.0},
    {"name": "text-eta", "sampler": "ddim", "steps": 5, "eta": 0.7},
    {"name": "text-rescale", "sampler": "ddim", "steps": 4, "rescale": 0.7},
    {"name": "text-long", "sampler": "ddim", "steps": 3, "prompt": LONG, "negative": LONG[4:]},
    {"name": "text-noise", "sampler": "euler", "steps": 4, "noise": True},
    {"name": "v-ddim", "model": "tiny-v", "sampler": "ddim", "steps": 5},
    {"name": "v-euler", "model": "tiny-v", "sampler": "euler", "steps": 5},
    {"name": "v-dpmpp-2m-karras", "model": "tiny-v", "sampler": "dpmpp-2m-karras", "steps": 6},
    {"name": "image-ddim", "task": "image", "sampler": "ddim", "steps": 8, "strength": 0.6},
    {"name": "image-euler-a", "task": "image", "sampler": "euler-a", "steps": 6, "strength": 0.8},
    {"name": "image-dpmpp", "task": "image", "sampler": "dpmpp-2m-karras", "steps": 10, "strength": 0.5},
    {"name": "image-full", "task": "image", "sampler": "euler", "steps": 4, "strength": 1.0},
    {"name": "fill9-ddim", "task": "fill9", "sampler": "ddim", "steps": 5, "strength": 1.0},
    {"name": "fill9-euler-a", "task": "fill9", "sampler": "euler-a", "steps": 6, "strength": 0.7},
    {"name": "fill9-dpmpp", "task": "fill9", "sampler": "dpmpp-2m-karras", "steps": 6, "strength": 1.0, "guidance": 1.0},
    {"name": "fill4-ddim", "task": "fill4", "sampler": "ddim", "steps": 6, "strength": 1.0},
    {"name": "fill4-euler", "task": "fill4", "sampler": "euler", "steps": 6, "strength": 0.6},
    {"name": "fill4-euler-a", "task": "fill4", "sampler": "euler-a", "steps": 5, "strength": 1.0},
    {"name": "fill4-dpmpp", "task": "fill4", "sampler": "dpmpp-2m", "steps": 7, "strength": 0.75},
]
# Further samplers, compared by their latents alone.
CASES += [{**case, "picture": False} for case in (
    {"name": "text-ddpm", "sampler": "ddpm", "steps": 6},
    {"name": "text-pndm", "sampler": "pndm", "steps": 7},
    {"name": "text-euler-karras", "sampler": "euler-karras", "steps": 6},
    {"name": "text-heun", "sampler": "heun", "steps": 4},
    {"name": "text-heun-karras", "sampler": "heun-karras", "steps": 4},
    {"name": "text-dpmpp-2m-sde", "sampler": "dpmpp-2m-sde", "steps": 7},
    {"name": "text-dpmpp-2m-sde-karras", "sampler": "dpmpp-2m-sde-karras", "steps": 16},
    {"name": "text-unipc", "sampler": "unipc", "steps": 8},
    {"name": "text-unipc-karras", "sampler": "unipc-karras", "steps": 6},
    {"name": "text-lcm", "sampler": "lcm", "steps": 4, "guidance": 1.5},
    {"name": "text-tcd", "sampler": "tcd", "steps": 4, "guidance": 1.0, "eta": 0.3},
    {"name": "v-ddpm", "model": "tiny-v", "sampler": "ddpm", "steps": 5},
    {"name": "v-unipc", "model": "tiny-v", "sampler": "unipc", "steps": 6},
    {"name": "v-lcm", "model": "tiny-v", "sampler": "lcm", "steps": 4, "guidance": 1.5},
    {"name": "v-tcd", "model": "tiny-v", "sampler": "tcd", "steps": 4, "guidance": 1.0, "eta": 0.3},
    {"name": "image-ddpm", "task": "image", "sampler": "ddpm", "steps": 8, "strength": 0.6},
    {"name": "image-pndm", "task": "image", "sampler": "pndm", "steps": 8, "strength": 0.6},
    {"name": "image-pndm-twice", "task": "image", "sampler": "pndm", "steps": 8, "strength": 0.9},
    {"name": "image-heun", "task": "image", "sampler": "heun", "steps": 6, "strength": 0.6},
    {"name": "image-unipc", "task": "image", "sampler": "unipc", "steps": 8, "strength": 0.6},
    {"name": "image-lcm", "task": "image", "sampler": "lcm", "steps": 4, "strength": 0.5, "guidance": 1.5},
    {"name": "image-tcd", "task": "image", "sampler": "tcd", "steps": 4, "strength": 0.5, "guidance": 1.5, "eta": 0.3},
    {"name": "fill9-pndm", "task": "fill9", "sampler": "pndm", "steps": 6, "strength": 1.0},
    {"name": "fill9-heun", "task": "fill9", "sampler": "heun", "steps": 4, "strength": 0.8},
    {"name": "fill9-unipc", "task": "fill9", "sampler": "unipc", "steps": 6, "strength": 1.0},
    {"name": "fill9-lcm", "task": "fill9", "sampler": "lcm", "steps": 4, "strength": 1.0, "guidance": 1.5},
    {"name": "fill4-pndm", "task": "fill4", "sampler": "pndm", "steps": 6, "strength": 0.75},
    {"name": "fill4-heun", "task": "fill4", "sampler": "heun", "steps": 5, "strength": 0.6},
    {"name": "fill4-unipc", "task": "fill4", "sampler": "unipc", "steps": 6, "strength": 1.0},
    {"name": "fill4-lcm", "task": "fill4", "sampler": "lcm", "steps": 4, "strength": 0.7, "guidance": 1.5},
    {"name": "fill4-tcd", "task": "fill4", "sampler": "tcd", "steps": 4, "strength": 1.0, "guidance": 1.5, "eta": 0.3},
)]
DEFAULTS = {"model": "tiny", "task": "text", "guidance": 7.5, "seed": 3, "prompt": PROMPT, "negative": NEGATIVE, "strength": 1.0,
            "eta": 0.0, "rescale": 0.0, "noise": False, "picture": True}


def write_tokenizer(folder):
    """CLIP's byte symbols with few merges: the same code as for the real vocabulary, in 3 KB."""
    folder.mkdir(parents=True)
    shown = [b for b in range(0x21, 0x7F)] + [b for b in range(0xA1, 0xAD)] + [b for b in range(0xAE, 0x100)]
    symbols = [chr(b) for b in shown] + [chr(0x100 + k) for k in range(256 - len(shown))]
    words = symbols + [s + "</w>" for s in symbols] + [m.replace(" ", "") for m in MERGES]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {w: i for i, w in enumerate(words)}
    assert len(vocabulary) == len(words)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(
        {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
         "pad_token": "<|endoftext|>"}))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, "bos_token": "<|startoftext|>",
         "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}))
    return len(words)


def unet(channels, widths, linear, cross):
    return UNet2DConditionModel(
        sample_size=8, in_channels=channels, out_channels=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), block_out_channels=widths, layers_per_block=1, norm_num_groups=8,
        attention_head_dim=4, cross_attention_dim=cross, use_linear_projection=linear)


def vae():
    return AutoencoderKL(
        in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 16, 16, 16), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=64,
        scaling_factor=0.18215)


def text(words, width):
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=words, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=LENGTH, hidden_act="quick_gelu", bos_token_id=words - 2, eos_token_id=words - 1,
        pad_token_id=words - 1, projection_dim=width))


def save(module, folder):
    """Weights as f16 hold exactly what the f32 network here computes with. Random networks say little: louder weights make every
    part count."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            if p.dim() >= 2 and "embedding" not in name:
                p.mul_(1.5)
            elif "bias" in name:
                p.add_(0.1 * torch.randn_like(p))
            p.copy_(p.half().float())
    module.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        halves = {k: v.half() if v.is_floating_point() else v for k, v in load_file(path).items()}
        save_file(halves, path)
    return module.eval()


def build(root):
    torch.manual_seed(20)
    models = {}
    for name, widths, linear, width, scheduler in (
            ("tiny", (16, 32), False, 32, {"prediction_type": "epsilon", "timestep_spacing": "leading", "steps_offset": 1}),
            ("tiny-v", (16, 32), True, 16, {"prediction_type": "v_prediction", "timestep_spacing": "trailing", "steps_offset": 0,
                                            "rescale_betas_zero_snr": True})):
        folder = root / name
        words = write_tokenizer(folder / "tokenizer")
        m = {"tokenizer": CLIPTokenizer.from_pretrained(folder / "tokenizer"), "folder": folder}
        m["text_encoder"] = save(text(words, width), folder / "text_encoder")
        m["vae"] = save(vae(), folder / "vae")
        m["unet"] = save(unet(4, widths, linear, width), folder / "unet")
        if name == "tiny":
            m["unet_fill"] = save(unet(9, widths, linear, width), folder / "unet_fill")
        m["scheduler"] = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
                          "set_alpha_to_one": False, **scheduler}
        (folder / "scheduler").mkdir()
        (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(m["scheduler"], indent=1) + "\n")
        models[name] = m
    return models


def inputs():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    picture = np.stack([0.5 + 0.5 * np.sin(x / 9 + y / 17), 0.5 + 0.5 * np.cos(x / 13 - y / 7), (x * y) / (WIDTH * HEIGHT)], -1)
    picture = np.round(picture * 255) / 255
    mask = ((x - 30) ** 2 / 18 ** 2 + (y - 20) ** 2 / 13 ** 2 < 1).astype(np.float64)
    return torch.tensor(picture, dtype=torch.float32), torch.tensor(mask, dtype=torch.float32)


def use_own_grid(pipe, strength):
    """All steps within what the strength leaves, as the pipeline for latent consistency models from images has it; the plain ones
    know no such schedulers and would skip the first steps of a whole grid."""
    made = pipe.scheduler.set_timesteps
    pipe.scheduler.set_timesteps = lambda steps, device=None, **more: made(steps, device=device, strength=strength, **more)
    pipe.get_timesteps = lambda num_inference_steps, strength, device: (pipe.scheduler.timesteps, num_inference_steps)


def run(case, models, picture, mask):
    c = {**DEFAULTS, **case}
    m = models[c["model"]]
    about = json.loads((SAMPLERS / (c["sampler"] + ".json")).read_text())["reference"]
    cls = getattr(diffusers, about["class"])
    keys = cls.__init__.__wrapped__.__code__.co_varnames
    scheduler = cls(**{k: v for k, v in {**m["scheduler"], "clip_sample": False, **about["config"]}.items() if k in keys})
    kind = {"text": StableDiffusionPipeline, "image": StableDiffusionImg2ImgPipeline}.get(c["task"], StableDiffusionInpaintPipeline)
    pipe = kind(vae=m["vae"], text_encoder=m["text_encoder"], tokenizer=m["tokenizer"],
                unet=m["unet_fill"] if c["task"] == "fill9" else m["unet"], scheduler=scheduler, safety_checker=None,
                feature_extractor=None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    if about.get("own_grid") and c["strength"] < 1:
        use_own_grid(pipe, c["strength"])
    more = {}
    if c["task"] in ("text", "fill9", "fill4"):
        more.update(height=HEIGHT, width=WIDTH)
    if c["task"] != "text":
        more.update(image=picture.permute(2, 0, 1)[None], strength=c["strength"])
    if c["task"].startswith("fill"):
        more["mask_image"] = mask[None, None]
    if c["rescale"]:
        more["guidance_rescale"] = c["rescale"]
    if c["noise"]:
        more["latents"] = torch.randn((1, 4, HEIGHT // 8, WIDTH // 8), generator=torch.Generator("cpu").manual_seed(99))
    out = pipe(prompt=c["prompt"], negative_prompt=c["negative"], num_inference_steps=c["steps"], guidance_scale=c["guidance"],
               eta=c["eta"], generator=torch.Generator("cpu").manual_seed(c["seed"]), output_type="latent", **more)
    latent = out.images
    with torch.no_grad():
        image = pipe.vae.decode(latent / pipe.vae.config.scaling_factor).sample
    image = (image / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)
    assert torch.isfinite(latent).all() and image.std() > 0.05, (c["name"], float(image.std()))
    print(f"{c['name']}: latent {float(latent.std()):.3f}, picture {float(image.mean()):.3f} +- {float(image.std()):.3f}")
    tensors = {c["name"] + ".latent": latent[0].contiguous()}
    if c["picture"]:
        tensors[c["name"] + ".image"] = image.contiguous()
    if c["noise"]:
        tensors[c["name"] + ".noise"] = more["latents"][0].contiguous()
    return c, tensors


def invert(m, name, picture, steps):
    """The picture's latent (the posterior's mode), inverted by DDIM without guidance."""
    keys = diffusers.DDIMInverseScheduler.__init__.__wrapped__.__code__.co_varnames
    scheduler = diffusers.DDIMInverseScheduler(**{k: v for k, v in {**m["scheduler"], "clip_sample": False}.items() if k in keys})
    scheduler.set_timesteps(steps)
    with torch.no_grad():
        ids = m["tokenizer"](PROMPT, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt").input_ids
        context = m["text_encoder"](ids)[0]
        x = m["vae"].encode(picture.permute(2, 0, 1)[None] * 2 - 1).latent_dist.mode() * m["vae"].config.scaling_factor
        clean = x
        for t in scheduler.timesteps:
            x = scheduler.step(m["unet"](x, t, context).sample, int(t), x).prev_sample
    print(f"{name}: {float(clean.std()):.3f} inverted to {float(x.std()):.3f}")
    return {f"{name}.clean": clean[0].contiguous(), f"{name}.noised": x[0].contiguous()}


def main():
    torch.set_num_threads(1)
    root = Path(sys.argv[1]) / "runs"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    models = build(root)
    picture, mask = inputs()
    tensors = {"picture": picture.contiguous(), "mask": mask.contiguous()}
    cases = []
    for case in CASES:
        c, made = run(case, models, picture, mask)
        cases.append(c)
        tensors.update(made)
    tensors.update(invert(models["tiny"], "invert", picture, 6))
    tensors.update(invert(models["tiny-v"], "invert-v", picture, 4))
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    save_file(tensors, root / "runs.safetensors", metadata=versions)
    (root / "runs.json").write_text(json.dumps({"made_with": versions, "width": WIDTH, "height": HEIGHT, "length": LENGTH,
                                                "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
