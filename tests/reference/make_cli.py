#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/cli: a small random model with the parts of Stable Diffusion 1 that a single file cannot say otherwise (8 heads, 32
groups), as a diffusers folder, and what diffusers makes of given inputs, with the residuals of a ControlNet too (io-*.safetensors,
the expected values under "out."). usage: make_cli.py OUTDIR"""
import shutil
import sys
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

UNET = dict(sample_size=8, in_channels=4, out_channels=4, block_out_channels=(32, 32), layers_per_block=1, norm_num_groups=32,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=64, attention_head_dim=8)
VAE = dict(sample_size=16, block_out_channels=(32, 32), layers_per_block=1, latent_channels=4, norm_num_groups=32,
           down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, scaling_factor=0.18215)
TEXT = dict(vocab_size=60, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=1,
            max_position_embeddings=12, hidden_act="quick_gelu", bos_token_id=0, eos_token_id=2, pad_token_id=1, projection_dim=64)
VERSIONS = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}


def save(module, folder):
    """Values that f16 holds exactly, so that half the bytes are stored and nothing is lost."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            if "bias" in name:
                p.add_(0.1 * torch.randn_like(p))
            p.copy_(p.half().float())
    module.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        save_file({k: v.half() if v.is_floating_point() else v for k, v in load_file(path).items() if "position_ids" not in k}, path)
    return module.eval()


def keep(path, tensors):
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, path, metadata=VERSIONS)


@torch.no_grad()
def main():
    root = Path(sys.argv[1], "cli")
    shutil.rmtree(root, ignore_errors=True)
    model = root / "model"
    model.mkdir(parents=True)
    torch.manual_seed(77)
    unet, vae = save(UNet2DConditionModel(**UNET), model / "unet"), save(AutoencoderKL(**VAE), model / "vae")
    text = save(CLIPTextModel(CLIPTextConfig(**TEXT)), model / "text_encoder")

    x = {"sample": torch.randn(2, 4, 6, 10), "timestep": torch.tensor([3.0, 741.0]), "encoder_hidden_states": torch.randn(2, 7, 64)}
    keep(root / "io-unet.safetensors", {**x, "out.sample": unet(**x).sample})
    shapes = [(6, 10), (6, 10), (3, 5), (3, 5)]
    down = [0.5 * torch.randn(2, 32, *shape) for shape in shapes]
    mid = 0.5 * torch.randn(2, 32, 3, 5)
    keep(root / "io-unet-residuals.safetensors", {
        **x, **{f"down_block_additional_residuals.{i}": r for i, r in enumerate(down)}, "mid_block_additional_residual": mid,
        "out.sample": unet(**x, down_block_additional_residuals=down, mid_block_additional_residual=mid).sample})
    picture, z = torch.rand(1, 3, 12, 20) * 2 - 1, torch.randn(1, 4, 6, 10)
    latent = vae.encode(picture).latent_dist
    keep(root / "io-vae-encode.safetensors", {"sample": picture, "out.latent_dist.mean": latent.mean,
                                              "out.latent_dist.logvar": latent.logvar})
    keep(root / "io-vae-decode.safetensors", {"z": z, "out.sample": vae.decode(z).sample})
    ids = torch.tensor([[0, 5, 9, 33, 2, 1, 1, 1, 1, 1, 1, 1], [0, 58, 59, 4, 4, 7, 2, 1, 1, 1, 1, 1]])
    # eos_token_id 2 means the old rule, where the pooled place is that of the largest id
    out = text(input_ids=ids)
    keep(root / "io-text.safetensors", {"input_ids": ids, "out.last_hidden_state": out.last_hidden_state,
                                        "out.pooler_output": out.pooler_output})


if __name__ == "__main__":
    main()
