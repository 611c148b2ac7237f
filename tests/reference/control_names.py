# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of tensors in the files that the authors of T2I-Adapter and ControlNet published, from diffusers' names."""
import re


def original_adapter_name(key, resnets, light):
    """The adapter's authors' name of a tensor."""
    key = key.removeprefix("adapter.")
    if not key.startswith("body."):
        return key
    i, rest = key.removeprefix("body.").split(".", 1)
    if light:
        return f"body.{i}." + rest.replace("resnets.", "body.")
    if rest.startswith("resnets."):
        j, rest = rest.removeprefix("resnets.").split(".", 1)
        return f"body.{int(i) * resnets + int(j)}.{rest}"
    return f"body.{int(i) * resnets}.{rest}"


RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
TOP = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
       "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
       "controlnet_mid_block": "middle_block_out.0"}


def original_controlnet_name(key, layers, hints):
    """`layers` per block, `hints` the number of widths of the picture's own layers."""
    stride = layers + 1
    found = re.fullmatch(r"down_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", key)
    if found:
        block = f"input_blocks.{stride * int(found[1]) + int(found[3]) + 1}"
        if found[2] == "attentions":
            return f"{block}.1.{found[4]}"
        module, leaf = found[4].rsplit(".", 1)
        return f"{block}.0.{RESNET[module]}.{leaf}"
    found = re.fullmatch(r"down_blocks\.(\d+)\.downsamplers\.0\.conv\.(.*)", key)
    if found:
        return f"input_blocks.{stride * (int(found[1]) + 1)}.0.op.{found[2]}"
    found = re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", key)
    if found:
        if found[1] == "attentions":
            return f"middle_block.1.{found[3]}"
        module, leaf = found[3].rsplit(".", 1)
        return f"middle_block.{2 * int(found[2])}.{RESNET[module]}.{leaf}"
    found = re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(.*)", key)
    if found:
        return f"zero_convs.{found[1]}.0.{found[2]}"
    found = re.fullmatch(r"controlnet_cond_embedding\.(conv_in|conv_out|blocks\.(\d+))\.(.*)", key)
    if found:
        place = {"conv_in": 0, "conv_out": 4 * hints - 2}.get(found[1], 2 * (int(found[2] or 0) + 1))
        return f"input_hint_block.{place}.{found[3]}"
    module, leaf = key.rsplit(".", 1)
    return f"{TOP[module]}.{leaf}"
