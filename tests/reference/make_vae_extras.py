#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/nets: autoencoders of which diffusers encodes and decodes big pictures in tiles, and a tiny autoencoder (TAESD) in
diffusers' names and in its author's. usage: make_vae_extras.py OUTDIR"""
import math
import shutil
import sys
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from safetensors.torch import load_file, save_file

VERSIONS = {"torch": torch.__version__.split("+")[0], "diffusers": diffusers.__version__}

# name: (sample_size, rows, latent height, latent width). Some tiles end beyond the picture, not only the last of a row.
TILED = {"vae-tiled": (64, 1, 13, 9), "vae-tiled-small": (32, 2, 7, 8)}


def randomise(model, generator):
    """As in make_nets.py: every parameter random, exact in f16, at a size that keeps activations near 1."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            value = (1.0 if name.endswith("weight") else 0.0) + 0.2 * noise
        else:
            value = noise / math.sqrt(parameter[0].numel())
        parameter.data.copy_(value.half().float())
    return model.eval()


def save(model, folder, seed, io):
    if folder.exists():
        shutil.rmtree(folder)
    model.half().save_pretrained(folder, safe_serialization=True)
    model.float()
    save_file({k: v.contiguous() for k, v in io.items()}, folder / "io.safetensors", metadata={**VERSIONS, "seed": str(seed)})


def make_tiled(out, name, seed):
    size, rows, height, width = TILED[name]
    generator = torch.Generator().manual_seed(seed)
    vae = randomise(AutoencoderKL(block_out_channels=[4, 8, 8, 8], down_block_types=["DownEncoderBlock2D"] * 4,
                                  up_block_types=["UpDecoderBlock2D"] * 4, layers_per_block=1, norm_num_groups=4,
                                  latent_channels=4, sample_size=size, scaling_factor=0.5), generator)
    pictures = torch.rand(rows, 3, 8 * height, 8 * width, generator=generator) * 2 - 1
    latents = torch.randn(rows, 4, height, width, generator=generator)
    whole = vae.decode(latents / 0.5).sample
    vae.enable_tiling()
    posterior = vae.encode(pictures).latent_dist
    decoded = vae.decode(latents / 0.5).sample
    assert float((decoded - whole).abs().max()) > 0.05, "tiles would not show"
    save(vae, out / name, seed, {"pictures": pictures, "moments": torch.cat([posterior.mean, posterior.logvar], 1),
                                 "latents": latents, "decoded": decoded})
    print(f"{name}: tiles change decoded values by {float((decoded - whole).abs().max()):.2f}")


def make_tiny(out, name, seed):
    generator = torch.Generator().manual_seed(seed)
    width = (8,) * 4
    tiny = randomise(AutoencoderTiny(encoder_block_out_channels=width, decoder_block_out_channels=width), generator)
    latents = 2 * torch.randn(2, 4, 5, 7, generator=generator)
    pictures = torch.rand(2, 3, 40, 24, generator=generator) * 2 - 1
    save(tiny, out / name, seed, {"latents": latents, "decoded": tiny.decode(latents).sample, "pictures": pictures,
                                  "encoded": tiny.encode(pictures).latents})
    stored = load_file(out / name / "diffusion_pytorch_model.safetensors")
    for half, shift in (("decoder", 1), ("encoder", 0)):  # the author's own files: layers alone, the decoder's clamp is number 0
        start = half + ".layers."
        renamed = {}
        for key, value in stored.items():
            if key.startswith(start):
                number, rest = key[len(start):].split(".", 1)
                renamed[f"{int(number) + shift}.{rest}"] = value
        save_file(renamed, out / name / f"taesd_{half}.safetensors")


def main():
    torch.set_num_threads(1)
    out = Path(sys.argv[1]) / "nets"
    out.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        for number, name in enumerate(TILED):
            make_tiled(out, name, 300 + number)
        make_tiny(out, "taesd", 310)


if __name__ == "__main__":
    main()
