# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that the first Stable Diffusion checkpoints give to a diffusers model of two levels and one layer a block."""

import re
from pathlib import Path

from files import read_safetensors, write_safetensors

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
TOP = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0",
       "time_embedding.linear_2": "time_embed.2"}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def leaf(rest, table):
    name, end = rest.rsplit(".", 1)
    return f"{table[name]}.{end}"


def unet_name(key):
    found = re.fullmatch(r"(down|up)_blocks\.(\d)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.*)", key)
    if found:
        way, level, what, layer, rest = found.groups()
        # going down, a block is a layer and a downsampler; going up, two layers of which the last may upsample
        if what == "downsamplers":
            return f"input_blocks.{2 * int(level) + 2}.0.op.{rest.split('.', 1)[1]}"
        if what == "upsamplers":  # the lowest level has no attention before it
            return f"output_blocks.{2 * int(level) + 1}.1.conv.{rest.split('.', 1)[1]}"
        block = f"input_blocks.{2 * int(level) + 1}" if way == "down" else f"output_blocks.{2 * int(level) + int(layer)}"
        return f"{block}.0.{leaf(rest, RESNET)}" if what == "resnets" else f"{block}.1.{rest}"
    found = re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", key)
    if found:
        what, number, rest = found.groups()
        return f"middle_block.1.{rest}" if what == "attentions" else f"middle_block.{2 * int(number)}.{leaf(rest, RESNET)}"
    return leaf(key, TOP)


def vae_name(key):
    key = re.sub(r"mid_block\.attentions\.0\.(.*)", lambda m: "mid.attn_1." + leaf(m.group(1), ATTENTION), key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m.group(1)) + 1}", key)
    key = re.sub(r"encoder\.down_blocks\.(\d)\.resnets", r"encoder.down.\1.block", key)
    key = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", key)
    key = re.sub(r"decoder\.up_blocks\.(\d)\.resnets", lambda m: f"decoder.up.{1 - int(m.group(1))}.block", key)
    key = re.sub(r"decoder\.up_blocks\.(\d)\.upsamplers\.0", lambda m: f"decoder.up.{1 - int(m.group(1))}.upsample", key)
    return key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")


def convert(folder, path):
    folder, out = Path(folder), {}
    for key, tensor in read_safetensors(folder / "unet" / "diffusion_pytorch_model.safetensors").items():
        out["model.diffusion_model." + unet_name(key)] = tensor
    for key, (dtype, shape, data) in read_safetensors(folder / "vae" / "diffusion_pytorch_model.safetensors").items():
        name = vae_name(key)
        # those files hold the middle attention's projections as 1x1 convolutions
        out["first_stage_model." + name] = (dtype, shape + [1, 1] if ".attn_1." in name and len(shape) == 2 else shape, data)
    for key, tensor in read_safetensors(folder / "text_encoder" / "model.safetensors").items():
        inner = key if key.startswith("text_model.") else "text_model." + key
        out["cond_stage_model.transformer." + inner] = tensor
    write_safetensors(path, out)
