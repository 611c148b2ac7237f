#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/full/sd21 and sdxl: Stable Diffusion 2.1 and XL at full size with random weights that f16 holds exactly, UNets and text
encoders as diffusers folders, and what torch makes of given inputs. 10 GB on disk; one network at a time is in memory, XL's UNet with
11 GB. usage: make_families.py OUTDIR"""

import gc
import sys
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reference"))
from make_nets import VERSIONS, randomise, save_model  # noqa: E402

X, D, XU, U = "CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"
SD21 = dict(sample_size=96, block_out_channels=[320, 640, 1280, 1280], down_block_types=[X, X, X, D], up_block_types=[U, XU, XU, XU],
            attention_head_dim=[5, 10, 20, 20], cross_attention_dim=1024, use_linear_projection=True)
SDXL = dict(sample_size=128, block_out_channels=[320, 640, 1280], down_block_types=[D, X, X], up_block_types=[XU, XU, U],
            attention_head_dim=[5, 10, 20], transformer_layers_per_block=[1, 2, 10], cross_attention_dim=2048,
            use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816)
CLIP = dict(vocab_size=49408, max_position_embeddings=77, eos_token_id=2)
TEXT_L = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, hidden_act="quick_gelu",
              projection_dim=768, **CLIP)
TEXT_H = dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16, hidden_act="gelu",
              projection_dim=512, **CLIP)
TEXT_G = dict(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, hidden_act="gelu",
              projection_dim=1280, **CLIP)
# "a photo of an astronaut riding a horse on mars", padded as OpenCLIP's encoders were trained
IDS = [49406, 320, 1125, 539, 550, 18376, 6765, 320, 4558, 525, 7496, 49407] + [0] * 65


def keep(path, tensors):
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, path, metadata=VERSIONS)


def make_unet(folder, config, seed):
    g = torch.Generator().manual_seed(seed)
    with torch.device("meta"):  # randomise() gives every value, so none is drawn twice
        unet = UNet2DConditionModel(**config)
    unet = randomise(unet.to_empty(device="cpu"), g)
    x = {"sample": torch.randn(1, 4, 64, 64, generator=g), "timestep": torch.tensor([501.0]),
         "encoder_hidden_states": torch.randn(1, 77, config["cross_attention_dim"], generator=g)}
    added = {}
    if "addition_embed_type" in config:
        added = {"text_embeds": torch.randn(1, 1280, generator=g), "time_ids": torch.tensor([[1024.0, 1024, 0, 0, 512, 512]])}
    out = unet(x["sample"], x["timestep"], x["encoder_hidden_states"], added_cond_kwargs=added or None).sample
    keep(folder / "unet.safetensors", {**x, **added, "out": out})
    save_model(unet, folder / "unet", back=False)


def make_text(folder, name, cls, config, seed):
    text = randomise(cls(CLIPTextConfig(**config)), torch.Generator().manual_seed(seed))
    ids = torch.tensor([IDS])
    answer = text(ids, output_hidden_states=True)
    projected = cls is CLIPTextModelWithProjection
    keep(folder / f"{name}.safetensors", {
        "ids": ids.int(), "last": answer.last_hidden_state, "penultimate": answer.hidden_states[config["num_hidden_layers"] - 1],
        "pooled": answer.text_embeds if projected else answer.pooler_output})
    save_model(text, folder / name, back=False)


@torch.no_grad()
def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_families.py OUTDIR")
    out = Path(sys.argv[1]) / "full"
    for name, unet, texts in (
            ("sd21", SD21, [("text_encoder", CLIPTextModel, TEXT_H)]),
            ("sdxl", SDXL, [("text_encoder", CLIPTextModel, TEXT_L), ("text_encoder_2", CLIPTextModelWithProjection, TEXT_G)])):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        make_unet(folder, unet, 11)
        gc.collect()
        for number, (part, cls, config) in enumerate(texts):
            make_text(folder, part, cls, config, 12 + number)
            gc.collect()


if __name__ == "__main__":
    main()
