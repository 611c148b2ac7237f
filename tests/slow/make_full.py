#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/full: the Stable Diffusion 1.5 architecture at full size with random weights that f16 holds exactly, as a
diffusers folder (model/) and as a single-file checkpoint of the same values (model.safetensors), and what torch makes of given
inputs (text, unet, vae.safetensors; f32, NCHW). About 4.5 GB on disk and 6 GB of memory. usage: make_full.py OUTDIR"""

import json
import re
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reference"))
from make_nets import VERSIONS, randomise, save_model  # noqa: E402

UNET = dict(sample_size=64, in_channels=4, out_channels=4, block_out_channels=[320, 640, 1280, 1280], layers_per_block=2,
            down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
            up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
            cross_attention_dim=768, attention_head_dim=8)
VAE = dict(sample_size=512, block_out_channels=[128, 256, 512, 512], layers_per_block=2, latent_channels=4,
           down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4, scaling_factor=0.18215)
TEXT = dict(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
            max_position_embeddings=77, hidden_act="quick_gelu", eos_token_id=2, projection_dim=768)
SCHEDULER = dict(_class_name="PNDMScheduler", beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                 num_train_timesteps=1000, steps_offset=1, skip_prk_steps=True, set_alpha_to_one=False,
                 prediction_type="epsilon")
# "a photo of an astronaut riding a horse on mars", padded as the encoder was trained
IDS = [49406, 320, 1125, 539, 550, 18376, 6765, 320, 4558, 525, 7496] + [49407] * 66

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
TOP = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0",
       "time_embedding.linear_2": "time_embed.2"}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def split(rest, table):
    """"conv1.weight" -> the table's word for conv1, and "weight"."""
    name, leaf = rest.rsplit(".", 1)
    return f"{table[name]}.{leaf}"


def unet_name(key):
    """The first Stable Diffusion checkpoints' name of a UNet tensor (formats.md 1.3), two layers a block."""
    found = re.fullmatch(r"(down|up)_blocks\.(\d)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.*)", key)
    if found:
        way, i, what, j, rest = found.group(1), int(found.group(2)), found.group(3), int(found.group(4)), found.group(5)
        if what == "downsamplers":
            return f"input_blocks.{3 * (i + 1)}.0.op.{rest.split('.', 1)[1]}"
        if what == "upsamplers":
            return f"output_blocks.{3 * i + 2}.{1 if i == 0 else 2}.conv.{rest.split('.', 1)[1]}"
        block = f"input_blocks.{3 * i + j + 1}" if way == "down" else f"output_blocks.{3 * i + j}"
        return f"{block}.0.{split(rest, RESNET)}" if what == "resnets" else f"{block}.1.{rest}"
    found = re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", key)
    if found:
        if found.group(1) == "attentions":
            return f"middle_block.1.{found.group(3)}"
        return f"middle_block.{2 * int(found.group(2))}.{split(found.group(3), RESNET)}"
    return split(key, TOP)


def vae_name(key):
    """The same for the autoencoder, whose decoder levels those files number from the other end."""
    key = re.sub(r"mid_block\.attentions\.0\.(.*)", lambda m: "mid.attn_1." + split(m.group(1), ATTENTION), key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m.group(1)) + 1}", key)
    key = re.sub(r"encoder\.down_blocks\.(\d)\.resnets", r"encoder.down.\1.block", key)
    key = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", key)
    key = re.sub(r"decoder\.up_blocks\.(\d)\.resnets", lambda m: f"decoder.up.{3 - int(m.group(1))}.block", key)
    key = re.sub(r"decoder\.up_blocks\.(\d)\.upsamplers\.0", lambda m: f"decoder.up.{3 - int(m.group(1))}.upsample", key)
    return key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")


def vae_values(key, value):
    """Those files hold the middle attention's projections as 1x1 convolutions."""
    return value[:, :, None, None] if ".mid.attn_1." in key and value.dim() == 2 else value


def check_names(single, own, convert, *arguments):
    """diffusers' converter must turn the single-file names back into its own, value for value."""
    back = convert(dict(single), *arguments)
    for key, value in own.items():
        assert torch.equal(back[key].reshape(value.shape), value), f"{key} was not found again"


def keep(path, tensors):
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, path, metadata=VERSIONS)


def make_unet(out, single):
    g = torch.Generator().manual_seed(1)
    unet = randomise(UNet2DConditionModel(**UNET), g)
    sample, text = torch.randn(1, 4, 64, 64, generator=g), torch.randn(1, 77, 768, generator=g)
    t = torch.tensor([501.0])
    keep(out / "unet.safetensors", {"sample": sample, "timestep": t, "encoder_hidden_states": text,
                                    "out": unet(sample, t, text).sample})
    config = dict(unet.config)
    save_model(unet, out / "model" / "unet", back=False)
    own = unet.state_dict()
    part = {"model.diffusion_model." + unet_name(k): v for k, v in own.items()}
    check_names(part, own, single_file_utils.convert_ldm_unet_checkpoint, config)
    single.update(part)


def make_vae(out, single):
    g = torch.Generator().manual_seed(2)
    vae = randomise(AutoencoderKL(**VAE), g)
    latents = torch.randn(1, 4, 64, 64, generator=g)
    keep(out / "vae.safetensors", {"latents": latents, "decoded": vae.decode(latents / VAE["scaling_factor"]).sample})
    config = dict(vae.config)
    save_model(vae, out / "model" / "vae", back=False)
    own = vae.state_dict()
    part = {}
    for key, value in own.items():
        name = "first_stage_model." + vae_name(key)
        part[name] = vae_values(name, value)
    check_names(part, own, single_file_utils.convert_ldm_vae_checkpoint, config)
    single.update(part)


def make_text(out, single):
    text = randomise(CLIPTextModel(CLIPTextConfig(**TEXT)), torch.Generator().manual_seed(3))
    ids = torch.tensor([IDS])
    answer = text(ids)
    keep(out / "text.safetensors", {"ids": ids.int(), "hidden": answer.last_hidden_state, "pooled": answer.pooler_output})
    save_model(text, out / "model" / "text_encoder", back=False)
    for key, value in text.state_dict().items():
        inner = key if key.startswith("text_model.") else "text_model." + key
        single["cond_stage_model.transformer." + inner] = value


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_full.py OUTDIR")
    out = Path(sys.argv[1]) / "full"
    (out / "model" / "scheduler").mkdir(parents=True, exist_ok=True)
    single = {}
    with torch.no_grad():
        make_unet(out, single)
        make_vae(out, single)
        make_text(out, single)
    (out / "model" / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER, indent=1) + "\n")
    (out / "model" / "model_index.json").write_text(json.dumps({
        "_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"], "text_encoder": ["transformers", "CLIPTextModel"],
        "scheduler": ["diffusers", SCHEDULER["_class_name"]], "safety_checker": [None, None]}, indent=1) + "\n")
    save_file({k: v.contiguous() for k, v in single.items()}, out / "model.safetensors")


if __name__ == "__main__":
    main()
