#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/gradients.safetensors: torch's own gradients through the networks of OUTDIR/nets (make_nets.py), of projections of what
they give onto stored random weights, by what goes in. tests/nets/test_autograd.c compares. usage: make_gradients.py OUTDIR"""
import json
import sys
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection

UNETS = ["unet-sd1", "unet-sd2-odd", "unet-sdxl"]
VAES = ["vae-three-levels", "vae-plain", "vae-mean-std"]
TEXTS = {"text-quick-gelu": CLIPTextModel, "text-projection": CLIPTextModelWithProjection}


class Probe(AttnProcessor):
    """The plain attention, that also keeps its probabilities [heads, T, S]."""

    def __init__(self, kept, name):
        super().__init__()
        self.kept, self.name = kept, name

    def __call__(self, attn, *args, **kwargs):
        scores = attn.get_attention_scores

        def keep(*a):
            self.kept[self.name] = scores(*a)
            return self.kept[self.name]

        attn.get_attention_scores = keep
        try:
            return super().__call__(attn, *args, **kwargs)
        finally:
            attn.get_attention_scores = scores


def project(name, value, generator, out):
    """<value, w> with stored w."""
    w = torch.randn(value.shape, generator=generator)
    out[name] = w
    return (value * w).sum()


def unet(folder, name, generator, out):
    net = UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float32).eval().requires_grad_(False)
    io = load_file(folder / "io.safetensors")
    x, c = io["sample"].requires_grad_(), io["encoder_hidden_states"].requires_grad_()
    more = {}
    if "text_embeds" in io:
        more = {"added_cond_kwargs": {"text_embeds": io["text_embeds"], "time_ids": io["time_ids"]}}
    result = net(x, io["timestep"], c, **more).sample
    project(f"{name}.weights", result, generator, out).backward()
    out[f"{name}.sample"], out[f"{name}.context"] = x.grad.clone(), c.grad.clone()
    # the cross-attention of the middle, and the first self-attention on the way up
    kept = {}
    net.set_attn_processor({k: Probe(kept, k) for k in net.attn_processors})
    x.grad = c.grad = None
    net(x, io["timestep"], c, **more)
    pick = ["mid_block.attentions.0.transformer_blocks.0.attn2.processor",
            next(k for k in kept if k.startswith("up_blocks") and "attn1" in k)]
    loss = sum(project(f"{name}.map{i}", kept[k], generator, out) for i, k in enumerate(pick))
    loss.backward()
    out[f"{name}.sample.maps"], out[f"{name}.context.maps"] = x.grad.clone(), c.grad.clone()


def vae(folder, name, generator, out):
    net = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).eval().requires_grad_(False)
    io, config = load_file(folder / "io.safetensors"), net.config
    z = io["latents"].requires_grad_()
    mean = torch.tensor(config.get("latents_mean") or [0.0] * config.latent_channels).view(1, -1, 1, 1)
    std = torch.tensor(config.get("latents_std") or [1.0] * config.latent_channels).view(1, -1, 1, 1)
    shift = config.get("shift_factor") or 0.0
    result = net.decode(z * std / config.scaling_factor + mean + shift).sample
    project(f"{name}.decoded", result, generator, out).backward()
    out[f"{name}.latents"] = z.grad.clone()
    pictures = io["pictures"].requires_grad_()
    dist = net.encode(pictures).latent_dist
    noise = torch.randn(dist.mean.shape, generator=generator)
    out[f"{name}.noise"] = noise
    drawn = (dist.mean + dist.std * noise - shift - mean) * config.scaling_factor / std
    moments = torch.cat([dist.mean, dist.logvar], 1)
    (project(f"{name}.moments", moments, generator, out) + project(f"{name}.drawn", drawn, generator, out)).backward()
    out[f"{name}.pictures"] = pictures.grad.clone()


def text(folder, name, kind, generator, out):
    net = kind.from_pretrained(folder, torch_dtype=torch.float32).eval().requires_grad_(False)
    ids = load_file(folder / "io.safetensors")["ids"].long()
    table = net.get_input_embeddings().weight.requires_grad_()
    made = net(ids)
    loss = project(f"{name}.hidden", made.last_hidden_state, generator, out)
    pooled = made.text_embeds if hasattr(made, "text_embeds") else made.pooler_output
    (loss + project(f"{name}.pooled", pooled, generator, out)).backward()
    out[f"{name}.rows"] = table.grad.clone()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_gradients.py OUTDIR")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    nets, generator, out = Path(sys.argv[1]) / "nets", torch.Generator().manual_seed(91), {}
    for name in UNETS:
        unet(nets / name, name, generator, out)
    for name in VAES:
        vae(nets / name, name, generator, out)
    for name, kind in TEXTS.items():
        text(nets / name, name, kind, generator, out)
    assert all(torch.isfinite(v).all() and v.abs().max() > 0 for v in out.values())
    save_file({k: v.detach().contiguous() for k, v in out.items()}, Path(sys.argv[1]) / "gradients.safetensors",
              metadata={"torch": torch.__version__.split("+")[0], "diffusers": diffusers.__version__, "transformers": transformers.__version__})
    print(json.dumps({k: list(v.shape) for k, v in out.items()}))


if __name__ == "__main__":
    main()
